"""Under nbgrader a check fails by raising: there `report` compares with what is wanted as it prints.

nbgrader says by NBGRADER_EXECUTION that it runs the notebook, and puts its own copy of every check cell back before
that. What is wanted is found by the text of the check: in the public exercises, or in the `# wanted:` line that an
edition's checks end with.
"""

from __future__ import annotations

import json
from functools import cache

from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.report_text import digests, parts
from memlib.course.paths import ROOT

_at: list = [None, 0]  # the cell that is running, and how many reports it has made


@cache
def stored_checks() -> dict[str, str]:
    """The source of every check of the public exercises -> what it prints when all is right."""
    found = {}
    for path in sorted((ROOT / "exercises").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if "check" in cell["metadata"].get("memlib", {}):
                found["".join(cell["source"]).strip()] = "".join(cell["outputs"][0]["text"])
    return found


def agree(text: str) -> None:
    """Raise where a report differs from what is wanted; where nothing is known of the check, that is said."""
    from IPython import get_ipython

    shell = get_ipython()
    source = shell.user_ns["In"][-1].strip()
    _at[:] = [shell.execution_count, _at[1] + 1 if _at[0] == shell.execution_count else 1]
    whole = stored_checks().get(source)
    last = source.splitlines()[-1]
    wanted = last.removeprefix("# wanted: ") if last.startswith("# wanted: ") else whole and digests(whole)
    if not wanted:
        raise LookupError("This check is not one of the course's: nothing is known of what it should print.")
    place = _at[1] - 1
    if wanted.split()[place : place + 1] != [digests(text)]:
        raise AssertionError(_said(text, whole, place))


def _said(text: str, whole: str | None, place: int) -> str:
    wanted = parts(whole or "")[place : place + 1]
    return (wanted and first_difference(text, wanted[0])) or "This differs from what was asked for."
