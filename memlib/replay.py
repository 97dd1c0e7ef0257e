"""A memory walked over a sequence. The only place that knows the two orders of events.

Token memory (`segment` is None): update with one pair, then read; a token sees itself.
Segment memory (`segment` = n): read with the n current pairs, causal behind the slots, THEN update
(Algorithm 1 of the Compressive Transformer, arXiv 1911.05507).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch._C._functorch import is_batchedtensor

from memlib.errors import finite, floats, kind
from memlib.kv import KV, pairs
from memlib.memory import METHODS, WHOLE, Memory, a_memory, no_bias, no_lse, no_state, promises, updated
from memlib.precision import as_it_says


def walk(memory, q: Tensor | None, kv: KV, mem=None, lse: bool = False) -> Iterator[tuple]:
    """Yields (state, output) after each token, or after each segment of a segment memory.

    q: [*b, n, d] or None (then no reads, output None). `mem`: the state to go on from, None: empty.
    lse: an output is what `read(..., lse=True)` gives, the read and its log-sum-exp.
    Raises TypeError for what is no memory, no queries or no pairs, ValueError where q and kv differ in length.
    """
    _entrance("walk", memory, q, kv)
    return steps(memory, q, kv, mem, lse)


def steps(memory, q: Tensor | None, kv: KV, mem=None, lse: bool = False) -> Iterator[tuple]:
    """`walk` for what has been looked at."""
    also = {"lse": True} if lse else {}
    mem = memory.init(kv) if mem is None else mem
    size = promises(memory).segment
    for t in range(0, kv.n, size or 1):
        new = kv[t : t + (size or 1)]
        q_t = None if q is None else q[..., t : t + new.n, :]
        if size is None:
            mem = updated(memory, mem, new, q_t)
            out = None if q is None else memory.read(mem, q_t, **also)
        else:
            out = None if q is None else memory.read(mem, q_t, new=new, **also)
            mem = updated(memory, mem, new, q_t)
        yield mem, out


def walked(memory, q: Tensor, kv: KV, mem=None, lse: bool = False) -> Any:
    """The outputs of a walk behind each other [*b, n, e]; with `lse` also the log-sum-exps [*b, n]."""
    outs = [out for _, out in steps(memory, q, kv, mem, lse)]
    if not outs:
        return memory.read(memory.init(kv) if mem is None else mem, q, **({"lse": True} if lse else {}))
    if not lse:
        return torch.cat(outs, -2)
    return torch.cat([out for out, _ in outs], -2), torch.cat([one for _, one in outs], -1)


def states(memory, kv: KV, q: Tensor | None = None) -> list:
    """The state after each token (of a segment memory: after each segment), from an empty memory.

    kv: n pairs; `q` [*b, n, d] only for memories that score by attention.
    Raises TypeError for what is no memory, ValueError at the first NaN or inf, with its position.
    """
    _entrance("states", memory, q, kv)
    _finite(kv, q)
    return [mem for mem, _ in steps(memory, q if promises(memory).needs_queries else None, kv)]


def outputs(memory, q: Float[Tensor, "*b n d"], kv: KV, mem=None) -> Tensor:
    """What attention gets from the memory at each token: [*b, n, e], step by step, from `mem` on.

    Raises ValueError at the first NaN or inf, with its position, and where q and kv differ in length.
    """
    _entrance("outputs", memory, q, kv)
    _finite(kv, q)
    if kv.n == 0:
        return q.new_zeros(*q.shape[:-1], kv.v.shape[-1])
    return walked(memory, q, kv, mem)


def whole_form(memory) -> Callable | None:
    """The memory's whole-sequence form (q, kv, mem, lse), or None where there is only the replay.

    A class's own `attend_all` first, unless a subclass changed a step that it does not know of; then the form in
    `memlib.fast` for exactly this type.
    """
    kinds = type(memory).__mro__
    for depth, owner in enumerate(kinds):
        if "attend_all" in vars(owner):
            changed = any(step in vars(below) for below in kinds[:depth] for step in METHODS)
            return None if changed else partial(_own, memory)
    return partial(_quick, memory) if type(memory) in WHOLE else None


def _quick(memory, q: Tensor, kv: KV, mem=None, lse: bool = False):
    return WHOLE[type(memory)](memory, q, kv, mem, lse)


def _own(memory, q: Tensor, kv: KV, mem=None, lse: bool = False):
    if not lse:
        return memory.attend_all(q, kv, mem)
    if "lse" in inspect.signature(memory.attend_all).parameters:
        return memory.attend_all(q, kv, mem, lse=True)
    return walked(memory, q, kv, mem, lse=True)


def attend_all(memory, q: Float[Tensor, "*b n d"], kv: KV, mem=None, lse: bool = False) -> Any:
    """As `outputs`, by the memory's whole-sequence form where it has one: [*b, n, e].

    lse: also the log-sum-exp of each read [*b, n], from memories whose `read` gives it.
    Without such a form it is a loop of Python, tens of launches a round, which keeps a GPU waiting: over tokens for
    `Hybrid` with `MostUsed`, `Ladder`, `Recurrent` of no GRU and a class of one's own, over segments for `Compressive`
    and for `Joint` and `Gated` of memories with segments.
    Raises ValueError where q and kv differ in length. NaN is not looked for here.
    """
    _entrance("attend_all", memory, q, kv)
    if isinstance(memory, Memory):
        no_bias(memory, kv)
        no_lse(memory, lse and not memory.merges)
    whole = whole_form(memory)
    try:
        with as_it_says(q):
            return walked(memory, q, kv, mem, lse) if whole is None else whole(q, kv, mem, lse)
    except Exception:
        if mem is not None and isinstance(memory, Memory):
            no_state(memory, mem)
        raise


def _entrance(name: str, memory, q: Tensor | None, kv: KV) -> None:
    unread = name == "states" or (name == "walk" and q is None)
    if isinstance(memory, type) or not (name == "attend_all" and callable(getattr(memory, name, None))):
        a_memory(f"{name}: memory", memory, ("init", "update") if unread else ("init", "update", "read"))
    pairs(f"{name}: kv", kv)
    if q is None and name in ("attend_all", "outputs") or q is not None:
        floats(f"{name}: q", q)
    if q is not None and q.shape[:-1] != kv.k.shape[:-1]:
        raise ValueError(f"q must have one query for each pair of k {list(kv.k.shape)}, got {kind(q)}")


def _finite(kv: KV, q: Tensor | None) -> None:
    """Looks for NaN and inf, where the numbers can be looked at: not under vmap, nor in a compiler."""
    for name, x in (("k", kv.k), ("v", kv.v), ("q", q)):
        if x is None or torch.compiler.is_compiling() or is_batchedtensor(x):
            continue
        finite(name, x)
