# %% [markdown]
# # 03b · Write pairs into a matrix
#
# **After this chapter you can** write two pairs into a matrix by hand and read one back, say what *crosstalk* is and
# how the delta rule removes it, put the three events of an update (fade, correct, read) in their order, foresee how
# many pairs survive in a state of a given size, and name a question that a full cache without positions gets wrong
# and a small matrix gets right.
#
# **Time:** 70 minutes for the lesson and 50 for the exercise: two sittings. **You need:** chapters 00 to 02 and the
# general form of chapter 03a, $\mathrm{Mem}=\mathrm{Update}(S_{kv},\mathrm{Mem}_{pre})$; one section speaks of the
# gradient of a loss. This chapter is an elective.
#
# Everything below is computed on real tensors, here, as you run it; what takes too long for a lesson is stored, and
# its command is named.

# %%
import time

import torch
import torch.nn.functional as F

from memlib import KV, DeltaRule, Full, GatedDelta, LinearAttention, Window
from memlib import attend_all, check, outputs, recipe, state_bytes, states, tasks, view
from memlib import draw, lm, widgets
from memlib.tasks import experiments

answers = lm.load("facts")  # the answering model, trained with its full cache
text = "The door code is 4711."
tokens = list(text)
q, k, v = tasks.heads(answers, text, layer=1, head=2)  # what one head hands to its memory
kv = KV(k, v)
print(f"{len(tokens)} bytes of text: one query, one key, one value each, of width {k.shape[-1]}")

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "Attention reads a cache whose values all lie between 3 and 9. Can it give 12?",
        ["yes, if the query is long enough", "no, whatever the query", "yes, if two pairs have the same key"],
        1,
        "A read by softmax is a weighted average: it never leaves the values. In this chapter you meet a memory whose "
        "reads do.",
    ),
    widgets.quiz(
        "What must a cumulative average keep to go on?",
        ["all pairs", "the newest pairs", "one sum of keys, one of values, and a count"],
        2,
        "Sum and count are enough, however long the stream. The price: all pairs weigh the same, and a query can "
        "no longer choose among them.",
    ),
    widgets.quiz(
        "Mem = Update(new pair, Mem before). Which of these can NOT be computed from the one pair that is read "
        "and the new pair?",
        ["exponential average", "moving average of 5", "a GRU cell's hidden state"],
        1,
        "To take the oldest pair out of the mean one must still have it: a moving average keeps five pairs. The "
        "other two need only what they were and what is new.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# The memories so far either keep pairs whole, or melt them into one. Here is a third way: a **matrix** of constant
# size into which pairs are written so that a key still finds *its own* value. Such a matrix is a small weight
# matrix that changes with every token, hence the old name **fast weights** (Schmidhuber 1992).
#
# The chapter is about three such memories: **linear attention**, the **delta rule** and the **gated delta rule**. What
# they do comes in a moment. First a trap: we take the answering model, which was trained with a full cache, and put a
# delta rule in its place, without any training. The state is 48 KB, whatever the distance. **Predict**: will it tell
# the code?

# %%
widgets.one_fact(DeltaRule(), answers)

# %% tags=["film"]
fact = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
stream = lm.stream(150, seed=1, own=fact)
seen = {
    name: tasks.one_fact(m, model=answers, stream=stream)
    for name, m in {"linear": LinearAttention(), "delta": DeltaRule()}.items()
}
linear, delta, read = seen["linear"], seen["delta"], stream.fact_span[1] - 1  # read: the fact's last byte
assert not any(one.right for one in seen.values()) and delta.state_bytes[-1] == delta.state_bytes[0]
assert (linear.recipe_dye[:, read:] - 1).abs().max() < 1e-4  # nothing is ever taken away
assert (linear.view_dye[:, -1] < 0.6 * linear.view_dye[:, read]).all()  # but reads are divided by the sum of all keys
assert delta.recipe_dye[:, read:].diff().max() < 1e-4 and delta.recipe_dye[:, -1].max() < 0.9  # drains, never rises
draw.dye(
    delta.recipe_dye,
    delta.view_dye,
    delta.text,
    delta.fact_span,
    after=delta.said,
    title="A delta rule in a model that was trained with a full cache",
)

# %% [markdown]
# It does not. The orange line is the *length* of what the matrices $S$ hold of the fact, 100 % when the fact has just been read. In
# the delta rule it drains: later bytes take its place. In linear attention (not drawn) it stays at 100 %, nothing is
# ever taken away; but all other bytes are added on top, each read is divided by their total, and the answer is wrong all
# the same: **having is not finding**, once more. Keys that were trained to be told apart by a softmax are not told apart
# in a matrix. A model must be trained *with* its memory. So here is a model of the same shape trained with a delta rule, its rate
# learned as well, on the same stream, in a state of the same 48 KB. **Predict** its share of right answers when 32 bytes
# lie between fact and question, when 128 do, and when 512 do.

# %%
trained = {
    "full cache": "facts",
    "delta rule": "facts_delta",
    "linear attention": "facts_linear",
    "gated delta rule": "facts_gated",
}
shares = {
    name: {int(far): share["all"] for far, share in lm.card(file)["right_answers"].items()}
    for name, file in trained.items()
}
own = lm.load("facts_delta")  # reads through the memories it was trained with, one a layer
learned = tasks.one_fact(own.memories, model=own, stream=stream)
print(f"trained with it, the model says {learned.said}; with the memory swapped in it said {delta.said!r}")
assert learned.right and learned.state_bytes[-1] - delta.state_bytes[-1] < 1024
assert shares["delta rule"][32] > 0.8 and shares["delta rule"][512] < 0.3
assert all(shares["full cache"][far] > shares["delta rule"][far] + 0.05 for far in (32, 128, 256, 512))
assert all(shares["linear attention"][far] < shares["delta rule"][far] - 0.05 for far in (16, 32, 64, 128))
assert all(share[512] < 0.3 for name, share in shares.items() if name != "full cache")
near = {name: {far: x for far, x in share.items() if far <= 512} for name, share in shares.items()}
draw.curves(
    {name: (list(share), list(share.values())) for name, share in near.items()},
    x="bytes between",
    log_x=True,
    y="right answers",
    title="Trained with its memory: new facts in new words",
)

# %% [markdown]
# Trained with it, the delta rule answers; the same stream, the same size of state. And it is no full cache: what lies
# between is written into the same matrices, and with each of these memories the share of right answers falls;
# with linear attention it is low from the start. (The full cache's model was trained much longer than the other three,
# so not all of its lead is due to its memory.) The rest of the chapter shows how a matrix loses what it held.
#
# ## A pair as a matrix
#
# The **outer product** $k\,v^\top$ of a key and a value is a table with the number $k_i v_j$ in row $i$, column $j$.
# Multiplied by its key from the left it gives its value back, $k^\top(k\,v^\top)=(k\cdot k)\,v$: exactly $v$ if the key
# has length 1. Another key $k'$ gets $(k'\cdot k)\,v$, and nothing at all if it is *orthogonal* to $k$ (their product
# is 0). So several pairs can be **added** into one table $S$, and each key finds its own value, as far as the keys are
# orthogonal.
#
# **By hand.** $k_1=(1,0)$ with $v_1=(3,1)$, then $k_2=(0.6,0.8)$ with $v_2=(0,5)$. Both keys have length 1.
#
# $$S=\begin{pmatrix}3&1\\0&0\end{pmatrix}+\begin{pmatrix}0&3\\0&4\end{pmatrix}=\begin{pmatrix}3&4\\0&4\end{pmatrix},
# \qquad k_1^\top S=(3,4),\qquad k_2^\top S=0.6\,(3,4)+0.8\,(0,4)=(1.8,\,5.6).$$
#
# Neither is right. $k_1$ wanted $(3,1)$ and got $(0,3)=0.6\,v_2$ on top; $k_2$ wanted $(0,5)$ and got
# $(1.8,0.6)=0.6\,v_1$ on top. What comes through of other pairs is **crosstalk**, here $k_1\cdot k_2=0.6$ of it.
#
# **The delta rule** asks before it writes. What does $S$ answer to $k_2$ already? $0.6\,(3,1)=(1.8,0.6)$. It wants
# $(0,5)$, so the error is $(-1.8,4.4)$, and only the **error** is written:
#
# $$S=\begin{pmatrix}3&1\\0&0\end{pmatrix}+\begin{pmatrix}0.6\\0.8\end{pmatrix}\begin{pmatrix}-1.8&4.4\end{pmatrix}
# =\begin{pmatrix}1.92&3.64\\-1.44&3.52\end{pmatrix},\qquad k_2^\top S=(0,5),\qquad k_1^\top S=(1.92,3.64).$$
#
# The newest pair is exact. The older one pays: it was moved by $0.6$ of the error.

# %%
keys, values = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[3.0, 1.0], [0.0, 5.0]])
summed = sum(torch.outer(key, value) for key, value in zip(keys, values, strict=True))
assert torch.allclose(keys @ summed, torch.tensor([[3.0, 4.0], [1.8, 5.6]]))
by_delta = states(DeltaRule(), KV(keys, values))[-1].s
assert torch.allclose(by_delta, torch.tensor([[1.92, 3.64], [-1.44, 3.52]]))
assert torch.allclose(keys @ by_delta, torch.tensor([[1.92, 3.64], [0.0, 5.0]]), atol=1e-6)
display(
    widgets.quiz(
        "To the SUM above a third pair is added: key (0, 1), value (1, 1). What does the key (0, 1) read? (two numbers)",
        numeric=[1, 5],
        why="Row 1 of S was (0, 4), what pair 2 had left there; now it is (1, 5). The wanted (1, 1) and 0.8 times the "
        "second value (0, 5): crosstalk again.",
    ),
    widgets.quiz(
        "The same third pair by the DELTA RULE instead. Which keys read exactly their value afterwards?",
        ["all three", "only the third", "the second and the third", "none"],
        1,
        "The newest is always exact. The second key is not orthogonal to the third (their product is 0.8), so its "
        "answer moved. The first key is, so it still reads (1.92, 3.64): what the SECOND pair had made of its (3, 1).",
    ),
)

# %% [markdown]
# ## Watch it being written
#
# The real keys and values of one head, into two matrices of 32 by 32. Left **linear attention**: each pair is added,
# nothing is ever taken away. Right the **delta rule**: each pair corrects what its key answers. Orange is above zero,
# blue below. Under each matrix stands what the query of this step receives of each byte. Watch the stripes on the
# left: whole columns of one colour. There each row adds up the values, each times a number made of its key that is
# never below zero, so the rows come out alike. On the right keys have both signs, and every column is mixed.

# %% tags=["film"]
both = {"linear attention": LinearAttention(), "the delta rule": DeltaRule()}
written = {name: torch.stack([mem.s for mem in states(memory, kv)]) for name, memory in both.items()}
views = {name: view(memory, q, k) for name, memory in both.items()}
assert all(s.shape == (len(tokens), 32, 32) for s in written.values())  # the size never changes
assert views["linear attention"].min() >= 0 > views["the delta rule"].min()  # a view below zero: see further down
one_sign = {name: (s[-1].sign().sum(0).abs() == 32).sum() for name, s in written.items()}  # columns of one colour
assert one_sign["linear attention"] > 0 == one_sign["the delta rule"]
draw.matrices(written, tokens, views, title="The same pairs, added or corrected")

# %% [markdown]
# ## The formula
#
# **Linear attention** (Katharopoulos 2020, arXiv 2006.16236) adds outer products. So that no weight can be negative,
# keys and queries first go through $\varphi(x)=\mathrm{elu}(x)+1$, which is above 0 everywhere ($x+1$ for $x>0$, $e^x$
# below), and $z$ sums the keys so that the weights can be divided by their total:
#
# $$S\leftarrow S+\varphi(k)\,v^\top,\qquad z\leftarrow z+\varphi(k),\qquad
# \text{read}\quad \frac{\varphi(q)^\top S}{\varphi(q)^\top z}.$$
#
# The **delta rule** (Widrow and Hoff 1960; Schlag 2021, arXiv 2102.11174) writes the error, times a rate $\beta$ from 0
# to 1, and the **gated delta rule** (Yang 2024, arXiv 2412.06464) lets the whole state fade by $\alpha$ first:
#
# $$S\leftarrow \alpha S,\qquad S\leftarrow S+k\,\big(\beta\,(v-S^\top k)\big)^{\!\top},\qquad \text{read}\quad S^\top q .$$
#
# The order is always the same: **fade, correct, read**. The error is taken *after* the fade; the token reads *after*
# it is written. Keys and queries of the delta rules are brought to length 1 (as in arXiv 2406.06484; Schlag's
# went through a feature map and were divided by its sum). All three are of the general form:
# the next state needs the old state and the new pair, nothing else. (The gated delta rule is in use: Qwen3-Next
# has it in three of four layers, and full attention in the fourth.)
#
# ## The code, and yours
#
# A delta rule in ten lines, with $\beta=1$. `check` walks it and the library's over 48 random tokens. Spoil it: write
# `value` instead of the error, forget to bring the key to length 1, read with the rows and columns exchanged.


# %%
class Mine:
    def init(self, like):
        return like.empty(), like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        like, s = mem
        for t in range(new.n):
            key, value = F.normalize(new.k[..., t : t + 1, :], dim=-1), new.v[..., t : t + 1, :]
            s = s + key.mT @ (value - key @ s)  # change this line and run the cell again
        return like, s

    def read(self, mem, q):
        return F.normalize(q, dim=-1) @ mem[1]

    def slots(self, mem):  # row j of S stands behind the unit key e_j
        return KV(torch.eye(mem[1].shape[-2]).expand(*mem[1].shape[:-1], -1).to(mem[1]), mem[1])


print(check(Mine(), DeltaRule()))
widgets.player(Mine(), k, q, tokens)

# %% [markdown]
# **Recipe and view.** The slots of a matrix memory are its rows. The recipe of row $j$ is $k_j$ of each token that was
# written (minus what corrections took away): every row holds something of *every* token, and no row holds a
# pair. The view is what a query gets: a mixture of all rows.
#
# ## One step of gradient descent
#
# Think of $S$ as the weights of a tiny network that should answer $v$ to $k$, with the loss
# $\tfrac12\lVert S^\top k-v\rVert^2$. Its gradient is $k\,(S^\top k-v)^\top$. One step of gradient descent with the rate $\beta$ **is** the
# delta rule: the memory is trained, one example a token, while it reads. Autograd says the same, below.
#
# **Why the keys must have length 1.** Write the update as $S\leftarrow(I-\beta\,kk^\top)\,S+\beta\,k\,v^\top$. Along
# $k$ the old state is multiplied by $1-\beta\lVert k\rVert^2$. With length 1 that is $1-\beta$, between 0 and 1. With
# $\beta=1$ and keys of 32 normal numbers it is about $-31$: each step is a step of gradient descent that is far too
# long, and the state explodes.

# %%
for beta in (1.0, 0.3):
    s = torch.zeros(32, 32)
    for t, mem in enumerate(states(DeltaRule(beta), kv)):
        s.requires_grad_()
        loss = 0.5 * (s.T @ F.normalize(k[t], dim=0) - v[t]).square().sum()
        s = (s - beta * torch.autograd.grad(loss, s)[0]).detach()  # one step of gradient descent
        assert torch.allclose(mem.s, s, atol=1e-4)
print("the delta rule and gradient descent: the same matrix at every step")
assert torch.allclose(recipe(LinearAttention(), k)[-1], (F.elu(k) + 1).T, atol=1e-5)  # row j: feature j of each token
assert (recipe(DeltaRule(), k)[-1] != 0).all()

draws, s = torch.Generator().manual_seed(0), torch.zeros(32, 32)
step = 0
while s.isfinite().all() and step < 200:
    key, value = torch.randn(2, 32, generator=draws)
    s = s + torch.outer(key, value - key @ s)  # the delta rule without the cure
    step += 1
print(f"raw keys: the state is infinite after {step} steps")
raw = KV(torch.randn(10_000, 32, generator=draws), torch.randn(10_000, 32, generator=draws))
cured = DeltaRule().update(DeltaRule().init(raw), raw).s
assert step < 100 and cured.abs().max() < 100
assert torch.allclose(states(DeltaRule(), KV(k * 1000, v))[-1].s, states(DeltaRule(), kv)[-1].s, atol=1e-4)

# %% [markdown]
# ## Weights below zero
#
# Attention gives each pair a weight of at least 0, and all together 1. Linear attention keeps that. The delta rule
# does not: to correct an answer it must **subtract** what was there, and a query that is near a key of this kind
# receives the old value with a minus sign. Nor do its weights sum to 1: an unknown query simply reads little.

# %%
weights = view(DeltaRule(), q, k)
display(
    draw.view(view(LinearAttention(), q, k), tokens, title="Linear attention: what each query receives"),
    draw.view(weights, tokens, title="The delta rule: what each query receives"),
)
assert torch.allclose(view(LinearAttention(), q, k).sum(-1), torch.ones(len(tokens)), atol=1e-4)
assert weights.min() < -0.05 and (weights.sum(-1) - 1).abs().max() > 0.1
by_hand = outputs(DeltaRule(), torch.tensor([[1.0, 0.0], [-0.6, 0.8]]), KV(keys, values))[-1]
assert by_hand[0] < values[:, 0].min()  # outside of all values: no average gives that
print("values 3 and 0 in the first column; the query (-0.6, 0.8) reads", round(by_hand[0].item(), 2))

# %% [markdown]
# ## Erase with beta, forget with alpha
#
# Two knobs take things out of $S$. $\beta$ works on **one** key: binding it again leaves $1-\beta$ of its old value.
# $\alpha$ works on **all** keys at every step, whatever comes: after $m$ steps $\alpha^m$ is left.
#
# Three keys, orthogonal to one another, are bound in turn: `a1` binds key a to value 1, `a3` binds it again.
# **Predict** row a at $\alpha=1,\beta=1$; then at $\beta=0.5$; then what happens to row c when $\alpha=0.8$.

# %%
bound = ["a1", "b2", "a3", "c4", "b5", "a6", "b7", "b8"]
letters = torch.eye(3)[["abc".index(name[0]) for name in bound]]


def rows(alpha, beta):
    """What each of the three keys reads at the end."""
    return recipe(GatedDelta(alpha, beta), letters)[-1]


assert torch.equal(rows(1.0, 1.0)[0].nonzero().flatten(), torch.tensor([5]))  # key a holds a6 alone
assert torch.allclose(rows(1.0, 0.5)[0, [0, 2, 5]], torch.tensor([0.125, 0.25, 0.5]))  # each binding halves the older
assert torch.allclose(rows(0.8, 1.0)[2, 3], torch.tensor(0.8**4))  # c4 fades though nobody touched it
widgets.knob(
    lambda alpha, beta: draw.recipe(
        rows(alpha, beta), bound, ["a", "b", "c"], f"What each key reads at the end: alpha {alpha:.2f}, beta {beta:.2f}"
    ).update_yaxes(title="row of key"),
    alpha=(0.0, 1.0, 1.0, 0.05),
    beta=(0.0, 1.0, 1.0, 0.05),
)

# %% [markdown]
# ## How many pairs survive?
#
# *Misconception: "a 64 by 64 matrix has 4,096 numbers, so it holds thousands of pairs."* A key reads its own
# value alone only as far as it is orthogonal to the others, and in $d$ dimensions there are $d$ orthogonal directions.
#
# The test: $N$ random pairs of width 64 are written, then every key is asked once, made 100 times as long so that a
# softmax picks the nearest; an answer is right when the value that was wanted is the nearest of all $N$. **Sketch
# first**: the delta rule with $\beta=1$, from 8 to 512 pairs.

# %%
pairs = [8, 16, 32, 64, 128, 256, 512]
delta = [tasks.recall(DeltaRule(), n) for n in pairs]
widgets.predict(
    "share of right answers of a 64 by 64 delta rule",
    pairs,
    delta,
    y="right answers",
    log_x=True,
    x_name="pairs written",
)


# %%
class Sum:
    """Outer products added up, nothing else: no phi, no division, no correction."""

    softmax = False

    def init(self, like):
        return like.k.new_zeros(*like.k.shape[:-2], like.k.shape[-1], like.v.shape[-1])

    def update(self, mem, new, q=None):
        return mem + new.k.mT @ new.v

    def read(self, mem, q):
        return q @ mem

    chunkable = True


curves = {
    "full cache": Full(),
    "window of 32, as many bytes": Window(32),
    "linear attention": LinearAttention(),
    "bare sum": Sum(),
    "delta, beta 0.5": DeltaRule(0.5),
}
right = {name: [tasks.recall(memory, n) for n in pairs] for name, memory in curves.items()} | {"delta, beta 1": delta}
expected = [tasks.recall_expected(64, n) for n in pairs]  # a window of 64 pairs
assert all(abs(got - want) < 0.15 for got, want in zip(delta, expected, strict=True))
assert right["full cache"] == [1] * len(pairs) and right["window of 32, as many bytes"][-1] == 32 / 512
assert all(share < 0.3 for n, share in zip(pairs, right["linear attention"], strict=True) if n >= 32)
key, value = torch.randn(2, 16, 16, 64, generator=torch.Generator().manual_seed(0))  # 16 rows of 16 pairs
plain = LinearAttention().read(LinearAttention().update(LinearAttention().init(KV(key, value)), KV(key, value)), key)
plain = (F.normalize(plain, dim=-1) @ F.normalize(value, dim=-1).mT).argmax(-1) == torch.arange(16)
assert tasks.SHARP == 100 and plain.double().mean() < 0.5 * right["linear attention"][1]  # asked with the key itself
assert state_bytes(states(DeltaRule(), KV(torch.zeros(1, 64), torch.zeros(1, 64)))[-1]) - 8 == 32 * (64 + 64) * 4
draw.curves(
    {name: (pairs, share) for name, share in right.items()},
    x="pairs written",
    y="right answers",
    log_x=True,
    title="Recall: random pairs of width 64",
)

# %% [markdown]
# Four things to see.
#
# - The delta rule with $\beta=1$ recalls like a window of about $d=64$ pairs, in the bytes of a window of 32.
# - A **full cache** is the yardstick: all of them, at a growing price.
# - **Linear attention is the worst**: an honest negative. $\varphi$ makes all features positive, and positive vectors
#   are never orthogonal: two random keys have a cosine (their product, once both have length 1) near 0, their features
#   one of about 0.7. Every read is full of crosstalk, and a model must learn keys that live with it. (The long
#   queries even help it: $\varphi$ answers to length. Asked with the key itself it recalls less than half as much.)
# - The **bare sum** does better than one would think, and $\beta=0.5$ better than $\beta=1$. Why?
#
# Because a share of right answers does not say *which* answers. Sort the 256 pairs by age:


# %%
def by_age(memory, n=256, width=64, trials=16):
    """Share of right answers for each pair, the newest first, in groups of 16."""
    draws = torch.Generator().manual_seed(0)
    key, value = (F.normalize(torch.randn(trials, n, width, generator=draws), dim=-1) for _ in range(2))
    mem = memory.update(memory.init(KV(key, value)), KV(key, value))
    found = (F.normalize(memory.read(mem, key), dim=-1) @ value.mT).argmax(-1)
    return (found == torch.arange(n)).double().mean(0).flip(0).reshape(-1, 16).mean(1).tolist()


ages = {
    "bare sum": by_age(Sum()),
    "delta, beta 1": by_age(DeltaRule()),
    "delta, beta 0.5": by_age(DeltaRule(0.5)),
    "gated, alpha 0.98": by_age(GatedDelta(0.98, 1.0)),
}
assert ages["delta, beta 1"][0] > 0.97 and max(ages["delta, beta 1"][8:]) < 0.1  # the newest all, the old none
assert max(ages["bare sum"]) - min(ages["bare sum"]) < 0.15  # all ages alike
assert sum(ages["gated, alpha 0.98"]) < sum(ages["delta, beta 1"]) < sum(ages["delta, beta 0.5"])
random_keys = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
cosines = [F.normalize(x, dim=-1) @ F.normalize(x, dim=-1).T for x in (random_keys, F.elu(random_keys) + 1)]
assert (cosines[0].sum() - 256).abs() / 256 / 255 < 0.05 and (cosines[1].sum() - 256) / 256 / 255 > 0.6
draw.curves(
    {name: (list(range(8, 256, 16)), share) for name, share in ages.items()},
    x="age of the pair (tokens)",
    y="right answers",
    title="Which of 256 pairs survive in 64 by 64",
)

# %% [markdown]
# The delta rule forgets the **oldest**: each new key takes its direction away from those before, and after $d$ keys
# all directions are taken. The sum forgets **nothing and everything a little**: crosstalk of all on all. $\beta$ stands
# between the two. A smaller $\beta$ spoils old pairs less, and the newest is not exact any more: it reads $\beta\,v$ and
# some of what was there.
#
# And the size? With $\beta=1$, twice the width keeps a little more than twice the pairs (counted when four times as
# many as the width were written). The bytes grow with $d^2$: a pair costs about $d$ numbers, half of the $2d$ of a raw
# pair.
#
# **That loss belongs to the rule, not to the matrix.** The bare sum, and a delta rule of $\beta=0.1$, tell nine of ten
# pairs right up to numbers that grow three to four times with twice the width, nearly as the bytes do. How, with $d$
# orthogonal directions? What survives is *which* value it was. The crosstalk of many random keys points nowhere in
# particular, so the wanted value is still the nearest, while the read itself is far off.


# %%
def most(memory, d):
    """The largest number of pairs of which a memory of d by d still recalls nine of ten, found by halving."""
    low, high = 1, d * d // 12
    while high - low > 1:
        middle = (low + high) // 2
        enough = tasks.recall(memory, middle, width=d, trials=8) >= 0.9
        low, high = (middle, high) if enough else (low, middle)
    return low


widths = [16, 32, 64, 128]
survive = {
    "beta 1: survive": [4 * d * tasks.recall(DeltaRule(), 4 * d, width=d, trials=16) for d in widths],
    "bare sum: nine of ten": [most(Sum(), d) for d in widths],
    "beta 0.1: nine of ten": [most(DeltaRule(0.1), d) for d in widths],
}
print(*[f"{name:21} {[round(n) for n in kept]} at widths {widths}" for name, kept in survive.items()], sep="\n")
for name, kept in survive.items():
    low, high = (2, 2.9) if "survive" in name else (3, 4.2)
    assert all(low < more / less < high for less, more in zip(kept, kept[1:], strict=False))
assert all(0.5 * d < n < 1.6 * d for d, n in zip(widths, survive["beta 1: survive"], strict=True))
newest = KV(random_keys, torch.randn(256, 64, generator=torch.Generator().manual_seed(1)))
off = {
    beta: (
        (DeltaRule(beta).read(states(DeltaRule(beta), newest)[-1], newest.k[-1:]) - newest.v[-1:]).norm()
        / newest.v[-1:].norm()
    ).item()
    for beta in (1.0, 0.5)
}
unit = F.normalize(random_keys, dim=-1)
off = {f"beta {beta}, the newest value": share for beta, share in off.items()}
off["bare sum, any value"] = ((unit @ (unit.T @ newest.v) - newest.v).norm() / newest.v.norm()).item()
print(*[f"{which}: {share:.0%} off after 256 pairs" for which, share in off.items()], sep="\n")
assert off["beta 1.0, the newest value"] < 1e-5 and off["beta 0.5, the newest value"] > 0.3
assert off["bare sum, any value"] > 1.5
draw.curves(
    {name: (widths, kept) for name, kept in survive.items()} | {"as many as the width": (widths, widths)},
    x="width d",
    y="pairs",
    title="How many pairs a matrix of d by d keeps",
)

# %% [markdown]
# ## Binding a key again
#
# A world that changes: "the door code is 4711" ... "the door code is now 2580". The same key gets a new value. 16 keys
# are bound $R$ times in turn, then each is asked for its **newest** value. A full cache without positions holds all $R$
# values behind equal keys, and equal scores give equal weights: a guess among $R$. **Predict** the share of right
# answers at $R=1,2,4,8$: for the full cache, for linear attention, for the delta rule.

# %%
times = [1, 2, 4, 8]
again = {
    name: [tasks.rebinding(memory, r) for r in times]
    for name, memory in {
        "delta rule": DeltaRule(),
        "full cache, no positions": Full(),
        "linear attention": LinearAttention(),
        "window of 24": Window(24),
        "delta rule, beta 0.1": DeltaRule(0.1),
    }.items()
}
assert again["delta rule"] == [1.0] * 4 and again["delta rule, beta 0.1"][-1] < 0.7
for name in ("full cache, no positions", "linear attention"):
    assert all(abs(got - tasks.rebinding_expected(r)) < 0.06 for got, r in zip(again[name], times, strict=True))
assert min(tasks.rebinding(Window(16), r) for r in times) == 1.0  # just the newest binding of each key fits
draw.curves(
    {name: (times, share) for name, share in again.items()},
    x="bindings of each key (R)",
    y="right answers",
    title="Which value is the newest?",
)

# %% [markdown]
# The full cache answers $1/R$: **a memory that forgets nothing is not automatically better.** The delta rule replaced
# the old value when the new one came, and answers right in a state that never grew. (A window of 16 happens to hold
# exactly the newest binding of each key; one of 24 holds an older one too for half of the keys.) And here is the price of
# a small $\beta$: it keeps more pairs, and cannot let go of the old ones.
#
# Be fair to the full cache: with *positions* a model can learn to prefer what stands nearer. It has to learn it; the
# delta rule has it built in.
#
# ## Trained for it: associative recall
#
# Here a fresh model of two layers learns, with each memory, to look up keys it has seen once: *multi-query associative
# recall* (Arora 2023, arXiv 2312.04927), 8 pairs in 64 tokens, two heads of width 32, 600 steps, no positions (a short
# convolution tells what stands next to what). The delta rules learn their gates too. Chance is 1 in 64. The runs take
# minutes, so their results are stored; `python -m memlib.tasks.experiments mqar` made them. **Predict** the order, best
# first: full cache, window of 32, linear attention, delta rule, gated delta rule, cumulative average.

# %%
runs = experiments.stored("mqar")
final = {name: [run["accuracy"] for run in seeds] for name, seeds in runs.items()}
half = {
    name: [next((step for step, share in run["curve"] if share >= 0.5), 10_000) for run in seeds]
    for name, seeds in runs.items()
}
for name, shares in final.items():
    steps = [step if step < 10_000 else "never" for step in half[name]]
    print(f"{name:18} at the end {[round(share, 2) for share in shares]}, half right at step {steps} (one a seed)")
assert min(final["full cache"]) > 0.99 > max(final["linear attention"])
assert min(final["linear attention"]) - 0.1 > max(final["window of 32"])
assert min(final["window of 32"]) > 2 * max(final["cumulative average"]) and min(final["cumulative average"]) > 0.05
assert final["delta rule"][0] > 0.9 and final["gated delta"][0] < 0.1
assert all(dict(run["curve"])[200] < 0.1 for name in ("delta rule", "gated delta") for run in runs[name])
assert max(half["full cache"] + half["linear attention"]) < min(half["delta rule"] + half["gated delta"])
untrained = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))  # queries and keys of no meaning
sums = {
    name: view(m, *untrained)[32:].sum(-1) for name, m in {"linear": LinearAttention(), "delta": DeltaRule(0.5)}.items()
}
assert (sums["linear"] - 1).abs().max() < 1e-4 and sums["delta"].mean().abs() < 0.3 < sums["delta"].std()
draw.curves(
    {name: tuple(zip(*seeds[0]["curve"], strict=True)) for name, seeds in runs.items()},
    x="training steps",
    y="right answers",
    title="Learning to look up (the first seed)",
)

# %% [markdown]
# Softmax finds it first, linear attention soon after: it does learn keys that live with its features. The delta rule sits
# at chance for hundreds of steps and then gets (nearly) there. The gated delta rule, which can do all that the delta rule
# can ($\alpha=1$), is still at chance when the first seed's training stops. **What a memory can hold and when training
# finds it are two questions**; a curve that stops early answers only the second. A likely reason: before training, a softmax
# or linear read is an average of all values, weights that sum to 1, a first hint of which values occur at all (the
# cumulative average lives on that hint). A delta rule with untrained keys reads weights around 0, of both signs: noise,
# and no hint.
#
# ## Two names for one thing
#
# Chapter 00's map had *efficient attention* (change how pairs are compared) and *internal memory* (a state of fixed
# size). Linear attention is both. Without softmax the weights are products, $\varphi(q_i)\cdot\varphi(k_j)$, and a sum
# of products can be bracketed in two ways: first compare each query with each key (a table of queries by tokens), or
# first add up the pairs (a matrix of $d$ by $e$). Same numbers:
#
# $$\sum_{j\le i}\big(\varphi(q_i)^\top\varphi(k_j)\big)\,v_j^\top=\varphi(q_i)^\top\Big(\sum_{j\le i}\varphi(k_j)\,v_j^\top\Big).$$
#
# Training uses a mixture of the two, **chunk by chunk**: inside a chunk a small table, from chunk to chunk the matrix.
# The delta rule has such a form too (a triangular system to solve in each chunk). It is the same function, only
# faster than the loop.

# %%
table = ((F.elu(q) + 1) @ (F.elu(k) + 1).T).tril()  # efficient attention: all comparisons, no state
assert torch.allclose(table / table.sum(-1, keepdim=True) @ v, outputs(LinearAttention(), q, kv), atol=1e-4)
long_q, long = torch.randn(600, 32), KV(torch.randn(600, 32), torch.randn(600, 32))
for memory in (LinearAttention(), DeltaRule(), GatedDelta(0.99, 0.9), Full()):
    begin = time.perf_counter()
    loop = outputs(memory, long_q, long)
    middle = time.perf_counter()
    at_once = attend_all(memory, long_q, long)
    end = time.perf_counter()
    assert torch.allclose(loop, at_once, atol=1e-3)
    print(f"{memory!r:36} token by token {1e3 * (middle - begin):6.1f} ms, at once {1e3 * (end - middle):6.1f} ms")

# %% [markdown]
# ## What it costs
#
# $S$ has $d\cdot e$ numbers, $n$ pairs have $n\,(d+e)$. A matrix is smaller as soon as $n>\frac{d\,e}{d+e}$: for our
# head of 32 by 32 from pair 17 on. (Linear attention keeps its sums in eight-byte numbers and one more column, about
# twice as much.) And a step costs some $d\cdot e$ multiplications at token ten and at token ten million.
#
# One price stands in no table: **there is no way back**. A cache can be cut to any earlier token, which a server does
# to take a prompt up again or to withdraw guessed tokens. From $S$ the past cannot be had: two pasts can end in one
# state. Who wants to go back keeps a copy of $S$; it is small.

# %%
sizes = [4, 8, 16, 32, 64, 128]
cost = {
    name: [state_bytes(memory.update(memory.init(long), long[:n])) for n in sizes]
    for name, memory in {"full cache": Full(), "linear attention": LinearAttention(), "delta rule": DeltaRule()}.items()
}
assert cost["full cache"][2] == 16 * (32 + 32) * 4 == 32 * 32 * 4 and cost["delta rule"] == [32 * 32 * 4 + 8] * 6
assert cost["linear attention"] == [(32 * 32 + 32) * 8 + 8] * 6
twice = torch.eye(4)[[0, 0]]  # one key, bound two times
pasts = [states(DeltaRule(), KV(twice, torch.tensor([[first], [5.0]]))) for first in (1.0, 9.0)]
assert not torch.equal(pasts[0][0].s, pasts[1][0].s) and torch.equal(pasts[0][1].s, pasts[1][1].s)


def milliseconds(memory, n, times=30):
    """The median time of one read of a memory that has n pairs behind it, 8 heads of width 64."""
    past, one, spent = KV(torch.randn(8, n, 64), torch.randn(8, n, 64)), torch.randn(8, 1, 64), []
    mem = memory.update(memory.init(past), past)
    for _ in range(times):
        begin = time.perf_counter()
        memory.read(mem, one)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2] * 1e3


lengths = [512, 2048, 8192]
timed = {
    name: [milliseconds(m, n) for n in lengths] for name, m in {"full cache": Full(), "delta rule": DeltaRule()}.items()
}
display(
    draw.curves(
        {name: (sizes, b) for name, b in cost.items()},
        x="pairs seen",
        y="bytes of state",
        log_x=True,
        title="One head of 32 by 32",
    ),
    draw.curves(
        {name: (lengths, ms) for name, ms in timed.items()},
        x="pairs seen",
        y="milliseconds",
        title="One read, measured here and now",
    ),
)

# %% [markdown]
# ## Four new questions

# %%
display(
    widgets.quiz(
        "One update of a gated delta rule. Which order is right?",
        ["correct, fade, read", "fade, correct, read", "read, fade, correct", "fade, read, correct"],
        1,
        "The state fades first; the error is what the FADED state answers; the token reads after it was written, so it "
        "sees itself.",
    ),
    widgets.quiz(
        "Orthogonal unit keys, beta = 0.5, alpha = 1. A key is bound to 8, then to 4. What does it read? (a number)",
        numeric=4,
        why="First 0.5 x 8 = 4 is written. Then the error is 4 - 4 = 0: nothing changes. It reads 4, by luck the "
        "newest value; a third binding to 0 would leave 2.",
    ),
    widgets.quiz(
        "You need 200 pairs to survive under a delta rule with beta = 1. Which state?",
        ["16 by 16: 256 numbers are enough", "64 by 64: 4,096 numbers are plenty", "256 by 256"],
        2,
        "With beta = 1 each new key takes a whole direction, so about as many pairs survive as the key has dimensions. "
        "4,096 numbers would do for a bare sum that need only tell WHICH value; it could not overwrite.",
    ),
    widgets.quiz(
        "A home assistant with linear attention is told a new alarm time every day. It answers with something between "
        "all of them. What is the cure?",
        ["a larger matrix", "a rule that writes the error, not the value", "a full cache without positions"],
        1,
        "The key is the same every day, so neither width nor keeping every pair tells the bindings apart. Only "
        "overwriting does: the delta "
        "rule (or a fade, which forgets everything else as well).",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **outer product** $k\,v^\top$: the table of all products of a number of $k$ with a number of $v$.
# - **matrix memory**, **fast weights**: a state $S$ of $d$ by $e$ numbers into which pairs are written.
# - **linear attention**: attention whose weights are products of features; all pairs summed into one matrix.
# - **feature map** $\varphi$: what keys and queries go through before they are multiplied.
# - **crosstalk**: what a key reads of other pairs, because keys are not orthogonal.
# - **delta rule**: write the error, not the value; one step of gradient descent on $\tfrac12\lVert S^\top k-v\rVert^2$.
# - **gated delta rule**: the same on a state that fades by $\alpha$ first.
# - **capacity**: how many pairs survive; for a $d$ by $d$ delta rule with $\beta=1$ about $d$.
# - **re-binding**: the same key gets a new value.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 03b` and open
# `my/03b_fast_weights.ipynb`. The button at its end grades your answers as often as you like.
