"""The spare room behind a KV, so that appending copies nothing; and who may use it."""

from __future__ import annotations

from threading import Lock

import torch
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack
from torch.autograd import forward_ad

SPARE = 16  # pairs of spare room in the smallest buffer


class Room:
    """A buffer with spare places behind the newest pair, shared by the KVs that view it.

    k [*b, n, d], v [*b, n, e]: the pairs it begins with; `places`: how many it has room for.
    """

    __slots__ = ("k", "v", "inside", "one", "places", "used", "lock", "inference")

    def __init__(self, k: Tensor, v: Tensor, places: int):
        self.k = k.new_empty(*k.shape[:-2], places, k.shape[-1])
        self.v = v.new_empty(*v.shape[:-2], places, v.shape[-1])
        self.inside = self.k.data, self.v.data
        self.one = self.k[..., :1, :].shape, self.v[..., :1, :].shape, k.dtype, k.device
        self.places, self.used, self.lock, self.inference = places, k.shape[-2], Lock(), self.k.is_inference()
        self._write(k, v, 0, k.shape[-2])

    def one_more(self, k: Tensor, v: Tensor) -> bool:
        """Whether this is one pair like those in here."""
        return (k.shape, v.shape, k.dtype, k.device) == self.one

    def takes(self, k: Tensor, v: Tensor, at: int, end: int) -> bool:
        """Writes pairs into the places from `at` to `end`, unless others stand there or there are too few."""
        with self.lock:
            free = self.used == at and end <= self.places and (not self.inference or torch.is_inference_mode_enabled())
            if free:
                self.used = end
        if free:
            self._write(k, v, at, end)
        return free

    def _write(self, k: Tensor, v: Tensor, at: int, end: int) -> None:
        """Through .data: autograd's version counter does not move, since no pair that anybody sees is changed."""
        inside_k, inside_v = self.inside
        inside_k[..., at:end, :] = k
        inside_v[..., at:end, :] = v


def tracked(*tensors: Tensor) -> bool:
    """Whether autograd, forward or backward, torch.func or a compiler must see what is done to these."""
    if forward_ad._current_level >= 0 or torch.compiler.is_compiling() or peek_interpreter_stack() is not None:
        return True
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
