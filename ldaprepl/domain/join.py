"""The streaming join of two servers' entries: pairs by DN bytes as they arrive, in whatever order, in bounded memory.

Equal frames are done at once. Unequal ones are judged by the comparer while both are at hand. What waits for its
partner is kept whole as long as little waits (both servers in the same order), as a fingerprint of 16 bytes when much
waits (different order), and in an overflow on disk beyond that. The result is a count and a list of suspects; a
suspect is no finding yet. A pure machine: `feed` and `finish`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from typing import Protocol

KEEP_FRAMES = 16 * 1024 * 1024  # bytes of whole frames that may wait on one side
KEEP_PRINTS = 1_000_000  # fingerprints that may wait on both sides together


class Side(IntEnum):
    """The two inputs of a join."""

    PROVIDER = 0
    CONSUMER = 1


class Overflow(Protocol):
    """Disk for what a join cannot keep in memory: DN and fingerprint, by side."""

    @property
    def used(self) -> bool:
        """Whether anything was ever added."""

    def add(self, side: int, prints: Iterable[tuple[bytes, bytes]]) -> None:
        """Take `(DN, fingerprint)` of one side (0 provider, 1 consumer)."""

    def joined(self) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        """Each DN once with the provider's and the consumer's fingerprint."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """What the first look leaves to be looked at again, as DN bytes: `pairs` under one DN with different content,
    and what found no partner."""

    pairs: list[bytes] = field(default_factory=list)
    provider_only: list[bytes] = field(default_factory=list)
    consumer_only: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pairs) + len(self.provider_only) + len(self.consumer_only)


class Join:
    """One consumer joined with the provider.

    `same` judges two frames whose bytes differ; `overflow` takes what memory should not; `rename` gives a consumer's
    DN as the provider writes it (suffixmassage). `print_of` makes the 16 bytes that stand for a frame; another one may
    be put there before the first entry comes.
    """

    def __init__(
        self,
        same: Callable[[bytes, bytes], bool],
        overflow: Overflow,
        rename: Callable[[bytes], bytes] | None = None,
        keep_frames: int = KEEP_FRAMES,
        keep_prints: int = KEEP_PRINTS,
    ) -> None:
        self._same = same
        self._overflow = overflow
        self._rename = rename
        self._keep_frames = keep_frames
        self._keep_prints = keep_prints
        self.print_of: Callable[[bytes], bytes] = fingerprint
        self._frames: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
        self._sizes = [0, 0]
        self._prints: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
        self._pairs: list[bytes] = []
        self.counts = [0, 0]
        self.equal = 0

    def feed(self, side: Side, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take raw entries `(DN, frame)` of one side."""
        if side is Side.CONSUMER and self._rename is not None:
            rename = self._rename
            entries = [(rename(dn), frame) for dn, frame in entries]
        mine, prints = self._frames[side], self._prints[1 - side]
        partner = self._frames[1 - side].pop
        count = equal = 0
        size = came = 0
        for dn, frame in entries:
            count += 1
            other = partner(dn, None)
            if other is not None:
                came += len(other)
                if other == frame:
                    equal += 1
                else:
                    self._judge(side, dn, frame, other)
            elif prints and (print_ := prints.pop(dn, None)) is not None:
                if print_ == self.print_of(frame):
                    equal += 1
                else:
                    self._pairs.append(dn)
            elif dn in mine:  # one server sent one DN twice: let the second look decide
                self._pairs.append(dn)
            else:
                mine[dn] = frame
                size += len(frame)
        self.counts[side] += count
        self.equal += equal
        self._sizes[side] += size
        self._sizes[1 - side] -= came
        if self._sizes[side] > self._keep_frames:
            self._shrink(side)

    def _judge(self, side: Side, dn: bytes, frame: bytes, other: bytes) -> None:
        provider, consumer = (frame, other) if side is Side.PROVIDER else (other, frame)
        if self._same(provider, consumer):
            self.equal += 1
        else:
            self._pairs.append(dn)

    def _shrink(self, side: Side) -> None:
        """Keep fingerprints instead of frames; when there are too many of them, hand all to the overflow."""
        prints, frames = self._prints[side], self._frames[side]
        for dn, frame in frames.items():
            prints[dn] = self.print_of(frame)
        frames.clear()
        self._sizes[side] = 0
        if len(self._prints[0]) + len(self._prints[1]) > self._keep_prints:
            self._spill()

    def _spill(self) -> None:
        for side in Side:
            self._overflow.add(side, self._prints[side].items())
            self._prints[side].clear()

    def finish(self) -> Suspects:
        """Both sides have ended: what is left."""
        if not self._overflow.used:
            provider, consumer = (self._waiting(side) for side in Side)
            return Suspects(self._pairs, provider, consumer)
        for side in Side:
            self._shrink(side)
        self._spill()
        suspects = Suspects(self._pairs)
        for dn, provider_print, consumer_print in self._overflow.joined():
            if provider_print is None:
                suspects.consumer_only.append(dn)
            elif consumer_print is None:
                suspects.provider_only.append(dn)
            elif provider_print == consumer_print:
                self.equal += 1
            else:
                suspects.pairs.append(dn)
        return suspects

    def _waiting(self, side: Side) -> list[bytes]:
        return [*self._frames[side], *self._prints[side]]


def fingerprint(frame: bytes) -> bytes:
    """16 bytes that stand for a frame: BLAKE2b, so that nobody can make two entries with one fingerprint."""
    return blake2b(frame, digest_size=16).digest()
