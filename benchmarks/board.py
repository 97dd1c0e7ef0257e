"""One step (a pair in, a read out) of every memory on the leaderboard, beside the full cache."""

from __future__ import annotations

from benchmarks.timing import medians, pairs
from memlib import Full
from memlib.memory import updated
from memlib.tasks.leaderboard import MEMORIES


def step(n: int) -> dict[str, float]:
    """Seconds of a step behind n pairs, 8 heads of 64."""
    made = {name: make() for name, make in MEMORIES.items() if not isinstance(make, str)}
    made = {"full cache": Full()} | made
    q, kv = pairs(n)
    one, new = q[..., -1:, :], kv[n - 1 :]
    return medians({name: steps(memory, q, kv, one, new) for name, memory in made.items()}, seconds=10.0)


def steps(memory, q, kv, one, new):
    """Each step goes on from the state of the last; now and then, not timed, from n pairs again: some grow."""
    start = updated(memory, memory.init(kv), kv, q)
    mem, done = start, 0

    def ready():
        nonlocal mem
        if done % 256 == 0:
            mem = updated(memory, start, new, one)  # has room for the next
        return work

    def work():
        nonlocal mem, done
        mem, done = updated(memory, mem, new, one), done + 1
        memory.read(mem, one)

    return ready


TABLES = [("One step of each memory on the leaderboard", "pairs read before", (256, 4096), step)]
