"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    """Other keys, another query, other weights; the newest two stay what they are called: tokens 5 and 6."""
    keys, q = pick(
        (((1, 5), (4, 6), (0, 2), (1, 1), (3, 6), (6, 6), (2, 4)), (2, 1)),
        (((1, 3), (3, 4), (1, 5), (6, 3), (0, 3), (6, 6), (5, 4)), (2, 1)),
        (((0, 5), (1, 4), (4, 5), (1, 1), (1, 5), (3, 6), (3, 1)), (1, 2)),
        (((2, 2), (6, 0), (6, 4), (3, 4), (5, 3), (6, 6), (1, 2)), (1, 1)),
    )
    product = [a * q[0] + b * q[1] for a, b in keys]
    away = [(a - q[0]) ** 2 + (b - q[1]) ** 2 for a, b in keys]
    far, close = sorted(range(5), key=lambda i: -product[i]), sorted(range(5), key=lambda i: away[i])
    wide = sorted(range(6), key=lambda i: -product[i])
    for order, scores in ((far, product), (close, away), (wide, product)):
        assert len({scores[i] for i in order[:3]}) == 3, "a tie"
    (a, b, c, d), longest = pick(((5, 3, 1, 1), 20), ((6, 2, 1, 1), 5), ((4, 2, 2, 2), 20), ((3, 3, 2, 2), 5))
    p = (a + b) / 10
    return {
        "| key | (2, 2) | (0, 3) | (1, 1) | (5, 1) | (0, 1) | (4, 4) | (3, 3) |": f"| key | {' | '.join(map(str, keys))} |",
        "is (1, 1). A worked example": f"is {q}. A worked example",
        "fetches token\n3 (product 6; tokens": f"fetches token\n{far[0]} (product {product[far[0]]}; tokens",
        "Products of the others: 4, 3, 2, 6, 1.": f"Products of the others: {', '.join(map(str, product[:5]))}.",
        "Squared distances from (1, 1): 2, 5, 0, 16, 1.": f"Squared distances from {q}: {', '.join(map(str, away[:5]))}.",
        "weights 0.4, 0.3, 0.2 and 0.1": f"weights 0.{a}, 0.{b}, 0.{c} and 0.{d}",
        "has\nlength 10": f"has\nlength {longest}",
        "by_product = [3, 0]": f"by_product = {far[:2]}",
        "by_distance = [2, 4]": f"by_distance = {close[:2]}",
        "with_local_1 = [5, 3]": f"with_local_1 = {wide[:2]}",
        "weight_kept = 4 / 7": f"weight_kept = {a} / {a + b}",
        "bound = 6": f"bound = {2 * (1 - p) * longest:g}",
    }


def mask(pick):
    """Hidden in the place of read, or a row a key; and the order of the sizes."""
    name, (hidden, turned) = (
        pick("recall_mask", "reach_mask", "read_mask"),
        pick((True, False), (False, True), (True, True)),
    )
    seen = [
        [True, False, False, False],
        [True, True, False, False],
        [True, False, True, False],
        [True, False, False, True],
    ]
    old = [" ".join(f"{str(x):5}" for x in row).strip() for row in seen]
    new = [[seen[j][i] if turned else seen[i][j] for j in range(4)] for i in range(4)]
    shown = "\n".join("    " + " ".join(f"{str(x != hidden):5}" for x in row).strip() for row in new)
    right = "near | (torch.zeros(n, n, dtype=torch.bool).scatter(-1, best, True) & old)"
    written = f"~({right})" if hidden else f"({right})"
    table = f"{name}(q, k, local, fetch)"
    back = f"{'~' if hidden else ''}{table}{'.T' if turned else ''}"
    changes = {
        "`fetch_mask(q, k, fetch, local)`: a table": f"`{table}`: a table",
        "mask=fetch_mask(q, k, fetch, local))` is what the\nmemory gives": f"mask={back})` is what the\nmemory gives",
        "\n".join("    " + row for row in old): shown,
        "def fetch_mask(q, k, fetch, local)": f"def {table}",
        f"return {right}": f"return {written}" + ".T" * turned,
        "found = fetch_mask(q, k, fetch, local)": f"found = {name}(q, k, local, fetch)",
        "mask=found.bool()": f"mask={'~' if hidden else ''}found.bool(){'.T' if turned else ''}",
        "fetch_mask(q[:6], k[:6], 50, 1)": f"{name}(q[:6], k[:6], 1, 50)",
        "fetch_mask(q[:4], k[:4], 1, 9)": f"{name}(q[:4], k[:4], 9, 1)",
    }
    if hidden:
        changes |= {
            "True where\n`Joint(Window(local), KNN(fetch, local))` reads": "True where\n`Joint(Window(local), KNN(fetch, local))` does **not** read",
            "The answer is near, or old and among the best.": "What is read is near, or old and among the best. At last turn True and False round.",
        }
    if turned:
        changes |= {
            "row = query, column = key": "row = key, column = query",
            "Count a row: local pairs": "Count a column: local pairs",
            "Which row is the first": "Which column is the first",
            'report("mask", found, axes=("query", "key")': 'report("mask", found, axes=("key", "query")',
        }
    return changes


def counter(pick):
    """The statements change places, and one true one is exchanged for another; so the names change too."""
    said = (
        "The key that is nearest by inner product is also the nearest by distance.",
        "A query ten times as long fetches the same pairs by inner product.",
        "A k-NN memory can only hand over values of the text that is being read.",
        "What a query has fetched at one step, the same query fetches at every later step too.",
        "With `local=0` and `k` as large as the number of pairs a k-NN memory reads what the full cache reads.",
    )
    places = pick((3, 0, 4, 2, 1), (2, 4, 1, 0, 3), (4, 2, 0, 1, 3), (1, 3, 2, 4, 0))
    now = {"abcde"[was]: "abcde"[place] for place, was in enumerate(places)}
    a, c, d = (now[x] for x in "acd")
    largest = pick(5, 9, 20)
    changes = {said[i]: said[was] for i, was in enumerate(places)}
    changes |= {
        f"{name}_{old}": f"{name}_{new}"
        for name, old, new in (
            ("query", "a", a),
            ("keys", "a", a),
            ("store", "c", c),
            ("query", "d", d),
            ("early", "d", d),
            ("late", "d", d),
        )
    }
    changes |= {
        'true_ones = "be"': f'true_ones = "{"".join(sorted((now["b"], now["e"])))}"',
        "it must read something larger than 2": f"it must read something larger than {largest}",
        "torch.tensor([[7.0]])": f"torch.tensor([[{largest + 1}.0]])",
        "read.max() > 2": f"read.max() > {largest}",
        "For a: a long key": f"For {a}: a long key",
        "For c: nobody": f"For {c}: nobody",
        "For d: a later": f"For {d}: a later",
        '"a, the nearest keys differ"': f'"{a}, the nearest keys differ"',
        '"c, something is read': f'"{c}, something is read',
        '"d, first it is': f'"{d}, first it is',
        '"d, then a later': f'"{d}, then a later',
    }
    return changes


def story(pick):
    """Another place of the name, other sinks, other memories at other letters."""
    name, (token, sinks, knows) = (
        pick("can_tell", "recalls", "answers_for"),
        pick((20, 16, False), (20, 32, True), (12, 8, False)),
    )
    said = (
        "Window(512)",
        f"Window(512, sinks={sinks})",
        "CumulativeAverage()",
        "Hybrid(256, 64, 4)",
        "Full()",
        "KNN(8, local=512)",
        "Joint(Window(512), KNN(8, 512))",
    )
    old = ("Window(512)", "Window(512, sinks=16)", *said[2:])
    places = pick((4, 1, 6, 2, 5, 0, 3), (1, 5, 0, 3, 6, 4, 2), (6, 2, 1, 4, 0, 3, 5))
    right = [1, 4, 5, 6] if knows else [4, 5, 6]
    letters = "".join("abcdefg"[place] for place, was in enumerate(places) if was in right)
    changes = {
        f"- **{'abcdefg'[i]}** `{old[i]}`": f"- **{'abcdefg'[i]}** `{said[was]}`" for i, was in enumerate(places)
    }
    return changes | {
        **{f'"{"abcdefg"[i]}": {old[i]},': f'"{"abcdefg"[i]}": {said[was]},' for i, was in enumerate(places)},
        "A name fixed at token 10, asked at 5,000": f"A name fixed at token {token}, asked at 5,000",
        "the name at token 10. At": f"the name at token {token}. At",
        "is pair 10 still": f"is pair {token} still",
        "for pair 10 and for": f"for pair {token} and for",
        'report("token 10", {name: still_knows(memory, pairs, 10)': f'report("token {token}", {{name: {name}(pairs, {token}, memory)',
        "still_knows(memory, pairs, asked)": f"{name}(pairs, asked, memory)",
        "still_knows(memory, pairs, recent)": f"{name}(pairs, recent, memory)",
        "Try still_knows on": f"Try {name} on",
        'they_know = "befg"': f'they_know = "{letters}"',
    }


def spans(pick):
    """Which neighbours a hit brings along."""
    name, kind = pick("NeighbourKNN", "TailKNN", "PassageKNN"), pick("before", "two", "around")
    end = {
        "before": "hits | F.pad(hits, (0, 1))[..., 1:]",
        "two": "hits | F.pad(hits, (1, 0))[..., :-1] | F.pad(hits, (2, 0))[..., :-2]",
        "around": "hits | F.pad(hits, (1, 0))[..., :-1] | F.pad(hits, (0, 1))[..., 1:]",
    }[kind]
    title, brings, why, shown, where, last = {
        "before": (
            "A hit brings what stood before it",
            "the pair that stands before it in the sequence, if there is one",
            "what comes **before** a hit",
            "fetch pairs 3 and 2; with\n`k=2` pairs 3, 2 and 0",
            "to the left",
            "Is the one before each hit there, and before the first none?",
        ),
        "two": (
            "A hit brings two successors",
            "the two pairs that follow it in the sequence, as far as they are old enough too",
            "what comes **after** a hit",
            "fetch pair 3 alone (its successors are too new); with\n`k=2` pairs 3, 0, 1 and 2",
            "to the right, and once more by two",
            "Are both successors of each hit there, and of the last pair none?",
        ),
        "around": (
            "A hit brings both neighbours",
            "the pairs before and behind it in the sequence, if there are such that are old enough",
            "what stands **around** a hit",
            "fetch pairs 3 and 2 (its successor is too new); with\n`k=2` pairs 3, 2, 0 and 1",
            "to the right, and one place to the left",
            "Are both neighbours of each hit there, and beyond the ends none?",
        ),
    }[kind]
    by = {
        "before": ("(0, 1))[..., 1:]", "False at the end"),
        "two": ("(1, 0))[..., :-1]", "False in front"),
        "around": ("(1, 0))[..., :-1]", "False in front"),
    }[kind]
    return {
        "A hit brings its successor": title,
        "In a text what comes **after** a hit often": f"In a text {why} often",
        "with\neach of them the pair that follows it in the sequence, if that one is old enough too": f"with\neach of them {brings}",
        "fetch pair 3 alone (its successor is too new); with\n`k=2` pairs 3, 0 and 1": shown,
        "moved one place to the right": f"moved one place {where}",
        "<code>F.pad(hits, (1, 0))[..., :-1]</code> is <code>hits</code> moved by one, False in front": (
            f"<code>F.pad(hits, {by[0]}</code> is <code>hits</code> moved by one, {by[1]}"
        ),
        "SpanKNN(k, local)": f"{name}(local, k)",
        "class SpanKNN": f"class {name}",
        "def __init__(self, k, local=1)": "def __init__(self, local, k)",
        "return hits | F.pad(hits, (1, 0))[..., :-1]": f"return {end}",
        "Is the successor of each hit there, and of the last pair none?": last,
        "SpanKNN(fetch, local)": f"{name}(local, fetch)",
        "SpanKNN(50)": f"{name}(1, 50)",
    }


def bug(pick):
    """Kept are the oldest; near is another measure."""
    name, oldest = pick("FirstKNN", "EarlyKNN", "OldestKNN"), ": self.room"
    near = pick("cosine", "distance")
    changes = {
        "keeps the newest `room` pairs": "keeps the **first** `room` pairs (what comes when it is full does not enter)",
        "class NewestKNN": f"class {name}",
        "def __init__(self, k, room)": "def __init__(self, room, k)",
        "keys = torch.cat([mem.k, new.k], -2)[:, -self.room :]\n        values = torch.cat([mem.v, new.v], -2)[:, -self.room :]": (
            f"keys = torch.cat([mem.k, new.k], -2)[:, {oldest}]\n        values = torch.cat([mem.v, new.v], -2)[:, {oldest}]"
        ),
        "# keys = torch.cat([mem.k, new.k], -2)[:, -self.room :]\n        # values = torch.cat([mem.v, new.v], -2)[:, : self.room]": (
            f"# keys = torch.cat([mem.k, new.k], -2)[:, {oldest}]\n        # values = torch.cat([mem.v, new.v], -2)[:, -self.room :]"
        ),
        "NewestKNN(fetch, room)": f"{name}(room, fetch)",
    }
    if near == "cosine":
        changes |= {
            "**by distance**, each head": "**by angle**, so that the length of a key says nothing, each head",
            "|q-k|² = |q|² - 2 q.k + |k|². Which of the three terms differs from key to key, and is missing?": (
                "The cosine is q.k / (|q| |k|). Which of the two lengths differs from key to key, and is missing?"
            ),
            "far = mem.k.square().sum(-1)[:, None, :] - 2 * q @ mem.k.mT": "far = -(q @ F.normalize(mem.k, dim=-1).mT)",
            "# far = q.square().sum(-1)[:, :, None] - 2 * q @ mem.k.mT": "# far = -(F.normalize(q, dim=-1) @ mem.k.mT)",
        }
    return changes


def choose(pick):
    """Which pairs are asked for, how many are the vote, and who owns the documents."""
    names = pick(("one_k", "many_k"), ("needle_k", "crowd_k"), ("single_k", "jury_k"))
    desk, handbook = pick(("hotline", "rules"), ("clinic", "manual"), ("bank", "lexicon"))
    few = pick(2, 4, 6)
    return {
        "name_k": names[0],
        "vote_k": names[1],
        "`desk` and `handbook`": f"`{desk}` and `{handbook}`",
        "each one of 1, 8, 256 and 4000": f"each one of 1, {few}, 256 and 4000",
        "- **name**": f"- **{names[0][:-2]}**",
        "- **vote**": f"- **{names[1][:-2]}**",
        "- **desk**": f"- **{desk}**",
        "- **handbook**": f"- **{handbook}**",
        "in (1, 8, 256, 4000) and vote_k in (1, 8, 256, 4000)": f"in (1, {few}, 256, 4000) and {names[1]} in (1, {few}, 256, 4000)",
        "name_k = 8": f"{names[0]} = {few}",
        "The mean of 8 values with a noise of deviation 2 is off by 0.7.": (
            f"The mean of {few} values with a noise of deviation 2 is off by {2 / few**0.5:.1f}."
        ),
        'desk = "cleared"': f'{desk} = "cleared"',
        'handbook = "kept"': f'{handbook} = "kept"',
        '"desk": desk, "handbook": handbook': f'"{desk}": {desk}, "{handbook}": {handbook}',
        '{"desk": str(desk).strip().lower(), "handbook": str(handbook).strip().lower()}': (
            f'{{"{desk}": str({desk}).strip().lower(), "{handbook}": str({handbook}).strip().lower()}}'
        ),
        'stream == "desk" or day == 0': f'stream == "{desk}" or day == 0',
        'if stream == "desk" else 9 * pairs.k[:1]': f'if stream == "{desk}" else 9 * pairs.k[:1]',
        '(day + 1 if stream == "desk" else 1)': f'(day + 1 if stream == "{desk}" else 1)',
        'leaks += stream == "desk" and': f'leaks += stream == "{desk}" and',
        'report("k is one of four", name_k': f'report("k is one of four", {names[0]}',
    }


def explain(pick):
    said = (
        "The full cache had dropped most of the facts by then.",
        "By inner product the search finds better keys than attention does.",
        "The right pair has the same score in both, but in the full cache thousands of small weights take a large part of the attention.",
        "The window of 32 held the facts, so nothing had to be fetched.",
    )
    places = pick((1, 0, 3, 2), (2, 3, 1, 0), (3, 2, 0, 1))
    now = {was: "abcd"[place] for place, was in enumerate(places)}
    return {said[i]: said[was] for i, was in enumerate(places)} | {'letter = "c"': f'letter = "{now[2]}"'}


def design(pick):
    """Less room, fewer phrases, more facts: and the state's pairs come in one tensor width less."""
    name, room, phrases, facts = pick("Sifter", "Archive", "Librarian"), pick(44, 48, 52), pick(8, 10), 30
    talk = {8: 568, 10: 570}[phrases]
    return {
        "A datastore of 64 pairs": f"A datastore of {room} pairs",
        "**64 pairs**": f"**{room} pairs**",
        "`Keeper()` with\nat most 64 pairs": f"`{name}()` with\nat most {room} pairs",
        "A window of 64 finds about three of thirty": f"A window of {room} finds two or three of thirty",
        "twelve phrases said": f"{word(phrases)} phrases said",
        "570 are small talk": f"{talk} are small talk",
        "The stream has 600:": f"The stream has {talk + facts}:",
        "class Keeper": f"class {name}",
        "mem.n > 64": f"mem.n > {room}",
        "how many of your 64 are facts": f"how many of your {room} are facts",
        "After 600 pairs:": f"After {talk + facts} pairs:",
        "(bytes are counted after 600 tokens;": f"(bytes are counted after {talk + facts} tokens;",
        'normal(12, 32, name="phrases"), 0.2 * normal(570, 32': f'normal({phrases}, 32, name="phrases"), 0.2 * normal({talk}, 32',
        "torch.arange(570) % 12": f"torch.arange({talk}) % {phrases}",
        'normal(600, name="order")': f'normal({talk + facts}, name="order")',
        "normal(600, 16": f"normal({talk + facts}, 16",
        "(order >= 570)": f"(order >= {talk})",
        "keeper, mem = Keeper(), None": f"keeper, mem = {name}(), None",
        "read = Keeper().read(mem": f"read = {name}().read(mem",
        "a fresh `Keeper()` reads": f"a fresh `{name}()` reads",
        "range(0, 600, 8)": f"range(0, {talk + facts}, 8)",
        'report("at most 64 pairs", state_bytes(mem) <= 64 *': f'report("at most {room} pairs", state_bytes(mem) <= {room} *',
    }


DRAWS = {one.__name__: one for one in (by_hand, mask, counter, story, spans, bug, choose, explain, design)}
