"""Summaries of many pairs in one slot: moving, weighted, cumulative and exponential averages.

    moving        Mem_t = mean of the newest n pairs                          kept: n pairs
    weighted      Mem_t = sum_j beta_j pair_j / sum_j beta_j over them        kept: n pairs
    cumulative    Mem_t = (pair_t + t Mem_{t-1}) / (t + 1)                    kept: one sum and a count
    exponential   Mem_t = (1 - g) Mem_{t-1} + g pair_t, Mem_0 = pair_0        kept: one pair

Xiao and Zhu 2025, arXiv 2501.09223, section 2.3. Keys and values are averaged alike. One slot is read, and
softmax over one score is 1: every query receives the same value, and the key of the average is dead weight
until another slot stands beside it. The cumulative recursion is not computed as it is written, since it
drifts in short floats: a float64 sum and a whole-number count take its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from memlib.kv import KV, attend, plain, single, whole, wide

BLOCK = 16  # tokens summed at once by running sums
BAND = 128  # tokens handled at once by weighted and exponential averages


class Sums(NamedTuple):
    """State of a running summary: k [*b, 1, d] and v [*b, 1, e] in float64, and how many pairs went in."""

    like: KV  # no pairs: the shapes, dtype and device of those that come
    k: Tensor
    v: Tensor
    count: int


class Positive(nn.Module):
    """Weights to be learned for `WeightedAverage`: softplus of `size` free numbers, all 1 at first."""

    def __init__(self, size: int):
        super().__init__()
        whole("Positive: size", size, 1)
        self.free = nn.Parameter(torch.full((size,), 1.0).expm1().log())

    def forward(self) -> Float[Tensor, " n"]:
        """The weights, oldest first; each above 0."""
        return F.softplus(self.free)


@dataclass(frozen=True, eq=False)
class WeightedAverage:
    """The newest pairs, one for each weight, in one weighted mean. weights: OLDEST first, the last one the current's.

    >>> from memlib import recipe
    >>> recipe(WeightedAverage([1.0, 3.0]), torch.zeros(3, 1))[-1]
    tensor([[0.0000, 0.2500, 0.7500]])

    weights: numbers or a tensor [n], >= 0, the last > 0; or a module that gives them, such as `Positive(n)`. They
    are shared by keys and values. While it fills the last m weights count, divided by their own sum.
    Differentiable through pairs and weights. Raises ValueError for other weights, and for pairs with a bias.
    """

    weights: Sequence[float] | Tensor | nn.Module

    segment = None
    softmax = linear_in_values = convex = bounded = chunkable = True
    needs_queries = False

    def __post_init__(self):
        _checked(self.beta())

    def beta(self) -> Float[Tensor, " n"]:
        """The weights as a tensor [n], oldest first."""
        weights = self.weights() if isinstance(self.weights, nn.Module) else self.weights
        if isinstance(weights, Tensor):
            return weights
        try:
            return torch.tensor([float(weight) for weight in weights], dtype=torch.float64)
        except (TypeError, ValueError):
            raise ValueError(f"WeightedAverage: weights must be numbers, oldest first, got {weights!r}") from None

    def init(self, like: KV) -> KV:
        """No pairs."""
        return like.empty()

    def update(self, mem: KV, new: KV, q: Tensor | None = None) -> KV:
        """The newest n pairs are kept: all of them are needed to go on."""
        return mem.append(plain(self, new), keep=len(self.beta()))

    def read(self, mem: KV, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, the one slot): [*b, i, e]."""
        return attend(q, self.slots(mem), lse, new)

    def slots(self, mem: KV) -> KV:
        """One pair, the weighted mean; none while nothing was seen."""
        if mem.n == 0:
            return mem
        weights = self.beta()[-mem.n :].to(single(mem.k))
        row = (weights / weights.sum())[None]
        return KV(*((row @ single(x)).to(x.dtype) for x in (mem.k, mem.v)))

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: KV | None = None):
        """All outputs at once: with one slot they are the weighted means of the values."""
        v = _before(plain(self, kv), mem)
        return _after(_banded(single(v), self.beta().to(single(v))), kv.n).to(kv.v.dtype)


@dataclass(frozen=True, eq=False)
class MovingAverage:
    """The mean of the newest `size` pairs, in one slot; while it fills, of those there are.

    >>> from memlib import recipe
    >>> recipe(MovingAverage(2), torch.zeros(3, 1))[-1]
    tensor([[0.0000, 0.5000, 0.5000]])

    What is read is one pair; what must be kept to go on is still `size` pairs. Differentiable.
    Raises ValueError for a size that is no whole number >= 1, and for pairs with a bias.
    """

    size: int

    segment = None
    softmax = linear_in_values = convex = bounded = chunkable = True
    needs_queries = False

    def __post_init__(self):
        whole("MovingAverage: size", self.size, 1)

    def init(self, like: KV) -> KV:
        """No pairs."""
        return like.empty()

    def update(self, mem: KV, new: KV, q: Tensor | None = None) -> KV:
        """The newest `size` pairs are kept: to take the oldest out of the mean one must still have it."""
        return mem.append(plain(self, new), keep=self.size)

    def read(self, mem: KV, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, the one slot): [*b, i, e]."""
        return attend(q, self.slots(mem), lse, new)

    def slots(self, mem: KV) -> KV:
        """One pair, the mean; none while nothing was seen."""
        return KV(mem.k.mean(-2, keepdim=True), mem.v.mean(-2, keepdim=True)) if mem.n else mem

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: KV | None = None):
        """All outputs at once, in blocks of `size`: what a block holds so far, and what the one before still lends."""
        v = _before(plain(self, kv), mem)
        n = v.shape[-2]
        size = max(min(self.size, n), 1)
        blocks = F.pad(single(v), (0, 0, size, -n % size)).unflatten(-2, (-1, size))
        here = running(blocks[..., 1:, :, :])  # [*b, blocks, size, e]; the first block is zeros
        lent = running(blocks[..., :-1, 1:, :].flip(-2)).flip(-2)  # sums to the block's end: nothing is subtracted
        out = here + F.pad(lent, (0, 0, 0, 1))
        out = out.flatten(-3, -2)[..., :n, :] / _places(v).clamp(max=self.size)
        return _after(out.to(kv.v.dtype), kv.n)


@dataclass(frozen=True, eq=False)
class CumulativeAverage:
    """The mean of all pairs so far, in one slot, from a sum and a count.

    >>> from memlib import recipe
    >>> recipe(CumulativeAverage(), torch.zeros(4, 1))[-1]
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])

    Exact to a few float32 digits' last place after 10^6 steps (float64 sums; float32 where the device has no
    float64). Differentiable. Raises ValueError for pairs with a bias.
    """

    segment = None
    softmax = linear_in_values = convex = bounded = chunkable = True
    needs_queries = False

    def init(self, like: KV) -> Sums:
        """Sums of nothing."""
        return _nothing(like)

    def update(self, mem: Sums, new: KV, q: Tensor | None = None) -> Sums:
        """The new pairs are added to the sum; the count grows by as many."""
        mem.like.fits(plain(self, new))
        k, v = (wide(x).sum(-2, keepdim=True) for x in (new.k, new.v))
        return Sums(mem.like, mem.k + k, mem.v + v, mem.count + new.n)

    def read(self, mem: Sums, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, the one slot): [*b, i, e]."""
        return attend(q, self.slots(mem), lse, new)

    def slots(self, mem: Sums) -> KV:
        """One pair, sum / count; none while nothing was seen."""
        if not mem.count:
            return mem.like
        return KV((mem.k / mem.count).to(mem.like.k.dtype), (mem.v / mem.count).to(mem.like.v.dtype))

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Sums | None = None):
        """All outputs at once: running sums of the values over their counts."""
        v, count = plain(self, kv).v, _places(kv.v)
        if mem is not None:
            mem.like.fits(kv)
        if mem is None:
            return (running(v) / count).to(v.dtype)
        return (running(v, mem.v) / (count + mem.count)).to(v.dtype)


@dataclass(frozen=True, eq=False)
class ExponentialAverage:
    """m <- (1 - rate) m + rate x, beginning with the first pair: each older pair counts (1 - rate) times less.

    >>> from memlib import recipe
    >>> recipe(ExponentialAverage(0.5), torch.zeros(3, 1))[-1]
    tensor([[0.2500, 0.2500, 0.5000]])

    rate: 0 < rate <= 1; about 1 / rate pairs count. Equal to pandas' ewm(alpha=rate, adjust=False).
    Differentiable. Raises ValueError for another rate, and for pairs with a bias.
    """

    rate: float

    segment = None
    softmax = linear_in_values = convex = bounded = chunkable = True
    needs_queries = False

    def __post_init__(self):
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)) or not 0 < self.rate <= 1:
            raise ValueError(f"ExponentialAverage: rate must be a number with 0 < rate <= 1, got {self.rate!r}")

    def init(self, like: KV) -> Sums:
        """Nothing seen."""
        return _nothing(like)

    def update(self, mem: Sums, new: KV, q: Tensor | None = None) -> Sums:
        """m <- (1 - rate) m + rate x for each pair in turn; the first pair is taken whole."""
        mem.like.fits(plain(self, new))
        if new.n == 0:
            return mem
        fade = (1 - self.rate) ** torch.arange(new.n, -1, -1, dtype=wide(mem.k).dtype, device=mem.k.device)  # 0^0 = 1
        share = self.rate * fade[1:]
        if not mem.count:
            share[0] = fade[1]
        k, v = (fade[0] * wide(old) + share[None] @ wide(x) for old, x in ((mem.k, new.k), (mem.v, new.v)))
        return Sums(mem.like, k, v, mem.count + new.n)

    def read(self, mem: Sums, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, the one slot): [*b, i, e]."""
        return attend(q, self.slots(mem), lse, new)

    def slots(self, mem: Sums) -> KV:
        """One pair, the average; none while nothing was seen."""
        return KV(mem.k.to(mem.like.k.dtype), mem.v.to(mem.like.v.dtype)) if mem.count else mem.like

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Sums | None = None):
        """All outputs at once: a triangle of powers within each block, the average before it carried in."""
        v, g = plain(self, kv).v, self.rate
        if mem is not None:
            mem.like.fits(kv)
        if kv.n == 0:
            return v
        low = single(v)
        carry = mem.v if mem is not None and mem.count else wide(v[..., :1, :])  # (1 - g) x_0 + g x_0 = x_0
        back = torch.arange(min(BAND, kv.n), dtype=torch.float64)
        fade = ((1 - g) ** (back + 1)).to(low)[:, None]
        powers = (g * (1 - g) ** (back[:, None] - back)).tril().to(low)
        outs = []
        for block in low.split(BAND, -2):
            n = block.shape[-2]
            inside = powers[:n, :n] @ block
            outs.append(torch.addcmul(inside, fade[:n], carry.to(low)))
            carry = wide(inside[..., -1:, :]) + (1 - g) ** n * carry
        return torch.cat(outs, -2).to(v.dtype)


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
    if n == 0:
        return v
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


def _nothing(like: KV) -> Sums:
    k, v = (wide(x.new_zeros(*x.shape[:-2], 1, x.shape[-1])) for x in (like.k, like.v))
    return Sums(like.empty(), k, v, 0)


def _checked(weights: Tensor) -> None:
    if weights.dim() != 1 or not len(weights) or not weights.is_floating_point():
        raise ValueError(
            f"WeightedAverage: weights must be floats [n], n >= 1, got {list(weights.shape)} "
            f"of {str(weights.dtype)[6:]}"
        )
    bad = ~(torch.isfinite(weights) & (weights >= 0))
    if bad.any() or not weights[-1] > 0:
        at = int(bad.nonzero()[0]) if bad.any() else len(weights) - 1
        raise ValueError(
            f"WeightedAverage: weights must be finite and >= 0, the last > 0, got {weights[at].item():g} at place {at}"
        )
