"""Weights of an average: given, or learned and kept positive."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from memlib.errors import whole


class Positive(nn.Module):
    """Weights to be learned for `WeightedAverage`: softplus of `size` free numbers, all 1 at first."""

    def __init__(self, size: int):
        super().__init__()
        size = whole("Positive: size", size, 1)
        self.free = nn.Parameter(torch.full((size,), 1.0).expm1().log())

    def forward(self) -> Float[Tensor, " n"]:
        """The weights, oldest first; each above 0."""
        return F.softplus(self.free)


def as_weights(weights) -> Float[Tensor, " n"]:
    """Numbers, a tensor or a module as the tensor of weights they give, oldest first."""
    if isinstance(weights, nn.Module):
        try:
            weights = weights()
        except TypeError as error:
            raise TypeError(f"WeightedAverage: weights must be a module called with nothing, got {error}") from None
    if isinstance(weights, Tensor):
        return weights
    try:
        return torch.tensor([float(weight) for weight in weights], dtype=torch.float64, device="cpu")
    except (TypeError, ValueError):
        raise ValueError(f"WeightedAverage: weights must be numbers, oldest first, got {weights!r}") from None


def are_weights(weights: Tensor) -> None:
    """Raises ValueError unless they are finite floats [n], n >= 1, at least 0, the last above 0."""
    if weights.dim() != 1 or not len(weights) or not weights.is_floating_point():
        raise ValueError(
            f"WeightedAverage: weights must be floats [n], n >= 1, got {list(weights.shape)} "
            f"of {str(weights.dtype)[6:]}"
        )
    bad = ~(torch.isfinite(weights) & (weights >= 0))
    if bad.any() or not weights[-1] > 0:
        at = int(bad.nonzero()[0]) if bad.any() else len(weights) - 1
        raise ValueError(
            f"WeightedAverage: weights must be finite and >= 0, the last > 0, got {weights[at].item():g} at place {at}"
        )
