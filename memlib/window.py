"""A fixed-size window: attention over the newest pairs, and over the first few if asked.

    Mem_t = (K, V) of the tokens [0 ... s-1] and [t-size+1 ... t]

With s = 0 this is local attention (Beltagy et al. 2020, arXiv 2004.05150, and `sliding_window=size` in
transformers); the first s pairs are the attention sinks of StreamingLLM (Xiao et al. 2023,
arXiv 2309.17453), or global tokens. The current token is in the window and counts. Before it is full a
window holds all there is. A sink never counts twice: the window proper starts behind the sinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memlib.kv import KV, attend, in_one, join, merge, whole

BLOCK = 128  # queries handled at once by attend_all


class Held(NamedTuple):
    """State of a window: the first pairs, kept for good, and the newest."""

    first: KV
    newest: KV


@dataclass(frozen=True, eq=False)
class Window:
    """The newest `size` pairs, behind the first `sinks` pairs of the stream.

    >>> from memlib import recipe
    >>> recipe(Window(2), torch.zeros(4, 1))[-1]      # slots x tokens: tokens 2 and 3
    tensor([[0., 0., 1., 0.],
            [0., 0., 0., 1.]])

    size: pairs, >= 1; sinks: pairs, >= 0. Cost of a step: O((size + sinks) d), whatever went before.
    Differentiable through keys, values and queries. Raises ValueError for other sizes.
    """

    size: int
    sinks: int = 0

    segment = None  # token by token: update, then read
    softmax = linear_in_values = convex = bounded = chunkable = True
    needs_queries = False

    def __post_init__(self):
        whole("Window: size", self.size, 1)
        whole("Window: sinks", self.sinks, 0)

    def init(self, like: KV) -> Held:
        """An empty window with the shapes, dtype and device of `like`."""
        return Held(like.empty(), like.empty())

    def update(self, mem: Held, new: KV, q: Tensor | None = None) -> Held:
        """n >= 1 new pairs enter, and as many of the oldest leave as there is no room for."""
        free = self.sinks - mem.first.n
        if free <= 0:
            return Held(mem.first, mem.newest.append(new, keep=self.size))
        first = mem.first.append(new[:free])
        rest = new[free:]
        return Held(first, mem.newest.append(rest, keep=self.size) if rest.n else mem.newest)

    def read(self, mem: Held, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, [first, newest]): [*b, i, e]. A segment `new` is seen whole, causally, behind the slots."""
        if mem.first.n == 0:
            return attend(q, mem.newest, lse, new)
        if new is not None:
            return attend(q, self.slots(mem), lse, new)
        both = merge(attend(q, mem.first, lse=True), attend(q, mem.newest, lse=True))
        return both if lse else both[0]

    def slots(self, mem: Held) -> KV:
        """The pairs attention reads, oldest first: at most sinks + size."""
        return join(mem.first, mem.newest) if mem.first.n else mem.newest

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Held | None = None, lse: bool = False):
        """All outputs of a sequence at once, block by block: O(n (size + BLOCK)) instead of O(n^2)."""
        past = self.slots(mem) if mem is not None else kv.empty()
        s = min(self.sinks, past.n + kv.n)
        if past.n:
            kv = join(past, kv)
        place = torch.arange(kv.n, device=q.device)  # place in the slots and the sequence behind them
        blocks = []
        for start in range(0, q.shape[-2], BLOCK):
            at = place[past.n + start : past.n + start + BLOCK]
            end = past.n + start + len(at)
            low = max(past.n + start - self.size + 1, s)
            see = torch.cat([place[:s], place[low:end]])
            mask = (see <= at[:, None]) & ((see > at[:, None] - self.size) | (see < s))
            part = kv[see] if s else kv[low:end]
            blocks.append(attend(q[..., start : start + BLOCK, :], part, lse, mask=mask))
        return in_one(blocks, q, kv, lse)
