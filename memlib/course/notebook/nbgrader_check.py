"""Under nbgrader a check fails by raising, and earns a part of its points by a number that it shows.

nbgrader says by NBGRADER_EXECUTION that it runs the notebook, and puts its own copy of every check cell back before
that. What is wanted is found by the text of the check: in the public exercises, or in the line `# wanted: ... of
01_window by_hand` that an edition's checks end with. Where a task has parts, `report` compares and goes on, and the
points are shown when the cell has ended.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache

from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.parts import earned, name_of, tally_of
from memlib.course.notebook.report_text import digests, parts
from memlib.course.paths import ROOT
from memlib.course.source import Task, load_exercise


@dataclass
class Running:
    """The check that runs: what is wanted, report by report, and what came so far."""

    task: Task
    wanted: list[str]
    whole: str  # what is wanted as text; "" where only its digests are known
    came: list[tuple[str, bool]] = field(default_factory=list)


_text = ""  # of the check that runs
_running: Running | None = None


def check_begins(text: str) -> None:
    """A check of this text begins to run."""
    global _text, _running
    _text, _running = text.strip(), None


@cache
def stored_checks() -> dict[str, tuple[str, str, str]]:
    """The text below `%%check` of every public check -> chapter, task, and what it prints when all is right."""
    found = {}
    for path in sorted((ROOT / "exercises").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if name := cell["metadata"].get("memlib", {}).get("check"):
                found["".join(cell["source"]).partition("\n")[2].strip()] = (
                    path.stem,
                    name,
                    "".join(cell["outputs"][0]["text"]),
                )
    return found


def agree(text: str) -> None:
    """Raise where a report differs from what is wanted; where nothing is known of the check, that is said."""
    global _running
    _running = _running or _known(_text)
    place = len(_running.came)
    _running.came.append((name_of(text), _running.wanted[place : place + 1] == [digests(text)]))
    if _running.task.parts == "one" and not _running.came[-1][1]:
        raise AssertionError(_said(text, _running.whole, place))


def _known(source: str) -> Running:
    if found := re.search(r"^# wanted: (.+) of (\w+) (\w+)$", source.splitlines()[-1]):
        return Running(load_exercise(found[2]).tasks[found[3]], found[1].split(), "")
    if source not in stored_checks():
        raise LookupError("This check is not one of the course's: nothing is known of what it should print.")
    chapter, name, whole = stored_checks()[source]
    return Running(load_exercise(chapter).tasks[name], digests(whole).split(), whole)


def points() -> int | float | None:
    """What a check that has ended shows: the points of a task with parts that is not right in all of them."""
    return points_of(_running) if _running and _running.task.parts != "one" else None


def points_of(run: Running) -> int | float | None:
    """What the reports that came earn; None where all is right. The bonus is worth nothing under nbgrader."""
    right, of = tally_of(run.task, run.came) if len(run.came) == len(run.wanted) else (0, 1)
    if right == of:
        return None
    return 0 if run.task.bonus else earned(run.task, right, of)


def _said(text: str, whole: str, place: int) -> str:
    wanted = parts(whole)[place : place + 1]
    return (wanted and first_difference(text, wanted[0])) or "This differs from what was asked for."
