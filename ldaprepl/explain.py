"""Explain: give the findings of a verification their causes.

Most follows from what verify has read anyway (the traces in each finding, both contextCSNs); the rules are in
`domain.deduction`. Looked up here, once and in bounded number, is only what those cannot tell: whether the provider
hides an extra entry or has it out of scope, whether the consumer hides a missing one, and whether its schema knows
what the provider's entry is made of. A side that fails now leaves the findings as they are: causes are a help, and no
verdict hangs on them but one: what waits for a schema that the consumer has not is lasting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from ldaprepl.domain import schemagap
from ldaprepl.domain.deduction import NOTHING, Evidence, Place, Setting, causes, notes
from ldaprepl.domain.dn import moved
from ldaprepl.domain.schemagap import Definition
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.domain.verdict import ConsumerReport, Finding, Kind, State, VerifyReport
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import Witness

SAMPLE = 5000  # findings of one sort that are looked up; the others are judged by what is known already
_NAMED = 5  # unknown classes and attributes in a sentence


def explain(
    report: VerifyReport,
    provider: Witness | None,
    consumers: Sequence[Witness | None],
    scope: ReplicationScope,
    now: datetime,
) -> VerifyReport:
    """The report with causes. `consumers` in the report's order; None where nobody can be asked any more. `now` is
    UTC. Never raises `LdapreplError`."""
    explained = [
        _explained(report, consumer, provider, witness, scope, now)
        for consumer, witness in zip(report.consumers, consumers, strict=True)
    ]
    return replace(report, consumers=tuple(explained))


def _explained(
    report: VerifyReport,
    consumer: ConsumerReport,
    provider: Witness | None,
    witness: Witness | None,
    scope: ReplicationScope,
    now: datetime,
) -> ConsumerReport:
    if consumer.problem is not None:
        return consumer
    try:
        reached = provider.context_csn(scope.base) if provider else report.contextcsn
        evidence = _evidence(consumer.findings, provider, witness, scope)
    except LdapreplError:  # it was read to a clean end before: the findings stand
        reached, evidence = report.contextcsn, [NOTHING] * len(consumer.findings)
    setting = Setting(reached, consumer.contextcsn, scope, now, consumer.consumer_entries, image=provider is None)
    findings = causes(consumer.findings, evidence, setting)
    return replace(consumer, findings=tuple(findings), notes=(*consumer.notes, *notes(setting)))


def _evidence(
    findings: Sequence[Finding], provider: Witness | None, consumer: Witness | None, scope: ReplicationScope
) -> list[Evidence]:
    evidence = [NOTHING] * len(findings)
    lasting = [number for number, finding in enumerate(findings) if finding.state is State.LASTING]
    missing = _some([number for number in lasting if findings[number].kind is Kind.MISSING])
    extra = _some([number for number in lasting if findings[number].kind is Kind.EXTRA])
    if consumer and missing:
        places = consumer.places([moved(findings[number].dn, scope.base, scope.consumer_base) for number in missing])
        _note(evidence, missing, places)
    if provider and extra:
        places = provider.places([moved(findings[number].dn, scope.consumer_base, scope.base) for number in extra])
        _note(evidence, extra, places)
    if provider and consumer:
        _schema_gaps(evidence, findings, provider, consumer, scope)
    return evidence


def _note(evidence: list[Evidence], numbers: Sequence[int], places: Sequence[Place]) -> None:
    for number, place in zip(numbers, places, strict=True):
        evidence[number] = Evidence(place)


def _waits(finding: Finding) -> bool:
    """It may be that the consumer cannot store what the provider has."""
    return finding.kind is Kind.MISSING or (finding.state is State.BEHIND and finding.kind is not Kind.EXTRA)


def _schema_gaps(
    evidence: list[Evidence],
    findings: Sequence[Finding],
    provider: Witness,
    consumer: Witness,
    scope: ReplicationScope,
) -> None:
    """Mark the findings whose entries use what the consumer's schema has not."""
    waiting = [number for number, finding in enumerate(findings) if _waits(finding)]
    if not waiting:
        return
    lacking = schemagap.lacking(provider.definitions(), consumer.definitions())
    gap = [each for each in lacking if each.object_class or _in_scope(each.name, scope)]
    if not gap:
        return
    wanted = ["objectClass", *(each.name for each in gap if not each.object_class)]
    whole = ReplicationScope("", filter=MATCH_ALL)
    chosen = _some(waiting)
    entries = provider.fetch([findings[number].dn for number in chosen], whole, wanted)
    for number, entry in zip(chosen, entries, strict=True):
        if entry is None:
            continue
        classes = {value.decode("utf-8", "replace").lower() for value in entry.values("objectClass")}
        used = [each.name for each in gap if _uses(each, classes, entry.values(each.name))]
        if used:
            evidence[number] = replace(evidence[number], unknown=tuple(used[:_NAMED]))


def _in_scope(name: str, scope: ReplicationScope) -> bool:
    """Whether this attribute is sent to the consumer at all."""
    wanted, unwanted = ({each.lower() for each in names} for names in (scope.attrs, scope.exattrs))
    return name.lower() not in unwanted and ("*" in wanted or name.lower() in wanted)


def _uses(definition: Definition, classes: set[str], values: Sequence[bytes]) -> bool:
    return definition.name.lower() in classes if definition.object_class else bool(values)


def _some(numbers: list[int]) -> list[int]:
    """At most `SAMPLE` of them, evenly spread."""
    if len(numbers) <= SAMPLE:
        return numbers
    return [numbers[index * len(numbers) // SAMPLE] for index in range(SAMPLE)]
