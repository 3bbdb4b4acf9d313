"""What a report says of the run before: what is new, what is resolved, and how much had to be looked at.

The words are the same in text and HTML; here is the text. A report that remembers nothing says nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ldaprepl.domain.memory import fresh
from ldaprepl.domain.plural import counted
from ldaprepl.domain.verdict import ConsumerReport, Finding, How, Kind, Since, State, VerifyReport, worst
from ldaprepl.report import grouping
from ldaprepl.report.values import printable

_LOOKED = {
    How.CHANGES: "what changed since {}, and the number of entries",
    How.LIST: "what changed since {}, and identity and age of every entry",
}


def looked(consumer: ConsumerReport) -> str:
    """How much was compared, and why; empty when there is nothing to say."""
    reach = consumer.reach
    if reach is None or consumer.problem:
        return ""
    if reach.how is How.EVERYTHING:
        return f"everything was compared: {reach.why}" if reach.why else ""
    return f"compared: {_LOOKED[reach.how].format(reach.proven)}"


def entries_of(consumer: ConsumerReport) -> str:
    """How many entries of the provider its numbers are about."""
    changed = consumer.reach and consumer.reach.how is How.CHANGES
    one, many = ("changed entry", "changed entries") if changed else ("entry", "entries")
    return counted(consumer.provider_entries, one, many)


def first_few(findings: Sequence[Finding], count: int) -> list[Finding]:
    """So many to show: what is new before what is known."""
    new = [finding for finding in findings if finding.since is Since.NEW]
    old = [finding for finding in findings if finding.since is not Since.NEW]
    few = grouping.first_few(new, count)
    return few + grouping.first_few(old, count - len(few))


def mark(finding: Finding) -> str:
    """Behind the name of a new finding."""
    return "  (new)" if finding.since is Since.NEW else ""


def share(findings: Sequence[Finding]) -> str:
    """How many of them are new; empty where nothing is remembered."""
    since = Counter(finding.since for finding in findings)
    if not since[Since.NEW] and not since[Since.KNOWN]:
        return ""
    return f", {since[Since.NEW]:,} of them new" if since[Since.NEW] else ", none of them new"


def lines(consumer: ConsumerReport, limit: int) -> list[str]:
    """What was resolved, and how much was looked at."""
    found = []
    if consumer.resolved:
        found.append(f"  resolved since the last run: {len(consumer.resolved):,}")
        found += [f"    = {printable(each.dn)}  (was {each.kind})" for each in consumer.resolved[: limit or None]]
        if limit and len(consumer.resolved) > limit:
            found.append(f"    … and {len(consumer.resolved) - limit:,} more (--limit 0 shows all)")
    return found + ([f"  {printable(said)}"] if (said := looked(consumer)) else [])


def headline(reports: Sequence[VerifyReport]) -> str:
    """The first line of a mail: the verdict, and what is new about it."""
    consumers = [consumer for report in reports for consumer in report.consumers]
    new = Counter(finding.kind for consumer in consumers for finding in fresh(consumer.findings))
    words = [f"{new[kind]:,} new {kind.value}" for kind in Kind if new[kind]]
    resolved = sum(finding.state is State.LASTING for consumer in consumers for finding in consumer.resolved)
    words += [f"{resolved:,} resolved"] if resolved else []
    known = sum(finding.since is Since.KNOWN for consumer in consumers for finding in consumer.findings)
    words += [f"{known:,} known before"] if known else []
    words += [f"{len(dark):,} could not be judged"] if (dark := [each for each in consumers if each.problem]) else []
    verdict = worst([report.verdict for report in reports])
    return f"LDAP replicas {verdict.value.upper()}: {', '.join(words) or 'all can be judged again'}\n\n"
