"""Several memories under one softmax."""

from memlib.attention import merge
from memlib.kv import join
from memlib.memory import updated
from memlib.parts.together import Together, with_lse


class Joint(Together):
    """Att(q, [Mem_1 ... Mem_r]): each query decides what each memory is worth.

    memories: whose read gives a log-sum-exp, the nearest first: `Joint(Window(n),
    KNN(k, n))`. One softmax is a gate that nobody has to learn: Att(q, [A, B]) = g
    Att(q, A) + (1 - g) Att(q, B) with g = sigmoid(lse_A - lse_B). A token that two of
    them hold counts twice. A segment (`new`) is read once, and a sequence is then a
    loop over its segments. Raises ValueError for a memory without a log-sum-exp, and
    for segments of different lengths. Dao et al. 2022, arXiv 2205.14135; Wu et al.
    2022, arXiv 2203.08913 (first version).
    """

    merges = True
    softmax = property(lambda self: self._all("softmax"))

    def __init__(self, *memories):
        self.memories = self.agreed(*memories, merging=True)

    def __repr__(self):
        return f"Joint({', '.join(map(repr, self.memories))})"

    def init(self, like):
        return tuple(memory.init(like) for memory in self.memories)

    def update(self, mem, new, q=None):
        both = zip(self.memories, mem, strict=True)
        return tuple(updated(memory, part, new, q) for memory, part in both)

    def read(self, mem, q, new=None, lse=False):
        both = with_lse(self.memories[0], mem[0], q, new)
        for memory, part in zip(self.memories[1:], mem[1:], strict=True):
            both = merge(both, memory.read(part, q, lse=True))
        return both if lse else both[0]

    def slots(self, mem):  # the near memory is named first, and far pairs are older
        both = zip(self.memories, mem, strict=True)
        return join(*reversed([memory.slots(part) for memory, part in both]))
