"""Recurrent memories: the equations written out, torch's GRU, transformers' delta rules, and what they refuse."""

import pytest
import torch
import torch.nn.functional as F
from examples import EVERY

from memlib import (
    KV,
    DeltaRule,
    Full,
    Gate,
    GatedDelta,
    LinearAttention,
    Recurrent,
    attend_all,
    influence,
    outputs,
    recipe,
    state_bytes,
    states,
    view,
)

T = 12


def sequence(*lead, n=T, d=4, e=3, dtype=torch.float64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(*lead, n, d, generator=draw, dtype=dtype) for _ in range(2))
    return q, KV(k, torch.randn(*lead, n, e, generator=draw, dtype=dtype) + 1)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def test_linear_attention_is_attention_with_another_kernel():
    q, kv = sequence()
    weights = ((F.elu(q) + 1) @ (F.elu(kv.k) + 1).T).tril()
    weights = weights / weights.sum(-1, keepdim=True)
    close(view(LinearAttention(), q, kv.k), weights)
    close(outputs(LinearAttention(), q, kv), weights @ kv.v)
    for t, got in enumerate(recipe(LinearAttention(), kv.k)):
        want = (F.elu(kv.k) + 1).T * (torch.arange(T) <= t)
        close(got, want)


@pytest.mark.parametrize("alpha, beta", [(None, 1.0), (None, 0.3), (0.9, 0.7), (0.0, 1.0), (1.0, 0.0)])
def test_a_delta_rule_is_a_step_of_gradient_descent(alpha, beta):
    """Identity f: autograd takes the step."""
    memory = DeltaRule(beta) if alpha is None else GatedDelta(alpha, beta)
    q, kv = sequence()
    s = torch.zeros(4, 3, dtype=torch.float64)
    for t, mem in enumerate(states(memory, kv)):
        s = (s * (1.0 if alpha is None else alpha)).requires_grad_()
        k = F.normalize(kv.k[t], dim=0)
        loss = 0.5 * (s.T @ k - kv.v[t]).square().sum()
        s = (s - beta * torch.autograd.grad(loss, s)[0]).detach()
        close(mem.s, s)
        close(memory.read(mem, q[t : t + 1])[0], s.T @ F.normalize(q[t], dim=0))


@pytest.mark.parametrize("name", ["torch_recurrent_gated_delta_rule", "torch_chunk_gated_delta_rule"])
@pytest.mark.parametrize("gated", [False, True])
def test_transformers_gated_delta_rule_says_the_same(name, gated):
    modeling = pytest.importorskip("transformers.models.qwen3_next.modeling_qwen3_next")
    q, kv = sequence(2, 3, n=200, d=8, e=8, dtype=torch.float32)
    draw = torch.Generator().manual_seed(1)
    alpha, beta = (torch.rand(2, 3, 200, generator=draw) for _ in range(2))
    alpha = 0.5 + alpha / 2 if gated else torch.ones_like(alpha)

    class Given(torch.nn.Module):
        def __init__(self, gate):
            super().__init__()
            self.gate = gate

        def forward(self, k):
            return self.gate

    memory = GatedDelta(Given(alpha), Given(beta)) if gated else DeltaRule(Given(beta))
    turned = [x.transpose(1, 2) for x in (q, kv.k, kv.v, alpha.log(), beta)]
    want, _ = getattr(modeling, name)(
        *turned, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=True
    )
    close(attend_all(memory, q, kv), want.transpose(1, 2) * 8**0.5, 1e-4)  # they divide q by sqrt(d)


def test_a_state_after_many_pairs_at_once_is_the_state_after_each():
    q, kv = sequence(2, n=100)
    for memory in (DeltaRule(0.5), GatedDelta(0.95, 0.8), GatedDelta(0.0, 1.0)):
        close(memory.update(memory.init(kv), kv).s, states(memory, kv)[-1].s)


def test_the_gru_is_torch_s_gru():
    torch.manual_seed(0)
    cell, whole = torch.nn.GRUCell(7, 7).double(), torch.nn.GRU(7, 7, batch_first=True).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(whole, name + "_l0").data.copy_(getattr(cell, name))
    q, kv = sequence(2)
    want = whole(torch.cat([kv.k, kv.v], -1))[0][..., 4:]
    for form in (outputs, attend_all):
        close(form(Recurrent(cell), q, kv), want)


@pytest.mark.parametrize("cell", [torch.nn.RNNCell(7, 7), torch.nn.GRUCell(7, 7, bias=False)], ids=["rnn", "no bias"])
def test_other_cells_serve_as_well(cell):
    q, kv = sequence(2, 3, dtype=torch.float32)
    close(attend_all(Recurrent(cell), q, kv), outputs(Recurrent(cell), q, kv), 1e-6)


def test_a_gru_shows_its_influence_and_says_so():
    q, kv = sequence(d=4, e=3)
    memory = Recurrent(torch.nn.GRUCell(7, 7).double())
    with pytest.raises(TypeError, match="influence"):
        recipe(memory, kv.k)
    got = influence(memory, kv)
    assert got.shape == (1, T) and got[0, -1] > got[0, 0] > 0  # what came first is felt least


def test_a_key_that_is_bound_again_gives_its_new_value():
    keys = torch.eye(4, dtype=torch.float64).repeat(5, 1)
    values = torch.arange(60, dtype=torch.float64).reshape(20, 3)
    kv = KV(keys, values)
    last = DeltaRule().read(states(DeltaRule(), kv)[-1], keys[:4])
    close(last, values[-4:])
    close(Full().read(states(Full(), kv)[-1], keys[:4] * 1e4), values.reshape(5, 4, 3).mean(0))  # the mean of all


@pytest.mark.parametrize(
    "memory", [LinearAttention(), GatedDelta(0.999, 0.9), DeltaRule()][: 3 if EVERY else 2], ids=str
)
def test_a_long_stream_stays_near_float64(memory):
    n, step = 10**6, 20_000
    draw = torch.Generator().manual_seed(0)
    both = []
    for dtype in (torch.float32, torch.float64):
        draw.manual_seed(0)
        mem = None
        for _ in range(0, n, step):
            k, v = torch.randn(step, 8, generator=draw), torch.rand(step, 4, generator=draw) + 0.5
            kv = KV(k.to(dtype), v.to(dtype))
            mem = memory.update(memory.init(kv) if mem is None else mem, kv)
        both.append(mem.s.double())
    assert (both[0] - both[1]).norm() <= 1e-5 * both[1].norm()


def test_a_gru_stays_near_float64():
    torch.manual_seed(0)
    cell = torch.nn.GRUCell(6, 6)
    x = torch.rand(20_000, 6) + 0.5
    got = [
        attend_all(Recurrent(cell.to(t)), x[:, :3].to(t), KV(x[:, :3].to(t), x[:, 3:].to(t)))[-1].detach().double()
        for t in (torch.float32, torch.float64)
    ]
    assert (got[0] - got[1]).norm() <= 1e-5 * got[1].norm()


def test_the_state_is_as_large_as_a_matrix_and_no_larger():
    _, kv = sequence(n=50, dtype=torch.float32)
    assert state_bytes(states(DeltaRule(), kv)[-1]) == 4 * 3 * 4 + 8
    assert state_bytes(states(LinearAttention(), kv)[-1]) == (4 * 3 + 4) * 8 + 8


def test_keys_of_any_length_write_alike():
    q, kv = sequence()
    close(outputs(DeltaRule(), q, KV(kv.k * 1000, kv.v)), outputs(DeltaRule(), q, kv))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), True, "1", None])
def test_a_gate_outside_its_limits_is_refused(bad):
    for make, words in (
        (DeltaRule, "DeltaRule: beta"),
        (lambda x: GatedDelta(x, 1.0), "GatedDelta: alpha"),
        (lambda x: GatedDelta(1.0, x), "GatedDelta: beta"),
    ):
        with pytest.raises(ValueError, match=f"{words} must be a number from 0 to 1"):
            make(bad)


def test_a_gate_of_another_shape_is_named():
    q, kv = sequence()
    with pytest.raises(ValueError, match=r"DeltaRule: beta must give \[\*b, n\] = \[1\]"):
        outputs(DeltaRule(torch.nn.Linear(4, 1).double()), q, kv)


def test_a_cell_of_another_width_or_kind_is_refused():
    _, kv = sequence()
    with pytest.raises(ValueError, match="cell.input_size must be 7, the widths of a key and a value together, got 8"):
        Recurrent(torch.nn.GRUCell(8, 7)).init(kv)
    with pytest.raises(TypeError, match="cell must be a torch module"):
        Recurrent(lambda x, h: h)


def test_a_learned_gate_begins_open_and_has_gradients():
    gate = Gate(4, open=0.8)
    q, kv = sequence(dtype=torch.float32)
    close(gate(kv.k), torch.full((T,), 0.8), 1e-6)
    attend_all(GatedDelta(gate, 1.0), q, kv).sum().backward()
    assert gate.linear.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="Gate: open must be between 0 and 1"):
        Gate(4, open=1.0)


def test_a_gate_keeps_its_digits_in_short_floats():
    k = torch.randn(3, 6)
    assert (Gate(6, 0.999)(k.bfloat16()) < 0.9995).all()
    with torch.autocast("cpu", torch.bfloat16):
        close(Gate(6, 0.99)(k), torch.full((3,), 0.99), 1e-6)


def test_a_network_s_state_is_not_rounded_to_the_pairs_dtype():
    cell = torch.nn.GRUCell(2, 2)
    for p in cell.parameters():
        p.data.zero_()
    cell.bias_ih.data[2:4], cell.weight_ih.data[4:6] = 7.0, torch.eye(2)
    k = torch.ones(4000, 1).bfloat16()
    at_once, steps = attend_all(Recurrent(cell), k, KV(k, k)), outputs(Recurrent(cell), k, KV(k, k))
    close(at_once[-1], steps[-1], 1e-2)


def test_small_features_are_not_swallowed():
    k = torch.full((50, 8), -18.0)
    kv = KV(k, torch.randn(50, 8))
    close(attend_all(LinearAttention(), k, kv), outputs(LinearAttention(), k, kv), 1e-5)


def test_a_cell_under_vmap_and_with_hooks_is_walked():
    q, kv = sequence(3, dtype=torch.float32)
    memory, seen = Recurrent(torch.nn.GRUCell(7, 7)), []
    got = torch.func.vmap(lambda q, k, v: attend_all(memory, q, KV(k, v)))(q, kv.k, kv.v)
    close(got, attend_all(memory, q, kv), 1e-5)
    memory.cell.register_forward_hook(lambda *_: seen.append(1))
    attend_all(memory, q, kv)
    assert len(seen) == T
