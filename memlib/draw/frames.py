"""What all films share: the slider that says each step, play and pause."""

from __future__ import annotations

import plotly.graph_objects as go

from memlib.draw import style

HEAD = 30  # pixels for a panel's name
CONTROLS = 118  # pixels below a film for its slider and buttons


def playing(fig: go.Figure, frames: list[go.Frame], said: list[str], rests: int | None = None) -> go.Figure:
    """A figure with frames, and with what moves through them: a slider that says each step, and buttons beneath.

    rests: the step that stands there until the film plays, the one that `fig` shows (default: the last).
    """
    names = [str(frame.name) for frame in frames]
    rests = len(frames) - 1 if rests is None else rests
    for i, frame in enumerate(frames):
        frame.update(layout={"updatemenus": [{"buttons": _steps(names, i)}]})
    fig.frames = frames
    steps = [*_steps(names, rests), UNSEEN]
    menus = [_menu(0, steps), _menu(156 / style.ACROSS, [_button(*one) for one in PLAYING])]
    return fig.update_layout(sliders=[_slider(names, said) | {"active": rests}], updatemenus=menus)


def heading(fig: go.Figure, text: str, x: float, y: float) -> None:
    """A panel's name above its upper left corner, in shares of the paper."""
    fig.add_annotation(
        text=text,
        x=x,
        y=y,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        yshift=3,
        showarrow=False,
        font={"size": 14},
    )


def _jump(milliseconds: int, moving: int = 0) -> dict:
    """A frame lasts so long; for the first `moving` milliseconds what is drawn slides to its new place."""
    frame = {"duration": milliseconds, "redraw": True}
    moves = {"duration": moving, "easing": "cubic-in-out"}
    return {"frame": frame, "transition": moves, "mode": "immediate", "fromcurrent": True}


def _slider(names: list[str], said: list[str]) -> dict:
    steps = [
        {"method": "animate", "label": style.safe(text), "args": [[name], _jump(0)]}
        for name, text in zip(names, said, strict=True)
    ]
    return {
        "steps": steps,
        "x": 0,
        "len": 1,
        "y": 0,
        "pad": {"t": 24},
        "bgcolor": style.LINE,
        "bordercolor": style.INK,
        "font": {"size": 1, "color": style.CLEAR},
        "ticklen": 5,
        "minorticklen": 0,
        "tickcolor": style.INK,
        "activebgcolor": style.OKABE_ITO[0],
        "currentvalue": {"font": {"size": 16, "color": style.INK}, "offset": 8},
    }


PLAYING = [("▶ play", None, 800, 300), ("▶▶ fast", None, 250, 150), ("❚❚ pause", [None], 0, 0)]


# plotly watches menus all of whose buttons lead to one frame, and while the picture moves it puts back what a
# button did when it was first drawn; a menu that also holds such a button it leaves alone
UNSEEN = {"visible": False, "method": "skip"}


def _button(label: str, to: list | None, milliseconds: int, moving: int) -> dict:
    return {"label": label, "method": "animate", "args": [to, _jump(milliseconds, moving)]}


def _steps(names: list[str], now: int) -> list[dict]:
    """A step on or back from `now`: every frame brings its own two."""
    back, on = names[max(now - 1, 0)], names[min(now + 1, len(names) - 1)]
    return [_button("◀ step", [back], 300, 300), _button("step ▶", [on], 300, 300)]


def _menu(x: float, buttons: list[dict]) -> dict:
    return {
        "type": "buttons",
        "direction": "left",
        "x": x,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 82},
        "showactive": False,
        "bgcolor": style.CLEAR,
        "bordercolor": style.INK,
        "font": {"size": 16},
        "buttons": buttons,
    }


def joined(a: dict, b: dict) -> dict:
    """b laid over a, dicts within dicts too."""
    return a | {k: joined(a[k], v) if isinstance(v, dict) and isinstance(a.get(k), dict) else v for k, v in b.items()}
