# %% [markdown]
# # 03a · Fold an endless stream into one state
#
# **After this chapter you can** write a memory as *Mem = Update(S_kv, Mem_pre)* and say which earlier ones fold all they
# read into one summary, put the events of one update in order (token by token, and segment by segment), train a recurrent network as a
# cache, run a stream of a million tokens through a constant state, and tell from a measurement what is lost first.
#
# **Time:** 100 minutes for the lesson and 60 for the exercise: three sittings. **You need:** chapters 00 to 02. A derivative
# is named, and one cell trains with the usual tools (cross-entropy, Adam): both may be taken on trust. No GPU.
#
# Three networks are trained while you read, a few seconds each. Everything is measured as you run it.

# %%
import time
from inspect import getsource

import torch

from memlib import CumulativeAverage, ExponentialAverage, Full, MovingAverage, Recurrent, WeightedAverage, Window
from memlib import KV, attend, attend_all, check, influence, recipe, state_bytes, states, view
from memlib import draw, lm, tasks, widgets
from memlib.lm import data

torch.manual_seed(0)
answers = lm.load("facts")  # the model that answers questions about facts

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "A moving average of 256 pairs: how many pairs are READ, and how many must be KEPT to go on?",
        ["1 and 1", "1 and 256", "256 and 256"],
        1,
        "One mean is read. But the next mean is one without the oldest pair, and for that the others must still be "
        "there one by one: 256 pairs are kept.",
    ),
    widgets.quiz(
        "A memory has ONE slot. Which part of the query decides what is read?",
        ["its direction", "its length", "none: every query reads the same value"],
        2,
        "Softmax over one score is 1, whatever the score is. The key of a single slot is dead weight.",
    ),
    widgets.quiz(
        "Window(4) has read tokens 0 to 9. What was lost first, and what is lost next?",
        ["token 0 first, token 6 next", "token 5 first, token 4 next", "token 0 first, token 7 next"],
        0,
        "A window loses its oldest pair. It holds 6, 7, 8, 9; when token 10 enters, 6 leaves. A window always loses in "
        "the order of arrival. In this chapter you meet a memory that does not.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# The fact, 150 bytes of talk, the question. Every layer of the answering model now reads **one pair** that a recurrent
# network (a *GRU*, below) rewrites at every byte. Nobody has trained this network. **Predict** two things: what the
# model says, and whether the fact is still in the state.
#
# Up to now the dye showed what a slot holds: values went in as marks, and came out as weights. A network is **not linear
# in its values**: marks that go in do not come out as weights. So there is no dye here, and `recipe` refuses. Its place
# takes the **influence**: how much the state would move if the value of a token were moved a little (the length of
# the derivative, the *Jacobian*).

# %%
fact = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
stream = lm.stream(150, seed=1, own=fact)
network = Recurrent(torch.nn.GRUCell(64, 64))  # a key and a value of 32 together
asked = tasks.one_fact(network, model=answers, stream=stream)
assert asked.recipe_dye is None and not asked.right  # no dye for a network; and it does not know
display(widgets.one_fact(network, answers))
try:
    recipe(network, torch.zeros(3, 32))
except TypeError as error:
    print("recipe says:", error)
layer_kv = answers.qkv(data.as_bytes(stream.prompt)[None].long())[1][1]
kv = KV(layer_kv.k[0, 2].detach(), layer_kv.v[0, 2].detach())  # layer 1, head 2
average = ExponentialAverage(0.05)
felt = {name: influence(memory, kv)[0] for name, memory in {"network": network, "average, rate 0.05": average}.items()}
of_fact = [x[slice(*stream.fact_span)].max() for x in felt.values()]
assert of_fact[0] < 1e-9 < of_fact[1]
back = list(range(1, 121))
draw.curves(
    {name: (back, x.flip(0)[:120].log10().tolist()) for name, x in felt.items()},
    x="bytes back",
    y="influence, power of ten",
    title="How strongly the state still feels a byte",
)

# %% [markdown]
# The state has seen the fact, and feels nothing of it: a network that nobody trained forgets faster than the average,
# oldest first. *Misconception: "a recurrent state holds everything, because it has seen everything."* **What it has
# seen and what it holds are two things.** (On the axis −10 stands for $10^{-10}$. The fact lies two
# hundred bytes back, far off the right edge.)
#
# What training does to this curve is the heart of the chapter. First the form that all such memories share.
#
# ## The general form
#
# **Predict:** an exponential average of rate ½ reads a text, four pairs at a time. How much of the old state is left
# after one such update? (Token by token, each pair halves it.) Watch it: the box is the one pair that is kept, divided
# by what it holds of each byte.

# %% tags=["film"]
text = "Mem is made of Mem_pre."
tokens, ids = list(text), data.as_bytes(text)[None].long()
layer_q, layer_kv = answers.qkv(ids)[1]
q, kv = layer_q[0, 2].detach(), KV(layer_kv.k[0, 2].detach(), layer_kv.v[0, 2].detach())
memory = ExponentialAverage(0.5)
dyed, mem, by_four = KV(kv.k, torch.eye(len(text))), memory.init(KV(kv.k, torch.eye(len(text)))), []
for t in range(0, len(text), 4):
    mem = memory.update(mem, dyed[t : t + 4])  # S_kv: a segment of four pairs
    by_four.append(memory.slots(mem).v)
one_by_one = recipe(memory, kv.k)
assert torch.allclose(torch.stack(by_four), torch.stack([*one_by_one[3::4], one_by_one[-1]]), atol=1e-6)
assert torch.allclose(by_four[1][0, :4], by_four[0][0, :4] / 16)  # one update of four: a sixteenth is left
events = [f"update {i}: the segment {text[4 * i : 4 * i + 4]!r} is folded in" for i in range(len(by_four))]
draw.film(
    by_four,
    tokens,
    events=events,
    title="Six updates in place of 23, the same state",
    names=(
        "the text   ▼ now · filled: at least a millionth is left · outlined: less",
        "what the one slot holds of each byte (recipe)",
    ),
    alt="Film: six updates of four bytes; at the end the newest byte has half of the slot, "
    "each older one half of the next.",
)

# %% [markdown]
# $$\mathrm{Mem}=\mathrm{Update}(S_{kv},\;\mathrm{Mem}_{pre})\qquad\text{(Xiao and Zhu, arXiv 2501.09223)}$$
#
# A sixteenth of the old state was left after each update: four halvings. $\mathrm{Mem}_{pre}$ is the memory before, $S_{kv}$ what is new: one pair (**token form**) or the pairs of a
# **segment**. Nothing else goes in. The old pairs themselves are gone; what they left in $\mathrm{Mem}_{pre}$ is all
# there is.
#
# **By hand.** Rate ½, numbers in place of vectors, $\mathrm{Mem}_{pre}=8$; then come 4 and 10.
# Token by token: $\tfrac12\cdot8+\tfrac12\cdot4=6$, then $\tfrac12\cdot6+\tfrac12\cdot10=8$.
# As one segment: $\tfrac14\cdot8+\tfrac14\cdot4+\tfrac12\cdot10=2+1+5=8$. The same. With the segment turned round, 10 then 4:
# $2+\tfrac{10}4+2=6.5$. The order inside a segment counts for an exponential average. For a cumulative average (a sum
# and a count) it does not.


# %%
def folded(memory, *segments):
    """What is read after the segments of numbers have been folded in, one update a segment."""
    mem = memory.init(KV(torch.zeros(1, 1), torch.zeros(1, 1)))
    for segment in segments:
        x = torch.tensor(segment)[:, None]
        mem = memory.update(mem, KV(x, x))
    return memory.slots(mem).v.item()


half, mean = ExponentialAverage(0.5), CumulativeAverage()
assert folded(half, [8.0], [4.0], [10.0]) == folded(half, [8.0], [4.0, 10.0]) == 8
assert folded(half, [8.0], [10.0, 4.0]) == 6.5
assert folded(mean, [8.0], [4.0], [10.0]) == folded(mean, [8.0], [4.0, 10.0]) == folded(mean, [8.0], [10.0, 4.0])

# %% [markdown]
# ## The code, and yours
#
# An exponential average rewritten in this form: the state is ONE pair. `check` gives it single pairs and five at once,
# and names the first difference. Change it and run again: walk the segment backwards (`range(new.n - 1, -1, -1)`), or put
# `mem = self.init(new)` in front of the loop.


# %%
class Mine:
    def __init__(self, rate):
        self.rate = rate

    def init(self, like):
        return like.empty()

    def update(self, mem, new, q=None):
        for t in range(new.n):  # change something here and run the cell again
            pair = new[t : t + 1]
            old = mem if mem.n else pair  # the first pair is taken whole
            mem = KV((1 - self.rate) * old.k + self.rate * pair.k, (1 - self.rate) * old.v + self.rate * pair.v)
        return mem

    def slots(self, mem):
        return mem

    def read(self, mem, q, new=None, lse=False):
        return attend(q, mem, lse, new)


print(check(Mine(0.3), ExponentialAverage(0.3)), "\n\nThe library's, a whole segment without a loop:\n")
print(getsource(ExponentialAverage.update))

# %% [markdown]
# ## The order of events
#
# When does the query read? There are two orders.
#
# - **Token form:** update, *then* read. A token's own pair is in the state when its query asks.
# - **Segment form:** read, *then* update. The queries of a segment read $\mathrm{Mem}_{pre}$ and, causally, the raw pairs of
#   their own segment; afterwards the segment is folded in. One state a segment.
#
# *Misconception: "the segment form is another memory."* The same pairs leave the same states at the ends of the segments.
# What differs is what a query sees **inside** a segment: its newest neighbours raw, instead of already folded. (So in a
# model the *next* layer gets other pairs.)


# %%
class Told:
    """Any memory, telling what happens to it; with `segment` it is read before it is updated."""

    linear_in_values = True

    def __init__(self, memory, segment=None):
        self.memory, self.segment, self.events = memory, segment, []
        self.init, self.slots = memory.init, memory.slots

    def update(self, mem, new, q=None):
        self.events.append(f"update with {new.n}")
        return self.memory.update(mem, new)

    def read(self, mem, q, new=None, lse=False):
        self.events.append(f"read by {q.shape[-2]}")
        return attend(q, self.slots(mem), lse, new)


by_token, by_segment = Told(CumulativeAverage()), Told(CumulativeAverage(), segment=4)
seen = view(by_token, q, kv.k), view(by_segment, q, kv.k)
print("token form:  ", *by_token.events[:6], "...", sep="  ")
print("segment form:", *by_segment.events[:6], "...", sep="  ")
assert by_token.events[:2] == ["update with 1", "read by 1"]
assert by_segment.events[:2] == ["read by 4", "update with 4"]
ends = [told.slots(states(told, kv)[-1]).v for told in (by_token, by_segment)]
assert torch.allclose(*ends, atol=1e-6)  # the same state at the end
assert not seen[1].triu(1).any() and not torch.allclose(seen[0], seen[1], atol=0.1)  # nobody reads the future
draw.view(seen[1], tokens, title="Segments of 4 over a cumulative average: the own segment raw, the rest one mean")

# %% [markdown]
# ## Which memories fold?
#
# Every memory so far has an `update`. But what must it keep to go on? Two pasts, (0, 4) and (2, 2), have the same mean 2.
# Then comes 6. If the mean (and the number of tokens) were enough to go on from, both would go on alike. For the moving
# average they do not: it needs its pairs as they came. Its state is of constant size too, but holds nothing beyond them.
# A state that **folds** feels more pairs than it has room for. The cell measures both: the room, and how many of 200 pairs
# move it (by more than a millionth) when they are changed.

# %%
for memory in (MovingAverage(2), CumulativeAverage(), ExponentialAverage(0.5)):
    pasts = [0.0, 4.0], [2.0, 2.0]
    before, after = ([f"{folded(memory, p, *more):.2f}" for p in pasts] for more in ([], [[6.0]]))
    print(f"{memory!r:30} reads of both pasts: {' and '.join(before)}; after a 6: {' and '.join(after)}")
assert folded(MovingAverage(2), [0.0, 4.0]) == folded(MovingAverage(2), [2.0, 2.0])
assert folded(MovingAverage(2), [0.0, 4.0], [6.0]) != folded(MovingAverage(2), [2.0, 2.0], [6.0])
assert folded(mean, [0.0, 4.0], [6.0]) == folded(mean, [2.0, 2.0], [6.0])  # equal summaries go on alike
sorted_out = {
    "full cache": Full(),
    "window of 64": Window(64),
    "moving average of 64": MovingAverage(64),
    "moving average of 2": MovingAverage(2),
    "weighted average of 64": WeightedAverage(torch.ones(64)),
    "cumulative average": CumulativeAverage(),
    "exponential average": ExponentialAverage(0.03),
    "network (GRU)": network,
}
many, kept, baskets = KV(torch.randn(200, 32), torch.randn(200, 32)), {}, {}
altered = KV(many.k.expand(200, -1, -1), many.v + torch.eye(200)[..., None])  # stream t: the value of pair t is another
with torch.no_grad():
    for name, memory in sorted_out.items():
        early, mem, others = (memory.update(memory.init(x), x) for x in (many[:100], many, altered))
        kept[name], grows = state_bytes(mem), state_bytes(mem) > state_bytes(early)
        feels = ((memory.slots(others).v - memory.slots(mem).v).abs().amax((1, 2)) > 1e-6).sum().item()
        room = kept[name] / (2 * 32 * 4)  # a pair is a key and a value of 32 float32
        baskets[name] = "grows" if grows else "folds" if feels > room else "keeps raw pairs"
        print(f"{name:24} room for {room:5.1f} pairs, feels {feels:3} of 200: {baskets[name]}")
assert list(baskets.values()) == ["grows"] + 4 * ["keeps raw pairs"] + 3 * ["folds"]
assert kept["network (GRU)"] == 2 * 32 * 4  # a key and a value of 32 float32
assert kept["cumulative average"] == kept["exponential average"] == 2 * 32 * 8 + 8  # float64, and a count
assert kept["moving average of 64"] == kept["weighted average of 64"] == kept["window of 64"] == 64 * 2 * 32 * 4

# %% [markdown]
# Three baskets. The **full cache grows**. Window, moving and weighted average **keep raw pairs** to go on. Only the rest
# **folds**: cumulative, exponential, a network, and the matrix memories of chapter 03b (linear attention, delta rule).
# (The averages have twice the network's room because they keep their sums in float64, for chapter 02's reason.)
#
# ## A network as the cache
#
# In an average the rule is fixed. Here it is **learned**: a recurrent network reads $x=[k;v]$ and rewrites its hidden
# state $h$, and $h$, cut in two, **is** the pair that is read. A *GRU cell* (gated recurrent unit,
# arXiv 1406.1078) computes
#
# $$z=\sigma(W_zx+U_zh+b_z),\quad h\leftarrow z\odot h+(1-z)\odot n,\quad n=\tanh(W_nx+b_n+r\odot(U_nh+c_n)).$$
#
# $\sigma(a)=1/(1+e^{-a})$ lies between 0 and 1; $\odot$ multiplies number by number; $r$ is a second gate built like $z$;
# $n$ is what is to come in. The **gate** $z$ says, for each number of the state, how much of it stays. **By hand:** $h=0.5$, $n=-1$, $z=0.75$ give
# $0.75\cdot0.5+0.25\cdot(-1)=0.125$. With $z=0.9$ always, $h$ is an exponential average, of rate 0.1, of
# the $n$. The new thing: $z$ **depends on what is read.**
#
# **The task.** A stream of letters a to h, now and then one is a CAPITAL. At every step the memory must say the newest
# capital. The key tells small from capital, the value is the letter. What the memory says is the largest of the eight
# numbers of the value it reads. The best possible answer is always right: three bits have to be kept. Guessing is
# right one time in eight.
#
# The cell below makes such streams and trains. `trained through time` means: the error at every step goes back, by
# the chain rule, through all the updates before it. Read `train` if you like; its result is what counts.

# %%
LETTERS = "abcdefgh"


def pairs(letters, capital, spare=0):
    """Letters and capitals [*b, n] as pairs: a key of 2 numbers (and `spare` zeros), a value of 8."""
    one_hot = torch.nn.functional.one_hot
    return KV(one_hot(capital.long(), 2 + spare).float(), one_hot(letters, 8).float())


def spelled(text):
    return pairs(torch.tensor([LETTERS.index(c) for c in text.lower()]), torch.tensor([c.isupper() for c in text]))


@torch.no_grad()
def says(memory, kv):
    """What the memory says at every step. The query asks for capitals; one slot gives the same to any query."""
    q = torch.zeros_like(kv.k)
    q[..., 1] = 20
    return attend_all(memory, q, kv).argmax(-1)


def streams(rows, n, rate, draws, spare):
    """Streams with a capital every 1 / rate letters, and the right answer at each step (-100: none yet)."""
    letters, capital = torch.randint(8, (rows, n), generator=draws), torch.rand(rows, n, generator=draws) < rate
    last = torch.where(capital, torch.arange(n), -1).cummax(1).values
    return pairs(letters, capital, spare), torch.where(last < 0, -100, letters.gather(1, last.clamp(min=0)))


def train(cell, n, rate, steps, rows, lr):
    adam, draws = torch.optim.Adam(cell.parameters(), lr), torch.Generator().manual_seed(n)
    begin = time.perf_counter()
    for _ in range(steps):
        kv, right = streams(rows, n, rate, draws, cell.hidden_size - 10)
        out = attend_all(Recurrent(cell), kv.k, kv)  # [rows, n, 8]
        loss = torch.nn.functional.cross_entropy(6 * out.flatten(0, 1), right.flatten())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
        adam.step()
    print(f"{steps} steps on streams of {n}: loss {loss.item():.3f}, {time.perf_counter() - begin:.1f} s")
    return Recurrent(cell)


torch.manual_seed(0)
untrained = Recurrent(torch.nn.GRUCell(10, 10))
trained = train(torch.nn.GRUCell(10, 10), n=40, rate=0.05, steps=200, rows=64, lr=3e-2)
x, h, cell = torch.linspace(-1, 1, 10), torch.linspace(1, 0, 10), trained.cell  # the formula above, letter by letter
(r_x, z_x, n_x), (r_h, z_h, n_h) = (
    (w @ a + b).chunk(3) for w, a, b in ((cell.weight_ih, x, cell.bias_ih), (cell.weight_hh, h, cell.bias_hh))
)
z, n = torch.sigmoid(z_x + z_h), torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
assert torch.allclose(z * h + (1 - z) * n, cell(x, h), atol=1e-6) and 0.75 * 0.5 + 0.25 * -1 == 0.125
assert state_bytes(states(trained, spelled("a"))[-1]) == 40  # ten numbers: the pair that is read, nothing else
stream = "bdfaCagebhfdAcfgbeah"
said = "".join(LETTERS[i] for i in says(trained, spelled(stream)))
print(stream, "\n" + said)
assert said[4:] == "cccccccc" + "aaaaaaaa"

# %% [markdown]
# Now watch what its state is made of. It has no recipe; the box is divided by **influence**, each letter's share of all
# that is felt at this step. A small letter leaves a trace that fades in a few steps; a capital takes the box, and stays.

# %% tags=["film"]
kv = spelled(stream)
felt = influence(trained, kv, kv.k)  # [reads, tokens]: norms of the Jacobian of each read
share = felt / felt.sum(1, keepdim=True)
shown = [row[None] * (row >= 0.05) for row in share]
assert share[4:12].mean(0).argmax() == 4 and share[12:].mean(0).argmax() == 12  # the newest capital is felt most
events = [f"step {t}: '{stream[t]}' is read, the memory says '{said[t]}'" for t in range(len(stream))]
draw.film(
    shown,
    list(stream),
    events=events,
    title="A trained network keeps the newest capital",
    names=(
        "the stream   ▼ now · filled: felt, at least 5 % · outlined: felt less",
        "the one slot, by what it feels of each token (influence)",
    ),
    alt=f"Film of influence, no recipe: 20 letters; after 'C' at step 4 the state feels 'C' most "
    f"({share[11, 4]:.0%} at step 11), after 'A' at step 12 'A' ({share[-1, 12]:.0%} at the end).",
)

# %% [markdown]
# **Your own stream:** type up to 20 letters, a to h, small and capital, and let small ones follow. Each row is the influence
# on the last state. Where does the untrained network look, and where the trained one? How many may follow before it fails?


# %%
def felt_at_the_end(text, small_letters_behind):
    text = "".join(c for c in text if c.lower() in LETTERS)[:20] or "A"
    text += ("bgehdcfa" * 12)[:small_letters_behind]
    kv, rows = spelled(text), {}
    three = {"untrained": untrained, "trained": trained, "exponential, 0.1": ExponentialAverage(0.1)}
    for name, memory in three.items():
        one = influence(memory, kv)[0]
        rows[f"{name}: says {LETTERS[says(memory, kv)[-1]]}"] = one / one.sum()
    shares = torch.stack(list(rows.values()))
    return draw.influence(shares, list(text), list(rows), title="Share of the influence on the last state")


widgets.typed(felt_at_the_end, text=stream, small_letters_behind=(0, 80, 0, 5))

# %% [markdown]
# **What is lost first?** A window loses what is oldest, an average fades it, and so does the untrained network. The
# trained one has another order: small letters go within a few steps, wherever they stand; the old capital goes when a new
# one comes, however young it is. It loses first **what it is not asked for**.
#
# Influence is about small changes: a trace of `C` may still be felt and yet decide nothing. A blunter test: replace one
# small letter by another small one, or one capital by another, and see whether the answer changes.

# %%
end = says(trained, kv)[-1]
changed = []
for place in range(len(stream)):
    same_size = LETTERS.upper() if stream[place].isupper() else LETTERS
    others = [stream[:place] + c + stream[place + 1 :] for c in same_size]
    changed.append(sum(int(says(trained, spelled(other))[-1] != end) for other in others) / 7)
print({f"{i} '{c}'": round(x, 2) for i, (c, x) in enumerate(zip(stream, changed, strict=True)) if x})
assert changed[12] == 1 and sum(changed) == 1  # the newest capital decides; the old one, and all else, is lost
row = {name: influence(memory, kv)[0] for name, memory in {"untrained": untrained, "trained": trained}.items()}
assert row["trained"].argmax() == 12 and row["untrained"].argmax() >= 18

# %% [markdown]
# ## How long does it hold?
#
# It was trained on streams of 40 letters. After the capital come more and more small letters: the **gap**. **Sketch
# first**: the share of right answers against the gap, from 1 to 1,000. (Guessing gives 0.125.)

# %%
gaps = [0, 1, 3, 10, 30, 100, 300, 1000]


def accuracy(memory, longest=1000, rows=200, before=20, spare=0):
    """The share of right answers at each gap behind one capital, `before` small letters in front of it."""
    draws, n = torch.Generator().manual_seed(5), before + 1 + longest
    letters, capital = torch.randint(8, (rows, n), generator=draws), torch.zeros(rows, n)
    capital[:, before] = 1
    right = (says(memory, pairs(letters, capital, spare)) == letters[:, before : before + 1]).double().mean(0)
    return [right[before + gap].item() for gap in gaps if gap <= longest]


measured = accuracy(trained)
widgets.predict(
    "right answers of the trained network", gaps[1:], measured[1:], y="right answers", log_x=True, x_name="gap"
)

# %%
beside = {
    "untrained": untrained,
    "exponential average, rate 0.1": ExponentialAverage(0.1),
    "window of 1: the same 40 bytes": Window(1),
}
shares = {"trained on 40": measured} | {name: accuracy(memory) for name, memory in beside.items()}
shares["full cache, 40 bytes a letter"] = accuracy(Full(), 300, rows=20)
roomy = train(torch.nn.GRUCell(40, 40), n=40, rate=0.05, steps=200, rows=64, lr=3e-2)  # four times the state
shares["trained on 40, 160 bytes"] = accuracy(roomy, spare=30)
assert min(shares["trained on 40, 160 bytes"][1:5]) > 0.9 and shares["trained on 40, 160 bytes"][-1] < 0.4
assert min(shares["trained on 40"][:5]) > 0.95 and shares["trained on 40"][-1] < 0.4  # 30 letters: yes, 1000: no
assert max(shares["untrained"][3:]) < 0.3 and max(shares["window of 1: the same 40 bytes"][1:]) < 0.3
assert shares["exponential average, rate 0.1"][3] < 0.5 and min(shares["full cache, 40 bytes a letter"]) == 1
draw.curves(
    {name: (gaps[1 : len(y)], y[1:]) for name, y in shares.items()},
    log_x=True,
    x="small letters behind the capital",
    y="right answers",
    title="Remember one capital",
)

# %% [markdown]
# It holds about as long as it was trained to hold: its **horizon**. Four times the room changes nothing.
#
# What do **longer** streams do? Sixty steps of training on streams of 240 letters, from the network above. And to see what
# "lost" means: two streams that differ in the capital alone. How far apart are their states?

# %%
from copy import deepcopy

longer = train(deepcopy(trained.cell), n=240, rate=0.015, steps=60, rows=16, lr=1e-2)
shares["trained on 240"] = accuracy(longer)
assert shares["trained on 240"][gaps.index(100)] > 0.8
small = torch.randint(8, (3000,), generator=torch.Generator().manual_seed(1))
both = torch.stack([torch.cat([torch.tensor([capital]), small]) for capital in (0, 4)])  # A or E, then the same
pasts, apart = pairs(both, torch.arange(3001).expand(2, -1) == 0), {}
with torch.no_grad():
    for name, memory in {
        "trained on 40": trained,
        "trained on 240": longer,
        "average": ExponentialAverage(0.1),
    }.items():
        one, other = attend_all(memory, pasts.k, pasts)
        apart[name] = (one - other).norm(dim=-1)
    end = trained.update(trained.init(pasts), pasts)  # the two states after 3,000 small letters
assert torch.allclose(end.k[0], end.k[1], atol=1e-5) and torch.allclose(end.v[0], end.v[1], atol=1e-5)
assert apart["trained on 40"][10] > 1 and apart["trained on 240"][100] > 1 > 1e-2 > apart["trained on 240"][-1]
assert max(end.k.abs().max(), end.v.abs().max()) <= 1  # tanh: nothing in a GRU's state ever leaves [-1, 1]
stays = (apart["trained on 40"][100] / apart["trained on 40"][10]).item() ** (1 / 90)
print(f"trained on 40: of the difference {stays:.1%} stays at each letter, from 10 to 100; of the average's 90 %")
assert 0.9 < stays < 1 and apart["trained on 40"][100] < apart["trained on 240"][100]
at = [1, 3, 10, 30, 100, 300, 1000, 3000]
draw.curves(
    {name: (at, x[at].clamp(min=1e-9).log10().tolist()) for name, x in apart.items()},
    x="small letters since 'A' or 'E'",
    y="distance of the two reads, power of ten",
    log_x=True,
    title="Two streams that differ in one capital",
)

# %% [markdown]
# After 3,000 letters the first network's two states differ in their last digits at most: what is left of `A` or `E` is of
# the size of rounding errors, and no read can rely on it. That is what "lost" means. (Equal bit for bit, it would be lost
# for **any** read, however clever.) At each letter a little of the difference goes; over the 40 steps of its training that
# cost the first network nothing, so nothing spoke against it.
#
# *Misconception: "a constant state means a constant loss."* The state had 40 bytes
# all along; the loss depends on what the update lets through: the answer outlives 30 letters, not 3,000.
# (Nor does the state run over: $\tanh$ keeps its numbers within ±1, however long the stream. The price: it cannot count without limit.)
#
# ## An endless stream
#
# Can a state of 40 bytes hold the capital over a **million** letters? Training on 240 does not find it. But the cell
# can: set its gate by hand. Small letter: $z=1$, all stays. Capital: $z=0$, all is replaced. In float32
# $\sigma(100)$ is exactly 1, so a small letter leaves the state **bit for bit** as it was: try all eight, for all eight
# capitals, and you have proved it for any number of them.

# %%
latch = Recurrent(torch.nn.GRUCell(10, 10))
with torch.no_grad():
    for weight in latch.cell.parameters():
        weight.zero_()
    latch.cell.weight_ih[10:20, 0], latch.cell.weight_ih[10:20, 1] = 100, -100  # z (rows 10 to 19): small, capital
    latch.cell.weight_ih[20:30, 0:10] = 5 * torch.eye(10)  # n = tanh(5 x): the pair itself
    for capital in LETTERS.upper():
        mem = latch.update(latch.init(spelled("a")), spelled(capital))
        for letter in LETTERS:
            after = latch.update(mem, spelled(letter))
            assert torch.equal(after.v, mem.v) and torch.equal(after.k, mem.k)
shares["gate set by hand"] = accuracy(latch)
assert min(shares["gate set by hand"]) == 1

# %% [markdown]
# So **a constant state can hold one thing for ever**, if its update leaves that thing alone. What it cannot do is hold
# everything. *Misconception: "an infinite history is an infinite memory."* Count: 40 bytes are 320 bits, so there are
# at most $2^{320}$ different states. There are 16 letters (small and capital), so $16^n=2^{4n}$ different streams of n
# letters. From the 81st letter on there are more streams than states: two of them **must** end in the same state, and no
# read can tell them apart. For averages it is plainer still: in the cumulative one each of n letters weighs
# $1/n$; in the exponential one of rate 0.1 the first letter's weight is exactly 0 after 7,100 steps, even in float64.
#
# Now run it: a `C`, then small letters without end. A GRU goes **letter by letter**, since its gates may look at $h$. Ours,
# set by hand, look at the new pair alone, so a whole segment can be folded in **at once**, as the general form allows:
#
# $$h_T=\Big(\prod_t z_t\Big)\odot h_0+\sum_t\Big(\prod_{s>t}z_s\Big)\odot(1-z_t)\odot n_t .$$
#
# Letter by letter to $10^5$, by segments of 10,000 to $10^6$: the same state? Predict the bytes, and the time a letter.


# %%
class AtOnce(Recurrent):
    """The same memory for a cell whose gates look at the new pair alone: a segment is folded in without a loop."""

    def update(self, mem, new, q=None):
        _, z, n = (torch.cat([new.k, new.v], -1) @ self.cell.weight_ih.T).chunk(3, -1)
        z, n = torch.sigmoid(z), torch.tanh(n)
        before = z.flip(0).cumprod(0).flip(0)  # what stays of the state before letter t: z_t ... z_T
        behind = torch.cat([before[1:], torch.ones(1, 10)])  # and of the state behind it
        old = torch.cat([mem.k, mem.v], -1) if mem.n else torch.zeros(1, 10)
        h = before[:1] * old + (behind * (1 - z) * n).sum(0, keepdim=True)
        return KV(h[:, :2], h[:, 2:])


marks, first, draws = [100, 1000, 10_000, 100_000, 1_000_000], spelled("C"), torch.Generator().manual_seed(0)
running = {
    "GRU, gate set by hand": latch,
    "the same, by segments": AtOnce(latch.cell),
    "exponential average": ExponentialAverage(0.1),
    "cumulative average": CumulativeAverage(),
}
mems = {name: memory.update(memory.init(first), first) for name, memory in running.items()}
micro, told = {name: [] for name in running}, {name: "" for name in running}
with torch.no_grad():
    for since, mark in zip([0, *marks], marks, strict=False):
        letters = torch.randint(8, (mark - since,), generator=draws)
        for name, memory in running.items():
            if memory is latch and mark > 100_000:
                continue  # it would be ten times as long
            begin = time.perf_counter()
            for part in letters.split(10_000):
                mems[name] = memory.update(mems[name], pairs(part, torch.zeros(len(part))))
            micro[name].append((time.perf_counter() - begin) / len(letters) * 1e6)
            told[name] += LETTERS[memory.slots(mems[name]).v[0].argmax()] + " "
for name, said in told.items():
    print(f"{name:22} {state_bytes(mems[name])} bytes; after 10^2, 10^3, ... letters it says {said}")
one, other = mems["GRU, gate set by hand"], mems["the same, by segments"]
assert torch.equal(one.k, other.k) and torch.equal(one.v, other.v)  # bit for bit, after 10^5 and after 10^6
mixed = [memory.update(memory.init(kv), kv).v for memory in (latch, AtOnce(latch.cell))]
assert torch.allclose(*mixed, atol=1e-6)  # and where capitals stand among the small letters
assert told["the same, by segments"] == "c c c c c " and state_bytes(other) == 40
assert 16**80 == 2**320 and 16**81 > 2**320 and 0.9**7000 > 0 == 0.9**7100
assert torch.allclose(recipe(CumulativeAverage(), torch.zeros(1000, 1))[-1], torch.full((1, 1000), 1 / 1000))
assert (memory.slots(mems["cumulative average"]).v - 1 / 8).abs().max() < 0.005  # all alike: no C left to see
sizes = {"full cache": [40.0 * mark for mark in marks], "constant state": [40.0] * 5}  # 40 bytes a pair
display(
    draw.curves(
        {name: (marks, torch.tensor(size).log10().tolist()) for name, size in sizes.items()},
        x="letters read",
        y="bytes, power of ten",
        log_x=True,
        title="40 megabytes, or 40 bytes",
    ),
    draw.curves(
        {name: (marks[: len(y)], y) for name, y in list(micro.items())[:2]},
        log_x=True,
        x="letters read",
        y="microseconds a letter",
        title="What a letter costs, here and now",
    ),
)

# %% [markdown]
# The bytes are flat, and letter by letter so is the time: no letter costs more than the one before. (A full cache's
# read would have grown ten thousand times from the first mark to the last.) The capital is still there; of the two averages
# one has $10^{-6}$ of it left, the other nothing.
#
# And by segments the same state came out many times faster. Where an update is $a\odot\mathrm{Mem}+b$, and $a$ and $b$ look at
# the new pair alone, two updates are one such update again. The exercise has you write that line; many of today's
# recurrent models are built on it.
#
# ## Four new questions

# %%
display(
    widgets.quiz(
        "Mem = Mem_pre / 2 + x (a leaky sum), Mem_pre = 8; the segment (4, 6) is folded in at once. The new Mem?",
        numeric=10,
        why="Token by token: 8/2 + 4 = 8, then 8/2 + 6 = 10. At once: 8/4 + 4/2 + 6 = 10.",
    ),
    widgets.quiz(
        "A network was trained on streams of 40 letters and holds a capital for 50. Its state is doubled to 20 numbers, the training stays the "
        "same. For how long will it hold one capital?",
        ["for about 100 letters", "about as long as before", "for ever"],
        1,
        "Room was never what was missing: three bits fit into 10 numbers, and 40 numbers held no longer. What is missing is a "
        "reason, in training, to hold longer than 40. Longer streams give one.",
    ),
    widgets.quiz(
        "A stream's two states, one for each of two different pasts, have become equal bit for bit. What can bring the "
        "difference back?",
        ["a better query", "a larger model that reads the state", "nothing"],
        2,
        "Everything that comes later is a function of the state and of new pairs. Equal states and equal new pairs: equal for ever.",
    ),
    widgets.quiz(
        "Put in order, for one segment of a segment memory.",
        [
            "update with the segment, then its queries read",
            "its queries read (old memory, and their own segment causally), then update",
            "each token updates and reads in turn",
        ],
        1,
        "Read, then update. With the update first, the first query of the segment would see its future folded into the memory.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **Update**$(S_{kv},\mathrm{Mem}_{pre})$: the general form; the new memory from the new pairs and the old memory alone.
# - **token form, segment form**: one pair an update (update, then read); many pairs an update (read, then update).
# - **fold**: to take a pair into a state of constant size, from which it cannot be taken out again.
# - **recurrent network, hidden state, GRU cell, gate**: a learned update; what it rewrites; its most common build; how much of
#   each number stays.
# - **trained through time**: the error of every step goes back through all updates before it.
# - **influence**: how much the state would move with a token's value; the picture for memories that have no recipe.
# - **gap, horizon**: how long ago it was; how long a memory holds.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 03a` and open `my/03a_recurrent.ipynb`.
# The button at its end grades your answers as often as you like. Chapter 03b goes on with states that are matrices: not one
# pair, but room for many.
