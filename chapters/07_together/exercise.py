# %% [markdown]
# # Exercise 07 · Near and far of your own
#
# Three core tasks (about 25 minutes), five stretch tasks (40) and a bonus (20).
#
# Run a cell with Shift+Enter. Write where it says `...` or `raise NotImplementedError`; the cell below your answer says
# how far it is. Only answer cells count: a helper of your own goes into the same cell as the answer. Hints are folded.
# At the end one button grades everything you have run, with other numbers than the ones you see.

# %%
import torch
import torch.nn.functional as F

from memlib import KNN, KV, Full, Gated, Joint, Window, attend, join, lm, outputs, stores, view
from memlib.course import grade_button, inputs, look, number, report
from memlib.lm import data, evaluate

answers = lm.load("facts")  # the answering model

# %% [markdown]
# ## Core 1 · Which diagram is which? (2 points, 4 minutes)
#
# ```
#   A   query ──┬── reads Mem ─────── the other layers ── prediction ── times 1 - λ ──┐
#               └── reads Mem_knn ─── the other layers ── prediction ── times λ ──────┴── sum
#
#   B   query ──┬── softmax over Mem ─────── times 1 - g ──┐
#               └── softmax over Mem_knn ─── times g ──────┴── sum ── the other layers ── prediction
#
#   C   query ───── softmax over Mem and Mem_knn ── the other layers ── prediction
# ```
#
# Write the letter (or letters, as one word such as `"ab"`):
#
# - `combined`: the combined cache; `two_reads`: the linear combination of local and external attention; `two_predictions`: merging
#   probability distributions;
# - `nothing_to_set`: where no weight has to be chosen or learned;
# - `blended_early`: where later layers see only a blend of both sides (two of the three);
# - `g_is`: in B as it is drawn, is g a `gate_local` or a `gate_memory`? Write the name.
#
# <details><summary>Hint 1</summary>Look where the two lines meet: at the scores, at the outputs of attention, or at the very end.</details>
# <details><summary>Hint 2</summary>In one of them they never part: all pairs stand in one sum of exponentials.</details>
# <details><summary>Hint 3</summary>λ and g are weights that somebody sets. Which diagram has neither? And is the line that g multiplies the one of Mem or of Mem_knn?</details>

# %% task="diagrams" points=2 kind="choose" minutes=4 parts="reports"
# BEGIN SOLUTION
combined = "c"
two_reads = "b"
two_predictions = "a"
nothing_to_set = "c"
blended_early = "bc"
g_is = "gate_memory"
# END SOLUTION

# %% check="diagrams"
# NEXT: Follow the two lines from the left until they meet: before the softmax, behind it, or behind all layers? For g: which read is it multiplied with?
# WHY combined == "b": In B each side has a softmax of its own.
# WHY two_reads == "a": In A the two lines meet only behind the predictions.
# WHY two_predictions in ("b", "c"): There the lines meet before the other layers.
# WHY nothing_to_set in ("a", "b", "ab"): In this diagram stands a weight that somebody must choose.
# WHY blended_early in ("abc", "ab", "ac"): In A both sides go through all layers apart.
# WHY g_is == "gate local": Look at the line that g is multiplied with: which memory does it come from?
written = {
    "combined cache": combined,
    "two reads": two_reads,
    "two predictions": two_predictions,
    "nothing to set": nothing_to_set,
    "blended early": blended_early,
}
for name, letters in written.items():
    report(name, letters, sealed=True, unordered=True)
report("what g weighs", g_is if g_is is ... else str(g_is).split("=")[0], sealed=True)

# %% [markdown]
# ## Core 2 · The gate from two log-sum-exps (2 points, 6 minutes)
#
# The local side answers 16, and its lse is $\ln 6$. Four pairs were fetched; they answer 40, with an lse of $\ln 12$. A worked example: with
# lse $\ln 5$ and $\ln 15$ the gate of the local side would be $5/20=0.25$. Write (gates as a fraction such as `5 / 20`, or with three decimals)
#
# - `gate_near`: the weight of the local side in one softmax over all pairs; `joint_read`: what that softmax answers;
# - `memory_read`: what `Gated(near, far, gate_memory=0.25)` answers, and `local_read`: with `gate_local=0.25`;
# - `gate_more`: the weight of the local side in one softmax when four **more** pairs are fetched, each of score 0;
# - `nothing_fetched`: what `Gated(near, far, gate_memory=0.25)` answers while the store is empty.
#
# <details><summary>Hint 1</summary>Take the exponential of both: 6 parts against 12.</details>
# <details><summary>Hint 2</summary>A pair of score 0 adds e^0 = 1 to its side.</details>
# <details><summary>Hint 3</summary>The name of the gate says which answer is multiplied by 0.25. An empty side leaves all to the other.</details>

# %% task="by_lse" points=2 kind="hand" minutes=6
# BEGIN SOLUTION
gate_near = 6 / 18
joint_read = 32
memory_read = 22
local_read = 34
gate_more = 6 / 22
nothing_fetched = 16
# END SOLUTION

# %% check="by_lse"
# NEXT: Write both sums of exponentials side by side. Which of your numbers may change when more pairs are fetched?
# WHY gate_near in (12 / 18, 0.667): That is the weight of the other side.
# WHY joint_read == 24: Each side counts by its sum of exponentials. Whose is the larger?
# WHY memory_read == 34: gate_memory is the weight of what was fetched.
# WHY local_read == 22: gate_local is the weight of the local answer.
# WHY gate_more in (6 / 18, 0.333): Four more pairs of score 0 make the sum of their side larger.
# WHY nothing_fetched in (12, 4): A side with nothing in it leaves all to the other.
report("gate of the local side", gate_near, digits=3, sealed=True)
report("joint", joint_read, digits=1, sealed=True)
report("gate_memory", memory_read, digits=1, sealed=True)
report("gate_local", local_read, digits=1, sealed=True)
report("gate with more pairs", gate_more, digits=3, sealed=True)
report("nothing fetched", nothing_fetched, digits=1, sealed=True)

# %% [markdown]
# ## Core 3 · One softmax with a tilt (3 points, 10 minutes)
#
# A joint softmax sees what is found, a gate on the query sees what is asked. Write `read` of a memory that sees **both**:
# $g=\sigma(\mathrm{lse}_{near}-\mathrm{lse}_{far}+\mathrm{tilt}(q))$ is the weight of the near read, $1-g$ that of the far one.
# `self.tilt(q)` gives for queries `[*b, i, d]` one number each, `[*b, i, 1]`. `memory.read(mem, q, lse=True)` gives a read
# `[*b, i, e]` and its lse `[*b, i]`; the state `mem` is `(of near, of far)`. (`new` and `lse` of your `read` may be left aside.)
#
# A worked example: near answers 10 with lse $\ln 2$, far 50 with lse $\ln 6$, the tilt is $\ln 3$: $g=\sigma(\ln\tfrac{2\cdot3}{6})=\tfrac12$, so 30.
#
# <details><summary>Hint 1</summary>Two reads, each with its lse, as in the lesson's class; then the gate, then the sum.</details>
# <details><summary>Hint 2</summary>The lse has one axis less than the tilt and the reads. Which of them needs <code>[..., None]</code>, or <code>.squeeze(-1)</code>?</details>
# <details><summary>Hint 3</summary>The gate has the shape [*b, i, 1]. A sigmoid of the difference of two lse is the gate of one softmax; where does the tilt come in?</details>


# %% task="tilted" points=3 kind="write" minutes=10 hides=["Joint", "Gated"]
class Tilted:
    def __init__(self, near, far, tilt):
        self.near, self.far, self.tilt = near, far, tilt

    def init(self, like):
        return self.near.init(like), self.far.init(like)

    def update(self, mem, new, q=None):
        return self.near.update(mem[0], new), self.far.update(mem[1], new)

    def slots(self, mem):
        return join(self.far.slots(mem[1]), self.near.slots(mem[0]))

    def read(self, mem, q, new=None, lse=False):
        # BEGIN SOLUTION
        near, lse_near = self.near.read(mem[0], q, lse=True)
        far, lse_far = self.far.read(mem[1], q, lse=True)
        g = torch.sigmoid((lse_near - lse_far)[..., None] + self.tilt(q))
        return g * near + (1 - g) * far
        # END SOLUTION


# %% check="tilted"
# NEXT: First no tilt: is it one softmax? Then a large one: the window alone? Then two heads: print the shape of your g.
size, nearest = number(2, 4, name="window"), number(2, 3, name="nearest")
parts = Window(size), KNN(nearest, local=size)
uneven = 1 + torch.arange(14)[:, None] / 97  # so that no two keys are equally near
q, kv = inputs(14, 5, name="q"), KV(inputs(14, 5, name="k") * uneven, inputs(14, 3, name="v"))
for what, tilt in {
    "no tilt": lambda q: 0 * q[..., :1],
    "all for the window": lambda q: 0 * q[..., :1] + 60,
    "from the query": lambda q: q[..., :1] - q[..., 1:2],
}.items():
    report(what, outputs(Tilted(*parts, tilt), q, kv)[::3], axes=("query", "number"), digits=3)
heads = KV(torch.stack([kv.k, kv.k.flip(0)]), torch.stack([kv.v, kv.v.flip(0)]))
two = outputs(Tilted(*parts, lambda q: q[..., :1]), torch.stack([q, q.flip(0)]), heads)
report("two heads", two[:, -1], axes=("head", "number"), digits=3)

# %% [markdown]
# ## Stretch 1 · Find the bugs (2 points, 8 minutes)
#
# A window and the k nearest of what is older, put together by `gate_memory`. Three things are wrong with `read`: one lets pairs count twice, one gives the
# gate to the wrong side, one shows only at the beginning, while there is nothing to fetch. Mend them. (One query at a time: `q` is `[1, d]`.)
#
# <details><summary>Hint 1</summary>Print <code>view(TwoReads(2, 1, 0.75), k, k)</code> for a few keys: the rows should sum to 1, from the first on.</details>
# <details><summary>Hint 2</summary>What is <code>old</code>, if the newest <code>size</code> pairs are the window's? And what should stand for <code>far</code> while <code>old</code> is empty?</details>
# <details><summary>Hint 3</summary><code>gate_memory</code> weighs what was fetched. When nothing was, who is left to count?</details>


# %% task="bug" points=2 kind="bug" minutes=8 hides=["Joint", "Gated", "KNN", "Window"]
class TwoReads:
    def __init__(self, size, k, gate_memory):
        self.size, self.k, self.gate_memory = size, k, gate_memory

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        return mem.append(new)

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        # BEGIN SOLUTION
        old = mem[: max(mem.n - self.size, 0)]
        near = attend(q, mem[-self.size :])
        if old.n == 0:
            return near
        best = (q @ old.k.mT).topk(min(self.k, old.n)).indices[0]
        far = attend(q, old[best])
        return (1 - self.gate_memory) * near + self.gate_memory * far
        # GIVEN
        # old = mem
        # near = attend(q, mem[-self.size :])
        # best = (q @ old.k.mT).topk(min(self.k, old.n)).indices[0]
        # far = attend(q, old[best]) if mem.n > self.size else 0 * near
        # return self.gate_memory * near + (1 - self.gate_memory) * far
        # END SOLUTION


# %% check="bug"
# NEXT: Row by row: does it sum to 1, how much of it lies in the window, and is a fetched place also one of the newest?
size, nearest = number(2, 4, name="size"), number(1, 3, name="k of two reads")
uneven = 1 + torch.arange(12)[:, None] / 97
q, k = inputs(12, 5, name="queries"), inputs(12, 5, name="keys") * uneven
report("view", view(TwoReads(size, nearest, 0.75), q, k), axes=("query", "token"))
report("closed gate", view(TwoReads(size, nearest, 0.0), q, k)[-1:], axes=("query", "token"))

# %% [markdown]
# ## Stretch 2 · Many memories, one softmax (2 points, 7 minutes)
#
# A dialogue and several libraries, each read by itself. `outs [r, i, e]` are the reads of r memories by the same queries, `lses [r, i]` their log-sum-exps. Write
# `one_softmax(outs, lses)`: the read `[i, e]` of **one** softmax over all their pairs. A memory that is empty has an lse of `-inf` and a read of 0; no query meets only empty
# ones. Example: reads 10, 20 and 60 with lses $\ln 1,\ln 1,\ln 2$ give $(1\cdot10+1\cdot20+2\cdot60)/4=37.5$. Mind that lses may be as large as 500.
#
# <details><summary>Hint 1</summary>With two memories the weights were a sigmoid of the difference. With r they are a softmax of the r lses.</details>
# <details><summary>Hint 2</summary>Over which axis do the weights of one query sum to 1? The memories stand along axis 0.</details>
# <details><summary>Hint 3</summary><code>torch.softmax</code> is safe with large numbers and with <code>-inf</code>; <code>exp</code> alone is not.</details>


# %% task="many" points=2 kind="write" minutes=7 hides=["Joint", "Gated", "merge"]
def one_softmax(outs, lses):
    # BEGIN SOLUTION
    return (torch.softmax(lses, 0)[..., None] * outs).sum(0)
    # END SOLUTION


# %% check="many"
# NEXT: Two memories first: is it g and 1 - g? Then do the weights of each query sum to 1? Then lses of 500, and an empty memory.
r = number(3, 5, name="memories")
outs, lses = inputs(r, 4, 3, name="reads"), inputs(r, 4, name="lses")
report("two memories", one_softmax(outs[:2], lses[:2]), axes=("query", "number"), digits=3)
report("all of them", one_softmax(outs, lses), axes=("query", "number"), digits=3)
report("loud ones", one_softmax(outs, 100 * lses + 400), axes=("query", "number"), digits=3)
outs[1], lses[1] = 0, -torch.inf
report("one is empty", one_softmax(outs, lses), axes=("query", "number"), digits=3)

# %% [markdown]
# ## Stretch 3 · Three assistants, one book (3 points, 10 minutes)
#
# The house book is in a store; the answering model reads the dialogue through `local`, a window of 600, and `book` fetches from the store. Choose for each
# assistant what the layer that looks things up reads: `local`, `Joint(local, book)`, or `Gated(local, book, gate_local=...)` or `gate_memory=...` with a number.
#
# - **guide**: only answers about what was said, and what has changed; it may not search the book at all.
# - **clerk**: says what stands **in the book**, also when somebody has just said otherwise.
# - **host**: answers about what was said, about the book, and gives the new value of what has changed.
#
# The check asks the model, and wants three of four answers of each kind.
#
# <details><summary>Hint 1</summary>The lesson's curve: what does a fixed gate give to one side, and take from the other?</details>
# <details><summary>Hint 2</summary>For the clerk the dialogue may speak, softly: a gate of 1.0 is more than is needed.</details>
# <details><summary>Hint 3</summary>Whose weight changes from question to question, without anybody setting it?</details>

# %%
SORTS = {
    "tower code": "81964 2750 30517",
    "router password": "harbour ginger quartz",
    "lecture": "9:35 18:10 11:20",
    "shed code": "4402 7716 92035",
    "phone password": "walnut pigeon marble",
    "rehearsal": "17:15 8:40 20:05",
}


def tell(thing, value, now=""):
    return f"The {thing} is {now}{'at ' if ':' in value else ''}{value}. "


def ask(thing):
    return f"Question: {'what' if 'word' in thing or 'code' in thing else 'when'} is the {thing}? Answer: "


def house(turn):
    """The stores of a book (layer 1, one a head), and dialogues by kind, each with its right answer; `turn` changes the values."""
    values = {thing: some.split()[turn % 3 :] + some.split()[: turn % 3] for thing, some in SORTS.items()}
    text = "".join(tell(thing, some[0]) for thing, some in values.items())
    kinds = {"said": [], "book": [], "changed": [], "cited": []}
    for (thing, some), other in zip(
        values.items(),
        ["hall code", "camera password", "dinner", "safe code", "scanner password", "flight"],
        strict=True,
    ):
        said, news = tell(other, some[2]), tell(thing, some[1], "now ")
        asked = {
            "said": (said + ask(other), some[2]),
            "book": (said + ask(thing), some[0]),
            "changed": (news + ask(thing), some[1]),
            "cited": (news + ask(thing), some[0]),
        }
        for kind, (prompt, right) in asked.items():
            begin = f"The coffee was cold again. {prompt}"
            span = (len(begin), len(begin) + len(right))
            kinds[kind].append(lm.Stream(f"{begin}{right}.".encode(), None, (0, 0), (0, 0), span))
    _, pairs = answers.qkv(data.as_bytes(text)[None].long())[1]
    filled = [stores.open(":memory:", dim=32) for _ in range(4)]
    for head, store in enumerate(filled):
        store.add(pairs.k[0, head], pairs.v[0, head])
    return KNN(32, store=filled), kinds


local = Window(600)
book, dialogues = house(0)

# %% task="choose" points=3 kind="choose" minutes=10 parts=["guide", "clerk", "host"]
# BEGIN SOLUTION
guide = local
clerk = Gated(local, book, gate_memory=0.8)
host = Joint(local, book)
# END SOLUTION

# %% check="choose"
# NEXT: Which line says no? Ask of it: who must be heard, the dialogue, the book, or whoever has found something?
# WHY isinstance(guide, (Joint, Gated, KNN)): The guide is to answer from the dialogue alone. This one hears the book.
# WHY isinstance(clerk, Joint): In one softmax the clerk hears what was said a moment ago as much as the book.
# WHY isinstance(clerk, (Window, Full)): This clerk has no book to cite from.
# WHY isinstance(host, Gated): A fixed weight hears one side too little, whichever has found something.
# WHY isinstance(host, (Window, Full)): This host has no book.
if any(choice is ... for choice in (guide, clerk, host)):
    raise NotImplementedError("one of the three assistants is not answered yet")
other_book, asked = house(number(0, 2, name="house"))  # another edition of the book, and other dialogues


def with_book(memory):
    """The same memory, searching in the other book."""
    if isinstance(memory, KNN):
        return KNN(memory.k, memory.local, other_book.store) if memory.store is not None else memory
    if isinstance(memory, Joint):
        return Joint(*map(with_book, memory.memories))
    if isinstance(memory, Gated):
        return Gated(with_book(memory.near), with_book(memory.far), memory.gate_local, memory.gate_memory)
    return memory


def right_answers(memory, *kinds):
    """Whether three of four answers of each kind are right."""
    marks = evaluate.right(
        answers.reading([local, with_book(memory), local]), [one for kind in kinds for one in asked[kind]]
    )
    return {kind: sum(marks[6 * i : 6 * i + 6]) >= 4.5 for i, kind in enumerate(kinds)}


report("the guide searches no book", isinstance(guide, (Window, Full)))
for name, memory, kinds in (
    ("guide", guide, ("said", "changed")),
    ("clerk", clerk, ("book", "cited")),
    ("host", host, ("said", "book", "changed")),
):
    for kind, good in right_answers(memory, *kinds).items():
        report(f"{name}, {kind}", bool(good))

# %% [markdown]
# ## Stretch 4 · Whose memory is broken? (2 points, 7 minutes)
#
# Three assistants of the answering model, written down as they spoke. In the book: router password harbour, lecture 9:35, compass in the yellow basket, shed code 2750, phone
# password ginger, rehearsal at 18:10. In each assistant one thing, another in each, was broken:
#
# - **a** the store is empty;
# - **b** the heads' stores were mixed up: each head searches the store of another one;
# - **c** the window is too short;
# - **d** the gate is turned round: the far side has the weight that was meant for the local one;
# - **e** nothing: only the book is out of date.
#
# ```
# Assistant one
#   - The auction is at 14:40.
#   when is the auction?          1 onfres the a
#   what is the phone password?   the a askey we
#   - The phone password is now pigeon. In Oslo the shops close at six. What a long week it was.
#   what is the phone password?   pigeon
#   when is the auction?          14: 14: 140 is
#   when is the rehearsal?        140
# ```
#
# ```
# Assistant two
#   - The museum code is 3917.
#   what is the museum code?      3917
#   what is the router password?  harbour
#   - The router password is now quartz. We had soup and bread for dinner. What a long week it was.
#   what is the router password?  harbour
#   what is the museum code?      2750
#   where is the compass?         yellow basket
# ```
#
# ```
# Assistant three
#   - The chapel code is 6083.
#   what is the chapel code?      2750
#   when is the lecture?          9:35
#   - The lecture is now at 11:20. What a long week it was. Anna bought a red drum yesterday.
#   when is the lecture?          9:35
#   what is the chapel code?      2750
#   what is the shed code?        2750
# ```
#
# Write the letters as `broken = "xyz"`, for one, two and three, in this order.
#
# <details><summary>Hint 1</summary>For each: does it know what was said a moment ago? What was said three sentences ago? What stands in the book?</details>
# <details><summary>Hint 2</summary>An empty store disturbs nobody. Useless pairs are fetched all the same, and are heard: they garble some answers and leave others. A window too short loses all that stands three sentences back.</details>
# <details><summary>Hint 3</summary>Two of them cite the book over what was said. Only one of these two still knows the last sentence before its question.</details>

# %% task="transcripts" points=2 kind="choose" minutes=7 parts=["assistant one", "assistant two", "assistant three"]
# BEGIN SOLUTION
# (what they say, in every dialogue: python chapters/07_together/transcripts.py)
broken = "bcd"
# END SOLUTION

# %% check="transcripts"
# NEXT: Make a table for each assistant: known of the last sentence, known of earlier ones, known of the book.
# WHY broken in ("acd", "aed", "acb"): An empty store disturbs nobody. Here even what was just said is garbled.
# WHY broken in ("bdc", "bde", "adc"): Assistant two answers rightly what was said in the last sentence. Which of them is forgotten later?
# WHY broken in ("bce", "ace"): Assistant three does not even know what was said in the sentence before.
# WHY broken in ("bcc", "bdc", "acc"): One sentence back is in any window. Assistant three gets just that wrong.
if broken is ...:
    raise NotImplementedError("broken")
said = broken if isinstance(broken, str) else " ".join(broken)
letters = [c for c in said.lower().replace("and", " ") if c in "abcde"]
report("how many letters", len(letters), digits=0)
for name, letter in zip(("one", "two", "three"), letters, strict=False):
    report(f"assistant {name}", letter, sealed=True)

# %% [markdown]
# ## Stretch 5 · Explain a curve (1 point, 4 minutes)
#
# In the lesson the Python model's bits per byte **fell** when a joint memory could fetch from 64 older bytes, and **rose** by more than half when from 1,024. With a full cache they did the same, both
# times. Which sentence fits all four measurements best? Write its letter.
#
# - **a** Older bytes are of no use to this model.
# - **b** One softmax over two memories gives the far side a share that no full cache would give it.
# - **c** The search misses the right pairs when there are many.
# - **d** It was trained on rows of 256 bytes; farther away its keys are compared at distances it never saw, and such scores mean little, whoever reads them.
#
# <details><summary>Hint 1</summary>Try each sentence on 64 older bytes first.</details>
# <details><summary>Hint 2</summary>A full cache does not search, and it is one softmax over one memory. What did it do?</details>
# <details><summary>Hint 3</summary>How many bytes has the model before its eyes in the one case, and how many in the other? With how many was it trained?</details>

# %% task="explain" points=1 kind="explain" minutes=4
# BEGIN SOLUTION
letter = "d"
# END SOLUTION

# %% check="explain"
# NEXT: Four measurements: joint and full cache, with 64 and with 1,024 older bytes. Which of them does your sentence contradict?
# WHY letter == "a": With 64 older bytes the bits fell: there they were of use.
# WHY letter == "b": The full cache is one softmax over one memory, and it did the same.
# WHY letter == "c": A full cache does not search at all, and it did the same.
report("letter", letter, sealed=True)

# %% [markdown]
# ## Bonus · Find it, prefer it, or be silent (2 points on top, open end)
#
# One query, 8 local and 32 far pairs, one-hot values: the read says how much of each pair it holds. Three kinds of questions: the key stands on **one** side only; it stands on **both**
# sides and a mark in the query's last number says which counts (+4 local, -4 far; 0 in the other questions); or it stands **nowhere**. Write `careful(q, near, far)` that reads the pairs `near`
# and `far` (KVs) with `q [rows, 1, 16]` and gives the read `[rows, 1, 40]`: at least **0.9** of the right pair, in the mean, in each of the first two kinds, and at most **0.1** in all (the sum
# of the read) in the third: it says nothing rather than something. `attend(q, near, lse=True)` gives a read and its lse. A matching key has the score 24. The others lie around 0 with a spread (standard deviation) of 6: the loudest of 40 is usually near 13, sometimes 19.
#
# <details><summary>Hint</summary>Two log-sum-exps and a tilt for the first two kinds. For the third: what would a third memory do that holds one pair of value zero (a sink built by hand, as a trained model has learned one), and which lse should it have? Higher than the loudest of 40 pairs that do not match, lower than one that does.</details>


# %%
def questions(kind, rows=400):
    """Queries, local pairs, far pairs, and which pair is right (-1: none)."""
    draws = torch.Generator().manual_seed(number(1, 10**6, name=f"questions {kind}"))
    keys, row = torch.randn(rows, 40, 16, generator=draws), torch.arange(rows)
    keys[..., -1] = 0
    keys = 4 * F.normalize(keys, dim=-1)
    local_counts = torch.rand(rows, generator=draws) < 0.5
    a, b = torch.randint(8, (rows,), generator=draws), 8 + torch.randint(32, (rows,), generator=draws)
    right, other = torch.where(local_counts, a, b), torch.where(local_counts, b, a)
    asked = 6 * keys[row, right]
    if kind == "both":
        keys[row, other] = keys[row, right]
        asked[:, -1] = torch.where(local_counts, 4.0, -4.0)
    if kind == "nowhere":
        keys[row, right] = keys[row, other]
    pairs = KV(keys, torch.eye(40).expand(rows, -1, -1))
    return asked[:, None], pairs[:8], pairs[8:], right


# %% task="design" points=2 kind="design" minutes=12 bonus=true
def careful(q, near, far):
    # BEGIN SOLUTION
    (a, lse_a), (b, lse_b) = attend(q, near, lse=True), attend(q, far, lse=True)
    tilt = 2 * q[..., -1]
    silence = torch.full_like(lse_a, 19.0) + tilt.abs()
    weights = torch.softmax(torch.stack([lse_a + tilt, lse_b - tilt, silence]), 0)[..., None]
    return weights[0] * a + weights[1] * b
    # END SOLUTION


# %% check="design"
# NEXT: Print the three means. Where both fit, does the mark decide? Where nothing fits, how large are the lses, and when something does?
for kind in ("one side", "both", "nowhere"):
    q, near, far, right = questions(kind)
    read = careful(q, near, far)
    if kind == "nowhere":
        report("nowhere, says at most 0.1", bool(read.sum(-1).mean() <= 0.1))
    else:
        report(f"{kind}, at least 0.9 of the right pair", bool(read[torch.arange(len(right)), 0, right].mean() >= 0.9))
report("no weight below 0", bool((read >= -1e-6).all()))

# %% [markdown]
# ## Your grade
#
# The button grades the answers you have **run** in this notebook, with fresh numbers. Nothing has to be saved.

# %%
grade_button("07_together")
