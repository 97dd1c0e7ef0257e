"""The film of a memory: the text, the slots and the query's view, step by step. Used as `draw.film`.

Recipes, tokens and views go in as arrays; every step only replays them. Without negative weights a slot is a
box divided among the tokens it holds; otherwise the slots are a heat map over the tokens.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, HEAD, heading, joined, playing
from memlib.draw.slot_boxes import BELOW, boxes, pieces
from memlib.draw.slot_story import Told
from memlib.draw.style import ACROSS


def moment(
    recipes, tokens, views=None, step: int = 0, title: str = "", events=None, tiers: dict | None = None
) -> go.Figure:
    """One step of the film: the text on top, the memory's slots below it, then the query's view.

    recipes: one [slots, tokens] a step; tokens: their labels; views: [queries, tokens]; tiers: as for `film`.
    """
    play = Play(recipes, tokens, views, tiers=tiers)
    said = events[step] if events is not None else play.event(step)
    return play.dressed(step, title, f"{said}. {play.holding(step)}", 34)


def film(
    recipes,
    tokens,
    views=None,
    events=None,
    title: str = "",
    alt: str | None = None,
    names: tuple[str, ...] | None = None,
    tiers: dict | None = None,
    at=None,
    rests: int | None = None,
) -> go.Figure:
    """All steps as a film with a slider and buttons; it plays without a kernel.

    recipes: one [slots, tokens] a step; tokens: their labels; views: [queries, tokens], row t shown at step t;
    events: a sentence a step (default: who enters, who leaves); alt: the sentence beneath;
    names: of the panels, where what is given are no recipes (shares of the influence, say);
    tiers: {name: how many of the slots it has at each step}, oldest first: each stands in a frame of its own;
    at: the newest token at each step (default: equal parts of the text); views then have a row a step;
    rests: the step that is shown until it plays (default: the last).
    """
    play = Play(recipes, tokens, views, names, tiers, at)
    said = list(events) if events is not None else [play.event(t) for t in range(play.steps)]
    rests = play.steps - 1 if rests is None else rests
    if not 0 <= rests < play.steps:
        raise ValueError(f"rests must be from 0 to {play.steps - 1}, got {rests!r}")
    fig = play.dressed(rests, title, alt or play.story(), CONTROLS)
    which = list(range(len(fig.data)))
    frames = [go.Frame(data=play.changes(t), name=str(t), traces=which) for t in range(play.steps)]
    return playing(fig, frames, said, rests)


class Play(Told):
    """What of the given arrays stands in which panel at which step."""

    @cached_property
    def panels(self) -> list[tuple[str, int]]:
        """(name, pixels) from top to bottom."""
        slots = ("what each slot holds (oldest first)", 54) if self.boxed else ("what each slot holds", 120)
        slots = (slots[0], 76) if self.tiers else slots
        slots = (f"{slots[0]} · below: what this step lets go", slots[1] + 30) if self.falls else slots
        panels = [("the text   ▼ now · filled: still in memory · outlined: forgotten", 46), slots]
        panels += [("what the query of this step receives of each token", 84)] * (self.views is not None)
        return panels if self.names is None else [(name, p) for name, (_, p) in zip(self.names, panels, strict=True)]

    @cached_property
    def falls(self) -> bool:
        """Whether boxes ever leave."""
        return self.boxed and any(set(pieces(self, t)) - set(pieces(self, t + 1)) for t in range(self.steps - 1))

    def dressed(self, t: int, title: str, says: str, bottom: int) -> go.Figure:
        """All panels at step t."""
        fig, plot = go.Figure(self.traces(t)), sum(HEAD + pixels for _, pixels in self.panels)
        top = float(plot)
        for i, (name, pixels) in enumerate(self.panels, 1):
            domain = [(top - HEAD - pixels) / plot, (top - HEAD) / plot]
            x = {"range": [-0.55, len(self.labels) - 0.45], "visible": False, "anchor": f"y{i}"}
            y = {"domain": domain, "range": [0, 1], "visible": False, "anchor": f"x{i}"}
            fig.update_layout({f"xaxis{i}": x, f"yaxis{i}": y})
            heading(fig, name, 0, domain[1])
            top -= HEAD + pixels
        fig.update_layout(self._axes())
        for name, start in self.starts().items():
            self._frame(fig, name, start - 0.5, start + max(self.tiers[name]) - 0.5)
        return style.dress(fig, title or "A memory reads the text", says, plot, bottom)

    def _frame(self, fig: go.Figure, name: str, low: float, high: float) -> None:
        """A tier's frame, and its name above."""
        fig.add_shape(
            type="rect",
            x0=low,
            x1=high,
            y0=-0.04,
            y1=1.04,
            xref="x2",
            yref="y2",
            line={"color": style.INK, "width": 1, "dash": "dot"},
        )
        fig.add_annotation(
            text=style.safe(name),
            x=(low + high) / 2,
            y=1.06,
            xref="x2",
            yref="y2",
            yanchor="bottom",
            showarrow=False,
            font={"size": 14},
        )

    def _axes(self) -> dict:
        axes: dict[str, dict]
        if self.boxed:
            low = BELOW if self.falls else -0.05 if self.tiers else 0
            axes = {"xaxis2": {"range": [-0.5, self.room - 0.5]}, "yaxis2": {"range": [low, 1]}}
            if self.tiers:
                axes = {"xaxis2": {"range": [-0.53, self.room - 0.47]}, "yaxis2": {"range": [low, 1.5]}}
        else:
            axes = {
                "yaxis2": style.row_ticks([str(s) for s in range(int(self.room))], 120)
                | {"visible": True, "title": "slot"}
            }
        axes["yaxis"] = {"range": [0, 1.35]}
        if self.views is not None:
            low, high = min(0.0, float(self.views.min())), max(1e-9, float(self.views.max()))
            axes["yaxis3"] = {"range": [low, high], "visible": True, "nticks": 4}
            axes["xaxis3"] = style.ticks(self.labels, ACROSS) | {"visible": True}
        return axes

    def traces(self, t: int) -> list[dict]:
        """The pictures at step t, whole."""
        bars = {
            "type": "bar",
            "hoverinfo": "text",
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "constraintext": "none",
            "cliponaxis": True,
        }
        n, colors = len(self.labels), self.colors
        text = {
            **bars,
            "x": list(range(n)),
            "y": [1] * n,
            "text": self._fitting(ACROSS / n),
            "hovertext": [f"{style.safe(text)}: token {i}" for i, text in enumerate(self.labels)],
        }
        slots = {**bars, "marker": {"line": {"color": style.LINE, "width": 1}}} if self.boxed else self._heat()
        view = {
            "type": "bar",
            "x": list(range(n)),
            "marker": {"color": colors},
            "customdata": text["hovertext"],
            "hovertemplate": "%{customdata}: %{y:.3f}<extra></extra>",
        }
        point = {
            "type": "scatter",
            "y": [1.2],
            "mode": "markers",
            "hoverinfo": "skip",
            "marker": {"symbol": "triangle-down", "size": 13, "color": style.INK},
        }
        text["textfont"] = {"size": 14}
        fixed = [text, slots, point] + [view] * (self.views is not None)
        axis = ["", "2", "", "3"]
        whole = [a | {"xaxis": f"x{i}", "yaxis": f"y{i}"} for a, i in zip(fixed, axis, strict=False)]
        return [joined(a, b) for a, b in zip(whole, self.changes(t), strict=True)]

    def changes(self, t: int) -> list[dict]:
        """What of `traces` is another from step to step: all that a frame carries."""
        slots = boxes(self, t, self._fitting) if self.boxed else {"type": "heatmap", "z": self._levels(t)}
        moving = [self._text(t), slots, {"type": "scatter", "x": [self.now(t)]}]
        if self.views is not None:
            row = self.views[self.now(t) if self.at is None else t]
            moving.append({"type": "bar", "y": [float(f"{w:.4g}") if w else 0 for w in row]})
        return moving

    def _text(self, t: int) -> dict:
        held, now, color, line, letter, width = self.held(t), self.now(t), [], [], [], []
        for i, own in enumerate(self.colors):
            color.append(own if held[i] else f"{own}00")  # unseen, and of its own colour while it fades
            line.append(style.INK if i == now else own if i < now else style.CLEAR)
            letter.append(style.over(own) if held[i] else style.INK)
            width.append(3 if i == now else 1.5)
        marker = {"color": color, "line": {"color": line, "width": width}}
        return {"type": "bar", "marker": marker, "textfont": {"color": letter}}

    def _heat(self) -> dict:
        signed = min(r.min(initial=0) for r in self.recipes) < 0
        return {
            "type": "heatmap",
            "zmin": -127 if signed else 0,
            "zmax": 127,
            "hoverinfo": "skip",
            "showscale": False,
            "colorscale": style.SIGNED if signed else style.HEAT,
        }

    def _levels(self, t: int) -> np.ndarray:
        """The recipe in 127 levels of its greatest weight: a byte a cell."""
        most = max(float(np.abs(r).max(initial=0)) for r in self.recipes) or 1.0
        room = np.zeros((int(self.room), len(self.labels)))
        room[: len(self.recipes[t])] = self.recipes[t]
        return np.round(127 * room / most).astype(np.int8)

    def _fitting(self, pixels: float) -> list[str]:
        """The labels, cut to the width there is."""
        most = int(pixels / 9)
        cut = [text if len(text) <= most else text[: most - 1] + "…" if most > 2 else "" for text in self.labels]
        return [style.safe(text) for text in cut]
