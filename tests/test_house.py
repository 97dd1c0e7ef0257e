"""The house: imports run one way, inside functions too; a name stands for one thing."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "memlib").rglob("*.py"))
FLOORS = [  # a module imports what stands below its floor, and what is in its own room
    "errors precision room",
    "kv",
    "attention",
    "memory",
    "stores",
    "parts",
    "memories",
    "state replay holding",
    "fast",
    "probe",
    "laws",
    "checking",
    "memlib",  # the package itself: what everybody imports
    "draw",
    "lm",
    "tasks",
    "hf",
    "picture",
    "widgets",
    "course",
]
ALONE = {"draw", "memories"}  # figures take arrays only; a mechanism imports no other (below: what draw may not)
ONLY_IN = {
    "plotly": {"draw", "picture", "widgets", "course"},
    "ipywidgets": {"widgets", "course"},
    "transformers": {"hf"},
    "faiss": {"stores"},
    "pymilvus": {"stores"},
}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    """The part of the house a module is in: memlib.draw.style -> draw."""
    return module.split(".")[1] if "." in module else module


def imported(path: Path) -> set[str]:
    """The modules that a file names in its imports, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inside}
    return found


MODULES = {dotted(path): path for path in FILES}
IMPORTS = {module: imported(path) - {module} for module, path in MODULES.items()}
FLOOR = {one: i for i, floor in enumerate(FLOORS) for one in floor.split()}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    here = room(module)
    for name in IMPORTS[module]:
        there = room(name)
        if name.split(".")[0] != "memlib":
            assert here in ONLY_IN.get(name.split(".")[0], {here}), f"{module} imports {name}"
        elif module != "memlib" and there != here:
            assert FLOOR[there] < FLOOR[here] and here != "draw", f"{module} imports {name}"
        elif here == "memories":
            raise AssertionError(f"{module} imports the mechanism {name}")


def test_no_circle_of_imports():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def defined(module: str) -> dict[str, str]:
    """The public classes and functions that a module defines."""
    nodes = ast.parse(MODULES[module].read_text("utf-8")).body
    kinds = (ast.ClassDef, ast.FunctionDef)
    return {node.name: type(node).__name__ for node in nodes if isinstance(node, kinds) and node.name[0] != "_"}


TWICE = {  # public names that stand for two things, and why they may
    "recipe": "memlib.recipe computes it, draw.recipe draws it",
    "view": "memlib.view computes it, draw.view draws it",
    "influence": "memlib.influence computes it, draw.influence draws it",
    "dye": "probe.dye marks the pairs, draw.dye shows the fact so marked",
    "one_fact": "tasks.one_fact measures it, widgets.one_fact lets a reader ask",
    "compare": "draw.compare holds two recipes against each other, widgets.compare steps memories through one text",
    "load": "lm.load reads weights, state.load a state",
    "main": "a command line each",
}


def test_no_two_modules_define_a_public_thing_of_one_name():
    places: dict[str, list[str]] = {}
    for module in MODULES:
        if room(module) != "fast":  # there a function bears the name of the method it stands for
            for name in defined(module):
                places.setdefault(name, []).append(module)
    twice = {name: where for name, where in places.items() if len(where) > 1 and name not in TWICE}
    assert not twice, twice
    assert all(len(places[name]) > 1 for name in TWICE)  # an exemption that is not needed goes


def given(package: str) -> set[str]:
    """The names that a package gives and that are no modules of it."""
    nodes = [n for n in ast.walk(ast.parse(MODULES[package].read_text("utf-8"))) if isinstance(n, ast.ImportFrom)]
    names = {f"{n.module}.{a.name}": a.asname or a.name for n in nodes if n.module in MODULES for a in n.names}
    return {name for place, name in names.items() if place not in MODULES} | set(defined(package))


@pytest.mark.parametrize("package", [module for module, path in MODULES.items() if path.name == "__init__.py"])
def test_no_module_bears_the_name_of_a_public_function_of_its_package(package):
    inside = {module.rpartition(".")[2] for module in MODULES if module.rpartition(".")[0] == package}
    assert not given(package) & inside


def test_the_library_loads_nothing_heavy():
    heavy = ("plotly", "ipywidgets", "transformers", "faiss", "pymilvus", "IPython", "nbformat", "pandas")
    code = f"import sys, memlib; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_planted_fault_stands_where_it_would_be_planted(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "faults"))
    areas = [path.stem for path in (ROOT / "tests" / "faults").glob("*.py")]
    rows = [one for area in areas if area != "__main__" for one in getattr(import_module(area), "FAULTS", [])]
    assert len(rows) > 600 and len(set(rows)) == len(rows)
    stale = [f"{one.file}: {one.old!r}" for one in rows if not one.stands()]
    assert not stale, "not in its file exactly once:\n" + "\n".join(stale)
