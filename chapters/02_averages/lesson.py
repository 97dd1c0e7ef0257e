# %% [markdown]
# # 02 · Blur many pairs into one
#
# **After this chapter you can** work out by hand what four kinds of average hold, also while they fill; say for
# each what is *read* and what must be *kept* to go on; keep a running average exact over a million tokens; choose
# how long to average when the topic may change; and tell when two summary vectors do the work of 256 raw pairs
# and when they cannot.
#
# **Time:** 80 minutes for the lesson and 60 for the exercise: two sittings. **You need:** chapters 00 and 01
# (attention as a weighted average; a window; recipe and view). Gradient descent and an integral are named once each: take
# them on trust, their results are checked. No GPU.
#
# Below, `model` is the Python model and `answers` the answering model of chapter 01. Neither was trained with an
# average: where that matters, the text says so.

# %%
import time
from inspect import getsource

import numpy as np
import torch

from memlib import KV, CumulativeAverage, ExponentialAverage, Full, MovingAverage, WeightedAverage, Window
from memlib import attend, attend_all, check, join, outputs, recipe, state_bytes, states, view
from memlib import draw, lm, tasks, widgets
from memlib import Positive
from memlib.lm import data

model, answers = lm.load("stdlib"), lm.load("facts")
text = "mean = total / count"
tokens = list(text)
q, k, v = tasks.heads(model, text, layer=1, head=2)  # real queries, keys and values: one each a byte
kv, memory = KV(k, v), MovingAverage(4)
print(f"{len(tokens)} bytes of text, keys and values of width {k.shape[-1]}")

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "Window(4) has read tokens 0 to 9. Which tokens does it hold?",
        ["5 to 8", "6 to 9", "0 to 3"],
        1,
        "The newest four, the current one included: 6, 7, 8, 9.",
    ),
    widgets.quiz(
        "What is the difference between the recipe and the view?",
        [
            "the recipe says what a slot holds, the view what a query receives",
            "the recipe is of keys, the view of values",
            "none: they are the same matrix",
        ],
        0,
        "For a window the recipe has a single 1 in each row. Today both will have rows of small weights, and for the "
        "first time one slot holds many tokens.",
    ),
    widgets.quiz(
        "A cache of 4,000 pairs is replaced by a window of 256. The bytes of the state...",
        ["stay as they are after 256 tokens, whatever comes", "still grow, but more slowly", "are halved"],
        0,
        "256 pairs, for good. The averages of this chapter go further: one pair is read, and some keep only one.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# The same fact, the same talk, the same question. Now every layer reads ONE pair: the mean of its newest pairs. With a
# size of 400 nothing has left: every byte of the fact is in the mean. **Predict** what the model says. Then look for a
# size at which it knows the code.

# %%
widgets.one_fact(MovingAverage(400), answers)

# %% tags=["film"]
fact = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
stream = lm.stream(150, seed=1, own=fact)
blurred = tasks.one_fact(CumulativeAverage(), model=answers, stream=stream)
n, span = len(blurred.text), blurred.fact_span
assert torch.allclose(blurred.recipe_dye[:, -1], torch.tensor(1 / n)) and 0.003 < 1 / n < 0.005  # 1/n of each byte
assert torch.allclose(blurred.view_dye[:, -1], torch.tensor((span[1] - span[0]) / n), atol=1e-4)
assert span[1] - span[0] == 22 and 0.08 < 22 / n < 0.085  # and of the whole fact
assert not blurred.right and blurred.p < 0.01
assert not any(tasks.one_fact(MovingAverage(m), model=answers, stream=stream).right for m in (1, 8, 64))
display(
    draw.dye(
        blurred.recipe_dye,
        blurred.view_dye,
        blurred.text,
        span,
        after=blurred.said,
        title=f"All {n} bytes are in the average, 1/{n} of each",
    )
)
ways = {
    "moving, 64": MovingAverage(64),
    "cumulative": CumulativeAverage(),
    "exponential, rate 0.02": ExponentialAverage(0.02),
}
share = {
    name: [slot[0, span[0] : span[1]].sum().item() for slot in recipe(m, torch.zeros(n, 1))] for name, m in ways.items()
}
assert share["moving, 64"][-1] == 0 < share["exponential, rate 0.02"][-1] < share["cumulative"][-1]
draw.curves(
    {name: (list(range(n)), part) for name, part in share.items()},
    x="bytes read",
    y="share of the slot",
    title="How much of the one slot is the fact: three ways to lose it",
)

# %% [markdown]
# The window of chapter 01 had all of the fact or nothing. This average never quite loses it: of every byte of the fact
# $1/n$ is left (0.4 % at the end; of its 22 bytes together 8 %), and every query receives just that, whether it asks for
# the fact or not. Nothing is quite forgotten, and nothing can be found: no size knows the code. (The picture strikes the fact out below half a
# percent. A size of one is the newest byte alone.) Under the film three averages you will meet: one drops the fact for
# good, one only dilutes it, one lets it fade.
#
# *"It would work if the model had been trained with it."* In part: a trained model might write every digit and its place
# into numbers of their own, and one code could be held in a mean. But the read stays one and the same for all queries.
# Look at the memory alone, with no model: N random pairs go in, every key is asked once. One slot gives one answer to all
# N questions, so at most one of them can be right. Predict the curve for an average before you run the cell; a window of
# 32 stands beside it.

# %%
pairs = [4, 8, 16, 32, 64, 128, 256]
mean_right, window_right = ([tasks.recall(m, n) for n in pairs] for m in (CumulativeAverage(), Window(32)))
for n, mean, raw in zip(pairs, mean_right, window_right, strict=True):
    assert abs(mean - 1 / n) < 1e-6 and abs(raw - tasks.recall_expected(32, n)) < 0.02
draw.curves(
    {"one average: 1/N": (pairs, mean_right), "window of 32: 32/N": (pairs, window_right)},
    x="pairs stored (N)",
    y="right answers",
    log_x=True,
    title="Every stored pair is asked for once",
)

# %% [markdown]
# ## Many pairs become one
#
# Averages are no memory for single facts. What they are good for comes below. First, how they work. **Predict:** a
# moving average of **four** reads the text. After byte 1 (the `e` of `mean`) two pairs have been seen. How much of byte
# 0 is in the slot?

# %%
widgets.quiz(
    "Moving average of four, two bytes read: the weight of byte 0?",
    ["1/4: it is an average of four", "1/2: it is the mean of the two there are", "1: the first byte is taken whole"],
    1,
    "While it fills, the divisor is the number of pairs there are. A divisor of four would mix in two pairs of zeros "
    "that nobody has read, and make what is read too small.",
)

# %% tags=["film"]
held = states(memory, kv)  # real keys and values: the slot of step 6 is the mean of bytes 3 to 6
assert torch.allclose(memory.slots(held[6]).v[0], v[3:7].mean(0), atol=1e-6)
assert torch.allclose(memory.slots(held[6]).k[0], k[3:7].mean(0), atol=1e-6)  # keys are averaged like values
assert torch.equal(recipe(memory, k)[1][0, :2], torch.tensor([0.5, 0.5]))
events = ["step 0: one pair, whole"]
events += [f"step {t}: {min(4, t + 1)} pairs in the mean, each 1/{min(4, t + 1)}" for t in range(1, len(tokens))]
display(draw.film(recipe(memory, k), tokens, views=view(memory, q, k), events=events, title="A moving average of 4"))
fading = ExponentialAverage(0.25)
assert all(torch.equal(view(m, q, k)[t], recipe(m, k)[t][0]) for m in (memory, fading) for t in range(len(tokens)))
assert recipe(fading, k)[-1][0, 0] > 0.004  # the first byte, 19 steps later: little, but something
draw.film(
    recipe(fading, k), tokens, views=view(fading, q, k), title="An exponential average, rate 0.25: nothing leaves"
)

# %% [markdown]
# One box: one slot; within it each token's share. The lower panel, what the query receives, shows the very same shares
# at every step: with one slot **recipe and view are equal**, which they were not for a window. In the first film a byte
# leaves at one stroke, in the second it only fades.
#
# ## The four formulas
#
# Write $x_t$ for the pair $(k_t,v_t)$; keys and values are averaged alike, into a **summary vector** each.
#
# | average | the slot after token $t$ | weight of each token |
# |---|---|---|
# | moving | $\frac1m\sum$ of the newest $m=\min(n,t+1)$ pairs | equal, then 0 |
# | weighted | $\sum_{i<m}\beta_{n-i}\,x_{t-i}\big/\sum_{i<m}\beta_{n-i}$ | as you choose; $\beta_n$ is the current one's |
# | cumulative | $\frac1{t+1}(x_0+\dots+x_t)$ | equal for all, smaller and smaller |
# | exponential | $(1-g)\,\mathrm{Mem}_{t-1}+g\,x_t$, begun with $x_0$ | $(1-g)$ times less a step |
#
# **By hand.** Values 8, 4, 6, 2 (keys do not matter, see below). *Moving, n = 2:* 8, then (8+4)/2 = 6, then
# (4+6)/2 = 5, then 4. *Weighted, β = (1, 3):* 8 alone is 3·8/3 = 8, then (1·8+3·4)/4 = 5, then (1·4+3·6)/4 = 5.5, then
# 3. *Cumulative:* 8, 12/2 = 6, 18/3 = 6, 20/4 = 5. *Exponential, g = ½:* 8, then ½·8+½·4 = 6, then ½·6+½·6 = 6,
# then 4.
#
# The cell proves it, and its knob shows the weights after all twenty bytes of the text: set how many pairs the moving
# average takes; the exponential one follows with the rate that matches, $g=2/(n+1)$.

# %%
hand = KV(torch.randn(4, 1), torch.tensor([[8.0], [4.0], [6.0], [2.0]]))
wanted = {
    MovingAverage(2): [8, 6, 5, 4],
    WeightedAverage([1.0, 3.0]): [8, 5, 5.5, 3],
    CumulativeAverage(): [8, 6, 6, 5],
    ExponentialAverage(0.5): [8, 6, 6, 4],
}
for average, values in wanted.items():
    assert torch.allclose(outputs(average, torch.ones(4, 1), hand)[:, 0], torch.tensor(values).float())


def weights(memory, tokens=20):
    """The recipe after so many tokens: one row, oldest first."""
    return recipe(memory, torch.zeros(tokens, 1, dtype=torch.float64))[-1][0]


age = torch.arange(399, -1, -1).double()
for size in (4, 16, 32):
    moving, fading = weights(MovingAverage(size), 400), weights(ExponentialAverage(2 / (size + 1)), 400)
    assert abs((moving * age).sum() - (size - 1) / 2) < 1e-6 and abs((fading * age).sum() - (size - 1) / 2) < 1e-3
    assert abs(moving.square().sum() - 1 / size) < 1e-9 and abs(fading.square().sum() - 1 / size) < 1e-6
    assert moving[:-size].sum() == 0 and 0.12 < fading[:-size].sum() < 0.14  # the tail
assert 0.63 < weights(ExponentialAverage(0.02), 400)[-50:].sum() < 0.64
assert weights(ExponentialAverage(2 / 21)).argmax() == 0 and weights(ExponentialAverage(2 / 7)).argmax() == 19
back = list(range(20))
widgets.knob(
    lambda pairs: draw.curves(
        {
            f"moving, {pairs} pairs": (back, weights(MovingAverage(pairs)).flip(0)),
            f"exponential, rate {2 / (pairs + 1):.2f}": (back, weights(ExponentialAverage(2 / (pairs + 1))).flip(0)),
            "cumulative": (back, weights(CumulativeAverage()).flip(0)),
        },
        x="tokens back",
        y="weight in the slot",
        title="What one slot holds after 20 tokens",
    ),
    pairs=(1, 20, 6),
)

# %% [markdown]
# In which sense do they match? After many tokens both are of the same mean **age**, $(n-1)/2$ tokens, and both quiet noise
# equally well (the sum of the squared weights is $1/n$). Where they differ: the moving average forgets a token at one
# stroke, the exponential one keeps 13 % of its weight beyond the newest $n$. After twenty tokens and at 20 pairs they do
# not match yet: the first pair, which the exponential one took whole, still weighs more than any other. People also say
# "a rate of $g$ averages about $1/g$ pairs": after many tokens those newest $1/g$ pairs hold 63 % of the weight.
#
# ## The code, and yours
#
# Chapter 01's window with **one line more**: `slots` gives the mean of what is kept. `check` walks yours and the
# library's over the same tokens and names the first difference. Under it the classic slip, a divisor that does not
# wait: change your own class into it, or forget to cut the state in `update`.


# %%
class Mine:
    def __init__(self, size):
        self.size = size

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new)[-self.size :]

    def slots(self, mem):
        return KV(mem.k.mean(-2, keepdim=True), mem.v.mean(-2, keepdim=True)) if mem.n else mem  # the new line

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


class TooEarly(Mine):  # the same with a divisor that does not wait
    def slots(self, mem):
        return KV(mem.k.sum(-2, keepdim=True) / self.size, mem.v.sum(-2, keepdim=True) / self.size)


print("yours:", check(Mine(4), MovingAverage(4)))
print("divided by 4 from the first token on:", check(TooEarly(4), MovingAverage(4)))
widgets.player(Mine(4), k, q, tokens)

# %% [markdown]
# ## One slot: the key is dead weight
#
# Softmax over one score is 1, whatever the score. So **every query reads the same value**, and the key of an average
# might be anything. It begins to matter when a second slot stands beside it, as it will in chapter 04.
#
# *Misconception: "the average of a text knows what was said."* A plain mean does not even know the order: 4711 and
# 1174 have the same digits, so the same mean. (In the real model the values carry some order of their own: its
# convolution mixes three neighbours in.)

# %%
slot = memory.slots(held[-1])
assert torch.equal(attend(100 * q, slot), slot.v.expand(len(q), -1))  # any query: the same value
assert torch.equal(attend(q, KV(-7 * slot.k + 3, slot.v)), attend(q, slot))  # any key: the same value
two = join(slot, CumulativeAverage().slots(states(CumulativeAverage(), kv)[-1]))  # two slots: now queries choose
other = KV(torch.cat([-7 * two.k[:1] + 3, two.k[1:]]), two.v)
print(f"one slot, another key: the read moves by 0; two slots: by {(attend(q, other) - attend(q, two)).norm():.2f}")
assert not torch.allclose(attend(q, other), attend(q, two), atol=1e-2)


def spelled(word):
    """The mean of the digits, each a one-hot vector."""
    digits = torch.eye(10)[[int(digit) for digit in word]]
    return outputs(CumulativeAverage(), digits, KV(digits, digits))[-1]


assert torch.equal(spelled("4711"), spelled("1174")) and not torch.equal(spelled("4711"), spelled("4712"))

# %% [markdown]
# ## What is read, and what must be kept
#
# All four are READ as one pair. But the next moving average is one without the oldest pair, so the others must still be
# there one by one: all n are KEPT. The cumulative one goes on from a sum and a count, the exponential one from its last value.
# Predict the table for n = 256, then see it measured: bytes of one head of the model, width 32.

# %%
many = KV(torch.randn(1000, 32), torch.randn(1000, 32))
averages = {
    "window": Window(256),
    "moving": MovingAverage(256),
    "weighted": WeightedAverage(torch.ones(256)),
    "cumulative": CumulativeAverage(),
    "exponential": ExponentialAverage(2 / 257),
}
read, kept = {}, {}
for name, average in averages.items():
    mem = average.init(many)
    for t in range(0, many.n, 100):
        mem = average.update(mem, many[t : t + 100])
    read[name], kept[name] = average.slots(mem).n, state_bytes(mem)
    print(f"{name:12} read: {read[name]:3} x 2 vectors   kept: {kept[name]:6} bytes")
pair = 2 * 32 * 4  # a key and a value of 32 float32
assert list(read.values()) == [256, 1, 1, 1, 1]
assert kept["window"] == kept["moving"] == kept["weighted"] == 256 * pair
assert kept["cumulative"] == kept["exponential"] == 2 * pair + 8  # one pair of float64, and a count
draw.bars(kept, y="bytes kept by one head", title="What must be kept to go on, n = 256", log=True)

# %% [markdown]
# So two of the four are **recurrent**: the new summary comes from the old one, a count and the new pair alone, as in
# chapter 03a. The moving and the weighted average are not; they save reading, not keeping. (In the library the kept pair
# is of float64, eight bytes a number, for the reason that comes now.)
#
# ## The recursion, written literally
#
# The cumulative average as a recursion: $\mathrm{Mem}_t=\dfrac{x_t+t\,\mathrm{Mem}_{t-1}}{t+1}$. True on paper. Values
# around 0.99 come in, 8,192 of them, in **bfloat16**, the number format of most large models, which has 8 significant
# binary digits. **Predict** what comes out at the end: 0.99, a little off, or something else?

# %%
stream_of = (0.99 + 0.1 * torch.randn(8192, generator=torch.Generator().manual_seed(0))).bfloat16()


def literally(x):
    """Mem_t = (x_t + t Mem_(t-1)) / (t + 1), as it is written."""
    mem, seen = torch.zeros((), dtype=x.dtype), []
    for t in range(len(x)):
        mem = (x[t] + t * mem) / (t + 1)
        seen.append(mem.item())
    return seen


true_mean = (stream_of.double().cumsum(0) / torch.arange(1, 8193)).tolist()
wrong, column = literally(stream_of), stream_of[:, None]
good = attend_all(CumulativeAverage(), column, KV(column, column))[:, 0].tolist()
places = [2**i for i in range(2, 14)]
nearest = torch.tensor(true_mean[-1]).bfloat16().item()  # bfloat16 has no number nearer to the true mean
print(
    f"true mean {true_mean[-1]:.4f}, in bfloat16 {nearest:.4f}; the recursion {wrong[-1]:.4f}, sum and count {good[-1]:.4f}"
)
assert good[-1] == nearest and max(abs(a - b) for a, b in zip(good, true_mean, strict=True)) < 0.005
assert wrong[-1] == 512 / 8192 and stream_of[512:].max() < 2  # half the distance of 4: too small to be added
assert literally(torch.full((8192,), 0.99).bfloat16())[-1] == 256 / 8192
draw.curves(
    {
        name: (places, [line[t - 1] for t in places])
        for name, line in {"float64 sum and a count": good, "the recursion": wrong}.items()
    },
    x="tokens read",
    y="average",
    log_x=True,
    title="The same formula in bfloat16",
)

# %% [markdown]
# Look at $t\,\mathrm{Mem}$: it is the sum, made anew at every step and rounded to 8 binary digits. From 256 on they lie
# 2 apart: a value below 1 changes nothing any more (were it always 0.99, the sum would stop here), one above 1 counts as
# 2. From 512 on they lie 4 apart, and no value here is as large as 2. The sum stands still at 512, the divisor goes on, and
# the average sinks: 512/8192 = 0.0625. In float32 each rounding is far smaller, but they add up: after a million tokens
# of 0.99 it is more than half a percent off (here too high).
#
# The other way of writing it, $m+(x-m)/(t+1)$, does not sink, it **freezes**: the correction becomes smaller than half
# the distance to the next number. With a constant mean you would not notice. So test running averages on data that have
# a mean, and one that changes.
#
# **The cure** is the library's: a sum in float64 and a whole-number count; the division happens at the read.

# %%
single = np.float32(0)
for t in range(1_000_000):  # in float32, a million times the same number
    single = (np.float32(0.99) + np.float32(t) * single) / np.float32(t + 1)
changing = (torch.arange(8192) >= 512).bfloat16()[:, None]  # 512 zeros, then ones: the mean climbs to 0.94
frozen = torch.zeros((), dtype=torch.bfloat16)
for t in range(8192):
    frozen = frozen + (changing[t, 0] - frozen) / (t + 1)
exact, ones = CumulativeAverage(), KV(changing, changing)
kept_sum = exact.update(exact.init(ones), ones)
print(f"float32, a million tokens of 0.99: {single:.4f}")
print(f"m + (x - m)/(t + 1) in bfloat16: {frozen:.3f}, true {7680 / 8192:.3f}\n\nThe library:")
print(getsource(CumulativeAverage.update))
assert single - 0.99 > 0.005 and frozen < 0.5
assert abs(exact.slots(kept_sum).v.item() - 7680 / 8192) < 0.004

# %% [markdown]
# ## Gist and drift
#
# Now what averages are good for. A stream of values: one topic out of 16 and much noise, twice as strong as the topic.
# No single pair shows the topic; the mean of many does. That is **gist**. After 256 steps the topic changes: **drift**.
# We ask 64 steps later whether the memory points at the new topic. **Sketch** the share of right answers for moving
# averages of 2 to 256 pairs. (Key and query are the same all the time, so nothing can be looked up.)

# %%
sizes = [2, 4, 8, 16, 32, 64, 128, 256]
world = {"steady": 256, "noise": 2.0}


def late(curve):
    """The mean of the last eight steps, 57 to 64 after the switch."""
    return curve[-8:].mean().item()


after_switch = [late(tasks.gist_and_drift(MovingAverage(n), **world)) for n in sizes]
widgets.predict(
    "right answers 64 steps after the switch, by pairs averaged",
    sizes,
    after_switch,
    y="right answers",
    log_x=True,
    x_name="pairs averaged",
)

# %% [markdown]
# The curve has a top. On its left the **noise** wins (few pairs: the mean jumps about; its *variance* is large), on its
# right the **past** (too many pairs are of the old topic; the mean is pulled to it; its *bias* is large). Nobody had
# to run this: the recipe alone foretells it. Topic in force with share $m$ of the weights, old one with $1-m$, noise
# $s=2\sqrt{\sum w^2}$ on all sixteen: the chance that the right one is the largest is an integral over bell curves.
#
# Below: three memories measured, step by step. The cumulative average, best before the switch, would have
# to wait until step 512 for the new topic to have as much weight as the old one. Under it a knob, foretold: **predict** which rate of the
# exponential average is best at the end, and whether a smaller one is best just before the switch. Then move it.


# %%
def foretold(memory, steps=320):
    """The share of right answers at each step, from the memory's view alone."""
    nothing = torch.zeros(steps, 1)
    return tasks.gist_expected(view(memory, nothing, nothing), **world)


for n in (8, 64, 128):
    assert abs(late(foretold(MovingAverage(n))) - after_switch[sizes.index(n)]) < 0.08
assert sizes[after_switch.index(max(after_switch))] in (32, 64) and after_switch[-1] < 0.1
step = list(range(0, 320, 4)) + [319]
shown = {"moving, 16": MovingAverage(16), "moving, 64": MovingAverage(64), "cumulative": CumulativeAverage()}
lines = {name: tasks.gist_and_drift(m, **world) for name, m in shown.items()}
for name, m in shown.items():
    assert (lines[name] - foretold(m)).abs().mean() < 0.04
assert lines["cumulative"][200:256].mean() > 0.99 > lines["moving, 16"][200:256].mean()  # gist: the longest wins
assert lines["cumulative"][-1] < 0.05 and late(lines["moving, 16"]) > 0.5  # drift: it loses
ends = {rate: foretold(ExponentialAverage(rate))[[255, 319]].tolist() for rate in (0.005, 0.015, 0.025, 0.05)}
assert ends[0.015][0] == max(end[0] for end in ends.values()) and ends[0.025][1] == max(end[1] for end in ends.values())
assert ends[0.005][0] < ends[0.015][0] - 0.4 and 0.27 < 0.995**255 < 0.28  # the surprise below
display(
    draw.curves(
        {name: (step, line[step]) for name, line in lines.items()},
        x="step (the topic changes at 256)",
        y="right answers",
        title="Gist and drift, measured",
    )
)
always = foretold(CumulativeAverage())
widgets.knob(
    lambda rate: draw.curves(
        {f"rate {rate:.3f}": (step, foretold(ExponentialAverage(rate))[step]), "cumulative": (step, always[step])},
        x="step (the topic changes at 256)",
        y="right answers",
        title="An exponential average, foretold from its recipe",
    ).update_yaxes(range=[-0.02, 1.05]),
    rate=(0.005, 0.2, 0.1, 0.005),
)

# %% [markdown]
# At the end a rate of about 0.025 is best: some forty pairs, of the 64 that there are of the new topic. Before the
# switch the best is slower, 0.015. And now the **surprise**: a rate of 0.005, slower still, does far worse, though no
# topic has changed yet. It was *begun with the first pair, taken whole*: 255 steps later that one noisy pair still has
# 28 % of all weight ($0.995^{255}$). The exponential average never divides by what it has really seen; in the exercise
# you mend it.
#
# ## Learn the weights
#
# Which weights are best? They can be **learned**. `Positive(n)` holds n free numbers $z$ and gives $\ln(1+e^z)$ of each
# (*softplus*), so that every weight stays above 0; keys and values share them. A series whose answer is known: a hidden
# level walks at random, and what comes in is the level plus noise. Theory (the Kalman filter, the best there is for such
# a walk) says: to know the level, weigh by $g(1-g)^j$, here with $g=0.25$: an exponential average. Nobody tells the
# weights. **Predict** their shape after 150 steps of gradient descent.

# %%
gen, gain, weigh = torch.Generator().manual_seed(0), 0.25, Positive(16)
level = (torch.randn(128, 80, 1, generator=gen) * gain / (1 - gain) ** 0.5).cumsum(1)  # the walk for which g is best
noisy = level + torch.randn(128, 80, 1, generator=gen)
learned = WeightedAverage(weigh)


def miss(average):
    """The mean squared distance to the level, once sixteen pairs have come."""
    return (attend_all(average, noisy, KV(noisy, noisy)) - level)[:, 16:].square().mean()


equal = weigh().detach() / weigh().detach().sum()
for _ in range(150):
    (slope,) = torch.autograd.grad(miss(learned), weigh.free)
    weigh.free.data -= 10 * slope
got = weigh().detach() / weigh().detach().sum()
theory = gain * (1 - gain) ** torch.arange(16)
assert (got.flip(0) - theory).abs().max() < 0.04
assert miss(learned) < 1.02 * miss(ExponentialAverage(gain))
assert miss(learned) < min(miss(MovingAverage(n)) for n in (2, 4, 6, 8, 10, 16))  # better than any equal weights
shapes = {"before": equal, "learned": got.flip(0), "theory": theory}
draw.curves(
    {name: (list(range(16)), shape) for name, shape in shapes.items()},
    x="tokens back",
    y="weight",
    title="Weights learned from examples alone",
)

# %% [markdown]
# ## 256 raw pairs, or two summary vectors?
#
# Neither grows with the stream; but one reads 256 pairs, the other a single key and value, two vectors.
# Three streams: a **needle** (any of the newest 256 pairs is asked for), a **gist** (one topic, 4,096 steps, noise eight
# times as strong), a **drift** (the topic changed 64 steps ago). **Choose** for each before you run it.

# %%
rivals = {
    "256 raw pairs": Window(256),
    "two vectors, cumulative": CumulativeAverage(),
    "two vectors, rate 0.05": ExponentialAverage(0.05),
}
found = {}
for name, m in rivals.items():
    found["needle", name] = tasks.recall(m, 256)
    found["gist", name] = tasks.gist_and_drift(m, steady=4096, after=0, noise=8.0, trials=64)[-64:].mean().item()
    found["drift", name] = late(tasks.gist_and_drift(m, **world))
for name in ("needle", "gist", "drift"):
    print(name, {rival: round(found[name, rival], 2) for rival in rivals})
assert found["needle", "256 raw pairs"] > 0.99 and max(found["needle", r] for r in list(rivals)[1:]) < 0.01
assert found["gist", "two vectors, cumulative"] > 0.95 > found["gist", "256 raw pairs"] + 0.1
assert found["drift", "two vectors, rate 0.05"] > found["drift", "256 raw pairs"] + 0.3
draw.bars(
    {f"{name}: {rival}": found[name, rival] for name in ("needle", "gist", "drift") for rival in rivals},
    y="right answers",
    title="Each is best once",
    top=1.1,
)

# %% [markdown]
# Why did 256 raw pairs do no better on the gist? With equal keys their softmax is flat: the window reads its own moving
# average. Where nothing can be looked up, raw pairs are only a dear way of averaging. For the needle nothing replaces
# them.
#
# ## What it costs: bytes, time and quality
#
# Bytes of state, and the time of one update and read, 8 heads of width 64, measured here. (A moving average could be read
# in constant time from a running total, and in the exercise you mend one that is; its pairs must be kept all the same.)
#
# Then real text: the Python model, every layer reading through an average, in bits per byte (8 is blind guessing). **An
# honest negative:** put in the place of a cache that the model was trained with, a long average is worse than no past
# at all (`Window(1)`: a byte reads only itself, and its three neighbours through the convolution). Models that are
# *built* for averages do use them: a translation model with cumulative averages in its decoder (Average Attention
# Network, arXiv 1805.00631), attention behind an exponential one (Mega, arXiv 2209.10655). Ours stand beside other
# memories from chapter 04 on.

# %%
same = KV(torch.ones(300, 16), torch.randn(300, 16))
assert torch.allclose(attend_all(Window(256), same.k, same), attend_all(MovingAverage(256), same.k, same), atol=1e-5)


def step_time(memory, n, times=30):
    """The median milliseconds of one update and read after n tokens."""
    past, one, spent = *(KV(torch.randn(8, m, 64), torch.randn(8, m, 64)) for m in (n, 1)), []
    mem = memory.update(memory.init(past), past)
    for _ in range(times):
        begin = time.perf_counter()
        mem = memory.update(mem, one)
        memory.read(mem, one.k)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2] * 1e3


def resident(memory, n):
    """The bytes of the state after n tokens, 8 heads of 64."""
    past = KV(torch.randn(8, n, 64), torch.randn(8, n, 64))
    return state_bytes(memory.update(memory.init(past), past))


lengths = [256, 2048, 8192]
which = {
    "full cache": Full(),
    "window of 256": Window(256),
    "moving, 256": MovingAverage(256),
    "cumulative": CumulativeAverage(),
}
timed = {name: (lengths, [step_time(m, n) for n in lengths]) for name, m in which.items()}
kept = {name: [resident(m, n) for n in lengths] for name, m in which.items()}
assert kept["cumulative"] == [8 * 2 * 64 * 8 + 8] * 3
assert kept["window of 256"][-1] == kept["moving, 256"][-1] == 8 * 2 * 64 * 4 * 256
pieces = data.batch(data.texts()[1], 256, 16, torch.Generator().manual_seed(1))


@torch.no_grad()
def bits(reader):
    """Bits per byte over the pieces."""
    logits = reader(pieces[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten()).item() / 0.6931


readers = {
    "full cache": Full(),
    "window of 64": Window(64),
    "no past: window of 1": Window(1),
    "moving, 2": MovingAverage(2),
    "cumulative": CumulativeAverage(),
}
quality = {name: bits(model.reading(m)) for name, m in readers.items()}
assert quality["cumulative"] > quality["no past: window of 1"] > quality["window of 64"] + 1
display(
    draw.bars({name: at[-1] for name, at in kept.items()}, y="bytes kept", log=True, title="State after 8,192 tokens"),
    draw.curves(timed, x="tokens read", y="milliseconds a token", log_x=True, title="One update and read, now"),
    draw.bars(quality, y="bits per byte", title="Averages in the place of a trained cache"),
)

# %% [markdown]
# ## Four new questions

# %%
display(
    widgets.quiz(
        "An exponential average of rate 1/2 reads 4, 8, 2. What does it hold? (Begun with the first.)",
        numeric=4,
        why="4, then (4+8)/2 = 6, then (6+2)/2 = 4.",
    ),
    widgets.quiz(
        "Put in order what happens at token t in a moving average that is full: (1) the query reads the mean, (2) the "
        "new pair enters, (3) the oldest pair leaves.",
        ["1, 2, 3", "2, 3, 1", "3, 1, 2"],
        1,
        "Update, then read: a token sees itself, and the mean is of the newest n, itself included.",
    ),
    widgets.quiz(
        "A meter averages 10 million readings in float32 by m + (x - m)/(t + 1). The machine is re-tuned after half a "
        "year; the meter hardly moves. What would cure it?",
        [
            "a float64 sum and a count: no correction is rounded away any more",
            "an average that forgets: most of the corrections are rounded away, and the rest move a mean of all readings",
            "a new start of the count: the sum stands still, and only the divisor goes on",
        ],
        1,
        "Two things at once: a cumulative mean moves slowly by design (bias), and in short floats its small corrections "
        "vanish. A sum and a count cure the second alone; a sum that stands still makes a meter sink, not stay.",
    ),
    widgets.quiz(
        "A thermostat needs the typical temperature of the last hour or so, on a chip with room for ten numbers. Which?",
        ["moving average of 3,600 readings", "cumulative average", "exponential average"],
        2,
        "The moving one must keep 3,600 readings to go on; the cumulative one never forgets last winter. The exponential "
        "one keeps a single number and fades.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **summary vector**: one vector for many; an average has one for keys, one for values.
# - **moving, weighted, cumulative, exponential average**: of the newest n alike; of the newest n by weights; of all
#   alike; of all, each older one $(1-g)$ times less. **rate**: the $g$.
# - **read / kept**: what attention sees of a memory, and what it must store to go on.
# - **while it fills**: before n pairs have come; the divisor is what is there.
# - **gist**: what many pairs have in common. **drift**: it changes.
# - **bias, variance**: error because the past pulls, error because the noise jumps.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 02` and open `my/02_averages.ipynb`.
# The button at its end grades your answers as often as you like.
