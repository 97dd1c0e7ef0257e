"""A new memory is one file and two lines: `make new NAME=ladder`, in a copy of the tree."""

import re
import shutil
import subprocess
import sys

import pytest

from memlib import Memory, Window
from memlib.course.paths import ROOT, CourseError
from memlib.course.variables import inherited
from memlib.course.write.new_memory import new_memory
from memlib.tasks import detective, leaderboard, offered


@pytest.fixture
def tree(tmp_path):
    """A copy of what a new memory touches and of what runs on it."""
    leave = shutil.ignore_patterns("__pycache__", "*.safetensors")
    shutil.copytree(ROOT / "memlib", tmp_path / "memlib", ignore=leave)
    for name in ("tests/examples.py", "tests/test_laws.py", "tests/test_memory_files.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(tree, *words):
    here = inherited(PYTHONPATH=str(tree))
    done = subprocess.run([sys.executable, "-P", *words], cwd=tree, capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_the_stubs_work_pass_the_laws_and_stand_on_the_board(tree):
    before = {path: path.read_text() for path in tree.rglob("*.py")}
    touched = new_memory("two_rungs", tree)
    after = {path: path.read_text() for path in tree.rglob("*.py")}
    assert set(touched) == {path for path in after if before.get(path) != after[path]} and len(touched) == 4
    for path in set(touched) & set(before):  # nothing but lines that were added
        kept = [line for line in after[path].split("\n") if not re.search("two.?rungs", line, re.IGNORECASE)]
        assert kept == before[path].split("\n")
    run(tree, "-m", "ruff", "check", "-q", ".")
    run(tree, "-m", "ruff", "format", "--check", "-q", ".")
    tests = ["tests/test_two_rungs.py", "tests/test_laws.py", "tests/test_memory_files.py", "-k", "two"]
    assert " passed" in run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    board = "from memlib.tasks import experiments; print(experiments.unmeasured('leaderboard'))"
    assert "'two rungs'" in run(tree, "-c", board)


@pytest.mark.parametrize(
    "name", ["", "Ladder", "two rungs", "2rungs", "lambda", "_x", "a__b", "../x", "window", "kv", "mean_pool", "laws"]
)
def test_a_name_that_cannot_be_or_is_taken_is_refused(name, tree):
    before = {path: path.read_text() for path in tree.rglob("*.py")}
    with pytest.raises(CourseError, match="NAME"):
        new_memory(name, tree)
    assert before == {path: path.read_text() for path in tree.rglob("*.py")}


def test_what_a_class_says_of_itself_is_taken_from_the_list(monkeypatch):
    named = offered.listed()
    assert named["moving average"].__name__ == "MovingAverage" and Memory not in named.values()
    assert all(kind.at_bytes(5461) is None or name in leaderboard.MEMORIES for name, kind in named.items())
    monkeypatch.setattr(Window, "at_bytes", classmethod(lambda cls, size: cls(size // 256)))
    assert offered.sized(5461)["window"]().size == 21


def test_suspects_of_the_library_are_numbered_behind_the_first_ten():
    numbers = {kind.suspect: name for name, kind in offered.listed().items() if kind.suspect is not None}
    assert sorted(numbers) == list(range(detective.TEN, detective.TEN + len(numbers)))
    assert list(detective.SUSPECTS)[detective.TEN :] == [numbers[number] for number in sorted(numbers)]
