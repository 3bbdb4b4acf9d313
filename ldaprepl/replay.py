"""Replay: what slurpd left behind is told, brought over, and proved.

`explain` reads only. `replay` sends records in their order, one at a time. What is done is saved with the
announcement of the next record, so a run that is killed leaves one record in doubt; the next run asks the consumer
whether it has it. A refused record goes whole to the rejects file and the next one follows, as with slurpd; whatever
may be otherwise tomorrow (no connection, no right to write) stops the run in front of the record instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ldaprepl.domain import dn as names
from ldaprepl.domain.backlog import BROKEN, Backlog, Brief, Check, Ledger, Place, ReplayReport, Standing, brief
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.replog import Item, Record, When, is_done, replica_key
from ldaprepl.domain.replogwrite import rejected, write
from ldaprepl.errors import GuardRefused, ServerUnavailable, UsageError
from ldaprepl.ports import Clock, Directory, Progress
from ldaprepl.replayports import Answer, Before, Book, Log, Rejects, Target

Status = Mapping[str, When]
_RETRY = 10.0  # seconds between two tries to reach a consumer that is down; slurpd's were 60
_POLL = 0.5  # seconds between two looks at a file that is followed


@dataclass(frozen=True, slots=True)
class Settings:
    """`replica`: only its records (None: all records must be for the same ones, `named` gave which); `base`: only what
    lies below; `follow`: stay with the last file; `again`: take a file that begins with a record known already."""

    replica: str | None = None
    named: frozenset[str] | None = None
    base: str = ""
    follow: bool = False
    again: bool = False

    @property
    def status_of(self) -> str:
        """The replica whose line of slurpd's status counts."""
        return self.replica or min(self.named or (), default="")


@dataclass(frozen=True, slots=True)
class Tools:
    """The world, and somebody who is told what happens (`notice`)."""

    clock: Clock
    progress: Progress
    notice: Callable[[str], None]


def explain(logs: Sequence[tuple[Log, Status]], replica: str | None = None) -> Backlog:
    """What stands in the files. Raises `IncompleteRead`."""
    ledger = Ledger(replica)
    notes: list[str] = []
    for log, status in logs:
        ledger.take(log.name, log.items(), status)
        if log.damage:
            notes.append(f"{log.name}: {log.damage}; what could be read before that was read")
        elif log.unfinished is not None:
            ledger.unfinished(log.name, log.unfinished)
    return ledger.backlog(notes)


def named(logs: Iterable[tuple[Log, Status]]) -> frozenset[str] | None:
    """The replicas that every record is for; None without any record. Raises `UsageError` where records differ: one
    change may then be there in several versions, and somebody must choose."""
    found: frozenset[str] | None = None
    for log, _ in logs:
        for item in log.items():
            if item.record is not None:
                found = _agreed(found, item.record, Place(log.name, item.line))
    return found


def _agreed(so_far: frozenset[str] | None, record: Record, place: Place) -> frozenset[str]:
    now = frozenset(map(replica_key, record.replicas))
    if so_far is not None and now != so_far:
        raise UsageError(
            f"not all records are for the same replicas ({place} is for {_listed(now)}, others are for"
            f" {_listed(so_far)})",
            "Choose whose records to apply with --replica HOST[:PORT].",
        )
    return now


def _listed(replicas: frozenset[str]) -> str:
    return ", ".join(sorted(replicas)) or "every replica"


def dry_run(logs: Iterable[tuple[Log, Status]], settings: Settings) -> Iterator[tuple[Place, Record]]:
    """The records that would be sent, in their order. Resume the logs before, where there is a book."""
    for log, status in logs:
        for item in log.items():
            if item.record is not None and _wanted(item.record, settings, status):
                yield Place(log.name, item.line), item.record


def check(provider: Directory, consumer: Directory, dns: Sequence[str], comparer: Comparer) -> tuple[Check, ...]:
    """Each DN on both servers now. Raises `IncompleteRead`, `ServerUnavailable`."""
    unique = list({comparer.dn_key(dn): dn for dn in dns}.values())
    found: list[Check] = []
    pairs = zip(unique, provider.fetch(unique, comparer.scope), consumer.fetch(unique, comparer.scope), strict=True)
    for dn, ours, theirs in pairs:
        if ours is None or theirs is None:
            standing = Standing.GONE if ours is theirs else Standing.EXTRA if ours is None else Standing.MISSING
            found.append(Check(dn, standing))
            continue
        unequal = comparer.differences(ours, theirs)
        found.append(Check(dn, Standing.DIFFERS if unequal else Standing.EQUAL, unequal))
    return tuple(found)


def _wanted(record: Record, settings: Settings, status: Status) -> bool:
    if settings.replica is not None and not record.is_for(settings.replica):
        return False
    return not is_done(record, status.get(settings.status_of)) and _is_inside(record.dn, settings.base)


def _is_inside(dn: str, base: str) -> bool:
    try:
        return not base or names.is_below(dn, base)
    except ValueError:
        return True  # the server shall say what it thinks of that DN


@dataclass
class Run:
    """One run: what it works with, and what it did so far. `report` may be asked at any time."""

    target: Target
    book: Book
    rejects: Rejects
    tools: Tools
    settings: Settings
    rejects_name: str = ""
    touched: dict[str, None] = field(default_factory=dict)
    _files: list[str] = field(default_factory=list)
    _applied: Counter[str] = field(default_factory=Counter)
    _refused: list[Brief] = field(default_factory=list)
    _broken: list[Brief] = field(default_factory=list)
    _unfinished: list[Place] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _done: int = 0
    _others: int = 0
    _mode: str = ""
    _last: When | None = None

    def __post_init__(self) -> None:
        self._before = self.book.refused()

    def replay(self, logs: Sequence[tuple[Log, Status]]) -> None:
        """Send what is there; with `follow` stay with the last file until interrupted.

        Raises `GuardRefused`, `IncompleteRead`, and, but for `follow`, `ServerUnavailable`. All that was done is
        saved, whatever is raised.
        """
        self.book.bind(self.settings.status_of)
        self.tools.progress.phase("replay")
        try:
            for number, (log, status) in enumerate(logs):
                self._one_file(log, status, follow=self.settings.follow and number == len(logs) - 1)
        finally:
            self.book.save()

    def _one_file(self, log: Log, status: Status, follow: bool) -> None:
        self._files.append(log.name)
        self._enter(log)
        while True:
            for item in log.items():
                self._item(log, item, status, follow)
            self.book.skip(log.position)
            self.book.save()
            if not follow:
                break
            if log.renewed():
                self.tools.notice(f"{log.name} was rotated or emptied; the new one is read")
                self._enter(log)
            else:
                self.tools.clock.sleep(_POLL)
        if log.damage:
            self._broken.append(Brief(Place(log.name, log.position.line), BROKEN, "", None, log.damage))
        elif log.unfinished is not None:
            self._unfinished.append(Place(log.name, log.unfinished))

    def _enter(self, log: Log) -> None:
        self._fresh = log.resume(self.book.positions()).end == 0
        self.book.enter(log.name, log.position)

    def _item(self, log: Log, item: Item, status: Status, follow: bool) -> None:
        place = Place(log.name, item.line)
        if item.record is None:
            if item.problem:
                self._put_aside(log, item, Brief(place, BROKEN, "", None, item.problem))
            else:
                self.book.skip(log.position)
            return
        if self._fresh and not self.settings.again and self.book.was_seen(item.raw):
            raise GuardRefused(
                f"{place} is a record that was dealt with before, at the beginning of a file that was not",
                "The file was edited, or it is a copy that begins elsewhere: applying it could do changes twice."
                " --again applies it.",
            )
        self._fresh = False
        record = item.record
        if self.settings.replica is None:
            agreed = _agreed(self.settings.named, record, place)
            if self.settings.named is None:
                self.settings = replace(self.settings, named=agreed)
                self.book.bind(self.settings.status_of)
        if not _wanted(record, self.settings, status):
            if is_done(record, status.get(self.settings.status_of)):
                self._done += 1
            else:
                self._others += 1
            self.book.skip(log.position)
            return
        doubt = self.book.in_doubt(item.raw)
        answer = self._sent(item.raw, record, doubt, follow)
        self._last = record.when
        self.touched.setdefault(record.dn)
        self.touched.setdefault(record.new_dn)
        if answer.taken:
            self._applied[record.kind] += 1
            self.book.done(log.position, item.raw)
        else:
            self.rejects.append(write(rejected(record, answer.reason, self.settings.status_of)), doubt is not None)
            refused = brief(place, record, answer.reason)
            self._refused.append(refused)
            self.book.done(log.position, item.raw, refused)
        self.tools.progress.advance(self._applied.total() + len(self._refused))

    def _put_aside(self, log: Log, item: Item, broken: Brief) -> None:
        """Keep what is no record: with its reason, in the rejects file."""
        text = f"ERROR: broken record at {log.name}:{item.line}: {broken.reason}\n".encode("utf-8", "surrogateescape")
        self.rejects.append(text + item.raw.rstrip(b"\r\n") + b"\n\n", doubtful=True)
        self._broken.append(broken)
        self.book.done(log.position, item.raw, broken)

    def _sent(self, raw: bytes, record: Record, doubt: Before | None, follow: bool) -> Answer:
        """The consumer's answer; for `follow`, however long it is away. `doubt`: it may have been sent before."""
        noted = doubt
        while True:
            try:
                self._mode = self.target.open(record.dn)
                maybe_there = noted is not None
                if noted is None:
                    before = self.target.before(record)
                    self.book.begin(raw, before)
                    noted = before
                elif self.target.has(record, noted):
                    return Answer(True)
                answer = self.target.apply(record)
                if not answer.taken and maybe_there and self.target.has(record, noted):
                    return Answer(True)  # it had been on its way all the time
                return answer
            except ServerUnavailable as error:
                self.target.close()
                if not follow:
                    raise
                self.tools.notice(f"{error.message}; trying again")
                self.tools.clock.sleep(_RETRY)

    def report(self, checks: tuple[Check, ...] | None = None) -> ReplayReport:
        """What was done. `checks` settle earlier refusals whose DNs are the same on both servers now."""
        settled = 0
        if checks is not None:
            right = {one.dn for one in checks if one.standing.settled}
            settled = self.book.settle([dn for dn in dict.fromkeys(b.dn for b in self.book.refused()) if dn in right])
            now = self.book.refused()
            self._refused = [one for one in self._refused if one in now]
            self._before = [one for one in self._before if one in now]
        return ReplayReport(
            consumer=self.target.uri,
            mode=self._mode,
            replica=self.settings.status_of,
            files=tuple(self._files),
            applied=dict(self._applied),
            done=self._done,
            others=self._others,
            refused=tuple(self._refused),
            earlier=tuple(self._before),
            settled=settled,
            broken=tuple(self._broken),
            unfinished=tuple(self._unfinished),
            last=self._last,
            checks=checks,
            rejects=self.rejects_name,
            notes=tuple(self._notes),
        )

    def to_check(self) -> list[str]:
        """The DNs of this run, and those refused before."""
        return list(dict.fromkeys([*self.touched, *(one.dn for one in self._before if one.dn)]))
