"""The memories that models were trained with, by the names that stand in their weights."""

from __future__ import annotations

import torch

from memlib.compress import ConvPool
from memlib.full import Full
from memlib.hybrid import Compressive
from memlib.recurrent import DeltaRule, Gate, GatedDelta, LinearAttention, Recurrent

KINDS = {
    "full": lambda width: Full(),
    "gru": lambda width: Recurrent(torch.nn.GRUCell(2 * width, 2 * width)),
    "linear": lambda width: LinearAttention(),
    "delta": lambda width: DeltaRule(Gate(width, 0.9)),
    "gated": lambda width: GatedDelta(Gate(width, 0.99), Gate(width, 0.9)),
    "xl": lambda width: Compressive(64, 0, 1, segment=32),
    "compressive": lambda width: Compressive(32, 32, 4),
    "compressive_conv": lambda width: Compressive(32, 32, 4, ConvPool(4, width)),
}


def make(name: str, width: int):
    """The memory of that name for keys and values of `width`, untrained. Raises ValueError for another name."""
    if name not in KINDS:
        raise ValueError(f"memory: wanted one of {', '.join(KINDS)}, got {name!r}")
    return KINDS[name](width)
