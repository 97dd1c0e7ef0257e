"""What lesson 01 needs and does not show."""

from __future__ import annotations

import math
import time
from functools import cache

import torch

from memlib import KV, Full, Window, attend, draw, lm, outputs, state_bytes, tasks, view, widgets
from memlib.lm import data
from memlib.tasks import experiments

DOOR = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
OPENING = (400, 200, 180, 64)  # the four windows of the first film
TEXT = "def newest(pairs): return pairs[-4:]"
HAND = KV(torch.tensor([[1.0], [2.0], [1.0], [3.0]]).log(), torch.tensor([[10.0], [20.0], [30.0], [40.0]]))
HELD = torch.arange(15, 21)  # what the four puzzles ask for
SHARES = torch.tensor([0.25, 0.75])
REACH = 16
BYTES = 196_608
SIZES = [2, 4, 8, 16, 32, 64, 128, 256]
LENGTHS = [128, 256, 512, 1024]


@cache
def stream():
    """The fact, 150 bytes of talk, the question."""
    return lm.stream(150, seed=0, own=DOOR)


@cache
def read_by_windows() -> dict:
    """The same text through windows of four sizes: {name: OneFact}."""
    model = lm.load("facts")
    read = {size: tasks.one_fact(Window(size), model=model, stream=stream(), at_once=True) for size in OPENING}
    return {f"the newest {size}": fact for size, fact in read.items()}


def four_windows():
    """One fact, four windows, byte by byte."""
    seen = read_by_windows()
    one = seen["the newest 400"]
    held = {name: fact.recipe_dye.mean(0) for name, fact in seen.items()}
    says = {name: (fact.said, fact.right) for name, fact in seen.items()}
    return draw.memories(held, one.text, one.fact_span, says, title="One fact, four windows: does it still know?")


def says(size: int) -> bytes:
    """What the answering model says through a window of this size."""
    return lm.load("facts").reading(Window(size)).generate(stream().prompt, 4)


@cache
def head() -> tuple:
    """q, k and v of TEXT in layer 1, head 2 of the Python model."""
    return tasks.heads(lm.load("stdlib"), TEXT, layer=1, head=2)


def band(size: int):
    """What each query receives through a window of this size."""
    q, k, _ = head()
    return draw.view(view(Window(size), q, k), list(TEXT), title=f"What each query receives, window of {size}")


def through_layers(layers: int, size: int = 6) -> torch.Tensor:
    """What the output of each token holds of each byte, some layers of one and the same window."""
    q, k, _ = head()
    return torch.linalg.matrix_power(view(Window(size), q, k), layers)


def deeper_and_deeper(layers: int, window: int):
    """The same as a picture."""
    seen = through_layers(layers, window)
    felt = int((seen[-1] > 0).sum())
    title = f"{layers} layer{'s' * (layers > 1)} of {window}: the last byte receives something of {felt}"
    return draw.view(seen, list(TEXT), title=title)


def zero_slots() -> dict[str, float]:
    """How long the read of byte 3 is, with nothing else in the memory and with sixteen slots of zeros."""
    q, k, v = head()
    four, zeros = KV(k[:4], v[:4]), KV(torch.zeros(16, k.shape[-1]), torch.zeros(16, v.shape[-1]))
    reads = {"four pairs": four, "four pairs and sixteen zeros": zeros.append(four)}
    return {name: attend(q[3:4], kv).norm().item() for name, kv in reads.items()}


@cache
def written(memory, n: int = 2000) -> tuple[str, list[int], list[float]]:
    """n bytes that the Python model writes through a memory; bytes of state and milliseconds a byte, every 100."""
    reader, draws = lm.load("stdlib").reading(memory), torch.Generator().manual_seed(0)
    out, size, spent, begin = bytearray(), [], [], time.perf_counter()
    with torch.no_grad():
        logits, state = reader.step(data.as_bytes("def ")[None].long(), reader.init(1))
        for i in range(1, n + 1):
            byte = torch.multinomial(torch.softmax(logits[0, -1] / 0.7, -1), 1, generator=draws)
            out.append(int(byte))
            logits, state = reader.step(byte[None], state)
            if i % 100 == 0:
                size.append(sum(state_bytes(mem) for mem in state.memories))
                spent.append((time.perf_counter() - begin) * 10)
                begin = time.perf_counter()
    return out.decode(errors="replace"), size, spent


WRITERS = {"everything": Full(), "the newest 64": Window(64)}


def what_is_kept():
    """Kilobytes of state while the model writes 2,000 bytes."""
    at = list(range(100, 2001, 100))
    lines = {name: (at, [b / 1024 for b in written(memory)[1]]) for name, memory in WRITERS.items()}
    return draw.curves(lines, x="bytes written", y="kilobytes kept", title="What has to be kept")


def time_of_a_byte():
    """Milliseconds a byte while it writes, on this machine."""
    at = list(range(100, 2001, 100))
    lines = {name: (at, written(memory)[2]) for name, memory in WRITERS.items()}
    return draw.curves(lines, x="bytes written", y="milliseconds a byte", title="What a byte costs, here and now")


@torch.no_grad()
def bits(memory, rows: torch.Tensor, positions=None) -> float:
    """Bits per byte of the Python model over rows [n, bytes + 1] of held-out text."""
    logits = lm.load("stdlib").reading(memory, positions)(rows[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item() / math.log(2)


def rows(n: int, many: int, seed: int) -> torch.Tensor:
    """Held-out rows of Python text."""
    return data.batch(data.texts()[1], n, many, torch.Generator().manual_seed(seed))


@cache
def quality() -> list[float]:
    """Bits per byte by the size of the window, 48 rows of 256 bytes."""
    return [bits(Window(n), rows(256, 48, 1)) for n in SIZES]


def predict_quality():
    """The curve to sketch first."""
    return widgets.predict(
        "Bits per byte, as the window grows", SIZES, quality(), "bits per byte", True, "pairs in the window"
    )


@cache
def by_length() -> dict[str, list[float]]:
    """Bits per byte by the length of the text, 6 rows."""
    long, memories = rows(1024, 6, 2), {"everything": Full(), "the newest 128": Window(128)}
    return {name: [bits(memory, long[:, : n + 1]) for n in LENGTHS] for name, memory in memories.items()}


def read_further():
    """The same as a picture."""
    lines = {name: (LENGTHS, y) for name, y in by_length().items()}
    return draw.curves(lines, x="bytes of text", y="bits per byte", log_x=True, title="Trained on 256 bytes")


def losses() -> dict[str, dict[str, float]]:
    """Model -> what its loss is above that with everything kept, in shares: {memory: mean over the stored runs}."""
    found = {}
    for model, runs in experiments.stored("sinks").items():
        more = {how: [run["loss"][how] / run["loss"]["everything"] - 1 for run in runs] for how in runs[0]["loss"]}
        found[model] = {how: sum(x) / len(x) for how, x in more.items() if how != "everything"}
    return found


def without_the_first():
    """What each model measured loses with a window, and with one that keeps the first four tokens."""
    bars = {f"{model}: {how}": 100 * x for model, both in losses().items() for how, x in both.items()}
    return draw.bars(bars, y="% more loss than with everything kept", title="Which model leans on its first tokens?")


def weight_on_first() -> dict[str, float]:
    """Model -> the greatest share of attention on the first token that any layer's strongest head gives."""
    return {
        model: max(x for run in runs for x in run["weight_on_first"])
        for model, runs in experiments.stored("sinks").items()
    }


@cache
def a_head_with_a_sink() -> dict[str, torch.Tensor]:
    """A head made to say nothing: what its read is long, token by token, through three memories."""
    made, way = torch.Generator().manual_seed(0), torch.zeros(16)
    way[0] = 1
    q, k = 8 * way + torch.randn(40, 16, generator=made), torch.randn(40, 16, generator=made) * (1 - way)
    v = torch.randn(40, 16, generator=made)
    k[0], v[0] = 3 * way, 0
    memories = {"everything": Full(), "the newest 8": Window(8), "the newest 7 and the first": Window(7, sinks=1)}
    return {name: outputs(memory, q, KV(k, v)).norm(dim=-1) for name, memory in memories.items()}


def when_the_sink_leaves():
    """The same as a picture."""
    lines = {name: (list(range(40)), y.tolist()) for name, y in a_head_with_a_sink().items()}
    return draw.curves(lines, x="token", y="length of what the head says", title="The sink leaves at token 8")


@cache
def positions() -> dict[str, float]:
    """Bits per byte with 64 pairs over 768 bytes, by how places are counted."""
    long = rows(1024, 6, 2)[:, :769]
    return {
        "the newest 64": bits(Window(64), long),
        "60 and the first 4, true places": bits(Window(60, sinks=4), long),
        "60 and the first 4, places in the cache": bits(Window(60, sinks=4), long, "cache"),
    }


def places_in_the_cache():
    """The same as a picture."""
    return draw.bars(positions(), y="bits per byte", title="64 pairs, 768 bytes of held-out text")


@cache
def touched() -> torch.Tensor:
    """How far the queries of each layer and the answer move when one byte is another, [4, bytes]: windows of six."""
    ids = data.as_bytes(TEXT).long()
    changed = ids.repeat(len(ids), 1)
    changed.fill_diagonal_(ord("#"))  # row i: byte i is another one
    both, model = torch.cat([ids[None], changed]), lm.load("stdlib").double().reading(Window(6))
    with torch.no_grad():
        moved = [(q[1:, :, -1] - q[:1, :, -1]).flatten(1).norm(dim=1) for q, _ in model.qkv(both)]
        logits = model(both)[:, -1]
    return torch.stack([*moved, (logits[1:] - logits[:1]).norm(dim=1)])


def felt_in_the_model():
    """The same as a picture."""
    names = ["queries of layer 0", "queries of layer 1", "queries of layer 2", "the answer"]
    return draw.reach(touched(), list(TEXT), names)
