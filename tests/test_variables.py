"""The environment variables stand in one place, each named, with its default."""

import os
import re
import subprocess

import pytest

from memlib.course import variables
from memlib.course.paths import ROOT

ALONE = {"variables.py", "environment.py", "lab.py"}  # make runs the last two before memlib can be imported
OF_A_TEST = {"MEMLIB_TEST_LOG", "MEMLIB_TEST_SLEEP"}  # told to a stand-in grader by the test that writes it


@pytest.mark.parametrize("path", sorted((ROOT / "memlib").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_one_file_alone_reads_the_environment(path):
    reads = re.findall(r"\benviron\b|\bgetenv\b|\bputenv\b", path.read_text("utf-8"))
    assert not reads or (path.parent.name == "course" and path.name in ALONE)


def test_every_variable_of_ours_is_named_there():
    listed = subprocess.run(["git", "ls-files", "*.py", "*.md", ".ci/*", "Makefile"], cwd=ROOT, capture_output=True)
    files = [ROOT / name for name in listed.stdout.decode().split()]
    used = {
        name for path in files if path.exists() for name in re.findall(r"MEMLIB_[A-Z_]+\b", path.read_text("utf-8"))
    }
    assert "MEMLIB_BROWSER" in used
    ours = {name for name in variables.DEFAULTS if name.startswith("MEMLIB_")}
    assert used == ours | OF_A_TEST


def test_a_variable_is_read_with_its_default(monkeypatch):
    monkeypatch.delenv("MEMLIB_SEED", raising=False)
    assert variables.setting("MEMLIB_SEED") == "0"
    monkeypatch.setenv("MEMLIB_SEED", "7")
    assert variables.setting("MEMLIB_SEED") == "7"
    with pytest.raises(KeyError):
        variables.setting("SEED")


def test_what_is_held_is_put_back_also_after_an_error(monkeypatch):
    monkeypatch.setenv("MEMLIB_SEED", "7")
    monkeypatch.delenv("MEMLIB_GRADING", raising=False)
    with pytest.raises(ZeroDivisionError), variables.holding(MEMLIB_SEED="8", MEMLIB_GRADING="1"):
        assert (variables.setting("MEMLIB_SEED"), variables.setting("MEMLIB_GRADING")) == ("8", "1")
        assert 1 / 0
    assert (variables.setting("MEMLIB_SEED"), "MEMLIB_GRADING" in os.environ) == ("7", False)


def test_a_child_inherits_the_environment_with_changes(monkeypatch):
    monkeypatch.setenv("MEMLIB_SEED", "7")
    child = variables.inherited(MEMLIB_SEED=None, MEMLIB_GRADING="1")
    assert child == {k: v for k, v in os.environ.items() if k != "MEMLIB_SEED"} | {"MEMLIB_GRADING": "1"}
