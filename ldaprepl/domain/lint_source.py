"""What the linter looks at: sources, their databases, their stanzas as they were meant, and who feeds whom.

Everything here is derived from a `Configuration` and the text it came from. Comparisons of DNs are lenient (case,
blanks, the usual aliases), because a linter must not cry over two spellings of one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from ldaprepl.domain import ldif
from ldaprepl.domain.cnconfig import OVERLAYS, olc
from ldaprepl.domain.config import Configuration, Section, SectionKind, Setting
from ldaprepl.domain.lint_mend import Note, Stray, mend, strays
from ldaprepl.domain.lint_places import located
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, Place

_IGNORE_CASE: Final = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )"
_NAMES: Final = Schema.parse(
    f"( {oid} NAME ( {' '.join(repr(name) for name in names.split())} ) {_IGNORE_CASE}"
    for oid, names in (
        ("2.5.4.3", "cn commonName"), ("2.5.4.4", "sn surname"), ("2.5.4.6", "c countryName"),
        ("2.5.4.7", "l localityName"), ("2.5.4.8", "st stateOrProvinceName"), ("2.5.4.9", "street streetAddress"),
        ("2.5.4.10", "o organizationName"), ("2.5.4.11", "ou organizationalUnitName"), ("2.5.4.12", "title"),
        ("0.9.2342.19200300.100.1.1", "uid userid"), ("0.9.2342.19200300.100.1.25", "dc domainComponent"),
        ("1.2.840.113549.1.9.1", "email emailAddress pkcs9email"), ("0.9.2342.19200300.100.1.3", "mail rfc822Mailbox"),
    )
)  # fmt: skip


def dn_key(dn: str) -> bytes:
    """The same bytes for every usual spelling of one DN."""
    return _NAMES.dn_key(dn.strip().lower())


def below(dn: str, base: str) -> bool:
    """Whether `dn` is `base` or below it, spelled however."""
    return _NAMES.is_below(dn.strip().lower(), base.strip().lower())


@dataclass(frozen=True)
class Source:
    """One configuration that was given: a slapd.conf with its includes, a slapd.d folder, LDIF, or a live server.

    `texts` are the files by the names they have in places (empty for a live server); `folder` is put before those of a
    slapd.d. `assumed` means that nobody said which version it is for. `open_to` are files and who may read them beside
    their owner; `absent` are files that the configuration names and that are not there, though their folder is;
    `listeners` is what slapd gets with -h.
    """

    name: str
    configuration: Configuration
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: Version = Version.NEWEST
    assumed: bool = True
    folder: str = ""
    open_to: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    listeners: tuple[str, ...] = ()

    @property
    def form(self) -> Form:
        """slapd.conf or cn=config."""
        return self.configuration.form

    @property
    def live(self) -> bool:
        """Read over LDAP."""
        return not self.texts

    @cached_property
    def records(self) -> tuple[tuple[str, ldif.Record], ...]:
        """Every LDIF record with the name of its file; broken files are left out."""
        found = []
        for name, text in self.texts.items() if self.form is Form.CN_CONFIG else ():
            lines = ["" if line.lower().startswith("include:") else line for line in text.split("\n")]
            try:
                found += [(name, record) for record in ldif.records(lines)]
            except ValueError:
                continue
        return tuple(found)

    @cached_property
    def plan(self) -> bool:
        """LDIF of changes to a tree, not of a tree."""
        pairs = [pair for _, record in self.records for pair in record.pairs]
        return any(name.lower() == "changetype" and value.lower() != b"add" for name, value in pairs)

    @cached_property
    def fragment(self) -> bool:
        """A stanza by itself, without the database it belongs to."""
        if self.plan:
            return True
        sections = self.configuration.sections
        own = [setting for setting in sections[0].settings if not setting.name.partition("=")[1]]
        names = {setting.name for setting in own}
        return len(sections) == 1 and "syncrepl" in names and names <= {"syncrepl", "updateref"}

    @cached_property
    def strays(self) -> tuple[Stray, ...]:
        """Lines that were meant for a stanza."""
        if self.form is not Form.SLAPD_CONF:
            return ()
        return tuple(stray for name, text in self.texts.items() for stray in strays(text, name))

    @cached_property
    def top(self) -> Section:
        """The global part."""
        return self.configuration.sections[0]

    @cached_property
    def databases(self) -> tuple[Database, ...]:
        """Its databases, special ones too; none in a plan, which shows a part of them only."""
        return () if self.plan else tuple(Database(self, section) for section in self.configuration.databases)

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """Its stanzas, mended."""
        found = []
        counts: dict[Place | None, int] = {}
        for section, read in self.configuration.stanzas:
            stanza = read
            if self.form is Form.CN_CONFIG and read.place and read.place.name in self.texts:
                stanza = located(read, self.texts[read.place.name], counts.get(read.place, 0))
                counts[read.place] = counts.get(read.place, 0) + 1
            where = stanza.place or Place(self.name)
            mine = [each for each in self.strays if (each.note.place or where).name == where.name]
            mine = [each for each in mine if each.head == where.line]
            extra = [word for stray in mine for word in stray.words]
            meant, notes = mend(stanza, self.form, extra)
            found.append(Spot(Database(self, section), meant, stanza, (*(each.note for each in mine), *notes)))
        return tuple(found)

    @property
    def server_ids(self) -> tuple[tuple[int, str], ...]:
        """Every serverID with its URL (empty for a plain one); -1 for what is no number."""
        return tuple(
            (server_number(setting.words[0]), setting.words[1] if len(setting.words) > 1 else "")
            for setting in self.top.all("serverid")
            if setting.words
        )

    def at(self, place: Place | None) -> Place:
        """A place as reports show it."""
        if place is None:
            return Place(self.name)
        return Place(f"{self.folder}/{place.name}", place.line) if self.folder else place

    def line(self, setting: str, value: str) -> str:
        """One setting as a line to paste, in the source's own form."""
        if self.form is Form.SLAPD_CONF:
            return f"{setting} {value}"
        return f"{olc(setting)}: {value}"

    def older_than(self, version: Version) -> bool:
        """Known to be of an older release or branch."""
        return not self.assumed and self.version < version


@dataclass(frozen=True)
class Database:
    """A database (or, in a wrong slapd.conf, whatever section holds a stanza) in its source."""

    source: Source
    section: Section

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.source.at(self.section.place)

    @property
    def special(self) -> bool:
        """config, monitor, frontend: no replica of data."""
        return self.section.kind is not SectionKind.DATABASE or self.section.type in ("config", "monitor", "frontend")

    @property
    def suffix(self) -> str:
        """The first naming context, in no special spelling; cn=config for the configuration itself."""
        if self.section.type == "config":
            return "cn=config"
        return self.section.suffixes[0] if self.section.suffixes else ""

    @property
    def provides(self) -> bool:
        """Has the syncprov overlay."""
        return "syncprov" in self.section.overlays

    @property
    def consumes(self) -> bool:
        """Has a stanza."""
        return bool(self.section.all("syncrepl"))

    @property
    def multi(self) -> bool:
        """Several providers write here."""
        return any(_true(setting.value) for name in MULTI for setting in self.section.all(name))

    @property
    def logs(self) -> str:
        """Suffix of the log database that its accesslog overlay writes; empty when it has none."""
        return self.section.first("logdb") if "accesslog" in self.section.overlays else ""

    @property
    def dn(self) -> str:
        """Its DN in cn=config; empty when that is not known (slapd.conf)."""
        place = self.section.place
        for name, record in self.source.records:
            if (name, record.line) == (place.name, place.line):
                return record.dn if record.dn.lower().endswith("cn=config") else f"{record.dn},cn=config"
        return place.name.rpartition(" ")[2] if self.source.live else ""

    def holds(self, dn: str) -> bool:
        """Whether a DN belongs into it. A database without a suffix holds nothing."""
        suffixes = ("cn=config",) if self.section.type == "config" else self.section.suffixes
        return any(below(dn, suffix) for suffix in suffixes)

    def setting(self, *names: str) -> Setting | None:
        """The last setting of these names: the one that counts for most of them."""
        found = [setting for setting in self.section.settings if setting.name in names]
        return found[-1] if found else None

    def where(self, setting: Setting | None) -> Place:
        """Its place, or that of the database."""
        return self.source.at(setting.place) if setting else self.place

    def overlay(self, name: str) -> tuple[Setting, ...]:
        """The overlay's own settings: what follows it up to the next overlay."""
        found: list[Setting] = []
        inside = False
        for setting in self.section.settings:
            if setting.name == "overlay":
                inside = setting.value.lower() == name
            if inside:
                found.append(setting)
        return tuple(found)

    def overlay_lines(self, name: str, *settings: tuple[str, str]) -> str:
        """The overlay with its settings, to paste in the source's own form."""
        if self.source.form is Form.SLAPD_CONF:
            return "\n".join([f"overlay {name}", *(f"{key} {value}" for key, value in settings)])
        above = self.dn or f"olcDatabase={{n}}{self.section.type or 'mdb'},cn=config"
        head = [f"dn: olcOverlay={name},{above}", "objectClass: olcOverlayConfig", f"objectClass: {OVERLAYS[name]}"]
        return "\n".join([*head, f"olcOverlay: {name}", *(f"{olc(key)}: {value}" for key, value in settings)])


@dataclass(frozen=True)
class Spot:
    """A stanza as it was meant, in its place. `written` is the stanza as slapd sees it."""

    database: Database
    stanza: Stanza
    written: Stanza
    notes: tuple[Note, ...]

    @property
    def source(self) -> Source:
        """Where it was read."""
        return self.database.source

    @property
    def version(self) -> Version:
        """The version it is judged for."""
        return self.source.version

    @property
    def label(self) -> str:
        """Its name for people: rid=001."""
        rid = self.text("rid")
        return f"rid={rid}" if rid else "a stanza without rid"

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.source.at(self.stanza.place)

    @property
    def tls(self) -> bool:
        """Whether the connection is to be encrypted."""
        return self.text("provider").lower().startswith("ldaps:") or self.text("starttls").lower() in (
            "yes",
            "critical",
        )

    def text(self, name: str) -> str:
        """The value in effect; empty when absent, or a secret."""
        value = self.stanza.get(name)
        return value if isinstance(value, str) else ""

    def has(self, name: str) -> bool:
        """Whether the keyword is there at all."""
        return bool(self.stanza.all(name))

    def at(self, *names: str) -> Place:
        """The place of the last parameter of these names, or of the stanza."""
        for name in names:
            found = self.stanza.all(name)
            if found and found[-1].place:
                return self.source.at(found[-1].place)
        return self.place


@dataclass(frozen=True)
class Estate:
    """Everything that was given, together: some mistakes only show when provider and consumer are seen side by side."""

    sources: tuple[Source, ...]

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """Every stanza."""
        return tuple(spot for source in self.sources for spot in source.spots)

    def providers(self, spot: Spot) -> tuple[Database, ...]:
        """The databases that may be this stanza's provider: one of another source that holds its searchbase and is not
        a mere consumer; else, in a multi-provider set, the stanza's own one (its partner is configured alike).
        """
        base = spot.text("searchbase")
        others = [
            database
            for source in self.sources
            if source is not spot.source
            for database in source.databases
            if database.holds(base) and not database.special and (not database.consumes or database.provides)
        ]
        if others:
            return tuple(others) if len(others) == 1 else ()
        return (spot.database,) if spot.database.multi else ()

    def logs(self, spot: Spot) -> Iterator[Database]:
        """The log databases that a delta stanza reads, next to each of its providers."""
        base = spot.text("logbase")
        for provider in self.providers(spot):
            for database in provider.source.databases:
                if base and database.suffix and dn_key(database.suffix) == dn_key(base):
                    yield database


MULTI: Final = ("multiprovider", "mirrormode", "multimaster")


def server_number(text: str) -> int:
    """The number of a serverID as slapd 2.5.13 takes it: decimal, also with zeros in front, or 0x hexadecimal; -1 for
    what is none."""
    for base in (10, 0, 16):
        try:
            return int(text, base)
        except ValueError:
            continue
    return -1


def _true(text: str) -> bool:
    return text.lower() in ("on", "true", "yes", "1")
