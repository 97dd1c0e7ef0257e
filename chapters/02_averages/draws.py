"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/edition.py says how)."""


def by_hand(pick):
    v = pick([6, 2, 8, 4, 3], [2, 6, 4, 8, 9], [12, 4, 2, 6, 1], [3, 7, 9, 1, 2])
    after = {
        "moving_1 = 6": (v[0] + v[1]) / 2,
        "moving_4 = 4": sum(v[2:]) / 3,
        "weighted_1 = 7": (v[0] + 3 * v[1]) / 4,
        "cumulative_3 = 5.5": sum(v[:4]) / 4,
        "exponential_2 = 3": (v[0] + v[1] + 2 * v[2]) / 4,
    }
    return {old: f"{old.split(' = ')[0]} = {new:g}" for old, new in after.items()} | {
        "4, 8, 0, 10, 2": ", ".join(map(str, v)),
        "after token 0 holds 4": f"after token 0 holds {v[0]}",
        "the first value, 4;": f"the first value, {v[0]};",
    }


def kept(pick):
    window, moving, weighted = pick((50, 80, 30), (200, 60, 40), (30, 120, 90), (70, 70, 20))
    return {
        "window of 100": f"window of {window}",
        "moving average of 100": f"moving average of {moving}",
        "weighted average with 100 weights": f"weighted average with {weighted} weights",
        "[100, 1, 1, 1, 1]": [window, 1, 1, 1, 1],
        "[100, 100, 100, 1, 1]": [window, moving, weighted, 1, 1],
    }


def fair(pick):
    name, keep, letter = pick("FairFading", "FairTrace", "FairDecay"), pick("keep", "hold", "stay"), pick("a", "b", "c")
    step = "pairs = KV((1 - self.rate) * pairs.k + one.k, (1 - self.rate) * pairs.v + one.v)"
    return {
        "FairExponential": name,
        "$(1-g)^j$": f"${letter}^j$",
        r"With $g=\tfrac12$": rf"`{name}({keep})` takes ${letter}$, called `{keep}`. With ${letter}=\tfrac12$",
        "<code>1 - self.rate</code>": f"<code>self.{keep}</code>",
        "def __init__(self, rate)": f"def __init__(self, {keep})",
        "self.rate = rate": f"self.{keep} = {keep}",
        step: f"pairs = KV(self.{keep} * pairs.k + one.k, self.{keep} * pairs.v + one.v)",
        "total = (1 - self.rate) * total + 1": f"total = self.{keep} * total + 1",
        "at rate 0.5": f"with {keep} 0.5",
    }


def bug(pick):
    changes = {"RunningAverage": pick("RollingAverage", "SlidingAverage", "RunningMean")}
    if pick(True, False):
        changes |= {
            "# if pairs.n >= self.size:": "# if pairs.n > self.size + 1:",
            "#     leaves = pairs[-1:]": "#     leaves = pairs[:1]",
            "#     pairs = pairs[1:]": "#     pairs = pairs[:-1]",
            "Three things are wrong: one shows while it\nfills, one when the first pair leaves, "
            "one in which pair is taken out.": "Three things are wrong: one shows while it\nfills, one in how many "
            "pairs may stay, one in which pair is then no longer kept.",
        }
    return changes


def follow(pick):
    said, share, late, half = pick(("three quarters", 0.75, 301, 3), ("four fifths", 0.8, 401, 3),
                                   ("nine tenths", 0.9, 901, 4))  # fmt: skip
    return {
        "than half of the weight": f"than {said} of the weight",
        '("moving", 4, 100)` is 3': '("moving", 4, 100)` is 4',
        '("cumulative", 0, 100)` is 101': f'("cumulative", 0, 100)` is {late}',
        '("exponential", 0.5, 100)` is 2': f'("exponential", 0.5, 100)` is {half}',
        "Exactly half is not enough": f"Exactly {said} is not enough",
        "until it is more than half is good enough": f"until it is more than {said} is good enough",
        "at exactly half of the weight the old topic is not yet outweighed": f"exactly {said} of the weight is not more",
        "while new_weight(s) <= 0.5": f"while new_weight(s) <= {share}",
    }


def choose(pick):
    n = pick(48, 56, 80, 96)
    return {
        "newest 64 pairs": f"newest {n} pairs",
        "Window(64)": f"Window({n})",
        "tasks.recall(needle, 64, seed=seed)": f"tasks.recall(needle, {n}, seed=seed)",
        "64 * 2 * 16 * 4": f"{n} * 2 * 16 * 4",
    }


def explain(pick):
    said = (
        "The noise is stronger for a while after the switch; 64 steps later it is as before.",
        "It has dropped the old topic at the switch, and must gather the new one from nothing, up to 64 pairs.",
        "Until half of its pairs are new the old topic outweighs the new one; in the end the last old pair has left.",
        "Softmax gives the older of its keys more weight; 64 steps later the last of these has left.",
    )
    order = pick((2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2), (0, 1, 3, 2))
    changes = {said[i]: said[j] for i, j in enumerate(order)}
    return changes | {'letter = "c"': f'letter = "{"abcd"[order.index(2)]}"'}


def design(pick):
    name = pick("track", "believe", "listen")
    return {
        "follow(state, x) -> (state, out)": f"{name}(x, state) -> (out, state)",
        "it gets its own last state (`None` at first) and the next value `x [16]`, and gives\n"
        "the next state and a vector `out [16]` whose largest entry is the topic it believes in.": "it gets the next "
        "value `x [16]` and its own last state (`None` at first), and gives\na vector `out [16]` whose largest entry "
        "is the topic it believes in, and its next state.",
        "def follow(state, x)": f"def {name}(x, state)",
        "state, out = follow(state, x)": f"out, state = {name}(x, state)",
    }


DRAWS = {one.__name__: one for one in (by_hand, kept, fair, bug, follow, choose, explain, design)}
