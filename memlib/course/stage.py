"""The stage on which an answer is graded: names the task asks for are away, and only `report` is heard."""

from __future__ import annotations

import io
import sys
from typing import TextIO

_away: list[tuple[dict, str, object]] = []
_before: list[tuple[TextIO, TextIO]] = []
_report_to: TextIO | None = None


class Nowhere(io.TextIOBase):
    """Swallows whatever is written: an answer may print what it likes. All else goes to the stream behind it."""

    def __init__(self, behind: TextIO):
        self.behind = behind

    def __getattr__(self, name: str):
        return getattr(self.behind, name)  # a kernel tells its stream which cell is running

    def write(self, text: str) -> int:
        """Forget the text."""
        return len(text)

    def close(self) -> None:
        """Stay open: what runs next writes here too."""


def begin(*hidden: str, space: dict | None = None, to: TextIO | None = None) -> None:
    """Hide the names (in memlib, in the module that defines them, in the notebook `space`) and all printing
    but that of `report`, which goes to `to` (default: where printing went before)."""
    global _report_to
    end()
    _report_to = to or sys.stdout
    _before.append((sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = Nowhere(sys.stdout), Nowhere(sys.stderr)
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
    global _report_to
    _report_to = None
    while _before:
        sys.stdout, sys.stderr = _before.pop()
    while _away:
        where, name, thing = _away.pop()
        where[name] = thing


def names(space: dict | None = None) -> None:
    """Give the notebook back what checks are made of, where an answer has used one of their names."""
    from memlib.course import inputs, number, report

    (vars(sys.modules["__main__"]) if space is None else space).update(inputs=inputs, number=number, report=report)


def say(text: str) -> None:
    """Print a report's text to where it is heard."""
    print(text, file=_report_to or sys.stdout, flush=True)
