"""The averages over a whole sequence, beside torch's own sums, pools and convolutions; and one step of each."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from benchmarks.timing import medians, pairs, ready
from memlib import (
    CumulativeAverage,
    ExponentialAverage,
    MovingAverage,
    WeightedAverage,
    Window,
    attend_all,
)

H, D, SIZE = 8, 64, 512


def cumulative(n: int) -> dict[str, float]:
    """Seconds of a running mean over n tokens."""
    q, kv = pairs(n)
    count = torch.arange(1, n + 1)[:, None]
    return medians(
        {
            "CumulativeAverage": ready(lambda: attend_all(CumulativeAverage(), q, kv)),
            "torch.cumsum, float32": ready(lambda: kv.v.cumsum(-2) / count),
            "torch.cumsum, float64": ready(lambda: (kv.v.cumsum(-2, dtype=torch.float64) / count).float()),
            "a copy": ready(lambda: kv.v.clone()),
        }
    )


def moving(n: int) -> dict[str, float]:
    """Seconds of a mean over the newest SIZE of n tokens."""
    q, kv = pairs(n)
    flat = kv.v.transpose(-1, -2).reshape(1, H * D, n).contiguous()
    count = torch.arange(1, n + 1).clamp(max=SIZE)[:, None]

    def difference():
        sums = kv.v.cumsum(-2)
        return (sums - F.pad(sums, (0, 0, SIZE, 0))[..., :n, :]) / count

    found = {
        "MovingAverage(512)": ready(lambda: attend_all(MovingAverage(SIZE), q, kv)),
        "torch.cumsum, a difference": ready(difference),
        "F.avg_pool1d": ready(lambda: F.avg_pool1d(F.pad(flat, (SIZE - 1, 0)), SIZE, stride=1)),
    }
    if n > 1024:
        del found["F.avg_pool1d"]  # seconds
    return medians(found)


def weighted(n: int) -> dict[str, float]:
    """Seconds of a weighted mean over the newest SIZE of n tokens."""
    q, kv = pairs(n)
    weights = torch.rand(SIZE) + 0.1
    flat = kv.v.transpose(-1, -2).reshape(1, H * D, n).contiguous()
    shared = flat.transpose(0, 1).contiguous()
    kernel = (weights / weights.sum())[None, None]
    memory = WeightedAverage(weights)
    return medians(
        {
            "WeightedAverage, 512 weights": ready(lambda: attend_all(memory, q, kv)),
            "F.conv1d, depthwise": ready(
                lambda: F.conv1d(F.pad(flat, (SIZE - 1, 0)), kernel.expand(H * D, 1, SIZE), groups=H * D)
            ),
            "F.conv1d, rows as a batch": ready(lambda: F.conv1d(F.pad(shared, (SIZE - 1, 0)), kernel)),
        }
    )


def exponential(n: int) -> dict[str, float]:
    """Seconds of an exponential mean over n tokens."""
    q, kv = pairs(n)
    g = 0.05

    def doubling():  # Hillis and Steele 1986: log n passes over the whole
        out, fade = g * kv.v, 1 - g
        out[..., 0, :] = kv.v[..., 0, :]
        step = 1
        while step < n:
            out = out + F.pad(out * fade, (0, 0, step, 0))[..., :n, :]
            fade, step = fade * fade, 2 * step
        return out

    def loop():
        m, outs = kv.v[..., 0, :], []
        for x in kv.v.unbind(-2):
            m = torch.lerp(m, x, g)
            outs.append(m)
        return torch.stack(outs, -2)

    return medians(
        {
            "ExponentialAverage": ready(lambda: attend_all(ExponentialAverage(g), q, kv)),
            "a loop of torch.lerp": ready(loop),
            "doubling": ready(doubling),
        }
    )


def step(n: int) -> dict[str, float]:
    """Seconds of one step, a pair in and a read out, after n pairs; the window of n first."""
    q, kv = pairs(n)
    new, mems = kv[-1:], {}
    contenders = [
        Window(n),
        MovingAverage(n),
        WeightedAverage(torch.rand(n) + 0.1),
        CumulativeAverage(),
        ExponentialAverage(0.1),
    ]

    def work(memory, name):
        def once():
            mems[name] = memory.update(mems[name], new)
            memory.read(mems[name], q[..., -1:, :])

        return ready(once)

    found = {}
    for memory in contenders:
        name = type(memory).__name__ + ("(n)" if hasattr(memory, "size") or hasattr(memory, "weights") else "")
        mems[name] = memory.update(memory.init(kv), kv)
        found[name] = work(memory, name)
    return medians(found)


TABLES = [  # title, x axis, sizes, function
    ("A cumulative average over n tokens, 8 heads of 64, float32", "tokens n", (1024, 4096, 16384), cumulative),
    ("A moving average of 512 over n tokens", "tokens n", (1024, 4096, 16384), moving),
    ("A weighted average of 512 over n tokens", "tokens n", (1024, 4096), weighted),
    ("An exponential average over n tokens", "tokens n", (1024, 4096, 16384), exponential),
    ("One step after n pairs", "pairs n", (128, 1024, 4096), step),
]
