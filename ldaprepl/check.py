"""Check: how well does replication do, right now?

Reads every server's contextCSN in the order that the rules of `domain.judgement` need, asks the providers how much is
lacking where a consumer is behind, and looks a second time before it raises an alarm. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.health import Criterion, Health, Lacking, Policy, ServerHealth, Sight, Status, Trouble
from ldaprepl.domain.judgement import Debt, Evidence, Key, Reference, bystander, judge, settle, unpaid, vital_findings
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope, Scope
from ldaprepl.errors import LdapreplError

if TYPE_CHECKING:
    from ldaprepl.ports import Clock, Replica

_CSN_CRITERIA = (Criterion.LAG, Criterion.AHEAD, Criterion.EXTRA, Criterion.UNFINISHED)
_NO_PROVIDER_CSN = "Is syncprov configured on that database, and may this identity read contextCSN?"
_NO_CONSUMER_CSN = "Its first refresh has not ended: its log says why (size limit, schema, access)."


class Member(NamedTuple):
    """A server that takes part. With several providers each of them is judged too: it is the others' consumer."""

    replica: Replica
    provider: bool


class Tools(NamedTuple):
    """What check works with. `each` applies a function to every member, side by side where that helps."""

    now: Callable[[], datetime]
    clock: Clock
    each: Callable[[Callable[[Member], Sight], Sequence[Member]], list[Sight]]


class Options(NamedTuple):
    """What is checked and how strictly; `pause`: seconds before the second look that an alarm needs."""

    scope: ReplicationScope
    policy: Policy = Policy()
    pause: float = 1.0


class Outcome(NamedTuple):
    """The health, and what the consumers owe now: to be given to the next run."""

    health: Health
    debts: Mapping[Key, Debt]


def check(members: Sequence[Member], options: Options, debts: Mapping[Key, Debt], tools: Tools) -> Outcome:
    """Look at all members. Never raises for what a server does."""
    started = tools.clock.monotonic()
    outcome = _look(members, options, debts, tools)
    if _alarming(outcome.health):
        tools.clock.sleep(options.pause)
        outcome = _look(members, options, outcome.debts, tools)
    now = tools.now()
    servers = []
    for member, server in zip(members, outcome.health.servers, strict=True):
        vitals = member.replica.vitals()
        more = vital_findings(vitals, server.csns, options.policy, now)
        servers.append(server._replace(vitals=vitals, findings=server.findings + more))
    seconds = tools.clock.monotonic() - started
    return Outcome(outcome.health._replace(servers=tuple(servers), seconds=seconds), outcome.debts)


def _alarming(health: Health) -> bool:
    findings = (finding for server in health.servers for finding in server.findings)
    return any(finding.status is not Status.OK and finding.criterion in _CSN_CRITERIA for finding in findings)


def _look(members: Sequence[Member], options: Options, debts: Mapping[Key, Debt], tools: Tools) -> Outcome:
    """One look: providers, consumers, and the providers again where a consumer has something newer."""
    scope = options.scope
    providers = [member for member in members if member.provider]
    judged = [member for member in members if not member.provider or len(providers) > 1]

    def sight(member: Member) -> Sight:
        base = scope.base if member.provider else scope.consumer_base
        return _named(member.replica.look(base), member.provider)

    before = _by_uri(providers, tools.each(sight, providers))
    held = _by_uri(judged, tools.each(sight, judged))
    known = CsnSet(csn for seen in before.values() for csn in seen.csns.values())
    ahead = any(not known.covers_all(seen.csns) for seen in held.values())
    again = [member for member in providers if member.replica.uri not in held]
    after = _by_uri(again, tools.each(sight, again)) if ahead else {}
    after |= {uri: seen for uri, seen in held.items() if uri in before}
    reference = Reference.of(before, after)
    now = tools.now()
    owed: dict[Key, Debt] = {}
    servers: list[ServerHealth] = []
    replicas = {member.replica.uri: member.replica for member in providers}
    for member in members:
        uri = member.replica.uri
        if uri not in held:
            servers.append(bystander(uri, before[uri], options.policy))
            continue
        evidence = Evidence(
            uri,
            member.provider,
            held[uri],
            _lacking(held[uri].csns, reference, replicas, scope),
            {sid: debt for (owner, sid), debt in debts.items() if owner == uri},
            partial=not member.provider and _partial(scope, before),
        )
        settled = settle(evidence, reference, now)
        owed |= {(uri, sid): debt for sid, debt in settled.items()}
        if not (evidence.sight.csns and reference.whole):  # not all was seen: only what is covered is known to be paid
            owed = {(uri, sid): debt for sid, debt in unpaid(evidence).items()} | owed
        servers.append(judge(evidence, reference, settled, options.policy, now))
    return Outcome(Health(scope.base, now, tuple(servers)), owed)


def _by_uri(members: Sequence[Member], sights: Sequence[Sight]) -> dict[str, Sight]:
    return {member.replica.uri: sight for member, sight in zip(members, sights, strict=True)}


def _named(sight: Sight, provider: bool) -> Sight:
    """No contextCSN means another thing on a provider than on a consumer."""
    trouble = sight.trouble
    if trouble is None or trouble.criterion is not Criterion.UNFINISHED:
        return sight
    if provider:
        return Sight(trouble=Trouble(Criterion.NO_CSN, trouble.text, _NO_PROVIDER_CSN))
    return Sight(trouble=Trouble(Criterion.UNFINISHED, trouble.text, _NO_CONSUMER_CSN))


def _lacking(
    held: CsnSet, reference: Reference, replicas: Mapping[str, Replica], scope: ReplicationScope
) -> dict[int, Lacking]:
    """Ask, for each server ID that is behind, the provider that is furthest."""
    found: dict[int, Lacking] = {}
    for sid, (newest, holder) in reference.before.items():
        if not held or held.covers(newest):
            continue
        try:
            found[sid] = replicas[holder].lacking(scope, held.get(sid), newest)
        except LdapreplError:
            found[sid] = Lacking(complete=False)
    return found


def _partial(scope: ReplicationScope, providers: Mapping[str, Sight]) -> bool:
    """Whether the database holds more than what is replicated: its contextCSN then moves for other changes too."""
    below = any(seen.csns and seen.suffix != scope.base for seen in providers.values())
    return below or scope.filter != MATCH_ALL or scope.scope is not Scope.SUB
