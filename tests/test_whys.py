"""What is said about a particular mistake: of wrong answers alone, of answers that can be given, and it is shown."""

import ast
from functools import cache

import pytest
from test_exercises import EXERCISES, load, variants, visible

from memlib.course import variables
from memlib.course.notebook import so_far
from memlib.course.notebook.execution import execute
from memlib.course.notebook.reporting import listening
from memlib.course.source import solved_text

CASES = [
    pytest.param(name, task, id=f"{name}-{task.name}")
    for name in EXERCISES
    for task in load(name).tasks.values()
    if task.kind in so_far.WRITTEN
]


@cache
def prepared(name: str) -> dict:
    """The names that an exercise gives to its answers."""
    space: dict = {"__name__": "__main__"}
    for cell in load(name).cells:
        if cell.kind == "code" and not {"task", "check"} & set(cell.options) and "grade_button" not in cell.source[:20]:
            assert execute(cell.source, space, "<cell>") is None
    return space


def answered(name: str, answer: str) -> dict:
    space = dict(prepared(name))
    assert execute(answer, space, "<answer>") is None
    return space


def said(space: dict, task) -> str:
    return "\n".join(so_far.whys(task, space))


def as_answer(condition: str) -> str | None:
    """Assignments that make a condition of `name == value` true: of `or` and `in` the first; None of another form."""
    lines, waiting = [], [ast.parse(condition, mode="eval").body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BoolOp):
            waiting += node.values if isinstance(node.op, ast.And) else node.values[:1]
        elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
            value = node.comparators[0]
            if isinstance(node.ops[0], ast.In):
                value = value.elts[0]
            elif not isinstance(node.ops[0], ast.Eq):
                return None
            lines.append(f"{node.left.id} = {ast.unparse(value)}")
        else:
            return None
    return "\n".join(lines)


def alternatives(condition: str) -> list[str]:
    """The answers that a condition speaks of, as conditions of their own: those of `or`, and each value behind `in`."""
    node = ast.parse(condition, mode="eval").body
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return [one for value in node.values for one in alternatives(ast.unparse(value))]
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and isinstance(node.left, ast.Name):
        return [f"{node.left.id} == {ast.unparse(one)}" for one in node.comparators[0].elts]
    return [condition]


def earns(name: str, task, space: dict) -> bool:
    with variables.holding(MEMLIB_SEED="0"), listening() as heard:
        error = execute(task.check.source, dict(space), "<check>")
    return error is None and "\n".join(one.text for one in heard) == visible(name)[task.name].rstrip()


@pytest.mark.parametrize("name, task", CASES)
def test_two_mistakes_or_more_have_an_answer_of_their_own(name, task):
    assert len({sentence for _, sentence in task.why}) == len(task.why) >= 2


@pytest.mark.parametrize("name, task", CASES)
def test_nothing_is_said_about_a_right_answer(name, task):
    for title, answer in {"solution": solved_text(task.answer), **variants(name)[task.name]["correct"]}.items():
        assert said(answered(name, answer), task) == "", title


@pytest.mark.parametrize("name, task", CASES)
def test_each_mistake_that_is_answered_is_one_and_can_be_made_and_its_sentence_is_shown(name, task):
    wrong = [answered(name, answer) for answer in variants(name)[task.name]["wrong"].values()]
    for condition, sentence in task.why:
        reached = [space for space in wrong if sentence in said(space, task)]
        for one in alternatives(condition):
            if change := as_answer(one):
                space = answered(name, f"{solved_text(task.answer)}\n{change}")
                assert sentence in said(space, task), one
                assert task.kind == "choose" or not earns(name, task, space), f"{one} is right"
                reached.append(space)
        assert reached, f"no wrong answer leads to: {condition}"
        shown = so_far.page(task, [], visible(name)[task.name], None, solved_text(task.answer), reached[0], False)
        assert sentence in repr(shown) and sentence.endswith((".", "?"))


def test_a_sentence_names_what_it_is_about_where_there_are_several_answers():
    task = load("01_window").tasks["by_hand"]
    assert said(answered("01_window", solved_text(task.answer) + "\nfirst_lost = 0"), task).startswith(
        "first_lost: Token 0"
    )
    task = load("01_window").tasks["explain"]
    assert said(answered("01_window", 'letter = "a"'), task).startswith("The lesson")
