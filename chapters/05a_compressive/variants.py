"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

LADDER = """
class Ladder:
    def __init__(self, local, fine, coarse, rate):
        self.local, self.fine, self.coarse, self.rate = local, fine, coarse, rate
        self.segment = local

    def init(self, like):
        return like.empty(), like.empty(), like.empty()

    def update(self, mem, new, q=None):
        coarse, fine, local = mem
        {body}

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)
"""

QUEUES = """
class Queues:
    def __init__(self, local, compressed, rate):
        self.local, self.compressed, self.rate = local, compressed, rate
        self.segment = local

    def init(self, like):
        return like.empty(), like.empty()

    def read(self, mem, q, new=None, lse=False):
        {read}

    def update(self, mem, new, q=None):
        cmem, raw = mem[0], join(mem[1], new)
        popped = max(raw.n - self.local, 0)
        {body}

    def slots(self, mem):
        return join(*mem)
"""
READ = "return attend(q, self.slots(mem), lse, new)"
EARLY = "return attend(q, self.slots(self.update(mem, new)), lse)"
WHOLE = "whole = popped // self.rate * self.rate"
MADE = "made = MeanPool()(raw[:whole], self.rate)"


def ladder(*lines):
    return LADDER.format(body="\n        ".join(lines))


def moves(
    popped="popped, local = both[: -self.local], both[-self.local :]",
    fine="fine = join(fine, MeanPool()(popped, self.rate))",
    dropped="dropped, fine = fine[: -self.fine], fine[-self.fine :]",
    coarse="coarse = join(coarse, MeanPool()(dropped, self.rate))[-self.coarse :]",
    give="return coarse, fine, local",
):
    return ladder("both = join(local, new)", popped, fine, dropped, coarse, give)


def bug(*lines, read=READ):
    return QUEUES.format(body="\n        ".join(lines), read=read)


def hand(
    mem_3="[3, 4, 5, 6, 7, 8]",
    cmem_3="[[0, 1, 2]]",
    mem_5="[9, 10, 11, 12, 13, 14]",
    cmem_5="[[3, 4, 5], [6, 7, 8]]",
    gone="5",
):
    return f"mem_3 = {mem_3}\ncmem_3 = {cmem_3}\nmem_5 = {mem_5}\ncmem_5 = {cmem_5}\ngone = {gone}"


def order(word="bdac", never="e", source="s"):
    return f'order = "{word}"\nnever = "{never}"\nsource = "{source}"'


def counted(*lines):
    return "def counted(pops, rate, rule):\n    " + "\n    ".join(lines)


def least(*lines):
    return "def least_rate(distance, layers, local, compressed):\n    " + "\n    ".join(lines)


def choose(codes="1", orders="2", topic="16", meeting="4"):
    return f"codes = {codes}\norders = {orders}\ntopic = {topic}\nmeeting = {meeting}"


OWN = """
class Own:
    segment = 8

    def __init__(self):
        self.inner = Compressive(12, 12, 8, segment=8, count_bias=True)

    def init(self, like):
        return self.inner.init(like)

    def update(self, mem, new, q=None):
        return self.inner.update(mem, new)

    def slots(self, mem):
        return self.inner.slots(mem)

    def read(self, mem, q, new=None, lse=False):
        return self.inner.read(mem, q, new, lse)


memory = Own()"""

VARIANTS = {
    "by_hand": {
        "correct": {
            "tuples": hand("(3, 4, 5, 6, 7, 8)", "((0, 1, 2),)", "tuple(range(9, 15))", "((3, 4, 5), (6, 7, 8))"),
            "ranges": hand("range(3, 9)", "[range(3)]", "range(9, 15)", "[range(3, 6), range(6, 9)]"),
            "tensors": hand(
                "torch.arange(3, 9)",
                "torch.arange(3)[None]",
                "torch.arange(9, 15)",
                "torch.arange(3, 9).view(2, 3)",
                "torch.tensor(5)",
            ),
        },
        "wrong": {
            "Mem of one segment": hand(
                "[6, 7, 8]", "[[0, 1, 2], [3, 4, 5]]", "[12, 13, 14]", "[[6, 7, 8], [9, 10, 11]]", "4"
            ),
            "CMem keeps its oldest": hand(cmem_5="[[0, 1, 2], [3, 4, 5]]"),
            "CMem newest first": hand(cmem_5="[[6, 7, 8], [3, 4, 5]]"),
            "the segment is pooled": hand(cmem_3="[[3, 4, 5], [6, 7, 8]]", cmem_5="[[9, 10, 11], [12, 13, 14]]"),
            "CMem never drops": hand(cmem_5="[[0, 1, 2], [3, 4, 5], [6, 7, 8]]"),
            "leaves when pooled": hand(gone="3"),
            "leaves one later": hand(gone="6"),
            "segments of the wrong number": hand(
                "[0, 1, 2, 3, 4, 5]", "[]", "[6, 7, 8, 9, 10, 11]", "[[0, 1, 2], [3, 4, 5]]"
            ),
        },
    },
    "order": {
        "correct": {
            "capitals": order("BDAC", "E", "S"),
            "with arrows": order("b -> d -> a -> c", " (e) ", "s."),
            "a join": 'order = "".join(["b", "d", "a", "c"])\nnever = "e"\nsource = "s"',
        },
        "wrong": {
            "update first": order("dacb"),
            "read in the middle": order("dbac"),
            "pooled before it is popped": order("badc"),
            "CMem moves before there is anything": order("bdca"),
            "the other never happens": order("bdec", "a"),
            "all five": order("bedac"),
            "fed by the segment": order(source="r"),
            "fed by attention": order(source="p"),
        },
    },
    "counted": {
        "correct": {
            "a loop": counted(
                "slots = waiting = lost = 0",
                "for n in pops:",
                "    if rule == 'wait':",
                "        n += waiting",
                "        slots, waiting = slots + n // rate, n % rate",
                "    elif rule == 'floor':",
                "        slots, lost = slots + n // rate, lost + n % rate",
                "    else:",
                "        slots += math.ceil(n / rate)",
                "return slots, waiting, lost",
            ),
            "divmod": counted(
                "each = [divmod(n, rate) for n in pops]",
                "if rule == 'wait':",
                "    return [*divmod(sum(pops), rate), 0]",
                "if rule == 'floor':",
                "    return [sum(a for a, _ in each), 0, sum(b for _, b in each)]",
                "return [sum(a + (b > 0) for a, b in each), 0, 0]",
            ),
            "tensors": counted(
                "n = torch.tensor(pops)",
                "n = n.sum(0, keepdim=True) if rule == 'wait' else n",
                "rest = int((n % rate).sum())",
                "slots = (n + rate - 1) // rate if rule == 'ceil' else n // rate",
                "return int(slots.sum()), rest * (rule == 'wait'), rest * (rule == 'floor')",
            ),
        },
        "wrong": {
            "the rest is lost by every rule": counted(
                "rest = sum(n % rate for n in pops)",
                "return sum(n // rate for n in pops), 0, 0 if rule == 'ceil' else rest",
            ),
            "what waits is not counted with the next": counted(
                "slots, rest = sum(n // rate for n in pops), sum(n % rate for n in pops)",
                "if rule == 'ceil':",
                "    return sum(-(-n // rate) for n in pops), 0, 0",
                "return (slots, rest, 0) if rule == 'wait' else (slots, 0, rest)",
            ),
            "rounds the sum for all rules": counted(
                "n = sum(pops)",
                "if rule == 'ceil':",
                "    return -(-n // rate), 0, 0",
                "return (n // rate, n % rate, 0) if rule == 'wait' else (n // rate, 0, n % rate)",
            ),
            "one slot too many at ceil": counted(
                "if rule == 'wait':",
                "    return sum(pops) // rate, sum(pops) % rate, 0",
                "if rule == 'floor':",
                "    return sum(n // rate for n in pops), 0, sum(n % rate for n in pops)",
                "return sum(n // rate + 1 for n in pops), 0, 0",
            ),
            "waiting and lost exchanged": counted(
                "if rule == 'wait':",
                "    return sum(pops) // rate, 0, sum(pops) % rate",
                "if rule == 'floor':",
                "    return sum(n // rate for n in pops), sum(n % rate for n in pops), 0",
                "return sum(-(-n // rate) for n in pops), 0, 0",
            ),
            "only the last update": counted(
                "n = pops[-1]",
                "if rule == 'ceil':",
                "    return -(-n // rate), 0, 0",
                "return (n // rate, n % rate, 0) if rule == 'wait' else (n // rate, 0, n % rate)",
            ),
            "round": counted(
                "slots = sum(round(n / rate) for n in pops)",
                "rest = sum(n % rate for n in pops)",
                "return slots, rest * (rule == 'wait'), rest * (rule == 'floor')",
            ),
        },
    },
    "ladder": {
        "correct": {
            "counts": ladder(
                "both = join(local, new)",
                "n = max(both.n - self.local, 0)",
                "made = join(fine, MeanPool()(both[:n], self.rate))",
                "m = max(made.n - self.fine, 0)",
                "last = join(coarse, MeanPool()(made[:m], self.rate))",
                "return last[max(last.n - self.coarse, 0) :], made[m:], both[n:]",
            ),
            "means by hand": ladder(
                "def means(kv):",
                "    return KV(*(x.unflatten(-2, (x.shape[-2] // self.rate, self.rate)).mean(-2) for x in (kv.k, kv.v)))",
                "",
                "both = local.append(new)",
                "fine = fine.append(means(both[: -self.local]))",
                "coarse = coarse.append(means(fine[: -self.fine]), keep=self.coarse)",
                "return coarse, fine[-self.fine :], both[-self.local :]",
            ),
            "a loop over the queues": ladder(
                "kept, arriving = [], new",
                "for queue, size in ((local, self.local), (fine, self.fine), (coarse, self.coarse)):",
                "    queue = join(queue, arriving)",
                "    kept.insert(0, queue[-size:])",
                "    old = queue[:-size]",
                "    arriving = MeanPool()(old[: old.n // self.rate * self.rate], self.rate)",
                "return tuple(kept)",
            ),
        },
        "wrong": {
            "fine drops nothing into coarse": moves(coarse="coarse = coarse"),
            "coarse is fed by Mem": moves(
                coarse="coarse = join(coarse, MeanPool()(popped, self.rate))[-self.coarse :]"
            ),
            "pooled by rate squared at once": moves(
                coarse="coarse = join(coarse, MeanPool()(popped, self.rate**2))[-self.coarse :]"
            ),
            "coarse keeps its oldest": moves(
                coarse="coarse = join(coarse, MeanPool()(dropped, self.rate))[: self.coarse]"
            ),
            "coarse is not cut": moves(coarse="coarse = join(coarse, MeanPool()(dropped, self.rate))"),
            "fine keeps its oldest": moves(dropped="dropped, fine = fine[self.fine :], fine[: self.fine]"),
            "the segment is pooled": moves("popped, local = new, both[-self.local :]"),
            "coarse is not pooled": moves(coarse="coarse = join(coarse, dropped)[-self.coarse :]"),
            "new in front": moves(fine="fine = join(MeanPool()(popped, self.rate), fine)"),
            "the order of the state": moves(give="return fine, coarse, local"),
            "the rate of the example": moves(
                fine="fine = join(fine, MeanPool()(popped[: popped.n // 2 * 2], 2))",
                coarse="coarse = join(coarse, MeanPool()(dropped[: dropped.n // 2 * 2], 2))[-self.coarse :]",
            ),
        },
    },
    "bug": {
        "correct": {
            "the rest is put back": bug(
                "rest = popped % self.rate",
                "old = raw[: popped - rest]",
                "return join(cmem, MeanPool()(old, self.rate))[-self.compressed :], raw[popped - rest :]",
            ),
            "append with keep": bug(
                WHOLE,
                MADE,
                "return cmem.append(made, keep=self.compressed), raw[whole:]",
                read="return attend(q, join(*mem), lse=lse, new=new)",
            ),
            "group by group": bug(
                "while raw.n - self.local >= self.rate:",
                "    cmem = join(cmem, MeanPool()(raw[: self.rate], self.rate))[-self.compressed :]",
                "    raw = raw[self.rate :]",
                "return cmem, raw",
            ),
        },
        "wrong": {
            "as given": bug(WHOLE, MADE, "return join(cmem, made)[: self.compressed], raw[popped:]", read=EARLY),
            "read mended only": bug(WHOLE, MADE, "return join(cmem, made)[: self.compressed], raw[popped:]"),
            "read still after the update": bug(
                WHOLE, MADE, "return join(cmem, made)[-self.compressed :], raw[whole:]", read=EARLY
            ),
            "the rest is still lost": bug(WHOLE, MADE, "return join(cmem, made)[-self.compressed :], raw[popped:]"),
            "the newest slots are still dropped": bug(
                WHOLE, MADE, "return join(cmem, made)[: self.compressed], raw[whole:]"
            ),
            "read without the segment": bug(
                WHOLE,
                MADE,
                "return join(cmem, made)[-self.compressed :], raw[whole:]",
                read="return attend(q, self.slots(mem), lse)",
            ),
            "the segment not causal": bug(
                WHOLE,
                MADE,
                "return join(cmem, made)[-self.compressed :], raw[whole:]",
                read="return attend(q, join(*mem, new), lse)",
            ),
            "the oldest of the rest is lost": bug(
                WHOLE,
                "made = MeanPool()(raw[popped - whole : popped], self.rate)",
                "return join(cmem, made)[-self.compressed :], raw[popped:]",
            ),
            "zeros in front": bug(
                "fill = -popped % self.rate",
                "nothing = KV(torch.zeros(fill, raw.k.shape[-1]), torch.zeros(fill, raw.v.shape[-1]))",
                "made = MeanPool()(join(nothing, raw[:popped]), self.rate)",
                "return join(cmem, made)[-self.compressed :], raw[popped:]",
            ),
        },
    },
    "least_rate": {
        "correct": {
            "a loop": least(
                "if not compressed:",
                "    return 1 if layers * local >= distance else math.inf",
                "rate = 1",
                "while layers * (local + rate * compressed) < distance:",
                "    rate += 1",
                "return rate",
            ),
            "max": least(
                "if compressed == 0:",
                "    return 1 if distance <= layers * local else float('inf')",
                "return max(1, math.ceil((distance - layers * local) / (layers * compressed)))",
            ),
            "next": least(
                "fits = (c for c in range(1, distance + 2) if layers * (local + c * compressed) >= distance)",
                "return next(fits, math.inf)",
            ),
        },
        "wrong": {
            "rounded down": least(
                "missing = distance - layers * local",
                "if not compressed:",
                "    return 1 if missing <= 0 else math.inf",
                "return max(1, missing // (layers * compressed))",
            ),
            "one layer": least(
                "if not compressed:",
                "    return 1 if distance <= local else math.inf",
                "return max(1, -(-(distance - local) // compressed))",
            ),
            "Mem counted once": least(
                "if not compressed:",
                "    return 1 if distance <= layers * local else math.inf",
                "return max(1, -(-(distance - local) // (layers * compressed)))",
            ),
            "zero where Mem is enough": least(
                "missing = max(distance - layers * local, 0)",
                "if not compressed:",
                "    return 1 if not missing else math.inf",
                "return -(-missing // (layers * compressed))",
            ),
            "division by zero": least(
                "return max(1, -(-(distance - layers * local) // (layers * compressed)))",
            ),
            "no CMem is never enough": least(
                "if not compressed:",
                "    return math.inf",
                "return max(1, -(-(distance - layers * local) // (layers * compressed)))",
            ),
            "one more than needed": least(
                "if not compressed:",
                "    return 1 if distance <= layers * local else math.inf",
                "return max(1, (distance - layers * local) // (layers * compressed) + 1)",
            ),
        },
    },
    "choose": {
        "correct": {
            "powers": choose("2**0", "2**1", "2**4", "2**2"),
            "tensors": choose("torch.tensor(1)", "torch.tensor(2)", "torch.tensor(16)", "torch.tensor(4)"),
            "names": "small, large = 1, 16\n" + choose("small", "2 * small", "large", "large // 4"),
        },
        "wrong": {
            "never compress": choose("1", "1", "1", "1"),
            "always 4": choose("4", "4", "4", "4"),
            "always hard": choose("16", "16", "16", "16"),
            "reach for the codes": choose(codes="2"),
            "orders by the longest reach": choose(orders="16"),
            "orders one too far": choose(orders="4"),
            "topic half as hard": choose(topic="8"),
            "meeting with the old topic": choose(meeting="8"),
            "meeting too short": choose(meeting="2"),
            "not on offer": choose(orders="3"),
        },
    },
    "explain": {
        "correct": {
            "capital": 'letter = "B"',
            "brackets": 'letter = " (b) "',
            "a name": 'answer = "b"\nletter = answer',
        },
        "wrong": {
            "a": 'letter = "a"',
            "c": 'letter = "c"',
            "d": 'letter = "d"',
            "two": 'letter = "bd"',
            "none": 'letter = ""',
        },
    },
    "design": {
        "correct": {
            "more raw, fewer slots": "memory = Compressive(16, 12, 8, count_bias=True)",
            "more slots, a smaller rate": "memory = Compressive(12, 16, 6, count_bias=True)",
            "odd sizes": "memory = Compressive(13, 13, 7, count_bias=True)",
            "many slots, rate 4": "memory = Compressive(12, 20, 4, count_bias=True)",
            "a long reach": "memory = Compressive(12, 20, 6, segment=12, count_bias=True)",
            "one of its own": OWN,
        },
        "wrong": {
            "Transformer-XL": "memory = Compressive(32, 0, 1)",
            "no count bias": "memory = Compressive(12, 12, 8)",
            "as hard as can be": "memory = Compressive(16, 16, 16, count_bias=True)",
            "too soft": "memory = Compressive(16, 16, 4, count_bias=True)",
            "too many wait": "memory = Compressive(12, 16, 7, count_bias=True)",
            "a little too soft": "memory = Compressive(12, 20, 3, count_bias=True)",
            "too many slots": "memory = Compressive(16, 20, 8, count_bias=True)",
            "too few raw": "memory = Compressive(6, 16, 6, count_bias=True)",
        },
    },
}
