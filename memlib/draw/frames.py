"""What all films share: the slider that says each step, play and pause."""

from __future__ import annotations

import plotly.graph_objects as go

from memlib.draw import style

HEAD = 30  # pixels for a panel's name


def playing(fig: go.Figure, frames: list[go.Frame], said: list[str]) -> go.Figure:
    """A figure with frames, and with what moves through them: a slider that says each step, play and pause."""
    fig.frames = frames
    names = [str(frame.name) for frame in frames]
    return fig.update_layout(sliders=[_slider(names, said)], updatemenus=[_buttons()])


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


def _jump(milliseconds: int) -> dict:
    frame = {"duration": milliseconds, "redraw": True}
    return {"frame": frame, "transition": {"duration": 0}, "mode": "immediate", "fromcurrent": True}


def _slider(names: list[str], said: list[str]) -> dict:
    steps = [
        {"method": "animate", "label": style.safe(text), "args": [[name], _jump(0)]}
        for name, text in zip(names, said, strict=True)
    ]
    return {
        "steps": steps,
        "x": 0.3,
        "len": 0.7,
        "y": 0,
        "pad": {"t": 30},
        "bgcolor": style.LINE,
        "bordercolor": style.INK,
        "font": {"size": 1, "color": style.CLEAR},
        "ticklen": 5,
        "minorticklen": 0,
        "tickcolor": style.INK,
        "activebgcolor": style.OKABE_ITO[0],
        "currentvalue": {"font": {"size": 16, "color": style.INK}, "offset": 8},
    }


def _buttons() -> dict:
    return {
        "type": "buttons",
        "direction": "left",
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 46},
        "showactive": False,
        "bgcolor": style.CLEAR,
        "bordercolor": style.INK,
        "font": {"size": 16},
        "buttons": [
            {"label": "▶ play", "method": "animate", "args": [None, _jump(700)]},
            {"label": "❚❚ pause", "method": "animate", "args": [[None], _jump(0)]},
        ],
    }


def joined(a: dict, b: dict) -> dict:
    """b laid over a, dicts within dicts too."""
    return a | {k: joined(a[k], v) if isinstance(v, dict) and isinstance(a.get(k), dict) else v for k, v in b.items()}
