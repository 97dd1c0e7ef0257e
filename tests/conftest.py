"""Tests run in two processes on two cores: one thread each, kernels and subprocesses too, or they trip each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
LONG = "class shapes browser exercises grading course tournament experiments laws tasks lesson_cells hybrid lm"


def pytest_configure(config):
    config.addinivalue_line("markers", "long: left out unless CI is set, as .ci/run sets it")


def pytest_collection_modifyitems(config, items):
    """Lessons and long files are handed out first, so that no process works on while the other has ended."""
    place = {f"test_{name}": i for i, name in enumerate(LONG.split())}
    items.sort(key=lambda item: place.get(item.path.stem, len(place) + (item.path.suffix != ".ipynb")))
    if not os.environ.get("CI") and (left := [item for item in items if item.get_closest_marker("long")]):
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
