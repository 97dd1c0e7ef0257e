"""One button in the exercise: grade what has been run in this kernel."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from memlib.course import variables
from memlib.course.notebook import look_page
from memlib.course.notebook.answers import sources, with_answers
from memlib.course.notebook.look_page import Page
from memlib.course.paths import CourseError, chapter
from memlib.course.source import load_exercise

SIGN = {"passed": True, "unanswered": None, "missing": None}  # of any other state: not right


def handed_in(name: str, shell) -> dict:
    """The course's exercise with the answers that were run in this kernel."""
    exercise = load_exercise(name)
    return with_answers(name, sources(exercise, shell))


def verdict_of(book: dict, name: str) -> dict:
    """Grade a notebook in a process of its own; {"problem": sentence} where that was not possible."""
    with tempfile.TemporaryDirectory(prefix="memlib-button-") as folder:
        path, out = Path(folder, f"{name}.ipynb"), Path(folder, "verdict.json")
        path.write_text(json.dumps(book), encoding="utf-8")
        command = [sys.executable, "-m", "memlib.course.cli", "grade", str(path), "--json", str(out), "--keep"]
        env = variables.inherited(MEMLIB_SEED=None)
        done = subprocess.run(command, capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL)
        if out.exists():
            return json.loads(out.read_text("utf-8"))
        return {"problem": (done.stderr.strip().splitlines() or ["Grading failed."])[-1]}


def verdict_html(verdict: dict, titles: dict[str, str] | None = None) -> str:
    """A verdict in the look of `look`: the points, and a row a task, by its title; every text is escaped."""
    if "problem" in verdict:
        return f"<p>{html.escape(verdict['problem'])}</p>"
    page = Page()
    bonus = f", and {verdict['bonus']} of {verdict['bonus_total']} of the bonus" if verdict.get("bonus_total") else ""
    page.say(f"{verdict['points']} of {verdict['total']} points{bonus}", strong=True)
    look_page.entry_rows(page, [_row(task, (titles or {}).get(task["task"])) for task in verdict["tasks"]])
    return page.as_html()


def _row(task: dict, title: str | None) -> tuple:
    """The sign of a task, its title, its points in a box, and what there is to say."""
    points = f"{task['points']} of {task['of']}" + (" (bonus)" if task["bonus"] else "")
    said = "" if task["state"] == "passed" else task["feedback"]
    said += f" Look next: {task['next']}" if task["next"] else ""
    return SIGN.get(task["state"], False), title or task["task"], [look_page.entry(points, None)], said


def titles(name: str) -> dict[str, str]:
    """Task -> the heading above it, without points and minutes: "Core 1 · A state by hand"."""
    found, last = {}, ""
    for cell in load_exercise(name).cells:
        heading = re.search(r"^## (.+?)(?: \(|$)", cell.source, re.M) if cell.kind == "markdown" else None
        last = heading[1] if heading else last
        if "task" in cell.options:
            found[cell.options["task"]] = last
    return found


def grade_button(name: str):
    """A button that grades the answers run in this notebook so far; nothing has to be saved."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or variables.setting("MEMLIB_GRADING"):
        return None
    import ipywidgets

    try:
        name = chapter(name)
    except CourseError as error:
        return ipywidgets.HTML(verdict_html({"problem": str(error)}))

    button = ipywidgets.Button(description="Grade my answers", tooltip="Grade the answers run so far")
    report = ipywidgets.HTML()

    def click(_):
        button.disabled = True
        report.value = "<p>Grading: about ten seconds.</p>"
        try:
            book = handed_in(name, shell)
        except CourseError as error:
            report.value, button.disabled = verdict_html({"problem": str(error)}), False
            return
        threading.Thread(target=work, args=(book,), daemon=True).start()

    def work(book):
        try:
            report.value = verdict_html(verdict_of(book, name), titles(name))
        except (CourseError, OSError, ValueError) as error:
            report.value = verdict_html({"problem": str(error)})
        finally:
            button.disabled = False

    button.on_click(click)
    return ipywidgets.VBox([button, report])
