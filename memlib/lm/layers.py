"""The parts of the transformer: turning by position, the short convolution, one block.

Rotary positions: Su et al. 2021, arXiv 2104.09864; only a share of each key is turned (Black et al. 2022,
arXiv 2204.06745), so that the rest can be matched at any distance, trained or not. The short causal
convolution on q, k and v lets one layer see byte pairs (So et al. 2021, arXiv 2109.08668); it reaches
`conv - 1` bytes back by itself, past any memory, in every layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from memlib.attention import attend
from memlib.kv import KV
from memlib.memory import promises, updated

BASE = 10000.0  # of the rotary frequencies


def turns(places: Tensor, width: int, dtype: torch.dtype, share: float = 1.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [n, width / 2], for keys of `width` at the whole-number `places` [n].

    share: of the width / 2 pairs, the fastest that are turned; the others stand still.
    """
    speed = BASE ** (-torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width)
    speed[round(share * len(speed)) :] = 0
    angle = places.cpu().double()[:, None] * speed  # in float64: a stream may be 10^8 bytes long
    return angle.cos().to(dtype).to(places.device), angle.sin().to(dtype).to(places.device)


def turn(x: Float[Tensor, "*b n d"], by: tuple[Tensor, Tensor]) -> Tensor:
    """Each pair (x_i, x_{i + d/2}) turned in its plane by its angle. Keeps lengths; q.k depends on i - j only."""
    a, b = x.chunk(2, -1)
    cos, sin = by
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Block(nn.Module):
    """Attention over a memory, then a feed-forward net, each added to its input; normed first."""

    def __init__(self, dim: int, heads: int, conv: int, layers: int):
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = nn.RMSNorm(dim), nn.RMSNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.conv = nn.Parameter(torch.empty(conv, 3 * dim).uniform_(-0.5, 0.5))
        self.out = nn.Linear(dim, dim, bias=False)
        self.up, self.down = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(4 * dim, dim, bias=False)
        for linear in (self.qkv, self.out, self.up, self.down):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
        for linear in (self.out, self.down):
            linear.weight.data.mul_((2 * layers) ** -0.5)

    def tail(self, batch: int) -> Tensor:
        """What the convolution has seen before the first byte: [batch, conv - 1, 3 dim] of zeros."""
        return self.conv.new_zeros(batch, self.conv.shape[0] - 1, self.conv.shape[1])

    def heads_of(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """q, k, v, each [b, heads, t, d], of x [b, t, dim]; and the tail for the bytes after these."""
        taps = self.conv.shape[0]
        past = torch.cat([tail.to(x.dtype), self.qkv(self.norm(x))], 1)
        kernel = self.conv.T[:, None, None].to(past.dtype)  # [3 dim, 1, 1, taps]
        mixed = F.conv2d(past.transpose(1, 2).unsqueeze(2), kernel, groups=len(kernel)).squeeze(2).transpose(1, 2)
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in mixed.chunk(3, -1))
        return q, k, v, past[:, past.shape[1] - taps + 1 :].clone()  # a view would keep all of past alive

    def add(self, x: Tensor, read: Tensor) -> Tensor:
        """x [b, t, dim] with what was read [b, heads, t, d] added, then the feed-forward net."""
        x = x + self.out(read.transpose(1, 2).flatten(-2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def _its(promise: str) -> Any:
    return property(lambda self: getattr(promises(self.memory), promise))


@dataclass(frozen=True, eq=False)
class InCache:
    """A memory whose slots are turned by their place in it when they are read (StreamingLLM, section 3.2).

    Places 0 ... m-1 for the m slots, oldest first; a query stands at the last place, and pairs of the
    current segment (`new`) stand behind the slots. Xiao et al. 2023, arXiv 2309.17453.
    """

    memory: Any
    share: float = 1.0  # of the key's pairs that are turned

    def __post_init__(self):
        if not promises(self.memory).softmax:
            raise ValueError(
                f"positions='cache' wants a memory whose read is a softmax over its slots "
                f"(softmax = True), got {self.memory!r}: use 'absolute' or 'none'"
            )

    segment, needs_queries, linear_in_values, stop = map(_its, ("segment", "needs_queries", "linear_in_values", "stop"))

    def init(self, like: KV):
        return self.memory.init(like)

    def update(self, mem, new: KV, q: Tensor | None = None):
        return updated(self.memory, mem, new, q)

    def slots(self, mem) -> KV:
        return self.memory.slots(mem)

    def read(self, mem, q: Tensor, new: KV | None = None, lse: bool = False):
        slots = self.memory.slots(mem)
        m, n = slots.n, 0 if new is None else new.n
        places = torch.arange(max(m + n, 1), device=q.device)
        cos, sin = turns(places, q.shape[-1], q.dtype, self.share)
        last = (cos[m:], sin[m:]) if n else (cos[-1:], sin[-1:])
        here = KV(turn(slots.k, (cos[:m], sin[:m])), slots.v, slots.bias)
        behind = None if new is None else KV(turn(new.k, last), new.v, new.bias)
        return attend(turn(q, last), here, lse, behind)
