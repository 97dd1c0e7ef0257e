"""Grading one file: what was handed in, the reference of a seed, nbval as the judge, the verdict."""
