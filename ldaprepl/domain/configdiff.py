"""What of a configuration part is not in a live cn=config yet.

The part comes as LDIF change records, as `report.blueprint` writes them for ldapmodify; here the same records are held
against the entries that are there. slapd itself would refuse a second syncprov, index or limit, but takes a second
accesslog overlay and a second database of the same suffix without a word (2.5.13), so nothing is left to its refusals.

What is there already stays as it is, also where it has other values: somebody has chosen them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ldaprepl.domain import dn as names
from ldaprepl.domain.cnconfig import unnumbered
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import Record

_MODULE_ENDING: Final = re.compile(r"\.(la|so)$")
_DATABASE: Final = re.compile(r"olcDatabase=\{(-?\d+)\}", re.IGNORECASE)
_BUILT_OF: Final = {"olcmdbconfig": "back_mdb", "olcsyncprovconfig": "syncprov", "olcaccesslogconfig": "accesslog"}


@dataclass(frozen=True, slots=True)
class Modification:
    """One modification of an entry: `operation` is add or replace. Values of olcSyncrepl hold passwords."""

    operation: str
    name: str
    values: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One request: to modify the entry, or (`new`) to add it, when every modification is an add."""

    dn: str
    modifications: tuple[Modification, ...]
    new: bool = False


def missing(records: Iterable[Record], held: Sequence[Entry]) -> Iterator[ConfigChange]:
    """The changes that the records ask for and that are not there, in their order."""
    known = _Known(held)
    for record in records:
        pairs = [(name, value.decode("utf-8", "surrogateescape")) for name, value in record.pairs]
        kind, rest = pairs[0][1], pairs[1:]
        change = known.addition(record.dn, rest) if kind == "add" else known.modification(record.dn, rest)
        if change is not None:
            yield change


def directories(held: Iterable[Entry]) -> dict[str, str]:
    """Where the databases keep their files: folder to the suffix of its database."""
    return {
        folder.rstrip("/"): next(iter(entry.texts("olcSuffix")), "")
        for entry in held
        for folder in entry.texts("olcDbDirectory")
    }


def indexed(database: Entry) -> set[str]:
    """The attributes, in lower case, that have an equality index; a line without kinds has all of them."""
    found = set()
    for value in database.texts("olcDbIndex"):
        attributes, _, kinds = value.lower().replace('"', "").partition(" ")
        if not kinds.strip() or "eq" in re.split("[, ]+", kinds):
            found |= set(attributes.split(","))
    return found


def same_name(one: str, other: str) -> bool:
    """Whether two DNs are the same but for spelling: case and blanks do not count, no schema is known here."""
    return names.folded(one) == names.folded(other)


class _Known:
    """The live configuration, to be asked."""

    def __init__(self, held: Sequence[Entry]) -> None:
        self._held = held
        self._databases = _last_database(held)
        self._moved: dict[str, str] = {}  # a database in the records by DN, and the one that is there instead

    def addition(self, dn: str, pairs: list[tuple[str, str]]) -> ConfigChange | None:
        """What is left of the record of a new entry."""
        classes = {value.lower() for name, value in pairs if name == "objectClass"}
        if "olcmodulelist" in classes:
            return self._modules(dn, pairs)
        if "olcdatabaseconfig" in classes:
            suffix = next(value for name, value in pairs if name == "olcSuffix")
            there = self._database(suffix)
            if there is not None:
                self._moved[dn] = there.dn
                return None
            dn, pairs = self._numbered(dn, pairs)
        if "olcoverlayconfig" in classes:
            rdn, _, parent = dn.partition(",")
            dn = f"{rdn},{self._moved.get(parent, parent)}"
            overlay = self._overlay(dn)
            if overlay is not None:
                return self._lacking(overlay, _grouped(pairs))
        adds = tuple(Modification("add", name, values) for name, values in _grouped(pairs).items())
        return ConfigChange(dn, adds, new=True)

    def modification(self, dn: str, pairs: list[tuple[str, str]]) -> ConfigChange | None:
        """What is left of a modify record."""
        entry = self._entry(dn)
        left = []
        for operation, name, values in _modifications(pairs):
            if name == "olcDbIndex":
                there = {f"{attribute} eq" for attribute in indexed(entry)}
            else:
                there = set(map(_meaning, entry.texts(name)))
            new = tuple(value for value in values if _meaning(value) not in there)
            if new:
                left.append(Modification(operation, name, new))
        return ConfigChange(dn, tuple(left)) if left else None

    def _lacking(self, entry: Entry, wanted: dict[str, tuple[str, ...]]) -> ConfigChange | None:
        adds = tuple(
            Modification("add", name, values)
            for name, values in wanted.items()
            if name not in ("objectClass", "olcOverlay") and not entry.values(name)
        )
        return ConfigChange(entry.dn, adds) if adds else None

    def _modules(self, dn: str, pairs: list[tuple[str, str]]) -> ConfigChange | None:
        """Modules that are neither loaded nor at work already. They join a list that is there."""
        loaded = {_module(value) for entry in self._held for value in entry.texts("olcModuleLoad")}
        loaded |= {
            _BUILT_OF[kind] for entry in self._held for value in entry.texts("objectClass")
            if (kind := value.lower()) in _BUILT_OF
        }  # fmt: skip
        new = tuple(value for name, value in pairs if name == "olcModuleLoad" and _module(value) not in loaded)
        if not new:
            return None
        lists = [entry for entry in self._held if entry.values("olcModuleLoad")]
        if lists:
            return ConfigChange(lists[-1].dn, (Modification("add", "olcModuleLoad", new),))
        adds = [
            Modification("add", name, values) for name, values in _grouped(pairs).items() if name != "olcModuleLoad"
        ]
        return ConfigChange(dn, (*adds, Modification("add", "olcModuleLoad", new)), new=True)

    def _numbered(self, dn: str, pairs: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
        """A new database with the number behind the last one."""
        self._databases += 1
        name = f"{{{self._databases}}}{unnumbered(dn.partition(',')[0].partition('=')[2])}"
        self._moved[dn] = f"olcDatabase={name},cn=config"
        return self._moved[dn], [(key, name if key == "olcDatabase" else value) for key, value in pairs]

    def _entry(self, dn: str) -> Entry:
        """The entry, or one that holds nothing: slapd has the last word on what is not there."""
        return next((entry for entry in self._held if same_name(entry.dn, dn)), Entry(dn, {}))

    def _database(self, suffix: str) -> Entry | None:
        return next(
            (entry for entry in self._held for value in entry.texts("olcSuffix") if same_name(value, suffix)), None
        )

    def _overlay(self, dn: str) -> Entry | None:
        wanted = _overlay_name(dn)
        return next((entry for entry in self._held if _overlay_name(entry.dn) == wanted), None)


def _last_database(held: Iterable[Entry]) -> int:
    return max((int(found[1]) for entry in held if (found := _DATABASE.match(entry.dn))), default=0)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Values by name."""
    grouped: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        grouped[name] = (*grouped.get(name, ()), value)
    return grouped


def _modifications(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    operation, name, values = "", "", list[str]()
    for key, value in pairs:
        if key == "-":
            yield operation, name, tuple(values)
            operation = ""
        elif not operation:
            operation, name, values = key, value, []
        else:
            values.append(value)
    if operation:
        yield operation, name, tuple(values)


def _meaning(value: str) -> str:
    """A spelling to compare by: without number, quotes and doubled blanks; `dn.base` is what slapd makes of
    `dn.exact`."""
    text = " ".join(unnumbered(value).replace('"', "").split()).lower()
    return text.replace("dn.exact=", "dn.base=").replace(", ", ",")


def _module(value: str) -> str:
    """The name of a module without number, folder and ending."""
    return _MODULE_ENDING.sub("", unnumbered(value).rpartition("/")[2])


def _overlay_name(dn: str) -> str:
    """The DN of an overlay without its own number, to compare by; that of its database stays."""
    name, equals, rest = dn.partition("=")
    return names.folded(name + equals + unnumbered(rest))
