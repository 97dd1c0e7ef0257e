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
from memlib.kv import KV, asks, attend, causal, in_one, join, plain, single, whole

BLOCK = 128  # queries handled at once by attend_all
SMALL = 1 << 17  # numbers in the raw keys up to which one query is read quicker from a copy of all pairs in one piece


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
    compressed + (rate - 1) + local slots. A layer reaches local + rate * compressed tokens back, its own counted,
    and those that wait; each layer below begins where it ends. count_bias: log(rate) is added to the scores of
    compressed slots, as if each stood there `rate` times. Differentiable throughout, the pool included.
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
        parts, mask = [_counted(self, mem.compressed), mem.raw], None
        if new is not None:
            parts.append(new)
            mask = causal(q, mem.compressed.n + mem.raw.n, new)
        if q.shape[-2] == 1 and mem.raw.k.numel() > SMALL:
            return _beside(q, parts, lse)
        return attend(q, join(*parts), lse, mask=mask)

    def slots(self, mem: Held) -> KV:
        """What attention reads, oldest first: compressed, staging, local."""
        return join(_counted(self, mem.compressed), mem.raw) if mem.compressed.n else mem.raw

    def tiers(self, mem: Held) -> Tiers:
        """The three parts of a state."""
        waiting = max(mem.raw.n - self.local, 0)
        return Tiers(mem.compressed, mem.raw[:waiting], mem.raw[waiting:])

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Held | None = None, lse: bool = False):
        """All outputs of a sequence at once: every group is pooled once, and read block by block.

        O(n (compressed + rate + local + BLOCK)) instead of O(n^2). A pool that needs queries is walked.
        """
        if self.needs_queries:
            return _walked(self, q, kv, mem, lse)
        mem = self.init(kv) if mem is None else mem
        mem.raw.fits(plain(self, kv))
        raw = join(mem.raw, kv) if mem.raw.n else kv
        past, gone = mem.compressed, _gone(self, raw.n)
        if self.compressed and gone:
            made = pooled(self.pool, raw[:gone], self.rate)
            past = join(past, made) if past.n else made
        past, blocks = _counted(self, past), []
        place = torch.arange(max(raw.n, past.n), device=q.device)
        for start in range(mem.raw.n, raw.n, BLOCK):  # places of the block's tokens among the raw pairs
            end = min(start + BLOCK, raw.n)
            at = place[start:end, None]
            left = _gone(self, at + 1)  # raw pairs that have left when token `at` reads
            made = mem.compressed.n + left // self.rate
            begin = _gone(self, start + 1)
            first = max(mem.compressed.n + begin // self.rate - self.compressed, 0)
            last = min(mem.compressed.n + _gone(self, end) // self.rate, past.n)
            slot, token = place[first:last], place[begin:end]
            mask = torch.cat([(slot < made) & (slot >= made - self.compressed), (token <= at) & (token >= left)], -1)
            part = join(past[first:last], raw[begin:end]) if last > first else raw[begin:end]
            blocks.append(attend(q[..., start - mem.raw.n : end - mem.raw.n, :], part, lse, mask=mask))
        return in_one(blocks, q, kv, lse)


@dataclass(frozen=True, eq=False)
class Compressive:
    """The same by segments: the current segment reads [CMem, Mem] and, causally, itself; then both queues move.

    local: pairs of Mem; compressed: slots of CMem (0: Transformer-XL); rate: pairs to a slot; segment: tokens read
    at once, at most `local` (default: as many). Reach through L layers: L (local + rate * compressed) tokens
    before the segment, where that is whole segments; more where a pair waits for its group, or is read in
    mid-segment, or was made of its neighbours (a convolution), since its own segment had a past as well.
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
            new = _stopped(new)
        if self.needs_queries:
            _asked(self, new, q)
            use = _use(q, self.slots(mem), mem.raw.n, new)
            mem = mem._replace(used=mem.used + (use.detach() if self.stop else use))
        return _enter(self, mem, plain(self, new), self.stop)

    def read(self, mem: Held, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, [CMem, Mem]), and `new`, the segment of the queries, causally behind: [*b, i, e]."""
        return Hybrid.read(self, mem, q, new, lse)

    def slots(self, mem: Held) -> KV:
        """What a segment reads beside itself, oldest first: CMem, what waits, Mem."""
        return Hybrid.slots(self, mem)

    def tiers(self, mem: Held) -> Tiers:
        """CMem, what waits for its group, Mem."""
        return Hybrid.tiers(self, mem)


def _enter(memory, mem: Held, new: KV, stop: bool = False) -> Held:
    """Append, evict, compress, store, drop: the order of one update, for any number of new pairs."""
    total = mem.raw.n + new.n
    gone = _gone(memory, total)
    raw = mem.raw.append(new, keep=total - gone)
    used = None if mem.used is None else _longer(mem.used, new)
    if not gone:
        return Held(mem.compressed, raw, used)
    compressed = mem.compressed
    if memory.compressed:
        dropped = 0 if memory.needs_queries else max(gone - memory.compressed * memory.rate, 0)  # at once: not pooled
        old = _between(mem.raw, new, dropped, gone)
        made = pooled(memory.pool, old, memory.rate, None if used is None else used[..., :gone, 0])
        compressed = compressed.append(_stopped(made) if stop else made, keep=memory.compressed)
    return Held(compressed, raw, None if used is None else used[..., gone:, :])


def _gone(memory, n):
    """How many of n raw pairs (a number or a tensor) have left: whole groups; each by itself where none is stored."""
    over = (n - memory.local).clamp(min=0) if isinstance(n, Tensor) else max(n - memory.local, 0)
    step = memory.rate if memory.compressed else 1
    return over // step * step


def _between(a: KV, b: KV, start: int, end: int) -> KV:
    """The pairs start ... end - 1 of a and, behind it, b; copied only where they come from both."""
    if end <= a.n:
        return a[start:end]
    return b[start - a.n : end - a.n] if start >= a.n else join(a[start:], b[: end - a.n])


def _stopped(kv: KV) -> KV:
    return KV(kv.k.detach(), kv.v.detach(), None if kv.bias is None else kv.bias.detach())


def _counted(memory, compressed: KV) -> KV:
    if not memory.count_bias or not compressed.n:
        return compressed
    often = compressed.k.new_full(compressed.k.shape[:-1], math.log(memory.rate))
    return KV(compressed.k, compressed.v, often if compressed.bias is None else often + compressed.bias)


def _beside(q: Tensor, parts: list[KV], lse: bool):
    """Att(q, parts) for one query: the scores are laid side by side, and no key or value is copied."""
    asks("read", q, parts[0])
    parts[0].fits(parts[-1])
    scaled = (single(q) * q.shape[-1] ** -0.5).mT
    scores = [single(kv.k) @ scaled for kv in parts]  # [*b, n, 1]
    scores = [s if kv.bias is None else s + kv.bias.unsqueeze(-1) for s, kv in zip(scores, parts, strict=True)]
    scores = torch.cat(scores, -2).mT
    weights = torch.softmax(scores, -1).split([kv.n for kv in parts], -1)
    first, *rest = (w @ single(kv.v) for w, kv in zip(weights, parts, strict=True))
    out = sum(rest, first).to(q.dtype)
    return (out, torch.logsumexp(scores, -1)) if lse else out


def _use(q: Tensor, slots: KV, raw: int, new: KV | None = None) -> Tensor:
    """The attention that the queries [*b, i, d] together give to each of the newest `raw` slots: [*b, raw, 1].

    A segment `new` takes its own part of the attention; it is not counted.
    """
    _, lse = attend(q, slots, lse=True, new=new)
    scores = single(q) @ single(slots.k[..., slots.n - raw :, :]).mT * q.shape[-1] ** -0.5
    return (scores - lse.unsqueeze(-1)).exp().sum(-2).unsqueeze(-1)


def _longer(used: Tensor, new: KV) -> Tensor:
    return torch.cat([used, used.new_zeros(*used.shape[:-2], new.n, 1)], -2)


def _walked(memory, q: Tensor, kv: KV, mem: Held | None, lse: bool):
    mem, outs = memory.init(kv) if mem is None else mem, []
    for t in range(kv.n):
        q_t = q[..., t : t + 1, :]
        mem = memory.update(mem, kv[t : t + 1], q_t)
        outs.append(memory.read(mem, q_t, lse=lse))
    return in_one(outs, q, kv, lse)


def _asked(memory, new: KV, q: Tensor | None) -> None:
    if q is None or q.shape[-2] != new.n:
        got = "none" if q is None else list(q.shape)
        raise ValueError(
            f"{type(memory).__name__}: q must be the queries of the {new.n} new tokens, since "
            f"{memory.pool!r} chooses by attention; got {got}"
        )


def _checked(memory) -> None:
    name = type(memory).__name__
    whole(f"{name}: local", memory.local, 1)
    whole(f"{name}: compressed", memory.compressed, 0)
    whole(f"{name}: rate", memory.rate, 1)
    if not callable(memory.pool) or isinstance(memory.pool, type):
        raise ValueError(f"{name}: pool must be a function pool(old, rate) such as MeanPool(), got {memory.pool!r}")
    made_for = getattr(memory.pool, "rate", memory.rate)
    if made_for != memory.rate:
        raise ValueError(f"{name}: rate is {memory.rate}, but the pool was made for rate {made_for}")
    for flag in ("count_bias", "stop"):
        if not isinstance(getattr(memory, flag, True), bool):
            raise ValueError(f"{name}: {flag} must be True or False, got {getattr(memory, flag)!r}")
