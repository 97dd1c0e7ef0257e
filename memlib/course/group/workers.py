"""Grading one file in a subprocess with a clock of its own, and understanding what it said."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from memlib.course.grade.grading import ALL_SECONDS
from memlib.course.processes import end_family
from memlib.course.variables import inherited

CLOCK = ALL_SECONDS + 60  # starting, and the reference
MOST = 4_000_000  # bytes of a verdict


class Workers:
    """The subprocesses that are at work; `command` says how one is started for a file."""

    def __init__(self, command: Callable[[Path], list[str]]):
        self.command, self.alive, self.stopped = command, set(), False

    def grade(self, path: Path) -> tuple[str, dict]:
        """What became of one file: "graded" and the verdict, or "refused" or "fault" and {"problem": sentence}."""
        try:
            return self._grade(path)
        except OSError as error:
            return "fault", {"problem": f"Grading could not be started: {error}."}

    def _grade(self, path: Path) -> tuple[str, dict]:
        with tempfile.TemporaryDirectory(prefix="memlib-one-", ignore_cleanup_errors=True) as folder:
            said, errors = Path(folder, "said"), Path(folder, "errors")
            with open(said, "wb") as heard, open(errors, "wb") as wrong:
                process = subprocess.Popen(
                    self.command(path),
                    cwd=folder,
                    env=inherited(TMPDIR=folder),
                    stdin=subprocess.PIPE,
                    stdout=heard,
                    stderr=wrong,
                    start_new_session=True,
                )
            self.alive.add(process)
            try:
                process.wait(0 if self.stopped else CLOCK)
            except subprocess.TimeoutExpired:
                return "fault", {"problem": f"Grading took longer than {CLOCK} s and was stopped."}
            finally:
                self.end(process)
            last = errors.read_text("utf-8", "replace").strip().splitlines()[-1:]
            return outcome(process.returncode, said.read_bytes()[: MOST + 1], "".join(last))

    def end(self, process: subprocess.Popen) -> None:
        """End a subprocess with all that it started."""
        if process.poll() is None:
            end_family(process.pid)
        with contextlib.suppress(OSError, AttributeError):  # its group: what has lost its parent; Windows has none
            os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
        process.wait()
        self.alive.discard(process)

    def stop(self) -> None:
        """End all."""
        self.stopped = True
        for process in list(self.alive):
            end_family(process.pid)


def outcome(code: int, text: bytes, last: str) -> tuple[str, dict]:
    """What `memlib grade one` said, by its exit code and output; what cannot be understood is a fault."""
    try:
        said = json.loads(text)
        if code == 0 and isinstance(said["points"], (int, float)) and isinstance(said["tasks"], list):
            return "graded", said
        if code in (1, 3) and isinstance(said["problem"], str):
            return {1: "refused", 3: "fault"}[code], {"problem": said["problem"]}
    except (ValueError, KeyError, TypeError):
        pass
    return "fault", {"problem": f"The grading process ended with code {code}. {last[:300]}".strip()}
