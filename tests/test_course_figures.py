"""Points, counts, seeds, limits and what is said of them: in verdicts, gradebooks, rankings and editions."""

import csv
import io
import json
import re
import statistics
import time
import xml.etree.ElementTree as ElementTree
from random import Random
from types import SimpleNamespace

import pytest
import torch
from test_course import TINY, exercise

from memlib import Window
from memlib.course import progress
from memlib.course.grade import apart, grading, nbval_runner, reference, submission
from memlib.course.group import batch, gradebook, pages, workers
from memlib.course.group.ledger import TRIES, Ledger
from memlib.course.notebook import assertions, button, nbgrader_check, puzzles, report_text, seeds, side_by_side
from memlib.course.notebook.difference import first_difference
from memlib.course.notebook.sentences import Failure
from memlib.course.paths import CourseError
from memlib.course.source import load_exercise
from memlib.course.tournament import ranking
from memlib.course.tournament.remote import EntryError, Remote
from memlib.course.write import editions, films, measures
from memlib.tasks import experiments
from memlib.tasks.leaderboard import LIMIT, TASKS

# Verdicts


def task(name, points, of, bonus=False, state=None, **more):
    state = state or ("passed" if points else "failed")
    about = {"task": name, "kind": "write", "bonus": bonus, "points": points, "of": of, "state": state}
    return about | {"feedback": f"said of {name}", "next": "" if state == "passed" else f"next of {name}"} | more


TASKS_OF = [
    task("a", 2, 2),
    task("b", 0, 3),
    task("c", 4, 4, True),
    task("d", 0, 1, True, "unanswered"),
    task("e", 1, 1),
]


def verdict(tasks=TASKS_OF):
    return {"chapter": "00_cache", **grading._sums(tasks), "tasks": tasks, "notes": ["a note"], "seconds": 3.4}


def test_points_and_the_bonus_are_summed_apart_and_said():
    assert grading._sums(TASKS_OF) == {"points": 3, "total": 6, "bonus": 4, "bonus_total": 5}
    said = grading.verdict_text(verdict()).splitlines()
    assert said[1] == "00_cache: 3 of 6 points, bonus 4 of 5" and said[-2:] == ["  a note", "3 s."]
    assert [
        re.search(r"(\d+) of (\d+)(?:  bonus)?  said of (\w)", line).groups() for line in said if "said of" in line
    ] == [(str(t["points"]), str(t["of"]), t["task"]) for t in TASKS_OF]
    assert [line.split("next of ")[1] for line in said if "Look next" in line] == ["b", "d"]
    assert sum("bonus  said" in line for line in said) == 2
    assert "bonus" not in grading.verdict_text(verdict(TASKS_OF[:2])).splitlines()[1]
    page = button.verdict_html(verdict())
    assert "3 of 6 points, and 4 of 5 of the bonus" in page and page.count("(bonus)") == 2
    assert "0 of 3" in page and "Look next: next of b" in page and "said of a" not in page and "Isolation" not in page
    assert [page.count(f">{sign}</td>") for sign in "✓✗–"] == [3, 1, 1]
    assert ">Core 1 · One read, by hand</td>" in button.verdict_html(
        verdict([task("by_hand", 1, 2)]), button.titles("00_cache")
    )


@pytest.fixture
def found(tmp_path):
    return exercise(TINY, tmp_path)


RIGHT = {"outcome": "passed", "stopped": None, "error": None, "text": "", "cell": 0}
WRONG = {**RIGHT, "outcome": "failed"}


def raised(**said):
    return {**WRONG, "error": {"ename": "NotRight", "evalue": json.dumps(said), "traceback": []}}


BROKEN = raised(error={"kind": "ValueError", "text": "no", "line": None})
LINE_2 = raised(error={"kind": "ValueError", "text": "no", "line": 2}) | {"text": "x: 1.00"}
OPEN = raised(error={"kind": "NotImplementedError", "text": "", "line": None})


@pytest.mark.parametrize(
    "record, state, said",
    [
        (RIGHT, "passed", "As asked for."),
        ({**WRONG, "text": "x: 1.00"}, "failed", "x is 1.00, expected 2.00."),
        ({**WRONG, "text": "x: 2.00"}, "failed", "Something else was shown."),
        (BROKEN, "failed", "no."),
        (LINE_2, "failed", "x is 1.00, expected 2.00. Line 2 of the answer: ValueError: no."),
        (OPEN, "unanswered", "Not answered yet."),
        ({**WRONG, "stopped": "died"}, "failed", grading.STOPPED["died"]),
        (raised(stopped="slow"), "failed", grading.STOPPED["slow"]),
        (raised(stopped="loud"), "failed", grading.STOPPED["loud"]),
        ({**WRONG, "stopped": "late"}, "failed", grading.STOPPED["late"]),
    ],
)
def test_only_what_passed_earns_its_points(record, state, said, found):
    got = grading._task(found, "total", {"total": "def total(x): return 1"}, record, "x: 2.00", "")
    assert (got["state"], got["feedback"], got["of"]) == (state, said, 3)
    assert got["points"] == (3 if state == "passed" else 0)
    assert got["next"] == ("Divide by nothing." if state == "failed" else "")
    blank = grading._task(found, "total", {"total": "def total(x):\n    return x.mean()"}, record, "x: 2.00", "")
    assert (blank["state"], blank["points"], blank["next"]) == ("unanswered", 0, "")


@pytest.mark.parametrize("kill", [{}, {"double": "slow"}, {"double": "died", "total": "loud"}])
def test_an_answer_that_ends_the_kernel_costs_its_task_and_the_others_are_judged_again(kill, found, monkeypatch):
    runs, real = [], grading.course_notebook

    def book_of(*given):
        runs.append(real(*given))
        return runs[-1]

    def records_of(*_):
        said = []
        for i, name in enumerate(runs[-1][1]):
            said.append({**RIGHT, "cell": i} if name not in kill else {**WRONG, "cell": i, "stopped": kill[name]})
            if name in kill:
                return said
        return said

    monkeypatch.setattr(grading, "course_notebook", book_of)
    monkeypatch.setattr(grading, "_nbval", records_of)
    answers = {name: f"{name} = 1" for name in found.tasks}
    judged = grading._judged(found, answers, 5, {name: "x: 1.00" for name in found.tasks}, 9.0)
    assert len(runs) == len(kill) + 1 and set(judged) == set(found.tasks)
    for name, record in judged.items():
        state = grading._state(found, name, answers, record, "x: 1.00", "")
        assert state == (("failed", grading.STOPPED[kill[name]]) if name in kill else ("passed", "As asked for."))
    assert answers == {name: f"{name} = 1" for name in found.tasks}, "what was handed in stays"


def test_the_courses_own_cell_that_is_stopped_is_a_fault(found, monkeypatch):
    monkeypatch.setattr(grading, "_nbval", lambda *a: [{**RIGHT, "cell": 0, "stopped": "slow"}])
    with pytest.raises(grading.GraderFault, match="The course's own cell 0 was stopped"):
        grading._judged(found, {}, 5, {name: "" for name in found.tasks}, 9.0)
    monkeypatch.setattr(grading, "_nbval", lambda *a: [{**RIGHT, "cell": 0}])
    with pytest.raises(grading.GraderFault, match="ended from outside, while the cell of 'double' ran"):
        grading._judged(found, {"double": "1"}, 5, {name: "" for name in found.tasks}, 9.0)
    with pytest.raises(grading.GraderFault, match="nbval ran no cell"):
        grading._sound([], [])
    with pytest.raises(grading.GraderFault, match="set-up fails here: it differs"):
        grading._sound([{**WRONG, "cell": 0}], [None])
    strange = {**WRONG, "error": {"ename": "OSError", "evalue": "no memory", "traceback": []}}
    with pytest.raises(grading.GraderFault, match="The cell of 'a' could not be judged: OSError: no memory"):
        grading._sound([strange], ["a"])
    grading._sound([{**WRONG, "cell": 0}, {**BROKEN, "cell": 0}], ["a"])


def test_what_was_judged_before_the_clock_ran_out_keeps_its_points(found, monkeypatch):
    monkeypatch.setattr(grading, "ALL_SECONDS", 0)
    monkeypatch.setattr(grading, "_nbval", lambda *a: [{**RIGHT, "cell": 0}, {**RIGHT, "cell": 1}])
    judged = grading._judged(found, dict.fromkeys(found.tasks, "1"), 5, dict.fromkeys(found.tasks, ""), 9.0)
    assert [judged[name]["stopped"] for name in ("double", "total", "hand")] == [None, "late", "late"]


def test_the_book_that_is_judged_holds_these_answers_and_these_outputs(found):
    answers = {"double": "one", "total": "two", "hand": "three"}
    printed = {name: f"{name}: 7.00" for name in answers}
    book, tasks = grading.course_notebook(found, answers, printed, 9.0)
    assert len(book["cells"]) == len(tasks)
    for cell, name in zip(book["cells"], tasks, strict=True):
        if name:
            assert repr(answers[name]) in cell["source"] and "(9.0, *" in cell["source"]
            assert cell["outputs"][0]["text"] == printed[name] and cell["metadata"]["tags"] == ["nbval-check-output"]
            assert cell["metadata"]["seconds"] > 9 * apart.WALL
        else:
            assert cell["metadata"]["seconds"] == grading.OWN_SECONDS and not cell["outputs"]
    assert [name for name in tasks if name] == ["double", "total", "hand"] and "'Window'" in book["cells"][1]["source"]
    assert grading.course_notebook(found, {"hand": "1"}, printed)[1] == [None, "hand"]


@pytest.mark.parametrize(
    "marks, edition, chapter, notes",
    [
        ({}, None, None, []),
        ({"edition": "abcdef0123456"}, None, None, "whoever released it grades it"),
        ({"chapter": "01_window"}, None, "00_cache", "is exercise 01_window; asked for was 00_cache"),
        ({"edition": "mine"}, "mine", None, []),
        ({"edition": "other"}, "mine", None, ["This file is of edition other; it was graded as edition mine."]),
        ({}, "mine", None, ["This file is of the public edition; it was graded as edition mine."]),
    ],
)
def test_a_file_is_graded_as_what_it_is_and_remarks_say_what_it_is_not(marks, edition, chapter, notes, tmp_path):
    handed = submission.Submission(tmp_path / "00_cache.ipynb", [], {"memlib": marks})
    own = edition and SimpleNamespace(mark=edition, exercise=lambda name: f"edition's {name}")
    if isinstance(notes, str):
        with pytest.raises(CourseError, match=notes):
            grading._asked(handed, own, chapter)
        return
    got = grading._asked(handed, own, chapter)
    assert handed.notes == notes and (got == "edition's 00_cache" if edition else got.chapter == "00_cache")


def test_what_stands_outside_of_the_answers_is_told_apart(found):
    def cell(kind, source, name=None):
        return source, {"cell_type": kind, "metadata": {"nbgrader": {"grade_id": name}} if name else {}, "id": source}

    checks = [cell("code", t.shown_check, f"{n}-check") for n, t in found.tasks.items()]
    cells = [cell("code", "mine", "double"), cell("code", "helper"), cell("markdown", "words"), *checks[:2]]
    handed = submission.Submission("x", cells, {})
    assert submission.answers(handed, found) == {"double": "mine"}
    assert handed.extra == "\n".join(["helper", *(source for source, _ in checks[:2])])
    assert handed.notes == ["The check of 'hand' is missing in this file; the course's own was used."]


@pytest.mark.parametrize(
    "failure, hidden, extra, said",
    [
        (
            Failure("NameError", "name 'Window' is not defined", 2),
            ["Window"],
            "",
            "Window is away while this answer is graded",
        ),
        (
            Failure("NameError", "name 'f' is not defined", 2),
            [],
            "f = 3",
            "Only the answer cell is graded: move f into it.",
        ),
        (Failure("NameError", "name 'f' is not defined", 2), [], "ff = 3", "not defined."),
        (Failure("ValueError", "first\nlast", None), [], "", "last."),
        (Failure("KeyError", "'k'", None), [], "", "KeyError: 'k'."),
        (Failure("SyntaxError", "bad (<cell>, line 3)", 3), [], "", "Line 3 of the answer: SyntaxError: bad."),
        (Failure("TypeError", "what?", 7), [], "", "Line 7 of the answer: TypeError: what?"),
    ],
)
def test_a_failure_is_said_in_one_sentence(failure, hidden, extra, said):
    got = failure.sentence(hidden, extra)
    assert got.endswith(said) if not said.startswith("Window") else said in got
    assert ("Only the answer" in got) == ("Only the answer" in said)


# The judge's own limits


def test_what_a_cell_prints_is_cut_and_its_last_error_counts():
    def out(kind, **more):
        return {"output_type": kind, **more}

    item = SimpleNamespace(
        test_outputs=[
            out("stream", name="stdout", text="a" * nbval_runner.MOST),
            out("stream", name="stderr", text="hidden"),
            out("error", ename="One", evalue="1", traceback=[]),
            out("stream", name="stdout", text="b"),
            out("error", ename="Two", evalue="2", traceback=["t"]),
        ]
    )
    assert nbval_runner.heard(item) == {
        "text": "a" * nbval_runner.MOST,
        "error": {"ename": "Two", "evalue": "2", "traceback": ["t"]},
    }
    assert nbval_runner.heard(SimpleNamespace()) == {"text": "", "error": None}


def test_a_cell_is_stopped_at_its_signs_and_the_next_begins_anew():
    def message(cell, text="", data=None):
        return {"parent_header": {"msg_id": cell}, "content": {"text": text} | ({"data": data} if data else {})}

    sent = iter(
        [
            message("a", "x" * 1_500_000),
            message("b", "x" * 1_500_000),
            message("a", "x" * 499_000),
            message("b", "", "x" * 600_000),
        ]
    )
    get = nbval_runner.listener(lambda kernel, stream, timeout: next(sent))
    for _ in range(3):
        get(None, "iopub")
    with pytest.raises(nbval_runner.TooLoud):
        get(None, "iopub")


# Numbers of a seed


def test_a_number_is_every_one_of_its_range_and_differs_by_name_and_seed(monkeypatch):
    drawn = [[seeds.number(2, 5, f"n{i}") for i in range(60)] for _ in range(2)]
    assert drawn[0] == drawn[1] and set(drawn[0]) == {2, 3, 4, 5}
    one = seeds.inputs(40, name="x")
    assert set((one * 4).tolist()) <= set(range(-8, 9)) and (one * 4).min() == -8 and (one * 4).max() == 8
    sealed, print_ = report_text.table("k", [1], sealed=True), report_text.fingerprint("a")
    assert report_text.fingerprint("b") != print_ and len(print_) == 6
    monkeypatch.setenv("MEMLIB_SEED", "7")
    assert [seeds.number(2, 5, f"n{i}") for i in range(60)] != drawn[0]
    assert report_text.table("k", [1], sealed=True) != sealed and report_text.fingerprint("a") != print_
    assert not torch.equal(seeds.inputs(40, name="x"), one)


def test_equal_answers_in_other_places_are_sealed_otherwise():
    marks = re.findall(r"#(\w{6})", report_text.table("k", [[1, 1], [1, 1]], sealed=True))
    marks += re.findall(r"#(\w{6})", report_text.table("other", [[1, 1]], sealed=True))
    assert len(marks) == len(set(marks)) == 6


def test_a_check_is_made_with_the_numbers_of_its_seed(found):
    printed = [reference.expected(found, seed) for seed in (3, 3, 4, 0)]
    assert printed[0] == printed[1] and seeds.seed() == 0
    for name in found.tasks:
        assert len({one[name] for one in printed[1:]}) == 3, name


def test_a_fresh_seed_is_secret_and_a_given_one_is_kept(found, monkeypatch):
    monkeypatch.setattr(reference, "expected", lambda exercise, seed: {"at": seed})
    drawn = [reference.fresh_reference(found) for _ in range(20)]
    assert len({seed for seed, _ in drawn}) == 20 and all(
        1 <= seed < 2**31 and said["at"] == seed for seed, said in drawn
    )
    assert reference.fresh_reference(found, 12) == (12, {"at": 12})

    def edges(exercise, seed):
        if seed % 3:
            raise report_text.RoundingEdge("x")
        return {"at": seed}

    monkeypatch.setattr(reference, "expected", edges)
    assert reference.fresh_reference(found, 10) == (12, {"at": 12}) and reference.fresh_reference(found)[0] % 3 == 0


@pytest.mark.parametrize(
    "value, digits, said",
    [
        (0.126, 2, "0.13"),
        (0.124, 2, "0.12"),
        (0.1264, 3, "0.126"),
        (-0.0004, 2, "0.00"),
        (3.0, 0, "3"),
        (2.5, 0, "2.50"),
        (-1.005e2, 1, "-100.5"),
    ],
)
def test_a_number_is_printed_to_its_digits(value, digits, said):
    assert report_text.table("x", value, digits=digits) == f"x: {said}"


def test_every_report_of_a_check_has_its_own_digest():
    text = report_text.table("a", [1, 2]) + "\n" + report_text.table("b", 3) + "\n" + report_text.table("c", [[1], [2]])
    assert len(report_text.parts(text)) == 3 and len(set(report_text.digests(text).split())) == 3
    other = text.replace("b: 3.00", "b: 4.00")
    same = [a == b for a, b in zip(report_text.digests(text).split(), report_text.digests(other).split(), strict=True)]
    assert same == [True, False, True]


def test_under_nbgrader_each_report_is_held_to_its_own_place():
    a, b = report_text.table("a", [1, 2]), report_text.table("b", 3)
    wanted = report_text.digests(f"{a}\n{b}")
    nbgrader_check.check_begins(f"report()\n# wanted: {wanted} of 01_window mask")
    nbgrader_check.agree(a)
    nbgrader_check.agree(b)
    with pytest.raises(AssertionError):
        nbgrader_check.agree(b)  # a third was not asked for
    nbgrader_check.check_begins(f"report()\n# wanted: {wanted} of 01_window mask")
    with pytest.raises(AssertionError):
        nbgrader_check.agree(b)
    nbgrader_check.check_begins(f"report()\n# wanted: {wanted} of 01_window mask")
    nbgrader_check.agree(a)


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 0, 1), (2, 1, 0), (2, 2, 1)])
def test_the_first_difference_is_at_its_step_slot_and_token(place):
    target = [[[0.25 * (s + i + t) for i in range(2)] for s in range(t + 1)] for t in range(3)]
    mine = json.loads(json.dumps(target))
    step, slot, token = place
    for t, s, i in [place, (2, 2, 1)]:
        mine[t][s][i] += 0.5 if (t, s, i) == place else 0.75
    texts = [report_text.table("recipe", one) for one in (mine, target)]
    got, want = mine[step][slot][token], target[step][slot][token]
    assert (
        first_difference(*texts)
        == f"step {step}, slot {slot}: token {token} has weight {got:.2f}, expected {want:.2f}."
    )
    figure = side_by_side.comparison(*texts)
    assert figure.layout.title.text == f"recipe, step {step}: yours and the target"
    assert [list(row) for row in figure.data[1].z] == [[v or None for v in row] for row in target[step]]
    assert [list(row) for row in figure.data[0].z] == [[v or None for v in row] for row in mine[step]]


def test_a_small_difference_counts_and_the_whole_text_does(capsys):
    for digits, small in ((2, 0.01), (3, 0.001)):
        texts = [report_text.table("x", [1.0, 1.0 + d], digits=digits) for d in (small, 0)]
        assert first_difference(*texts).startswith("entry 1 is 1.")
    assert first_difference('x: "ab"\ny: 1.00', 'x: "ab"') == "Something else was printed beside the report."
    rows = [report_text.table("x", [[1, 2, 3 + d], [4 + d, 5 + d, 6 + d]]) for d in (0, 1)]
    assert first_difference(*rows) == "row 0: column 2 is 3.00, expected 4.00.", "of several the first"
    rows = [report_text.table("x", [[1 + d, 2 + d], [3 + d, 4 + d]]) for d in (0, 1)]
    assert first_difference(*rows) == "row 0: column 0 is 1.00, expected 2.00."
    words = [report_text.table("order", ["first", one]) for one in ("second", "sebond")]
    assert first_difference(*words) == 'entry 1 is "second", expected "sebond".'
    for mine, right in ((lambda: [1, 2], True), (lambda: [1, 3], False), (lambda: [1, 2, 3], False)):
        puzzles.puzzle(mine, [1, 2])
        assert (capsys.readouterr().out.strip() == puzzles.RIGHT) == right


def test_claims_count_and_a_false_one_is_quoted(capsys, monkeypatch):
    for count, said in ((1, "1 claim about"), (2, "2 claims about"), (3, "3 claims about")):
        with assertions.claims(count):
            pass
        assert capsys.readouterr().out.startswith(said)
    monkeypatch.setattr(assertions, "strict", lambda: False)
    with assertions.claims(2):
        assert 1 + 1 == 3  # noqa: PLR0133
    assert capsys.readouterr().out.strip() == "A claim about this picture does not hold here: 1 + 1 == 3"


# A class


def student(name, tasks=None, outcome="graded", **more):
    result = None if tasks is None else {**verdict(tasks), "notes": [f"note of {name}"], "seed": 99, "file": "x"}
    return {"file": f"{name}.ipynb", "outcome": outcome, "result": more.get("result", result)}


def scored(points: dict[str, int | None]) -> list[dict]:
    """A verdict of 00_cache: task -> points (None: not answered)."""
    return [
        task(
            t.name,
            points.get(t.name) or 0,
            t.points,
            t.bonus,
            None if points.get(t.name, 0) is not None else "unanswered",
        )
        for t in load_exercise("00_cache").tasks.values()
    ]


ALL = {t.name: t for t in load_exercise("00_cache").tasks.values()}
NAMES = list(ALL)
FULL = {name: t.points for name, t in ALL.items()}
CORE = sum(t.points for t in ALL.values() if not t.bonus)


@pytest.fixture(scope="module")
def book():
    rows = [
        student("ann", scored(FULL)),
        student("ben", scored({NAMES[0]: FULL[NAMES[0]], NAMES[1]: None})),
        student("cyd", scored({})),
        student("dan", None, "refused", result={"problem": "It is damaged."}),
        student("eve", None, "fault", result={"problem": "It broke."}),
        student("fay", None, None),
    ]
    kept = {"chapter": "00_cache", "edition": "public", "course": "x"}
    return gradebook.collect(load_exercise("00_cache"), kept, rows, [r["file"] for r in rows if r["file"][:3] != "cyd"])


def test_the_gradebook_has_each_students_own_points(book):
    table = {row["student"]: row for row in csv.DictReader(io.StringIO(gradebook.as_csv(book)))}
    bonus = sum(t.points for t in ALL.values() if t.bonus)
    for name, points in (("ann", FULL), ("ben", {NAMES[0]: FULL[NAMES[0]]}), ("cyd", {})):
        row = table[name]
        assert {t: int(row[t]) for t in NAMES} == {t: points.get(t, 0) for t in NAMES}
        assert int(row["points"]) == sum(v for t, v in points.items() if not ALL[t].bonus)
        assert int(row["bonus"]) == sum(v for t, v in points.items() if ALL[t].bonus)
        assert (row["total"], row["bonus_total"], row["state"]) == (str(CORE), str(bonus), "graded")
    assert table["ann"]["remarks"] == "note of ann"
    assert table["cyd"]["remarks"] == "note of cyd The file is no longer in the folder."
    for name, state, said in (
        ("dan", "refused", "It is damaged."),
        ("eve", "fault", "It broke."),
        ("fay", "pending", ""),
    ):
        row = table[name]
        assert (row["state"], row["points"], row["bonus"], row["remarks"]) == (state, "", "", said)
        assert all(row[t] == "" for t in NAMES) and row["isolation"] == "none"
    assert "99" not in json.dumps([s["verdict"] for s in book["students"]]), "the seed stays secret"


def test_the_tasks_of_a_class_are_counted_by_state(book):
    first, second, third, *_ = book["tasks"]
    assert [(t["passed"], t["failed"], t["unanswered"], t["missing"]) for t in (first, second, third)] == [
        (2, 1, 0, 0),
        (1, 1, 1, 0),
        (1, 2, 0, 0),
    ]
    assert third["differences"] == [{"feedback": f"said of {NAMES[2]}", "students": 2}]
    assert (first["of"], first["kind"], first["bonus"]) == (
        ALL[NAMES[0]].points,
        ALL[NAMES[0]].kind,
        ALL[NAMES[0]].bonus,
    )
    suites = {s.get("name"): s for s in ElementTree.fromstring(gradebook.as_junit(book))}
    assert {n: (s.get("tests"), s.get("failures"), s.get("skipped"), s.get("errors")) for n, s in suites.items()} == {
        "ann": (str(len(ALL)), "0", "0", "0"),
        "ben": (str(len(ALL)), str(len(ALL) - 2), "1", "0"),
        "cyd": (str(len(ALL)), str(len(ALL)), "0", "0"),
        "dan": ("1", "0", "0", "1"),
        "eve": ("1", "0", "0", "1"),
        "fay": ("1", "0", "0", "1"),
    }


def test_the_page_of_a_class_says_what_its_bars_show(book):
    page = pages.class_page(book)
    got = [CORE, FULL[NAMES[0]], 0]
    assert "6 handed in: 3 graded, 1 refused, 1 not graded by a fault of the grader, 1 not graded yet" in page
    assert f"Mean {statistics.mean(got):.1f} of {CORE}, median {statistics.median(got):g}." in page
    picture = page.split("<h2>Points</h2>")[1].split("</svg>")[0]
    said = ", ".join(f"1 with {v}" for v in sorted(got))
    assert f'aria-label="Students by points, of {CORE}: {said}"' in picture
    heights = [int(h) for h in re.findall(r'<rect class="passed"[^>]* height="(\d+)"', picture)]
    assert len(heights) == CORE + 1 and [i for i, h in enumerate(heights) if h] == sorted(got) and max(heights) == 120
    rows = re.findall(
        r"<tr><td><a [^>]*>(\w+)</a></td><td class=n>([^<]*)</td><td class=n>([^<]*)</td>(.*?)</tr>", page
    )
    assert [(name, points) for name, points, *_ in rows] == [
        ("ann", str(CORE)),
        ("ben", str(FULL[NAMES[0]])),
        ("cyd", "0"),
        ("dan", "refused"),
        ("eve", "fault"),
        ("fay", "pending"),
    ]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", rows[1][3])
    assert cells == [str(FULL[NAMES[0]]), "–", *["0"] * (len(ALL) - 2)]
    assert f"of {CORE}</th>" in page and "It is damaged." in page


@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (0, 0, 4, 0), (4, 0, 0, 0), (1, 2, 0, 0)])
def test_the_bar_of_a_task_is_divided_as_it_says(counts):
    bar = pages._bar(counts, 4)
    parts = re.findall(r'class="(\w+)" x="([\d.]+)" y="2" width="([\d.]+)"', bar)
    assert [(kind, float(wide)) for kind, _, wide in parts] == [
        (kind, 55.0 * n) for kind, n in zip(("passed", "part", "failed", "open"), counts, strict=True)
    ]
    assert float(parts[3][1]) == 55.0 * sum(counts[:3])
    assert bar.count("{} right, {} in part, {} not yet, {} open".format(*counts)) == 2


def test_the_page_of_a_student_has_the_points_the_signs_and_the_answers(book):
    answers = {NAMES[0]: "x < 1", "other": "not a task"}
    page = pages.student_page(book["students"][1], book, answers)
    assert f"<strong>{FULL[NAMES[0]]} of {CORE} points</strong>" in page and "<p>note of ben</p>" in page
    signs = re.findall(r'<td class="state (\w+)">([^<]*)</td><td class=n>(\d+) of (\d+)', page)
    assert signs[0] == ("passed", "✓ right", str(FULL[NAMES[0]]), str(FULL[NAMES[0]]))
    assert signs[1][:3] == ("open", "– open", "0") and signs[2][:3] == ("failed", "✗ not yet", "0")
    assert [int(of) for *_, of in signs] == list(FULL.values()) and page.count(" bonus</td>") == sum(
        t.bonus for t in ALL.values()
    )
    assert "<pre>x &lt; 1</pre>" in page and "not a task" not in page and f"Look next: next of {NAMES[2]}" in page


@pytest.mark.parametrize(
    "code, said, want",
    [
        (0, {"points": 3, "tasks": []}, "graded"),
        (0, {"points": 3.5, "tasks": []}, "graded"),
        (0, {"points": "3", "tasks": []}, "fault"),
        (0, {"points": 3}, "fault"),
        (0, {"problem": "x"}, "fault"),
        (1, {"problem": "x"}, "refused"),
        (3, {"problem": "x"}, "fault"),
        (2, {"problem": "x"}, "fault"),
        (1, {"problem": 5}, "fault"),
        (1, {"points": 3, "tasks": []}, "fault"),
        (0, "not json", "fault"),
        (-9, {"points": 3, "tasks": []}, "fault"),
    ],
)
def test_what_a_grading_process_says_counts_by_its_exit_code(code, said, want):
    text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
    outcome, result = workers.outcome(code, text, "last words")
    assert outcome == want
    if want == "graded":
        assert result == said
    elif outcome == "fault" and result["problem"] != "x":
        assert result["problem"] == f"The grading process ended with code {code}. last words"


def test_the_seed_of_a_class_is_drawn_secret_kept_and_given_to_each_file(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [], "metadata": {}}))
    told = []

    class Pool:
        def __init__(self, command):
            self.command = command

        def grade(self, path):
            told.append(self.command(path))
            return "refused", {"problem": "x"}

        def stop(self):
            pass

    monkeypatch.setattr(batch, "Workers", Pool)
    for out in ("one", "two", "three"):
        batch.grade_class(tmp_path / "in", tmp_path / out, chapter="00_cache", jobs=1, trusted=True)
    batch.grade_class(tmp_path / "in", tmp_path / "four", chapter="00_cache", jobs=1, trusted=True, seed=77)
    drawn = [words[words.index("--seed") + 1] for words in told]
    assert len(told) == 8 and len(set(drawn[:6])) == 3 and drawn[6:] == ["77", "77"]
    assert all(a == b and int(a) >= 1 for a, b in zip(drawn[::2], drawn[1::2], strict=True))
    (tmp_path / "in" / "c.ipynb").write_text("{}")
    batch.grade_class(tmp_path / "in", tmp_path / "one", chapter="00_cache", jobs=1, trusted=True)
    assert told[-1][told[-1].index("--seed") + 1] == drawn[0] and len(told) == 9, "the same seed, the new file alone"
    assert all(words[words.index("--chapter") + 1] == "00_cache" for words in told)
    for place in (tmp_path / "one").rglob("*.*"):
        if place.suffix in (".json", ".csv", ".html", ".xml"):
            assert drawn[0] not in place.read_text("utf-8"), place.name


def test_the_chapter_of_a_class_is_the_commonest_and_a_changed_file_another(tmp_path):
    paths = {}
    for name, chapter in (("a", "01_window"), ("b", "00_cache"), ("c", "01_window")):
        paths[name] = tmp_path / f"{name}.ipynb"
        paths[name].write_text(json.dumps({"nbformat": 4, "cells": [], "metadata": {"memlib": {"chapter": chapter}}}))
    assert batch.commonest(paths) == "01_window"
    before = batch.digest(paths["a"])
    assert before == batch.digest(paths["a"]) != batch.digest(paths["b"])
    paths["a"].write_text(paths["a"].read_text().replace("01_window", "01_windox"))
    assert batch.digest(paths["a"]) != before and batch.digest(tmp_path) == "no file"
    said = batch.closing_text(
        {
            "isolation": "I",
            "chapter": "c",
            "students": [
                {"state": s, "file": f"{i}.ipynb", "problem": "bad" if s == "refused" else ""}
                for i, s in enumerate(("graded", "graded", "refused", "pending"))
            ],
        },
        tmp_path,
    )
    assert "c: 2 graded, 1 refused, 1 pending." in said and "  2.ipynb: bad" in said and "fault" not in said


def test_a_fault_is_tried_as_often_as_said_and_another_run_tries_anew(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.add("a", "1")
        for run in range(2):
            kept = []
            while ledger.lease("a"):
                kept.append(ledger.finish("a", "fault", {"problem": str(run)}))
            assert kept == [False] * (TRIES - 1) + [True] and ledger.rows()[0]["result"] == {"problem": str(run)}
            ledger.reopen()
            assert ledger.rows()[0]["state"] == "pending"
        assert ledger.setting("seed") is None and ledger.settle(seed=3) and ledger.setting("seed") == "3"


def test_progress_adds_the_points_of_what_was_solved(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "MY", tmp_path)
    some = [task(NAMES[0], FULL[NAMES[0]], FULL[NAMES[0]]), task(NAMES[1], 0, FULL[NAMES[1]])]
    progress.record({"chapter": "00_cache", "tasks": some})
    line = next(line for line in progress.progress().splitlines() if line.startswith("00_cache"))
    assert f"{FULL[NAMES[0]]} of {CORE} points" in line and line.endswith(", ".join(NAMES[1:]))
    progress.record({"chapter": "00_cache", "tasks": [task(n, p, p) for n, p in FULL.items()]})
    line = next(line for line in progress.progress().splitlines() if line.startswith("00_cache"))
    assert line.endswith(f"{CORE} of {CORE} points  all solved")


def test_what_is_solved_so_far_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "MY", tmp_path)
    assert progress.so_far() == "Nothing is solved yet. The first exercise: memlib start 00"
    progress.record({"chapter": "00_cache", "tasks": [task(NAMES[0], 2, 2), task(NAMES[1], 0, 2)]})
    assert progress.so_far() == "Solved so far: 1 task in 1 chapter. The table: memlib progress"
    progress.record({"chapter": "01_window", "tasks": [task("a", 2, 2), task("b", 1, 1)]})
    assert progress.so_far() == "Solved so far: 3 tasks in 2 chapters. The table: memlib progress"
    (tmp_path / ".progress.json").write_text("{")
    assert "is damaged: delete it" in progress.so_far() and "\n" not in progress.so_far()


# The tournament


def card(name, total=0.5, kept=100, within=True, **more):
    reads = dict.fromkeys(TASKS, total)
    return {
        "name": name,
        "total": total,
        "bytes_kept": kept,
        "within": within,
        "tasks": reads,
        "lines": 3,
        "seed": 5,
    } | more


def test_the_ranking_is_by_total_then_bytes_and_what_is_over_has_no_place():
    cards = [
        card("over", 0.9, LIMIT + 1, False),
        card("low", 0.2),
        {"name": "broken", "problem": "There is no class Mine."},
        card("heavy", 0.5, 300),
        card("light", 0.5, 200),
        card("alike", 0.5, 200),
        card("over too", 0.95, LIMIT + 9, False),
        card("best", 0.8, LIMIT),
    ]
    for seed in range(5):
        some = list(cards)
        Random(seed).shuffle(some)
        made = ranking.ranked(some)
        names = ["best", "alike", "light", "heavy", "low", "over too", "over", "broken"]
        assert [c["name"] for c in made] == names
        assert [c["place"] for c in made] == [1, 2, 3, 4, 5, None, None, None]
    lines = ranking.ranking_text(made, "out").splitlines()
    assert [line[:5].strip() for line in lines[1:-1]] == ["1.", "2.", "3.", "4.", "5.", "over", "over", "-"]
    assert "0.800" in lines[1] and str(LIMIT) in lines[1] and lines[1].count("0.80") == 1 + len(TASKS)
    assert lines[-2].endswith("There is no class Mine.") and str(LIMIT) in lines[-1]


def test_a_card_is_kept_for_the_same_file_and_seed_alone(tmp_path, monkeypatch):
    asked = []

    def scored_as(code, name, seed):
        asked.append((code, name, seed))
        return {key: value for key, value in card(name, seed=seed).items() if key != "lines"}

    monkeypatch.setattr(ranking, "_scored", scored_as)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.py").write_text("class Mine: ...\n\n# a comment\n  # another\nx = 1\n")

    def rank(seed):
        (made,) = ranking.rank_memories(folder, out, seed, trusted=True)
        return made

    first = rank(5)
    assert first["lines"] == 2 and first["seed"] == 5 and len(asked) == 1
    assert rank(5) == first and len(asked) == 1, "kept"
    assert rank(6)["seed"] == 6 and asked[-1][2] == 6 and len(asked) == 2, "another seed is scored anew"
    assert rank(5)["seed"] == 5 and len(asked) == 3
    (folder / "a.py").write_text("class Mine: ...  # changed\n")
    assert rank(5)["sha256"] != first["sha256"] and len(asked) == 4, "another file is scored anew"
    assert json.loads((out / "ranking.json").read_text())["seed"] == 5 == ranking._kept_seed(out)
    assert rank(None)["seed"] == 5 and len(asked) == 4, "the seed that is kept"
    drawn = {ranking._kept_seed(tmp_path / str(i)) for i in range(20)}
    assert len(drawn) > 15 and min(drawn) >= 1


def test_a_picture_of_a_card_is_drawn_to_its_numbers(monkeypatch):
    marks = {name: i / 10 for i, name in enumerate(TASKS)}
    monkeypatch.setattr(ranking, "best", lambda: marks)
    reads = {name: (i + 1) / 9 for i, name in enumerate(TASKS)}
    root = ElementTree.fromstring(ranking.picture(card("<me>", 0.4567, 12_345, tasks=reads)))
    rects = [r for r in root.iter("{http://www.w3.org/2000/svg}rect")]
    bars = [r for r in rects if r.get("fill") == "#0072B2"]
    lines = [r for r in rects if r.get("fill") == "#D55E00"][: len(TASKS)]
    assert [float(r.get("width")) for r in bars] == pytest.approx([500 * v for v in reads.values()], abs=0.06)
    assert [float(r.get("x")) + 1.5 for r in lines] == pytest.approx([132 + 500 * v for v in marks.values()], abs=0.06)
    assert all(float(b.get("y")) - 3 == float(m.get("y")) for b, m in zip(bars, lines, strict=True))
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:2] == ["<me>", "0.457"] and texts[2] == f"12,345 of {LIMIT:,} bytes · 3 lines · seed 5"
    assert texts[3 : 3 + 2 * len(TASKS)] == [x for n, v in reads.items() for x in (n, f"{v:.2f}")]
    (desc,) = (d.text for d in root.iter("{http://www.w3.org/2000/svg}desc"))
    assert desc == "; ".join(f"{n} {v:.2f}" for n, v in reads.items()) + f". 12,345 of {LIMIT:,} bytes."
    assert ": over the limit" in ranking.picture(card("x", kept=LIMIT + 1, within=False))


def test_the_best_of_the_course_is_of_those_within_the_limit(monkeypatch):
    def runs(values, within=True):
        return [{"within": within, "tasks": dict.fromkeys(TASKS, v)} for v in values]

    kept = {
        "a": runs([0.1, 0.3]),
        "b": runs([0.25, 0.25, 0.25]),
        "c": runs([0.9], False),
        "d": [*runs([0.9]), *runs([0.9], False)],
    }
    monkeypatch.setattr(experiments, "stored", lambda name: kept)
    assert ranking.best() == pytest.approx(dict.fromkeys(TASKS, 0.25))


def test_an_entry_is_scored_with_the_seed_of_the_ranking_and_its_faults_are_said(monkeypatch):
    asked, faults = [], [None, EntryError("It is slow."), ValueError("sizes")]

    class Elsewhere:
        def __init__(self, file, seconds):
            asked.append((file.read_text("utf-8"), file.name, seconds))

        __enter__, __exit__ = lambda self: self, lambda self, *_: None

    def score(memory, *given, **how):
        asked.append((given, how))
        if fault := faults.pop(0):
            raise fault
        return SimpleNamespace(plain=lambda: {"total": 1})

    monkeypatch.setattr(ranking, "Remote", Elsewhere)
    monkeypatch.setattr(ranking, "score", score)
    found = [ranking._scored("some code", "ann", seed) for seed in (7, 8, 9)]
    assert found[0] == {"total": 1} and found[1] == {"problem": "It is slow."}
    assert found[2] == {"problem": "What it gives does not fit: ValueError: sizes"}
    assert asked[0] == ("some code", "ann.py", ranking.SECONDS)
    assert asked[1::2] == [((seed,), {"count": ranking.COUNT, "turns": 1}) for seed in (7, 8, 9)]


def test_what_an_entry_may_be(tmp_path):
    (tmp_path / "x.py").write_text("\ufeffclass Mine: ...")
    assert ranking.entry_source(tmp_path / "x.py") == "class Mine: ..."
    (tmp_path / "big.py").write_text("#" * (ranking.MOST + 1))
    (tmp_path / "odd.py").write_bytes(b"\xff\xfe")
    (tmp_path / "link.py").symlink_to(tmp_path / "x.py")
    for name, why in (("big", "too large"), ("odd", "is not text"), ("link", "is a link")):
        with pytest.raises(CourseError, match=why):
            ranking.entry_source(tmp_path / f"{name}.py")
    for count in (0, 1, 2):
        cell = {"cell_type": "code", "source": "class Mine: ...", "metadata": {"nbgrader": {"grade_id": "mine"}}}
        (tmp_path / "n.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [cell] * count, "metadata": {}}))
        if count == 1:
            assert ranking.entry_source(tmp_path / "n.ipynb") == "class Mine: ..."
        else:
            with pytest.raises(CourseError, match=f"holds {count} answer cells 'mine', wanted one"):
                ranking.entry_source(tmp_path / "n.ipynb")


@pytest.mark.parametrize(
    "found, lse, fits",
    [
        ({"out": (2, 3, 8)}, False, True),
        ({"out": (2, 3, 5)}, False, True),
        ({"out": (2, 4, 8)}, False, False),
        ({"out": (3, 8)}, False, False),
        ({}, False, False),
        ({"out": (2, 3, 8), "lse": (2, 3)}, True, True),
        ({"out": (2, 3, 8)}, True, False),
    ],
)
def test_what_comes_back_from_a_read_must_fit_the_queries(found, lse, fits):
    remote = Remote.__new__(Remote)
    remote._ask = lambda *a, **how: ({}, {name: torch.zeros(shape) for name, shape in found.items()})
    if not fits:
        with pytest.raises(EntryError, match="read must give"):
            remote.read(None, torch.zeros(2, 3, 8), lse=lse)
    else:
        got = remote.read(None, torch.zeros(2, 3, 8), lse=lse)
        assert len(got) == 2 and (got[0].shape == found["out"] if lse else got.shape == found["out"])


# Editions and what is written


def test_the_mark_of_an_edition_differs_by_seed_and_tells_nothing_of_it():
    marks = [editions.mark_of(seed) for seed in range(1, 200)]
    assert editions.mark_of(0) is None and len(set(marks)) == 199 and all(re.fullmatch("[0-9a-f]{8}", m) for m in marks)


def test_draws_differ_by_seed_and_by_task(tmp_path):
    folder = tmp_path / "77_tiny"
    folder.mkdir()
    text = TINY.replace("return 2 * x", "return 200001 * x").replace("_three = 3", "_three = 200001")
    (folder / "exercise.py").write_text(text)
    draw = "lambda pick: {'200001': str(pick(*range(100000, 100400)))}"
    (folder / "editions.py").write_text(f"DRAWS = {{'double': {draw}, 'hand': {draw}}}")

    def numbers(seed):
        made, _ = editions.drawn_exercise("77_tiny", seed, tmp_path)
        return [re.search(r"\d{6}", made.tasks[name].answer.source)[0] for name in ("double", "hand")]

    assert numbers(0) == ["200001"] * 2
    drawn = [numbers(seed) for seed in range(1, 8)]
    assert numbers(1) == drawn[0] and len({a for a, _ in drawn}) > 5 and all(a != b for a, b in drawn)
    checks = editions.drawn_exercise("77_tiny", 3, tmp_path)
    for name, one in checks[0].tasks.items():
        assert one.check.source.endswith(f"# wanted: {report_text.digests(checks[1][name])} of 77_tiny {name}")
    assert "wanted" not in editions.drawn_exercise("77_tiny", 0, tmp_path)[0].tasks["hand"].check.source


@pytest.mark.parametrize(
    "number, said", [(0, "zero"), (1, "one"), (7, "seven"), (12, "twelve"), (15, "fifteen"), (16, "16"), (100, "100")]
)
def test_a_number_in_words(number, said):
    assert editions.word(number) == said


def test_a_lesson_over_any_limit_is_said_with_what_is_over():
    fits = measures.Measures(words=1500, lines=60, cell=12, median=6, wide=92, tasks=0, played=0)
    assert fits.too_much() == [] and fits.minutes == 20
    for name, most, said in (
        ("words", 1500, "words"),
        ("lines", 60, "visible lines"),
        ("cell", 12, "lines in one cell"),
    ):
        over = measures.Measures(**{**fits.__dict__, name: most + 1})
        assert over.too_much() == [f"{most + 1} {said}, at most {most}"]
    long = measures.Measures(**{**fits.__dict__, "played": 9})
    assert (
        long.too_much() == ["47 minutes, at most 45"]
        and measures.Measures(**{**fits.__dict__, "tasks": 25}).minutes == 45
    )


def test_films_are_held_to_their_size_and_told_from_other_cells():
    cell = SimpleNamespace(cell_type="code", metadata={"tags": ["film"]}, source="a = 1")
    assert films.is_film(cell) and not films.is_film(SimpleNamespace(cell_type="markdown", metadata={"tags": ["film"]}))
    assert not films.is_film(SimpleNamespace(cell_type="code", metadata={"tags": ["other"]}))
    assert (
        films._code(cell)
        == films._code(SimpleNamespace(source="a  =  1  # same"))
        != films._code(SimpleNamespace(source="a = 2"))
    )


def test_a_remote_memory_is_asked_anew_after_its_calls(tmp_path):
    (tmp_path / "m.py").write_text(
        "from memlib import Window\nclass Mine(Window):\n    def __init__(self):\n        super().__init__(3)\n"
    )
    started = time.monotonic()
    with Remote(tmp_path / "m.py", seed=1) as memory:
        draws = [Random(1).randint(60, 120)]
        assert 60 <= draws[0] <= 120 and memory._left == draws[0] - 1
        assert (memory.softmax, memory.merges, memory.segment) == (True, True, Window.segment)
    assert time.monotonic() - started < 60 and memory._process.poll() is not None
