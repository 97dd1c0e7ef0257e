"""What went wrong, in the learner's words: for the grader, and for `look` in the notebook."""

from __future__ import annotations

import io
import json
import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from memlib.course import stage
from memlib.course.compare import first_difference, matrices
from memlib.course.places import ROOT, CourseError, shown
from memlib.course.run import execute
from memlib.course.source import BLANK, load_exercise
from memlib.course.submission import untouched
from memlib.course.table import read

UNANSWERED = "Not answered yet."
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Failure:
    """An error in a cell: its type and text, and the line of the answer that it came from."""

    kind: str
    text: str
    line: int | None = None

    def sentence(self, hidden: list[str] = (), extra: str = "") -> str:
        """One sentence for the learner; `extra` is the code outside of the answer cells."""
        if self.kind == "NotImplementedError":
            return UNANSWERED
        last = re.sub(r" \((?:\d+\.py|<[^>]*>), line \d+\)$", "", (self.text.strip().splitlines() or [""])[-1][:300])
        said = f"{self.kind}: {last}" if self.line or self.kind not in ("ValueError", "TypeError") else last
        said = f"Line {self.line} of the answer: {said}" if self.line else said
        said = said if said.endswith((".", "!", "?")) else said + "."
        name = re.search(r"name '(\w+)'", last)
        if self.kind in ("NameError", "ImportError", "AttributeError") and name:
            if name[1] in hidden:
                said += f" {name[1]} is away while this answer is graded: write it yourself."
            elif re.search(rf"^(?:def|class|import|from .* import)\s+{name[1]}\b|^{name[1]}\s*=", extra, re.M):
                said += f" Only the answer cell is graded: move {name[1]} into it."
        return said


def from_kernel(error: dict, answer: str) -> Failure:
    """A failure from the traceback that a kernel sent."""
    text = ANSI.sub("", "\n".join(map(str, error["traceback"])))
    lines = answer.splitlines()
    found = [int(n) for n, code in re.findall(r"^-*> ?(\d+) (.*)$", text, re.M) if _is_line(lines, int(n), code)]
    if not found and error["ename"] in ("SyntaxError", "IndentationError", "TabError"):
        found = [int(n) for n in re.findall(r"line (\d+)", text)][-1:]
    return Failure(str(error["ename"]), str(error["evalue"]), found[-1] if found else None)


def _is_line(lines: list[str], number: int, code: str) -> bool:
    return 1 <= number <= len(lines) and lines[number - 1].strip() == code.strip() != ""


def from_exception(error: BaseException, answer: str) -> Failure:
    """A failure from an exception of this process."""
    lines = answer.splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame.lineno for frame in frames if _is_line(lines, frame.lineno or 0, frame.line or "")]
    if not found and isinstance(error, SyntaxError):
        found = [error.lineno]
    return Failure(type(error).__name__, str(error), found[-1] if found else None)


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
    stage.names(space)
    stage.begin(to=heard)
    try:
        error = execute("".join(cell["source"]), space, f"<check {task}>")
    finally:
        stage.end()
    if error is not None:
        said = from_exception(error, answer).sentence()
    else:
        said = first_difference(heard.getvalue(), expected)
    print(f"{task}: as asked for." if said is None else f"{task}: {said}")
    if said and said != UNANSWERED:
        print(f"Look next: {cell['metadata']['memlib']['next']}")
    figure = None if error else picture(heard.getvalue(), expected)
    if figure is not None:
        display(figure)


def _answer(task: str, chapter: str, shell, mark: str | None) -> str | None:
    """The answer as it was last run; None where it was not, or is still the exercise's blank."""
    from memlib.course.button import alike, sources

    exercise = load_exercise(chapter)
    if mark:
        saved = next((c for c in _book(chapter, mark)["cells"] if c.get("id") == task), {"source": ""})
        source = alike(task, "".join(saved["source"]), shell)
        return None if source and BLANK in source else source
    source = sources(exercise, shell).get(task)
    blank = exercise.tasks[task].kind != "bug" and source and untouched(exercise, task, source)
    return None if blank else source


def picture(printed: str, expected: str):
    """Yours and the target side by side, at the first step that differs; None where there is no table of tokens."""
    yours, target = matrices(read(printed)), matrices(read(expected))
    if not yours or not target or yours[0] != target[0]:
        return None
    from memlib.draw import compare

    pairs = list(zip(yours[1], target[1], strict=False))
    step = next((t for t, (a, b) in enumerate(pairs) if a != b), len(pairs) - 1)
    mine, theirs = pairs[step]
    named = list(dict.fromkeys(key.rpartition(", ")[0] for key in read(expected)[target[0]]))[step]
    if {len(row) for row in mine} != {len(row) for row in theirs}:
        return None
    title = f"{yours[0]}: yours and the target" if len(pairs) == 1 else f"{yours[0]}, {named}: yours and the target"
    return compare(mine, theirs, [str(i) for i in range(len(theirs[0]))], title)
