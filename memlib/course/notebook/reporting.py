"""What a check prints with: `report`; and how `look` hears what was reported, in the learner's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memlib.course import variables
from memlib.course.notebook.nbgrader_check import agree
from memlib.course.notebook.parts import OPEN
from memlib.course.notebook.quiet import say
from memlib.course.notebook.report_text import as_plain, fingerprint, table
from memlib.course.notebook.seeds import seed


@dataclass
class Heard:
    """One report: its text as it is printed, and what only the learner's own page shows of it."""

    name: str
    text: str
    own: str  # the same without seals
    is_open: bool = False  # not answered yet
    measured: str = ""  # the number behind a yes or no, and what it should be
    truths: bool = False  # whether all entries are True or False


_heard: list[list[Heard]] = []


@contextmanager
def listening() -> Iterator[list[Heard]]:
    """Inside, reports are collected."""
    _heard.append([])
    try:
        yield _heard[-1]
    finally:
        _heard.pop()


def report(
    name: str,
    value,
    axes: tuple = (),
    digits: int = 2,
    sealed: bool = False,
    *,
    labels: tuple = (),
    unordered: bool = False,
    least: float | None = None,
    most: float | None = None,
) -> None:
    """Print `value` as a labelled table: tensors, arrays, numbers, text, and lists or dicts of these.

    axes: what the axes are called, e.g. `("step", "slot", "token")`; the number of axes is then checked.
    digits: decimals; 0 for whole numbers. sealed: print each entry as a short fingerprint, for answers that are
    written down rather than computed, so that the stored output does not give them away.
    labels: what the entries of a list are called. unordered: letters whose order does not matter.
    least, most: print yes or no, whether the number keeps to these; `look` shows the number.
    """
    number, form = value, (axes, digits)
    if least is not None or most is not None:
        value = (least is None or float(number) >= least) and (most is None or float(number) <= most)
    how = {"labels": labels, "unordered": unordered}
    text = _shown(sealed, name, value, *form, sealed=sealed, **how)

    def own() -> str:
        return _shown(sealed, name, value, *form, free=sealed, **how)

    if _heard:
        is_open = text == f"{name}: {OPEN}"
        truths = not is_open and not sealed and _truths(as_plain(value))
        _heard[-1].append(Heard(name, text, own(), is_open, _measured(number, least, most), truths))
    say(f"{text}\n  ({fingerprint(text)})" if seed() else text, own)
    if variables.setting("NBGRADER_EXECUTION"):
        agree(text)


def _shown(written: bool, name: str, value, *form, **how) -> str:
    """The table; a line in brackets for what is not answered, or was written down in a form that cannot be read."""
    try:
        return table(name, value, *form, **how)
    except NotImplementedError:
        return f"{name}: {OPEN}"
    except (ValueError, TypeError) as error:
        if not written:
            raise
        return f"{name}: ({' '.join(str(error).removeprefix(f'{name} ').split())})"


def _measured(number, least, most) -> str:
    """`0.71, wanted at least 0.9`; nothing where no limit is given."""
    limits = [f"at least {least:g}"] if least is not None else []
    limits += [f"at most {most:g}"] if most is not None else []
    shown = f"{float(number):.3f}".rstrip("0").rstrip(".") if limits else ""
    return f"{shown}, wanted {' and '.join(limits)}" if limits else ""


def _truths(value) -> bool:
    if isinstance(value, (list, dict)):
        return all(map(_truths, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool)
