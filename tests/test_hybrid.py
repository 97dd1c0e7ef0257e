"""Two tiers: closed forms, order of events, Transformer-XL, a slow walk, an oracle, gradients, reach, bad input."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from memlib import (
    KV,
    Compressive,
    ConvPool,
    Full,
    Hybrid,
    MaxPool,
    MeanPool,
    MostUsed,
    Window,
    attend,
    attend_all,
    influence,
    join,
    outputs,
    recipe,
    state_bytes,
    states,
    view,
    walk,
)
from memlib import state as st
from memlib.fast import tiers as module
from memlib.lm import Config, LanguageModel
from memlib.lm.model import State

T = 24
SIZES = [(1, 1, 1), (1, 2, 3), (2, 1, 2), (3, 2, 2), (4, 2, 4), (5, 3, 3), (2, 40, 2), (40, 2, 2), (2, 3, 5)]
EACH_SIZE = pytest.mark.parametrize("local, compressed, rate", SIZES)


def sequence(*lead, n=T, d=4, e=3, dtype=torch.float64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(*lead, n, d, generator=draw, dtype=dtype) for _ in range(2))
    return q, KV(k, torch.randn(*lead, n, e, generator=draw, dtype=dtype) + 1)


def close(a, b, tol=1e-12):
    torch.testing.assert_close(a, b, rtol=tol, atol=tol)


def learned(rate, d=4, e=3, seed=1):
    pool = ConvPool(rate, d, e).double()
    draw = torch.Generator().manual_seed(seed)
    for one in pool.parameters():
        one.data += 0.3 * torch.randn(one.shape, generator=draw, dtype=torch.float64)
    return pool


def held(seen, local, compressed, rate):
    """(groups that are slots, tokens that are raw) after `seen` tokens, by counting alone."""
    groups = max(seen - local, 0) // rate
    oldest = max(groups - compressed, 0)
    slots = [list(range(g * rate, (g + 1) * rate)) for g in range(oldest, groups)]
    return slots, list(range(groups * rate, seen))


def walked_by_hand(tokens, local, compressed, rate):
    """The five events of an update, one token at a time, on lists."""
    slots, raw = [], []
    for token in tokens:
        raw.append(token)  # append
        while len(raw) - local >= rate:  # evict
            group, raw = raw[:rate], raw[rate:]
            slots.append(group)  # compress, store
            slots = slots[-compressed:]  # drop
        yield list(slots), list(raw)


def rows(slots, raw, n=T):
    eye = torch.eye(n, dtype=torch.float64)
    return torch.stack([eye[group].mean(0) for group in slots] + [eye[token] for token in raw])


# Closed forms


@EACH_SIZE
def test_its_recipe_is_the_groups_means_and_the_newest_tokens_as_they_are(local, compressed, rate):
    got = recipe(Hybrid(local, compressed, rate), sequence()[1].k)
    by_hand = list(walked_by_hand(range(T), local, compressed, rate))
    for t in range(T):
        assert by_hand[t] == held(t + 1, local, compressed, rate)
        close(got[t], rows(*by_hand[t]))


@EACH_SIZE
@pytest.mark.parametrize("segment", [1, 2, 3, 7])
def test_after_each_segment_a_compressive_memory_holds_the_same(local, compressed, rate, segment):
    segment = min(segment, local)
    got = recipe(Compressive(local, compressed, rate, segment=segment), sequence()[1].k)
    for i, one in enumerate(got):
        close(one, rows(*held(min((i + 1) * segment, T), local, compressed, rate)))


@EACH_SIZE
def test_exactly_floor_of_evicted_over_rate_slots_and_the_rest_waits(local, compressed, rate):
    _, kv = sequence()
    memory = Hybrid(local, compressed, rate)
    for t, mem in enumerate(states(memory, kv)):
        evicted = max(t + 1 - local, 0)
        parts = memory.tiers(mem)
        assert parts.compressed.n == min(evicted // rate, compressed)
        assert parts.staging.n == evicted % rate and parts.local.n == min(t + 1, local)
        assert torch.equal(parts.local.k, kv.k[max(t + 1 - local, 0) : t + 1])
        assert torch.equal(parts.staging.v, kv.v[evicted // rate * rate : evicted])
        assert memory.slots(mem).n <= compressed + (rate - 1) + local


@EACH_SIZE
def test_the_weight_of_a_token_is_one_until_its_slot_is_dropped_and_then_none(local, compressed, rate):
    for t, got in enumerate(recipe(Hybrid(local, compressed, rate), sequence()[1].k)):
        slots, raw = held(t + 1, local, compressed, rate)
        often = torch.tensor([float(rate)] * len(slots) + [1.0] * len(raw), dtype=torch.float64)
        want = torch.zeros(T, dtype=torch.float64)
        want[(slots[0] if slots else raw)[0] : t + 1] = 1
        close(often @ got, want)
        lost = max(max(t + 1 - local, 0) // rate - compressed, 0) * rate
        assert (want[: t + 1] == 0).sum() == lost


def test_the_bound_on_its_size_is_reached_and_never_passed():
    _, kv = sequence(2, n=200)
    for local, compressed, rate in SIZES:
        sizes = [state_bytes(mem) for mem in states(Hybrid(local, compressed, rate), kv)]
        assert max(sizes) == 2 * (4 + 3) * 8 * (compressed + rate - 1 + local)


def test_a_pool_is_handed_whole_groups_of_the_oldest_after_the_new_pair_has_entered():
    handed, stored = [], []

    def pool(old, rate):
        handed.append(old.v[:, 0].tolist())
        return MeanPool()(old, rate)

    memory = Hybrid(2, 2, 3, pool)
    kv = KV(torch.zeros(12, 1), torch.arange(12.0)[:, None])
    for mem in states(memory, kv):
        stored.append((mem.compressed.v[:, 0].tolist(), mem.raw.v[:, 0].tolist()))
    assert handed == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert stored[3] == ([], [0, 1, 2, 3]) and stored[4] == ([1], [3, 4])  # 4 entered, and pushed 2 out
    assert stored[7] == ([1, 4], [6, 7]) and stored[10] == ([4, 7], [9, 10])  # the new slot is last, the oldest goes


def test_many_pairs_at_once_pool_only_what_will_be_kept():
    handed = []

    def pool(old, rate):
        handed.append(old.n)
        return MeanPool()(old, rate)

    _, kv = sequence(n=500)
    memory = Hybrid(10, 3, 4, pool)
    mem = memory.update(memory.init(kv), kv)
    close(memory.slots(mem).v, memory.slots(states(Hybrid(10, 3, 4), kv)[-1]).v)
    assert handed == [12]


@EACH_SIZE
def test_cut_anywhere_the_state_is_the_same(local, compressed, rate):
    _, kv = sequence(2, n=60)
    draw = torch.Generator().manual_seed(local)
    for memory in (Hybrid(local, compressed, rate), Compressive(local, compressed, rate)):
        mem, at = memory.init(kv), 0
        while at < 60:
            n = int(torch.randint(1, 20, (), generator=draw))
            mem, at = memory.update(mem, kv[at : at + n]), at + n
        want = memory.slots(memory.update(memory.init(kv), kv))
        close(memory.slots(mem).k, want.k), close(memory.slots(mem).v, want.v)


@EACH_SIZE
@pytest.mark.parametrize("bias", [False, True])
def test_all_positions_at_once_equal_the_replay_from_any_state_on(local, compressed, rate, bias):
    q, kv = sequence(2, n=290)
    memory = Hybrid(local, compressed, rate, learned(rate), count_bias=bias)
    want = outputs(memory, q, kv)
    for cut in (0, 1, local, local + rate, 130, 289):
        mem = memory.update(memory.init(kv), kv[:cut])
        close(attend_all(memory, q[:, cut:], kv[cut:], mem), want[:, cut:])


# Identities and limits


@pytest.mark.parametrize("local", [1, 3, 8, 40])
def test_without_a_compressed_tier_it_is_a_window(local):
    q, kv = sequence(2, n=300)
    memory, window = Hybrid(local, 0, 3), Window(local)
    assert torch.equal(outputs(memory, q, kv), outputs(window, q, kv))
    assert torch.equal(attend_all(memory, q, kv), attend_all(window, q, kv))
    for a, b in zip(states(memory, kv[:30]), states(window, kv[:30]), strict=True):
        assert torch.equal(memory.slots(a).v, window.slots(b).v)


def transformer_xl(q, kv, local, segment):
    k, v, outs = kv.k[..., :0, :], kv.v[..., :0, :], []
    for t in range(0, kv.n, segment):
        new = kv[t : t + segment]
        k, v = torch.cat([k, new.k], -2), torch.cat([v, new.v], -2)
        mask = torch.ones(new.n, k.shape[-2], dtype=torch.bool).tril(k.shape[-2] - new.n)
        outs.append(F.scaled_dot_product_attention(q[..., t : t + segment, :], k, v, attn_mask=mask))
        k, v = k[..., -local:, :], v[..., -local:, :]
    return torch.cat(outs, -2)


@pytest.mark.parametrize("local, segment", [(4, 4), (6, 3), (7, 4), (40, 5), (1, 1)])
def test_without_a_compressed_queue_it_is_transformer_xl(local, segment):
    q, kv = sequence(2, 3, n=33)
    close(outputs(Compressive(local, 0, 2, segment=segment), q, kv), transformer_xl(q, kv, local, segment))


def test_a_slot_with_a_count_bias_is_the_slot_repeated_rate_times():  # identity (e)
    q, kv = sequence(2)
    for memory in (Hybrid(3, 2, 4, count_bias=True), Compressive(3, 2, 4, count_bias=True)):
        mem = memory.update(memory.init(kv), kv)
        often = join(*[mem.compressed] * 4, mem.raw)
        out, lse = memory.read(mem, q, lse=True)
        close(out, attend(q, often)), close(lse, attend(q, often, lse=True)[1]), close(memory.read(mem, q), out)
        plain = dataclasses.replace(memory, count_bias=False)
        assert (plain.read(mem, q) - out).abs().max() > 1e-3


def test_where_the_keys_of_a_group_are_equal_a_counted_slot_loses_nothing():
    q, kv = sequence(2, n=30)
    kv = KV(kv.k[..., ::3, :].repeat_interleave(3, -2), kv.v)
    memory = Hybrid(2, 20, 3, count_bias=True)
    for form in (outputs, attend_all):
        close(form(memory, q, kv), attend_all(Full(), q, kv))
    assert (outputs(Hybrid(2, 20, 3), q, kv) - attend_all(Full(), q, kv)).abs().max() > 1e-2  # under-weighted


def test_tiers_begin_empty_and_not_with_zeros():  # identity (h)
    q, kv = sequence(n=3)
    memory = Hybrid(4, 16, 2)
    mem = memory.update(memory.init(kv), kv)
    assert memory.slots(mem).n == 3
    close(memory.read(mem, q), attend(q, kv))
    zeros = KV(torch.zeros(16, 4, dtype=torch.float64), torch.zeros(16, 3, dtype=torch.float64))
    shrunk = memory.read(mem._replace(compressed=zeros), q)
    assert shrunk.norm() < 0.4 * memory.read(mem, q).norm()


@pytest.mark.parametrize("pool", [MeanPool(), MaxPool(), MeanPool(rescale=True)], ids=str)
def test_two_pasts_can_leave_the_same_state(pool):
    q, kv = sequence()
    other = torch.arange(T)
    other[[4, 5]] = torch.tensor([5, 4])  # both went into one slot
    memory = Hybrid(3, 20, 2, pool)
    a, b = (states(memory, one)[-1] for one in (kv, kv[other]))
    assert torch.equal(memory.slots(a).k, memory.slots(b).k) and torch.equal(memory.slots(a).v, memory.slots(b).v)
    early, late = states(memory, kv)[6], states(memory, kv[other])[6]
    assert not torch.equal(memory.slots(early).v, memory.slots(late).v)  # while they were raw one could tell


def test_its_view_is_the_slot_s_weight_shared_by_the_tokens_of_the_group():
    q, kv = sequence()
    memory = Hybrid(3, 2, 4)
    mem = states(memory, kv)[-1]
    slots, raw = held(T, 3, 2, 4)
    weights = torch.softmax(q[-1:] @ memory.slots(mem).k.T / 2, -1)[0]
    close(view(memory, q, kv.k)[-1], weights @ rows(slots, raw))


@pytest.mark.parametrize("few", [0, 1 << 40])
@pytest.mark.parametrize("i", [1, 2, 9])
@pytest.mark.parametrize("bias", [False, True])
def test_each_form_of_a_read_is_attention_over_the_slots(monkeypatch, few, i, bias):
    monkeypatch.setattr(module, "SMALL", few)
    q, kv = sequence(2, 3)
    q, new = q[..., :i, :], sequence(2, 3, n=i, seed=5)[1]
    memory = Hybrid(3, 4, 2, count_bias=bias)
    mem = memory.update(memory.init(kv), kv)
    slots = memory.slots(mem)
    for got, want in (
        (memory.read(mem, q, lse=True), attend(q, slots, lse=True)),
        (memory.read(mem, q, new, lse=True), attend(q, slots, lse=True, new=new)),
    ):
        close(got[0], want[0]), close(got[1], want[1])
    close(memory.read(mem, q), attend(q, slots)), close(memory.read(mem, q, new), attend(q, slots, new=new))
    half = st.to(mem, dtype=torch.bfloat16)
    out, lse = memory.read(half, q.bfloat16(), lse=True)
    assert out.dtype == torch.bfloat16 and lse.dtype == torch.float32
    close(out.double(), memory.read(mem, q), 3e-2)


# The Compressive Transformer


class Queues:
    """Algorithm 1 on lists of rows: slow, and without a line of the library."""

    def __init__(self, local, compressed, rate, segment, pool):
        self.__dict__.update(locals())
        self.mem, self.cmem, self.waiting = [], [], []

    def read(self, q, new):
        past = self.cmem + self.waiting + self.mem
        outs = []
        for i in range(len(q)):
            seen = past + new[: i + 1]
            k, v = torch.stack([one[0] for one in seen]), torch.stack([one[1] for one in seen])
            outs.append(torch.softmax(k @ q[i] / len(q[i]) ** 0.5, 0) @ v)
        return outs

    def write(self, new):
        self.mem += new
        while len(self.mem) > self.local:
            self.waiting.append(self.mem.pop(0))
        if not self.compressed:
            self.waiting = []
        while len(self.waiting) >= self.rate:
            group, self.waiting = self.waiting[: self.rate], self.waiting[self.rate :]
            self.cmem.append(tuple(self.pool([pair[i] for pair in group], i) for i in (0, 1)))
            if len(self.cmem) > self.compressed:
                self.cmem.pop(0)

    def outputs(self, q, kv):
        outs = []
        for t in range(0, kv.n, self.segment):
            new = list(zip(kv.k[t : t + self.segment], kv.v[t : t + self.segment], strict=True))
            outs += self.read(q[t : t + self.segment], new)  # attend first, then update
            self.write(new)
        return torch.stack(outs)


def mean(group, which):
    return sum(group) / len(group)


@pytest.mark.parametrize(
    "local, compressed, rate, segment",
    [(4, 3, 2, 4), (6, 2, 3, 6), (5, 3, 2, 3), (7, 2, 4, 5), (4, 50, 4, 1), (6, 0, 2, 3), (3, 1, 5, 2), (1, 1, 1, 1)],
)
def test_it_is_two_queues_read_before_they_move(local, compressed, rate, segment):
    q, kv = sequence(n=41)
    memory = Compressive(local, compressed, rate, segment=segment)
    for form in (outputs, attend_all):
        close(form(memory, q, kv), Queues(local, compressed, rate, segment, mean).outputs(q, kv))
    pool = learned(rate)

    def conv(group, which):
        return (pool.k, pool.v)[which](torch.cat(group))

    close(
        outputs(Compressive(local, compressed, rate, pool, segment=segment), q, kv),
        Queues(local, compressed, rate, segment, conv).outputs(q, kv),
    )


def test_a_segment_is_read_before_it_is_written():
    q, kv = sequence(n=12)
    memory = Compressive(4, 8, 2)
    before = memory.init(kv)
    for t, (mem, out) in enumerate(walk(memory, q, kv)):
        new = kv[4 * t : 4 * t + 4]
        close(out, attend(q[4 * t : 4 * t + 4], memory.slots(before), new=new))
        assert torch.equal(mem.raw.k[-4:], new.k) and mem.compressed.n == 2 * t
        before = mem


@pytest.mark.parametrize("mem_len, cmem_len, ratio, seq", [(8, 4, 2, 8), (8, 6, 4, 4), (16, 4, 4, 8), (6, 5, 2, 4)])
def test_compressive_transformer_pytorch_says_the_same(mem_len, cmem_len, ratio, seq):
    oracle = pytest.importorskip("compressive_transformer_pytorch.compressive_transformer_pytorch")
    heads, dim = 2, 12
    torch.manual_seed(0)
    theirs = oracle.SelfAttention(dim, seq, mem_len, cmem_len, ratio, heads=heads).double().eval()
    taps = torch.linspace(0.1, 0.6, ratio, dtype=torch.float64)  # a scalar a tap: pooling and projecting commute
    theirs.compress_mem_fn.conv.weight.data = torch.eye(dim, dtype=torch.float64)[..., None] * taps
    theirs.compress_mem_fn.conv.bias.data.zero_()
    pool = ConvPool(ratio, dim // heads).double()
    for one in (pool.k, pool.v):
        one.weight.data = torch.cat([tap * torch.eye(dim // heads, dtype=torch.float64) for tap in taps], 1)
    x = torch.randn(3, 10 * seq, dim, dtype=torch.float64)

    def split(y):
        return y.unflatten(-1, (heads, -1)).transpose(1, 2)

    k, v = theirs.to_kv(x).chunk(2, -1)
    with torch.no_grad():
        got = outputs(
            Compressive(mem_len, cmem_len, ratio, pool, segment=seq), split(theirs.to_q(x)), KV(split(k), split(v))
        )
        memories, want = None, []
        for part in x.split(seq, 1):
            out, memories, _ = theirs(part, memories)
            want.append(out)
        close(theirs.to_out(got.transpose(1, 2).flatten(-2)), torch.cat(want, 1))
        assert memories.compressed_mem.shape[1] == cmem_len  # it was full


@pytest.mark.parametrize(
    "make",
    [
        lambda: Compressive(5, 3, 2, segment=3),
        lambda: Compressive(4, 2, 2, MostUsed()),
        lambda: Compressive(6, 0, 1, segment=3),
    ],
)
def test_cut_at_segments_the_rest_of_a_sequence_reads_what_the_replay_reads(make):
    memory = make()
    q, kv = sequence(2, n=42)
    want = outputs(memory, q, kv)
    for mem, cut in (
        (memory.init(kv), 0),
        *((mem, (i + 1) * memory.segment) for i, (mem, _) in enumerate(walk(memory, q, kv))),
    ):
        if cut < 42:
            close(attend_all(memory, q[:, cut:], kv[cut:], mem), want[:, cut:])


# A pool that chooses by attention


def use(q, k):
    """Attention received by each key, of each query: rows of softmax over the keys up to it."""
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~torch.ones(len(q), len(k), dtype=torch.bool).tril(), -1e300)
    return torch.softmax(scores, -1)


def test_most_used_keeps_of_each_group_the_pair_that_its_readers_looked_at():
    q, kv = sequence(n=6)
    memory = Hybrid(2, 3, 2, MostUsed())
    got = states(memory, kv, q)
    used = use(q, kv.k)
    first = used[:3, :2].sum(0).argmax()  # 0 and 1 leave when 3 enters, before its query reads
    assert torch.equal(got[3].compressed.v, kv.v[first : first + 1])
    slots = join(kv[first : first + 1], kv[2:4])
    late = torch.softmax(q[3] @ slots.k.T / 2, -1)[1:]  # the read of 3
    slots = join(kv[first : first + 1], kv[2:5])
    late = torch.cat([late, torch.zeros(1, dtype=late.dtype)]) + torch.softmax(q[4] @ slots.k.T / 2, -1)[1:]
    want = used[:3, 2:4].sum(0) + late[:2]
    close(got[4].used[:2, 0], want)
    assert torch.equal(got[5].compressed.v[1], kv.v[2 + want.argmax()])


def test_most_used_counts_what_the_queries_of_a_segment_gave_and_not_what_the_segment_gave_itself():
    q, kv = sequence(n=9)
    memory = Compressive(3, 3, 3, MostUsed())
    got = states(memory, kv, q)
    weights = torch.softmax((q[3:6] @ kv.k[:6].T / 2).masked_fill(torch.ones(3, 6).triu(4).bool(), -1e300), -1)
    close(got[1].used[:, 0], torch.zeros(3, dtype=torch.float64))  # new pairs have not been read yet
    best = weights[:, :3].sum(0).argmax()
    assert torch.equal(got[1].compressed.v, kv.v[best : best + 1])


def test_most_used_in_the_stream_is_per_row_and_head():
    q, kv = sequence(2, 3, n=20)
    for memory in (Hybrid(3, 4, 2, MostUsed()), Compressive(4, 4, 2, MostUsed())):
        mem = states(memory, kv, q)[-1]
        for b in range(2):
            for h in range(3):
                alone = states(memory, KV(kv.k[b, h], kv.v[b, h]), q[b, h])[-1]
                close(mem.compressed.v[b, h], alone.compressed.v)


def test_most_used_without_queries_is_refused():
    q, kv = sequence(2)
    for memory in (Hybrid(3, 2, 2, MostUsed()), Compressive(3, 2, 2, MostUsed())):
        with pytest.raises(
            ValueError,
            match=f"{type(memory).__name__}: q must be the queries of the 24 new tokens, "
            r"since MostUsed\(\) chooses by attention; got none",
        ):
            memory.update(memory.init(kv), kv)
        with pytest.raises(ValueError, match=r"got \[2, 5, 4\]"):
            memory.update(memory.init(kv), kv, q[:, :5])
        with pytest.raises(ValueError, match="q must be .* int64"):
            memory.update(memory.init(kv), kv, q.long())


# Gradients


def gradients(memory, cut):
    """Of a read at the end, at the pairs before and from `cut` on, and at the pool."""
    q, kv = sequence()
    k, v = (x.clone().requires_grad_() for x in (kv.k, kv.v))
    outputs(memory, q, KV(k, v))[-1].square().sum().backward()
    weights = [p.grad for p in memory.pool.parameters()]
    return k.grad[:cut], v.grad[:cut], k.grad[cut:], v.grad[cut:], *weights


def test_a_hybrid_cache_is_differentiable_through_its_pool():
    memory = Hybrid(3, 20, 2, learned(2))
    assert all(one.abs().amin(-1).min() > 0 for one in gradients(memory, 10))  # each token, each tap

    def read(k, v):
        return outputs(memory, q, KV(k, v))

    q, kv = sequence(n=7)
    assert torch.autograd.gradcheck(read, (kv.k.clone().requires_grad_(), kv.v.clone().requires_grad_()))


def test_where_a_compressive_memory_stops_nothing_flows_to_what_is_stored_nor_to_the_pool():
    before, before_v, now, now_v, *weights = gradients(Compressive(4, 20, 2, learned(2)), T - 4)
    assert not before.any() and not before_v.any() and weights == [None, None]
    assert now.any() and now_v.any()
    before, before_v, now, now_v, *weights = gradients(Compressive(4, 20, 2, learned(2), stop=False), T - 4)
    assert all(one.any(-1).all() for one in (before, before_v, now, now_v)) and all(one.any() for one in weights)


@pytest.mark.parametrize("stop", [True, False])
def test_torch_func_sees_the_stop_as_well(stop):
    q, kv = sequence(n=12)
    pool = learned(2)

    class Called(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = pool

        def forward(self, v):
            return outputs(Compressive(4, 20, 2, self.pool, stop=stop), q, KV(kv.k, v))[-1].sum()

    net = Called()
    weights = {name: p.detach() for name, p in net.named_parameters()}
    grads = torch.func.grad(lambda w: torch.func.functional_call(net, w, (kv.v,)))(weights)
    assert all(one.any() == (not stop) for one in grads.values())
    jac = torch.func.jacrev(net)(kv.v)
    assert jac[:8].any() == (not stop) and jac[8:].any()


def test_a_memory_that_stops_gradients_still_lets_the_past_be_read():
    _, kv = sequence()
    q = sequence(n=T)[0]
    got = influence(Compressive(4, 20, 2), kv, q)
    assert (got[-1] > 0).all() and not got[0, 1:].any()
    close(got, view(Compressive(4, 20, 2), q, kv.k) * math.sqrt(3))


def test_a_stream_under_gradients_that_stop_holds_no_graph():
    q, kv = sequence(n=200)
    live = KV(kv.k.requires_grad_(), kv.v)
    for memory in (Compressive(4, 3, 2, learned(2)), Compressive(4, 3, 2, MostUsed()), Compressive(4, 0, 2)):
        mem = memory.init(live)
        for t in range(0, 200, 4):
            mem = memory.update(mem, live[t : t + 4], q[t : t + 4].requires_grad_())
        for _, x in st.leaves(mem):
            assert not x.requires_grad and x.grad_fn is None


# Streams


def room(kv):
    return kv._room.k.shape[-2]


def test_thirty_thousand_steps_stay_exact_and_small():
    n, local, compressed, rate = 30_000, 7, 5, 3
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(0)) + 1
    kv, memory = KV(x, x), Hybrid(local, compressed, rate, ConvPool(rate, 2))
    with torch.no_grad():
        mem, rooms = memory.init(kv), set()
        for t in range(n):
            mem = memory.update(mem, kv[t : t + 1])
            rooms |= {room(mem.raw), room(mem.compressed) if mem.compressed.n else 0}
        slots, raw = held(n, local, compressed, rate)
        assert torch.equal(mem.raw.v, x[raw])
        for got, group in zip(mem.compressed.v, slots, strict=True):
            assert torch.equal(got, memory.pool.v(x[group].flatten()))
    assert max(rooms) <= 2 * (local + rate) + 16  # the buffers behind the state do not grow
    assert all(x.grad_fn is None for _, x in st.leaves(mem))


def test_a_million_steps_in_pieces_stay_exact_and_small():
    n, local, compressed, rate = 10**6, 70, 50, 4
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(0)) + 0.99
    kv, memory, at = KV(x, x), Hybrid(local, compressed, rate), 0
    mem, draw = memory.init(kv), torch.Generator().manual_seed(1)
    while at < n:
        step = int(torch.randint(1, 2000, (), generator=draw))
        mem, at = memory.update(mem, kv[at : at + step]), at + step
        assert room(mem.raw) <= 2 * (local + rate) + 16
    slots, raw = held(n, local, compressed, rate)
    assert torch.equal(mem.raw.v, x[raw]) and torch.equal(mem.compressed.v, x[torch.tensor(slots)].mean(1))


def test_a_long_prompt_at_once_leaves_no_long_buffer_behind():
    x = torch.randn(10_000, 2)
    for memory in (Hybrid(8, 4, 2), Hybrid(8, 4, 2, MostUsed()), Compressive(8, 4, 2), Hybrid(8, 0, 2)):
        mem = memory.init(KV(x, x))
        mem = memory.update(mem, KV(x, x)[:3], x[:3])
        mem = memory.update(mem, KV(x, x)[:900], x[:900])
        assert room(mem.raw) <= 40 and (not memory.compressed or room(mem.compressed) <= 40)


def test_a_step_copies_each_pair_a_constant_number_of_times():
    _, kv = sequence(n=640, dtype=torch.float32)
    memory, copied = Hybrid(64, 32, 4), 0
    mem = memory.update(memory.init(kv), kv)
    for t in range(640):
        before, mem = mem, memory.update(mem, kv[t : t + 1])
        for old, new in ((before.raw, mem.raw), (before.compressed, mem.compressed)):
            copied += 1 if new._room is old._room else new.n
    assert copied <= 4 * 640


@pytest.mark.parametrize(
    "memory",
    [Hybrid(4, 3, 2), Hybrid(3, 2, 2, MostUsed()), Compressive(4, 3, 2, segment=2), Compressive(4, 2, 2, MostUsed())],
    ids=str,
)
def test_a_saved_state_goes_on_as_if_it_had_not_been_saved(memory, tmp_path):
    q, kv = sequence(2, 3, n=20, dtype=torch.float32)
    mem = memory.update(memory.init(kv), kv[:12], q[..., :12, :])
    st.save(mem, tmp_path / "state.safetensors")
    back = st.load(tmp_path / "state.safetensors", memory.init(kv))
    for part in (12, 14, 16, 18):
        mem, back = (memory.update(one, kv[part : part + 2], q[..., part : part + 2, :]) for one in (mem, back))
        assert torch.equal(memory.slots(mem).v, memory.slots(back).v)
        assert torch.equal(memory.read(mem, q), memory.read(back, q))


def test_a_state_in_another_dtype_goes_on():
    q, kv = sequence(n=20, dtype=torch.float32)
    half, q_half = KV(kv.k.bfloat16(), kv.v.bfloat16()), q.bfloat16()
    for memory in (Hybrid(4, 3, 2), Hybrid(3, 2, 2, MostUsed()), Compressive(4, 3, 2, ConvPool(2, 4, 3))):
        mem = st.to(memory.update(memory.init(kv), kv, q), dtype=torch.bfloat16)
        mem = memory.update(mem, half, q_half)
        assert memory.slots(mem).v.dtype == torch.bfloat16 == memory.read(mem, q_half).dtype


def test_a_state_made_in_inference_mode_goes_on_outside_of_it():
    q, kv = sequence(n=20)
    for memory in (Hybrid(4, 3, 2, learned(2)), Hybrid(3, 2, 2, MostUsed()), Compressive(4, 3, 2)):
        with torch.inference_mode():
            mem = memory.update(memory.init(kv), kv[:11], q[:11])
        with torch.no_grad():
            got = memory.update(mem, kv[11:], q[11:])
        with torch.no_grad():
            want = memory.update(memory.update(memory.init(kv), kv[:11], q[:11]), kv[11:], q[11:])
        assert torch.equal(memory.slots(got).v, memory.slots(want).v)


def test_autocast_changes_the_digits_and_no_dtype():
    q, kv = sequence(2, n=40, dtype=torch.float32)
    pool = ConvPool(2, 4, 3)
    for memory in (Hybrid(4, 3, 2, pool), Hybrid(3, 2, 2, MostUsed()), Compressive(4, 3, 2, pool)):
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            got, mem = outputs(memory, q, kv), memory.update(memory.init(kv), kv, q)
            at_once = attend_all(memory, q, kv)
        assert memory.slots(mem).v.dtype == torch.float32
        if not memory.needs_queries:  # rounded scores may choose another pair
            close(got.float(), outputs(memory, q, kv), 5e-2), close(at_once.float(), got.float(), 5e-2)


def test_vmap_over_rows_is_a_batch_of_rows():
    q, kv = sequence(5, n=15)
    for memory in (Hybrid(4, 3, 2, learned(2)), Hybrid(3, 2, 2, MostUsed()), Compressive(4, 3, 2, count_bias=True)):

        def one(q, k, v, memory=memory):
            mem, out = memory.init(KV(k, v)), []
            for t in range(0, 15, 3):
                mem = memory.update(mem, KV(k, v)[t : t + 3], q[t : t + 3])
                out.append(memory.read(mem, q[t : t + 3]))
            return torch.cat(out)

        close(torch.vmap(one)(q, kv.k, kv.v), torch.stack([one(*row) for row in zip(q, kv.k, kv.v, strict=True)]))


# In the language model


def model(memory, conv=1, layers=2, positions="absolute"):
    torch.manual_seed(0)
    return LanguageModel(Config(dim=16, layers=layers, heads=2, conv=conv), memory, positions).double().eval()


def some(n, batch=1):
    return torch.randint(256, (batch, n), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("positions", ["absolute", "cache", "none"])
@pytest.mark.parametrize(
    "memory",
    [
        Hybrid(4, 3, 2),
        Compressive(4, 3, 2),
        Compressive(5, 2, 3, segment=3),
        Compressive(6, 0, 1, segment=4),
        Hybrid(3, 2, 2, MostUsed()),
        Compressive(4, 2, 2, MostUsed(), segment=3, count_bias=True),
    ],
    ids=str,
)
@torch.no_grad()
def test_a_model_that_streams_in_any_pieces_reads_what_it_reads_at_once(memory, positions):
    net, tokens = model(memory, conv=3, positions=positions), some(29, 2)
    want = net(tokens)
    for cuts in ([1] * 29, [7, 1, 12, 9], [29], [4, 4, 4, 4, 4, 4, 4, 1]):
        state, out = net.init(2), []
        for part in tokens.split(cuts, 1):
            logits, state = net.step(part, state)
            out.append(logits)
        close(torch.cat(out, 1), want, 1e-10)


def test_a_segment_that_is_open_is_not_moved_and_a_byte_asks_once():
    asked = []

    class Told(Compressive):
        def update(self, mem, new, q=None):
            asked.append(f"update {new.n}")
            return super().update(mem, new, q)

        def read(self, mem, q, new=None, lse=False):
            asked.append((q.shape[-2], new.n))
            return super().read(mem, q, new, lse)

    net = model(Told(4, 3, 2), layers=1)
    state = net.init(1)
    for part in some(7).split([1, 1, 1, 1, 3], 1):
        _, state = net.step(part, state)
    assert asked == [(1, 1), (1, 2), (1, 3), (1, 4), "update 4", (3, 3)]


def reached(net, n):
    """The oldest token that changes the last logits, and whether every later one does."""
    tokens = some(n).expand(n + 1, n).clone()
    tokens[torch.arange(n), torch.arange(n)] += 7
    with torch.no_grad():
        logits = net(tokens % 256)[:, -1]
    moved = (logits[:-1] - logits[-1]).abs().amax(-1) > 1e-13  # rows of a batch round differently
    return int(moved.nonzero()[0]), bool(moved[moved.nonzero()[0] :].all())


def oldest(seen, memory):
    slots, raw = held(seen, memory.local, memory.compressed, memory.rate)
    return (slots[0] if slots else raw or [0])[0]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("memory", [Hybrid(3, 2, 2), Hybrid(2, 3, 3), Hybrid(4, 1, 4, MaxPool())], ids=str)
@pytest.mark.parametrize("conv", [1, 4])
def test_reach_grows_with_the_layers_to_the_border_and_not_beyond(memory, layers, conv):
    n = 60
    at, spans = n - 1, 0
    for _ in range(layers):  # what a layer reads, and what the convolution before it adds
        begin = oldest(at + 1, memory)
        waiting = (at + 1 - memory.local) % memory.rate
        spans += memory.local + memory.rate * memory.compressed + waiting - 1
        at = begin - (conv - 1)
    assert n - 1 - at == spans + layers * (conv - 1)
    assert reached(model(memory, conv, layers), n) == (at, True)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(
    "memory", [Compressive(4, 3, 4), Compressive(8, 2, 2, segment=4), Compressive(6, 0, 2)], ids=str
)
def test_reach_by_segments_is_layers_times_local_and_rate_times_compressed(memory, layers):
    segment, span = memory.segment, memory.local + memory.rate * memory.compressed
    n = 16 * segment
    net = model(memory, 1, layers)
    assert reached(net, n) == (n - segment - layers * span, True)
    assert reached(net, n - segment + 1)[0] == n - segment - layers * span  # and so does the segment's first token


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("memory", [Compressive(4, 3, 4), Compressive(5, 2, 3, segment=3)], ids=str)
def test_a_convolution_lets_a_layer_reach_a_segment_further(memory, layers):
    n, at = 84, 83
    for _ in range(layers):
        start = at // memory.segment * memory.segment
        at = oldest(start, memory) - 3  # the oldest pair was made of bytes of the segment before, and of what that read
    assert reached(model(memory, 4, layers), n) == (at, True)


def test_the_projections_of_a_model_go_on_learning_after_the_memory_has_moved():
    net, tokens = model(Compressive(4, 3, 2), layers=2), some(32, 2)
    optimizer, state = torch.optim.SGD(net.parameters(), 0.1), net.init(2)
    for part in tokens.split(4, 1):
        before = [block.qkv.weight.detach().clone() for block in net.blocks]
        logits, state = net.step(part, state)
        optimizer.zero_grad()
        F.cross_entropy(logits[:, :-1].flatten(0, 1), part[:, 1:].flatten()).backward()  # no graph of older segments
        optimizer.step()
        for block, old in zip(net.blocks, before, strict=True):
            weight = block.qkv.weight
            assert weight.is_leaf and weight.requires_grad
            moved = (weight - old).abs().unflatten(0, (3, -1)).amax((1, 2))  # q, k and v each
            assert (moved > 0).all()
        state = State(state.memories, tuple(tail.detach() for tail in state.tails), state.position)


def test_a_model_without_a_stop_learns_its_pools_through_time():
    for stop in (True, False):
        net = model(Compressive(4, 3, 2, ConvPool(2, 8).double(), stop=stop))
        net(some(24)).square().mean().backward()
        pools = [part.k.weight.grad for part in net.learned]
        assert len(pools) == 2 and all((one is None) == stop for one in pools)
        assert pools[0] is None or not torch.equal(*pools)  # each layer has its own


# A learner's pool, and what is refused


def test_a_plain_function_is_a_pool():
    def first(old, rate):
        return old[torch.arange(0, old.n, rate)]

    q, kv = sequence(2, n=300)
    memory = Hybrid(3, 4, 2, first)
    got = recipe(memory, kv.k[0, :T])[-1]
    slots, raw = held(T, 3, 4, 2)
    assert torch.equal(got, torch.eye(T, dtype=torch.float64)[[group[0] for group in slots] + raw])
    close(attend_all(memory, q, kv), outputs(memory, q, kv))
    close(
        outputs(Compressive(3, 4, 2, lambda old, rate: MeanPool()(old, rate)), q, kv),
        outputs(Compressive(3, 4, 2), q, kv),
    )


def test_a_pool_may_weigh_its_slots_by_a_bias():
    def counted(old, rate):
        new = MeanPool()(old, rate)
        return KV(new.k, new.v, new.k.new_full(new.k.shape[:-1], math.log(rate)))

    q, kv = sequence(2, n=30)
    for kind in (Hybrid, Compressive):
        want = kind(3, 4, 2, count_bias=True)
        for form in (outputs, attend_all):
            close(form(kind(3, 4, 2, counted), q, kv), form(want, q, kv))
        often = kind(3, 4, 2, counted, count_bias=True)
        mem = often.update(often.init(kv), kv)
        close(often.slots(mem).bias[..., :4], torch.full((2, 4), math.log(4), dtype=torch.float64))


@pytest.mark.parametrize(
    "pool, got",
    [
        (lambda old, rate: old, "got KV\\(n=2,"),
        (lambda old, rate: old[:0], "got KV\\(n=0,"),
        (lambda old, rate: old.k.mean(-2), "got 'Tensor'"),
        (lambda old, rate: (old.k[:1], old.v[:1]), "got 'tuple'"),
        (lambda old, rate: None, "got 'NoneType'"),
        (lambda old, rate: KV(old.k[:1, :2], old.v[:1]), r"got KV\(n=1, k=\[1, 2\]"),
        (lambda old, rate: KV(old.k[:1].float(), old.v[:1].float()), "float32"),
    ],
)
def test_a_pool_that_makes_something_else_is_named(pool, got):
    q, kv = sequence()
    for memory in (Hybrid(3, 2, 2, pool), Compressive(3, 2, 2, pool, segment=1)):
        words = r"pool: <function .* must make of KV\(n=2, .*\) at rate 2 a KV of 1 pairs.*"
        with pytest.raises(ValueError, match=words + got):
            outputs(memory, q, kv)


@pytest.mark.parametrize("kind", [Hybrid, Compressive])
@pytest.mark.parametrize("bad", [-1, 2.0, True, "4", None, float("nan")])
def test_sizes_that_are_no_whole_numbers_are_refused(kind, bad):
    name = kind.__name__
    with pytest.raises(ValueError, match=f"{name}: local must be a whole number >= 1, got {bad!r}"):
        kind(bad, 2, 2)
    with pytest.raises(ValueError, match=f"{name}: compressed must be a whole number >= 0, got {bad!r}"):
        kind(4, bad, 2)
    with pytest.raises(ValueError, match=f"{name}: rate must be a whole number >= 1, got {bad!r}"):
        kind(4, 2, bad)
    if bad is not None:
        with pytest.raises(ValueError, match=f"Compressive: segment must be a whole number >= 1, got {bad!r}"):
            Compressive(4, 2, 2, segment=bad)


def test_other_bad_arguments_are_named():
    for kind in (Hybrid, Compressive):
        name = kind.__name__
        with pytest.raises(ValueError, match=f"{name}: local must be .* >= 1, got 0"):
            kind(0, 2, 2)
        with pytest.raises(ValueError, match=f"{name}: rate must be .* >= 1, got 0"):
            kind(4, 2, 0)
        with pytest.raises(ValueError, match=f"{name}: pool must be a function .* got 'mean'"):
            kind(4, 2, 2, "mean")
        with pytest.raises(ValueError, match=f"{name}: pool must be a function .* such as MeanPool\\(\\), got <class"):
            kind(4, 2, 2, MeanPool)
        with pytest.raises(ValueError, match=f"{name}: rate is 2, but the pool was made for rate 4"):
            kind(4, 2, 2, ConvPool(4, 5))
        for flag in ("count_bias", *(["stop"] if kind is Compressive else [])):
            with pytest.raises(ValueError, match=f"{name}: {flag} must be True or False, got 'no'"):
                kind(4, 2, 2, **{flag: "no"})
    with pytest.raises(ValueError, match="Compressive: segment must be at most local = 4, got 5"):
        Compressive(4, 2, 2, segment=5)


@pytest.mark.parametrize("memory", [Hybrid(3, 2, 2), Compressive(3, 2, 2), Hybrid(3, 0, 2)], ids=str)
def test_pairs_and_queries_that_do_not_fit_are_refused_in_mid_stream(memory):
    q, kv = sequence(2)
    mem = memory.update(memory.init(kv), kv)
    for other in (sequence(3)[1], sequence(2, d=5)[1], sequence(2, e=4)[1], sequence(2, dtype=torch.float32)[1]):
        with pytest.raises(ValueError, match="append: new must be pairs like the old ones"):
            memory.update(mem, other)
        with pytest.raises(ValueError, match="new must be pairs like the old ones"):
            memory.read(mem, q, other)
        if isinstance(memory, Hybrid):
            for state in (mem, memory.init(kv)):
                with pytest.raises(ValueError, match="new must be pairs like the old ones"):
                    attend_all(memory, torch.zeros_like(other.k), other, state)
    for bad in (torch.ones(2, 3, 4).long(), q[..., :2], q.expand(3, 2, T, 4), q.float()):
        with pytest.raises(ValueError, match="q must be"):
            memory.read(mem, bad)
        with pytest.raises(ValueError, match="q must be"):
            memory.read(mem, bad[..., :1, :])
    with pytest.raises(ValueError, match="new holds 5 pairs, wanted one for each of the 24 queries"):
        memory.read(mem, q, kv[:5])
    with pytest.raises(TypeError, match="k must be a tensor of floats, got a tensor .* of int64"):
        memory.update(mem, KV(kv.k.long(), kv.v.long()))
    with pytest.raises(ValueError, match="without a bias"):
        memory.update(mem, KV(kv.k, kv.v, kv.k[..., 0]))


def test_no_pairs_and_no_queries_are_no_trouble():
    q, kv = sequence(2)
    for memory in (Hybrid(3, 2, 2), Compressive(3, 2, 2), Hybrid(3, 2, 2, MostUsed()), Hybrid(3, 0, 2)):
        mem = memory.update(memory.init(kv), kv, q)
        assert memory.read(mem, q[:, :0]).shape == (2, 0, 3) == attend_all(memory, q[:, :0], kv[:0], mem).shape
        assert torch.equal(memory.slots(memory.update(mem, kv[:0], q[:, :0])).v, memory.slots(mem).v)
