"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

FITS = {
    "map_a": '"efficient"',
    "map_b": '"internal"',
    "map_c": '"external"',
    "pairs_32": "32",
    "pairs_16": "64",
    "slots_left": "13",
    "too_long": "33",
    "matrix_part": "0.25",
}
CHOOSE = {
    "device": "Half(42)",
    "endless": "Window(24)",
    "document": "CumulativeAverage()",
    "counsel": "Joint(Window(64), KNN(4, store=library))",
    "chat": "Window(16, sinks=8)",
}
INSIDE = {"inside": '"cfbe"', "box_one": '("hybrid", 6)', "box_two": '("exponential average", 4)'}
EXPLAIN = {"which": '"cedab"', "at_2000": "0.009", "doubled": "1", "reason": '"w"'}


def lines(given, **others):
    return "\n".join(f"{name} = {value}" for name, value in (given | others).items())


def fits(**others):
    return lines(FITS, **others)


def choose(**others):
    return lines(CHOOSE, **others)


def inside(**others):
    return lines(INSIDE, **others)


def explain(**others):
    return lines(EXPLAIN, **others)


MINE = """
import torch

from memlib import KV, attend, join


class Mine:
    def init(self, like):
        {init}

    def update(self, mem, new, q=None):
        {update}

    def slots(self, mem):
        {slots}

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""
SHORT = "return KV(like.k.to(torch.float8_e4m3fn), like.v.to(torch.float8_e4m3fn)).empty()"
NEWEST = "return mem.append(KV(new.k.to(torch.float8_e4m3fn), new.v.to(torch.float8_e4m3fn)), keep={size})"
FADE = (
    "age = torch.arange(mem.n - 1, -1, -1.0).expand(mem.k.shape[:-1])\n"
    "        return KV(mem.k.float(), mem.v.float(), {bias})"
)


def mine(init=SHORT, update=None, slots=None, size=85, bias="-0.05 * age"):
    return MINE.format(init=init, update=update or NEWEST.format(size=size), slots=slots or FADE.format(bias=bias))


def body(*some):
    return "\n        ".join(some)


def sixteen(size=42, bias="-0.05 * age"):
    return mine(
        init="return KV(like.k.bfloat16(), like.v.bfloat16()).empty()",
        update=f"return mem.append(KV(new.k.bfloat16(), new.v.bfloat16()), keep={size})",
        slots=FADE.format(bias=bias),
    )


PACKED = mine(
    init="return tuple(x[..., :0, :] for x in (*self.pack(like.k), *self.pack(like.v)))",
    update=body(
        "both = zip(mem, (*self.pack(new.k), *self.pack(new.v)))",
        "return tuple(torch.cat(pair, -2)[..., -80:, :] for pair in both)",
    )
    + """

    def pack(self, x):
        scale = x.abs().amax(-1, keepdim=True) / 127 + 1e-6
        return (x / scale).round().to(torch.int8), scale.half()""",
    slots=body(
        "k, k_scale, v, v_scale = mem",
        "older = torch.arange(k.shape[-2]).flip(0)",
        "return KV(k * k_scale.float(), v * v_scale.float(), (-torch.log1p(older / 4)).expand(k.shape[:-1]))",
    ),
)
AGES = mine(
    init=body("return like.k[..., :0, :].to(torch.int8), like.v[..., :0, :].to(torch.int8)"),
    update=body(
        "for t in range(new.n):",
        "    one = new[t : t + 1]",
        "    k, v = ((24 * x).round().clamp(-127, 127).to(torch.int8) for x in (one.k, one.v))",
        "    mem = tuple(torch.cat([old, x], -2)[..., -80:, :] for old, x in zip(mem, (k, v)))",
        "return mem",
    ),
    slots=body(
        "k, v = (x.float() / 24 for x in mem)",
        "n = k.shape[-2]",
        "score = torch.linspace(0, 1, n).mul(0.05 * n) if n else torch.zeros(0)",
        "return KV(k, v, score + k.new_zeros(k.shape[:-1]))",
    ),
)
OVER = mine(
    init=body("return like.empty()"),
    update="return mem.append(new)",
    slots=FADE.format(bias="-0.05 * age"),
)
MIXED = mine(
    update=body(
        "k = new.k.mean(0, keepdim=True).expand_as(new.k) if new.k.dim() > 2 else new.k",
        "return mem.append(KV(k.to(torch.float8_e4m3fn), new.v.to(torch.float8_e4m3fn)), keep=85)",
    )
)
IN_PLACE = mine(
    init=body(
        "return KV(like.k.new_zeros(*like.k.shape[:-2], 85, like.k.shape[-1]).to(torch.float8_e4m3fn),",
        "          like.v.new_zeros(*like.v.shape[:-2], 85, like.v.shape[-1]).to(torch.float8_e4m3fn))",
    ),
    update=body(
        "for t in range(new.n):",
        "    for old, x in ((mem.k, new.k), (mem.v, new.v)):",
        "        old[..., :-1, :] = old[..., 1:, :].clone()",
        "        old[..., -1, :] = x[..., t, :].to(torch.float8_e4m3fn)",
        "return mem",
    ),
)
HOARD = mine(
    init=body("self.past = like.empty()", "return 0"),
    update=body("self.past = self.past[:mem].append(new)", "return mem + new.n"),
    slots=body(
        "kept = self.past[:mem]",
        "age = torch.arange(kept.n - 1, -1, -1.0).expand(kept.k.shape[:-1])",
        "return KV(kept.k, kept.v, -0.02 * age)",
    ),
)
GLOBAL = mine(
    update=body(
        "of = (*new.k.shape[:-2], new.k.shape[-1], new.v.shape[-1])",
        "PAST[of] = PAST.get(of, new.empty()).append(new)",
        "return mem.append(KV(new.k.to(torch.float8_e4m3fn), new.v.to(torch.float8_e4m3fn)), keep=85)",
    ),
    slots=body(
        "of = (*mem.k.shape[:-2], mem.k.shape[-1], mem.v.shape[-1])",
        "kept = PAST.get(of, KV(mem.k.float(), mem.v.float()))[-256:]",
        "age = torch.arange(kept.n - 1, -1, -1.0).expand(kept.k.shape[:-1])",
        "return KV(kept.k, kept.v, -0.02 * age)",
    ),
).replace("class Mine:", "PAST = {}\n\n\nclass Mine:")
BUILT_UPON = """
import torch

from memlib import KV
from memlib.tasks.leaderboard import Quarter


class Mine(Quarter):
    def __init__(self):
        super().__init__(80)

    def slots(self, mem):
        kept = super().slots(mem)
        return KV(kept.k, kept.v, -0.045 * torch.arange(kept.n).flip(0).expand(kept.k.shape[:-1]))
"""
MERGED = mine(
    init=body(
        "places = (*like.k.shape[:-2], 42)",
        "k, v = (like.k.new_zeros(*places, x.shape[-1]).bfloat16() for x in (like.k, like.v))",
        "return KV(k, v, k.new_full(places, -torch.inf))",
    ),
    update=body(
        "for t in range(new.n):",
        "    k, v = new.k[..., t : t + 1, :].bfloat16(), new.v[..., t : t + 1, :].bfloat16()",
        "    near, place = torch.cosine_similarity(k.float(), mem.k.float(), dim=-1).max(-1, keepdim=True)",
        "    again = near > 0.99",
        "    leaves = torch.where(again, place, 0)",
        "    old = mem.v.take_along_dim(leaves[..., None], -2)",
        "    v = torch.where(again[..., None], old + 0.5 * (v - old), v)",
        "    stays = torch.arange(41)",
        "    stays = (stays + (stays >= leaves))[..., None]",
        "    k, v, bias = (torch.cat([x.take_along_dim(stays, -2), last], -2)",
        "                  for x, last in ((mem.k, k), (mem.v, v), (mem.bias[..., None], torch.zeros_like(k[..., :1]))))",
        "    mem = KV(k, v, bias[..., 0])",
        "return mem",
    ),
    slots="return KV(mem.k.float(), mem.v.float(), mem.bias.float())",
)


def named(*some):
    return "def name_it(seen):\n    " + "\n    ".join(some)


def told(
    alike="bool(got.max() - got.min() < 1e-4)", n="len(got)", all_of="n == len(seen)", sinks="n - 4", seen="last[0] > 0"
):
    return named(
        "last = seen[-1]",
        "got = last[last > 0]",
        f"alike, n = {alike}, {n}",
        "if alike:",
        f'    return ("cumulative average", 0) if {all_of} else ("moving average", n)',
        f"if {all_of}:",
        '    return "full cache", 0',
        f'return ("sinks", {sinks}) if {seen} else ("window", n)',
    )


def telling(seed, n=20, v="torch.rand(n, 1, generator=g).round()", q="2 * torch.randn(1, 3, generator=g)"):
    return "\n".join(
        (
            f"g, n = torch.Generator().manual_seed({seed}), {n}",
            "stream_k = 2 * torch.randn(n, 3, generator=g)",
            f"stream_v = {v}",
            f"stream_q = {q}",
        )
    )


VARIANTS = {
    "fits": {
        "correct": {
            "capitals": fits(map_a='"Efficient attention"', map_b='"INTERNAL"', map_c='"external memory"'),
            "computed": fits(
                pairs_32="32768 // 8 // (2 * 16 * 4)",
                pairs_16="32768 // 8 // (2 * 16 * 2)",
                matrix_part="16 * 16 * 4 / 4096",
            ),
            "tensors": fits(slots_left="torch.tensor(32 - 16 - 3)", too_long="torch.tensor(33)"),
        },
        "wrong": {
            "a block table is external": fits(map_a='"external"', map_c='"efficient"'),
            "a matrix is efficient": fits(map_a='"internal"', map_b='"efficient"'),
            "keys alone": fits(pairs_32="64", pairs_16="128"),
            "the whole model's bytes": fits(pairs_32="256", pairs_16="512"),
            "nothing waits": fits(slots_left="16"),
            "one more waits": fits(slots_left="12"),
            "the last that fits": fits(too_long="32"),
            "a matrix has two parts": fits(matrix_part="0.5"),
        },
    },
    "choose": {
        "correct": {
            "other sizes": choose(
                device="Half(41)", endless="Window(30)", counsel="Joint(Window(60), KNN(8, store=library))"
            ),
            "the store first": choose(counsel="Joint(KNN(2, store=library), Window(62))", endless="Window(20)"),
            "a hybrid for ever": choose(
                endless="Hybrid(20, 4, 2)", document="ExponentialAverage(0.0001) if False else CumulativeAverage()"
            ),
        },
        "wrong": {
            "long numbers": choose(device="Window(40)"),
            "a window that fits": choose(device="Window(21)"),
            "a matrix for the settings": choose(device="DeltaRule()"),
            "segments for ever": choose(endless="Compressive(10, 4, 2, segment=10)"),
            "everything for ever": choose(endless="Full()"),
            "a library for ever": choose(endless="Joint(Window(20), KNN(1, store=library))"),
            "the end of the document": choose(document="Window(3)"),
            "the document's end, faded": choose(document="ExponentialAverage(0.05)"),
            "no library": choose(counsel="Window(64)"),
            "only the library": choose(counsel="KNN(4, store=library)"),
            "its own datastore": choose(counsel="Joint(Window(64), KNN(4, 64))"),
            "sinks and window changed": choose(chat="Window(8, sinks=16)"),
            "only the newest": choose(chat="Window(24)"),
            "on top": choose(chat="Window(24, sinks=8)"),
        },
    },
    "mine": {
        "correct": {
            "whole numbers and a scale": PACKED,
            "whole numbers, one step for all, a ramp": AGES,
            "another fade, fewer pairs": mine(size=76, bias="-0.04 * age"),
            "by the root of the age": mine(size=80, bias="-0.4 * age.sqrt()"),
            "built upon the library's": BUILT_UPON,
            "what every init sets anew": mine(
                init=body("self.fall = 0.05", SHORT),
                slots=body(
                    "age = torch.arange(mem.n - 1, -1, -1.0).expand(mem.k.shape[:-1])",
                    "return KV(mem.k.float(), mem.v.float(), -self.fall * age)",
                ),
            ),
        },
        "wrong": {
            "a window": mine(init="return like.empty()", update="return mem.append(new, keep=21)", slots="return mem"),
            "a window of short numbers": mine(bias="0 * age"),
            "the library's short numbers": BUILT_UPON.replace("-0.045 *", "-0.0 *"),
            "16 bits": sixteen(bias="0 * age"),
            "16 bits that fade fast": sixteen(bias="-0.2 * age"),
            "all is kept in self": HOARD,
            "all is kept in a global": GLOBAL,
            "of many pairs only the last": mine(update=body("new = new[-1:]", NEWEST.format(size=85))),
            "the older the louder": mine(bias="0.05 * age"),
            "fades too fast": mine(bias="-0.4 * age"),
            "one pair too many": mine(size=86),
            "the full cache": OVER,
            "rows mixed": MIXED,
            "the old state is written over": IN_PLACE,
            "zeros in the place of nothing": mine(
                slots=body(
                    "age = torch.arange(mem.n - 1, -1, -1.0).expand(mem.k.shape[:-1])",
                    "return KV(mem.k.float(), mem.v.float() * 0, -0.05 * age)",
                )
            ),
            "the lesson's": MERGED,
        },
    },
    "detective": {
        "correct": {
            "otherwise arranged": told(
                alike="bool(torch.allclose(got, got[:1], atol=1e-4))", n="int((last > 0).sum())"
            ),
            "by sets": named(
                "row = [round(x, 4) for x in seen[-1].tolist()]",
                "places = [i for i, x in enumerate(seen[-1].tolist()) if x > 0]",
                "equal = len({row[i] for i in places}) == 1",
                "if len(places) == len(row):",
                '    return ("cumulative average" if equal else "full cache", 0)',
                "if equal:",
                '    return ("moving average", len(places))',
                'return ("sinks", len(places) - 4) if places[0] == 0 else ("window", len(places))',
            ),
            "by the gap": told(sinks="int((last[4:] > 0).sum())", seen="last[:4].min() > 0"),
        },
        "wrong": {
            "sinks counted": told(sinks="n"),
            "no sinks": told(seen="False"),
            "never an average": told(alike="False"),
            "one short": told(n="len(got) - 1"),
            "all of them by one": told(all_of="n >= len(seen) - 1 or n > 15"),
            "the first row": named("last = seen[0]", "got = last[last > 0]", 'return "window", len(got)'),
        },
    },
    "inside": {
        "correct": {
            "capitals": inside(inside='"CFBE"'),
            "a list": inside(inside='["c", "f", "b", "e"]', box_one='["hybrid", 6]'),
            "spaces": inside(inside='"c f b e"', box_two='("Exponential", 4.0)'),
        },
        "wrong": {
            "a cache for a matrix": inside(inside='"cabe"'),
            "a short window for sinks": inside(inside='"bfce"'),
            "a full cache for the nearest": inside(inside='"cfba"'),
            "groups counted": inside(box_one='("hybrid", 8)'),
            "the reach": inside(box_one='("window", 14)'),
            "the rate itself": inside(box_two='("exponential average", 0.25)'),
            "a moving average": inside(box_two='("moving average", 4)'),
        },
    },
    "explain": {
        "correct": {
            "capitals": explain(which='"CEDAB"', reason='"W"'),
            "computed": explain(at_2000="18 / 2000", doubled="1.0"),
            "a list": explain(which='list("cedab")', reason='" (w) "'),
        },
        "wrong": {
            "the windows changed": explain(which='"ecdab"'),
            "the matrix and the hybrid changed": explain(which='"cebad"' if False else '"ceadb"'),
            "in percent": explain(at_2000="0.9"),
            "another capacity": explain(at_2000="0.018"),
            "twice the bytes, twice the share": explain(doubled="2"),
            "oldest dropped": explain(reason='"v"'),
            "flat softmax": explain(reason='"x"'),
            "fewer bits": explain(reason='"y"'),
        },
    },
    "telling": {
        "correct": {
            "another seed": telling(1109),
            "a third": telling(941),
            "a search": "\n".join(
                (
                    "best = -1.0",
                    "for seed in (3, 525, 1391, 270):",
                    "    g = torch.Generator().manual_seed(seed)",
                    "    k = 2 * torch.randn(20, 3, generator=g)",
                    "    v = torch.rand(20, 1, generator=g).round() if seed % 2 else torch.rand(20, 1, generator=g)",
                    "    q = 2 * torch.randn(1, 3, generator=g)",
                    "    if answers_of(k, v, q).diff().min() > best:",
                    "        best, stream_k, stream_v, stream_q = answers_of(k, v, q).diff().min(), k, v, q",
                )
            ),
        },
        "wrong": {
            "any stream": telling(1),
            "too long": telling(1109, n=24),
            "constant values": telling(1109, v="torch.ones(n, 1)"),
            "values beyond one": telling(1109, v="100 * torch.rand(n, 1, generator=g).round()"),
            "a query that sees nothing": telling(1109, q="torch.zeros(1, 3)"),
            "nothing": "stream_k, stream_v, stream_q = torch.zeros(20, 3), torch.zeros(20, 1), torch.zeros(1, 3)",
        },
    },
}
