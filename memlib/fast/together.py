"""Several memories over a sequence, each in its own quick form."""

from __future__ import annotations

from torch import Tensor

from memlib.attention import merge
from memlib.kv import KV
from memlib.memories.gated import Gated
from memlib.memories.joint import Joint
from memlib.memory import WHOLE, promises
from memlib.parts.gates import gated as mixed
from memlib.replay import attend_all, walked


def joint(memory: Joint, q: Tensor, kv: KV, mem: tuple | None, lse: bool):
    """Their reads, merged by the log-sum-exps. With segments it is walked."""
    if memory.segment is not None:
        return walked(memory, q, kv, mem, lse)
    both, *others = _each(memory, q, kv, mem)
    for other in others:
        both = merge(both, other)
    return both if lse else both[0]


def gated(memory: Gated, q: Tensor, kv: KV, mem: tuple | None, lse: bool):
    """Their reads, mixed by the gate. With segments, or a memory of which nobody knows when it is empty, walked."""
    known = all(promises(one).merges or promises(one).rows for one in memory.memories)
    if lse or memory.segment is not None or not known:
        return walked(memory, q, kv, mem, lse)
    return mixed(memory.share_local(q), *_each(memory, q, kv, mem))


def _each(memory, q: Tensor, kv: KV, mem: tuple | None) -> list:
    held = (None,) * len(memory.memories) if mem is None else mem
    return [_with_lse(one, q, kv, part) for one, part in zip(memory.memories, held, strict=True)]


def _with_lse(memory, q: Tensor, kv: KV, mem) -> tuple[Tensor, Tensor]:
    """All reads and their log-sum-exps; 0 for a matrix, which is never empty when it is read."""
    if promises(memory).merges:
        return attend_all(memory, q, kv, mem, lse=True)
    return attend_all(memory, q, kv, mem), q.new_zeros(q.shape[:-1])


WHOLE[Joint], WHOLE[Gated] = joint, gated
