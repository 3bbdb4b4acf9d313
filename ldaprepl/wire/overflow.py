"""Disk for a join that outgrows memory (`domain.join.Overflow`): a private temporary SQLite file, gone when closed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from ldaprepl.errors import LdapreplError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    import tempfile


class SqliteOverflow:
    """Fingerprints of both sides. Nothing is written before it is needed. Raises `LdapreplError` when it cannot be."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._database: sqlite3.Connection | None = None

    @property
    def used(self) -> bool:
        return self._database is not None

    def add(self, side: int, prints: Iterable[tuple[bytes, bytes]]) -> None:
        with _named():
            database = self._database or self._create()
            rows = ((side, dn, print_) for dn, print_ in prints)
            database.executemany("INSERT INTO waiting VALUES (?, ?, ?)", rows)

    def _create(self) -> sqlite3.Connection:
        import sqlite3  # neither is needed where both servers answer in much the same order
        import tempfile

        self._folder = tempfile.TemporaryDirectory(prefix="ldaprepl-")
        database = sqlite3.connect(Path(self._folder.name) / "join.sqlite", isolation_level=None)
        # A crash loses nothing that matters, so nothing is synced or journalled. The DNs are only as private as the
        # folder, which is ours alone (0700).
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-32768"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE waiting (side INTEGER, dn BLOB, print BLOB)")
        database.execute("BEGIN")
        self._database = database
        return database

    def joined(self) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        """Pairs by DN. The sort runs in SQLite's own temporary file, not in memory."""
        if self._database is None:
            return
        with _named():
            yield from self._database.execute(
                "SELECT dn, max(CASE side WHEN 0 THEN print END), max(CASE side WHEN 1 THEN print END)"
                " FROM waiting GROUP BY dn"
            )

    def close(self) -> None:
        """Remove the file. Safe to call twice."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> SqliteOverflow:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Say in words what went wrong with the file."""
    import sqlite3

    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise LdapreplError(
            f"the comparison outgrew its memory, and its temporary file cannot be used ({error})",
            "Make room in the folder for temporary files, or name another one in TMPDIR.",
        ) from error
