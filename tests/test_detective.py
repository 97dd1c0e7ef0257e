"""The black box: the same seed is the same box, its evidence is the memory's, a guess is judged."""

import pytest
import torch

from memlib import KNN, Joint, Window, lm, tasks, view, widgets
from memlib.course.paths import CHAPTERS
from memlib.tasks import detective
from memlib.tasks.detective import SUSPECTS, TEN, TEXT, Box

BOXES = {}
for seed in range(200):  # the first box of each suspect
    BOXES.setdefault(Box(seed)._name, Box(seed))


NUMBERED = [  # the list only grows: a seed keeps its box
    "full cache",
    "window",
    "window with 4 sinks",
    "moving average",
    "cumulative average",
    "exponential average",
    "hybrid cache, means of 4",
    "linear attention",
    "delta rule",
    "window of 8 and k-NN",
]


KEPT = [
    ("delta rule", 0),
    ("window with 4 sinks", 40),
    ("exponential average", 4),
    ("moving average", 4),
    ("delta rule", 0),
    ("window", 8),
    ("window with 4 sinks", 24),
    ("exponential average", 16),
]


def test_a_seed_keeps_its_box_when_suspects_come(monkeypatch):
    seeds = (0, 1, 2, 3, 12, 20, 999, 20261129)
    before = [(Box(seed)._name, Box(seed)._size) for seed in seeds]
    assert before == KEPT
    monkeypatch.setitem(SUSPECTS, "one more", SUSPECTS["full cache"])
    assert [(Box(seed)._name, Box(seed)._size) for seed in seeds] == before
    among = len(SUSPECTS)
    assert "one more" in {Box(seed, among)._name for seed in range(among)}
    with pytest.raises(ValueError, match=f"Box: among must be at most {among}, got {among + 1}"):
        Box(0, among + 1)


def test_every_suspect_comes_and_a_seed_is_a_box():
    assert list(SUSPECTS)[:TEN] == NUMBERED and set(BOXES) == set(NUMBERED)
    for box in BOXES.values():
        again = Box(box.seed)
        assert (again._name, again._size) == (box._name, box._size) and repr(box) == f"Box(seed={box.seed})"
        assert torch.equal(again.view(), box.view())


def test_ten_boxes_in_a_row_are_ten_mechanisms():
    for first in (0, 20, 990):
        assert len({Box(seed)._name for seed in range(first, first + TEN)}) == TEN


def test_the_view_is_that_of_the_memory():
    q, k, _ = tasks.heads(lm.load("stdlib"), TEXT, 1, 2)
    box = BOXES["window"]
    assert torch.equal(box.view(), view(Window(box._size), q, k))
    widths = {name: (box.view().abs() > 1e-6).sum(1)[-1].item() for name, box in BOXES.items()}
    assert widths["full cache"] == len(TEXT) and widths["window"] == BOXES["window"]._size
    assert widths["window of 8 and k-NN"] == 8 + BOXES["window of 8 and k-NN"]._size


def test_a_box_that_keeps_everything_grows_slower_and_a_window_does_not():
    full, window = (BOXES[name].latency((256, 32768), 9) for name in ("full cache", "window"))
    assert full[32768] > 5 * full[256] and window[32768] < 3 * window[256]


def test_answers_come_through_the_memory():
    assert BOXES["full cache"].ask(100) == "4711" and BOXES["window"].ask(100) != "4711"
    assert BOXES["full cache"].ask(60, "The name of the cat is Minka.", "what is the cat called?") == "Minka"


ASSISTANTS = {  # exercise 10, Stretch 2: what is in each, in the order of the transcripts
    "One": lambda answers: answers.reading(Window(100, sinks=30)),
    "Two": lambda answers: lm.load("facts_delta"),
    "Three": lambda answers: answers.reading(Window(110)),
    "Four": lambda answers: answers.reading(Joint(Window(32), KNN(8, 32))),
}
BETWEEN = (  # the small talk that the transcripts leave out
    "We had soup and bread for dinner. What a long week it was. In Oslo the shops close at six. ",
    "The coffee was cold again. It rained all day. Anna bought a red drum yesterday. ",
    "What a long week it was. ",
)


def test_the_assistants_of_the_exercise_say_what_is_written():
    source = (CHAPTERS / "10_choosing/exercise.py").read_text("utf-8")
    lines = [line.removeprefix("#").strip() for line in source.split("\n")]
    answers, knows = lm.load("facts"), {}
    for who, made in ASSISTANTS.items():
        (first,) = (i for i, line in enumerate(lines) if line.startswith(f"{who} ") and " ... " in line)
        told = lines[first].removeprefix(who).removesuffix("...").strip().split(" ... ")
        text, model = "".join(a.strip() + " " + b for a, b in zip(told, BETWEEN, strict=True)), made(answers)
        for fact, line in zip(told, lines[first + 1 : first + 4], strict=True):
            question, written = line.split("?")[0] + "?", line.split("?")[1].strip().split("  ")[0]
            said = model.generate(f"{text}Question: {question} Answer: ".encode(), 16).decode(errors="replace")
            said = said.split(".")[0]
            value = fact.rstrip(".").split()[-1]
            knows[who] = knows.get(who, "") + ("knows " if said == value else "no ")
            assert said != value if written == "(a wrong word)" else said == written, (who, question, said)
    assert knows == {"One": "knows no knows ", "Two": 3 * "knows ", "Three": "no no knows ", "Four": 3 * "knows "}


def test_a_guess_needs_the_mechanism_and_about_the_size():
    for name, box in BOXES.items():
        assert box.guess(name, box._size)
        other = "window" if name != "window" else "full cache"
        said = box.guess(other, box._size)
        assert not said and not said.mechanism and name in said.was
        if SUSPECTS[name].sizes:
            far = box.guess(name, 3 * box._size)
            assert far.mechanism and not far and not box.guess(name) and str(box._size) in far.was
            assert "the size is not" in repr(far)
        else:
            assert box.guess(name)
    with pytest.raises(ValueError, match="guess: mechanism must be one of full cache, .*got 'gru'"):
        Box(0).guess("gru")
    with pytest.raises(ValueError, match="Box: seed must be a whole number >= 0, got -1"):
        Box(-1)


def test_the_widget_shows_evidence_asks_and_judges(monkeypatch):
    monkeypatch.setattr(detective.Box, "latency", lambda self: {256: 10.0, 1024: 20.0})
    detective.evidence.cache_clear()
    box = BOXES["full cache"]
    game = widgets.detective(box.seed)
    assert game.figure.data[0].type == "heatmap"
    game.controls["evidence"].value = "latency"
    assert game.figure.data[0].type == "scatter" and list(game.figure.data[0].y) == [10, 20]
    game.ask.click()
    assert "the model says: 4711" in game.heard.value
    game.guess.click()  # "full cache" stands first
    assert "Solved: it was a full cache." in game.verdict.value
    game.controls["seed"].value = BOXES["window"].seed
    assert not game.heard.value and not game.verdict.value
    for left in ("2 more guesses", "1 more guess "):
        game.guess.click()
        said = game.verdict.value
        assert "Not this one" in said and left in said and "window" not in said
    game.guess.click()
    assert "No: it was a window of size" in game.verdict.value
    game.controls["seed"].value = BOXES["hybrid cache, means of 4"].seed
    game.controls["mechanism"].value, game.controls["size"].value = "hybrid cache, means of 4", 99
    game.guess.click()
    assert "The mechanism is right, the size is not" in game.verdict.value and "2 more" in game.verdict.value
    game.controls["fact"].value = ""
    game.ask.click()
    assert "Fact: statement must be some text" in game.heard.value
    detective.evidence.cache_clear()
