# %% [markdown]
# # Exercise 00 · Attention by your own hand
#
# Three core tasks (about 20 minutes), four stretch tasks and a bonus.
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.

# %%
import torch

from memlib import KV, Full, outputs, state_bytes, states
from memlib.course import grade_button, inputs, look, number, report

# %% [markdown]
# ## Core 1 · One read, by hand (2 points, 6 minutes)
#
# Three pairs stand in the cache. Keys and query have one number each, so $\sqrt d = 1$. The scores $q\,k_i$
# are $\ln 2,\ \ln 1,\ \ln 5$. The values are 10, 20 and 40. Write the three weights, and the result of the read.
#
# A worked example: for scores $\ln 1, \ln 3$ the exponentials are 1 and 3, the weights 0.25 and 0.75.
#
# <details><summary>Hint 1</summary>The exponential undoes the logarithm.</details>
# <details><summary>Hint 2</summary>The exponentials are 2, 1 and 5; the weights are their shares of the sum.</details>
# <details><summary>Hint 3</summary>The read is weight times value, summed over the three pairs.</details>

# %% task="by_hand" points=2 kind="hand" minutes=6
# BEGIN SOLUTION
weights = [0.25, 0.125, 0.625]
result = 30.0
# END SOLUTION

# %% check="by_hand"
# NEXT: Weights: do they sum to one, in the ratio of the exponentials? Result: each weight times its value, summed.
# WHY weights == [2, 1, 5] or result == 240: These are the exponentials as they are. Weights are shares of their sum.
# WHY weights == [0.625, 0.125, 0.25] or result == 18.75: The order is turned round: the first weight belongs to the score ln 2.
# WHY weights == [0, 0, 1] or result == 40: That is the strongest pair alone. Softmax leaves each pair its share.
# WHY abs(result - 70 / 3) < 0.1: That is the plain mean of the three values. Each value counts by its own weight.
report("weights", weights, axes=("pair",), digits=3, sealed=True)
report("result", result, digits=3, sealed=True)

# %% [markdown]
# ## Core 2 · Attention in a few lines (3 points, 10 minutes)
#
# Write `read(q, k, v, temperature)`: what one query `q [d]` receives from keys `k [n, d]` and values
# `v [n, e]`. The scores are $q\cdot k_i/(\sqrt d\,\cdot$ temperature$)$: the higher the temperature, the more
# evenly the weights are spread. Give a tensor `[e]`. With temperature 1 it is ordinary attention. (Write it out: a
# ready attention function would do it, and teach you nothing.)
#
# <details><summary>Hint 1</summary>Three steps: scores, weights, average.</details>
# <details><summary>Hint 2</summary><code>k @ q</code> gives all scores at once, shape <code>[n]</code>.</details>
# <details><summary>Hint 3</summary>The softmax runs over the pairs; then weights times <code>v</code>.</details>


# %% task="read" points=3 kind="write" minutes=10 hides=["attend"]
def read(q, k, v, temperature=1.0):
    # BEGIN SOLUTION
    scores = k @ q / (q.shape[-1] ** 0.5 * temperature)
    return torch.softmax(scores, 0) @ v
    # END SOLUTION


# %% check="read"
# NEXT: Print your weights: one for each pair, summing to one? Then look at the divisor of the scores.
n, d = number(3, 6, name="n"), 2 * number(2, 4, name="d")
q, k, v = inputs(d, name="q"), inputs(n, d, name="k"), inputs(n, 3, name="v")
for temperature in (1.0, 0.5, 4.0):
    report(f"read at temperature {temperature}", read(q, k, v, temperature), axes=("number",))

# %% [markdown]
# ## Core 3 · The bytes of a cache (2 points, 6 minutes)
#
# Write `cache_bytes(layers, kv_heads, width, tokens, batch, number_bytes)`: how many bytes a model's ordinary
# cache takes when `tokens` tokens of each of `batch` texts have been read. `width` is the width of one head.
# For the course's model after one byte of one text: `cache_bytes(3, 4, 32, 1, 1, 4)` is 3072.
#
# <details><summary>Hint 1</summary>What is kept of one token, in one head of one layer?</details>
# <details><summary>Hint 2</summary>A key AND a value, each of <code>width</code> numbers.</details>
# <details><summary>Hint 3</summary>Then it is one product of all six numbers, and of the two.</details>


# %% task="bytes" points=2 kind="write" minutes=6
def cache_bytes(layers, kv_heads, width, tokens, batch, number_bytes):
    # BEGIN SOLUTION
    return 2 * layers * kv_heads * width * tokens * batch * number_bytes
    # END SOLUTION


# %% check="bytes"
# NEXT: Compare with 3072 for the course's model: is yours half of it, or does one factor not matter at all?
layers, heads, tokens = number(2, 40, name="layers"), number(2, 9, name="heads"), number(100, 999, name="tokens")
report("two bytes a number", cache_bytes(layers, heads, 64, tokens, 3, 2), digits=0)
report("four bytes a number", cache_bytes(layers, heads + 1, 128, tokens, 1, 4), digits=0)
kv = KV(torch.zeros(2, heads, tokens % 50 + 1, 16), torch.zeros(2, heads, tokens % 50 + 1, 16))
one_layer = state_bytes(states(Full(), kv)[-1])
report("as the library counts", cache_bytes(1, heads, 16, tokens % 50 + 1, 2, 4) == one_layer)

# %% [markdown]
# ## Stretch 1 · What is Mem? (1 point, 3 minutes)
#
# Standard attention, tokens counted from 0. Write the tokens whose pairs are in Mem when the query of token
# 4 reads, oldest first; and how many pairs Mem has after n tokens have been read, for n = 1000.
#
# <details><summary>Hint 1</summary>The current token reads its own pair too.</details>
# <details><summary>Hint 2</summary>Nothing later than itself: that is what "causal" means.</details>
# <details><summary>Hint 3</summary>Tokens 0 to 4 are five pairs. After n tokens it is ...?</details>

# %% task="mem" points=1 kind="hand" minutes=3
# BEGIN SOLUTION
at_4 = [0, 1, 2, 3, 4]
after_1000 = 1000
# END SOLUTION

# %% check="mem"
# NEXT: Count the pairs: one for each token that has been read, the current one included.
# WHY at_4 == [0, 1, 2, 3]: The newest is missing: a query reads its own pair too.
# WHY at_4 == [4, 3, 2, 1, 0]: These are the tokens, but the oldest stands first.
# WHY after_1000 == 1001: Tokens are counted from 0. How many pairs are there after tokens 0 and 1?
# WHY after_1000 == 999: One pair for every token that has been read, the last one included.
report("Mem at token 4", at_4, axes=("place",), digits=0, sealed=True)
report("pairs after 1000 tokens", after_1000, digits=0, sealed=True)

# %% [markdown]
# ## Stretch 2 · n doubles (2 points, 5 minutes)
#
# The text becomes twice as long, and long already. By which factor does the work of attention grow: for ONE
# token at the end of the text, and for the WHOLE text? For a full cache, and for a memory of fixed size.
#
# <details><summary>Hint 1</summary>The work of one read is proportional to the pairs in the memory.</details>
# <details><summary>Hint 2</summary>The whole is the sum over all tokens.</details>
# <details><summary>Hint 3</summary>1 + 2 + ... + n is about n²/2.</details>

# %% task="doubling" points=2 kind="hand" minutes=5
# BEGIN SOLUTION
full_one_token = 2
full_whole_text = 4
fixed_one_token = 1
fixed_whole_text = 2
# END SOLUTION

# %% check="doubling"
# NEXT: Write down how many pairs are read at token 10 and at token 20, then sum from 1 to 10 and to 20.
# WHY full_one_token == 1: A full cache grows: at the end of the longer text one read goes over more pairs.
# WHY full_one_token == 4: This asks for one token alone. How many more pairs does its one read go over?
# WHY full_whole_text == 2: Twice as many tokens, and each of them also reads more pairs.
# WHY fixed_one_token == 2: A memory of fixed size does not grow: later in the text it holds as many pairs as before.
# WHY fixed_whole_text in (1, 4): Each read costs the same as before. But how many reads are there?
report("full cache, one token", full_one_token, digits=0, sealed=True)
report("full cache, whole text", full_whole_text, digits=0, sealed=True)
report("fixed memory, one token", fixed_one_token, digits=0, sealed=True)
report("fixed memory, whole text", fixed_whole_text, digits=0, sealed=True)

# %% [markdown]
# ## Stretch 3 · The map (1 point, 4 minutes)
#
# Which of the three is which? Write `"efficient"` (efficient attention), `"internal"` (internal memory) or
# `"external"` (external memory).
#
# - **a** Beside the model stands a store of ten million pairs, some from other documents. Each query fetches
#   the few pairs nearest to it.
# - **b** The model keeps a state of 64 slots. Each new pair changes the state; what is not in it is gone.
# - **c** All pairs are kept, but each query is compared only with every eighth of them, in a fixed pattern.
#
# <details><summary>Hint 1</summary>Ask of each: where do old pairs live, and does their number grow?</details>
# <details><summary>Hint 2</summary>One of them changes only which pairs are compared.</details>
# <details><summary>Hint 3</summary>A store that outlives the sequence stands outside the model.</details>

# %% task="map" points=1 kind="order" minutes=4
# BEGIN SOLUTION
a = "external"
b = "internal"
c = "efficient"
# END SOLUTION

# %% check="map"
# NEXT: Ask where the old pairs live: in a state of fixed size, in a store beside the model, or still in the cache.
# WHY a in ("internal", "internal memory"): This store stands beside the model, with pairs of other documents.
# WHY b in ("external", "external memory"): What is not in the 64 slots is gone. There is no store from which it could be fetched.
# WHY c in ("internal", "internal memory"): Here no state of fixed size stands for the past: all pairs are still there.
for letter, answer in {"a": a, "b": b, "c": c}.items():
    report(letter, answer if answer is ... else str(answer).strip().split(" ")[0], sealed=True)

# %% [markdown]
# ## Stretch 4 · Find the bug (2 points, 6 minutes)
#
# This causal attention over a whole text runs, and what it gives has the right shape. Two lines are wrong.
# `q, k: [n, d]`, `v: [n, e]`.
#
# <details><summary>Hint 1</summary>Print the weights for three tokens: which rows or columns sum to one?</details>
# <details><summary>Hint 2</summary>What weight does a hidden token get when its score is 0? Which score gives weight 0?</details>
# <details><summary>Hint 3</summary>A hidden score must be minus infinity BEFORE the softmax; a zero is still a score.</details>


# %% task="bug" points=2 kind="bug" minutes=6 hides=["attend", "attend_all", "outputs", "view"]
def causal(q, k, v):
    scores = q @ k.T / q.shape[-1] ** 0.5
    allowed = torch.ones(len(q), len(q)).tril().bool()
    # BEGIN SOLUTION
    scores = scores.masked_fill(~allowed, -torch.inf)
    weights = torch.softmax(scores, -1)
    # GIVEN
    # scores = scores * allowed
    # weights = torch.softmax(scores, 0)
    # END SOLUTION
    return weights @ v


# %% check="bug"
# NEXT: Print the weights for three tokens: does each ROW sum to one, and is everything right of the diagonal zero?
n = number(4, 7, name="n")
q, k, v = inputs(n, 4, name="q"), inputs(n, 4, name="k"), inputs(n, 2, name="v")
report("what each query receives", causal(q, k, torch.eye(n)), axes=("query", "token"))
report("read", causal(q, k, v), axes=("query", "number"))

# %% [markdown]
# ## Bonus · Read what you want (2 points on top, open end)
#
# The keys below are given. Find **one** query `q` of length at most 5 (`q.norm() <= 5`) that receives at least
# nine tenths of its read from token 3. Any way is allowed: thinking, trying, or `torch` doing it for you.
#
# <details><summary>Hint</summary>A score is large where the query points the way the key points, and away from the others.</details>

# %%
keys = torch.tensor([[2.0, 0.5, 0.0], [1.5, 1.5, 0.5], [-1.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.0, -2.0, 1.0]])

# %% task="design" points=2 kind="design" minutes=10 bonus=true
# BEGIN SOLUTION
query = torch.tensor([1.4, 0.9, 4.7])
# END SOLUTION

# %% check="design"
# NEXT: Is it short enough? Then print the five weights: which other token still takes some, and in which direction does its key differ?
KEYS = torch.tensor([[2.0, 0.5, 0.0], [1.5, 1.5, 0.5], [-1.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0.0, -2.0, 1.0]])
query = torch.as_tensor(query, dtype=torch.float32)
report("length at most 5", float(query.norm()) <= 5)
report("token 3 gets nine tenths", float(outputs(Full(), query.expand(5, 3), KV(KEYS, torch.eye(5)))[-1, 3]) >= 0.9)

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("00_cache")
