"""Plants small faults, one at a time, in a copy of the tree, and says which of them the tests find.

    python tests/faults [AREA ...] [--of FILE]

An area is a file beside this one, with FAULTS. Every fault names the tests that should see it. One of them must fail
with it, and pass without it: the one that saw it last is asked first. Ends with an error where an area finds less than
90 %, or where more than three faults are called equivalent. Figures and tests are kept in found.json beside this file.
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
from record import keep, known, mark

AREAS = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - {"__main__", "fault", "fresh", "record"})
WANTED = 0.9
EXPLAINED = 3  # so many faults may be called equivalent
PATIENCE = 900  # seconds; a fault that makes a test hang is found
SAID = {0: "pass", 1: "fail", 2: "fail"}  # pytest's exit codes; 2: it is no longer imported
NAMED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
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


def tested(tree: Path, words: list[str]) -> tuple[str, str]:
    """ "pass", "fail", "hang" or "none" (there is no such test), and the first test that failed: in its own process."""
    out = tree.parent / f"{tree.name}.txt"
    process = FRESH.Process(target=run, args=(str(tree), words, str(out)))
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return "hang", f"for {PATIENCE} seconds"
    said = out.read_text("utf-8", errors="replace")
    if process.exitcode in (4, 5):
        return "none", said
    if process.exitcode not in SAID:
        raise SystemExit(f"pytest {shlex.join(words)}: exit {process.exitcode}\n{said}")
    first = NAMED.search(said)
    return SAID[process.exitcode], first[1] if first else said[-300:]


def words(tests: str) -> list[str]:
    """What pytest is given: files are in tests/, unless they name a folder; what follows -k is no file."""
    made = plain(".ipynb" in tests)
    for word in shlex.split(tests):
        made.append(word if "/" in word or word[0] == "-" or made[-1] == "-k" else f"tests/{word}")
    return made


def plain(nbval: bool = False) -> list[str]:
    made = ["-x", "-q", "--tb=no", "--assert=plain", "-W", "ignore", "-p", "no:cacheprovider"]
    return made if nbval else [*made, "-p", "no:nbval", "--override-ini=addopts="]


def one(tree: Path, fault: Fault) -> tuple[str, str]:
    """What the tests say of a fault; that which saw it last says it first."""
    place = tree / fault.file
    whole = place.read_text("utf-8")
    written(place, whole.replace(fault.old, fault.new))
    last = known().get(mark(fault), "")
    try:
        if "::" in last and ".ipynb" not in fault.tests and (said := tested(tree, [*plain(), last]))[0] == "fail":
            return said
        return tested(tree, words(fault.tests))
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
    asked.add_argument("--rest", action="store_true", help="only faults that no test has seen yet")
    asked.add_argument("-j", type=int, default=2, metavar="N", help="processes (2)")
    wish = asked.parse_args()
    unknown = set(wish.areas) - set(AREAS)
    if unknown:
        asked.error(f"no area {', '.join(unknown)}: there are {', '.join(AREAS)}")
    every = {area: importlib.import_module(area).FAULTS for area in AREAS}
    stale = [fault for rows in every.values() for fault in rows if not fault.stands()]
    if stale:
        raise SystemExit("\n".join(["must stand in its file once:", *(f"{f.file}: {f.old!r}" for f in stale)]))
    seen = known() if wish.rest else {}
    table = {
        area: [fault for fault in every[area] if wish.of in fault.file and not seen.get(mark(fault))]
        for area in wish.areas or AREAS
    }
    if METHOD == "forkserver":
        FRESH.set_forkserver_preload(HEAVY)
    found: dict[Fault, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        trees = [copied(Path(folder, str(i)).resolve()) for i in range(max(wish.j, 1))]
        for area, rows in table.items():
            found |= planted(trees, rows)
            keep({area: rows}, found, every)
    sys.exit(summed(table, found))


def planted(trees: list[Path], rows: list[Fault]) -> dict[Fault, str]:
    """Which test saw each fault, "" where none did; those tests pass where nothing is planted."""
    found = {}
    for fault, (said, first), took in side_by_side(trees, one, rows):
        if said == "none":
            raise SystemExit(f"pytest {fault.tests}: there are no such tests\n{first}")
        found[fault] = "" if said == "pass" else first
        word = "found   " if found[fault] else "same    " if fault.equivalent else "SURVIVED"
        print(f"{word}  {took:4.0f} s  {fault}\n{'':18}{found[fault] or fault.tests}", flush=True)
    named = sorted({test for test in found.values() if "::" in test and ".ipynb" not in test})
    named += sorted({test for test in found.values() if test.endswith(".py")})
    if named and (said := tested(trees[0], [*plain(), *named]))[0] != "pass":
        raise SystemExit(f"{said[0]} where nothing is planted: {said[1]}")
    return found


def summed(table: dict[str, list[Fault]], found: dict[Fault, str]) -> int:
    """Prints the shares, and returns the exit code."""
    same = [fault for fault in found if fault.equivalent]
    wrong = [fault for fault in same if found[fault]]
    print(f"\n{'area':14}{'found':>7}{'planted':>9}{'share':>8}")
    low = []
    for area, rows in table.items():
        count = [bool(found[fault]) for fault in rows if not fault.equivalent]
        share = sum(count) / len(count) if count else 1.0
        low += [area] if share < WANTED else []
        print(f"{area:14}{sum(count):7}{len(count):9}{share:8.0%}")
    print(f"{len(same)} more called equivalent" + "".join(f"\n  {fault}: {fault.equivalent}" for fault in same))
    for fault in wrong:
        print(f"called equivalent, and seen: {fault}")
    return int(bool(low or wrong or len(same) > EXPLAINED))


if __name__ == "__main__":
    main()
