"""The window: a sequence in blocks, and a read with sinks that copies nothing."""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.attention import attend, in_one, merge
from memlib.kv import KV, join
from memlib.memories.window import Window
from memlib.memory import READS, STEPS, WHOLE
from memlib.parts.states import WindowState

BLOCK = 128  # queries handled at once


def whole(memory: Window, q: Tensor, kv: KV, mem: WindowState | None, lse: bool):
    """Block by block: O(n (size + BLOCK)) instead of O(n^2)."""
    past = memory.slots(mem) if mem is not None else kv.empty()
    s = min(memory.sinks, past.n + kv.n)
    kv = join(past, kv)
    place = torch.arange(kv.n, device=q.device)  # place in the slots and the sequence behind them
    blocks = []
    for start in range(0, q.shape[-2], BLOCK):
        at = place[past.n + start : past.n + start + BLOCK]
        end = past.n + start + len(at)
        low = max(past.n + start - memory.size + 1, s)
        see = torch.cat([place[:s], place[low:end]])
        mask = (see <= at[:, None]) & ((see > at[:, None] - memory.size) | (see < s))
        part = kv[see] if s else kv[low:end]
        blocks.append(attend(q[..., start : start + BLOCK, :], part, lse, mask=mask))
    return in_one(blocks, q, kv, lse)


def read(memory: Window, mem: WindowState, q: Tensor, new: KV | None, lse: bool):
    """With sinks two reads, merged by their log-sum-exps."""
    if mem.first.n == 0:
        return attend(q, mem.newest, lse, new)
    if new is not None:
        return attend(q, memory.slots(mem), lse, new)
    both = merge(attend(q, mem.first, lse=True), attend(q, mem.newest, lse=True))
    return both if lse else both[0]


def step(memory: Window, mem: WindowState, new: KV, q: Tensor | None) -> WindowState:
    """One pair among the first, while there are too few, else behind the newest."""
    first, newest = mem
    if memory.sinks and first.n < memory.sinks:
        return WindowState(first.append(new), newest.append(new[1:], memory.size))
    return WindowState(first, newest.append(new, memory.size))


STEPS[Window] = step
WHOLE[Window], READS[Window] = whole, read
