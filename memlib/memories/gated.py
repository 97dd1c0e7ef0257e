"""Two memories read separately, and a gate between them."""

import torch

from memlib.memory import no_lse
from memlib.parts.gates import of_queries, one_gate
from memlib.parts.together import Together, with_lse
from memlib.precision import single


class Gated(Together):
    """g Att(q, near) + (1 - g) Att(q, far) with `gate_local` = g; with `gate_memory` =
    g it weighs far.

    The gate: a number from 0 to 1, a tensor of such that goes with the reads [*b, i,
    e], or a module that is called with the queries [*b, i, d] and gives one
    (`HeadGate`, `VectorGate`). Where one side is empty the other counts alone. A
    segment (`new`) is read with the near memory. It has no log-sum-exp. Raises
    ValueError unless exactly one gate is given, and for a number that is not from 0 to
    1. Wu et al. 2022, arXiv 2203.08913 (final version; weighs the memory); arXiv
    2501.09223, section 2.3 (weighs the local part, by a vector).
    """

    merges = softmax = False

    def __init__(self, near, far, gate_local=None, gate_memory=None):
        self.take(near, far)
        one_gate(gate_local, gate_memory)
        self.gate_local, self.gate_memory = gate_local, gate_memory

    near = property(lambda self: self.memories[0])
    far = property(lambda self: self.memories[1])

    def __repr__(self):
        which = "gate_local" if self.gate_memory is None else "gate_memory"
        return f"Gated({self.near!r}, {self.far!r}, {which}={getattr(self, which)!r})"

    def share_local(self, q):
        """The near memory's weight for each query, before an empty side is left out."""
        if self.gate_local is None:
            return 1 - of_queries(self.gate_memory, q)
        return of_queries(self.gate_local, q)

    def read(self, mem, q, new=None, lse=False):
        no_lse(self, lse)
        near, far = with_lse(self.near, mem[0], q, new), with_lse(self.far, mem[1], q)
        return self.mixed(q, near, far)

    def mixed(self, q, near, far):
        """Two reads with their log-sum-exps, gated; an empty side does not count."""
        g = self.share_local(q).masked_fill((far[1] == -torch.inf).unsqueeze(-1), 1.0)
        g = g.masked_fill((near[1] == -torch.inf).unsqueeze(-1), 0.0)
        return (g * single(near[0]) + (1 - g) * single(far[0])).to(near[0].dtype)
