"""The window beside transformers' caches (one step: a token in, a read out) and torch's masks (a sequence)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers.cache_utils import (
    DynamicLayer,
    DynamicSlidingWindowLayer,
    StaticLayer,
    StaticSlidingWindowLayer,
)

from benchmarks.timing import medians
from memlib import KV, Full, Window, attend_all

H, D, SMALL = 8, 64, 128


def step(n: int) -> dict[str, float]:
    """Seconds of one step at n pairs; the first row is the read alone, the unit of the others."""
    q = torch.randn(1, H, 1, D)
    kv, new = (KV(torch.randn(1, H, m, D), torch.randn(1, H, m, D)) for m in (n, 1))
    window, mems = Window(n), {}
    small = Window(SMALL)
    for name, memory in (("window", window), ("full cache", Full()), ("small", small)):
        mems[name] = memory.update(memory.init(kv), kv)

    def ours(memory, name):
        def work():
            mems[name] = memory.update(mems[name], new)
            memory.read(mems[name], q)

        if name == "full cache" and mems[name].n > n + n // 8:
            mems[name] = memory.update(memory.init(kv), kv)
        return work

    def theirs(layer, kept):
        layer.update(kv.k[:, :, :kept], kv.v[:, :, :kept])
        first = (layer.keys, layer.values)

        def ready():
            if isinstance(layer, DynamicLayer) and not isinstance(layer, DynamicSlidingWindowLayer):
                layer.keys, layer.values = first  # else it would grow
            if type(layer) is StaticLayer:
                layer.cumulative_length.fill_(n - 1)  # else it would be full
            return lambda: F.scaled_dot_product_attention(q, *layer.update(new.k, new.v))

        return ready

    return medians(
        {
            "read alone": lambda: lambda: window.read(mems["window"], q),
            "Window(n)": lambda: ours(window, "window"),
            "Full": lambda: ours(Full(), "full cache"),
            f"Window({SMALL}), whatever n": lambda: ours(small, "small"),
            "transformers dynamic": theirs(DynamicLayer(), n - 1),
            "transformers static": theirs(StaticLayer(n), n - 1),
            "transformers sliding, dynamic": theirs(DynamicSlidingWindowLayer(n), n),
            "transformers sliding, static": theirs(StaticSlidingWindowLayer(n, n), n),
        }
    )


def sequence(n: int, size: int = 512) -> dict[str, float]:
    """Seconds of a causal window of `size` over n tokens at once, H heads."""
    q, k, v = (torch.randn(1, H, n, D) for _ in range(3))
    place = torch.arange(n)
    band = (place <= place[:, None]) & (place > place[:, None] - size)
    return medians(
        {
            "Window.attend_all": lambda: lambda: attend_all(Window(size), q, KV(k, v)),
            "torch SDPA, band mask": lambda: lambda: F.scaled_dot_product_attention(q, k, v, attn_mask=band),
            "torch SDPA, full causal": lambda: lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        }
    )


TABLES = [  # title, x axis, sizes, function
    ("One step at n pairs, 8 heads of 64, float32", "pairs n", (128, 1024, 4096, 16384), step),
    ("A causal window of 512 over n tokens", "tokens n", (1024, 2048, 4096, 8192), sequence),
]
