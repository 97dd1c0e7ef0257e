"""Queries, keys and values of one head, as they are."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from memlib.draw import style


def keys(q, k, v=None, tokens=None, title: str = "Real tensors of one head") -> go.Figure:
    """q, k and v of one head, [positions, channels] each, as small heat maps side by side."""
    named = {"q: what each token asks": q, "k: what it is found by": k, "v: what it gives": v}
    parts = {name: style.matrix(a, name) for name, a in named.items() if a is not None}
    fig = make_subplots(1, len(parts), subplot_titles=list(parts), horizontal_spacing=0.04)
    n = len(next(iter(parts.values())))
    names = [style.label(t) for t in tokens] if tokens is not None else [str(i) for i in range(n)]
    if any(len(a) != len(names) for a in parts.values()):
        raise ValueError(f"keys: {len(names)} tokens need as many rows, got {[len(a) for a in parts.values()]}")
    for i, a in enumerate(parts.values(), 1):
        high = float(np.abs(a).max(initial=0)) or 1.0
        fig.add_heatmap(
            z=a.round(3).tolist(),
            colorscale=style.SIGNED,
            zmin=-high,
            zmax=high,
            showscale=False,
            row=1,
            col=i,
            hovertemplate="position %{y}, channel %{x}: %{z}<extra></extra>",
        )
        fig.update_xaxes(title="channel", showgrid=False, row=1, col=i)
        fig.update_yaxes(row=1, col=i, showticklabels=i == 1, **style.row_ticks(names, 280))
    fig.update_yaxes(title="token", row=1, col=1)
    says = "; ".join(
        f"{name[0]} {a.shape[0]} tokens × {a.shape[1]} channels, {a.min():.2g} to {a.max():.2g}"
        for name, a in parts.items()
    )
    return style.dress(fig, title, f"Blue is below zero, orange above. {says}.", 280, top=style.TOP + 30)
