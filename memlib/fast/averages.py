"""The averages: running sums over a whole sequence, and many pairs in one update.

What autograd must see is written here as products and sums; the rest goes to `means.py`, which writes in place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from memlib.attention import asks
from memlib.fast import means
from memlib.kv import KV
from memlib.memories.cumulative import CumulativeAverage
from memlib.memories.exponential import ExponentialAverage
from memlib.memories.moving import MovingAverage
from memlib.memories.weighted import WeightedAverage
from memlib.memory import UPDATES, WHOLE
from memlib.parts.sums import Sums
from memlib.parts.weights import as_weights
from memlib.precision import single, wide
from memlib.replay import walked
from memlib.room import tracked

MANY = 1 << 17  # numbers from which on running sums are quicker row by row in place
BLOCK = 16  # tokens summed at once by running sums
BAND = 128  # tokens handled at once by weighted and exponential averages


def one_slot(whole):
    """With one slot the outputs are its values, and the log-sum-exps the scores of its keys, averaged as values are."""

    def form(memory, q: Tensor, kv: KV, mem, lse: bool):
        if kv.n == 0:
            return walked(memory, q, kv, mem, lse)
        out = whole(memory, kv, mem).to(kv.v.dtype)
        if not lse:
            return out
        asks("attend_all", q, kv)
        keys = whole(memory, _of_keys(kv), None if mem is None else _of_keys(mem)).to(kv.k.dtype)
        return out, (single(q) * q.shape[-1] ** -0.5 * single(keys)).sum(-1)

    return form


def _of_keys(x):
    """Pairs, or sums of them, with the keys in the place of the values."""
    return KV(x.k, x.k) if isinstance(x, KV) else x._replace(like=KV(x.like.k, x.like.k), v=x.k)


def moving(memory: MovingAverage, kv: KV, mem: KV | None) -> Tensor:
    """In blocks of `size`: what a block holds so far, and what the one before still lends; nothing is subtracted."""
    v = _before(kv, mem)
    if not tracked(v):
        return means.moving(single(v), memory.size, kv.n)
    n = v.shape[-2]
    size = max(min(memory.size, n), 1)
    blocks = F.pad(single(v), (0, 0, size, -n % size)).unflatten(-2, (-1, size))
    here = running(blocks[..., 1:, :, :])  # [*b, blocks, size, e]; the first block is zeros
    lent = running(blocks[..., :-1, 1:, :].flip(-2)).flip(-2)  # sums to the block's end
    out = here + F.pad(lent, (0, 0, 0, 1))
    out = out.flatten(-3, -2)[..., :n, :] / _places(v).clamp(max=memory.size)
    return _after(out, kv.n)


def weighted(memory: WeightedAverage, kv: KV, mem: KV | None) -> Tensor:
    """A banded product."""
    v = single(_before(kv, mem))
    weights = as_weights(memory.weights).to(v)
    return _after(_banded(v, weights), kv.n) if tracked(v, weights) else means.weighted(v, weights, kv.n)


def cumulative(memory: CumulativeAverage, kv: KV, mem: Sums | None) -> Tensor:
    """Running sums of the values over their counts."""
    if mem is not None:
        mem.like.fits(kv)
    before, count = (None, 0) if mem is None else (mem.v, mem.count)
    if kv.v.numel() < MANY or tracked(kv.v, *([] if before is None else [before])):
        return running(kv.v, before) / (_places(kv.v) + count)
    return means.cumulative(single(kv.v), before, count)


def exponential(memory: ExponentialAverage, kv: KV, mem: Sums | None) -> Tensor:
    """A triangle of powers within each block, the average before it carried in."""
    v, g = kv.v, memory.rate
    if mem is not None:
        mem.like.fits(kv)
    low = single(v)
    carry = mem.v if mem is not None and mem.count else wide(v[..., :1, :])  # (1 - g) x_0 + g x_0 = x_0
    back = torch.arange(min(BAND, kv.n), dtype=torch.float64, device="cpu")
    fade = ((1 - g) ** (back + 1)).to(low)[:, None]
    powers = (g * (1 - g) ** (back[:, None] - back)).tril().to(low)
    outs = []
    for block in low.split(BAND, -2):
        n = block.shape[-2]
        inside = powers[:n, :n] @ block
        outs.append(torch.addcmul(inside, fade[:n], carry.to(low)))
        carry = wide(inside[..., -1:, :]) + (1 - g) ** n * carry
    return torch.cat(outs, -2)


def exponential_update(memory: ExponentialAverage, mem: Sums, new: KV, q: Tensor | None) -> Sums:
    """All new pairs at once, each faded by those behind it."""
    back = torch.arange(new.n, -1, -1, dtype=torch.float64, device="cpu")
    fade = ((1 - memory.rate) ** back).to(wide(mem.k))  # 0^0 = 1
    share = memory.rate * fade[1:]
    if not mem.count:
        share[0] = fade[1]
    k, v = (fade[0] * wide(old) + share[None] @ wide(x) for old, x in ((mem.k, new.k), (mem.v, new.v)))
    return Sums(mem.like, k, v, mem.count + new.n)


def running(x: Float[Tensor, "*b n e"], before: Tensor | None = None) -> Float[Tensor, "*b n e"]:
    """Sums of x over all places up to each: inside blocks by a triangle of ones, over blocks in float64.

    before: [*b, 1, e], what is added to all of them. Each sum is right to about two float32 last places.
    """
    n = x.shape[-2]
    if n == 0:
        return single(x)
    blocks = F.pad(single(x), (0, 0, 0, -n % BLOCK)).unflatten(-2, (-1, BLOCK))  # [*b, blocks, BLOCK, e]
    inside = blocks.new_ones(BLOCK, BLOCK).tril() @ blocks
    ends = F.pad(wide(inside[..., -1, :]).cumsum(-2), (0, 0, 1, -1))
    ends = ends if before is None else ends + before
    return (inside + ends.to(inside.dtype).unsqueeze(-2)).flatten(-3, -2)[..., :n, :]


def _banded(v: Tensor, weights: Tensor) -> Tensor:
    """sum_j weights_j v_j over the newest len(weights) places, divided by the sum of the weights that were used."""
    n = v.shape[-2]
    weights = weights[-n:]
    w = len(weights)
    size = min(BAND, n)
    padded = F.pad(v, (0, 0, w - 1, -n % size))
    views = padded.unfold(-2, size + w - 1, size)  # [*b, blocks, e, size + w - 1]
    place = torch.arange(size + w - 1, device=v.device) - torch.arange(size, device=v.device)[:, None]
    band = weights[place.clamp(0, w - 1)] * ((place >= 0) & (place < w))  # [size, size + w - 1]
    out = (band @ views.mT).flatten(-3, -2)[..., :n, :]
    used = weights.flip(0).cumsum(0)[(_places(v) - 1).clamp(max=w - 1)]  # [n, 1]
    return out / used


def _places(v: Tensor) -> Tensor:
    """1, 2, ... n as a column."""
    return torch.arange(1, v.shape[-2] + 1, device=v.device)[:, None]


def _before(kv: KV, mem: KV | None) -> Tensor:
    """The values, behind those of the pairs that were kept."""
    if mem is not None:
        mem.fits(kv)
    return kv.v if mem is None or mem.n == 0 else torch.cat([mem.v, kv.v], -2)


def _after(out: Tensor, n: int) -> Tensor:
    return out.narrow(-2, out.shape[-2] - n, n)


WHOLE[MovingAverage], WHOLE[WeightedAverage] = one_slot(moving), one_slot(weighted)
WHOLE[CumulativeAverage], WHOLE[ExponentialAverage] = one_slot(cumulative), one_slot(exponential)
UPDATES[ExponentialAverage] = exponential_update
