"""What lesson 03b needs and does not show."""

from __future__ import annotations

import time
from functools import cache

import torch
import torch.nn.functional as F

from memlib import (
    KV,
    DeltaRule,
    Full,
    GatedDelta,
    LinearAttention,
    Window,
    attend_all,
    draw,
    lm,
    outputs,
    recipe,
    state_bytes,
    states,
    tasks,
    view,
)
from memlib.tasks import experiments

DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
TRAINED = {
    "full cache": "facts",
    "linear attention": "facts_linear",
    "delta rule": "facts_delta",
    "gated delta rule": "facts_gated",
}
TEXT = "The door code is 4711."
KEYS, VALUES = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[3.0, 1.0], [0.0, 5.0]])
SUMMED = torch.tensor([[3.0, 4.0], [0.0, 4.0]])  # what the three puzzles ask for
ANSWERED = torch.tensor([3.0, 4.0])
CORRECTED = torch.tensor([[1.92, 3.64], [-1.44, 3.52]])


def two_pairs(step) -> torch.Tensor:
    """The table of the two pairs, each written by `step(table, key, value)`."""
    table = torch.zeros(2, 2)
    for key, value in zip(KEYS, VALUES, strict=True):
        table = step(table, key, value)
    return table


# The fact


@cache
def read_by_four() -> dict:
    """The same text through four models, each trained with its own memory: {name: OneFact}."""
    stream, seen = lm.stream(150, seed=1, own=DOOR), {}
    for name, file in TRAINED.items():
        model = lm.load(file)
        memory = Full() if name == "full cache" else model.memories
        seen[name] = tasks.one_fact(memory, model=model, stream=stream, at_once=True)
    return seen


def four_trained():
    """One fact, four models, byte by byte."""
    seen = read_by_four()
    one = seen["full cache"]
    held = {name: fact.recipe_dye.mean(0) for name, fact in seen.items()}
    says = {name: (fact.said, fact.right) for name, fact in seen.items()}
    return draw.memories(held, one.text, one.fact_span, says, title="One fact in a cache, and in three matrices")


@cache
def swapped_in() -> dict:
    """The model that was trained with a full cache, read through a matrix: {name: OneFact}."""
    model, stream = lm.load("facts"), lm.stream(150, seed=1, own=DOOR)
    kinds = {"linear attention": LinearAttention(), "delta rule": DeltaRule()}
    return {name: tasks.one_fact(m, model=model, stream=stream, at_once=True) for name, m in kinds.items()}


def right_answers() -> dict[str, dict[int, float]]:
    """{model: {bytes between: share of right answers}} (python -m memlib.lm.evaluate)."""
    cards = {name: lm.card(file)["right_answers"] for name, file in TRAINED.items()}
    return {name: {int(far): x["all"] for far, x in card.items() if int(far) <= 512} for name, card in cards.items()}


def trained_with_it():
    """Right answers against distance, each model with the memory it was trained with."""
    lines = {name: (list(found), list(found.values())) for name, found in right_answers().items()}
    title = "Trained with its memory: new facts in new words"
    return draw.curves(lines, x="bytes between", y="right answers", log_x=True, title=title)


# Written


@cache
def heads():
    """q, k and v of the text, one each a byte."""
    return tasks.heads(lm.load("facts"), TEXT, layer=1, head=2)


@cache
def matrices_of() -> tuple[dict, dict]:
    """{name: the matrix after each byte}, {name: what each query receives}."""
    q, k, v = heads()
    both = {"linear attention": LinearAttention(), "the delta rule": DeltaRule()}
    written = {name: torch.stack([mem.s for mem in states(m, KV(k, v))]) for name, m in both.items()}
    return written, {name: view(m, q, k) for name, m in both.items()}


def being_written():
    """The same pairs into two matrices, byte by byte."""
    written, views = matrices_of()
    return draw.matrices(written, list(TEXT), views, title="The same pairs, added or corrected")


BOUND = ["a1", "b2", "a3", "c4", "b5", "a6", "b7", "b8"]
LETTERS = torch.eye(3)[["abc".index(name[0]) for name in BOUND]]


def fade_and_correct(alpha: float = 0.8, beta: float = 0.5):
    """The gated delta rule at work: three keys, bound again and again."""
    steps = recipe(GatedDelta(alpha, beta), LETTERS)
    events = [f"{name}: all rows fade to {alpha:.0%}, then row {name[0]} is corrected by half" for name in BOUND]
    alt = "Three rows, one a key. At each step all of them shrink, and one takes half of the new pair."
    title = "The gated delta rule: fade all, correct one (rows of keys a, b, c)"
    return draw.film(steps, BOUND, events=events, title=title, alt=alt)


def rows(alpha: float, beta: float) -> torch.Tensor:
    """What each of the three keys reads at the end."""
    return recipe(GatedDelta(alpha, beta), LETTERS)[-1]


def two_knobs(alpha: float, beta: float):
    """The three rows at the end, by fade and correction."""
    title = f"What each key reads at the end: alpha {alpha:.2f}, beta {beta:.2f}"
    return draw.recipe(rows(alpha, beta), BOUND, ["a", "b", "c"], title).update_yaxes(title="row of key")


# How many survive


class Sum:
    """Outer products added up, nothing else: no features, no division, no correction."""

    softmax, chunkable = False, True

    def init(self, like):
        return like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        return mem + new.k.mT @ new.v

    def read(self, mem, q):
        return q @ mem


PAIRS = [8, 16, 32, 64, 128, 256, 512]
KINDS = {
    "full cache": Full(),
    "window of 32, as many bytes": Window(32),
    "linear attention": LinearAttention(),
    "bare sum": Sum(),
    "delta, beta 0.5": DeltaRule(0.5),
    "delta, beta 1": DeltaRule(),
}


@cache
def recalled(name: str) -> list[float]:
    """The share of random pairs of width 64 that a memory still finds, by how many were written."""
    return [tasks.recall(KINDS[name], n) for n in PAIRS]


def recall_of_all():
    """A curve a memory."""
    lines = {name: (PAIRS, recalled(name)) for name in KINDS}
    title = "Recall: random pairs of width 64"
    return draw.curves(lines, x="pairs written", y="right answers", log_x=True, title=title)


@cache
def ages() -> dict[str, list[float]]:
    """The share of right answers by age, the newest first, in groups of 16: 256 pairs in 64 by 64."""
    kinds = {"bare sum": Sum(), "delta, beta 1": DeltaRule(), "delta, beta 0.5": DeltaRule(0.5)}
    kinds |= {"gated, alpha 0.98": GatedDelta(0.98, 1.0)}
    return {name: _by_age(memory) for name, memory in kinds.items()}


def _by_age(memory, n: int = 256, width: int = 64, trials: int = 16) -> list[float]:
    made = torch.Generator().manual_seed(0)
    key, value = (F.normalize(torch.randn(trials, n, width, generator=made), dim=-1) for _ in range(2))
    mem = memory.update(memory.init(KV(key, value)), KV(key, value))
    found = (F.normalize(memory.read(mem, key), dim=-1) @ value.mT).argmax(-1)
    return (found == torch.arange(n)).double().mean(0).flip(0).reshape(-1, 16).mean(1).tolist()


def which_survive():
    """Right answers by the age of the pair."""
    lines = {name: (list(range(8, 256, 16)), found) for name, found in ages().items()}
    title = "Which of 256 pairs survive in 64 by 64"
    return draw.curves(lines, x="age of the pair (tokens)", y="right answers", title=title)


WIDTHS = [16, 32, 64, 128]


@cache
def kept_by_width() -> dict[str, list[float]]:
    """How many pairs a matrix of d by d keeps, for each width d."""
    return {
        "beta 1: survive": [4 * d * tasks.recall(DeltaRule(), 4 * d, width=d, trials=16) for d in WIDTHS],
        "bare sum: nine of ten": [_most(Sum(), d) for d in WIDTHS],
        "beta 0.1: nine of ten": [_most(DeltaRule(0.1), d) for d in WIDTHS],
    }


def _most(memory, d: int) -> int:
    """The largest number of pairs of which d by d still recalls nine of ten, found by halving."""
    low, high = 1, d * d // 12
    while high - low > 1:
        middle = (low + high) // 2
        enough = tasks.recall(memory, middle, width=d, trials=8) >= 0.9
        low, high = (middle, high) if enough else (low, middle)
    return low


def by_width():
    """Pairs kept against the width."""
    lines = {name: (WIDTHS, kept) for name, kept in kept_by_width().items()}
    lines["as many as the width"] = (WIDTHS, WIDTHS)
    return draw.curves(lines, x="width d", y="pairs", title="How many pairs a matrix of d by d keeps")


@cache
def off() -> dict[str, float]:
    """How far a read of one of 256 random pairs is from its value, in lengths of the value."""
    keys, values = (torch.randn(256, 64, generator=torch.Generator().manual_seed(i)) for i in (0, 1))
    kv, unit = KV(keys, values), F.normalize(keys, dim=-1)
    newest = {
        f"beta {b}": _away(DeltaRule(b).read(states(DeltaRule(b), kv)[-1], keys[-1:]), values[-1:]) for b in (1.0, 0.5)
    }
    return newest | {"bare sum": _away(unit @ (unit.T @ values), values)}


def _away(read: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((read - wanted).norm() / wanted.norm()).item()


@cache
def cosines() -> tuple[float, float]:
    """The mean cosine of two different random keys, and of their features."""
    keys, found = torch.randn(256, 64, generator=torch.Generator().manual_seed(0)), []
    for x in (keys, F.elu(keys) + 1):
        unit = F.normalize(x, dim=-1)
        found.append(((unit @ unit.T).sum() - 256).item() / 256 / 255)
    return found[0], found[1]


# Binding again

TIMES = [1, 2, 4, 8]
AGAIN = {
    "delta rule": DeltaRule(),
    "full cache, no positions": Full(),
    "linear attention": LinearAttention(),
    "delta rule, beta 0.1": DeltaRule(0.1),
}


@cache
def rebound() -> dict[str, list[float]]:
    """The share of keys that give their newest value, by how often each was bound."""
    return {name: [tasks.rebinding(memory, r) for r in TIMES] for name, memory in AGAIN.items()}


def which_is_newest():
    """Right answers against bindings of each key."""
    lines = {name: (TIMES, found) for name, found in rebound().items()}
    title = "Which value is the newest?"
    return draw.curves(lines, x="bindings of each key (R)", y="right answers", title=title)


# Costs

SEEN = [4, 8, 16, 32, 64, 128]


@cache
def bytes_of() -> dict[str, list[int]]:
    """Bytes of state of one head of 32 numbers, by the pairs it has seen."""
    kv, kinds = KV(torch.zeros(128, 32), torch.zeros(128, 32)), {"full cache": Full()}
    kinds |= {"linear attention": LinearAttention(), "delta rule": DeltaRule()}
    return {name: [state_bytes(m.update(m.init(kv), kv[:n])) for n in SEEN] for name, m in kinds.items()}


def what_it_costs():
    """Bytes against pairs seen."""
    lines = {name: (SEEN, cost) for name, cost in bytes_of().items()}
    return draw.curves(lines, x="pairs seen", y="bytes of state", log_x=True, title="One head of 32 by 32")


# Deeper


@cache
def trained_by_descent(beta: float) -> float:
    """The greatest difference between the delta rule's matrix and steps of gradient descent on the same pairs."""
    _, k, v = heads()
    s, most = torch.zeros(32, 32), 0.0
    for t, mem in enumerate(states(DeltaRule(beta), KV(k, v))):
        s.requires_grad_()
        loss = 0.5 * (s.T @ F.normalize(k[t], dim=0) - v[t]).square().sum()
        s = (s - beta * torch.autograd.grad(loss, s)[0]).detach()
        most = max(most, (mem.s - s).abs().max().item())
    return most


@cache
def lengths_of_state() -> list[float]:
    """The largest number of S after each pair, keys as they are: until it is infinite."""
    made, s, found = torch.Generator().manual_seed(0), torch.zeros(32, 32), []
    while s.isfinite().all() and len(found) < 200:
        key, value = torch.randn(2, 32, generator=made)
        s = s + torch.outer(key, value - key @ s)
        found.append(s.abs().max().item())
    return [x for x in found if x < float("inf")]


def raw_keys():
    """The state of a delta rule whose keys were not brought to length 1."""
    found = lengths_of_state()
    fig = draw.curves({"S": (list(range(1, len(found) + 1)), found)}, x="pairs written", y="largest number in S")
    return fig.update_yaxes(type="log").update_layout(title_text="Raw keys: the state explodes")


def weights_below_zero():
    """What each query receives by the delta rule."""
    q, k, _ = heads()
    return draw.view(view(DeltaRule(), q, k), list(TEXT), title="The delta rule: what each query receives")


@cache
def runs() -> dict:
    """Stored runs of associative recall (python -m memlib.tasks.experiments mqar)."""
    return experiments.stored("mqar")


def learning_to_look_up():
    """Right answers against training steps, the first seed of each memory."""
    lines = {name: tuple(zip(*seeds[0]["curve"], strict=True)) for name, seeds in runs().items()}
    title = "Learning to look up (the first seed)"
    return draw.curves(lines, x="training steps", y="right answers", title=title)


@cache
def random_stream() -> tuple[torch.Tensor, KV]:
    """Queries and pairs of no meaning."""
    made = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 600, 32, generator=made)
    return q, KV(k, v)


def loop_or_chunks():
    """Milliseconds for 600 tokens, token by token and at once, measured on this machine."""
    q, kv = random_stream()
    spent = {}
    for memory in (LinearAttention(), DeltaRule(), GatedDelta(0.99, 0.9)):
        for how, run in (("token by token", outputs), ("at once", attend_all)):
            begin = time.perf_counter()
            run(memory, q, kv)
            spent[f"{type(memory).__name__}, {how}"] = 1e3 * (time.perf_counter() - begin)
    return draw.bars(spent, y="milliseconds for 600 tokens", log=True, title="The same numbers, two ways")
