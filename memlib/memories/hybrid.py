"""The hybrid cache: the newest pairs raw, older ones compressed."""

from memlib.kv import join
from memlib.memory import at_least, frozen, yes_or_no
from memlib.parts import tiers


@frozen
class Hybrid(tiers.TwoTiers):
    """The newest `local` pairs raw; what leaves them goes through `pool`, `rate` pairs
    to a slot.

    local >= 1 pairs, compressed >= 0 slots (0: a plain window), rate >= 1. Only whole
    groups are compressed: what waits for its group is read raw, so nothing is lost
    before the compressed tier is full; at most compressed + (rate - 1) + local slots. A
    layer reaches local + rate * compressed tokens back, and those that wait.
    count_bias: log(rate) is added to the scores of compressed slots. Differentiable,
    the pool included. ValueError for other sizes, and for pairs with a bias. Xiao and
    Zhu 2025, arXiv 2501.09223, section 2.3.
    """

    local: int = at_least(1)
    compressed: int = at_least(0)
    rate: int = at_least(1)
    pool: object = tiers.a_pool()
    count_bias: bool = yes_or_no(False)

    softmax = bounded = True

    def init(self, like):
        return tiers.both_empty(self, like)

    def update(self, mem, new, q=None):
        raw, compressed = mem.raw.append(new), mem.compressed
        gone = tiers.leaving(self, raw.n)  # whole groups beyond `local`
        if gone:
            made = tiers.compress(self, raw[:gone], mem.used)
            compressed, raw = compressed.append(made, keep=self.compressed), raw[gone:]
        mem = tiers.HybridState(compressed, raw, tiers.fitted(mem.used, raw.n, gone))
        return tiers.received(self, mem, q)

    def slots(self, mem):
        return join(tiers.counted(self, mem.compressed), mem.raw)
