"""What is done to the state of any memory: count its bytes, move it, detach it, save it.

A state is a tensor, a KV, a NamedTuple or a frozen dataclass of such, or a whole number.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from memlib.kv import KV, kind


def _parts(state) -> dict:
    if isinstance(state, KV):
        return {"k": state.k, "v": state.v, "bias": state.bias}
    if isinstance(state, tuple):
        return dict(zip(getattr(state, "_fields", range(len(state))), state, strict=True))
    if dataclasses.is_dataclass(state):
        return {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    raise TypeError(
        f"a state is of tensors, KVs, NamedTuples, frozen dataclasses, whole numbers, got {kind(state)}"
    )


def leaves(state, name: str = "") -> Iterator[tuple[str, Tensor | int]]:
    """The tensors and whole numbers of a state, each with its path ("newest.k")."""
    if state is None:
        return
    if isinstance(state, (Tensor, int, float)):
        yield name or "state", state
        return
    for key, part in _parts(state).items():
        yield from leaves(part, f"{name}.{key}".lstrip("."))


def rebuild(state, fn: Callable, name: str = ""):
    """The same state with fn(path, leaf) in the place of each leaf (None where there is no bias)."""
    if state is None or isinstance(state, (Tensor, int, float)):
        return fn(name or "state", state)
    parts = {key: rebuild(part, fn, f"{name}.{key}".lstrip(".")) for key, part in _parts(state).items()}
    if type(state) is tuple:
        return tuple(parts.values())
    return type(state)(**parts)


def state_bytes(state) -> int:
    """Bytes of what a state holds: the pairs that can be seen, not the spare room behind them."""
    return sum(x.numel() * x.element_size() if isinstance(x, Tensor) else 8 for _, x in leaves(state))


def detach(state):
    """The same state without its history in autograd."""
    return rebuild(state, lambda _, x: x.detach() if isinstance(x, Tensor) else x)


def to(state, *args, **kwargs):
    """The same state with Tensor.to(...) applied to each tensor."""
    return rebuild(state, lambda _, x: x.to(*args, **kwargs) if isinstance(x, Tensor) else x)


def save(state, path: str | Path) -> None:
    """Writes a state to one safetensors file (no pickle), bit by bit as it is."""
    found = dict(leaves(state))
    tensors = {k: x.detach().contiguous().clone() for k, x in found.items() if isinstance(x, Tensor)}
    numbers = {k: x for k, x in found.items() if not isinstance(x, Tensor)}
    save_file(tensors, str(path), metadata={"numbers": json.dumps(numbers)})


def load(path: str | Path, like):
    """Reads what `save` wrote. `like`: any state of the same memory, e.g. `memory.init(kv)`.

    Raises ValueError where the file holds the state of another memory.
    """
    with safe_open(str(path), "pt") as file:
        found = {key: file.get_tensor(key) for key in file.keys()}
        found |= json.loads(file.metadata()["numbers"])
    wanted = {name for name, _ in leaves(like)}
    if wanted - set(found):
        raise ValueError(f"load: {path} holds {sorted(found)}, wanted {sorted(wanted)}")
    return rebuild(like, lambda name, _: found.get(name))
