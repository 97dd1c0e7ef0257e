"""The experiments: what a memory can do, measured on any memory, seeded.

one_fact        a fact early in a stream, small talk, the question: does the model still answer?
recall          random pairs in, every key asked once: how many pairs survive?
rebinding       keys bound again and again: is the newest value read?
gist_and_drift  a noisy topic, then another: how long should a memory average?
passkey         the fact at different depths of a text of one length
copy            a passage, other text, the passage again: how many bits does a byte cost when it comes again?
mqar            associative recall, trained: can a model learn to look up with this memory?

Beside each stands the curve to expect, where there is one: `recall_expected`, `rebinding_expected`,
`gist_expected`. All of them at once, at the same bytes: `leaderboard`; the game: `detective`; the long runs:
`experiments`.
"""

from memlib.tasks.associative import mqar
from memlib.tasks.dyed_fact import OneFact, one_fact
from memlib.tasks.gist import gist_and_drift, gist_expected
from memlib.tasks.lookup import SHARP, rebinding, rebinding_expected, recall, recall_expected
from memlib.tasks.texts import DEPTHS, copy, heads, passkey

__all__ = [
    "DEPTHS",
    "SHARP",
    "OneFact",
    "copy",
    "gist_and_drift",
    "gist_expected",
    "heads",
    "mqar",
    "one_fact",
    "passkey",
    "rebinding",
    "rebinding_expected",
    "recall",
    "recall_expected",
]
