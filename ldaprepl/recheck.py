"""The second look: which suspects are wrong for good, and which only travel.

A suspect was not equal when two servers were read at about the same time. It is read again on both sides, gated by
contextCSN instead of a blind pause: the provider's entry first, then the provider's contextCSN, then wait until the
consumer says it has that, then the consumer's entry, then the provider's once more.

- Equal now: settled.
- The provider's entry, or one above it, changed meanwhile: nothing follows; look again. Those above count because
  renaming one of them moves the entry without a new stamp on it.
- The consumer has passed the CSN and still differs: lasting. That an entry is gone leaves no stamp on the provider, and
  shows there a moment before contextCSN moves; so the very same extra entry must be seen in two rounds.
- The consumer has not passed it within `settle` seconds: behind, unless it says it has this very change (its CSN covers
  the entry's entryCSN) and the values differ all the same, or the extra entry never came from the provider.
- No CSN to go by on one of the sides: wait `settle` seconds once, and take what then still differs for lasting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ldaprepl.domain.compare import Comparer, Divergence
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.scope import MATCH_ALL, STAMPS
from ldaprepl.domain.verdict import Finding, Kind, State
from ldaprepl.ports import Clock, Directory, Progress

CHUNK = 2000  # suspects held decoded at once
_ROUNDS = 3  # that are made at least while something is not decided
HALVES = (Kind.MISSING, Kind.EXTRA)  # what a renamed entry looks like to whoever sees one of its names only
BREATH = 0.05  # seconds between two rounds, more than a contextCSN trails the change it stands for
_POLL = (0.05, 1.0)  # seconds between two looks at a contextCSN: the first, the longest


class Outcome(NamedTuple):
    """What became of the suspects. `equal` counts those that are the same now, `gone` the names that neither side has
    any more; `settled` are the entryUUIDs of those that are the same and of the findings."""

    findings: tuple[Finding, ...]
    equal: int
    contextcsn: CsnSet
    notes: tuple[str, ...] = ()
    gone: int = 0
    settled: frozenset[str] = frozenset()


class Gate(NamedTuple):
    """How far both sides were when a chunk was read. `reached` None: no CSNs to tell by. `back`: the same the other
    way, where the provider receives, too.
    """

    target: CsnSet
    have: CsnSet
    reached: bool | None
    back: bool | None = None


class _Sight(NamedTuple):
    """The provider at one moment, by DN key: the entries looked at, and those above them. Read one after the other, so
    what is above one entry must not stand for the entry itself."""

    entries: dict[bytes, Entry]
    above: dict[bytes, Entry]


class Recheck:
    """The second look at one consumer."""

    def __init__(
        self, provider: Directory, consumer: Directory, comparer: Comparer, clock: Clock, settle: float
    ) -> None:
        self._provider = provider
        self._consumer = consumer
        self._comparer = comparer
        self._clock = clock
        self._settle = settle
        self._deadline = clock.monotonic() + settle
        self._waited_blind = False
        self._gone = 0
        self._settled: set[str] = set()
        self._seen: dict[Divergence, int] = {}  # in how many rounds in a row, up to the round before
        self._seen_now: dict[Divergence, int] = {}

    def judge(self, suspects: Suspects, progress: Progress) -> Outcome:
        """Judge all suspects. Raises `LdapreplError` when a side cannot be read any more."""
        pending = names_of(suspects, self._comparer)
        if pending:
            progress.phase("second look", len(pending))
        self._deadline = self._clock.monotonic() + self._settle
        self._gone = 0
        self._settled = set()
        findings: list[Finding] = []
        equal = 0
        last = False
        rounds = 0
        while pending:
            rounds += 1
            decided, undecided, present = self._round(pending, progress)
            findings += decided
            equal += present - sum(_on_provider(d.finding) for d in undecided) - sum(map(_on_provider, decided))
            if last:
                findings += [replace(divergence.finding, state=State.BEHIND) for divergence in undecided]
                break
            last = rounds + 1 >= _ROUNDS and self._clock.monotonic() >= self._deadline
            pending = dns_of(undecided, self._comparer)
            if pending:
                self._clock.sleep(BREATH)
        findings.sort(key=lambda finding: self._comparer.tree_order(finding.dn))
        have = self._consumer.context_csn(self._comparer.scope.consumer_base)
        blind = f"no contextCSN to go by on one of the sides: waited {self._settle:g} s instead"
        notes = (blind,) if self._waited_blind else ()
        settled = self._settled.union(finding.uuid for finding in findings)
        return Outcome(tuple(findings), max(0, equal), have, notes, self._gone, frozenset(settled))

    def _round(self, dns: Sequence[str], progress: Progress) -> tuple[list[Finding], list[Divergence], int]:
        """One look at all: what is decided, what is not yet, and how many entries the provider holds."""
        decided: list[Finding] = []
        undecided: list[Divergence] = []
        present = 0
        halves: list[tuple[Divergence, Gate]] = []
        self._seen, self._seen_now = self._seen_now, {}
        for done, chunk in chunks(dns):
            divergences, gate, held = self._look(chunk)
            present += held
            whole = [d for d in divergences if d.finding.kind not in HALVES]
            halves += [(d, gate) for d in divergences if d.finding.kind in HALVES]
            self._sort(whole, gate, decided, undecided)
            progress.advance(done)
        self._sort_halves(halves, decided, undecided)
        return decided, undecided, present

    def _sort_halves(
        self, halves: list[tuple[Divergence, Gate]], decided: list[Finding], undecided: list[Divergence]
    ) -> None:
        """Those that have no other half are sorted as they are."""
        both, pieces = torn([divergence for divergence, _ in halves])
        for divergence, gate in halves:
            if divergence.finding.uuid not in both:
                self._sort([divergence], gate, decided, undecided)
        for piece in pieces:
            divergences, gate, _ = self._look(dns_of(piece, self._comparer))
            self._sort(divergences, gate, decided, undecided)

    def _look(self, dns: Sequence[str]) -> tuple[list[Divergence], Gate, int]:
        """Read one chunk in the order that makes a difference mean something."""
        scope = self._comparer.scope
        shown = list(self._provider.fetch(dns, scope))
        ours = found(shown)
        above = self._above(dns)
        before = _Sight(self._keyed(ours), self._keyed(found(self._provider.stamps(above))))
        gate = self._wait(self._provider.context_csn(scope.base))
        held = list(self._consumer.fetch([self._comparer.consumer_dn(dn) for dn in dns], scope))
        self._gone += sum(left is None and right is None for left, right in zip(shown, held, strict=True))
        theirs = found(held)
        divergences = self._comparer.classify(ours, self._without_glue(ours, theirs))
        differing = {divergence.finding.uuid for divergence in divergences}
        self._settled.update(entry.uuid for entry in ours if entry.uuid and entry.uuid not in differing)
        if divergences:
            gate = self._answered(gate)
            again = found(self._provider.fetch(dns_of(divergences, self._comparer), scope, STAMPS))
            after = _Sight(self._keyed(again), self._keyed(found(self._provider.stamps(above))))
            over_extra = self._over_extra(divergences)
            divergences = [self._marked(divergence, before, after, over_extra) for divergence in divergences]
        return divergences, gate, len(ours)

    def _without_glue(self, ours: Sequence[Entry], theirs: Sequence[Entry]) -> list[Entry]:
        """A replica of a part holds glue where the filter leaves out what is above an entry: that is how it must be.
        Glue with nothing below it has outlived what it held."""
        if self._comparer.scope.filter == MATCH_ALL:
            return list(theirs)
        sent = self._keyed(ours)
        key_of = self._comparer.consumer_key
        return [e for e in theirs if key_of(e.dn) in sent or not _holds_together(e)]

    def _above(self, dns: Iterable[str]) -> list[str]:
        """All entries above these, up to the base, each once."""
        return list(dict.fromkeys(name for dn in dns for name in self._comparer.above(dn)))

    def _over_extra(self, divergences: Iterable[Divergence]) -> dict[bytes, Entry]:
        """What the consumer holds above its extra entries."""
        names = self._above(d.finding.dn for d in divergences if d.finding.kind is Kind.EXTRA)
        held = found(self._consumer.stamps([self._comparer.consumer_dn(name) for name in names]))
        return {self._comparer.consumer_key(entry.dn): entry for entry in held}

    def _keyed(self, entries: Iterable[Entry]) -> dict[bytes, Entry]:
        return {self._comparer.dn_key(entry.dn): entry for entry in entries}

    def _marked(
        self,
        divergence: Divergence,
        before: _Sight,
        after: _Sight,
        over_extra: dict[bytes, Entry],
    ) -> Divergence:
        """With the entryCSNs above it; unstable when the provider's side is not what it was before the consumer was
        read."""
        key_of = self._comparer.dn_key
        keys = [key_of(dn) for dn in dns_of([divergence], self._comparer)]
        kind = divergence.finding.kind
        above: list[bytes] = []
        if kind is not Kind.DIFFERS:  # values do not depend on where the entry hangs
            above = [key_of(name) for name in self._comparer.above(divergence.finding.dn)]
        stable = all(self._unchanged(before.entries.get(key), after.entries.get(key)) for key in keys)
        holders = over_extra
        if kind is not Kind.EXTRA:
            holders = after.above
            stable = stable and all(self._unchanged(before.above.get(key), holders.get(key)) for key in above)
        csns = tuple((holders[key].csn or "") if key in holders else None for key in above)
        return replace(divergence, above=csns, stable=stable)

    @staticmethod
    def _unchanged(before: Entry | None, after: Entry | None) -> bool:
        if before is None or after is None:
            return before is after
        return all(before.values(name) == after.values(name) for name in STAMPS if after.values(name))

    def _wait(self, target: CsnSet) -> Gate:
        """Until the consumer has passed `target`, at most until the deadline."""
        base = self._comparer.scope.consumer_base
        have = self._consumer.context_csn(base)
        if not target or not have:
            if not self._waited_blind:
                self._clock.sleep(max(0.0, self._deadline - self._clock.monotonic()))
                self._waited_blind = True
            return Gate(target, have, None)
        have = self._passed(self._consumer, base, target, have)
        return Gate(target, have, have.covers_all(target))

    def _passed(self, server: Directory, base: str, target: CsnSet, have: CsnSet) -> CsnSet:
        """The contextCSN of a server when it has passed `target`, or at the deadline; `have` is what it shows now."""
        pause, longest = _POLL
        while not have.covers_all(target) and (left := self._deadline - self._clock.monotonic()) > 0:
            self._clock.sleep(min(pause, left))
            pause = min(pause * 2, longest)
            have = server.context_csn(base)
        return have

    def _sort(
        self, divergences: Iterable[Divergence], gate: Gate, decided: list[Finding], undecided: list[Divergence]
    ) -> None:
        for divergence in divergences:
            state = self._state(divergence, gate)
            if state is None:
                undecided.append(divergence)
            else:
                decided.append(self._finding(divergence, state, gate))

    def _answered(self, gate: Gate) -> Gate:
        """After the consumer's entries were read: what else is to be waited for. Nothing, where one side sends."""
        return gate

    def _finding(self, divergence: Divergence, state: State, gate: Gate) -> Finding:
        return replace(divergence.finding, state=state)

    def _state(self, divergence: Divergence, gate: Gate) -> State | None:
        """The state of a divergence; None: look again."""
        if not divergence.stable:
            return None
        if divergence.finding.kind is Kind.EXTRA:
            foreign = gate.target and divergence.consumer_csn and not covers(gate.target, divergence.consumer_csn)
            if gate.reached is False and not foreign:
                return State.BEHIND
            return self._lasting(divergence, rounds=2)
        if gate.reached is False:
            has_it = divergence.provider_csn and covers(gate.have, divergence.provider_csn)
            return State.LASTING if divergence.finding.kind is Kind.DIFFERS and has_it else State.BEHIND
        if gate.reached and any(_trails(gate, csn) for csn in (divergence.provider_csn, *divergence.above)):
            return None
        return self._lasting(divergence, rounds=1)

    def _lasting(self, divergence: Divergence, rounds: int) -> State | None:
        """Lasting when the very same was seen in so many rounds in a row; in more where an entry above it is not shown,
        so that its renaming would not be noticed."""
        wanted = _ROUNDS if None in divergence.above else rounds
        if wanted == 1:
            return State.LASTING
        seen = self._seen_now[divergence] = self._seen.get(divergence, 0) + 1
        return State.LASTING if seen >= wanted else None


def merged(one: Outcome, later: Outcome, comparer: Comparer) -> Outcome:
    """Of two looks at different entries."""
    findings = dict.fromkeys((*one.findings, *later.findings))
    return later._replace(
        findings=tuple(sorted(findings, key=lambda finding: comparer.tree_order(finding.dn))),
        equal=one.equal + later.equal,
        settled=one.settled | later.settled,
    )


def _holds_together(entry: Entry) -> bool:
    """Glue that has something below it, as far as the server tells (hasSubordinates, X.501)."""
    return b"glue" in entry.values("objectClass") and entry.values("hasSubordinates") != (b"FALSE",)


def _trails(gate: Gate, csn: str | None) -> bool:
    """Whether the provider's contextCSN had not caught up with this change of its own when it was read."""
    try:
        parsed = Csn.parse(csn or "")
    except ValueError:
        return False
    return parsed.sid in gate.target and not gate.have.covers(parsed)


def _on_provider(finding: Finding) -> bool:
    return finding.kind is not Kind.EXTRA


def names_of(suspects: Suspects, comparer: Comparer) -> list[str]:
    """All DNs to look at, as the provider writes them; another spelling of a DN is the same DN."""
    ours = [text(dn) for dn in dict.fromkeys([*suspects.pairs, *suspects.provider_only])]
    keys = {comparer.dn_key(dn) for dn in ours} if suspects.consumer_only else set()
    return ours + [dn for dn in map(text, suspects.consumer_only) if comparer.dn_key(dn) not in keys]


def found(answers: Iterable[Entry | None]) -> list[Entry]:
    """The entries there are, each once: two spellings of a DN find the same one."""
    return list({entry.dn: entry for entry in answers if entry is not None}.values())


def text(dn: bytes) -> str:
    """A DN from a frame as text."""
    return dn.decode("utf-8", "surrogateescape")


def covers(csns: CsnSet, csn: str) -> bool:
    try:
        return csns.covers(Csn.parse(csn))
    except ValueError:
        return False


def dns_of(divergences: Iterable[Divergence], comparer: Comparer) -> list[str]:
    """All DNs that a divergence is about, as the provider names them."""
    names: dict[str, None] = {}
    for divergence in divergences:
        finding = divergence.finding
        if finding.kind is not Kind.EXTRA:
            names[finding.dn] = None
        if finding.consumer_dn:
            names[comparer.provider_dn(finding.consumer_dn)] = None
    return list(names)


def torn(divergences: Iterable[Divergence]) -> tuple[set[str], Iterator[Sequence[Divergence]]]:
    """A missing and an extra entry with one entryUUID that fell into different chunks are one renamed entry: these
    entryUUIDs, and their divergences in pieces that are to be looked at once more."""
    halves = [d for d in divergences if d.finding.kind in HALVES and d.finding.uuid]
    missing, extra = ({d.finding.uuid for d in halves if d.finding.kind is kind} for kind in HALVES)
    both = missing & extra
    renamed = sorted((d for d in halves if d.finding.uuid in both), key=lambda d: d.finding.uuid)
    # an even number: the two halves of a pair stay together
    return both, (renamed[first : first + CHUNK] for first in range(0, len(renamed), CHUNK))


def chunks(dns: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Pieces that are decoded at once, each with the number of DNs up to its end."""
    for first in range(0, len(dns), CHUNK):
        chunk = dns[first : first + CHUNK]
        yield first + len(chunk), chunk
