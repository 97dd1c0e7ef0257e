"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

ROWS = """
class FadingRows:
    def __init__(self, fade):
        self.fade = torch.as_tensor(fade)

    def init(self, like):
        return like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        {update}

    def read(self, mem, q):
        {read}

    def slots(self, mem):
        return KV(torch.eye(mem.shape[-2]).expand(*mem.shape[:-1], mem.shape[-2]), mem)
"""
CUT = "key, value = new.k[..., t : t + 1, :], new.v[..., t : t + 1, :]"

BUG = """
class Gated:
    def __init__(self, alpha, beta):
        self.alpha, self.beta = alpha, beta

    def init(self, like):
        return torch.zeros(like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        for t in range(new.n):
            key, value = new.k[t : t + 1], new.v[t : t + 1]
            {body}
        return mem

    def read(self, mem, q):
        return F.normalize(q, dim=-1) @ mem

    def slots(self, mem):
        return KV(torch.eye(len(mem)), mem)
"""
UNIT = "key = F.normalize(key, dim=-1)"


def rows(*lines, read="return q @ mem"):
    return ROWS.format(update="\n        ".join(lines), read=read)


def each(step):
    return ("for t in range(new.n):", f"    {CUT}", f"    mem = {step}", "return mem")


def bug(*lines):
    return BUG.format(body="\n            ".join(lines))


def hand(summed="[[6, 4], [3, 0]]", first="[6, 4]", corrected="[[4.72, 1.44], [2.04, -1.92]]", then="[4.72, 1.44]"):
    return f"summed = {summed}\nsummed_read = {first}\ncorrected = {corrected}\ncorrected_read = {then}"


def order(word="cbda", other="e"):
    return f'order = "{word}"\nother = "{other}"'


def erase(*lines):
    return "def erase(s, key):\n    " + "\n    ".join(lines)


def width(a="32", b="64", c="128"):
    return f"for_20 = {a}\nfor_50 = {b}\nfor_90 = {c}"


def rebind(full="0.2", window="5 / 12", delta="1"):
    return f"full_share = {full}\nwindow_share = {window}\ndelta_share = {delta}"


def design(rate, *lines):
    return f"beta = {rate}\n\n\ndef features(x):\n    " + "\n    ".join(lines)


VARIANTS = {
    "by_hand": {
        "correct": {
            "tensors": hand("torch.tensor([[6.0, 4.0], [3.0, 0.0]])", "torch.tensor([6, 4])"),
            "computed": "_k, _v = torch.tensor([[1.0, 0.0], [0.8, 0.6]]), torch.tensor([[2.0, 4.0], [5.0, 0.0]])\n"
            "summed = _k.T @ _v\nsummed_read = summed[0]\n_one = torch.outer(_k[0], _v[0])\n"
            "corrected = _one + torch.outer(_k[1], _v[1] - _k[1] @ _one)\ncorrected_read = _k[0] @ corrected",
            "sums": hand(
                "[[2 + 4, 4 + 0], [0 + 3, 0]]", "(6.0, 4.0)", "[[2 + .8 * 3.4, 4 - .8 * 3.2], [.6 * 3.4, -.6 * 3.2]]"
            ),
        },
        "wrong": {
            "transposed": hand("[[6, 3], [4, 0]]", "[6, 3]", "[[4.72, 2.04], [1.44, -1.92]]", "[4.72, 2.04]"),
            "only the newest": hand("[[4, 0], [3, 0]]", "[4, 0]", "[[4, 0], [3, 0]]", "[4, 0]"),
            "no crosstalk": hand(first="[2, 4]", then="[2, 4]"),
            "the error added, not written by the key": hand(corrected="[[5.4, 0.8], [0, 0]]", then="[5.4, 0.8]"),
            "error with its sign turned": hand(corrected="[[-0.72, 6.56], [-2.04, 1.92]]", then="[-0.72, 6.56]"),
            "delta like the sum": hand(corrected="[[6, 4], [3, 0]]", then="[6, 4]"),
            "asked with the first key": hand(corrected="[[4.4, 0.8], [1.8, -2.4]]", then="[4.4, 0.8]"),
        },
    },
    "order": {
        "correct": {
            "capitals": order("CBDA", "E"),
            "with arrows": order("c, b, d, a", " e "),
            "a join": 'order = "".join(["c", "b", "d", "a"])\nother = "(e)"',
        },
        "wrong": {
            "error before the fade": order("bcda"),
            "read first": order("acbd"),
            "read before the write": order("cbad"),
            "written before the error": order("cdba"),
            "fades last": order("bdac"),
            "the other is the fade": order("cbda", "c"),
            "all five": order("cbdae"),
        },
    },
    "rows": {
        "correct": {
            "einsum": rows(
                "for t in range(new.n):",
                "    outer = torch.einsum('...d,...e->...de', new.k[..., t, :], new.v[..., t, :])",
                "    mem = torch.einsum('d,...de->...de', self.fade, mem) + outer",
                "return mem",
                read="return torch.einsum('...id,...de->...ie', q, mem)",
            ),
            "a diagonal matrix": rows(*each("torch.diag(self.fade) @ mem + key.transpose(-1, -2) * value")),
            "powers, all at once": rows(
                "back = torch.arange(new.n - 1, -1, -1)",
                "left = self.fade ** back[:, None]",
                "return self.fade[:, None] ** new.n * mem + (new.k * left).mT @ new.v",
                read="return (q.unsqueeze(-1) * mem.unsqueeze(-3)).sum(-2)",
            ),
            "float64": rows(
                "s = mem.double()",
                "for t in range(new.n):",
                "    s = s * self.fade.double().unsqueeze(-1)",
                "    s = s + new.k[..., t, :, None].double() * new.v[..., t, None, :].double()",
                "return s.to(mem.dtype)",
            ),
        },
        "wrong": {
            "the new pair fades too": rows(*each("self.fade[:, None] * (mem + key.mT @ value)")),
            "never fades": rows(*each("mem + key.mT @ value")),
            "all rows alike": rows(*each("self.fade.mean() * mem + key.mT @ value")),
            "an average": rows(*each("self.fade[:, None] * mem + (1 - self.fade[:, None]) * (key.mT @ value)")),
            "one fade for many pairs": rows("return self.fade[:, None] * mem + new.k.mT @ new.v"),
            "columns by the newest fade": rows(*each("self.fade[: mem.shape[-1]] * mem + key.mT @ value")),
            "only the first pair": rows("return self.fade[:, None] * mem + new.k[..., :1, :].mT @ new.v[..., :1, :]"),
            "the error is written": rows(*each("self.fade[:, None] * mem + key.mT @ (value - key @ mem)")),
            "the query has length 1": rows(
                *each("self.fade[:, None] * mem + key.mT @ value"), read="return F.normalize(q, dim=-1) @ mem"
            ),
            "softmax over the rows": rows(
                *each("self.fade[:, None] * mem + key.mT @ value"), read="return torch.softmax(q, -1) @ mem"
            ),
        },
    },
    "bug": {
        "correct": {
            "one line": bug(UNIT, "mem = self.alpha * mem + self.beta * key.mT @ (value - self.alpha * key @ mem)"),
            "divided by the length": bug(
                "key = key / key.norm()",
                "mem = mem * self.alpha",
                "mem = mem + torch.outer(key[0], self.beta * (value - key @ mem)[0])",
            ),
            "as a projection": bug(
                UNIT,
                "keep = torch.eye(key.shape[-1]) - self.beta * key.mT @ key",
                "mem = keep @ (self.alpha * mem) + self.beta * key.mT @ value",
            ),
        },
        "wrong": {
            "as given": bug("error = value - key @ mem", "mem = self.beta * mem + key.mT @ (self.alpha * error)"),
            "length mended only": bug(
                UNIT, "error = value - key @ mem", "mem = self.beta * mem + key.mT @ (self.alpha * error)"
            ),
            "names mended only": bug(
                "error = value - key @ mem", "mem = self.alpha * mem + key.mT @ (self.beta * error)"
            ),
            "error still too early": bug(
                UNIT, "error = value - key @ mem", "mem = self.alpha * mem + key.mT @ (self.beta * error)"
            ),
            "length forgotten": bug(
                "mem = self.alpha * mem", "error = value - key @ mem", "mem = mem + key.mT @ (self.beta * error)"
            ),
            "names still swapped": bug(
                UNIT, "mem = self.beta * mem", "error = value - key @ mem", "mem = mem + key.mT @ (self.alpha * error)"
            ),
            "the value normed": bug(
                UNIT,
                "value = F.normalize(value, dim=-1)",
                "mem = self.alpha * mem",
                "mem = mem + key.mT @ (self.beta * (value - key @ mem))",
            ),
            "beta on the value only": bug(
                UNIT, "mem = self.alpha * mem", "mem = mem + key.mT @ (self.beta * value - key @ mem)"
            ),
        },
    },
    "erase": {
        "correct": {
            "divided by the square": erase("return s - torch.outer(key, key @ s) / (key @ key)"),
            "a projection": erase("u = (key / key.norm())[:, None]", "return (torch.eye(len(s)) - u @ u.T) @ s"),
            "column by column": erase(
                "u = key / key.square().sum().sqrt()",
                "return torch.stack([column - u * (u * column).sum() for column in s.T], 1)",
            ),
            "float64": erase(
                "k, m = key.double(), s.double()", "return (m - k[:, None] * (k @ m)[None] / k.dot(k)).float()"
            ),
        },
        "wrong": {
            "length forgotten": erase("return s - torch.outer(key, key @ s)"),
            "everything": erase("return torch.zeros_like(s)"),
            "the largest row": erase("out = s.clone()", "out[key.abs().argmax()] = 0", "return out"),
            "divided by the length only": erase("return s - torch.outer(key, key @ s) / key.norm()"),
            "half of it": erase("u = F.normalize(key, dim=0)", "return s - 0.5 * torch.outer(u, u @ s)"),
            "with its sign turned": erase("u = F.normalize(key, dim=0)", "return s + torch.outer(u, u @ s)"),
            "the state is written into": erase("u = F.normalize(key, dim=0)", "s -= torch.outer(u, u @ s)", "return s"),
            "the rest is erased": erase("u = F.normalize(key, dim=0)", "return torch.outer(u, u @ s)"),
        },
    },
    "width": {
        "correct": {
            "powers": width("2 ** 5", "2 ** 6", "2 ** 7"),
            "tensors": width("torch.tensor(32)", "torch.tensor(64)", "torch.tensor(128)"),
            "measured": "def _least(n):\n    offers = (16, 32, 64, 128, 256)\n"
            "    return next(d for d in offers if tasks.recall(DeltaRule(), n, width=d) >= 0.9)\n\n\n"
            "for_20, for_50, for_90 = map(_least, (20, 50, 90))",
        },
        "wrong": {
            "as many numbers as pairs": width("16", "16", "16"),
            "the next below": width("16", "32", "64"),
            "the widest": width("256", "256", "256"),
            "twice too careful": width("64", "128", "256"),
            "not on offer": width("20", "50", "90"),
            "one too small": width("32", "32", "128"),
            "90 in 64": width("32", "64", "64"),
        },
    },
    "rebind": {
        "correct": {
            "fractions": rebind("1 / 5", "(8 / 3 + 8 / 2) / 16", "16 / 16"),
            "tensors": rebind("torch.tensor(0.2)", "torch.tensor([1 / 3, 1 / 2]).mean()", "torch.tensor(1.0)"),
            "rounded": rebind("0.2", "0.4167", "1.0"),
        },
        "wrong": {
            "a full cache knows all": rebind(full="1.0"),
            "one of all pairs": rebind("1 / 80", "1 / 40"),
            "a window of 2.5 rounds": rebind(window="0.4"),
            "the window holds two of each": rebind(window="0.5"),
            "the window holds three of each": rebind(window="1 / 3"),
            "delta guesses too": rebind(delta="0.2"),
            "one of the keys": rebind("1 / 16", "1 / 16", "1 / 16"),
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
            "two": 'letter = "ab"',
            "none": 'letter = ""',
        },
    },
    "design": {
        "correct": {
            "products of neighbours": design("0.5", "return torch.cat([x * x.roll(1, -1), x * x.roll(2, -1)], -1)"),
            "a cosine beside the key": design(
                "0.5", "x = F.normalize(x, dim=-1)", "return torch.cat([x, torch.cos(17 * x) / 5.6], -1)"
            ),
            "random cosines": design(
                "0.5",
                "g = torch.Generator().manual_seed(5)",
                "way = torch.randn(x.shape[-1], 64, generator=g)",
                "return torch.cos(3 * F.normalize(x, dim=-1) @ way + torch.arange(64))",
            ),
            "another rate": design(
                "0.6", "x = F.normalize(x, dim=-1)", "return torch.cat([x, F.normalize(x * x.roll(3, -1), dim=-1)], -1)"
            ),
        },
        "wrong": {
            "the key as it is": design("1.0", "return x"),
            "a smaller beta only": design("0.5", "return x"),
            "the key twice": design("0.5", "return torch.cat([x, x], -1)"),
            "positive features": design("0.5", "return torch.cat([x.relu(), (-x).relu()], -1)"),
            "phi of linear attention": design("0.5", "return F.elu(torch.cat([x, -x], -1)) + 1"),
            "too many bytes": design("0.5", "return torch.cat([x * x.roll(i, -1) for i in (1, 2, 3, 4)], -1)"),
            "a beta that never overwrites": design(
                "0.1", "return torch.cat([x * x.roll(1, -1), x * x.roll(2, -1)], -1)"
            ),
        },
    },
}
