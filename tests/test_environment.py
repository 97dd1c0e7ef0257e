"""The lists of packages hold together, and make says in a sentence what is wrong."""

import importlib.metadata
import json
import re
import socket
import subprocess
import sys
import time
import tomllib

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from memlib.course import environment, lab
from memlib.course.paths import ROOT, chapters
from memlib.course.source import load_lesson
from memlib.course.write.measures import measured

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(text) for text in PROJECT["dependencies"] + EXTRAS["course"]]
EXTRA = [Requirement(text) for name in EXTRAS if name != "course" for text in EXTRAS[name]]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
LIGHT = {"jaxtyping", "safetensors", "tqdm"}
ON_CONDA = {"torch": "pytorch"}


def test_the_library_alone_is_light():
    assert {Requirement(text).name for text in PROJECT["dependencies"]} == {"torch", "numpy", *LIGHT}
    assert environment.EXTRAS == {"course": "[course]", "test": "[test]"}
    assert any(one.name == "memlib" and "course" in one.extras for one in map(Requirement, EXTRAS["test"]))


def test_the_conda_list_has_the_names_and_ranges_of_pyproject():
    ours = {f"python{PROJECT['requires-python']}", "pip"}
    ours |= {f"{ON_CONDA.get(one.name, one.name)}{one.specifier}" for one in DIRECT}
    theirs = [line for line in CONDA["dependencies"] if isinstance(line, str)]
    assert set(theirs) == ours and len(theirs) == len(ours)
    assert CONDA["channels"] == ["conda-forge"]
    assert [line for line in CONDA["dependencies"] if isinstance(line, dict)] == [{"pip": ["-e .[course]"]}]


@pytest.mark.parametrize("line", [line for line in CONDA["dependencies"] if isinstance(line, str)])
def test_conda_understands_every_line(line):
    spec = rattler.MatchSpec(line)
    assert spec.name.normalized == re.match(r"[\w-]+", line)[0]


@pytest.mark.parametrize("one", DIRECT + EXTRA, ids=str)
def test_what_is_installed_satisfies_every_range_and_has_a_pin(one):
    if canonicalize_name(one.name) == "memlib":
        return
    assert importlib.metadata.version(one.name) in one.specifier
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(one.name)]
    assert len(pins) == 1, f"{one.name} is not pinned in constraints.txt"


@pytest.mark.parametrize("pin", PINS, ids=str)
def test_what_is_pinned_is_installed_so(pin):
    assert importlib.metadata.version(pin.name) in pin.specifier


def test_versions_are_pinned_in_one_place_only():
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in PINS)
    assert not any("==" in str(one.specifier) for one in DIRECT + EXTRA)
    for name in ("README.md", "Makefile", "environment.yml", ".ci/run"):
        assert not re.search(r"\w==\d", (ROOT / name).read_text("utf-8")), name


def test_the_readme_has_both_commands_and_says_how_to_do_without_cuda():
    text = (ROOT / "README.md").read_text("utf-8")
    commands = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]
    assert {"make course", "make test"} <= set(commands)
    assert "TORCH_INDEX=https://download.pytorch.org/whl/cpu" in text and "conda env create -f environment.yml" in text
    for path in re.findall(r"notebooks[/\\]\w+\.ipynb", text):
        assert (ROOT / path.replace("\\", "/")).exists(), path


def test_the_readme_says_how_long_each_lesson_takes():
    text = (ROOT / "README.md").read_text("utf-8")
    told = re.findall(r"^\| .*\(notebooks/(\w+)\.ipynb\).* (\d+) min \|$", text, re.M)
    assert [(name, int(minutes)) for name, minutes in told] == [
        (n, measured(load_lesson(n)).minutes) for n in chapters()
    ]


def test_the_readmes_code_runs_and_draws_a_film():
    names = {}
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S):
        exec(block, names)
        *_, last = block.strip().splitlines()
        if last.startswith("draw."):
            names["film"] = eval(last, names)
    assert len(names["film"].frames) == len(names["text"]) and names["film"].data


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/teachers.md"])
def test_what_the_pages_link_to_is_there(name):
    text = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)\)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    for folder in re.findall(r"`(\w+/)`", text):
        assert folder == "my/" or (ROOT / folder).is_dir(), folder


def test_memlib_answers_in_a_terminal_of_the_courses_jupyterlab():
    assert f"shell_command': ['{lab.SHELL}']" in " ".join(lab.command(8888))  # no login shell, which sets its own PATH
    done = subprocess.run([lab.SHELL, "-c", "memlib --help"], env=lab.surroundings("a"), capture_output=True, text=True)
    assert done.returncode == 0 and "start" in done.stdout


def made(*words: str, **env: str) -> subprocess.CompletedProcess:
    names = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(["make", "-C", str(ROOT), *words], capture_output=True, text=True, env=names)


def test_an_old_python_is_refused_in_one_sentence(tmp_path):
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    old.chmod(0o755)
    for goal in ("course", "test"):
        done = made(goal, f"PYTHON={old}")
        said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        assert done.returncode and len(said) == 1
        assert said[0].startswith("Python 3.11 or newer is needed") and "Python 3.9.2" in said[0]


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_is_refused_in_one_sentence(monkeypatch, missing):
    monkeypatch.setattr(environment, "fresh", lambda goal: False)
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(SystemExit, match=r"comes without venv: on Debian and Ubuntu, sudo apt install python3\.\d+"):
        environment.main("course")


def test_a_taken_port_is_named_in_one_sentence(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        monkeypatch.setenv("PORT", str(taken))
        with pytest.raises(SystemExit, match=f"Port {taken} is taken: make course PORT={taken + 1}"):
            lab.port()
    monkeypatch.setenv("PORT", "80a")
    with pytest.raises(SystemExit, match="PORT=80a is no port"):
        lab.port()


@pytest.fixture
def sandbox(monkeypatch, tmp_path):
    """An environment to be made in a folder of its own, with pip's calls only written down."""
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    calls = []
    monkeypatch.setattr(environment, "pip", lambda *words: calls.append(words))

    def call(command, **_):
        environment.PYTHON.parent.mkdir(parents=True)
        environment.PYTHON.touch()

    monkeypatch.setattr(environment.subprocess, "call", call)
    return calls


def test_the_environment_is_made_once_with_torch_first(sandbox, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/cpu")
    environment.main("test")
    assert sandbox == [("torch", "--index-url", "https://example.org/cpu", "--no-deps"), ("-e", ".[test]")]
    news = environment.VENV / "share/jupyter/lab/settings/overrides.json"
    assert json.loads(news.read_text())["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    environment.main("test")
    environment.main("course")  # what the tests need holds what the course needs
    assert len(sandbox) == 2 and "as it should be" in capsys.readouterr().out


def test_a_changed_pin_makes_the_environment_anew(sandbox, monkeypatch, tmp_path):
    environment.main("course")
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("other")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    environment.main("course")
    assert len(sandbox) == 4


def test_make_costs_little_the_second_time(monkeypatch):
    """What stands before the tests and the lab: finding Python, and the stamp."""
    started = time.perf_counter()
    code = "import sys; sys.path.insert(0, 'memlib/course'); import environment; environment.fresh('test')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert made("help").returncode == 0
    assert time.perf_counter() - started < 3
