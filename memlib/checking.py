"""Where a learner's memory first differs from the reference, in the learner's words.

Both are walked over the same seeded tokens; their recipes, then their views, are compared step by step.
"""

from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from memlib.errors import whole
from memlib.kv import KV
from memlib.laws import Sample, on_trial
from memlib.memory import METHODS, a_memory, promises
from memlib.probe import dye
from memlib.replay import outputs, walk, whole_form


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


def check(mine, reference=None, tokens: int = 48, width: int = 3, seed: int = 0) -> Verdict:
    """Compares two memories on `tokens` seeded tokens with keys of `width`; stops at the first difference.

    mine: any object with init, update, read and slots; nothing has to be inherited. Without a reference it is held
    to the laws of every memory (`memlib.laws`), on keys and values of `width`: those it owes, and those that rest on
    what it does not promise, of which the verdict says what was found. With one, compared are the slots and
    reads of each step, old states, several pairs at once, log-sum-exps (where `read` takes `lse`), the
    whole-sequence form, and the same with [2, 3] in front as in a model. A difference that shows only after
    more than `tokens` tokens is not seen.

    >>> from memlib import Window
    >>> check(Window(3), Window(2))
    step 2: 3 slots, expected 2
    Look next at: when the oldest pair leaves
    """
    missing = [name for name in METHODS if not callable(getattr(mine, name, None))]
    if missing:
        return Verdict(False, f"{type(mine).__name__} has no method {missing[0]}", "the four methods of a memory")
    tokens, width = whole("check: tokens", tokens, 1), whole("check: width", width, 1)
    seed = whole("check: seed", seed, 0)
    if reference is None:
        return _by_the_laws(mine, width, seed)
    a_memory("check: reference", reference, METHODS)
    draw = torch.Generator().manual_seed(seed)
    k, q = (torch.randn(tokens, width, generator=draw, dtype=torch.float64, device="cpu") for _ in range(2))
    linear = promises(reference).linear_in_values
    kv = dye(k) if linear else KV(k, torch.randn(tokens, width, generator=draw, dtype=k.dtype, device="cpu"))
    try:
        steps = _walk(mine, q.clone(), KV(kv.k.clone(), kv.v.clone()))  # mine may write into what it is given
        for t, ((got, read), (want, target)) in enumerate(zip(steps, _walk(reference, q, kv), strict=True)):
            for verdict in (_slots(t, got, want), _read(t, read, target)):
                if verdict is not None:
                    return verdict
        for look in (_old_states, _chunks, _lse, _whole, _in_a_model):
            verdict = look(mine, reference, q, kv)
            if verdict is not None:
                return verdict
        return Verdict(True, f"no difference in {tokens} steps")
    except Stumble as stumble:
        return Verdict(False, str(stumble), stumble.where)


def _by_the_laws(memory, width: int, seed: int) -> Verdict:
    found = on_trial(memory, Sample(width, width, seed))
    broken = [(law, wrong) for law, owed, wrong in found if owed and wrong]
    if broken:
        return Verdict(False, "\n".join(f"{law.name}: no. {wrong}" for law, wrong in broken))
    held = [f"{sum(bool(owed) for _, owed, _ in found)} laws hold"]
    for law, owed, wrong in found:
        if owed is None:
            says = f"could be promised: {law.name}" if not wrong else f"not promised, and not so: {law.name}"
            held.append(f"{law.promise} {says}")
    return Verdict(True, "\n".join(held))


class Stumble(Exception):
    """The learner's code raised, or gave something that is not what the protocol asks."""

    where = "what that method returns"

    @classmethod
    def of(cls, what: str, error: Exception) -> Stumble:
        """What was raised, and the learner's own line (the last that is not the library's or torch's)."""
        library = (str(Path(__file__).parent), str(Path(torch.__file__).parent))
        own = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(library)]
        stumble = cls(f"{what}: {type(error).__name__}: {error}")
        stumble.where = f"line {own[-1].lineno}: {own[-1].line or own[-1].name}" if own else cls.where
        return stumble


def _walk(memory, q: Tensor, kv: KV):
    steps, t = walk(memory, q, kv), 0
    while True:
        try:
            mem, out = next(steps)
            slots = memory.slots(mem)
        except StopIteration:
            return
        except Exception as error:
            raise Stumble.of(f"step {t}", error) from error
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
        return Verdict(
            False,
            f"step {t}, slot {off[0]}: its key belongs to other tokens than its value",
            "whether keys and values are treated alike",
        )
    return None


def _read(t: int, got: Tensor, want: Tensor) -> Verdict | None:
    if got.shape != want.shape:
        return Verdict(False, f"step {t}: read gives shape {list(got.shape)}, expected {list(want.shape)}")
    off = _first(got, want)
    if off is None:
        return None
    text = f"step {t}: the query receives {got[off]:.2f} of token {off[1]}, expected {want[off]:.2f}"
    return Verdict(False, text, "read: the slots are right, what is read from them is not", got, want)


def _old_states(mine, reference, q: Tensor, kv: KV) -> Verdict | None:
    before = []
    for mem, _ in walk(mine, q, kv):
        slots = mine.slots(mem)
        before.append((mem, slots.k.clone(), slots.v.clone()))
    for t, (mem, *then) in enumerate(before):
        slots = mine.slots(mem)
        for now, was in zip((slots.k, slots.v), then, strict=True):
            if now.shape != was.shape or not torch.equal(now, was):
                return Verdict(
                    False,
                    f"the state of step {t} was changed by a later step",
                    "whether update writes into the state it was given",
                    now,
                    was,
                )
    return None


def _chunks(mine, reference, q: Tensor, kv: KV) -> Verdict | None:
    if promises(mine).segment is not None or promises(reference).chunkable is False:
        return None
    asks = (q[:5],) if promises(mine).needs_queries else ()
    try:
        at_once = mine.slots(mine.update(mine.init(kv), kv[:5], *asks))
    except Exception as error:
        raise Stumble.of("update with five pairs at once", error) from error
    *_, (mem, _) = walk(mine, q[:5], kv[:5])
    one_by_one = mine.slots(mem)
    if any(_first(*two) is not None for two in ((at_once.v, one_by_one.v), (at_once.k, one_by_one.k))):
        return Verdict(
            False,
            "five pairs given to update at once leave other slots than one by one",
            "whether update uses all pairs of `new`, in their order",
            at_once.v,
            one_by_one.v,
        )
    return None


def _lse(mine, reference, q: Tensor, kv: KV) -> Verdict | None:
    if "lse" not in inspect.signature(mine.read).parameters or not promises(reference).merges:
        return None
    for (mem, _), (ref, _) in zip(walk(mine, q, kv), walk(reference, q, kv), strict=True):
        got, want = mine.read(mem, q[:1], lse=True), reference.read(ref, q[:1], lse=True)
        if not isinstance(got, tuple) or any(_first(*two) is not None for two in zip(got, want, strict=False)):
            return Verdict(
                False, "read with lse=True does not give (out, log-sum-exp of the scores)", "attend(..., lse)"
            )
    return None


def _whole(mine, reference, q: Tensor, kv: KV) -> Verdict | None:
    fast = whole_form(mine)
    off = None if fast is None else _first(fast(q, kv), outputs(mine, q, kv))
    if off is None:
        return None
    return Verdict(False, f"attend_all gives another read than step by step, first at token {off[0]}", "attend_all")


def _in_a_model(mine, reference, q: Tensor, kv: KV) -> Verdict | None:
    draw = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, 3, *q.shape, generator=draw, dtype=q.dtype, device="cpu") for _ in range(3))
    kv = KV(k, v)
    what = "with [batch, heads] = [2, 3] in front of [n, d]"
    try:
        got = outputs(mine, q, kv)
    except Exception as error:
        raise Stumble.of(what, error) from error
    want = outputs(reference, q, kv)
    if got.shape != want.shape or _first(got, want) is not None:
        return Verdict(False, f"{what} the reads differ", "pairs stand along dimension -2, whatever is in front")
    return None


def _first(got: Tensor, want: Tensor) -> tuple[int, ...] | None:
    """Index of the first entry that differs, or None. NaN differs, and so does another shape."""
    if got.shape != want.shape:
        return (0,) * want.dim()
    off = ~torch.isclose(got.to(want.dtype), want, rtol=1e-6, atol=1e-9)
    return tuple(off.nonzero()[0].tolist()) if off.any() else None
