"""Numbers at their edges: gates of exactly 0, features that vanish, zero keys, short floats. Whole and step by step."""

import pytest
import torch
from examples import EVERY, MEMORIES, WIDTH
from torch import nn

from memlib import (
    KNN,
    KV,
    Compressive,
    DeltaRule,
    Gated,
    GatedDelta,
    Hybrid,
    Joint,
    Ladder,
    LinearAttention,
    Window,
    attend_all,
    outputs,
    promises,
)
from memlib.holding import mapped, modules
from memlib.laws import Sample, alike, pace
from memlib.lm.streaming import follow, opened
from memlib.memory import updated

SAMPLE = Sample(*WIDTH)
NAMES = MEMORIES if EVERY else {type(make()): name for name, make in reversed(MEMORIES.items())}.values()
SHORT = [torch.bfloat16, torch.float16] if EVERY else [torch.bfloat16]


def in_pieces(memory, q, kv, size=5):
    """The reads of a stream that comes in pieces of another size than segments or chunks."""
    held, outs = opened(memory, kv.empty()), []
    for t in range(0, kv.n, size):
        held, out = follow(memory, held, q[..., t : t + size, :], kv[t : t + size])
        outs.append(out)
    return torch.cat(outs, -2)


def at_once(memory, q, kv):
    """The reads behind one update with all pairs but the newest, step by step from there: the newest reads alone."""
    cut = (kv.n - 1) // pace(memory) * pace(memory)
    mem = updated(memory, memory.init(kv), kv[:cut], q[..., :cut, :]) if promises(memory).chunkable else None
    return outputs(memory, q, kv) if mem is None else outputs(memory, q[..., cut:, :], kv[cut:], mem)


PATHS = {"step by step": outputs, "whole": attend_all, "in pieces": in_pieces, "at once": at_once}


def with_gradients(path, memory, q, kv, *learned):
    """Reads, and the gradients of q, k, v and what is learned."""
    leaf = [x.detach().clone().requires_grad_() for x in (q, kv.k, kv.v)]
    out = PATHS[path](memory, leaf[0], KV(*leaf[1:]))
    loss = out[..., -1:, :].square().sum() + sum(0 * x.sum() for x in (*leaf, *learned))
    return out, torch.autograd.grad(loss, [*leaf, *learned])


class Given(nn.Module):
    """A gate whose numbers are given, to be differentiated: [n]. Pairs are known by their last key width."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers = nn.Parameter(numbers)

    def forward(self, k):
        places = (k[..., -1] * 1000).round().long()
        return self.numbers[places]


def numbered(n, dtype=torch.float64):
    """q and pairs whose last width of the key is its place / 1000."""
    q, kv = SAMPLE.tokens(2, n=n, dtype=dtype)
    k = kv.k.clone()
    k[..., -1] = torch.arange(n, dtype=dtype) / 1000
    return q, KV(k, kv.v)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "step by step"])
@pytest.mark.parametrize("zeros", [[0], [1], [7], [31], [32], [33], [3, 4], [0, 5, 40, 69], range(70)])
def test_a_gate_of_exactly_0_empties_the_matrix_and_passes_its_gradient(zeros, path):
    alpha, beta = torch.linspace(0.5, 1, 70).double(), torch.linspace(0, 1, 70).double()
    alpha[list(zeros)] = 0
    memory = GatedDelta(Given(alpha), Given(beta))
    q, kv = numbered(70)
    learned = [memory.alpha.numbers, memory.beta.numbers]
    want, wanted = with_gradients("step by step", memory, q, kv, *learned)
    got, found = with_gradients(path, memory, q, kv, *learned)
    alike("reads", got, want[:, -got.shape[1] :])
    for name, a, b in zip(["q", "k", "v", "alpha", "beta"], found, wanted, strict=True):
        assert a.isfinite().all(), name
        alike(f"gradients of {name}", a, b)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", [-40.0, -90.0, -120.0, -300.0, -5000.0])
@pytest.mark.parametrize("query", [0.0, -120.0, -5000.0])
def test_features_that_vanish_read_the_same_on_every_path(query, key, path, dtype):
    memory, (q, kv) = LinearAttention(), SAMPLE.tokens(n=9, dtype=dtype)
    q, kv = q + query, KV(kv.k + key, kv.v)
    want = outputs(memory, q, kv)
    got, grads = with_gradients(path, memory, q, kv)
    alike("reads", got, want[-len(got) :], 1e-12 if dtype == torch.float64 else 1e-6)
    assert all(x.isfinite().all() and x.abs().max() < 1e4 for x in (want, *grads))
    if key > -700:
        lowest, highest = kv.v.min(0).values, kv.v.max(0).values
        assert ((got > lowest - 1e-4) & (got < highest + 1e-4)).all() and got.any(-1).all()  # still a mean of values


def test_keys_of_which_some_vanish_weigh_as_they_should():
    """The faintest key is alone in what a query asks for."""
    k = torch.tensor([[-120.0, -130.0], [-140.0, -100.0], [-400.0, -90.0]])
    q, v = torch.tensor([[0.0, -300.0], [-300.0, 0.0], [0.0, -300.0]]), torch.eye(3)
    for form in (outputs, attend_all):
        out = form(LinearAttention(), q, KV(k, v))
        assert out[2, 0] > 0.999 and out[1, 1] > 0.999, out


@pytest.mark.parametrize("dtype", [torch.float32, *SHORT])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_zero_keys_and_queries_get_small_gradients_on_every_path(name, path, dtype):
    """A padded token: its key, or all of it, is 0; and the first and the newest of a stream."""
    width = torch.float32 if modules(MEMORIES[name]()) else dtype
    memory = mapped(MEMORIES[name](), lambda x: x.to(width) if isinstance(x, nn.Module) else x)
    q, kv = SAMPLE.tokens(2, n=12, dtype=dtype)
    for zeros in ([0, 3, 4], [11], range(12)):
        k, v, asked = kv.k.clone(), kv.v.clone(), q.clone()
        k[:, list(zeros)], v[0, list(zeros)], asked[1, list(zeros)] = 0, 0, 0
        out, grads = with_gradients(path, memory, asked, KV(k, v))
        assert out.isfinite().all() and all(x.isfinite().all() and x.abs().max() < 1e3 for x in grads)


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_short_floats_are_read_as_precisely_as_they_are_written(name, path, dtype):
    """Against float64 of the same numbers: constant gates, running sums and weights are no shorter for short floats."""
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2, n=100, dtype=dtype)
    got = PATHS[path](memory, q, kv)
    want = PATHS[path](memory, q.double(), KV(kv.k.double(), kv.v.double()))
    assert got.dtype == dtype
    precisely(memory, got, want)


def precisely(memory, got, want):
    """Right to half a last place for each time that it is rounded: slots that are kept, reads that are joined."""
    last_place = torch.finfo(got.dtype).eps * want.abs().amax().clamp(min=1)
    assert (got.double() - want).abs().max() <= (0.5 * roundings(memory) + 0.01) * last_place


def roundings(memory) -> int:
    """How often a number is written in short floats on its way into a read."""
    if isinstance(memory, Joint):
        return max(len(memory.memories), 1 + max(map(roundings, memory.memories)))
    if isinstance(memory, Gated):
        return 1 + max(roundings(memory.near), roundings(memory.far))
    if isinstance(memory, Ladder):
        return 5  # a mean of means of means
    return 2 if isinstance(memory, (Hybrid, Compressive)) or getattr(memory, "sinks", 0) else 1


GATES = [0.003, 0.7, 0.997]


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(
    "make",
    [
        lambda g: GatedDelta(g, 1.0),
        lambda g: GatedDelta(1.0, g),
        lambda g: DeltaRule(g),
        lambda g: Gated(Window(2), KNN(3, local=2), gate_local=g),
        lambda g: Gated(Window(2), LinearAttention(), gate_memory=g),
        lambda g: Gated(Window(2), LinearAttention(), gate_local=torch.tensor([g, g, g])),
        lambda g: Joint(Window(2), Hybrid(2, 2, 2)),
    ],
)
def test_a_constant_gate_is_no_shorter_for_short_floats(make, gate, dtype):
    q, kv = SAMPLE.tokens(2, n=100, dtype=dtype)
    for path in PATHS.values():
        precisely(make(gate), path(make(gate), q, kv), path(make(gate), q.double(), KV(kv.k.double(), kv.v.double())))
