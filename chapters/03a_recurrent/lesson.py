# %% [markdown]
# # 03a · Fold an endless stream into one state
#
# Letters go by, and one of them is a CAPITAL. Four memories read along. Each may keep **one pair** and no more, however
# long the stream. **Press play:** which of them still knows the capital at the end?

# %% tags=["film", "folded"]
from memlib import course

course.here("03a").four_states()

# %% [markdown]
# The bars say how strongly the capital is still felt, beside the moment when it was read. All four have seen it, and only
# one still says C. What has it learned that the others have not?

# %%
from memlib import ExponentialAverage, check, lm, tasks, widgets
from memlib.course import ask, here, puzzle

here = here("03a")

# %% [markdown]
# ## Three questions from before

# %%
ask("03a", "kept", "single", "window")

# %% [markdown]
# ## Does it still know?
#
# The door code, in the answering model. Every layer now reads one pair, which a small network rewrites at every byte.
# Nobody has trained this network. **Predict:** what does the model say?

# %%
widgets.one_fact(here.a_network(), lm.load("facts"))

# %% [markdown]
# There is no line for what is stored. The recipe says how much of each token a slot holds, and that needs a memory that
# only adds and scales. A network does more, so we ask something else: how much would its state move if the value of a
# token moved a little? That is the **influence** of the token. (It is the length of a derivative.)

# %%
here.what_is_felt()

# %% [markdown]
# The fact lies two hundred bytes back, far off the right edge, where the network feels nothing. *"A recurrent state holds
# everything, since it has seen everything."* **What it has seen and what it holds are two things.** (On the upright axis
# $-3$ stands for a thousandth.)

# %% claims
import torch

from memlib import CumulativeAverage, recipe, state_bytes

assert here.asked().recipe_dye is None and not here.asked().right  # no recipe for a network; and it does not know
far, (start, stop) = here.felt_back()
assert far["network"][start:stop].max() < 1e-9 < far["average, rate 0.05"][start:stop].max()
ends = {name: here.said(here.network(name), here.LONG)[-1] for name in ("trained on 40", "untrained")}
assert ends == {"trained on 40": "c", "untrained": "a"} and len(here.LONG) == 36

# %% [markdown]
# ## The general form
#
# All memories of this chapter have one form:
#
# $$\mathrm{Mem}=\mathrm{Update}(S_{kv},\;\mathrm{Mem}_{pre}).$$
#
# $\mathrm{Mem}_{pre}$ is the memory before. $S_{kv}$ is what is new: one pair, or the pairs of a **segment**, a piece of
# the stream. Nothing else goes in, and the old pairs themselves are gone.
#
# Watch an exponential average of rate ½. It takes four pairs in one update. **Predict:** how much of the old state is left
# after each?

# %% tags=["film"]
here.six_updates()

# %% [markdown]
# A sixteenth: four halvings at once. **By hand**, with numbers for vectors: $\mathrm{Mem}_{pre}=8$, then 4 and 10 come.
#
# 1. One by one: $\tfrac12\cdot8+\tfrac12\cdot4=6$, then $\tfrac12\cdot6+\tfrac12\cdot10=8$.
# 2. As one segment: $\tfrac14\cdot8+\tfrac14\cdot4+\tfrac12\cdot10=8$. The same.
# 3. The segment turned round, 10 and 4: $\tfrac14\cdot8+\tfrac14\cdot10+\tfrac12\cdot4=6.5$. Here the order counts.
#
# **Your first line.** Another rate, a quarter, so that three quarters of the old stay each time. Fold two numbers in at once.

# %% puzzle
rate, stays = 0.25, 0.75
old, first, second = 16.0, 8.0, 4.0
# BEGIN SOLUTION
new = stays * stays * old + stays * rate * first + rate * second
# END SOLUTION
# WRONG: new = stays * old + rate * first + rate * second
# WRONG: new = stays * stays * old + rate * first + rate * second
# WRONG: new = stays * stays * old + rate * first + stays * rate * second
puzzle(lambda: new, here.FOLDED)

# %% claims
assert torch.allclose(
    here.by_four()[1][0, :4], here.by_four()[0][0, :4] / 16
)  # one update of four: a sixteenth is left
turned = recipe(ExponentialAverage(0.5), here.head()[1])
assert torch.allclose(torch.stack(here.by_four()), torch.stack([*turned[3::4], turned[-1]]), atol=1e-6)
half, mean = ExponentialAverage(0.5), CumulativeAverage()
assert here.folded(half, [8.0], [4.0], [10.0]) == here.folded(half, [8.0], [4.0, 10.0]) == 8
assert here.folded(half, [8.0], [10.0, 4.0]) == 6.5
assert here.folded(ExponentialAverage(0.25), [16.0], [8.0, 4.0]) == here.FOLDED
assert here.folded(mean, [8.0], [4.0, 10.0]) == here.folded(mean, [8.0], [10.0, 4.0])  # there the order does not count

# %% [markdown]
# ## The code, and yours
#
# The library's exponential average, renamed `Mine`. Its state is a sum of one pair, and a count. (`wide` computes with
# more digits; chapter 02 said why.) Break it, one way at a time, and see what `check` says:
#
# - the first pair counts like any other: `g = self.rate`
# - old and new change places: `g = 1 - self.rate if mem.count else 1.0`
# - the segment is walked backwards: `for pair in reversed([*new.one_by_one()]):`
# - only the newest pair of a segment is folded in: `for pair in [new[-1:]]:`

# %% show="memlib.ExponentialAverage"
text = "Mem is made of Mem_pre."
q, k, v = tasks.heads(lm.load("facts"), text, layer=1, head=2)
print(check(Mine(0.3), ExponentialAverage(0.3)))
widgets.player(Mine(0.3), k, q, list(text))

# %% [markdown]
# ## The order of events
#
# When does the query read? There are two orders.
#
# - **Token form:** update, *then* read. A token's own pair is in the state when it asks.
# - **Segment form:** read, *then* update. The queries of a segment read the old memory, and the raw pairs of their own
#   segment up to themselves. Then the segment is folded in.

# %%
widgets.knob(here.order_of_events, form=["segment form", "token form"])

# %% [markdown]
# *"The segment form is another memory."* Both leave the same states at the ends of the segments. Only what a query sees
# **inside** its segment differs: its newest neighbours raw, in the place of already folded.

# %%
ask("03a", "order")

# %% claims
(one_events, by_one), (four_events, by_four) = here.both_orders().values()
assert one_events[:2] == ["update with 1", "read by 1"] and four_events[:2] == ["read by 4", "update with 4"]
assert not by_four.triu(1).any() and not torch.allclose(by_one, by_four, atol=0.1)  # nobody reads the future
forms = [here.Segments(CumulativeAverage(), segment) for segment in (None, 4)]
from memlib import KV, states

final = [memory.slots(states(memory, KV(*here.head()[1:]))[-1]).v for memory in forms]
assert torch.allclose(*final, atol=1e-6)  # the same state at the end

# %% [markdown]
# ## Which memories fold?
#
# Every memory so far has an `update`. But what must it keep to go on? A moving average of two reads the mean, 2, of the
# past (0, 4) and of the past (2, 2). Then a 6 comes, and it must drop the 4 or the 2. It needs its pairs as they came.
#
# A memory **folds** when its state feels more pairs than it has room for. We change each of 200 pairs in turn and count
# how many are felt. **Predict:** which of the eight stand above 1?

# %%
here.sorted_out()

# %% claims
kinds = {
    name: "grows" if grows else "folds" if felt > room else "raw"
    for name, (room, felt, grows) in here.room_and_felt().items()
}
assert list(kinds.values()) == ["grows"] + 4 * ["raw"] + 3 * ["folds"]
from memlib import MovingAverage

pasts, two = ([0.0, 4.0], [2.0, 2.0]), MovingAverage(2)
assert (
    len({here.folded(two, past) for past in pasts}) == 1 and len({here.folded(two, past, [6.0]) for past in pasts}) == 2
)
assert len({here.folded(mean, past, [6.0]) for past in pasts}) == 1  # equal summaries go on alike

# %% [markdown]
# Three kinds. The full cache **grows**. Windows, moving and weighted averages **keep raw pairs**. Cumulative average,
# exponential average and network **fold**. (So do the matrices of chapter 03b.)
#
# ## A network as the cache
#
# An average has a fixed rule. A **recurrent network** learns its own. It reads key and value as one list $x$ and
# rewrites its **hidden state** $h$; cut in two, $h$ is the pair that is read. The usual build is the **GRU cell**:
#
# $$h\leftarrow z\odot h+(1-z)\odot n .$$
#
# $n$ is what wants to come in, and $z$ is the **gate**: for each number of the state it says how much stays. Both are
# computed from $x$ and $h$ with trained tables; $\odot$ multiplies number by number. With $z=0.9$ always it would be an
# average of rate 0.1. The new thing: **the gate depends on what is read.**
#
# **Your second line.** One number of the state: what is it after the update?

# %% puzzle
h, n, z = 0.5, -1.0, 0.75
# BEGIN SOLUTION
h_new = z * h + (1 - z) * n
# END SOLUTION
# WRONG: h_new = (1 - z) * h + z * n
# WRONG: h_new = z * h + n
# WRONG: h_new = z * (h + n)
puzzle(lambda: h_new, here.GATED, digits=3)

# %% [markdown]
# **The task** of the first film: at every letter, say the newest capital. We train a network of 10 numbers, 40 bytes, on
# streams of 40 letters for a few seconds. (*Through time*: the error at each letter goes back through all the updates
# before it.) The box is divided by influence. Watch what a capital does to it.

# %% tags=["film"]
here.newest_capital()

# %% [markdown]
# **Your own stream:** type up to 20 letters, a to h, small and capital, and let small ones follow. Where does each of the
# three look? After how many letters does the trained one fail?

# %%
widgets.knob(here.your_stream, text=here.SHORT, small_letters_behind=(0, 80, 0, 5))

# %% [markdown]
# **What is lost first?** A window loses what is oldest; an average fades it. The trained network still feels a
# few small letters, but put another in the place of one, and its answer stays. Only the newest capital decides. So it loses
# first **what it is not asked for**, however young that is.

# %% claims
felt_by = here.shares_felt()
assert felt_by[4:12].mean(0).argmax() == 4 and felt_by[12:].mean(0).argmax() == 12  # the newest capital is felt most
assert here.said(here.network("trained on 40"), here.SHORT)[4:] == "cccccccc" + "aaaaaaaa"
changed = here.what_decides()
assert changed[12] == 1 and sum(changed) == 1  # the newest capital decides; all else is lost
assert state_bytes(states(here.network("trained on 40"), here.spelled("a"))[-1]) == 40
cell, x, before = here.network("trained on 40").cell, torch.linspace(-1, 1, 10), torch.linspace(1, 0, 10)
(r_x, z_x, n_x), (r_h, z_h, n_h) = (
    (w @ a + b).chunk(3) for w, a, b in ((cell.weight_ih, x, cell.bias_ih), (cell.weight_hh, before, cell.bias_hh))
)
gate, comes = torch.sigmoid(z_x + z_h), torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
assert torch.allclose(gate * before + (1 - gate) * comes, cell(x, before), atol=1e-6)

# %% [markdown]
# ## How long does it hold?
#
# It was trained on streams of 40 letters. After the capital come more and more small ones. **Sketch first:** the share of
# right answers. Guessing gives one in eight, 0.125.

# %%
here.predict_accuracy()

# %% [markdown]
# It holds about as long as it was trained to hold: its **horizon**. Now beside it the others, and two more networks: one
# with four times the room, and one that was trained further, on streams of 240 letters. Which of the two holds longer?

# %%
here.how_long()

# %% claims
right = here.accuracies()  # 200 streams each; at .95 the interval is .91 to .98
assert min(right["trained on 40"][:5]) > 0.95 and right["trained on 40"][-1] < 0.4  # 30 letters: yes, 1000: no
assert min(right["trained on 40, 160 bytes"][:5]) > 0.95 and right["trained on 40, 160 bytes"][5] < 0.5
assert right["trained on 240"][here.GAPS.index(100)] > 0.8 and right["trained on 240"][-1] < 0.4
assert max(right["untrained"][3:]) < 0.3 and max(right["the newest pair"][1:]) < 0.3
assert right["average, rate 0.1"][3] < 0.5 and min(right["full cache"]) == 1

# %% [markdown]
# Room was not what was missing. Longer training streams move the horizon; a larger state does not.
#
# **Your third line.** And an average of rate 0.1? A pair enters with the share 0.1. What is left of it after 30 more
# letters?

# %% puzzle
share, more = 0.1, 30
# BEGIN SOLUTION
left = share * (1 - share) ** more
# END SOLUTION
# WRONG: left = (1 - share) ** more
# WRONG: left = share ** more
# WRONG: left = share - share * more
puzzle(lambda: left, here.LEFT, digits=4)

# %% [markdown]
# ## An endless stream
#
# *"A constant state means a constant loss: in the end all is gone."* Set the gate by hand. A small letter: $z=1$, all
# stays. A capital: $z=0$, all is replaced. Then a small letter leaves the state as it was, **bit for bit**. So one letter
# can be held over a million others, in 40 bytes.

# %%
here.bytes_of_a_million()

# %% claims
hand, small = here.latch(), here.LETTERS
with torch.no_grad():
    for letter in small.upper():
        mem = hand.update(hand.init(here.spelled("a")), here.spelled(letter))
        assert all(torch.equal(hand.update(mem, here.spelled(c)).v, mem.v) for c in small)
        assert all(torch.equal(hand.update(mem, here.spelled(c)).k, mem.k) for c in small)
mems, told = here.a_million()
assert told["gate set by hand"] == "CCCCC" and state_bytes(mems["gate set by hand"]) == 40
assert "C" not in told["average, rate 0.1"] + told["cumulative average"]

# %% [markdown]
# After 100 letters and after a million, it says C. The two averages say any letter. *"So an endless history is an endless
# memory."* No: 40 bytes are 320 bits, and there are only $2^{320}$ different states. A state of fixed size can hold **one
# thing for ever**, if its update leaves that thing alone. It cannot hold everything.
#
# ## Four questions to take along

# %%
ask("03a", "leaky", "longer", "equal", "bot")

# %% [markdown]
# ## Words of this chapter
#
# - **Update**$(S_{kv},\mathrm{Mem}_{pre})$: the general form; the new memory is made of new pairs and the old memory alone.
# - **segment**: a piece of the stream that is taken in at once.
# - **token form, segment form**: update, then read; read, then update.
# - **fold**: to take a pair into a state of fixed size, from which it cannot be taken out again.
# - **recurrent network, hidden state**: a learned update; the numbers that it rewrites.
# - **GRU cell, gate**: its usual build; how much of each number stays.
# - **influence**: how much a state moves when the value of a token does.
# - **horizon**: how long a memory holds.

# %% [markdown]
# ## Deeper: what "lost" means

# %% [markdown]
# Two streams differ in one capital, A or E; then the same small letters follow. How far apart are their states? Each letter
# takes a little of the difference. Over the 40 letters of its training that cost the first network nothing, so nothing
# spoke against it. After 3,000 letters what is left of A or E is of the size of rounding errors.

# %%
here.two_streams()

# %% claims
apart, both_ends = here.drifting_together()
assert torch.allclose(both_ends.k[0], both_ends.k[1], atol=1e-5) and torch.allclose(
    both_ends.v[0], both_ends.v[1], atol=1e-5
)
assert apart["trained on 40"][10] > 1 and apart["trained on 240"][100] > 1 > 1e-2 > apart["trained on 240"][-1]
assert max(both_ends.k.abs().max(), both_ends.v.abs().max()) <= 1  # tanh: no number of a GRU's state leaves [-1, 1]
assert 0.9 < (apart["trained on 40"][100] / apart["trained on 40"][10]).item() ** (1 / 90) < 1

# %% [markdown]
# ## Deeper: more streams than states

# %% [markdown]
# There are 16 letters, small and capital, so $16^n=2^{4n}$ streams of $n$ letters. From the 81st letter on there are more
# streams than states of 320 bits. Two of them **must** end in the same state, and no read can tell them apart. For averages
# it is plainer still. In the cumulative one each of $n$ letters weighs $1/n$. In the exponential one of rate 0.1 the first
# letter's weight is exactly 0 after 7,100 steps, even with 64 bits a number.

# %% claims
assert 16**80 == 2**320 and 16**81 > 2**320 and 0.9**7000 > 0 == 0.9**7100
assert torch.allclose(here.weights_of_cumulative(), torch.full((1, 1000), 1 / 1000))
assert (CumulativeAverage().slots(mems["cumulative average"]).v - 1 / 8).abs().max() < 0.005  # all letters alike

# %% [markdown]
# ## Deeper: a whole segment at once

# %% [markdown]
# A GRU goes letter by letter, since its gates may look at $h$. Ours, set by hand, look at the new pair alone. Then a whole
# segment of $T$ letters can be folded in without a loop:
#
# $$h_T=\Big(\prod_t z_t\Big)\odot h_0+\sum_t\Big(\prod_{s>t}z_s\Big)\odot(1-z_t)\odot n_t .$$
#
# Where an update is $a\odot\mathrm{Mem}+b$, and $a$ and $b$ look at the new pair alone, two updates are one such update again.
# The exercise has you write that line; many of today's recurrent models are built on it.

# %%
here.time_of_a_letter()

# %% claims
by_letter, at_once, _ = here.in_turn()
assert torch.equal(by_letter.k, at_once.k) and torch.equal(by_letter.v, at_once.v)  # bit for bit, after 20,000 letters
stream = here.spelled(here.SHORT)
with torch.no_grad():
    mixed = [memory.update(memory.init(stream), stream).v for memory in (hand, here.AtOnce(hand.cell))]
assert torch.allclose(*mixed, atol=1e-6)  # and where capitals stand among the small letters

# %% [markdown]
# ## Now you
#
# In a terminal of this JupyterLab (File, New, Terminal) type `memlib start 03a`, then open `my/03a_recurrent.ipynb`.
