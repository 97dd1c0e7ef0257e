"""The delta rule: a matrix that is corrected where it is wrong."""

from memlib.memory import Memory, frozen, share
from memlib.parts.gates import of_keys
from memlib.parts.matrix import no_matrix, rows_of, unit
from memlib.precision import single


@frozen
class DeltaRule(Memory):
    """S <- S + k (beta (v - S^T k))^T; read S^T q.

    What a key held is replaced, not added to: one step of gradient descent, of rate
    beta, on |S^T k - v|^2 / 2. beta: from 0 to 1, a number or a module of the keys
    such as `Gate(d)`. Keys and queries are brought to length 1: with longer keys and
    beta = 1 S overflows within a hundred steps. Differentiable. A step costs O(d e).
    Raises ValueError for another beta, pairs with a bias, and where a log-sum-exp is
    asked for. Schlag et al. 2021, arXiv 2102.11174.
    """

    beta: object = share(default=1.0, learned=True)

    bounded = chunkable = rows = True
    convex = False  # a correction takes the old value away: weights can be below 0

    def init(self, like):
        return no_matrix(like)

    def update(self, mem, new, q=None):
        s, beta = mem.s, of_keys(self.beta, new.k, "DeltaRule: beta")
        for t, pair in enumerate(new.one_by_one()):
            k, v = unit(pair.k), single(pair.v)
            s = s + k.mT @ (beta[..., t, :, :] * (v - k @ s))
        return mem._replace(s=s, count=mem.count + new.n)

    def read(self, mem, q):
        return unit(q) @ mem.s

    def slots(self, mem):
        return rows_of(mem)
