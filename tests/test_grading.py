"""Graded by nbval in a kernel, as a learner's file is: solutions, and some mixtures of answers.

`make test` takes some chapters, `.ci/run` all.
"""

import json

import pytest
from examples import EVERY
from test_exercises import EXERCISES, load, variants

from memlib.course.grade import grading
from memlib.course.notebook.answers import untouched_file, with_answers
from memlib.course.paths import ROOT


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[::3])
def test_nbval_gives_everything_for_the_solution(name):
    """Its only run under nbval: test_built_files_are_what_their_sources_give holds what it prints to a learner."""
    verdict = grading.grade(ROOT / "solutions" / f"{name}.ipynb")
    feedback = {task["task"]: task["feedback"] for task in verdict["tasks"]}
    assert feedback == dict.fromkeys(load(name).tasks, "As asked for.")
    assert (verdict["points"], verdict["bonus"]) == (verdict["total"], verdict["bonus_total"])
    assert verdict["total"] > 0 and verdict["notes"] == []


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[1::4])
def test_nbval_agrees_on_a_mixture_of_variants(name, tmp_path):
    """In turn a task is wrong, right in another style, and untouched."""
    assert variants(name), f"chapters/{name}/variants.py is missing"
    exercise, answers, states, points = load(name), {}, {}, 0
    for i, (task, about) in enumerate(exercise.tasks.items()):
        kind, states[task] = (("wrong", "failed"), ("correct", "passed"), ("", "unanswered"))[i % 3]
        written = [s for s in variants(name)[task].get(kind, {}).values() if not exercise.untouched(task, s)]
        answers |= {task: written[i % 3]} if written else {}
        points += about.points if kind == "correct" and not about.bonus else 0
    path = tmp_path / f"{name}.ipynb"
    path.write_text(json.dumps(with_answers(name, answers)))
    verdict = grading.grade(path)
    found = {task["task"]: task["state"].replace("part", "failed") for task in verdict["tasks"]}
    assert found == states and verdict["notes"] == []
    parts = sum(task["points"] for task in verdict["tasks"] if task["state"] == "part" and not task["bonus"])
    assert verdict["points"] == pytest.approx(points + parts)


def test_nbval_gives_nothing_for_an_untouched_exercise():
    verdict = grading.grade(untouched_file(EXERCISES[0]))
    assert (verdict["points"], verdict["bonus"], verdict["notes"]) == (0, 0, [])
    assert {task["feedback"] for task in verdict["tasks"]} == {"Not answered yet."}
