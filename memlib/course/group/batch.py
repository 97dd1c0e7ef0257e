"""A class: every notebook of a folder graded by a command of its own, a few at a time, and the gradebook.

`memlib grade one FILE --json` is the verdict on one file. It is started as a subprocess with a clock of its own and
its stdin as a leash: when this command ends, however it ends, the leash is gone and so is the subprocess.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from memlib.course.grade import submission
from memlib.course.group import gradebook
from memlib.course.group.ledger import Ledger
from memlib.course.group.workers import Workers
from memlib.course.paths import CourseError, shown
from memlib.course.source import load_exercise
from memlib.course.write.editions import Edition

UNTRUSTED = (
    "No isolation is in force: these notebooks would run with your rights, and could read and change all that you can. "
    "Grade them in an account or a machine made for it, and say --i-trust-these."
)


@dataclass(frozen=True)
class Batch:
    """What every file of a class is graded with."""

    seed: int
    chapter: str
    edition: Edition | None = None

    def command(self, path: Path) -> list[str]:
        """The stateless command for one file."""
        own = ["--json", "--leash", "--seed", str(self.seed), "--chapter", self.chapter]
        own += ["--edition", str(self.edition.folder.resolve())] if self.edition else []
        # -P: what lies where this runs is not imported. Not path.resolve: a link stays one.
        return [sys.executable, "-P", "-m", "memlib.course.cli", "grade", "one", str(path.absolute()), *own]


def grade_class(folder: Path, out: Path, *, seed=None, chapter=None, edition=None, jobs=None, trusted=False) -> dict:
    """Grade what is not graded yet, and write the gradebook into `out`; the results as gradebook.collect gives them.

    seed: of the batch; a secret one unless given. CourseError where the folder, or what was asked, cannot be graded.
    """
    if seed is not None and seed < 1:
        raise CourseError(f"--seed is {seed}; wanted is a whole number from 1, for 0 asks with the visible numbers.")
    files = files_handed_in(Path(folder))
    if len(files) > 1 and not trusted:
        raise CourseError(UNTRUSTED)
    out.mkdir(parents=True, exist_ok=True)
    with Ledger(out / "ledger.sqlite") as ledger:
        chapter = chapter or ledger.setting("chapter") or commonest(files)
        exercise = edition.exercise(chapter) if edition else load_exercise(chapter)
        drawn = ledger.setting("seed") if seed is None else str(seed)
        about = {
            "chapter": chapter,
            "course": exercise.fingerprint(),
            "edition": (edition and edition.mark) or "public",
        }
        kept = ledger.settle(seed=drawn or str(secrets.randbelow(2**31 - 1) + 1), **about)
        for name, path in files.items():
            ledger.add(name, digest(path))
        ledger.reopen()
        try:
            jobs = jobs or max(1, (os.cpu_count() or 2) // 2)
            _grade(ledger, files, Batch(int(kept["seed"]), chapter, edition), jobs)
        finally:
            results = gradebook.collect(exercise, kept, ledger.rows(), files)
            gradebook.write_gradebook(results, out, files)
    return results


def files_handed_in(folder: Path) -> dict[str, Path]:
    """The notebooks of a folder, by name as it can be printed; nothing else of it is taken."""
    if not folder.is_dir():
        raise CourseError(f"{folder} is no folder.")
    found = sorted(path for path in folder.iterdir() if path.name.endswith(".ipynb") and not path.name.startswith("."))
    if not found:
        raise CourseError(f"{folder} holds no notebooks (.ipynb); wanted is one file a student.")
    return {path.name.encode("utf-8", "backslashreplace").decode(): path for path in found}


def commonest(files: dict[str, Path]) -> str:
    """The chapter that most of the files answer."""
    counted: Counter = Counter()
    for path in files.values():
        with contextlib.suppress(CourseError):
            counted[submission.read_submission(path).chapter()] += 1
    if not counted:
        raise CourseError("None of these notebooks says which exercise it is: say --chapter NN.")
    return counted.most_common(1)[0][0]


def digest(path: Path) -> str:
    """A fingerprint of a file; of what is no plain file only that."""
    if path.is_symlink() or not path.is_file():
        return "no file"
    try:
        with open(path, "rb") as file:
            return f"{path.stat().st_size} {hashlib.sha256(file.read(submission.MOST + 1)).hexdigest()}"
    except OSError:
        return "not readable"


def _grade(ledger: Ledger, files: dict[str, Path], batch: Batch, jobs: int) -> None:
    """Lease, grade and finish until nothing is pending; `jobs` at a time."""
    from tqdm import tqdm

    rows = [row for row in ledger.rows() if row["file"] in files]
    done = sum(row["state"] == "done" for row in rows)
    workers, running = Workers(batch.command), {}
    bar = tqdm(total=len(rows), initial=done, unit="file", desc="Grading", mininterval=1)
    with bar, _stoppable(), ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                while len(running) < jobs and (name := ledger.lease(files)):
                    running[pool.submit(workers.grade, files[name])] = name
                if not running:
                    break
                for job in wait(running, return_when=FIRST_COMPLETED).done:
                    bar.update(ledger.finish(running.pop(job), *job.result()))
        finally:
            workers.stop()


@contextlib.contextmanager
def _stoppable():
    """SIGTERM ends the command as Ctrl-C does: the subprocesses go too."""

    def stop(*_):
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def closing_text(results: dict, out: Path) -> str:
    """What the command says at its end."""
    counts = Counter(student["state"] for student in results["students"])
    parts = [f"{counts[state]} {state}" for state in ("graded", "refused", "fault", "pending") if counts[state]]
    lines = [results["isolation"], f"{results['chapter']}: {', '.join(parts)}. In {shown(out)}/: gradebook.csv,"]
    lines[-1] += " results.json, junit.xml, summary.html, feedback/."
    lines += [f"  {s['file']}: {s['problem']}" for s in results["students"] if s["problem"]]
    if counts["fault"]:
        lines.append("A fault says nothing about the answers and is no zero: the same command tries it again.")
    return "\n".join(lines)
