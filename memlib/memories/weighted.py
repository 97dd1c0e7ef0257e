"""The weighted average: one slot, a weighted mean of the newest pairs."""

from memlib.memory import Memory, frozen
from memlib.parts.weights import are_weights, as_weights


@frozen
class WeightedAverage(Memory):
    """sum_j w_j pair_j / sum_j w_j over the newest pairs, one for each weight.

    weights: OLDEST first, the last one the current's; numbers or a tensor [n], >= 0,
    the last > 0, or a module that gives them, such as `Positive(n)`. Keys and values
    share them. While it fills the last m weights count, divided by their own sum.
    Differentiable through pairs and weights. Raises ValueError for other weights, and
    for pairs with a bias. arXiv 2501.09223, section 2.3.
    """

    weights: object

    softmax = convex = bounded = chunkable = True

    def wrong(self):
        are_weights(as_weights(self.weights))

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new, keep=len(as_weights(self.weights)))

    def slots(self, mem):
        if mem.n == 0:
            return mem
        weights = as_weights(self.weights)[-mem.n :]
        return mem.each(lambda x: (weights / weights.sum()).to(x)[None] @ x)
