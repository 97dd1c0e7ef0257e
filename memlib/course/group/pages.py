"""Pages to read: one for each student, one for the class. Every text on them is escaped, and they run no script."""

from __future__ import annotations

import base64
import hashlib
import statistics
from collections import Counter
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --box: #f6f8fa;
  --passed: #007a5a; --part: #0072b2; --failed: #b84a00; --open: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3d444d; --paper: #14181d;
  --box: #1d2329; --passed: #2fbf94; --part: #56b4e9; --failed: #ff9d57; --open: #6e7781; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 76rem;
  margin: 1.5rem auto 4rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .6rem 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.soft, .isolation { color: var(--soft); }
.isolation { border-left: 4px solid var(--failed); padding-left: .6rem; margin: 0; }
.points { font-size: 1.25rem; margin: .2rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
td { overflow-wrap: anywhere; }
.n { text-align: right; white-space: nowrap; padding-right: 1.2rem; }
.said { width: 55%; } .name { min-width: 6rem; } .narrow { white-space: nowrap; }
.passed { color: var(--passed); } .part { color: var(--part); }
.failed { color: var(--failed); } .open { color: var(--soft); }
.state { white-space: nowrap; font-weight: 600; }
pre { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .7rem; overflow-x: auto;
  max-height: 30rem; font: 14px/1.45 ui-monospace, monospace; }
details { margin: .4rem 0; } summary { cursor: pointer; }
svg text { fill: var(--ink); font: 14px system-ui, sans-serif; } svg .soft { fill: var(--soft); }
rect.passed { fill: var(--passed); } rect.part { fill: var(--part); }
rect.failed { fill: var(--failed); } rect.open { fill: var(--open); }
a { color: inherit; } li { margin: .2rem 0; }
"""
SIGNS = {"passed": "✓ right", "part": "◐ in part", "failed": "✗ not yet"}
SIGNS |= {"unanswered": "– open", "missing": "– missing"}
UNGRADED = {
    "refused": "This file was not graded.",
    "fault": "Grading failed, which says nothing about the answers.",
}
CLASSES = {"passed": "passed", "part": "part", "failed": "failed", "unanswered": "open", "missing": "open"}


def _page(title: str, body: str) -> str:
    allowed = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _top(results: dict, title: str) -> str:
    edition = "" if results["edition"] == "public" else f", edition {escape(results['edition'])}"
    said = f'<p class="isolation">{escape(results["isolation"])}</p>\n<h1>{escape(title)}</h1>\n'
    return f'{said}<p class="soft">Exercise {escape(results["chapter"])}{edition}</p>\n'


def student_page(student: dict, results: dict, answers: dict[str, str]) -> str:
    """The page of one student: points, what each task was short of, and the answers as they were handed in."""
    verdict, name = student["verdict"], student["student"]
    body = _top(results, name)
    if verdict is None:
        said = UNGRADED.get(student["state"], "Not graded yet.")
        return _page(name, f'{body}<p class="points">{said}</p><p>{escape(student["problem"])}</p>')
    bonus = f", and {verdict['bonus']} of {verdict['bonus_total']} bonus points" if verdict["bonus_total"] else ""
    body += f'<p class="points"><strong>{verdict["points"]} of {verdict["total"]} points</strong>{bonus}</p>\n'
    body += "".join(f"<p>{escape(note)}</p>\n" for note in student["notes"])
    rows = "".join(_row(task) for task in verdict["tasks"])
    body += "<table><thead><tr><th>Task</th><th></th><th class=n>Points</th><th>What was found</th></tr></thead>"
    body += f"<tbody>{rows}</tbody></table>\n<h2>Your answers</h2>\n"
    for task in verdict["tasks"]:
        if task["task"] in answers:
            source = escape(answers[task["task"]][:20_000])
            body += f"<details><summary>{escape(task['task'])}</summary><pre>{source}</pre></details>\n"
    return _page(name, body)


def _row(task: dict) -> str:
    said = escape(task["feedback"])
    said += f"<br><span class=soft>Look next: {escape(task['next'])}</span>" if task["next"] else ""
    points = f"{task['points']} of {task['of']}" + (" bonus" if task["bonus"] else "")
    row = f"<td class=name>{escape(task['task'])}</td>"
    row += f'<td class="state {CLASSES[task["state"]]}">{SIGNS[task["state"]]}</td>'
    return f"<tr>{row}<td class=n>{points}</td><td class=said>{said}</td></tr>\n"


def class_page(results: dict) -> str:
    """The page of the class: how the points are spread, what each task fell short of, and every student."""
    students = results["students"]
    counts = Counter(student["state"] for student in students)
    names = {"graded": "graded", "refused": "refused", "fault": "not graded by a fault of the grader"}
    parts = [f"{counts[state]} {said}" for state, said in names.items() if counts[state]]
    parts += [f"{counts['pending']} not graded yet"] if counts["pending"] else []
    body = _top(results, "The class") + f'<p class="points">{len(students)} handed in: {", ".join(parts)}</p>\n'
    body += _problems(students)
    points = [student["verdict"]["points"] for student in students if student["verdict"]]
    if points:
        body += "<h2>Points</h2>\n" + _histogram(points, results["total"])
    body += "<h2>Tasks</h2>\n" + _tasks(results["tasks"], len(points)) + "<h2>Students</h2>\n" + _students(results)
    return _page(f"{results['chapter']}: the class", body)


def _problems(students: list[dict]) -> str:
    found = [student for student in students if student["problem"]]
    said = "".join(f"<li>{_link(s)}: {escape(s['problem'])}</li>" for s in found)
    return f"<h2>Not graded</h2>\n<ul>{said}</ul>\n" if found else ""


def _link(student: dict) -> str:
    return f'<a href="feedback/{escape(student["page"])}">{escape(student["student"])}</a>'


def _histogram(points: list[int], total: int) -> str:
    """How many students have how many points; a fraction counts down."""
    counts, high, wide = Counter(map(int, points)), 120, min(60, 1000 // (total + 1))
    most, bars = max(counts.values()), ""
    for value in range(total + 1):
        tall, x = round(high * counts[value] / most), value * wide
        middle = f'text-anchor="middle" x="{x + wide // 2}"'
        bars += f'<rect class="passed" x="{x + 2}" y="{high + 20 - tall}" width="{wide - 4}" height="{tall}"/>'
        bars += f'<text class="soft" {middle} y="{high + 40}">{value}</text>'
        bars += f'<text {middle} y="{high + 15 - tall}">{counts[value]}</text>' if counts[value] else ""
    alt = f"Students by points, of {total}: " + ", ".join(f"{n} with {v}" for v, n in sorted(counts.items()))
    picture = f'<svg role="img" aria-label="{alt}" width="{(total + 1) * wide}" height="{high + 50}">{bars}</svg>'
    mean = (
        f"Mean {statistics.mean(points):.1f} of {total}, median {statistics.median(points):g}. The bonus is not in it."
    )
    return f'{picture}\n<p class="soft">Points across, students up. {mean}</p>\n'


def _tasks(tasks: list[dict], graded: int) -> str:
    rows = ""
    for task in tasks:
        counts = (task["passed"], task["part"], task["failed"], task["unanswered"] + task["missing"])
        said = "".join(f"<br>{one['students']} × {escape(one['feedback'])}" for one in task["differences"])
        name = f"{escape(task['task'])}<br><span class=soft>{task['kind']}{', bonus' if task['bonus'] else ''}</span>"
        rows += f"<tr><td class=name>{name}</td><td class=n>{task['of']}</td>"
        rows += f"<td class=narrow>{_bar(counts, graded)}</td><td class=said>{said.removeprefix('<br>')}</td></tr>\n"
    heads = "<th>Task</th><th class=n>Points</th><th>Right, in part, not yet, open</th>"
    heads += "<th>Commonest first differences</th>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>\n"


def _bar(counts: tuple[int, ...], of: int) -> str:
    """Shares side by side, and the numbers in words: the colours say nothing that the text does not."""
    wide, x, parts = 220, 0.0, ""
    for kind, count in zip(("passed", "part", "failed", "open"), counts, strict=True):
        share = wide * count / max(of, 1)
        parts += f'<rect class="{kind}" x="{x:.1f}" y="2" width="{share:.1f}" height="12"/>'
        x += share
    said = "{} right, {} in part, {} not yet, {} open".format(*counts)
    picture = f'<svg role="img" aria-label="{said}" width="{wide}" height="16">{parts}</svg>'
    return f"{picture}<br><span class=soft>{said}</span>"


def _cell(task: dict | None) -> str:
    """The points of a task, a dash where it is open, nothing where it was not graded."""
    if task is None:
        return "<td></td>"
    kind = CLASSES[task["state"]]
    return f'<td class="n {kind}">{"–" if kind == "open" else task["points"]}</td>'


def _students(results: dict) -> str:
    tasks = results["tasks"]
    rows = ""
    for student in results["students"]:
        verdict = student["verdict"]
        got = {task["task"]: task for task in verdict["tasks"]} if verdict else {}
        cells = "".join(_cell(got.get(task["task"])) for task in tasks)
        points = f"{verdict['points']}" if verdict else escape(student["state"])
        bonus = f"{verdict['bonus']}" if verdict else ""
        rows += f"<tr><td>{_link(student)}</td><td class=n>{points}</td><td class=n>{bonus}</td>{cells}</tr>"
    heads = "".join(f"<th class=n>{escape(task['task'])}</th>" for task in tasks)
    head = f"<th>Student</th><th class=n>of {results['total']}</th><th class=n>bonus</th>{heads}"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'{table}\n<p class="soft">A dash: not answered, or its cell is missing.</p>\n'
