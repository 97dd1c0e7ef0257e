"""Dilated convolutions over each group of pairs, to be trained."""

import torch
from torch import Tensor, nn

from memlib.kv import KV
from memlib.parts.pooling import LearnedPool, groups


class DilatedPool(LearnedPool):
    """A stack of convolutions of two taps with dilation rate/2 ... 2, 1, read at the end of each group.

    Each level adds to the mean of its two taps what a small network makes of them; the slot sees
    exactly its own group. rate: a power of two, >= 2. At first it is the mean. (The paper names
    dilated convolutions and gives no shape; van den Oord et al. 2016, arXiv 1609.03499, has this one.)
    """

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__(rate, width, value_width)
        if self.rate < 2 or self.rate & (self.rate - 1):
            raise ValueError(f"DilatedPool: rate must be a power of two >= 2, got {rate}")
        levels = self.rate.bit_length() - 1
        self.k, self.v = (nn.ModuleList(_two_taps(d) for _ in range(levels)) for d in self.widths)

    def forward(self, old: KV, rate: int, used=None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]."""
        k, v = (groups(x, rate) for x in self.fitting(old, rate))
        return KV(_halved(self.k, k).to(old.k.dtype), _halved(self.v, v).to(old.v.dtype))


def _halved(levels: nn.ModuleList, x: Tensor) -> Tensor:
    for level in levels:  # taps half the group apart: what is left is half as long
        a, b = x.chunk(2, -2)
        x = (a + b) / 2 + level(torch.cat([a, b], -1))
    return x.squeeze(-2)


def _two_taps(d: int) -> nn.Module:
    first, last = nn.Linear(2 * d, 2 * d), nn.Linear(2 * d, d)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(first, nn.GELU(), last)
