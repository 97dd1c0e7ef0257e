"""Attention over key-value pairs, and how reads of several parts become one.

    Att(q, (K, V)) = softmax(q K^T / sqrt(d)) V                    (1)

Vaswani et al. 2017, arXiv 1706.03762. Attention over several parts is joined exactly by their
log-sum-exps (Dao et al. 2022, arXiv 2205.14135); a learned sink or the weight of a pooled pair is a bias
on its score. Sizes are those of `memlib.kv`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from memlib.errors import kind
from memlib.kv import KV, join, pairs
from memlib.precision import any_autocast, as_it_says, single

PLAIN = (torch.float32, torch.float64)
FEW = 8  # up to so many queries in half precision, two matrix products beat torch's fused attention


def attend(
    q: Float[Tensor, "*b i d"], kv: KV, lse: bool = False, new: KV | None = None, mask: Tensor | None = None
) -> Any:
    """Att(q, kv), equation (1).

    q: [*b, i, d]. Returns [*b, i, e]; with `lse` also the log-sum-exp of the scores [*b, i], by which
    parts are merged. `new`: pairs of the same tokens as the queries, or of earlier ones too, seen causally behind kv.
    `mask`: booleans [i, n] or [*b, i, n], True where a query may look at kv. A query with nothing to read
    (no pairs, a mask without True, biases of -inf) receives 0, with lse -inf. In bfloat16 and float16 it is computed,
    and the lse given, in float32.
    Raises ValueError where q, new or mask do not fit the keys, TypeError where mask is not of booleans.
    """
    asks("attend", q, kv)
    if mask is not None:
        _fitting("mask", mask, q, kv.n)
    if new is not None:
        kv, mask = _behind(q, kv, new, mask)
    if kv.k.shape[-2] == 0 or q.numel() == 0:
        out = q.new_zeros(*q.shape[:-1], kv.v.shape[-1])
        return (out, single(q).new_full(q.shape[:-1], -torch.inf)) if lse else out
    if any_autocast() and torch.is_autocast_enabled(q.device.type):
        with as_it_says(q):
            return attend(q, kv, lse, mask=mask)
    if lse or (q.dtype not in PLAIN and q.shape[-2] <= FEW) or forward_ad._current_level >= 0:
        return _by_hand(q, kv, lse, mask)  # the fused one gives no log-sum-exp and has no forward derivative
    if kv.bias is not None:
        bias = kv.bias.unsqueeze(-2).expand(*kv.bias.shape[:-1], q.shape[-2], kv.n)
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return sdpa(q, kv.k, kv.v, mask)


def _by_hand(q: Tensor, kv: KV, lse: bool, mask: Tensor | None) -> Any:
    """Equation (1) as two products in float32 at least; keys first, which is fast on views."""
    scores = (single(kv.k) @ (single(q) * q.shape[-1] ** -0.5).mT).mT
    if kv.bias is not None:
        there = (kv.bias > -torch.inf).unsqueeze(-2)
        scores = scores + single(kv.bias).unsqueeze(-2).masked_fill(~there, 0.0)
        mask = there if mask is None else mask & there
    if mask is None:
        out = (torch.softmax(scores, -1) @ single(kv.v)).to(q.dtype)
        return (out, torch.logsumexp(scores, -1)) if lse else out
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    some = mask.any(-1, keepdim=True)  # a query that may look nowhere receives nothing
    out = (torch.softmax(scores, -1) * some @ single(kv.v)).to(q.dtype)
    return (out, torch.logsumexp(scores, -1).masked_fill(~some.squeeze(-1), -torch.inf)) if lse else out


def _behind(q: Tensor, kv: KV, new: KV, mask: Tensor | None) -> tuple[KV, Tensor]:
    kv.fits(new, "attend: new")
    sees = causal(q, kv.n, new)
    if mask is not None:
        sees = torch.cat([mask, sees[:, kv.n :].expand(*mask.shape[:-1], new.n)], -1)
    return join(kv, new), sees


def causal(q: Tensor, n: int, new: KV) -> Tensor:
    """Which of n pairs and, behind them, `new` the queries of the newest tokens see: booleans [i, n + new.n]."""
    i = q.shape[-2]
    if new.n < i:
        raise ValueError(f"attend: new holds {new.n} pairs, wanted one for each of the {i} queries")
    return q.new_ones(i, n + new.n, dtype=torch.bool).tril(n + new.n - i)


def sdpa(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
    """torch's fused attention, always called with four dimensions, for which it has a fast path."""
    if q.dim() == 4 and attn_mask is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    lead = q.shape[:-2]

    def four(x):
        return x.reshape(1, -1, *x.shape[-2:]) if x.dim() != 4 else x

    if attn_mask is not None and attn_mask.dim() > 2:
        attn_mask = four(attn_mask)
    out = F.scaled_dot_product_attention(four(q), four(k), four(v), attn_mask=attn_mask, is_causal=is_causal)
    return out.reshape(*lead, *out.shape[-2:])


def merge(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two reads with their log-sum-exps into the one read over both parts, exactly.

    softmax over [A, B] = g Att_A + (1 - g) Att_B with g = sigmoid(lse_A - lse_B).
    An empty side (lse -inf) has no weight. Raises TypeError for what is no such read, ValueError for other sizes.
    """
    try:
        (out_a, lse_a), (out_b, lse_b) = a, b
        lse = torch.logaddexp(lse_a, lse_b)
        g_a, g_b = (torch.exp(x - lse).nan_to_num(0.0).unsqueeze(-1) for x in (lse_a, lse_b))
        return (g_a * out_a + g_b * out_b).to(out_a.dtype), lse
    except (TypeError, ValueError, RuntimeError, AttributeError):
        _reads(a, b)
        raise


def _reads(*both) -> None:
    """Raises the documented error unless these are two reads of the same queries."""
    for name, x in zip("ab", both, strict=True):
        if (
            not isinstance(x, tuple)
            or len(x) != 2
            or not all(isinstance(y, Tensor) and y.is_floating_point() for y in x)
        ):
            raise TypeError(
                f"merge: {name} must be a read and its log-sum-exp, as attend(..., lse=True), got {x!r:.200}"
            )
        if x[0].shape[:-1] != x[1].shape:
            raise ValueError(f"merge: {name} must be [*b, i, e] and [*b, i], got {kind(x[0])} and {kind(x[1])}")
    (out_a, _), (out_b, _) = both
    if out_a.shape != out_b.shape:
        raise ValueError(f"merge: b must be a read {list(out_a.shape)} as a is, got {kind(out_b)}")


def in_one(reads: list, q: Tensor, kv: KV, lse: bool):
    """Reads of consecutive queries behind each other, with their log-sum-exps where they have them."""
    if not reads:
        return attend(q, kv, lse)
    if not lse:
        return torch.cat(reads, -2)
    return torch.cat([out for out, _ in reads], -2), torch.cat([one for _, one in reads], -1)


def asks(name: str, q: Tensor, kv: KV) -> None:
    """Raises ValueError unless q [*b, i, d] are queries for these keys: leading sizes, width, dtype."""
    if not isinstance(kv, KV):
        pairs(f"{name}: kv", kv)
    if not isinstance(q, Tensor):
        raise TypeError(f"{name}: q must be a tensor of floats, got {kind(q)}")
    k, a, b = kv.k, q.shape, kv.k.shape
    if a[:-2] != b[:-2] or len(a) != len(b) or a[-1] != b[-1] or q.dtype != k.dtype:
        raise ValueError(f"{name}: q must be [*b, i, d] like k {list(k.shape)} ({k.dtype}), got {kind(q)}")


def _fitting(name: str, mask: Tensor, q: Tensor, n: int) -> None:
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"attend: {name} must be of booleans, True where a query may look, got {kind(mask)}")
    wanted = (*q.shape[:-1], n)
    if not 2 <= mask.dim() <= q.dim() or any(
        a not in (1, b) for a, b in zip(mask.shape[::-1], wanted[::-1], strict=False)
    ):
        raise ValueError(f"attend: {name} must be [i, n] = {list(wanted[-2:])} or {list(wanted)}, got {kind(mask)}")
