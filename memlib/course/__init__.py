"""The course around the library: building the notebooks, grading the answers, the command line.

What an exercise imports: `from memlib.course import grade_button, inputs, look, number, report`; what a lesson may:
`ask`, `claims`, `here` and `puzzle`.
"""

from importlib import import_module

from memlib.course.notebook.reporting import report
from memlib.course.notebook.seeds import inputs, number

LATER = {  # loaded when they are asked for
    "ask": "memlib.course.notebook.quizzes",
    "claims": "memlib.course.notebook.assertions",
    "grade_button": "memlib.course.notebook.button",
    "here": "memlib.course.paths",
    "look": "memlib.course.notebook.side_by_side",
    "puzzle": "memlib.course.notebook.puzzles",
}
__all__ = ["ask", "claims", "grade_button", "here", "inputs", "look", "number", "puzzle", "report"]


def __getattr__(name: str):
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'memlib.course' has no attribute {name!r}")


def _watch() -> None:
    """In a notebook: know `%%check`, and remember what each cell was run with, for the button and for `look`."""
    import sys

    if "IPython" in sys.modules:
        from IPython import get_ipython

        if get_ipython() is not None:
            from memlib.course.notebook import answers, check_cell

            answers.watch(get_ipython())
            check_cell.register(get_ipython())


_watch()
