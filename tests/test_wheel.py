"""The wheel, as pip makes it, in an environment that holds the library's five packages and what these need, no more."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from memlib.course.paths import INSTALL, ROOT

pytestmark = pytest.mark.long

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "memlib")
LIBRARY = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
MEMORY = """
import torch
from memlib import KV, Window, outputs, recipe
k = torch.eye(6)
assert outputs(Window(2), k, KV(k, k)).shape == (6, 6)
assert recipe(Window(2), k)[-1].argmax(-1).tolist() == [4, 5]
"""
MODEL = """
from memlib import Window, tasks
print(tasks.one_fact(Window(4096), distance=20).right)
"""
EVERY = """
import importlib, pkgutil, memlib
for found in pkgutil.walk_packages(memlib.__path__, "memlib.", onerror=lambda name: None):
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        print(found.name, error.name)
"""


def needed(names: list[str]) -> set[str]:
    """The installed distributions that these requirements bring."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in names]
    while waiting:
        one = waiting.pop()
        if one.name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(one.name)
        waiting += map(Requirement, importlib.metadata.requires(one.name) or [])
    return found


def link(distribution: str, folder: Path) -> None:
    """Show an installed distribution to the environment of this folder, without a copy."""
    here = Path(sysconfig.get_path("purelib"))
    for file in importlib.metadata.files(distribution) or []:
        top = file.parts[0]
        if top not in ("..", "__pycache__") and not (folder / top).exists():
            (folder / top).symlink_to(here / top)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """The bin/ of an environment with the wheel and the library's packages."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip"]
    quiet = ["-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *quiet, "--no-build-isolation", "-w", place, source], check=True, cwd=place)
    home = place / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    packages = next(home.glob("lib/python*/site-packages"))
    for name in needed(LIBRARY):
        link(name, packages)
    wheel = next(place.glob("memlib-*.whl"))
    subprocess.run([*pip, "--python", home / "bin" / "python", "install", *quiet, wheel], check=True, cwd=place)
    return home / "bin"


def run(bare: Path, program: str, *words: str) -> subprocess.CompletedProcess:
    """A program of the environment, run far from the clone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MEMLIB_", "VIRTUAL"))}
    outside = bare.parent.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    env = {**kept, "PATH": f"{bare}:{kept['PATH']}", "HOME": str(outside)}
    return subprocess.run([bare / program, *words], cwd=outside, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("code, said", [(MEMORY, ""), (MODEL, "True\n")], ids=["a memory", "the model"])
def test_the_installed_library_runs(bare, code, said):
    done = run(bare, "python", "-c", code)
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_only_figures_and_workshop_need_more_than_the_library(bare):
    done = run(bare, "python", "-c", EVERY)
    assert done.returncode == 0, done.stderr
    without = dict(line.split() for line in done.stdout.splitlines())
    assert {name.split(".")[1] for name in without} <= {"draw", "picture", "widgets", "course"}, without
    assert set(without.values()) == {"plotly", "ipywidgets", "anywidget", "nbformat"}, without


def test_the_doctor_finds_the_library_well_outside_a_clone(bare):
    done = run(bare, "memlib", "doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "ok     5 packages of the library" in done.stdout and "WRONG" not in done.stdout
    assert f"psutil is missing; run: {INSTALL}" in done.stdout
    assert done.stdout.endswith("Everything the library needs is there.\n")


def test_the_builder_names_what_installs_the_course_in_one_sentence(bare):
    done = run(bare, "python", "-m", "memlib.course.write.build")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Writing notebooks needs nbformat, which comes with: {INSTALL}\n"


@pytest.mark.parametrize("words", ["start 01", "grade 01_window.ipynb", "progress", "tournament mine.py"])
def test_a_command_of_the_course_answers_in_one_sentence(bare, words):
    done = run(bare, "memlib", *words.split())
    said = (done.stdout + done.stderr).splitlines()
    assert len(said) == 1 and said[0].endswith((".", INSTALL)), said
    assert words == "progress" or done.returncode == 1
