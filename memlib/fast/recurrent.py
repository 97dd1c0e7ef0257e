"""The recurrent network: torch's own loop over a sequence, where it has one for the cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from memlib.kv import KV
from memlib.memories.recurrent import Recurrent
from memlib.memory import UPDATES, WHOLE
from memlib.parts.cells import as_pairs, unrolled
from memlib.replay import walked
from memlib.room import tracked


def whole(memory: Recurrent, q: Tensor, kv: KV, mem: KV | None, lse: bool):
    """With one slot the outputs are the value parts of the hidden states."""
    if lse or kv.n == 0:
        return walked(memory, q, kv, mem, lse)
    rows, h = unrolled(memory.cell, memory.init(kv) if mem is None else mem, kv)
    return as_pairs(_hidden_states(memory.cell, rows, h), kv).v.to(kv.v.dtype)


def update(memory: Recurrent, mem: KV, new: KV, q: Tensor | None) -> KV:
    """The last hidden state."""
    rows, h = unrolled(memory.cell, mem, new)
    return as_pairs(_hidden_states(memory.cell, rows, h)[-1:], new)


def _hidden_states(cell: nn.Module, x: Tensor, h: Tensor) -> Tensor:
    """Hidden states [n, rows, width] after each step."""
    hooked = cell._forward_hooks or cell._forward_pre_hooks
    seen = torch.compiler.is_compiling() or is_functorch_wrapped_tensor(x)  # neither knows torch's own loop
    if type(cell) is nn.GRUCell and cell.bias_ih is not None and not hooked and not seen:
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        trained = tracked(x, h, *weights)  # on a GPU what is not told so cannot be differentiated
        return torch.gru(x, h[None], weights, True, 1, 0.0, trained, False, False)[0]
    states = []
    for x_t in x:
        h = cell(x_t, h)
        states.append(h)
    return torch.stack(states)


WHOLE[Recurrent], UPDATES[Recurrent] = whole, update
