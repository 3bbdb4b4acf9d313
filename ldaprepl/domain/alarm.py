"""When to speak: once for each change of state, and not every five minutes.

The state is which server has which alarm; lag that grows is no news, a warning that becomes critical is. The first run
speaks only if something is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ldaprepl.domain.health import Health, Status


@dataclass(frozen=True, slots=True)
class Alarm:
    """The state that was last spoken of: what is wrong, how bad it is, and since when (UTC)."""

    what: tuple[str, ...]
    status: Status
    since: datetime


def state_of(health: Health) -> Alarm:
    """The state as it is now."""
    what = {
        f"{server.uri} {finding.criterion.value} {finding.status.name}"
        for server in health.servers
        for finding in server.findings
        if finding.status is not Status.OK
    }
    return Alarm(tuple(sorted(what)), health.status, health.at)


def news(before: Alarm | None, now: Alarm) -> bool:
    """Whether this is to be said."""
    return bool(now.what) if before is None else before.what != now.what


def lasting(before: Alarm | None, now: Alarm) -> Alarm:
    """What to remember: an unchanged state keeps its beginning."""
    return before if before is not None and before.what == now.what else now
