"""What lesson 04 needs and does not show."""

from __future__ import annotations

import math
import time
from functools import cache

import torch
import torch.nn.functional as F

from memlib import (
    KV,
    Full,
    Hybrid,
    MaxPool,
    MeanPool,
    Window,
    attend,
    attend_all,
    draw,
    join,
    lm,
    merge,
    recipe,
    state_bytes,
    states,
    tasks,
    view,
    widgets,
)
from memlib.lm import data
from memlib.lm.layers import turn, turns

DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
TEXT = "for key in old: pool"
MEMORY, SMALL = Hybrid(local=128, compressed=24, rate=4), Hybrid(local=4, compressed=2, rate=2)
OPENING = {
    "everything": Full(),
    "the newest 128": Window(128),
    "128 + means of 2": Hybrid(128, 48, 2),
    "128 + means of 4": MEMORY,
}
STRETCHES = {"raw": 20, "pooled": 120, "dropped": 260}  # bytes between fact and question
HELD, WAIT, FAIR, JOINED = 2, 1, math.log(3) + math.log(2), 25.0  # what the four puzzles ask for
SIZES = [32, 48, 64, 99, 128, 192, 256, 512]
RAW = [1, 8, 16, 24, 32, 40, 48]


# Does it still know?


@cache
def read_by_four() -> dict:
    """The same text through four memories: {name: OneFact}."""
    model, stream = lm.load("facts"), lm.stream(130, seed=0, own=DOOR)
    return {name: tasks.one_fact(m, model=model, stream=stream, at_once=True) for name, m in OPENING.items()}


def four_memories():
    """One fact, raw, then pooled, byte by byte."""
    seen = read_by_four()
    one = seen["everything"]
    held = {name: fact.recipe_dye.mean(0) for name, fact in seen.items()}
    says = {name: (fact.said, fact.right) for name, fact in seen.items()}
    return draw.memories(held, one.text, one.fact_span, says, title="Raw, then pooled: does it still know?")


@cache
def far_back():
    """The door code 270 bytes back through MEMORY: OneFact."""
    return tasks.one_fact(MEMORY, model=lm.load("facts"), stream=lm.stream(270, seed=1, own=DOOR), at_once=True)


@torch.no_grad()
def knows(memory, distance: int, count: int = 42) -> tuple[float, float]:
    """Shares of whole answers, and of first letters, that are right: facts that training has never shown."""
    some = [lm.stream(distance, seed) for seed in range(count)]
    longest = max(len(s.text) for s in some)
    rows = torch.stack([data.as_bytes(s.text.ljust(longest)).long() for s in some])
    guess, spans = lm.load("facts").reading(memory)(rows).argmax(-1), [s.answer_span for s in some]
    hits = [guess[i, a - 1 : b - 1] == rows[i, a:b] for i, (a, b) in enumerate(spans)]
    return sum(hit.all().item() for hit in hits) / count, sum(hit[0].item() for hit in hits) / count


@cache
def known() -> dict[str, tuple[float, float]]:
    """What comes out for 42 questions: {memory and stretch: (whole answers, first letters)}."""
    asked = {f"hybrid, {where}": (MEMORY, where) for where in STRETCHES}
    asked |= {"rate 2, pooled": (Hybrid(128, 48, 2), "pooled"), "window of 128": (Window(128), "pooled")}
    asked |= {"everything kept": (Full(), "pooled")}
    return {name: knows(memory, STRETCHES[where]) for name, (memory, where) in asked.items()}


def right_answers():
    """The same as a picture."""
    bars = {name: round(whole, 3) for name, (whole, _) in known().items()}
    return draw.bars(
        bars, y="right answers, of 42 questions", title="Asked while the fact is raw, pooled, dropped", top=1.15
    )


# The two tiers


@cache
def head() -> tuple:
    """q, k and v of TEXT in layer 1, head 2 of the Python model."""
    return tasks.heads(lm.load("stdlib"), TEXT, layer=1, head=2)


def story(t: int, local: int = 4, compressed: int = 2, rate: int = 2) -> str:
    """What happens at step t, in words."""
    evicted, new = max(t + 1 - local, 0), f"step {t}: '{draw.label(TEXT[t])}' enters"
    if not evicted:
        return new
    named = [f"'{draw.label(c)}'" for c in TEXT[:evicted]]
    if evicted % rate:
        return f"{new}, {named[-1]} is evicted and waits"
    dropped = "; the oldest slot is dropped" * (evicted // rate > compressed)
    return f"{new}, {named[-1]} is evicted; {' and '.join(named[-rate:])} become one{dropped}"


def two_tiers():
    """The film of SMALL."""
    q, k, v = head()
    parts = [SMALL.tiers(mem) for mem in states(SMALL, KV(k, v))]
    tiers = {name: [getattr(part, name).n for part in parts] for name in ("compressed", "staging", "local")}
    events, views = [story(t) for t in range(len(TEXT))], view(SMALL, q, k)
    title = "Four raw pairs, two slots, two pairs to a slot"
    return draw.film(recipe(SMALL, k), list(TEXT), views=views, tiers=tiers, events=events, title=title)


def by_hand(memory, values: list[float]) -> list[tuple]:
    """The tiers after each of the values, as lists."""
    x = torch.tensor(values)[:, None]
    walked = states(memory, KV(torch.zeros_like(x), x))
    return [tuple(part.v[:, 0].tolist() for part in memory.tiers(mem)) for mem in walked]


def moment(cls):
    """What a class of two tiers holds at a step, and what the query receives: a picture for a knob."""
    q, k, v = head()

    def picture(step: int, local: int, compressed: int, rate: int):
        mine = cls(local, compressed, rate)
        parts = [mine.tiers(mem) for mem in states(mine, KV(k, v))]
        tiers = {name: [getattr(part, name).n for part in parts] for name in ("compressed", "staging", "local")}
        title = f"{local} raw pairs, {compressed} slots of {rate}"
        return draw.moment(recipe(mine, k), list(TEXT), view(mine, q, k), step, tiers=tiers, title=title)

    return picture


@cache
def mass(memory, n: int = 160) -> torch.Tensor:
    """For each step the mass of each token, [steps, tokens]; a compressed slot counts `rate` times."""
    rows, walked = [], states(memory, KV(torch.zeros(n, 1), torch.eye(n)))
    for mem, slots in zip(walked, recipe(memory, torch.zeros(n, 1)), strict=True):
        pooled = memory.tiers(mem).compressed.n
        rows.append(memory.rate * slots[:pooled].sum(0) + slots[pooled:].sum(0))
    return torch.stack(rows)


SHAPE = Hybrid(32, 16, 4)


def nothing_is_lost():
    """How many tokens are held in some form, beside a window with the same room."""
    steps = list(range(160))
    lines = {"32 + 16 slots of 4": mass(SHAPE).sum(1).tolist(), "window of 51": [min(t + 1, 51) for t in steps]}
    lines = {name: (steps, y) for name, y in lines.items()}
    return draw.curves(lines, x="step", y="tokens held in some form", title="The same room, nearly twice the past")


# The weight of a slot

GROUP = KV(torch.tensor([[9.0], [1.0]]).log(), torch.tensor([[10.0], [30.0]]))
BESIDE = KV(torch.tensor([[2.0]]).log(), torch.tensor([[50.0]]))


def hand_reads() -> dict[str, float]:
    """What the worked example reads: raw, and with the group pooled in three ways."""

    def pooled(pool, bias: float = 0.0) -> KV:
        slot = pool(GROUP, 2)
        return join(KV(slot.k, slot.v, torch.full((1,), bias)), BESIDE)

    reads = {
        "full": join(GROUP, BESIDE),
        "mean": pooled(MeanPool()),
        "mean, count bias": pooled(MeanPool(), math.log(2)),
        "sum": pooled(MeanPool(rescale=True)),
    }
    return {name: attend(torch.ones(1, 1), slots).item() for name, slots in reads.items()}


def weights(score: float, matching: int) -> dict[str, float]:
    """The share of a group of four keys, `matching` of them with this score, the others 0, beside 8 raw keys of 0."""
    scores = torch.tensor([float(score)] * matching + [0.0] * (4 - matching))
    says = {
        "four raw keys: true": scores.exp().sum(),
        "mean key": scores.mean().exp(),
        "mean key, ln 4 added": 4 * scores.mean().exp(),
        "sum of the keys": scores.sum().exp(),
    }
    return {name: (x / (x + 8)).item() for name, x in says.items()}


def weight_of_a_slot(score: float, matching: int):
    """The same as a picture."""
    title = f"{matching} of four keys match with score {score:.1f}"
    return draw.bars(weights(score, matching), y="share of the group, beside 8 raw pairs", top=1.1, title=title)


# How many pairs can be found?


def at_best(n: int, local: int = 32, compressed: int = 16, rate: int = 4) -> float:
    """The share of n pairs that two tiers can find at best."""
    gone = n - local
    return (local + min(gone // rate, compressed) + gone % rate) / n


SUMS = Hybrid(32, 16, 4, MeanPool(rescale=True))
POOLS = {"mean keys": SHAPE, "mean keys, count bias": Hybrid(32, 16, 4, count_bias=True), "keys as sums": SUMS}
POOLS |= {"window of 51": Window(51)}


@cache
def recalled(name: str) -> list[float]:
    """The share of N pairs that are found, for N in SIZES."""
    return [tasks.recall(POOLS[name], n) for n in SIZES]


def predict_found():
    """The curve to sketch first."""
    title = "Right answers, 32 raw pairs and 16 slots of four"
    return widgets.predict(title, SIZES, recalled("keys as sums"), "right answers", True, "pairs stored (N)")


@cache
def found(memory, match: float = 800.0, n: int = 512, rows: int = 24, best: int = 1) -> torch.Tensor:
    """For each age the share of pairs found among the `best` nearest values; match: the score of the right key."""
    draws, width = torch.Generator().manual_seed(0), 64
    keys, values = (F.normalize(torch.randn(rows, n, width, generator=draws), dim=-1) for _ in range(2))
    keys = keys * width**0.5
    read = memory.read(memory.update(memory.init(KV(keys, values)), KV(keys, values)), match / width**0.5 * keys)
    nearest = (F.normalize(read, dim=-1) @ values.mT).topk(best, -1).indices
    return (nearest == torch.arange(n)[:, None]).any(-1).double().mean(0).flip(0)  # the newest first


def by_age() -> dict[str, list[float]]:
    """The share found at ages of 3 to 10, 11 to 18, ..., of 511 pairs, 24 rows."""
    three = {"window of 51": (Window(51), 1), "hybrid: the right one": (SUMS, 1), "hybrid: of the best four": (SUMS, 4)}
    return {name: found(m, n=511, best=best)[3:131].view(-1, 8).mean(1).tolist() for name, (m, best) in three.items()}


def found_by_age():
    """The same as a picture."""
    ages = list(range(7, 131, 8))
    lines = {name: (ages, y) for name, y in by_age().items()}
    return draw.curves(lines, x="age: pairs that came since", y="found", title="The same 51 answers, at other ages")


def pooled_found() -> dict[str, dict[int, float]]:
    """Of the pooled pairs alone, the share found at a match of 8 and of 800."""
    return {name: {m: found(POOLS[name], m)[32:96].mean().item() for m in (8, 800)} for name in list(POOLS)[:3]}


def three_kinds_of_key():
    """Right answers against N, for the three kinds of key and the window."""
    lines = {name: (SIZES, [n * x for n, x in zip(SIZES, recalled(name), strict=True)]) for name in POOLS}
    x, y = "pairs stored (N)", "right answers (share times N)"
    return draw.curves(lines, log_x=True, x=x, y=y, title="Every stored pair is asked for once")


# Two pasts, one state


@cache
def growing_alike() -> tuple[dict[str, list[float]], dict[str, float]]:
    """How far the reads of two pasts are apart, step by step through SMALL; and at the end with everything kept."""
    q, k, v = head()
    exact = KV((8 * k).round() / 8, (8 * v).round() / 8)  # eighths: halves are exact, so equal may mean bit for bit
    swap, shift = torch.tensor([1, 0, 3, 2, *range(4, 20)]), torch.zeros_like(v)
    shift[0], shift[1] = 4.0, -4.0
    pasts = {"A and B": KV(exact.k, exact.v[swap]), "A and C": KV(exact.k, exact.v + shift)}
    ask, first, apart = torch.randn(100, 32, generator=torch.Generator().manual_seed(0)), states(SMALL, exact), {}
    for name, past in pasts.items():
        both = zip(first, states(SMALL, past), strict=True)
        apart[name] = [(SMALL.read(a, ask) - SMALL.read(b, ask)).abs().max().item() for a, b in both]
    whole = {name: (attend(ask, exact) - attend(ask, past)).abs().max().item() for name, past in pasts.items()}
    return apart, whole


def two_pasts():
    """The same as a picture."""
    lines = {name: (list(range(20)), y) for name, y in growing_alike()[0].items()}
    return draw.curves(lines, x="step", y="largest difference of 100 reads", title="Two pasts become one")


def max_pool_is_blind() -> bool:
    """Whether a max pool takes two groups for one that differ in what is not the largest."""
    _, k, v = head()
    lower = torch.where(v[:2] < v[:2].amax(0), v[:2] - 5, v[:2])
    same = torch.equal(MaxPool()(KV(k[:2], lower), 2).v, MaxPool()(KV(k[:2], v[:2]), 2).v)
    return same and not torch.equal(lower, v[:2])


# Several memories, read together

A = KV(torch.tensor([[3.0], [3.0]]).log(), torch.tensor([[10.0], [20.0]]))
B = KV(torch.tensor([[2.0]]).log(), torch.tensor([[55.0]]))


@cache
def joined_and_mixed() -> dict[str, torch.Tensor]:
    """What each query of TEXT receives of each byte, from both tiers joined, and mixed by halves: [20, 20]."""
    (q, k, _), joined, mixed = head(), [], []
    for t, mem in enumerate(states(SMALL, KV(k, torch.eye(20)))):  # values: one mark a byte
        part, now = SMALL.tiers(mem), q[t : t + 1]
        a, b = attend(now, join(part.compressed, part.staging), lse=True), attend(now, part.local, lse=True)
        joined.append(merge(a, b)[0][0])
        mixed.append((0.5 * a[0] + 0.5 * b[0])[0])
    return {"joined": torch.stack(joined), "mixed by halves": torch.stack(mixed)}


def older_part() -> dict[str, list[float]]:
    """How much of it comes from the older tiers, query by query."""
    return {name: [x[t, : max(t - 3, 0)].sum().item() for t in range(20)] for name, x in joined_and_mixed().items()}


def from_the_older():
    """The same as a picture."""
    lines = {name: (list(range(20)), y) for name, y in older_part().items()}
    x, y = "query of byte", "share from the older tiers"
    return draw.curves(lines, x=x, y=y, title="Joined, the query decides; mixed, the weights do")


# What it costs


@cache
def most_bytes(memory, n: int, steps: int = 40) -> int:
    """The most bytes of one head of width 64 in the last steps up to n tokens."""
    past, new = (KV(torch.randn(m, 64), torch.randn(m, 64)) for m in (n - steps, 1))
    mem, size = memory.update(memory.init(past), past), 0
    for _ in range(steps):
        mem = memory.update(mem, new)
        size = max(size, state_bytes(mem))
    return size


KEEPERS = {"everything": Full(), "window of 51": Window(51), "32 + 16 slots of 4": SHAPE}


def what_is_kept():
    """Kilobytes of one head against the tokens read."""
    at = [64, 128, 256, 512, 1024]
    lines = {name: (at, [most_bytes(m, n) / 1024 for n in at]) for name, m in KEEPERS.items()}
    return draw.curves(lines, x="tokens read", y="kilobytes kept", title="What has to be kept, one head")


def time_of_a_step():
    """Milliseconds of an update and a read at 8,192 tokens, 8 heads, the median of forty."""
    bars = {name: _milliseconds(memory, 8192) for name, memory in KEEPERS.items()}
    return draw.bars(bars, y="milliseconds a token", title="Here and now, at 8,192 tokens")


def _milliseconds(memory, n: int, times: int = 40) -> float:
    past, new = (KV(torch.randn(8, m, 64), torch.randn(8, m, 64)) for m in (n - times, 1))
    mem, spent = memory.update(memory.init(past), past), []
    for _ in range(times):
        begin = time.perf_counter()
        mem = memory.update(mem, new)
        memory.read(mem, new.k)
        spent.append(1e3 * (time.perf_counter() - begin))
    return sorted(spent)[times // 2]


RIVALS = {
    "window of 99": Window(99),
    "window of 51": Window(51),
    "window of 32": Window(32),
    "32 + 16 slots of 4": SHAPE,
    "the same, count bias": POOLS["mean keys, count bias"],
    "the same, keys as sums": SUMS,
}


@cache
def pieces() -> torch.Tensor:
    """48 held-out rows of 256 bytes of Python text."""
    return data.batch(data.texts()[1], 256, 48, torch.Generator().manual_seed(1))


@cache
@torch.no_grad()
def bits_more() -> dict[str, float]:
    """Bits per byte of the Python model above those with everything kept, 48 rows."""
    model, rows = lm.load("stdlib"), pieces()

    def bits(memory) -> float:
        logits = model.reading(memory)(rows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item() / math.log(2)

    whole = bits(Full())
    return {name: bits(memory) - whole for name, memory in RIVALS.items()}


def quality():
    """The same as a picture."""
    bars = {name: round(x, 3) for name, x in bits_more().items()}
    y = "bits per byte more than with everything kept: lower is better"
    return draw.bars(bars, y=y, title="A pooled past in the place of a trained cache")


def left_of_four_keys() -> tuple[float, float]:
    """What the mean of four keys keeps of their squared length: turned by their places, and unturned."""
    model = lm.load("stdlib")
    turned = model.qkv(pieces()[:, :256])[1][1].k
    cos, sin = turns(torch.arange(256), turned.shape[-1], turned.dtype, model.config.rotary)
    kinds = (turned, turn(turned, (cos, -sin)))
    both = [k.unflatten(-2, (-1, 4)).mean(-2).square().sum(-1).mean() / k.square().sum(-1).mean() for k in kinds]
    return both[0].item(), both[1].item()


@cache
def by_layer() -> dict[str, float]:
    """Right answers to 42 questions, 120 bytes back, with the full cache in one layer alone."""
    little = Hybrid(32, 16, 4)  # reaches 99 tokens back at most: the fact is dropped
    layered = {f"everything in layer {i}": [Full() if i == j else little for j in range(3)] for i in range(3)}
    layered |= {"hybrid in all": [little] * 3, "everything in all": [Full()] * 3}
    told = {name: knows(each, 120)[0] for name, each in layered.items()}
    short = [Full() if j == 1 else Window(32) for j in range(3)]
    return told | {"everything in layer 1, windows of 32": knows(short, 120)[0]}


def which_layer():
    """The same as a picture."""
    return draw.bars(by_layer(), y="right answers", title="One layer looks up; there the pairs must stay raw", top=1.15)


# Move the border

KEYS = {
    "mean keys, count bias": (MeanPool(), True),
    "mean keys": (MeanPool(), False),
    "keys as sums": (MeanPool(rescale=True), False),
}


def split(raw: int, rate: int, keys: str) -> Hybrid:
    """48 slots, `raw` of them raw pairs."""
    pool, bias = KEYS[keys]
    return Hybrid(raw, 48 - raw, rate, pool, bias)


@cache
def topics() -> dict[int, tuple[float, float]]:
    """Measured over 128 trials, by raw pairs: right topics before the switch, and 60 steps after it."""
    world, found_ = {"steady": 512, "after": 64, "noise": 4.0, "trials": 128}, {}
    for raw in RAW:
        right = tasks.gist_and_drift(split(raw, 4, "mean keys, count bias"), **world)
        found_[raw] = (right[448:512].mean().item(), right[-8:].mean().item())
    return found_


def predict_topics():
    """The curve to sketch first."""
    y = [before for before, _ in topics().values()]
    return widgets.predict("Right topics with 48 slots", RAW, y, y="right answers", x_name="raw pairs among them")


def foretold(memory) -> tuple[float, float]:
    """Right topics before the switch, and 60 steps after it, from the memory's view alone."""
    ones, n = torch.ones(576, 16), 576
    right = tasks.gist_expected(attend_all(memory, ones, KV(ones, torch.eye(n))), 512, noise=4.0)
    return right[448:512].mean().item(), right[-8:].mean().item()


@cache
def trade(raw: int, rate: int, keys: str) -> dict[str, float]:
    """What 48 slots can do, `raw` of them raw pairs."""
    memory = split(raw, rate, keys)
    needle, (topic, later) = found(memory, n=320, rows=8, match=8), foretold(memory)
    some = {f"needle, {age} pairs back": needle[age - 5 : age + 6].mean().item() for age in (20, 60, 150)}
    return some | {"gist: the topic": topic, "drift: 60 steps after a switch": later}


def move_the_border(raw: int, rate: int, keys: str):
    """The same as a picture."""
    title = f"{raw} raw pairs and {48 - raw} slots of {rate}: {raw + rate * (48 - raw)} tokens"
    return draw.bars(trade(raw, rate, keys), y="right answers", top=1.1, title=title)
