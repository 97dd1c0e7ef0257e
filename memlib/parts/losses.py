"""The losses that train a pool: what it must be able to give back, or what is asked of it.

    auto-encoding             | old - g(f_c(old)) |^2
    attention reconstruction  | Att(q, old) - Att(q, f_c(old)) |^2

Rae et al. 2019, arXiv 1911.05507, section 4.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memlib.attention import attend
from memlib.errors import floats, function
from memlib.kv import KV, pairs
from memlib.parts.pooling import LearnedPool, pooled
from memlib.precision import single


class Unpool(LearnedPool):
    """The way back for `auto_encoding`: from each pooled pair `rate` pairs, by a linear map each for k and v."""

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__(rate, width, value_width)
        self.k, self.v = (nn.Linear(d, rate * d, bias=False) for d in self.widths)
        for one, d in zip((self.k, self.v), self.widths, strict=True):
            one.weight.data = torch.eye(d).repeat(rate, 1)

    def forward(self, new: KV) -> KV:
        """[*b, m, .] -> [*b, m * rate, .]. Raises ValueError for pairs of other widths."""
        k, v = self.fitting(new, self.rate)
        made = (x.unflatten(-1, (self.rate, -1)).flatten(-3, -2) for x in (self.k(k), self.v(v)))
        return KV(*(x.to(new.k.dtype) for x in made))


def _stopped(name: str, pool, old: KV) -> KV:
    """`old` without its history; TypeError for what are no pairs or no pool."""
    function(f"{name}: pool", pool)
    pairs(f"{name}: old", old)
    return old.detach()


def auto_encoding(pool, back: nn.Module, old: KV, rate: int) -> Tensor:
    """Mean of | old - back(pool(old)) |^2 over keys and values: a number. `old` gets no gradient.

    It keeps what was there, whether or not anybody will ask for it.
    """
    old = _stopped("auto_encoding", pool, old)
    function("auto_encoding: back", back)
    again = back(pooled(pool, old, rate))
    if not isinstance(again, KV) or again.k.shape != old.k.shape or again.v.shape != old.v.shape:
        raise ValueError(f"auto_encoding: back must make of the slots again {old!r}, got {again!r}")
    return (single(old.k) - single(again.k)).square().mean() + (single(old.v) - single(again.v)).square().mean()


def attention_reconstruction(pool, q: Float[Tensor, "*b i d"], old: KV, rate: int) -> Tensor:
    """Mean of | Att(q, old) - Att(q, pool(old)) |^2: a number. Neither q nor `old` gets a gradient, only the pool.

    It keeps what queries ask for and lets the rest go. q: the queries of the segment that was read while `old`
    was still raw. The paper compares by content only: hand over keys and queries that carry no positions.
    """
    q, old = floats("attention_reconstruction: q", q).detach(), _stopped("attention_reconstruction", pool, old)
    return (single(attend(q, old)) - single(attend(q, pooled(pool, old, rate)))).square().mean()
