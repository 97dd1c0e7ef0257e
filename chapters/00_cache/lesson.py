# %% [markdown]
# # 00 · Meet the cache
#
# **The course.** A language model remembers what it has read in a *key-value cache* that grows with every
# token. This course shows what happens when that cache is replaced by a memory of another kind: each one
# moves before your eyes, on the real tensors of a small trained model.
#
# | path | what to do | honest time |
# |---|---|---|
# | one hour | the films, knobs and questions of 00 and 01; pass over the code | 60 minutes |
# | three weeks | the core chapters with their exercises | about sixteen hours |
# | a term | everything | about thirty hours |
#
# The table in the README says which chapters are here; the others follow. You need Python and matrix multiplication, no GPU.
#
# **After this chapter you can** compute attention by hand, say what a key-value pair is and what the memory
# (*Mem*) of standard attention is, name what a cache costs in bytes and in work per token, and place a method on
# the map of efficient attention, internal memory and external memory. **Time:** 60 minutes for the lesson, and 45
# for the exercise: two sittings. **How to read:** run each cell with Shift+Enter. Cells of `assert` lines prove
# what the text above them says; they show nothing, which means that it is true.
#
# In this course a *token* is one byte of text: one letter.

# %%
import time

import torch

from memlib import KV, Full, Window, attend, lm, outputs, recipe, state_bytes, states, tasks, view
from memlib import draw, widgets
from memlib.lm import data
from memlib.course import progress

model = lm.load("facts")  # reads bytes, answers questions about what it has read
print(progress.so_far())

# %% [markdown]
# ## One fact
#
# Through the whole course runs one small story. Early in a text stands a fact, then comes small talk (a *Hmmm*
# only fills it up to the length you choose), then the question. **Does the model still know?** Type another code
# if you like: four digits. In the picture the orange line says how much of the fact is still **stored**; the other
# lines say how much of its attention each byte spends on it.

# %%
widgets.one_fact(Full(), model)

# %% [markdown]
# The model cannot know beforehand which code you type. It has to find it in the text it has read: in the keys
# and values that its layers have kept. The whole chapter is about those.
#
# Now ask for 4711 and move *bytes between* to its right end (it takes some seconds). The orange line stays at
# 100 %, all of the fact is in the cache, and yet the answer becomes another number of the talk: **having is not
# finding**. (Another code may hold out a little longer.) This small model finds more than nineteen facts of twenty
# over 1,000 bytes, and fewer and fewer beyond; below is what was measured on facts it had never been trained on. (In
# the code `recipe_dye` is the orange line, how much of the fact is **stored**; `view_dye` is how much
# each byte **receives**.)
#
# A sentence of your own works too; its last word is taken for the answer. Say first whose, then what. A fact said the
# other way round (type "Rex is Anna's dog.", ask "what is Anna's dog called?" and look at what the model says) is found
# less often, however near it is: when the model read *Rex* it could not know whose name that was, and what it has kept
# of a byte stays as it is.

# %%
door = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
fact = tasks.one_fact(Full(), model=model, stream=lm.stream(150, seed=1, own=door))
print(f"right: {fact.answer!r}   the model says: {fact.said!r}   probability of the right answer: {fact.p:.3f}")
assert fact.said == fact.answer and fact.p > 0.5 and fact.recipe_dye[:, -1].min() == 1
shares = {
    int(far): share["all"] for far, share in lm.card("facts")["right_answers"].items()
}  # python -m memlib.lm.evaluate facts
assert min(shares[far] for far in (32, 128, 256, 512, 1024)) > 0.95 > shares[1800] > shares[2500] > shares[4000]
talk = lm.stream(1000, seed=0, own=door).prompt  # what the picture reads at its right end
assert model.generate(talk, 4) != b"4711" and model.generate(talk, 4) in talk
usual, turned = (lm.card("facts")[f"right_answers_{how}"] for how in ("trained_wordings", "value_first"))
assert all(turned[far] < usual[far] for far in usual)  # said the other way round: less often, at every distance
rex = lm.Fact("Rex is Anna's dog.", "what is Anna's dog called?", "Rex")
assert model.generate(lm.stream(150, seed=0, own=rex).prompt, 3) != b"Rex"
draw.curves(
    {"full cache": (list(shares), list(shares.values()))},
    x="bytes between fact and question",
    log_x=True,
    y="right answers",
    title="Having is not finding: new facts, all in the cache",
)

# %% tags=["film"]
draw.dye(
    fact.recipe_dye,
    fact.view_dye,
    fact.text,
    fact.fact_span,
    after=fact.said,
    title="The fact's dye: how much of it is in the cache, how much each byte receives of it",
)

# %% [markdown]
# ## Do you know attention already?
#
# Never seen it? Skip these five questions and come back after the next section. If all five are easy, jump to
# *The cache of a real model*.

# %%
display(
    widgets.quiz(
        "A query is compared with the keys. By what?",
        ["their distance in the text", "a scaled dot product", "a sum of both vectors"],
        1,
        "Score = q . k / sqrt(d): large where both point the same way.",
    ),
    widgets.quiz(
        "What turns the scores into weights?",
        ["softmax over the keys", "softmax over the width", "dividing by the largest"],
        0,
        "exp of each score, divided by their sum over the keys: at least 0, together 1.",
    ),
    widgets.quiz(
        "Scores are all equal, values are 3, 6 and 9. What is read?",
        ["18", "6", "9"],
        1,
        "Equal weights: the plain mean, 6. A read is an average, never a sum.",
    ),
    widgets.quiz(
        "Which tokens may token 5 look at, in a model that writes text?",
        ["0 to 4", "0 to 5", "all"],
        1,
        "Causal: itself and what came before.",
    ),
    widgets.quiz(
        "Which of q, k, v of an old token are needed again later?",
        ["all three", "k and v", "q only"],
        1,
        "Later queries compare with its key and average its value; its own query has done its work.",
    ),
)

# %% [markdown]
# ## Attention by hand, with three tokens
#
# A **key-value pair** $(k_i, v_i)$ is what token $i$ leaves behind: the key says *what can be asked for here*,
# the value *what you get*. A query $q$ asks every key, and gets an average of the values:
#
# $$\mathrm{Att}(q,\mathrm{Mem})=\sum_i \frac{e^{\,q\cdot k_i/\sqrt d}}{\sum_j e^{\,q\cdot k_j/\sqrt d}}\;v_i .$$
#
# The *score* of a key is its dot product with the query, divided by $\sqrt d$ ($d$ numbers in a key). Turning
# scores into weights by exponentials that are divided by their sum is called the **softmax**.
#
# Three pairs, width $d=1$, so $\sqrt d=1$; the query is 1. The keys are $\ln 1, \ln 2, \ln 5$, the values
# 8, 16 and 40. **Step 1, scores:** $\ln 1,\ln 2,\ln 5$. **Step 2, exponentials:** 1, 2, 5. **Step 3,
# weights:** divide by their sum 8: $\tfrac18,\tfrac28,\tfrac58$. **Step 4, read:** $\tfrac18\cdot 8+
# \tfrac28\cdot 16+\tfrac58\cdot 40=1+4+25=30$.

# %%
three = KV(torch.tensor([[1.0], [2.0], [5.0]]).log(), torch.tensor([[8.0], [16.0], [40.0]]))
assert abs(attend(torch.ones(1, 1), three).item() - 30) < 1e-4

# %% [markdown]
# Move the query. At 0 it asks for nothing in particular and gets the mean; far to the right the third pair
# takes all; to the left the first. **Predict** the bars at query = -3 before you go there.

# %%
widgets.knob(
    lambda query: draw.bars(
        {
            f"pair {i}: value {v}": w
            for i, (v, w) in enumerate(zip((8, 16, 40), torch.softmax(query * three.k[:, 0], 0).tolist(), strict=True))
        },
        y="weight",
        top=1,
        title=f"query {query:.1f} reads {attend(torch.full((1, 1), float(query)), three).item():.1f}",
    ),
    query=(-4.0, 4.0, 1.0, 0.25),
)

# %%
assert abs(attend(torch.zeros(1, 1), three).item() - 64 / 3) < 1e-4  # no preference: the mean
many = [attend(torch.full((1, 1), float(x)), three).item() for x in range(-40, 41)]
assert 8 - 1e-4 <= min(many) and max(many) <= 40 + 1e-4  # never outside of the values

# %% [markdown]
# *Misconception: "attention can add values up."* It cannot: whatever the query, the read stays between the
# smallest and the largest value. A memory of averages will meet this again.
#
# ## The cache of a real model
#
# Where do q, k and v come from? The model turns each byte into a vector $x$, and three trained matrices turn that
# into $q=W_q\,x$, $k=W_k\,x$ and $v=W_v\,x$. One such trio is a **head**; several heads side by side, whose reads
# are put together into the next $x$, are a **layer**; layers follow one another. Ours has 3 layers of 4 heads, 32
# numbers in each q, k and v.
#
# Type a sentence: you see one head of one layer. Which of the three must be kept?

# %%
widgets.typed(
    lambda text, layer, head: draw.keys(*tasks.heads(model, text, layer, head), [bytes([b]) for b in text.encode()]),
    text="The door code is 4711.",
    layer=(0, 2, 1),
    head=(0, 3, 0),
)

# %% [markdown]
# Keys and values stay, one pair a byte: that is the cache. Watch it grow. For standard attention
# $\mathrm{Mem}_i=(K_{\le i},V_{\le i})$: **all** pairs up to and including the newest, and every method of this
# course replaces exactly this Mem in $\mathrm{Att}(q_i,\mathrm{Mem})$ by something else.

# %% tags=["film"]
text = "The door code is 4711."
q, k, v = tasks.heads(model, text, layer=1, head=0)
draw.film(recipe(Full(), k), list(text), views=view(Full(), q, k), title="The full cache: one more slot a byte")

# %%
held = states(Full(), KV(k, v))
assert [mem.n for mem in held] == list(range(1, len(text) + 1))  # one pair a byte, none leaves
assert torch.equal(recipe(Full(), k)[-1], torch.eye(len(text)))  # slot j holds byte j, whole
causal = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
assert torch.allclose(outputs(Full(), q, KV(k, v)), causal, atol=1e-5)  # Att(q, Mem) IS standard attention

# %% [markdown]
# ## What it costs
#
# Bytes of a cache: $2\cdot$ layers $\cdot$ key-value heads $\cdot$ width $\cdot$ tokens $\cdot$ batch $\cdot$ bytes a
# number. For our model that is 3 KB a byte of text; for a model of 32 layers with 32 heads of 128 in two-byte
# numbers (its tokens are pieces of words) it is 512 KB **a token**, and 64 GB for a context of 128k.

# %%
ours = sum(state_bytes(states(Full(), layer_kv)[-1]) for _, layer_kv in model.qkv(data.as_bytes(text)[None].long()))
assert ours == 2 * 3 * 4 * 32 * len(text) * 1 * 4
assert 2 * 32 * 32 * 128 * 1 * 1 * 2 == 512 * 1024 and 512 * 1024 * 128 * 1024 == 64 * 1024**3

# %% [markdown]
# Work of attention: the query of token $i$ is compared with $i+1$ keys. **Predict:** n doubles. What happens to
# that work for one token at the end, and for the whole text? And with a memory of fixed size?


# %%
def pairs_read(memory, n):
    """Pairs that the queries of n tokens read: by the last one, and by all together."""
    sizes = [memory.slots(mem).n for mem in states(memory, KV(torch.zeros(n, 1), torch.zeros(n, 1)))]
    return sizes[-1], sum(sizes)


for memory in (Full(), Window(64)):
    (last, whole), (last2, whole2) = pairs_read(memory, 512), pairs_read(memory, 1024)
    print(f"{memory!r:12}: one token x{last2 / last:.2f}, the whole text x{whole2 / whole:.2f}")
assert pairs_read(Full(), 1024)[0] == 2 * pairs_read(Full(), 512)[0]
assert abs(pairs_read(Full(), 1024)[1] / pairs_read(Full(), 512)[1] - 4) < 0.01
assert pairs_read(Window(64), 1024)[0] == pairs_read(Window(64), 512)[0]
assert abs(pairs_read(Window(64), 1024)[1] / pairs_read(Window(64), 512)[1] - 2) < 0.1

# %% [markdown]
# And on this machine, now: one query in each of 8 heads of width 64, a growing cache. The dots are measured as you
# run the cell: about a straight line, proportional to the pairs.


# %%
def milliseconds(n, times=30):
    """The median time of one read over n pairs, 8 heads."""
    kv, one, spent = KV(torch.randn(8, n, 64), torch.randn(8, n, 64)), torch.randn(8, 1, 64), []
    for _ in range(times):
        begin = time.perf_counter()
        attend(one, kv)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2] * 1e3


lengths = [1024, 4096, 8192, 16384]
draw.curves(
    {"time of one read": (lengths, [milliseconds(n) for n in lengths])},
    x="pairs in the cache",
    y="milliseconds",
    title="One token's read, measured here",
)

# %% [markdown]
# ## The map
#
# Three ways out of the growing cost:
#
# - **Efficient attention** changes what is compared, or how: sparse patterns keep all pairs and compare fewer of
#   them; linear attention never compares at all, it adds the pairs up.
# - **Internal memory**: the past lives in a state of fixed size inside the model (a window, an average, a
#   recurrent state, a compressed tier). $\mathrm{Att}(q,\mathrm{Mem})$ with a small Mem.
# - **External memory**: the past, or a whole library, lives in a store beside the model; a query fetches the few
#   pairs nearest to it.
#
# They overlap: a window is also a sparse pattern, linear attention's sum is also an internal memory, and fetching the
# nearest pairs of one's own past is also sparse attention. The course shows each of these as an equality.

# %%
assert torch.allclose(outputs(Window(len(text)), q, KV(k, v)), causal, atol=1e-5)  # a window nothing has left yet

# %% [markdown]
# ## Three questions to take along

# %%
display(
    widgets.quiz(
        "What is Mem for standard attention when the query of token 7 reads?",
        ["pairs 0 to 6", "pairs 0 to 7", "the last layer's output"],
        1,
        "(K, V) of all tokens up to and including its own: eight pairs.",
    ),
    widgets.quiz(
        "A context of 4,000 tokens grows to 8,000. The bytes of the cache...",
        ["double", "grow four times", "stay the same"],
        0,
        "Bytes are proportional to tokens. It is the work over the whole text that grows four times.",
    ),
    widgets.quiz(
        "A phone assistant must listen for ever with 1 MB of state. Its maker proposes to compute attention over all it "
        "has heard by very fast code. What happens?",
        [
            "fast code keeps it within 1 MB",
            "it outgrows 1 MB; sparse attention over the same cache would not",
            "it outgrows 1 MB; an internal memory would not",
        ],
        2,
        "Fast code and sparse attention change what is computed; the pairs are kept all the same. Only a state of fixed "
        "size has a bound for an endless stream. What it forgets is the question of the next chapters.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **query, key, value**: what a token asks, what it can be found by, what it hands over.
# - **key-value pair** $(k_i,v_i)$: what token $i$ leaves in the memory.
# - **attention** Att(q, Mem): the average of the values, weighted by the softmax of the scores.
# - **key-value cache**: all pairs of the past, Mem of standard attention. It grows with every token.
# - **recipe**: what a slot holds of each token. **view**: what a query receives of each token.
# - **dye**: the fact's bytes, marked, so that one can see where they are.
#
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal): `memlib start 00`, then open `my/00_cache.ipynb`.
