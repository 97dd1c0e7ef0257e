"""What every memory owes, on every memory there is; and that each law can be broken."""

from dataclasses import dataclass

import pytest
import torch
from examples import EVERY, MEMORIES, UNLIMITED, WIDTH
from torch.utils._python_dispatch import TorchDispatchMode

import memlib
from memlib import KV, Full, Ladder, Memory, Recurrent, Window, attend_all, check, outputs, promises, states
from memlib.holding import modules
from memlib.laws import LAWS, Broken, Sample, alike
from memlib.memory import READS, STEPS, UPDATES, WHOLE, frozen
from memlib.parts.states import WindowState
from memlib.state import leaves

SAMPLE = Sample(*WIDTH)
DEVICES = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
FIRST = {type(make()): name for name, make in reversed(MEMORIES.items())}  # the first example of each class

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*is not implemented for some backends:UserWarning",
    "ignore:There is a performance drop because we have not yet implemented the batching rule:UserWarning",
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning",
)


def cases():
    """Slow laws on every example, or on one of each class."""
    for title, law in LAWS.items():
        for name, make in MEMORIES.items():
            if law.binds(make()) and (EVERY or not law.slow or FIRST[type(make())] == name):
                yield pytest.param(law, make, id=f"{title}-{name}")


@pytest.mark.parametrize("law, make", list(cases()))
def test_a_law_holds(law, make):
    law.holds(make(), SAMPLE)


if DEVICES:

    @pytest.mark.parametrize("device", DEVICES)
    @pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not modules(make())])
    def test_dtype_and_device_are_kept_there(name, device):
        LAWS["dtype_and_device_are_kept"].holds(MEMORIES[name](), SAMPLE, device)


@pytest.mark.parametrize("name", UNLIMITED)
def test_without_a_limit_it_is_full_attention(name):
    q, kv = SAMPLE.tokens(2)
    for form in (outputs, attend_all):
        alike("without a limit", form(UNLIMITED[name](), q, kv), attend_all(Full(), q, kv))


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if make().takes_bias])
def test_a_bias_on_the_scores_counts_in_both_forms(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2, n=20)
    kv = KV(kv.k, kv.v, torch.linspace(-2, 2, 20, dtype=torch.float64).expand(2, 20))
    alike("with a bias", attend_all(memory, q, kv), outputs(memory, q, kv))
    one_slot = getattr(memory, "size", 2) == 1
    assert one_slot or (outputs(memory, q, kv) - outputs(memory, q, KV(kv.k, kv.v))).abs().max() > 1e-3


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not make().takes_bias])
def test_a_bias_that_could_not_be_honoured_is_refused(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens()
    biased = KV(kv.k, kv.v, torch.zeros(kv.n, dtype=torch.float64))
    for form in (outputs, attend_all):
        with pytest.raises(ValueError, match="without a bias"):
            form(memory, q, biased)


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not promises(make()).merges])
def test_a_log_sum_exp_is_refused_where_there_is_none(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens()
    for ask in (lambda: memory.read(memory.init(kv), q, lse=True), lambda: attend_all(memory, q, kv, lse=True)):
        with pytest.raises(ValueError, match="lse must be False"):
            ask()


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not promises(make()).merges])
def test_a_segment_is_read_causally_where_there_is_no_log_sum_exp_too(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2)
    for cut in (0, 1, 6):
        mem = states(memory, kv[:cut])[-1] if cut else memory.init(kv)
        got = memory.read(mem, q[:, cut:], new=kv[cut:])
        for end in range(cut + 1, kv.n):
            alike("the first of new", memory.read(mem, q[:, cut:end], new=kv[cut:end]), got[:, : end - cut])
        if promises(memory).rows and not hasattr(memory, "near"):
            alike("new, step by step", got, outputs(memory, q[:, cut:], kv[cut:], mem))
        for end in range(cut + 1, kv.n):  # each query reads its own token
            v = kv.v.clone()
            v[:, end - 1] += 1
            assert (memory.read(mem, q[:, cut:], new=KV(kv.k, v)[cut:]) - got)[:, end - cut - 1].abs().max() > 1e-6


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if not modules(make())])
def test_the_repr_of_a_memory_is_what_one_would_type(name):
    memory = MEMORIES[name]()
    assert repr(eval(repr(memory), dict(vars(memlib)))) == repr(memory)


def test_every_class_has_an_example_and_promises_all_it_is_asked_for():
    classes = {cls for cls in vars(memlib).values() if isinstance(cls, type) and issubclass(cls, Memory)} - {Memory}
    assert set(FIRST) == classes
    for make in MEMORIES.values():
        assert None not in (promises(make()).convex, promises(make()).bounded, promises(make()).chunkable), make()


# Each law can be broken: a window with one thing wrong, and the law that says so.


class Lossy(WindowState):
    """A state of which a copy is another."""

    def __deepcopy__(self, memo):
        return WindowState(self.first, KV(self.newest.k, self.newest.v * 2))

    def __reduce__(self):
        return WindowState, (self.first, KV(self.newest.k, self.newest.v * 3))


class Backwards(torch.autograd.Function):
    """x, with another derivative forwards than backwards."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad

    @staticmethod
    def jvp(ctx, x):
        return 2 * x


@frozen
class Faulty(Window):
    fault: str = ""

    convex = bounded = chunkable = True

    def __deepcopy__(self, memo):
        return Faulty(2 if self.fault == "a copy of another size" else self.size, fault=self.fault)

    def init(self, like):
        mem = super().init(like)
        if self.fault == "full at first":
            return mem._replace(newest=KV(like.k[..., :1, :], like.v[..., :1, :]))
        if self.fault == "begins with the end" and like.n:
            return mem._replace(newest=KV(like.k[..., -1:, :], like.v[..., -1:, :]))
        return mem

    def update(self, mem, new, q=None):
        fault, newest = self.fault, mem.newest
        if fault == "one of many":
            new = new[-1:]
        if fault == "values of many turned":
            new = KV(new.k, new.v.flip(-2))
        if fault == "keys of many turned":
            new = KV(new.k.flip(-2), new.v)
        if fault == "rows mixed" and new.k.dim() > 2:
            new = KV(new.k, new.v.flip(0))
        if fault == "nothing forgotten":
            return mem._replace(newest=newest.append(new))
        if fault == "nothing written" and newest.n:
            return mem
        if fault in ("writes into its keys", "writes into its values") and newest.n:
            (newest.k if fault.endswith("keys") else newest.v).data.mul_(2)
        if fault == "tells ways apart":  # by what it was asked before
            WAYS.append(0)
            new = KV(new.k, new.v + len(WAYS))
        if fault == "holds a graph":
            new = KV(new.k, new.v * torch.ones((), requires_grad=True))
        if fault == "takes anything" and newest.n and newest.k.shape[:-2] != new.k.shape[:-2]:
            return mem
        if fault == "in single precision":
            new = KV(new.k.float().to(new.k.dtype), new.v.float().to(new.v.dtype))
        mem = super().update(mem, new, q)
        return Lossy(*mem) if fault == "copied otherwise" else mem

    def read(self, mem, q, new=None, lse=False):
        fault, held = self.fault, super().slots(mem)
        if fault == "new is not causal" and new is not None:
            return super().read(super().update(mem, new), q, None, lse)
        if fault == "new is not read" and new is not None:
            return super().read(mem, q, None, lse)
        out, found = super().read(mem, q, new, lse=True)
        if lse:
            found = found + 1e-6 if fault == "another log-sum-exp" else found
            found = found.nan_to_num(neginf=0.0) if fault == "an empty one is 0" else found
            return out + 1e-6 if fault == "another read with it" else out, found
        if fault == "another read without it" and held.n == self.size and q.shape[-2] > 1:
            return out + 1e-6
        if fault in ("a bare sum", "below all values"):
            return 3 * out if fault == "a bare sum" else out - 9 * out.abs().amax(-1, keepdim=True)
        if fault == "divided by the query":
            return out * (q / q).mean(-1, keepdim=True)
        if fault == "a dtype of its own":
            return out.float() if out.dtype == torch.float64 else out.double()
        if fault == "a product of its own":
            return out @ torch.eye(out.shape[-1], dtype=out.dtype)
        return Backwards.apply(out) if fault == "another derivative" else out

    def attend_all(self, q, kv, mem=None, lse=False):
        fault = self.fault
        if fault == "forgets its state":
            mem = None
        if fault == "stops the gradient of the state" and mem is not None:
            mem = WindowState(mem.first, mem.newest.detach())
        if fault in ("stops the gradient of keys", "stops the gradient of values"):
            kv = KV(kv.k.detach(), kv.v) if fault.endswith("keys") else KV(kv.k, kv.v.detach())
        if fault == "stops the gradient of queries":
            q = q.detach()
        if fault == "rows mixed in the whole form" and q.dim() > 2:
            return attend_all(Window(self.size), q.flip(0), KV(kv.k.flip(0), kv.v.flip(0)), mem)
        out, found = attend_all(Window(self.size), q, kv, mem, lse=True)
        if fault == "sees the future":
            out = out + kv.v.sum(-2, keepdim=True)
        if fault == "a number taken out":
            out = out * (1 + 0 * q.sum().item())
        if fault == "another whole form":
            out = out + 1e-6
        return (out, found + 1e-6 if fault == "another log-sum-exp at once" else found) if lse else out


@frozen
class Branching(Window):
    def read(self, mem, q, new=None, lse=False):
        return q if q.sum() > 1e9 else super().read(mem, q, new, lse)


WAYS = []
BROKEN = {
    "full at first": "an_empty_memory_reads_nothing",
    "an empty one is 0": "an_empty_memory_reads_nothing",
    "one of many": "a_chunk_at_once_is_the_same_as_its_pairs_one_by_one",
    "keys of many turned": "a_chunk_at_once_is_the_same_as_its_pairs_one_by_one",
    "values of many turned": "a_chunk_at_once_is_the_same_as_its_pairs_one_by_one",
    "rows mixed": "rows_of_a_batch_and_heads_do_not_mix",
    "rows mixed in the whole form": "rows_of_a_batch_and_heads_do_not_mix",
    "nothing forgotten": "the_state_stays_bounded_for_ever",
    "writes into its keys": "old_states_are_left_as_they_were",
    "writes into its values": "old_states_are_left_as_they_were",
    "nothing written": "one_state_can_be_continued_twice",
    "tells ways apart": "one_state_can_be_continued_twice",
    "copied otherwise": "a_state_can_be_copied_pickled_and_saved",
    "a copy of another size": "a_memory_can_be_copied",
    "a bare sum": "outputs_stay_in_the_hull_of_the_values",
    "below all values": "outputs_stay_in_the_hull_of_the_values",
    "another log-sum-exp": "a_read_is_attention_over_the_slots",
    "another read with it": "a_read_is_attention_over_the_slots",
    "another read without it": "a_read_is_attention_over_the_slots",
    "new is not causal": "new_pairs_are_read_causally_behind_the_slots",
    "new is not read": "new_pairs_are_read_causally_behind_the_slots",
    "divided by the query": "zero_keys_and_queries_are_no_trouble",
    "a number taken out": "a_mapped_memory_reads_each_row_by_itself",
    "another derivative": "forward_and_backward_derivatives_agree",
    "holds a graph": "a_stream_without_gradients_holds_no_graph",
    "a dtype of its own": "dtype_and_device_are_kept",
    "a product of its own": "autocast_changes_nothing",
    "takes anything": "bad_input_is_named",
    "begins with the end": "the_future_does_not_matter",
    "sees the future": "the_future_does_not_matter",
    "stops the gradient of keys": "gradients_of_both_forms_agree",
    "stops the gradient of values": "gradients_of_both_forms_agree",
    "stops the gradient of queries": "gradients_of_both_forms_agree",
    "stops the gradient of the state": "gradients_reach_back_into_the_state",
    "another whole form": "all_positions_at_once_equal_the_replay",
    "forgets its state": "all_positions_at_once_equal_the_replay",
    "another log-sum-exp at once": "log_sum_exps_of_all_positions_equal_the_replay",
}
BRANCHES = ("it_compiles_to_one_graph", "it_can_be_exported")
OF_ATTENTION = "attention_does_not_care_in_which_order_the_slots_stand"  # no memory can break it


@pytest.mark.parametrize("fault", BROKEN)
def test_a_law_that_is_broken_says_so(fault):
    with pytest.raises((Broken, RuntimeError, torch._dynamo.exc.TorchDynamoException)):
        LAWS[BROKEN[fault]].holds(Faulty(4, fault=fault), SAMPLE)


def test_each_law_can_be_broken():
    assert set(LAWS) == {*BROKEN.values(), *BRANCHES, OF_ATTENTION}


@pytest.mark.parametrize("law", BRANCHES)
def test_a_branch_on_numbers_is_seen(law):
    with pytest.raises((RuntimeError, torch._dynamo.exc.TorchDynamoException), match="(?i)data-dependent"):
        LAWS[law].holds(Branching(4), SAMPLE)


@pytest.mark.parametrize("law", sorted(set(BROKEN.values())))
def test_a_memory_without_a_fault_breaks_no_law(law):
    LAWS[law].holds(Faulty(4), SAMPLE)


# check(memory): the laws for anybody's class


@dataclass
class Own:
    """No line of ours: a window of two."""

    wrong: bool = False

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new[-1:] if self.wrong else new, keep=2)

    def read(self, mem, q, new=None, lse=False):
        return memlib.attend(q, mem, lse, new)

    def slots(self, mem):
        return mem


def test_check_without_a_reference_holds_a_memory_to_the_laws():
    for make in (Own, lambda: Window(3), lambda: memlib.DeltaRule()):
        assert check(make()), check(make())
    said = str(check(Own()))
    assert "chunkable could be promised" in said and "bounded could be promised" in said, said
    assert "chunkable not promised, and not so" in str(check(Own(wrong=True)))
    verdict = check(Faulty(4, fault="writes into its values"))
    assert not verdict and "old states are left as they were: no." in str(verdict)
    assert not check(Faulty(4, fault="nothing forgotten"))


@pytest.mark.parametrize("name", [name for name, make in MEMORIES.items() if type(make()) in UPDATES])
def test_the_text_of_a_memory_takes_many_pairs_as_one_by_one(name):
    memory = MEMORIES[name]()
    object.__setattr__(memory, "__class__", type("Own", (type(memory),), {}))  # which has no quick form
    if promises(memory).chunkable:
        LAWS["a_chunk_at_once_is_the_same_as_its_pairs_one_by_one"].holds(memory, SAMPLE)


def test_the_quick_forms_are_there():
    """Without them every law would hold as well, and a prompt would be a loop of Python."""
    names = [{kind.__name__ for kind in table} for table in (WHOLE, READS, UPDATES, STEPS)]
    slow = {"Compressive", "Ladder"}  # by segments; by a rule of whole numbers
    assert names[0] == {kind.__name__ for kind in FIRST} - slow
    assert names[1] == {"Window", "Hybrid", "Compressive"}
    assert names[2] == {"DeltaRule", "GatedDelta", "ExponentialAverage", "Recurrent", "Hybrid", "Compressive"}
    assert names[3] == {"Window"}


@pytest.mark.parametrize("sinks", [0, 3])
def test_a_step_of_the_window_is_its_text(sinks):
    @frozen
    class Text(Window):
        pass

    _, kv = SAMPLE.tokens(n=12)
    kv = KV(kv.k, kv.v, torch.randn_like(kv.k[..., 0]))
    for got, want in zip(states(Window(4, sinks), kv), states(Text(4, sinks), kv), strict=True):
        assert all(torch.equal(a, b) for (_, a), (_, b) in zip(leaves(got), leaves(want), strict=True))


class Launches(TorchDispatchMode):
    """Counts what a GPU would be asked to do."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", MEMORIES)
def test_a_sequence_takes_few_launches_or_attend_all_says_so(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2, n=128)
    with torch.no_grad(), Launches() as launches:
        attend_all(memory, q, kv)
    rounds = 128 if promises(memory).segment is None else -(-128 // memory.segment)
    waits = promises(memory).segment or promises(memory).needs_queries or isinstance(memory, (Ladder, Recurrent))
    if type(memory) not in WHOLE and not waits:
        return  # a new memory, which is walked until it has a form of its own
    assert launches.count < (150 * rounds if waits else 4 * 128), launches.count
    assert not waits or f"`{type(memory).__name__}`" in attend_all.__doc__


def test_a_learners_subclass_runs_its_own_text():
    """The forms are found by exact type."""
    (q, kv), ran = SAMPLE.tokens(n=40), []

    @frozen
    class Mine(memlib.DeltaRule):
        def update(self, mem, new, q=None):
            ran.append(new.n)
            return super().update(mem, new, q)

    alike("its reads", attend_all(Mine(), q, kv), attend_all(memlib.DeltaRule(), q, kv))
    assert ran == [1] * 40
