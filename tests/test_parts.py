"""The parts of a task: which entries are right, and what some right parts earn, here and under nbgrader."""

import ast
import io
from functools import cache

import pytest
from test_exercises import EXERCISES, load, visible

from memlib.course.grade.reference import run_exercise
from memlib.course.notebook import hide, nbgrader_check, parts
from memlib.course.notebook.reporting import report
from memlib.course.source import Cell, Task, solved, stub

IN_PARTS = [
    pytest.param(name, task, id=f"{name}-{task.name}")
    for name in EXERCISES
    for task in load(name).tasks.values()
    if task.parts != "one"
]
WANTED = "a [place]\n  1 2 3\nb: 7\nc: yes"


def task(kind="hand", points=3, **options) -> Task:
    return Task("t", Cell("code", "", {"kind": kind, "points": points, **options}, None, 1))


def earned(printed: str, wanted: str = WANTED, **options):
    return parts.earned(task(**options), *parts.tally(task(**options), printed, wanted))


def test_each_right_report_earns_its_share_rounded_down():
    assert earned(WANTED) == 3 and isinstance(earned(WANTED), int)
    assert earned(WANTED.replace("b: 7", "b: 8")) == 2
    assert earned("a: (not answered)\nb: 8\nc: yes", points=1) == 0.33


@pytest.mark.parametrize(
    "printed",
    [
        "a [place]\n  1 2 3 4\nb: 8\nc: no",  # a list that holds all that may be right
        "a [place]\n  1 2\nb: 8\nc: no",
        "a [place]\n  1 3 2\nb: 8\nc: no",
        "a [place]\n  1 2 3\nb: 7",  # a report is missing
        "b: 7\na [place]\n  1 2 3\nc: yes",
        WANTED + "\nd: 1",
        WANTED + "\nc: yes",
        "c: yes\nc: yes\nc: yes",
        "",
    ],
)
def test_a_list_counts_as_a_whole_and_a_missing_report_or_one_too_many_earns_nothing(printed):
    assert earned(printed) == 0


def test_where_little_is_to_choose_from_half_earns_nothing():
    wanted = "\n".join(f"{name}: yes" for name in "abcd")
    got = [earned(wanted.replace("yes", "no", n), wanted, kind="order", points=4) for n in range(5)]
    assert got == [4, 2, 0, 0, 0]


def test_reports_whose_names_begin_alike_are_one_part_and_what_belongs_to_none_must_be_right():
    wanted = "chat fits: yes\nchat answered: 1.00\nform fits: yes\nforms: yes\nlast: yes"
    of = {"kind": "bug", "parts": ["chat", "form", "forms"], "points": 3}
    assert earned(wanted, wanted, **of) == 3
    assert earned(wanted.replace("1.00", "0.50"), wanted, **of) == 2
    assert earned(wanted.replace("forms: yes", "forms: no"), wanted, **of) == 2
    assert earned(wanted.replace("last: yes", "last: no"), wanted, **of) == 0
    assert earned(WANTED.replace("7", "8"), kind="write") == 0 and earned(WANTED, kind="write") == 3


def test_each_entry_is_marked_and_shown_as_it_was_written():
    def printed(after, first):
        heard, plain = io.StringIO(), io.StringIO()
        hide.begin(to=heard, plain=plain)
        report("after token 4", after, axes=("place",), digits=0, sealed=True)
        report("first lost", first, digits=0, sealed=True)
        hide.end()
        return heard.getvalue(), plain.getvalue()

    wanted, _ = printed([0, 2], 1)
    found = [(p.report, p.entry, p.mine, p.right) for p in parts.entries(*printed([0, 3], ...)[:1], wanted)]
    assert [right for *_, right in found] == [True, False, False] and found[0][2].startswith("#")
    sealed, plain = printed([0, 3], ...)
    mine = parts.entries(sealed, wanted, plain)
    assert [(p.entry, p.mine, p.right) for p in mine[:2]] == [("place 0", "0", True), ("place 1", "3", False)]
    assert (mine[2].mine, mine[2].answered, parts.open_all(sealed)) == ("(not answered)", False, False)
    sealed, plain = printed(4, None)
    assert "(is one number; write a list, such as [2, 3])" in plain and "is None" in sealed
    assert parts.unread(sealed) == "after token 4: is one number; write a list, such as [2, 3]"
    assert parts.open_all(printed(..., ...)[0]) and not parts.open_all("")
    sealed, plain = printed([0, 1, 2], 1)
    assert [(p.mine, p.right) for p in parts.entries(sealed, wanted, plain)] == [
        ("0", False), ("1", False), ("2", False), ("1", True),
    ]  # fmt: skip


@cache
def source_of(name: str, task: str) -> str:
    checks = nbgrader_check.stored_checks().items()
    return next(source for source, (chapter, check, _) in checks if (chapter, check) == (name, task))


def by_nbgrader(name: str, task: Task, answer: str, monkeypatch) -> float:
    """The points that nbgrader takes from a check: by `determine_grade` of nbgrader 0.8 and later."""
    nbgrader_check.check_begins(source_of(name, task.name))
    with monkeypatch.context() as inside:
        inside.setenv("NBGRADER_EXECUTION", "autograde")
        error = run_exercise(load(name), {task.name: answer}, 0, {task.name})[task.name].error
    shown, full = nbgrader_check.points(), 0 if task.bonus else task.points
    return 0 if error else full if shown is None else shown


def ours(name: str, task: Task, answer: str) -> float:
    printed = run_exercise(load(name), {task.name: answer}, 0, {task.name})[task.name]
    if printed.error:
        return 0
    points = parts.earned(task, *parts.tally(task, printed.text, visible(name)[task.name]))
    return 0 if task.bonus else points


def half(task: Task) -> str:
    """The solution with every second of its answers taken out."""
    lines, body = solved(task.answer).splitlines(), ast.parse(solved(task.answer)).body
    for one in [one for one in body if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)][::2]:
        lines[one.lineno - 1] = f"{one.targets[0].id} = ..."
        lines[one.lineno : one.end_lineno] = [""] * (one.end_lineno - one.lineno)
    return "\n".join(lines)


@pytest.mark.parametrize("name, task", IN_PARTS)
def test_every_part_is_there_and_nbgrader_gives_the_same_points(name, task, monkeypatch):
    names = [parts.name_of(block) for block in parts.blocks(visible(name)[task.name])]
    groups = parts.grouped(task, names)
    assert all(groups) and sum(map(len, groups)) == len(set().union(*groups)), "each report in one part at most"
    answers = {"untouched": stub(task.answer), "solution": solved(task.answer), "half": half(task)}
    given = {kind: ours(name, task, answer) for kind, answer in answers.items()}
    assert given == {kind: by_nbgrader(name, task, answer, monkeypatch) for kind, answer in answers.items()}
    full = 0 if task.bonus else task.points
    assert given["untouched"] == 0 and given["solution"] == full
    assert task.kind == "bug" or given["half"] < full
    assert task.kind != "hand" or given["half"] > 0
