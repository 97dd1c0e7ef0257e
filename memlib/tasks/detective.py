"""A memory in a black box: which mechanism is it, and how large? Three kinds of evidence, and a guess.

    latency   microseconds for a token, after streams of different lengths
    view      what each query receives of each token, on real queries and keys of the Python model
    ask       what the answering model says through the box about a fact of one's own

A box is drawn from a seed; the same seed is the same box for good, for a class to solve together: the suspects stand
in a list that only grows, and a box is drawn among the first ten of them unless `among` says more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import torch
from torch import Tensor

from memlib import (
    KNN,
    KV,
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    Full,
    Hybrid,
    Joint,
    LinearAttention,
    MovingAverage,
    Window,
    lm,
    tasks,
    view,
)
from memlib.errors import whole
from memlib.lm import facts
from memlib.tasks import offered

TEXT = "for name, size in sorted(files): total += size  # the sum of all sizes, name by name"
LENGTHS = (256, 1024, 4096, 16384)


@dataclass(frozen=True)
class Suspect:
    """A mechanism: made of a size; `sizes` that a box may have (none where it has no size); what the size counts."""

    make: Callable
    sizes: tuple[int, ...] = ()
    counts: str = ""
    weights: str = "facts"  # the answering model that reads through it


BYTES = 5461  # of a head, for a suspect without a size: as on the leaderboard
SUSPECTS = {  # numbered from 0 by their order; a class of the library says its number itself, from 10 on
    "full cache": Suspect(lambda _: Full()),
    "window": Suspect(Window, (4, 8, 16, 24, 40), "pairs"),
    "window with 4 sinks": Suspect(lambda n: Window(n, sinks=4), (4, 8, 16, 24, 40), "newest pairs"),
    "moving average": Suspect(MovingAverage, (4, 8, 16, 24, 40), "pairs averaged"),
    "cumulative average": Suspect(lambda _: CumulativeAverage()),
    "exponential average": Suspect(lambda n: ExponentialAverage(1 / n), (2, 4, 8, 16), "1 / rate"),
    "hybrid cache, means of 4": Suspect(lambda n: Hybrid(n, 8, 4), (4, 8, 16, 24), "raw pairs"),
    "linear attention": Suspect(lambda _: LinearAttention(), weights="facts_linear"),
    "delta rule": Suspect(lambda _: DeltaRule(), weights="facts_delta"),
    "window of 8 and k-NN": Suspect(lambda k: Joint(Window(8), KNN(k, 8)), (1, 2, 4, 8), "pairs fetched"),
}
TEN = len(SUSPECTS)  # among whom a box is drawn
LISTED = offered.listed()
NUMBERED = sorted((kind.suspect, name) for name, kind in LISTED.items() if kind.suspect is not None)  # 10, 11, ...
SUSPECTS |= {name: Suspect(lambda _, kind=LISTED[name]: kind.at_bytes(BYTES)) for _, name in NUMBERED}


@dataclass(frozen=True)
class Solution:
    """Whether the mechanism and the size were named, and what was in the box."""

    mechanism: bool
    size: bool
    was: str

    def __bool__(self) -> bool:
        return self.mechanism and self.size

    def __repr__(self) -> str:
        said = "Solved" if self else "The mechanism is right, the size is not" if self.mechanism else "No"
        return f"{said}: it was a {self.was}."


class Box:
    """A memory drawn from a seed. It shows what it does, not what it is.

    >>> box = Box(seed=3)
    >>> box.view().shape
    torch.Size([84, 84])

    among: how many of the suspects it may be, the first so many of `SUSPECTS`. Raises ValueError for a seed that is no
    whole number >= 0, and for other numbers of suspects.
    """

    def __init__(self, seed: int = 0, among: int = TEN):
        whole("Box: seed", seed, 0)
        whole("Box: among", among, 1)
        if among > len(SUSPECTS):
            raise ValueError(f"Box: among must be at most {len(SUSPECTS)}, got {among}")
        self.seed, self.among = seed, among
        names = list(SUSPECTS)[:among]
        Random(f"boxes {seed // len(names)}").shuffle(names)  # as many boxes in a row are as many mechanisms
        self._name = names[seed % len(names)]
        self._size = Random(f"box {seed}").choice(SUSPECTS[self._name].sizes or (0,))

    def __repr__(self) -> str:
        return f"Box(seed={self.seed}{f', among={self.among}' * (self.among != TEN)})"

    @property
    def _memory(self):
        return SUSPECTS[self._name].make(self._size)

    @torch.no_grad()
    def latency(self, lengths=LENGTHS, turns: int = 30) -> dict[int, float]:
        """Microseconds for one token (its pair in, its read out; the median of `turns`) after each length of stream.

        8 heads of 64, one after the other length in turn, so that a busy machine is busy for all.
        """
        memory, runs = self._memory, {}
        for n in lengths:
            whole("latency: lengths", n, 1)
            kv = KV(*torch.randn(2, 8, n, 64))
            runs[n] = memory.update(memory.init(kv), kv)
        one, spent = KV(*torch.randn(2, 8, 1, 64)), {n: [] for n in lengths}
        for _ in range(turns):
            for n in lengths:
                begin = time.perf_counter()
                runs[n] = memory.update(runs[n], one)
                memory.read(runs[n], one.k)
                spent[n].append(time.perf_counter() - begin)
        return {n: sorted(x)[len(x) // 2] * 1e6 for n, x in spent.items()}

    def view(self, text: str = TEXT, layer: int = 1, head: int = 2) -> Tensor:
        """What the query of each byte receives of each byte: [bytes, bytes]."""
        q, k, _ = tasks.heads(lm.load("stdlib"), text, layer, head)
        return view(self._memory, q, k)

    def ask(
        self, distance: int = 100, statement: str = "The door code is 4711.", question: str = "what is the door code?"
    ) -> str:
        """What the answering model says when it reads the fact, `distance` bytes of talk, and the question.

        The answer is the last word of the statement. A matrix memory is read by a model that was trained with it.
        """
        own = facts.Fact(statement.strip(), question, statement.rstrip(".!? ").rpartition(" ")[2])
        stream = facts.stream(distance, seed=self.seed, own=own)
        weights = SUSPECTS[self._name].weights
        model = lm.load(weights)
        memory = self._memory if weights == "facts" else list(model.memories)
        return tasks.one_fact(memory, model=model, stream=stream).said

    def guess(self, mechanism: str, size: int | None = None) -> Solution:
        """Is it that? size: right within a quarter, and of no account where the mechanism has none.

        Raises ValueError for a mechanism that is none of `SUSPECTS`.
        """
        if mechanism not in SUSPECTS:
            raise ValueError(f"guess: mechanism must be one of {', '.join(SUSPECTS)}, got {mechanism!r}")
        what = f" of size {self._size} ({SUSPECTS[self._name].counts})" if self._size else ""
        close = not self._size or (size is not None and abs(size - self._size) <= self._size / 4)
        named = mechanism == self._name
        return Solution(named, named and close, self._name + what)


@lru_cache(maxsize=32)
def evidence(seed: int, among: int = TEN) -> tuple[dict[int, float], Tensor]:
    """Latency and view of a box, made once."""
    return Box(seed, among).latency(), Box(seed, among).view()
