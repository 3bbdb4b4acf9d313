"""Read the provider as the replication identity and as an auditor, and tell what only the auditor sees.

Both read the same server side by side. Where both show one entryCSN (or modifyTimestamp) for an entry, what is more on
the auditor's side is hidden from the other: counted in passing, since it may be one attribute of every entry. What was
not shown at all, or changed between the two reads, is read again, the auditor before and after the other; what changes
meanwhile is looked at again, and at last left out with a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ldaprepl.domain.blindness import Blindness, HiddenAttribute
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Join, Side, Suspects
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.scope import STAMPS, ReplicationScope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import IncompleteRead, LdapreplError
from ldaprepl.ports import Directory, Ending
from ldaprepl.recheck import BREATH, chunks, text
from ldaprepl.verify import Tools

FIRST = 10  # hidden entries that are named
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Identities:
    """The provider seen by both, each with its name for the report, and the attributes that may be hidden."""

    replicator: Directory
    auditor: Directory
    who: str
    whose: str
    expected: Sequence[str] = ()


def blindness(seen: Identities, scope: ReplicationScope, tools: Tools) -> Blindness:
    """What the replicator does not see. Never raises `LdapreplError`: what could not be read is its `problem`."""
    found = Blindness(seen.who, seen.whose)
    try:
        schema = seen.auditor.schema()
        names = tuple(schema.canonical(name) for name in seen.expected)
        comparer = Comparer(schema, scope._replace(suffixmassage=""), tools.split, tools.values)
        return _Look(seen, comparer, tools).taken(replace(found, expected=names))
    except LdapreplError as error:
        return replace(found, problem=Problem(error.message, error.cure))


@dataclass
class _Look:
    """One comparison of two views of one server."""

    seen: Identities
    comparer: Comparer
    tools: Tools
    counts: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, str] = field(default_factory=dict)
    hidden: int = 0
    named: list[str] = field(default_factory=list)
    unseen: int = 0

    def taken(self, found: Blindness) -> Blindness:
        self.tools.progress.phase("reading as the auditor")
        suspects = self._pass()
        if isinstance(suspects, Problem):
            return replace(found, problem=suspects)
        left = self._again(suspects)
        attributes = [HiddenAttribute(name, self.counts[name], self.firsts[name]) for name in sorted(self.counts)]
        moving = (f"{counted(left)} changed all the time and {agreeing(left, 'was', 'were')} left out",) if left else ()
        return replace(
            found,
            entries=self.hidden,
            first=tuple(self.named),
            attributes=tuple(attributes),
            unseen=self.unseen,
            notes=moving,
        )

    def _pass(self) -> Suspects | Problem:
        scope = self.comparer.scope
        both = (self.seen.replicator, self.seen.auditor)
        with self.tools.overflow() as overflow:
            join = Join(self._same, overflow)
            for directory in both:
                directory.start(scope, scope.base)
            read = 0
            for index, item in self.tools.pump(both):
                if not isinstance(item, Ending):
                    join.feed(Side(index), item)
                    read += len(item)
                    self.tools.progress.advance(read)
                elif item.problem:
                    return item.problem
            return join.finish()

    def _same(self, replicator: bytes, auditor: bytes) -> bool:
        more = self.comparer.more_in_second(replicator, auditor)
        if more is None:
            return False
        self._count(more, text(self.tools.split(auditor)[0]))
        return True

    def _count(self, names: Sequence[str], dn: str) -> None:
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1
            self.firsts.setdefault(name, dn)

    def _again(self, suspects: Suspects) -> int:
        """Look at the suspects one by one; how many never stood still."""
        pending = [text(dn) for dn in (*suspects.pairs, *suspects.provider_only, *suspects.consumer_only)]
        for turn in range(_ROUNDS):
            moving: list[str] = []
            if turn and pending:
                self.tools.clock.sleep(BREATH)
            for _, chunk in chunks(pending):
                moving += self._chunk(chunk)
            pending = moving
        return len(pending)

    def _chunk(self, dns: Sequence[str]) -> list[str]:
        scope = self.comparer.scope
        auditor = self.seen.auditor
        before = list(auditor.fetch(dns, scope))
        mine = list(self._shown(dns))
        after = list(auditor.fetch(dns, scope, STAMPS))
        moving = []
        for dn, first, held, last in zip(dns, before, mine, after, strict=True):
            if _stamps(first) != _stamps(last):
                moving.append(dn)
            elif first is None:
                self.unseen += held is not None
            elif held is None:
                self.hidden += 1
                self.named += [first.dn] if len(self.named) < FIRST else []
            else:
                differing = self.comparer.differences(held, first)
                self._count([self.comparer.schema.canonical(d.name) for d in differing if d.consumer], first.dn)
        return moving

    def _shown(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """What the replicator gets; where a server says "no access" instead of "no entry", that is nothing."""
        try:
            yield from list(self.seen.replicator.fetch(dns, self.comparer.scope))
        except IncompleteRead:
            if len(dns) == 1:
                yield None
                return
            half = len(dns) // 2
            yield from self._shown(dns[:half])
            yield from self._shown(dns[half:])


def _stamps(entry: Entry | None) -> tuple[tuple[bytes, ...], ...] | None:
    return None if entry is None else tuple(entry.values(name) for name in STAMPS)
