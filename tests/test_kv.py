"""Pairs and attention: closed forms, identities (b), (e), (g), (h), and bad input."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from memlib import KV, attend, join, merge, state_bytes


def pairs(n, lead=(), d=4, e=3, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return KV(*(torch.randn(*lead, n, w, generator=draw, dtype=dtype) for w in (d, e)))


def queries(n, lead=(), d=4):
    return torch.randn(*lead, n, d, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


@pytest.mark.parametrize("i", [1, 20])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 1, 3)])
def test_attention_is_torch_s_own(lead, i):
    q, kv = queries(i, lead), pairs(7, lead)
    want = F.scaled_dot_product_attention(q, kv.k, kv.v)
    close(attend(q, kv), want)
    out, lse = attend(q, kv, lse=True)
    close(out, want)
    close(lse, ((q @ kv.k.mT) / 2).logsumexp(-1))


@pytest.mark.parametrize("i", [2, 20])
def test_a_mask_hides_pairs(i):
    q, kv = queries(i), pairs(7)
    mask = torch.rand(i, 7, generator=torch.Generator().manual_seed(3)) > 0.4
    mask[:, 0] = True
    close(
        attend(q, kv, mask=mask),
        F.scaled_dot_product_attention(q[None], kv.k[None], kv.v[None], mask[None])[0],
    )


def test_two_reads_merge_into_the_one_read_over_both():  # identity (b)
    q, a, b = queries(5, (2,)), pairs(3, (2,)), pairs(6, (2,), seed=1)
    out, lse = merge(attend(q, a, lse=True), attend(q, b, lse=True))
    want, want_lse = attend(q, join(a, b), lse=True)
    close(out, want), close(lse, want_lse)
    gate = torch.sigmoid(attend(q, a, lse=True)[1] - attend(q, b, lse=True)[1]).unsqueeze(-1)
    close(gate * attend(q, a) + (1 - gate) * attend(q, b), want)


def test_an_empty_side_has_no_weight_and_two_empty_sides_read_nothing():
    q, a = queries(5), pairs(3)
    out, lse = merge(attend(q, a, lse=True), attend(q, a[:0], lse=True))
    close(out, attend(q, a))
    out, lse = merge(attend(q, a[:0], lse=True), attend(q, a[:0], lse=True))
    assert not out.any() and (lse == -torch.inf).all()


@pytest.mark.parametrize("i", [1, 20])
def test_repeating_a_slot_c_times_is_adding_log_c_to_its_score(i):  # identity (e)
    q, kv = queries(i), pairs(3)
    often = kv[torch.tensor([0, 1, 1, 1, 1, 2])]
    counted = KV(kv.k, kv.v, torch.tensor([1.0, 4.0, 1.0], dtype=torch.float64).log())
    close(attend(q, counted), attend(q, often))


@pytest.mark.parametrize("i", [1, 20])
def test_a_learned_sink_is_one_more_score_with_a_zero_value(i):  # identity (g)
    q, kv, sink = queries(i), pairs(4), 0.7
    with_sink = join(kv, KV(kv.k[:1] * 0, kv.v[:1] * 0, torch.full((1,), sink, dtype=torch.float64)))
    scores = torch.cat([(q @ kv.k.mT) / 2, torch.full((i, 1), sink, dtype=torch.float64)], -1)
    close(attend(q, with_sink), scores.softmax(-1)[:, :-1] @ kv.v)


@pytest.mark.parametrize("zeros, left", [(4, 0.63), (16, 0.29), (64, 0.09)])
def test_zero_filled_slots_are_not_an_empty_memory(zeros, left):  # identity (h)
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2000, n, 64, generator=draw) for n in (1, 4, 4))
    empty = KV(torch.zeros(2000, zeros, 64), torch.zeros(2000, zeros, 64))
    ratio = attend(q, join(KV(k, v), empty)).norm() / attend(q, KV(k, v)).norm()
    assert abs(ratio - left) < 0.05


def test_append_copies_nothing_that_is_there_and_harms_no_older_kv():
    kv, new = pairs(4), pairs(1, seed=5)
    first = kv.append(new)
    second = first.append(new)
    assert second.k.data_ptr() == first.k.data_ptr()  # the same memory, one pair longer
    other = first.append(pairs(1, seed=6))
    assert other.k.data_ptr() != first.k.data_ptr()  # the place behind `first` is taken
    close(second.v, torch.cat([kv.v, new.v, new.v]))
    close(other.v, torch.cat([kv.v, new.v, pairs(1, seed=6).v]))
    close(first.v, torch.cat([kv.v, new.v]))
    part = second[1:4]
    close(part.append(new).v, torch.cat([second.v[1:4], new.v]))
    close(second.v, torch.cat([kv.v, new.v, new.v]))


def test_a_window_copies_each_pair_a_constant_number_of_times():
    kv, copied = pairs(64), 0
    for t in range(640):
        before = kv.k.data_ptr()
        kv = kv.append(pairs(1, seed=t), keep=64)
        moved = kv.k.data_ptr() - before != kv.k.stride(-2) * kv.k.element_size()
        copied += 64 if moved else 1
    assert copied <= 3 * 640


def test_append_under_autograd_and_jacrev_keeps_the_graph():
    kv, new = pairs(4), pairs(2, seed=1)

    def last(v):
        return KV(kv.k, v).append(new, keep=3).v

    jac = torch.func.jacrev(last)(kv.v)
    assert jac.shape == (3, 3, 4, 3) and jac[0, :, 3].equal(torch.eye(3, dtype=torch.float64))
    close(torch.autograd.functional.jacobian(last, kv.v), jac)


def test_reads_of_older_views_can_be_differentiated_after_later_appends():
    kv, q = pairs(3).append(pairs(1, seed=1)), queries(1).requires_grad_()
    out = attend(q, kv)
    kv.append(pairs(1, seed=2))
    out.sum().backward()
    assert q.grad.isfinite().all()


def test_threads_that_append_to_one_kv_do_not_mix_their_pairs():
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    base, together = pairs(50, d=512).append(pairs(1, d=512)), Barrier(2)

    def append(i):
        together.wait()
        return i, base.append(KV(torch.full((20, 512), float(i)).double(), torch.full((20, 3), float(i)).double()))

    with ThreadPoolExecutor(2) as pool:
        for _ in range(30):
            for i, kv in pool.map(append, (1, 2)):
                assert (kv.k[51:] == i).all() and (kv.v[51:] == i).all() and torch.equal(kv.k[:51], base.k)


def test_what_was_made_in_inference_mode_can_be_gone_on_with_outside():
    with torch.inference_mode():
        kv = pairs(4).append(pairs(1, seed=1))
    close(kv.append(pairs(1, seed=2)).v[-1:], pairs(1, seed=2).v)


def test_a_replaced_kv_takes_no_old_pairs_along():
    import dataclasses

    kv = pairs(4).append(pairs(1, seed=1))
    new = dataclasses.replace(kv, v=torch.zeros_like(kv.v))
    assert not new.append(pairs(1, seed=2)).v[:5].any()
    with pytest.raises(ValueError, match="must agree"):
        dataclasses.replace(kv, v=kv.v[1:])


@pytest.mark.parametrize("i", [2, 20])
def test_a_query_that_may_look_nowhere_receives_nothing(i):
    q, kv = queries(i).requires_grad_(), pairs(7)
    mask = torch.ones(i, 7, dtype=torch.bool)
    mask[1] = False
    out = attend(q, kv, mask=mask)
    assert not out[1].any() and out[0].any()
    assert attend(q, kv, mask=mask, lse=True)[1].isinf().tolist() == [j == 1 for j in range(i)]
    if i == 2:
        out.sum().backward()
        assert q.grad.isfinite().all()


def test_a_mask_hides_pairs_behind_which_new_ones_stand():
    q, kv, new = queries(3), pairs(4), pairs(3, seed=1)
    mask = torch.zeros(3, 4, dtype=torch.bool)
    mask[:, 2] = True
    close(attend(q, kv, new=new, mask=mask), attend(q, kv[2:3], new=new))


def test_queries_of_the_newest_of_the_new_pairs_alone_read_what_they_read_among_all():
    q, kv, new = queries(5), pairs(4), pairs(5, seed=1)
    want = attend(q, kv, new=new)
    for i in (1, 2, 5):
        close(attend(q[-i:], kv, new=new), want[-i:])


@pytest.mark.parametrize("dtype, tol", [(torch.bfloat16, 5e-3), (torch.float16, 1e-3)])
def test_half_precision_is_read_as_precisely_by_one_query_as_by_many(dtype, tol):
    q, kv = queries(20, d=64).to(dtype), pairs(500, d=64)
    kv = KV((4 * kv.k).to(dtype), kv.v.to(dtype))
    want = attend(q.double(), KV(kv.k.double(), kv.v.double()))
    one_by_one = torch.cat([attend(q[i : i + 1], kv) for i in range(20)])
    halves = merge(attend(q, kv[:250], lse=True), attend(q, kv[250:], lse=True))[0]
    for got in (attend(q, kv), one_by_one, halves):
        assert got.dtype == dtype and (got - want).norm() / want.norm() < tol
    assert attend(q, kv, lse=True)[1].dtype == torch.float32


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: KV(torch.zeros(3, 2), torch.zeros(4, 2)), ValueError, "must agree"),
        (
            lambda: KV(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2)),
            TypeError,
            "k must be a tensor of floats",
        ),
        (lambda: KV(torch.zeros(3), torch.zeros(3)), ValueError, r"k must be \[\*b, n, width\]"),
        (lambda: KV(torch.zeros(3, 2), torch.zeros(3, 2).double()), ValueError, "must be the same"),
        (lambda: KV(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(2)), ValueError, r"bias must be \[3\]"),
        (lambda: KV([1.0], torch.zeros(3, 2)), TypeError, "got list"),
        (lambda: pairs(3)[::2], TypeError, "slice"),
        (lambda: pairs(3)[1], TypeError, "slice"),
        (lambda: attend(queries(2, d=5), pairs(3)), ValueError, "q must be"),
        (lambda: attend(queries(4), pairs(3), new=pairs(3)), ValueError, "new holds 3 pairs"),
        (lambda: attend(queries(2).float(), pairs(3)), ValueError, "q must be"),
        (lambda: attend(queries(2), pairs(3), mask=torch.ones(2, 3)), TypeError, "mask must be of booleans"),
        (lambda: pairs(3).append(pairs(1), keep=-1), ValueError, "append: keep must be"),
        (lambda: pairs(3).append(pairs(1, d=5)), ValueError, "append: new must be pairs like the old"),
        (lambda: pairs(3).append(pairs(1, dtype=torch.float32)), ValueError, "float32"),
        (lambda: pairs(3).append(pairs(1)).append(pairs(1, d=5)), ValueError, "append: new must be pairs like the old"),
        (lambda: pairs(3).append(pairs(1)).append(pairs(1).k), TypeError, "append: new must be a KV"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_whole_number_counts_as_many_bytes_as_it_takes():
    assert state_bytes((1, 2**63, 2.0)) == 24 and state_bytes((2**8000,)) == 1001


def test_take_picks_pairs_for_each_row_and_head_by_itself():
    draw = torch.Generator().manual_seed(0)
    kv = KV(*torch.randn(2, 2, 3, 7, 4, generator=draw), torch.randn(2, 3, 7, generator=draw))
    ids = torch.randint(7, (2, 3, 5), generator=draw)
    got = kv.take(ids)
    for b in range(2):
        for h in range(3):
            alone = KV(kv.k[b, h], kv.v[b, h], kv.bias[b, h])[ids[b, h]]
            assert torch.equal(got.k[b, h], alone.k) and torch.equal(got.v[b, h], alone.v)
            assert torch.equal(got.bias[b, h], alone.bias)


def test_ids_that_pick_no_pairs_are_refused():
    kv, ids = KV(torch.zeros(2, 3, 7, 4), torch.zeros(2, 3, 7, 4)), torch.zeros(2, 3, 5, dtype=torch.long)
    for bad in ([1], ids.double(), ids > 2):
        with pytest.raises(TypeError, match="take: ids must be a tensor of whole numbers, got"):
            kv.take(bad)
    with pytest.raises(ValueError, match=r"take: ids must be \[2, 3, 'j'\] for k"):
        kv.take(ids[0])


def test_a_bias_of_minus_infinity_hides_a_pair_as_a_mask_does():
    """Also from all pairs: then nothing is read, and no gradient is NaN."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 5, 2, generator=draw)
    hidden = torch.tensor([False, True, False, True, False])
    bias = torch.zeros(5).masked_fill(hidden, -torch.inf)
    for lse in (False, True):
        got = attend(q, KV(k, v, bias), lse=lse)
        want = attend(q, KV(k, v), lse=lse, mask=(~hidden).expand(5, 5))
        torch.testing.assert_close(got, want)
    for dtype in (torch.float32, torch.bfloat16):
        leaf = [x.to(dtype).detach().clone().requires_grad_() for x in (q, k, v)]
        out, lse = attend(leaf[0], KV(*leaf[1:], torch.full((5,), -torch.inf, dtype=dtype)), lse=True)
        assert not out.any() and (lse == -torch.inf).all()
        out.sum().backward()
        assert all(x.grad is None or not x.grad.any() for x in leaf)
        assert not attend(*(leaf[0], KV(*leaf[1:], torch.full((5,), -torch.inf, dtype=dtype)))).any()


@pytest.mark.parametrize("mask", [torch.ones(8, 5, dtype=torch.bool), torch.ones(3, 8, 8, dtype=torch.bool), [True]])
def test_a_mask_of_another_width_is_named(mask):
    kv = KV(torch.zeros(8, 4), torch.zeros(8, 4))
    with pytest.raises((ValueError, TypeError), match="attend: mask must be"):
        attend(torch.zeros(8, 4), kv, mask=mask)


DONE = {
    "the newest": lambda kv, new: kv[-2:],
    "a middle": lambda kv, new: kv[1:3],
    "none": lambda kv, new: kv[2:2],
    "chosen": lambda kv, new: kv[torch.tensor([3, 0])],
    "taken": lambda kv, new: kv.take(torch.tensor([[2, 0], [1, 3]])),
    "appended": lambda kv, new: kv.append(new),
    "appended twice": lambda kv, new: kv.append(new).append(kv),
    "appended and few kept": lambda kv, new: kv.append(new, keep=5),
    "appended and fewer kept than came": lambda kv, new: kv.append(new, keep=2),
    "appended to a part": lambda kv, new: kv[:2].append(new, keep=4),
    "joined": lambda kv, new: join(kv, new, kv),
    "joined with none": lambda kv, new: join(kv[:0], new, kv[:0]),
    "detached": lambda kv, new: kv.detach(),
    "copied": lambda kv, new: copy.deepcopy(kv),
    "pickled": lambda kv, new: pickle.loads(pickle.dumps(kv)),
}


@pytest.mark.parametrize("how", DONE)
def test_what_is_done_to_pairs_is_done_to_their_bias(how):
    draw = torch.Generator().manual_seed(0)
    (k, v, bias), (k_new, v_new, more) = (
        (torch.randn(2, n, 3, generator=draw), torch.randn(2, n, 1, generator=draw), torch.randn(2, n, generator=draw))
        for n in (4, 3)
    )
    got = DONE[how](KV(k, v, bias), KV(k_new, v_new, more))
    wide = KV(k, torch.cat([v, bias[..., None]], -1)), KV(k_new, torch.cat([v_new, more[..., None]], -1))
    want = DONE[how](*wide)
    assert torch.equal(got.k, want.k) and torch.equal(torch.cat([got.v, got.bias[..., None]], -1), want.v)
    if "append" in how or "join" in how:  # of one without a bias it is 0
        half = DONE[how](KV(k, v, bias), KV(k_new, v_new))
        zero = DONE[how](wide[0], KV(k_new, torch.cat([v_new, 0 * more[..., None]], -1)))
        assert torch.equal(zero.v[..., 1], torch.zeros_like(got.bias) if half.bias is None else half.bias)


def test_a_pickled_pair_of_a_long_cache_is_one_pair():
    kv = KV(torch.zeros(1, 1, 8), torch.zeros(1, 1, 8)).append(KV(torch.ones(1, 9000, 8), torch.ones(1, 9000, 8)))
    assert len(pickle.dumps(kv[-1:])) < 4000


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    "d, e, lead, dtype", [(5, 3, (2,), None), (4, 2, (2,), None), (4, 3, (1,), None), (4, 3, (2,), torch.float32)]
)
def test_pairs_of_another_kind_are_refused_however_few_they_are(n, d, e, lead, dtype):
    kv = pairs(2, (2,)).append(pairs(1, (2,)))  # which has room for more
    with pytest.raises(ValueError, match="append: new must be pairs like the old ones"):
        kv.append(pairs(n, lead, d, e, dtype=dtype or torch.float64))
