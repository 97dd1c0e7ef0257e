"""In which precision the library computes: float32 at least, running sums in float64, autocast or not."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor


def single(x: Tensor) -> Tensor:
    """In float32 where it is shorter."""
    return x if x.dtype in (torch.float32, torch.float64) else x.to(torch.float32)


def widest(device: torch.device) -> torch.dtype:
    """float64; float32 on a device that has no float64 (mps)."""
    return torch.float32 if device.type == "mps" else torch.float64


def wide(x: Tensor) -> Tensor:
    """In the widest floats of its device, in which sums are kept."""
    return x.to(widest(x.device))


def exact(x: Tensor) -> Tensor:
    """In float64, in main memory where its device has none."""
    return (x if widest(x.device) == torch.float64 else x.cpu()).to(torch.float64)


any_autocast = torch._C._is_any_autocast_enabled  # a question that costs nothing; which device, is asked after it


def as_it_says(x: Tensor):
    """A context in which products of tensors like x keep their precision, also under autocast."""
    if any_autocast() and torch.is_autocast_enabled(x.device.type):
        return torch.autocast(x.device.type, enabled=False)
    return nullcontext()
