"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

DIAGRAMS = {
    "combined": '"c"',
    "two_reads": '"b"',
    "two_predictions": '"a"',
    "nothing_to_set": '"c"',
    "blended_early": '"bc"',
    "g_is": '"gate_memory"',
}
BY_LSE = {
    "gate_near": "1 / 3",
    "joint_read": "32",
    "memory_read": "22",
    "local_read": "34",
    "gate_more": "3 / 11",
    "nothing_fetched": "16",
}


def lines(names, others):
    return "\n".join(f"{name} = {value}" for name, value in (names | others).items())


def diagrams(**others):
    return lines(DIAGRAMS, others)


def by_lse(**others):
    return lines(BY_LSE, others)


TILTED = """
class Tilted:
    def __init__(self, near, far, tilt):
        self.near, self.far, self.tilt = near, far, tilt

    def init(self, like):
        return self.near.init(like), self.far.init(like)

    def update(self, mem, new, q=None):
        return self.near.update(mem[0], new), self.far.update(mem[1], new)

    def slots(self, mem):
        return join(self.far.slots(mem[1]), self.near.slots(mem[0]))

    def read(self, mem, q, new=None, lse=False):
        near, lse_near = self.near.read(mem[0], q, lse=True)
        far, lse_far = self.far.read(mem[1], q, lse=True)
        {body}
"""


def tilted(*body):
    return TILTED.format(body="\n        ".join(body))


def gate(expression, out="g * near + (1 - g) * far"):
    return tilted(f"g = {expression}", f"return {out}")


TWO = """
class TwoReads:
    def __init__(self, size, k, gate_memory):
        self.size, self.k, self.gate_memory = size, k, gate_memory

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new)

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        {body}
"""
OLD = "mem[: max(mem.n - self.size, 0)]"
BEST = "(q @ old.k.mT).topk(min(self.k, old.n)).indices[0]"
SUM = "(1 - self.gate_memory) * near + self.gate_memory * far"


def bug(*body):
    return TWO.format(body="\n        ".join(body))


def two(old=OLD, empty="return near", best=BEST, out=SUM, near="mem[-self.size :]"):
    return bug(
        f"old = {old}",
        f"near = attend(q, {near})",
        "if mem.n <= self.size:",
        f"    {empty}",
        f"best = {best}",
        "far = attend(q, old[best])",
        f"return {out}",
    )


GIVEN = (
    "old = mem",
    "near = attend(q, mem[-self.size :])",
    f"best = {BEST}",
    "far = attend(q, old[best]) if mem.n > self.size else 0 * near",
    "return self.gate_memory * near + (1 - self.gate_memory) * far",
)


def many(*body):
    return "def one_softmax(outs, lses):\n    " + "\n    ".join(body)


def choose(guide="local", clerk="Gated(local, book, gate_memory=0.8)", host="Joint(local, book)"):
    return f"guide = {guide}\nclerk = {clerk}\nhost = {host}"


def careful(*body):
    reads = "(a, lse_a), (b, lse_b) = attend(q, near, lse=True), attend(q, far, lse=True)"
    return "def careful(q, near, far):\n    " + "\n    ".join((reads, *body))


VARIANTS = {
    "diagrams": {
        "correct": {
            "capitals": diagrams(combined='"C"', blended_early='"C, B"'),
            "another order": diagrams(blended_early='"cb"', g_is='"gate_memory="'),
            "lists": diagrams(two_reads='["b"]', blended_early='["b", "c"]', g_is='" GATE_MEMORY "'),
        },
        "wrong": {
            "joint and gated exchanged": diagrams(combined='"b"', two_reads='"c"'),
            "predictions taken for reads": diagrams(two_reads='"a"', two_predictions='"b"'),
            "the predictions need nothing": diagrams(nothing_to_set='"a"'),
            "only the gated one blends": diagrams(blended_early='"b"'),
            "all three blend early": diagrams(blended_early='"abc"'),
            "the other side": diagrams(g_is='"gate_local"'),
            "just a gate": diagrams(g_is='"gate"'),
        },
    },
    "by_lse": {
        "correct": {
            "decimals": by_lse(gate_near="0.3333", gate_more="0.2727", joint_read="32.0"),
            "tensors": by_lse(
                gate_near="torch.tensor([6.0, 12.0]).log().softmax(0)[0]", memory_read="torch.tensor(22)"
            ),
            "a sigmoid": by_lse(
                gate_near="torch.sigmoid(torch.tensor(6.0).log() - torch.tensor(12.0).log())",
                gate_more="1 / (1 + 16 / 6)",
                memory_read="0.75 * 16 + 0.25 * 40",
                local_read="0.25 * 16 + 0.75 * 40",
            ),
        },
        "wrong": {
            "the gate of the far side": by_lse(gate_near="2 / 3", joint_read="24"),
            "lses divided, not their exponentials": by_lse(gate_near="1.7918 / (1.7918 + 2.4849)", joint_read="29.9"),
            "gates exchanged": by_lse(memory_read="34", local_read="22"),
            "half and half": by_lse(gate_near="0.5", joint_read="28"),
            "a score of 0 adds nothing": by_lse(gate_more="1 / 3"),
            "more pairs, more for each": by_lse(gate_more="6 / 30"),
            "an empty side keeps its share": by_lse(nothing_fetched="12"),
            "the empty side counts alone": by_lse(nothing_fetched="40"),
        },
    },
    "tilted": {
        "correct": {
            "squeezed": gate("torch.sigmoid(lse_near - lse_far + self.tilt(q).squeeze(-1)).unsqueeze(-1)"),
            "the tilt on the near lse": tilted(
                "both = torch.stack([lse_near + self.tilt(q)[..., 0], lse_far], -1).softmax(-1)",
                "return both[..., :1] * near + both[..., 1:] * far",
            ),
            "by exponentials": tilted(
                "a = (lse_near[..., None] + self.tilt(q))",
                "b = lse_far[..., None]",
                "whole = torch.logaddexp(a, b)",
                "return (a - whole).exp() * near + (b - whole).exp() * far",
            ),
            "turned round twice": gate(
                "torch.sigmoid((lse_far - lse_near)[..., None] - self.tilt(q))", "(1 - g) * near + g * far"
            ),
        },
        "wrong": {
            "no tilt": gate("torch.sigmoid(lse_near - lse_far)[..., None]"),
            "tilt alone": gate("torch.sigmoid(self.tilt(q))"),
            "the tilt weighs the far side": gate("torch.sigmoid((lse_near - lse_far)[..., None] - self.tilt(q))"),
            "sign flipped": gate("torch.sigmoid((lse_far - lse_near)[..., None] + self.tilt(q))"),
            "sides exchanged": gate(
                "torch.sigmoid((lse_near - lse_far)[..., None] + self.tilt(q))", "g * far + (1 - g) * near"
            ),
            "the tilt added behind the sigmoid": gate(
                "(torch.sigmoid(lse_near - lse_far)[..., None] + self.tilt(q)).clamp(0, 1)"
            ),
            "an axis too few": gate("torch.sigmoid(lse_near - lse_far + self.tilt(q))"),
            "the far side is not weighed": gate(
                "torch.sigmoid((lse_near - lse_far)[..., None] + self.tilt(q))", "g * near + far"
            ),
        },
    },
    "bug": {
        "correct": {
            "the early return last": bug(
                f"old, near = {OLD}, attend(q, mem[-self.size :])",
                "far, g = near, 0.0",
                "if old.n:",
                "    best = torch.argsort((q @ old.k.mT)[0], descending=True)[: self.k]",
                "    far, g = attend(q, old[best]), self.gate_memory",
                "return (1 - g) * near + g * far",
            ),
            "with a mask": bug(
                "n, g = mem.n, self.gate_memory",
                "is_near = torch.arange(n)[None] >= n - self.size",
                "near = attend(q, mem, mask=is_near)",
                "if n <= self.size:",
                "    return near",
                "good = (q @ mem.k.mT).masked_fill(is_near, -torch.inf)",
                "least = good.topk(min(self.k, n - self.size)).values[..., -1:]",
                "return near + g * (attend(q, mem, mask=(good >= least) & ~is_near) - near)",
            ),
            "only the lines that were wrong": two(old="mem[: -self.size]"),
        },
        "wrong": {
            "as given": bug(*GIVEN),
            "overlap mended only": bug(
                "old = mem[: max(mem.n - self.size, 0)] if mem.n > self.size else mem", *GIVEN[1:]
            ),
            "gate mended only": bug(*GIVEN[:4], f"return {SUM}"),
            "beginning mended only": bug(*GIVEN[:2], "if mem.n <= self.size:", "    return near", *GIVEN[2:]),
            "overlap left": two(old="mem"),
            "gate left": two(out="self.gate_memory * near + (1 - self.gate_memory) * far"),
            "beginning left": two(empty="return (1 - self.gate_memory) * near"),
            "one pair is held by neither": two(old="mem[: max(mem.n - self.size - 1, 0)]", empty="return near").replace(
                "mem.n <= self.size", "mem.n <= self.size + 1"
            ),
            "the oldest are fetched": two(best="torch.arange(min(self.k, old.n))"),
            "the farthest are fetched": two(best="(q @ old.k.mT).topk(min(self.k, old.n), largest=False).indices[0]"),
        },
    },
    "many": {
        "correct": {
            "a loop": many(
                "whole = torch.logsumexp(lses, 0)",
                "out = torch.zeros_like(outs[0])",
                "for one, lse in zip(outs, lses):",
                "    out = out + (lse - whole).exp()[:, None] * one",
                "return out",
            ),
            "largest taken off first": many(
                "parts = (lses - lses.max(0).values).exp()",
                "return (parts[:, :, None] * outs).sum(0) / parts.sum(0)[:, None]",
            ),
            "einsum": many('return torch.einsum("ri,rie->ie", lses.softmax(dim=0), outs)'),
            "two by two": many(
                "out, lse = outs[0], lses[0]",
                "for other, its in zip(outs[1:], lses[1:]):",
                "    g = torch.sigmoid(lse - its).nan_to_num(0.0)[:, None]",
                "    out, lse = g * out + (1 - g) * other, torch.logaddexp(lse, its)",
                "return out",
            ),
        },
        "wrong": {
            "the mean": many("return outs.mean(0)"),
            "over the wrong axis": many("return (torch.softmax(lses, 1)[..., None] * outs).sum(0)"),
            "weighed by the lse itself": many("return (lses[..., None] * outs).sum(0) / lses.sum(0)[..., None]"),
            "too large numbers": many(
                "parts = lses.exp()", "return (parts[..., None] * outs).sum(0) / parts.sum(0)[..., None]"
            ),
            "the loudest alone": many("return outs[lses.argmax(0), torch.arange(outs.shape[1])]"),
            "not divided": many("return (torch.sigmoid(lses)[..., None] * outs).sum(0)"),
            "the first two": many(
                "g = torch.sigmoid(lses[0] - lses[1])[:, None]", "return g * outs[0] + (1 - g) * outs[1]"
            ),
        },
    },
    "choose": {
        "correct": {
            "a full cache": choose("Full()"),
            "the gate by its other name": choose(clerk="Gated(local, book, gate_local=0.25)"),
            "several steps": "weight = 0.75\n"
            + choose("Window(500)", "Gated(local, book, gate_memory=weight)", "Joint(Window(600), book)"),
        },
        "wrong": {
            "joint for all": choose("Joint(local, book)", "Joint(local, book)", "Joint(local, book)"),
            "local for all": choose("local", "local", "local"),
            "the gate turned round": choose(clerk="Gated(local, book, gate_local=0.8)"),
            "joint for the clerk": choose(clerk="Joint(local, book)"),
            "the host is a clerk": choose(host="Gated(local, book, gate_memory=0.8)"),
            "the host is a guide": choose(host="Gated(local, book, gate_memory=0.1)"),
            "a guide with a short window": choose("Window(4)"),
        },
    },
    "transcripts": {
        "correct": {
            "capitals": 'broken = "BCD"',
            "commas": 'broken = "b, c, d"',
            "words": 'broken = "b, c and d"',
            "a list": 'broken = ["b", "c", "d"]',
        },
        "wrong": {
            "empty in place of mixed up": 'broken = "acd"',
            "two and three exchanged": 'broken = "bdc"',
            "out of date": 'broken = "bce"',
            "the window of both": 'broken = "bcc"',
            "only two": 'broken = "bc"',
            "nothing": 'broken = "aaa"',
        },
    },
    "explain": {
        "correct": {
            "capital": 'letter = "D"',
            "brackets": 'letter = " (d) "',
            "a name": 'answer = "d"\nletter = answer',
        },
        "wrong": {
            "a": 'letter = "a"',
            "b": 'letter = "b"',
            "c": 'letter = "c"',
            "two": 'letter = "ad"',
            "none": 'letter = ""',
        },
    },
    "design": {
        "correct": {
            "a threshold": careful(
                "lean = 8 * q[..., -1].sign()",
                "g = torch.sigmoid(lse_a - lse_b + lean)[..., None]",
                "found = torch.sigmoid(3 * (torch.maximum(lse_a, lse_b) - 20))[..., None]",
                "return found * (g * a + (1 - g) * b)",
            ),
            "hard": careful(
                "near_side = torch.where(q[..., -1] == 0, lse_a > lse_b, q[..., -1] > 0)[..., None]",
                "return torch.where(near_side, a, b) * (torch.maximum(lse_a, lse_b) > 20)[..., None]",
            ),
            "a pair of value zero": careful(
                "mark = 3 * q[..., -1]",
                "a_part, b_part, none = (lse_a + mark).exp(), (lse_b - mark).exp(), torch.exp(20 + mark.abs())",
                "whole = a_part + b_part + none",
                "return (a_part / whole)[..., None] * a + (b_part / whole)[..., None] * b",
            ),
        },
        "wrong": {
            "joint": careful("g = torch.sigmoid(lse_a - lse_b)[..., None]", "return g * a + (1 - g) * b"),
            "the mark alone": careful("g = torch.sigmoid(q[..., -1])[..., None]", "return g * a + (1 - g) * b"),
            "tilted, never silent": careful(
                "g = torch.sigmoid(lse_a - lse_b + 2 * q[..., -1])[..., None]", "return g * a + (1 - g) * b"
            ),
            "silent, no mark": careful(
                "w = torch.softmax(torch.stack([lse_a, lse_b, torch.full_like(lse_a, 20.0)]), 0)[..., None]",
                "return w[0] * a + w[1] * b",
            ),
            "always silent": careful("return 0 * a"),
            "a whisper": careful(
                "g = torch.sigmoid(lse_a - lse_b + 2 * q[..., -1])[..., None]", "return 0.5 * (g * a + (1 - g) * b)"
            ),
            "the mark turned round": careful(
                "mark = 3 * q[..., -1]",
                "w = torch.softmax(torch.stack([lse_a - mark, lse_b + mark, 20 + mark.abs()]), 0)[..., None]",
                "return w[0] * a + w[1] * b",
            ),
        },
    },
}
