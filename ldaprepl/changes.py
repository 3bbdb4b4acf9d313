"""One consumer since its last proof: what changed on either side, and whether as many entries went on both.

What has a newer entryCSN is read from both sides and joined; what the run before found is always looked at again.
Entries that went leave no CSN: the sizes of both databases tell, where they can be seen at a moment when nothing is
under way. Where not, or where they do not fit, identity and age of every entry are listed and joined. All suspects then
get the same second look as ever, together with whoever holds their place or their identity on the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.memory import Recollection
from ldaprepl.domain.proof import Mark, Moment, Proof, balance, changed_filter, doubt
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.verdict import ConsumerReport, Finding, How, Kind, Problem, Reach, State
from ldaprepl.errors import LdapreplError
from ldaprepl.overtaken import joined
from ldaprepl.ports import Directory
from ldaprepl.recheck import BREATH, Outcome, Recheck, text
from ldaprepl.verify import Look, Options, Tools, first_look

_LISTED = ("entryUUID", "entryCSN")
_LOOKS = 5  # at the sizes of the databases while they do not fit: a delete shows before its CSN does
_QUIET = 1.0  # seconds that both are given to have the same changes; who writes all the time never has them
_STEPS = 4  # from an entry to whoever holds its place or its identity on the other side
_NONE = Suspects()
Result = tuple[ConsumerReport, Proof | None]


class Asking(NamedTuple):
    """What servers are asked beside their entries (`wire.survey`)."""

    survey: Callable[[Directory, str], Mark]
    entries: Callable[[Directory, str], int | None]
    holders: Callable[[Directory, Sequence[str], ReplicationScope, str], list[str]]


class World(NamedTuple):
    """All that the pairs of one run have in common. `mark` is the provider's; `at` is now (UTC)."""

    provider: Directory
    scope: ReplicationScope
    tools: Tools
    options: Options
    asking: Asking
    mark: Mark
    at: datetime


class Pair(NamedTuple):
    """One consumer, what is remembered of it, and its mark (None: it cannot be asked)."""

    consumer: Directory
    before: Recollection
    mark: Mark | None


def since_last(world: World, pair: Pair, comparer: Callable[[], Comparer], full_every: float | None) -> Result | str:
    """What came of the changes; or why everything has to be compared (empty: that will show by itself).

    `comparer` is asked for when the schema is needed: reading one takes longer than comparing a few equal entries.
    """
    proof = pair.before.proof
    if pair.mark is None:
        return ""
    now = Moment(world.mark, pair.mark, world.at, full_every)
    why = doubt(proof, now)
    if why or proof is None:
        return why
    changes = _Changes(world, pair, comparer)
    try:
        return changes.compare(proof, pair.mark, changed_filter(world.scope.filter, proof, now))
    except LdapreplError as error:
        return ConsumerReport(pair.consumer.uri, problem=Problem(error.message, error.cure)), None


def surplus(world: World, consumer: Directory, wanted: int | None) -> int | None:
    """By how many entries the provider's database is larger, at a moment when both had the same changes; None where
    there is no such moment or no such number, or where the scope is not the whole database. Returns at once when it is
    `wanted`."""
    base, there = world.scope.base, world.scope.consumer_base
    if world.scope.scope is not Scope.SUB or world.scope.filter != MATCH_ALL:
        return None  # an entry may leave such a scope, and another one come to be outside of it
    clock = world.tools.clock
    deadline = clock.monotonic() + min(_QUIET, world.options.settle)
    found = None
    looks = 0
    while looks < _LOOKS:
        before = world.provider.context_csn(base)
        ours = world.asking.entries(world.provider, base)
        have = consumer.context_csn(there)
        theirs = world.asking.entries(consumer, there)
        if ours is None or theirs is None:
            return None
        if not have.covers_all(before):
            if clock.monotonic() >= deadline:
                return None
        elif world.provider.context_csn(base) == before and consumer.context_csn(there) == have:
            found = ours - theirs
            if found == wanted:
                return found
            looks += 1
        elif clock.monotonic() >= deadline:
            looks += 1
        clock.sleep(BREATH)
    return found


class _Changes:
    """The comparison of one pair."""

    def __init__(self, world: World, pair: Pair, comparer: Callable[[], Comparer]) -> None:
        self._world = world
        self._provider, self._consumer = world.provider, pair.consumer
        self._before = pair.before
        self._by_schema = comparer

    def compare(self, proof: Proof, mark: Mark, changed: str) -> Result | str:
        """Look at the changes. Raises `LdapreplError` when a side cannot be read."""
        tools, scope = self._world.tools, self._world.scope
        # Whatever is not equal byte by byte gets a second look, which goes by the schema.
        bytewise = Comparer(Schema.EMPTY, scope, tools.split, tools.values)
        changes = look = self._read(scope._replace(filter=changed), bytewise)
        if look.report.problem:
            return look.report, None
        how, offset = How.CHANGES, proof.offset
        outcome = None
        if offset is not None:
            outcome = self._judge(changes)
            wanted = offset + balance(outcome.findings)
            if surplus(self._world, self._consumer, wanted) != wanted:
                outcome = None
        if outcome is None:
            how = How.LIST
            look = self._read(scope._replace(attrs=_LISTED), self._comparer)
            if look.report.problem:
                return look.report, None
            outcome = self._judge(changes, look.suspects)
            offset = unexplained(self._world, self._consumer, outcome.findings)
        if self._may_stand_for_others(outcome.findings):
            return "an entry has another name on the consumer, and with it all that is below"
        reach = Reach(how, proven=f"{proof.at:%Y-%m-%dT%H:%M:%SZ}")
        now = Proof(self._world.mark, mark, self._world.at, proof.full, offset)
        return self._report(look, outcome, reach), now

    @property
    def _comparer(self) -> Comparer:
        return self._by_schema()

    def _read(self, part: ReplicationScope, comparer: Comparer) -> Look:
        (look,) = first_look(self._provider, [self._consumer], comparer, self._world.tools, part)
        return look

    def _judge(self, changes: Look, more: Suspects = _NONE) -> Outcome:
        """The second look, at what the run before found too, and at whoever these entries meet on the other side."""
        world = self._world
        suspects = joined(changes.suspects, more)
        if not suspects and not self._before.findings:
            return Outcome((), 0, self._consumer.context_csn(world.scope.consumer_base))
        known = [name for finding in self._before.findings for name in self._names(finding)]
        wide = Suspects([*suspects.pairs, *map(_bytes, known)], suspects.provider_only, suspects.consumer_only)
        wide.pairs.extend(map(_bytes, self._met(wide)))
        recheck = Recheck(self._provider, self._consumer, self._comparer, world.tools.clock, world.options.settle)
        return changes.overtaken.judge(recheck, wide, world.tools.progress)

    def _names(self, finding: Finding) -> list[str]:
        """The DNs that a finding is about, as the provider names them."""
        names = [] if finding.kind is Kind.EXTRA else [finding.dn]
        return names + ([self._comparer.provider_dn(finding.consumer_dn)] if finding.consumer_dn else [])

    def _met(self, suspects: Suspects) -> list[str]:
        """Where else entries with the same identities are: one that was renamed on one side only is under its old name
        on the other, and somebody else may be under the new one."""
        names = list(map(text, dict.fromkeys((*suspects.pairs, *suspects.provider_only, *suspects.consumer_only))))
        seen = {self._comparer.dn_key(name) for name in names}
        met: list[str] = []
        for _ in range(_STEPS):
            if not names:
                break
            ours = _uuids(self._provider.stamps(names))
            theirs = _uuids(self._consumer.stamps([self._comparer.consumer_dn(name) for name in names]))
            found = [self._comparer.provider_dn(dn) for dn in self._holders(self._consumer, ours - theirs)]
            found += self._holders(self._provider, theirs - ours)
            names = [name for name in found if self._comparer.dn_key(name) not in seen]
            seen.update(map(self._comparer.dn_key, names))
            met += names
        return met

    def _holders(self, directory: Directory, uuids: set[str]) -> list[str]:
        scope = self._world.scope
        base = scope.base if directory is self._provider else scope.consumer_base
        return self._world.asking.holders(directory, sorted(uuids), scope, base)

    def _may_stand_for_others(self, findings: Iterable[Finding]) -> bool:
        """An entry under another name that the run before did not have."""
        held = {finding.uuid for finding in self._before.findings if finding.kind is Kind.RENAMED}
        return any(
            finding.kind is Kind.RENAMED and finding.state is State.LASTING and finding.uuid not in held
            for finding in findings
        )

    def _report(self, look: Look, outcome: Outcome, reach: Reach) -> ConsumerReport:
        """Counts are of the entries that were looked at."""
        wrong = sum(finding.kind is not Kind.EXTRA for finding in outcome.findings)
        read = look.report.provider_entries
        equal = look.report.equal + outcome.equal
        if reach.how is How.LIST:
            equal = max(0, min(equal, read - wrong))
        else:
            read = equal + wrong
        return replace(
            look.report,
            contextcsn=outcome.contextcsn,
            provider_entries=read,
            equal=equal,
            settled=outcome.equal,
            findings=outcome.findings,
            notes=look.report.notes + outcome.notes,
            reach=reach,
        )


def unexplained(world: World, consumer: Directory, findings: Sequence[Finding]) -> int | None:
    """By how many entries more than the findings say the provider's database is larger: what lies outside of the scope
    or is not shown. It stays the same as long as nothing is lost. None: not to be known for sure.

    Nothing unexplained is the same whenever it is seen. Anything else is believed only when the provider had no change
    since this run began: what was lost meanwhile would be in it for ever.
    """
    if any(finding.state is State.BEHIND for finding in findings):
        return None
    wanted = balance(findings)
    found = surplus(world, consumer, wanted)
    if found is None or found == wanted:
        return None if found is None else 0
    return found - wanted if world.provider.context_csn(world.scope.base) == world.mark.csns else None


def _uuids(entries: Iterable[Entry | None]) -> set[str]:
    return {entry.uuid for entry in entries if entry is not None and entry.uuid}


def _bytes(dn: str) -> bytes:
    return dn.encode("utf-8", "surrogateescape")
