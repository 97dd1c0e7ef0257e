"""Where no script runs: each stored film has a still beside it, which every converter shows."""

import json
import re

import nbformat
import plotly.graph_objects as go
import pytest

from memlib.course import paths
from memlib.course.paths import CourseError
from memlib.course.write import stills


def output(figure: go.Figure):
    data = {stills.PLOTLY: json.loads(figure.to_json())}
    return nbformat.v4.new_output("display_data", data=data)


def test_a_still_is_the_picture_at_rest_without_its_controls():
    low, high = (go.Figure(go.Bar(y=[x]), {"width": 400, "height": 300, "meta": {"alt": f"a < {x}"}}) for x in (1, 2))
    for one in (low, high):
        one.update_layout(yaxis_range=[0, 2])
    played = go.Figure(low).update_layout(updatemenus=[{"buttons": [{"label": "play"}]}], sliders=[{}])
    outputs = [output(one) for one in (low, high, played)]
    stills.add_stills(outputs)
    first, second, third = (re.search(r'src="(.*)"', one.data[stills.HTML])[1] for one in outputs)
    assert first != second and first == third and 'alt="a &lt; 1"' in outputs[0].data[stills.HTML]


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(stills, "MOST", 100)
    with pytest.raises(CourseError, match=r"a film's still takes [\d,]+ letters, at most 100"):
        stills.add_stills([output(go.Figure())])
    monkeypatch.setattr(paths, "BROWSERS", ())
    with pytest.raises(CourseError, match="drawn by Chromium, which is not here: sudo apt install chromium"):
        stills.add_stills([output(go.Figure())])
