"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""


def by_hand(pick):
    values = pick((16, 4, 8, 20, 8), (12, 4, 0, 16, 8), (20, 8, 24, 12, 0), (8, 20, 4, 24, 20))
    size, weights, slow = pick(3, 4), pick((2, 3, 1), (4, 3, 1), (2, 1, 3), (3, 1, 3)), pick(True, False)
    a, b = weights[1:]
    share = 0.25 if slow else 0.5
    fading = values[0]
    for value in values[1:3]:
        fading = (1 - share) * fading + share * value
    steps = "three quarters of what was there and a quarter of what comes" if slow else "half and half"
    return {
        "4, 8, 0, 10, 2": ", ".join(map(str, values)),
        "MovingAverage(3)": f"MovingAverage({size})",
        "holds 4": f"holds {values[0]}",
        "WeightedAverage([1, 1, 3])": f"WeightedAverage({[*weights]})",
        "ExponentialAverage(0.5)": f"ExponentialAverage({share})",
        "the 1 and the 3, divided by 4": f"the {a} and the {b}, divided by {a + b}",
        "the first value, 4; then half and half, twice": f"the first value, {values[0]}; then {steps}, twice",
        "moving_1 = 6": f"moving_1 = {sum(values[:2]) / 2:g}",
        "moving_4 = 4": f"moving_4 = {sum(values[-size:]) / size:g}",
        "weighted_1 = 7": f"weighted_1 = {(a * values[0] + b * values[1]) / (a + b):g}",
        "cumulative_3 = 5.5": f"cumulative_3 = {sum(values[:4]) / 4:g}",
        "exponential_2 = 3": f"exponential_2 = {fading:g}",
    }


def kept(pick):
    window, moving, weighted = pick((50, 80, 30), (200, 60, 40), (30, 120, 90), (70, 250, 20))
    order = pick((4, 1, 0, 3, 2), (2, 3, 1, 4, 0), (3, 0, 4, 2, 1), (1, 4, 2, 0, 3))
    labels = "window", "moving average", "weighted average", "cumulative average", "exponential average"
    public = "window of 100", "moving average of 100", "weighted average with 100 weights", *labels[3:]
    asked = f"window of {window}", f"moving average of {moving}", f"weighted average with {weighted} weights"
    read, held = (window, 1, 1, 1, 1), (window, moving, weighted, 1, 1)
    return {
        "After token 5,000": f"After token {pick('3,000', '7,000', '20,000')}",
        ", ".join(public): ", ".join((*asked, *labels[3:])[i] for i in order),
        ", ".join(f'"{label}"' for label in labels): ", ".join(f'"{labels[i]}"' for i in order),
        "[100, 1, 1, 1, 1]": [read[i] for i in order],
        "[100, 100, 100, 1, 1]": [held[i] for i in order],
    }


def fair(pick):
    """Another number says how fast it fades; a / b is the factor of a step in the example."""
    name, power, example, at, (a, b), factor, asked, pandas = pick(*FADES)
    whole = a * a + a * b + b * b
    return {
        "FairExponential": pick("FairFading", "FairTrace", "FairDecay"),
        "$(1-g)^j$": power,
        r"With $g=\tfrac12$:": f"With ${example}$:",
        r"the weights are $\tfrac12, 1$, so the shares ⅓ and ⅔": (
            rf"the weights are $\tfrac{a}{b}, 1$, so the shares {a}/{a + b} and {b}/{a + b}"
        ),
        r"$\tfrac14,\tfrac12,1$": rf"$\tfrac{a * a}{{{b * b}}},\tfrac{a}{b},1$",
        "1/7, 2/7 and 4/7": f"{a * a}/{whole}, {a * b}/{whole} and {b * b}/{whole}",
        "ewm(alpha, adjust=True)": f"ewm({pandas}, adjust=True)",
        "<code>1 - self.rate</code>": f"<code>{factor}</code>",
        "(1 - self.rate)": factor,
        "at rate 0.5: 1.75?": f"at {at}: {whole / b**2:g}?",
        'rate = number(2, 7, name="rate") / 10': asked,
        "rate": name,
    }


# Ranges that meet no rounding edge at the visible seed.
KEEP = "self.keep", 'keep = number(2, 8, name="keep") / 10', "alpha=1 - keep"
HALF = "0.5 ** (1 / self.half)", 'half = number(2, 12, name="half")', "halflife=half"
COM = "self.com / (1 + self.com)", 'com = number(2, 8, name="com")', "com=com"
FADES = (
    ("keep", "$f^j$ ($f$ is `keep`)", r"f=\tfrac14", "keep 0.25", (1, 4), *KEEP),
    ("keep", "$f^j$ ($f$ is `keep`)", r"f=\tfrac34", "keep 0.75", (3, 4), *KEEP),
    ("half", "$2^{-j/h}$ ($h$ is `half`, the half-life)", r"h=\tfrac12", "half 0.5", (1, 4), *HALF),
    ("com", r"$\left(\tfrac{c}{1+c}\right)^j$ ($c$ is `com`)", "c=3", "com 3", (3, 4), *COM),
)


def bug(pick):
    when, leaves, total, pairs, divisor, said, hint = pick(*BUGS)
    return {
        "RunningAverage": pick("RollingAverage", "SlidingAverage", "RunningMean"),
        "# if pairs.n >= self.size:": f"# if {when}:",
        "#     leaves = pairs[-1:]": f"#     leaves = {leaves}",
        "#     total = KV(total.k - leaves.k, total.v - leaves.v)": f"#     total = {total}",
        "#     pairs = pairs[1:]": f"#     pairs = {pairs}",
        "# return KV(total.k / self.size, total.v / self.size)": (
            f"# return KV(total.k / {divisor}, total.v / {divisor})"
        ),
        "one shows while it\nfills, one when the first pair leaves, one in which pair is taken out.": said,
        "How many pairs may be there before one has to leave? And which one is it?": hint,
    }


BOTH = "KV(total.k - leaves.k, total.v - leaves.v)"
BUGS = (
    (
        "pairs.n >= self.size",
        "pairs[:1]",
        "KV(total.k - leaves.k, total.v)",
        "pairs[1:]",
        "self.size",
        "one shows while it\nfills, one when the first pair leaves, one in what is taken out.",
        "How many pairs may be there before one has to leave? And what must leave the total with it?",
    ),
    (
        "pairs.n > self.size",
        "pairs[-1:]",
        BOTH,
        "pairs[:-1]",
        "self.size",
        "one shows while it\nfills, one in which pair leaves the total, one in which pairs stay.",
        "Which pair is too old when there is one too many? It has to leave the total, and the pairs.",
    ),
    (
        "pairs.n > self.size + 1",
        "pairs[1:2]",
        BOTH,
        "pairs[1:]",
        "max(pairs.n, self.size)",
        "one shows while it\nfills, one when the first pair leaves, one in which pair is taken out.",
        "How many pairs may be there before one has to leave? And which one is it?",
    ),
)


def follow(pick):
    """More than another share of the weight is asked for, and the numbers are given in another order."""
    said, share, moving, cumulative, exponential = pick(
        ("three quarters", 0.75, 7, 301, 3), ("seven eighths", 0.875, 8, 701, 4), ("five eighths", 0.625, 6, 167, 2)
    )
    order = pick((2, 0, 1), (0, 2, 1), (1, 2, 0))

    def call(*given, order=order):
        return f"steps_to_follow({', '.join(given[i] for i in order)})"

    changes = {}
    kinds = '"moving"', '"cumulative"', '"exponential"'
    for given in (("kind", "value", "steady"), *zip(kinds, "n0g", ("steady", "n", "steady"), strict=True)):
        changes[call(*given, order=(0, 1, 2))] = call(*given)
    for kind, old, was, new, now in zip(
        kinds, ("4", "0", "0.5"), (3, 101, 2), ("8", "0", "0.5"), (moving, cumulative, exponential), strict=True
    ):
        changes[f"`{call(kind, old, '100', order=(0, 1, 2))}` is {was}"] = f"`{call(kind, new, '100')}` is {now}"
    return changes | {
        "than half of the weight?": f"than {said} of the weight?",
        "Exactly half is not enough.": f"Exactly {said} are not enough.",
        "until it is more than half is good enough": f"until it is more than {said} is good enough",
        "new_weight(s) <= 0.5": f"new_weight(s) <= {share}",
        "at exactly half of the weight the old topic is not yet outweighed.": (
            f"exactly {said} of the weight are not yet more than {said}."
        ),
    }


def choose(pick):
    needle = pick(40, 48, 96, 128)
    loud, long = pick((4, 1000), (6, 2000), (5, 1800))
    before, after, noise, wanted, rate = pick(
        (300, 20, 1.0, 80, 0.1), (200, 16, 0.8, 80, 0.15), (400, 52, 1.75, 77, 0.04), (300, 64, 2.0, 77, 0.03)
    )
    ago = after - 4  # the check looks at the last eight steps
    return {
        "newest 64 pairs": f"newest {needle} pairs",
        "noise of deviation 5, asked after 1,500 steps": f"noise of deviation {loud}, asked after {long:,} steps",
        "noise of deviation 1.5; the topic changed some 36 steps ago, after 300 steps of another\n  (77 %)": (
            f"noise of deviation {noise:g}; the topic changed some {ago} steps ago, after {before} steps of another\n"
            f"  ({wanted} %)"
        ),
        "within 36 steps. Your <code>steps_to_follow</code> rules some out.": (
            f"within {ago} steps: one that gives the new topic less than half of the weight by then is too slow."
        ),
        "needle = Window(64)": f"needle = Window({needle})",
        "drift = ExponentialAverage(0.05)": f"drift = ExponentialAverage({rate})",
        "tasks.recall(needle, 64, seed=seed)": f"tasks.recall(needle, {needle}, seed=seed)",
        "steady=1500, after=0, noise=5.0": f"steady={long}, after=0, noise={loud}.0",
        "steady=300, after=40, noise=1.5": f"steady={before}, after={after}, noise={noise}",
        "mean(), 0.77)": f"mean(), {wanted / 100})",
        '"needle": 64 * 2 * 16 * 4': f'"needle": {needle} * 2 * 16 * 4',
    }


def explain(pick):
    said = (
        "The noise is stronger for a while after the switch; 64 steps later it is as before.",
        "It has dropped the old topic at the switch, and must gather the new one from nothing, up to 64 pairs.",
        "Until half of its pairs are new the old topic outweighs the new one; in the end the last old pair has left.",
        "Softmax gives the older of its keys more weight; 64 steps later the last of these has left.",
    )
    order = pick((2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2), (0, 1, 3, 2), (1, 2, 3, 0))
    changes = {said[i]: said[j] for i, j in enumerate(order)}
    return changes | {'letter = "c"': f'letter = "{"abcd"[order.index(2)]}"'}


def design(pick):
    """Other streams, and both pairs the other way round: (x, state) -> (out, state)."""
    width, noise, middle, floor, rates, plain, chance = pick(
        (12, 2, 160, 25, (0.03, 0.04, 0.05), 0.79, 0.86),
        (24, 2, 200, 27, (0.03, 0.04, 0.05), 0.78, 0.87),
        (20, 2, 200, 28, (0.03, 0.04, 0.05), 0.79, 0.87),
        (16, 1.5, 120, 15, (0.04, 0.05, 0.06), 0.83, 0.89),
        (24, 1.5, 120, 15, (0.05, 0.06, 0.07), 0.81, 0.87),
    )
    name, spread = pick("track", "believe", "listen"), middle // 4
    return {
        "Streams of 320 values": f"Streams of {2 * middle} values",
        "noise of deviation 2": f"noise of deviation {noise}",
        "follow(state, x) -> (state, out)": f"{name}(x, state) -> (out, state)",
        "it gets its own last state (`None` at first) and the next value `x [16]`, and gives\n"
        "the next state and a vector `out [16]` whose largest entry is the topic it believes in.": (
            f"it gets the next value `x [{width}]` and its own last state (`None` at first), and gives\n"
            f"a vector `out [{width}]` whose largest entry is the topic it believes in, and its next state."
        ),
        "about 0.77": f"about {plain}",
        "about 0.85": f"about {chance}",
        "def follow(state, x)": f"def {name}(x, state)",
        "min=-25": f"min=-{floor}",
        "20, 320": f"20, {2 * middle}",
        "160 + torch.randint(-40, 41,": f"{middle} + torch.randint(-{spread}, {spread + 1},",
        "2 * torch.randn": f"{noise} * torch.randn",
        "(0.03, 0.04, 0.05)": rates,
        "state, out = follow(state, x)": f"out, state = {name}(x, state)",
        "16": width,
    }


DRAWS = {one.__name__: one for one in (by_hand, kept, fair, bug, follow, choose, explain, design)}
