"""Every entrance says what is wrong: a good call of each public name, and for each argument what it is not.

The table is made of the signatures: what an argument is stands in `IS` by its name, or with the call where the name
means another thing there. A new public name, or an argument that is told nowhere, fails.
"""

import importlib
import inspect
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from examples import MEMORIES, WIDTH

import memlib
from memlib import (
    KNN,
    KV,
    DeltaRule,
    Full,
    Gate,
    LinearAttention,
    MeanPool,
    Window,
    draw,
    lm,
    state,
    stores,
    tasks,
    widgets,
)
from memlib.stores import Exact

FROZEN = json.loads((Path(__file__).parent / "names.json").read_text("utf-8"))
MODULES = ("memlib", "memlib.draw", "memlib.lm", "memlib.state", "memlib.stores", "memlib.tasks", "memlib.widgets")
TOLD = {  # what takes nothing that could be wrong, or is given by the library alone
    "memlib": {"Memory"},
    "memlib.lm": {"State", "Stream", "names"},
    "memlib.tasks": {"OneFact"},
    "memlib.widgets": {"Panel", "Question", "calmly", "guarded", "numbers", "readings", "marked"},
}
HUGE = 1 << 70
N, D, E = 6, 4, 3


class Nothing:
    """Something that is none of what is wanted."""

    def __repr__(self):
        return "<nothing>"


def sequence(*lead, dtype=torch.float32, d=D, e=E):
    made = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(*lead, N, width, generator=made, dtype=dtype) for width in (d, d, e))
    return q, KV(k, v)


# What an argument is: the good value -> what it must not be.


def a_memory(good):
    return ["window", Window, 3, Nothing(), torch.zeros(2, 2), [None]]


def pairs(good):
    return ["kv", KV, 3, good.k, (good.k, good.v), [good], good.k.numpy()]


def other_pairs(good):
    """Pairs that go with others."""
    other = torch.float32 if good.k.dtype == torch.float64 else torch.float64
    return [
        *pairs(good),
        KV(good.k.to(other), good.v.to(other)),
        KV(good.k[..., 1:], good.v),
        KV(good.k[None], good.v[None]),
    ]


def floats(good):
    """A tensor of floats that goes with others."""
    other = torch.float32 if good.dtype == torch.float64 else torch.float64
    kinds = ["q", 3, good.tolist(), tuple(good), good.numpy(), good.long(), good > 0, good.to(torch.complex64)]
    return [*kinds, good.flatten(), good[..., 1:], good[None], good.to(other)]


def finite(good):
    return [*floats(good), *(torch.where(good == good.max(), x, good) for x in (math.nan, math.inf))]


def any_floats(good):
    """A tensor of floats of any width."""
    return ["k", 3, good.tolist(), good.numpy(), good.long(), good.to(torch.complex64), good.flatten()]


def a_mask(good):
    return [
        "causal",
        1,
        good.tolist(),
        good.numpy(),
        good.float(),
        good.long(),
        good[:, 1:],
        good[1:],
        good[0],
        good[None, None],
    ]


def whole(least):
    def rows(good):
        return ["3", 2.5, True, -1, least - 1, [3], (3,), torch.tensor(2.5), math.nan, math.inf, HUGE, Nothing()]

    return rows


def share(good):
    return ["half", [0.5], math.nan, -0.1, 1.5, True, 1j, Nothing()]


def number(good):
    return ["warm", [1.0], math.nan, -0.5, True, 1j, Nothing()]


def flag(good):
    return [may(x) for x in (None, 1, "yes", [])]


def words(good):
    return [3, 2.5, ["a"], Nothing()]


def choice(good):
    return ["nonsense", 3, [good], Nothing()]


def an_array(good):
    x = np.asarray(good, dtype=float)
    return [
        "x",
        3,
        Nothing(),
        [[1.0], [2.0, 3.0]],
        [["a", "b"]],
        x + 1j,
        x[None],
        x.flatten() if x.ndim > 1 else x[:, None],
        {"a": 1},
    ]


def tokens(good):
    return [3, 2.5, Nothing()]


def a_pool(good):
    return ["mean", 3, MeanPool, Nothing()]


def a_model(good):
    return ["facts", 3, lm.LanguageModel, Nothing(), torch.nn.Linear(2, 2), Window(4)]


def a_seed(good):
    return ["a", 1.5, True, [1], -1, HUGE, Nothing()]


def a_state(good):
    return ["state", Nothing(), [good], Window, Window(4), {"k": 1}]


def a_module(good):
    return ["module", 3, torch.nn.GRUCell, Nothing()]


def anything(good):
    return []


class may:
    """A bad value that may be taken as it is."""

    def __init__(self, value):
        self.value = value


IS = {
    "memory": a_memory,
    "mine": anything,  # a verdict says what it lacks
    "reference": a_memory,
    "kv": pairs,
    "like": pairs,
    "new": pairs,
    "old": pairs,
    "q": floats,
    "k": finite,
    "mask": a_mask,
    "lse": flag,
    "mem": a_state,
    "state": a_state,
    "open": share,
    "pool": a_pool,
    "title": anything,
    "tokens": tokens,
    "seed": a_seed,
    "model": a_model,
    "prompt": lambda good: ["text", 3, [1, 2], b"", Nothing()],
    "positions": choice,
    "metric": choice,
    "trials": whole(1),
    "device": lambda good: ["tpu9", -3, Nothing()],
}
IS |= {
    one: kind
    for kind, names in {
        whole(
            1
        ): "width value_width values heads rate size local n steps pairs keys length dim layers conv count passage "
        "every batch distance times topics steady segment",
        whole(0): "sinks compressed gap after layer head",
        flag: "at_once count_bias stop rescale shuffled rebound quiet log log_x still",
    }.items()
    for one in names.split()
}


def call(to, given: dict | None = None, star=(), **kinds):
    """A good call: `given` by name and `star` by place; kinds: what an argument is, where `IS` says another thing."""
    return to, given or {}, star, kinds


def of_memory():
    q, kv = sequence(2)
    return {"memory": Window(2), "q": q, "kv": kv}


def read_lse(seed):
    q, kv = sequence(2)
    return memlib.attend(q + seed, kv, lse=True)


def a_read(good):
    out, lse = good
    return [
        "read",
        3,
        out,
        (out,),
        [out, lse, lse],
        (out, lse[..., 1:]),
        (out, lse.numpy()),
        (lse, out),
    ]


def tiny(memory=None):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return lm.LanguageModel(lm.Config(dim=16, layers=2, heads=2), memory).eval()


def some(*shape):
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(0))


def byte_tokens(good):
    kinds = ["abc", b"abc", 3, good.tolist(), good.numpy(), good.float(), good.bool(), good.to(torch.complex64)]
    return [*kinds, good[0], good + 300, good - 300, good[:, :0]]


def stream_state(good):
    return ["state", 3, tuple(good), good.memories, Nothing(), tiny().init(3)]


def an_id(good):
    return ["ids", 3, good.tolist(), good.numpy(), good.float(), good > 0, good + 100, good - 100]


def the_gate(good):
    return ["half", [0.5], math.nan, -0.1, 1.5, True, 1j, Nothing(), torch.tensor([2.0]), torch.tensor([1])]


def a_store(good):
    return ["store", 3, Exact, Nothing(), [Nothing()], Window(3)]


def a_path(good):
    return [3, ["a"], Nothing(), str(Path(good).parent / "nowhere" / "at all")]


def lines(good):
    return [
        "x",
        3,
        [1, 2],
        {"a": 3},
        {"a": (1, 2)},
        {"a": ([1, 2], [1])},
        {"a": ([1, 2], ["x", "y"])},
        {"a": [1, 2, 3]},
        Nothing(),
    ]


def numbers_by_name(good):
    return ["x", 3, [1, 2], {"a": "b"}, {"a": [1, 2]}, {"a": None}, Nothing()]


def table(good):
    return ["x", 3, [1], {"a": 3}, {"a": {"x": "y"}}, {"a": {"x": [1]}}, Nothing()]


def arrays(good):
    return ["x", 3, [3], ["x"], [[1.0, 2.0]], [np.ones((1, 99))], [[["a"] * N]], Nothing()]


def by_name(good):
    return ["x", 3, [1], {"a": 3}, {"a": np.ones(3)}, {"a": "x"}, Nothing()]


def span(good):
    return ["x", 3, (1,), (1, 2, 3), ("a", "b"), (3, 1), (-1, 2), (0, 99), (0.5, 2), Nothing()]


def places(good):
    return ["x", 3, ["a"], [99], [-1], [0.5], Nothing()]


def three_ways(good):
    return [3, (1,), (1, 2, 3, 4, 5), ("a", "b"), (5, 1), (0, 5, 9), [], Nothing(), np.ones(3)]


def some_floats(good):
    return ["x", 3, ["a"], [[1.0]], [], [1j], [None], Nothing()]


KNOWN = {  # module.name -> a good call
    "memlib.KV": lambda: call(
        KV,
        {"k": sequence(2)[1].k, "v": sequence(2)[1].v, "bias": None},
        k=floats_of_pairs,
        v=floats_of_pairs,
        bias=a_bias,
    ),
    "memlib.Compressive": lambda: call(memlib.Compressive, {"local": 4, "compressed": 2, "rate": 2}),
    "memlib.Hybrid": lambda: call(memlib.Hybrid, {"local": 4, "compressed": 2, "rate": 2}),
    "memlib.ConvPool": lambda: call(memlib.ConvPool, {"rate": 2, "width": 4}),
    "memlib.DilatedPool": lambda: call(
        memlib.DilatedPool, {"rate": 2, "width": 4}, rate=lambda good: [*whole(2)(good), 3]
    ),
    "memlib.Unpool": lambda: call(memlib.Unpool, {"rate": 2, "width": 4}),
    "memlib.MaxPool": lambda: call(memlib.MaxPool),
    "memlib.MeanPool": lambda: call(MeanPool),
    "memlib.MostUsed": lambda: call(memlib.MostUsed),
    "memlib.Full": lambda: call(Full),
    "memlib.Ladder": lambda: call(memlib.Ladder),
    "memlib.CumulativeAverage": lambda: call(memlib.CumulativeAverage),
    "memlib.LinearAttention": lambda: call(LinearAttention),
    "memlib.DeltaRule": lambda: call(DeltaRule, beta=share),
    "memlib.GatedDelta": lambda: call(memlib.GatedDelta, alpha=share, beta=share),
    "memlib.ExponentialAverage": lambda: call(
        memlib.ExponentialAverage, {"rate": 0.5}, rate=lambda good: [*share(good), 0]
    ),
    "memlib.Gate": lambda: call(Gate, {"width": 4}, open=lambda good: [*share(good), 0, 1]),
    "memlib.HeadGate": lambda: call(memlib.HeadGate, {"heads": 2}, open=lambda good: [*share(good), 0, 1]),
    "memlib.VectorGate": lambda: call(memlib.VectorGate, {"width": 4}, open=lambda good: [*share(good), 0, 1]),
    "memlib.Gated": lambda: call(
        memlib.Gated,
        {"near": Window(2), "far": Full(), "gate_local": 0.5},
        near=a_memory,
        far=a_memory,
        gate_local=the_gate,
        gate_memory=lambda good: [0.5],
    ),
    "memlib.Joint": lambda: call(
        memlib.Joint, star=(Window(2), KNN(2, 2)), memories=lambda good: [*a_memory(good), LinearAttention()]
    ),
    "memlib.KNN": lambda: call(KNN, {"k": 2}, k=whole(1), store=a_store, local=whole(0)),
    "memlib.MovingAverage": lambda: call(memlib.MovingAverage, {"size": 2}),
    "memlib.WeightedAverage": lambda: call(
        memlib.WeightedAverage,
        {"weights": [1.0, 2.0]},
        weights=lambda good: [
            "a",
            3,
            [],
            [-1.0, 1.0],
            [1.0, 0.0],
            [[1.0]],
            [math.nan, 1],
            [None],
            torch.tensor([1, 2]),
            torch.ones(2, 2),
            torch.nn.Linear(2, 2),
            Nothing(),
        ],
    ),
    "memlib.Positive": lambda: call(memlib.Positive, {"size": 2}),
    "memlib.Recurrent": lambda: call(memlib.Recurrent, {"cell": torch.nn.GRUCell(7, 7)}, cell=a_module),
    "memlib.Window": lambda: call(Window, {"size": 4}),
    "memlib.attend": lambda: call(
        memlib.attend,
        {"q": sequence(2)[0], "kv": sequence(2)[1], "mask": torch.ones(N, N, dtype=torch.bool), "new": sequence(2)[1]},
        new=other_pairs,
    ),
    "memlib.merge": lambda: call(memlib.merge, {"a": read_lse(0), "b": read_lse(1)}, a=a_read, b=a_read),
    "memlib.join": lambda: call(memlib.join, star=(sequence(2)[1], sequence(2)[1]), parts=other_pairs),
    "memlib.attend_all": lambda: call(memlib.attend_all, of_memory()),
    "memlib.outputs": lambda: call(memlib.outputs, of_memory(), q=finite),
    "memlib.walk": lambda: call(memlib.walk, of_memory()),
    "memlib.states": lambda: call(memlib.states, of_memory(), q=queries_of_states),
    "memlib.recipe": lambda: call(
        memlib.recipe, {"memory": Window(2), "k": sequence(2)[1].k}, k=finite_alone, q=anything
    ),
    "memlib.view": lambda: call(
        memlib.view, {"memory": Window(2), "k": sequence(2)[1].k, "q": sequence(2)[0]}, q=finite
    ),
    "memlib.influence": lambda: call(
        memlib.influence, {"memory": Window(2), "kv": sequence()[1], "q": sequence()[0]}, q=finite
    ),
    "memlib.check": lambda: call(
        memlib.check, {"mine": Window(2), "reference": Window(2), "tokens": 6}, tokens=whole(1)
    ),
    "memlib.promises": lambda: call(memlib.promises, {"memory": Window(2)}, memory=lambda good: [Window]),
    "memlib.state_bytes": lambda: call(memlib.state_bytes, {"state": sequence(2)[1]}),
    "memlib.auto_encoding": lambda: call(
        memlib.auto_encoding,
        {"pool": MeanPool(), "back": memlib.Unpool(2, D, E), "old": sequence(2)[1], "rate": 2},
        back=a_pool,
    ),
    "memlib.attention_reconstruction": lambda: call(
        memlib.attention_reconstruction, {"pool": MeanPool(), "q": sequence(2)[0], "old": sequence(2)[1], "rate": 2}
    ),
    "memlib.stores.Exact": lambda: call(Exact, {"dim": 4}),
    "memlib.stores.open": lambda: call(stores.open, {"address": ":memory:", "dim": 4}, address=choice),
    "memlib.stores.nearest": lambda: call(
        stores.nearest,
        {"q": sequence(2)[0], "keys": sequence(2)[1].k, "k": 2, "metric": "dist2"},
        keys=floats,
        k=whole(1),
        lengths=anything,
    ),
    "memlib.state.state_bytes": lambda: call(state.state_bytes, {"state": sequence(2)[1]}),
    "memlib.state.leaves": lambda: call(state.leaves, {"state": sequence(2)[1]}, name=anything),
    "memlib.state.rebuild": lambda: call(
        state.rebuild, {"state": sequence(2)[1], "fn": lambda name, x: x}, fn=a_pool, name=anything
    ),
    "memlib.state.detach": lambda: call(state.detach, {"state": sequence(2)[1]}),
    "memlib.state.to": lambda: call(
        state.to,
        {"state": sequence(2)[1], "dtype": torch.float64},
        device=lambda good: ["tpu9", -3, Nothing()],
        dtype=lambda good: ["float", 3, torch.int64, Nothing()],
    ),
    "memlib.state.save": lambda: call(
        state.save, {"state": sequence(2)[1], "path": FOLDER / "made.safetensors"}, path=a_path
    ),
    "memlib.state.load": lambda: call(
        state.load, {"path": saved(), "like": sequence(2)[1]}, path=a_path, like=lambda good: [*a_state(good), good.k]
    ),
    "memlib.lm.Config": lambda: call(lm.Config, rotary=share),
    "memlib.lm.Fact": lambda: call(
        lm.Fact,
        {"statement": "The code is 4711.", "question": "what is the code?", "answer": "4711"},
        statement=words,
        question=words,
        answer=words,
        kind=words,
        subject=words,
        before=words,
    ),
    "memlib.lm.LanguageModel": lambda: call(
        lm.LanguageModel,
        {"config": lm.Config(dim=16, layers=2, heads=2)},
        config=lambda good: [16, "small", lm.Config, {"dim": 16}, Nothing()],
        memory=memories,
    ),
    "memlib.lm.card": lambda: call(lm.card, name=lambda good: [3, "nobody", ["stdlib"], Nothing()]),
    "memlib.lm.load": lambda: call(
        lm.load,
        name=lambda good: [3, "nobody", ["stdlib"], Nothing()],
        memory=memories,
        device=lambda good: ["tpu9", -3, Nothing()],
    ),
    "memlib.lm.stream": lambda: call(
        lm.stream, {"distance": 40}, seed=anything, kind=choice, new=flag, own=words, distractors=share, before=whole(0)
    ),
    "memlib.tasks.copy": lambda: call(
        tasks.copy,
        {"memory": Window(2), "passage": 4, "gap": 2, "count": 2, "model": tiny()},
        memory=memories,
        passage=whole(2),
    ),
    "memlib.tasks.gist_and_drift": lambda: call(
        tasks.gist_and_drift, {"memory": Window(2), "steady": 4, "after": 2, "trials": 2}, noise=number, topics=whole(2)
    ),
    "memlib.tasks.gist_expected": lambda: call(
        tasks.gist_expected,
        {"weights": torch.eye(6), "steady": 4},
        weights=lambda good: ["w", 3, good.tolist(), good.numpy(), good[0], good[1:], good.long(), good + 1j],
        noise=number,
        topics=whole(2),
    ),
    "memlib.tasks.heads": lambda: call(
        tasks.heads,
        {"model": tiny(), "text": "abc"},
        text=lambda good: [*words(good), ""],
        layer=lambda good: [*whole(0)(good), 9],
        head=lambda good: [*whole(0)(good), 9],
    ),
    "memlib.tasks.mqar": lambda: call(
        tasks.mqar,
        {"memory": Window(2), "pairs": 2, "length": 8, "steps": 1, "dim": 16, "batch": 2},
        memory=memories,
        pairs=lambda good: [*whole(1)(good), 65],
        length=lambda good: [*whole(1)(good), 9],
        heads=whole(1),
        rate=number,
    ),
    "memlib.tasks.one_fact": lambda: call(
        tasks.one_fact, {"memory": Window(8), "distance": 20, "model": tiny()}, memory=memories, stream=words
    ),
    "memlib.tasks.passkey": lambda: call(
        tasks.passkey,
        {"memory": Window(8), "length": 200, "count": 1, "depths": [0.5], "model": tiny()},
        memory=memories,
        depths=lambda good: ["x", 3, [2], ["a"], [math.nan], [None], Nothing()],
    ),
    "memlib.tasks.rebinding": lambda: call(
        tasks.rebinding, {"memory": Window(8), "times": 2, "keys": 2, "width": 4, "trials": 2}
    ),
    "memlib.tasks.rebinding_expected": lambda: call(tasks.rebinding_expected, {"held": 4}, held=whole(1)),
    "memlib.tasks.recall": lambda: call(tasks.recall, {"memory": Window(8), "pairs": 4, "width": 4, "trials": 2}),
    "memlib.tasks.recall_expected": lambda: call(tasks.recall_expected, {"kept": 2, "pairs": 4}, kept=whole(0)),
    "memlib.draw.alt": lambda: call(draw.alt, {"fig": draw.bars({"a": 1.0})}, fig=lambda good: ["x", 3, Nothing(), {}]),
    "memlib.draw.label": lambda: call(draw.label, {"token": "a"}, token=anything),
    "memlib.draw.token_colors": lambda: call(draw.token_colors, {"n": 3}, n=whole(0)),
    "memlib.draw.abreast": lambda: call(
        draw.abreast, {"named": {"a": ([np.eye(2)] * 2, np.eye(2))}, "tokens": "ab"}, named=by_name, step=whole(0)
    ),
    "memlib.draw.arrows": lambda: call(
        draw.arrows, {"named": {"q": (1.0, 0.0)}}, named=by_name, says=words, reach=number
    ),
    "memlib.draw.memories": lambda: call(
        draw.memories,
        {"held": {"a": np.ones(9)}, "text": "abcdefghi", "span": (1, 3), "says": {"a": ("x", True)}},
        held=by_name,
        text=words,
        span=span,
        says=by_name,
    ),
    "memlib.draw.bars": lambda: call(
        draw.bars,
        {"values": {"a": 1.0, "b": 2.0}},
        values=numbers_by_name,
        y=anything,
        top=lambda good: ["x", [1], Nothing()],
    ),
    "memlib.draw.board": lambda: call(
        draw.board,
        {"rows": {"a": {"x": 0.5}}},
        rows=table,
        beside=table,
        notes=lambda good: ["x", 3, [1], Nothing()],
        missing=tokens,
    ),
    "memlib.draw.compare": lambda: call(
        draw.compare, {"yours": np.eye(2), "target": np.eye(2), "tokens": "ab"}, yours=an_array, target=an_array
    ),
    "memlib.draw.curves": lambda: call(
        draw.curves,
        {"lines": {"a": ([1, 2], [3, 4])}},
        lines=lines,
        x=anything,
        y=anything,
        spread=lambda good: ["x", 3, {"a": 3}, {"a": ([1], ["x"])}, Nothing()],
    ),
    "memlib.draw.predict_then": lambda: call(
        draw.predict_then,
        {"x": [1, 2], "sketch": [1, 2]},
        x=some_floats,
        sketch=some_floats,
        measured=some_floats,
        x_name=anything,
        y=anything,
    ),
    "memlib.draw.dye": lambda: call(
        draw.dye,
        {"recipe_dye": np.ones((2, 9)), "view_dye": np.ones((2, 9)), "text": "abcdefghi", "span": (1, 3)},
        recipe_dye=an_array,
        view_dye=an_array,
        text=words,
        span=span,
        after=anything,
    ),
    "memlib.draw.film": lambda: call(
        draw.film,
        films(),
        recipes=arrays,
        views=an_array,
        events=told_steps,
        alt=anything,
        names=anything,
        tiers=by_name,
        at=places,
    ),
    "memlib.draw.moment": lambda: call(
        draw.moment,
        films(),
        recipes=arrays,
        views=an_array,
        events=told_steps,
        tiers=by_name,
        step=lambda good: [*whole(0)(good), 99],
    ),
    "memlib.draw.recipe": lambda: call(
        draw.recipe, {"weights": np.eye(2), "tokens": "ab"}, weights=an_array, slots=told_steps
    ),
    "memlib.draw.view": lambda: call(draw.view, {"weights": np.eye(2), "tokens": "ab"}, weights=an_array),
    "memlib.draw.influence": lambda: call(
        draw.influence, {"norms": np.eye(2), "tokens": "ab"}, norms=an_array, rows=told_steps
    ),
    "memlib.draw.reach": lambda: call(
        draw.reach, {"grid": np.eye(2), "tokens": "ab"}, grid=an_array, layers=told_steps
    ),
    "memlib.draw.keys": lambda: call(
        draw.keys, {"q": np.eye(2), "k": np.eye(2), "v": np.eye(2)}, q=an_array, k=an_array, v=an_array, tokens=tokens
    ),
    "memlib.draw.matrices": lambda: call(
        draw.matrices,
        {"named": {"a": np.ones((2, 3, 3))}, "tokens": "ab"},
        named=by_name,
        views=by_name,
        events=told_steps,
        alt=anything,
    ),
    "memlib.draw.space": lambda: call(
        draw.space,
        {"points": np.eye(2), "queries": np.eye(2), "views": np.eye(2), "tokens": "ab"},
        points=an_array,
        queries=an_array,
        views=an_array,
        local=whole(0),
        origin=lambda good: ["x", 3, [1, 2, 3], [["a", "b"]], Nothing()],
        alt=anything,
        step=lambda good: [*whole(0)(good), 99],
        rests=lambda good: [*whole(0)(good), 99],
    ),
    "memlib.widgets.button": lambda: call(
        widgets.button, {"text": "go", "answer": lambda: "yes"}, text=words, answer=a_pool
    ),
    "memlib.widgets.detective": lambda: call(widgets.detective, among=lambda good: [*whole(1)(good), 99]),
    "memlib.widgets.knob": lambda: call(
        widgets.knob,
        {"make_figure": lambda size=1: draw.bars({"a": 1.0}), "size": (1, 4)},
        make_figure=a_pool,
        controls=three_ways,
    ),
    "memlib.widgets.typed": lambda: call(
        widgets.typed,
        {"make_figure": lambda text: draw.bars({"a": 1.0}), "text": "a"},
        make_figure=a_pool,
        text=words,
        controls=three_ways,
    ),
    "memlib.widgets.one_fact": lambda: call(
        widgets.one_fact, {"memory": Window(8), "model": tiny(), "distance": 20}, statement=words, question=words
    ),
    "memlib.widgets.player": lambda: call(
        widgets.player,
        {"memory": Window(2), "k": sequence()[1].k, "q": sequence()[0], "tokens": "abcdef"},
        k=any_floats,
        q=any_floats,
        tokens=lambda good: [*tokens(good), "abc"],
    ),
    "memlib.widgets.compare": lambda: call(
        widgets.compare, {"model": tiny(), "text": "ab", "head": 0}, star=(Window(2), Window(1)), text=words
    ),
    "memlib.widgets.predict": lambda: call(
        widgets.predict,
        {"question": "How?", "x": [1, 2]},
        question=words,
        x=some_floats,
        target=lambda good: [*some_floats(good), [1.0]],
        y=anything,
        x_name=anything,
    ),
    "memlib.widgets.quiz": lambda: call(
        widgets.quiz,
        {"question": "How?", "options": ["a", "b"], "answer": 1},
        question=words,
        options=lambda good: [3, [], Nothing()],
        answer=lambda good: [2, -1, "a", [0], 0.5, Nothing()],
        why=lambda good: [3, ["a"], Nothing()],
        numeric=anything,
    ),
    "memlib.widgets.resized": lambda: call(widgets.resized, {"memory": Window(2), "size": 3}),
}

METHODS = {  # the same of a method
    "KV.append": lambda: call(
        sequence(2)[1].append,
        {"new": sequence(2)[1]},
        new=other_pairs,
        keep=lambda good: [x for x in whole(0)(good) if x is not HUGE],
    ),
    "KV.fits": lambda: call(sequence(2)[1].fits, {"new": sequence(2)[1]}, new=other_pairs, name=anything),
    "KV.take": lambda: call(
        sequence(2)[1].take,
        {"ids": torch.tensor([[0, 1], [2, 3]])},
        ids=lambda good: [*an_id(good), good[0], good[None]],
    ),
    "KV.each": lambda: call(sequence(2)[1].each, {"fn": lambda x: x}, fn=a_pool),
    "KV.__getitem__": lambda: call(
        sequence(2)[1].__getitem__,
        {"which": torch.tensor([0, 1])},
        which=lambda good: [x for x in an_id(good) if not isinstance(x, type(good > 0)) or x.dim()],
    ),
    "Exact.add": lambda: call(
        Exact(D).add, {"keys": sequence()[1].k, "values": sequence()[1].v}, keys=finite_keys, values=finite_keys
    ),
    "Exact.search": lambda: call(
        a_full_store().search, {"queries": sequence(2)[0], "k": 2}, queries=finite_queries, k=whole(1)
    ),
    "Exact.pairs": lambda: call(a_full_store().pairs, {"ids": torch.tensor([[0, 1]])}, ids=an_id),
    "LanguageModel.forward": lambda: call(tiny().forward, {"tokens": some(2, 5)}, tokens=byte_tokens),
    "LanguageModel.qkv": lambda: call(tiny().qkv, {"tokens": some(2, 5)}, tokens=byte_tokens),
    "LanguageModel.init": lambda: call(tiny().init),
    "LanguageModel.step": lambda: call(
        tiny().step, {"tokens": some(2, 5), "state": tiny().init(2)}, tokens=byte_tokens, state=stream_state
    ),
    "LanguageModel.generate": lambda: call(
        tiny().generate,
        {"prompt": b"abc", "n": 2, "temperature": 1.0},
        n=whole(0),
        temperature=number,
        generator=lambda good: [3, "seed", Nothing()],
    ),
    "LanguageModel.reading": lambda: call(tiny().reading, {"memory": Window(3)}, memory=memories),
}
for pool in (MeanPool, memlib.MaxPool):
    METHODS[f"{pool.__name__}.__call__"] = lambda pool=pool: call(
        pool(), {"old": sequence(2)[1], "rate": 2}, used=anything
    )
METHODS["MostUsed.__call__"] = lambda: call(
    memlib.MostUsed(),
    {"old": sequence(2)[1], "rate": 2, "used": torch.rand(2, N)},
    used=lambda good: ["x", None, good.tolist(), good.numpy(), good[:, 1:]],
)
for pool in (memlib.ConvPool, memlib.DilatedPool):
    METHODS[f"{pool.__name__}.forward"] = lambda pool=pool: call(
        pool(2, D, E).forward, {"old": sequence(2)[1], "rate": 2}, used=anything
    )
METHODS["Unpool.forward"] = lambda: call(memlib.Unpool(2, D, E).forward, {"new": sequence(2)[1]})
METHODS["Gate.forward"] = lambda: call(Gate(D).forward, {"k": sequence(2)[1].k}, k=some_keys)
METHODS["VectorGate.forward"] = lambda: call(memlib.VectorGate(D).forward, {"q": sequence(2)[1].k}, q=some_keys)


def some_keys(good):
    return ["k", 3, good.tolist(), good.numpy(), good.to(torch.complex64), good[..., 1:]]


def finite_keys(good):
    return [
        x
        for x in finite(good)
        if not (isinstance(x, torch.Tensor) and (x.shape[-1] != good.shape[-1] or x.dtype == torch.float64))
    ]


def finite_queries(good):
    return [x for x in finite(good) if not (isinstance(x, torch.Tensor) and x.dim() == 4)]


def queries_of_states(good):
    """They are looked at, and used only by a memory that needs them."""
    fits = (good.shape[:-1], True)
    return [
        x
        for x in finite(good)
        if not isinstance(x, torch.Tensor)
        or (x.shape[:-1], bool(x.is_floating_point() and torch.isfinite(x).all())) != fits
    ]


def finite_alone(good):
    """Keys that need not go with anything."""
    bad = [x for x in finite(good) if not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.dim() > 1)]
    return [*bad, torch.full_like(good, math.nan)]


def floats_of_pairs(good):
    return floats(good)[:-3]


def a_bias(good):
    kv = sequence(2)[1]
    return [
        "b",
        0.5,
        [0.0],
        np.zeros((2, N)),
        torch.zeros(2, N).long(),
        torch.zeros(N),
        torch.zeros(2, N).double(),
        kv.k,
    ]


def a_full_store():
    store = Exact(D)
    store.add(sequence()[1].k, sequence()[1].v)
    return store


def memories(good):
    return [*a_memory(good), [Window(2)], [Window, Window], [Window(2), "window"], []]


def films():
    kv = sequence()[1]
    return {"recipes": memlib.recipe(Window(2), kv.k), "tokens": "abcdef", "views": memlib.view(Window(2), kv.k, kv.k)}


def told_steps(good):
    return [3, [], ["a"], Nothing()]


FOLDER = Path()


def saved():
    path = FOLDER / "state.safetensors"
    state.save(sequence(2)[1], path)
    return path


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "FOLDER", tmp_path)


def public(module: str) -> set[str]:
    """The functions and classes that a module gives to all."""
    home = importlib.import_module(module)
    names = {*getattr(home, "__all__", []), *FROZEN[module]} - TOLD.get(module, set())
    things = {name: getattr(home, name) for name in names}
    errors = {name for name, thing in things.items() if inspect.isclass(thing) and issubclass(thing, Exception)}
    return {name for name, thing in things.items() if inspect.isroutine(thing) or inspect.isclass(thing)} - errors


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_its_good_call(module):
    told = {name.removeprefix(f"{module}.") for name in KNOWN if name.rpartition(".")[0] == module}
    assert told == public(module)


@pytest.mark.parametrize(
    "kind", [KV, Exact, lm.LanguageModel, MeanPool, memlib.MaxPool, memlib.MostUsed, memlib.ConvPool]
)
def test_every_method_that_takes_something_has_its_good_call(kind):
    own = {
        name: x
        for name, x in vars(kind).items()
        if inspect.isfunction(x) and (name[0] != "_" or name in ("__call__", "__getitem__"))
    }
    takes = {f"{kind.__name__}.{name}" for name, x in own.items() if len(inspect.signature(x).parameters) > 1}
    assert takes == {name for name in METHODS if name.startswith(f"{kind.__name__}.")}


def ran(to, given: dict, star=()):
    """What a call gives, to the end where it gives step by step."""
    found = to(*star, **given)
    return list(itertools.islice(found, 20)) if inspect.isgenerator(found) else found


EMPTY = {
    (memlib.walk, "q"),
    (memlib.promises, "memory"),
    (lm.load, "positions"),
    (tasks.mqar, "memory"),
}  # None will do
EMPTY |= {(getattr(state, name), "state") for name in ("state_bytes", "leaves", "rebuild", "detach", "to", "save")}


def rows(to, given: dict, star, kinds: dict):
    """(argument, the call with something else in its place, whether that must be refused)."""
    for name, one in inspect.signature(to).parameters.items():
        kind = kinds[name] if name in kinds else IS[name]
        good = (
            star[0]
            if star and one.kind == one.VAR_POSITIONAL
            else given.get(name, None if one.default is one.empty else one.default)
        )
        bad = kind(good)
        if good is not None and one.default is not None and kind not in (anything, flag) and (to, name) not in EMPTY:
            bad = [None, *bad]
        for value in bad:
            must, value = not isinstance(value, may), value.value if isinstance(value, may) else value
            if one.kind == one.VAR_POSITIONAL:
                yield name, value, given, (*star[:-1], value), must
            elif one.kind == one.VAR_KEYWORD:
                yield name, value, given | {"size": value}, star, must
            else:
                yield name, value, given | {name: value}, star, must


def wrong(to, names: set[str], given: dict, star, must: bool) -> str:
    """What is wrong with how a call is refused; "" where nothing is."""
    try:
        found = ran(to, given, star)
    except (ValueError, TypeError, IndexError) as error:
        said = str(error)
        if isinstance(error, IndexError) and "pairs: ids" not in said:
            return f"IndexError: {said}"
        return (
            ""
            if any(re.search(rf"\b{re.escape(one)}\b", said) for one in names)
            else f"names nothing: {type(error).__name__}: {said}"
        )
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return f"is taken, and gives {str(found)[:60]}" if must else ""


def short(value) -> str:
    return (
        f"a tensor {list(value.shape)} {value.dtype}"
        if isinstance(value, torch.Tensor)
        else repr(value).replace("\n", " ")[:70]
    )


SHOWN = ("memlib.draw", "memlib.widgets")  # figures: of these only the good call holds, not yet what bad ones say
SAID = [name for name in [*KNOWN, *METHODS] if not name.startswith(SHOWN)]


@pytest.mark.parametrize("name", [name for name in KNOWN if name not in SAID])
def test_a_figure_is_made_of_what_is_called_good(name):
    to, given, star, _ = KNOWN[name]()
    ran(to, given, star)


@pytest.mark.parametrize("name", SAID)
def test_what_is_wrong_is_said(name):
    to, given, star, kinds = (KNOWN | METHODS)[name]()
    made = {int: np.int64, float: np.float32}  # numpy's numbers are numbers
    ran(to, {key: made[type(x)](x) if type(x) in made else x for key, x in given.items()}, star)
    lost = []
    for argument, value, bad, bad_star, must in rows(to, given, star, kinds):
        said = wrong(to, {argument, name.rpartition(".")[2]}, bad, bad_star, must)
        lost += [f"{argument}={short(value)}: {said[:170]}"] if said else []
    assert not lost, "\n" + "\n".join(lost)


@pytest.mark.parametrize("name", MEMORIES)
def test_a_memory_says_what_is_wrong_in_its_four_methods(name):
    memory, (q, kv) = MEMORIES[name](), sequence(2, dtype=torch.float64, d=WIDTH[0], e=WIDTH[1])
    n = memory.segment or 2
    mem = memory.update(memory.init(kv), kv[:n], q[:, :n])
    states = ["state", 3, [mem], memory, type(memory), q, None, Nothing(), (kv, kv, kv, kv, kv)]
    states.append(Window(2).init(kv) if isinstance(mem, KV) else kv)
    one, new = q[:, n : n + 1], kv[n : n + 1]
    casts = isinstance(memory, memlib.Recurrent)  # to the dtype of its cell
    calls = [
        (memory.init, {"like": kv}, {"like": [None, *pairs(kv)]}),
        (memory.slots, {"mem": mem}, {"mem": states}),
        (
            memory.update,
            {"mem": mem, "new": new, "q": one},
            {
                "mem": states,
                "new": [None, *(pairs if casts else other_pairs)(new)],
                "q": floats(one) if memory.needs_queries else [],
            },
        ),
        (
            memory.read,
            {"mem": mem, "q": one},
            {
                "mem": states,
                "q": [None, *floats(one)[: -1 if casts else None]],
                "lse": flag(None)[:1],
                "new": pairs(new),
            },
        ),
    ]
    lost = []
    for to, given, kinds in calls:
        ran(to, given)
        for argument, values in kinds.items():
            for value in values:
                value = value.value if isinstance(value, may) else value
                said = wrong(to, {argument}, given | {argument: value}, (), argument != "lse")
                lost += [f"{to.__name__}: {argument}={short(value)}: {said[:170]}"] if said else []
    assert not lost, "\n" + "\n".join(lost)
