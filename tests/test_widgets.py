"""Widgets: a control that moves moves the picture and its sentence; questions answer; errors are shown and raised."""

import asyncio
import html
import re

import ipywidgets as ipw
import pytest
import torch

from memlib import Full, Window, draw, view, widgets

TEXT = list("def newest(x)")
N = len(TEXT)
GEN = torch.Generator().manual_seed(0)
Q, K = torch.randn(N, 4, generator=GEN), torch.randn(N, 4, generator=GEN)


def size_knob():
    def picture(size):
        return draw.view(view(Window(size), Q, K), TEXT, title=f"window of {size}")

    return widgets.knob(picture, size=(1, N, 3))


def words(box: ipw.HTML) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", box.value))


def test_a_knob_moves_the_picture_and_the_sentence_at_every_place():
    box = size_knob()
    for size in range(1, N + 1):
        box.controls["size"].value = size
        want = view(Window(size), Q, K)
        got = torch.tensor([[v or 0.0 for v in row] for row in box.figure.data[0].z])
        assert torch.allclose(got, want, atol=1e-3)
        assert box.figure.layout.title.text == f"window of {size}"
        assert f"at most {size - 1} back" in words(box.said)


def test_every_control_has_a_visible_label():
    given = {"size": (1, 4), "share": (0.0, 1.0, 0.5), "kind": ["x", "y"], "on": True, "text": "abc"}
    box = widgets.knob(lambda **_: draw.bars({"a": 1.0}), **given)
    kinds = {name: type(part).__name__ for name, part in box.controls.items()}
    assert kinds == {"size": "IntSlider", "share": "FloatSlider", "kind": "Dropdown", "on": "Checkbox", "text": "Text"}
    assert all(part.description == name for name, part in box.controls.items())
    with pytest.raises(ValueError, match="knob: size must be"):
        widgets.knob(lambda size: draw.bars({"a": size}), size=3)


def test_an_error_is_shown_and_raised_on():
    box = widgets.knob(lambda size: draw.bars({"a": 1 / (size - 2)}), size=(1, 4))
    with pytest.raises(ZeroDivisionError):
        box.controls["size"].value = 2
    assert words(box.said) == "This did not work. ZeroDivisionError: division by zero"
    box.controls["size"].value = 3
    assert "did not work" not in words(box.said)


def test_a_player_shows_each_step_of_each_size():
    box = widgets.player(Window(3), K, Q, TEXT)
    for step in range(N):
        box.controls["step"].value = step
        assert words(box.said).startswith(f"step {step}: '{TEXT[step]}' enters".replace("' '", "'␣'"))
    box.controls["size"].value = 5
    assert words(box.said).endswith("5 slots hold 5 of 13 tokens.")
    assert "size" not in widgets.player(Full(), K, Q, TEXT).controls


def test_a_learners_own_class_plays_and_stays_as_it_was():
    class Mine:
        def __init__(self, size):
            self.size = size

        def init(self, like):
            return like[:0]

        def update(self, mem, new, q=None):
            return mem.append(new)[-self.size :]

        def read(self, mem, q, new=None, lse=False):
            return Window(self.size).read(Window(self.size).update(Window(self.size).init(mem), mem), q)

        def slots(self, mem):
            return mem

    mine = Mine(3)
    box = widgets.player(mine, K, Q, TEXT)
    box.controls["size"].value, box.controls["step"].value = 4, N - 1
    assert mine.size == 3 and words(box.said).endswith("4 slots hold 4 of 13 tokens.")


def test_a_typed_text_is_drawn():
    box = widgets.typed(lambda text, wide: draw.bars({text: wide}), text="ab", wide=(1, 3))
    box.controls["text"].value = "longer"
    assert words(box.said) == "Cost: longer 1."


def test_a_sketch_is_kept_beside_the_measured_curve():
    box = widgets.predict("bits", [2, 4, 8], [3.0, 2.0, 1.5], y="bits", log_x=True)
    box.sliders[0].value = box.sliders[0].max
    assert len(box.figure.data) == 1 and box.figure.data[0].y[0] == box.sliders[0].max
    box.typed.value = "3, 2.5 1"
    assert [round(slider.value, 2) for slider in box.sliders] == pytest.approx([3.0, 2.5, box.sliders[2].min], abs=0.06)
    box.button.click()
    assert list(box.figure.data[1].y) == [3.0, 2.0, 1.5] and len(box.figure.data) == 2
    with pytest.raises(ValueError, match="3 numbers are wanted, got 2"):
        box.typed.value = "1 2"


def test_a_question_is_answered_in_place_with_its_reason():
    box = widgets.quiz("Which `x`?", ["a", "b"], 1, ["a is old", "b is new"])
    box.button.click()
    assert words(box.said) == "Choose an answer first."
    box.choice.value = 0
    box.button.click()
    assert "✗" in box.said.value and "a is old" in box.said.value
    box.choice.value = 1
    box.button.click()
    assert words(box.said) == "✓ Right. b is new"


@pytest.mark.parametrize("typed, right", [("8 9", True), ("8, 9", True), ("[8; 9]", True), ("9 8", False), ("", False)])
def test_numbers_are_typed_in_any_spelling(typed, right):
    box = widgets.quiz("Which tokens?", numeric=[8, 9], why="the newest two")
    box.choice.value = typed
    box.button.click()
    assert ("✓" in box.said.value) == right


SHARES = {
    "1/16": True,
    "1 / 16": True,
    "0.0625": True,
    ".0625": True,
    "6.25 %": True,
    "6.25%": True,
    "16": False,
    "1 16": False,
    "1/0": False,
    "6.25": False,
    "/": False,
}


@pytest.mark.parametrize("typed, right", SHARES.items())
def test_a_share_may_be_typed_as_a_fraction_or_in_percent(typed, right):
    box = widgets.quiz("Which share?", numeric=1 / 16, why="the newest 32 of 512")
    box.choice.value = typed
    box.button.click()
    assert ("✓" in box.said.value) == right


def test_numbers_parted_by_a_slash_and_percents_are_read_as_they_stand_too():
    two, percent = widgets.quiz("Which two?", numeric=[45, 0]), widgets.quiz("How many percent?", numeric=25)
    for box, typed in ((two, "45/0"), (two, "45 / 0"), (percent, "25 %"), (percent, "25")):
        box.choice.value = typed
        box.button.click()
        assert "✓" in box.said.value, typed


def test_a_question_reads_without_a_kernel():
    bundle = widgets.quiz("Which <one>?", ["a", "b"], 1, "so")._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Which &lt;one&gt;?" in bundle["text/html"]
    assert "<details><summary>Answer</summary><p><b>b</b>. so" in bundle["text/html"]


def test_a_question_without_a_right_answer_is_refused():
    with pytest.raises(ValueError, match="answer must be one of 0 to 1, got 2"):
        widgets.quiz("?", ["a", "b"], 2)
    with pytest.raises(ValueError, match="either options and answer, or numeric"):
        widgets.quiz("?")


def test_a_button_shows_what_it_is_answered():
    box = widgets.button("Go", lambda: "<b>done</b>")
    box.button.click()
    assert box.said.value == "<b>done</b>"


def test_in_a_kernel_fast_moves_are_drawn_at_most_ten_times_a_second_and_the_last_always():
    drawn, at = [], [0]

    async def turn():
        show = widgets.calmly(lambda: drawn.append(at[0]))
        for i in range(40):
            at[0] = i
            show()
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.25)

    asyncio.run(turn())
    assert drawn[0] == 0 and drawn[-1] == 39 and len(drawn) <= 8


def test_another_size_leaves_the_memory_as_it_was():
    memory = Window(4, sinks=1)
    other = widgets.resized(memory, 2)
    assert (memory.size, other.size, other.sinks) == (4, 2, 1)


def test_a_network_answers_without_a_dye():
    from memlib import Recurrent

    box = widgets.one_fact(Recurrent(torch.nn.GRUCell(64, 64)), distance=30)
    assert not box.figure.data and "mixes its values" in words(box.said) and "The model says" in words(box.said)


def test_a_picture_says_what_it_is_at_and_an_old_one_never_stands_as_new():
    box = widgets.knob(lambda size: draw.bars({"a": 1 / (size - 2)}), size=(1, 4))
    seen = []
    box.figure.observe(lambda change: seen.append((change.name, change.new)), ["state", "figure"])
    box.controls["size"].value = 3
    assert [name for name, _ in seen] == ["state", "figure", "state"]
    assert (seen[0][1], seen[2][1]) == ("works", "ready")
    assert seen[1][1] == box.figure.figure and list(box.figure.data[0].text) == ["1"]
    with pytest.raises(ZeroDivisionError):
        box.controls["size"].value = 2
    assert box.figure.state == "failed"
    assert box.figure.watched == [box.controls["size"].model_id]


def test_a_picture_sends_a_few_kilobytes_and_plotly_only_where_it_is_asked_for():
    picture, sent = size_knob().figure, []
    assert sum(len(str(value)) for value in picture.get_state().values()) < 60_000
    picture.send = lambda content, buffers=None: sent.append(content)
    picture._handle_custom_msg({"want": "something"}, [])
    assert sent == []
    picture._handle_custom_msg({"want": "plotly"}, [])
    assert "Plotly" in sent[0]["plotly"] and len(sent) == 1


def test_one_fact_asks_with_enter_and_expects_what_the_reader_says():
    box = widgets.one_fact(Window(400), distance=20)
    fact, expected = box.controls["fact"], box.controls["expected"]
    enter = {"event": "submit"}
    assert "The model says 4711 (✓ right)" in words(box.said)
    fact.value = "Rex is Anna's dog."
    assert expected.value == "dog" and "4711" in words(box.said)  # nothing is asked while one types
    expected.value, box.controls["question"].value = "Anna", "whose dog is Rex?"
    fact._handle_custom_msg(enter, [])
    assert "4711" not in words(box.said) and ("✓" in words(box.said) or "the fact said Anna" in words(box.said))
    fact.value = "Rex is Bob's dog."
    assert expected.value == "Anna"  # what a reader has typed stays
    fact._handle_custom_msg(enter, [])
    assert words(box.said) == "What is expected must stand in the fact: 'Anna' does not."
    for name, said in (("fact", "a fact"), ("question", "the question"), ("expected", "expected")):
        kept, box.controls[name].value = box.controls[name].value, " "
        box.button.click()
        assert words(box.said) == f"Type something under '{said}' first." and box.figure.state == "failed"
        box.controls[name].value = kept
