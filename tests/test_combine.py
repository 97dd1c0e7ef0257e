"""Joint and gated memories: one softmax, the log-sum-exp identity, which side a gate weighs, empty sides."""

import math

import pytest
import torch

from memlib import (
    KNN,
    KV,
    Compressive,
    CumulativeAverage,
    DeltaRule,
    Full,
    Gated,
    HeadGate,
    Hybrid,
    Joint,
    LinearAttention,
    VectorGate,
    Window,
    attend,
    attend_all,
    check,
    join,
    outputs,
    states,
    stores,
    view,
)
from memlib.lm import Config, LanguageModel


def sequence(*lead, n=24, d=6, e=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(*lead, n, d, generator=draw, dtype=torch.float64) for _ in range(2))
    return q, KV(k, torch.randn(*lead, n, e, generator=draw, dtype=torch.float64))


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


PARTS = {
    "window and average": lambda: (Window(3), CumulativeAverage()),
    "window and k-NN": lambda: (Window(3), KNN(2, local=3)),
    "hybrid and sinks": lambda: (Hybrid(3, 2, 2, count_bias=True), Window(1, sinks=2)),
}


@pytest.mark.parametrize("make", PARTS.values(), ids=PARTS)
def test_one_softmax_is_a_gate_of_the_two_log_sum_exps(make):
    (q, kv), (near, far) = sequence(2), make()
    joint = Joint(near, far)
    for t, mem in enumerate(states(joint, kv)):
        one = q[:, t : t + 1]
        (a, lse_a), (b, lse_b) = near.read(mem[0], one, lse=True), far.read(mem[1], one, lse=True)
        g = torch.sigmoid(lse_a - lse_b).nan_to_num(1.0).unsqueeze(-1)
        out, lse = joint.read(mem, one, lse=True)
        close(out, g * a + (1 - g) * b), close(lse, torch.logaddexp(lse_a, lse_b))


def test_joint_is_attention_over_all_slots():
    q, kv = sequence(2)
    near, middle, far = parts = Window(2), Hybrid(3, 2, 2, count_bias=True), CumulativeAverage()
    memory = Joint(*parts)
    alone = zip(*(states(part, kv) for part in parts), strict=True)
    for t, (mem, (a, b, c)) in enumerate(zip(states(memory, kv), alone, strict=True)):
        one, every = q[:, t : t + 1], join(far.slots(c), middle.slots(b), near.slots(a))  # far pairs are older
        close(memory.read(mem, one), attend(one, every))
        assert torch.equal(memory.slots(mem).k, every.k) and torch.equal(memory.slots(mem).v, every.v)
    assert every.n == 1 + 6 + 2 and not torch.equal(every.k[:, :2], every.k[:, -2:])
    assert memory.softmax and not Joint(Window(2), KNN(2, 2)).softmax


@pytest.mark.parametrize("gone_on", [False, True])
@pytest.mark.parametrize("lead", [(), (2, 3)])
def test_no_tokens_by_segments_read_nothing_with_their_log_sum_exps(lead, gone_on):
    q, kv = sequence(*lead)
    memory = Joint(Compressive(4, 2, 2, segment=3), KNN(2, local=4))
    mem = memory.update(memory.init(kv), kv[:3]) if gone_on else None
    out, lse = attend_all(memory, q[..., :0, :], kv[:0], mem, lse=True)
    assert (out.shape, lse.shape) == ((*lead, 0, 4), (*lead, 0))


def test_joint_of_one_is_that_one_and_of_disjoint_windows_a_wider_one():
    q, kv = sequence(2)
    close(outputs(Joint(Window(4)), q, kv), outputs(Window(4), q, kv))
    assert check(Joint(Window(4)), Window(4))
    close(outputs(Joint(Window(4), KNN(99, 4)), q, kv), attend_all(Full(), q, kv))
    close(outputs(Joint(Joint(Window(2), KNN(1, 2)), KNN(1, 2)), q, kv)[:, :2], outputs(Window(2), q, kv)[:, :2])


def test_a_token_held_twice_counts_twice():
    k = torch.zeros(3, 1)
    assert view(Joint(Window(1), Window(3)), k, k)[-1].tolist() == [0.25, 0.25, 0.5]


def test_gates_weigh_the_side_they_name():
    q, kv = sequence(2, n=12)
    near, far = Window(3), KNN(2, local=3)
    a, b = outputs(near, q, kv), outputs(far, q, kv)
    for g in (0.0, 0.2, 1.0):
        for form in (outputs, attend_all):
            close(form(Gated(near, far, gate_local=g), q, kv)[:, 3:], (g * a + (1 - g) * b)[:, 3:])
            close(form(Gated(near, far, gate_memory=g), q, kv)[:, 3:], ((1 - g) * a + g * b)[:, 3:])


def test_an_empty_side_has_no_weight():
    q, kv = sequence(2, n=6)
    for memory in (
        Gated(Window(3), KNN(2, local=3), gate_local=0.3),
        Gated(KNN(2, local=3), Window(3), gate_memory=0.3),
    ):
        for form in (outputs, attend_all):
            close(form(memory, q, kv)[:, :3], outputs(Window(3), q, kv)[:, :3])
    empty = KNN(2, store=stores.open(":memory:", dim=6))
    close(outputs(Gated(Window(3), empty, gate_memory=1.0), q, kv), outputs(Window(3), q, kv))
    linear = Gated(Window(3), LinearAttention(), gate_local=0.3)
    assert not linear.read(linear.init(kv), q).any()


def test_a_gate_can_be_learned_and_each_layer_has_its_own():
    gate = VectorGate(8, open=0.7)
    model = LanguageModel(Config(dim=16, layers=2, heads=2), Gated(Window(3), KNN(2, 3), gate_local=gate))
    gates = [memory.gate_local for memory in model.memories]
    assert gates[0] is not gates[1] and gates[0] is not gate
    assert sum(p.numel() for p in model.learned.parameters()) == 2 * 9
    model(torch.randint(256, (2, 20), generator=torch.Generator().manual_seed(0))).logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.learned.parameters())
    assert abs(gate(torch.randn(3, 5, 8)).mean().item() - 0.7) < 1e-6


def test_shapes_of_gates():
    q, kv = sequence(2, 3, n=12)
    near, far = Window(3), KNN(2, local=3)
    a, b = outputs(near, q, kv), outputs(far, q, kv)
    heads = HeadGate(3).double()
    heads.bias.data = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)[:, None, None]
    g = torch.sigmoid(heads.bias)
    close(outputs(Gated(near, far, gate_memory=heads), q, kv)[..., 3:, :], ((1 - g) * a + g * b)[..., 3:, :])
    vector = VectorGate(6, values=4).double()
    vector.linear.weight.data = torch.randn(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    g = torch.sigmoid(q @ vector.linear.weight.T + vector.linear.bias)
    close(outputs(Gated(near, far, gate_local=vector), q, kv)[..., 3:, :], (g * a + (1 - g) * b)[..., 3:, :])
    fixed = torch.rand(3, 1, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    g = fixed
    close(outputs(Gated(near, far, gate_local=fixed), q, kv)[..., 3:, :], (g * a + (1 - g) * b)[..., 3:, :])


def test_no_constant_gate_does_what_one_softmax_does():
    q, kv = sequence(n=40)
    want = outputs(Joint(Window(4), KNN(3, 4)), q, kv)
    off = [(outputs(Gated(Window(4), KNN(3, 4), gate_local=g / 20), q, kv) - want).norm() for g in range(21)]
    assert min(off) > 0.1 * want.norm()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Joint(Compressive(4, 2, 2, segment=3), KNN(2, local=4)),
        lambda: Gated(Compressive(4, 2, 2, segment=3), KNN(2, local=4), gate_local=0.4),
    ],
    ids=["joint", "gated"],
)
def test_with_segments_all_are_read_before_they_are_updated(make):
    q, kv = sequence(2, n=9)
    memory = make()
    assert memory.segment == 3
    mems = states(memory, kv)
    assert len(mems) == 3 and mems[1][1].n == 6
    got = outputs(memory, q, kv)
    near, far = memory.memories
    a = near.read(mems[1][0], q[:, 6:], new=kv[6:], lse=True)
    b = far.read(mems[1][1], q[:, 6:], lse=True)  # two pairs are older than the four in Mem
    g = torch.sigmoid(a[1] - b[1]).unsqueeze(-1) if isinstance(memory, Joint) else 0.4
    close(got[:, 6:], g * a[0] + (1 - g) * b[0])
    close(attend_all(memory, q, kv), got)


def test_streaming_equals_the_whole_in_a_model():
    tokens = torch.randint(256, (2, 17), generator=torch.Generator().manual_seed(0))
    for memory in (
        Joint(Window(3), KNN(2, 3)),
        Joint(Compressive(4, 2, 2), KNN(2, 4)),
        Gated(Window(3), KNN(2, 3), gate_memory=0.5),
    ):
        model = LanguageModel(Config(dim=16, layers=2, heads=2), memory).double().eval()
        with torch.no_grad():
            want, state, got = model(tokens), model.init(2), []
            for a, b in ((0, 1), (1, 6), (6, 7), (7, 17)):
                logits, state = model.step(tokens[:, a:b], state)
                got.append(logits)
        close(torch.cat(got, 1), want, 1e-9)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="Joint: wanted at least one memory, got none"):
        Joint()
    with pytest.raises(ValueError, match="Joint: wanted memories, got int 3"):
        Joint(Window(2), 3)
    with pytest.raises(ValueError, match="Joint: wanted memories"):
        Joint(Window)
    for part in (DeltaRule(), Gated(Window(2), KNN(1, 2), gate_local=0.5)):
        with pytest.raises(ValueError, match="no log-sum-exp.*use Gated"):
            Joint(Window(2), part)
    with pytest.raises(ValueError, match=r"one length of it, got \[2, 4\]"):
        Joint(Compressive(4, 2, 2), Compressive(2, 2, 2))
    near, far = Window(2), KNN(1, 2)
    for gates in ({}, {"gate_local": 0.5, "gate_memory": 0.5}):
        with pytest.raises(ValueError, match="Gated: wanted one gate, gate_local .weighs near. or gate_memory"):
            Gated(near, far, **gates)
    for bad in (-0.1, 1.5, math.nan, True, "half", torch.tensor(2.0), torch.tensor([0.5, torch.nan])):
        with pytest.raises(ValueError, match="Gated: the gate must be a module, or numbers from 0 to 1"):
            Gated(near, far, gate_local=bad)
    for gate in (HeadGate, VectorGate):
        with pytest.raises(ValueError, match="open must be between 0 and 1, got 1"):
            gate(3, open=1)
