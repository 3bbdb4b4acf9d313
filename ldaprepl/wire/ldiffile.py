"""An LDIF file as it lies on a disk or comes through a pipe: pieces of bytes, gzip or not, as often as asked for.

What comes through standard input is kept in a temporary file while it is read, because it may have to be read again. A
file that changes between two readings, and a gzip file that was cut, are errors.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from ldaprepl.errors import IncompleteRead, UsageError

PIECE: Final = 1024 * 1024  # bytes read at once
_GZIP: Final = b"\x1f\x8b"
_PACKERS: Final = {b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
STANDARD_INPUT: Final = "-"


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class LdifFile:
    """One file, or `-` for standard input. Raises `UsageError` when it cannot be opened."""

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == STANDARD_INPUT else name
        self._spool: BinaryIO | None = None
        self._found: tuple[int, int, int] | None = None
        if name == STANDARD_INPUT:
            self._spool = tempfile.TemporaryFile(prefix="ldaprepl-")  # noqa: SIM115  # for as long as this object lives
            self._source: _Readable | None = sys.stdin.buffer
        else:
            self._source = None
            self._path = Path(name)
            try:
                with self._path.open("rb") as file:
                    self._check_packing(file.read(6))
            except OSError as error:
                raise UsageError(f"{name} cannot be read ({error.strerror})") from None

    def pieces(self) -> Iterator[bytes]:
        """The content from its beginning. Raises `IncompleteRead`."""
        try:
            if self._source is not None:
                source, self._source = self._source, None
                yield from self._unpacked(_Recorder(source, self._spool))
            elif self._spool is not None:
                self._spool.seek(0)
                yield from self._unpacked(self._spool)
            else:
                with self._path.open("rb") as file:
                    self._check_unchanged(os.fstat(file.fileno()))
                    yield from self._unpacked(file)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise IncompleteRead(
                f"{self.name} is a gzip file that was cut or damaged ({error})", "Make the dump again."
            ) from error
        except OSError as error:
            raise IncompleteRead(
                f"{self.name} cannot be read to its end ({error.strerror})", "Look after that file, and the disk."
            ) from error

    def close(self) -> None:
        """Forget what was kept of standard input."""
        if self._spool is not None:
            self._spool.close()

    def _unpacked(self, file: _Readable) -> Iterator[bytes]:
        head = file.read(6)
        self._check_packing(head)
        if head.startswith(_GZIP):
            with gzip.GzipFile(mode="rb", fileobj=_Again(head, file)) as unpacked:
                while piece := unpacked.read(PIECE):
                    yield piece
            return
        while head:
            yield head
            head = file.read(PIECE)

    def _check_packing(self, head: bytes) -> None:
        for magic, packer in _PACKERS.items():
            if head.startswith(magic):
                raise UsageError(
                    f"{self.name} is packed with {packer}, which is not read here",
                    f"Unpack it into a pipe: {packer} -dc FILE | ldaprepl verify --ldif ... -",
                )

    def _check_unchanged(self, now: os.stat_result) -> None:
        found = (now.st_ino, now.st_size, now.st_mtime_ns)
        if self._found not in (None, found):
            raise IncompleteRead(f"{self.name} has changed while it was compared", "Run again when it is whole.")
        self._found = found


class _Recorder:
    """Reads, and keeps a copy of what it read."""

    def __init__(self, source: _Readable, copy: BinaryIO | None) -> None:
        self._source, self._copy = source, copy

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        if self._copy is not None:
            self._copy.write(data)
        return data


class _Again(io.RawIOBase):
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, file: _Readable) -> None:
        super().__init__()
        self._head, self._file = head, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        room = memoryview(buffer).cast("B")
        data, self._head = (self._head[: len(room)], self._head[len(room) :]) if self._head else (b"", b"")
        data = data or self._file.read(len(room))
        room[: len(data)] = data
        return len(data)
