"""The means that are written in place: against float64, for any length and size, from a past, a million places."""

import pytest
import torch
import torch.nn.functional as F

from memlib import KV, CumulativeAverage, MovingAverage, WeightedAverage, attend_all
from memlib.fast import averages, means

EPS = torch.finfo(torch.float32).eps
LENGTHS = [1, 2, 31, 32, 33, 100, 200]


@pytest.fixture(params=[4096, 64], ids=["one piece", "pieces of 64"])
def piece(request, monkeypatch):
    monkeypatch.setattr(means, "PIECE", request.param)


def draw(*sizes, dtype=torch.float32):
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(0), dtype=dtype) + 3


def slow(v, weights, n):
    """Each mean by itself in float64."""
    v, weights, found = v.double(), weights.double(), []
    for end in range(v.shape[-2] - n + 1, v.shape[-2] + 1):
        x = v[..., max(end - len(weights), 0) : end, :]
        found.append((weights[-x.shape[-2] :, None] * x).sum(-2) / weights[-x.shape[-2] :].sum())
    return torch.stack(found, -2)


def right(got, want, ulp=4):
    assert got.shape == want.shape
    tol = ulp * EPS if got.dtype == torch.float32 else 1e-14
    assert ((got - want).abs() <= tol * want.abs().clamp(min=1)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (40,), (0,)], ids=str)
@pytest.mark.parametrize("n", LENGTHS)
def test_each_mean_is_the_one_in_float64(piece, n, lead, dtype):
    v = draw(*lead, n, 3, dtype=dtype)
    right(means.cumulative(v), slow(v, torch.ones(n), n))
    for size in (1, 2, 3, 7, 8, 64, 150, 512):
        right(means.moving(v, size, n), slow(v, torch.ones(size), n))
    for size in (1, 2, 5, 40, 300):
        weights = torch.linspace(0.1, 1, size, dtype=dtype)
        right(means.weighted(v, weights, n), slow(v, weights, n), 8)


@pytest.mark.parametrize("past", [1, 5, 64, 190])
def test_a_past_counts_and_gets_no_output(piece, past):
    v, n = draw(2, 200, 3), 200 - past
    sums = v[:, :past].double().sum(-2, keepdim=True)
    right(means.cumulative(v[:, past:], sums, past), slow(v, torch.ones(200), n))
    for size in (1, 3, 64, 150, 512):
        right(means.moving(v, size, n), slow(v, torch.ones(size), n))
        weights = torch.linspace(0.1, 1, size)
        right(means.weighted(v, weights, n), slow(v, weights, n), 8)


def test_heads_that_lie_between_the_tokens_are_read_where_they_are(piece):
    v = draw(2, 100, 4, 3).transpose(1, 2)
    kept = v.clone()
    right(means.cumulative(v), slow(v, torch.ones(100), 100))
    right(means.moving(v, 7, 100), slow(v, torch.ones(7), 100))
    right(means.weighted(v, torch.ones(7), 100), slow(v, torch.ones(7), 100), 8)
    assert torch.equal(v, kept)


def test_a_million_places_are_right_to_a_few_last_places_of_float32():
    v = 1 + 1e-3 * torch.rand(10**6, 1, generator=torch.Generator().manual_seed(0))
    sums, places = v.double().cumsum(0), torch.arange(1, 10**6 + 1)[:, None]
    right(means.cumulative(v), sums / places, 3)
    for size in (3, 511, 512, 5000, 100_000):
        want = (sums - F.pad(sums, (0, 0, size, 0))[: 10**6]) / places.clamp(max=size)
        right(means.moving(v, size, 10**6), want, 3)


@pytest.mark.parametrize("size", [1, 6, 512, 700])
def test_an_outlier_that_has_left_a_long_window_leaves_nothing_behind(size):
    v = draw(9000, 1)
    without = means.moving(v, size, 9000)
    v[4090] = 1e8
    with_it = means.moving(v, size, 9000)
    assert torch.equal(with_it[4090 + size :], without[4090 + size :]) and with_it[4089 + size] > 1e5


@pytest.mark.parametrize(
    "memory", [CumulativeAverage(), MovingAverage(100), WeightedAverage([1.0, 2.0, 3.0])], ids=repr
)
def test_autograd_takes_the_other_form_and_finds_the_same(memory, monkeypatch):
    monkeypatch.setattr(averages, "MANY", 0)
    q, v = torch.zeros(2, 300, 3), draw(2, 300, 3)
    quick = attend_all(memory, q, KV(q, v))
    seen = attend_all(memory, q, KV(q, v.clone().requires_grad_()))
    assert seen.requires_grad and not quick.requires_grad
    torch.testing.assert_close(quick, seen.detach(), rtol=2e-6, atol=1e-6)
    (grown,) = torch.func.jvp(lambda v: attend_all(memory, q, KV(q, v)), (v,), (torch.ones_like(v),))[1:]
    torch.testing.assert_close(grown, torch.ones_like(v))
