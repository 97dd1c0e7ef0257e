"""No claim of a lesson hangs on a clock: speeds are measured and shown, what is asserted are counts and values."""

import pytest
from clocks import timed_assertions

from memlib.course.paths import CHAPTERS
from memlib.tasks import experiments

SOURCES = sorted(CHAPTERS.glob("*/*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_assertion_depends_on_a_clock(path):
    assert timed_assertions(path.read_text("utf-8")) == [], "lines of assertions on times"


TIMED = [
    "begin = time.perf_counter()\nassert time.perf_counter() - begin < 1",
    "a, b = time.time(), 2\nassert a > 0",
    "def f():\n    return 1, time.process_time()\nsize, spent = f()\nassert spent < 3",
    "def f(n):\n    return time.monotonic() * n\nassert f(2) < 3",
    "spent = {}\nspent['a'] = time.perf_counter()\nassert spent['a'] < 1",
    "spent = []\nfor i in range(3):\n    spent.append(time.perf_counter())\nassert max(spent) < 1",
    "spent = [0]\nfor i in range(3):\n    if i:\n        spent = [time.perf_counter()]\nassert sorted(spent)[0] < 1",
    "t = {n: time.time() for n in 'ab'}\nfor name, spent in t.items():\n    assert spent",
    "for n, t in zip([1], [time.time()], strict=True):\n    assert t < n",
    "f = lambda: time.time()\nassert f()",
    "total = 0\ntotal += time.time()\nassert total < 9",
    "with open('x') as file:\n    now = time.time()\nassert now",
    "runs = stored('story')\nassert runs['a'][0]['seconds'] < 3",
    "assert score(m).pace < 2",
    "def over(what):\n    return runs[what]\nassert over('seconds') < 3",
]


@pytest.mark.parametrize("text", TIMED)
def test_an_assertion_on_a_clock_is_found_wherever_the_time_went(text):
    assert timed_assertions(text) == [text.count("\n") + 1]


UNTIMED = [
    "begin = time.perf_counter()\nprint(time.perf_counter() - begin)\nassert 1 < 2",
    "def f():\n    return 1, time.process_time()\nsize, spent = f()\nassert size == 1",
    "t = {n: time.time() for n in 'ab'}\nfor name, spent in t.items():\n    assert name in 'ab'",
    "spent = [time.time()]\nspent = [1, 2]\nassert spent == [1, 2]",
    "def f():\n    spent = time.time()\n    return 3\nspent = 2\nassert f() == 3 and spent == 2",
    "for name, ms in zip('ab', [time.time()] * 2, strict=True):\n    print(ms)\n    assert name",
]


@pytest.mark.parametrize("text", UNTIMED)
def test_an_assertion_beside_a_clock_is_left_alone(text):
    assert timed_assertions(text) == []


def test_the_stored_times_are_as_the_lessons_tell_them():
    """Chapter 10's sentences on the lengths, chapter 06's on the stories: one machine's, kept, not measured anew."""
    runs, mean = experiments.stored("lengths"), {}
    for name, seeds in runs.items():
        mean[name] = [sum(run[str(n)]["seconds"] for run in seeds) / 3 for n in (1024, 4096, 16384, 65536, 131072)]
    sparse, full = mean["top-32 sparse attention"], mean["full cache"]
    assert sparse[0] > 2 * full[0] and sparse[2] > full[2]
    assert all(0.25 < a / b < 0.5 for a, b in zip(sparse[3:], full[3:], strict=True))
    flat = ("window of 512", "hybrid, 256 and 256 of 4, rescaled", "delta rule", "linear attention")
    assert all(max(mean[name]) < 3 * mean[name][0] for name in flat)
    everything = ("top-32 sparse attention", "full cache", "window of 480, k-NN of 32")
    assert all(mean[name][-1] > 5 * mean[name][0] for name in everything)
    took = {name: sum(run["seconds"] for run in seeds) for name, seeds in experiments.stored("story").items()}
    assert took["window of 32 and the 8 nearest"] > 2 * took["full cache"]  # as a mask over all scores it only costs
