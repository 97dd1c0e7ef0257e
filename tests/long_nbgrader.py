"""The exercises as nbgrader assignments: `pytest tests/long_nbgrader.py`, a minute; needs the extra nbgrader."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_exercises import variants

from memlib.course.grade.grading import grade
from memlib.course.paths import ROOT
from memlib.course.source import solved, stub
from memlib.course.write import editions

NAME = "00_cache"
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


@pytest.mark.parametrize("seed", [0, 41])
def test_nbgrader_gives_the_same_totals(seed, tmp_path):
    """generate_assignment, autograde, generate_feedback on right, wrong and partial answers; an edition likewise."""
    editions.release(seed, tmp_path / "edition", [NAME])
    own = editions.load_edition(tmp_path / "edition")
    exercise = own.exercise(NAME)
    right = {task.name: solved(task.answer) for task in exercise.tasks.values()}
    wrong = {task: list(kinds["wrong"].values())[0] for task, kinds in variants(NAME).items()}
    some = {task: right[task] if i % 2 else stub(exercise.tasks[task].answer) for i, task in enumerate(right)}
    answers = {"right": right, "wrong": wrong, "partial": some | {"mem": wrong["mem"], "bug": wrong["bug"]}}
    source = tmp_path / "source" / "ps" / f"{NAME}.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes((tmp_path / "edition" / "exercises" / f"{NAME}.ipynb").read_bytes())
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    nbgrader(tmp_path, "generate_assignment", "ps", "--create")
    released = json.loads((tmp_path / "release" / "ps" / f"{NAME}.ipynb").read_text("utf-8"))
    ours = []
    for student, written in answers.items():
        path = tmp_path / "submitted" / student / "ps" / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(handed_in(released, written)))
        ours.append(grade(path, edition=own)["points"])
    nbgrader(tmp_path, "autograde", "ps", "--create")
    nbgrader(tmp_path, "generate_feedback", "ps")
    assert len(list((tmp_path / "feedback").glob(f"*/ps/{NAME}.html"))) == 3

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        theirs = [book.find_submission("ps", student).score for student in answers]
        most = {book.find_submission("ps", student).max_score for student in answers}
    assert theirs == ours and most == {13} and ours[:2] == [13, 0] and 0 < ours[2] < 13
