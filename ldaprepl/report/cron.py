"""The mail that cron sends: a subject-like first line, what changed, and what to do about it."""

from __future__ import annotations

from ldaprepl.domain.alarm import Alarm
from ldaprepl.domain.duration import words
from ldaprepl.domain.health import Health, Status
from ldaprepl.report.health import details, headline
from ldaprepl.report.values import printable


def render(health: Health, before: Alarm | None) -> str:
    """One message for a change of state."""
    lines = [f"LDAP replication {health.status.name}: {headline(health)}", ""]
    if before is not None:
        lasted = words((health.at - before.since).total_seconds())
        well = before.status is Status.OK
        lines += [f"Before: all well for {lasted}." if well else f"Before: {before.status.name} for {lasted}:"]
        lines += [f"  {printable(what)}" for what in before.what]
        lines.append("")
    lines += [f"Base {printable(health.base)}, {health.at:%Y-%m-%d %H:%M:%S} UTC", ""]
    return "\n".join(lines + details(health)) + "\n"
