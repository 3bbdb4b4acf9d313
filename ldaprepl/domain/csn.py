"""Change sequence numbers: when and by which server an entry was last changed (entryCSN), and how far a replica is
(contextCSN).

Three written forms are about, and a 2.1 master's stamps can survive on a new server: offline loading keeps them as
they are.

    2.4 and later  20261122101743.123456Z#00000a#001#000000
    2.2 and 2.3    20261122101743Z#00000a#01#000000
    2.1            2026112210:17:43Z#0x000a#1#0000

All are read into the same numbers, so the same stamp in two forms is equal, and `raw` keeps what the server wrote. An
order exists only among the stamps of one server ID: clocks of different servers say nothing about each other, so
comparing across them is an error here and not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_FLAGS = re.ASCII | re.IGNORECASE
# One pattern a form: year month day hour minute second [fraction], change count, server ID, modification number. Those
# of old masters are compiled when one is met: a check starts every minute.
_FORM_24 = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})Z#([0-9a-f]{6})#([0-9a-f]{3})#([0-9a-f]{6})", _FLAGS
)
_FORM_22 = r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()Z#([0-9a-f]{6})#([0-9a-f]{2})#([0-9a-f]{6})"
_FORM_21 = r"(\d{4})(\d\d)(\d\d)(\d\d):(\d\d):(\d\d)()Z#0x([0-9a-f]{4,6})#([0-9]{1,3})#([0-9a-f]{4,6})"
_LARGEST_SID = 0xFFF


class Csn:
    """One change sequence number. `time` is UTC, with microseconds where the server wrote them; `raw` is the text as
    received.

    Equality and hash go by the numbers, not by `raw`. `<` and its kin raise ValueError for two different server IDs;
    to sort by age across servers say so: `key=lambda csn: csn.time`.
    """

    __slots__ = ("count", "mod", "raw", "sid", "time")

    def __init__(self, time: datetime, count: int, sid: int, mod: int, raw: str) -> None:
        self.time = time
        self.count = count
        self.sid = sid
        self.mod = mod
        self.raw = raw

    @classmethod
    def parse(cls, text: str | bytes) -> Csn:
        """Read any of the three forms. Raises ValueError for anything else."""
        written = text.decode("ascii", "replace") if isinstance(text, bytes) else text
        match = _FORM_24.fullmatch(written) or re.fullmatch(_FORM_22, written, _FLAGS)
        sid_base = 16
        if match is None:
            match = re.fullmatch(_FORM_21, written, _FLAGS)
            sid_base = 10  # 2.1 printed it with %d
        if match is None:
            raise ValueError(f"not a change sequence number: {written!r}")
        *date, fraction, count, sid, mod = match.groups()
        year, month, day, hour, minute, second = map(int, date)
        number = int(sid, sid_base)
        if number > _LARGEST_SID:
            raise ValueError(f"server ID {number} of change sequence number {written!r} is above {_LARGEST_SID}")
        try:
            time = datetime(year, month, day, hour, minute, second, int(fraction or 0), UTC)
        except ValueError as error:
            raise ValueError(f"change sequence number {written!r} holds no real time: {error}") from error
        return cls(time, int(count, 16), number, int(mod, 16), written)

    @property
    def normal(self) -> str:
        """The form of 2.4 and later, whatever was read."""
        stamp = self.time
        day = f"{stamp.year:04d}{stamp.month:02d}{stamp.day:02d}"
        clock = f"{stamp.hour:02d}{stamp.minute:02d}{stamp.second:02d}.{stamp.microsecond:06d}"
        return f"{day}{clock}Z#{self.count:06x}#{self.sid:03x}#{self.mod:06x}"

    def __str__(self) -> str:
        return self.raw

    def __repr__(self) -> str:
        return f"Csn({self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Csn) and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)

    @property
    def _numbers(self) -> tuple[datetime, int, int, int]:
        return self.time, self.count, self.sid, self.mod

    def _place(self, other: Csn) -> tuple[tuple[datetime, int, int], tuple[datetime, int, int]]:
        if self.sid != other.sid:
            raise ValueError(f"stamps of server {self.sid:03x} and server {other.sid:03x} have no order")
        return (self.time, self.count, self.mod), (other.time, other.count, other.mod)

    def __lt__(self, other: Csn) -> bool:
        mine, theirs = self._place(other)
        return mine < theirs

    def __le__(self, other: Csn) -> bool:
        mine, theirs = self._place(other)
        return mine <= theirs

    def __gt__(self, other: Csn) -> bool:
        mine, theirs = self._place(other)
        return mine > theirs

    def __ge__(self, other: Csn) -> bool:
        mine, theirs = self._place(other)
        return mine >= theirs


def parse(text: str | bytes) -> Csn:
    """`Csn.parse`: any of the three written forms. Raises ValueError."""
    return Csn.parse(text)


def sid_list(sids: Iterable[int]) -> str:
    """Server IDs for people, as stamps write them."""
    return ", ".join(f"{sid:03x}" for sid in sids)


class Standing(NamedTuple):
    """How one set of stamps stands to another, as server IDs in rising order.

    `behind`: both have the server ID and ours is older. `ahead`: ours is newer (the other side lost writes, or
    somebody writes here under that ID). `missing`: only the other side has it. `extra`: only we have it (something
    writes here that never reaches the other side).
    """

    behind: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()

    @property
    def equal(self) -> bool:
        return not (self.behind or self.ahead or self.missing or self.extra)


class CsnSet(Mapping[int, Csn]):
    """The newest stamp of each server ID: what contextCSN or the csn list of a sync cookie holds. Never changes;
    empty is falsy.

    Iterates in the order of server IDs, as slapd writes cookies.
    """

    __slots__ = ("_by_sid",)

    def __init__(self, csns: Iterable[Csn] = ()) -> None:
        newest: dict[int, Csn] = {}
        for csn in csns:
            held = newest.get(csn.sid)
            if held is None or csn > held:
                newest[csn.sid] = csn
        self._by_sid = {sid: newest[sid] for sid in sorted(newest)}

    @classmethod
    def parse(cls, values: Iterable[str | bytes]) -> CsnSet:
        """From the values of contextCSN. Raises ValueError if one of them is no change sequence number."""
        return cls(map(Csn.parse, values))

    def __getitem__(self, sid: int) -> Csn:
        return self._by_sid[sid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_sid)

    def __len__(self) -> int:
        return len(self._by_sid)

    def __hash__(self) -> int:
        return hash(tuple(self._by_sid.values()))

    def __repr__(self) -> str:
        return f"CsnSet({self.texts()!r})"

    def covers(self, csn: Csn) -> bool:
        """Whether the change stamped `csn` is in: there is a stamp of the same server ID that is not older."""
        held = self._by_sid.get(csn.sid)
        return held is not None and held >= csn

    def covers_all(self, other: CsnSet) -> bool:
        """Whether nothing in `other` is newer than, or unknown to, this set."""
        return all(self.covers(csn) for csn in other.values())

    def behind(self, other: CsnSet) -> CsnSet:
        """The stamps of `other` that this set does not cover: empty when this side has caught up."""
        return CsnSet(csn for csn in other.values() if not self.covers(csn))

    def standing(self, other: CsnSet) -> Standing:
        """Compare with `other` (ours is the consumer's set, `other` the provider's)."""
        both = [sid for sid in self if sid in other]
        return Standing(
            behind=tuple(sid for sid in both if self[sid] < other[sid]),
            ahead=tuple(sid for sid in both if self[sid] > other[sid]),
            missing=tuple(sid for sid in other if sid not in self),
            extra=tuple(sid for sid in self if sid not in other),
        )

    def merged(self, other: CsnSet) -> CsnSet:
        """The newest of both sets for each server ID."""
        return CsnSet([*self.values(), *other.values()])

    def texts(self) -> list[str]:
        """The stamps as the server wrote them, in the order of server IDs."""
        return [csn.raw for csn in self._by_sid.values()]

    def normal_texts(self) -> list[str]:
        """The stamps in the form of 2.4 and later, in the order of server IDs."""
        return [csn.normal for csn in self._by_sid.values()]
