# %% [markdown]
# # 04 · Keep the newest, compress the rest
#
# **After this chapter you can** write down both tiers of a hybrid cache after any step, and what waits between them;
# put the events of one update in order; say what a compressed slot still tells and what is lost for good; choose a
# pool and a count bias, and say where each goes wrong; place the border between raw and compressed; and work out what
# a query receives from several memories read together.
#
# **Time:** 110 minutes for the lesson, 15 of them in a part that may be skipped, and 75 for the exercise: three
# sittings. **You need:** chapters 00 to 02, and from 03a the idea that equal states stay equal. No training, no GPU.
#
# `model` is the Python model, `answers` the answering model of chapter 01. Neither was trained with a hybrid cache:
# where that matters, the text says so.

# %%
import math
import time

import torch
import torch.nn.functional as F

from memlib import KV, Full, Hybrid, MaxPool, MeanPool, Window
from memlib import attend, attend_all, check, join, merge, recipe, state_bytes, states, view
from memlib import draw, lm, tasks, widgets
from memlib.lm import data
from memlib.lm.layers import turn, turns

model, answers = lm.load("stdlib"), lm.load("facts")
text = "for key in old: pool"
tokens = list(text)
q, k, v = tasks.heads(model, text, layer=1, head=2)  # real queries, keys and values: one each a byte
kv = KV(k, v)
print(f"{len(tokens)} bytes of text, keys and values of width {k.shape[-1]}")

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "512 random pairs go through Window(32), then every key is asked for once. The share of right answers?",
        numeric=1 / 16,
        why="The newest 32 are all found, the others never: 32/512 = 0.0625.",
    ),
    widgets.quiz(
        "One slot holds the mean of four pairs. A query asks for the third of them. What does it read from this slot?",
        ["the third value", "the mean of the four values", "nothing: the keys do not match"],
        1,
        "A slot hands over its value as it is, and that is the mean, whichever of the four was meant.",
    ),
    widgets.quiz(
        "Two different pasts have left states that are equal bit for bit. What can bring the difference back?",
        ["a sharper query", "the pairs that come next", "nothing"],
        2,
        "All that comes later is a function of the state and of what is new. Below you build two such pasts.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# A window had all of the fact or nothing; an average had a little of everything. Today's memory has **two tiers**.
# The newest 128 pairs stay raw. What they evict is not dropped: four pairs at a time become one, their mean, and 24
# of these are kept. So a byte is raw until 128 more have come, pooled for the next 96 or so, and then gone:
# `Hybrid(local=128, compressed=24, rate=4)`.
#
# **Predict:** what does the dye show in each of the three stretches, and in which of them does the model know the code?
# Move *bytes between* to 20, to 130 and to 300. (The code stands 46 bytes further back: the question is read too.)

# %%
memory = Hybrid(local=128, compressed=24, rate=4)
widgets.one_fact(memory, answers, distance=130)

# %% tags=["film"]
fact = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
asked = tasks.one_fact(memory, model=answers, stream=lm.stream(270, seed=1, own=fact))
left, end = asked.recipe_dye[0], asked.fact_span[1] - 1  # what the slots hold of the fact; its last byte
assert len(asked.text) - asked.text.index("4711") == 270 + 46
assert left[end] == 1 and abs(left[end + 128 + 4] - 0.25) < 1e-6 and left[-1] == 0  # raw, pooled, dropped
draw.dye(
    asked.recipe_dye,
    asked.view_dye,
    asked.text,
    asked.fact_span,
    after=asked.said,
    title="The fact's dye: raw, then pooled four to one, then dropped",
)

# %% [markdown]
# The orange line has three levels. While the fact is raw it is held whole. Then it stands at a quarter: four bytes
# share a slot, and each is a quarter of it. Then it is gone.
#
# And the answers? One question says little. Here are 42 others, each asked while its fact is raw, pooled, or dropped;
# and through a window of 128 that holds nothing of the fact any more.


# %%
@torch.no_grad()
def knows(memory, distance, count=42):
    """Shares of whole answers, and of first letters, that are right: facts that training has never shown."""
    some = [lm.stream(distance, seed) for seed in range(count)]
    longest = max(len(s.text) for s in some)
    rows = torch.stack([data.as_bytes(s.text.ljust(longest)).long() for s in some])
    guess, spans = answers.reading(memory)(rows).argmax(-1), [s.answer_span for s in some]
    hits = [guess[i, a - 1 : b - 1] == rows[i, a:b] for i, (a, b) in enumerate(spans)]
    return sum(hit.all().item() for hit in hits) / count, sum(hit[0].item() for hit in hits) / count


stretches = {"raw": 20, "pooled": 120, "dropped": 260}  # bytes between fact and question
ways = {
    "full cache": (Full(), ["pooled"]),
    "hybrid": (memory, list(stretches)),
    "hybrid, rate 2": (Hybrid(128, 48, 2), ["pooled"]),
    "window of 128": (Window(128), ["pooled"]),
}
known = {name: {where: knows(m, stretches[where]) for where in asks} for name, (m, asks) in ways.items()}
for name, row in known.items():
    said = [f"{where}: {whole:.2f} right, first letter {first:.2f}" for where, (whole, first) in row.items()]
    print(f"{name:14}", "   ".join(said))
assert known["full cache"]["pooled"][0] > 0.8 and known["hybrid"]["raw"][0] > 0.8
assert (
    max(row[where][0] for name, row in known.items() if name != "full cache" for where in row if where != "raw") < 0.2
)
assert abs(known["hybrid"]["pooled"][1] - known["window of 128"]["pooled"][1]) < 0.1  # the first letter: a guess

# %% [markdown]
# **An honest negative:** as soon as the fact is pooled the answer is lost, at rate 4 and (all but a few) at rate 2.
# At rate 4 even its first letter is no more than a guess, as with the window that holds nothing. A quarter of the dye
# is not a quarter of the answers: this model copies byte for byte, and each time must find the place that follows the
# byte it has just written. In a slot of four there is none. (A model *trained* with pooled slots may put more into
# them: chapter 05b.)
#
# So what are compressed slots good for? First see how they come about.
#
# ## Predict
#
# `Hybrid(4, 2, 2)`: 4 raw pairs, 2 compressed slots, 2 pairs to a slot. It reads `for key in old: pool` byte by byte.

# %%
widgets.quiz(
    "Bytes 0 to 6 have been read (`for key`). An evicted pair that has no partner yet waits, and can still be read. "
    "How many slots does attention read now?",
    ["4", "5: four raw and one compressed", "6: four raw, one that waits and one compressed", "7"],
    2,
    "The four newest bytes are raw. Three have been evicted: two of them are one compressed slot, the third waits, raw. "
    "Nothing is lost.",
)

# %% tags=["film"]
small = Hybrid(local=4, compressed=2, rate=2)
held = states(small, kv)
parts = [small.tiers(mem) for mem in held]  # compressed, staging, local: KVs of real keys and values
assert torch.allclose(parts[6].compressed.v, v[0:2].mean(0, keepdim=True), atol=1e-6)  # bytes 0 and 1: their mean
assert torch.equal(parts[6].staging.v, v[2:3]) and torch.equal(parts[6].local.v, v[3:7])  # byte 2 waits, 3 to 6 are raw
counts = {name: [getattr(part, name).n for part in parts] for name in ("compressed", "staging", "local")}


def story(t, local=4, compressed=2, rate=2):
    """What happens at step t, in words."""
    evicted, new = max(t + 1 - local, 0), f"step {t}: '{draw.label(tokens[t])}' enters"
    if not evicted:
        return new
    named = [f"'{draw.label(c)}'" for c in tokens[:evicted]]
    if evicted % rate:
        return f"{new}, {named[-1]} is evicted and waits"
    dropped = "; the oldest slot is dropped" * (evicted // rate > compressed)
    return f"{new}, {named[-1]} is evicted; {' and '.join(named[-rate:])} become one{dropped}"


received = view(small, q, k)
assert all(
    received[t, 2 * i] == received[t, 2 * i + 1] for t in range(20) for i in range(max(t - 3, 0) // 2)
)  # one slot, one weight
draw.film(
    recipe(small, k),
    tokens,
    views=received,
    tiers=counts,
    events=[story(t) for t in range(len(tokens))],
    title="Four raw pairs, two compressed slots, two pairs to a slot",
)

# %% [markdown]
# A colour is a byte. In the middle the **recipe**: local slots have one colour each, compressed slots two, half and
# half. At the bottom the **view**: two bytes of one slot always receive the **same** weight. No query can tell them
# apart any more.
#
# ## The order of events
#
# Two signs change their meaning. $n_c$, in chapter 01 the pairs of a window, now counts compressed slots; the raw pairs
# are $n_l$. And the **rate**, in chapter 02 the share $g$ of the new, is now $c$: pairs to a slot.
#
# One update, when token $t$ comes:
#
# 1. **append**: the new pair enters the local tier;
# 2. **evict**: if there are more than $n_l$ raw pairs, the oldest leaves the local tier;
# 3. **compress**: when $c$ evicted pairs are together, the function $f_c$ makes one of them (until then they wait,
#    raw, in the **staging** part);
# 4. **store**: the new slot goes to the newest end of the compressed tier;
# 5. **drop**: if that has more than $n_c$ slots, its oldest leaves. Only here is anything *dropped*.
#
# Then the query reads $\mathrm{Att}(q_t,[\text{compressed},\text{staging},\text{local}])$. With $e=\max(t+1-n_l,0)$
# evicted pairs and $n_c\ge1$:
#
# | | number |
# |---|---|
# | slots made so far | $\lfloor e/c\rfloor$ |
# | compressed slots held | $\min(\lfloor e/c\rfloor,\,n_c)$ |
# | pairs that wait | $e \bmod c$ |
# | tokens dropped | $c\cdot\max(\lfloor e/c\rfloor-n_c,\,0)$ |
#
# **By hand.** `Hybrid(2, 1, 2)`, values 8, 4, 1, 9, 10, 12, 0.
#
# | after token | compressed | staging | local | |
# |---|---|---|---|---|
# | 0, 1 | | | 8, then 8 4 | append |
# | 2 | | 8 | 4 1 | evict 8: it waits |
# | 3 | 6 | | 1 9 | evict 4; (8+4)/2 = 6 is stored |
# | 4 | 6 | 1 | 9 10 | evict 1: it waits |
# | 5 | 5 | | 10 12 | evict 9; (1+9)/2 = 5 is stored, the slot 6 is dropped |
# | 6 | 5 | 10 | 12 0 | evict 10: it waits |


# %%
def by_hand(memory, values):
    """Tiers after each of the values, as lists."""
    x = torch.tensor(values)[:, None]
    return [
        tuple(part.v[:, 0].tolist() for part in memory.tiers(mem)) for mem in states(memory, KV(torch.zeros_like(x), x))
    ]


after = by_hand(Hybrid(2, 1, 2), [8.0, 4.0, 1.0, 9.0, 10.0, 12.0, 0.0])
assert after[1:4] == [([], [], [8, 4]), ([], [8], [4, 1]), ([6], [], [1, 9])]
assert after[4:] == [([6], [1], [9, 10]), ([5], [], [10, 12]), ([5], [10], [12, 0])]
for n_l, n_c, c in ((2, 1, 2), (4, 2, 2), (5, 3, 4), (1, 2, 3), (32, 16, 4)):
    shape = Hybrid(n_l, n_c, c)
    for t, mem in enumerate(states(shape, KV(torch.zeros(150, 1), torch.zeros(150, 1)))):
        e = max(t + 1 - n_l, 0)
        assert [part.n for part in shape.tiers(mem)] == [min(e // c, n_c), e % c, min(t + 1, n_l)]

# %% [markdown]
# *Misconception: "the staging part is a detail."* Were the remainder thrown away instead of waiting, tokens would
# vanish between the tiers; were the group filled up with zeros, those in it would be diluted. What waits is read and
# kept, so it needs room: up to $c-1$ pairs more than $n_l+n_c$.
#
# ## The code, and yours
#
# Two KVs; the comments name the events. `check` walks yours and the library's and names the first difference. Break it
# in four ways, one at a time: `>` in place of `>=`; `raw[-self.rate :]` for `old` (the newest instead of the oldest);
# drop the group without storing it; leave out `keep=self.compressed`.


# %%
class Mine:
    def __init__(self, local, compressed, rate):
        self.local, self.compressed, self.rate = local, compressed, rate

    def init(self, like):
        return like.empty(), like.empty()

    def update(self, mem, new, q=None):
        compressed, raw = mem  # raw: what waits, and behind it the local tier
        for t in range(new.n):
            raw = raw.append(new[t : t + 1])  # append
            if raw.n - self.local >= self.rate:  # evicted: all but the newest `local`; is a group whole?
                old, raw = raw[: self.rate], raw[self.rate :]
                slot = KV(old.k.mean(-2, keepdim=True), old.v.mean(-2, keepdim=True))  # compress
                compressed = compressed.append(slot, keep=self.compressed)  # store; drop the oldest
        return compressed, raw

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


def moment(step, local, compressed, rate):
    """What your class holds at a step, and what the query receives."""
    mine = Mine(local, compressed, rate)
    held = [(pooled.n, max(raw.n - local, 0), min(raw.n, local)) for pooled, raw in states(mine, kv)]
    tiers = dict(zip(("compressed", "staging", "local"), zip(*held, strict=True), strict=True))
    return draw.moment(
        recipe(mine, k),
        tokens,
        view(mine, q, k),
        step,
        tiers=tiers,
        title=f"{local} raw pairs, {compressed} slots of {rate}",
    )


print(check(Mine(4, 2, 2), Hybrid(4, 2, 2)))
print(check(Mine(5, 3, 4), Hybrid(5, 3, 4)))
widgets.knob(moment, step=(0, 19, 12), local=(1, 8, 4), compressed=(1, 6, 2), rate=(1, 5, 2))

# %% [markdown]
# ## Nothing is lost, until something is
#
# The dye above added up what slots hold; now count for how many tokens each stands. Give each token a mass of 1. A
# pooled slot holds $1/c$ of each of its $c$ tokens and counts $c$ times: it carries 1 of every one. **Predict** the
# mass of all slots of `Hybrid(32, 16, 4)` over 160 tokens, beside a window with the same room: 32 + 16 + 3 = 51 pairs.


# %%
def mass(memory, n):
    """For each step the mass of each token: [steps, tokens]; a compressed slot counts `rate` times."""
    rows = []
    for mem, slots in zip(
        states(memory, KV(torch.zeros(n, 1), torch.eye(n))), recipe(memory, torch.zeros(n, 1)), strict=True
    ):
        pooled = memory.tiers(mem).compressed.n
        rows.append(memory.rate * slots[:pooled].sum(0) + slots[pooled:].sum(0))
    return torch.stack(rows)


n, shape = 160, Hybrid(32, 16, 4)
each = mass(shape, n)
assert ((each - each.round()).abs() < 1e-6).all() and each.max() == 1  # a token is there whole, or not at all
total = each.sum(1)
assert torch.equal(total[:99], torch.arange(1.0, 100.0))  # 32 raw, 16 slots of 4, 3 that wait: 99 tokens, none lost
assert max(mem.compressed.n + mem.raw.n for mem in states(shape, KV(torch.zeros(n, 1), torch.zeros(n, 1)))) == 51
assert total[99] == 96 and set(total[99:].tolist()) == {96, 97, 98, 99}  # then four go at a stroke, over and over
assert not each[99, :4].any() and each[99, 4:100].all()  # the oldest group
kept = {"hybrid 32 + 16, rate 4": total.tolist(), "window of 51": [min(t + 1, 51) for t in range(n)]}
draw.curves(
    {name: (list(range(n)), y) for name, y in kept.items()},
    x="step",
    y="tokens held in some form",
    title="In the same room the hybrid cache covers nearly twice the past",
)

# %% [markdown]
# The hybrid cache loses nothing for 99 tokens, the window for 51. From then on the oldest group goes, **all four
# tokens at a stroke**. But *held in some form* is not *held*. When four pairs become one the slot may get the wrong
# **weight**, and inside it the **choice** among the four is gone. Only the first error can be mended. (A good place for
# a break.)
#
# ## The weight of a slot that stands for many
#
# **By hand.** Width 1, the query is 1, so the key is the score. Two old keys, $\ln 9$ and $\ln 1$, and a raw one,
# $\ln 2$. In a full cache the old two have the weight $9+1=10$ against 2. Now they are pooled. The value is always the
# mean; for the key there are three ways:
#
# | the pooled key | its weight against 2 | the true one: 10 |
# |---|---|---|
# | mean, $(\ln 9+\ln 1)/2=\ln 3$ | 3 | far too little |
# | the same with a **count bias**: $+\ln 2$ on the score | $2\cdot3=6$ | better |
# | the sum, `MeanPool(rescale=True)`: $\ln 9$ | 9 | nearly right, here |
#
# (In the library a bias is the third part of a KV: `KV(k, v, bias)`.)
#
# **Predict:** four keys of a group match the query equally well. Which of the three is exact? And which comes nearest
# if one of the four matches, and the others score 0? Then move the knob.

# %%
group = KV(torch.tensor([[9.0], [1.0]]).log(), torch.tensor([[10.0], [30.0]]))
raw = KV(torch.tensor([[2.0]]).log(), torch.tensor([[50.0]]))
one = torch.ones(1, 1)


def pooled(pool, bias=0.0):
    slot = pool(group, 2)
    return join(KV(slot.k, slot.v, torch.full((1,), bias)), raw)


reads = {
    "full": join(group, raw),
    "mean": pooled(MeanPool()),
    "mean, count bias": pooled(MeanPool(), math.log(2)),
    "sum": pooled(MeanPool(rescale=True)),
}
told = {name: attend(one, slots).item() for name, slots in reads.items()}
for name, (of_group, value) in {"mean": (3, 20), "mean, count bias": (6, 20), "sum": (9, 20), "full": (10, 12)}.items():
    assert abs(told[name] - (of_group * value + 2 * 50) / (of_group + 2)) < 1e-3
four = join(*[pooled(MeanPool())[:1]] * 4, raw)  # identity: four times the slot = ln 4 on its score
once = KV(four.k[3:], four.v[3:], torch.tensor([math.log(4), 0.0]))
assert torch.allclose(attend(one, four), attend(one, once))


def weights(score, matching):
    """The share of a group of four keys, `matching` of which have this score and the others 0, beside 8 raw keys of score 0."""
    scores = torch.tensor([float(score)] * matching + [0.0] * (4 - matching))
    says = {
        "four raw keys: true": scores.exp().sum(),
        "mean key": scores.mean().exp(),
        "mean key, ln 4 added": 4 * scores.mean().exp(),
        "sum of the keys": scores.sum().exp(),
    }
    return {name: (x / (x + 8)).item() for name, x in says.items()}


for score in (0, 2, 5):
    true, mean, biased, summed = weights(score, 4).values()
    assert abs(biased - true) < 1e-6 and mean <= biased and summed >= mean
    true, mean, biased, summed = weights(score, 1).values()
    assert mean < biased <= true + 1e-6
for score in (1, 2, 5):
    true, mean, biased, summed = weights(score, 1).values()
    assert (abs(summed - true) < abs(biased - true)) == (score >= 2)  # the nearer of the two
assert abs(summed - true) < 0.01
widgets.knob(
    lambda score, matching: draw.bars(
        weights(score, matching),
        y="share of the group, beside 8 raw pairs",
        top=1.1,
        title=f"{matching} of four keys match with score {score:.1f}",
    ),
    score=(0.0, 8.0, 4.0, 0.5),
    matching=(1, 4, 1),
)

# %% [markdown]
# The **count bias** has a reason: a slot that stands for $c$ tokens should speak like $c$ slots, and to repeat a slot
# $c$ times is to add $\ln c$ to its score. Where the keys are equal it is *exact*. Where they differ it is too little:
# it takes the geometric mean of their weights ($\sqrt{9\cdot1}=3$), and the arithmetic mean (5) is larger. The **sum**
# comes nearer where *one* key matches clearly, from a score of about 2, and the others score 0. Where all four match it
# is absurdly loud: four times the score.
#
# ## How many pairs can be found?
#
# N random pairs go in, keys nearly orthogonal, and each key is asked for once. An answer is right if, of all N values,
# the one asked for is nearest to what was read. The memory: 32 raw pairs and 16 slots of four, keys as sums. A query
# that matches one of four reads their mean value, and nearest to that is always the same one of the four: **a slot
# answers one question of its four**. What waits is raw. With $e=N-n_l$ evicted pairs
#
# $$\text{right}=\frac{n_l+\min(\lfloor e/c\rfloor,\;n_c)+(e\bmod c)}{N}\qquad n_l=32,\;n_c=16,\;c=4$$
#
# is the best that can be. **Sketch** it for N from 32 to 512. And say beforehand: where is a window with the same room,
# 51 pairs, better, where worse?

# %%
sizes = [32, 48, 64, 99, 128, 192, 256, 512]
n_l, n_c, c = 32, 16, 4


def at_best(n):
    return (n_l + min((n - n_l) // c, n_c) + (n - n_l) % c) / n


keys_as_sums = Hybrid(n_l, n_c, c, MeanPool(rescale=True))
sums = [tasks.recall(keys_as_sums, n) for n in sizes]
assert max(abs(at_best(n) - share) for n, share in zip(sizes, sums, strict=True)) < 0.02
assert abs(tasks.recall(keys_as_sums, 51) - 39 / 51) < 0.02 and at_best(99) == 51 / 99  # three wait
widgets.predict(
    "right answers, 32 raw pairs and 16 slots of four",
    sizes,
    sums,
    y="right answers",
    log_x=True,
    x_name="pairs stored (N)",
)


# %%
def found(memory, match=800.0, n=512, width=64, rows=24, best=1):
    """For each age the share of pairs that are found: among the `best` nearest values. match: the score of the right key."""
    draws = torch.Generator().manual_seed(0)
    keys, values = (F.normalize(torch.randn(rows, n, width, generator=draws), dim=-1) for _ in range(2))
    keys = keys * width**0.5
    read = memory.read(memory.update(memory.init(KV(keys, values)), KV(keys, values)), match / width**0.5 * keys)
    nearest = (F.normalize(read, dim=-1) @ values.mT).topk(best, -1).indices
    return (nearest == torch.arange(n)[:, None]).any(-1).double().mean(0).flip(0)  # the newest first


pools = {
    "mean keys": Hybrid(n_l, n_c, c),
    "mean keys, count bias": Hybrid(n_l, n_c, c, count_bias=True),
    "keys as sums": keys_as_sums,
    "window of 51": Window(51),
}
recalled = {name: [tasks.recall(m, n) for n in sizes] for name, m in pools.items()}
print("of the pooled pairs alone, the share found (0.25 is the best):")
pooled_found = {
    name: {match: found(m, match)[32:96].mean().item() for match in (8, 800)} for name, m in list(pools.items())[:3]
}
for name, shares in pooled_found.items():
    print(f"  {name:22}", {f"match {match}": round(x, 2) for match, x in shares.items()})
plain, biased, summed = pooled_found.values()
assert plain[8] < 0.05 < biased[8] < 0.2 < min(summed.values())
assert 0.05 < plain[800] < 0.15 and abs(biased[800] - plain[800]) < 0.02
others = 8 * F.normalize(torch.randn(24, 49, 64, generator=torch.Generator().manual_seed(1)), dim=-1)
scores = (others[:, 1:] @ others[:, 0, :, None])[..., 0] / 8  # of 48 random keys at a match of 8
assert abs(scores.std() - 1) < 0.1 and 1.8 < scores.amax(1).mean() < 2.6
assert all(abs(a - min(51 / n, 1)) < 0.01 for a, n in zip(recalled["window of 51"], sizes, strict=True))
assert all(at_best(n) <= min(51 / n, 1) for n in range(32, 2000))  # the window of 51 is never worse
draw.curves(
    {name: (sizes, [n * share for n, share in zip(sizes, y, strict=True)]) for name, y in recalled.items()},
    log_x=True,
    x="pairs stored (N)",
    y="right answers (share times N)",
    title="Every stored pair is asked for once: how many are found?",
)

# %% [markdown]
# **Plain mean keys find far fewer** of the pooled pairs. Call the score of the right raw key the *match*. At a match of
# 8 other keys score 0, give or take 1, and the largest of 48 about 2. The mean of four scores a quarter: the right slot
# gets 2, and chance gets that as easily. The count bias adds $\ln4=1.39$: better, but half of the best. At the very
# sharp queries of the curve, a match of 800, it adds 1.39 to 200: nothing.
#
# **Keys as sums reach the formula. And a window of 51 is never worse.** At 48 pairs it still knows them all, while the
# hybrid has pooled sixteen of them. From 99 on the hybrid finds 48 to 51 (51 where three wait), the window always 51.
# Did compression buy nothing? **Predict:** at N = 511 three wait, and both find 51. Of which ages are they?

# %%
ages = list(range(7, 131, 8))  # the middles of 3 to 10, 11 to 18, ...


def by_age(memory, **how):
    return found(memory, n=511, **how)[3:131].view(-1, 8).mean(1).tolist()


aged = {
    "window of 51": by_age(Window(51)),
    "hybrid: the right one": by_age(keys_as_sums),
    "hybrid: among the best four": by_age(keys_as_sums, best=4),
}
assert all(abs(3 + sum(aged[name]) * 8 - 51) < 1.5 for name in list(aged)[:2])  # the same area: 51 pairs
assert min(aged["hybrid: the right one"][:4]) > 0.99 and max(aged["hybrid: the right one"][12:]) < 0.01
assert (
    0.2 < sum(aged["hybrid: the right one"][4:12]) / 8 < 0.3
    and 0.85 < sum(aged["hybrid: among the best four"][4:12]) / 8 < 0.95
)
draw.curves(
    {name: (ages, y) for name, y in aged.items()},
    x="age: pairs that came since",
    y="found",
    title="The same 51 right answers, spread over other ages",
)

# %% [markdown]
# **Compression makes no recall, it moves it.** Of the sixteen next to the border the hybrid gave up three quarters,
# and got a quarter of the 48 behind them: the same area. But look at the third line: of the pooled pairs the right
# value is nine times in ten **among the best four**. The slot knows *that it was one of these*. If something else can
# decide among four (the context, a second look), much has been kept.
#
# *Misconception: "a compressed pair is a smaller pair."* It is a pair that no longer tells itself from its
# neighbours.
#
# ## Move the border
#
# *This part may be skipped (15 minutes); only Stretch 4 of the exercise needs it.*
#
# 48 slots (and what waits): how many of them raw? Compressed ones were no help with a **needle**, one pair of a certain
# age. They help with the **gist**: one of 16 topics is shown for 512 steps with strength 1, under noise of 4, so that
# only the mean of many pairs tells it. A guess is right in .06. **Sketch** the share of right topics as the raw part
# grows from 1 to 48 pairs, the rest being slots of four (mean keys, count bias).

# %%
raw_pairs = [1, 8, 16, 24, 32, 40, 48]
world = {"steady": 512, "after": 64, "noise": 4.0}
topics = [tasks.gist_and_drift(Hybrid(n, 48 - n, 4, count_bias=True), **world, trials=128) for n in raw_pairs]
gist = [right[448:512].mean().item() for right in topics]
widgets.predict(
    "right topics with 48 slots, by raw pairs among them", raw_pairs, gist, y="right answers", x_name="raw pairs"
)

# %%
KEYS = {
    "mean keys, count bias": (MeanPool(), True),
    "mean keys": (MeanPool(), False),
    "keys as sums": (MeanPool(rescale=True), False),
}


def foretold(memory):
    """Right topics before the switch, and 60 steps after it, from the memory's view alone."""
    ones, n = torch.ones(576, 16), 576
    right = tasks.gist_expected(attend_all(memory, ones, KV(ones, torch.eye(n))), 512, noise=4.0)
    return right[448:512].mean().item(), right[-8:].mean().item()


def trade(raw, rate, keys):
    """What 48 slots can do, `raw` of them raw pairs."""
    pool, bias = KEYS[keys]
    memory = Hybrid(raw, 48 - raw, rate, pool, bias)
    needle, (topic, later) = found(memory, n=320, rows=8, match=8), foretold(memory)
    some = {f"needle, {age} pairs back": needle[age - 5 : age + 6].mean().item() for age in (20, 60, 150)}
    return some | {"gist: the topic": topic, "drift: 60 steps after a switch": later}


drift = [right[-8:].mean().item() for right in topics]
for n, here, later in zip(raw_pairs, gist, drift, strict=True):
    told = foretold(Hybrid(n, 48 - n, 4, count_bias=True))
    assert abs(told[0] - here) < 0.08 and abs(told[1] - later) < 0.12  # measured and foretold
few = {keys: list(trade(4, 4, keys).values()) for keys in KEYS}  # near, far and farther needle, gist, drift
many, mixed = list(trade(48, 4, "mean keys").values()), {keys: list(trade(40, 4, keys).values()) for keys in KEYS}
assert many[0] > 0.98 and many[1] == many[2] == 0 and abs(many[3] - 0.5) < 0.05
assert (
    max(few["mean keys, count bias"][:3]) < 0.2 < min(few["keys as sums"][:3]) and max(few["keys as sums"][:3]) < 0.35
)
assert (
    mixed["keys as sums"][3]
    < many[3] - 0.08
    < many[3] + 0.1
    < mixed["mean keys, count bias"][3]
    < few["mean keys, count bias"][3] - 0.2
)
assert all(told[3] > 0.85 and told[4] < 0.22 for told in few.values())  # the topic, and the old one
widgets.knob(
    lambda raw, rate, keys: draw.bars(
        trade(raw, rate, keys),
        y="right answers",
        top=1.1,
        title=f"{raw} raw pairs and {48 - raw} slots of {rate}: {raw + rate * (48 - raw)} tokens",
    ),
    raw=(1, 48, 32),
    rate=[4, 2, 8],
    keys=list(KEYS),
)

# %% [markdown]
# At rate 4 with **mean keys and count bias**, from 48 raw pairs to 4: the topic rises all the way, from .50 to .92; the
# needle 20 pairs back falls from sure to less than one in five, and the other two rise from nothing to as much. With
# **keys as sums** all three needles end at one in four, but the topic first *falls*, to .39 at 40 raw pairs: eight loud
# slots drown them. And whatever the keys, a longer past holds on to the **old** topic after a switch: .50 with 48 raw
# pairs, less than .2 with 4. No setting is best at all five.
#
# ## Two pasts, one state
#
# What can *never* be answered again? That in which two pasts differ, if they leave the same state. A mean does not
# know **which value belonged to which key**: "Anna 4, Ben 7" and "Anna 7, Ben 4" have the same mean key and the same
# mean value. Nor does it know what one pair had more and its partner less: of four numbers one is kept, and three could
# have been chosen freely.
#
# Take the real keys and values of the text, rounded to eighths, so that halves are exact and *equal* may mean bit for
# bit. Past A is as it is. In past B partners have exchanged their values (bytes 0 and 1, and bytes 2 and 3). In past C
# a vector is added to value 0 and taken from value 1. `Hybrid(4, 2, 2)` reads all three, and after each step a hundred
# random queries. **Predict** the step from which A and B are one for ever, and A and C.

# %%
exact = KV((8 * k).round() / 8, (8 * v).round() / 8)
swap, shift = torch.tensor([1, 0, 3, 2, *range(4, 20)]), torch.zeros_like(v)
shift[0], shift[1] = 4.0, -4.0
pasts = {"A and B": KV(exact.k, exact.v[swap]), "A and C": KV(exact.k, exact.v + shift)}
ask, first = torch.randn(100, 32, generator=torch.Generator().manual_seed(0)), states(small, exact)
apart = {}
for name, past in pasts.items():
    apart[name] = [
        (small.read(a, ask) - small.read(b, ask)).abs().max().item()
        for a, b in zip(first, states(small, past), strict=True)
    ]
    whole = (attend(ask, exact) - attend(ask, past)).abs().max().item()
    print(f"{name}: after the last byte the full cache still differs by {whole:.2f}, the hybrid by {apart[name][-1]}")
    assert whole > 0.1
assert min(apart["A and B"][:7]) > 0 and apart["A and B"][7:] == [0.0] * 13  # bit for bit
assert min(apart["A and C"][:5]) > 0 and apart["A and C"][5:] == [0.0] * 15
lower = torch.where(v[:2] < v[:2].amax(0), v[:2] - 5, v[:2])  # a max pool does not see what is not the largest
assert torch.equal(MaxPool()(KV(k[:2], lower), 2).v, MaxPool()(KV(k[:2], v[:2]), 2).v) and not torch.equal(lower, v[:2])
draw.curves(
    {name: (list(range(20)), y) for name, y in apart.items()},
    x="step",
    y="largest difference of 100 reads",
    title="Two pasts become one when their groups are pooled",
)

# %% [markdown]
# A and C are one from step 5, where bytes 0 and 1 are pooled; A and B from step 7, where bytes 2 and 3 are. From then
# on the states are equal bit for bit, and so is every read, whatever comes. A max pool loses other things (whatever is
# not the largest). **Which** pasts fall together is the choice of $f_c$; **that** some do is arithmetic.
#
# ## Several memories, read together
#
# A hybrid cache is the first memory here that is really two. How do two memories $A$ and $B$ answer one query?
#
# **Joined**: one softmax over all their slots, $\mathrm{Att}(q,[A,B])$. **Mixed**: each answers alone, and the
# answers are added with fixed weights, say $\tfrac12\mathrm{Att}(q,A)+\tfrac12\mathrm{Att}(q,B)$.
#
# Joined can be worked out from separate answers too, and exactly, if each brings the logarithm of its sum of
# exponentials (`lse`):
#
# $$\mathrm{Att}(q,[A,B])=g\,\mathrm{Att}(q,A)+(1-g)\,\mathrm{Att}(q,B),\qquad
# g=\sigma(\mathrm{lse}_A-\mathrm{lse}_B).$$
#
# **By hand.** A holds scores $\ln 3,\ln 3$ and values 10 and 20: it answers 15, with a sum of 6. B holds score $\ln 2$,
# value 55: sum 2. Joined, A has 6 of the 8: $g=\sigma(\ln6-\ln2)=6/(6+2)$, and $\tfrac34\cdot15+\tfrac14\cdot55=25$.
# Mixed by halves: 35. So joining *is* mixing, with a weight that **each query sets itself**: the side that has what it
# asks for gets more (and so does the side with more slots). **Predict:** at each byte, how much comes from the older
# tiers? One of the two curves is flat: which, and how high?

# %%
A = KV(torch.tensor([[3.0], [3.0]]).log(), torch.tensor([[10.0], [20.0]]))
B = KV(torch.tensor([[2.0]]).log(), torch.tensor([[55.0]]))
(out_a, lse_a), (out_b, lse_b) = attend(one, A, lse=True), attend(one, B, lse=True)
g = torch.sigmoid(lse_a - lse_b)[..., None]
assert abs(g.item() - 0.75) < 1e-6 and abs(attend(one, join(A, B)).item() - 25) < 1e-4
assert torch.allclose(g * out_a + (1 - g) * out_b, attend(one, join(A, B)))
assert torch.allclose(merge((out_a, lse_a), (out_b, lse_b))[0], attend(one, join(A, B)))  # the library's line for it

joined, mixed = [], []  # what each query receives of each byte
for t, mem in enumerate(states(small, KV(k, torch.eye(20)))):  # values: one mark a byte
    part, now = small.tiers(mem), q[t : t + 1]
    a, b = attend(now, join(part.compressed, part.staging), lse=True), attend(now, part.local, lse=True)
    assert torch.allclose(merge(a, b)[0], small.read(mem, now), atol=1e-6)  # a hybrid's read is the joined one
    joined.append(merge(a, b)[0][0])
    mixed.append((0.5 * a[0] + 0.5 * b[0])[0])
assert torch.allclose(
    torch.stack(mixed[:4]).sum(1), torch.tensor(0.5)
)  # half of an empty memory: half the answer is nothing
older_part = {
    name: [x[t][: max(t - 3, 0)].sum().item() for t in range(20)]
    for name, x in {"joined": joined, "mixed by halves": mixed}.items()
}
assert all(abs(x - 0.5) < 1e-5 for x in older_part["mixed by halves"][4:])  # whatever the query asks
assert max(older_part["joined"]) - min(older_part["joined"][4:]) > 0.2
twice = join(kv[:4], kv[3:4])  # a pair that stands in both memories counts twice: ln 2 on its score
assert torch.allclose(
    attend(q, twice), attend(q, KV(kv.k[:4], kv.v[:4], torch.tensor([0.0, 0, 0, math.log(2)]))), atol=1e-6
)
draw.curves(
    {name: (list(range(20)), y) for name, y in older_part.items()},
    x="query of byte",
    y="share from the older tiers",
    title="Joined, the query decides; mixed, the weights do",
)

# %% [markdown]
# Joined, the share moves with every query. Mixed by halves it stands at one half, also for a query that finds nothing
# there; and as long as the older tiers are **empty**, half of the answer is nothing. In a join an empty memory has
# $\mathrm{lse}=-\infty$ and takes no part. (One filled with zero slots would: chapter 01.)
#
# *Misconception: "joined is always better."* A pair that stands in both memories **counts twice**; the tiers of a
# hybrid never share one. The scores must be of one kind: keys as sums shout. And a mixture can be *learned*: chapter
# 07.
#
# ## What it costs
#
# The most bytes of one head, and the time of an update with its read, up to 2,048 and up to 8,192 tokens. The full
# cache's grow. The hybrid's stay, at up to twice the window's time: its read copies both tiers into one piece, and
# every fourth step makes a mean. (Pairs that can be read are counted, as in chapter 01.)
#
# And quality: the Python model, bits per byte. How near do 16 slots of pooled past come to 19 more raw pairs, and how
# near to that past itself, 99 raw pairs?


# %%
def step_time(memory, n, times=40):
    """Milliseconds of an update and a read, near n tokens: the median, and that of the dearest quarter."""
    past, new = (KV(torch.randn(8, m, 64), torch.randn(8, m, 64)) for m in (n - times, 1))
    mem, spent = memory.update(memory.init(past), past), []
    for _ in range(times):
        begin = time.perf_counter()
        mem = memory.update(mem, new)
        memory.read(mem, new.k)
        spent.append(1e3 * (time.perf_counter() - begin))
    return sorted(spent)[times // 2], sorted(spent)[times * 7 // 8]


def resident(memory, n, steps=40):
    """The most bytes of one head in the last steps up to n tokens."""
    past, new = (KV(torch.randn(m, 64), torch.randn(m, 64)) for m in (n - steps, 1))
    mem, size = memory.update(memory.init(past), past), 0
    for _ in range(steps):
        mem = memory.update(mem, new)
        size = max(size, state_bytes(mem))
    return size


pieces = data.batch(data.texts()[1], 256, 48, torch.Generator().manual_seed(1))


@torch.no_grad()
def bits(memory):
    """Bits per byte of the Python model, every layer reading through the memory."""
    logits = model.reading(memory)(pieces[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten()).item() / math.log(2)


which = {"full cache": Full(), "window of 51": Window(51), "32 + 16 slots of 4": Hybrid(32, 16, 4)}
kept = {name: [resident(m, n) for n in (2048, 8192)] for name, m in which.items()}
print("the most bytes, and milliseconds a token (in the dearest quarter of steps), up to 2,048 and up to 8,192 tokens")
for name, sizes in kept.items():
    times = [step_time(which[name], n) for n in (2048, 8192)]
    row = [f"{size:9,} bytes, {t:5.2f} ({dear:5.2f}) ms" for size, (t, dear) in zip(sizes, times, strict=True)]
    print(f"{name:19}", "   ".join(row))
pair = 2 * 64 * 4
assert kept.pop("full cache") == [2048 * pair, 8192 * pair]  # all of them are read at each step
assert list(kept.values()) == [[51 * pair] * 2] * 2  # the same room, at any length

rivals = {
    "full cache": Full(),
    "window of 99": Window(99),
    "window of 51": Window(51),
    "window of 32": Window(32),
    "32 + 16 slots of 4": Hybrid(32, 16, 4),
    "the same, count bias": Hybrid(32, 16, 4, count_bias=True),
    "the same, keys as sums": Hybrid(32, 16, 4, MeanPool(rescale=True)),
}
quality = {name: bits(m) for name, m in rivals.items()}
print(f"full cache: {quality['full cache']:.3f} bits per byte")
assert quality["window of 99"] + 0.03 < quality["window of 51"] + 0.005 < quality["the same, count bias"]
assert quality["the same, count bias"] + 0.005 < quality["32 + 16 slots of 4"] < quality["window of 32"] - 0.01
assert (
    quality["the same, count bias"] - quality["window of 99"]
    > quality["window of 32"] - quality["the same, count bias"]
)
assert quality["the same, keys as sums"] > quality["window of 32"] + 0.01
turned = model.qkv(pieces[:, :256])[1][1].k  # layer 1; and the same keys as they were before they were turned
cos, sin = turns(torch.arange(256), turned.shape[-1], turned.dtype, model.config.rotary)
left = [
    k.unflatten(-2, (-1, 4)).mean(-2).square().sum(-1).mean() / k.square().sum(-1).mean()
    for k in (turned, turn(turned, (cos, -sin)))
]
print(f"what the mean of four keys keeps of their squared length: {left[0]:.2f}, of unturned keys {left[1]:.2f}")
assert left[1] - 0.15 < left[0] < left[1]
draw.bars(
    {name: round(x - quality["full cache"], 3) for name, x in quality.items() if name != "full cache"},
    y="bits per byte more than the full cache: lower is better",
    title="A pooled past in the place of a trained cache",
)

# %% [markdown]
# Sixteen pooled slots bring part of what nineteen more raw pairs bring, and the count bias helps. **In the same room
# this model would rather have the raw pairs**, by a little. Pooling loses most of what was there: 99 raw pairs, the
# same past, are nearly as good as the full cache. (It is hardly because keys are turned by their places before they are
# pooled: unturned ones have little more in common.) Keys as sums, best on random keys, are worse here than no pooled
# past at all: real keys are far from orthogonal, so the sum of four is loud whether the query means it or not.
#
# **Which layer?** So far every layer had the same memory. `reading` takes a list too, one memory a layer. Keep the
# full cache in **one** layer, hybrid caches of 32 + 16 in the other two, and ask the answering model again, the fact
# 120 bytes back. **Predict:** does it matter which?

# %%
little = Hybrid(32, 16, 4)  # reaches 99 tokens back at most: the fact is dropped
layered = {f"full cache in layer {i}": [Full() if i == j else little for j in range(3)] for i in range(3)}
layered |= {"hybrid in all": [little] * 3, "full cache in all": [Full()] * 3}
told = {name: knows(each, 120, 21)[0] for name, each in layered.items()}
best = max(list(told)[:3], key=told.get)
short = f"{best}, windows of 32"
told[short] = knows([m if isinstance(m, Full) else Window(32) for m in layered[best]], 120, 21)[0]
assert best == "full cache in layer 1" and min(told[best], told[short]) > 0.8 and told[short] > told[best] - 0.1
assert told["hybrid in all"] < 0.2 and sorted(told[f"full cache in layer {i}"] for i in range(3))[1] < 0.3
draw.bars(told, y="right answers", title="One layer looks up; only there must the pairs stay raw", top=1.15)

# %% [markdown]
# In one layer, here layer 1, the fact is looked up. Where that layer keeps its pairs the model nearly always answers,
# at a third of the full cache's growth. The others had dropped the fact, and do as well with windows of 32: for this
# question they need no far past. So **be short where nothing is looked up**. Gemma 3 does this by design: five layers
# of six have a window of 1,024, the sixth a full cache (arXiv 2503.19786).
#
# ## Five new questions

# %%
display(
    widgets.quiz(
        "Hybrid(3, 2, 2) has read 12 tokens. How many slots does attention read, and of how many tokens?",
        numeric=[6, 8],
        why="Evicted: 9, so four slots were made, two are held, and one pair waits. 2 + 1 + 3 = 6 slots; of 4 + 1 + 3 = 8 tokens.",
    ),
    widgets.quiz(
        "Put in order: (1) the query reads, (2) the oldest compressed slot is dropped, (3) the new pair is appended, (4) the oldest raw pair is evicted, "
        "(5) a group is compressed and stored.",
        ["1, 3, 4, 5, 2", "3, 4, 5, 2, 1", "3, 5, 4, 2, 1", "4, 3, 2, 5, 1"],
        1,
        "Append, evict, compress and store, drop; and a token memory reads after its update, so that a token sees itself.",
    ),
    widgets.quiz(
        "A pooled slot stands for eight tokens with nearly equal keys. Beside it stand raw pairs with the same score. Before the softmax divides, its weight without a count bias is...",
        ["what the eight had together", "an eighth of what the eight had together", "eight times as much"],
        1,
        "One slot, one exponential; eight raw tokens had eight. With ln 8 on its score it is fair again.",
    ),
    widgets.quiz(
        "A support bot reads through a hybrid cache. Ten minutes back a customer named two orders in one breath, a lamp and a chair. "
        "The bot still knows both numbers and both goods, but not which belongs to which. What is the likeliest cause?",
        [
            "they stood side by side and were pooled into one slot: what belongs to what is gone",
            "the compressed tier has dropped its oldest slot",
            "the count bias is missing",
        ],
        0,
        "Neighbours are pooled, and a mean forgets which value belonged to which key. Dropped, it would know neither; "
        "and a count bias makes a slot louder, not clearer.",
    ),
    widgets.quiz(
        "Two memories, mixed by fixed halves. A query matches one pair perfectly, and only the first memory holds it. How much of that pair does it receive at most?",
        ["all of it", "half of it", "it depends on the second memory's scores"],
        1,
        "The first memory's answer is that pair, and it counts one half. Joined, the pair could take (nearly) all.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **hybrid cache**: newest pairs raw (**local tier**), older ones compressed (**compressed tier**).
# - **rate** $c$: how many pairs become one slot. **pool**, $f_c$: what makes the one of them (mean, max, ...).
# - **staging part**: evicted pairs that wait, raw and read, until their group is whole; at most $c-1$.
# - **count bias**: $\ln c$ on the score of a slot that stands for $c$ tokens. **keys as sums** (rescaled): mean keys
#   times $c$.
# - **lossy**: different pasts may leave the same state.
# - **joined, mixed**: one softmax over several memories; their separate answers, added with weights. **log-sum-exp**
#   (lse): what an answer must bring along to be joined exactly.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 04` and open `my/04_hybrid.ipynb`. The
# button at its end grades your answers as often as you like. Chapter 05a goes on with two tiers that move by
# **segments**, as in the Compressive Transformer: read first, then two queues, one feeding the other.
