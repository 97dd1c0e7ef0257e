"""What every memory owes, each as a function that anybody can run: `check(memory)` does, and the tests do.

A law is given a memory and a `Sample`, and raises `Broken`, a sentence, where it does not hold. Which laws a memory is
held to follows from what it promises (`memlib.promises`): a promise that is False exempts it, one that is None is not
promised, and then `check` tries it and says what it found.
"""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from memlib import state as states_of
from memlib.attention import attend, merge
from memlib.holding import modules, unstopped
from memlib.kv import KV
from memlib.memory import promises, updated
from memlib.replay import attend_all, outputs, states, walk, walked

CLOSE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


class Broken(AssertionError):
    """A law that does not hold, in a sentence."""


@dataclass(frozen=True)
class Sample:
    """Seeded tokens: n queries and keys of width d, values of width e with a mean of 1, since a mean shows drift."""

    d: int = 5
    e: int = 3
    seed: int = 0
    n: int = 11

    def tokens(self, *lead: int, n: int | None = None, dtype=torch.float64, device="cpu") -> tuple[Tensor, KV]:
        """(q [*lead, n, d], KV)."""
        draw = torch.Generator().manual_seed(self.seed)
        shape = (*lead, self.n if n is None else n)
        q, k = (torch.randn(*shape, self.d, generator=draw, dtype=torch.float64, device="cpu") for _ in range(2))
        v = torch.randn(*shape, self.e, generator=draw, dtype=torch.float64, device="cpu") + 1
        return q.to(device, dtype), KV(k.to(device, dtype), v.to(device, dtype))


@dataclass(frozen=True)
class Law:
    """holds: raises `Broken` where it does not; promise: the one that it rests on, if any."""

    name: str
    holds: Callable[[object, Sample], None]
    promise: str | None = None
    slow: bool = False  # a second or more

    def binds(self, memory) -> bool | None:
        """Whether the memory owes it; None where it is not promised."""
        return True if self.promise is None else getattr(promises(memory), self.promise)


LAWS: dict[str, Law] = {}


def law(promise: str | None = None, slow: bool = False):
    """Puts a function into LAWS, under its own name in words."""

    def put(holds):
        LAWS[holds.__name__] = Law(holds.__name__.replace("_", " "), holds, promise, slow)
        return holds

    return put


def alike(what: str, got: Tensor, want: Tensor, tolerance: float = 1e-12) -> None:
    """Raises `Broken` unless the two agree."""
    if got.shape != want.shape or not torch.allclose(got, want, rtol=tolerance, atol=tolerance, equal_nan=False):
        off = "in shape" if got.shape != want.shape else f"by up to {(got - want).abs().max().item():.2g}"
        raise Broken(f"{what}: they differ {off}")


def owed(good, sentence: str) -> None:
    """Raises `Broken` unless it is good."""
    if not good:
        raise Broken(sentence)


def last(memory, kv: KV, q: Tensor | None = None):
    """The state after all pairs, walked."""
    return states(memory, kv, q if promises(memory).needs_queries else None)[-1]


def pace(memory) -> int:
    """Tokens after which a sequence may be cut: a segment, or one."""
    return promises(memory).segment or 1


@law("chunkable")
def a_chunk_at_once_is_the_same_as_its_pairs_one_by_one(memory, sample: Sample) -> None:
    """From the empty memory and from a state, in odd sizes."""
    q, kv = sample.tokens(2)
    want = memory.slots(last(memory, kv, q))
    for sizes in ((1, kv.n - 1), (3, kv.n - 3), (kv.n - 1, 1), (2, 1, 3, kv.n - 6)):
        mem, cut = memory.init(kv), 0
        for size in sizes:
            part = slice(cut, cut + size)
            mem, cut = updated(memory, mem, kv[part], q[:, part]), cut + size
        got = memory.slots(mem)
        alike(f"values after pieces of {sizes} pairs", got.v, want.v)
        alike(f"keys after pieces of {sizes} pairs", got.k, want.k)


@law()
def the_future_does_not_matter(memory, sample: Sample) -> None:
    """Reads of six tokens, alone and with others behind them."""
    q, kv = sample.tokens()
    short = outputs(memory, q[:6], kv[:6])
    alike("six tokens step by step", outputs(memory, q, kv)[:6], short)
    alike("six tokens at once", attend_all(memory, q, kv)[:6], short)


@law()
def rows_of_a_batch_and_heads_do_not_mix(memory, sample: Sample) -> None:
    """[2, 3] in front, and each by itself."""
    q, kv = sample.tokens(2, 3)
    for form in (outputs, attend_all):
        together = form(memory, q, kv)
        for b, h in ((0, 0), (0, 2), (1, 1)):
            alone = form(memory, q[b, h], KV(kv.k[b, h], kv.v[b, h]))
            alike(f"row {b}, head {h}", together[b, h], alone)


@law()
def attention_does_not_care_in_which_order_the_slots_stand(memory, sample: Sample) -> None:
    """The slots, shuffled."""
    q, kv = sample.tokens()
    slots = memory.slots(last(memory, kv, q))
    mixed = slots[torch.randperm(slots.n, generator=torch.Generator().manual_seed(1), device="cpu").to(slots.k.device)]
    alike("the slots in another order", attend(q, mixed), attend(q, slots))


@law("softmax")
def a_read_is_attention_over_the_slots(memory, sample: Sample) -> None:
    """With its log-sum-exp and without."""
    q, kv = sample.tokens(2)
    mem = last(memory, kv, q)
    (out, lse), (want, want_lse) = memory.read(mem, q, lse=True), attend(q, memory.slots(mem), lse=True)
    alike("a read with its log-sum-exp", out, want)
    alike("its log-sum-exp", lse, want_lse)
    alike("a read", memory.read(mem, q), want)


@law("merges")
def new_pairs_are_read_causally_behind_the_slots(memory, sample: Sample) -> None:
    """`new`, one token after the other, behind the empty memory and behind a state: what is held, merged with it."""
    q, kv = sample.tokens(2)
    for cut in (0, 1, 6):
        mem = last(memory, kv[:cut], q[:, :cut]) if cut else memory.init(kv)
        (out, lse), plain = (
            memory.read(mem, q[:, cut:], new=kv[cut:], lse=True),
            memory.read(mem, q[:, cut:], new=kv[cut:]),
        )
        for i in range(kv.n - cut):
            one = q[:, cut + i : cut + i + 1]
            want = merge(memory.read(mem, one, lse=True), attend(one, kv[cut : cut + i + 1], lse=True))
            alike(f"token {i} of new", plain[:, i : i + 1], want[0])
            alike(f"token {i} of new with its log-sum-exp", out[:, i : i + 1], want[0])
            alike(f"the log-sum-exp of token {i} of new", lse[:, i : i + 1], want[1])


@law("convex")
def outputs_stay_in_the_hull_of_the_values(memory, sample: Sample) -> None:
    """Between the least and the largest value; an empty read is 0."""
    q, kv = sample.tokens()
    out = outputs(memory, q, kv)
    some = out.any(-1)
    owed(some[4:].all(), "after four tokens a read is still empty")
    inside = (out[some] <= kv.v.max(0).values + 1e-12) & (out[some] >= kv.v.min(0).values - 1e-12)
    owed(inside.all(), "a read lies outside of all values")


@law("bounded")
def the_state_stays_bounded_for_ever(memory, sample: Sample) -> None:
    """300 tokens: the last third of the states is no larger than the one before."""
    q, kv = sample.tokens(n=300)
    held = states(memory, kv, q if promises(memory).needs_queries else None)
    sizes = [states_of.state_bytes(mem) for mem in held]
    third = len(sizes) // 3  # a state a token, or a segment
    owed(max(sizes[third:]) == max(sizes[-third:]) == max(sizes[third:-third]), f"it grows to {max(sizes)} bytes")


@law()
def old_states_are_left_as_they_were(memory, sample: Sample) -> None:
    """What each state showed when it was new it shows at the end."""
    q, kv = sample.tokens()
    seen = [(mem, memory.slots(mem).k.clone(), memory.slots(mem).v.clone()) for mem, _ in walk(memory, q, kv)]
    for t, (mem, k, v) in enumerate(seen):
        now = memory.slots(mem)
        owed(torch.equal(now.k, k) and torch.equal(now.v, v), f"the state of step {t} was changed by a later one")


@law()
def one_state_can_be_continued_twice(memory, sample: Sample) -> None:
    """The second way does not reach into the first."""
    q, kv = sample.tokens()
    mem = last(memory, kv[:6], q[:6])
    once, twice = (updated(memory, mem, part, q[6:8]) for part in (kv[6:8], kv[8:10]))
    fresh = updated(memory, last(memory, kv[:6], q[:6]), kv[6:8], q[6:8])
    owed(torch.equal(memory.slots(once).v, memory.slots(fresh).v), "a state that was continued twice is another")
    owed(not torch.equal(memory.slots(once).v, memory.slots(twice).v), "two ways on lead to one state")


@law()
def a_state_can_be_copied_pickled_and_saved(memory, sample: Sample) -> None:
    """Bit by bit, and the copy goes on as the state does."""
    q, kv = sample.tokens(2, dtype=next((p.dtype for m in modules(memory) for p in m.parameters()), torch.float32))
    mem = states_of.detach(last(memory, kv, q))
    with tempfile.TemporaryDirectory() as folder:
        states_of.save(mem, Path(folder, "state"))
        loaded = states_of.load(Path(folder, "state"), memory.init(kv))
    for how, other in (
        ("copied", copy.deepcopy(mem)),
        ("pickled", pickle.loads(pickle.dumps(mem))),
        ("saved", loaded),
    ):
        found, wanted = (dict(states_of.leaves(x)) for x in (other, mem))
        same = found.keys() == wanted.keys() and all(_equal(found[name], wanted[name]) for name in wanted)
        owed(same, f"a {how} state is another")
        a, b = (updated(memory, x, kv[:2], q[:, :2]) for x in (other, mem))
        owed(torch.equal(memory.slots(a).v, memory.slots(b).v), f"a {how} state goes on another way")


def _equal(a, b) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and a == b


@law()
def a_memory_can_be_copied(memory, sample: Sample) -> None:
    """`copy.deepcopy`: the same reads."""
    q, kv = sample.tokens()
    alike("reads of a copy", outputs(copy.deepcopy(memory), q, kv), outputs(memory, q, kv))


@law()
def all_positions_at_once_equal_the_replay(memory, sample: Sample) -> None:
    """From the empty memory, and from a state, by few tokens and by many; cut between segments where there are such."""
    q, kv = sample.tokens(2, n=300)
    want = outputs(memory, q, kv)
    alike("from the empty memory", attend_all(memory, q, kv), want)
    step = pace(memory)
    for cut in (step, 2 * step, 7 * step, 150 // step * step):
        mem = last(memory, kv[:cut], q[:, :cut])
        for end in (cut + 1, cut + 2, cut + step + 3, kv.n):
            got = attend_all(memory, q[:, cut:end], kv[cut:end], mem)
            alike(f"{end - cut} tokens from the state after {cut}", got, want[:, cut:end])


@law("merges")
def log_sum_exps_of_all_positions_equal_the_replay(memory, sample: Sample) -> None:
    """From the empty memory and from a state, with the reads."""
    q, kv = sample.tokens(2, n=20)
    step = pace(memory)
    for cut in (0, step, 2 * step):
        mem = last(memory, kv[:cut], q[:, :cut]) if cut else None
        want = walked(memory, q[:, cut:], kv[cut:], mem, lse=True)
        got = attend_all(memory, q[:, cut:], kv[cut:], mem, lse=True)
        for name, a, b in zip(("reads", "log-sum-exps"), got, want, strict=True):
            alike(
                f"{name} from the state after {cut} tokens",
                a.masked_fill(a == -torch.inf, 0),
                b.masked_fill(b == -torch.inf, 0),
            )


@law()
def gradients_of_both_forms_agree(memory, sample: Sample) -> None:
    """For queries, keys, values and what is learned."""
    q, kv = sample.tokens(n=9)
    learned = [p for part in modules(memory) for p in part.parameters()]
    grads = []
    for form in (outputs, attend_all):
        leaf = [x.clone().requires_grad_() for x in (q, kv.k, kv.v)]
        loss = form(memory, leaf[0], KV(*leaf[1:])).square().sum()
        found = torch.autograd.grad(loss, [*leaf, *learned], allow_unused=True)
        grads.append([torch.zeros_like(x) if g is None else g for g, x in zip(found, [*leaf, *learned], strict=True)])
    for name, a, b in zip(["q", "k", "v"] + ["a learned part"] * len(learned), *grads, strict=True):
        alike(f"gradients of {name}", a, b)


@law()
def gradients_reach_back_into_the_state(memory, sample: Sample) -> None:
    """Of reads after a state, for the pairs in it, whether or not the new ones have a gradient: as step by step."""
    memory = unstopped(memory)
    q, kv = sample.tokens(n=10)
    cut = 2 * pace(memory)
    for old_only in (False, True):
        grads = []
        for form in (walked, attend_all):
            k, v = (x.clone().requires_grad_() for x in (kv.k, kv.v))
            rest = kv if old_only else KV(k, v)
            mem = last(memory, KV(k[:cut], v[:cut]), q[:cut])
            if form is attend_all and promises(memory).chunkable:
                mem = updated(memory, memory.init(kv), KV(k[:cut], v[:cut]), q[:cut])
            loss = form(memory, q[cut:], rest[cut:], mem).square().sum()
            grads.append(torch.autograd.grad(loss, (k, v), allow_unused=True, materialize_grads=True))
        for name, a, b in zip("kv", *grads, strict=True):
            alike(f"gradients of {name} in the state", b, a)


@law()
def forward_and_backward_derivatives_agree(memory, sample: Sample) -> None:
    """By the values, through both forms."""
    q, kv = sample.tokens(n=7)
    for form in (outputs, attend_all):

        def read(v, form=form):
            return form(memory, q, KV(kv.k, v))

        alike("derivatives", torch.func.jacfwd(read)(kv.v), torch.func.jacrev(read)(kv.v))


@law()
def a_stream_without_gradients_holds_no_graph(memory, sample: Sample) -> None:
    """Parts to be learned have a history, unless gradients are off."""
    q, kv = sample.tokens(n=40)
    with torch.set_grad_enabled(not modules(memory)):
        mem = last(memory, kv, q)
    for name, x in states_of.leaves(mem):
        owed(not isinstance(x, Tensor) or x.grad_fn is None, f"{name} of the state holds a graph")


@law()
def an_empty_memory_reads_nothing(memory, sample: Sample) -> None:
    """0, with lse -inf where it gives one; no slots; no queries and no batch are no trouble."""
    q, kv = sample.tokens(2)
    mem = memory.init(kv)
    out = memory.read(mem, q)
    owed(out.shape == (*q.shape[:-1], sample.e) and not out.any(), "an empty memory is read as something")
    owed(memory.slots(mem).n == 0, "an empty memory has slots")
    owed(outputs(memory, q[:, :0], kv[:0]).shape == (2, 0, sample.e), "no tokens are read as something")
    owed(outputs(memory, q[:0], KV(kv.k[:0], kv.v[:0])).shape == (0, kv.n, sample.e), "an empty batch is no batch")
    owed(memory.read(last(memory, kv, q), q[:, :0]).shape == (2, 0, sample.e), "no queries are read as something")
    if promises(memory).merges:
        owed((memory.read(mem, q, lse=True)[1] == -torch.inf).all(), "the log-sum-exp of an empty memory is not -inf")


@law()
def dtype_and_device_are_kept(memory, sample: Sample, device: str = "cpu") -> None:
    """In float32, float64, bfloat16 and float16, near the result in float64."""
    q, kv = sample.tokens(2)
    want = outputs(memory, q, kv)
    for dtype, tolerance in CLOSE.items():
        if device == "mps" and dtype == torch.float64:
            continue  # the device has no float64
        q_, kv_ = sample.tokens(2, dtype=dtype, device=device)
        for form in (outputs, attend_all):
            out = form(memory, q_, kv_)
            owed(out.dtype == dtype and out.device.type == device, f"{dtype} comes back as {out.dtype} on {out.device}")
            alike(f"in {dtype}", out.double().cpu(), want, tolerance)
        for name, x in states_of.leaves(last(memory, kv_, q_)):
            owed(not isinstance(x, Tensor) or x.device.type == device, f"{name} of the state lies elsewhere")


@law()
def autocast_changes_nothing(memory, sample: Sample) -> None:
    """Where the library means float32 it computes in float32, also under bfloat16 autocast."""
    parts = [p.dtype for part in modules(memory) for p in part.parameters()]
    q, kv = sample.tokens(2, dtype=parts[0] if parts else torch.float32)
    for form in (outputs, attend_all):
        want = form(memory, q, kv)
        with torch.autocast("cpu", torch.bfloat16):
            alike("under autocast", form(memory, q, kv), want, 1e-6)


@law()
def zero_keys_and_queries_are_no_trouble(memory, sample: Sample) -> None:
    """Finite reads and gradients; those of a zero key are the same step by step and whole."""
    q, kv = sample.tokens(n=7)
    k, faint = kv.k.clone(), q.clone()
    k[1], faint[3] = 0, 0
    for asked in (q, faint):
        grads = []
        for form in (outputs, attend_all):
            leaf = [x.clone().requires_grad_() for x in (asked, k, kv.v)]
            out = form(memory, leaf[0], KV(*leaf[1:]))
            owed(out.isfinite().all(), "a zero key or query makes a read that is not finite")
            grads.append(torch.autograd.grad(out.square().sum(), leaf, allow_unused=True, materialize_grads=True))
            owed(all(g.abs().max() < 1e4 for g in grads[-1]), "a zero key or query makes a gradient that explodes")
        for name, a, b in zip("qkv", *grads, strict=True) if asked is q else ():  # a zero query finds all keys alike
            alike(f"gradients of {name}", a, b, 1e-9)


@law()
def a_mapped_memory_reads_each_row_by_itself(memory, sample: Sample) -> None:
    """Under `torch.func.vmap`, step by step and whole."""
    q, kv = sample.tokens(3, n=6)
    for form in (outputs, attend_all):
        got = torch.func.vmap(lambda q, k, v, form=form: form(memory, q, KV(k, v)))(q, kv.k, kv.v)
        alike("mapped", got, form(memory, q, kv))


class Whole(nn.Module):
    """A memory's reads of a whole sequence, and of one more token, as a module of tensors."""

    def __init__(self, memory):
        super().__init__()
        self.memory, self.parts = memory, nn.ModuleList(modules(memory))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(all outputs but the newest, what a read gives after one update)."""
        memory, kv = self.memory, KV(k, v)
        out = attend_all(memory, q[:, 1:], kv[1:])
        mem = updated(memory, memory.init(kv), kv[:1], q[:, :1])
        return out, memory.read(mem, q[:, :1])


@law(slow=True)
def it_compiles_to_one_graph(memory, sample: Sample) -> None:
    """`torch.compile(fullgraph=True)`: no branch on the numbers of a tensor, in a step and in the whole form."""
    q, kv = sample.tokens(2, n=6)
    torch._dynamo.reset()
    compiled = torch.compile(Whole(memory), fullgraph=True, backend="eager")(q, kv.k, kv.v)
    for got, want in zip(compiled, Whole(memory)(q, kv.k, kv.v), strict=True):
        alike("compiled", got, want)


@law(slow=True)
def it_can_be_exported(memory, sample: Sample) -> None:
    """`torch.export`, of a step and of the whole form."""
    q, kv = sample.tokens(2, n=6)
    exported = torch.export.export(Whole(memory), (q, kv.k, kv.v)).module()
    for got, want in zip(exported(q, kv.k, kv.v), Whole(memory)(q, kv.k, kv.v), strict=True):
        alike("exported", got, want)


@law()
def bad_input_is_named(memory, sample: Sample) -> None:
    """Pairs of other leading sizes in mid-stream, NaN with its place, too few queries."""
    q, kv = sample.tokens()
    spoilt = kv.k.clone()
    spoilt[3, 1] = torch.nan
    other = sample.tokens(2)
    for words, do in (
        ("append: new must be", lambda: updated(memory, last(memory, kv, q), other[1], other[0])),
        ("must be", lambda: attend_all(memory, *other, last(memory, kv, q))),
        ("k must be finite, got nan at position [3, 1]", lambda: outputs(memory, q, KV(spoilt, kv.v))),
        ("one query for each pair", lambda: outputs(memory, q[:5], kv)),
    ):
        try:
            do()
        except ValueError as error:
            owed(words in str(error), f"wanted an error that says {words!r}, got {error}")
        else:
            raise Broken(f"wanted an error that says {words!r}, got none")


def on_trial(memory, sample: Sample) -> list[tuple[Law, bool | None, str]]:
    """Each law, whether the memory owes it (None: not promised), and what is wrong ("": it holds).

    Laws of which it says that they do not hold are left out, and slow ones.
    """
    found = []
    for one in LAWS.values():
        if one.slow or one.binds(memory) is False:
            continue
        try:
            one.holds(memory, sample)
        except Exception as error:  # a learner's memory may raise anything
            found.append((one, one.binds(memory), str(error) or type(error).__name__))
        else:
            found.append((one, one.binds(memory), ""))
    return found
