"""The ladder: means of 1, 1, 2, 2, 4, 4 ... pairs, the newest finest."""

from typing import NamedTuple

from memlib.kv import KV, join
from memlib.memory import Memory, frozen
from memlib.parts.mean_pool import MeanPool


class LadderState(NamedTuple):
    """The slots, coarsest first, and how many pairs went in."""

    slots: KV
    count: int


@frozen
class Ladder(Memory):
    """Of three slots on a level the two oldest become one of the level above.

    A binary counter: n pairs in about 2 log2 n slots, level j of means of 2^j pairs, so
    that what is older is kept coarser and nothing is dropped. A step costs O(log n d);
    a sequence is a loop over its tokens. Differentiable. Raises ValueError for pairs
    with a bias. The idea is that of log-linear attention (Guo et al. 2025, arXiv
    2506.04761).
    """

    softmax = convex = chunkable = True
    bounded = False  # it grows by a slot or two when n doubles

    @classmethod
    def at_bytes(cls, size):
        return cls()  # whatever the size

    def init(self, like):
        return LadderState(like.empty(), 0)

    def update(self, mem, new, q=None):
        for pair in new.one_by_one():
            full, rest = 0, mem.count
            while rest and rest % 2 == 0:  # levels that hold two, from the finest on
                full, rest = full + 1, rest // 2 - 1
            stay = mem.slots.n - 2 * full
            halved = MeanPool()(mem.slots[stay:], 2)
            slots = join(mem.slots[:stay], halved).append(pair)
            mem = LadderState(slots, mem.count + 1)
        return mem

    def slots(self, mem):
        return mem.slots
