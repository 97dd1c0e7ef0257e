"""Scores from 0 to 1 as a coloured table."""

from __future__ import annotations

from collections.abc import Iterable

import plotly.graph_objects as go

from memlib.draw import style


def board(
    rows: dict, beside: dict | None = None, notes: dict | None = None, title: str = "", missing: Iterable[str] = ()
) -> go.Figure:
    """A table of scores from 0 to 1, {name: {column: score}}, in colours and with its numbers, in the order given.

    beside: rows of the same columns below a gap, which are not ranked; notes: {name: {head: text}} at the right;
    missing: names of rows that have no scores, at the end: "not measured yet".
    """
    beside, notes = beside or {}, notes or {}
    missing = list(missing)
    names = [*rows, *([""] if beside else []), *beside, *missing]
    every, heads = rows | beside, list(next(iter((rows | beside).values())))
    more, plot = list(next(iter(notes.values()), {})), 20 * len(names) + 4
    z = [
        [round(float(every[name][head]), 2) for head in heads] if name in every else [None] * len(heads)
        for name in names
    ]
    fig = go.Figure(
        go.Heatmap(
            z=z,
            zmin=0,
            zmax=1,
            colorscale=style.HEAT,
            xgap=2,
            ygap=2,
            showscale=False,
            hoverongaps=False,
            customdata=[[f"{style.safe(name)}, {style.safe(head)}" for head in heads] for name in names],
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
            text = style.safe(notes.get(name, {}).get(head, ""))
            fig.add_annotation(x=x + 0.15, y=y, text=text, showarrow=False, font={"size": 14})
    for y in range(len(names) - len(missing), len(names)):
        said = {"text": "not measured yet", "showarrow": False, "font": {"size": 14}}
        fig.add_annotation(x=(len(heads) - 1) / 2, y=y, **said)
    fig.update_xaxes(
        side="top",
        tickvals=list(range(len(heads + more))),
        ticktext=list(map(style.safe, heads + more)),
        tickangle=-32,
        ticks="",
        showgrid=False,
        range=[-0.5, len(heads + more) - 0.5],
    )
    fig.update_yaxes(ticks="", **style.row_ticks(names, plot) | {"showline": False})
    best = [max(rows, key=lambda name, head=head: rows[name][head]) for head in heads]
    said = (f"{head}: {name} {rows[name][head]:.2f}" for head, name in zip(heads, best, strict=True))
    says = f"{len(rows)} rows. The best of each column: {'; '.join(said)}."
    says += f" Beside them, not ranked: {', '.join(beside)}." if beside else ""
    says += f" Not measured yet: {', '.join(missing)}." if missing else ""
    left = min(300, 24 + int(7.6 * max(map(len, names), default=0)))
    return style.dress(fig, title, says, plot, 6, left=left, right=10, top=style.TOP + 58)
