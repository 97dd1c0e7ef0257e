"""Where a learner's memory first differs from the reference, in the learner's words.

Both are walked over the same seeded tokens; their recipes, then their views, are compared step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memlib.kv import KV
from memlib.probe import dye
from memlib.replay import walk

PARTS = ("init", "update", "read", "slots")


@dataclass(frozen=True, eq=False)
class Verdict:
    """What `check` found. True when nothing differs; prints as a sentence.

    yours, target: the two pictures at the step that differs ([slots, tokens] or [1, tokens]), or None.
    """

    same: bool
    text: str
    look: str = ""
    yours: Tensor | None = None
    target: Tensor | None = None

    def __bool__(self) -> bool:
        return self.same

    def __repr__(self) -> str:
        return self.text + (f"\nLook next at: {self.look}" if self.look else "")


def check(mine, reference, tokens: int = 9, width: int = 3, seed: int = 0) -> Verdict:
    """Compares two memories on `tokens` seeded tokens with keys of `width`; stops at the first difference.

    mine: any object with init, update, read and slots; nothing has to be inherited.

    >>> from memlib import Window
    >>> check(Window(3), Window(2))
    step 2: 3 slots, expected 2
    Look next at: when the oldest pair leaves
    """
    missing = [name for name in PARTS if not callable(getattr(mine, name, None))]
    if missing:
        return Verdict(
            False, f"{type(mine).__name__} has no method {missing[0]}", "the four methods of a memory"
        )
    draw = torch.Generator().manual_seed(seed)
    k, q = (torch.randn(tokens, width, generator=draw, dtype=torch.float64) for _ in range(2))
    linear = getattr(reference, "linear_in_values", True)
    kv = dye(k) if linear else KV(k, torch.randn(tokens, width, generator=draw, dtype=k.dtype))
    try:
        steps = _walk(mine, q.clone(), KV(kv.k.clone(), kv.v.clone()))  # mine may write into what it is given
        for t, ((got, read), (want, target)) in enumerate(zip(steps, _walk(reference, q, kv), strict=True)):
            for verdict in (_slots(t, got, want), _read(t, read, target)):
                if verdict is not None:
                    return verdict
        changed = _old_states(mine, q, kv)
        return Verdict(True, f"no difference in {tokens} steps") if changed is None else changed
    except Stumble as stumble:
        return Verdict(False, str(stumble), "the line named above")


class Stumble(Exception):
    """The learner's code raised, or gave something that is not what the protocol asks."""


def _walk(memory, q: Tensor, kv: KV):
    steps, t = walk(memory, q, kv), 0
    while True:
        try:
            mem, out = next(steps)
            slots = memory.slots(mem)
        except StopIteration:
            return
        except Exception as error:
            raise Stumble(f"step {t}: {type(error).__name__}: {error}") from error
        if not isinstance(slots, KV):
            raise Stumble(f"step {t}: slots must give a KV, got {type(slots).__name__}")
        if not isinstance(out, Tensor):
            raise Stumble(f"step {t}: read must give a tensor, got {type(out).__name__}")
        yield slots, out
        t += 1


def _slots(t: int, got: KV, want: KV) -> Verdict | None:
    if got.n != want.n:
        hint = "when the oldest pair leaves" if got.n > want.n else "which pairs are kept"
        return Verdict(False, f"step {t}: {got.n} slots, expected {want.n}", hint, got.v, want.v)
    if got.v.shape != want.v.shape:
        return Verdict(False, f"step {t}: slots of shape {list(got.v.shape)}, expected {list(want.v.shape)}")
    off = _first(got.v, want.v)
    if off is not None:
        s, token = off
        text = f"step {t}, slot {s}: token {token} has weight {got.v[off]:.2f}, expected {want.v[off]:.2f}"
        return Verdict(False, text, "update, at this step", got.v, want.v)
    off = _first(got.k, want.k)
    if off is not None:
        return Verdict(False, f"step {t}, slot {off[0]}: its key belongs to other tokens than its value",
                       "whether keys and values are treated alike")  # fmt: skip
    return None


def _read(t: int, got: Tensor, want: Tensor) -> Verdict | None:
    if got.shape != want.shape:
        return Verdict(False, f"step {t}: read gives shape {list(got.shape)}, expected {list(want.shape)}")
    off = _first(got, want)
    if off is None:
        return None
    text = f"step {t}: the query receives {got[off]:.2f} of token {off[1]}, expected {want[off]:.2f}"
    return Verdict(False, text, "read: the slots are right, what is read from them is not", got, want)


def _old_states(mine, q: Tensor, kv: KV) -> Verdict | None:
    before = [(mem, mine.slots(mem).v.clone()) for mem, _ in walk(mine, q, kv)]
    for t, (mem, then) in enumerate(before):
        now = mine.slots(mem).v
        if now.shape != then.shape or not torch.equal(now, then):
            return Verdict(False, f"the state of step {t} was changed by a later step",
                           "whether update writes into the state it was given", now, then)  # fmt: skip
    return None


def _first(got: Tensor, want: Tensor) -> tuple[int, ...] | None:
    """Index of the first entry that differs, or None. NaN differs."""
    off = ~torch.isclose(got.to(want.dtype), want, rtol=1e-6, atol=1e-9)
    return tuple(off.nonzero()[0].tolist()) if off.any() else None
