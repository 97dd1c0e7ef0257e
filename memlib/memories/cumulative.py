"""The cumulative average: one slot, the mean of all pairs so far."""

from memlib.memory import Memory, frozen
from memlib.parts.sums import Sums, nothing
from memlib.precision import wide


@frozen
class CumulativeAverage(Memory):
    """Mem_t = (pair_t + t Mem_{t-1}) / (t + 1), kept as one sum and a count.

    The recursion drifts in short floats: a float64 sum (float32 where the device has no
    float64) takes its place, exact to a few last places of float32 after 10^6 steps.
    Differentiable. Raises ValueError for pairs with a bias. Xiao and Zhu 2025, arXiv
    2501.09223, section 2.3.
    """

    softmax = convex = bounded = chunkable = True

    def init(self, like):
        return nothing(like)

    def update(self, mem, new, q=None):
        k, v = (wide(x).sum(-2, keepdim=True) for x in (new.k, new.v))
        return Sums(mem.like, mem.k + k, mem.v + v, mem.count + new.n)

    def slots(self, mem):
        return mem.over(mem.count)
