"""The tournament: memories of learners' own, within 64 KB, on numbers that nobody has seen.

A file is Python with a class `Mine`, or the notebook of the exercise whose answer cell `mine` holds it. Each is scored
by `memlib.tasks.leaderboard.score`, while its code runs elsewhere (`remote`) and only its state, which is weighed,
goes on from process to process. One card an entry: NAME.json, and NAME.svg, a picture to share.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from memlib.course.grade import submission
from memlib.course.group.batch import UNTRUSTED
from memlib.course.paths import CourseError
from memlib.course.tournament.remote import NAME, EntryError, Remote
from memlib.tasks import experiments
from memlib.tasks.leaderboard import LIMIT, TASKS, score

FORMAT = 1
TASK = "mine"  # the answer cell of the exercise
MOST = 200_000  # bytes of a file
SECONDS = 600.0  # for an entry
COUNT = 12  # streams, passages and rows a task


def rank_memories(path: Path, out: Path, seed: int | None = None, jobs: int = 1, trusted: bool = False) -> list[dict]:
    """Scores one file, or every .py and .ipynb of a folder; writes cards and ranking.json into `out`; the cards, best
    first. What `out` holds a card of, for the same file and seed, is not scored again.

    seed: of all that is drawn; drawn itself, and kept in `out`, unless given. Raises CourseError where there is nothing
    to score, or where a folder's code is not trusted.
    """
    files = _files(Path(path))
    if len(files) > 1 and not trusted:
        raise CourseError(UNTRUSTED)
    if os.name != "posix":
        raise CourseError(
            "The tournament forks a process for each memory, which this system cannot: use Linux or macOS."
        )
    if seed is not None and seed < 1:
        raise CourseError(f"--seed is {seed}; wanted is a whole number from 1.")
    out.mkdir(parents=True, exist_ok=True)
    seed = seed or _kept_seed(out)
    with ThreadPoolExecutor(max(jobs, 1)) as pool:
        cards = list(pool.map(lambda pair: _card(*pair, out, seed), files.items()))
    cards = ranked(cards)
    _write(
        out / "ranking.json", json.dumps({"format": FORMAT, "seed": seed, "limit": LIMIT, "entries": cards}, indent=1)
    )
    return cards


def ranked(cards: list[dict]) -> list[dict]:
    """Best first: those within the limit by their total, fewer bytes first where it is the same; then those that keep
    more; then those that could not be scored."""

    def order(card: dict):
        if "problem" in card:
            return 2, 0.0, 0, card["name"]
        return 0 if card["within"] else 1, -card["total"], card["bytes_kept"], card["name"]

    cards = sorted(cards, key=order)
    for place, card in enumerate(cards, 1):
        card["place"] = place if "problem" not in card and card["within"] else None
    return cards


def ranking_text(cards: list[dict], out: Path) -> str:
    """The ranking as a table."""
    wide = max(len(card["name"]) for card in cards)
    lines = [f"{'':>4} {'':{wide}} total  bytes  " + "  ".join(TASKS)]
    for card in cards:
        if "problem" in card:
            lines.append(f"{'-':>4} {card['name']:{wide}} {card['problem']}")
            continue
        place = f"{card['place']}." if card["place"] else "over"
        values = "  ".join(f"{card['tasks'][task]:{len(task)}.2f}" for task in TASKS)
        lines.append(f"{place:>4} {card['name']:{wide}} {card['total']:5.3f} {card['bytes_kept']:6}  {values}")
    lines.append(f"Limit: {LIMIT} bytes in all 12 heads. Cards and ranking.json: {out}")
    return "\n".join(lines)


def _files(path: Path) -> dict[str, Path]:
    if path.is_dir():
        found = {
            p.stem: p for p in sorted(path.iterdir()) if p.suffix in (".py", ".ipynb") and not p.name.startswith(".")
        }
        if not found:
            raise CourseError(f"{path} holds no .py or .ipynb file.")
        return found
    if not path.is_file():
        raise CourseError(f"There is no file {path}.")
    return {path.stem: path}


def entry_source(path: Path) -> str:
    """The code of an entry: the file's text, or the answer cell of the exercise. CourseError in a sentence."""
    if path.is_symlink() or path.stat().st_size > (MOST if path.suffix == ".py" else submission.MOST):
        raise CourseError(f"{path.name} is a link, or too large: wanted is a file with the class {NAME}.")
    if path.suffix == ".ipynb":
        cells = [text for text, cell in submission.read_submission(path).cells if submission.grade_id(cell) == TASK]
        if len(cells) != 1:
            raise CourseError(f"{path.name} holds {len(cells)} answer cells {TASK!r}, wanted one.")
        return cells[0]
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise CourseError(f"{path.name} is not text.") from None


def _card(name: str, path: Path, out: Path, seed: int) -> dict:
    try:
        code = entry_source(path)
    except CourseError as error:
        return {"name": name, "problem": str(error)}
    mark = hashlib.sha256(code.encode()).hexdigest()
    kept = out / f"{name}.json"
    if kept.exists():
        card = json.loads(kept.read_text("utf-8"))
        if (card.get("sha256"), card.get("seed")) == (mark, seed):
            return card
    lines = sum(1 for line in code.splitlines() if line.strip() and not line.strip().startswith("#"))
    card = {"format": FORMAT, "name": name, "sha256": mark, "seed": seed, "limit": LIMIT, "lines": lines}
    card |= _scored(code, path.stem, seed)
    if "problem" not in card:
        _write(out / f"{name}.svg", picture(card))
    _write(kept, json.dumps(card, indent=1) + "\n")
    return card


def _scored(code: str, name: str, seed: int) -> dict:
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory(prefix="memlib-entry-") as folder:
        file = Path(folder, f"{name}.py")
        file.write_text(code, encoding="utf-8")
        try:
            with Remote(file, SECONDS) as memory:
                return score(memory, seed, count=COUNT, turns=1).plain()
        except EntryError as error:
            return {"problem": str(error)}
        except (ValueError, TypeError, RuntimeError, IndexError) as error:  # what came back does not fit the model
            return {"problem": f"What it gives does not fit: {type(error).__name__}: {str(error)[:200]}"}
        finally:
            torch.set_num_threads(threads)


def _kept_seed(out: Path) -> int:
    path = out / "ranking.json"
    if path.exists():
        return json.loads(path.read_text("utf-8"))["seed"]
    return secrets.randbelow(2**20) + 1


def best() -> dict[str, float]:
    """For each task the best that the course's own memories reach within the limit, as stored."""
    runs = [seeds for seeds in experiments.stored("leaderboard").values() if all(run["within"] for run in seeds)]
    return {task: max(sum(run["tasks"][task] for run in seeds) / len(seeds) for seeds in runs) for task in TASKS}


def picture(card: dict) -> str:
    """The card as an SVG of 720 x 400: a bar a task, and a mark where the best of the course's own memories stands."""
    return "\n".join(_svg(card)) + "\n"


def _svg(card: dict) -> Iterator[str]:
    marks, name = best(), html.escape(card["name"])
    kept = f"{card['bytes_kept']:,} of {LIMIT:,} bytes" + ("" if card["within"] else ": over the limit")
    tells = "; ".join(f"{task} {card['tasks'][task]:.2f}" for task in TASKS)
    size = 'width="720" height="400" viewBox="0 0 720 400"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    yield f"<title>{name}: {card['total']:.3f}</title><desc>{tells}. {kept}.</desc>"
    yield '<rect width="720" height="400" fill="#ffffff"/>'
    yield _text(24, 42, 24, name)
    yield _text(696, 42, 24, f"{card['total']:.3f}", "end")
    yield _text(24, 66, 14, f"{kept} · {card['lines']} lines · seed {card['seed']}")
    for row, task in enumerate(TASKS):
        y, value = 92 + 34 * row, card["tasks"][task]
        yield _text(120, y + 16, 15, task, "end")
        yield f'<rect x="132" y="{y}" width="500" height="22" fill="#eeeeee"/>'
        yield f'<rect x="132" y="{y}" width="{500 * value:.1f}" height="22" fill="#0072B2"/>'
        yield f'<rect x="{132 + 500 * marks[task] - 1.5:.1f}" y="{y - 3}" width="3" height="28" fill="#D55E00"/>'
        yield _text(644, y + 16, 15, f"{value:.2f}")
    yield '<rect x="132" y="374" width="3" height="14" fill="#D55E00"/>'
    yield _text(142, 386, 13, "the best of the course's own memories within the limit")
    yield "</svg>"


def _text(x: int, y: int, size: int, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="#111111">{text}</text>'


def _write(path: Path, text: str) -> None:
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
