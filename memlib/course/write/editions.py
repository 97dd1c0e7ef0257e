"""A class's own edition of an exercise: what `chapters/NN_name/editions.py` lets a seed decide.

`DRAWS` maps a task to a function that is given `pick` and returns what stands in the place of what:

    def by_hand(pick):
        size = pick(4, 5)
        return {"Window(3, sinks=1)": f"Window({size}, sinks=1)", "after_4": "after_6", ...}

It is replaced in all cells of the task: the text above the answer, the answer with its solution and its GIVEN lines,
and the check. Whole words only; what is not found is an error, so that draws do not go stale unseen. Seed 0 is the
public edition: nothing is replaced.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

from memlib.course.grade.reference import expected
from memlib.course.notebook.report_text import RoundingEdge, digests
from memlib.course.paths import CHAPTERS, CourseError, shown
from memlib.course.source import Cell, Exercise, load_exercise
from memlib.course.write.build import pair, text_of

TRIES = 50
BUTTON = r"At the end\s+one\s+button\s+grades\s+everything\s+you\s+have\s+run,\s+with"
HAND_IN = (
    "## Handing in\n\nSave this notebook and hand in the file. It is your class's own edition ({mark}): "
    "whoever handed it out grades it, with other numbers than the ones you see."
)


def mark_of(seed: int) -> str | None:
    """The name of a seed's edition, which may be known to all; the public edition has none."""
    return hashlib.sha256(f"memlib edition {seed}".encode()).hexdigest()[:8] if seed else None


def draws_of(chapter: str, folder: Path = CHAPTERS) -> dict:
    """Task -> the function that draws for it, as the chapter's editions.py says."""
    path = folder / chapter / "editions.py"
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"draws_{chapter}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DRAWS


def drawn_exercise(chapter: str, seed: int, folder: Path = CHAPTERS) -> tuple[Exercise, dict[str, str]]:
    """The exercise of a seed's edition, and what its checks print at the visible seed."""
    for attempt in range(TRIES):
        exercise = load_exercise(chapter, folder, lambda cells: _changed(cells, chapter, folder, seed, attempt))  # noqa: B023
        exercise.mark = mark_of(seed)
        try:
            printed = expected(exercise)
        except RoundingEdge as error:
            last = error
            continue
        for name, text in printed.items() if seed else ():
            exercise.tasks[name].check.source += f"\n# wanted: {digests(text)} of {chapter} {name}"
        return exercise, printed
    raise CourseError(f"{chapter}: every draw leads to a rounding edge; report with more digits. {last}")


def _changed(cells: list[Cell], chapter: str, folder: Path, seed: int, attempt: int) -> list[Cell]:
    if not seed:
        return cells
    groups = _groups(cells)
    for task, function in draws_of(chapter, folder).items():
        where = f"{shown(folder / chapter / 'editions.py')}: {task}"
        if task not in groups:
            raise CourseError(f"{where}: the exercise has no such task")
        lots = random.Random(f"{seed} {chapter} {task} {attempt}")
        _replace(groups[task], function(lambda *options, lots=lots: lots.choice(options)), where)
    return _without_button(cells, mark_of(seed))


def _groups(cells: list[Cell]) -> dict[str, list[Cell]]:
    """Task -> its cells: what stands above the answer, the answer, the check."""
    found: dict[str, list[Cell]] = {}
    waiting: list[Cell] = []
    for cell in cells:
        waiting.append(cell)
        name = cell.options.get("task") or cell.options.get("check")
        if name:
            found.setdefault(name, []).extend(waiting)
            waiting = []
    return found


def _replace(cells: list[Cell], changes: dict[str, str], where: str) -> None:
    """Replace all at once, the longest first: what was put in is not replaced again."""
    words = sorted(changes, key=len, reverse=True)
    pattern = "|".join(
        (r"(?<!\w)" if re.match(r"\w", old) else "") + re.escape(old) + (r"(?!\w)" if re.search(r"\w$", old) else "")
        for old in words
    )
    met: set[str] = set()

    def put(match) -> str:
        met.add(match[0])
        return str(changes[match[0]])

    for cell in cells:
        cell.source = re.sub(pattern, put, cell.source) if words else cell.source
    if set(words) - met:
        raise CourseError(f"{where}: {sorted(set(words) - met)[0]!r} stands nowhere in the cells of this task")


def _without_button(cells: list[Cell], mark: str) -> list[Cell]:
    """The solutions of an edition are not here: in the place of the button stands how to hand in."""
    kept: list[Cell] = []
    for cell in cells:
        if cell.kind == "code" and cell.source.startswith("grade_button("):
            if kept and kept[-1].kind == "markdown":
                kept.pop()
            cell = Cell("markdown", HAND_IN.format(mark=mark), {}, cell.path, cell.line)
        cell.source = re.sub(BUTTON, "It is graded with", cell.source) if cell.kind == "markdown" else cell.source
        kept.append(cell)
    return kept


@dataclass(frozen=True)
class Edition:
    """An edition as `memlib release` wrote it into a folder: its seed, and the exercises by their fingerprints."""

    folder: Path
    seed: int
    chapters: dict[str, str]

    mark = property(lambda self: mark_of(self.seed))

    def exercise(self, chapter: str) -> Exercise:
        """The edition's exercise; CourseError where the course has changed since it was released."""
        if chapter not in self.chapters:
            raise CourseError(f"{self.folder} holds no {chapter}; it holds {', '.join(self.chapters)}.")
        exercise, _ = drawn_exercise(chapter, self.seed)
        if exercise.fingerprint() != self.chapters[chapter]:
            since = f"Exercise {chapter} has changed since {self.folder} was released"
            raise CourseError(f"{since}: grade with the course as it was then.")
        return exercise


def release(seed: int, out: Path, chapters: list[str]) -> list[str]:
    """Write an edition: exercises/ to hand out, solutions/ and edition.json to keep; the tasks that were drawn."""
    if (out / "edition.json").exists() and load_edition(out).seed != seed:
        raise CourseError(f"{out} holds another edition: use another --out.")
    files, prints, drawn = {}, {}, []
    for name in chapters:
        exercise, printed = drawn_exercise(name, seed)
        prints[name] = exercise.fingerprint()
        drawn += [f"{name} {task}" for task in draws_of(name)] if seed else []
        for place, book in pair(exercise, printed).items():
            files[out / place / f"{name}.ipynb"] = text_of(book)
    kept = load_edition(out).chapters if (out / "edition.json").exists() else {}
    files[out / "edition.json"] = json.dumps({"format": 1, "seed": seed, "chapters": kept | prints}, indent=1) + "\n"
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".partial").write_text(text, encoding="utf-8")
        os.replace(path.with_suffix(".partial"), path)
    return drawn


def load_edition(folder: Path) -> Edition:
    """The edition that `memlib release` wrote into the folder."""
    try:
        kept = json.loads((Path(folder) / "edition.json").read_text("utf-8"))
        return Edition(Path(folder), int(kept["seed"]), dict(kept["chapters"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise CourseError(f"{folder} is no edition: wanted is the folder that memlib release --out wrote.") from None


def word(number: int) -> str:
    """A number as course text writes it: `word(3)` is "three"."""
    words = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    return words[number] if number < len(words) else str(number)
