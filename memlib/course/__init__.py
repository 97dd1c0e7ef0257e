"""The course around the library: building the notebooks, grading the answers, the command line.

What an exercise imports: `from memlib.course import grade_button, inputs, look, number, report`.
"""

from memlib.course.notebook.reporting import report
from memlib.course.notebook.seeds import inputs, number

__all__ = ["grade_button", "inputs", "look", "number", "report"]


def __getattr__(name: str):
    if name == "grade_button":
        from memlib.course.notebook.button import grade_button

        return grade_button
    if name == "look":
        from memlib.course.notebook.side_by_side import look

        return look
    raise AttributeError(f"module 'memlib.course' has no attribute {name!r}")


def _watch() -> None:
    """In a notebook: remember from now on what each cell was run with, for the button and for `look`."""
    import sys

    if "IPython" in sys.modules:
        from IPython import get_ipython

        if get_ipython() is not None:
            from memlib.course.notebook.answers import watch

            watch(get_ipython())


_watch()
