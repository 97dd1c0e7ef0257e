"""A picture that changes while one looks: plotly figures in, drawn by the plotly.js that the page already has."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import anywidget
import traitlets


class Picture(anywidget.AnyWidget):
    """A figure in a notebook; `show(fig)` puts another in its place, `data` and `layout` are of the one shown.

    The whole figure goes with the first message and a few KB of script with it; a page without plotly.js asks for it,
    once. While `state` is "works" (or "failed") the old picture is pale and says so; it says "waiting" by itself where
    one of the `watched` controls has moved and the kernel has not begun.
    """

    _esm = Path(__file__).with_suffix(".js")
    figure = traitlets.Unicode().tag(sync=True)
    state = traitlets.Enum(["ready", "works", "failed"], "ready").tag(sync=True)
    watched = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, fig):  # a go.Figure
        self.shown = fig
        super().__init__(figure=fig.to_json(validate=False))
        self.on_msg(self._asked)

    data: Any = property(lambda self: self.shown.data)
    layout: Any = property(lambda self: self.shown.layout)

    def show(self, fig) -> None:
        """Draw this go.Figure in place of what is there."""
        self.shown = fig
        self.figure = fig.to_json(validate=False)

    def watch(self, controls) -> None:
        """The controls that change this picture: to be called before it is shown."""
        self.watched = [control.model_id for control in controls]

    def _asked(self, _, content: dict, buffers) -> None:
        if content.get("want") == "plotly":
            self.send({"plotly": (files("plotly") / "package_data" / "plotly.min.js").read_text("utf-8")})
