"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    """What stays of the old state, in words and numbers; how many are folded at once."""
    per, tex, cut, fall, stays, streams = pick(
        (2, r"\tfrac12", "halved", "Halve", "halve", ((4, 10, 0, 8), (12, 2, 6, 0), (6, 3, 1, 5))),
        (5, r"\tfrac15", "cut to a fifth", "Take a fifth of", "take a fifth", ((10, 3, 0, 4), (5, 9, 8, 0))),
        (10, r"\tfrac1{10}", "cut to a tenth", "Take a tenth of", "take a tenth", ((20, 8, 0, 5), (10, 9, 5, 0))),
    )
    stream, many = pick(*streams), pick(3, 4)
    h, n, z = pick((-1, 1, 0.3), (1, -1, 0.7), (-1, 0.5, 0.2), (0.5, -1, 0.4))
    held, after = 0, []
    for one in stream:
        held = held / per + one
        after.append(held)
    weights = ["1", *(f"1 / {per**i}" for i in range(1, many))]
    return {
        r"\mathrm{Mem}=\tfrac12\mathrm{Mem}_{pre}+x": rf"\mathrm{{Mem}}={tex}\mathrm{{Mem}}_{{pre}}+x",
        "after 4\nand 10": f"after {2 * per}\nand 3",
        r"$\tfrac12\cdot4+10=12$": rf"${tex}\cdot{2 * per}+3=5$",
        "**8, 2, 0, 6**": f"**{', '.join(map(str, stream))}**",
        "fold four numbers": f"fold {word(many)} numbers",
        "the\nfour numbers": f"the\n{word(many)} numbers",
        "$h=1$, $n=-1$, and the gate $z=0.2$": f"$h={h}$, $n={n}$, and the gate $z={z}$",
        "Halve what was there": f"{fall} what was there",
        "halved": cut,
        "The states: halve, then add.": f"The states: {stays}, then add.",
        "when the fourth number is in": f"when the {'third' if many == 3 else 'fourth'} number is in",
        "[8, 6, 3, 7.5]": f"[{', '.join(f'{one:g}' for one in after)}]",
        "old_weight = 1 / 16": f"old_weight = 1 / {per**many}",
        "[1 / 8, 1 / 4, 1 / 2, 1]": f"[{', '.join(reversed(weights))}]",
        "weights of the four": f"weights of the {word(many)}",
        "new_h = -0.6": f"new_h = {z * h + (1 - z) * n:.4g}",
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
    """Whether the rates are given or what stays, and which slot is the fast one: not both as in the public one."""
    stays, turned = pick((True, False), (False, True), (True, True))
    first, second = ("fast", "slow") if turned else ("slow", "fast")
    column = f"[[self.{first}], [self.{second}]]"
    changes = {
        "TwoSpeeds": pick("TwoRates", "TwoPaces", "TwoClocks", "FastAndSlow"),
        "[[self.slow], [self.fast]]": column,
        "slot 0 is an exponential average of the `slow` rate, slot 1 one of the `fast` rate.": (
            f"slot 0 is an exponential average of the `{first}` rate, slot 1 one of the `{second}` rate."
        ),
        "[[0.75, 0.25], [0.5, 0.5]]": "[[0.5, 0.5], [0.75, 0.25]]" if turned else "[[0.75, 0.25], [0.5, 0.5]]",
    }
    if not stays:
        return changes
    return changes | {
        "slot 0 is an exponential average of the `slow` rate, slot 1 one of the `fast` rate.": (
            f"slot 0 is a {first} exponential average, slot 1 a {second} one. `slow` and `fast` say\n"
            "which share of the old slot STAYS when a pair comes; the rest is the new pair's."
        ),
        "With slow = ¼ and fast = ½": "With slow = ¾ and fast = ½",
        "rates": "stays",
        "(1 - rates) * old.k + rates * pair.k": "stays * old.k + (1 - stays) * pair.k",
        "(1 - rates) * old.v + rates * pair.v": "stays * old.v + (1 - stays) * pair.v",
        "each fades at its own rate": "each fades at its own pace",
        'number(1, 5, name="slow")': 'number(18, 22, name="slow")',
        'number(9, 17, name="fast")': 'number(6, 14, name="fast")',
    }


def sort(pick):
    """Two of the eight are others, with the hints that speak of them."""
    largest = pick(
        ("largest_of_the_last_64", "raw", "A maximum that forgets must have the second largest ready."),
        ("difference_of_the_last_two", "raw", "A difference needs the pair before the new one as it came."),
        ("sum_of_all_so_far", "folds", "To a sum the next number is added; nothing has to be undone."),
    )
    median = pick(
        ("every_second_pair_so_far", "grows", "Half of something that grows without limit grows without limit."),
        ("all_different_values_so_far", "grows", "Whether a number is new can only be told beside all that came."),
        ("first_and_last_so_far", "folds", "A first number stays the first, whatever comes."),
    )
    changes = {
        "To take a larger one into a maximum one need not.": largest[2],
        "Two pasts may have the same median, and with one more number different ones.": median[2],
    }
    public = ("largest_value_so_far", "folds"), ("median_of_all_so_far", "grows")
    for (old, was), (new, basket, _) in zip(public, (largest, median), strict=True):
        changes |= {
            old: new,
            f'{old} = "{was}"': f'{new} = "{basket}"',
            f'"{old.replace("_", " ")}"': f'"{new.replace("_", " ")}"',
        }
    return changes


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
    below = pick(True, False)
    if below:
        changes |= {
            "begins with a number **above 0**": "begins with a number **below 0**",
            "pair.k[0, 0] > 0": "pair.k[0, 0] < 0",
            "[[-1.0], [-1], [-1], [1], [-1], [-1], [-1]]": "[[1.0], [1], [1], [-1], [1], [1], [1]]",
        }
    sign = "<" if below else ">"
    changes["new.k[0, 0] > 0"] = f"new.k[0, 0] {sign} 0"
    planted = pick("as it is", "last key, value", "any key")
    if planted == "last key, value":
        changes |= {
            "# for t in range(new.n - 1, -1, -1):": "# for t in range(new.n):",
            "new.k[0, 0] > 0": f"new.k[-1, 0] {sign} 0",
            "#         mem.v.mul_(1 - self.leak).add_(pair.v)": "#         mem.v.add_(pair.v).mul_(1 - self.leak)",
            "Token by\ntoken it nearly works. Three things are wrong: two show in segments, one in the states of earlier "
            "steps.": "Three\nthings are wrong: one shows from the second step on, one in segments, one in the states of earlier steps.",
            "In which order are the pairs of a segment taken? Which of their keys is looked at?": (
                "Does a value leak already when it comes? Which key of a segment is looked at?"
            ),
        }
    if planted == "any key":
        changes |= {
            "new.k[0, 0] > 0": f"(new.k[:, 0] {sign} 0).any()",
            "#         mem.k.mul_(1 - self.leak).add_(pair.k)": (
                "#         mem = KV((1 - self.leak) * mem.k + pair.k, (1 - self.leak) * mem.v + pair.v)"
            ),
            "        #         mem.v.mul_(1 - self.leak).add_(pair.v)\n": "",
            "Token by\ntoken it nearly works. Three things are wrong: two show in segments, one in the states of earlier "
            "steps.": "Token by\ntoken it works. Two things are wrong, and both show in segments.",
            "Methods that end in <code>_</code> write into the tensor itself, here into the state that was given.": (
                "A reset concerns one pair: only its own key, <code>pair.k[0, 0]</code>, says whether it resets."
            ),
            "Keep the state of step 0: is it still the same after step 1? Then follow": "Do tokens 0 and 1 at once "
            "leave the state that they leave one by one? Then follow",
        }
    return changes


def lost(pick):
    """Other letters, and the two averages and the capital elsewhere."""
    size, at, stream = pick((3, 1, "c A b d e f"), (3, 2, "c a B d e f"), (2, 1, "c A b d e f"), (2, 3, "c a b D e f"))
    others = ["0.02", "0.01", "0.03", "0.02", "0.04"]
    rows = {
        "cumulative": "0.17  0.17  0.17  0.17  0.17  0.17",
        "moving": "0.00  0.00  0.00  0.00  0.50  0.50",
        "network": "0.02  0.01  0.88  0.03  0.02  0.04",
        "exponential": "0.03  0.03  0.06  0.13  0.25  0.50",
    }
    drawn = rows | {"network": "  ".join([*others[:at], "0.88", *others[at:]])}
    if size == 3:
        drawn["moving"] = "0.00  0.00  0.00  0.33  0.33  0.33"
    old = list(rows)
    new = pick(
        ("moving", "network", "exponential", "cumulative"),
        ("exponential", "cumulative", "moving", "network"),
        ("network", "exponential", "cumulative", "moving"),
        ("exponential", "network", "moving", "cumulative"),
    )
    changes = {rows[a]: drawn[b] for a, b in zip(old, new, strict=True)}
    changes |= {f'{a} = "{was}"': f'{a} = "{"WXYZ"[new.index(a)]}"' for a, was in zip(old, "WXYZ", strict=True)}
    return changes | {
        "`c a B d e f`: a capital at token 2": f"`{stream}`: a capital at token {at}",
        "a **moving** average of two": f"a **moving** average of {word(size)}",
        "two alike and zeros": f"{word(size)} alike and zeros",
        "too old for an average of two": f"too old for an average of {word(size)}",
        "moving_gives_up = 4": f"moving_gives_up = {6 - size}",
        "network_gives_up = 2": f"network_gives_up = {at}",
    }


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
    return (
        told
        | answers
        | {
            '"scale": jumps[:, :1]': f'"{steady}": jumps[:, :1]',
            '"river": jumps.repeat_interleave': f'"{jumps}": jumps.repeat_interleave',
            '"alarm": marks[:, ::125]': f'"{marked}": marks[:, ::125]',
            'if name == "alarm"': f'if name == "{marked}"',
        }
    )


def design(pick):
    """Another alphabet and another limit; what goes into `fold` and what `tell` gives stand in another order."""
    letters, most = pick((6, 8), (7, 10), (10, 12), (12, 20))
    return {
        "letters 0 to 7": f"letters 0 to {letters - 1}",
        "at most 16 numbers": f"at most {most} numbers",
        "64 bytes": f"{4 * most} bytes",
        "state.numel() <= 16": f"state.numel() <= {most}",
        "torch.zeros(9)": f"torch.zeros({letters + 1})",
        "state[8] = letter": f"state[{letters}] = letter",
        "state[:8] *= 0.92": f"state[:{letters}] *= 0.92",
        "torch.randint(8, (4,)": f"torch.randint({letters}, (4,)",
        "torch.randint(8, (600,)": f"torch.randint({letters}, (600,)",
        "fold(state, letter, capital)": "fold(letter, capital, state)",
        "fold(state.detach().clone(), letter, capital)": "fold(letter, capital, state.detach().clone())",
        "(newest capital, favourite)": "(favourite, newest capital)",
        "return int(state[8]), int(state[:8].argmax())": (
            f"return int(state[:{letters}].argmax()), int(state[{letters}])"
        ),
        "told[0]": "told[1]",
        "told[1]": "told[0]",
    }


DRAWS = {one.__name__: one for one in (by_hand, order, two_speeds, sort, together, bug, lost, choose, design)}
