"""A convolution over each group of pairs, to be trained."""

import torch
from torch import nn

from memlib.kv import KV
from memlib.parts.pooling import LearnedPool, groups


class ConvPool(LearnedPool):
    """A convolution with kernel = stride = rate, one for keys and one for values: to be trained.

    width, value_width: of keys and values (default: the same). At first it is the mean.
    It is linear in the values, but of fixed width: the probe asks by the Jacobian.
    Raises ValueError for pairs of other widths, and for another rate than its own.
    """

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__(rate, width, value_width)
        self.k, self.v = (nn.Linear(rate * d, d, bias=False) for d in self.widths)
        for one, d in zip((self.k, self.v), self.widths, strict=True):
            one.weight.data = torch.eye(d).repeat(1, rate) / rate

    def forward(self, old: KV, rate: int, used=None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]: one matrix product over each flattened group."""
        k, v = (groups(x, rate).flatten(-2) for x in self.fitting(old, rate))
        return KV(self.k(k).to(old.k.dtype), self.v(v).to(old.v.dtype))
