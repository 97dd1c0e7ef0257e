"""Two memories read separately, and a gate between them."""

from typing import Any

from memlib.kv import join
from memlib.memory import frozen, no_lse, updated
from memlib.parts.gates import gated
from memlib.parts.together import NearAndFar, with_lse


@frozen
class Gated(NearAndFar):
    """g Att(q, near) + (1 - g) Att(q, far): `gate_local` = g, or `gate_memory` = 1 - g.

    The gate: a number from 0 to 1, a tensor of such that goes with the reads [*b, i,
    e], or a module that is called with the queries [*b, i, d] and gives one
    (`HeadGate`, `VectorGate`). Where one side is empty the other counts alone. A
    segment (`new`) is read with the near memory. It has no log-sum-exp. Raises
    ValueError unless exactly one gate is given, and for a number that is not from 0 to
    1. Wu et al. 2022, arXiv 2203.08913 (final version; weighs the memory); arXiv
    2501.09223, section 2.3 (weighs the local part, by a vector).
    """

    near: Any
    far: Any
    gate_local: object = None
    gate_memory: object = None

    merges = softmax = False

    def init(self, like):
        return self.near.init(like), self.far.init(like)

    def update(self, mem, new, q=None):
        near, far = mem
        near, far = updated(self.near, near, new, q), updated(self.far, far, new, q)
        return near, far

    def read(self, mem, q, new=None, lse=False):
        no_lse(self, lse)
        near = with_lse(self.near, mem[0], q, new)
        far = with_lse(self.far, mem[1], q)
        return gated(self.share_local(q), near, far)

    def slots(self, mem):
        return join(self.far.slots(mem[1]), self.near.slots(mem[0]))
