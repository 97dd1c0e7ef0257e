"""Two tiers beside their peers: a step, a sequence, compression by the pair, the Compressive Transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from compressive_transformer_pytorch.compressive_transformer_pytorch import SelfAttention
from torch import nn
from transformers.cache_utils import DynamicSlidingWindowLayer, StaticSlidingWindowLayer

from benchmarks.timing import medians, pairs, ready
from memlib import (
    KV,
    Compressive,
    ConvPool,
    Full,
    Hybrid,
    MaxPool,
    MeanPool,
    Window,
    attend,
    attend_all,
    attention_reconstruction,
)

H, D, RATE = 8, 64, 4
MEM, CMEM = 512, 128  # of the Compressive Transformer


def step(n: int) -> dict[str, float]:
    """Seconds of RATE steps, a pair in and a read out each, so that one slot is made; n slots in all."""
    compressed = n // 5
    local = n - compressed
    q, kv = pairs(2 * RATE * n)
    q, new, mems = q[..., -1:, :], kv[-1:], {}

    def ours(memory):
        mems[memory] = memory.update(memory.init(kv), kv)

        def work():
            mem = mems[memory]
            for _ in range(RATE):
                mem = memory.update(mem, new)
                memory.read(mem, q)
            mems[memory] = mem

        return ready(work)

    def theirs(layer):
        layer.update(kv.k[:, :, :n], kv.v[:, :, :n])
        return ready(lambda: [F.scaled_dot_product_attention(q, *layer.update(new.k, new.v)) for _ in range(RATE)])

    return medians(
        {
            "read alone": ready(lambda: [attend(q, kv[:n]) for _ in range(RATE)]),
            "Hybrid, n / 5 of them compressed": ours(Hybrid(local, compressed, RATE)),
            "Window(n)": ours(Window(n)),
            "transformers sliding, dynamic": theirs(DynamicSlidingWindowLayer(n)),
            "transformers sliding, static": theirs(StaticSlidingWindowLayer(n, n)),
        }
    )


def sequence(n: int) -> dict[str, float]:
    """Seconds of a hybrid cache over n tokens at once, reading 512 raw and 128 compressed slots."""
    q, kv = pairs(n)
    memory = Hybrid(MEM, CMEM, RATE)
    return medians(
        {
            "Hybrid.attend_all": ready(lambda: attend_all(memory, q, kv)),
            "Window(640).attend_all": ready(lambda: attend_all(Window(MEM + CMEM), q, kv)),
            "torch SDPA, full causal": ready(lambda: attend_all(Full(), q, kv)),
        }
    )


def compress(rate: int) -> dict[str, float]:
    """Seconds of pooling 512 pairs; torch's pools are given rows of channels, as they want them."""
    _, old = pairs(MEM)
    flat = [x.transpose(-1, -2).reshape(H, D, MEM).contiguous() for x in (old.k, old.v)]
    conv, kernels = ConvPool(rate, D), [torch.randn(D, D, rate) for _ in range(2)]
    return medians(
        {
            "MeanPool": ready(lambda: MeanPool()(old, rate)),
            "F.avg_pool1d": ready(lambda: [F.avg_pool1d(x, rate) for x in flat]),
            "MaxPool": ready(lambda: MaxPool()(old, rate)),
            "F.max_pool1d": ready(lambda: [F.max_pool1d(x, rate) for x in flat]),
            "ConvPool": ready(lambda: conv(old, rate)),
            "F.conv1d": ready(lambda: [F.conv1d(x, w, stride=rate) for x, w in zip(flat, kernels, strict=True)]),
        }
    )


class Layer(nn.Module):
    """What surrounds the memory in a layer: the projections of the new tokens, as the peer has them."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(H * D, 3 * H * D, bias=False), nn.Linear(H * D, H * D)
        self.memory = Compressive(MEM, CMEM, RATE, ConvPool(RATE, D))

    def forward(self, x, mem):
        q, k, v = (y.unflatten(-1, (H, D)).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        new = KV(k, v)
        return self.out(self.memory.read(mem, q, new).transpose(1, 2).flatten(-2)), q, new


def layers(tokens: int):
    """Ours and theirs with both tiers full, and the next tokens."""
    torch.manual_seed(0)
    ours, theirs = Layer(), SelfAttention(H * D, MEM, MEM, CMEM, RATE, heads=H).eval()
    _, kv = pairs(MEM + RATE * CMEM)
    full = (torch.randn(1, MEM, H * D), torch.randn(1, CMEM, H * D))
    return ours, ours.memory.update(ours.memory.init(kv), kv), theirs, full, torch.randn(1, tokens, H * D)


def compressive(tokens: int) -> dict[str, float]:
    """Seconds of one attention layer over some tokens of a segment; over all 512 of it the memory moves as well."""
    ours, mem, theirs, full, x = layers(tokens)

    def once():
        _, q, new = ours(x, mem)
        if tokens == MEM:
            ours.memory.update(mem, new)

    return medians({"Compressive": ready(once), "compressive-transformer-pytorch": ready(lambda: theirs(x, full))}, 6)


def trained(tokens: int) -> dict[str, float]:
    """Seconds of a training step of the layer on a segment, with the reconstruction loss of its pool."""
    ours, mem, theirs, full, x = layers(tokens)
    theirs.train()

    def once():
        with torch.enable_grad():
            out, q, new = ours(x, mem)
            ours.memory.update(mem, new)
            old = mem.raw[: mem.raw.n // RATE * RATE]
            loss = out.square().mean() + attention_reconstruction(ours.memory.pool, q, old, RATE)
            loss.backward()

    def peer():
        with torch.enable_grad():
            theirs.to_kv.weight.requires_grad_()  # it stops training after one step
            out, _, loss = theirs(x, full)
            (out.square().mean() + loss.sum()).backward()

    return medians({"Compressive, trained": ready(once), "compressive-transformer-pytorch": ready(peer)}, 6)


TABLES = [  # title, x axis, sizes, function
    ("Four steps of a hybrid cache of n slots, rate 4, 8 heads of 64", "slots n", (40, 160, 640, 2560, 10240), step),
    ("A hybrid cache of 512 + 128 slots over n tokens at once", "tokens n", (1024, 2048, 4096, 8192), sequence),
    ("Compression of 512 pairs, keys and values, 8 heads of 64", "rate", (2, 4, 8, 16), compress),
    ("A compressive layer, width 512, mem 512, cmem 128, over some tokens", "tokens", (1, 8, 64, 512), compressive),
    ("The same layer in training, a segment with the loss of its pool", "tokens", (512,), trained),
]
