"""The builder's own cells of a lesson: the library's text, claims, puzzles, and how long a lesson is."""

import ast
import dataclasses
import inspect
import subprocess
import sys

import nbformat
import pytest
import torch
from examples import MEMORIES, WIDTH

import memlib
from memlib import KV, check, outputs
from memlib.course import claims, here, paths, puzzle
from memlib.course.notebook.execution import execute
from memlib.course.paths import CourseError
from memlib.course.source import load_lesson, solved, stub
from memlib.course.write import measures
from memlib.course.write.build import lesson, text_of
from memlib.course.write.lesson_cells import puzzle_source, wrong_answers
from memlib.course.write.library_text import library_text

LESSON = """\
# %%
import torch

from memlib import KV, check, attend, Full
from memlib.course import puzzle

kv = KV(torch.eye(5), torch.eye(5))

# %% show="memlib.Full"
print(check(Mine(), Full()))

# %% claims
assert kv.n == 5
assert kv[-2:].n == 2  # two

# %% puzzle
size = 3


def newest(kv):
    # BEGIN SOLUTION
    return kv[-size:]
    # END SOLUTION
    # WRONG: return kv[:size]
    # WRONG: return kv[size:]
    # WRONG: return kv.nothing


puzzle(lambda: newest(kv).v, kv.v[2:], axes=("slot", "token"))
"""


def written(tmp_path, text=LESSON):
    """The built cells of a lesson of our own."""
    (tmp_path / "77_tiny").mkdir(exist_ok=True)
    (tmp_path / "77_tiny" / "lesson.py").write_text(text)
    return lesson("77_tiny", tmp_path).cells


def test_a_built_lesson_folds_what_stands_behind(tmp_path):
    cells = written(tmp_path)
    assert [cell.id for cell in cells] == [f"77_tiny-0{i}" for i in range(4)] + ["77_tiny-03-solution"]
    assert [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in cells[:4]] == [
        False,
        False,
        True,
        False,
    ]
    assert cells[1].source.startswith("from ") and cells[1].source.endswith("\n\n\nprint(check(Mine(), Full()))")
    assert cells[2].source.startswith("from memlib.course import claims\n\nwith claims(2):\n    assert kv.n == 5\n")
    assert "raise NotImplementedError" in cells[3].source and "kv[-size:]" not in cells[3].source
    assert "WRONG" not in cells[3].source and "WRONG" not in cells[4].source
    assert cells[4].source.startswith("<details>") and "```python\nreturn kv[-size:]\n```" in cells[4].source


def test_a_second_text_of_the_library_is_folded(tmp_path):
    cells = written(tmp_path, LESSON + '\n# %% show="memlib.Full"\n')
    assert cells[-1].metadata["jupyter"]["source_hidden"] and "class Mine" in cells[-1].source


def run_through(cells) -> dict:
    """The lesson's code in this process, as Run All does it."""
    space: dict = {"__name__": "__main__", "display": lambda x: None}
    for cell in cells:
        if cell.cell_type == "code":
            error = execute(cell.source, space, f"<cell {cell.id}>")
            assert error is None, (cell.source, error)
    return space


def test_a_built_lesson_runs_and_its_text_is_the_library(tmp_path, capsys):
    run_through(written(tmp_path))
    said = capsys.readouterr().out
    assert "no difference" in said and "2 claims about this picture, checked" in said
    assert "Your line is still to come" in said


def test_nbval_runs_a_built_lesson_and_finds_a_false_claim(tmp_path):
    """Under nbval a claim that does not hold is a failure; the puzzle's blank is none."""
    true, false = LESSON, LESSON.replace("kv.n == 5", "kv.n == 6")
    outcomes = []
    for text in (true, false):
        built = nbformat.v4.new_notebook(cells=written(tmp_path, text))
        (tmp_path / "lesson.ipynb").write_text(text_of(built))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env"]
        done = subprocess.run([*command, "lesson.ipynb"], cwd=tmp_path, capture_output=True, text=True)
        outcomes.append(done.stdout.strip().splitlines()[-1])
    assert outcomes[0].startswith("4 passed") and outcomes[1].startswith("1 failed, 3 passed"), outcomes


# Claims


def as_learner(monkeypatch):
    for name in ("PYTEST_VERSION", "MEMLIB_CLAIMS"):
        monkeypatch.delenv(name, raising=False)


CLAIM = "from memlib.course import claims\nwith claims(2):\n    assert 1 + 1 == 2\n    assert 1 + 1 == total\nafter = 1"


@pytest.mark.parametrize(
    "space, said",
    [
        ({"total": 2}, "2 claims about this picture, checked"),
        ({"total": 3}, "A claim about this picture does not hold here: 1 + 1 == total"),
        ({}, "The claims about this picture were not checked (NameError: name 'total' is not defined)."),
    ],
)
def test_a_learner_reads_one_sentence_and_goes_on(space, said, monkeypatch, capsys):
    as_learner(monkeypatch)
    error = execute(CLAIM, space, "<claims>")
    assert error is None and space["after"] == 1 and capsys.readouterr().out.strip() == said


@pytest.mark.parametrize("name", ["PYTEST_VERSION", "MEMLIB_CLAIMS"])
def test_where_the_notebook_is_tested_a_false_claim_raises(name, monkeypatch):
    as_learner(monkeypatch)
    monkeypatch.setenv(name, "raise")
    assert isinstance(execute(CLAIM, {"total": 3}, "<claims>"), AssertionError)
    assert isinstance(execute(CLAIM, {}, "<claims>"), NameError)


def test_a_learner_may_stop_claims(monkeypatch):
    as_learner(monkeypatch)
    with pytest.raises(KeyboardInterrupt), claims(1):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "old, new, line, why",
    [
        ("assert kv.n == 5", "assert check(Mine(), Full())", 13, "claims read 'Mine', which a learner edits above"),
        ("assert kv.n == 5", 'assert """a\nb"""', 13, "a text of several lines cannot stand in claims"),
        ("assert kv.n == 5\nassert kv[-2:].n == 2  # two", "two = 2", 12, "claims hold no assertion"),
        ("memlib.Full", "memlib.Nothing", 9, "there is no 'memlib.Nothing' in the library"),
        ("memlib.Full", "memlib.attend", 9, "memlib.attend is no class"),
        ("    # WRONG: return kv[:size]\n", "", 16, "three lines '# WRONG: ...' that must not pass, got 2"),
        ("    return kv[-size:]\n", "    kv = kv\n    return kv\n", 16, "one line between"),
        ('puzzle(lambda: newest(kv).v, kv.v[2:], axes=("slot", "token"))', "", 16, "ends with puzzle(...)"),
        ("# %% claims", '# %% claims=""', 12, "is not an option"),
    ],
)
def test_what_is_no_such_cell_is_refused_with_file_and_line(old, new, line, why, tmp_path):
    assert old in LESSON
    with pytest.raises(CourseError) as caught:
        written(tmp_path, LESSON.replace(old, new))
    assert why in str(caught.value) and f"77_tiny/lesson.py:{line}:" in str(caught.value)


def test_claims_read_nothing_that_is_made_of_a_learners_text(tmp_path):
    text = LESSON.replace("# %% claims\n", "# %%\nsaid = bool(check(Mine(), Full()))\n\n# %% claims\nassert said\n")
    with pytest.raises(CourseError, match="claims read 'said', which a learner edits above"):
        written(tmp_path, text)


def test_such_cells_stand_in_lessons_only(tmp_path):
    from memlib.course.source import load_exercise

    (tmp_path / "77_tiny").mkdir()
    (tmp_path / "77_tiny" / "exercise.py").write_text("# %% claims\nassert True\n")
    with pytest.raises(CourseError, match="show, claims and puzzle stand in a lesson"):
        load_exercise("77_tiny", tmp_path)


# Puzzles


def judged(tmp_path, capsys, source: str):
    """What is said, and whether a picture is shown, of a source of the tiny lesson's puzzle."""
    space = run_through(written(tmp_path)[:1])
    capsys.readouterr()
    last = source.rindex("puzzle(")
    assert execute(source[:last] + "figure = " + source[last:], space, "<puzzle>") is None
    return capsys.readouterr().out.strip(), space["figure"]


def test_a_puzzle_is_judged_by_a_word_and_a_picture(tmp_path, capsys):
    written(tmp_path)
    cell = load_lesson("77_tiny", tmp_path)[-1]
    bare = puzzle_source(cell)
    said, figure = judged(tmp_path, capsys, solved(bare))
    assert said == "Yes, that is it." and figure is not None
    said, figure = judged(tmp_path, capsys, stub(bare))
    assert said.startswith("Your line is still to come") and figure is None
    wrong = [judged(tmp_path, capsys, text) for text in wrong_answers(cell)]
    assert [said for said, _ in wrong] == [
        "Not yet. Slot 0: token 0 has weight 1.00, expected 0.00.",
        "Not yet. Yours has 2 slots, expected 3 slots.",
        "Not yet. AttributeError: 'KV' object has no attribute 'nothing'.",
    ]
    assert wrong[0][1] is not None and wrong[2][1] is None


def test_a_puzzle_of_one_name_is_open_while_it_is_a_blank(capsys):
    for value, said in [("...", "Your line"), ("3", "Yes"), ("4", "Not yet. Yours is 4.00, expected 3.00.")]:
        space = {"puzzle": puzzle}
        assert execute(f"size = {value}\npuzzle(lambda: size + 0, 3)", space, "<puzzle>") is None
        assert capsys.readouterr().out.startswith(said)


# The library's text


def as_shown(one):
    """The memory made of its text as a lesson shows it, with the same fields."""
    space: dict = {"__name__": "__main__"}
    assert execute(library_text(f"memlib.{type(one).__name__}"), space, "<shown>") is None
    if dataclasses.is_dataclass(one):
        return space["Mine"](**{part.name: getattr(one, part.name) for part in dataclasses.fields(one)})
    mine = object.__new__(space["Mine"])
    vars(mine).update(vars(one))
    return mine


@pytest.mark.parametrize("name", MEMORIES)
def test_the_text_shown_is_the_librarys_memory(name):
    """At most 30 lines, it runs in an empty notebook, and it gives the same at every step."""
    one = MEMORIES[name]()
    mine = as_shown(one)
    assert type(mine).__name__ == "Mine" and type(mine).__module__ == "__main__"
    if not check(one, one):  # made for keys and values of its own widths
        draw = torch.Generator().manual_seed(0)
        q, k, v = (torch.randn(12, width, generator=draw).double() for width in (WIDTH[0], *WIDTH))
        assert torch.allclose(outputs(mine, q, KV(k, v)), outputs(one, q, KV(k, v)))
    else:
        assert check(mine, one), check(mine, one)


@pytest.mark.parametrize("name", sorted({type(make()).__name__ for make in MEMORIES.values()}))
def test_the_text_shown_has_no_docstrings_and_no_hints(name):
    tree = ast.parse(library_text(f"memlib.{name}"))
    mine = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    assert mine.name == "Mine" and ast.get_docstring(mine) is None
    methods = [node for node in ast.walk(mine) if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(node) is None and node.returns is None for node in methods)
    assert not [arg for node in methods for arg in ast.walk(node.args) if isinstance(arg, ast.arg) and arg.annotation]
    theirs = {key for key, value in vars(getattr(memlib, name)).items() if inspect.isfunction(value)}
    assert {node.name for node in methods} >= {key for key in theirs if not key.startswith("__")}


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="memlib.Window has 14 lines without docstrings and type hints; .* at most 5"):
        library_text("memlib.Window", most=5)


NEWEST, LOOP = "newest = mem.newest.append(new[free:], keep=self.size)", "for pair in new.one_by_one():"
STORE = "compressed.append(made, keep=self.compressed), raw[gone:]"
ERROR = "(v - k @ s)"
MEAN = "x.mean(-2, keepdim=True)"
BREAKS = {  # as the chapters name them: {what is named: (the library's line, what takes its place)}
    ("01_window", lambda made: made(6)): {
        "keep=self.size + 1": ("keep=self.size", "keep=self.size + 1"),
        "newest = mem.newest.append(new[free:])[: self.size]": (
            NEWEST,
            "newest = mem.newest.append(new[free:])[: self.size]",
        ),
        "newest = mem.newest": (NEWEST, "newest = mem.newest"),
        "newest = new": (NEWEST, "newest = new"),
    },
    ("02_averages", lambda made: made(4)): {
        "return mem.append(new, keep=self.size + 1)": ("keep=self.size", "keep=self.size + 1"),
        "return mem.append(new)[: self.size]": ("mem.append(new, keep=self.size)", "mem.append(new)[: self.size]"),
        "return mem.each(lambda x: x.sum(-2, keepdim=True) / self.size)": (
            MEAN,
            f"{MEAN.replace('mean', 'sum')} / self.size",
        ),
        "return mem.each(lambda x: x[..., -1:, :])": (MEAN, "x[..., -1:, :]"),
    },
    ("03a_recurrent", lambda made: made(0.3)): {
        "g = self.rate": ("g = self.rate if mem.count else 1.0", "g = self.rate"),
        "g = 1 - self.rate if mem.count else 1.0": ("g = self.rate if", "g = 1 - self.rate if"),
        "for pair in reversed([*new.one_by_one()]):": (LOOP, "for pair in reversed([*new.one_by_one()]):"),
        "for pair in [new[-1:]]:": (LOOP, "for pair in [new[-1:]]:"),
    },
    ("03b_fast_weights", lambda made: made()): {
        "s = s + k.mT @ (beta[..., t, :, :] * v)": (ERROR, "v"),
        "s = s + k.mT @ (beta[..., t, :, :] * (k @ s - v))": (ERROR, "(k @ s - v)"),
        "k, v = pair.k, single(pair.v)": ("k, v = unit(pair.k)", "k, v = pair.k"),
        "return unit(q) @ mem.s.mT": ("return unit(q) @ mem.s", "return unit(q) @ mem.s.mT"),
    },
    ("04_hybrid", lambda made: made(4, 2, 2)): {
        "made = tiers.compress(self, raw[-gone:], mem.used)": ("raw[:gone]", "raw[-gone:]"),
        "compressed, raw = compressed, raw[gone:]": (STORE, "compressed, raw[gone:]"),
        "compressed, raw = compressed.append(made), raw[gone:]": (STORE, "compressed.append(made), raw[gone:]"),
        "if gone > self.rate:": ("if gone:", "if gone > self.rate:"),
    },
}
NAMED = [(chapter, made, named) for (chapter, made), ways in BREAKS.items() for named in ways]


@pytest.mark.parametrize("chapter, made, named", NAMED, ids=[f"{chapter}: {named}" for chapter, _, named in NAMED])
def test_check_sees_each_way_to_break_what_a_chapter_shows(chapter, made, named):
    assert f"`{named}`" in (paths.CHAPTERS / chapter / "lesson.py").read_text()
    shown = next(cell.options["show"] for cell in load_lesson(chapter) if "show" in cell.options)
    text, space, (old, new) = library_text(shown), {"__name__": "__main__"}, BREAKS[chapter, made][named]
    assert text.count(old) == 1
    assert execute(text.replace(old, new), space, "<shown>") is None
    assert not check(made(space["Mine"]), made(getattr(memlib, shown.removeprefix("memlib."))))


# How long a lesson is


def test_a_lesson_is_measured():
    from memlib.course.source import Cell

    def cell(kind, text, **options):
        return Cell(kind, text, options, paths.CHAPTERS, 1)

    words = "# A head\n\nFour words stand here, $a + b$ and two.\n<details><summary>x</summary>a b c</details>"
    cells = [
        cell("markdown", words),
        cell("code", "a = 1\n\nb = 2"),
        cell("code", "widgets.quiz('q', ['a'])"),
        cell("code", "widgets.player(a)\nb = 'x' * 9\nc = 3\nd = 4"),
        cell("code", "assert a", claims=True),
        cell("code", "long = 1\n" * 40, show="memlib.Full"),
        cell("code", "puzzle(1)", puzzle=True),
        cell("markdown", "## Deeper: more\n\n" + "word " * 2000),
        cell("code", "a = 1\n" * 99),
    ]
    found = measures.measured(cells)
    assert found == measures.Measures(words=6, lines=6, cell=4, median=3, wide=17, tasks=2, played=1)
    assert found.minutes == round(6 / 150 + 1 + 2 + 3) and "about 6 minutes" in str(found) and found.too_much() == []


def test_only_a_rewritten_chapter_is_refused_for_its_length(monkeypatch):
    from memlib.course.source import Cell

    long = [Cell("code", "a = 1\n" * 13, {}, paths.CHAPTERS, 1)]
    assert measures.held("77_tiny", long).too_much()
    monkeypatch.setattr(measures, "REWRITTEN", ("77_tiny",))
    with pytest.raises(CourseError, match="77_tiny: the lesson is too long: 13 lines in one cell, at most 12"):
        measures.held("77_tiny", long)


def test_here_is_a_chapters_own_module(tmp_path, monkeypatch):
    (tmp_path / "77_tiny").mkdir()
    (tmp_path / "77_tiny" / "here.py").write_text("import torch\nfacts = torch.arange(3)\n")
    monkeypatch.setattr(paths, "CHAPTERS", tmp_path)
    assert torch.equal(here("77").facts, torch.arange(3)) and here("77") is here("77_tiny")
    (tmp_path / "78_bare").mkdir()
    (tmp_path / "78_bare" / "lesson.py").write_text("")
    with pytest.raises(CourseError, match="here.py is missing"):
        here("78")
