"""Chapters to notebooks: `python -m memlib.course.write.build [--check] [--films] [NN ...]`.

`chapters/NN_name/lesson.py` becomes `notebooks/NN_name.ipynb`; `exercise.py` becomes `solutions/NN_name.ipynb` and,
with the solutions cut out, `exercises/NN_name.ipynb`. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from memlib.course.grade.reference import expected
from memlib.course.notebook.report_text import RoundingEdge
from memlib.course.paths import CHAPTERS, ROOT, CourseError, chapter, chapters, shown
from memlib.course.source import Exercise, Task, load_exercise, load_lesson, solved, stub
from memlib.course.write import films
from memlib.course.write.lesson_cells import built_lesson, plain_cell
from memlib.course.write.measures import held, measured

COMPARED = (
    "## What is compared\n\nHere nothing is to be done. Each cell prints what an answer gives, as plain numbers; "
    "below it stands what is wanted, until you run it."
)
FOLDED = {"jp-MarkdownHeadingCollapsed": True}


def lesson(name: str, folder: Path = CHAPTERS):
    """The notebook of a lesson, without pictures."""
    cells = load_lesson(name, folder)
    held(name, cells)
    return _notebook(name, "lesson", built_lesson(cells, name))


def exercise_pair(name: str, folder: Path = CHAPTERS) -> dict:
    """The two notebooks of an exercise, as {"exercises": ..., "solutions": ...}; the solutions are run."""
    exercise = load_exercise(name, folder)
    try:
        return pair(exercise, expected(exercise))
    except RoundingEdge as error:
        raise CourseError(f"{name}: at the visible seed {error}; use other digits, or another name=") from None


def pair(exercise: Exercise, printed: dict[str, str]) -> dict:
    """The two notebooks of an exercise whose checks print this at the visible seed."""
    write = {"exercises": stub, "solutions": solved}
    return {place: _exercise(exercise, place, text, printed) for place, text in write.items()}


def _exercise(exercise: Exercise, place: str, text, printed: dict[str, str]):
    cells, end = [], 0
    for index, cell in enumerate(exercise.cells):
        if "task" in cell.options:
            task = exercise.tasks[cell.options["task"]]
            cells += [_answer(task, text(cell)), _look(task, exercise)]
            end = len(cells)
        elif "check" not in cell.options:
            cells.append(plain_cell(cell, f"{exercise.chapter}-{index:02}"))
    compared = [new_markdown_cell(COMPARED, id=f"{exercise.chapter}-compared", metadata=FOLDED)]
    compared += [_check(task, printed[name], exercise.mark) for name, task in exercise.tasks.items()]
    cells[end:end] = compared  # not at the very end: JupyterLab unfolds where Run All comes to rest
    built = _notebook(exercise.chapter, place.removesuffix("s"), cells)
    built.metadata["memlib"] |= {"edition": exercise.mark} if exercise.mark else {}
    return built


def _look(task: Task, exercise: Exercise):
    """The cell below an answer that says how far it is."""
    where = ", ".join(f'"{one}"' for one in (task.name, exercise.chapter, exercise.mark) if one)
    return new_code_cell(f"look({where})", id=f"{task.name}-look")


def _answer(task: Task, source: str):
    options = {key: value for key, value in task.answer.options.items()}
    return new_code_cell(source, id=task.name, metadata={"memlib": options, "nbgrader": _nbgrader(task, False)})


def _check(task: Task, text: str, mark: str | None = None):
    metadata = {
        "deletable": False,
        "editable": False,
        "memlib": {"check": task.name, "next": task.next} | ({"wanted": text} if mark else {}),
        "nbgrader": _nbgrader(task, True),
        "tags": ["nbval-check-output"],
    }
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    return new_code_cell(task.shown_check, id=f"{task.name}-check", metadata=metadata, outputs=[output])


def _nbgrader(task: Task, check: bool) -> dict:
    return {
        "grade": check,
        "grade_id": f"{task.name}-check" if check else task.name,
        "locked": check,
        "points": task.points if check and not task.bonus else 0,
        "schema_version": 3,
        "solution": not check,
        "task": False,
    }


def _notebook(name: str, kind: str, cells: list):
    metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "memlib": {"chapter": name, "kind": kind},
    }
    return new_notebook(cells=cells, metadata=metadata)


def text_of(built) -> str:
    """The bytes of a notebook as text; cells with an output are numbered, for nbval."""
    code = [cell for cell in built.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        cell.execution_count = number if cell.outputs else None
    nbformat.validate(built)
    return nbformat.writes(built, 4).rstrip() + "\n"


def build(name: str, with_films: bool = False, folder: Path = CHAPTERS, root: Path = ROOT) -> dict[Path, str]:
    """Every notebook of a chapter, as {path: text}; nothing is written."""
    files = {}
    if (folder / name / "lesson.py").exists():
        built, path = lesson(name, folder), root / "notebooks" / f"{name}.ipynb"
        if with_films:
            films.make_films(built, f"{name}/lesson.py")
        else:
            for cell_id in films.carry_films(built, path):
                print(f"{shown(path)}: film {cell_id} has no picture yet: make notebooks FILMS=1", file=sys.stderr)
        files[path] = text_of(built)
    if (folder / name / "exercise.py").exists():
        for place, built in exercise_pair(name, folder).items():
            files[root / place / f"{name}.ipynb"] = text_of(built)
    return files


def stale(names: list[str] | None = None, root: Path = ROOT) -> list[Path]:
    """The built files that are not what their sources give, and those that have no source."""
    wanted = {path: text for name in (names or chapters()) for path, text in build(name, root=root).items()}
    found = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if not names:
        places = ("notebooks", "exercises", "solutions")
        found += [path for place in places for path in sorted((root / place).glob("*.ipynb")) if path not in wanted]
    return found


def main(argv: list[str] | None = None) -> int:
    """The command line of the builder."""
    parser = argparse.ArgumentParser(prog="python -m memlib.course.write.build", description="Chapters to notebooks.")
    parser.add_argument("chapters", nargs="*", metavar="NN", help="only these chapters, e.g. 01 (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a built file is stale")
    parser.add_argument("--films", action="store_true", help="run the lessons and make their films anew")
    args = parser.parse_args(argv)
    try:
        names = [chapter(text) for text in args.chapters]
        if args.check:
            old = stale(names)
            print(
                *[f"{shown(path)} is stale: make notebooks" for path in old] or ["Every built file is fresh."], sep="\n"
            )
            return int(bool(old))
        for name in names or chapters():
            if (CHAPTERS / name / "lesson.py").exists():
                print(f"{name}: {measured(load_lesson(name))}")
            for path, text in build(name, args.films).items():
                changed = not path.exists() or path.read_text("utf-8") != text
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
                print(f"{shown(path)}{'' if changed else ' (unchanged)'}")
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
