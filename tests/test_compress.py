"""Pools: torch's pools and convolutions, which pair is kept, the two losses and their stops, and what they refuse."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from memlib import (
    KV,
    ConvPool,
    DilatedPool,
    MaxPool,
    MeanPool,
    MostUsed,
    Unpool,
    attend,
    attention_reconstruction,
    auto_encoding,
)
from memlib.parts.pooling import pooled

LEARNED = [ConvPool, DilatedPool]
EACH_LEARNED = pytest.mark.parametrize("kind", LEARNED)


def pairs(n, lead=(), d=4, e=3, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return KV(*(torch.randn(*lead, n, w, generator=draw, dtype=dtype) + 1 for w in (d, e)))


def queries(n, lead=(), d=4, seed=9, dtype=torch.float64):
    return torch.randn(*lead, n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def moved(module, seed=1):
    """The module with weights that are no longer those it began with."""
    draw = torch.Generator().manual_seed(seed)
    for one in module.parameters():
        one.data += 0.5 * torch.randn(one.shape, generator=draw, dtype=one.dtype)
    return module


def by_torch(x, pool):
    """A pool of torch's over [*b, n, width]: channels in front, places last."""
    flat = x.reshape(-1, *x.shape[-2:]).mT
    return pool(flat).mT.reshape(*x.shape[:-2], -1, x.shape[-1])


# Each against torch


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("rate", [1, 2, 3, 4, 6])
def test_the_mean_and_the_largest_are_torch_s_pools(rate, lead):
    old = pairs(12, lead)
    for pool, theirs in ((MeanPool(), F.avg_pool1d), (MaxPool(), F.max_pool1d)):
        new = pool(old, rate)
        for got, x in ((new.k, old.k), (new.v, old.v)):
            close(got, by_torch(x, lambda y, theirs=theirs: theirs(y, rate)))


def test_rescaled_keys_are_sums_and_their_score_is_the_sum_of_the_scores():
    old, q = pairs(12), queries(5)
    new = MeanPool(rescale=True)(old, 4)
    close(new.k, by_torch(old.k, lambda y: 4 * F.avg_pool1d(y, 4))), close(new.v, MeanPool()(old, 4).v)
    close(q @ new.k.T, (q @ old.k.T).unflatten(-1, (3, 4)).sum(-1))


@pytest.mark.parametrize("lead", [(), (2, 3)])
@pytest.mark.parametrize("rate", [1, 2, 3, 4])
def test_a_learned_pool_is_torch_s_convolution_with_kernel_and_stride_of_the_rate(rate, lead):
    old, pool = pairs(12, lead), moved(ConvPool(rate, 4, 3).double())
    new = pool(old, rate)
    for got, x, one in ((new.k, old.k, pool.k), (new.v, old.v, pool.v)):
        kernel = one.weight.unflatten(1, (rate, -1)).mT  # [out, rate * in] -> [out, in, rate]
        close(got, by_torch(x, lambda y, kernel=kernel: F.conv1d(y, kernel, stride=rate)))


@pytest.mark.parametrize("lead", [(), (2, 3)])
@pytest.mark.parametrize("rate", [2, 4, 8])
def test_a_dilated_pool_is_a_stack_of_torch_s_dilated_convolutions(rate, lead):
    old, pool = pairs(16, lead), moved(DilatedPool(rate, 4, 3).double())
    new = pool(old, rate)
    for got, x, levels in ((new.k, old.k, pool.k), (new.v, old.v, pool.v)):
        d, dilation = x.shape[-1], rate // 2
        y = x.reshape(-1, *x.shape[-2:]).mT
        for level in levels:
            first, _, last = level
            late = F.pad(y, (dilation, 0))  # the earlier tap looks `dilation` places back
            hidden = F.conv1d(late, first.weight.unflatten(1, (2, d)).mT, first.bias, dilation=dilation)
            mean = (late[..., :-dilation] + y) / 2
            y = mean + F.conv1d(F.gelu(hidden), last.weight[..., None], last.bias)
            dilation //= 2
        close(got, y.mT[:, rate - 1 :: rate].reshape(got.shape))


@EACH_LEARNED
def test_a_learned_pool_begins_as_the_mean(kind):
    old = pairs(8, (2,))
    new, want = kind(4, 4, 3).double()(old, 4), MeanPool()(old, 4)
    close(new.k, want.k, 1e-7), close(new.v, want.v, 1e-7)
    assert all(p.requires_grad for p in kind(4, 4).parameters()) and kind(4, 5).widths == (5, 5)


POOLS = [
    MeanPool(),
    MeanPool(rescale=True),
    MaxPool(),
    moved(ConvPool(4, 4, 3).double()),
    moved(DilatedPool(4, 4, 3).double()),
]
EACH_POOL = pytest.mark.parametrize("pool", POOLS, ids=["mean", "rescaled", "max", "conv", "dilated"])


@EACH_POOL
def test_a_slot_comes_from_its_own_group_alone(pool):
    old = pairs(12, (2,))
    new = pool(old, 4)
    for i in range(3):
        alone = pool(old[4 * i : 4 * i + 4], 4)
        close(new.k[:, i : i + 1], alone.k), close(new.v[:, i : i + 1], alone.v)
    jac = torch.func.jacrev(lambda v: pool(KV(old.k, v), 4).v)(old.v).abs().sum((0, 2, 3, 5))  # [slot, token]
    own = torch.eye(3).repeat_interleave(4, 1).bool()
    assert not jac[~own].any() and jac[own].count_nonzero() >= (3 if isinstance(pool, MaxPool) else 12)


@EACH_POOL
@pytest.mark.parametrize("dtype, tol", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2), (torch.float16, 4e-3)])
def test_the_dtype_is_that_of_the_pairs(pool, dtype, tol):
    old = pairs(8, (2, 3))
    new = pool(KV(old.k.to(dtype), old.v.to(dtype)), 4)
    assert new.k.dtype == new.v.dtype == dtype
    close(new.k.double(), pool(old, 4).k, 4 * tol), close(new.v.double(), pool(old, 4).v, 4 * tol)


def test_a_mean_in_half_precision_is_rounded_once():
    old = pairs(64, dtype=torch.float32)
    half = KV(old.k.bfloat16(), old.v.bfloat16())
    want = half.v.float().unflatten(0, (1, 64)).mean(1).bfloat16()
    assert torch.equal(MeanPool()(half, 64).v, want)


@EACH_POOL
def test_a_pool_sees_views_as_it_sees_copies(pool):
    old = pairs(20, (2, 3))
    view, copy = old[4:12], KV(old.k[..., 4:12, :].clone(), old.v[..., 4:12, :].clone())
    turned = KV(old.k.mT.contiguous().mT, old.v.mT.contiguous().mT)[4:12]
    close(pool(view, 4).k, pool(copy, 4).k, 1e-15), close(pool(turned, 4).v, pool(copy, 4).v, 1e-13)


# The most used


def used(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_most_used_keeps_those_with_most_attention_in_the_order_of_the_tokens():
    old = pairs(6)
    new = MostUsed()(old, 2, used(0.1, 0.9, 0.3, 0.2, 0.0, 0.5))
    assert torch.equal(new.v, old.v[[1, 2, 5]]) and torch.equal(new.k, old.k[[1, 2, 5]])
    new = MostUsed()(old, 3, used(0.5, 0.4, 0.3, 0.2, 0.1, 0.9))  # two from one third: over all that were evicted
    assert torch.equal(new.v, old.v[[0, 5]])


def test_most_used_keeps_the_older_of_equals():
    old = pairs(64)
    assert torch.equal(MostUsed()(old, 4, torch.zeros(64, dtype=torch.float64)).v, old.v[:16])


def test_most_used_chooses_for_each_row_and_head_alone():
    old = pairs(4, (2, 2))
    marks = used([[0, 1, 2, 3], [3, 2, 1, 0]], [[1, 3, 0, 2], [2, 0, 3, 1]])
    kept = [[[2, 3], [0, 1]], [[1, 3], [0, 2]]]
    new = MostUsed()(old, 2, marks)
    for b in range(2):
        for h in range(2):
            assert torch.equal(new.k[b, h], old.k[b, h, kept[b][h]])
            assert torch.equal(new.v[b, h], old.v[b, h, kept[b][h]])


# The losses


@EACH_LEARNED
def test_the_losses_are_what_they_say(kind):
    pool, back = moved(kind(2, 4, 3).double()), moved(Unpool(2, 4, 3).double())
    old, q = pairs(8, (2,)), queries(5, (2,))
    new = pool(old, 2)
    again = back(new)
    want = F.mse_loss(again.k, old.k) + F.mse_loss(again.v, old.v)
    close(auto_encoding(pool, back, old, 2), want)
    close(attention_reconstruction(pool, q, old, 2), F.mse_loss(attend(q, new), attend(q, old)))


def test_the_way_back_is_a_transposed_convolution():
    new, back = pairs(5, (2,)), moved(Unpool(3, 4, 3).double())
    old = back(new)
    for got, x, one in ((old.k, new.k, back.k), (old.v, new.v, back.v)):
        kernel = one.weight.unflatten(0, (3, -1)).permute(2, 1, 0)  # [rate * out, in] -> [in, out, rate]
        close(got, by_torch(x, lambda y, kernel=kernel: F.conv_transpose1d(y, kernel, stride=3)))


@EACH_LEARNED
@pytest.mark.parametrize("rate", [2, 4])
def test_where_nothing_is_lost_both_losses_are_zero_from_the_start(kind, rate):
    few = pairs(3)
    old = KV(few.k.repeat_interleave(rate, 0), few.v.repeat_interleave(rate, 0))
    pool, back = kind(rate, 4, 3).double(), Unpool(rate, 4, 3).double()
    assert auto_encoding(pool, back, old, rate) < 1e-14
    assert attention_reconstruction(pool, queries(5), old, rate) < 1e-14


@EACH_LEARNED
def test_a_loss_reaches_the_pool_and_neither_queries_nor_pairs(kind):
    old, q = pairs(8), queries(5).requires_grad_()
    for x in (old.k, old.v):
        x.requires_grad_()
    pool, back = moved(kind(2, 4, 3).double()), moved(Unpool(2, 4, 3).double())
    attention_reconstruction(pool, q, old, 2).backward()
    assert all(p.grad is not None and p.grad.any() for p in pool.k.parameters())
    assert all(p.grad is not None and p.grad.any() for p in pool.v.parameters())
    pool.zero_grad()
    auto_encoding(pool, back, old, 2).backward()
    assert all(p.grad.any() for part in (pool, back) for p in part.parameters())
    assert q.grad is None and old.k.grad is None and old.v.grad is None


def test_a_loss_leaves_the_projections_of_a_model_alone_and_they_go_on_learning():
    torch.manual_seed(0)
    qkv, pool = nn.Linear(6, 11, bias=False).double(), ConvPool(2, 4, 3).double()
    x = torch.randn(8, 6, dtype=torch.float64)
    for _ in range(2):
        q, k, v = qkv(x).split([4, 4, 3], -1)
        attention_reconstruction(pool, q, KV(k, v), 2).backward()
        assert qkv.weight.grad is None and pool.k.weight.grad.any()
        attend(q, KV(k, v)).square().sum().backward()
        assert qkv.weight.requires_grad and qkv.weight.is_leaf and qkv.weight.grad.any()
        qkv.zero_grad()


def smooth(n, seed):
    """Pairs in which neighbours differ by a known pattern: the second of each two is the sharper key."""
    old = pairs(n, seed=seed)
    sharp = torch.where(torch.arange(n)[:, None] % 2 == 1, 3.0, 0.3)
    return KV(old.k * sharp, old.v)


@EACH_LEARNED
@pytest.mark.parametrize("loss", ["auto-encoding", "attention"])
def test_training_by_a_loss_lowers_it_also_on_pairs_it_has_not_seen(kind, loss):
    torch.manual_seed(0)
    pool, back = kind(2, 4, 3).double(), Unpool(2, 4, 3).double()
    optimizer = torch.optim.Adam([*pool.parameters(), *back.parameters()], 1e-2)

    def measure(seed):
        old, q = smooth(64, seed), queries(16, seed=seed + 1000)
        if loss == "auto-encoding":
            return auto_encoding(pool, back, old, 2)
        return attention_reconstruction(pool, q, old, 2)

    def unseen():
        with torch.no_grad():
            return torch.stack([measure(seed) for seed in range(900, 920)]).mean()

    before = unseen()
    for seed in range(150):
        optimizer.zero_grad(), measure(seed).backward(), optimizer.step()
    assert unseen() < 0.8 * before


def test_attention_reconstruction_keeps_what_is_asked_for():
    """Queries ask for the even tokens alone: the odd ones are let go."""
    torch.manual_seed(0)
    pool = ConvPool(2, 4, 3).double()
    optimizer = torch.optim.Adam(pool.parameters(), 2e-2)

    def measure(seed):
        old, q = pairs(32, seed=seed), queries(16, seed=seed + 1000)
        sign = torch.where(torch.arange(32)[:, None] % 2 == 0, 1.0, -1.0)
        k = torch.cat([4 * sign, old.k[:, 1:]], -1).double()
        q = torch.cat([torch.full((16, 1), 4.0), q[:, 1:]], -1).double()
        return attention_reconstruction(pool, q, KV(k, old.v), 2)

    for seed in range(200):
        optimizer.zero_grad(), measure(seed).backward(), optimizer.step()
    even, odd = pool.v.weight.detach().unflatten(1, (2, 3)).norm(dim=(0, 2))
    assert even > 4 * odd


def test_losses_are_numbers_in_float32_where_pairs_are_shorter_and_under_autocast():
    single, q = pairs(8, dtype=torch.float32), queries(5).bfloat16()
    old, pool, back = KV(single.k.bfloat16(), single.v.bfloat16()), ConvPool(2, 4, 3), Unpool(2, 4, 3)
    want = auto_encoding(pool, back, single, 2)
    for one in (auto_encoding(pool, back, old, 2), attention_reconstruction(pool, q, old, 2)):
        assert one.dtype == torch.float32 and one.shape == ()
    close(auto_encoding(pool, back, old, 2), want, 2e-2)
    with torch.autocast("cpu", torch.bfloat16):
        close(auto_encoding(pool, back, single, 2), want, 2e-2)
        attention_reconstruction(pool, q.float(), single, 2).backward()
    assert pool.k.weight.grad.any() and pool.k.weight.grad.dtype == torch.float32


# What is refused


@pytest.mark.parametrize("pool", [*POOLS, MostUsed()], ids=["mean", "rescaled", "max", "conv", "dilated", "most used"])
def test_pairs_that_make_no_whole_groups_are_refused(pool):
    with pytest.raises(ValueError, match="pool: old must hold a multiple of rate = 4 pairs, got 10"):
        pool(pairs(10), 4, torch.zeros(10)) if isinstance(pool, MostUsed) else pool(pairs(10), 4)


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "4", None])
def test_rates_and_widths_that_are_no_whole_numbers_are_refused(bad):
    for pool in (MeanPool(), MaxPool()):
        with pytest.raises(ValueError, match=f"pool: rate must be a whole number >= 1, got {bad!r}"):
            pool(pairs(8), bad)
    for kind in (*LEARNED, Unpool):
        name = kind.__name__
        with pytest.raises(ValueError, match=f"{name}: rate must be a whole number >= 1, got {bad!r}"):
            kind(bad, 4)
        with pytest.raises(ValueError, match=f"{name}: width must be a whole number >= 1, got {bad!r}"):
            kind(2, bad)
        if bad is not None:
            with pytest.raises(ValueError, match=f"{name}: value_width must be a whole number >= 1, got {bad!r}"):
                kind(2, 4, bad)
    for kind in LEARNED:
        with pytest.raises(ValueError, match=f"{kind.__name__}: rate must be 4, for which it was made, got {bad!r}"):
            kind(4, 4, 3)(pairs(8), bad)


@pytest.mark.parametrize("bad", [1, 3, 6, 12])
def test_a_dilated_pool_wants_a_power_of_two_and_another_rate_is_refused(bad):
    with pytest.raises(ValueError, match=f"DilatedPool: rate must be a power of two >= 2, got {bad}"):
        DilatedPool(bad, 4)


@pytest.mark.parametrize("kind", [*LEARNED, Unpool])
def test_pairs_of_other_widths_or_on_another_device_are_named(kind):
    part, call = kind(2, 4, 3), (lambda part, kv: part(kv)) if kind is Unpool else lambda part, kv: part(kv, 2)
    for other, got in ((pairs(4, d=5), r"\(5, 3\)"), (pairs(4, e=2), r"\(4, 2\)")):
        words = rf"{kind.__name__}: pairs must have the widths \(4, 3\) on cpu, .* got {got}"
        with pytest.raises(ValueError, match=words):
            call(part, other)
    with pytest.raises(ValueError, match=r"widths \(4, 3\) on meta, for which it was made, got \(4, 3\) on cpu"):
        call(kind(2, 4, 3).to("meta"), pairs(4))


@pytest.mark.parametrize("bad", [None, torch.zeros(6), torch.zeros(2, 8), [0.0] * 8], ids=lambda x: type(x).__name__)
def test_attention_received_that_does_not_fit_is_named(bad):
    with pytest.raises(ValueError, match=r"MostUsed: used must be the attention received, \[8\], got"):
        MostUsed()(pairs(8), 2, bad)


def test_what_a_loss_cannot_use_is_named():
    old, q, back = pairs(8), queries(5), Unpool(2, 4, 3).double()
    pool = ConvPool(2, 4, 3).double()
    with pytest.raises(ValueError, match=r"auto_encoding: back must make .* KV\(n=8, .* got KV\(n=1,"):
        auto_encoding(pool, lambda new: new[:1], old, 2)
    with pytest.raises(ValueError, match=r"auto_encoding: back must make .* got tensor"):
        auto_encoding(pool, lambda new: new.k, old, 2)
    for loss in (
        lambda pool, old: auto_encoding(pool, back, old, 2),
        lambda pool, old: attention_reconstruction(pool, q, old, 2),
    ):
        with pytest.raises(ValueError, match="pool: <function .* must make of KV.* a KV of 4 pairs"):
            loss(lambda old, rate: old, old)
        with pytest.raises(ValueError, match="MostUsed: used must be the attention received"):
            loss(MostUsed(), old)
        with pytest.raises(ValueError, match="without a bias"):
            loss(pool, KV(old.k, old.v, old.k[:, 0]))
        with pytest.raises(ValueError, match="multiple of rate = 2 pairs, got 7"):
            loss(pool, old[:7])
    for bad in (q[:, :2], q.long(), q.float(), queries(5, (2,))):
        with pytest.raises((TypeError, ValueError), match="q must be"):
            attention_reconstruction(pool, bad, old, 2)


def test_integer_pairs_are_refused_before_any_pool_sees_them():
    with pytest.raises(TypeError, match="k must be a tensor of floats, got a tensor .* of int64"):
        pooled(MeanPool(), KV(torch.ones(4, 2).long(), torch.ones(4, 2)), 2)


@pytest.mark.parametrize("bad", [1, "yes", None])
def test_a_rescale_that_is_no_truth_value_is_refused(bad):
    with pytest.raises(ValueError, match=f"MeanPool: rescale must be True or False, got {bad!r}"):
        MeanPool(rescale=bad)


def test_pools_show_what_one_would_type():
    assert repr(MeanPool()) == "MeanPool(rescale=False)" and repr(MostUsed()) == "MostUsed()"
    assert "rate=4, widths=(5, 3)" in repr(ConvPool(4, 5, 3)) and "rate=4, widths=(5, 5)" in repr(DilatedPool(4, 5))
    assert "rate=4, widths=(5, 3)" in repr(Unpool(4, 5, 3)) and MeanPool() == MeanPool() and MaxPool() == MaxPool()
