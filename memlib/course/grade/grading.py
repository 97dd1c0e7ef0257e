"""Grading: a learner's answers in the course's own notebook, judged by nbval against a fresh seed.

1. `submission`: the text of the answer cells is taken from the file, and nothing else.
2. `reference`: a fresh seed, and what the checks print for it with the course's own solutions.
3. `course_notebook`: the course's set-up, a cell for each task, and those outputs.
4. `nbval_runner`: nbval runs it in a process of its own and compares outside of the kernel. Each task's cell runs its
   answer and check in a process apart (`apart.py`), so that whatever an answer does costs its task alone. One that
   kills the kernel is left out, and the others are judged again.
5. `verdict`: task by task, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple
from pathlib import Path

from memlib.course.grade import apart, nbval_runner, submission
from memlib.course.grade.carry_out import asked
from memlib.course.grade.reference import fresh_reference
from memlib.course.notebook import parts
from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.sentences import ISOLATION, UNANSWERED, Failure
from memlib.course.paths import CourseError
from memlib.course.processes import end_family, sweep
from memlib.course.source import Exercise, load_exercise
from memlib.course.variables import inherited

FORMAT = 1
TASK_SECONDS = 15  # of processor time, for an answer and its check
OWN_SECONDS = 90  # a cell of the course's own
ALL_SECONDS = 240
STOPPED = {
    "slow": "It took too long and was stopped: does a loop end?",
    "died": "Its process died.",
    "loud": "It reported more than a million signs and was stopped.",
    "late": f"The answers took longer than {ALL_SECONDS // 60} minutes together: this one was not reached.",
}


class GraderFault(Exception):
    """Grading itself failed; nothing is said about the answers."""


def grade(path: Path, seed: int | None = None, seconds: float = TASK_SECONDS, edition=None, chapter=None) -> dict:
    """The verdict on the notebook at `path`; of a class's own `edition` (load_edition), or as a given chapter."""
    started = time.monotonic()
    handed = submission.read_submission(path)
    exercise = _asked(handed, edition, chapter)
    answers = submission.answers(handed, exercise)
    seed, expected = fresh_reference(exercise, seed)
    records = _judged(exercise, answers, seed, expected, seconds)
    tasks = [_task(exercise, name, answers, records.get(name), expected[name], handed.extra) for name in exercise.tasks]
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


def course_notebook(
    exercise: Exercise, answers: dict[str, str], expected: dict[str, str], seconds: float = TASK_SECONDS
) -> tuple[dict, list[str | None]]:
    """The notebook that is judged, and the task of each cell: None where it is the set-up's."""
    cells, tasks = [], []

    def add(task: str | None, source: str, limit: float, printed: str | None = None):
        outputs = [] if printed is None else [{"output_type": "stream", "name": "stdout", "text": printed}]
        metadata = {"seconds": limit} | ({} if printed is None else {"tags": ["nbval-check-output"]})
        cell = {"cell_type": "code", "id": f"c{len(cells)}", "execution_count": 1, "metadata": metadata}
        cells.append(cell | {"source": source, "outputs": outputs})
        tasks.append(task)

    for cell in exercise.cells:
        name = cell.options.get("check")
        if cell.kind != "code" or "look" in cell.options or "task" in cell.options:
            continue
        if name is None:
            add(None, cell.source, OWN_SECONDS)
        elif name in answers:
            one = astuple(asked(exercise.tasks[name], answers[name]))
            add(name, f"{apart.CALL}({seconds!r}, *{one!r})", apart.WALL * seconds + OWN_SECONDS, expected[name])
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, tasks


def _judged(exercise: Exercise, answers: dict, seed: int, expected: dict, seconds: float) -> dict[str, dict]:
    """Task -> the record of its cell. A task that ends the kernel is left out when the others are judged again."""
    answers, judged = dict(answers), {}
    end = time.monotonic() + ALL_SECONDS
    while True:
        book, tasks = course_notebook(exercise, answers, expected, seconds)
        records = _nbval(book, seed, seconds, end)
        _sound(records, tasks)
        found = {tasks[record["cell"]]: record for record in records if record["cell"] >= 0}
        last = records[-1]
        if not last["stopped"]:
            break
        killer = tasks[last["cell"]]
        if killer is None:
            raise GraderFault(f"The course's own cell {last['cell']} was stopped ({last['stopped']}).")
        judged[killer] = found[killer]
        del answers[killer]
    if len(records) < len(tasks) and time.monotonic() < end:
        raise GraderFault(f"nbval was ended from outside, while the cell of {tasks[len(records)]!r} ran.")
    late = {name: {"outcome": "failed", "stopped": "late", "error": None} for name in answers}
    return late | {name: record for name, record in found.items() if name} | judged


def _sound(records: list[dict], tasks: list[str | None]) -> None:
    """Raise where what went wrong cannot be the learner's doing."""
    if not records:
        raise GraderFault("nbval ran no cell.")
    for record in records:
        if record["cell"] < 0:
            raise GraderFault(f"nbval could not run: {record['why'].strip().splitlines()[-1]}")
        error = record["error"] or {"ename": record["stopped"] or "it differs", "evalue": ""}
        said = f"{error['ename']}: {error['evalue']}"
        if tasks[record["cell"]] is None and record["outcome"] == "failed":
            raise GraderFault(f"The exercise's set-up fails here: {said}")
        if record["error"] and error["ename"] != apart.NotRight.__name__:
            raise GraderFault(f"The cell of {tasks[record['cell']]!r} could not be judged: {said}")


def _nbval(book: dict, seed: int, seconds: float, end: float) -> list[dict]:
    """The records of nbval_runner.py until `end`, for a notebook that is run in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="memlib-grade-", ignore_cleanup_errors=True) as folder:
        notebook, record = Path(folder, "work", "graded.ipynb"), Path(folder, "record.jsonl")
        notebook.parent.mkdir()
        notebook.write_text(json.dumps(book), encoding="utf-8")
        own = {"MEMLIB_SEED": str(seed), "MEMLIB_GRADING": "1", "IPYTHONDIR": str(Path(folder, "ipython"))}
        own |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": None, "PYTEST_PLUGINS": None}
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
            pass
        finally:
            if process.poll() is None:
                end_family(process.pid)
            sweep(folder)
            process.wait()
        if not record.exists():
            last = said.read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise GraderFault(f"nbval did not start: {last}")
        return [json.loads(line) for line in record.read_text("utf-8").splitlines() if line.endswith("}")]


def _task(exercise: Exercise, name: str, answers: dict, record: dict | None, expected: str, extra: str) -> dict:
    task, points = exercise.tasks[name], 0
    state, said = _state(exercise, name, answers, record, expected, extra)
    if state == "passed":
        points = task.points
    elif state == "failed" and not (record["stopped"] or record["error"]):
        right, of = parts.tally(task, record["text"], expected)
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


def _state(exercise, name, answers, record, expected, extra) -> tuple[str, str]:
    if name not in answers:
        return "missing", "The answer cell of this task is not in the file."
    if exercise.untouched(name, answers[name]):
        return "unanswered", UNANSWERED
    if record["outcome"] == "passed":
        return "passed", "As asked for."
    wrong = json.loads(record["error"]["evalue"]) if record["error"] else {}
    if stopped := record["stopped"] or wrong.get("stopped"):
        return "failed", STOPPED[stopped]
    printed = record["text"]
    if "error" in wrong:
        said = Failure(**wrong["error"]).sentence(exercise.tasks[name].hides, extra)
        before = first_difference(printed, parts.as_far(expected, printed)) if printed else None
        return ("unanswered" if said == UNANSWERED else "failed"), " ".join(filter(None, (before, said)))
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
