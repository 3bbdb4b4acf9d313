"""What the linter found, as text, JSON and SARIF 2.1.0, and what each rule means.

Everything that comes from a configuration is made printable; passwords never come here (`lint.Hit`). SARIF is the
format that code hosts and editors read: one rule, one result, one region each (OASIS SARIF 2.1.0, sections 3.19 ff).
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from ldaprepl.domain.lint import Finding, LintReport, Rule, Severity
from ldaprepl.domain.lint_source import Source
from ldaprepl.domain.plural import counted
from ldaprepl.domain.words import Place
from ldaprepl.report.values import printable

SCHEMA: Final = 1
_SARIF: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
WIDTH: Final = 100  # characters of a line, where no terminal is narrower
_COLOUR: Final = {
    Severity.INFO: "36",
    Severity.WARNING: "33",
    Severity.ERROR: "31",
    Severity.SECURITY: "35",
    Severity.DATA_LOSS: "1;31",
}
_LEVEL: Final = {Severity.INFO: "note", Severity.WARNING: "warning"}


def render_text(report: LintReport, *, colour: bool = False, width: int = WIDTH) -> str:
    """For people: each finding with what happens at run time and the cure, then one line that sums up."""
    lines: list[str] = []
    for found in report.findings:
        lines += _finding(found, colour, width)
        lines.append("")
    for problem in report.problems:
        lines.append(f"not asked: {printable(problem.text)}")
        lines += [f"  {printable(problem.cure)}"] if problem.cure else []
        lines.append("")
    lines += [_judged(source) for source in report.sources]
    lines.append(_summary(report))
    return "\n".join(lines) + "\n"


def _finding(found: Finding, colour: bool, width: int) -> list[str]:
    word = f"{found.severity} {found.code}"
    if colour:
        word = f"\x1b[{_COLOUR[found.severity]}m{word}\x1b[0m"
    lines = [f"{printable(str(found.place))}: {word}: {printable(found.said)}"]
    lines += textwrap.wrap(printable(found.happens), width, initial_indent="    ", subsequent_indent="    ")
    first, *more = found.cure.splitlines() or [""]
    lines.append(f"    cure: {printable(first)}")
    return lines + [f"          {printable(line)}" for line in more]


def _judged(source: Source) -> str:
    assumed = " (the newest; --openldap names another)" if source.assumed else ""
    count = len(source.spots)
    return f"{printable(source.name)}: {counted(count, 'stanza')}, judged for OpenLDAP {source.version}{assumed}"


def _summary(report: LintReport) -> str:
    kinds = Counter(found.severity for found in report.findings)
    words = [f"{kinds[severity]} {severity}" for severity in reversed(Severity) if kinds[severity]]
    count = len(report.findings)
    return f"{counted(count, 'finding')}: {', '.join(words)}" if words else "nothing found"


def render_json(report: LintReport) -> str:
    """The whole report as one JSON document with a final newline."""
    document = {
        "schema": SCHEMA,
        "command": "lint",
        "sources": [
            {
                "name": _clean(source.name),
                "form": source.form.value,
                "openldap": str(source.version),
                "assumed": source.assumed,
                "stanzas": len(source.spots),
            }
            for source in report.sources
        ],
        "findings": [
            {
                "code": found.code,
                "severity": found.severity.value,
                "title": found.title,
                "place": _clean(found.place.name),
                "line": found.place.line or None,
                "text": _clean(found.said),
                "happens": found.happens,
                "cure": _clean(found.cure),
            }
            for found in report.findings
        ],
        "problems": [{"text": _clean(each.text), "cure": _clean(each.cure)} for each in report.problems],
    }
    return json.dumps(document, indent=2) + "\n"


def render_sarif(report: LintReport, rules: Mapping[str, Rule], version: str) -> str:
    """SARIF 2.1.0 with one run. `version` is that of the tool."""
    codes = list(rules)
    driver = {
        "name": "ldaprepl",
        "version": version,
        "rules": [_sarif_rule(rule) for rule in rules.values()],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(found, codes.index(found.code)) for found in report.findings],
    }
    notes = [{"level": "error", "message": {"text": _clean(each.text)}} for each in report.problems]
    run["invocations"] = [{"executionSuccessful": not notes, "toolExecutionNotifications": notes}]
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.happens},
        "help": {"text": f"{rule.happens}\n\nCure: {rule.cure}"},
        "defaultConfiguration": {"level": _LEVEL.get(rule.severity, "error")},
        "properties": {"tags": [rule.severity.value], "severity": rule.severity.value},
    }


def _sarif_result(found: Finding, index: int) -> dict[str, Any]:
    return {
        "ruleId": found.code,
        "ruleIndex": index,
        "level": _LEVEL.get(found.severity, "error"),
        "message": {"text": f"{_clean(found.said)}. {found.happens} Cure: {_clean(found.cure)}"},
        "locations": [_location(found.place)],
        "properties": {"severity": found.severity.value},
    }


def _location(place: Place) -> dict[str, Any]:
    """A file with its line, or, for a server, its URI with the DN as a logical location."""
    name, _, dn = place.name.partition(" ")
    if "://" not in name:
        physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.name)}}
        if place.line:
            physical["region"] = {"startLine": place.line}
        return {"physicalLocation": physical}
    return {
        "physicalLocation": {"artifactLocation": {"uri": quote(name, safe=":/%?=,+-._~[]@")}},
        "logicalLocations": [{"fullyQualifiedName": _clean(dn or name), "kind": "object"}],
    }


def _uri(name: str) -> str:
    path = quote(name.encode("utf-8", "surrogateescape"), safe="/._-~")
    return f"file://{path}" if name.startswith("/") else path


def explain(rule: Rule) -> str:
    """One rule at length."""
    seen = "by asking the servers (--provider, --consumer)" if rule.live else "from the configuration"
    lines = [f"{rule.code}: {rule.title}", f"severity: {rule.severity}; seen {seen}", ""]
    lines += textwrap.wrap(rule.happens, WIDTH)
    lines += ["", "cure:", *(f"  {line}" for line in rule.cure.splitlines())]
    return "\n".join(lines) + "\n"


def document(rules: Mapping[str, Rule], topics: Mapping[str, str]) -> str:
    """docs/lint.md: all rules by topic."""
    lines = [
        "# What `ldaprepl lint` finds",
        "",
        "Made from the table of rules by `ldaprepl lint --explain all -o docs/lint.md`; do not edit.",
        "",
        "A code is for ever: it is neither changed nor given to another rule. Severities, from harmless to worst: "
        + ", ".join(f"`{severity}`" for severity in Severity)
        + ". `--fail-on` (default `error`) says from which one on the exit code is 1; `--disable CODE` leaves a rule"
        " out; `--explain CODE` prints it. Rules marked *live* need `--provider` or `--consumer`.",
        "",
    ]
    for topic, title in topics.items():
        lines += [f"## {topic}xx: {title}", ""]
        for rule in (rule for rule in rules.values() if rule.code.startswith(topic)):
            live = ", *live*" if rule.live else ""
            lines += [
                f"### {rule.code}: {rule.title}",
                "",
                f"`{rule.severity}`{live}. {rule.happens}",
                "",
                *(f"    {line}" for line in rule.cure.splitlines()),
                "",
            ]
    return "\n".join(lines)


def _clean(text: str) -> str:
    """Text without lone surrogates, which are no JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
