"""Exact search beside faiss, and a step that reads a window and k recalled pairs beside other ways to do it."""

from __future__ import annotations

import faiss
import torch

from benchmarks.timing import medians, pairs, ready
from memlib import KNN, KV, Full, Gated, Joint, Window, attend, attend_all, join
from memlib.stores import Exact

D, K, LOCAL = 64, 32, 512


def search(n: int, queries: int, metric: str = "inner product", times: int = 3) -> dict[str, float]:
    """Seconds of one search for the K best of n random keys, float32."""
    keys, q = torch.randn(n, D), torch.randn(queries, D)
    store, index = Exact(D, metric), (faiss.IndexFlatIP if metric == "inner product" else faiss.IndexFlatL2)(D)
    faiss.omp_set_num_threads(1)
    store.add(keys, torch.zeros(n, 1))
    index.add(keys.numpy())
    store.search(q, K)  # it remembers the lengths of the keys
    return medians(
        {
            "faiss flat": ready(lambda: index.search(q.numpy(), K)),
            "stores.Exact": ready(lambda: store.search(q, K)),
            "torch: matmul, topk": ready(lambda: (q @ keys.T).topk(K, -1)),
        },
        times,
    )


def step(n: int) -> dict[str, float]:
    """Seconds of one step, a pair in and a read out, with n pairs of past: 8 heads of 64."""
    q, kv = pairs(n)
    q, new, mems = q[..., -1:, :], kv[-1:], {}

    def ours(memory):
        mems[memory] = memory.update(memory.init(kv), kv)

        def work():
            mems[memory] = memory.update(mems[memory], new)
            memory.read(mems[memory], q)

        return ready(work)

    window, far = Window(LOCAL), KNN(K, LOCAL)

    def concatenated():
        near = window.slots(mems["near"])
        found, _ = far.fetch(mems["far"], q)
        attend(q, join(near, KV(found.k.squeeze(-3), found.v.squeeze(-3))))

    mems["near"], mems["far"] = window.update(window.init(kv), kv), far.update(far.init(kv), kv)
    return medians(
        {
            f"Window({LOCAL})": ours(window),
            f"Joint(Window({LOCAL}), KNN({K}, {LOCAL}))": ours(Joint(window, far)),
            "Gated": ours(Gated(window, far, gate_local=0.5)),
            "fetched, then concatenated": ready(concatenated),
            "Full": ours(Full()),
        }
    )


def sequence(n: int) -> dict[str, float]:
    """Seconds of n tokens at once, 8 heads of 64."""
    q, kv = pairs(n)
    return medians(
        {
            "torch SDPA, full causal": ready(lambda: attend_all(Full(), q, kv)),
            f"KNN({K}, 0).attend_all": ready(lambda: attend_all(KNN(K, 0), q, kv)),
            f"Joint(Window({LOCAL}), KNN({K}, {LOCAL})).attend_all": ready(
                lambda: attend_all(Joint(Window(LOCAL), KNN(K, LOCAL)), q, kv)
            ),
        },
        3,
    )


TABLES = [  # title, x axis, sizes, function
    ("The 32 best of 100,000 keys of 64, inner product", "queries", (1, 32, 512), lambda b: search(100_000, b)),
    ("The 32 best of 1,000,000 keys of 64, inner product", "queries", (1, 32), lambda b: search(10**6, b)),
    (
        "The 32 best of 100,000 keys of 64, squared distance",
        "queries",
        (1, 32, 512),
        lambda b: search(100_000, b, "dist2"),
    ),
    ("One step at n pairs: 512 of them near, 32 recalled, 8 heads of 64", "pairs n", (1024, 4096, 16384), step),
    ("n tokens at once, 8 heads of 64", "tokens n", (1024, 2048, 4096), sequence),
]
