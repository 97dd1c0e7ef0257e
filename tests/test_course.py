"""The course's machinery: sources, reports, comparison, grading of odd and hostile files, the button, the commands."""

import ast
import json
import re
import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace

import jupytext
import nbformat
import numpy as np
import pytest
import torch

from memlib.course import cli, paths, progress, source
from memlib.course.grade import grading, submission
from memlib.course.grade.reference import expected, fresh_reference, run_exercise
from memlib.course.notebook import answers as given
from memlib.course.notebook import button, hide, quiet, report_text, seeds, side_by_side
from memlib.course.notebook.difference import first_difference, shown_matrices
from memlib.course.notebook.execution import execute
from memlib.course.notebook.sentences import from_exception, from_kernel
from memlib.course.paths import CHAPTERS, ROOT, CourseError, chapter, chapters
from memlib.course.write.build import build

TINY = """\
# %% [markdown]
# # A tiny exercise

# %%
import torch
from memlib.course import inputs, number, report

# %% task="double" points=2 kind="write" minutes=1 hides=["Window"]
def double(x):
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION


# %% check="double"
# NEXT: Twice is not
# NEXT: squared.
# WHY double(1) == 3: That is: thrice, "3: x".
report("double", double(inputs(3, name="x")), axes=("place",))

# %% task="total" points=3 kind="bug" minutes=1
def total(x):
    # BEGIN SOLUTION
    return x.sum()
    # GIVEN
    # return x.mean()
    # END SOLUTION


# %% check="total"
# NEXT: Divide by nothing.
report("total", total(inputs(4, name="x")))

# %% task="hand" points=1 kind="hand" minutes=1 bonus=true
# BEGIN SOLUTION
_three = 3
kept = [_three, 4]
# END SOLUTION

# %% check="hand"
# NEXT: Count.
report("kept", kept, axes=("slot",), digits=0, sealed=True)
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A chapter of our own in an empty folder, in the place of the course's."""
    folder = tmp_path / "chapters"
    (folder / "77_tiny").mkdir(parents=True)
    (folder / "77_tiny" / "exercise.py").write_text(TINY)
    monkeypatch.setattr(grading, "load_exercise", lambda name: source.load_exercise("77_tiny", folder))
    monkeypatch.setattr(submission.Submission, "chapter", lambda self: "77_tiny")
    for path, text in build("77_tiny", folder=folder, root=tmp_path).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def exercise(text: str, tmp_path) -> source.Exercise:
    (tmp_path / "88_other").mkdir(exist_ok=True)
    (tmp_path / "88_other" / "exercise.py").write_text(text)
    return source.load_exercise("88_other", tmp_path)


def answered(tiny, answers: dict[str, str], **more) -> dict:
    """The verdict on the tiny exercise with these answers."""
    book = nbformat.read(tiny / "exercises" / "77_tiny.ipynb", 4)
    for cell in book.cells:
        cell.source = answers.get(cell.id, cell.source)
    nbformat.write(book, tiny / "mine.ipynb")
    return grading.grade(tiny / "mine.ipynb", **more)


# Each room of the workshop may use those before it; what is not named here uses none
ROOMS = "variables paths processes source notebook grade write group tournament progress doctor cli".split()
WORKSHOP = ROOT / "memlib" / "course"


@pytest.mark.parametrize("path", sorted(WORKSHOP.rglob("*.py")), ids=lambda p: str(p.relative_to(WORKSHOP)))
def test_the_rooms_use_one_another_one_way(path):
    room = path.relative_to(WORKSHOP).parts[0].removesuffix(".py")
    used = {name.split(".")[2] for name in imports(path)} - {room}
    assert room == "__init__" or used <= set(ROOMS[: ROOMS.index(room)] if room in ROOMS else ())


def imports(path) -> set[str]:
    """What a file imports of the course, inside functions too, as dotted names."""
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {f"{n.module}.{a.name}" for n in found for a in n.names if n.module.startswith("memlib.course")}


# Sources and what is built of them

SOURCES = sorted(path for stem in ("lesson", "exercise") for path in CHAPTERS.glob(f"*/{stem}.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_sources_are_read_as_jupytext_reads_them(path):
    theirs = [cell for cell in jupytext.read(path, fmt="py:percent").cells if cell.source.strip()]
    ours = [cell for cell in source.parse(path) if cell.source.strip()]
    assert [(c.kind, c.source.strip()) for c in ours] == [(c.cell_type, c.source.strip()) for c in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        flags = dict.fromkeys({other.metadata.get("title")} & source.FLAGS, True)
        assert mine.options == flags | {k: v for k, v in other.metadata.items() if k in source.OPTIONS}


@pytest.mark.parametrize(
    "old, new, line, why",
    [
        ('    # END SOLUTION\n\n\n# %% check="double"', '\n\n# %% check="double"', 10, "without '# END SOLUTION'"),
        ("    # BEGIN SOLUTION\n    return 2 * x", "    return 2 * x", 11, "without '# BEGIN SOLUTION'"),
        ("    return 2 * x\n", "    # BEGIN SOLUTION\n", 11, "inside a block that has not ended"),
        ('task="total"', 'task="double"', 21, "'double' stands twice"),
        (' points=3 kind="bug"', ' kind="bug"', 21, "needs points="),
        ('kind="bug"', 'kind="bugs"', 21, "needs kind="),
        ("# NEXT: Divide by nothing.\n", "", 30, "needs '# NEXT: ...'"),
        ('# %% check="total"', "# %%", 21, "'total' has no check cell"),
        ('check="total"', 'check="totals"', 30, "no task 'totals' above"),
        ('check="total"', 'check="double"', 30, "has two checks"),
        ("# WHY double(1) == 3: That", "# WHY double(1) = 3: That", 18, "a WHY line is '# WHY condition: "),
        ("minutes=1 hides", "minutes=soon hides", 8, "not JSON"),
        ("minutes=1 hides", "minute=1 hides", 8, "is not an option"),
        ('report("total", total(inputs(4, name="x")))', "total(inputs(4, name='x'))", 30, "prints nothing"),
        ("    return x.sum()", "    return x.summ()", 30, "the solution of task 'total' fails: AttributeError"),
        ("import torch\n", "import torchy\n", 4, "this cell fails: ModuleNotFoundError"),
        ("# # A tiny", "A tiny", 2, "a line of a text cell begins with '# '"),
    ],
)
def test_a_broken_exercise_is_refused_with_file_and_line(old, new, line, why, tmp_path):
    assert old in TINY
    with pytest.raises(CourseError) as error:
        expected(exercise(TINY.replace(old, new), tmp_path))
    assert re.search(rf"exercise\.py:{line}: ", str(error.value)) and why in str(error.value), error.value


def test_an_exercise_without_tasks_is_refused(tmp_path):
    with pytest.raises(CourseError, match=r"exercise\.py:1: an exercise needs at least one cell"):
        exercise("# %%\nx = 1\n", tmp_path)


def test_solutions_are_cut_out_and_given_code_is_shown(tiny):
    cells = {cell.id: cell for cell in nbformat.read(tiny / "exercises" / "77_tiny.ipynb", 4).cells}
    assert cells["double"].source == "def double(x):\n    raise NotImplementedError"
    assert cells["total"].source == "def total(x):\n    return x.mean()"
    assert cells["hand"].source == "kept = ...  # your answer"
    assert cells["double-look"].source == 'look("double", "77_tiny")'
    assert cells["double-check"].source.startswith("%%check double\nreport(") and "WHY" not in str(cells)
    ids = [cell.id for cell in nbformat.read(tiny / "exercises" / "77_tiny.ipynb", 4).cells]
    assert ids[2:4] == ["double", "double-look"] and ids[-3:] == ["double-check", "total-check", "hand-check"]
    assert cells[ids[-4]].metadata == {"jp-MarkdownHeadingCollapsed": True}, "what is compared is folded"
    assert cells["double-check"].metadata.memlib == {"check": "double", "next": "Twice is not squared."}
    assert cells["hand-check"].metadata.nbgrader.points == 0  # nbgrader refuses more than full marks
    solved = {cell.id: cell for cell in nbformat.read(tiny / "solutions" / "77_tiny.ipynb", 4).cells}
    assert "return 2 * x" in solved["double"].source and "GIVEN" not in solved["total"].source
    assert solved["total-check"].outputs == cells["total-check"].outputs


def test_films_are_carried_over_while_their_cell_is_unchanged(tmp_path):
    folder = tmp_path / "chapters" / "77_tiny"
    folder.mkdir(parents=True)
    text = '# %%\nx = 1\n\n# %% tags=["film"]\nshow(x)\n'
    (folder / "lesson.py").write_text(text)
    path = tmp_path / "notebooks" / "77_tiny.ipynb"
    path.parent.mkdir()

    def built() -> str:
        return build("77_tiny", folder=folder.parent, root=tmp_path)[path]

    book = nbformat.reads(built(), 4)
    picture = nbformat.v4.new_output("display_data", data={"application/vnd.plotly.v1+json": {"data": []}})
    book.cells[1].outputs = [picture]
    path.write_text(nbformat.writes(book))
    (folder / "lesson.py").write_text(text.replace("x = 1", "x = 2"))
    assert nbformat.reads(built(), 4).cells[1].outputs == [picture]
    (folder / "lesson.py").write_text(text.replace("show(x)", "show(x, 2)"))
    assert nbformat.reads(built(), 4).cells[1].outputs == []


def test_a_lesson_holds_no_solution(tmp_path):
    (tmp_path / "77_tiny").mkdir()
    (tmp_path / "77_tiny" / "lesson.py").write_text("# %%\n# BEGIN SOLUTION\nx = 1\n# END SOLUTION\n")
    with pytest.raises(CourseError, match=r"lesson\.py:1: a solution stands in an exercise"):
        source.load_lesson("77_tiny", tmp_path)


# Inputs and reports


def test_inputs_are_quarters_and_differ_by_name_and_seed(monkeypatch):
    first = seeds.inputs(4, 3, name="k")
    assert torch.equal(first, seeds.inputs(4, 3, name="k")) and (first * 4 == (first * 4).round()).all()
    assert first.abs().max() <= 2 and not torch.equal(first, seeds.inputs(4, 3, name="v"))
    state = torch.get_rng_state()
    monkeypatch.setenv("MEMLIB_SEED", "7")
    assert not torch.equal(first, seeds.inputs(4, 3, name="k")) and torch.equal(state, torch.get_rng_state())
    assert {seeds.number(2, 4, name=f"n{i}") for i in range(50)} == {2, 3, 4}


class Liar(torch.Tensor):
    """Equal to everything, and printed as it likes."""

    def __repr__(self):
        return "1.00"

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.ones(2)


VECTOR = "x [entry]\n   1.00 -0.50"


@pytest.mark.parametrize(
    "value",
    [
        [1, -0.5],
        (1.0, np.float32(-0.5)),
        torch.tensor([1, -0.5]),
        torch.tensor([1, -0.5], dtype=torch.bfloat16, requires_grad=True),
        np.array([1, -0.5]),
        [torch.tensor(1), torch.tensor([-0.5])[0]],
        torch.tensor([1, -0.5]).as_subclass(Liar),
    ],
    ids=["list", "tuple", "float32", "bfloat16", "numpy", "scalars", "subclass"],
)
def test_a_report_says_the_same_of_the_same_numbers(value):
    assert report_text.table("x", value) == VECTOR


def test_reports_speak_of_steps_slots_and_tokens():
    recipe = [torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [-0.001, 1.0]])]
    assert report_text.table("recipe", recipe) == (
        "recipe [token]\n  step 0, slot 0: 1.00 0.00\n  step 1, slot 0: 1.00 0.00\n  step 1, slot 1: 0.00 1.00"
    )
    assert report_text.table("n", torch.tensor(3), digits=0) == report_text.table("n", 3.0, digits=0) == "n: 3"
    assert report_text.table("n", 2.6, digits=0) == "n: 2.60", "not rounded to a right answer"
    assert report_text.table("fits", torch.tensor(True)) == report_text.table("fits", True) == "fits: yes"
    assert report_text.table("mask", torch.tensor([[True, False]]), digits=0) == "mask [column]\n  row 0: 1 0"
    assert report_text.table("order", ["Append ", "read, then  evict"]) == (
        'order [entry]\n  "append" "read, then evict"'
    )
    assert report_text.table("read", {"window": [2, 3], "full": [4]}, axes=("place",), digits=0) == (
        "read [place]\n  window: 2 3\n  full:   4"
    )
    assert report_text.table("bias", [float("-inf"), float("inf")]) == "bias [entry]\n  -inf  inf"
    assert report_text.table("pairs", {"kept": 3, "read": 2.5}) == "pairs\n  kept 3.00, read 2.50"
    assert report_text.table("none", torch.zeros(0, 3), axes=("slot", "token")) == "none [token]\n  no slot"
    assert "0x" not in report_text.table("pairs", {"a": 1, "b": torch.zeros(2)})


def test_what_is_printed_can_be_read_back():
    texts = [
        report_text.table("order", {"first": ["a: b, c", 'd "e"'], "second": ["x"]}),
        report_text.table("n", 3),
        report_text.table("held", {"window": 3, "full": 8}),
        report_text.table("recipe", [[], [[1, 0]]], axes=("step", "slot", "token")),
    ]
    assert report_text.read_report("\n".join(texts)) == {
        "order": {"first": {"entry 0": '"a: b, c"', "entry 1": r'"d \"e\""'}, "second": {"entry 0": '"x"'}},
        "n": {"": {"": "3.00"}},
        "held": {"": {"window": "3.00", "full": "8.00"}},
        "recipe": {"step 0": {"no slot": "-"}, "step 1, slot 0": {"token 0": "1.00", "token 1": "0.00"}},
    }


@pytest.mark.parametrize(
    "value, error, message",
    [
        (..., NotImplementedError, "x is not answered yet"),
        ([1, ...], NotImplementedError, "x is not answered yet"),
        ([[1.0, float("nan")]], ValueError, "x holds a NaN, the first at row 0, column 1"),
        (object(), TypeError, "x is an object; wanted a tensor"),
        (torch.zeros(80, 80), ValueError, "x holds 6400 numbers; a report prints at most 5000"),
        (torch.zeros(1, 1, 1, 1), ValueError, "x has 4 axes; name them"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_sentence(value, error, message):
    with pytest.raises(error, match=message):
        report_text.table("x", value)


def test_a_report_of_the_wrong_depth_is_refused():
    with pytest.raises(ValueError, match=r"x is a list; wanted is a table, .* \(slot, token\)"):
        report_text.table("x", [1, 2], axes=("slot", "token"))


def test_the_reference_stays_away_from_rounding_edges():
    assert report_text.table("x", 0.12501) == "x: 0.13"
    with report_text.no_edges(), pytest.raises(report_text.RoundingEdge):
        report_text.table("x", [0.25, 0.12501])
    with report_text.no_edges():
        assert report_text.table("x", 0.1251, digits=3) == "x: 0.125"
    assert report_text.table("x", 0.12501) == "x: 0.13"


def test_a_seed_is_drawn_again_where_the_reference_lies_on_an_edge(tmp_path):
    text = TINY.replace("return 2 * x", "return x / 2")  # an eighth lies between 0.12 and 0.13
    found = exercise(text, tmp_path)
    seed, printed = fresh_reference(found, 0)
    assert seed > 0 and "double" in printed
    never = exercise(TINY.replace("return 2 * x", "return x * 0 + 0.125"), tmp_path)
    with pytest.raises(CourseError, match="report with digits=3"):
        fresh_reference(never, 0)


# The first difference


@pytest.mark.parametrize(
    "mine, theirs, axes, said",
    [
        ([[[1, 0]], [[0, 1]]], [[[1, 0]], [[1, 1]]], (), "step 1, slot 0: token 0 has weight 0.00, expected 1.00."),
        ([[[1, 0]]], [[[1, 0], [0, 1]]], (), "step 0 has 1 slot, expected 2 slots."),
        ([[[1, 0]]], [[[1, 0]], [[1, 0]]], (), "x has 1 step, expected 2 steps."),
        ([[1, 2]], [[1, 3]], ("slot", "channel"), "slot 0: channel 1 is 2.00, expected 3.00."),
        ([[1]], [[1, 3]], ("slot", "channel"), "slot 0 has 1 channel, expected 2 channels."),
        ([1, 2], [1, 2, 3], (), "x has 2 entries, expected 3 entries."),
        (2, 3, (), "x is 2.00, expected 3.00."),
        (True, False, (), "x is yes, expected no."),
    ],
)
def test_the_first_difference_is_said_in_the_learners_words(mine, theirs, axes, said):
    assert first_difference(report_text.table("x", mine, axes), report_text.table("x", theirs, axes)) == said
    assert first_difference(report_text.table("x", mine), report_text.table("x", mine)) is None


def test_a_sealed_answer_is_not_given_away():
    texts = [report_text.table("kept", kept, ("slot",), 0, True) for kept in ([3, 4], [3, 5], [3])]
    assert first_difference(texts[1], texts[0]) == "slot 1 is not right yet."
    assert first_difference(texts[2], texts[0]) == "kept has 1 slot, which is not the right number."
    assert not re.search(r"\b[345]\b", texts[0]) and texts[0] != report_text.table("kept", [4, 3], ("slot",), 0, True)


def test_several_reports_are_told_apart():
    theirs = report_text.table("a", 1) + "\n" + report_text.table("b", [1, 2])
    assert first_difference(report_text.table("a", 1) + "\n" + report_text.table("b", [1, 3]), theirs) == (
        "b: entry 1 is 3.00, expected 2.00."
    )
    assert first_difference(report_text.table("a", 1), theirs) == "Nothing was printed for 'b'."


def test_weights_per_token_become_a_picture():
    recipe = [[[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]
    assert shown_matrices(report_text.read_report(report_text.table("recipe", recipe))) == ("recipe", recipe)
    assert shown_matrices(report_text.read_report(report_text.table("n", 3))) is None
    texts = [report_text.table("recipe", steps) for steps in (recipe, [recipe[0], [[0.5, 0.5], [0.0, 1.0]]])]
    figure = side_by_side.comparison(texts[0], texts[1])
    assert "recipe, step 1: yours and the target" in figure.to_json()
    assert side_by_side.comparison(texts[0], report_text.table("recipe", [[[1.0]]])) is None
    assert side_by_side.comparison(report_text.table("n", 3), report_text.table("n", 3)) is None


def test_an_error_is_said_with_its_line_in_the_answer():
    answer = "def f(x):\n    y = x + 1\n    return y.shpae\n"
    error = execute(answer + "f(torch.ones(1))", {"torch": torch}, "<answer x>")
    said = from_exception(error, answer).sentence()
    assert said.startswith("Line 3 of the answer: AttributeError: ") and "shpae" in said
    said = from_exception(execute("x = [1\n", {}, "<a>"), "x = [1\n").sentence()
    assert said.startswith("Line 1 of the answer: SyntaxError")
    assert from_exception(NotImplementedError(), "").sentence() == "Not answered yet."
    trace = [
        "\x1b[31mNameError\x1b[0m",
        "Cell In[1], line 2, in f(x)\n      1 def f(x):\n----> 2     return helper(x)\n",
    ]
    error = {"ename": "NameError", "evalue": "name 'helper' is not defined", "traceback": trace}
    answer = "def f(x):\n    return helper(x)"
    said = from_kernel(error, answer).sentence((), "def helper(x): ...")
    assert said.startswith("Line 2 of the answer: NameError: name 'helper' is not defined. ")
    assert said.endswith("Only the answer cell is graded: move helper into it.")


# Grading


DOORS = {  # to a hidden thing NAME, whose own module is HOME
    "the package": "from memlib import NAME as found",
    "an attribute": "import memlib\nfound = memlib.NAME",
    "its module": "from HOME import NAME as found",
    "getattr": "import importlib\nfound = getattr(importlib.import_module('HOME'), 'NAME')",
    "vars": "import memlib\nfound = vars(memlib)['NAME']",
    "sys.modules": "import sys\nfound = sys.modules['HOME'].__dict__['NAME']",
    "a pickle": "import pickle\nfound = pickle.loads(b'cHOME\\nNAME\\n.')",
    "any module": "import sys\nfound = next(x for n, m in sys.modules.items() if n.startswith('memlib')\n"
    "    for x in vars(m).values() if getattr(x, '__name__', '') == 'NAME')",
    "another module's import": "import sys\nfound = next(getattr(m, 'NAME') for n, m in sys.modules.items()\n"
    "    if n.startswith('memlib') and hasattr(m, 'NAME'))",
    "a table": "import sys\nfound = next(key for n, m in sys.modules.items() if n.startswith('memlib')\n"
    "    for x in [getattr(m, a) for a in dir(m)] if isinstance(x, (dict, list, tuple))\n"
    "    for key in [*x, *(x.values() if isinstance(x, dict) else ())]\n"
    "    for key in (key, type(key)) if getattr(key, '__name__', '') == 'NAME')",
    "its base's subclasses": "import memlib\nfound = next(c for one in (memlib.Hybrid, memlib.MaxPool)\n"
    "    for b in one.__mro__[:-1] for c in b.__subclasses__() if c.__name__ == 'NAME')",
    "the notebook": "found = NAME",
    "another name in the notebook": "found = other",
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["Window", "KNN", "attend", "MeanPool"])
def test_a_hidden_thing_is_behind_no_door(name, door, tmp_path):
    """A class, one with a store, a function, a pool; the check still uses what is made of them."""
    import memlib

    home = getattr(memlib, name).__module__
    text = TINY.replace('hides=["Window"]', f'hides=["{name}"]')
    text = text.replace("import torch\n", f"import torch\nfrom memlib import {name}\nother = {name}\n", 1)
    found = exercise(text, tmp_path)
    answer = DOORS[door].replace("NAME", name).replace("HOME", home) + "\ndouble = lambda x: 2 * x"
    printed = run_exercise(found, {"double": answer}, 3)
    missed = (ImportError, AttributeError, KeyError, StopIteration, NameError)
    assert isinstance(printed["double"].error, missed), printed["double"]
    assert printed["total"].error is None and getattr(memlib, name) is getattr(sys.modules[home], name)
    assert not hide._hidden and not hide._bindings and type(memlib) is ModuleType
    assert sys.stdout.write is not quiet.Nowhere.write


@pytest.mark.parametrize("door", DOORS)
def test_every_door_is_open_where_nothing_is_hidden(door):
    import memlib

    answer = DOORS[door].replace("NAME", "Window").replace("HOME", memlib.Window.__module__)
    assert execute(answer, {"Window": memlib.Window, "other": memlib.Window}, "<answer>") is None


def test_what_is_made_of_hidden_things_still_works():
    """So that a check may draw, compare and replay; and all is back afterwards, an answer's own changes too."""
    import memlib

    q, kv = seeds.inputs(9, 4, name="q"), memlib.KV(seeds.inputs(9, 4, name="k"), seeds.inputs(9, 4, name="v"))
    parts = memlib.Joint(memlib.Window(3), memlib.KNN(2, 3)), memlib.Hybrid(2, 2, 2), memlib.Window(3)
    before = [(memlib.outputs(one, q, kv), memlib.attend_all(one, q, kv)) for one in parts]
    kept = {name: getattr(memlib, name) for name in memlib.__all__}
    bases = {base for thing in kept.values() if isinstance(thing, type) for base in thing.__mro__}
    families = {base: [one.__name__ for one in base.__subclasses__()] for base in bases - {object, type}}
    try:
        hide.begin("Window", "KNN", "Joint", "Hybrid", "MeanPool", "attend", space={})
        during = [(memlib.outputs(one, q, kv), memlib.attend_all(one, q, kv)) for one in parts]
        said = memlib.check(parts[2], parts[2])
        memlib.Window = None
    finally:
        hide.end()
    assert all(
        torch.equal(a, b) for old, new in zip(before, during, strict=True) for a, b in zip(old, new, strict=True)
    )
    assert said.same and {name: getattr(memlib, name) for name in memlib.__all__} == kept
    assert families == {base: [one.__name__ for one in base.__subclasses__()] for base in families}
    assert not any("__subclasses__" in vars(base) for base in families)
    with pytest.raises(AttributeError, match="memlib has no 'Nothing' to hide"):
        hide.begin("Window", "Nothing", space={})
    assert memlib.Window is kept["Window"] and sys.stdout.write is not quiet.Nowhere.write


def test_odd_and_hostile_answers_lose_their_task_and_nothing_else(tiny):
    """A dead kernel, a loop without end, a lone right answer that prints; a changed check; 3 s a cell."""
    started = time.monotonic()
    answers = {
        "double": "def double(x):\n    while True:\n        pass",
        "total": "import os\nos._exit(1)",
        "hand": "import sys\nprint('noise')\nprint('noise', file=sys.stderr)\nkept = (3, 4)",
        "total-check": "print('total: 1.00')",
    }
    verdict = answered(tiny, answers, seconds=3)
    states = {task["task"]: (task["state"], task["points"], task["feedback"]) for task in verdict["tasks"]}
    assert states["double"] == ("failed", 0, "It took too long and was stopped: does a loop end?")
    assert states["total"] == ("failed", 0, "Its process died.")
    assert states["hand"] == ("passed", 1, "As asked for.")
    assert (verdict["points"], verdict["total"], verdict["bonus"], verdict["bonus_total"]) == (0, 5, 1, 1)
    assert verdict["notes"] == ["The check of 'total' is changed in this file; the course's own was used."]
    assert time.monotonic() - started < 90


def test_right_wrong_and_broken_answers_side_by_side(tiny):
    answers = {
        "double": "from memlib import Window\ndef double(x):\n    return 2 * x",
        "total": "number = inputs = 3\ndef total(x):\n    print(x)\n    return sum(v.item() for v in x.double())",
        "hand": "kept = [3, 4",
    }
    verdict = answered(tiny, answers, seed=5)
    double, total, hand = verdict["tasks"]
    assert double["feedback"].startswith("Line 1 of the answer: ImportError") and "Window is away" in double["feedback"]
    assert (total["state"], total["points"], total["of"], total["next"]) == ("passed", 3, 3, "")
    assert hand["state"] == "failed" and hand["feedback"].startswith("Line 1 of the answer: SyntaxError")
    assert hand["next"] == "Count."
    keys = "format chapter course file isolation seed points total bonus bonus_total tasks notes seconds"
    assert list(verdict) == keys.split() and json.loads(json.dumps(verdict)) == verdict
    assert set(double) == {"task", "kind", "bonus", "points", "of", "state", "feedback", "next"}
    text = grading.verdict_text(verdict)
    assert text.startswith(f"{grading.ISOLATION}\n77_tiny: 3 of 5 points, bonus 0 of 1\n")
    assert "Look next: Count." in text


def test_answers_are_found_in_a_notebook_that_was_worked_in(tiny):
    book = nbformat.read(tiny / "exercises" / "77_tiny.ipynb", 4)
    found = source.load_exercise("77_tiny", tiny / "chapters")
    cells = {cell.id: cell for cell in book.cells}
    extra = nbformat.v4.new_code_cell("def double(x):\n    return 0", id="extra")
    cells["double"].source = "mine"
    cells["total"].metadata = {}
    copy = nbformat.v4.new_code_cell("a copy", id="copied", metadata=cells["double"].metadata)
    book.cells = [extra, copy, cells["total"], cells["double"]]

    def answers():
        nbformat.write(book, tiny / "mine.ipynb")
        return submission.answers(submission.read_submission(tiny / "mine.ipynb"), found)

    assert answers() == {"double": "mine", "total": cells["total"].source}
    cells["double"].id = "new"
    with pytest.raises(CourseError, match="The answer 'double' stands in 2 cells: delete all but one"):
        answers()


def test_a_task_whose_cell_was_deleted_is_missing(tiny):
    found = source.load_exercise("77_tiny", tiny / "chapters")
    said = grading._state(found, "double", {}, {}, "", "")
    assert said == ("missing", "The answer cell of this task is not in the file.")


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "is damaged"),
        (b'{"cells": [', "is damaged"),
        (b'{"nbformat": 4, "cells": [], "x": NaN}', "is damaged"),
        (b"\xff\xfe\x00", "is damaged"),
        (b"[" * 200_000, "is damaged"),
        (b"[]", "is not a notebook of format 4"),
        (b'{"nbformat": 3, "worksheets": []}', "is not a notebook of format 4"),
        (b'{"nbformat": 4, "cells": [3]}', "holds a cell that is not text"),
        (b'{"nbformat": 4, "cells": [{"source": "a\\u0000"}]}', "holds a cell that is not text"),
        (b" " * 5_000_001, "is larger than 5 MB"),
        (b'{"nbformat": 4, "cells": []}', "There is no chapter"),
    ],
)
def test_a_malformed_file_is_refused_in_one_sentence(content, why, tmp_path, capsys):
    path = tmp_path / "odd.ipynb"
    path.write_bytes(content)
    assert cli.main(["grade", str(path)]) == 1
    said = capsys.readouterr().err.strip()
    assert why in said and "\n" not in said and "Traceback" not in said


def test_a_byte_order_mark_is_no_harm(tiny):
    text = (tiny / "exercises" / "77_tiny.ipynb").read_text()
    (tiny / "bom.ipynb").write_text("\ufeff" + text)
    assert len(submission.read_submission(tiny / "bom.ipynb").cells) == 12


def test_a_fault_of_the_course_is_never_a_learners_zero(tiny, monkeypatch):
    record = {"cell": 0, "outcome": "failed", "error": None, "stopped": None}
    monkeypatch.setattr(grading, "_nbval", lambda *_: [record])
    with pytest.raises(grading.GraderFault, match="set-up fails here"):
        answered(tiny, {})


# The learner's own folder, the commands, the button


def test_start_copies_once_and_never_overwrites(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "MY", tmp_path / "my")
    name = chapters()[0]
    assert cli.main(["start", name.split("_")[0]]) == 0
    copy = tmp_path / "my" / f"{name}.ipynb"
    assert copy.read_bytes() == (ROOT / "exercises" / f"{name}.ipynb").read_bytes()
    copy.write_text("mine")
    assert cli.main(["start", str(int(name[:2]))]) == 0 and copy.read_text() == "mine"
    assert "is yours" in (said := capsys.readouterr().out) and "stays as it is" in said
    assert cli.main(["start", "99"]) == 1 and "There is no chapter '99'" in capsys.readouterr().err


def test_git_leaves_the_learners_folder_alone():
    done = subprocess.run(["git", "check-ignore", "-q", "my/01_window.ipynb"], cwd=ROOT)
    assert done.returncode == 0


def test_progress_keeps_what_was_solved(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "MY", tmp_path / "my")
    name = next(name for name in chapters() if (CHAPTERS / name / "exercise.py").exists())
    first = next(iter(source.load_exercise(name).tasks.values()))
    task = {"task": first.name, "state": "passed", "of": first.points}
    progress.record({"chapter": name, "tasks": [task]})
    progress.record({"chapter": name, "tasks": [task | {"state": "failed"}]})
    assert cli.main(["progress"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert f"{first.points} of" in line and first.name not in line.split("still open:")[1].split(", ")
    (tmp_path / "my" / ".progress.json").write_text("{")
    assert cli.main(["progress"]) == 1 and "is damaged" in capsys.readouterr().err


def test_chapters_are_named_as_people_name_them():
    name = chapters()[0]
    number = name.split("_")[0]
    assert {chapter(text) for text in (number, number.lstrip("0") or "0", name, f"my/{name}.ipynb")} == {name}


def test_the_doctor_finds_this_machine_well(capsys):
    assert cli.main(["doctor"]) == 0
    assert "WRONG" not in capsys.readouterr().out


def test_feedback_in_the_notebook_is_escaped():
    task = {"task": "<b>", "points": 0, "of": 1, "bonus": False, "state": "failed"}
    task |= {"feedback": "<script>", "next": "<img src=x>"}
    text = button.verdict_html({"points": 0, "total": 1, "tasks": [task]})
    assert not re.search(r"<(script|img|b>)", text) and "&lt;script&gt;" in text
    assert button.verdict_html({"problem": "<script>"}) == "<p>&lt;script&gt;</p>"


def test_the_button_knows_names_that_are_defined_together():
    assert given.defined("a, (b, *c) = 1, (2, 3)\nd: int = 4\ne: int\nf[g] = h.i = a\n(j := 5)") == set("abcd")


def test_without_its_sources_look_and_the_button_say_so_in_one_sentence(tmp_path, monkeypatch, capsys):
    import IPython

    shell = SimpleNamespace(user_ns={"In": []})
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.delenv("MEMLIB_GRADING", raising=False)
    name = next(name for name in chapters() if (CHAPTERS / name / "exercise.py").exists())
    task = next(iter(source.load_exercise(name).tasks))
    box = button.grade_button(name)
    monkeypatch.setattr(paths, "CHAPTERS", tmp_path / "chapters")
    monkeypatch.setattr(source.load_exercise, "__defaults__", (tmp_path / "chapters", lambda cells: cells))
    side_by_side.look(task, name)
    assert paths.ABSENT in capsys.readouterr().out
    assert button.grade_button(name).value == f"<p>{paths.ABSENT}</p>"
    box.children[0].click()
    assert box.children[1].value == f"<p>{paths.ABSENT}</p>" and not box.children[0].disabled
    monkeypatch.setattr(side_by_side, "ROOT", tmp_path)
    side_by_side.look(task, name)
    assert f"{name}.ipynb is missing or damaged: take the whole project." in capsys.readouterr().out


@pytest.fixture
def kernel():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=ROOT, stderr=subprocess.DEVNULL)

    def execute(code: str, cell_id: str | None = None) -> str:
        said = []

        def hear(message):
            content = message["content"]
            shown = content.get("data", {}).get("text/plain", "") if "data" in content else content.get("text", "")
            said.append(shown or "\n".join(content.get("traceback", [])))

        message = client.session.msg("execute_request", {"code": code, "silent": False, "allow_stdin": False})
        message["metadata"] = {"cellId": cell_id} if cell_id else {}
        client.shell_channel.send(message)
        while True:
            heard = client.get_iopub_msg(timeout=60)
            if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            hear(heard)
            if heard["content"].get("execution_state") == "idle":
                return "".join(said)

    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_button_grades_what_was_run_in_the_kernel(kernel, tmp_path):
    """As a learner does it: set-up, two answers (one cell known by its id, one by what it defines), look, button."""
    name = next(name for name in chapters() if (CHAPTERS / name / "exercise.py").exists())
    found = source.load_exercise(name)
    setup = next(cell for cell in found.cells if cell.kind == "code").source
    one, two, three = list(found.tasks.values())[:3]
    kernel(setup)
    assert kernel(f"look({one.name!r}, {name!r})").strip() == "– Not answered yet."
    kernel(source.solved(one.answer), one.name)
    assert kernel(f"look({one.name!r}, {name!r})").startswith("✓ Right.")
    kernel(source.solved(two.answer))
    kernel(source.stub(three.answer), three.name)
    assert "Not answered yet." in kernel(f"look({three.name!r}, {name!r})")
    shown = kernel(
        f"""
from memlib.course.notebook.button import handed_in
from IPython import get_ipython
book = handed_in({name!r}, get_ipython())
print({{cell["id"]: cell["source"] for cell in book["cells"] if cell["id"] in {list(found.tasks)!r}}})
"""
    )
    sources = ast.literal_eval(shown)
    assert sources[one.name] == source.solved(one.answer) and sources[two.name] == source.solved(two.answer)
    assert sources[three.name] == source.stub(three.answer)
    said = kernel(
        f"""
import os, time
os.environ["MEMLIB_MY"] = {str(tmp_path)!r}
box = grade_button({name!r})
box.children[0].click()
while "Grading" in box.children[1].value or not box.children[1].value:
    time.sleep(0.2)
print(box.children[1].value)
"""
    )
    assert f"{one.points + two.points} of " in said and said.count(">✓</td>") == 2
    kept = json.loads((tmp_path / ".progress.json").read_text())
    assert kept == {name: {one.name: one.points, two.name: two.points}}
