"""An exercise carried out in this process, cell by cell: the reference of a seed, and the proof of the variants."""

from __future__ import annotations

import random

from memlib.course import variables
from memlib.course.grade.carry_out import Printed, asked, carry_out
from memlib.course.notebook.execution import execute
from memlib.course.notebook.parts import unread
from memlib.course.notebook.report_text import RoundingEdge, no_edges
from memlib.course.paths import CourseError
from memlib.course.source import Cell, Exercise, solved

TRIES = 200


def run_exercise(
    exercise: Exercise, answers: dict[str, str] | None = None, seed: int = 0, tasks=None
) -> dict[str, Printed]:
    """Run every code cell, with `answers` (task -> source) in the place of the solutions; one result a task.

    tasks: the names of the only tasks that are run; the set-up cells always are.
    """
    space: dict = {"__name__": "__main__"}
    results: dict[str, Printed] = {}
    with variables.holding(MEMLIB_SEED=str(seed)):
        for cell in exercise.cells:
            name = cell.options.get("check")
            if cell.kind != "code" or "look" in cell.options or "task" in cell.options:
                continue
            if name is None:
                _must(cell, execute(cell.source, space, f"<cell {cell.line}>"))
            elif tasks is None or name in tasks:
                task = exercise.tasks[name]
                answer = (answers or {}).get(name, solved(task.answer))
                results[name] = carry_out(asked(task, answer), space)
                if isinstance(results[name].error, RoundingEdge):
                    break  # another seed will be asked for
    return results


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
