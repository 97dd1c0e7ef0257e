"""Recurrent memories: Mem = Update(S_kv, Mem_pre), a state of constant size that every new pair changes.

    network           h <- cell([k; v], h), h the key and the value of one slot
    linear attention  S <- S + phi(k) v^T, z <- z + phi(k);   read phi(q)^T S / phi(q)^T z, phi = elu + 1   (1)
    delta rule        S <- S + k (beta (v - S^T k))^T;        read S^T q                                    (2)
    gated delta       S <- alpha S, then (2)                                                                (3)

Linear attention: Katharopoulos et al. 2020, arXiv 2006.16236. Delta rule: Schlag et al. 2021, arXiv 2102.11174;
over a whole sequence: Yang et al. 2024, arXiv 2406.06484. Gated: Yang et al. 2024, arXiv 2412.06464. The pair is
written first and read afterwards. Equation (2) is one step of gradient descent, of rate beta, on
|S^T k - v|^2 / 2. Keys and queries of the delta rules are brought to length 1: with longer keys and beta = 1
the state overflows within a hundred steps. fla and transformers divide q by sqrt(d) besides; here a key that was
written with beta = 1 gives back its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from memlib.kv import KV, asks, attend, plain, single, wide

CHUNK = 64  # tokens of linear attention handled at once
DELTA = 32  # tokens of a delta rule handled at once


class Matrix(NamedTuple):
    """State of a matrix memory: S [*b, d, e], for linear attention z [*b, d, 1], and how many pairs went in."""

    like: KV  # no pairs: the shapes, dtype and device of those that come
    s: Tensor
    z: Tensor | None
    count: int


class Gate(nn.Module):
    """A number from 0 to 1 for each pair, learned from its key: sigmoid(w k + b). `open`: its value at first."""

    def __init__(self, width: int, open: float = 0.9):
        super().__init__()
        if not 0 < open < 1:
            raise ValueError(f"Gate: open must be between 0 and 1, got {open!r}")
        self.linear = nn.Linear(width, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, torch.tensor(open).logit().item())

    def forward(self, k: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b n"]:
        """Of keys [*b, n, d]: [*b, n]."""
        with torch.autocast(k.device.type, enabled=False):  # near 1 eight bits are too few
            return torch.sigmoid(self.linear(k.to(self.linear.weight.dtype)).squeeze(-1))


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A recurrent network as the cache: its hidden state is one key and one value.

    cell: a module (x [rows, d + e], h [rows, d + e]) -> h, such as torch.nn.GRUCell(d + e, d + e); h starts at 0.
    It is trained through time. Not linear in its values: its picture is `influence`, not `recipe`.
    Computed, and the state kept, in the dtype of the cell. Raises ValueError where the cell's sizes do not fit the
    pairs, and for pairs with a bias.
    """

    cell: nn.Module

    segment = None
    softmax = bounded = chunkable = True
    linear_in_values = convex = needs_queries = False

    def __post_init__(self):
        if not isinstance(self.cell, nn.Module):
            raise TypeError(f"Recurrent: cell must be a torch module, got {type(self.cell).__name__} {self.cell!r}")

    def init(self, like: KV) -> KV:
        """Nothing seen; the hidden state of the first step is 0."""
        width = like.k.shape[-1] + like.v.shape[-1]
        for name in ("input_size", "hidden_size"):
            if getattr(self.cell, name, width) != width:
                raise ValueError(
                    f"Recurrent: cell.{name} must be {width}, the widths of a key and a value together, "
                    f"got {getattr(self.cell, name)}"
                )
        weight = next(self.cell.parameters(), like.k)
        return KV(*(x.detach()[..., :0, :].to(weight.dtype) for x in (like.k, like.v)))

    def update(self, mem: KV, new: KV, q: Tensor | None = None) -> KV:
        """h <- cell([k; v], h), pair by pair; many pairs in torch's own loop."""
        mem.fits(_cast(plain(self, new), mem.k.dtype))
        if new.n == 0:
            return mem
        rows, x, h = self._rows(new, mem)
        h = self.cell(x[0], h) if new.n == 1 else _fused(self.cell, x, h)[-1]
        return self._pairs(h.unflatten(0, rows).unsqueeze(-2), new, h.dtype)

    def read(self, mem: KV, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """Att(q, the one slot): [*b, i, e]."""
        return attend(q, _cast(mem, q.dtype) if q.is_floating_point() else mem, lse, new)

    def slots(self, mem: KV) -> KV:
        """One pair, the hidden state cut in two; none while nothing was seen."""
        return mem

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: KV | None = None):
        """All outputs at once: with one slot they are the value parts of the hidden states."""
        mem = self.init(plain(self, kv)) if mem is None else mem
        mem.fits(_cast(kv, mem.k.dtype))
        if kv.n == 0:
            return kv.v
        rows, x, h = self._rows(kv, mem)
        states = _fused(self.cell, x, h)  # [n, rows, d + e]
        return self._pairs(states.movedim(0, 1).unflatten(0, rows), kv, kv.v.dtype).v

    def _rows(self, kv: KV, mem: KV):
        """Leading sizes, [k; v] as [n, rows, d + e] and h as [rows, d + e], in the dtype of the cell."""
        lead = kv.k.shape[:-2]
        weight = next(self.cell.parameters(), kv.k)
        x = torch.cat([kv.k, kv.v], -1).reshape(-1, kv.n, kv.k.shape[-1] + kv.v.shape[-1]).movedim(1, 0)
        h = torch.cat([mem.k, mem.v], -1).reshape(x.shape[1], mem.n, x.shape[2])
        h = h[:, 0] if mem.n else h.new_zeros(*x.shape[1:])
        return lead or (1,), x.to(weight.dtype), h.to(weight.dtype)

    def _pairs(self, h: Tensor, like: KV, dtype: torch.dtype) -> KV:
        """Hidden states [rows..., n, d + e] as pairs of the shapes of `like`."""
        h = h.reshape(*like.k.shape[:-2], *h.shape[-2:]).to(dtype)
        return KV(*(x.contiguous() for x in h.split([like.k.shape[-1], like.v.shape[-1]], -1)))


@dataclass(frozen=True, eq=False)
class LinearAttention:
    """Attention without softmax as a matrix and a vector: equation (1), S and z in float64.

    >>> from memlib import recipe
    >>> recipe(LinearAttention(), torch.zeros(3, 1))[-1]      # phi(0) = 1: row 0 of S holds all three alike
    tensor([[1., 1., 1.]])

    Nothing is ever overwritten. Differentiable. Cost of a step: O(d e). Its read is no softmax over slots: slot j
    shows (unit key e_j, row j of S). Raises ValueError for pairs with a bias, and where a log-sum-exp is asked for.
    """

    segment = None
    linear_in_values = convex = bounded = chunkable = True
    softmax = needs_queries = False

    def init(self, like: KV) -> Matrix:
        """S = 0 and z = 0."""
        s = wide(like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1]))
        return Matrix(like.empty(), s, s.new_zeros(*s.shape[:-1], 1), 0)

    def update(self, mem: Matrix, new: KV, q: Tensor | None = None) -> Matrix:
        """S <- S + phi(k) v^T, z <- z + phi(k)."""
        mem.like.fits(plain(self, new))
        k = _phi(wide(new.k)).mT
        return Matrix(mem.like, mem.s + k @ wide(new.v), mem.z + k.sum(-1, keepdim=True), mem.count + new.n)

    def read(self, mem: Matrix, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """phi(q)^T S / phi(q)^T z: [*b, i, e]; 0 while nothing was seen."""
        _no_lse(self, lse)
        if new is not None:
            return self.attend_all(q, new, mem)
        asks("LinearAttention: read", q, mem.like)
        q = _phi(wide(q))
        return (q @ mem.s / (q @ mem.z if mem.count else 1)).to(mem.like.v.dtype)

    def slots(self, mem: Matrix) -> KV:
        """Row j of S behind the unit key e_j; none while nothing was seen."""
        return _rows(mem)

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Matrix | None = None):
        """All outputs at once, chunk by chunk: inside by a small causal product, before it by S and z."""
        mem = self.init(plain(self, kv)) if mem is None else mem
        mem.like.fits(kv)
        asks("LinearAttention: attend_all", q, kv)
        low = torch.promote_types(q.dtype, torch.float32)
        s, z, outs = mem.s, mem.z, []
        for t in range(0, kv.n, CHUNK):
            q_t, k_t = (_phi(x[..., t : t + CHUNK, :].to(low)) for x in (q, kv.k))
            v_t = kv.v[..., t : t + CHUNK, :].to(low)
            inside = (q_t @ k_t.mT).tril()
            above = inside @ v_t + q_t @ s.to(low)
            outs.append((above / (inside.sum(-1, keepdim=True) + q_t @ z.to(low))).to(q.dtype))
            s, z = s + wide(k_t.mT @ v_t), z + wide(k_t.sum(-2).unsqueeze(-1))
        return torch.cat(outs, -2) if outs else kv.v


@dataclass(frozen=True, eq=False)
class DeltaRule:
    """A matrix that is corrected where it is wrong: equation (2). What a key held is replaced, not added to.

    >>> from memlib import view
    >>> k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> view(DeltaRule(), k, k)[-1]      # key 0 was written again: its old value is gone
    tensor([0., 0., 1.])

    beta: how much of the error is corrected, from 0 to 1; a number, or a module of the keys such as `Gate(d)`.
    Differentiable. Cost of a step: O(d e). Raises ValueError for another beta, pairs with a bias, and where a
    log-sum-exp is asked for.
    """

    beta: float | nn.Module = 1.0

    segment = None
    linear_in_values = bounded = chunkable = True
    softmax = convex = needs_queries = False

    def __post_init__(self):
        _share("DeltaRule: beta", self.beta)

    def init(self, like: KV) -> Matrix:
        """S = 0."""
        return _empty(like)

    def update(self, mem: Matrix, new: KV, q: Tensor | None = None) -> Matrix:
        """S <- S + k (beta (v - S^T k))^T, pair by pair."""
        return _corrected(mem, plain(self, new), None, _of("DeltaRule: beta", self.beta, new.k))

    def read(self, mem: Matrix, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """S^T q, q of length 1: [*b, i, e]."""
        _no_lse(self, lse)
        return _asked(mem, q) if new is None else self.attend_all(q, new, mem)

    def slots(self, mem: Matrix) -> KV:
        """Row j of S behind the unit key e_j; none while nothing was seen."""
        return _rows(mem)

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Matrix | None = None):
        """All outputs at once, in chunks that are solved (arXiv 2406.06484)."""
        return _solved(q, plain(self, kv), mem, None, _of("DeltaRule: beta", self.beta, kv.k))[0]


@dataclass(frozen=True, eq=False)
class GatedDelta:
    """The delta rule on a state that fades first: equation (3).

    alpha: what stays of the state, beta: how much of the error is corrected; each from 0 to 1, a number or a
    module of the keys such as `Gate(d)`. alpha = 1 is the delta rule. Otherwise as `DeltaRule`.
    """

    alpha: float | nn.Module = 0.99
    beta: float | nn.Module = 1.0

    segment = None
    linear_in_values = bounded = chunkable = True
    softmax = convex = needs_queries = False

    def __post_init__(self):
        _share("GatedDelta: alpha", self.alpha)
        _share("GatedDelta: beta", self.beta)

    def _gates(self, k: Tensor) -> tuple[Tensor, Tensor]:
        return _of("GatedDelta: alpha", self.alpha, k), _of("GatedDelta: beta", self.beta, k)

    def init(self, like: KV) -> Matrix:
        """S = 0."""
        return _empty(like)

    def update(self, mem: Matrix, new: KV, q: Tensor | None = None) -> Matrix:
        """S <- alpha S; S <- S + k (beta (v - S^T k))^T, pair by pair."""
        return _corrected(mem, plain(self, new), *self._gates(new.k))

    def read(self, mem: Matrix, q: Float[Tensor, "*b i d"], new: KV | None = None, lse: bool = False):
        """S^T q, q of length 1: [*b, i, e]."""
        _no_lse(self, lse)
        return _asked(mem, q) if new is None else self.attend_all(q, new, mem)

    def slots(self, mem: Matrix) -> KV:
        """Row j of S behind the unit key e_j; none while nothing was seen."""
        return _rows(mem)

    def attend_all(self, q: Float[Tensor, "*b n d"], kv: KV, mem: Matrix | None = None):
        """All outputs at once, in chunks that are solved (arXiv 2412.06464)."""
        return _solved(q, plain(self, kv), mem, *self._gates(kv.k))[0]


def _cast(kv: KV, dtype: torch.dtype) -> KV:
    return kv if kv.k.dtype == dtype else KV(kv.k.to(dtype), kv.v.to(dtype))


def _phi(x: Tensor) -> Tensor:
    """elu(x) + 1, without the 1 that would swallow a small exp(x)."""
    return torch.where(x > 0, x + 1, x.clamp(max=0).exp())


def _unit(x: Tensor) -> Tensor:
    """Of length 1, in float32 where it is shorter. A zero key stays zero."""
    return F.normalize(single(x), dim=-1)


def _empty(like: KV) -> Matrix:
    s = like.k.new_zeros(
        *like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1], dtype=torch.promote_types(like.k.dtype, torch.float32)
    )
    return Matrix(like.empty(), s, None, 0)


def _rows(mem: Matrix) -> KV:
    if not mem.count:
        return mem.like
    eye = torch.eye(mem.s.shape[-2], dtype=mem.like.k.dtype, device=mem.s.device)
    return KV(eye.expand(*mem.s.shape[:-2], *eye.shape), mem.s.to(mem.like.v.dtype))


def _asked(mem: Matrix, q: Tensor) -> Tensor:
    asks("read", q, mem.like)
    return (_unit(q) @ single(mem.s)).to(q.dtype)


def _corrected(mem: Matrix, new: KV, alpha: Tensor | None, beta: Tensor) -> Matrix:
    """Equations (2) and (3), as they are written; many pairs at once by chunks."""
    mem.like.fits(new)
    if new.n > DELTA // 2:
        return Matrix(mem.like, _solved(new.k, new, mem, alpha, beta)[1], None, mem.count + new.n)
    s, k, v = single(mem.s), _unit(new.k), single(new.v)
    for t in range(new.n):
        k_t, v_t, beta_t = k[..., t : t + 1, :], v[..., t : t + 1, :], beta[..., t, None, None]
        s = s if alpha is None else alpha[..., t, None, None] * s
        s = s + k_t.mT @ (beta_t * (v_t - k_t @ s))
    return Matrix(mem.like, s, None, mem.count + new.n)


def _solved(q: Tensor, kv: KV, mem: Matrix | None, alpha: Tensor | None, beta: Tensor) -> tuple[Tensor, Tensor]:
    """The same for a sequence: (outputs [*b, n, e], S behind it).

    Inside a chunk the corrections u_i = beta_i (v_i - what S answers to k_i before i) obey
    (I + A) u = beta (v - fade k S), A strictly lower triangular: one triangular solve serves both terms.
    """
    mem = _empty(kv) if mem is None else mem
    mem.like.fits(kv)
    n, pad = kv.n, -kv.n % DELTA
    if n == 0:
        return kv.v, mem.s
    q, k, v = (F.pad(x, (0, 0, 0, pad)).unflatten(-2, (-1, DELTA)) for x in (_unit(q), _unit(kv.k), single(kv.v)))
    beta = F.pad(beta, (0, pad)).unflatten(-1, (-1, DELTA)).unsqueeze(-1)
    causal = q.new_ones(DELTA, DELTA).tril()
    if alpha is None:
        fade, between = q.new_ones(1, 1), causal
    else:
        logs = (
            F.pad(alpha.clamp(min=torch.finfo(alpha.dtype).tiny).log(), (0, pad)).unflatten(-1, (-1, DELTA)).cumsum(-1)
        )
        fade = logs.exp().unsqueeze(-1)  # what is left at i of the state before the chunk
        steps = logs.unsqueeze(-1) - logs.unsqueeze(-2)
        between = steps.masked_fill(causal == 0, -torch.inf).exp()  # what is left at i of what was written at j
    a = beta * (k @ k.mT * between).tril(-1)
    both = torch.linalg.solve_triangular(a, torch.cat([beta * v, beta * fade * k], -1), upper=False, unitriangular=True)
    u, w = both.split([v.shape[-1], k.shape[-1]], -1)
    inside, from_state = (q @ k.mT) * between, fade * q
    rest = between[..., -1:, :].mT * k  # what is left at the chunk's end of what was written at j
    end = (fade if alpha is None else fade[..., -1:, :]).expand(*k.shape[:-2], 1, 1)
    s, outs = single(mem.s), []
    for c in range(k.shape[-3]):
        corrections = u[..., c, :, :] - w[..., c, :, :] @ s
        outs.append(from_state[..., c, :, :] @ s + inside[..., c, :, :] @ corrections)
        s = end[..., c, :, :] * s + rest[..., c, :, :].mT @ corrections
    return torch.cat(outs, -2)[..., :n, :].to(kv.v.dtype), s


def _fused(cell: nn.Module, x: Tensor, h: Tensor) -> Tensor:
    """Hidden states [n, rows, width] after each step: torch's whole-sequence loop where it has one for the cell."""
    hooked = cell._forward_hooks or cell._forward_pre_hooks or is_functorch_wrapped_tensor(x)
    if type(cell) is nn.GRUCell and cell.bias_ih is not None and not hooked:
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        return torch.gru(x, h[None], weights, True, 1, 0.0, False, False, False)[0]
    states = []
    for x_t in x:
        h = cell(x_t, h)
        states.append(h)
    return torch.stack(states)


def _share(name: str, x) -> None:
    if isinstance(x, nn.Module):
        return
    if isinstance(x, bool) or not isinstance(x, (int, float)) or not 0 <= x <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, or a module that gives one for each key, got {x!r}")


def _of(name: str, x, k: Tensor) -> Tensor:
    """A gate for each pair [*b, n]: the number, or what the module says of the keys."""
    low = torch.promote_types(k.dtype, torch.float32)
    if not isinstance(x, nn.Module):
        return torch.full(k.shape[:-1], float(x), dtype=low, device=k.device)
    gate = x(k)
    if gate.shape != k.shape[:-1]:
        raise ValueError(
            f"{name} must give [*b, n] = {list(k.shape[:-1])} for keys {list(k.shape)}, got {list(gate.shape)}"
        )
    return gate.to(low)


def _no_lse(memory, lse: bool) -> None:
    if lse:
        raise ValueError(f"{memory!r}: lse must be False: its read is no softmax over slots and has no log-sum-exp")
