"""The table of findings in the HTML report: one group of rows a finding, one row an attribute, both sides beside it.

It is a plain table first; the attributes `data-kind`, `data-state`, `data-cause` and `data-consumer` are there for the
filters. Of very many findings each kind and cause of each consumer gets its fair share of the rows, so that 99,990
missing entries do not hide ten others, and whatever is not shown is counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ldaprepl.domain.verdict import Finding, Kind, Late, Since, State, VerifyReport
from ldaprepl.report import html_causes
from ldaprepl.report.html_values import code, names, safe, sides

SIGIL = {Kind.MISSING: "-", Kind.EXTRA: "+", Kind.RENAMED: "&gt;", Kind.DIFFERS: "*", Kind.IDENTITY: "!"}
MEANING = {
    Kind.MISSING: "only the provider has it",
    Kind.EXTRA: "only the consumer has it",
    Kind.RENAMED: "another DN on the consumer",
    Kind.DIFFERS: "other values on the consumer",
    Kind.IDENTITY: "another entry under this DN on the consumer",
}
ROWS = 2000  # findings in the table
_ATTRIBUTES = 12  # of one finding
_ROOM = 4_000_000  # characters of differences; beyond it findings are shown without

Row = tuple[str, str, str]  # cells as HTML: what, on the provider, on the consumer
Item = tuple[int, Finding]  # number of the consumer


def section(report: VerifyReport) -> Iterator[str]:
    """The findings as a section of the page; nothing for none."""
    total = sum(len(consumer.findings) for consumer in report.consumers)
    if not total:
        return
    items = _fair(report, ROWS)
    causes = html_causes.shared(finding for consumer in report.consumers for finding in consumer.findings)
    yield from html_causes.section(causes)
    yield '<section class="card" aria-labelledby="what"><h2 id="what">Findings</h2>\n'
    yield '<p class="lead">Values are those that the other side lacks; what both have is left out. '
    yield '<span class="pill diverged">lasting</span> is wrong for good, <span class="pill behind">behind</span> had '
    yield "no chance to arrive yet.</p>"
    if total > len(items):
        yield f'<p class="more"><strong>{len(items):,} of {total:,} findings are shown here, {total - len(items):,} '
        yield "more are not</strong> (some of each kind are). All of them: run the same command with "
        yield "<code>--format json</code>.</p>"
    yield from _tools(report, items)
    yield '<table class="stack findings" id="findings"><caption class="vh">Findings, a group of rows each</caption>'
    yield '<thead><tr><th scope="col" data-sort="kind">Kind</th><th scope="col" data-sort="dn">Entry</th>'
    yield '<th scope="col" data-sort="what">What</th><th scope="col">Provider</th><th scope="col">Consumer</th>'
    yield "</tr></thead>\n"
    room = _ROOM
    several = len(report.consumers) > 1
    for number, finding in items:
        uri = report.consumers[number].uri if several else ""
        group = "".join(_group(number, uri, finding, html_causes.why(finding, causes), detailed=room > 0))
        room -= len(group)
        yield group
    yield "</table></section>\n"


def resolved(report: VerifyReport) -> Iterator[str]:
    """What the run before found and is no finding any more; nothing for none."""
    items = [(consumer.uri, finding) for consumer in report.consumers for finding in consumer.resolved]
    if not items:
        return
    yield '<section class="card" aria-labelledby="resolved"><h2 id="resolved">Resolved</h2>\n'
    yield f'<p class="lead">Findings of the run before that are none any more: {len(items):,}.</p><ul class="plain">'
    for uri, finding in items[:ROWS]:
        on = f' <span class="soft">on {safe(uri)}</span>' if len(report.consumers) > 1 else ""
        yield f'<li>{code(finding.dn)} <span class="soft">was {finding.kind.value}</span>{on}</li>\n'
    more = len(items) - ROWS
    yield f"</ul>{f'<p>{more:,} more are not shown.</p>' if more > 0 else ''}</section>\n"


def _fair(report: VerifyReport, rows: int) -> list[Item]:
    """At most so many findings, those of small groups all, in the order of the report."""
    groups: dict[tuple[int, Kind, str], list[Finding]] = defaultdict(list)
    for number, consumer in enumerate(report.consumers):
        for finding in consumer.findings:
            groups[number, finding.kind, _cause(finding)].append(finding)
    for group in groups.values():
        group.sort(key=lambda finding: finding.since is Since.KNOWN)
    share = {}
    for left, key in enumerate(sorted(groups, key=lambda key: len(groups[key]))):
        share[key] = min(len(groups[key]), rows // (len(groups) - left))
        rows -= share[key]
    ordered = sorted(groups, key=lambda key: (key[0], list(Kind).index(key[1]), not key[2], -len(groups[key])))
    return [(key[0], finding) for key in ordered for finding in groups[key][: share[key]]]


def _tools(report: VerifyReport, items: Sequence[Item]) -> Iterator[str]:
    """Shown by the script, which alone can work them."""
    yield '<div class="tools" id="tools" role="search" hidden><label>Search names and values'
    yield '<input type="search" id="search" autocomplete="off" spellcheck="false"></label>'
    kinds = {finding.kind for _, finding in items}
    yield _select("kind", "Kind", [(kind.value, kind.value) for kind in Kind if kind in kinds])
    states = {finding.state for _, finding in items}
    yield _select("state", "State", [(state.value, state.value) for state in State if state in states])
    found = Counter(_cause(finding) for _, finding in items)
    yield _select("cause", "Cause", [(safe(name), name or "not known") for name, _ in found.most_common()])
    ages = {finding.since for _, finding in items if finding.since}
    yield _select("since", "Since", [(since.value, since.value) for since in Since if since in ages])
    numbers = sorted({number for number, _ in items})
    yield _select("consumer", "Consumer", [(str(number), report.consumers[number].uri) for number in numbers])
    yield '<button type="button" id="reset">Reset</button><output id="count" aria-live="polite"></output></div>\n'


def _select(name: str, label: str, choices: Sequence[tuple[str, str]]) -> str:
    if len(choices) < 2:
        return ""
    options = "".join(f'<option value="{value}">{safe(text, 80)}</option>' for value, text in choices)
    return f'<label>{label}<select name="{name}"><option value="">all</option>{options}</select></label>'


def _group(number: int, uri: str, finding: Finding, why: str, *, detailed: bool) -> Iterator[str]:
    rows = _rows(finding) if detailed else [_undetailed(finding)]
    kind, state = finding.kind.value, finding.state.value
    span = f' rowspan="{len(rows) + bool(why)}"'
    since = finding.since.value if finding.since else ""
    new = ' <span class="pill undecided">new</span>' if finding.since is Since.NEW else ""
    yield f'<tbody data-kind="{kind}" data-state="{state}" data-consumer="{number}" data-since="{since}"'
    yield f' data-cause="{safe(_cause(finding))}">'
    yield f'<tr><td{span}><span class="kind {kind}" data-key="kind"><span class="sigil" aria-hidden="true">'
    late = " (the provider)" if finding.state is State.BEHIND and finding.late is Late.PROVIDER else ""
    yield f'{SIGIL[finding.kind]}</span>{kind}</span><br><span class="pill {state}">{state}{late}</span>{new}</td>'
    yield f'<th scope="rowgroup"{span}><span data-key="dn">{code(finding.dn)}</span>'
    if finding.uuid:
        yield f'<code class="raw">{safe(finding.uuid)}</code>'
    if uri:
        yield f'<span class="raw">on <code>{safe(uri)}</code></span>'
    yield "</th>"
    yield "</tr>\n<tr>".join(_cells(row, first) for first, row in zip([True] + [False] * len(rows), rows, strict=False))
    yield f'</tr>\n<tr><td colspan="3">{why}</td>' if why else ""
    yield "</tr></tbody>\n"


def _cells(row: Row, first: bool) -> str:
    what, provider, consumer = row
    key = ' data-key="what"' if first else ""
    return (
        f'<td class="name"{key}>{what}</td><td class="side" data-l="Provider">{provider}</td>'
        f'<td class="side" data-l="Consumer">{consumer}</td>'
    )


def _rows(finding: Finding) -> list[Row]:
    """What to say of a finding: at least one row."""
    there, absent = "there", '<span class="none">not there</span>'
    rows: list[Row] = []
    if finding.kind is Kind.MISSING:
        rows.append(("whole entry", there, absent))
    elif finding.kind is Kind.EXTRA:
        rows.append(("whole entry", absent, there))
    elif finding.kind is Kind.RENAMED:
        rows.append(("DN", *names(finding.dn, finding.consumer_dn)))
    elif finding.kind is Kind.IDENTITY and not any(a.name.lower() == "entryuuid" for a in finding.attributes):
        rows.append(("entryUUID", code(finding.uuid), '<span class="none">another</span>'))
    for attribute in finding.attributes[:_ATTRIBUTES]:
        rows.append((code(attribute.name), *sides(attribute.name, attribute.provider, attribute.consumer)))
    more = len(finding.attributes) - _ATTRIBUTES
    if more > 0:
        hidden = ", ".join(safe(attribute.name, 60) for attribute in finding.attributes[_ATTRIBUTES:][:_ATTRIBUTES])
        rows.append((f'<span class="none">{more:,} more</span>', f'<span class="none">{hidden}</span>', ""))
    return rows or [_undetailed(finding)]


def _undetailed(finding: Finding) -> Row:
    listed = ", ".join(safe(attribute.name, 60) for attribute in finding.attributes[:_ATTRIBUTES])
    more = len(finding.attributes) - _ATTRIBUTES
    also = f" and {more:,} more" if more > 0 else ""
    note = '<span class="none">values: --format json</span>'
    return (listed + also or MEANING[finding.kind], note, note)


def _cause(finding: Finding) -> str:
    """The code of its cause; empty where none is known."""
    return finding.cause.code if finding.cause else ""
