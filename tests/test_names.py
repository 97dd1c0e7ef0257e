"""What other people's code, chapters and files hold on to: names and their parameters, weights, saved states.

`names.json` lists what chapters, docs and benchmarks take from memlib, where they take it; it was made before files
moved. Names and parameters may be added, none may go. `python tests/test_names.py` adds what is used and not listed.
"""

import importlib
import inspect
import json
import re
from pathlib import Path

import pytest
import torch
from examples import MEMORIES
from safetensors import safe_open
from safetensors.torch import save_file

from memlib import KV, lm, state

HERE = Path(__file__).parent
ROOT = HERE.parent
FROZEN = json.loads((HERE / "names.json").read_text("utf-8"))
SAVED = HERE / "saved"
PLAIN = (str, int, float, bool, type(None), tuple)
METHODS = ("init", "update", "read", "slots")  # of a memory; of another class all that are public


def module_at(place: str):
    """The module at that place, or None."""
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("memlib"):
            raise
    return None


def found(module: str, name: str):
    """The thing of that name, or None; a submodule too."""
    home = module_at(module)
    if hasattr(home, name):
        return getattr(home, name)
    return None if home is None else module_at(f"{module}.{name}")


def listed(module: str) -> list[str]:
    """What a module says it gives, or what is defined in it."""
    home = importlib.import_module(module)
    mine = [name for name, x in vars(home).items() if getattr(x, "__module__", "") == module]
    return getattr(home, "__all__", [name for name in mine if not name.startswith("_")])


def parameters(thing) -> dict[str, str | None]:
    """Parameter -> its default as text (None: it has none; ...: one that is made)."""
    told = {}
    if inspect.isclass(thing) and issubclass(thing, Exception) and "__init__" not in vars(thing):
        return {"*args": None}  # as any exception's
    for one in inspect.signature(thing).parameters.values():
        if one.name == "self":
            continue
        star = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        plain = isinstance(one.default, PLAIN) and " at 0x" not in repr(one.default)
        told[star + one.name] = None if one.default is one.empty else repr(one.default) if plain else "..."
    return told


def described(thing):
    """What is frozen of a thing: its parameters, for a class also those of its public methods; else its kind."""
    if inspect.isfunction(thing):
        return parameters(thing)
    if inspect.isclass(thing):
        own = {name for base in thing.__mro__ if base.__module__.startswith("memlib") for name in vars(base)}
        memory = all(callable(getattr(thing, name, None)) for name in METHODS)
        given = {name: getattr(thing, name) for name in (METHODS if memory else sorted(own)) if name[0] != "_"}
        calls = {name: parameters(one) for name, one in given.items() if callable(one)}
        return {"": parameters(thing)} | calls | {n: "value" for n, one in given.items() if isinstance(one, property)}
    return "module" if inspect.ismodule(thing) else "value"


def missing(was, now, where: str) -> list[str]:
    """What was promised and is not there, in words."""
    if isinstance(was, str) or isinstance(now, str):
        return [] if was == now else [f"{where} was a {kind(was)}, is a {kind(now)}"]
    if "" in was:
        gone = [f"{where}.{name}" for name in was if name not in now]
        kept = [missing(was[name], now[name], f"{where}.{name}".rstrip(".")) for name in was if name in now]
        return gone + [said for each in kept for said in each]
    said = [f"{where}({name}=)" for name in was if name not in now]
    said += [f"{where}({name}={now[name]}), was {was[name]}" for name in was if changed(name, was, now)]
    common = [name for name in now if name in was]
    said += [f"{where}: order {common}"] if common != [name for name in was if name in now] else []
    return said + [f"{where}({name}) is new and has no default" for name in now if needed(name, was, now)]


def changed(name: str, was: dict, now: dict) -> bool:
    """Whether a default is another; one that there was not may come."""
    return name in now and was[name] is not None and now[name] != was[name]


def needed(name: str, was: dict, now: dict) -> bool:
    return name not in was and now[name] is None and not name.startswith("*")


def kind(told) -> str:
    return told if isinstance(told, str) else "class" if "" in told else "function"


@pytest.mark.parametrize("module", FROZEN)
def test_every_name_and_parameter_is_still_there(module):
    lost = []
    for name, was in FROZEN[module].items():
        thing = found(module, name)
        lost += [f"{module}.{name}"] if thing is None else missing(was, described(thing), f"{module}.{name}")
    assert not lost, "gone or another: " + "; ".join(lost)


@pytest.mark.parametrize("name", lm.names())
def test_every_stored_weight_gives_the_logits_it_gave(name):
    """Parts are numbered by the order of their fields: weights read into other parts give other logits."""
    was = torch.tensor(json.loads((SAVED / "logits.json").read_text("utf-8"))[name])
    torch.testing.assert_close(logits_of(name), was, atol=2e-3, rtol=1e-4)


@torch.no_grad()
def logits_of(name: str) -> torch.Tensor:
    """What a model says of 16 bytes at four places of a text."""
    text = b"Mary has a cat, and the name of the cat is Minka. def find(name): return [one for one in names]"
    return lm.load(name)(torch.tensor([list(text)]))[0, 20:96:20, 96:112].float()


KINDS = sorted(path.stem for path in SAVED.glob("*.safetensors"))


def pairs(n: int) -> tuple[torch.Tensor, KV]:
    """Queries and pairs that are the same on every machine."""
    q, k = (torch.sin(torch.arange(5.0 * n, dtype=torch.float64) * a).view(n, 5) for a in (1.7, 2.3))
    return q, KV(k, torch.cos(torch.arange(3.0 * n, dtype=torch.float64) * 1.3).view(n, 3))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_saved_before_the_move_is_read_as_it_was(kind, tmp_path):
    q, kv = pairs(12)
    memory = MEMORIES[kind]()
    with safe_open(SAVED / f"{kind}.safetensors", "pt") as saved:
        about, file = saved.metadata(), {name: saved.get_tensor(name) for name in saved.keys()}
    was = file.pop("read")  # what it gave stands beside the state
    save_file(file, tmp_path / "state", metadata=about)
    mem = state.load(tmp_path / "state", memory.init(kv))
    held = {name: x for name, x in state.leaves(mem) if isinstance(x, torch.Tensor)}
    assert held.keys() == file.keys() and all(torch.equal(x, file[name]) for name, x in held.items())
    torch.testing.assert_close(memory.read(mem, q[-2:]), was, atol=1e-14, rtol=1e-13)


def test_a_state_of_each_kind_of_memory_was_saved():
    kinds = {type(MEMORIES[kind]()) for kind in KINDS}
    assert len(kinds) >= 15 and kinds <= {type(make()) for make in MEMORIES.values()}


@pytest.mark.parametrize(
    "was, now, words",
    [
        ({"a": None, "b": "1"}, {"a": None, "b": "1", "c": "2"}, []),
        ({"a": None, "b": "1"}, {"a": None}, ["f(b=)"]),
        ({"a": None, "b": "1"}, {"a": None, "b": "2"}, ["f(b=2), was 1"]),
        ({"a": None}, {"a": "1"}, []),
        ({"a": None, "b": None}, {"b": None, "a": None}, ["f: order ['b', 'a']"]),
        ({"a": None}, {"a": None, "c": None}, ["f(c) is new and has no default"]),
        ({"": {}, "go": {"a": None}}, {"": {}}, ["f.go"]),
        ({"a": None}, "value", ["f was a function, is a value"]),
    ],
)
def test_the_look_at_names_sees_what_is_lost(was, now, words):
    assert missing(was, now, "f") == words


def used() -> dict[str, list[str]]:
    """What the package lists, and what chapters, docs and benchmarks take: module -> names."""
    files = [p for folder in ("chapters", "benchmarks", "docs") for p in (ROOT / folder).rglob("*.[pm][yd]")]
    text = "\n".join(p.read_text("utf-8") for p in (*sorted(files), ROOT / "README.md"))
    taken = {(m, n) for m in ("memlib", *LISTS) for n in listed(m)}
    for module, names in re.findall(r"from (memlib[\w.]*) import (\([^)]*\)|[^\n\"\\#]*)", text):
        taken |= {(module, name) for name in re.findall(r"\b(?!as\b)[a-zA-Z_]\w*", re.sub("#.*", "", names))}
    modules = {f"{m}.{n}" for m, n in taken if inspect.ismodule(found(m, n))} | set(LISTS)
    for module in modules:
        for name in re.findall(rf"\b{module.rpartition('.')[2]}\.([a-zA-Z]\w*)", text):
            taken.add((module, name))
    told = {}
    for module, name in sorted(taken):
        thing = found(module, name)
        if thing is not None and not inspect.ismodule(thing):
            told.setdefault(module, []).append(name)
    return told


LISTS = (
    "memlib.course",
    "memlib.draw",
    "memlib.lm",
    "memlib.lm.data",
    "memlib.lm.facts",
    "memlib.probe",
    "memlib.state",
    "memlib.stores",
    "memlib.tasks",
    "memlib.widgets",
)


def add() -> None:
    """Adds to names.json what is used and not listed."""
    for module, names in used().items():
        mine = FROZEN.setdefault(module, {})
        mine |= {name: described(found(module, name)) for name in names if name not in mine}
    lines = [
        f" {json.dumps(module)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(told)}" for name, told in sorted(FROZEN[module].items()))
        + "\n }"
        for module in sorted(FROZEN)
    ]
    (HERE / "names.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    add()
