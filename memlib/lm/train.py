"""Trains the language model: `python -m memlib.lm.train`, and `--facts` for the one that answers.

Go on with a run that was stopped by giving the same command again: the checkpoint beside `--out` holds
all it needs, and every step draws from its own seed, so a resumed run equals an unbroken one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from memlib.lm import data
from memlib.lm.losses import loss_of
from memlib.lm.model import Config, LanguageModel
from memlib.lm.segments import learns, loss_with_pools
from memlib.lm.trained import KINDS, make
from memlib.lm.training_talks import STAGES, mixed
from memlib.lm.weights import checkpoint, load, read, restore, where, write

Source = Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. stages: (share of the steps, bytes a row), in order; tokens: bytes a step.

    cycle: bytes a row, taken in turn step by step instead of the stages. muon: the matrices of the blocks
    are trained by Muon (Jordan et al. 2024; Liu et al. 2025, arXiv 2502.16982), the rest by AdamW.
    """

    steps: int = 1000
    stages: tuple[tuple[float, int], ...] = ((1.0, 256),)
    tokens: int = 8192
    rate: float = 3e-3
    warmup: int = 50
    seed: int = 0
    bf16: bool = True
    cycle: tuple[int, ...] = ()
    muon: bool = False

    def length(self, step: int) -> int:
        """Bytes a row at this step."""
        if self.cycle:
            return self.cycle[step % len(self.cycle)]
        edge = 0.0
        for share, length in self.stages:
            edge += share
            if step < edge * self.steps:
                return length
        return self.stages[-1][1]

    def rate_at(self, step: int) -> float:
        """Warm-up, then half a cosine down to a hundredth."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def plain(text: Tensor) -> Source:
    """Pieces of a text; every byte counts the same."""

    def draw(length: int, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return data.batch(text, length, rows, generator), torch.ones(rows, length)

    return draw


def optimizers_of(model: LanguageModel, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """AdamW, and Muon for the matrices of the blocks where the recipe wants it; by name."""
    inner = {n: p for n, p in model.blocks.named_parameters() if p.dim() == 2 and not n.endswith("conv")}
    muon = list(inner.values()) if recipe.muon else []
    taken = {id(p) for p in muon}
    rest = [p for p in model.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
    ]
    found: dict[str, torch.optim.Optimizer] = {"adam": torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))}
    if muon:
        found["muon"] = torch.optim.Muon(muon, lr=recipe.rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return found


def train(
    model: LanguageModel,
    source: Source,
    recipe: Recipe,
    path: Path | None = None,
    stop: int | None = None,
    every: int = 100,
    quiet: bool = False,
    what: dict | None = None,
    loss_of=loss_of,
) -> dict:
    """Trains `model` in place, from the checkpoint at `path` on if there is one; returns what was done.

    stop: a step to stop at, as if interrupted. every: steps between checkpoints. what: said of the run in
    its checkpoint. loss_of(model, tokens, weight): what is made small.
    Raises ValueError where the checkpoint belongs to another recipe or another `what`.
    """
    device = model.embed.weight.device
    optimizers = optimizers_of(model, recipe)
    wanted = (what or {}) | {"recipe": json.loads(json.dumps(asdict(recipe)))}
    about = {"step": 0, "seconds": 0.0} | wanted
    if path is not None and path.exists():
        found = restore(path, model, optimizers)
        for key, value in wanted.items():
            if found.get(key) != value:
                raise ValueError(
                    f"--out: {path} was begun with {key} {found.get(key)}, now wanted {value}: "
                    "remove it or give another --out"
                )
        about = {key: found[key] for key in about}
    model.train()
    last = min(recipe.steps, recipe.steps if stop is None else stop)
    bar = tqdm(range(about["step"], last), initial=about["step"], total=last, disable=quiet, mininterval=5)
    before, smooth = time.perf_counter(), None
    for step in bar:
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        length = recipe.length(step)
        tokens, weight = source(length, max(recipe.tokens // length, 1), draw)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(step)
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bf16):
            loss = loss_of(model, tokens.to(device), weight.to(device))
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers.values():
            optimizer.step()
        smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
        bar.set_postfix_str(f"{smooth / math.log(2):.3f} bits per byte, rows of {length}", refresh=False)
        if (step + 1) % every == 0 or step + 1 == last:
            now = time.perf_counter()
            about = about | {"step": step + 1, "seconds": round(about["seconds"] + now - before, 1)}
            before = now
            if path is not None:
                checkpoint(path, model, optimizers, about)
    return about | {"loss": None if smooth is None else round(smooth / math.log(2), 4)}


def device() -> torch.device:
    """cuda, else mps, else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m memlib.lm.train", description=str(__doc__).splitlines()[0])
    parse.add_argument("--facts", action="store_true", help="streams with a fact and a question, mixed with the text")
    parse.add_argument("--text", metavar="PATH", help="a text of your own, a file or a folder")
    parse.add_argument(
        "--start",
        metavar="WEIGHTS",
        help="weights to start from, a name or a file; none: random (default none, with --facts stdlib)",
    )
    parse.add_argument("--memory", choices=KINDS, default="full", help="what every layer reads through (full)")
    parse.add_argument("--rotary", type=float, help="share of a key that its position turns (as at the start, or 1)")
    parse.add_argument("--steps", type=int, help="default 1200, with --facts 2000")
    parse.add_argument("--rate", type=float, help="default 3e-3, with --facts 2e-3")
    parse.add_argument("--lengths", metavar="N,N", help="bytes a row, in turn from step to step")
    parse.add_argument("--muon", action="store_true", help="train the matrices of the blocks by Muon")
    parse.add_argument("--seed", type=int, default=0)
    parse.add_argument("--out", type=Path, help="default build/stdlib.safetensors, build/facts.safetensors")
    parse.add_argument("--device", default=None, help="default: cuda, else mps, else cpu")
    ask = parse.parse_args(argv)
    for name in ("steps", "rate"):
        if getattr(ask, name) is not None and not getattr(ask, name) > 0:
            parse.error(f"--{name}: wanted more than 0, got {getattr(ask, name)}")
    if ask.lengths and not all(n.isdigit() and int(n) for n in ask.lengths.split(",")):
        parse.error(f"--lengths: wanted whole numbers >= 1 with commas between, got {ask.lengths!r}")
    torch.manual_seed(ask.seed)
    start = ask.start or ("stdlib" if ask.facts else "none")
    model = LanguageModel(Config()) if start == "none" else load(start)
    if ask.rotary is not None:
        turned = LanguageModel(replace(model.config, rotary=ask.rotary), model.memory)
        turned.load_state_dict(model.state_dict())
        model = turned
    before = None if start == "none" else read(where(start))[1]
    if ask.memory != "full" and (before or {}).get("memory") != ask.memory:
        model = model.reading(make(ask.memory, model.config.dim // model.config.heads))
    model.to(torch.device(ask.device) if ask.device else device())
    text, _ = data.texts(ask.text)
    if ask.facts:
        name = "facts" if ask.memory == "full" else f"facts_{ask.memory}"
        source, stages, steps, rate = mixed(text), STAGES, 2000, 2e-3
    else:
        name = "stdlib" if ask.memory == "full" else f"stdlib_{ask.memory}"
        source, stages, steps, rate = plain(text), ((1.0, 256),), 1200, 3e-3
    cycle = tuple(int(n) for n in ask.lengths.split(",")) if ask.lengths else ()
    out = ask.out or Path("build") / f"{name}.safetensors"
    recipe = Recipe(ask.steps or steps, stages, rate=ask.rate or rate, seed=ask.seed, cycle=cycle, muon=ask.muon)
    run = out.with_suffix(".run")
    print(
        f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(text):,} bytes to train on"
        + ("" if ask.text else f", the standard library's text {data.checksum()[:12]}")
    )
    trained_on = Path(ask.text).name if ask.text else f"stdlib {data.checksum()}"
    what = {
        "config": asdict(model.config),
        "facts": ask.facts,
        "start": Path(start).name,
        "before": before,
        "data": trained_on,
    }
    if ask.memory != "full":
        what["memory"] = ask.memory
    about = train(model, source, recipe, run, what=what, loss_of=loss_with_pools if learns(model.memory) else loss_of)
    tensors = model.state_dict()
    if ask.memory != "full":  # one of several: stored in half the bytes
        tensors = {key: x.bfloat16() for key, x in tensors.items()}
    write(out, tensors, about | {"config": asdict(model.config)})
    print(f"{out}: {about['step']} steps, {about['seconds']:.0f} s; measure it: python -m memlib.lm.evaluate {out}")


if __name__ == "__main__":
    main()
