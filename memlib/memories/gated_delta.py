"""The gated delta rule: a matrix that fades, and is corrected where it is wrong."""

from memlib.memory import Memory, frozen, share
from memlib.parts.gates import of_keys
from memlib.parts.matrix import no_matrix, rows_of, unit
from memlib.precision import single


@frozen
class GatedDelta(Memory):
    """S <- alpha S; S <- S + k (beta (v - S^T k))^T; read S^T q.

    alpha: what stays of the state, beta: how much of the error is corrected; each from
    0 to 1, a number or a module of the keys such as `Gate(d)`. alpha = 1 is the delta
    rule. Otherwise as `DeltaRule`. Yang et al. 2024, arXiv 2412.06464.
    """

    alpha: object = share(default=0.99, learned=True)
    beta: object = share(default=1.0, learned=True)

    bounded = chunkable = rows = True
    convex = False  # a correction takes the old value away: weights can be below 0

    def init(self, like):
        return no_matrix(like)

    def update(self, mem, new, q=None):
        s, alpha = mem.s, of_keys(self.alpha, new.k, "GatedDelta: alpha")
        beta = of_keys(self.beta, new.k, "GatedDelta: beta")
        for t, pair in enumerate(new.one_by_one()):
            k, v = unit(pair.k), single(pair.v)
            s = alpha[..., t, :, :] * s
            s = s + k.mT @ (beta[..., t, :, :] * (v - k @ s))
        return mem._replace(s=s, count=mem.count + new.n)

    def read(self, mem, q):
        return unit(q) @ mem.s

    def slots(self, mem):
        return rows_of(mem)
