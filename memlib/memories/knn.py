"""k-NN memory: attention over the pairs of a datastore nearest to the query."""

from memlib.attention import asks, attend, merge
from memlib.memory import Memory, at_least, frozen
from memlib.parts.lookup import a_metric, a_store, attend_each, fetched


@frozen
class KNN(Memory):
    """Att(q, Mem_knn(q)): each head reads the k pairs with the largest q.k.

    k >= 1 (all, where there are fewer). local >= 0: the newest pairs, the current one
    counted, that are never fetched: what a memory beside this one holds. store: of
    `memlib.stores`, or a list, one a head: read, never written; without one the state
    holds all pairs of the sequence. metric: "inner product" or "dist2", for own pairs;
    the read is a softmax over q.k in both. No gradient reaches a store. A step scores
    all t keys. What is left out costs at most 2 (1 - p) max |v|, p the dense weight of
    what is kept. ValueError for other sizes. Wu et al. 2022, arXiv 2203.08913.
    """

    k: int = at_least(1)
    local: int = at_least(0, default=1)
    store: object = a_store()
    metric: str = a_metric()

    merges = chunkable = convex = True
    softmax = bounded = False  # of its slots it reads k; a datastore grows

    @property
    def linear_in_values(self):
        return self.store is None

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        keep = None if self.store is None else 0
        return mem.append(new, keep=keep)

    def read(self, mem, q, new=None, lse=False):
        asks("read", q, mem)
        if self.store is None and self.slots(mem).n <= self.k:
            return attend(q, self.slots(mem), lse, new)
        both = attend_each(q, self.fetch(mem, q)[0])
        if new is not None:
            both = merge(both, attend(q, mem.empty(), lse=True, new=new))
        return both if lse else both[0]

    def fetch(self, mem, q):
        """The pairs each query fetches, best first: [*b, i, m, .]; and ids [*b, i, m].

        m <= k. An id is the place in the sequence, or the store's own.
        """
        return fetched(self, self.slots(mem), q)

    def slots(self, mem):
        return mem[: max(mem.n - self.local, 0)]
