"""The two tiers: a sequence in which every group is pooled once, a read without a copy, a prompt in one update."""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.attention import asks, attend, causal, in_one
from memlib.kv import KV, join
from memlib.memories.compressive import Compressive
from memlib.memories.hybrid import Hybrid
from memlib.memory import READS, UPDATES, WHOLE
from memlib.parts.pooling import pooled
from memlib.parts.tiers import HybridState, counted, fitted, leaving, received
from memlib.precision import as_it_says, single
from memlib.replay import walked

BLOCK = 128  # queries handled at once
SMALL = 1 << 17  # numbers in the raw keys up to which one query is read quicker from a copy of all pairs in one piece


def whole(memory: Hybrid, q: Tensor, kv: KV, mem: HybridState | None, lse: bool):
    """O(n (compressed + rate + local + BLOCK)) instead of O(n^2). A pool that needs queries is walked."""
    if memory.needs_queries:
        return walked(memory, q, kv, mem, lse)
    mem = memory.init(kv) if mem is None else mem
    raw = join(mem.raw, kv)
    past, gone = mem.compressed, leaving(memory, raw.n)
    if memory.compressed and gone:
        past = join(past, pooled(memory.pool, raw[:gone], memory.rate))
    past, blocks = counted(memory, past), []
    place = torch.arange(max(raw.n, past.n), device=q.device)
    for start in range(mem.raw.n, raw.n, BLOCK):  # places of the block's tokens among the raw pairs
        end = min(start + BLOCK, raw.n)
        at = place[start:end, None]
        left = leaving(memory, at + 1)  # raw pairs that have left when token `at` reads
        made = mem.compressed.n + left // memory.rate
        begin = leaving(memory, start + 1)
        first = max(mem.compressed.n + begin // memory.rate - memory.compressed, 0)
        last = min(mem.compressed.n + leaving(memory, end) // memory.rate, past.n)
        slot, token = place[first:last], place[begin:end]
        mask = torch.cat([(slot < made) & (slot >= made - memory.compressed), (token <= at) & (token >= left)], -1)
        part = join(past[first:last], raw[begin:end]) if last > first else raw[begin:end]
        blocks.append(attend(q[..., start - mem.raw.n : end - mem.raw.n, :], part, lse, mask=mask))
    return in_one(blocks, q, kv, lse)


def read(memory, mem: HybridState, q: Tensor, new: KV | None, lse: bool):
    """One query over long tiers: the scores are laid side by side, and no key or value is copied."""
    if mem.compressed.n == 0:
        return attend(q, mem.raw, lse, new)
    parts = [counted(memory, mem.compressed), mem.raw, *([] if new is None else [new])]
    if q.shape[-2] == 1 and mem.raw.k.numel() > SMALL:
        return _beside(q, parts, lse)
    mask = None if new is None else causal(q, mem.compressed.n + mem.raw.n, new)
    return attend(q, join(*parts), lse, mask=mask)


def update(memory, mem: HybridState, new: KV, q: Tensor | None) -> HybridState:
    """Many pairs: what would be dropped at once is not pooled, and no buffer outlives its pairs."""
    if q is not None and memory.needs_queries and memory.segment is None:
        for t, pair in enumerate(new.one_by_one()):
            mem = memory.update(mem, pair, q[..., t : t + 1, :])
        return mem
    mem = received(memory, mem, q, new)
    new = new.detach() if memory.stop else new
    gone = leaving(memory, mem.raw.n + new.n)
    raw = mem.raw.append(new, keep=mem.raw.n + new.n - gone)
    used, compressed = fitted(mem.used, raw.n, gone), mem.compressed
    if gone and memory.compressed:
        dropped = 0 if memory.needs_queries else max(gone - memory.compressed * memory.rate, 0)
        every = fitted(mem.used, mem.raw.n + new.n)
        received_by = None if every is None else every[..., :gone, 0]
        made = pooled(memory.pool, _between(mem.raw, new, dropped, gone), memory.rate, received_by)
        compressed = compressed.append(made.detach() if memory.stop else made, keep=memory.compressed)
    return HybridState(compressed, raw, used)


def _between(a: KV, b: KV, start: int, end: int) -> KV:
    """The pairs start ... end - 1 of a and, behind it, b; copied only where they come from both."""
    return join(a[min(start, a.n) : min(end, a.n)], b[max(start - a.n, 0) : max(end - a.n, 0)])


def _beside(q: Tensor, parts: list[KV], lse: bool):
    asks("read", q, parts[0])
    parts[0].fits(parts[-1])
    with as_it_says(q):
        scaled = (single(q) * q.shape[-1] ** -0.5).mT
        scores = [single(kv.k) @ scaled for kv in parts]  # [*b, n, 1]
        scores = [s if kv.bias is None else s + kv.bias.unsqueeze(-1) for s, kv in zip(scores, parts, strict=True)]
        scores = torch.cat(scores, -2).mT
        weights = torch.softmax(scores, -1).split([kv.n for kv in parts], -1)
        first, *rest = (w @ single(kv.v) for w, kv in zip(weights, parts, strict=True))
    out = sum(rest, first).to(q.dtype)
    return (out, torch.logsumexp(scores, -1)) if lse else out


WHOLE[Hybrid] = whole
for one in (Hybrid, Compressive):
    READS[one], UPDATES[one] = read, update
