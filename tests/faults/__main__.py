"""Plants small faults, one at a time, in a copy of the tree, and says which of them the tests find.

    python tests/faults [AREA ...] [--of FILE]

An area is a file beside this one, with FAULTS. Every fault names the tests that should see it. They must pass without
it, and fail with it. Ends with an error where an area finds less than 90 %, or where more than three faults are called
equivalent.
"""

import argparse
import importlib
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from queue import SimpleQueue

from fault import ROOT, Fault
from fresh import HEAVY, run

AREAS = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__main__", "fault", "fresh")
)
WANTED = 0.9
EXPLAINED = 3  # so many faults may be called equivalent
PATIENCE = 900  # seconds; a fault that makes a test hang is found
SAID = {0: "pass", 1: "fail", 2: "fail"}  # pytest's exit codes; 2: it is no longer imported
SECONDS = itertools.count(1_000_000_000)
METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
FRESH = get_context(METHOD)


def copied(to: Path) -> Path:
    """What git knows or would know of the tree, in a folder."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, check=True, capture_output=True).stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def tested(tree: Path, tests: str) -> tuple[str, str]:
    """ "pass", "fail" or "hang", and the first test that failed: in a process of its own."""
    out = tree.parent / f"{tree.name}.txt"
    process = FRESH.Process(target=run, args=(str(tree), _words(tests), str(out)))
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return "hang", f"for {PATIENCE} seconds"
    said = out.read_text("utf-8", errors="replace")
    if process.exitcode not in SAID:
        raise SystemExit(f"pytest {tests}: exit {process.exitcode}\n{said}")
    first = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", said, re.MULTILINE)
    return SAID[process.exitcode], first[1] if first else said[-300:]


def _words(tests: str) -> list[str]:
    """What pytest is given: files are in tests/, unless they name a folder; what follows -k is no file."""
    words = ["-x", "-q", "--tb=no", "--assert=plain", "-W", "ignore", "-p", "no:cacheprovider"]
    if ".ipynb" not in tests:
        words += ["-p", "no:nbval", "--override-ini=addopts="]
    for word in shlex.split(tests):
        words.append(word if "/" in word or word[0] == "-" or words[-1] == "-k" else f"tests/{word}")
    return words


def one(tree: Path, fault: Fault) -> tuple[str, str]:
    """What the tests say of a fault."""
    place = tree / fault.file
    whole = place.read_text("utf-8")
    written(place, whole.replace(fault.old, fault.new))
    try:
        return tested(tree, fault.tests)
    finally:
        written(place, whole)


def written(place: Path, text: str) -> None:
    """At a second of its own: Python takes a .pyc for fresh by the second and the length of its source."""
    place.write_text(text, "utf-8")
    second = next(SECONDS)
    os.utime(place, (second, second))


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
    stale = [fault for fault in rows if not fault.stands()]
    if stale:
        raise SystemExit("\n".join(["must stand in its file once:", *(f"{f.file}: {f.old!r}" for f in stale)]))
    if METHOD == "forkserver":
        FRESH.set_forkserver_preload(HEAVY)
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
