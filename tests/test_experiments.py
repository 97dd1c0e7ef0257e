"""What is trained for a lesson: recall that is learned, models that read through other memories, stored runs."""

import json
from functools import partial

import pytest
import torch

from memlib import KV, Compressive, ConvPool, Full, Window, attend, attention_reconstruction, tasks
from memlib.lm import layers, segments, train, weights
from memlib.lm.model import Config, LanguageModel
from memlib.lm.trained import KINDS, make
from memlib.tasks import experiments, leaderboard
from memlib.tasks.associative import rows


def test_a_row_binds_its_pairs_and_asks_for_each_of_them_once():
    tokens, asked = rows(20, 64, 8, torch.Generator().manual_seed(0))
    assert tokens.shape == asked.shape == (20, 64) and (asked.sum(-1) == 8).all()
    for row, where in zip(tokens.tolist(), asked.tolist(), strict=True):
        bound = dict(zip(row[:16:2], row[1:16:2], strict=True))
        found = {row[i - 1]: row[i] for i in range(64) if where[i]}
        assert found == bound and len(bound) == 8
        assert all(row[i] >= 128 for i in range(16, 64) if not where[i] and not (i + 1 < 64 and where[i + 1]))


def test_recall_is_learned_with_a_full_cache_and_cannot_be_with_a_short_window():
    small = dict(pairs=4, length=20, steps=140, layers=1, every=140)
    assert tasks.mqar(Full(), **small).accuracy > 0.9
    assert tasks.mqar(Window(2), **small).accuracy < 0.5


@pytest.mark.parametrize(
    "bad, words",
    [
        ({"pairs": 0}, "mqar: pairs"),
        ({"pairs": 8, "length": 20}, "mqar: length must be a whole number >= 32, got 20"),
        ({"length": 65}, "an even length, got pairs=8, length=65"),
        ({"steps": 0}, "mqar: steps"),
    ],
)
def test_sizes_that_cannot_be_are_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        tasks.mqar(Full(), **bad)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_trained_with_a_memory_and_comes_back_with_it(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "Recipe", partial(train.Recipe, tokens=1024))
    out = tmp_path / "model.safetensors"
    train.main(["--memory", kind, "--steps", "2", "--rotary", "0.5", "--out", str(out), "--device", "cpu"])
    model = weights.load(out)
    assert model.config == Config(rotary=0.5) and all(type(m) is type(make(kind, 32)) for m in model.memories)
    stored, _ = weights.read(out)
    assert all(torch.equal(x, stored[name].to(x.dtype)) for name, x in model.state_dict().items())
    tokens = torch.randint(256, (1, 40), generator=torch.Generator().manual_seed(0))
    logits, _ = model.step(tokens, model.init(1))
    assert torch.allclose(logits, model(tokens), atol=1e-3)


def test_an_unknown_memory_is_named():
    with pytest.raises(ValueError, match="memory: wanted one of full, gru, linear, .*, got 'lstm'"):
        make("lstm", 32)


def test_what_is_not_turned_is_matched_at_any_distance():
    cos, sin = layers.turns(torch.tensor([0, 7, 100_000]), 8, torch.float64, 0.5)
    assert (cos[:, 2:] == 1).all() and (sin[:, 2:] == 0).all() and (cos[1:, :2] != 1).any()
    with pytest.raises(ValueError, match="Config: rotary must be a number from 0 to 1, got 1.5"):
        Config(rotary=1.5)
    model = LanguageModel(Config(dim=32, layers=1, rotary=0.0)).double()
    tokens = torch.tensor([list(b"abcabc")])
    (q, kv), *_ = model.qkv(tokens)
    assert torch.allclose(q[0, 0, 5], LanguageModel.reading(model, Full(), "none").qkv(tokens)[0][0][0, 0, 5])


def test_runs_are_stored_one_by_one_and_not_made_again(tmp_path, monkeypatch):
    made = []

    def few():
        return {name: (lambda seed, name=name: made.append((name, seed)) or {"accuracy": seed}) for name in "ab"}

    monkeypatch.setitem(experiments.EXPERIMENTS, "few", few)
    monkeypatch.setattr(experiments, "HOME", tmp_path)
    experiments.run("few", tmp_path)
    assert len(made) == 2 * len(experiments.SEEDS)
    assert [r["accuracy"] for r in experiments.stored("few")["a"]] == list(experiments.SEEDS)
    whole = json.loads((tmp_path / "few.json").read_text())
    del whole["runs"]["b"]["1"]
    (tmp_path / "few.json").write_text(json.dumps(whole))
    experiments.run("few", tmp_path)
    assert made[6:] == [("b", 1)]
    with pytest.raises(ValueError, match="stored: wanted one of"):
        experiments.stored("none")
    with pytest.raises(SystemExit):
        experiments.main(["none"])


def test_the_stored_runs_of_recall_hold_every_memory():
    runs = experiments.stored("mqar")
    assert set(runs) == set(experiments.mqar_runs())
    assert all(len(seeds) <= len(experiments.SEEDS) for seeds in runs.values())
    assert min(r["accuracy"] for r in runs["full cache"]) > 0.95


def test_a_run_of_which_nothing_is_stored_is_not_measured_yet(monkeypatch):
    before = experiments.unmeasured("leaderboard")
    monkeypatch.setitem(leaderboard.MEMORIES, "another", Full)
    assert experiments.unmeasured("leaderboard") == [*before, "another"]


def test_the_stored_stories_hold_every_memory_and_every_distance():
    runs = experiments.stored("story")
    assert set(runs) == set(experiments.story_runs())
    assert all(set(run["right"]) == {"150", "600", "2000", "5000"} for seeds in runs.values() for run in seeds)
    assert min(run["right"]["150"] for run in runs["window of 32 and the 8 nearest"]) > 0.8


@pytest.mark.parametrize("bad", [["--steps", "-3"], ["--rate", "0"], ["--lengths", "0,3"], ["--lengths", "abc"]])
def test_a_training_that_cannot_be_is_refused(bad, capsys, tmp_path):
    with pytest.raises(SystemExit):
        train.main([*bad, "--out", str(tmp_path / "x.safetensors")])
    assert f"{bad[0]}: wanted" in capsys.readouterr().err


def test_what_a_class_of_one_s_own_has_to_learn_is_copied_and_trained():
    class Own:
        def __init__(self):
            self.gate = torch.nn.Linear(8, 1)

        def init(self, like):
            return like.empty()

        def update(self, mem, new, q=None):
            return mem.append(new)

        def slots(self, mem):
            return mem

        def read(self, mem, q, new=None, lse=False):
            return attend(q, mem, lse, new) * torch.sigmoid(self.gate(q))

    memory = Own()
    model = LanguageModel(Config(dim=16, layers=2, heads=2), memory)
    gates = [one.gate.weight for one in model.memories]
    held = {id(p) for p in model.parameters()}
    assert all(id(gate) in held for gate in gates) and len({id(memory.gate.weight), *map(id, gates)}) == 3


def test_a_model_streams_under_autocast():
    model = LanguageModel(Config(dim=32, layers=1))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits, state = model.step(torch.tensor([list(b"ab")]), model.init(1))
        assert model.step(torch.tensor([list(b"c")]), state)[0].isfinite().all() and logits.isfinite().all()


def test_a_pools_loss_reaches_the_pools_alone_and_the_text_all_but_the_pools():
    torch.manual_seed(0)
    memory = Compressive(8, 4, 2, ConvPool(2, 8))
    model = LanguageModel(Config(dim=16, layers=2, heads=2), memory)
    tokens = torch.randint(256, (2, 65))
    ones = torch.ones(2, 64)
    train.loss_of(model, tokens, ones).backward()
    pools = list(model.learned.parameters())
    others = {id(p) for p in pools}
    others = [p for p in model.parameters() if id(p) not in others]
    assert all(p.grad is None or not p.grad.any() for p in pools) and all(p.grad.abs().sum() > 0 for p in others)
    text = [p.grad.clone() for p in others]
    model.zero_grad()
    segments.loss_with_pools(model, tokens, ones).backward()
    assert all(p.grad.abs().sum() > 0 for p in pools)
    assert all(torch.allclose(p.grad, was, atol=1e-6) for p, was in zip(others, text, strict=True))


def test_what_a_pool_is_trained_on_is_what_mem_pops_while_it_is_read():
    memory = Compressive(4, 4, 2, segment=2)
    q, k, v = (torch.randn(10, 3, dtype=torch.float64) for _ in range(3))
    kv, mem, parts = KV(k, v), memory.init(KV(k, v)), []
    for t in range(0, 10, 2):
        if mem.raw.n == 4:
            parts.append(attention_reconstruction(memory.pool, q[t : t + 2], mem.raw[:2], 2))
        mem = memory.update(mem, kv[t : t + 2])
    torch.testing.assert_close(segments.reconstruction(memory, q, kv), torch.stack(parts).mean())
    assert segments.reconstruction(memory, q[:4], kv[:4]) is None
    with pytest.raises(ValueError, match="local a multiple of segment"):
        segments.reconstruction(Compressive(4, 4, 2, segment=3), q, kv)
