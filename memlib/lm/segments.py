"""Training a language model whose memories compress: the loss of each layer's pool beside the model's own.

Rae et al. 2019, arXiv 1911.05507: attention reconstruction, which reaches the pools alone, while the loss of
the text reaches all but the pools.
"""

from __future__ import annotations

from torch import Tensor, nn

from memlib.kv import KV
from memlib.lm.losses import entropy
from memlib.lm.model import LanguageModel
from memlib.memories.compressive import Compressive
from memlib.parts.losses import attention_reconstruction
from memlib.replay import attend_all


def learns(memory) -> bool:
    """Whether it is a compressive memory whose pool is to be trained, and that the model's loss does not reach."""
    return isinstance(memory, Compressive) and memory.stop and isinstance(memory.pool, nn.Module)


def reconstruction(memory: Compressive, q: Tensor, kv: KV) -> Tensor | None:
    """The loss of the pool over a sequence from the empty memory: each segment's queries on what Mem then pops.

    q, kv: [*b, n, d], [*b, n, e]. None where the sequence is too short for anything to be popped.
    Raises ValueError unless local is a multiple of the segment, and the segment of the rate.
    """
    size, rate = memory.segment, memory.rate
    if memory.local % size or size % rate:
        raise ValueError(f"reconstruction: wanted local a multiple of segment and segment of rate, got {memory!r}")
    late, segments = memory.local // size, kv.n // size
    if segments <= late:
        return None
    asks, k, v = (x[..., : segments * size, :].unflatten(-2, (segments, size)) for x in (q, kv.k, kv.v))
    old = KV(k[..., : segments - late, :, :], v[..., : segments - late, :, :])
    return attention_reconstruction(memory.pool, asks[..., late:, :, :], old, rate)


def loss_with_pools(model: LanguageModel, tokens: Tensor, weight: Tensor) -> Tensor:
    """As `train.loss_of`, and the pools' reconstruction losses of all layers on top."""
    extra = []

    def read(layer: int, q: Tensor, kv: KV) -> Tensor:
        extra.append(reconstruction(model.memories[layer], q, kv))
        return attend_all(model.memories[layer], q, kv)

    logits, _ = model._layers(tokens[:, :-1], None, 0, read)
    return entropy(logits, tokens, weight) + sum(x for x in extra if x is not None)
