"""The memories on which the laws run. A chapter adds its own line; an exemption names its reason."""

from memlib import Full, Window

MEMORIES = {
    "full": lambda: Full(),
    "window": lambda: Window(4),
    "window of one": lambda: Window(1),
    "window with sinks": lambda: Window(3, sinks=2),
}

# law -> {memory: why it does not hold there}
EXEMPT: dict[str, dict[str, str]] = {
    "bounded": {"full": "it keeps every pair: that is what the others are measured against"},
}

# the memory when nothing is ever forgotten, where there is such a limit
UNLIMITED = {
    "full": lambda: Full(),
    "window": lambda: Window(10_000),
    "window of one": lambda: Window(10_000),
    "window with sinks": lambda: Window(10_000, sinks=2),
}
