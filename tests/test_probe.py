"""The two pictures of every memory against what it gives: one-hot values show what it does with any values."""

import pytest
import torch
from examples import MEMORIES, WIDTH

from memlib import KV, influence, outputs, promises, recipe, states, view
from memlib.holding import unstopped
from memlib.laws import Sample

SAMPLE = Sample(*WIDTH)
LINEAR = [name for name, make in MEMORIES.items() if promises(make()).linear_in_values]
WITHOUT = [name for name, make in MEMORIES.items() if not promises(make()).needs_queries]


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def asked(memory, q):
    return q if promises(memory).needs_queries else None


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("name", LINEAR)
def test_what_it_does_with_values_is_its_picture_times_the_values(name, lead):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(*lead)
    close(view(memory, q, kv.k) @ kv.v, outputs(memory, q, kv))
    pictures, held = recipe(memory, kv.k, asked(memory, q)), states(memory, kv, asked(memory, q))
    for picture, mem in zip(pictures, held, strict=True):
        close(picture @ kv.v, memory.slots(mem).v)


@pytest.mark.parametrize("name", LINEAR)
def test_influence_of_a_linear_memory_is_its_picture_times_the_root_of_the_width(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens()
    close(influence(memory, kv, q), view(memory, q, kv.k).abs() * WIDTH[1] ** 0.5)
    if name in WITHOUT:
        close(influence(memory, kv), recipe(memory, kv.k)[-1].abs() * WIDTH[1] ** 0.5)


@pytest.mark.parametrize("name", MEMORIES)
def test_influence_is_the_length_of_the_change_that_a_small_change_of_the_values_makes(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(n=7)
    free = unstopped(memory)
    asks = [(influence(memory, kv, q), lambda kv: outputs(free, q, kv))]
    if name in WITHOUT:
        asks += [(influence(memory, kv), lambda kv: free.slots(states(free, kv)[-1]).v)]
    for got, out in asks:
        for token in (0, 3, 6):
            want = 0
            for one in range(WIDTH[1]):
                step = torch.zeros_like(kv.v)
                step[token, one] = 1e-6
                moved = (out(KV(kv.k, kv.v + step)) - out(KV(kv.k, kv.v - step))) / 2e-6
                want = want + moved.square().sum(-1)
            close(got[:, token], want.sqrt(), 1e-7)


@pytest.mark.parametrize("name", [name for name in MEMORIES if name not in LINEAR])
def test_a_picture_of_a_memory_that_is_not_linear_is_refused_and_names_influence(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens()
    for name, look in (("recipe", lambda: recipe(memory, kv.k, q)), ("view", lambda: view(memory, q, kv.k))):
        with pytest.raises(TypeError, match=f"(?s){name}: .*influence"):
            look()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_picture_is_in_the_dtype_of_the_keys(dtype):
    q, kv = SAMPLE.tokens(dtype=dtype)
    for name in ("window", "moving average", "linear attention", "hybrid"):
        memory = MEMORIES[name]()
        assert view(memory, q, kv.k).dtype == recipe(memory, kv.k)[-1].dtype == influence(memory, kv, q).dtype == dtype


@pytest.mark.parametrize(
    "kv, words", [(SAMPLE.tokens(2)[1], r"one sequence, k \[n, d\]"), (SAMPLE.tokens(n=0)[1], "at least one pair")]
)
def test_what_influence_cannot_look_at_is_named(kv, words):
    with pytest.raises(ValueError, match=f"influence: kv must .*{words}"):
        influence(MEMORIES["window"](), kv)
