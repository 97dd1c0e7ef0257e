"""The Compressive Transformer: two queues that move a segment at a time."""

from memlib.kv import join
from memlib.memory import at_least, frozen, yes_or_no
from memlib.parts import tiers


@frozen
class Compressive(tiers.TwoTiers):
    """Read Att(q, [CMem, Mem, S_kv]); then
    Mem = FIFO(S_kv, Mem); CMem = FIFO(f_c(popped), CMem).

    local: pairs of Mem; compressed: slots of CMem (0: Transformer-XL, arXiv
    1901.02860); rate: pairs to a slot; segment: tokens read at once, at most `local`
    (default: as many). Reach through L layers: L (local + rate * compressed) before the
    segment where that is whole segments. stop: what is stored gets no gradient, nor
    does the pool, as in the paper; False: back-propagation through time. Raises
    ValueError for other sizes, and for pairs with a bias. Rae et al. 2019, arXiv
    1911.05507, Algorithm 1; what waits for its group is kept, not dropped.
    """

    local: int = at_least(1)
    compressed: int = at_least(0)
    rate: int = at_least(1)
    pool: object = tiers.a_pool()
    segment: int = at_least(1, default=None)
    count_bias: bool = yes_or_no(False)
    stop: bool = yes_or_no(True)

    softmax = bounded = True

    def wrong(self):
        super().wrong()
        object.__setattr__(self, "segment", self.segment or self.local)

    def init(self, like):
        return tiers.both_empty(self, like)

    def update(self, mem, new, q=None):
        mem = tiers.received(self, mem, q, new)  # before the segment enters
        new = new.detach() if self.stop else new
        raw, compressed = mem.raw.append(new), mem.compressed
        gone = tiers.leaving(self, raw.n)  # what Mem pops, whole groups of it
        if gone:
            made = tiers.compress(self, raw[:gone], mem.used)
            made = made.detach() if self.stop else made
            compressed, raw = compressed.append(made, keep=self.compressed), raw[gone:]
        return tiers.HybridState(compressed, raw, tiers.fitted(mem.used, raw.n, gone))

    def slots(self, mem):
        return join(tiers.counted(self, mem.compressed), mem.raw)
