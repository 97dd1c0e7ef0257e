"""Means over a whole sequence, written in place in pieces that stay in the cache: where autograd does not look.

Arrays in, arrays out: v [*b, n, e] in float32 or float64. The forms that autograd takes stand in `averages.py`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from memlib.precision import wide

PIECE = 4096  # tokens that are worked on at once
CACHED = 1 << 17  # numbers that are worked on at once where many passes are made over them
BLOCK = 32  # tokens that a cumulative average adds in short floats, and that a weighted one multiplies at once


def cumulative(v: Float[Tensor, "*b n e"], before: Tensor | None = None, count: int = 0) -> Float[Tensor, "*b n e"]:
    """Means of all places up to each, and of `count` earlier ones whose sum is `before` [*b, 1, e].

    Rows are added inside blocks, the ends of the blocks in float64: right to about two last places of float32.
    """
    out, number, sizes = torch.empty_like(v), _places(v) + count, _sizes(v.shape[-2])
    before = wide(v.new_zeros(*v.shape[:-2], 1, v.shape[-1])) if before is None else before
    for x, o, by in zip(v.split(sizes, -2), out.split(sizes, -2), number.split(sizes), strict=True):
        x, sums = (y.unflatten(-2, (-1, min(BLOCK, y.shape[-2]))) for y in (x, o))  # [*b, blocks, BLOCK, e]
        new, old = x.unbind(-2), sums.unbind(-2)
        old[0].copy_(new[0])
        for i in range(1, len(new)):
            torch.add(old[i - 1], new[i], out=old[i])
        ends = torch.cat([before, wide(old[-1])], -2).cumsum(-2)
        sums.add_(ends[..., :-1, :].to(v.dtype).unsqueeze(-2))
        before = ends[..., -1:, :]
        o.div_(by)
    return out


def moving(v: Float[Tensor, "*b m e"], size: int, n: int) -> Float[Tensor, "*b n e"]:
    """Means, at each of the last n places, of the newest `size` of them, or of as many as there are.

    Sums of 1, 2, 4 ... places, each the sum of two, or of whole blocks and what stands out at both ends: nothing is
    subtracted, so an outlier that has left is gone. A few rows and a stretch of them at a time: they stay in the cache.
    """
    rows, past, e = math.prod(v.shape[:-2]), v.shape[-2] - n, v.shape[-1]
    out = v.new_empty(*v.shape[:-2], n, e)
    filling = min(max(size - 1 - past, 0), n)
    if filling:
        out[..., :filling, :] = cumulative(v[..., : past + filling, :])[..., past:, :]
    left = n - filling
    blocks = size >= 4 * BLOCK <= left and size.bit_length() + size.bit_count() > 12  # passes that doubling makes
    cached, unit, sums = (2 * CACHED, BLOCK, _by_blocks) if blocks else (CACHED, 1, _by_doubling)
    piece = max(min(left, max(size, cached // max(e, 1) - size)) // unit * unit, 1)
    some = max(cached // max((piece + size) * e, 1), 1)
    for x, o in zip(v.reshape(rows, past + n, e).split(some), out.view(rows, n, e).split(some), strict=True):
        for start in range(filling, n, piece):
            many = min(piece, -(-(n - start) // unit) * unit)
            start = n - many if start + many > n else start  # whole blocks: the last piece reaches back
            here = o.narrow(-2, start, many)
            sums(_reach(x, past + start, many, size), size, here)
            here.div_(size)
    return out


def _by_blocks(x: Tensor, size: int, out: Tensor) -> None:
    """As `_by_doubling`, for whole blocks of `out`, more than one block in `size`.

    The end of the block in which the `size` places begin, the beginning of that in which they end, all blocks between.
    """
    c, k, z = out.shape[-2] // BLOCK, (size - 1) // BLOCK, (size - 1) % BLOCK
    x = F.pad(x, (0, 0, 0, (k + c + 1) * BLOCK - x.shape[-2])).unflatten(-2, (-1, BLOCK))
    begun, ended = torch.empty_like(x), out.unflatten(-2, (c, BLOCK))
    rows, up, down = x.unbind(-2), begun.unbind(-2), ended.unbind(-2)
    up[0].copy_(rows[0])
    down[-1].copy_(rows[-1][..., :c, :])
    for i in range(1, BLOCK):
        torch.add(up[i - 1], rows[i], out=up[i])
        torch.add(down[-i], rows[-1 - i][..., :c, :], out=down[-1 - i])
    between = x.new_zeros(*x.shape[:-3], c, x.shape[-1])
    if k > 1:
        _by_doubling(up[-1][..., 1 : c + k - 1, :], k - 1, between)
    ended[..., : BLOCK - z, :].add_(begun[..., k : k + c, z:, :]).add_(between.unsqueeze(-2))
    between += up[-1][..., k : k + c, :]
    ended[..., BLOCK - z :, :].add_(begun[..., k + 1 :, :z, :]).add_(between.unsqueeze(-2))


def _by_doubling(x: Tensor, size: int, out: Tensor) -> None:
    """Into `out` the sums of `size` places of x up to each of the last ones."""
    spare = [torch.empty_like(x) for _ in range(2)]

    def newest(back: int) -> Tensor:
        return x.narrow(-2, x.shape[-2] - back - out.shape[-2], out.shape[-2])

    done, k = 0, 1  # the newest `done` places are in `out`; x holds sums of k
    while size != 2 * k:
        if size & k:
            out.add_(newest(done)) if done else out.copy_(newest(0))
            done += k
        if done == size:
            return
        y = spare[0][..., : x.shape[-2] - k, :]
        torch.add(x[..., k:, :], x[..., :-k, :], out=y)
        x, k = y, 2 * k
        spare.reverse()
    torch.add(newest(0), newest(k), out=out)


def weighted(v: Float[Tensor, "*b m e"], weights: Float[Tensor, " w"], n: int) -> Float[Tensor, "*b n e"]:
    """Weighted means, at each of the last n places, of the newest, weights oldest first; of as many as there are.

    Products with a band, block by block: each reads its stretch of the sequence where it stands.
    """
    rows, past, weights = math.prod(v.shape[:-2]), v.shape[-2] - n, weights[-v.shape[-2] :]
    out, size = v.new_empty(rows, n, v.shape[-1]), len(weights)
    used = weights.flip(0).cumsum(0)[(_places(v) - 1).clamp(max=size - 1)[past:]]
    for o, by in zip(out.split(_sizes(n), -2), used.split(_sizes(n)), strict=True):
        _banded(_reach(v, past, o.shape[-2], size).reshape(rows, o.shape[-2] + size - 1, v.shape[-1]), weights, o)
        o.div_(by)
        past += o.shape[-2]
    return out.view(*v.shape[:-2], n, v.shape[-1])


def _banded(x: Tensor, weights: Tensor, out: Tensor) -> None:
    """Into `out` [rows, n, e] the weighted sums of x [rows, len(weights) - 1 + n, e].

    One product a row or one a place of a block, whichever are fewer.
    """
    w, size = len(weights), min(BLOCK, out.shape[-2])
    place = torch.arange(size + w - 1, device=x.device) - torch.arange(size, device=x.device)[:, None]
    band = weights[place.clamp(0, w - 1)] * ((place >= 0) & (place < w))  # [size, size + w - 1]
    stretches = x.unfold(-2, size + w - 1, size).mT  # [rows, blocks, size + w - 1, e], views that overlap
    blocks = out.unflatten(-2, (-1, size))
    if stretches.shape[0] > stretches.shape[1]:
        stretches, blocks = stretches.transpose(0, 1), blocks.transpose(0, 1)
    for stretch, block in zip(stretches, blocks, strict=True):
        torch.bmm(band.expand(len(stretch), -1, -1), stretch, out=block)


def _reach(v: Tensor, start: int, n: int, size: int) -> Tensor:
    """The n places from `start` on and the size - 1 before them, zeros where there are none."""
    first = start - size + 1
    return F.pad(v[..., max(first, 0) : start + n, :], (0, 0, max(-first, 0), 0))


def _places(v: Tensor) -> Tensor:
    """1, 2, ... n as a column."""
    return torch.arange(1, v.shape[-2] + 1, device=v.device)[:, None]


def _sizes(n: int) -> list[int]:
    """Lengths of the pieces of n tokens: whole blocks, and a last one that is shorter than a block."""
    whole = n - n % BLOCK
    return [size for size in (*[PIECE] * (whole // PIECE), whole % PIECE, n - whole) if size]
