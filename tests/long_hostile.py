"""Submissions that break or cheat, each with its verdict: `pytest tests/long_hostile.py`, some minutes.

No box is in force (see docs/teachers.md): what is shown here is that the verdict is right and that the others are
graded, not that nothing outside could be touched. Nothing here forks without end or writes outside its folder.
"""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from memlib.course.grade import grading
from memlib.course.grade.grading import GraderFault, grade
from memlib.course.group import batch
from memlib.course.notebook.answers import with_answers
from memlib.course.paths import ROOT
from memlib.course.source import load_exercise, solved

NAME = "00_cache"
TASKS = load_exercise(NAME).tasks
OTHERS = {task: None for task in TASKS if task != "read"}
TOTAL = sum(task.points for task in TASKS.values() if not task.bonus)
RIGHT = solved(TASKS["read"].answer)
SLOW, DIED, LOUD = (grading.STOPPED[name] for name in ("slow", "died", "loud"))
WRONG = "def read(q, k, v, temperature=1.0):\n    return v.mean(0)\n"

COSTS = {  # the answer to `read`, right or not -> what is said; it costs `read` and nothing else
    "a loop without end": ("while True:\n    pass", SLOW),
    "a loop that cannot be interrupted": (
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass",
        SLOW,
    ),
    "a loop in the function": ("def read(q, k, v, temperature=1.0):\n    while True: pass", SLOW),
    "os._exit": ("import os\nos._exit(0)", DIED),
    "its own kernel killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", DIED),
    "a segfault": ("import ctypes\nctypes.string_at(0)", DIED),
    "100 MB displayed": ("from IPython.display import display, HTML\ndisplay(HTML('x' * 100_000_000))", "NameError"),
    "100 MB reported": (
        "from memlib.course.notebook.quiet import say\nfor _ in range(100): say('x' * 1_000_000)\n" + RIGHT,
        LOUD,
    ),
    "its kernel killed": ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", DIED),
    "a loop that ignores its limit": (
        "import resource, signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        SLOW,
    ),
    "asleep without end": ("import time\ntime.sleep(1e6)", SLOW),
    "sys.exit": ("raise SystemExit", "SystemExit"),
    "recursion without end": (
        "def read(*a, **k):\n    return read(*a, **k)",
        "Line 2 of the answer: RecursionError",
    ),
    "html in an error": ("raise ValueError('<script>alert(1)</script>')", "<script>alert(1)</script>"),
    "not text that python reads": ("}{", "SyntaxError"),
    "the checks patched": (
        f"{WRONG}\nimport torch\ntorch.allclose = torch.equal = torch.Tensor.__eq__ = lambda *a, **k: True",
        "expected",
    ),
    "a tensor equal to all": (
        "class Yes(torch.Tensor):\n    def __eq__(self, o): return True\n"
        "def read(q, k, v, temperature=1.0):\n    return v.mean(0).as_subclass(Yes)",
        "expected",
    ),
    "the traceback hidden": (
        "get_ipython().showtraceback = lambda *a, **k: None\nraise ValueError('hidden')",
        "",
    ),
}
LOSES = {  # a cheat that earns nothing; what it breaks for its own later answers is its loss
    "report replaced": (
        f"{WRONG}\nimport memlib.course.notebook.hide as h\nreport = h.report = lambda *a, **k: print('ok')",
        "",
    ),
    "the visible output printed": (
        WRONG + "\nimport memlib.course.notebook.hide as c, json\nfrom memlib.course.paths import ROOT\n"
        "_b = json.loads((ROOT / 'exercises/00_cache.ipynb').read_text())\n"
        "_t = [''.join(x['outputs'][0]['text']) for x in _b['cells'] if x['id'] == 'read-check'][0]\n"
        "from memlib.course.notebook.quiet import say\nc.report = lambda *a, **k: say(_t)",
        "",
    ),
}
FREE = {  # odd, but the answer is right: it earns its points
    "100 MB to the raw output": f"{RIGHT}\nimport os\nfor _ in range(100): os.write(1, b'x' * 1_000_000)",
    "100 MB printed": f"{RIGHT}\nfor _ in range(100): print('x' * 1_000_000)",
    "a process left running": f"{RIGHT}\nimport subprocess\nsubprocess.Popen(['sleep', '4711.25'])",
    "its folder emptied": f"{RIGHT}\nimport os, shutil\nfor p in os.listdir('.'): shutil.rmtree(p, ignore_errors=True)",
    "stdout closed": f"{RIGHT}\nimport sys\nsys.stdout.close()",
    "threads": f"{RIGHT}\nimport threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()",
}


def handed_in(tmp_path, answers: dict) -> str:
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(json.dumps(with_answers(NAME, answers)))
    return path


@pytest.mark.parametrize("source, said", COSTS.values(), ids=[name.replace(" ", "_") for name in COSTS])
def test_it_costs_its_task_and_no_other(source, said, tmp_path):
    started = time.monotonic()
    verdict = grade(handed_in(tmp_path, OTHERS | {"read": source}), seconds=5)
    states = {task["task"]: task["state"] for task in verdict["tasks"]}
    assert states == {task: "failed" if task == "read" else "passed" for task in TASKS}, verdict
    feedback = next(task["feedback"] for task in verdict["tasks"] if task["task"] == "read")
    assert said in feedback and verdict["points"] == TOTAL - TASKS["read"].points
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("source, said", LOSES.values(), ids=[name.replace(" ", "_") for name in LOSES])
def test_it_earns_nothing(source, said, tmp_path):
    verdict = grade(handed_in(tmp_path, OTHERS | {"read": source}), seconds=5)
    states = {task["task"]: task["state"] for task in verdict["tasks"]}
    assert states["read"] == "failed" and states["by_hand"] == "passed", verdict


@pytest.mark.parametrize("source", FREE.values(), ids=[name.replace(" ", "_") for name in FREE])
def test_it_is_odd_and_right(source, tmp_path):
    verdict = grade(handed_in(tmp_path, OTHERS | {"read": source}), seconds=10)
    assert verdict["points"] == TOTAL, verdict
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4711.25"]]


def test_an_answer_that_kills_the_judge_is_a_fault_that_names_it(tmp_path):
    source = "import os, psutil\npsutil.Process(os.getppid()).parent().kill()"
    with pytest.raises(GraderFault, match="ended from outside, while the cell of 'read' ran"):
        grade(handed_in(tmp_path, OTHERS | {"read": source}), seconds=5)


def test_all_answers_together_have_a_clock_and_what_was_earned_before_it_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "ALL_SECONDS", 25)
    loops = dict.fromkeys(TASKS, "import time\ntime.sleep(1e6)") | {"by_hand": None}
    verdict = grade(handed_in(tmp_path, loops), seconds=5)
    assert verdict["points"] == TASKS["by_hand"].points
    assert verdict["tasks"][-1]["feedback"] == grading.STOPPED["late"]


def test_six_megabytes_and_a_wrong_format_are_refused_while_the_rest_is_graded(tmp_path):
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    book = with_answers(NAME, dict.fromkeys(TASKS))
    (folder / "a right one.ipynb").write_text(json.dumps(book))
    (folder / "huge.ipynb").write_text(json.dumps(book | {"pad": "x" * 6_000_000}))
    (folder / "old.ipynb").write_text(json.dumps(book | {"nbformat": 3}))
    (folder / "nul.ipynb").write_text(json.dumps(book).replace("import torch", "import torch\\u0000"))
    (folder / "half a pair.ipynb").write_text(json.dumps(book).replace("import torch", "import torch \\ud800"))
    (folder / "twice.ipynb").write_text(json.dumps(book | {"cells": book["cells"] * 2}))
    (folder / "deep.ipynb").write_text("[" * 100_000)
    os.mkdir(folder / "folder.ipynb")
    loop = with_answers(NAME, OTHERS | {"read": "while True:\n    pass"})
    (folder / "<script>alert(1)</s> & 'x'.ipynb".replace("/", "∕")).write_text(json.dumps(loop))
    made = batch.grade_class(folder, out, chapter=NAME, jobs=2, trusted=True)
    states = {one["student"]: (one["state"], one["problem"]) for one in made["students"]}
    assert states.pop("a right one") == ("graded", "")
    assert states.pop("<script>alert(1)<∕s> & 'x'") == ("graded", "")
    for name, why in {
        "huge": "larger than 5 MB",
        "old": "not a notebook of format 4",
        "nul": "a cell that is not text",
        "half a pair": "a cell that is not text",
        "twice": "stands in 2 cells: delete all but one",
        "deep": "is damaged",
        "folder": "is not a notebook file",
    }.items():
        state, problem = states.pop(name)
        assert state == "refused" and why in problem, (name, problem)
    assert not states
    points = {one["student"][:3]: one["verdict"]["points"] for one in made["students"] if one["verdict"]}
    assert points == {"a r": TOTAL, "<sc": TOTAL - TASKS["read"].points}


def test_kill_minus_nine_of_the_real_command(tmp_path):
    """The command dies in the middle: nothing of it is left running, and the same command ends the work."""
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    for student in "abcd":
        (folder / f"{student}.ipynb").write_text(json.dumps(with_answers(NAME, dict.fromkeys(TASKS))))
    command = [sys.executable, "-m", "memlib.course.cli", "grade", str(folder), "--out", str(out)]
    command += ["--i-trust-these", "--jobs", "2"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, env=env)
    end = time.monotonic() + 60
    while not (below := psutil.Process(first.pid).children(recursive=True)) or len(below) < 4:
        assert time.monotonic() < end
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not alive
    assert subprocess.run(command, env=env).returncode == 0
    made = json.loads((out / "results.json").read_text())
    assert [one["verdict"]["points"] for one in made["students"]] == [TOTAL] * 4
