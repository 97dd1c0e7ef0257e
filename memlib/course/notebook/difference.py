"""The first difference between what a learner's check printed and what was asked for, in the learner's words."""

from __future__ import annotations

from typing import NamedTuple

from memlib.course.notebook.report_text import Tables, read_report


class Difference(NamedTuple):
    """Where two reports differ first (report, line, entry), and a sentence about it."""

    name: str
    key: str
    label: str
    said: str


def first_difference(printed: str, expected: str) -> str | None:
    """One sentence such as `step 2, slot 0: token 0 has weight 0.00, expected 1.00`, or None where all is equal."""
    found = difference(printed, expected)
    return found and found.said


def difference(printed: str, expected: str) -> Difference | None:
    """The first difference, with its place."""
    if printed == expected:
        return None
    mine, theirs = read_report(printed), read_report(expected)
    for name, lines in theirs.items():
        if name not in mine:
            return Difference(name, "", "", f"Nothing was printed for {name!r}.")
        found = _lines(mine[name], lines, name)
        if found:
            key, label, said = found
            several = len(theirs) > 1 and not said.startswith(name)
            return Difference(name, key, label, f"{name}: {said}." if several else f"{said}.")
    return Difference("", "", "", "Something else was printed beside the report.")


def _lines(mine: dict, theirs: dict, name: str) -> tuple[str, str, str] | None:
    counted: set[tuple] = set()
    for key, entries in theirs.items():
        parts = tuple(key.split(", "))
        for depth in range(len(parts)):
            parent = parts[:depth]
            if parent not in counted:
                counted.add(parent)
                found = _count(_children(mine, parent), _children(theirs, parent), ", ".join(parent) or name)
                if found:
                    return key, "", found
        found = _entries(mine[key], entries, key, name)
        if found:
            return key, *found
    return None


def _children(lines: dict, parent: tuple) -> list[str]:
    """What stands one level below `parent`, in order: of no parent the steps, of a step its slots."""
    deep = len(parent)
    paths = [tuple(key.split(", ")) for key in lines]
    return list(dict.fromkeys(path[deep] for path in paths if path[:deep] == parent and len(path) > deep))


def _count(mine: list[str], theirs: list[str], where: str) -> str | None:
    if mine == theirs:
        return None
    if len(mine) == len(theirs) or not theirs[0][-1].isdigit():
        return f"{where} has {_listed(mine)}, expected {_listed(theirs)}"
    return f"{where} has {_many(mine or [f'no {theirs[0]}'])}, expected {_many(theirs)}"


def _entries(mine: dict, theirs: dict, key: str, name: str) -> tuple[str, str] | None:
    sealed = any(text.startswith("#") for text in theirs.values())
    where = f"{key}: " if key else ""
    if list(mine) != list(theirs):
        has = f"{key or name} has {_many(list(mine))}"
        return "", f"{has}, which is not the right number" if sealed else f"{has}, expected {_many(list(theirs))}"
    for label, text in theirs.items():
        if mine[label] == text:
            continue
        if sealed:
            return label, f"{where}{label or name} is not right yet"
        verb = "has weight" if label.startswith("token ") else "is"
        return label, f"{where}{label or name} {verb} {mine[label]}, expected {text}"
    return None


def _many(labels: list[str]) -> str:
    word = ((labels or ["entry 0"])[0].removeprefix("no ") + " ").split(" ")[0] or "line"
    labels = [label for label in labels if not label.startswith("no ")]
    plural = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{len(labels)} {word if len(labels) == 1 else plural}"


def _listed(labels: list[str]) -> str:
    return ", ".join(label or "a single line" for label in labels[:4]) or "nothing"


def shown_matrices(tables: Tables) -> tuple[str, list[list[list[float]]]] | None:
    """The first table of weights per token, as one [slots, tokens] matrix a step (for a picture)."""
    for name, lines in tables.items():
        steps: dict[str, list[list[float]]] = {}
        try:
            for key, entries in lines.items():
                if not all(label.startswith("token ") for label in entries):
                    raise ValueError
                rows = steps.setdefault(key.rpartition(", ")[0], [])
                rows.append([float(text) for text in entries.values()])
        except ValueError:
            continue
        if steps:
            return name, list(steps.values())
    return None
