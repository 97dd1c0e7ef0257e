"""Datastores: key-value pairs outside of a model, found again by their keys.

A store is any object with
    n                            how many pairs it holds; their ids are 0 ... n-1, in the order in which they came
    add(keys, values)            keys [N, d] and values [N, e] go in
    search(queries, k)           (scores, ids), each [*b, min(k, n)], best first: inner products, or squared distances
    pairs(ids)                   the pairs of these ids, a KV of keys [*ids, d] and values [*ids, e]
and the fields `dim` (d) and `metric`. One store serves one head.
"""

from memlib.stores.exact import METRICS, Exact, nearest

__all__ = ["METRICS", "Exact", "nearest", "open"]


def open(address: str, dim: int, metric: str = "inner product") -> Exact:
    """An empty store. address: ":memory:", the exact one, which lives as long as the program.

    dim: width of the keys. metric: "inner product" (largest first) or "dist2", the SQUARED Euclidean distance
    (smallest first). Raises ValueError for another address, metric or width.

    >>> store = open(":memory:", dim=64)
    >>> store.n
    0
    """
    if address != ":memory:":
        raise ValueError(f"open: address must be ':memory:', got {address!r}")
    return Exact(dim, metric)
