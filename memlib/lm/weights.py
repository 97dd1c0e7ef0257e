"""Weights and checkpoints as safetensors (no pickle), replaced whole or not at all, each with its card."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from memlib.errors import a_device, kind, of_kind
from memlib.lm.model import Config, LanguageModel
from memlib.lm.trained import make

HOME = Path(__file__).parent / "weights"
MOMENTS = ("adam.", "muon.")  # what the names of an optimizer's tensors begin with


def write(path: str | Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Writes `tensors` and a JSON of `about` to one file, by a temporary file and one replacement."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    whole = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    save_file(whole, str(partial), metadata={"about": json.dumps(about)})
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """(tensors, about) of a file that `write` wrote; about names files, not where they lay.

    Raises ValueError where it is no such file.
    """
    try:
        with safe_open(str(path), "pt") as file:
            about = json.loads((file.metadata() or {})["about"])
        return load_file(str(path)), _named(about)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is no file of memlib.lm weights: {error}") from error


def _named(about: dict) -> dict:
    """What is said of a run, without the folders of the machine it ran on."""
    told = {key: re.split(r"[/\\]", about[key])[-1] for key in ("start", "data") if about.get(key)}
    return about | told | ({"before": _named(about["before"])} if about.get("before") else {})


def names() -> list[str]:
    """The weights that come with the library: "stdlib", "facts", and "facts_delta" and others of other memories."""
    return sorted(path.stem for path in HOME.glob("*.safetensors"))


def where(name: str | Path) -> Path:
    """The file of weights by name, or by path. Raises ValueError naming those there are."""
    of_kind("weights: name", name, (str, Path), "the name of weights or the path of a file")
    path = HOME / f"{name}.safetensors"
    path = path if path.exists() else Path(name)
    if not path.is_file():
        raise ValueError(f"weights: name: wanted one of {', '.join(names())}, or a path to a file, got {str(name)!r}")
    return path


def card(name: str = "stdlib") -> dict:
    """The card of weights that come with the library: data, steps, seconds, seed, figures."""
    return json.loads(where(name).with_suffix(".json").read_text("utf-8"))


def load(name: str | Path = "stdlib", memory=None, positions: str = "absolute", device="cpu") -> LanguageModel:
    """A trained model that reads through `memory` (None: the one it was trained with).

    name: one of `names()`: "stdlib" and "facts" were trained with the full cache, "facts_delta" with a delta
    rule and so on; or the path of a file written by `python -m memlib.lm.train`.

    >>> from memlib import Window
    >>> model = load("stdlib", memory=Window(8))
    """
    on = a_device("load: device", device)
    tensors, about = read(where(name))
    config = Config(**about["config"])
    model = LanguageModel(config, make(about.get("memory", "full"), config.dim // config.heads))
    model.load_state_dict({k: x for k, x in tensors.items() if not k.startswith(MOMENTS)})
    own = list(model.memories) if model.learned else model.memory  # parts that were learned, not copied anew
    return model.reading(own if memory is None else memory, positions).to(on).eval()


def answering(name: str, model=None) -> LanguageModel:
    """The model that is given, or the one that answers questions; TypeError for what is no language model."""
    if isinstance(model, type) or not (model is None or callable(getattr(model, "reading", None))):
        raise TypeError(f"{name}: model must be a LanguageModel, got {kind(model)}")
    return load("facts") if model is None else model


def checkpoint(path: str | Path, model: LanguageModel, optimizers: dict, about: dict) -> None:
    """Everything training goes on from: weights, each optimizer's moments, and `about` (step, seconds, recipe)."""
    tensors = {
        f"{name}.{i}.{key}": x
        for name, optimizer in optimizers.items()
        for i, state in optimizer.state_dict()["state"].items()
        for key, x in state.items()
    }
    write(path, tensors | model.state_dict(), about | {"config": asdict(model.config)})


def restore(path: str | Path, model: LanguageModel, optimizers: dict) -> dict:
    """Puts a checkpoint back into model and optimizers; returns its `about`."""
    tensors, about = read(path)
    model.load_state_dict({k: x for k, x in tensors.items() if not k.startswith(MOMENTS)})
    for name, optimizer in optimizers.items():
        saved = optimizer.state_dict()
        for tensor, x in tensors.items():
            if tensor.startswith(f"{name}."):
                _, i, key = tensor.split(".")
                saved["state"].setdefault(int(i), {})[key] = x
        optimizer.load_state_dict(saved)
    return about
