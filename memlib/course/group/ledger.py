"""What a class handed in and how far its grading is, in SQLite: pending -> leased -> done.

One row a file. A row is leased before its grading starts and done in the same transaction that keeps its result, so
that whatever is killed in between leaves a lease behind, and `reopen` makes it pending again. The seed of the batch
stands beside them.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from memlib.course.paths import CourseError

FORMAT = "1"
TRIES = 2  # a grading that fails is tried again once, after all others
CUTS = 3  # a file that the whole command has died with so often is set aside, for this run
TABLES = """
CREATE TABLE IF NOT EXISTS batch (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS work (
    file TEXT PRIMARY KEY,            -- its name in the folder
    digest TEXT NOT NULL,             -- SHA-256 of what was handed in
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'done')),
    tries INTEGER NOT NULL DEFAULT 0, -- leases so far
    outcome TEXT CHECK (outcome IN ('graded', 'refused', 'fault')),
    result TEXT                       -- the verdict, or {"problem": sentence}
);
"""


class Ledger:
    """The ledger of one batch; `with Ledger(path) as ledger` keeps every other command off it meanwhile."""

    def __init__(self, path: Path):
        self.path = Path(path)

    def __enter__(self) -> Ledger:
        self._lock = sqlite3.connect(self.path.with_suffix(".lock"), timeout=0, isolation_level=None)
        try:
            self._lock.execute("BEGIN EXCLUSIVE")  # held until this process ends, however it ends
        except sqlite3.OperationalError:
            self._lock.close()
            raise CourseError(f"Another command is grading into {self.path.parent}: wait for it, or stop it.") from None
        self.db = sqlite3.connect(self.path, isolation_level=None)
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.executescript(TABLES)
        except sqlite3.DatabaseError as error:
            self.__exit__()
            raise CourseError(f"{self.path} is no ledger that can be read ({error}): use another --out.") from None
        return self

    def __exit__(self, *_) -> None:
        self.db.close()
        self._lock.close()

    def settle(self, **wanted: str) -> dict[str, str]:
        """The batch's settings: those that are kept already, else these; CourseError where one was asked otherwise."""
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            kept = dict(self.db.execute("SELECT name, value FROM batch"))
            for name, value in wanted.items():
                if kept.setdefault(name, str(value)) != str(value):
                    asked = f"This batch was begun with {name} {kept[name]!r}, now asked for is {str(value)!r}"
                    raise CourseError(f"{asked}: use another --out.")
            self.db.executemany("INSERT OR IGNORE INTO batch VALUES (?, ?)", kept.items())
            self.db.execute("COMMIT")
        return kept

    def setting(self, name: str) -> str | None:
        """One of the batch's settings, or None."""
        row = self.db.execute("SELECT value FROM batch WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def add(self, file: str, digest: str) -> None:
        """Take a file in; one that has changed since it was graded is pending again."""
        again = "state = 'pending', tries = 0, outcome = NULL, result = NULL, digest = excluded.digest"
        self.db.execute(
            "INSERT INTO work (file, digest) VALUES (?, ?) ON CONFLICT (file) DO UPDATE "
            f"SET {again} WHERE digest != excluded.digest",
            (file, digest),
        )

    def reopen(self) -> None:
        """What was cut off, and what a fault of the grader left without a verdict, is pending again."""
        self.db.execute("UPDATE work SET state = 'pending', tries = 0, outcome = NULL WHERE outcome = 'fault'")
        said = json.dumps({"problem": f"Grading was cut off {CUTS} times while it was at this file."})
        away = "UPDATE work SET state = 'done', outcome = 'fault', result = ? WHERE state = 'leased' AND tries >= ?"
        self.db.execute(away, (said, CUTS))
        self.db.execute("UPDATE work SET state = 'pending' WHERE state = 'leased'")

    def lease(self, files) -> str | None:
        """The next of these files that is pending, now leased; those tried before come last. None where none is."""
        self.db.execute("BEGIN IMMEDIATE")
        rows = self.db.execute("SELECT file FROM work WHERE state = 'pending' ORDER BY tries, file")
        file = next((file for (file,) in rows if file in files), None)
        self.db.execute("UPDATE work SET state = 'leased', tries = tries + 1 WHERE file = ?", (file,))
        self.db.execute("COMMIT")
        return file

    def finish(self, file: str, outcome: str, result: dict) -> bool:
        """Keep what came of a leased file; False where a fault sends it back to be tried again."""
        held = "WHERE file = ? AND state = 'leased'"
        if outcome == "fault":
            again = self.db.execute(f"UPDATE work SET state = 'pending' {held} AND tries < ?", (file, TRIES))
            if again.rowcount:
                return False
        row = (outcome, json.dumps(result), file)
        self.db.execute(f"UPDATE work SET state = 'done', outcome = ?, result = ? {held}", row)
        return True

    def rows(self) -> list[dict]:
        """Every file: name, state, outcome and result."""
        found = self.db.execute("SELECT file, digest, state, outcome, result FROM work ORDER BY file").fetchall()
        keys = ("file", "digest", "state", "outcome", "result")
        return [dict(zip(keys, (*row[:4], json.loads(row[4] or "null")), strict=True)) for row in found]
