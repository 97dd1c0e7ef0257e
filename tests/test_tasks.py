"""The experiments: what they measure follows from the memory, and the same seed gives the same figure."""

import math

import pytest
import torch
from examples import MEMORIES

from memlib import (
    Compressive,
    CumulativeAverage,
    DeltaRule,
    ExponentialAverage,
    Full,
    GatedDelta,
    LinearAttention,
    MovingAverage,
    Window,
    lm,
    tasks,
    view,
)
from memlib.holding import modules
from memlib.lm import evaluate, facts

SEEDS = range(8)
OF_EACH_KIND = {type(made()): name for name, made in MEMORIES.items() if not modules(made())}.values()


@pytest.fixture(scope="module")
def model():
    return lm.load("facts")


def right(memory, distance, model):
    """The share of right answers, all streams at once; byte by byte, with its dye, the first two are told alike."""
    marks = evaluate.right(model.reading(memory), [facts.stream(distance, seed) for seed in SEEDS])
    for seed in SEEDS[:2]:
        assert tasks.one_fact(memory, distance, seed, model).right == marks[seed]
    return sum(marks) / len(marks)


def test_with_its_full_cache_the_model_answers_what_it_has_never_seen(model):
    assert right(Full(), 150, model) >= 0.75  # the card has the figure, over many more streams


def test_a_window_answers_while_the_fact_is_in_it_and_not_when_it_is_far_behind(model):
    assert right(Window(400), 150, model) >= 0.75
    assert right(Window(16), 300, model) <= 0.25  # through three layers of 16 nothing comes from so far


def test_the_dye_of_a_window_is_the_share_of_the_fact_that_is_still_in_it(model):
    seen = tasks.one_fact(Window(64), 100, 0, model)
    start, end = seen.fact_span
    for t in range(len(seen.text.encode())):
        inside = max(0, min(end, t + 1) - max(start, t - 63))
        assert seen.recipe_dye[:, t].sub(inside / (end - start)).abs().max() < 1e-6
    assert not seen.view_dye[:, end + 63 :].any() and seen.view_dye[:, end - 1].min() > 0


def test_the_full_cache_keeps_all_of_the_dye_and_one_pair_a_byte(model):
    seen = tasks.one_fact(Full(), 60, 1, model)
    assert torch.allclose(seen.recipe_dye[:, seen.fact_span[1] :], torch.ones(()))
    assert seen.state_bytes == [2 * 3 * 4 * 32 * 4 * (t + 1) for t in range(len(seen.text.encode()))]


def test_the_same_seed_gives_the_same_stream_and_the_same_answer(model):
    a, b = (tasks.one_fact(Window(96), 80, 3, model) for _ in range(2))
    assert (a.text, a.said, a.p) == (b.text, b.said, b.p)
    assert a.text != tasks.one_fact(Window(96), 80, 4, model).text


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_read_at_once_a_fact_is_answered_as_byte_by_byte(name, model):
    walked, at_once = (tasks.one_fact(MEMORIES[name](), 10, 2, model, at_once=how) for how in (False, True))
    assert at_once.said == walked.said and at_once.p == pytest.approx(walked.p, rel=1e-3, abs=1e-6)
    assert at_once.state_bytes == walked.state_bytes[-1:] and math.isnan(at_once.seconds_per_byte)


def test_a_typed_fact_is_read_and_answered(model):
    own = lm.facts.Fact("The door code is 7264.", "what is the door code?", "7264")
    seen = tasks.one_fact(Full(), 100, model=model, stream=lm.facts.stream(100, own=own))
    assert seen.said == "7264" and seen.p > 0.5
    assert seen.text[slice(*seen.fact_span)] == "The door code is 7264."


def test_a_memory_of_one_s_own_can_be_asked(model):
    class Mine:
        def init(self, like):
            return like[:0]

        def update(self, mem, new, q=None):
            return mem.append(new)[-64:]

        def read(self, mem, q, new=None, lse=False):
            return Window(64).read(Window(64).update(Window(64).init(mem), mem), q)

        def slots(self, mem):
            return mem

    mine, theirs = (tasks.one_fact(memory, 50, 2, model) for memory in (Mine(), Window(64)))
    assert mine.said == theirs.said and abs(mine.p - theirs.p) < 1e-4


@pytest.mark.parametrize("bad", [0, -1, 2.5, "far"])
def test_a_distance_that_is_no_whole_number_is_refused(bad, model):
    with pytest.raises(ValueError, match="one_fact: distance must be a whole number >= 1"):
        tasks.one_fact(Full(), bad, model=model)


def test_the_tensors_of_one_head_are_those_of_the_model(model):
    q, k, v = tasks.heads(model, "abc def", layer=2, head=1)
    assert q.shape == k.shape == v.shape == (7, 32)
    with pytest.raises(ValueError, match="3 layers of 4 heads"):
        tasks.heads(model, "abc", layer=3)
    with pytest.raises(ValueError, match="must not be empty"):
        tasks.heads(model, "")


@pytest.mark.parametrize("pairs", [8, 32, 100, 300])
@pytest.mark.parametrize(
    "memory, kept",
    [(Full(), 300), (Window(32), 32), (Window(20, sinks=12), 32), (MovingAverage(32), 1), (CumulativeAverage(), 1)],
    ids=str,
)
def test_recall_of_raw_pairs_is_the_share_that_is_kept(memory, kept, pairs):
    assert tasks.recall(memory, pairs) == pytest.approx(tasks.recall_expected(kept, pairs), abs=1e-12)


def test_a_delta_rule_recalls_about_as_many_pairs_as_its_keys_are_wide():
    for width in (32, 64):
        found = [n * tasks.recall(DeltaRule(), n, width) for n in (4 * width, 8 * width)]
        assert all(0.7 * width < share < 1.4 * width for share in found)
    assert tasks.recall(LinearAttention(), 128) < 0.1 < tasks.recall(DeltaRule(), 128)  # elu + 1 tells keys apart badly


@pytest.mark.parametrize("times", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "memory, held",
    [
        (Full(), 8),
        (LinearAttention(), 8),
        (CumulativeAverage(), 8),
        (Window(32), 2),
        (Window(16), 1),
        (DeltaRule(), 1),
        (GatedDelta(0.9, 1.0), 1),
    ],
    ids=str,
)
def test_rebinding_is_a_guess_among_the_values_that_are_still_mixed(memory, held, times):
    want = tasks.rebinding_expected(min(held, times))
    assert tasks.rebinding(memory, times) == pytest.approx(want, abs=0.05)
    if not isinstance(memory, Window):  # a window holds another number of a key's values each time
        assert tasks.rebinding(memory, times, shuffled=True) == pytest.approx(want, abs=0.05)


def test_rebinding_in_random_order_leaves_no_window_with_each_key_once():
    assert tasks.rebinding(Window(16), 8) == 1 > 0.8 > tasks.rebinding(Window(16), 8, shuffled=True) > 0.3
    assert tasks.rebinding(Window(1), 8, shuffled=True) == pytest.approx(1 / 16 + 15 / 16 / 8, abs=0.05)


@pytest.mark.parametrize(
    "memory",
    [MovingAverage(4), MovingAverage(128), CumulativeAverage(), ExponentialAverage(0.03), Window(32), DeltaRule(0.03)],
    ids=str,
)
def test_gist_and_drift_follow_from_the_view_alone(memory):
    one = torch.ones(160, 16)
    want = tasks.gist_expected(view(memory, one, one), steady=120)
    got = tasks.gist_and_drift(memory, steady=120, after=40, trials=2000)
    assert (got - want).abs().max() < 0.045


def test_long_averages_win_a_stationary_topic_and_lose_after_a_switch():
    long, short = (tasks.gist_and_drift(m) for m in (CumulativeAverage(), MovingAverage(32)))
    assert long[255] > 0.95 > 0.65 > short[255] and short[-1] > 0.45 > 0.05 > long[-1]


@pytest.mark.parametrize(
    "task, bad, words",
    [
        (tasks.recall, {"pairs": 0}, "recall: pairs must be a whole number >= 1, got 0"),
        (tasks.recall, {"pairs": 4, "width": 2.0}, "recall: width"),
        (tasks.rebinding, {"times": 0}, "rebinding: times"),
        (tasks.rebinding, {"times": 2, "keys": 80}, "rebinding: width must be a whole number >= 80, got 64"),
        (tasks.gist_and_drift, {"steady": 0}, "gist_and_drift: steady"),
        (tasks.gist_and_drift, {"topics": 1}, "gist_and_drift: topics"),
    ],
)
def test_sizes_that_cannot_be_are_refused(task, bad, words):
    with pytest.raises(ValueError, match=words):
        task(Full(), **bad)


def test_the_dye_of_a_matrix_is_its_length_against_that_when_the_fact_was_read(model):
    added, corrected = (tasks.one_fact(m, 60, 1, model) for m in (LinearAttention(), DeltaRule()))
    behind = slice(added.fact_span[1], None)
    assert (added.recipe_dye[:, behind] - 1).abs().max() < 1e-3  # nothing is ever taken away
    assert corrected.recipe_dye[:, -1].max() < 0.9 and corrected.recipe_dye[:, behind].diff().max() < 1e-3


def test_the_dye_of_a_segment_memory_moves_where_a_segment_ends(model):
    seen = tasks.one_fact(Compressive(64, 16, 4), 200, 2, model)
    start, end = seen.fact_span
    held = seen.recipe_dye
    assert held.shape == seen.view_dye.shape == (model.config.layers, len(seen.text.encode()))
    assert held[:, :start].max() == 0 and (held[:, end - 1] == 1).all()  # the open segment counts, and Mem behind it
    steps = held[:, end:].diff().abs().amax(0).nonzero()[:, 0] + end + 1
    assert len(steps) and not ((steps + 1) % 64).any() and held[:, -1].max() < 0.5
    raw = tasks.one_fact(Compressive(512, 0, 1, segment=50), 60, 2, model)
    assert (raw.recipe_dye[:, raw.fact_span[1] - 1 :] == 1).all()


def test_a_passkey_is_found_at_the_depths_that_the_memory_still_holds(model):
    full = tasks.passkey(Full(), 320, count=6, model=model)
    near = tasks.passkey(Window(128), 320, count=6, model=model)
    assert set(full) == set(near) == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert min(full.values()) >= 0.6 and near[1.0] >= 0.8 and max(near[0.0], near[0.25]) <= 0.2
    assert tasks.passkey(Window(128), 320, count=6, model=model) == near


def test_a_passkey_text_is_as_long_as_it_says_wherever_the_fact_stands():
    for before, after in ((0, 200), (100, 100), (199, 1)):
        one = lm.stream(after, 3, "code", before=before)
        assert one.fact_span[0] == before and one.distance == after
    assert lm.stream(50, 3).text == lm.stream(50, 3, before=None).text


def test_a_passage_that_comes_again_costs_fewer_bits_where_it_is_still_held(model):
    (first, again), (first_128, near), (_, far) = (
        tasks.copy(memory, gap=gap, count=12, model=model)
        for memory, gap in ((Full(), 64), (Window(160), 64), (Window(64), 64))
    )
    assert again < 0.75 * first and abs(near - again) < 0.1 and abs(first_128 - first) < 0.05
    assert far > 0.9 * first


def test_bad_settings_of_passkey_and_copy_are_named():
    with pytest.raises(ValueError, match="passkey: length must be a whole number >= 200, got 100"):
        tasks.passkey(Full(), 100)
    with pytest.raises(ValueError, match=r"passkey: depths must be from 0 to 1, got \[2\]"):
        tasks.passkey(Full(), depths=[2])
    for name in ("passage", "gap", "count"):
        with pytest.raises(ValueError, match=f"copy: {name} must be a whole number"):
            tasks.copy(Full(), **{name: -1})
    with pytest.raises(ValueError, match="stream: before must be a whole number >= 0, got -1"):
        lm.stream(5, before=-1)
