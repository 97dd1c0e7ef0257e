"""Several memories read together: one softmax over all of them, or separate reads and a gate.

    Joint   Att(q, [Mem_1 ... Mem_r])                                             one softmax
    Gated   g Att(q, Mem_near) + (1 - g) Att(q, Mem_far)                          two, and a gate

One softmax IS a gate that nobody has to learn (Dao et al. 2022, arXiv 2205.14135):

    Att(q, [A, B]) = g Att(q, A) + (1 - g) Att(q, B),    g = sigmoid(lse_A - lse_B)

Memorizing Transformers (Wu et al. 2022, arXiv 2203.08913) read both ways: the first version joined, the final one
gated, one number a head that weighs the MEMORY; Infini-attention (arXiv 2404.07143) weighs the memory too, the source
of this course the local part, by a vector. So the argument says which: `gate_local` or `gate_memory`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memlib.kv import KV, join, kind, merge, single
from memlib.replay import attend_all, outputs, walk


class Together:
    """What Joint and Gated have in common: the state is a tuple, one state a memory; all are updated alike.

    Where one of them reads by segments (`segment` = n), all do: they read together, then they are updated.
    """

    memories: tuple

    def _take(self, memories: tuple) -> None:
        name = type(self).__name__
        for memory in memories:
            lacks = [part for part in ("init", "update", "read", "slots") if not callable(getattr(memory, part, None))]
            if lacks or isinstance(memory, type):
                raise ValueError(f"{name}: wanted memories, got {kind(memory)}")
        sizes = {size for one in memories if (size := getattr(one, "segment", None)) is not None}
        if len(sizes) > 1:
            raise ValueError(f"{name}: memories that read by segments must have one length of it, got {sorted(sizes)}")
        self.memories, self.segment = tuple(memories), sizes.pop() if sizes else None

    def _all(self, promise: str, otherwise: bool = True) -> bool:
        return all(getattr(memory, promise, otherwise) for memory in self.memories)

    linear_in_values = property(lambda self: self._all("linear_in_values"))
    bounded = property(lambda self: self._all("bounded", False))
    chunkable = property(lambda self: self._all("chunkable", False))
    convex = property(lambda self: self._all("convex"))
    needs_queries = property(lambda self: any(getattr(one, "needs_queries", False) for one in self.memories))
    rows = property(lambda self: any(getattr(one, "rows", not getattr(one, "softmax", True)) for one in self.memories))

    def init(self, like: KV) -> tuple:
        """Every memory empty."""
        return tuple(memory.init(like) for memory in self.memories)

    def update(self, mem: tuple, new: KV, q: Tensor | None = None) -> tuple:
        """The new pairs enter every memory; `q` goes to those that ask for it."""
        return tuple(
            one.update(part, new, q) if getattr(one, "needs_queries", False) else one.update(part, new)
            for one, part in zip(self.memories, mem, strict=True)
        )

    def slots(self, mem: tuple) -> KV:
        """The slots of all memories, the last one's first: the near memory is named first, and far pairs are older."""
        parts = [one.slots(part) for one, part in zip(self.memories, mem, strict=True)]
        return join(*reversed(parts)) if len(parts) > 1 else parts[0]


class Joint(Together):
    """One softmax over the slots of several memories: each query decides what each is worth.

    memories: whose read gives a log-sum-exp; `Joint(Window(n), KNN(k, n))`, the nearest first. A token that two of
    them hold counts twice. A segment (`new`) is read once. Raises ValueError for a memory without a log-sum-exp (a
    matrix memory, a gated one), and for segments of different lengths.

    >>> from memlib import Window, view
    >>> k = torch.tensor([[9.0], [0.0], [0.0], [0.0]])
    >>> view(Joint(Window(1), Window(1, sinks=1)), k, k)[-1]  # token 3 stands in both
    tensor([0.3333, 0.0000, 0.0000, 0.6667])
    """

    merges = True

    def __init__(self, *memories):
        if not memories:
            raise ValueError("Joint: wanted at least one memory, got none")
        self._take(memories)
        for memory in memories:
            if not getattr(memory, "merges", getattr(memory, "softmax", False)):
                raise ValueError(
                    f"Joint: {memory!r} gives no log-sum-exp (no `softmax` and no `merges`), so its read "
                    "cannot go into one softmax; use Gated"
                )

    def __repr__(self) -> str:
        return f"Joint({', '.join(map(repr, self.memories))})"

    softmax = property(lambda self: self._all("softmax", False))

    def read(self, mem: tuple, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, all slots): [*b, i, e]. `new` is read causally behind them."""
        both, *others = zip(self.memories, mem, strict=True)
        both = both[0].read(both[1], q, new=new, lse=True) if new is not None else both[0].read(both[1], q, lse=True)
        for memory, part in others:
            both = merge(both, memory.read(part, q, lse=True))
        return both if lse else both[0]

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: tuple | None = None, lse: bool = False):
        """All outputs of a sequence at once, each memory in its own form. With segments it is walked."""
        if self.segment is not None:
            return _walked(self, q, kv, mem, lse)
        mem = (None,) * len(self.memories) if mem is None else mem
        both, *others = (attend_all(one, q, kv, part, lse=True) for one, part in zip(self.memories, mem, strict=True))
        for other in others:
            both = merge(both, other)
        return both if lse else both[0]


class Gated(Together):
    """Two memories, read separately and mixed by a gate: g near + (1 - g) far with `gate_local` = g, or
    (1 - g) near + g far with `gate_memory` = g.

    The gate is a number from 0 to 1, a tensor of such that goes with the reads [*b, i, e], or a module that is called
    with the queries [*b, i, d] and gives one (`HeadGate`, `VectorGate`). Where one side is empty the other counts
    alone. A segment (`new`) is read with the near memory. It has no log-sum-exp: the parts are no one softmax.
    Raises ValueError unless exactly one gate is given, and for a number that is not from 0 to 1.

    >>> from memlib import Window, KNN, view
    >>> k = torch.tensor([[9.0], [0.0], [0.0], [0.0]])
    >>> view(Gated(Window(1), KNN(1, local=1), gate_local=0.75), k, k + 1)[-1]
    tensor([0.2500, 0.0000, 0.0000, 0.7500])
    """

    merges = softmax = False

    def __init__(self, near, far, gate_local=None, gate_memory=None):
        self._take((near, far))
        if (gate_local is None) == (gate_memory is None):
            given = "none" if gate_local is None else "both"
            raise ValueError(
                f"Gated: wanted one gate, gate_local (weighs near) or gate_memory (weighs far), got {given}"
            )
        self.gate_local, self.gate_memory = gate_local, gate_memory
        gate = gate_memory if gate_local is None else gate_local
        if not isinstance(gate, nn.Module) and not _is_share(gate):
            raise ValueError(f"Gated: the gate must be a module, or numbers from 0 to 1, got {kind(gate)}")

    near = property(lambda self: self.memories[0])
    far = property(lambda self: self.memories[1])

    def __repr__(self) -> str:
        which = "gate_local" if self.gate_memory is None else "gate_memory"
        return f"Gated({self.near!r}, {self.far!r}, {which}={getattr(self, which)!r})"

    def share_local(self, q: Float[Tensor, "*b i d"]) -> Tensor:
        """The weight of the near memory for each query, as it is before an empty side is left out."""
        gate = self.gate_memory if self.gate_local is None else self.gate_local
        g = gate(q) if isinstance(gate, nn.Module) else torch.as_tensor(gate, dtype=single(q).dtype, device=q.device)
        g = g.to(single(q).dtype)
        return g if self.gate_memory is None else 1 - g

    def read(self, mem: tuple, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """g Att(q, near) + (1 - g) Att(q, far): [*b, i, e]."""
        self._no_lse(lse)
        near = _with_lse(self.near, mem[0], q, new)
        return self._mixed(q, near, _with_lse(self.far, mem[1], q, None))

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: tuple | None = None):
        """All outputs of a sequence at once, each memory in its own form. With segments it is walked."""
        if self.segment is not None or not all(map(_gives_lse, self.memories)):
            return _walked(self, q, kv, mem, False)
        mem = (None, None) if mem is None else mem
        return self._mixed(q, *(attend_all(one, q, kv, m, lse=True) for one, m in zip(self.memories, mem, strict=True)))

    def _mixed(self, q: Tensor, near: tuple[Tensor, Tensor], far: tuple[Tensor, Tensor]) -> Tensor:
        nothing = [(lse == -torch.inf).unsqueeze(-1) for _, lse in (near, far)]
        g = self.share_local(q).masked_fill(nothing[1], 1.0) if nothing[1].any() else self.share_local(q)
        g = g.masked_fill(nothing[0], 0.0) if nothing[0].any() else g
        return (g * single(near[0]) + (1 - g) * single(far[0])).to(near[0].dtype)

    def _no_lse(self, lse: bool) -> None:
        if lse:
            raise ValueError(f"{self!r}: lse must be False, two reads mixed by a gate have no log-sum-exp")


class HeadGate(nn.Module):
    """One learned number from 0 to 1 a head, sigmoid(b_h), whatever the query (arXiv 2203.08913). `open`: at first."""

    def __init__(self, heads: int, open: float = 0.5):
        super().__init__()
        if not 0 < open < 1:
            raise ValueError(f"HeadGate: open must be between 0 and 1, got {open!r}")
        self.bias = nn.Parameter(torch.full((heads, 1, 1), torch.tensor(open).logit().item()))

    def forward(self, q: Float[Tensor, "*b i d"]) -> Tensor:
        """Of queries [*b, heads, i, d]: [heads, 1, 1]."""
        return torch.sigmoid(self.bias)


class VectorGate(nn.Module):
    """A vector of numbers from 0 to 1 for each query, sigmoid(W q + b), one number a width of the values.

    width: of the queries; values: width of the values (1: one number for all of a value). `open`: at first.
    Xiao and Zhu 2025, arXiv 2501.09223, section 2.3.
    """

    def __init__(self, width: int, values: int = 1, open: float = 0.5):
        super().__init__()
        if not 0 < open < 1:
            raise ValueError(f"VectorGate: open must be between 0 and 1, got {open!r}")
        self.linear = nn.Linear(width, values)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, torch.tensor(open).logit().item())

    def forward(self, q: Float[Tensor, "*b i d"]) -> Tensor:
        """Of queries [*b, i, d]: [*b, i, values]."""
        return torch.sigmoid(self.linear(q.to(self.linear.weight.dtype)))


def _is_share(gate) -> bool:
    if isinstance(gate, Tensor):
        return gate.is_floating_point() and bool(((gate >= 0) & (gate <= 1)).all())
    return isinstance(gate, (int, float)) and not isinstance(gate, bool) and 0 <= gate <= 1


def _gives_lse(memory) -> bool:
    return getattr(memory, "merges", getattr(memory, "softmax", False))


def _with_lse(memory, mem, q: Tensor, new: KV | None) -> tuple[Tensor, Tensor]:
    """A read with its log-sum-exp; of a memory that gives none, -inf where it holds nothing, else 0."""
    also = {} if new is None else {"new": new}
    if _gives_lse(memory):
        return memory.read(mem, q, lse=True, **also)
    empty = memory.slots(mem).n == 0 and new is None
    return memory.read(mem, q, **also), q.new_full(q.shape[:-1], -torch.inf if empty else 0.0)


def _walked(memory, q: Tensor, kv: KV, mem, lse: bool):
    if not lse:
        return outputs(memory, q, kv, mem)
    both = [read for _, read in walk(memory, q, kv, mem, lse=True)]
    return torch.cat([out for out, _ in both], -2), torch.cat([one for _, one in both], -1)
