"""Recipes, views and influences as heat maps: rows of slots, queries or layers over the columns of the tokens."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style


def recipe(weights, tokens, slots=None, title: str = "What each slot holds") -> go.Figure:
    """A recipe [slots, tokens] as a heat map; empty where a slot has nothing of a token.

    slots: names for the slots (default: 0, 1, ... oldest first).
    """
    x = style.matrix(weights, "the recipe", len(tokens))
    names = [str(s) for s in (slots if slots is not None else range(len(x)))]
    says = f"Recipe: {len(x)} slots hold something of {int((x != 0).any(0).sum())} of {len(tokens)} tokens."
    plot = int(np.clip(34 * len(x), 60, 300))
    return _heat(x, tokens, names, "slot (oldest first)", title, f"{says} {_strongest(x, tokens, 'slot')}", plot)


def view(weights, tokens, title: str = "What each query receives") -> go.Figure:
    """A view [queries, tokens] as a heat map; empty where a query receives nothing of a token."""
    x = style.matrix(weights, "the view", len(tokens))
    names = [style.label(t) for t in tokens] if len(x) == len(tokens) else [str(i) for i in range(len(x))]
    back = max((i - int(np.flatnonzero(r)[0]) for i, r in enumerate(x) if r.any()), default=0)
    says = f"View: {len(x)} queries, each receiving from tokens at most {back} back."
    return _heat(x, tokens, names, "query of token", title, f"{says} {_strongest(x, tokens, 'query')}", 300)


def influence(norms, tokens, rows=None, title: str = "How strongly each token is felt") -> go.Figure:
    """Norms of Jacobians [rows, tokens] as a heat map: for memories that are not linear in their values.

    rows: names of the rows (default: the tokens, the reads after each of them).
    """
    x = style.matrix(norms, "the influence", len(tokens))
    names = [str(name) for name in (rows if rows is not None else map(style.label, tokens))]
    most = (f"'{style.label(tokens[int(row.argmax())])}', token {row.argmax()}" for row in x)
    felt = "; ".join(f"{name}: {token}" for name, token in zip(names, most, strict=True))
    says = (
        f"Influence. Felt most of {len(tokens)} tokens: {felt}."
        if len(x) <= 6
        else (f"Influence of {len(tokens)} tokens on {len(x)} reads. {_strongest(x, tokens, 'read')}")
    )
    fig = _heat(x, tokens, names, "", title, says, int(np.clip(40 * len(x), 60, 320)))
    left = min(300, max(style.LEFT, 24 + int(7.6 * max(map(len, names), default=0))))
    fig.update_traces(colorbar_title_text="influence")
    return fig.update_layout(margin={"l": left}).for_each_annotation(lambda note: note.update(xshift=style.LEFT - left))


def _strongest(x: np.ndarray, tokens, kind: str) -> str:
    if not x.size or not x.any():
        return "All weights are 0."
    i, j = np.unravel_index(np.abs(x).argmax(), x.shape)
    return f"The greatest weight is {x[i, j]:.2f}: {kind} {i}, token {j} ('{style.label(tokens[j])}')."


def _heat(x: np.ndarray, tokens, names: list[str], y: str, title: str, says: str, plot: int) -> go.Figure:
    across, high, signed = [style.label(t) for t in tokens], float(np.abs(x).max(initial=0)) or 1.0, bool((x < 0).any())
    fig = go.Figure(
        go.Heatmap(
            z=blank(x),
            zmin=-high if signed else 0,
            zmax=high,
            colorscale=style.SIGNED if signed else style.HEAT,
            xgap=1,
            ygap=1 if len(x) < 80 else 0,
            hoverongaps=False,
            colorbar=scale("weight"),
            customdata=[[f"{style.safe(name)} ← {style.safe(token)}" for token in across] for name in names],
            hovertemplate="%{customdata}: %{z:.3g}<extra></extra>",
        )
    )
    fig.update_xaxes(title="token", **columns(across, style.ACROSS - 70))
    fig.update_yaxes(title=y, **style.row_ticks(names, plot))
    return style.dress(fig, title, says, plot, 54, right=90)


def blank(x: np.ndarray) -> list:
    """Nothing where there is nothing, four digits elsewhere."""
    return [[float(f"{v:.4g}") if v else None for v in row] for row in x]


def columns(names: list[str], pixels: float) -> dict:
    return style.ticks(names, pixels) | {"range": [-0.5, len(names) - 0.5], "mirror": True, "showline": True}


def scale(name: str) -> dict:
    return {"title": {"text": name, "side": "right"}, "outlinewidth": 0, "thickness": 14, "nticks": 5}


def reach(grid, tokens, layers=None, title: str = "How far back influence reaches") -> go.Figure:
    """How strongly each token is felt in each layer, [layers, tokens]: a heat map of powers of ten, empty at 0."""
    x = np.abs(style.matrix(grid, "the grid", len(tokens)))
    names = [str(name) for name in layers] if layers is not None else [f"layer {i}" for i in range(len(x))]
    felt, across, plot = x > 1e-12, [style.label(t) for t in tokens], int(np.clip(44 * len(x), 90, 280))
    back = [f"{name} {len(row) - int(row.argmax()) if row.any() else 0}" for name, row in zip(names, felt, strict=True)]
    z = [[round(float(np.log10(v)), 2) if v > 1e-12 else None for v in row] for row in x]
    left = min(300, 24 + int(7.6 * max(map(len, names), default=0)))
    fig = go.Figure(
        go.Heatmap(
            z=z,
            colorscale=style.HEAT,
            xgap=1,
            ygap=2,
            hoverongaps=False,
            colorbar=scale("power of ten"),
            hovertemplate="token %{x}: 10^%{z:.1f}<extra></extra>",
        )
    )
    fig.update_xaxes(title="token that was changed", **columns(across, style.ACROSS + style.LEFT - left - 70))
    fig.update_yaxes(**style.row_ticks(names, plot))
    return style.dress(fig, title, f"Tokens felt at the last place: {'; '.join(back)}.", plot, 54, left=left, right=90)
