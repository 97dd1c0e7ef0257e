"""Answers that are written down count for what they mean, whatever they are written as: every sealed task there is."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from test_exercises import load, visible
from test_whys import CASES, answered

from memlib.course import variables
from memlib.course.notebook.answers import defined
from memlib.course.notebook.execution import execute
from memlib.course.notebook.reporting import listening
from memlib.course.source import solved_text

SEALED = [
    case
    for case in CASES
    if case.values[1].check.source.count("report(") == case.values[1].check.source.count("sealed=True")
]


def number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(value) -> bool:
    """A number, or a list of these, or a list of such lists of one length."""
    if isinstance(value, list):
        return (
            len(value) > 0
            and all(map(numbers, value))
            and np.asarray(value, dtype=object).dtype == object
            and even(value)
        )
    return number(value)


def even(value) -> bool:
    return len({len(one) if isinstance(one, list) else -1 for one in value}) == 1


def tuples(value):
    return tuple(map(tuples, value)) if isinstance(value, list) else value


def deep(change, value):
    return [deep(change, one) for one in value] if isinstance(value, list) else change(value)


WAYS = {
    "as it is": lambda value: value,
    "in quotes": lambda value: str(value),
    "numbers in quotes, one by one": lambda value: deep(lambda one: str(one) if number(one) else one, value),
    "words in brackets, with a full stop": lambda value: f"({value.upper()})." if isinstance(value, str) else value,
    "words with spaces round them": lambda value: f"  {value.title()} " if isinstance(value, str) else value,
    "tuples": tuples,
    "a list of one": lambda value: [value] if not isinstance(value, list) else value,
    "numpy": lambda value: np.asarray(value) if numbers(value) else value,
    "numpy, one by one": lambda value: deep(lambda one: np.float64(one) if number(one) else one, value),
    "torch": lambda value: torch.tensor(value, dtype=torch.float64) if numbers(value) else value,
    "fractions": lambda value: deep(lambda one: Fraction(one).limit_denominator(10**6) if number(one) else one, value),
}


@pytest.mark.parametrize("name, task", SEALED)
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_right_answer_is_right_in_every_notation(name, task, way):
    space = answered(name, solved_text(task.answer))
    for one in defined(task.answer.source):
        if isinstance(space[one], (str, int, float, list)):
            space[one] = way(space[one])
    with variables.holding(MEMLIB_SEED="0"), listening() as heard:
        assert execute(task.check.source, space, "<check>") is None
    assert "\n".join(one.text for one in heard) == visible(name)[task.name].rstrip()


def test_the_law_speaks_of_many_tasks():
    assert len(SEALED) >= 20 and {case.values[0] for case in SEALED} >= {"00_cache", "01_window", "04_hybrid"}
    assert load("01_window").tasks["by_hand"] in [case.values[1] for case in SEALED]
