"""A memory as the stream grows: seconds, bytes and what is found, from 1k to 128k tokens."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

from memlib import KNN, KV, DeltaRule, Full, Hybrid, Joint, LinearAttention, MeanPool, Window, state_bytes

LENGTHS = (1024, 4096, 16384, 65536, 131072)
LONG = {
    "window of 512": lambda: Window(512),
    "hybrid, 256 and 256 of 4, rescaled": lambda: Hybrid(256, 256, 4, MeanPool(rescale=True)),
    "delta rule": DeltaRule,
    "linear attention": LinearAttention,
    "window of 480, k-NN of 32": lambda: Joint(Window(480), KNN(32, 480)),
    "top-32 sparse attention": lambda: KNN(32, 0),
    "full cache": Full,
}


@torch.no_grad()
def at_length(memory, n: int, seed: int, width: int = 64, asked: int = 256) -> dict:
    """One memory after n random pairs of one head: seconds of a step (the median of 30), bytes of its state, and the
    share found of `asked` pairs that are asked for, out of all the past and out of the newest."""
    draw = torch.Generator().manual_seed(seed)
    k, v = (F.normalize(torch.randn(n, width, generator=draw, device="cpu"), dim=-1) for _ in range(2))
    k = k * width**0.5
    mem = memory.update(memory.init(KV(k, v)), KV(k, v))

    def found(places) -> float:
        read = memory.read(mem, 100 * k[places])
        return round(((F.normalize(read, dim=-1) @ v.T).argmax(-1) == places).double().mean().item(), 4)

    past, newest = torch.randint(n, (asked,), generator=draw, device="cpu"), torch.arange(n - asked, n, device="cpu")
    result = {"found": found(past), "found_newest": found(newest), "bytes": state_bytes(mem)}
    spent = []
    for t in range(35):
        begin = time.perf_counter()
        mem = memory.update(mem, KV(k[t : t + 1], v[t : t + 1]))
        memory.read(mem, k[t : t + 1])
        spent.append(time.perf_counter() - begin)
    return result | {"seconds": sorted(spent[5:])[15]}
