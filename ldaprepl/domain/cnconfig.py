"""cn=config: a tolerant reader for its LDIF and for slapd.d folders, and a strict writer of olcSyncrepl values.

Reading gives the same `Configuration` as slapd.conf does: `olcUpdateRef` becomes the setting `updateref`, overlay
entries follow the settings of their database, `{n}` prefixes order and vanish. The words of a value are split by the
rules of cn=config, which are not those of slapd.conf (`words.split_config`). Files come as text; nothing is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ldaprepl.domain import dn, ldif
from ldaprepl.domain.config import Configuration, Remark, RemarkKind, Section, SectionKind, Setting
from ldaprepl.domain.words import Form, Place, split_config

_PREFIX: Final = re.compile(r"^\{(-?\d+)\}")
_PRINTABLE: Final = re.compile(r"[ -~]*")

_OLC: Final[Mapping[str, str]] = {
    "access": "olcAccess",
    "attributeoptions": "olcAttributeOptions",
    "directory": "olcDbDirectory",
    "index": "olcDbIndex",
    "lastmod": "olcLastMod",
    "limits": "olcLimits",
    "logdb": "olcAccessLogDB",
    "logold": "olcAccessLogOld",
    "logops": "olcAccessLogOps",
    "logpurge": "olcAccessLogPurge",
    "logsuccess": "olcAccessLogSuccess",
    "maxsize": "olcDbMaxSize",
    "mirrormode": "olcMirrorMode",
    "moduleload": "olcModuleLoad",
    "multiprovider": "olcMultiProvider",
    "rootdn": "olcRootDN",
    "serverid": "olcServerID",
    "suffix": "olcSuffix",
    "syncrepl": "olcSyncrepl",
    "syncprov-checkpoint": "olcSpCheckpoint",
    "syncprov-nopresent": "olcSpNoPresent",
    "syncprov-reloadhint": "olcSpReloadHint",
    "syncprov-sessionlog": "olcSpSessionlog",
    "syncprov-sessionlog-source": "olcSpSessionlogSource",
    "updatedn": "olcUpdateDN",
    "updateref": "olcUpdateRef",
}
"""Settings of slapd.conf by their cn=config names; those of any other only begin with olc."""

_NAMES: Final[Mapping[str, str]] = {
    **{olc.lower(): setting for setting, olc in _OLC.items()},
    "olcmirrormode": "multiprovider",
    "olcmultimaster": "multiprovider",
}
"""The other way; one name for what was renamed twice."""

OVERLAYS: Final[Mapping[str, str]] = {"syncprov": "olcSyncProvConfig", "accesslog": "olcAccessLogConfig"}
"""Overlays by their object classes."""

_STRUCTURE: Final = frozenset({"objectclass", "cn", "olcdatabase", "olcoverlay", "olcbackend", "structuralobjectclass"})
_PASSWORDS: Final = frozenset({"rootpw"})
_SPLIT: Final = frozenset({"syncrepl", "limits", "index", "access", "serverid", "syncprov-checkpoint", "logpurge"})


def read(text: str, name: str, include: Callable[[str], str | None] | None = None) -> Configuration:
    """Read LDIF of cn=config (slapcat -n 0, a backup, an input of slapadd -n 0). `name` is the file's name for places.

    `include` gives the text of a file that an `include:` line names, or None; each file is read once. What it does not
    give is a remark. Raises ValueError with file and line when a text is not LDIF.
    """
    records: list[_Record] = []
    remarks: list[Remark] = []
    pending, seen = [(text, name)], {name}
    while pending:
        text, name = pending.pop(0)
        records += _records(text, name, "")
        for wanted, place in _includes(text, name):
            content = include(wanted) if include and wanted not in seen else None
            if content is not None:
                pending.append((content, wanted))
            elif wanted not in seen:
                remarks.append(Remark(RemarkKind.INCLUDE, place, f"includes {wanted}, which is not read here"))
            seen.add(wanted)
    return _build(records, remarks)


def read_folder(files: Mapping[str, str]) -> Configuration:
    """Read a slapd.d folder: path inside the folder (`cn=config/olcDatabase={1}mdb.ldif`) to text.

    slapd writes only the first RDN into each file; the rest of the DN is the path. Files that are not `.ldif` are left
    out; one that cannot be read is a remark.
    """
    records: list[_Record] = []
    remarks: list[Remark] = []
    for path in sorted(files):
        if not path.endswith(".ldif"):
            continue
        above = ",".join(reversed(path.split("/")[:-1]))
        try:
            records += _records(files[path], path, above)
        except ValueError as problem:
            remarks.append(Remark(RemarkKind.UNREADABLE, Place(path), str(problem)))
    return _build(records, remarks)


def from_entries(entries: Iterable[tuple[str, Mapping[str, Sequence[bytes]]]], source: str) -> Configuration:
    """The same from entries that were read over LDAP: DN and attributes. Places are `source DN`."""
    records = [
        _Record.of(
            name, Place(f"{source} {name}"), tuple((key, value) for key, values in attrs.items() for value in values)
        )
        for name, attrs in entries
    ]
    return _build(records, [])


def attribute(name: str, words: Sequence[str], index: int | None = None) -> str:
    """One attribute value of quoted words as LDIF lines, a word a line, with the newline at the end.

    `index` is the `{n}` prefix. The lines are folded with two blanks (one is the fold, one separates the words). What
    is not printable ASCII makes the value one base64 value (RFC 2849).
    """
    prefix = "" if index is None else f"{{{index}}}"
    value = prefix + " ".join(words)
    if not _PRINTABLE.fullmatch(value) or value[:1] in (" ", ":", "<") or value[-1:] == " ":
        return ldif.line(name, value)
    return f"{name}: {prefix}" + "\n  ".join(words) + "\n"


def olc(setting: str) -> str:
    """The cn=config name of a setting of slapd.conf."""
    return _OLC.get(setting.lower(), f"olc{setting}")


def unnumbered(value: str) -> str:
    """A value, or that of an RDN, without the `{n}` that orders it."""
    return _PREFIX.sub("", value)


def order(value: str) -> int:
    """The n of its `{n}`; 0 without. -1 is the frontend's."""
    found = _PREFIX.match(value)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class _Record:
    """One entry of the configuration: first RDN taken apart, the RDN above, attributes."""

    kind: str  # attribute type of the RDN: olcdatabase
    number: int  # its {n}; -1 is the frontend
    type: str  # its name: mdb
    rdn: str
    above: str
    place: Place
    pairs: tuple[tuple[str, bytes], ...] = field(repr=False)

    @classmethod
    def of(cls, name: str, place: Place, pairs: tuple[tuple[str, bytes], ...]) -> _Record:
        try:
            rdn, above = [*(part.lower() for part in dn.split(name)), "", ""][:2]
        except ValueError:
            rdn, above = name.lower(), ""
        kind, _, value = rdn.partition("=")
        return cls(kind.strip(), order(value), unnumbered(value), rdn, above, place, pairs)


def _build(records: list[_Record], remarks: Sequence[Remark]) -> Configuration:
    general: list[Setting] = []
    sections: list[Section] = []
    backends: list[Section] = []
    overlays = sorted((record for record in records if record.kind == "olcoverlay"), key=lambda record: record.number)
    databases = sorted((record for record in records if record.kind == "olcdatabase"), key=lambda record: record.number)
    for record in records:
        if record.kind == "olcbackend":
            backends.append(Section(SectionKind.BACKEND, record.type, record.place, tuple(_settings(record))))
        elif record.kind not in ("olcoverlay", "olcdatabase"):
            general += _settings(record)
    for database in databases:
        settings = list(_settings(database))
        for overlay in overlays:
            if overlay.above == database.rdn:
                settings += [Setting("overlay", (overlay.type,), overlay.place), *_settings(overlay)]
        sections.append(Section(SectionKind.DATABASE, database.type, database.place, tuple(settings)))
    place = records[0].place if records else Place("cn=config")
    top = Section(SectionKind.GLOBAL, "", place, tuple(general))
    return Configuration(Form.CN_CONFIG, (top, *backends, *sections), tuple(remarks))


def _settings(record: _Record) -> Iterator[Setting]:
    for attribute_name, value in record.pairs:
        lower = attribute_name.partition(";")[0].lower()
        if lower in _STRUCTURE or not lower.startswith("olc"):
            continue
        name = _NAMES.get(lower, lower.removeprefix("olc"))
        if lower not in _NAMES and lower.startswith("olcdb"):
            name = lower.removeprefix("olcdb")
        text = value.decode("utf-8", "surrogateescape")
        if name not in _PASSWORDS:
            text = unnumbered(text)
        # as in config_parse_vals: a value of one word is split only when it begins with a quote
        split = name in _SPLIT or text.startswith('"')
        words = tuple(word.text for word in split_config(text)) if split else (text,)
        yield Setting(name, words, record.place)


def _records(text: str, name: str, above: str) -> Iterator[_Record]:
    lines = ["" if line.lower().startswith("include:") else line for line in text.split("\n")]
    try:
        for record in ldif.records(lines):
            whole = f"{record.dn},{above}" if above and not record.dn.lower().endswith("cn=config") else record.dn
            yield _Record.of(whole, Place(name, record.line), record.pairs)
    except ValueError as problem:
        raise ValueError(f"{name}: {problem}") from problem


def _includes(text: str, name: str) -> Iterator[tuple[str, Place]]:
    """The file names of the include: lines (file: URLs, slapadd(8)) and where they stand."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lower().startswith("include:"):
            yield line.partition(":")[2].strip().removeprefix("file://"), Place(name, number)
