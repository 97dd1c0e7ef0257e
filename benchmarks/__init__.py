"""Ours and the peers on the same work: `python -m benchmarks` (or `make bench`)."""
