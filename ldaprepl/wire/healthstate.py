"""What `check` remembers from run to run: one small JSON file, written beside its place and renamed.

It holds what consumers owe (stamps) and the state last spoken of; no passwords, no entries. One run at a time (`lock`).
A file that cannot be understood counts as empty, because a check that needs an administrator after a full disk is worse
than one that has forgotten something; the caller is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ldaprepl.domain.alarm import Alarm
from ldaprepl.domain.csn import Csn
from ldaprepl.domain.health import Status
from ldaprepl.domain.judgement import Debt, Key
from ldaprepl.wire.lock import locked, replace, unusable

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last run knew. `damaged`: there was a file, and it could not be understood."""

    debts: Mapping[Key, Debt] = field(default_factory=dict)
    alarm: Alarm | None = None
    damaged: bool = False


def load(path: Path) -> Memory:
    """What was saved; empty when there is nothing yet. Raises `UsageError` when it may not be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Memory()
    except UnicodeDecodeError:
        return Memory(damaged=True)
    except OSError as error:
        raise unusable(path, error) from None
    try:
        document = json.loads(text)
        if document["schema"] != _SCHEMA:
            return Memory(damaged=True)
        debts = {(debt["server"], int(debt["sid"], 16)): _debt(debt) for debt in document["debts"]}
        return Memory(debts, _alarm(document["alarm"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Memory(damaged=True)


def save(path: Path, debts: Mapping[Key, Debt], alarm: Alarm) -> None:
    """Replace the file. Raises `LdapreplError`."""
    document = {
        "schema": _SCHEMA,
        "command": "check",
        "debts": [
            {"server": uri, "sid": f"{sid:03x}", "csn": debt.csn.raw, "since": debt.since.isoformat()}
            for (uri, sid), debt in debts.items()
        ],
        "alarm": {"what": list(alarm.what), "status": alarm.status.name, "since": alarm.since.isoformat()},
    }
    replace(path, json.dumps(document, indent=1) + "\n")


def _debt(saved: Mapping[str, Any]) -> Debt:
    return Debt(Csn.parse(saved["csn"]), _moment(saved["since"]))


def _alarm(saved: Mapping[str, Any] | None) -> Alarm | None:
    if saved is None:
        return None
    return Alarm(tuple(map(str, saved["what"])), Status[saved["status"]], _moment(saved["since"]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


__all__ = ["Memory", "load", "locked", "save"]
