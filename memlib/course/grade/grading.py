"""Grading: a learner's answers in the course's own notebook, judged by nbval against a fresh seed.

1. `submission`: the text of the answer cells is taken from the file, and nothing else.
2. `reference`: a fresh seed, and what the checks print for it with the course's own solutions.
3. `course_notebook`: the course's notebook with those answers and those outputs.
4. `nbval_runner`: nbval runs it in a process of its own and compares outside of the kernel. A cell that hangs or
   kills its kernel costs its task; the others are judged again without it.
5. `verdict`: task by task, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memlib.course.grade import nbval_runner, submission
from memlib.course.grade.reference import fresh_reference
from memlib.course.notebook import parts
from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.sentences import ISOLATION, UNANSWERED, from_kernel
from memlib.course.paths import CourseError
from memlib.course.processes import end_family, sweep
from memlib.course.source import Exercise, load_exercise
from memlib.course.variables import inherited

FORMAT = 1
CELL_SECONDS = 15  # an answer, or its check
OWN_SECONDS = 90  # a cell of the course's own
ALL_SECONDS = 180
HIDE = "__import__('memlib.course.notebook.hide').course.notebook.hide"
STOPPED = {
    "slow": "It took too long and was stopped: does a loop end?",
    "died": "Its kernel died.",
    "loud": "It printed more than two million signs and was stopped.",
}
LEFT_OUT = "raise RuntimeError('left out')"


class GraderFault(Exception):
    """Grading itself failed; nothing is said about the answers."""


def grade(path: Path, seed: int | None = None, cell_seconds: float = CELL_SECONDS, edition=None, chapter=None) -> dict:
    """The verdict on the notebook at `path`; of a class's own `edition` (load_edition), or as a given chapter."""
    started = time.monotonic()
    handed = submission.read_submission(path)
    exercise = _asked(handed, edition, chapter)
    answers = submission.answers(handed, exercise)
    seed, expected = fresh_reference(exercise, seed)
    records = _judged(exercise, answers, seed, expected, cell_seconds)
    tasks = [_task(exercise, name, answers, records[name], expected[name], handed.extra) for name in exercise.tasks]
    return {
        "format": FORMAT,
        "chapter": exercise.chapter,
        "course": exercise.fingerprint(),
        **({"edition": edition.mark} if edition else {}),
        "file": str(path),
        "isolation": "none",
        "seed": seed,
        **_sums(tasks),
        "tasks": tasks,
        "notes": handed.notes,
        "seconds": round(time.monotonic() - started, 1),
    }


def _asked(handed: submission.Submission, edition, chapter: str | None) -> Exercise:
    """The exercise that is graded, whatever the file says it is."""
    name, mark = chapter or handed.chapter(), handed.mark("edition")
    if chapter and handed.mark("chapter") not in (None, chapter):
        raise CourseError(f"{handed.path.name} is exercise {handed.mark('chapter')}; asked for was {chapter}.")
    if mark is not None and edition is None:
        said = f"{handed.path.name} is of a class's own edition ({mark[:12]})"
        raise CourseError(f"{said}: whoever released it grades it, with --edition.")
    if edition and mark != edition.mark:
        was = "the public edition" if mark is None else f"edition {mark[:12]}"
        handed.notes.append(f"This file is of {was}; it was graded as edition {edition.mark}.")
    return edition.exercise(name) if edition else load_exercise(name)


def _sums(tasks: list[dict]) -> dict:
    core, bonus = ([t for t in tasks if t["bonus"] is b] for b in (False, True))
    return {
        "points": parts.plain_number(sum(t["points"] for t in core)),
        "total": sum(t["of"] for t in core),
        "bonus": parts.plain_number(sum(t["points"] for t in bonus)),
        "bonus_total": sum(t["of"] for t in bonus),
    }


def course_notebook(exercise: Exercise, answers: dict[str, str], expected: dict[str, str]) -> tuple[dict, list]:
    """The course's notebook with these answers and expected outputs, and the role and task of each cell."""
    cells, roles = [], []

    def add(role: str, task: str | None, source: str, printed: str | None = None):
        outputs = [] if printed is None else [{"output_type": "stream", "name": "stdout", "text": printed}]
        metadata = {} if printed is None else {"tags": ["nbval-check-output"]}
        if role in ("plain", "hide"):
            metadata["seconds"] = OWN_SECONDS
        cell = {"cell_type": "code", "id": f"c{len(cells)}", "execution_count": 1, "metadata": metadata}
        cells.append(cell | {"source": source, "outputs": outputs})
        roles.append((role, task))

    for cell in exercise.cells:
        name = cell.options.get("task") or cell.options.get("check")
        if cell.kind != "code" or "look" in cell.options:
            continue
        if "task" in cell.options:
            add("hide", name, f"{HIDE}.begin(*{exercise.tasks[name].hides!r})")
            add("answer", name, answers[name])
            add("hide", name, f"{HIDE}.give_back()")
        elif "check" in cell.options:
            add("check", name, cell.source, expected[name])
            add("hide", name, f"{HIDE}.end()")
        else:
            add("plain", None, cell.source)
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, roles


def _judged(exercise: Exercise, answers: dict, seed: int, expected: dict, seconds: float) -> dict[str, dict]:
    """Task -> the records of its answer and check, each judged with every other answer that does not hang."""
    answers = {name: answers.get(name, LEFT_OUT) for name in exercise.tasks}
    stopped: dict[str, dict] = {}
    end = time.monotonic() + ALL_SECONDS
    while True:
        book, roles = course_notebook(exercise, answers, expected)
        records = _nbval(book, seed, seconds, end)
        _sound(records, roles)
        records = [record for record in records if record["cell"] >= 0]
        last = records[-1]
        role, task = roles[last["cell"]]
        if not last["stopped"]:
            _whole(records, roles)
            break
        if task is None or task in stopped:
            raise GraderFault(f"The course's own cell {last['cell']} was stopped ({last['stopped']}).")
        stopped[task] = {role: last}
        answers[task] = LEFT_OUT
    judged: dict[str, dict] = {name: {} for name in exercise.tasks}
    for record in records:
        role, task = roles[record["cell"]]
        if task:
            judged[task][role] = record
    return judged | stopped


def _sound(records: list[dict], roles: list) -> None:
    """Raise where what went wrong cannot be the learner's doing."""
    if not records:
        raise GraderFault("nbval ran no cell.")
    for record in records:
        if record["cell"] < 0:
            raise GraderFault(f"nbval could not run: {record['why'].strip().splitlines()[-1]}")
        if roles[record["cell"]][0] == "answer":
            return
        if record["outcome"] == "failed":
            error = record["error"] or {"ename": record["stopped"] or "it differs", "evalue": ""}
            raise GraderFault(f"The exercise's set-up fails here: {error['ename']}: {error['evalue']}")


def _whole(records: list[dict], roles: list) -> None:
    """Raise where nbval itself was ended before the last cell: by the machine, or by an answer."""
    if len(records) < len(roles):
        role, task = roles[len(records)]
        raise GraderFault(f"nbval was ended from outside, while the {role} cell of {task!r} ran.")


def _nbval(book: dict, seed: int, seconds: float, end: float) -> list[dict]:
    """The records of nbval_runner.py for a notebook, run in an empty folder and put an end to at `end`."""
    with tempfile.TemporaryDirectory(prefix="memlib-grade-", ignore_cleanup_errors=True) as folder:
        notebook, record = Path(folder, "work", "graded.ipynb"), Path(folder, "record.jsonl")
        notebook.parent.mkdir()
        notebook.write_text(json.dumps(book), encoding="utf-8")
        own = {"MEMLIB_SEED": str(seed), "MEMLIB_GRADING": "1", "IPYTHONDIR": str(Path(folder, "ipython"))}
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": None}
        command = [sys.executable, nbval_runner.__file__, str(notebook), str(record), str(seconds)]
        said = Path(folder, "said.txt")  # not a pipe: what an answer leaves running would hold it open
        with open(said, "wb") as heard:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=inherited(**own, **alone),
                stdin=subprocess.DEVNULL,
                stdout=heard,
                stderr=subprocess.STDOUT,
            )
        try:
            process.wait(timeout=max(1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise CourseError(f"These answers took longer than {ALL_SECONDS} s together and were stopped.") from None
        finally:
            if process.poll() is None:
                end_family(process.pid)
            sweep(folder)
            process.wait()
        if not record.exists():
            last = said.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise GraderFault(f"nbval did not start: {last}")
        return [json.loads(line) for line in record.read_text("utf-8").splitlines() if line.endswith("}")]


def _task(exercise: Exercise, name: str, answers: dict, records: dict, expected: str, extra: str) -> dict:
    task, points = exercise.tasks[name], 0
    state, said = _state(exercise, name, answers, records, expected, extra)
    if state == "passed":
        points = task.points
    elif state == "failed" and not any(record["error"] or record["stopped"] for record in records.values()):
        right, of = parts.tally(task, records["check"]["text"], expected)
        points = parts.earned(task, right, of) if right < of else 0
        said = f"{right} of {of} parts are right. {said}" if 0 < right < of else said
    return {
        "task": name,
        "kind": task.kind,
        "bonus": task.bonus,
        "points": points,
        "of": task.points,
        "state": "part" if 0 < points < task.points else state,
        "feedback": said,
        "next": task.next if state == "failed" else "",
    }


def _state(exercise, name, answers, records, expected, extra) -> tuple[str, str]:
    if name not in answers:
        return "missing", "The answer cell of this task is not in the file."
    if exercise.untouched(name, answers[name]):
        return "unanswered", UNANSWERED
    for record in records.values():
        if record["stopped"]:
            return "failed", STOPPED[record["stopped"]]
        if record["error"]:
            said = from_kernel(record["error"], answers[name]).sentence(exercise.tasks[name].hides, extra)
            return ("unanswered" if said == UNANSWERED else "failed"), said
    if records["check"]["outcome"] == "passed":
        return "passed", "As asked for."
    printed = records["check"]["text"]
    if parts.open_all(printed):
        return "unanswered", UNANSWERED
    unread = parts.unread(printed)
    return "failed", f"{unread}." if unread else first_difference(printed, expected) or "Something else was shown."


def verdict_text(verdict: dict) -> str:
    """A verdict for the terminal."""
    lines = [ISOLATION, f"{verdict['chapter']}: {verdict['points']} of {verdict['total']} points"]
    if verdict["bonus_total"]:
        lines[1] += f", bonus {verdict['bonus']} of {verdict['bonus_total']}"
    width = max(len(task["task"]) for task in verdict["tasks"])
    for task in verdict["tasks"]:
        bonus = "  bonus" if task["bonus"] else ""
        lines.append(f"  {task['task']:{width}}  {task['points']} of {task['of']}{bonus}  {task['feedback']}")
        if task["next"]:
            lines.append(f"  {'':{width}}          Look next: {task['next']}")
    lines += [f"  {note}" for note in verdict["notes"]]
    lines.append(f"{verdict['seconds']:.0f} s.")
    return "\n".join(lines)
