"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""

HAND = {
    "by_product": "[3, 0]",
    "by_distance": "[2, 4]",
    "with_local_1": "[5, 3]",
    "read_at_6": "4",
    "read_at_2": "3",
    "weight_kept": "0.5714",
    "bound": "6.0",
}


def hand(**others):
    return "\n".join(f"{name} = {value}" for name, value in (HAND | others).items())


def mask(*lines):
    return "def fetch_mask(q, k, fetch, local):\n    " + "\n    ".join(lines)


def topped(
    old="back >= local",
    near="(back >= 0) & (back < local)",
    scores="q @ k.T",
    hidden="~old",
    how="topk(min(fetch, n), -1)",
    end="near | (hits & old)",
    dim="-1",
):
    """The mask with one thing another."""
    return mask(
        "n = len(k)",
        "back = torch.arange(n)[:, None] - torch.arange(n)",
        f"old, near = {old}, {near}",
        f"best = ({scores}).masked_fill({hidden}, -torch.inf).{how}.indices",
        f"hits = torch.zeros(n, n, dtype=torch.bool).scatter({dim}, best, True)",
        f"return {end}",
    )


COUNTER = {
    "true_ones": '"be"',
    "query_a": "torch.tensor([1.0, 0.0])",
    "keys_a": "torch.tensor([[1.0, 0.0], [5.0, 5.0]])",
    "key_c": "[[1.0, 1.0]]",
    "value_c": "[[7.0]]",
    "query_d": "torch.tensor([1.0, 0.0])",
    "early_d": "torch.tensor([[1.0, 0.0]])",
    "late_d": "torch.tensor([[2.0, 0.0]])",
}


def counter(**others):
    given = COUNTER | others
    store = 'store_c = stores.open(":memory:", dim=2)\nstore_c.add(torch.tensor({key_c}), torch.tensor({value_c}))'
    lines = [f"{name} = {given[name]}" for name in ("true_ones", "query_a", "keys_a", "query_d", "early_d", "late_d")]
    return "\n".join([*lines, store.format(**given)])


def story(letters, *lines):
    return f'they_know = "{letters}"\n\n\ndef still_knows(memory, pairs, asked):\n    ' + "\n    ".join(lines)


def asked(
    letters="befg",
    update="memory.update(memory.init(pairs), pairs)",
    query="50 * pairs.k[asked : asked + 1]",
    end="bool(torch.cdist(read, pairs.v).argmin() == asked)",
):
    return story(letters, f"state = {update}", f"read = memory.read(state, {query})", f"return {end}")


SPAN = """
class SpanKNN:
    def __init__(self, k, local=1):
        self.k, self.local = k, local

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new)

    def slots(self, mem):
        return mem[: max(mem.n - self.local, 0)]

    def chosen(self, q, store):
        {body}

    def read(self, mem, q, new=None, lse=False):
        store = self.slots(mem)
        return attend(q, store, lse, mask=self.chosen(q, store))
"""


def span(*lines):
    return SPAN.format(body="\n        ".join(lines))


def spread(
    end="hits | F.pad(hits, (1, 0))[..., :-1]",
    best="scores.topk(min(self.k, store.n), -1).indices",
    scores="q @ store.k.mT",
    dim="-1",
):
    return span(
        f"scores = {scores}",
        f"best = {best}",
        f"hits = torch.zeros_like(scores, dtype=torch.bool).scatter({dim}, best, True)",
        f"return {end}",
    )


BUG = """
class NewestKNN:
    def __init__(self, k, room):
        self.k, self.room = k, room

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        {update}

    def nearest(self, mem, q):
        {nearest}
        return far.topk(min(self.k, mem.n), -1, largest=False).indices

    def read(self, mem, q, new=None, lse=False):
        mask = torch.zeros(*q.shape[:-1], mem.n, dtype=torch.bool).scatter(-1, self.nearest(mem, q), True)
        return attend(q, mem, lse, mask=mask)

    def slots(self, mem):
        return mem
"""
KEPT = (
    "keys = torch.cat([mem.k, new.k], -2)[:, -self.room :]",
    "values = torch.cat([mem.v, new.v], -2)[:, -self.room :]",
    "return KV(keys, values)",
)


def bug(update=KEPT, nearest=("far = mem.k.square().sum(-1)[:, None, :] - 2 * q @ mem.k.mT",)):
    return BUG.format(update="\n        ".join(update), nearest="\n        ".join(nearest))


def kept(keys="[:, -self.room :]", values="[:, -self.room :]"):
    return (
        f"keys = torch.cat([mem.k, new.k], -2){keys}",
        f"values = torch.cat([mem.v, new.v], -2){values}",
        "return KV(keys, values)",
    )


def choose(name_k="8", vote_k="256", desk='"cleared"', handbook='"kept"'):
    return f"name_k = {name_k}\nvote_k = {vote_k}\ndesk = {desk}\nhandbook = {handbook}"


KEEPER = """
class Keeper:
    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        for t in range(new.n):
            {body}
        return mem

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)
"""


def keeper(*lines):
    return KEEPER.format(body="\n            ".join(lines))


def dropping(which, room="64"):
    """A full store drops one pair, by its place."""
    return keeper(
        "mem = join(mem, new[t : t + 1])",
        f"if mem.n > {room}:",
        "    unit = F.normalize(mem.k, dim=-1)",
        "    alike = (unit @ unit.T).fill_diagonal_(-1).amax(-1)",
        f"    mem = mem[torch.arange(mem.n)[torch.arange(mem.n) != {which}]]",
    )


BESIDE = """
class Keeper:
    kept = None

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        self.kept = new if self.kept is None else join(self.kept, new)
        return mem.append(new, keep=1)

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem if self.kept is None else self.kept, lse, new)
"""


VARIANTS = {
    "by_hand": {
        "correct": {
            "tuples": hand(by_product="(3, 0)", by_distance="(2, 4)", with_local_1="(5, 3)", weight_kept="0.4 / 0.7"),
            "tensors": hand(by_product="torch.tensor([3, 0])", read_at_6="torch.tensor(4)", bound="2 * (1 - 0.7) * 10"),
            "computed": hand(by_distance="[i for i in (2, 4)]", read_at_2="2 + 1", weight_kept="1 / (1 + 3 / 4)"),
        },
        "wrong": {
            "oldest first, not best first": hand(by_product="[0, 3]"),
            "the local pairs are fetched": hand(by_product="[5, 6]", by_distance="[2, 4]"),
            "the largest distance": hand(by_distance="[3, 1]"),
            "distance and product are the same": hand(by_distance="[3, 0]"),
            "local leaves out one too many": hand(with_local_1="[3, 0]"),
            "the window is counted twice": hand(read_at_6="6"),
            "two are always fetched": hand(read_at_2="4"),
            "the dense weight": hand(weight_kept="0.4"),
            "the bound without its two": hand(bound="3"),
        },
    },
    "mask": {
        "correct": {
            "by the k-th score": mask(
                "n = len(k)",
                "back = torch.arange(n)[:, None] - torch.arange(n)[None, :]",
                "old = back >= local",
                "scores = (q @ k.T).masked_fill(~old, float('-inf'))",
                "kth = scores.sort(dim=1, descending=True).values[:, min(fetch, n) - 1][:, None]",
                "return ((back >= 0) & (back < local)) | (old & (scores >= kth))",
            ),
            "loops": mask(
                "n, table = len(k), torch.zeros(len(k), len(k), dtype=torch.bool)",
                "for i in range(n):",
                "    table[i, max(i - local + 1, 0) : i + 1] = True",
                "    older = sorted(range(max(i - local + 1, 0)), key=lambda j: -float(q[i] @ k[j]))",
                "    table[i, older[:fetch]] = True",
                "return table",
            ),
            "by rank, in whole numbers": mask(
                "n = len(k)",
                "back = torch.arange(n)[:, None] - torch.arange(n)",
                "scores = torch.where(back >= local, q @ k.T, torch.tensor(-1e9))",
                "rank = (-scores).argsort(1).argsort(1)",
                "return (((back >= local) & (rank < fetch)) | ((back >= 0) & (back < local))).int()",
            ),
            "sees twice": topped(end="torch.where(old, hits, near)"),
        },
        "wrong": {
            "the window is fetched too": topped(hidden="back < 0", end="near | (hits & (back >= 0))"),
            "local leaves out one too few": topped(old="back >= local - 1"),
            "local leaves out one too many": topped(old="back > local"),
            "the future may be fetched": topped(hidden="near", end="near | hits"),
            "while there are few, others are marked": topped(end="near | hits"),
            "the window is left out": topped(end="hits & old"),
            "the smallest": topped(scores="-(q @ k.T)"),
            "by distance": topped(scores="-torch.cdist(q, k)"),
            "keys choose queries": topped(scores="k @ q.T"),
            "topk down the columns": topped(how="topk(min(fetch, n), 0)", dim="0"),
            "fetch counts the window in": topped(how="topk(max(min(fetch, n) - local, 1), -1)"),
        },
    },
    "counter": {
        "correct": {
            "lists": counter(
                query_a="[0.0, 2.0]",
                keys_a="[[0.0, 2.0], [9.0, 9.0], [1.0, 1.0]]",
                query_d="[1, 1]",
                early_d="[[1, 0], [0, 1]]",
                late_d="[[0, 0], [4, 4]]",
            ),
            "another order of letters": counter(true_ones='"e and b".replace(" and ", "")'),
            "a larger store": counter(
                true_ones='"EB"', key_c="[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]", value_c="[[9.0], [9.0], [100.0]]"
            ),
            "negative numbers": counter(
                query_a="torch.tensor([-1.0, -1.0])",
                keys_a="torch.tensor([[-6.0, 1.0], [-1.0, -2.0]])",
                query_d="torch.tensor([0.0, -3.0])",
                early_d="torch.tensor([[0.0, 2.0]])",
                late_d="torch.tensor([[0.0, -2.0]])",
            ),
        },
        "wrong": {
            "keys of one length": counter(keys_a="torch.tensor([[1.0, 0.0], [0.0, 1.0]])"),
            "one key alone": counter(keys_a="torch.tensor([[1.0, 0.0]])"),
            "the store holds nothing out of reach": counter(value_c="[[2.0]]"),
            "the later key has the smaller product": counter(late_d="torch.tensor([[0.5, 0.0]])"),
            "early and late changed round": counter(
                early_d="torch.tensor([[2.0, 0.0]])", late_d="torch.tensor([[1.0, 0.0]])"
            ),
            "d is true": counter(true_ones='"bde"'),
            "e is forgotten": counter(true_ones='"b"'),
            "the false ones": counter(true_ones='"acd"'),
        },
    },
    "story": {
        "correct": {
            "by the norm": asked(end="(pairs.v - read).norm(dim=-1).argmin().item() == asked"),
            "capitals, squares": asked("GFEB", end="int(((pairs.v - read[0]) ** 2).sum(-1).min(0).indices) == asked"),
            "sorted by distance": asked(
                "b, e, f, g",
                query="pairs.k[asked][None] * 50",
                end="bool((pairs.v - read).square().sum(-1).sort().indices[0] == asked)",
            ),
            "in pieces": asked(
                update="memory.update(memory.update(memory.init(pairs), pairs[:8]), pairs[8:])"
                " if pairs.n > 16 else memory.update(memory.init(pairs), pairs)"
            ),
        },
        "wrong": {
            "the sinks are forgotten": asked("efg"),
            "the hybrid too": asked("bdefg"),
            "only those that fetch": asked("fg"),
            "a predicts nothing": asked("abcdefg"),
            "the key as it is, a hundredth as long": asked(query="0.5 * pairs.k[asked : asked + 1]"),
            "the largest product with the value": asked(end="bool((read @ pairs.v.mT).argmin() == asked)"),
            "always the newest pair": asked(query="50 * pairs.k[-1:]"),
            "always yes": asked(end="True"),
            "only the asked pair goes in": asked(update="memory.update(memory.init(pairs), pairs[asked : asked + 1])"),
        },
    },
    "spans": {
        "correct": {
            "by places": span(
                "n = store.n",
                "best = (q @ store.k.mT).topk(min(self.k, n), -1).indices",
                "hits = torch.zeros(*q.shape[:-1], n + 1, dtype=torch.bool)",
                "hits = hits.scatter(-1, best, True).scatter(-1, best + 1, True)",
                "return hits[..., :n]",
            ),
            "by the k-th score": span(
                "scores = q @ store.k.mT",
                "if store.n == 0:",
                "    return scores.bool()",
                "kth = scores.sort(-1, descending=True).values[..., min(self.k, store.n) - 1]",
                "hit = scores >= kth[..., None]",
                "after = torch.cat([torch.zeros_like(hit[..., :1]), hit[..., :-1]], -1)",
                "return torch.logical_or(hit, after)",
            ),
            "roll": span(
                "scores = q @ store.k.mT",
                "hits = torch.zeros_like(scores).scatter(-1, scores.topk(min(self.k, store.n)).indices, 1.0)",
                "next_ones = hits.roll(1, -1)",
                "next_ones[..., :1] = 0",
                "return hits + next_ones > 0",
            ),
        },
        "wrong": {
            "the one before it": spread(end="hits | F.pad(hits, (0, 1))[..., 1:]"),
            "round the corner": spread(end="hits | hits.roll(1, -1)"),
            "the successor alone": spread(end="F.pad(hits, (1, 0))[..., :-1]"),
            "no successor": spread(end="hits"),
            "both neighbours": spread(end="hits | F.pad(hits, (1, 0))[..., :-1] | F.pad(hits, (0, 1))[..., 1:]"),
            "the smallest": spread(scores="-(q @ store.k.mT)"),
            "k is not bounded": spread(best="scores.topk(self.k, -1).indices"),
            "the first query's list for all": spread(
                best="scores.topk(min(self.k, store.n), -1).indices[..., :1, :].expand("
                "*scores.shape[:-1], min(self.k, store.n))"
            ),
            "half of the hits": spread(best="scores.topk(max(min(self.k, store.n) // 2, 1), -1).indices"),
        },
    },
    "bug": {
        "correct": {
            "cdist": bug(nearest=("far = torch.cdist(q, mem.k)",)),
            "all three terms": bug(nearest=("far = (q.unsqueeze(-2) - mem.k.unsqueeze(-3)).square().sum(-1)",)),
            "append": bug(update=("return mem.append(new, keep=self.room)",)),
            "joined, then cut": bug(
                update=("return join(mem, new)[-self.room :]",),
                nearest=("far = -(q @ mem.k.mT - 0.5 * (mem.k * mem.k).sum(-1).unsqueeze(1))",),
            ),
        },
        "wrong": {
            "values out of step": bug(update=kept(values="[:, : self.room]")),
            "both keep the oldest": bug(update=kept("[:, : self.room]", "[:, : self.room]")),
            "one too many": bug(update=kept("[:, -self.room - 1 :]", "[:, -self.room - 1 :]")),
            "nothing is dropped": bug(update=kept("", "")),
            "the query's length again": bug(nearest=("far = q.square().sum(-1)[:, :, None] - 2 * q @ mem.k.mT",)),
            "inner product": bug(nearest=("far = -(q @ mem.k.mT)",)),
            "one list for all heads": bug(
                nearest=(
                    "far = mem.k.square().sum(-1)[:, None, :] - 2 * q @ mem.k.mT",
                    "far = far.mean(0, keepdim=True).expand_as(far)",
                )
            ),
            "half of the product": bug(nearest=("far = mem.k.square().sum(-1)[:, None, :] - q @ mem.k.mT",)),
            "the sign of the product": bug(nearest=("far = mem.k.square().sum(-1)[:, None, :] + 2 * q @ mem.k.mT",)),
        },
    },
    "choose": {
        "correct": {
            "one pair for the name": choose(name_k="1"),
            "capitals": choose(desk='"Cleared"', handbook='" kept "'),
            "computed": choose(name_k="2 ** 3", vote_k="2 ** 8"),
        },
        "wrong": {
            "a crowd for the name": choose(name_k="4000"),
            "256 for the name": choose(name_k="256"),
            "one vote": choose(vote_k="1"),
            "too few votes": choose(vote_k="8"),
            "a crowd at the vote": choose(vote_k="4000"),
            "customers share": choose(desk='"kept"'),
            "the handbook is forgotten": choose(handbook='"cleared"'),
            "another k": choose(vote_k="300"),
        },
    },
    "explain": {
        "correct": {"capital": 'letter = "C"', "bracket": 'letter = "c)"', "padded": 'letter = " c. "'},
        "wrong": {
            "dropped": 'letter = "a"',
            "better keys": 'letter = "b"',
            "the window": 'letter = "d"',
            "two": 'letter = "bc"',
            "another": 'letter = "e"',
        },
    },
    "design": {
        "correct": {
            "the older of the two": keeper(
                "one = new[t : t + 1]",
                "if mem.n == 64:",
                "    alike = F.cosine_similarity(mem.k[:, None], mem.k[None], dim=-1).fill_diagonal_(-2)",
                "    out = int(alike.max(-1).values.argmax())",
                "    mem = join(mem[:out], mem[out + 1 :])",
                "mem = join(mem, one)",
            ),
            "what is known does not enter": keeper(
                "one = new[t : t + 1]",
                "near = F.normalize(mem.k, dim=-1) @ F.normalize(one.k, dim=-1).T if mem.n else torch.zeros(1)",
                "if near.max() < 0.8:",
                "    mem = join(mem, one)",
                "    mem = mem[-64:]",
            ),
            "by distance": keeper(
                "mem = join(mem, new[t : t + 1])",
                "if mem.n > 64:",
                "    far = torch.cdist(mem.k, mem.k).fill_diagonal_(torch.inf)",
                "    keep = torch.ones(mem.n, dtype=torch.bool)",
                "    keep[far.amin(-1).argmin()] = False",
                "    mem = mem[keep.nonzero().flatten()]",
            ),
        },
        "wrong": {
            "a window": keeper("mem = join(mem, new[t : t + 1])[-64:]"),
            "the first 64": keeper("mem = join(mem, new[t : t + 1])[:64]"),
            "everything": keeper("mem = join(mem, new[t : t + 1])"),
            "drops what is unlike all others": dropping("alike.argmin()"),
            "every tenth": keeper(
                "mem = join(mem, new[t : t + 1]) if torch.rand(()) < 0.1 else mem", "mem = mem[-64:]"
            ),
            "drops the longest": dropping("mem.k.norm(dim=-1).argmax()"),
            "room for 100": dropping("alike.argmax()", room="100"),
            "the pairs are on the memory, not in its state": BESIDE,
        },
    },
}
