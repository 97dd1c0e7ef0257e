"""That check compares what it says it compares, however small the difference; and on the tokens of its seed."""

import pytest
import torch

from memlib import KV, Memory, Recurrent, Window, attend, attend_all, check

SMALL = 1e-4


class Off(Window):
    """A window with one small thing wrong, in one place alone."""

    def __init__(self, where=""):
        super().__init__(4)
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "seen", 0)

    def nudged(self, kv, what, where=slice(None)):
        parts = {"k": kv.k.clone(), "v": kv.v.clone()}
        parts[what][..., where, :] += SMALL
        return KV(**parts)

    def update(self, mem, new, q=None):
        if self.where.startswith("chunk") and new.n > 1:
            new = self.nudged(new, self.where[-1])
        if self.where == "model" and new.k.dim() > 2:
            new = self.nudged(new, "v")
        return super().update(mem, new)

    def read(self, mem, q, new=None, lse=False):
        out, found = super().read(mem, q, new, lse=True)
        if lse:
            return out + SMALL * (self.where == "read with lse"), found + SMALL * (self.where == "lse")
        return out + SMALL * (self.where == "read")

    def slots(self, mem):
        kv = super().slots(mem)
        if self.where in ("keys", "values"):
            kv = self.nudged(kv, self.where[0], slice(-1, None))
        return kv

    def attend_all(self, q, kv, mem=None):
        return attend_all(Window(4), q, kv, mem) + SMALL * (self.where == "whole")


class Written(Memory):
    """A window of 4 whose step writes into the state it was given: into its keys or its values."""

    merges = softmax = True

    def __init__(self, part=None):
        self.part = part

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        after = KV(torch.cat([mem.k, new.k], -2)[..., -4:, :], torch.cat([mem.v, new.v], -2)[..., -4:, :])
        if self.part and mem.n > 2:
            getattr(mem, self.part)[..., 0, 0] += SMALL
        return after

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)

    def slots(self, mem):
        return mem


@pytest.mark.parametrize(
    "where, words",
    {
        "keys": "its key belongs to other tokens",
        "values": "has weight",
        "read": "the query receives",
        "lse": "read with lse=True",
        "read with lse": "read with lse=True",
        "chunk: k": "five pairs given to update at once",
        "chunk: v": "five pairs given to update at once",
        "whole": "attend_all gives another read",
        "model": "[batch, heads]",
    }.items(),
)
def test_a_small_difference_is_seen_wherever_it_is(where, words):
    assert check(Off(), Window(4)), check(Off(), Window(4))
    assert words in str(check(Off(where), Window(4)))


@pytest.mark.parametrize("part", "kv")
def test_a_step_that_writes_into_an_old_state_is_seen(part):
    assert check(Written(), Window(4)), check(Written(), Window(4))
    assert "was changed by a later step" in str(check(Written(part), Window(4)))


class Noting(Window):
    """A window that keeps what it was shown."""

    def __init__(self):
        super().__init__(4)
        object.__setattr__(self, "seen", [])

    def init(self, like):
        self.seen.append(like.k.clone())
        return super().init(like)


@pytest.mark.parametrize("reference", [Window(4), None])
def test_a_seed_is_a_text_and_another_seed_another(reference):
    def shown(**how):
        memory = Noting()
        assert check(memory, reference, **how)
        return memory.seen[0]

    assert torch.equal(shown(seed=3), shown(seed=3)) and not torch.equal(shown(seed=3), shown(seed=4))
    assert shown(width=7).shape[-1] == 7
    assert reference is None or shown(tokens=5).shape[0] == 5


def test_what_is_not_linear_is_compared_on_values_of_its_own():
    cell = torch.nn.GRUCell(6, 6).double()
    other = torch.nn.GRUCell(6, 6).double()
    assert check(Recurrent(cell), Recurrent(cell)) and not check(Recurrent(other), Recurrent(cell))


def test_what_is_not_a_number_differs():
    class Nan(Window):
        def read(self, mem, q, new=None, lse=False):
            return super().read(mem, q, new, lse) * torch.nan if not lse else super().read(mem, q, new, lse)

    assert not check(Nan(4), Nan(4))


def test_what_a_memory_writes_into_its_text_does_not_reach_the_reference():
    class Scribbling(Window):
        def update(self, mem, new, q=None):
            new.v.mul_(2)
            return super().update(mem, new)

    assert not check(Scribbling(4), Window(4))


def test_what_is_tried_and_not_promised_breaks_nothing():
    class Modest(Window):
        convex = bounded = chunkable = None

        def update(self, mem, new, q=None):
            return super().update(mem, new[-1:])

    verdict = check(Modest(4))
    assert verdict and "chunkable not promised, and not so" in str(verdict) and "could be promised" in str(verdict)
