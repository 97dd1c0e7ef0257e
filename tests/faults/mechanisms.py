"""Faults in the memories, what they share, key-value pairs and attention."""

from fault import faults

FAULTS = [
    *faults(
        "memlib/memories/window.py",
        "test_window.py",
        ("keep=self.size)", "keep=self.size + 1)"),
        ("max(self.sinks - mem.first.n, 0)", "self.sinks", "test_laws.py -k 'window and (chunk or replay)'"),
    ),
]
