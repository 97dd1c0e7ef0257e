"""States of more than one part that no part else explains."""

from typing import NamedTuple

from memlib.kv import KV


class WindowState(NamedTuple):
    """The first pairs, kept for good, and the newest."""

    first: KV
    newest: KV
