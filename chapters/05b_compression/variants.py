"""Answers that must earn their points, and plausible ones that must not: {task: {"correct", "wrong"}}."""


def hand(mean="[5, 5]", largest="[10, 9]", used="[4, 1]", conv="[4.75, 5.25]", of_max="20.25", of_used="6.25"):
    names = ("mean_values", "max_values", "most_used_values", "conv_values", "loss_of_max", "loss_of_most_used")
    return "\n".join(
        f"{name} = {x}" for name, x in zip(names, (mean, largest, used, conv, of_max, of_used), strict=True)
    )


def order(word='"bdeac"', other='"f"'):
    return f"order = {word}\nother = {other}"


def used_pool(*lines):
    return "def used_pool(old, rate, used):\n    " + "\n    ".join(lines)


def weighted(
    total="groups.sum(-1, keepdim=True)",
    weight="torch.where(total > 0, groups / total.clamp(min=1e-12), torch.full_like(groups, 1 / rate))",
    of="(old.k, old.v)",
    end=".sum(-2)",
    shape="(old.n // rate, rate)",
    use="used",
):
    """The weighted pool in four lines, one thing another."""
    return used_pool(
        f"groups = {use}.unflatten(-1, (old.n // rate, rate))",
        f"total = {total}",
        f"weight = ({weight}).unsqueeze(-1)",
        f"return KV(*((weight * x.unflatten(-2, {shape})){end} for x in {of}))",
    )


def bug(*lines, votes="used"):
    rest = [
        "best = best.unsqueeze(-1)",
        "return KV(*(x.gather(-2, best.expand(*best.shape[:-1], x.shape[-1])) for x in (old.k, old.v)))",
    ]
    return "def most_used(old, rate, used):\n    " + "\n    ".join([f"votes = {votes}", *lines, *rest])


def pool_loss(*lines):
    return "def pool_loss(project, pool, x, queries, rate):\n    " + "\n    ".join(lines)


def stops(
    made="project(x).detach()",
    q="queries.detach()",
    before="",
    slots="new",
    loss="(attend(q, old) - attend(q, new)).square().mean()",
):
    first = [before] if before else []
    return pool_loss(
        *first,
        f"k, v = ({made}).chunk(2, -1)",
        f"old, q = KV(k, v), {q}",
        "new = pool(old, rate)",
        f"new = {slots}",
        f"return {loss}",
    )


def choose(reads="2", needles="4", gist="16", few="2"):
    return f"for_reads = {reads}\nfor_needles = {needles}\nfor_gist = {gist}\nfor_gist_of_few = {few}"


def learns(model='"hw"', reconstruction='"p"', encoding='"pg"', unstopped='"hwp"'):
    return (
        f"from_the_models_loss = {model}\nfrom_reconstruction = {reconstruction}\n"
        f"from_encoding = {encoding}\nfrom_the_models_loss_unstopped = {unstopped}"
    )


JUDGE = """
class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.look = nn.Linear({width}, 1{bias})

    def forward(self, old, rate):
        both = torch.cat([old.k, old.v], -1)[..., -{width} :]
        weight = torch.softmax(self.look(both).unflatten(-2, (old.n // rate, rate)), {axis})
        return KV(*((weight * x.unflatten(-2, (old.n // rate, rate))).sum(-2) for x in (old.k, old.v)))


def learn(q, old):
    torch.manual_seed(0)
    pool = Judge()
    adam = torch.optim.Adam(pool.parameters(), {rate})
    for step in range({steps}):
        part = slice(step * 24 % 144, step * 24 % 144 + 24)
        adam.zero_grad()
        loss = attention_reconstruction(pool, q[part], KV(old.k[part], old.v[part]), 4)
        loss.backward()
        adam.step()
    return {returned}
"""


def judge(width=64, bias="", axis=-2, rate=0.02, steps=60, returned="pool", mixed=False):
    code = JUDGE.format(width=width, bias=bias, axis=axis, rate=rate, steps=steps, returned=returned)
    if mixed:
        code = code.replace("return KV(*(", "k, v = ((").replace(
            "for x in (old.k, old.v)))", "for x in (old.k, old.v))\n        return KV(k, v + 0.01 * v.flip(-2))", 1
        )
    return code


PLACES = """
class Places(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(start))

    def forward(self, old, rate):
        weight = torch.softmax(self.weights, 0)[:, None]
        return KV(*((weight * x.unflatten(-2, (old.n // rate, rate))).sum(-2) for x in (old.k, old.v)))


def learn(q, old):
    return Places({start})
"""

VARIANTS = {
    "by_hand": {
        "correct": {
            "tuples": hand("(5, 5)", "(10, 9)", "(4, 1)", "(4.75, 5.25)"),
            "tensors": hand("torch.tensor([5.0, 5.0])", used="torch.tensor([4, 1])", of_max="torch.tensor(20.25)"),
            "computed": hand(
                "[(4 + 10 + 1) / 3, (6 + 0 + 9) / 3]",
                "[max(4, 10, 1), max(6, 0, 9)]",
                conv="[4 / 2 + 10 / 4 + 1 / 4, 6 / 2 + 0 / 4 + 9 / 4]",
                of_max="(5 - 9.5) ** 2",
                of_used="(5 - 2.5) ** 2",
            ),
        },
        "wrong": {
            "most-used of each group": hand(used="[1, 9]", of_used="0"),
            "most-used by attention, not by place": hand(used="[1, 4]"),
            "the largest values": hand(used="[10, 9]", of_used="20.25"),
            "rate pairs kept": hand(used="[4, 1, 9]"),
            "groups of two": hand("[7, 3.5, 4.5]", "[10, 6, 9]"),
            "the convolution the other way round": hand(conv="[4, 6]"),
            "the difference, not its square": hand(of_max="4.5", of_used="2.5"),
            "each slot against its group": hand(of_max="20.5", of_used="8.5"),
            "max of the whole": hand("[5, 5]", "[10, 10]", of_max="25"),
        },
    },
    "order": {
        "correct": {
            "capitals": order('"BDEAC"', '"F"'),
            "with arrows": order('"b -> d -> e -> a -> c"', '" f "'),
            "joined": order('"".join(["b", "d", "e", "a", "c"])', '"(f)"'),
        },
        "wrong": {
            "moved before it is read": order('"dbeac"'),
            "pooled before it is stopped": order('"bdaec"'),
            "compared before it is pooled": order('"bdeca"'),
            "the other loss": order('"bdeaf"', '"c"'),
            "the slots are stopped last": order('"bdace"'),
            "all six": order('"bdeafc"'),
            "stopped first of all": order('"ebdac"'),
        },
    },
    "weighted": {
        "correct": {
            "nan to the plain mean": weighted(weight="(groups / total).nan_to_num(1 / rate)"),
            "shifted where nobody looked": weighted(
                total="0",
                use="torch.where(used.unflatten(-1, (-1, rate)).sum(-1).repeat_interleave(rate, -1) > 0, used, 1.0)",
                weight="groups / groups.sum(-1, keepdim=True)",
            ),
            "group by group": used_pool(
                "made = []",
                "for i in range(0, old.n, rate):",
                "    u = used[..., i : i + rate]",
                "    s = u.sum(-1, keepdim=True)",
                "    u = torch.where(s == 0, torch.ones_like(u) / rate, u / torch.where(s == 0, torch.ones_like(s), s))",
                "    made.append([torch.einsum('...i,...id->...d', u, x[..., i : i + rate, :]) for x in (old.k, old.v)])",
                "return KV(*(torch.stack([one[j] for one in made], -2) for j in (0, 1)))",
            ),
            "a matrix product in double": used_pool(
                "groups = used.double().unflatten(-1, (old.n // rate, rate))",
                "groups = groups + (groups.sum(-1, keepdim=True) == 0)",
                "weight = (groups / groups.sum(-1, keepdim=True)).unsqueeze(-2)",
                "k, v = (weight @ x.double().unflatten(-2, (-1, rate)) for x in (old.k, old.v))",
                "return KV(k.squeeze(-2).float(), v.squeeze(-2).float())",
            ),
        },
        "wrong": {
            "not divided": weighted(weight="torch.where(total > 0, groups, torch.full_like(groups, 1 / rate))"),
            "divided by the rate": weighted(
                weight="torch.where(total > 0, groups / rate, torch.full_like(groups, 1 / rate))"
            ),
            "divided by the sum of all": weighted(total="used.sum(-1, keepdim=True).unsqueeze(-1)"),
            "a slot of zeros where nobody looked": weighted(weight="groups / total.clamp(min=1e-12)"),
            "values only": weighted(
                of="(old.k, old.v)",
                weight="torch.where(total > 0, groups / total.clamp(min=1e-12), torch.full_like(groups, 1 / rate))",
            ).replace("return KV(*", "made = KV(*")
            + "\n    return KV(old.k.unflatten(-2, (old.n // rate, rate)).mean(-2), made.v)",
            "interleaved groups": weighted(
                shape="(rate, old.n // rate)",
                end=".sum(-3)",
                weight="torch.where(total > 0, groups / total.clamp(min=1e-12), torch.full_like(groups, 1 / rate)).mT",
            ),
            "the most used of each group": weighted(weight="F.one_hot(groups.argmax(-1), rate).float()"),
            "a softmax of use": weighted(weight="torch.softmax(groups, -1)"),
            "rows summed": weighted(use="used.sum(0).expand_as(used) if used.dim() > 2 else used"),
            "heads summed": weighted(use="used.sum(0) if used.dim() > 1 else used").replace(
                "x.unflatten(-2,", "x.unflatten(-2,"
            ),
            "the first of a group nobody looked at": weighted(
                weight="torch.where(total > 0, groups / total.clamp(min=1e-12), torch.eye(rate)[0].expand_as(groups))"
            ),
            "NaN where nobody looked": weighted(weight="groups / total"),
        },
    },
    "bug": {
        "correct": {
            "argsort": bug("best = votes.argsort(-1, descending=True)[..., : old.n // rate].sort(-1).values"),
            "a threshold": bug(
                "keep = old.n // rate",
                "least = votes.topk(keep, -1).values[..., -1:]",
                "best = (votes >= least).nonzero()[:, -1].view(*votes.shape[:-1], keep)",
            ),
            "loops": bug(
                "kept = old.n // rate",
                "best = torch.stack([torch.stack([torch.tensor(sorted(sorted(range(old.n), key=lambda i: -float(head[i]))[:kept]))",
                "                                 for head in row]) for row in votes])",
            ),
        },
        "wrong": {
            "as many as the rate": bug("best = votes.topk(rate, -1).indices.sort(-1).values"),
            "most used first": bug("best = votes.topk(old.n // rate, -1).indices"),
            "heads and rows vote together": bug(
                "best = votes.topk(old.n // rate, -1).indices.sort(-1).values", votes="used.sum((0, 1)).expand_as(used)"
            ),
            "heads vote together": bug(
                "best = votes.topk(old.n // rate, -1).indices.sort(-1).values",
                votes="used.sum(1, keepdim=True).expand_as(used)",
            ),
            "rows vote together": bug(
                "best = votes.topk(old.n // rate, -1).indices.sort(-1).values",
                votes="used.sum(0, keepdim=True).expand_as(used)",
            ),
            "the least used": bug("best = votes.topk(old.n // rate, -1, largest=False).indices.sort(-1).values"),
            "newest first": bug("best = votes.topk(old.n // rate, -1).indices.sort(-1, descending=True).values"),
            "one of each group": bug(
                "best = votes.unflatten(-1, (-1, rate)).argmax(-1) + rate * torch.arange(old.n // rate)"
            ),
            "as it was given": bug("best = votes.topk(rate, -1).indices", votes="used.sum((0, 1)).expand_as(used)"),
        },
    },
    "frozen": {
        "correct": {
            "the library's loss": pool_loss(
                "k, v = project(x).chunk(2, -1)",
                "return attention_reconstruction(pool, queries, KV(k, v), rate)",
            ),
            "without grad": pool_loss(
                "with torch.no_grad():",
                "    k, v = project(x).chunk(2, -1)",
                "    full = attend(queries, KV(k, v))",
                "return (full - attend(queries.detach(), pool(KV(k, v), rate))).square().mean()",
            ),
            "a detached weight": stops("x.detach() @ project.weight.detach().T"),
            "mse_loss": stops(loss="F.mse_loss(attend(q, new), attend(q, old))"),
        },
        "wrong": {
            "detached in place": stops("x.detach() @ project.weight.detach_().T"),
            "the slots are detached": stops(slots="KV(new.k.detach(), new.v.detach())"),
            "queries are not stopped": stops(q="queries"),
            "the projection is not stopped": stops("project(x.detach())"),
            "the input is not stopped": stops("x @ project.weight.detach().T"),
            "nothing is stopped": stops("project(x)", "queries"),
            "nothing may learn": stops(before="project.requires_grad_(False)"),
            "one stopped loss": stops(loss="(attend(q, old) - attend(q, new)).square().mean().detach()"),
            "the sum": stops(loss="(attend(q, old) - attend(q, new)).square().sum()"),
            "as it was given": pool_loss(
                "weight = project.weight.detach_()",
                "k, v = (x.detach() @ weight.T).chunk(2, -1)",
                "old = KV(k, v)",
                "new = pool(old, rate)",
                "new = KV(new.k.detach(), new.v.detach())",
                "return (attend(queries, old) - attend(queries, new)).square().mean()",
            ),
        },
    },
    "choose": {
        "correct": {
            "floats": choose("2.0", "4.0", "16.0", "2.0"),
            "measured": """
seen, rates = examples(texts[0], 16, seed=1), (1, 2, 4, 8, 16)
for_reads = max(c for c in rates if reads_lost(MeanPool(), c, *seen) <= 0.65 * reads_lost(MeanPool(), 16, *seen))
for_needles = max(c for c in rates if needles_found(MostUsed(), c, *seen) >= 1 / 5)
for_gist = max(c for c in rates if gist_lost(MeanPool(), c, *seen) <= 0.1)
for_gist_of_few = max(c for c in rates if gist_lost(MostUsed(), c, *seen) < 1)
""",
            "tensors": choose("torch.tensor(2)", "torch.tensor(4)", "torch.tensor(16)", "torch.tensor(2)"),
        },
        "wrong": {
            "4 for the reads": choose(reads="4"),
            "1 for the reads": choose(reads="1"),
            "8 for the needles": choose(needles="8"),
            "2 for the needles": choose(needles="2"),
            "a careful gist": choose(gist="8"),
            "most-used tells a gist too": choose(few="16"),
            "rate 3 is not on offer": choose(few="3"),
            "nor is 2.5": choose(few="2.5"),
            "one for all": choose("4", "4", "4", "4"),
        },
    },
    "learns": {
        "correct": {
            "other order": learns('"wh"', '"p"', '"gp"', '"pwh"'),
            "with commas": learns('"h, w"', '" p"', '"p + g"', '"h, w, p"'),
            "capitals": learns('"HW"', '"P"', '"PG"', '"HWP"'),
        },
        "wrong": {
            "the model's loss reaches the pool": learns('"hwp"'),
            "the pool's loss reaches the matrix": learns(reconstruction='"wp"'),
            "reconstruction needs the way back": learns(reconstruction='"pg"'),
            "only the way back learns": learns(encoding='"g"'),
            "only the pool learns": learns(encoding='"p"'),
            "without the stop only the pool is new": learns(unstopped='"p"'),
            "without the stop everything learns": learns(unstopped='"hwpg"'),
            "the model's loss ends at the matrix": learns('"w"'),
        },
    },
    "explain": {
        "correct": {"a capital": 'letter = "B"', "in brackets": 'letter = "(b)"', "with a dot": 'letter = " b."'},
        "wrong": {
            "a": 'letter = "a"',
            "c": 'letter = "c"',
            "d": 'letter = "d"',
            "nothing": 'letter = ""',
            "two": 'letter = "bd"',
        },
    },
    "design": {
        "correct": {
            "one linear look": judge(),
            "with a bias, more steps": judge(bias=", bias=True", steps=80),
            "slower": judge(rate=0.01, steps=120),
        },
        "wrong": {
            "the mean": "def learn(q, old):\n    return ConvPool(4, 32)",
            "a mean of no numbers": PLACES.format(start="[0.0, 0.0, 0.0, 0.0]"),
            "the newest counts more": PLACES.format(start="[0.0, 0.2, 0.4, 0.6]"),
            "the newest alone": PLACES.format(start="[-9.0, -9.0, -9.0, 9.0]"),
            "untrained": judge(steps=0),
            "a function": "def learn(q, old):\n    return lambda pairs, rate: MeanPool()(pairs, rate)",
            "too many numbers": """
def learn(q, old):
    torch.manual_seed(0)
    pool = ConvPool(4, 32)
    adam = torch.optim.Adam(pool.parameters(), 2e-3)
    for _ in range(60):
        adam.zero_grad()
        attention_reconstruction(pool, q[:24], KV(old.k[:24], old.v[:24]), 4).backward()
        adam.step()
    return pool
""",
            "softmax over the groups": judge(axis=-3),
            "a little of all groups' values": judge(mixed=True),
        },
    },
}
