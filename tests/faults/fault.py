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

    def planted(self, root: Path = ROOT) -> str:
        """The file's text with the fault in it. Raises SystemExit where `old` does not stand there exactly once."""
        text = (root / self.file).read_text("utf-8")
        if text.count(self.old) != 1 or self.old == self.new:
            raise SystemExit(f"{self.file}: {self.old!r} must stand there once, and does {text.count(self.old)} times")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        before = (ROOT / self.file).read_text("utf-8").split(self.old)[0]
        cut = {name: " ".join(getattr(self, name).split()) for name in ("old", "new")}
        return f"{self.file}:{before.count(chr(10)) + 1}: {cut['old']} -> {cut['new']}"


def faults(file: str, tests: str, *rows: tuple) -> list[Fault]:
    """Faults of one file that the same tests should see: rows of (old, new), or (old, new, other tests).

    A row may be a Fault's own keywords behind those: (old, new, tests, equivalent).
    """
    return [Fault(file, row[2] if len(row) > 2 and row[2] else tests, *row[:2], *row[3:]) for row in rows]


def files(names: str, laws: str = "", but: str = "") -> str:
    """A selection: whole test files by name, and of the laws those on memories with one of these words in their names.

    Left out is what takes long, and what has one of the words of `but`.
    """
    left_out = f"compiles exported thousand million stays_near process {but}".split()
    wanted = " or ".join(
        [*(f"test_{name}" for name in names.split()), *(f"(test_laws and {word})" for word in laws.split())]
    )
    paths = " ".join(f"test_{name}.py" for name in dict.fromkeys([*names.split(), *(["laws"] if laws else [])]))
    return f"{paths} -k '({wanted}) and not ({' or '.join(left_out)})'"
