"""Built files are fresh and follow the rules. Their cells run under nbval beside these tests."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memlib.course.paths import ROOT, chapters
from memlib.course.write import films
from memlib.course.write.build import build, stale

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))
EVERY = LESSONS + EXERCISES + SOLUTIONS


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if isinstance(path, Path) else str(path)


def read(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))


def code(path: Path) -> list[dict]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("chapter", chapters())
def test_built_files_are_what_their_sources_give(chapter):
    assert [name(path) for path in stale([chapter])] == [], "run: make notebooks"


def test_every_built_file_has_a_source():
    sources = {"notebooks": "lesson.py", "exercises": "exercise.py", "solutions": "exercise.py"}
    for path in EVERY:
        assert (ROOT / "chapters" / path.stem / sources[path.parent.name]).exists(), name(path)


def test_building_twice_gives_the_same_bytes():
    for chapter in chapters()[:2]:
        assert build(chapter) == build(chapter)


@pytest.mark.parametrize("path", EVERY, ids=name)
def test_a_notebook_keeps_no_widget_state_and_one_id_a_cell(path):
    book = read(path)
    assert set(book["metadata"]) == {"kernelspec", "language_info", "memlib"}
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]{1,64}", one) for one in ids)
    assert "widget-view" not in path.read_text("utf-8") and "widget-state" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_lesson_is_short_and_keeps_only_its_films(path):
    assert len(read(path)["cells"]) <= 90
    kept = 0
    for cell in code(path):
        film = "film" in cell["metadata"].get("tags", [])
        assert bool(cell["outputs"]) == film, f"{cell['id']}: a film has a picture, another cell none (FILMS=1)"
        for output in cell["outputs"]:
            assert set(output["data"]) == {films.PLOTLY, "text/html"}
        kept += len(json.dumps(cell["outputs"]))
    assert 0 < kept < films.MOST


@pytest.mark.parametrize("path", EXERCISES + SOLUTIONS, ids=name)
def test_an_exercise_keeps_the_outputs_of_its_checks_alone(path):
    for cell in code(path):
        check = "check" in cell["metadata"].get("memlib", {})
        assert bool(cell["outputs"]) == check and ("nbval-check-output" in cell["metadata"].get("tags", [])) == check
        assert (cell["execution_count"] is not None) == check, "nbval compares only cells that were run"
        assert all(output["name"] == "stdout" for output in cell["outputs"])


@pytest.mark.parametrize("path", EXERCISES + SOLUTIONS, ids=name)
def test_an_exercise_is_marked_for_nbgrader(path):
    marks = [cell["metadata"]["nbgrader"] for cell in code(path) if "nbgrader" in cell["metadata"]]
    answers, checks = ([mark for mark in marks if mark["grade"] is grade] for grade in (False, True))
    assert len({mark["grade_id"] for mark in marks}) == len(marks) > 0
    assert [f"{mark['grade_id']}-check" for mark in answers] == [mark["grade_id"] for mark in checks]
    for mark in marks:
        assert set(mark) == {"grade", "grade_id", "locked", "points", "schema_version", "solution", "task"}
        assert mark["schema_version"] == 3 and mark["task"] is False
        assert mark["locked"] is mark["grade"] is not mark["solution"]
        assert mark["points"] >= 0 if mark["grade"] else mark["points"] == 0


@pytest.mark.parametrize("path", EXERCISES, ids=name)
def test_an_exercise_has_core_and_stretch_tasks_to_choose_from(path):
    tasks = [cell["metadata"]["memlib"] for cell in code(path) if "task" in cell["metadata"].get("memlib", {})]
    assert len([task for task in tasks if not task.get("bonus")]) >= 5


@pytest.mark.parametrize("words", ["check -q", "format --check -q"])
def test_ruff_finds_nothing(words):
    done = subprocess.run([sys.executable, "-m", "ruff", *words.split(), "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
