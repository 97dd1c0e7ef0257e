"""A fault, and how the areas write them down."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """In `file`, `old` (which must stand there exactly once) becomes `new`; `tests` should see it.

    tests: what pytest is given, from tests/: "test_kv.py", "test_laws.py -k 'chunk and window'". They take seconds.
    equivalent: why the program that comes of it does the same, where it does; then no test can see it.
    """

    file: str
    tests: str
    old: str
    new: str
    equivalent: str = ""

    def stands(self) -> bool:
        """Whether `old` stands in the file exactly once, and is changed."""
        return (ROOT / self.file).read_text("utf-8").count(self.old) == 1 and self.old != self.new

    def __str__(self) -> str:
        before = (ROOT / self.file).read_text("utf-8").split(self.old)[0]
        cut = {name: " ".join(getattr(self, name).split()) for name in ("old", "new")}
        return f"{self.file}:{before.count(chr(10)) + 1}: {cut['old']} -> {cut['new']}"


def faults(file: str, tests: str, *rows: tuple) -> list[Fault]:
    """Faults of one file that the same tests should see: rows of (old, new), or (old, new, other tests).

    A row may be a Fault's own keywords behind those: (old, new, tests, equivalent).
    """
    return [Fault(file, row[2] if len(row) > 2 and row[2] else tests, *row[:2], *row[3:]) for row in rows]


def files(names: str, laws: str = "", of: str = "", but: str = "") -> str:
    """A selection: whole test files by name, and laws with one of these words in their names, or in their memories'.

    of: words of which a law must have one too. Left out is what takes long, and what has one of the words of `but`.
    """
    left_out = f"compiles exported thousand million stays_near process {but}".split()
    wanted = [f"test_{name}" for name in names.split()]
    if laws:
        also = f" and ({' or '.join(of.split())})" if of else ""
        wanted.append(f"(test_laws and ({' or '.join(laws.split())}){also})")
    paths = " ".join(f"test_{name}.py" for name in [*names.split(), *(["laws"] if laws else [])])
    return f"{paths} -k '({' or '.join(wanted)}) and not ({' or '.join(left_out)})'"
