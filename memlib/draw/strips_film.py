"""Several memories on one text, one below the other: what each still holds, and what the newest query receives.

Used as `draw.abreast`.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from memlib.draw import style
from memlib.draw.frames import CONTROLS, HEAD, heading, joined, playing

FRAMES = 48  # at most; several tokens a frame
HELD, RECEIVED, BETWEEN = 26, 38, 8  # pixels of a memory's two strips, and between them
LETTER = 8.5  # pixels of a letter of one width
HOW = " · what it still holds; below, what the newest query receives"


def abreast(named: dict, tokens, step: int | None = None, title: str = "Several memories read one text") -> go.Figure:
    """Memories compared on one text: a strip of what each still holds, a strip of what the newest query receives.

    named: {name: (recipes, views)}, for each memory one [slots, tokens] a token, and [queries, tokens];
    tokens: their labels; step: the newest token (default: a film over all of them).
    A token's box is as high as the greatest share of it that any slot holds, up to 1.
    Raises ValueError where sizes do not fit each other or step is no token.
    """
    play = Strips(named, tokens)
    if step is not None:
        if not 0 <= step < play.n:
            raise ValueError(f"step must be from 0 to {play.n - 1}, got {step!r}")
        return play.dressed(step, title, 34)
    at = sorted({*np.linspace(0, play.n - 1, min(FRAMES, play.n)).round().astype(int).tolist()})
    fig = play.dressed(play.n - 1, title, CONTROLS)
    which = list(range(len(fig.data)))
    frames = [go.Frame(data=play.changes(t), name=str(t), traces=which) for t in at]
    return playing(fig, frames, [f"{t + 1} of {play.n} tokens read" for t in at])


class Strips:
    """What of the given arrays stands in which strip."""

    def __init__(self, named: dict, tokens):
        self.labels = [style.label(token) for token in tokens]
        self.n, self.colors = len(self.labels), style.token_colors(len(self.labels))
        if not self.n or not named:
            raise ValueError(f"abreast needs tokens and memories, got {self.n} tokens and {len(named)} memories")
        self.slots, self.held, self.views = {}, {}, {}
        for name, (recipes, views) in named.items():
            if len(recipes) != self.n:
                raise ValueError(f"{name} needs a recipe for each of the {self.n} tokens, got {len(recipes)}")
            steps = [np.abs(style.matrix(r, f"{name}: recipes[{t}]", self.n)) for t, r in enumerate(recipes)]
            self.slots[name] = [len(r) for r in steps]
            self.held[name] = np.array([r.max(0, initial=0).clip(0, 1) for r in steps])
            self.views[name] = style.matrix(views, f"{name}: the view", self.n)
            if len(self.views[name]) != self.n:
                raise ValueError(f"{name}: the view must have {self.n} rows, got {len(self.views[name])}")

    def told(self, name: str, t: int) -> str:
        """How much a memory holds after token t."""
        slots, kept = self.slots[name][t], int((self.held[name][t] > 0).sum())
        return f"{slots} slot{'s' * (slots != 1)}, something of {kept} of {t + 1} tokens"

    def says(self, t: int) -> str:
        """The picture in words."""
        parts = []
        for name, view in self.views.items():
            most = int(np.abs(view[t]).argmax())
            gets = f"its query receives most, {view[t, most]:.2f}, of token {most} ('{self.labels[most]}')"
            parts.append(f"{name}: {self.told(name, t)}; {gets}.")
        return f"After {t + 1} tokens. {' '.join(parts)}"

    def changes(self, t: int) -> list[dict]:
        """The bars after token t: two strips a memory."""
        bars = []
        for name in self.held:
            for y in (self.held[name][t], self.views[name][t]):
                bars.append({"type": "bar", "y": [float(f"{v:.4g}") if v else 0 for v in y]})
        return bars

    def _fixed(self) -> list[dict]:
        """What of the bars stays from step to step."""
        hover = [f"{style.safe(text)}: token {i}" for i, text in enumerate(self.labels)]
        line = {"color": style.LINE, "width": 1}
        bar = {
            "x": list(range(self.n)),
            "width": 1,
            "marker": {"color": self.colors, "line": line},
            "customdata": hover,
        }
        whole = []
        for j in range(1, 2 * len(self.held) + 1):
            what = "%{y:.3g} held" if j % 2 else "%{y:.3g} received"
            shown = {"xaxis": f"x{j}", "yaxis": f"y{j}", "hovertemplate": f"%{{customdata}}: {what}<extra></extra>"}
            whole.append(bar | shown)
        return whole

    def _letters(self) -> dict:
        """The tokens below the strips: all of them while one letter fits its box."""
        if style.ACROSS / self.n < LETTER * max(map(len, self.labels)):
            return style.ticks(self.labels, style.ACROSS)
        every = {"tickvals": list(range(self.n)), "ticktext": [style.safe(text) for text in self.labels]}
        return every | {"tickangle": 0, "showgrid": False, "tickfont": {"family": "monospace", "size": 14}}

    def dressed(self, t: int, title: str, bottom: int) -> go.Figure:
        """All strips after token t."""
        each = HEAD + HELD + BETWEEN + RECEIVED
        plot = each * len(self.held)
        fig = go.Figure([joined(a, b) for a, b in zip(self._fixed(), self.changes(t), strict=True)])
        low, high = min(v.min() for v in self.views.values()), max(v.max() for v in self.views.values())
        for i, name in enumerate(self.held):
            top = plot - i * each - HEAD
            strips = [
                (top - HELD, top, [0, 1]),
                (top - HELD - BETWEEN - RECEIVED, top - HELD - BETWEEN, [min(0, low), max(high, 1e-9)]),
            ]
            for j, (under, above, values) in enumerate(strips, 2 * i + 1):
                x = {"range": [-0.55, self.n - 0.45], "visible": False, "anchor": f"y{j}"}
                y = {"domain": [under / plot, above / plot], "range": values, "anchor": f"x{j}", "nticks": 3}
                fig.update_layout({f"xaxis{j}": x, f"yaxis{j}": y | {"visible": j % 2 == 0}})
            heading(fig, f"<b>{style.safe(name)}</b>{HOW * (not i)}", 0, top / plot)
        last = 2 * len(self.held)
        fig.update_layout({f"xaxis{last}": self._letters() | {"visible": True}})
        return style.dress(fig, title, self.says(t), plot, bottom)
