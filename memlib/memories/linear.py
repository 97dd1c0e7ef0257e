"""Linear attention: attention without softmax, as a matrix and a vector."""

from memlib.memory import Memory, frozen
from memlib.parts.matrix import no_matrix, phi, phi_of_query, quotient, rows_of
from memlib.precision import wide


@frozen
class LinearAttention(Memory):
    """S <- S + phi(k) v^T, z <- z + phi(k);
    read phi(q)^T S / phi(q)^T z, phi = elu + 1.

    Nothing is ever overwritten. S and z in float64. Differentiable. A step costs O(d
    e). Slot j shows (unit key e_j, row j of S). Raises ValueError for pairs with a
    bias, and where a log-sum-exp is asked for. Katharopoulos et al. 2020, arXiv
    2006.16236.
    """

    convex = bounded = chunkable = rows = True

    def init(self, like):
        return no_matrix(like, sums=True)

    def update(self, mem, new, q=None):
        k, v = phi(wide(new.k)).mT, wide(new.v)
        z = mem.z + k.sum(-1, keepdim=True)
        return mem._replace(s=mem.s + k @ v, z=z, count=mem.count + new.n)

    def read(self, mem, q):
        q = phi_of_query(wide(q))
        return quotient(q @ mem.s, q @ mem.z)

    def slots(self, mem):
        return rows_of(mem)
