"""The film of retrieval: keys as points in a plane, the query that moves among them, lines to what it fetches.

Places, tokens and views go in as arrays; every step only replays them. Used as `draw.space`.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, HEAD, heading, joined, playing

TEXT, PLANE = 44, 228  # pixels of the two panels
NAMES = (
    "the text   ▼ the query · filled: fetched · pale: in the datastore · outlined: too new to be fetched",
    "keys of this head, in a plane   ◆ the query   + where a key of zeros would be",
)


def space(
    points,
    queries,
    views,
    tokens,
    local: int = 1,
    origin=None,
    title: str = "",
    alt: str | None = None,
    step: int | None = None,
    rests: int | None = None,
) -> go.Figure:
    """Retrieval in key space, query by query: the datastore fills, lines go to the pairs that are fetched.

    points, queries: [n, 2], the place of each key and of each query; views: [n, n], what the query of each step
    receives of each token; what is above 0 and older than the `local` newest was fetched, and the more it gives the
    larger its mark. tokens: n labels; origin: the place of a key of zeros; alt: the sentence beneath; step: this
    step alone, without a film. A film plays without a kernel, and stands at the last step until it does.
    """
    play = Plane(points, queries, views, tokens, local, origin)
    last = len(play.labels) - 1
    for name, at in (("step", step), ("rests", rests)):
        if at is not None and not 0 <= at <= last:
            raise ValueError(f"{name} must be from 0 to {last}, got {at!r}")
    if step is not None:
        return play.dressed(step, title, alt or f"{play.event(step)}.", 24)
    rests = last if rests is None else rests
    fig = play.dressed(rests, title, alt or play.story(), CONTROLS)
    which = list(range(len(fig.data)))
    frames = [go.Frame(data=play.changes(t), name=str(t), traces=which) for t in range(last + 1)]
    return playing(fig, frames, [play.event(t) for t in range(last + 1)], rests)


class Plane:
    """What `space` was given, and what of it stands where at which step."""

    def __init__(self, points, queries, views, tokens, local: int, origin):
        self.labels = [style.label(t) for t in tokens]
        n = len(self.labels)
        self.points, self.queries = style.matrix(points, "points", 2), style.matrix(queries, "queries", 2)
        self.views, self.local = style.matrix(views, "views", n), local
        rows = {"points": len(self.points), "queries": len(self.queries), "views": len(self.views)}
        if not n or set(rows.values()) != {n}:
            raise ValueError(f"points, queries and views must have a row for each of the {n} tokens, got {rows}")
        self.origin = None if origin is None else style.array(origin).reshape(2)
        self.colors = style.token_colors(n)

    def fetched(self, t: int) -> np.ndarray:
        """The tokens that step t fetches, the one that gives most in front."""
        old = self.views[t, : max(t + 1 - self.local, 0)]
        found = np.flatnonzero(old > 0)
        return found[np.argsort(-old[found], kind="stable")]

    def event(self, t: int) -> str:
        """Step t in words."""
        named = [f"'{self.labels[i]}' ({i}, {self.views[t, i]:.0%})" for i in self.fetched(t)[:3]]
        more = len(self.fetched(t)) - len(named)
        found = f"fetches {', '.join(named)}{f' and {more} more' * (more > 0)}" if named else "finds nothing yet"
        return f"step {t}: '{self.labels[t]}' {found}"

    def story(self) -> str:
        """The whole film in a sentence."""
        n = len(self.labels)
        old, far = max(n - self.local, 0), [t - i for t in range(n) for i in self.fetched(t)]
        reach = f"fetched are pairs up to {max(far)} tokens back" if far else "nothing is fetched"
        return f"Film: {n} queries; at the end {old} pairs are in the datastore; {reach}. Last, {self.event(n - 1)}."

    def dressed(self, t: int, title: str, says: str, bottom: int) -> go.Figure:
        """Both panels at step t."""
        fig, plot, n = go.Figure(self.traces(t)), 2 * HEAD + TEXT + PLANE, len(self.labels)
        domains = [[1 - (HEAD + TEXT) / plot, 1 - HEAD / plot], [0, PLANE / plot]]
        for name, (_, top) in zip(NAMES, domains, strict=True):
            heading(fig, name, 0, top)
        style.dress(fig, title or "Each query fetches its nearest keys", says, plot, bottom)
        every = np.concatenate([self.points, self.queries])
        low, high = every.min(0), every.max(0)
        more = 0.1 * np.maximum(high - low, 1e-9)
        (x0, y0), (x1, y1) = low - more, high + more
        hidden = {"visible": False, "showgrid": False}
        frame = {
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "ticks": "",
            "showline": True,
            "mirror": True,
            "linecolor": style.LINE,
            "fixedrange": True,
        }
        return fig.update_layout(
            barmode="overlay",
            xaxis={"range": [-0.55, n - 0.45], "anchor": "y", **hidden},
            yaxis={"range": [0, 1.35], "domain": domains[0], "anchor": "x", **hidden},
            xaxis2={"range": [x0, x1], "anchor": "y2", **frame},
            yaxis2={"range": [y0, y1], "domain": domains[1], "anchor": "x2", **frame},
        )

    def traces(self, t: int) -> list[dict]:
        """The pictures at step t, whole."""
        n, labels, colors = len(self.labels), [style.safe(x) for x in self.labels], self.colors
        text = {
            "type": "bar",
            "hoverinfo": "skip",
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "constraintext": "none",
            "cliponaxis": True,
            "xaxis": "x",
            "yaxis": "y",
            "width": 0.94,
        }
        size = {"size": 14}
        plane = {"type": "scatter", "xaxis": "x2", "yaxis": "y2"}
        said = [f"{name}: token {i}" for i, name in enumerate(labels)]
        edge = {"color": style.INK, "width": 2}
        whole = [
            text | {"x": list(range(n)), "marker": {"color": colors, "opacity": 0.35, "line": {"width": 0}}},
            text
            | {
                "x": list(range(n)),
                "y": [1] * n,
                "text": labels,
                "textfont": size | {"color": style.INK},
                "marker": {"color": style.CLEAR, "line": {"color": colors}},
            },
            text | {"textfont": size, "marker": {"line": {"color": style.INK, "width": 1.5}}},
            {
                "type": "scatter",
                "y": [1.2],
                "mode": "markers",
                "hoverinfo": "skip",
                "xaxis": "x",
                "yaxis": "y",
                "marker": {"symbol": "triangle-down", "size": 13, "color": style.INK},
            },
            plane
            | {
                "mode": "markers",
                "hoverinfo": "text",
                "hovertext": said,
                "marker": {"size": 15, "opacity": 0.5, "color": colors, "line": {"width": 0}},
            },
            plane
            | {
                "mode": "markers",
                "hoverinfo": "text",
                "marker": {"size": 14, "color": style.CLEAR, "line": {"width": 2}},
            },
            plane
            | {
                "mode": "lines+markers",
                "hoverinfo": "skip",
                "line": {"color": style.INK, "width": 1.5, "dash": "dot"},
                "marker": {"symbol": "cross-thin", "size": [11, 0], "line": edge},
            },
            plane | {"mode": "lines", "hoverinfo": "skip", "line": edge},
            plane
            | {
                "mode": "markers+text",
                "hoverinfo": "text",
                "textfont": {"size": 15},
                "marker": {"line": edge, "opacity": 1},
            },
            plane
            | {"mode": "markers", "hoverinfo": "skip", "marker": {"symbol": "diamond", "size": 15, "color": style.INK}},
        ]
        return [joined(a, b) for a, b in zip(whole, self.changes(t), strict=True)]

    def changes(self, t: int) -> list[dict]:
        """What is another from step to step: all that a frame carries."""
        some, n, old = self.fetched(t).tolist(), len(self.labels), max(t + 1 - self.local, 0)
        fill, sizes = [self.colors[i] for i in some], [round(19 + 17 * self.views[t, i]) for i in some]
        labels, over = [style.safe(self.labels[i]) for i in some], [style.over(color) for color in fill]
        (px, py), (qx, qy) = self.points.round(2).T.tolist(), self.queries[t].round(2).tolist()
        ox, oy = (None, None) if self.origin is None else self.origin.round(2).tolist()
        new, scatter = slice(old, t + 1), {"type": "scatter"}
        return [
            {"type": "bar", "y": [1] * old},
            {"type": "bar", "marker": {"line": {"width": [1.5 if old <= i <= t else 0 for i in range(n)]}}},
            {
                "type": "bar",
                "x": some,
                "y": [1] * len(some),
                "text": labels,
                "textfont": {"color": over},
                "marker": {"color": fill},
            },
            scatter | {"x": [t]},
            scatter | {"x": px[:old], "y": py[:old]},
            scatter
            | {
                "x": px[new],
                "y": py[new],
                "marker": {"line": {"color": self.colors[new]}},
                "hovertext": [f"{style.safe(self.labels[i])}: token {i}, too new" for i in range(old, t + 1)],
            },
            scatter | {"x": [ox, qx], "y": [oy, qy]},
            scatter
            | {"x": [x for i in some for x in (qx, px[i], None)], "y": [y for i in some for y in (qy, py[i], None)]},
            scatter
            | {
                "x": [px[i] for i in some],
                "y": [py[i] for i in some],
                "text": labels,
                "textfont": {"color": over},
                "hovertext": [f"{style.safe(self.labels[i])}: token {i}, {self.views[t, i]:.0%}" for i in some],
                "marker": {"size": sizes, "color": fill},
            },
            scatter | {"x": [qx], "y": [qy]},
        ]
