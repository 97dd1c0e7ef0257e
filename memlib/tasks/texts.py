"""What the answering model does with a text: a fact at any depth, a passage again, the tensors of one head."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from memlib import lm
from memlib.errors import is_number, of_kind, seeded, whole
from memlib.lm import data, evaluate, facts
from memlib.lm.model import LanguageModel
from memlib.lm.weights import answering

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def passkey(memory, length: int = 512, depths=DEPTHS, count: int = 12, seed: int = 0, model=None) -> dict[float, float]:
    """The share of right answers by the depth at which the fact stands in a text of `length` bytes before the question.

    depths: 0 is the beginning of the text, 1 its end, right before the question. count: streams a depth, the
    kinds of facts in turn. model: one that answers questions (default: lm.load("facts")).
    Mohtashami and Jaggi 2023, arXiv 2305.16300. Raises ValueError for a length below 200 and depths outside 0 ... 1.
    """
    whole("passkey: length", length, 200)
    whole("passkey: count", count, 1)
    whole("passkey: seed", seed, 0)
    if not isinstance(depths, Iterable) or not all(is_number(depth) and 0 <= depth <= 1 for depth in depths):
        raise ValueError(f"passkey: depths must be from 0 to 1, got {depths!r}")
    model = answering("passkey", model).reading(memory)
    streams = []
    for depth in depths:
        for i in range(seed * count, (seed + 1) * count):
            after = max(round((1 - depth) * (length - FACT)), 1)
            one = lm.stream(after, i, facts.KINDS[i % len(facts.KINDS)], before=max(length - FACT - after, 0))
            streams.append(one)
    marks = iter(evaluate.right(model, streams))
    return {depth: sum(next(marks) for _ in range(count)) / count for depth in depths}


FACT = 40  # bytes that a fact takes, about


@torch.no_grad()
def copy(memory, passage: int = 64, gap: int = 64, count: int = 24, seed: int = 0, model=None) -> tuple[float, float]:
    """A passage of held-out text, a gap of other text, the passage again: bits per byte the first time and again.

    A memory that still holds the passage, and a model that looks up what followed last time, need fewer bits again.
    passage, gap: bytes, >= 2 and >= 0. model: default lm.load("facts").
    """
    whole("copy: passage", passage, 2)
    whole("copy: gap", gap, 0)
    whole("copy: count", count, 1)
    draw, (_, held) = seeded("copy: seed", seed), data.texts()
    model = answering("copy", model).reading(memory)
    n = passage + gap
    starts = torch.randint(len(held) - n, (count, 1), generator=draw, device="cpu")
    rows = held[starts + torch.arange(n, device="cpu")].long()
    rows = torch.cat([rows, rows[:, :passage]], 1).to(model.embed.weight.device)
    bits = torch.nn.functional.cross_entropy(model(rows[:, :-1]).mT, rows[:, 1:], reduction="none") / math.log(2)
    return float(bits[:, : passage - 1].mean()), float(bits[:, n:].mean())


@torch.no_grad()
def heads(model, text: str, layer: int = 0, head: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v of one head of one layer of a model that reads `text`: each [bytes, width of a head], where the model is.

    Raises ValueError where the text is empty or the model has no such layer or head.
    """
    of_kind("heads: model", model, LanguageModel, "a LanguageModel")
    whole("heads: layer", layer, 0)
    whole("heads: head", head, 0)
    if not isinstance(text, (str, bytes)) or not text:
        raise ValueError(f"heads: text must not be empty, nor anything but a text, got {text!r}")
    if not 0 <= layer < model.config.layers or not 0 <= head < model.config.heads:
        have = f"{model.config.layers} layers of {model.config.heads} heads"
        raise ValueError(f"heads: the model has {have}, got layer={layer}, head={head}")
    q, kv = model.qkv(data.as_bytes(text)[None].long().to(model.embed.weight.device))[layer]
    return q[0, head], kv.k[0, head], kv.v[0, head]
