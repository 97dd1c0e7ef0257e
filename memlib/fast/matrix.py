"""The matrix memories over a sequence: linear attention chunk by chunk, the delta rules by a triangular solve.

Delta rule over a whole sequence: Yang et al. 2024, arXiv 2406.06484; gated: arXiv 2412.06464.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from memlib.kv import KV
from memlib.memories.delta import DeltaRule
from memlib.memories.gated_delta import GatedDelta
from memlib.memories.linear import LinearAttention
from memlib.memory import UPDATES, WHOLE
from memlib.parts.gates import of_keys
from memlib.parts.matrix import MatrixState, phi, phi_of_query, quotient, unit
from memlib.precision import single, wide

CHUNK = 64  # tokens of linear attention handled at once
DELTA = 32  # tokens of a delta rule handled at once


def linear(memory: LinearAttention, q: Tensor, kv: KV, mem: MatrixState | None, lse: bool) -> Tensor:
    """Inside a chunk by a small causal product, before it by S and z."""
    begun: Any = _begin(memory, kv, mem)  # with a z, which delta rules do without
    s, z, outs = begun.s, begun.z, []
    for t in range(0, kv.n, CHUNK):
        q_t, k_t, v_t = (wide(x[..., t : t + CHUNK, :]) for x in (q, kv.k, kv.v))
        q_t, k_t = phi_of_query(q_t), phi(k_t)
        inside = (q_t @ k_t.mT).tril()
        above = inside @ v_t + q_t @ s
        outs.append(quotient(above, inside.sum(-1, keepdim=True) + q_t @ z).to(q.dtype))
        s, z = s + k_t.mT @ v_t, z + k_t.sum(-2).unsqueeze(-1)
    return torch.cat(outs, -2) if outs else kv.v


def _gates(memory: DeltaRule | GatedDelta, k: Tensor) -> tuple[Tensor | None, Tensor]:
    name = type(memory).__name__
    beta = of_keys(memory.beta, k, f"{name}: beta")[..., 0, 0]
    alpha = of_keys(memory.alpha, k, f"{name}: alpha")[..., 0, 0] if isinstance(memory, GatedDelta) else None
    return alpha, beta


def delta(memory: DeltaRule | GatedDelta, q: Tensor, kv: KV, mem: MatrixState | None, lse: bool) -> Tensor:
    """Chunks that are solved."""
    return _solved(q, kv, _begin(memory, kv, mem), *_gates(memory, kv.k))[0]


def delta_update(memory: DeltaRule | GatedDelta, mem: MatrixState, new: KV, q: Tensor | None) -> MatrixState:
    """The state behind a prompt."""
    s = _solved(new.k, new, mem, *_gates(memory, new.k))[1]
    return MatrixState(mem.like, s, None, mem.count + new.n)


def _begin(memory, kv: KV, mem: MatrixState | None) -> MatrixState:
    mem = memory.init(kv) if mem is None else mem
    mem.like.fits(kv)
    return mem


def _solved(q: Tensor, kv: KV, mem: MatrixState, alpha: Tensor | None, beta: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs [*b, n, e], S behind the sequence).

    Inside a chunk the corrections u_i = beta_i (v_i - what S answers to k_i before i) obey
    (I + A) u = beta (v - fade k S), A strictly lower triangular: one triangular solve serves both terms.
    """
    n, pad = kv.n, -kv.n % DELTA
    if n == 0:
        return kv.v, mem.s
    q, k, v = (F.pad(x, (0, 0, 0, pad)).unflatten(-2, (-1, DELTA)) for x in (unit(q), unit(kv.k), single(kv.v)))
    beta = F.pad(beta, (0, pad)).unflatten(-1, (-1, DELTA)).unsqueeze(-1)
    causal = q.new_ones(DELTA, DELTA).tril()
    if alpha is None:
        fade, between = q.new_ones(1, 1), causal
    else:
        alpha = F.pad(alpha, (0, pad), value=1.0).unflatten(-1, (-1, DELTA)).unsqueeze(-1)
        fade = alpha.cumprod(-2)  # what is left at i of the state before the chunk
        between = torch.where(causal.tril(-1) > 0, alpha, 1.0).cumprod(-2) * causal  # ... of what was written at j
    a = beta * (k @ k.mT * between).tril(-1)
    both = torch.linalg.solve_triangular(a, torch.cat([beta * v, beta * fade * k], -1), upper=False, unitriangular=True)
    u, w = both.split([v.shape[-1], k.shape[-1]], -1)
    inside, from_state = (q @ k.mT) * between, fade * q
    rest = between[..., -1:, :].mT * k  # what is left at the chunk's end of what was written at j
    end = (fade if alpha is None else fade[..., -1:, :]).expand(*k.shape[:-2], 1, 1)
    s, outs = single(mem.s), []
    for c in range(k.shape[-3]):
        corrections = u[..., c, :, :] - w[..., c, :, :] @ s
        outs.append(from_state[..., c, :, :] @ s + inside[..., c, :, :] @ corrections)
        s = end[..., c, :, :] * s + rest[..., c, :, :].mT @ corrections
    return torch.cat(outs, -2)[..., :n, :].to(kv.v.dtype), s


WHOLE[LinearAttention] = linear
for one in (DeltaRule, GatedDelta):
    WHOLE[one], UPDATES[one] = delta, delta_update
