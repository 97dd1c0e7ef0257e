"""Compression functions: `rate` key-value pairs become one. And the losses that train the learned ones.

    f_c: n pairs -> n / c pairs                                     c = rate
    auto-encoding             | old - g(f_c(old)) |^2
    attention reconstruction  | Att(q, old) - Att(q, f_c(old)) |^2

Rae et al. 2019, Compressive Transformers, arXiv 1911.05507, sections 3.2 and 4. The paper compresses the
hidden states of a layer, from which keys and values are then made; here the keys and values themselves are
compressed. A pool is called as `pool(old, rate)`, one that chooses by attention as `pool(old, rate, used)`.
It says of itself, like a memory, whether it is `linear_in_values`, `convex` (yes, where it is silent), and whether
it `needs_queries`. It may be handed one group or many: each slot must come from its own group alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memlib.kv import KV, attend, kind, plain, single, whole


@dataclass(frozen=True)
class MeanPool:
    """The mean of each group of `rate` pairs, keys and values alike.

    rescale: keys are multiplied by the rate, so that they are sums. The score of a slot is then the SUM of its
    tokens' scores: a query that matches one of them, and is orthogonal to the others, scores as on the raw pair.

    >>> MeanPool()(KV(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [6.0]])), 2).v
    tensor([[4.]])
    """

    rescale: bool = False

    linear_in_values = convex = True
    needs_queries = False

    def __post_init__(self):
        if not isinstance(self.rescale, bool):
            raise ValueError(f"MeanPool: rescale must be True or False, got {self.rescale!r}")

    def __call__(self, old: KV, rate: int, used: Tensor | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. Raises ValueError where rate does not divide n."""
        k, v = (single(x).mean(-2) for x in _groups(old, rate))
        return KV((rate * k if self.rescale else k).to(old.k.dtype), v.to(old.v.dtype))


@dataclass(frozen=True)
class MaxPool:
    """The largest of each number over each group of `rate` pairs: no mixture of tokens, so not linear."""

    linear_in_values = convex = needs_queries = False

    def __call__(self, old: KV, rate: int, used: Tensor | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. Raises ValueError where rate does not divide n."""
        return KV(*(x.amax(-2) for x in _groups(old, rate)))


@dataclass(frozen=True)
class MostUsed:
    """Of every n pairs the n / rate that received most attention, as they are, in their order; of equals the older.

    `used` [*b, n]: the attention each pair has received while it was kept raw; per row and head.
    """

    linear_in_values = convex = needs_queries = True

    def __call__(self, old: KV, rate: int, used: Float[Tensor, "*b n"] | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]. Raises ValueError where rate does not divide n, or without `used`."""
        _groups(old, rate)
        if not isinstance(used, Tensor) or used.shape != old.k.shape[:-1]:
            wanted = list(old.k.shape[:-1])
            raise ValueError(f"MostUsed: used must be the attention received, {wanted}, got {kind(used)}")
        order = used.argsort(dim=-1, descending=True, stable=True)[..., : old.n // rate]
        best = order.sort(-1).values.unsqueeze(-1)
        return KV(*(x.gather(-2, best.expand(*best.shape[:-1], x.shape[-1])) for x in (old.k, old.v)))


class ConvPool(nn.Module):
    """A convolution with kernel = stride = rate, one for keys and one for values: to be trained.

    width, value_width: of keys and values (default: the same). At first it is the mean.
    Raises ValueError for pairs of other widths, and for another rate than its own.
    """

    linear_in_values = False  # it is linear, but of fixed width: the probe asks by the Jacobian
    convex = needs_queries = False

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__()
        self.rate, self.widths = _sizes("ConvPool", rate, width, value_width)
        self.k, self.v = (nn.Linear(rate * d, d, bias=False) for d in self.widths)
        for one, d in zip((self.k, self.v), self.widths, strict=True):
            one.weight.data = torch.eye(d).repeat(1, rate) / rate

    def forward(self, old: KV, rate: int, used: Tensor | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]: one matrix product over each flattened group."""
        groups = _fitting(self, old, rate)
        return KV(*(one(x.flatten(-2)).to(old.k.dtype) for one, x in zip((self.k, self.v), groups, strict=True)))

    def extra_repr(self) -> str:
        return f"rate={self.rate}, widths={self.widths}"


class DilatedPool(nn.Module):
    """A stack of convolutions of two taps with dilation rate/2 ... 2, 1, read at the last place of each group.

    Each level adds to the mean of its two taps what a small network makes of them; the slot sees exactly its
    own group. rate: a power of two, >= 2. At first it is the mean. (The paper names dilated convolutions and
    gives no shape; van den Oord et al. 2016, arXiv 1609.03499, has this one.)
    """

    linear_in_values = convex = needs_queries = False

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__()
        self.rate, self.widths = _sizes("DilatedPool", rate, width, value_width)
        if rate < 2 or rate & (rate - 1):
            raise ValueError(f"DilatedPool: rate must be a power of two >= 2, got {rate}")
        levels = rate.bit_length() - 1
        self.k, self.v = (nn.ModuleList(_two_taps(d) for _ in range(levels)) for d in self.widths)

    def forward(self, old: KV, rate: int, used: Tensor | None = None) -> KV:
        """[*b, n, .] -> [*b, n / rate, .]."""
        made = []
        for levels, x in zip((self.k, self.v), _fitting(self, old, rate), strict=True):
            for level in levels:  # taps half the group apart: what is left is half as long
                a, b = x.chunk(2, -2)
                x = (a + b) / 2 + level(torch.cat([a, b], -1))
            made.append(x.squeeze(-2).to(old.k.dtype))
        return KV(*made)

    def extra_repr(self) -> str:
        return f"rate={self.rate}, widths={self.widths}"


class Unpool(nn.Module):
    """The way back for `auto_encoding`: from each pooled pair `rate` pairs, by one linear map for k and one for v."""

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__()
        self.rate, self.widths = _sizes("Unpool", rate, width, value_width)
        self.k, self.v = (nn.Linear(d, rate * d, bias=False) for d in self.widths)
        for one, d in zip((self.k, self.v), self.widths, strict=True):
            one.weight.data = torch.eye(d).repeat(rate, 1)

    def forward(self, new: KV) -> KV:
        """[*b, m, .] -> [*b, m * rate, .]. Raises ValueError for pairs of other widths."""
        dtype = _made_for(self, new)
        made = (one(x.to(dtype)) for one, x in ((self.k, new.k), (self.v, new.v)))
        return KV(*(x.unflatten(-1, (self.rate, -1)).flatten(-3, -2).to(new.k.dtype) for x in made))

    def extra_repr(self) -> str:
        return f"rate={self.rate}, widths={self.widths}"


def auto_encoding(pool, back: nn.Module, old: KV, rate: int) -> Tensor:
    """Mean of | old - back(pool(old)) |^2 over keys and values: a number. `old` gets no gradient.

    It keeps what was there, whether or not anybody will ask for it.
    """
    old = KV(old.k.detach(), old.v.detach(), old.bias)
    again = back(pooled(pool, old, rate))
    if not isinstance(again, KV) or again.k.shape != old.k.shape or again.v.shape != old.v.shape:
        raise ValueError(f"auto_encoding: back must make of the slots again {old!r}, got {again!r}")
    return (single(old.k) - single(again.k)).square().mean() + (single(old.v) - single(again.v)).square().mean()


def attention_reconstruction(pool, q: Float[Tensor, "*b i d"], old: KV, rate: int) -> Tensor:
    """Mean of | Att(q, old) - Att(q, pool(old)) |^2: a number. Neither q nor `old` gets a gradient, only the pool.

    It keeps what queries ask for and lets the rest go. q: the queries of the segment that was read while `old`
    was still raw. The paper compares by content only: hand over keys and queries that carry no positions.
    """
    q, old = q.detach(), KV(old.k.detach(), old.v.detach(), old.bias)
    return (single(attend(q, old)) - single(attend(q, pooled(pool, old, rate)))).square().mean()


def pooled(pool, old: KV, rate: int, used: Tensor | None = None) -> KV:
    """What a pool makes of `old`, checked: n / rate pairs in the shapes of the old ones."""
    plain(pool, old)
    new = pool(old, rate, used) if getattr(pool, "needs_queries", False) else pool(old, rate)
    if not _alike(new, old, old.n // rate):
        got = new if isinstance(new, KV) else type(new).__name__
        raise ValueError(
            f"pool: {pool!r} must make of {old!r} at rate {rate} a KV of {old.n // rate} pairs, "
            f"otherwise like the old one, got {got!r}"
        )
    return new


def _alike(new, old: KV, n: int) -> bool:
    """Whether `new` holds n pairs that could stand beside the old ones."""
    try:
        return isinstance(new, KV) and new.n == n and old.fits(new) is None
    except ValueError:
        return False


def _groups(old: KV, rate: int) -> tuple[Tensor, Tensor]:
    """k and v as [*b, n / rate, rate, width], views."""
    whole("pool: rate", rate, 1)
    if old.n % rate:
        raise ValueError(f"pool: old must hold a multiple of rate = {rate} pairs, got {old.n}")
    return tuple(x.unflatten(-2, (old.n // rate, rate)) for x in (old.k, old.v))


def _fitting(pool, old: KV, rate: int) -> tuple[Tensor, Tensor]:
    """The groups of a pool with weights, in their dtype."""
    if rate != pool.rate:
        raise ValueError(f"{type(pool).__name__}: rate must be {pool.rate}, for which it was made, got {rate!r}")
    dtype = _made_for(pool, old)
    return tuple(x.to(dtype) for x in _groups(old, rate))


def _made_for(part: nn.Module, kv: KV) -> torch.dtype:
    """The dtype of its weights; ValueError where the pairs have other widths or stand on another device."""
    weight, got = next(part.parameters()), (kv.k.shape[-1], kv.v.shape[-1])
    if got != part.widths or weight.device != kv.k.device:
        raise ValueError(
            f"{type(part).__name__}: pairs must have the widths {part.widths} on {weight.device}, for "
            f"which it was made, got {got} on {kv.k.device}"
        )
    return weight.dtype


def _sizes(name: str, rate: int, width: int, value_width: int | None) -> tuple[int, tuple[int, int]]:
    whole(f"{name}: rate", rate, 1)
    whole(f"{name}: width", width, 1)
    whole(f"{name}: value_width", width if value_width is None else value_width, 1)
    return rate, (width, width if value_width is None else value_width)


def _two_taps(d: int) -> nn.Module:
    net = nn.Sequential(nn.Linear(2 * d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
    for last in (net[-1].weight, net[-1].bias):
        nn.init.zeros_(last)
    return net
