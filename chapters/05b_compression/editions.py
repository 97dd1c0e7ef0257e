"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word


def by_hand(pick):
    """Other values, another attention, another rate or other weights of the convolution."""
    values, used, rate, weights = pick(
        ((8, 2, 5, 3, 12, 0), (0.10, 0.28, 0.24, 0.09, 0.22, 0.07), 3, (0.25, 0.5, 0.25)),
        ((6, 12, 9, 1, 3, 5), (0.06, 0.20, 0.26, 0.12, 0.05, 0.31), 3, (0.25, 0.25, 0.5)),
        ((2, 6, 10, 5, 8, 5), (0.27, 0.07, 0.12, 0.21, 0.29, 0.04), 2, (0.75, 0.25)),
        ((10, 4, 2, 8, 0, 6), (0.22, 0.04, 0.25, 0.09, 0.32, 0.08), 2, (0.25, 0.75)),
    )
    groups = [values[i : i + rate] for i in range(0, 6, rate)]
    many = len(groups)
    means, largest = [sum(g) / rate for g in groups], [max(g) for g in groups]
    conv = [sum(w * x for w, x in zip(weights, g, strict=True)) for g in groups]
    kept = [values[i] for i in sorted(sorted(range(6), key=lambda i: -used[i])[:many])]
    two = values[0] if used[0] > used[1] else values[1]
    all_read = sum(values) / 6
    loss = [(all_read - sum(x) / many) ** 2 for x in (largest, kept)]
    said = {0.25: "¼", 0.5: "½", 0.75: "¾"}
    pair = (values[0] + values[1]) / 2
    first, last = ", ".join(map(str, values[:-1])), values[-1]
    each = ", ".join(f"pairs {i} {'to' if rate > 2 else 'and'} {i + rate - 1}" for i in range(0, 6, rate))
    return {
        "become two at rate 3": f"become {word(many)} at rate {rate}",
        "4, 10, 1, 6, 0, 9": f"{first}, {last}",
        "0.25, 0.05, 0.30, 0.10, 0.08, 0.22": ", ".join(f"{x:.2f}" for x in used),
        "the two new values": f"the {word(many)} new values",
        "½, ¼, ¼ (oldest first)": f"{', '.join(said[w] for w in weights)} (oldest first)",
        "the mean is `[7]`, the max `[10]`, most-used `[4]`": (
            f"the mean is `[{pair:g}]`, the max `[{max(values[:2])}]`, most-used `[{two}]`"
        ),
        "read 7, so that the loss of the max is $(7-10)^2=9$": (
            f"read {pair:g}, so that the loss of the max is $({pair:g}-{max(values[:2])})^2={(pair - max(values[:2])) ** 2:g}$"
        ),
        "pairs 0 to 2, pairs 3 to 5": each,
        "6 / 3 = 2 pairs": f"6 / {rate} = {many} pairs",
        "30 / 6 = 5": f"{sum(values)} / 6 = {all_read:.4g}",
        "the mean of the two new values": f"the mean of the {word(many)} new values",
        "what the two?": f"what the {word(many)}?",
        "mean_values = [5, 5]": f"mean_values = {means}",
        "max_values = [10, 9]": f"max_values = {largest}",
        "most_used_values = [4, 1]": f"most_used_values = {kept}",
        "conv_values = [4.75, 5.25]": f"conv_values = {conv}",
        "loss_of_max = 20.25": f"loss_of_max = {loss[0]}",
        "loss_of_most_used = 6.25": f"loss_of_most_used = {loss[1]}",
    }


def order(pick):
    said = (
        "The pool makes slots of the stopped pairs.",
        "The segment's queries read CMem, Mem and, causally, their own segment.",
        "The stopped queries read the old pairs once and the slots once; the difference is the loss.",
        "The segment enters Mem, and Mem pops its oldest pairs.",
        "What was popped, and the queries, are detached.",
        "The way back makes old pairs again of the slots.",
    )
    places = pick((3, 0, 5, 1, 4, 2), (5, 2, 1, 4, 0, 3), (2, 5, 0, 3, 1, 4), (1, 4, 3, 5, 2, 0))
    now = {"abcdef"[was]: "abcdef"[place] for place, was in enumerate(places)}
    return {said[i]: said[was] for i, was in enumerate(places)} | {
        'order = "bdeac"': f'order = "{"".join(now[c] for c in "bdeac")}"',
        'other = "f"': f'other = "{now["f"]}"',
    }


def weighted(pick):
    """What of the attention is the weight, and what becomes of a group that nobody looked at."""
    name = pick("pool_by_use", "used_mean", "listening_pool")
    said, code, example, weights = pick(
        ("**squares** of the attention", "used.square()", "1, 3, 0, 0", (1, 9)),
        ("**square roots** of the attention", "used.sqrt()", "1, 4, 0, 0", (1, 2)),
    )
    lone, second, extra = pick(
        ("the plain mean", 6, {}),
        (
            "its newest pair",
            8,
            {
                "torch.where(total &gt; 0, ..., 1 / rate)": "torch.where(total &gt; 0, ..., ...)",
                "total = groups.sum(-1, keepdim=True)": "total = groups.sum(-1, keepdim=True)\n    newest = torch.eye(rate)[-1]",
                "torch.full_like(groups, 1 / rate)": "newest.expand_as(groups)",
            },
        ),
    )
    first = (2 * weights[0] + 10 * weights[1]) / sum(weights)
    return extra | {
        "used_pool": name,
        "the weights are the attention that the pairs have": f"the weights are the {said} that the pairs have",
        "becomes the plain mean": f"becomes {lone}",
        "used 1, 3, 0, 0 give 8 and 6": f"used {example} give {first:.4g} and {second}",
        "groups = used.unflatten(-1, shape)": f"groups = {code}.unflatten(-1, shape)",
    }


def bug(pick):
    """Who votes together, how many stay, and in which order the arguments stand."""
    name = pick("keep_most_used", "busiest", "favourites")
    votes = pick(
        "used.sum(1, keepdim=True).expand_as(used)",
        "used.mean(0, keepdim=True).expand_as(used)",
        "used.sum((0, 1)).expand_as(used)",
    )
    best = pick("votes.topk(old.n - old.n // rate, -1).indices", "votes.argsort(-1, descending=True)[..., :rate]")
    return {
        "def most_used(old, rate, used)": f"def {name}(used, old, rate)",
        "kept = most_used(old, rate, used)": f"kept = {name}(used, old, rate)",
        "# votes = used.sum((0, 1)).expand_as(used)": f"# votes = {votes}",
        "# best = votes.topk(rate, -1).indices": f"# best = {best}",
    }


def frozen(pick):
    """How the difference is measured, and which stop is missing."""
    name, loss = (
        pick("loss_of_the_pool", "its_own_loss", "small_loss"),
        pick(".square().sum()", ".abs().mean()", ".norm()"),
    )
    changes = {
        "def pool_loss(project, pool, x, queries, rate)": f"def {name}(queries, x, project, pool, rate)",
        "loss = pool_loss(project, pool, x, queries, 2)": f"loss = {name}(queries, x, project, pool, 2)",
        "return (attend(q, old) - attend(q, new)).square().mean()": f"return (attend(q, old) - attend(q, new)){loss}",
        "# return (attend(queries, old) - attend(queries, new)).square().mean()": (
            f"# return (attend(queries, old) - attend(queries, new)){loss}"
        ),
    }
    if pick(True, False):
        given = f"(attend(q, old) - attend(q, new)){loss}"
        changes |= {
            "# return (attend(queries, old) - attend(queries, new)).square().mean()": f"# return {given}",
            "# old = KV(k, v)": "# old, q = KV(k, v), queries.detach()",
            "# k, v = (x.detach() @ weight.T).chunk(2, -1)": "# k, v = (x @ weight.T).chunk(2, -1)",
        }
    return changes


def choose(pick):
    """How much of each is wanted."""
    share, reads, few, needles = pick(
        (0.84, 4, "three", 2), (0.84, 4, "ten", 8), (0.65, 2, "three", 2), (0.65, 2, "ten", 8), (0.84, 4, "five", 4)
    )
    changes = {
        "at most **0.65** of what": f"at most **{share}** of what",
        "<= 0.65 *": f"<= {share} *",
        "**one pair in five**": f"**one pair in {few}**",
        "1 / 5": f"1 / { {'three': 3, 'five': 5, 'ten': 10}[few] }",
        "for_reads = 2": f"for_reads = {reads}",
        "for_needles = 4": f"for_needles = {needles}",
    }
    return {old: new for old, new in changes.items() if old != new}


def learns(pick):
    """Which letter stands for which part."""
    now = dict(zip("hwpg", pick("wpgh", "pghw", "ghwp", "pgwh", "gphw"), strict=True))

    def word_of(letters):
        return "".join(now[c] for c in letters)

    return {f"**{c}**": f"**{now[c]}**" for c in "hwpg"} | {
        'from_the_models_loss = "hw"': f'from_the_models_loss = "{word_of("hw")}"',
        'from_reconstruction = "p"': f'from_reconstruction = "{word_of("p")}"',
        'from_encoding = "pg"': f'from_encoding = "{word_of("pg")}"',
        'from_the_models_loss_unstopped = "hwp"': f'from_the_models_loss_unstopped = "{word_of("hwp")}"',
    }


def explain(pick):
    said = (
        "Most-used was trained on the text that was measured and the mean on nothing, so its bits are lower there than on other text.",
        "The loss reads the slots alone. Beside raw pairs a mean key is outweighed, while a pair that was kept whole has its right score.",
        "Most-used keeps the pairs that are asked for longest, so it reads further back than the mean at the same rate and with the same slots.",
        "Bits per byte are counted for the next byte alone, reads for a whole segment: the two measures have nothing to do with one another.",
    )
    places = pick((1, 0, 3, 2), (2, 3, 1, 0), (3, 2, 0, 1))
    return {said[was]: said[places.index(was)] for was in range(4)} | {
        'letter = "b"': f'letter = "{"abcd"[places[1]]}"'
    }


def design(pick):
    """Another rate, or fewer numbers."""
    rate, many, share = pick((2, 100, 0.8), (8, 100, 0.87), (4, 64, 0.82))
    if rate == 4:
        changes = {
            "A hundred numbers": "Sixty-four numbers",
            "You have **100**": "You have **64**",
            "at most 100 learned": "at most 64 learned",
            "<= 100": "<= 64",
            "self.key, self.value, self.place = (nn.Parameter(torch.zeros(n)) for n in (32, 32, 4))": (
                "self.key, self.value = (nn.Parameter(torch.zeros(n)) for n in (32, 32))"
            ),
            "k @ self.key + v @ self.value + self.place": "k @ self.key + v @ self.value",
        }
    else:
        changes = {
            "In the lesson a convolution": "In the lesson, at rate 4, a convolution",
            "`pool(old, 4)`": f"`pool(old, {rate})`",
            "weighs its four pairs": f"weighs its {word(rate)} pairs",
            "over the four of a group": f"over the {word(rate)} of a group",
            "(32, 32, 4)": f"(32, 32, {rate})",
            "KV(old.k[some], old.v[some]), 4)": f"KV(old.k[some], old.v[some]), {rate})",
            "reads_lost(pool, 4, q, old, own, q)": f"reads_lost(pool, {rate}, q, old, own, q)",
            "made = pool(old, 4)": f"made = pool(old, {rate})",
            "// 4 == group": f"// {rate} == group",
            "for x in (old.k, old.v))), 4)\n": f"for x in (old.k, old.v))), {rate})\n",
            "reads_lost(pool, 4, *unseen)": f"reads_lost(pool, {rate}, *unseen)",
            "reads_lost(MeanPool(), 4, *unseen)": f"reads_lost(MeanPool(), {rate}, *unseen)",
        }
    if share != 0.8:
        changes |= {
            "less than 0.8 of what": f"less than {share} of what",
            "loses less than 0.8 of": f"loses less than {share} of",
            "< 0.8 *": f"< {share} *",
        }
    return changes


DRAWS = {one.__name__: one for one in (by_hand, order, weighted, bug, frozen, choose, learns, explain, design)}
