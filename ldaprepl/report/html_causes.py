"""Why they differ, on the HTML page: each cause that several findings share is told once, and only named in the table.

A cause of a single finding is told where the finding is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ldaprepl.domain.plural import counted
from ldaprepl.domain.verdict import Cause, Finding
from ldaprepl.report.html_values import safe

_MOST = 40  # causes in the list


def shared(findings: Iterable[Finding]) -> Counter[Cause]:
    """The causes that more than one finding has, with the number of findings; the most frequent ones."""
    counts = Counter(finding.cause for finding in findings if finding.cause)
    return Counter({cause: count for cause, count in counts.most_common(_MOST) if count > 1})


def section(causes: Counter[Cause]) -> Iterator[str]:
    """The list; nothing for no cause."""
    if not causes:
        return
    yield '<section class="card" aria-labelledby="why"><h2 id="why">Why they differ</h2>\n'
    yield '<p class="lead">What the stamps and answers of the servers show; probable where it says so.</p>'
    yield '<dl class="causes">'
    for cause, count in causes.most_common():
        yield f"<dt><strong>{safe(cause.code)}</strong> {counted(count, 'finding')}</dt>"
        yield f'<dd class="say">{_words(cause)}</dd>\n'
    yield "</dl></section>\n"


def why(finding: Finding, causes: Counter[Cause]) -> str:
    """Why this one; by the code alone where the list tells the rest."""
    cause = finding.cause
    if cause is None:
        return ""
    words = "" if cause in causes else f": {_words(cause)}"
    return f'<p class="say"><strong>{safe(cause.code)}</strong>{words}</p>'


def _words(cause: Cause) -> str:
    return safe(cause.text) + (f'<br><span class="soft">{safe(cause.cure)}</span>' if cause.cure else "")
