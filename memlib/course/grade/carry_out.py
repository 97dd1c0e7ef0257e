"""One task carried out: the answer, then its check, each in names of its own.

Both begin from the notebook's set-up. Of the answer the check sees the names that the task asks for and nothing else,
so that a scratch name, a setting or a deleted name costs nothing; what is hidden is away from both.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import torch

from memlib.course.notebook import hide
from memlib.course.notebook.answers import defined
from memlib.course.notebook.execution import execute
from memlib.course.source import Task, solved, stub


@dataclass
class Printed:
    """What a task's check printed, or the error that came before it."""

    text: str
    error: BaseException | None = None


@dataclass(frozen=True)
class Asked:
    """A task with an answer, as plain data."""

    task: str
    answer: str
    check: str
    hides: tuple[str, ...]
    names: tuple[str, ...]  # what the check takes from the answer


def asked(task: Task, answer: str) -> Asked:
    """What is needed to carry out a task."""
    names = defined(stub(task.answer)) | defined(solved(task.answer))
    return Asked(task.name, answer, task.check.source, tuple(task.hides), tuple(sorted(names)))


def carry_out(one: Asked, space: dict, transform: Callable[[str], str] = str, entered=lambda space: None) -> Printed:
    """Run answer and check on the names that the set-up left in `space`, which stays as it is.

    transform: of the answer's source, before it is compiled. entered: is told the names that the answer runs in.
    """
    heard = io.StringIO()
    settle()
    hide.begin(*one.hides, space=space, to=heard)
    try:
        prepared = dict(space)
        mine = dict(prepared)
        entered(mine)
        error = execute(transform(one.answer), mine, f"<answer {one.task}>")
        if error is None:
            settle()
            for name in prepared.keys() - mine.keys():
                mine[name] = prepared[name]
            theirs = prepared | {name: mine[name] for name in one.names if name in mine}
            error = execute(one.check, theirs, f"<check {one.task}>")
        return Printed(heard.getvalue(), error)
    finally:
        hide.end()
        settle()


def settle() -> None:
    """Torch's settings as they are when it has just been imported."""
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
