"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    v1, v2, k2 = pick([4, 2], [3, 6], [1, 5]), pick([0, 5], [10, 0], [5, 5]), pick([0.6, 0.8], [0.8, 0.6])
    asked = [k2[0] * x for x in v1]  # what the second key reads before it is written
    summed = [[a + k2[0] * b for a, b in zip(v1, v2, strict=True)], [k2[1] * b for b in v2]]
    wrong = [b - a for a, b in zip(asked, v2, strict=True)]
    corrected = [[a + k2[0] * e for a, e in zip(v1, wrong, strict=True)], [k2[1] * e for e in wrong]]

    def said(row):
        return ", ".join(f"{x:.4g}" for x in row)

    def table(rows):
        return f"[[{said(rows[0])}], [{said(rows[1])}]]"

    return {
        "$v_1=(2,4)$": f"$v_1=({v1[0]},{v1[1]})$",
        "$k_2=(0.8,0.6)$": f"$k_2=({k2[0]},{k2[1]})$",
        "$v_2=(5,0)$": f"$v_2=({v2[0]},{v2[1]})$",
        "`[[2, 4], [0, 0]]`": f"`{table([v1, [0, 0]])}`",
        "reads `[2, 4]`": f"reads `[{said(v1)}]`",
        "0.8 times its row 0": f"{k2[0]} times its row 0",
        "summed = [[6, 4], [3, 0]]": f"summed = {table(summed)}",
        "summed_read = [6, 4]": f"summed_read = [{said(summed[0])}]",
        "corrected = [[4.72, 1.44], [2.04, -1.92]]": f"corrected = {table(corrected)}",
        "corrected_read = [4.72, 1.44]": f"corrected_read = [{said(corrected[0])}]",
    }


def order(pick):
    events = (
        "The query is multiplied with the matrix: the read.",
        "The matrix is asked for the key; the value minus its answer is the error.",
        "The matrix is multiplied by alpha.",
        "The outer product of the key and beta times the error is added to the matrix.",
        "What was read is divided by the query's product with the sum of all keys.",
    )
    places = pick((3, 0, 4, 1, 2), (1, 4, 2, 0, 3), (4, 3, 1, 2, 0), (2, 0, 3, 4, 1))
    read, error, fade, write, other = ("abcde"[places.index(i)] for i in range(5))
    return {events[i]: events[j] for i, j in enumerate(places)} | {
        'order = "cbda"': f'order = "{fade}{error}{write}{read}"',
        'other = "e"': f'other = "{other}"',
    }


def rows(pick):
    """The new pair fades at once; or each row is an average; or what is lost is given."""
    named = {"FadingRows": pick("RowsThatFade", "PacedRows", "FadingMatrix")}
    step = "mem = self.fade[:, None] * mem + key.mT @ value"
    formula = r"S\leftarrow\mathrm{diag}(f)\,S+k\,v^\top"
    when = "before each pair is added, **row j of the\nstate is multiplied by `fade[j]`**."
    example = "with `fade = [1.0, 0.5]`: the pairs $((1,1),\\,8)$ and $((1,0),\\,4)$ leave the rows $(12)$ and $(4)$"
    asked = "does ROW j fade by fade[j], before the new pair is added, once for every pair?"
    kind = pick("after", "average", "leak")
    if kind == "after":
        return named | {
            when: "after each pair is added, **row j of the\nstate is multiplied by `fade[j]`**, what is new in it too.",
            formula: r"S\leftarrow\mathrm{diag}(f)\,(S+k\,v^\top)",
            example: example.replace("(4)$", "(2)$"),
            asked: "does ROW j fade by fade[j], after the new pair is added, once for every pair?",
            step: "mem = self.fade[:, None] * (mem + key.mT @ value)",
        }
    if kind == "average":
        return named | {
            when: "**row j of the\nstate is multiplied by `fade[j]`, and what a pair adds to it by `1 - fade[j]`**.",
            formula: r"S\leftarrow\mathrm{diag}(f)\,S+\mathrm{diag}(1-f)\,k\,v^\top",
            example: (
                "with `fade = [0.75, 0.5]`: the pairs $((1,1),\\,8)$ and $((1,0),\\,4)$ leave the rows $(2.5)$ and $(2)$"
            ),
            asked: "does ROW j fade by fade[j], and is what is added to it multiplied by the rest?",
            step: "stays = self.fade[:, None]\n            mem = stays * mem + (1 - stays) * (key.mT @ value)",
            "[1.0, 0.6, number": "[0.8, 0.6, number",
        }
    return named | {
        when: "before each pair is added, **row j of the\nstate loses the share `leak[j]`**.",
        "Rows with a fade near 1 remember long": "Rows with a leak near 0 remember long",
        formula: r"S\leftarrow\mathrm{diag}(1-l)\,S+k\,v^\top",
        example: example.replace("`fade = [1.0, 0.5]`", "`leak = [0.0, 0.25]`").replace("(4)$", "(6)$"),
        asked: "does ROW j lose the share leak[j], before the new pair is added, once for every pair?",
        step: "mem = (1 - self.leak[:, None]) * mem + key.mT @ value",
        "[1.0, 0.6, number": "[0.0, 0.4, number",
        "fade": "leak",
    }


def bug(pick):
    name, (given, said) = pick("FadingDelta", "GatedRule", "LeakyDelta"), pick(*BUGS)
    old = "error = value - key @ mem", "mem = self.beta * mem", "mem = mem + key.mT @ (self.alpha * error)"
    old, given = ("\n            ".join(f"# {line}" for line in lines) for lines in (old, given))
    return {
        "class Gated": f"class {name}",
        "def __init__(self, alpha, beta)": "def __init__(self, beta, alpha)",
        "Gated(alpha, beta)": f"{name}(beta, alpha)",
        "Gated(1.0, 1.0)": f"{name}(1.0, 1.0)",
        "Gated(alpha, 1.0)": f"{name}(1.0, alpha)",
        "Gated(1.0, beta)": f"{name}(beta, 1.0)",
        old: given,
        "Three things are wrong with the lines in `update`:\nsomething that must be done to the key is missing, something "
        "happens too early, and two names stand in each other's\nplace.": said,
    }


UNIT, FADE, ERROR = "key = F.normalize(key, dim=-1)", "mem = self.alpha * mem", "error = value - key @ mem"
WRITE = "mem = mem + key.mT @ (self.beta * error)"
BUGS = (
    (
        ("error = key @ mem - value", FADE, WRITE),
        "Three things are wrong with the lines in `update`:\nsomething that must be done to the key is missing, something "
        "happens too early, and a difference is taken the wrong\nway round.",
    ),
    (
        (UNIT.replace("-1", "0"), ERROR, WRITE, FADE),
        "Two things are wrong with the lines in `update`: something\nis done to the key along the wrong axis, and "
        "something happens too late.",
    ),
    (
        (UNIT.replace("key", "value"), FADE, "error = self.beta * value - key @ mem", "mem = mem + key.mT @ error"),
        "Two things are wrong with the lines in `update`: something\nthat must be done to the key is done to the value, "
        "and beta does not multiply what it should.",
    ),
)


def erase(pick):
    """Erased, halved, or the only one that stays; in a state as it is or turned, which the key reads from the right."""
    kind, turned = pick(("halved", False), ("halved", True), ("kept", False), ("kept", True), ("erased", True))
    name = {"halved": "weaken", "kept": "keep_only", "erased": "forget"}[kind]
    reads = "s @ unit" if turned else "unit @ s"
    written = f"torch.outer({reads}, unit)" if turned else f"torch.outer(unit, {reads})"
    asks = "{} @ key" if turned else "key @ {}"
    new, now = asks.format(f"{name}(s, key)"), asks.format("s")
    left = {  # of [[3, 4], [0, 4]], after the key (2, 0)
        ("halved", False): "[[1.5, 2], [0, 4]]",
        ("halved", True): "[[1.5, 4], [0, 4]]",
        ("kept", False): "[[3, 4], [0, 0]]",
        ("kept", True): "[[3, 0], [0, 0]]",
        ("erased", True): "[[0, 4], [0, 4]]",
    }[kind, turned]
    result, reading, orthogonal = {
        "halved": (f"s - 0.5 * {written}", "reads half of what it read", "reads what it read before"),
        "kept": (written, "reads what it read", "reads zeros"),
        "erased": (f"s - {written}", "reads zeros", "reads what it read before"),
    }[kind]
    changes = {
        "erase": name,
        "from a state `S [d, e]` make one": (
            "from a state `S [e, d]`, of which a key reads `S @ key`, make one"
            if turned
            else "from a state `S [d, e]` make one"
        ),
        "erasing `(2, 0)` from `[[3, 4], [0, 4]]` leaves `[[0, 0], [0, 4]]`": (
            f"for the key `(2, 0)` and the state `[[3, 4], [0, 4]]` it gives `{left}`"
        ),
        "reads zeros, while every key orthogonal to it reads what it read before": (
            f"{reading}, while every key orthogonal to it {orthogonal}"
        ),
        "return s - torch.outer(unit, unit @ s)": f"return {result}",
        's = inputs(4, 3, name="s")': 's = inputs(3, 4, name="state")' if turned else 's = inputs(4, 3, name="s")',
        "(key @ erase(s, key)).abs().max()": f"({new}).abs().max()",
    }
    if kind == "halved":
        changes |= {
            "wants the door code removed, and nothing else.": "wants the door code weakened, and nothing else.",
            "Which value would you bind to the key so that it reads nothing?": "How would you make the key read nothing? Then go half of the way.",
            "A delta rule with beta 1 and the value 0": "A delta rule with beta ½ and the value 0",
            "is what has to go.": "is what half has to go of.",
            "Multiply key and result: zeros?": "Multiply key and result: half of what it was?",
            "the key reads nothing": "the key reads half",
            "(key @ erase(s, key)).abs().max()": f"({new} - {now} / 2).abs().max()",
        }
    if kind == "kept":
        changes |= {
            "wants the door code removed, and nothing else.": "wants everything removed but the door code.",
            "Which value would you bind to the key so that it reads nothing?": "What does the key, brought to length 1, read now?",
            "A delta rule with beta 1 and the value 0: the error is minus what the key reads now.": (
                "Bind just that to the key of length 1, in an empty state."
            ),
            "is what has to go.": "is all that has to stay.",
            "Multiply key and result: zeros? Then take a key orthogonal to it: does it read what it read before?": (
                "Multiply key and result: what it was? Then take a key orthogonal to it: does it read zeros?"
            ),
            "the key reads nothing": "the key reads what it read",
            "(key @ erase(s, key)).abs().max()": f"({new} - {now}).abs().max()",
        }
    return changes


def width(pick):
    few, some, many = pick((18, 45, 200), (40, 100, 190), (20, 100, 200), (45, 105, 195))
    best = {18: 32, 20: 32, 40: 64, 45: 64, 100: 128, 105: 128, 190: 256, 195: 256, 200: 256}
    pairs = {20: few, 50: some, 90: many}
    return {
        "for 20 pairs, for 50, and for 90": f"for {few} pairs, for {some}, and for {many}",
        "of every width for 20 pairs": f"of every width for {few} pairs",
        **{f"for_{old}": f"for_{new}" for old, new in pairs.items()},
        **{
            f"for_{old} = {was}": f"for_{new} = {best[new]}"
            for (old, new), was in zip(pairs.items(), (32, 64, 128), strict=True)
        },
        **{f"({old}, for_{old})": f"({new}, for_{new})" for old, new in pairs.items()},
    }


def rebind(pick):
    """Whole rounds that the window holds, and the keys whose oldest binding in it is one more."""
    keys, times, window = pick(
        (10, 6, 35), (20, 4, 30), (16, 6, 24), (24, 3, 36), (12, 10, 30), (8, 7, 28), (16, 4, 56)
    )
    rounds, more = divmod(window, keys)
    share = f"(1 / {rounds + 1} + 1 / {rounds}) / 2" if rounds > 1 else "(1 / 2 + 1) / 2"
    return {
        "16 keys, orthogonal to one another": f"{keys} keys, orthogonal to one another",
        "5 times each (so 80 pairs come by)": f"{times} times each (so {keys * times} pairs come by)",
        "**window of 40** pairs": f"**window of {window}** pairs",
        "40 pairs are two whole rounds of 16, and 8 pairs more": (
            f"{window} pairs are {word(rounds)} whole round{'s' if rounds > 1 else ''} of {keys}, and {more} pairs more"
        ),
        "Some keys have three values left, the others two.": (
            f"Some keys have {word(rounds + 1)} values left, the others {word(rounds)}."
        ),
        "of its five values": f"of its {word(times)} values",
        '"window of 40"': f'"window of {window}"',
        "full_share = 1 / 5": f"full_share = 1 / {times}",
        "window_share = (1 / 3 + 1 / 2) / 2": f"window_share = {share}",
    }


def explain(pick):
    said = (
        "Every pair is blurred alike; the more pairs, the less likely each of them is found.",
        "Each new key takes its direction from older ones, so that only about the newest 64 are found, whatever came\n"
        "  before.",
        "The numbers of the state overflow when too many pairs are added.",
        "16 KB hold 32 pairs of 128 numbers, so that 32 are found, whatever came before.",
    )
    places = pick((2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2), (0, 2, 1, 3))
    changes = {said[i]: said[j] for i, j in enumerate(places)}
    return changes | {'letter = "b"': f'letter = "{"abcd"[places.index(1)]}"'}


def design(pick):
    width, pairs, plain, small, allowed = pick(
        (24, 40, ".51", "2.25", "4.5"), (40, 88, ".44", "6.25", "12.5"), (48, 112, ".43", "9", "18")
    )
    name = pick("spread", "lift", "widen")
    return {
        "`features`": f"`{name}`",
        **{f"features({x})": f"{name}({x})" for x in ("x", "like.k", "new.k", "q")},
        "have width 32": f"have width {width}",
        "A delta rule of 32 by 32 (4 KB) recalls .44 of 64 pairs": (
            f"A delta rule of {width} by {width} ({small} KB) recalls {plain} of {pairs} pairs"
        ),
        "**8 KB**": f"**{allowed} KB**",
        "from `[..., 32]`": f"from `[..., {width}]`",
        "`m` by 32": f"`m` by {width}",
        "**more than .88** of 64 pairs": f"**more than .88** of {pairs} pairs",
        "within 8 KB": f"within {allowed} KB",
        "inputs(1, 32,": f"inputs(1, {width},",
        "<= 8200": f"<= {8 + int(1024 * float(allowed))}",
        "recalls more than .88 of 64": f"recalls more than .88 of {pairs}",
        "Featured(), 64, width=32": f"Featured(), {pairs}, width={width}",
        "Featured(), 4, width=32": f"Featured(), 4, width={width}",
    }


DRAWS = {one.__name__: one for one in (by_hand, order, rows, bug, erase, width, rebind, explain, design)}
