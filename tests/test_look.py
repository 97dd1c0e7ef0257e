"""What a learner sees below an answer, and what the check cells at the end do in a learner's notebook."""

import re
from html import unescape
from types import SimpleNamespace

import pytest
from examples import EVERY
from IPython.core.interactiveshell import InteractiveShell
from test_exercises import EXERCISES, load, variants, visible

from memlib.course.notebook import answers, check_cell, look_page, side_by_side
from memlib.course.notebook.execution import execute
from memlib.course.paths import ROOT
from memlib.course.source import solved, stub

CODE = re.compile(r"#[0-9a-f]{6}")


def shell_with(name: str) -> SimpleNamespace:
    """A notebook in which all code cells but the answers were run."""
    space = {"__name__": "__main__", "In": []}
    for cell in load(name).cells:
        if cell.kind == "code" and not {"task", "check"} & set(cell.options) and "grade_button(" not in cell.source:
            assert execute(cell.source, space, "<cell>") is None
    return SimpleNamespace(user_ns=space)


def seen(shell, name: str, task: str, source: str, monkeypatch) -> look_page.Page:
    """What `look` shows when the answer's cell was run with this source."""
    space = shell.user_ns
    before = dict(space)
    monkeypatch.setattr(answers, "_ran", {task: source})
    error = execute(source, space, "<answer>")
    monkeypatch.setattr(answers, "_ended", {task: error} if error else {})
    try:
        return side_by_side.looked(task, name, shell)
    finally:
        space.clear()
        space.update(before)


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[2::3])
def test_look_says_a_tick_a_calm_word_or_what_is_wrong(name, monkeypatch):
    """For every task: untouched, the solution, and each wrong answer that is listed; never a code or a traceback."""
    shell = shell_with(name)
    for task, about in load(name).tasks.items():
        pages = {"right": seen(shell, name, task, solved(about.answer), monkeypatch)}
        if about.kind != "bug":
            pages["untouched"] = seen(shell, name, task, stub(about.answer), monkeypatch)
            assert repr(pages["untouched"]) == "– Not answered yet."
        assert repr(pages["right"]).startswith("✓ Right."), (task, repr(pages["right"]))
        assert "The course's solution" in repr(pages["right"])
        wrong = variants(name)[task]["wrong"]
        for title, source in list(wrong.items())[:3]:
            pages[title] = page = seen(shell, name, task, source, monkeypatch)
            assert repr(page)[0] in "✗–" and len(page.text) > 1, (task, title, repr(page))
        for title, page in pages.items():
            shown = page._repr_mimebundle_()["text/html"]
            assert not CODE.search(unescape(re.sub('style="[^"]*"', "", shown))), (task, title)
            assert "Traceback" not in shown and "memlib/course" not in shown and len(shown) < 60_000


@pytest.mark.parametrize(
    "task, source, said",
    [
        ("by_hand", "after_4 = 0, 2, 3, 4\nafter_9 = '[0 7 8 9]'\nfirst_lost = [1]", ["✓ Right."]),
        ("by_hand", "after_4 = [0, 3, 4]\nafter_9 = 9\nfirst_lost = None", ["write a list", "None; write your answer"]),
        (
            "by_hand",
            "after_4 = [0, 2, 3, 4]\nafter_9 = first_lost = ...",
            ["– 1 of 3", "come: after token 9, first lost."],
        ),
        ("by_hand", "after_4 = [0 2 3]", ["✗ The cell of the answer ends with an error.", "Line 1", "forgot a comma"]),
        ("mask", "def local_mask(n, size, sinks=0):\n    x = 1", ["plain mask is None: is a `return` missing?"]),
        ("mask", "def local_mask(n, size, sinks=0):\n    return some(n)", ["Line 2 of the answer (return some(n))"]),
        (
            "mask",
            "def local_mask(n, size, sinks=0):\n    n\n    raise NotImplementedError",
            ["– Line 3 is still to be wri"],
        ),
        ("choose", "chat, form, agent = (10, 0), 8, ...", ["– Still to come: agent."]),
        (
            "choose",
            "chat, form, agent = (10, 0), 8, (4, 6)",
            ["chat answered: 1", "form answered: not reached", "such as"],
        ),
        ("choose", "chat, form, agent = (10, 0), ('8', 2.0), [4, 6]", ["✓ Right."]),
        ("explain", "letter = c", ['Letters and words stand in quotes: "c".']),
    ],
)
def test_what_a_newcomer_may_write_is_answered_in_the_learners_words(task, source, said, monkeypatch):
    shown = repr(seen(shell_with("01_window"), "01_window", task, source, monkeypatch))
    assert all(part in shown for part in said), shown


def run_all(path) -> list[dict]:
    """The code cells of a notebook after Run All, as JupyterLab leaves them."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, 4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(book, timeout=120, allow_errors=True, resources={"metadata": {"path": str(ROOT)}}).execute()
    return [cell for cell in book.cells if cell.cell_type == "code"]


def printed(cell) -> str:
    return "".join(out.get("text", "") for out in cell["outputs"])


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[1:2])
def test_run_all_goes_through_an_untouched_exercise_without_one_red_cell(name):
    """And no check of an answer that is still to come prints what is wanted."""
    cells = run_all(ROOT / "exercises" / f"{name}.ipynb")
    assert all(out["output_type"] != "error" and out.get("name") != "stderr" for c in cells for out in c["outputs"])
    checks = {c["metadata"]["memlib"]["check"]: printed(c) for c in cells if "check" in c["metadata"].get("memlib", {})}
    assert set(checks) == set(load(name).tasks)
    for task, said in checks.items():
        assert said.rstrip() != visible(name)[task].rstrip()
        if load(name).tasks[task].kind != "bug":
            assert said.rstrip().endswith(("Not answered yet.", ": (not answered)")) and "Error" not in said


@pytest.mark.parametrize("name", EXERCISES if EVERY else EXERCISES[3:4])
def test_at_the_end_of_a_solved_exercise_every_check_prints_what_is_wanted(name):
    cells = run_all(ROOT / "solutions" / f"{name}.ipynb")
    for cell in cells:
        about = cell["metadata"].get("memlib", {})
        if "check" in about:
            assert printed(cell).rstrip() == visible(name)[about["check"]].rstrip()
        elif cell["source"].startswith("look("):
            assert cell["outputs"][0]["data"]["text/plain"].startswith("✓ Right.")


@pytest.fixture
def notebook():
    """A shell of IPython's own, as the kernel has."""
    shell = InteractiveShell.instance()
    before = dict(shell.user_ns)
    check_cell.register(shell)
    yield shell
    shell.user_ns.clear()
    shell.user_ns.update(before)
    InteractiveShell.clear_instance()


def test_a_check_cell_leaves_no_name_and_says_one_sentence(notebook, capsys, monkeypatch):
    run = notebook.run_cell
    run("from memlib.course import report\nmine, report_ = [1, 2], report")
    run("%%check one\nscratch = len(mine)\nreport('many', scratch, digits=0)")
    assert capsys.readouterr().out == "many: 2\n" and "scratch" not in notebook.user_ns
    run("mine = ...")
    assert run("%%check one\nreport('mine', mine)").success
    assert capsys.readouterr().out == "mine: (not answered)\n"
    run("def mine(x):\n    print('aside')\n    return x.shpae")
    monkeypatch.setattr(answers, "_ran", {"one": "def mine(x):\n    print('aside')\n    return x.shpae"})
    assert run("%%check one\nreport('first', 1)\nreport('mine', mine(3))").success
    said = capsys.readouterr().out
    assert said.startswith("first: 1.00\n") and said.endswith("has no attribute 'shpae'.\n") and "aside" not in said
    monkeypatch.setenv("NBGRADER_EXECUTION", "1")
    monkeypatch.setattr("memlib.course.notebook.nbgrader_check.stored_checks", dict)
    assert not run("%%check one\nreport('mine', 3)").success, "nbgrader knows a wrong answer by its error alone"
