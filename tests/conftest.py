"""Tests run in two processes on two cores: one thread each, kernels and subprocesses too, or they trip each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
LONG = ("test_grading", "test_exercises", "test_shapes", "test_class", "test_browser", "test_course", "test_lm")


def pytest_collection_modifyitems(items):
    """Long files are handed out first, then the lessons, so that no process works on while the other has ended."""
    place = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG) + (item.path.suffix != ".ipynb")))
