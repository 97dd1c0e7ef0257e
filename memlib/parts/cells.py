"""A recurrent cell as the update of a memory: pairs as its rows, its hidden states as pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from memlib.kv import KV


def no_hidden(cell: nn.Module, like: KV) -> KV:
    """Nothing seen, in the dtype of the cell. Raises ValueError where its sizes do not fit the pairs."""
    width = like.k.shape[-1] + like.v.shape[-1]
    for name in ("input_size", "hidden_size"):
        if getattr(cell, name, width) != width:
            wanted = f"{width}, the widths of a key and a value together"
            raise ValueError(f"Recurrent: cell.{name} must be {wanted}, got {getattr(cell, name)}")
    return in_dtype_of(cell, KV(like.k[..., :0, :].detach(), like.v[..., :0, :].detach()))


def in_dtype_of(cell: nn.Module, kv: KV) -> KV:
    """The pairs in the dtype of the cell's weights."""
    return cast(kv, next(cell.parameters(), kv.k).dtype)


def cast(kv: KV, dtype: torch.dtype) -> KV:
    """The pairs in another dtype of floats; the same KV where they have it, or where it is none."""
    same = kv.k.dtype == dtype or not dtype.is_floating_point
    return kv if same else KV(kv.k.to(dtype), kv.v.to(dtype))


def as_rows(kv: KV) -> Tensor:
    """[k; v] of n pairs as [n, rows, d + e], rows being all leading sizes in one."""
    return torch.cat([kv.k, kv.v], -1).reshape(-1, kv.n, kv.k.shape[-1] + kv.v.shape[-1]).movedim(1, 0)


def unrolled(cell: nn.Module, mem: KV, new: KV) -> tuple[Tensor, Tensor]:
    """The new pairs as rows [n, rows, d + e], and the hidden state [rows, d + e] before them: the slot, or 0."""
    new = in_dtype_of(cell, new)
    mem.fits(new)
    rows = as_rows(new)
    return rows, as_rows(mem)[-1] if mem.n else rows.new_zeros(*rows.shape[1:])


def as_pairs(states: Tensor, like: KV) -> KV:
    """Hidden states [n, rows, d + e] as n pairs in the shapes of `like`."""
    h = states.movedim(0, 1).reshape(*like.k.shape[:-2], states.shape[0], states.shape[2])
    return KV(*(x.contiguous() for x in h.split([like.k.shape[-1], like.v.shape[-1]], -1)))
