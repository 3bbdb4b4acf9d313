"""Findings in groups, so that ten thousand of one making are one paragraph and hide nothing else.

Within a kind they are grouped by cause. Of a group that is too long to be shown, some are: every sort of them (which
attributes differ, below which container) in turn, so that the rare ones are seen; the rest is counted by attribute and
by subtree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ldaprepl.domain import dn as names
from ldaprepl.domain.scope import BOOKKEEPING
from ldaprepl.domain.verdict import Cause, Finding

_UP = 4  # levels to climb until few containers hold most findings


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one kind with one cause, in the order of the report."""

    cause: Cause | None
    findings: tuple[Finding, ...]


def by_cause(findings: Iterable[Finding]) -> list[Group]:
    """Groups by cause: the largest first, those without a cause last."""
    groups: dict[Cause | None, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.cause, []).append(finding)
    made = [Group(cause, tuple(found)) for cause, found in groups.items()]
    return sorted(made, key=lambda group: (group.cause is None, -len(group.findings)))


def shares(sizes: Sequence[int], limit: int) -> list[int]:
    """How many of each group to show, `limit` in all (0: everything): small groups whole, large ones the rest, and of
    each at least one."""
    if not limit:
        return list(sizes)
    left, share = limit, [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda index: sizes[index])
    for done, index in enumerate(order):
        share[index] = min(sizes[index], max(1, left // (len(order) - done)))
        left -= share[index]
    return share


def first_few(findings: Sequence[Finding], count: int) -> list[Finding]:
    """So many of them, of each sort in turn, in their order."""
    if len(findings) <= count:
        return list(findings)
    sorts: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for number, finding in enumerate(findings):
        sorts.setdefault((differing(finding), container(finding.dn)), []).append(number)
    chosen: list[int] = []
    depth = 0
    while len(chosen) < count:
        chosen += [numbers[depth] for numbers in sorts.values() if depth < len(numbers)][: count - len(chosen)]
        depth += 1
    return [findings[number] for number in sorted(chosen)]


def differing(finding: Finding) -> tuple[str, ...]:
    """The attributes that differ, without the stamps that move with every change, unless there is nothing else."""
    every = tuple(attribute.name for attribute in finding.attributes)
    return tuple(name for name in every if name.lower() not in BOOKKEEPING) or every


def attributes(findings: Iterable[Finding], few: int) -> list[tuple[str, int]]:
    """The attributes that differ in most of them, with the number of findings each."""
    return Counter(name for finding in findings for name in differing(finding)).most_common(few)


def subtrees(findings: Iterable[Finding], few: int) -> list[tuple[str, int]]:
    """The containers that hold most of them, as high up in the tree as it takes for a few to hold the most part."""
    counts = Counter(container(finding.dn) for finding in findings)
    for _ in range(_UP):
        if len(counts) <= few or sum(count for _, count in counts.most_common(few)) * 2 >= counts.total():
            break
        higher: Counter[str] = Counter()
        for name, count in counts.items():
            higher[container(name)] += count
        counts = higher
    return counts.most_common(few)


def container(dn: str) -> str:
    """The name above; empty for the root, and for what is no name."""
    try:
        return names.parent(dn)
    except ValueError:
        return ""
