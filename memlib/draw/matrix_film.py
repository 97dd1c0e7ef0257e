"""The film of matrix memories: the text, each matrix as it is written, what each query receives. `draw.matrices`.

Matrices, tokens and views go in as arrays; every step only replays them.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, HEAD, heading, joined, playing
from memlib.draw.style import ACROSS


def matrices(named: dict, tokens, views: dict | None = None, events=None, title: str = "", alt: str | None = None):
    """Matrix memories side by side as a film: the text, each matrix as it is written, what each query receives.

    named: {name: [steps, d, e]}, the matrix after each token; views: {name: [queries, tokens]}, row t shown at
    step t; events: a sentence a step; alt: the sentence beneath. It plays without a kernel, and stands
    at the last step until it does.
    """
    play = Sheets(named, tokens, views)
    said = list(events) if events is not None else play.events()
    fig = play.dressed(title, alt or play.story())
    which = list(range(len(fig.data)))
    frames = [go.Frame(data=play.changes(t), name=str(t), traces=which) for t in range(len(play.labels))]
    return playing(fig, frames, said)


class Sheets:
    """What `matrices` was given, and what of it stands in which panel at which step."""

    PIXELS = (44, 138, 60)  # of the text, the matrices, the views

    def __init__(self, named: dict, tokens, views: dict | None):
        self.labels = [style.label(t) for t in tokens]
        n = len(self.labels)
        self.sheets = {name: style.array(x) for name, x in named.items()}
        for name, x in self.sheets.items():
            if x.ndim != 3 or len(x) != n or not n:
                raise ValueError(f"{name} must be [steps, d, e], a step for each of {n} tokens, got {list(x.shape)}")
        self.views = {name: style.matrix(x, f"views of {name}", n) for name, x in (views or {}).items()}
        if self.views and (set(self.views) != set(self.sheets) or any(len(x) != n for x in self.views.values())):
            raise ValueError(f"views must have {n} rows for each of {', '.join(self.sheets)}")
        self.colors = style.token_colors(n)

    def story(self) -> str:
        """The whole film in a sentence."""
        last = {name: x[-1] for name, x in self.sheets.items()}
        ends = [f"{name} ends with numbers from {x.min():.2g} to {x.max():.2g}" for name, x in last.items()]
        sizes = " and ".join(sorted({f"{x.shape[1]} by {x.shape[2]}" for x in self.sheets.values()}))
        return f"Film: {len(self.labels)} tokens are written into matrices of {sizes}; {'; '.join(ends)}."

    def events(self) -> list[str]:
        """A sentence a step."""
        return [f"step {t}: '{label}' is written" for t, label in enumerate(self.labels)]

    def dressed(self, title: str, says: str) -> go.Figure:
        """All panels at the last step."""
        heights = self.PIXELS[: 2 + bool(self.views)]
        plot, across = sum(HEAD + pixels for pixels in heights), len(self.sheets)
        fig = go.Figure(self._traces(len(self.labels) - 1))
        top, axis, many = float(plot), 0, across + (across - 1) * 0.12
        for row, pixels in enumerate(heights):
            domain = [(top - HEAD - pixels) / plot, (top - HEAD) / plot]
            for column, name in enumerate(["the text   ▼ now · filled: read so far"] if row == 0 else self.sheets):
                axis += 1
                side = [0, 1] if row == 0 else [column * 1.12 / many, (column * 1.12 + 1) / many]
                said = name if row == 0 else f"S of {name}" if row == 1 else "what this step's query receives"
                self._axis(fig, axis, row, name, side, domain)
                heading(fig, style.safe(said), side[0], domain[1])
            top -= HEAD + pixels
        return style.dress(fig, title or "Pairs are written into a matrix", says, plot, CONTROLS)

    def _axis(self, fig: go.Figure, axis: int, row: int, name: str, side: list, domain: list) -> None:
        n = len(self.labels)
        x = {"range": [-0.55, n - 0.45], "visible": False, "domain": side, "anchor": f"y{axis}"}
        y = {"range": [0, 1.35], "visible": False, "domain": domain, "anchor": f"x{axis}"}
        if row == 1:
            d, e = self.sheets[name].shape[1:]
            x["range"], y["range"] = [-0.5, e - 0.5], [d - 0.5, -0.5]
        elif row == 2:
            low, high = float(self.views[name].min()), float(self.views[name].max())
            y |= {"range": [min(0.0, low), max(1e-9, high)], "visible": True, "nticks": 4}
            x |= style.ticks(self.labels, ACROSS * (side[1] - side[0])) | {"visible": True}
        fig.update_layout({f"xaxis{axis}": x, f"yaxis{axis}": y})

    def _traces(self, t: int) -> list[dict]:
        """The pictures at step t, whole."""
        n, names = len(self.labels), [style.safe(x) for x in self.labels]
        text = {
            "type": "bar",
            "x": list(range(n)),
            "y": [1] * n,
            "text": names,
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "constraintext": "none",
            "hoverinfo": "skip",
            "textfont": {"size": 14},
        }
        point = {
            "type": "scatter",
            "y": [1.2],
            "mode": "markers",
            "hoverinfo": "skip",
            "marker": {"symbol": "triangle-down", "size": 13, "color": style.INK},
        }
        heat = {
            "type": "heatmap",
            "zmin": -127,
            "zmax": 127,
            "showscale": False,
            "colorscale": style.SIGNED,
            "hoverinfo": "skip",
        }
        bars = {
            "type": "bar",
            "x": list(range(n)),
            "marker": {"color": self.colors},
            "customdata": names,
            "hovertemplate": "%{customdata}: %{y:.3f}<extra></extra>",
        }
        whole = [text | {"xaxis": "x", "yaxis": "y"}, point | {"xaxis": "x", "yaxis": "y"}]
        whole += [heat | {"xaxis": f"x{2 + i}", "yaxis": f"y{2 + i}"} for i in range(len(self.sheets))]
        whole += [
            bars | {"xaxis": f"x{2 + len(self.sheets) + i}", "yaxis": f"y{2 + len(self.sheets) + i}"}
            for i in range(len(self.views))
        ]
        return [joined(a, b) for a, b in zip(whole, self.changes(t), strict=True)]

    def changes(self, t: int) -> list[dict]:
        """What is another from step to step: all that a frame carries."""
        read = [i <= t for i in range(len(self.labels))]
        fill = [color if seen else style.CLEAR for color, seen in zip(self.colors, read, strict=True)]
        letters = [style.over(color) if seen else style.INK for color, seen in zip(self.colors, read, strict=True)]
        moving = [
            {"type": "bar", "marker": {"color": fill}, "textfont": {"color": letters}},
            {"type": "scatter", "x": [t]},
        ]
        for x in self.sheets.values():
            most = float(np.abs(x).max(initial=0)) or 1.0
            moving.append({"type": "heatmap", "z": np.round(127 * x[t] / most).astype(np.int8)})
        for x in self.views.values():
            moving.append({"type": "bar", "y": [float(f"{w:.4g}") if w else 0 for w in x[t]]})
        return moving
