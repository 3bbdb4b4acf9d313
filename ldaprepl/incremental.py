"""Verify with a memory: compare what changed since the last proof, and everything where that is not enough.

Every doubt of `domain.proof`, and a finding that may stand for others (an entry under another name has all that is
below it elsewhere too), lead to a comparison of everything in the same run, with the reason in the report. One
consumer's doubt is not the others': each gets as much as it needs. `changes` holds the shorter way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import NamedTuple

from ldaprepl.changes import Asking, Pair, Result, World, since_last, unexplained
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.memory import Recollection
from ldaprepl.domain.proof import Mark, Proof
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import How, Reach, VerifyReport
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import Directory, Ending, Pump, RawEntries
from ldaprepl.verify import Options, Tools, verify

_STAMPED = b"\x04\x08entryCSN\x31"  # an attribute of this name, as slapd writes it


class Wish(NamedTuple):
    """What is remembered of each consumer, in their order, and what is wanted now. `full_every` in seconds; `at` is
    now (UTC)."""

    before: Sequence[Recollection]
    since_last: bool
    full_every: float | None
    at: datetime


class Means(NamedTuple):
    """What it works with."""

    tools: Tools
    options: Options
    asking: Asking


def verify_remembering(
    provider: Directory, consumers: Sequence[Directory], scope: ReplicationScope, means: Means, wish: Wish
) -> tuple[VerifyReport, list[Proof | None]]:
    """Verify, and what it proved of each consumer. Raises `LdapreplError` when the provider cannot be asked."""
    tools, asking = means.tools, means.asking
    started = tools.clock.monotonic()
    mark = asking.survey(provider, scope.base)
    world = World(provider, scope, tools, means.options, asking, mark, wish.at)
    pairs = [
        Pair(consumer, before, _mark(world, consumer)) for consumer, before in zip(consumers, wish.before, strict=True)
    ]

    @cache
    def comparer() -> Comparer:
        schema = Schema.EMPTY if means.options.bytewise else provider.schema()
        return Comparer(schema, scope, tools.split, tools.values)

    results: list[Result | str] = [""] * len(pairs)
    if wish.since_last:
        results = [since_last(world, pair, comparer, wish.full_every) for pair in pairs]
    doubted = [(pair, why) for pair, why in zip(pairs, results, strict=True) if isinstance(why, str)]
    everything = iter(_everything(world, doubted))
    ended = [next(everything) if isinstance(result, str) else result for result in results]
    seconds = tools.clock.monotonic() - started
    reports = tuple(report for report, _ in ended)
    return VerifyReport(scope.base, provider.uri, mark.csns, reports, seconds), [proof for _, proof in ended]


def _mark(world: World, consumer: Directory) -> Mark | None:
    """None for a consumer that cannot be asked: comparing will say why."""
    try:
        return world.asking.survey(consumer, world.scope.consumer_base)
    except LdapreplError:
        return None


def _everything(world: World, doubted: Sequence[tuple[Pair, str]]) -> list[Result]:
    """Compare all entries of these consumers in one pass."""
    if not doubted:
        return []
    unstamped = 0
    # A consumer's entry without one would not be equal to the provider's, where that is compared.
    scope = world.scope
    compared = "+" in scope.attrs and not any(name.lower() == "entrycsn" for name in scope.exattrs)

    def counting(directories: Sequence[Directory]) -> Iterator[tuple[int, RawEntries | Ending]]:
        nonlocal unstamped
        for index, item in pump(directories):
            if not isinstance(item, Ending) and not (index and compared):
                unstamped += sum(frame.rfind(_STAMPED) < 0 for _, frame in item)  # from behind it is near
            yield index, item

    pump: Pump = world.tools.pump
    tools = replace(world.tools, pump=counting)
    report = verify(world.provider, [pair.consumer for pair, _ in doubted], world.scope, tools, world.options)
    results: list[Result] = []
    for (pair, why), found in zip(doubted, report.consumers, strict=True):
        proof = None
        if found.problem is None and pair.mark is not None:
            offset = unexplained(world, pair.consumer, found.findings)
            proof = Proof(world.mark, pair.mark, world.at, world.at, offset, unstamped)
        results.append((replace(found, reach=Reach(How.EVERYTHING, why)), proof))
    return results
