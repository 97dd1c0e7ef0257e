"""The k-NN memory over a sequence: dense scores in blocks, of which each query keeps its k best."""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.attention import attend, in_one
from memlib.kv import KV, join
from memlib.memories.knn import KNN
from memlib.memory import WHOLE
from memlib.precision import as_it_says, single

BLOCK = 128  # queries handled at once


def whole(memory: KNN, q: Tensor, kv: KV, mem: KV | None, lse: bool):
    """O(n^2), as dense attention."""
    if memory.store is not None:
        return memory.read(kv.empty(), q, lse=lse)
    past = 0 if mem is None else mem.n
    kv = kv if mem is None else join(mem, kv)
    place, blocks = torch.arange(kv.n, device=q.device), []
    for start in range(past, kv.n, BLOCK):
        at = place[start : start + BLOCK, None]
        part = kv[: max(min(start + BLOCK, kv.n) - memory.local, 0)]
        sees, asked = place[: part.n] <= at - memory.local, q[..., start - past : start - past + BLOCK, :]
        if part.n > memory.k:
            with torch.no_grad():
                sees = sees & _chosen(asked, part.k, sees, memory.k, memory.metric)
        blocks.append(attend(asked, part, lse, mask=sees))
    return in_one(blocks, q, kv, lse)


def _chosen(q: Tensor, keys: Tensor, sees: Tensor, k: int, metric: str) -> Tensor:
    """Which keys are among the k best that the query sees: booleans [*b, i, n]."""
    with as_it_says(q):
        good = single(q) @ single(keys).mT
    if metric == "dist2":
        good = good - single(keys).square().sum(-1).unsqueeze(-2) / 2
    best = good.masked_fill(~sees, -torch.inf).topk(k, -1).indices
    return torch.zeros_like(good, dtype=torch.bool).scatter_(-1, best, True)


WHOLE[KNN] = whole
