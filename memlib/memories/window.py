"""A fixed-size window: attention over the newest pairs, and over the first few if
asked.
"""

from memlib.kv import join
from memlib.memory import Memory, at_least, frozen
from memlib.parts.states import WindowState


@frozen
class Window(Memory):
    """Mem_t = (K, V) of the tokens [0 ... sinks-1] and [t-size+1 ... t].

    size >= 1 pairs, the current one counts; sinks >= 0 pairs, on top of them. Before it
    is full it holds all there is; a sink never counts twice. A step costs O((size +
    sinks) d). Differentiable. Raises ValueError for other sizes. Local attention:
    Beltagy et al. 2020, arXiv 2004.05150; sinks, or global tokens: Xiao et al. 2023,
    arXiv 2309.17453.
    """

    size: int = at_least(1)
    sinks: int = at_least(0, default=0)

    softmax = convex = bounded = chunkable = takes_bias = True

    def init(self, like):
        return WindowState(like.empty(), like.empty())

    def update(self, mem, new, q=None):
        free = max(self.sinks - mem.first.n, 0)
        first = mem.first.append(new[:free]) if free else mem.first
        newest = mem.newest.append(new[free:], keep=self.size)
        return WindowState(first, newest)

    def slots(self, mem):
        return join(mem.first, mem.newest)
