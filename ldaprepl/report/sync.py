"""What a run of `sync` did, for people, for programs, and, for a dry run, as LDIF change records (RFC 2849).

The LDIF of a plan shows secret values as they are, since it is meant to be applied: it goes where the user sends it.
"""

from __future__ import annotations

import json
from typing import Any

from ldaprepl.domain import ldif
from ldaprepl.domain.change import Add, Change, Delete, Modify, Rename
from ldaprepl.domain.syncrun import Mode, SyncReport
from ldaprepl.report.values import printable

_SHOWN = 20
_MODE = {
    Mode.UPDATEDN: "as updatedn (every attribute)",
    Mode.RELAX: "with Relax (entryUUID and create stamps kept; entryCSN is the consumer's own, so native syncrepl must"
    " not take over without a reload)",
    Mode.PLAIN: "plainly (entryUUID and stamps are the consumer's own; native syncrepl must not take over without a"
    " reload)",
}


def render_text(report: SyncReport, *, verbose: bool = False) -> str:
    """The summary line, then what needs attention."""
    lines = [_summary(report)]
    for objection in report.objections:
        lines.append(f"  {printable(objection.text)}")
        lines.append(f"    {printable(objection.cure)}")
    lines += [f"  note: {printable(note)}" for note in report.notes]
    if verbose or report.mode is not Mode.UPDATEDN:
        lines.append(f"  written {_MODE[report.mode]}")
    if verbose and report.why:
        lines.append(f"  read by {report.method}: {printable(report.why)}")
    for refusal in report.refusals[:_SHOWN]:
        lines.append(f"  refused: {printable(refusal.dn)}: {printable(refusal.reason)}")
    if len(report.refusals) > _SHOWN:
        lines.append(f"  … and {len(report.refusals) - _SHOWN:,} more")
    if report.refusals:
        lines.append("  They are tried again with every run; contextCSN is not written until none is left.")
    return "\n".join(lines) + "\n"


def render_line(report: SyncReport) -> str:
    """All of it in one line, for a log."""
    parts = [_summary(report), *(f"note: {printable(note)}" for note in report.notes)]
    if report.refusals:
        first = report.refusals[0]
        parts.append(f"refused, first of {len(report.refusals):,}: {printable(first.dn)}: {printable(first.reason)}")
    return "; ".join(parts)


def _summary(report: SyncReport) -> str:
    where = f"{printable(report.provider)} -> {printable(report.consumer)}"
    if report.up_to_date:
        return f"up to date: {where}, {report.seconds:.1f} s"
    tally = report.tally
    counts = (
        f"{tally.added:,} added, {tally.modified:,} modified, {tally.renamed:,} renamed, {tally.deleted:,} deleted,"
        f" {tally.unchanged:,} unchanged, {len(report.refusals):,} refused"
    )
    word = "would be refused" if report.objections else "would be done" if report.changes is not None else "done"
    return f"{word}: {where}, {counts}, {report.seconds:.1f} s ({report.method})"


def render_json(report: SyncReport) -> str:
    """One JSON document in one line."""
    tally = report.tally
    document: dict[str, Any] = {
        "schema": 1,
        "command": "sync",
        "provider": report.provider,
        "consumer": report.consumer,
        "base": report.base,
        "method": report.method.value,
        "why": report.why,
        "written": report.mode.value,
        "dry_run": report.changes is not None,
        "up_to_date": report.up_to_date,
        "added": tally.added,
        "modified": tally.modified,
        "renamed": tally.renamed,
        "deleted": tally.deleted,
        "unchanged": tally.unchanged,
        "refused": [{"dn": each.dn, "uuid": each.key, "reason": each.reason} for each in report.refusals],
        "contextcsn": report.contextcsn.texts(),
        "would_be_refused": [each.text for each in report.objections],
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
    }
    return json.dumps(document, ensure_ascii=True) + "\n"


def render_ldif(changes: tuple[Change, ...]) -> str:
    """Change records in the order in which they would be sent."""
    return "version: 1\n\n" + "\n".join(map(_record, changes))


def _record(change: Change) -> str:
    lines = [ldif.line("dn", change.dn)]
    match change:
        case Add():
            lines.append(ldif.line("changetype", "add"))
            lines += [ldif.line(name, value) for name, values in change.attributes.items() for value in values]
        case Delete():
            lines.append(ldif.line("changetype", "delete"))
        case Rename():
            lines.append(ldif.line("changetype", "modrdn"))
            lines.append(ldif.line("newrdn", change.rdn))
            lines.append(ldif.line("deleteoldrdn", str(int(change.delete_old))))
            if change.superior:
                lines.append(ldif.line("newsuperior", change.superior))
        case Modify():
            lines.append(ldif.line("changetype", "modify"))
            for mod in change.mods:
                lines.append(ldif.line(mod.how, mod.name))
                lines += [ldif.line(mod.name, value) for value in mod.values]
                lines.append("-\n")
    return "".join(lines)
