# %% [markdown]
# # 00 · Meet the cache
#
# A model reads a door code, then small talk, then the question. Four memories read along.
# **Press play:** how much of the fact does each still hold, and what does it answer?

# %% tags=["film", "folded"]
from memlib import course

course.here("00").four_memories()

# %% [markdown]
# Two of the four still know. In this course you take each of them apart, break it, mend it, and build your own.
#
# **Now you.** Click into the next cell and press Shift+Enter, then do the same with the cell below it.

# %%
import math

import torch

from memlib import Full, draw, lm, recipe, tasks, view, widgets
from memlib.course import ask, here, progress, puzzle

model = lm.load("facts")  # a small model that answers questions on what it has read
here = here("00")
print(progress.so_far())

# %% [markdown]
# Type a fact of your own and ask for it. Say first whose, then what: "The cat's name is Momo."

# %%
widgets.one_fact(Full(), model)

# %% [markdown]
# The model cannot know beforehand which code you type. It must find it in what it has kept of the text.
# What it keeps is called its **cache**. It works with letters: one **token**, in this course, is one byte of text.
# The thick line says how much of the fact is still **stored**. The thin ones say how much of its attention
# each letter spends on it.
#
# Now move *bytes between* to its right end. The thick line stays at 100 %, and the answer is wrong all the same:
# the model says another number of the talk. All of the fact is there, and it no longer finds it: **having is not
# finding**. At 1,000 bytes this is bad luck, farther off it is the rule: here is how often it finds new facts,
# measured over hundreds of texts.

# %%
here.having_is_not_finding()

# %% claims
door, shares = tasks.one_fact(Full(), model=model, stream=lm.stream(150, seed=1, own=here.DOOR)), here.right_answers()
assert door.said == door.answer and door.p > 0.5 and door.recipe_dye[:, -1].min() == 1
assert min(shares[far] for far in (32, 128, 256, 512, 1024)) > 0.95 > shares[1800] > shares[2500] > shares[4000]
far = lm.stream(1000, seed=0, own=here.DOOR).prompt  # what the picture reads at its right end
assert model.generate(far, 4) != b"4711" and model.generate(far, 4) in far  # another number of the talk
four = here.read_by_four()
assert [name for name, fact in four.items() if fact.right] == ["everything", "64 + look-up"]
assert four["the newest 64"].recipe_dye[:, -1].max() == 0 and four["one average"].recipe_dye[:, -1].max() < 0.02

# %% [markdown]
# ## Five questions first
#
# Never seen attention? Skip them and come back later. All five easy? Go on at *The cache of a real model*.

# %%
ask("00", "compared", "weights", "mean", "causal", "kept")

# %% [markdown]
# ## A query looks for keys
#
# Every token leaves a **key** and a **value**: the key says what it can be found by, the value what one gets.
# A later token asks with a **query**. Query and key are lists of numbers; with two numbers each they are arrows.
#
# How well do they fit? Multiply them number by number and add up. That is the **dot product** $q\cdot k$.
# Turn the key: where is the product largest, where is it 0?

# %%
widgets.knob(here.one_key, angle=(0, 360, 120, 10))

# %% [markdown]
# **Your first line.** Three keys are the rows of a table `k`. One product with each key: that is `k @ q`. Long vectors
# have large products, so every product is divided by $\sqrt d$, where $d$ says how many numbers a key has.
# The results are the **scores**.

# %% puzzle
k = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
q = torch.tensor([2.0, 0.0])
# BEGIN SOLUTION
scores = k @ q / math.sqrt(2)
# END SOLUTION
# WRONG: scores = k @ q
# WRONG: scores = k * q / math.sqrt(2)
# WRONG: scores = q @ k / 2
puzzle(lambda: scores, here.SCORES, axes=("key",))

# %% [markdown]
# Why the root? Products of wide random vectors grow with it. Divided, they stay where they are.

# %%
here.why_the_root()

# %% [markdown]
# Scores become shares: take $e$ to the power of each score, then divide by the sum of all. This is the **softmax**.
# No share is below 0, and together they make 1. Turn the query and watch the shares.

# %%
widgets.knob(here.three_keys, angle=(0, 360, 70, 10))

# %% [markdown]
# **Your second line.** Make shares of these scores. `x.exp()` and `x.sum()` are all you need.

# %% puzzle
s = torch.tensor([0.0, 1.0, 2.0])
# BEGIN SOLUTION
shares = s.exp() / s.exp().sum()
# END SOLUTION
# WRONG: shares = s / s.sum()
# WRONG: shares = s.exp() / s.sum()
# WRONG: shares = s.exp() / s.exp().max()
puzzle(lambda: shares, here.SHARES, axes=("key",))

# %% [markdown]
# **Your third line.** What the query gets is the average of the values, weighted by the shares. Here a value is one
# number.

# %% puzzle
w, v = torch.tensor([0.125, 0.25, 0.625]), torch.tensor([8.0, 16.0, 40.0])
# BEGIN SOLUTION
read = (w * v).sum()
# END SOLUTION
# WRONG: read = v.mean()
# WRONG: read = v.sum()
# WRONG: read = w * v
puzzle(lambda: read, here.READ)

# %% [markdown]
# That was attention, all of it. Written in one line:
#
# $$\mathrm{Att}(q,\mathrm{Mem})=\sum_i \frac{e^{\,q\cdot k_i/\sqrt d}}{\sum_j e^{\,q\cdot k_j/\sqrt d}}\;v_i .$$
#
# A **key-value pair** $(k_i, v_i)$ is what token $i$ leaves behind; **Mem** is all the pairs that are read.
#
# ## By hand, with three tokens
#
# Keys and query have one number each, so $\sqrt d=1$; the query is 1. The keys are $\ln 1, \ln 2, \ln 5$, the values
# 8, 16 and 40.
#
# 1. Scores: $\ln 1,\ \ln 2,\ \ln 5$.
# 2. Exponentials: 1, 2, 5. Their sum is 8.
# 3. Shares: $\tfrac18,\ \tfrac28,\ \tfrac58$.
# 4. Read: $\tfrac18\cdot 8+\tfrac28\cdot 16+\tfrac58\cdot 40=1+4+25=30$.
#
# **Predict:** which pair takes all when the query is -4? And what is read when it is 0? Then move it.

# %%
widgets.knob(here.weights_of, query=(-4.0, 4.0, 1.0, 0.25))

# %% [markdown]
# *"Attention can add values up."* It cannot: whatever the query, the read stays between the smallest and the largest
# value. At query 0 it is the plain mean.

# %% claims
assert abs(here.read_with(1) - 30) < 1e-4 and abs(here.read_with(0) - 64 / 3) < 1e-4
reads = [here.read_with(x) for x in range(-40, 41)]
assert 8 - 1e-4 <= min(reads) and max(reads) <= 40 + 1e-4  # never outside of the values
grown, divided = here.spreads(False)[1], here.spreads(True)[1]
assert all(1.9 < b / a < 2.1 for a, b in zip(grown[:-1], grown[1:], strict=True))  # four times as wide, twice as large
assert all(0.9 < x < 1.1 for x in divided)

# %% [markdown]
# ## The cache of a real model
#
# In a model a token's numbers are a vector $x$, and three trained tables make $q$, $k$ and $v$ of it. One such trio is
# a **head**. Some heads side by side are a **layer**; layers follow one another. Ours has 3 layers of 4 heads, with 32
# numbers in each key.
#
# Type a sentence and look into one head. Which of the three must be kept for later?

# %%
widgets.typed(here.one_head, text="The door code is 4711.", layer=(0, 2, 1), head=(0, 3, 0))

# %% [markdown]
# Keys and values stay, one pair a token: the **key-value cache**. Each pair lies in a place of its own, a **slot**.
#
# Two pictures will come back in every chapter. The **recipe** says what a slot holds of each token. The **view** says
# what a token's query receives of each token. Play the film: with each letter a slot is added.

# %% tags=["film"]
text = "The door code is 4711."
q, k, v = tasks.heads(model, text, layer=1, head=0)
draw.film(recipe(Full(), k), list(text), view(Full(), q, k), title="The full cache grows")

# %% claims
from memlib import KV, Window, outputs, states

words = "The door code is 4711."
q1, k1, v1 = tasks.heads(model, words, layer=1, head=0)
held = states(Full(), KV(k1, v1))
assert [mem.n for mem in held] == list(range(1, len(words) + 1))  # one pair a byte, none leaves
assert torch.equal(recipe(Full(), k1)[-1], torch.eye(len(words)))  # slot j holds byte j, whole
causal = torch.nn.functional.scaled_dot_product_attention(q1[None], k1[None], v1[None], is_causal=True)[0]
assert torch.allclose(outputs(Full(), q1, KV(k1, v1)), causal, atol=1e-5)  # this IS standard attention
assert torch.allclose(outputs(Window(len(words)), q1, KV(k1, v1)), causal, atol=1e-5)  # nothing has left yet

# %% [markdown]
# For standard attention Mem is **all** pairs, up to and including the newest. Every other method of this course puts
# something else in the place of this Mem.
#
# ## What it costs
#
# Each token adds a pair in every head of every layer. In our model that is 3 KB for every letter. In a model of 32
# layers with 32 heads, 128 numbers a key and 2 bytes a number it is half a megabyte for every token. A context of
# 128k tokens takes 64 GB.
#
# And the work: the query of a token is compared with every key it may see.
# **Predict:** the text becomes twice as long. What happens to the work of its last token? And to that of the whole
# text? Then look.

# %%
here.constant_cost()

# %% [markdown]
# With everything kept, the last token of a text twice as long costs twice as much, and the whole text four times. The
# window's line is flat: a memory of fixed size makes every token cost the same, and a text twice as long costs twice.

# %% claims
from memlib import state_bytes
from memlib.lm import data

letters = data.as_bytes("The door code is 4711.")[None].long()
ours = sum(state_bytes(states(Full(), layer_kv)[-1]) for _, layer_kv in model.qkv(letters))
assert ours == 2 * 3 * 4 * 32 * 4 * letters.numel() and ours // letters.numel() == 3 * 1024
assert 2 * 32 * 32 * 128 * 2 == 512 * 1024 and 512 * 1024 * 128 * 1024 == 64 * 1024**3
short, long = here.pairs_read(Full(), 512), here.pairs_read(Full(), 1024)
assert long[-1] == 2 * short[-1] and abs(sum(long) / sum(short) - 4) < 0.01
short, long = here.pairs_read(Window(64), 512), here.pairs_read(Window(64), 1024)
assert long[-1] == short[-1] and abs(sum(long) / sum(short) - 2) < 0.1

# %% [markdown]
# ## The map
#
# There are three ways out of the growing cost.
#
# - **Efficient attention** compares less. Sparse patterns keep all pairs and compare some of them. Linear attention
#   compares nothing: it adds the pairs up.
# - **Internal memory** keeps the past in a state of fixed size: a window, an average, a few compressed pairs.
# - **External memory** keeps the past, or a library, in a store beside the model. A query fetches the few nearest pairs.
#
# They overlap: a window is also a sparse pattern, and the sum of linear attention is also an internal memory.
#
# ## Three questions to take along

# %%
ask("00", "mem", "bytes", "phone")

# %% [markdown]
# ## Words of this chapter
#
# - **token**: a piece of text; here one byte.
# - **query, key, value**: what a token asks, what it can be found by, what it hands over.
# - **score, softmax, share**: how well a key fits; how scores become shares of 1.
# - **key-value pair** $(k_i,v_i)$: what token $i$ leaves behind. **Slot**: the place where a pair lies.
# - **attention** Att(q, Mem): the average of the values, weighted by the shares.
# - **key-value cache**: all pairs of the past, the Mem of standard attention. It grows with every token.
# - **head, layer**: a trio of q, k and v; several heads side by side.
# - **recipe**, **view**: what a slot holds of each token; what a query receives of each token.

# %% [markdown]
# ## Deeper: said the other way round

# %% [markdown]
# In the first box of this lesson type "Rex is Anna's dog." and ask "what is Anna's dog called?", with *Rex* expected. A
# fact said the other way round is found less often, however near it is. When the model read *Rex* it could not know
# whose name that was, and what it has kept of a letter stays as it is.

# %% claims
usual, turned = (lm.card("facts")[f"right_answers_{how}"] for how in ("trained_wordings", "value_first"))
assert all(turned[far] < usual[far] for far in usual)  # said the other way round: less often, at every distance
rex = lm.Fact("Rex is Anna's dog.", "what is Anna's dog called?", "Rex")
assert model.generate(lm.stream(150, seed=0, own=rex).prompt, 3) != b"Rex"

# %% [markdown]
# ## Deeper: the time of one read, on this machine

# %% [markdown]
# One query in each of 8 heads of width 64, a growing cache, measured as you run the cell. The time is about
# proportional to the pairs.

# %%
here.time_of_a_read()

# %% [markdown]
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 00`. The exercise `00_cache.ipynb` then lies
# beside the folder `lessons`: in the list of files on the left, click the folder sign on top, and open it.
