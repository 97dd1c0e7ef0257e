"""What every memory owes, on every memory there is; and that each law can be broken."""

from dataclasses import dataclass

import pytest
import torch
from examples import EVERY, MEMORIES, UNLIMITED, WIDTH

import memlib
from memlib import KV, Full, Memory, Window, attend_all, check, outputs, promises, states
from memlib.holding import modules
from memlib.laws import LAWS, Broken, Sample, alike
from memlib.memory import READS, STEPS, UPDATES, WHOLE, frozen
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


@frozen
class Faulty(Window):
    fault: str = ""

    convex = bounded = chunkable = True

    def init(self, like):
        mem = super().init(like)
        return mem._replace(newest=KV(like.k[..., :1, :], like.v[..., :1, :])) if self.fault == "full at first" else mem

    def update(self, mem, new, q=None):
        if self.fault == "one of many":
            new = new[-1:]
        if self.fault == "rows mixed" and new.k.dim() > 2:
            new = KV(new.k, new.v.flip(0))
        if self.fault == "nothing forgotten":
            return mem._replace(newest=mem.newest.append(new))
        if self.fault == "writes into its state" and mem.newest.n:
            mem.newest.v.data.mul_(2)
        if self.fault == "in single precision":
            new = KV(new.k.float().to(new.k.dtype), new.v.float().to(new.v.dtype))
        return super().update(mem, new, q)

    def read(self, mem, q, new=None, lse=False):
        if self.fault == "a bare sum":
            return 3 * super().read(mem, q, new, lse) if not lse else super().read(mem, q, new, lse)
        if self.fault == "new is not causal" and new is not None:
            return super().read(super().update(mem, new), q, None, lse)
        if self.fault == "divided by the query":
            return super().read(mem, q, new, lse) if lse else super().read(mem, q, new) * (q / q).mean(-1, keepdim=True)
        if self.fault == "a branch on numbers" and not lse and q.sum() > 1e9:
            return q
        return super().read(mem, q, new, lse)

    def attend_all(self, q, kv, mem=None):
        whole = attend_all(Window(self.size), q, kv, None if mem is None else mem)
        if self.fault == "sees the future":
            return whole + kv.v.sum(-2, keepdim=True)
        if self.fault == "stops the gradient":
            return whole.detach() + 0 * q.sum() + 0 * kv.v.sum()
        return whole + 1 if self.fault == "another whole form" else whole


BROKEN = {
    "full at first": "an_empty_memory_reads_nothing",
    "one of many": "a_chunk_at_once_is_the_same_as_its_pairs_one_by_one",
    "rows mixed": "rows_of_a_batch_and_heads_do_not_mix",
    "nothing forgotten": "the_state_stays_bounded_for_ever",
    "writes into its state": "old_states_are_left_as_they_were",
    "a bare sum": "outputs_stay_in_the_hull_of_the_values",
    "new is not causal": "new_pairs_are_read_causally_behind_the_slots",
    "divided by the query": "zero_keys_and_queries_are_no_trouble",
    "a branch on numbers": "it_compiles_to_one_graph",
    "sees the future": "the_future_does_not_matter",
    "stops the gradient": "gradients_of_both_forms_agree",
    "another whole form": "all_positions_at_once_equal_the_replay",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_law_that_is_broken_says_so(fault):
    with pytest.raises((Broken, RuntimeError, torch._dynamo.exc.TorchDynamoException)):
        LAWS[BROKEN[fault]].holds(Faulty(4, fault=fault), SAMPLE)


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
    verdict = check(Faulty(4, fault="writes into its state"))
    assert not verdict and "old states are left as they were: no." in str(verdict)
    assert not check(Faulty(4, fault="nothing forgotten"))


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
