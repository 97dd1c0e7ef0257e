"""Multi-query associative recall, trained: a small model learns to look a key up in what it has read.

Arora et al. 2023, arXiv 2312.04927. A row binds `pairs` keys to values, then asks for each of them once, at
random places among noise; only the answers count. Keys, values and noise are bytes of their own kinds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from memlib.errors import a_device, a_number, seeded, whole
from memlib.holding import place
from memlib.lm.model import Config, LanguageModel

KEYS, VALUES, NOISE = 0, 64, 128  # first byte of each kind, 64 of each


class Learned(NamedTuple):
    """What `mqar` gives. accuracy: of answers to unseen rows, after training; curve: (step, accuracy) on the way."""

    accuracy: float
    curve: list[tuple[int, float]]


def rows(count: int, length: int, pairs: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens [count, length] and where the answers stand in them (booleans of the same shape), in main memory."""
    keys, values = (torch.rand(count, 64, generator=draw, device="cpu").argsort(-1)[:, :pairs] for _ in range(2))
    bound = torch.stack([keys + KEYS, values + VALUES], -1)  # [count, pairs, 2]
    slots = length // 2 - pairs
    noise = torch.randint(64, (count, slots, 2), generator=draw, device="cpu") + NOISE
    at = torch.rand(count, slots, generator=draw, device="cpu").argsort(-1)[
        :, :pairs
    ]  # each pair is asked for in one slot
    places = at[..., None].expand(-1, -1, 2)
    asks = noise.scatter(1, places, bound)
    asked = torch.zeros_like(noise, dtype=torch.bool)
    asked[..., 1].scatter_(1, at, True)
    front = torch.zeros_like(bound, dtype=torch.bool)
    return torch.cat([bound, asks], 1).flatten(1), torch.cat([front, asked], 1).flatten(1)


def mqar(
    memory,
    pairs: int = 8,
    length: int = 64,
    steps: int = 600,
    dim: int = 64,
    layers: int = 2,
    heads: int = 1,
    rate: float = 3e-3,
    batch: int = 64,
    every: int = 50,
    seed: int = 0,
    positions: str = "none",
    quiet: bool = True,
    device=None,
) -> Learned:
    """Trains a fresh model of `layers` that reads through `memory`, and tests it on 256 rows it has not seen.

    positions: as of the model; "none": what comes next to what is told by its short convolution alone, which is all
    that this task needs. pairs: bound in a row of `length` tokens (even, at least 4 * pairs); steps of `batch` rows.
    device: where it is trained (default: where the memory's learned parts lie, else in main memory).
    Raises ValueError for sizes that cannot be.
    """
    sizes = {"pairs": pairs, "dim": dim, "layers": layers, "heads": heads, "batch": batch}
    for name, value in sizes.items():
        whole(f"mqar: {name}", value, 1)
    a_number("mqar: rate", rate)
    draw, curve = seeded("mqar: seed", seed), []
    whole("mqar: length", length, 4 * pairs)
    steps = whole("mqar: steps", steps, 1)
    whole("mqar: every", every, 1)
    if pairs > 64 or length % 2:
        raise ValueError(f"mqar: wanted pairs <= 64 and an even length, got pairs={pairs}, length={length}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LanguageModel(Config(dim=dim, layers=layers, heads=heads), memory, positions)
    each = memory if isinstance(memory, (list, tuple)) else [memory]
    model.to(place(each[0]) if device is None else a_device("device", device))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    for step in tqdm(range(steps), disable=quiet, desc=str(memory)):
        tokens, asked = (x.to(model.embed.weight.device) for x in rows(batch, length, pairs, draw))
        logits = model(tokens[:, :-1])[asked[:, 1:]]
        loss = F.cross_entropy(logits, tokens[asked])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % every == 0 or step + 1 == steps:
            curve.append((step + 1, _tested(model, length, pairs)))
    return Learned(curve[-1][1], curve)


@torch.no_grad()
def _tested(model: LanguageModel, length: int, pairs: int) -> float:
    told = rows(256, length, pairs, torch.Generator().manual_seed(2**40))
    tokens, asked = (x.to(model.embed.weight.device) for x in told)
    guess = model(tokens[:, :-1]).argmax(-1)[asked[:, 1:]]
    return float((guess == tokens[asked]).cpu().double().mean())
