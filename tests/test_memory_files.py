"""A file in memlib/memories reads as its formula: how long it is, and how much of it is the mechanism."""

import ast
from pathlib import Path

import pytest

import memlib
from memlib.memory import METHODS, Memory, Promises

FOLDER = Path(memlib.__file__).parent / "memories"
FILES = sorted(path for path in FOLDER.glob("*.py") if path.stem != "__init__")
LONGER = {"compressive", "knn", "gated", "joint"}  # 80 lines
PROMISES = {*Promises._fields, "takes_bias", "suspect", "at_bytes"}  # the last two: to the leaderboard and detective


def lines_of(node: ast.AST) -> set[int]:
    return set(range(node.lineno, node.end_lineno + 1))


def docstrings(tree: ast.Module) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            found |= lines_of(node.body[0])
    return found


def measured(path: Path) -> tuple[int, int, float]:
    """Lines, lines of docstrings, and the share of the formula in what is no docstring, blank, decorator, class line
    or promise."""
    text = path.read_text("utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    told = docstrings(tree)
    counted = {n for n, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("@")} - told
    formula: set[int] = set()
    for node in [n for n in tree.body if isinstance(n, ast.ClassDef)]:
        counted -= {node.lineno}
        for part in node.body:
            names = [t.id for t in part.targets if isinstance(t, ast.Name)] if isinstance(part, ast.Assign) else []
            promised = isinstance(part, ast.FunctionDef) and part.name in PROMISES
            if promised or (names and set(names) <= PROMISES):
                counted -= lines_of(part)
            if isinstance(part, ast.FunctionDef) and part.name in METHODS:
                formula |= {n for one in part.body for n in lines_of(one)}
    return len(lines), len(told), len(formula & counted) / len(counted)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_a_memory_is_short_and_mostly_its_formula(path):
    lines, told, share = measured(path)
    assert lines <= (80 if path.stem in LONGER else 60), lines
    assert told <= 15, told  # one of the module, 14 of the class
    assert share >= 0.4, f"{share:.2f} of {path.stem} is formula"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_a_memory_holds_one_mechanism_and_no_long_function(path):
    tree = ast.parse(path.read_text("utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    here = [name for name in names if issubclass(getattr(memlib, name, object), Memory)]
    assert len(here) == 1, names
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in METHODS:
            body = node.body[1:] if ast.get_docstring(node) else node.body
            assert len({n for one in body for n in lines_of(one)}) <= 5, node.name


def test_every_memory_has_its_file_and_stands_in_the_package():
    memories = {cls.__name__ for name, cls in vars(memlib).items() if isinstance(cls, type) and issubclass(cls, Memory)}
    found = {
        type_.name for path in FILES for type_ in ast.parse(path.read_text()).body if isinstance(type_, ast.ClassDef)
    }
    assert memories - {"Memory"} <= found and len(memories) == len(FILES) + 1
