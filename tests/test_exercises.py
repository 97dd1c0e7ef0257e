"""Grading is right both ways, for every exercise there is.

`chapters/NN_name/variants.py` holds VARIANTS: task -> {"correct": {name: source}, "wrong": {name: source}}. The
variants run in this process, cell by cell, on one seed, with MEMLIB_VARIANTS=all on five; the untouched exercise, the
solution and one mixture of variants go through nbval, as a learner's file does.
"""

import importlib.util
import json
import os
from functools import cache

import pytest

from memlib.course.grade.grading import grade
from memlib.course.grade.reference import expected, fresh_reference, run_exercise
from memlib.course.notebook import hide
from memlib.course.notebook.answers import defined, untouched_file, with_answers
from memlib.course.paths import CHAPTERS, ROOT, chapters
from memlib.course.source import load_exercise, solved, stub

SEEDS = (1, 2000, 30_000, 400_000, 5_000_000)[: 5 if os.environ.get("MEMLIB_VARIANTS") == "all" else 1]
EXERCISES = [name for name in chapters() if (CHAPTERS / name / "exercise.py").exists()]
load = cache(load_exercise)


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


def earned(name: str, answers: dict[str, str]) -> list[set[str]]:
    """The tasks that earn their points, for each seed."""
    found = []
    for seed, wanted in references(name):
        printed = run_exercise(load(name), answers, seed)
        found.append({task for task, p in printed.items() if p.error is None and p.text == wanted[task]})
    return found


def cases(kind: str) -> list:
    return [
        pytest.param(name, task, source, id=f"{name}-{task}-{title.replace(' ', '_')}")
        for name in EXERCISES
        for task, kinds in variants(name).items()
        for title, source in kinds[kind].items()
    ]


def tasks() -> list:
    return [pytest.param(name, task, id=f"{name}-{task}") for name in EXERCISES for task in load(name).tasks]


@pytest.mark.parametrize("name, task", tasks())
def test_every_task_has_answers_to_be_held_to(name, task):
    kinds = variants(name).get(task, {"correct": {}, "wrong": {}})
    assert len(kinds["correct"]) >= 3 and len(kinds["wrong"]) >= 5
    assert set(variants(name)) == set(load(name).tasks)
    sources = [source.strip() for kind in kinds.values() for source in kind.values()]
    assert len(set(sources)) == len(sources), "two variants are the same"


@pytest.mark.parametrize("name, task, source", cases("correct"))
def test_a_correct_answer_in_another_style_earns_everything(name, task, source):
    assert earned(name, {task: source}) == [set(load(name).tasks)] * len(SEEDS)


@pytest.mark.parametrize("name, task, source", cases("wrong"))
def test_a_wrong_answer_loses_exactly_its_task(name, task, source):
    assert earned(name, {task: source}) == [set(load(name).tasks) - {task}] * len(SEEDS)


@pytest.mark.parametrize("name, task", tasks())
def test_an_untouched_answer_loses_exactly_its_task(name, task):
    source = stub(load(name).tasks[task].answer)
    assert earned(name, {task: source}) == [set(load(name).tasks) - {task}] * len(SEEDS)


@pytest.mark.parametrize("name, task", tasks())
def test_printing_the_visible_example_earns_nothing(name, task, monkeypatch):
    """The stored output of the check, printed in the place of the report, beside a right answer."""
    printed = expected(load(name))[task].rstrip()
    cheat = "import memlib.course.notebook.hide as _c, memlib.course.notebook.quiet as _q\n_said = []\n"
    cheat += f"def _cheat(*a, **k):\n    _said or _said.append(_q.say({printed!r}))\n"
    cheat += "_c.report = _cheat"
    monkeypatch.setattr(hide, "report", hide.report)  # put back afterwards
    source = solved(load(name).tasks[task].answer) + "\n\n" + cheat
    for found in earned(name, {task: source}):
        assert task not in found


@pytest.mark.parametrize("name, task", tasks())
def test_a_stored_output_of_a_written_answer_does_not_give_it_away(name, task):
    """Answers that are written down are printed as fingerprints; the exercise's text shows no solution."""
    if load(name).tasks[task].kind in ("hand", "order", "explain"):
        assert "sealed=True" in load(name).tasks[task].check.source
    assert "SOLUTION" not in untouched_file(name).read_text("utf-8")


@pytest.mark.parametrize("name", EXERCISES)
def test_no_two_answers_define_the_same_name(name):
    """A learner runs them in any order; and by their names the button finds answers whose cell id is lost."""
    seen: dict[str, str] = {}
    for task in load(name).tasks.values():
        for one in defined(stub(task.answer)):
            assert seen.setdefault(one, task.name) == task.name, f"{one} is in {seen[one]} and in {task.name}"


@pytest.mark.parametrize("name", EXERCISES)
def test_nbval_gives_nothing_for_the_untouched_exercise(name):
    verdict = grade(untouched_file(name))
    assert (verdict["points"], verdict["bonus"], verdict["notes"]) == (0, 0, [])
    assert {task["feedback"] for task in verdict["tasks"]} == {"Not answered yet."}


@pytest.mark.parametrize("name", EXERCISES)
def test_nbval_gives_everything_for_the_solution(name):
    verdict = grade(ROOT / "solutions" / f"{name}.ipynb")
    feedback = {task["task"]: task["feedback"] for task in verdict["tasks"]}
    assert feedback == dict.fromkeys(load(name).tasks, "As asked for.")
    assert (verdict["points"], verdict["bonus"]) == (verdict["total"], verdict["bonus_total"])
    assert verdict["total"] > 0 and verdict["notes"] == []


@pytest.mark.parametrize("name", EXERCISES)
def test_nbval_agrees_on_a_mixture_of_variants(name, tmp_path):
    """Every second task wrong, the others right in another style."""
    kinds = {task: ("wrong", "correct")[i % 2] for i, task in enumerate(load(name).tasks)}
    assert variants(name), f"chapters/{name}/variants.py is missing"
    answers = {task: list(variants(name)[task][kind].values())[i % 3] for i, (task, kind) in enumerate(kinds.items())}
    path = tmp_path / f"{name}.ipynb"
    path.write_text(json.dumps(with_answers(name, answers)))
    states = {task["task"]: task["state"] for task in grade(path)["tasks"]}
    assert states == {task: {"wrong": "failed", "correct": "passed"}[kind] for task, kind in kinds.items()}
