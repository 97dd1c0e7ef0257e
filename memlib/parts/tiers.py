"""The step of two tiers that Hybrid and Compressive have in common: what leaves, what is made of it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from memlib.attention import attend
from memlib.kv import KV
from memlib.memory import Memory, given
from memlib.parts.mean_pool import MeanPool
from memlib.parts.pooling import pool_promises, pooled
from memlib.precision import single


def a_pool():
    """A field that takes a pool; the mean where none is given."""
    wanted = "a function pool(old, rate) such as MeanPool()"
    return given(lambda x: callable(x) and not isinstance(x, type), wanted, default_factory=MeanPool)


class HybridState(NamedTuple):
    """raw: the staging part (what is beyond `local`) and behind it the newest pairs."""

    compressed: KV
    raw: KV
    used: Tensor | None  # [*b, raw.n, 1], attention received; only for a pool that asks for it


class Tiers(NamedTuple):
    """The parts of a state by name, oldest first."""

    compressed: KV
    staging: KV
    local: KV


class TwoTiers(Memory):
    """What a memory of `local`, `compressed`, `rate` and `pool` says of itself by its pool, and its tiers by name."""

    local: int
    compressed: int
    rate: int
    pool: object
    count_bias: bool

    @property
    def linear_in_values(self) -> bool:
        """As the pool."""
        return pool_promises(self.pool).linear_in_values

    @property
    def convex(self) -> bool:
        """As the pool."""
        return pool_promises(self.pool).convex

    @property
    def needs_queries(self) -> bool:
        """As the pool."""
        return pool_promises(self.pool).needs_queries

    @property
    def chunkable(self) -> bool:
        """Not where attention is counted by the queries of a segment, all at once."""
        return self.segment is None or not self.needs_queries

    def tiers(self, mem: HybridState) -> Tiers:
        """The three parts of a state: compressed, what waits for its group, local."""
        waiting = max(mem.raw.n - self.local, 0)
        return Tiers(mem.compressed, mem.raw[:waiting], mem.raw[waiting:])

    def wrong(self) -> None:
        """ValueError where the pool was made for another rate, or a segment is longer than `local`."""
        made_for = getattr(self.pool, "rate", self.rate)
        name = type(self).__name__
        if made_for != self.rate:
            raise ValueError(f"{name}: rate is {self.rate}, but the pool was made for rate {made_for}")
        if self.segment is not None and self.segment > self.local:
            raise ValueError(f"{name}: segment must be at most local = {self.local}, got {self.segment}")


def both_empty(memory, like: KV) -> HybridState:
    """Two tiers of no pairs."""
    none = like.empty()
    return HybridState(none, like.empty(), single(none.k[..., :1]) if memory.needs_queries else None)


def leaving(memory, n) -> Any:
    """How many of n raw pairs (a number or a tensor) leave: whole groups beyond `local`.

    Each by itself where nothing is compressed.
    """
    over = (n - memory.local).clamp(min=0) if isinstance(n, Tensor) else max(n - memory.local, 0)
    step = memory.rate if memory.compressed else 1
    return over // step * step


def compress(memory, old: KV, used: Tensor | None) -> KV:
    """What the pool makes of the oldest raw pairs; nothing where nothing is stored."""
    if not memory.compressed:
        return old[:0]
    return pooled(memory.pool, old, memory.rate, None if used is None else used[..., : old.n, 0])


def counted(memory, compressed: KV) -> KV:
    """The compressed slots; with `count_bias` log(rate) is added to their scores."""
    if not memory.count_bias or not compressed.n:
        return compressed
    often = compressed.k.new_full(compressed.k.shape[:-1], math.log(memory.rate))
    return KV(
        compressed.k,
        compressed.v,
        often if compressed.bias is None else often + compressed.bias,
    )


def received(memory, mem: HybridState, q: Tensor | None, new: KV | None = None) -> HybridState:
    """The state with, in `used`, the attention that the queries q give to each raw slot; as it is without queries.

    A segment `new` takes its own part of the attention; it is not counted.
    """
    if mem.used is None or q is None:
        return mem
    if new is not None:
        mem.raw.fits(new)
    slots = memory.slots(mem)
    _, lse = attend(q, slots, lse=True, new=new)
    scores = single(q) @ single(slots.k[..., slots.n - mem.raw.n :, :]).mT * q.shape[-1] ** -0.5
    use = (scores - lse.unsqueeze(-1)).exp().sum(-2).unsqueeze(-1)
    return mem._replace(used=mem.used + (use.detach() if memory.stop else use))


def fitted(used: Tensor | None, n: int, gone: int = 0) -> Tensor | None:
    """`used` for n pairs, after the oldest `gone` have left: zeros for pairs that came since."""
    if used is None:
        return None
    used = used[..., gone:, :]
    return torch.cat([used, used.new_zeros(*used.shape[:-2], n - used.shape[-2], 1)], -2)
