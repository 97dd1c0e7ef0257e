"""k-NN memory: what it fetches, that it is top-k sparse attention, the identities, its stores."""

import math

import pytest
import torch
import torch.nn.functional as F

from memlib import KNN, KV, Full, Joint, Window, attend, attend_all, influence, outputs, recipe, states, stores, view


def sequence(*lead, n=24, d=6, e=4, seed=0):
    draw = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(*lead, n, d, generator=draw, dtype=torch.float64) for _ in range(2))
    return q, KV(k, torch.randn(*lead, n, e, generator=draw, dtype=torch.float64))


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def top_k(q, kv, k, local):
    """Top-k sparse attention, by a mask: of the tokens up to i - local, the k with the largest scores."""
    scores = q @ kv.k.mT
    n = kv.n
    sees = torch.ones(n, n, dtype=torch.bool).tril(-local)
    kth = scores.masked_fill(~sees, -torch.inf).sort(-1, descending=True).values[..., min(k, n) - 1 : min(k, n)]
    return attend(q, kv, mask=sees & (scores >= kth))


@pytest.mark.parametrize("k, local", [(1, 0), (1, 1), (3, 0), (3, 5), (24, 0), (99, 1)])
def test_on_its_own_past_it_is_top_k_sparse_attention(k, local):
    q, kv = sequence(2, 3)
    for form in (outputs, attend_all):
        close(form(KNN(k, local), q, kv), top_k(q, kv, k, local))


def test_with_k_of_all_it_is_dense_attention():
    q, kv = sequence(2)
    close(outputs(KNN(24, local=0), q, kv), attend_all(Full(), q, kv))
    close(outputs(Joint(Window(5), KNN(24, local=5)), q, kv), attend_all(Full(), q, kv))


@pytest.mark.parametrize("k", [1, 2, 4, 8, 16])
def test_what_is_left_out_costs_no_more_than_the_bound(k):
    q, kv = sequence(8, n=32)
    dense, sparse = attend(q[:, -1:], kv), outputs(KNN(k, local=0), q, kv)[:, -1:]
    weights = torch.softmax(q[:, -1:] @ kv.k.mT * 6**-0.5, -1)
    p = weights.topk(k, -1).values.sum(-1)
    off, most = (dense - sparse).norm(dim=-1), kv.v.norm(dim=-1).max(-1, keepdim=True).values
    assert (off <= 2 * (1 - p) * most + 1e-12).all() and (off > 1e-3).any()


def test_metrics_agree_where_keys_have_one_length_and_only_there():
    q, kv = sequence(n=40)
    unit = KV(F.normalize(kv.k, dim=-1), kv.v)
    close(outputs(KNN(3, 1), q, unit), outputs(KNN(3, 1, metric="dist2"), q, unit))
    off = (outputs(KNN(3, 1), q, kv) - outputs(KNN(3, 1, metric="dist2"), q, kv)).norm(dim=-1)
    assert (off > 1e-6).sum() > 20
    T = 0.3
    kernel = torch.softmax(-torch.cdist(q, unit.k).square() / (2 * T), -1)
    close(kernel, torch.softmax(q @ unit.k.mT / T, -1))


def test_the_newest_are_never_fetched():
    q, kv = sequence(n=30)
    for local in (0, 1, 4):
        seen = view(KNN(3, local), q, kv.k)
        assert not seen.triu(1 - local).any() and ((seen > 0).sum(-1)[local + 3 :] == 3).all()
    both = view(Joint(Window(4), KNN(3, 4)), q, kv.k)
    assert ((both > 0).sum(-1)[7:] == 7).all()  # four and three, none twice
    close(both.sum(-1), torch.ones(30, dtype=torch.float64))


def test_what_is_fetched_is_told_best_first():
    q, kv = sequence(2, n=20)
    memory = KNN(4, local=2)
    mem = states(memory, kv)[-1]
    found, ids = memory.fetch(mem, q[:, -3:])
    assert ids.shape == (2, 3, 4) and ids.max() < 18
    for b in range(2):
        close(found.k[b], kv.k[b][ids[b]]), close(found.v[b], kv.v[b][ids[b]])
    scores = (found.k @ q[:, -3:, :, None]).squeeze(-1)
    close(scores, scores.sort(-1, descending=True).values)


def test_each_head_fetches_its_own():
    q, kv = sequence(3, n=20)
    _, ids = KNN(4, 1).fetch(states(KNN(4, 1), kv)[-1], q[:, -1:])
    assert len({tuple(sorted(row)) for row in ids[:, 0].tolist()}) == 3


def test_nothing_to_fetch_reads_nothing():
    q, kv = sequence(n=4)
    memory = KNN(2, local=3)
    got = outputs(memory, q, kv)
    assert not got[:3].any() and torch.equal(got[3], kv.v[0])
    mem = states(memory, kv)[2]
    assert memory.read(mem, q[2:3], lse=True)[1].item() == -math.inf


def test_a_segment_is_read_causally_behind_what_is_fetched():
    q, kv = sequence(2, n=20)
    memory = KNN(3, local=2)
    mem = memory.update(memory.init(kv), kv[:14])
    for new in (kv[14:], kv[14:15]):
        got, lse = memory.read(mem, q[:, 14 : 14 + new.n], new=new, lse=True)
        for i in range(new.n):
            one = q[:, 14 + i : 15 + i]
            _, ids = memory.fetch(mem, one)
            for b in range(2):
                both = KV(
                    torch.cat([kv.k[b][ids[b, 0]], kv.k[b, 14 : 15 + i]]),
                    torch.cat([kv.v[b][ids[b, 0]], kv.v[b, 14 : 15 + i]]),
                )
                want = attend(one[b], both, lse=True)
                close(got[b, i : i + 1], want[0]), close(lse[b, i : i + 1], want[1])


def test_gradients_reach_what_was_fetched_and_nothing_else():
    q, kv = sequence(n=12)
    k, v = kv.k.clone().requires_grad_(), kv.v.clone().requires_grad_()
    memory = KNN(2, local=1)
    mem = memory.update(memory.init(KV(k, v)), KV(k, v))
    _, ids = memory.fetch(mem, q[-1:])
    memory.read(mem, q[-1:]).sum().backward()
    touched = v.grad.any(-1).nonzero().flatten().tolist()
    assert touched == sorted(ids.flatten().tolist()) and k.grad.any(-1).nonzero().flatten().tolist() == touched


# A store outside


def stored(kv, metric="inner product"):
    store = stores.open(":memory:", dim=kv.k.shape[-1], metric=metric)
    store.add(kv.k, kv.v)
    return store


@pytest.mark.parametrize("metric", stores.METRICS)
def test_a_store_of_other_text_is_read_like_a_past(metric):
    q, here = sequence(n=5, seed=1)
    _, library = sequence(n=40)
    memory = KNN(3, store=stored(library, metric))
    scores = q @ library.k.mT if metric == "inner product" else -torch.cdist(q, library.k)
    ids = scores.topk(3, -1).indices
    want = torch.stack([attend(q[i : i + 1], library[ids[i]])[0] for i in range(5)])
    for form in (outputs, attend_all):
        close(form(memory, q, here), want)
    store = memory.store
    assert store.n == 40 and states(memory, here)[-1].n == 0  # read, never written; the state holds nothing


def test_a_store_a_head():
    q, here = sequence(2, 3, n=5, seed=1)
    _, library = sequence(3, n=40)
    each = [stored(KV(library.k[h], library.v[h])) for h in range(3)]
    got = outputs(KNN(4, store=each), q, here)
    for h in range(3):
        close(got[:, h], outputs(KNN(4, store=each[h]), q[:, h], KV(here.k[:, h], here.v[:, h])))
    joined = outputs(Joint(Window(2), KNN(4, store=each)), q, here)
    assert joined.shape == got.shape and not torch.allclose(joined, got)


def test_an_empty_store_is_no_memory():
    q, here = sequence(2, n=5)
    empty = stores.open(":memory:", dim=6)
    assert not outputs(KNN(3, store=empty), q, here).any()
    close(outputs(Joint(Window(2), KNN(3, store=empty)), q, here), outputs(Window(2), q, here))


def test_the_probe_names_influence_for_a_store_outside():
    q, here = sequence(n=5)
    memory = KNN(3, store=stored(here))
    for look in (lambda: recipe(memory, here.k), lambda: view(memory, q, here.k)):
        with pytest.raises(TypeError, match="influence"):
            look()
    assert not influence(memory, here, q).any()  # the sequence's own values never come in


def test_bad_settings_are_named():
    for bad in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="KNN: k must be a whole number >= 1"):
            KNN(bad)
    with pytest.raises(ValueError, match="KNN: local must be a whole number >= 0, got -1"):
        KNN(2, -1)
    with pytest.raises(ValueError, match="KNN: metric must be one of inner product, dist2, got 'l2'"):
        KNN(2, metric="l2")
    with pytest.raises(ValueError, match="KNN: store must be one of memlib.stores"):
        KNN(2, store=torch.zeros(3, 4))
    q, here = sequence(2, 3, n=5)
    two = [stored(KV(here.k[0, h], here.v[0, h])) for h in range(2)]
    with pytest.raises(ValueError, match="2 stores, one a head, but q is"):
        outputs(KNN(2, store=two), q, here)
    uneven = [stored(KV(here.k[0, h, : h + 1], here.v[0, h, : h + 1])) for h in range(3)]
    with pytest.raises(ValueError, match=r"must hold as many pairs.*\[1, 2, 3\]"):
        outputs(KNN(2, store=uneven), q, here)
