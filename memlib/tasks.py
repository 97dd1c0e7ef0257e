"""The experiments: what a memory can do, measured on any memory, seeded.

one_fact        a fact early in a stream, small talk, the question: does the model still answer?
recall          random pairs in, every key asked once: how many pairs survive?
rebinding       keys bound again and again: is the newest value read?
gist_and_drift  a noisy topic, then another: how long should a memory average?
passkey         the fact at different depths of a text of one length
copy            a passage, other text, the passage again: how many bits does a byte cost when it comes again?
mqar            associative recall, trained: can a model learn to look up with this memory? (memlib/mqar.py)

Beside each stands the curve to expect, where there is one: `recall_expected`, `rebinding_expected`,
`gist_expected`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from memlib import lm
from memlib.kv import KV, whole
from memlib.lm import data, evaluate, facts
from memlib.mqar import mqar as mqar
from memlib.replay import attend_all, walk
from memlib.state import state_bytes

SHARP = 100.0  # queries are so many times their keys: a softmax then picks the nearest key
TIE = 1e-4  # cosines that differ by less are taken as equal


@dataclass(frozen=True, eq=False)
class OneFact:
    """What `one_fact` saw.

    text: what was read, up to the place of the answer; fact_span: where the fact stands in it (bytes).
    answer, said: the right answer, and what the model says (greedy, as many bytes); p: the probability the
    model gives to the whole right answer.
    recipe_dye, view_dye: [layers, bytes], the fact's dye after each byte: how much of the fact the slots
    still hold (1: all of it; for a matrix memory the length of the fact's part of the matrix, 1 when it has just
    been read), how much of its attention each byte's query gives to the fact (mean over heads). Both are None for
    a memory that is not linear in its values.
    state_bytes: bytes of all layers' states after each byte [bytes]; seconds_per_byte: of streaming.
    """

    text: str
    fact_span: tuple[int, int]
    answer: str
    said: str
    p: float
    recipe_dye: Tensor | None
    view_dye: Tensor | None
    state_bytes: list[int]
    seconds_per_byte: float

    @property
    def right(self) -> bool:
        """Whether the model said the right answer."""
        return self.said == self.answer


@torch.no_grad()
def one_fact(memory, distance: int = 150, seed: int = 0, model=None, positions=None, stream=None) -> OneFact:
    """Reads a fact, `distance` bytes of other talk, and the question, through `memory` in every layer.

    memory: any memory, also a learner's own. distance: bytes between fact and question, >= 1.
    model: a language model that answers questions (default: lm.load("facts")). stream: one of your own,
    `facts.stream(distance, own=facts.Fact(...))`, in the place of the one drawn by the seed, whose value and
    wording training has never seen.
    Raises ValueError for a distance that is no whole number >= 1.
    """
    whole("one_fact: distance", distance, 1)
    model = (lm.load("facts") if model is None else model).reading(memory, positions)
    stream = facts.stream(distance, seed) if stream is None else stream
    tokens = data.as_bytes(stream.prompt)[None].long()
    logits, state, sizes, seconds = _stream(model, tokens)
    said, p = _answer(model, logits, state, stream.answer)
    recipe_dye, view_dye = _dye(model, tokens, stream.fact_span)
    text, span = stream.prompt.decode(), stream.fact_span
    return OneFact(text, span, stream.answer, said, p, recipe_dye, view_dye, sizes, seconds)


def _stream(model, tokens: Tensor):
    state, sizes, begin = model.init(1), [], time.perf_counter()
    for t in range(tokens.shape[1]):
        logits, state = model.step(tokens[:, t : t + 1], state)
        sizes.append(sum(map(state_bytes, state.memories)))
    return logits, state, sizes, (time.perf_counter() - begin) / tokens.shape[1]


def _answer(model, logits: Tensor, state, right: str) -> tuple[str, float]:
    """What the model says, greedy, and the probability of the whole right answer (each byte given the last)."""
    wanted, said, p = data.as_bytes(right).long(), bytearray(), 1.0
    told, told_state = logits, state
    for byte in wanted:
        p *= torch.softmax(told[0, -1], -1)[byte].item()
        told, told_state = model.step(byte.view(1, 1), told_state)
    for _ in wanted:
        said.append(int(logits[0, -1].argmax()))
        logits, state = model.step(torch.tensor([[said[-1]]]), state)
    return said.decode(errors="replace"), p


def _dye(model, tokens: Tensor, span: tuple[int, int]) -> tuple[Tensor | None, Tensor | None]:
    """Marks the fact's bytes: their value is 1, all others' 0; then what slots hold and reads receive is dye.

    Slots of a memory of pairs hold shares of bytes, which are added. The rows of a matrix do not: there it is the
    length of the fact's part of the matrix, beside that when the fact had just been read.
    """
    mark = torch.zeros(tokens.shape[1], 1)
    mark[span[0] : span[1]] = 1.0
    held, seen = [], []
    for memory, (q, kv) in zip(model.memories, model.qkv(tokens), strict=True):
        if not getattr(memory, "linear_in_values", True):
            return None, None
        dyed = KV(kv.k, mark.expand(*kv.k.shape[:-1], 1))
        slots = [memory.slots(mem).v for mem, _ in walk(memory, q, dyed)]
        if not getattr(memory, "rows", not getattr(memory, "softmax", True)):
            sums = torch.stack([v.sum((-2, -1)).mean() for v in slots])
            held.append(_byte_by_byte(sums, mark[:, 0], getattr(memory, "segment", None)) / (span[1] - span[0]))
        else:
            long = torch.stack([v.norm(dim=(-2, -1)).mean() for v in slots])
            held.append(long / long[span[1] - 1])
        seen.append(attend_all(memory, q, dyed).mean((0, 1, 3)))
    return torch.stack(held), torch.stack(seen)


def _byte_by_byte(sums: Tensor, mark: Tensor, segment: int | None) -> Tensor:
    """The dye after each byte, from that of each state: within a segment its own bytes stand beside the old state."""
    if segment is None:
        return sums
    before = torch.cat([sums.new_zeros(1), sums])[: len(sums)].repeat_interleave(segment)[: len(mark)]
    held = before + torch.cat([part.cumsum(0) for part in mark.split(segment)])
    held[segment - 1 :: segment] = sums[: len(mark) // segment]  # a full segment has moved the queues
    return held


DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def passkey(memory, length: int = 512, depths=DEPTHS, count: int = 12, seed: int = 0, model=None) -> dict[float, float]:
    """The share of right answers by the depth at which the fact stands in a text of `length` bytes before the question.

    depths: 0 is the beginning of the text, 1 its end, right before the question. count: streams a depth, one in six
    kinds of facts after the other. model: one that answers questions (default: lm.load("facts")).
    Mohtashami and Jaggi 2023, arXiv 2305.16300. Raises ValueError for a length below 200 and depths outside 0 ... 1.
    """
    whole("passkey: length", length, 200)
    whole("passkey: count", count, 1)
    if not all(0 <= depth <= 1 for depth in depths):
        raise ValueError(f"passkey: depths must be from 0 to 1, got {list(depths)}")
    model = (lm.load("facts") if model is None else model).reading(memory)
    streams = []
    for depth in depths:
        for i in range(seed * count, (seed + 1) * count):
            after = max(round((1 - depth) * (length - FACT)), 1)
            one = lm.stream(after, i, facts.KINDS[i % len(facts.KINDS)], before=max(length - FACT - after, 0))
            streams.append(one)
    marks = iter(evaluate.right(model, streams))
    return {depth: sum(next(marks) for _ in range(count)) / count for depth in depths}


FACT = 40  # bytes that a fact takes, about


@torch.no_grad()
def copy(memory, passage: int = 64, gap: int = 64, count: int = 24, seed: int = 0, model=None) -> tuple[float, float]:
    """A passage of held-out text, a gap of other text, the passage again: bits per byte the first time and again.

    A memory that still holds the passage, and a model that looks up what followed last time, need fewer bits again.
    passage, gap: bytes, >= 2 and >= 0. model: default lm.load("facts").
    """
    whole("copy: passage", passage, 2)
    whole("copy: gap", gap, 0)
    whole("copy: count", count, 1)
    model, (_, held) = (lm.load("facts") if model is None else model).reading(memory), data.texts()
    n = passage + gap
    starts = torch.randint(len(held) - n, (count, 1), generator=torch.Generator().manual_seed(seed))
    rows = held[starts + torch.arange(n)].long()
    rows = torch.cat([rows, rows[:, :passage]], 1)
    bits = torch.nn.functional.cross_entropy(model(rows[:, :-1]).mT, rows[:, 1:], reduction="none") / math.log(2)
    return float(bits[:, : passage - 1].mean()), float(bits[:, n:].mean())


@torch.no_grad()
def heads(model, text: str, layer: int = 0, head: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v of one head of one layer of a model that reads `text`: each [bytes, width of a head].

    Raises ValueError where the text is empty or the model has no such layer or head.
    """
    if not text:
        raise ValueError("heads: text must not be empty")
    if not 0 <= layer < model.config.layers or not 0 <= head < model.config.heads:
        have = f"{model.config.layers} layers of {model.config.heads} heads"
        raise ValueError(f"heads: the model has {have}, got layer={layer}, head={head}")
    q, kv = model.qkv(data.as_bytes(text)[None].long())[layer]
    return q[0, head], kv.k[0, head], kv.v[0, head]


def _after(memory, q: Tensor, kv: KV):
    """The state after all pairs, in one update where the memory allows it."""
    if getattr(memory, "segment", None) is None and getattr(memory, "chunkable", False):
        needs = (q,) if getattr(memory, "needs_queries", False) else ()
        return memory.update(memory.init(kv), kv, *needs)
    for mem, _ in walk(memory, q if getattr(memory, "needs_queries", False) else None, kv):  # noqa: B007
        pass
    return mem


def _units(*shape: int, draw: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=draw), dim=-1)


@torch.no_grad()
def recall(memory, pairs: int, width: int = 64, trials: int = 4, seed: int = 0) -> float:
    """Recall capacity: `pairs` random pairs go in, then every key is asked once. The share of right answers.

    Keys and values are random directions of `width`, queries are the keys, made so long that a softmax picks
    the nearest key; an answer is right when the value asked for is the nearest of all. trials: independent rows.
    Raises ValueError for sizes that are no whole numbers >= 1.
    """
    for name, value in (("pairs", pairs), ("width", width), ("trials", trials)):
        whole(f"recall: {name}", value, 1)
    draw = torch.Generator().manual_seed(seed)
    k, v = (_units(trials, pairs, width, draw=draw) for _ in range(2))
    k = k * width**0.5  # numbers of about 1, as a model's keys are
    q = SHARP * k
    read = memory.read(_after(memory, q, KV(k, v)), q)
    return _nearest(read, v, torch.arange(pairs), draw)


def recall_expected(kept: int, pairs: int) -> float:
    """What `recall` gives for a memory that holds `kept` pairs raw and nothing of the others; an average holds 1.

    >>> recall_expected(32, 128)
    0.25
    """
    return min(1.0, kept / pairs)


@torch.no_grad()
def rebinding(
    memory, times: int, keys: int = 16, width: int = 64, trials: int = 64, seed: int = 0, shuffled: bool = False
) -> float:
    """`keys` keys are bound to a new value `times` times in turn; the share of keys whose NEWEST value is read.

    Keys are orthonormal (keys <= width), values random directions, each read is compared with the values that
    its key ever had. shuffled: the keys come in random order, so that no window holds each of them just once.
    Raises ValueError for sizes that cannot be.
    """
    for name, value in (("times", times), ("keys", keys), ("trials", trials)):
        whole(f"rebinding: {name}", value, 1)
    whole("rebinding: width", width, keys)
    draw = torch.Generator().manual_seed(seed)
    k = torch.linalg.qr(torch.randn(trials, width, keys, generator=draw)).Q.mT * width**0.5
    v = _units(trials, times, keys, width, draw=draw)
    order = torch.arange(keys).repeat(trials, times)  # [trials, times * keys]: which key is bound
    if shuffled:
        order = order.gather(1, torch.rand(order.shape, generator=draw).argsort(1))
    places = order.argsort(dim=1, stable=True).unflatten(1, (keys, times)).mT.flatten(1)  # of (value r, key i)
    values = torch.empty_like(v.flatten(1, 2)).scatter(1, places[..., None].expand(-1, -1, width), v.flatten(1, 2))
    kv = KV(k.take_along_dim(order[..., None], 1), values)
    read = memory.read(_after(memory, SHARP * kv.k, kv), SHARP * k)  # [trials, keys, width]
    return _nearest(read.flatten(0, 1).unsqueeze(1), v.movedim(1, 2).flatten(0, 1), torch.tensor([times - 1]), draw)


def rebinding_expected(held: int) -> float:
    """What `rebinding` gives for a memory that mixes the newest `held` values of a key in equal parts: a guess
    among them. A full cache without positions holds all `times` of them, a delta rule of beta 1 the newest.

    >>> rebinding_expected(4)
    0.25
    """
    return 1 / held


@torch.no_grad()
def gist_and_drift(
    memory, steady: int = 256, after: int = 64, topics: int = 16, noise: float = 3.0, trials: int = 256, seed: int = 0
) -> Tensor:
    """A noisy topic for `steady` steps, then another: at each step, the share of trials in which the topic is read.

    A value is the topic's one-hot vector of width `topics` and normal noise of deviation `noise`; key and query
    are the same at every step, so that a softmax weighs all slots alike. Right is the topic in force, largest of
    all in what is read. Returns [steady + after].
    """
    for name, value in (("steady", steady), ("topics - 1", topics - 1), ("trials", trials)):
        whole(f"gist_and_drift: {name}", value, 1)
    whole("gist_and_drift: after", after, 0)
    draw = torch.Generator().manual_seed(seed)
    n = steady + after
    first = torch.randint(topics, (trials, 1), generator=draw)
    then = (first + torch.randint(1, topics, (trials, 1), generator=draw)) % topics
    topic = torch.where(torch.arange(n) < steady, first, then)  # [trials, n]
    v = torch.nn.functional.one_hot(topic, topics) + noise * torch.randn(trials, n, topics, generator=draw)
    k = torch.ones(trials, n, topics)
    return (attend_all(memory, k, KV(k, v)).argmax(-1) == topic).double().mean(0)


def gist_expected(weights: Tensor, steady: int = 256, topics: int = 16, noise: float = 3.0) -> Tensor:
    """What `gist_and_drift` gives for a memory whose reads weigh the steps by `weights` [n, n] (its `view`).

    The topic in force is read with its share m of the weights, the other one with 1 - m, every topic with noise of
    deviation s = noise |weights|: the chance that a normal variable around m / s is the largest of all. Long
    averages make s small (variance), short ones forget the topic that was left (bias). Returns [n].

    >>> gist_expected(torch.eye(2), steady=2, topics=2, noise=1e-3)
    tensor([1., 1.], dtype=torch.float64)
    """
    weights = weights.double()
    old = weights[:, :steady].sum(-1)
    new = weights[:, steady:].sum(-1)
    s = noise * weights.norm(dim=-1)
    right, wrong = torch.where(torch.arange(len(weights)) < steady, torch.stack([old, new]), torch.stack([new, old]))
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64)[:, None]
    below = [torch.special.ndtr(z + (right - m) / s) for m in (wrong, torch.zeros_like(wrong))]
    chance = (-(z**2) / 2).exp() / math.sqrt(2 * math.pi) * below[0] * below[1] ** (topics - 2)
    return torch.trapezoid(chance, z, dim=0)


def _nearest(read: Tensor, values: Tensor, wanted: Tensor, draw: torch.Generator) -> float:
    """Share of the reads [*b, i, e] whose nearest of the values [*b, n, e] is the wanted one [i]; ties by chance."""
    near = torch.nn.functional.normalize(read, dim=-1) @ values.mT
    found = (near + TIE * torch.randn(near.shape, generator=draw)).argmax(-1)
    return float((found == wanted).double().mean())
