# %% [markdown]
# # 01 · Watch a window forget
#
# The door code again. This time the model keeps only the newest letters of the text: it reads through a **window**.
# **Press play:** each row is a window of another size. Which of them lose the fact, and what do they answer then?

# %% tags=["film", "folded"]
from memlib import course

course.here("01").four_windows()

# %% [markdown]
# The two short windows have lost it, and they answer all the same. When does that happen, what does it save, and what
# can still be known of a text whose beginning is gone?

# %%
import torch

from memlib import KV, Window, check, draw, lm, recipe, tasks, view, widgets
from memlib.course import ask, here, puzzle

here = here("01")

# %% [markdown]
# ## Three questions from before

# %%
ask("01", "read", "work", "shares")

# %% [markdown]
# ## Does it still know?
#
# In code a window is one argument: `Window(400)` stands where `Full()` stood, in every layer. Make the window smaller
# until the answer goes wrong. **Predict** the size first: the code's first digit stands 196 bytes before the answer.

# %%
widgets.one_fact(Window(400), lm.load("facts"))

# %% [markdown]
# The answer goes when the window becomes shorter than the way back to the digits. And a model that has forgotten does
# not fall silent. It says four letters as before: through a window of 180 it says *74*, the age of Amir, which it still
# sees. **It does not know that it has forgotten.**

# %% claims
seen = here.read_by_windows()
assert [fact.right for fact in seen.values()] == [True, True, False, False]
assert seen["the newest 400"].recipe_dye[:, -1].min() == 1 and seen["the newest 64"].recipe_dye[:, -1].max() == 0
digit = len(here.stream().prompt) - here.stream().prompt.index(b"4711")
assert digit == 196 and here.says(digit - 2) != b"4711" == here.says(digit) and here.says(180) == b"74. "
short = [here.says(n) for n in range(16, digit, 16)]
assert b"4711" not in short and sum(one[:1].isdigit() for one in short) > len(short) / 2

# %% [markdown]
# ## The newest six
#
# Now another model of the same build. It was trained on the text of Python's own library, and a window of **six** reads
# a line of Python, byte by byte.

# %%
ask("01", "lost")

# %% [markdown]
# Watch it. On top the text, below it the six slots, at the bottom what the newest byte's query receives.

# %% tags=["film"]
model = lm.load("stdlib")
text = "def newest(pairs): return pairs[-4:]"
q, k, v = tasks.heads(model, text, layer=1, head=2)
six = Window(6)
recipes, views = recipe(six, k), view(six, q, k)
draw.film(recipes, list(text), views, title="A window of six reads the text")

# %% claims
from memlib import Full, outputs, states

q1, k1, v1 = here.head()
held = states(Window(6), KV(k1, v1))  # one state a byte: real keys, real values
assert torch.equal(Window(6).slots(held[6]).k, k1[1:7])  # after byte 6: bytes 1 to 6
assert torch.equal(Window(6).slots(held[3]).k, k1[:4])  # while it fills: all there is, nothing padded
assert view(Window(6), q1, k1)[6, 0] == 0  # the query of byte 6 receives nothing of byte 0
assert torch.equal(recipe(Window(6), k1)[-1], torch.eye(len(here.TEXT))[-6:])  # each slot one byte, whole

# %% [markdown]
# *"The boxes and the bars are the same picture."* They answer two questions. The boxes, the recipe, say what is **in** the
# memory. The bars, the view, say what **one query gets** of it.
#
# To drop a pair from a memory is to **evict** it. While the window fills it simply holds what there is.
#
# **Your first line.** Tokens are numbered 0, 1, 2, … Which numbers does a window of six hold once token 20 has entered?
# Cut them out of `numbers`.

# %% puzzle
numbers, size, t = torch.arange(36), 6, 20
# BEGIN SOLUTION
newest = numbers[t - size + 1 : t + 1]
# END SOLUTION
# WRONG: newest = numbers[t - size : t + 1]
# WRONG: newest = numbers[t - size : t]
# WRONG: newest = numbers[:size]
puzzle(lambda: newest, here.HELD, axes=("slot",), digits=0)

# %% [markdown]
# ## The formula
#
# Standard attention reads all pairs up to token $t$. A window reads the newest $n_c$ of them:
#
# $$\mathrm{Mem}_t=(K_{t-n_c+1\,..\,t},\;V_{t-n_c+1\,..\,t}).$$
#
# **By hand.** Four pairs. Their exponentials are 1, 2, 1, 3, their values 10, 20, 30, 40.
#
# 1. The full cache divides by 7 and reads $(1\cdot10+2\cdot20+1\cdot30+3\cdot40)/7=28.6$.
# 2. A window of two has only the last two. It divides by 4 and reads $\tfrac14\cdot30+\tfrac34\cdot40=37.5$.
#
# No hole is left where the old pairs were: **their share goes to those that stay.**
#
# **Your second line.** These are the shares of the full cache. What are the shares of a window of two?

# %% puzzle
full = torch.tensor([1.0, 2.0, 1.0, 3.0]) / 7
# BEGIN SOLUTION
two = full[-2:] / full[-2:].sum()
# END SOLUTION
# WRONG: two = full[-2:]
# WRONG: two = full[:2] / full[:2].sum()
# WRONG: two = full[-2:] / full.sum()
puzzle(lambda: two, here.SHARES, axes=("pair",))

# %% claims
one = torch.ones(4, 1)
assert abs(outputs(Window(2), one, here.HAND)[3].item() - 37.5) < 1e-4
assert abs(outputs(Full(), one, here.HAND)[3].item() - 200 / 7) < 1e-4

# %% [markdown]
# ## The code, and yours
#
# A memory is four small functions. `init` gives an empty **state**: what a memory keeps between two tokens. `update` takes
# a state and new pairs, and gives the next state. `slots` shows the pairs, and `read` attends to them (a window inherits
# it). Below is the library's own window, renamed `Mine`. Its state has two parts: the first pairs, where `sinks` asks for
# some (you meet them below), and the newest.
#
# Break it in these four ways, one at a time, in the line that begins with `newest =`. What does `check` say to each?
#
# - keep one pair too many: `keep=self.size + 1`
# - keep the oldest, not the newest: `newest = mem.newest.append(new[free:])[: self.size]`
# - let no new pair in: `newest = mem.newest`
# - forget all but the new pair: `newest = new`

# %% show="memlib.Window"
print(check(Mine(6), Window(6)))
widgets.player(Mine(6), k, q, list(text))

# %% [markdown]
# *"While it fills, the empty places are zeros."* No: a memory starts **empty**. A key of zeros has the score 0, and that
# is not "no score". It takes a share, gives a value of nothing for it, and what is read shrinks.

# %%
draw.bars(here.zero_slots(), y="length of what is read", title="Zeros are not nothing")

# %% [markdown]
# ## A window is local attention
#
# There is a second way to get the same. Compute all scores at once, hide everything outside a band, and go on as usual.
# That is **local attention**, and its outputs are those of the window that walks. Move the size, and see where this head
# looks when it may look further.

# %%
widgets.knob(here.band, size=(1, len(text), 6))

# %% claims
from memlib import attend_all

inside = torch.ones(len(here.TEXT), len(here.TEXT)).tril().triu(-5).bool()  # at most 5 back, and itself
assert not view(Window(6), q1, k1)[~inside].any()
assert torch.allclose(view(Window(6), q1, k1).sum(-1), torch.ones(len(here.TEXT)))
masked = torch.nn.functional.scaled_dot_product_attention(q1[None], k1[None], v1[None], attn_mask=inside)[0]
assert torch.allclose(masked, outputs(Window(6), q1, KV(k1, v1)), atol=1e-5)
assert torch.allclose(masked, attend_all(Window(6), q1, KV(k1, v1)), atol=1e-5)  # the library's form: block by block
four, padded = here.zero_slots().values()
assert padded < 0.9 * four

# %% [markdown]
# ## Layers see further than one window
#
# The second layer reads what the first has put out, and the first has looked back already. **Predict:** a window of six in
# each of three layers. How many bytes can the last place feel? Then turn the knobs.

# %%
widgets.knob(here.deeper_and_deeper, layers=(1, 5, 1), window=(2, 12, 6))

# %% [markdown]
# **Your third line.** How many bytes is it, for any window and any number of layers? This is the **reach**.

# %% puzzle
window, layers = 6, 3
# BEGIN SOLUTION
reach = layers * (window - 1) + 1
# END SOLUTION
# WRONG: reach = layers * window
# WRONG: reach = window + layers - 1
# WRONG: reach = layers * (window - 1)
puzzle(lambda: reach, here.REACH, digits=0)

# %% claims
felt = [int((here.through_layers(deep)[-1] > 0).sum()) for deep in (1, 2, 3, 4)]
assert felt == [deep * (6 - 1) + 1 for deep in (1, 2, 3, 4)]

# %% [markdown]
# So what can still be read of a document's beginning? **Directly** nothing, once it is more than a window back.
# **Through the layers** what they have carried along, mixed on the way, as far as the reach. Behind the reach it is gone
# for good. And reach says what *can* arrive, not what does.
#
# ## What it costs: bytes and time
#
# Our model writes 2,000 bytes of Python: once with everything kept, once through a window of 64. **Predict** the two lines.

# %%
here.what_is_kept()

# %% [markdown]
# **Your fourth line.** How many bytes is the flat line? Keys and values, in 3 layers of 4 heads, 32 numbers each,
# 4 bytes a number, 64 pairs.

# %% puzzle
# BEGIN SOLUTION
kept = 2 * 3 * 4 * 32 * 4 * 64
# END SOLUTION
# WRONG: kept = 3 * 4 * 32 * 4 * 64
# WRONG: kept = 2 * 3 * 32 * 4 * 64
# WRONG: kept = 2 * 3 * 4 * 32 * 64
puzzle(lambda: kept, here.BYTES, digits=0)

# %% claims
everything, newest_64 = (here.written(memory)[1] for memory in here.WRITERS.values())
assert newest_64[0] == newest_64[-1] == here.BYTES == 192 * 1024
assert everything == [2 * 3 * 4 * 32 * 4 * (n + 4) for n in range(100, 2001, 100)]

# %% [markdown]
# The bytes are a law. The time is your machine's, and in so small a model it hardly differs: most of a step is not
# attention.
#
# ## What it costs: quality
#
# **Bits per byte** say how well a model foresees the next byte of a text it has not seen: 8 is blind guessing, 0 is
# knowing. The window grows from 2 to 256. **Sketch first:** how do the bits fall?

# %%
here.predict_quality()

# %% claims
found, falls = dict(zip(here.SIZES, here.quality(), strict=True)), here.quality()
assert abs(found[256] - here.bits(Full(), here.rows(256, 48, 1))) < 1e-3  # as long as the text: the full cache
assert all(a >= b - 0.02 for a, b in zip(falls[:-1], falls[1:], strict=True))
assert abs(found[2] - found[32] - 1.34) < 0.05 and abs(found[32] - found[256] - 0.13) < 0.03

# %% [markdown]
# Nine tenths of the gain lie within some thirty bytes. *"So a window of 32 is enough."* For this model and its text,
# nearly. But the answering model found a code two hundred bytes back, and bits per byte would hardly have shown it.
#
# ## When the first tokens must stay: sinks
#
# Many large models park the attention they have no use for on the first token, whose value is almost nothing. Then a
# window evicts that token. The parked share falls on the others, and the model breaks down.
#
# The cure is simple: `Window(4, sinks=2)` keeps the first two pairs for good, on top of the newest four. Such a pair is
# called a **sink**. Step through it.

# %% tags=["film"]
first, sinks = text[:18], Window(4, sinks=2)
recipes, views = recipe(sinks, k[:18]), view(sinks, q[:18], k[:18])
draw.film(recipes, list(first), views, title="Two sinks and a window of four")

# %% [markdown]
# Whether a model leans on its first tokens depends on its training, so it has to be measured. Below are the models
# measured so far, each with 64 pairs: the newest 64, and the newest 60 with the first 4. Where the first bar stands far
# above the second, the model has sinks. Where both are alike, four sinks bring nothing that four more pairs would not.

# %%
here.without_the_first()

# %% [markdown]
# Our Python model has none: it was trained briefly, on pieces cut from the middle of files. In the paper that named them
# (StreamingLLM, arXiv 2309.17453) a model of 13 billion weights chooses among 5.4 likely next tokens with four sinks, and
# among 5,158 without.

# %% claims
ours, weights = here.losses()["the course's Python model"], here.weight_on_first()
assert abs(ours["the newest"] - ours["the newest and the first"]) < 0.01  # three runs of 32 rows
assert weights["the course's Python model"] < 0.1  # it parks nothing on the first token
leaning = [both for model, both in here.losses().items() if weights[model] > 0.2]
assert all(both["the newest"] > both["the newest and the first"] + 0.1 for both in leaning)

# %% [markdown]
# ## Three questions to take along

# %%
ask("01", "holds", "bot", "halve")

# %% [markdown]
# ## Words of this chapter
#
# - **window** (sliding window): a memory of the newest $n_c$ pairs, the current one included.
# - **local attention**: the same, computed at once, with all scores outside a band hidden.
# - **evict**: drop a pair from the memory; nothing can read it any more.
# - **state**: what a memory keeps between two tokens.
# - **reach**: how many tokens the last place can feel through $L$ layers, $L(n_c-1)+1$ for bare windows.
# - **bits per byte**: how well a model foresees the next byte; less is better.
# - **sink** (a *global token* at the beginning): a first pair that is kept for good.

# %% [markdown]
# ## Deeper: the reach of the trained model

# %% [markdown]
# Change **one** byte of the text far back, and see whether anything moves at the last place. In our model something more
# looks back: a short **convolution** mixes the three bytes before into each query, key and value. So each layer carries
# three bytes more, and the reach is $L(n_c-1+3)+1$. Predict the last row for three layers of six.
#
# For windows of 64 that makes 199 bytes. The door code stood 196 bytes back, and was lost all the same.

# %%
here.felt_in_the_model()

# %% claims
rows = (here.touched() > 1e-12).int().argmax(1)  # the first byte that matters, row by row
assert len(here.TEXT) - int(rows[-1]) == 3 * (6 - 1 + 3) + 1 == 25
assert 3 * (64 - 1 + 3) + 1 == 199 > digit and not seen["the newest 64"].right

# %% [markdown]
# ## Deeper: longer than it was trained

# %% [markdown]
# The model was trained on texts of 256 bytes. Beyond them the full cache holds distances that it has never seen; a window
# never does. Which would you rather have at 1,024 bytes?

# %%
here.read_further()

# %% claims
everything, newest_128 = here.by_length().values()
assert everything[-1] > everything[1] + 0.5 and newest_128[-1] < newest_128[1] + 0.3  # 6 rows of held-out text

# %% [markdown]
# ## Deeper: the time of a byte, and what was written

# %% [markdown]
# Milliseconds a byte, measured while the model wrote, and the end of what it wrote through the window. The window may even
# be the slower one: to drop a pair is work too. (`make bench` goes to 16,384 pairs. There the full cache's step grows with
# its length, and the window's does not.)

# %%
print(here.written(here.WRITERS["the newest 64"])[0][-200:])
here.time_of_a_byte()

# %% [markdown]
# ## Deeper: a head made to say nothing

# %% [markdown]
# We build a head with a sink by hand. Every query points along one direction, the first key lies far along it, and the
# first value is zero. Its normal state is to say nothing. Then the window evicts the first token.

# %%
here.when_the_sink_leaves()

# %% claims
whole, plain, with_sink = here.a_head_with_a_sink().values()
assert plain[8:].mean() > 2 * whole[8:].mean() and (with_sink - whole)[8:].abs().mean() < 0.5 * plain[8:].mean()

# %% [markdown]
# ## Deeper: where a sink stands

# %% [markdown]
# Our model turns each query and key by an angle that grows with its place (*rotary positions*). So it feels how far apart
# two tokens are. A sink a thousand bytes back lies further than anything in training. StreamingLLM counts places *inside
# the cache*: at each read the slots are numbered anew, and no distance is longer than the cache. For a plain window
# nothing changes; with sinks it does.

# %%
here.places_in_the_cache()

# %% claims
window_64, true, in_cache = here.positions().values()
assert true > in_cache + 0.1 and abs(in_cache - window_64) < 0.05  # 6 rows of held-out text
long = here.rows(1024, 6, 2)[:2, :257]
assert abs(here.bits(Window(60), long) - here.bits(Window(60), long, "cache")) < 1e-3  # without sinks they are equal

# %% [markdown]
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 01`, then open `my/01_window.ipynb`.
