"""The language model: one memory argument, streaming equals the whole, training, text, facts."""

import json
import platform
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from examples import MEMORIES
from torch import nn

from memlib import KV, Full, Window, attend, attend_all
from memlib.attention import sdpa
from memlib.lm import Config, Fact, LanguageModel, card, data, load, names, stream
from memlib.lm import weights as stored_weights
from memlib.lm.evaluate import bits_by_position, bits_per_byte, right, value_first
from memlib.lm.facts import KINDS, fact
from memlib.lm.layers import turn, turns
from memlib.lm.train import Recipe, main, plain, train
from memlib.lm.training_talks import bare, conversation, mixed, paraphrased, spliced, strange
from memlib.lm.words import held_out_word, held_out_wording
from memlib.memory import promises

TINY = Config(dim=32, layers=2, heads=2)


@pytest.fixture(autouse=True)
def seeded():
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # small work: threads would only wait for each other
    yield
    torch.set_num_threads(threads)


def tiny(memory=None, positions="absolute"):
    return LanguageModel(TINY, memory, positions).eval()


def some(n, batch=2, seed=0):
    return torch.randint(256, (batch, n), generator=torch.Generator().manual_seed(seed))


class Segments:
    """A segment memory: the last segment, whole (Transformer-XL)."""

    segment = 5
    softmax = True

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return new

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)

    def slots(self, mem):
        return mem


class Slow:
    """A window without a whole-sequence form."""

    segment, softmax = None, True
    init, slots = Full.init, Full.slots

    def update(self, mem, new, q=None):
        return mem.append(new, 4)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)


def streamed(model, tokens, cuts):
    state, out, at = model.init(len(tokens)), [], 0
    for n in cuts:
        logits, state = model.step(tokens[:, at : at + n], state)
        out.append(logits)
        at += n
    assert state.position == at
    return torch.cat(out, 1)


@pytest.mark.parametrize("memory", [Full(), Window(4), Window(3, sinks=2), Slow(), Segments()])
@pytest.mark.parametrize("positions", ["absolute", "cache", "none"])
@torch.no_grad()
def test_streaming_in_pieces_equals_the_whole_sequence(memory, positions):
    model, tokens = tiny(memory, positions), some(23)
    for cuts in ([1] * 23, [7, 1, 12, 3], [23]):
        assert torch.allclose(streamed(model, tokens, cuts), model(tokens), atol=1e-4)


@torch.no_grad()
def test_a_state_is_a_value():
    model, tokens = tiny(Window(4)), some(20)
    _, state = model.step(tokens[:, :10], model.init(2))
    first, _ = model.step(tokens[:, 10:], state)
    model.step(tokens[:, :10], state)
    again, _ = model.step(tokens[:, 10:], state)
    assert torch.equal(first, again)


@pytest.mark.parametrize("memory", [Full(), Window(5), Segments()])
@torch.no_grad()
def test_the_future_does_not_matter(memory):
    model, tokens = tiny(memory), some(20)
    other = tokens.clone()
    other[:, 12:] = some(8, seed=1)
    assert torch.allclose(model(tokens)[:, :12], model(other)[:, :12], atol=1e-6)
    assert not torch.allclose(model(tokens)[:, 12:], model(other)[:, 12:], atol=1e-3)


@torch.no_grad()
def test_another_memory_is_one_argument_and_changes_the_result():
    tokens = data.as_bytes("class Window:\n    def __init__(self, size):\n        self.size = size\n" * 2)[None]
    near, far = load("stdlib", memory=Window(8)), load("stdlib", memory=Window(64))
    assert torch.allclose(near(tokens)[:, :8], far(tokens)[:, :8], atol=1e-4)
    assert (near(tokens) - far(tokens)).abs().max() > 0.1
    assert torch.equal(far.reading(Window(8))(tokens), near(tokens))
    assert far.reading(Window(8)).embed.weight is far.embed.weight


class Band:
    """Attention under a band mask: no memory at all, the oracle of the window."""

    segment = None

    def __init__(self, size):
        self.size = size

    def attend_all(self, q, kv, mem=None):
        at = torch.arange(kv.n)
        behind = at[:, None] - at
        return sdpa(q, kv.k, kv.v, attn_mask=(behind >= 0) & (behind < self.size))

    def init(self, like):
        return like.empty()


@torch.no_grad()
def test_a_window_is_a_band_mask_inside_the_model():
    model, tokens = tiny(), some(40)
    assert torch.allclose(model.reading(Window(6))(tokens), model.reading(Band(6))(tokens), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if promises(make()).softmax])
def test_places_in_the_cache_hide_nothing_that_a_memory_says_of_itself(name):
    memory = MEMORIES[name]()
    (one,) = LanguageModel(Config(dim=16, layers=1, heads=2), [memory], "cache").memories
    says, wrapped = promises(memory), promises(one)
    for promise in ("segment", "needs_queries", "linear_in_values", "stop"):
        assert getattr(wrapped, promise) == getattr(says, promise), promise


def test_places_in_the_cache_equal_positions_for_full_and_window_but_not_with_sinks():
    model, tokens = tiny(), some(30)
    for memory, same in ((Full(), True), (Window(6), True), (Window(6, sinks=2), False)):
        absolute, cache = model.reading(memory)(tokens), model.reading(memory, "cache")(tokens)
        assert torch.allclose(absolute, cache, atol=1e-4) == same


def test_places_in_the_cache_need_a_softmax_over_slots():
    linear = Window(4).__class__.__new__(Window)
    object.__setattr__(linear, "softmax", False)
    object.__setattr__(linear, "size", 4)
    object.__setattr__(linear, "sinks", 0)
    with pytest.raises(ValueError, match="positions='cache'.*softmax"):
        tiny(linear, "cache")


def test_turning_keeps_lengths_and_knows_only_differences():
    q, k = torch.randn(2, 1, 8, dtype=torch.float64)

    def score(i, j):
        return turn(q, turns(torch.tensor([i]), 8, q.dtype)) @ turn(k, turns(torch.tensor([j]), 8, q.dtype)).T

    assert torch.allclose(score(9, 4), score(105, 100), atol=1e-5)
    assert torch.allclose(turn(q, turns(torch.tensor([7]), 8, q.dtype)).norm(), q.norm(), atol=1e-6)


@torch.no_grad()
def test_qkv_are_the_tensors_that_the_memories_get():
    got, model, tokens = [], tiny(), some(9)

    class Spy(Full):
        def attend_all(self, q, kv, mem=None):
            got.append((q, kv))
            return attend_all(Full(), q, kv, mem)

    model.reading(Spy())(tokens)
    for (q, kv), (q2, kv2) in zip(model.qkv(tokens), got, strict=True):
        assert torch.equal(q, q2) and torch.equal(kv.k, kv2.k) and torch.equal(kv.v, kv2.v)
        assert q.shape == (2, 2, 9, 16) and isinstance(kv, KV)


def test_learned_parts_are_copied_one_a_layer_and_trained():
    from dataclasses import dataclass

    @dataclass(frozen=True, eq=False)
    class Scaled(Full):
        scale: nn.Module

        def attend_all(self, q, kv, mem=None):
            return self.scale(attend_all(Full(), q, kv, mem))

    mine = Scaled(nn.Linear(16, 16))
    model = tiny(mine)
    weights = [memory.scale.weight for memory in model.memories]
    assert len({id(w) for w in weights} | {id(mine.scale.weight)}) == 3
    assert {id(w) for w in weights} <= {id(p) for p in model.parameters()}
    model(some(5)).sum().backward()
    assert all(w.grad is not None for w in weights)


@torch.no_grad()
def test_generating_is_seeded_and_greedy_at_zero():
    model = tiny(Window(4))
    assert model.generate(b"abc", 5) == model.generate(b"abc", 5)
    warm = [model.generate(b"abc", 9, 1.0, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert warm[0] == warm[1] != warm[2] and len(warm[0]) == 9


def test_errors_name_what_came_and_what_was_wanted():
    model = tiny()
    for bad, words in (
        (torch.zeros(1, 3), "whole numbers.*float32"),
        (torch.tensor([[300]]), "0 ... 255.*300"),
        (torch.zeros(3, dtype=torch.long), r"\[b, t\]"),
        (some(0), "at least one"),
    ):
        with pytest.raises(ValueError, match=words):
            model(bad)
    for call, words in (
        (lambda: load("nothing"), "wanted one of.*stdlib.*nothing"),
        (lambda: tiny(Full(), "relative"), "absolute, cache, none.*relative"),
        (lambda: tiny([Full()]), "list of 2.*got 1"),
        (lambda: Config(dim=30, heads=4), "multiple of.*30"),
        (lambda: model.generate(b"", 3), "prompt"),
        (lambda: data.batch(data.as_bytes("abc"), 8, 1, torch.Generator()), "at least 9 bytes, got 3"),
        (lambda: data.texts("/nowhere"), "no file or folder /nowhere"),
        (lambda: bits_per_byte(model, data.as_bytes("abc"), 8), "length . 1 = 9"),
        (lambda: fact(0, "colour"), "kind must be one of.*colour"),
        (lambda: stream(0), "distance.*>= 1.*0"),
        (lambda: Fact("The door is red.", "what is the code?", "4711"), "must hold the answer"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_the_split_is_disjoint_by_file_and_its_checksum_stable():
    inside, out = data.split()
    assert not set(inside) & set(out) and len(out) > 20 and "topics/lambda" in inside | out
    assert data.checksum() == data.checksum() and len(data.checksum()) == 64
    assert not any(part in data.SKIP for name in inside | out for part in name.split("/"))
    if platform.python_version() == card("stdlib")["python"]:
        assert data.checksum() == card("stdlib")["text"]["checksum"]


def test_a_text_of_your_own(tmp_path):
    (tmp_path / "mine.txt").write_text("all work and no play\n" * 800)
    inside, out = data.texts(str(tmp_path / "mine.txt"))
    assert len(inside) + len(out) == 21 * 800 and len(out) == 1400
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(ValueError, match="--text.*wanted 1024"):
        data.texts(str(tmp_path / "short.txt"))


RECIPE = Recipe(steps=6, stages=((0.5, 32), (0.5, 64)), tokens=256, warmup=2, bf16=False)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, muon=True)], ids=["adam", "muon"])
def test_resumed_training_equals_unbroken_training(tmp_path, recipe):
    source = plain(data.as_bytes("the quick brown fox jumps over the lazy dog. " * 50))
    models = []
    for stop in (None, 4):
        torch.manual_seed(1)
        model, path = tiny(), tmp_path / f"{stop}.run"
        if stop:
            train(model, source, recipe, path, stop=stop, quiet=True)
            model = tiny()
        train(model, source, recipe, path, quiet=True)
        models.append(weights(model))
    assert torch.equal(*models)
    with pytest.raises(ValueError, match="remove it or give another"):
        train(tiny(), source, Recipe(steps=7, bf16=False), path, quiet=True)


def test_the_loss_decreases():
    source, model = plain(data.as_bytes("the quick brown fox jumps over the lazy dog. " * 50)), tiny()
    text = data.as_bytes("the quick brown fox jumps over the lazy dog. " * 4)
    before = bits_per_byte(model, text, 64, 8)
    train(model, source, Recipe(steps=30, stages=((1.0, 64),), tokens=512, warmup=3, bf16=False), quiet=True)
    assert bits_per_byte(model, text, 64, 8) < before - 2


def test_the_command_trains_and_writes_weights_that_load(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("all work and no play makes jack a dull boy\n" * 400)
    out = tmp_path / "mine.safetensors"
    command = ["--facts", "--text", str(tmp_path / "mine.txt"), "--steps", "1", "--out", str(out), "--device", "cpu"]
    main(command)
    assert "660,864 parameters" in capsys.readouterr().out
    assert load(out, memory=Window(8)).generate(b"all", 2)
    with pytest.raises(ValueError, match="remove it or give another --out"):
        main([*command, "--start", "none"])


@torch.no_grad()
@pytest.mark.parametrize("name", names())
def test_a_card_names_no_folder_of_a_machine(name):
    written = json.dumps(stored_weights.read(stored_weights.where(name))[1]), json.dumps(card(name))
    for text in written:
        assert not re.search(r"[/\\\\]", text), re.findall(r"[^\"]*[/\\\\][^\"]*", text)


def test_a_run_says_where_it_began_by_the_file_alone(tmp_path):
    about = {"start": "/home/ann/build/old.safetensors", "data": "C:\\texts\\mine", "before": {"start": "a/b"}}
    stored_weights.write(tmp_path / "x.safetensors", {"x": torch.zeros(1)}, about)
    told = stored_weights.read(tmp_path / "x.safetensors")[1]
    assert told == {"start": "old.safetensors", "data": "mine", "before": {"start": "b"}}


def test_the_card_says_what_is_measured():
    _, held = data.texts()
    model, told = load("stdlib"), card("stdlib")
    assert told["parameters"] == sum(p.numel() for p in model.parameters())
    got = bits_per_byte(model, held, 256, 96)
    if platform.python_version() == told["python"]:
        assert abs(got - told["bits_per_byte_at_256"]) < 0.15
    assert got < 2.3
    assert len(bits_by_position(model, held, 16, 2)) == 16


@pytest.mark.parametrize("name", ["stdlib", "facts"])
def test_weights_are_small_and_have_a_card(name):
    from memlib.lm.weights import where

    assert name in names() and where(name).stat().st_size < 4e6
    assert {"step", "seconds", "recipe", "config", "data", "python", "bits_per_byte_at_256"} <= set(card(name))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_says_where_its_fact_question_and_answer_stand(kind):
    for seed, rebound in ((0, False), (1, True)):
        s = stream(200, seed, kind, rebound=rebound)
        part = {name: s.text[slice(*getattr(s, name + "_span"))].decode() for name in ("fact", "question", "answer")}
        assert part == {
            "fact": s.fact.statement,
            "question": f"Question: {s.fact.question} Answer: ",
            "answer": s.answer,
        }
        assert s.distance == 200 and s.text == s.prompt + s.answer.encode() + b"."
        assert held_out_word(s.answer) and s == stream(200, seed, kind, rebound=rebound)
        if s.fact.before:
            assert s.text.index(s.fact.before.encode()) < s.fact_span[0]


def test_any_distance_is_met_to_the_byte():
    own = Fact("The door code is 4711.", "what is the door code?", "4711")
    for distance in (1, 4, 5, 30, 31, 333, 3000):
        assert stream(distance, own=own).distance == distance


def test_training_never_shows_a_held_out_value_or_wording(monkeypatch):
    from random import Random

    from memlib.lm import paraphrases, training_talks
    from memlib.lm.words import OPENERS_HELD_OUT, WORDINGS

    for seed in range(300):
        shown, asked = fact(seed), fact(seed, new=True)
        assert not held_out_word(shown.answer) and held_out_word(asked.answer)
        assert not any(shown.statement.startswith(opener) for opener in OPENERS_HELD_OUT)
        assert held_out_wording(asked.kind, asked.statement) and held_out_wording(asked.kind, asked.question)
    for seed in range(3000):
        one = bare(paraphrased(spliced(fact(seed), Random(seed)), Random(seed)), Random(seed))
        said, asks = strange(one.statement, one, Random(seed)), strange(one.question, one, Random(seed))
        assert one.answer in said and not held_out_word(one.answer)
        assert all(word in said for word in one.subject.split(" ") if word in one.statement)
        assert not held_out_wording(one.kind, said) and not held_out_wording(one.kind, asks)
        assert all(part.lower() in one.question.lower() for part in one.subject.split("'s "))
    facts = [(fact(seed), Random(seed)) for seed in range(300)]
    stripped = [(one, bare(one, rng)) for one, rng in facts]
    assert 100 < sum(one.statement != other.statement for one, other in stripped) < 200
    assert all(one.statement.endswith(other.statement[1:]) for one, other in stripped)
    made = [(one, spliced(one, rng), paraphrased(one, rng)) for one, rng in facts]
    assert sum(one.answer != other.answer for one, other, _ in made) > 30
    assert sum(one.statement != other.statement for one, _, other in made) > 60
    assert sum(one.question != other.question for one, _, other in made) > 60
    rng = Random(0)
    for kind in KINDS:
        for _ in range(5000):
            assert not held_out_wording(kind, paraphrases.statement(rng, kind))
            assert not held_out_wording(kind, paraphrases.question(rng, kind))
    monkeypatch.setattr(training_talks, "STRANGE", 1.0)
    monkeypatch.setattr(training_talks, "ORDINARY", ["for"])  # one word from "what is the code for the garage?"
    own = Fact("The garage code is 4711.", "what is the code of the garage?", "4711", "code", "garage")
    asked = {strange(own.question, own, Random(seed)) for seed in range(500)}
    assert len(asked) > 100 and "what is the code for the garage?" not in asked
    for says, says_new, asks, asks_new in WORDINGS.values():
        assert not set(says) & set(says_new) and not set(asks) & set(asks_new)
    text, spans = conversation(600, Random(0))
    assert len(text) == 600 and spans
    tokens, weight = mixed(data.as_bytes("x" * 2000))(300, 20, torch.Generator().manual_seed(0))
    assert tokens.shape == (20, 301) and weight.shape == (20, 300) and len(weight.unique()) == 3


def test_a_wording_says_whose_the_value_is_before_the_value_and_the_others_stand_apart():
    from memlib.lm.words import VALUE_FIRST, WORDINGS

    assert set(VALUE_FIRST) == set(WORDINGS) == set(KINDS)
    for kind, (says, says_new, _, _) in WORDINGS.items():
        whose = "{n}" if kind == "city" else "{s}"
        assert all(one.index(whose) < one.index("{v}") for one in says + says_new)
        assert all(one.index(whose) > one.index("{v}") for one in VALUE_FIRST[kind])
    for one in value_first(100, 21):
        start = one.fact.statement.index(one.answer)
        assert one.distance == 100 and one.fact.kind in KINDS
        assert any(part in one.fact.statement[start:] for part in one.fact.subject.split("'s "))


@torch.no_grad()
def test_the_answering_model_answers_with_the_full_cache_and_not_with_a_window():
    streams = [stream(200, seed, KINDS[seed % 7]) for seed in range(28)]
    model = load("facts")
    told = card("facts")["right_answers"]["256"]["all"]
    assert sum(right(model, streams)) / 28 > told - 0.15
    assert sum(right(model.reading(Window(32)), streams)) / 28 < 0.2


@torch.no_grad()
def test_right_is_what_greedy_decoding_says():
    model, streams = load("facts"), [stream(60, seed) for seed in range(6)]
    for s, mark in zip(streams, right(model, streams), strict=True):
        said = model.generate(s.prompt, len(s.answer.encode()) + 1)
        assert mark == (said == s.text[len(s.prompt) :])


def test_the_language_model_loads_no_plotting_and_no_transformers():
    code = "import sys, memlib.lm, memlib.lm.train; print([m for m in ('plotly', 'ipywidgets', 'transformers', 'faiss')"
    done = subprocess.run([sys.executable, "-c", code + " if m in sys.modules])"], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
