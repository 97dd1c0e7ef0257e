"""What a project keeps beside its code: the citation, the changes, the workflows, the hooks, and types."""

import datetime
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from memlib.course.paths import ROOT

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
RELEASE = re.compile(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", re.M)
RELEASES = RELEASE.findall((ROOT / "CHANGELOG.md").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]


def tool(name: str, *words: str | Path) -> subprocess.CompletedProcess:
    """A program of this environment, run in the project's folder."""
    command = [Path(sys.executable).parent / name, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_newest_changes_are_those_of_this_version():
    assert RELEASES[0][0] == VERSION
    dates = [datetime.date.fromisoformat(date) for _, date in RELEASES]
    assert dates == sorted(dates, reverse=True)


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["cff-version"] == "1.2.0" and cited["message"] and cited["title"]
    assert cited["authors"] == [{"name": "The memlib developers"}]
    assert (cited["version"], str(cited["date-released"])) == RELEASES[0]


def test_actionlint_finds_nothing_in_the_workflows():
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "newest.yml"}
    done = tool("actionlint", "-no-color", "-shellcheck=", "-pyflakes=", *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_workflows_name_is_there():
    text = "\n".join(path.read_text("utf-8") for path in WORKFLOWS)
    paths = re.findall(r"tests/\w+\.py|\.ci/\w+|solutions/\w+\.ipynb", text)
    assert len(paths) > 5
    for path in paths:
        assert (ROOT / path).exists(), path
    file, test = re.search(r"--deselect (\S+)::(\w+)", text).groups()
    assert f"def {test}(" in (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_every_hook_calls_a_program_that_knows_its_words(hook):
    python, *words = shlex.split(hook["entry"])
    assert python == ".venv/bin/python"
    done = subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and words[-1] in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_pyright_finds_nothing_in_the_library():
    done = tool("pyright", "--pythonpath", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr
