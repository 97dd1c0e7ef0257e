# %% [markdown]
# # Exercise 01 · Windows of your own
#
# Three core tasks (about 20 minutes), four stretch tasks and a bonus.
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.

# %%
import math

import torch

from memlib import KV, Window, attend, join, recipe, state_bytes, states, view
from memlib.course import grade_button, inputs, look, number, report

# %% [markdown]
# ## Core 1 · A state by hand (1 point, 4 minutes)
#
# `Window(3, sinks=1)` reads tokens 0, 1, 2, ... one by one. A worked example: after token 2 it holds the
# tokens `[0, 1, 2]`. Write the tokens it holds after token 4 and after token 9, oldest first, and the number
# of the first token that is ever lost.
#
# <details><summary>Hint 1</summary>How many pairs fit in all? The sink comes on top of the three newest.</details>
# <details><summary>Hint 2</summary>After token 3 there are four pairs: full. Which one may never leave?</details>
# <details><summary>Hint 3</summary>Write the newest three, then put the sink in front if it is not there yet.</details>

# %% task="by_hand" points=1 kind="hand" minutes=4
# BEGIN SOLUTION
after_4 = [0, 2, 3, 4]
after_9 = [0, 7, 8, 9]
first_lost = 1
# END SOLUTION

# %% check="by_hand"
# NEXT: Count the newest three pairs, the current one included; the sink is a fourth.
# WHY after_4 == [2, 3, 4]: The sink is missing: it never leaves, and takes none of the three places.
# WHY after_4 == [0, 3, 4]: The sink is counted among the three. It has a place of its own.
# WHY after_4 == [2, 3, 4, 0]: These are the tokens, but the oldest stands first.
# WHY after_4 == [1, 2, 3, 4]: These are the newest four. One place belongs to the sink.
# WHY first_lost == 0: Token 0 is the sink. It stays for good.
# WHY first_lost == 2: Somebody had to leave before that: write down the state after token 3, then let token 4 in.
report("after token 4", after_4, axes=("place",), digits=0, sealed=True)
report("after token 9", after_9, axes=("place",), digits=0, sealed=True)
report("first lost", first_lost, digits=0, sealed=True)

# %% [markdown]
# ## Core 2 · The mask of a window (2 points, 6 minutes)
#
# Write `local_mask(n, size, sinks)`: a table `[n, n]` of booleans, row = query, column = key, True where a
# window of `size` with `sinks` sinks lets the query look. Without using `Window`. For `n=4, size=2, sinks=0`:
#
#     True  False False False
#     True  True  False False
#     False True  True  False
#     False False True  True
#
# <details><summary>Hint 1</summary>Two things must hold: not the future, and near enough (or a sink).</details>
# <details><summary>Hint 2</summary><code>torch.arange(n)[:, None]</code> is a column of query places; compare it with a row of key places.</details>
# <details><summary>Hint 3</summary>"Near enough" is a difference of places smaller than <code>size</code>.</details>


# %% task="mask" points=2 kind="write" minutes=6 hides=["Window"]
def local_mask(n, size, sinks=0):
    # BEGIN SOLUTION
    query, key = torch.arange(n)[:, None], torch.arange(n)[None, :]
    return (key <= query) & ((query - key < size) | (key < sinks))
    # END SOLUTION


# %% check="mask"
# NEXT: In row i the newest key is i itself; the oldest of the window is i - size + 1.
size, sinks = number(2, 4, name="size"), number(2, 3, name="sinks")
report("plain mask", local_mask(8, size, 0), axes=("query", "key"), digits=0)
report("with sinks", local_mask(8, size, sinks), axes=("query", "key"), digits=0)
report("short text", local_mask(2, size + 3, sinks), axes=("query", "key"), digits=0)

# %% [markdown]
# ## Core 3 · A dilated window (3 points, 12 minutes)
#
# A dilated window looks back in strides: at token t it reads the tokens t, t-stride, t-2·stride, ..., at
# most `size` of them. `DilatedWindow(3, 2)` after token 5 reads `[1, 3, 5]`, after token 4 `[0, 2, 4]`, after
# token 1 only `[1]`. Write `update` (the state after new pairs; it must stay bounded) and `slots` (the pairs
# that are read, oldest first). `mem.append(new)` has the new pairs behind the old ones. A `KV` can be cut like a list,
# `mem[-3:]`, but not in steps; for chosen pairs index with a tensor of places, `mem[torch.tensor([1, 3, 5])]`; `mem.n`
# says how many pairs it has.
#
# <details><summary>Hint 1</summary>What is read now is not what will be read next: pairs between the strides must be kept too.</details>
# <details><summary>Hint 2</summary>Keeping the newest <code>size * stride</code> pairs is enough; <code>slots</code> then picks.</details>
# <details><summary>Hint 3</summary>Count back from the newest place, <code>mem.n - 1</code>, in steps; then turn the order round.</details>


# %% task="dilated" points=3 kind="write" minutes=12 hides=["Window"]
class DilatedWindow:
    def __init__(self, size, stride):
        self.size, self.stride = size, stride

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        # BEGIN SOLUTION
        return mem.append(new)[-self.size * self.stride :]
        # END SOLUTION

    def slots(self, mem):
        # BEGIN SOLUTION
        back = torch.arange(mem.n - 1, -1, -self.stride)[: self.size]
        return mem[back.flip(0)]
        # END SOLUTION

    def read(self, mem, q, new=None, lse=False):
        return attend(q, self.slots(mem), lse, new)


# %% check="dilated"
# NEXT: Slots: the newest pair first, every stride-th before it, then the oldest in front. State: cut it in update.
size, stride = number(2, 3, name="size"), number(2, 3, name="stride")
mine, k = DilatedWindow(size, stride), inputs(11, 2, name="k")
report("recipe", recipe(mine, k), axes=("step", "slot", "token"))
report("view", view(mine, inputs(11, 2, name="q"), k)[-3:], axes=("query", "token"))
many = KV(inputs(90, 2, name="many k"), inputs(90, 2, name="many v"))
report("state stays bounded", state_bytes(states(mine, many)[-1]) <= 3 * size * stride * 4 * 4)

# %% [markdown]
# ## Stretch 1 · Find the bugs (2 points, 8 minutes)
#
# This window with sinks looks right at a glance. Three things are wrong with it: one shows while it fills,
# one in every state, one in the order. Mend the lines of `update`.
#
# <details><summary>Hint 1</summary>Print <code>recipe(SinkWindow(3, 1), torch.zeros(6, 1))</code> and read it step by step.</details>
# <details><summary>Hint 2</summary>While it fills a token can stand in the state twice: where do the newest pairs begin to count?</details>
# <details><summary>Hint 3</summary>Cut off the sinks before you count the newest. Which of the two parts is the older one?</details>


# %% task="bug" points=2 kind="bug" minutes=8 hides=["Window"]
class SinkWindow:
    def __init__(self, size, sinks):
        self.size, self.sinks = size, sinks

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        both = mem.append(new)
        # BEGIN SOLUTION
        first = both[: self.sinks]
        newest = both[self.sinks :][-self.size :]
        return join(first, newest)
        # GIVEN
        # first = both[: self.sinks]
        # newest = both[-(self.size - 1) :]
        # return join(newest, first)
        # END SOLUTION

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)


# %% check="bug"
# NEXT: Follow one token through the state: where does it enter, does it stand there twice, when does it leave?
size, sinks = number(2, 4, name="size"), number(1, 3, name="sinks")
report("recipe", recipe(SinkWindow(size, sinks), inputs(10, 2, name="k")), axes=("step", "slot", "token"))
report("one pair, one sink", recipe(SinkWindow(1, 1), inputs(5, 2, name="k")), axes=("step", "slot", "token"))

# %% [markdown]
# ## Stretch 2 · How many layers? (2 points, 6 minutes)
#
# Every layer reads a window of `size` and, as in our model, a convolution of width `conv` that spans
# `conv - 1` more tokens (`conv=1`: none). Write `layers_needed(distance, size, conv)`: the smallest number
# of layers through which the last token receives something of the token `distance` back (`distance >= 1`);
# `math.inf` where no number is enough. Example: `layers_needed(10, 6, 1)` is 2.
#
# <details><summary>Hint 1</summary>How many tokens further back does one layer see?</details>
# <details><summary>Hint 2</summary>One layer adds <code>size - 1 + conv - 1</code>.</details>
# <details><summary>Hint 3</summary>A division that rounds up; mind the window of one without convolution.</details>


# %% task="reach" points=2 kind="write" minutes=6
def layers_needed(distance, size, conv=1):
    # BEGIN SOLUTION
    further = size - 1 + conv - 1
    return math.ceil(distance / further) if further else math.inf
    # END SOLUTION


# %% check="reach"
# NEXT: Try distance = one layer's own reach, and one more: there the answer goes from 1 to 2.
size = number(3, 9, name="size")
report("bare windows", {f"distance {d}": layers_needed(d, size, 1) for d in range(1, 31)}, digits=0)
report("with conv 4", {f"distance {d}": layers_needed(d, size, 4) for d in range(1, 31)}, digits=0)
report("a window of one", layers_needed(5, 1, 1), digits=0)

# %% [markdown]
# ## Stretch 3 · Choose within ten pairs (2 points, 6 minutes)
#
# You may keep ten pairs in all: `size + sinks <= 10`. Three streams ask, at token t, for certain tokens:
#
# - **chat**: any of the ten newest;
# - **form**: the title (tokens 0 and 1) or any of the eight newest;
# - **agent**: its orders (tokens 0 to 5) or any of the four newest.
#
# Choose `(size, sinks)` for each. The check asks a few hundred times and measures the share of questions
# whose token is still in your memory.
#
# <details><summary>Hint 1</summary>Which tokens are asked for again and again, however old they are?</details>
# <details><summary>Hint 2</summary>The two numbers you want stand in the description of each stream.</details>
# <details><summary>Hint 3</summary>A stream that never asks for its beginning needs no sink.</details>

# %% task="choose" points=2 kind="choose" minutes=6 parts=["chat", "form", "agent"]
# BEGIN SOLUTION
chat = (10, 0)
form = (8, 2)
agent = (4, 6)
# END SOLUTION

# %% check="choose"
# NEXT: Do size and sinks sum to at most ten? Then look at the stream below 1.00: which tokens had left the memory?
# WHY chat[1] > 0: Chat never asks for its beginning. Each sink takes a place that a newer pair needs.
# WHY form == [10, 0]: Once ten newer tokens are there the title has left. What keeps it for good?
# WHY agent in ([10, 0], [8, 2]): The orders are tokens 0 to 5. Some of them leave this memory.
# WHY form == [2, 8] or agent == [4, 4]: First comes how many of the newest are kept, then how many sinks.
# WHY any(sum(two) > 10 for two in (chat, form, agent)): More than ten pairs: size and sinks together.
if any(choice is ... for choice in (chat, form, agent)):
    raise NotImplementedError("one of the three streams is not answered yet")
fixed = {"chat": [], "form": [0, 1], "agent": [0, 1, 2, 3, 4, 5]}
recent = {"chat": 10, "form": 8, "agent": 4}
for name, pair in {"chat": chat, "form": form, "agent": agent}.items():
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"{name} is to be two numbers in brackets, size and sinks, such as (7, 3)")
    size, sinks = map(int, pair)
    kept = [set(r.sum(0).nonzero().flatten().tolist()) for r in recipe(Window(size, sinks), torch.zeros(60, 1))]
    asked = [(t, i) for t in range(20, 60) for i in [*fixed[name], *range(t - recent[name] + 1, t + 1)]]
    report(f"{name} within ten pairs", size + sinks <= 10)
    report(f"{name} answered", sum(i in kept[t] for t, i in asked) / len(asked))

# %% [markdown]
# ## Stretch 4 · Explain a curve (1 point, 4 minutes)
#
# In the lesson the bits per byte fell by 1.34 from a window of 2 to one of 32, and by 0.13 from there to 256.
# Which sentence explains **that** measurement? Write its letter.
#
# - **a** Windows beyond 32 are truncated by the library.
# - **b** Three layers of 32 already reach all 256 bytes, so a longer window adds nothing at all.
# - **c** This model has learned to use little that lies further back than some thirty bytes.
# - **d** Text has no dependencies longer than 32 bytes.
#
# <details><summary>Hint 1</summary>Two of the four are refuted by something you measured in the lesson.</details>
# <details><summary>Hint 2</summary>How far do three layers of 32 reach? Use your formula.</details>
# <details><summary>Hint 3</summary>Is it said about this model, or about all windows and all texts?</details>

# %% task="explain" points=1 kind="explain" minutes=4
# BEGIN SOLUTION
letter = "c"
# END SOLUTION

# %% check="explain"
# NEXT: Put a number to each sentence: the reach of three layers of 32, the sizes the lesson really ran.
# WHY letter == "a": The lesson ran windows of up to 256, and the bits went on falling. So nothing was cut off.
# WHY letter == "b": If a longer window added nothing at all, the last 0.13 would be missing too.
# WHY letter == "d": One model was measured, not text. Another model may use what lies further back.
report("letter", letter, sealed=True)

# %% [markdown]
# ## Bonus · Two layers that see further (2 points on top, open end)
#
# Say which distances back a layer reads: `[0, 1, 2, 3, 4, 5]` is a window of six, `[0, 2, 4]` a dilated one.
# To read distance 10 a layer must keep the newest 11 pairs. Two windows of six, one a layer, reach 11 tokens
# and keep 12 pairs. Give `lower` and `upper` that together reach **more than 11** tokens, read at most **six**
# pairs a layer, and keep at most **20** pairs in all. How far do you get?
#
# <details><summary>Hint</summary>The upper layer need not look at neighbours: the lower one has already mixed them.</details>

# %% task="design" points=2 kind="design" minutes=10 bonus=true
# BEGIN SOLUTION
lower = [0, 1, 2, 3, 4]
upper = [0, 5, 10]
# END SOLUTION

# %% check="design"
# NEXT: List the sums of one distance of each layer: how many different ones are there?
place = torch.arange(40)
back = place[:, None] - place
dye = KV(inputs(40, 2, name="k"), torch.eye(40))
low, up = (
    attend(inputs(40, 2, name="q"), dye, mask=torch.isin(back, torch.tensor(list(d)))).nan_to_num()
    for d in (lower, upper)
)  # what each query receives of each token
report("reaches more than 11", int(((up @ low)[-1] > 0).sum()) > 11)
report("reads at most six a layer", max(len(set(lower)), len(set(upper))) <= 6)
report("looks at no future token", min(*lower, *upper) >= 0)
report("keeps at most 20 pairs", max(lower) + 1 + max(upper) + 1 <= 20)

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("01_window")
