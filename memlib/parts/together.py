"""What Joint and Gated have in common: the state is a tuple, one state a memory; all are updated alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from memlib.errors import kind
from memlib.kv import KV
from memlib.memory import Memory, is_memory, promises
from memlib.parts.gates import one_gate, share_of_local


class Together(Memory):
    """Several memories. Where one of them reads by segments (`segment` = n), all do: read together, then updated."""

    memories: tuple

    def agreed(self, *memories, merging: bool = False) -> tuple:
        """The memories, checked. Raises ValueError for what is no memory, and for segments of different lengths.

        merging: each must give its log-sum-exp.
        """
        name = type(self).__name__
        for memory in memories:
            if not is_memory(memory):
                raise ValueError(f"{name}: wanted memories, got {kind(memory)}")
            if merging and not promises(memory).merges:
                raise ValueError(
                    f"{name}: {memory!r} gives no log-sum-exp (no `softmax` and no `merges`), so its read "
                    "cannot go into one softmax; use Gated"
                )
        if not memories:
            raise ValueError(f"{name}: wanted at least one memory, got none")
        sizes = {size for one in memories if (size := promises(one).segment) is not None}
        if len(sizes) > 1:
            raise ValueError(f"{name}: memories that read by segments must have one length of it, got {sorted(sizes)}")
        return memories

    @property
    def segment(self) -> int | None:
        """The length of a segment, where one of them reads by segments."""
        return next((size for one in self.memories if (size := promises(one).segment) is not None), None)

    def _all(self, name: str) -> bool:
        return all(getattr(promises(memory), name) for memory in self.memories)

    def _any(self, name: str) -> bool:
        return any(getattr(promises(memory), name) for memory in self.memories)

    linear_in_values = property(lambda self: self._all("linear_in_values"))
    bounded = property(lambda self: self._all("bounded"))
    chunkable = property(lambda self: self._all("chunkable"))
    convex = property(lambda self: self._all("convex"))
    needs_queries = property(lambda self: self._any("needs_queries"))
    rows = property(lambda self: self._any("rows"))
    stop = property(lambda self: self._any("stop"))


class NearAndFar(Together):
    """Two memories, and a gate that weighs the one or the other."""

    near: Any
    far: Any
    gate_local: object
    gate_memory: object

    memories = property(lambda self: (self.near, self.far))  # type: ignore[assignment]

    def wrong(self) -> None:
        """ValueError for what is no memory, and unless there is one gate."""
        self.agreed(*self.memories)
        one_gate(self.gate_local, self.gate_memory)

    def share_local(self, q: Tensor) -> Tensor:
        """The near memory's weight for each query, before an empty side is left out."""
        return share_of_local(self.gate_local, self.gate_memory, q)


def with_lse(memory, mem, q: Tensor, new: KV | None = None) -> tuple[Tensor, Tensor]:
    """A read with its log-sum-exp; of a memory that gives none, -inf where it holds nothing, else 0."""
    also = {} if new is None else {"new": new}
    if promises(memory).merges:
        return memory.read(mem, q, lse=True, **also)
    empty = memory.slots(mem).n == 0 and new is None
    return memory.read(mem, q, **also), q.new_full(q.shape[:-1], -torch.inf if empty else 0.0)
