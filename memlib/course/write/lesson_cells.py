"""A lesson's cells as they are built: the library's text, folded claims, and puzzles."""

from __future__ import annotations

import ast
import re
import textwrap

from nbformat.v4 import new_code_cell, new_markdown_cell

from memlib.course.notebook.answers import defined
from memlib.course.source import BEGIN, END, Cell, solution_lines, solved, stub
from memlib.course.write.library_text import library_text

DEEPER = r"#+ Deeper\b"  # a heading that starts collapsed
WRONG = "# WRONG:"
FOLD = "<details><summary>A solution</summary>\n\n```python\n{}\n```\n\n</details>"


def built_lesson(cells: list[Cell], name: str) -> list:
    """The notebook's cells; each source cell gives one, a puzzle a second for its solution."""
    built, edited, shown = [], set(), False
    for index, cell in enumerate(cells):
        cell_id = f"{name}-{index:02}"
        if "show" in cell.options:
            built.append((_folded if shown else _open)(_shown(cell), cell_id))
            edited, shown = edited | defined(built[-1].source), True
        elif "puzzle" in cell.options:
            built += puzzle_cells(cell, cell_id)
            edited |= defined(solved(puzzle_source(cell)))  # and what is made of it below
        elif "claims" in cell.options:
            built.append(_folded(claims_text(cell, edited), cell_id))
        else:
            built.append(plain_cell(cell, cell_id))
            edited |= defined(cell.source) if cell.kind == "code" and _names(cell.source) & edited else set()
    return built


def _names(source: str) -> set[str]:
    return {part.id for part in ast.walk(ast.parse(source)) if isinstance(part, ast.Name)}


def plain_cell(cell: Cell, cell_id: str):
    """A text or code cell as it is; what goes deeper is collapsed, what its tags say or a quiz that answers folded."""
    if cell.kind == "markdown":
        closed = {"jp-MarkdownHeadingCollapsed": True} if re.match(DEEPER, cell.source) else {}
        return new_markdown_cell(cell.source, id=cell_id, metadata=closed)
    tags = {"tags": cell.options["tags"]} if cell.options.get("tags") else {}
    folded = "widgets.quiz(" in cell.source or "folded" in cell.options.get("tags", ())
    make = _folded if folded else _open
    return make(cell.source, cell_id, **tags)


def _open(source: str, cell_id: str, **metadata):
    return new_code_cell(source, id=cell_id, metadata=metadata)


def _folded(source: str, cell_id: str, **metadata):
    return new_code_cell(source, id=cell_id, metadata=metadata | {"jupyter": {"source_hidden": True}})


def _shown(cell: Cell) -> str:
    try:
        text = library_text(cell.options["show"])
    except ValueError as error:
        raise cell.wrong(f"show: {error}") from None
    return f"{text}\n\n\n{cell.source}" if cell.source.strip() else text


def claims_text(cell: Cell, edited: set[str]) -> str:
    """The assertions inside `with claims(count):`; refused where they read what a learner edits."""
    body = ast.parse(cell.source)
    for part in ast.walk(body):
        if isinstance(part, ast.Name) and part.id in edited:
            raise cell.wrong(f"claims read {part.id!r}, which a learner edits above", part.lineno)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.lineno != part.end_lineno:
            raise cell.wrong("a text of several lines cannot stand in claims", part.lineno)
    count = sum(isinstance(part, ast.Assert) for part in ast.walk(body))
    if not count:
        raise cell.wrong("claims hold no assertion")
    return f"from memlib.course import claims\n\nwith claims({count}):\n{textwrap.indent(cell.source, '    ')}"


def puzzle_source(cell: Cell) -> Cell:
    """A puzzle's cell without its wrong lines; refused where it is no puzzle of one line."""
    bare = "\n".join(line for line in cell.source.splitlines() if not line.strip().startswith(WRONG))
    bare = Cell(cell.kind, bare.rstrip(), cell.options, cell.path, cell.line)
    if [len(lines) for lines in solution_lines(bare)] != [1]:
        raise cell.wrong(f"a puzzle has one line between '{BEGIN}' and '{END}'")
    last = ast.parse(bare.source).body[-1]
    if not (isinstance(last, ast.Expr) and re.match(r"(\w+\.)?puzzle\(", ast.unparse(last))):
        raise cell.wrong("a puzzle ends with puzzle(...), which judges it")
    return bare


def wrong_answers(cell: Cell) -> list[str]:
    """A puzzle's cell with each of its wrong lines in the place of the solution; at least three."""
    lines = [line.strip() for line in cell.source.splitlines()]
    wrong = [line.removeprefix(WRONG).strip() for line in lines if line.startswith(WRONG)]
    if len(wrong) < 3:
        raise cell.wrong(f"a puzzle needs three lines '{WRONG} ...' that must not pass, got {len(wrong)}")
    bare = puzzle_source(cell)
    right = solution_lines(bare)[0][0]
    indent = right[: len(right) - len(right.lstrip())]
    return [solved(bare).replace(right, indent + line) for line in wrong]


def puzzle_cells(cell: Cell, cell_id: str) -> list:
    """The open cell with the blank, and the solution in a fold."""
    bare = puzzle_source(cell)
    wrong_answers(cell)
    line = solution_lines(bare)[0][0].strip()
    return [_open(stub(bare), cell_id), new_markdown_cell(FOLD.format(line), id=f"{cell_id}-solution")]
