"""Memories of learners' own: run elsewhere, weighed, scored, ranked."""

import json
import os
import time
from pathlib import Path

import pytest
import torch
from examples import EVERY

from memlib import KV, Window, outputs, state_bytes, states
from memlib.course import cli
from memlib.course.tournament.remote import EntryError, Remote
from memlib.tasks.leaderboard import LIMIT, MEMORIES, TASKS, Half, Quarter, Weighed, at_length, score

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a process is forked for each memory")

WINDOW = """
from typing import NamedTuple
from memlib import KV, attend

class State(NamedTuple):
    kv: KV
    seen: int

class Mine:
    def init(self, like):
        return State(like.empty(), 0)
    def update(self, mem, new):
        return State(mem.kv.append(new, keep=SIZE), mem.seen + new.n)
    def slots(self, mem):
        return mem.kv
    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem.kv, lse, new)
"""
SMUGGLER = """
import torch
from memlib import KV, attend
past = []
class Mine:
    def init(self, like):
        return like.empty()
    def update(self, mem, new):
        past.append(new)
        return mem.append(new, keep=1)
    def slots(self, mem):
        return KV(*(torch.cat([getattr(x, of) for x in [mem, *past]], -2) for of in "kv"))
    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""


def entry(folder, code, name="entry.py", size=5) -> Path:
    path = folder / name
    path.write_text(code.replace("SIZE", str(size)), "utf-8")
    return path


def sequence(n=150, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(2, n, 8, generator=draw) for _ in range(3)]


def told(code, folder, seconds=30.0):
    """What is said of a memory that is wrong."""
    q, k, v = sequence(12)
    with pytest.raises(EntryError) as caught, Remote(entry(folder, code), seconds) as memory:
        outputs(memory, q, KV(k, v))
    return str(caught.value)


def test_a_memory_that_runs_elsewhere_gives_what_it_gives_here(tmp_path):
    q, k, v = sequence()
    with Remote(entry(tmp_path, WINDOW), seed=1) as memory:
        got = outputs(memory, q, KV(k, v))
        mem = memory.update(memory.init(KV(k, v)), KV(k[:, :9], v[:, :9]))
        assert torch.equal(memory.slots(mem).k, k[:, 4:9])
        read, lse = memory.read(mem, q[:, :2], lse=True)
        assert lse.shape == (2, 2) and read.shape == (2, 2, 8)
    torch.testing.assert_close(got, outputs(Window(5), q, KV(k, v)))


def test_what_is_not_in_the_state_is_forgotten(tmp_path):
    q, k, v = sequence(200)
    with Remote(entry(tmp_path, SMUGGLER), seed=1) as memory:
        got = outputs(memory, q, KV(k, v))
    marked = v.clone()
    marked[:, :20] += 100  # would be seen at the end, were it still there
    with Remote(entry(tmp_path, SMUGGLER), seed=1) as memory:
        again = outputs(memory, q, KV(k, marked))
    assert (got - again)[:, :20].abs().max() > 1 and torch.equal(got[:, -20:], again[:, -20:])


def test_what_the_code_prints_does_no_harm(tmp_path):
    q, k, v = sequence(12)
    loud = (
        WINDOW.replace("return mem.kv\n", "print('x' * 100_000); return mem.kv\n")
        + "\nprint('hello')\nimport os\nos.write(1, b'{}')\n"
    )
    with Remote(entry(tmp_path, loud)) as memory:
        mem = memory.update(memory.init(KV(k, v)), KV(k, v))
        assert memory.slots(mem).n == 5
        assert outputs(memory, q, KV(k, v)).shape == q.shape


FAULTS = [
    (WINDOW.replace("mem.seen + new.n", "1 / 0"), "Line 13: ZeroDivisionError"),
    ("x = 1\n", "There is no class Mine."),
    ("import os\nos._exit(3)\n", "Its process died."),
    (WINDOW.replace("attend(q, mem.kv, lse, new)", "q[..., :1, :0].sum()"), "read must give"),
    ("Mine = 3\n", "There is no class Mine."),
    ("class Mine:\n  def f(:\n", "Line 2: SyntaxError"),
    (WINDOW + "\nimport sys\nsys.exit()\n", "Line 20: SystemExit"),
    ("import os\nos._exit(0)\n", "Its process died."),
]


@pytest.mark.parametrize("code, said", FAULTS if EVERY else FAULTS[:2])
def test_a_fault_is_told_in_a_sentence_with_the_line(code, said, tmp_path):
    assert told(code, tmp_path).startswith(said)


def test_what_a_state_lacks_is_told_in_a_sentence(tmp_path):
    grows = """
from memlib import KV, attend
class Mine:
    def init(self, like):
        return (like.empty(),)
    def update(self, mem, new):
        return (mem[0].append(new), *mem[1:], new.n)
    def slots(self, mem):
        return mem[0]
    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem[0], lse, new)
"""
    q, k, v = sequence(130)
    with pytest.raises(EntryError, match="the same parts from init on"), Remote(entry(tmp_path, grows)) as memory:
        outputs(memory, q, KV(k, v))
    hoard = """
from memlib import KV, attend
class Mine:
    def __init__(self):
        self.past = []
    def init(self, like):
        return 0
    def update(self, mem, new):
        self.past[mem:] = [new]
        return mem + 1
    def slots(self, mem):
        return self.past[mem - 1]
    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.past[mem - 1], lse, new)
"""
    with pytest.raises(EntryError, match="IndexError.*the state must hold everything"):
        with Remote(entry(tmp_path, hoard)) as memory:
            outputs(memory, q, KV(k, v))


def test_a_loop_without_end_is_stopped_with_all_that_it_started(tmp_path):
    begin = time.monotonic()
    endless = WINDOW.replace("return mem.kv\n", "return mem.kv\n").replace(
        "def update(self, mem, new):", "def update(self, mem, new):\n        while True: pass"
    )
    assert told(endless, tmp_path, seconds=6) == "It took too long and was stopped."
    assert time.monotonic() - begin < 30
    time.sleep(0.5)
    running = [Path(p, "cmdline") for p in Path("/proc").glob("[0-9]*")] if Path("/proc").exists() else []
    assert not [p for p in running if p.exists() and str(tmp_path).encode() in p.read_bytes()]


def test_states_are_weighed_a_head():
    q, k, v = (x.view(2, 1, -1, 8).expand(2, 3, -1, 8) for x in sequence(30))
    weighed = Weighed(Window(4))
    outputs(weighed, q, KV(k, v))
    assert weighed.most[0] == 4 * (8 + 8) * 4 and weighed.size == 4


def test_the_score_of_a_window_is_what_its_tasks_say():
    card = score(Window(21), seed=3, count=4, turns=1)
    assert set(card.tasks) == set(TASKS) and card.within and 60_000 < card.kept <= LIMIT
    assert card.tasks["recall"] == 21 / 256 and card.tasks["one fact"] == 0 and card.tasks["text"] > 0.7
    assert abs(card.total - sum(card.tasks.values()) / 8) < 1e-12
    more = score(Window(22), seed=3, count=4, turns=1)
    assert not more.within and more.tasks["recall"] == 22 / 256
    assert json.loads(json.dumps(card.plain()))["bytes_kept"] == card.kept


def test_memories_at_length_find_what_they_hold():
    seen = at_length(Window(64), 256, seed=0, asked=64)
    assert seen["found_newest"] == 1 and 0.1 < seen["found"] < 0.45 and seen["bytes"] == 64 * 128 * 4


@pytest.mark.parametrize("memory, pair, error", [(Half(5), 32, 0.05), (Quarter(5), 20, 0.05)])
def test_short_numbers_keep_a_window_of_less_bytes(memory, pair, error):
    q, k, v = sequence(40)
    torch.testing.assert_close(outputs(memory, q, KV(k, v)), outputs(Window(5), q, KV(k, v)), atol=error, rtol=0)
    assert max(state_bytes(mem) for mem in states(memory, KV(k, v))) == 2 * 5 * pair
    whole = memory.update(memory.init(KV(k, v)), KV(k, v))
    assert torch.equal(memory.slots(whole).v, memory.slots(list(states(memory, KV(k, v)))[-1]).v)
    nothing = KV(0 * k, 0 * v)
    assert not memory.slots(memory.update(memory.init(nothing), nothing)).k.any()


def test_all_memories_of_the_board_can_be_made():
    for name, make in MEMORIES.items():
        assert isinstance(make, str) or callable(make().update), name


def test_what_cannot_be_scored_is_named(tmp_path, capsys):
    assert cli.main(["tournament", str(tmp_path / "none.py")]) == 1 and "There is no file" in capsys.readouterr().err
    assert cli.main(["tournament", str(tmp_path)]) == 1 and "holds no .py or .ipynb" in capsys.readouterr().err
    entry(tmp_path, WINDOW)
    assert cli.main(["tournament", str(tmp_path), "--seed", "0"]) == 1 and "--seed is 0" in capsys.readouterr().err
