"""All memories on all tasks at the same bytes: one score, from 0 to 1 a task, for any memory, a learner's own included.

    one fact     asked 16, 64 and 160 bytes later: the share of right answers of the answering model
    passkey      the same at five depths of a text of 320 bytes
    copy         a passage of 24 bytes comes again at once: the share of its bits that are saved
    recall       256 random pairs, each asked once: the share found
    re-binding   8 keys bound 8 times, in random order: the share whose newest value is read
    gist         a noisy topic of 256 steps: the share of the last 32 steps at which it is read
    drift        the same, 32 to 64 steps after the topic has changed
    text         bits per byte of held-out Python, as a share of the way from a window of one to the full cache

`LIMIT` is what may be kept: 64 KB in all 12 heads of the answering model, so 5,461 bytes a head, in every task. Bytes
are counted at every step, by `state_bytes`; the pairs of a segment that is still open count too.
`python -m memlib.tasks.experiments leaderboard lengths` measures all of `MEMORIES` and `LONG` with three seeds each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F

from memlib import (
    KNN,
    Compressive,
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    Full,
    GatedDelta,
    Hybrid,
    Joint,
    MeanPool,
    MostUsed,
    MovingAverage,
    Window,
    lm,
    tasks,
)
from memlib.lm import data, evaluate, facts
from memlib.tasks import offered
from memlib.tasks.growth import LENGTHS, LONG, at_length
from memlib.tasks.short_numbers import Half, Quarter
from memlib.tasks.weighing import Weighed

__all__ = [
    "HEADS",
    "LENGTHS",
    "LIMIT",
    "LONG",
    "MEMORIES",
    "TASKS",
    "WIDTH",
    "Half",
    "Quarter",
    "Score",
    "Weighed",
    "at_length",
    "four",
    "score",
]

LIMIT = 64 * 1024
HEADS = 12  # of the answering model: three layers of four
TASKS = ("one fact", "passkey", "copy", "recall", "re-binding", "gist", "drift", "text")
WIDTH = 32  # of keys and values, in the model and in the tasks without one


@dataclass(frozen=True, eq=False)
class Score:
    """What a memory did. tasks: {task: 0 to 1}; total: their mean; bits: per byte of held-out text.

    kept: the most bytes of state while a stream was read, in all heads; seconds: for a byte of that stream, in the
    whole model; pace: the same, measured beside the full cache, as a multiple of it; within: whether no state of any
    task was larger than `LIMIT`.
    """

    tasks: dict[str, float]
    bits: float
    kept: int
    seconds: float
    pace: float
    within: bool

    @property
    def total(self) -> float:
        """The mean of all tasks."""
        return sum(self.tasks.values()) / len(self.tasks)

    def plain(self) -> dict:
        """As numbers and names, for JSON."""
        rounded = {name: round(value, 4) for name, value in self.tasks.items()}
        return {
            "total": round(self.total, 4),
            "tasks": rounded,
            "bits_per_byte": round(self.bits, 4),
            "bytes_kept": self.kept,
            "within": self.within,
            "seconds_per_byte": self.seconds,
            "times_full_cache": round(self.pace, 3),
        }


def score(memory, seed: int = 0, weights: str = "facts", count: int = 24, turns: int = 3) -> Score:
    """A memory on all tasks. seed: of everything that is drawn; count: streams, passages and rows a task; turns: of the
    clock.

    memory: any memory, the same in each layer; or None with the name of `weights` that were trained with a memory of
    their own (the tasks without a model then take the first layer's). Every memory is walked step by step.
    """
    model = lm.load(weights)
    each = list(model.memories) if memory is None else [memory] * model.config.layers
    weighed = [Weighed(one) for one in each]
    reads = {"one fact": _one_fact(weighed, model, seed, count)}
    found = tasks.passkey(weighed, 320, count=max(count // 4, 1), seed=seed + 1, model=model)
    reads["passkey"] = sum(found.values()) / len(found)
    first, again = tasks.copy(weighed, passage=24, gap=0, count=count, seed=seed, model=model)
    reads["copy"] = _share(1 - again / first)
    alone = weighed[0] if memory is not None else Weighed(_for_tasks(each[0]))
    reads |= four(alone, seed, count)
    bits = _bits(model.reading(weighed), seed, count)
    most, least = _ends(seed, count)
    reads["text"] = _share((most - bits) / (most - least))
    timed = [(tasks.one_fact(each, 160, seed, model), tasks.one_fact(Full(), 160, seed, model)) for _ in range(turns)]
    kept = max(timed[0][0].state_bytes)
    seconds, pace = (
        sorted(x)[len(x) // 2]
        for x in zip(
            *[(a.seconds_per_byte, a.seconds_per_byte / b.seconds_per_byte) for a, b in timed],
            strict=True,
        )
    )
    heaviest = max(one.most[0] for one in (*weighed, alone))
    return Score(reads, bits, kept, seconds, pace, kept <= LIMIT and heaviest * HEADS <= LIMIT)


def four(memory, seed: int = 0, count: int = 24) -> dict[str, float]:
    """The four tasks that need no model, each from 0 to 1: recall, re-binding, gist, drift. Keys are of width 32.

    >>> four(Window(21))["recall"]  # 21 of 256
    0.08203125
    """
    topics = tasks.gist_and_drift(memory, trials=4 * count, seed=seed)
    return {
        "recall": tasks.recall(memory, 256, WIDTH, seed=seed),
        "re-binding": tasks.rebinding(memory, 8, 8, WIDTH, trials=4 * count, seed=seed, shuffled=True),
        "gist": topics[224:256].mean().item(),
        "drift": topics[288:320].mean().item(),
    }


def _share(x: float) -> float:
    return min(max(x, 0.0), 1.0)


def _one_fact(memories, model, seed: int, count: int) -> float:
    streams = [
        lm.stream(distance, seed * count + i, facts.KINDS[i % len(facts.KINDS)])
        for distance in (16, 64, 160)
        for i in range(count)
    ]
    marks = evaluate.right(model.reading(memories), streams)
    return sum(marks) / len(marks)


def _for_tasks(memory):
    """A memory that was learned in a model, without what it learned: its gates know the model's keys alone."""
    return {GatedDelta: lambda: GatedDelta(0.98, 1.0), DeltaRule: DeltaRule}.get(type(memory), lambda: memory)()


@torch.no_grad()
def _bits(model, seed: int, count: int, length: int = 192) -> float:
    _, held = data.texts()
    draw = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(held) - length - 1, (count, 1), generator=draw, device="cpu")
    rows = held[starts + torch.arange(length + 1, device="cpu")].long().to(model.embed.weight.device)
    return F.cross_entropy(model(rows[:, :-1]).mT, rows[:, 1:]).item() / math.log(2)


@lru_cache
def _ends(seed: int, count: int) -> tuple[float, float]:
    """Bits per byte with a window of one, and with the full cache."""
    model = lm.load("facts")
    return _bits(model.reading(Window(1)), seed, count), _bits(model.reading(Full()), seed, count)


SETTINGS = {  # chosen by hand; a string: weights that were trained with a memory of their own
    "window": lambda: Window(21),
    "window with sinks": lambda: Window(17, sinks=4),
    "window, 16 bits": lambda: Half(42),
    "window, 8 bits": lambda: Quarter(80),
    "moving average": lambda: MovingAverage(21),
    "cumulative average": CumulativeAverage,
    "exponential average": lambda: ExponentialAverage(0.05),
    "window and average": lambda: Joint(Window(19), CumulativeAverage()),
    "hybrid, mean of 2": lambda: Hybrid(10, 10, 2),
    "hybrid, mean of 2, rescaled": lambda: Hybrid(10, 10, 2, MeanPool(rescale=True)),
    "hybrid, mean of 4": lambda: Hybrid(10, 8, 4),
    "hybrid, most used of 2": lambda: Hybrid(8, 11, 2, MostUsed()),
    "Transformer-XL": lambda: Compressive(12, 0, 1, segment=6),
    "compressive, mean of 3": lambda: Compressive(6, 6, 3, segment=3),
    "delta rule, trained": "facts_delta",
    "gated delta, trained": "facts_gated",
    "linear attention, trained": "facts_linear",
    "window and k-NN": lambda: Joint(Window(17), KNN(4, 17)),
    "top-k sparse attention": lambda: KNN(21, 0),
    "full cache": Full,
}
MEMORIES = SETTINGS | offered.sized(LIMIT // HEADS)  # and what the library's classes say of themselves
