# %% [markdown]
# # 07 · Read near and far together
#
# **After this chapter you can** put a local memory and a k-NN memory together in two ways and tell the two diagrams from a
# third; compute from two log-sum-exps the gate that nobody had to train; say which side `gate_local` and `gate_memory`
# weigh; foresee what a learned gate can and cannot learn; choose for an assistant that must follow a dialogue and cite a
# fixed library; and tell from a transcript and its scores which memory is broken.
#
# **Time:** 110 minutes for the lesson and 85 for the exercise: three sittings or more. **You need:** chapters 00, 01, 04 (joined and
# mixed, log-sum-exp) and 06 (a k-NN memory fetches for each query the k pairs with the nearest keys, from its own past or from a
# store outside). No GPU.
#
# `answers` is the answering model, `model` the Python model. Both were trained with a full cache and nothing else: where
# that matters, the text says so.

# %%
import math
import time

import torch
import torch.nn.functional as F

from memlib import KNN, KV, Full, Gated, HeadGate, Joint, VectorGate, Window
from memlib import attend, attend_all, check, join, outputs, recipe, state_bytes, states, stores, tasks, view
from memlib import draw, lm, widgets
from memlib.lm import data, evaluate

model, answers = lm.load("stdlib"), lm.load("facts")
text = "code 4711, ah! code 4711"
tokens = list(text)


def follows(place):
    """How much the second `471` gives, in a full cache, to what followed the first time."""
    q, k, _ = tasks.heads(answers, text, *place)
    return sum(view(Full(), q, k)[t, t - 14] for t in (20, 21, 22)).item()


place = max(((layer, head) for layer in range(3) for head in range(4)), key=follows)
q, k, v = tasks.heads(answers, text, *place)
kv = KV(k, v)
print(f"{len(tokens)} bytes, read in layer {place[0]}, head {place[1]}")

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "`KNN(2, local=4)` reads its own past. Token 9 asks. Which pairs can it fetch?",
        ["two of 0 to 9", "two of 0 to 5", "two of 6 to 9"],
        1,
        "`local` newest pairs are skipped, the current token counted: 6, 7, 8 and 9. They are for the memory that stands beside it.",
    ),
    widgets.quiz(
        "Memory A answers 20, its exponentials sum to 6. Memory B answers 60, its exponentials sum to 2. Joined in one softmax they answer...",
        numeric=30,
        why="6 of 8 parts are A's: (6 x 20 + 2 x 60) / 8 = 30. Mixed by fixed halves it would be 40.",
    ),
    widgets.quiz(
        "What does an EMPTY memory do to the answer, joined in one softmax with another one?",
        ["it halves it", "nothing: its log-sum-exp is minus infinity", "it adds a zero with its share of the weight"],
        1,
        "No slot, no exponential, no weight. A memory filled with zero slots is another thing: each of them has score 0, and that is not nothing.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# A window of 32 forgets the code. In chapter 06 a k-NN memory stood beside it, **one softmax** over the 32 newest pairs and the 8 nearest of all others,
# and the code was found again. Today the same two are also read **separately**, and their answers are added: `gate_memory=0.5` takes half from the far side and half
# from the near one. The rule that fetches is the same, and no pair is read twice (`KNN(8, local=32)` skips what `Window(32)` holds). **Predict:** does the model still
# know, with half and half in every layer? With one tenth from the far side, or nine tenths? And with nine tenths in one layer only?

# %%
newest, recall = Window(32), KNN(8, local=32)
half = Gated(newest, recall, gate_memory=0.5)
widgets.one_fact(half, answers, distance=150)

# %% tags=["film"]
facts = [
    lm.Fact(f"The {thing} code is {code}.", f"what is the {thing} code?", code)
    for thing, code in (("door", "4711"), ("locker", "9064"))
]
streams = [lm.stream(150, seed=seed, own=fact) for fact in facts for seed in (1, 2, 3)]
ways = {"full cache": Full(), "one softmax": Joint(newest, recall), "window alone": newest}
ways |= {f"{far} from the far side": Gated(newest, recall, gate_memory=far) for far in (0.1, 0.3, 0.5, 0.9)}
ways["0.9, in one layer only"] = [Gated(newest, recall, gate_memory=0.9) if i == place[0] else newest for i in range(3)]


@torch.no_grad()
def believes(memory):
    """The probability that the model gives to the whole right answer, for each stream."""
    ids = torch.nn.utils.rnn.pad_sequence([data.as_bytes(one.text).long() for one in streams], batch_first=True)
    odds, spans = torch.softmax(answers.reading(memory)(ids), -1), [one.answer_span for one in streams]
    return [odds[i, range(a - 1, b - 1), ids[i, a:b]].prod().item() for i, (a, b) in enumerate(spans)]


sure, seen = {name: believes(m) for name, m in ways.items()}, tasks.one_fact(half, model=answers, stream=streams[0])
display(
    draw.dye(
        seen.recipe_dye,
        seen.view_dye,
        seen.text,
        seen.fact_span,
        after=seen.said,
        title="A window of 32 and the 8 nearest of all others, half and half",
    ),
    draw.bars(
        {name: round(sum(some) / 6, 3) for name, some in sure.items()},
        y="probability of the right answer",
        top=1.15,
        title="Two codes in three texts each: the mean of six",
    ),
)
mean = {name: sum(some) / 6 for name, some in sure.items()}
everywhere = [mean[name] for name in mean if name.endswith("far side")]
assert seen.recipe_dye[:, -1].min() == 1  # all of the fact is there
assert max(everywhere) < 0.5 < mean["0.9, in one layer only"] < mean["one softmax"] + 0.05
assert max(mean["0.1 from the far side"], mean["0.9 from the far side"]) < 0.1
assert mean["one softmax"] > mean["full cache"] - 0.1 and mean["full cache"] > 0.5 > 0.1 > mean["window alone"]

# %% [markdown]
# The orange line stays at 100 %: the datastore drops nothing. In all bars but the window's the fact is *held*; what the model says hangs on **how** two reads are put
# together, and **where**. In every layer no number does well: with a tenth from the far side the fact is not heard, with nine tenths every layer gets too little of its own
# neighbourhood, and between them most of it is lost too. In one layer only, nine tenths do fairly well. **One softmax** may stand in every layer, with no number to
# set, and stays close to the **full cache**. How?
#
# ## Predict
#
# A window of 4 and the 2 nearest of all that is older read `code 4711, ah! code 4711`, in the head that the first cell has picked. The second
# `4` (byte 20) has just been read: which two older bytes does its query fetch? Say both; the question below asks for the better one.

# %%
widgets.quiz(
    "The query of the second `4`, byte 20: what is its best catch among bytes 0 to 16?",
    ["the first 4, byte 5", "the 7 behind the first 4, byte 6", "the nearest byte outside the window, byte 16"],
    1,
    "This head's keys carry what stood one byte before, so that the query of a `4` finds what came after a `4`. Nearness of "
    "keys, not of places, decides. (The window has bytes 17 to 20 anyway.) And the second catch? Two are fetched, whether or not "
    "two are any good: the film shows it at step 20, with hardly any weight.",
)

# %% tags=["film"]
small = Joint(Window(4), KNN(2, local=4))
held, received, past = recipe(small, k), view(small, q, k), small.memories[1]
caught, said, steps = [], [], range(len(tokens))
for t, mem in enumerate(states(small, kv)):
    caught.append(past.fetch(mem[1], q[t : t + 1])[1].flatten().tolist())
    named = " and ".join(f"'{draw.label(tokens[i])}'" for i in caught[t])
    said.append(f"step {t}: '{draw.label(tokens[t])}' " + (f"fetches {named}" if named else "has only the window"))
    window = range(max(t - 3, 0), t + 1)
    assert set(received[t].nonzero().flatten().tolist()) <= {*caught[t], *window}  # 4 and 2, no more
    assert abs(received[t].sum() - 1) < 1e-5 and not {*caught[t]} & {*window}  # and none of them twice
assert (
    caught[20][0] == 6 and received[20][caught[20][0]] > 0.8 > 0.15 > received[20][caught[20][1]]
)  # one good, one not
counts = {"datastore": [max(t - 3, 0) for t in steps], "window": [min(t + 1, 4) for t in steps]}
draw.film(
    held, tokens, views=received, events=said, tiers=counts, title="A window of 4, and the 2 nearest of what is older"
)

# %% [markdown]
# Look at the bottom row: the view has **two parts** now, a band of 4 that moves along and two places anywhere. How much goes to which part changes
# from byte to byte. Who decides that?
#
# ## Three ways to put them together
#
# ```
#   1  combined cache             2  two reads and a gate            3  two predictions, mixed
#
#          query                           query                              query
#            │                           ┌───┴────┐                       ┌─────┴─────┐
#     [ Mem , Mem_knn ]                 Mem    Mem_knn                   Mem       Mem_knn
#            │                           │        │                       │           │
#       one softmax                   softmax  softmax               rest of the network, twice
#            │                           │        │                       │           │
#            │                          × g    × (1-g)               prediction  prediction
#            │                           │        │                       │           │
#            │                           └── + ───┘                      × λ       × (1-λ)
#            │                               │                            │           │
#     rest of the network            rest of the network                  └──── + ────┘
#            │                               │                                  │
#        prediction                      prediction                         prediction
# ```
# (g and λ weigh the near side here; other drawings turn them round.)
#
# **1, `Joint(near, far)`**: $\mathrm{Att}(q,[\mathrm{Mem},\mathrm{Mem}_{knn}])$. Nothing to learn.
# **2, `Gated(near, far, ...)`**: $g\,\mathrm{Att}(q,\mathrm{Mem})+(1-g)\,\mathrm{Att}(q,\mathrm{Mem}_{knn})$, with a gate $g$ that is a number, or learned.
# **3** merges **probability distributions** at the very end, not outputs of attention in the middle. The first two are nearer relatives than they look:
#
# $$\mathrm{Att}(q,[A,B])=g\,\mathrm{Att}(q,A)+(1-g)\,\mathrm{Att}(q,B),\qquad g=\sigma(\mathrm{lse}_A-\mathrm{lse}_B),$$
#
# where $\mathrm{lse}$ is the logarithm of the sum of the exponentials of the scores, and $\sigma(x)=1/(1+e^{-x})$. **The combined cache
# is a gate too**: one without parameters, that each query sets by what it *finds* on either side.
#
# **By hand.** Local scores $\ln 3,\ln 1$, values 10 and 30: sum 4, answer 15. Fetched: score $\ln 12$, value 60: sum 12, answer
# 60. $\mathrm{lse}_A-\mathrm{lse}_B=\ln 4-\ln 12=\ln\tfrac13$, so $g=\tfrac{1/3}{1+1/3}=\tfrac14$. Combined:
# $\tfrac14\cdot15+\tfrac34\cdot60=48.75$. Gated with $g=\tfrac12$: $37.5$. Were nothing fetched: $g=1$, and 15.

# %%
one = torch.ones(1, 1)
A = KV(torch.tensor([[3.0], [1.0]]).log(), torch.tensor([[10.0], [30.0]]))
B = KV(torch.tensor([[12.0]]).log(), torch.tensor([[60.0]]))
(out_a, lse_a), (out_b, lse_b) = attend(one, A, lse=True), attend(one, B, lse=True)
gate = torch.sigmoid(lse_a - lse_b).item()
assert abs(gate - 1 / 4) < 1e-6 and abs(gate * out_a + (1 - gate) * out_b - 48.75) < 1e-4
assert abs(attend(one, join(A, B)) - 48.75) < 1e-4  # one softmax over all three pairs: the same
halves, wholly = (Gated(Full(), Full(), gate_local=g).read((A, B), one).item() for g in (0.5, 1.0))
assert abs(halves - 37.5) < 1e-4 and abs(wholly - 15) < 1e-4
exact_q, exact, alike = q.double(), KV(k.double(), v.double()), []
for t, mem in enumerate(states(small, exact)):  # the identity on real tensors, at every byte
    ask_now = exact_q[t : t + 1]
    (a, la), (b, lb) = (part.read(its, ask_now, lse=True) for part, its in zip(small.memories, mem, strict=True))
    g = torch.sigmoid(la - lb)[..., None]
    alike.append((small.read(mem, ask_now) - (g * a + (1 - g) * b)).abs().max().item())
assert max(alike) < 1e-12
print(f"largest difference between one softmax and its own gate, {len(alike)} bytes: {max(alike):.0e}")

# %% [markdown]
# ## The gate nobody trained
#
# Here it is on real tensors: the share of each read that comes from the **fetched** pairs, $1-g$. A gate with a fixed number is a
# flat line; the third line is the share of the older bytes in a full cache. **Predict** where the joint line is high: in the
# first `code 4711`, or in the second? And what do more neighbours do to it? Then move the sliders.


# %%
def share_of_far(k_nearest, window):
    """How much of each query's read comes from the fetched pairs."""
    _, near = attend_all(Window(window), q, kv, lse=True)
    _, far = attend_all(KNN(k_nearest, window), q, kv, lse=True)
    return torch.sigmoid(far - near)


dense = view(Full(), q, k)  # what a full cache would do


def two_gates(k_nearest, window):
    places, name = list(range(len(tokens))), f"{k_nearest} nearest, beside a window of {window}"
    fixed = view(Gated(Window(window), KNN(k_nearest, window), gate_memory=0.5), q, k)
    older = [[row[: max(t + 1 - window, 0)].sum().item() for t, row in enumerate(x)] for x in (fixed, dense)]
    lines = {
        "joint": (places, share_of_far(k_nearest, window)),
        "gate_memory = 0.5": (places, older[0]),
        "full cache": (places, older[1]),
    }
    fig = draw.curves(lines, x="query of byte", y="share from the fetched pairs", title=name)
    fig.update_xaxes(tickvals=places, ticktext=[draw.label(c) for c in tokens])
    return fig.update_yaxes(range=[-0.03, 1.05])


lengths_of_v, behind, again = v.norm(dim=-1), range(9, 14), range(20, 23)  # behind the first 4711; the second 471
read_lengths = {name: (x @ v).norm(dim=-1) for name, x in (("joint", received), ("full cache", dense))}
for name, of_read in read_lengths.items():
    print(
        f"{name:10} length of what is read: behind the first 4711 {of_read[behind].mean():.1f}, at the second 471 {of_read[again].mean():.1f}"
    )
print(
    f"the first 4 puts {dense[5, 4]:.2f} on the space before it; length of that value {lengths_of_v[4]:.1f}, of the digits' {lengths_of_v[5:9].mean():.1f}"
)
display(widgets.knob(two_gates, k_nearest=(1, 12, 2), window=(1, 12, 4)))
share, seen_far = share_of_far(2, 4), [row[: max(t - 3, 0)].sum() for t, row in enumerate(received)]
assert torch.allclose(share, torch.stack(seen_far), atol=1e-5)  # as in the film
assert share[20:].min() > 0.95  # where the text repeats, the far side has the digits
assert (
    share[behind].mean() > 0.5 and (share[behind] > 0.5).sum() >= 2
)  # and it takes much also where nothing is repeated,
assert max(abs(share[t] - dense[t, : t - 3].sum()) for t in range(4, 24)) < 0.2  # as the full cache does, at every byte
assert all(
    of_read[behind].mean() < 0.5 * of_read[again].mean() for of_read in read_lengths.values()
)  # but what comes back is short
assert min(received[5, 4], dense[5, 4]) > 0.6 and lengths_of_v[4] < 0.6 * lengths_of_v[5:9].mean()
grown = [share_of_far(n, 4)[4:] for n in (1, 2, 4, 8)]
assert all((b >= a - 1e-6).all() for a, b in zip(grown, grown[1:], strict=False))  # one more pair never lowers it
right, noise = KV(torch.tensor([[4.0]]), torch.ones(1, 1)), KV(torch.zeros(55, 1), torch.zeros(55, 1))
assert abs(Joint(Full(), Full()).read((right, noise), one).item() - 0.5) < 0.01  # one good pair, 55 others
assert Gated(Full(), Full(), gate_local=0.5).read((right, noise), one) == 0.5  # a number does not care how many

# %% [markdown]
# At the second `4711` the far side takes nearly everything, as it should: the digits stand there. But look at the bytes behind the first `4711`:
# at some of them it takes most too, although nothing said before could help. The full cache does **the same**. What comes back there is short (printed: not half as long as at
# the second `471`), a blend that says little. The first `4`, with nothing to look up either, puts most of its weight on the space before it, whose value is short: a resting place, the sink of
# chapter 01. **A softmax cannot put its weight nowhere**; here "nothing found" is said by leaving it
# with a pair that says little. Where there is none, one can be added: the bonus of the exercise.
#
# *Misconception: "more neighbours cost only time."* Let the one right pair be local with a score of 4, so $e^4\approx 55$. Every fetched pair of
# score 0 adds 1. With 55 of them half of the read is noise: $k$ mediocre pairs speak like one of score $+\ln k$.
#
# ## The code, and yours
#
# Two reads with their log-sum-exps, one line for the gate. `check` walks yours and the library's `Joint` and names the first difference.
# Break it, one at a time: turn the sign in the sigmoid; write `g = 0.5`; leave out `[..., None]`; in the last line give `KNN(3, 0)` to
# yours (`check` then finds two slots for one token: in one softmax it would count twice).


# %%
class Mine:
    def __init__(self, near, far):
        self.near, self.far = near, far

    def init(self, like):
        return self.near.init(like), self.far.init(like)

    def update(self, mem, new, q=None):
        return self.near.update(mem[0], new), self.far.update(mem[1], new)

    def read(self, mem, q, new=None, lse=False):
        a, lse_a = self.near.read(mem[0], q, new=new, lse=True)
        b, lse_b = self.far.read(mem[1], q, lse=True)
        g = torch.sigmoid(lse_a - lse_b)[..., None]  # change this line and run the cell again
        out = g * a + (1 - g) * b
        return (out, torch.logaddexp(lse_a, lse_b)) if lse else out

    def slots(self, mem):
        return join(self.far.slots(mem[1]), self.near.slots(mem[0]))  # far pairs are older


print(check(Mine(Window(6), KNN(3, 6)), Joint(Window(6), KNN(3, 6))))

# %% [markdown]
# ## Which side does a gate weigh?
#
# Two reads and a gate, that is `Gated`. But $g$ of **what**? Conventions differ:
#
# | | $g$ weighs | $g$ is |
# |---|---|---|
# | the book this course follows (arXiv 2501.09223) | the **local** read | a vector, one number for each width of the values |
# | Memorizing Transformers, final version (arXiv 2203.08913) | the **memory** | one number a head |
# | Infini-attention (arXiv 2404.07143; chapter 03b) | the **memory** | one number a head |
#
# Copy a gate from one into the other and it is turned round; nothing crashes. So here the name says it: `gate_local=0.9` or
# `gate_memory=0.9`, never just `gate`. A number, a tensor of one a head, or a module: `HeadGate(heads)` learns one number a head, $\sigma(b)$;
# `VectorGate(width, values)` makes of each query a number, $\sigma(w\cdot q+b)$, or one for each width of the values. Where one side is **empty**, the other counts alone, whatever the gate says.
#
# **Predict** how much the query of byte 20 receives from the fetched pairs: with `gate_local=0.9`, with `gate_memory=0.9`, joint. And at byte 2?

# %%
four, older_two = small.memories
weighed = {
    "gate_local = 0.9": Gated(four, older_two, gate_local=0.9),
    "gate_memory = 0.9": Gated(four, older_two, gate_memory=0.9),
    "joint": small,
}
from_far = {name: view(m, q, k) for name, m in weighed.items()}
shares = {name: [row[: max(t - 3, 0)].sum().item() for t, row in enumerate(x)] for name, x in from_far.items()}
assert all(abs(x - 0.1) < 1e-5 for x in shares["gate_local = 0.9"][4:])
assert all(abs(x - 0.9) < 1e-5 for x in shares["gate_memory = 0.9"][4:]) and shares["joint"][20] > 0.9
for x in from_far.values():  # nothing to fetch: the window alone, whatever the gate
    assert torch.allclose(x[:4], view(four, q, k)[:4], atol=1e-6)
flipped = Gated(four, older_two, gate_memory=0.1)  # the same thing by its other name
assert torch.allclose(outputs(flipped, q, kv), outputs(weighed["gate_local = 0.9"], q, kv), atol=1e-6)
draw.curves(
    {name: (list(range(len(tokens))), x) for name, x in shares.items()},
    x="query of byte",
    y="share from the fetched pairs",
    title="A number is the same for every query; one softmax is not",
)

# %% [markdown]
# Byte 20 received 0.1, 0.9 and nearly all; byte 2 nothing all three times: nothing was outside the window yet.
#
# ## What a gate can learn, and what it cannot
#
# Now local and far **compete**. In this small world a query asks for one key among 8 local and 32 far pairs. Values are one-hot, so a read
# says how much of it is the **right pair**. There are two kinds of questions:
#
# - **Where does it stand?** The key is on one side only, on either with equal chance. The other side has 8 or 32 keys that do not fit.
# - **Which one counts?** Both sides have that very key with different values. A **mark** in the query (one of its 16 numbers, 0 in all keys)
#   says whose value is right: +4 the local one ("as I just told you"), -4 the far one ("what does the library say").
#
# Three ways: `Joint`; `Gated` with a `HeadGate` (one number); `Gated` with a `VectorGate` (a number made of the query). The gates are trained
# here, 60 steps each. **Sketch** for the joint softmax: the right pair's part of the read, as the share of marked questions grows from none to all.


# %%
def world(rows, marked, draws, near=8, far=32, width=16):
    """Queries [rows, 1, width], local pairs, far pairs, and which of all pairs is the right one."""
    keys, row = torch.randn(rows, near + far, width, generator=draws), torch.arange(rows)
    keys[..., -1] = 0  # the mark's place
    keys = F.normalize(keys, dim=-1) * width**0.5
    local, has_mark = (torch.rand(rows, generator=draws) < share for share in (0.5, marked))
    a, b = torch.randint(near, (rows,), generator=draws), near + torch.randint(far, (rows,), generator=draws)
    right, other = torch.where(local, a, b), torch.where(local, b, a)
    asked = 4 * keys[row, right]
    keys[row[has_mark], other[has_mark]] = keys[row, right][has_mark]  # the other side has that key as well
    asked[has_mark, -1] = torch.where(local, 4.0, -4.0)[has_mark]
    pairs = KV(keys, torch.eye(near + far).expand(rows, -1, -1))
    return asked[:, None], pairs[:near], pairs[near:], right


def right_part(memory, q, near, far, right):
    """How much of each read is the right pair."""
    return memory.read((near, far), q)[torch.arange(len(right)), 0, right]


def trained(gate, marked, steps=60):
    """`Gated` with this gate, trained on such questions; the right pair's part before each step."""
    memory, draws, seen = Gated(Full(), Full(), gate_local=gate), torch.Generator().manual_seed(1), []
    learn = torch.optim.Adam(gate.parameters(), lr=0.2)
    for _ in range(steps):
        got = right_part(memory, *world(128, marked, draws))
        learn.zero_grad()
        (-got.clamp_min(1e-6).log().mean()).backward()
        learn.step()
        seen.append(got.mean().item())
    return memory, seen


shares_marked = [0.0, 0.25, 0.5, 0.75, 1.0]
exam = [world(2000, marked, torch.Generator().manual_seed(2)) for marked in shares_marked]
by_joint = [right_part(Joint(Full(), Full()), *one_exam).mean().item() for one_exam in exam]
widgets.predict(
    "the joint softmax, as more questions are marked",
    shares_marked,
    by_joint,
    y="part of the right pair",
    x_name="share of marked questions",
)

# %%
learned = {"one number (HeadGate)": [], "from the query (VectorGate)": []}
for marked, one_exam in zip(shares_marked, exam, strict=True):
    for name, make in zip(learned, (lambda: HeadGate(1), lambda: VectorGate(16)), strict=True):
        memory, _ = trained(make(), marked)
        with torch.no_grad():
            learned[name].append(right_part(memory, *one_exam).mean().item())
        if name.startswith("from") and marked == 1:
            weights = memory.gate_local.linear.weight.detach()[0]
            said_local = [memory.share_local(torch.eye(16)[-1:] * mark).item() for mark in (4, -4)]
print(f"the gate trained on marked questions: local {said_local[0]:.3f} at mark +4, {said_local[1]:.3f} at mark -4")
display(
    draw.curves(
        {name: (shares_marked, y) for name, y in ({"joint": by_joint} | learned).items()},
        x="share of marked questions",
        y="part of the right pair",
        title="What is found, and what is asked: two different things",
    )
)
number, from_query = learned.values()
assert by_joint[0] > 0.95 and abs(by_joint[-1] - 0.5) < 0.03
assert abs(from_query[0] - 0.5) < 0.05 and from_query[-1] > 0.95
assert max(abs(x - 0.5) for x in number) < 0.03
assert abs(by_joint[2] - from_query[2]) < 0.05 and by_joint[2] < 0.8
assert weights.abs().argmax() == 15 and said_local[0] > 0.9 > 0.1 > said_local[1]  # it has found the mark

# %% [markdown]
# The curves cross, and no one of the three is good at both ends.
#
# - **Joint** sees what is *found* on either side and not what the question *means*: where both sides fit it stands at one half.
# - The **VectorGate** sees the query and not the memories: it reads the mark, but cannot know on which side an unmarked key stands. *Misconception:
#   "a learned gate on the query learns where the answer is."* It cannot; this is not in its input.
# - **One number** learns how often each side is right, and here that is half of the time. (In a deep model each head has a number of its own.)
#
# A gate that sees both, $g=\sigma(\mathrm{lse}_A-\mathrm{lse}_B+w\cdot q+b)$, is a task of the exercise.
#
# ## An assistant with a library
#
# Now the answering model as an assistant. The **library** is a fixed text, the book of a holiday house. It is read once; the pairs of a layer go into stores, one
# a head, and stay there. The **dialogue** is what guest and owner say, and it is read through a window of 600 bytes, longer than any dialogue here:
# nothing said is forgotten here. Three kinds of questions:
# about what was **said**; about what stands only in the **book**; and about what stands in the book and has **changed** since, as was said a moment ago.
#
# (Both texts are numbered from byte 0. Half of each key is not turned by position; by that half far pairs are found, as in chapter 06. The book was never
# part of the model's training, and neither was any store.)

# %%
BOOK = {
    "garage code": "58213",
    "wifi password": "saffron",
    "ferry": "14:35",
    "ladder": "narrow barn",
    "printer password": "pebble",
    "archive code": "9064",
    "concert": "19:20",
    "kettle": "round cupboard",
    "gate code": "70441",
    "tablet password": "walnut",
    "picnic": "12:45",
    "torch": "dusty trunk",
}
NEWS = [
    "4096",
    "thunder",
    "17:10",
    "old shelf",
    "ribbon",
    "8853",
    "21:05",
    "blue tin",
    "1209",
    "anchor",
    "15:25",
    "white bucket",
]
SAID = {
    "cellar code": "3390",
    "camera password": "orchid",
    "dinner": "20:15",
    "rope": "green chest",
    "safe code": "61175",
    "heater password": "cobalt",
    "match": "16:05",
    "drum": "heavy crate",
    "hall code": "2287",
    "scanner password": "meadow",
    "flight": "6:50",
    "diary": "wooden drawer",
}
TALK = [
    "It rained for 12 days in Oslo. ",
    "Anna bought a red drum yesterday. ",
    "The coffee was cold again. ",
    "It is quiet here, said Ben. ",
]
WHAT, WHEN, WHERE = ("what", ""), ("when", "at "), ("where", "in the ")


def sort(thing, value):
    """How one asks for it, and the words before its value."""
    return WHEN if ":" in value else WHAT if "code" in thing or "password" in thing else WHERE


def tell(thing, value, now=""):
    """A sentence that states it. now: as it is since it changed."""
    return f"The {thing} is {now}{sort(thing, value)[1]}{value}. "


def ask(thing, value=""):
    """The question for it."""
    return f"Question: {sort(thing, value)[0]} is the {thing}? Answer: "


def stream_of(prompt, answer):
    """A dialogue that ends in the right answer, as `evaluate.right` wants it."""
    at = len(prompt)
    return lm.Stream(f"{prompt}{answer}.".encode(), None, (0, 0), (0, 0), (at, at + len(answer)))


book, asked = "".join(tell(*page) for page in BOOK.items()), {"said": [], "book": [], "changed": []}
for i, ((page, old), (thing, told), new) in enumerate(zip(BOOK.items(), SAID.items(), NEWS, strict=True)):
    begin, end = TALK[i % 4], TALK[(i + 1) % 4]
    asked["said"].append(stream_of(begin + tell(thing, told) + end + ask(thing, told), told))
    asked["book"].append(stream_of(begin + tell(thing, told) + end + ask(page, old), old))
    asked["changed"].append(stream_of(begin + tell(page, new, "now ") + end + ask(page, new), new))


def stores_of(some_text):
    """The pairs of a text, read by the model: for each layer one store a head."""
    filled = []
    for _, pairs in answers.qkv(data.as_bytes(some_text)[None].long()):
        filled.append([stores.open(":memory:", dim=32) for _ in range(4)])
        for head, store in enumerate(filled[-1]):
            store.add(pairs.k[0, head], pairs.v[0, head])
    return filled


library, local = stores_of(book), Window(600)
print(book, "\n", *[f"\n{kind}:  {some[0].text.decode()}" for kind, some in asked.items()])


def know(memory, layer=1, kinds=asked):
    """Shares of right answers by kind; one layer reads through `memory`, the others through the window (a list: each its own)."""
    reader = answers.reading(
        memory if isinstance(memory, list) else [memory if i == layer else local for i in range(3)]
    )
    marks = evaluate.right(reader, [one for kind in kinds for one in asked[kind]])
    return {kind: sum(marks[12 * i : 12 * i + 12]) / 12 for i, kind in enumerate(kinds)}


with_book = {layer: Joint(local, KNN(32, store=library[layer])) for layer in range(3)}
scores = {f"the book in layer {layer}": know(m, layer) for layer, m in with_book.items()}
looks_up = max(range(3), key=lambda layer: scores[f"the book in layer {layer}"]["book"])
scores["local only"] = know(local)
for some in (range(looks_up, 3), range(3)):
    scores[f"in layers {', '.join(map(str, some))}"] = know([with_book[i] if i in some else local for i in range(3)])
print("\ntwelve questions of each kind, the share of right answers:")
for name, got in scores.items():
    print(f"  {name:22}", "   ".join(f"{kind} {x:.2f}" for kind, x in got.items()))
in_one, above, in_all = (sum(scores[name].values()) for name in (f"the book in layer {looks_up}", *list(scores)[-2:]))
assert scores["local only"]["book"] < 0.2 < 0.7 < min(scores["local only"][kind] for kind in ("said", "changed"))
assert scores[f"the book in layer {looks_up}"]["book"] > 0.6
assert (
    sorted(scores[f"the book in layer {i}"]["book"] for i in range(3))[-2] < 0.3
)  # in any other layer it is of no use
assert (
    looks_up == 1 and in_all < min(above, in_one) - 0.4 and above > in_one - 0.4
)  # and in the layer beneath it does harm

# %% [markdown]
# Local only, the assistant follows the dialogue and knows nothing of the book. With the book in **one** layer it knows both; in the other layers the same book helps
# nobody, and in **all three** at once it does harm, nearly all of it from the layer **beneath** (layers 1 and 2 alone lose little or nothing): most likely because that layer makes the queries
# with which layer 1 looks up. (At the beginning one softmax did hardly any harm in every layer: it fetched the text's own past, which each layer was trained to read.)
#
# Now the gate. `Gated(local, book, gate_memory=g)`: **sketch** the right answers to questions about the **book**, as $g$ grows from 0 to 1. And think of
# the other two kinds before you go on.

# %%
gates = [0.0, 0.25, 0.4, 0.5, 0.75, 1.0]
book_of = KNN(32, store=library[looks_up])
gated = [scores["local only"], *(know(Gated(local, book_of, gate_memory=g), looks_up) for g in gates[1:])]
widgets.predict(
    "questions about the book, as gate_memory grows",
    gates,
    [got["book"] for got in gated],
    y="right answers",
    x_name="gate_memory",
)

# %%
joint = scores[f"the book in layer {looks_up}"]
table = {f"gate_memory = {g}": got for g, got in zip(gates, gated, strict=True)} | {"joint": joint}
print("twelve questions of each kind, the share of right answers (gate_memory = 0 is local only):")
for name, got in table.items():
    shown = "   ".join(f"{kind} {x:.2f}" for kind, x in got.items())
    print(f"  {name:20} {shown}   all {sum(got.values()) / 3:.2f}")


def wrong(name, memory, *kinds):
    """Prints where it is not right: the question, and the first bytes of what is said."""
    reader = answers.reading([memory if i == looks_up else local for i in range(3)])
    some = [one for kind in kinds for one in asked[kind]]
    for one, good in zip(some, evaluate.right(reader, some), strict=True):
        if not good:
            reply = reader.generate(one.prompt, 16).decode(errors="replace")
            print(f"  {name}: {one.prompt.decode().split('. ')[1]}. {one.prompt.decode().split('. ')[-1]} [{reply}]")


wrong("gate_memory = 1.0", Gated(local, book_of, gate_memory=1.0), "book")
places = "tower shed office lift studio clinic harbour museum chapel school bakery market".split()
words = "violet lemon copper silver willow candle rocket kitten bishop saddle turnip velvet".split()
pages = "".join(
    tell(f"{x} code", f"{2135 + 611 * i}") + tell(f"{x} tour", f"{8 + i}:{10 + 4 * i}") for i, x in enumerate(places)
)
pages += "".join(
    tell(f"{x} password", word) + tell(f"{x} lesson", f"{9 + i}:{15 + 3 * i}")
    for i, (x, word) in enumerate(zip(places, words, strict=True))
)
long_book = KNN(32, store=stores_of(book + pages)[looks_up])
longer = know(Joint(local, long_book), looks_up)
print("a library five times as long, joint:", {kind: round(x, 2) for kind, x in longer.items()})
wrong("long library, joint", Joint(local, long_book), "said", "changed")
lines = {kind: (gates, [got[kind] for got in gated]) for kind in asked}
lines |= {"joint, mean of all three": (gates, [sum(joint.values()) / 3] * len(gates))}
display(draw.curves(lines, x="gate_memory", y="right answers", title="A fixed gate: one side is swapped for the other"))
none, _, little, _, much, wholly = gated
assert none["book"] + 0.1 < little["book"] < 0.6 and min(little[kind] for kind in ("said", "changed")) > 0.8
assert much["book"] > 0.6 and max(much["said"], much["changed"]) < 0.3  # it only cites
assert wholly["book"] <= much["book"]  # and with nothing but the book it cites no better
assert all(sum(got.values()) < sum(joint.values()) for got in gated) and min(joint.values()) > 0.7
assert min(none["said"], none["changed"]) > 0.9 and longer["book"] > 0.4
assert longer["said"] + longer["changed"] < joint["said"] + joint["changed"] - 0.4  # not free

# %% [markdown]
# With a fixed number a **little** of the book comes nearly free: 0.4 finds some of the pages, and hardly anything of the dialogue is lost. Then one is swapped for the other: from 0.5 to 0.75 the
# dialogue goes and the book comes. At 1.0 nothing more is gained: this layer reads nothing of its **own** reply so far, and a reply that is wrong there (printed) begins well and ends badly. The
# **joint** softmax beats every number tried here, all kinds together.
#
# **And it is not free.** Local only knew what was *said* and *changed*, and beside this small book joint knows as much of it, or nearly. In a library five times as long (last lines) more
# looks alike: a good part of the **dialogue** is answered wrongly, though no word of it has changed. Look at the replies printed: most are values that stand in the book, or nearly.
#
# Why does one softmax do so well on *changed*, where both sides have an answer? Look at the gate itself, at the byte before the answer, head by head.


# %%
def meter(questions, memory_far):
    """For each head the mean share that the store gets when an answer begins."""
    rows, spans = [one.text for one in questions], [one.answer_span[0] for one in questions]
    ids = torch.stack([data.as_bytes(row.ljust(max(map(len, rows)))).long() for row in rows])
    qs, pairs = answers.qkv(ids)[looks_up]
    (_, near), (_, far) = (attend_all(m, qs, pairs, lse=True) for m in (local, memory_far))
    return torch.stack([torch.sigmoid(far - near)[i, :, at - 1] for i, at in enumerate(spans)]).mean(0)


meters = {kind: meter(asked[kind], book_of) for kind in asked}
swing = meters["book"] - meters["changed"]  # of each head
busy = int(swing.argmax())
print(
    "The head that looks up:",
    f"layer {looks_up}, head {busy}; the first cell of this lesson picked layer {place[0]}, head {place[1]}",
)
plain = [
    stream_of(one.prompt.decode().replace(" is now ", " is "), new)
    for one, new in zip(asked["changed"], NEWS, strict=True)
]
meters["changed, without the word now"] = meter(plain, book_of)
for kind, m in meters.items():
    print(f"{kind:30} share from the book, heads 0 to 3:", "  ".join(f"{x:.2f}" for x in m.tolist()))
without_now = know(with_book[looks_up], looks_up, {"changed": plain})["changed"]
print(f"changed, right answers: with the word now {joint['changed']:.2f}, without it {without_now:.2f}\n")
one_head = torch.zeros(4, 1, 1)  # a number a head: here 1 in the busy one
one_head[busy] = 1
gated_one = know(Gated(local, book_of, gate_memory=one_head / 2), looks_up)
# a Joint inside a Gated, with gates of 0 and 1: some heads read the Joint, the others the window
joint_one = know(Gated(local, Joint(local, book_of), gate_memory=one_head), looks_up)
joint_rest = know(Gated(local, Joint(local, book_of), gate_memory=1 - one_head), looks_up)
longer_one = know(Gated(local, Joint(local, long_book), gate_memory=one_head), looks_up)
rows = {
    "joint in all heads": joint,
    f"joint in head {busy}, the others local": joint_one,
    f"head {busy} local, joint in the others": joint_rest,
}
rows |= {"gate_memory = 0.5 in all heads": gated[gates.index(0.5)]}
rows |= {f"gate_memory = 0.5 in head {busy}, 0 in the others": gated_one}
rows |= {
    "library five times as long, joint in all heads": longer,
    f"library five times as long, joint in head {busy}": longer_one,
}
for name, got in rows.items():
    print(f"{name:48}", "   ".join(f"{kind} {x:.2f}" for kind, x in got.items()))
others = [h for h in range(4) if h != busy]
steady = max(others, key=lambda h: meters["said"][h].item())  # the one of them that draws most
shown = {f"{kind}: head {h}": meters[kind][h].item() for h in (busy, steady) for kind in asked}
display(
    draw.bars(
        shown,
        top=1.1,
        y="share from the book when the answer begins",
        title=f"Head {busy} decides by what it finds; head {steady} takes some of both always",
    )
)
assert (looks_up, busy) == place and swing[busy] > 0.3 and meters["book"][busy] > 0.6
assert max(abs(swing[h]) for h in others) < 0.2  # the other heads do not look anything up here
assert min(meters[kind][steady] for kind in asked) > 0.3 and meters["said"][busy] > 0.2
assert meters["changed, without the word now"][busy] > meters["changed"][busy] + 0.15 and without_now > 0.6
assert (
    joint_rest["book"] < 0.2 and min(joint_rest["said"], joint_rest["changed"]) > 0.8
)  # without the busy head: no page, no harm
assert sum(gated_one.values()) < sum(joint.values()) - 0.2
assert longer_one["said"] + longer_one["changed"] > longer["said"] + longer["changed"]  # the dialogue gains,
assert (
    abs(longer_one["book"] - longer["book"]) < 0.2 and 0.6 < joint_one["book"] <= joint["book"]
)  # the book hardly changes

# %% [markdown]
# One head looks up (the very head of the first cell), and its gate swings: nearly all from the book where only the book knows, mostly from the dialogue where something newer was said.
# The word *now* moves it: without it the head takes most from the book. **And yet the answers stay right** (printed): the rest of the network sees
# the blend and makes something of it. The other heads draw each its own share from the book, small or large, **whatever is asked**. By themselves they cite no page and do no harm; beside the busy head
# they help to cite a little, and in the long library they cost answers about the dialogue (last two rows: of twelve a kind, a hint and no more).
#
# One number **a head** can silence them; by hand, with 0.5 in the busy head and 0 in the
# others, it is no match for joint: the busy head's own number is the same for every question. **One softmax in the busy head only**, the others local: with the long library more
# of the dialogue is known than with joint in all heads, and about as much of the book. *Where* to fetch is chosen once; *how much* is decided by what each query finds.
#
# ## Whose memory is broken?
#
# Three assistants, and in each one thing is broken. (The code is folded: it says what.) In the book: printer password pebble, archive code 9064. Read a transcript and ask: does
# it know what was said a moment ago? What stands in the book? What has changed?


# %%
def chat(memories, turns):
    """A dialogue, really had: what is said is read, questions are answered by the model; its answers stay in it."""
    reader, so_far, told = answers.reading(memories), "", []
    for turn in turns:
        so_far += turn
        if turn.startswith("Question"):
            reply = reader.generate(so_far.encode(), 14).decode(errors="replace").split(".")[0]
            told.append(f"guest:  {turn[10:-9]:34} assistant:  {reply}")
            so_far += f"{reply}. "
        else:
            told.append(f"owner:  {turn}")
    return told


CELLAR, PRINTER, ARCHIVE = ask("cellar code"), ask("printer password"), ask("archive code")
TURNS = [
    tell("cellar code", "3390"),
    CELLAR,
    PRINTER,
    "The printer password was changed to ribbon. ",
    TALK[1],
    PRINTER,
    ARCHIVE,
    CELLAR,
]


def built(far, **gate):
    """A memory a layer: the library where things are looked up."""
    mixed = Gated(local, far, **gate) if gate else Joint(local, far)
    return [mixed if i == looks_up else local for i in range(3)]


empty = KNN(32, store=[stores.open(":memory:", dim=32) for _ in range(4)])
turned = KNN(32, store=library[looks_up][1:] + library[looks_up][:1])  # each head asks its neighbour's store
bots, symptoms = {"A": built(empty), "B": built(book_of, gate_memory=0.9), "C": built(turned)}, {}
for name, memories in bots.items():
    symptoms[name] = know(memories[looks_up], looks_up)
    print(f"Transcript {name}", *chat(memories, TURNS), sep="\n    ")
    print("    over 36 questions:", "   ".join(f"{kind} {x:.2f}" for kind, x in symptoms[name].items()), "\n")
assert symptoms["A"] == scores["local only"]  # an empty store: exactly the assistant without a book
assert symptoms["B"]["book"] > 0.6 and max(symptoms["B"]["said"], symptoms["B"]["changed"]) < 0.3
assert symptoms["C"]["book"] < 0.2 and symptoms["C"]["said"] < symptoms["A"]["said"] - 0.2
drawn = meter(asked["said"], turned)  # what the heads of C draw from the store
noisy = [h for h in range(4) if drawn[h] > 0.5]
assert len(noisy) >= 2 and drawn[busy] < 0.1
display(
    widgets.quiz(
        "Transcript A. What is broken?",
        ["the window is too short", "the store is empty", "the gate is turned round"],
        1,
        "Both things that were said come out, the book's never do: they are taken from the dialogue, or made up. An empty side "
        f"has no weight, so nothing else is disturbed: what was said is known as it is without a book, {symptoms['A']['said']:.2f}.",
    ),
    widgets.quiz(
        "Transcript B. What is broken?",
        [
            "the store is empty",
            "the book is out of date",
            "the gate: a weight meant for the local side weighs the memory",
        ],
        2,
        "The book is cited, even where the owner has just said otherwise; and what was said reaches nobody, not even a moment later. "
        "A window that is too short would look much alike, but would still know the sentence just before the question. A book out of "
        "date explains no wrong answer about the dialogue.",
    ),
    widgets.quiz(
        "Transcript C cites no page of the book, as A. But mind the line under it. What is broken?",
        [
            "the store is empty",
            "pairs are fetched, but useless ones: the store of another head",
            "the window is too short",
        ],
        1,
        f"An empty store could not disturb the dialogue, and here it knows {symptoms['C']['said']:.2f} of what was said in place of "
        f"{symptoms['A']['said']:.2f}. Each head has a language of its own. The heads draw these shares from the wrong store: "
        f"{', '.join(f'{x:.2f}' for x in drawn.tolist())}. Head {busy}, which looks things up, finds nothing there that is "
        "like its query, so the book is lost; the others take what they do not understand, and that is noise.",
    ),
)

# %% [markdown]
# ## Outputs or probabilities?
#
# Diagram 3 has waited. **Merging outputs** (joint, gated) blends two values *inside* a layer, and all that comes after sees one blend. **Merging probability
# distributions** lets two whole predictions be made and adds them: $\lambda\,p_{local}+(1-\lambda)\,p_{far}$. Take *changed* questions, where the two sides disagree, and weigh
# both by one half. **Predict** for both ways: how much probability goes to the byte that one side would say, how much to the other side's?


# %%
@torch.no_grad()
def first_byte(memory):
    """The distribution over the answer's first byte, of each question [questions, 256]."""
    rows = [one.text for one in asked["changed"]]
    ids = torch.stack([data.as_bytes(row.ljust(max(map(len, rows)))).long() for row in rows])
    logits = answers.reading([memory if i == looks_up else local for i in range(3)])(ids)
    before = [one.answer_span[0] - 1 for one in asked["changed"]]
    return torch.softmax(logits[torch.arange(len(before)), before], -1)


by_local, by_far = first_byte(local), first_byte(Gated(local, book_of, gate_memory=1.0))
merged = {
    "probabilities merged": (by_local + by_far) / 2,
    "outputs merged": first_byte(Gated(local, book_of, gate_memory=0.5)),
}
now, old = by_local.argmax(-1), by_far.argmax(-1)
differ = (now != old).nonzero().flatten()  # where the sides disagree (some pairs of answers begin with the same byte)
of_dialogue = {name: p[differ, now[differ]] for name, p in merged.items()}
of_book = {name: p[differ, old[differ]] for name, p in merged.items()}
for name in merged:
    for side, part in {"dialogue": of_dialogue[name], "book": of_book[name]}.items():
        print(f"{name:21} the {side}'s byte:".ljust(45), " ".join(f"{x:.2f}" for x in part.tolist()))
things = list(BOOK)
parts = {things[i]: round(x.item(), 2) for i, x in zip(differ.tolist(), of_dialogue["outputs merged"], strict=True)}
parts["each, probabilities merged"] = round(of_dialogue["probabilities merged"].mean().item(), 2)
display(
    draw.bars(
        parts,
        y="probability of the byte that the dialogue says",
        top=1.1,
        title="Outputs merged, half and half, where the two sides disagree; last bar: probabilities merged",
    )
)
for x, side in ((of_dialogue, by_local), (of_book, by_far)):  # both, always: what each side gave, halved
    assert (x["probabilities merged"] >= side.max(-1).values[differ] / 2 - 1e-6).all()
assert (
    len(differ) >= 6 and of_dialogue["outputs merged"].mean() > of_book["outputs merged"].mean() + 0.2
)  # on the whole the dialogue,
assert (
    of_dialogue["outputs merged"].max() - of_dialogue["outputs merged"].min() > 0.2
    and of_dialogue["outputs merged"].max() > 0.8
)  # now more of it, now less

# %% [markdown]
# Merged probabilities are what they were, halved: both answers, always, by arithmetic. Merged outputs are blended **before** the rest of the
# network goes on, and what comes out is no fixed part of either: on the whole more of the dialogue, here nearly alone, there mixed with the book. Chapter 08 goes on with
# merged probabilities.
#
# ## Memorizing Transformers
#
# Wu et al. (2022, arXiv 2203.08913) used both strategies. Their first version **joined**, with $k=128$ in a model of 6 layers; the final one is **gated** by one number a head that weighs the
# **memory**, with $k=32$ in 12 layers, and keys and queries are normalised: all have one length, so that no key is fetched, or loud, only because it is long.
#
# The final version's perplexity (arXiv papers, local context 512, lower is better), by size of the memory: none 3.29; 1,536 pairs 2.61; 8,192 pairs 2.49.
#
# Now ours: a window of 64 in every layer, and beside it the 32 nearest of so many older bytes. Always the **same** 128 bytes of two texts are scored. Two models: **answering**
# (half of each key is not turned by position; trained on rows of 2,048 bytes) and **Python** (keys turned whole; rows of 256). **Predict** for each, with 64 and
# with 1,024 older bytes: does the joint memory lower the bits per byte? And would a **full cache**?

# %%
older, scored = [64, 256, 1024], 128  # 64 older bytes, a window of 64, 128 scored: 256 in all
held_out = data.batch(data.texts()[1], 64 + older[-1] + scored, 2, torch.Generator().manual_seed(3))


@torch.no_grad()
def bits(reader, memory, before):
    """Bits per byte of the last bytes, where the text begins so many bytes before the window."""
    rows = held_out[:, -(scored + 64 + before + 1) :]
    logits = reader.reading(memory)(rows[:, :-1])[:, -scored:]
    return F.cross_entropy(logits.mT, rows[:, -scored:]).item() / math.log(2)


window64, nearest32 = Window(64), KNN(32, local=64)
tried = {"window": window64, "joint": Joint(window64, nearest32), "full cache": Full()}
measured, farthest = {}, {}
for model_name, reader in {"answering": answers, "Python": model}.items():
    for name, memory in tried.items():
        measured[model_name, name] = [bits(reader, memory, before) for before in older]
    for g in (0.1, 0.5):
        farthest[model_name, g] = bits(reader, Gated(window64, nearest32, gate_memory=g), older[-1])
    print(
        f"{model_name:10} bits a byte, {older[-1]:,} older:",
        "   ".join(
            [f"{name} {measured[model_name, name][-1]:.2f}" for name in tried]
            + [f"gate_memory {g}: {farthest[model_name, g]:.2f}" for g in (0.1, 0.5)]
        ),
    )
    display(
        draw.curves(
            {name: (older, measured[model_name, name]) for name in tried},
            x="older bytes that may be fetched",
            y="bits per byte",
            title=f"The {model_name} model: the same 256 bytes of held-out text, beside a window of 64",
        )
    )
for (model_name, name), got in measured.items():
    window_bits, full = measured[model_name, "window"], measured[model_name, "full cache"]
    if name != "window":
        assert got[0] < window_bits[0] - 0.03  # within what it was trained on, it helps both
        assert (
            max(abs(a / b - 1) for a, b in zip(got, full, strict=True)) < 0.1
        )  # and joint follows the full cache everywhere
        assert got[-1] < window_bits[-1] - 0.1 if model_name == "answering" else got[-1] > 1.5 * window_bits[-1]
for (model_name, g), got in farthest.items():  # a gate nearly shut changes little, half and half helps neither
    assert (
        abs(got / measured[model_name, "window"][-1] - 1) < 0.08
        if g == 0.1
        else got > 0.98 * measured[model_name, "window"][-1]
    )
assert farthest["Python", 0.5] > 1.2 * measured["Python", "window"][-1]

# %% [markdown]
# The joint memory does what the **full cache** does: as good as reading everything, and as bad. The **answering** model gains. So does the **Python** model
# while all that it reads fits in the 256 bytes of its training rows. Beyond them both ways ruin it: most likely because far keys are compared at distances it never saw, and such scores mean little, whoever
# reads them. That is no fault of one softmax. (The models differ in what they have read as well.)
#
# The **gates** (printed): 0.1 is nearly shut, so it does little harm and little good; 0.5 costs the Python model much and helps the answering model nothing, against the window alone. Numbers set by hand in every layer, again.
#
# The limits: 256 bytes scored (another `manual_seed` gives other sizes), models not trained with a memory; theirs were. Bits of a byte and perplexity of a token differ: compare directions.
#
# ## What it costs


# %%
def step_times(memories, n, times=20):
    """Milliseconds of an update and a read after n tokens, 8 heads of 64 (the quickest of 20); and bytes of the state."""
    past, new = (KV(torch.randn(8, m, 64), torch.randn(8, m, 64)) for m in (n, 1))
    held = {name: memory.update(memory.init(past), past) for name, memory in memories.items()}
    best = dict.fromkeys(memories, math.inf)
    for _ in range(times):  # in turn, so that whatever else this machine does disturbs all alike
        for name, memory in memories.items():
            begin = time.perf_counter()
            held[name] = memory.update(held[name], new)
            memory.read(held[name], new.k)
            best[name] = min(best[name], 1e3 * (time.perf_counter() - begin))
    return best, {name: state_bytes(mem) for name, mem in held.items()}


lengths, beside = [1024, 4096, 16384], KNN(32, local=64)
rivals = {
    "full cache": Full(),
    "window of 64": Window(64),
    "joint: 64 and 32 nearest": Joint(Window(64), beside),
    "gated: 64 and 32 nearest": Gated(Window(64), beside, gate_memory=0.5),
}
timed, kept = [], []
for n in lengths:
    spent, sizes = step_times(rivals, n)
    timed.append(spent)
    kept.append(sizes)
pair, last = 2 * 8 * 64 * 4, kept[-1]
assert last["window of 64"] == 64 * pair and last["full cache"] == (16384 + 20) * pair
assert last["joint: 64 and 32 nearest"] == last["gated: 64 and 32 nearest"] == (16384 + 20 + 64) * pair
for name in rivals:
    print(
        f"{name:26}",
        "   ".join(
            f"{n:,}: {ms[name]:.2f} ms, {size[name] / 2**20:.1f} MB"
            for n, ms, size in zip(lengths, timed, kept, strict=True)
        ),
    )
alone = [step_times({"window": Window(64)}, n)[0]["window"] for n in lengths]
print("window of 64, timed alone    ", "   ".join(f"{n:,}: {ms:.2f} ms" for n, ms in zip(lengths, alone, strict=True)))
draw.curves(
    {name: (lengths, [ms[name] for ms in timed]) for name in rivals},
    x="tokens read",
    log_x=True,
    y="milliseconds a token",
    title="One update and one read, here and now",
)

# %% [markdown]
# | for each token | full cache | window of $n$ | window and k-NN |
# |---|---|---|---|
# | pairs kept | all $t$ | $n$ | all $t$, and $n$ |
# | keys compared | $t$ | $n$ | $t$ (exactly), or fewer with an index: chapter 08 |
# | values read | $t$ | $n$ | $n+k$ |
#
# Searched exactly, k-NN saves no comparison; it saves **reading** $t-n-k$ values and the exponentials of their scores. The gate costs nothing beside the search. The search
# is dear beside a full cache while texts are short, less so the longer they get: do the lines cross here? (The window's line rises because it is timed in turn with large neighbours; timed alone, printed last, it hardly does.) What pays is elsewhere: the datastore need not lie where the model computes, and a **library** is written once and serves every dialogue.
#
# ## Four new questions

# %%
display(
    widgets.quiz(
        "Local: lse = ln 2, answer 10. Fetched: lse = ln 6, answer 50. What does the joint softmax give, and what `Gated(..., gate_memory=0.25)`? (two numbers)",
        numeric=[40, 20],
        why="Joint: g = 2 / 8 for the local side, 0.25 x 10 + 0.75 x 50 = 40. The gate weighs the memory: 0.75 x 10 + 0.25 x 50 = 20.",
    ),
    widgets.quiz(
        "Suppose that a trained gate, one number a head, came out at gate_memory = 0.02 in most heads, 0.9 in one (invented numbers). What would that say?",
        [
            "training has failed",
            "one head has become the memory head; the others do without",
            "the memory holds too few pairs",
        ],
        1,
        "A number a head is set once for all queries. Heads divide the work, and the layers above choose between them.",
    ),
    widgets.quiz(
        "An assistant must obey the newest instruction even if it contradicts the handbook word for word. Both contain the very same key. What decides in a joint softmax?",
        [
            "the newest always wins",
            "the scores: equal ones are shared half and half",
            "the handbook, since it was stored first",
        ],
        1,
        "One softmax knows scores, not dates. Newer can win by what the keys carry (position, a word such as now), by a gate that favours the local side, or by what later layers make of the blend.",
    ),
    widgets.quiz(
        "You add 10,000 pages to the library. Answers about the DIALOGUE get worse, though nothing of it was touched. Why?",
        [
            "the window has become shorter",
            "more stored pairs look like any query, and their exponentials take weight in the one softmax",
            "the store is searched more slowly",
        ],
        1,
        "The k nearest of more pairs are nearer, useful or not. Above it helped the dialogue to let only the head fetch that looks things up.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **combined cache**, **joint**: one softmax over local and fetched pairs.
# - **gate**: how much of a read comes from which side; `gate_local` weighs the near memory, `gate_memory` the far one.
# - **lse**, log-sum-exp: how loud a memory answers a query; the difference of two is the gate of a joint softmax.
# - **merging outputs**: two reads blended inside a layer. **merging probability distributions**: two predictions added at the end (chapter 08).
# - **HeadGate**: one learned number a head. **VectorGate**: numbers made of the query.
# - **library**: a store that is written once, outside of any dialogue.
# - **memory head**: a head that uses the far memory, while others do without.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 07` and open `my/07_together.ipynb`. The button at its end grades your answers as often as you like.
# Chapter 08 merges probabilities, and searches in a million pairs without comparing them all.
