"""Reports for people: one verdict first, then what is wrong, then what was compared.

Sigils as in a diff seen from the consumer: `-` it lacks, `+` it has too much, `>` it holds under another DN,
`*` it holds with other values, `!` it holds another entry under this DN. Colour, where wanted, goes on our own words
only, never on data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from textwrap import wrap

from ldaprepl.domain.plural import counted
from ldaprepl.domain.verdict import ConsumerReport, Finding, Kind, Late, State, Verdict, VerifyReport
from ldaprepl.report import grouping, remembered
from ldaprepl.report.grouping import Group
from ldaprepl.report.values import printable, shown

_SIGIL = {Kind.MISSING: "-", Kind.EXTRA: "+", Kind.RENAMED: ">", Kind.DIFFERS: "*", Kind.IDENTITY: "!"}
_MEANING = {
    Kind.MISSING: "only the provider has it",
    Kind.EXTRA: "only the consumer has it",
    Kind.RENAMED: "another DN on the consumer",
    Kind.DIFFERS: "other values on the consumer",
    Kind.IDENTITY: "another entry under this DN on the consumer",
}
_COLOUR = {
    Verdict.EQUAL: "32",
    Verdict.BEHIND: "33",
    Verdict.DIVERGED: "31",
    Verdict.UNDECIDED: "35",
}
_VALUE_WIDTH = 60
_VALUES_SHOWN = 4
WIDTH = 110  # characters of a line of our own words, where no terminal is narrower
_TALLIED = 3  # attributes and subtrees named of a long group
headline = remembered.headline


def render_several(
    reports: Sequence[VerifyReport], *, colour: bool = False, limit: int = 20, width: int = WIDTH
) -> str:
    """Several reports, each under its name."""
    pieces = [render_verify(report, colour=colour, limit=limit, width=width) for report in reports]
    return "\n".join(f"[{printable(report.name)}]\n{piece}" for report, piece in zip(reports, pieces, strict=True))


def render_verify(report: VerifyReport, *, colour: bool = False, limit: int = 20, width: int = WIDTH) -> str:
    """The report as text; of each kind about `limit` findings a consumer (0: all), and one of each group at least.
    Sentences are wrapped at `width` characters; names and values never are."""
    lines: list[str] = []
    for consumer in report.consumers:
        lines += _consumer(report, consumer, colour, limit, width)
        lines.append("")
    if report.blindness:
        from ldaprepl.report import blindness

        lines += blindness.lines(report.blindness, report.provider)
    csns = ", ".join(report.contextcsn.texts()) or "none to be seen"
    lines.append(f"provider {printable(report.provider)}, base {printable(report.base) or '(root)'}")
    lines.append(f"its contextCSN: {csns}; {report.seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _consumer(report: VerifyReport, consumer: ConsumerReport, colour: bool, limit: int, width: int) -> list[str]:
    word = consumer.verdict.value.upper()
    if colour:
        word = f"\x1b[1;{_COLOUR[consumer.verdict]}m{word}\x1b[0m"
    against = f" against {printable(consumer.against)}" if consumer.against else ""
    lines = [f"{word}: {printable(consumer.uri)}{against}{_summary(consumer)}"]
    if consumer.problem:
        lines.append(f"  {printable(consumer.problem.text)}.")
        lines += [f"  {printable(consumer.problem.cure)}"] if consumer.problem.cure else []
        read = f"{counted(consumer.provider_entries)} of the provider, {consumer.consumer_entries:,} of the consumer"
        lines.append(f"  Nothing is called missing: {read} were read.")
    for kind in Kind:
        lines += _kind(kind, [finding for finding in consumer.findings if finding.kind is kind], limit, width)
    if consumer.repair:
        from ldaprepl.report import repair

        lines += repair.lines(consumer.repair, limit)
    lines += remembered.lines(consumer, limit)
    lines += [f"  note: {printable(note)}" for note in consumer.notes]
    if consumer.verdict is Verdict.BEHIND:
        if any(finding.late is Late.CONSUMER for finding in consumer.findings):
            lines.append("  Only lag: the consumer has not passed the provider's contextCSN yet. Look again later.")
        else:
            lines.append("  Only lag: the consumer is ahead of the provider here. Look again later, or dump again.")
    return lines


def _summary(consumer: ConsumerReport) -> str:
    if consumer.problem:
        return ""
    counts = f"{consumer.equal:,} of {remembered.entries_of(consumer)} equal"
    if not consumer.findings:
        return f", {counts}"
    kinds = Counter(finding.kind for finding in consumer.findings)
    words = ", ".join(f"{kinds[kind]:,} {kind.value}" for kind in Kind if kinds[kind])
    total = len(consumer.findings)
    return f", {counted(total, 'finding')} ({words}){remembered.share(consumer.findings)}, {counts}"


def _kind(kind: Kind, findings: list[Finding], limit: int, width: int) -> list[str]:
    if not findings:
        return []
    lines = [f"  {kind.value} ({_MEANING[kind]}): {len(findings):,}"]
    groups = grouping.by_cause(findings)
    for group, share in zip(groups, grouping.shares([len(group.findings) for group in groups], limit), strict=True):
        lines += _group(group, share, width, headed=len(groups) > 1 or group.cause is not None)
    return lines


def _group(group: Group, share: int, width: int, *, headed: bool) -> list[str]:
    """The findings of one cause: why, what to do, where they lie if not all are shown, the first few."""
    lines = []
    total = len(group.findings)
    if headed and group.cause is None:
        lines.append(f"    cause not known: {total:,}")
    elif group.cause is not None:
        cause = group.cause
        lines += _wrapped(f"{printable(cause.code)}, {total:,}: {printable(cause.text)}", ("    ", "      "), width)
        lines += _wrapped(f"-> {printable(cause.cure)}", ("      ", "         "), width) if cause.cure else []
    margin = "      " if headed else "    "
    if share < total:
        tallies = {"differ in": grouping.attributes, "lie below": grouping.subtrees}
        for words, tally in tallies.items():
            counts = [f"{printable(name) or '(root)'} {count:,}" for name, count in tally(group.findings, _TALLIED)]
            lines += _wrapped(f"they {words}: {'; '.join(counts)}", (margin, f"{margin}  "), width) if counts else []
    for finding in remembered.first_few(group.findings, share):
        lines += _finding(finding, margin)
    if share < total:
        lines.append(f"{margin}… and {total - share:,} more (--limit 0 shows all)")
    return lines


def _wrapped(text: str, margins: tuple[str, str], width: int) -> list[str]:
    first, others = margins
    return wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def _finding(finding: Finding, margin: str) -> list[str]:
    behind = f"  (behind{': the provider' * (finding.late is Late.PROVIDER)})" if finding.state is State.BEHIND else ""
    lines = [f"{margin}{_SIGIL[finding.kind]} {printable(finding.dn)}{behind}{remembered.mark(finding)}"]
    margin += "    "
    if finding.kind is Kind.RENAMED:
        lines.append(f"{margin}on the consumer: {printable(finding.consumer_dn)}")
    for attribute in finding.attributes:
        name = printable(attribute.name)
        lines.append(f"{margin}{name}  provider: {_values(attribute.name, attribute.provider)}")
        lines.append(f"{margin}{' ' * len(name)}  consumer: {_values(attribute.name, attribute.consumer)}")
    return lines


def _values(name: str, values: Iterable[bytes]) -> str:
    held = list(values)
    words = [shown(name, value, _VALUE_WIDTH) for value in held[:_VALUES_SHOWN]]
    more = len(held) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more else "") if held else "(none)"
