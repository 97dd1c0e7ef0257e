"""Gates: numbers from 0 to 1, given or learned, for each pair or for each query."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from memlib.errors import floats, is_number, kind, whole
from memlib.precision import as_it_says, single


class Gate(nn.Module):
    """A number from 0 to 1 for each pair, learned from its key: sigmoid(w k + b). `open`: its value at first."""

    def __init__(self, width: int, open: float = 0.9):
        super().__init__()
        self.linear = _constant_at_first("Gate", width, 1, open)

    def forward(self, k: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b n"]:
        """Of keys [*b, n, d]: [*b, n]."""
        _fitting("Gate: k", k, self.linear)
        with as_it_says(k):  # near 1 eight bits are too few
            return torch.sigmoid(self.linear(k.to(self.linear.weight.dtype)).squeeze(-1))


class HeadGate(nn.Module):
    """One learned number from 0 to 1 a head, sigmoid(b_h), whatever the query (arXiv 2203.08913). `open`: at first."""

    def __init__(self, heads: int, open: float = 0.5):
        super().__init__()
        self.bias = nn.Parameter(torch.full((whole("HeadGate: heads", heads, 1), 1, 1), _logit("HeadGate", open)))

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
        self.linear = _constant_at_first("VectorGate", width, values, open)

    def forward(self, q: Float[Tensor, "*b i d"]) -> Tensor:
        """Of queries [*b, i, d]: [*b, i, values]."""
        _fitting("VectorGate: q", q, self.linear)
        with as_it_says(q):
            return torch.sigmoid(self.linear(q.to(self.linear.weight.dtype)))


def of_keys(gate, k: Tensor, name: str) -> Float[Tensor, "*b n 1 1"]:
    """A gate for each pair, to be multiplied with matrices: the number, or what the module says of the keys."""
    if not isinstance(gate, nn.Module):
        return single(k).new_full((), float(gate)).expand(*k.shape[:-1], 1, 1)  # as it is, however short k is
    found = gate(k)
    if found.shape != k.shape[:-1]:
        wanted = f"[*b, n] = {list(k.shape[:-1])} for keys {list(k.shape)}"
        raise ValueError(f"{name} must give {wanted}, got {list(found.shape)}")
    return found.to(single(k).dtype)[..., None, None]


def one_gate(gate_local, gate_memory) -> None:
    """Raises ValueError unless exactly one is given: a module, a number from 0 to 1 or a tensor of such."""
    if (gate_local is None) == (gate_memory is None):
        got = "none" if gate_local is None else "both"
        raise ValueError(f"Gated: wanted one gate, gate_local (weighs near) or gate_memory (weighs far), got {got}")
    gate = gate_memory if gate_local is None else gate_local
    if isinstance(gate, Tensor):
        good = gate.is_floating_point() and bool(((gate >= 0) & (gate <= 1)).all())
    else:
        good = isinstance(gate, nn.Module) or (is_number(gate) and 0 <= gate <= 1)
    if not good:
        raise ValueError(f"Gated: the gate must be a module, or numbers from 0 to 1, got {kind(gate)}")


def share_of_local(gate_local, gate_memory, q: Tensor) -> Tensor:
    """The weight of the local part for each query, in float32 at least."""
    gate = gate_memory if gate_local is None else gate_local
    if isinstance(gate, nn.Module):
        g = gate(q).to(single(q).dtype)
    else:
        g = torch.as_tensor(gate, dtype=single(q).dtype, device=q.device)
    return 1 - g if gate_local is None else g


def gated(g: Tensor, near: tuple[Tensor, Tensor], far: tuple[Tensor, Tensor]) -> Tensor:
    """g near + (1 - g) far, two reads with their log-sum-exps; an empty side (lse -inf) does not count."""
    g = g.masked_fill((far[1] == -torch.inf).unsqueeze(-1), 1.0)
    g = g.masked_fill((near[1] == -torch.inf).unsqueeze(-1), 0.0)
    return (g * single(near[0]) + (1 - g) * single(far[0])).to(near[0].dtype)


def _logit(name: str, open: float) -> float:
    if not is_number(open) or not 0 < open < 1:
        raise ValueError(f"{name}: open must be between 0 and 1, got {open!r}")
    return torch.tensor(open).logit().item()


def _fitting(name: str, x: Tensor, linear: nn.Linear) -> None:
    if floats(name, x, "[d]").shape[-1] != linear.in_features:
        raise ValueError(f"{name} must be of width {linear.in_features}, got {kind(x)}")


def _constant_at_first(name: str, width: int, values: int, open: float) -> nn.Linear:
    linear = nn.Linear(whole(f"{name}: width", width, 1), whole(f"{name}: values", values, 1))
    nn.init.zeros_(linear.weight)
    nn.init.constant_(linear.bias, _logit(name, open))
    return linear
