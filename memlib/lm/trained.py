"""The memories that models were trained with, by the names that stand in their weights."""

from __future__ import annotations

import torch

from memlib.memories.compressive import Compressive
from memlib.memories.delta import DeltaRule
from memlib.memories.full import Full
from memlib.memories.gated_delta import GatedDelta
from memlib.memories.linear import LinearAttention
from memlib.memories.recurrent import Recurrent
from memlib.parts.conv_pool import ConvPool
from memlib.parts.gates import Gate

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
