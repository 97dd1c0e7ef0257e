"""Side by side in one process: every contender once in turn, medians of many turns, ratios to the first."""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Callable

import torch

from memlib import KV


def settle() -> None:
    """One thread, no gradients, and an allocator that keeps what it has: fresh pages are not the contest."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    if sys.platform == "linux":
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 31 - 1)  # M_TRIM_THRESHOLD


def medians(contenders: dict[str, Callable[[], Callable]], seconds: float = 2.0) -> dict[str, float]:
    """Median processor seconds of each contender. Its function makes ready (not timed) and returns what is timed.

    Turns go on for `seconds` in all, at least 8 and at most 2000 of them, after 5 that are not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    start = time.perf_counter()
    for turn in range(2005):
        if turn > 12 and time.perf_counter() - start > seconds:
            break
        for name, ready in contenders.items():
            ready()()  # its data in the processor's cache, as in a loop of its own
            work = ready()
            begin = time.process_time()
            work()
            if turn >= 5:
                times[name].append(time.process_time() - begin)
    return {name: statistics.median(t) for name, t in times.items()}


def pairs(n: int, heads: int = 8, width: int = 64) -> tuple[torch.Tensor, KV]:
    """Queries and pairs of n tokens, [1, heads, n, width]."""
    q, k, v = (torch.randn(1, heads, n, width) for _ in range(3))
    return q, KV(k, v)


def ready(work: Callable[[], object]) -> Callable[[], Callable]:
    """For `medians`: what is timed and needs nothing made ready."""
    return lambda: work
