"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

FAIR = """
class FairExponential:
    def __init__(self, rate):
        self.rate = rate

    def init(self, like):
        {init}

    def update(self, mem, new, q=None):
        pairs, total = mem
        for t in range(new.n):
            one = new[t : t + 1]
            {update}
        return pairs, total

    def slots(self, mem):
        pairs, total = mem
        {slots}

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""
ZERO = "return KV(torch.zeros_like(like.k[..., :1, :]), torch.zeros_like(like.v[..., :1, :])), 0.0"
SUMS = (
    "pairs = KV((1 - self.rate) * pairs.k + one.k, (1 - self.rate) * pairs.v + one.v)",
    "total = (1 - self.rate) * total + 1",
)
SHOW = "return KV(pairs.k / total, pairs.v / total)"

BUG = """
class RunningAverage:
    def __init__(self, size):
        self.size = size

    def init(self, like):
        return like.empty(), KV(torch.zeros_like(like.k[..., :1, :]), torch.zeros_like(like.v[..., :1, :]))

    def update(self, mem, new, q=None):
        pairs, total = mem
        for t in range(new.n):
            one = new[t : t + 1]
            pairs, total = pairs.append(one), KV(total.k + one.k, total.v + one.v)
            if {when}:
                leaves = {which}
                total = KV(total.k - leaves.k, total.v - leaves.v)
                pairs = pairs[1:]
        return pairs, total

    def slots(self, mem):
        pairs, total = mem
        return KV(total.k / {divisor}, total.v / {divisor})

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""


def fair(*update, slots=SHOW, init=ZERO):
    return FAIR.format(init=init, update="\n            ".join(update or SUMS), slots=slots)


def bug(when="pairs.n > self.size", which="pairs[:1]", divisor="pairs.n"):
    return BUG.format(when=when, which=which, divisor=divisor)


def hand(moving_1="6", moving_4="4", weighted_1="7", cumulative_3="5.5", exponential_2="3"):
    return (
        f"moving_1 = {moving_1}\nmoving_4 = {moving_4}\nweighted_1 = {weighted_1}\n"
        f"cumulative_3 = {cumulative_3}\nexponential_2 = {exponential_2}"
    )


def kept(read="[100, 1, 1, 1, 1]", held="[100, 100, 100, 1, 1]"):
    return f"pairs_read = {read}\npairs_kept = {held}"


def steps(*lines):
    return "import math\n\n\ndef steps_to_follow(kind, value, steady):\n    " + "\n    ".join(lines)


def choose(needle="Window(64)", gist="CumulativeAverage()", drift="ExponentialAverage(0.05)"):
    return f"needle = {needle}\ngist = {gist}\ndrift = {drift}"


def design(*lines):
    return "def follow(state, x):\n    " + "\n    ".join(lines)


def plain(rate):
    return design(f"m = x if state is None else state + {rate} * (x - state)", "return m, m")


VARIANTS = {
    "by_hand": {
        "correct": {
            "fractions": hand("(4 + 8) / 2", "(0 + 10 + 2) / 3", "(4 + 3 * 8) / 4", "22 / 4", "0.5 * 6 + 0.5 * 0"),
            "tensors": hand(*(f"torch.tensor({x})" for x in (6.0, 4.0, 7.0, 5.5, 3.0))),
            "computed": "seen = torch.tensor([4.0, 8.0, 0.0, 10.0, 2.0])\n"
            + hand("seen[:2].mean()", "seen[2:].mean()", "seen[:2] @ torch.tensor([1.0, 3.0]) / 4", "seen[:4].mean()"),
        },
        "wrong": {
            "divided by three from the start": hand(moving_1="4"),
            "the current one is not in": hand(moving_1="4", moving_4="6", cumulative_3="4"),
            "the sum of all weights": hand(weighted_1="28 / 5"),
            "newest first": hand(weighted_1="20 / 4"),
            "the first weights while it fills": hand(weighted_1="6"),
            "begun with zero": hand(exponential_2="2.5"),
            "four in the window": hand(moving_4="5"),
            "divided by the token's number": hand(cumulative_3="22 / 3"),
        },
    },
    "kept": {
        "correct": {
            "tuples": kept("(100, 1, 1, 1, 1)", "(100, 100, 100, 1, 1)"),
            "sums": kept("[100] + 4 * [1]", "3 * [100] + 2 * [1]"),
            "tensors": kept("torch.tensor([100, 1, 1, 1, 1])", "torch.tensor([100, 100, 100, 1, 1])"),
        },
        "wrong": {
            "kept as read": kept(held="[100, 1, 1, 1, 1]"),
            "read as kept": kept(read="[100, 100, 100, 1, 1]"),
            "one less, it leaves anyway": kept(held="[99, 99, 99, 1, 1]"),
            "all for the cumulative": kept(held="[100, 100, 100, 5000, 1]"),
            "the exponential too": kept(held="[100, 100, 100, 1, 100]"),
            "two vectors": kept(read="[200, 2, 2, 2, 2]", held="[200, 200, 200, 2, 2]"),
        },
    },
    "fair": {
        "correct": {
            "a factor of its own": fair(
                "f = 1 - self.rate",
                "pairs, total = KV(pairs.k * f + one.k, pairs.v * f + one.v), total * f + 1",
            ),
            "weights that sum to one": fair(
                "g = self.rate",
                "pairs = KV(pairs.k + g * (one.k - pairs.k), pairs.v + g * (one.v - pairs.v))",
                "total = total + g * (1 - total)",
            ),
            "always divided": fair(
                "f = (1 - self.rate) * total",
                "total = f + 1",
                "pairs = KV((f * pairs.k + one.k) / total, (f * pairs.v + one.v) / total)",
                slots="return pairs",
            ),
            "a count": fair(
                "pairs = KV((1 - self.rate) * pairs.k + one.k, (1 - self.rate) * pairs.v + one.v)",
                "total = total + 1",
                slots="w = (1 - (1 - self.rate) ** total) / self.rate\n        return KV(pairs.k / w, pairs.v / w)",
            ),
        },
        "wrong": {
            "begun with the first": fair(
                "g = self.rate if total else 1.0",
                "pairs = KV((1 - g) * pairs.k + g * one.k, (1 - g) * pairs.v + g * one.v)",
                "total = 1.0",
            ),
            "begun with zero": fair(
                "g = self.rate",
                "pairs = KV((1 - g) * pairs.k + g * one.k, (1 - g) * pairs.v + g * one.v)",
                "total = 1.0",
            ),
            "the rate and its rest swapped": fair(
                "pairs = KV(self.rate * pairs.k + one.k, self.rate * pairs.v + one.v)",
                "total = self.rate * total + 1",
            ),
            "a count for the total": fair(SUMS[0], "total = total + 1"),
            "not divided": fair(slots="return pairs"),
            "only the values divided": fair(slots="return KV(pairs.k, pairs.v / total)"),
            "the newest shrinks too": fair(
                "f = 1 - self.rate",
                "pairs = KV(f * (pairs.k + one.k), f * (pairs.v + one.v))",
                "total = f * total + 1",
            ),
            "an ordinary mean": fair("pairs = KV(pairs.k + one.k, pairs.v + one.v)", "total = total + 1"),
            "keeps all pairs": fair(
                "pairs, total = (pairs.append(one) if total else one), total + 1",
                slots="w = (1 - self.rate) ** torch.arange(pairs.n - 1, -1, -1.0)\n"
                "        w = (w / w.sum())[None]\n        return KV(w @ pairs.k, w @ pairs.v)",
            ),
        },
    },
    "bug": {
        "correct": {
            "at least one more": bug(when="pairs.n >= self.size + 1"),
            "by what is left": bug(which="pairs[0:1]", divisor="max(pairs.n, 1)"),
            "counted": bug(divisor="min(self.size, pairs.n)"),
            "sums made anew": bug(when="pairs.n == self.size + 1", which="pairs[: pairs.n - self.size]"),
        },
        "wrong": {
            "as given": bug("pairs.n >= self.size", "pairs[-1:]", "self.size"),
            "divisor mended only": bug("pairs.n >= self.size", "pairs[-1:]"),
            "still one too early": bug("pairs.n >= self.size", divisor="max(pairs.n, 1)"),
            "still the newest leaves": bug(which="pairs[-1:]"),
            "still divided too early": bug(divisor="self.size"),
            "one too late": bug("pairs.n > self.size + 1"),
            "never leaves": bug("False"),
        },
    },
    "follow": {
        "correct": {
            "formulas": steps(
                "if kind == 'moving':",
                "    return value // 2 + 1",
                "if kind == 'cumulative':",
                "    return steady + 1",
                "return math.floor(math.log(0.5) / math.log(1 - value)) + 1",
            ),
            "from the recipe": steps(
                "memory = {'moving': MovingAverage, 'cumulative': lambda _: CumulativeAverage(),",
                "          'exponential': ExponentialAverage}[kind](value)",
                "n = 2 * steady + 40",
                "rows = recipe(memory, torch.zeros(n, 1, dtype=torch.float64))",
                "return next(t - steady + 1 for t in range(steady, n) if rows[t][0, steady:].sum() > 0.5 + 1e-9)",
            ),
            "two weights": steps(
                "if kind != 'exponential':",
                "    pairs = value if kind == 'moving' else 2 * steady",
                "    return 1 + int(pairs / 2)",
                "old, s = 1.0, 0",
                "while old >= 0.5:",
                "    old, s = old * (1 - value), s + 1",
                "return s",
            ),
        },
        "wrong": {
            "half is enough": steps(
                "if kind == 'moving':",
                "    return math.ceil(value / 2)",
                "if kind == 'cumulative':",
                "    return steady",
                "return math.ceil(math.log(0.5) / math.log(1 - value))",
            ),
            "until the old one is gone": steps(
                "if kind == 'moving':",
                "    return value",
                "if kind == 'cumulative':",
                "    return steady + 1",
                "return math.floor(math.log(0.5) / math.log(1 - value)) + 1",
            ),
            "one over the rate": steps(
                "if kind == 'moving':",
                "    return value // 2 + 1",
                "if kind == 'cumulative':",
                "    return steady + 1",
                "return int(1 / value)",
            ),
            "cumulative as fast as moving": steps(
                "if kind in ('moving', 'cumulative'):",
                "    return (value or steady) // 2 + 1",
                "return math.floor(math.log(0.5) / math.log(1 - value)) + 1",
            ),
            "the rate in place of its rest": steps(
                "if kind == 'moving':",
                "    return value // 2 + 1",
                "if kind == 'cumulative':",
                "    return steady + 1",
                "return math.floor(math.log(0.5) / math.log(value)) + 1",
            ),
            "one too many": steps(
                "if kind == 'moving':",
                "    return value // 2 + 2",
                "if kind == 'cumulative':",
                "    return steady + 2",
                "return math.floor(math.log(0.5) / math.log(1 - value)) + 2",
            ),
        },
    },
    "choose": {
        "correct": {
            "another rate": choose(drift="ExponentialAverage(0.06)"),
            "by name": choose("Window(size=64)", drift="ExponentialAverage(rate=1 / 25)"),
            "a matched rate": "pairs = 32\n" + choose(drift="ExponentialAverage(2 / (pairs + 1))"),
        },
        "wrong": {
            "raw pairs for all": choose(gist="Window(64)", drift="Window(32)"),
            "averages for all": choose(needle="MovingAverage(64)"),
            "a moving one for the drift": choose(drift="MovingAverage(32)"),
            "the longest for the drift": choose(drift="CumulativeAverage()"),
            "fading for the gist": choose(gist="ExponentialAverage(0.05)"),
            "too fast": choose(drift="ExponentialAverage(0.3)"),
            "too slow": choose(drift="ExponentialAverage(0.015)"),
            "more pairs than needed": choose(needle="Window(128)"),
            "too few pairs": choose(needle="Window(32)"),
        },
    },
    "explain": {
        "correct": {
            "capital": 'letter = "C"',
            "spaces": 'letter = " c) "',
            "a name": 'answer = "c"\nletter = answer',
        },
        "wrong": {
            "a": 'letter = "a"',
            "b": 'letter = "b"',
            "d": 'letter = "d"',
            "two": 'letter = "bc"',
            "none": 'letter = ""',
        },
    },
    "design": {
        "correct": {
            "a fair start": design(
                "total, weight = (0 * x, 0.0) if state is None else state",
                "total, weight = 0.97 * total + x, 0.97 * weight + 1",
                "return (total, weight), total / weight",
            ),
            "two means, and a switch between them": design(
                "fast, slow, n, odd = (0 * x, 0 * x, 0, 0) if state is None else state",
                "fast, n = fast + 0.04 * (x - fast), n + 1",
                "slow = slow + (x - slow) / n",
                "odd = odd + 1 if fast.argmax() != slow.argmax() else 0",
                "if odd > 6 and n > 20:",
                "    slow, n, odd = fast, 25, 0",
                "return (fast, slow, n, odd), slow",
            ),
            "the chance of each topic": design(
                "p = torch.full_like(x, 1 / 16) if state is None else state",
                "p = torch.softmax((0.995 * p + 0.005 / 16).log() + x / 4, 0)",
                "return p, p",
            ),
        },
        "wrong": {
            "the best rate": plain(0.04),
            "a fast one": plain(0.15),
            "a slow one": plain(0.01),
            "all alike": design(
                "s = x if state is None else state + x",
                "return s, s",
            ),
            "raw pairs": design(
                "rows = ([] if state is None else list(state)) + [x]",
                "rows = rows[-64:]",
                "return rows, torch.stack(rows).mean(0)",
            ),
            "no memory": design("return x, x"),
        },
    },
}
