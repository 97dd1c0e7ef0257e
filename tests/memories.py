"""The memories on which the laws run. A chapter adds its own line; an exemption names its reason."""

import torch

from memlib import (
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    Full,
    GatedDelta,
    LinearAttention,
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
    "learned gates": lambda: GatedDelta(Gate(WIDTH[0]).double(), Gate(WIDTH[0], 0.5).double()),
}

SUMMARIES = [name for name in MEMORIES if "average" in name or name in ("learned weights", "newest pair")]
MATRICES = ["linear attention", "delta rule", "half a delta", "gated delta", "learned gates"]
DELTAS = MATRICES[1:]

# law -> {memory: why it does not hold there}
EXEMPT: dict[str, dict[str, str]] = {
    "bounded": {"full": "it keeps every pair: that is what the others are measured against"},
    "read": dict.fromkeys(MATRICES, "its read is a product with S, no softmax over the rows it shows"),
    "new": dict.fromkeys(MATRICES, "its read is a product with S; chunks against the replay stand under attend_all"),
    "hull": {"gru": "a network's hidden state is no mean of values"}
    | dict.fromkeys(DELTAS, "a correction takes the old value away: weights can be below 0"),
    "unlimited": {
        name: "a summary in one state: no setting of it keeps every pair" for name in (*SUMMARIES, *MATRICES, "gru")
    },
    "bias": {
        name: "a bias belongs to a slot of its own: refused, a test" for name in (*SUMMARIES, *MATRICES, "gru")
    },
    "repr": {"learned weights": "its repr shows a module", "gru": "its repr shows a module",
             "learned gates": "its repr shows a module"},
}  # fmt: skip

# the memory when nothing is ever forgotten, where there is such a limit
UNLIMITED = {
    "full": lambda: Full(),
    "window": lambda: Window(10_000),
    "window of one": lambda: Window(10_000),
    "window with sinks": lambda: Window(10_000, sinks=2),
}
