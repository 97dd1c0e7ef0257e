"""While an answer is graded, names that the task asks for are away, and only `report` is heard."""

from __future__ import annotations

import sys
from typing import TextIO

from memlib.course.notebook.quiet import mute, unmute
from memlib.course.notebook.reporting import report
from memlib.course.notebook.seeds import inputs, number

_away: list[tuple[dict, str, object]] = []


def begin(*hidden: str, space: dict | None = None, to: TextIO | None = None) -> None:
    """Hide the names (in memlib, in the module that defines them, in the notebook `space`) and all printing
    but that of `report`, which goes to `to` (default: where printing went before)."""
    end()
    mute(to)
    for name in hidden:
        _hide(name, vars(sys.modules["__main__"]) if space is None else space)


def _hide(name: str, space: dict) -> None:
    import memlib

    thing = getattr(memlib, name, None)
    if thing is None:
        raise AttributeError(f"memlib has no {name!r} to hide")
    home = sys.modules.get(getattr(thing, "__module__", "memlib"), memlib)
    for where in (vars(memlib), vars(home), space):
        if where.get(name) is thing:
            _away.append((where, name, where.pop(name)))


def end() -> None:
    """Put hidden names and printing back."""
    unmute()
    while _away:
        where, name, thing = _away.pop()
        where[name] = thing


def names(space: dict | None = None) -> None:
    """Give the notebook back what checks are made of, where an answer has used one of their names."""
    (vars(sys.modules["__main__"]) if space is None else space).update(inputs=inputs, number=number, report=report)
