"""The ordinary cache: every pair is kept. The yardstick of all other memories."""

from memlib.memory import Memory, frozen


@frozen
class Full(Memory):
    """All pairs of the past: Mem_t = (K_<=t, V_<=t).

    It grows by one pair a token: a step costs O(t d), its state O(t). Bytes of a
    model's cache = 2 * layers * kv_heads * d_head * tokens * batch * bytes per element.
    Differentiable. Vaswani et al. 2017, arXiv 1706.03762.
    """

    softmax = convex = chunkable = takes_bias = True
    bounded = False  # that is its price

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new)

    def slots(self, mem):
        return mem
