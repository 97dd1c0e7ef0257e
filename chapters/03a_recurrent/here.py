"""What lesson 03a needs and does not show: the networks that it trains, and what it measures of them."""

from __future__ import annotations

import time
from copy import deepcopy
from functools import cache

import torch
from torch.nn import GRUCell

from memlib import (
    KV,
    CumulativeAverage,
    ExponentialAverage,
    Full,
    MovingAverage,
    Recurrent,
    WeightedAverage,
    Window,
    attend_all,
    draw,
    influence,
    lm,
    recipe,
    state_bytes,
    tasks,
    view,
    widgets,
)

LETTERS = "abcdefgh"
SHORT = "bdfaCagebhfdAcfgbeah"
LONG = "bdfaCgebhfdcfgbeahbdgeacfhgbdafehcgd"  # one capital, the fifth; then small letters
TEXT = "Mem is made of Mem_pre."
DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
FOLDED, GATED, LEFT = 11.5, 0.125, 0.1 * 0.9**30  # what the three puzzles ask for
GAPS = [0, 1, 3, 10, 30, 100, 300, 1000]
MARKS = [100, 1000, 10_000, 100_000, 1_000_000]


def a_network() -> Recurrent:
    """A network for a key and a value of 32 together, as nobody has trained it."""
    torch.manual_seed(0)
    return Recurrent(GRUCell(64, 64))


# The task: letters go by, now and then a capital; at each step the newest capital is asked for


def pairs(letters, capital, spare: int = 0) -> KV:
    """Letters and capitals [*b, n] as pairs: a key of 2 numbers (and `spare` zeros), a value of 8."""
    one_hot = torch.nn.functional.one_hot
    return KV(one_hot(capital.long(), 2 + spare).float(), one_hot(letters, 8).float())


def spelled(text: str) -> KV:
    """The pairs of a text of letters a to h, small and capital."""
    return pairs(torch.tensor([LETTERS.index(c) for c in text.lower()]), torch.tensor([c.isupper() for c in text]))


@torch.no_grad()
def says(memory, kv: KV):
    """What the memory says at every step, as places of letters: the largest number of the value it reads."""
    q = torch.zeros_like(kv.k)
    q[..., 1] = 20  # it asks for capitals; one slot gives the same to any query
    return attend_all(memory, q, kv).argmax(-1)


def said(memory, text: str) -> str:
    """The same as letters."""
    return "".join(LETTERS[i] for i in says(memory, spelled(text)))


def _streams(rows: int, n: int, rate: float, draws, spare: int):
    letters, capital = torch.randint(8, (rows, n), generator=draws), torch.rand(rows, n, generator=draws) < rate
    last = torch.where(capital, torch.arange(n), -1).cummax(1).values
    return pairs(letters, capital, spare), torch.where(last < 0, -100, letters.gather(1, last.clamp(min=0)))


def _train(cell: GRUCell, n: int, rate: float, steps: int, rows: int, lr: float) -> Recurrent:
    """Trains it on streams of n letters: the error of every step goes back through all the updates before it."""
    adam, draws = torch.optim.Adam(cell.parameters(), lr), torch.Generator().manual_seed(n)
    for _ in range(steps):
        kv, right = _streams(rows, n, rate, draws, cell.hidden_size - 10)
        out = attend_all(Recurrent(cell), kv.k, kv)  # [rows, n, 8]
        loss = torch.nn.functional.cross_entropy(6 * out.flatten(0, 1), right.flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
        adam.step()
    return Recurrent(cell)


@cache
def network(name: str) -> Recurrent:
    """One of the four networks: "untrained", "trained on 40", "trained on 240", "trained on 40, 160 bytes"."""
    torch.manual_seed(0)
    if name == "trained on 240":
        return _train(deepcopy(network("trained on 40").cell), n=240, rate=0.015, steps=60, rows=16, lr=1e-2)
    cell = GRUCell(40, 40) if name.endswith("160 bytes") else GRUCell(10, 10)
    return Recurrent(cell) if name == "untrained" else _train(cell, n=40, rate=0.05, steps=200, rows=64, lr=3e-2)


@cache
def latch() -> Recurrent:
    """A network of the same size whose gate is set by hand: a small letter changes nothing, a capital everything."""
    made = Recurrent(GRUCell(10, 10))
    with torch.no_grad():
        for weight in made.cell.parameters():
            weight.zero_()
        made.cell.weight_ih[10:20, 0], made.cell.weight_ih[10:20, 1] = 100, -100  # z (rows 10 to 19): small, capital
        made.cell.weight_ih[20:30, 0:10] = 5 * torch.eye(10)  # n = tanh(5 x): the pair itself
    return made


# The pictures


@cache
def felt_along(name: str) -> torch.Tensor:
    """How strongly the read at each letter of LONG feels its capital, beside the moment when it feels it most."""
    memory = {"window of 1": Window(1), "average": ExponentialAverage(0.1)}.get(name) or network(name)
    kv = spelled(LONG)
    felt = influence(memory, kv, kv.k)[:, 4]
    return felt / felt.max()


OPENING = {"trained on 40": "a network, trained", "untrained": "a network, untrained", "average": "average, rate 0.1"}
OPENING |= {"window of 1": "the newest pair"}


def four_states():
    """One capital, four states of one pair each, letter by letter."""
    memories = {"window of 1": Window(1), "average": ExponentialAverage(0.1)}
    held, answers = {}, {}
    for name, title in OPENING.items():
        held[title], last = felt_along(name), said(memories.get(name) or network(name), LONG)[-1].upper()
        answers[title] = (last, last == "C")
    return draw.memories(held, LONG, (4, 5), answers, "One capital, four states of one pair", "of its strength")


@cache
def asked():
    """The answering model, each layer reading one pair that an untrained network rewrites: OneFact."""
    stream = lm.stream(150, seed=1, own=DOOR)
    return tasks.one_fact(a_network(), model=lm.load("facts"), stream=stream, at_once=True)


@cache
def felt_back() -> tuple[dict[str, torch.Tensor], tuple[int, int]]:
    """How strongly the state still feels each byte of that text, and where the fact stands."""
    kv = KV(*tasks.heads(lm.load("facts"), asked().text, layer=1, head=2)[1:])
    memories = {"network": a_network(), "average, rate 0.05": ExponentialAverage(0.05)}
    return {name: influence(memory, kv)[0] for name, memory in memories.items()}, asked().fact_span


def what_is_felt():
    """The same as a picture."""
    back, lines = list(range(1, 61)), felt_back()[0]
    lines = {name: (back, x.flip(0)[:60].log10().tolist()) for name, x in lines.items()}
    title = "How strongly the state still feels a byte"
    return draw.curves(lines, x="bytes back", y="influence, power of ten", title=title)


@cache
def by_four() -> list[torch.Tensor]:
    """What one pair holds of each byte of TEXT after each update with four bytes, at rate one half."""
    memory, mem, made = ExponentialAverage(0.5), None, []
    kv = KV(head()[1], torch.eye(len(TEXT)))
    for t in range(0, len(TEXT), 4):
        mem = memory.update(memory.init(kv) if mem is None else mem, kv[t : t + 4])  # S_kv: a segment of four pairs
        made.append(memory.slots(mem).v)
    return made


@cache
def head() -> tuple:
    """q, k and v of TEXT in a head of the answering model."""
    return tasks.heads(lm.load("facts"), TEXT, layer=1, head=2)


def six_updates():
    """The film of it."""
    events = [f"update {i}: {TEXT[4 * i : 4 * i + 4]!r} is folded in" for i in range(len(by_four()))]
    names = (
        "the text   ▼ now · filled: at least a millionth is left · outlined: less",
        "what the one slot holds of each byte (recipe)",
    )
    alt = "Film: six updates; at the end the newest byte has half of the slot, each older one half of the next."
    title = "Six updates in place of 23, the same state"
    return draw.film(by_four(), list(TEXT), events=events, title=title, names=names, alt=alt)


def folded(memory, *segments) -> float:
    """What is read after segments of numbers have been folded in, one update a segment."""
    mem = memory.init(KV(torch.zeros(1, 1), torch.zeros(1, 1)))
    for segment in segments:
        x = torch.tensor(segment)[:, None]
        mem = memory.update(mem, KV(x, x))
    return memory.slots(mem).v.item()


class Segments:
    """A memory that tells what happens to it; with `segment` it is read before it is updated."""

    linear_in_values = True

    def __init__(self, memory, segment: int | None = None):
        self.memory, self.segment, self.events = memory, segment, []
        self.init, self.slots = memory.init, memory.slots

    def update(self, mem, new, q=None):
        """The memory's own."""
        self.events.append(f"update with {new.n}")
        return self.memory.update(mem, new)

    def read(self, mem, q, new=None, lse=False):
        """The memory's own, the pairs `new` behind its slots."""
        self.events.append(f"read by {q.shape[-2]}")
        return self.memory.read(mem, q, new, lse)


@cache
def both_orders() -> dict[str, tuple[list[str], torch.Tensor]]:
    """Token form and segment form of one average: {form: (the events, the view)}."""
    q, k, _ = head()
    forms = {"token form": Segments(CumulativeAverage()), "segment form": Segments(CumulativeAverage(), segment=4)}
    views = {name: view(memory, q, k) for name, memory in forms.items()}
    return {name: (memory.events, views[name]) for name, memory in forms.items()}


def order_of_events(form: str):
    """The view of one of the two forms, and how its events begin."""
    events, seen = both_orders()[form]
    return draw.view(seen, list(TEXT), title=f"{form}: {', '.join(events[:4])} …")


@cache
def room_and_felt() -> dict[str, tuple[float, int, bool]]:
    """For eight memories: the pairs there is room for, how many of 200 move the state, and whether it grows."""
    torch.manual_seed(0)
    memories = {
        "full cache": Full(),
        "window of 64": Window(64),
        "moving average of 64": MovingAverage(64),
        "moving average of 2": MovingAverage(2),
        "weighted average of 64": WeightedAverage(torch.ones(64)),
        "cumulative average": CumulativeAverage(),
        "exponential average": ExponentialAverage(0.03),
        "network (GRU)": a_network(),
    }
    many, found = KV(torch.randn(200, 32), torch.randn(200, 32)), {}
    altered = KV(many.k.expand(200, -1, -1), many.v + torch.eye(200)[..., None])  # row t: pair t has another value
    with torch.no_grad():
        for name, memory in memories.items():
            early, mem, others = (memory.update(memory.init(x), x) for x in (many[:100], many, altered))
            felt = ((memory.slots(others).v - memory.slots(mem).v).abs().amax((1, 2)) > 1e-6).sum().item()
            found[name] = (state_bytes(mem) / (2 * 32 * 4), felt, state_bytes(mem) > state_bytes(early))
    return found


def sorted_out():
    """How many pairs each state feels for one pair of its room."""
    bars = {name: round(felt / room, 2) for name, (room, felt, _) in room_and_felt().items()}
    return draw.bars(bars, y="pairs felt, for each pair of room", title="Above 1: it folds")


@cache
def shares_felt() -> torch.Tensor:
    """Each letter's share of all that the trained network feels at each step of SHORT."""
    kv = spelled(SHORT)
    felt = influence(network("trained on 40"), kv, kv.k)
    return felt / felt.sum(1, keepdim=True)


def newest_capital():
    """The film of it."""
    share, told = shares_felt(), said(network("trained on 40"), SHORT)
    events = [f"step {t}: '{c}' is read, the memory says '{told[t].upper()}'" for t, c in enumerate(SHORT)]
    names = (
        "the stream   ▼ now · filled: felt, at least 5 % · outlined: felt less",
        "the one slot, by what it feels of each letter (influence)",
    )
    alt = (
        f"Film of influence: 20 letters; after 'C' at step 4 the state feels 'C' most ({share[11, 4]:.0%} at step 11), "
    )
    alt += f"after 'A' at step 12 'A' ({share[-1, 12]:.0%} at the end)."
    shown = [row[None] * (row >= 0.05) for row in share]
    title = "A trained network keeps the newest capital"
    return draw.film(shown, list(SHORT), events=events, title=title, names=names, alt=alt)


def your_stream(text: str, small_letters_behind: int):
    """What three memories feel of a typed stream, and what they say."""
    text = "".join(c for c in text if c.lower() in LETTERS)[:20] or "A"
    text += ("bgehdcfa" * 12)[:small_letters_behind]
    kv, rows = spelled(text), {}
    three = {"untrained": network("untrained"), "trained": network("trained on 40"), "average": ExponentialAverage(0.1)}
    for name, memory in three.items():
        one = influence(memory, kv)[0]
        rows[f"{name}: says {said(memory, text)[-1].upper()}"] = one / one.sum()
    shares = torch.stack(list(rows.values()))
    return draw.influence(shares, list(text), list(rows), title="Share of what the last state feels")


def what_decides(text: str = SHORT) -> list[float]:
    """Place by place: how often another letter of the same size there changes the trained network's answer."""
    memory, shares = network("trained on 40"), []
    end = said(memory, text)[-1]
    for place, letter in enumerate(text):
        others = LETTERS.upper() if letter.isupper() else LETTERS
        ends = [said(memory, text[:place] + c + text[place + 1 :])[-1] for c in others]
        shares.append(sum(one != end for one in ends) / 7)
    return shares


def accuracy(memory, longest: int = 1000, rows: int = 200, before: int = 20, spare: int = 0) -> list[float]:
    """The share of right answers at each gap behind one capital, `before` small letters in front of it."""
    draws, n = torch.Generator().manual_seed(5), before + 1 + longest
    letters, capital = torch.randint(8, (rows, n), generator=draws), torch.zeros(rows, n)
    capital[:, before] = 1
    right = (says(memory, pairs(letters, capital, spare)) == letters[:, before : before + 1]).double().mean(0)
    return [right[before + gap].item() for gap in GAPS if gap <= longest]


@cache
def accuracies() -> dict[str, list[float]]:
    """The same for all memories of the chapter, 200 streams each."""
    found = {name: accuracy(network(name)) for name in ("trained on 40", "trained on 240", "untrained")}
    found["trained on 40, 160 bytes"] = accuracy(network("trained on 40, 160 bytes"), spare=30)
    found["average, rate 0.1"] = accuracy(ExponentialAverage(0.1))
    found["the newest pair"] = accuracy(Window(1))
    found["full cache"] = accuracy(Full(), 300, rows=20)
    return found


def predict_accuracy():
    """The curve to sketch first."""
    title = "Right answers of the trained network"
    return widgets.predict(
        title, GAPS[1:], accuracies()["trained on 40"][1:], "right answers", True, "small letters since"
    )


def how_long():
    """The curves of those that tell something."""
    shown = {name: y for name, y in accuracies().items() if name not in ("untrained", "the newest pair")}
    lines = {name: (GAPS[1 : len(y)], y[1:]) for name, y in shown.items()}
    return draw.curves(
        lines, log_x=True, x="small letters since the capital", y="right answers", title="Remember one capital"
    )


@cache
def drifting_together() -> tuple[dict[str, torch.Tensor], KV]:
    """How far apart the reads of two streams are that differ in one capital; the first network's two last states."""
    small = torch.randint(8, (3000,), generator=torch.Generator().manual_seed(1))
    both = torch.stack([torch.cat([torch.tensor([capital]), small]) for capital in (0, 4)])  # A or E, then the same
    pasts, apart = pairs(both, torch.arange(3001).expand(2, -1) == 0), {}
    memories = {name: network(name) for name in ("trained on 40", "trained on 240")}
    with torch.no_grad():
        for name, memory in (memories | {"average, rate 0.1": ExponentialAverage(0.1)}).items():
            one, other = attend_all(memory, pasts.k, pasts)
            apart[name] = (one - other).norm(dim=-1)
        first = memories["trained on 40"]
        return apart, first.update(first.init(pasts), pasts)


def two_streams():
    """The same as a picture."""
    at = [1, 3, 10, 30, 100, 300, 1000, 3000]
    lines = {name: (at, x[at].clamp(min=1e-9).log10().tolist()) for name, x in drifting_together()[0].items()}
    x, y = "small letters since 'A' or 'E'", "distance of the two reads, power of ten"
    return draw.curves(lines, x=x, y=y, log_x=True, title="Two streams that differ in one capital")


class AtOnce(Recurrent):
    """The same memory for a cell whose gates look at the new pair alone: a segment is folded in without a loop."""

    def update(self, mem, new, q=None):
        """One product and one sum in the place of the walk."""
        _, z, n = (torch.cat([new.k, new.v], -1) @ self.cell.weight_ih.T).chunk(3, -1)
        z, n = torch.sigmoid(z), torch.tanh(n)
        before = z.flip(0).cumprod(0).flip(0)  # what stays of the state before letter t: z_t ... z_T
        behind = torch.cat([before[1:], torch.ones(1, 10)])  # and of the state behind it
        old = torch.cat([mem.k, mem.v], -1) if mem.n else torch.zeros(1, 10)
        h = before[:1] * old + (behind * (1 - z) * n).sum(0, keepdim=True)
        return KV(h[:, :2], h[:, 2:])


RUNNING = {
    "gate set by hand": AtOnce(latch().cell),
    "average, rate 0.1": ExponentialAverage(0.1),
    "cumulative average": CumulativeAverage(),
}


@cache
@torch.no_grad()
def a_million() -> tuple[dict, dict[str, str]]:
    """A C, then a million small letters, in segments of 10,000: the last states, and what is said at each mark."""
    first, draws = spelled("C"), torch.Generator().manual_seed(0)
    mems = {name: memory.update(memory.init(first), first) for name, memory in RUNNING.items()}
    told = dict.fromkeys(RUNNING, "")
    for since, mark in zip([0, *MARKS[:-1]], MARKS, strict=True):
        for part in torch.randint(8, (mark - since,), generator=draws).split(10_000):
            kv = pairs(part, torch.zeros(len(part)))
            mems = {name: RUNNING[name].update(mem, kv) for name, mem in mems.items()}
        for name, mem in mems.items():
            told[name] += LETTERS[RUNNING[name].slots(mem).v[0].argmax()].upper()
    return mems, told


def bytes_of_a_million():
    """What is kept: everything, or one state."""
    sizes = {
        "full cache": [40.0 * mark for mark in MARKS],
        "one state": [float(state_bytes(states_of_a_million()))] * 5,
    }
    lines = {name: (MARKS, torch.tensor(size).log10().tolist()) for name, size in sizes.items()}
    x, y = "letters read", "bytes, power of ten"
    return draw.curves(lines, x=x, y=y, log_x=True, title="40 megabytes, or 40 bytes")


def states_of_a_million() -> KV:
    """The last state of the network with its gate set by hand."""
    return a_million()[0]["gate set by hand"]


@cache
@torch.no_grad()
def in_turn(n: int = 20_000) -> tuple[KV, KV, list[float]]:
    """A C and n small letters one by one and by segments: both last states, microseconds a letter of both."""
    kv, last, spent = pairs(torch.arange(n) % 8, torch.zeros(n)), [], []
    for memory in (latch(), AtOnce(latch().cell)):
        mem, begin = memory.update(memory.init(kv), spelled("C")), time.perf_counter()
        last.append(memory.update(mem, kv))
        spent.append((time.perf_counter() - begin) / n * 1e6)
    return last[0], last[1], spent


def time_of_a_letter():
    """Microseconds a letter, measured now."""
    one, many = in_turn()[2]
    return draw.bars(
        {"letter by letter": one, "a segment at once": many}, y="microseconds a letter", title="Here and now"
    )


def weights_of_cumulative(n: int = 1000) -> torch.Tensor:
    """What a cumulative average holds of each of n letters."""
    return recipe(CumulativeAverage(), torch.zeros(n, 1))[-1]
