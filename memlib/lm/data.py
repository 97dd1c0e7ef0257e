"""The course's text: Python's own standard library, read from the running interpreter.

Documentation topics (`pydoc_data.topics`) and the library's sources, split by file into train and
held-out. Nothing is downloaded. The text differs a little between Python versions: `checksum` says which.
"""

from __future__ import annotations

import hashlib
import sysconfig
from functools import cache
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

SKIP = {
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "site-packages",
    "dist-packages",
    "encodings",
    "distutils",
    "pydoc_data",
    "__pycache__",
    "__phello__",
    "lib-dynload",
    "turtledemo",
    "ensurepip",
    "_pyrepl",
    "idle_test",
}
ONE_IN = 12  # of so many files one is held out


@cache
def files() -> dict[str, str]:
    """Name -> text of every topic and source, sorted by name."""
    from pydoc_data.topics import topics

    found = {f"topics/{name}": text for name, text in topics.items()}
    root = Path(sysconfig.get_path("stdlib"))
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).parts
        if not SKIP.intersection(parts) and not parts[0].startswith(("config-", "_sysconfigdata")):
            found["/".join(parts)] = path.read_text("utf-8", errors="replace")
    return dict(sorted(found.items()))


def held_out(name: str) -> bool:
    """Whether the file of this name is held out: by the hash of its name, the same on every machine."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % ONE_IN == 0


def split() -> tuple[dict[str, str], dict[str, str]]:
    """(train, held-out): name -> text. No file is in both."""
    every = files()
    return ({n: t for n, t in every.items() if not held_out(n)}, {n: t for n, t in every.items() if held_out(n)})


def checksum() -> str:
    """SHA-256 over the names and texts of both halves, in order: what a figure was measured on."""
    digest = hashlib.sha256()
    for half in split():
        for name, text in half.items():
            digest.update(f"{name}\0{text}\0".encode())
        digest.update(b"\1")
    return digest.hexdigest()


def as_bytes(text: str | bytes) -> UInt8[Tensor, " n"]:
    """A text as its UTF-8 bytes, uint8 [n]."""
    raw = text.encode() if isinstance(text, str) else bytes(text)
    empty = torch.empty(0, dtype=torch.uint8, device="cpu")
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8) if raw else empty


@cache
def texts(path: str | None = None) -> tuple[Tensor, Tensor]:
    """(train, held-out) as uint8 tensors: of the standard library, or of the text file(s) at `path`.

    `path`: a file (its last twelfth is held out) or a folder (its files are split by name).
    Raises ValueError where there is too little text.
    """
    if path is None:
        train, held = (as_bytes("\n\n".join(half.values())) for half in split())
        return train, held
    here = Path(path)
    if not here.exists():
        raise ValueError(f"--text: no file or folder {path}")
    if here.is_dir():
        every = {str(p.relative_to(here)): p.read_bytes() for p in sorted(here.rglob("*")) if p.is_file()}
        halves = [b"\n\n".join(t for n, t in every.items() if held_out(n) == out) for out in (False, True)]
    else:
        raw = here.read_bytes()
        cut = len(raw) - len(raw) // ONE_IN
        halves = [raw[:cut], raw[cut:]]
    if min(map(len, halves)) < 1024:
        sizes = " and ".join(str(len(half)) for half in halves)
        raise ValueError(f"--text: {path} gives {sizes} bytes to train on and hold out, wanted 1024 of each")
    return as_bytes(halves[0]), as_bytes(halves[1])


def batch(text: UInt8[Tensor, " n"], length: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` pieces of `length` + 1 bytes from random places: int64 [size, length + 1]."""
    if len(text) < length + 1:
        raise ValueError(f"batch: length {length} wants a text of at least {length + 1} bytes, got {len(text)}")
    at = torch.randint(len(text) - length, (size, 1), generator=generator, device="cpu")
    return text[at + torch.arange(length + 1, device="cpu")].long()
