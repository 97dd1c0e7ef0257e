"""While an answer is graded, what the task asks for is away, and only `report` is heard.

A name of memlib stands in many places: the package, the module that defines it, those that import it, the tables of
fast forms, the list of its base's subclasses. While it is hidden every module of memlib is `Veiled`: looked at from
outside it does not show the thing, under whatever name. Its own functions still find it, so that a check may draw or
compare a memory that is made of hidden parts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TextIO

from memlib.course.notebook.quiet import mute, unmute
from memlib.course.notebook.reporting import report
from memlib.course.notebook.seeds import inputs, number

_hidden: list = []
_bindings: list[tuple[dict, str, object]] = []  # where the hidden things stood, and under which names


class Veiled(ModuleType):
    """A module that does not show what is hidden, nor tables with it: they are shown without."""

    def __getattribute__(self, name: str):
        value = super().__getattribute__(name)
        if name == "__dict__":
            return {key: _without(x) for key, x in value.items() if not _is_hidden(x)}
        if _is_hidden(value):
            raise AttributeError(f"module {super().__getattribute__('__name__')!r} has no attribute {name!r}")
        return _without(value)


def _is_hidden(x) -> bool:
    """Whether x is a hidden thing, or an object of a hidden class."""
    return any(x is thing or type(x) is thing for thing in _hidden)


def _without(x):
    """A table or list as it is, or, where hidden things are in it, a copy without them."""
    if type(x) is dict and any(map(_is_hidden, (*x, *x.values()))):
        return {key: value for key, value in x.items() if not _is_hidden(key) and not _is_hidden(value)}
    if type(x) in (list, tuple, set, frozenset) and any(map(_is_hidden, x)):
        return type(x)(one for one in x if not _is_hidden(one))
    return x


def _subclasses(cls) -> list[type]:
    return [one for one in type.__subclasses__(cls) if not _is_hidden(one)]


def begin(*hidden: str, space: dict | None = None, to: TextIO | None = None, plain: TextIO | None = None) -> None:
    """Hide the names (in all of memlib, and in the notebook `space`) and all printing but that of `report`, which
    goes to `to` (default: where printing went before), unsealed also to `plain`. AttributeError where memlib has no
    such name."""
    end()
    import memlib

    unknown = [name for name in hidden if not hasattr(memlib, name)]
    if unknown:
        raise AttributeError(f"memlib has no {unknown[0]!r} to hide")
    mute(to, plain)
    _hidden.extend(getattr(memlib, name) for name in hidden)
    space = vars(sys.modules["__main__"]) if space is None else space
    if _hidden:
        for where in (*map(vars, _modules()), space):
            _bindings.extend((where, name, x) for name, x in where.items() if any(x is thing for thing in _hidden))
        for name in [name for where, name, _ in _bindings if where is space]:
            del space[name]
        for module in _modules():
            module.__class__ = Veiled
        for base in _bases():
            base.__subclasses__ = classmethod(_subclasses)


def end() -> None:
    """Put hidden names and printing back."""
    unmute()
    for module in _modules():
        module.__class__ = ModuleType
    for base in _bases():
        if "__subclasses__" in vars(base):
            del base.__subclasses__
    for where, name, thing in _bindings:
        where[name] = thing
    _bindings.clear()
    _hidden.clear()


def _modules() -> list[ModuleType]:
    """The modules of memlib that are loaded."""
    loaded = [(name, module) for name, module in sys.modules.items() if isinstance(module, ModuleType)]
    return [
        module for name, module in loaded if name.split(".")[0] == "memlib" and type(module) in (ModuleType, Veiled)
    ]


def _bases() -> Iterator[type]:
    """The classes that hidden classes inherit from, as far as Python lets them be changed."""
    for thing in _hidden:
        for base in thing.__mro__[1:] if isinstance(thing, type) else ():
            if base.__flags__ & (1 << 9):  # made by a class statement
                yield base


def give_back(space: dict | None = None) -> None:
    """Give the notebook back what checks are made of, where an answer has used one of their names."""
    (vars(sys.modules["__main__"]) if space is None else space).update(inputs=inputs, number=number, report=report)
