"""Two pictures side by side, and the first cell in which they differ."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from memlib.draw import style
from memlib.draw.heat_maps import blank, columns


def compare(yours, target, tokens, title: str = "Yours and the target") -> go.Figure:
    """Two recipes (or views) side by side, the first cell that differs in a box."""
    parts, across = {"yours": yours, "target": target}, [style.label(t) for t in tokens]
    parts = {name: style.matrix(a, name, len(tokens)) for name, a in parts.items()}
    many, high = max(len(a) for a in parts.values()), max(1e-9, *(np.abs(a).max(initial=0) for a in parts.values()))
    signed = any((a < 0).any() for a in parts.values())
    plot, (off, says) = int(np.clip(40 * many, 60, 240)), first_cell(parts["yours"], parts["target"], tokens)
    fig = make_subplots(1, 2, subplot_titles=list(parts), horizontal_spacing=0.08)
    for i, a in enumerate(parts.values(), 1):
        text = [[f"{v:.2g}" if v else "" for v in row] for row in a] if len(across) <= 12 else None
        fig.add_heatmap(
            z=blank(a),
            colorscale=style.SIGNED if signed else style.HEAT,
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
        fig.update_xaxes(row=1, col=i, **columns(across, style.ACROSS * 0.46))
        fig.update_yaxes(row=1, col=i, **style.row_ticks([str(r) for r in range(many)], plot))
        if off:
            fig.add_shape(
                x0=off[1] - 0.5,
                x1=off[1] + 0.5,
                y0=off[0] - 0.5,
                y1=off[0] + 0.5,
                row=1,
                col=i,
                line={"color": style.OKABE_ITO[5], "width": 4},
            )
    return style.dress(fig, title, says, plot, 34, top=style.TOP + 30)


def first_cell(yours: np.ndarray, target: np.ndarray, tokens) -> tuple[tuple[int, int] | None, str]:
    """(row, token) of the first cell that differs, or None, and the sentence that says it."""
    for s, (mine, its) in enumerate(zip(yours, target, strict=False)):
        for i in np.flatnonzero(~np.isclose(mine, its, rtol=1e-5, atol=1e-8)):
            said = f"row {s}, token {i} ('{style.label(tokens[i])}') has {mine[i]:.2f}, expected {its[i]:.2f}"
            return (s, int(i)), f"First difference: {said}."
    if len(yours) != len(target):
        return (min(len(yours), len(target)), 0), f"Yours has {len(yours)} rows, the target {len(target)}."
    return None, "Yours and the target are the same."
