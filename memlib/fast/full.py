"""The full cache: causal attention over the whole sequence in one call."""

from __future__ import annotations

from torch import Tensor
from torch.autograd import forward_ad

from memlib.attention import attend, sdpa
from memlib.kv import KV
from memlib.memories.full import Full
from memlib.memory import WHOLE


def whole(memory: Full, q: Tensor, kv: KV, mem: KV | None, lse: bool):
    """[*b, n, e]."""
    if (mem is None or mem.n == 0) and kv.bias is None and not lse and forward_ad._current_level < 0:
        return sdpa(q, kv.k, kv.v, is_causal=True)
    return attend(q, kv.empty() if mem is None else mem, lse, new=kv)


WHOLE[Full] = whole
