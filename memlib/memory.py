"""What a memory is, and what it promises: Att(q, Mem), Mem = Update(S_kv, Mem_pre).

Any object with `init`, `update`, `read` and `slots` is a memory, a learner's class without a line of ours too;
`promises(obj)` says what it promises, and what is taken for granted where it is silent. The library's own inherit
`Memory`: the promises, the common read, what every update and read owes, and the checks of sizes stand here once.
`docs/memory.md` has it all on one page.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, NamedTuple, dataclass_transform

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memlib.attention import asks, attend
from memlib.errors import floats, is_number, kind, whole
from memlib.kv import KV, pairs
from memlib.precision import any_autocast, as_it_says

METHODS = ("init", "update", "read", "slots")

# The same by other means, filled by memlib.fast: found by exact type, so that a learner's copy runs its own text.
WHOLE: dict[type, Callable] = {}  # (memory, q, kv, mem, lse): a whole sequence at once
READS: dict[type, Callable] = {}  # (memory, mem, q, new, lse): a read without a copy
UPDATES: dict[type, Callable] = {}  # (memory, mem, new, q): many pairs in one update
STEPS: dict[type, Callable] = {}  # (memory, mem, new, q): one pair


class Promises(NamedTuple):
    """What a memory promises; the laws run by it (`memlib.laws`). None: not promised, so the safe way is taken."""

    segment: int | None = None  # tokens read at once, before they are written; None: token by token, written first
    needs_queries: bool = False  # update wants the queries of the new tokens
    linear_in_values: bool = True  # so recipe and view show it; else influence does
    softmax: bool = False  # a read is attention over its slots
    merges: bool = False  # a read can give its log-sum-exp; as softmax, where it is silent
    rows: bool = False  # slots are rows of a matrix, no shares of tokens
    stop: bool = False  # what is stored gets no gradient
    convex: bool | None = None  # reads lie in the hull of the values
    bounded: bool | None = None  # the state stops growing
    chunkable: bool | None = None  # many pairs in one update are as one by one


def promises(memory) -> Promises:
    """The promises of any object with the four methods, defaults where it is silent. TypeError for a class."""
    if isinstance(memory, type):
        a_memory("promises: memory", memory)
    softmax = getattr(memory, "softmax", False)
    found = {name: getattr(memory, name, otherwise) for name, otherwise in Promises._field_defaults.items()}
    return Promises(**found | {"merges": getattr(memory, "merges", softmax)})


def updated(memory, mem, new: KV, q: Tensor | None = None):
    """`memory.update`; the queries go to a memory that asks for them."""
    return memory.update(mem, new, q) if promises(memory).needs_queries else memory.update(mem, new)


def is_memory(x) -> bool:
    """Whether x is an object (no class) with the four methods."""
    return not isinstance(x, type) and all(callable(getattr(x, name, None)) for name in METHODS)


def a_memory(name: str, x, methods: tuple[str, ...] = ("init", "update", "read")) -> Any:
    """x; TypeError unless it is an object (no class) with these methods."""
    if isinstance(x, type) or not all(callable(getattr(x, one, None)) for one in methods):
        raise TypeError(f"{name} must be an object with {', '.join(methods)}, got {kind(x)}")
    return x


def no_state(memory, mem) -> None:
    """TypeError where `mem` is no state of the memory: asked when something has gone wrong with it."""
    try:
        good = _alike(mem, memory.init(KV(torch.zeros(0, 1), torch.zeros(0, 1))))
    except ValueError:  # made for other widths
        good = isinstance(mem, tuple if hasattr(memory, "memories") else KV)
    if not good:
        name = type(memory).__name__
        raise TypeError(f"{name}: mem must be a state of this memory, of its init or update, got {kind(mem)}") from None


def _alike(a, b) -> bool:
    """Whether two states are of the same parts."""
    if type(a) is not type(b) or not isinstance(a, tuple):
        return type(a) is type(b)
    return len(a) == len(b) and all(map(_alike, a, b))


@dataclass_transform(frozen_default=True, eq_default=False)
def frozen(cls: type):
    """A memory's fields as a frozen dataclass, equal only to itself."""
    return dataclasses.dataclass(frozen=True, eq=False)(cls)


class Memory:
    """Inherited by the library's memories: promises and their defaults, the common read, the checks of fields."""

    segment: int | None = None
    needs_queries = softmax = rows = stop = False
    linear_in_values = True
    convex = bounded = chunkable = None
    takes_bias = False  # of pairs: it is added to the score of a slot of its own
    suspect: int | None = None  # its number in the detective's list, which only grows (memlib.tasks.detective)

    @classmethod
    def at_bytes(cls, size: int) -> Memory | None:
        """The memory of this class that keeps at most `size` bytes a head, 256 a pair; None: not on the leaderboard."""
        return None

    merges: Any = property(lambda self: self.softmax)  # a read can give its log-sum-exp

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        if "init" in vars(cls):
            cls.init = _beginning(cls.init)
        if "update" in vars(cls):
            cls.update = _entering(cls.update)
        if "slots" in vars(cls):
            cls.slots = _showing(cls.slots)
        if "read" in vars(cls):
            plain = list(signature(cls.read).parameters) == ["self", "mem", "q"]
            cls.read = _reading(_asking(cls.read) if plain else cls.read)

    def __post_init__(self):
        for part in dataclasses.fields(self):  # type: ignore[arg-type]
            if "check" in part.metadata:
                value = part.metadata["check"](f"{type(self).__name__}: {part.name}", getattr(self, part.name))
                object.__setattr__(self, part.name, value)
        self.wrong()

    def wrong(self) -> None:
        """Raises ValueError where two fields do not go together."""

    def init(self, like: KV) -> Any:
        """An empty memory with the shapes, dtype and device of `like`."""
        raise NotImplementedError(f"{type(self).__name__} has no init")

    def update(self, mem: Any, new: KV, q: Tensor | None = None) -> Any:
        """Mem = Update(S_kv, Mem_pre): the state after `new`, n pairs; `mem` stays as it was."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def read(self, mem: Any, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, Mem): [*b, i, e]. `new`: the segment of the queries, seen causally behind the slots.

        With `lse` also the log-sum-exp of the scores [*b, i]. Nothing to read: 0, with lse -inf.
        """
        fast = READS.get(type(self))
        try:
            return attend(q, self.slots(mem), lse, new) if fast is None else fast(self, mem, q, new, lse)
        except Exception:
            no_state(self, mem)
            raise

    def slots(self, mem: Any) -> KV:
        """What attention reads and figures draw, oldest first."""
        raise NotImplementedError(f"{type(self).__name__} has no slots")


def _entering(update: Callable) -> Callable:
    """What every update owes: queries where they are needed, no bias that would be lost, its quick form."""

    @wraps(update)
    def enter(self, mem, new, q=None):
        if not isinstance(new, KV):
            pairs(f"{type(self).__name__}: new", new)
        if new.bias is not None:
            no_bias(self, new)
        n = new.k.shape[-2]
        if n == 0:
            return mem
        if self.needs_queries:
            _with_queries(self, new, q)
        try:
            if getattr(mem, "like", None) is not None:
                mem.like.fits(new)
            if n == 1 and not any_autocast():
                found = STEPS.get(type(self), update)(self, mem, new, q)
            else:
                found = entered(self, mem, new, q)
            if found is not None:  # a list, say, would be appended to
                return found
        except Exception:
            no_state(self, mem)
            raise
        return no_state(self, mem)

    def entered(self, mem, new: KV, q):
        fast = UPDATES.get(type(self)) if new.n > 1 else None
        with as_it_says(new.k):
            if fast is not None:
                return fast(self, mem, new, q)
            if q is not None and self.needs_queries and self.segment is None and new.n > 1:
                for t, pair in enumerate(new.one_by_one()):  # each query uses what is there at its own step
                    mem = update(self, mem, pair, q[..., t : t + 1, :])
                return mem
            return update(self, mem, new, q)

    return enter


def _beginning(init: Callable) -> Callable:
    """What every init owes: it begins like pairs."""

    @wraps(init)
    def begin(self, like):
        if not isinstance(like, KV):
            pairs(f"{type(self).__name__}: like", like)
        return init(self, like)

    return begin


def _showing(slots: Callable) -> Callable:
    """What every slots owes: what is no state is named."""

    @wraps(slots)
    def show(self, mem):
        try:
            found = slots(self, mem)
        except Exception:
            no_state(self, mem)
            raise
        if not isinstance(found, KV):
            no_state(self, mem)
        return found

    return show


def _reading(read: Callable) -> Callable:
    """The same of a read."""

    @wraps(read)
    def reads(self, mem, q, new=None, lse=False):
        try:
            return read(self, mem, q, new, lse)
        except Exception as error:
            no_state(self, mem)
            if not isinstance(error, (TypeError, ValueError)):
                floats(f"{type(self).__name__}: q", q)
            raise

    return reads


def _asking(read: Callable) -> Callable:
    """What a read owes that is no softmax over slots: no log-sum-exp, and `new` walked, one pair in, one query out."""

    @wraps(read)
    def ask(self, mem, q, new=None, lse=False):
        no_lse(self, lse)
        if new is not None and type(self) in WHOLE:
            return WHOLE[type(self)](self, q, new, mem, False)
        if new is not None:
            outs = []
            for t, pair in enumerate(new.one_by_one()):
                mem = self.update(mem, pair)
                outs.append(ask(self, mem, q[..., t : t + 1, :]))
            return torch.cat(outs, -2) if outs else ask(self, mem, q)
        if getattr(mem, "like", None) is not None:
            asks(f"{type(self).__name__}: read", q, mem.like)
        with as_it_says(q):
            return read(self, mem, q).to(q.dtype)

    ask.__signature__ = signature(Memory.read)  # type: ignore[attr-defined]
    return ask


def no_lse(memory, lse: bool) -> None:
    """ValueError where a log-sum-exp is asked of a read that has none."""
    if lse:
        raise ValueError(f"{memory!r}: lse must be False: its read is no one softmax and has no log-sum-exp")


def no_bias(memory, new: KV) -> None:
    """ValueError where pairs carry a bias that the memory could not honour."""
    if new.bias is not None and not memory.takes_bias:
        raise ValueError(
            f"{memory!r}: new must be pairs without a bias (a bias is added to the score of a slot of its own), got one"
        )


def _with_queries(memory, new: KV, q: Tensor | None) -> None:
    if not isinstance(q, Tensor) or q.dim() < 2 or q.shape[-2] != new.n:
        got = "none" if q is None else list(q.shape) if isinstance(q, Tensor) else kind(q)
        raise ValueError(
            f"{type(memory).__name__}: q must be the queries of the {new.n} new tokens, since "
            f"{getattr(memory, 'pool', memory)!r} chooses by attention; got {got}"
        )


# Fields of a memory, each with its check.


def _field(check: Callable, default, **more) -> Any:
    return dataclasses.field(default=default, metadata={"check": check}, **more)


def at_least(least: int, default=dataclasses.MISSING) -> Any:
    """A whole number of at least `least`; None too, where that is the default."""
    return _field(lambda name, x: None if x is default is None else whole(name, x, least), default)


def share(default=dataclasses.MISSING, learned: bool = False, above_0: bool = False) -> Any:
    """A number from 0 to 1; with `learned` also a module that gives one for each key."""

    def check(name: str, x):
        if learned and isinstance(x, nn.Module):
            return x
        if is_number(x) and 0 <= x <= 1 and not (above_0 and x == 0):
            return float(x)
        short = name.split(": ")[1]
        wanted = f"a number with 0 < {short} <= 1" if above_0 else "a number from 0 to 1"
        wanted += ", or a module that gives one for each key" if learned else ""
        raise ValueError(f"{name} must be {wanted}, got {x!r}")

    return _field(check, default)


def given(test: Callable, wanted: str, error: type = ValueError, **default) -> Any:
    """Something handed in, of which `test` must be true; `wanted` says what, in words."""

    def check(name: str, x):
        if not test(x):
            got = kind(x) if isinstance(x, Tensor) or error is TypeError else repr(x)
            raise error(f"{name} must be {wanted}, got {got}")
        return x

    return dataclasses.field(metadata={"check": check}, **default)


def a_module() -> Any:
    """A torch module."""
    return given(lambda x: isinstance(x, nn.Module), "a torch module", TypeError)


def yes_or_no(default: bool) -> Any:
    """True or False."""
    return given(lambda x: isinstance(x, bool), "True or False", default=default)
