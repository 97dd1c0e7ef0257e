"""Where no script runs: each stored film has a still beside it, which every converter shows."""

import html
import json
import re

import nbformat
import plotly.graph_objects as go
import pytest
from browser import CHROMIUM, FLAGS
from nbconvert import HTMLExporter

from memlib.course import paths
from memlib.course.paths import ROOT, CourseError
from memlib.course.write import stills

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def figures(path) -> list[dict]:
    outputs = [o for cell in nbformat.read(path, 4).cells for o in cell.get("outputs", []) if "data" in o]
    return [output.data[stills.PLOTLY] for output in outputs if stills.PLOTLY in output.data]


def converted(path) -> str:
    return HTMLExporter().from_filename(path)[0]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_converted_lesson_shows_a_still_of_every_film(path):
    shown = re.findall(r'<img alt="([^"]*)"[^>]*? src="data:image/webp;base64,[\w+/=]{4000,}"', converted(path))
    assert [html.unescape(said) for said in shown] == [one["layout"]["meta"]["alt"] for one in figures(path)] != []


@pytest.mark.long
def test_a_lesson_printed_as_a_pdf_holds_its_stills(tmp_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_context(java_script_enabled=False, offline=True).new_page()
        for path in LESSONS:
            (tmp_path / "lesson.html").write_text(converted(path), "utf-8")
            page.goto((tmp_path / "lesson.html").as_uri(), wait_until="domcontentloaded")
            widths = page.eval_on_selector_all("img[src^='data:image/webp']", "all => all.map(one => one.naturalWidth)")
            pictures = len(re.findall(rb"/Subtype ?/Image\b", page.pdf()))
            assert len(widths) == len(figures(path)) <= pictures and min(widths) > 500, path.stem
        chromium.close()


def output(figure: go.Figure):
    data = {stills.PLOTLY: json.loads(figure.to_json())}
    return nbformat.v4.new_output("display_data", data=data)


def test_a_still_is_the_picture_at_rest_without_its_controls():
    low, high = (go.Figure(go.Bar(y=[x]), {"width": 400, "height": 300, "meta": {"alt": f"a < {x}"}}) for x in (1, 2))
    for one in (low, high):
        one.update_layout(yaxis_range=[0, 2])
    played = go.Figure(low).update_layout(updatemenus=[{"buttons": [{"label": "play"}]}], sliders=[{}])
    outputs = [output(one) for one in (low, high, played)]
    stills.add_stills(outputs)
    first, second, third = (re.search(r'src="(.*)"', one.data[stills.HTML])[1] for one in outputs)
    assert first != second and first == third and 'alt="a &lt; 1"' in outputs[0].data[stills.HTML]


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(stills, "MOST", 100)
    with pytest.raises(CourseError, match=r"a film's still takes [\d,]+ letters, at most 100"):
        stills.add_stills([output(go.Figure())])
    monkeypatch.setattr(paths, "BROWSERS", ())
    with pytest.raises(CourseError, match="drawn by Chromium, which is not here: sudo apt install chromium"):
        stills.add_stills([output(go.Figure())])
