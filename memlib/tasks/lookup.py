"""Random pairs in, keys asked: how many pairs survive, and is the newest value of a key read?"""

from __future__ import annotations

import torch
from torch import Tensor

from memlib.errors import a_device, seeded, whole
from memlib.holding import place
from memlib.kv import KV
from memlib.memory import a_memory, promises, updated
from memlib.replay import walk

SHARP = 100.0  # queries are so many times their keys: a softmax then picks the nearest key
TIE = 1e-4  # cosines that differ by less are taken as equal


@torch.no_grad()
def recall(memory, pairs: int, width: int = 64, trials: int = 4, seed: int = 0, device=None) -> float:
    """Recall capacity: `pairs` random pairs go in, then every key is asked once. The share of right answers.

    Keys and values are random directions of `width`, queries are the keys, made so long that a softmax picks
    the nearest key; an answer is right when the value asked for is the nearest of all. trials: independent rows.
    device: where the memory computes (default: where its learned parts lie); what is drawn is the same on each.
    Raises ValueError for sizes that are no whole numbers >= 1.
    """
    for name, value in (("pairs", pairs), ("width", width), ("trials", trials)):
        whole(f"recall: {name}", value, 1)
    a_memory("recall: memory", memory)
    draw = seeded("recall: seed", seed)
    k, v = (_units(trials, pairs, width, draw=draw) for _ in range(2))
    k = k * width**0.5  # numbers of about 1, as a model's keys are
    read = _read(memory, KV(k, v), SHARP * k, SHARP * k, device)
    return _nearest(read, v, torch.arange(pairs, device="cpu"), draw)


def recall_expected(kept: int, pairs: int) -> float:
    """What `recall` gives for a memory that holds `kept` pairs raw and nothing of the others; an average holds 1.

    >>> recall_expected(32, 128)
    0.25
    """
    return min(1.0, whole("recall_expected: kept", kept, 0) / whole("recall_expected: pairs", pairs, 1))


@torch.no_grad()
def rebinding(
    memory,
    times: int,
    keys: int = 16,
    width: int = 64,
    trials: int = 64,
    seed: int = 0,
    shuffled: bool = False,
    device=None,
) -> float:
    """`keys` keys are bound to a new value `times` times in turn; the share of keys whose NEWEST value is read.

    Keys are orthonormal (keys <= width), values random directions, each read is compared with the values that
    its key ever had. shuffled: the keys come in random order, so that no window holds each of them just once.
    device: as in `recall`.
    Raises ValueError for sizes that cannot be.
    """
    for name, value in (("times", times), ("keys", keys), ("trials", trials)):
        whole(f"rebinding: {name}", value, 1)
    whole("rebinding: width", width, keys)
    a_memory("rebinding: memory", memory)
    draw = seeded("rebinding: seed", seed)
    k = torch.linalg.qr(torch.randn(trials, width, keys, generator=draw, device="cpu")).Q.mT * width**0.5
    v = _units(trials, times, keys, width, draw=draw)
    order = torch.arange(keys, device="cpu").repeat(trials, times)  # [trials, times * keys]: which key is bound
    if shuffled:
        order = order.gather(1, torch.rand(order.shape, generator=draw, device="cpu").argsort(1))
    places = order.argsort(dim=1, stable=True).unflatten(1, (keys, times)).mT.flatten(1)  # of (value r, key i)
    values = torch.empty_like(v.flatten(1, 2)).scatter(1, places[..., None].expand(-1, -1, width), v.flatten(1, 2))
    kv = KV(k.take_along_dim(order[..., None], 1), values)
    read = _read(memory, kv, SHARP * kv.k, SHARP * k, device)  # [trials, keys, width]
    newest = torch.tensor([times - 1], device="cpu")
    return _nearest(read.flatten(0, 1).unsqueeze(1), v.movedim(1, 2).flatten(0, 1), newest, draw)


def rebinding_expected(held: int) -> float:
    """What `rebinding` gives for a memory that mixes the newest `held` values of a key in equal parts: a guess
    among them. A full cache without positions holds all `times` of them, a delta rule of beta 1 the newest.

    >>> rebinding_expected(4)
    0.25
    """
    return 1 / whole("rebinding_expected: held", held, 1)


def _read(memory, kv: KV, q: Tensor, asked: Tensor, device) -> Tensor:
    """What `asked` read after all pairs, computed on the device, in main memory."""
    on = place(memory) if device is None else a_device("device", device)
    k, v, q, asked = (x.to(on) for x in (kv.k, kv.v, q, asked))
    return memory.read(_after(memory, q, KV(k, v)), asked).cpu()


def _after(memory, q: Tensor, kv: KV):
    """The state after all pairs, in one update where the memory allows it."""
    has = promises(memory)
    if has.segment is None and has.chunkable:
        return updated(memory, memory.init(kv), kv, q)
    for mem, _ in walk(memory, q if has.needs_queries else None, kv):  # noqa: B007
        pass
    return mem


def _units(*shape: int, draw: torch.Generator) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=draw, device="cpu"), dim=-1)


def _nearest(read: Tensor, values: Tensor, wanted: Tensor, draw: torch.Generator) -> float:
    """Share of the reads [*b, i, e] whose nearest of the values [*b, n, e] is the wanted one [i]; ties by chance."""
    near = torch.nn.functional.normalize(read, dim=-1) @ values.mT
    found = (near + TIE * torch.randn(near.shape, generator=draw, device="cpu")).argmax(-1)
    return float((found == wanted).double().mean())
