"""A spot check: a few entries taken at random, compared as `verify` compares all.

The names of all entries are read (nothing else of them), on every server, and a sample is drawn from each side: from
the provider's for what is missing or differs, from the consumer's for what it has too much. The sample is judged by the
rules of `recheck`, so lag is no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ldaprepl.domain.compare import Comparer, SplitFrame, SplitValues
from ldaprepl.domain.health import Criterion, Finding, Policy
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import Problem, State
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import Clock, Directory, Ending, Progress, Pump
from ldaprepl.recheck import Recheck, text
from ldaprepl.verify import unknown_attributes

_NAMES = ("1.1",)
_NAMED = 3  # entries named in the finding


@dataclass(frozen=True, slots=True)
class Tools:
    """What a spot check works with; `below(n)` is a random number from 0 to n-1."""

    pump: Pump
    split: SplitFrame
    values: SplitValues
    clock: Clock
    progress: Progress
    below: Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Options:
    """How many entries from each side; how long a consumer gets to pass the provider's CSN (seconds)."""

    count: int
    settle: float = 5.0
    policy: Policy = field(default_factory=Policy)


def spot_check(
    provider: Directory, consumers: Sequence[Directory], scope: ReplicationScope, tools: Tools, options: Options
) -> Mapping[str, Finding]:
    """Findings by URI; servers whose sample is equal have none. Raises `LdapreplError` without the provider, and where
    it knows none of the attributes."""
    comparer = Comparer(provider.schema(), scope, tools.split, tools.values)
    unknown_attributes(comparer.schema, scope)
    drawn = _draw([provider, *consumers], scope, tools, options.count)
    found: dict[str, Finding] = {}
    ours = drawn[0]
    for consumer, theirs in zip(consumers, drawn[1:], strict=True):
        if isinstance(ours, Problem):
            found[consumer.uri] = _unreadable(ours, options.policy)
            continue
        if isinstance(theirs, Problem):
            found[consumer.uri] = _unreadable(theirs, options.policy)
            continue
        suspects = Suspects(pairs=ours, consumer_only=[_as_provider(dn, comparer) for dn in theirs])
        try:
            recheck = Recheck(provider, consumer, comparer, tools.clock, options.settle)
            outcome = recheck.judge(suspects, tools.progress)
        except LdapreplError as error:
            found[consumer.uri] = _unreadable(Problem(error.message, error.cure), options.policy)
            continue
        wrong = [finding.dn for finding in outcome.findings if finding.state is State.LASTING]
        if wrong:
            found[consumer.uri] = _wrong(wrong, len(suspects), options.policy)
    return found


def _draw(
    directories: Sequence[Directory], scope: ReplicationScope, tools: Tools, count: int
) -> list[list[bytes] | Problem]:
    """A sample of DNs from each, in constant memory, or why it could not be drawn."""
    names = scope._replace(attrs=_NAMES)
    for place, directory in enumerate(directories):
        directory.start(names, scope.consumer_base if place else scope.base)
    kept: list[list[bytes]] = [[] for _ in directories]
    seen = [0] * len(directories)
    problems: dict[int, Problem] = {}
    for place, item in tools.pump(directories):
        if isinstance(item, Ending):
            if item.problem:
                problems[place] = item.problem
            continue
        for dn, _ in item:
            seen[place] += 1
            if len(kept[place]) < count:
                kept[place].append(dn)
            elif (lot := tools.below(seen[place])) < count:
                kept[place][lot] = dn
    return [problems.get(place, kept[place]) for place in range(len(directories))]


def _as_provider(dn: bytes, comparer: Comparer) -> bytes:
    return comparer.provider_dn(text(dn)).encode("utf-8", "surrogateescape")


def _wrong(dns: Sequence[str], count: int, policy: Policy) -> Finding:
    named = ", ".join(dns[:_NAMED]) + (" ..." if len(dns) > _NAMED else "")
    text = f"{len(dns)} of {count} sampled entries are not the same: {named}"
    return Finding(Criterion.SAMPLE, policy.status(Criterion.SAMPLE), text, "Run verify: it compares all and says why.")


def _unreadable(problem: Problem, policy: Policy) -> Finding:
    text = f"no sample: {problem.text}"
    return Finding(Criterion.UNREADABLE, policy.status(Criterion.UNREADABLE), text, problem.cure)
