"""What all pools share: `rate` key-value pairs become one.

f_c: n pairs -> n / c pairs, c = rate. Rae et al. 2019, arXiv 1911.05507, compress the
hidden states of a layer; here the keys and values made of them are compressed.
A pool is called as `pool(old, rate)`, one that chooses by attention as
`pool(old, rate, used)`. It may be handed one group or many: each slot must come from
its own group alone.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from memlib.errors import whole
from memlib.kv import KV, pairs


class PoolPromises(NamedTuple):
    """What a pool says of itself, and what is taken for granted where it is silent."""

    linear_in_values: bool = True
    convex: bool = True
    needs_queries: bool = False


def pool_promises(pool) -> PoolPromises:
    """The promises of any pool."""
    defaults = PoolPromises._field_defaults.items()
    return PoolPromises(*(getattr(pool, name, otherwise) for name, otherwise in defaults))


def pooled(pool, old: KV, rate: int, used: Tensor | None = None) -> KV:
    """What a pool makes of `old`, checked: n / rate pairs in the shapes of the old ones."""
    if old.bias is not None:
        raise ValueError(f"{pool!r}: old must be pairs without a bias, got one")
    asks = pool_promises(pool).needs_queries
    new = pool(old, rate, used) if asks else pool(old, rate)
    if not _alike(new, old, old.n // rate):
        got = new if isinstance(new, KV) else type(new).__name__
        raise ValueError(
            f"pool: {pool!r} must make of {old!r} at rate {rate} a KV of "
            f"{old.n // rate} pairs, otherwise like the old one, got {got!r}"
        )
    return new


def _alike(new, old: KV, n: int) -> bool:
    """Whether `new` holds n pairs that could stand beside the old ones."""
    try:
        return isinstance(new, KV) and new.n == n and old.fits(new) is None
    except ValueError:
        return False


def groups(x: Tensor, rate: int) -> Tensor:
    """[*b, n, width] as [*b, n / rate, rate, width], a view."""
    whole("pool: rate", rate, 1)
    n = x.shape[-2]
    if n % rate:
        raise ValueError(f"pool: old must hold a multiple of rate = {rate} pairs, got {n}")
    return x.unflatten(-2, (n // rate, rate))


class LearnedPool(nn.Module):
    """A pool with weights for keys of `width` and values of `value_width`, made for one rate."""

    convex = needs_queries = linear_in_values = False

    def __init__(self, rate: int, width: int, value_width: int | None = None):
        super().__init__()
        name, other = type(self).__name__, width if value_width is None else value_width
        self.rate = whole(f"{name}: rate", rate, 1)
        whole(f"{name}: width", width, 1)
        self.widths = (int(width), whole(f"{name}: value_width", other, 1))

    def fitting(self, kv: KV, rate: int) -> list[Tensor]:
        """k and v in the dtype of the weights; ValueError where they do not fit."""
        name = type(self).__name__
        pairs(f"{name}: the pairs, old or new,", kv)
        if rate != self.rate:
            raise ValueError(f"{name}: rate must be {self.rate}, for which it was made, got {rate!r}")
        weight, got = next(self.parameters()), (kv.k.shape[-1], kv.v.shape[-1])
        if got != self.widths or weight.device != kv.k.device:
            raise ValueError(
                f"{name}: pairs must have the widths {self.widths} on {weight.device}, for "
                f"which it was made, got {got} on {kv.k.device}"
            )
        return [x.to(weight.dtype) for x in (kv.k, kv.v)]

    def extra_repr(self) -> str:
        """Its sizes, for print."""
        return f"rate={self.rate}, widths={self.widths}"
