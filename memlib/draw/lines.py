"""Curves, each with its name at its end; a sketch and what was measured."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


def curves(
    lines: dict, x: str = "", y: str = "", log_x: bool = False, spread: dict | None = None, title: str = ""
) -> go.Figure:
    """Curves {name: (x, y)}, each with a colour, a dash and a mark of its own, and its name at its end.

    spread: {name: (low, high)}, a band around a curve.
    """
    lines = {name: (style.array(a), style.array(b)) for name, (a, b) in lines.items()}
    fig, plot = go.Figure(), 290
    for i, (name, (a, b)) in enumerate(lines.items()):
        color = style.COLORS[i % 6]
        if spread and name in spread:
            low, high = map(style.array, spread[name])
            fig.add_trace(_band(a, low, high, color))
        fig.add_scatter(
            x=a.tolist(),
            y=b.tolist(),
            name=style.safe(name),
            mode="lines+markers" if len(a) <= 40 else "lines",
            line={"color": color, "dash": DASHES[i % 6], "width": 3},
            marker={"symbol": MARKS[i % 6], "size": 9},
            hovertemplate="%{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
        )
    fig.update_xaxes(title=style.safe(x), **_places(lines, log_x))
    fig.update_yaxes(title=style.safe(y))
    for note in _names_at_ends(lines, log_x, plot):
        fig.add_annotation(note)
    ends = [
        f"{name} goes from {style.written(b[0])} to {style.written(b[-1])}" for name, (_, b) in lines.items() if len(b)
    ]
    says = f"{y or 'y'} against {x or 'x'}: {'; '.join(ends)}."
    right = 24 + max((int(8.4 * len(name)) for name in lines), default=0)
    return style.dress(fig, title, says[:1].upper() + says[1:], plot, left=76, right=min(right, 330))


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str) -> go.Scatter:
    return go.Scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        line_width=0,
        fillcolor=color,
        opacity=0.2,
        hoverinfo="skip",
        mode="lines",
    )


def _places(lines: dict, log: bool) -> dict:
    """An axis just as long as the curves; a logarithmic one names the places measured, where they are few."""
    at = sorted({float(v) for a, _ in lines.values() for v in a}) or [1.0]
    low, high = (float(v) for v in np.log10([at[0], at[-1]])) if log else (at[0], at[-1])
    more = 0.02 * ((high - low) or 1.0)
    named = {"tickvals": at, "ticktext": [f"{v:g}" for v in at]} if log and len(at) <= 12 else {}
    return {"type": "log" if log else "linear", "range": [low - more, high + more], **named}


def _names_at_ends(lines: dict, log_x: bool, plot: int) -> list[dict]:
    """The name of each curve behind its last point, none upon another."""
    ends = [(float(b[-1]), float(a[-1]), i, name) for i, (name, (a, b)) in enumerate(lines.items()) if len(b)]
    every = np.concatenate([b[np.isfinite(b)] for _, b in lines.values()] or [np.zeros(1)])
    scale, last, places = plot / max(float(np.ptp(every)) * 1.12, 1e-12), np.inf, []
    ends = sorted(ends, reverse=True)
    for high, *_ in ends:  # down from the highest, each below the one before ...
        last = min(high * scale, last - 19)
        places.append(last)
    last = every.min() * scale - 19
    for i in reversed(range(len(places))):  # ... and up again, where they have run out of the picture
        last = places[i] = max(places[i], last + 19)
    return [
        {
            "x": np.log10(far) if log_x else far,
            "y": high,
            "text": style.safe(name),
            "xanchor": "left",
            "xshift": 10,
            "yshift": place - high * scale,
            "showarrow": False,
            "font": {"size": 15, "color": style.COLORS[i % 6]},
        }
        for (high, far, i, name), place in zip(ends, places, strict=True)
    ]


def predict_then(
    x, sketch, measured=None, x_name: str = "", y: str = "", log_x: bool = False, title: str = ""
) -> go.Figure:
    """The curve somebody sketched, and the measured one beside it as soon as it is given."""
    lines = {"your sketch": (x, sketch)} | ({} if measured is None else {"measured": (x, measured)})
    return curves(lines, x_name, y, log_x, title=title or "Sketched and measured")
