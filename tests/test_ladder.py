"""The ladder: what its slots hold, in closed form."""

import math

import pytest
import torch

from memlib import KV, Ladder, attend, outputs, recipe, states


def held(n: int) -> list[int]:
    """The pairs in each slot after n tokens, oldest first: n in digits 1 and 2 at the places 1, 2, 4, 8 ..."""
    sizes, place = [], 1
    while n:
        digit = 2 if n % 2 == 0 else 1
        sizes = [place] * digit + sizes
        n, place = (n - digit) // 2, 2 * place
    return sizes


@pytest.mark.parametrize("n", [1, 2, 3, 7, 30, 64, 100])
def test_each_slot_is_the_mean_of_its_pairs_and_the_newest_are_finest(n):
    want = torch.zeros(len(held(n)), n)
    for slot, (size, end) in enumerate(zip(held(n), torch.tensor(held(n)).cumsum(0).tolist(), strict=True)):
        want[slot, end - size : end] = 1 / size
    assert torch.equal(recipe(Ladder(), torch.zeros(n, 1))[-1], want)


def test_no_token_is_dropped_and_none_counts_twice():
    for weights in recipe(Ladder(), torch.zeros(70, 1)):
        sizes = 1 / weights.max(-1).values
        assert torch.equal((weights * sizes[:, None]).sum(0)[: int(sizes.sum())], torch.ones(int(sizes.sum())))


def test_it_grows_with_the_logarithm_of_the_stream():
    x = torch.randn(1000, 2)
    for n, mem in enumerate(states(Ladder(), KV(x, x)), 1):
        assert mem.count == n
        assert math.log2(n + 1) - 1 <= mem.slots.n <= 2 * math.log2(n + 1)


def test_it_is_what_a_list_of_levels_gives():
    """The rule as it is said: three on a level, the two oldest go up as one."""
    draw = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 50, 4, generator=draw, dtype=torch.float64)
    levels: list[list] = [[] for _ in range(8)]
    for t in range(50):
        levels[0].append((k[t], v[t]))
        for low, high in zip(levels, levels[1:], strict=False):
            if len(low) == 3:
                high.append(tuple((a + b) / 2 for a, b in zip(low[0], low[1], strict=True)))
                del low[:2]
        keys, values = (torch.stack(x) for x in zip(*[slot for level in levels[::-1] for slot in level], strict=True))
        want = attend(q[t : t + 1], KV(keys, values))
        torch.testing.assert_close(outputs(Ladder(), q[: t + 1], KV(k[: t + 1], v[: t + 1]))[-1:], want)


def test_a_learned_past_gets_gradients():
    x = torch.randn(20, 3, requires_grad=True)
    outputs(Ladder(), x, KV(x, x))[-1].sum().backward()
    assert x.grad.abs().sum(-1).min() > 0
