"""Whether a change made the library slower: `python -m benchmarks.pairs OLD NEW [WORD ...]`, two checkouts.

Each checkout runs in a process of its own, on one thread. They work in turn, 30 rounds of each row (three fresh pairs
of processes, ten rounds each), and a round gives one ratio, new over old, of processor seconds. A row is slower where
the median ratio is above 1.05 and its 95 % interval (bootstrap) lies above 1.02. A WORD takes the rows that hold it.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

import memlib
from memlib import (
    KNN,
    KV,
    Compressive,
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    Full,
    Gated,
    GatedDelta,
    Hybrid,
    Joint,
    LinearAttention,
    MostUsed,
    MovingAverage,
    Recurrent,
    WeightedAverage,
    Window,
    attend_all,
    recipe,
    view,
)
from memlib.lm import Config, LanguageModel

PROCESSES, ROUNDS = 3, 10  # fresh pairs of processes, and rounds in each of them
LEAST = 0.03  # processor seconds of one turn
CHAIN = 64  # steps of a decode row, each time from the same state
H, D = 8, 64  # heads, width

GROWING = {  # memories by name, for n pairs of past
    "Full": lambda n: Full(),
    "Window": Window,
    "Window, sinks": lambda n: Window(n - 4, sinks=4),
    "MovingAverage": MovingAverage,
    "WeightedAverage": lambda n: WeightedAverage(torch.linspace(0.1, 1, n)),
    "Hybrid": lambda n: Hybrid(n - n // 5, n // 5, 4),
    "Compressive": lambda n: Compressive(n - n // 5, n // 5, 4, segment=4),
    "KNN": lambda n: KNN(32, 0),
    "Joint": lambda n: Joint(Window(n // 4), KNN(32, n // 4)),
    "Gated": lambda n: Gated(Window(n // 4), KNN(32, n // 4), gate_local=0.5),
}
CONSTANT = {
    "CumulativeAverage": lambda n: CumulativeAverage(),
    "ExponentialAverage": lambda n: ExponentialAverage(0.1),
    "LinearAttention": lambda n: LinearAttention(),
    "DeltaRule": lambda n: DeltaRule(0.9),
    "GatedDelta": lambda n: GatedDelta(0.98, 0.9),
    "Recurrent": lambda n: Recurrent(torch.nn.GRUCell(2 * D, 2 * D)),
}
WALKED = {
    "Hybrid, most used": lambda n: Hybrid(64, 16, 4, MostUsed()),
    "Joint by segments": lambda n: Joint(Compressive(64, 16, 4, segment=32), KNN(8, 64)),
}
ALL = GROWING | CONSTANT | WALKED


def sequence(n: int) -> tuple[torch.Tensor, KV]:
    """Queries and pairs of n tokens, [1, H, n, D]."""
    q, k, v = (torch.randn(1, H, n, D) for _ in range(3))
    return q, KV(k, v)


def updated(memory, mem, new: KV, q: torch.Tensor):
    """The state behind `new`."""
    return memory.update(mem, new, q) if getattr(memory, "needs_queries", False) else memory.update(mem, new)


def filled(memory, n: int):
    """A state that has seen n pairs, in steps of at most 64."""
    q, kv = sequence(n)
    mem = memory.init(kv)
    for t in range(0, n, 64):
        mem = updated(memory, mem, kv[t : t + 64], q[..., t : t + 64, :])
    return mem


def step(make: Callable, n: int) -> Callable[[], None]:
    """CHAIN tokens, each a pair in and a read out, behind n pairs."""
    memory = make(n)
    base, (q, kv) = filled(memory, n), sequence(1)

    def work():
        mem = base
        for _ in range(CHAIN):
            mem = updated(memory, mem, kv, q)
            memory.read(mem, q)

    return work


def whole(make: Callable, n: int) -> Callable[[], None]:
    """All outputs of n tokens at once."""
    memory, (q, kv) = make(512), sequence(n)
    return lambda: attend_all(memory, q, kv)


def onwards(make: Callable, n: int) -> Callable[[], None]:
    """All outputs of n tokens at once, behind 256 others."""
    memory, (q, kv) = make(512), sequence(n)
    mem = filled(memory, 256)
    return lambda: attend_all(memory, q, kv, mem)


def prompt(make: Callable, n: int) -> Callable[[], None]:
    """n pairs in one update, behind 256 others."""
    memory, (q, kv) = make(512), sequence(n)
    mem = filled(memory, 256)
    return lambda: updated(memory, mem, kv, q)


def query(make: Callable, n: int) -> Callable[[], None]:
    """One query reads a state of n pairs."""
    memory = make(n)
    mem, (q, _) = filled(memory, n), sequence(1)
    return lambda: memory.read(mem, q)


def segment(make: Callable, n: int) -> Callable[[], None]:
    """n tokens read a state of 512 pairs and, causally, themselves."""
    memory, (q, kv) = make(512), sequence(n)
    mem = filled(memory, 512)
    return lambda: memory.read(mem, q, new=kv)


def trained(make: Callable, n: int) -> Callable[[], None]:
    """Forward and backward of a small model over 4 rows of n bytes."""
    model = LanguageModel(Config(dim=64, layers=2), make(n))
    tokens = torch.randint(0, 256, (4, n))

    def work():
        with torch.enable_grad():
            model.zero_grad()
            torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()

    return work


def generated(make: Callable, n: int) -> Callable[[], None]:
    """32 bytes of a small model behind a prompt of n."""
    model = LanguageModel(Config(dim=64, layers=2), make(n))
    return lambda: model.generate(bytes(range(32, 96)) * (n // 64), 32)


def drawn(function: Callable, make: Callable, n: int) -> Callable[[], None]:
    """The recipe, or the view, of n tokens."""
    memory, q, k = make(16), torch.randn(n, D), torch.randn(n, D)
    return (lambda: recipe(memory, k)) if function is recipe else (lambda: view(memory, q, k))


def imported() -> Callable[[], None]:
    """`import memlib` in a fresh process."""
    return lambda: subprocess.run([sys.executable, "-P", "-c", "import memlib"], check=True)


def rows() -> dict[str, Callable[[], Callable[[], None]]]:
    """Every row by name: a function that makes ready and returns the work."""
    found = {"import": imported}
    for name, make in ALL.items():
        for n in (128, 1024, 4096) if name in GROWING else (256,):
            found[f"step: {name}, n = {n}"] = partial(step, make, n)
        n = 256 if name in WALKED else 1024
        found[f"whole: {name}, n = {n}"] = partial(whole, make, n)
        found[f"onwards: {name}, n = {n}"] = partial(onwards, make, n)
        found[f"prompt: {name}, n = {n}"] = partial(prompt, make, n)
    for name in ("CumulativeAverage", "MovingAverage", "ExponentialAverage", "LinearAttention", "GatedDelta", "Window"):
        found[f"whole: {name}, n = 8192"] = partial(whole, ALL[name], 8192)
    for name in ("Full", "Window", "Hybrid", "Compressive", "Joint", "Gated", "KNN"):
        for n in (256, 4096):
            found[f"one query: {name}, n = {n}"] = partial(query, ALL[name], n)
    for name in ("Full", "Window", "Hybrid", "Compressive", "Joint", "LinearAttention", "DeltaRule"):
        found[f"a segment: {name}"] = partial(segment, ALL[name], 32)
    models = {
        "full": ALL["Full"],
        "window": lambda n: Window(32),
        "cumulative": ALL["CumulativeAverage"],
        "delta": ALL["DeltaRule"],
        "compressive": lambda n: Compressive(32, 8, 4, segment=16),
    }
    for name, make in models.items():
        found[f"trained: {name}"] = partial(trained, make, 128)
        found[f"generated: {name}"] = partial(generated, make, 128)
    for name in ("Window", "Hybrid", "DeltaRule", "CumulativeAverage"):
        found[f"recipe: {name}"] = partial(drawn, recipe, ALL[name], 64)
        found[f"view: {name}"] = partial(drawn, view, ALL[name], 64)
    return found


def seconds(work: Callable[[], None], times: int) -> float:
    """Processor seconds, those of processes that were started and have ended among them."""

    def now():
        child = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + child.ru_utime + child.ru_stime

    begin = now()
    for _ in range(times):
        work()
    return now() - begin


def serve() -> None:
    """A worker: reads `ready NAME`, answers how often its turn repeats the work; `turn TIMES`, answers seconds."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    known, work = rows(), None
    print(memlib.__file__, flush=True)
    for line in sys.stdin:
        what, _, rest = line.strip().partition(" ")
        if what == "turn":
            print(seconds(work, int(rest)), flush=True)
            continue
        torch.manual_seed(0)
        work = known[rest]()
        seconds(work, 2)
        print(1 + int(LEAST / max(seconds(work, 1), 1e-7)), flush=True)


class Worker:
    """One checkout in a process of its own."""

    def __init__(self, checkout: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__, "serve"],
            env=os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
        )
        found = Path(self.process.stdout.readline().strip())
        if checkout not in found.parents:
            raise RuntimeError(f"{checkout}: the library must be imported from there, got {found}")

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the process of {self.process.args} ended at {line!r}")
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def ratios(old: Worker, new: Worker, name: str) -> list[float]:
    """New over old of ROUNDS rounds of one row; who begins changes from round to round."""
    times = int(old.ask(f"ready {name}"))
    new.ask(f"ready {name}")
    found = []
    for turn in range(ROUNDS):
        order = (old, new) if turn % 2 else (new, old)
        took = {worker: float(worker.ask(f"turn {times}")) for worker in order}
        found.append(took[new] / took[old])
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    chosen = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.quantile(np.median(chosen, 1), [0.025, 0.975])
    return float(low), float(high)


def main(arguments: list[str]) -> int:
    if arguments == ["serve"]:
        serve()
        return 0
    old, new = (Path(path).resolve() for path in arguments[:2])
    names = [name for name in rows() if not arguments[2:] or any(word in name for word in arguments[2:])]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(PROCESSES):
        workers = Worker(old), Worker(new)
        for name in names:
            found[name] += ratios(*workers, name)
        for worker in workers:
            worker.close()
    slower = 0
    for name, values in found.items():
        middle, (low, high) = statistics.median(values), interval(values)
        worse = middle > 1.05 and low > 1.02
        slower += worse
        print(f"{'SLOWER' if worse else '':7}{middle:5.2f}  [{low:.2f}, {high:.2f}]  {name}")
    print(f"{slower} of {len(names)} rows became slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
