"""k-NN memory: attention over the k pairs of a datastore that are nearest to the query.

    Mem_knn(q) = the k pairs with the largest q.k (or the smallest |q - k|^2)        read: Att(q, Mem_knn(q))

Wu et al. 2022, Memorizing Transformers, arXiv 2203.08913. The datastore is the sequence's own past, or a store outside
(`memlib.stores`). On its own past a k-NN memory is top-k sparse attention, exactly; with k = N it is dense attention.
What is left out costs at most |dense - top-k| <= 2 (1 - p) max |v|, p the dense weight of what is kept.
It reads recalled pairs ONLY: `Joint(Window(n), KNN(k, n))` reads the newest n pairs beside them, and no pair twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from memlib.kv import KV, asks, attend, in_one, join, merge, plain, single, whole
from memlib.stores.exact import METRICS, nearest

BLOCK = 128  # queries handled at once by attend_all


@dataclass(frozen=True, eq=False)
class KNN:
    """The k pairs nearest to each query, each head for itself.

    >>> from memlib import view
    >>> k = torch.tensor([[9.0], [0.0], [1.0], [0.0]])
    >>> view(KNN(1, local=1), k, k)[2:]  # queries 2 and 3 find token 0, and one of those with a product of 0
    tensor([[1., 0., 0., 0.],
            [1., 0., 0., 0.]])

    k: pairs fetched for a query, >= 1; where there are fewer, all. local: the newest pairs that are never fetched,
    the current token counted (0: it may be fetched as well): as many as another memory holds beside this one.
    store: one of `memlib.stores` for all queries, or a list of them, one a head. Its pairs are read, never written,
    by the memory, and `local` leaves nothing out; without one, the state holds all pairs of the sequence.
    metric: "inner product" or "dist2" (squared distance), by which own pairs are chosen; a store brings its own.
    The read is a softmax over q.k in both cases. No gradient reaches a store.
    Cost of a step on its own past: all t keys are scored, k pairs are read. Ties: any of them.
    Raises ValueError for other sizes, for a metric that there is not, and for pairs with a bias.
    """

    k: int
    local: int = 1
    store: object = None
    metric: str = "inner product"

    segment = None
    merges = chunkable = convex = True  # merges: read gives its log-sum-exp
    softmax = rows = needs_queries = False  # not softmax: of the slots it reads k
    bounded = False  # a datastore grows

    def __post_init__(self):
        whole("KNN: k", self.k, 1)
        whole("KNN: local", self.local, 0)
        if self.metric not in METRICS:
            raise ValueError(f"KNN: metric must be one of {', '.join(METRICS)}, got {self.metric!r}")
        for store in _stores(self):
            if not callable(getattr(store, "search", None)) or not callable(getattr(store, "pairs", None)):
                raise ValueError(f"KNN: store must be one of memlib.stores, or a list of one a head, got {store!r}")

    @property
    def linear_in_values(self) -> bool:
        return self.store is None

    def init(self, like: KV) -> KV:
        """No pairs, in the shapes, dtype and device of `like`."""
        return like.empty()

    def update(self, mem: KV, new: KV, q: Tensor | None = None) -> KV:
        """The new pairs enter the datastore. With a store outside nothing is written."""
        return mem.append(plain(self, new), keep=None if self.store is None else 0)

    def read(self, mem: KV, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, its k nearest): [*b, i, e]; nothing to fetch: 0, lse -inf. `new` is read causally behind them."""
        asks("read", q, mem)
        if self.store is None and self._old(mem).n <= self.k:
            return attend(q, self._old(mem), lse, new)
        both = _attend_each(q, *self.fetch(mem, q))
        if new is not None:
            both = merge(both, attend(q, mem.empty(), lse=True, new=new))
        return both if lse else both[0]

    def fetch(self, mem: KV, q: Float[Tensor, "*b i d"]) -> tuple[KV, Tensor]:
        """The pairs that each query fetches, best first: keys [*b, i, m, d], values [*b, i, m, e]; and
        their ids [*b, i, m], m <= k. An id is the place in the sequence, or the store's own.
        """
        if self.store is not None:
            return _from_stores(self, q, mem)
        old = self._old(mem)
        with torch.no_grad():
            _, ids = nearest(q, old.k, self.k, self.metric)
        return KV(*(_take(x, ids) for x in (old.k, old.v))), ids

    def slots(self, mem: KV) -> KV:
        """All that may be fetched, oldest first; a store outside is shown by itself."""
        return self._old(mem)

    def _old(self, mem: KV) -> KV:
        return mem[: max(mem.n - self.local, 0)]

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: KV | None = None, lse: bool = False):
        """All outputs of a sequence at once, block by block: O(n^2), as dense attention."""
        if self.store is not None:
            return self.read(plain(self, kv).empty(), q, lse=lse)
        past = 0 if mem is None else mem.n
        kv = join(mem, plain(self, kv)) if past else plain(self, kv)
        place, blocks = torch.arange(kv.n, device=q.device), []
        for start in range(past, kv.n, BLOCK):
            at = place[start : start + BLOCK, None]
            part = kv[: max(min(start + BLOCK, kv.n) - self.local, 0)]
            sees, asked = place[: part.n] <= at - self.local, q[..., start - past : start - past + BLOCK, :]
            if part.n > self.k:
                with torch.no_grad():
                    sees = sees & _chosen(asked, part.k, sees, self.k, self.metric)
            blocks.append(attend(asked, part, lse, mask=sees))
        return in_one(blocks, q, kv, lse)


def _chosen(q: Tensor, keys: Tensor, sees: Tensor, k: int, metric: str) -> Tensor:
    """Which keys are among the k best that the query sees: booleans [*b, i, n]."""
    good = single(q) @ single(keys).mT
    if metric == "dist2":
        good = good - single(keys).square().sum(-1).unsqueeze(-2) / 2
    best = good.masked_fill(~sees, -torch.inf).topk(k, -1).indices
    return torch.zeros_like(good, dtype=torch.bool).scatter_(-1, best, True)


def _attend_each(q: Tensor, found: KV, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Each query over its own pairs [*b, i, m, ...]: the read [*b, i, e] and its log-sum-exp."""
    m = found.k.shape[-2]
    if m == 0:
        return attend(q, KV(q.new_zeros(*q.shape[:-2], 0, q.shape[-1]), found.v.flatten(-3, -2)), lse=True)
    scores = (single(found.k) @ single(q).unsqueeze(-1)).squeeze(-1) * q.shape[-1] ** -0.5
    out = (torch.softmax(scores, -1).unsqueeze(-2) @ single(found.v)).squeeze(-2)
    return out.to(q.dtype), torch.logsumexp(scores, -1)


def _take(x: Tensor, ids: Tensor) -> Tensor:
    """x [*b, n, d] at ids [*b, i, m]: [*b, i, m, d]."""
    flat = ids.flatten(-2).unsqueeze(-1).expand(*ids.shape[:-2], -1, x.shape[-1])
    return x.gather(-2, flat).unflatten(-2, ids.shape[-2:])


def _stores(memory: KNN) -> list:
    many = isinstance(memory.store, (list, tuple))
    return list(memory.store) if many else [] if memory.store is None else [memory.store]


def _from_stores(memory: KNN, q: Tensor, like: KV) -> tuple[KV, Tensor]:
    if not isinstance(memory.store, (list, tuple)):
        return _look_up(memory.store, q, memory.k, like)
    if q.dim() < 3 or q.shape[-3] != len(memory.store):
        raise ValueError(
            f"KNN: store holds {len(memory.store)} stores, one a head, but q is {list(q.shape)}, wanted "
            f"[*b, {len(memory.store)}, i, d]"
        )
    parts = [_look_up(store, q[..., h, :, :], memory.k, like) for h, store in enumerate(memory.store)]
    if len({ids.shape[-1] for _, ids in parts}) > 1:
        raise ValueError(
            f"KNN: the stores of the heads must hold as many pairs, or k = {memory.k} and more; they hold "
            f"{[store.n for store in memory.store]}"
        )
    head = q.dim() - 3
    k, v, ids = (torch.stack(x, head) for x in zip(*[(kv.k, kv.v, ids) for kv, ids in parts], strict=True))
    return KV(k, v), ids


def _look_up(store, q: Tensor, k: int, like: KV) -> tuple[KV, Tensor]:
    scores, ids = store.search(q, k)
    if not ids.shape[-1]:
        return KV(q.new_zeros(*ids.shape, q.shape[-1]), q.new_zeros(*ids.shape, like.v.shape[-1])), ids
    return store.pairs(ids), ids
