"""The film of one fact: its bytes dyed, and what becomes of the dye while the text goes on. Used as `draw.dye`.

Above the text as far as it has been read, the fact as strong as the slots still hold it; below the two curves:
what is left in the slots (the recipe) and how much of its attention each byte gives to the fact (the view).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, playing

FRAMES = 48  # at most; a longer text moves several bytes a frame
COLUMNS = 78  # bytes a line of text
LINES = 6  # the newest lines are shown; the fact's own line stays on top
DASHES = ("dash", "dot", "dashdot")
COLORS = [style.OKABE_ITO[i] for i in (4, 2, 6)]


def dye(
    recipe_dye,
    view_dye,
    text: str,
    span: tuple[int, int],
    title: str = "Where the fact's dye goes",
    after: str = "",
    still: bool = False,
) -> go.Figure:
    """A fact's way through a memory, byte by byte; plays without a kernel (still: the last picture alone).

    recipe_dye: [layers, bytes], how much of the fact the slots still hold, 1: all of it; None where that cannot
    be told. view_dye: [layers, bytes], the share of each byte's attention that goes to the fact, or None: then
    the text stands alone (a network mixes its values; its picture is `draw.influence`). text: what was
    read; span: (start, end) of the fact in its bytes; after: what stands behind the text at the last step, the
    model's answer. Raises ValueError where the sizes do not fit the text.
    """
    letters = [bytes([b]).decode("ascii", "replace") for b in text.encode()]  # one place a byte
    n = len(letters)
    seen = np.zeros((0, n)) if view_dye is None else style.matrix(view_dye, "view_dye", n)
    left = None if recipe_dye is None else style.matrix(recipe_dye, "recipe_dye", n).mean(0)
    at = sorted({*np.linspace(0, n - 1, min(FRAMES, n)).round().astype(int).tolist(), span[1] - 1})
    fig = go.Figure(_curves(left, seen, at, n - 1))
    style.dress(fig, title, _says(left, seen, text, span), 320, 30 if still else CONTROLS)
    layout: Any = fig.layout
    caption = list(layout.annotations)
    low = min(-0.03, 1.1 * float(seen.min(initial=0)))  # a delta rule gives weights below 0
    fig.add_annotation(_text(letters, span, left, n - 1, after))
    fig.update_layout(
        xaxis={"range": [0, n], "showgrid": False, "ticksuffix": " bytes"},
        showlegend=True,
        yaxis={"range": [low, 1.08], "domain": [0, 0.5], "tickformat": ".0%", "gridcolor": style.LINE},
        legend={"orientation": "h", "x": 0, "y": 0.52, "yanchor": "bottom"},
    )
    if not len(fig.data):
        fig.update_layout(showlegend=False, xaxis_visible=False, yaxis_visible=False, height=240)
    if still:
        return fig
    frames = [
        go.Frame(
            data=[{"type": "scatter", "x": curve.x, "y": curve.y} for curve in _curves(left, seen, at, t)],
            name=str(t),
            layout={"annotations": [*caption, _text(letters, span, left, t, after if t == n - 1 else "")]},
        )
        for t in at
    ]
    return playing(fig, frames, [f"byte {t}{_left(left, t, span)}" for t in at])


def _left(left, t: int, span: tuple[int, int]) -> str:
    """What the slider says of the fact at byte t."""
    if t < span[1] - 1:
        return ": the fact is not read yet" if t < span[0] else ": the fact is being read"
    return "" if left is None else f": {left[t]:.0%} of the fact is left"


def _says(left, seen, text: str, span: tuple[int, int]) -> str:
    fact = text.encode()[slice(*span)].decode(errors="replace")
    held = (
        ""
        if left is None
        else (f"the slots hold {left[span[1] - 1]:.0%} when it has been read and {left[-1]:.0%} at the end; ")
    )
    if not len(seen):
        return (
            f"The fact {fact!r} and what followed. This memory mixes its values: what it stores of them cannot be told."
        )
    gets = f"the last byte gives {seen[:, -1].max():.0%} of its attention to it (the strongest layer)"
    return f"Of the fact {fact!r} {held}{gets}."


def _curves(left, seen, at: list[int], now: int) -> list[go.Scatter]:
    """The curves as far as `now`: always of as many points, so that they grow from step to step, each behind a dot."""
    x = np.minimum(at, now).astype(np.int16)
    lines, heads = [], []
    if left is not None:
        line = {"color": style.OKABE_ITO[5], "width": 4, "simplify": False}
        lines.append(go.Scatter(x=x, y=_short(left[x]), name="still stored", mode="lines", line=line))
        heads.append((left[now], style.OKABE_ITO[5]))
    for layer, row in enumerate(seen):
        line = {"color": COLORS[layer % 3], "width": 2, "dash": DASHES[layer % 3], "simplify": False}
        name = f"attention to it, layer {layer}"
        lines.append(go.Scatter(x=x, y=_short(row[x]), name=name, mode="lines", line=line))
        heads.append((row[now], COLORS[layer % 3]))
    if not lines:
        return lines
    dots = {"color": [color for _, color in heads], "size": 9}
    high = _short(np.array([v for v, _ in heads]))
    head = {"mode": "markers", "marker": dots, "showlegend": False, "hoverinfo": "skip", "cliponaxis": False}
    return [*lines, go.Scatter(x=[now] * len(heads), y=high, **head)]


def _short(values: np.ndarray) -> np.ndarray:
    return values.round(4).astype(np.float32)


def _text(letters: list[str], span: tuple[int, int], left, now: int, after: str) -> dict:
    """The text up to `now` in lines; the fact coloured as strongly as it is held."""
    text = "".join(letters)
    strong = 1.0 if left is None or now < span[1] else float(np.clip(left[now], 0, 1))
    rgb = ",".join(str(int(style.OKABE_ITO[5][i : i + 2], 16)) for i in (1, 3, 5))
    lines = []
    for start, stop in _lines(text[: now + 1]):
        a, b = (min(max(edge, start), stop) for edge in span)
        fact = f'<b><span style="color:rgba({rgb},{0.4 + 0.6 * strong:.2f})">{_plain(text[a:b])}</span></b>'
        fact = "" if a == b else fact if strong > 0.005 else f"<s>{fact}</s>"  # struck out: nothing is left
        lines.append((_plain(text[start:a]) + fact + _plain(text[b:stop]), bool(fact)))
    lines[-1] = (lines[-1][0] + ("▌" if not after else f" <b>{_plain(after)}</b>"), lines[-1][1])
    while len(lines) > LINES:  # the fact's lines stay; of the others the oldest go, and the line behind them says so
        at = next((i for i, line in enumerate(lines[:-1]) if not line[1]), 0)
        lines[at : at + 2] = [("… " + lines[at + 1][0].removeprefix("… "), lines[at + 1][1])]
    return {
        "text": "<br>".join(line for line, _ in lines),
        "x": 0,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "align": "left",
        "showarrow": False,
        "font": {"family": "monospace", "size": 15, "color": style.INK},
    }


def _lines(text: str) -> list[tuple[int, int]]:
    """Where lines of at most COLUMNS begin and end, broken behind a blank where there is one."""
    cuts = [0]
    while cuts[-1] + COLUMNS < len(text):
        blank = text.rfind(" ", cuts[-1], cuts[-1] + COLUMNS)
        cuts.append(blank + 1 if blank > cuts[-1] else cuts[-1] + COLUMNS)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _plain(text: str) -> str:
    return style.safe(text.replace("\n", "↵"))
