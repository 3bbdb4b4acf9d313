"""The canary: change one entry on the provider and time its arrival on every other server.

The only part of `check` that writes, and only where it is told to: one attribute of one entry set aside for it. An
attribute that holds anything else than an earlier canary is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldaprepl.check import Member, Tools
from ldaprepl.domain.dn import moved
from ldaprepl.domain.duration import words
from ldaprepl.domain.health import Criterion, Finding, Policy, Status
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import LdapreplError

if TYPE_CHECKING:
    from ldaprepl.ports import Replica

MARK = "ldaprepl canary "
_POLL = 0.02  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Canary:
    """Where it flies, and how long it may take (seconds)."""

    dn: str
    attribute: str = "description"
    patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Flight:
    """What became of it on one server: seconds from the provider's answer to the arrival, and what to say."""

    seconds: float | None = None
    finding: Finding | None = None


def fly(
    members: Sequence[Member], canary: Canary, scope: ReplicationScope, policy: Policy, tools: Tools
) -> Mapping[str, Flight]:
    """Let it go from the first provider; flights by URI. Servers that cannot be asked have none: `check` says why."""
    source = members[0].replica
    value = f"{MARK}{tools.now().isoformat()}".encode()
    try:
        held = source.value(canary.dn, canary.attribute)
        reason = _unfit(held, canary)
        if not reason:
            source.write(canary.dn, canary.attribute, (value,))
    except LdapreplError as error:
        reason = error.message.removeprefix(source.uri).removeprefix(":").strip()
    if reason:
        status = policy.status(Criterion.CANARY)
        return {source.uri: Flight(finding=Finding(Criterion.CANARY, status, f"no canary: {reason}"))}
    return _watch(members[1:], canary, scope, value, (policy, tools))


def _unfit(held: tuple[bytes, ...] | None, canary: Canary) -> str:
    if held is None:
        return f"there is no entry {canary.dn!r}"
    if all(value.startswith(MARK.encode()) for value in held):
        return ""
    return f"{canary.attribute} of {canary.dn!r} holds something else, which is left alone"


def _watch(
    members: Sequence[Member], canary: Canary, scope: ReplicationScope, value: bytes, means: tuple[Policy, Tools]
) -> dict[str, Flight]:
    policy, tools = means
    started = tools.clock.monotonic()
    flights: dict[str, Flight] = {}
    waiting = list(members)
    while waiting:
        for member in tuple(waiting):
            dn = canary.dn if member.provider else moved(canary.dn, scope.base, scope.consumer_base)
            arrived = _arrived(member.replica, dn, canary.attribute, value)
            seconds = tools.clock.monotonic() - started
            if arrived:
                flights[member.replica.uri] = Flight(seconds, _late(seconds, policy))
            elif arrived is False and seconds >= canary.patience:
                text = f"the canary has not arrived within {words(canary.patience)}"
                flights[member.replica.uri] = Flight(finding=Finding(Criterion.CANARY, Status.CRITICAL, text))
            elif arrived is False:
                continue
            waiting.remove(member)
        if waiting:
            tools.clock.sleep(_POLL)
    return flights


def _arrived(replica: Replica, dn: str, name: str, value: bytes) -> bool | None:
    try:
        return replica.value(dn, name) == (value,)
    except LdapreplError:
        return None


def _late(seconds: float, policy: Policy) -> Finding | None:
    status = policy.of_lag(seconds)
    return Finding(Criterion.CANARY, status, f"the canary took {words(seconds)}") if status is not Status.OK else None
