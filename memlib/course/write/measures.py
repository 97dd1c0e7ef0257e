"""How long a lesson is: words, visible lines of code, the longest and the widest cell, minutes.

Printed with every build. A chapter in REWRITTEN is refused where it takes more than a lesson may.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

from memlib.course.paths import CourseError
from memlib.course.source import Cell
from memlib.course.write.lesson_cells import DEEPER

REWRITTEN: tuple[str, ...] = (
    "00_cache",
    "01_window",
    "02_averages",
    "03a_recurrent",
    "03b_fast_weights",
    "04_hybrid",
)  # the chapters that are held to the limits
WORDS, LINES, CELL, MEDIAN, WIDE, MINUTES = 1500, 60, 12, 6, 92, 45
LONG = 3  # minutes: a player, a knob, an experiment
PLAYED = re.compile(r"widgets\.(?:player|knob|typed|one_fact|predict|detective)\(")
QUIZ = re.compile(r"widgets\.quiz\(")
KEYED = re.compile(r"(?<![.\w])ask\(([^)]*)\)")  # ask("00", "one", "two")


@dataclass(frozen=True)
class Measures:
    """What a lesson's core takes of a learner: all that stands above the first heading `Deeper: ...`."""

    words: int  # of text, without headings, formulas, folds and the glossary
    lines: int  # of code that is seen
    cell: int  # lines of the longest cell
    median: float  # of the cells' lines
    wide: int  # columns of the widest line
    tasks: int  # quizzes and puzzles
    played: int  # players, knobs, experiments

    @property
    def minutes(self) -> int:
        """Words read, lines looked at, questions answered, players played."""
        return round(self.words / 150 + self.lines / 6 + self.tasks + LONG * self.played)

    def __str__(self) -> str:
        cells = f"cells of {self.cell} lines at most, {self.median:g} in the middle, {self.wide} columns"
        return f"{self.words} words, {self.lines} visible lines, {cells}, about {self.minutes} minutes"

    def too_much(self) -> list[str]:
        """What is over its limit, in words."""
        found = [
            (self.words, WORDS, "words"),
            (self.lines, LINES, "visible lines"),
            (self.cell, CELL, "lines in one cell"),
            (self.median, MEDIAN, "lines in the middle cell"),
            (self.wide, WIDE, "columns"),
            (self.minutes, MINUTES, "minutes"),
        ]
        return [f"{value:g} {what}, at most {most}" for value, most, what in found if value > most]


def measured(cells: list[Cell]) -> Measures:
    """The measures of a lesson's cells, as they are written."""
    core = cells[: next((i for i, cell in enumerate(cells) if _is_deeper(cell)), len(cells))]
    code = [cell for cell in core if cell.kind == "code"]
    seen = [cell for cell in code if not ({"show", "claims", "puzzle"} & set(cell.options) or _is_folded(cell))]
    rows = [[line for line in cell.source.splitlines() if line.strip()] for cell in seen]
    sizes = [len(lines) for lines in rows if lines] or [0]
    return Measures(
        words=sum(_words(cell.source) for cell in core if cell.kind == "markdown"),
        lines=sum(sizes),
        cell=max(sizes),
        median=statistics.median(sizes),
        wide=max((len(line) for lines in rows for line in lines), default=0),
        tasks=sum(_quizzes(cell.source) + ("puzzle" in cell.options) for cell in code),
        played=sum(len(PLAYED.findall(cell.source)) for cell in code),
    )


def _quizzes(source: str) -> int:
    return len(QUIZ.findall(source)) + sum(keys.count('"') // 2 - 1 for keys in KEYED.findall(source))


def _is_deeper(cell: Cell) -> bool:
    return cell.kind == "markdown" and re.match(DEEPER, cell.source) is not None


def _is_folded(cell: Cell) -> bool:
    return "widgets.quiz(" in cell.source or "folded" in cell.options.get("tags", ())


def _words(text: str) -> int:
    """Words that are read: no headings, formulas, folds, nor the list of the chapter's words."""
    text = re.split(r"^#+ Words of this chapter", text, flags=re.M)[0]
    for gone in (r"<details>.*?</details>", r"\$\$.*?\$\$", r"\$[^$]*\$", r"^#+ .*$", r"^\|[-| :]+\|$"):
        text = re.sub(gone, " ", text, flags=re.M | re.S if gone[0] in "<\\" else re.M)
    return len(re.findall(r"\w[\w'’.,-]*", text))


def held(name: str, cells: list[Cell]) -> Measures:
    """The measures; CourseError where a rewritten chapter is over a limit."""
    found = measured(cells)
    if name in REWRITTEN and found.too_much():
        raise CourseError(f"{name}: the lesson is too long: {'; '.join(found.too_much())}")
    return found
