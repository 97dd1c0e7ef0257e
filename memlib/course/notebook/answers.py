"""What a learner has answered so far: the cells as they were last run, and the exercise with answers filled in."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from memlib.course.paths import ROOT
from memlib.course.source import Exercise, load_exercise, solved, stub

_ran: dict[str, str] = {}  # cell id -> the source it was last run with
_ended: dict[str, BaseException] = {}  # cell id -> the error that its last run ended with
_watched: list = []


def watch(shell) -> None:
    """Keep the source of every cell by its id as it runs (front ends send the id along), and its error."""
    if shell is None or shell in _watched:
        return
    _watched.append(shell)

    def keep(info):
        cell_id = getattr(info, "cell_id", None)
        if cell_id and info.raw_cell is not None:
            _ran[cell_id] = info.raw_cell
            _ended.pop(cell_id, None)

    def ended(result):
        cell_id, error = getattr(result.info, "cell_id", None), result.error_before_exec or result.error_in_exec
        if cell_id and error is not None:
            _ended[cell_id] = error

    shell.events.register("pre_run_cell", keep)
    shell.events.register("post_run_cell", ended)


def as_run(name: str) -> str | None:
    """What the cell `name` was last run with."""
    return _ran.get(name)


def ended_with(name: str) -> BaseException | None:
    """The error that the last run of the cell `name` ended with."""
    return _ended.get(name)


def sources(exercise: Exercise, shell) -> dict[str, str]:
    """Task -> the source its answer was last run with, by cell id; else the newest cell defining the same names."""
    blanks = {name: stub(task.answer) for name, task in exercise.tasks.items()}
    found = {
        name: last_alike(name, text if defined(text) else solved(exercise.tasks[name].answer), shell)
        for name, text in blanks.items()
    }
    return {name: source for name, source in found.items() if source is not None}


def last_alike(name: str, blank: str, shell) -> str | None:
    """What the cell `name` was last run with; else the newest cell that defines what `blank` defines."""
    wanted = defined(blank)
    history = [text for text in shell.user_ns.get("In", []) if text.strip()]
    found = [text for text in history if wanted and wanted <= defined(text)]
    return _ran.get(name) or (found[-1] if found else None)


def defined(source: str) -> set[str]:
    """The names a cell defines at its top level."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    names = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign) and node.value]
    parts = [part for target in targets for part in ast.walk(target)]  # also of a, (b, *c) = ...
    return names | {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def untouched_file(chapter: str) -> Path:
    """Where the course keeps an exercise as it is handed out."""
    return ROOT / "exercises" / f"{chapter}.ipynb"


def with_answers(chapter: str, answers: dict[str, str | None]) -> dict:
    """The exercise's notebook with some answers filled in (None: the solution's)."""
    exercise, book = load_exercise(chapter), json.loads(untouched_file(chapter).read_text("utf-8"))
    for cell in book["cells"]:
        if cell["id"] in answers:
            source = answers[cell["id"]]
            cell["source"] = solved(exercise.tasks[cell["id"]].answer) if source is None else source
    return book
