"""A still beside each stored film: what GitHub, nbviewer and nbconvert show, where no script runs."""

from __future__ import annotations

import html
import json

from memlib.course import paths

PLOTLY, HTML = "application/vnd.plotly.v1+json", "text/html"
AS = {"format": "webp", "width": None, "height": None, "scale": 1.25}  # a third of the bytes of a PNG
MOST = 80_000  # letters of one still
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def add_stills(outputs: list) -> None:
    """Draw each plotly output as it rests, without its controls, and keep the picture beside it."""
    with_pictures = [output for output in outputs if PLOTLY in output.get("data", {})]
    figures = [output.data[PLOTLY] for output in with_pictures]
    for output, picture in zip(with_pictures, _drawn(figures), strict=True):
        if len(picture) > MOST:
            raise paths.CourseError(f"a film's still takes {len(picture):,} letters, at most {MOST:,}")
        said = html.escape(output.data[PLOTLY]["layout"].get("meta", {}).get("alt", ""))
        output.data[HTML] = f'<img alt="{said}" src="{picture}">'


def _drawn(figures: list[dict]) -> list[str]:
    """Addresses that hold the pictures of figures, on a clear ground, drawn by the machine's Chromium."""
    try:
        from playwright.sync_api import sync_playwright
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise paths.CourseError("a film needs a still: pip install -c constraints.txt playwright") from None
    chromium = paths.chromium()
    if chromium is None:
        raise paths.CourseError("a film needs a still, drawn by Chromium, which is not here: sudo apt install chromium")
    pictures = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 900, "height": 1000})
        page.set_content(f"<script>{get_plotlyjs()}</script><body style='margin:0'></body>")
        for figure in figures:
            layout = {key: x for key, x in figure["layout"].items() if key not in ("sliders", "updatemenus")}
            still = json.dumps({"data": figure["data"], "layout": layout})
            pictures.append(page.evaluate(f"Plotly.toImage({still}, {json.dumps(AS)})"))
        browser.close()
    return pictures
