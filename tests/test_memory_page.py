"""docs/memory.md says what memory.py does: methods, promises and defaults, fields, tables, code that runs."""

import inspect
import re

import pytest

import memlib
from memlib import memory
from memlib.course.paths import ROOT

TEXT = (ROOT / "docs" / "memory.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| (.+?) \|(?: .* \|)?$", TEXT, re.M)


def test_the_methods_are_those_of_the_code():
    found = {re.match(r"\w+", first)[0]: first for first, _ in ROWS}
    for name in memory.METHODS:
        signature = inspect.signature(getattr(memlib.Memory, name))
        plain = [part.replace(annotation=part.empty) for part in signature.parameters.values()][1:]
        assert found[name] == name + str(inspect.Signature(plain))
    signature = inspect.signature(memlib.attend_all)
    plain = inspect.Signature([part.replace(annotation=part.empty) for part in signature.parameters.values()])
    assert f"`attend_all{plain}`" in TEXT


def test_the_promises_and_their_defaults_are_those_of_the_code():
    found = {first: default.strip("`") for first, default in ROWS if first in memory.Promises._fields}
    wanted = {name: str(default) for name, default in memory.Promises._field_defaults.items()}
    assert found == wanted | {"merges": "as `softmax"}, "merges is as softmax where it is silent"
    silent = memory.promises(object())
    assert {name: str(value) for name, value in silent._asdict().items()} == wanted


def test_the_kinds_of_fields_and_the_tables_are_those_of_the_code():
    public = {name: x for name, x in vars(memory).items() if inspect.isfunction(x) and not name.startswith("_")}
    makes = re.compile(r"return (given|_field|dataclasses\.field)\(")
    made = {
        name for name, x in public.items() if x.__module__ == memory.__name__ and makes.search(inspect.getsource(x))
    }
    listed = {re.match(r"\w+", first)[0] for first, _ in ROWS if "(" in first}
    assert made == listed - set(memory.METHODS)
    tables = [name for name, value in vars(memory).items() if isinstance(value, dict) and name.isupper()]
    assert tables == re.findall(r"`([A-Z]{3,})`", TEXT)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`memlib\.([\w.]+)", TEXT))))
def test_every_name_of_memlib_exists(name):
    found = memlib
    for part in name.split("."):
        found = getattr(found, part)


def test_its_code_runs_and_finds_no_difference(capsys):
    code = re.search(r"```python\n(.*?)```", TEXT, re.S)[1]
    exec(compile(code, "docs/memory.md", "exec"), {"__name__": "__main__"})
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "no difference in 48 steps" and re.fullmatch(r"\d+ laws hold", " ".join(rest))
