"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

TWO_SPEEDS = """
class TwoSpeeds:
    def __init__(self, slow, fast):
        self.slow, self.fast = slow, fast

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        {update}

    def slots(self, mem):
        return {slots}

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)
"""

BUG = """
class LeakyReset:
    def __init__(self, leak):
        self.leak = leak

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        {update}

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)
"""


def two(*lines, slots="mem"):
    return TWO_SPEEDS.format(update="\n        ".join(lines), slots=slots)


def bug(*lines):
    return BUG.format(update="\n        ".join(lines))


def hand(states="[8, 6, 3, 7.5]", old="1 / 16", new="[1 / 8, 1 / 4, 1 / 2, 1]", h="-0.6"):
    return f"after_each = {states}\nold_weight = {old}\nnew_weights = {new}\nnew_h = {h}"


def order(token='"cba"', segment='"cab"', updates="3", folded="4"):
    return f"token_form = {token}\nsegment_form = {segment}\nupdates = {updates}\nfolded_before_6 = {folded}"


NAMES = (
    "full_cache",
    "window_of_64",
    "weighted_average_of_64",
    "cumulative_average",
    "exponential_average",
    "gru_network",
    "largest_value_so_far",
    "median_of_all_so_far",
)
RIGHT = ("grows", "raw", "raw", "folds", "folds", "folds", "folds", "grows")


def baskets(right=RIGHT, **changed):
    return "\n".join(f'{name} = "{changed.get(name, basket)}"' for name, basket in zip(NAMES, right, strict=True))


def together(*lines):
    return "def together(first, second):\n    " + "\n    ".join(lines)


def lost(moving="X", cumulative="W", exponential="Z", network="Y", first="4", second="2"):
    letters = f'moving = "{moving}"\ncumulative = "{cumulative}"\nexponential = "{exponential}"\nnetwork = "{network}"'
    return f"{letters}\nmoving_gives_up = {first}\nnetwork_gives_up = {second}"


def choose(scale="cumulative", river="exponential", alarm="latch"):
    return f'scale = "{scale}"\nriver = "{river}"\nalarm = "{alarm}"'


def design(start="torch.zeros(9)", capital="state[8] = letter", leak="0.92", favourite="int(state[:8].argmax())"):
    return f"""
def start():
    return {start}


def fold(state, letter, capital):
    state = state.clone()
    if capital:
        {capital}
    else:
        state[:8] *= {leak}
        state[letter] += 1
    return state


def tell(state):
    return int(state[8]), {favourite}
"""


RATES = "rates = torch.tensor([[self.slow], [self.fast]])"

VARIANTS = {
    "by_hand": {
        "correct": {
            "tensors": hand(
                "torch.tensor([8.0, 6.0, 3.0, 7.5])", "torch.tensor(0.0625)", "0.5 ** torch.arange(3, -1, -1)"
            ),
            "decimals": hand("(8.0, 6.0, 3.0, 7.5)", "0.0625", "(0.125, 0.25, 0.5, 1.0)", "0.2 * 1 + 0.8 * -1"),
            "a loop": "mem, after_each = 0, []\nfor x in (8, 2, 0, 6):\n    mem = mem / 2 + x\n    after_each.append(mem)\n"
            "old_weight, new_weights, new_h = 2**-4, [2**-3, 2**-2, 2**-1, 1], -3 / 5",
        },
        "wrong": {
            "an average": hand("[8, 5, 2.5, 4.25]"),
            "nothing leaks": hand("[8, 10, 10, 16]"),
            "the first is halved too": hand("[4, 4, 2, 7]"),
            "one halving too few": hand(old="1 / 8"),
            "newest first": hand(new="[1, 1 / 2, 1 / 4, 1 / 8]"),
            "each halved once more": hand(new="[1 / 16, 1 / 8, 1 / 4, 1 / 2]"),
            "the gate flipped": hand(h="0.6"),
        },
    },
    "order": {
        "correct": {
            "lists": order("['c', 'b', 'a']", "['c', 'a', 'b']"),
            "with arrows": order('"c -> b -> a"', '"C, A, B"'),
            "computed": order(updates="12 // 4", folded="6 // 4 * 4"),
        },
        "wrong": {
            "read before update in both": order(token='"cab"'),
            "update before read in both": order(segment='"cba"'),
            "swapped": order('"cab"', '"cba"'),
            "an update a token": order(updates="12"),
            "its own segment is folded": order(folded="7"),
            "all before it are folded": order(folded="6"),
            "folded before it is computed": order('"bca"', '"acb"'),
        },
    },
    "two_speeds": {
        "correct": {
            "two states by hand": two(
                "for t in range(new.n):",
                "    k, v = new.k[t], new.v[t]",
                "    if mem.n == 0:",
                "        mem = KV(torch.stack([k, k]), torch.stack([v, v]))",
                "    else:",
                "        rows = [[(1 - r) * x[i] + r * y for i, r in enumerate((self.slow, self.fast))]"
                " for x, y in ((mem.k, k), (mem.v, v))]",
                "        mem = KV(*(torch.stack(x) for x in rows))",
                "return mem",
            ),
            "a step towards the new": two(
                RATES,
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    mem = mem if mem.n else join(pair, pair)",
                "    mem = KV(mem.k + rates * (pair.k - mem.k), mem.v + rates * (pair.v - mem.v))",
                "return mem",
            ),
            "a segment at once": two(
                RATES,
                "if mem.n == 0:",
                "    mem, new = join(new[:1], new[:1]), new[1:]",
                "fade = (1 - rates) ** torch.arange(new.n - 1, -1, -1)",
                "old = (1 - rates) ** new.n",
                "return KV(old * mem.k + rates * fade @ new.k, old * mem.v + rates * fade @ new.v)",
            ),
            "recursion": two(
                "if new.n > 1:",
                "    return self.update(self.update(mem, new[:1]), new[1:])",
                "if mem.n == 0:",
                "    return join(new, new)",
                "def mix(r, slot):",
                "    return KV((1 - r) * slot.k + r * new.k, (1 - r) * slot.v + r * new.v)",
                "return join(mix(self.slow, mem[:1]), mix(self.fast, mem[1:]))",
            ),
        },
        "wrong": {
            "the slots are swapped": two(
                "rates = torch.tensor([[self.fast], [self.slow]])",
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(pair, pair)",
                "    mem = KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
                "return mem",
            ),
            "begins at zero": two(
                RATES,
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(KV(0 * pair.k, 0 * pair.v), KV(0 * pair.k, 0 * pair.v))",
                "    mem = KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
                "return mem",
            ),
            "only the last of a segment": two(
                RATES,
                "pair = new[-1:]",
                "old = mem if mem.n else join(pair, pair)",
                "return KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
            ),
            "the mean of a segment": two(
                RATES,
                "pair = KV(new.k.mean(0, keepdim=True), new.v.mean(0, keepdim=True))",
                "old = mem if mem.n else join(pair, pair)",
                "return KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
            ),
            "a segment backwards": two(
                RATES,
                "for t in range(new.n - 1, -1, -1):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(pair, pair)",
                "    mem = KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
                "return mem",
            ),
            "begins anew with each segment": two(
                RATES,
                "mem = self.init(new)",
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(pair, pair)",
                "    mem = KV((1 - rates) * old.k + rates * pair.k, (1 - rates) * old.v + rates * pair.v)",
                "return mem",
            ),
            "the rate of the old": two(
                RATES,
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(pair, pair)",
                "    mem = KV(rates * old.k + (1 - rates) * pair.k, rates * old.v + (1 - rates) * pair.v)",
                "return mem",
            ),
            "keys are the newest": two(
                RATES,
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    old = mem if mem.n else join(pair, pair)",
                "    mem = KV(join(pair, pair).k, (1 - rates) * old.v + rates * pair.v)",
                "return mem",
            ),
        },
    },
    "sort": {
        "correct": {
            "capitals": baskets(("Grows", "RAW", "Raw", "Folds", "FOLDS", "folds", "Folds", "GROWS")),
            "spaces": baskets(tuple(f" {basket} " for basket in RIGHT)),
            "one by one": "g, r, f = 'grows', 'raw', 'folds'\n"
            + "\n".join(f"{name} = {basket[0]}" for name, basket in zip(NAMES, RIGHT, strict=True)),
        },
        "wrong": {
            "the median folds": baskets(median_of_all_so_far="folds"),
            "the maximum keeps raw pairs": baskets(largest_value_so_far="raw"),
            "a weighted average folds": baskets(weighted_average_of_64="folds"),
            "a cumulative average grows": baskets(cumulative_average="grows"),
            "a window folds": baskets(window_of_64="folds"),
            "a network keeps raw pairs": baskets(gru_network="raw"),
        },
    },
    "together": {
        "correct": {
            "by index": together("return first[0] * second[0], second[0] * first[1] + second[1]"),
            "by trying": together(
                "def both(mem):",
                "    for a, b in (first, second):",
                "        mem = a * mem + b",
                "    return mem",
                "return both(1.0) - both(0.0), both(0.0)",
            ).replace("return both(1.0) - both(0.0)", "return first[0] * second[0]"),
            "a list": together("a, b = second", "return [a * first[0], a * first[1] + b]"),
            "matrices": together(
                "m = [torch.tensor([[float(a), float(b)], [0.0, 1.0]], dtype=torch.float64) for a, b in (first, second)]",
                "both = m[1] @ m[0]",
                "return both[0, 0], both[0, 1]",
            ),
        },
        "wrong": {
            "in the other order": together("return first[0] * second[0], first[0] * second[1] + first[1]"),
            "the sums only": together("return first[0] * second[0], first[1] + second[1]"),
            "a's are added": together("return first[0] + second[0], second[0] * first[1] + second[1]"),
            "the last only": together("return second"),
            "b's are multiplied": together("return first[0] * second[0], first[1] * second[1]"),
            "both leak": together("return first[0] * second[0], second[0] * (first[1] + second[1])"),
        },
    },
    "bug": {
        "correct": {
            "a factor": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0:",
                "        mem = KV(0 * pair.k, 0 * pair.v)",
                "    keep = (1 - self.leak) * float(pair.k[0, 0] <= 0)",
                "    mem = KV(keep * mem.k + pair.k, keep * mem.v + pair.v)",
                "return mem",
            ),
            "recursion": bug(
                "if new.n > 1:",
                "    return self.update(self.update(mem, new[:-1]), new[-1:])",
                "if mem.n == 0 or new.k[0, 0] > 0:",
                "    return new",
                "return KV(mem.k * (1 - self.leak) + new.k, mem.v * (1 - self.leak) + new.v)",
            ),
            "writes into a copy": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or pair.k[0, 0] > 0:",
                "        mem = KV(pair.k.clone(), pair.v.clone())",
                "    else:",
                "        mem = KV(mem.k.clone(), mem.v.clone())",
                "        mem.k.mul_(1 - self.leak).add_(pair.k)",
                "        mem.v.mul_(1 - self.leak).add_(pair.v)",
                "return mem",
            ),
        },
        "wrong": {
            "the order mended only": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or new.k[0, 0] > 0:",
                "        mem = KV(pair.k.clone(), pair.v.clone())",
                "    else:",
                "        mem.k.mul_(1 - self.leak).add_(pair.k)",
                "        mem.v.mul_(1 - self.leak).add_(pair.v)",
                "return mem",
            ),
            "still writes into the state": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or pair.k[0, 0] > 0:",
                "        mem = KV(pair.k.clone(), pair.v.clone())",
                "    else:",
                "        mem.k.mul_(1 - self.leak).add_(pair.k)",
                "        mem.v.mul_(1 - self.leak).add_(pair.v)",
                "return mem",
            ),
            "still backwards": bug(
                "for t in range(new.n - 1, -1, -1):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or pair.k[0, 0] > 0:",
                "        mem = pair",
                "    else:",
                "        mem = KV((1 - self.leak) * mem.k + pair.k, (1 - self.leak) * mem.v + pair.v)",
                "return mem",
            ),
            "looks at the first key of the segment": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or new.k[0, 0] > 0:",
                "        mem = pair",
                "    else:",
                "        mem = KV((1 - self.leak) * mem.k + pair.k, (1 - self.leak) * mem.v + pair.v)",
                "return mem",
            ),
            "never resets": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0:",
                "        mem = pair",
                "    else:",
                "        mem = KV((1 - self.leak) * mem.k + pair.k, (1 - self.leak) * mem.v + pair.v)",
                "return mem",
            ),
            "the leak is what stays": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0 or pair.k[0, 0] > 0:",
                "        mem = pair",
                "    else:",
                "        mem = KV(self.leak * mem.k + pair.k, self.leak * mem.v + pair.v)",
                "return mem",
            ),
            "a reset drops the pair too": bug(
                "for t in range(new.n):",
                "    pair = new[t : t + 1]",
                "    if mem.n == 0:",
                "        mem = pair",
                "    elif pair.k[0, 0] > 0:",
                "        mem = KV(0 * mem.k, 0 * mem.v)",
                "    else:",
                "        mem = KV((1 - self.leak) * mem.k + pair.k, (1 - self.leak) * mem.v + pair.v)",
                "return mem",
            ),
        },
    },
    "lost": {
        "correct": {
            "small letters": lost("x", "w", "z", "y"),
            "spaces": lost(" X ", " W", "Z ", "Y"),
            "tensors": lost(first="torch.tensor(4)", second="torch.tensor(2.0)"),
        },
        "wrong": {
            "network and exponential swapped": lost(exponential="Y", network="Z"),
            "moving and cumulative swapped": lost(moving="W", cumulative="X"),
            "the moving average gives up the oldest of all": lost(first="0"),
            "the moving average gives up the newest": lost(first="5"),
            "the network gives up the oldest": lost(second="0"),
            "the network gives up the newest small letter": lost(second="5"),
        },
    },
    "choose": {
        "correct": {
            "capitals": choose("Cumulative", "EXPONENTIAL", "Latch"),
            "spaces": choose(" cumulative", "exponential ", " latch "),
            "by name": "rules = ['cumulative', 'exponential', 'latch']\nscale, river, alarm = rules",
        },
        "wrong": {
            "always exponential": choose("exponential", "exponential", "exponential"),
            "always cumulative": choose("cumulative", "cumulative", "cumulative"),
            "scale and river swapped": choose("exponential", "cumulative", "latch"),
            "a latch for the river": choose(river="latch"),
            "an average of alarms": choose(alarm="exponential"),
            "no rule at all": choose(scale="full cache"),
        },
    },
    "design": {
        "correct": {
            "another leak": design(leak="0.94"),
            "a running mean": design(leak="0.9").replace("state[letter] += 1", "state[letter] += 0.1"),
            "one-hot capital": design(
                start="torch.zeros(16)", capital="state[8:] = torch.nn.functional.one_hot(torch.tensor(letter), 8)"
            ).replace("int(state[8])", "int(state[8:].argmax())"),
        },
        "wrong": {
            "never leaks": design(leak="1.0"),
            "leaks too fast": design(leak="0.3"),
            "the newest letter": design(leak="0.0"),
            "too many numbers": design(start="torch.zeros(17)"),
            "double precision": design(start="torch.zeros(9, dtype=torch.float64)"),
            "the capital fades": design().replace("state[:8] *= 0.92", "state *= 0.92"),
            "every letter is a capital": design().replace("    else:\n", "    else:\n        state[8] = letter\n"),
        },
    },
}
