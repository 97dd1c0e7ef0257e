"""A memory followed over pieces of a stream, whole segments or not; and the learned parts a memory holds."""

from __future__ import annotations

import copy
import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor, nn

from memlib.kv import KV
from memlib.replay import attend_all, walk, whole_form


class Open(NamedTuple):
    """A segment memory's state, and the pairs of the segment that is not yet full, with their queries."""

    mem: object
    q: Tensor
    kv: KV


def begin(memory, like: KV):
    """The state before the first token; `like`: a KV of the shapes to come, of no pairs."""
    mem = memory.init(like)
    return mem if getattr(memory, "segment", None) is None else Open(mem, like.k, like.empty())


def follow(memory, state, q: Tensor, kv: KV):
    """Takes n tokens: (state after them, what each of their queries read [*b, n, e]).

    Cut as you like, the reads are those of the whole sequence: a segment stays open until it is full.
    """
    if isinstance(state, Open):
        return _segments(memory, state, q, kv)
    if whole_form(memory) is not None and getattr(memory, "chunkable", False) and kv.n > 1:
        out = attend_all(memory, q, kv, state)
        return memory.update(state, kv, q) if _asks(memory) else memory.update(state, kv), out
    outs = []
    for mem, out in walk(memory, q, kv, state):
        state = mem
        outs.append(out)
    return state, torch.cat(outs, -2)


def _segments(memory, state: Open, q: Tensor, kv: KV):
    outs, t = [], 0
    while t < kv.n:
        n = min(memory.segment - state.kv.n, kv.n - t)
        q_t, new = torch.cat([state.q, q[..., t : t + n, :]], -2), state.kv.append(kv[t : t + n])
        few = getattr(memory, "merges", getattr(memory, "softmax", False))
        late = q_t[..., -n:, :] if few else q_t  # others may want a query for each pair
        outs.append(memory.read(state.mem, late, new=new)[..., -n:, :])
        if new.n < memory.segment:
            state = Open(state.mem, q_t, new)
        else:
            mem = memory.update(state.mem, new, q_t) if _asks(memory) else memory.update(state.mem, new)
            state = Open(mem, q_t.new_zeros(*q_t.shape[:-2], 0, q_t.shape[-1]), new.empty())  # a view keeps a graph
        t += n
    return state, torch.cat(outs, -2)


def _asks(memory) -> bool:
    return getattr(memory, "needs_queries", False)


def _map(memory, fn):
    """The memory with fn at each module or parameter it holds; the same object where there is none."""
    if isinstance(memory, (nn.Module, nn.Parameter)):
        return fn(memory)
    if isinstance(memory, (list, tuple)):
        parts = [_map(part, fn) for part in memory]
        same = all(a is b for a, b in zip(parts, memory, strict=True))
        return memory if same else type(memory)(parts)
    if dataclasses.is_dataclass(memory) and not isinstance(memory, type):
        old = {f.name: getattr(memory, f.name) for f in dataclasses.fields(memory) if f.init}
        new = {name: _map(part, fn) for name, part in old.items()}
        return memory if all(new[k] is old[k] for k in old) else dataclasses.replace(memory, **new)
    if callable(getattr(memory, "update", None)) and hasattr(memory, "__dict__"):  # a class of one's own
        old = dict(vars(memory))
        new = {name: _map(part, fn) for name, part in old.items()}
        if any(new[k] is not old[k] for k in old):
            memory = copy.copy(memory)
            memory.__dict__.update(new)
    return memory


def own(memory):
    """The memory with its own copy of what it has to learn; stores and numbers stay shared."""
    return _map(memory, copy.deepcopy)


def learned(memory) -> list[nn.Module]:
    """The modules in a memory's fields, and in those of memories it holds; a bare parameter in a list."""
    found = []

    def note(part):
        found.append(part if isinstance(part, nn.Module) else nn.ParameterList([part]))
        return part

    _map(memory, note)
    return found
