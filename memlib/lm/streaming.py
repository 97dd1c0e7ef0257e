"""A memory followed over pieces of a stream, whole segments or not."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from memlib.kv import KV
from memlib.memory import promises, updated
from memlib.replay import attend_all, steps, whole_form


class Open(NamedTuple):
    """A segment memory's state, and the pairs of the segment that is not yet full, with their queries."""

    mem: object
    q: Tensor
    kv: KV


def opened(memory, like: KV):
    """The state before the first token; `like`: a KV of the shapes to come, of no pairs."""
    mem = memory.init(like)
    return mem if promises(memory).segment is None else Open(mem, like.k, like.empty())


def follow(memory, state, q: Tensor, kv: KV):
    """Takes n tokens: (state after them, what each of their queries read [*b, n, e]).

    Cut as you like, the reads are those of the whole sequence: a segment stays open until it is full.
    """
    if isinstance(state, Open):
        return _segments(memory, state, q, kv)
    if whole_form(memory) is not None and promises(memory).chunkable and kv.n > 1:
        out = attend_all(memory, q, kv, state)
        return updated(memory, state, kv, q), out
    outs = []
    for mem, out in steps(memory, q, kv, state):
        state = mem
        outs.append(out)
    return state, torch.cat(outs, -2)


def _segments(memory, state: Open, q: Tensor, kv: KV):
    outs, t = [], 0
    while t < kv.n:
        n = min(memory.segment - state.kv.n, kv.n - t)
        q_t, new = torch.cat([state.q, q[..., t : t + n, :]], -2), state.kv.append(kv[t : t + n])
        few = promises(memory).merges
        late = q_t[..., -n:, :] if few else q_t  # others may want a query for each pair
        outs.append(memory.read(state.mem, late, new=new)[..., -n:, :])
        if new.n < memory.segment:
            state = Open(state.mem, q_t, new)
        else:
            mem = updated(memory, state.mem, new, q_t)
            state = Open(mem, q_t.new_zeros(*q_t.shape[:-2], 0, q_t.shape[-1]), new.empty())  # a view keeps a graph
        t += n
    return state, torch.cat(outs, -2)
