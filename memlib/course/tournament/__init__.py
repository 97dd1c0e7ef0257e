"""Memories of learners' own within 64 KB: each computes elsewhere, and is ranked."""
