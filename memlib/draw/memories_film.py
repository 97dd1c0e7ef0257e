"""One fact read by several memories at once: what each still holds, byte by byte, and what it answers.

Used as `draw.memories`.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, playing

FRAMES = 40  # at most; several bytes a frame
ROW, HEAD, COLUMNS = 52, 96, 86  # pixels a memory and for the text above; letters a line of it
NAMES, ANSWERS = 0.18, 0.74  # where bars begin and end, in shares of the width


def memories(
    held: dict, text: str, span: tuple[int, int], says: dict, title: str = "", unit: str = "of the fact"
) -> go.Figure:
    """Does it still know? A row a memory: how much of one fact it holds, and at the end what it answers.

    held: {name: [bytes of the text]}, the share of the fact in the memory after each byte; text: what is read;
    span: (start, end) of the fact in its bytes; says: {name: (answer, whether it is right)}; unit: what stands behind
    a share, where it is another one.
    Raises ValueError where names or sizes do not fit each other.
    """
    letters = [bytes([b]).decode("ascii", "replace") for b in text.encode()]
    n, names = len(letters), list(held)
    shares = style.matrix([style.array(row) for row in held.values()], "held", n).clip(0, 1)
    if names != list(says):
        raise ValueError(f"says must have the names of held, {names}, got {list(says)}")
    at = sorted({*np.linspace(0, n - 1, FRAMES).round().astype(int).tolist(), span[1] - 1})
    fig = go.Figure(_bars(shares, names, n - 1, span, unit))
    top = style.TOP + HEAD
    style.dress(fig, title, _says(shares, says, unit), ROW * len(names), CONTROLS, top=top)
    fig.update_yaxes(
        style.row_ticks(names, 1000) | {"tickfont": {"size": 16}, "mirror": False, "showline": False, "ticks": ""}
    )
    fig.update_xaxes(range=[0, 1], domain=[NAMES, ANSWERS], tickformat=".0%", dtick=0.5, showgrid=False)
    layout: Any = fig.layout
    caption = list(layout.annotations)

    def notes(now: int) -> list:
        answers = says.values() if now == n - 1 else [("", None)] * len(names)
        told = [_answer(said, right, row) for row, (said, right) in enumerate(answers)]
        return [*caption, _text(letters, span, now), *told]

    fig.update_layout(annotations=notes(n - 1))
    frames = [
        go.Frame(data=_bars(shares, names, t, span, unit), name=str(t), layout={"annotations": notes(t)}) for t in at
    ]
    return playing(fig, frames, [f"{t + 1} of {n} bytes read" for t in at])


def _bars(shares: np.ndarray, names: list[str], now: int, span: tuple[int, int], unit: str) -> list[go.Bar]:
    seen = shares[:, now] if now >= span[0] else np.zeros(len(names))
    return [
        go.Bar(
            x=seen.round(4).tolist(),
            y=list(range(len(names))),
            orientation="h",
            width=0.55,
            base=0,
            marker={"color": style.OKABE_ITO[5], "line": {"color": style.INK, "width": 1}},
            text=[f"{x:.0%} {unit}" if now >= span[0] else "" for x in seen],
            textposition=["inside" if x > 0.45 else "outside" for x in seen],
            insidetextanchor="start",
            textfont={"size": 15},
            cliponaxis=False,
            hoverinfo="skip",
        )
    ]


def _answer(said: str, right: bool | None, row: int) -> dict:
    """What a memory answers, behind its bar: a tick or a cross, and the words."""
    return {
        "text": "reads on …" if right is None else f"<b>{'✓' if right else '✗'} “{style.safe(said)}”</b>",
        "x": ANSWERS + 0.02,
        "xref": "paper",
        "y": row,
        "xanchor": "left",
        "showarrow": False,
        "font": {"size": 18, "color": style.OKABE_ITO[2] if right else style.INK, "family": "monospace"},
    }


def _text(letters: list[str], span: tuple[int, int], now: int) -> dict:
    """The text as far as it is read: the fact's own words, and the newest line."""
    whole = "".join(letters).replace("\n", "↵")
    start = whole.find(" ", span[1] + 2 - COLUMNS) + 1 if span[1] > COLUMNS else 0  # the fact lies in the first line
    read = "… " * bool(start) + whole[start : now + 1]
    lines = textwrap.wrap(read, COLUMNS, drop_whitespace=False) or [""]
    low, high = (edge - start + 2 * bool(start) for edge in span)
    told = f'<b><span style="color:{style.OKABE_ITO[5]}">{style.safe(lines[0][low:high])}</span></b>'
    first = style.safe(lines[0][:low]) + told * (len(lines[0]) > low) + style.safe(lines[0][high:])
    rest = lines[1:] if len(lines) <= 3 else [f"… {lines[-2].lstrip()}", lines[-1]]
    return {
        "text": "<br>".join([first, *map(style.safe, rest)]) + "▌",
        "x": 0,
        "xref": "paper",
        "y": 1,
        "yref": "paper",
        "yshift": HEAD - 4,
        "xanchor": "left",
        "yanchor": "top",
        "align": "left",
        "showarrow": False,
        "font": {"family": "monospace", "size": 14, "color": style.INK},
    }


def _says(shares: np.ndarray, says: dict, unit: str) -> str:
    told = [
        f"{name} holds {row[-1]:.0%} {unit} and answers {said!r}, {'right' if right else 'wrong'}"
        for row, (name, (said, right)) in zip(shares, says.items(), strict=True)
    ]
    whole = "; ".join(told) + "."
    return whole[:1].upper() + whole[1:]
