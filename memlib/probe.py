"""Two pictures of any memory, without a line of tracing in it.

Put one-hot vectors in as the values: token t carries e_t. Then
    recipe   what comes out of a slot is what the slot holds of each token      [slots, tokens]
    view     what comes out of a read is how much the query receives of each    [queries, tokens]
Where a memory is not linear in its values the Jacobian takes their place: `influence`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from memlib.errors import finite, floats
from memlib.holding import unstopped
from memlib.kv import KV, pairs
from memlib.memory import METHODS, a_memory, promises
from memlib.replay import outputs, states, walk


def dye(k: Float[Tensor, "*b n d"]) -> KV:
    """The pairs (k_t, e_t): the keys as they are, a one-hot vector for the value of each token."""
    n = floats("dye: k", k).shape[-2]
    return KV(k, torch.eye(n, dtype=k.dtype, device=k.device).expand(*k.shape[:-1], n))


def _refuse(memory, what: str) -> None:
    a_memory(f"{what}: memory", memory, METHODS if what == "recipe" else METHODS[:3])
    if not promises(memory).linear_in_values:
        raise TypeError(
            f"{what}: {memory!r} is not linear in its values, so one-hot values do not show what it holds; "
            "use influence(memory, kv), the norm of the Jacobian"
        )


def recipe(memory, k: Float[Tensor, "*b n d"], q: Tensor | None = None) -> list[Tensor]:
    """What each slot holds of each token, after each step: one [*b, slots, tokens] a step.

    k: [*b, n, d]; `q` [*b, n, d] only for memories that score by attention.
    Raises TypeError for memories that are not linear in their values, and names `influence`.
    """
    _refuse(memory, "recipe")
    return [memory.slots(mem).v for mem in states(memory, dye(k), q)]


def view(memory, q: Float[Tensor, "*b n d"], k: Float[Tensor, "*b n d"]) -> Tensor:
    """The effective attention over the whole past: [*b, queries, tokens].

    For a softmax memory over raw pairs these are the attention weights, 0 where a token is forgotten.
    Raises TypeError for memories that are not linear in their values, and names `influence`.
    """
    _refuse(memory, "view")
    return outputs(memory, q, dye(k))


def influence(memory, kv: KV, q: Tensor | None = None) -> Tensor:
    """How strongly the values of each token move the memory: norms of Jacobian blocks.

    Without q: [slots, tokens], of the last state's slots. With q [n, d]: [queries, tokens], of the reads.
    For a memory that is linear in its values it is |recipe| (or |view|) times sqrt(e).
    kv: [n, d] and [n, e], no leading sizes (ValueError); take one head of one row at a time.
    """
    a_memory("influence: memory", memory, METHODS if q is None else METHODS[:3])
    pairs("influence: kv", kv)
    if kv.k.dim() != 2:
        raise ValueError(f"influence: kv must be one sequence, k [n, d], got k {list(kv.k.shape)}")
    if kv.n == 0:
        raise ValueError("influence: kv must hold at least one pair, got none")
    for name, x in (("k", kv.k), ("v", kv.v), ("q", q)):
        if x is not None:
            finite(name, floats(f"influence: {name}", x, "[n, d]"))
    memory = unstopped(memory)  # it hides its past from gradients, not from what is read

    def out(v: Tensor) -> Tensor:
        if q is not None:
            return outputs(memory, q, KV(kv.k, v))
        for mem, _ in walk(memory, None, KV(kv.k, v)):
            last = mem
        return memory.slots(last).v

    # [slots, e, tokens, e] -> [slots, tokens]
    return torch.autograd.functional.jacobian(out, kv.v).square().sum((1, 3)).sqrt()
