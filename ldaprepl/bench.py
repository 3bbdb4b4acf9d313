"""What every repair works with: both servers, one consumer at a time, and the second look at single entries.

Findings were judged some time ago. So both sides are read anew before anything is planned, and what is not as it was
found is left alone; and after everything, just those entries are judged again by the rules of `recheck`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ldaprepl.domain.cause import Code
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.mend import Case
from ldaprepl.domain.plural import counted
from ldaprepl.domain.repair import RepairMode, RepairReport, Unrepaired
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import ConsumerReport, Finding, How, Kind, State
from ldaprepl.ports import Clock, Directory, Progress
from ldaprepl.recheck import Outcome, Recheck


@dataclass(frozen=True, slots=True)
class RepairSettings:
    """What the user wants. Without `act` nothing is written. `max_delete` holds for entries that would be deleted."""

    mode: RepairMode
    act: bool = False
    max_repair: MaxDelete = field(default_factory=MaxDelete)
    max_delete: MaxDelete = field(default_factory=lambda: MaxDelete(1.0))


@dataclass(frozen=True, slots=True)
class Bench:
    """One consumer and its provider. `below` gives the entries right below one of the consumer's; `settle` is how long
    (seconds) the consumer may take to pass the provider's contextCSN."""

    provider: Directory
    consumer: Directory
    below: Callable[[str], Iterable[Entry]]
    comparer: Comparer
    clock: Clock
    progress: Progress
    settle: float

    @property
    def whole(self) -> ReplicationScope:
        """How the consumer's entries are read: all of them, whole, whatever the filter."""
        return ReplicationScope(self.comparer.scope.consumer_base)

    def gather(self, findings: Sequence[Finding]) -> tuple[list[Case], list[Unrepaired]]:
        """The entries of these findings as they are now; and those that are not as they were found."""
        ours = self.provider.fetch([self.names(finding)[0] for finding in findings], self.comparer.scope)
        theirs = self.consumer.fetch([self._place(finding) for finding in findings], self.whole)
        cases, moved = [], []
        for finding, our, their in zip(findings, ours, theirs, strict=True):
            if ((our is None) is (finding.kind is Kind.EXTRA)) and ((their is None) is (finding.kind is Kind.MISSING)):
                cases.append(Case(finding, our, their))
            else:
                moved.append(Unrepaired(finding.dn, "it changed while it was looked at: verify again", finding.uuid))
        return cases, moved

    def _place(self, finding: Finding) -> str:
        return finding.consumer_dn or self.comparer.consumer_dn(finding.dn)

    def names(self, finding: Finding) -> list[str]:
        """The DNs that a finding is about, as the provider writes them; its own first."""
        where = self.comparer.provider_dn(finding.consumer_dn) if finding.consumer_dn else ""
        if finding.kind is Kind.EXTRA:
            return [where]
        return [finding.dn, where] if where and where != finding.dn else [finding.dn]

    def around(self, cases: Iterable[Case]) -> list[Entry]:
        """The consumer's entries above those of the cases, in the places that they shall have, and below those that
        shall go."""
        wanted: dict[str, None] = {}
        leaving: list[str] = []
        for case in cases:
            for name in self.names(case.finding):
                wanted |= dict.fromkeys((name, *self.comparer.above(name)))
            if case.theirs is not None and case.finding.kind is Kind.EXTRA:
                leaving.append(case.theirs.dn)
        found = self.consumer.fetch([self.comparer.consumer_dn(name) for name in wanted], self.whole)
        held = [entry for entry in found if entry is not None]
        return held + [entry for dn in leaving for entry in self.below(dn)]

    def judge(self, findings: Iterable[Finding]) -> Outcome:
        """Just these entries once more. Raises `LdapreplError` when a side cannot be read."""
        suspects = Suspects()
        for finding in findings:
            raw = [name.encode("utf-8", "surrogateescape") for name in self.names(finding)]
            (suspects.consumer_only if finding.kind is Kind.EXTRA else suspects.pairs).extend(raw)
        recheck = Recheck(self.provider, self.consumer, self.comparer, self.clock, self.settle)
        return recheck.judge(suspects, self.progress)


def lasting(report: ConsumerReport) -> list[Finding]:
    """The findings that may be repaired: never what only travels."""
    return [finding for finding in report.findings if finding.state is State.LASTING]


def set_aside(findings: Sequence[Finding], mode: RepairMode) -> tuple[list[Finding], list[Unrepaired]]:
    """Those that may be repaired this way, and those whose cause forbids it: what a side only hides is not lost, and
    nothing is touched in vain."""
    good, refused = [], []
    for finding in findings:
        code = finding.cause.code if finding.cause else ""
        if finding.cause is not None and (code in _NEVER or (mode is RepairMode.TOUCH and code in _NOT_BY_TOUCH)):
            refused.append(Unrepaired(finding.dn, f"{code}: {finding.cause.text}", finding.uuid))
        else:
            good.append(finding)
    return good, refused


def doubts(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What somebody should know before any of it is done."""
    back = sum(finding.cause is not None and finding.cause.code == Code.WENT_BACK for finding in findings)
    if not back:
        return ()
    return (f"{back:,} of these are there because the provider seems to have gone back in time: is it the right side?",)


_NEVER = frozenset((Code.HIDDEN, Code.SERVER_LOCAL))
_NOT_BY_TOUCH = frozenset((Code.OUT_OF_SCOPE, Code.SCHEMA_GAP, Code.HELD_UP, Code.CUT_BY_LIMIT, Code.UNFINISHED))


def brake(settings: RepairSettings, findings: Sequence[Finding], report: ConsumerReport) -> str:
    """Why this is too much to be repaired in one run; empty when it is not. Where the consumer's entries were not all
    counted (--since-last), a percentage lets no more through than it does of a small tree."""
    whole = report.reach is None or report.reach.how is How.EVERYTHING
    held = report.consumer_entries
    deletes = sum(finding.kind is Kind.EXTRA for finding in findings)
    allowed, may_go = (each.allowed(held if whole else _FEW) for each in (settings.max_repair, settings.max_delete))

    def told(number: int) -> str:
        return f"{number:,} of {counted(held)}" if whole else counted(number)

    if whole and deletes and deletes >= held:
        return f"all {counted(held)} of the consumer would be deleted, which is never done"
    if len(findings) > allowed:
        return f"{told(len(findings))} would be repaired, more than the {allowed:,} allowed (--max-repair)"
    if deletes > may_go:
        return f"{told(deletes)} would be deleted, more than the {may_go:,} allowed (--max-delete)"
    return ""


_FEW = 10  # entries of a tree that is small for sure
BRAKE_CURE = "Nothing was written. Look for the cause of so many first; if they are right, name the number."


def after(report: ConsumerReport, outcome: Outcome, acted: Sequence[Finding], made: RepairReport) -> ConsumerReport:
    """The report with what is left: `outcome` judged the entries of `acted`, the others stay as they were."""
    done = set(acted)
    untouched = [finding for finding in report.findings if finding not in done]
    left = {finding.key for finding in outcome.findings} | {finding.dn for finding in outcome.findings}
    causes = {(finding.kind, finding.key): finding.cause for finding in acted}
    found = [
        replace(finding, cause=causes.get((finding.kind, finding.key))) if finding.state is State.LASTING else finding
        for finding in outcome.findings
    ]
    healed = sum(finding.key not in left and finding.dn not in left for finding in acted)
    return replace(
        report,
        contextcsn=outcome.contextcsn,
        equal=min(report.equal + outcome.equal, report.provider_entries),
        findings=(*untouched, *found),
        notes=report.notes + tuple(note for note in outcome.notes if note not in report.notes),
        repair=replace(made, healed=healed),
    )
