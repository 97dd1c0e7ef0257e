"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    local, room, rate, early, late = pick((5, 2, 2, 7, 13), (3, 2, 3, 7, 13), (4, 3, 2, 8, 14), (5, 2, 3, 9, 15))

    def after(t):
        evicted = t + 1 - local
        made = [[*range(i, i + rate)] for i in range(0, evicted - rate + 1, rate)]
        return made[-room:], [*range(evicted // rate * rate, evicted)], [*range(evicted, t + 1)]

    first, waits, newest = after(local + rate - 1)
    gone, many = late + 1 - local, word(rate)
    groups, held, rest = gone // rate, len(after(late)[0]), gone % rate
    assert not waits
    changes = {
        "Hybrid(local=4, compressed=2, rate=2)": f"Hybrid(local={local}, compressed={room}, rate={rate})",
        "after token 5 the": f"after token {local + rate - 1} the",
        "of tokens 0 and 1: `[[0, 1]]`": f"of tokens 0 to {rate - 1}: `{first}`",
        "`[2, 3, 4, 5]`": f"`{newest}`",
        "token 6": f"token {early}",
        "token 12": f"token {late}",
        "the newest four. All": f"the newest {word(local)}. All",
        "two by two": f"{many} by {many}",
        "After token 12, nine have been evicted: four whole groups, and one token without a partner.": (
            f"After token {late}, {word(gone)} have been evicted: {word(groups)} whole groups; {word(rest)} must wait."
        ),
        "Of the four groups only the newest two have room.": (
            f"Of the {word(groups)} groups only the newest {word(held)} have room."
        ),
        "slots_read = 7": f"slots_read = {held + rest + local}",
        "tokens_lost = 4": f"tokens_lost = {(groups - held) * rate}",
    }
    parts = ("compressed", "staging", "local")
    old = {6: ("[[0, 1]]", "[2]", "[3, 4, 5, 6]"), 12: ("[[4, 5], [6, 7]]", "[8]", "[9, 10, 11, 12]")}
    for was, now in ((6, early), (12, late)):
        for name, before, then in zip(parts, old[was], after(now), strict=True):
            changes |= {f"{name}_{was} = {before}": f"{name}_{now} = {then}", f"{name}_{was}": f"{name}_{now}"}
    return changes


def order(pick):
    said = (
        "The oldest slot of the compressed tier is dropped.",
        "The function makes one pair of the group that waits.",
        "The query reads.",
        "The oldest raw pair leaves the local tier.",
        "All that is held is multiplied by 1 - g.",
        "The new pair enters the local tier.",
        "The pooled pair goes to the newest end of the compressed tier.",
    )
    places = pick((3, 6, 0, 5, 1, 4, 2), (6, 2, 5, 1, 3, 0, 4), (2, 4, 6, 0, 5, 3, 1), (5, 0, 3, 6, 2, 1, 4))
    now = {"abcdefg"[was]: "abcdefg"[place] for place, was in enumerate(places)}
    return {said[i]: said[was] for i, was in enumerate(places)} | {
        'order = "fdbgac"': f'order = "{"".join(now[c] for c in "fdbgac")}"',
        'other = "e"': f'other = "{now["e"]}"',
        'mixed_at = "b"': f'mixed_at = "{now["b"]}"',
        'gone_at = "a"': f'gone_at = "{now["a"]}"',
    }


def sinks(pick):
    """Of each group one pair is kept as it is, not the mean."""
    name, which = pick("AnchoredHybrid", "PinnedHybrid", "MooredHybrid"), pick("newest", "oldest")
    kept = "raw[self.rate - 1 : self.rate]" if which == "newest" else "raw[:1]"
    return {
        "SinkHybrid(sinks, local, compressed, rate)": f"{name}(rate, local, compressed, sinks)",
        "later go through a hybrid cache.": (
            f"later go through a hybrid cache whose slots are no means: of each group only the **{which}** pair is kept."
        ),
        "Given: `mean_of(group)`, `kv.append(more)`": "Given: `kv.append(more)`",
        "SinkHybrid(1, 2, 1, 2)` after tokens 0 to 4 holds token 0; tokens 1 and 2 in one slot; 3 and 4.": (
            f"{name}(2, 2, 1, 1)` after tokens 0 to 4 holds token 0; of tokens 1 and 2 only token {1 if which == 'oldest' else 2}; 3 and 4."
        ),
        "Its mean goes to the newest end": f"Its {which} pair goes to the newest end",
        "mean_of(raw[: self.rate])": kept,
        "class SinkHybrid": f"class {name}",
        "def __init__(self, sinks, local, compressed, rate)": "def __init__(self, rate, local, compressed, sinks)",
        "SinkHybrid(sinks, n_local, slots, rate)": f"{name}(rate, n_local, slots, sinks)",
    }


def bug(pick):
    """The keys of a group are no mean."""
    name, (how, said) = (
        pick("Batched", "AtOnce", "Packed"),
        pick(("sum", "the sum"), ("amax", "the largest of each number")),
    )
    third = pick("[: self.compressed]", "", "[self.compressed :]")
    right, wrong = ("unflatten(-2, (groups, self.rate))", "-2"), ("unflatten(-2, (self.rate, groups))", "-3")

    def both(shape, dim):
        return f"k, v = old.k.{shape}.{how}({dim}), old.v.{shape}.mean({dim})"

    changes = {
        "takes many pairs at once and pools": f"takes many pairs at once (of keys it makes {said}, of values the mean) and pools",
        "Bulk(2, 2, 2)": f"{name}(2, 2, 2)",
        "class Bulk": f"class {name}",
        "Bulk(n_local, 2, rate)": f"{name}(n_local, 2, rate)",
        "Bulk(n_local, 3, rate)": f"{name}(n_local, 3, rate)",
        f"k, v = (x.{right[0]}.mean(-2) for x in (old.k, old.v))": both(*right),
        f"#     k, v = (x.{wrong[0]}.mean(-3) for x in (old.k, old.v))": f"#     {both(*wrong)}",
    }
    if third != "[: self.compressed]":
        changes |= {
            "#     compressed = compressed.append(KV(k, v))[: self.compressed]": (
                f"#     compressed = compressed.append(KV(k, v)){third}"
            ),
            "one keeps the wrong slots": "one lets a tier grow without end" if not third else "one keeps too few slots",
        }
    return changes


def together(pick):
    (a, b), (u, v), (c, d), (x, y) = pick(
        ((1, 4), (10, 20), (5, 10), (30, 60)),
        ((6, 2), (10, 30), (1, 1), (40, 60)),
        ((3, 2), (8, 18), (10, 5), (30, 60)),
        ((4, 1), (5, 20), (2, 8), (40, 90)),
    )
    left, right = (a * u + b * v) / (a + b), (c * x + d * y) / (c + d)
    both = a + b + c + d
    return {
        r"keys $\ln 3$ and $\ln 1$, values 8 and 16": rf"keys $\ln {a}$ and $\ln {b}$, values {u} and {v}",
        r"keys $\ln 8$ and $\ln 4$": rf"keys $\ln {c}$ and $\ln {d}$",
        "values 30 and 60": f"values {x} and {y}",
        r"$(3\cdot8+1\cdot16)/4=10$": rf"$({a}\cdot{u}+{b}\cdot{v})/{a + b}={left:g}$",
        "Exponentials: 3 and 1 in A, 8 and 4 in B. B alone answers 40.": (
            f"Exponentials: {a} and {b} in A, {c} and {d} in B. B alone answers {right:g}."
        ),
        "by its sum: 4 and 12.": f"by its sum: {a + b} and {c + d}.",
        "its sum is 24.": f"its sum is {2 * (c + d)}.",
        "gate = 0.25": f"gate = {(a + b) / both}",
        "joined_read = 32.5": f"joined_read = {((a + b) * left + (c + d) * right) / both}",
        "mixed_read = 25": f"mixed_read = {(left + right) / 2}",
        "first_joined = 3 / 16": f"first_joined = {a / both}",
        "first_mixed = 3 / 8": f"first_mixed = {a / (a + b) / 2}",
        "biased_read = (4 * 10 + 24 * 40) / 28": (
            f"biased_read = {((a + b) * left + 2 * (c + d) * right) / (a + b + 2 * (c + d))}"
        ),
        "mixed_empty = 20": f"mixed_empty = {right / 2}",
    }


def pasts(pick):
    """How the values lie: a column a pair, or several heads."""
    name = pick("a_second_past", "the_same_slot", "other_values", "twin")
    changes = {"another_past(v)": f"{name}(v)"}
    if pick(True, False):
        return changes | {
            "the values `v [c, e]`": "the values `v [e, c]`, a column a pair",
            "Every row must": "Every column must",
            "The rows you get": "The columns you get",
            "`[[1., 5.], [2., 0.]]` one answer is `[[2., 0.], [1., 5.]]`": (
                "`[[1., 2.], [5., 0.]]` one answer is `[[2., 1.], [0., 5.]]`"
            ),
            "v.roll(1, 0)": "v.roll(1, 1)",
            "Pool yours and the given values with .mean(0) and .amax(0). Then compare row by row": (
                "Pool yours and the given values with .mean(1) and .amax(1). Then compare column by column"
            ),
            "before = v.clone()": "v = v.T.clone()\nbefore = v.clone()",
            "other_v.mean(0)": "other_v.mean(1)",
            "other_v.amax(0)": "other_v.amax(1)",
            "rows that differ": "columns that differ",
            "(other_v != before).any(1)": "(other_v != before).any(0)",
            "KV(k, other_v.float())": "KV(k, other_v.T.float())",
            "KV(k, before)": "KV(k, before.T)",
        }
    return changes | {
        "has the keys `k [c, d]` and the values `v [c, e]`": "has, in each of two heads, keys `k [2, c, d]` and values `v [2, c, e]`",
        "leave the very same slot": "leave, in each head, the very same slot",
        "Every row must": "Every row of each head must",
        "`[[1., 5.], [2., 0.]]` one answer is `[[2., 0.], [1., 5.]]`": (
            "`[[[1., 5.], [2., 0.]], [[3., 3.], [4., 4.]]]` one answer is `[[[2., 0.], [1., 5.]], [[4., 4.], [3., 3.]]]`"
        ),
        "v.roll(1, 0)": "v.roll(1, -2)",
        "Pool yours and the given values with .mean(0) and .amax(0)": (
            "Pool yours and the given values, head by head, with .mean(-2) and .amax(-2)"
        ),
        "before = v.clone()": "v = torch.stack([v, v.flip(1) + 20])\nbefore = v.clone()",
        'other_v.mean(0), axes=("number",)': 'other_v.mean(-2), axes=("head", "number")',
        'other_v.amax(0), axes=("number",)': 'other_v.amax(-2), axes=("head", "number")',
        "(other_v != before).any(1)": "(other_v != before).any(-1)",
        "k = 9 * torch.eye(c)": "k = (9 * torch.eye(c)).expand(2, c, c)",
        ".abs().amax(1)": ".abs().amax(-1)",
    }


def choose(pick):
    room, newest = pick((47, 40), (51, 43), (53, 46))
    return {
        "43 pairs": f"{room} pairs",
        "local + compressed + rate - 1 <= 43": f"local + compressed + rate - 1 <= {room}",
        "`local <= 43`": f"`local <= {room}`",
        "newest 36 pairs": f"newest {newest} pairs",
        "Hybrid(36, 4, 4)": f"Hybrid({newest}, 4, 4)",
        "most <= 43": f"most <= {room}",
        "found_share(orders, 36)": f"found_share(orders, {newest})",
    }


def cascade(pick):
    """How many middle slots become one far slot."""
    name, (many, code) = (
        pick("TwoStage", "Stairs", "Ladder"),
        pick(("rate + 1", "self.rate + 1"), ("2 * rate", "2 * self.rate")),
    )
    two = 3 if many == "rate + 1" else 4
    return {
        "Cascade(local, far, rate)": f"{name}(rate, far, local)",
        "as soon as `rate` slots are in the middle tier": f"as soon as `{many}` slots are in the middle tier",
        "`rate * rate` tokens": f"`rate * ({many})` tokens",
        "Cascade(1, 2, 2)": f"{name}(2, 2, 1)",
        "after tokens 0 to 4: tokens 0 to 3 are one far slot, a quarter each; token 4 is raw.": (
            f"after tokens 0 to {2 * two}: tokens 0 to {2 * two - 1} are one far slot, {'a sixth' if two == 3 else 'an eighth'} each; "
            f"token {2 * two} is raw."
        ),
        "when the middle tier has <code>rate</code> slots": f"when the middle tier has <code>{many}</code> slots",
        "1/rate² in the far one": f"1/(rate * ({many})) in the far one",
        "class Cascade": f"class {name}",
        "def __init__(self, local, far, rate)": "def __init__(self, rate, far, local)",
        "middle.n == self.rate": f"middle.n == {code}",
        "Cascade(n_local, 2, rate)": f"{name}(rate, 2, n_local)",
        "inputs(34, 2": "inputs(64, 2",
        "torch.eye(34)": "torch.eye(64)",
        "nine pairs, then 25": "nine pairs, then 55",
    }


def explain(pick):
    said = (
        "From 96 pairs on the compressed tier is full and is no longer read.",
        "Each slot, raw or pooled, hands over one value, and that is nearest to the value of one pair only.",
        "No pooled pair is found; sixteen more right answers come by chance.",
        "A hybrid of 48 slots covers 96 tokens, so it equals a window of 96.",
    )
    places = pick((1, 0, 3, 2), (2, 3, 1, 0), (3, 2, 0, 1))
    now = {was: "abcd"[place] for place, was in enumerate(places)}
    return {said[i]: said[was] for i, was in enumerate(places)} | {
        'letter = "b"': f'letter = "{now[1]}"',
        "What would sentence d give": f"What would sentence {now[3]} give",
    }


def design(pick):
    pairs = pick(36, 40, 44)
    needles = pairs - 4
    return {
        "Needle and gist within 48 pairs": f"Needle and gist within {pairs} pairs",
        "at most 48 pairs and eight numbers": f"at most {pairs} pairs and eight numbers",
        "95 % of the newest 44**": f"95 % of the newest {needles}**",
        "46 raw ones": f"{pairs - 2} raw ones",
        "raw.n - 46": f"raw.n - {pairs - 2}",
        "raw[-46:]": f"raw[-{pairs - 2}:]",
        "48 * 2 * 16": f"{pairs} * 2 * 16",
        "-44:": f"-{needles}:",
        "torch.arange(156, 200)": f"torch.arange({200 - needles}, 200)",
    }


DRAWS = {one.__name__: one for one in (by_hand, order, sinks, bug, together, pasts, choose, cascade, explain, design)}
