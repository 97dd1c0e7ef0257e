# %% [markdown]
# # Exercise 03b · Matrices of your own
#
# Three core tasks (about 22 minutes), five stretch tasks and a bonus.
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.

# %%
import torch
import torch.nn.functional as F

from memlib import KV, DeltaRule, outputs, recipe, state_bytes, states, tasks, view
from memlib.course import grade_button, inputs, look, number, report

# %% [markdown]
# ## Core 1 · Two writes by hand (2 points, 7 minutes)
#
# Two pairs are written into an empty 2 by 2 matrix: first $k_1=(1,0)$ with $v_1=(2,4)$, then $k_2=(0.8,0.6)$ with
# $v_2=(5,0)$. Both keys have length 1. Write the matrix and what $k_1$ reads at the end: once when outer products are
# only **summed** (no $\varphi$), once by the **delta rule** with $\beta=1$.
#
# A worked example: after the first pair both matrices are `[[2, 4], [0, 0]]`, and $k_1$ reads `[2, 4]`.
#
# <details><summary>Hint 1</summary>Row i of an outer product is the value times number i of the key.</details>
# <details><summary>Hint 2</summary>For the delta rule ask first: what does the matrix answer to the second key? 0.8 times its row 0.</details>
# <details><summary>Hint 3</summary>The second value minus that answer is the error. With which key is it bound, and what is it added to?</details>

# %% task="by_hand" points=2 kind="hand" minutes=7
# BEGIN SOLUTION
summed = [[6, 4], [3, 0]]
summed_read = [6, 4]
corrected = [[4.72, 1.44], [2.04, -1.92]]
corrected_read = [4.72, 1.44]
# END SOLUTION

# %% check="by_hand"
# NEXT: Sum: both outer products, number by number. Delta: what k2 reads BEFORE it is written, then the error.
# WHY summed == [[6, 3], [4, 0]]: Rows and columns are exchanged: row i belongs to number i of the key.
# WHY corrected == [[6, 4], [3, 0]]: That is the sum once more. The delta rule adds the error: the value minus what the key reads already.
# WHY corrected_read == [2, 4]: The second key is not orthogonal to the first, so writing it changes what the first reads.
report("summed", summed, axes=("row", "column"), digits=2, sealed=True)
report("k1 reads, summed", summed_read, axes=("column",), digits=2, sealed=True)
report("corrected", corrected, axes=("row", "column"), digits=2, sealed=True)
report("k1 reads, corrected", corrected_read, axes=("column",), digits=2, sealed=True)

# %% [markdown]
# ## Core 2 · One update in order (1 point, 3 minutes)
#
# Four of these five events make one step of the gated delta rule. Write their letters in the order in which they
# happen, as one word such as `"abcd"`, and the letter of the event that belongs to another memory.
#
# - **a** The query is multiplied with the matrix: the read.
# - **b** The matrix is asked for the key; the value minus its answer is the error.
# - **c** The matrix is multiplied by alpha.
# - **d** The outer product of the key and beta times the error is added to the matrix.
# - **e** What was read is divided by the query's product with the sum of all keys.
#
# <details><summary>Hint 1</summary>A token sees itself: what must have happened before it reads?</details>
# <details><summary>Hint 2</summary>The error is an error of the faded matrix.</details>
# <details><summary>Hint 3</summary>Correcting takes two events; one of them needs what the other gives.</details>

# %% task="order" points=1 kind="order" minutes=3
# BEGIN SOLUTION
order = "cbda"
other = "e"
# END SOLUTION

# %% check="order"
# NEXT: Which event needs the result of which other? The error needs the faded matrix, the write needs the error.
# WHY order == "bcda": The error is taken of the faded matrix: what must come before it?
# WHY order in ("acbd", "cabd"): A token sees itself: its pair is written before its query reads.
# WHY other == "c": The gated delta rule fades its matrix: that is its gate.
report("order", order, sealed=True)
report("of another memory", other, sealed=True)

# %% [markdown]
# ## Core 3 · A matrix whose rows fade at their own pace (3 points, 12 minutes)
#
# A relative of linear attention without $\varphi$ and without division: before each pair is added, **row j of the
# state is multiplied by `fade[j]`**. Rows with a fade near 1 remember long, others only a moment:
#
# $$S\leftarrow\mathrm{diag}(f)\,S+k\,v^\top,\qquad\text{read}\quad S^\top q .$$
#
# Write `update` (pair by pair; `new` may hold several) and `read` (`q` is `[i, d]`, the result `[i, e]`). The state is
# the tensor `S [d, e]`; in a model it has `[batch, heads]` in front, so use `.mT` and `...` rather than `.T`.
# A worked example with `fade = [1.0, 0.5]`: the pairs $((1,1),\,8)$ and $((1,0),\,4)$ leave the rows $(12)$ and $(4)$.
#
# <details><summary>Hint 1</summary>Cut one pair out so that it stays a table: <code>new.k[..., t : t + 1, :]</code> is <code>[..., 1, d]</code>.</details>
# <details><summary>Hint 2</summary><code>key.mT @ value</code> is the outer product, <code>[..., d, e]</code>.</details>
# <details><summary>Hint 3</summary>To multiply ROWS, <code>fade</code> must stand as a column: <code>fade[:, None]</code>.</details>


# %% task="rows" points=3 kind="write" minutes=12 hides=["LinearAttention", "GatedDelta", "DeltaRule"]
class FadingRows:
    def __init__(self, fade):
        self.fade = torch.as_tensor(fade)

    def init(self, like):
        return like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        # BEGIN SOLUTION
        for t in range(new.n):
            key, value = new.k[..., t : t + 1, :], new.v[..., t : t + 1, :]
            mem = self.fade[:, None] * mem + key.mT @ value
        return mem
        # END SOLUTION

    def read(self, mem, q):
        # BEGIN SOLUTION
        return q @ mem
        # END SOLUTION

    def slots(self, mem):
        return KV(torch.eye(mem.shape[-2]).expand(*mem.shape[:-1], mem.shape[-2]), mem)


# %% check="rows"
# NEXT: Two pairs by hand: does ROW j fade by fade[j], before the new pair is added, once for every pair?
mine = FadingRows([1.0, 0.6, number(1, 9, name="fade") / 10])
k, v, q = 0.5939 * inputs(6, 3, name="k"), inputs(6, 2, name="v"), inputs(6, 3, name="q")
report("rows", recipe(mine, k)[-1], axes=("row", "token"))
report("read", outputs(mine, q, KV(k, v))[-2:], axes=("query", "number"))
report("all pairs at once", mine.update(mine.init(KV(k, v)), KV(k, v)), axes=("row", "number"))
many = KV(0.5939 * inputs(2, 4, 3, name="many k"), inputs(2, 4, 2, name="many v"))
report("two heads", outputs(mine, inputs(2, 4, 3, name="many q"), many)[:, -1], axes=("head", "number"))

# %% [markdown]
# ## Stretch 1 · Find the bugs (2 points, 8 minutes)
#
# This gated delta rule runs and its numbers look reasonable. Three things are wrong with the lines in `update`:
# something that must be done to the key is missing, something happens too early, and two names stand in each other's
# place.
#
# <details><summary>Hint 1</summary>With <code>alpha=1, beta=1</code> the newest pair must be exact. When is it not?</details>
# <details><summary>Hint 2</summary>The error is what the FADED state gets wrong.</details>
# <details><summary>Hint 3</summary>alpha multiplies the state, beta the error; the key has length 1.</details>


# %% task="bug" points=2 kind="bug" minutes=8 hides=["LinearAttention", "GatedDelta", "DeltaRule"]
class Gated:
    def __init__(self, alpha, beta):
        self.alpha, self.beta = alpha, beta

    def init(self, like):
        return torch.zeros(like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        for t in range(new.n):
            key, value = new.k[t : t + 1], new.v[t : t + 1]
            # BEGIN SOLUTION
            key = F.normalize(key, dim=-1)
            mem = self.alpha * mem
            error = value - key @ mem
            mem = mem + key.mT @ (self.beta * error)
            # GIVEN
            # error = value - key @ mem
            # mem = self.beta * mem
            # mem = mem + key.mT @ (self.alpha * error)
            # END SOLUTION
        return mem

    def read(self, mem, q):
        return F.normalize(q, dim=-1) @ mem

    def slots(self, mem):
        return KV(torch.eye(len(mem)), mem)


# %% check="bug"
# NEXT: Try a key of length 2 with alpha 1 and beta 1; then alpha 0.5 and beta 1: the newest pair is exact in both.
alpha, beta = number(5, 9, name="alpha") / 10, number(2, 4, name="beta") / 10
k = inputs(5, 3, name="k") + torch.tensor([0.125, 2.125, 0.0])
report("rows", recipe(Gated(alpha, beta), k)[1], axes=("row", "token"))
report("view", view(Gated(1.0, 1.0), k, k)[-1], axes=("token",))
report("only alpha", view(Gated(alpha, 1.0), k, k)[-1], axes=("token",))
report("only beta", view(Gated(1.0, beta), k, k)[-1], axes=("token",))
report("read", outputs(Gated(alpha, beta), k, KV(k, inputs(5, 2, name="v")))[-1], axes=("number",))

# %% [markdown]
# ## Stretch 2 · Forget on request (2 points, 5 minutes)
#
# A user wants the door code removed, and nothing else. Write `erase(s, key)`: from a state `S [d, e]` make one in which
# `key [d]` (of **any** length, not 0) reads zeros, while every key orthogonal to it reads what it read before. Give a
# new tensor; leave `s` as it is. Example: erasing `(2, 0)` from `[[3, 4], [0, 4]]` leaves `[[0, 0], [0, 4]]`.
#
# <details><summary>Hint 1</summary>Which value would you bind to the key so that it reads nothing?</details>
# <details><summary>Hint 2</summary>A delta rule with beta 1 and the value 0: the error is minus what the key reads now.</details>
# <details><summary>Hint 3</summary>Bring the key to length 1. What it reads now, bound to it, is what has to go.</details>


# %% task="erase" points=2 kind="write" minutes=5 hides=["GatedDelta", "DeltaRule"]
def erase(s, key):
    # BEGIN SOLUTION
    unit = F.normalize(key, dim=0)
    return s - torch.outer(unit, unit @ s)
    # END SOLUTION


# %% check="erase"
# NEXT: Multiply key and result: zeros? Then take a key orthogonal to it: does it read what it read before?
s = inputs(4, 3, name="s")
key = inputs(4, name="key") + torch.tensor([2.375, 0.0, 0.0, 0.0])
before = s.clone()
report("the state after", erase(s, key), axes=("row", "number"))
report("the key reads nothing", bool((key @ erase(s, key)).abs().max() < 1e-4))
report("the old state is untouched", torch.equal(s, before))

# %% [markdown]
# ## Stretch 3 · How wide must it be? (2 points, 5 minutes)
#
# A delta rule with $\beta=1$ and a state of $d$ by $d$ shall recall at least **nine of ten** random pairs. The widths on
# offer are 16, 32, 64, 128 and 256. Choose the **smallest** that will do for 20 pairs, for 50, and for 90. The check
# measures it (`tasks.recall(DeltaRule(), pairs, width=d)`; you may measure as well).
#
# <details><summary>Hint 1</summary>About as many pairs survive as the key has dimensions, but the oldest of them are already shaky.</details>
# <details><summary>Hint 2</summary>64 by 64 recalls nearly all of 32 pairs, and about nine tenths of 64.</details>
# <details><summary>Hint 3</summary>Print the recall of every width for 20 pairs.</details>

# %% task="width" points=2 kind="choose" minutes=5 parts=["20 pairs", "50 pairs", "90 pairs"]
# BEGIN SOLUTION
for_20 = 32
for_50 = 64
for_90 = 128
# END SOLUTION

# %% check="width"
# NEXT: Measure your width and the next smaller one: the first must reach 0.9, the second must not.
# WHY for_20 == 16: More pairs than the key has dimensions: they get in each other's way.
# WHY for_20 in (64, 128, 256): That will do, but half of it will do as well.
# WHY for_50 in (128, 256): That will do for 50, but half of it will do as well.
# WHY for_90 == 64: About as many pairs are found as the key has dimensions, and here more are asked for.
# WHY for_90 == 256: That will do for 90, but half of it will do as well.
if any(choice is ... for choice in (for_20, for_50, for_90)):
    raise NotImplementedError("one of the three widths is not chosen yet")
seed = number(1, 9999, name="seed")
for pairs, d in ((20, for_20), (50, for_50), (90, for_90)):
    report(f"{pairs} pairs, a width on offer", int(d) in (16, 32, 64, 128, 256))
    report(f"{pairs} pairs, nine of ten", tasks.recall(DeltaRule(), pairs, int(d), trials=16, seed=seed), least=0.9)
    report(f"{pairs} pairs, half would not do", tasks.recall(DeltaRule(), pairs, int(d) // 2, 16, seed) < 0.9)

# %% [markdown]
# ## Stretch 4 · Bound again and again (1 point, 4 minutes)
#
# 16 keys, orthogonal to one another, are bound in turn, 5 times each (so 80 pairs come by). Then each key is asked for
# its newest value. Where a memory holds several values of a key behind equal keys it can only guess. Write the
# expected share of right answers: of a **full** cache without positions, of a **window of 40** pairs, of the **delta
# rule** with $\beta=1$.
#
# <details><summary>Hint 1</summary>How many values of each key does the memory still hold?</details>
# <details><summary>Hint 2</summary>40 pairs are two whole rounds of 16, and 8 pairs more.</details>
# <details><summary>Hint 3</summary>Some keys have three values left, the others two. How many of each, and how good is a guess?</details>

# %% task="rebind" points=1 kind="hand" minutes=4
# BEGIN SOLUTION
full_share = 1 / 5
window_share = (1 / 3 + 1 / 2) / 2
delta_share = 1.0
# END SOLUTION

# %% check="rebind"
# NEXT: Count for one key how many of its five values are still held; a guess among m is right once in m.
# WHY full_share == 1: Equal keys get equal weights: the newest value does not stand out.
# WHY window_share in (1 / 2, 1 / 3): Not all keys have the same number of values in the window: 40 is no whole number of rounds.
# WHY delta_share == 1 / 5: The delta rule first takes out what the key reads already. How many of its values are left?
report("full", full_share, digits=2, sealed=True)
report("window of 40", window_share, digits=2, sealed=True)
report("delta", delta_share, digits=2, sealed=True)

# %% [markdown]
# ## Stretch 5 · Explain a curve (1 point, 4 minutes)
#
# In the lesson a 64 by 64 delta rule with $\beta=1$ recalled about .55 of 128 pairs, .26 of 256 and .13 of 512. Which
# sentence explains **that** measurement? Write its letter.
#
# - **a** Every pair is blurred alike; the more pairs, the less likely each of them is found.
# - **b** Each new key takes its direction from older ones, so that only about the newest 64 are found, whatever came
#   before.
# - **c** The numbers of the state overflow when too many pairs are added.
# - **d** 16 KB hold 32 pairs of 128 numbers, so that 32 are found, whatever came before.
#
# <details><summary>Hint 1</summary>Multiply each share by its number of pairs.</details>
# <details><summary>Hint 2</summary>Two sentences speak of a constant number. Which number did you get?</details>
# <details><summary>Hint 3</summary>The picture by age showed which pairs they are.</details>

# %% task="explain" points=1 kind="explain" minutes=4
# BEGIN SOLUTION
letter = "b"
# END SOLUTION

# %% check="explain"
# NEXT: How many pairs are found at 128, at 256, at 512? And which ones, in the picture by age?
# WHY letter == "a": Multiply each share by its number of pairs: the number found hardly changes, and the picture by age showed which they are.
# WHY letter == "c": The delta rule writes errors, so its numbers stay small. Print the largest of them.
# WHY letter == "d": 32 of 128 would be .25. The measured share was .55.
report("letter", letter, sealed=True)

# %% [markdown]
# ## Bonus · More pairs through better features (2 points on top, open end)
#
# Keys and values have width 32. A delta rule of 32 by 32 (4 KB) recalls .44 of 64 pairs with $\beta=1$. You have
# **8 KB**. Before a key or a query reaches the matrix, it goes through your `features`, from `[..., 32]` to
# `[..., m]`; the state is then `m` by 32. Choose `features` and `beta` so that **more than .88** of 64 pairs are
# recalled, and at least **.95** of 16 keys that were bound 4 times answer with their newest value. The seeds are ones
# you have not seen. How far do you get?
#
# <details><summary>Hint</summary>More dimensions help only if keys become MORE orthogonal in them: repeating the key does not, products
# of its numbers do, if they are about as long as what stands beside them. And a beta below 1 spoils old pairs less.</details>

# %% task="design" points=2 kind="design" minutes=15 bonus=true
# BEGIN SOLUTION
beta = 0.5


def features(x):
    x = F.normalize(x, dim=-1)
    return torch.cat([x, F.normalize(x * x.roll(1, -1), dim=-1)], -1)


# END SOLUTION


# %% check="design"
# NEXT: Print the mean size of the cosine between the features of random keys: is it smaller than between the keys?
class Featured:
    segment, softmax, chunkable = None, False, True

    def __init__(self):
        self.rule = DeltaRule(float(beta))

    def init(self, like):
        return self.rule.init(KV(features(like.k), like.v))

    def update(self, mem, new, q=None):
        return self.rule.update(mem, KV(features(new.k), new.v))

    def read(self, mem, q):
        return self.rule.read(mem, features(q))


seed = number(1, 9999, name="seed")
report("within 8 KB", state_bytes(states(Featured(), KV(inputs(1, 32, name="k"), inputs(1, 32, name="v")))[-1]) <= 8200)
report("recalls more than .88 of 64", tasks.recall(Featured(), 64, width=32, trials=16, seed=seed) > 0.88)
report("newest value of .95", tasks.rebinding(Featured(), 4, width=32, trials=16, seed=seed) >= 0.95)

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("03b_fast_weights")
