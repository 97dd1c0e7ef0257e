"""What every memory owes, on every memory there is."""

import pytest
import torch
from examples import EXEMPT, MEMORIES, UNLIMITED, WIDTH

from memlib import KV, Full, attend, attend_all, outputs, state_bytes, states
from memlib import state as st
from memlib.holding import modules
from memlib.replay import walk

T, (D, E) = 11, WIDTH
DEVICES = (
    ["cpu"] + (["cuda"] if torch.cuda.is_available() else []) + (["mps"] if torch.backends.mps.is_available() else [])
)


def sequence(*lead, n=T, dtype=torch.float64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(*lead, n, D, generator=draw, dtype=dtype) for _ in range(2))
    return q, KV(k, torch.randn(*lead, n, E, generator=draw, dtype=dtype) + 1)  # a mean shows drift


def law(name):
    left_out = EXEMPT.get(name, {})
    return pytest.mark.parametrize("make", [pytest.param(m, id=i) for i, m in MEMORIES.items() if i not in left_out])


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def last(memory, kv, q=None):
    return states(memory, kv, q if memory.needs_queries else None)[-1]


def test_an_exemption_names_a_memory_that_exists_and_a_reason():
    for law_name, left_out in EXEMPT.items():
        for memory, reason in left_out.items():
            assert memory in MEMORIES and len(reason) > 20, (law_name, memory)


@law("chunks")
def test_a_chunk_at_once_is_the_same_as_its_pairs_one_by_one(make):
    memory, (q, kv) = make(), sequence(2)
    assert memory.chunkable
    for cut in (1, 3, T - 1):
        mem = memory.init(kv)
        for part, q_part in ((kv[:cut], q[:, :cut]), (kv[cut:], q[:, cut:])):
            mem = memory.update(mem, part, q_part)
        close(memory.slots(mem).v, memory.slots(last(memory, kv, q)).v)
        close(memory.slots(mem).k, memory.slots(last(memory, kv, q)).k)


@law("future")
def test_the_future_does_not_matter(make):
    memory, (q, kv) = make(), sequence()
    short = outputs(memory, q[:6], kv[:6])
    close(outputs(memory, q, kv)[:6], short)
    close(attend_all(memory, q, kv)[:6], short)


@law("rows")
def test_rows_of_a_batch_and_heads_do_not_mix(make):
    memory, (q, kv) = make(), sequence(2, 3)
    together = outputs(memory, q, kv)
    for b in range(2):
        for h in range(3):
            close(together[b, h], outputs(memory, q[b, h], KV(kv.k[b, h], kv.v[b, h])))


@law("order")
def test_attention_does_not_care_in_which_order_the_slots_stand(make):
    memory, (q, kv) = make(), sequence()
    slots = memory.slots(last(memory, kv, q))
    close(
        attend(q, slots[torch.randperm(slots.n, generator=torch.Generator().manual_seed(1))]),
        attend(q, slots),
    )


@law("read")
def test_a_read_is_attention_over_the_slots(make):
    memory, (q, kv) = make(), sequence(2)
    mem = last(memory, kv, q)
    assert memory.softmax
    out, lse = memory.read(mem, q, lse=True)
    want, want_lse = attend(q, memory.slots(mem), lse=True)
    close(out, want), close(lse, want_lse), close(memory.read(mem, q), want)


@law("new")
def test_new_pairs_are_read_causally_behind_the_slots(make):
    memory, (q, kv) = make(), sequence(2)
    mem = last(memory, kv[:6], q[:, :6])
    got = memory.read(mem, q[:, 6:], new=kv[6:])
    slots = memory.slots(mem)
    for i in range(T - 6):
        seen = Full().update(slots, kv[6 : 7 + i])
        close(got[:, i : i + 1], attend(q[:, 6 + i : 7 + i], seen))


@law("hull")
def test_outputs_stay_in_the_hull_of_the_values(make):
    memory, (q, kv) = make(), sequence()
    assert memory.convex
    out = outputs(memory, q, kv)
    some = out.any(-1)  # an empty read is 0
    assert some[4:].all()
    out = out[some]
    assert (out <= kv.v.max(0).values + 1e-12).all() and (out >= kv.v.min(0).values - 1e-12).all()


@law("bounded")
def test_the_state_stays_bounded_for_ever(make):
    memory = make()
    assert memory.bounded
    q, kv = sequence(n=300)
    sizes = [state_bytes(mem) for mem in states(memory, kv, q if memory.needs_queries else None)]
    third = len(sizes) // 3  # a state a token, or a segment
    assert max(sizes[third:]) == max(sizes[-third:])


@law("values")
def test_old_states_are_left_as_they_were(make):
    memory, (q, kv) = make(), sequence()
    seen = [(mem, memory.slots(mem).k.clone(), memory.slots(mem).v.clone()) for mem, _ in walk(memory, q, kv)]
    for mem, k, v in seen:
        assert torch.equal(memory.slots(mem).k, k) and torch.equal(memory.slots(mem).v, v)


@law("branches")
def test_one_state_can_be_continued_twice(make):
    memory, (q, kv) = make(), sequence()
    mem = last(memory, kv[:6], q[:6])
    once, twice = (memory.update(mem, part, q[6:8]) for part in (kv[6:8], kv[8:10]))
    fresh = memory.update(last(memory, kv[:6], q[:6]), kv[6:8], q[6:8])
    assert torch.equal(memory.slots(once).v, memory.slots(fresh).v)
    assert not torch.equal(memory.slots(once).v, memory.slots(twice).v)


@law("save")
def test_a_saved_state_comes_back_bit_by_bit(make, tmp_path):
    memory, (q, kv) = make(), sequence(2, dtype=torch.float32)
    mem = last(memory, kv, q)
    st.save(mem, tmp_path / "state.safetensors")
    back = st.load(tmp_path / "state.safetensors", memory.init(kv))
    plain = [[(n, x.tolist() if isinstance(x, torch.Tensor) else x) for n, x in st.leaves(m)] for m in (back, mem)]
    assert plain[0] == plain[1]
    assert torch.equal(memory.read(back, q[:, -1:]), memory.read(mem, q[:, -1:]))


@law("dtype")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_dtype_and_device_are_kept(make, dtype, device):
    if device == "mps" and dtype == torch.float64:
        return  # the device has no float64
    memory, (q, kv) = make(), sequence(2)
    q, kv = q.to(device, dtype), st.to(kv, device, dtype)
    out = outputs(memory, q, kv)
    assert out.dtype == dtype and out.device.type == device
    assert all(x.device.type == device for _, x in st.leaves(last(memory, kv, q)) if isinstance(x, torch.Tensor))
    tol = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}[dtype]
    close(out.double().cpu(), outputs(memory, q.double().cpu(), st.to(kv, "cpu", torch.float64)), tol)


@law("unlimited")
def test_without_a_limit_it_is_full_attention(make):
    name = next(n for n, m in MEMORIES.items() if m is make)
    q, kv = sequence(2)
    close(outputs(UNLIMITED[name](), q, kv), attend_all(Full(), q, kv))


@law("attend_all")
def test_all_positions_at_once_equal_the_replay(make):
    memory, (q, kv) = make(), sequence(2, n=300)
    close(attend_all(memory, q, kv), outputs(memory, q, kv))
    for cut in (1, 7, 150):
        mem = last(memory, kv[:cut], q[:, :cut])
        close(attend_all(memory, q[:, cut:], kv[cut:], mem), outputs(memory, q, kv)[:, cut:])


@law("gradient")
def test_gradients_of_both_forms_agree(make):
    memory, (q, kv) = make(), sequence(n=9)
    grads = []
    for form in (outputs, attend_all):
        leaf = [x.clone().requires_grad_() for x in (q, kv.k, kv.v)]
        parts = [p for part in modules(memory) for p in part.parameters()]
        form(memory, leaf[0], KV(*leaf[1:])).square().sum().backward()
        grads.append([torch.zeros_like(x) if x.grad is None else x.grad.clone() for x in [*leaf, *parts]])
        for part in parts:
            part.grad = None
    for a, b in zip(*grads, strict=True):
        close(a, b)


@law("bias")
def test_a_bias_on_the_scores_counts_in_both_forms(make):
    memory, (q, kv) = make(), sequence(2, n=20)
    kv = KV(kv.k, kv.v, torch.linspace(-2, 2, 20, dtype=torch.float64).expand(2, 20))
    close(attend_all(memory, q, kv), outputs(memory, q, kv))
    assert (outputs(memory, q, kv) - outputs(memory, q, KV(kv.k, kv.v))).abs().max() > 1e-3 or memory_of_one(memory)


@pytest.mark.parametrize("name", EXEMPT["bias"])
def test_a_bias_that_could_not_be_honoured_is_refused(name):
    memory, (q, kv) = MEMORIES[name](), sequence()
    biased = KV(kv.k, kv.v, torch.zeros(T, dtype=torch.float64))
    for form in (outputs, attend_all):
        with pytest.raises(ValueError, match="without a bias"):
            form(memory, q, biased)


def memory_of_one(memory):
    return getattr(memory, "size", 2) == 1


@law("forward")
def test_forward_and_backward_derivatives_agree(make):
    memory, (q, kv) = make(), sequence(n=7)

    def read(v):
        return outputs(memory, q, KV(kv.k, v))

    close(torch.func.jacfwd(read)(kv.v), torch.func.jacrev(read)(kv.v))


@law("leak")
def test_a_long_stream_without_gradients_holds_no_graph(make):
    memory, (q, kv) = make(), sequence(n=40)
    with torch.set_grad_enabled(not modules(memory)):  # parts to be learned have a history, unless it is refused
        mem = last(memory, kv, q)
    for _, x in st.leaves(mem):
        assert not isinstance(x, torch.Tensor) or x.grad_fn is None


@law("empty")
def test_an_empty_memory_reads_nothing(make):
    memory, (q, kv) = make(), sequence(2)
    out = memory.read(memory.init(kv), q)
    assert out.shape == (2, T, E) and not out.any()
    if getattr(memory, "merges", memory.softmax):
        assert (memory.read(memory.init(kv), q, lse=True)[1] == -torch.inf).all()
    else:
        with pytest.raises(ValueError, match="lse must be False"):
            memory.read(memory.init(kv), q, lse=True)
    assert memory.slots(memory.init(kv)).n == 0 and outputs(memory, q[:, :0], kv[:0]).shape == (2, 0, E)


@law("input")
def test_bad_input_is_named(make):
    memory, (q, kv) = make(), sequence()
    with pytest.raises(ValueError, match="append: new must be"):
        memory.update(last(memory, kv, q), sequence(2)[1], q)
    with pytest.raises(ValueError, match=r"k must be finite, got nan at position \[3, 1\]"):
        bad = kv.k.clone()
        bad[3, 1] = torch.nan
        outputs(memory, q, KV(bad, kv.v))
    with pytest.raises(ValueError, match="one query for each pair"):
        outputs(memory, q[:5], kv)


@law("repr")
def test_the_repr_of_a_memory_is_what_one_would_type(make):
    assert repr(eval(repr(make()), vars(__import__("memlib")))) == repr(make())


def test_a_law_about_the_slots_runs_exactly_where_a_memory_promises_it():
    promised = {"read": "softmax", "new": "softmax", "hull": "convex", "bounded": "bounded"}
    for law_name, promise in promised.items():
        for name, make in MEMORIES.items():
            assert getattr(make(), promise) != (name in EXEMPT[law_name]), (law_name, name)
