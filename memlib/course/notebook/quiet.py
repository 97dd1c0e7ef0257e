"""While an answer is graded only `report` is heard."""

from __future__ import annotations

import io
import sys
from typing import TextIO

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


def mute(to: TextIO | None = None) -> None:
    """Swallow all printing but that of `report`, which goes to `to` (default: where printing went before)."""
    global _report_to
    unmute()
    _report_to = to or sys.stdout
    _before.append((sys.stdout, sys.stderr))
    sys.stdout, sys.stderr = Nowhere(sys.stdout), Nowhere(sys.stderr)


def unmute() -> None:
    """Put printing back."""
    global _report_to
    _report_to = None
    while _before:
        sys.stdout, sys.stderr = _before.pop()


def say(text: str) -> None:
    """Print a report's text to where it is heard."""
    print(text, file=_report_to or sys.stdout, flush=True)
