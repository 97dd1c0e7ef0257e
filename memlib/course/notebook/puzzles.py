"""`puzzle`: a line that the learner writes in a lesson, judged on the spot by a word and a picture."""

from __future__ import annotations

from collections.abc import Callable

from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.report_text import table
from memlib.course.notebook.sentences import from_exception
from memlib.course.notebook.side_by_side import comparison

OPEN = "Your line is still to come: write it in the place of the blank, and run the cell again."
RIGHT = "Yes, that is it."


def puzzle(mine: Callable, target, axes: tuple = (), digits: int = 2):
    """Prints what is to say of what `mine()` gives beside `target`; the picture of both, where they are weights.

    mine: a function without arguments, so that an error in the learner's line is a sentence.
    target: a tensor, a number, text, or a list of these. axes, digits: as for `report`.
    """
    wanted = table("yours", target, axes, digits)
    try:
        if _blank(mine):
            raise NotImplementedError
        given = table("yours", mine(), axes, digits)
    except NotImplementedError:
        print(OPEN)
        return None
    except Exception as error:
        print(f"Not yet. {from_exception(error, '').sentence()}")
        return None
    said = first_difference(given, wanted)
    print(RIGHT if said is None else f"Not yet. {said[0].upper()}{said[1:]}")
    return comparison(given, wanted)


def _blank(mine: Callable) -> bool:
    """Whether a name that `mine` uses is still `...`, as the blank leaves it."""
    return any(mine.__globals__.get(name) is ... for name in mine.__code__.co_names)
