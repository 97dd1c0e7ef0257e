"""Looking up: the k nearest pairs of the past or of a store, and the read of each query over its own."""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.attention import attend
from memlib.kv import KV
from memlib.memory import given
from memlib.precision import as_it_says, single
from memlib.stores.exact import METRICS, best_keys


def attend_each(q: Tensor, found: KV) -> tuple[Tensor, Tensor]:
    """Each query over its own pairs [*b, i, m, ...]: the read [*b, i, e] and its log-sum-exp."""
    m = found.k.shape[-2]
    if m == 0:
        return attend(
            q,
            KV(q.new_zeros(*q.shape[:-2], 0, q.shape[-1]), found.v.flatten(-3, -2)),
            lse=True,
        )
    with as_it_says(q):
        scores = (single(found.k) @ single(q).unsqueeze(-1)).squeeze(-1) * q.shape[-1] ** -0.5
        out = (torch.softmax(scores, -1).unsqueeze(-2) @ single(found.v)).squeeze(-2)
    return out.to(q.dtype), torch.logsumexp(scores, -1)


def fetched(memory, old: KV, q: Tensor) -> tuple[KV, Tensor]:
    """The k pairs of `old`, or of the memory's store, that are nearest to each query, best first; and their ids."""
    if memory.store is not None:
        return from_stores(memory.store, q, memory.k, old)
    with torch.no_grad():
        _, ids = best_keys(q, old.k, memory.k, memory.metric)
    return KV(taken(old.k, ids), taken(old.v, ids)), ids


def taken(x: Tensor, ids: Tensor) -> Tensor:
    """x [*b, n, d] at ids [*b, i, m]: [*b, i, m, d]."""
    flat = ids.flatten(-2).unsqueeze(-1).expand(*ids.shape[:-2], -1, x.shape[-1])
    return x.gather(-2, flat).unflatten(-2, ids.shape[-2:])


def a_store():
    """A field that takes a store, a list of stores, or None."""
    return given(_is_store, "one of memlib.stores, or a list of one a head", default=None)


def a_metric():
    """A field that takes the name of a metric."""
    return given(lambda x: x in METRICS, f"one of {', '.join(METRICS)}", default="inner product")


def _is_store(x) -> bool:
    """Whether x is a store (`memlib.stores`), None, or a list of stores, one a head."""
    many = x if isinstance(x, (list, tuple)) else [] if x is None else [x]
    names = ("search", "pairs")
    return not any(isinstance(one, type) or not all(callable(getattr(one, x, None)) for x in names) for one in many)


def from_stores(store, q: Tensor, k: int, like: KV) -> tuple[KV, Tensor]:
    """The k pairs that each query finds in a store, or in its head's of a list of stores; and their ids."""
    if not isinstance(store, (list, tuple)):
        return _look_up(store, q, k, like)
    if q.dim() < 3 or q.shape[-3] != len(store):
        raise ValueError(
            f"KNN: store holds {len(store)} stores, one a head, but q is {list(q.shape)}, wanted "
            f"[*b, {len(store)}, i, d]"
        )
    parts = [_look_up(one, q[..., h, :, :], k, like) for h, one in enumerate(store)]
    if len({ids.shape[-1] for _, ids in parts}) > 1:
        held = [one.n for one in store]
        raise ValueError(f"KNN: the stores of the heads must hold as many pairs, or k = {k} and more; they hold {held}")
    head = q.dim() - 3
    keys, values, ids = (torch.stack(x, head) for x in zip(*[(kv.k, kv.v, i) for kv, i in parts], strict=True))
    return KV(keys, values), ids


def _look_up(store, q: Tensor, k: int, like: KV) -> tuple[KV, Tensor]:
    _, ids = store.search(q, k)
    if not ids.shape[-1]:
        return KV(
            q.new_zeros(*ids.shape, q.shape[-1]),
            q.new_zeros(*ids.shape, like.v.shape[-1]),
        ), ids
    return store.pairs(ids), ids
