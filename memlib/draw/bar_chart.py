"""What each costs, a bar a name."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style


def bars(values: dict, y: str = "", title: str = "", log: bool = False, top: float | None = None) -> go.Figure:
    """What each costs, {name: number}: a bar a name, its number printed at its end.

    y: what the numbers are; top: where the axis ends, so that a knob does not move it.
    """
    names, numbers = list(values), style.array(list(values.values()))
    text, at = [style.written(v) for v in numbers], list(range(len(names)))
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
            marker={"color": [style.COLORS[i % 6] for i in at]},
        )
    )
    fig.update_yaxes(tickfont={"size": 15}, **style.row_ticks(names, 46 * len(names) + 10), ticks="")
    fig.update_yaxes(mirror=False)
    if log:
        low, high = np.log10(numbers[numbers > 0].min()), np.log10(numbers.max())
        fig.update_xaxes(type="log", dtick=1, range=[np.floor(low - 0.1), high + 0.05])
    elif top is not None:
        fig.update_xaxes(range=[min(0.0, float(numbers.min())), top])
    fig.update_xaxes(title=style.safe(y), nticks=6)
    says = f"{y or 'Cost'}: " + "; ".join(f"{name} {t}" for name, t in zip(names, text, strict=True)) + "."
    left = min(400, 24 + int(8.4 * max(map(len, names), default=0)))
    return style.dress(fig, title, says[:1].upper() + says[1:], 46 * len(names) + 10, left=left, right=90)
