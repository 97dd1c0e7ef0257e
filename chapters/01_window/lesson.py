# %% [markdown]
# # 01 · Watch a window forget
#
# **After this chapter you can** say which tokens a window still holds at any step, explain why a stack of
# layers sees further than one window, name what a window saves in bytes and time and what it costs in
# quality, and tell when the first tokens of a stream must stay.
#
# **Time:** 60 minutes for the lesson and 50 for the exercise: two sittings. **You need:** Python, matrix
# multiplication, and the idea of attention as a weighted average (chapter 00). No GPU.
#
# Everything that moves below is a replay of real tensors. They come from two small models of the same build: the
# **Python model**, trained on the text of Python's standard library, and the **answering model** of chapter 00,
# trained to answer questions about facts. `model` is the Python model.

# %%
import time

import torch

from memlib import KV, Full, Window, attend, attend_all, check, outputs, recipe, state_bytes, states, tasks, view
from memlib import draw, lm, widgets
from memlib.lm import data

model = lm.load("stdlib")  # a byte model trained on Python's standard library
text = "def newest(pairs): return pairs[-4:]"
tokens = list(text)
layers = model.qkv(data.as_bytes(text)[None])  # the q, k, v that each layer hands to its memory
q, kv = layers[1][0][0, 2], KV(layers[1][1].k[0, 2], layers[1][1].v[0, 2])  # layer 1, head 2
print(f"{len(tokens)} bytes of text: one query, one key, one value each, of width {q.shape[-1]}")

# %% [markdown]
# ## Three questions from before

# %%
display(
    widgets.quiz(
        "In standard attention, which pairs does the query of token 9 read (tokens count from 0)?",
        ["pairs 0 to 8", "pairs 0 to 9", "all pairs of the text, later ones too"],
        1,
        "Mem is (K, V) of all tokens up to and INCLUDING its own: ten pairs. Later pairs are hidden by the "
        "causal mask; without its own pair the first token would have nothing to read.",
    ),
    widgets.quiz(
        "The context doubles. What happens to the work of attention for ONE new token, with an ordinary cache?",
        ["it stays the same", "it doubles", "it grows four times"],
        1,
        "One query is compared with every pair that is there. Over the whole text attention's total grows four "
        "times. (The rest of the model costs the same for every token.)",
    ),
    widgets.quiz(
        "The softmax weights of one query over its pairs...",
        ["sum to 1", "sum to the number of pairs", "can be negative"],
        0,
        "A read is a weighted AVERAGE of values: weights at least 0, sum 1. Keep this in mind when a pair "
        "leaves: its weight goes to the others.",
    ),
)

# %% [markdown]
# ## Does it still know?
#
# A fact, small talk, the question. In chapter 00 the full cache answered. Now every layer of the same answering
# model reads through a window of its newest pairs, and nothing else is changed: `Window(64)` in the place of
# `Full()` is one argument. **Predict** the size at which the code falls out, then move the size until it does.
# (Keep *bytes between* at 150.)

# %%
answers = lm.load("facts")
widgets.one_fact(Window(400), answers)

# %% tags=["film"]
fact = lm.Fact("The door code is 4711.", "what is the door code?", "4711")
stream = lm.stream(150, seed=1, own=fact)
wide, narrow = (tasks.one_fact(Window(n), model=answers, stream=stream) for n in (400, 64))
digit = len(wide.text) - wide.text.index("4711")
assert wide.right and not narrow.right
assert wide.recipe_dye[:, -1].min() == 1 and not narrow.recipe_dye[:, -1].any()  # all of it, and nothing of it
said = {n: answers.reading(Window(n)).generate(stream.prompt, 4) for n in (digit - 4, digit + 4)}
assert said[digit - 4] != b"4711" == said[digit + 4]  # it falls out at the way back to its digits
short = [answers.reading(Window(n)).generate(stream.prompt, 4) for n in range(16, digit, 16)]
assert b"4711" not in short and sum(one[:1].isdigit() for one in short) > len(short) / 2  # four bytes all the same
draw.dye(
    narrow.recipe_dye,
    narrow.view_dye,
    narrow.text,
    narrow.fact_span,
    after=narrow.said,
    title=f"A window of 64; the code's first digit stands {digit} bytes before the answer",
)

# %% [markdown]
# The fact falls out when the window becomes shorter than the way back to its digits. What the model says then is
# worth a look: it does not fall silent, it says four letters as before. Mostly the first is a digit, and the rest is
# like what still stands in the window: numbers or names of the small talk, the *mmm* of the *Hmmm*, even words of the
# question. A model that has forgotten does not know that it has.
#
# ## Predict
#
# A window of **six** reads the text byte by byte. The byte `w` of `newest` is byte 6 (the `d` is byte 0).
# After byte 6 has been read, which byte has just been forgotten?

# %%
widgets.quiz(
    "Which byte did the window of six lose when byte 6 entered?",
    ["none: there was room", "byte 0", "byte 1", "byte 6 itself: it enters one step later"],
    1,
    "The current byte is IN the window and counts. After byte 6 the window holds bytes 1 to 6: six pairs. "
    "A common slip is to think of six PREVIOUS bytes; then byte 0 would still be there.",
)

# %% [markdown]
# Now watch it. On top the text; in the middle the slots of the memory and what each holds (the
# **recipe**); below, what the query of this step receives of each byte (the **view**). Press play, or
# drag the slider.

# %% tags=["film"]
memory = Window(6)
held = states(memory, kv)  # one state a token: real keys, real values
assert torch.equal(memory.slots(held[6]).k, kv.k[1:7])  # after byte 6: bytes 1 to 6
assert torch.equal(memory.slots(held[3]).k, kv.k[:4])  # while it fills: all there is, nothing padded
assert not view(memory, q, kv.k)[6, 0]  # and the query of byte 6 receives nothing of byte 0
draw.film(recipe(memory, kv.k), tokens, views=view(memory, q, kv.k), title="A window of 6 reads the text")

# %% [markdown]
# ## The formula
#
# Standard attention reads $\mathrm{Mem}=(K_{\le t},V_{\le t})$. A window reads the newest $n_c$ pairs:
#
# $$\mathrm{Mem}_t=(K_{t-n_c+1\,..\,t},\;V_{t-n_c+1\,..\,t}),\qquad
# \mathrm{Att}(q_t,\mathrm{Mem}_t)=\mathrm{softmax}\!\big(q_tK^\top/\sqrt d\big)\,V .$$
#
# **By hand.** Keys of width 1, so $\sqrt d=1$, and the query is 1. The keys are $\ln 1,\ln 2,\ln 1,\ln 3$:
# their scores, after the exponential, are $1, 2, 1, 3$. The values are $10, 20, 30, 40$.
# A window of two reads the last two pairs: weights $\tfrac14,\tfrac34$, and
# $\tfrac14\cdot30+\tfrac34\cdot40=37.5$. The full cache reads all four:
# $(1\cdot10+2\cdot20+1\cdot30+3\cdot40)/7=28.57$. The window does not leave a hole where the old pairs
# were: their weight goes to the pairs that stayed.

# %%
hand = KV(torch.tensor([[1.0], [2.0], [1.0], [3.0]]).log(), torch.tensor([[10.0], [20.0], [30.0], [40.0]]))
ones = torch.ones(4, 1)
assert abs(outputs(Window(2), ones, hand)[3].item() - 37.5) < 1e-4
assert abs(outputs(Full(), ones, hand)[3].item() - 200 / 7) < 1e-4

# %% [markdown]
# ## The code, and yours
#
# A memory is four small functions: `init` gives an empty state, `update` takes a state and new pairs and
# gives the next state, `slots` shows the pairs, `read` attends to them (a window takes the common `read`, which it
# inherits from `Memory`). The state is a value: it goes in and comes out, and an old one stays what it was. Below
# stands the library's window, word for word, under the name `Mine`. Its state is two runs of pairs: the first ones,
# kept for good where `sinks` asks for some, and the newest. `@frozen` and `at_least` make `size` and `sinks` settings that
# are checked once and then stay. The line that ends in `True` is what a window promises of itself: leave it as it is.
#
# `check` walks yours and the library's over 48 random tokens and names the first difference. Break the line of
# `update` that begins with `newest =`, in these four ways; run the cell each time, and see what `check` says:
#
# - keep one pair too many: `keep=self.size + 1`
# - keep the oldest, not the newest: `newest = mem.newest.append(new[free:])[: self.size]`
# - let no new pair in: `newest = mem.newest`
# - forget all but the new pair: `newest = new`

# %% show="memlib.Window"
print(check(Mine(6), Window(6)))
widgets.player(Mine(6), kv.k, q, tokens)

# %% [markdown]
# **Two things people get wrong here.**
#
# *"While it fills, the missing slots are zeros."* No: a memory starts **empty**. A zero key has the score
# 0, which is not "no score": it draws weight to a value of zero and shrinks what is read.
#
# *"The recipe and the view are the same picture."* They answer different questions. The recipe says what
# is **in** the memory (for a window: rows of the identity matrix, each slot one byte). The view says what
# one query **gets** from it (weights that depend on the query, and sum to 1).

# %%
four, zero_pairs = KV(kv.k[:4], kv.v[:4]), KV(torch.zeros(16, 32), torch.zeros(16, 32))
honest, padded = attend(q[3:4], four), attend(q[3:4], zero_pairs.append(four))
print(f"length of what is read: {honest.norm():.2f}; with sixteen zero-filled slots: {padded.norm():.2f}")
display(draw.recipe(recipe(memory, kv.k)[-1], tokens), draw.view(view(memory, q, kv.k), tokens))

# %% claims
assert padded.norm() < 0.9 * honest.norm()
assert torch.equal(recipe(memory, kv.k)[-1], torch.eye(len(tokens))[-6:])  # each slot one byte, the newest six
assert torch.allclose(view(memory, q, kv.k).sum(-1), torch.ones(len(tokens)))

# %% [markdown]
# ## A window is local attention
#
# That band is the whole secret of *local attention*: compute all scores, hide everything outside the
# band, and the outputs are those of the window that was walked token by token.
#
# Move the size. Watch the band widen, and see where this head looks when it is allowed to look further.

# %%
band = torch.ones(len(tokens), len(tokens)).tril().triu(-5).bool()  # at most 5 back, and itself
assert not view(memory, q, kv.k)[~band].any()
masked = torch.nn.functional.scaled_dot_product_attention(q[None], kv.k[None], kv.v[None], attn_mask=band)[0]
assert torch.allclose(masked, outputs(memory, q, kv), atol=1e-5)
assert torch.allclose(masked, attend_all(memory, q, kv), atol=1e-5)  # the library's form: block by block
widgets.knob(
    lambda size: draw.view(view(Window(size), q, kv.k), tokens, title=f"What each query receives, window of {size}"),
    size=(1, len(tokens), 6),
)

# %% [markdown]
# ## Layers see further than one window
#
# The last byte of the second layer attends to outputs of the first, and those have looked back already.
# With windows of $n_c$ and $L$ layers the reach is $L(n_c-1)+1$. First on bare windows: the view of one
# layer, multiplied with itself.

# %%
one = view(Window(6), q, kv.k)
for depth in (1, 2, 3, 4):
    seen = (torch.linalg.matrix_power(one, depth)[-1] > 0).sum().item()
    print(f"{depth} layers: the last byte receives something of {seen} bytes")
    assert seen == depth * (6 - 1) + 1

# %% [markdown]
# Now through the trained model, by touching it: change **one** byte far back, and see whether anything
# changes at the last position. Our model has a helper that must be counted: a short convolution of width
# 4 (each q, k and v also mixes in the three bytes before it) carries three more bytes into every layer, so its
# reach is $L(n_c-1+3)+1$. Predict the last row of the picture for three layers and a window of six: how many bytes
# are felt at the last place, itself included?

# %%
ids = data.as_bytes(text).long()
changed = ids.repeat(len(ids), 1)
changed[torch.arange(len(ids)), torch.arange(len(ids))] = ord("#")  # row i: byte i is another one
touched = model.double().reading(Window(6))
with torch.no_grad():
    inside = [
        (layer_q[1:, :, -1] - layer_q[:1, :, -1]).flatten(1).norm(dim=1)
        for layer_q, _ in touched.qkv(torch.cat([ids[None], changed]))
    ]
    logits = touched(torch.cat([ids[None], changed]))[:, -1]
grid = torch.stack([*inside, (logits[1:] - logits[:1]).norm(dim=1)])
model.float()
reached = (grid > 1e-12).int().argmax(1)  # the first byte that matters, row by row
print([len(tokens) - first for first in reached.tolist()], "bytes reach the queries of layers 0, 1, 2 and the answer")
assert len(tokens) - reached[-1] == 3 * (6 - 1 + 3) + 1
draw.reach(grid, tokens, ["queries of layer 0", "queries of layer 1", "queries of layer 2", "the answer"])

# %% [markdown]
# So "what can still be read of the beginning of a document?" has two answers. **Directly**: nothing, once
# it is $n_c$ tokens back. **Through layers**: what the layers below have carried along, up to the reach,
# and mixed on the way. Behind the reach it is gone for good. Reach says what *can* arrive, not what does: three
# layers of 64 reach 199 bytes back, and yet the door code was lost.
#
# ## What it costs: bytes and time
#
# The state of a window stops growing. Two tensors (k and v), 3 layers, 4 heads, width 32, 4 bytes a number. (Counted
# are the pairs that can be read; the buffers behind them may have as much spare room again.)


# %%
def write(memory, n=2000, seed=0):
    """Lets the model write n bytes; returns them with bytes of state and seconds a byte, every 100 bytes."""
    reader, draw_from = model.reading(memory), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        logits, state = reader.step(data.as_bytes("def ")[None].long(), reader.init(1))
        out, size, spent, begin = bytearray(), [], [], time.perf_counter()
        for i in range(1, n + 1):
            byte = torch.multinomial(torch.softmax(logits[0, -1] / 0.7, -1), 1, generator=draw_from)
            out.append(int(byte))
            logits, state = reader.step(byte[None], state)
            if i % 100 == 0:
                size.append(sum(state_bytes(mem) for mem in state.memories))
                spent.append((time.perf_counter() - begin) / 100)
                begin = time.perf_counter()
    return out.decode(errors="replace"), size, spent


full_text, full_size, full_spent = write(Full())
window_text, window_size, window_spent = write(Window(64))
assert window_size[-1] == window_size[0] == 2 * 3 * 4 * 32 * 64 * 4
assert full_size[-1] == 2 * 3 * 4 * 32 * 2004 * 4
print(window_text[-300:])
at = list(range(100, 2001, 100))
display(
    draw.curves(
        {"full cache": (at, [b / 1024 for b in full_size]), "window of 64": (at, [b / 1024 for b in window_size])},
        x="bytes written",
        y="kilobytes of state",
        title="What has to be kept",
    ),
    draw.curves(
        {"full cache": (at, [s * 1e3 for s in full_spent]), "window of 64": (at, [s * 1e3 for s in window_spent])},
        x="bytes written",
        y="milliseconds a byte",
        title="What a byte costs, here and now",
    ),
)

# %% [markdown]
# The bytes are a law; the milliseconds are your machine's. In so small a model most of a step is not attention,
# so the times say little at 2,000 bytes; the window may even be slower, since dropping pairs is work too.
# `make bench` times a step at up to 16,384 pairs: there a full cache's step grows with its length, and that of a
# window of 128 does not.
#
# ## What it costs: quality
#
# Bits per byte on held-out text say how well the model foresees the next byte (8 is blind guessing). The
# model was trained with its full cache over 256 bytes. **Sketch first**: how does the figure fall as the
# window grows from 2 to 256?

# %%
pieces = data.batch(data.texts()[1], 256, 48, torch.Generator().manual_seed(1))


@torch.no_grad()
def bits(reader, pieces):
    """Bits per byte over pieces [rows, n + 1]."""
    logits = reader(pieces[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten()).item() / 0.6931


sizes = [2, 4, 8, 16, 32, 64, 128, 256]
quality = [bits(model.reading(Window(n)), pieces) for n in sizes]  # swapping the memory is one argument
widgets.predict("bits per byte, as the window grows", sizes, quality, y="bits per byte", log_x=True)

# %%
assert abs(quality[-1] - bits(model, pieces)) < 1e-3  # a window as long as the text is the full cache
assert all(a >= b - 0.02 for a, b in zip(quality, quality[1:], strict=False))
gain = quality[sizes.index(32)] - quality[-1]
print(f"from 32 to 256: {gain:.3f} bits; from 2 to 32: {quality[0] - quality[sizes.index(32)]:.3f} bits")
assert gain < 0.15 * (quality[0] - quality[-1])

# %% [markdown]
# Nine tenths of what longer memory brings this model lie within some thirty bytes. That is a fact about this
# model and its text, not about windows: the answering model found a code two hundred bytes back, and one that could
# use a whole book would lose more.
#
# **Beyond its training length** the picture turns. The full cache now holds distances the model has never
# seen; a window never does. Which of the two would you rather have at 1,024 bytes?

# %%
long = data.batch(data.texts()[1], 1024, 6, torch.Generator().manual_seed(2))
lengths = [128, 256, 512, 1024]
full_bits = [bits(model, long[:, : n + 1]) for n in lengths]
window_bits = [bits(model.reading(Window(128)), long[:, : n + 1]) for n in lengths]
assert full_bits[-1] > full_bits[1] + 0.5 and window_bits[-1] < window_bits[1] + 0.3
draw.curves(
    {"full cache": (lengths, full_bits), "window of 128": (lengths, window_bits)},
    x="bytes of text",
    y="bits per byte",
    log_x=True,
    title="Trained on 256 bytes, read further",
)

# %% [markdown]
# ## When the first tokens must stay: sinks
#
# Large models park attention they have no use for on the first token, whose value is almost nothing. When
# a window evicts that token, the parked weight falls on the others, and the model breaks down
# (StreamingLLM: a 13-billion model goes from a perplexity, the number of equally likely next tokens it seems to
# choose from, of 5.40 with four sinks to 5158 without). `Window(size, sinks=s)` keeps the first `s` pairs for good.
# *Global tokens* are relatives: chosen tokens, anywhere in the text, that every later token may see.
#
# **An honest negative:** our models have not learned this (short training, on pieces cut from the middle of files).
# The first byte draws almost nothing, in any head:

# %%
with torch.no_grad():
    some = model.qkv(pieces[:8, :-1])
on_first = torch.stack(
    [view(Full(), layer_q[:, :, :64], layer_kv[:64].k)[..., 32:, 0].mean((0, 2)).max() for layer_q, layer_kv in some]
)
print("mean weight on the first byte, the strongest head of each layer:", [f"{w:.3f}" for w in on_first.tolist()])
assert on_first.max() < 0.1

# %% [markdown]
# So we build a head that does have a sink: every query points along one direction, the first key lies far
# along it, and the first value is zero. This head's normal state is to say nothing.

# %% tags=["film"]
gen = torch.Generator().manual_seed(0)
way = torch.zeros(16)
way[0] = 1
sink_q = 8 * way + torch.randn(40, 16, generator=gen)
sink_k = torch.randn(40, 16, generator=gen) * (1 - way)
sink_k[0] = 3 * way
sink_v = torch.randn(40, 16, generator=gen)
sink_v[0] = 0
said = {repr(m): outputs(m, sink_q, KV(sink_k, sink_v)).norm(dim=-1) for m in (Full(), Window(8), Window(7, sinks=1))}
full_said, plain, kept = said.values()
assert plain[8:].mean() > 2 * full_said[8:].mean() and (kept - full_said)[8:].abs().mean() < 0.5 * plain[8:].mean()
sinks = Window(4, sinks=2)
start = slice(0, 18)  # of the text
display(
    draw.film(
        recipe(sinks, kv.k[start]),
        tokens[start],
        views=view(sinks, q[start], kv.k[start]),
        title="Two sinks and a window of 4: the first two bytes never leave",
    )
)
draw.curves(
    {name: (list(range(40)), y.tolist()) for name, y in said.items()},
    x="token",
    y="length of what the head says",
    title="The sink leaves at token 8",
)

# %% [markdown]
# Sinks bring a question of **position**. Rotary positions (q and k are turned by an angle that grows with the
# place) tell the model how far apart two tokens are. A sink a thousand bytes back lies at a distance the model was
# never trained on. StreamingLLM counts positions *inside the cache*: the slots are numbered 0 to m-1 at each read,
# so no distance is ever longer than the cache. For a plain window nothing changes; with sinks it does. And, again
# an honest negative: in this model four sinks bring nothing that four more pairs in the window would not.

# %%
reading = {
    "window of 64": model.reading(Window(64)),
    "60 and 4 sinks, true positions": model.reading(Window(60, sinks=4)),
    "60 and 4 sinks, positions in the cache": model.reading(Window(60, sinks=4), positions="cache"),
}
streamed = {name: bits(reader, long[:, :769]) for name, reader in reading.items()}
print({name: round(b, 3) for name, b in streamed.items()})
window_64, true, in_cache = streamed.values()
assert true > in_cache + 0.1 and abs(in_cache - window_64) < 0.05
plain = [bits(model.reading(Window(60), positions=p), long[:2, :257]) for p in ("absolute", "cache")]
assert abs(plain[0] - plain[1]) < 1e-3  # without sinks the two are equal
draw.bars(streamed, y="bits per byte", title="64 pairs, 768 bytes of held-out text")

# %% [markdown]
# ## Three new questions

# %%
display(
    widgets.quiz(
        "Window(4, sinks=2) has read tokens 0 to 9. What does it hold, oldest first?",
        ["0 1 6 7 8 9", "0 1 8 9", "6 7 8 9", "0 1 5 6 7 8"],
        0,
        "The sinks 0 and 1 stay for good, and the newest four are 6 to 9. `size` counts the newest pairs; sinks "
        "come on top.",
    ),
    widgets.quiz(
        "A support bot with a window of 2,000 tokens answers well for an hour, then asks the customer's name again. "
        "The name was given 2,500 tokens ago. What would put it within direct reach again?",
        ["more layers with the same window", "a window of 3,000", "sinks"],
        1,
        "Within the window a pair can be read directly. More layers lengthen the reach, but what arrives has been "
        "mixed on the way and need not be the name. Sinks would help only if the name were among the first tokens.",
    ),
    widgets.quiz(
        "You must halve the state's bytes of a window model. Which change does NOT do it?",
        ["half the window", "bfloat16 in place of float32", "half as many queries", "half as many key-value heads"],
        2,
        "Bytes = 2 x layers x kv heads x width x pairs x bytes a number. Queries are used and forgotten; they are "
        "not part of the state.",
    ),
)

# %% [markdown]
# ## Words of this chapter
#
# - **window** (local attention, sliding window): a memory of the newest $n_c$ pairs, the current one included.
# - **evict**: drop a pair from the memory; nothing can read it any more.
# - **recipe**: what a slot holds of each token. **view**: what a query receives of each token.
# - **reach**: how far back a change can still be felt through all layers, $L(n_c-1)+1$ for bare windows.
# - **sink**, **global token**: one of the first pairs, kept for good.
# - **position in the cache**: a slot's place at the read, instead of its token's place in the text.
#
# ## Now you
#
# The exercise is waiting: in a terminal of this JupyterLab type `memlib start 01` and open
# `my/01_window.ipynb`. The button at its end grades your answers as often as you like.
