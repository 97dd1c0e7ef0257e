"""From a key to the changed picture: `python -m benchmarks.pages [WORD ...]`, lessons in JupyterLab as it comes.

Every knob of every live picture is moved ten times; the milliseconds run, in the page, from the key to the first change
of what is drawn. A WORD takes the lessons whose name holds it. The table is stored in benchmarks/results/pages.md: run
it on a quiet machine.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import browser  # noqa: E402

PLATE, TIMES = ".memlib-picture", 10
CLOCK = """plate => {
    window.memlibTaken = new Promise(done => {
        addEventListener('keydown', () => {
            const from = performance.now()
            const seen = new MutationObserver(() => { seen.disconnect(); done(performance.now() - from) })
            seen.observe(plate.querySelector('.js-plotly-plot'), {
                childList: true, subtree: true, characterData: true,
                attributeFilter: ['d', 'x', 'href', 'xlink:href', 'transform', 'data-unformatted'],
            })
        }, {once: true, capture: true})
    })
}"""


def moved(page, cell) -> list[float]:
    """Milliseconds from each key to the changed picture; the slider turns back at its end."""
    plate, knob, taken = cell.locator(PLATE), cell.locator(".noUi-handle").first, []
    knob.scroll_into_view_if_needed()
    for i in range(TIMES):
        plate.evaluate(CLOCK)
        knob.focus()
        page.keyboard.press("ArrowRight" if i % 2 == 0 else "ArrowLeft")
        taken.append(page.evaluate("window.memlibTaken"))
        page.wait_for_timeout(400)
    return taken


def rows(words: list[str]):
    """(lesson, picture, milliseconds) of each knob."""
    browser.SETTINGS = {name: given for name, given in browser.SETTINGS.items() if "notification" in name}
    with tempfile.TemporaryDirectory() as home:
        copy = shutil.copytree(ROOT / "notebooks", Path(home) / "notebooks")
        with browser.lab(copy, Path(home)) as address:
            for lesson in sorted(copy.glob("*.ipynb")):
                if not words or any(word in lesson.stem for word in words):
                    with browser.browser() as (page, _):
                        browser.open_notebook(page, address(lesson.name))
                        browser.run_all(page, 900)
                        page.wait_for_timeout(1000)
                        cells = page.locator(f".jp-CodeCell:has(.noUi-handle):has({PLATE})")
                        for i in range(cells.count()):
                            yield lesson.stem, i, moved(page, cells.nth(i))


def main(words: list[str]) -> None:
    lines = ["| lesson | live picture | median, ms | slowest of ten |", "|---|---|---|---|"]
    for lesson, i, taken in rows(words):
        lines.append(f"| {lesson} | {i + 1} | {statistics.median(taken):.0f} | {max(taken):.0f} |")
        print(lines[-1], flush=True)
    if not words:
        head = f"# From a key to the changed picture\n\n`python -m benchmarks.pages`, {date.today()}.\n\n"
        (ROOT / "benchmarks" / "results" / "pages.md").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
