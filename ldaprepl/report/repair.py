"""A repair in words: the lines of the text report, the part of the JSON, and the records as LDIF.

The LDIF begins with comments that say what it is for and how it is applied. It holds secret values as they are, since
it is meant to be applied; nothing else here does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ldaprepl.domain.change import Add, Change, Delete, Modify, Rename
from ldaprepl.domain.plural import counted
from ldaprepl.domain.repair import RepairMode, RepairReport
from ldaprepl.domain.secretnames import is_secret
from ldaprepl.domain.verdict import ConsumerReport, VerifyReport
from ldaprepl.report.sync import render_ldif
from ldaprepl.report.values import printable

_WORD = {Add: "add", Delete: "delete", Rename: "rename", Modify: "modify"}
_HOW = {
    RepairMode.LDIF: "by LDIF for the consumer",
    RepairMode.TOUCH: "by touching the provider",
    RepairMode.APPLY: "on the consumer",
}


def lines(report: RepairReport | None, limit: int = 20) -> list[str]:
    """What the text report says of it, indented as the rest of a consumer."""
    if report is None:
        return []
    if not (report.planned or report.refused or report.changes or report.halted):
        return ["  repair: nothing to do"]
    numbers = f"{report.done:,} of {report.planned:,} done, {report.healed:,} healed"
    if not report.acted:
        numbers = f"{_findings(report.planned)} would be repaired"
        if report.mode is RepairMode.LDIF:
            numbers = f"records for {_findings(report.planned)}"
    if report.halted and not (report.planned or report.refused):
        numbers = "nothing was done"
    else:
        numbers += f", {len(report.refused):,} refused"
    said = [f"  repair {_HOW[report.mode]}: {numbers}"]
    if report.halted:
        said.append(f"    {printable(report.halted)}.")
        said += [f"    {printable(report.cure)}"] if report.cure else []
    if not report.acted and report.mode is not RepairMode.LDIF:
        said += [f"    would {_action(change)}" for change in report.changes[: limit or None]]
        said += _more(len(report.changes), limit)
        if report.changes and not report.halted:
            said.append("    Nothing was written: --yes does it, --format ldif shows it whole.")
    said += [f"    refused: {printable(r.dn)}: {printable(r.reason)}" for r in report.refused[: limit or None]]
    said += _more(len(report.refused), limit)
    return said + [f"    note: {printable(note)}" for note in report.notes]


def _findings(number: int) -> str:
    return counted(number, "finding")


def _more(total: int, limit: int) -> list[str]:
    return [f"    … and {total - limit:,} more (--limit 0 shows all)"] if limit and total > limit else []


def _action(change: Change) -> str:
    word = f"{_WORD[type(change)]} {printable(change.dn)}"
    if isinstance(change, Rename):
        return f"{word} to {printable(change.new_dn)}"
    if isinstance(change, Modify):
        return f"{word} ({', '.join(printable(name) for name in dict.fromkeys(mod.name for mod in change.mods))})"
    return word


def document(report: RepairReport) -> dict[str, Any]:
    """The `repair` of a consumer in JSON."""
    return {
        "mode": report.mode.value,
        "dry_run": not report.acted,
        "planned": report.planned,
        "done": report.done,
        "healed": report.healed,
        "refused": [{"dn": _text(each.dn), "reason": _text(each.reason)} for each in report.refused],
        "changes": [{"change": _WORD[type(change)], "dn": _text(change.dn)} for change in report.changes],
        "written": report.written or None,
        "halted": {"text": _text(report.halted), "cure": _text(report.cure)} if report.halted else None,
        "notes": [_text(note) for note in report.notes],
    }


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


# -- LDIF --------------------------------------------------------------------------------------------------------------


def render(report: VerifyReport) -> str:
    """The records of the only consumer, or of the provider (touch), with comments that say how to apply them."""
    parts = []
    for consumer in report.consumers:
        made = consumer.repair
        if made is not None:
            head = (
                _touch_head(report, consumer, made) if made.mode is RepairMode.TOUCH else _head(report, consumer, made)
            )
            parts.append("".join(f"# {printable(line)}".rstrip() + "\n" for line in head))
    held = [consumer.repair for consumer in report.consumers if consumer.repair]
    changes = [change for made in held if made.acted or not made.halted for change in made.changes]
    return "".join(parts) + (render_ldif(tuple(changes)) if changes else "version: 1\n")


def _head(report: VerifyReport, consumer: ConsumerReport, made: RepairReport) -> list[str]:
    if made.halted and not made.acted:
        return _halted(made)
    said = [
        f"Makes {consumer.uri} equal to {report.provider} in {_findings(made.planned)}: {_counts(made.changes)}.",
        *_refused(made),
    ]
    if not made.changes:
        return said
    if _holds_secrets(made.changes):
        said.append("It holds secrets (userPassword and the like): keep it closed.")
    said += ["It is right for the consumer as it was when this was written: apply it soon, and once.", ""]
    controls = "-M -e relax" if made.relax else "-M"
    who = "THE-UPDATEDN" if made.written == "updatedn" else "THE-ROOTDN"
    said.append(f"Apply it to the consumer:  ldapmodify -H {consumer.uri} -x -D {who} -W {controls} -f THIS-FILE")
    if made.written == "updatedn":
        said.append("Only the DN that updatedn (olcUpdateDN) names there may write entryUUID and entryCSN.")
    if made.native:
        said += [
            "That server takes no changes but from its replication. If it runs native syncrepl: take syncrepl",
            "(olcSyncrepl) out of its database, put updatedn (olcUpdateDN) in, apply this, take updatedn out again and",
            "put syncrepl back; in cn=config that works without a restart. --repair touch needs none of it.",
        ]
    if made.relax:
        said.append(
            "-e relax (entryUUID and time stamps, another structural class) needs manage access, as the rootdn has."
        )
    return [*said, *made.notes]


def _touch_head(report: VerifyReport, consumer: ConsumerReport, made: RepairReport) -> list[str]:
    if made.halted and not made.acted:
        return _halted(made)
    said = [
        f"Touches {report.provider}, so that native syncrepl heals {consumer.uri} in {_findings(made.planned)}.",
        *_refused(made),
    ]
    if not made.changes:
        return said
    controls = "-M -e relax" if made.relax else "-M"
    said += [
        "It changes no value: each entry gets its own values again, and with them a new entryCSN.",
        *(["It holds secrets: keep it closed."] if _holds_secrets(made.changes) else []),
        "Apply it soon, while the provider has these values, or let --yes do it, which makes sure of that:",
        f"ldapmodify -H {report.provider} -x -D WHO-MAY-WRITE -W {controls} -f THIS-FILE",
    ]
    return [*said, *made.notes]


def _refused(made: RepairReport) -> list[str]:
    cut = [f"It was cut off: {made.halted}. {made.cure}"] if made.halted else []
    return cut + [f"Not repaired: {each.dn}: {each.reason}" for each in made.refused]


def _halted(made: RepairReport) -> list[str]:
    return [f"NOTHING IS REPAIRED: {made.halted}. {made.cure}"]


def _counts(changes: Sequence[Change]) -> str:
    kinds = Counter(_WORD[type(change)] for change in changes)
    return ", ".join(f"{kinds[word]:,} {word}" for word in _WORD.values() if kinds[word]) or "no changes"


def _holds_secrets(changes: Sequence[Change]) -> bool:
    for change in changes:
        if isinstance(change, Add) and any(is_secret(name) for name in change.attributes):
            return True
        if isinstance(change, Modify) and any(is_secret(mod.name) and mod.values for mod in change.mods):
            return True
    return False
