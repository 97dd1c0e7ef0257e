"""Tests run in two processes on two cores: one thread each, kernels and subprocesses too, or they trip each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
LONG = ("test_grading", "test_exercises", "test_shapes", "test_class", "test_browser", "test_course", "test_lm")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out unless CI is set, as .ci/run sets it")


def pytest_collection_modifyitems(config, items):
    """Long files are handed out first, then the lessons, so that no process works on while the other has ended."""
    place = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG) + (item.path.suffix != ".ipynb")))
    if not os.environ.get("CI") and (left := [item for item in items if item.get_closest_marker("long")]):
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
