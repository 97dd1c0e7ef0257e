"""Memories, model, tasks, stores and figures on a second device: the stand-in of `other_device`, numbers and all."""

import copy

import pytest
import torch
from examples import EVERY, MEMORIES, WIDTH
from other_device import DEVICE, OtherDevice, There
from torch import nn

from memlib import (
    KNN,
    KV,
    Compressive,
    ConvPool,
    DeltaRule,
    Full,
    Gate,
    Gated,
    GatedDelta,
    HeadGate,
    Hybrid,
    Joint,
    Recurrent,
    VectorGate,
    Window,
    attend,
    attend_all,
    draw,
    influence,
    lm,
    outputs,
    promises,
    recipe,
    state,
    state_bytes,
    stores,
    tasks,
    view,
)
from memlib.holding import mapped, modules
from memlib.laws import Sample, alike, last
from memlib.lm import evaluate
from memlib.lm.model import Config, LanguageModel
from memlib.lm.streaming import follow, opened
from memlib.memory import updated
from memlib.tasks import associative, detective, leaderboard
from memlib.tasks.growth import at_length

SAMPLE = Sample(*WIDTH)
OFTEN = MEMORIES if EVERY else {type(make()): name for name, make in reversed(MEMORIES.items())}.values()
DEFAULT = list(OFTEN)[:: 1 if EVERY else 3]
EITHER = pytest.mark.parametrize("default", [False, True], ids=["named", "by default"])  # torch.set_default_device


def changed(x, fn):
    """A copy of a memory with fn at each of its learned parts; of a tensor, a KV or a state, fn of it."""
    return mapped(x, lambda part: fn(copy.deepcopy(part)) if isinstance(part, (nn.Module, nn.Parameter)) else part)


def single(make):
    return changed(make(), lambda part: part.float())


def there(x):
    if isinstance(x, torch.Tensor):
        return x.to(DEVICE)
    return KV(x.k.to(DEVICE), x.v.to(DEVICE)) if isinstance(x, KV) else changed(x, lambda part: part.to(DEVICE))


def back(x):
    """In main memory; all of it was on the device."""
    if isinstance(x, torch.Tensor):
        assert isinstance(x, There), "in main memory"
        return x.cpu().detach()
    if isinstance(x, KV):
        return [back(x.k), back(x.v)]
    return [back(one) for one in x if not isinstance(one, int)] if isinstance(x, (list, tuple)) else x


def here(x):
    """The same of what never left."""
    if isinstance(x, KV):
        return [x.k.detach(), x.v.detach()]
    if isinstance(x, (list, tuple)):
        return [here(one) for one in x if not isinstance(one, int)]
    return x.detach() if isinstance(x, torch.Tensor) else x


def near(got, want, tolerance=1e-5):
    if isinstance(want, list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            near(a, b, tolerance)
    elif isinstance(want, torch.Tensor):
        alike("on the device", got, want, tolerance)
    else:
        assert got == want


def everything(memory, q, kv):
    """All that can be asked of a memory."""
    half, asks = kv.n // 2, promises(memory)
    state_before = memory.init(kv)
    mem = updated(memory, state_before, kv[:half], q[:, :half])
    later = updated(memory, mem, kv[half : half + 1], q[:, half : half + 1])
    yield memory.read(mem, q), memory.read(state_before, q), memory.read(later, q[:, :1])
    yield memory.slots(state_before), memory.slots(mem), memory.slots(later)
    yield [memory.read(mem, q[:, half:], new=kv[half:]), memory.read(mem, q[:, half:][:, :1], new=kv[half:][:1])]
    yield outputs(memory, q, kv), attend_all(memory, q, kv), attend_all(memory, q, kv, last(memory, kv, q))
    if asks.merges:
        yield memory.read(mem, q, lse=True), attend_all(memory, q, kv, lse=True)
    if asks.linear_in_values:
        yield recipe(memory, kv.k, q)[-1], view(memory, q, kv.k)
    alone = KV(kv.k[0, :6], kv.v[0, :6])
    if not asks.needs_queries:
        yield influence(memory, alone)
    yield influence(memory, alone, q[0, :6])
    held = opened(memory, kv.empty())
    for t in range(0, kv.n, 3):
        held, out = follow(memory, held, q[:, t : t + 3], kv[t : t + 3])
        yield out
    for n in (1, kv.n):  # what is differentiated, step by step and whole
        leaf = [x.detach()[:, :n].clone().requires_grad_() for x in (q, kv.k, kv.v)]
        learned = [p for part in modules(memory) for p in part.parameters()]
        for form in (outputs, attend_all):
            loss = form(memory, leaf[0], KV(*leaf[1:])).square().sum()
            loss = loss + sum(0 * x.sum() for x in (*leaf, *learned))
            yield torch.autograd.grad(loss, [*leaf, *learned])


@pytest.mark.parametrize("name, default", [(name, False) for name in OFTEN] + [(name, True) for name in DEFAULT])
def test_a_memory_gives_there_what_it_gives_here(name, default):
    memory, (q, kv) = single(MEMORIES[name]), SAMPLE.tokens(2, n=24, dtype=torch.float32)
    want = [here(x) for x in everything(memory, q, kv)]
    with OtherDevice(default):
        memory, q, kv = there(memory), there(q), there(kv)
        for i, got in enumerate(everything(memory, q, kv)):
            near(back(got), want[i])
        mem = last(memory, kv, q)
        for name, x in state.leaves(mem):
            assert not isinstance(x, torch.Tensor) or isinstance(x, There), name
        home = state.to(state.detach(mem), "cpu")
        assert state_bytes(home) == state_bytes(mem)
        assert not any(isinstance(x, There) for _, x in state.leaves(home))


@pytest.mark.parametrize("name", MEMORIES)
def test_a_state_moves_there_and_goes_on(name, tmp_path):
    memory, (q, kv) = single(MEMORIES[name]), SAMPLE.tokens(2, n=12, dtype=torch.float32)
    mem = state.detach(last(memory, kv, q))
    want = here(memory.slots(updated(memory, mem, kv[:6], q[:, :6])))
    with OtherDevice():
        memory, moved = there(memory), state.to(mem, DEVICE)
        new, asked = there(kv[:6]), there(q[:, :6])
        near(back(memory.slots(updated(memory, moved, new, asked))), want)
        state.save(moved, tmp_path / "state")
        loaded = state.load(tmp_path / "state", memory.init(new))
        near(back(memory.slots(updated(memory, loaded, new, asked))), want)


# the model


PARTS = {
    "full": lambda: Full(),
    "cell": lambda: Recurrent(nn.GRUCell(16, 16)),
    "gates": lambda: GatedDelta(Gate(8), Gate(8)),
    "pool": lambda: Hybrid(3, 2, 2, ConvPool(2, 8)),
    "segments": lambda: Compressive(4, 2, 2, ConvPool(2, 8)),
    "gate a head": lambda: Gated(Window(2), KNN(2, local=2), HeadGate(2)),
    "gate of vectors": lambda: Gated(Window(2), KNN(2, local=2), VectorGate(8)),
    "a list": lambda: [DeltaRule(Gate(8)), Joint(Window(2), KNN(2, 2))],
}


def a_model(memory=None, positions="absolute"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(Config(16, 2, 2, rotary=0.5), memory, positions)


TEXT = torch.tensor([list(b"a short text, twice"), list(b"another short text.")])


def spoken(model, tokens):
    """What a model does with tokens, streamed in odd pieces too."""
    yield model(tokens)
    held = model.init(2)
    for part in tokens.split(7, 1):
        logits, held = model.step(part, held)
        yield logits
    yield [[q, kv] for q, kv in model.qkv(tokens)]


@pytest.mark.parametrize("name, default", [(name, False) for name in PARTS] + [("full", True), ("a list", True)])
def test_a_model_moves_there_and_speaks_as_it_did(name, default):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        memory = PARTS[name]()
    model = a_model(memory)
    want, said = [here(x) for x in spoken(model, TEXT)], model.generate(b"a text", 12)
    with OtherDevice(default):
        model = model.to(DEVICE)
        for got, wanted in zip(spoken(model, TEXT.to(DEVICE)), want, strict=True):
            near(back(got), wanted)
        assert model.generate(b"a text", 12) == said
        seeded = (model.generate(b"a", 8, 1.0, torch.Generator().manual_seed(0)) for _ in range(2))
        assert next(seeded) == next(seeded)
        loss = model(TEXT.to(DEVICE)).square().mean()
        loss.backward()
        assert all(isinstance(p.grad, There) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", PARTS)
def test_what_a_new_memory_has_learned_is_copied_to_the_model(name):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        memory = PARTS[name]()
    want = a_model().reading(memory)(TEXT).detach()
    with OtherDevice():
        model = a_model().to(DEVICE).reading(memory)
        near(back(model(TEXT.to(DEVICE))), want)
        mine = [
            p
            for one in (memory if isinstance(memory, list) else [memory])
            for m in modules(one)
            for p in m.parameters()
        ]
        assert not any(isinstance(p, There) for p in mine)  # the memory itself stays where it was
        again = model.reading(list(model.memories))
        assert {id(p) for p in again.parameters()} == {id(p) for p in model.parameters()}  # what is there is shared


def test_positions_in_the_cache_are_turned_there():
    want = a_model(Window(4, sinks=2), "cache")(TEXT).detach()
    with OtherDevice():
        near(back(a_model(Window(4, sinks=2), "cache").to(DEVICE)(TEXT.to(DEVICE))), want)


# tasks


SHORT = lm.facts.stream(4, own=lm.facts.Fact("Door 4.", "door?", "4"))
ASKED = {
    "one fact": lambda memory, model: tasks.one_fact(memory, model=model, stream=SHORT),
    "one fact at once": lambda memory, model: tasks.one_fact(memory, model=model, stream=SHORT, at_once=True),
    "passkey": lambda memory, model: tasks.passkey(memory, 200, (0.5,), 2, model=model),
    "copy": lambda memory, model: tasks.copy(memory, 16, 8, 2, model=model),
    "heads": lambda memory, model: tasks.heads(model.reading(memory), "some text", 1, 1),
    "bits": lambda memory, model: leaderboard._bits(model.reading(memory), 0, 2, 32),
    "bits by position": lambda memory, model: evaluate.bits_by_position(model.reading(memory), TEXT.view(-1), 8, 3),
}


def plain(x):
    """Numbers and tensors of a result; times are left out."""
    if isinstance(x, tasks.OneFact):
        return [x.said, x.state_bytes, x.recipe_dye, x.view_dye, torch.tensor(x.p, device="cpu")]
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        return [plain(one) for one in x]
    if isinstance(x, torch.Tensor):
        return x.cpu().detach()
    return torch.tensor(x, dtype=torch.float64, device="cpu") if isinstance(x, float) else x


@EITHER
@pytest.mark.parametrize("name", ASKED)
def test_a_task_with_a_model_there(name, default):
    model, memory = a_model(), Joint(Window(24), Window(2)) if default else DeltaRule(Gate(8))
    want = plain(ASKED[name](memory, model))
    with OtherDevice(default):
        got = ASKED[name](there(memory), copy.deepcopy(model).to(DEVICE))
        near(plain(got), want, 1e-4)
        near(plain(ASKED[name](memory, model)), want, 1e-4)  # and here, whatever the default


ALONE = {
    "recall": lambda memory, **on: tasks.recall(memory, 12, 6, 2, **on),
    "rebinding": lambda memory, **on: tasks.rebinding(memory, 3, 4, 6, 4, shuffled=True, **on),
    "gist": lambda memory, **on: tasks.gist_and_drift(memory, 12, 6, 6, trials=4, **on),
    "mqar": lambda memory, **on: tasks.mqar(memory, 2, 12, 3, dim=24, heads=4, layers=1, batch=4, every=2, **on),
}
LEARNED = {
    "window": lambda: Window(4),
    "cell": lambda: Recurrent(nn.GRUCell(12, 12)),
    "gates": lambda: GatedDelta(Gate(6), Gate(6)),
    "pool": lambda: Hybrid(3, 2, 2, ConvPool(2, 6)),
    "segments": lambda: Compressive(4, 3, 2, ConvPool(2, 6), stop=False),
}


@pytest.mark.parametrize("name, default", [(name, False) for name in LEARNED] + [("gates", True)])
@pytest.mark.parametrize("task", ALONE)
def test_a_task_without_a_model_there(task, name, default):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        memory = LEARNED[name]()
    want = plain(ALONE[task](copy.deepcopy(memory)))
    with OtherDevice(default):
        near(plain(ALONE[task](there(memory), device=DEVICE)), want, 1e-4)
        if modules(memory):  # they say where
            near(plain(ALONE[task](there(memory))), want, 1e-4)


def test_gist_expected_takes_a_view_from_there():
    want = tasks.gist_expected(torch.ones(6, 6).tril() / 6, 4)
    with OtherDevice():
        near(tasks.gist_expected((torch.ones(6, 6).tril() / 6).to(DEVICE), 4), want)


@EITHER
def test_growth_detective_and_rows_draw_as_they_did_whatever_the_default(default):
    want = at_length(Window(8), 64, 0, 8, 4)
    row = associative.rows(2, 16, 2, torch.Generator().manual_seed(0))
    with OtherDevice(default):
        got = at_length(Window(8), 64, 0, 8, 4)
        assert {k: x for k, x in got.items() if k != "seconds"} == {k: x for k, x in want.items() if k != "seconds"}
        near(list(associative.rows(2, 16, 2, torch.Generator().manual_seed(0))), list(row))
        assert detective.Box(1).view("some text").shape == (9, 9)


# stores


@EITHER
@pytest.mark.parametrize("metric", stores.METRICS)
@pytest.mark.parametrize("lies", ["here", "there"])
def test_a_store_is_asked_from_the_other_place(lies, metric, default):
    draws = torch.Generator().manual_seed(0)
    keys, values, q = (torch.randn(n, 4, generator=draws) for n in (50, 50, 6))
    store = stores.open(":memory:", dim=4, metric=metric)
    store.add(keys, values)
    scores, ids = store.search(q, 3)
    pairs, read = store.pairs(ids), attend_all(KNN(3, store=store), q, KV(q, q))
    with OtherDevice(default):
        other = stores.open(":memory:", dim=4, metric=metric)
        other.add(*((keys, values) if lies == "here" else (keys.to(DEVICE), values.to(DEVICE))))
        asked = q.to(DEVICE) if lies == "here" else q
        found = other.search(asked, 3)
        got = [*found, other.pairs(found[1]).v, attend_all(KNN(3, store=other), asked, KV(asked, asked))]
        assert all(isinstance(x, There) == (lies == "here") for x in got)
        near([x.cpu() for x in got], [scores, ids, pairs.v, read])


def test_a_model_there_reads_stores_in_main_memory():
    """As in chapter 06: a datastore for each head of each layer."""
    draws = torch.Generator().manual_seed(0)
    rows = [[stores.open(":memory:", dim=8) for _ in range(2)] for _ in range(2)]
    for store in (store for row in rows for store in row):
        store.add(torch.randn(20, 8, generator=draws), torch.randn(20, 8, generator=draws))
    memories = [Joint(Window(4), KNN(3, store=row)) for row in rows]
    want, said = a_model().reading(memories)(TEXT).detach(), a_model().reading(memories).generate(b"a text", 6)
    with OtherDevice():
        model = a_model().to(DEVICE).reading(memories)
        near(back(model(TEXT.to(DEVICE))), want)
        assert model.generate(b"a text", 6) == said


@EITHER
@pytest.mark.parametrize("metric", stores.METRICS)
def test_equal_keys_are_told_apart_where_there_is_no_float64(metric, default):
    with OtherDevice(default):
        store = stores.open(":memory:", dim=16, metric=metric)
        store.add(torch.ones(20_000, 16, device=DEVICE), torch.ones(20_000, 16, device=DEVICE))
        scores, ids = store.search(torch.ones(16, 16, device=DEVICE), 5)
        assert isinstance(ids, There) and isinstance(scores, There)
        assert scores.cpu().eq(16.0 if metric == "inner product" else 0.0).all()
        assert all(len(set(row)) == 5 for row in ids.tolist())


# figures


@pytest.mark.parametrize("as_list", [False, True])
def test_figures_are_drawn_of_what_lies_there(as_list):
    text, draws = list("abcdefgh"), torch.Generator().manual_seed(0)
    x, cube = torch.rand(8, 8, generator=draws), torch.rand(8, 4, 3, generator=draws)

    def figures(x, cube):
        rows = list(x) if as_list else x
        yield draw.recipe(rows, text)
        yield draw.view(rows, text)
        yield draw.influence(rows, text)
        yield draw.reach(rows, text)
        yield draw.compare(rows, rows, text)
        yield draw.keys(rows, rows, rows, text)
        yield draw.film([x[: t + 1] for t in range(8)], text, views=rows)
        yield draw.moment([x[: t + 1] for t in range(8)], text, rows, step=3)
        yield draw.matrices({"a": list(cube) if as_list else cube}, text, {"a": rows})
        yield draw.space(x[:, :2], x[:, 2:4], rows, text, local=2, origin=x[0, :2])
        yield draw.dye(rows[:3], rows[:3], "".join(text), (2, 4))
        yield draw.curves({"a": (x[0], list(x[1]) if as_list else x[1])}, spread={"a": (x[2], x[3])})
        yield draw.predict_then(x[0], list(x[1]), x[2])
        yield draw.bars({"a": x[0, 0], "b": x[0, 1]})
        yield draw.board({"a": {"x": x[0, 0]}}, {"b": {"x": x[0, 1]}})

    want = [fig.to_json() for fig in figures(x, cube)]
    with OtherDevice():
        assert [fig.to_json() for fig in figures(x.to(DEVICE), cube.to(DEVICE))] == want


# the stand-in itself: a test on it is worth what it refuses


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda a, b: a + b, "one device"),
        (lambda a, b: torch.cat([a, b]), "one device"),
        (lambda a, b: a.index_select(0, torch.tensor([0])), "one device"),
        (lambda a, b: b[a.long()], "one device"),
        (lambda a, b: attend(a[None], KV(b[None], b[None])), "one device"),
        (lambda a, b: a.double(), "float64"),
        (lambda a, b: a.to("cpu", torch.float64), "float64"),
        (lambda a, b: torch.zeros(2, dtype=torch.float64, device=a.device), "float64"),
        (lambda a, b: torch.randn(2, generator=torch.Generator(), device=a.device), "generator"),
        (lambda a, b: a.numpy(), "numpy"),
        (lambda a, b: KV(a[None], b[None]), "must be the same"),
    ],
)
def test_the_stand_in_refuses_what_a_device_refuses(ask, words):
    with OtherDevice(), pytest.raises((RuntimeError, TypeError, ValueError), match=words):
        ask(torch.ones(2, device=DEVICE), torch.ones(2))


def test_the_stand_in_does_what_a_device_does():
    with OtherDevice():
        a, one = torch.ones(2, device=DEVICE), torch.tensor(2.0)
        for x in (
            a + one,
            a * 2,
            a[torch.tensor([0])],
            a.new_zeros(3),
            torch.zeros_like(a),
            one.to(a),
            a.topk(1).values,
        ):
            assert isinstance(x, There) and x.device.type == DEVICE.type
        assert not isinstance(a.cpu(), There) and a.cpu().double().device.type == "cpu" and a.tolist() == [1, 1]
        linear = nn.Linear(2, 2)
        weight = linear.weight
        assert isinstance(linear.to(DEVICE).weight, There) and linear.weight is weight
    with OtherDevice(default=True):
        assert isinstance(torch.zeros(2), There) and not isinstance(torch.zeros(2, device="cpu"), There)
