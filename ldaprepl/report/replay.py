"""`replay` in words and as JSON: the books, a dry run, a run. Values of secret attributes are starred everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ldaprepl.domain import duration
from ldaprepl.domain.backlog import EVERYBODY, Backlog, Brief, Check, Place, ReplayReport, Standing
from ldaprepl.domain.plural import counted
from ldaprepl.domain.replog import Add, Modify, Record, Rename, When
from ldaprepl.domain.secret import STARS
from ldaprepl.report.values import is_secret, printable, shown

SCHEMA = 1
_MEANING = {
    Standing.DIFFERS: "other values on the consumer",
    Standing.MISSING: "only the provider has it",
    Standing.EXTRA: "only the consumer has it",
}
_SIGIL = {Standing.DIFFERS: "*", Standing.MISSING: "-", Standing.EXTRA: "+"}
_VALUE_WIDTH, _VALUES_SHOWN = 60, 4


# -- the books ----------------------------------------


def backlog_text(backlog: Backlog, now: float, limit: int = 20) -> str:
    """The books for people; `now` in seconds since 1970, `limit` records of a group (0: all)."""
    lines = [_backlog_head(backlog)]
    lines += [f"  note: {printable(note)}" for note in backlog.notes]
    for pending in backlog.pending:
        whom = printable(pending.replica) if pending.replica != EVERYBODY else "every replica"
        changes = counted(pending.count, "change")
        lines.append(f"PENDING for {whom}: {changes} of {counted(pending.dns, 'entry')} ({_kinds(pending.kinds)})")
        lines.append(f"  from {_moment(pending.oldest, now)} to {_moment(pending.newest, now)}")
    for group in backlog.rejected:
        lines.append(f"REJECTED ({printable(group.reason)}): {len(group.records):,}, {_span(group.records, now)}")
        lines += _briefs(group.records, limit, reason=False)
    lines += _trouble(backlog.broken, backlog.unfinished, limit)
    lines += _checks(backlog.checks, limit)
    if not (backlog.pending or backlog.rejected or backlog.broken or backlog.unfinished):
        lines.append("The books are closed: nothing is pending, nothing was rejected.")
    return "\n".join(lines) + "\n"


def _backlog_head(backlog: Backlog) -> str:
    files = ", ".join(printable(name) for name in backlog.files)
    more = f", slurpd was through with {backlog.done:,}" if backlog.done else ""
    more += f", {backlog.others:,} for other replicas" if backlog.others else ""
    return f"{files}: {counted(backlog.records, 'record')}{more}"


def backlog_json(backlog: Backlog, now: float) -> str:
    """The books as one JSON document."""
    return _dump(
        "explain",
        {
            "files": [_text(name) for name in backlog.files],
            "records": backlog.records,
            "done": backlog.done,
            "others": backlog.others,
            "pending": [
                {
                    "replica": _text(pending.replica) or None,
                    "changes": pending.count,
                    "entries": pending.dns,
                    "kinds": dict(pending.kinds),
                    "oldest": str(pending.oldest),
                    "newest": str(pending.newest),
                    "age_seconds": max(0, round(now - pending.oldest.seconds)),
                }
                for pending in backlog.pending
            ],
            "rejected": [
                {"reason": _text(group.reason), "records": list(map(_brief_json, group.records))}
                for group in backlog.rejected
            ],
            "broken": list(map(_brief_json, backlog.broken)),
            "unfinished": list(map(_place_json, backlog.unfinished)),
            "checks": _checks_json(backlog.checks),
            "notes": [_text(note) for note in backlog.notes],
        },
    )


# -- a run ----------------------------------------


def run_text(report: ReplayReport, now: float, limit: int = 20) -> str:
    """What a run did, for people."""
    applied = sum(report.applied.values())
    kinds = f" ({_kinds(report.applied)})" if applied else ""
    head = f"{printable(report.consumer)}: {counted(applied, 'change')} applied{kinds}"
    head += f", {len(report.refused):,} refused" if report.refused else ""
    head += f", {report.others:,} not for it" if report.others else ""
    head += f", slurpd had done {report.done:,}" if report.done else ""
    lines = [head]
    if report.mode and applied:
        lines.append(f"  written: {_MODE.get(report.mode, report.mode)}")
    if report.last is not None:
        lines.append(f"  the last change was made at {_moment(report.last, now)}")
    lines += [f"  note: {printable(note)}" for note in report.notes]
    if report.refused:
        lines.append(f"REFUSED: {len(report.refused):,}, whole in {printable(report.rejects)}")
        lines += _briefs(report.refused, limit)
    if report.earlier:
        lines.append(f"REFUSED in earlier runs, and not settled: {len(report.earlier):,}")
        lines += _briefs(report.earlier, limit)
        lines.append("    --verify-after settles those that are equal on both servers now, --acknowledge all of them.")
    if report.settled:
        lines.append(f"Settled: {report.settled:,} refused before, equal on both servers now.")
    lines += _trouble(report.broken, report.unfinished, limit)
    lines += _checks(report.checks, limit)
    return "\n".join(lines) + "\n"


_MODE = {
    "updatedn": "as updatedn (every attribute)",
    "relax": "with Relax (entryCSN is the consumer's own)",
    "plain": "plainly (entryUUID and stamps are the consumer's own)",
}


def run_json(report: ReplayReport) -> str:
    """The same as one JSON document."""
    return _dump(
        "apply",
        {
            "consumer": _text(report.consumer),
            "written": report.mode or None,
            "replica": _text(report.replica) or None,
            "files": [_text(name) for name in report.files],
            "applied": sum(report.applied.values()),
            "kinds": dict(report.applied),
            "done": report.done,
            "others": report.others,
            "refused": list(map(_brief_json, report.refused)),
            "earlier": list(map(_brief_json, report.earlier)),
            "settled": report.settled,
            "rejects": _text(report.rejects) or None,
            "broken": list(map(_brief_json, report.broken)),
            "unfinished": list(map(_place_json, report.unfinished)),
            "last": str(report.last) if report.last else None,
            "checks": _checks_json(report.checks),
            "notes": [_text(note) for note in report.notes],
        },
    )


# -- a dry run ----------------------------------------


def plan_text(records: Iterable[tuple[Place, Record]]) -> Iterator[str]:
    """What would be sent, record by record, for reading: LDIF in looks only."""
    count = 0
    for place, record in records:
        count += 1
        yield "".join(f"{line}\n" for line in [f"# {printable(str(place))}", *_record(record), ""])
    yield f"# {counted(count, 'change')} would be sent\n"


def _record(record: Record) -> Iterator[str]:
    yield f"dn: {printable(record.dn)}"
    yield f"changetype: {record.kind}"
    match record.change:
        case Add(pairs):
            for name, value in pairs:
                yield f"{name}: {_shown(name, value)}"
        case Modify(mods):
            for mod in mods:
                yield f"{mod.how}: {mod.name}"
                for value in mod.values:
                    yield f"{mod.name}: {_shown(mod.name, value)}"
                yield "-"
        case Rename(rdn, delete_old, superior):
            yield f"newrdn: {printable(rdn)}"
            yield f"deleteoldrdn: {int(delete_old)}"
            if superior is not None:
                yield f"newsuperior: {printable(superior)}"


def _shown(name: str, value: bytes) -> str:
    if is_secret(name):
        return STARS
    text = shown(name, value)
    return text[1:-1] if text.startswith('"') else f"({text})"


def plan_json(records: Iterable[tuple[Place, Record]]) -> str:
    """The same in short, as one JSON document."""
    return _dump(
        "dry-run",
        {
            "changes": [
                {**_place_json(place), "kind": record.kind, "dn": _text(record.dn), "time": str(record.when)}
                for place, record in records
            ]
        },
    )


# -- parts ----------------------------------------


def _briefs(records: tuple[Brief, ...], limit: int, reason: bool = True) -> list[str]:
    lines = []
    for one in records[: limit or None]:
        why = f": {printable(one.reason)}" if reason else ""
        lines.append(f"    {printable(str(one.place))}  {one.kind}  {printable(one.dn)}{why}")
    if limit and len(records) > limit:
        lines.append(f"    … and {len(records) - limit:,} more (--limit 0 shows all)")
    return lines


def _trouble(broken: tuple[Brief, ...], unfinished: tuple[Place, ...], limit: int) -> list[str]:
    lines = []
    if broken:
        lines.append(f"BROKEN, not applied: {len(broken):,}")
        lines += [f"    {printable(str(one.place))}: {printable(one.reason)}" for one in broken[: limit or None]]
        if limit and len(broken) > limit:
            lines.append(f"    … and {len(broken) - limit:,} more (--limit 0 shows all)")
    for place in unfinished:
        lines.append(f"UNFINISHED: the record at {printable(str(place))} has no empty line after it yet; it waits.")
        lines.append("    --whole takes it, when nobody writes that file any more.")
    return lines


def _checks(checks: tuple[Check, ...] | None, limit: int) -> list[str]:
    if checks is None:
        return []
    unequal = [one for one in checks if not one.standing.settled]
    equal = sum(one.standing is Standing.EQUAL for one in checks)
    gone = len(checks) - equal - len(unequal)
    word = f"STILL DIFFERENT: {len(unequal):,} of" if unequal else "EQUAL NOW:"
    lines = [f"{word} {len(checks):,} DNs ({equal:,} equal on both servers, {gone:,} on neither)"]
    for one in unequal[: limit or None]:
        lines.append(f"    {_SIGIL[one.standing]} {printable(one.dn)}  ({_MEANING[one.standing]})")
        for attribute in one.attributes:
            name = printable(attribute.name)
            lines.append(f"        {name}  provider: {_values(attribute.name, attribute.provider)}")
            lines.append(f"        {' ' * len(name)}  consumer: {_values(attribute.name, attribute.consumer)}")
    if limit and len(unequal) > limit:
        lines.append(f"    … and {len(unequal) - limit:,} more (--limit 0 shows all)")
    return lines


def _values(name: str, values: tuple[bytes, ...]) -> str:
    words = [shown(name, value, _VALUE_WIDTH) for value in values[:_VALUES_SHOWN]]
    more = len(values) - len(words)
    return (", ".join(words) + (f" and {more:,} more" if more else "")) or "(none)"


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))


def _span(records: tuple[Brief, ...], now: float) -> str:
    stamps = sorted((one.when for one in records if one.when), key=lambda when: when.seconds)
    return f"from {_moment(stamps[0], now)} to {_moment(stamps[-1], now)}" if stamps else ""


def _moment(when: When, now: float) -> str:
    try:
        stamp = datetime.fromtimestamp(when.seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"time {when}"
    ago = now - when.seconds
    return f"{stamp:%Y-%m-%d %H:%M:%S} UTC" + (f" ({duration.words(ago)} ago)" if ago >= 0 else "")


def _brief_json(one: Brief) -> dict[str, Any]:
    return {
        **_place_json(one.place),
        "kind": one.kind,
        "dn": _text(one.dn) or None,
        "time": str(one.when) if one.when else None,
        "reason": _text(one.reason),
    }


def _place_json(place: Place) -> dict[str, Any]:
    return {"file": _text(place.file), "line": place.line}


def _checks_json(checks: tuple[Check, ...] | None) -> list[dict[str, Any]] | None:
    if checks is None:
        return None
    return [
        {
            "dn": _text(one.dn),
            "standing": one.standing.value,
            "attributes": [_text(attribute.name) for attribute in one.attributes],
        }
        for one in checks
    ]


def _dump(action: str, document: Mapping[str, Any]) -> str:
    whole = {"schema": SCHEMA, "command": "replay", "action": action, **document}
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"


def _text(text: str) -> str:
    """Text without lone surrogates, which are no JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
