"""A task graded in a process of its own, which begins from the kernel's set-up and ends with it.

`judge` is what the graded notebook calls in one cell for each task. It forks: answer and check run in the child, which
cannot be heard but for what its checks report, has a limit of processor time, and sends one message back. Where a
process cannot be forked, a fresh one runs the set-up again. What went wrong is raised as one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import time
import warnings
from dataclasses import asdict

from memlib.course.grade.carry_out import Asked, carry_out
from memlib.course.notebook.execution import execute
from memlib.course.notebook.quiet import Nowhere
from memlib.course.notebook.sentences import Failure, from_exception
from memlib.course.processes import end_family

CALL = "__import__('memlib.course.grade.apart').course.grade.apart.judge"
WALL = 4  # times the processor time that is allowed
MOST = 1_000_000  # bytes that a task may report
HEAD = struct.Struct(">Q")
FORKS = hasattr(os, "fork") and sys.platform != "darwin"


class NotRight(Exception):
    """What came in the way of an answer, as JSON: {"error": {kind, text, line}} or {"stopped": why}."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # IPython asks for it, and would look for the lines of every frame otherwise


def judge(seconds: float, *fields) -> None:
    """Print what the check of a task reports; NotRight where the answer ended with an error, or was stopped."""
    one = Asked(*fields)
    said = forked(one, seconds, vars(sys.modules["__main__"])) if FORKS else anew(one, seconds)
    print(said.pop("text", ""), end="", flush=True)
    if said:
        raise NotRight(json.dumps(said)) from None


def told_of(one: Asked, space: dict, *how) -> dict:
    """The message about a task that is carried out in this process."""
    printed = carry_out(one, space, *how)
    if printed.error is None:
        return {"text": printed.text}
    try:
        failure = from_exception(printed.error, one.answer)
    except BaseException:  # the error is of the answer's own class, and cannot even be shown
        failure = Failure(type(printed.error).__name__, "")
    return {"text": printed.text, "error": asdict(failure)}


def forked(one: Asked, seconds: float, space: dict) -> dict:
    """The message of a child that is forked from this process."""
    hear, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none but its own
        child = os.fork()
    if child == 0:
        try:
            _alone(tell, seconds)
            _send(tell, told_of(one, space, *_shell()))
        finally:
            os._exit(0)
    os.close(tell)
    said = None
    try:
        said = _heard(hear, time.monotonic() + WALL * seconds)
    finally:
        os.close(hear)
        used = _end(child)
    return said or {"stopped": "slow" if used > seconds - 1 else "died"}


def _end(child: int) -> float:
    """End a child and its whole session; the processor time that it took."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    _, _, usage = os.wait4(child, 0)
    return usage.ru_utime + usage.ru_stime


def _alone(tell: int, seconds: float) -> None:
    """In the child: a session of its own, a limit of processor time, and no way to be heard but `tell`."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _limit(seconds)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    for number in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):
            if number > 2 and number != tell and not _is_file(os.fstat(number).st_mode):
                os.close(number)  # the kernel's sockets
    sys.stdin, sys.stdout, sys.stderr = open(os.devnull), Nowhere(io.StringIO()), Nowhere(io.StringIO())


def _limit(seconds: float) -> None:
    """Processor time, as far as this system knows limits; and no core files."""
    with contextlib.suppress(ImportError):
        import resource

        whole = max(1, math.ceil(seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))


def _is_file(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISCHR(mode)


def _shell() -> tuple:
    """How an answer is carried out in a kernel: with its magics, and nothing that it displays goes anywhere."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return ()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.session.send = lambda *_, **__: None

    def entered(space: dict) -> None:
        shell.user_ns = space

    return shell.transform_cell, entered


def _send(tell: int, message: dict) -> None:
    text = json.dumps(message).encode()
    with open(tell, "wb", closefd=False) as out:
        out.write(HEAD.pack(len(text)) + text)


def _heard(hear: int, end: float) -> dict | None:
    """The message; None where its sender ended without one."""
    got = b""
    while len(got) < HEAD.size or len(got) < HEAD.size + HEAD.unpack(got[: HEAD.size])[0]:
        if len(got) > HEAD.size + MOST:
            return {"stopped": "loud"}
        if not select.select([hear], [], [], max(0.0, end - time.monotonic()))[0]:
            return {"stopped": "slow"}
        more = os.read(hear, 1 << 16)
        if not more:
            return None
        got += more
    return _understood(got[HEAD.size :])


def _understood(text: bytes) -> dict | None:
    """A message that has the form it should have; its sender may have been anybody."""
    try:
        said = json.loads(text)
        error = said.get("error")
        kept = {"text": str(said["text"])}
        if error is not None:
            line = error["line"]
            kept["error"] = {
                "kind": str(error["kind"]),
                "text": str(error["text"])[:2000],
                "line": None if line is None else int(line),
            }
        return kept
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def anew(one: Asked, seconds: float) -> dict:
    """The message of a fresh process that runs the kernel's set-up again: slower, and the same in effect."""
    from IPython import get_ipython

    return started(one, [source for source in get_ipython().user_ns["In"] if CALL not in source], seconds)


def started(one: Asked, setup: list[str], seconds: float) -> dict:
    """The message of a process that is told what to do by its stdin."""
    told = {"asked": asdict(one), "setup": setup, "seconds": seconds}
    command = [sys.executable, "-P", "-m", "memlib.course.grade.apart"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **pipes, start_new_session=True)
    try:
        text, _ = process.communicate(json.dumps(told).encode(), timeout=WALL * seconds + 60)
    except subprocess.TimeoutExpired:
        return {"stopped": "slow"}
    finally:
        end_family(process.pid)
        process.wait()
    if len(text) > HEAD.size + MOST:
        return {"stopped": "loud"}
    slow = process.returncode == -getattr(signal, "SIGXCPU", 0)
    return _understood(text[HEAD.size :]) or {"stopped": "slow" if slow else "died"}


def main() -> None:
    """The fresh process."""
    told, tell, nowhere = json.load(sys.stdin), os.dup(1), os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    sys.stdout, space = Nowhere(io.StringIO()), {"__name__": "__main__"}
    for source in told["setup"]:
        error = execute(source, space, "<set-up>")
        if error is not None:
            raise error
    _limit(told["seconds"] + time.process_time())
    _send(tell, told_of(Asked(**told["asked"]), space))
    os._exit(0)


if __name__ == "__main__":
    main()
