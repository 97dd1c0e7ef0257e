"""What is done to states: bytes counted, floats moved and changed, history taken away; of every memory."""

from typing import NamedTuple

import pytest
import torch
from examples import MEMORIES, WIDTH
from torch import Tensor

from memlib import KV, Full, state
from memlib.laws import Sample, last

SAMPLE = Sample(*WIDTH)


class Everything(NamedTuple):
    """All that a state may be of."""

    kv: KV
    ids: Tensor
    flags: Tensor
    pair: tuple
    count: int
    none: None


def everything(dtype=torch.float32, bias=True):
    k = torch.arange(6.0).view(2, 3).to(dtype)
    kv = KV(k, k[:, :1], k[:, 0] if bias else None)
    return Everything(kv, torch.tensor([1, 2, 3]), torch.tensor([True]), (k[0], 7), 1 << 70, None)


def floats(mem):
    return {name: x for name, x in state.leaves(mem) if isinstance(x, Tensor) and x.is_floating_point()}


@pytest.mark.parametrize("dtype, size", [(torch.bfloat16, 2), (torch.float32, 4), (torch.float64, 8)])
def test_bytes_are_those_of_the_numbers_that_can_be_seen(dtype, size):
    assert state.state_bytes(everything(dtype)) == size * (6 + 2 + 2 + 3) + 3 * 8 + 1 + 8 + 9
    kv = last(Full(), SAMPLE.tokens(2, n=40, dtype=dtype)[1])
    for held, n in ((kv, 40), (kv[7:10], 3), (kv.empty(), 0)):  # neither spare room nor what a view leaves out
        assert state.state_bytes(held) == 2 * n * sum(WIDTH) * size
    assert state.state_bytes((1.5, 3)) == 16


@pytest.mark.parametrize("name", MEMORIES)
def test_a_state_is_moved_and_its_floats_change_and_nothing_else(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2)
    for mem in (last(memory, kv, q), everything(torch.float64)):
        before = dict(state.leaves(mem))
        for change, wanted in (({"dtype": torch.float32}, "cpu"), ({"device": "meta"}, "meta"), ({}, "cpu")):
            after = dict(state.leaves(state.to(mem, **change)))
            assert after.keys() == before.keys() and type(state.to(mem, **change)) is type(mem)
            for leaf, x in after.items():
                if not isinstance(x, Tensor):
                    assert x == before[leaf] and type(x) is type(before[leaf])
                    continue
                dtype = change.get("dtype", x.dtype) if before[leaf].is_floating_point() else before[leaf].dtype
                assert x.dtype == dtype and x.device.type == wanted and x.shape == before[leaf].shape
                assert wanted == "meta" or torch.equal(x, before[leaf].to(dtype))


@pytest.mark.parametrize("name", MEMORIES)
def test_a_detached_state_has_no_history_in_any_part_and_the_same_numbers(name):
    memory, (q, kv) = MEMORIES[name](), SAMPLE.tokens(2)
    k, v = (x.clone().requires_grad_() for x in (kv.k, kv.v))
    bias = torch.ones(2, kv.n, dtype=k.dtype, requires_grad=True)
    for mem in (last(memory, KV(k, v), q), KV(k, v, bias), (KV(k, v)[1:3], k[0, 0], 3)):
        free = state.detach(mem)
        assert not any(isinstance(x, Tensor) and x.requires_grad for _, x in state.leaves(free))
        for (a, x), (b, y) in zip(state.leaves(free), state.leaves(mem), strict=True):
            assert a == b and (torch.equal(x, y) if isinstance(x, Tensor) else x == y)
    assert not any(x.requires_grad for x in vars(KV(k, v, bias).detach()).values() if isinstance(x, Tensor))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_a_file_gives_back_every_part_in_its_dtype(dtype, bias, tmp_path):
    mem = (everything(dtype, bias), KV(torch.zeros(0, 2), torch.zeros(0, 1)), 2.5)
    state.save(mem, tmp_path / "s")
    back = state.load(tmp_path / "s", mem)
    for (a, x), (b, y) in zip(state.leaves(back), state.leaves(mem), strict=True):
        assert a == b and type(x) is type(y)
        assert torch.equal(x, y) and x.dtype == y.dtype if isinstance(x, Tensor) else x == y
    assert type(back) is tuple and type(back[0]) is Everything and (back[0].kv.bias is None) == (not bias)


@pytest.mark.parametrize(
    "like", [torch.zeros(2, 5, 4), torch.zeros(3, 5, 3), torch.zeros(2, 5, 3).half(), torch.zeros(5, 3), 1]
)
def test_a_file_of_another_kind_of_tensor_is_refused(like, tmp_path):
    state.save((torch.zeros(2, 5, 3),), tmp_path / "s")
    assert state.load(tmp_path / "s", (torch.zeros(2, 9, 3),))[0].shape == (2, 5, 3)
    with pytest.raises(ValueError, match="load: 0 must be"):
        state.load(tmp_path / "s", (like,))
