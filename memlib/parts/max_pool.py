"""The largest of each number over a group of pairs."""

from dataclasses import dataclass

from memlib.kv import KV, pairs
from memlib.parts.pooling import groups


@dataclass(frozen=True)
class MaxPool:
    """The largest of each number over each group of `rate` pairs: no mixture of tokens."""

    linear_in_values = convex = needs_queries = False

    def __call__(self, old: KV, rate: int, used=None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. Raises ValueError where rate does not divide n."""
        pairs("MaxPool: old", old)
        return old.each(lambda x: groups(x, rate).amax(-2))
