"""The environment of the course: `python environment.py [course|test]` makes .venv, or leaves it as it is.

Plain Python without memlib, run by make with the interpreter it found. The packages come as constraints.txt pins
them; torch comes first, from TORCH_INDEX where that is given, so that nothing else brings another build of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = {"course": "[course]", "test": "[test]"}
QUIET = {"@jupyterlab/apputils-extension:notification": {"checkForUpdates": False, "fetchNews": "false"}}


def stamp(goal: str) -> str:
    """What the environment was made from, in one line."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return f"{goal} {hashlib.sha256(b''.join(parts)).hexdigest()}"


def fresh(goal: str) -> bool:
    """Whether .venv was made for this goal (or for more) from what the files hold now."""
    kept = VENV / "memlib-stamp"
    return PYTHON.exists() and kept.exists() and kept.read_text().strip() in (stamp(goal), stamp("test"))


def problem() -> str | None:
    """One sentence where this interpreter cannot make the environment."""
    if sys.version_info < (3, 11):  # noqa: UP036
        return f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}."
    if not find_spec("venv") or not find_spec("ensurepip"):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"{sys.executable} comes without venv: on Debian and Ubuntu, sudo apt install python{version}-venv"
    return None


def pip(*words: str) -> None:
    """Install, with the pins; the program ends where pip fails."""
    command = [str(PYTHON), "-m", "pip", "install", "-q", "-c", "constraints.txt", *words]
    if subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL):
        sys.exit(f"pip failed; what it said stands above. Its command was: {' '.join(command)}")


def torch_index() -> list[str]:
    """Where torch comes from: TORCH_INDEX, else pip's default."""
    url = os.environ.get("TORCH_INDEX", "").strip()
    return ["--index-url", url, "--no-deps"] if url else []


def prepare(goal: str) -> None:
    """Make .venv and fill it."""
    started = time.monotonic()
    if not PYTHON.exists():
        print(f"1/3 Making .venv with Python {sys.version.split()[0]}", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]):
            sys.exit("Making .venv failed; what Python said stands above. Is there room on the disk?")
    source = os.environ.get("TORCH_INDEX", "").strip() or "pip's default index"
    print(f"2/3 Installing PyTorch from {source} (the largest part)", flush=True)
    pip("torch", *torch_index())
    print("3/3 Installing JupyterLab and the rest: a few minutes", flush=True)
    pip("-e", f".{EXTRAS[goal]}")
    settings = VENV / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(QUIET, indent=1) + "\n")
    (VENV / "memlib-stamp").write_text(stamp(goal) + "\n")
    print(f"The environment is in .venv ({time.monotonic() - started:.0f} s).", flush=True)


def main(goal: str = "course") -> None:
    """Make what is missing, and say so."""
    if fresh(goal):
        print("The environment in .venv is as it should be.", flush=True)
        return
    said = problem()
    if said:
        sys.exit(said)
    prepare(goal)


if __name__ == "__main__":
    main(*sys.argv[1:])
