"""What a widget draws, says and hands on at each place of its controls, against what it was made of."""

import html
import re
from types import SimpleNamespace

import ipywidgets as ipw
import numpy as np
import pytest
import torch

from memlib import KNN, Full, Joint, MovingAverage, Recurrent, Window, draw, lm, recipe, tasks, view, widgets
from memlib.lm import facts
from memlib.tasks import detective

TOKENS = list("a b(c)d")
N = len(TOKENS)
DRAW = torch.Generator().manual_seed(1)
Q, K = torch.randn(N, 4, generator=DRAW), torch.randn(N, 4, generator=DRAW)


def words(box) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", getattr(box, "value", box)))


@pytest.mark.parametrize(
    "memory, sizes",
    [(Window(3), (1, 5)), (Window(2, sinks=1), (3,)), (MovingAverage(3), (2,)), (Full(), ())],
    ids=str,
)
def test_a_player_draws_the_slots_and_the_view_of_its_step_and_size(memory, sizes):
    box = widgets.player(memory, K, Q, TOKENS)
    for size in (None, *sizes):
        if size is not None:
            box.controls["size"].value = size
        played = memory if size is None else widgets.resized(memory, size)
        seen, held = view(played, Q, K), recipe(played, K)
        for step in (N - 1, 2):
            box.controls["step"].value = step
            _, slots, now, bars = box.figure.data
            assert np.allclose(np.asarray(bars.y, float), seen[step], atol=1e-3) and list(now.x) == [step]
            parts = [(s, i, float(row[i])) for s, row in enumerate(held[step]) for i in range(N) if row[i] > 0]
            assert [said for said, base in zip(slots.hovertext, slots.base, strict=True) if not base] == [
                f"slot {s}: {w:.3g} of {draw.label(TOKENS[i])}" for s, i, w in parts
            ]
            holds = len({i for _, i, _ in parts})
            assert words(box.said).endswith(
                f"{len(held[step])} slot{'s hold' if len(held[step]) > 1 else ' holds'} {holds} of {step + 1} tokens."
            )
        shown = "" if not sizes else f" of {size or memory.size}"
        assert box.figure.layout.title.text == type(memory).__name__ + shown
    step, play = box.controls["step"], box.children[0].children[1]
    assert (step.min, step.max, play.min, play.max, play.interval) == (0, N - 1, 0, N - 1, 700)
    if sizes:
        size = widgets.player(memory, K, Q, TOKENS).controls["size"]
        assert (size.min, size.max, size.value) == (1, N, memory.size)
        assert widgets.player(Window(20), K, Q, TOKENS).controls["size"].max == 20


def test_memories_are_compared_on_one_text_with_one_slider():
    both, text = (Window(6), Joint(Window(6), KNN(2, 6))), "The door code is 4711."
    box = widgets.compare(*both, names=["window", "and look-up"], text=text)
    q, k, _ = tasks.heads(lm.load("facts"), text, 1, 3)
    assert list(box.controls) == ["step"] and box.controls["step"].value == box.controls["step"].max == len(text) - 1
    for step in (len(text) - 1, 0, 9):
        box.controls["step"].value = step
        strips = [np.asarray(bar.y, float) for bar in box.figure.data]
        for i, memory in enumerate(both):
            assert np.allclose(strips[2 * i], recipe(memory, k, q)[step].amax(0), atol=1e-3)
            assert np.allclose(strips[2 * i + 1], view(memory, q, k)[step], atol=1e-3)
        assert f"After {step + 1} tokens. window: {min(step + 1, 6)} slot" in words(box.said)
    assert "<b>Window(size=6, sinks=0)</b>" in str(widgets.compare(Window(6), step=4).figure.layout)
    for said, given, more in (
        ("needs memories and another name for each, got 0 and names []", (), {}),
        ("got 2 and names ['a']", both, {"names": ["a"]}),
        ("got 2 and names ['Window(size=2, sinks=0)', 'Window(size=2, sinks=0)']", (Window(2), Window(2)), {}),
        ("text must have at least one byte", both, {"text": ""}),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            widgets.compare(*given, **more)


@pytest.mark.parametrize(
    "given, kind, want",
    [
        ((2, 9), "IntSlider", (2, 9, 2, 1)),
        ((2, 9, 4), "IntSlider", (2, 9, 4, 1)),
        ((2, 10, 4, 2), "IntSlider", (2, 10, 4, 2)),
        ((0.0, 5.0), "FloatSlider", (0, 5, 0, 0.1)),
        ((0, 1, 0.5), "FloatSlider", (0, 1, 0.5, 0.02)),
        ((0.0, 1.0, 0.5, 0.25), "FloatSlider", (0, 1, 0.5, 0.25)),
    ],
)
def test_a_slider_begins_ends_starts_and_steps_as_it_is_told(given, kind, want):
    seen = []
    box = widgets.knob(lambda some_size: seen.append(some_size) or draw.bars({"a": some_size}), some_size=given)
    slider = box.controls["some_size"]
    assert (type(slider).__name__, slider.description) == (kind, "some size")
    assert (slider.min, slider.max, slider.value, slider.step) == pytest.approx(want)
    assert seen == [want[2]] and list(box.figure.data[0].x) == [want[2]]


def test_a_choice_and_a_tick_hand_on_what_they_show():
    seen = []
    box = widgets.knob(lambda kind, on: seen.append((kind, on)) or draw.bars({kind: 1.0}), kind=["x", "y"], on=False)
    box.controls["kind"].value, box.controls["on"].value = "y", True
    assert seen == [("x", False), ("y", False), ("y", True)] and words(box.said) == "Cost: y 1."


def test_a_live_picture_has_its_sentence_beneath_and_not_in_it():
    whole = draw.view(view(Full(), Q, K), TOKENS)
    lines = next(note.text for note in whole.layout.annotations if note.name == "alt").count("<br>") + 1
    figure = widgets.knob(lambda: draw.view(view(Full(), Q, K), TOKENS)).figure
    assert not [note for note in figure.layout.annotations if note.name == "alt"]
    less = 20 * lines + 8
    assert (figure.layout.height, figure.layout.margin.b) == (whole.layout.height - less, whole.layout.margin.b - less)


# Does it still know


@pytest.fixture
def asked(monkeypatch):
    """one_fact answered at once; what it was asked."""
    calls = []

    def answer(memory, **how):
        calls.append((memory, how))
        stream = how["stream"]
        n = len(stream.prompt)
        dyed = torch.linspace(1, 0.25, n).expand(2, n)
        return SimpleNamespace(
            said="wrong",
            right=False,
            answer=stream.answer,
            text=stream.prompt.decode(),
            fact_span=stream.fact_span,
            p=0.12345,
            recipe_dye=dyed,
            view_dye=dyed,
            state_bytes=[1, 5_000_000],
            seconds_per_byte=0.002,
        )

    monkeypatch.setattr(tasks, "one_fact", answer)
    return calls


def test_a_fact_is_asked_for_at_the_distance_and_size_of_the_sliders(asked):
    box = widgets.one_fact(Window(50), distance=120, statement="The key is red.", question="what is the key?")
    for distance, size in ((120, 50), (300, 50), (300, 7)):
        box.controls["distance"].value, box.controls["size"].value = distance, size
        memory, how = asked[-1]
        own = facts.Fact("The key is red.", "what is the key?", "red")
        assert memory.size == size and how["distance"] == distance
        assert how["stream"] == facts.stream(distance, own=own)
        said, n = words(box.said), len(how["stream"].prompt)
        assert "The model says wrong (✗ the fact said red)" in said
        assert f"probability of the right answer 0.123; {n} bytes read; 4,883 KB of state" in said
        assert "the slots hold" in said and "25% at the end" in said and "gives 25% of its attention" in said
        assert list(box.figure.data[0].y)[-1] == 0.25 and not getattr(box.figure, "frames", None)
    assert (box.controls["distance"].min, box.controls["distance"].max) == (20, 1000)


def test_what_is_said_of_a_right_answer(asked):
    fact = SimpleNamespace(
        said="4711", right=True, answer="4711", text="äb", p=0.5, state_bytes=[2048, 1024], seconds_per_byte=1
    )
    said = words(widgets._told(fact))
    assert "The model says 4711 (✓ right)" in said and "0.500; 3 bytes read; 1 KB of state" in said


# The detective


@pytest.fixture
def boxed(monkeypatch):
    calls = []
    monkeypatch.setattr(detective.Box, "latency", lambda self: {256: 10.0 + self.seed, 1024: 20.0})
    monkeypatch.setattr(detective.Box, "view", lambda self: torch.eye(len(detective.TEXT)) * (1 + self.seed) / 9)
    monkeypatch.setattr(detective.Box, "ask", lambda self, *a: calls.append((self.seed, self.among, *a)) or "that")
    real = detective.Box.guess
    monkeypatch.setattr(
        detective.Box, "guess", lambda self, *a: calls.append((self.seed, self.among, *a)) or real(self, *a)
    )
    detective.evidence.cache_clear()
    yield calls
    detective.evidence.cache_clear()


def test_the_detective_shows_asks_and_guesses_what_its_controls_say(boxed):
    game = widgets.detective(3, among=8)
    for seed in (3, 5):
        game.controls["seed"].value = seed
        game.controls["evidence"].value = "view"
        assert np.nanmax([[v or 0 for v in row] for row in game.figure.data[0].z]) == pytest.approx(
            (1 + seed) / 9, rel=1e-3
        )
        game.controls["evidence"].value = "latency"
        line = game.figure.data[0]
        assert (list(line.x), list(line.y)) == ([256, 1024], [10 + seed, 20])
        assert list(game.figure.layout.yaxis.range) == [0, 25]
        assert words(game.said) == f"Microseconds a token against tokens read: the box goes from {10 + seed} to 20."
    game.controls["distance"].value = 330
    game.controls["fact"].value, game.controls["question"].value = "It is red.", "what is it?"
    game.ask.click()
    assert (
        boxed[-1] == (5, 8, 330, "It is red.", "what is it?")
        and words(game.heard) == "330 bytes later the model says: that"
    )
    assert list(game.controls["mechanism"].options) == list(detective.SUSPECTS)[:8]
    game.controls["mechanism"].value, game.controls["size"].value = "moving average", 17
    game.guess.click()
    assert boxed[-1] == (5, 8, "moving average", 17)


def test_the_box_may_be_opened_at_the_third_wrong_guess_and_not_before(boxed):
    seed = next(seed for seed in range(50) if detective.Box(seed)._name == "full cache")
    game = widgets.detective(seed)
    game.controls["mechanism"].value = "window"
    said = [(game.guess.click(), words(game.verdict))[1] for _ in range(3)]
    assert [re.findall(r"(\d) more guess", one) for one in said] == [["2"], ["1"], []]
    assert ["full cache" in one for one in said] == [False, False, True]


# A sketch


@pytest.mark.parametrize("target", [[3.0, 2.0, 1.5], [0.0, 0.5, 1.0], [-4.0, -1.0, 2.0], [5.0, 5.0, 5.0], None])
def test_a_sketch_has_room_for_the_curve_and_shows_it_when_asked(target):
    box = widgets.predict("bits?", [2, 4, 8], target, "bits", x_name="size")
    low, high = box.sliders[0].min, box.sliders[0].max
    assert [slider.description for slider in box.sliders] == ["2", "4", "8"]
    assert all((s.min, s.max, s.value) == (low, high, (low + high) / 2) for s in box.sliders)
    assert list(box.figure.layout.yaxis.range) == [low, high] and box.button.disabled == (target is None)
    assert target is None or low <= min(target) <= max(target) < high
    for i, slider in enumerate(box.sliders):
        slider.value = low + (high - low) * (i + 1) / 10
    assert list(box.figure.data[0].y) == [s.value for s in box.sliders] and list(box.figure.data[0].x) == [2, 4, 8]
    if target:
        box.button.click()
        assert list(box.figure.data[1].y) == target
        assert "bits against size" in words(box.said).lower() and f"goes from {target[0]:g} to {target[-1]:g}" in words(
            box.said
        )
    box.typed.value = f"{high + 99} {low - 99} {(low + high) / 2}"
    assert [s.value for s in box.sliders] == [high, low, (low + high) / 2], "what is too large stands at the end"
    assert list(box.figure.data[0].y) == [high, low, (low + high) / 2]


# Questions


def test_each_choice_has_its_own_reason_and_one_is_right():
    options, why = ["a", "b", "`c`"], ["why a", "why b", "why c"]
    for right in range(3):
        box = widgets.quiz("Which?", options, right, why)
        for i in range(3):
            box.choice.value = i
            box.button.click()
            assert ("✓" in box.said.value) == (i == right) and [w for w in why if w in box.said.value] == [why[i]]
        assert f"<b>{widgets.marked(options[right])}</b>. why a why b why c" in box.plain
    assert [text for text, _ in box.choice.options] == options


@pytest.mark.parametrize(
    "numeric, typed, right",
    [
        (200, "200.9", True),
        (200, "201.5", False),
        (-0.5, "-0.5", True),
        (-0.5, "0.5", False),
        (1e-3, "1e-3", True),
        (0, "0.001", False),
        ([1, 2], "1 2 3", False),
        (0.5, "50%", True),
        (0.5, "5/10", True),
        ([0.5, 0.25], "1/2 1/4", True),
    ],
)
def test_a_typed_number_is_right_within_half_a_percent(numeric, typed, right):
    box = widgets.quiz("How many?", numeric=numeric, why="so")
    box.choice.value = typed
    box.button.click()
    assert ("✓" in box.said.value) == right
    assert box.choice.placeholder == (f"{len(numeric)} numbers" if isinstance(numeric, list) else "a number")
    shown = numeric if isinstance(numeric, list) else [numeric]
    assert f"<b>{' '.join(f'{v:g}' for v in shown)}</b>. so" in box.plain


def test_markup_of_a_reader_and_of_an_answer_is_never_markup():
    assert widgets.marked("a <b> & `x < 1`") == "a &lt;b&gt; &amp; <code>x &lt; 1</code>"
    box = widgets.knob(lambda on: 1 / 0 if on else draw.bars({"<i>": 1.0}), on=False)
    assert "<i>" not in box.said.value and words(box.said) == "Cost: <i> 1."
    with pytest.raises(ZeroDivisionError):
        box.controls["on"].value = True
    assert box.figure.state == "failed" and 'role="alert"' in box.said.value


def test_a_size_given_to_a_class_of_ones_own_is_a_copy():
    class Mine:
        def __init__(self):
            self.size, self.other = 3, [1]

    mine = Mine()
    made = widgets.resized(mine, 9)
    assert (mine.size, made.size, made.other) == (3, 9, [1]) and type(made) is Mine
    assert repr(widgets.resized(Window(4, sinks=2), 7)) == repr(Window(7, sinks=2))
    assert "size" not in widgets.one_fact(Recurrent(torch.nn.GRUCell(64, 64)), distance=20).controls
    assert isinstance(widgets.button("t", lambda: "x"), ipw.VBox)
