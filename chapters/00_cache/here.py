"""What lesson 00 needs and does not show."""

from __future__ import annotations

import math
import time
from functools import cache

import torch

from memlib import KNN, KV, CumulativeAverage, Full, Joint, Window, attend, draw, lm, states, tasks

MEMORIES = {
    "everything": Full(),
    "the newest 64": Window(64),
    "one average": CumulativeAverage(),
    "64 + look-up": Joint(Window(64), KNN(8, 64)),
}
DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
THREE = KV(torch.tensor([[1.0], [2.0], [5.0]]).log(), torch.tensor([[8.0], [16.0], [40.0]]))
SCORES = torch.tensor([2.0, 0.0, 2.0]) / math.sqrt(2)  # what the three puzzles ask for
SHARES = torch.softmax(torch.tensor([0.0, 1.0, 2.0]), 0)
READ = 30.0
KEYS = {"k₀": 20.0, "k₁": 140.0, "k₂": 250.0}  # degrees; all two long


@cache
def read_by_four() -> dict:
    """The same text through each memory: {name: OneFact}."""
    model, stream = lm.load("facts"), lm.stream(150, seed=1, own=DOOR)
    return {name: tasks.one_fact(memory, model=model, stream=stream, at_once=True) for name, memory in MEMORIES.items()}


def four_memories():
    """One fact, four memories, byte by byte."""
    seen = read_by_four()
    one = seen["everything"]
    held = {name: fact.recipe_dye.mean(0) for name, fact in seen.items()}
    says = {name: (fact.said, fact.right) for name, fact in seen.items()}
    return draw.memories(held, one.text, one.fact_span, says, title="One fact, four memories: does it still know?")


def arrow(degrees: float, length: float = 2.0) -> torch.Tensor:
    """A vector of two numbers that points there."""
    return length * torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def one_key(angle: float):
    """A query and a key; the key is turned."""
    q, k = arrow(30.0), arrow(angle)
    says = f"q · k = {q @ k:.2f}. It is largest where both point the same way, 0 at a right angle, negative beyond."
    return draw.arrows({"q asks": q, "k offers": k}, title=f"q · k = {q @ k:.2f}", says=says, reach=2.6)


def three_keys(angle: float):
    """Three keys that stand still and a query that turns: each key's share."""
    q, keys = arrow(angle), torch.stack([arrow(degrees) for degrees in KEYS.values()])
    shares = torch.softmax(keys @ q / math.sqrt(2), 0).tolist()
    named = {f"{name} {share:.0%}": key for name, share, key in zip(KEYS, shares, keys, strict=True)}
    told = ", ".join(f"{name} {share:.0%}" for name, share in zip(KEYS, shares, strict=True))
    return draw.arrows({"q": q} | named, title="How q shares its attention", says=f"Shares: {told}.", reach=2.8)


@cache
def spreads(divide: bool) -> tuple[list[int], list[float]]:
    """How far products of random vectors spread, by their width; with `divide` over the root of the width."""
    made, widths = torch.Generator().manual_seed(0), [2, 8, 32, 128, 512]
    found = []
    for d in widths:
        q, k = torch.randn(2, 4000, d, generator=made)
        found.append(float(((q * k).sum(-1) / (math.sqrt(d) if divide else 1)).std()))
    return widths, found


def why_the_root():
    """The spread of q · k against the width, as it is and divided."""
    lines = {"q · k": spreads(False), "q · k / √d": spreads(True)}
    return draw.curves(
        lines, x="numbers in q and k", y="typical size", log_x=True, title="Wide vectors, large products"
    )


def weights_of(query: float):
    """The three pairs of the worked example under another query."""
    shares = torch.softmax(query * THREE.k[:, 0], 0).tolist()
    bars = {f"pair {i}: value {v}": w for i, (v, w) in enumerate(zip((8, 16, 40), shares, strict=True))}
    return draw.bars(bars, y="weight", top=1, title=f"query {query:.1f} reads {read_with(query):.1f}")


def read_with(query: float) -> float:
    """What a query of one number reads from the three pairs."""
    return attend(torch.full((1, 1), float(query)), THREE).item()


def one_head(text: str, layer: int, head: int):
    """q, k and v of a text in one head of the model."""
    return draw.keys(*tasks.heads(lm.load("facts"), text, layer, head), [bytes([b]) for b in text.encode()])


def right_answers() -> dict[int, float]:
    """Bytes between fact and question -> share of right answers (python -m memlib.lm.evaluate facts)."""
    return {int(far): share["all"] for far, share in lm.card("facts")["right_answers"].items()}


def having_is_not_finding():
    """Right answers against distance, every fact whole in the cache."""
    shares = right_answers()
    lines = {"full cache": (list(shares), list(shares.values()))}
    return draw.curves(
        lines, x="bytes between fact and question", y="right answers", log_x=True, title="Having is not finding"
    )


def pairs_read(memory, n: int) -> list[int]:
    """How many pairs each of n tokens reads."""
    return [memory.slots(mem).n for mem in states(memory, KV(torch.zeros(n, 1), torch.zeros(n, 1)))]


def constant_cost(n: int = 200, size: int = 64):
    """Pairs read by each token, and by all so far, with everything and with a window."""
    x = list(range(1, n + 1))
    lines = {"everything": (x, pairs_read(Full(), n)), f"the newest {size}": (x, pairs_read(Window(size), n))}
    return draw.curves(lines, x="token", y="pairs it reads", title="What one more token costs")


def time_of_a_read():
    """Milliseconds of one read over more and more pairs, 8 heads, the median of thirty."""
    lengths = [1024, 4096, 8192, 16384]
    lines = {"time of one read": (lengths, [_milliseconds(n) for n in lengths])}
    return draw.curves(lines, x="pairs in the cache", y="milliseconds", title="One token's read, measured here")


def _milliseconds(n: int, times: int = 30) -> float:
    kv, one, spent = KV(torch.randn(8, n, 64), torch.randn(8, n, 64)), torch.randn(8, 1, 64), []
    for _ in range(times):
        begin = time.perf_counter()
        attend(one, kv)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2] * 1e3
