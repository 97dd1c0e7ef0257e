"""The library's memories by name: from this list leaderboard, detective and benchmarks take what a class offers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import memlib
from memlib.memory import Memory


def listed() -> dict[str, type[Memory]]:
    """Every memory that memlib exports, by its name in words.

    >>> listed()["moving average"]
    <class 'memlib.memories.moving.MovingAverage'>
    """
    each = (getattr(memlib, name) for name in memlib.__all__)
    memories = [one for one in each if isinstance(one, type) and issubclass(one, Memory) and one is not Memory]
    return {in_words(one.__name__): one for one in memories}


def in_words(name: str) -> str:
    """A class name as one would say it: "MovingAverage" is a moving average.

    >>> in_words("GatedDelta"), in_words("KNN")
    ('gated delta', 'knn')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def sized(size: int) -> dict[str, Callable[[], Memory | None]]:
    """What makes those that say what they are within `size` bytes a head (`at_bytes`)."""
    on_board = {name: kind for name, kind in listed().items() if kind.at_bytes(size) is not None}
    return {name: partial(kind.at_bytes, size) for name, kind in on_board.items()}
