"""`look`: how far an answer is, in words and as a picture beside the target, while the notebook runs."""

from __future__ import annotations

import io
import json
from pathlib import Path

from memlib.course.notebook import hide, so_far
from memlib.course.notebook.answers import ended_with, last_alike, sources
from memlib.course.notebook.difference import shown_matrices
from memlib.course.notebook.execution import execute
from memlib.course.notebook.look_page import Page
from memlib.course.notebook.report_text import read_report
from memlib.course.notebook.reporting import Heard, listening
from memlib.course.notebook.sentences import UNANSWERED
from memlib.course.paths import ROOT, CourseError, shown
from memlib.course.source import BLANK, load_exercise


def _stored(task: str, chapter: str, mark: str | None) -> tuple[dict, str]:
    """The check cell of a task, and what it should print, as the exercise's file keeps them."""
    for cell in _book(chapter, mark)["cells"]:
        about = cell["metadata"].get("memlib", {})
        if about.get("check") == task:
            return cell, about.get("wanted") or "".join(cell["outputs"][0]["text"])
    raise CourseError(f"Exercise {chapter} has no task {task!r}.")


def _book(chapter: str, mark: str | None) -> dict:
    """The course's exercise; of a class's own edition the learner's file, which lies where the kernel runs."""
    paths = sorted(Path.cwd().glob("*.ipynb")) if mark else [ROOT / "exercises" / f"{chapter}.ipynb"]
    for path in paths:
        try:
            book = json.loads(path.read_text("utf-8"))
            about = book["metadata"]["memlib"]
            if not mark or (about["edition"], about["chapter"]) == (mark, chapter):
                return book
        except (OSError, ValueError, KeyError, TypeError):
            if not mark:
                raise CourseError(f"{shown(path)} is missing or damaged: take the whole project.") from None
    raise CourseError(
        f"No notebook {chapter} of edition {mark} lies in {Path.cwd()}: open it from there and run again."
    )


def look(task: str, chapter: str, mark: str | None = None) -> None:
    """Run the check of a task on what the notebook holds now, and show how far the answer is.

    mark: the class's own edition that the notebook is of.
    """
    from IPython import get_ipython
    from IPython.display import display

    display(looked(task, chapter, get_ipython(), mark))


def looked(name: str, chapter: str, shell, mark: str | None = None) -> Page:
    """What `look` shows."""
    try:
        cell, wanted = _stored(name, chapter, mark)
        task = load_exercise(chapter).tasks[name]
        answer = _answer(name, chapter, shell, mark)
    except CourseError as error:
        return Page(str(error))
    if answer is None:
        return Page(f"– {UNANSWERED}")
    if ended_with(name) is not None:
        return so_far.broken(task, ended_with(name), answer)
    check = "".join(cell["source"]).partition("\n")[2]
    heard, error = _heard(check, shell, name)
    return so_far.page(task, heard, wanted, error, answer, shell.user_ns, own_edition=bool(mark))


def _heard(check: str, shell, name: str) -> tuple[list[Heard], BaseException | None]:
    """What a check reports in a copy of the notebook's names, and the error it ends with."""
    space = dict(shell.user_ns)
    hide.give_back(space)
    hide.begin(to=io.StringIO(), space=space)
    try:
        with listening() as heard:
            error = execute(check, space, f"<check {name}>")
    finally:
        hide.end()
    return heard, error


def _answer(task: str, chapter: str, shell, mark: str | None) -> str | None:
    """The answer as it was last run; None where it was not, or is still the exercise's blank."""
    exercise = load_exercise(chapter)
    if mark:
        saved = next((c for c in _book(chapter, mark)["cells"] if c.get("id") == task), {"source": ""})
        source = last_alike(task, "".join(saved["source"]), shell)
        return None if source and BLANK in source else source
    source = sources(exercise, shell).get(task)
    blank = exercise.tasks[task].kind != "bug" and source and exercise.untouched(task, source)
    return None if blank else source


def comparison(printed: str, expected: str):
    """Yours and the target side by side, at the first step that differs; None where there is no table of tokens."""
    yours, target = shown_matrices(read_report(printed)), shown_matrices(read_report(expected))
    if not yours or not target or yours[0] != target[0]:
        return None
    from memlib.draw import compare

    pairs = list(zip(yours[1], target[1], strict=False))
    step = next((t for t, (a, b) in enumerate(pairs) if a != b), len(pairs) - 1)
    mine, theirs = pairs[step]
    named = list(dict.fromkeys(key.rpartition(", ")[0] for key in read_report(expected)[target[0]]))[step]
    if {len(row) for row in mine} != {len(row) for row in theirs}:
        return None
    title = f"{yours[0]}: yours and the target" if len(pairs) == 1 else f"{yours[0]}, {named}: yours and the target"
    return compare(mine, theirs, [str(i) for i in range(len(theirs[0]))], title)
