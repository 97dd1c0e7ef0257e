"""k-NN memory: attention over the pairs of a datastore nearest to the query."""

from dataclasses import dataclass

import torch

from memlib.attention import asks, attend, merge
from memlib.kv import KV
from memlib.memory import Memory, at_least, given
from memlib.parts.lookup import attend_each, from_stores, is_store, taken
from memlib.stores.exact import METRICS, nearest


@dataclass(frozen=True, eq=False)
class KNN(Memory):
    """Att(q, Mem_knn(q)), Mem_knn(q) = the k pairs with the largest q.k, each head for
    itself.

    k >= 1 (all, where there are fewer). local >= 0: the newest pairs, the current one
    counted, that are never fetched: as many as a memory beside this one holds
    (`Joint(Window(n), KNN(k, n))`). store: one of `memlib.stores`, or a list, one a
    head: read, never written; without one the state holds all pairs of the sequence.
    metric: "inner product" or "dist2", for own pairs. The read is a softmax over q.k in
    both. No gradient reaches a store. A step scores all t keys and reads k pairs. With
    k = N it is dense attention; what is left out costs at most 2 (1 - p) max |v|, p the
    dense weight of what is kept. Raises ValueError for other sizes and metrics, and for
    pairs with a bias. Wu et al. 2022, Memorizing Transformers, arXiv 2203.08913.
    """

    k: int = at_least(1)
    local: int = at_least(0, default=1)
    store: object = given(
        is_store, "one of memlib.stores, or a list of one a head", default=None
    )
    metric: str = given(
        lambda x: x in METRICS, f"one of {', '.join(METRICS)}", default="inner product"
    )

    merges = chunkable = convex = True
    softmax = bounded = False  # of its slots it reads k; a datastore grows

    @property
    def linear_in_values(self):
        return self.store is None

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new, keep=None if self.store is None else 0)

    def read(self, mem, q, new=None, lse=False):
        asks("read", q, mem)
        if self.store is None and self.slots(mem).n <= self.k:
            return attend(q, self.slots(mem), lse, new)
        both = attend_each(q, self.fetch(mem, q)[0])
        if new is not None:
            both = merge(both, attend(q, mem.empty(), lse=True, new=new))
        return both if lse else both[0]

    def fetch(self, mem: KV, q):
        """The pairs that each query fetches, best first: keys [*b, i, m, d], values
        [*b, i, m, e]; and their ids [*b, i, m], m <= k. An id is the place in the
        sequence, or the store's own.
        """
        if self.store is not None:
            return from_stores(self.store, q, self.k, mem)
        old = self.slots(mem)
        with torch.no_grad():
            _, ids = nearest(q, old.k, self.k, self.metric)
        return KV(taken(old.k, ids), taken(old.v, ids)), ids

    def slots(self, mem):
        return mem[: max(mem.n - self.local, 0)]
