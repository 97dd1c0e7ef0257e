"""`claims`: what a lesson's text says about a picture, checked below it, in a folded cell.

Where the notebook is tested (under pytest, so under nbval too, and where the builder runs it) a claim that does not
hold raises. In a learner's kernel it is one sentence, and the notebook goes on.
"""

from __future__ import annotations

import traceback

from memlib.course import variables


def strict() -> bool:
    """Whether a claim that does not hold is an error: pytest runs this, or whoever set MEMLIB_CLAIMS=raise."""
    return variables.setting("PYTEST_VERSION") != "" or variables.setting("MEMLIB_CLAIMS") == "raise"


class claims:
    """`with claims(3):` around three assertions; one line says what came of them.

    count: how many there are; the builder counts them.
    """

    def __init__(self, count: int):
        self.count = count

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, trace) -> bool:
        if error is None:
            print(f"{self.count} claim{'s' * (self.count != 1)} about this picture, checked")
            return False
        if strict() or not issubclass(kind, Exception):
            return False
        print(_sentence(error, trace))
        return True


def _sentence(error: Exception, trace) -> str:
    if not isinstance(error, AssertionError):
        return f"The claims about this picture were not checked ({type(error).__name__}: {error})."
    said = (traceback.extract_tb(trace)[0].line or "").removeprefix("assert ").split("  #")[0]
    return f"A claim about this picture does not hold here: {said}" if said else "A claim does not hold here."
