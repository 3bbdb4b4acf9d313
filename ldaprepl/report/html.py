"""Reports as one HTML file that needs nothing else: no network, no fonts, no images; to keep, to mail, to print.

The page is made piece by piece and cut where it would grow beyond what a browser bears: of very many findings it shows
some of each kind of each consumer, says how many more there are, and where to get them. Everything that comes from a
directory goes through `html_values`, and a strict policy (`html_look`) lets nothing run but the page's own script.
Without that script it is the same page, less filtering and sorting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.duration import words
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.verdict import ConsumerReport, Kind, Late, Verdict, VerifyReport, worst
from ldaprepl.report import blindness, remembered, repair
from ldaprepl.report import html_chart as charts
from ldaprepl.report.html_findings import MEANING, SIGIL, resolved, section
from ldaprepl.report.html_look import POLICY, SCRIPT, STYLE
from ldaprepl.report.html_values import code, safe

_SIGN = {Verdict.EQUAL: "=", Verdict.BEHIND: "&lt;", Verdict.DIVERGED: "≠", Verdict.UNDECIDED: "?"}


# The ids of one report's parts; nothing from a directory holds a double quote that is not escaped.
_OWN_ID = re.compile(r'\b(?:id|aria-labelledby)="[a-z]+')


def render_verify(report: VerifyReport, written: datetime) -> str:
    """The whole page; `written` is the moment that it shows (UTC)."""
    return "".join(_page(report, written))


def render_several(reports: Sequence[VerifyReport], written: datetime) -> str:
    """One page for several stanzas or replicas: an overview, then each under its name."""
    return "".join(_pages(reports, written))


def _page(report: VerifyReport, written: datetime) -> Iterator[str]:
    yield from _head(report.verdict, safe(report.base, 200) or "root")
    yield from _header(report, written)
    yield '<main class="report">\n'
    yield from _body(report)
    yield "</main>\n"
    yield from _foot()


def _pages(reports: Sequence[VerifyReport], written: datetime) -> Iterator[str]:
    verdict = worst([report.verdict for report in reports])
    yield from _head(verdict, f"{len(reports)} reports")
    yield f'<header><div class="card verdict {verdict.value}"><b aria-hidden="true">{_SIGN[verdict]}</b><div>'
    yield f"<h1>{verdict.value.upper()}</h1><p>The worst of {len(reports):,} verdicts; each has its part below. "
    yield f'Written <time datetime="{written:%Y-%m-%dT%H:%MZ}">{written:%Y-%m-%d %H:%M} UTC</time>.</p></div></div>\n'
    yield '<div class="card scroll"><table class="stack"><thead><tr><th scope="col">Part</th>'
    yield '<th scope="col">Verdict</th><th scope="col">Base</th><th scope="col">Provider</th></tr></thead><tbody>\n'
    for number, report in enumerate(reports, 1):
        value = report.verdict.value
        yield f'<tr><th scope="row"><a href="#report-{number}">{safe(report.name)}</a></th>'
        yield f'<td data-l="Verdict"><span class="pill {value}">{value}</span></td>'
        yield f'<td data-l="Base">{code(report.base) if report.base else "root"}</td>'
        yield f'<td data-l="Provider">{code(report.provider)}</td></tr>\n'
    yield "</tbody></table></div></header>\n<main>\n"
    for number, report in enumerate(reports, 1):
        yield f'<section class="report" aria-labelledby="report-{number}">\n'
        yield f'<div class="card"><h2 id="report-{number}">{safe(report.name)}: {report.verdict.value.upper()}</h2>'
        yield f"<p>{_sentence(report)}</p></div>\n"
        yield _OWN_ID.sub(rf"\g<0>-{number}", "".join(_body(report)))
        yield "</section>\n"
    yield "</main>\n"
    yield from _foot()


def _head(verdict: Verdict, what: str) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'
    yield f"<title>{verdict.value.upper()}: {what}, ldaprepl verify</title>\n"
    yield f"<style>{STYLE}</style></head>\n<body>\n"


def _body(report: VerifyReport) -> Iterator[str]:
    yield from _consumers(report)
    if report.blindness:
        yield from blindness.section(report.blindness)
    yield from _stamps(report)
    yield from _where(report)
    yield from section(report)
    yield from resolved(report)


def _foot() -> Iterator[str]:
    yield "<footer><p>Written by <code>ldaprepl verify</code>. Characters that cannot be seen or that turn "
    yield "the writing direction stand as escapes such as <code>\\x0a</code>, secret values as digests that hold only "
    yield "within this report.</p></footer>\n"
    yield f"<script>{SCRIPT}</script>\n</body></html>\n"


def _header(report: VerifyReport, written: datetime) -> Iterator[str]:
    verdict = report.verdict
    yield f'<header><div class="card verdict {verdict.value}"><b aria-hidden="true">{_SIGN[verdict]}</b><div>'
    yield f"<h1>{verdict.value.upper()}</h1><p>{_sentence(report)}</p></div></div>\n"
    moment = f"{written:%Y-%m-%d %H:%M} UTC"
    facts = {
        "Provider": code(report.provider),
        "Base": code(report.base) if report.base else "root",
        "Entries on the provider": f"{max((c.provider_entries for c in report.consumers), default=0):,}",
        "Took": words(report.seconds),
        "Written": f'<time datetime="{written:%Y-%m-%dT%H:%MZ}">{moment}</time>',
        "Exit code": str(int(verdict.exit_code)),
    }
    yield '<div class="card"><dl class="facts">'
    yield "".join(f"<div><dt>{name}</dt><dd>{fact}</dd></div>" for name, fact in facts.items())
    yield "</dl></div></header>\n"


def _sentence(report: VerifyReport) -> str:
    verdicts = Counter(consumer.verdict for consumer in report.consumers)
    total = len(report.consumers)
    of_all = "" if total == 1 else f" on {verdicts[report.verdict]:,} of {total:,} consumers"
    if report.verdict is Verdict.EQUAL:
        return (
            f"Every entry is the same on the provider and on {'its consumer' if total == 1 else 'all its consumers'}."
        )
    if report.verdict is Verdict.BEHIND:
        findings = (finding for consumer in report.consumers for finding in consumer.findings)
        who = "consumer" if any(finding.late is Late.CONSUMER for finding in findings) else "provider"
        return f"Only lag{of_all}: what differs is younger than what the {who} says it has. Look again later."
    if report.verdict is Verdict.DIVERGED and not verdicts[Verdict.DIVERGED]:
        return "The replication identity does not see all of the provider, so no consumer of it can be complete."
    if report.verdict is Verdict.DIVERGED:
        return f"Entries are wrong for good{of_all}: waiting will not mend what is called lasting below."
    others = f" {verdicts[Verdict.DIVERGED]:,} more diverged." if verdicts[Verdict.DIVERGED] else ""
    return f"It could not be told{of_all}: a server was not read to a clean end, so nothing is called missing.{others}"


def _consumers(report: VerifyReport) -> Iterator[str]:
    yield '<section class="card" aria-labelledby="consumers"><h2 id="consumers">Consumers</h2>\n'
    yield '<p class="lead">Entries that were read on each side, how many of them are the same, and what is not.</p>'
    kinds = "".join(f'<th scope="col" class="n">{kind.value.capitalize()}</th>' for kind in Kind)
    yield '<div class="scroll"><table class="stack counts"><thead><tr><th scope="col">Consumer</th>'
    yield '<th scope="col">Verdict</th><th scope="col" class="n">Provider has</th>'
    yield '<th scope="col" class="n">Consumer has</th><th scope="col" class="n">Equal</th>'
    yield f"{kinds}</tr></thead><tbody>\n"
    for consumer in report.consumers:
        yield from _consumer(consumer)
    yield "</tbody></table></div></section>\n"


def _consumer(consumer: ConsumerReport) -> Iterator[str]:
    verdict = consumer.verdict.value
    yield f'<tr><th scope="row">{_who(consumer)}</th><td><span class="pill {verdict}">{verdict}</span></td>'
    figures = [
        ("Provider has", consumer.provider_entries),
        ("Consumer has", consumer.consumer_entries),
        ("Equal", consumer.equal),
    ]
    yield "".join(_figure(name, number) for name, number in figures)
    kinds = Counter(finding.kind for finding in consumer.findings)
    # What could not be read was not found either: a nought would be a claim.
    claims = not consumer.problem or bool(consumer.findings)
    yield "".join(_figure(kind.value.capitalize(), kinds[kind] if claims else None) for kind in Kind)
    yield "</tr>\n"
    said = [f'<p class="say undecided">{_problem(consumer)}</p>'] if consumer.problem else []
    said += [f'<p class="say soft">{safe(line.strip())}</p>' for line in repair.lines(consumer.repair)]
    said += [f'<p class="say soft">{safe(note)}</p>' for note in consumer.notes]
    if looked := remembered.looked(consumer):
        said.append(f'<p class="say soft">{safe(looked[:1].upper() + looked[1:])}</p>')
    if consumer.settled:
        said.append(
            f'<p class="say soft">{counted(consumer.settled)}'
            f" {agreeing(consumer.settled, 'was on its', 'were on their')} way, and equal at a second look</p>"
            " look</p>"
        )
    if said:
        yield f'<tr class="note"><td colspan="{5 + len(Kind)}">{"".join(said)}</td></tr>\n'


def _who(consumer: ConsumerReport) -> str:
    return code(consumer.uri) + (f"<br>against {code(consumer.against)}" if consumer.against else "")


def _figure(name: str, number: int | None) -> str:
    zero = "" if number else " zero"
    return f'<td class="n{zero}" data-l="{name}">{"–" if number is None else f"{number:,}"}</td>'


def _problem(consumer: ConsumerReport) -> str:
    if consumer.problem is None:
        return ""
    return f"<strong>{safe(consumer.problem.text)}.</strong> {safe(consumer.problem.cure)}"


def _stamps(report: VerifyReport) -> Iterator[str]:
    yield '<section class="card" aria-labelledby="stamps"><h2 id="stamps">How far each server is</h2>\n'
    yield '<p class="lead">The newest change of each server ID (contextCSN). The provider was asked first and the '
    yield "consumers last, so newer on a consumer is usual while somebody writes.</p>"
    sids = sorted({*report.contextcsn, *(sid for consumer in report.consumers for sid in consumer.contextcsn)})
    if not sids:
        yield "<p>No server showed a contextCSN.</p></section>\n"
        return
    yield '<div class="scroll"><table class="stack"><thead><tr><th scope="col">Server ID</th>'
    yield f'<th scope="col">Provider<br>{code(report.provider)}</th>'
    yield "".join(f'<th scope="col">Consumer<br>{code(consumer.uri)}</th>' for consumer in report.consumers)
    yield "</tr></thead><tbody>\n"
    for sid in sids:
        ours = report.contextcsn.get(sid)
        yield f'<tr><th scope="row" data-l="Server ID"><strong>{sid:03x}</strong></th>'
        yield f'<td data-l="Provider {safe(report.provider)}">{_stamp(ours)}</td>'
        for consumer in report.consumers:
            yield f'<td data-l="Consumer {safe(consumer.uri)}">{_distance(ours, sid, consumer.contextcsn)}</td>'
        yield "</tr>\n"
    yield "</tbody></table></div></section>\n"


def _stamp(csn: Csn | None) -> str:
    if csn is None:
        return '<span class="none">no stamp</span>'
    date = f"{csn.time:%Y-%m-%d %H:%M:%S}.{csn.time.microsecond // 1000:03}"
    raw = safe(csn.raw).replace("#", "<wbr>#")
    return f'<span class="n">{date}</span><code class="raw">{raw}</code>'


def _distance(ours: Csn | None, sid: int, held: CsnSet) -> str:
    """A consumer's stamp, and how far it is from the provider's."""
    theirs = held.get(sid)
    if not held:
        return '<span class="none">contextCSN not shown</span>'
    if theirs is None:
        return _stamp(None) if ours is None else '<span class="pill diverged">nothing of this server ID</span>'
    if ours is None:
        return f'<span class="pill diverged">not on the provider</span> {_stamp(theirs)}'
    gap = abs((ours.time - theirs.time).total_seconds())
    far = words(gap) if gap >= 0.05 else "an instant"
    if theirs == ours:
        pill = '<span class="pill equal">same</span>'
    elif theirs < ours:
        pill = f'<span class="pill behind">{far} behind</span>'
    else:
        pill = f'<span class="pill">{far} newer</span>'
    return f"{pill} {_stamp(theirs)}"


def _where(report: VerifyReport) -> Iterator[str]:
    findings = [finding for consumer in report.consumers for finding in consumer.findings]
    if not findings:
        return
    kinds = Counter(finding.kind for finding in findings)
    yield '<section class="card" aria-labelledby="where"><h2 id="where">Where the findings lie</h2>\n'
    yield '<p class="lead">Of all consumers together; each subtree with all that is below it.</p><ul class="legend">'
    for kind in Kind:
        if kinds[kind]:
            yield f'<li class="{kind.value}"><span class="sigil" aria-hidden="true">{SIGIL[kind]}</span><span>'
            yield f"<strong>{kinds[kind]:,} {kind.value}</strong> <span class=soft>{MEANING[kind]}</span></span></li>"
    yield '</ul>\n<div class="charts">'
    yield from charts.chart("By subtree", "Subtree", charts.subtrees(findings))
    yield from charts.chart("By attribute: what differs most often", "Attribute", charts.attributes(findings))
    yield from charts.chart("By cause", "Cause", charts.causes(findings))
    yield "</div></section>\n"
