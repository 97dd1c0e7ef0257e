"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/edition.py says how)."""


def by_hand(pick):
    x, z = pick([4, 6, 2, 8], [6, 3, 1, 5], [10, 1, 4, 2]), pick(0.3, 0.4, 0.1)
    held, after = 0, []
    for one in x:
        held = held / 2 + one
        after.append(held)
    return {
        "**8, 2, 0, 6**": f"**{', '.join(map(str, x))}**",
        "$z=0.2$": f"$z={z}$",
        "after_each = [8, 6, 3, 7.5]": f"after_each = [{', '.join(f'{a:g}' for a in after)}]",
        "new_h = -0.6": f"new_h = {2 * z - 1:.1f}",
    }


def order(pick):
    events = (
        "the queries read: the state, and in the segment form also the raw pairs of their own segment, causally",
        "the new pairs are folded into the state",
        "q, k and v are computed",
    )
    places = pick((1, 2, 0), (1, 0, 2), (0, 2, 1))
    read, fold, compute = ("abc"[places.index(i)] for i in range(3))
    tokens, size, asked = pick((15, 5, 7), (15, 3, 7), (20, 5, 12), (16, 4, 9))
    before = asked // size * size
    return {events[i]: events[j] for i, j in enumerate(places)} | {
        "12 tokens in segments of 4": f"{tokens} tokens in segments of {size}",
        "token 6": f"token {asked}",
        "Token 6 is in the segment 4 to 7": f"Token {asked} is in the segment {before} to {before + size - 1}",
        "folded_before_6": f"folded_before_{asked}",
        "folded_before_6 = 4": f"folded_before_{asked} = {before}",
        "updates = 3": f"updates = {tokens // size}",
        'token_form = "cba"': f'token_form = "{compute}{fold}{read}"',
        'segment_form = "cab"': f'segment_form = "{compute}{read}{fold}"',
    }


def two_speeds(pick):
    return {
        "TwoSpeeds": pick("TwoRates", "TwoPaces", "TwoClocks", "FastAndSlow"),
        "slot 0 is an exponential average of the `slow` rate, slot 1 one of the `fast` rate": (
            "slot 0 is an exponential average of the `fast` rate, slot 1 one of the `slow` rate"
        ),
        "`[[0.75, 0.25], [0.5, 0.5]]`": "`[[0.5, 0.5], [0.75, 0.25]]`",
        "[[self.slow], [self.fast]]": "[[self.fast], [self.slow]]",
    }


def sort(pick):
    largest, median = "largest_value_so_far", "median_of_all_so_far"
    old, new, basket, hint, said = pick(
        (median, "sum_of_all_so_far", "folds", MEDIAN, "To a sum the next number is added; nothing has to be undone."),
        (largest, "largest_of_the_last_64", "raw", MAXIMUM,
         "To take a pair out of a mean one must still have it. A maximum that forgets must have the second largest ready."),
        (median, "every_second_pair_so_far", "grows", MEDIAN, "Half of something that grows without limit."),
        (largest, "difference_of_the_last_two", "raw", MAXIMUM,
         "To take a pair out of a mean one must still have it. A difference needs the pair before the new one."),
    )  # fmt: skip
    was = "folds" if old == largest else "grows"
    return {
        old: new,
        f'{old} = "{was}"': f'{new} = "{basket}"',
        f'"{old.replace("_", " ")}"': f'"{new.replace("_", " ")}"',
        hint: said,
    }


MEDIAN = "Two pasts may have the same median, and with one more number different ones."
MAXIMUM = (
    "To take a pair out of a mean one must still have it. To take a larger one into a maximum one need not."
)


def together(pick):
    name = pick("both", "merged", "in_one")
    return {
        "together(first, second)": f"{name}(first, second)",
        "together(tree[i], tree[i + 1])": f"{name}(tree[i], tree[i + 1])",
        "given `(a, b)` of two updates": "given `(b, a)` of two updates",
        "the `(a, b)` of the one": "the `(b, a)` of the one",
        "`together((0.5, 3), (2, 1))` is `(1.0, 7)`": f"`{name}((3, 0.5), (1, 2))` is `(7, 1.0)`",
        "(a1, b1), (a2, b2) = first, second": "(b1, a1), (b2, a2) = first, second",
        "return a2 * a1, a2 * b1 + b2": "return a2 * b1 + b2, a2 * a1",
        "zip(gates, news, strict=True)": "zip(news, gates, strict=True)",
        "a, b = together(steps[0], steps[1])": f"b, a = {name}(steps[0], steps[1])",
        "float(tree[0][0])": "float(tree[0][1])",
        "float(tree[0][1])": "float(tree[0][0])",
    }


def bug(pick):
    changes = {"LeakyReset": pick("DrippingSum", "ResettingSum", "LeakySum")}
    if pick(True, False):
        changes |= {
            "begins with a number **above 0**": "begins with a number **below 0**",
            "pair.k[0, 0] > 0": "pair.k[0, 0] < 0",
            "new.k[0, 0] > 0": "new.k[0, 0] < 0",
            "[[-1.0], [-1], [-1], [1], [-1], [-1], [-1]]": "[[1.0], [1], [1], [-1], [1], [1], [1]]",
        }
    return changes


def lost(pick):
    rows = {
        "cumulative": "0.17  0.17  0.17  0.17  0.17  0.17",
        "moving": "0.00  0.00  0.00  0.00  0.50  0.50",
        "network": "0.02  0.01  0.88  0.03  0.02  0.04",
        "exponential": "0.03  0.03  0.06  0.13  0.25  0.50",
    }
    old = list(rows)
    new = pick(("moving", "network", "exponential", "cumulative"), ("exponential", "cumulative", "moving", "network"),
               ("network", "exponential", "cumulative", "moving"), ("exponential", "network", "moving", "cumulative"))  # fmt: skip
    changes = {rows[a]: rows[b] for a, b in zip(old, new, strict=True)}
    return changes | {f'{a} = "{was}"': f'{a} = "{"WXYZ"[new.index(a)]}"' for a, was in zip(old, "WXYZ", strict=True)}


def choose(pick):
    stories = {
        "scale": (
            "the same weight is measured again and again. What does it weigh?",
            "what lies on it stays for some 200 readings, then is changed for another. What does it weigh now?",
            "now and then a weighing is marked (no noise on it). What was the last marked one?",
        ),
        "river": (
            "its length is measured again and again. How long is it?",
            "the water's level stays for some 200 readings, then jumps to another. What is it now?",
            "now and then a level is marked (no noise on it). What was the last marked one?",
        ),
        "alarm": (
            "its loudness is measured again and again. How loud is it?",
            "its loudness stays for some 200 readings, then jumps to another. How loud is it now?",
            "now and then a reading is marked (no noise on it). What was the last marked one?",
        ),
    }
    rules, names = ("cumulative", "exponential", "latch"), list(stories)
    roles = pick((1, 0, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0), (2, 0, 1))  # of scale, river, alarm
    steady, jumps, marked = (names[roles.index(i)] for i in range(3))
    told = {f"{name}**: {stories[name][i]}": f"{name}**: {stories[name][roles[i]]}" for i, name in enumerate(names)}
    answers = {f'{name} = "{rules[i]}"': f'{name} = "{rules[roles[i]]}"' for i, name in enumerate(names)}
    return told | answers | {
        '"scale": jumps[:, :1]': f'"{steady}": jumps[:, :1]',
        '"river": jumps.repeat_interleave': f'"{jumps}": jumps.repeat_interleave',
        '"alarm": marks[:, ::125]': f'"{marked}": marks[:, ::125]',
        'if name == "alarm"': f'if name == "{marked}"',
    }  # fmt: skip


def design(pick):
    most = pick(10, 12, 20)
    return {
        "at most 16 numbers": f"at most {most} numbers",
        "64 bytes": f"{4 * most} bytes",
        "state.numel() <= 16": f"state.numel() <= {most}",
        "fold(state, letter, capital)": "fold(letter, capital, state)",
        "fold(state.detach().clone(), letter, capital)": "fold(letter, capital, state.detach().clone())",
        "(newest capital, favourite)": "(favourite, newest capital)",
        "return int(state[8]), int(state[:8].argmax())": "return int(state[:8].argmax()), int(state[8])",
        "told[0]": "told[1]",
        "told[1]": "told[0]",
    }


DRAWS = {
    one.__name__: one for one in (by_hand, order, two_speeds, sort, together, bug, lost, choose, design)
}
