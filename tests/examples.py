"""The memories on which the laws run. A chapter adds its own line; an exemption names its reason."""

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
    "knn": lambda: KNN(3, local=0),
    "knn, by distance": lambda: KNN(2, local=1, metric="dist2"),
    "joint": lambda: Joint(Window(2), KNN(3, local=2)),
    "joint, three": lambda: Joint(Window(1), CumulativeAverage(), Hybrid(2, 2, 2)),
    "joint by segments": lambda: Joint(Compressive(4, 2, 2, segment=3), KNN(2, local=4)),
    "gated": lambda: Gated(Window(2), KNN(3, local=2), gate_local=0.7),
    "gated matrix": lambda: Gated(Window(3), LinearAttention(), gate_memory=0.25),
    "learned gates": lambda: GatedDelta(Gate(WIDTH[0]).double(), Gate(WIDTH[0], 0.5).double()),
}

SUMMARIES = [name for name in MEMORIES if "average" in name or name in ("learned weights", "newest pair")]
MATRICES = ["linear attention", "delta rule", "half a delta", "gated delta", "learned gates"]
DELTAS = MATRICES[1:]
POOLED = [name for name in MEMORIES if name.startswith(("hybrid", "compressive", "transformer-xl"))]
PICKED = ["knn", "knn, by distance"]
TOGETHER = ["joint", "joint, three", "joint by segments", "gated", "gated matrix"]
NO_MEAN = [name for name in POOLED if name.endswith(("max", "learned", "dilated", "time"))]

# law -> {memory: why it does not hold there}
EXEMPT: dict[str, dict[str, str]] = {
    "chunks": {"compressive, most used": "attention is counted by the queries of a segment, all at once"},
    "attend_all": {
        name: "segments begin where a call begins: cut anywhere they are others; cut at segments, a test of its own"
        for name in (*POOLED, "joint by segments")
        if not name.startswith("hybrid")
    },
    "bounded": {"full": "it keeps every pair: that is what the others are measured against"}
    | {name: "a datastore of the own past grows" for name in (*PICKED, "joint", "joint by segments", "gated")},
    "read": dict.fromkeys(MATRICES, "its read is a product with S, no softmax over the rows it shows")
    | dict.fromkeys((*PICKED, "joint", "joint by segments"), "of its slots it reads the k nearest; tests of its own")
    | {name: "two reads and a gate are no one softmax; tests of its own" for name in ("gated", "gated matrix")},
    "new": dict.fromkeys(MATRICES, "its read is a product with S; chunks against the replay stand under attend_all")
    | dict.fromkeys((*PICKED, "joint", "joint by segments"), "of its slots it reads the k nearest; tests of its own")
    | {name: "two reads and a gate are no one softmax; tests of its own" for name in ("gated", "gated matrix")},
    "hull": {"gru": "a network's hidden state is no mean of values"}
    | dict.fromkeys(NO_MEAN, "its pool makes no mean of its pairs")
    | dict.fromkeys(DELTAS, "a correction takes the old value away: weights can be below 0"),
    "unlimited": {
        name: "a summary in one state: no setting of it keeps every pair" for name in (*SUMMARIES, *MATRICES, "gru")
    }
    | {name: "two softmaxes are not one, however much is kept" for name in ("gated", "gated matrix", "joint, three")},
    "bias": {
        name: "a bias belongs to a slot of its own: refused, a test"
        for name in (*SUMMARIES, *MATRICES, "gru", *POOLED, *PICKED, *TOGETHER)
    },
    "repr": {
        "learned weights": "its repr shows a module",
        "gru": "its repr shows a module",
        "learned gates": "its repr shows a module",
    }
    | {name: "its repr shows a module" for name in POOLED if "learned" in name or "dilated" in name},
}

# the memory when nothing is ever forgotten, where there is such a limit
UNLIMITED = {
    "full": lambda: Full(),
    "window": lambda: Window(10_000),
    "window of one": lambda: Window(10_000),
    "window with sinks": lambda: Window(10_000, sinks=2),
} | {name: lambda: Hybrid(10_000, 2, 2) for name in POOLED if name.startswith("hybrid")}
UNLIMITED |= {name: lambda: Compressive(10_000, 2, 2, segment=4) for name in POOLED if name not in UNLIMITED}
UNLIMITED |= {name: lambda: KNN(10_000, local=0) for name in PICKED}
UNLIMITED["joint"] = lambda: Joint(Window(3), KNN(10_000, local=3))
UNLIMITED["joint by segments"] = lambda: Joint(Compressive(4, 0, 1), KNN(10_000, local=4))
UNLIMITED["hybrid, most used"] = lambda: Hybrid(10_000, 2, 2, MostUsed())
UNLIMITED["compressive, most used"] = lambda: Compressive(10_000, 2, 2, MostUsed(), segment=4)
