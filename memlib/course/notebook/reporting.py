"""What a check prints with: `report`."""

from __future__ import annotations

from memlib.course import variables
from memlib.course.notebook.nbgrader_check import agree
from memlib.course.notebook.parts import OPEN
from memlib.course.notebook.quiet import say
from memlib.course.notebook.report_text import fingerprint, table
from memlib.course.notebook.seeds import seed


def report(name: str, value, axes: tuple = (), digits: int = 2, sealed: bool = False) -> None:
    """Print `value` as a labelled table: tensors, arrays, numbers, text, and lists or dicts of these.

    axes: what the axes are called, e.g. `("step", "slot", "token")`; the number of axes is then checked.
    digits: decimals; 0 for whole numbers. sealed: print each entry as a short fingerprint, for answers that are
    written down rather than computed, so that the stored output does not give them away.
    """
    text = _shown(sealed, name, value, axes, digits, sealed=sealed)
    say(
        f"{text}\n  ({fingerprint(text)})" if seed() else text,
        lambda: _shown(sealed, name, value, axes, digits, sealed=False),
    )
    if variables.setting("NBGRADER_EXECUTION"):
        agree(text)


def _shown(written: bool, name: str, value, *form, **seal) -> str:
    """The table; a line in brackets for what is not answered, or was written down in a form that cannot be read."""
    try:
        return table(name, value, *form, **seal)
    except NotImplementedError:
        return f"{name}: {OPEN}"
    except (ValueError, TypeError) as error:
        if not written:
            raise
        return f"{name}: ({' '.join(str(error).removeprefix(f'{name} ').split())})"
