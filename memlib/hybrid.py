"""Two tiers: the newest pairs raw, older ones compressed `rate` to one.

    token by token (Hybrid)     append, evict the oldest, compress, store, drop the oldest compressed; read
    by segments (Compressive)   read Att(q, [CMem, Mem, S_kv]); Mem = FIFO(S_kv, Mem); CMem = FIFO(f_c(popped), CMem)

Hybrid cache: Xiao and Zhu 2025, arXiv 2501.09223, section 2.3. Compressive Transformer: Rae et al. 2019,
arXiv 1911.05507, Algorithm 1; without a compressed tier it is Transformer-XL (Dai et al. 2019, arXiv 1901.02860).
Only whole groups of `rate` pairs are compressed: what is evicted waits raw, and is still read, until its group
is whole (the staging part, at most rate - 1 pairs). So floor(evicted / rate) slots exist and nothing is lost
before the compressed tier is full. (The paper floors and drops the rest.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memlib.compress import MeanPool, pooled
from memlib.kv import KV, attend, join, merge, plain, single, whole

BLOCK = 128  # queries handled at once by attend_all


class Held(NamedTuple):
    """State of a hybrid cache. raw: the staging part (what is beyond `local`) and behind it the newest pairs."""

    compressed: KV
    raw: KV
    used: Tensor | None  # [*b, raw.n, 1], attention received; only for a pool that asks for it


class Tiers(NamedTuple):
    """The parts of a state by name, oldest first."""

    compressed: KV
    staging: KV
    local: KV


@dataclass(frozen=True, eq=False)
class Hybrid:
    """The newest `local` pairs raw; what they evict goes through `pool`, and `compressed` slots of it are kept.

    >>> from memlib import recipe
    >>> recipe(Hybrid(2, 1, rate=2), torch.zeros(5, 1))[-1]  # slots x tokens: 0 and 1 pooled, 2 waits, 3 and 4 raw
    tensor([[0.5000, 0.5000, 0.0000, 0.0000, 0.0000],
            [0.0000, 0.0000, 1.0000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.0000, 1.0000, 0.0000],
            [0.0000, 0.0000, 0.0000, 0.0000, 1.0000]])

    local >= 1 pairs, compressed >= 0 slots (0: a plain window), rate >= 1 pairs to a slot; a state reads at most
    compressed + (rate - 1) + local slots. count_bias: log(rate) is added to the scores of compressed slots, as if
    each stood there `rate` times. Differentiable throughout, the pool included.
    Raises ValueError for other sizes, and for pairs with a bias.
    """

    local: int
    compressed: int
    rate: int
    pool: object = field(default_factory=MeanPool)
    count_bias: bool = False

    segment = None
    softmax = bounded = chunkable = True

    def __post_init__(self):
        _checked(self)

    @property
    def linear_in_values(self) -> bool:
        return getattr(self.pool, "linear_in_values", True)

    @property
    def convex(self) -> bool:
        return getattr(self.pool, "convex", True)

    @property
    def needs_queries(self) -> bool:
        return getattr(self.pool, "needs_queries", False)

    def init(self, like: KV) -> Held:
        """Both tiers empty."""
        none = like.empty()
        return Held(none, like.empty(), single(none.k[..., :1]) if self.needs_queries else None)

    def update(self, mem: Held, new: KV, q: Tensor | None = None) -> Held:
        """The new pairs enter, whole groups of what is beyond `local` are compressed, the oldest slots are dropped."""
        if not self.needs_queries:
            return _enter(self, mem, plain(self, new))
        _asked(self, new, q)
        for t in range(new.n):  # a token's query uses what is there after its own pair has entered
            mem = _enter(self, mem, plain(self, new[t : t + 1]))
            mem = mem._replace(used=mem.used + _use(q[..., t : t + 1, :], self.slots(mem), mem.raw.n))
        return mem

    def read(self, mem: Held, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, [compressed, staging, local]): [*b, i, e]."""
        if mem.compressed.n == 0:
            return attend(q, mem.raw, lse, new)
        if new is not None:
            return attend(q, self.slots(mem), lse, new)
        both = merge(attend(q, _counted(self, mem.compressed), lse=True), attend(q, mem.raw, lse=True))
        return both if lse else both[0]

    def slots(self, mem: Held) -> KV:
        """What attention reads, oldest first: compressed, staging, local."""
        return join(_counted(self, mem.compressed), mem.raw) if mem.compressed.n else mem.raw

    def tiers(self, mem: Held) -> Tiers:
        """The three parts of a state."""
        waiting = max(mem.raw.n - self.local, 0)
        return Tiers(mem.compressed, mem.raw[:waiting], mem.raw[waiting:])

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Held | None = None):
        """All outputs of a sequence at once: every group is pooled once, and read block by block.

        O(n (compressed + rate + local + BLOCK)) instead of O(n^2). A pool that needs queries is walked.
        """
        if self.needs_queries:
            return _walked(self, q, kv, mem)
        raw = plain(self, kv) if mem is None or mem.raw.n == 0 else join(mem.raw, plain(self, kv))
        before = kv.empty() if mem is None else mem.compressed
        groups = _groups(self, raw.n) if self.compressed else 0
        made = pooled(self.pool, raw[: groups * self.rate], self.rate) if groups else kv.empty()
        past = _counted(self, join(before, made) if before.n else made)
        first, blocks = raw.n - kv.n, []  # place of the first query among the raw pairs
        place = torch.arange(max(raw.n, past.n), device=q.device)
        for start in range(0, kv.n, BLOCK):
            at = place[first + start : first + start + BLOCK]
            pooled_by = _groups(self, at + 1)  # groups that are compressed when token `at` reads
            low_raw, high = int(pooled_by[0]) * self.rate, int(at[-1]) + 1
            if not self.compressed:
                low_raw, pooled_by = max(int(at[0]) + 1 - self.local, 0), torch.zeros_like(at)
            top = before.n + int(pooled_by[-1])
            low = max(before.n + int(pooled_by[0]) - self.compressed, 0)
            slot, token = place[low:top], place[low_raw:high]
            gone = pooled_by * self.rate if self.compressed else at + 1 - self.local
            end = (before.n + pooled_by)[:, None]
            mask = torch.cat([(slot < end) & (slot >= end - self.compressed),
                              (token <= at[:, None]) & (token >= gone[:, None])], -1)  # fmt: skip
            part = join(past[low:top], raw[low_raw:high]) if top > low else raw[low_raw:high]
            blocks.append(attend(q[..., start : start + BLOCK, :], part, mask=mask))
        return torch.cat(blocks, -2) if blocks else q.new_zeros(*q.shape[:-1], kv.v.shape[-1])


@dataclass(frozen=True, eq=False)
class Compressive:
    """The same by segments: the current segment reads [CMem, Mem] and, causally, itself; then both queues move.

    local: pairs of Mem; compressed: slots of CMem (0: Transformer-XL); rate: pairs to a slot; segment: tokens read
    at once, at most `local` (default: as many). Reach through L layers: L (local + rate * compressed) tokens
    before the segment, and what waits for its group.
    stop: what is stored gets no gradient, and neither does the pool (as in the paper, where the losses of
    `memlib.compress` train it); False: back-propagation through time.
    Raises ValueError for other sizes, and for pairs with a bias.

    >>> from memlib import states
    >>> [mem.compressed.n for mem in states(Compressive(4, 8, 2), KV(torch.zeros(16, 1), torch.zeros(16, 1)))]
    [0, 2, 4, 6]
    """

    local: int
    compressed: int
    rate: int
    pool: object = field(default_factory=MeanPool)
    segment: int | None = None
    count_bias: bool = False
    stop: bool = True

    softmax = bounded = chunkable = True
    linear_in_values, convex, needs_queries = Hybrid.linear_in_values, Hybrid.convex, Hybrid.needs_queries

    def __post_init__(self):
        _checked(self)
        if self.segment is None:
            object.__setattr__(self, "segment", self.local)
        whole("Compressive: segment", self.segment, 1)
        if self.segment > self.local:
            raise ValueError(f"Compressive: segment must be at most local = {self.local}, got {self.segment}")

    def init(self, like: KV) -> Held:
        """Both queues empty."""
        return Hybrid.init(self, like)

    def update(self, mem: Held, new: KV, q: Tensor | None = None) -> Held:
        """The segment enters Mem; what Mem pops is compressed into CMem; CMem drops its oldest."""
        if self.stop:
            new = KV(new.k.detach(), new.v.detach(), new.bias)
        if self.needs_queries:
            _asked(self, new, q)
            use = _use(q, self.slots(mem), mem.raw.n, new)
            mem = mem._replace(used=mem.used + (use.detach() if self.stop else use))
        mem = _enter(self, mem, plain(self, new))
        if self.stop and mem.compressed.k.requires_grad:
            mem = mem._replace(compressed=KV(mem.compressed.k.detach(), mem.compressed.v.detach()))
        return mem

    def read(self, mem: Held, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, [CMem, Mem]), and `new`, the segment of the queries, causally behind: [*b, i, e]."""
        return Hybrid.read(self, mem, q, new, lse)

    def slots(self, mem: Held) -> KV:
        """What a segment reads beside itself, oldest first: CMem, what waits, Mem."""
        return Hybrid.slots(self, mem)

    def tiers(self, mem: Held) -> Tiers:
        """CMem, what waits for its group, Mem."""
        return Hybrid.tiers(self, mem)


def _enter(memory, mem: Held, new: KV) -> Held:
    """Append, evict, compress, store, drop: the order of one update, for any number of new pairs."""
    if not memory.compressed:
        used = None if mem.used is None else _longer(mem.used, new)[..., -memory.local :, :]
        return mem._replace(raw=mem.raw.append(new, keep=memory.local), used=used)
    raw = mem.raw.append(new)
    used = None if mem.used is None else _longer(mem.used, new)
    groups = _groups(memory, raw.n)
    if not groups:
        return Held(mem.compressed, raw, used)
    whole_groups = groups * memory.rate
    old = raw[:whole_groups]
    if groups > memory.compressed and not memory.needs_queries:  # would be dropped at once
        old = old[-memory.compressed * memory.rate :]
    made = pooled(memory.pool, old, memory.rate, None if used is None else used[..., :whole_groups, 0])
    compressed = mem.compressed.append(made, keep=memory.compressed)
    return Held(compressed, raw[whole_groups:], None if used is None else used[..., whole_groups:, :])


def _groups(memory, n):
    """How many whole groups are evicted when n raw pairs (a number or a tensor) are there."""
    over = n - memory.local
    return (over.clamp(min=0) if isinstance(over, Tensor) else max(over, 0)) // memory.rate


def _counted(memory, compressed: KV) -> KV:
    if not memory.count_bias or not compressed.n:
        return compressed
    return KV(compressed.k, compressed.v, compressed.k.new_full(compressed.k.shape[:-1], math.log(memory.rate)))


def _use(q: Tensor, slots: KV, raw: int, new: KV | None = None) -> Tensor:
    """The attention that the queries [*b, i, d] together give to each of the newest `raw` slots: [*b, raw, 1]."""
    if not raw:
        return single(slots.k[..., :0, :1])
    one_hot = torch.eye(slots.n, dtype=slots.k.dtype, device=slots.k.device).expand(*slots.k.shape[:-1], -1)
    if new is not None:  # the segment itself takes its part of the attention; it is not counted
        new = KV(new.k, one_hot.new_zeros(*new.k.shape[:-1], slots.n))
    weights = attend(q, KV(slots.k, one_hot, slots.bias), new=new)
    return single(weights).sum(-2)[..., slots.n - raw :, None]


def _longer(used: Tensor, new: KV) -> Tensor:
    return torch.cat([used, used.new_zeros(*used.shape[:-2], new.n, 1)], -2)


def _walked(memory, q: Tensor, kv: KV, mem: Held | None) -> Tensor:
    mem, outs = memory.init(kv) if mem is None else mem, []
    for t in range(kv.n):
        q_t = q[..., t : t + 1, :]
        mem = memory.update(mem, kv[t : t + 1], q_t)
        outs.append(memory.read(mem, q_t))
    return torch.cat(outs, -2) if outs else q.new_zeros(*q.shape[:-1], kv.v.shape[-1])


def _asked(memory, new: KV, q: Tensor | None) -> None:
    if q is None or q.shape[-2] != new.n:
        got = "none" if q is None else list(q.shape)
        raise ValueError(f"{type(memory).__name__}: q must be the queries of the {new.n} new tokens, since "
                         f"{memory.pool!r} chooses by attention; got {got}")  # fmt: skip


def _checked(memory) -> None:
    name = type(memory).__name__
    whole(f"{name}: local", memory.local, 1)
    whole(f"{name}: compressed", memory.compressed, 0)
    whole(f"{name}: rate", memory.rate, 1)
    if not callable(memory.pool):
        raise ValueError(f"{name}: pool must be a function pool(old, rate) such as MeanPool(), got {memory.pool!r}")
    made_for = getattr(memory.pool, "rate", memory.rate)
    if made_for != memory.rate:
        raise ValueError(f"{name}: rate is {memory.rate}, but the pool was made for rate {made_for}")
