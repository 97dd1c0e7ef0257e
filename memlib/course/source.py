"""Chapters as they are written: percent format, one file a lesson, one an exercise.

A cell begins with a line `# %%`; `# %% [markdown]` begins a text cell, whose lines start with `# `. Options stand
on the same line as `name=value`, the value in JSON:

    # %% tags=["film"]                                            a lesson's film: its picture is kept
    # %% task="dilated" points=2 kind="write" minutes=8           an answer; also bonus=true, hides=["Window"],
                                                                  parts=["chat", "form"] (see notebook/parts.py)
    # %% check="dilated"                                          prints plain numbers with `report`
    # %% show="memlib.Window"                                     a lesson's: the library's text, as `Mine`, and what
                                                                  stands here below it
    # %% claims                                                   a lesson's: the assertions of the cells above
    # %% puzzle                                                   a lesson's: a line to write; ends with `puzzle(...)`

In an answer `# BEGIN SOLUTION` and `# END SOLUTION` enclose what the learner writes; commented lines after `# GIVEN`
inside are what the exercise shows instead (the bug to find). In a check the lines `# NEXT: ...` say where to look when
it fails; they become metadata. Lines `# WHY after_4 == [2, 3, 4]: The sink is missing.` say what is wrong with an
answer for which the condition holds; they are in no notebook. In a notebook the checks stand at the end, each as a
cell `%%check dilated`, and below each answer a cell `look(...)`, which shows what its check finds. A puzzle holds one
line of a solution, and three lines `# WRONG: ...` that must not pass for it, which are in no notebook.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from memlib.course.paths import ABSENT, CHAPTERS, CourseError, shown

KINDS = ("write", "hand", "order", "choose", "bug", "explain", "design")
OPTIONS = {"tags", "task", "points", "kind", "minutes", "bonus", "hides", "parts", "check", "show"}
PARTS = {"hand": "reports", "order": "reports"}  # kind -> what a part is, unless the task says otherwise
FLAGS = {"claims", "puzzle"}  # options without a value
BLANK = "...  # your answer"
MAGIC = "%%check"
BEGIN, GIVEN, END = "# BEGIN SOLUTION", "# GIVEN", "# END SOLUTION"


@dataclass(eq=False)
class Cell:
    """One cell of a source: its text, the options of its first line, and where it stands."""

    kind: str
    source: str
    options: dict
    path: Path
    line: int

    def wrong(self, message: str, offset: int = 0) -> CourseError:
        """An error that names file and line (`offset` lines below the cell's first)."""
        return CourseError(f"{shown(self.path)}:{self.line + offset}: {message}")


@dataclass(eq=False)
class Task:
    """One task of an exercise: the answer cell, its check and what the author says about both."""

    name: str
    answer: Cell
    check: Cell | None = None
    next: str = ""
    why: list[tuple[str, str]] = field(default_factory=list)  # a condition that wrong answers fulfil, what to say then

    points = property(lambda self: self.answer.options.get("points"))
    kind = property(lambda self: self.answer.options.get("kind"))
    bonus = property(lambda self: self.answer.options.get("bonus", False))
    hides = property(lambda self: self.answer.options.get("hides", []))
    parts = property(lambda self: self.answer.options.get("parts", PARTS.get(self.kind, "one")))
    shown_check = property(lambda self: f"{MAGIC} {self.name}\n{self.check.source}")  # as it stands in a notebook


@dataclass(eq=False)
class Exercise:
    """An exercise with its solutions, checked: `tasks` in order, `cells` as they stand."""

    chapter: str
    cells: list[Cell]
    tasks: dict[str, Task] = field(default_factory=dict)
    mark: str | None = None  # of a class's own edition

    def fingerprint(self) -> str:
        """A short name of its content: verdicts are comparable where it is equal."""
        text = json.dumps([[cell.source, cell.options] for cell in self.cells])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def untouched(self, name: str, answer: str) -> bool:
        """Whether the answer to a task is still what the exercise shows."""
        return answer.split() == stub(self.tasks[name].answer).split()


def parse(path: Path) -> list[Cell]:
    """The cells of a percent file."""
    cells: list[Cell] = []
    for number, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r"# %%(\s|$)", text):
            cells.append(_header(text, Path(path), number))
        elif cells:
            cells[-1].source += text + "\n"
        elif text.strip() and not text.startswith("#"):
            raise CourseError(f"{shown(path)}:{number}: text before the first '# %%' belongs to no cell")
    for cell in cells:
        cell.source = _body(cell)
    return cells


def _header(text: str, path: Path, line: int) -> Cell:
    rest = text[4:].strip()
    kind = "markdown" if rest.startswith("[markdown]") else "code"
    rest = rest.removeprefix("[markdown]").strip()
    cell = Cell(kind, "", {}, path, line)
    if rest in FLAGS:
        cell.options[rest] = True
        return cell
    while rest:
        match = re.match(r"(\w+)=", rest)
        if not match or match[1] not in OPTIONS:
            raise cell.wrong(f"{rest!r} is not an option; options are {', '.join(sorted(OPTIONS | FLAGS))}")
        try:
            value, end = json.JSONDecoder().raw_decode(rest, match.end())
        except ValueError:
            raise cell.wrong(f"the value of {match[1]} is not JSON (text stands in double quotes)") from None
        cell.options[match[1]] = value
        rest = rest[end:].strip()
    return cell


def _body(cell: Cell) -> str:
    text = cell.source.strip("\n")
    if cell.kind == "code":
        return text.rstrip()
    lines = text.splitlines()
    for offset, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            raise cell.wrong("a line of a text cell begins with '# '", offset)
    return "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)


def load_lesson(chapter: str, folder: Path = CHAPTERS) -> list[Cell]:
    """The cells of a chapter's lesson."""
    cells = parse(folder / chapter / "lesson.py")
    for cell in cells:
        other = set(cell.options) - {"tags", "show", *FLAGS}
        if other:
            raise cell.wrong(f"a lesson's cell has no option {sorted(other)[0]!r}")
        if "puzzle" not in cell.options and any(mark in cell.source for mark in (BEGIN, END)):
            raise cell.wrong("a solution stands in an exercise or a puzzle")
    return cells


def load_exercise(chapter: str, folder: Path = CHAPTERS, change=lambda cells: cells) -> Exercise:
    """A chapter's exercise, refused with file and line where it breaks a rule; `change` makes an edition of it."""
    path = folder / chapter / "exercise.py"
    if not path.exists():
        raise CourseError(f"{shown(path)} is missing." if folder.exists() else ABSENT)
    exercise = Exercise(chapter, change(parse(path)))
    for cell in exercise.cells:
        _blocks(cell)
        if {"show", *FLAGS} & set(cell.options):
            raise cell.wrong("show, claims and puzzle stand in a lesson")
        if "task" in cell.options:
            _add_task(exercise, cell)
        elif BEGIN in cell.source:
            raise cell.wrong("a solution stands only in a cell with task=...")
        elif "check" in cell.options:
            _add_check(exercise, cell)
    if not exercise.tasks:
        raise CourseError(f"{shown(path)}:1: an exercise needs at least one cell with task=...")
    for task in exercise.tasks.values():
        if task.check is None:
            raise task.answer.wrong(f"task {task.name!r} has no check cell below it")
    return exercise


def _add_task(exercise: Exercise, cell: Cell) -> None:
    task = Task(cell.options["task"], cell)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", str(task.name)):
        raise cell.wrong(f"task={task.name!r} is not a name of small letters, digits and _")
    if task.name in exercise.tasks:
        raise cell.wrong(f"task {task.name!r} stands twice")
    for key in ("points", "minutes"):
        if type(cell.options.get(key)) is not int or cell.options[key] < 1:
            raise cell.wrong(f"task {task.name!r} needs {key}=, a whole number from 1")
    if task.kind not in KINDS:
        raise cell.wrong(f"task {task.name!r} needs kind=, one of {', '.join(KINDS)}")
    if task.parts not in ("one", "reports") and not (isinstance(task.parts, list) and task.parts):
        raise cell.wrong(f'parts= of task {task.name!r} is neither "one" nor "reports" nor a list of names')
    if BEGIN not in cell.source:
        raise cell.wrong(f"task {task.name!r} has no '{BEGIN}'")
    exercise.tasks[task.name] = task


def _add_check(exercise: Exercise, cell: Cell) -> None:
    task = exercise.tasks.get(cell.options["check"])
    if task is None:
        raise cell.wrong(f"there is no task {cell.options['check']!r} above this check")
    if task.check is not None:
        raise cell.wrong(f"task {task.name!r} has two checks")
    lines = cell.source.splitlines()
    task.next = " ".join(line.removeprefix("# NEXT:").strip() for line in lines if line.startswith("# NEXT:"))
    if not task.next:
        raise cell.wrong("a check needs '# NEXT: ...', where to look when it fails")
    task.why = [_why(cell, at, line) for at, line in enumerate(lines, 1) if line.startswith("# WHY ")]
    cell.source = "\n".join(line for line in lines if not line.startswith(("# NEXT:", "# WHY "))).strip("\n")
    task.check = cell


def _why(cell: Cell, at: int, line: str) -> tuple[str, str]:
    """The condition of a WHY line and what it says: the first ': ' behind an expression parts them."""
    pieces = line.removeprefix("# WHY ").split(": ")
    for many in range(1, len(pieces)):
        condition = ": ".join(pieces[:many])
        try:
            ast.parse(condition, mode="eval")
        except SyntaxError:
            continue
        return condition, ": ".join(pieces[many:]).strip()
    raise cell.wrong("a WHY line is '# WHY condition: what is wrong with such an answer'", at)


def _blocks(cell: Cell) -> list[tuple[int, int]]:
    """First and last line of each solution block (the two markers), counted from 0."""
    found: list[tuple[int, int]] = []
    start = None
    for number, line in enumerate(cell.source.splitlines()):
        mark = line.strip()
        if mark == BEGIN:
            if start is not None:
                raise cell.wrong(f"'{BEGIN}' inside a block that has not ended", number + 1)
            start = number
        elif mark == END or mark == GIVEN:
            if start is None:
                raise cell.wrong(f"'{mark}' without '{BEGIN}'", number + 1)
            if mark == END:
                found.append((start, number))
                start = None
    if start is not None:
        raise cell.wrong(f"'{BEGIN}' without '{END}'", start + 1)
    return found


def solution_lines(cell: Cell) -> list[list[str]]:
    """The lines of each solution block."""
    lines = cell.source.splitlines()
    return [lines[start + 1 : end] for start, end in _blocks(cell)]


def solved(cell: Cell) -> str:
    """An answer cell as the solution shows it."""
    return _replaced(cell, lambda indent, solution, given: [indent + BEGIN, *solution, indent + END])


def solved_text(cell: Cell) -> str:
    """The solution without the marks around it, as a learner reads it."""
    return "\n".join(line for line in solved(cell).splitlines() if line.strip() not in (BEGIN, END)).strip()


def stub(cell: Cell) -> str:
    """An answer cell as the exercise shows it: the solution cut out."""
    return _replaced(cell, lambda indent, solution, given: given or _blank(indent, "\n".join(solution)))


def _replaced(cell: Cell, write) -> str:
    lines = cell.source.splitlines()
    for start, end in reversed(_blocks(cell)):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        inside = lines[start + 1 : end]
        cut = [line.strip() for line in inside].index(GIVEN) if GIVEN in map(str.strip, inside) else len(inside)
        given = [re.sub(r"^(\s*)# ?", r"\1", line) for line in inside[cut + 1 :]]
        lines[start : end + 1] = write(indent, inside[:cut], given)
    return "\n".join(lines)


def _named(statement: ast.stmt) -> str:
    """The name that a statement gives to something; empty where it does another thing."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return statement.name if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) else ""


def _blank(indent: str, solution: str) -> list[str]:
    if not indent:
        names = [_named(statement) for statement in ast.parse(solution).body]
        if names and all(names):
            return [f"{name} = {BLANK}" for name in names if not name.startswith("_")]
    return [indent + "raise NotImplementedError"]
