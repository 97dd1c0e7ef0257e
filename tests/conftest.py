"""Tests run in two processes on two cores: one thread each, kernels and subprocesses too, or they trip each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
