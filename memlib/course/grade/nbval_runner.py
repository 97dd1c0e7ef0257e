"""nbval as the judge, in a process of its own: `python nbval_runner.py NOTEBOOK RECORD CELL_SECONDS`.

Runs the notebook's cells under nbval and writes one JSON line a cell: outcome, what was printed, the error. Stops at
the first cell that takes too long or kills its kernel, within a second of it. It imports nothing of memlib, so that
starting it is cheap; grading.py writes the notebook and reads the record.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from queue import Empty

MOST = 200_000
LOUD = 2_000_000


class Record:
    """A pytest plugin that writes down what became of each cell."""

    def __init__(self, path: str, notebook: str):
        self.file = open(path, "w", encoding="utf-8")
        self.notebook = Path(notebook)
        self.limit = None

    def pytest_collection_finish(self, session):
        """The notebook holds the expected outputs: once read it is gone before any answer runs."""
        self.notebook.unlink()

    def pytest_runtest_setup(self, item):
        """A cell of the course's own may take longer than an answer: the first one imports torch."""
        if self.limit is None:
            self.limit = item.config.option.nbval_cell_timeout
        item.config.option.nbval_cell_timeout = item.cell.metadata.get("seconds", self.limit)

    def pytest_runtest_logreport(self, report):
        """Nothing is heard of set-up and tear-down unless they fail."""
        if report.when != "call" and report.failed:
            self.write(cell=-1, outcome="broken", why=str(report.longrepr)[-2000:])

    def pytest_runtest_makereport(self, item, call):
        """One line a cell; a timeout or a dead kernel ends the run."""
        if call.when != "call":
            return
        stopped = "slow" if item.parent.timed_out else None
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, KernelDied) or "Kernel dead on test start" in str(error):
            stopped = "died"
        if isinstance(error, TooLoud):
            stopped = "loud"
        failed = call.excinfo is not None
        self.write(cell=item.cell_num, outcome="failed" if failed else "passed", stopped=stopped, **heard(item))
        if stopped:
            item.session.shouldstop = stopped

    def write(self, **line) -> None:
        """Append a line at once: the process may be killed."""
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


class KernelDied(RuntimeError):
    """The kernel's process ended while a cell ran."""


class TooLoud(RuntimeError):
    """A cell sent more than LOUD signs."""


def heard(item) -> dict:
    """What a cell printed, and the error it ended with."""
    outputs = getattr(item, "test_outputs", None) or []
    text = "".join(out.get("text", "") for out in outputs if out.get("name") == "stdout")
    errors = [out for out in outputs if out["output_type"] == "error"]
    error = {key: errors[-1][key] for key in ("ename", "evalue", "traceback")} if errors else None
    return {"text": text[:MOST], "error": error}


def await_reply(kernel, msg_id, timeout=None) -> None:
    """nbval's wait for the end of a cell, but with an eye on the kernel being alive."""
    end = time.monotonic() + timeout
    while True:
        try:
            message = kernel.get_message(stream="shell", timeout=0.5)
        except Empty:
            if not kernel.is_alive():
                raise KernelDied from None
            if time.monotonic() > end:
                raise
            continue
        if message["parent_header"].get("msg_id") == msg_id:
            return


def listener(get_message):
    """nbval's get_message, which gives up where the kernel sends more than LOUD signs in one cell."""
    sent = {}

    def get(kernel, stream, timeout=None):
        message = get_message(kernel, stream, timeout)
        if stream == "iopub":
            cell, content = message["parent_header"].get("msg_id"), message["content"]
            sent[cell] = sent.get(cell, 0) + len(content.get("text", "")) + len(str(content.get("data", "")))
            if sent[cell] > LOUD:
                raise TooLoud
        return message

    return get


def main(notebook: str, record: str, seconds: str) -> int:
    """Run nbval over the notebook; pytest's exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the kernel inherits it: what an answer writes there is lost
    sys.path.pop(0)  # this file's folder: no module of it is meant to be imported by its bare name
    sys.modules["rfc3987_syntax"] = None  # jsonschema does without; its import takes a second
    import pytest
    from nbval.kernel import RunningKernel

    RunningKernel.await_reply = await_reply
    RunningKernel.get_message = listener(RunningKernel.get_message)
    options = ["-p", "nbval.plugin", "-p", "no:cacheprovider", "--noconftest", "-c", os.devnull, "-q", "-q"]
    options += ["--rootdir", str(Path(notebook).parent), "--nbval-lax", "--nbval-current-env"]
    options += ["--nbval-cell-timeout", seconds, notebook]
    return pytest.main(options, plugins=[Record(record, notebook)])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
