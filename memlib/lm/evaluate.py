"""What a trained model is worth, measured: `python -m memlib.lm.evaluate stdlib`, or `facts`, or a file.

Prints the card; with `--write` puts it beside the weights. Bits per byte are means over all positions of
rows taken at even distances from the held-out text; answers are right only when every byte is, greedily
decoded, up to the full stop.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from dataclasses import replace
from random import Random

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from memlib.errors import whole
from memlib.lm import data
from memlib.lm.facts import KINDS, Stream, fact, stream
from memlib.lm.model import LanguageModel
from memlib.lm.weights import load, read, where
from memlib.lm.words import VALUE_FIRST, upper
from memlib.memories.full import Full
from memlib.memories.window import Window

DISTANCES = (32, 128, 256, 512, 1024, 1800, 2500, 4000)


@torch.no_grad()
def bits_by_position(
    model: LanguageModel, text: Tensor, length: int = 256, rows: int = 256, batch: int = 8192
) -> Float[Tensor, " t"]:
    """Mean bits to guess the byte after position 0, 1, ... length - 1 of a row.

    text: uint8 [n]; rows: how many, at even distances over the text; batch: bytes handled at once.
    Raises ValueError where the text is shorter than a row.
    """
    whole("length", length, 1)
    whole("rows", rows, 1)
    if len(text) < length + 1:
        raise ValueError(f"text must hold at least length + 1 = {length + 1} bytes, got {len(text)}")
    starts = torch.linspace(0, len(text) - length - 1, rows, device="cpu").long()
    total = torch.zeros(length, dtype=torch.float64, device="cpu")
    for some in starts.split(max(batch // length, 1)):
        tokens = text[some[:, None] + torch.arange(length + 1, device="cpu")].long().to(model.embed.weight.device)
        logits = model(tokens[:, :-1]).float()
        total += F.cross_entropy(logits.mT, tokens[:, 1:], reduction="none").sum(0).cpu().double()
    return total / (rows * math.log(2))


def bits_per_byte(model: LanguageModel, text: Tensor, length: int = 256, rows: int = 256) -> float:
    """Mean bits a byte over rows of `length`, each from the empty memory. 8 = knows nothing."""
    return float(bits_by_position(model, text, length, rows).mean())


@torch.no_grad()
def right(model: LanguageModel, streams: list[Stream], batch: int = 16384) -> list[bool]:
    """For each stream: does greedy decoding from its prompt give the answer, every byte and the full stop?

    Greedy decoding gives the answer exactly when each byte of it is the likeliest after those before, so
    one pass over the whole streams tells.
    """
    rows = max(batch // max(len(s.text) for s in streams), 1)
    found = []
    for at in range(0, len(streams), rows):
        some = streams[at : at + rows]
        longest = max(len(s.text) for s in some)
        tokens = torch.stack([data.as_bytes(s.text.ljust(longest)).long() for s in some])
        guess = model(tokens.to(model.embed.weight.device)).argmax(-1).cpu()
        for row, s in enumerate(some):
            start, end = s.answer_span[0], len(s.text)
            found.append(torch.equal(guess[row, start - 1 : end - 1], tokens[row, start:end]))
    return found


def accuracy(model: LanguageModel, distance: int, count: int = 140, **how) -> dict[str, float]:
    """Share of right answers at a distance: "all" and by kind. `how` goes to `facts.stream` (new=, rebound=)."""
    streams = [stream(distance, seed, KINDS[seed % len(KINDS)], **how) for seed in range(count)]
    marks = right(model, streams)
    by = {kind: [m for m, s in zip(marks, streams, strict=True) if s.fact.kind == kind] for kind in KINDS}
    shares = {kind: sum(some) / len(some) for kind, some in by.items() if some}
    return {"all": sum(marks) / count} | shares


def value_first(distance: int, count: int = 70) -> list[Stream]:
    """Streams whose fact says the value before it says whose it is: wordings met in training, facts drawn anew."""
    rng, streams = Random(0), []
    for seed in range(count):
        kind = KINDS[seed % len(KINDS)]
        one = fact(seed, kind)
        owner, _, thing = one.subject.rpartition("'s ")
        fill = {"n": owner or one.subject, "s": thing, "v": one.answer}
        says = upper(rng.choice(VALUE_FIRST[kind]).format(**fill))
        streams.append(stream(distance, seed, own=replace(one, statement=says)))
    return streams


def text_figures(model: LanguageModel, held: Tensor) -> dict:
    """Bits per byte of the held-out text: by length with the full cache, by size of a window, by position."""
    edges = (0, 16, 64, 128, 256, 512, 1024, 2048)
    far = {str(m): bits_by_position(model.reading(m), held, 2048, 64) for m in (Full(), Window(64), Window(256))}
    return {
        "bits_per_byte_at_256": round(bits_per_byte(model, held, 256, 1024), 4),
        "bits_by_length_full": {
            n: round(bits_per_byte(model, held, n, 262144 // n), 3) for n in (64, 128, 256, 512, 1024, 2048)
        },
        "bits_at_1024_by_window": {
            n: round(bits_per_byte(model.reading(Window(n)), held, 1024, 256), 3)
            for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)
        },
        "bits_by_position_in_2048": {
            name: {f"{a}-{b}": round(float(bits[a:b].mean()), 3) for a, b in zip(edges, edges[1:], strict=False)}
            for name, bits in far.items()
        },
    }


def fact_figures(model: LanguageModel, count: int = 560, distances: tuple[int, ...] = DISTANCES) -> dict:
    """Share of right answers by distance: of `count` with held-out values and wordings, and of an eighth as many with
    trained wordings, re-bound facts, and facts that say the value first."""

    def table(count, **how):
        return {d: {k: round(x, 3) for k, x in accuracy(model, d, count, **how).items()} for d in distances}

    return {
        "right_answers": table(count, new=True),
        "right_answers_trained_wordings": {d: x["all"] for d, x in table(count // 8, new=False).items()},
        "right_answers_rebound": {d: x["all"] for d, x in table(count // 8, rebound=True).items()},
        "right_answers_value_first": {
            d: round(sum(right(model, value_first(d, count // 8))) / (count // 8), 3) for d in distances
        },
    }


def measure(name: str) -> dict:
    """The whole card of a weights file: how it was trained (as the file says), and the figures, measured now."""
    _, about = read(where(name))
    model = load(name)
    _, held = data.texts()
    card = about | {
        "parameters": sum(p.numel() for p in model.parameters()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "text": {
            "what": "the standard library of the running Python: pydoc topics and sources, split by file",
            "checksum": data.checksum(),
            "held_out_bytes": len(held),
        },
    }
    if not about.get("facts"):
        return card | text_figures(model, held)
    distances = (16, 32, 64, 128, 256, 512) if "memory" in about else DISTANCES  # trained on rows of at most 256
    figures = fact_figures(model, distances=distances)
    return card | {"bits_per_byte_at_256": round(bits_per_byte(model, held, 256, 512), 4)} | figures


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m memlib.lm.evaluate", description=str(__doc__).splitlines()[0])
    parse.add_argument("weights", nargs="?", default="stdlib", help="stdlib, facts, facts_delta ... or a file")
    parse.add_argument("--write", action="store_true", help="write the card beside the weights")
    ask = parse.parse_args(argv)
    text = json.dumps(measure(ask.weights), indent=2) + "\n"
    print(text)
    if ask.write:
        where(ask.weights).with_suffix(".json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
