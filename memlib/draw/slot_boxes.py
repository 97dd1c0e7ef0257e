"""Slots as boxes that move. Each token's piece keeps its name from step to step: it drops in, slides, and falls out.

Used by the film of a memory's slots.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from memlib.draw import style
from memlib.draw.slot_story import HELD, Told
from memlib.draw.style import ACROSS

ABOVE, BELOW, LOW = 1.2, -0.82, 0.62  # where a piece comes from, where it falls, how high it is there
PALE = 0.4


class Piece(NamedTuple):
    """A token's share of a slot: its middle and its width in slots, the token, and what is said of it."""

    x: float
    wide: float
    token: int
    said: str


def pieces(told: Told, t: int) -> dict[str, Piece]:
    """Every piece after step t, by a name that it keeps as long as its token is held."""
    found: dict[str, Piece] = {}
    if not 0 <= t < told.steps:
        return found
    box = 1 - min(0.2, 6 * told.room / ACROSS)  # six pixels between two slots
    most = max(1.0, *(r.sum(1).max(initial=0) for r in told.recipes))
    met = [0] * len(told.labels)
    for (at, name), row in zip(told.places(t), told.recipes[t], strict=True):
        left = at - box / 2
        for i in map(int, np.flatnonzero(row > HELD)):
            share = box * row[i] / most
            said = f"{style.safe(name)}: {row[i]:.3g} of {style.safe(told.labels[i])}"
            found[f"{i}.{met[i]}"] = Piece(left + share / 2, share, i, said)
            met[i] += 1
            left += share
    return found


def boxes(told: Told, t: int, fitting) -> dict:
    """The bars of step t: what is held, pale below it what this step let go, unseen above it what comes next."""
    now, before, after = (pieces(told, step) for step in (t, t - 1, t + 1))
    gone = {name: piece for name, piece in before.items() if name not in now}
    soon = {name: piece for name, piece in after.items() if name not in now and name not in gone}
    rows = [(*one, 0.0, 1.0, 1.0) for one in now.items()]
    rows += [(*one, BELOW, LOW, PALE) for one in gone.items()]
    rows += [(*one, ABOVE, 1.0, 0.0) for one in soon.items()]
    shown = [piece for _, piece, *_ in rows]
    strength = [strong for *_, strong in rows]
    colors = [told.colors[piece.token] for piece in shown]
    return {
        "type": "bar",
        "ids": [name for name, *_ in rows],
        "x": [round(piece.x, 4) for piece in shown],
        "base": [base for _, _, base, _, _ in rows],
        "y": [high for _, _, _, high, _ in rows],
        "width": [round(piece.wide, 4) for piece in shown],
        "text": [fitting(ACROSS / told.room * piece.wide)[piece.token] for piece in shown],
        "hovertext": [piece.said if strong == 1 else "" for piece, strong in zip(shown, strength, strict=True)],
        "marker": {
            "color": [_faded(color, strong) for color, strong in zip(colors, strength, strict=True)],
            "line": {"width": [int(strong > 0) for strong in strength]},
        },
        "textfont": {"color": [_ink(color, strong) for color, strong in zip(colors, strength, strict=True)]},
    }


def _faded(color: str, strong: float) -> str:
    return color if strong == 1 else f"{color}{round(255 * strong):02X}"


def _ink(color: str, strong: float) -> str:
    return style.over(color) if strong == 1 else style.INK if strong else style.CLEAR
