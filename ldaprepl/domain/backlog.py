"""What stands in slurpd's books: pending, rejected and broken records, grouped so that somebody can decide.

Pending is what no status file says slurpd was through with; rejected is what has an `ERROR:` line. One record for two
replicas is pending twice and one change. Values only; the check of each DN on both servers is filled in by the verb.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ldaprepl.domain.replog import Item, Record, When, is_done, replica_key
from ldaprepl.domain.verdict import AttributeDifference
from ldaprepl.errors import ExitCode

BROKEN = "broken"  # the kind of what is no record
EVERYBODY = ""  # the replica of records without a replica line
_NOTHING = hashlib.sha256().hexdigest()
NO_REASON = "no reason given (slapd 2.1 wrote none)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file and line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Brief:
    """A record in short: where, what, why. Never a value."""

    place: Place
    kind: str
    dn: str
    when: When | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read: bytes (uncompressed), the next line, and the digest of all bytes before."""

    end: int = 0
    line: int = 1
    digest: str = _NOTHING


class Standing(StrEnum):
    """How one DN stands on both servers now."""

    EQUAL = "equal"  # nothing left to do
    GONE = "gone"  # neither server has it
    DIFFERS = "differs"
    MISSING = "missing"  # only the provider has it
    EXTRA = "extra"  # only the consumer has it

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self in (Standing.EQUAL, Standing.GONE)


@dataclass(frozen=True, slots=True)
class Check:
    """One DN looked at on both servers."""

    dn: str
    standing: Standing
    attributes: tuple[AttributeDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """What one replica has not got."""

    replica: str
    kinds: Mapping[str, int]
    oldest: When
    newest: When
    dns: int

    @property
    def count(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Rejects:
    """Records refused for one reason."""

    reason: str
    records: tuple[Brief, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """The books of one or more files. `touched` are the DNs of what is pending or rejected, before and after renames.

    `done`: records that slurpd was through with by its status file; `others`: those for replicas not asked for.
    """

    files: tuple[str, ...]
    pending: tuple[Pending, ...]
    rejected: tuple[Rejects, ...]
    broken: tuple[Brief, ...]
    unfinished: tuple[Place, ...]
    touched: tuple[str, ...] = field(repr=False, default=())
    records: int = 0
    done: int = 0
    others: int = 0
    checks: tuple[Check, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """A finding: refused or broken records, or, where both servers were asked, what is still different there."""
        if self.broken:
            return ExitCode.FINDING
        if self.checks is not None:
            bad = any(not check.standing.settled for check in self.checks)
            return ExitCode.FINDING if bad else self._lag(ExitCode.OK)
        if self.rejected:
            return ExitCode.FINDING
        return ExitCode.BEHIND if self.pending else self._lag(ExitCode.OK)

    def _lag(self, otherwise: ExitCode) -> ExitCode:
        return ExitCode.BEHIND if self.unfinished else otherwise


@dataclass
class _Tally:
    kinds: Counter[str]
    oldest: When
    newest: When
    dns: set[str]


class Ledger:
    """Takes the items of files one by one and sums them up. `replica` limits it to one replica."""

    def __init__(self, replica: str | None = None, status: Mapping[str, When] | None = None) -> None:
        self._replica = replica
        self._status = status or {}
        self._files: list[str] = []
        self._pending: dict[str, _Tally] = {}
        self._rejected: dict[str, list[Brief]] = {}
        self._broken: list[Brief] = []
        self._unfinished: list[Place] = []
        self._touched: dict[str, None] = {}
        self._records = self._done = self._others = 0

    def take(self, file: str, items: Iterable[Item], status: Mapping[str, When] | None = None) -> None:
        """All items of one file; `status` is the one that lies beside it."""
        self._files.append(file)
        known = self._status if status is None else status
        for item in items:
            if item.record is not None:
                self._record(Place(file, item.line), item.record, known)
            elif item.problem:
                self._broken.append(Brief(Place(file, item.line), BROKEN, "", None, item.problem))

    def unfinished(self, file: str, line: int) -> None:
        """A record without its end."""
        self._unfinished.append(Place(file, line))

    def _record(self, place: Place, record: Record, status: Mapping[str, When]) -> None:
        self._records += 1
        names = {replica_key(name) for name in record.replicas} or {EVERYBODY}
        if self._replica is not None:
            if not record.is_for(self._replica):
                self._others += 1
                return
            names = {self._replica}
        if record.error is not None:
            reason = record.error or NO_REASON
            self._rejected.setdefault(reason, []).append(brief(place, record, reason))
            self._touch(record)
            return
        waiting = [name for name in sorted(names) if not is_done(record, status.get(name))]
        if not waiting:
            self._done += 1
            return
        self._touch(record)
        for name in waiting:
            tally = self._pending.get(name)
            if tally is None:
                tally = self._pending[name] = _Tally(Counter(), record.when, record.when, set())
            tally.kinds[record.kind] += 1
            tally.dns.add(record.dn)
            tally.oldest = min(tally.oldest, record.when, key=_age)
            tally.newest = max(tally.newest, record.when, key=_age)

    def _touch(self, record: Record) -> None:
        self._touched.setdefault(record.dn)
        self._touched.setdefault(record.new_dn)

    def backlog(self, notes: Iterable[str] = ()) -> Backlog:
        """The sum so far."""
        return Backlog(
            files=tuple(self._files),
            pending=tuple(
                Pending(name, dict(tally.kinds), tally.oldest, tally.newest, len(tally.dns))
                for name, tally in sorted(self._pending.items())
            ),
            rejected=tuple(
                Rejects(reason, tuple(records))
                for reason, records in sorted(self._rejected.items(), key=lambda pair: -len(pair[1]))
            ),
            broken=tuple(self._broken),
            unfinished=tuple(self._unfinished),
            touched=tuple(self._touched),
            records=self._records,
            done=self._done,
            others=self._others,
            notes=tuple(notes),
        )


def brief(place: Place, record: Record, reason: str = "") -> Brief:
    """The record in short."""
    return Brief(place, record.kind, record.dn, record.when, reason)


def _age(when: When) -> tuple[int, int]:
    return when.seconds, -1 if when.seq is None else when.seq


# -- a run -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a run did. `refused` and `broken` happened now, `earlier` are refusals of earlier runs that nobody settled.

    `done`: records that slurpd was through with; `others`: for other replicas, or outside the base; `settled`: earlier
    refusals whose entries are equal on both servers now.
    """

    consumer: str
    mode: str
    replica: str
    files: tuple[str, ...]
    applied: Mapping[str, int] = field(default_factory=dict)
    done: int = 0
    others: int = 0
    refused: tuple[Brief, ...] = ()
    earlier: tuple[Brief, ...] = ()
    settled: int = 0
    broken: tuple[Brief, ...] = ()
    unfinished: tuple[Place, ...] = ()
    last: When | None = None
    checks: tuple[Check, ...] | None = None
    rejects: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        unequal = self.checks is not None and any(not check.standing.settled for check in self.checks)
        if self.refused or self.earlier or self.broken or unequal:
            return ExitCode.FINDING
        return ExitCode.BEHIND if self.unfinished else ExitCode.OK
