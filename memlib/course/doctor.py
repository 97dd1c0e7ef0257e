"""`memlib doctor`: what works on this machine, and what to do where something does not."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable

from memlib.course.places import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
REMAKE = "run: make course"


def _python() -> tuple[bool | None, str]:
    return sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}|install Python 3.11 or newer"


def _environment() -> tuple[bool | None, str]:
    inside = sys.prefix != sys.base_prefix or "conda" in sys.prefix.lower()
    return inside or None, f"environment {sys.prefix}|this is not an environment of its own; {REMAKE}"


def _packages() -> tuple[bool | None, str]:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    missing = []
    for one in wanted:
        name, low = re.match(r"([\w-]+)>=([\d.]+)", one).groups()
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"{name} is missing")
            continue
        if _numbers(have) < _numbers(low):
            missing.append(f"{name} {have} is older than {low}")
    return not missing, f"{len(wanted)} packages|{', '.join(missing)}; {REMAKE}"


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
        return False, f"kernel|no kernel starts ({type(error).__name__}: {error}); {REMAKE}"
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
    return where == sys.prefix, f"kernel python3 runs memlib|the kernel runs in another environment ({where}); {REMAKE}"


def _course() -> tuple[bool | None, str]:
    built = list((ROOT / "notebooks").glob("*.ipynb"))
    return bool(built), f"{len(built)} lessons in {ROOT}|no notebooks in {ROOT}: clone the repository, then {REMAKE}"


def _browser() -> tuple[bool | None, str]:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    what = "only the browser test of make test needs it: sudo apt install chromium"
    return bool(found) or None, f"chromium {found}|no chromium; {what}"


CHECKS: list[Callable] = [_python, _environment, _packages, _torch, _course, _kernel, _browser]


def doctor() -> int:
    """Print a line a check; 1 where something is wrong."""
    wrong = 0
    for check in CHECKS:
        try:
            right, text = check()
        except ImportError as error:
            right, text = False, f"|{error}; {REMAKE}"
        good, _, bad = text.partition("|")
        wrong += right is False
        print({True: f"ok     {good}", False: f"WRONG  {bad}", None: f"note   {bad}"}[right], flush=True)
    print("Everything the course needs is there." if not wrong else f"{wrong} to mend.")
    return int(wrong > 0)
