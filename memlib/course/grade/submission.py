"""A learner's notebook, read with care: only the text of its answer cells goes any further."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from memlib.course.paths import CourseError, chapter
from memlib.course.source import Exercise

MOST = 5_000_000


@dataclass
class Submission:
    """What a learner handed in: task -> source, and what there is to say about the file."""

    path: Path
    cells: list[tuple[str, dict]]
    metadata: dict
    answers: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    extra: str = ""

    def chapter(self) -> str:
        """The chapter it answers."""
        return chapter(self.mark("chapter") or self.path.stem)

    def mark(self, name: str) -> str | None:
        """What the course wrote into the file's metadata under this name, as far as it is still there."""
        marks = self.metadata.get("memlib")
        named = marks.get(name) if isinstance(marks, dict) else None
        return named if isinstance(named, str) else None


def read_submission(path: Path) -> Submission:
    """The notebook at `path`; CourseError in a sentence for its author where it is none."""
    path = Path(path)
    if path.is_symlink():
        raise CourseError(f"{path.name} is a link to a file: hand in the notebook itself.")
    if path.suffix != ".ipynb" or not path.is_file():
        raise CourseError(f"{path} is not a notebook file (.ipynb).")
    if path.stat().st_size > MOST:
        raise CourseError(f"{path.name} is larger than 5 MB: clear its outputs (Edit, Clear All Outputs) and save.")
    try:
        book = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_constant)
    except OSError as error:
        raise CourseError(f"{path.name} cannot be read: {error.strerror}.") from None
    except (ValueError, UnicodeDecodeError, RecursionError):
        raise CourseError(f"{path.name} is damaged (not the JSON of a notebook): save it again from Jupyter.") from None
    if not isinstance(book, dict) or book.get("nbformat") != 4 or not isinstance(book.get("cells"), list):
        raise CourseError(f"{path.name} is not a notebook of format 4: open it in JupyterLab and save it.")
    metadata = book.get("metadata")
    cells = [_cell(cell, path.name) for cell in book["cells"]]
    return Submission(path, cells, metadata if isinstance(metadata, dict) else {})


def _no_constant(text: str):
    raise ValueError(text)


def _cell(cell, name: str) -> tuple[str, dict]:
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or "\0" in source or not _encodes(source):
        raise CourseError(f"{name} holds a cell that is not text: save it again from Jupyter.")
    return source, cell


def _encodes(text: str) -> bool:
    """Whether it is text all through: half of a surrogate pair is not."""
    try:
        return bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def grade_id(cell: dict) -> str | None:
    """The name that nbgrader's metadata gives a cell, as far as it is there."""
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    mark = marks.get("grade_id") if isinstance(marks, dict) else None
    return mark if isinstance(mark, str) else None


def answers(submission: Submission, exercise: Exercise) -> dict[str, str]:
    """Task -> the text of its answer cell, found by grade_id, else by the cell's id; notes what was put back."""
    for name, task in exercise.tasks.items():
        found = [pair for pair in submission.cells if grade_id(pair[1]) == name]
        if len(found) != 1:
            found = [pair for pair in found or submission.cells if pair[1].get("id") == name] or found
        if len(found) > 1:
            raise CourseError(f"The answer {name!r} stands in {len(found)} cells: delete all but one, and save.")
        if found:
            submission.answers[name] = found[0][0]
        checks = [source for source, cell in submission.cells if grade_id(cell) == f"{name}-check"]
        if checks != [task.shown_check]:
            what = "changed" if checks else "missing"
            submission.notes.append(f"The check of {name!r} is {what} in this file; the course's own was used.")
    marked = set(submission.answers.values())
    code = [source for source, cell in submission.cells if cell.get("cell_type") == "code" and source not in marked]
    submission.extra = "\n".join(code)
    return submission.answers
