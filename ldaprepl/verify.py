"""Verify: is every entry the same on the provider and on its consumers?

One pass reads all servers at once and joins them; what is not equal there is a suspect (see `domain.join`). Then a
second look (`recheck` has the rules) tells what is lag from what is wrong. A side that was not read to a
clean end is `undecided`: nothing on it is called missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ldaprepl.domain.compare import Comparer, SplitFrame, SplitValues
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.join import Join, Overflow, Side, Suspects
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.verdict import ConsumerReport, Kind, Problem, VerifyReport
from ldaprepl.errors import LdapreplError, ProtocolViolation, UsageError
from ldaprepl.overtaken import Overtaken
from ldaprepl.ports import Clock, Directory, Ending, Progress, Pump, Still
from ldaprepl.recheck import Recheck, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ldaprepl.imagecheck import ImageCheck


@dataclass(frozen=True, slots=True)
class Tools:
    """What verify works with: the world behind ports, and the frame decoder."""

    pump: Pump
    split: SplitFrame
    values: SplitValues
    overflow: Callable[[], AbstractContextManager[Overflow]]
    clock: Clock
    progress: Progress


@dataclass(frozen=True, slots=True)
class Options:
    """`settle`: seconds that a consumer gets to pass the provider's CSN; `bytewise`: no schema, bytes only."""

    settle: float = 10.0
    bytewise: bool = False


def verify(
    provider: Directory, consumers: Sequence[Directory], scope: ReplicationScope, tools: Tools, options: Options
) -> VerifyReport:
    """Compare every entry of `scope`. Raises `LdapreplError` when the provider cannot be asked at all."""
    started = tools.clock.monotonic()
    before = provider.context_csn(scope.base)
    schema = Schema.EMPTY if options.bytewise else provider.schema()
    images = [held for held in (provider, *consumers) if isinstance(held, Still)]
    comparer = Comparer(schema, scope, tools.split, tools.values, selective=bool(images))
    unknown = unknown_attributes(shown_schema(provider) if options.bytewise else schema, scope)
    tools.progress.phase("reading")
    first = first_look(provider, consumers, comparer, tools)
    if isinstance(provider, Still):
        before = provider.context_csn(scope.base)  # it is known only now
        first = _expected(provider, first)
    reports = []
    for consumer, look in zip(consumers, first, strict=True):
        report = look.report
        if report.problem is None:
            check = _check(provider, consumer, comparer, tools, options)
            report = second_look(check, look, tools.progress)
        reports.append(replace(report, notes=unknown + _itself(provider, consumer, scope) + report.notes))
    return VerifyReport(scope.base, provider.uri, before, tuple(reports), tools.clock.monotonic() - started)


def _itself(provider: Directory, consumer: Directory, scope: ReplicationScope) -> tuple[str, ...]:
    """A note where a slip of the hand had a server compared with itself: that is always equal."""
    same = provider.uri.casefold().rstrip("/") == consumer.uri.casefold().rstrip("/")
    if not same or scope.base != scope.consumer_base:
        return ()
    return ("this consumer is the provider itself: what is equal here says nothing about replication",)


def _expected(provider: Still, looks: list[Look]) -> list[Look]:
    """Have the suspects of all consumers set aside; without them nothing can be judged."""
    held = [dn for look in looks for dn in (*look.suspects.pairs, *look.suspects.provider_only)]
    try:
        provider.expect(map(text, held))
    except LdapreplError as error:
        problem = Problem(error.message, error.cure)
        return [replace(look, report=replace(look.report, problem=look.report.problem or problem)) for look in looks]
    return looks


def _check(
    provider: Directory, consumer: Directory, comparer: Comparer, tools: Tools, options: Options
) -> Recheck | ImageCheck:
    """The second look that suits the two sides."""
    if isinstance(provider, Still) or isinstance(consumer, Still):
        from ldaprepl.imagecheck import ImageCheck

        return ImageCheck(provider, consumer, comparer, tools.clock)
    return Recheck(provider, consumer, comparer, tools.clock, options.settle)


def undecided(scope: ReplicationScope, provider: str, consumers: Sequence[str], problem: Problem) -> VerifyReport:
    """The report when nothing could be asked."""
    reports = tuple(ConsumerReport(uri, problem=problem) for uri in consumers)
    return VerifyReport(scope.base, provider, CsnSet(), reports)


def shown_schema(directory: Directory) -> Schema:
    """Where bytes are compared a schema only tells a slip in a name; a server that hides it is not asked for more."""
    try:
        return directory.schema()
    except LdapreplError:
        return Schema.EMPTY


def unknown_attributes(schema: Schema, scope: ReplicationScope) -> tuple[str, ...]:
    """Notes on attributes that the provider does not know. Raises `UsageError` when no other is to be compared."""
    from ldaprepl.domain.standardschema import STANDARD  # a short run needs no schema at all

    if schema in (Schema.EMPTY, STANDARD):  # which do not claim to be all there is
        return ()
    plain = [name for name in scope.attrs if name[:1] not in "*+@!" and name != "1.1"]
    unknown = {name for name in (*plain, *scope.exattrs) if name[:1] not in "*+@!" and not schema.attribute(name)}
    if plain and len(plain) == len(scope.attrs) and unknown.issuperset(plain):
        raise UsageError(
            f"the provider's schema has no attribute {', '.join(plain)}: nothing would be compared", "Check --attrs."
        )
    return tuple(f"the provider's schema has no attribute {name}" for name in sorted(unknown))


@dataclass(frozen=True, slots=True)
class Look:
    """One consumer after the pass: counts, or the problem; the suspects; and what may have come in between."""

    report: ConsumerReport
    suspects: Suspects
    overtaken: Overtaken


def first_look(
    provider: Directory,
    consumers: Sequence[Directory],
    comparer: Comparer,
    tools: Tools,
    part: ReplicationScope | None = None,
) -> list[Look]:
    """Read everything once, all servers side by side; only `part` of the scope where one is given.

    Raises `LdapreplError` when the provider refuses at once.
    """
    overflows = [tools.overflow() for _ in consumers]
    pairings = [
        _Pairing(consumer, comparer, overflow, Overtaken(provider, consumer, comparer, tools.pump), part)
        for consumer, overflow in zip(consumers, overflows, strict=True)
    ]
    provider.start(part or comparer.scope, comparer.scope.base)
    read: list[Directory] = [provider]
    reading: list[_Pairing] = []
    for pairing in pairings:
        if pairing.start():
            read.append(pairing.consumer)
            reading.append(pairing)
    try:
        _join_all(read, reading, tools)
        return [pairing.outcome() for pairing in pairings]
    finally:
        for overflow in overflows:
            overflow.__exit__(None, None, None)


def _join_all(read: Sequence[Directory], reading: Sequence[_Pairing], tools: Tools) -> None:
    seen = 0
    for index, item in tools.pump(read):
        if index == 0:
            concerned = reading
            if not isinstance(item, Ending):
                seen += len(item)
                tools.progress.advance(seen)
        else:
            concerned = [reading[index - 1]]
        for pairing in concerned:
            pairing.take(Side.PROVIDER if index == 0 else Side.CONSUMER, item)
        if all(pairing.problem for pairing in reading):
            return


class _Pairing:
    """The join of one consumer with the provider, and what became of it."""

    def __init__(
        self,
        consumer: Directory,
        comparer: Comparer,
        overflow: AbstractContextManager[Overflow],
        overtaken: Overtaken,
        part: ReplicationScope | None,
    ) -> None:
        self.consumer = consumer
        self._comparer = comparer
        self._part = part
        self._join = Join(comparer.same_frames, overflow.__enter__(), comparer.rename)
        if comparer.selective:  # a dump and a server, or two ways of dumping, differ in what is not compared
            self._join.print_of = comparer.print_of
        self._notes: list[str] = []
        self._overtaken = overtaken
        self.problem: Problem | None = None

    def start(self) -> bool:
        """Begin the consumer's read; False when it refuses at once."""
        scope = self._comparer.scope
        try:
            if self._overtaken.failed:
                raise self._overtaken.failed
            self.consumer.start(self._part or scope, scope.consumer_base)
        except LdapreplError as error:
            self.problem = Problem(error.message, error.cure)
        return self.problem is None

    def take(self, side: Side, item: list[tuple[bytes, bytes]] | Ending) -> None:
        """Entries, or the end, of one side."""
        if self.problem is not None:
            return
        if isinstance(item, Ending):
            self.problem = item.problem
            self._notes += unfollowed("the provider" if side is Side.PROVIDER else self.consumer.uri, item)
            return
        try:
            self._join.feed(side, item)
        except ProtocolViolation as error:
            who = f"the provider or of {self.consumer.uri}"
            self.problem = Problem(f"an entry of {who} could not be decoded: {error.message}", error.cure)
        except LdapreplError as error:
            self.problem = Problem(error.message, error.cure)

    def outcome(self) -> Look:
        """After both ends."""
        provider_entries, consumer_entries = self._join.counts
        suspects = Suspects()
        if self.problem is None and self._part is None:  # of a part nothing may be there
            self.problem = self._blindness(provider_entries, consumer_entries)
        if self.problem is None:
            try:
                suspects = self._overtaken.more(self._join.finish())
            except LdapreplError as error:
                self.problem = Problem(error.message, error.cure)
        report = ConsumerReport(
            self.consumer.uri,
            provider_entries=provider_entries,
            consumer_entries=consumer_entries,
            equal=self._join.equal,
            problem=self.problem,
            notes=tuple(self._notes),
        )
        return Look(report, suspects, self._overtaken)

    def _blindness(self, provider_entries: int, consumer_entries: int) -> Problem | None:
        """A read that ends well without a single entry: most often of somebody who may search, but not read."""
        scope = self._comparer.scope
        whole = scope.scope in (Scope.SUB, Scope.BASE) and scope.filter == MATCH_ALL  # the base itself is in there
        if not provider_entries:
            who = "the provider"
        elif not consumer_entries and whole:
            who = self.consumer.uri
        else:
            return None
        return Problem(
            f"{who} showed no entry at all{', not even the base' if whole else ''}: nothing can be compared",
            "Check --base, --scope and --filter, and that this identity may read there.",
        )


def unfollowed(who: str, ending: Ending) -> tuple[str, ...]:
    """A note where references came instead of entries."""
    return (f"{who} answered with {ending.references} references; they were not followed",) if ending.references else ()


def second_look(check: Recheck | ImageCheck, look: Look, progress: Progress) -> ConsumerReport:
    """Judge the suspects; a side that fails now leaves the consumer undecided."""
    report = look.report
    try:
        outcome = look.overtaken.judge(check, look.suspects, progress)
    except LdapreplError as error:
        return replace(report, problem=Problem(error.message, error.cure))
    wrong = sum(finding.kind is not Kind.EXTRA for finding in outcome.findings)
    equal = max(0, min(report.equal + outcome.equal, report.provider_entries - wrong))
    gone = report.provider_entries - equal - wrong
    moved = (
        (f"{counted(gone)} {agreeing(gone, 'was', 'were')} deleted or moved on the provider while they were compared",)
        if gone > 0
        else ()
    )
    return replace(
        report,
        contextcsn=outcome.contextcsn,
        equal=equal,
        settled=outcome.equal,
        findings=outcome.findings,
        notes=report.notes + outcome.notes + moved,
    )
