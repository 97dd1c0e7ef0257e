"""The stubs of a new memory: `make new NAME=ladder`.

Writes memlib/memories/ladder.py (a window of two, which works: the thing to change) and tests/test_ladder.py, and puts
`Ladder` into memlib/__init__.py and tests/examples.py, from where the laws, the leaderboard and the benchmarks take it.
"""

from __future__ import annotations

import bisect
import keyword
import re
import sys
from pathlib import Path

from memlib.course.paths import ROOT, CourseError

MECHANISM = '''"""{Words}: one sentence on what is kept, and what is not."""

from memlib.memory import Memory, frozen


@frozen
class {Name}(Memory):
    """Mem_t = the newest two pairs. A step costs O(d). (Who wrote of it?)"""

    softmax = convex = bounded = chunkable = takes_bias = True

    @classmethod
    def at_bytes(cls, size):
        return cls()  # on the leaderboard, where a pair takes 256 of `size` bytes

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new, keep=2)  # change this line

    def slots(self, mem):
        return mem
'''

TEST = '''"""{Words}: what its slots hold, in closed form."""

import torch

from memlib import {Name}, recipe


def test_the_slots_hold_what_the_formula_says():
    held = recipe({Name}(), torch.randn(5, 3))
    for t, got in enumerate(held):
        assert torch.equal(got, torch.eye(5)[max(t - 1, 0) : t + 1])  # the newest two pairs
'''


def new_memory(name: str, root: Path = ROOT) -> list[Path]:
    """Writes the stubs of a memory called `name` (lower case, words joined by _) and returns the files it touched.

    Raises CourseError for what is no such name, and where something is called so already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise CourseError(f"NAME must be lower-case words joined by _, such as ladder or key_norm, got {name!r}")
    camel = "".join(word.capitalize() for word in name.split("_"))
    file, test = root / f"memlib/memories/{name}.py", root / f"tests/test_{name}.py"
    package, examples = root / "memlib/__init__.py", root / "tests/examples.py"
    taken = next((path for path in (file, test) if path.exists()), None)
    if taken or re.search(rf"\b{camel}\b", package.read_text("utf-8"), re.IGNORECASE):
        raise CourseError(f"NAME: {taken or f'{camel} in memlib/__init__.py'} is there already")
    words = name.replace("_", " ")
    for path, text in ((file, MECHANISM), (test, TEST)):
        path.write_text(text.format(Name=camel, Words=words.capitalize()), "utf-8")
    change(package, f"from memlib.memories.{name} import {camel}", r"from memlib\.memories\..*")
    change(package, f'    "{camel}",', r'    "[A-Z]\w*[a-z]\w*",')
    change(examples, f"    {camel},", r"    [A-Z]\w*[a-z]\w*,")
    change(examples, f'    "{words}": lambda: {camel}(),', r'    "[^"]*": lambda: .*', ordered=False)
    return [file, package, examples, test]


def change(path: Path, line: str, like: str, ordered: bool = True) -> None:
    """Puts a line into the first run of lines that are `like` it, at its place in the alphabet or at the end."""
    lines = path.read_text("utf-8").split("\n")
    start = next(i for i, old in enumerate(lines) if re.fullmatch(like, old))
    end = next(i for i in range(start, len(lines)) if not re.fullmatch(like, lines[i]))
    at = bisect.bisect(lines[start:end], line) if ordered else end - start
    lines.insert(start + at, line)
    path.write_text("\n".join(lines), "utf-8")


def main(argv: list[str]) -> int:
    """The command line."""
    try:
        touched = new_memory(argv[0] if argv else "")
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(str(path.relative_to(ROOT)) for path in touched))
    print("Change update in the first; then: pytest tests/test_laws.py " + str(touched[-1].relative_to(ROOT)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
