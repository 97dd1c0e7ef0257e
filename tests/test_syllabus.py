"""syllabus.md names, for each topic, the lesson section that shows it and the task that asks for it: they exist."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "syllabus.md").read_text("utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| topic"))
]


def headings(chapter):
    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return set(re.findall(r"^#+ (.+)$", text, re.M))


def tasks(chapter):
    cells = json.loads((ROOT / "exercises" / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    return {c["metadata"]["nbgrader"]["grade_id"] for c in cells if "nbgrader" in c["metadata"]}


def test_every_topic_has_four_columns():
    assert len(ROWS) > 25 and all(len(row) == 4 for row in ROWS)


def test_what_the_syllabus_names_exists():
    for topic, _, section, task in ROWS:
        for name in re.findall(r"`([^`]+)`", section):
            where, _, heading = name.partition(": ")
            assert heading in headings(where), f"{topic}: {where} has no section {heading!r}"
        for name in re.findall(r"`([^`]+)`", task):
            where, _, grade_id = name.partition(": ")
            assert grade_id in tasks(where), f"{topic}: {where} has no task {grade_id!r}"


def test_a_built_chapter_has_nothing_open(capsys):
    built = {p.stem[:2] for p in (ROOT / "notebooks").glob("*.ipynb")}
    still = [row[0] for row in ROWS if "open" in (row[2], row[3])]
    with capsys.disabled():
        print(f"\nsyllabus: {len(ROWS) - len(still)} of {len(ROWS)} topics are shown and asked; {len(still)} open")
    for topic, chapter, section, task in ROWS:
        if set(re.findall(r"\d\d", chapter)) <= built:
            assert "open" not in (section, task), f"{topic}: its chapters are built, yet it is open"
