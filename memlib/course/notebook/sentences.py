"""What is said to a learner about an error in an answer, by the grader and by `look` alike."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass

UNANSWERED = "Not answered yet."
ISOLATION = "Isolation: none. The answers ran with the rights of whoever graded them."
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Failure:
    """An error in a cell: its type and text, and the line of the answer that it came from."""

    kind: str
    text: str
    line: int | None = None
    code: str = ""  # the text of that line

    def is_open(self) -> bool:
        """Whether it comes of a blank that still stands in the answer: `...` or `raise NotImplementedError`."""
        return self.kind == "NotImplementedError" or "ellipsis" in self.text

    def sentence(self, hidden: list[str] = (), extra: str = "") -> str:
        """One sentence for the learner; `extra` is the code outside of the answer cells."""
        if self.is_open():
            return UNANSWERED
        last = re.sub(r" \((?:\d+\.py|<[^>]*>), line \d+\)$", "", (self.text.strip().splitlines() or [""])[-1][:300])
        said = f"{self.kind}: {last}" if self.line or self.kind not in ("ValueError", "TypeError") else last
        code = f" ({self.code})" if self.code else ""
        said = f"Line {self.line} of the answer{code}: {said}" if self.line else said
        said = said if said.endswith((".", "!", "?")) else said + "."
        name = re.search(r"name '(\w+)'", last)
        if self.kind in ("NameError", "ImportError", "AttributeError") and name:
            if name[1] in hidden:
                said += f" {name[1]} is away while this answer is graded: write it yourself."
            elif re.search(rf"^(?:def|class|import|from .* import)\s+{name[1]}\b|^{name[1]}\s*=", extra, re.M):
                said += f" Only the answer cell is graded: move {name[1]} into it."
        return said


def from_kernel(error: dict, answer: str) -> Failure:
    """A failure from the traceback that a kernel sent."""
    text = ANSI.sub("", "\n".join(map(str, error["traceback"])))
    lines = answer.splitlines()
    found = [int(n) for n, code in re.findall(r"^-*> ?(\d+) (.*)$", text, re.M) if _is_line(lines, int(n), code)]
    if not found and error["ename"] in ("SyntaxError", "IndentationError", "TabError"):
        found = [int(n) for n in re.findall(r"line (\d+)", text)][-1:]
    return Failure(str(error["ename"]), str(error["evalue"]), found[-1] if found else None)


def _is_line(lines: list[str], number: int, code: str) -> bool:
    return 1 <= number <= len(lines) and lines[number - 1].strip() == code.strip() != ""


def from_exception(error: BaseException, answer: str, quoted: bool = False) -> Failure:
    """A failure from an exception of this process; `quoted`: with the text of the line."""
    lines = answer.splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame.lineno for frame in frames if _is_line(lines, frame.lineno or 0, frame.line or "")]
    if not found and isinstance(error, SyntaxError):
        found = [error.lineno]
    line = found[-1] if found else None
    code = lines[line - 1].strip() if quoted and line and line <= len(lines) else ""
    return Failure(type(error).__name__, str(error), line, code)
