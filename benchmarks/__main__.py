"""`python -m benchmarks [NAME ...]`: one table and one plot a file of this folder, into benchmarks/results/."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.timing import settle
from memlib import draw

HERE = Path(__file__).parent
SKIP = {"__init__", "__main__", "pages", "pairs", "timing"}


def main(names: list[str]) -> int:
    known = sorted(p.stem for p in HERE.glob("*.py") if p.stem not in SKIP)
    if set(names) - set(known):
        print(f"benchmarks: no {sorted(set(names) - set(known))}; there are {known}")
        return 2
    settle()
    for name in names or known:
        run(name)
    return 0


def run(name: str) -> None:
    """Measures every table of one module; writes NAME.json, NAME.md and a plot NAME-i.html each."""
    out = HERE / "results"
    out.mkdir(exist_ok=True)
    tables = []
    for title, x, sizes, function in importlib.import_module(f"benchmarks.{name}").TABLES:
        rows = {n: function(n) for n in tqdm(sizes, desc=title)}
        tables.append({"title": title, "x": x, "seconds": {n: rows[n] for n in sizes}})
        lines = {}
        for key in rows[sizes[0]]:
            at = [n for n in sizes if key in rows[n]]
            lines[key] = (at, [rows[n][key] / next(iter(rows[n].values())) for n in at])
        figure = draw.curves(lines, x=x, y="times the first row", log_x=True)
        figure.write_html(out / f"{name}-{len(tables)}.html", include_plotlyjs="cdn")
    machine = f"{platform.machine()}, torch {torch.__version__}, one thread, processor time"
    (out / f"{name}.json").write_text(json.dumps({"machine": machine, "tables": tables}, indent=1) + "\n")
    text = f"# {name}: {machine}\n\n" + "\n".join(table(t) for t in tables)
    (out / f"{name}.md").write_text(text)
    print(text)


def table(t: dict) -> str:
    """Ratios to the first row of each column, whose time is given in microseconds."""
    sizes = list(t["seconds"])
    head = f"## {t['title']}\n\n| | " + " | ".join(f"{n}" for n in sizes) + " |\n|---" * 1
    lines = [head + "|---" * len(sizes) + "|"]
    first = next(iter(t["seconds"][sizes[0]]))
    for key in t["seconds"][sizes[0]]:
        cells = []
        for n in sizes:
            if key not in t["seconds"][n]:
                cells.append("not run")
                continue
            unit = t["seconds"][n][first]
            cells.append(f"{unit * 1e6:.0f} us" if key == first else f"{t['seconds'][n][key] / unit:.2f}x")
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
