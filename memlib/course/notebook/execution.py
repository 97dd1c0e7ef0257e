"""One cell's source carried out in this process."""

from __future__ import annotations

import linecache


def execute(source: str, space: dict, name: str) -> BaseException | None:
    """Run the source in the namespace; the error it ends with, or None."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        exec(compile(source, name, "exec", dont_inherit=True), space)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a learner's sys.exit too
        return error
    return None
