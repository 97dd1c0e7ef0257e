"""What Joint and Gated have in common: the state is a tuple, one state a memory; all are updated alike."""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.errors import kind
from memlib.kv import KV, join
from memlib.memory import Memory, is_memory, promises, updated


class Together(Memory):
    """Several memories. Where one of them reads by segments (`segment` = n), all do: read together, then updated."""

    memories: tuple

    def take(self, *memories, merging: bool = False) -> None:
        """Checks and keeps them. Raises ValueError for what is no memory, and for segments of different lengths.

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
        sizes = {promises(one).segment for one in memories} - {None}
        if len(sizes) > 1:
            raise ValueError(f"{name}: memories that read by segments must have one length of it, got {sorted(sizes)}")
        self.memories, self.segment = tuple(memories), sizes.pop() if sizes else None

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

    def init(self, like: KV) -> tuple:
        """Every memory empty."""
        return tuple(memory.init(like) for memory in self.memories)

    def update(self, mem: tuple, new: KV, q: Tensor | None = None) -> tuple:
        """The new pairs enter every memory; the queries go to those that ask for them."""
        return tuple(updated(one, part, new, q) for one, part in zip(self.memories, mem, strict=True))

    def slots(self, mem: tuple) -> KV:
        """The slots of all memories, the last one's first: the near memory is named first, and far pairs are older."""
        return join(*reversed([one.slots(part) for one, part in zip(self.memories, mem, strict=True)]))


def with_lse(memory, mem, q: Tensor, new: KV | None = None) -> tuple[Tensor, Tensor]:
    """A read with its log-sum-exp; of a memory that gives none, -inf where it holds nothing, else 0."""
    also = {} if new is None else {"new": new}
    if promises(memory).merges:
        return memory.read(mem, q, lse=True, **also)
    empty = memory.slots(mem).n == 0 and new is None
    return memory.read(mem, q, **also), q.new_full(q.shape[:-1], -torch.inf if empty else 0.0)
