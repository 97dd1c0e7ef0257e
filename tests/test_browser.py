"""Lessons in JupyterLab in a real browser, offline: films play, knobs move the picture, nothing asks the net.

MEMLIB_BROWSER=all tries every lesson and lets Chromium not be missing; otherwise one short lesson is tried.
"""

import warnings

import browser
import pytest

from memlib.course import variables

EVERY = variables.setting("MEMLIB_BROWSER") == "all"
LESSONS = sorted((browser.ROOT / "notebooks").glob("*.ipynb"))
MISSING = "No lesson was tried in a browser: Chromium is not installed. On Debian: apt-get install -y chromium"


def chromium():
    if browser.CHROMIUM is None:
        if EVERY:
            pytest.fail(MISSING)
        warnings.warn(MISSING, stacklevel=1)  # printed at the end, where a skip is not
        pytest.skip(MISSING)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """What `make course` prints: every lesson is tried in the folder that it opens."""
    chromium()
    with browser.course(tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.mark.parametrize("lesson", LESSONS if EVERY else LESSONS[:1], ids=lambda path: path.stem)
def test_a_lesson_runs_plays_and_turns_offline(address, lesson):
    with browser.browser() as (page, asked):
        browser.open_notebook(page, address.replace(LESSONS[0].name, lesson.name) + "&reset")
        if page.locator(FILM).count():
            film_plays(page, lesson.stem, "untouched")  # as in a fresh clone: no cell has run
        browser.run_all(page)
        films_fit_a_projector(page)
        film_plays(page, lesson.stem, "light")
        knob_turns(page)
        shoot_all(page, lesson.stem, "light")
        browser.menu(page, "Settings", "Theme", "JupyterLab Dark")
        page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
        shoot_all(page, lesson.stem, "dark")
        browser.menu(page, "Settings", "Theme", "JupyterLab Light")  # the server keeps it for the next lesson
    assert asked == []


def test_make_course_opens_a_copy_of_the_first_lesson_without_nbgrader(address):
    with browser.browser() as (page, asked):
        assert f"/lab/tree/lessons/{LESSONS[0].name}?" in address
        browser.open_notebook(page, address)
        menus = page.locator(".lm-MenuBar-item").all_inner_texts()
        assert "Help" in menus and "Nbgrader" not in menus
        assert page.locator(".jp-DirListing-item").count() == len(LESSONS)  # the learner's own folder alone
        browser.shoot(page, "course")
    assert asked == []


FILM = ".js-plotly-plot:has(.updatemenu-button)"
TURNED = ".jp-CodeCell:has(.noUi-handle):has(.js-plotly-plot)"


SIZES = """film => {
    const [drawn, cell, panel] = [film.querySelector('.main-svg'), film.closest('.jp-OutputArea-output'),
                                  film.closest('.jp-WindowedPanel-outer')].map(one => one.getBoundingClientRect())
    return {wide: drawn.width, high: drawn.height, width: cell.width, height: panel.height}
}"""


def films_fit_a_projector(page):
    """1280 x 720 with the side bar open: a film and its controls lie within the cell, and are seen at once."""
    page.set_viewport_size({"width": 1280, "height": 720})
    films = page.locator(FILM)
    assert films.count()
    for i in range(films.count()):
        size = films.nth(i).evaluate(SIZES)
        assert size["wide"] <= size["width"] and size["high"] <= size["height"], size
    page.set_viewport_size({"width": 1366, "height": 768})


def film_plays(page, name, theme):
    film = page.locator(FILM).first
    film.scroll_into_view_if_needed()
    play = film.locator(".updatemenu-button", has_text="play")
    assert browser.changes(page, film, play.click), "play was pressed and the picture stayed the same"
    page.wait_for_timeout(2500)
    film.locator(".updatemenu-button", has_text="pause").click()
    for step in ("◀ step", "step ▶"):
        assert browser.changes(page, film, film.locator(".updatemenu-button", has_text=step).click), step
    browser.shoot(page, f"{name}-{theme}-film")


def knob_turns(page):
    cell = page.locator(TURNED).first
    handle, plot = cell.locator(".noUi-handle").first, cell.locator(".js-plotly-plot").first
    handle.focus()
    at_its_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    key = "ArrowLeft" if at_its_end else "ArrowRight"
    assert browser.changes(page, plot, lambda: page.keyboard.press(key)), "the knob moved and nothing changed"


def shoot_all(page, name, theme):
    """A screenshot of each cell with a picture or a control."""
    cells = page.locator(".jp-CodeCell:has(.jp-OutputArea :is(.js-plotly-plot, .jupyter-widgets))")
    for i in range(cells.count()):
        cells.nth(i).locator(".jp-Cell-outputArea").evaluate("output => output.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(250)
        browser.shoot(page, f"{name}-{theme}-{i:02}")
