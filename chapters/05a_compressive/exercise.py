# %% [markdown]
# # Exercise 05a · Queues of your own
#
# Three core tasks (about 19 minutes), five stretch tasks and a bonus.
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.

# %%
import math

import torch

from memlib import KV, Compressive, MeanPool, attend, join, recipe, states, tasks, view
from memlib.course import grade_button, inputs, look, number, report

# %% [markdown]
# ## Core 1 · Both queues by hand (2 points, 7 minutes)
#
# Segments of 3 tokens, a Mem of 6 pairs, a CMem of 2 slots, rate 3. The first segment is tokens 0 to 2.
# A worked example: after segment 2, Mem holds `[0, 1, 2, 3, 4, 5]` and CMem nothing, `[]`.
#
# Write both queues after segment 3 and after segment 5, oldest first: Mem as a list of tokens, CMem as a list of slots,
# each the list of tokens that it stands for, such as `[[70, 71], [72, 73]]`. And `gone`: with the entry of which segment
# (the first is number 1) does the first token leave CMem, and with it the memory?
#
# <details><summary>Hint 1</summary>From segment 3 on every segment pushes tokens out of Mem: three of them, one slot.</details>
# <details><summary>Hint 2</summary>After segment 5, fifteen tokens have been read; Mem has the newest six. Which have been popped?</details>
# <details><summary>Hint 3</summary>Tokens 0 to 8 were popped: three slots. CMem keeps its newest two.</details>

# %% task="by_hand" points=2 kind="hand" minutes=7
# BEGIN SOLUTION
mem_3 = [3, 4, 5, 6, 7, 8]
cmem_3 = [[0, 1, 2]]
mem_5 = [9, 10, 11, 12, 13, 14]
cmem_5 = [[3, 4, 5], [6, 7, 8]]
gone = 5
# END SOLUTION

# %% check="by_hand"
# NEXT: Every token read is in Mem, in CMem or gone: list the popped ones, in groups, and keep CMem's newest.
# WHY mem_3 == [0, 1, 2, 3, 4, 5]: That is Mem before segment 3 has come in.
# WHY cmem_3 == []: Segment 3 pushes three tokens out of Mem. They do not vanish.
# WHY cmem_5 == [[0, 1, 2], [3, 4, 5]]: CMem keeps its newest slots. Which one must go?
# WHY cmem_5 == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]: CMem has two places.
# WHY gone == 3: Then the first token leaves Mem, but it is still pooled in CMem.
# WHY gone == 4: Then CMem becomes full. A slot leaves it when one more comes.
report("Mem after segment 3", mem_3, axes=("place",), digits=0, sealed=True)
report("CMem after segment 3", cmem_3, axes=("slot", "place"), digits=0, sealed=True)
report("Mem after segment 5", mem_5, axes=("place",), digits=0, sealed=True)
report("CMem after segment 5", cmem_5, axes=("slot", "place"), digits=0, sealed=True)
report("the first token leaves at segment", gone, digits=0, sealed=True)

# %% [markdown]
# ## Core 2 · One segment in order (2 points, 4 minutes)
#
# Four of these five events happen when a segment goes through a Compressive Transformer. Write their letters in their
# order, as one word such as `"abcd"`, and the letter of the event that does not happen.
#
# - **a** $f_c$ makes one pair of every $c$ that have been popped.
# - **b** The queries read both queues and, causally, their own segment.
# - **c** CMem takes the new slots and drops its oldest.
# - **d** The segment's pairs enter Mem, and Mem's oldest are popped.
# - **e** The segment's pairs are pooled, so that CMem knows them too.
#
# And `source`: where does the input of CMem come from? **p** from what attention gave out, **r** from the segment that
# has just been read, **s** from what Mem pops, **u** from CMem's own oldest slots.
#
# <details><summary>Hint 1</summary>Attention first: which event uses the queues as they were before?</details>
# <details><summary>Hint 2</summary>f_c can only pool what has been popped; CMem can only take what has been pooled.</details>
# <details><summary>Hint 3</summary>No token is raw in Mem and pooled in CMem at once: which of the five would make it so?</details>

# %% task="order" points=2 kind="order" minutes=4
# BEGIN SOLUTION
order = "bdac"
never = "e"
source = "s"
# END SOLUTION

# %% check="order"
# NEXT: Follow one pair: it is read raw, it waits in Mem, it is popped, pooled, and stands in CMem.
# WHY order == "dbac": The queries read the queues as they were, before anything moves.
# WHY order == "bdca": CMem can only take what has been pooled.
# WHY never == "a": CMem holds slots, so somebody must make one pair of several.
# WHY source == "r": The segment that has just been read goes raw into Mem.
# WHY source in ("p", "u"): Follow one pair: through which queue does it go before it is pooled?
report("order", order, sealed=True)
report("does not happen", never, sealed=True)
report("where CMem's input comes from", source, sealed=True)

# %% [markdown]
# ## Core 3 · How many compressed pairs? (2 points, 8 minutes)
#
# `pops` lists how many pairs Mem pops at each update, `[50, 50]` for two updates of 50. Write `counted(pops, rate, rule)`:
# a tuple `(slots, waiting, lost)` after all of them: slots made in all, pairs that wait for their group at the end, pairs
# lost in all. The rules:
#
# - `"wait"`: whole groups are pooled; the rest waits and is counted with what is popped next (the library);
# - `"floor"`: each update rounds down, its rest is lost (the paper);
# - `"ceil"`: each update rounds up: its last slot may stand for fewer pairs; nothing waits, nothing is lost.
#
# 120 popped at rate 4 are `(30, 0, 0)` by every rule. 50 at rate 4: `(12, 2, 0)`, `(12, 0, 2)`, `(13, 0, 0)`. For
# `[50, 50]` you know what waits after the first update.
#
# <details><summary>Hint 1</summary><code>//</code> gives whole groups, <code>%</code> the rest.</details>
# <details><summary>Hint 2</summary>With "wait" only the sum of all pops matters. With the other two, each update counts for itself.</details>
# <details><summary>Hint 3</summary>Rounding up without floats: <code>-(-n // rate)</code>.</details>


# %% task="counted" points=2 kind="write" minutes=8 hides=["Compressive"]
def counted(pops, rate, rule):
    # BEGIN SOLUTION
    if rule == "wait":
        return sum(pops) // rate, sum(pops) % rate, 0
    if rule == "floor":
        return sum(n // rate for n in pops), 0, sum(n % rate for n in pops)
    return sum(-(-n // rate) for n in pops), 0, 0
    # END SOLUTION


# %% check="counted"
# NEXT: Take [50, 50] at rate 4 by hand: 2 wait, 2 + 50 = 52. Then the same with each update rounded for itself.
rate, first, then = number(3, 7, name="rate"), number(20, 60, name="first"), number(5, 90, name="then")
for rule in ("wait", "floor", "ceil"):
    report(f"{rule}, 120 at rate 4", counted([120], 4, rule), axes=("part",), digits=0)
    report(f"{rule}, 50 and 50 at rate 4", counted([50, 50], 4, rule), axes=("part",), digits=0)
    report(f"{rule}, other numbers", counted([first, then, 7], rate, rule), axes=("part",), digits=0)
    report(f"{rule}, next to nothing", counted([0, 1, 1], rate, rule), axes=("part",), digits=0)
    report(f"{rule}, rate 1", counted([first, then], 1, rule), axes=("part",), digits=0)

# %% [markdown]
# ## Stretch 1 · A third queue (3 points, 14 minutes)
#
# What CMem drops is gone. `Ladder` pools it once more: what Mem pops goes, `rate` to one, into the queue **fine**; what
# fine drops goes, `rate` to one, into the queue **coarse**, so that a coarse slot stands for `rate * rate` tokens; what
# coarse drops is gone. Write `update`. The state is a tuple of three KVs, (coarse, fine, Mem). The sizes are such that
# everything divides: `local` is a multiple of `rate * rate`, `fine` of `rate`, and a segment has `local` tokens.
# `MeanPool()(pairs, rate)` pools a KV of a multiple of `rate` pairs, and takes an empty one too.
#
# A worked example, `Ladder(local=4, fine=4, coarse=1, rate=2)` after four segments (tokens 0 to 15): Mem holds 12 to 15, fine the
# slots 4-5, 6-7, 8-9, 10-11, and coarse one slot of 0 to 3.
#
# <details><summary>Hint 1</summary>A KV is cut like a list: <code>both[: -n]</code> is all but the newest n, <code>both[-n :]</code> the newest n.</details>
# <details><summary>Hint 2</summary>The same three moves twice: join, cut in two, pool the older part. The second time with fine.</details>
# <details><summary>Hint 3</summary>What leaves the fine slots is to the coarse ones what <code>popped</code> is to the fine ones.</details>


# %% task="ladder" points=3 kind="write" minutes=14 hides=["Compressive", "Hybrid"]
class Ladder:
    def __init__(self, local, fine, coarse, rate):
        self.local, self.fine, self.coarse, self.rate = local, fine, coarse, rate
        self.segment = local

    def init(self, like):
        return like.empty(), like.empty(), like.empty()

    def update(self, mem, new, q=None):
        coarse, fine, local = mem
        # BEGIN SOLUTION
        local = join(local, new)
        popped, local = local[: -self.local], local[-self.local :]
        fine = join(fine, MeanPool()(popped, self.rate))
        dropped, fine = fine[: -self.fine], fine[-self.fine :]
        coarse = join(coarse, MeanPool()(dropped, self.rate))[-self.coarse :]
        return coarse, fine, local
        # END SOLUTION

    def slots(self, mem):
        return join(*mem)

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# %% check="ladder"
# NEXT: Follow tokens 0 and 1: raw in Mem, together in a fine slot, with 2 and 3 in a coarse slot, gone.
mine, k = Ladder(4, 2 * number(1, 2, name="fine"), number(1, 2, name="coarse"), 2), inputs(24, 2, name="k")
wide, other = Ladder(9, 3, 2, 3), inputs(54, 2, name="other")
dyed = KV(k, torch.eye(24))
held = [[part.v for part in mem] for mem in states(mine, dyed)]
for t in (2, 5):
    for name, part in zip(("coarse", "fine", "Mem"), held[t], strict=True):
        report(f"{name} after segment {t + 1}", part, axes=("slot", "token"))
report("keys after segment 6", mine.slots(states(mine, dyed)[-1]).k, axes=("slot", "number"), digits=4)
report("keys with rate 3", wide.slots(states(wide, KV(other, other))[-1]).k, axes=("slot", "number"), digits=4)

# %% [markdown]
# ## Stretch 2 · Find the bugs (3 points, 10 minutes)
#
# This memory runs, its slots look sensible at first, and a model that is tested with it does better than with a full
# cache. Three things are wrong: one in `read`, two in `update`, one of which shows only where the rate does not divide.
# Mend the lines. The state is (CMem, raw), where raw is what waits for its group and, behind it, Mem.
#
# <details><summary>Hint 1</summary>Look at <code>view(Queues(2, 2, 2), torch.zeros(6, 1), torch.zeros(6, 1))</code> right of the diagonal.</details>
# <details><summary>Hint 2</summary>After many segments: which tokens are in CMem? And with local 5, rate 3: where are the two that no group took?</details>
# <details><summary>Hint 3</summary>Which state do the queries of a segment read? Where do the whole groups end in <code>raw</code>? And which end of a queue is its newest?</details>


# %% task="bug" points=3 kind="bug" minutes=10 hides=["Compressive", "Hybrid"]
class Queues:
    def __init__(self, local, compressed, rate):
        self.local, self.compressed, self.rate = local, compressed, rate
        self.segment = local

    def init(self, like):
        return like.empty(), like.empty()

    def read(self, mem, q, new=None, lse=False):
        # BEGIN SOLUTION
        return attend(q, self.slots(mem), lse, new)
        # GIVEN
        # return attend(q, self.slots(self.update(mem, new)), lse)
        # END SOLUTION

    def update(self, mem, new, q=None):
        cmem, raw = mem[0], join(mem[1], new)
        popped = max(raw.n - self.local, 0)
        # BEGIN SOLUTION
        whole = popped // self.rate * self.rate
        made = MeanPool()(raw[:whole], self.rate)
        return join(cmem, made)[-self.compressed :], raw[whole:]
        # GIVEN
        # whole = popped // self.rate * self.rate
        # made = MeanPool()(raw[:whole], self.rate)
        # return join(cmem, made)[: self.compressed], raw[popped:]
        # END SOLUTION

    def slots(self, mem):
        return join(*mem)


# %% check="bug"
# NEXT: Write down where each token is after segment 3: in CMem, waiting, in Mem, or nowhere. Then what query 0 can see.
local = number(4, 5, name="local")  # which 3 does not divide
mine, k, q = Queues(local, 3, 3), inputs(5 * local, 2, name="k"), inputs(5 * local, 2, name="q")
report("recipe", recipe(mine, k), axes=("step", "slot", "token"))
report("what equal scores give", view(mine, 0 * q, k)[local : 2 * local], axes=("query", "token"), digits=5)
report("what the last query receives", view(mine, q, k)[-1], axes=("token",))

# %% [markdown]
# ## Stretch 3 · The smallest rate that reaches (2 points, 6 minutes)
#
# `layers` layers without convolution, a Mem of `local` pairs, a CMem of `compressed` slots. Write `least_rate(distance,
# layers, local, compressed)`: the smallest whole rate (at least 1) with which the memory, by the lesson's formula, reaches
# `distance` tokens before the segment; `math.inf` where no rate is enough. Example: `least_rate(48, 3, 8, 4)` is 2, and `least_rate(49, 3, 8, 4)` is 3.
#
# <details><summary>Hint 1</summary>The reach is layers times (local plus rate times compressed).</details>
# <details><summary>Hint 2</summary>Where Mem alone is enough the answer is 1. When is no rate enough?</details>
# <details><summary>Hint 3</summary>What do the raw pairs of all layers reach? What is missing beyond that must come from the slots of all layers.</details>


# %% task="least_rate" points=2 kind="write" minutes=6
def least_rate(distance, layers, local, compressed):
    # BEGIN SOLUTION
    missing = distance - layers * local
    if missing <= 0:
        return 1
    return -(-missing // (layers * compressed)) if compressed else math.inf
    # END SOLUTION


# %% check="least_rate"
# NEXT: Try a distance that Mem alone reaches, one that rate 1 just reaches, and one more: there the rate goes up.
layers, local, compressed = number(2, 4, name="layers"), number(5, 9, name="local"), number(2, 4, name="slots")
far = [*range(1, layers * (local + compressed) + 3), *range(90, 140)]
report("rates", {f"distance {d}": least_rate(d, layers, local, compressed) for d in far}, digits=0)
report("no CMem, near", least_rate(layers * local, layers, local, 0), digits=0)
report("no CMem, far", least_rate(layers * local + 1, layers, local, 0), digits=0)

# %% [markdown]
# ## Stretch 4 · How hard? (2 points, 7 minutes)
#
# 16 raw pairs and 16 slots. The rates on offer are 1, 2, 4, 8 and 16. Four streams ask:
#
# - **codes**: any of the newest 32 pairs, exactly;
# - **orders**: pairs that are 32 to 47 tokens old, exactly, as often as can be;
# - **topic**: what a very noisy topic is, that has not changed for 350 steps;
# - **meeting**: what the topic is, 80 to 95 steps after it changed.
#
# Choose a rate for each. The check measures the share of right answers (the two topics with the count bias); what it must
# reach can be reached by **one** of the five.
#
# <details><summary>Hint 1</summary>16 + 16 c tokens are in the memory. Which rates reach what is asked for?</details>
# <details><summary>Hint 2</summary>Of a slot one token in c is found at best: of the rates that reach, the smallest.</details>
# <details><summary>Hint 3</summary>A topic wants the longest average that holds nothing of the topic before. The change, and step 80 after it, fall on the border of a segment: compare 16 + 16 c with 80.</details>

# %% task="choose" points=2 kind="choose" minutes=7 parts=["codes", "orders", "topic", "meeting"]
# BEGIN SOLUTION
codes = 1
orders = 2
topic = 16
meeting = 4
# END SOLUTION

# %% check="choose"
# NEXT: Measure all five rates for the stream that is not reached: which one is best, and how old is what it holds?
# WHY codes in (2, 4, 8, 16): Of a slot of several tokens one is found exactly, at best.
# WHY orders == 1: At rate 1 the memory holds 32 tokens. These pairs are older.
# WHY orders in (4, 8, 16): That reaches far enough, but a smaller rate does too, and finds more.
# WHY topic in (1, 2, 4, 8): A longer average would have less noise, and the topic has not changed for long.
# WHY meeting in (8, 16): That average still holds something of the topic before.
# WHY meeting in (1, 2): A longer average that still begins after the change would have less noise.
if any(choice is ... for choice in (codes, orders, topic, meeting)):
    raise NotImplementedError("one of the four rates is not chosen yet")
seed = number(1, 9999, name="seed")


def exactly(rate, ages):
    """The share of needles of these ages that are found."""
    draw = torch.Generator().manual_seed(seed)
    keys, values = (torch.nn.functional.normalize(torch.randn(64, 96, 64, generator=draw), dim=-1) for _ in "kv")
    memory = Compressive(16, 16, int(rate))
    read = memory.read(states(memory, KV(8 * keys, values))[-1], 800 * keys)
    right = (read @ values.mT).argmax(-1) == torch.arange(96)
    return float(right.double().mean(0).flip(0)[ages].mean())


def about(rate, noise, steps):
    """The share of trials in which the topic is read, over the last 32 or 16 of 384 steps."""
    memory, after = Compressive(16, 16, int(rate), count_bias=True), 0 if steps == 32 else 96
    right = tasks.gist_and_drift(memory, steady=384 - after, after=after, noise=noise, seed=seed)
    return float(right[-steps:].mean())


for name, rate, share, enough in (
    ("codes", codes, exactly(codes, slice(0, 32)), 0.95),
    ("orders", orders, exactly(orders, slice(32, 48)), 0.35),
    ("topic", topic, about(topic, 4.0, steps=32), 0.94),
    ("meeting", meeting, about(meeting, 3.0, steps=16), 0.83),
):
    report(f"{name}, a rate on offer", int(rate) in (1, 2, 4, 8, 16))
    report(f"{name}, share reached", share, least=enough)

# %% [markdown]
# ## Stretch 5 · Explain a curve (1 point, 4 minutes)
#
# In the lesson 16 raw pairs and 16 slots found .125 of 256 needles at rate 1, .126 at rate 2, .10 at rate 4 and .06 at rate 16.
# Which sentence explains **that** measurement? Write its letter.
#
# - **a** At a higher rate fewer of the 16 slots are in use, since each needs more tokens.
# - **b** A slot answers, on average, for one of its tokens at most, and the mean of many keys is found less and less often.
# - **c** At a higher rate fewer of the 256 needles are reached.
# - **d** A slot of c tokens gets a c-th of its due weight; with the count bias the share would grow with the rate.
#
# <details><summary>Hint 1</summary>Multiply the shares by 256: how many needles are found? How many are raw?</details>
# <details><summary>Hint 2</summary>256 tokens at rate 8 fill 16 slots with ease; and what does a higher rate do to the reach?</details>
# <details><summary>Hint 3</summary>Run <code>tasks.recall(Compressive(16, 16, 4, count_bias=True), 256)</code>.</details>

# %% task="explain" points=1 kind="explain" minutes=4
# BEGIN SOLUTION
letter = "b"
# END SOLUTION

# %% check="explain"
# NEXT: Put numbers to each sentence: slots in use, tokens reached, needles found, and the share with the count bias.
# WHY letter == "a": 16 slots of 8 tokens need 128, and there were 256. So the slots were in use at rate 8 as well.
# WHY letter == "c": The reach is 16 + 16 c: it grows with the rate.
# WHY letter == "d": Run it with the count bias: does the share grow with the rate?
report("letter", letter, sealed=True)

# %% [markdown]
# ## Bonus · A budget of 32 pairs (2 points on top, open end)
#
# A meeting assistant may keep **32 pairs** at any time, waiting ones included (its open segment is not counted). It must find
# **.95** of the newest 12 pairs, name a noisy topic that has been on for 200 steps in **.9** of the cases, and 64 to 95
# steps after a change of topic name the new one in **.55** of them. Write `memory`: a `Compressive`, or one of your own with
# `segment`. Transformer-XL, `Compressive(32, 0, 1)`, names the steady topic in .7 of the cases. The topics are the same each
# time, so that a narrow answer does not pass once and fail then. How far do you get?
#
# <details><summary>Hint</summary>Rates between the powers of two are allowed. Mind what waits where the rate does not divide, and how a slot of many tokens is weighed.</details>

# %% task="design" points=2 kind="design" minutes=12 bonus=true
# BEGIN SOLUTION
memory = Compressive(12, 12, 8, count_bias=True)
# END SOLUTION

# %% check="design"
# NEXT: Print the three shares and the most pairs ever kept: which of the four is missed, and which knob moves it?
seed = number(1, 9999, name="seed")
line = KV(torch.zeros(300, 4), torch.zeros(300, 4))
draw = torch.Generator().manual_seed(seed)
keys, values = (torch.nn.functional.normalize(torch.randn(64, 144, 64, generator=draw), dim=-1) for _ in "kv")
read = memory.read(states(memory, KV(8 * keys, values))[-1], 800 * keys[:, -12:])
found = ((read @ values.mT).argmax(-1) == torch.arange(132, 144)).double().mean()
steps = tasks.gist_and_drift(memory, steady=224, after=96, trials=512, seed=2)
report("keeps at most 32 pairs", max(memory.slots(mem).n for mem in states(memory, line)) <= 32)
report("finds .95 of the newest 12", float(found) >= 0.95)
report("steady topic, .9", float(steps[160:224].mean()) >= 0.9)
report("after a change, .55", float(steps[288:320].mean()) >= 0.55)

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("05a_compressive")
