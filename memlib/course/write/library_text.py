"""The library's own text as a lesson's cell: `# %% show="memlib.Window"`.

The class as it stands in its file, renamed `Mine`, without docstrings and type hints, under the imports that it needs,
so that it runs in any notebook and cannot drift from the library. (Annotations in the body of a class stay: they make
the fields of a dataclass.)
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import sys

MOST = 30  # lines of the class, without blank ones
GONE = b"\0"  # where a docstring stood


def library_text(name: str, most: int = MOST) -> str:
    """The cell that shows `memlib.Window`. ValueError where there is no such class, or it has over `most` lines."""
    cls = _found(name)
    module = sys.modules[cls.__module__]
    whole = inspect.getsource(module)
    node = next(one for one in ast.parse(whole).body if isinstance(one, ast.ClassDef) and one.name == cls.__name__)
    text = _bare(whole.splitlines(), node)
    lines = sum(line.strip() != "" for line in text.splitlines())
    if lines > most:
        raise ValueError(f"{name} has {lines} lines without docstrings and type hints; a cell shows at most {most}")
    return "\n".join(_imports(text, module)) + "\n\n\n" + text


def _found(name: str) -> type:
    place, _, last = name.rpartition(".")
    try:
        cls = getattr(importlib.import_module(place), last)
    except (ImportError, AttributeError, ValueError):
        raise ValueError(f"there is no {name!r} in the library") from None
    if not isinstance(cls, type):
        raise ValueError(f"{name} is no class")
    return cls


def _bare(lines: list[str], node: ast.ClassDef) -> str:
    """The text of a class without docstrings and hints, called Mine; what is cut is found by line and column."""
    cuts = {cut for part in ast.walk(node) for cut in _cuts(part)}
    cuts |= {cut for cut in _renamed(lines, node) if not any(old[:2] <= cut[:2] < old[2:4] for old in cuts)}
    kept = [line.encode() for line in lines]
    for row, start, end_row, end, new in sorted(cuts, reverse=True):
        kept[row - 1 : end_row] = [kept[row - 1][:start] + new + kept[end_row - 1][end:]]
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    last = node.end_lineno - (len(lines) - len(kept))
    return "\n".join(_without_gaps([line.decode() for line in kept[first - 1 : last]]))


def _renamed(lines: list[str], node: ast.ClassDef):
    """Where the class is named: (line, column, last line, last column, what stands there instead)."""
    at = lines[node.lineno - 1].encode().index(node.name.encode())
    yield node.lineno, at, node.lineno, at + len(node.name), b"Mine"
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id == node.name:
            yield part.lineno, part.col_offset, part.end_lineno, part.end_col_offset, b"Mine"


def _cuts(part: ast.AST):
    """What goes of a part: its docstring, the hints of its arguments, of what it returns and of its variables."""
    if isinstance(part, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(part) is not None:
        doc = part.body[0]
        yield doc.lineno, doc.col_offset, doc.end_lineno, doc.end_col_offset, b"pass" if len(part.body) == 1 else GONE
    if isinstance(part, ast.arguments):
        yield from _argument_hints(part)
    if isinstance(part, ast.FunctionDef) and part.returns:
        hint = part.returns
        yield hint.lineno, hint.col_offset - len(" -> "), hint.end_lineno, hint.end_col_offset, b""
    for inner in ast.walk(part) if isinstance(part, ast.FunctionDef) else ():
        if isinstance(inner, ast.AnnAssign) and inner.value:
            target, hint = inner.target, inner.annotation
            yield target.end_lineno, target.end_col_offset, hint.end_lineno, hint.end_col_offset, b""


def _argument_hints(all_of: ast.arguments):
    """The hints of arguments, with the spaces that an `=` has only beside a hint."""
    plain = [*all_of.posonlyargs, *all_of.args]
    defaults = [None] * (len(plain) - len(all_of.defaults)) + all_of.defaults
    pairs = [*zip(plain, defaults, strict=True), *zip(all_of.kwonlyargs, all_of.kw_defaults, strict=True)]
    for one, default in [*pairs, (all_of.vararg, None), (all_of.kwarg, None)]:
        if one and one.annotation:
            hint, start = one.annotation, one.col_offset + len(one.arg.encode())
            end = (default.lineno, default.col_offset) if default else (hint.end_lineno, hint.end_col_offset)
            yield one.lineno, start, *end, b"=" if default else b""


def _without_gaps(lines: list[str]) -> list[str]:
    """Without the lines of docstrings, and the blank ones below them."""
    kept: list[str] = []
    skip = False
    for line in lines:
        if line.strip() == GONE.decode():
            skip = True
        elif line.strip() or not skip:
            kept.append(line)
            skip = False
    return kept


def _imports(text: str, module) -> list[str]:
    """The imports without which the text would not run, as its file has them."""
    tree = ast.parse(text)
    used = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)}
    stored = {p.id for p in ast.walk(tree) if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    stored |= {p.arg for p in ast.walk(tree) if isinstance(p, ast.arg)} | {"Mine"}
    wanted = {name for name in used if name not in vars(builtins) and name in vars(module)}
    found: list[str] = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(node, "module", "") != "__future__":
            node.names = [one for one in node.names if (one.asname or one.name.split(".")[0]) in wanted]
            wanted -= {one.asname or one.name.split(".")[0] for one in node.names}
            found += [ast.unparse(node)] if node.names else []
    own = sorted(wanted - stored)
    return found + ([f"from {module.__name__} import {', '.join(own)}"] if own else [])
