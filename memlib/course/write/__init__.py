"""From chapters to notebooks: the builder, the films of the lessons, a class's own editions."""

import sys
from importlib.util import find_spec

from memlib.course.paths import INSTALL

if sys.argv[0] == "-m" and not find_spec("nbformat"):  # while python -m looks for a module in this folder
    sys.exit(f"Writing notebooks needs nbformat, which comes with: {INSTALL}")
