"""Matrix memories and the GRU over a whole sequence, beside the quadratic form, transformers and torch's GRU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from transformers.models.qwen3_next import modeling_qwen3_next as qwen

from benchmarks.timing import medians, pairs, ready
from memlib import DeltaRule, Full, GatedDelta, LinearAttention, Recurrent, attend_all, outputs

H, D = 8, 64


def linear(n: int) -> dict[str, float]:
    """Seconds of linear attention over n tokens."""
    q, kv = pairs(n)

    def square():
        weights = ((F.elu(q) + 1) @ (F.elu(kv.k) + 1).mT).tril_()
        return weights @ kv.v / weights.sum(-1, keepdim=True)

    found = {"LinearAttention": ready(lambda: attend_all(LinearAttention(), q, kv))}
    if n <= 4096:
        found["the n x n form"] = ready(square)
    found["torch SDPA, full causal"] = ready(lambda: attend_all(Full(), q, kv))
    return medians(found)


def gated(n: int) -> dict[str, float]:
    """Seconds of a gated delta rule over n tokens."""
    q, kv = pairs(n)
    turned = [x.transpose(1, 2).contiguous() for x in (q, kv.k, kv.v)]
    logs, beta = torch.full((1, n, H), 0.98).log(), torch.full((1, n, H), 0.9)

    def theirs(form):
        return ready(
            lambda: form(
                *turned, logs, beta, initial_state=None, output_final_state=False, use_qk_l2norm_in_kernel=True
            )
        )

    found = {
        "GatedDelta": ready(lambda: attend_all(GatedDelta(0.98, 0.9), q, kv)),
        "DeltaRule": ready(lambda: attend_all(DeltaRule(0.9), q, kv)),
        "transformers, chunks": theirs(qwen.torch_chunk_gated_delta_rule),
    }
    if n <= 4096:
        found["transformers, step by step"] = theirs(qwen.torch_recurrent_gated_delta_rule)
    return medians(found)


def network(n: int) -> dict[str, float]:
    """Seconds of a GRU over n tokens, in the shapes of a head."""
    q, kv = pairs(n)
    cell = torch.nn.GRUCell(2 * D, 2 * D)
    whole = torch.nn.GRU(2 * D, 2 * D)
    x = torch.cat([kv.k, kv.v], -1)[0].transpose(0, 1).contiguous()
    return medians(
        {
            "Recurrent, attend_all": ready(lambda: attend_all(Recurrent(cell), q, kv)),
            "Recurrent, step by step": ready(lambda: outputs(Recurrent(cell), q, kv)),
            "torch.nn.GRU alone": ready(lambda: whole(x)),
        }
    )


def step(n: int) -> dict[str, float]:
    """Seconds of one step, a pair in and a read out, after n pairs; the full cache first."""
    q, kv = pairs(n)
    new, mems, found = kv[-1:], {}, {}
    for memory in (
        Full(),
        LinearAttention(),
        DeltaRule(0.9),
        GatedDelta(0.98, 0.9),
        Recurrent(torch.nn.GRUCell(2 * D, 2 * D)),
    ):
        name = type(memory).__name__
        mems[name] = memory.update(memory.init(kv), kv)

        def once(memory=memory, name=name):
            mem = memory.update(mems[name], new)
            memory.read(mem, q[..., -1:, :])
            mems[name] = mem if name != "Full" or mem.n < n + 512 else memory.update(memory.init(kv), kv)

        found[name] = ready(once)
    return medians(found)


TABLES = [  # title, x axis, sizes, function
    ("Linear attention over n tokens, 8 heads of 64, float32", "tokens n", (1024, 4096, 16384), linear),
    ("A gated delta rule over n tokens", "tokens n", (1024, 4096, 16384), gated),
    ("A GRU over n tokens", "tokens n", (256, 1024), network),
    ("One step after n pairs", "pairs n", (1024, 4096, 16384), step),
]
