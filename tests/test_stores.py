"""The exact store: against faiss, at its edges, and where rounding would hide a key."""

import faiss
import pytest
import torch

from memlib import KNN, KV, attend_all, stores
from memlib.stores import METRICS, Exact, exact, nearest

INDEX = {"inner product": faiss.IndexFlatIP, "dist2": faiss.IndexFlatL2}


def pairs(n, dim=16, seed=0, dtype=torch.float32):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, dim, generator=draw, dtype=dtype) for _ in range(2)]


def filled(n, dim=16, metric="inner product", **kind):
    store = stores.open(":memory:", dim=dim, metric=metric)
    store.add(*pairs(n, dim, **kind))
    return store


def in_float64(q, keys, k, metric):
    """All scores, sorted: what is right."""
    q, keys = q.double(), keys.double()
    scores = q @ keys.T if metric == "inner product" else (q[:, None] - keys).square().sum(-1)
    found = scores.sort(-1, descending=metric == "inner product")
    return found.values[:, :k], found.indices[:, :k]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n, queries, k", [(50, 7, 5), (50, 3, 50), (20_000, 9, 32), (40_001, 2, 10), (9_000, 300, 1)])
def test_it_finds_what_faiss_finds(metric, n, queries, k):
    (keys, values), (q, _) = pairs(n), pairs(queries, seed=1)
    store = Exact(16, metric)
    store.add(keys, values)
    index = INDEX[metric](16)
    index.add(keys.numpy())
    want, at = (torch.from_numpy(x) for x in index.search(q.numpy(), k))
    scores, ids = store.search(q, k)
    torch.testing.assert_close(scores, want, rtol=1e-4, atol=1e-4)
    assert (ids == at).double().mean() > 0.99  # two that are all but equal may change places
    assert torch.equal(store.pairs(ids).k, keys[ids]) and torch.equal(store.pairs(ids).v, values[ids])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [4096 * 3, 4096 * 3 + 1, 4096 * 4 - 1, 4096 * 2 + 9, 5000])
def test_both_passes_find_the_same_as_one(metric, n, monkeypatch):
    keys, q = pairs(n, dtype=torch.float64)[0], pairs(20, seed=1, dtype=torch.float64)[0]
    monkeypatch.setattr(exact, "SMALL", 0)
    for some in (q, q[:2]):  # in groups, and in groups of one
        scores, ids = nearest(some, keys, 12, metric)
        want, at = in_float64(some, keys, 12, metric)
        assert torch.equal(ids, at)
        torch.testing.assert_close(scores, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_keys_far_from_zero_are_told_apart_though_the_first_pass_cannot(metric, monkeypatch):
    monkeypatch.setattr(exact, "SMALL", 0)
    draw = torch.Generator().manual_seed(3)
    keys = 1000 + torch.randn(20_000, 8, generator=draw)  # q.k is about 8 million: float32 is right to 0.5 there
    q = 1000 + torch.randn(6, 8, generator=draw)
    want, _ = in_float64(q, keys, 5, metric)
    scores, ids = nearest(q, keys, 5, metric)
    _, of = in_float64(q, keys, len(keys), metric)
    ranks = (of[:, :, None] == ids[:, None]).double().argmax(1)
    assert torch.equal(ranks, torch.arange(5).expand(6, 5))
    torch.testing.assert_close(scores.double(), want, rtol=1e-5, atol=0)


def test_many_equal_keys_give_as_many_different_ids():
    store = Exact(4)
    store.add(torch.ones(30_000, 4), torch.zeros(30_000, 1))
    scores, ids = store.search(torch.ones(6, 4), 8)
    assert torch.equal(scores, torch.full((6, 8), 4.0))
    assert all(len(set(row)) == 8 and 0 <= min(row) <= max(row) < 30_000 for row in ids.tolist())


def test_one_key_at_a_time_or_all_at_once():
    keys, values = pairs(300)
    store = Exact(16, "dist2")
    q = pairs(4, seed=2)[0]
    for t in range(300):
        store.add(keys[t : t + 1], values[t : t + 1])
        if t in (0, 7, 150):
            assert torch.equal(store.search(q, 1)[1][:, 0], in_float64(q, keys[: t + 1], 1, "dist2")[1][:, 0])
    assert store.n == 300 and torch.equal(store.search(q, 9)[1], filled(300, metric="dist2").search(q, 9)[1])


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("metric", METRICS)
def test_a_store_that_grows_between_searches_finds_what_a_fresh_one_finds(metric, passes, monkeypatch):
    monkeypatch.setattr(exact, "SMALL", exact.SMALL if passes == 1 else 0)
    (keys, values), store, n = pairs(9000), Exact(16, metric), 0
    keys *= torch.linspace(0.5, 3, 9000)[:, None]  # of all lengths, so that a length that is not its own shows
    for size in (1, 3, 500, 1, 4096, 7, 4392):
        store.add(keys[n : n + size], values[n : n + size])
        n += size
        for queries in (2, 9):
            q = pairs(queries, seed=n)[0]
            scores, ids = store.search(q, 5)
            want, places = in_float64(q, keys[:n], 5, metric)
            assert torch.equal(ids, places)
            torch.testing.assert_close(scores, want.float(), rtol=1e-5, atol=1e-4)
            assert torch.equal(store.pairs(ids).v, values[ids]) and torch.equal(store.pairs(ids).k, keys[ids])


def test_more_than_there_are_gives_all_and_none_gives_none():
    store, q = Exact(16), pairs(5, seed=1)[0]
    scores, ids = store.search(q, 3)
    assert store.n == 0 and scores.shape == ids.shape == (5, 0) and ids.dtype == torch.int64
    store.add(*pairs(2))
    scores, ids = store.search(q, 3)
    assert ids.shape == (5, 2) and ids.sort(-1).values.tolist() == [[0, 1]] * 5
    assert (scores[:, 0] >= scores[:, 1]).all()
    assert store.search(q[0], 1)[1].shape == (1,) and store.search(q[:4].view(2, 2, 16), 2)[1].shape == (2, 2, 2)
    assert store.search(q[:0], 2)[0].shape == (0, 2)


@pytest.mark.parametrize("n", [0, 5, 20_000])
@pytest.mark.parametrize("metric", METRICS)
def test_nothing_asked_is_nothing_found(n, metric):
    store = Exact(16, metric)
    for pairs_in in (pairs(0), pairs(n)):
        store.add(*pairs_in)
        for shape in ((0,), (0, 3), (3, 0)):
            scores, ids = store.search(torch.zeros(*shape, 16), 4)
            found = store.pairs(ids)
            assert scores.shape == ids.shape == (*shape, min(4, store.n)) and ids.dtype == torch.int64
            assert found.k.shape == found.v.shape == (*ids.shape, 16)
            read = attend_all(
                KNN(4, store=store), torch.zeros(*shape[:1], 0, 16), KV(*torch.zeros(2, *shape[:1], 0, 16))
            )
            assert read.shape == (*shape[:1], 0, 16)
    assert store.pairs(torch.empty(0, dtype=torch.int64)).v.shape == (0, 16)


def test_of_an_empty_store_nothing_is_found():
    store = Exact(16)
    scores, ids = store.search(torch.zeros(2, 16), 3)
    assert scores.shape == (2, 0) and store.pairs(ids).n == 0
    with pytest.raises(IndexError, match="ids must be from 0 to -1, got"):
        store.pairs(torch.tensor([0]))


def test_distances_are_squared_and_smallest_first():
    store = Exact(2, "dist2")
    store.add(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.zeros(2, 1))
    assert store.search(torch.zeros(2), 2)[0].tolist() == [1, 25]


def test_what_went_in_is_not_changed_by_what_is_done_outside():
    keys, values = pairs(3)
    store = Exact(16)
    store.add(keys.requires_grad_(), values)
    kept = store.pairs(torch.arange(3)).k.clone()
    keys.data.zero_()
    assert torch.equal(store.pairs(torch.arange(3)).k, kept) and not store.pairs(torch.arange(3)).k.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_are_kept_and_scored_in_float32_at_least(dtype):
    store = filled(40, dtype=dtype)
    q = pairs(3, seed=1, dtype=dtype)[0]
    scores, ids = store.search(q, 4)
    assert scores.dtype == torch.promote_types(dtype, torch.float32) and store.pairs(ids).k.dtype == dtype
    assert torch.equal(ids, in_float64(q, store.pairs(torch.arange(40)).k, 4, "inner product")[1])


def test_bad_input_is_named():
    store = filled(4)
    with pytest.raises(ValueError, match=r"add: keys must be \[N, 16\], got a tensor \[2, 3\]"):
        store.add(torch.zeros(2, 3), torch.zeros(2, 16))
    with pytest.raises(ValueError, match="must agree"):
        store.add(torch.zeros(2, 16), torch.zeros(3, 16))
    with pytest.raises(ValueError, match="v width 16.*v width 5"):
        store.add(torch.zeros(2, 16), torch.zeros(2, 5))
    with pytest.raises(ValueError, match="float64"):
        store.add(torch.zeros(2, 16).double(), torch.zeros(2, 16).double())
    for bad in (torch.nan, torch.inf):
        keys = torch.zeros(2, 16)
        keys[1, 3] = bad
        with pytest.raises(ValueError, match=r"add: keys must be finite, got (nan|inf) at position \[1, 3\]"):
            store.add(keys, torch.zeros(2, 16))
        with pytest.raises(ValueError, match="add: values must be finite"):
            store.add(torch.zeros(2, 16), keys)
        with pytest.raises(ValueError, match="search: queries must be finite"):
            store.search(keys, 1)
    assert store.n == 4  # nothing of it went in
    with pytest.raises(ValueError, match=r"search: queries must be \[\*b, 16\], got a tensor \[2, 3\]"):
        store.search(torch.zeros(2, 3), 1)
    with pytest.raises(ValueError, match="search: queries must be torch.float32"):
        store.search(torch.zeros(2, 16).double(), 1)
    for k in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="search: k must be a whole number >= 1"):
            store.search(torch.zeros(2, 16), k)
    for ids in ([4], [-1], [0, 9]):
        with pytest.raises(IndexError, match="ids must be from 0 to 3"):
            store.pairs(torch.tensor(ids))
    for ids in ([0], torch.zeros(1), torch.ones(1, dtype=torch.bool)):
        with pytest.raises(TypeError, match="pairs: ids must be a tensor of whole numbers, got"):
            store.pairs(ids)
    assert torch.equal(store.pairs(torch.tensor([1], dtype=torch.uint8)).k, store.pairs(torch.tensor([1])).k)
    with pytest.raises(ValueError, match="metric must be one of inner product, dist2, got 'cosine'"):
        stores.open(":memory:", dim=3, metric="cosine")
    with pytest.raises(ValueError, match="dim must be a whole number >= 1, got 0"):
        stores.open(":memory:", dim=0)
    with pytest.raises(ValueError, match="address must be ':memory:', got 'milvus.db'"):
        stores.open("milvus.db", dim=3)
