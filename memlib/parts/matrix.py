"""The state of a matrix memory, and what its rules share: unit keys, the feature map, its rows as slots."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from memlib.kv import KV
from memlib.precision import single, wide
from memlib.room import tracked


class MatrixState(NamedTuple):
    """S [*b, d, e], for linear attention z [*b, d, 1], and how many pairs went in."""

    like: KV  # no pairs: the shapes, dtype and device of those that come
    s: Tensor
    z: Tensor | None
    count: int


def no_matrix(like: KV, sums: bool = False) -> MatrixState:
    """S = 0, in float32 at least; with `sums` S and z in float64, since they only grow."""
    s = like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])
    if not sums:
        return MatrixState(like.empty(), single(s), None, 0)
    return MatrixState(like.empty(), wide(s), wide(s).new_zeros(*s.shape[:-1], 1), 0)


def rows_of(mem: MatrixState) -> KV:
    """Row j of S behind the unit key e_j; none while nothing was seen."""
    if not mem.count:
        return mem.like
    eye = torch.eye(mem.s.shape[-2], dtype=mem.like.k.dtype, device=mem.s.device)
    return KV(eye.expand(*mem.s.shape[:-2], *eye.shape), mem.s.to(mem.like.v.dtype))


def unit(x: Tensor) -> Tensor:
    """Of length 1, in float32 where it is shorter. A zero key stays zero, and gets no gradient."""
    x = single(x)
    if not tracked(x):
        return F.normalize(x, dim=-1)
    there = x.abs().amax(-1, keepdim=True) > 0
    return F.normalize(torch.where(there, x, torch.ones_like(x)), dim=-1) * there


def phi(x: Tensor) -> Tensor:
    """elu(x) + 1, without the 1 that would swallow a small exp(x)."""
    return torch.where(x > 0, x + 1, x.clamp(max=0).exp())


def phi_of_query(x: Tensor) -> Tensor:
    """phi of a query, up to a factor of its own, which the read divides out: its largest feature is at least 1."""
    low = x.clamp(max=0)
    return torch.where(x > 0, x + 1, (low - low.amax(-1, keepdim=True)).exp())


def quotient(above: Tensor, below: Tensor) -> Tensor:
    """above / below; 0 where nothing was seen, or all of it so faintly that both are 0."""
    return above / below.clamp(min=torch.finfo(below.dtype).tiny)
