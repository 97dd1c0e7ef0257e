"""Palette, sizes and the sentence beneath: what every figure of `draw` wears.

A token has one colour in every picture, and its own label is printed with it. Backgrounds are clear and the
ink is a grey that reads on white and on JupyterLab's dark theme alike.
"""

from __future__ import annotations

import html
import textwrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, sample_colorscale

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
INK = "#7A7A7A"  # contrast above 4 on white and on #111111
LINE = "rgba(128,128,128,0.35)"
CLEAR = "rgba(0,0,0,0)"
HEAT = sample_colorscale("Cividis", [0.15 + 0.85 * i / 9 for i in range(10)])  # without the blue that is black
SIGNED = [[0, OKABE_ITO[4]], [0.5, "rgba(128,128,128,0.1)"], [1, OKABE_ITO[0]]]  # blue below 0, orange above
COLORS = [OKABE_ITO[i] for i in (4, 5, 2, 0, 6, 1)]  # of curves and bars
WIDTH, LEFT, RIGHT, TOP = 820, 56, 20, 42  # of JupyterLab on a projector, 1280 pixels with its side bar, 831 are left
ACROSS = WIDTH - LEFT - RIGHT  # pixels for what is drawn
SHOWN = {"\n": "↵", " ": "␣", "\t": "⇥", "\r": "␍", "": "∅"}


def token_colors(n: int) -> list[str]:
    """One colour a token: the seven of Okabe and Ito, then their light, then their dark shades.

    >>> token_colors(2)
    ['#E69F00', '#56B4E9']
    """
    shades = [_mix(c, to, share) for to, share in ((255, 0.0), (255, 0.55), (0, 0.4)) for c in OKABE_ITO]
    return [shades[i % len(shades)] for i in range(n)]


def label(token) -> str:
    """A token as it is printed: blanks made visible."""
    text = token.decode(errors="replace") if isinstance(token, bytes) else str(token)
    return SHOWN.get(text, text)


def safe(text: str) -> str:
    """Text in which plotly finds no markup and no formula."""
    return html.escape(str(text), quote=False).replace("$", "&#36;")


def alt(fig: go.Figure) -> str:
    """What the figure shows, in words."""
    layout: Any = fig.layout
    return layout.meta["alt"]


def _mix(color: str, to: int, share: float) -> str:
    return "#" + "".join(f"{round(c + share * (to - c)):02X}" for c in hex_to_rgb(color))


def over(color: str) -> str:
    """Black or white, whichever reads on the colour."""
    r, g, b = hex_to_rgb(color)
    return "#000000" if 0.299 * r + 0.587 * g + 0.114 * b > 110 else "#FFFFFF"


def array(x) -> np.ndarray:
    """Anything with numbers, tensors of any device too and lists of them, as a float array."""
    if isinstance(x, (list, tuple)) and any(hasattr(part, "detach") for part in x):
        x = [array(part) for part in x]
    return np.asarray(x.detach().cpu().double() if hasattr(x, "detach") else x, dtype=float)  # pyright: ignore


def matrix(x, what: str, columns: int | None = None) -> np.ndarray:
    """The same with two sizes, or a sentence on what came instead."""
    x = array(x)
    if x.ndim != 2 or (columns is not None and x.shape[1] != columns):
        wanted = "two sizes" if columns is None else f"one column for each of the {columns} tokens"
        raise ValueError(f"{what} must have {wanted}, got shape {list(x.shape)}")
    return x


def ticks(labels: list[str], pixels: float) -> dict:
    """Labels at every place, or at every second, third ... where they would run into each other."""
    wide = 7 + 9 * max((len(text) for text in labels), default=1)
    step = max(1, int(np.ceil(len(labels) * wide / pixels)))
    at = list(range(0, len(labels), step))
    return {"tickvals": at, "ticktext": [safe(labels[i]) for i in at], "tickangle": 0, "showgrid": False}


def row_ticks(labels: list[str], pixels: float) -> dict:
    """The same for labels one below the other, the first on top."""
    at = list(range(0, len(labels), max(1, int(np.ceil(len(labels) * 17 / pixels)))))
    said = {"tickvals": at, "ticktext": [safe(labels[i]) for i in at], "showgrid": False}
    return said | {"range": [len(labels) - 0.5, -0.5], "mirror": True, "showline": True}


def written(v: float) -> str:
    """A number as one would write it."""
    return f"{v:,.0f}" if abs(v) >= 1e4 else f"{v:,.4g}"


def dress(
    fig: go.Figure,
    title: str,
    says: str,
    plot: int,
    bottom: int = 52,
    left: int = LEFT,
    right: int = RIGHT,
    top: int = TOP,
) -> go.Figure:
    """Title above, `plot` pixels of picture, `bottom` pixels for its axis, the sentence beneath."""
    lines = textwrap.wrap(says, 106)
    under = bottom + 20 * len(lines) + 8
    fig.update_layout(
        template="none",
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"size": 14, "color": INK},
        bargap=0.08,
        title={"text": safe(title), "x": LEFT / WIDTH, "y": 1, "yanchor": "top", "pad": {"t": 10}, "font_size": 18},
        width=WIDTH,
        height=top + plot + under,
        showlegend=False,
        meta={"alt": says},
        dragmode=False,
        margin={"l": left, "r": right, "t": top, "b": under},
        hoverlabel={"font": {"size": 14}},
        modebar={"remove": ["select", "lasso", "sendChartToCloud"], "bgcolor": CLEAR, "color": INK, "activecolor": INK},
    )
    for update in (fig.update_xaxes, fig.update_yaxes):
        update(gridcolor=LINE, zeroline=False, linecolor=LINE, tickcolor=LINE, fixedrange=True)
        update(title_standoff=8, title_font_size=15)
    fig.add_annotation(
        text="<br>".join(map(safe, lines)),
        name="alt",
        showarrow=False,
        font={"size": 14},
        align="left",
        x=0,
        xref="paper",
        xanchor="left",
        xshift=LEFT - left,
        y=0,
        yref="paper",
        yanchor="bottom",
        yshift=6 - under,
    )
    return fig
