"""What lesson 02 needs and does not show."""

from __future__ import annotations

import math
import time
from functools import cache

import torch

from memlib import (
    KV,
    CumulativeAverage,
    ExponentialAverage,
    Full,
    MovingAverage,
    Positive,
    WeightedAverage,
    Window,
    attend_all,
    draw,
    lm,
    recipe,
    state_bytes,
    states,
    tasks,
    view,
)
from memlib.lm import data

DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
THREE = {
    "mean of the newest 64": MovingAverage(64),
    "mean of everything": CumulativeAverage(),
    "fading mean": ExponentialAverage(0.02),
}
TEXT = "mean = total / count"
WORLD = {"steady": 256, "noise": 2.0}  # one topic for 256 steps, then another; noise twice as strong
SIZES = [2, 4, 8, 16, 32, 64, 128, 256]
STEPS = [*range(0, 320, 4), 319]
RIVALS = {
    "256 raw pairs": Window(256),
    "two vectors, mean of everything": CumulativeAverage(),
    "two vectors, fading": ExponentialAverage(0.05),
}
FILLING = torch.tensor([1, 1 / 2, 1 / 3, 1 / 4, 1 / 4, 1 / 4])  # what the three puzzles ask for
FADED, MEANS = torch.tensor([6.0, 6.0, 4.0]), torch.tensor([6.0, 6.0, 5.0])
STREAMS = ("needle", "gist", "drift")


def nothing(n: int, wide=torch.float32) -> torch.Tensor:
    """Keys of one number, for what looks at no key."""
    return torch.zeros(n, 1, dtype=wide)


# The fact


@cache
def read_by_three() -> dict:
    """The same text through three averages: {name: OneFact}."""
    model, stream = lm.load("facts"), lm.stream(150, seed=1, own=DOOR)
    return {name: tasks.one_fact(m, model=model, stream=stream, at_once=True) for name, m in THREE.items()}


@cache
def shares() -> dict[str, torch.Tensor]:
    """How much of each average's one slot is the fact, after each byte."""
    one = next(iter(read_by_three().values()))
    start, end = one.fact_span
    steps = {name: recipe(m, nothing(len(one.text.encode()))) for name, m in THREE.items()}
    return {name: torch.stack([slot[0, start:end].sum() for slot in slots]) for name, slots in steps.items()}


def three_averages():
    """One fact, three averages, byte by byte."""
    seen = read_by_three()
    one, says = next(iter(seen.values())), {name: (fact.said, fact.right) for name, fact in seen.items()}
    title = "How much of what each one keeps is the door code's sentence?"
    return draw.memories(shares(), one.text, one.fact_span, says, title=title, unit="fact")


@cache
def answers_of_moving(sizes: tuple[int, ...]) -> list[bool]:
    """Whether the model knows the code through means of so many pairs."""
    model, stream = lm.load("facts"), lm.stream(150, seed=1, own=DOOR)
    return [tasks.one_fact(MovingAverage(n), model=model, stream=stream, at_once=True).right for n in sizes]


PAIRS = [4, 8, 16, 32, 64, 128, 256]


@cache
def recalled() -> dict[str, list[float]]:
    """Random pairs, each asked for once: the share found, by how many there are."""
    kinds = {"one mean": CumulativeAverage(), "32 raw pairs": Window(32)}
    return {name: [tasks.recall(m, n) for n in PAIRS] for name, m in kinds.items()}


def one_answer_for_all():
    """Share of pairs that are found again, for one mean and for a window."""
    lines = {name: (PAIRS, found) for name, found in recalled().items()}
    return draw.curves(
        lines, x="pairs stored", y="right answers", log_x=True, title="Every stored pair is asked for once"
    )


# How averages weigh


@cache
def heads():
    """q, k and v of the text, one each a byte."""
    return tasks.heads(lm.load("stdlib"), TEXT, layer=1, head=2)


def at_one_stroke():
    """A moving average of 4 reads the text."""
    q, k, _ = heads()
    memory, n = MovingAverage(4), len(TEXT)
    events = [f"step {t}: {min(4, t + 1)} pairs in the mean, each 1/{min(4, t + 1)}" for t in range(n)]
    return draw.film(recipe(memory, k), list(TEXT), view(memory, q, k), events=events, title="A moving average of 4")


def it_fades():
    """An exponential average reads the text."""
    q, k, _ = heads()
    memory = ExponentialAverage(0.25)
    title = "An exponential average, rate 0.25: nothing leaves, all fades"
    return draw.film(recipe(memory, k), list(TEXT), view(memory, q, k), title=title)


def weights(memory, tokens: int = 20) -> torch.Tensor:
    """What the one slot holds of each token, oldest first."""
    return recipe(memory, nothing(tokens, torch.float64))[-1][0]


def by_age(pairs: int):
    """Three averages' weights after twenty tokens, by how long ago a token came."""
    rate = 2 / (pairs + 1)
    kinds = {
        f"moving, {pairs} pairs": MovingAverage(pairs),
        f"exponential, rate {rate:.2f}": ExponentialAverage(rate),
        "cumulative": CumulativeAverage(),
    }
    lines = {name: (list(range(20)), weights(m).flip(0)) for name, m in kinds.items()}
    return draw.curves(lines, x="tokens back", y="weight in the slot", title="What one slot holds after 20 tokens")


HAND = KV(torch.zeros(4, 1), torch.tensor([[8.0], [4.0], [6.0], [2.0]]))
BY_HAND = {
    MovingAverage(2): [8, 6, 5, 4],
    WeightedAverage((1.0, 3.0)): [8, 5, 5.5, 3],
    CumulativeAverage(): [8, 6, 6, 5],
    ExponentialAverage(0.5): [8, 6, 6, 4],
}


def steps_of(step, counted: bool = False) -> torch.Tensor:
    """The values 8, 4, 6, 2 by a learner's step: `step(mem, x)`, or `step(mem, x, t)` where it counts."""
    mem, held = 8.0, []
    for t, x in enumerate((4.0, 6.0, 2.0), start=1):
        mem = step(mem, x, t) if counted else step(mem, x)
        held.append(mem)
    return torch.tensor(held)


# Read and kept


def read_and_kept():
    """What a moving average keeps to go on, beside the one pair that is read, step by step."""
    n, x = len(TEXT), nothing(len(TEXT))
    rows = zip(recipe(Window(5), x), recipe(MovingAverage(5), x), strict=True)
    steps = [torch.cat([kept, read]) for kept, read in rows]
    tiers = {"what must be KEPT": [min(5, t + 1) for t in range(n)], "what is READ": [1] * n}
    events = [f"step {t}: {min(5, t + 1)} pairs are kept, their mean is read" for t in range(n)]
    title = "A moving average of 5: what it keeps, and what is read"
    alt = "Five pairs are kept, one by one. One pair is read: their mean."
    return draw.film(steps, list(TEXT), events=events, tiers=tiers, title=title, alt=alt)


@cache
def measured() -> dict[str, tuple[int, int]]:
    """{memory: (pairs read, bytes kept)} after 1,000 tokens of one head, 32 numbers a key, n = 256."""
    kinds = {
        "window": Window(256),
        "moving": MovingAverage(256),
        "weighted": WeightedAverage((1.0,) * 256),
        "cumulative": CumulativeAverage(),
        "exponential": ExponentialAverage(2 / 257),
    }
    kv = KV(torch.zeros(1000, 32), torch.zeros(1000, 32))
    ends = {name: (m, states(m, kv)[-1]) for name, m in kinds.items()}
    return {name: (m.slots(mem).n, state_bytes(mem)) for name, (m, mem) in ends.items()}


def bytes_kept():
    """A bar a memory: what it must keep."""
    kept = {name: size for name, (_, size) in measured().items()}
    return draw.bars(kept, y="bytes kept by one head", title="What must be kept to go on, n = 256", log=True)


# Gist and drift


def late(curve: torch.Tensor) -> float:
    """The mean of the last eight steps, 57 to 64 after the switch."""
    return curve[-8:].mean().item()


@cache
def after_switch() -> list[float]:
    """Right answers 64 steps after the topic changed, by pairs averaged."""
    return [late(tasks.gist_and_drift(MovingAverage(n), **WORLD)) for n in SIZES]


@cache
def foretold(memory, steps: int = 320) -> torch.Tensor:
    """The share of right answers at each step, computed from the memory's view alone."""
    return tasks.gist_expected(view(memory, nothing(steps), nothing(steps)), **WORLD)


@cache
def three_measured() -> dict[str, torch.Tensor]:
    """Right answers step by step, measured."""
    kinds = {"moving, 16": MovingAverage(16), "moving, 64": MovingAverage(64), "cumulative": CumulativeAverage()}
    return {name: tasks.gist_and_drift(m, **WORLD) for name, m in kinds.items()}


def step_by_step():
    """Three averages before and after the topic changes."""
    lines = {name: (STEPS, line[STEPS]) for name, line in three_measured().items()}
    return draw.curves(lines, x="step (the topic changes at 256)", y="right answers", title="Gist and drift, measured")


def by_rate(rate: float):
    """An exponential average of any rate, foretold."""
    kinds = {f"rate {rate:.3f}": ExponentialAverage(rate), "cumulative": CumulativeAverage()}
    lines = {name: (STEPS, foretold(m)[STEPS]) for name, m in kinds.items()}
    title = "An exponential average, foretold from its weights"
    fig = draw.curves(lines, x="step (the topic changes at 256)", y="right answers", title=title)
    return fig.update_yaxes(range=[-0.02, 1.05])


@cache
def contest() -> dict[tuple[str, str], float]:
    """Right answers of each rival on each stream."""
    gist = {"steady": 4096, "after": 0, "noise": 8.0, "trials": 64}
    found = {}
    for name, m in RIVALS.items():
        found["needle", name] = tasks.recall(m, 256)
        found["gist", name] = tasks.gist_and_drift(m, **gist)[-64:].mean().item()
        found["drift", name] = late(tasks.gist_and_drift(m, **WORLD))
    return found


def three_streams():
    """A bar a stream and rival."""
    bars = {f"{stream}: {name}": contest()[stream, name] for stream in STREAMS for name in RIVALS}
    return draw.bars(bars, y="right answers", title="Each is best once", top=1.1)


# Deeper


@cache
def in_bfloat16() -> dict[str, list[float]]:
    """The mean of 8,192 values around 0.99 in bfloat16, step by step: true, by the recursion, by sum and count."""
    x = (0.99 + 0.1 * torch.randn(8192, generator=torch.Generator().manual_seed(0))).bfloat16()
    mem, seen = torch.zeros((), dtype=x.dtype), []
    for t in range(len(x)):
        mem = (x[t] + t * mem) / (t + 1)
        seen.append(mem.item())
    true = (x.double().cumsum(0) / torch.arange(1, 8193)).tolist()
    good = attend_all(CumulativeAverage(), x[:, None], KV(x[:, None], x[:, None]))[:, 0].tolist()
    return {"true": true, "the recursion": seen, "float64 sum and a count": good}


def the_recursion_sinks():
    """The recursion and the library's way, against the tokens read."""
    at = [2**i for i in range(2, 14)]
    lines = {name: (at, [line[t - 1] for t in at]) for name, line in list(in_bfloat16().items())[1:]}
    return draw.curves(lines, x="tokens read", y="average", log_x=True, title="The same formula in bfloat16")


@cache
def frozen_mean() -> tuple[float, float]:
    """512 zeros, then ones, in bfloat16: what m + (x - m)/(t + 1) ends at, and what the library ends at."""
    x = (torch.arange(8192) >= 512).bfloat16()[:, None]
    mem = torch.zeros((), dtype=torch.bfloat16)
    for t in range(8192):
        mem = mem + (x[t, 0] - mem) / (t + 1)
    one = CumulativeAverage()
    return mem.item(), one.slots(one.update(one.init(KV(x, x)), KV(x, x))).v.item()


GAIN = 0.25


def miss(average, noisy, level) -> torch.Tensor:
    """The mean squared distance to the level, once sixteen pairs have come."""
    return (attend_all(average, noisy, KV(noisy, noisy)) - level)[:, 16:].square().mean()


@cache
def learned() -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Sixteen weights before and after 150 steps of gradient descent beside theory's; and what each average misses."""
    made, weigh = torch.Generator().manual_seed(0), Positive(16)
    level = (torch.randn(128, 80, 1, generator=made) * GAIN / math.sqrt(1 - GAIN)).cumsum(1)
    noisy = level + torch.randn(128, 80, 1, generator=made)
    average, before = WeightedAverage(weigh), weigh().detach()
    for _ in range(150):
        (slope,) = torch.autograd.grad(miss(average, noisy, level), weigh.free)
        weigh.free.data -= 10 * slope
    after, theory = weigh().detach(), GAIN * (1 - GAIN) ** torch.arange(16)
    rivals = {"learned": average, "exponential": ExponentialAverage(GAIN)}
    rivals |= {f"moving, {n}": MovingAverage(n) for n in (2, 4, 6, 8, 10, 16)}
    missed = {name: miss(m, noisy, level).item() for name, m in rivals.items()}
    return {"before": before / before.sum(), "learned": (after / after.sum()).flip(0), "theory": theory}, missed


def weights_learned():
    """The learned weights beside theory's."""
    lines = {name: (list(range(16)), shape) for name, shape in learned()[0].items()}
    return draw.curves(lines, x="tokens back", y="weight", title="Weights learned from examples alone")


@cache
@torch.no_grad()
def bits() -> dict[str, float]:
    """Bits per byte of the Python model on held-out text, every layer reading through a memory."""
    model, pieces = lm.load("stdlib"), data.batch(data.texts()[1], 256, 16, torch.Generator().manual_seed(1))
    readers = {
        "full cache": Full(),
        "window of 64": Window(64),
        "no past: window of 1": Window(1),
        "moving, 2": MovingAverage(2),
        "cumulative": CumulativeAverage(),
    }
    found = {}
    for name, memory in readers.items():
        logits = model.reading(memory)(pieces[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten())
        found[name] = loss.item() / math.log(2)
    return found


def in_a_trained_model():
    """A bar a memory: bits per byte."""
    return draw.bars(bits(), y="bits per byte", title="Averages in the place of a trained cache")


COSTS = {
    "full cache": Full(),
    "window of 256": Window(256),
    "moving, 256": MovingAverage(256),
    "cumulative": CumulativeAverage(),
}


def time_of_a_step():
    """Milliseconds of one update and read, 8 heads of 64 numbers, measured on this machine."""
    lengths = [256, 2048, 8192]
    lines = {name: (lengths, [_milliseconds(m, n) for n in lengths]) for name, m in COSTS.items()}
    return draw.curves(lines, x="tokens read", y="milliseconds a token", log_x=True, title="One update and read, now")


def _milliseconds(memory, n: int, times: int = 30) -> float:
    past, one = (KV(torch.randn(8, m, 64), torch.randn(8, m, 64)) for m in (n, 1))
    mem, spent = memory.update(memory.init(past), past), []
    for _ in range(times):
        begin = time.perf_counter()
        mem = memory.update(mem, one)
        memory.read(mem, one.k)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2] * 1e3
