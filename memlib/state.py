"""What is done to the state of any memory: count its bytes, move it, detach it, save it.

A state is a tensor, a KV, a NamedTuple or a frozen dataclass of such, or a whole number.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from memlib.errors import a_device, function, kind, of_kind
from memlib.kv import KV
from memlib.memory import is_memory
from memlib.precision import widest


def _parts(state) -> dict:
    if isinstance(state, KV):
        return {"k": state.k, "v": state.v, "bias": state.bias}
    if isinstance(state, tuple):
        return dict(zip(getattr(state, "_fields", range(len(state))), state, strict=True))
    if dataclasses.is_dataclass(state) and not isinstance(state, type) and not is_memory(state):
        return {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    raise TypeError(f"a state is of tensors, KVs, NamedTuples, frozen dataclasses, whole numbers, got {kind(state)}")


def leaves(state, name: str = "") -> Iterator[tuple[str, Tensor | int | float]]:
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
    if not name:
        function("rebuild: fn", fn)
    if state is None or isinstance(state, (Tensor, int, float)):
        return fn(name or "state", state)
    parts = {key: rebuild(part, fn, f"{name}.{key}".lstrip(".")) for key, part in _parts(state).items()}
    if type(state) is tuple:
        return tuple(parts.values())
    return type(state)(**parts)


def state_bytes(state) -> int:
    """Bytes of what a state holds: the pairs that can be seen.

    Not the spare room of the buffers behind them (`KV.append`), which may be as large again and more.
    """
    return sum(_bytes(x) for _, x in leaves(state))


def _bytes(x: Tensor | int | float) -> int:
    if isinstance(x, Tensor):
        return x.numel() * x.element_size()
    return max(8, -(-x.bit_length() // 8)) if isinstance(x, int) else 8


def detach(state):
    """The same state without its history in autograd."""
    return rebuild(state, lambda _, x: x.detach() if isinstance(x, Tensor) else x)


def to(state, device=None, dtype=None):
    """The same state on another device, its floats in another dtype; whole numbers stay as they are.

    Sums in float64 are float32 on a device that has no float64.
    """

    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"to: dtype must be one of torch's floats, got {dtype!r}")
    device = None if device is None else a_device("to: device", device)

    def move(_, x):
        if not isinstance(x, Tensor):
            return x
        on = torch.device(device or x.device)
        kept = widest(on) if x.dtype == torch.float64 else x.dtype
        wanted = dtype if dtype and x.is_floating_point() else kept
        return x.to(on).to(wanted) if widest(on) == torch.float64 else x.to(wanted).to(on)

    return rebuild(state, move)


def save(state, path: str | Path) -> None:
    """Writes a state to one safetensors file (no pickle), bit by bit as it is."""
    of_kind("save: path", path, (str, Path), "the path of a file")
    found = dict(leaves(state))
    tensors = {k: x.detach().contiguous().clone() for k, x in found.items() if isinstance(x, Tensor)}
    numbers = {k: x for k, x in found.items() if not isinstance(x, Tensor)}
    try:
        save_file(tensors, str(path), metadata={"numbers": json.dumps(numbers)})
    except (SafetensorError, OSError) as error:
        raise ValueError(f"save: path {path} cannot be written: {error}") from error


def load(path: str | Path, like):
    """Reads what `save` wrote, onto the device of `like`: any state of the same memory, e.g. `memory.init(kv)`.

    Raises ValueError, which names the file, where there is none or it is damaged, and where it holds another state than
    one like `like`: of other parts, shapes (but for the number of pairs) or another dtype.
    """
    of_kind("load: path", path, (str, Path), "the path of a file")
    try:
        with safe_open(str(path), "pt") as file:
            numbers = json.loads((file.metadata() or {}).get("numbers", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"load: {path} cannot be read: {error}") from error
    if not isinstance(numbers, dict):
        raise ValueError(f"load: {path} is no state written by save")
    try:
        found, wanted = tensors | numbers, dict(leaves(like))
    except TypeError as error:
        raise TypeError(f"load: like must be a state: {error}") from None
    for name, x in wanted.items():
        if name not in found or _frame(found[name]) != _frame(x):
            got = _frame(found[name]) if name in found else f"only {sorted(found)}"
            raise ValueError(f"load: {name} must be {_frame(x)}, {path} holds {got}")
    on = next((x.device for x in wanted.values() if isinstance(x, Tensor)), None)

    def restored(name: str, _):
        x = found.pop(name, None)
        return x.to(on, copy=True) if isinstance(x, Tensor) else x  # the file's own memory changes with the file

    try:
        state = rebuild(like, restored)
    except (TypeError, ValueError) as error:
        raise ValueError(f"load: {path} holds no such state: {error}") from error
    if found:
        raise ValueError(
            f"load: {path} also holds {', '.join(sorted(found))}, which like has not: wanted as many parts"
        )
    return state


def _frame(x) -> str:
    """What of a tensor does not change with the number of pairs."""
    if not isinstance(x, Tensor):
        return type(x).__name__
    sizes = [*x.shape[:-2], "n", x.shape[-1]] if x.dim() > 1 else ["n"]
    return f"{sizes} of {str(x.dtype)[6:]}"
