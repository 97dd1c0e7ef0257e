"""An answer stays inside its task: names, settings, time and processes, in this process, forked and in a fresh one."""

import ast
import sys
import time

import psutil
import pytest
import torch
from examples import EVERY
from test_exercises import EXERCISES, load, visible

from memlib.course.grade import apart, grading
from memlib.course.grade.carry_out import Asked, asked
from memlib.course.grade.reference import run_exercise
from memlib.course.notebook.execution import execute
from memlib.course.source import solved

LEFT = """
import random as _random, sys as _sys, threading as _threading, time as _time
normal = 3
F = None
states = []
k = q = v = n = size = seed = None
report = number = inputs = len = print
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.manual_seed(0)
_random.seed(0)
_threading.Thread(target=_time.sleep, args=(60,), daemon=True).start()
_sys.stdout.write("noise")
del torch
"""


def littered(answer: str) -> str:
    """A right answer, and all of LEFT behind it but what would change a name that the answer itself uses."""
    used = {node.id for node in ast.walk(ast.parse(answer)) if isinstance(node, ast.Name)} - {"torch"}
    lines = []
    for line in LEFT.strip().splitlines():
        *names, last = line.split(" = ")
        free = [name for name in names if name not in used]
        if not names or free:
            lines.append(" = ".join([*free, last]))
    return "\n".join([answer, "import torch", *lines])


def prepared(name: str) -> tuple[dict, list[str]]:
    """What the set-up of an exercise leaves, and its cells."""
    plain = [cell.source for cell in load(name).cells if cell.kind == "code" and not cell.options]
    space = {"__name__": "__main__"}
    for source in plain:
        error = execute(source, space, "<set-up>")
        assert error is None, error
    return space, plain


def tiny(answer: str, check: str = 'report("x", x)') -> Asked:
    return Asked("t", answer, f"from memlib.course import report\n{check}", (), ("x",))


def told(answer: str, seconds: float = 2, **more) -> dict:
    return apart.forked(tiny(answer, **more), seconds, {"__name__": "__main__"})


@pytest.mark.parametrize("name", EXERCISES)
def test_what_an_answer_leaves_behind_costs_no_task_its_points(name):
    """All tasks in one process, one after the other, each littered; the settings stand as before."""
    answers = {task.name: littered(solved(task.answer)) for task in load(name).tasks.values()}
    printed = run_exercise(load(name), answers)
    assert {task: p.error for task, p in printed.items()} == dict.fromkeys(answers)
    assert {task: p.text for task, p in printed.items()} == visible(name)
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[::3])
def test_a_forked_process_says_the_same_and_leaves_this_one_as_it_was(name):
    space, _ = prepared(name)
    before = dict(space)
    for task in load(name).tasks.values():
        said = apart.forked(asked(task, littered(solved(task.answer))), 15, space)
        assert said == {"text": visible(name)[task.name]}
    assert space == before and torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[1:2])
def test_a_fresh_process_says_the_same_where_none_can_be_forked(name):
    _, plain = prepared(name)
    for task in list(load(name).tasks.values())[: None if EVERY else 2]:
        said = apart.started(asked(task, littered(solved(task.answer))), plain, 15)
        assert said == {"text": visible(name)[task.name]}
        said = apart.started(asked(task, "1 / 0"), plain, 15)
        assert said["error"]["kind"] == "ZeroDivisionError" and said["error"]["line"] == 1


def test_an_answer_that_does_not_end_is_stopped_by_processor_time_and_one_that_sleeps_by_the_clock(monkeypatch):
    assert told("while True: pass", 1) == {"stopped": "slow"}
    monkeypatch.setattr(apart, "WALL", 1)
    assert told("import time\ntime.sleep(1000)", 1) == {"stopped": "slow"}


@pytest.mark.parametrize("answer", ["import os\nos._exit(0)", "import ctypes\nctypes.string_at(0)", "exit()\nx = 1"])
def test_a_process_that_dies_or_leaves_is_no_answer(answer):
    said = told(answer)
    assert said == {"stopped": "died"} or said["error"]["kind"] == "SystemExit"


def test_recursion_without_end_is_said_with_its_line_at_once():
    used = time.process_time(), time.monotonic()
    said = told("def x(n):\n    return x(n + 1)\nx(0)")
    assert (said["error"]["kind"], said["error"]["line"]) == ("RecursionError", 2)
    assert time.process_time() - used[0] < 2


def test_too_much_is_cut_off_and_what_is_no_message_counts_as_none(monkeypatch):
    loud = "from memlib.course.notebook.quiet import say\nfor _ in range(3): say('x' * 1_000_000)\nx = 1"
    assert told(loud) == {"stopped": "loud"}
    forged = "import os\nfor fd in range(3, 99):\n    try: os.write(fd, b'\\0' * 7 + b'\\5' + {!r})\n"
    forged += "    except OSError: pass\nos._exit(0)"
    for message in (b"[1,2]", b'"abc"', b"{}   ", b"nulls", b"\xff\xff\xff\xff\xff"):
        assert told(forged.format(message)) == {"stopped": "died"}
    assert apart._understood(b'{"text": 1, "error": {"kind": [], "text": 5, "line": "3"}}') == {
        "text": "1",
        "error": {"kind": "[]", "text": "5", "line": 3},
    }


def test_an_error_that_cannot_be_shown_is_named_by_its_kind():
    odd = "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd"
    assert told(odd)["error"] == {"kind": "Odd", "text": "", "line": None}


def test_nothing_that_an_answer_starts_outlives_its_task():
    answer = (
        "import os, subprocess\nsubprocess.Popen(['sleep', '4712.5'])\nif os.fork() == 0:\n    while True: pass\nx = 1"
    )
    assert told(answer) == {"text": "x: 1.00\n"}
    time.sleep(0.1)
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4712.5"]]
    assert not [p for p in psutil.Process().children(recursive=True) if p.status() != "zombie"]


def test_of_an_answer_the_check_sees_only_what_the_task_asks_for():
    hidden = "hidden = 5\nx = 1"
    assert told(hidden, check="report('x', x)\nhidden")["error"]["kind"] == "NameError"
    assert told("import sys\nsys.kept = 1\nx = sys.kept") == {"text": "x: 1.00\n"} and not hasattr(sys, "kept")


def test_a_message_about_an_answer_is_no_traceback():
    error = apart.NotRight("{}")
    assert error._render_traceback_() == ["{}"] and set(grading.STOPPED) == {"slow", "died", "loud", "late"}
