"""The moving average: one slot, the mean of the newest pairs."""

from memlib.memory import Memory, at_least, frozen


@frozen
class MovingAverage(Memory):
    """The mean of the newest `size` pairs, keys and values alike; while it fills, of
    those there are.

    What is read is one pair, so every query receives the same value; what must be kept
    to go on is still `size` pairs: to take the oldest out of the mean one must have it.
    Differentiable. Raises ValueError for a size that is no whole number >= 1, and for
    pairs with a bias. Xiao and Zhu 2025, arXiv 2501.09223, section 2.3.
    """

    size: int = at_least(1)

    softmax = convex = bounded = chunkable = True

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new, keep=self.size)

    def slots(self, mem):
        if mem.n == 0:
            return mem
        return mem.each(lambda x: x.mean(-2, keepdim=True))
