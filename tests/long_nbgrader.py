"""The exercises as nbgrader assignments: `pytest tests/long_nbgrader.py`, a minute; needs the extra nbgrader."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_exercises import variants
from test_parts import half

from memlib.course.grade.grading import grade
from memlib.course.paths import ROOT
from memlib.course.source import solved, stub
from memlib.course.write import editions

CONFIG = "c = get_config()\nc.CourseDirectory.course_id = 'memory'\nc.ClearSolutions.enabled = False\n"


def nbgrader(folder: Path, *words: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(folder / "config"), "PATH": path}
    command = [sys.executable, "-m", "nbgrader", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]


def handed_in(book: dict, answers: dict[str, str]) -> dict:
    cells = [cell | {"source": answers.get(cell["id"], cell["source"])} for cell in book["cells"]]
    return book | {"cells": cells}


def test_the_teachers_page_has_this_configuration():
    assert all(line in (ROOT / "docs" / "teachers.md").read_text("utf-8") for line in CONFIG.splitlines())


@pytest.mark.parametrize("name, seed", [("00_cache", 0), ("01_window", 41)])
def test_nbgrader_gives_the_same_totals(name, seed, tmp_path):
    """generate_assignment, autograde, generate_feedback on right, wrong and partial answers; an edition likewise."""
    editions.release(seed, tmp_path / "edition", [name])
    own = editions.load_edition(tmp_path / "edition")
    exercise = own.exercise(name)
    right = {task.name: solved(task.answer) for task in exercise.tasks.values()}
    wrong = {task: list(kinds["wrong"].values())[0] for task, kinds in variants(name).items()}
    some = {task: right[task] if i % 2 else stub(exercise.tasks[task].answer) for i, task in enumerate(right)}
    halves = {task.name: half(task) for task in exercise.tasks.values()}
    answers = {"right": right, "wrong": wrong, "partial": some | {"bug": wrong["bug"]}, "halves": halves}
    source = tmp_path / "source" / "ps" / f"{name}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes((tmp_path / "edition" / "exercises" / f"{name}.ipynb").read_bytes())
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    nbgrader(tmp_path, "generate_assignment", "ps", "--create")
    released = json.loads((tmp_path / "release" / "ps" / f"{name}.ipynb").read_text("utf-8"))
    ours = []
    for student, written in answers.items():
        path = tmp_path / "submitted" / student / "ps" / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(handed_in(released, written)))
        ours.append(grade(path, edition=own)["points"])
    nbgrader(tmp_path, "autograde", "ps", "--create")
    nbgrader(tmp_path, "generate_feedback", "ps")
    assert len(list((tmp_path / "feedback").glob(f"*/ps/{name}.html"))) == 4

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        theirs = [book.find_submission("ps", student).score for student in answers]
        most = {book.find_submission("ps", student).max_score for student in answers}
    total = sum(task.points for task in exercise.tasks.values() if not task.bonus)
    assert theirs == pytest.approx(ours) and most == {total} and ours[0] == total
    assert ours[1] < ours[2] < total and 0 < ours[3] < total, "by part"
