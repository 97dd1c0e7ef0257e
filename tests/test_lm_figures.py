"""What training means and what a model is worth: losses, rates, weights, rows and answers, counted by hand."""

import json
import math
import re
from collections import Counter
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from memlib import Compressive, ConvPool, DeltaRule, Full, Window, attend_all, lm
from memlib.lm import Config, Fact, LanguageModel, data, evaluate, facts, layers, segments, words
from memlib.lm import train as training
from memlib.lm import weights as stored
from memlib.lm.evaluate import bits_by_position, bits_per_byte, right
from memlib.lm.facts import KINDS, fact, filler, stream
from memlib.lm.losses import entropy, loss_of
from memlib.lm.train import Recipe, optimizers_of, plain, train
from memlib.lm.training_talks import LARGE, SMALL, TEXT, conversation, mixed

TINY = Config(dim=16, layers=2, heads=2)
SOURCE = torch.randint(256, (3000,), generator=torch.Generator().manual_seed(9)).to(torch.uint8)


def tiny(seed=0, memory=None, **config):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LanguageModel(Config(**{"dim": 16, "layers": 2, "heads": 2} | config), memory)


def nats(logits, tokens):
    """Of each byte tokens[:, 1:], one by one."""
    each = logits.detach().double().exp()
    each = each / each.sum(-1, keepdim=True)
    b, t = tokens.shape[0], tokens.shape[1] - 1
    return torch.tensor([[-math.log(each[i, j, tokens[i, j + 1]]) for j in range(t)] for i in range(b)])


def some(rows, length, seed=0):
    return torch.randint(256, (rows, length), generator=torch.Generator().manual_seed(seed))


# The loss


def test_the_loss_is_the_mean_of_nats_over_bytes_by_their_weights():
    model, tokens = tiny(), some(3, 8)
    weight = torch.rand(3, 7)
    each = nats(model(tokens[:, :-1]), tokens)
    want = (each * weight).sum() / weight.sum()
    for got in (loss_of(model, tokens, weight), entropy(model(tokens[:, :-1]), tokens, weight)):
        assert got.item() == pytest.approx(want.item(), rel=1e-4)
    assert loss_of(model, tokens, 7 * weight).item() == pytest.approx(want.item(), rel=1e-4), "the scale of weights"
    for i, j in ((0, 0), (2, 6), (1, 3)):
        alone = torch.zeros(3, 7)
        alone[i, j] = 0.5
        assert loss_of(model, tokens, alone).item() == pytest.approx(each[i, j].item(), rel=1e-4)
    uniform = entropy(torch.zeros(2, 5, 256), some(2, 6), torch.ones(2, 5)).item()
    assert uniform == pytest.approx(math.log(256)), "nats, not bits"


def test_the_loss_with_pools_is_the_texts_and_each_layers_own():
    memory = Compressive(4, 4, 2, ConvPool(2, 8), segment=2)
    model, tokens, ones = tiny(1, memory), some(2, 17), torch.ones(2, 16)
    parts = [
        segments.reconstruction(model.memories[i], q, kv).item() for i, (q, kv) in enumerate(model.qkv(tokens[:, :-1]))
    ]
    want = loss_of(model, tokens, ones).item() + sum(parts)
    assert segments.loss_with_pools(model, tokens, ones).item() == pytest.approx(want, rel=1e-5) and min(parts) > 0
    short = some(2, 5)
    assert segments.loss_with_pools(model, short, torch.ones(2, 4)).item() == pytest.approx(
        loss_of(model, short, torch.ones(2, 4)).item()
    )
    assert segments.learns(memory) and not segments.learns(Compressive(4, 4, 2)) and not segments.learns(Full())
    assert not segments.learns(Compressive(4, 4, 2, ConvPool(2, 8), stop=False))


# A training run, by hand

RUN = Recipe(steps=5, stages=((0.4, 16), (0.6, 32)), tokens=96, warmup=2, bf16=False, rate=1e-2, seed=3)


@pytest.mark.parametrize("muon", [False, True])
def test_a_run_is_the_loop_that_one_would_write(muon):
    recipe = Recipe(**{**RUN.__dict__, "muon": muon})
    source, lengths = plain(SOURCE), [16, 16, 32, 32, 32]
    model, mine = tiny(), tiny()
    about = train(model, source, recipe, quiet=True)
    blocks = [p for n, p in mine.blocks.named_parameters() if p.dim() == 2 and not n.endswith("conv")]
    others = [p for p in mine.parameters() if not any(p is q for q in blocks if muon)]
    optimizers = [
        torch.optim.AdamW(
            [
                {"params": [p for p in others if p.dim() > 1], "weight_decay": 0.1},
                {"params": [p for p in others if p.dim() == 1], "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )
    ]
    optimizers += [torch.optim.Muon(blocks, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")] if muon else []
    smooth = None
    for step, length in enumerate(lengths):
        draw = torch.Generator().manual_seed(3 * 1_000_003 + step)
        tokens, weight = source(length, 96 // length, draw)
        rate = 1e-2 * (step + 1) / 2 if step < 2 else 1e-2 * (0.01 + 0.495 * (1 + math.cos(math.pi * (step - 2) / 3)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
        loss = loss_of(mine, tokens, weight)
        loss.backward()
        nn.utils.clip_grad_norm_(mine.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
    for (name, a), b in zip(model.named_parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    assert about["loss"] == pytest.approx(smooth / math.log(2), abs=1e-4) and about["step"] == 5


def test_each_step_draws_fresh_rows_and_another_seed_others():
    def rows_of(seed, **how):
        drawn, source = [], plain(SOURCE)

        def spied(length, rows, generator):
            drawn.append(source(length, rows, generator))
            return drawn[-1]

        train(tiny(), spied, Recipe(**{**RUN.__dict__, "seed": seed}), quiet=True, **how)
        return [tuple(row) for tokens, _ in drawn for row in tokens.tolist()], drawn

    first, drawn = rows_of(0)
    assert len(set(first)) == len(first) == 2 * 6 + 3 * 3 and all((w == 1).all() for _, w in drawn)
    assert [t.shape for t, _ in drawn] == [(6, 17)] * 2 + [(3, 33)] * 3
    assert rows_of(0)[0] == first and not set(rows_of(1)[0]) & set(first)
    assert len(rows_of(0, stop=3)[1]) == 3


def test_the_rows_of_two_seeds_never_meet_at_another_step():
    seen = [(seed * 1_000_003 + step) for seed in range(4) for step in range(1000)]
    assert len(set(seen)) == len(seen)


def test_lengths_and_rates_are_those_of_the_recipe():
    recipe = Recipe(steps=100, stages=((0.5, 8), (0.3, 16), (0.2, 32)), warmup=10, rate=1.0)
    assert [recipe.length(s) for s in (0, 49, 50, 79, 80, 99, 100)] == [8, 8, 16, 16, 32, 32, 32]
    assert [Recipe(cycle=(4, 5, 6)).length(s) for s in range(5)] == [4, 5, 6, 4, 5]
    rates = [recipe.rate_at(s) for s in range(101)]
    assert rates[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert rates[10] == pytest.approx(1) and rates[55] == pytest.approx(0.505) and rates[100] == pytest.approx(0.01)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))


def test_what_is_trained_by_which_optimizer():
    model = tiny()
    adam = optimizers_of(model, Recipe())["adam"]
    assert {id(p) for g in adam.param_groups for p in g["params"]} == {id(p) for p in model.parameters()}
    assert [g["weight_decay"] for g in adam.param_groups] == [0.1, 0.0]
    assert {p.dim() for p in adam.param_groups[1]["params"]} == {1}
    both = optimizers_of(model, Recipe(muon=True))
    muon = {id(p) for p in both["muon"].param_groups[0]["params"]}
    assert muon == {id(getattr(b, n).weight) for b in model.blocks for n in ("qkv", "out", "up", "down")}
    rest = {id(p) for g in both["adam"].param_groups for p in g["params"]}
    assert not rest & muon and rest | muon == {id(p) for p in model.parameters()}


def test_a_checkpoint_is_written_every_so_often_with_what_was_done(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(training, "checkpoint", lambda path, model, opt, about: written.append(about))
    train(tiny(), plain(SOURCE), RUN, tmp_path / "x.run", every=2, quiet=True, what={"data": "mine"})
    assert [one["step"] for one in written] == [2, 4, 5]
    assert all(one["data"] == "mine" and one["recipe"]["rate"] == 1e-2 for one in written)
    assert "resume" not in written[0] and all(one["seconds"] >= 0 for one in written)


def test_the_command_hands_on_what_it_is_told(tmp_path, monkeypatch, capsys):
    handed = {}

    def spied(model, source, recipe, path, what, loss_of):
        handed.update(model=model, source=source, recipe=recipe, what=what, loss=loss_of)
        return {"step": recipe.steps, "seconds": 1.0}

    monkeypatch.setattr(training, "train", spied)
    (tmp_path / "mine.txt").write_text("some text to train on, all of it\n" * 600)
    common = ["--text", str(tmp_path / "mine.txt"), "--out", str(tmp_path / "o.safetensors"), "--device", "cpu"]
    training.main([*common, "--steps", "7", "--rate", "0.5", "--seed", "4", "--lengths", "32,64", "--muon"])
    recipe = handed["recipe"]
    assert (recipe.steps, recipe.rate, recipe.seed, recipe.cycle, recipe.muon) == (7, 0.5, 4, (32, 64), True)
    assert handed["loss"] is loss_of and handed["what"]["start"] == "none" and not handed["what"]["facts"]
    drawn = [bytes(row.tolist()) for row in handed["source"](32, 5, torch.Generator().manual_seed(0))[0]]
    held = "some text to train on, all of it\n" * 600
    assert all(row.decode() in held for row in drawn)
    one = handed["model"].embed.weight.clone()
    training.main([*common, "--steps", "7", "--seed", "5"])
    assert not torch.equal(one, handed["model"].embed.weight), "another seed begins elsewhere"
    assert (handed["recipe"].rate, handed["recipe"].steps, handed["recipe"].stages) == (3e-3, 7, ((1.0, 256),))
    training.main([*common, "--memory", "compressive_conv", "--rotary", "0.25"])
    assert handed["loss"] is segments.loss_with_pools and handed["recipe"].steps == 1200
    assert handed["what"]["memory"] == "compressive_conv" and handed["model"].config.rotary == 0.25
    training.main([*common, "--facts", "--steps", "3"])
    assert (handed["recipe"].rate, handed["recipe"].stages[0]) == (2e-3, (0.4, 256))
    assert handed["what"]["start"] == "stdlib" and handed["what"]["facts"]
    _, weight = handed["source"](256, 12, torch.Generator().manual_seed(0))
    assert weight.unique().numel() > 1, "answers weigh more"


# What it is trained on


def test_pieces_are_whole_stretches_from_anywhere_in_the_text():
    text = torch.arange(40, dtype=torch.uint8)
    rows = data.batch(text, 7, 2000, torch.Generator().manual_seed(0))
    assert rows.shape == (2000, 8) and (rows.diff(dim=1) == 1).all() and rows.dtype == torch.long
    starts = Counter(rows[:, 0].tolist())
    assert min(starts) == 0 and max(starts) >= 31 and len(starts) >= 32 and rows.max() >= 38
    tokens, weight = plain(text)(7, 3, torch.Generator().manual_seed(0))
    assert tokens.shape == (3, 8) and weight.shape == (3, 7) and (weight == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_in_a_talk_the_bytes_of_answers_weigh_more_and_no_others(seed):
    real = data.as_bytes("~" * 5000)
    tokens, weight = mixed(real)(400, 12, torch.Generator().manual_seed(seed))
    assert tokens.shape == (12, 401) and weight.shape == (12, 400)
    answers = 0
    for row, by in zip(tokens, weight, strict=True):
        said = bytes(row.tolist())
        if set(said) == {ord("~")}:
            assert (by == 1).all()
            continue
        assert set(by.unique().tolist()) <= {np.float32(SMALL).item(), LARGE}
        heavy = [t for t in range(400) if by[t] == LARGE]  # by[t] weighs the guess of byte t + 1
        marked = {t + 1 for t in heavy}
        wanted = set()
        for found in re.finditer(rb" Answer: ", said):
            end = said.find(b".", found.end())
            wanted |= set(range(found.end(), (end if end >= 0 else 400) + 1)) & set(range(401))
        assert marked == wanted, said
        answers += len(wanted)
    assert answers > 50


def test_a_tenth_of_the_rows_is_real_text_and_the_rest_is_fresh():
    real, source = data.as_bytes("~" * 5000), mixed(data.as_bytes("~" * 5000))
    draws = [source(64, 15, torch.Generator().manual_seed(seed))[0] for seed in range(40)]
    share = torch.stack([(tokens == ord("~")).all(1).double().mean() for tokens in draws]).mean()
    assert share == pytest.approx(TEXT, abs=0.03) and len(real) == 5000
    talks = [tuple(row) for tokens in draws for row in tokens.tolist() if set(row) != {ord("~")}]
    assert len(set(talks)) == len(talks)


def test_a_conversation_asks_for_the_newest_value_of_what_was_said():
    right_ones = 0
    for seed in range(40):
        text, spans = conversation(1500, Random(seed))
        assert len(text) == 1500 and all(start < end <= 1500 for start, end in spans)
        for start, end in spans:
            assert text[:start].endswith(b" Answer: ")
            if end < 1500:
                answer = text[start : end - 1]
                assert text[end - 1 : end] == b"." and answer and answer in text[: text[:start].rfind(b"Question: ")]
                right_ones += 1
    assert right_ones > 100


# Facts and streams


@pytest.mark.parametrize("length", [0, 1, 4, 5, 6, 9, 40, 333])
@pytest.mark.parametrize("distractors", [0.0, 0.25, 1.0])
def test_filler_is_as_long_as_asked_and_silent_about_the_fact(length, distractors):
    for seed in range(5):
        about = fact(seed, new=True)
        said = filler(length, Random(seed), about, distractors)
        assert len(said.encode()) == length and (length < 5 or said.startswith(" "))
        assert about.answer not in said or about.kind in ("number", "code"), said


@pytest.mark.parametrize("where", ["statement", "question"])
def test_no_other_fact_is_about_the_thing_itself(where, monkeypatch):
    said = {"statement": "It is 7.", "question": "what is it?"} | {where: f"The VAULT is {'7' * (where[0] == 's')}"}
    about = Fact(**said, answer="7")
    other = Fact("The vault code is 4711.", "what is it?", "4711", "code", "Vault")
    monkeypatch.setattr(facts, "fact", lambda rng: other)
    assert "4711" not in filler(900, Random(0), about, 1.0)
    assert "4711" in filler(900, Random(0), Fact("It is 7.", "what is it?", "7"), 1.0)


def test_a_share_of_small_talk_are_facts_about_other_things(monkeypatch):
    counts = Counter()
    monkeypatch.setattr(facts, "talk", lambda rng: counts.update(["talk"]) or "Talk it was.")
    real = facts.fact
    monkeypatch.setattr(facts, "fact", lambda rng: counts.update(["fact"]) or real(rng))
    one = real(0)
    for share in (0.0, 0.25, 1.0):
        counts.clear()
        for seed in range(20):
            facts.filler(2000, Random(seed), one, share)
        tries = counts["fact"] + counts["talk"]
        assert counts["fact"] / tries == pytest.approx(share, abs=0.08) or (share == 1 and counts["fact"] > 0.9 * tries)


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_a_stream_are_drawn_from_its_seed(kind):
    made = [stream(60, seed, kind) for seed in range(20)]
    assert len({one.fact for one in made}) == 20 and len({one.text for one in made}) == 20
    assert len({one.fact_span[0] for one in made}) > 8 and all(20 <= one.fact_span[0] + 1 <= 81 for one in made)
    assert all(one.text[one.fact_span[1] : one.question_span[0]][:1] == b" " for one in made)
    assert all(not one.fact.before for one in made)
    rebound = [stream(60, seed, kind, rebound=True).fact for seed in range(20)]
    assert sum(bool(one.before) for one in rebound) > 15 and all(
        one.answer not in one.before for one in rebound if one.before
    )
    assert [fact(seed, kind) for seed in range(20)] != [fact(seed + 20, kind) for seed in range(20)]


@pytest.mark.parametrize(
    "kind, form", [("code", r"\d{3,6}"), ("number", r"\d{1,4}"), ("place", r"[a-z]+ [a-z]+"), ("pet", r"[A-Z][a-z]+")]
)
def test_values_of_a_kind_look_like_it_and_one_in_six_is_held_out(kind, form):
    rng = Random(0)
    drawn = [words._any_value(rng, kind, "room number") for _ in range(3000)]
    assert all(re.fullmatch(form, one) for one in drawn)
    share = sum(words.held_out_word(one) for one in set(drawn)) / len(set(drawn))
    assert share == pytest.approx(1 / 6, abs=0.07)


# What a model is worth


class Told:
    """In the place of a model: says what its text says, but for the bytes at `wrong`."""

    embed = SimpleNamespace(weight=torch.zeros(1))

    def __init__(self, streams, wrong=()):
        self.texts, self.wrong = {s.text[:20]: s.text for s in streams}, set(wrong)

    def __call__(self, tokens):
        logits = torch.zeros(*tokens.shape, 256)
        for b, row in enumerate(tokens.tolist()):
            whole = self.texts[bytes(row[:20])] + b" " * len(row)
            for t in range(len(row)):
                logits[b, t, whole[t + 1] ^ (t + 1 in self.wrong)] = 1.0
        return logits


def test_an_answer_is_right_only_when_every_byte_and_the_stop_are():
    streams = [stream(d, seed, kind) for d, seed, kind in ((30, 0, "code"), (50, 1, "place"), (9, 2, "pet"))]
    assert right(Told(streams), streams) == [True] * 3
    for i, one in enumerate(streams):
        start, end = one.answer_span[0], len(one.text)
        for place in range(start, end):
            got = right(Told([one], [place]), [one])
            assert got == [False], f"byte {place - start} of {end - start} of answer {i}"
        assert right(Told([one], [start - 1, end, 3]), [one]) == [True], "what is before and behind does not count"


def test_right_says_the_same_in_any_portions():
    streams = [stream(20 + 7 * i, i) for i in range(7)]
    wrong = {s.answer_span[0] for s in streams[::2]}
    marks = [right(Told(streams, wrong), [one])[0] for one in streams]
    assert len(set(marks)) == 2
    assert all(right(Told(streams, wrong), streams, batch) == marks for batch in (1, 400, 16384))


def test_accuracy_is_the_share_of_all_and_of_each_kind(monkeypatch):
    seen = []

    def marked(model, streams):
        seen.extend(streams)
        return [s.fact.kind in ("pet", "code") for s in streams]

    monkeypatch.setattr(evaluate, "right", marked)
    found = evaluate.accuracy(None, 77, 14, new=False)
    assert found == {"all": 2 / 7, **{kind: float(kind in ("pet", "code")) for kind in KINDS}}
    assert set(evaluate.accuracy(None, 77, 7)) == {"all", *KINDS}, "one stream of a kind is enough"
    del seen[14:]
    assert {s.distance for s in seen} == {77} and len({s.text for s in seen}) == 14
    assert not any(words.held_out_word(s.answer) for s in seen)
    figures = evaluate.fact_figures(None, 56, (40, 80))
    assert figures["right_answers"][80]["all"] == round(2 / 7, 3) and set(figures["right_answers"]) == {40, 80}
    assert figures["right_answers_rebound"] == figures["right_answers_trained_wordings"] == {40: 0.286, 80: 0.286}
    assert figures["right_answers_value_first"] == {40: 0.286, 80: 0.286}


@pytest.mark.parametrize("rows, batch", [(1, 8192), (5, 8192), (5, 20), (5, 1)])
def test_bits_by_position_are_means_of_bits_over_rows_at_even_distances(rows, batch):
    model = tiny()
    got = bits_by_position(model, SOURCE[:200], 10, rows, batch)
    starts = [0] if rows == 1 else [int(189 * i / (rows - 1)) for i in range(rows)]
    tokens = torch.stack([SOURCE[s : s + 11].long() for s in starts])
    want = nats(model(tokens[:, :-1]), tokens).mean(0) / math.log(2)
    torch.testing.assert_close(got, want.double(), atol=1e-4, rtol=1e-4)
    assert bits_per_byte(model, SOURCE[:200], 10, rows) == pytest.approx(want.mean().item(), rel=1e-4)
    assert starts[-1] == 189 or rows == 1, "the last row ends with the text"


def test_the_figures_of_a_text_are_of_their_lengths_and_windows(monkeypatch):
    asked = []

    def bits(model, held, length=256, rows=256, batch=8192):
        asked.append((repr(model.memory), length, rows))
        return torch.arange(length, dtype=torch.float64)

    monkeypatch.setattr(evaluate, "bits_by_position", bits)
    monkeypatch.setattr(evaluate, "bits_per_byte", lambda model, *a: float(bits(model, *a).mean()))
    found = evaluate.text_figures(tiny(), None)
    assert found["bits_per_byte_at_256"] == 127.5
    assert found["bits_by_length_full"] == {n: (n - 1) / 2 for n in (64, 128, 256, 512, 1024, 2048)}
    assert found["bits_at_1024_by_window"] == dict.fromkeys((1, 2, 4, 8, 16, 32, 64, 128, 256), 511.5)
    assert {(repr(Window(n)), 1024, 256) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)} <= set(asked)
    assert all(n * rows == 262144 for name, n, rows in asked if name == repr(Full()) and rows != 64)
    for by in found["bits_by_position_in_2048"].values():
        for edges, value in by.items():
            low, high = map(int, edges.split("-"))
            assert value == (low + high - 1) / 2
    assert list(found["bits_by_position_in_2048"]) == [repr(m) for m in (Full(), Window(64), Window(256))]


# The text, files


def test_one_file_in_twelve_is_held_out_by_its_name_alone(tmp_path, monkeypatch):
    names = [f"topics/{i}" for i in range(3000)]
    assert sum(map(data.held_out, names)) / 3000 == pytest.approx(1 / 12, abs=0.015)
    inside, out = data.split()
    assert (
        set(inside) | set(out) == set(data.files())
        and all(map(data.held_out, out))
        and not any(map(data.held_out, inside))
    )
    train_, held = data.texts()
    assert bytes(held.tolist()[:200]).decode(errors="replace") == ("\n\n".join(out.values())).encode()[:200].decode(
        errors="replace"
    )
    assert len(train_) > 8 * len(held)
    for i in range(60):
        (tmp_path / f"file{i}.txt").write_text(f"{i:03d} is held by its name. " * 60)
    mine, theirs = data.texts(str(tmp_path))
    numbers = [set(re.findall(r"\d{3}", bytes(x.tolist()).decode())) for x in (mine, theirs)]
    assert not numbers[0] & numbers[1] and len(numbers[0] | numbers[1]) == 60
    assert numbers[1] == {f"{i:03d}" for i in range(60) if data.held_out(f"file{i}.txt")}


def test_the_last_twelfth_of_one_file_is_held_out(tmp_path):
    (tmp_path / "x.txt").write_bytes(bytes(i % 251 for i in range(24_001)))
    mine, theirs = data.texts(str(tmp_path / "x.txt"))
    assert (len(mine), len(theirs)) == (22_001, 2_000) and theirs[0] == 22_001 % 251 and theirs[-1] == 24_000 % 251


def test_a_checksum_is_of_names_and_texts(monkeypatch):
    sums = []
    for files in ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}, {"a": "x", "c": "y"}, {"a": "xb", "": "y"}, {"a": "x"}):
        monkeypatch.setattr(data, "files", lambda files=files: files)
        sums.append(data.checksum())
    assert len(set(sums)) == len(sums)


def test_weights_that_are_written_are_read_and_nothing_half_written_is_left(tmp_path):
    tensors = {"a": torch.randn(3, 2).T, "b": torch.ones(2, dtype=torch.bfloat16)}
    stored.write(tmp_path / "deep" / "x.safetensors", tensors, {"step": 3})
    got, about = stored.read(tmp_path / "deep" / "x.safetensors")
    assert about == {"step": 3} and all(torch.equal(got[n], x) and got[n].dtype == x.dtype for n, x in tensors.items())
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["x.safetensors"]


def test_a_checkpoint_gives_back_weights_and_moments(tmp_path):
    recipe = Recipe(muon=True)
    model, again = tiny(0), tiny(1)
    optimizers, empty = optimizers_of(model, recipe), optimizers_of(again, recipe)
    for _ in range(2):
        loss_of(model, some(2, 9), torch.ones(2, 8)).backward()
        for optimizer in optimizers.values():
            optimizer.step()
    stored.checkpoint(tmp_path / "x.run", model, optimizers, {"step": 2})
    about = stored.restore(tmp_path / "x.run", again, empty)
    assert about["step"] == 2 and about["config"]["dim"] == 16
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    for name, optimizer in optimizers.items():
        one, two = optimizer.state_dict()["state"], empty[name].state_dict()["state"]
        assert one.keys() == two.keys() and all(torch.equal(x, two[i][k]) for i in one for k, x in one[i].items())


@pytest.mark.parametrize("name", ["stdlib", "facts", "facts_delta"])
def test_a_model_is_loaded_with_its_own_memory_config_and_weights(name):
    tensors, about = stored.read(stored.where(name))
    model = lm.load(name)
    assert model.config == Config(**about["config"]) and not model.training and model.positions == "absolute"
    assert all(torch.equal(x.to(p.dtype), p) for x, p in ((tensors[n], p) for n, p in model.state_dict().items()))
    assert type(model.memories[0]) is (DeltaRule if "delta" in name else Full)
    other = lm.load(name, Window(5), "none")
    assert (repr(other.memory), other.positions) == (repr(Window(5)), "none")
    assert name in lm.names() and lm.card(name)["step"] == about["step"]


# The layers


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_turn_is_a_turn_of_the_plane_by_place_and_speed(share):
    x, places, width = torch.randn(5, 8, dtype=torch.float64), torch.tensor([0, 1, 7, 100, 10**6]), 8
    got = layers.turn(x, layers.turns(places, width, torch.float64, share))
    for n, place in enumerate(places.tolist()):
        for i in range(4):
            angle = place * 10000.0 ** (-2 * i / width) if i < round(4 * share) else 0.0
            want = complex(x[n, i], x[n, i + 4]) * complex(math.cos(angle), math.sin(angle))
            assert complex(got[n, i], got[n, i + 4]) == pytest.approx(want, abs=1e-6)


def test_a_block_is_normed_convolved_and_added():
    torch.manual_seed(0)
    block = layers.Block(8, 2, 3, 4)
    x, tail = torch.randn(2, 5, 8), torch.randn(2, 2, 24)

    def normed(x, norm):
        return x / (x.pow(2).mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt() * norm.weight

    past = torch.cat([tail, normed(x, block.norm) @ block.qkv.weight.T], 1)
    mixed_ = sum(past[:, i : i + 5] * block.conv[i] for i in range(3))
    *heads, after = block.heads_of(x, tail)
    for got, want in zip(heads, mixed_.chunk(3, -1), strict=True):
        torch.testing.assert_close(got, want.view(2, 5, 2, 4).transpose(1, 2), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after, past[:, -2:])
    read = torch.randn(2, 2, 5, 4)
    once = x + read.transpose(1, 2).reshape(2, 5, 8) @ block.out.weight.T
    want = once + F.gelu(normed(once, block.norm2) @ block.up.weight.T) @ block.down.weight.T
    torch.testing.assert_close(block.add(x, read), want, atol=1e-5, rtol=1e-4)
    assert (block.tail(3) == 0).all() and block.tail(3).shape == (3, 2, 24)


def test_a_model_begins_small_and_its_layers_are_scaled_by_their_number():
    torch.manual_seed(0)
    model = LanguageModel(Config(dim=64, layers=8, heads=2))
    assert model.embed.weight.std().item() == pytest.approx(0.1, rel=0.1)
    assert model.head.weight.std().item() == pytest.approx(0.02, rel=0.1)
    block = model.blocks[0]
    for linear, std in ((block.qkv, 1 / 8), (block.up, 1 / 8), (block.out, 1 / 8 / 4), (block.down, 1 / 16 / 4)):
        assert linear.weight.std().item() == pytest.approx(std, rel=0.1)
    bits = bits_per_byte(model, SOURCE, 32, 4)
    assert bits == pytest.approx(8, abs=0.2), "an untrained model knows nothing"


@torch.no_grad()
def test_a_model_is_its_layers_in_order():
    model, tokens = tiny(conv=2), some(2, 9)
    x = model.embed.weight[tokens]
    for i, block in enumerate(model.blocks):
        q, k, v, _ = block.heads_of(x, block.tail(2))
        by = layers.turns(torch.arange(9), 8, q.dtype)
        got = model.qkv(tokens)[i]
        torch.testing.assert_close((got[0], got[1].k, got[1].v), (layers.turn(q, by), layers.turn(k, by), v))
        x = block.add(x, attend_all(Full(), layers.turn(q, by), got[1]))
    torch.testing.assert_close(model(tokens), model.norm(x) @ model.head.weight.T)


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_generating_draws_each_byte_from_what_the_model_says_so_far(temperature):
    model, said = tiny(3).eval(), b"ab"
    model.head.weight *= 30
    got = model.generate(said, 6, temperature, torch.Generator().manual_seed(5))
    draw = torch.Generator().manual_seed(5)
    for _ in range(6):
        last = model(torch.tensor([list(said)]))[0, -1]
        chances = torch.softmax(last / temperature, -1) if temperature else F.one_hot(last.argmax(), 256).float()
        said += bytes([int(torch.multinomial(chances, 1, generator=draw))])
    assert got == said[2:] and len(got) == 6


def test_a_card_holds_its_text_and_its_weights(monkeypatch):
    monkeypatch.setattr(evaluate, "text_figures", lambda model, held: {"figures": len(held)})
    card = evaluate.measure("stdlib")
    held = data.texts()[1]
    assert (
        card["figures"] == card["text"]["held_out_bytes"] == len(held) and card["text"]["checksum"] == data.checksum()
    )
    assert card["parameters"] == sum(p.numel() for p in lm.load("stdlib").parameters())
    assert card["torch"] == torch.__version__ and json.dumps(card)
    asked = []
    monkeypatch.setattr(evaluate, "bits_per_byte", lambda model, held, n, rows: asked.append((n, rows)) or 2.0)
    monkeypatch.setattr(evaluate, "fact_figures", lambda model, distances: {"distances": distances})
    assert evaluate.measure("facts_delta")["distances"] == (16, 32, 64, 128, 256, 512)
    assert evaluate.measure("facts")["distances"] == evaluate.DISTANCES and set(asked) == {(256, 512)}


def test_own_facts_and_names_of_files_are_as_given():
    one = Fact("Ben has a cat.", "what has Ben?", "cat")
    told = stream(12, 3, own=one)
    assert told.fact is one and told.answer == "cat" and told.text.endswith(b"Question: what has Ben? Answer: cat.")
