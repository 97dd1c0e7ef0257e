"""Windows whose pairs are kept in short numbers: 16 bits, 8 bits."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from memlib import KV, Window, attend


class Half:
    """A window whose pairs are kept in bfloat16: twice as many in the same bytes."""

    segment, softmax, linear_in_values, needs_queries = None, True, True, False

    def __init__(self, size: int):
        self.window = Window(size)

    def init(self, like: KV):
        """An empty window of short numbers."""
        return self.window.init(KV(like.k.bfloat16(), like.v.bfloat16()))

    def update(self, mem, new: KV, q=None):
        """The new pairs, shortened."""
        return self.window.update(mem, KV(new.k.bfloat16(), new.v.bfloat16()))

    def slots(self, mem) -> KV:
        """The pairs as they are read, in float32."""
        kept = self.window.slots(mem)
        return KV(kept.k.float(), kept.v.float())

    def read(self, mem, q, new=None, lse: bool = False):
        """Att(q, slots)."""
        return attend(q, self.slots(mem), lse, new)


class Packed(NamedTuple):
    """Vectors of 8-bit numbers [*b, m, width], and for each vector a 16-bit scale [*b, m, 1]."""

    k: Tensor
    v: Tensor
    k_scale: Tensor
    v_scale: Tensor


class Quarter(Half):
    """A window whose pairs are kept in 8 bits, with one 16-bit scale a vector: nearly four times as many.

    >>> window, two = Quarter(1), KV(torch.eye(2), torch.tensor([[1.0, 0.5], [3.0, -1.5]]))
    >>> mem = window.update(window.init(two), two)
    >>> mem.v, state_bytes(mem)  # 127 stands for 3.0; a vector of 2 takes 2 bytes, its scale 2
    (tensor([[127, -64]], dtype=torch.int8), 8)
    """

    def init(self, like: KV):
        """An empty window of packed pairs."""
        return _packed(like.empty())

    def update(self, mem, new: KV, q=None):
        """The new pairs, packed."""
        size = self.window.size
        both = (torch.cat([old, more], -2) for old, more in zip(mem, _packed(new), strict=True))
        return Packed(*(x[..., max(x.shape[-2] - size, 0) :, :] for x in both))

    def slots(self, mem) -> KV:
        """The pairs as they are read, in float32."""
        return KV(mem.k * mem.k_scale.float(), mem.v * mem.v_scale.float())


def _packed(pairs: KV) -> Packed:
    scales = [(x.abs().amax(-1, keepdim=True) / 127).clamp(min=1e-6).half() for x in (pairs.k, pairs.v)]
    numbers = [
        (x / s.float()).round().clamp(-127, 127).to(torch.int8) for x, s in zip((pairs.k, pairs.v), scales, strict=True)
    ]
    return Packed(*numbers, *scales)
