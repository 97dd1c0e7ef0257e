"""The parts of a task: which entries are right, and what some right parts earn.

By the option `parts` of the task's cell a part is a report ("reports": how `hand` and `order` are meant), or all
reports whose names begin alike (`parts=["chat", "form"]`); else ("one") the task is right or not. A part earns only
when all of it is right, a list only as a whole, and nothing does where a report is missing or one too many. Where
little is to choose from (`order`, `choose`, `explain`) half of the parts come by luck: only those beyond it earn.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from memlib.course.notebook.report_text import parts as blocks
from memlib.course.notebook.report_text import read_report
from memlib.course.source import Task

LUCK = ("order", "choose", "explain")
OPEN = "(not answered)"  # what a report prints for `...`


@dataclass(frozen=True)
class Part:
    """One entry of a report: as the learner has it (None: nothing was printed), and whether it is right."""

    report: str
    entry: str
    mine: str | None
    right: bool

    answered = property(lambda self: self.mine not in (None, OPEN))


def entries(printed: str, wanted: str, plain: str | None = None) -> list[Part]:
    """Every entry in the order of what is wanted; plain: what the same reports print unsealed, for `mine`."""
    mine, shown, found = read_report(printed), read_report(plain or printed), []
    for name, rows in read_report(wanted).items():
        same = _labels(mine.get(name, {})) == _labels(rows)
        for line, label in _labels(shown.get(name, rows)):
            text = shown.get(name, {}).get(line, {}).get(label)
            right = same and mine[name][line][label] == rows[line][label]
            found.append(Part(name, ", ".join(filter(None, (line, label))), text, right))
    return found


def _labels(rows: dict) -> list[tuple[str, str]]:
    return [(line, label) for line, entries in rows.items() for label in entries]


def unread(printed: str) -> str | None:
    """Why the first report that shows no value shows none: "after token 9: not answered"."""
    found = re.search(r"^(\S[^:\n]*): \((.+)\)$", printed, re.M)
    return found and f"{found[1]}: {found[2]}"


def as_far(wanted: str, printed: str) -> str:
    """What is wanted, as far as it was reported before an error."""
    return "\n".join(blocks(wanted)[: len(blocks(printed))])


def open_all(printed: str) -> bool:
    """Whether nothing at all is answered."""
    return bool(printed.strip()) and all(block.split("\n")[0].endswith(f": {OPEN}") for block in blocks(printed))


def tally(task: Task, printed: str, wanted: str) -> tuple[int, int]:
    """How many parts are right, of how many; (0, 1) where a report is missing or one too many."""
    mine, theirs = blocks(printed), blocks(wanted)
    if list(map(name_of, mine)) != list(map(name_of, theirs)):
        return 0, 1
    return tally_of(task, [(name_of(a), a == b) for a, b in zip(mine, theirs, strict=True)])


def tally_of(task: Task, reports: list[tuple[str, bool]]) -> tuple[int, int]:
    """The same of reports that are given as their name and whether they are right."""
    groups = grouped(task, [name for name, _ in reports])
    right = {name for name, good in reports if good}
    if not groups or {name for name, _ in reports} - set().union(*groups) - right:
        return int(len(right) == len(reports) > 0), 1
    return sum(group <= right for group in groups), len(groups)


def earned(task: Task, right: int, of: int) -> int | float:
    """The points for so many right parts: two decimals, rounded down."""
    share = Fraction(right, of)
    share = max(Fraction(0), 2 * share - 1) if task.kind in LUCK else share
    return plain_number(math.floor(task.points * share * 100) / 100)


def grouped(task: Task, names: list[str]) -> list[set[str]]:
    """The reports of each part; nothing where the task is one."""
    if task.parts == "one":
        return []
    if task.parts == "reports":
        return [{name} for name in dict.fromkeys(names)]
    return [{name for name in names if re.match(rf"{re.escape(prefix)}(?!\w)", name)} for prefix in task.parts]


def plain_number(value: float) -> int | float:
    """3 for 3.0; two decimals otherwise."""
    value = round(value, 2)
    return int(value) if value == int(value) else value


def name_of(block: str) -> str:
    """The name of a printed report."""
    return next(iter(read_report(block)), "")
