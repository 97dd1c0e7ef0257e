"""A lesson's questions by key: whole, answered by the option chosen, and without an answer in the notebook."""

import json
import re

import pytest

from memlib.course.notebook import quizzes
from memlib.course.paths import CHAPTERS, ROOT, CourseError
from memlib.course.source import load_lesson

ASKED = [path.parent.name for path in sorted(CHAPTERS.glob("*/quizzes.toml"))]


def used(name: str) -> list[str]:
    calls = re.findall(r'(?<![.\w])ask\("\w+", ([^)]*)\)', "\n".join(cell.source for cell in load_lesson(name)))
    return [key.strip().strip('"') for keys in calls for key in keys.split(",")]


@pytest.mark.parametrize("name", ASKED)
def test_every_question_is_asked_once_in_its_lesson(name):
    assert sorted(used(name)) == sorted(quizzes.questions(name))


@pytest.mark.parametrize("name", ASKED)
def test_each_option_gets_a_sentence_of_its_own_and_one_is_right(name):
    for key in used(name):
        box = quizzes.ask(name, key).children[0]
        entry, said = quizzes.questions(name)[key], []
        if "options" not in entry:
            continue
        for place in range(len(entry["options"])):
            box.choice.value = place
            box.button.click()
            said.append(box.said.value)
        assert len(set(said)) == len(said) and len(set(entry["why"])) == len(said)
        assert [i for i, text in enumerate(said) if "✓" in text] == [entry["answer"]]


@pytest.mark.parametrize("name", ASKED)
def test_no_feedback_stands_in_the_built_notebook(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
    whole = json.dumps([cell["source"] for cell in book["cells"]])
    assert not [
        sentence
        for one in quizzes.questions(name).values()
        for sentence in ([one["why"]] if isinstance(one["why"], str) else one["why"])
        if sentence in whole
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        ("[a]\nquestion = 'x'", "wanted are feedback, options, question, right"),
        ("[a]\nquestion = 'x'\noptions = ['a', 'b']\nright = 2\nfeedback = ['c', 'd']", "a sentence for each of the 2"),
        ("[a]\nquestion = 'x'\noptions = ['a', 'b']\nright = 1\nfeedback = ['c']", "a sentence for each of the 2"),
        ("[a", "quizzes.toml"),
    ],
)
def test_a_damaged_file_of_questions_is_named(text, said, tmp_path, monkeypatch):
    (tmp_path / "77_x").mkdir()
    (tmp_path / "77_x" / "quizzes.toml").write_text(text)
    monkeypatch.setattr(quizzes, "CHAPTERS", tmp_path)
    monkeypatch.setattr(quizzes, "chapter", lambda number: "77_x")
    with pytest.raises(CourseError, match=said):
        quizzes.questions("77_x" + text)


def test_an_unknown_key_says_which_there_are():
    with pytest.raises(CourseError, match="has the questions compared, .*; got nonsense"):
        quizzes.ask("00", "nonsense")
