# %% [markdown]
# # Exercise 04 · Two tiers of your own
#
# Three core tasks (about 25 minutes), six stretch tasks (50) and a bonus (25).
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.
# Where a task says *without `Hybrid`*, the library's own is away while your answer is graded.

# %%
import math

import torch
import torch.nn.functional as F

from memlib import KV, Hybrid, MeanPool, attend, join, recipe, state_bytes, states, tasks
from memlib.course import grade_button, inputs, look, number, report


def mean_of(group):
    """One pair in the place of all pairs of a group: the mean of the keys, the mean of the values."""
    return KV(group.k.mean(-2, keepdim=True), group.v.mean(-2, keepdim=True))


def some(each, *steps):
    """Of a list by steps those that are named: a check prints no more than it needs."""
    return {f"step {t}": each[t] for t in steps}


# %% [markdown]
# ## Core 1 · Both tiers by hand (2 points, 6 minutes)
#
# `Hybrid(local=4, compressed=2, rate=2)` reads tokens 0, 1, 2, ... one by one. A worked example: after token 5 the
# compressed tier holds one slot, of tokens 0 and 1: `[[0, 1]]`; nothing waits; the local tier is `[2, 3, 4, 5]`.
#
# Write all three parts after token 6 and after token 12, oldest first: the compressed tier as a list of slots, each a
# list of its tokens; the other two each a list of tokens, also where it is one token only. Then: how many slots does the query of token 12 read, what waits included? Of how many tokens is
# nothing left at all?
#
# <details><summary>Hint 1</summary>The local tier first: the newest four. All older ones have been evicted; take them two by two, from token 0 on.</details>
# <details><summary>Hint 2</summary>After token 12, nine have been evicted: four whole groups, and one token without a partner.</details>
# <details><summary>Hint 3</summary>Of the four groups only the newest two have room. What waits is read like any other pair.</details>

# %% task="by_hand" points=2 kind="hand" minutes=6
# BEGIN SOLUTION
compressed_6 = [[0, 1]]
staging_6 = [2]
local_6 = [3, 4, 5, 6]
compressed_12 = [[4, 5], [6, 7]]
staging_12 = [8]
local_12 = [9, 10, 11, 12]
slots_read = 7
tokens_lost = 4
# END SOLUTION

# %% check="by_hand"
# NEXT: Count evicted tokens: all but the newest of the local tier. Whole groups become slots, the rest waits, and is read.
# WHY compressed_6 == [[0, 1], [2, 3]]: A slot is made of a whole group of evicted tokens. How many tokens are evicted after token 6?
# WHY staging_6 == []: Of the evicted tokens one has no partner yet.
# WHY local_6 == [2, 3, 4, 5, 6]: The local tier holds the newest four, the current one included.
# WHY compressed_12 == [[0, 1], [2, 3]]: The tier keeps its newest two slots, not the first two.
# WHY slots_read == 6: What waits is read as well.
# WHY slots_read in (9, 10, 11, 13): A slot is read as one, of however many tokens it is made.
# WHY tokens_lost == 2: That many slots were dropped. Each stood for several tokens.
report("compressed after token 6", compressed_6, axes=("slot", "place"), digits=0, sealed=True)
report("staging after token 6", staging_6, axes=("place",), digits=0, sealed=True)
report("local after token 6", local_6, axes=("place",), digits=0, sealed=True)
report("compressed after token 12", compressed_12, axes=("slot", "place"), digits=0, sealed=True)
report("staging after token 12", staging_12, axes=("place",), digits=0, sealed=True)
report("local after token 12", local_12, axes=("place",), digits=0, sealed=True)
report("slots that are read", slots_read, digits=0, sealed=True)
report("tokens lost", tokens_lost, digits=0, sealed=True)

# %% [markdown]
# ## Core 2 · One update in order (2 points, 4 minutes)
#
# Six of these seven events make one step of a full hybrid cache at which a group becomes whole. Write their letters
# in the order in which they happen, as one word such as `"abcdef"`; the letter of the event that belongs to
# **another** memory; the letter of the event at which the pairs of a group can **no longer be told apart**; and the
# letter of the one at which whole tokens are **gone for good**.
#
# - **a** The oldest slot of the compressed tier is dropped.
# - **b** The function makes one pair of the group that waits.
# - **c** The query reads.
# - **d** The oldest raw pair leaves the local tier.
# - **e** All that is held is multiplied by 1 - g.
# - **f** The new pair enters the local tier.
# - **g** The pooled pair goes to the newest end of the compressed tier.
#
# <details><summary>Hint 1</summary>A token sees itself: what happens to its pair first, and when does its query read?</details>
# <details><summary>Hint 2</summary>A tier takes in what is new before it has one too many.</details>
# <details><summary>Hint 3</summary>One of the seven is what an exponential average does. Waiting is not yet mixing.</details>

# %% task="order" points=2 kind="order" minutes=4
# BEGIN SOLUTION
order = "fdbgac"
other = "e"
mixed_at = "b"
gone_at = "a"
# END SOLUTION

# %% check="order"
# NEXT: Follow one pair: where does it enter, when does it leave the local tier, when is it mixed, when is it gone?
# WHY order == "cfdbga": A token sees itself: its pair is in before its query reads.
# WHY order == "dfbgac": The new pair enters first. Only then is one too many in the local tier.
# WHY order == "fdbagc": A slot is dropped because a new one has come: the new one is there first.
# WHY mixed_at == "d": A pair that has left the local tier still waits as it came.
# WHY gone_at == "b": A pooled pair is mixed with others, but it is still read.
letters = {"order": order, "of another memory": other, "no longer told apart": mixed_at, "wholly gone": gone_at}
for name, word in letters.items():
    report(name, word, sealed=True)

# %% [markdown]
# ## Core 3 · A hybrid cache with sinks (3 points, 15 minutes)
#
# `SinkHybrid(sinks, local, compressed, rate)` keeps the first `sinks` pairs of the stream raw **for good**. All that
# come later go through a hybrid cache. The state is three KVs: `(first, compressed, raw)`, where `raw` holds what
# waits and, behind it, the newest `local` pairs. Write `update`, without `Hybrid`; `new` may hold one pair or several.
# Given: `mean_of(group)`, `kv.append(more)` (with `keep=n` only the newest n stay), and cuts such as `raw[:2]`.
#
# A worked example: `SinkHybrid(1, 2, 1, 2)` after tokens 0 to 4 holds token 0; tokens 1 and 2 in one slot; 3 and 4.
#
# <details><summary>Hint 1</summary>Take the pairs of <code>new</code> one by one. While there are too few in <code>first</code> a pair goes there and nowhere else.</details>
# <details><summary>Hint 2</summary>Everything else is appended to <code>raw</code>. A group is whole when <code>raw</code> has <code>rate</code> pairs more than <code>local</code>.</details>
# <details><summary>Hint 3</summary>The group is the oldest of <code>raw</code>; what stands behind it stays. Its mean goes to the newest end of the compressed tier: which slots does <code>keep=</code> leave there?</details>


# %% task="sinks" points=3 kind="write" minutes=15 hides=["Hybrid", "Compressive", "Window"]
class SinkHybrid:
    def __init__(self, sinks, local, compressed, rate):
        self.sinks, self.local, self.compressed, self.rate = sinks, local, compressed, rate

    def init(self, like):
        return like.empty(), like.empty(), like.empty()

    def update(self, mem, new, q=None):
        first, compressed, raw = mem
        # BEGIN SOLUTION
        for t in range(new.n):
            one = new[t : t + 1]
            if first.n < self.sinks:
                first = first.append(one)
                continue
            raw = raw.append(one)
            if raw.n == self.local + self.rate:
                compressed = compressed.append(mean_of(raw[: self.rate]), keep=self.compressed)
                raw = raw[self.rate :]
        # END SOLUTION
        return first, compressed, raw

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# %% check="sinks"
# NEXT: Print the recipe row by row: the sinks stay, what is evicted waits for its group, the oldest slot leaves.
sinks, n_local, rate = number(1, 3, name="sinks"), number(2, 4, name="local"), number(2, 3, name="rate")
slots = number(2, 3, name="slots")
mine, k = SinkHybrid(sinks, n_local, slots, rate), inputs(15, 2, name="k")
report("recipe", some(recipe(mine, k), 3, 6, 9, 10, 11, 14), axes=("slot", "token"))
many = KV(inputs(2, 30, 2, name="many k"), inputs(2, 30, 2, name="many v"))
at_once = mine.update(mine.update(mine.init(many), many[:11]), many[11:])
report("two heads, eleven pairs and then nineteen", mine.slots(at_once).k[1], axes=("slot", "number"), digits=4)
report("state stays bounded", state_bytes(at_once) <= (sinks + slots + n_local + rate) * 2 * 2 * 2 * 4)

# %% [markdown]
# ## Stretch 1 · Find the bugs (2 points, 9 minutes)
#
# This hybrid cache takes many pairs at once and pools all whole groups in one go. Three things are wrong with it: one
# loses pairs between the tiers, one keeps the wrong slots, and one shows only when several groups become whole in
# **one** update. Mend the lines of `update`, without `Hybrid`.
#
# <details><summary>Hint 1</summary>Walk it one by one: <code>recipe(Bulk(2, 2, 2), torch.zeros(7, 1))</code>. Where is token 0 after step 2?</details>
# <details><summary>Hint 2</summary>What is evicted but in no whole group must stay in <code>raw</code>. And a tier that drops its oldest keeps the newest.</details>
# <details><summary>Hint 3</summary><code>unflatten(-2, (3, 2))</code> cuts six rows into three groups of two neighbours; <code>(2, 3)</code> into two of three.</details>


# %% task="bug" points=2 kind="bug" minutes=9 hides=["Hybrid", "Compressive", "Window"]
class Bulk:
    def __init__(self, local, compressed, rate):
        self.local, self.compressed, self.rate = local, compressed, rate

    def init(self, like):
        return like.empty(), like.empty()

    def update(self, mem, new, q=None):
        compressed, raw = mem
        raw = raw.append(new)
        groups = max(raw.n - self.local, 0) // self.rate
        # BEGIN SOLUTION
        old, raw = raw[: groups * self.rate], raw[groups * self.rate :]
        if groups:
            k, v = (x.unflatten(-2, (groups, self.rate)).mean(-2) for x in (old.k, old.v))
            compressed = compressed.append(KV(k, v))[-self.compressed :]
        # GIVEN
        # old, raw = raw[: groups * self.rate], raw[-self.local :]
        # if groups:
        #     k, v = (x.unflatten(-2, (self.rate, groups)).mean(-3) for x in (old.k, old.v))
        #     compressed = compressed.append(KV(k, v))[: self.compressed]
        # END SOLUTION
        return compressed, raw

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# %% check="bug"
# NEXT: First one by one: does an evicted token wait? Then which two slots stay? Then seven pairs in one update.
n_local, rate = number(2, 3, name="local of bulk"), number(2, 3, name="rate of bulk")
report(
    "one by one",
    some(recipe(Bulk(n_local, 2, rate), inputs(13, 2, name="keys")), 2, 4, 5, 8, 9, 12),
    axes=("slot", "token"),
)
bulk, dyed = Bulk(n_local, 3, rate), KV(inputs(14, 2, name="bulk k"), torch.eye(14))
once = bulk.update(bulk.update(bulk.init(dyed), dyed[:2]), dyed[2:])
report("two pairs, then twelve", bulk.slots(once).v, axes=("slot", "token"))
report("their keys", bulk.slots(once).k, axes=("slot", "number"), digits=4)

# %% [markdown]
# ## Stretch 2 · Joined or mixed: what does the query receive? (2 points, 7 minutes)
#
# Keys have width 1, the query is 1. Memory A holds two pairs: keys $\ln 3$ and $\ln 1$, values 8 and 16. Memory B
# holds two pairs: keys $\ln 8$ and $\ln 4$, values 30 and 60. *Joined* is one softmax over all four; *mixed* is
# $\tfrac12\mathrm{Att}(q,A)+\tfrac12\mathrm{Att}(q,B)$. A worked example: A alone answers $(3\cdot8+1\cdot16)/4=10$.
# Write (numbers or expressions such as 3 / 5)
#
# - `gate`: the weight g of A's answer in the joined read, and `joined_read`, `mixed_read`;
# - `first_joined` and `first_mixed`: how much of A's **first** pair the query receives in each;
# - `biased_read`: the joined read if each slot of B stands for two tokens and gets its count bias;
# - `mixed_empty`: the mixed read while A is still empty.
#
# <details><summary>Hint 1</summary>Exponentials: 3 and 1 in A, 8 and 4 in B. B alone answers 40.</details>
# <details><summary>Hint 2</summary>Joined, each side counts by its sum: 4 and 12. With ln 2 on both scores of B its sum is 24.</details>
# <details><summary>Hint 3</summary>Joined, a pair has its share of one sum over both. Mixed, it has its share of A, and then the fixed weight. An empty memory answers 0.</details>

# %% task="together" points=2 kind="hand" minutes=7
# BEGIN SOLUTION
gate = 0.25
joined_read = 32.5
mixed_read = 25
first_joined = 3 / 16
first_mixed = 3 / 8
biased_read = (4 * 10 + 24 * 40) / 28
mixed_empty = 20
# END SOLUTION

# %% check="together"
# NEXT: Write the four exponentials in a row and their sums for A and B. Which numbers does a fixed weight ignore?
# WHY gate == 0.75: That is the weight of the other side.
# WHY joined_read == 25: Joined, A and B do not count alike: each counts by the sum of its exponentials.
# WHY mixed_read == 32.5: Mixed, the exponentials of A are never compared with those of B: half of each answer.
# WHY first_mixed in (0.75, 3 / 16): Mixed: first the share within A, and then?
# WHY mixed_empty == 40: The half of an empty memory does not go over to the other: it answers 0.
# WHY biased_read == 32.5: The bias ln 2 doubles the exponentials of B: the sides no longer count as before.
report("gate", gate, digits=3, sealed=True)
report("joined", joined_read, digits=2, sealed=True)
report("mixed", mixed_read, digits=2, sealed=True)
report("of the first pair, joined", first_joined, digits=2, sealed=True)
report("of the first pair, mixed", first_mixed, digits=3, sealed=True)
report("joined with count bias", biased_read, digits=1, sealed=True)
report("mixed with an empty memory", mixed_empty, digits=2, sealed=True)

# %% [markdown]
# ## Stretch 3 · Two pasts, one compressed state (2 points, 6 minutes)
#
# A group of pairs has the keys `k [c, d]` and the values `v [c, e]`. Write `another_past(v)`: **other** values for
# the same keys, such that a **mean** pool and a **max** pool both leave the very same slot as before. So whoever
# reads the pooled group, by either pool, cannot know which past it was, while a full cache can. Every row must differ
# from the one that stood there. (The rows you get are all different. Give a new tensor; leave `v` as it is.) Example:
# for `[[1., 5.], [2., 0.]]` one answer is `[[2., 0.], [1., 5.]]`.
#
# <details><summary>Hint 1</summary>To change the mean of nothing and the largest of nothing: leave the numbers as they are, change where they stand.</details>
# <details><summary>Hint 2</summary>Which value belongs to which key? Neither pool knows.</details>
# <details><summary>Hint 3</summary>If every value goes to another key, what do the mean and the largest notice of it?</details>


# %% task="pasts" points=2 kind="write" minutes=6
def another_past(v):
    # BEGIN SOLUTION
    return v.roll(1, 0)
    # END SOLUTION


# %% check="pasts"
# NEXT: Pool yours and the given values with .mean(0) and .amax(0). Then compare row by row: does one still stand where it stood?
c = number(2, 4, name="values of this group")
v = inputs(c, 3, name="v") + 8 * torch.arange(c)[:, None] * torch.tensor([1, -1, 0])  # no two rows alike
before = v.clone()
other_v = torch.as_tensor(another_past(v))
report("shape", list(other_v.shape), digits=0)
report("same mean", other_v.mean(0), axes=("number",), digits=4)
report("same largest", other_v.amax(0), axes=("number",), digits=3)
report("rows that differ", int((other_v != before).any(1).sum()), digits=0)
k = 9 * torch.eye(c)  # each key is found by its own query
told_apart = (attend(k, KV(k, other_v.float())) - attend(k, KV(k, before))).abs().amax(1) > 0.01
report("queries of a full cache that see it", int(told_apart.sum()), digits=0)
report("the given values are untouched", torch.equal(v, before))

# %% [markdown]
# ## Stretch 4 · Place the border (3 points, 12 minutes)
#
# You have room for **43 pairs** at any step, what waits counted: `local + compressed + rate - 1 <= 43`. (Without
# compressed slots nothing waits: `local <= 43`.) Rates on offer: 2, 4 and 8. Choose a memory for each of three streams,
# such as `Hybrid(20, 20, 2)`, `Hybrid(20, 20, 2, count_bias=True)` or `Hybrid(20, 20, 2, MeanPool(rescale=True))`:
#
# - **orders**: any of the newest 36 pairs is asked for; 99 % must be found.
# - **suspects**: of the newest 16 pairs 98 % must be found; of the newest 100 the right value must be **among the best
#   four**, in 92 %.
# - **room**: any of the newest 16 pairs is asked for, 98 %; and the topic of 400 noisy steps must be named, in 85 %.
#
# The check measures it, on random keys and on the gist task of the lesson. How many pairs wait changes from step to
# step; what counts is the worst step.
#
# <details><summary>Hint 1</summary>What must be found exactly must be raw. What comes next depends on how many tokens the other slots have to cover.</details>
# <details><summary>Hint 2</summary>To be found at all, a pooled pair among random keys wants keys as sums, and at rate r it is one of r.</details>
# <details><summary>Hint 3</summary>For a topic every token should count alike: mean keys, count bias, and as many tokens as possible.</details>

# %% task="choose" points=3 kind="choose" minutes=12 parts=["orders", "suspects", "room"]
# BEGIN SOLUTION
orders = Hybrid(36, 4, 4)
suspects = Hybrid(20, 20, 4, MeanPool(rescale=True))
room = Hybrid(16, 20, 8, count_bias=True)
# END SOLUTION

# %% check="choose"
# NEXT: Which of the lines is False? Count the tokens your slots cover, then ask: found exactly, found among some, or averaged?
# WHY any(one.local + one.compressed + (one.rate - 1 if one.compressed else 0) > 43 for one in (orders, suspects, room)): More than 43 pairs in one of them: what waits, up to rate - 1 pairs, counts too.
# WHY orders.local < 36: What must be found exactly must still be raw: some of the newest 36 are pooled.
# WHY suspects.compressed and not suspects.pool.rescale: Means of random keys are short: a query finds hardly any of them.
# WHY min(suspects.local, room.local) < 16: Of the newest 16 some are pooled, and so not found exactly.
# WHY room.compressed and not room.count_bias: Without a count bias a slot of several tokens counts no more than one token.
chosen = {"orders": orders, "suspects": suspects, "room": room}
if any(choice is ... for choice in chosen.values()):
    raise NotImplementedError("one of the three streams is not answered yet")
if any(not isinstance(choice, Hybrid) for choice in chosen.values()):
    raise TypeError("three memories Hybrid(local, compressed, rate, ...) are wanted")


def found_share(memory, newest, best=1):
    """The share that is found of the newest pairs, at the worst of `rate` steps."""
    draws = torch.Generator().manual_seed(number(1, 10**6, name="pairs"))
    keys, values = (F.normalize(torch.randn(40, 256, 64, generator=draws), dim=-1) for _ in range(2))
    shares = []
    for n in range(256, 256 - min(memory.rate, 8), -1):
        k, v = 8 * keys[:, :n], values[:, :n]
        read = memory.read(memory.update(memory.init(KV(k, v)), KV(k, v)), 8 * k[:, -newest:])
        near = (F.normalize(read, dim=-1) @ v.mT).topk(best, -1).indices
        shares.append((near == torch.arange(n - newest, n)[:, None]).any(-1).double().mean().item())
    return min(shares)


for name, choice in chosen.items():
    most = choice.local + choice.compressed + (choice.rate - 1 if choice.compressed else 0)
    report(f"{name} within 43 pairs", most <= 43 and choice.rate in (2, 4, 8))
report("orders are found", found_share(orders, 36), least=0.99)
report("suspects, the newest are found", found_share(suspects, 16), least=0.98)
report("suspects are among the best four", found_share(suspects, 100, best=4), least=0.92)
report("room, what is asked for is found", found_share(room, 16), least=0.98)
noisy = tasks.gist_and_drift(room, steady=400, after=0, noise=4.0, trials=600, seed=number(1, 10**6, name="noise"))
report("room, the topic is named", noisy[-40:].mean(), least=0.85)

# %% [markdown]
# ## Stretch 5 · A compressed tier that is compressed again (2 points, 12 minutes)
#
# `Cascade(local, far, rate)` drops nothing in the middle: raw pairs beyond `local` wait until `rate` of them become
# one slot of the **middle** tier; and as soon as `rate` slots are in the middle tier, these become **one** slot of
# the far tier (so it stands for `rate * rate` tokens). The far tier keeps its newest `far` slots. Write `update`, without `Hybrid`. The
# state is `(far_tier, middle, raw)`, three KVs, empty at first; `mean_of(group)` is given.
#
# A worked example: `Cascade(1, 2, 2)`
# after tokens 0 to 4: tokens 0 to 3 are one far slot, a quarter each; token 4 is raw. After token 3: tokens 0 and 1
# are a middle slot, 2 waits, 3 is raw.
#
# <details><summary>Hint 1</summary>One pair after the other; first the step from raw to middle as in the lesson's class.</details>
# <details><summary>Hint 2</summary>Then the same once more: when the middle tier has <code>rate</code> slots, all of them are one group.</details>
# <details><summary>Hint 3</summary><code>kv[:0]</code> is an empty KV. What is left in the middle tier when its group has become one slot?</details>


# %% task="cascade" points=2 kind="write" minutes=12 hides=["Hybrid", "Compressive", "Window"]
class Cascade:
    def __init__(self, local, far, rate):
        self.local, self.far, self.rate = local, far, rate

    def init(self, like):
        return like.empty(), like.empty(), like.empty()

    def update(self, mem, new, q=None):
        far_tier, middle, raw = mem
        # BEGIN SOLUTION
        for t in range(new.n):
            raw = raw.append(new[t : t + 1])
            if raw.n == self.local + self.rate:
                middle, raw = middle.append(mean_of(raw[: self.rate])), raw[self.rate :]
            if middle.n == self.rate:
                far_tier, middle = far_tier.append(mean_of(middle), keep=self.far), middle[:0]
        # END SOLUTION
        return far_tier, middle, raw

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# %% check="cascade"
# NEXT: Follow token 0: raw, waiting, a share of 1/rate in the middle tier, 1/rate² in the far one, gone. At which steps?
n_local, rate = number(1, 3, name="local of the cascade"), number(2, 3, name="rate of the cascade")
cascade, dyed = Cascade(n_local, 2, rate), KV(inputs(34, 2, name="cascade k"), torch.eye(34))
report(
    "recipe",
    some([cascade.slots(mem).v[:, :14] for mem in states(cascade, dyed)[:14]], 3, 5, 6, 8, 10, 13),
    axes=("slot", "token"),
)
halves = cascade.update(cascade.update(cascade.init(dyed), dyed[:9]), dyed[9:])
report("nine pairs, then 25", cascade.slots(halves).v, axes=("slot", "token"))
report("their keys", cascade.slots(halves).k, axes=("slot", "number"), digits=4)

# %% [markdown]
# ## Stretch 6 · Explain a curve (1 point, 4 minutes)
#
# In the lesson the best hybrid cache, of 32 raw pairs and 16 slots of four, found 48 of N random pairs at N = 128, 192,
# 256 and 512, where nothing waits: as many as a window of 48 finds. Which sentence explains **that** measurement?
# Write its letter.
#
# - **a** From 96 pairs on the compressed tier is full and is no longer read.
# - **b** Each slot, raw or pooled, hands over one value, and that is nearest to the value of one pair only.
# - **c** No pooled pair is found; sixteen more right answers come by chance.
# - **d** A hybrid of 48 slots covers 96 tokens, so it equals a window of 96.
#
# <details><summary>Hint 1</summary>What would sentence d give at N = 192? Compare it with the curve.</details>
# <details><summary>Hint 2</summary>The picture by age: which ages were found, and how many of them?</details>
# <details><summary>Hint 3</summary>A quarter of 64 pooled pairs: how many right answers are that, and how many slots?</details>

# %% task="explain" points=1 kind="explain" minutes=4
# BEGIN SOLUTION
letter = "b"
# END SOLUTION

# %% check="explain"
# NEXT: Put a number to each sentence, at N = 192: how many right answers would there be?
# WHY letter == "a": The picture by age shows pairs that were found far beyond the raw ones: the tier is read.
# WHY letter == "c": By chance one of many would be right. A quarter of the pooled pairs was found.
# WHY letter == "d": A window of 96 would find 96 at N = 192. Compare it with the 48.
report("letter", letter, sealed=True)

# %% [markdown]
# ## Bonus · Needle and gist within 48 pairs (2 points on top, 25 minutes, open end)
#
# With 48 slots of rate 4 no border was good at both: the hybrid cache that names the topic best (.91, noise 4) has
# one raw pair left. Write a memory `Best()` whose state is **at most 48 pairs and eight numbers** (bytes of pairs of
# float32, after 600 tokens) and that finds at least **95 % of the newest 44** pairs **and** names the topic in at
# least **95 %**. How far do you get with fewer pairs?
#
# It needs the four methods of every memory: `init(self, like)`, `update(self, mem, new, q=None)`, `slots(self, mem)`
# and `read(self, mem, q, new=None, lse=False)`. Pairs come without a batch, `[n, d]`, and with one, `[rows, n, d]`. A
# slot may carry a bias: `KV(k, v, bias)`, of the shape `k.shape[:-1]`.
#
# <details><summary>Hint</summary>Which memory of chapter 02 was best at the topic, and how many slots did it need? What would its slot lack beside 46 raw ones?</details>


# %% task="design" points=2 kind="design" minutes=25 bonus=true
# BEGIN SOLUTION
class Best:
    def init(self, like):
        zero = KV(torch.zeros_like(like.k[..., :1, :]), torch.zeros_like(like.v[..., :1, :]))
        return zero, 0, like.empty()  # the sum of all that was evicted, their number, the newest pairs

    def update(self, mem, new, q=None):
        total, count, raw = mem
        raw = raw.append(new)
        old, raw = raw[: max(raw.n - 46, 0)], raw[-46:]
        total = KV(total.k + old.k.sum(-2, keepdim=True), total.v + old.v.sum(-2, keepdim=True))
        return total, count + old.n, raw

    def slots(self, mem):
        total, count, raw = mem
        if not count:
            return raw
        bias = total.k.new_full(total.k.shape[:-1], math.log(count))
        return join(KV(total.k / count, total.v / count, bias), raw)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# END SOLUTION

# %% check="design"
# NEXT: Print the share of newest pairs found, the topics named, and the bytes. Which of the three is missing?
best, long = Best(), KV(inputs(600, 16, name="long k"), inputs(600, 16, name="long v"))
mem = best.init(long)
for t in range(0, 600, 40):
    mem = best.update(mem, long[t : t + 40])
report("at most 48 pairs and eight numbers", state_bytes(mem) <= (48 * 2 * 16 + 8) * 4)
draws = torch.Generator().manual_seed(number(1, 10**6, name="needles"))
keys, values = (F.normalize(torch.randn(4, 200, 64, generator=draws), dim=-1) for _ in range(2))
pairs, held = KV(8 * keys, values), best.init(KV(8 * keys, values))
for t in range(200):
    held = best.update(held, pairs[t : t + 1])
nearest = (F.normalize(best.read(held, 80 * keys[:, -44:]), dim=-1) @ values.mT).argmax(-1)
report("95 of 100 needles", bool((nearest == torch.arange(156, 200)).double().mean() >= 0.95))
draws = torch.Generator().manual_seed(number(1, 10**6, name="topics"))
topic = torch.randint(16, (128, 1), generator=draws)
stream = F.one_hot(topic.expand(-1, 512), 16) + 4 * torch.randn(128, 512, 16, generator=draws)
stream = KV(torch.ones(128, 512, 16), stream)
named = best.init(stream)
for t in range(0, 512, 8):
    named = best.update(named, stream[t : t + 8])
report("95 of 100 topics", bool((best.read(named, torch.ones(128, 1, 16)).argmax(-1) == topic).double().mean() >= 0.95))

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("04_hybrid")
