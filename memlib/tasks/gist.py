"""A noisy topic, then another: how long should a memory average?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from memlib.errors import a_device, a_number, floats, kind, seeded, whole
from memlib.holding import place
from memlib.kv import KV
from memlib.memory import a_memory
from memlib.replay import attend_all


@torch.no_grad()
def gist_and_drift(
    memory,
    steady: int = 256,
    after: int = 64,
    topics: int = 16,
    noise: float = 3.0,
    trials: int = 256,
    seed: int = 0,
    device=None,
) -> Tensor:
    """A noisy topic for `steady` steps, then another: at each step, the share of trials in which the topic is read.

    A value is the topic's one-hot vector of width `topics` and normal noise of deviation `noise`; key and query
    are the same at every step, so that a softmax weighs all slots alike. Right is the topic in force, largest of
    all in what is read. device: where the memory computes (default: where its learned parts lie). Returns [steady +
    after], in main memory.
    """
    for name, value in (("steady", steady), ("trials", trials)):
        whole(f"gist_and_drift: {name}", value, 1)
    whole("gist_and_drift: topics", topics, 2)
    whole("gist_and_drift: after", after, 0)
    a_memory("gist_and_drift: memory", memory)
    a_number("gist_and_drift: noise", noise)
    draw = seeded("gist_and_drift: seed", seed)
    n = steady + after
    first = torch.randint(topics, (trials, 1), generator=draw, device="cpu")
    then = (first + torch.randint(1, topics, (trials, 1), generator=draw, device="cpu")) % topics
    topic = torch.where(torch.arange(n, device="cpu") < steady, first, then)  # [trials, n]
    v = torch.nn.functional.one_hot(topic, topics) + noise * torch.randn(
        trials, n, topics, generator=draw, device="cpu"
    )
    v = v.to(place(memory) if device is None else a_device("device", device))
    k = torch.ones_like(v)
    return (attend_all(memory, k, KV(k, v)).argmax(-1).cpu() == topic).double().mean(0)


def gist_expected(weights: Tensor, steady: int = 256, topics: int = 16, noise: float = 3.0) -> Tensor:
    """What `gist_and_drift` gives for a memory whose reads weigh the steps by `weights` [n, n] (its `view`).

    The topic in force is read with its share m of the weights, the other one with 1 - m, every topic with noise of
    deviation s = noise |weights|: the chance that a normal variable around m / s is the largest of all. Long
    averages make s small (variance), short ones forget the topic that was left (bias). Returns [n], in main memory.

    >>> gist_expected(torch.eye(2), steady=2, topics=2, noise=1e-3)
    tensor([1., 1.], dtype=torch.float64)
    """
    whole("gist_expected: steady", steady, 1)
    whole("gist_expected: topics", topics, 2)
    a_number("gist_expected: noise", noise)
    if floats("gist_expected: weights", weights, "[n, n]").dim() != 2 or len(weights) != weights.shape[-1]:
        raise ValueError(f"gist_expected: weights must be [n, n], got {kind(weights)}")
    weights = weights.cpu().double()
    old = weights[:, :steady].sum(-1)
    new = weights[:, steady:].sum(-1)
    s = noise * weights.norm(dim=-1)
    right, wrong = torch.where(
        torch.arange(len(weights), device="cpu") < steady, torch.stack([old, new]), torch.stack([new, old])
    )
    z = torch.linspace(-9, 9, 4001, dtype=torch.float64, device="cpu")[:, None]
    below = [torch.special.ndtr(z + (right - m) / s) for m in (wrong, torch.zeros_like(wrong))]
    chance = (-(z**2) / 2).exp() / math.sqrt(2 * math.pi) * below[0] * below[1] ** (topics - 2)
    return torch.trapezoid(chance, z, dim=0)
