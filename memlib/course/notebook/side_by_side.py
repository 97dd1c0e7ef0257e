"""`look`: what an answer gives, in words and as a picture beside the target, while the notebook runs."""

from __future__ import annotations

import io
import json
from pathlib import Path

from memlib.course.notebook import hide
from memlib.course.notebook.answers import last_alike, sources
from memlib.course.notebook.difference import first_difference, shown_matrices
from memlib.course.notebook.execution import execute
from memlib.course.notebook.report_text import read_report
from memlib.course.notebook.sentences import UNANSWERED, from_exception
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
    """Run the check of a task on what the notebook holds now, and show where it first differs from what was asked.

    mark: the class's own edition that the notebook is of.
    """
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    try:
        cell, expected = _stored(task, chapter, mark)
        answer = _answer(task, chapter, shell, mark)
    except CourseError as error:
        print(error)
        return
    if answer is None:
        print(f"{task}: {UNANSWERED}")
        return
    heard = io.StringIO()
    space = dict(shell.user_ns)
    hide.give_back(space)
    hide.begin(to=heard)
    try:
        error = execute("".join(cell["source"]), space, f"<check {task}>")
    finally:
        hide.end()
    if error is not None:
        said = from_exception(error, answer).sentence()
    else:
        said = first_difference(heard.getvalue(), expected)
    print(f"{task}: as asked for." if said is None else f"{task}: {said}")
    if said and said != UNANSWERED:
        print(f"Look next: {cell['metadata']['memlib']['next']}")
    figure = None if error else comparison(heard.getvalue(), expected)
    if figure is not None:
        display(figure)


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
