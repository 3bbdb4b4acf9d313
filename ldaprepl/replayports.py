"""What `replay` needs from the world, as small Protocols: files to read, a server to write, a book to remember in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ldaprepl.domain.backlog import Brief, Position
from ldaprepl.domain.replog import Item, Record

Before = Mapping[str, list[str]]


class Log(Protocol):
    """A replog file, read from a position on. Raises `IncompleteRead` when it stops to be readable."""

    @property
    def name(self) -> str: ...

    @property
    def position(self) -> Position:
        """Behind the last item given."""

    @property
    def damage(self) -> str:
        """Why the file could not be read to its end; empty when it could."""

    @property
    def unfinished(self) -> int | None:
        """The line where a record begins that has no end yet."""

    def resume(self, known: Iterable[Position]) -> Position:
        """Go on behind the farthest known position that fits the content."""

    def items(self) -> Iterator[Item]:
        """What is there now beyond the position."""

    def renewed(self) -> bool:
        """Whether another file took its place and is open now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the consumer said to one record: taken, or refused with its reason."""

    taken: bool
    reason: str = ""


class Target(Protocol):
    """The consumer. Raises `ServerUnavailable` when the way to it is gone, `GuardRefused` when it is not ours to
    write."""

    @property
    def uri(self) -> str: ...

    def open(self, dn: str) -> str:
        """Connect, if not connected, and look how the database that holds `dn` may be written: a word for that."""

    def apply(self, record: Record) -> Answer:
        """Send one record."""

    def before(self, record: Record) -> Before:
        """What must be known to tell afterwards whether the record arrived."""

    def has(self, record: Record, before: Before) -> bool:
        """Whether the consumer is as the record makes it."""

    def close(self) -> None:
        """Give the connection up."""


class Book(Protocol):
    """What is remembered; see `wire.replaystate`."""

    def bind(self, replica: str) -> None: ...
    def positions(self) -> list[Position]: ...
    def enter(self, name: str, place: Position) -> None: ...
    def in_doubt(self, raw: bytes) -> Before | None: ...
    def was_seen(self, raw: bytes) -> bool: ...
    def begin(self, raw: bytes, before: Before) -> None: ...
    def done(self, place: Position, raw: bytes, refused: Brief | None = None) -> None: ...
    def skip(self, place: Position) -> None: ...
    def save(self) -> None: ...
    def refused(self) -> list[Brief]: ...
    def settle(self, dns: list[str]) -> int: ...


class Rejects(Protocol):
    """Where refused records are kept whole."""

    def append(self, text: bytes, doubtful: bool = False) -> None: ...
