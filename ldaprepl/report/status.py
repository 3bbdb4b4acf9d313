"""`status`: servers down, server IDs across, and what is wrong below.

A cell is `=` for a server that has the newest stamp of that ID, else how far it is away in what matters: changes and
age, not the distance of stamps. Colour, where wanted, goes on our own words only.
"""

from __future__ import annotations

from ldaprepl.domain.csn import Csn
from ldaprepl.domain.duration import words
from ldaprepl.domain.health import Health, ServerHealth, SidHealth, Standing, Status
from ldaprepl.report.health import sentence
from ldaprepl.report.values import printable

_COLOUR = {Status.OK: "32", Status.WARNING: "33", Status.CRITICAL: "31", Status.UNKNOWN: "35"}
_GAP = "  "


def render(health: Health, *, colour: bool = False) -> str:
    """The table, then a line for each server that has something to say."""
    sids = health.sids
    rows = [["", *(f"{sid:03x}" for sid in sids)]]
    rows.append(["newest", *(_newest(health, sid) for sid in sids)])
    rows += [[_name(server), *(_cell(server, sid) for sid in sids)] for server in health.servers]
    widths = [max(len(row[column]) for row in rows) for column in range(len(sids) + 1)]
    lines = [f"{printable(health.base) or '(root)'}   {health.at:%Y-%m-%d %H:%M:%S} UTC", ""]
    for place, row in enumerate(rows):
        text = _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        server = health.servers[place - 2] if place > 1 else None
        lines.append(_painted(text, server.status) if colour and server and server.status else text)
    lines.append("")
    for server in health.servers:
        word = _painted(server.status.name, server.status) if colour else server.status.name
        lines.append(f"{word}: {printable(server.uri)}: {sentence(server)}")
        lines += [f"  note: {printable(note)}" for note in server.notes]
    return "\n".join(lines) + "\n"


def _name(server: ServerHealth) -> str:
    return f"{'provider' if server.provider else 'consumer'} {printable(server.uri)}"


def _newest(health: Health, sid: int) -> str:
    stamps = [csn for server in health.servers if server.provider for csn in server.csns.values() if csn.sid == sid]
    return _moment(max(stamps)) if stamps else "-"


def _moment(csn: Csn) -> str:
    return f"{csn.time:%Y-%m-%d %H:%M:%S}"


def _cell(server: ServerHealth, sid: int) -> str:
    if not server.reached:
        return "?"
    if not server.judged:
        return "=" if sid in server.csns else "none"
    found = next((each for each in server.sids if each.sid == sid), None)
    return "none" if found is None else _standing(found)


def _standing(sid: SidHealth) -> str:
    age = f"{words(sid.lag)}" if sid.lag is not None else ""
    match sid.standing:
        case Standing.EQUAL:
            return "="
        case Standing.AHEAD if sid.held and sid.newest:
            return f"ahead {words((sid.held.time - sid.newest.time).total_seconds())}"
        case Standing.EXTRA if sid.held:
            return f"extra {_moment(sid.held)}"
        case Standing.MISSING:
            return f"none{', ' + age if age else ''}"
        case Standing.UNKNOWN:
            return "?"
    if not age:
        return "= in its scope"
    if sid.changes is None:
        return f"behind, {age}"
    more = "" if sid.every else "+"
    return f"{sid.changes:,}{more} behind, {age}" if sid.changes else f"deletes behind, {age}"


def _painted(text: str, status: Status) -> str:
    return f"\x1b[{_COLOUR[status]}m{text}\x1b[0m"
