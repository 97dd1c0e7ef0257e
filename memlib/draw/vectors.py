"""Vectors of two numbers as arrows from one point."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style

PIXELS = 300  # of the square


def arrows(named: dict, title: str = "", says: str = "", reach: float | None = None) -> go.Figure:
    """Vectors {name: (x, y)} as arrows from the origin, each with its name at its tip.

    says: the sentence beneath (default: the numbers of each); reach: where the axes end, so that a knob does not move
    them. Raises ValueError for a vector that has not two numbers.
    """
    points = {name: style.array(v).ravel() for name, v in named.items()}
    for name, v in points.items():
        if v.shape != (2,) or not np.isfinite(v).all():
            raise ValueError(f"arrows: {name} must be two finite numbers, got {named[name]}")
    far = 1.15 * max([*(float(np.abs(v).max()) for v in points.values()), 0.1]) if reach is None else reach
    fig = go.Figure(go.Scatter(x=[0], y=[0], mode="markers", marker={"size": 7, "color": style.INK}, hoverinfo="skip"))
    for i, (name, (x, y)) in enumerate(points.items()):
        color = style.COLORS[i % 6]
        fig.add_scatter(
            x=[0, x],
            y=[0, y],
            mode="lines+markers+text",
            line={"color": color, "width": 4},
            marker={"symbol": ["circle", "arrow"], "size": [1, 18], "angleref": "previous", "color": color},
            text=["", style.safe(name)],
            textposition="top right" if x >= 0 else "top left",
            textfont={"size": 16},
            cliponaxis=False,
            hovertemplate=f"{style.safe(name)}: (%{{x:.2f}}, %{{y:.2f}})<extra></extra>",
        )
    spoken = says or "; ".join(f"{name} ({x:.2f}, {y:.2f})" for name, (x, y) in points.items()) + "."
    side = (style.WIDTH - PIXELS) // 2
    style.dress(fig, title, spoken, PIXELS, 16, left=side, right=side)
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(range=[-far, far], showticklabels=False, ticks="", showgrid=False, showline=False)
        axis(zeroline=True, zerolinecolor=style.LINE)
    return fig
