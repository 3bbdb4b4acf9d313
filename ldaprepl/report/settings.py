"""`config show` as text and as JSON: every value in force, and where it came from.

Passwords are stars before they get here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ldaprepl.report.values import printable


class Row(NamedTuple):
    """One value: `origin` is file:line, an option, a variable, or `default`."""

    key: str
    value: str
    origin: str


class Section(NamedTuple):
    """One replica or stanza; `servers` are role and rows of each."""

    name: str
    rows: tuple[Row, ...]
    servers: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()


def render_text(file: str, sections: Sequence[Section]) -> str:
    """Blocks of three columns, as wide as they must be."""
    lines = [f"configuration file: {printable(file) or 'none'}"]
    for section in sections:
        lines += ["", f"[{printable(section.name) or 'options'}]"]
        if section.problem:
            lines.append(f"  problem: {printable(section.problem)}")
        lines += _block(section.rows)
        for role, rows in section.servers:
            lines += [f"  {role}", *(f"  {line}" for line in _block(rows))]
        lines += [f"  note: {printable(note)}" for note in section.notes]
    return "\n".join(lines) + "\n"


def _block(rows: Sequence[Row]) -> list[str]:
    shown = [(row.key, printable(row.value), printable(row.origin)) for row in rows]
    first = max((len(row[0]) for row in shown), default=0)
    second = min(max((len(row[1]) for row in shown), default=0), 60)
    return [f"  {key:<{first}}  {value:<{second}}  {origin}".rstrip() for key, value, origin in shown]


def render_json(file: str, sections: Sequence[Section]) -> str:
    """One document with a final newline."""
    document = {
        "schema": 1,
        "command": "config show",
        "file": file or None,
        "replicas": [_section(section) for section in sections],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.name or None,
        "problem": section.problem or None,
        "settings": [_row(row) for row in section.rows],
        "servers": [{"role": role, "settings": [_row(row) for row in rows]} for role, rows in section.servers],
        "notes": list(section.notes),
    }


def _row(row: Row) -> dict[str, str]:
    return {"key": row.key, "value": printable(row.value), "origin": printable(row.origin)}
