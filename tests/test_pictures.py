"""What stands in a picture, its hovers and the sentence beneath, against the arrays that it was given: every number."""

import html
import math
import re

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from plotly.colors import hex_to_rgb

from memlib import KNN, Hybrid, Window, draw, recipe, states, view
from memlib.draw import style
from memlib.probe import dye

TOKENS = ["def", " ", "f", "(", "x", "\n", "<b>", "y", "$z$", "w", "v", "u", "t"]
SAID = [{" ": "␣", "\n": "↵"}.get(token, token) for token in TOKENS]
N = len(TOKENS)
DRAW = torch.Generator().manual_seed(3)
Q, K = (torch.randn(N, 4, generator=DRAW) for _ in range(2))
SPARSE = (torch.rand(5, N, generator=DRAW) * (torch.rand(5, N, generator=DRAW) > 0.4)).numpy()
SPARSE[:, 0] = 0  # so that the first token is held by no slot
SQUARE = np.tril(np.triu(torch.rand(N, N, generator=DRAW).numpy() + 0.01, -4))  # each row sees the five newest
ARRAYS = {"plain": SPARSE, "signed": np.where(np.arange(N) % 3 == 1, -1.5, 1) * SPARSE}


def cells(z) -> np.ndarray:
    return np.array([[0.0 if v is None else v for v in row] for row in z], float)


def plain(text: str) -> str:
    """What a reader sees of a text with marks."""
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def near(got, want) -> bool:
    return np.allclose(np.asarray(got, float), np.asarray(want, float), rtol=2e-3, atol=1e-6)


def greatest(x) -> tuple[float, int, int]:
    return max(((x[i][j], i, j) for i in range(len(x)) for j in range(len(x[0]))), key=lambda cell: abs(cell[0]))


# Heat maps


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("kind", ["recipe", "view", "influence"])
def test_a_heat_map_is_its_array_and_its_hovers_name_row_and_column(kind, array):
    x = ARRAYS[array]
    fig = draw.influence(x, TOKENS, list("abcde")) if kind == "influence" else getattr(draw, kind)(x, TOKENS)
    (map_,) = fig.data
    assert near(cells(map_.z), x)
    assert [[v is None for v in row] for row in map_.z] == (x == 0).tolist()
    high = np.abs(x).max()
    signed = (x < 0).any()
    assert (map_.zmin, map_.zmax) == pytest.approx((-high if signed else 0, high))
    assert map_.colorscale[0][1] == (style.SIGNED[0][1] if signed else style.HEAT[0])
    rows = list("abcde") if kind == "influence" else [str(i) for i in range(5)]
    assert [[plain(text) for text in row] for row in map_.customdata] == [[f"{r} ← {t}" for t in SAID] for r in rows]
    assert map_.hovertemplate == "%{customdata}: %{z:.3g}<extra></extra>"
    axes = fig.layout.xaxis, fig.layout.yaxis
    assert [axes[0].range, axes[1].range] == [(-0.5, N - 0.5), (4.5, -0.5)], "each cell, the first row on top"
    for axis, names in zip(axes, (SAID, rows), strict=True):
        assert [html.unescape(text) for text in axis.ticktext] == [names[i] for i in axis.tickvals]


@pytest.mark.parametrize("array", ARRAYS)
def test_what_a_recipe_says_is_counted_in_its_array(array):
    x = ARRAYS[array]
    value, i, j = greatest(x)
    held = sum(any(row[t] != 0 for row in x) for t in range(N))
    assert held < N
    assert draw.alt(draw.recipe(x, TOKENS)) == (
        f"Recipe: 5 slots hold something of {held} of {N} tokens. "
        f"The greatest weight is {value:.2f}: slot {i}, token {j} ('{SAID[j]}')."
    )
    assert draw.alt(draw.recipe(0 * x, TOKENS)).endswith("All weights are 0.")


def test_what_a_view_says_is_counted_in_its_array():
    value, i, j = greatest(SQUARE)
    fig = draw.view(SQUARE, TOKENS)
    assert draw.alt(fig) == (
        f"View: {N} queries, each receiving from tokens at most 4 back. "
        f"The greatest weight is {value:.2f}: query {i}, token {j} ('{SAID[j]}')."
    )
    assert html.unescape(fig.layout.yaxis.ticktext[0]) == SAID[0]


def test_what_an_influence_says_is_the_greatest_of_each_row():
    few = "; ".join(f"{name}: '{SAID[int(r.argmax())]}', token {r.argmax()}" for name, r in zip("pqrst", SPARSE))  # noqa: B905
    assert draw.alt(draw.influence(SPARSE, TOKENS, list("pqrst"))) == f"Influence. Felt most of {N} tokens: {few}."
    value, i, j = greatest(SQUARE)
    assert draw.alt(draw.influence(SQUARE, TOKENS)) == (
        f"Influence of {N} tokens on {N} reads. The greatest weight is {value:.2f}: read {i}, token {j} ('{SAID[j]}')."
    )


def test_reach_is_powers_of_ten_and_says_how_far_back_each_layer_feels():
    x = np.zeros((3, N))
    x[0, N - 1], x[1, N - 4 :], x[1, 2] = 1.0, 0.001, 1e-14
    fig = draw.reach(x, TOKENS, ["first", "second", "third"])
    assert draw.alt(fig) == "Tokens felt at the last place: first 1; second 4; third 0."
    (map_,) = fig.data
    want = [[None if v <= 1e-12 else round(math.log10(v), 2) for v in row] for row in x]
    assert [list(row) for row in map_.z] == want and "10^%{z" in map_.hovertemplate
    assert fig.layout.yaxis.ticktext == ("first", "second", "third")
    assert draw.reach(x, TOKENS).layout.yaxis.ticktext == ("layer 0", "layer 1", "layer 2")


@pytest.mark.parametrize("row, token", [(0, 0), (2, 4), (4, N - 1)])
def test_compare_shows_both_and_boxes_the_first_cell_that_differs(row, token):
    target = SPARSE.copy()
    target[row, token] += 0.125
    target[4, N - 1] += 0.5
    fig = draw.compare(SPARSE, target, TOKENS)
    assert near(cells(fig.data[0].z), SPARSE) and near(cells(fig.data[1].z), target)
    assert [(t.xaxis or "x", t.yaxis or "y") for t in fig.data] == [("x", "y"), ("x2", "y2")]
    assert draw.alt(fig) == (
        f"First difference: row {row}, token {token} ('{SAID[token]}') has {SPARSE[row, token]:.2f}, "
        f"expected {target[row, token]:.2f}."
    )
    for shape, trace in zip(fig.layout.shapes, fig.data, strict=True):
        assert (shape.x0, shape.x1, shape.y0, shape.y1) == (token - 0.5, token + 0.5, row - 0.5, row + 0.5)
        assert (shape.xref, shape.yref) == (trace.xaxis, trace.yaxis)
    high = max(SPARSE.max(), target.max())
    assert all((t.zmin, t.zmax) == pytest.approx((0, high)) for t in fig.data), "one scale for both"
    names = [note.text for note in fig.layout.annotations]
    assert names.index("yours") < names.index("target")


def test_compare_prints_the_numbers_of_few_tokens():
    yours, target = np.eye(3) / 3, np.eye(3) * np.array([1, -0.25, 0.5])
    fig = draw.compare(yours, target, "abc")
    for trace, x in zip(fig.data, (yours, target), strict=True):
        assert [list(row) for row in trace.text] == [[f"{v:.2g}" if v else "" for v in row] for row in x]
        assert (trace.zmin, trace.zmax) == (-1, 1)
    small = np.eye(3) + 1e-4 * np.eye(3)[::-1]
    assert draw.compare(np.eye(3), small, "abc").layout.shapes, "a small difference is one"
    assert not draw.compare(np.eye(3), np.eye(3) + 1e-9, "abc").layout.shapes


def test_the_tensors_of_a_head_stand_side_by_side_each_with_its_own_range():
    parts = {"q": Q, "k": 3 * K, "v": Q[:, :3] - 1}
    fig = draw.keys(*parts.values(), TOKENS)
    said = [f"{n} {N} tokens × {x.shape[1]} channels, {x.min():.2g} to {x.max():.2g}" for n, x in parts.items()]
    assert draw.alt(fig) == f"Blue is below zero, orange above. {'; '.join(said)}."
    for trace, x in zip(fig.data, parts.values(), strict=True):
        assert np.allclose(cells(trace.z), x, atol=6e-4)
        assert (trace.zmin, trace.zmax) == pytest.approx((-x.abs().max().item(), x.abs().max().item()))
        assert trace.hovertemplate == "position %{y}, channel %{x}: %{z}<extra></extra>"
    assert [note.text[0] for note in fig.layout.annotations[:3]] == list("qkv")
    assert len(draw.keys(Q, K).data) == 2


# Curves, bars, tables

LINES = {f"line {i}": ([1, 2, 4, 8], [i + 0.5, 3, 2 - i, 7 * i - 1]) for i in range(7)}


@pytest.mark.parametrize("log", [False, True])
def test_curves_are_their_points_and_their_ends_are_named_and_said(log):
    fig = draw.curves(LINES, "size", "bits", log_x=log, title="T")
    names = {note.text: note for note in fig.layout.annotations}
    for trace, (name, (x, y)) in zip(fig.data, LINES.items(), strict=True):
        assert (trace.name, list(trace.x), list(trace.y)) == (name, x, y)
        assert trace.mode == "lines+markers" and "%{x}: %{y:.4g}" in trace.hovertemplate
        end = names[name]
        assert (end.x, end.y) == pytest.approx((math.log10(x[-1]) if log else x[-1], y[-1]))
        assert end.font.color == trace.line.color
    assert len({trace.line.color for trace in fig.data[:6]}) == len({trace.line.dash for trace in fig.data[:6]}) == 6
    ends = "; ".join(f"{name} goes from {y[0]:g} to {y[-1]:g}" for name, (_, y) in LINES.items())
    assert draw.alt(fig) == f"Bits against size: {ends}."
    axis = fig.layout.xaxis
    low, high = (math.log10(v) if log else v for v in (1, 8))
    assert low - 0.1 * (high - low) < axis.range[0] < low < high < axis.range[1] < high + 0.1 * (high - low)
    assert axis.type == ("log" if log else "linear") and (axis.title.text, fig.layout.yaxis.title.text) == (
        "size",
        "bits",
    )
    assert not log or (list(axis.tickvals), list(axis.ticktext)) == ([1, 2, 4, 8], ["1", "2", "4", "8"])


def test_no_name_of_a_curve_stands_upon_another_and_none_far_from_its_end():
    near_, plot = {n: ([0, 1], [0, 1 + 1e-4 * i]) for i, n in enumerate("abcde")}, 290
    notes = [note for note in draw.curves(near_).layout.annotations if note.text in near_]
    places = sorted(note.y * plot / 1.12 + note.yshift for note in notes)
    assert min(np.diff(places)) > 18 and max(abs(note.yshift) for note in notes) < 100
    assert max(notes, key=lambda note: note.y).yshift == 0, "the highest stands at its end, the others below"
    apart = [
        n for n in draw.curves({"a": ([0, 1], [0, 1]), "b": ([0, 1], [1, 0])}).layout.annotations if n.text in "ab"
    ]
    assert [note.yshift for note in apart] == [0, 0]


def test_a_band_goes_along_its_low_and_back_along_its_high():
    fig = draw.curves({"a": ([1, 2, 3], [3, 2, 4])}, spread={"a": ([2, 1, 3], [4, 3.5, 5])})
    band, line = fig.data
    assert set(zip(band.x, band.y, strict=True)) == {(1, 2), (2, 1), (3, 3), (1, 4), (2, 3.5), (3, 5)}
    assert list(band.x) in ([1, 2, 3, 3, 2, 1], [3, 2, 1, 1, 2, 3]) and band.fillcolor == line.line.color
    ordered = dict(zip(list(band.x)[:3], list(band.y)[:3], strict=True))
    assert list(ordered.values()) in ([4, 3.5, 5], [2, 1, 3], [5, 3.5, 4], [3, 1, 2])
    assert list(line.y) == [3, 2, 4] and band.fill == "toself"


def test_a_long_curve_has_no_marks_and_a_sketch_stands_beside_what_was_measured():
    assert draw.curves({"a": (range(41), range(41))}).data[0].mode == "lines"
    assert draw.curves({"a": (range(40), range(40))}).data[0].mode == "lines+markers"
    fig = draw.predict_then([1, 2], [3, 4], [5, 6], "x name", "y name")
    assert [(t.name, list(t.y)) for t in fig.data] == [("your sketch", [3, 4]), ("measured", [5, 6])]
    assert draw.alt(fig) == "Y name against x name: your sketch goes from 3 to 4; measured goes from 5 to 6."


@pytest.mark.parametrize("values", [{"a": 0.25, "b": 12_345.6, "<c>": 3}, {str(i): i + 1.0 for i in range(8)}])
def test_bars_are_their_numbers_in_order_and_say_them(values):
    (bar,) = (fig := draw.bars(values, "bytes")).data
    assert list(bar.x) == list(values.values()) and list(bar.y) == list(range(len(values)))
    said = {0.25: "0.25", 12_345.6: "12,346"}
    text = [said.get(v, f"{v:g}") for v in values.values()]
    assert list(bar.text) == text and bar.orientation == "h"
    assert draw.alt(fig) == f"Bytes: {'; '.join(f'{n} {t}' for n, t in zip(values, text, strict=True))}."
    assert [html.unescape(name) for name in fig.layout.yaxis.ticktext] == list(values)
    assert len(set(bar.marker.color[:6])) == min(6, len(values)) and fig.layout.xaxis.title.text == "bytes"


def test_the_axis_of_bars_holds_them():
    assert draw.bars({"a": -2, "b": 1}, top=4).layout.xaxis.range == (-2, 4)
    axis = draw.bars({"a": 3, "b": 5000, "c": 0}, log=True).layout.xaxis
    assert axis.type == "log" and axis.range[0] <= math.log10(3) and axis.range[1] >= math.log10(5000)
    assert axis.range[0] > -1.5 and axis.range[1] < 4.5


@pytest.mark.parametrize(
    "number, said",
    [
        (0, "0"),
        (0.123456, "0.1235"),
        (12.5, "12.5"),
        (1234, "1,234"),
        (9999.4, "9,999"),
        (65536, "65,536"),
        (-2e5, "-200,000"),
    ],
)
def test_a_number_is_written_as_one_would(number, said):
    assert style.written(number) == said


BOARD = {"one": {"x": 0.125, "y": 0.5}, "two": {"x": 0.75, "y": 0.25}, "three": {"x": 0.374, "y": 0.496}}


def test_a_board_is_its_scores_with_the_best_of_each_column_said():
    fig = draw.board(BOARD, {"apart": {"x": 1.0, "y": 1.0}}, {"two": {"KB": "64"}, "apart": {"KB": "99"}}, "T", ["new"])
    rows = [*BOARD.values(), None, {"x": 1.0, "y": 1.0}, None]
    map_, text = fig.data
    names = ["one", "two", "three", "", "apart", "new"]
    assert list(fig.layout.yaxis.ticktext) == names and (map_.zmin, map_.zmax) == (0, 1)
    for row, want, name in zip(map_.z, rows, names, strict=True):
        assert list(row) == ([None, None] if want is None else [round(v, 2) for v in want.values()]), name
    printed = {(x, y): said for x, y, said in zip(text.x, text.y, text.text, strict=True)}
    assert printed == {
        (x, y): f"{round(v, 2):.2f}" for y, row in enumerate(rows) if row for x, v in enumerate(row.values())
    }
    for (x, y), color in zip(printed, text.textfont.color, strict=True):
        assert color == ("#000000" if map_.z[y][x] > 0.4 else "#FFFFFF")
    assert map_.customdata[1][1] == "two, y" and map_.hovertemplate == "%{customdata}: %{z:.2f}<extra></extra>"
    notes = {(note.text, note.y) for note in fig.layout.annotations if note.name != "alt"}
    assert {("64", 1), ("99", 4), ("not measured yet", 5)} <= notes
    assert {note.x for note in fig.layout.annotations if note.text in ("64", "99")} == {2.15}
    assert draw.alt(fig) == (
        "3 rows. The best of each column: x: two 0.75; y: one 0.50. "
        "Beside them, not ranked: apart. Not measured yet: new."
    )


# Films of slots

HELD = recipe(Window(3), K)
SEEN = view(Window(3), Q, K)
SIGNED = [torch.randn(3, N, generator=DRAW) * (torch.arange(N) <= t) for t in range(N)]


def whole(fig: go.Figure, t: int) -> list[dict]:
    def over(a, b):
        return a | {k: over(a.get(k, {}), v) if isinstance(v, dict) else v for k, v in b.items()}

    start = [trace.to_plotly_json() for trace in fig.data]
    return [over(a, b.to_plotly_json()) for a, b in zip(start, fig.frames[t].data, strict=True)]


def in_place(boxes: dict) -> dict:
    """The boxes in the slots, without those that leave or are still to come."""
    here = [i for i, base in enumerate(boxes["base"]) if base == 0]
    flat = boxes | {key: [boxes[key][i] for i in here] for key in ("x", "width", "text", "hovertext")}
    for key in ("marker", "textfont"):
        flat[key] = {"color": [boxes[key]["color"][i] for i in here]}
    return flat


def test_each_step_of_a_film_says_marks_and_colours_what_its_recipe_holds():
    fig, colors = draw.film(HELD, TOKENS, SEEN), draw.token_colors(N)
    assert draw.alt(fig) == (
        f"Film: {N} steps, {N} tokens read; the first token leaves at step 3; at the end 3 slots hold 3 of {N} tokens."
    )
    for t in range(N):
        text, slots, now, bars = whole(fig, t)
        slots = in_place(slots)
        held = set(range(max(0, t - 2), t + 1))
        assert [color == colors[i] for i, color in enumerate(text["marker"]["color"])] == [i in held for i in range(N)]
        assert list(now["x"]) == [t] and fig.frames[t].name == str(t)
        edges = [style.INK if i == t else colors[i] if i < t else style.CLEAR for i in range(N)]
        assert list(text["marker"]["line"]["color"]) == edges
        assert list(text["marker"]["line"]["width"]) == [3 if i == t else 1.5 for i in range(N)]
        ink = [style.over(colors[i]) if i in held else style.INK for i in range(N)]
        assert list(text["textfont"]["color"]) == ink
        said = [f"slot {s}: 1 of {SAID[i]}" for s, i in enumerate(sorted(held))]
        assert [html.unescape(one) for one in slots["hovertext"]] == said
        assert list(slots["marker"]["color"]) == [colors[i] for i in sorted(held)]
        assert list(slots["textfont"]["color"]) == [style.over(colors[i]) for i in sorted(held)]
        assert [html.unescape(one) for one in slots["text"]] == [SAID[i] for i in sorted(held)]
        assert near(bars["y"], SEEN[t]) and list(bars["marker"]["color"]) == colors
        assert bars["hovertemplate"] == "%{customdata}: %{y:.3f}<extra></extra>"
        assert [html.unescape(one) for one in bars["customdata"]] == [f"{x}: token {i}" for i, x in enumerate(SAID)]
        leaves = f", '{SAID[t - 3]}' leaves" if t > 2 else ""
        label = html.unescape(fig.layout.sliders[0].steps[t].label)
        assert label == f"step {t}: '{SAID[t]}' enters{leaves}"
        assert fig.layout.sliders[0].steps[t].args[0] == (str(t),)
        still = draw.alt(draw.moment(HELD, TOKENS, SEEN, t))
        many = f"{min(t + 1, 3)} slots hold" if t else "1 slot holds"
        assert still == f"{label}. {many} {min(t + 1, 3)} of {t + 1} tokens."


def test_the_axis_of_the_views_holds_all_of_them():
    seen = torch.tensor([[0.5, -0.25], [0.75, 0.25]])
    layout = draw.film([torch.eye(2)[:1], torch.eye(2)], "ab", seen).layout
    assert layout.yaxis3.range == (-0.25, 0.75) and list(layout.xaxis3.ticktext) == ["a", "b"]
    assert layout.xaxis.range == layout.xaxis3.range == (-0.55, 1.55)


def test_a_box_is_divided_by_weight_from_left_to_right_in_its_place():
    shares = torch.tensor([[0.5, 0.3, 0.2], [0.0, 0.25, 0.5]])
    boxes = draw.moment([shares], "abc").data[1]
    wide = 1 - 6 * 2 / style.ACROSS
    assert near(boxes.width, [wide * w for w in (0.5, 0.3, 0.2, 0.25, 0.5)])
    edges = [(x - w / 2, x + w / 2) for x, w in zip(boxes.x, boxes.width, strict=True)]
    for first, parts in ((-wide / 2, edges[:3]), (1 - wide / 2, edges[3:])):
        at = first
        for left, right in parts:
            assert left == pytest.approx(at, abs=2e-4)
            at = right
    assert list(boxes.hovertext) == [
        "slot 0: 0.5 of a",
        "slot 0: 0.3 of b",
        "slot 0: 0.2 of c",
        "slot 1: 0.25 of b",
        "slot 1: 0.5 of c",
    ]
    big = draw.moment([torch.tensor([[3.0, 1.0], [1.0, 0.0]])], "ab").data[1]
    assert sum(big.width[:2]) == pytest.approx(wide, abs=1e-3) and big.width[2] == pytest.approx(wide / 4, abs=1e-3)


def test_weights_below_zero_are_a_heat_map_of_levels():
    fig, most = draw.film(SIGNED, TOKENS), max(x.abs().max() for x in SIGNED)
    for t, want in enumerate(SIGNED):
        sheet = whole(fig, t)[1]
        levels = np.asarray(sheet["z"], float)
        assert np.abs(levels * float(most) / 127 - want.numpy()).max() < float(most) / 127
    assert (sheet["zmin"], sheet["zmax"], sheet["colorscale"][0][1]) == (-127, 127, style.SIGNED[0][1])
    assert max(np.abs(np.asarray(whole(fig, t)[1]["z"])).max() for t in range(N)) == 127


def test_a_label_is_cut_to_the_room_there_is():
    fig = draw.moment([torch.eye(8)], ["a long token"] + list("bcdefgh"))
    (first, *others), pixels = fig.data[0].text, style.ACROSS / 8
    assert first == "a long token"[: int(pixels / 9) - 1] + "…"
    assert others == list("bcdefgh") and fig.data[0].hovertext[0] == "a long token: token 0"


@pytest.mark.parametrize("memory", [Hybrid(2, 2, 2), Hybrid(3, 1, 2)], ids=str)
def test_tiers_are_named_counted_and_framed_where_their_slots_stand(memory):
    k = K[:9]
    held = [memory.tiers(mem) for mem in states(memory, dye(k))]
    tiers = {name: [getattr(one, name).n for one in held] for name in held[0]._fields}
    fig = draw.film(recipe(memory, k), TOKENS[:9], tiers=tiers)
    frames = [(shape.x0, shape.x1) for shape in fig.layout.shapes]
    assert [high - low for low, high in frames] == pytest.approx([max(slots) for slots in tiers.values()])
    for t in range(9):
        boxes = in_place(whole(fig, t)[1])
        for x, said in zip(boxes["x"], boxes["hovertext"], strict=True):
            name, place = said.split(":")[0].rsplit(" ", 1)
            low, high = frames[list(tiers).index(name)]
            assert low < x < high and int(x - low) == int(place), "its slot, counted from the frame's left"
        moment = draw.alt(draw.moment(recipe(memory, k), TOKENS[:9], step=t, tiers=tiers))
        assert moment.endswith(f"({', '.join(f'{slots[t]} {name}' for name, slots in tiers.items())}).")


def test_five_tokens_at_once_are_counted_and_four_are_named():
    four = draw.film([torch.eye(4), torch.zeros(0, 4)], "abcd", at=[3, 3])
    assert [s.label for s in four.layout.sliders[0].steps] == [
        "step 0: 'a', 'b', 'c', 'd' enter",
        "step 1: 'a', 'b', 'c', 'd' leave",
    ]
    five = draw.film([torch.eye(5)], "abcde").layout.sliders[0].steps
    assert five[0].label == "step 0: 5 tokens enter"
    same = draw.film([torch.eye(1, 2), torch.eye(1, 2)], "ab").layout.sliders[0].steps
    assert same[1].label == "step 1: 'b' is read, nothing enters or leaves"


# Films of matrices and of keys in a plane

SHEETS = {m: torch.randn(N, 3, 2, generator=DRAW) * s for m, s in (("sum", 1), ("delta", 5))}
READS = {m: torch.randn(N, N, generator=DRAW) for m in SHEETS}


def test_each_matrix_and_its_view_stand_in_their_own_panels():
    fig, colors = draw.matrices(SHEETS, TOKENS, READS), draw.token_colors(N)
    names = {note.text: note for note in fig.layout.annotations}
    for i, name in enumerate(SHEETS):
        axis = fig.layout[f"xaxis{2 + i}"]
        assert names[f"S of {name}"].x == pytest.approx(axis.domain[0])
        assert axis.range == (-0.5, 1.5) and fig.layout[f"yaxis{2 + i}"].range == (2.5, -0.5)
        low, high = fig.layout[f"yaxis{4 + i}"].range
        assert (low, high) == pytest.approx((min(0, READS[name].min().item()), READS[name].max().item()))
        assert fig.layout[f"xaxis{4 + i}"].domain == axis.domain
    for t in range(N):
        text, point, *rest = whole(fig, t)
        assert list(point["x"]) == [t]
        assert list(text["marker"]["color"]) == [c if i <= t else style.CLEAR for i, c in enumerate(colors)]
        for i, name in enumerate(SHEETS):
            sheet, bars = rest[i], rest[2 + i]
            most = SHEETS[name].abs().max().item()
            assert np.abs(np.asarray(sheet["z"], float) * most / 127 - SHEETS[name][t].numpy()).max() < most / 250
            assert sheet["xaxis"] == f"x{2 + i}" and bars["xaxis"] == f"x{4 + i}"
            assert near(bars["y"], READS[name][t]) and list(bars["marker"]["color"]) == colors
            assert [html.unescape(one) for one in bars["customdata"]] == SAID
        assert html.unescape(fig.layout.sliders[0].steps[t].label) == f"step {t}: '{SAID[t]}' is written"
    ends = [f"{m} ends with numbers from {x[-1].min():.2g} to {x[-1].max():.2g}" for m, x in SHEETS.items()]
    assert draw.alt(fig) == f"Film: {N} tokens are written into matrices of 3 by 2; {'; '.join(ends)}."
    assert fig.layout.sliders[0].active == N - 1
    assert [list(t.y) for t in fig.data[4:]] == [list(t.y) for t in fig.frames[-1].data[4:]], "it stands at the last"


@pytest.mark.parametrize("local", [1, 4])
def test_each_step_in_key_space_says_what_it_fetches_and_how_much(local):
    seen, colors = view(KNN(5, local), Q, K), draw.token_colors(N)
    fig = draw.space(K[:, :2], Q[:, :2], seen, TOKENS, local=local, origin=[0.5, -1])
    far = []
    for t in range(N):
        old = max(t + 1 - local, 0)
        got = sorted((i for i in range(old) if seen[t, i] > 0), key=lambda i: -seen[t, i])
        far += [t - i for i in got]
        said = ", ".join(f"'{SAID[i]}' ({i}, {seen[t, i]:.0%})" for i in got[:3])
        more = f" and {len(got) - 3} more" if len(got) > 3 else ""
        event = f"step {t}: '{SAID[t]}' " + (f"fetches {said}{more}" if got else "finds nothing yet")
        assert html.unescape(fig.layout.sliders[0].steps[t].label) == event
        pale, edges, strip, now, store, new, origin, lines, marks, query = whole(fig, t)
        assert list(now["x"]) == [t] and len(pale["y"]) == len(store["x"]) == old
        assert [w > 0 for w in edges["marker"]["line"]["width"]] == [old <= i <= t for i in range(N)]
        assert list(strip["x"]) == got and list(strip["marker"]["color"]) == [colors[i] for i in got]
        assert (
            [html.unescape(x) for x in strip["text"]]
            == [html.unescape(x) for x in marks["text"]]
            == [SAID[i] for i in got]
        )
        assert [html.unescape(x) for x in marks["hovertext"]] == [
            f"{SAID[i]}: token {i}, {seen[t, i]:.0%}" for i in got
        ]
        assert list(marks["marker"]["size"]) == [round(19 + 17 * float(seen[t, i])) for i in got]
        assert list(marks["marker"]["color"]) == [colors[i] for i in got]
        assert np.allclose(marks["x"], K[got, 0], atol=6e-3) and np.allclose(marks["y"], K[got, 1], atol=6e-3)
        assert list(new["marker"]["line"]["color"]) == colors[old : t + 1]
        for trace, some in ((store, slice(0, old)), (new, slice(old, t + 1))):
            assert np.allclose(trace["x"], K[some, 0], atol=6e-3) and np.allclose(trace["y"], K[some, 1], atol=6e-3)
        assert [html.unescape(x) for x in new["hovertext"]] == [
            f"{SAID[i]}: token {i}, too new" for i in range(old, t + 1)
        ]
        assert [html.unescape(x) for x in store["hovertext"]] == [f"{SAID[i]}: token {i}" for i in range(N)]
        assert np.allclose(origin["x"], [0.5, Q[t, 0]], atol=6e-3) and np.allclose(
            origin["y"], [-1, Q[t, 1]], atol=6e-3
        )
    assert draw.alt(fig) == (
        f"Film: {N} queries; at the end {N - local} pairs are in the datastore; "
        f"fetched are pairs up to {max(far)} tokens back. Last, {event}."
    )
    every = torch.cat([K[:, :2], Q[:, :2]])
    for axis, x in ((fig.layout.xaxis2, every[:, 0]), (fig.layout.yaxis2, every[:, 1])):
        assert axis.range[0] < x.min() and axis.range[1] > x.max()


# The film of a fact

TALK = "Ben came. The door code is 4711. It rained & we had <soup> all day long, as ever. " * 2
SPAN = (10, 32)  # of the first half, the fact's own bytes
LEFT = torch.stack([torch.linspace(1, 0, len(TALK)), torch.linspace(1, 0.5, len(TALK)), torch.ones(len(TALK))])
LEFT[:, -1] = 0.25  # the last step is another than the one before
GIVEN = torch.rand(3, len(TALK), generator=DRAW)


def coloured(note: str) -> tuple[str, str, float]:
    """The text, what of it is coloured as the fact, and how strongly."""
    found = re.findall(r'<b><span style="color:rgba\(\d+,\d+,\d+,([\d.]+)\)">(.*?)</span></b>', note)
    return (
        plain(note.replace("<br>", "")),
        "".join(plain(text) for _, text in found),
        float(found[0][0]) if found else 0,
    )


def test_the_fact_is_marked_byte_for_byte_as_it_is_read_and_fades_as_it_is_lost():
    fig = draw.dye(LEFT, GIVEN, TALK, SPAN, after="4711")
    mean = LEFT.mean(0)
    for frame, step in zip(fig.frames, fig.layout.sliders[0].steps, strict=True):
        t = int(frame.name)
        text, marked, strong = coloured(frame.layout.annotations[-1].text)
        last = t == len(TALK) - 1
        assert text == TALK[: t + 1] + (" 4711" if last else "▌")
        assert marked == TALK[SPAN[0] : min(SPAN[1], t + 1)]
        if t >= SPAN[1]:
            assert strong == pytest.approx(0.4 + 0.6 * float(mean[t]), abs=0.006)
        elif t >= SPAN[0]:
            assert strong == 1
        told = (
            ": the fact is not read yet"
            if t < SPAN[0]
            else ": the fact is being read"
            if t < SPAN[1] - 1
            else f": {mean[t]:.0%} of the fact is left"
        )
        assert step.label == f"byte {t}{told}"
        left, *gets, dots = frame.data
        at = [int(x) for x in left.x]
        assert at == [min(s, t) for s in map(int, (f.name for f in fig.frames))]
        assert list(dots.x) == [t] * 4 and np.allclose(dots.y, [mean[t], *GIVEN[:, t]], atol=6e-5)
        assert np.allclose(left.y, mean[at], atol=6e-5)
        assert all(np.allclose(line.y, GIVEN[i][at], atol=6e-5) and list(line.x) == at for i, line in enumerate(gets))
    assert str(SPAN[1] - 1) in [frame.name for frame in fig.frames]
    assert [line.name for line in fig.data[:-1]] == ["still stored"] + [f"attention to it, layer {i}" for i in range(3)]
    assert draw.alt(fig) == (
        f"Of the fact 'The door code is 4711.' the slots hold {mean[SPAN[1] - 1]:.0%} when it has been read and "
        f"{mean[-1]:.0%} at the end; the last byte gives {GIVEN[:, -1].max():.0%} of its attention to it "
        "(the strongest layer)."
    )


def test_lines_break_behind_blanks_and_hold_every_byte():
    fig = draw.dye(None, GIVEN, TALK, SPAN, still=True)
    lines = [plain(line) for line in fig.layout.annotations[-1].text.split("<br>")]
    assert "".join(lines) == TALK + "▌" and max(len(line) for line in lines) <= 85
    assert all(line.endswith(" ") for line in lines[:-1]) and not fig.frames
    assert len(coloured(fig.layout.annotations[-1].text)[1]) == SPAN[1] - SPAN[0]


# Style


def test_the_colours_of_tokens_are_the_seven_and_their_shades():
    colors = draw.token_colors(43)
    assert colors[:7] == list(style.OKABE_ITO) and colors[21:42] == colors[:21] and len(set(colors[:21])) == 21
    for i in range(7):
        own, light, dark = (np.array(hex_to_rgb(colors[i + k])) for k in (0, 7, 14))
        assert np.abs(light - (own + 0.55 * (255 - own))).max() <= 1 and np.abs(dark - 0.6 * own).max() <= 1


@pytest.mark.parametrize("color", [*draw.token_colors(21), "#000000", "#FFFFFF"])
def test_letters_on_a_colour_have_the_better_contrast_of_black_and_white(color):
    def light(rgb):
        parts = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    own, over = light(hex_to_rgb(color)), style.over(color)
    ink = 0.0 if over == "#000000" else 1.0
    assert (max(own, ink) + 0.05) / (min(own, ink) + 0.05) > 3


@pytest.mark.parametrize("count, pixels", [(5, 800), (40, 300), (100, 800)])
def test_labels_of_an_axis_never_run_into_each_other_and_are_those_of_their_places(count, pixels):
    labels = [f"t{i}" for i in range(count)]
    for ticks, wide in ((style.ticks(labels, pixels), 25), (style.row_ticks(labels, pixels), 17)):
        at = ticks["tickvals"]
        assert ticks["ticktext"] == [labels[i] for i in at] and at[0] == 0
        assert len(at) * wide <= pixels + wide and (count * wide > pixels or at == list(range(count)))
    assert style.row_ticks(labels, pixels)["range"] == [count - 0.5, -0.5]


def test_the_sentence_beneath_has_its_room_and_the_label_of_a_token_shows_blanks():
    short, long = (draw.bars({"a" * n: 1.0}) for n in (3, 200))
    assert long.layout.height - short.layout.height == long.layout.margin.b - short.layout.margin.b == 20
    assert [style.label(t) for t in (" ", "\n", "\t", "\r", "", b"ab", 7)] == ["␣", "↵", "⇥", "␍", "∅", "ab", "7"]
    plot = short.layout.height - short.layout.margin.t - short.layout.margin.b
    assert short.layout.margin.b == 52 + 20 + 8, "the axis, a line, a little air"
    assert plot == 56 and short.layout.width == style.WIDTH


def test_memories_abreast_show_what_each_holds_and_what_its_query_receives():
    named = {str(m): (recipe(m, K, Q), view(m, Q, K)) for m in (Window(3), Hybrid(2, 2, 2), KNN(2, 3))}
    film = draw.abreast(named, TOKENS)
    for t in range(N):
        fig = draw.abreast(named, TOKENS, step=t)
        assert [bar.y for bar in fig.data] == [bar.y for bar in film.frames[t].data]
        strips = iter(fig.data)
        for name, (recipes, views) in named.items():
            held, received = (np.array(next(strips).y, float) for _ in range(2))
            assert near(held, np.abs(recipes[t].numpy()).max(0, initial=0).clip(0, 1)) and near(received, views[t])
            kept, most = int((recipes[t] != 0).any(0).sum()), int(views[t].abs().argmax())
            slots = f"{len(recipes[t])} slot{'s' * (len(recipes[t]) != 1)}, something of {kept} of {t + 1} tokens"
            gets = f"its query receives most, {float(views[t][most]):.2f}, of token {most} ('{SAID[most]}')."
            assert f"{name}: {slots}; {gets}" in draw.alt(fig)
    assert [plain(text) for text in fig.data[0].customdata] == [f"{text}: token {i}" for i, text in enumerate(SAID)]
    assert [plain(note.text).split(" · ")[0] for note in fig.layout.annotations[:3]] == list(named)
    ranges = {(axis.range[0], axis.range[1]) for axis in (fig.layout.yaxis2, fig.layout.yaxis4, fig.layout.yaxis6)}
    assert len(ranges) == 1  # one scale for all memories


def test_memories_abreast_say_what_does_not_fit():
    recipes, views = recipe(Window(3), K), view(Window(3), Q, K)
    wrong = [
        ("tokens and memories, got 13 tokens and 0", {}, {}),
        ("a needs a recipe for each of the 13 tokens, got 12", {"a": (recipes[1:], views)}, {}),
        ("a: the view must have 13 rows, got 12", {"a": (recipes, views[1:])}, {}),
        ("step must be from 0 to 12, got 13", {"a": (recipes, views)}, {"step": N}),
    ]
    for said, named, more in wrong:
        with pytest.raises(ValueError, match=re.escape(said)):
            draw.abreast(named, TOKENS, **more)
