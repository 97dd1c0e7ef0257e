"""Live pictures on a busy machine, JupyterLab as it comes: each is drawn at its first run, and moves with its knob.

    python -m pytest tests/long_pictures.py -s -k 01

Every lesson twice: Run All, and cell by cell with Shift+Enter; both cores are kept busy by two loops of our own.
"""

import multiprocessing
import shutil

import browser
import pytest

LESSONS = sorted((browser.ROOT / "notebooks").glob("*.ipynb"))
STATE = """plates => plates.map(plate => {
    const note = plate.querySelector('.memlib-note'), graph = plate.querySelector('.js-plotly-plot')
    return {
        drawn: plate.querySelectorAll('.main-svg :is(.trace, .points, .hm, .shapelayer path)').length,
        bare: graph?.data?.length === 0,
        state: plate.dataset.state ?? 'ready',
        note: note.style.display === 'none' ? '' : note.innerText
    }
})"""


def spin():
    while True:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    copy = shutil.copytree(browser.ROOT / "notebooks", home / "notebooks")
    every, browser.SETTINGS = (
        browser.SETTINGS,
        {name: values for name, values in browser.SETTINGS.items() if "notification" in name},
    )  # the news would ask the net; all else as JupyterLab comes
    load = [multiprocessing.Process(target=spin, daemon=True) for _ in range(2)]
    with browser.lab(copy, home) as found:
        for one in load:
            one.start()
        yield found
        for one in load:
            one.kill()
    browser.SETTINGS = every


def shift_enter(page):
    """Every cell in turn, as a reader does it, waiting for none."""
    page.locator(".jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Home")
    for _ in range(page.locator(".jp-Cell").count()):
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(300)
    end = 0
    while end < 3000 and (end == 0 or "*" in browser.prompts(page)):
        page.wait_for_timeout(200)
        end += 1


def drawn(page) -> list[dict]:
    """What each live picture shows, when all are drawn or 20 s have gone by."""
    for _ in range(100):
        seen = page.locator(PLATE).evaluate_all(STATE)
        if all(whole(one) for one in seen):
            break
        page.wait_for_timeout(200)
    return seen


def whole(one: dict) -> bool:
    return bool(one["drawn"] or one["bare"]) and one["state"] == "ready" and not one["note"]


PLATE = ".memlib-picture"
HOW = {"all": lambda page: browser.run_all(page, 900), "each": shift_enter}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_live_picture_is_drawn_at_the_first_run_and_moves(address, lesson, how):
    with browser.browser() as (page, asked):
        browser.open_notebook(page, address(lesson.name))
        HOW[how](page)
        browser.unfold(page)
        seen = drawn(page)
        print(f"{lesson.stem}: {len(seen)} live pictures")
        assert seen and all(map(whole, seen)), seen
        cells = page.locator(f".jp-CodeCell:has(.noUi-handle):has({PLATE})")
        for i in range(cells.count()):
            plate, knob = cells.nth(i).locator(PLATE), cells.nth(i).locator(".noUi-handle").first
            knob.scroll_into_view_if_needed()
            knob.focus()
            assert browser.changes(page, plate, lambda: page.keyboard.press("ArrowRight")), f"the knob of picture {i}"
            drawn(page)
            plate.scroll_into_view_if_needed()
            browser.shoot(page, f"{lesson.stem}-{how}-live-{i:02}")
    assert asked == []


def test_a_page_without_plotly_asks_the_kernel_for_it(address):
    with browser.browser() as (page, asked):
        browser.open_notebook(page, address("01_window.ipynb"))
        page.evaluate("delete globalThis._JUPYTERLAB['jupyterlab-plotly']")
        browser.run_all(page, 900)
        assert all(map(whole, drawn(page)))
    assert asked == []
