"""What `verify` remembers from run to run: one JSON file for all its pairs, written beside its place and renamed.

It holds which entries were wrong and how (names of attributes, never values), and what was proven up to where. It is
readable for its owner alone, because DNs are personal data. A pair is remembered for exactly what was compared (scope,
identities, manner): when that changes it is forgotten. A file that cannot be understood counts as empty, which costs a
comparison of everything; the caller is told. Locking is `lock.locked`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.memory import NOTHING, Recollection
from ldaprepl.domain.proof import Mark, Proof
from ldaprepl.domain.verdict import AttributeDifference, Finding, Kind, State
from ldaprepl.wire.lock import replace, unusable

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class PairKey:
    """`pair` names the servers and bases, `binding` all that a comparison of them depends on."""

    pair: Mapping[str, str]
    binding: Mapping[str, str]

    @property
    def name(self) -> str:
        """Under which it is remembered."""
        return _digest(self.pair)

    @property
    def bound(self) -> str:
        """What the memory is good for."""
        return _digest(self.binding)


class VerifyState:
    """An open state file; `locked` is held around it. `notes` say what was lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pairs: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []
        text = _read(path)
        if text is None:
            return
        try:
            document = json.loads(text)
            if document["schema"] != _SCHEMA or document["command"] != "verify":
                raise ValueError("another file")
            self._pairs = {str(name): dict(pair) for name, pair in document["pairs"].items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            self.notes.append(f"{path} could not be understood; beginning anew")

    def recall(self, key: PairKey) -> Recollection:
        """What is remembered of this pair; nothing of another comparison."""
        held = self._pairs.get(key.name)
        if held is None:
            return NOTHING
        if held.get("binding") != key.bound:
            self._note(f"what is remembered of {key.pair['consumer']} is of another scope, identity or manner")
            return NOTHING
        try:
            findings = tuple(map(_finding, held["findings"]))
            return Recollection(findings, _proof(held["proof"]), bool(held["trouble"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            self._note(f"what is remembered of {key.pair['consumer']} could not be understood; beginning anew")
            return NOTHING

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def keep(self, key: PairKey, what: Recollection) -> None:
        """Remember this from the next `save` on."""
        self._pairs[key.name] = {
            **key.pair,
            "binding": key.bound,
            "trouble": what.trouble,
            "proof": None if what.proof is None else _written_proof(what.proof),
            "findings": [_written_finding(finding) for finding in what.findings],
        }

    def save(self) -> None:
        """Replace the file. Raises `LdapreplError`."""
        document = {"schema": _SCHEMA, "command": "verify", "pairs": self._pairs}
        replace(self._path, json.dumps(document, indent=1) + "\n")


def _read(path: Path) -> str | None:
    """The text; None for no file. What is no ASCII will not be understood."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(path, error) from None


def _digest(words: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(sorted(words.items()))).encode()).hexdigest()[:32]


# -- values as JSON ----------------------------------------------------------------------------------------------------


def _written_finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "state": finding.state.value,
        "dn": finding.dn,
        "consumer_dn": finding.consumer_dn,
        "uuid": finding.uuid,
        "attributes": [attribute.name for attribute in finding.attributes],
    }


def _finding(held: Mapping[str, Any]) -> Finding:
    names = [str(name) for name in held["attributes"]]
    return Finding(
        Kind(held["kind"]),
        str(held["dn"]),
        str(held["consumer_dn"]),
        str(held["uuid"]),
        State(held["state"]),
        tuple(AttributeDifference(name, (), ()) for name in names),
    )


def _written_proof(proof: Proof) -> dict[str, Any]:
    return {
        "provider": _written_mark(proof.provider),
        "consumer": _written_mark(proof.consumer),
        "at": proof.at.isoformat(),
        "full": proof.full.isoformat(),
        "offset": proof.offset,
        "unstamped": proof.unstamped,
    }


def _proof(held: Mapping[str, Any] | None) -> Proof | None:
    if held is None:
        return None
    offset = held["offset"]
    return Proof(
        _mark(held["provider"]),
        _mark(held["consumer"]),
        _moment(held["at"]),
        _moment(held["full"]),
        None if offset is None else int(offset),
        int(held["unstamped"]),
    )


def _written_mark(mark: Mark) -> dict[str, Any]:
    return {"csns": mark.csns.texts(), "started": mark.started, "schema": mark.schema, "by_csn": mark.by_csn}


def _mark(held: Mapping[str, Any]) -> Mark:
    csns = CsnSet.parse([str(text) for text in held["csns"]])
    return Mark(csns, str(held["started"]), str(held["schema"]), bool(held["by_csn"]))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment
