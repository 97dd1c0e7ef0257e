# %% [markdown]
# # 04 · Keep the newest, compress the rest
#
# A window drops what is old; an average blurs all there is. Why not both: keep the newest letters as they are, and make
# of each few older ones a single pair, their mean? **Press play:** what is left of the door code, and who can still say it?

# %% tags=["film", "folded"]
from memlib import course

course.here("04").four_memories()

# %% [markdown]
# While the code is raw, all know it. Then it leaves the newest 128. The window has nothing of it. The two **hybrid
# caches** below it make one pair of 2, or of 4, and keep a half or a quarter of each letter. Yet they answer no better.
# What are compressed pairs good for?

# %%
import math

from memlib import Hybrid, check, lm, widgets
from memlib.course import ask, here, puzzle

here = here("04")

# %% [markdown]
# ## Three questions from before

# %%
ask("04", "share", "mean", "equal")

# %% [markdown]
# ## Does it still know?
#
# 128 raw pairs, behind them 24 slots, 4 pairs to a slot. So a letter is raw until 128 more have come, pooled for the
# next 96, and then gone. Move *bytes between* to 20, 130 and 300, and watch the thick line. (The code stands 46 bytes
# further back: the question is read too.)

# %%
widgets.one_fact(Hybrid(local=128, compressed=24, rate=4), lm.load("facts"), distance=130)

# %% [markdown]
# Three levels: all of it, a quarter, nothing. One question says little, so here are 42 others, each asked while its
# fact is raw, pooled, or dropped.

# %%
here.right_answers()

# %% [markdown]
# **A quarter of the fact is not a quarter of the answers.** This model copies letter by letter, and each time it must find
# the place behind the letter it has just written. Inside a slot of four there is no such place. (A model *trained* with
# pooled slots may put more into them: chapter 05b.)

# %% claims
import torch

from memlib import KV, attend, join, merge, states, view

known = here.known()  # 42 questions each: of none right the interval is 0 to 8 %
assert known["everything kept"][0] > 0.8 and known["hybrid, raw"][0] > 0.8
assert max(known[name][0] for name in ("hybrid, pooled", "hybrid, dropped", "rate 2, pooled", "window of 128")) < 0.2
assert abs(known["hybrid, pooled"][1] - known["window of 128"][1]) < 0.1  # even the first letter: a guess
left, end = here.far_back().recipe_dye[0], here.far_back().fact_span[1] - 1
assert left[end] == 1 and abs(left[end + 128 + 4] - 0.25) < 1e-6 and left[-1] == 0  # raw, pooled, dropped
assert len(here.far_back().text) - here.far_back().text.index("4711") == 270 + 46
held = [fact.recipe_dye[0, -1].item() for fact in here.read_by_four().values()]
assert all(abs(a - b) < 1e-6 for a, b in zip(held, (1, 0, 0.5, 0.25), strict=True))
assert [fact.right for fact in here.read_by_four().values()] == [True, False, False, False]

# %% [markdown]
# ## Two tiers
#
# A smaller one, to watch: `Hybrid(4, 2, 2)` keeps 4 raw pairs, its **local tier**, and 2 slots, its **compressed tier**,
# with 2 pairs to a slot. **Predict:**

# %%
ask("04", "slots")

# %% tags=["film"]
here.two_tiers()

# %% [markdown]
# Local slots have one colour, compressed slots two, half and half. Look at the bars below: two bytes of one slot always
# receive the **same** share. No query can tell them apart any more.
#
# ## The order of events
#
# When token $t$ comes:
#
# 1. **append**: the new pair enters the local tier;
# 2. **evict**: if there are more than $n_l$ raw pairs, the oldest leaves the local tier;
# 3. **compress**: when $c$ evicted pairs are together, a **pool** makes one of them; until then they wait, raw, in the
#    **staging** part;
# 4. **store**: the new slot goes to the newest end of the compressed tier;
# 5. **drop**: if there are now more than $n_c$ slots, the oldest leaves for good.
#
# Then the query reads all three parts. ($n_c$ counts slots now, no longer the pairs of a window; and $c$, pairs to a slot,
# is the new **rate**.)
#
# **By hand.** `Hybrid(2, 1, 2)`, values 8, 4, 1, 9, 10, 12.
#
# | after token | compressed | waits | local | |
# |---|---|---|---|---|
# | 1 | | | 8 4 | append |
# | 2 | | 8 | 4 1 | evict 8: it waits |
# | 3 | 6 | | 1 9 | evict 4; (8+4)/2 = 6 is stored |
# | 4 | 6 | 1 | 9 10 | evict 1: it waits |
# | 5 | 5 | | 10 12 | evict 9; (1+9)/2 = 5 is stored, the slot 6 is dropped |
#
# **Your first line.** `Hybrid(4, 2, 2)` has read 11 tokens. How many slots does its compressed tier hold? Count the evicted
# pairs, then the slots made of them, then those that are still there.

# %% puzzle
tokens, n_l, n_c, c = 11, 4, 2, 2
# BEGIN SOLUTION
slots = min((tokens - n_l) // c, n_c)
# END SOLUTION
# WRONG: slots = (tokens - n_l) // c
# WRONG: slots = tokens // c
# WRONG: slots = min(tokens - n_l, n_c) // c
puzzle(lambda: slots, here.HELD, digits=0)

# %% [markdown]
# **Your second line.** And how many wait?

# %% puzzle
# BEGIN SOLUTION
waiting = (tokens - n_l) % c
# END SOLUTION
# WRONG: waiting = tokens % n_l
# WRONG: waiting = (tokens - n_l) // c
# WRONG: waiting = tokens - n_l - c
puzzle(lambda: waiting, here.WAIT, digits=0)

# %% claims
small, (q1, k1, v1) = here.SMALL, here.head()
part = small.tiers(states(small, KV(k1, v1))[6])
assert torch.allclose(part.compressed.v, v1[0:2].mean(0, keepdim=True), atol=1e-6)  # bytes 0 and 1: their mean
assert torch.equal(part.staging.v, v1[2:3]) and torch.equal(part.local.v, v1[3:7])  # byte 2 waits, 3 to 6 are raw
seen = view(small, q1, k1)  # one slot, one weight
assert all(seen[t, 2 * i] == seen[t, 2 * i + 1] for t in range(20) for i in range(max(t - 3, 0) // 2))
after = here.by_hand(Hybrid(2, 1, 2), [8.0, 4.0, 1.0, 9.0, 10.0, 12.0, 0.0])
assert after[1:4] == [([], [], [8, 4]), ([], [8], [4, 1]), ([6], [], [1, 9])]
assert after[4:] == [([6], [1], [9, 10]), ([5], [], [10, 12]), ([5], [10], [12, 0])]
for local, most, group in ((2, 1, 2), (4, 2, 2), (5, 3, 4), (1, 2, 3), (32, 16, 4)):
    shape = Hybrid(local, most, group)
    for t, mem in enumerate(states(shape, KV(torch.zeros(150, 1), torch.zeros(150, 1)))):
        gone = max(t + 1 - local, 0)
        assert [part.n for part in shape.tiers(mem)] == [min(gone // group, most), gone % group, min(t + 1, local)]

# %% [markdown]
# *"What waits is a detail."* Thrown away, tokens would vanish between the tiers. Filled up with zeros, their group would be
# diluted. What waits is kept and read, so it needs room: up to $c-1$ pairs more.
#
# ## The code, and yours
#
# The library's own text. `leaving` says how many pairs go at this update: whole groups alone. `compress` calls the pool.
# (`count_bias` comes below; `used` is for
# pools that look at attention, chapter 05b.) Break it in four ways, one at a time:
#
# - compress the newest in the place of the oldest: `made = tiers.compress(self, raw[-gone:], mem.used)`
# - throw the group away: `compressed, raw = compressed, raw[gone:]`
# - never drop a slot: `compressed, raw = compressed.append(made), raw[gone:]`
# - wait for two groups: `if gone > self.rate:`

# %% show="memlib.Hybrid"
print(check(Mine(4, 2, 2), Hybrid(4, 2, 2)))
widgets.knob(here.moment(Mine), step=(0, 19, 12), local=(1, 8, 4), compressed=(1, 6, 2), rate=(1, 5, 2))

# %% [markdown]
# ## Nothing is lost, until something is
#
# For how many tokens do the slots stand? **Predict** the line of `Hybrid(32, 16, 4)`, beside a window with the same room,
# 32 + 16 + 3 = 51 pairs.

# %%
here.nothing_is_lost()

# %% claims
each = here.mass(here.SHAPE)
assert ((each - each.round()).abs() < 1e-6).all() and each.max() == 1  # a token is there whole, or not at all
total = each.sum(1)
assert torch.equal(total[:99], torch.arange(1.0, 100.0))  # 32 raw, 16 slots of 4, 3 that wait: 99 tokens, none lost
assert total[99] == 96 and set(total[99:].tolist()) == {96, 97, 98, 99}  # then four go at a stroke, over and over
assert not each[99, :4].any() and each[99, 4:100].all()  # the oldest group
empty = KV(torch.zeros(160, 1), torch.zeros(160, 1))
assert max(mem.compressed.n + mem.raw.n for mem in states(here.SHAPE, empty)) == 51

# %% [markdown]
# The hybrid covers 99 tokens, the window 51. But *held in some form* is not *held*. When four pairs become one, two things
# go wrong. The slot may get the wrong **weight**, and inside it the **choice** among the four is gone. Only the first can
# be mended.
#
# ## The weight of a slot that stands for many
#
# **By hand.** The exponentials of two old keys are 9 and 1, that of a raw one is 2. Raw, the old two weigh 10 against 2.
# Pooled, their mean key weighs only $\sqrt{9\cdot1}=3$. A slot that stands for $c$ tokens should speak like $c$ slots, and
# to repeat a slot $c$ times is to add $\ln c$ to its score. This **count bias** makes $2\cdot3=6$: better.
#
# **Your third line.** Add it.

# %% puzzle
mean_score, group_size = math.log(3), 2
# BEGIN SOLUTION
fair = mean_score + math.log(group_size)
# END SOLUTION
# WRONG: fair = mean_score * group_size
# WRONG: fair = mean_score + group_size
# WRONG: fair = mean_score - math.log(group_size)
puzzle(lambda: fair, here.FAIR)

# %% [markdown]
# A third way is to store the **sum** of the keys, not their mean. **Predict:** which of the three is exact when all four keys
# of a group match the query? Which comes nearest when one matches, and the others score 0?

# %%
widgets.knob(here.weight_of_a_slot, score=(0.0, 8.0, 4.0, 0.5), matching=(1, 4, 1))

# %% claims
told = here.hand_reads()
for name, (of_group, value) in {"mean": (3, 20), "mean, count bias": (6, 20), "sum": (9, 20), "full": (10, 12)}.items():
    assert abs(told[name] - (of_group * value + 2 * 50) / (of_group + 2)) < 1e-3
one = torch.ones(1, 1)
four = join(*[here.GROUP[:1]] * 4, here.BESIDE)  # four times a slot is ln 4 on its score
once = KV(four.k[3:], four.v[3:], torch.tensor([math.log(4), 0.0]))
assert torch.allclose(attend(one, four), attend(one, once))
for score in (0, 2, 5):
    true, plain, biased, summed = here.weights(score, 4).values()
    assert abs(biased - true) < 1e-6 and plain <= biased and summed >= plain
    true, plain, biased, summed = here.weights(score, 1).values()
    assert plain < biased <= true + 1e-6
for score in (1, 2, 5):
    true, plain, biased, summed = here.weights(score, 1).values()
    assert (abs(summed - true) < abs(biased - true)) == (score >= 2)  # the nearer of the two
assert abs(summed - true) < 0.01

# %% [markdown]
# With equal keys the count bias is exact; where keys differ it is a little too quiet. The sum is right where one key
# matches clearly, and absurdly loud where all four do.
#
# ## How many pairs can be found?
#
# N random pairs go in, and each key is asked for once. The memory: 32 raw pairs and 16 slots of four, keys as sums. A query
# that matches one of the four reads their mean, whichever it was: **a slot answers one question of its four**. So of all
# pairs at best
#
# $$\frac{32+\text{slots held}+\text{pairs that wait}}{N}$$
#
# are found. **Sketch it.** And is a window with the same room, 51 pairs, better or worse?

# %%
here.predict_found()

# %% [markdown]
# It finds 48 to 51 pairs, and the window always 51. Did compression buy nothing? Look **which** pairs are found: of 511 the
# hybrid finds 51 and the window 51.

# %%
here.found_by_age()

# %% [markdown]
# **Compression makes no recall, it moves it.** The hybrid gave up some young pairs, and got a quarter of the older ones. And
# see the third line: nine times in ten the right value is **among the best four**. The slot knows that it was one of these.
# If something else can decide among four, much has been kept.
#
# *"A compressed pair is a smaller pair."* It is a pair that no longer tells itself from its neighbours.

# %% claims
sums, window = here.recalled("keys as sums"), here.recalled("window of 51")
assert max(abs(here.at_best(n) - x) for n, x in zip(here.SIZES, sums, strict=True)) < 0.02
assert all(abs(min(51 / n, 1) - x) < 0.01 for n, x in zip(here.SIZES, window, strict=True))
assert all(here.at_best(n) <= min(51 / n, 1) for n in range(32, 2000)) and here.at_best(99) == 51 / 99
plain_window, right_one, best_four = here.by_age().values()
assert all(abs(3 + sum(x) * 8 - 51) < 1.5 for x in (plain_window, right_one))  # the same area: 51 pairs
assert min(right_one[:4]) > 0.99 and max(right_one[12:]) < 0.01
assert 0.2 < sum(right_one[4:12]) / 8 < 0.3 and 0.85 < sum(best_four[4:12]) / 8 < 0.95  # 24 rows of 511 pairs

# %% [markdown]
# ## Two pasts, one state
#
# What can *never* be answered again? That in which two pasts differ, if they leave the same state. "Anna 4, Ben 7" and
# "Anna 7, Ben 4" have the same mean key and the same mean value.
#
# `Hybrid(4, 2, 2)` reads three pasts. In B bytes 0 and 1 of A have exchanged their values, and so have 2 and 3. In C something
# was taken from value 1 and added to value 0. **Predict** the step from which A and B are one for ever, and A and C.

# %%
here.two_pasts()

# %% claims
apart, whole = here.growing_alike()
assert min(apart["A and B"][:7]) > 0 and apart["A and B"][7:] == [0.0] * 13  # bit for bit
assert min(apart["A and C"][:5]) > 0 and apart["A and C"][5:] == [0.0] * 15
assert min(whole.values()) > 0.1  # the full cache still tells them apart
assert here.max_pool_is_blind()

# %% [markdown]
# From the step at which their groups are pooled the states are equal, and so is every read, whatever comes. This is
# **lossy** compression. Another pool loses other things (the largest number of each group keeps nothing of the smaller
# ones). **Which** pasts fall together is its choice; **that** some do is arithmetic.
#
# ## Several memories, read together
#
# A hybrid cache is really two memories, A and B. How do two answer one query?
#
# - **Joined**: one softmax over all their slots.
# - **Mixed**: each answers alone, and the answers are added with fixed weights, say halves.
#
# **By hand.** A's exponentials make 6 together, and it answers 15. B's make 2, and it answers 55. Mixed by halves: 35.
#
# **Your fourth line.** Joined, A has 6 of the 8. What is read?

# %% puzzle
sum_a, read_a, sum_b, read_b = 6.0, 15.0, 2.0, 55.0
# BEGIN SOLUTION
both = (sum_a * read_a + sum_b * read_b) / (sum_a + sum_b)
# END SOLUTION
# WRONG: both = (read_a + read_b) / 2
# WRONG: both = sum_a * read_a + sum_b * read_b
# WRONG: both = (sum_b * read_a + sum_a * read_b) / (sum_a + sum_b)
puzzle(lambda: both, here.JOINED)

# %% [markdown]
# So joining *is* mixing, with a weight $g$ that **each query sets itself**: $g=\sigma(\mathrm{lse}_A-\mathrm{lse}_B)$. Here lse is
# the logarithm of a memory's sum of exponentials, and $\sigma(x)=1/(1+e^{-x})$ lies between 0 and 1. **Predict:** how much
# comes from the older tiers, query by query? One of the two lines is flat.

# %%
here.from_the_older()

# %% claims
(out_a, lse_a), (out_b, lse_b) = attend(one, here.A, lse=True), attend(one, here.B, lse=True)
g = torch.sigmoid(lse_a - lse_b)[..., None]
assert abs(g.item() - 0.75) < 1e-6 and abs(attend(one, join(here.A, here.B)).item() - 25) < 1e-4
assert torch.allclose(g * out_a + (1 - g) * out_b, attend(one, join(here.A, here.B)))
assert torch.allclose(merge((out_a, lse_a), (out_b, lse_b))[0], attend(one, join(here.A, here.B)))
received = here.joined_and_mixed()
assert torch.allclose(received["joined"], view(small, q1, k1), atol=1e-6)  # a hybrid's read is the joined one
assert torch.allclose(received["mixed by halves"][:4].sum(1), torch.tensor(0.5))  # half of an empty memory is nothing
from_old = here.older_part()
assert all(abs(x - 0.5) < 1e-5 for x in from_old["mixed by halves"][4:])  # whatever the query asks
assert max(from_old["joined"]) - min(from_old["joined"][4:]) > 0.2
twice = KV(k1[:4], v1[:4], torch.tensor([0.0, 0, 0, math.log(2)]))  # a pair in both memories counts twice
assert torch.allclose(attend(q1, join(KV(k1[:4], v1[:4]), KV(k1[3:4], v1[3:4]))), attend(q1, twice), atol=1e-6)

# %% [markdown]
# Joined, the share moves with every query. Mixed by halves it stays at one half, also where the query finds nothing
# there. And as long as the older tiers are empty, half of the answer is nothing.
#
# *"So joined is always better."* A pair that stands in both memories **counts twice**; the tiers of a hybrid never share
# one. And a mixture can be *learned*: chapter 07.
#
# ## What it costs
#
# One head reads 1,024 tokens. **Predict** the three lines: everything kept, a window of 51, `Hybrid(32, 16, 4)`.

# %%
here.what_is_kept()

# %% claims
pair = 2 * 64 * 4
assert here.most_bytes(here.KEEPERS["everything"], 1024) == 1024 * pair
assert [here.most_bytes(m, n) for m in list(here.KEEPERS.values())[1:] for n in (256, 1024)] == [51 * pair] * 4

# %% [markdown]
# The hybrid's room is fixed, as the window's is. For it you get twice the past, blurred. What that is worth depends on what
# will be asked.
#
# ## Five questions to take along

# %%
ask("04", "order", "tokens", "loud", "bot", "halves")

# %% [markdown]
# ## Words of this chapter
#
# - **hybrid cache**: newest pairs raw (**local tier**), older ones compressed (**compressed tier**).
# - **rate** $c$: how many pairs become one slot. **pool**: what makes the one of them (their mean, say).
# - **staging part**: evicted pairs that wait, raw and read, until their group is whole; at most $c-1$.
# - **count bias**: $\ln c$ on the score of a slot that stands for $c$ tokens.
# - **lossy**: different pasts may leave the same state.
# - **joined, mixed**: one softmax over several memories; their separate answers, added with weights.
# - **log-sum-exp** (lse): what an answer must bring along to be joined exactly.

# %% [markdown]
# ## Deeper: three kinds of key

# %% [markdown]
# Plain mean keys find far fewer of the pooled pairs. Call the score of the right raw key the *match*. At a match of 8 other
# keys score 0, give or take 1, and the largest of 48 about 2. The mean of four scores a quarter of 8: the right slot gets 2,
# and chance gets that as easily. The count bias adds $\ln4=1.39$: better, but half of the best. At the very sharp queries of
# this curve, a match of 800, it adds 1.39 to 200: nothing.

# %%
here.three_kinds_of_key()

# %% claims
plain_keys, with_bias, as_sums = here.pooled_found().values()  # 0.25 is the best
assert plain_keys[8] < 0.05 < with_bias[8] < 0.2 < min(as_sums.values())
assert 0.05 < plain_keys[800] < 0.15 and abs(with_bias[800] - plain_keys[800]) < 0.02
made = torch.randn(24, 49, 64, generator=torch.Generator().manual_seed(1))
others = 8 * torch.nn.functional.normalize(made, dim=-1)
scores = (others[:, 1:] @ others[:, 0, :, None])[..., 0] / 8  # of 48 random keys at a match of 8
assert abs(scores.std() - 1) < 0.1 and 1.8 < scores.amax(1).mean() < 2.6

# %% [markdown]
# ## Deeper: in a trained model

# %% [markdown]
# Bits per byte of the Python model, which was trained with everything kept. Sixteen pooled slots bring part of what nineteen
# more raw pairs bring, and the count bias helps. **In the same room this model would rather have the raw pairs**, by a
# little. Keys as sums, best on random keys, are worse here than no pooled past at all. Real keys are far from orthogonal, so
# the sum of four is loud whether the query means it or not. (It is hardly because keys are turned by their places before
# they are pooled: unturned ones have little more in common.)

# %%
here.quality()

# %% claims
more = here.bits_more()  # 48 rows of 256 bytes
assert more["window of 99"] + 0.03 < more["window of 51"] + 0.005 < more["the same, count bias"]
assert more["the same, count bias"] + 0.005 < more["32 + 16 slots of 4"] < more["window of 32"] - 0.01
assert more["the same, count bias"] - more["window of 99"] > more["window of 32"] - more["the same, count bias"]
assert more["the same, keys as sums"] > more["window of 32"] + 0.01
turned, unturned = here.left_of_four_keys()
assert unturned - 0.15 < turned < unturned

# %% [markdown]
# ## Deeper: which layer?

# %% [markdown]
# `reading` takes a list too, one memory a layer. Keep the full cache in **one** layer of the answering model, hybrid caches of
# 32 + 16 in the other two, and ask 42 questions, each fact 120 bytes back. **Predict:** does it matter which?

# %%
here.which_layer()

# %% claims
layer = here.by_layer()
some = [layer[f"everything in layer {i}"] for i in range(3)]
assert max(some) == some[1] > 0.8 and sorted(some)[1] < 0.3 and layer["hybrid in all"] < 0.2
assert layer["everything in layer 1, windows of 32"] > max(0.8, some[1] - 0.1)

# %% [markdown]
# In layer 1 the fact is looked up. Where that layer keeps its pairs the model nearly always answers, at a third of the full
# cache's growth. The others do as well with windows of 32. So **be short where nothing is looked up**. Gemma 3 does this by
# design: five layers of six have a window of 1,024, the sixth a full cache (arXiv 2503.19786).

# %% [markdown]
# ## Deeper: move the border

# %% [markdown]
# *Stretch 4 of the exercise needs this part.* 48 slots: how many of them raw? Compressed ones were no help with a **needle**,
# one pair of a certain age. They help with the **gist**: one of 16 topics is shown for 512 steps under strong noise, so that
# only the mean of many pairs tells it. Guessing is right in .06. **Sketch** the share of right topics as the raw part grows
# from 1 to 48 pairs, the rest being slots of four with a count bias.

# %%
here.predict_topics()

# %%
widgets.knob(here.move_the_border, raw=(1, 48, 32), rate=[4, 2, 8], keys=list(here.KEYS))

# %% claims
for raw, (topic, later) in here.topics().items():  # 128 trials each
    before, behind = here.foretold(here.split(raw, 4, "mean keys, count bias"))
    assert abs(before - topic) < 0.08 and abs(behind - later) < 0.12  # measured and foretold
few, mixed = ({keys: list(here.trade(raw, 4, keys).values()) for keys in here.KEYS} for raw in (4, 40))
many = list(here.trade(48, 4, "mean keys").values())  # near, far and farther needle, gist, drift
bias, sums_kept = "mean keys, count bias", "keys as sums"
assert many[0] > 0.98 and many[1] == many[2] == 0 and abs(many[3] - 0.5) < 0.05
assert max(few[bias][:3]) < 0.2 < min(few[sums_kept][:3]) and max(few[sums_kept][:3]) < 0.35
assert mixed[sums_kept][3] < many[3] - 0.08 < many[3] + 0.1 < mixed[bias][3] < few[bias][3] - 0.2
assert all(told[3] > 0.85 and told[4] < 0.22 for told in few.values())  # the topic, and the old one

# %% [markdown]
# With mean keys and count bias, from 48 raw pairs to 4: the topic rises from .50 to .92, and the needle 20 pairs back falls
# from sure to less than one in five. With keys as sums all three needles end at one in four, but the topic first *falls*, to
# .39 at 40 raw pairs: eight loud slots drown them. And a longer past holds on to the **old** topic after a switch. No setting
# is best at all five.

# %% [markdown]
# ## Deeper: the time of a step

# %% [markdown]
# Up to twice the window's: a hybrid's read copies both tiers into one piece, and every fourth step makes a mean.

# %%
here.time_of_a_step()

# %% [markdown]
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 04`, then open `my/04_hybrid.ipynb`.
