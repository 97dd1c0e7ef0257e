"""What a graded class is written down as: gradebook.csv, results.json, junit.xml, and pages."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from memlib.course.grade import submission
from memlib.course.group import pages
from memlib.course.notebook.sentences import ISOLATION
from memlib.course.paths import CourseError
from memlib.course.source import Exercise

STATES = ("passed", "part", "failed", "unanswered", "missing")


def collect(exercise: Exercise, batch: dict, rows: list[dict], present) -> dict:
    """The results of a batch as plain data: the class, its students in order, and what is said of each task."""
    students = [_student(row, row["file"] in present) for row in rows]
    pages_of = page_names([student["student"] for student in students])
    students = [student | {"page": page} for student, page in zip(students, pages_of, strict=True)]
    verdicts = [student["verdict"] for student in students if student["verdict"]]
    return {
        "isolation": ISOLATION,
        "format": 1,
        "chapter": batch["chapter"],
        "edition": batch["edition"],
        "course": batch["course"],
        "total": sum(task.points for task in exercise.tasks.values() if not task.bonus),
        "bonus_total": sum(task.points for task in exercise.tasks.values() if task.bonus),
        "tasks": [_task(task, verdicts) for task in exercise.tasks.values()],
        "students": students,
    }


def _student(row: dict, present: bool) -> dict:
    result = row["result"] or {}
    verdict = {k: v for k, v in result.items() if k not in ("seed", "file")} if row["outcome"] == "graded" else None
    notes = (verdict or {}).get("notes", []) + ([] if present else ["The file is no longer in the folder."])
    return {
        "student": row["file"].removesuffix(".ipynb"),
        "file": row["file"],
        "state": row["outcome"] or "pending",
        "problem": result.get("problem", "") if verdict is None else "",
        "notes": notes,
        "verdict": verdict,
    }


def _task(task, verdicts: list[dict]) -> dict:
    found = [one for verdict in verdicts for one in verdict["tasks"] if one["task"] == task.name]
    said = Counter(one["feedback"] for one in found if one["state"] in ("failed", "part"))
    common = [{"feedback": text, "students": count} for text, count in said.most_common(3)]
    states = {state: sum(one["state"] == state for one in found) for state in STATES}
    own = {"task": task.name, "kind": task.kind, "bonus": task.bonus, "of": task.points}
    return own | states | {"differences": common}


def page_names(students: list[str]) -> list[str]:
    """A plain file name for each student's page; no two are the same, on a file system that ignores case neither."""
    names, seen = [], set()
    for student in students:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", student)[:60]
        if plain != student or plain.lower() in seen:
            plain = f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"
        seen.add(plain.lower())
        names.append(f"{plain}.html")
    return names


def write_gradebook(results: dict, out: Path, files: dict[str, Path]) -> None:
    """All files of the gradebook, each whole or not at all."""
    (out / "feedback").mkdir(exist_ok=True)
    _put(out / "gradebook.csv", as_csv(results))
    _put(out / "results.json", json.dumps(results, indent=1) + "\n")
    _put(out / "junit.xml", as_junit(results))
    _put(out / "summary.html", pages.class_page(results))
    for student in results["students"]:
        answers = _answers(files.get(student["file"]), results)
        _put(out / "feedback" / student["page"], pages.student_page(student, results, answers))


def _answers(path: Path | None, results: dict) -> dict[str, str]:
    """What a student wrote, for the page; nothing where the file cannot be read any more."""
    try:
        cells = submission.read_submission(path).cells if path else []
    except CourseError:
        return {}
    names = {task["task"] for task in results["tasks"]}
    return {name: source for source, cell in cells if (name := submission.grade_id(cell) or cell.get("id")) in names}


def _put(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="")
    os.replace(partial, path)


def as_csv(results: dict) -> str:
    """One line a student; what was not graded has no points, which is not the same as none earned."""
    tasks = [task["task"] for task in results["tasks"]]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    head = ["student", "state", "points", "total", "bonus", "bonus_total", *tasks, "isolation", "remarks"]
    table.writerow(head)
    for student in results["students"]:
        verdict = student["verdict"] or {"tasks": []}
        points = {task["task"]: task["points"] for task in verdict["tasks"]}
        row = [student["student"], student["state"], verdict.get("points", ""), results["total"]]
        row += [verdict.get("bonus", ""), results["bonus_total"], *(points.get(task, "") for task in tasks)]
        table.writerow(map(_no_formula, [*row, "none", " ".join([student["problem"], *student["notes"]]).strip()]))
    return text.getvalue()


def _no_formula(cell) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if re.match(r"[=+\-@\t\r]", str(cell)) else str(cell)


def as_junit(results: dict) -> str:
    """A suite a student, a case a task; what was not graded is an error, what was not answered is skipped."""
    root = ElementTree.Element("testsuites", name=f"{results['chapter']}. {results['isolation']}")
    for student in results["students"]:
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(student["student"]))
        tasks = student["verdict"]["tasks"] if student["verdict"] else []
        for task in tasks:
            case = ElementTree.SubElement(suite, "testcase", classname=results["chapter"], name=task["task"])
            if task["state"] != "passed":
                kind = "failure" if task["state"] in ("failed", "part") else "skipped"
                ElementTree.SubElement(case, kind, message=_xml(task["feedback"]))
        if not tasks:
            case = ElementTree.SubElement(suite, "testcase", classname=results["chapter"], name="the file")
            ElementTree.SubElement(case, "error", message=_xml(student["problem"] or "Not graded yet."))
        counts = Counter(child.tag for case in suite for child in case)
        suite.set("tests", str(len(suite)))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(counts[tag]))
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    """Text without the signs that XML has no way to write."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
