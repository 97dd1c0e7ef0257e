"""What a check prints: plain numbers in the learner's words, and the way back from the text.

recipe
  step 0, slot 0: token 0 1.00, token 1 0.00
  step 1, slot 0: token 0 0.50, token 1 0.50
size: 3
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from fractions import Fraction

import numpy as np
import torch

from memlib.course.notebook.seeds import seed

AXES = {0: (), 1: ("entry",), 2: ("row", "column"), 3: ("step", "slot", "token")}
MOST = 5000


class RoundingEdge(Exception):
    """A number of the reference would round either way: other inputs must be drawn."""


def fingerprint(text: str) -> str:
    """Six signs that depend on the seed: what was printed for another seed is not what is asked for."""
    return hashlib.sha256(f"{seed()} {text}".encode()).hexdigest()[:6]


def digests(text: str) -> str:
    """What a check prints as one short fingerprint a report, for nbgrader: `5f3a90c1 77b0aa12`."""
    return " ".join(hashlib.sha256(part.encode()).hexdigest()[:8] for part in parts(text))


def parts(text: str) -> list[str]:
    """What a check prints, report by report."""
    return [part.rstrip() for part in re.split(r"\n(?=\S)", text.strip("\n"))]


def table(
    name: str,
    value,
    axes: tuple = (),
    digits: int = 2,
    sealed: bool = False,
    *,
    free: bool = False,
    labels: tuple = (),
    unordered: bool = False,
) -> str:
    """The text that `report` prints; `free`: in whatever notation, as sealed answers are."""
    if re.search(r"[:\n]|^\s|[\s\]]$|^$", name):
        raise ValueError(f"name={name!r} may not be empty, nor hold ':' or a new line, nor space or ']' at its ends")
    axes = (axes,) if isinstance(axes, str) else tuple(axes)
    value = as_plain(value, name)
    value = as_meant(value, axes or labels[:1]) if sealed or free else value
    value = _labelled(name, value, labels) if labels else value
    value = "".join(sorted(set(value))) if unordered and isinstance(value, str) else value
    axes = _axes(name, value, axes, "write" if sealed or free else "wanted is")
    entries = list(_walk(value, axes, ()))
    if len(entries) > MOST:
        raise ValueError(f"{name} holds {len(entries)} numbers; a report prints at most {MOST}")
    lines: dict[str, dict[str, str]] = {}
    for path, leaf in entries:
        text = _text(name, path, leaf, digits)
        if sealed and leaf is not None:
            text = "#" + fingerprint(f"{name} {path} {text}")
        lines.setdefault(", ".join(path[:-1]), {})[path[-1] if path else ""] = text
    if not axes and not isinstance(value, dict):
        return f"{name}: {lines[''].popitem()[1]}"
    return _lines(name, lines, axes[-1] if axes else "")


def _lines(name: str, lines: dict[str, dict[str, str]], axis: str) -> str:
    """Rows of numbers under a head that names what they count; where entries have labels, the labels too."""
    full = [row for row in lines.values() if list(row) == [f"{axis} {i}" for i in range(len(row))]]
    if len(full) + sum(text == "-" for row in lines.values() for text in row.values()) < len(lines):
        rows = {key: ", ".join(f"{label} {text}" for label, text in row.items()) for key, row in lines.items()}
        return "\n".join([name, *(f"  {key}: {row}" if key else f"  {row}" for key, row in rows.items())])
    wide = max((len(text) for row in full for text in row.values() if text[0] != '"'), default=0)
    rows = {
        key: " ".join(label if text == "-" else text.rjust(wide) for label, text in row.items())
        for key, row in lines.items()
    }
    long = max(map(len, rows)) + 1
    body = [f"  {key + ':':{long}} {row}" if key else f"  {row}" for key, row in rows.items()]
    return "\n".join([f"{name} [{axis}]", *body])


def as_plain(value, name: str = "value"):
    """The value as python numbers, text, lists and dicts, whatever it came as."""
    if value is Ellipsis:
        raise NotImplementedError(f"{name} is not answered yet")
    if value is None:
        raise ValueError(f"{name} is None: is a `return` missing?")
    if isinstance(value, torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            kind = torch.bool if value.dtype == torch.bool else torch.float64
            return (value if value.dtype == kind else value.detach().to("cpu", kind)).tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): as_plain(item, name) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [as_plain(item, name) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(as_plain(item, name) for item in value)
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, (Fraction, Decimal)):
        return float(value)
    if isinstance(value, str):
        return " ".join(value.split()).lower()
    if hasattr(value, "k") and hasattr(value, "v"):
        return {"k": as_plain(value.k, name), "v": as_plain(value.v, name)}
    kind = type(value).__name__
    raise TypeError(
        f"{name} is {'an' if kind[0] in 'aeiou' else 'a'} {kind}; wanted a tensor, a number, text, or a list of these"
    )


def as_meant(value, axes: tuple):
    """A written answer as it was meant: brackets, quotes, case, a full stop and the kind of number do not matter."""
    if isinstance(value, dict):
        return {key: as_meant(item, axes) for key, item in value.items()}
    if isinstance(value, str) and len(axes) > 1:
        rows = _literal(value)
        return value if rows is None else as_meant(rows, axes)
    if isinstance(value, str):
        return _word(value) if not axes else [_word(one) for one in re.findall(r"[^\s,;()\[\]{}]+", value)]
    if isinstance(value, list):
        value = [as_meant(item, axes[1:]) for item in value]
        if not axes and len(value) == 1:
            return value[0]
        if not axes and value and all(isinstance(item, str) and len(item) == 1 for item in value):
            return "".join(value)
        if axes and len(value) == 1 and _depth(value) == len(axes) + 1:
            return value[0]
    return value


def _literal(text: str):
    """The table that stands in quotes; None where the text is none."""
    try:
        value = as_plain(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, NotImplementedError):
        return None
    return value if isinstance(value, list) else None


def _word(text: str):
    """A number where the text is one; letters that stand apart as one word; else its words, small."""
    bare = text.strip(" ()[]{}'\"`.,;:!").lower().replace("\u2212", "-")
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(/\d*[1-9]\d*)?", bare) and not re.search(r"\..*/", bare):
        return float(Fraction(bare))
    words = re.findall(r"[^\W_]+", bare)
    return ("" if all(len(one) == 1 for one in words) else " ").join(words)


def _labelled(name: str, value, labels: tuple) -> dict:
    if _depth(value) != 1 or len(value) != len(labels):
        raise ValueError(f"{name} is to be a list of {len(labels)}: {', '.join(labels)}")
    return dict(zip(labels, value, strict=True))


def _depth(value) -> int:
    if isinstance(value, dict):
        return max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _axes(name: str, value, axes: tuple, verb: str) -> tuple:
    depth = _depth(value)
    if axes and depth != len(axes) and not (depth < len(axes) and _empty(value)):
        raise ValueError(
            f"{name} is {'one word' if isinstance(value, str) else _FORMS[min(depth, 4)]}; {verb} {_wanted(axes)}"
        )
    if not axes and depth not in AXES:
        raise ValueError(f"{name} has {depth} axes; name them with axes=(...)")
    return axes or AXES[depth]


_FORMS = "one number", "a list", "a table (a list of lists)", "a list of tables", "a list of lists of tables"


def _wanted(axes: tuple) -> str:
    like = "a list, such as [2, 3]", "a table, a list of lists such as [[2, 3], [4, 5]]", "a list of tables"
    return like[min(len(axes), 3) - 1] + (f" ({', '.join(axes)})" if len(axes) > 1 else "")


def _empty(value) -> bool:
    if isinstance(value, dict):
        return all(map(_empty, value.values()))
    return isinstance(value, list) and all(map(_empty, value))


def _walk(value, axes: tuple, path: tuple):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, axes, (*path, re.sub(r"[,:\s]+", " ", key).strip()))
    elif isinstance(value, list):
        if not value:
            yield (*path, f"no {axes[0]}"), None
        for index, item in enumerate(value):
            yield from _walk(item, axes[1:], (*path, f"{axes[0]} {index}"))
    else:
        yield path, value


def _text(name: str, path: tuple, leaf, digits: int) -> str:
    if leaf is None:
        return "-"
    if isinstance(leaf, str):
        return json.dumps(leaf)
    if isinstance(leaf, bool) and not path:
        return "yes" if leaf else "no"
    if math.isnan(leaf):
        raise ValueError(f"{name} holds a NaN" + (f", the first at {', '.join(path)}" if path else ""))
    if math.isinf(leaf):
        return "inf" if leaf > 0 else "-inf"
    if digits == 0 and leaf == int(leaf):
        return str(int(leaf))
    digits = digits or 2
    scaled = abs(leaf) * 10**digits
    if _no_edges.get() and abs(scaled - math.floor(scaled) - 0.5) < 0.01:
        raise RoundingEdge(f"{name}: {', '.join(path) or 'the value'} is {leaf:.6f}, between two roundings")
    text = f"{leaf:.{digits}f}"
    return text[1:] if re.fullmatch(r"-0\.0+", text) else text


_no_edges = ContextVar("no_edges", default=False)


@contextmanager
def no_edges():
    """Inside, a number too near to a rounding edge raises RoundingEdge (for the reference)."""
    before = _no_edges.set(True)
    try:
        yield
    finally:
        _no_edges.reset(before)


VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,]+')
ENTRY = re.compile(rf"(.+?) ({VALUE.pattern})(?:, |$)")
Tables = dict[str, dict[str, dict[str, str]]]


def read_report(text: str) -> Tables:
    """The tables of a printed text: name -> line -> label -> text; a single value has line "" and label ""."""
    tables: Tables = {}
    name = axis = ""
    for line in text.splitlines():
        if re.fullmatch(r"  \([0-9a-f]{6}\)", line):
            continue
        if line.startswith("  "):
            key, rest = _split(line.strip())
            tables.setdefault(name, {})[key] = _row(rest, axis)
        elif ": " in line:
            name, _, value = line.partition(": ")
            tables[name] = {"": {"": value}}
        elif line.strip():
            name, axis = re.fullmatch(r"(.*?)(?: \[([^\]]*)\])?", line.strip()).groups()
            tables[name] = {}
    return tables


def _split(line: str) -> tuple[str, str]:
    """The key of a line and the rest; a quoted text may hold a colon."""
    key, colon, _ = line.split('"')[0].rpartition(":")
    return (key, line[len(key) + 1 :].strip()) if colon else ("", line)


def _row(text: str, axis: str | None) -> dict[str, str]:
    if not axis:
        return dict(ENTRY.findall(text))
    if text.startswith("no "):
        return {text: "-"}
    return {f"{axis} {i}": value for i, value in enumerate(VALUE.findall(text))}
