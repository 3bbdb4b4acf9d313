"""What is new: the findings of this run against those that the run before left behind.

A finding is known when the run before had it for the same entry, of the same kind, with no attribute more, and not
only `behind` what is lasting now. It is resolved when its entry has no finding any more. An entry is known by its
entryUUID, and by its DN where it has none. Values play no part and are never remembered: an attribute that is wrong in
another way is still wrong. A consumer that could not be judged keeps its memory as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ldaprepl.domain.proof import Proof
from ldaprepl.domain.verdict import AttributeDifference, ConsumerReport, Finding, Since, State


@dataclass(frozen=True, slots=True)
class Recollection:
    """What a run left behind of one pair. `trouble`: it could not be judged then."""

    findings: tuple[Finding, ...] = ()
    proof: Proof | None = None
    trouble: bool = False


NOTHING = Recollection()


def compared(report: ConsumerReport, before: Recollection) -> ConsumerReport:
    """The report with what is new, known and resolved."""
    if report.problem:
        return report
    held = {_entry(finding): finding for finding in before.findings}
    findings = tuple(
        replace(finding, since=Since.KNOWN if _is_known(finding, held.get(_entry(finding))) else Since.NEW)
        for finding in report.findings
    )
    wrong = {_entry(finding) for finding in findings}
    resolved = tuple(finding for finding in before.findings if _entry(finding) not in wrong)
    return replace(report, findings=findings, resolved=resolved)


def _entry(finding: Finding) -> str:
    return finding.uuid.lower() or finding.dn.lower()


def _is_known(finding: Finding, before: Finding | None) -> bool:
    if before is None or before.kind is not finding.kind:
        return False
    if finding.state is State.LASTING and before.state is State.BEHIND:
        return False
    return _names(finding) <= _names(before)


def _names(finding: Finding) -> set[str]:
    return {attribute.name.lower() for attribute in finding.attributes}


def left(report: ConsumerReport, before: Recollection, proof: Proof | None) -> Recollection:
    """What to remember after this run. A run that could not judge proves nothing, and disproves nothing."""
    if report.problem:
        return replace(before, trouble=True)
    return Recollection(tuple(map(bare, report.findings)), proof)


def bare(finding: Finding) -> Finding:
    """A finding as it is remembered: without values."""
    attributes = tuple(AttributeDifference(attribute.name, (), ()) for attribute in finding.attributes)
    return replace(finding, attributes=attributes, cause=None, since=None)


def is_news(report: ConsumerReport, before: Recollection) -> bool:
    """Whether this is to be said: something lasting is new or resolved, or it can(not) be told any more."""
    if bool(report.problem) != before.trouble:
        return True
    return bool(fresh(report.findings)) or any(finding.state is State.LASTING for finding in report.resolved)


def fresh(findings: Iterable[Finding]) -> list[Finding]:
    """What is new and lasting. Lag comes and goes; watching it is `check`'s job."""
    return [finding for finding in findings if finding.since is Since.NEW and finding.state is State.LASTING]
