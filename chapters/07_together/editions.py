"""What a class's own edition draws: task -> what stands in the place of what (memlib/course/write/editions.py says how)."""

from memlib.course.write.editions import word

JOINT = """query ───── softmax over Mem and Mem_knn ── the other layers ── prediction"""
GATED = (
    "query ──┬── softmax over Mem ─────── times 1 - g ──┐",
    "        └── softmax over Mem_knn ─── times g ──────┴── sum ── the other layers ── prediction",
)
TURNED = (
    "query ──┬── softmax over Mem ─────── times g ──────┐",
    "        └── softmax over Mem_knn ─── times 1 - g ──┴── sum ── the other layers ── prediction",
)
MIXED = (
    "query ──┬── reads Mem ─────── the other layers ── prediction ── times 1 - λ ──┐",
    "        └── reads Mem_knn ─── the other layers ── prediction ── times λ ──────┴── sum",
)


def diagrams(pick):
    """Which letter each diagram has, and what g weighs."""
    order, gate = pick("bca", "cab", "acb", "bac"), pick("gate_local", "gate_memory")
    a, b, c = order  # the letters that mixed, gated and joint get
    drawn = {a: MIXED, b: GATED if gate == "gate_memory" else TURNED, c: (JOINT,)}
    old = "\n\n".join((f"  A   {MIXED[0]}\n      {MIXED[1]}", f"  B   {GATED[0]}\n      {GATED[1]}", f"  C   {JOINT}"))
    new = "\n\n".join(
        "\n      ".join((f"  {name.upper()}   {rows[0]}", *rows[1:])) for name, rows in sorted(drawn.items())
    )
    return {
        old: new,
        "in B as it is drawn": f"in {b.upper()} as it is drawn",
        'combined = "c"': f'combined = "{c}"',
        'two_reads = "b"': f'two_reads = "{b}"',
        'two_predictions = "a"': f'two_predictions = "{a}"',
        'nothing_to_set = "c"': f'nothing_to_set = "{c}"',
        'blended_early = "bc"': f'blended_early = "{b}{c}"',
        'g_is = "gate_memory"': f'g_is = "{gate}"',
    }


def by_lse(pick):
    near, far, a, b = pick((8, 12, 15, 40), (9, 6, 20, 50), (6, 18, 12, 52), (12, 4, 8, 40))
    share, many, extra = pick(0.1, 0.3, 0.8), pick(4, 6, 9), pick(3, 5, 8)
    return {
        "The local side answers 16, and its lse is $\\ln 6$. Four pairs were fetched; they answer 40, with an lse of $\\ln 12$.": (
            f"The local side answers {a}, and its lse is $\\ln {near}$. {word(many).capitalize()} pairs were fetched; they answer {b}, with an lse of "
            f"$\\ln {far}$."
        ),
        "gate_memory=0.25": f"gate_memory={share}",
        "gate_local=0.25": f"gate_local={share}",
        "multiplied by 0.25": f"multiplied by {share}",
        "when four **more** pairs": f"when {word(extra)} **more** pairs",
        "6 parts against 12": f"{near} parts against {far}",
        "gate_near = 6 / 18": f"gate_near = {near / (near + far)}",
        "joint_read = 32": f"joint_read = {(near * a + far * b) / (near + far)}",
        "memory_read = 22": f"memory_read = {(1 - share) * a + share * b}",
        "local_read = 34": f"local_read = {share * a + (1 - share) * b}",
        "gate_more = 6 / 22": f"gate_more = {near / (near + far + extra)}",
        "nothing_fetched = 16": f"nothing_fetched = {a}",
    }


def tilted(pick):
    """What the tilt does: it may favour the far side, and the difference may be sharpened or softened."""
    name, factor = pick("Leaning", "Inclined", "Biased"), pick(2, 0.5)
    shown = {2: "2", 0.5: "\\tfrac12"}[factor]
    side = pick("near", "far")
    sign, inner = ("+", "+ self.tilt(q)") if side == "near" else ("-", "- self.tilt(q)")
    worked = {
        (2, "near"): "\\ln 9",
        (0.5, "near"): "\\tfrac12\\ln 3",
        (2, "far"): "-\\ln 9",
        (0.5, "far"): "-\\tfrac12\\ln 3",
    }[factor, side]
    return {
        "$g=\\sigma(\\mathrm{lse}_{near}-\\mathrm{lse}_{far}+\\mathrm{tilt}(q))$": (
            f"$g=\\sigma\\big({shown}\\,(\\mathrm{{lse}}_{{near}}-\\mathrm{{lse}}_{{far}}){sign}\\mathrm{{tilt}}(q)\\big)$"
        ),
        "the tilt is $\\ln 3$: $g=\\sigma(\\ln\\tfrac{2\\cdot3}{6})=\\tfrac12$, so 30.": f"the tilt is ${worked}$: $g=\\sigma(0)=\\tfrac12$, so 30.",
        "class Tilted": f"class {name}",
        "Tilted(*parts, tilt)": f"{name}(*parts, tilt)",
        "Tilted(*parts, lambda": f"{name}(*parts, lambda",
        "torch.sigmoid((lse_near - lse_far)[..., None] + self.tilt(q))": (
            f"torch.sigmoid({factor} * (lse_near - lse_far)[..., None] {inner})"
        ),
        "is it one softmax?": f"is g a sigmoid of {factor} times the difference of the lses?",
        "Then a large one: the window alone?": f"Then a large one: the {'window' if side == 'near' else 'fetched pairs'} alone?",
        '"all for the window"': '"a large tilt"',
        "+ 60": "+ 60" if side == "near" else "+ 20",
    }


def bug(pick):
    """The gate by its other name."""
    name = pick("NearAndFar", "WindowAndFew", "BothSides")
    changes = {
        "TwoReads(2, 1, 0.75)": f"{name}(1, 2, 0.75)",
        "class TwoReads": f"class {name}",
        "def __init__(self, size, k, gate_memory)": "def __init__(self, k, size, gate_local)",
        "self.size, self.k, self.gate_memory = size, k, gate_memory": "self.size, self.k, self.gate_local = size, k, gate_local",
        "put together by `gate_memory`": "put together by `gate_local`",
        "<code>gate_memory</code> weighs what was fetched. When nothing was": "<code>gate_local</code> weighs the window. When nothing was fetched",
        "return (1 - self.gate_memory) * near + self.gate_memory * far": "return self.gate_local * near + (1 - self.gate_local) * far",
        "# return self.gate_memory * near + (1 - self.gate_memory) * far": "# return (1 - self.gate_local) * near + self.gate_local * far",
        "TwoReads(size, nearest, 0.75)": f"{name}(nearest, size, 0.75)",
        "TwoReads(size, nearest, 0.0)": f"{name}(nearest, size, 0.0)",
    }
    if pick(True, False):  # another bug in the place of the overlap
        changes |= {
            "# old = mem": "# old = mem[: max(mem.n - self.size - 1, 0)]",
            "# far = attend(q, old[best]) if mem.n > self.size else 0 * near": (
                "# far = attend(q, old[best]) if old.n else 0 * near"
            ),
            "one lets pairs count twice": "one leaves a pair to neither side",
            "and is a fetched place also one of the newest?": "and can every older place be fetched?",
        }
    return changes


def many(pick):
    """Where the axis of the memories stands, and a last memory that counts twice."""
    name = pick("all_in_one", "joined_reads", "together_read", "whole_read")
    changes = {"one_softmax(outs, lses)": f"{name}(lses, outs)"}
    for call in ("(outs[:2], lses[:2])", "(outs, 100 * lses + 400)"):
        lses = call.strip("()").split(", ")
        changes[f"one_softmax{call}"] = f"{name}({lses[1]}, {lses[0]})"
    if pick(True, False):
        return changes | {
            "of **one** softmax over all their pairs.": "of **one** softmax over all their pairs, those of the **first** memory standing there twice.",
            "give $(1\\cdot10+1\\cdot20+2\\cdot60)/4=37.5$": "give $(2\\cdot10+1\\cdot20+2\\cdot60)/5=32$",
            "With r they are a softmax of the r lses.": "With r they are a softmax of the r lses; what stands there twice has ln 2 more.",
            "torch.softmax(lses, 0)": "torch.softmax(lses + 0.6931471805599453 * (torch.arange(len(lses)) == 0)[:, None], 0)",
            "is it g and 1 - g?": "is it g and 1 - g, with ln 2 for the first?",
        }
    return changes | {
        "of **one** softmax over all their pairs.": "of **one** softmax over all their pairs and one more pair, of score 0 and value 0.",
        "give $(1\\cdot10+1\\cdot20+2\\cdot60)/4=37.5$": "give $(1\\cdot10+1\\cdot20+2\\cdot60+1\\cdot0)/5=30$",
        "With r they are a softmax of the r lses.": "With r they are a softmax of the r lses; the one more pair has an lse of 0.",
        "torch.softmax(lses, 0)[..., None] * outs": "torch.softmax(torch.cat([lses, 0 * lses[-1:].nan_to_num(0, 0, 0)]), 0)[:-1, :, None] * outs",
        "is it g and 1 - g?": "does a third part of the weight go to nothing?",
        "do the weights of each query sum to 1?": "do the weights of each query sum to a little less than 1?",
    }


CHATS = {
    "museum": (
        "The museum code is 3917.",
        "what is the museum code?",
        "what is the router password?",
        "The router password is now quartz. We had soup and bread for dinner. What a long week it was.",
        "what is the router password?",
        "what is the museum code?",
        "where is the compass?",
    ),
    "auction": (
        "The auction is at 14:40.",
        "when is the auction?",
        "what is the phone password?",
        "The phone password is now pigeon. In Oslo the shops close at six. What a long week it was.",
        "what is the phone password?",
        "when is the auction?",
        "when is the rehearsal?",
    ),
    "chapel": (
        "The chapel code is 6083.",
        "what is the chapel code?",
        "when is the lecture?",
        "The lecture is now at 11:20. What a long week it was. Anna bought a red drum yesterday.",
        "when is the lecture?",
        "what is the chapel code?",
        "what is the shed code?",
    ),
}
REPLIES = {  # what the answering model says, by fault and dialogue: python chapters/07_together/transcripts.py
    ("a", "museum"): ("3917", "ma17", "quartz", "3917", "narry name"),
    ("a", "auction"): ("14:40", "question", "pigeon", "14:40", "14:40"),
    ("a", "chapel"): ("6083", "6083", "11:20", "6083", "6083"),
    ("b", "auction"): ("1 onfres the a", "the a askey we", "pigeon", "14: 14: 140 is", "140"),
    ("c", "museum"): ("3917", "harbour", "harbour", "2750", "yellow basket"),
    ("c", "auction"): ("14:40", "ginger", "ginger", "9:35", "18:10"),
    ("c", "chapel"): ("6083", "9:35", "9:35", "2750", "2750"),
    ("d", "museum"): ("2750", "harbour", "harbour", "2750", "yellow basken"),
    ("d", "auction"): ("18:10", "ginger", "ginger", "9:35", "18:10"),
    ("d", "chapel"): ("2750", "9:35", "9:35", "2750", "2750"),
}


def told(chat, replies):
    """A transcript as it stands in the exercise: the dialogue with these replies."""
    first, early, page, later, *asked = CHATS[chat]
    rows = [
        f"- {first}",
        *(f"{ask:30}{reply}" for ask, reply in zip((early, page), replies[:2], strict=True)),
        f"- {later}",
    ]
    rows += [f"{ask:30}{reply}" for ask, reply in zip(asked, replies[2:], strict=True)]
    return "\n".join(f"  {row}" for row in rows)


WRITTEN = ("b", "auction"), ("c", "museum"), ("d", "chapel")  # assistants one, two and three of the exercise


def transcripts(pick):
    """Three faults in three dialogues, and the letters of the faults."""
    several = (
        (("c", "chapel"), ("d", "museum"), ("a", "auction")),
        (("d", "chapel"), ("a", "museum"), ("c", "auction")),
        (("b", "auction"), ("d", "museum"), ("c", "chapel")),
        (("d", "chapel"), ("c", "museum"), ("b", "auction")),
        (("a", "chapel"), ("c", "museum"), ("d", "auction")),
    )
    said = {
        "a": "the store is empty;",
        "b": "the heads' stores were mixed up: each head searches the store of another one;",
        "c": "the window is too short;",
        "d": "the gate is turned round: the far side has the weight that was meant for the local one;",
    }
    orders = ("bcda", "dacb", "cdab", "adbc")  # what stands at a, b, c, d
    others = [(some, order) for some in several for order in orders if [order.index(f) for f, _ in some] != [1, 2, 3]]
    cases, order = pick(*others)  # the letters are not those of the public edition
    now = {was: "abcd"[place] for place, was in enumerate(order)}
    changes = {said[letter]: said[order["abcd".index(letter)]] for letter in "abcd"}
    changes |= {
        told(was[1], REPLIES[was]): told(case[1], REPLIES[case]) for was, case in zip(WRITTEN, cases, strict=True)
    }
    return changes | {
        'broken = "bcd"': f'broken = "{"".join(now[fault] for fault, _ in cases)}"',
    }


def explain(pick):
    said = (
        "Older bytes are of no use to this model.",
        "One softmax over two memories gives the far side a share that no full cache would give it.",
        "The search misses the right pairs when there are many.",
        "It was trained on rows of 256 bytes; farther away its keys are compared at distances it never saw, and such scores mean little, whoever reads them.",
    )
    places = pick((1, 3, 0, 2), (3, 0, 2, 1), (2, 1, 3, 0))
    now = {was: "abcd"[place] for place, was in enumerate(places)}
    return {said[place]: said[was] for place, was in enumerate(places)} | {'letter = "d"': f'letter = "{now[3]}"'}


def choose(pick):
    """Whom each name stands for."""
    guide, clerk, host = pick(("butler", "porter", "keeper"), ("scout", "scribe", "mate"), ("pilot", "herald", "maid"))
    first, second, third = pick((clerk, host, guide), (host, guide, clerk))
    tasks = {
        "guide": "only answers about what was said, and what has changed; it may not search the book at all.",
        "clerk": "says what stands **in the book**, also when somebody has just said otherwise.",
        "host": "answers about what was said, about the book, and gives the new value of what has changed.",
    }
    named = {"guide": guide, "clerk": clerk, "host": host}
    was = {new: old for old, new in named.items()}
    changes = {
        f"**{old}**: {tasks[old]}": f"**{new}**: {tasks[was[new]]}"
        for old, new in zip(tasks, (first, second, third), strict=True)
    }
    return changes | {
        "For the clerk the dialogue": f"For the {clerk} the dialogue",
        "guide = local": f"{guide} = local",
        "clerk = Gated(local, book, gate_memory=0.8)": f"{clerk} = Gated(local, book, gate_memory=0.8)",
        "host = Joint(local, book)": f"{host} = Joint(local, book)",
        "(guide, clerk, host)": f"({guide}, {clerk}, {host})",
        "the guide searches no book": f"the {guide} searches no book",
        "isinstance(guide,": f"isinstance({guide},",
        '("guide", guide,': f'("{guide}", {guide},',
        '("clerk", clerk,': f'("{clerk}", {clerk},',
        '("host", host,': f'("{host}", {host},',
    }


def design(pick):
    """Which number carries the mark's sign, and the names."""
    name, sign = pick("cautious", "honest", "sparing"), pick("-", "")
    changes = {"careful(q, near, far)": f"{name}(far, near, q)" if not sign else f"{name}(near, q, far)"}
    if sign:
        changes |= {
            "(+4 local, -4 far;": "(-4 local, +4 far;",
            "torch.where(local_counts, 4.0, -4.0)": "torch.where(local_counts, -4.0, 4.0)",
            "tilt = 2 * q[..., -1]": "tilt = -2 * q[..., -1]",
        }
    return changes


DRAWS = {one.__name__: one for one in (diagrams, by_lse, tilted, bug, many, choose, transcripts, explain, design)}
