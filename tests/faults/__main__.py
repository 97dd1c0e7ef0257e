"""Plants small faults, one at a time, in a copy of the tree, and says which of them the tests find.

    python tests/faults [AREA ...] [--of FILE]

An area is a file beside this one, with FAULTS. Every fault names the tests that should see it. They must pass without
it, and fail with it. Ends with an error where an area finds less than 90 %, or where more than three faults are called
equivalent.
"""

import argparse
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from fault import ROOT, Fault

AREAS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__main__", "fault"))
WANTED = 0.9
EXPLAINED = 3  # so many faults may be called equivalent
PATIENCE = 300  # seconds; a fault that makes a test hang is found
SAID = {0: "pass", 1: "fail", 2: "fail", None: "hang"}  # pytest's exit codes; 2: no longer imported


def copied(to: Path) -> Path:
    """What git knows or would know of the tree, in a folder."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True).stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    where = inside(to, ["-c", "import memlib; print(memlib.__file__)"])[1].strip()
    if Path(where) != to / "memlib/__init__.py":
        raise SystemExit(f"the copy's memlib is not the one that is imported: {where}")
    return to


def inside(tree: Path, command: list[str]) -> tuple[int | None, str]:
    """Exit code (None: it hangs) and output of Python in a copy.

    No .pyc is written: it would be taken for fresh where a fault has the length of what it replaces.
    """
    said = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-P", *command],
            cwd=tree,
            env=os.environ | said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout


def tested(tree: Path, tests: str) -> tuple[str, str]:
    """ "pass", "fail" or "hang", and the first test that failed."""
    plain = ["-p", "no:nbval", "--override-ini=addopts="] if ".ipynb" not in tests else []
    chosen = [one if one[0] == "-" or "tests/" in one or "/" in one else f"tests/{one}" for one in _files(tests)]
    code, out = inside(tree, ["-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", *plain, *chosen])
    if code not in SAID:
        raise SystemExit(f"pytest {tests}: exit {code}\n{out}")
    first = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", out, re.MULTILINE)
    return SAID[code], first[1] if first else out[-300:]


def _files(tests: str) -> list[str]:
    """The words of a selection; what follows -k is no file."""
    words = shlex.split(tests)
    return [f"-k{word}" if i and words[i - 1] == "-k" else word for i, word in enumerate(words) if word != "-k"]


def one(tree: Path, fault: Fault) -> tuple[str, str]:
    place = tree / fault.file
    whole = place.read_text("utf-8")
    place.write_text(fault.planted(tree), "utf-8")
    try:
        return tested(tree, fault.tests)
    finally:
        place.write_text(whole, "utf-8")


def side_by_side(trees: list[Path], work, jobs: list):
    """(job, work(tree, job), seconds) of all jobs, in their order, a process for each copy."""
    free = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def do(job):
        tree, start = free.get(), time.monotonic()
        try:
            return job, work(tree, job), time.monotonic() - start
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(do, jobs)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all, if none is named")
    asked.add_argument("--of", default="", metavar="FILE", help="only faults in files with this in their path")
    asked.add_argument("-j", type=int, default=2, metavar="N", help="processes (2)")
    wish = asked.parse_args()
    unknown = set(wish.areas) - set(AREAS)
    if unknown:
        asked.error(f"no area {', '.join(unknown)}: there are {', '.join(AREAS)}")
    table = {area: importlib.import_module(area).FAULTS for area in wish.areas or AREAS}
    table = {area: [fault for fault in rows if wish.of in fault.file] for area, rows in table.items()}
    rows = [fault for area in table.values() for fault in area]
    for fault in rows:
        fault.planted()
    found: dict[Fault, bool] = {}
    with tempfile.TemporaryDirectory() as folder:
        trees = [copied(Path(folder, str(i)).resolve()) for i in range(max(wish.j, 1))]
        for tests, (said, first), took in side_by_side(trees, tested, list(dict.fromkeys(f.tests for f in rows))):
            print(f"no fault  {took:4.0f} s  {tests}", flush=True)
            if said != "pass":
                raise SystemExit(f"pytest {tests}: {said} without a fault: {first}")
        for fault, (said, first), took in side_by_side(trees, one, rows):
            found[fault] = said != "pass"
            word = "found   " if found[fault] else "same    " if fault.equivalent else "SURVIVED"
            print(f"{word}  {took:4.0f} s  {fault}\n{'':18}{first if found[fault] else fault.tests}", flush=True)
    sys.exit(summed(table, found))


def summed(table: dict[str, list[Fault]], found: dict[Fault, bool]) -> int:
    """Prints the shares, and returns the exit code."""
    same = [fault for fault in found if fault.equivalent]
    wrong = [fault for fault in same if found[fault]]
    print(f"\n{'area':14}{'found':>7}{'planted':>9}{'share':>8}")
    low = []
    for area, rows in table.items():
        count = [found[fault] for fault in rows if not fault.equivalent]
        share = sum(count) / len(count) if count else 1.0
        low += [area] if share < WANTED else []
        print(f"{area:14}{sum(count):7}{len(count):9}{share:8.0%}")
    print(f"{len(same)} more called equivalent" + "".join(f"\n  {fault}: {fault.equivalent}" for fault in same))
    for fault in wrong:
        print(f"called equivalent, and seen: {fault}")
    return int(bool(low or wrong or len(same) > EXPLAINED))


if __name__ == "__main__":
    main()
