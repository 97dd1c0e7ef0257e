"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

HEAD = """
class {name}:
    def __init__(self, {fields}):
        {own} = {fields}

    def init(self, like):
        return {empty}

    def update(self, mem, new, q=None):
        {body}

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""


def memory(name, fields, parts, lines):
    empty = ", ".join(["like.empty()"] * parts)
    own = ", ".join(f"self.{field}" for field in fields.split(", "))
    return HEAD.format(name=name, fields=fields, own=own, empty=empty, body="\n        ".join(lines))


def sinks(*lines):
    return memory("SinkHybrid", "sinks, local, compressed, rate", 3, lines)


def bug(*lines):
    return memory("Bulk", "local, compressed, rate", 2, lines)


def cascade(*lines):
    return memory("Cascade", "local, far, rate", 3, lines)


def hand(
    first=("[[0, 1]]", "[2]", "[3, 4, 5, 6]"), then=("[[4, 5], [6, 7]]", "[8]", "[9, 10, 11, 12]"), read="7", lost="4"
):
    lines = [f"{part}_6 = {x}" for part, x in zip(("compressed", "staging", "local"), first, strict=True)]
    lines += [f"{part}_12 = {x}" for part, x in zip(("compressed", "staging", "local"), then, strict=True)]
    return "\n".join([*lines, f"slots_read = {read}", f"tokens_lost = {lost}"])


def order(word="fdbgac", other="e", mixed="b", gone="a"):
    return f'order = "{word}"\nother = "{other}"\nmixed_at = "{mixed}"\ngone_at = "{gone}"'


TOGETHER = {
    "gate": "0.25",
    "joined_read": "32.5",
    "mixed_read": "25",
    "first_joined": "0.1875",
    "first_mixed": "0.375",
    "biased_read": "35.714",
    "mixed_empty": "20",
}


def together(**others):
    return "\n".join(f"{name} = {value}" for name, value in (TOGETHER | others).items())


def past(*lines):
    return "def another_past(v):\n    " + "\n    ".join(lines)


def choose(
    orders="Hybrid(36, 4, 4)",
    suspects="Hybrid(20, 20, 4, MeanPool(rescale=True))",
    room="Hybrid(16, 20, 8, count_bias=True)",
):
    return f"orders = {orders}\nsuspects = {suspects}\nroom = {room}"


def walked(
    full,
    group="raw[: self.rate]",
    rest="raw[self.rate :]",
    keep="compressed.append(mean_of(old), keep=self.compressed)",
    to_sink="first.n < self.sinks",
    one="new[t : t + 1]",
    steps="range(new.n)",
):
    """The sink hybrid, pair by pair, one thing another."""
    return sinks(
        "first, compressed, raw = mem",
        f"for t in {steps}:",
        f"    one = {one}",
        f"    if {to_sink}:",
        "        first = first.append(one)",
        "        continue",
        "    raw = raw.append(one)",
        f"    if {full}:",
        f"        old, raw = {group}, {rest}",
        f"        compressed = {keep}",
        "return first, compressed, raw",
    )


FULL = "raw.n == self.local + self.rate"


def pooled(
    cut="raw[groups * self.rate :]",
    shape="(groups, self.rate)).mean(-2",
    keep="[-self.compressed :]",
    old="raw[: groups * self.rate]",
    count="max(raw.n - self.local, 0) // self.rate",
):
    """The bulk update, one thing another."""
    return bug(
        "compressed, raw = mem",
        "raw = raw.append(new)",
        f"groups = {count}",
        f"old, raw = {old}, {cut}",
        "if groups:",
        f"    k, v = (x.unflatten(-2, {shape}) for x in (old.k, old.v))",
        f"    compressed = compressed.append(KV(k, v)){keep}",
        "return compressed, raw",
    )


def levels(
    middle_full="middle.n == self.rate",
    far="far_tier.append(mean_of(middle), keep=self.far)",
    rest="middle[:0]",
    raw_full="raw.n == self.local + self.rate",
    group="raw[: self.rate]",
    left="raw[self.rate :]",
):
    """The cascade, pair by pair, one thing another."""
    return cascade(
        "far_tier, middle, raw = mem",
        "for t in range(new.n):",
        "    raw = raw.append(new[t : t + 1])",
        f"    if {raw_full}:",
        f"        middle, raw = middle.append(mean_of({group})), {left}",
        f"    if {middle_full}:",
        f"        far_tier, middle = {far}, {rest}",
        "return far_tier, middle, raw",
    )


BEST = """
class Best:
    raw_pairs = {raw}

    def init(self, like):
        return like.empty(), 0, like.empty()

    def update(self, mem, new, q=None):
        mean, count, raw = mem
        raw = raw.append(new)
        cut = max(raw.n - self.raw_pairs, 0)
        old, raw = raw[:cut], raw[cut:]
        if old.n:
            n = count + old.n
            new_mean = [({weight} * a.sum(-2, keepdim=True) + b.sum(-2, keepdim=True)) / n
                        for a, b in ((mean.k, old.k), (mean.v, old.v))]
            mean, count = KV(*new_mean), n
        return mean, count, raw

    def slots(self, mem):
        mean, count, raw = mem
        if not count:
            return raw
        bias = torch.full(mean.k.shape[:-1], {bias})
        return join(KV(mean.k, mean.v, bias), raw)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""


def best(raw="46", weight="count", bias="math.log(count)"):
    return BEST.format(raw=raw, weight=weight, bias=bias)


def given(text):
    """A memory of the library, by the name that is asked for."""
    return f"def Best():\n    return {text}"


VARIANTS = {
    "by_hand": {
        "correct": {
            "tuples": hand(("((0, 1),)", "(2,)", "(3, 4, 5, 6)"), ("((4, 5), (6, 7))", "(8,)", "(9, 10, 11, 12)")),
            "tensors": hand(
                ("torch.tensor([[0, 1]])", "torch.tensor([2])", "torch.arange(3, 7)"), read="torch.tensor(7)"
            ),
            "computed": hand(
                ("[list(range(2))]", "[2]", "list(range(3, 7))"),
                ("[[i, i + 1] for i in (4, 6)]", "[9 - 1]", "[*range(9, 13)]"),
                "2 + 1 + 4",
                "2 * 2",
            ),
        },
        "wrong": {
            "what waits is not read": hand(read="6"),
            "the remainder is dropped": hand(
                ("[[0, 1]]", "[]", "[3, 4, 5, 6]"), ("[[4, 5], [6, 7]]", "[]", "[9, 10, 11, 12]"), "6", "5"
            ),
            "the oldest slots are kept": hand(then=("[[0, 1], [2, 3]]", "[8]", "[9, 10, 11, 12]")),
            "nothing is ever lost": hand(lost="0"),
            "what waits is in the local tier": hand(
                ("[[0, 1]]", "[]", "[2, 3, 4, 5, 6]"), ("[[4, 5], [6, 7]]", "[]", "[8, 9, 10, 11, 12]")
            ),
            "newest first": hand(("[[1, 0]]", "[2]", "[6, 5, 4, 3]"), ("[[6, 7], [4, 5]]", "[8]", "[12, 11, 10, 9]")),
            "every evicted token is a slot": hand(("[[0], [1], [2]]", "[]", "[3, 4, 5, 6]")),
            "slots counted, not tokens": hand(lost="2"),
        },
    },
    "order": {
        "correct": {
            "capitals": order("FDBGAC", "E", "B", "A"),
            "with arrows": order("f -> d -> b -> g -> a -> c", " e ", "(b)", "a."),
            "a join": 'order = "".join("fdbgac")\nother = "e"\nmixed_at = order[2]\ngone_at = order[4]',
        },
        "wrong": {
            "the query reads first": order("cfdbga"),
            "evicted before the new one is in": order("dfbgac"),
            "dropped before it is stored": order("fdbagc"),
            "stored before it is made": order("fdgbac"),
            "all seven": order("fdbgaec"),
            "mixed when it is evicted": order(mixed="d"),
            "gone when it is pooled": order(gone="b"),
            "the other is the drop": order(other="a"),
        },
    },
    "sinks": {
        "correct": {
            "with a while": sinks(
                "first, compressed, raw = mem",
                "free = max(self.sinks - first.n, 0)",
                "first, raw = first.append(new[:free]), raw.append(new[free:])",
                "while raw.n - self.local >= self.rate:",
                "    slot = mean_of(raw[: self.rate])",
                "    compressed, raw = join(compressed, slot)[-self.compressed :], raw[self.rate :]",
                "return first, compressed, raw",
            ),
            "all groups at once": sinks(
                "first, compressed, raw = mem",
                "both = join(first, raw, new)",
                "first, raw = both[: self.sinks], both[self.sinks :]",
                "groups = max(raw.n - self.local, 0) // self.rate",
                "if groups:",
                "    cut = groups * self.rate",
                "    made = KV(*(x[..., :cut, :].unflatten(-2, (groups, -1)).mean(-2) for x in (raw.k, raw.v)))",
                "    compressed, raw = join(compressed, made)[-self.compressed :], raw[cut:]",
                "return first, compressed, raw",
            ),
            "by index": walked(
                FULL,
                "raw[torch.arange(self.rate)]",
                "raw[torch.arange(self.rate, raw.n)]",
                "KV(*(x[..., -self.compressed :, :] for x in (lambda j: (j.k, j.v))(join(compressed, mean_of(old)))))",
            ),
            "greater or equal": walked("raw.n >= self.rate + self.local"),
        },
        "wrong": {
            "one pair too late": walked("raw.n > self.local + self.rate"),
            "one pair too early": walked("raw.n == self.local + self.rate - 1"),
            "the newest are pooled": walked(FULL, "raw[-self.rate :]", "raw[: -self.rate]"),
            "the oldest slots are kept": walked(FULL, keep="join(compressed, mean_of(old))[: self.compressed]"),
            "never drops": walked(FULL, keep="compressed.append(mean_of(old))"),
            "sinks are in the hybrid too": walked(
                FULL, to_sink="first.n < self.sinks and not (raw := raw.append(one)).n < 0"
            ),
            "one sink too many": walked(FULL, to_sink="first.n <= self.sinks"),
            "only the first new pair": walked(FULL, steps="range(1)"),
            "the group stays raw as well": walked(FULL, rest="raw[1:]"),
            "the remainder is dropped": walked("raw.n > self.local", rest="raw[-self.local :]"),
            "the sum": walked(
                FULL,
                keep="compressed.append(KV(self.rate * mean_of(old).k, self.rate * mean_of(old).v), keep=self.compressed)",
            ),
        },
    },
    "bug": {
        "correct": {
            "one by one": bug(
                "compressed, raw = mem",
                "for t in range(new.n):",
                "    raw = raw.append(new[t : t + 1])",
                "    if raw.n >= self.local + self.rate:",
                "        compressed = compressed.append(mean_of(raw[: self.rate]), keep=self.compressed)",
                "        raw = raw[self.rate :]",
                "return compressed, raw",
            ),
            "a view": pooled(shape="(-1, self.rate)).mean(-2"),
            "with average pooling": bug(
                "compressed, raw = mem",
                "raw = raw.append(new)",
                "cut = max(raw.n - self.local, 0) // self.rate * self.rate",
                "if cut:",
                "    k, v = (F.avg_pool1d(x[:cut].T, self.rate).T for x in (raw.k, raw.v))",
                "    compressed = compressed.append(KV(k, v), keep=self.compressed)",
                "return compressed, raw[cut:]",
            ),
        },
        "wrong": {
            "as given": pooled("raw[-self.local :]", "(self.rate, groups)).mean(-3", "[: self.compressed]"),
            "remainder mended only": pooled(shape="(self.rate, groups)).mean(-3", keep="[: self.compressed]"),
            "order of slots mended only": pooled("raw[-self.local :]", "(self.rate, groups)).mean(-3"),
            "groups mended only": pooled("raw[-self.local :]", keep="[: self.compressed]"),
            "remainder still dropped": pooled("raw[-self.local :]"),
            "oldest slots still kept": pooled(keep="[: self.compressed]"),
            "groups still strided": pooled(shape="(self.rate, groups)).mean(-3"),
            "rounded up": pooled(count="-(-max(raw.n - self.local, 0) // self.rate)", shape="(groups, -1)).mean(-2"),
            "nothing is dropped": pooled(keep=""),
            "the newest groups": pooled(
                old="raw[-groups * self.rate :] if groups else raw[:0]", cut="raw[: raw.n - groups * self.rate]"
            ),
        },
    },
    "together": {
        "correct": {
            "fractions": together(
                gate="4 / 16", first_joined="3 / 16", first_mixed="1 / 2 * 3 / 4", biased_read="1000 / 28"
            ),
            "tensors": together(
                gate="torch.tensor(0.25)", joined_read="torch.tensor(32.5)", mixed_empty="torch.tensor(20)"
            ),
            "computed": "_a = KV(torch.tensor([[3.0], [1]]).log(), torch.tensor([[8.0], [16]]))\n"
            "_b = KV(torch.tensor([[8.0], [4]]).log(), torch.tensor([[30.0], [60]]))\n"
            "_one = torch.ones(1, 1)\n"
            + together(
                gate="4 / 16",
                joined_read="attend(_one, join(_a, _b))[0, 0]",
                mixed_read="(attend(_one, _a) + attend(_one, _b))[0, 0] / 2",
                biased_read="attend(_one, join(_a, KV(_b.k, _b.v, torch.full((2,), math.log(2)))))[0, 0]",
                mixed_empty="attend(_one, _b)[0, 0] / 2",
            ),
        },
        "wrong": {
            "the gate turned round": together(gate="0.75", joined_read="17.5", first_joined="9 / 16"),
            "joined is mixed": together(gate="0.5", joined_read="25", first_joined="3 / 8"),
            "mixed is joined": together(mixed_read="32.5", first_mixed="3 / 16"),
            "mean of the four values": together(joined_read="28.5"),
            "bias on A": together(biased_read="(8 * 10 + 12 * 40) / 20"),
            "bias added to the sum": together(biased_read="(4 * 10 + 14 * 40) / 18"),
            "bias without effect": together(biased_read="32.5"),
            "an empty memory takes no part in a mixture": together(mixed_empty="40"),
            "the share in A alone": together(first_mixed="3 / 4"),
        },
    },
    "pasts": {
        "correct": {
            "the other way round the circle": past("return v.roll(-1, dims=0)"),
            "last to the front": past("return torch.cat([v[-1:], v[:-1]])"),
            "by index": past("return v[[*range(1, len(v)), 0]]"),
            "in lists": past("rows = v.tolist()", "return torch.tensor(rows[1:] + rows[:1])"),
        },
        "wrong": {
            "the same": past("return v.clone()"),
            "turned round": past("return v.flip(0)[:-1] if len(v) % 2 else v.flip(1)"),
            "only the first two": past("out = v.clone()", "out[0], out[1] = v[0] + 1, v[1] - 1", "return out"),
            "mean kept, largest not": past(
                "s = torch.zeros_like(v)", "s[0], s[-1] = 1, -1", "return v.roll(1, 0) + 9 * s"
            ),
            "largest kept, mean not": past("return torch.where(v < v.amax(0), v - 1, v)"),
            "columns exchanged": past("return v.roll(1, 1)"),
            "the mean itself": past("return v.mean(0, keepdim=True).expand_as(v)"),
            "negated": past("return -v"),
            "written into the given": past("v[:] = v.roll(1, 0)", "return v"),
        },
    },
    "choose": {
        "correct": {
            "more raw, less covered": choose(
                "Hybrid(43, 0, 2)", "Hybrid(16, 24, 4, MeanPool(rescale=True))", "Hybrid(17, 19, 8, count_bias=True)"
            ),
            "by name": choose(room="Hybrid(local=16, compressed=19, rate=8, count_bias=True)"),
            "with a variable": "slots = 40\n"
            + choose("Hybrid(38, slots - 38, 4)", "Hybrid(18, slots - 18, 4, pool=MeanPool(rescale=True))"),
            "pool and bias": choose(suspects="Hybrid(20, 20, 4, MeanPool(rescale=True), count_bias=True)"),
        },
        "wrong": {
            "the same for all": choose("Hybrid(20, 20, 4)", "Hybrid(20, 20, 4)", "Hybrid(20, 20, 4)"),
            "raw for all": choose("Hybrid(43, 0, 2)", "Hybrid(43, 0, 2)", "Hybrid(43, 0, 2)"),
            "over the limit": choose("Hybrid(60, 0, 2)", "Hybrid(60, 60, 4, MeanPool(rescale=True))"),
            "what waits is not counted": choose(room="Hybrid(20, 20, 8, count_bias=True)"),
            "raw only while they wait": choose("Hybrid(33, 3, 8)"),
            "all compressed for the suspects": choose(suspects="Hybrid(1, 39, 4, MeanPool(rescale=True))"),
            "two slots short for the suspects": choose(suspects="Hybrid(22, 18, 4, MeanPool(rescale=True))"),
            "mean keys for the suspects": choose(suspects="Hybrid(20, 20, 4)"),
            "one of eight for the suspects": choose(suspects="Hybrid(20, 16, 8, MeanPool(rescale=True))"),
            "too few tokens for the suspects": choose(suspects="Hybrid(36, 4, 4, MeanPool(rescale=True))"),
            "no bias for the room": choose(room="Hybrid(16, 20, 8)"),
            "all compressed for the room": choose(room="Hybrid(1, 35, 8, count_bias=True)"),
            "rate 2 for the room": choose(room="Hybrid(16, 26, 2, count_bias=True)"),
            "sums for the room": choose(room="Hybrid(16, 24, 4, MeanPool(rescale=True))"),
            "orders pooled": choose(orders="Hybrid(20, 20, 2, MeanPool(rescale=True))"),
        },
    },
    "cascade": {
        "correct": {
            "whiles": cascade(
                "far_tier, middle, raw = mem",
                "raw = join(raw, new)",
                "while raw.n - self.local >= self.rate:",
                "    middle, raw = join(middle, mean_of(raw[: self.rate])), raw[self.rate :]",
                "while middle.n >= self.rate:",
                "    far_tier = join(far_tier, mean_of(middle[: self.rate]))[-self.far :]",
                "    middle = middle[self.rate :]",
                "return far_tier, middle, raw",
            ),
            "nested": cascade(
                "far_tier, middle, raw = mem",
                "for t in range(new.n):",
                "    raw = raw.append(new[t : t + 1])",
                "    if raw.n - self.local >= self.rate:",
                "        slot = mean_of(raw[: self.rate])",
                "        raw = raw[self.rate :]",
                "        if middle.n + 1 == self.rate:",
                "            far_tier = far_tier.append(mean_of(middle.append(slot)), keep=self.far)",
                "            middle = new.empty()",
                "        else:",
                "            middle = middle.append(slot)",
                "return far_tier, middle, raw",
            ),
            "cut afterwards": levels(far="far_tier.append(mean_of(middle))[-self.far :]", rest="middle.empty()"),
        },
        "wrong": {
            "the middle is not emptied": levels(rest="middle"),
            "the oldest of the middle alone": levels(rest="middle[1:]"),
            "one slot too many": levels(middle_full="middle.n > self.rate"),
            "the far tier keeps the oldest": levels(far="far_tier.append(mean_of(middle))[: self.far]"),
            "the far tier drops nothing": levels(far="far_tier.append(mean_of(middle))"),
            "only two levels": levels(middle_full="False"),
            "the newest raw pairs": levels(group="raw[-self.rate :]", left="raw[: -self.rate]"),
            "one too late": levels(raw_full="raw.n > self.local + self.rate"),
            "not the mean, the oldest": levels(far="far_tier.append(middle[:1], keep=self.far)"),
            "the middle waits as well": levels(middle_full="middle.n == self.local + self.rate"),
        },
    },
    "explain": {
        "correct": {
            "capital": 'letter = "B"',
            "brackets": 'letter = " (b) "',
            "a name": 'answer = "b"\nletter = answer',
        },
        "wrong": {
            "a": 'letter = "a"',
            "c": 'letter = "c"',
            "d": 'letter = "d"',
            "two": 'letter = "bd"',
            "none": 'letter = ""',
        },
    },
    "design": {
        "correct": {
            "a running mean": best(),
            "fewer raw pairs": best(raw="44"),
            "a bias of a little less": best(bias="math.log(0.8 * count)"),
            "two of the library, joined": "from memlib import CumulativeAverage, Window\n\n\nclass Best:\n"
            "    near, all = Window(45), CumulativeAverage()\n\n"
            "    def init(self, like):\n        return self.near.init(like), self.all.init(like), 0\n\n"
            "    def update(self, mem, new, q=None):\n"
            "        return self.near.update(mem[0], new), self.all.update(mem[1], new), mem[2] + new.n\n\n"
            "    def slots(self, mem):\n        one = self.all.slots(mem[1])\n"
            "        return join(KV(one.k, one.v, torch.full(one.k.shape[:-1], math.log(mem[2]))), self.near.slots(mem[0]))\n\n"
            "    def read(self, mem, q, new=None, lse=False):\n        return attend(q, self.slots(mem), lse, new)",
        },
        "wrong": {
            "a window": given("Hybrid(48, 0, 1)"),
            "half and half": given("Hybrid(24, 23, 8, count_bias=True)"),
            "nearly all compressed": given("Hybrid(1, 40, 8, count_bias=True)"),
            "what waits is forgotten": given("Hybrid(44, 3, 128, count_bias=True)"),
            "no count bias": best(bias="0.0"),
            "a mean that forgets how many": best(weight="1"),
            "too few raw pairs": best(raw="30"),
            "too many pairs": best(raw="60"),
        },
    },
}
