"""A memory whose states are weighed at every step, in whatever task it stands."""

from __future__ import annotations

import math

from memlib.kv import KV
from memlib.memory import updated
from memlib.state import state_bytes


class Weighed:
    """A memory whose states are weighed: `most[0]` is the largest number of bytes a head."""

    def __init__(self, memory):
        self.memory, self.most = memory, [0.0]

    def __getattr__(self, name: str):
        if name.startswith("__") or name == "memory":
            raise AttributeError(name)
        return getattr(self.memory, name)

    def init(self, like: KV):
        """As the memory itself."""
        return self.memory.init(like)

    def update(self, mem, new: KV, q=None):
        """As the memory itself; the state is weighed."""
        mem = updated(self.memory, mem, new, q)
        self.most[0] = max(self.most[0], state_bytes(mem) / math.prod(new.k.shape[:-2]))
        return mem

    def read(self, mem, q, new=None, lse: bool = False):
        """As the memory itself."""
        also = ({} if new is None else {"new": new}) | ({"lse": True} if lse else {})
        return self.memory.read(mem, q, **also)

    def slots(self, mem) -> KV:
        """As the memory itself."""
        return self.memory.slots(mem)
