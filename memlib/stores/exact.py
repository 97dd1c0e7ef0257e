"""The exact store: the k best of all keys, in torch, on the device where the keys are.

Large searches take two passes. First all scores, of which only the largest of each group of keys is kept; the k best
keys lie in the k groups with the best maxima. Then the keys of the chosen groups are scored anew, precisely. Some
groups more than k are chosen, and a query is searched once more in float64 where rounding could have hidden a key.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from memlib.errors import finite, floats, integers, kind, whole
from memlib.kv import KV
from memlib.precision import exact, single

METRICS = ("inner product", "dist2")
GROUP = 8  # keys of which the first pass keeps one number
TILE = 1 << 12  # keys scored at once by the first pass
SPARE = 8  # groups chosen beside the k best
SMALL = 1 << 22  # numbers of the keys, times queries, up to which one pass is as quick
FEW = 4  # queries up to which a group is one key
GATHERED = 1 << 22  # numbers scored anew at once


class Exact:
    """Key-value pairs in memory; `search` finds the best of all keys, always.

    dim: width of the keys; metric: "inner product" or "dist2", the squared Euclidean distance. Pairs keep the dtype
    and device of the first that came; asked from another device, it answers there. Adding copies O(1) pairs a pair on
    average.
    Raises ValueError for another metric or width.

    >>> store = Exact(dim=2)
    >>> store.add(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), torch.eye(3))
    >>> store.search(torch.tensor([[1.0, 1.0]]), k=2)
    (tensor([[3., 2.]]), tensor([[2, 1]]))
    """

    def __init__(self, dim: int, metric: str = "inner product"):
        whole("Exact: dim", dim, 1)
        if metric not in METRICS:
            raise ValueError(f"Exact: metric must be one of {', '.join(METRICS)}, got {metric!r}")
        self.dim, self.metric, self._kv = dim, metric, None
        self._squares = torch.empty(0)

    def __repr__(self) -> str:
        return f"<Exact: {self.n} pairs of dim {self.dim}, {self.metric}>"

    @property
    def n(self) -> int:
        """How many pairs."""
        return 0 if self._kv is None else self._kv.n

    def add(self, keys: Float[Tensor, "N d"], values: Float[Tensor, "N e"]) -> None:
        """N pairs go in, behind those that are there. Raises ValueError where they are not finite or do not fit."""
        for name, x in (("keys", keys), ("values", values)):
            finite(f"add: {name}", floats(f"add: {name}", x, "[N, d]"))
        if keys.dim() != 2 or keys.shape[-1] != self.dim:
            raise ValueError(f"add: keys must be [N, {self.dim}], got {kind(keys)}")
        if values.dim() != 2 or len(values) != len(keys):
            raise ValueError(
                f"add: keys [{len(keys)}, d] and values must agree in their number, values are {kind(values)}"
            )
        new = KV(keys.detach(), values.detach())
        self._kv = (new.empty() if self._kv is None else self._kv).append(new)

    def search(self, queries: Float[Tensor, "*b d"], k: int) -> tuple[Tensor, Tensor]:
        """The k best keys of each query: (scores, ids), each [*b, min(k, n)], best first.

        Scores are inner products, largest first, or squared distances, smallest first, on the device of the queries.
        Of equal scores any may come.
        Raises ValueError for another width or dtype, for queries that are not finite, and for k < 1.
        """
        whole("search: k", k, 1)
        if not isinstance(queries, Tensor) or queries.dim() < 1 or queries.shape[-1] != self.dim:
            raise ValueError(f"search: queries must be [*b, {self.dim}], got {kind(queries)}")
        floats("search: queries", queries, "[d]")
        if self._kv is None:
            return queries.new_zeros(*queries.shape[:-1], 0), queries.new_zeros(*queries.shape[:-1], 0).long()
        keys = self._kv.k
        if queries.dtype != keys.dtype:
            raise ValueError(f"search: queries must be {keys.dtype} like the keys, got {kind(queries)}")
        finite("search: queries", queries)
        flat = queries.detach().reshape(-1, self.dim).to(keys.device)
        scores, ids = best_keys(flat, keys, k, self.metric, self._lengths(keys))
        found = (*queries.shape[:-1], scores.shape[-1])
        return scores.view(found).to(queries.device), ids.view(found).to(queries.device)

    def _lengths(self, keys: Tensor) -> Tensor:
        """Squared lengths of the keys; those of older ones are remembered."""
        if len(self._squares) < len(keys):
            fresh = squares(keys[len(self._squares) :])
            self._squares = torch.cat([self._squares.to(fresh), fresh])
        return self._squares

    def pairs(self, ids: Tensor) -> KV:
        """The pairs of these ids, on their device: keys [*ids, d], values [*ids, e]; of no ids, no pairs.

        Raises IndexError for an id that is not there, TypeError where ids are no whole numbers.
        """
        integers("pairs: ids", ids)
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.n:
            raise IndexError(f"pairs: ids must be from 0 to {self.n - 1}, got {ids.flatten().tolist()[:8]}")
        held = KV(*torch.empty(2, 0, self.dim)) if self._kv is None else self._kv
        found = held[ids.reshape(-1).long().to(held.k.device)]
        return KV(*(x.view(*ids.shape, x.shape[-1]).to(ids.device) for x in (found.k, found.v)))


def nearest(q: Float[Tensor, "*b i d"], keys: Float[Tensor, "*b n d"], k: int, metric: str, lengths=None):
    """The k best of the keys for each query: (scores, ids), each [*b, i, min(k, n)], best first.

    metric: "inner product", largest first, or "dist2", squared distance, smallest first. Half precision is scored in
    float32. lengths: `squares(keys)`, where they are at hand. Raises TypeError for what are no floats, ValueError for
    other sizes and metrics.
    """
    floats("nearest: q", q)
    floats("nearest: keys", keys, "[*b, n, d]")
    whole("nearest: k", k, 1)
    if metric not in METRICS:
        raise ValueError(f"nearest: metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if q.shape[-1] != keys.shape[-1] or q.shape[:-2] != keys.shape[:-2] or q.dtype != keys.dtype:
        raise ValueError(f"nearest: q must be [*b, i, d] like keys, {kind(keys)}, got {kind(q)}")
    return best_keys(q, keys, k, metric, lengths)


def best_keys(q: Tensor, keys: Tensor, k: int, metric: str, lengths=None) -> tuple[Tensor, Tensor]:
    """`nearest` for what has been looked at."""
    k, q, keys = min(k, keys.shape[-2]), single(q), single(keys)
    group = GROUP if q.shape[-2] > FEW else 1
    plain = metric == "inner product"
    few = (plain and group == 1) or keys.numel() * q.shape[-2] <= (SMALL if plain else SMALL >> 4)
    if keys.dim() > 2 or few or (k + SPARE) * group * 2 > keys.shape[-2]:
        good, ids = goodness(q, keys, metric).topk(k, -1)
    else:
        good, ids = _in_two_passes(q, keys, k, metric, squares(keys) if lengths is None else lengths, group)
    return (good if metric == "inner product" else -good), ids


def squares(keys: Tensor) -> Tensor:
    """Squared lengths of keys [n, d]: [n]."""
    return single(keys).square().sum(-1)


def goodness(q: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Every key for every query, the larger the better: [*b, i, n]."""
    if metric == "inner product":
        return q @ keys.mT
    return -torch.cdist(q, keys, compute_mode="donot_use_mm_for_euclid_dist").square()


def _in_two_passes(q: Tensor, keys: Tensor, k: int, metric: str, lengths: Tensor, group: int) -> tuple[Tensor, Tensor]:
    distance = metric == "dist2"
    tops, step = [], TILE if group > 1 else len(keys)
    room = q.new_empty(len(q), step)
    for start in range(0, len(keys), step):
        tile = keys[start : start + step]
        short = -len(tile) % group
        scores = torch.mm(q, tile.mT, out=room) if len(tile) == step else q @ tile.mT
        if distance:  # q.k - |k|^2 / 2 orders as the distance does
            scores -= lengths[start : start + step] / 2
        if group > 1:
            scores = F.pad(scores, (0, short), value=-torch.inf) if short else scores
            scores = scores.view(len(q), group, -1).amax(1)
        tops.append(scores)
    chosen = torch.cat(tops, -1).topk(k + SPARE + 1, -1)  # the last is the best of those that are left out
    ids = _members(chosen.indices[:, :-1], len(keys), group) if group > 1 else chosen.indices[:, :-1]
    at_once = max(GATHERED // (ids.shape[1] * keys.shape[1]), 1)
    good = torch.cat([_anew(*part, keys, metric) for part in zip(q.split(at_once), ids.split(at_once), strict=True)])
    good, at = good.topk(k, -1)
    ids = ids.gather(-1, at).clamp(max=len(keys) - 1)
    worst = (good[:, -1] + q.square().sum(-1)) / 2 if distance else good[:, -1]
    longest = lengths.max()
    size = q.norm(dim=-1) * longest.sqrt() + (longest if distance else 0)
    slack = 2 * (q.shape[-1] + 2) * torch.finfo(q.dtype).eps * size  # what rounding can do to either pass
    for one in (chosen.values[:, -1] + slack >= worst).nonzero().flatten().tolist():
        row = exact(q[one : one + 1])
        found = torch.cat([goodness(row, exact(part), metric) for part in keys.split(TILE)], -1).topk(k, -1)
        good[one], ids[one] = found.values[0].to(good.dtype).to(good.device), found.indices[0].to(ids.device)
    return good, ids


def _members(groups: Tensor, n: int, group: int) -> Tensor:
    """The keys of the groups [i, m]: [i, m group]; n or more where a group is short. Group j of a tile of T keys holds
    the keys j, j + T / group, j + 2 T / group and so on."""
    tile = groups // (TILE // group)
    begin = tile * TILE
    stride = (n - begin).clamp(max=TILE).add(group - 1).div(group, rounding_mode="floor")
    inside = (groups - tile * (TILE // group)).unsqueeze(-1) + stride.unsqueeze(-1) * torch.arange(
        group, device=groups.device
    )
    # a short last tile was filled up behind its last key
    return torch.where(inside < (n - begin).unsqueeze(-1), begin.unsqueeze(-1) + inside, n).flatten(1)


def _anew(q: Tensor, ids: Tensor, keys: Tensor, metric: str) -> Tensor:
    """The goodness of the chosen keys [i, m] alone; -inf where there is none."""
    chosen = keys[ids.clamp(max=len(keys) - 1)]  # [i, m, d]
    if metric == "inner product":
        good = (chosen @ q.unsqueeze(-1)).squeeze(-1)
    else:
        good = -(chosen - q.unsqueeze(-2)).square_().sum(-1)
    return good.masked_fill_(ids == len(keys), -torch.inf)
