"""The memories' quick forms: whole sequences at once, reads without a copy, many pairs in one update.

Importing this fills the tables of `memlib.memory`. The forms are found by exact type, and a law holds each equal to
the replay of the memory's own text (`memlib.laws`).
"""

from memlib.fast import averages, full, knn, matrix, recurrent, tiers, together, window

__all__ = ["averages", "full", "knn", "matrix", "recurrent", "tiers", "together", "window"]
