"""The environment variables of the course: each with its meaning and its default, read and handed on here alone.

`environment.py` and `lab.py`, which make runs without memlib, read make's own: TORCH_INDEX, PORT and BROWSER.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

DEFAULTS = {
    "MEMLIB_MY": "",  # the learner's own folder; default: my/ in the clone
    "MEMLIB_SEED": "0",  # what the numbers of an exercise's checks are drawn from; 0: those the notebook shows
    "MEMLIB_GRADING": "",  # 1: this kernel is run by the grader, so that no button is drawn
    "MEMLIB_BROWSER": "",  # all: the tests look at every lesson in Chromium, and fail without it
    "MEMLIB_VARIANTS": "",  # all: the tests run the variants of each task on five seeds
    "MEMLIB_CLAIMS": "",  # raise: a claim of a lesson that does not hold is an error, as it is under pytest
    "PYTEST_VERSION": "",  # set by pytest, and so under nbval
    "NBGRADER_EXECUTION": "",  # set by nbgrader: compare as `report` prints, and raise
    "PLOTLY_RENDERER": "",  # plotly's own: how a figure that is shown becomes an output
}


def setting(name: str) -> str:
    """What the variable says, else its default; KeyError for one that is not named above."""
    return os.environ.get(name, DEFAULTS[name])


def inherited(**changes: str | None) -> dict[str, str]:
    """The environment for a process that is started: this one's with changes; None leaves a variable out."""
    found = {**os.environ, **changes}
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def holding(**values: str) -> Iterator[None]:
    """Inside, the variables have these values; behind it those that they had, also after an error."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
