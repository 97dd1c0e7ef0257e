# %% [markdown]
# # 03b · Write pairs into a matrix
#
# A model reads a door code, then small talk, then the question. *Does it still know?* One keeps every pair. Three keep a
# table of numbers that never grows. **Press play:** how much of the fact is still in, and what does each answer?

# %% tags=["film", "folded"]
from memlib import course

course.here("03b").four_trained()

# %% [markdown]
# One table holds all of the fact and gets it wrong. Another has lost half of it and gets it right. So what is written in
# these tables, and how? (This chapter is an elective: the others do not need it.)

# %%
import torch

from memlib import DeltaRule, check, lm, widgets
from memlib.course import ask, here, progress, puzzle

here = here("03b")
print(progress.so_far())

# %% [markdown]
# ## Three questions from before

# %%
ask("03b", "hull", "sums", "general")

# %% [markdown]
# ## A pair as a table
#
# The **outer product** of a key and a value is a table. In row $i$, column $j$ stands $k_i v_j$. Multiply it by the key
# again, from the left: $k^\top(k\,v^\top)=(k\cdot k)\,v$. If the key has length 1 you get $v$ back.
#
# Another key gets the value times its product with $k$. It gets nothing where that product is 0; such keys are called
# **orthogonal**. So several pairs can be added into one table $S$, a **matrix**, and each key still finds its own value.
#
# **Your line.** Two keys, two values. `torch.outer(a, b)` makes a table. Write both pairs into one.

# %% puzzle
k1, v1 = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 1.0])
k2, v2 = torch.tensor([0.6, 0.8]), torch.tensor([0.0, 5.0])
# BEGIN SOLUTION
S = torch.outer(k1, v1) + torch.outer(k2, v2)
# END SOLUTION
# WRONG: S = torch.outer(k1 + k2, v1 + v2)
# WRONG: S = torch.outer(v1, k1) + torch.outer(v2, k2)
# WRONG: S = torch.outer(k1, v1)
puzzle(lambda: S, here.SUMMED, axes=("row", "column"))

# %% [markdown]
# **Your line.** What does the first key read of it? It wants its value (3, 1).

# %% puzzle
key, table = torch.tensor([1.0, 0.0]), torch.tensor([[3.0, 4.0], [0.0, 4.0]])
# BEGIN SOLUTION
answer = key @ table
# END SOLUTION
# WRONG: answer = table @ key
# WRONG: answer = key * table
# WRONG: answer = table.sum(0)
puzzle(lambda: answer, here.ANSWERED, axes=("number",))

# %% [markdown]
# It gets (3, 4): its own value, and on top 0.6 times the other one. What comes through of other pairs is **crosstalk**. It
# is as strong as the keys' product, here $k_1\cdot k_2=0.6$.

# %%
ask("03b", "third")

# %% [markdown]
# ## Ask before you write
#
# The **delta rule** asks first. **By hand**, for the same two pairs:
#
# 1. After pair 1, $S$ has the rows (3, 1) and (0, 0).
# 2. What does $S$ answer to $k_2$ already? $0.6\cdot(3,1)=(1.8,\ 0.6)$.
# 3. It wants (0, 5). The **error** is $(0,5)-(1.8,0.6)=(-1.8,\ 4.4)$.
# 4. Only the error is written: $S$ plus the outer product of $k_2$ and $(-1.8,\ 4.4)$.
# 5. Now $k_2$ reads (0, 5), exactly. And $k_1$ reads (1.92, 3.64): the older pair pays.
#
# **Your line.** The step as code, for any key of length 1.


# %% puzzle
def corrected(table, key, value):
    # BEGIN SOLUTION
    return table + torch.outer(key, value - key @ table)
    # END SOLUTION
    # WRONG: return table + torch.outer(key, value)
    # WRONG: return table + torch.outer(key, key @ table - value)
    # WRONG: return torch.outer(key, value - key @ table)


puzzle(lambda: here.two_pairs(corrected), here.CORRECTED, axes=("row", "column"))

# %%
ask("03b", "exact")

# %% claims
from memlib import KV, DeltaRule as Rule, states

summed = sum(torch.outer(x, y) for x, y in zip(here.KEYS, here.VALUES, strict=True))
assert torch.allclose(summed, here.SUMMED)
assert torch.allclose(here.KEYS @ summed, torch.tensor([[3.0, 4.0], [1.8, 5.6]]))
ruled = states(Rule(), KV(here.KEYS, here.VALUES))[-1].s
assert torch.allclose(ruled, here.CORRECTED)
assert torch.allclose(here.KEYS @ ruled, torch.tensor([[1.92, 3.64], [0.0, 5.0]]), atol=1e-6)
first, second = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0])
assert torch.allclose(first @ (summed + torch.outer(first, second)), torch.tensor([1.0, 5.0]))
after = ruled + torch.outer(first, second - first @ ruled)
exact = [torch.allclose(x @ after, y, atol=1e-5) for x, y in zip(here.KEYS, here.VALUES, strict=True)]
assert exact == [False, False] and torch.allclose(first @ after, second)

# %% [markdown]
# ## Watch it being written
#
# Real keys and values of one head, into two matrices of 32 by 32. On the left each pair is added. On the right each pair
# corrects. Orange is above zero, blue below. Under each matrix: what the query of this step receives of each byte.

# %% tags=["film"]
here.being_written()

# %% claims
tables, views = here.matrices_of()
assert all(s.shape == (len(here.TEXT), 32, 32) for s in tables.values())  # the size never changes
assert views["linear attention"].min() >= 0 > views["the delta rule"].min()

# %% [markdown]
# ## The formula
#
# **Linear attention** adds. First, keys and queries go through $\varphi(x)=\mathrm{elu}(x)+1$, which is above 0
# everywhere: the **feature map**. So no weight is negative. $z$ sums the keys, and each read is divided by it:
#
# $$S\leftarrow S+\varphi(k)\,v^\top,\qquad z\leftarrow z+\varphi(k),\qquad
# \text{read}\quad \frac{\varphi(q)^\top S}{\varphi(q)^\top z}.$$
#
# The **delta rule** writes the error, times a rate $\beta$ from 0 to 1. The **gated delta rule** first lets all of $S$
# fade to a share $\alpha$. Keys and queries are brought to length 1.
#
# $$S\leftarrow \alpha S,\qquad S\leftarrow S+k\,\big(\beta\,(v-S^\top k)\big)^{\!\top},\qquad \text{read}\quad S^\top q .$$
#
# The order is always **fade, correct, read**. Here are three orthogonal keys, bound again and again: `a1` binds key a to
# value 1, `a3` binds it to value 3. At each step all rows shrink, and one of them takes the new value in.

# %% tags=["film"]
here.fade_and_correct()

# %% [markdown]
# **Predict:** which pairs are left in row a at $\alpha=1,\beta=1$? At $\beta=0.5$? Then move the knobs.

# %%
widgets.knob(here.two_knobs, alpha=(0.0, 1.0, 1.0, 0.05), beta=(0.0, 1.0, 1.0, 0.05))

# %% [markdown]
# Binding a key again leaves $1-\beta$ of its old value. And other keys? Only orthogonal ones are left alone. The others
# are moved too, as $k_1$ was by hand. $\alpha$ spares nobody: after $m$ steps a share $\alpha^m$ is left of everything.

# %% claims
assert torch.equal(here.rows(1.0, 1.0)[0].nonzero().flatten(), torch.tensor([5]))  # key a holds a6 alone
assert torch.allclose(here.rows(1.0, 0.5)[0, [0, 2, 5]], torch.tensor([0.125, 0.25, 0.5]))
assert torch.allclose(here.rows(0.8, 1.0)[2, 3], torch.tensor(0.8**4))  # c4 fades though nobody touched it
assert torch.equal(here.rows(1.0, 0.5)[1, [0, 2, 5]], torch.zeros(3))  # orthogonal: row b has nothing of a
moved = here.KEYS @ states(Rule(0.5), KV(here.KEYS, here.VALUES))[-1].s  # not orthogonal: key 1 is moved
assert (moved[0] - 0.5 * here.VALUES[0]).abs().max() > 0.3

# %% [markdown]
# ## The code, and yours
#
# The library's delta rule, word for word, under the name `Mine`. `check` walks it and the library's over the same tokens.
# Break it in four ways:
#
# - write the value, not the error: `s = s + k.mT @ (beta[..., t, :, :] * v)`
# - turn the error round: `s = s + k.mT @ (beta[..., t, :, :] * (k @ s - v))`
# - leave the key as long as it is: `k, v = pair.k, single(pair.v)`
# - exchange rows and columns at the read: `return unit(q) @ mem.s.mT`

# %% show="memlib.DeltaRule"
print(check(Mine(), DeltaRule()))

# %% [markdown]
# ## How many pairs survive?
#
# *"A 64 by 64 matrix has 4,096 numbers, so it holds thousands of pairs."* The test: random pairs of width 64 are written,
# then every key is asked once. **Sketch** the delta rule's share of right answers with $\beta=1$.

# %%
widgets.predict(
    "right answers of a 64 by 64 delta rule",
    here.PAIRS,
    here.recalled("delta, beta 1"),
    y="right answers",
    log_x=True,
    x_name="pairs written",
)

# %%
here.recall_of_all()

# %% [markdown]
# - The delta rule with $\beta=1$ recalls like a window of about 64 pairs, in the bytes of a window of 32.
# - **Linear attention is the worst**, an honest negative. Its features are all above zero, so no two are ever orthogonal:
#   random keys have products near 0, their features near 0.7. A model must learn keys that live with it.
# - The bare sum does better than one would think, and $\beta=0.5$ better than $\beta=1$. Why? Sort 256 pairs by age.

# %%
here.which_survive()

# %% [markdown]
# The delta rule forgets the **oldest**: each new key takes its direction from those before. The sum forgets everything a
# little. A smaller $\beta$ spoils old pairs less, and the newest is no longer exact.
#
# With $\beta=1$, twice the width keeps about two and a half times the pairs: 0.7 pairs for each number of a key at width
# 16, 1.3 at width 128. ("Deeper" shows the curve.)

# %% claims
right = {name: here.recalled(name) for name in here.KINDS}
expected = [here.tasks.recall_expected(64, n) for n in here.PAIRS]  # a window of 64 pairs
assert all(abs(got - want) < 0.15 for got, want in zip(right["delta, beta 1"], expected, strict=True))
assert right["full cache"] == [1] * len(here.PAIRS) and right["window of 32, as many bytes"][-1] == 32 / 512
assert all(found < 0.3 for n, found in zip(here.PAIRS, right["linear attention"], strict=True) if n >= 32)
assert here.state_bytes(states(Rule(), KV(torch.zeros(1, 64), torch.zeros(1, 64)))[-1]) - 8 == 32 * (64 + 64) * 4
ages, (plain, features) = here.ages(), here.cosines()
assert ages["delta, beta 1"][0] > 0.97 and max(ages["delta, beta 1"][8:]) < 0.1  # the newest all, the old none
assert max(ages["bare sum"]) - min(ages["bare sum"]) < 0.15  # all ages alike
assert sum(ages["gated, alpha 0.98"]) < sum(ages["delta, beta 1"]) < sum(ages["delta, beta 0.5"])
assert abs(plain) < 0.05 and 0.65 < features < 0.75
kept = here.kept_by_width()["beta 1: survive"]
assert all(2.1 < more / less < 2.8 for less, more in zip(kept, kept[1:], strict=False))
assert 0.6 < kept[0] / 16 < 0.85 and 1.15 < kept[-1] / 128 < 1.4
assert here.off()["beta 1.0"] < 1e-5 and here.off()["beta 0.5"] > 0.3

# %% [markdown]
# ## Binding a key again
#
# "The door code is 4711" ... "the door code is now 2580". The same key gets a new value. 16 keys are bound $R$ times in
# turn; then each is asked for its **newest** value. **Predict:** who answers right?

# %%
here.which_is_newest()

# %% [markdown]
# The full cache guesses among $R$ values behind equal keys. **A memory that forgets nothing is not automatically better.**
# Be fair to it: with *positions* a model can learn to prefer the newer one. The delta rule has it built in. And here is
# the price of a small $\beta$: it keeps more pairs, and cannot let go of the old ones.

# %% claims
again = here.rebound()
assert again["delta rule"] == [1.0] * 4 and again["delta rule, beta 0.1"][-1] < 0.7
for name in ("full cache, no positions", "linear attention"):
    chance = [here.tasks.rebinding_expected(r) for r in here.TIMES]
    assert all(abs(got - want) < 0.06 for got, want in zip(again[name], chance, strict=True))

# %% [markdown]
# ## A model must be trained with its memory
#
# The models of the first film were each trained with their memory. Here a delta rule is put into the model that was
# trained with a full cache. The state is as large. **Predict:** does it tell the code?

# %%
widgets.one_fact(DeltaRule(), lm.load("facts"))

# %% [markdown]
# It does not. Its keys were made to be told apart by a softmax. Trained with it, a model does better:

# %%
here.trained_with_it()

# %% [markdown]
# With each matrix the share falls as more is written in between. Linear attention finds .63 of the facts over 16 bytes,
# the delta rule .93. (The full cache's model was trained much longer, so not all of its lead is due to its memory.)

# %% claims
four, swapped, shares = here.read_by_four(), here.swapped_in(), here.right_answers()
assert four["full cache"].right and four["delta rule"].right and not four["linear attention"].right
assert four["linear attention"].recipe_dye[:, -1].min() > 0.99  # nothing is ever taken away
assert 0.3 < four["delta rule"].recipe_dye[:, -1].mean() < 0.7
assert not any(one.right for one in swapped.values())
assert shares["delta rule"][32] > 0.8 and shares["delta rule"][512] < 0.3
assert all(shares["full cache"][far] > shares["delta rule"][far] + 0.05 for far in (32, 128, 256, 512))
assert all(shares["linear attention"][far] < shares["delta rule"][far] - 0.05 for far in (16, 32, 64, 128))
assert abs(shares["linear attention"][16] - 0.63) < 0.01 and abs(shares["delta rule"][16] - 0.93) < 0.01
assert all(share[512] < 0.3 for name, share in shares.items() if name != "full cache")

# %% [markdown]
# ## What it costs
#
# A matrix has $d\cdot d$ numbers, $n$ pairs have $2\,n\,d$. So the matrix is smaller from $n=d/2$ on.

# %%
here.what_it_costs()

# %% [markdown]
# One price stands in no table: **there is no way back**. A cache can be cut to any earlier token. From $S$ the past cannot
# be had, for two pasts can end in one state.

# %% claims
cost = here.bytes_of()
assert cost["full cache"][2] == 16 * (32 + 32) * 4 == 32 * 32 * 4 and cost["delta rule"] == [32 * 32 * 4 + 8] * 6
assert cost["linear attention"] == [(32 * 32 + 32) * 8 + 8] * 6  # sums of eight bytes a number
twice = torch.eye(4)[[0, 0]]  # one key, bound two times
pasts = [states(Rule(), KV(twice, torch.tensor([[old], [5.0]]))) for old in (1.0, 9.0)]
assert not torch.equal(pasts[0][0].s, pasts[1][0].s) and torch.equal(pasts[0][1].s, pasts[1][1].s)

# %% [markdown]
# ## Four questions to take along

# %%
ask("03b", "order", "half", "size", "alarm")

# %% [markdown]
# ## Words of this chapter
#
# - **outer product** $k\,v^\top$: the table of all products of a number of $k$ with a number of $v$.
# - **matrix memory**, or **fast weights**: a table $S$ of fixed size into which pairs are written.
# - **orthogonal**: two keys whose product is 0. **crosstalk**: what a key reads of pairs whose keys are not.
# - **linear attention**: weights that are products of features; all pairs summed into one matrix.
# - **feature map** $\varphi$: what keys and queries go through before they are multiplied.
# - **delta rule**: write the error, not the value. **gated delta rule**: the same on a state that fades first.
# - **capacity**: how many pairs survive. **re-binding**: the same key gets a new value.
#
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 03b`, then open `my/03b_fast_weights.ipynb`.

# %% [markdown]
# ## Deeper: capacity and width
#
# Pairs that survive with $\beta=1$, when four times as many as the width were written. Beside it: up to how many pairs a
# bare sum, and a delta rule of $\beta=0.1$, tell nine of ten right.

# %%
here.by_width()

# %% [markdown]
# **The loss belongs to the rule, not to the matrix.** The sum and the small $\beta$ keep three to four times as many with
# twice the width, nearly as the bytes grow. What survives is *which* value it was. The crosstalk of many random keys
# points nowhere in particular, so the wanted value is still the nearest. The read itself is far off.

# %% claims
for name, found in here.kept_by_width().items():
    low, high = (2.1, 2.8) if "survive" in name else (3, 4.2)
    assert all(low < more / less < high for less, more in zip(found, found[1:], strict=False))
assert here.off()["bare sum"] > 1.5

# %% [markdown]
# ## Deeper: one step of gradient descent
#
# Think of $S$ as a tiny network that should answer $v$ to $k$. Its loss is $\tfrac12\lVert S^\top k-v\rVert^2$. One step of
# gradient descent with rate $\beta$ **is** the delta rule: the memory is trained, one example a token, while it reads.
#
# **Why keys of length 1?** Along $k$ the old state is multiplied by $1-\beta\lVert k\rVert^2$. With length 1 that lies
# between 0 and 1. With $\beta=1$ and keys of 32 normal numbers it is about $-31$:

# %%
here.raw_keys()

# %% claims
assert here.trained_by_descent(1.0) < 1e-4 and here.trained_by_descent(0.3) < 1e-4
assert len(here.lengths_of_state()) < 100
made = torch.Generator().manual_seed(0)
raw = KV(torch.randn(10_000, 32, generator=made), torch.randn(10_000, 32, generator=made))
assert Rule().update(Rule().init(raw), raw).s.abs().max() < 100
_, k, v = here.heads()
assert torch.allclose(states(Rule(), KV(k * 1000, v))[-1].s, states(Rule(), KV(k, v))[-1].s, atol=1e-4)

# %% [markdown]
# ## Deeper: weights below zero
#
# Attention gives each pair a weight of at least 0, and all together 1. Linear attention keeps that. The delta rule does
# not: to correct an answer it must **subtract** what was there. Nor do its weights sum to 1.

# %%
here.weights_below_zero()

# %% claims
q = here.heads()[0]
received, added = here.view(Rule(), q, k), here.view(here.LinearAttention(), q, k)
assert torch.allclose(added.sum(-1), torch.ones(len(q)), atol=1e-4)
assert received.min() < -0.05 and (received.sum(-1) - 1).abs().max() > 0.1
asked = torch.tensor([[1.0, 0.0], [-0.6, 0.8]])
got = here.outputs(Rule(), asked, KV(here.KEYS, here.VALUES))[-1]
assert got[0] < here.VALUES[:, 0].min()  # outside of all values: no average gives that
assert torch.allclose(here.recipe(here.LinearAttention(), k)[-1], (torch.nn.functional.elu(k) + 1).T, atol=1e-5)
assert (here.recipe(Rule(), k)[-1] != 0).all()  # each row holds something of every token

# %% [markdown]
# ## Deeper: learning to look up
#
# A fresh model of two layers learns, with each memory, to look up keys it has seen once (Arora 2023, arXiv 2312.04927):
# 8 pairs in 64 tokens, 600 steps. The runs are stored; `python -m memlib.tasks.experiments mqar` made them. **Predict** the
# order, best first.

# %%
here.learning_to_look_up()

# %% [markdown]
# Softmax finds it first, linear attention soon after. The delta rule sits at chance for hundreds of steps, then gets
# nearly there. The gated one can do all that the delta rule can, and is still at chance when the first seed stops. **What a
# memory can hold and when training finds it are two questions.** A likely reason: an untrained softmax read is an average
# of all values, a first hint. An untrained delta rule reads noise.

# %% claims
final = {name: [run["accuracy"] for run in seeds] for name, seeds in here.runs().items()}
half = {
    name: [next((step for step, found in run["curve"] if found >= 0.5), 10_000) for run in seeds]
    for name, seeds in here.runs().items()
}
assert min(final["full cache"]) > 0.99 > max(final["linear attention"])
assert min(final["linear attention"]) - 0.1 > max(final["window of 32"])
assert min(final["window of 32"]) > 2 * max(final["cumulative average"]) and min(final["cumulative average"]) > 0.05
assert final["delta rule"][0] > 0.9 and final["gated delta"][0] < 0.1
assert all(dict(run["curve"])[200] < 0.1 for name in ("delta rule", "gated delta") for run in here.runs()[name])
assert max(half["full cache"] + half["linear attention"]) < min(half["delta rule"] + half["gated delta"])
noise, no_meaning = here.random_stream()
untrained = {m: here.view(m, noise[:64], no_meaning.k[:64])[32:].sum(-1) for m in (here.LinearAttention(), Rule(0.5))}
linear, delta = untrained.values()
assert (linear - 1).abs().max() < 1e-4 and delta.mean().abs() < 0.3 < delta.std()

# %% [markdown]
# ## Deeper: two names for one thing
#
# Linear attention is *efficient attention* and *internal memory* at once. Compare each query with each key, or first add
# up the pairs; a sum of products can be bracketed both ways:
#
# $$\sum_{j\le i}\big(\varphi(q_i)^\top\varphi(k_j)\big)\,v_j^\top=\varphi(q_i)^\top\Big(\sum_{j\le i}\varphi(k_j)\,v_j^\top\Big).$$
#
# Training mixes the two, **chunk by chunk**: inside a chunk a small table, from chunk to chunk the matrix. The delta rule
# has such a form too. The same numbers, only faster than the loop; measured as you run the cell.

# %%
here.loop_or_chunks()

# %% claims
q, k, v = here.heads()
features = torch.nn.functional.elu
compared = ((features(q) + 1) @ (features(k) + 1).T).tril()  # all comparisons, no state
by_table = compared / compared.sum(-1, keepdim=True) @ v
assert torch.allclose(by_table, here.outputs(here.LinearAttention(), q, KV(k, v)), atol=1e-4)
asks, kv = here.random_stream()
for memory in (here.LinearAttention(), Rule(), here.GatedDelta(0.99, 0.9)):
    assert torch.allclose(here.outputs(memory, asks, kv), here.attend_all(memory, asks, kv), atol=1e-3)
