"""The exponential average: one slot, in which each older pair counts less."""

from memlib.memory import Memory, frozen, share
from memlib.parts.sums import Sums, nothing
from memlib.precision import wide


@frozen
class ExponentialAverage(Memory):
    """m <- (1 - rate) m + rate x, beginning with the first pair as it is.

    rate: 0 < rate <= 1; about 1 / rate pairs count. Equal to pandas' ewm(alpha=rate,
    adjust=False). Kept in float64. Differentiable. Raises ValueError for another rate,
    and for pairs with a bias. Xiao and Zhu 2025, arXiv 2501.09223, section 2.3.
    """

    rate: float = share(above_0=True)

    softmax = convex = bounded = chunkable = True

    def init(self, like):
        return nothing(like)

    def update(self, mem, new, q=None):
        for pair in new.one_by_one():
            g = self.rate if mem.count else 1.0
            k, v = (
                (1 - g) * mem.k + g * wide(pair.k),
                (1 - g) * mem.v + g * wide(pair.v),
            )
            mem = Sums(mem.like, k, v, mem.count + 1)
        return mem

    def slots(self, mem):
        return mem.over(1)
