"""`memlib doctor`: what works on this machine, and what to do where something does not.

In a clone of the project the whole course is wanted. Elsewhere, where pip put the library alone, what only the course
needs is a note.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable

from memlib.course.paths import CHAPTERS, INSTALL, ROOT, chromium

WANTED = re.compile(r"""(?P<name>[\w-]+)>=(?P<low>[\d.]+)(?:.*extra == ["'](?P<extra>\w+)["'])?""")


def _remake() -> str:
    return "run: make course" if CHAPTERS.is_dir() else f"run: {INSTALL}"


def _python() -> tuple[bool | None, str]:
    return sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}|install Python 3.11 or newer"


def _environment() -> tuple[bool | None, str]:
    inside = sys.prefix != sys.base_prefix or "conda" in sys.prefix.lower()
    return inside or None, f"environment {sys.prefix}|this is not an environment of its own; {_remake()}"


def _library() -> tuple[bool | None, str]:
    return _packages(None, "run: python -m pip install memlib")


def _course_packages() -> tuple[bool | None, str]:
    return _packages("course", _remake())


def _packages(extra: str | None, remedy: str) -> tuple[bool | None, str]:
    """The packages that memlib, as it is installed, asks for: always, or with [extra]."""
    try:
        lines = importlib.metadata.requires("memlib") or []
    except importlib.metadata.PackageNotFoundError:
        return False, f"|memlib is not installed here; {remedy}"
    wanted = [found for found in map(WANTED.match, lines) if found and found["extra"] == extra]
    missing = list(filter(None, (_missing(one["name"], one["low"]) for one in wanted)))
    what = f"{len(wanted)} packages of the {extra or 'library'}"
    return not missing, f"{what}|{', '.join(missing)}; {remedy}"


def _missing(name: str, low: str) -> str | None:
    """What is wrong with an installed package, in words."""
    try:
        have = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is missing"
    return f"{name} {have} is older than {low}" if _numbers(have) < _numbers(low) else None


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3]]


def _torch() -> tuple[bool | None, str]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    right = torch.allclose(torch.ones(2, 2) @ torch.ones(2, 2), torch.full((2, 2), 2.0))
    return right, f"torch {torch.__version__} on {device}, {torch.get_num_threads()} threads|torch multiplies wrongly"


def _kernel() -> tuple[bool | None, str]:
    from jupyter_client.manager import start_new_kernel

    try:
        manager, client = start_new_kernel(startup_timeout=60, kernel_name="python3", stderr=subprocess.DEVNULL)
    except Exception as error:
        return False, f"kernel|no kernel starts ({type(error).__name__}: {error}); {_remake()}"
    try:
        said: list[str] = []
        client.execute_interactive(
            "import memlib, sys; print(sys.prefix)",
            timeout=60,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    where = "".join(said).strip()
    good, bad = "kernel python3 runs memlib", f"the kernel runs in another environment ({where}); {_remake()}"
    return where == sys.prefix, f"{good}|{bad}"


def _course() -> tuple[bool | None, str]:
    built = list((ROOT / "notebooks").glob("*.ipynb"))
    return bool(built), f"{len(built)} lessons in {ROOT}|no lessons beside this memlib: they are in the project's clone"


def _browser() -> tuple[bool | None, str]:
    found = chromium()
    what = "only the browser test of make test needs it: sudo apt install chromium"
    return bool(found) or None, f"chromium {found}|no chromium; {what}"


LIBRARY: list[Callable] = [_python, _environment, _library, _torch]
COURSE: list[Callable] = [_course_packages, _course, _kernel, _browser]


def examine() -> int:
    """Print a line a check; 1 where something is wrong."""
    wrong, whole = 0, CHAPTERS.is_dir()
    for check in LIBRARY + COURSE:
        try:
            right, text = check()
        except ImportError as error:
            right, text = False, f"|{error}; {_remake()}"
        if check in COURSE and not whole:
            right = right or None
        good, _, bad = text.partition("|")
        wrong += right is False
        print({True: f"ok     {good}", False: f"WRONG  {bad}", None: f"note   {bad}"}[right], flush=True)
    print(f"{wrong} to mend." if wrong else f"Everything the {'course' if whole else 'library'} needs is there.")
    return int(wrong > 0)
