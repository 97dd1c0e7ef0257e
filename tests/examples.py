"""The memories on which the laws run (`memlib.laws`): a line each. What exempts one is a promise of its class."""

import os

import torch

from memlib import (
    KNN,
    Compressive,
    ConvPool,
    CumulativeAverage,
    DeltaRule,
    DilatedPool,
    ExponentialAverage,
    Full,
    Gate,
    Gated,
    GatedDelta,
    Hybrid,
    Joint,
    Ladder,
    LinearAttention,
    MaxPool,
    MeanPool,
    MostUsed,
    MovingAverage,
    Positive,
    Recurrent,
    WeightedAverage,
    Window,
)

EVERY = bool(os.environ.get("CI"))  # as .ci/run sets it: the whole of what `make test` runs a part of
WIDTH = 5, 3  # of the keys and the values that the laws run on


def gru(dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.GRUCell(sum(WIDTH), sum(WIDTH)).to(dtype)


def pool(kind, rate):
    """A learned pool that has learned something."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        one = kind(rate, *WIDTH).double()
        for part in one.parameters():
            part.data += 0.1 * torch.randn_like(part)
    return one


MEMORIES = {
    "full": lambda: Full(),
    "window": lambda: Window(4),
    "window of one": lambda: Window(1),
    "window with sinks": lambda: Window(3, sinks=2),
    "moving average": lambda: MovingAverage(4),
    "weighted average": lambda: WeightedAverage([1.0, 0.0, 2.0, 3.0]),
    "learned weights": lambda: WeightedAverage(Positive(3).double()),
    "cumulative average": lambda: CumulativeAverage(),
    "exponential average": lambda: ExponentialAverage(0.2),
    "newest pair": lambda: ExponentialAverage(1.0),
    "gru": lambda: Recurrent(gru()),
    "linear attention": lambda: LinearAttention(),
    "delta rule": lambda: DeltaRule(),
    "half a delta": lambda: DeltaRule(0.5),
    "gated delta": lambda: GatedDelta(0.9, 0.8),
    "hybrid": lambda: Hybrid(4, 2, 2),
    "hybrid, rate 3": lambda: Hybrid(2, 3, 3, MeanPool(rescale=True), count_bias=True),
    "hybrid, max": lambda: Hybrid(3, 2, 2, MaxPool()),
    "hybrid, learned": lambda: Hybrid(3, 2, 2, pool(ConvPool, 2)),
    "hybrid, dilated": lambda: Hybrid(3, 2, 4, pool(DilatedPool, 4)),
    "hybrid, most used": lambda: Hybrid(3, 2, 2, MostUsed()),
    "hybrid, nothing compressed": lambda: Hybrid(4, 0, 2),
    "compressive": lambda: Compressive(4, 3, 2),
    "compressive, remainders": lambda: Compressive(5, 3, 2, segment=3, count_bias=True),
    "compressive, most used": lambda: Compressive(4, 2, 2, MostUsed()),
    "compressive, learned through time": lambda: Compressive(4, 3, 2, pool(ConvPool, 2), stop=False),
    "transformer-xl": lambda: Compressive(6, 0, 1, segment=3),
    "ladder": lambda: Ladder(),
    "knn": lambda: KNN(3, local=0),
    "knn, by distance": lambda: KNN(2, local=1, metric="dist2"),
    "joint": lambda: Joint(Window(2), KNN(3, local=2)),
    "joint, three": lambda: Joint(Window(1), CumulativeAverage(), Hybrid(2, 2, 2)),
    "joint by segments": lambda: Joint(Compressive(4, 2, 2, segment=3), KNN(2, local=4)),
    "gated": lambda: Gated(Window(2), KNN(3, local=2), gate_local=0.7),
    "gated matrix": lambda: Gated(Window(3), LinearAttention(), gate_memory=0.25),
    "learned gates": lambda: GatedDelta(Gate(WIDTH[0]).double(), Gate(WIDTH[0], 0.5).double()),
}

PICKED = ["knn", "knn, by distance"]

# the memory when nothing is ever forgotten, where there is such a limit
UNLIMITED = {
    "full": lambda: Full(),
    "window": lambda: Window(10_000),
    "window of one": lambda: Window(10_000),
    "window with sinks": lambda: Window(10_000, sinks=2),
} | {name: lambda: Hybrid(10_000, 2, 2) for name in MEMORIES if name.startswith("hybrid")}
UNLIMITED |= {
    name: lambda: Compressive(10_000, 2, 2, segment=4)
    for name in MEMORIES
    if name.startswith(("compressive", "transformer"))
}
UNLIMITED |= {name: lambda: KNN(10_000, local=0) for name in PICKED}
UNLIMITED["joint"] = lambda: Joint(Window(3), KNN(10_000, local=3))
UNLIMITED["joint by segments"] = lambda: Joint(Compressive(4, 0, 1), KNN(10_000, local=4))
UNLIMITED["hybrid, most used"] = lambda: Hybrid(10_000, 2, 2, MostUsed())
UNLIMITED["compressive, most used"] = lambda: Compressive(10_000, 2, 2, MostUsed(), segment=4)
