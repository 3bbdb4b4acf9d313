"""One line and its performance data, by the Nagios plugin guidelines (monitoring-plugins.org, sections 2 and 3).

`LDAPREPL STATUS - text | label=value;warn;crit;min`, base units only, `U` for what could not be measured. The text
never holds the bar that begins the performance data, whatever a server called itself.
"""

from __future__ import annotations

from ldaprepl.domain.health import Health, Policy, ServerHealth, Status
from ldaprepl.report.health import details, headline

UNKNOWN = Status.UNKNOWN


def render(health: Health, policy: Policy, *, verbose: bool = False) -> str:
    """The line with a final newline; with `verbose` followed by details as long output."""
    line = f"LDAPREPL {health.status.name} - {clean(headline(health))} | {perfdata(health, policy)}\n"
    return line + "".join(f"{clean(each)}\n" for each in details(health)) if verbose else line


def failure(text: str) -> str:
    """The line when nothing could be checked at all."""
    return f"LDAPREPL {UNKNOWN.name} - {' '.join(clean(text.removeprefix('ldaprepl: ')).split())}\n"


def perfdata(health: Health, policy: Policy, prefix: str = "") -> str:
    """Lag and changes of each judged server; certificates; the time it took. One server: plain labels.

    `prefix` stands before every label.
    """
    prefix = _safe(prefix)
    items = []
    alone = len(health.judged) == 1
    for server in health.judged:
        name = "" if alone else f"_{_label(server.uri)}"
        limits = f"{policy.warning:g};{policy.critical:g};0"
        items.append(f"{_quoted(f'{prefix}lag{name}')}={_seconds(server.lag)};{limits}")
        items.append(f"{_quoted(f'{prefix}changes{name}')}={'U' if server.changes is None else server.changes};;;0")
        if server.canary is not None:
            items.append(f"{_quoted(f'{prefix}canary{name}')}={_seconds(server.canary)};{limits}")
    for server in health.servers:
        items += _certificate(server, health, policy, prefix)
    items.append(f"{_quoted(f'{prefix}time')}={_seconds(health.seconds)};;;0")
    return " ".join(items)


def _certificate(server: ServerHealth, health: Health, policy: Policy, prefix: str) -> list[str]:
    end = server.vitals.certificate_end
    if end is None:
        return []
    label = _quoted(f"{prefix}certificate_{_label(server.uri)}")
    left = (end - health.at).total_seconds()
    return [f"{label}={left:.0f}s;{policy.certificate_warning:.0f}:;{policy.certificate_critical:.0f}:"]


def _seconds(value: float | None) -> str:
    return "U" if value is None else f"{value:.3f}s"


def _label(uri: str) -> str:
    """The server without scheme; quote and equals sign must not stand in a label."""
    return _safe(uri.partition("://")[2].strip("/")) or "ldapi"


def _safe(text: str) -> str:
    return text.replace("'", "_").replace("=", "_")


def _quoted(label: str) -> str:
    return f"'{label}'" if not label.replace("_", "").isalnum() else label


def clean(text: str) -> str:
    """Text that begins no performance data."""
    return " ".join(text.replace("|", "/").splitlines())
