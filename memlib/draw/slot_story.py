"""What happens in a memory's slots, read off its recipes: who enters, who leaves, what is held, in words."""

from __future__ import annotations

import numpy as np

from memlib.draw import style

HELD = 1e-6  # a token of which no slot has more than this is forgotten
GAP = 0.3  # between two tiers, in slots


class Told:
    """The given arrays, and what happens from step to step, in words."""

    def __init__(self, recipes, tokens, views=None, names=None, tiers=None, at=None):
        self.labels = [style.label(t) for t in tokens]
        n = len(self.labels)
        self.recipes = [style.matrix(r, f"recipes[{t}]", n) for t, r in enumerate(recipes)]
        self.views = None if views is None else style.matrix(views, "views", n)
        self.steps, self.colors, self.names = len(self.recipes), style.token_colors(n), names
        self.at = None if at is None else [int(t) for t in at]
        if self.at is not None and (len(self.at) != self.steps or not all(0 <= t < n for t in self.at)):
            raise ValueError(f"at must name one of the {n} tokens for each of the {self.steps} steps, got {self.at}")
        if not n or not self.steps or (self.steps > n and self.at is None):
            raise ValueError(f"a film needs 1 to {n} recipes for {n} tokens, got {self.steps}")
        rows, what = (n, "tokens") if self.at is None else (self.steps, "steps")
        if self.views is not None and len(self.views) != rows:
            raise ValueError(f"views must have a row for each of the {rows} {what}, got shape {list(self.views.shape)}")
        self.stride = -(-n // self.steps)  # tokens a step: several where a memory reads by segments
        parts = max(np.count_nonzero(r) for r in self.recipes)
        self.boxed = bool(parts <= 4 * n and all(r.min(initial=0) >= 0 for r in self.recipes))
        self.tiers = {} if tiers is None else self._tiers(tiers)
        most = max(1, max(len(r) for r in self.recipes))
        self.room = most if not self.tiers else sum(max(v) for v in self.tiers.values()) + GAP * (len(self.tiers) - 1)

    def _tiers(self, tiers: dict) -> dict[str, list[int]]:
        """The tiers that ever hold a slot, or a sentence on what does not fit."""
        tiers = {name: [int(v) for v in slots] for name, slots in tiers.items()}
        if any(len(slots) != self.steps for slots in tiers.values()):
            raise ValueError(f"tiers must say the slots of each of the {self.steps} steps")
        for t, r in enumerate(self.recipes):
            if sum(slots[t] for slots in tiers.values()) != len(r):
                raise ValueError(f"tiers: at step {t} they have {[v[t] for v in tiers.values()]} slots of {len(r)}")
        if not self.boxed:
            raise ValueError("tiers are framed only where slots are boxes: few tokens a slot, no weight below 0")
        return {name: slots for name, slots in tiers.items() if max(slots)}

    def starts(self) -> dict[str, float]:
        """Where the first slot of each tier stands."""
        rooms = [max(slots) + GAP for slots in self.tiers.values()]
        return dict(zip(self.tiers, np.cumsum([0, *rooms]).tolist(), strict=False))

    def places(self, t: int) -> list[tuple[float, str]]:
        """Where each slot stands at step t, and what it is called."""
        if not self.tiers:
            return [(s, f"slot {s}") for s in range(len(self.recipes[t]))]
        starts = self.starts()
        return [(starts[name] + i, f"{name} {i}") for name, slots in self.tiers.items() for i in range(slots[t])]

    def now(self, t: int) -> int:
        """The newest token at step t."""
        return min(len(self.labels), (t + 1) * self.stride) - 1 if self.at is None else self.at[t]

    def held(self, t: int) -> np.ndarray:
        """Of which tokens something is left after step t."""
        return np.any(np.abs(self.recipes[t]) > HELD, axis=0) if t >= 0 else np.zeros(len(self.labels), bool)

    def event(self, t: int) -> str:
        """Who enters and who leaves at step t, read off the recipes."""
        before, after = self.held(t - 1), self.held(t)
        told = [self._named(who, verb) for who, verb in ((after & ~before, "enter"), (before & ~after, "leave"))]
        still = f"'{self.labels[self.now(t)]}' is read, nothing enters or leaves"
        return f"step {t}: " + (", ".join(filter(None, told)) or still)

    def _named(self, who: np.ndarray, verb: str) -> str:
        names = [f"'{self.labels[i]}'" for i in np.flatnonzero(who)]
        said = ", ".join(names) if len(names) < 5 else f"{len(names)} tokens"
        return f"{said} {verb}{'s' * (len(names) == 1)}" if names else ""

    def holding(self, t: int) -> str:
        """The state after step t in numbers."""
        slots = len(self.recipes[t])
        said = f"{slots} slots hold" if slots != 1 else "1 slot holds"
        in_tiers = ", ".join(f"{slots[t]} {name}" for name, slots in self.tiers.items())
        return f"{said} {self.held(t).sum()} of {self.now(t) + 1} tokens{f' ({in_tiers})' * bool(in_tiers)}."

    def story(self) -> str:
        """The whole film in a sentence."""
        gone = [t for t in range(self.steps) if (self.held(t - 1) & ~self.held(t)).any()]
        lost = f"the first token leaves at step {gone[0]}" if gone else "no token ever leaves"
        read = f"{self.steps} steps, {len(self.labels)} tokens read"
        return f"Film: {read}; {lost}; at the end {self.holding(self.steps - 1)}"
