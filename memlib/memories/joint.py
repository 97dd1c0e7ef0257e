"""Several memories under one softmax."""

from memlib.attention import merge
from memlib.parts.together import Together, with_lse


class Joint(Together):
    """Att(q, [Mem_1 ... Mem_r]): each query decides what each memory is worth.

    memories: whose read gives a log-sum-exp, the nearest first: `Joint(Window(n),
    KNN(k, n))`. One softmax is a gate that nobody has to learn: Att(q, [A, B]) = g
    Att(q, A) + (1 - g) Att(q, B) with g = sigmoid(lse_A - lse_B). A token that two of
    them hold counts twice. A segment (`new`) is read once. Raises ValueError for a
    memory without a log-sum-exp, and for segments of different lengths. Dao et al.
    2022, arXiv 2205.14135; Wu et al. 2022, arXiv 2203.08913 (first version).
    """

    merges = True

    def __init__(self, *memories):
        self.take(*memories, merging=True)

    def __repr__(self):
        return f"Joint({', '.join(map(repr, self.memories))})"

    softmax = property(lambda self: self._all("softmax"))

    def read(self, mem, q, new=None, lse=False):
        both = with_lse(self.memories[0], mem[0], q, new)
        for memory, part in zip(self.memories[1:], mem[1:], strict=True):
            both = merge(both, memory.read(part, q, lse=True))
        return both if lse else both[0]
