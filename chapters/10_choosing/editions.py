"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

MAP = (
    "all pairs stay in the cache; a small table says for each query which blocks of 64 are worth comparing.",
    "each head has 64 by 64 numbers, which every new pair changes; nothing else is kept of the past.",
    "30,000 contracts were read once; their pairs lie on a server, and each query gets the 32 nearest.",
)


def fits(pick):
    """Another device, another rate; the map in another order."""
    kilobytes, rate, order = pick(40, 48, 56), pick(3, 5, 6), pick((1, 2, 0), (2, 0, 1), (1, 0, 2))
    head = kilobytes * 1024 // 8
    pairs, said = head // 128, ("efficient", "internal", "external")
    changes = {MAP[i]: MAP[was] for i, was in enumerate(order)}
    changes |= {
        f'map_{"abc"[i]} = "{said[i]}"': f'map_{"abc"[i]} = "{said[was]}"' for i, was in enumerate(order) if i != was
    }
    return changes | {
        "**32 KB** (32,768 bytes)": f"**{kilobytes} KB** ({kilobytes * 1024:,} bytes)",
        "4,096 bytes a head.": f"{head:,} bytes a head.",
        "compressed=..., rate=4": f"compressed=..., rate={rate}",
        "pairs_32 = 32": f"pairs_32 = {pairs}",
        "pairs_16 = 64": f"pairs_16 = {2 * pairs}",
        "slots_left = 13": f"slots_left = {pairs - 16 - (rate - 1)}",
        "too_long = 33": f"too_long = {pairs + 1}",
        "matrix_part = 0.25": f"matrix_part = {1024 / head}",
    }


def choose(pick):
    """Less room everywhere; another worst token; another chat."""
    room, worst, (first, newest) = (
        pick(5120, 5200, 5250),
        pick((22, 18), (20, 16), (23, 19)),
        pick((4, 20), (6, 18), (12, 12)),
    )
    return {
        "**5,461 bytes** a head (64 KB in all)": f"**{room:,} bytes** a head ({room * 12:,} in all)",
        "resident(device), most=5461": f"resident(device), most={room}",
        "device = Half(42)": "device = Half(40)",
        "more than 30 pairs": f"more than {worst[0]} pairs",
        "each of the 20 newest": f"each of the {worst[1]} newest",
        "max(work(endless)), most=30": f"max(work(endless)), most={worst[0]}",
        "heard[-20:]": f"heard[-{worst[1]}:]",
        "endless = Window(24)": f"endless = Window({worst[0]})",
        "tokens 0 to 7 (who is speaking) and the 16 newest": f"tokens 0 to {first - 1} (who is speaking) and the {newest} newest",
        "long[:8]": f"long[:{first}]",
        "long[-16:]": f"long[-{newest}:]",
        "chat = Window(16, sinks=8)": f"chat = Window({newest}, sinks={first})",
    }


def mine(pick):
    """A class has a limit of its own, below that of the tournament."""
    kilobytes, size = pick((62, 82), (60, 80), (58, 77))
    head = kilobytes * 1024 // 12
    return {
        "within **64 KB**: 5,461 bytes a head of width 32": f"within **{kilobytes} KB**: {head:,} bytes a head of width 32",
        "scores `Mine` on all eight tasks": "(its limit is 64 KB) scores `Mine` on all eight tasks",
        "64 KB, at every step": f"{kilobytes} KB, at every step",
        "2 * 5461": f"2 * {head}",
        "keep=85": f"keep={size}",
    }


def detective(pick):
    sinks = pick(2, 3, 5, 6)
    return {
        "with **4** sinks": f"with **{sinks}** sinks",
        "receives n + 4": f"receives n + {sinks}",
        "sinks=4": f"sinks={sinks}",
        "n - 4": f"n - {sinks}",
    }


def inside(pick):
    """Other letters, other boxes."""
    said = (
        "a full cache",
        "a window of 110",
        "a window of 100 with 30 sinks",
        "a cumulative average",
        "a window of 32 and the 8 nearest",
        "a matrix, and a model trained with it",
    )
    order = pick((4, 2, 0, 5, 1, 3), (5, 0, 4, 1, 3, 2), (2, 5, 3, 0, 1, 4))  # place -> what stands there
    letter = {was: "abcdef"[place] for place, was in enumerate(order)}
    raw, tail = pick(
        (8, "0.09 0.21 0.04 0.07 0.14 0.05 0.12 0.08"),
        (5, "0.17 0.08 0.31 0.11 0.13"),
        (7, "0.10 0.06 0.23 0.05 0.17 0.12 0.07"),
    )
    size, falls, ratio = pick(
        (5, "0.2 0.16 0.128 0.1024 0.0819 ...", "four fifths"), (2, "0.5 0.25 0.125 0.0625 0.0313 ...", "half")
    )
    return {
        f"- **a** {said[0]}; **b** {said[1]}; **c** {said[2]}; **d** {said[3]};\n- **e** {said[4]}; **f** {said[5]}.": (
            "- " + "; ".join(f"**{'abcdef'[i]}** {said[was]}" for i, was in enumerate(order[:4])) + ";\n"
            f"- **e** {said[order[4]]}; **f** {said[order[5]]}."
        ),
        'inside = "cfbe"': f'inside = "{letter[2]}{letter[5]}{letter[1]}{letter[4]}"',
        "of 38 tokens:": f"of {32 + raw} tokens:",
        "32 to 37: 0.11 0.25 0.04 0.09 0.18 0.13": f"32 to {31 + raw}: {tail}",
        "0.25 0.1875 0.1406 0.1055 0.0791 ...": falls,
        "each weight is three quarters of the one before": f"each weight is {ratio} of the one before",
        '("hybrid", 6)': f'("hybrid", {raw})',
        '("exponential average", 4)': f'("exponential average", {size})',
    }


def explain(pick):
    rows = (
        "0.99 | 0.97 | 0.80 | 0.44 | 0.22 | 0.10 | 0.05",
        "0.12 | 0.06 | 0.03 | 0.02 | 0.01 | 0.00 | 0.00",
        "1.00 | 1.00 | 0.56 | 0.28 | 0.14 | 0.07 | 0.04",
        "1.00 | 0.62 | 0.42 | 0.24 | 0.13 | 0.06 | 0.03",
        "1.00 | 1.00 | 1.00 | 0.56 | 0.28 | 0.14 | 0.07",
    )
    reasons = (
        "All five drop the oldest pairs.",
        "Each can tell only so many pairs apart, whatever N; so the share is a constant number, divided by N.",
        "With more pairs their keys become more alike, so the softmax grows flat.",
        "The values are stored in fewer bits when there are more pairs.",
    )
    order, why = pick((4, 2, 3, 1, 0), (3, 0, 1, 4, 2), (1, 4, 0, 2, 3)), pick((1, 0, 3, 2), (2, 3, 1, 0), (0, 2, 3, 1))
    letter, (many, share) = (
        {was: "abcde"[place] for place, was in enumerate(order)},
        pick((1200, 0.015), (1500, 0.012), (3000, 0.006)),
    )
    changes = {rows[i]: rows[was] for i, was in enumerate(order)} | {
        reasons[i]: reasons[was] for i, was in enumerate(why) if i != was
    }
    return changes | {
        "of 2,000 pairs": f"of {many:,} pairs",
        "at_2000": f"at_{many}",
        '"share at 2000"': f'"share at {many}"',
        "at_2000 = 0.009": f"at_{many} = {share}",
        "**b**'s share": f"**{letter[1]}**'s share",
        'which = "cedab"': f'which = "{"".join(letter[was] for was in (2, 4, 3, 0, 1))}"',
        'reason = "w"': f'reason = "{"vwxy"[why.index(1)]}"',
    }


def telling(pick):
    """Fewer pairs."""
    most, seed = pick((14, 2427), (16, 1217), (18, 1197))
    return {
        "at most **20** pairs": f"at most **{most}** pairs",
        '"at most 20 pairs", len(k) <= 20': f'"at most {most} pairs", len(k) <= {most}',
        "manual_seed(1449)  # the best of 1,500 that were tried": f"manual_seed({seed})  # the best of 1,300 that were tried",
        "torch.randn(20, 3": f"torch.randn({most}, 3",
        "torch.rand(20, 1": f"torch.rand({most}, 1",
    }


DRAWS = {one.__name__: one for one in (fits, choose, mine, detective, inside, explain, telling)}
