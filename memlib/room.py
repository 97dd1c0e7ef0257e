"""The spare room behind a KV, so that appending copies nothing; and who may use it."""

from __future__ import annotations

from threading import Lock

import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.autograd import forward_ad

SPARE = 16  # pairs of spare room in the smallest buffer


class Room:
    """A buffer with spare places behind the newest pair, shared by the KVs that view it.

    k [*b, n, d], v [*b, n, e]: the pairs it begins with; `places`: how many it has room for.
    """

    __slots__ = ("k", "v", "used", "lock")

    def __init__(self, k: Tensor, v: Tensor, places: int):
        self.k = k.new_empty(*k.shape[:-2], places, k.shape[-1])
        self.v = v.new_empty(*v.shape[:-2], places, v.shape[-1])
        self.used, self.lock = k.shape[-2], Lock()
        self.write(k, v, 0)

    def claim(self, end: int, n: int) -> bool:
        """Takes the n places behind `end`, unless another has taken them or there are too few."""
        with self.lock:
            free = self.used == end and end + n <= self.k.shape[-2]
            self.used += n if free else 0
        return free and (not self.k.is_inference() or torch.is_inference_mode_enabled())

    def write(self, k: Tensor, v: Tensor, at: int) -> None:
        """The pairs go to the places from `at` on.

        Through .data: autograd's version counter does not move, since no pair that anybody sees is changed.
        """
        self.k.data.narrow(-2, at, k.shape[-2]).copy_(k)
        self.v.data.narrow(-2, at, v.shape[-2]).copy_(v)


def tracked(*tensors: Tensor) -> bool:
    """Whether autograd, forward or backward, torch.func or a compiler must see what is done to these."""
    if forward_ad._current_level >= 0 or torch.compiler.is_compiling():
        return True
    return any(x.requires_grad or is_functorch_wrapped_tensor(x) for x in tensors)
