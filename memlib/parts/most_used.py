"""Of the pairs those that received most attention."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from memlib.errors import kind
from memlib.kv import KV, pairs
from memlib.parts.pooling import groups


@dataclass(frozen=True)
class MostUsed:
    """Of every n pairs the n / rate that received most attention, in their order; of equals the older.

    `used` [*b, n]: the attention each pair has received while it was kept raw; per row and head. In `Hybrid` a
    sequence is then a loop over its tokens, some sixty launches each on a GPU; `Compressive` loops over segments.
    """

    linear_in_values = convex = needs_queries = True

    def __call__(self, old: KV, rate: int, used: Tensor | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. ValueError where rate does not divide n, or without `used`."""
        pairs("MostUsed: old", old)
        groups(old.k, rate)
        if not isinstance(used, Tensor) or used.shape != old.k.shape[:-1]:
            wanted = list(old.k.shape[:-1])
            raise ValueError(f"MostUsed: used must be the attention received, {wanted}, got {kind(used)}")
        order = used.argsort(dim=-1, descending=True, stable=True)
        return old.take(order[..., : old.n // rate].sort(-1).values)
