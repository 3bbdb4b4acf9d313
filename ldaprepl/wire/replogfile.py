"""Replog files as they lie on a disk: plain or gzipped, growing, rotated, emptied by somebody else.

A position is known by content: the number of bytes read and the digest of all of them. So it holds when the file is
renamed, compressed or copied, and it does not hold when another file takes the name. Nothing is written here and no
lock is taken: a record counts only when it is whole, so there is nothing to lock for. The file is never shortened.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ldaprepl.domain.backlog import Position
from ldaprepl.domain.replog import Item, Reader, When, parse_status
from ldaprepl.errors import IncompleteRead, UsageError

_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
SLURPD_LOG, SLURPD_STATUS = "slurpd.replog", "slurpd.status"


class ReplogFile:
    """One open file, read from a position on. `whole`: nobody writes it any more, so its end ends its last record.

    Raises `UsageError` when it cannot be read, `IncompleteRead` when it stops to be readable.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self.path = path
        self.whole = whole
        self.damage = ""
        self.position = Position()
        self._broken: list[Item] = []
        self._going = False
        self._open()

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)

    def _open(self) -> None:
        self._file = _opened(self.path)
        self._zip = _Gunzip() if self._file.peek(2)[:2] == _GZIP else None
        self._reader = Reader()
        self._hash = hashlib.sha256()
        self._unhashed = bytearray()
        self.damage = ""
        self.position = Position()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def resume(self, known: Iterable[Position]) -> Position:
        """Go on behind the farthest of the known positions that this file's content agrees with; where that is."""
        marks = sorted({place for place in known if place.end}, key=lambda place: place.end)
        best: tuple[Position, hashlib._Hash] = Position(), hashlib.sha256()
        hasher = hashlib.sha256()
        at = 0
        for piece in self._pieces():
            while marks and marks[0].end <= at + len(piece):
                there = hasher.copy()
                there.update(piece[: marks[0].end - at])
                if there.hexdigest() == marks[0].digest:
                    best = marks[0], there
                marks.pop(0)
            hasher.update(piece)
            at += len(piece)
            if not marks:
                break
        self.close()
        self._open()
        place, self._hash = best
        self._reader = Reader(place.end, place.line)
        left = place.end
        while left and (piece := next(self._pieces(left), b"")):
            left -= len(piece)
        self.position = place
        return place

    def items(self) -> Iterator[Item]:
        """What is there beyond `position` now; may be asked again later. `position` moves with each item."""
        yield from self._take_broken()
        for piece in self._pieces():
            self._unhashed += piece
            for item in self._reader.feed(piece):
                self._advance()
                yield item
            self._advance()
        if self.whole and not self.damage and (last := self._reader.finish()) is not None:
            self._advance()
            yield last

    def _advance(self) -> None:
        """Move the position to where the reader's last item ends."""
        end = self._reader.end
        if taken := end - self.position.end:
            self._hash.update(self._unhashed[:taken])
            del self._unhashed[:taken]
            self.position = Position(end, self._reader.next_line, self._hash.hexdigest())

    @property
    def unfinished(self) -> int | None:
        """The line where a record begins that has no end yet."""
        return self._reader.unfinished

    def _pieces(self, most: int = 0) -> Iterator[bytes]:
        """Content up to the present end; not more than `most` bytes in the first piece where that is given."""
        while True:
            if self._zip is not None and (held := self._zip.take(most or _CHUNK)):
                yield held
                continue
            try:
                data = self._file.read(min(most, _CHUNK) if most and self._zip is None else _CHUNK)
            except OSError as error:
                raise IncompleteRead(f"{self.path} cannot be read any more ({error.strerror})") from error
            if not data:
                break
            if self._zip is None:
                yield data
            elif problem := self._zip.feed(data):
                self.damage = problem
                break
        if self._zip is not None and not self.damage and not self._zip.complete:
            self.damage = "the gzip file ends in its middle"

    def renewed(self) -> bool:
        """Whether there may be more: the file was rotated or emptied, and the new one is open now. Follow only."""
        try:
            there = self.path.stat()
        except OSError:
            return False  # rotated, and nothing was logged since
        here = os.fstat(self._file.fileno())
        same = (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
        if same and there.st_size >= self._file.tell():
            self._going = False
            return False
        if not same and not self._going:
            self._going = True  # whoever holds the old file open may still write: look once more
            return False
        self._lose_unfinished("rotated" if not same else "emptied")
        broken = self._broken
        self.close()
        self._open()
        self._broken, self._going = broken, False
        return True

    def _lose_unfinished(self, how: str) -> None:
        line = self._reader.unfinished
        if line is not None and (last := self._reader.finish()) is not None:
            words = f"the file was {how} before this record was whole"
            self._broken.append(Item(line, 0, last.raw, problem=words))

    def _take_broken(self) -> Iterator[Item]:
        broken, self._broken = self._broken, []
        yield from broken


class _Gunzip:
    """gzip, member after member; knows a cut file."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._out = bytearray()
        self._empty = True

    def feed(self, data: bytes) -> str:
        """Compressed bytes; the problem, if they are none."""
        while data:
            if self._member.eof:
                if not data.startswith(_GZIP[: len(data)]):
                    return ""  # padding
                self._member = zlib.decompressobj(wbits=31)
            try:
                self._out += self._member.decompress(data)
            except zlib.error as error:
                return f"the gzip file is damaged ({error})"
            data = self._member.unused_data
        return ""

    def take(self, most: int) -> bytes:
        """Some of what came out."""
        piece = bytes(self._out[:most])
        del self._out[:most]
        return piece

    @property
    def complete(self) -> bool:
        """The last member came to its end."""
        return self._member.eof


def _opened(path: Path) -> io.BufferedReader:
    try:
        file = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UsageError(f"{path} is not a file", "Name replog or reject files.")
    return file


def status_of(path: Path, given: Path | None) -> tuple[dict[str, When], Path | None]:
    """slurpd's status for a file: the one given, or the one beside slurpd's own copy; and where it was found.

    Raises `UsageError`.
    """
    beside = path.with_name(SLURPD_STATUS)
    place = given or (beside if path.name == SLURPD_LOG and beside.is_file() else None)
    if place is None:
        return {}, None
    try:
        return dict(parse_status(place.read_text(encoding="utf-8"))), place
    except OSError as error:
        raise UsageError(f"{place} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"{place} is not slurpd's status file: {error}") from None
