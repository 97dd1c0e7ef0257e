"""Processes and all that they start: ending them, and being ended with whoever started this one."""

from __future__ import annotations

import contextlib
import os
import threading


def end_family(pid: int) -> None:
    """End a process and all below it; nothing happens where it has ended."""
    import psutil

    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def leash() -> None:
    """End this process, with all below it, as soon as its stdin is closed: whoever started it is gone."""

    def hold() -> None:
        while os.read(0, 1000):  # not sys.stdin, whose lock would be held at the end
            pass
        end_family(os.getpid())

    threading.Thread(target=hold, daemon=True).start()


def sweep(folder: str) -> None:
    """End what an answer has left running in the folder it ran in."""
    import psutil

    for process in psutil.process_iter(["cwd"]):
        if (process.info["cwd"] or "").startswith(os.path.realpath(folder)):
            with contextlib.suppress(psutil.Error):
                process.kill()
