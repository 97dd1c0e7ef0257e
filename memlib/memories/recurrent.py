"""A recurrent network as the cache: its hidden state is one key and one value."""

from torch import nn

from memlib.attention import attend
from memlib.memory import Memory, a_module, frozen
from memlib.parts.cells import as_pairs, cast, no_hidden, unrolled


@frozen
class Recurrent(Memory):
    """h <- cell([k; v], h), h = [key; value] of the one slot, 0 at first.

    cell: a module (x [rows, d + e], h [rows, d + e]) -> h, such as torch.nn.GRUCell(d +
    e, d + e). It is trained through time. Not linear in its values: its picture is
    `influence`, not `recipe`. Computed, and the state kept, in the dtype of the cell.
    Raises TypeError for what is no module, ValueError where the cell's sizes do not fit
    the pairs, and for pairs with a bias. Xiao and Zhu 2025, arXiv 2501.09223, section
    2.3.
    """

    cell: nn.Module = a_module()

    softmax = bounded = chunkable = True
    linear_in_values = convex = False

    def init(self, like):
        return no_hidden(self.cell, like)

    def update(self, mem, new, q=None):
        rows, h = unrolled(self.cell, mem, new)
        for x in rows:
            h = self.cell(x, h)
        return as_pairs(h[None], new)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, cast(mem, q.dtype), lse, new)

    def slots(self, mem):
        return mem
