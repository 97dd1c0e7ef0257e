"""The averages: their closed forms, pandas, pooling in torch, a million steps, and what they refuse."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from memlib import (
    KV,
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    LinearAttention,
    MovingAverage,
    Positive,
    Recurrent,
    WeightedAverage,
    attend_all,
    outputs,
    recipe,
    state_bytes,
    states,
    view,
)
from memlib.fast.averages import running
from memlib.replay import walked

T = 12


def sequence(*lead, n=T, d=4, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(*lead, n, d, generator=draw, dtype=dtype) + 1 for _ in range(3))
    return q, KV(k, v)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def moving_row(t, n=4):
    return torch.tensor([1.0 / min(n, t + 1) if t - n < i <= t else 0.0 for i in range(T)], dtype=torch.float64)


def weighted_row(t, beta=(1.0, 0.0, 2.0, 3.0)):
    row = torch.zeros(T, dtype=torch.float64)
    for back, weight in enumerate(reversed(beta)):
        if t - back >= 0:
            row[t - back] = weight
    return row / row.sum()


def cumulative_row(t):
    return torch.tensor([1.0 / (t + 1) if i <= t else 0.0 for i in range(T)], dtype=torch.float64)


def exponential_row(t, g=0.2):
    row = [(1 - g) ** t if i == 0 else g * (1 - g) ** (t - i) if i <= t else 0.0 for i in range(T)]
    return torch.tensor(row, dtype=torch.float64)


CLOSED = [
    (MovingAverage(4), moving_row),
    (WeightedAverage([1.0, 0.0, 2.0, 3.0]), weighted_row),
    (CumulativeAverage(), cumulative_row),
    (ExponentialAverage(0.2), exponential_row),
]
EACH = pytest.mark.parametrize("memory, row", CLOSED, ids=[type(m).__name__ for m, _ in CLOSED])


@EACH
def test_its_recipe_is_one_row_of_weights_that_sum_to_one(memory, row):
    for t, got in enumerate(recipe(memory, sequence()[1].k)):
        assert got.shape == (1, T)
        close(got[0], row(t))
        close(got.sum(), torch.tensor(1.0, dtype=torch.float64))


@EACH
def test_with_one_slot_every_query_reads_the_same_and_the_key_is_dead_weight(memory, row):
    q, kv = sequence()
    mem = states(memory, kv)[-1]
    out = memory.read(mem, 100 * q)
    assert torch.equal(out, memory.slots(mem).v.expand_as(out))
    close(view(memory, q, kv.k), torch.stack([row(t) for t in range(T)]))
    close(outputs(memory, q, KV(kv.k * 7 - 2, kv.v)), outputs(memory, q, kv))


@EACH
def test_keys_are_averaged_like_values(memory, row):
    _, kv = sequence()
    for t, mem in enumerate(states(memory, kv)):
        close(memory.slots(mem).k[0], row(t) @ kv.k)


@pytest.mark.parametrize(
    "memory, theirs",
    [
        (MovingAverage(4), lambda x: x.rolling(4, min_periods=1).mean()),
        (MovingAverage(40), lambda x: x.rolling(40, min_periods=1).mean()),
        (CumulativeAverage(), lambda x: x.expanding().mean()),
        (ExponentialAverage(0.3), lambda x: x.ewm(alpha=0.3, adjust=False).mean()),
        (ExponentialAverage(1.0), lambda x: x.ewm(alpha=1.0, adjust=False).mean()),
    ],
    ids=lambda x: repr(x) if hasattr(x, "segment") else "",
)
def test_pandas_says_the_same(memory, theirs):
    q, kv = sequence(n=300)
    want = torch.tensor(theirs(pd.DataFrame(kv.v.numpy())).to_numpy())
    for form in (outputs, attend_all):
        close(form(memory, q, kv), want)


def test_a_full_window_is_torch_s_average_pool():
    q, kv = sequence(n=50)
    want = F.avg_pool1d(kv.v.T[None], 5, stride=1)[0].T
    close(attend_all(MovingAverage(5), q, kv)[4:], want)


def test_equal_weights_are_the_moving_average():
    q, kv = sequence(2, n=400)
    for form in (outputs, attend_all):
        close(form(WeightedAverage([2.0] * 130), q, kv), form(MovingAverage(130), q, kv))


def test_the_last_weight_belongs_to_the_current_pair():
    q, kv = sequence()
    close(outputs(WeightedAverage([0.0, 0.0, 1.0]), q, kv), kv.v)
    close(outputs(WeightedAverage([1.0, 0.0, 1e-300]), q, kv)[2:], kv.v[:-2])


def test_learned_weights_stay_positive_and_are_moved_by_training():
    weights = Positive(3).double()
    memory = WeightedAverage(weights)
    close(weights(), torch.ones(3, dtype=torch.float64), 1e-6)
    q, kv = sequence(n=60)
    optimizer = torch.optim.Adam(weights.parameters(), lr=0.3)
    for _ in range(150):  # the newest pair alone is right
        loss = (attend_all(memory, q, kv) - kv.v).square().mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    got = weights().detach()
    assert (got > 0).all() and got[2] > 20 * got[:2].max()


def test_what_is_kept_is_more_than_what_is_read():
    _, kv = sequence(n=50)
    pair, wide_pair = 2 * 4 * 8, 2 * 4 * 8
    for memory, kept in (
        (MovingAverage(8), 8 * pair),
        (WeightedAverage([1.0] * 8), 8 * pair),
        (CumulativeAverage(), wide_pair + 8),
        (ExponentialAverage(0.1), wide_pair + 8),
    ):
        mem = states(memory, kv)[-1]
        assert memory.slots(mem).n == 1 and state_bytes(mem) == kept, memory


@pytest.mark.parametrize("memory", [CumulativeAverage(), ExponentialAverage(1e-4), MovingAverage(1000)], ids=str)
def test_a_million_steps_stay_within_four_ulp(memory):
    n, chunk = 10**6, 250
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.99  # a mean that does not cancel
    kv = KV(x, x)
    mem = memory.init(kv)
    for t in range(0, n, chunk):
        mem = memory.update(mem, kv[t : t + chunk])
    got = memory.slots(mem).v[0].double()
    frame = pd.DataFrame(x.double().numpy())
    if isinstance(memory, MovingAverage):
        want = frame.iloc[-1000:].mean()
    elif isinstance(memory, CumulativeAverage):
        want = frame.mean()
    else:
        want = frame.ewm(alpha=1e-4, adjust=False).mean().iloc[-1]
    want = torch.tensor(want.to_numpy())
    assert ((got - want).abs() <= 4 * torch.finfo(torch.float32).eps * want).all()
    at_once = attend_all(memory, kv.k[:, :1].expand(n, 2), kv)[-1].double()
    assert ((at_once - want).abs() <= 4 * torch.finfo(torch.float32).eps * want).all()


def test_the_recursion_as_it_is_written_drifts_in_bfloat16():
    x = torch.full((8192,), 0.99, dtype=torch.bfloat16)
    mem = torch.zeros((), dtype=torch.bfloat16)
    for i in range(8192):
        mem = (x[i] + i * mem) / (i + 1)
    kv = KV(x[:, None], x[:, None])
    right = CumulativeAverage().slots(CumulativeAverage().update(CumulativeAverage().init(kv), kv)).v
    assert abs(mem.item() - 0.99) > 0.3 and abs(right.item() - 0.99) < 0.005


@pytest.mark.parametrize("n", [1, 15, 16, 17, 300])
def test_running_sums_are_running_sums(n):
    x = sequence(2, n=n)[1].v.float()
    close(running(x).double(), x.double().cumsum(-2), 1e-6)


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "4", None])
def test_a_size_that_is_no_whole_number_is_refused(bad):
    with pytest.raises(ValueError, match="MovingAverage: size must be a whole number >= 1, got"):
        MovingAverage(bad)
    with pytest.raises(ValueError, match="Positive: size must be"):
        Positive(bad)


@pytest.mark.parametrize("bad", [0, -0.1, 1.1, float("nan"), True, "0.5", None])
def test_a_rate_outside_its_limits_is_refused(bad):
    with pytest.raises(ValueError, match="ExponentialAverage: rate must be a number with 0 < rate <= 1, got"):
        ExponentialAverage(bad)


@pytest.mark.parametrize(
    "bad, words",
    [
        ([], "n >= 1"),
        ([[1.0]], "weights must be numbers"),
        ([1.0, -1.0, 2.0], "got -1 at place 1"),
        ([1.0, 0.0], "the last > 0, got 0 at place 1"),
        ([1.0, float("inf")], "got inf at place 1"),
        (torch.tensor([1, 2]), "of int64"),
        (["1", "x"], "weights must be numbers"),
        (torch.ones(2, 2), "floats \\[n\\]"),
        (3.0, "weights must be"),
    ],
    ids=str,
)
def test_weights_that_cannot_be_are_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        WeightedAverage(bad)


def test_an_outlier_that_has_left_leaves_nothing_behind():
    v = torch.ones(20, 1)
    v[0] = 1e8
    assert torch.equal(attend_all(MovingAverage(4), v, KV(v, v))[4:], torch.ones(16, 1))


def test_half_precision_weights_are_divided_before_they_are_rounded():
    x = torch.ones(5, 1).half()
    for weights in ([1e-8, 1e-8], [1e5, 1e5]):
        for form in (outputs, attend_all):
            assert torch.equal(form(WeightedAverage(weights), x, KV(x, x)), x)


EVERY = [*(m for m, _ in CLOSED), DeltaRule(), LinearAttention(), Recurrent(torch.nn.GRUCell(8, 8).double())]


@pytest.mark.parametrize("memory", EVERY, ids=lambda m: type(m).__name__)
def test_no_pairs_and_no_queries_are_no_trouble(memory):
    q, kv = sequence()
    mem = states(memory, kv)[-1]
    assert attend_all(memory, q[:0], kv[:0]).shape == (0, 4) == attend_all(memory, q[:0], kv[:0], mem).shape
    assert memory.read(mem, q[:0]).shape == (0, 4)
    assert torch.equal(memory.slots(memory.update(mem, kv[:0])).v, memory.slots(mem).v)


@pytest.mark.parametrize("memory", EVERY, ids=lambda m: type(m).__name__)
def test_queries_and_pairs_of_another_shape_are_refused_in_mid_stream(memory):
    q, kv = sequence()
    mem = states(memory, kv)[-1]
    for bad in (torch.ones(3, 4).long(), q[:, :2], q.expand(3, T, 4)):
        with pytest.raises(ValueError, match="q must be"):
            memory.read(mem, bad)
    more = sequence(3)[1]
    with pytest.raises(ValueError, match="new must be pairs like the old ones"):
        attend_all(memory, sequence(3)[0], more, mem)


def test_a_state_in_another_dtype_goes_on():
    from memlib import state as st

    _, kv = sequence(dtype=torch.float32)
    for memory in (ExponentialAverage(0.1), CumulativeAverage(), DeltaRule(), LinearAttention()):
        mem = st.to(states(memory, kv)[-1], dtype=torch.bfloat16)
        half = KV(kv.k.bfloat16(), kv.v.bfloat16())
        assert memory.slots(memory.update(mem, half)).v.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "memory",
    [MovingAverage(4), WeightedAverage([1.0, 0.0, 2.0]), CumulativeAverage(), ExponentialAverage(0.2)],
    ids=str,
)
def test_log_sum_exps_of_a_whole_sequence_are_those_of_the_steps(memory, dtype):
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 40, width, generator=draw).to(dtype) for width in (5, 5, 3))
    kv, mem = KV(k, v), memory.update(memory.init(KV(k, v)), KV(k, v))
    for begun in (None, mem):
        got, want = attend_all(memory, q, kv, begun, lse=True), walked(memory, q, kv, begun, lse=True)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == b.dtype
            torch.testing.assert_close(a, b, rtol=1e-12 if dtype == torch.float64 else 1e-2, atol=1e-12)
    with pytest.raises(ValueError, match="q must be"):
        attend_all(memory, q.float() if dtype != torch.float32 else q.double(), kv, lse=True)
