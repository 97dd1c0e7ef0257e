"""Key-value pairs, and attention over them.

    Att(q, (K, V)) = softmax(q K^T / sqrt(d)) V                    (1)

Vaswani et al. 2017, arXiv 1706.03762. Attention over several parts is joined exactly by their
log-sum-exps (Dao et al. 2022, arXiv 2205.14135); a learned sink or the weight of a pooled pair is a bias
on its score.

Dimension key, here once for the whole library:
    *b  anything in front: nothing in a notebook, [batch, heads] in a model
    n   pairs      m  slots of a memory      i  queries      d  width of keys      e  width of values
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd import forward_ad

SPARE = 16  # pairs of spare room in the smallest buffer
FEW = 8  # up to so many queries in half precision, two matrix products beat torch's fused attention


class Room:
    """A buffer with spare places behind the newest pair, shared by the KVs that view it."""

    __slots__ = ("k", "v", "used", "lock")

    def __init__(self, old: KV, places: int):
        self.k = old.k.new_empty(*old.k.shape[:-2], places, old.k.shape[-1])
        self.v = old.v.new_empty(*old.v.shape[:-2], places, old.v.shape[-1])
        self.used, self.lock = old.n, Lock()
        self.write(old, 0)

    def claim(self, end: int, n: int) -> bool:
        """Takes the n places behind `end`, unless another has taken them or there are too few."""
        with self.lock:
            free = self.used == end and end + n <= self.k.shape[-2]
            self.used += n if free else 0
        return free and (not self.k.is_inference() or torch.is_inference_mode_enabled())

    def write(self, new: KV, at: int) -> None:
        # .data: autograd's version counter does not move, since no pair that anybody sees is changed
        self.k.data.narrow(-2, at, new.n).copy_(new.k)
        self.v.data.narrow(-2, at, new.n).copy_(new.v)


@dataclass(frozen=True, eq=False)
class KV:
    """n key-value pairs, oldest first. A value: nothing that is done to it changes it.

    k: [*b, n, d]    v: [*b, n, e]    bias: [*b, n] or None, added to the scores.

    >>> kv = KV(torch.zeros(3, 2), torch.ones(3, 4))
    >>> kv
    KV(n=3, k=[3, 2], v=[3, 4], float32)
    >>> kv[-2:].n, kv.append(kv).n
    (2, 6)

    Raises ValueError where k, v and bias do not belong together, TypeError where they are not floats.
    """

    k: Tensor
    v: Tensor
    bias: Tensor | None = None
    _room: Room | None = field(default=None, repr=False, init=False)
    _end: int = field(default=0, repr=False, init=False)  # where this KV ends in its room

    def __post_init__(self):
        k, v = self.k, self.v
        for name, x in (("k", k), ("v", v)):
            if not isinstance(x, Tensor) or not x.is_floating_point():
                raise TypeError(f"KV: {name} must be a tensor of floats, got {kind(x)}")
            if x.dim() < 2:
                raise ValueError(f"KV: {name} must be [*b, n, width], got shape {list(x.shape)}")
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"KV: k {list(k.shape)} and v {list(v.shape)} must agree in all but the last size")
        if k.dtype != v.dtype or k.device != v.device:
            raise ValueError(f"KV: k is {k.dtype} on {k.device}, v is {v.dtype} on {v.device}: must be the same")
        bias = self.bias
        if bias is not None and (bias.shape != k.shape[:-1] or bias.dtype != k.dtype or bias.device != k.device):
            raise ValueError(f"KV: bias must be {list(k.shape[:-1])} of {k.dtype} on {k.device}, got {kind(bias)}")

    @property
    def n(self) -> int:
        """How many pairs. (There is no len(): an empty KV must not be falsy.)"""
        return self.k.shape[-2]

    def __repr__(self) -> str:
        bias = "" if self.bias is None else ", bias"
        return f"KV(n={self.n}, k={list(self.k.shape)}, v={list(self.v.shape)}{bias}, {str(self.k.dtype)[6:]})"

    def __getitem__(self, which: slice | Tensor) -> KV:
        """The pairs `which`: a slice without a step (a view), or a tensor of indices [j] (a copy)."""
        if isinstance(which, Tensor):
            return KV(
                self.k.index_select(-2, which),
                self.v.index_select(-2, which),
                None if self.bias is None else self.bias.index_select(-1, which),
            )
        if not isinstance(which, slice) or which.step not in (None, 1):
            raise TypeError(
                f"KV: index with a slice without a step (kv[2:5]) or a tensor of places (kv[torch.tensor([0, 2])]), "
                f"got {which!r}"
            )
        start, stop, _ = which.indices(self.n)
        count = max(stop - start, 0)
        return _seen(
            self.k.narrow(-2, start, count),
            self.v.narrow(-2, start, count),
            None if self.bias is None else self.bias.narrow(-1, start, count),
            self._room,
            self._end - self.n + start + count,
        )

    def empty(self) -> KV:
        """No pairs, in the shapes, dtype and device of these."""
        return KV(self.k[..., :0, :].detach().clone(), self.v[..., :0, :].detach().clone())

    def append(self, new: KV, keep: int | None = None) -> KV:
        """These pairs and behind them `new`; of all of them the newest `keep` (None: all).

        The new pairs are written into spare room behind the newest, so a step of a window copies O(1)
        pairs on average, and every older KV stays as it was. A second append to one KV copies, and so
        does one that autograd must see (keys or values that require grad).
        """
        self.fits(new)
        if keep is not None and keep < 0:
            raise ValueError(f"append: keep must be a whole number >= 0 or None, got {keep!r}")
        total = self.n + new.n
        kept = total if keep is None or keep > total else keep
        bias = _join_bias(self, new)
        if bias is not None:
            bias = bias[..., total - kept :]
        if new.n > kept:
            new = new[new.n - kept :]
        if _tracked(self.k, self.v, new.k, new.v):
            old_k, old_v = _newest(self, kept - new.n)
            return KV(torch.cat([old_k, new.k], -2), torch.cat([old_v, new.v], -2), bias)
        room, at = self._room, self._end
        if room is None or not room.claim(at, new.n):
            at = kept - new.n
            room = Room(KV(*_newest(self, at)), max(2 * kept, kept + SPARE))
            room.claim(at, new.n)
        room.write(new, at)
        end = at + new.n
        return _seen(room.k.narrow(-2, end - kept, kept), room.v.narrow(-2, end - kept, kept), bias, room, end)

    def fits(self, new: KV) -> None:
        """Raises ValueError where `new` are not pairs like these: leading sizes, widths, dtype, device."""
        a, b = self.k, new.k
        same = a.shape[:-2] == b.shape[:-2] and a.shape[-1] == b.shape[-1] and a.dtype == b.dtype
        if not same or self.v.shape[-1] != new.v.shape[-1] or a.device != b.device:
            raise ValueError(
                f"append: new must be pairs like the old ones: k [*{list(a.shape[:-2])}, n, {a.shape[-1]}], "
                f"v width {self.v.shape[-1]}, {a.dtype} on {a.device}; got k {list(b.shape)}, "
                f"v width {new.v.shape[-1]}, {b.dtype} on {b.device}"
            )


def _newest(kv: KV, n: int) -> tuple[Tensor, Tensor]:
    return kv.k.narrow(-2, kv.n - n, n), kv.v.narrow(-2, kv.n - n, n)


def _seen(k: Tensor, v: Tensor, bias: Tensor | None, room: Room | None, end: int) -> KV:
    """A KV that views a room, or a part of one that was checked."""
    kv = KV.__new__(KV)
    vars(kv).update(k=k, v=v, bias=bias, _room=room, _end=end)
    return kv


def _tracked(*tensors: Tensor) -> bool:
    """Whether autograd, forward or backward, torch.func or a compiler must see what is done to these."""
    if forward_ad._current_level >= 0 or torch.compiler.is_compiling():
        return True
    return any(x.requires_grad or is_functorch_wrapped_tensor(x) for x in tensors)


def _join_bias(*parts: KV) -> Tensor | None:
    if all(x.bias is None for x in parts):
        return None
    return torch.cat([x.k.new_zeros(x.k.shape[:-1]) if x.bias is None else x.bias for x in parts], -1)


def join(*parts: KV) -> KV:
    """The pairs of all parts in one KV, in that order (copied)."""
    for part in parts[1:]:
        parts[0].fits(part)
    return KV(torch.cat([x.k for x in parts], -2), torch.cat([x.v for x in parts], -2), _join_bias(*parts))


def attend(q: Float[Tensor, "*b i d"], kv: KV, lse: bool = False, new: KV | None = None, mask: Tensor | None = None):
    """Att(q, kv), equation (1).

    q: [*b, i, d]. Returns [*b, i, e]; with `lse` also the log-sum-exp of the scores [*b, i], by which
    parts are merged. `new`: pairs of the same tokens as the queries, or of earlier ones too, seen causally behind kv.
    `mask`: booleans [i, n] or [*b, i, n], True where a query may look at kv. A query with nothing to read
    receives 0, with lse -inf. In bfloat16 and float16 it is computed, and the lse given, in float32.
    Raises ValueError where q, new or mask do not fit the keys, TypeError where mask is not of booleans.
    """
    asks("attend", q, kv)
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"attend: mask must be of booleans, True where a query may look, got {kind(mask)}")
    if new is not None:
        kv, mask = _behind(q, kv, new, mask)
    precise = q.dtype if q.dtype in (torch.float32, torch.float64) else torch.float32
    if kv.n == 0 or q.shape[-2] == 0:
        out = q.new_zeros(*q.shape[:-1], kv.v.shape[-1])
        return (out, q.new_full(q.shape[:-1], -torch.inf, dtype=precise)) if lse else out
    if not lse and (q.dtype == precise or q.shape[-2] > FEW):
        return _fused(q, kv, mask)
    k, v = kv.k.to(precise), kv.v.to(precise)
    scores = (k @ (q.to(precise) * q.shape[-1] ** -0.5).mT).mT  # keys first: fast on views
    if kv.bias is not None:
        scores = scores + kv.bias.unsqueeze(-2)
    if mask is None:
        out = (torch.softmax(scores, -1) @ v).to(q.dtype)
        return (out, torch.logsumexp(scores, -1)) if lse else out
    scores = scores.masked_fill(~mask, torch.finfo(precise).min)
    some = mask.any(-1, keepdim=True)  # a query that may look nowhere receives nothing
    out = (torch.softmax(scores, -1) * some @ v).to(q.dtype)
    return (out, torch.logsumexp(scores, -1).masked_fill(~some.squeeze(-1), -torch.inf)) if lse else out


def _behind(q: Tensor, kv: KV, new: KV, mask: Tensor | None) -> tuple[KV, Tensor]:
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


def _fused(q: Tensor, kv: KV, mask: Tensor | None) -> Tensor:
    if kv.bias is not None:
        bias = kv.bias.unsqueeze(-2).expand(*kv.bias.shape[:-1], q.shape[-2], kv.n)
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return sdpa(q, kv.k, kv.v, attn_mask=mask)


def sdpa(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
    """torch's fused attention, always called with four dimensions, for which it has a fast path."""
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
    An empty side (lse -inf) has no weight.
    """
    (out_a, lse_a), (out_b, lse_b) = a, b
    lse = torch.logaddexp(lse_a, lse_b)
    g_a, g_b = (torch.exp(x - lse).nan_to_num(0.0).unsqueeze(-1) for x in (lse_a, lse_b))
    return (g_a * out_a + g_b * out_b).to(out_a.dtype), lse


def in_one(reads: list, q: Tensor, kv: KV, lse: bool):
    """Reads of consecutive queries behind each other, with their log-sum-exps where they have them."""
    if not reads:
        return attend(q, kv, lse)
    if not lse:
        return torch.cat(reads, -2)
    return torch.cat([out for out, _ in reads], -2), torch.cat([one for _, one in reads], -1)


def asks(name: str, q: Tensor, kv: KV) -> None:
    """Raises ValueError unless q [*b, i, d] are queries for these keys: leading sizes, width, dtype."""
    if q.dim() < 2 or q.shape[-1] != kv.k.shape[-1] or q.shape[:-2] != kv.k.shape[:-2] or q.dtype != kv.k.dtype:
        raise ValueError(f"{name}: q must be [*b, i, d] like k {list(kv.k.shape)} ({kv.k.dtype}), got {kind(q)}")


def plain(memory, new: KV) -> KV:
    """The pairs, unless they carry a bias, which `memory` could not honour: then ValueError."""
    if new.bias is not None:
        raise ValueError(
            f"{memory!r}: new must be pairs without a bias (a bias is added to the score of a slot of its own), got one"
        )
    return new


def single(x: Tensor) -> Tensor:
    """In float32 where it is shorter."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def wide(x: Tensor) -> Tensor:
    """In float64, in which sums are kept; float32 on a device that has no float64 (mps)."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)


def kind(x) -> str:
    """What came, for an error message."""
    if isinstance(x, Tensor):
        return f"a tensor {list(x.shape)} of {str(x.dtype)[6:]}"
    return f"{type(x).__name__} {x!r}"


def whole(name: str, value, least: int) -> None:
    """Raises unless `value` is a whole number of at least `least`; `name` says whose ("Window: size")."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
