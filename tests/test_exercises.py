"""Grading is right both ways, for every exercise there is.

`chapters/NN_name/variants.py` holds VARIANTS: task -> {"correct": {name: source}, "wrong": {name: source}}. The
variants run in this process, cell by cell, on one seed, with MEMLIB_VARIANTS=all on five. Every run is a mixture: each
variant stands once among right and wrong answers of the other tasks. `make test` takes every fourth mixture, `.ci/run`
all. test_grading.py takes some through nbval.
"""

import importlib.util
from functools import cache

import numpy as np
import pytest
from examples import EVERY

from memlib.course import variables
from memlib.course.grade.reference import expected, fresh_reference, run_exercise
from memlib.course.notebook import reporting
from memlib.course.notebook.answers import defined, untouched_file
from memlib.course.notebook.side_by_side import comparison
from memlib.course.paths import CHAPTERS, chapters
from memlib.course.source import load_exercise, solved, stub

FIVE = variables.setting("MEMLIB_VARIANTS") == "all"
SEEDS = (1, 2000, 30_000, 400_000, 5_000_000)[: 5 if FIVE else 1]
STEP = 1 if EVERY or FIVE else 4
EXERCISES = [name for name in chapters() if (CHAPTERS / name / "exercise.py").exists()]
load = cache(load_exercise)
visible = cache(lambda name: expected(load(name)))


@cache
def variants(name: str) -> dict:
    if not (CHAPTERS / name / "variants.py").exists():
        return {}  # test_every_task_has_answers_to_be_held_to says so
    spec = importlib.util.spec_from_file_location(f"variants_{name}", CHAPTERS / name / "variants.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VARIANTS


@cache
def references(name: str) -> list[tuple[int, dict[str, str]]]:
    return [fresh_reference(load(name), seed) for seed in SEEDS]


def earned(name: str, answers: dict[str, str], tasks=None) -> list[set[str]]:
    """The tasks that earn their points, for each seed."""
    found = []
    for seed, wanted in references(name):
        printed = run_exercise(load(name), answers, seed, tasks)
        found.append({task for task, p in printed.items() if p.error is None and p.text == wanted[task]})
    return found


def choices(name: str, task: str) -> list[tuple[str, str, bool]]:
    """All that may stand in a task's answer cell, as (title, source, whether it earns the points)."""
    kinds = variants(name).get(task, {"correct": {}, "wrong": {}})
    right = [(title, source, True) for title, source in kinds["correct"].items()]
    wrong = [(title, source, False) for title, source in kinds["wrong"].items()]
    return [*right, ("untouched", stub(load(name).tasks[task].answer), False), *wrong]


def mixtures() -> list:
    """Exercises in which every task holds one of its choices, each choice once; a task that has no more is left out."""
    found = []
    for name in EXERCISES:
        every = {task: choices(name, task) for task in load(name).tasks}
        most = max(map(len, every.values()))
        for i in range(0, most, STEP):
            at = {task: (i + 3 * place) % most for place, task in enumerate(every)}  # right and wrong side by side
            mixture = {task: every[task][n] for task, n in at.items() if n < len(every[task])}
            found.append(pytest.param(name, mixture, id=f"{name}-{i}"))
    return found


def tasks() -> list:
    return [pytest.param(name, task, id=f"{name}-{task}") for name in EXERCISES for task in load(name).tasks]


@pytest.mark.parametrize("name, task", tasks())
def test_every_task_has_answers_to_be_held_to(name, task):
    kinds = variants(name).get(task, {"correct": {}, "wrong": {}})
    assert len(kinds["correct"]) >= 3 and len(kinds["wrong"]) >= 5
    assert set(variants(name)) == set(load(name).tasks)
    sources = [source.strip() for kind in kinds.values() for source in kind.values()]
    assert len(set(sources)) == len(sources), "two variants are the same"


@pytest.mark.parametrize("name, mixture", mixtures())
def test_a_right_answer_in_any_style_earns_its_task_and_a_wrong_one_loses_exactly_its_own(name, mixture):
    lost = {task for task, (_, _, right) in mixture.items() if not right}
    for found in earned(name, {task: source for task, (_, source, _) in mixture.items()}, set(mixture)):
        odd = (set(mixture) - lost) ^ found
        assert not odd, {task: mixture[task][0] for task in odd}


@pytest.mark.parametrize("name, task", tasks()[::STEP])
def test_printing_the_visible_example_earns_nothing(name, task, monkeypatch):
    """The stored output of the check, printed in the place of the report, beside a right answer."""
    printed = visible(name)[task].rstrip()
    cheat = "import memlib.course.notebook.reporting as _r\n_say, _said = _r.say, []\n"
    cheat += f"_r.say = lambda *a: _said or _said.append(_say({printed!r}))"
    monkeypatch.setattr(reporting, "say", reporting.say)  # put back afterwards
    source = solved(load(name).tasks[task].answer) + "\n\n" + cheat
    assert earned(name, {task: source}, {task}) == [set()] * len(SEEDS)


@pytest.mark.parametrize("name, task", tasks())
def test_beside_a_right_answer_the_picture_shows_the_same_twice_or_there_is_none(name, task):
    figure = comparison(visible(name)[task], visible(name)[task])
    if figure is not None:
        yours, target = (np.asarray(trace.z).astype(str).tolist() for trace in figure.data if trace.type == "heatmap")
        assert yours == target


@pytest.mark.parametrize("name, task", tasks())
def test_a_stored_output_of_a_written_answer_does_not_give_it_away(name, task):
    """Answers that are written down are printed as fingerprints; the exercise's text shows no solution."""
    if load(name).tasks[task].kind in ("hand", "order", "explain") or task in ("diagrams", "transcripts", "inside"):
        assert "sealed=True" in load(name).tasks[task].check.source
    assert "SOLUTION" not in untouched_file(name).read_text("utf-8")


@pytest.mark.parametrize("name", EXERCISES)
def test_no_two_answers_define_the_same_name(name):
    """A learner runs them in any order; and by their names the button finds answers whose cell id is lost."""
    seen: dict[str, str] = {}
    for task in load(name).tasks.values():
        for one in defined(stub(task.answer)):
            assert seen.setdefault(one, task.name) == task.name, f"{one} is in {seen[one]} and in {task.name}"
