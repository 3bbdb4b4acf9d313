"""Reports as JSON: the keys are a contract (docs/architecture.md), more may be added, none goes away.

A value is a string where it is clean UTF-8 text, `{"base64": …}` where it is not, and a digest where it is secret.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from ldaprepl.domain.repair import RepairReport
from ldaprepl.domain.verdict import (
    AttributeDifference,
    Cause,
    ConsumerReport,
    Finding,
    How,
    Problem,
    Reach,
    State,
    VerifyReport,
    worst,
)
from ldaprepl.report.values import digest, is_secret

SCHEMA = 1


def render_verify(report: VerifyReport) -> str:
    """The whole report as one JSON document with a final newline."""
    return _dumped(_document(report))


def render_several(reports: Sequence[VerifyReport]) -> str:
    """Several reports as one document: each of them under `reports`, as it would stand alone."""
    several = {
        "schema": SCHEMA,
        "command": "verify",
        "verdict": worst([report.verdict for report in reports]).value,
        "reports": [{"name": _text(report.name), **_document(report)} for report in reports],
    }
    return _dumped(several)


def _dumped(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _document(report: VerifyReport) -> dict[str, Any]:
    provider: dict[str, Any] = {"uri": _text(report.provider), "contextcsn": report.contextcsn.texts()}
    if report.blindness:
        from ldaprepl.report import blindness

        provider = {**provider, "blindness": blindness.document(report.blindness)}
    return {
        "schema": SCHEMA,
        "command": "verify",
        "verdict": report.verdict.value,
        "base": _text(report.base),
        "provider": provider,
        "consumers": [_consumer(consumer) for consumer in report.consumers],
        "seconds": round(report.seconds, 3),
    }


def _consumer(report: ConsumerReport) -> dict[str, Any]:
    return {
        "uri": _text(report.uri),
        **({"against": _text(report.against)} if report.against else {}),
        "verdict": report.verdict.value,
        "contextcsn": report.contextcsn.texts(),
        "entries": {
            "provider": report.provider_entries,
            "consumer": report.consumer_entries,
            "equal": report.equal,
        },
        "settled": report.settled,
        "findings": [_finding(finding) for finding in report.findings],
        "resolved": [_finding(finding) for finding in report.resolved],
        "compared": _reach(report.reach),
        "problem": _problem(report.problem),
        "notes": [_text(note) for note in report.notes],
        **({} if report.repair is None else {"repair": _repair(report.repair)}),
    }


def _repair(report: RepairReport) -> dict[str, Any]:
    from ldaprepl.report import repair  # with all the words of changes

    return repair.document(report)


def _reach(reach: Reach | None) -> dict[str, str | None]:
    if reach is None:
        return {"what": How.EVERYTHING.value, "why": None, "proven": None}
    return {"what": reach.how.value, "why": reach.why or None, "proven": reach.proven or None}


def _problem(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"text": _text(problem.text), "cure": _text(problem.cure)}


def _finding(finding: Finding) -> dict[str, Any]:
    cause = finding.cause
    return {
        "kind": finding.kind.value,
        "dn": _text(finding.dn),
        "consumer_dn": _text(finding.consumer_dn) or None,
        "uuid": _text(finding.uuid) or None,
        "state": finding.state.value,
        "since": finding.since.value if finding.since else None,
        "late": finding.late.value if finding.state is State.BEHIND else None,
        "attributes": [_attribute(attribute) for attribute in finding.attributes],
        "cause": None if cause is None else _cause(cause),
    }


def _cause(cause: Cause) -> dict[str, str]:
    return {"code": _text(cause.code), "text": _text(cause.text), "cure": _text(cause.cure)}


def _attribute(attribute: AttributeDifference) -> dict[str, Any]:
    return {
        "name": _text(attribute.name),
        "provider": [_value(attribute.name, value) for value in attribute.provider],
        "consumer": [_value(attribute.name, value) for value in attribute.consumer],
    }


def _value(name: str, value: bytes) -> str | dict[str, str]:
    if is_secret(name):
        return digest(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _text(text: str) -> str:
    """Text without lone surrogates, which are no JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
