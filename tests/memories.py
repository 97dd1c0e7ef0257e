"""The memories on which the laws run. A chapter adds its own line; an exemption names its reason."""

import torch

from memlib import (
    Compressive,
    ConvPool,
    CumulativeAverage,
    DeltaRule,
    DilatedPool,
    ExponentialAverage,
    Full,
    GatedDelta,
    Hybrid,
    LinearAttention,
    MaxPool,
    MeanPool,
    MostUsed,
    MovingAverage,
    Recurrent,
    WeightedAverage,
    Window,
)
from memlib.averages import Positive
from memlib.recurrent import Gate

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
    "learned gates": lambda: GatedDelta(Gate(WIDTH[0]).double(), Gate(WIDTH[0], 0.5).double()),
}

SUMMARIES = [name for name in MEMORIES if "average" in name or name in ("learned weights", "newest pair")]
MATRICES = ["linear attention", "delta rule", "half a delta", "gated delta", "learned gates"]
DELTAS = MATRICES[1:]
POOLED = [name for name in MEMORIES if name.startswith(("hybrid", "compressive", "transformer-xl"))]
NO_MEAN = [name for name in POOLED if name.endswith(("max", "learned", "dilated", "time"))]

# law -> {memory: why it does not hold there}
EXEMPT: dict[str, dict[str, str]] = {
    "chunks": {"compressive, most used": "attention is counted by the queries of a segment, all at once"},
    "attend_all": {
        name: "segments begin where a call begins: cut anywhere they are others; cut at segments, a test of its own"
        for name in POOLED if not name.startswith("hybrid")
    },
    "bounded": {"full": "it keeps every pair: that is what the others are measured against"},
    "read": dict.fromkeys(MATRICES, "its read is a product with S, no softmax over the rows it shows"),
    "new": dict.fromkeys(MATRICES, "its read is a product with S; chunks against the replay stand under attend_all"),
    "hull": {"gru": "a network's hidden state is no mean of values"}
    | dict.fromkeys(NO_MEAN, "its pool makes no mean of its pairs")
    | dict.fromkeys(DELTAS, "a correction takes the old value away: weights can be below 0"),
    "unlimited": {
        name: "a summary in one state: no setting of it keeps every pair" for name in (*SUMMARIES, *MATRICES, "gru")
    },
    "bias": {
        name: "a bias belongs to a slot of its own: refused, a test" for name in (*SUMMARIES, *MATRICES, "gru", *POOLED)
    },
    "repr": {"learned weights": "its repr shows a module", "gru": "its repr shows a module",
             "learned gates": "its repr shows a module"}
    | {name: "its repr shows a module" for name in POOLED if "learned" in name or "dilated" in name},
}  # fmt: skip

# the memory when nothing is ever forgotten, where there is such a limit
UNLIMITED = {
    "full": lambda: Full(),
    "window": lambda: Window(10_000),
    "window of one": lambda: Window(10_000),
    "window with sinks": lambda: Window(10_000, sinks=2),
} | {name: lambda: Hybrid(10_000, 2, 2) for name in POOLED if name.startswith("hybrid")}
UNLIMITED |= {name: lambda: Compressive(10_000, 2, 2, segment=4) for name in POOLED if name not in UNLIMITED}
UNLIMITED["hybrid, most used"] = lambda: Hybrid(10_000, 2, 2, MostUsed())
UNLIMITED["compressive, most used"] = lambda: Compressive(10_000, 2, 2, MostUsed(), segment=4)
