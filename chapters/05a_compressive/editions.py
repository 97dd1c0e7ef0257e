"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

import math

from memlib.course.write.editions import word


def by_hand(pick):
    size, local, room, rate, early, late = pick(
        (2, 4, 2, 2, 3, 6), (4, 8, 3, 2, 3, 5), (4, 8, 2, 4, 4, 6), (2, 6, 3, 2, 4, 7), (3, 6, 3, 3, 4, 7)
    )

    def after(segments):
        gone = max(segments * size - local, 0)
        made = [[*range(i, i + rate)] for i in range(0, gone, rate)]
        return [*range(gone, segments * size)], made[-room:], made

    first, moved = local // size, f"{size // rate} slots" if size > rate else "one slot"
    last = next(t for t in range(99) if len(after(t)[2]) > room)
    (mem, cmem, _), (later, clater, made) = after(early), after(late)
    return {
        "Segments of 3 tokens, a Mem of 6 pairs, a CMem of 2 slots, rate 3.": (
            f"Segments of {size} tokens, a Mem of {local} pairs, a CMem of {room} slots, rate {rate}."
        ),
        "is tokens 0 to 2": f"is tokens 0 to {size - 1}",
        "after segment 2": f"after segment {first}",
        "`[0, 1, 2, 3, 4, 5]`": f"`{after(first)[0]}`",
        "both queues after segment 3 and after segment 5": f"both queues after segment {early} and after segment {late}",
        "From segment 3 on every segment pushes tokens out of Mem: three of them, one slot.": (
            f"From segment {first + 1} on every segment pushes tokens out of Mem: {word(size)} of them, {moved}."
        ),
        "After segment 5, fifteen tokens have been read; Mem has the newest six.": (
            f"After segment {late}, {word(late * size)} tokens have been read; Mem has the newest {word(local)}."
        ),
        "Tokens 0 to 8 were popped: three slots. CMem keeps its newest two.": (
            f"Tokens 0 to {late * size - local - 1} were popped: {word(len(made))} slots. CMem keeps its newest {word(room)}."
        ),
        "mem_3 = [3, 4, 5, 6, 7, 8]": f"mem_{early} = {mem}",
        "cmem_3 = [[0, 1, 2]]": f"cmem_{early} = {cmem}",
        "mem_5 = [9, 10, 11, 12, 13, 14]": f"mem_{late} = {later}",
        "cmem_5 = [[3, 4, 5], [6, 7, 8]]": f"cmem_{late} = {clater}",
        "gone = 5": f"gone = {last}",
        **{
            f'"{name} after segment {was}", {var}_{was}': f'"{name} after segment {now}", {var}_{now}'
            for name, var in (("Mem", "mem"), ("CMem", "cmem"))
            for was, now in ((3, early), (5, late))
        },
    }


def order(pick):
    said = (
        "$f_c$ makes one pair of every $c$ that have been popped.",
        "The queries read both queues and, causally, their own segment.",
        "CMem takes the new slots and drops its oldest.",
        "The segment's pairs enter Mem, and Mem's oldest are popped.",
        "The segment's pairs are pooled, so that CMem knows them too.",
    )
    places = pick((1, 0, 3, 4, 2), (4, 2, 0, 1, 3), (2, 4, 1, 0, 3), (3, 4, 1, 2, 0))
    now = {"abcde"[was]: "abcde"[place] for place, was in enumerate(places)}
    fed = {"p": "from what attention gave out", "r": "from the segment that", "s": "from what Mem pops"}
    letters = dict(zip("prs", pick("rsp", "spr"), strict=True))  # p, r and s change places
    back = {letter: was for was, letter in letters.items()}
    return {said[i]: said[was] for i, was in enumerate(places)} | {
        'order = "bdac"': f'order = "{"".join(now[c] for c in "bdac")}"',
        'never = "e"': f'never = "{now["e"]}"',
        'source = "s"': f'source = "{letters["s"]}"',
        **{f"**{c}** {fed[c]}": f"**{c}** {fed[back[c]]}" for c in "prs"},
    }


def counted(pick):
    """Another order of what is given back, and another rule."""
    name, places = pick("made_of", "tally", "after_pops"), pick((1, 0, 2), (2, 0, 1), (0, 2, 1))
    half = pick(True, False)

    def put(*parts):
        return ", ".join(str(parts[i]) for i in places)

    def said(*parts):
        return f"({put(*parts)})"

    slots, waits, lost = "sum(n // rate for n in pops)", "sum(pops) % rate", "sum(n % rate for n in pops)"
    up = "sum(-(-n // rate) for n in pops)"
    changes = {
        "counted(pops, rate, rule)": f"{name}(rule, pops, rate)",
        "a tuple `(slots, waiting, lost)` after all of them: slots made in all, pairs that wait for their group at the end, pairs": (
            f"a tuple `{said('slots', 'waiting', 'lost')}` after all of them: slots made in all, pairs waiting for their group at the end, pairs"
        ),
        "120 popped at rate 4 are `(30, 0, 0)` by": f"120 popped at rate 4 are `{said(30, 0, 0)}` by",
        "`(12, 2, 0)`, `(12, 0, 2)`, `(13, 0, 0)`": f"`{said(12, 2, 0)}`, `{said(12, 0, 2)}`, `{said(13, 0, 0)}`",
        f"return sum(pops) // rate, {waits}, 0": f"return {put('sum(pops) // rate', waits, 0)}",
        f"return {slots}, 0, {lost}": f"return {put(slots, 0, lost)}",
        f"return {up}, 0, 0": f"return {put(up, 0, 0)}",
        "counted([120], 4, rule)": f"{name}(rule, [120], 4)",
        "counted([50, 50], 4, rule)": f"{name}(rule, [50, 50], 4)",
        "counted([first, then, 7], rate, rule)": f"{name}(rule, [first, then, 7], rate)",
        "counted([0, 1, 1], rate, rule)": f"{name}(rule, [0, 1, 1], rate)",
        "counted([first, then], 1, rule)": f"{name}(rule, [first, then], 1)",
    }
    if half:  # the third rule rounds up from half a group on, otherwise down
        nearest, rest = (
            "sum((n + rate // 2) // rate for n in pops)",
            "sum(n % rate for n in pops if n % rate < (rate + 1) // 2)",
        )
        changes |= {
            '`"ceil"`: each update rounds up: its last slot may stand for fewer pairs; nothing waits, nothing is lost.': (
                '`"near"`: where at least half a group is left, an update rounds up: its last slot stands for fewer pairs;\n'
                "  otherwise it rounds down, and its rest is lost. Nothing waits."
            ),
            "Rounding up without floats: <code>-(-n // rate)</code>.": (
                "Rounding to the nearest without floats: <code>(n + rate // 2) // rate</code>; lost is what was rounded down."
            ),
            f"return {up}, 0, 0": f"return {put(nearest, 0, rest)}",
            '"wait", "floor", "ceil"': '"wait", "floor", "near"',
        }
    return changes


def ladder(pick):
    """What a coarse slot is made of."""
    name = pick("Stairs", "ThreeQueues", "Echo")
    old, new = "MeanPool()(dropped, self.rate)", pick("sums", "newest", "twice")
    changes = {
        "`Ladder` pools it once more": f"`{name}` pools it once more",
        "`Ladder(local=4, fine=4, coarse=1, rate=2)`": f"`{name}(rate=2, local=4, fine=4, coarse=1)`",
        "class Ladder": f"class {name}",
        "self, local, fine, coarse, rate": "self, rate, local, fine, coarse",
        'Ladder(4, 2 * number(1, 2, name="fine"), number(1, 2, name="coarse"), 2)': (
            f'{name}(2, 4, 2 * number(1, 2, name="fine"), number(1, 2, name="coarse"))'
        ),
        "Ladder(9, 3, 2, 3)": f"{name}(3, 9, 3, 2)",
    }
    if new == "sums":
        return changes | {
            "`rate` to one, into the queue **coarse**": "`rate` to one and their keys added up, `MeanPool(rescale=True)`, into the queue **coarse**",
            old: "MeanPool(rescale=True)(dropped, self.rate)",
        }
    if new == "newest":
        return changes | {
            "`Ladder` pools it once more": f"`{name}` keeps some of it",
            "`rate` to one, into the queue **coarse**, so that a coarse slot stands for `rate * rate` tokens": (
                "of every `rate` slots only the newest, as it is, into the queue **coarse**, so that a coarse slot stands for `rate` tokens"
            ),
            "one slot of 0 to 3": "the slot 2-3",
            "pool the older part. The second time with fine": "make fewer of the older part. The second time with fine, and without a pool",
            "is to the coarse ones what <code>popped</code> is to the fine ones": "goes to the coarse ones, every rate-th of it: <code>kv[torch.tensor([1, 3])]</code> gives two pairs",
            "together in a fine slot, with 2 and 3 in a coarse slot, gone": "together in a fine slot, gone; 2 and 3 become coarse",
            old: "dropped[torch.arange(dropped.n)[self.rate - 1 :: self.rate]]",
        }
    return changes | {
        "`rate` to one, into the queue **coarse**": "`2 * rate` to one, into the queue **coarse**",
        "`rate * rate` tokens": "`2 * rate * rate` tokens",
        "`local` is a multiple of `rate * rate`, `fine` of `rate`": "`local` is a multiple of `2 * rate * rate`, `fine` of `2 * rate`",
        "`Ladder(local=4, fine=4, coarse=1, rate=2)`": f"`{name}(rate=2, local=8, fine=4, coarse=1)`",
        "after four segments (tokens 0 to 15): Mem holds 12 to 15": "after three segments (tokens 0 to 23): Mem holds 16 to 23",
        "4-5, 6-7, 8-9, 10-11, and coarse one slot of 0 to 3": "8-9, 10-11, 12-13, 14-15, and coarse one slot of 0 to 7",
        "with 2 and 3 in a coarse slot": "with 2 to 7 in a coarse slot",
        old: "MeanPool()(dropped, 2 * self.rate)",
        'Ladder(4, 2 * number(1, 2, name="fine"), number(1, 2, name="coarse"), 2)': (
            f'{name}(2, 8, 4 * number(1, 2, name="fine"), number(1, 2, name="coarse"))'
        ),
        "Ladder(9, 3, 2, 3)": f"{name}(3, 18, 6, 2)",
        "inputs(24, 2": "inputs(48, 2",
        "inputs(54, 2": "inputs(108, 2",
        "torch.eye(24)": "torch.eye(48)",
    }


def bug(pick):
    """What a slot is made of, and which of the queue's ends was mistaken."""
    name, how = pick("Conveyor", "TwoQueues", "Belt"), pick("sums", "newest")
    third = pick("[: self.compressed]", "[self.compressed :]")
    lines = {
        "sums": (
            "MeanPool(rescale=True)(raw[:whole], self.rate)",
            "keys are added up, values are averaged: `MeanPool(rescale=True)`",
        ),
        "newest": (
            "raw[torch.arange(whole)[self.rate - 1 :: self.rate]]",
            "of each group it keeps the newest pair as it is; that is meant",
        ),
    }
    code, said = lines[how]
    return {
        "This memory runs,": f"This memory ({said}) runs,",
        "Queues(2, 2, 2)": f"{name}(2, 2, 2)",
        "class Queues": f"class {name}",
        "mine, k, q = Queues(local, 3, 3)": f"mine, k, q = {name}(local, 3, 3)",
        "made = MeanPool()(raw[:whole], self.rate)": f"made = {code}",
        "# return join(cmem, made)[: self.compressed], raw[popped:]": f"# return join(cmem, made){third}, raw[popped:]",
    }


def least_rate(pick):
    """A convolution looks some bytes back, and so each further layer gains a segment."""
    name, width = pick("rate_needed", "smallest_rate", "rate_for"), pick(4, 3, 6)

    def least(distance, layers, local, compressed):
        missing = distance - layers * local - (layers - 1) * local - width + 1
        return max(1, math.ceil(missing / (layers * compressed)))

    far = next(d for d in range(40, 200) if (least(d, 3, 8, 4), least(d + 1, 3, 8, 4)) == (2, 3))
    reach = "(2 * layers - 1) * local"
    return {
        "`layers` layers without convolution, a Mem of `local` pairs, a CMem of `compressed` slots.": (
            f"`layers` layers with a convolution of width {width} (it looks {word(width - 1)} tokens back), a Mem of `local` pairs, a "
            "CMem of\n`compressed` slots; segments of `local` tokens."
        ),
        "`least_rate(distance,": f"`{name}(distance,",
        "layers, local, compressed)`: the smallest": "compressed, local, layers)`: the smallest",
        "`least_rate(48, 3, 8, 4)` is 2, and `least_rate(49, 3, 8, 4)` is 3": (
            f"`{name}({far}, 4, 8, 3)` is 2, and `{name}({far + 1}, 4, 8, 3)` is 3"
        ),
        "The reach is layers times (local plus rate times compressed).": (
            "As measured in the lesson: layers times (local plus rate times compressed), and a segment for each layer but one, and "
            f"{word(width - 1)}."
        ),
        "Where Mem alone is enough the answer": "Where no slot is needed the answer",
        "def least_rate(distance, layers, local, compressed)": f"def {name}(distance, compressed, local, layers)",
        "missing = distance - layers * local": f"missing = distance - {reach} - {width - 1}",
        "least_rate(d, layers, local, compressed)": f"{name}(d, compressed, local, layers)",
        "far = [*range(1, layers * (local + compressed) + 3), *range(90, 140)]": (
            "far = [*range(1, layers * (2 * local + compressed) + 9), *range(90, 140)]"
        ),
        "least_rate(layers * local, layers, local, 0)": f"{name}({reach} + {width - 1}, 0, local, layers)",
        "least_rate(layers * local + 1, layers, local, 0)": f"{name}({reach} + {width}, 0, local, layers)",
    }


def choose(pick):
    """How old the orders are, and how long ago the topic changed: the smallest that reaches, the longest that fits."""
    orders, meeting = pick((4, 4), (2, 8), (4, 8))
    codes, topic = pick(("codes", "topic"), ("tickets", "subject"), ("keys_now", "theme"))
    changes = {"codes = 1": f"{codes} = 1", "topic = 16": f"{topic} = 16"}
    changes |= {
        "**codes**": f"**{codes}**",
        "**topic**": f"**{topic}**",
        "in (codes, orders, topic, meeting)": f"in ({codes}, orders, {topic}, meeting)",
        '("codes", codes, exactly(codes, slice(0, 32)), 0.95)': f'("{codes}", {codes}, exactly({codes}, slice(0, 32)), 0.95)',
        '("topic", topic, about(topic, 4.0, steps=32), 0.94)': f'("{topic}", {topic}, about({topic}, 4.0, steps=32), 0.94)',
    }
    if orders == 4:
        changes |= {
            "32 to 47 tokens old": "48 to 79 tokens old",
            "orders = 2": "orders = 4",
            "exactly(orders, slice(32, 48)), 0.35": "exactly(orders, slice(48, 80)), 0.11",
        }
    if meeting == 8:
        changes |= {
            "80 to 95 steps after it changed": "144 to 159 steps after it changed",
            "and step 80 after it, fall on the border of a segment: compare 16 + 16 c with 80": (
                "and step 144 after it, fall on the border of a segment: compare 16 + 16 c with 144"
            ),
            "meeting = 4": "meeting = 8",
            "else 96": "else 160",
            "about(meeting, 3.0, steps=16), 0.83": "about(meeting, 3.0, steps=16), 0.93",
        }
    return changes


def explain(pick):
    said = (
        "At a higher rate fewer of the 16 slots are in use, since each needs more tokens.",
        "A slot answers, on average, for one of its tokens at most, and the mean of many keys is found less and less often.",
        "At a higher rate fewer of the 256 needles are reached.",
        "A slot of c tokens gets a c-th of its due weight; with the count bias the share would grow with the rate.",
    )
    places = pick((1, 0, 3, 2), (2, 3, 1, 0), (3, 2, 0, 1), (2, 0, 3, 1))
    now = {was: "abcd"[place] for place, was in enumerate(places)}
    return {said[i]: said[was] for i, was in enumerate(places)} | {'letter = "b"': f'letter = "{now[1]}"'}


def design(pick):
    pairs, newest, best = pick(
        (32, 18, "18, 10, 9"), (36, 18, "18, 10, 9"), (36, 20, "20, 10, 10"), (34, 20, "20, 10, 10")
    )
    return {
        "A budget of 32 pairs": f"A budget of {pairs} pairs",
        "may keep **32 pairs**": f"may keep **{pairs} pairs**",
        "newest 12 pairs": f"newest {newest} pairs",
        "Compressive(12, 12, 8, count_bias=True)": f"Compressive({best}, count_bias=True)",
        "keys[:, -12:]": f"keys[:, -{newest}:]",
        "torch.arange(132, 144)": f"torch.arange({144 - newest}, 144)",
        "at most 32 pairs": f"at most {pairs} pairs",
        "<= 32)": f"<= {pairs})",
        'newest 12"': f'newest {newest}"',
    }


DRAWS = {one.__name__: one for one in (by_hand, order, counted, ladder, bug, least_rate, choose, explain, design)}
