"""What the reports of `check` and `status` have in common: one sentence a server, and a name for it.

Server names and texts may hold what a server sent, so everything passes `printable`.
"""

from __future__ import annotations

from ldaprepl.domain.duration import words
from ldaprepl.domain.health import Health, ServerHealth, Status
from ldaprepl.domain.plural import counted
from ldaprepl.report.values import printable

_ORDER = (Status.CRITICAL, Status.WARNING, Status.UNKNOWN, Status.OK)


def sentence(server: ServerHealth) -> str:
    """How this server does, without its name and a full stop. Alarms; what is in order only without any."""
    findings = sorted(server.findings, key=lambda finding: _ORDER.index(finding.status))
    alarms = [finding for finding in findings if finding.status is not Status.OK]
    said = "; ".join(printable(finding.text) for finding in alarms or findings)
    if said:
        return said
    if not server.judged or server.lag is None:
        return "answers"
    count = len(server.csns)
    text = f"in sync, {counted(count, 'server ID')}"
    return text + (f", canary after {words(server.canary)}" if server.canary is not None else "")


def headline(health: Health, most: int = 3) -> str:
    """All servers in one sentence: those with an alarm, or how many are well."""
    alarms = [server for server in health.servers if server.status is not Status.OK]
    named = alarms or [server for server in health.judged if server.findings or server.notes]
    if not alarms and len(health.judged) > 1 and not named:
        return f"{len(health.judged)} servers in sync"
    shown = named or health.judged or health.servers
    text = "; ".join(f"{printable(server.uri)}: {sentence(server)}" for server in shown[:most])
    more = len(shown) - most
    return text + (f"; and {more} more" if more > 0 else "")


def details(health: Health) -> list[str]:
    """Lines for people: every server, its server IDs, its findings with their cures, its notes."""
    lines = []
    for server in health.servers:
        role = "provider" if server.provider else "consumer"
        lines.append(f"{server.status.name}: {role} {printable(server.uri)}: {sentence(server)}")
        for sid in server.sids:
            held = sid.held.raw if sid.held else "no stamp"
            least = "" if sid.every else "at least "
            seen = "" if sid.changes is None else f", {least}{counted(sid.changes, 'change')}"
            lag = f", lag {words(sid.lag)}{seen}" if sid.lag is not None else ""
            lines.append(f"  server ID {sid.name}: {sid.standing.value}{lag} ({held})")
        for finding in server.findings:
            if finding.status is not Status.OK and finding.cure:
                lines.append(f"  {printable(finding.text)}. {printable(finding.cure)}")
        for state in server.vitals.syncrepl:
            contact = f", last contact {state.last_contact:%Y-%m-%d %H:%M:%S}" if state.last_contact else ""
            connected = "connected" if state.connected else "not connected"
            lines.append(f"  syncrepl rid={printable(state.rid)}: {connected}, {printable(state.phase)}{contact}")
        lines += [f"  note: {printable(note)}" for note in server.notes]
    return lines
