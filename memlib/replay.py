"""A memory walked over a sequence. The only place that knows the two orders of events.

Token memory (`segment` is None): update with one pair, then read; a token sees itself.
Segment memory (`segment` = n): read with the n current pairs, causal behind the slots, THEN update
(Algorithm 1 of the Compressive Transformer, arXiv 1911.05507).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from memlib.kv import KV, kind


def walk(memory, q: Tensor | None, kv: KV, mem=None, lse: bool = False) -> Iterator[tuple]:
    """Yields (state, output) after each token, or after each segment of a segment memory.

    q: [*b, n, d] or None (then no reads, output None). `mem`: the state to go on from, None: empty.
    lse: an output is what `read(..., lse=True)` gives, the read and its log-sum-exp.
    """
    also = {"lse": True} if lse else {}
    mem = memory.init(kv) if mem is None else mem
    size = getattr(memory, "segment", None)
    for t in range(0, kv.n, size or 1):
        new = kv[t : t + (size or 1)]
        q_t = None if q is None else q[..., t : t + new.n, :]
        if size is None:
            mem = _update(memory, mem, new, q_t)
            out = None if q is None else memory.read(mem, q_t, **also)
        else:
            out = None if q is None else memory.read(mem, q_t, new=new, **also)
            mem = _update(memory, mem, new, q_t)
        yield mem, out


def _update(memory, mem, new: KV, q: Tensor | None):
    return memory.update(mem, new, q) if getattr(memory, "needs_queries", False) else memory.update(mem, new)


def states(memory, kv: KV, q: Tensor | None = None) -> list:
    """The state after each token (of a segment memory: after each segment), from an empty memory.

    kv: n pairs; `q` [*b, n, d] only for memories that score by attention.
    Raises ValueError at the first NaN or inf, with its position.
    """
    _refuse(kv, q)
    return [mem for mem, _ in walk(memory, q if getattr(memory, "needs_queries", False) else None, kv)]


def outputs(memory, q: Float[Tensor, "*b n d"], kv: KV, mem=None) -> Tensor:
    """What attention gets from the memory at each token: [*b, n, e], step by step, from `mem` on.

    Raises ValueError at the first NaN or inf, with its position, and where q and kv differ in length.
    """
    _refuse(kv, q)
    outs = [out for _, out in walk(memory, q, kv, mem)]
    return torch.cat(outs, -2) if outs else q.new_zeros(*q.shape[:-1], kv.v.shape[-1])


def whole_form(memory):
    """The memory's own `attend_all`, or None: also where a subclass changed a step that it does not know of."""
    kinds = type(memory).__mro__
    for depth, owner in enumerate(kinds):
        if "attend_all" in vars(owner):
            changed = any(
                step in vars(below) for below in kinds[:depth] for step in ("init", "update", "read", "slots")
            )
            return None if changed else memory.attend_all
    return None


def attend_all(memory, q: Float[Tensor, "*b n d"], kv: KV, mem=None, lse: bool = False):
    """As `outputs`, by the memory's own whole-sequence form where it has one: [*b, n, e].

    lse: also the log-sum-exp of each read [*b, n], from memories whose `read` gives it.
    Raises ValueError where q and kv differ in length. NaN is not looked for here.
    """
    _paired(q, kv)
    fast = whole_form(memory)
    if not lse:
        return fast(q, kv, mem) if fast is not None else outputs(memory, q, kv, mem)
    if fast is not None and "lse" in inspect.signature(fast).parameters:
        return fast(q, kv, mem, lse=True)
    both = [out for _, out in walk(memory, q, kv, mem, lse=True)]
    if not both:
        return memory.read(memory.init(kv), q, lse=True)
    return torch.cat([out for out, _ in both], -2), torch.cat([one for _, one in both], -1)


def _paired(q: Tensor | None, kv: KV) -> None:
    if q is not None and q.shape[:-1] != kv.k.shape[:-1]:
        raise ValueError(f"q must have one query for each pair of k {list(kv.k.shape)}, got {kind(q)}")


def _refuse(kv: KV, q: Tensor | None) -> None:
    _paired(q, kv)
    for name, x in (("k", kv.k), ("v", kv.v), ("q", q)):
        if x is not None and not torch.isfinite(x).all():
            where = (~torch.isfinite(x)).nonzero()[0].tolist()
            raise ValueError(f"{name} must be finite, got {x[tuple(where)].item()} at position {where}")
