"""What is wrong, in words: the argument, what came, what was wanted."""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor


def kind(x) -> str:
    """What came, for an error message."""
    if isinstance(x, Tensor):
        return f"a tensor {list(x.shape)} of {str(x.dtype)[6:]}"
    return f"{type(x).__name__} {x!r:.300}" if type(x).__repr__ is not object.__repr__ else f"a {type(x).__name__}"


def whole(name: str, value, least: int) -> int:
    """`value` as an int, a numpy number too; ValueError unless it is whole and at least `least`.

    `name` says whose it is ("Window: size").
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    if int(value) > sys.maxsize:
        raise ValueError(f"{name} must be a whole number <= {sys.maxsize}, got {value!r}")
    return int(value)


def is_number(value) -> bool:
    """Whether it is one number, numpy's too (True and False are none)."""
    return isinstance(value, Real) and not isinstance(value, bool)


def a_number(name: str, value, least: float = 0, most: float = math.inf) -> float:
    """`value` as a float; ValueError unless it is one number, finite and from `least` to `most`."""
    if not is_number(value) or not least <= value <= most or math.isinf(value):
        wanted = f"from {least} to {most}" if most < math.inf else f">= {least}"
        raise ValueError(f"{name} must be a number {wanted}, got {value!r}")
    return float(value)


def seeded(name: str, seed) -> torch.Generator:
    """A generator that draws by a seed; ValueError unless that is a whole number >= 0."""
    return torch.Generator().manual_seed(whole(name, seed, 0))


def a_device(name: str, device) -> torch.device:
    """The device of torch; ValueError where there is none of that name."""
    try:
        return torch.device(device)
    except (TypeError, RuntimeError) as error:
        raise ValueError(f"{name} must be a device of torch, got {device!r}: {error}") from None


def of_kind(name: str, value, kinds: type | tuple, wanted: str) -> Any:
    """`value`; TypeError unless it is of the kind that is wanted."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name} must be {wanted}, got {kind(value)}")
    return value


def function(name: str, value, wanted: str = "a function") -> Any:
    """`value`; TypeError unless it can be called and is no class."""
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be {wanted}, got {kind(value)}")
    return value


def floats(name: str, value, sizes: str = "[*b, n, d]") -> Any:
    """`value`; TypeError unless it is a tensor of floats, ValueError where it has fewer sizes."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        raise TypeError(f"{name} must be a tensor of floats, got {kind(value)}")
    if value.dim() < sizes.count(",") + 1 - sizes.count("*"):
        raise ValueError(f"{name} must be {sizes}, got {kind(value)}")
    return value


def finite(name: str, value: Tensor) -> None:
    """ValueError at the first NaN or inf, with its position."""
    if not torch.isfinite(value).all():
        where = (~torch.isfinite(value)).nonzero()[0].tolist()
        raise ValueError(f"{name} must be finite, got {value[tuple(where)].item()} at position {where}")


def integers(name: str, value) -> Any:
    """`value`; TypeError unless it is a tensor of whole numbers."""
    if not isinstance(value, Tensor) or value.is_floating_point() or value.is_complex() or value.dtype == torch.bool:
        raise TypeError(f"{name} must be a tensor of whole numbers, got {kind(value)}")
    return value
