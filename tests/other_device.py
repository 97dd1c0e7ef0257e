"""A stand-in for a second device: tensors with real numbers that refuse what a device refuses.

Inside `with OtherDevice():` a tensor is on `DEVICE` when it was made or moved there, or comes from such tensors. It
does not meet tensors in main memory (but for single numbers, and places to pick), has no float64, takes no random
numbers of a generator in main memory, is no numpy array, and its recurrent kernel is differentiated only if told that
it trains. Seen is what Python calls.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

DEVICE = torch.device("mps")
LONG = (torch.float64, torch.complex128)
MOVES = (Tensor.to, Tensor.copy_, Tensor.cpu, Tensor.type_as, Tensor.module_load, torch.as_tensor)
MAKES = frozenset(_device_constructors())
PICKS = (Tensor.__getitem__,)  # places may lie in main memory
ASKS = (torch.device, torch._C._nn._parse_to, torch._has_compatible_shallow_copy_type)
ARRAYS = (Tensor.numpy, Tensor.__array__)


class There(Tensor):
    """A tensor on the device; what is done to it is done in main memory, and marked again by the mode."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __deepcopy__(self, memo):
        memo[id(self)] = made = self.detach().clone().requires_grad_(self.requires_grad)
        made._is_param = getattr(self, "_is_param", False)
        return made

    def __format__(self, spec):
        return self.item().__format__(spec) if self.dim() == 0 else object.__format__(self, spec)


class OtherDevice(TorchFunctionMode):
    """The device, as long as the context lasts. default: what is made without a place is made there."""

    def __init__(self, default: bool = False):
        super().__init__()
        self.default = default

    def __enter__(self):
        self.before = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)  # a moved weight stays the same object
        return super().__enter__()

    def __exit__(self, *error):
        torch.__future__.set_swap_module_params_on_conversion(self.before)
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = list(_tensors((args, kwargs)))
        there = [x for x in given if isinstance(x, There)]
        if func in ASKS:
            return func(*args, **kwargs)
        if func == Tensor.device.__get__ and there:
            return DEVICE
        if func in ARRAYS and there:
            raise TypeError("can't convert a tensor of another device to numpy: use Tensor.cpu() first")
        places, (args, kwargs) = _without_places(func, args, kwargs)
        if self.default and func in MAKES and not given and "device" not in kwargs:
            places = [DEVICE]
        if func == Tensor.cpu:
            places = [torch.device("cpu")]
        if func in (Tensor.to, Tensor.type_as) and not places and len(given) > 1:
            places = [DEVICE if isinstance(given[1], There) else torch.device("cpu")]
        onto = places[0].type == DEVICE.type if places else bool(there)
        if there and func not in MOVES:
            here = [x for x in given if not isinstance(x, There) and x.dim() and func not in PICKS]
            if here or (func in PICKS and not isinstance(given[0], There)):
                sizes = [list(x.shape) for x in given]
                raise RuntimeError(f"{_name(func)}: expected all tensors on one device, got both of {sizes}")
        made_by = kwargs.get("generator")
        if made_by is not None and onto and func is not torch.Generator:
            raise RuntimeError(f"{_name(func)}: expected a generator of {DEVICE}, got one of main memory")
        if func == torch.gru and there and not args[6] and torch.is_grad_enabled():
            if any(x.requires_grad for x in given):
                raise RuntimeError("cudnn RNN backward can only be called in training mode")
        out = func(*args, **kwargs)
        if func == Tensor.copy_ or func == Tensor.data.__set__:
            return out
        longs = [x for x in _tensors(out) if x.dtype in LONG]
        if longs and (onto or (there and func in MOVES and not all(x.dtype in LONG for x in there))):
            raise TypeError(f"{_name(func)}: cannot convert a tensor to float64: {DEVICE} has none")
        moved = func in MOVES and isinstance(out, Tensor) and onto != bool(there)
        return _marked(out.clone() if moved else out, onto)


def _tensors(x):
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, (list, tuple)):
        for part in x:
            yield from _tensors(part)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))


def _without_places(func, args, kwargs) -> tuple[list[torch.device], tuple]:
    """The devices that are named, and the arguments with main memory in their place."""
    named = []

    def plain(x, may_be_text):
        if isinstance(x, torch.device) or (may_be_text and isinstance(x, str)):
            named.append(torch.device(x))
            return torch.device("cpu") if named[-1].type == DEVICE.type else named[-1]
        return x

    args = tuple(plain(x, func == Tensor.to) for x in args)
    return named, (args, {key: plain(x, key == "device") for key, x in kwargs.items()})


def _marked(out, onto: bool):
    if isinstance(out, Tensor):
        if onto == isinstance(out, There):
            return out
        return out.as_subclass(There if onto else Tensor)
    if isinstance(out, (list, tuple)):
        parts = [_marked(part, onto) for part in out]
        return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
    return out


def _name(func) -> str:
    return getattr(func, "__name__", str(func))
