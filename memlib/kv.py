"""Key-value pairs, as a value: what every memory is made of.

Dimension key, here once for the whole library:
    *b  anything in front: nothing in a notebook, [batch, heads] in a model
    n   pairs      m  slots of a memory      i  queries      d  width of keys      e  width of values
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

from memlib.errors import function, integers, kind, whole
from memlib.precision import as_it_says, single
from memlib.room import SPARE, Room, tracked


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
        k, v, bias = self.k, self.v, self.bias
        for name, x in (("k", k), ("v", v)):
            if not isinstance(x, Tensor) or not x.is_floating_point():
                raise TypeError(f"KV: {name} must be a tensor of floats, got {kind(x)}")
            if x.dim() < 2:
                raise ValueError(f"KV: {name} must be [*b, n, width], got shape {list(x.shape)}")
        if k.shape[:-1] != v.shape[:-1]:
            raise ValueError(f"KV: k {list(k.shape)} and v {list(v.shape)} must agree in all but the last size")
        if k.dtype != v.dtype or k.device != v.device:
            raise ValueError(f"KV: k is {k.dtype} on {k.device}, v is {v.dtype} on {v.device}: must be the same")
        if bias is None:
            return
        if not isinstance(bias, Tensor):
            raise TypeError(f"KV: bias must be a tensor of floats or None, got {kind(bias)}")
        if bias.shape != k.shape[:-1] or bias.dtype != k.dtype or bias.device != k.device:
            raise ValueError(f"KV: bias must be {list(k.shape[:-1])} of {k.dtype} on {k.device}, got {kind(bias)}")

    @property
    def n(self) -> int:
        """How many pairs. (There is no len(): an empty KV must not be falsy.)"""
        return self.k.shape[-2]

    def __repr__(self) -> str:
        bias = "" if self.bias is None else ", bias"
        return f"KV(n={self.n}, k={list(self.k.shape)}, v={list(self.v.shape)}{bias}, {str(self.k.dtype)[6:]})"

    def __reduce__(self):
        return KV, tuple(None if x is None else x.clone() for x in (self.k, self.v, self.bias))  # without the room

    def __deepcopy__(self, memo: dict) -> KV:
        return KV(self.k.clone(), self.v.clone(), None if self.bias is None else self.bias.clone())

    def __getitem__(self, which: slice | Tensor) -> KV:
        """The pairs `which`: a slice without a step (a view), or a tensor of indices [j] (a copy)."""
        if isinstance(which, Tensor):
            return self._at(integers("KV: which", which))
        if not isinstance(which, slice) or which.step not in (None, 1):
            raise TypeError(
                f"KV: which must be a slice without a step (kv[2:5]) or a tensor of places (kv[torch.tensor([0, 2])]), "
                f"got {which!r}"
            )
        n = self.k.shape[-2]
        start, stop, _ = which.indices(n)
        count = max(stop - start, 0)
        if count == n:
            return self
        bias = None if self.bias is None else self.bias.narrow(-1, start, count)
        k, v = self.k.narrow(-2, start, count), self.v.narrow(-2, start, count)
        return _seen(k, v, bias, self._room, self._end - n + start + count)

    def _at(self, which: Tensor) -> KV:
        try:
            bias = None if self.bias is None else self.bias.index_select(-1, which)
            return KV(self.k.index_select(-2, which), self.v.index_select(-2, which), bias)
        except (IndexError, RuntimeError) as error:
            raise ValueError(
                f"KV: which must be places [j] from 0 to {self.n - 1}, got {kind(which)}: {error}"
            ) from None

    def one_by_one(self) -> Iterator[KV]:
        """The pairs in turn, oldest first, each a KV of one."""
        return (self[t : t + 1] for t in range(self.n))

    def take(self, ids: Int[Tensor, "*b j"]) -> KV:
        """The pairs at the places `ids` [*b, j], chosen for each row and head by itself (a copy).

        >>> KV(x := torch.tensor([[1.0], [2.0], [3.0]]), x).take(torch.tensor([2, 0])).v
        tensor([[3.],
                [1.]])
        """
        integers("take: ids", ids)
        if ids.shape[:-1] != self.k.shape[:-2]:
            raise ValueError(
                f"take: ids must be {[*self.k.shape[:-2], 'j']} for k {list(self.k.shape)}, got {kind(ids)}"
            )
        try:
            k, v = (x.gather(-2, ids.unsqueeze(-1).expand(*ids.shape, x.shape[-1])) for x in (self.k, self.v))
            return KV(k, v, None if self.bias is None else self.bias.gather(-1, ids))
        except (IndexError, RuntimeError) as error:
            raise ValueError(f"take: ids must be from 0 to {self.n - 1} (int64), got {kind(ids)}: {error}") from None

    def each(self, fn: Callable[[Tensor], Tensor]) -> KV:
        """fn of the keys and of the values, computed in float32 at least, in their own dtype again."""
        function("each: fn", fn, "a function of a tensor")
        with as_it_says(self.k):
            return KV(*(fn(single(x)).to(x.dtype) for x in (self.k, self.v)))

    def empty(self) -> KV:
        """No pairs, in the shapes, dtype and device of these."""
        return KV(self.k[..., :0, :].detach().clone(), self.v[..., :0, :].detach().clone())

    def detach(self) -> KV:
        """The same pairs without their history in autograd."""
        return KV(self.k.detach(), self.v.detach(), None if self.bias is None else self.bias.detach())

    def append(self, new: KV, keep: int | None = None) -> KV:
        """These pairs and behind them `new`; of all of them the newest `keep` (None: all).

        The new pairs are written into spare room behind the newest, so a step of a window copies O(1)
        pairs on average, and every older KV stays as it was. A second append to one KV copies, and so
        does one that autograd must see (keys or values that require grad).
        """
        room, many = self._room, 1
        if room is None or not isinstance(new, KV) or not room.one_more(new.k, new.v):
            self.fits(new)
            many = new.n
        if keep is not None and (type(keep) is not int or keep < 0):
            keep = whole("append: keep", keep, 0)
        old_k, old_v = self.k, self.v
        total = many + old_k.shape[-2]
        kept = total if keep is None or keep > total else keep
        bias = None if self.bias is new.bias is None else _join_bias(self, new)[..., total - kept :]  # pyright: ignore
        if many > kept:
            new, many = new[many - kept :], kept
        if tracked(old_k, old_v, new.k, new.v):
            old_k, old_v = _newest(kept - many, old_k, old_v)
            return KV(torch.cat([old_k, new.k], -2), torch.cat([old_v, new.v], -2), bias)
        end = self._end + many
        if room is None or not room.takes(new.k, new.v, self._end, end):
            room, end = Room(*_newest(kept - many, old_k, old_v), max(2 * kept, kept + SPARE)), kept  # pyright: ignore
            room.takes(new.k, new.v, kept - many, kept)
        return _seen(room.k.narrow(-2, end - kept, kept), room.v.narrow(-2, end - kept, kept), bias, room, end)

    def fits(self, new: KV, name: str = "append: new") -> None:
        """Raises ValueError where `new` are not pairs like these: leading sizes, widths, dtype, device."""
        pairs(name, new)
        a, b = self.k, new.k
        same = a.shape[:-2] == b.shape[:-2] and a.shape[-1] == b.shape[-1] and a.dtype == b.dtype
        if not same or self.v.shape[-1] != new.v.shape[-1] or a.device != b.device:
            raise ValueError(
                f"{name} must be pairs like the old ones: k [*{list(a.shape[:-2])}, n, {a.shape[-1]}], "
                f"v width {self.v.shape[-1]}, {a.dtype} on {a.device}; got k {list(b.shape)}, "
                f"v width {new.v.shape[-1]}, {b.dtype} on {b.device}"
            )


def pairs(name: str, x) -> None:
    """TypeError unless x is a KV."""
    if not isinstance(x, KV):
        raise TypeError(f"{name} must be a KV, got {kind(x)}")


def _seen(k: Tensor, v: Tensor, bias: Tensor | None, room: Room | None, end: int) -> KV:
    """A KV that views a room, or a part of one that was checked."""
    kv = KV.__new__(KV)
    vars(kv).update(k=k, v=v, bias=bias, _room=room, _end=end)
    return kv


def _newest(n: int, *tensors: Tensor) -> Iterator[Tensor]:
    return (x.narrow(-2, x.shape[-2] - n, n) for x in tensors)


def _join_bias(*parts: KV) -> Tensor | None:
    if all(x.bias is None for x in parts):
        return None
    return torch.cat([x.k.new_zeros(x.k.shape[:-1]) if x.bias is None else x.bias for x in parts], -1)


def join(*parts: KV) -> KV:
    """The pairs of all parts in one KV, in that order. Copied, unless all but one part are empty."""
    if not parts:
        raise ValueError("join: parts must be one KV or more, got none")
    if not isinstance(parts[0], KV):
        pairs("join: parts", parts[0])
    for part in parts[1:]:
        parts[0].fits(part, "join: new")
    some = [part for part in parts if part.n] or parts[:1]
    if len(some) == 1:
        return some[0]
    return KV(torch.cat([x.k for x in some], -2), torch.cat([x.v for x in some], -2), _join_bias(*some))
