"""Arrays in, plotly figures out. Nothing here computes a memory, and nothing shows itself.

Two pictures are never confused: the recipe (what a slot holds: slots x tokens) and the view (what a query
receives: queries x tokens). `film` and `moment` show both, step by step. `alt(fig)` says what a figure shows.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from memlib.film import film, moment
from memlib.ink import (
    HEAT,
    LEFT,
    OKABE_ITO,
    RIGHT,
    SIGNED,
    WIDTH,
    alt,
    array,
    dress,
    label,
    matrix,
    safe,
    ticks,
    token_colors,  # fmt: skip
)

__all__ = ["alt", "bars", "compare", "curves", "film", "keys", "label", "moment", "predict_then", "reach", "recipe",
           "token_colors", "view"]  # fmt: skip

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
ACROSS = WIDTH - LEFT - RIGHT


def recipe(matrix_, tokens, slots=None, title: str = "What each slot holds") -> go.Figure:
    """A recipe [slots, tokens] as a heat map; empty where a slot has nothing of a token."""
    rows = [str(s) for s in (slots if slots is not None else range(len(matrix_)))]
    x = matrix(matrix_, "the recipe", len(tokens))
    held = int((x != 0).any(0).sum())
    says = f"Recipe: {len(x)} slots hold something of {held} of {len(tokens)} tokens. {_strongest(x, tokens, rows, 'slot')}"
    return _heat(x, tokens, rows, "slot (oldest first)", "token", title, says, slots=True)


def view(matrix_, tokens, title: str = "What each query receives") -> go.Figure:
    """A view [queries, tokens] as a heat map; empty where a query receives nothing of a token."""
    x = matrix(matrix_, "the view", len(tokens))
    names = [label(t) for t in tokens]
    rows = names if len(x) == len(names) else [str(i) for i in range(len(x))]
    back = max((i - int(np.flatnonzero(r)[0]) for i, r in enumerate(x) if r.any()), default=0)
    says = f"View: {len(x)} queries, each receiving from tokens at most {back} back. {_strongest(x, tokens, rows, 'query')}"
    return _heat(x, tokens, rows, "query of token", "token", title, says)


def _strongest(x: np.ndarray, tokens, rows: list[str], kind: str) -> str:
    if not x.size or not x.any():
        return "All weights are 0."
    i, j = np.unravel_index(np.abs(x).argmax(), x.shape)
    return f"The greatest weight is {x[i, j]:.2f}: {kind} {i} ('{rows[i]}'), token {j} ('{label(tokens[j])}')."


def _heat(x, tokens, rows, y, across, title, says, slots: bool = False) -> go.Figure:
    names, signed = [label(t) for t in tokens], bool((x < 0).any())
    high = float(np.abs(x).max(initial=0)) or 1.0
    plot = int(np.clip(34 * len(x), 60, 300)) if slots else 300
    fig = go.Figure(go.Heatmap(
        z=np.where(x == 0, np.nan, x).tolist(), colorscale=SIGNED if signed else HEAT, zmin=-high if signed else 0,
        zmax=high, xgap=1, ygap=1 if len(x) < 80 else 0, hoverongaps=False,
        customdata=[[f"{safe(row)} ← {safe(name)}" for name in names] for row in rows],
        hovertemplate="%{customdata}: %{z:.3g}<extra></extra>",
        colorbar={"title": {"text": "weight", "side": "right"}, "outlinewidth": 0, "thickness": 14, "nticks": 5},
    ))  # fmt: skip
    fig.update_xaxes(title=across, mirror=True, showline=True, range=[-0.5, len(names) - 0.5], **ticks(names, ACROSS - 70))
    fig.update_yaxes(title=y, mirror=True, showline=True, range=[len(x) - 0.5, -0.5], **_rows(rows, plot))
    return dress(fig, title, says, plot, 54, right=90)


def _rows(rows: list[str], plot: float) -> dict:
    step = max(1, int(np.ceil(len(rows) * 17 / plot)))
    at = list(range(0, len(rows), step))
    return {"tickvals": at, "ticktext": [safe(rows[i]) for i in at], "showgrid": False}


def curves(lines: dict, x: str = "", y: str = "", log_x: bool = False, spread: dict | None = None, title: str = "") -> go.Figure:
    """Curves {name: (x, y)}, each with a colour, a dash and a mark of its own, and its name at its end.

    spread: {name: (low, high)}, a band around a curve.
    """
    lines = {name: (array(a), array(b)) for name, (a, b) in lines.items()}
    fig = go.Figure()
    for i, (name, (a, b)) in enumerate(lines.items()):
        color = OKABE_ITO[(4, 5, 2, 0, 6, 1)[i % 6]]
        if spread and name in spread:
            low, high = map(array, spread[name])
            fig.add_scatter(x=[*a, *a[::-1]], y=[*high, *low[::-1]], fill="toself", line_width=0, fillcolor=color,
                            opacity=0.2, hoverinfo="skip", mode="lines")  # fmt: skip
        fig.add_scatter(x=a.tolist(), y=b.tolist(), name=safe(name), mode="lines+markers" if len(a) <= 40 else "lines",
                        line={"color": color, "dash": DASHES[i % 6], "width": 3}, marker={"symbol": MARKS[i % 6], "size": 9},
                        hovertemplate="%{x}: %{y:.4g}<extra>%{fullData.name}</extra>")  # fmt: skip
    ends = "; ".join(f"{name} goes from {b[0]:.3g} to {b[-1]:.3g}" for name, (a, b) in lines.items() if len(b))
    says = f"{y or 'y'} against {x or 'x'}: {ends}."
    every = np.concatenate([a for a, _ in lines.values()]) if lines else np.zeros(0)
    fig.update_xaxes(title=safe(x), type="log" if log_x else "linear")
    if log_x and len(set(every)) <= 12:
        fig.update_xaxes(tickvals=sorted(set(every)), ticktext=[f"{v:g}" for v in sorted(set(every))], minor_ticks="")
    fig.update_yaxes(title=safe(y), automargin=True)
    _name_ends(fig, lines, log_x, plot=290)
    right = 24 + max((int(8.2 * len(name)) for name in lines), default=0)
    return dress(fig, title, says[0].upper() + says[1:], 290, right=min(right, 330))


def _name_ends(fig: go.Figure, lines: dict, log_x: bool, plot: int) -> None:
    """The name of each curve behind its last point, none upon another."""
    ends = sorted(((float(b[-1]), float(a[-1]), name) for name, (a, b) in lines.items() if len(b)), reverse=True)
    every = np.concatenate([b[np.isfinite(b)] for _, b in lines.values()]) if lines else np.zeros(1)
    pixels, last = plot / max(float(np.ptp(every)) * 1.12, 1e-12), np.inf
    colors = {trace.name: trace.line.color for trace in fig.data if trace.name}
    for high, far, name in ends:
        place = min(high * pixels, last - 19)
        fig.add_annotation(x=np.log10(far) if log_x else far, y=high, text=safe(name), xanchor="left", xshift=10,
                           yshift=place - high * pixels, showarrow=False, font={"size": 15, "color": colors[safe(name)]})  # fmt: skip
        last = place


def predict_then(x, sketch, measured, x_title: str = "", y: str = "", log_x: bool = False, title: str = "") -> go.Figure:
    """The curve somebody sketched beside the one that was measured."""
    lines = {"your sketch": (x, sketch)} | ({} if measured is None else {"measured": (x, measured)})
    return curves(lines, x_title, y, log_x, title=title or "Sketched and measured")


def bars(values: dict, y: str = "", title: str = "", log: bool = False) -> go.Figure:
    """What each costs: {name: number}, one bar a name with its number printed at its end."""
    names, numbers = list(values), array(list(values.values()))
    text = [f"{v:,.4g}" if abs(v) < 1e5 else f"{v:,.0f}" for v in numbers]
    fig = go.Figure(go.Bar(
        x=numbers.tolist(), y=list(range(len(names))), orientation="h", text=text, textposition="outside", width=0.62,
        cliponaxis=False, hoverinfo="skip", textfont={"size": 16}, marker_color=[OKABE_ITO[(4, 5, 2, 0, 6, 1)[i % 6]] for i in range(len(names))],
    ))  # fmt: skip
    fig.update_yaxes(tickvals=list(range(len(names))), ticktext=[safe(n) for n in names], range=[len(names) - 0.5, -0.5],
                     automargin=True, tickfont={"size": 15}, showgrid=False)  # fmt: skip
    fig.update_xaxes(title=safe(y), type="log" if log else "linear", nticks=6)
    says = f"{y or 'Cost'}: " + "; ".join(f"{name} {t}" for name, t in zip(names, text, strict=True)) + "."
    return dress(fig, title, says[0].upper() + says[1:], 46 * len(names) + 10, right=90)


def keys(q, k, v=None, tokens=None, title: str = "Real tensors of one head") -> go.Figure:
    """q, k and v of one head, [positions, channels] each, as small heat maps side by side."""
    parts = {n: matrix(a, n) for n, a in (("q: what each asks", q), ("k: what each is found by", k), ("v: what each gives", v)) if a is not None}
    fig = make_subplots(1, len(parts), subplot_titles=list(parts), horizontal_spacing=0.05)
    names = [label(t) for t in tokens] if tokens is not None else [str(i) for i in range(len(next(iter(parts.values()))))]
    for i, a in enumerate(parts.values(), 1):
        high = float(np.abs(a).max(initial=0)) or 1.0
        fig.add_heatmap(z=a.round(3).tolist(), colorscale=SIGNED, zmin=-high, zmax=high, showscale=False, row=1, col=i,
                        hovertemplate="position %{y}, channel %{x}: %{z}<extra></extra>")  # fmt: skip
        fig.update_xaxes(title="channel", row=1, col=i)
        fig.update_yaxes(range=[len(names) - 0.5, -0.5], row=1, col=i, **(_rows(names, 280) if i == 1 else {"showticklabels": False}))
    fig.update_yaxes(title="token", row=1, col=1)
    says = "; ".join(f"{n[0]} {a.shape[0]} positions × {a.shape[1]} channels, from {a.min():.2g} to {a.max():.2g}" for n, a in parts.items())
    return dress(fig, title, f"Blue is below zero, orange above: {says}.", 280)


def reach(grid, tokens, layers=None, title: str = "How far back influence reaches") -> go.Figure:
    """How strongly each token is felt in each layer, [layers, tokens]: a heat map of powers of ten, empty at 0."""
    x = np.abs(matrix(grid, "the grid", len(tokens)))
    rows = [str(name) for name in layers] if layers is not None else [f"layer {i}" for i in range(len(x))]
    x = np.where(x > 1e-12, x, np.nan)
    back = [x.shape[1] - int(np.flatnonzero(~np.isnan(r))[0]) if (~np.isnan(r)).any() else 0 for r in x]
    says = "Tokens felt at the last position: " + "; ".join(f"{n}: {b}" for n, b in zip(rows, back, strict=True)) + "."
    names, plot = [label(t) for t in tokens], int(np.clip(44 * len(x), 90, 280))
    fig = go.Figure(go.Heatmap(z=np.log10(x).tolist(), colorscale=HEAT, xgap=1, ygap=2, hoverongaps=False,
                               hovertemplate="token %{x}: 10^%{z:.1f}<extra></extra>",
                               colorbar={"title": {"text": "power of ten", "side": "right"}, "thickness": 14, "outlinewidth": 0, "nticks": 5}))  # fmt: skip
    fig.update_xaxes(title="token that was changed", mirror=True, showline=True, range=[-0.5, len(names) - 0.5], **ticks(names, ACROSS - 200))
    fig.update_yaxes(mirror=True, showline=True, range=[len(x) - 0.5, -0.5], automargin=True, **_rows(rows, plot))
    return dress(fig, title, says, plot, 54, right=90)


def compare(yours, target, tokens, title: str = "Yours and the target") -> go.Figure:
    """Two recipes (or views) side by side, the first cell that differs in a box."""
    parts = {"yours": matrix(yours, "yours", len(tokens)), "target": matrix(target, "target", len(tokens))}
    rows, high = max(len(a) for a in parts.values()), max(1e-9, *(np.abs(a).max(initial=0) for a in parts.values()))
    off, says = _first_difference(*parts.values(), tokens)
    fig, names = make_subplots(1, 2, subplot_titles=list(parts), horizontal_spacing=0.08), [label(t) for t in tokens]
    for i, a in enumerate(parts.values(), 1):
        text = [[f"{v:.2g}" if v else "" for v in row] for row in a] if len(names) <= 12 else None
        fig.add_heatmap(z=np.where(a == 0, np.nan, a).tolist(), colorscale=SIGNED if (a < 0).any() else HEAT, zmax=high, row=1, col=i,
                        zmin=-high if (a < 0).any() else 0, xgap=1, ygap=1, showscale=False, text=text, texttemplate="%{text}",
                        hovertemplate="row %{y}, token %{x}: %{z}<extra></extra>")  # fmt: skip
        fig.update_xaxes(row=1, col=i, mirror=True, showline=True, range=[-0.5, len(names) - 0.5], **ticks(names, ACROSS / 2))
        fig.update_yaxes(row=1, col=i, mirror=True, showline=True, range=[rows - 0.5, -0.5], **_rows([str(r) for r in range(rows)], 240))
        if off:
            fig.add_shape(type="rect", x0=off[1] - 0.5, x1=off[1] + 0.5, y0=off[0] - 0.5, y1=off[0] + 0.5, row=1, col=i,
                          line={"color": OKABE_ITO[5], "width": 4})  # fmt: skip
    fig.update_yaxes(title="slot", row=1, col=1)
    return dress(fig, title, says, int(np.clip(40 * rows, 90, 240)), 34)


def _first_difference(yours: np.ndarray, target: np.ndarray, tokens) -> tuple[tuple[int, int] | None, str]:
    for s in range(max(len(yours), len(target))):
        if s >= min(len(yours), len(target)):
            return (s, 0), f"Yours has {len(yours)} rows, the target {len(target)}."
        for i in np.flatnonzero(~np.isclose(yours[s], target[s], rtol=1e-5, atol=1e-8)):
            said = f"First difference: row {s}, token {i} ('{label(tokens[i])}') has {yours[s, i]:.2f}, expected {target[s, i]:.2f}."
            return (s, int(i)), said
    return None, "Yours and the target are the same."
