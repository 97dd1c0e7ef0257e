"""Copies of states, stores, memories and models: in the program, in a file, in another process."""

import copy
import io
import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from examples import MEMORIES, WIDTH
from safetensors.torch import save_file

from memlib import KV, Full, GatedDelta, Joint, LinearAttention, Window, attend_all, outputs, promises, state, stores
from memlib.holding import modules
from memlib.laws import Sample, last
from memlib.lm.model import Config, LanguageModel
from memlib.parts.gates import Gate

SAMPLE = Sample(*WIDTH)
TOKENS = torch.tensor([list(b"a small text, read twice")])


def saved(thing):
    """Through torch.save, and back."""
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {"copied": copy.deepcopy, "pickled": lambda x: pickle.loads(pickle.dumps(x)), "saved": saved}


def a_store(metric="dist2"):
    store = stores.open(":memory:", dim=4, metric=metric)
    draw = torch.Generator().manual_seed(0)
    for n in (3, 30):
        store.add(torch.randn(n, 4, generator=draw), torch.randn(n, 2, generator=draw))
    return store


def a_model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(Config(16, 2, 2), Joint(Window(4), Window(3, sinks=2)), "cache")


def a_model_that_learned():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(Config(16, 2, 2), GatedDelta(Gate(8), Gate(8)))


MODELS = [a_model, a_model_that_learned]


def found(store) -> list:
    """All that a store says, and says after it has grown."""
    scores, ids = store.search(torch.eye(4), 5)
    said = [store.n, scores, ids, store.pairs(ids).v]
    store.add(torch.eye(4), torch.zeros(4, 2))
    return [*said, *store.search(torch.ones(2, 4), 40)]


def reads(memory):
    """What a memory gives on the sample."""
    return attend_all(memory, *SAMPLE.tokens(2, n=20)).detach()


def logits(model):
    """What a model says of the tokens."""
    return model(TOKENS).detach()


def slots(memory, mem):
    """What is in a state."""
    kv = memory.slots(mem)
    return kv.k.detach(), kv.v.detach()


def there(jobs: list) -> list:
    """What each (function, arguments) gives, run where they were sent to."""
    return [job(*given) for job, *given in jobs]


def equal(a, b) -> bool:
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("metric", stores.METRICS)
def test_a_store_can_be_copied_and_both_go_on_by_themselves(how, metric):
    store = a_store(metric)
    other = COPIES[how](store)
    want = found(store)
    assert other.n == 33 and equal(found(other), want)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", MEMORIES)
def test_a_memory_can_be_copied(how, name):
    memory = MEMORIES[name]()
    other = COPIES[how](memory)
    assert repr(other) == repr(memory) and torch.equal(reads(other), reads(memory))
    mine, its = ([p for part in modules(one) for p in part.parameters()] for one in (memory, other))
    assert len(mine) == len(its) and not {id(p) for p in mine} & {id(p) for p in its}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", MODELS)
def test_a_model_can_be_copied_and_learns_by_itself(how, make):
    model = make()
    other, want = COPIES[how](model), logits(model)
    assert torch.equal(logits(other), want)
    held = {id(p) for one in other.memories for part in modules(one) for p in part.parameters()}
    assert held == {id(p) for p in other.learned.parameters()}  # what is trained is what is read through
    for p in other.parameters():
        p.data.add_(1)
    assert torch.equal(logits(model), want) and not torch.equal(logits(other), want)


def test_all_of_them_go_to_another_process_and_come_back():
    jobs = [(found, a_store()), *((logits, make()) for make in MODELS)]
    for make in MEMORIES.values():
        memory, (q, kv) = make(), SAMPLE.tokens(2)
        jobs += [(reads, memory), (slots, memory, state.detach(last(memory, kv, q)))]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        got = pool.submit(there, jobs).result()
    assert equal(got, there(jobs))


# a state in a file


def test_a_state_whose_parts_like_has_not_is_refused(tmp_path):
    state.save((4, 2, 2, 1), tmp_path / "s")
    assert state.load(tmp_path / "s", (0, 0, 0, 0)) == (4, 2, 2, 1)
    for like in ((), (0, 0)):
        with pytest.raises(ValueError, match=r"load: .*s also holds .*3, which like has not"):
            state.load(tmp_path / "s", like)


def test_a_state_comes_back_on_the_device_of_like_and_does_not_hang_on_the_file(tmp_path):
    kv = KV(torch.ones(2000, 8), torch.ones(2000, 8))
    state.save(kv, tmp_path / "s")
    there = state.load(tmp_path / "s", state.to(kv, "meta"))
    assert there.k.device.type == there.v.device.type == "meta" and there.n == 2000
    here = state.load(tmp_path / "s", kv)
    state.save(kv.append(kv), tmp_path / "s")
    (tmp_path / "s").write_bytes(b"")
    assert torch.equal(here.k, kv.k)


PAIR = {"k": torch.zeros(1, 2), "v": torch.zeros(1, 2)}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: None,
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"),
        lambda path: (state.save(KV(**PAIR), path), path.write_bytes(path.read_bytes()[:-3])),
        *(
            lambda path, numbers=numbers: save_file(PAIR, path, metadata={"numbers": numbers})
            for numbers in ("[1]", "1", "null", "{", '"k"', '{"k": 1}', '{"bias": 1}', '{"more": 1}')
        ),
        lambda path: save_file(PAIR, path, metadata={"other": "{}"}),
        lambda path: save_file(PAIR, path),
        lambda path: save_file(PAIR | {"v": torch.zeros(3, 2)}, path, metadata={"numbers": json.dumps({})}),
        lambda path: save_file(PAIR | {"bias": torch.zeros(3)}, path, metadata={"numbers": json.dumps({})}),
    ],
)
def test_a_damaged_file_is_named(write, tmp_path):
    path = tmp_path / "a state"
    write(path)
    with pytest.raises(ValueError, match="load: .*a state"):
        state.load(path, KV(**PAIR))


@pytest.mark.parametrize("name", MEMORIES)
def test_a_state_of_one_memory_is_no_state_of_another(name, tmp_path):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2)
    state.save(state.detach(last(memory, kv, q)), tmp_path / "s")
    for other in (Full(), Window(4), LinearAttention(), Joint(Full(), Window(2))):
        here, there = (dict(state.leaves(one.init(kv))) for one in (memory, other))
        if here.keys() != there.keys():
            with pytest.raises(ValueError, match="load: "):
                state.load(tmp_path / "s", other.init(kv))
    back = state.load(tmp_path / "s", memory.init(kv))
    if promises(memory).segment is None:
        got, want = (memory.read(mem, q) for mem in (back, last(memory, kv, q)))
        assert torch.equal(got, want) and outputs(memory, q, kv, back).isfinite().all()
