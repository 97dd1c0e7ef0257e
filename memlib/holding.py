"""What a memory holds: parts to be learned, other memories. Found, copied and changed without knowing its class."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from memlib.memory import is_memory


def mapped(x, fn: Callable):
    """x with fn at each module or parameter that it holds, and at each memory on the way back; x itself where all
    stays as it is. x: a memory, or what stands in a field of one."""
    if isinstance(x, (nn.Module, nn.Parameter)):
        return fn(x)
    if isinstance(x, (list, tuple)):
        parts = [mapped(part, fn) for part in x]
        return x if all(a is b for a, b in zip(parts, x, strict=True)) else type(x)(parts)
    if not hasattr(x, "__dict__") or not (is_memory(x) or (dataclasses.is_dataclass(x) and not isinstance(x, type))):
        return x
    return fn(rebuilt(x, {name: mapped(part, fn) for name, part in vars(x).items()}))


def rebuilt(memory, parts: dict):
    """A memory with other parts in the place of its own; itself where they are the same."""
    if all(vars(memory).get(name) is part for name, part in parts.items()):
        return memory
    made = copy.copy(memory)
    for name, part in parts.items():
        object.__setattr__(made, name, part)
    return made


def own(memory):
    """The memory with its own copy of what it has to learn; stores and numbers stay shared."""
    return mapped(memory, lambda x: copy.deepcopy(x) if isinstance(x, (nn.Module, nn.Parameter)) else x)


def place(memory) -> torch.device:
    """The device on which a memory's learned parts lie; main memory where it has none."""
    return next((p.device for part in modules(memory) for p in part.parameters()), torch.device("cpu"))


def at(memory, device: torch.device):
    """The memory, its learned parts on a device: itself where they are there, else with a copy of them."""
    if all(p.device == device for part in modules(memory) for p in part.parameters()):
        return memory

    def moved(x):
        if isinstance(x, nn.Parameter):
            return nn.Parameter(x.detach().to(device), x.requires_grad)
        return copy.deepcopy(x).to(device) if isinstance(x, nn.Module) else x

    return mapped(memory, moved)


def modules(memory) -> list[nn.Module]:
    """The modules in a memory's fields, and in those of memories it holds; a bare parameter in a list."""
    found: list[nn.Module] = []

    def note(x):
        if isinstance(x, (nn.Module, nn.Parameter)):
            found.append(x if isinstance(x, nn.Module) else nn.ParameterList([x]))
        return x

    mapped(memory, note)
    return found


def unstopped(memory) -> Any:
    """The memory, and those that it holds, with gradients through what they store."""
    return mapped(memory, lambda x: rebuilt(x, {"stop": False}) if "stop" in getattr(x, "__dict__", {}) else x)
