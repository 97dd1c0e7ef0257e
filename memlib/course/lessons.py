"""The lessons as a learner's own: `python lessons.py FOLDER` lays copies of notebooks/ there. Run by lab.py.

What the learner has changed is kept. A copy counts as changed when the text of a cell is another: what running it
leaves behind does not count. A newer lesson takes the place of a copy that is not changed, and is laid beside one that
is. What each file was when it was laid stands in FOLDER/.laid.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cells_text(path: Path) -> str | None:
    """A fingerprint of what stands in a notebook's cells; None where there is no file."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return "unreadable"
    return hashlib.sha256(json.dumps([one for one in texts if one[1].strip()]).encode()).hexdigest()


def put_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{os.getpid()}.partial")
    part.write_bytes(content)
    os.replace(part, path)


def bring(lesson: Path, folder: Path, laid: dict[str, str]) -> str | None:
    """Lay a lesson into the folder; what is to be said of it."""
    name, new, have = lesson.name, str(cells_text(lesson)), cells_text(folder / lesson.name)
    if have == new or (have is not None and laid.get(name) == new):  # nothing newer
        laid[name] = new
        return None
    place = name if have in (None, laid.get(name)) else beside(lesson, folder, laid)
    if place == name or laid.get(place) != new:
        put_whole(folder / place, lesson.read_bytes())
        laid[place] = new
    there = place != name and (folder / place).exists()
    return f"{name} has a newer version: {from_here(folder / place)}" if there else None


def beside(lesson: Path, folder: Path, laid: dict[str, str]) -> str:
    """Where the newer lesson lies, or may be laid without harm to what is there."""
    for number in count(1):
        name = f"{lesson.stem} (new{'' if number == 1 else f' {number}'}).ipynb"
        if laid.get(name) == cells_text(lesson) or cells_text(folder / name) in (None, laid.get(name)):
            return name
    raise AssertionError


def from_here(path: Path) -> str:
    """The path as a person would write it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def remembered(path: Path) -> dict[str, str]:
    """What was laid before; nothing, and a sentence, where that is damaged."""
    try:
        laid = json.loads(path.read_text("utf-8"))
        return {str(name): str(text) for name, text in laid.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        print(f"{from_here(path)} is damaged and begun anew; your lessons stay as they are.")
        return {}


def main(folder: Path) -> None:
    """Bring every lesson."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        laid = remembered(folder / ".laid.json")
        said = [bring(lesson, folder, laid) for lesson in sorted((ROOT / "notebooks").glob("*.ipynb"))]
        put_whole(folder / ".laid.json", (json.dumps(laid, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        sys.exit(f"The lessons cannot be copied to {from_here(folder)}: {error.strerror}.")
    print(*filter(None, said), sep="\n", end="\n" if any(said) else "")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
