"""The state of a running summary: sums in float64 and a whole-number count."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from memlib.kv import KV
from memlib.precision import wide


class Sums(NamedTuple):
    """k [*b, 1, d] and v [*b, 1, e] in float64, and how many pairs went in."""

    like: KV  # no pairs: the shapes, dtype and device of those that come
    k: Tensor
    v: Tensor
    count: int

    def over(self, number: int) -> KV:
        """One pair, the sums divided by a number; none while nothing was seen."""
        if not self.count:
            return self.like
        dtype = self.like.k.dtype
        return KV((self.k / number).to(dtype), (self.v / number).to(dtype))


def nothing(like: KV) -> Sums:
    """Sums of no pairs."""
    k, v = (wide(x.new_zeros(*x.shape[:-2], 1, x.shape[-1])) for x in (like.k, like.v))
    return Sums(like.empty(), k, v, 0)
