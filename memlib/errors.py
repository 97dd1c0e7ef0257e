"""What is wrong, in words: the argument, what came, what was wanted."""

from __future__ import annotations

from numbers import Integral, Real

from torch import Tensor


def kind(x) -> str:
    """What came, for an error message."""
    if isinstance(x, Tensor):
        return f"a tensor {list(x.shape)} of {str(x.dtype)[6:]}"
    return f"{type(x).__name__} {x!r}"


def whole(name: str, value, least: int) -> int:
    """`value` as an int, a numpy number too; ValueError unless it is whole and at least `least`.

    `name` says whose it is ("Window: size").
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return int(value)


def is_number(value) -> bool:
    """Whether it is one number, numpy's too (True and False are none)."""
    return isinstance(value, Real) and not isinstance(value, bool)
