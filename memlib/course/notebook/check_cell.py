"""`%%check NAME`: what a check cell of an exercise runs as, in the notebook's own names and without leaving any there.

An open task or an error in an answer is one sentence in its output, which is then not what is wanted: so Run All goes
through an exercise from top to bottom, and nbval still finds what is not right. Under nbgrader it raises.
"""

from __future__ import annotations

import sys

from memlib.course import variables
from memlib.course.notebook import hide, nbgrader_check
from memlib.course.notebook.answers import as_run
from memlib.course.notebook.execution import execute
from memlib.course.notebook.sentences import from_exception


def register(shell) -> None:
    """Make `%%check` known to a notebook's kernel."""
    shell.register_magic_function(lambda line, cell: run_check(line.strip(), cell, shell), "cell", "check")


def run_check(name: str, cell: str, shell):
    """Run the text of a check cell, the first line apart; only `report` is heard. Under nbgrader it gives points."""
    space = dict(shell.user_ns)
    nbgrader_check.check_begins(cell)
    hide.give_back(space)
    hide.begin(to=sys.stdout, space=space)
    try:
        error = execute(cell, space, f"<check {name}>")
    finally:
        hide.end()
    if error is not None and variables.setting("NBGRADER_EXECUTION"):
        raise error
    if error is not None:
        print(from_exception(error, as_run(name) or "").sentence())
    return nbgrader_check.points()
