"""Experiments that take too long for a lesson: `python -m memlib.tasks.experiments [NAME ...]`.

Each is a list of runs, of three seeds each; a run that is done is stored in memlib/results/NAME.json and not
made again (remove the file to begin anew). Lessons plot what is stored: `stored("mqar")`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from memlib import Compressive, CumulativeAverage, DeltaRule, Full, GatedDelta, LinearAttention, Window
from memlib.parts.gates import Gate

HOME = Path(__file__).parents[1] / "results"
SEEDS = (0, 1, 2)


def mqar_runs() -> dict[str, Callable[[int], dict]]:
    """Associative recall, trained (about half an hour): 2 layers, 2 heads of 32, 8 pairs in 64 tokens, 600 steps."""
    from memlib.tasks.associative import mqar as train

    memories = {
        "full cache": Full,
        "linear attention": LinearAttention,
        "delta rule": lambda: DeltaRule(Gate(32, 0.5)),
        "gated delta": lambda: GatedDelta(Gate(32, 0.98), Gate(32, 0.5)),
        "window of 32": lambda: Window(32),
        "cumulative average": CumulativeAverage,
    }
    return {
        name: (lambda seed, make=make: train(make(), heads=2, steps=600, seed=seed)._asdict())
        for name, make in memories.items()
    }


def lookup_runs() -> dict[str, Callable[[int], dict]]:
    """Associative recall, trained, for the other memories of the leaderboard (about half an hour): as `mqar`, in 300
    steps."""
    from memlib.tasks.associative import mqar as train
    from memlib.tasks.leaderboard import MEMORIES

    return {
        name: (lambda seed, make=make: train(make(), heads=2, steps=300, seed=seed)._asdict())
        for name, make in MEMORIES.items()
        if not isinstance(make, str) and name not in mqar_runs()
    }


def compressive_runs() -> dict[str, Callable[[int], dict]]:
    """Transformer-XL beside compressive memory (about an hour): 2 layers of width 96 learn the standard library's
    text, rows of 256 in segments of 32, 500 steps; bits per held-out byte over rows of 512. The first seed's
    weights are kept: `lm.load("small_xl")`, "small_compressive", "small_compressive_conv"."""
    from memlib.lm import data, segments, train, trained, weights
    from memlib.lm.evaluate import bits_by_position
    from memlib.lm.model import Config, LanguageModel

    kept = {
        "Transformer-XL, 64 pairs": "xl",
        "compressive, mean": "compressive",
        "compressive, attention reconstruction": "compressive_conv",
    }
    config = Config(dim=96, layers=2, heads=3, rotary=0.5)

    def one(name: str, seed: int) -> dict:
        memory = trained.make(kept[name], 32) if name in kept else Compressive(32, 0, 1)
        torch.manual_seed(seed)
        model = LanguageModel(config, memory)
        text, held = data.texts()
        recipe = train.Recipe(steps=500, seed=seed)
        loss = segments.loss_with_pools if segments.learns(memory) else train.loss_of
        about = train.train(model, train.plain(text), recipe, quiet=True, loss_of=loss)
        bits = bits_by_position(model.eval(), held, 512, 256)
        found = {
            "bits_per_byte": round(float(bits.mean()), 4),
            "bits_by_position": {
                f"{at}-{at + 32}": round(float(bits[at : at + 32].mean()), 4) for at in range(0, 512, 32)
            },
            "parameters": sum(p.numel() for p in model.parameters()),
        }
        if name in kept and seed == 0:
            about |= {"config": asdict(config), "memory": kept[name], "data": f"stdlib {data.checksum()}"}
            path = weights.HOME / f"small_{kept[name]}.safetensors"
            weights.write(path, {key: x.bfloat16() for key, x in model.state_dict().items()}, about)
            path.with_suffix(".json").write_text(json.dumps(about | found, indent=2) + "\n", "utf-8")
        return found

    return {name: (lambda seed, name=name: one(name, seed)) for name in ("Transformer-XL, 32 pairs", *kept)}


def story_runs() -> dict[str, Callable[[int], dict]]:
    """A fact, then up to 5,000 bytes of other talk, then the question (some ten minutes): the answering model
    reads through each memory; 7 streams a seed; the share of right answers at each distance."""
    from memlib import KNN, Joint, lm
    from memlib.lm import evaluate, facts

    memories = {
        "full cache": Full(),
        "window of 512": Window(512),
        "compressive, 256 + 64 of 4": Compressive(256, 64, 4),
        "window of 32 and the 8 nearest": Joint(Window(32), KNN(8, 32)),
        "window of 32 and the 32 nearest": Joint(Window(32), KNN(32, 32)),
    }

    def one(memory, seed: int) -> dict:
        model, share = lm.load("facts").reading(memory), {}
        for far in (150, 600, 2000, 5000):
            streams = [facts.stream(far, 7 * seed + i, distractors=0) for i in range(7)]
            share[str(far)] = round(sum(evaluate.right(model, streams)) / 7, 4)
        return {"right": share}

    return {name: (lambda seed, memory=memory: one(memory, seed)) for name, memory in memories.items()}


def leaderboard_runs() -> dict[str, Callable[[int], dict]]:
    """All memories within 64 KB on all tasks, and beside them those that keep more (about ten minutes)."""
    from memlib.tasks.leaderboard import MEMORIES, score

    def one(make, seed: int) -> dict:
        return (score(None, seed, make) if isinstance(make, str) else score(make(), seed)).plain()

    return {name: (lambda seed, make=make: one(make, seed)) for name, make in MEMORIES.items()}


def lengths_runs() -> dict[str, Callable[[int], dict]]:
    """A memory, sparse and linear attention from 1k to 128k tokens, one head of 64 (some minutes)."""
    from memlib.tasks.leaderboard import LENGTHS, LONG, at_length

    return {
        name: (lambda seed, make=make: {str(n): at_length(make(), n, seed) for n in LENGTHS})
        for name, make in LONG.items()
    }


def sinks_runs() -> dict[str, Callable[[int], dict]]:
    """What a model loses when a window lets go of its first tokens (a minute): bits per byte of 32 held-out rows of 256
    a seed, with everything kept, with a window of 64, and with the first 4 kept beside the newest 60; and the share of
    attention that goes to the first token, in the strongest head of each layer."""
    from memlib.lm import data, load
    from memlib.probe import view

    kept = {"everything": Full(), "the newest": Window(64), "the newest and the first": Window(60, sinks=4)}

    @torch.no_grad()
    def one(name: str, seed: int) -> dict:
        model, rows = load(name), data.batch(data.texts()[1], 256, 32, torch.Generator().manual_seed(100 + seed))

        def bits(memory) -> float:
            logits = model.reading(memory, "cache" if memory is not kept["everything"] else None)(rows[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
            return round(loss.item() / math.log(2), 4)

        shares = [view(Full(), q[:, :, :64], kv[:64].k)[..., 32:, 0].mean((0, 2)) for q, kv in model.qkv(rows[:8, :64])]
        return {
            "loss": {how: bits(memory) for how, memory in kept.items()},
            "unit": "bits a byte",
            "weight_on_first": [round(x.max().item(), 4) for x in shares],
        }

    return {"the course's Python model": lambda seed: one("stdlib", seed)}


EXPERIMENTS = {
    "mqar": mqar_runs,
    "lookup": lookup_runs,
    "compressive": compressive_runs,
    "story": story_runs,
    "leaderboard": leaderboard_runs,
    "lengths": lengths_runs,
    "sinks": sinks_runs,
}


def stored(name: str) -> dict[str, list[dict]]:
    """What the runs of an experiment gave: for each, one result a seed. Raises ValueError for another name."""
    path = HOME / f"{name}.json"
    if name not in EXPERIMENTS or not path.exists():
        raise ValueError(f"stored: wanted one of {', '.join(sorted(EXPERIMENTS))} that was run, got {name!r}")
    return {key: list(seeds.values()) for key, seeds in json.loads(path.read_text("utf-8"))["runs"].items()}


def unmeasured(name: str) -> list[str]:
    """The runs of an experiment of which nothing is stored yet: a new memory's, until somebody makes them."""
    return [key for key in EXPERIMENTS[name]() if key not in stored(name)]


def run(name: str, out: Path = HOME) -> None:
    """Makes the runs of an experiment that are not stored yet, and stores each as soon as it is done."""
    out.mkdir(exist_ok=True)
    path = out / f"{name}.json"
    done: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": {}}
    done["made_with"] = f"python -m memlib.tasks.experiments {name}; torch {torch.__version__}, {platform.machine()}"
    runs = EXPERIMENTS[name]()
    wanted = [(key, seed) for seed in SEEDS for key in runs if str(seed) not in done["runs"].get(key, {})]
    for key, seed in tqdm(wanted, desc=name):
        begin = time.perf_counter()
        result = runs[key](seed) | {"seconds": round(time.perf_counter() - begin, 1)}
        done["runs"].setdefault(key, {})[str(seed)] = result
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(done, indent=1) + "\n", "utf-8")
        os.replace(partial, path)


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m memlib.tasks.experiments", description=str(__doc__).splitlines()[0])
    parse.add_argument("names", nargs="*", metavar="NAME", help=", ".join(EXPERIMENTS) + "; none: all")
    ask = parse.parse_args(argv)
    for name in ask.names:
        if name not in EXPERIMENTS:
            parse.error(f"NAME: wanted one of {', '.join(EXPERIMENTS)}, got {name!r}")
    for name in ask.names or EXPERIMENTS:
        run(name)


if __name__ == "__main__":
    main()
