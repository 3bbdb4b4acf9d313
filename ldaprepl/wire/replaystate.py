"""What `replay` remembers: how far each file was read, the record under way, what was refused. One SQLite file for
each consumer.

Rules: one run at a time (a lock that dies with the process). Before a record is sent, one transaction says so and
saves all that was done before it; so after a crash exactly one record is in doubt, and the consumer itself is asked
whether it has it. A record's outcome, its refusal and the position behind it are saved together. Nothing of a record
but its DN is kept here; its whole text goes to the rejects file, once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ldaprepl.domain.backlog import BROKEN, Brief, Place, Position
from ldaprepl.domain.replog import When
from ldaprepl.errors import GuardRefused, LdapreplError, UsageError, unwritten
from ldaprepl.wire.lock import claimed

_TABLES = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, path TEXT NOT NULL, end INTEGER NOT NULL,
    line INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sending (file INTEGER PRIMARY KEY, end INTEGER NOT NULL, record BLOB NOT NULL,
    before TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refused (id INTEGER PRIMARY KEY, path TEXT NOT NULL, line INTEGER NOT NULL,
    kind TEXT NOT NULL, dn BLOB NOT NULL, time TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_LAYOUT = "1"

Before = Mapping[str, list[str]]


@contextmanager
def open_book(folder: Path, consumer: str) -> Iterator[Book]:
    """The book of one consumer. Raises `AlreadyRunning`, `UsageError` when the folder cannot be used."""
    stem = f"replay-{hashlib.sha256(consumer.encode()).hexdigest()[:16]}"
    with claimed(folder, stem, f"another replay to {consumer}") as path:
        book = Book(path)
        try:
            yield book
        finally:
            book.close()


class Book:
    """The open book. A damaged one is an error, never a beginning from nothing: that would apply all again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = 0
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            path.chmod(0o600)
            self._base.execute("PRAGMA journal_mode = WAL")  # one flush for a record, not three
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.executescript(_TABLES)
            layout = self.fact("layout")
        except sqlite3.DatabaseError as error:
            raise LdapreplError(
                f"the state file {path} cannot be read ({error})",
                "Without it nobody knows which records were applied. Restore it, or move it away and use --explain"
                " with both servers to see what is still different.",
            ) from error
        if not layout:
            self._set("layout", _LAYOUT)
        elif layout != _LAYOUT:
            raise UsageError(f"the state file {path} is of another version of ldaprepl (layout {layout})")
        self._base.execute("DELETE FROM file WHERE end = 0 AND id NOT IN (SELECT file FROM sending)")

    def close(self) -> None:
        """Save and close."""
        with contextlib.suppress(sqlite3.DatabaseError):
            self.save()
        self._base.close()

    # -- facts -------------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> str:
        """A remembered text; empty when there is none."""
        row = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        self._base.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def bind(self, replica: str) -> None:
        """The positions here are those of one replica's records. Raises `GuardRefused` for another one."""
        held = self.fact("replica")
        if held and replica and held != replica:
            raise GuardRefused(
                f"the state file {self.path} was made with the records for {held}, not for {replica}",
                f"Choose --replica {held}, or another --state when this is another consumer.",
            )
        if replica:
            self._set("replica", replica)

    # -- positions ---------------------------------------------------------------------------------------------------

    def positions(self) -> list[Position]:
        """Every position that was reached in any file."""
        return [Position(*row) for row in self._base.execute("SELECT end, line, digest FROM file")]

    def enter(self, name: str, place: Position) -> None:
        """A file is read from here on."""
        self.save()
        row = self._base.execute(
            "SELECT id FROM file WHERE end = ? AND digest = ? AND end > 0 ORDER BY path = ? DESC",
            (place.end, place.digest, name),
        ).fetchone()
        if row is not None:
            self._file = int(row[0])
            self._base.execute("UPDATE file SET path = ? WHERE id = ?", (name, self._file))
            return
        done = self._base.execute(
            "INSERT INTO file (path, end, line, digest) VALUES (?, ?, ?, ?)",
            (name, place.end, place.line, place.digest),
        )
        self._file = int(done.lastrowid or 0)

    def in_doubt(self, raw: bytes) -> Before | None:
        """What was noted, where a run was stopped while it sent this very record; None where no record is in doubt.

        Raises `GuardRefused` when another one is, for nothing may be sent before that is decided.
        """
        row = self._base.execute(
            "SELECT record, before, path, file.end, line FROM sending JOIN file ON id = file AND file.end = sending.end"
        ).fetchone()
        if row is None:
            return None
        here = self._base.execute("SELECT end FROM file WHERE id = ?", (self._file,)).fetchone()
        if row[0] != _digest(raw) or row[3] != here[0]:
            raise GuardRefused(
                f"the last run was stopped while it sent a record of {row[2]} (line {row[4]} or after)",
                "Give that file first: only with it can be told whether the record arrived.",
            )
        noted: Before = json.loads(row[1])
        return noted

    def was_seen(self, raw: bytes) -> bool:
        """Whether the very same record was dealt with before."""
        return self._base.execute("SELECT 1 FROM seen WHERE digest = ?", (_digest(raw),)).fetchone() is not None

    # -- records -----------------------------------------------------------------------------------------------------

    def begin(self, raw: bytes, before: Before) -> None:
        """A record is about to be sent: saved, with all that was done until now."""
        self._open()
        self._base.execute("DELETE FROM sending")
        self._base.execute(
            "INSERT INTO sending SELECT id, end, ?, ? FROM file WHERE id = ?",
            (_digest(raw), json.dumps(before), self._file),
        )
        self.save()

    def done(self, place: Position, raw: bytes, refused: Brief | None = None) -> None:
        """A record was dealt with; saved with the next `begin` or `save`."""
        self._open()
        if refused is not None:
            self._base.execute(
                "INSERT INTO refused (path, line, kind, dn, time, reason) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    refused.place.file, refused.place.line, refused.kind,
                    refused.dn.encode("utf-8", "surrogateescape"), str(refused.when or ""), refused.reason,
                ),
            )  # fmt: skip
        self._base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (_digest(raw),))
        self.skip(place)  # the one statement that counts, should we be interrupted here
        if refused is None or refused.kind != BROKEN:
            self._base.execute("DELETE FROM sending")

    def skip(self, place: Position) -> None:
        """Nothing was to be done up to here."""
        self._open()
        self._base.execute(
            "UPDATE file SET end = ?, line = ?, digest = ? WHERE id = ?",
            (place.end, place.line, place.digest, self._file),
        )

    def save(self) -> None:
        """Make everything until now last."""
        if self._base.in_transaction:
            self._base.execute("COMMIT")

    def _open(self) -> None:
        if not self._base.in_transaction:
            self._base.execute("BEGIN IMMEDIATE")

    # -- refusals ----------------------------------------------------------------------------------------------------

    def refused(self) -> list[Brief]:
        """Everything refused that nobody settled yet, oldest first."""
        rows = self._base.execute("SELECT path, line, kind, dn, time, reason FROM refused ORDER BY id")
        return [
            Brief(Place(path, line), kind, dn.decode("utf-8", "surrogateescape"), _when(time), reason)
            for path, line, kind, dn, time, reason in rows
        ]

    def acknowledge(self) -> None:
        """Somebody has taken note of all refusals until now."""
        self._base.execute("DELETE FROM refused")

    def settle(self, dns: list[str]) -> int:
        """These DNs are the same on both servers now; how many refusals that settles."""
        self._open()
        count = 0
        for dn in dns:
            done = self._base.execute("DELETE FROM refused WHERE dn = ?", (dn.encode("utf-8", "surrogateescape"),))
            count += done.rowcount
        self.save()
        return count


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()[:16]


def _when(text: str) -> When | None:
    seconds, _, seq = text.partition(".")
    return When(int(seconds), int(seq) if seq else None) if seconds else None


class RejectsFile:
    """Refused records in slurpd's form, each once, also when a run is killed between file and book."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, text: bytes, doubtful: bool = False) -> None:
        """Put a record at the end. `doubtful`: a run that was stopped may have done so. Raises `UsageError`."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(handle).st_size
                window = len(text) + 2
                tail = os.pread(handle, window, max(0, size - window))
                left = text[_overlap(tail, text) :] if doubtful else text
                if left:
                    os.write(handle, left)
                    os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise unwritten(
                f"the rejects file {self.path} cannot be written", error, "Name another by --rejects."
            ) from error


def _overlap(tail: bytes, text: bytes) -> int:
    """How much of `text` the file ends with: all, none, or what a machine that fell over had written of it."""
    for count in range(len(text), 0, -1):
        before = tail[:-count]
        if tail.endswith(text[:count]) and (not before or before.endswith(b"\n\n")):
            return count
    return 0
