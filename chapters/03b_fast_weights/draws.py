"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/edition.py says how)."""

from memlib.course.edition import word


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
        "The error is (5, 0) - (1.6, 3.2)": f"The error is ({said(v2)}) - ({said(asked)})",
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
    return {
        "FadingRows": pick("RowsThatFade", "PacedRows", "FadingMatrix"),
        "before each pair is added": "after each pair is added",
        r"S\leftarrow\mathrm{diag}(f)\,S+k\,v^\top": r"S\leftarrow\mathrm{diag}(f)\,(S+k\,v^\top)",
        "leave the rows $(12)$ and $(4)$": "leave the rows $(12)$ and $(2)$",
        "before the new pair is added": "after the new pair is added",
        "mem = self.fade[:, None] * mem + key.mT @ value": "mem = self.fade[:, None] * (mem + key.mT @ value)",
    }


def bug(pick):
    name = pick("FadingDelta", "GatedRule", "LeakyDelta")
    changes = {
        "class Gated": f"class {name}",
        "def __init__(self, alpha, beta)": "def __init__(self, beta, alpha)",
        "Gated(alpha, beta)": f"{name}(beta, alpha)",
        "Gated(1.0, 1.0)": f"{name}(1.0, 1.0)",
        "Gated(alpha, 1.0)": f"{name}(1.0, alpha)",
        "Gated(1.0, beta)": f"{name}(beta, 1.0)",
    }
    if pick(True, False):
        changes |= {
            "# error = value - key @ mem": "# error = key @ mem - value",
            "# mem = self.beta * mem": "# mem = self.alpha * mem",
            "(self.alpha * error)": "(self.beta * error)",
            "and two names stand in each other's\nplace": "and a difference is taken the\nwrong way round",
        }
    return changes


def erase(pick):
    name = pick("forget", "remove", "withdraw")
    return {
        "erase(s, key)": f"{name}(key, s)",
        "erasing `(2, 0)` from `[[3, 4], [0, 4]]` leaves `[[0, 0], [0, 4]]`": (
            "erasing `(0, 2)` from `[[3, 4], [0, 4]]` leaves `[[3, 4], [0, 0]]`"
        ),
    }


def width(pick):
    few, some, many = pick((18, 45, 200), (40, 100, 190), (20, 100, 200), (45, 105, 195))
    best = {18: 32, 20: 32, 40: 64, 45: 64, 100: 128, 105: 128, 190: 256, 195: 256, 200: 256}
    pairs = {20: few, 50: some, 90: many}
    return {
        "for 20 pairs, for 50, and for 90": f"for {few} pairs, for {some}, and for {many}",
        "of every width for 20 pairs": f"of every width for {few} pairs",
        **{f"for_{old}": f"for_{new}" for old, new in pairs.items()},
        **{f"for_{old} = {was}": f"for_{new} = {best[new]}"
           for (old, new), was in zip(pairs.items(), (32, 64, 128), strict=True)},
        **{f"({old}, for_{old})": f"({new}, for_{new})" for old, new in pairs.items()},
    }  # fmt: skip


def rebind(pick):
    times, window = pick((6, 24), (4, 56), (8, 40), (7, 72))
    rounds, more = window // 16, window % 16
    held = f"(1 / {rounds + 1} + 1 / {rounds}) / 2" if rounds > 1 else "(1 / 2 + 1) / 2"
    a_half = f"1/{rounds + 1} and {f'1/{rounds}' if rounds > 1 else '1'}"
    return {
        "5 times each (so 80 pairs come by)": f"{times} times each (so {16 * times} pairs come by)",
        "**window of 40** pairs": f"**window of {window}** pairs",
        "40 pairs are two whole rounds of 16, and 8 pairs more": (
            f"{window} pairs are {word(rounds)} whole round{'s' if rounds > 1 else ''} of 16, and {more} pairs more"
        ),
        "8 keys have three values left and 8 keys two: the mean of 1/3 and 1/2": (
            f"8 keys have {word(rounds + 1)} values left and 8 keys {word(rounds)}: the mean of {a_half}"
        ),
        "of its five values": f"of its {word(times)} values",
        '"window of 40"': f'"window of {window}"',
        "full_share = 1 / 5": f"full_share = 1 / {times}",
        "window_share = (1 / 3 + 1 / 2) / 2": f"window_share = {held}",
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
    name = pick("spread", "lift", "widen")
    return {
        "`features`": f"`{name}`",
        **{f"features({x})": f"{name}({x})" for x in ("x", "like.k", "new.k", "q")},
    }


DRAWS = {one.__name__: one for one in (by_hand, order, rows, bug, erase, width, rebind, explain, design)}
