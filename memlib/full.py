"""The ordinary cache: every pair is kept. The yardstick of all other memories.

    Mem_t = (K_<=t, V_<=t)

Bytes of a model's cache = 2 * layers * kv_heads * d_head * tokens * batch * bytes per element.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from memlib.kv import KV, attend, sdpa


@dataclass(frozen=True, eq=False)
class Full:
    """All pairs of the past. Grows by one pair a token: a step costs O(t d), its state O(t).

    >>> Full().update(Full().init(kv := KV(torch.zeros(3, 2), torch.zeros(3, 2))), kv)
    KV(n=3, k=[3, 2], v=[3, 2], float32)
    """

    segment = None
    softmax = linear_in_values = convex = chunkable = True
    bounded = False  # that is its price
    needs_queries = False

    def init(self, like: KV) -> KV:
        """An empty cache with the shapes, dtype and device of `like`."""
        return like.empty()

    def update(self, mem: KV, new: KV, q: Tensor | None = None) -> KV:
        """The new pairs behind the old ones."""
        return mem.append(new)

    def read(self, mem: KV, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, all pairs): [*b, i, e]."""
        return attend(q, mem, lse, new)

    def slots(self, mem: KV) -> KV:
        """All pairs, oldest first."""
        return mem

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: KV | None = None, lse: bool = False):
        """Causal attention over the whole sequence in one call."""
        if (mem is None or mem.n == 0) and kv.bias is None and not lse:
            return sdpa(q, kv.k, kv.v, is_causal=True)
        return attend(q, kv.empty() if mem is None else mem, lse, new=kv)
