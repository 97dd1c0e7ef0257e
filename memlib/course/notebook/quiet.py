"""While an answer is graded only `report` is heard."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import TextIO

_before: list[tuple[TextIO, TextIO]] = []
_report_to: TextIO | None = None
_plain_to: TextIO | None = None


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


def mute(to: TextIO | None = None, plain: TextIO | None = None) -> None:
    """Swallow all printing but that of `report`, which goes to `to` (default: where printing went before).

    plain: where it goes unsealed as well.
    """
    global _report_to, _plain_to
    unmute()
    _report_to, _plain_to = to or sys.stdout, plain
    _before.append((sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = Nowhere(sys.stdout), Nowhere(sys.stderr)


def unmute() -> None:
    """Put printing back."""
    global _report_to, _plain_to
    _report_to = _plain_to = None
    while _before:
        sys.stdout, sys.stderr = _before.pop()


def say(text: str, plain: Callable[[], str] = str) -> None:
    """Print a report's text to where it is heard; `plain` gives it unsealed, for whoever asked for that."""
    print(text, file=_report_to or sys.stdout, flush=True)
    if _plain_to:
        print(plain(), file=_plain_to)
