"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    size, sinks = pick(4, 5), pick(1, 2)
    full = size + sinks
    a, b = full + pick(1, 2), pick(12, 13, 14)
    many, the = word(size), "sinks" if sinks > 1 else "sink"

    def held(t):
        return [*range(sinks), *range(t + 1 - size, t + 1)]

    return {
        "Window(3, sinks=1)": f"Window({size}, sinks={sinks})",
        "token 4": f"token {a}",
        "token 9": f"token {b}",
        "after_4": f"after_{a}",
        "after_9": f"after_{b}",
        "[0, 2, 3, 4]": held(a),
        "[0, 7, 8, 9]": held(b),
        "first_lost = 1": f"first_lost = {sinks}",
        "The sink comes on top of the three newest.": f"The {the} come on top of the {many} newest.",
        "After token 3 there are four pairs": f"After token {full - 1} there are {word(full)} pairs",
        "Write the newest three, then put the sink in front if it is not there yet.": (
            f"Write the newest {many}, then put in front what of the first {word(sinks)} is not there yet."
        ),
        "Count the newest three pairs, the current one included; the sink is a fourth.": (
            f"Count the newest {many} pairs, the current one included; with the {the} it makes {word(full)}."
        ),
    }


def mask(pick):
    name, (hidden, turned) = (
        pick("band_mask", "sight_mask", "near_mask"),
        pick((True, False), (False, True), (True, True)),
    )
    seen = [[j <= i and i - j < 2 for j in range(4)] for i in range(4)]
    old = [" ".join(f"{str(x):5}" for x in row).strip() for row in seen]
    new = [[seen[j][i] if turned else seen[i][j] for j in range(4)] for i in range(4)]
    changes = {o: " ".join(f"{str(x != hidden):5}" for x in row).strip() for o, row in zip(old, new, strict=True)}
    right = "(key <= query) & ((query - key < size) | (key < sinks))"
    written = f"~({right})" if hidden else right
    changes |= {"local_mask": name, f"return {right}": f"return ({written}).T" if turned else f"return {written}"}
    if hidden:
        changes["lets the query look"] = "keeps the query from looking"
        changes["and near enough (or a sink)."] = "and near enough (or a sink). Then turn it round."
    if turned:
        changes |= {
            "row = query, column = key": "row = key, column = query",
            "is a column of query places; compare it with a row of key places.": (
                "is a column of places: of the keys here; compare it with a row of query places."
            ),
            "In row i the newest key": "In column i the newest key",
            'axes=("query", "key")': 'axes=("key", "query")',
        }
    return changes


def dilated(pick):
    name, size = pick("StridedWindow", "CombWindow", "SpacedWindow"), pick(3, 4)
    return {
        "DilatedWindow(3, 2)` after token 5 reads `[1, 3, 5]`, after token 4 `[0, 2, 4]`": (
            f"{name}(3, {size})` after token 5 reads `[2, 5]`, after token 7 `[1, 4, 7]`"
        ),
        "A dilated window looks back in strides": f"`{name}(stride, size)` looks back in strides",
        "class DilatedWindow": f"class {name}",
        "def __init__(self, size, stride)": "def __init__(self, stride, size)",
        "DilatedWindow(size, stride)": f"{name}(stride, size)",
    }


def bug(pick):
    first, newest, order, said, hint = pick(*BUGS)
    return {
        "SinkWindow": pick("AnchoredWindow", "PinnedWindow", "MooredWindow"),
        "# first = both[: self.sinks]": f"# first = both[: {first}]",
        "# newest = both[-(self.size - 1) :]": f"# newest = both{newest}",
        "# return join(newest, first)": f"# return join({order})",
        "Three things are wrong with it: one shows while it fills,\none in every state, one in the order.": said,
        "While it fills a token can stand in the state twice: where do the newest pairs begin to count?": hint,
    }


TWICE = "While it fills a token can stand in the state twice: where do the newest pairs begin to count?"
BUGS = (
    (
        "self.sinks",
        "[-(self.size + 1) :]",
        "newest, first",
        "Three things are wrong with it: one shows while it fills,\none in every full state, one in the order.",
        TWICE,
    ),
    (
        "self.sinks + 1",
        "[self.sinks :][: self.size]",
        "newest, first",
        "Three things are wrong with it: one with the sinks,\none with the pairs that stay, one in the order.",
        "Which tokens are in the state after the last step? Which should be?",
    ),
    (
        "self.sinks + 1",
        "[-self.size :]",
        "first, newest",
        "Two things are wrong with it: one shows while it fills,\none in every full state.",
        TWICE,
    ),
)


def reach(pick):
    name, distance, size = pick("depth_needed", "layers_for", "least_layers"), pick(11, 14, 17), pick(5, 7, 8)
    return {
        "layers_needed(distance, size, conv)": f"{name}(size, distance, conv)",
        "layers_needed(10, 6, 1)` is 2": f"{name}({size}, {distance}, 1)` is {-(-distance // (size - 1))}",
        "layers_needed(distance, size, conv=1)": f"{name}(size, distance, conv=1)",
        "layers_needed(d, size, 1)": f"{name}(size, d, 1)",
        "layers_needed(d, size, 4)": f"{name}(size, d, 4)",
        "layers_needed(5, 1, 1)": f"{name}(1, 5, 1)",
    }


def choose(pick):
    pairs, title, orders = pick(11, 12, 13), pick(3, 4), pick(5, 7, 8)
    return {
        "ten pairs": f"{word(pairs)} pairs",
        "size + sinks <= 10": f"size + sinks <= {pairs}",
        "ten newest": f"{word(pairs)} newest",
        "(tokens 0 and 1)": f"(tokens 0 to {title - 1})",
        "eight newest": f"{word(pairs - title)} newest",
        "(tokens 0 to 5)": f"(tokens 0 to {orders - 1})",
        "four newest": f"{word(pairs - orders)} newest",
        "at most ten?": f"at most {word(pairs)}?",
        "(10, 0)": (pairs, 0),
        "(8, 2)": (pairs - title, title),
        "(4, 6)": (pairs - orders, orders),
        '"form": [0, 1], "agent": [0, 1, 2, 3, 4, 5]': f'"form": {[*range(title)]}, "agent": {[*range(orders)]}',
        '{"chat": 10, "form": 8, "agent": 4}': (
            f'{{"chat": {pairs}, "form": {pairs - title}, "agent": {pairs - orders}}}'
        ),
    }


def explain(pick):
    said = (
        "Windows beyond 32 are truncated by the library.",
        "Three layers of 32 already reach all 256 bytes, so a longer window adds nothing at all.",
        "This model has learned to use little that lies further back than some thirty bytes.",
        "Text has no dependencies longer than 32 bytes.",
    )
    order = pick((2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2), (0, 1, 3, 2))
    changes = {said[i]: said[j] for i, j in enumerate(order)}
    return changes | {'letter = "c"': f'letter = "{"abcd"[order.index(2)]}"'}


def design(pick):
    size, beyond, keep, lower, upper = pick((5, 9, 14, [0, 1, 2], [0, 3, 6, 9]), (7, 16, 22, [*range(6)], [0, 6, 12]))
    many = word(size)
    return {
        "[0, 1, 2, 3, 4, 5]": [*range(size)],
        "is a window of six": f"is a window of {many}",
        "windows of six, one a layer, reach 11 tokens": f"windows of {many}, one a layer, reach {2 * size - 1} tokens",
        "and keep 12 pairs": f"and keep {2 * size} pairs",
        "more than 11": f"more than {beyond}",
        "> 11": f"> {beyond}",
        "at most **six**": f"at most **{many}**",
        "at most **20**": f"at most **{keep}**",
        "lower = [0, 1, 2, 3, 4]": f"lower = {lower}",
        "upper = [0, 5, 10]": f"upper = {upper}",
        "reads at most six a layer": f"reads at most {many} a layer",
        "max(len(set(lower)), len(set(upper))) <= 6": f"max(len(set(lower)), len(set(upper))) <= {size}",
        "keeps at most 20 pairs": f"keeps at most {keep} pairs",
        "max(upper) + 1 <= 20": f"max(upper) + 1 <= {keep}",
    }


DRAWS = {one.__name__: one for one in (by_hand, mask, dilated, bug, reach, choose, explain, design)}
