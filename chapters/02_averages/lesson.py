# %% [markdown]
# # 02 · Blur many pairs into one
#
# Three memories read a door code, then small talk, then the question. Each keeps **one** pair: a mean of what it has
# read. **Press play:** how much of that one pair is the fact?

# %% tags=["film", "folded"]
from memlib import course

course.here("02").three_averages()

# %% [markdown]
# One drops the fact at a stroke. One thins it out. One lets it fade. And none can answer. *Does it still know?* A little
# of the fact is there, so what is missing? And what are averages good for, if not for this?

# %%
import torch

from memlib import MovingAverage, check, lm, widgets
from memlib.course import ask, here, progress, puzzle

here = here("02")
print(progress.so_far())

# %% [markdown]
# ## Three questions from before

# %%
ask("02", "window", "recipe", "bytes")

# %% [markdown]
# ## One answer for every question
#
# Here every layer of the model reads the mean of its newest pairs. With size 400 nothing has left: all of the fact is in.
# **Predict:** is there any size at which it knows the code? Try some.

# %%
widgets.one_fact(MovingAverage(400), lm.load("facts"))

# %% [markdown]
# No size knows it. With one pair there is nothing to choose: every query gets the same value, whether it asks for the
# fact or not. Take the model away, store random pairs, and ask for each of them once.

# %%
here.one_answer_for_all()

# %% [markdown]
# One mean gives one answer to all N questions. At most one of them can be right.

# %% claims
seen, parts = here.read_by_three(), here.shares()
n, (start, end) = len(seen["fading mean"].text.encode()), seen["fading mean"].fact_span
moving, every, fading = (row[-1].item() for row in parts.values())
assert not any(fact.right for fact in seen.values()) and moving == 0 < fading < every
assert abs(every - 22 / n) < 1e-6 and end - start == 22 and 0.08 < every < 0.085  # 1/n of each of its bytes
assert not any(here.answers_of_moving((1, 8, 64, 400)))
for pairs, mean, raw in zip(here.PAIRS, *here.recalled().values(), strict=True):
    assert abs(mean - 1 / pairs) < 1e-6 and abs(raw - min(1, 32 / pairs)) < 0.03

# %% [markdown]
# ## Many pairs become one
#
# A **moving average** of 4 holds the mean of the newest four pairs. Keys and values are averaged alike, into one key and
# one value: two **summary vectors**. Step through the film from its beginning.

# %% tags=["film"]
here.at_one_stroke()

# %% [markdown]
# One box is one slot; its parts are the shares of the tokens. The lower panel, the view, shows the very same shares. With
# one slot **recipe and view are equal**. For a window they were not.

# %%
ask("02", "filling")

# %% [markdown]
# **Your line.** How much of the slot is each pair, when token `t` has just come? Tokens count from 0.


# %% puzzle
def share(t, size=4):
    # BEGIN SOLUTION
    return 1 / min(size, t + 1)
    # END SOLUTION
    # WRONG: return 1 / size
    # WRONG: return 1 / (t + 1)
    # WRONG: return 1 / min(size, t + 2)


puzzle(lambda: torch.tensor([share(t) for t in range(6)]), here.FILLING, axes=("token",))

# %% [markdown]
# An **exponential average** keeps a share of what it has and adds a share $g$, the **rate**, of what comes. Write the step
# for the values 8, 4, 6, 2.


# %% puzzle
def faded(mem, x, g=0.5):
    # BEGIN SOLUTION
    return (1 - g) * mem + g * x
    # END SOLUTION
    # WRONG: return mem + g * x
    # WRONG: return (1 - g) * mem + x
    # WRONG: return (mem + x) / 3


puzzle(lambda: here.steps_of(faded), here.FADED, axes=("step",))

# %% tags=["film"]
here.it_fades()

# %% claims
from memlib import ExponentialAverage, recipe, states, view

q, k, v = here.heads()
held_now = here.MovingAverage(4).slots(states(here.MovingAverage(4), here.KV(k, v))[6])
assert torch.allclose(held_now.v[0], v[3:7].mean(0), atol=1e-6)  # after byte 6: the mean of bytes 3 to 6
assert torch.allclose(held_now.k[0], k[3:7].mean(0), atol=1e-6)  # keys like values
for memory in (here.MovingAverage(4), ExponentialAverage(0.25)):
    assert all(torch.equal(view(memory, q, k)[t], row[0]) for t, row in enumerate(recipe(memory, k)))
assert recipe(ExponentialAverage(0.25), k)[-1][0, 0] > 0.004  # the first byte, 19 steps later

# %% [markdown]
# ## The four formulas
#
# $x_t$ is the pair of token $t$.
#
# | average | the slot after token $t$ | share of each token |
# |---|---|---|
# | moving | mean of the newest $n$ pairs, or of those there are | equal, then 0 |
# | weighted | $\sum_i w_i\,x_i\,\big/\sum_i w_i$ over the newest $n$ | as you choose |
# | cumulative | mean of all $t+1$ pairs | equal, smaller and smaller |
# | exponential | $(1-g)\,\mathrm{Mem}_{t-1}+g\,x_t$, begun with $x_0$ | each step $(1-g)$ times less |
#
# **By hand**, for the values 8, 4, 6, 2:
#
# - *Moving, n = 2:* 8, then (8+4)/2 = 6, then (4+6)/2 = 5, then (6+2)/2 = 4.
# - *Weighted, the older 1, the newer 3:* 8, then (1·8+3·4)/4 = 5, then (1·4+3·6)/4 = 5.5, then (1·6+3·2)/4 = 3.
# - *Cumulative:* 8, then 12/2 = 6, then 18/3 = 6, then 20/4 = 5.
# - *Exponential, g = ½:* 8, then 6, then 6, then 4, as you have just written.
#
# **Your line.** The cumulative average needs no list of all pairs. The mean of `t` values is `mem`; one more value
# comes. What is the mean now?


# %% puzzle
def with_one_more(mem, x, t):
    # BEGIN SOLUTION
    return (t * mem + x) / (t + 1)
    # END SOLUTION
    # WRONG: return (mem + x) / 2
    # WRONG: return (mem + x) / (t + 1)
    # WRONG: return (t * mem + x) / t


puzzle(lambda: here.steps_of(with_one_more, counted=True), here.MEANS, axes=("step",))

# %% [markdown]
# Which rate does the work of how many pairs? Move the knob. The rate follows by $g=2/(n+1)$. In the long run, both then
# hold tokens of the same mean age and quiet noise equally well.

# %%
widgets.knob(here.by_age, pairs=(1, 20, 6))

# %% claims
for average, values in here.BY_HAND.items():
    reads = here.attend_all(average, here.HAND.k, here.HAND)[:, 0]
    assert torch.allclose(reads, torch.tensor(values).float())
age = torch.arange(399, -1, -1).double()
for m in (4, 16, 32):
    cut, fade = here.weights(here.MovingAverage(m), 400), here.weights(ExponentialAverage(2 / (m + 1)), 400)
    assert abs((cut * age).sum() - (m - 1) / 2) < 1e-6 and abs((fade * age).sum() - (m - 1) / 2) < 1e-3
    assert abs(cut.square().sum() - 1 / m) < 1e-9 and abs(fade.square().sum() - 1 / m) < 1e-6
    assert cut[:-m].sum() == 0 and 0.12 < fade[:-m].sum() < 0.14  # what the exponential one holds beyond n
assert here.weights(ExponentialAverage(2 / 21)).argmax() == 0  # at 20 pairs the first one still weighs most

# %% [markdown]
# ## The code, and yours
#
# This is the library's moving average, word for word, under the name `Mine`. Only `slots` is new beside the window of
# chapter 01. `check` walks yours and the library's over the same tokens and names the first difference. Break it in four
# ways:
#
# - keep one pair too many: `return mem.append(new, keep=self.size + 1)`
# - keep the oldest: `return mem.append(new)[: self.size]`
# - divide by four from the first token on: `return mem.each(lambda x: x.sum(-2, keepdim=True) / self.size)`
# - take the newest alone: `return mem.each(lambda x: x[..., -1:, :])`

# %% show="memlib.MovingAverage"
print(check(Mine(4), MovingAverage(4)))

# %% [markdown]
# ## Two things people get wrong
#
# *"The key of the summary says what can be found in it."* Softmax over one score is 1, whatever the score. So the one key
# might be anything. It begins to matter when a second slot stands beside it, as in chapter 04.
#
# *"The average of a text knows what was said."* A plain mean does not even know the order. 4711 and 1174 have the same
# digits, so the same mean.

# %% claims
from memlib import KV, CumulativeAverage, attend, join, outputs

one = here.MovingAverage(4).slots(states(here.MovingAverage(4), KV(k, v))[-1])
assert torch.equal(attend(100 * q, one), one.v.expand(len(q), -1))  # any query: the same value
assert torch.equal(attend(q, KV(-7 * one.k + 3, one.v)), attend(q, one))  # any key: the same value
two = join(one, CumulativeAverage().slots(states(CumulativeAverage(), KV(k, v))[-1]))  # two slots: queries choose
other = KV(torch.cat([-7 * two.k[:1] + 3, two.k[1:]]), two.v)
assert not torch.allclose(attend(q, other), attend(q, two), atol=1e-2)
spelled = {word: torch.eye(10)[[int(digit) for digit in word]] for word in ("4711", "1174", "4712")}
means = {word: outputs(CumulativeAverage(), x, KV(x, x))[-1] for word, x in spelled.items()}
assert torch.equal(means["4711"], means["1174"]) and not torch.equal(means["4711"], means["4712"])

# %% [markdown]
# ## What is read, and what must be kept
#
# All four are **read** as one pair. But at the next token the moving average must take its oldest pair out of the mean.
# Play: what has it to keep for that? Then **predict:** what must each average keep for n = 256?

# %% tags=["film"]
here.read_and_kept()

# %%
here.bytes_kept()

# %% [markdown]
# The moving and the weighted average save reading, not keeping: to drop a pair from a mean, you must still have it. The cumulative and the exponential one go on from their
# last pair and a count. A state that is made from the last state and the new pair alone is called **recurrent**; chapter
# 03a is about those.

# %% claims
kept = {name: stored for name, (_, stored) in here.measured().items()}
pair = 2 * 32 * 4  # a key and a value of 32 numbers, four bytes each
assert [read for read, _ in here.measured().values()] == [256, 1, 1, 1, 1]
assert kept["window"] == kept["moving"] == kept["weighted"] == 256 * pair
assert kept["cumulative"] == kept["exponential"] == 2 * pair + 8  # numbers of eight bytes, and a count

# %% [markdown]
# ## Gist and drift
#
# Now what averages are good for. One topic out of 16, and noise twice as strong. No single pair shows the topic; the mean
# of many does. That is **gist**. Then the topic changes: **drift**. We ask 64 steps after the change. **Sketch** how often
# a moving average is right, by the pairs it averages. Then press the button.

# %%
widgets.predict(
    "right answers 64 steps after the switch",
    here.SIZES,
    here.after_switch(),
    y="right answers",
    log_x=True,
    x_name="pairs averaged",
)

# %% [markdown]
# The curve has a top. On its left the noise wins: few pairs, and the mean jumps about. That error is called **variance**.
# On its right the past wins: too many pairs are of the old topic. That error is called **bias**.

# %%
here.step_by_step()

# %% [markdown]
# The cumulative average is best before the switch and worst after it. It would have to wait until step 512 for the new
# topic to weigh as much as the old one.

# %% claims
right = here.after_switch()
for m in (8, 64, 128):  # nobody had to run this: the weights alone foretell it
    assert abs(here.late(here.foretold(here.MovingAverage(m))) - right[here.SIZES.index(m)]) < 0.08
assert here.SIZES[right.index(max(right))] in (32, 64) and right[-1] < 0.1
lines = here.three_measured()
assert lines["cumulative"][200:256].mean() > 0.99 > lines["moving, 16"][200:256].mean()
assert lines["cumulative"][-1] < 0.05 and here.late(lines["moving, 16"]) > 0.5
for name, m in {"moving, 16": here.MovingAverage(16), "cumulative": CumulativeAverage()}.items():
    assert (lines[name] - here.foretold(m)).abs().mean() < 0.04

# %% [markdown]
# ## 256 raw pairs, or two summary vectors?
#
# Neither grows with the stream. **Choose** one for each of three streams, then run:
#
# - **needle**: any of the newest 256 pairs is asked for;
# - **gist**: one topic, 4,096 steps, noise eight times as strong;
# - **drift**: the topic changed 64 steps ago.

# %%
here.three_streams()

# %% [markdown]
# **Each is best once.** And the surprise: on the gist 256 raw pairs lose to two vectors. All keys are equal there, so the
# window's softmax is flat, and it reads a moving average of 256. Where nothing can be looked up, raw pairs are a dear way
# of averaging. For the needle nothing replaces them.

# %% claims
won = here.contest()
raw, mean_of_all, fades = here.RIVALS
assert won["needle", raw] > 0.99 and max(won["needle", name] for name in (mean_of_all, fades)) < 0.01
assert won["gist", mean_of_all] > 0.95 > won["gist", raw] + 0.1 and won["drift", fades] > won["drift", raw] + 0.3
same = KV(torch.ones(300, 16), v.new_tensor(range(4800)).reshape(300, 16).sin())
flat, moved = (here.attend_all(m, same.k, same) for m in (here.Window(256), here.MovingAverage(256)))
assert torch.allclose(flat, moved, atol=1e-5)

# %% [markdown]
# ## Four questions to take along

# %%
ask("02", "hand", "order", "meter", "thermostat")

# %% [markdown]
# ## Words of this chapter
#
# - **summary vector**: one vector for many; an average has one for keys and one for values.
# - **moving, weighted, cumulative, exponential average**: of the newest n alike; of the newest n by weights; of all
#   alike; of all, each older one $(1-g)$ times less. **rate**: the $g$.
# - **read, kept**: what attention sees of a memory; what it must store to go on.
# - **recurrent**: made from the last state and the new pair alone.
# - **gist**: what many pairs have in common. **drift**: it changes.
# - **bias, variance**: error because the past pulls; error because the noise jumps.
#
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 02`, then open `my/02_averages.ipynb`.

# %% [markdown]
# ## Deeper: the first pair, taken whole
#
# Predict which rate is best at the end, and whether a smaller one is best just before the switch. Then move the knob. The
# curve is not run, it is computed from the weights alone.

# %%
widgets.knob(here.by_rate, rate=(0.005, 0.2, 0.1, 0.005))

# %% [markdown]
# At the end about 0.025 is best. Before the switch it is 0.015. A rate of 0.005 does far worse, though no topic has
# changed yet. It was *begun with the first pair, taken whole*, and 255 steps later that one noisy pair still has 28 % of
# all weight. In the exercise you mend it.
#
# People also say "a rate of $g$ averages about $1/g$ pairs". In the long run those newest pairs hold 63 % of the weight.

# %% claims
ends = {r: here.foretold(ExponentialAverage(r))[[255, 319]].tolist() for r in (0.005, 0.015, 0.025, 0.05)}
assert ends[0.015][0] == max(end[0] for end in ends.values()) and ends[0.025][1] == max(end[1] for end in ends.values())
assert ends[0.005][0] < ends[0.015][0] - 0.4 and 0.27 < 0.995**255 < 0.28
assert 0.63 < here.weights(ExponentialAverage(0.02), 400)[-50:].sum() < 0.64

# %% [markdown]
# ## Deeper: the recursion, written literally
#
# The line you wrote for the cumulative average is true on paper. **bfloat16** is the number format of most large models;
# it has 8 binary digits. 8,192 values around 0.99 come in. Predict what comes out.

# %%
here.the_recursion_sinks()

# %% [markdown]
# Look at $t\,\mathrm{Mem}$. It is the sum, rounded at every step to 8 binary digits. From 512 on such numbers lie 4 apart,
# so a value below 2 changes nothing. The sum stands still at 512, the divisor goes on: 512/8192 = 0.0625. In float32, a
# million tokens of 0.99 end more than half a percent off.
#
# The other way of writing it, $m+(x-m)/(t+1)$, does not sink: it **freezes**. With a constant mean you would not notice.
# So test running averages on data that have a mean, and one that changes. **The cure** is the library's: a float64 sum and
# a whole-number count; the division happens at the read.

# %% claims
import numpy as np

curves = here.in_bfloat16()
nearest = torch.tensor(curves["true"][-1]).bfloat16().item()  # bfloat16 has no number nearer to the true mean
sums = curves["float64 sum and a count"]
assert sums[-1] == nearest and max(abs(a - b) for a, b in zip(sums, curves["true"], strict=True)) < 0.005
assert curves["the recursion"][-1] == 512 / 8192
stuck, exact = here.frozen_mean()
assert stuck < 0.5 and abs(exact - 7680 / 8192) < 0.004
single = np.float32(0)
for t in range(1_000_000):
    single = (np.float32(0.99) + np.float32(t) * single) / np.float32(t + 1)
assert single - 0.99 > 0.005

# %% [markdown]
# ## Deeper: weights that are learned
#
# Which weights are best? They can be learned. `Positive(n)` holds n free numbers $z$ and gives $\ln(1+e^z)$ of each, so
# that every weight stays above 0. A hidden level walks at random, and what comes in is the level plus noise. Theory (the
# Kalman filter) says: weigh by $g(1-g)^j$, here with $g=0.25$. Nobody tells the weights. Predict their shape after 150
# steps of gradient descent.

# %%
here.weights_learned()

# %% claims
shapes, missed = here.learned()
assert (shapes["learned"] - shapes["theory"]).abs().max() < 0.04
assert missed["learned"] < 1.02 * missed["exponential"]
assert missed["learned"] < min(x for name, x in missed.items() if name.startswith("moving"))

# %% [markdown]
# ## Deeper: averages in a trained model
#
# The Python model reads held-out text, every layer through an average, in bits per byte (8 is blind guessing). **An honest
# negative:** in the place of a cache that the model was trained with, a long average is worse than no past at all. Models
# *built* for averages do use them: Average Attention Network (arXiv 1805.00631), Mega (arXiv 2209.10655).

# %%
here.in_a_trained_model()

# %% claims
bits = here.bits()
assert bits["cumulative"] > bits["no past: window of 1"] > bits["window of 64"] + 1

# %% [markdown]
# ## Deeper: the time of one step, on this machine
#
# One update and read, 8 heads of 64 numbers, measured as you run the cell. A moving average could be read in constant time
# from a running total; its pairs must be kept all the same.

# %%
here.time_of_a_step()
