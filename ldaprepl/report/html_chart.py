"""Where the findings lie: counts by subtree, attribute and cause, drawn as bars.

The subtrees are shown as `du` shows folders: each with all that is below it, the largest ones first to be named, a
chain without a branch as one line. They are made from the names alone, because an `extra` entry of a replica with
another suffix lies below no base that the report knows. The figures stand beside each bar in writing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ldaprepl.domain import dn as names
from ldaprepl.domain.verdict import Finding, Kind
from ldaprepl.report.html_values import code, safe

_SUBTREES = 14
_BARS = 8
_DEEPEST = 4  # steps of indentation that the style sheet knows


@dataclass(slots=True)
class _Subtree:
    """A container while it is being counted. `own`: findings directly in it; `counts`: with all below."""

    name: str
    own: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    below: dict[str, _Subtree] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a chart: what is written (HTML), what the search must hold to find it, how much of each kind."""

    label: str
    find: str
    counts: Counter[Kind]
    depth: int = 0


def subtrees(findings: Iterable[Finding]) -> list[Bar]:
    """The subtrees with most findings, in the order of the tree."""
    root = _Subtree("")
    paths: dict[str, list[_Subtree]] = {}
    for finding in findings:
        container = _container(finding.dn)
        path = paths.get(container)
        if path is None:
            path = paths[container] = _path(root, container)
        path[-1].own += 1
        for subtree in path:
            subtree.counts[finding.kind] += 1
    found = list(_walk(root, "", 0))
    least = sorted((bar.counts.total() for bar in found), reverse=True)[:_SUBTREES][-1:]
    return [bar for bar in found if bar.counts.total() >= least[0]][:_SUBTREES]


def attributes(findings: Iterable[Finding]) -> list[Bar]:
    """The attributes that differ in most entries."""
    counts: dict[str, Counter[Kind]] = {}
    for finding in findings:
        for attribute in finding.attributes:
            counts.setdefault(attribute.name, Counter())[finding.kind] += 1
    return _largest((Bar(code(name), name, count) for name, count in counts.items()))


def causes(findings: Iterable[Finding]) -> list[Bar]:
    """The causes of most findings."""
    counts: dict[str, Counter[Kind]] = {}
    for finding in findings:
        if finding.cause:
            counts.setdefault(finding.cause.code, Counter())[finding.kind] += 1
    return _largest((Bar(safe(name), name, count) for name, count in counts.items()))


def chart(caption: str, heading: str, bars: Sequence[Bar]) -> Iterator[str]:
    """A table of bars as HTML; nothing for no bars."""
    if not bars:
        return
    longest = max(bar.counts.total() for bar in bars)
    yield f'<table class="chart"><caption>{safe(caption)}</caption><thead><tr><th scope="col">{safe(heading)}</th>'
    yield '<th scope="col" class="n">Findings</th><th scope="col"><span class="vh">By kind</span></th></tr></thead>'
    yield "<tbody>"
    for bar in bars:
        depth = f' class="d{min(bar.depth, _DEEPEST)}"' if bar.depth else ""
        find = f' data-find="{safe(bar.find)}"' if bar.find else ""
        yield f'<tr><th scope="row"{depth}><span{find}>{bar.label}</span></th><td class="n">{bar.counts.total():,}</td>'
        yield f"<td>{stripe(bar.counts, longest)}</td></tr>\n"
    yield "</tbody></table>"


def stripe(counts: Counter[Kind], longest: int) -> str:
    """One bar, `longest` being the full width, and its figures for those who do not see it."""
    rectangles, left = [], 0.0
    for kind in Kind:
        if counts[kind]:
            width = counts[kind] * 100 / longest
            rectangles.append(f'<rect class="{kind.value}" x="{left:.2f}%" width="{width:.2f}%" height="100%"/>')
            left += width
    figures = ", ".join(f"{counts[kind]:,} {kind.value}" for kind in Kind if counts[kind])
    drawing = f'<svg class="bar" width="100%" height="14" aria-hidden="true">{"".join(rectangles)}</svg>'
    return f'{drawing}<span class="vh">{figures}</span>'


def _largest(bars: Iterable[Bar]) -> list[Bar]:
    return sorted(bars, key=lambda bar: (-bar.counts.total(), bar.find))[:_BARS]


def _container(dn: str) -> str:
    try:
        return names.parent(dn)
    except ValueError:
        return ""  # the root, or a name that is none


def _path(root: _Subtree, container: str) -> list[_Subtree]:
    """From the root to the container; types and values in any case are the same here."""
    try:
        parts = names.split(container)
    except ValueError:
        parts = [container]
    path = [root]
    for part in reversed(parts):
        name = f"{part},{path[-1].name}" if path[-1].name else part
        path.append(path[-1].below.setdefault(part.lower(), _Subtree(name)))
    return path


def _walk(subtree: _Subtree, above: str, depth: int) -> Iterator[Bar]:
    while len(subtree.below) == 1 and not subtree.own:
        subtree = next(iter(subtree.below.values()))
    relative = subtree.name.removesuffix(f",{above}") if above else subtree.name
    label = code(relative) if subtree.name else '<span class="none">everything</span>'
    yield Bar(label, subtree.name, subtree.counts, depth)
    for child in sorted(subtree.below.values(), key=lambda child: -child.counts.total()):
        yield from _walk(child, subtree.name, depth + 1)
