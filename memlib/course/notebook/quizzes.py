"""`ask`: a lesson's questions by their keys, as `chapters/NN_name/quizzes.toml` holds them.

    [compared]
    question = "A query is compared with the keys. By what?"
    options = ["their distance", "a scaled dot product"]
    right = 1
    feedback = ["No: places are not compared.", "Yes: q . k / sqrt(d)."]      # a sentence for each option

or, where numbers are typed, `right = [6.0]` and one sentence as feedback. So no answer stands in a notebook.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

from memlib.course.paths import CHAPTERS, CourseError, chapter, shown

ENTRIES = {"question", "options", "right", "feedback"}


def ask(number: str, *keys: str):
    """The questions of a chapter with these keys, one below the other; the feedback is about the option chosen."""
    import ipywidgets

    from memlib import widgets

    kept = questions(number)
    unknown = [key for key in keys if key not in kept]
    if unknown or not keys:
        raise CourseError(f"ask: chapter {number} has the questions {', '.join(kept)}; got {', '.join(keys) or 'none'}")
    return ipywidgets.VBox([widgets.quiz(**kept[key]) for key in keys])


@cache
def questions(number: str) -> dict[str, dict[str, Any]]:
    """Key -> what `widgets.quiz` is given; CourseError where an entry is not whole."""
    path = CHAPTERS / chapter(number) / "quizzes.toml"
    try:
        kept = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CourseError(f"{shown(path)}: {error}") from None
    return {key: _entry(one, f"{shown(path)}: {key}") for key, one in kept.items()}


def _entry(one: dict, where: str) -> dict[str, Any]:
    if set(one) - {"options"} != ENTRIES - {"options"}:
        raise CourseError(f"{where}: wanted are {', '.join(sorted(ENTRIES))}, got {', '.join(sorted(one))}")
    if "options" not in one:
        return {"question": one["question"], "numeric": one["right"], "why": one["feedback"]}
    options, feedback = one["options"], one["feedback"]
    if len(feedback) != len(options) or one["right"] not in range(len(options)):
        raise CourseError(
            f"{where}: a sentence for each of the {len(options)} options, and `right` one of their places"
        )
    return {"question": one["question"], "options": options, "answer": one["right"], "why": feedback}
