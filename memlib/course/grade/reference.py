"""An exercise carried out in this process, cell by cell: the reference of a seed, and the proof of the variants."""

from __future__ import annotations

import contextlib
import io
import random
from dataclasses import dataclass

from memlib.course import variables
from memlib.course.notebook import hide
from memlib.course.notebook.execution import execute
from memlib.course.notebook.parts import unread
from memlib.course.notebook.report_text import RoundingEdge, no_edges
from memlib.course.paths import CourseError
from memlib.course.source import Cell, Exercise, solved

TRIES = 200


@dataclass
class Printed:
    """What a task's check printed, or the error that came before it."""

    text: str
    error: BaseException | None = None


def run_exercise(
    exercise: Exercise, answers: dict[str, str] | None = None, seed: int = 0, tasks=None
) -> dict[str, Printed]:
    """Run every code cell, with `answers` (task -> source) in the place of the solutions; one result a task.

    tasks: the names of the only tasks that are run; the set-up cells always are.
    """
    space: dict = {"__name__": "__main__"}
    failed: dict[str, BaseException | None] = {}
    results: dict[str, Printed] = {}
    with _seeded(seed):
        for cell in exercise.cells:
            name = cell.options.get("task") or cell.options.get("check")
            left_out = tasks is not None and name is not None and name not in tasks
            if cell.kind != "code" or "look" in cell.options or left_out:
                continue
            if "task" in cell.options:
                heard = io.StringIO()
                hide.begin(*exercise.tasks[name].hides, space=space, to=heard)
                source = (answers or {}).get(name, solved(cell))
                failed[name] = execute(source, space, f"<answer {name}>")
                hide.give_back(space)
            elif "check" in cell.options:
                error = execute(cell.source, space, f"<check {name}>")
                results[name] = Printed(heard.getvalue(), failed[name] or error)
                hide.end()
                if isinstance(error, RoundingEdge):
                    break  # another seed will be asked for
            else:
                _must(cell, execute(cell.source, space, f"<cell {cell.line}>"))
    return results


@contextlib.contextmanager
def _seeded(seed: int):
    with variables.holding(MEMLIB_SEED=str(seed)):
        try:
            yield
        finally:
            hide.end()


def _must(cell: Cell, error: BaseException | None) -> None:
    if error is not None:
        raise cell.wrong(f"this cell fails: {type(error).__name__}: {error}") from error


def expected(exercise: Exercise, seed: int = 0) -> dict[str, str]:
    """What each check prints for the course's own solutions; RoundingEdge where a number would round either way."""
    with no_edges():
        results = run_exercise(exercise, seed=seed)
    for name, printed in results.items():
        check = exercise.tasks[name].check
        if isinstance(printed.error, RoundingEdge):
            raise printed.error
        if printed.error is not None:
            error = f"{type(printed.error).__name__}: {printed.error}"
            raise check.wrong(f"the solution of task {name!r} fails: {error}") from printed.error
        if said := unread(printed.text):
            raise check.wrong(f"the solution of task {name!r} fails: {said}")
        if not printed.text.strip():
            raise check.wrong(f"the check of task {name!r} prints nothing")
    return {name: printed.text for name, printed in results.items()}


def fresh_reference(exercise: Exercise, seed: int | None = None) -> tuple[int, dict[str, str]]:
    """A seed (a fresh one unless given) whose reference lies away from rounding edges, and what it prints."""
    for attempt in range(TRIES):
        drawn = random.SystemRandom().randrange(1, 2**31) if seed is None else seed + attempt
        try:
            return drawn, expected(exercise, drawn)
        except RoundingEdge as error:
            last = error
    raise CourseError(f"{exercise.chapter}: no seed leads away from a rounding edge; report with digits=3. {last}")
