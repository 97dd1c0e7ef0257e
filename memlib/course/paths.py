"""Where the parts of the course lie."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
ABSENT = "This copy of the course has no folder chapters/, which says what each task asks for: take the whole project."

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
INSTALL = 'python -m pip install "memlib[course]"'


class CourseError(Exception):
    """Something is wrong with the course or with a file handed to it; the text is one sentence for its author."""


def chromium() -> str | None:
    """The machine's Chromium, or a browser made of it."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def chapters() -> list[str]:
    """The names of all chapters, in order: `01_window`, `02_averages`, ..."""
    return sorted(p.name for p in CHAPTERS.glob("*_*") if p.is_dir() and any(p.glob("*.py")))


def chapter(text: str) -> str:
    """The chapter meant by `1`, `01`, `01_window` or a path to one of its notebooks."""
    stem = Path(text).stem
    known = chapters()
    if stem in known:
        return stem
    if not known:
        raise CourseError(ABSENT)
    number = re.match(r"\d+[a-z]?", stem)
    wanted = number.group().zfill(3 if number.group()[-1].isalpha() else 2) if number else None
    found = [name for name in known if name.split("_")[0] == wanted]
    if not found:
        raise CourseError(f"There is no chapter {text!r}; there are {', '.join(known)}.")
    return found[0]


def here(number: str) -> ModuleType:
    """What a chapter's lesson needs and does not show: `here("07")` is chapters/07_together/here.py."""
    name = chapter(number)
    path, known = CHAPTERS / name / "here.py", f"memlib_chapter_{name}"
    if not path.exists():
        raise CourseError(f"{shown(path)} is missing: take the whole project.")
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[known] = module
    return sys.modules[known]


def shown(path: Path) -> str:
    """The path as a person would write it: from the project's folder where it lies inside."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
