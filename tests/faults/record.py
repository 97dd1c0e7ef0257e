"""What the last runs found, in found.json: the figures by area, and for each fault the test that saw it."""

import json
import zlib
from pathlib import Path

from fault import Fault

PLACE = Path(__file__).with_name("found.json")


def read() -> dict[str, dict]:
    """{"figures": {area: {"planted", "found", "explained"}}, "seen by": {fault: test}}."""
    return json.loads(PLACE.read_text("utf-8")) if PLACE.exists() else {"figures": {}, "seen by": {}}


def mark(fault: Fault) -> str:
    """A fault's name there: eight letters, made of what is changed and where."""
    return f"{zlib.crc32(chr(0).join((fault.file, fault.old, fault.new)).encode()):08x}"


def known() -> dict[str, str]:
    """Which test saw a fault the last time: it is asked first."""
    return read()["seen by"]


def keep(table: dict[str, list[Fault]], seen: dict[Fault, str], every: dict[str, list[Fault]]) -> None:
    """Store which test saw which fault, "" where none did; an area has figures once all of its faults were planted."""
    kept = read()
    was = kept["seen by"]
    new = {mark(fault): seen[fault] for rows in table.values() for fault in rows if fault in seen}
    marks = [mark(fault) for rows in every.values() for fault in rows]
    now = {one: test for one, test in (was | new).items() if one in set(marks)}
    figures = {}
    for area, rows in every.items():
        planted = [fault for fault in rows if not fault.equivalent]
        if all(mark(fault) in now for fault in planted):
            found = sum(bool(now[mark(fault)]) for fault in planted)
            figures[area] = {"planted": len(planted), "found": found, "explained": len(rows) - len(planted)}
    whole = {"figures": figures, "seen by": dict(sorted(now.items()))}
    PLACE.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
