"""A learner's own folder: copies of exercises, and what is solved so far."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from memlib.course import variables
from memlib.course.notebook.parts import plain_number
from memlib.course.paths import ROOT, CourseError, chapters, shown
from memlib.course.source import load_exercise

MY = Path(variables.setting("MEMLIB_MY") or ROOT / "my")


def start(name: str) -> tuple[Path, bool]:
    """Copy an exercise to my/; its path, and whether it is new (a copy that is there is left as it is)."""
    source, target = ROOT / "exercises" / f"{name}.ipynb", MY / f"{name}.ipynb"
    if not source.exists():
        raise CourseError(f"Chapter {name} has no exercise.")
    MY.mkdir(exist_ok=True)
    try:
        with open(target, "xb") as file, open(source, "rb") as original:
            shutil.copyfileobj(original, file)
    except FileExistsError:
        return target, False
    return target, True


def record(verdict: dict) -> None:
    """Keep what a verdict gives in my/.progress.json; what was solved once stays solved."""
    kept = solved_tasks()
    done = kept.setdefault(verdict["chapter"], {})
    for task in verdict["tasks"]:
        before = done.get(task["task"], [0, 0])
        if task["state"] == "passed":
            done[task["task"]] = task["of"]
        elif isinstance(before, list) and task.get("points", 0) > before[0]:
            done[task["task"]] = [task["points"], task["of"]]
    MY.mkdir(exist_ok=True)
    path = MY / ".progress.json"
    path.with_suffix(".partial").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(path.with_suffix(".partial"), path)


def solved_tasks() -> dict[str, dict]:
    """Chapter -> task -> points where it was solved, [points, of how many] where a part of it was right."""
    try:
        kept = json.loads((MY / ".progress.json").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise CourseError(f"{shown(MY / '.progress.json')} is damaged: delete it and grade again.") from None
    return kept


def so_far() -> str:
    """What is solved, in one line, for a lesson; `progress` is the table."""
    try:
        kept = {name: done for name, done in solved_tasks().items() if done}
    except CourseError as error:
        return str(error)
    if not kept:
        return "Nothing is solved yet. The first exercise: memlib start 00"
    tasks = sum(map(len, kept.values()))
    where = f"{len(kept)} chapters" if len(kept) > 1 else "1 chapter"
    return f"Solved so far: {tasks} task{'s' * (tasks > 1)} in {where}. The table: memlib progress"


def progress() -> str:
    """A line a chapter: points, and the tasks that are still open."""
    lines, kept = [], solved_tasks()
    for name in chapters():
        if not (ROOT / "chapters" / name / "exercise.py").exists():
            lines.append(f"{name}  (no exercise)")
            continue
        tasks = load_exercise(name).tasks
        core = [task for task in tasks.values() if not task.bonus]
        got = kept.get(name, {})
        done = {task for task in tasks if isinstance(got.get(task, []), int)}
        points = sum(task.points if task.name in done else got.get(task.name, [0])[0] for task in core)
        total = sum(task.points for task in core)
        still = [task for task in tasks if task not in done]
        rest = f"still open: {', '.join(still)}" if still else "all solved"
        lines.append(f"{name}  {plain_number(points)} of {total} points  {rest}")
    return "\n".join(lines) or "There are no chapters."
