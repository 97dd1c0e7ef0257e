"""The mean of each group of pairs."""

from dataclasses import dataclass

from memlib.kv import KV, pairs
from memlib.parts.pooling import groups


@dataclass(frozen=True)
class MeanPool:
    """The mean of each group of `rate` pairs, keys and values alike.

    rescale: keys are multiplied by the rate, so that they are sums. The score of a slot is then
    the SUM of its tokens' scores: a query that matches one of them, and is orthogonal to the
    others, scores as on the raw pair.

    >>> MeanPool()(KV(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [6.0]])), 2).v
    tensor([[4.]])
    """

    rescale: bool = False

    linear_in_values = convex = True
    needs_queries = False

    def __post_init__(self):
        if not isinstance(self.rescale, bool):
            raise ValueError(f"MeanPool: rescale must be True or False, got {self.rescale!r}")

    def __call__(self, old: KV, rate: int, used=None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. Raises ValueError where rate does not divide n."""
        pairs("MeanPool: old", old)
        mean = old.each(lambda x: groups(x, rate).mean(-2))
        return KV(rate * mean.k, mean.v) if self.rescale else mean
