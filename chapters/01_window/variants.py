"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

DILATED = """
class DilatedWindow:
    def __init__(self, size, stride):
        self.size, self.stride = size, stride

    def init(self, like):
        return like[:0]

    def update(self, mem, new, q=None):
        {update}

    def slots(self, mem):
        {slots}

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""
KEEP = "return mem.append(new)[-self.size * self.stride :]"
PICK = "return mem[torch.arange(mem.n - 1, -1, -self.stride)[: self.size].flip(0)]"

BUG = """
class SinkWindow:
    def __init__(self, size, sinks):
        self.size, self.sinks = size, sinks

    def init(self, like):
        return like[:0]

    def update(self, mem, new, q=None):
        both = mem.append(new)
        {body}

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)
"""


def dilated(update=KEEP, slots=PICK):
    return DILATED.format(update=update, slots=slots)


def bug(*lines):
    return BUG.format(body="\n        ".join(lines))


def hand(after_4="[0, 2, 3, 4]", after_9="[0, 7, 8, 9]", first_lost="1"):
    return f"after_4 = {after_4}\nafter_9 = {after_9}\nfirst_lost = {first_lost}"


def choose(chat="(10, 0)", form="(8, 2)", agent="(4, 6)"):
    return f"chat = {chat}\nform = {form}\nagent = {agent}"


def mask(*lines):
    return "def local_mask(n, size, sinks=0):\n    " + "\n    ".join(lines)


def reach(*lines):
    return "def layers_needed(distance, size, conv=1):\n    " + "\n    ".join(lines)


VARIANTS = {
    "by_hand": {
        "correct": {
            "tuples": hand("(0, 2, 3, 4)", "(0, 7, 8, 9)"),
            "tensors": hand("torch.tensor([0, 2, 3, 4])", "torch.tensor([0, 7, 8, 9])", "torch.tensor(1)"),
            "computed": hand("[0, *range(2, 5)]", "[0, *range(7, 10)]", "int('1')"),
            "floats": hand("[0.0, 2.0, 3.0, 4.0]"),
        },
        "wrong": {
            "the sink counts in the size": hand("[0, 3, 4]", "[0, 8, 9]"),
            "no sink": hand("[2, 3, 4]", "[7, 8, 9]"),
            "the current token is not in": hand("[0, 1, 2, 3]", "[0, 6, 7, 8]"),
            "newest first": hand("[4, 3, 2, 0]", "[9, 8, 7, 0]"),
            "the sink is lost first": hand(first_lost="0"),
            "one more": hand("[0, 1, 2, 3, 4]", "[0, 6, 7, 8, 9]"),
        },
    },
    "mask": {
        "correct": {
            "loops": mask(
                "m = torch.zeros(n, n, dtype=torch.bool)",
                "for i in range(n):",
                "    for j in range(i + 1):",
                "        m[i, j] = i - j < size or j < sinks",
                "return m",
            ),
            "triangles": mask(
                "m = torch.ones(n, n).tril().triu(1 - size)",
                "m[:, :sinks] = 1",
                "return m.tril().bool()",
            ),
            "whole numbers": mask(
                "i = torch.arange(n)",
                "d = i[:, None] - i",
                "return ((d >= 0) * ((d < size) | (i < sinks))).int()",
            ),
            "lists": mask("return [[j <= i and (j > i - size or j < sinks) for j in range(n)] for i in range(n)]"),
        },
        "wrong": {
            "one too many": mask(
                "i = torch.arange(n)",
                "d = i[:, None] - i",
                "return (d >= 0) & ((d <= size) | (i < sinks))",
            ),
            "not itself": mask(
                "i = torch.arange(n)",
                "d = i[:, None] - i",
                "return (d > 0) & ((d < size) | (i < sinks))",
            ),
            "the future too": mask(
                "i = torch.arange(n)",
                "d = i[:, None] - i",
                "return (d.abs() < size) | (i < sinks)",
            ),
            "transposed": mask(
                "i = torch.arange(n)",
                "d = i - i[:, None]",
                "return (d >= 0) & ((d < size) | (i[:, None] < sinks))",
            ),
            "sinks forgotten": mask("return torch.ones(n, n).tril().triu(1 - size).bool()"),
            "sinks see the future": mask(
                "m = torch.ones(n, n).tril().triu(1 - size).bool()",
                "m[:, :sinks] = True",
                "return m",
            ),
        },
    },
    "dilated": {
        "correct": {
            "a loop": dilated(
                slots="keep = []\n        for i in range(mem.n - 1, -1, -self.stride):\n"
                "            if len(keep) < self.size:\n                keep.insert(0, i)\n"
                "        return mem[torch.tensor(keep, dtype=torch.int64)]"
            ),
            "the least that must be kept": dilated("return mem.append(new)[-((self.size - 1) * self.stride + 1) :]"),
            "new KVs by hand": dilated(
                "k = torch.cat([mem.k, new.k])[-self.size * self.stride :]\n"
                "        v = torch.cat([mem.v, new.v])[-self.size * self.stride :]\n        return KV(k, v)",
                "return KV(*(x.flip(0)[:: self.stride][: self.size].flip(0) for x in (mem.k, mem.v)))",
            ),
            "append with keep": dilated("return mem.append(new, keep=self.size * self.stride)"),
        },
        "wrong": {
            "counted from the oldest": dilated(slots="return mem[torch.arange(0, mem.n, self.stride)[-self.size :]]"),
            "newest first": dilated(slots="return mem[torch.arange(mem.n - 1, -1, -self.stride)[: self.size]]"),
            "no limit on what is read": dilated(
                "return mem.append(new)[-self.size * self.stride - self.stride :]",
                "return mem[torch.arange(mem.n - 1, -1, -self.stride).flip(0)]",
            ),
            "only what is read is kept": dilated("return mem.append(new)[-self.size :]"),
            "the current one is left out": dilated(
                slots="return mem[torch.arange(mem.n - 2, -1, -self.stride)[: self.size].flip(0)]"
            ),
            "an ordinary window": dilated("return mem.append(new)[-self.size :]", "return mem"),
            "never forgets": dilated("return mem.append(new)"),
            "one short": dilated(
                slots="return mem[torch.arange(mem.n - 1, -1, -self.stride)[: self.size - 1].flip(0)]"
            ),
        },
    },
    "bug": {
        "correct": {
            "cut, then cut": bug(
                "rest = both[self.sinks :]",
                "return join(both[: self.sinks], rest[max(0, rest.n - self.size) :])",
            ),
            "by index": bug(
                "keep = [i for i in range(both.n) if i < self.sinks or i >= both.n - self.size]",
                "return both[torch.tensor(keep)]",
            ),
            "only when too long": bug(
                "if both.n <= self.sinks + self.size:",
                "    return both",
                "return join(both[: self.sinks], both[-self.size :])",
            ),
        },
        "wrong": {
            "as given": bug("return join(both[-(self.size - 1) :], both[: self.sinks])"),
            "order mended only": bug("return join(both[: self.sinks], both[-(self.size - 1) :])"),
            "off by one mended only": bug("return join(both[-self.size :], both[: self.sinks])"),
            "still twice while it fills": bug("return join(both[: self.sinks], both[-self.size :])"),
            "still one short": bug("return join(both[: self.sinks], both[self.sinks :][-(self.size - 1) :])"),
            "sinks forgotten": bug("return both[-self.size :]"),
            "the oldest are kept": bug("return both[: self.sinks + self.size]"),
        },
    },
    "reach": {
        "correct": {
            "whole division": reach("f = size + conv - 2", "return -(-distance // f) if f > 0 else math.inf"),
            "a loop": reach(
                "if size + conv == 2:",
                "    return float('inf')",
                "n = 0",
                "while n * (size + conv - 2) < distance:",
                "    n += 1",
                "return n",
            ),
            "torch": reach(
                "f = size + conv - 2",
                "return torch.tensor(distance, dtype=torch.float64).div(f).ceil()",
            ),
        },
        "wrong": {
            "rounded down": reach("f = size + conv - 2", "return distance // f if f else math.inf"),
            "the window counted whole": reach("return math.ceil(distance / (size + conv - 1))"),
            "both counted whole": reach("return math.ceil(distance / (size + conv))"),
            "no convolution": reach("return math.ceil(distance / (size - 1)) if size > 1 else math.inf"),
            "one layer too many": reach("f = size + conv - 2", "return distance // f + 1 if f else math.inf"),
            "division by zero": reach("return math.ceil(distance / (size + conv - 2))"),
        },
    },
    "choose": {
        "correct": {
            "lists": choose("[10, 0]", "[8, 2]", "[4, 6]"),
            "sums": choose("(5 + 5, 0)", "(10 - 2, 2)", "(4, 10 - 4)"),
            "names": "pairs = 10\n" + choose("(pairs, 0)", "(pairs - 2, 2)", "(pairs - 6, 6)"),
        },
        "wrong": {
            "no sinks at all": choose("(10, 0)", "(10, 0)", "(10, 0)"),
            "always two sinks": choose("(8, 2)", "(8, 2)", "(8, 2)"),
            "swapped": choose("(10, 0)", "(2, 8)", "(6, 4)"),
            "over the limit": choose("(10, 0)", "(10, 2)", "(10, 6)"),
            "too careful": choose("(9, 0)", "(7, 2)", "(3, 6)"),
        },
    },
    "explain": {
        "correct": {
            "capital": 'letter = "C"',
            "spaces": 'letter = " c "',
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
            "strides below": "lower, upper = [0, 5, 10], [0, 1, 2, 3, 4]",
            "ranges": "lower, upper = range(6), range(0, 13, 6)",
            "tuples, other numbers": "lower, upper = (0, 1, 2, 3), (0, 4, 8, 12)",
        },
        "wrong": {
            "two windows of six": "lower, upper = range(6), range(6)",
            "the future": "lower, upper = range(-5, 1), [0, 6, 12]",
            "too much is read": "lower, upper = range(10), range(10)",
            "too much is kept": "lower, upper = range(6), range(0, 36, 6)",
            "the same strides twice": "lower, upper = range(0, 10, 2), range(0, 10, 2)",
            "one layer only": "lower, upper = range(6), [0]",
        },
    },
}
