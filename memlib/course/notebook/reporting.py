"""What a check prints with: `report`."""

from __future__ import annotations

from memlib.course import variables
from memlib.course.notebook.nbgrader_check import agree
from memlib.course.notebook.quiet import say
from memlib.course.notebook.report_text import fingerprint, table
from memlib.course.notebook.seeds import seed


def report(name: str, value, axes: tuple = (), digits: int = 2, sealed: bool = False) -> None:
    """Print `value` as a labelled table: tensors, arrays, numbers, text, and lists or dicts of these.

    axes: what the axes are called, e.g. `("step", "slot", "token")`; the number of axes is then checked.
    digits: decimals; 0 for whole numbers. sealed: print each entry as a short fingerprint, for answers that are
    written down rather than computed, so that the stored output does not give them away.
    """
    text = table(name, value, axes, digits, sealed)
    say(f"{text}\n  ({fingerprint(text)})" if seed() else text)
    if variables.setting("NBGRADER_EXECUTION"):
        agree(text)
