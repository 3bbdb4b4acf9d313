"""Verify providers that replicate each other: each with each, in one read of each.

There is no provider among them to be right, so every pair has its own part of the report, the first of the two in the
provider's place. A server that is away, or was not read to a clean end, leaves the pairs of the others their verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations

from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.join import Join, Side, Suspects
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import ConsumerReport, Problem, VerifyReport
from ldaprepl.errors import LdapreplError
from ldaprepl.mutualcheck import MutualCheck
from ldaprepl.overtaken import Overtaken
from ldaprepl.ports import Directory, Ending
from ldaprepl.verify import Look, Options, Tools, second_look, shown_schema, unfollowed, unknown_attributes


def verify_mesh(servers: Sequence[Directory], scope: ReplicationScope, tools: Tools, options: Options) -> VerifyReport:
    """Compare every entry of `scope` on all servers. Raises `LdapreplError` when not one of them shows a schema, and
    `UsageError` when none of the attributes is known to it."""
    started = tools.clock.monotonic()
    problems: list[Problem | None] = [None] * len(servers)
    comparer = Comparer(_schema(servers, options, problems), scope, tools.split, tools.values)
    unknown = unknown_attributes(shown_schema(servers[0]) if options.bytewise else comparer.schema, scope)
    tools.progress.phase("reading")
    with ExitStack() as opened:
        joins = {
            pair: Join(comparer.same_frames, opened.enter_context(tools.overflow()))
            for pair in combinations(range(len(servers)), 2)
        }
        watched = {
            (left, right): Overtaken(servers[left], servers[right], comparer, tools.pump) for left, right in joins
        }
        notes = _read(servers, comparer, tools, problems, joins)
        looks = {pair: _look(servers, pair, join, watched[pair], problems) for pair, join in joins.items()}
    reports = []
    for (left, right), look in looks.items():
        report = look.report
        if report.problem is None:
            check = MutualCheck(servers[left], servers[right], comparer, tools.clock, options.settle)
            report = second_look(check, look, tools.progress)
        reports.append(replace(report, notes=(*unknown, *notes[left], *notes[right], *report.notes)))
    first = next((number for number, problem in enumerate(problems) if problem is None), 0)
    csns = CsnSet() if problems[first] else _csns(servers[first], scope)
    return VerifyReport(scope.base, servers[0].uri, csns, tuple(reports), tools.clock.monotonic() - started)


def _schema(servers: Sequence[Directory], options: Options, problems: list[Problem | None]) -> Schema:
    """That of the first server that shows one; those before it are noted as away."""
    if options.bytewise:
        return Schema.EMPTY
    for number, server in enumerate(servers):
        try:
            return server.schema()
        except LdapreplError as error:
            problems[number] = Problem(error.message, error.cure)
            last = error
    raise last


def _read(
    servers: Sequence[Directory],
    comparer: Comparer,
    tools: Tools,
    problems: list[Problem | None],
    joins: dict[tuple[int, int], Join],
) -> list[tuple[str, ...]]:
    """Read all servers side by side; what is to be noted of each."""
    scope = comparer.scope
    notes: list[tuple[str, ...]] = [()] * len(servers)
    reading: list[int] = []
    for number, server in enumerate(servers):
        if problems[number] is None:
            try:
                server.start(scope, scope.base)
                reading.append(number)
            except LdapreplError as error:
                problems[number] = Problem(error.message, error.cure)
    seen = [0] * len(servers)
    for index, item in tools.pump([servers[number] for number in reading]):
        number = reading[index]
        if isinstance(item, Ending):
            problems[number] = problems[number] or item.problem
            notes[number] = unfollowed(servers[number].uri, item)
            if not item.problem and not seen[number]:
                problems[number] = Problem(
                    f"{servers[number].uri} showed no entry at all: nothing can be compared",
                    "Check --base, --scope and --filter, and that this identity may read there.",
                )
            continue
        seen[number] += len(item)
        tools.progress.advance(sum(seen))
        for pair, join in joins.items():
            if number in pair and not any(problems[other] for other in pair):
                try:
                    join.feed(Side.PROVIDER if number == pair[0] else Side.CONSUMER, item)
                except LdapreplError as error:
                    problems[number] = Problem(error.message, error.cure)
    return notes


def _look(
    servers: Sequence[Directory],
    pair: tuple[int, int],
    join: Join,
    overtaken: Overtaken,
    problems: Sequence[Problem | None],
) -> Look:
    left, right = pair
    problem = problems[left] or problems[right]
    suspects = Suspects()
    if problem is None:
        try:
            suspects = overtaken.more(join.finish())
        except LdapreplError as error:
            problem = Problem(error.message, error.cure)
    report = ConsumerReport(servers[right].uri, against=servers[left].uri, problem=problem, equal=join.equal)
    ours, theirs = join.counts
    return Look(replace(report, provider_entries=ours, consumer_entries=theirs), suspects, overtaken)


def _csns(server: Directory, scope: ReplicationScope) -> CsnSet:
    try:
        return server.context_csn(scope.base)
    except LdapreplError:  # it has gone since; its pairs say so
        return CsnSet()
