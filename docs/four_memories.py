"""Makes docs/four_memories.gif, the film at the top of the README: `python docs/four_memories.py`.

Chromium draws every frame of the film that opens chapter 00, ImageMagick's `convert` puts them together.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs

from memlib import course

ONE, LAST = "14", "500"  # hundredths of a second: a frame, and the answers


def frames(film: go.Figure) -> list[go.Figure]:
    """The pictures of a film, without its controls."""
    film.layout.sliders = film.layout.updatemenus = None
    film.update_layout(paper_bgcolor="white", plot_bgcolor="white", width=820)
    pictures = []
    for frame in film.frames:
        one = go.Figure(frame.data, film.layout)
        one.update_layout(annotations=frame.layout.annotations, height=420, margin={"b": 30})
        pictures.append(one)
    return pictures


def gif(pictures: list[go.Figure], to: Path) -> None:
    """An animated image of the pictures, the last one resting."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 840, "height": 600})
        page.set_content(f"<script>{get_plotlyjs()}</script><body style='margin:0'><div id=film></div></body>")
        for i, picture in enumerate(pictures):
            page.evaluate(f"Plotly.react('film', {picture.to_json()})")
            page.screenshot(path=f"{folder}/{i:03}.png", clip={"x": 0, "y": 0, "width": 830, "height": 430})
        browser.close()
        drawn = sorted(map(str, Path(folder).glob("*.png")))
        each = ["-delay", ONE, *drawn[:-1], "-delay", LAST, drawn[-1]]
        subprocess.run(["convert", *each, "-loop", "0", "-layers", "Optimize", to], check=True)


gif(frames(course.here("00").four_memories()), Path(__file__).with_suffix(".gif"))
