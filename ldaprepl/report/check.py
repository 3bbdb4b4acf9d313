"""`check` as text for people and as JSON for programs; the JSON keys are a contract (docs/check.md)."""

from __future__ import annotations

from typing import Any

from ldaprepl.domain.health import Finding, Health, ServerHealth, SidHealth
from ldaprepl.report.health import details, headline
from ldaprepl.report.values import printable

SCHEMA = 1


def render_text(health: Health) -> str:
    """A headline, then every server."""
    lines = [f"{health.status.name}: {headline(health)}", ""]
    lines += details(health)
    base = printable(health.base) or "(root)"
    lines += ["", f"base {base}, {health.at:%Y-%m-%d %H:%M:%S} UTC, {health.seconds:.2f} s"]
    return "\n".join(lines) + "\n"


def render_json(health: Health, command: str = "check") -> str:
    """The whole health as one JSON document with a final newline."""
    import json

    return json.dumps(document(health, command), indent=2, ensure_ascii=True) + "\n"


def document(health: Health, command: str) -> dict[str, Any]:
    """What `render_json` writes."""
    return {
        "schema": SCHEMA,
        "command": command,
        "status": health.status.name,
        "base": _text(health.base),
        "time": health.at.isoformat(timespec="seconds"),
        "providers": [_server(server, health) for server in health.servers if server.provider],
        "consumers": [_server(server, health) for server in health.servers if not server.provider],
        "seconds": round(health.seconds, 3),
    }


def _server(server: ServerHealth, health: Health) -> dict[str, Any]:
    vitals = server.vitals
    return {
        "uri": _text(server.uri),
        "status": server.status.name,
        "judged": server.judged,
        "contextcsn": server.csns.texts(),
        "lag_seconds": _rounded(server.lag) if server.judged else None,
        "changes": server.changes if server.judged else None,
        "canary_seconds": _rounded(server.canary),
        "sids": [_sid(sid) for sid in server.sids],
        "findings": [_finding(finding) for finding in server.findings],
        "certificate_end": vitals.certificate_end.isoformat() if vitals.certificate_end else None,
        "clock_skew_seconds": _rounded(vitals.skew),
        "syncrepl": [
            {
                "rid": _text(state.rid),
                "connected": state.connected,
                "phase": _text(state.phase),
                "last_contact": state.last_contact.isoformat() if state.last_contact else None,
                "next_connect": state.next_connect.isoformat() if state.next_connect else None,
            }
            for state in vitals.syncrepl
        ],
        "notes": [_text(note) for note in server.notes],
    }


def _sid(sid: SidHealth) -> dict[str, Any]:
    return {
        "sid": sid.name,
        "standing": sid.standing.value,
        "newest": sid.newest.raw if sid.newest else None,
        "held": sid.held.raw if sid.held else None,
        "lag_seconds": _rounded(sid.lag),
        "changes": sid.changes,
        "exact": sid.exact,
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "criterion": finding.criterion.value,
        "status": finding.status.name,
        "text": _text(finding.text),
        "cure": _text(finding.cure),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _text(text: str) -> str:
    """Text without lone surrogates, which are no JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
