"""`doctor`: servers side by side, topics down; stacked where the terminal is too narrow; cures below. And as JSON.

Plain ASCII marks, so that what is pasted into a question arrives as it was. A long word (a DN, a URI) is cut into lines
rather than let the columns slip.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any, Final

from ldaprepl.domain.doctor import Column, Diagnosis, Mark, Row, Topic
from ldaprepl.report.values import printable

SCHEMA: Final = 1
_NAMES: Final = {Topic.TLS: "TLS", Topic.CONTEXTCSN: "contextCSN"}
_COLOUR: Final = {Mark.OK: "32", Mark.WARN: "33", Mark.BAD: "31", Mark.UNKNOWN: "35"}
_WORDS: Final = {Mark.OK: "ok", Mark.WARN: "warn", Mark.BAD: "BAD", Mark.UNKNOWN: "-"}
_HEAD, _SIGN, _GAP = 12, 5, 2
_LEAST = 30  # a narrower column is no column


def render(diagnosis: Diagnosis, width: int = 80, *, colour: bool = False) -> str:
    """The table and the cures, in lines of at most `width` where words allow."""
    columns = diagnosis.columns
    room = (width - _HEAD - _GAP * (len(columns) - 1)) // max(1, len(columns))
    groups = [columns] if room >= _LEAST else [(column,) for column in columns]
    lines: list[str] = []
    for group in groups:
        room = max(_LEAST, (width - _HEAD - _GAP * (len(group) - 1)) // len(group))
        lines += [*_table(group, room, colour), ""]
    lines += _cures(diagnosis, width)
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(group: tuple[Column, ...], room: int, colour: bool) -> list[str]:
    heads = [[_role(column), *_cut(printable(column.facts.uri), room)] for column in group]
    bases = {column.facts.base for column in group if column.facts.base}
    lines = _beside("", heads, room)
    if bases:
        lines += _beside("base", [_cut(printable(column.facts.base) or "-", room) for column in group], room)
    for topic in Topic:
        rows = [next((row for row in column.rows if row.topic is topic), None) for column in group]
        if any(rows):
            cells = [_cell(row, room) for row in rows]
            lines += _beside(_NAMES.get(topic, topic.value), cells, room, rows if colour else None)
    return lines


def _role(column: Column) -> str:
    return "provider" if column.facts.provider else "consumer"


def _cell(row: Row | None, room: int) -> list[str]:
    if row is None:
        return [_WORDS[Mark.UNKNOWN]]
    words = _cut(printable(row.text), room - _SIGN)
    return [_WORDS[row.mark].ljust(_SIGN) + words[0], *(" " * _SIGN + line for line in words[1:])]


def _cut(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, break_on_hyphens=False) or [""]


def _beside(head: str, cells: list[list[str]], room: int, rows: list[Row | None] | None = None) -> list[str]:
    """Cells of several lines next to each other."""
    lines = []
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        shown = [part.ljust(room) for part in parts]
        if rows is not None and number == 0:
            shown = [_painted(text, row) for text, row in zip(shown, rows, strict=True)]
        lines.append((head.ljust(_HEAD) + (" " * _GAP).join(shown)).rstrip())
        head = ""
    return lines


def _painted(text: str, row: Row | None) -> str:
    if row is None:
        return text
    return f"\x1b[{_COLOUR[row.mark]}m{text[:_SIGN]}\x1b[0m{text[_SIGN:]}"


def _cures(diagnosis: Diagnosis, width: int) -> list[str]:
    lines = []
    for column in diagnosis.columns:
        for row in column.rows:
            if row.cure:
                name = _NAMES.get(row.topic, row.topic.value)
                text = f"{printable(column.facts.uri)}, {name}: {printable(row.cure)}"
                lines += textwrap.wrap(text, max(_LEAST, width), subsequent_indent="    ", break_on_hyphens=False,
                                       break_long_words=False)  # fmt: skip
    return ["What to do:", *lines] if lines else ["Nothing to do."]


def render_json(diagnosis: Diagnosis) -> str:
    """The same as one JSON document with a final newline."""
    document = {
        "schema": SCHEMA,
        "command": "doctor",
        "status": diagnosis.mark.value,
        "time": diagnosis.at.isoformat(timespec="seconds"),
        "servers": [_server(column) for column in diagnosis.columns],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _server(column: Column) -> dict[str, Any]:
    facts, profile = column.facts, column.facts.profile
    server = profile.server if profile else None
    return {
        "uri": _text(facts.uri),
        "role": _role(column),
        "status": column.mark.value,
        "base": _text(facts.base),
        "vendor": _text(server.vendor) if server else None,
        "version": str(server.version) if server and server.version else None,
        "certainty": server.certainty.value if server else None,
        "tls": facts.channel.protocol or None,
        "certificate_names": [_text(name) for name in facts.channel.names],
        "certificate_end": facts.channel.end.isoformat() if facts.channel.end else None,
        "identity": None if facts.whoami is None else _text(facts.whoami),
        "entries": profile.entries if profile else None,
        "writes": facts.writes.value,
        "contextcsn": facts.csns.texts(),
        "clock_skew_seconds": None if facts.vitals.skew is None else round(facts.vitals.skew, 3),
        "rows": [
            {"topic": row.topic.value, "mark": row.mark.value, "text": _text(row.text), "cure": _text(row.cure)}
            for row in column.rows
        ],
    }


def _text(text: str) -> str:
    """Text without lone surrogates, which are no JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
