"""A class: the ledger that survives every kill, the gradebook, hostile names, editions."""

import csv
import io
import json
import multiprocessing
import os
import re
import signal
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import pytest
from examples import EVERY

from memlib.course import cli, source
from memlib.course.grade.reference import fresh_reference, run_exercise
from memlib.course.group import batch, gradebook, pages, workers
from memlib.course.group.ledger import CUTS, Ledger
from memlib.course.notebook.answers import with_answers
from memlib.course.notebook.sentences import ISOLATION
from memlib.course.paths import CHAPTERS, ROOT, CourseError, chapters
from memlib.course.source import load_exercise, solved, stub
from memlib.course.write import editions

DRAWN = [name for name in chapters() if (CHAPTERS / name / "editions.py").exists()]
SOLVED = {task: None for task in load_exercise("00_cache").tasks}


def rows(ledger: Ledger) -> dict[str, tuple]:
    return {row["file"]: (row["state"], row["outcome"]) for row in ledger.rows()}


def gradebook_of(out: Path) -> list[dict]:
    return list(csv.DictReader(io.StringIO((out / "gradebook.csv").read_text("utf-8"))))


# The ledger


def test_a_lease_is_given_once_and_what_was_tried_comes_last(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for name in "cab":
            ledger.add(name, "1")
        assert [ledger.lease("abc") for _ in range(4)] == ["a", "b", "c", None]
        assert ledger.finish("a", "graded", {"points": 1}) and ledger.finish("b", "refused", {"problem": "no"})
        assert not ledger.finish("c", "fault", {"problem": "x"}), "a fault is tried again"
        ledger.add("d", "1")
        assert [ledger.lease("abcd") for _ in range(2)] == ["d", "c"]
        assert ledger.finish("c", "fault", {"problem": "x"})
        assert ledger.lease("abc") is None and rows(ledger)["c"] == ("done", "fault")
        assert ledger.finish("a", "graded", {"points": 2}) and ledger.rows()[0]["result"] == {"points": 1}


def test_what_was_cut_off_is_pending_again_and_what_is_done_stays(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for name in "abc":
            ledger.add(name, "1")
        ledger.finish(ledger.lease("a"), "graded", {})
        ledger.lease("b")
        ledger.reopen()
        assert rows(ledger) == {"a": ("done", "graded"), "b": ("pending", None), "c": ("pending", None)}
        ledger.add("a", "1")
        assert rows(ledger)["a"] == ("done", "graded")
        ledger.add("a", "2")
        assert rows(ledger)["a"] == ("pending", None), "another file was handed in"
        for _ in range(CUTS - 1):
            ledger.lease("b")
            ledger.reopen()
        assert rows(ledger)["b"] == ("done", "fault") and "cut off 3 times" in ledger.rows()[1]["result"]["problem"]


def test_a_second_command_keeps_off_and_another_batch_is_refused(tmp_path):
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.settle(seed=5, chapter="01") == {"seed": "5", "chapter": "01"} == ledger.settle(seed=5)
        with pytest.raises(CourseError, match="begun with seed '5', now asked for is '6': use another --out"):
            ledger.settle(seed=6)
        with pytest.raises(CourseError, match="Another command is grading"), Ledger(tmp_path / "l.sqlite"):
            pass
    (tmp_path / "odd.sqlite").write_text("this is no database, and long enough to be none" * 50)
    with pytest.raises(CourseError, match="no ledger that can be read"), Ledger(tmp_path / "odd.sqlite"):
        pass


# The pool, with a grader that answers at once

FAKE = """
import json, os, sys, time
from pathlib import Path
path = Path(sys.argv[1])
log = Path(os.environ["MEMLIB_TEST_LOG"])
def note(word):
    with open(log, "a") as file:
        file.write(f"{word} {path.name} {os.getpid()}\\n")
note("began")
kind = path.read_text()
if kind == "slow":
    import threading
    threading.Thread(target=lambda: os.read(0, 1) or os._exit(0), daemon=True).start()  # a leash, as in memlib.course
    end = time.monotonic() + float(os.environ.get("MEMLIB_TEST_SLEEP", "60"))
    while time.monotonic() < end:
        time.sleep(0.05)
if kind == "refused":
    print(json.dumps({"problem": "It is damaged."})); sys.exit(1)
if kind == "fault":
    print(json.dumps({"problem": "The course failed."})); sys.exit(3)
if kind == "silent":
    sys.exit(0)
if kind == "killed":
    os.kill(os.getpid(), 9)
if kind == "nonsense":
    print('{"points": "many"}'); sys.exit(0)
task = {"task": "by_hand", "kind": "hand", "bonus": False, "points": 2, "of": 2, "state": "passed", "feedback": "ok",
        "next": ""}
print(json.dumps({"points": 2, "total": 13, "bonus": 0, "bonus_total": 2, "tasks": [task], "notes": []}))
note("ended")
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A folder, and a process that grades it with FAKE; what FAKE did is in its log."""
    (tmp_path / "fake.py").write_text(FAKE)
    (tmp_path / "class").mkdir()
    monkeypatch.setenv("MEMLIB_TEST_LOG", str(tmp_path / "log"))
    command = lambda self, path: [sys.executable, str(tmp_path / "fake.py"), str(path.absolute())]  # noqa: E731
    monkeypatch.setattr(batch.Batch, "command", command)

    def work() -> None:
        out = tmp_path / "class" / "out"
        results = batch.grade_class(tmp_path / "class", out, chapter="00_cache", jobs=2, trusted=True)
        (tmp_path / "said").write_text(batch.closing_text(results, out))

    def start():
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        return process

    def said() -> str:
        process = start()
        process.join(60)
        assert process.exitcode == 0
        return (tmp_path / "said").read_text()

    def hand_in(**kinds: str) -> None:
        for name, kind in kinds.items():
            (tmp_path / "class" / f"{name}.ipynb").write_text(kind)

    def log() -> list[list[str]]:
        path = tmp_path / "log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    return SimpleNamespace(folder=tmp_path, start=start, said=said, hand_in=hand_in, log=log)


def until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_fault_is_never_a_zero_and_the_others_are_graded(fake):
    fake.hand_in(good="good", bad="refused", course="fault", dead="killed", odd="nonsense", mute="silent")
    said = fake.said()
    assert said.startswith("Isolation: none.") and "1 graded, 1 refused, 4 fault" in said
    assert "A fault says nothing about the answers and is no zero" in said
    book = {row["student"]: row for row in gradebook_of(fake.folder / "class/out")}
    assert (book["good"]["points"], book["good"]["state"], book["good"]["by_hand"]) == ("2", "graded", "2")
    assert (book["bad"]["points"], book["bad"]["state"], book["bad"]["remarks"]) == ("", "refused", "It is damaged.")
    for name in ("course", "dead", "odd", "mute"):
        assert (book[name]["points"], book[name]["state"]) == ("", "fault")
        assert [line[1] for line in fake.log()].count(f"{name}.ipynb") == 2, "tried twice"
    assert "ended with code -9" in book["dead"]["remarks"]
    before = len(fake.log())
    fake.hand_in(course="good")
    assert "2 graded, 1 refused, 3 fault" in fake.said()
    again = {line[1] for line in fake.log()[before:]}
    assert again == {"course.ipynb", "dead.ipynb", "mute.ipynb", "odd.ipynb"}


def test_kill_minus_nine_loses_nothing_and_grades_nothing_twice(fake, monkeypatch):
    fake.hand_in(**{f"a{i}": "good" for i in range(6)}, b0="slow", b1="slow", c="good")
    command = fake.start()
    until(lambda: [[line[0] for line in fake.log()].count(word) for word in ("began", "ended")] == [8, 6])
    command.kill()
    command.join()
    until(lambda: all(gone(line[2]) for line in fake.log()))  # the leash
    monkeypatch.setenv("MEMLIB_TEST_SLEEP", "0")
    said = fake.said()
    assert "9 graded" in said
    ended = [line[1] for line in fake.log() if line[0] == "ended"]
    assert len(set(ended)) == len(ended) == 9
    assert fake.said() == said and len([line for line in fake.log() if line[0] == "ended"]) == 9


@pytest.mark.parametrize("moment", range(4))
def test_kill_minus_nine_at_any_moment(fake, moment):
    fake.hand_in(**{f"a{i}": "good" for i in range(12)})
    command = fake.start()
    time.sleep(0.1 + 0.12 * moment)
    command.kill()
    command.join()
    before = [line[1] for line in fake.log() if line[0] == "ended"]
    assert "12 graded" in fake.said()
    ended = [line[1] for line in fake.log() if line[0] == "ended"]
    twice = {name for name in ended if ended.count(name) > 1}
    assert len(set(ended)) == 12 and len(twice) <= 2, "at most what was at work when it was cut off"
    assert len(before) <= len(ended)


def test_a_killed_worker_is_tried_again(fake, monkeypatch):
    monkeypatch.setenv("MEMLIB_TEST_SLEEP", "1")
    fake.hand_in(a="slow", b="good")
    command = fake.start()
    until(lambda: any(line[1] == "a.ipynb" for line in fake.log()))
    os.kill(int(next(line[2] for line in fake.log() if line[1] == "a.ipynb")), signal.SIGKILL)
    command.join(60)
    assert "2 graded" in (fake.folder / "said").read_text()
    assert [line[:2] for line in fake.log()].count(["began", "a.ipynb"]) == 2


def test_sigterm_ends_the_workers_and_leaves_the_rest_pending(fake):
    fake.hand_in(a="good", b="slow", c="slow", d="slow")
    command = fake.start()
    until(lambda: len(fake.log()) >= 4)
    command.terminate()
    command.join(20)
    assert command.exitcode not in (0, None)
    until(lambda: all(gone(line[2]) for line in fake.log()))
    states = [row["state"] for row in gradebook_of(fake.folder / "class/out")]
    assert states == ["graded", "pending", "pending", "pending"]


def test_a_clock_of_its_own_ends_what_hangs(tmp_path, monkeypatch):
    (tmp_path / "hang.py").write_text("import subprocess, sys\nsubprocess.run(['sleep', '600'])")
    monkeypatch.setattr(workers, "CLOCK", 2)
    started = time.monotonic()
    said = workers.Workers(lambda path: [sys.executable, str(tmp_path / "hang.py")]).grade(tmp_path / "x.ipynb")
    assert said == ("fault", {"problem": "Grading took longer than 2 s and was stopped."})
    assert time.monotonic() - started < 10


# What is handed in, and what is written down


def results(students: list[dict]) -> dict:
    found = [
        {"file": f"{s['student']}.ipynb", "outcome": s.get("outcome"), "result": s.get("result")} for s in students
    ]
    kept = {"chapter": "00_cache", "edition": "public", "course": "x"}
    return gradebook.collect(load_exercise("00_cache"), kept, found, [row["file"] for row in found])


def verdict(**states: str) -> dict:
    tasks = [
        {
            "task": t.name,
            "kind": t.kind,
            "bonus": t.bonus,
            "points": 0,
            "of": t.points,
            "next": "<i>next",
            "state": states.get(t.name, "failed"),
            "feedback": f"<script>alert('{t.name}')</script>",
        }
        for t in load_exercise("00_cache").tasks.values()
    ]
    return {"points": 0, "total": 13, "bonus": 0, "bonus_total": 2, "tasks": tasks, "notes": ["<b>note"], "seed": 9}


ODD = [
    "<script>alert(1)</script>",
    "=1+1",
    "-a",
    "@b",
    "a\nb",
    "a,b",
    'q"',
    "ä",
    "A",
    "a",
    "x" * 200,
    "\x00\x1b",
    "../up",
]


def test_odd_names_reach_every_file_as_plain_text(tmp_path):
    made = results([{"student": name, "outcome": "graded", "result": verdict()} for name in ODD])
    gradebook.write_gradebook(made, tmp_path, {})
    assert (
        len(list((tmp_path / "feedback").iterdir())) == len(ODD) == len({p["page"].lower() for p in made["students"]})
    )
    assert all(re.fullmatch(r"[\w-]{1,80}\.html", p.name, re.ASCII) for p in (tmp_path / "feedback").iterdir())
    for path in [tmp_path / "summary.html", *(tmp_path / "feedback").iterdir()]:
        text = path.read_text("utf-8")
        assert not re.search(r"<(script|img|b|i)[ >]", text) and "default-src 'none'" in text
        assert text.split("<body>\n")[1].startswith('<p class="isolation">Isolation: none.')
    table = list(csv.reader(io.StringIO(gradebook.as_csv(made))))
    assert len(table) == len(ODD) + 1 and not any(cell[:1] in tuple("=+-@") for row in table for cell in row if cell)
    suites = ElementTree.fromstring(gradebook.as_junit(made))
    assert len(suites) == len(ODD) and "Isolation: none" in suites.get("name")
    kept = json.loads((tmp_path / "results.json").read_text())
    assert list(kept)[0] == "isolation" and kept == made and '"seed"' not in (tmp_path / "results.json").read_text()


def test_the_class_sees_the_commonest_first_difference(tmp_path):
    some = [verdict(by_hand="passed"), verdict(), verdict(by_hand="unanswered"), verdict()]
    some[1]["tasks"][0]["feedback"] = some[3]["tasks"][0]["feedback"] = "result is 3, expected 4."
    made = results([{"student": f"s{i}", "outcome": "graded", "result": v} for i, v in enumerate(some)])
    task = made["tasks"][0]
    assert [task[s] for s in gradebook.STATES] == [1, 0, 2, 1, 0]
    assert task["differences"] == [{"feedback": "result is 3, expected 4.", "students": 2}]
    page = pages.class_page(made)
    assert "2 × result is 3, expected 4." in page and 'aria-label="1 right, 0 in part, 2 not yet, 1 open"' in page
    suites = ElementTree.fromstring(gradebook.as_junit(made))
    assert [suite.get("failures") for suite in suites] == ["7", "8", "7", "8"]
    refused = results([{"student": "r", "outcome": "refused", "result": {"problem": "Damaged <x>."}}, {"student": "p"}])
    assert "Damaged &lt;x&gt;." in pages.student_page(refused["students"][0], refused, {})
    assert "1 not graded yet" in pages.class_page(refused)
    assert [s.get("errors") for s in ElementTree.fromstring(gradebook.as_junit(refused))] == ["1", "1"]


@pytest.mark.parametrize(
    "words, why",
    [
        (["{}"], "is a folder: say --out DIR"),
        (["{}", "--out", "{}/out"], "No isolation is in force"),
        (["{}", "{}"], "2 paths were given"),
        (["{}", "--out", "{}/out", "--i-trust-these", "--jobs", "0"], "--jobs is 0"),
        (["{}", "--out", "{}/out", "--i-trust-these"], "None of these notebooks says which exercise it is"),
        (["{}", "--out", "{}/out", "--seed", "0"], "--seed is 0; wanted is a whole number from 1"),
        (["{}/empty", "--out", "{}/out"], "holds no notebooks"),
        (["{}", "--out", "{}/out", "--edition", "{}/empty"], "is no edition: wanted is the folder that"),
        (["one", "{}/a.ipynb", "--chapter", "99"], "There is no chapter '99'"),
    ],
)
def test_what_cannot_be_graded_is_said_in_a_sentence(words, why, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    assert cli.main(["grade", *(word.format(tmp_path) for word in words)]) == 1
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1


def test_a_class_from_files_to_gradebook(tmp_path, capsys, monkeypatch):
    """Really graded: a solution, an untouched file with deleted checks, and files that are none."""
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    (folder / "-right & <b>.ipynb").write_text(json.dumps(with_answers("00_cache", SOLVED)))
    bare = with_answers("00_cache", {})
    bare["cells"] = [cell for cell in bare["cells"] if not cell["id"].endswith("-check")]
    (folder / "bare.ipynb").write_text(json.dumps(bare))
    (folder / "other.ipynb").write_text(json.dumps(with_answers("01_window", {})))
    (folder / "broken.ipynb").write_text('{"cells": NaN}')
    os.symlink("/etc/passwd", folder / "link.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "torch.py").write_text("raise SystemExit('this is not to be imported')")
    (folder / "._right.ipynb").write_text("what macOS leaves behind")
    monkeypatch.chdir(folder)
    command = ["grade", ".", "--out", str(out), "--i-trust-these", "--chapter", "00", "--jobs", "2"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith(ISOLATION) and "2 graded, 4 refused" in said
    book = {row["student"]: row for row in gradebook_of(out)}
    total = book["bare"]["total"]
    assert (book["'-right & <b>"]["points"], book["'-right & <b>"]["bonus"]) == (total, "2")
    assert (book["bare"]["points"], book["bare"]["by_hand"]) == ("0", "0")
    assert "The check of 'by_hand' is missing in this file; the course's own was used." in book["bare"]["remarks"]
    assert book["other"]["remarks"] == "other.ipynb is exercise 01_window; asked for was 00_cache."
    assert "is damaged" in book["broken"]["remarks"] and "is a link" in book["link"]["remarks"]
    assert "is not a notebook file" in book["pipe"]["remarks"]
    started = time.monotonic()
    assert cli.main(command) == 0 and time.monotonic() - started < 5, "nothing is graded twice"


def test_the_commands_of_the_teachers_page_are_commands():
    lines = (ROOT / "docs" / "teachers.md").read_text("utf-8").splitlines()
    found = [line.split()[1:] for line in lines if line.startswith(".venv/bin/memlib ")]
    assert [cli.parser().parse_args(words).command for words in found] == ["release", "grade"]


# Editions


@pytest.mark.parametrize("seed", (3, 44, 555, 6666, 77777)[: 5 if EVERY else 1])
@pytest.mark.parametrize("name", DRAWN if EVERY else DRAWN[::3])
def test_an_edition_is_lost_on_the_public_answers_and_solved_by_its_own(name, seed):
    public = load_exercise(name)
    own, _ = editions.drawn_exercise(name, seed)
    drawn, wanted = fresh_reference(own, seed)  # refused where its own solution fails

    def earned(answers: dict) -> set[str]:
        found = run_exercise(own, answers, drawn)
        return {task for task, p in found.items() if p.error is None and p.text == wanted[task]}

    assert earned({t.name: stub(t.answer) for t in own.tasks.values()}) == set()
    assert earned({t.name: solved(t.answer) for t in public.tasks.values()}) == set()
    assert earned({}) == set(own.tasks)


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_is_an_edition(name):
    """All tasks are drawn, alike for one seed and otherwise for another; without a run."""
    assert set(editions.draws_of(name)) == set(load_exercise(name).tasks)

    def text(seed: int) -> str:
        exercise = load_exercise(name, CHAPTERS, lambda cells: editions._changed(cells, name, CHAPTERS, seed, 0))
        return "\n".join(cell.source for cell in exercise.cells)

    seeds = (0, 3, 44, 555, 6666, 77777)
    assert len({text(seed) for seed in 2 * seeds}) == len(seeds)


@pytest.mark.parametrize("name", DRAWN)
def test_the_public_edition_is_what_is_committed(name, tmp_path, capsys):
    assert cli.main(["release", name, "--out", str(tmp_path)]) == 0
    assert "the public edition" in capsys.readouterr().out
    for place in ("exercises", "solutions"):
        assert (tmp_path / place / f"{name}.ipynb").read_bytes() == (ROOT / place / f"{name}.ipynb").read_bytes()


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("edition")
    assert cli.main(["release", "00", "01", "--seed", "31", "--out", str(folder)]) == 0
    return folder


def test_an_edition_is_graded_by_the_same_command(own, capsys):
    """Its solution earns all, the public one nothing; a learner who has only the file is told whose it is."""
    solution = str(own / "solutions" / "00_cache.ipynb")
    assert cli.main(["grade", "one", solution, "--edition", str(own), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["points"], said["bonus"], said["notes"]) == (said["total"], 2, []) and said["edition"]
    public = str(ROOT / "solutions" / "00_cache.ipynb")
    assert cli.main(["grade", "one", public, "--edition", str(own), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["points"] < 2 and said["bonus"] == 0 and "is of the public edition" in said["notes"][0]
    assert cli.main(["grade", "one", solution, "--json"]) == 1
    assert "whoever released it grades it, with --edition" in json.loads(capsys.readouterr().out)["problem"]


def test_an_edition_holds_no_solution_and_no_seed(own):
    text = (own / "exercises" / "00_cache.ipynb").read_text("utf-8")
    assert "SOLUTION" not in text and "grade_button(\\" not in text and "Handing in" in text
    book = json.loads(text)
    assert set(book["metadata"]["memlib"]) == {"chapter", "kind", "edition"} and '"seed"' not in text
    assert not any("31" in str(value) for value in book["metadata"]["memlib"].values())


def test_another_edition_is_not_written_over(own, capsys):
    assert cli.main(["release", "00", "--seed", "32", "--out", str(own)]) == 1
    assert "holds another edition" in capsys.readouterr().err


def test_an_edition_of_a_changed_exercise_is_refused(own, tmp_path):
    kept = json.loads((own / "edition.json").read_text())
    (tmp_path / "edition.json").write_text(json.dumps(kept | {"chapters": {"00_cache": "another"}}))
    with pytest.raises(CourseError, match="has changed since .* was released: grade with the course as it was"):
        editions.load_edition(tmp_path).exercise("00_cache")


@pytest.mark.parametrize(
    "draws, why",
    [
        ("DRAWS = {'none': lambda pick: {}}", "none: the exercise has no such task"),
        ("DRAWS = {'by_hand': lambda pick: {'nowhere': '1'}}", "'nowhere' stands nowhere in the cells of this task"),
        ("DRAWS = {'by_hand': lambda pick: {'result = 30.0': 'result = x'}}", "the solution of task 'by_hand' fails"),
    ],
)
def test_a_draw_that_does_not_fit_is_refused(draws, why, tmp_path):
    (tmp_path / "00_cache").mkdir()
    (tmp_path / "00_cache" / "exercise.py").write_text((CHAPTERS / "00_cache" / "exercise.py").read_text("utf-8"))
    (tmp_path / "00_cache" / "editions.py").write_text(draws)
    with pytest.raises(CourseError, match=re.escape(why)):
        editions.drawn_exercise("00_cache", 1, tmp_path)


def test_words_are_replaced_whole_and_all_at_once():
    cells = [source.Cell("code", "a ab b(a) after_4 after_44", {}, Path("x"), 1)]
    editions._replace(cells, {"a": "b", "b(a": "c(b", "after_4": "after_7"}, "x")
    assert cells[0].source == "b ab c(b) after_7 after_44"


def test_look_reads_what_is_wanted_from_the_learners_file(own, monkeypatch):
    from memlib.course.notebook import side_by_side

    monkeypatch.chdir(own / "exercises")
    mark = editions.load_edition(own).mark
    for name, task in (("00_cache", "read"), ("01_window", "mask")):
        cell, wanted = side_by_side._stored(task, name, mark)
        assert cell["id"] == f"{task}-check" and wanted.count("\n") > 2
    with pytest.raises(CourseError, match="No notebook 00_cache of edition x lies in"):
        side_by_side._stored("read", "00_cache", "x")


def test_under_nbgrader_a_check_that_is_not_the_courses_is_never_right():
    """Fail closed: where nothing is known of a check, report raises."""
    from memlib.course.notebook import nbgrader_check

    nbgrader_check.check_begins("report('x', 1)")
    with pytest.raises(LookupError, match="not one of the course's"):
        nbgrader_check.agree("x: 1.00")
    source, (*_, wanted) = next(
        (source, found) for source, found in nbgrader_check.stored_checks().items() if found[:2] == ("00_cache", "read")
    )
    nbgrader_check.check_begins(source)
    first, *_ = nbgrader_check.parts(wanted)
    nbgrader_check.agree(first)
    with pytest.raises(AssertionError, match="Nothing was printed for"):
        nbgrader_check.agree(first)
