"""Arrays in, plotly figures out. Nothing here computes a memory, and nothing shows itself.

Two pictures are never confused: the recipe (what a slot holds: slots x tokens) and the view (what a query
receives: queries x tokens). `film` and `moment` show both, step by step. `alt(fig)` says what a figure shows.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from memlib import ink
from memlib.dye import dye
from memlib.film import film, moment
from memlib.ink import alt, label, token_colors
from memlib.sheets import matrices
from memlib.space import space

__all__ = [
    "alt",
    "bars",
    "board",
    "compare",
    "curves",
    "dye",
    "film",
    "influence",
    "keys",
    "label",
    "matrices",
    "moment",
    "predict_then",
    "reach",
    "recipe",
    "space",
    "token_colors",
    "view",
]

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
COLORS = [ink.OKABE_ITO[i] for i in (4, 5, 2, 0, 6, 1)]  # of curves and bars
ACROSS = ink.WIDTH - ink.LEFT - ink.RIGHT


def recipe(weights, tokens, slots=None, title: str = "What each slot holds") -> go.Figure:
    """A recipe [slots, tokens] as a heat map; empty where a slot has nothing of a token.

    slots: names for the slots (default: 0, 1, ... oldest first).
    """
    x = ink.matrix(weights, "the recipe", len(tokens))
    names = [str(s) for s in (slots if slots is not None else range(len(x)))]
    says = f"Recipe: {len(x)} slots hold something of {int((x != 0).any(0).sum())} of {len(tokens)} tokens."
    plot = int(np.clip(34 * len(x), 60, 300))
    return _heat(x, tokens, names, "slot (oldest first)", title, f"{says} {_strongest(x, tokens, 'slot')}", plot)


def view(weights, tokens, title: str = "What each query receives") -> go.Figure:
    """A view [queries, tokens] as a heat map; empty where a query receives nothing of a token."""
    x = ink.matrix(weights, "the view", len(tokens))
    names = [label(t) for t in tokens] if len(x) == len(tokens) else [str(i) for i in range(len(x))]
    back = max((i - int(np.flatnonzero(r)[0]) for i, r in enumerate(x) if r.any()), default=0)
    says = f"View: {len(x)} queries, each receiving from tokens at most {back} back."
    return _heat(x, tokens, names, "query of token", title, f"{says} {_strongest(x, tokens, 'query')}", 300)


def influence(norms, tokens, rows=None, title: str = "How strongly each token is felt") -> go.Figure:
    """Norms of Jacobians [rows, tokens] as a heat map: for memories that are not linear in their values.

    rows: names of the rows (default: the tokens, the reads after each of them).
    """
    x = ink.matrix(norms, "the influence", len(tokens))
    names = [str(name) for name in (rows if rows is not None else map(label, tokens))]
    most = (f"'{label(tokens[int(row.argmax())])}', token {row.argmax()}" for row in x)
    felt = "; ".join(f"{name}: {token}" for name, token in zip(names, most, strict=True))
    says = (
        f"Influence. Felt most of {len(tokens)} tokens: {felt}."
        if len(x) <= 6
        else (f"Influence of {len(tokens)} tokens on {len(x)} reads. {_strongest(x, tokens, 'read')}")
    )
    fig = _heat(x, tokens, names, "", title, says, int(np.clip(40 * len(x), 60, 320)))
    left = min(300, max(ink.LEFT, 24 + int(7.6 * max(map(len, names), default=0))))
    fig.update_traces(colorbar_title_text="influence")
    return fig.update_layout(margin={"l": left}).for_each_annotation(lambda note: note.update(xshift=ink.LEFT - left))


def _strongest(x: np.ndarray, tokens, kind: str) -> str:
    if not x.size or not x.any():
        return "All weights are 0."
    i, j = np.unravel_index(np.abs(x).argmax(), x.shape)
    return f"The greatest weight is {x[i, j]:.2f}: {kind} {i}, token {j} ('{label(tokens[j])}')."


def _heat(x: np.ndarray, tokens, names: list[str], y: str, title: str, says: str, plot: int) -> go.Figure:
    across, high, signed = [label(t) for t in tokens], float(np.abs(x).max(initial=0)) or 1.0, bool((x < 0).any())
    fig = go.Figure(
        go.Heatmap(
            z=_blank(x),
            zmin=-high if signed else 0,
            zmax=high,
            colorscale=ink.SIGNED if signed else ink.HEAT,
            xgap=1,
            ygap=1 if len(x) < 80 else 0,
            hoverongaps=False,
            colorbar=_scale("weight"),
            customdata=[[f"{ink.safe(name)} ← {ink.safe(token)}" for token in across] for name in names],
            hovertemplate="%{customdata}: %{z:.3g}<extra></extra>",
        )
    )
    fig.update_xaxes(title="token", **_columns(across, ACROSS - 70))
    fig.update_yaxes(title=y, **ink.rows(names, plot))
    return ink.dress(fig, title, says, plot, 54, right=90)


def _blank(x: np.ndarray) -> list:
    """Nothing where there is nothing, four digits elsewhere."""
    return [[float(f"{v:.4g}") if v else None for v in row] for row in x]


def _columns(names: list[str], pixels: float) -> dict:
    return ink.ticks(names, pixels) | {"range": [-0.5, len(names) - 0.5], "mirror": True, "showline": True}


def _scale(name: str) -> dict:
    return {"title": {"text": name, "side": "right"}, "outlinewidth": 0, "thickness": 14, "nticks": 5}


def curves(
    lines: dict, x: str = "", y: str = "", log_x: bool = False, spread: dict | None = None, title: str = ""
) -> go.Figure:
    """Curves {name: (x, y)}, each with a colour, a dash and a mark of its own, and its name at its end.

    spread: {name: (low, high)}, a band around a curve.
    """
    lines = {name: (ink.array(a), ink.array(b)) for name, (a, b) in lines.items()}
    fig, plot = go.Figure(), 290
    for i, (name, (a, b)) in enumerate(lines.items()):
        color = COLORS[i % 6]
        if spread and name in spread:
            fig.add_trace(_band(a, *map(ink.array, spread[name]), color))
        fig.add_scatter(
            x=a.tolist(),
            y=b.tolist(),
            name=ink.safe(name),
            mode="lines+markers" if len(a) <= 40 else "lines",
            line={"color": color, "dash": DASHES[i % 6], "width": 3},
            marker={"symbol": MARKS[i % 6], "size": 9},
            hovertemplate="%{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
        )
    fig.update_xaxes(title=ink.safe(x), **_places(lines, log_x))
    fig.update_yaxes(title=ink.safe(y))
    for note in _names_at_ends(lines, log_x, plot):
        fig.add_annotation(note)
    ends = [f"{name} goes from {ink.number(b[0])} to {ink.number(b[-1])}" for name, (_, b) in lines.items() if len(b)]
    says = f"{y or 'y'} against {x or 'x'}: {'; '.join(ends)}."
    right = 24 + max((int(8.4 * len(name)) for name in lines), default=0)
    return ink.dress(fig, title, says[:1].upper() + says[1:], plot, left=76, right=min(right, 330))


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
            "text": ink.safe(name),
            "xanchor": "left",
            "xshift": 10,
            "yshift": place - high * scale,
            "showarrow": False,
            "font": {"size": 15, "color": COLORS[i % 6]},
        }
        for (high, far, i, name), place in zip(ends, places, strict=True)
    ]


def predict_then(
    x, sketch, measured=None, x_name: str = "", y: str = "", log_x: bool = False, title: str = ""
) -> go.Figure:
    """The curve somebody sketched, and the measured one beside it as soon as it is given."""
    lines = {"your sketch": (x, sketch)} | ({} if measured is None else {"measured": (x, measured)})
    return curves(lines, x_name, y, log_x, title=title or "Sketched and measured")


def bars(values: dict, y: str = "", title: str = "", log: bool = False, top: float | None = None) -> go.Figure:
    """What each costs, {name: number}: a bar a name, its number printed at its end.

    y: what the numbers are; top: where the axis ends, so that a knob does not move it.
    """
    names, numbers = list(values), ink.array(list(values.values()))
    text, at = [ink.number(v) for v in numbers], list(range(len(names)))
    fig = go.Figure(
        go.Bar(
            x=numbers.tolist(),
            y=at,
            orientation="h",
            text=text,
            textposition="outside",
            width=0.62,
            cliponaxis=False,
            hoverinfo="skip",
            textfont={"size": 16},
            marker={"color": [COLORS[i % 6] for i in at]},
        )
    )
    fig.update_yaxes(tickfont={"size": 15}, **ink.rows(names, 46 * len(names) + 10), ticks="")
    fig.update_yaxes(mirror=False)
    if log:
        low, high = np.log10(numbers[numbers > 0].min()), np.log10(numbers.max())
        fig.update_xaxes(type="log", dtick=1, range=[np.floor(low - 0.1), high + 0.05])
    elif top is not None:
        fig.update_xaxes(range=[min(0.0, float(numbers.min())), top])
    fig.update_xaxes(title=ink.safe(y), nticks=6)
    says = f"{y or 'Cost'}: " + "; ".join(f"{name} {t}" for name, t in zip(names, text, strict=True)) + "."
    left = min(400, 24 + int(8.4 * max(map(len, names), default=0)))
    return ink.dress(fig, title, says[:1].upper() + says[1:], 46 * len(names) + 10, left=left, right=90)


def board(rows: dict, beside: dict | None = None, notes: dict | None = None, title: str = "") -> go.Figure:
    """A table of scores from 0 to 1, {name: {column: score}}, in colours and with its numbers, in the order given.

    beside: rows of the same columns below a gap, which are not ranked; notes: {name: {head: text}} at the right.
    """
    beside, notes = beside or {}, notes or {}
    names = [*rows, *([""] if beside else []), *beside]
    every, heads = rows | beside, list(next(iter((rows | beside).values())))
    more, plot = list(next(iter(notes.values()), {})), 20 * len(names) + 4
    z = [[round(float(every[name][head]), 2) for head in heads] if name else [None] * len(heads) for name in names]
    fig = go.Figure(
        go.Heatmap(
            z=z,
            zmin=0,
            zmax=1,
            colorscale=ink.HEAT,
            xgap=2,
            ygap=2,
            showscale=False,
            hoverongaps=False,
            customdata=[[f"{ink.safe(name)}, {ink.safe(head)}" for head in heads] for name in names],
            hovertemplate="%{customdata}: %{z:.2f}<extra></extra>",
        )
    )
    cells = [(x, y, v) for y, row in enumerate(z) for x, v in enumerate(row) if v is not None]
    fig.add_scatter(
        x=[x for x, _, _ in cells],
        y=[y for _, y, _ in cells],
        text=[f"{v:.2f}" for _, _, v in cells],
        mode="text",
        textfont={"size": 14, "color": ["#000000" if v > 0.4 else "#FFFFFF" for _, _, v in cells]},
        hoverinfo="skip",
    )
    for y, name in enumerate(names):
        for x, head in enumerate(more, len(heads)):
            text = ink.safe(notes.get(name, {}).get(head, ""))
            fig.add_annotation(x=x + 0.15, y=y, text=text, showarrow=False, font={"size": 13})
    fig.update_xaxes(
        side="top",
        tickvals=list(range(len(heads + more))),
        ticktext=list(map(ink.safe, heads + more)),
        tickangle=-32,
        ticks="",
        showgrid=False,
        range=[-0.5, len(heads + more) - 0.5],
    )
    fig.update_yaxes(ticks="", **ink.rows(names, plot) | {"showline": False})
    best = [max(rows, key=lambda name, head=head: rows[name][head]) for head in heads]
    said = (f"{head}: {name} {rows[name][head]:.2f}" for head, name in zip(heads, best, strict=True))
    says = f"{len(rows)} rows. The best of each column: {'; '.join(said)}."
    says += f" Beside them, not ranked: {', '.join(beside)}." if beside else ""
    left = min(300, 24 + int(7.6 * max(map(len, names), default=0)))
    return ink.dress(fig, title, says, plot, 6, left=left, right=10, top=ink.TOP + 58)


def keys(q, k, v=None, tokens=None, title: str = "Real tensors of one head") -> go.Figure:
    """q, k and v of one head, [positions, channels] each, as small heat maps side by side."""
    named = {"q: what each token asks": q, "k: what it is found by": k, "v: what it gives": v}
    parts = {name: ink.matrix(a, name) for name, a in named.items() if a is not None}
    fig = make_subplots(1, len(parts), subplot_titles=list(parts), horizontal_spacing=0.04)
    n = len(next(iter(parts.values())))
    names = [label(t) for t in tokens] if tokens is not None else [str(i) for i in range(n)]
    if any(len(a) != len(names) for a in parts.values()):
        raise ValueError(f"keys: {len(names)} tokens need as many rows, got {[len(a) for a in parts.values()]}")
    for i, a in enumerate(parts.values(), 1):
        high = float(np.abs(a).max(initial=0)) or 1.0
        fig.add_heatmap(
            z=a.round(3).tolist(),
            colorscale=ink.SIGNED,
            zmin=-high,
            zmax=high,
            showscale=False,
            row=1,
            col=i,
            hovertemplate="position %{y}, channel %{x}: %{z}<extra></extra>",
        )
        fig.update_xaxes(title="channel", showgrid=False, row=1, col=i)
        fig.update_yaxes(row=1, col=i, showticklabels=i == 1, **ink.rows(names, 280))
    fig.update_yaxes(title="token", row=1, col=1)
    says = "; ".join(
        f"{name[0]} {a.shape[0]} tokens × {a.shape[1]} channels, {a.min():.2g} to {a.max():.2g}"
        for name, a in parts.items()
    )
    return ink.dress(fig, title, f"Blue is below zero, orange above. {says}.", 280, top=ink.TOP + 30)


def reach(grid, tokens, layers=None, title: str = "How far back influence reaches") -> go.Figure:
    """How strongly each token is felt in each layer, [layers, tokens]: a heat map of powers of ten, empty at 0."""
    x = np.abs(ink.matrix(grid, "the grid", len(tokens)))
    names = [str(name) for name in layers] if layers is not None else [f"layer {i}" for i in range(len(x))]
    felt, across, plot = x > 1e-12, [label(t) for t in tokens], int(np.clip(44 * len(x), 90, 280))
    back = [f"{name} {len(row) - int(row.argmax()) if row.any() else 0}" for name, row in zip(names, felt, strict=True)]
    z = [[round(float(np.log10(v)), 2) if v > 1e-12 else None for v in row] for row in x]
    left = min(300, 24 + int(7.6 * max(map(len, names), default=0)))
    fig = go.Figure(
        go.Heatmap(
            z=z,
            colorscale=ink.HEAT,
            xgap=1,
            ygap=2,
            hoverongaps=False,
            colorbar=_scale("power of ten"),
            hovertemplate="token %{x}: 10^%{z:.1f}<extra></extra>",
        )
    )
    fig.update_xaxes(title="token that was changed", **_columns(across, ACROSS + ink.LEFT - left - 70))
    fig.update_yaxes(**ink.rows(names, plot))
    return ink.dress(fig, title, f"Tokens felt at the last place: {'; '.join(back)}.", plot, 54, left=left, right=90)


def compare(yours, target, tokens, title: str = "Yours and the target") -> go.Figure:
    """Two recipes (or views) side by side, the first cell that differs in a box."""
    parts, across = {"yours": yours, "target": target}, [label(t) for t in tokens]
    parts = {name: ink.matrix(a, name, len(tokens)) for name, a in parts.items()}
    many, high = max(len(a) for a in parts.values()), max(1e-9, *(np.abs(a).max(initial=0) for a in parts.values()))
    signed = any((a < 0).any() for a in parts.values())
    plot, (off, says) = int(np.clip(40 * many, 60, 240)), first_difference(parts["yours"], parts["target"], tokens)
    fig = make_subplots(1, 2, subplot_titles=list(parts), horizontal_spacing=0.08)
    for i, a in enumerate(parts.values(), 1):
        text = [[f"{v:.2g}" if v else "" for v in row] for row in a] if len(across) <= 12 else None
        fig.add_heatmap(
            z=_blank(a),
            colorscale=ink.SIGNED if signed else ink.HEAT,
            zmin=-high if signed else 0,
            zmax=high,
            xgap=1,
            ygap=1,
            showscale=False,
            text=text,
            texttemplate="%{text}",
            row=1,
            col=i,
            hoverongaps=False,
            hovertemplate="row %{y}, token %{x}: %{z}<extra></extra>",
        )
        fig.update_xaxes(row=1, col=i, **_columns(across, ACROSS * 0.46))
        fig.update_yaxes(row=1, col=i, **ink.rows([str(r) for r in range(many)], plot))
        if off:
            fig.add_shape(
                x0=off[1] - 0.5,
                x1=off[1] + 0.5,
                y0=off[0] - 0.5,
                y1=off[0] + 0.5,
                row=1,
                col=i,
                line={"color": ink.OKABE_ITO[5], "width": 4},
            )
    return ink.dress(fig, title, says, plot, 34, top=ink.TOP + 30)


def first_difference(yours: np.ndarray, target: np.ndarray, tokens) -> tuple[tuple[int, int] | None, str]:
    """(row, token) of the first cell that differs, or None, and the sentence that says it."""
    for s, (mine, its) in enumerate(zip(yours, target, strict=False)):
        for i in np.flatnonzero(~np.isclose(mine, its, rtol=1e-5, atol=1e-8)):
            said = f"row {s}, token {i} ('{label(tokens[i])}') has {mine[i]:.2f}, expected {its[i]:.2f}"
            return (s, int(i)), f"First difference: {said}."
    if len(yours) != len(target):
        return (min(len(yours), len(target)), 0), f"Yours has {len(yours)} rows, the target {len(target)}."
    return None, "Yours and the target are the same."
