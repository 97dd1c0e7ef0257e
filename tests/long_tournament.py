"""A folder of memories scored and ranked: `pytest tests/long_tournament.py` (minutes)."""

import json
import xml.dom.minidom

import pytest
from test_tournament import WINDOW, entry

from memlib import Window
from memlib.course import cli
from memlib.course.paths import CourseError
from memlib.course.tournament import ranking as t
from memlib.tasks.leaderboard import score


def test_a_folder_is_ranked_and_what_is_done_is_not_done_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(t, "COUNT", 2)
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    entry(folder, WINDOW, "ada.py", 21)
    entry(folder, WINDOW, "bob.py", 30)
    entry(folder, "Mine = 1", "eve.py")
    mark = {"nbgrader": {"grade_id": "mine"}}
    cell = {"cell_type": "code", "source": WINDOW.replace("SIZE", "4"), "metadata": mark}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (folder / "cyd.ipynb").write_text(json.dumps(book), "utf-8")
    with pytest.raises(CourseError, match="--i-trust-these"):
        t.rank_memories(folder, out)
    cards = t.rank_memories(folder, out, seed=5, trusted=True)
    assert [card["name"] for card in cards] == ["ada", "cyd", "bob", "eve"]
    assert [card["place"] for card in cards] == [1, 2, None, None]
    assert cards[3]["problem"] == "There is no class Mine." and not cards[2]["within"]
    here = score(Window(21), 5, count=2, turns=1)
    assert cards[0]["tasks"] == here.plain()["tasks"]  # as if it had run here
    for name in ("ada", "bob", "cyd"):
        xml.dom.minidom.parse(str(out / f"{name}.svg"))
    assert json.loads((out / "ranking.json").read_text("utf-8"))["entries"] == cards
    monkeypatch.setattr(t, "score", None)  # nothing may be scored again
    assert cli.main(["tournament", str(folder), "--out", str(out), "--i-trust-these"]) == 0  # the seed is kept
    said = capsys.readouterr().out
    assert said.index(" 1. ada") < said.index(" 2. cyd") < said.index("over bob") < said.index("eve")
