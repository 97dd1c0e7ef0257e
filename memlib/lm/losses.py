"""What training makes small: the mean cross entropy of bytes, each with a weight of its own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from memlib.lm.model import LanguageModel


def loss_of(model: LanguageModel, tokens: Tensor, weight: Tensor) -> Tensor:
    """Mean cross entropy in nats of the bytes tokens[:, 1:], weighted by `weight` [b, t]."""
    return entropy(model(tokens[:, :-1]), tokens, weight)


def entropy(logits: Tensor, tokens: Tensor, weight: Tensor) -> Tensor:
    """Mean cross entropy in nats of logits [b, t, 256] for tokens[:, 1:], weighted by `weight` [b, t]."""
    each = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten(), reduction="none")
    weight = weight.flatten()
    return (each * weight).sum() / weight.sum()
