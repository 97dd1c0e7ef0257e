"""The film of one fact: its bytes dyed, and what becomes of the dye while the text goes on. Used as `draw.dye`.

Above the text as far as it has been read, the fact as strong as the slots still hold it; below the two curves:
what is left in the slots (the recipe) and how much of its attention each byte gives to the fact (the view).
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib import ink
from memlib.film import playing

FRAMES = 60  # at most; a longer text moves several bytes a frame
COLUMNS = 84  # bytes a line of text
LINES = 6  # the newest lines are shown; the fact's own line stays on top
DASHES = ("dash", "dot", "dashdot")
COLORS = [ink.OKABE_ITO[i] for i in (4, 2, 6)]


def dye(held, seen, text: str, span: tuple[int, int], title: str = "The fact's dye", after: str = "") -> go.Figure:
    """The fact's way through a memory, byte by byte; plays without a kernel.

    held: [layers, bytes], how much of the fact the slots still hold, 1: all of it; seen: [layers, bytes], the
    share of each byte's attention that goes to the fact; text: what was read; span: (start, end) of the fact in
    it; after: what to print behind the text at the last step, the model's answer.
    Raises ValueError where the sizes do not fit the text.
    """
    fig, left, seen = _still(held, seen, text, span, title, after)
    n, caption = len(text), list(fig.layout.annotations)[:-1]
    at = _frames(n, span)
    frames = [
        go.Frame(
            data=_curves(left, seen, at, t), name=str(t),
            layout={"annotations": [*caption, _text(text, span, left, t, after if t == n - 1 else "")]},
        )
        for t in at
    ]  # fmt: skip
    playing(fig, frames, [f"byte {t}: {left[t]:.0%} of the fact is left" for t in at])
    return fig.update_layout(sliders=[{"active": len(at) - 1}])


def dyed(held, seen, text: str, span: tuple[int, int], title: str = "The fact's dye", after: str = "") -> go.Figure:
    """The last picture of `dye` alone, without a film: for a knob."""
    return _still(held, seen, text, span, title, after, bottom=30)[0]


def _frames(n: int, span: tuple[int, int]) -> list[int]:
    return sorted({*np.linspace(0, n - 1, min(FRAMES, n)).round().astype(int).tolist(), span[1] - 1})


def _still(held, seen, text: str, span: tuple[int, int], title: str, after: str, bottom: int = 104):
    n = len(text)
    held, seen = ink.matrix(held, "held", n), ink.matrix(seen, "seen", n)
    left = held.mean(0)
    fig = go.Figure(_curves(left, seen, _frames(n, span), n - 1))
    says = (f"Of the fact {text[slice(*span)]!r} the slots hold {left[span[1] - 1]:.0%} when it has been read and "
            f"{left[-1]:.0%} at the end; the last byte gives {seen[:, -1].max():.0%} of its attention to it "
            f"(the strongest layer).")  # fmt: skip
    ink.dress(fig, title, says, 330, bottom)
    fig.add_annotation(_text(text, span, left, n - 1, after))
    fig.update_layout(
        xaxis={"range": [0, n], "showgrid": False, "ticksuffix": " bytes"}, showlegend=True,
        yaxis={"range": [-0.03, 1.08], "domain": [0, 0.5], "tickformat": ".0%", "gridcolor": ink.LINE},
        legend={"orientation": "h", "x": 0, "y": 0.52, "yanchor": "bottom"},
    )  # fmt: skip
    return fig, left, seen


def _curves(left, seen, at: list[int], now: int) -> list[go.Scatter]:
    x = [t for t in at if t <= now]
    lines = [go.Scatter(x=x, y=left[x].round(4), name="left in the slots", mode="lines",
                        line={"color": ink.OKABE_ITO[5], "width": 4})]  # fmt: skip
    for layer, row in enumerate(seen):
        line = {"color": COLORS[layer % 3], "width": 2, "dash": DASHES[layer % 3]}
        name = f"attention to it, layer {layer}"
        lines.append(go.Scatter(x=x, y=row[x].round(4), name=name, mode="lines", line=line))
    return lines


def _text(text: str, span: tuple[int, int], left, now: int, after: str) -> dict:
    """The text up to `now` in lines; the fact coloured as strongly as it is held."""
    strong = float(np.clip(left[now] if now >= span[1] else 1.0, 0, 1))
    rgb = ",".join(str(int(ink.OKABE_ITO[5][i : i + 2], 16)) for i in (1, 3, 5))
    lines = []
    for start, stop in _lines(text[: now + 1]):
        a, b = (min(max(edge, start), stop) for edge in span)
        fact = f'<b><span style="color:rgba({rgb},{0.4 + 0.6 * strong:.2f})">{_plain(text[a:b])}</span></b>'
        fact = "" if a == b else fact if strong > 0.005 else f"<s>{fact}</s>"  # struck out: nothing is left
        lines.append((_plain(text[start:a]) + fact + _plain(text[b:stop]), bool(fact)))
    lines[-1] = (lines[-1][0] + ("▌" if not after else f" <b>{_plain(after)}</b>"), lines[-1][1])
    while len(lines) > LINES:  # the fact's lines stay; of the others the oldest go
        lines.pop(next((i for i, line in enumerate(lines) if not line[1]), 0))
    return {"text": "<br>".join(line for line, _ in lines), "x": 0, "y": 1, "xref": "paper", "yref": "paper",
            "xanchor": "left", "yanchor": "top", "align": "left", "showarrow": False,
            "font": {"family": "monospace", "size": 15, "color": ink.INK}}  # fmt: skip


def _lines(text: str) -> list[tuple[int, int]]:
    """Where lines of at most COLUMNS begin and end, broken behind a blank where there is one."""
    cuts = [0]
    while cuts[-1] + COLUMNS < len(text):
        blank = text.rfind(" ", cuts[-1], cuts[-1] + COLUMNS)
        cuts.append(blank + 1 if blank > cuts[-1] else cuts[-1] + COLUMNS)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _plain(text: str) -> str:
    return ink.safe(text.replace("\n", "↵"))
