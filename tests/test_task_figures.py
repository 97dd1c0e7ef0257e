"""What the tasks hand to a memory, and what they make of what comes back: shares, bytes, bits, seconds, seeds."""

import itertools
import json
import math
import time
from types import SimpleNamespace

import pytest
import torch
from examples import MEMORIES as EVERY

from memlib import (
    KV,
    Compressive,
    CumulativeAverage,
    DeltaRule,
    Full,
    GatedDelta,
    Hybrid,
    Joint,
    LinearAttention,
    MostUsed,
    Window,
    attend,
    lm,
    outputs,
    recipe,
    state_bytes,
    states,
    tasks,
    view,
)
from memlib.lm import Config, LanguageModel, data, evaluate, facts
from memlib.memory import promises, updated
from memlib.parts.gates import Gate
from memlib.tasks import associative, detective, experiments, growth, leaderboard, lookup, texts
from memlib.tasks.detective import SUSPECTS, Box
from memlib.tasks.leaderboard import HEADS, LIMIT, MEMORIES, Score, Weighed


@pytest.fixture(scope="module")
def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(Config(dim=32, layers=2, heads=2)).eval()


class Knows:
    """Keeps all pairs, and of each key gives the value that was bound `back` bindings ago; wrong from `known` on."""

    segment, softmax, linear_in_values, chunkable = None, True, True, True

    def __init__(self, back: int = 0, known: int = 10**9):
        self.back, self.known, self.seen, self.asked = back, known, None, None

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        self.seen = mem.append(new)
        return self.seen

    def read(self, mem, q, new=None, lse=False):
        self.asked = q
        same = (q @ mem.k.mT) > 0.99 * q.norm(dim=-1, keepdim=True) * mem.k.norm(dim=-1)[..., None, :]
        order = torch.arange(mem.n).expand(same.shape).masked_fill(~same, -1).sort(-1, descending=True)[0]
        value = mem.v.take_along_dim(order[..., self.back, None].clamp(min=0), -2)
        wrong = torch.arange(q.shape[-2])[:, None] >= self.known
        return torch.where(wrong, -value, value)

    def slots(self, mem):
        return mem


# Other seeds, other numbers

DRAWN = {
    "recall": lambda seed: tasks.recall(LinearAttention(), 64, 16, seed=seed),
    "recall's pairs": lambda seed: handed(tasks.recall, 8, seed=seed).v,
    "recall's keys": lambda seed: handed(tasks.recall, 8, seed=seed).k,
    "rebinding's keys": lambda seed: handed(tasks.rebinding, 2, 4, 8, seed=seed).k,
    "rebinding's values": lambda seed: handed(tasks.rebinding, 2, 4, 8, seed=seed).v,
    "rebinding's order": lambda seed: handed(tasks.rebinding, 4, 4, 8, seed=seed, shuffled=True).k.argmax(-1),
    "gist": lambda seed: tasks.gist_and_drift(Window(3), 20, 5, trials=32, seed=seed),
    "rows": lambda seed: associative.rows(4, 32, 4, torch.Generator().manual_seed(seed))[0],
    "where the rows ask": lambda seed: associative.rows(4, 32, 4, torch.Generator().manual_seed(seed))[1],
    "copy": lambda seed: tasks.copy(None, 8, 4, 4, seed, Uniform())[0:0] or Uniform.rows[0],
    "board's text": lambda seed: leaderboard._bits(Uniform(), seed, 3) and Uniform.rows[0],
    "ends": lambda seed: leaderboard._ends(seed, 1),
    "at length": lambda seed: growth.at_length(Window(100), 400, seed)["found"],
    "fact": lambda seed: facts.stream(40, seed).text,
    "the order of ten boxes": lambda seed: [Box(10 * seed + i)._name for i in range(10)],
    "the sizes of boxes": lambda seed: [Box(10 * seed + i)._size for i in range(10)],
    "mqar": lambda seed: tasks.mqar(Full(), 2, 8, 1, 16, 1, batch=2, seed=seed).accuracy,
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_seed_draws_the_same_and_another_draws_another(name):
    def same(a, b):
        return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b

    made = [DRAWN[name](seed) for seed in (1, 1, 2, 3)]
    assert same(made[0], made[1]) and not same(made[0], made[2]) and not same(made[2], made[3])


def handed(task, *sizes, **how) -> KV:
    memory = Knows()
    task(memory, *sizes, **how)
    return memory.seen


class Uniform:
    """In the place of a model: a byte at place t costs `bits[t]` bits (8: every byte alike)."""

    rows: list = []
    embed = SimpleNamespace(weight=torch.zeros(1))
    reading = lambda self, memory: self  # noqa: E731

    def __init__(self, bits=None):
        self.bits = bits
        Uniform.rows = []

    def __call__(self, tokens):
        Uniform.rows.append(tokens)
        cost = torch.full(tokens.shape[1:], 8.0) if self.bits is None else self.bits[: tokens.shape[1]]
        right = 2**-cost
        logits = ((1 - right) / 255).log().view(1, -1, 1).expand(*tokens.shape, 256).clone()
        after = torch.cat([tokens[:, 1:], self.last(tokens)], 1)
        return logits.scatter(-1, after[..., None], right.log().view(1, -1, 1).expand(*tokens.shape, 1))

    def last(self, tokens):
        """The byte behind the last one: in a copy, what stood there before."""
        return tokens[:, 7:8]


# What is handed over


@pytest.mark.parametrize("pairs, width, trials", [(8, 64, 4), (5, 16, 2)])
def test_recall_hands_over_long_keys_and_asks_for_each_once(pairs, width, trials):
    memory = Knows()
    assert tasks.recall(memory, pairs, width, trials) == 1
    kv = memory.seen
    assert kv.k.shape == kv.v.shape == (trials, pairs, width)
    assert torch.allclose(kv.k.norm(dim=-1), torch.tensor(width**0.5)) and torch.allclose(
        kv.v.norm(dim=-1), torch.ones(())
    )
    torch.testing.assert_close(memory.asked, lookup.SHARP * kv.k)
    assert len({tuple(row) for row in kv.k.flatten(0, 1).tolist()}) == pairs * trials, "no row and no key twice"
    assert (kv.k[0] / width**0.5 - kv.v[0]).abs().max() > 0.1


@pytest.mark.parametrize("known", [0, 1, 3, 8])
def test_recall_is_the_share_of_keys_whose_value_is_nearest(known):
    assert tasks.recall(Knows(known=known), 8) == known / 8
    assert lookup.recall_expected(known, 8) == known / 8 and lookup.recall_expected(9, 8) == 1


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_rebinding_binds_each_key_in_turn_and_wants_its_newest_value(times, shuffled):
    keys, width, trials = 4, 8, 6
    memory = Knows()
    assert tasks.rebinding(memory, times, keys, width, trials, shuffled=shuffled) == 1
    kv, asked = memory.seen, memory.asked / lookup.SHARP
    assert kv.k.shape == (trials, times * keys, width) and asked.shape == (trials, keys, width)
    torch.testing.assert_close(asked @ asked.mT, width * torch.eye(keys).expand(trials, -1, -1), atol=1e-4, rtol=0)
    which = (kv.k @ asked.mT / width).argmax(-1)
    assert all(row.bincount().tolist() == [times] * keys for row in which)
    turns = torch.arange(keys).repeat(trials, times)
    assert torch.equal(which, turns) != (shuffled and times > 1) or (shuffled and times == 1)
    assert not shuffled or times == 1 or len(which.unique(dim=0)) > 1, "each row in an order of its own"
    assert torch.allclose(kv.v.norm(dim=-1), torch.ones(()))
    for back in range(1, times):
        assert tasks.rebinding(Knows(back), times, keys, width, trials, shuffled=shuffled) == 0
    assert tasks.rebinding(Knows(known=3), times, keys, width, trials, shuffled=shuffled) == (
        pytest.approx(3 / 4, abs=0.26) if times == 1 else 3 / 4
    )


@pytest.mark.parametrize("steady, after, topics", [(6, 4, 5), (3, 0, 2)])
def test_a_gist_is_one_topic_then_always_another(steady, after, topics):
    class Newest(Knows):
        def read(self, mem, q, new=None, lse=False):
            self.asked = q
            return mem.v[..., max(mem.n - 1 - self.back, 0), None, :]

    memory, trials = Newest(), 50
    got = tasks.gist_and_drift(memory, steady, after, topics, noise=0.0, trials=trials)
    assert got.tolist() == [1.0] * (steady + after)
    kv = memory.seen
    assert (kv.k == 1).all() and (memory.asked == 1).all() and kv.v.shape == (trials, steady + after, topics)
    topic = kv.v.argmax(-1)
    assert (kv.v.sum(-1) == 1).all() and (topic[:, :steady] == topic[:, :1]).all()
    assert len(topic[:, 0].unique()) == topics
    if after:
        assert (topic[:, steady:] == topic[:, -1:]).all() and (topic[:, -1] != topic[:, 0]).all()
        assert len(((topic[:, -1] - topic[:, 0]) % topics).unique()) == topics - 1
        late = tasks.gist_and_drift(Newest(1), steady, after, topics, noise=0.0, trials=trials)
        assert late.tolist() == [float(t != steady) for t in range(steady + after)]
    noisy = Newest()
    tasks.gist_and_drift(noisy, steady, after, topics, noise=3.0, trials=400)
    rest = noisy.seen.v - torch.nn.functional.one_hot(topic[:1, :1], topics)
    assert noisy.seen.v.std().item() == pytest.approx(3, rel=0.1) and rest.isfinite().all()
    assert noisy.seen.v.mean().item() == pytest.approx(1 / topics, abs=0.3)


def test_of_two_topics_the_expected_share_is_a_normal_chance():
    weights = torch.rand(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tril()
    weights /= weights.sum(-1, keepdim=True)
    got = tasks.gist_expected(weights, steady=5, topics=2, noise=0.7)
    for t, row in enumerate(weights):
        now = row[:5].sum() if t < 5 else row[5:].sum()
        spread = 0.7 * row.norm() * 2**0.5
        assert got[t].item() == pytest.approx(torch.special.ndtr((2 * now - 1) / spread).item(), abs=1e-5)
    many = tasks.gist_expected(weights, steady=9, topics=40, noise=50.0)
    assert many.tolist() == pytest.approx([1 / 40] * 9, abs=3e-3), "mere noise: a guess among all"


def test_a_passkey_stands_at_its_depth_in_a_text_of_its_length_and_all_kinds_come(monkeypatch):
    seen = []
    monkeypatch.setattr(
        evaluate, "right", lambda model, streams: seen.append(streams) or [s.distance < 150 for s in streams]
    )
    model, depths = SimpleNamespace(reading=lambda memory: memory), (0.0, 0.25, 0.5, 1.0)
    got = tasks.passkey(None, 400, depths, count=8, seed=1, model=model)
    assert got == {0.0: 0, 0.25: 0, 0.5: 0, 1.0: 1} and len(seen[0]) == 8 * len(depths)
    for i, one in enumerate(seen[0]):
        depth, start = depths[i // 8], one.fact_span[0]
        assert one.fact.kind == facts.KINDS[(8 + i % 8) % len(facts.KINDS)]
        assert start == pytest.approx(depth * (400 - texts.FACT), abs=1.5)
        assert one.question_span[0] - (one.fact_span[1] - start) == pytest.approx(400 - texts.FACT, abs=1.5)
    assert {one.fact.kind for one in seen[0]} == set(facts.KINDS)
    assert len({one.text for one in seen[0]}) == 32
    tasks.passkey(None, 400, depths, count=8, seed=2, model=model)
    assert not {one.fact for one in seen[0]} & {one.fact for one in seen[1]}, "no fact of another seed"


def test_each_share_of_a_passkey_belongs_to_its_depth(monkeypatch):
    marks = [True, False, True, True, False, False]
    monkeypatch.setattr(evaluate, "right", lambda *_: marks)
    model = SimpleNamespace(reading=lambda memory: memory)
    assert tasks.passkey(None, 200, (0, 0.5, 1), 2, model=model) == {0: 0.5, 0.5: 1.0, 1: 0.0}


@pytest.mark.parametrize(
    "task", [lambda model: tasks.copy(None, 30, 30, 40, 0, model), lambda model: leaderboard._bits(model, 0, 40)]
)
def test_pieces_come_from_all_over_the_held_out_text(task):
    task(Uniform())
    held = bytes(data.texts()[1].tolist())
    starts = [held.find(bytes(row[:50].tolist())) / len(held) for row in Uniform.rows[0]]
    assert 0 <= min(starts) < 0.2 and max(starts) > 0.8


@pytest.mark.parametrize("passage, gap", [(8, 4), (8, 0), (2, 5)])
def test_copy_counts_the_bits_of_a_passage_and_of_the_same_again(passage, gap):
    bits = torch.arange(1, 40) / 4
    first, again = tasks.copy(None, passage, gap, 5, 0, Uniform(bits))
    (rows,) = Uniform.rows
    n = passage + gap
    assert rows.shape == (5, n + passage - 1)
    assert torch.equal(rows[:, n:], rows[:, : passage - 1]) and len({tuple(r) for r in rows.tolist()}) == 5
    if passage == 8:
        assert first == pytest.approx(bits[: passage - 1].mean().item(), rel=1e-4)
        assert again == pytest.approx(bits[n : n + passage - 1].mean().item(), rel=1e-4)
    held = bytes(data.texts()[1].tolist())
    assert all(bytes(row[:n].tolist()) in held for row in rows)
    assert tasks.copy(None, 8, 4, 2, 0, Uniform()) == pytest.approx((8, 8), rel=1e-4)


def test_the_tensors_of_each_head_are_its_own(tiny):
    given = tiny.qkv(torch.tensor([list(b"some text")]))
    for layer, head in itertools.product(range(2), range(2)):
        q, kv = given[layer]
        got = tasks.heads(tiny, "some text", layer, head)
        assert all(torch.equal(a, b[0, head]) for a, b in zip(got, (q, kv.k, kv.v), strict=True))


# One fact

ASKED = [
    Full(),
    Window(9, sinks=4),
    CumulativeAverage(),
    Joint(Window(9), CumulativeAverage()),
    GatedDelta(0.9, 0.8),
    Hybrid(6, 4, 2, MostUsed()),
]


@pytest.mark.parametrize("memory", [*ASKED, Compressive(8, 4, 2)], ids=str)
def test_one_fact_says_what_streaming_says_and_its_dye_is_recipe_and_view(memory, tiny, monkeypatch):
    stream, clock = facts.stream(4, 5, "number", before=3), itertools.count(0, 10.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    seen, model = tasks.one_fact(memory, model=tiny, stream=stream), tiny.reading(memory)
    tokens = torch.tensor([list(stream.prompt)])
    n, (start, end) = tokens.shape[1], stream.fact_span
    assert (seen.text.encode(), seen.fact_span, seen.answer) == (stream.prompt, stream.fact_span, stream.answer)
    whole = torch.tensor([list(stream.prompt + stream.answer.encode())])
    chances = model(whole).detach().softmax(-1)[0]
    wanted = math.prod(chances[i - 1, whole[0, i]].item() for i in range(n, whole.shape[1]))
    assert seen.p == pytest.approx(wanted, rel=1e-3, abs=0)
    said = model.generate(stream.prompt, len(stream.answer.encode()))
    assert seen.said == said.decode(errors="replace") and seen.right == (seen.said == stream.answer)
    assert seen.seconds_per_byte == 10 / n
    state, bytes_ = model.init(1), []
    for t in range(n):
        state = model.step(tokens[:, t : t + 1], state)[1]
        bytes_.append(sum(state_bytes(one) for one in state.memories))
    assert seen.state_bytes == bytes_
    for layer, (q, kv) in enumerate(model.qkv(tokens)):
        got = torch.stack([view(memory, q[0, h], kv.k[0, h])[:, start:end].sum(-1) for h in range(2)]).mean(0)
        torch.testing.assert_close(seen.view_dye[layer], got, atol=1e-4, rtol=1e-4)
        if promises(memory).segment is None:
            held = [recipe(memory, kv.k[0, h], q[0, h]) for h in range(2)]
            if promises(memory).rows:
                part = torch.tensor([[step[:, start:end].sum(-1).norm() for step in one] for one in held]).mean(0)
                part = part / part[end - 1]
            else:
                part = torch.tensor([[step[:, start:end].sum() for step in one] for one in held]).mean(0) / (
                    end - start
                )
            torch.testing.assert_close(seen.recipe_dye[layer], part, atol=1e-4, rtol=1e-4)


def test_what_one_fact_is_asked_is_what_it_is_told(tiny):
    turned, unturned = (tasks.one_fact(Full(), 9, 5, tiny, positions) for positions in (None, "none"))
    assert turned.text.encode() == facts.stream(9, 5).prompt and turned.p != unturned.p
    own = facts.stream(3, own=facts.Fact("Ben has a cat.", "what has Ben?", "cat"), before=0)
    assert tasks.one_fact(Full(), 99, 5, tiny, stream=own).text.encode() == own.prompt


# Learning to look up


def test_every_step_of_mqar_sees_fresh_rows_and_is_tested_on_others(monkeypatch):
    made, real = [], associative.rows

    def spied(*sizes):
        made.append(real(*sizes))
        return made[-1]

    monkeypatch.setattr(associative, "rows", spied)
    found = tasks.mqar(Full(), 2, 16, steps=5, dim=16, layers=1, batch=3, every=2, seed=4)
    assert [step for step, _ in found.curve] == [2, 4, 5] and found.accuracy == found.curve[-1][1]
    learned = [tokens for tokens, _ in made if len(tokens) == 3]
    asked = [tokens for tokens, _ in made if len(tokens) == 256]
    assert len(learned) == 5 and len(asked) == 3 and all(torch.equal(asked[0], one) for one in asked)
    tasks.mqar(Full(), 2, 16, steps=1, dim=16, layers=1, batch=3, seed=5)
    assert not torch.equal(made[-2][0], learned[0]), "another seed, other rows"
    each = [tuple(row) for tokens in learned for row in tokens.tolist()]
    assert len(set(each)) == 15 and not set(each) & {tuple(row) for row in asked[0].tolist()}


@pytest.mark.parametrize("known", [0, 1, 3, 4])
def test_the_accuracy_of_mqar_is_that_of_the_answers_alone(known):
    def model(tokens):
        """Right on the first `known` answers of each row, wrong everywhere else."""
        whole, asked = associative.rows(256, 32, 4, torch.Generator().manual_seed(2**40))
        assert torch.equal(tokens, whole[:, :-1])
        right = asked & (asked.cumsum(-1) <= known)
        return torch.nn.functional.one_hot(torch.where(right, whole, (whole + 1) % 256)[:, 1:], 256)

    model.embed = Uniform.embed
    assert associative._tested(model, 32, 4) == known / 4


# Weighing and the board


class Shrinks:
    """A memory that holds 20 pairs after the tenth, and then one."""

    segment, softmax, linear_in_values, needs_queries, chunkable, merges = None, True, True, False, False, True

    def init(self, like):
        return like.empty(), 0

    def update(self, mem, new, q=None):
        kept = 20 if mem[1] == 9 else 1
        return KV(
            new.k[..., :1, :].expand(*new.k.shape[:-2], kept, -1), new.v[..., :1, :].expand(*new.v.shape[:-2], kept, -1)
        ), mem[1] + 1

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem[0], lse, new)

    def slots(self, mem):
        return mem[0]


def test_the_largest_state_counts_and_not_the_last():
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 30, 8, generator=draw) for _ in range(3))
    weighed = Weighed(Shrinks())
    outputs(weighed, q, KV(k, v))
    assert weighed.most[0] == pytest.approx(20 * 16 * 4, abs=16), "a head, not all six"
    before = weighed.most[0]
    outputs(weighed, q[..., :3, :], KV(k[..., :3, :], v[..., :3, :]))
    assert weighed.most[0] == before, "and it stays the largest"


@pytest.mark.parametrize("name", EVERY)
def test_a_weighed_memory_is_the_memory(name):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(12, width, generator=draw, dtype=torch.float64) for width in (5, 5, 3))
    memory = EVERY[name]()
    weighed = Weighed(memory)
    assert promises(weighed) == promises(memory)
    assert torch.equal(outputs(weighed, q, KV(k, v)), outputs(memory, q, KV(k, v)))
    held = [state_bytes(mem) for mem in states(memory, KV(k, v), q)]
    assert weighed.most[0] == max(held)


FOUND = dict(zip(("recall", "re-binding", "gist", "drift"), (0.1, 0.2, 0.3, 0.4), strict=True))


@pytest.fixture
def scored(monkeypatch, tiny):
    """score() with every task answered at once; `said` is what they were asked, `heavy` what they weigh."""
    said, heavy = {}, {"layer": [0.0] * 3, "alone": 0.0, "kept": [100, 700, 300]}

    def weigh(memories):
        for one, most in zip(memories, heavy["layer"], strict=True):
            one.most[0] = most

    def fake(name, value):
        def answer(*given, **how):
            said.setdefault(name, []).append((given, how))
            if name == "passkey":
                weigh(given[0])
            if name == "four":
                given[0].most[0] = max(given[0].most[0], heavy["alone"])
            return value(*given, **how) if callable(value) else value

        return answer

    def bits(model, seed, count):
        one = model.memory if not isinstance(model.memory, list) else None
        return {repr(Window(1)): 6.0, repr(Full()): 2.0}[repr(one)] if one is not None else 3.0

    clock = itertools.cycle([3.0, 9.0, 5.0, 2.0, 1.0, 4.0])  # this memory, the full cache, and so on
    fact = lambda *_: SimpleNamespace(state_bytes=heavy["kept"], seconds_per_byte=next(clock))  # noqa: E731
    monkeypatch.setattr(tasks, "passkey", fake("passkey", {0.0: 0.25, 0.5: 0.5, 1.0: 1.0}))
    monkeypatch.setattr(tasks, "copy", fake("copy", (4.0, 1.0)))
    monkeypatch.setattr(tasks, "one_fact", fake("clock", fact))
    monkeypatch.setattr(leaderboard, "four", fake("four", FOUND))
    monkeypatch.setattr(leaderboard, "_bits", fake("bits", bits))
    monkeypatch.setattr(evaluate, "right", fake("one fact", lambda model, streams: [s.distance == 16 for s in streams]))
    leaderboard._ends.cache_clear()
    yield said, heavy
    leaderboard._ends.cache_clear()


def test_a_score_is_what_the_tasks_said(scored):
    said, _ = scored
    card = leaderboard.score(Window(3), seed=2, count=8, turns=3)
    want = {"one fact": 1 / 3, "passkey": 1.75 / 3, "copy": 0.75, **FOUND, "text": 0.75}
    assert list(card.tasks) == list(leaderboard.TASKS) and card.tasks == pytest.approx(want)
    assert card.total == pytest.approx(sum(want.values()) / 8) and card.bits == 3.0
    assert (card.kept, card.within) == (700, True)
    assert card.seconds == 3.0 and card.pace == pytest.approx(1 / 3 if sorted([3 / 9, 5 / 2, 1 / 4])[1] == 3 / 9 else 0)
    assert (said["passkey"][0][0][1], said["passkey"][0][1]["count"], said["passkey"][0][1]["seed"]) == (320, 2, 3)
    assert said["copy"][0][1] | {"model": 0} == {"passage": 24, "gap": 0, "count": 8, "seed": 2, "model": 0}
    assert [one[0][1:] for one in said["four"]] == [(2, 8)] and {one[0][1:] for one in said["bits"]} == {(2, 8)}
    assert [one[0][1:3] for one in said["clock"]] == [(160, 2)] * 6
    streams = said["one fact"][0][0][1]
    assert [s.distance for s in streams] == [16] * 8 + [64] * 8 + [160] * 8
    assert {s.fact.kind for s in streams} == set(facts.KINDS) and len({s.text for s in streams}) == 24
    other = leaderboard.score(Window(3), seed=3, count=8, turns=1)
    assert not {s.text for s in said["one fact"][1][0][1]} & {s.text for s in streams} and other.seconds == 3.0


@pytest.mark.parametrize(
    "where, bytes_, within",
    [
        ("layer 0", LIMIT / HEADS, True),
        ("layer 0", LIMIT / HEADS + 1, False),
        ("layer 1", LIMIT / HEADS + 1, False),
        ("layer 2", LIMIT / HEADS + 1, False),
        ("alone", LIMIT / HEADS + 1, False),
        ("kept", LIMIT, True),
        ("kept", LIMIT + 1, False),
    ],
)
def test_an_entry_over_the_limit_anywhere_is_over_it(where, bytes_, within, scored):
    _, heavy = scored
    if where == "kept":
        heavy["kept"] = [0, bytes_, 5]
    elif where == "alone":
        heavy["alone"] = bytes_
    else:
        heavy["layer"] = [bytes_ if i == int(where[-1]) else 0.0 for i in range(3)]
    for given in ({"memory": Window(3)}, {"memory": None, "weights": "facts_delta"}):
        assert leaderboard.score(**given, count=4, turns=1).within is within


def test_a_card_is_plain_and_says_the_same():
    reads = {name: 0.123456 * i for i, name in enumerate(leaderboard.TASKS)}
    card = Score(reads, 1.234567, 1000, 0.000123, 2.34567, False)
    assert card.total == pytest.approx(0.123456 * 3.5)
    assert json.loads(json.dumps(card.plain())) == {
        "total": 0.4321,
        "tasks": {name: round(value, 4) for name, value in reads.items()},
        "bits_per_byte": 1.2346,
        "bytes_kept": 1000,
        "within": False,
        "seconds_per_byte": 0.000123,
        "times_full_cache": 2.346,
    }


def test_the_four_without_a_model_are_the_tasks(monkeypatch):
    memory, asked = Window(9), []
    got = leaderboard.four(memory, seed=2, count=3)
    topics = tasks.gist_and_drift(memory, 256, 64, trials=12, seed=2)
    assert got == {
        "recall": tasks.recall(memory, 256, 32, seed=2),
        "re-binding": tasks.rebinding(memory, 8, 8, 32, trials=12, seed=2, shuffled=True),
        "gist": topics[256 - 32 : 256].mean().item(),
        "drift": topics[256 + 32 :].mean().item(),
    }
    assert got["recall"] == 9 / 256 and not asked
    assert leaderboard.four(memory, seed=3, count=3) != got


def test_bits_of_the_board_are_bits_and_its_ends_are_those_of_this_seed():
    assert leaderboard._bits(Uniform(), 0, 3) == pytest.approx(8, rel=1e-4)
    (rows,) = Uniform.rows
    held = bytes(data.texts()[1].tolist())
    assert rows.shape == (3, 192) and all(bytes(row.tolist()) in held for row in rows)
    model = lm.load("facts")
    for seed in (0, 1):
        want = [leaderboard._bits(model.reading(one), seed, 1) for one in (Window(1), Full())]
        assert list(leaderboard._ends(seed, 1)) == want and want[0] > want[1]
    assert [leaderboard._share(x) for x in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.5, 1, 1]


def test_what_was_learned_in_a_model_is_asked_without_it():
    gates = Gate(32, 0.9)
    assert repr(leaderboard._for_tasks(DeltaRule(gates))) == repr(DeltaRule())
    assert repr(leaderboard._for_tasks(GatedDelta(gates, gates))) == repr(GatedDelta(0.98, 1.0))
    assert repr(leaderboard._for_tasks(Window(3))) == repr(Window(3))


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not isinstance(make, str)])
def test_a_memory_of_the_board_keeps_what_its_stored_card_says(name):
    stored = experiments.stored("leaderboard").get(name, [])
    memory, draw = MEMORIES[name](), torch.Generator().manual_seed(0)
    mem, most = memory.init(KV(torch.zeros(0, 32), torch.zeros(0, 32))), 0
    segment = promises(memory).segment or 1
    for _ in range(120 // segment):
        q, k, v = (torch.randn(segment, 32, generator=draw) for _ in range(3))
        mem = updated(memory, mem, KV(k, v), q)
        most = max(most, state_bytes(mem))
    for run in stored:
        assert run["total"] == pytest.approx(sum(run["tasks"].values()) / 8, abs=1e-4)
        assert run["within"] or run["bytes_kept"] > LIMIT
        if run["within"]:
            open_pairs = (segment - 1) * 2 * 32 * 4 if segment > 1 else 0
            assert HEADS * most <= run["bytes_kept"] + HEADS * 64 and run["bytes_kept"] <= HEADS * (
                most + 2 * open_pairs
            )
            assert run["bytes_kept"] <= LIMIT


# At length, experiments, boxes


def test_seconds_at_length_are_the_median_of_thirty_steps_after_five(monkeypatch):
    spent = [-100.0] * 5 + [float(i) for i in range(30)]
    ticks = itertools.chain.from_iterable((0.0, one) for one in spent)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    found = growth.at_length(Window(40), 80, 0, width=16, asked=20)
    assert found["seconds"] == 15 and found["bytes"] == 40 * 32 * 4
    assert set(found) == {"found", "found_newest", "bytes", "seconds"} and found["found_newest"] == 1
    monkeypatch.undo()
    full, half = (growth.at_length(Window(n), 80, 0, width=16, asked=80) for n in (80, 40))
    assert full["found"] == full["found_newest"] == 1 and half["found_newest"] == 0.5
    assert half["found"] == pytest.approx(0.5, abs=0.2)


def test_each_seed_of_an_experiment_is_another_run_of_its_own_settings(monkeypatch):
    asked = []
    monkeypatch.setattr(leaderboard, "score", lambda *a: asked.append(a) or SimpleNamespace(plain=lambda: {}))
    runs = experiments.leaderboard_runs()
    assert list(runs) == list(MEMORIES)
    runs["window"](2), runs["delta rule, trained"](1)
    assert asked[0][1] == 2 and repr(asked[0][0]) == repr(MEMORIES["window"]()) and asked[1] == (None, 1, "facts_delta")
    lengths = []
    monkeypatch.setattr(leaderboard, "at_length", lambda *a: lengths.append(a))
    assert list(experiments.lengths_runs()["window of 512"](2)) == [str(n) for n in growth.LENGTHS]
    assert [one[1:] for one in lengths] == [(n, 2) for n in growth.LENGTHS] and repr(lengths[0][0]) == repr(Window(512))
    trained = []
    monkeypatch.setattr(associative, "mqar", lambda *a, **how: trained.append((a, how)) or associative.Learned(0.5, []))
    assert experiments.mqar_runs()["window of 32"](1) == {"accuracy": 0.5, "curve": []}
    experiments.lookup_runs()["moving average"](2)
    assert [how for _, how in trained] == [{"heads": 2, "steps": 600, "seed": 1}, {"heads": 2, "steps": 300, "seed": 2}]
    assert [repr(a[0]) for a, _ in trained] == [repr(Window(32)), repr(MEMORIES["moving average"]())]
    assert not set(experiments.lookup_runs()) & set(experiments.mqar_runs())


def test_the_streams_of_a_story_are_of_their_seed_and_distance(monkeypatch):
    seen = []
    monkeypatch.setattr(evaluate, "right", lambda model, streams: seen.append(streams) or [True] * 2 + [False] * 5)
    monkeypatch.setattr(lm, "load", lambda name: SimpleNamespace(reading=lambda memory: memory))
    runs = experiments.story_runs()
    assert runs["full cache"](0) == {"right": dict.fromkeys(("150", "600", "2000", "5000"), round(2 / 7, 4))}
    runs["full cache"](1)
    assert seen[0] == [facts.stream(150, i, distractors=0) for i in range(7)]
    assert seen[-1] == [facts.stream(5000, 7 + i, distractors=0) for i in range(7)]
    assert [[s.distance for s in some] for some in seen] == [[n] * 7 for n in (150, 600, 2000, 5000)] * 2
    assert len({s.fact for s in seen[0]} | {s.fact for s in seen[4]}) == 14, "another seed, other facts"


def test_the_microseconds_of_a_box_are_the_median_of_its_turns(monkeypatch):
    spent = iter([1.0, 5e-6, 1.0, 9e-6, 1.0, 7e-6])  # of two lengths in turn: seconds of each step
    ticks = itertools.chain.from_iterable((0.0, one) for one in spent)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    found = Box(0).latency((4, 9), turns=3)
    assert list(found) == [4, 9] and found[4] == pytest.approx(1e6) and found[9] == pytest.approx(7)


def test_what_is_asked_through_a_box_is_the_readers_fact_at_its_distance(monkeypatch):
    asked = []
    monkeypatch.setattr(
        tasks, "one_fact", lambda memory, **how: asked.append((memory, how)) or SimpleNamespace(said="x")
    )
    boxes = {}
    for seed in range(40):
        boxes.setdefault(Box(seed)._name, Box(seed))
    for name, box in boxes.items():
        assert box.ask(77, "  Ben has a red cat!  ", "what has Ben?") == "x"
        memory, how = asked[-1]
        stream = how["stream"]
        assert (stream.distance, stream.fact.statement, stream.answer) == (77, "Ben has a red cat!", "cat")
        assert stream == facts.stream(77, seed=box.seed, own=stream.fact) and stream.fact.question == "what has Ben?"
        weights = {"linear attention": "facts_linear", "delta rule": "facts_delta"}.get(name)
        assert (isinstance(memory, list) and len(memory) == 3) if weights else repr(memory) == repr(box._memory)


@pytest.mark.parametrize("name", [name for name, suspect in SUSPECTS.items() if suspect.sizes])
def test_a_guessed_size_is_right_within_a_quarter(name):
    for seed in range(300):
        box = Box(seed)
        if box._name == name and box._size in SUSPECTS[name].sizes:
            n = box._size
            near, far = (n - n // 4, n + n // 4), (n - n // 4 - 1, n + n // 4 + 1)
            assert all(box.guess(name, size).size for size in near), n
            assert not any(box.guess(name, size).size for size in far) or n < 4
            assert not box.guess("full cache", n).size and f"size {n} (" in box.guess(name, n).was
    drawn = {Box(seed)._size for seed in range(600) if Box(seed)._name == name}
    assert drawn == set(SUSPECTS[name].sizes), "every size comes"


def test_the_evidence_of_a_box_is_made_once_for_each_seed(monkeypatch):
    detective.evidence.cache_clear()
    monkeypatch.setattr(Box, "latency", lambda self: {1: float(self.seed + self.among)})
    monkeypatch.setattr(Box, "view", lambda self: torch.tensor(self.seed))
    first = [detective.evidence(seed, among) for seed, among in ((1, 10), (2, 10), (1, 9))]
    assert [(times[1], seen.item()) for times, seen in first] == [(11, 1), (12, 2), (10, 1)]
    assert detective.evidence(1, 10) is first[0]
    detective.evidence.cache_clear()
