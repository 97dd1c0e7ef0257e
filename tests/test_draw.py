"""Figures: they replay what they are given, step by step, say it in words, and are never mistaken for each other."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from memlib import KNN, Full, Hybrid, Window, draw, recipe, states, view
from memlib.draw import style
from memlib.probe import dye

TEXT = list("def newest(pairs): return x\n<b>&4:]")
N = len(TEXT)
GEN = torch.Generator().manual_seed(0)
Q, K = torch.randn(N, 4, generator=GEN), torch.randn(N, 4, generator=GEN)
AVERAGES = [torch.tril(torch.ones(N, N))[t : t + 1] / (t + 1) for t in range(N)]
POOLED = [torch.stack([torch.eye(N)[4 * i : 4 * i + 4].mean(0) for i in range(s + 1)]) for s in range(N // 4)]
SIGNED = [torch.randn(6, N, generator=GEN) * (torch.arange(N) <= t) for t in range(N)]
FILMS = {
    "window": (recipe(Window(6), K), view(Window(6), Q, K)),
    "sinks": (recipe(Window(3, sinks=2), K), view(Window(3, sinks=2), Q, K)),
    "full": (recipe(Full(), K), view(Full(), Q, K)),
    "one average": (AVERAGES, None),
    "signed": (SIGNED, view(Full(), Q, K)),
}
MATRICES = ({m: torch.randn(N, 4, 3, generator=GEN) for m in "ab"}, TEXT, {m: torch.randn(N, N) for m in "ab"})
FIGURES = {
    "film": lambda: draw.film(*(FILMS["window"][0], TEXT), views=FILMS["window"][1]),
    "moment": lambda: draw.moment(FILMS["full"][0], TEXT, FILMS["full"][1], step=9),
    "recipe": lambda: draw.recipe(FILMS["window"][0][-1], TEXT),
    "view": lambda: draw.view(FILMS["window"][1], TEXT),
    "curves": lambda: draw.curves({"a": ([1, 2, 4], [3, 2, 1]), "b": ([1, 2, 4], [3, 2, 1.01])}, "x", "y", log_x=True),
    "spread": lambda: draw.curves({"a": ([1, 2], [3, 2])}, spread={"a": ([2, 1], [4, 3])}),
    "predict_then": lambda: draw.predict_then([1, 2], [3, 2], [3, 1], "window", "bits"),
    "bars": lambda: draw.bars({"full": 12_000_000.0, "window": 192.0}, y="bytes"),
    "board": lambda: draw.board({"a": {"x": 0.5, "y": 0.25}}, {"<b>": {"x": 1.0, "y": 0.0}}, {"a": {"KB": "64"}}),
    "keys": lambda: draw.keys(Q, K, K, TEXT),
    "influence": lambda: draw.influence(torch.rand(3, N), TEXT, ["untrained", "trained", "average"]),
    "influence on reads": lambda: draw.influence(torch.rand(N, N).tril(), TEXT),
    "reach": lambda: draw.reach(FILMS["window"][1][-3:], TEXT),
    "compare": lambda: draw.compare(FILMS["window"][0][4], FILMS["sinks"][0][4], TEXT),
    "matrices": lambda: draw.matrices(*MATRICES),
    "film of tiers": lambda: draw.film(recipe(Hybrid(2, 2, 2), K[:9]), TEXT[:9], tiers=tiers(Hybrid(2, 2, 2), K[:9])),
    "space": lambda: draw.space(K[:, :2], Q[:, :2], view(KNN(3, 4), Q, K), TEXT, local=4, origin=[0, 0]),
    "moment of space": lambda: draw.space(K[:, :2], Q[:, :2], view(KNN(3), Q, K), TEXT, step=9),
    "dye": lambda: draw.dye(torch.rand(3, N), torch.rand(3, N), "".join(TEXT), (4, 9)),
    "memories": lambda: draw.memories(
        {"all": torch.ones(N), "none": torch.zeros(N)},
        "".join(TEXT),
        (4, 9),
        {"all": ("4711", True), "none": ("?", False)},
    ),
    "abreast": lambda: draw.abreast({"6": FILMS["window"], "<b>": FILMS["full"], "s": FILMS["sinks"]}, TEXT),
    "moment of abreast": lambda: draw.abreast({"window": FILMS["window"]}, TEXT, step=9),
    "arrows": lambda: draw.arrows({"q": (1.0, 0.5), "k": torch.tensor([-0.5, 1.0])}),
}
FILMED = ["film", "matrices", "film of tiers", "space", "dye", "memories", "abreast"]


def film(name: str) -> go.Figure:
    recipes, views = FILMS[name]
    return draw.film(recipes, TEXT, views=views)


def shown(fig: go.Figure, t: int) -> list[dict]:
    """The traces of a film as they stand at step t."""
    start = [trace.to_plotly_json() for trace in fig.data]
    return [merged(a, b.to_plotly_json()) for a, b in zip(start, fig.frames[t].data, strict=True)]


def merged(a: dict, b: dict) -> dict:
    return a | {k: merged(a.get(k, {}), v) if isinstance(v, dict) else v for k, v in b.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_in_words_what_it_shows_and_suits_both_themes(name):
    fig = FIGURES[name]()
    says = draw.alt(fig)
    assert len(says) > 20 and says.endswith(".") and ("." in says)
    printed = [note.text.replace("<br>", " ") for note in fig.layout.annotations if note.name == "alt"]
    assert printed == [style.safe(says)]
    assert fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == style.CLEAR
    assert fig.layout.font.size >= 14 and fig.layout.font.color == style.INK
    assert fig.layout.width <= 900 and fig.layout.height <= 540


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_changes_none_of_its_arrays_and_shows_nothing_itself(name, capsys):
    before = [r.clone() for r in FILMS["window"][0]]
    fig = FIGURES[name]()
    assert isinstance(fig, go.Figure) and bool(fig.frames) == (name in FILMED)
    assert all(torch.equal(a, b) for a, b in zip(before, FILMS["window"][0], strict=True))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", FILMS)
def test_a_film_at_each_place_of_its_slider_is_the_moment_of_that_step(name):
    recipes, views = FILMS[name]
    fig = film(name)
    for t in range(0, len(recipes), 3):
        moment = draw.moment(recipes, TEXT, views, step=t)
        for a, b in zip(shown(fig, t), moment.data, strict=True):
            a, b = go.Figure(a).data[0].to_plotly_json(), b.to_plotly_json()
            assert set(a) == set(b)
            assert all(same(a[key], b[key]) for key in a)


def same(a, b) -> bool:
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else a == b


@pytest.mark.parametrize("name", ["window", "sinks", "full", "one average"])
def test_the_boxes_of_a_film_are_the_recipes_and_its_bars_the_views(name):
    recipes, views = FILMS[name]
    fig, room = film(name), max(len(r) for r in recipes)
    box = 1 - min(0.2, 6 * room / (style.WIDTH - style.LEFT - style.RIGHT))
    for t, want in enumerate(recipes):
        boxes = fig.frames[t].data[1]
        got, place = np.zeros((len(want), N)), {color: [] for color in style.token_colors(N)}
        for i, color in enumerate(style.token_colors(N)):
            place[color].append(i)
        for x, wide, base, color, said in zip(
            boxes.x, boxes.width, boxes.base, boxes.marker.color, boxes.hovertext, strict=True
        ):
            if base:
                continue  # above or below the slots: on its way
            named = [i for i in place[color] if said.endswith(f" of {style.safe(draw.label(TEXT[i]))}")]
            which = [i for i in named if want[round(x), i] > 0]
            got[round(x), which[0]] += wide / box
        assert np.allclose(got, want, atol=2e-4)
        if views is not None:
            assert np.allclose(fig.frames[t].data[3].y, views[t], rtol=1e-3, atol=1e-6)


def tiers(memory, k) -> dict[str, list[int]]:
    """How many slots each tier has, step by step."""
    held = [memory.tiers(mem) for mem in states(memory, dye(k))]
    return {name: [getattr(one, name).n for one in held] for name in held[0]._fields}


def test_a_film_may_have_several_steps_a_token():
    views = torch.tensor([[0.0, 0.0], [0.25, 0.75], [1.0, 0.0]])
    fig = draw.film([torch.eye(2)[:1], torch.eye(2), torch.eye(2)], "ab", views, at=[0, 1, 1])
    assert [frame.data[2].x[0] for frame in fig.frames] == [0, 1, 1]
    assert [list(frame.data[3].y) for frame in fig.frames] == [[0, 0], [0.25, 0.75], [1.0, 0]]


def test_tiers_stand_in_frames_of_their_own_and_slots_within_them():
    memory, k = Hybrid(2, 2, 2), K[:9]
    fig = draw.film(recipe(memory, k), TEXT[:9], tiers=tiers(memory, k))
    frames = [(shape.x0, shape.x1) for shape in fig.layout.shapes]
    assert np.allclose(frames, [(-0.5, 1.5), (1.8, 2.8), (3.1, 5.1)])
    assert [note.text for note in fig.layout.annotations][-4:-1] == ["compressed", "staging", "local"]
    boxes = fig.frames[8].data[1]
    assert [said.split(":")[0] for said in boxes.hovertext] == [
        "compressed 0",
        "compressed 0",
        "compressed 1",
        "compressed 1",
        "staging 0",
        "local 0",
        "local 1",
    ]
    assert {round(x, 1) for x in boxes.x[-3:]} == {2.3, 3.6, 4.6}
    assert "(2 compressed, 1 staging, 2 local)" in draw.alt(fig)
    none = draw.film(recipe(Hybrid(9, 2, 2), k), TEXT[:9], tiers=tiers(Hybrid(9, 2, 2), k))
    assert len(none.layout.shapes) == 1, "a tier that never holds a slot has no frame"
    one = draw.moment(recipe(memory, k), TEXT[:9], step=8, tiers=tiers(memory, k))
    assert one.data[1].x == boxes.x


def test_the_slider_says_who_enters_and_who_leaves():
    fig = draw.film(recipe(Window(2), K[:4]), list("ab c"))
    said = [step.label for step in fig.layout.sliders[0].steps]
    assert said[:2] == ["step 0: 'a' enters", "step 1: 'b' enters"]
    assert said[2:] == ["step 2: '␣' enters, 'a' leaves", "step 3: 'c' enters, 'b' leaves"]


def test_steps_say_what_they_are_told_to_say():
    fig = draw.film(recipe(Full(), K[:2]), list("ab"), events=["first", "then"], alt="Two steps.")
    assert [step.label for step in fig.layout.sliders[0].steps] == ["first", "then"]
    assert draw.alt(fig) == "Two steps."


def test_what_is_held_is_filled_what_is_forgotten_is_outlined_and_now_is_marked():
    text, _, now = draw.moment(recipe(Window(2), K[:5]), list("abcde"), step=3).data
    colors = draw.token_colors(5)
    unseen = [f"{color}00" for color in colors]
    assert text.marker.color == (unseen[0], unseen[1], colors[2], colors[3], unseen[4])
    assert text.marker.line.color == (colors[0], colors[1], colors[2], style.INK, style.CLEAR)
    assert list(now.x) == [3]


def test_a_token_has_one_colour_in_all_views_and_its_label_beside_it():
    fig = draw.moment(FILMS["full"][0], TEXT, FILMS["full"][1], step=N - 1)
    text, slots, _, bars = fig.data
    assert list(text.marker.color) == list(slots.marker.color) == list(bars.marker.color) == draw.token_colors(N)
    assert list(text.text) == list(slots.text) == [style.safe(draw.label(t)) for t in TEXT]
    assert len(set(draw.token_colors(21))) == 21


def test_a_memory_that_reads_by_segments_moves_by_segments():
    whole = 4 * len(POOLED)
    fig = draw.film([r[:, :whole] for r in POOLED], TEXT[:whole])
    assert [list(frame.data[2].x) for frame in fig.frames[:2]] == [[3], [7]]
    assert fig.layout.sliders[0].steps[0].label == "step 0: 'd', 'e', 'f', '␣' enter"


def test_forty_steps_of_any_film_stay_under_300_kilobytes():
    tokens, k = list("x" * 40), torch.randn(40, 4)
    many = [torch.randn(32, 40) for _ in range(40)]
    for recipes in (recipe(Full(), k), recipe(Window(9), k), many):
        assert len(draw.film(recipes, tokens, views=view(Full(), k, k)).to_json()) < 300_000


@pytest.mark.parametrize("name", FILMED)
def test_a_film_needs_no_kernel_rests_at_its_end_and_steps_both_ways(name):
    fig = FIGURES[name]()
    names, last = [frame.name for frame in fig.frames], len(fig.frames) - 1
    assert [step.args[0] for step in fig.layout.sliders[0].steps] == [(one,) for one in names]
    assert fig.layout.sliders[0].active == last
    (*steps, unseen), (play, fast, pause) = (menu.buttons for menu in fig.layout.updatemenus)
    assert (unseen.visible, unseen.method) == (False, "skip")  # without it plotly takes a step back while it plays
    shown = [steps, *(frame.layout.updatemenus[0].buttons for frame in fig.frames)]
    for t, (back, on) in zip([last, *range(last + 1)], shown, strict=True):
        assert (back.label, on.label) == ("◀ step", "step ▶")
        assert (back.args[0], on.args[0]) == ((names[max(t - 1, 0)],), (names[min(t + 1, last)],))
    assert [one.label for one in (play, fast, pause)] == ["▶ play", "▶▶ fast", "❚❚ pause"]
    assert play.args[0] is fast.args[0] is None and pause.args[0] == (None,)
    assert play.args[1]["frame"]["duration"] > fast.args[1]["frame"]["duration"] > 0


def test_a_film_rests_where_it_is_told_to():
    recipes, views = FILMS["window"]
    fig, one = draw.film(recipes, TEXT, views, rests=9), draw.moment(recipes, TEXT, views, step=9)
    assert fig.layout.sliders[0].active == 9
    assert str(fig.data) == str(one.data) != str(draw.film(recipes, TEXT, views).data)
    with pytest.raises(ValueError, match="rests must be from 0 to"):
        draw.film(recipes, TEXT, rests=N)


def test_a_film_of_matrices_shows_each_matrix_and_its_query_at_every_step():
    named, tokens, views = MATRICES
    fig = draw.matrices(named, tokens, views)
    assert len(fig.frames) == N and len(fig.to_json()) < 300_000
    for t, frame in enumerate(fig.frames):
        sheets, bars = frame.data[2:4], frame.data[4:]
        for name, sheet, bar in zip(named, sheets, bars, strict=True):
            scale = named[name].abs().max().item() / 127
            assert np.allclose(np.asarray(sheet.z, float) * scale, named[name][t], atol=scale)
            assert np.allclose(np.asarray(bar.y, float), views[name][t], rtol=1e-3)
    with pytest.raises(ValueError, match="a must be .steps, d, e., a step for each of 2 tokens"):
        draw.matrices({"a": torch.ones(3, 2, 2)}, "xy")


def test_recipe_and_view_are_never_confused():
    held, got = FIGURES["recipe"](), FIGURES["view"]()
    assert held.layout.title.text == "What each slot holds" and got.layout.title.text == "What each query receives"
    assert held.layout.yaxis.title.text == "slot (oldest first)" and got.layout.yaxis.title.text == "query of token"
    assert draw.alt(held).startswith("Recipe: ") and draw.alt(got).startswith("View: ")


def test_nothing_is_drawn_where_nothing_is_held():
    z = draw.recipe(torch.tensor([[0.0, 0.25], [1.0, 0.0]]), "ab").data[0].z
    assert [list(row) for row in z] == [[None, 0.25], [1.0, None]]


def test_influence_is_never_called_a_recipe_or_a_view():
    fig = FIGURES["influence"]()
    assert "Influence" in draw.alt(fig) and "untrained: '" in draw.alt(fig)
    shares = [row[None] for row in torch.eye(3)]
    fig = draw.film(shares, "abc", names=("the text", "what it feels (influence)"), alt="Film of influence.")
    said = [note.text for note in fig.layout.annotations]
    assert "what it feels (influence)" in said and not any("holds" in text for text in said)


def test_a_board_names_what_is_not_measured_yet():
    fig = draw.board({"a": {"x": 0.5, "y": 0.25}}, {"b": {"x": 1.0, "y": 0.0}}, missing=["ladder"])
    assert list(fig.data[0].z[-1]) == [None, None] and len(fig.data[0].z) == 4
    (told,) = [note for note in fig.layout.annotations if note.text == "not measured yet"]
    assert told.y == 3 and draw.alt(fig).endswith("Not measured yet: ladder.")


def test_a_board_prints_its_numbers_and_keeps_a_gap_before_what_is_not_ranked():
    fig = FIGURES["board"]()
    assert list(fig.data[1].text) == ["0.50", "0.25", "1.00", "0.00"] and list(fig.data[1].y) == [0, 0, 2, 2]
    assert [list(row) for row in fig.data[0].z] == [[0.5, 0.25], [None, None], [1, 0]]
    assert fig.layout.yaxis.ticktext == ("a", "", "&lt;b&gt;") and fig.layout.xaxis.ticktext == ("x", "y", "KB")
    assert "x: a 0.50; y: a 0.25" in draw.alt(fig) and draw.alt(fig).endswith("not ranked: <b>.")


def test_curves_differ_in_more_than_colour_and_carry_their_names():
    fig = FIGURES["curves"]()
    a, b = fig.data
    assert a.line.dash != b.line.dash and a.marker.symbol != b.marker.symbol and a.line.color != b.line.color
    notes = {note.text: note for note in fig.layout.annotations}
    assert abs(notes["b"].yshift - notes["a"].yshift) > 15 and notes["a"].x == pytest.approx(np.log10(4))


def test_the_first_cell_that_differs_is_boxed_and_named():
    fig = draw.compare(torch.eye(3), torch.eye(3).roll(1, 0), "abc")
    assert draw.alt(fig) == "First difference: row 0, token 0 ('a') has 1.00, expected 0.00."
    assert [(s.x0, s.y0) for s in fig.layout.shapes] == [(-0.5, -0.5)] * 2
    assert draw.alt(draw.compare(torch.eye(3), torch.eye(2, 3), "abc")) == "Yours has 3 rows, the target 2."
    assert not draw.compare(torch.eye(3), torch.eye(3), "abc").layout.shapes


def test_the_dye_stands_still_or_plays():
    x = torch.linspace(1, 0, 50).expand(3, 50)
    moving, still = (draw.dye(h, x, "x" * 50, (2, 6), after="4711", still=h is None) for h in (x, None))
    assert moving.frames and not still.frames and (len(moving.data), len(still.data)) == (5, 4)
    assert draw.alt(moving).startswith("Of the fact 'xxxx' the slots hold 90% when it has been read and 0% at the end")
    assert draw.alt(still).startswith("Of the fact 'xxxx' the last byte gives 0% of its attention")


@pytest.mark.parametrize("rest, shown", [(0, "cdefgh"), (84, "defghi"), (168, "defghj")])
def test_a_fact_longer_than_the_lines_there_are_shows_its_newest_lines(rest, shown):
    n = 8 * 84  # eight lines, of which six are shown
    x = torch.ones(1, n + rest)
    fig = draw.dye(x, x, "".join(chr(97 + t // 84) for t in range(n + rest)), (0, n), still=True)
    (text,) = [note.text for note in fig.layout.annotations if note.name != "alt"]
    lines = text.split("<br>")
    assert [re.sub("<[^>]*>|[… ▌]", "", line)[0] for line in lines] == list(shown) and lines[0].startswith("… ")


def test_attention_below_zero_is_inside_the_dye_s_picture():
    fig = draw.dye(None, torch.full((1, 20), -0.4), "x" * 20, (2, 6), still=True)
    assert fig.layout.yaxis.range[0] < -0.4


def test_the_dyed_text_is_read_on_and_the_fact_is_struck_out_when_nothing_is_left():
    x, text = torch.zeros(1, 60), "The code is 47. " + "Talk of this and that. " * 2
    x[0, 15:30] = 1
    frames = draw.dye(x, x, text[:60], (0, 15), after="47").frames
    shown = [frame.layout.annotations[-1].text for frame in frames]
    assert len(shown) == 48 and "▌" in shown[16] and "47" in shown[-1].split("</s>")[-1]
    assert "<s>" not in shown[16] and "<s>" in shown[32]


def test_the_curves_of_a_fact_grow_from_step_to_step_each_behind_a_dot():
    held, seen = torch.linspace(1, 0.5, 60)[None], torch.linspace(0, 0.25, 60)[None]
    frames = draw.dye(held, seen, "x" * 60, (2, 6)).frames
    assert len({len(line.x) for frame in frames for line in frame.data[:2]}) == 1  # so that they can move
    for frame in frames:
        t = int(frame.name)
        left, view, dots = frame.data
        assert left.x[-1] == max(left.x) == t and np.allclose(left.y, held[0, left.x.tolist()], atol=1e-4)
        assert np.allclose(view.y, seen[0, view.x.tolist()], atol=1e-4)
        assert list(dots.x) == [t, t] and np.allclose(dots.y, [held[0, t], seen[0, t]], atol=1e-4)


def test_a_box_keeps_its_name_drops_in_and_lies_below_in_the_step_that_lets_it_go():
    fig = draw.film(recipe(Window(2), K[:5]), list("abcde"))
    at = [{name: where for name, where in zip(f.data[1].ids, f.data[1].base, strict=True)} for f in fig.frames]
    for t in range(5):
        held = {f"{i}.0" for i in range(max(0, t - 1), t + 1)}
        assert {name for name, base in at[t].items() if base == 0} == held
        assert {name for name, base in at[t].items() if base < 0} == ({f"{t - 2}.0"} if t > 1 else set())
        assert {name for name, base in at[t].items() if base > 0} == ({f"{t + 1}.0"} if t < 4 else set())
    boxes = fig.frames[2].data[1]
    strong = dict(zip(boxes.ids, boxes.marker.color, strict=True))
    assert strong["0.0"].endswith("66") and strong["3.0"].endswith("00") and len(strong["2.0"]) == 7
    assert fig.layout.yaxis2.range[0] < 0 and "lets go" in fig.layout.annotations[1].text
    stays = draw.film(recipe(Full(), K[:5]), list("abcde"))
    assert stays.layout.yaxis2.range[0] == 0 and "lets go" not in stays.layout.annotations[1].text


def test_steps_and_play_let_the_picture_slide_and_the_slider_jumps():
    fig = film("window")
    menus = [button for menu in fig.layout.updatemenus for button in menu.buttons if button.visible is not False]
    slides = {button.label: button.args[1]["transition"]["duration"] for button in menus}
    assert slides["◀ step"] == slides["step ▶"] == slides["▶ play"] == 300 and 0 < slides["▶▶ fast"] < 250
    assert all(step.args[1]["transition"]["duration"] == 0 for step in fig.layout.sliders[0].steps)


def test_tensors_of_any_kind_are_drawn():
    for x in (torch.eye(3, dtype=torch.bfloat16), torch.eye(3, requires_grad=True), np.eye(3), [[1, 0, 0]] * 3):
        assert draw.recipe(x, "abc").data[0].z[0][0] == 1.0


def test_a_long_text_says_where_its_old_lines_were_left_out():
    from memlib.draw.fact_film import LINES, _text

    letters = list("a fact " + "word " * 300)
    told = _text(letters, (0, 6), None, len(letters) - 1, "")["text"].split("<br>")
    assert len(told) == LINES and [line.startswith("… ") for line in told] == [False, True] + [False] * (LINES - 2)
    assert "…" not in _text(letters[:200], (0, 6), None, 199, "")["text"]


def test_text_is_never_read_as_markup():
    assert "<b>" not in str(draw.film(recipe(Full(), K[:2]), ["<b>", "$x$"]).data[0].text)
    assert draw.label("\n") == "↵" and draw.label(b"\xff") == "�"


@pytest.mark.parametrize(
    "wrong, named",
    [
        (lambda: draw.recipe(torch.eye(3), "ab"), "one column for each of the 2 tokens"),
        (lambda: draw.film([], "ab"), "1 to 2 recipes for 2 tokens, got 0"),
        (lambda: draw.film([torch.eye(2)] * 3, "ab"), "got 3"),
        (lambda: draw.film([torch.eye(2)] * 2, "ab", views=torch.ones(1, 2)), "a row for each of the 2 tokens"),
        (lambda: draw.keys(Q, K, K, "ab"), "2 tokens need as many rows"),
        (lambda: draw.film([torch.eye(2)] * 2, "ab", tiers={"a": [1]}), "the slots of each of the 2 steps"),
        (lambda: draw.film([torch.eye(2)] * 2, "ab", tiers={"a": [1, 2], "b": [1, 1]}), r"step 1 .*\[2, 1\] slots"),
        (lambda: draw.film([-torch.eye(2)] * 2, "ab", tiers={"a": [2, 2]}), "only where slots are boxes"),
        (lambda: draw.film([torch.eye(2)] * 2, "ab", at=[0, 2]), r"one of the 2 tokens for each of the 2 steps, got"),
        (lambda: draw.film([torch.eye(2)] * 3, "ab", torch.eye(2), at=[0, 1, 1]), "a row for each of the 3 steps"),
    ],
)
def test_arrays_that_do_not_fit_are_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        wrong()


def test_bars_under_a_knob_keep_their_axis():
    assert draw.bars({"a": 0.2}, top=1).layout.xaxis.range == draw.bars({"a": 0.9}, top=1).layout.xaxis.range == (0, 1)


def test_a_film_in_key_space_draws_a_line_to_each_pair_that_is_fetched_and_to_no_other():
    memory, places = KNN(3, local=4), K[:, :2]
    seen = view(memory, Q, K)
    fig = draw.space(places, Q[:, :2], seen, TEXT, local=4)
    for t in (0, 3, 4, 6, 20, N - 1):
        pale, _, strip, point, store, new, _, lines, marks, query = shown(fig, t)
        want = seen[t].nonzero().flatten().tolist()
        assert sorted(strip["x"]) == want and len(want) == min(3, max(t - 3, 0))
        assert point["x"] == [t] and np.allclose([query["x"][0], query["y"][0]], Q[t, :2], atol=0.01)
        ends = {(lines["x"][i], lines["y"][i]) for i in range(1, len(lines["x"]), 3)}
        assert ends == set(zip(marks["x"], marks["y"], strict=True)) == {tuple(p) for p in rounded(places[want])}
        assert len(pale["y"]) == len(store["x"]) == max(t - 3, 0) and len(new["x"]) == min(t + 1, 4)  # it fills
    assert "step 6: 'w' fetches 'e' (1, " in fig.layout.sliders[0].steps[6].label
    assert "finds nothing yet" in fig.layout.sliders[0].steps[3].label
    one = draw.space(places, Q[:, :2], seen, TEXT, local=4, step=20)
    assert not one.frames and one.data[8].x == tuple(shown(fig, 20)[8]["x"])
    early = draw.space(places, Q[:, :2], seen, TEXT, local=4, rests=20)
    assert early.layout.sliders[0].active == 20 and early.data[8].x == one.data[8].x and len(early.frames) == N


def rounded(x) -> list[list[float]]:
    return [[float(f"{v:.2f}") for v in row] for row in np.asarray(x, float).round(2).tolist()]


def test_a_film_in_key_space_wants_a_row_a_token():
    with pytest.raises(ValueError, match="a row for each of the 3 tokens, got {'points': 2"):
        draw.space(torch.zeros(2, 2), torch.zeros(3, 2), torch.zeros(3, 3), "abc")
    with pytest.raises(ValueError, match="rests must be from 0 to 2, got -1"):
        draw.space(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 3), "abc", rests=-1)
    with pytest.raises(ValueError, match="step must be from 0 to 2, got 3"):
        draw.space(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 3), "abc", step=3)


def test_a_row_of_each_memory_says_what_it_holds_and_answers_when_all_is_read():
    held = {"all": np.ones(20), "some": np.linspace(1, 0.25, 20)}
    fig = draw.memories(held, "ab code is 4711. xyz", (3, 16), {"all": ("4711", True), "some": ("a<b", False)})
    assert len(fig.frames) >= 20 and {len(frame.layout.annotations) for frame in fig.frames} == {
        len(fig.layout.annotations)
    }
    for frame in fig.frames:
        now, bars = int(frame.name), frame.data[0]
        wanted = [row[now] if now >= 3 else 0 for row in held.values()]
        assert np.allclose(bars.x, wanted, atol=1e-4)
        assert list(bars.text) == ([f"{x:.0%} of the fact" for x in wanted] if now >= 3 else ["", ""])
        told = [note.text for note in frame.layout.annotations[-2:]]
        last = now == 19
        assert told == (["<b>✓ “4711”</b>", "<b>✗ “a&lt;b”</b>"] if last else ["reads on …"] * 2)
        assert "".join(c for c in frame.layout.annotations[-3].text if c == "▌") == "▌"
    assert "some holds 25% of the fact and answers 'a<b', wrong" in draw.alt(fig)
    with pytest.raises(ValueError, match="says must have the names of held"):
        draw.memories(held, "x" * 20, (1, 2), {"all": ("4711", True)})


def test_a_fact_far_in_the_text_is_coloured_whole_on_the_first_line():
    text = "the talk before it goes on and on, long " * 2 + "the code is 4711. and after it " * 8
    fig = draw.memories({"all": np.ones(len(text))}, text, (80, 97), {"all": ("4711", True)})
    for frame in fig.frames:
        now, lines = int(frame.name), frame.layout.annotations[-2].text.rstrip("▌").split("<br>")
        found = re.findall(r"<b><span[^>]*>(.*?)</span></b>", lines[0])
        assert found == ([text[80 : now + 1][:17]] if now >= 80 else []) and len(lines) <= 3
        plain = [re.sub("<[^>]+>", "", line) for line in lines]
        assert all(len(line) <= 88 for line in plain) and text[: now + 1].endswith(plain[-1].removeprefix("… "))


def test_arrows_end_where_their_numbers_say():
    fig = draw.arrows({"q": (1.0, -0.5), "k": torch.tensor([-0.5, 2.0])}, reach=3)
    assert [(trace.x[-1], trace.y[-1]) for trace in fig.data[1:]] == [(1.0, -0.5), (-0.5, 2.0)]
    assert draw.alt(fig) == "q (1.00, -0.50); k (-0.50, 2.00)." and fig.layout.xaxis.range == (-3, 3)
    for bad in ((1.0,), (1.0, 2.0, 3.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="arrows: k must be two finite numbers"):
            draw.arrows({"k": bad})
