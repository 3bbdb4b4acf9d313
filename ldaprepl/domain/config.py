"""A server's configuration as both forms have it in common: sections, settings, places.

`slapdconf` reads it from slapd.conf, `cnconfig` from cn=config. Settings have the names of slapd.conf in lower case
(`olcUpdateRef` is `updateref` here), so that whoever judges a configuration judges both forms with one rule. Nothing is
thrown away: settings that nobody here knows stay, in order, and what the reader stumbled over is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.words import Form, Place


class SectionKind(StrEnum):
    """What a section configures."""

    GLOBAL = "global"
    BACKEND = "backend"
    DATABASE = "database"


class RemarkKind(StrEnum):
    """What a reader stumbled over."""

    COMMENT_SWALLOWS = "comment-swallows"  # a comment with indented lines after it: they belong to it
    GLUED = "glued"  # a backslash at the end of a line joined two words
    OPEN_QUOTE = "open-quote"
    INCLUDE = "include"  # could not be read, or includes itself
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about the text itself. `text` is a sentence without the content of the line: it may hold a password."""

    kind: RemarkKind
    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One directive or one attribute value: its name in slapd.conf's spelling (lower case) and its words, unquoted."""

    name: str
    words: tuple[str, ...] = field(repr=False)
    place: Place
    word_places: tuple[Place, ...] = field(default=(), repr=False, compare=False)

    @property
    def value(self) -> str:
        """The words joined by blanks."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Section:
    """The global part, a backend or a database; `type` is mdb, config, monitor, frontend ...

    Overlays are settings named `overlay`; what configures them follows them.
    """

    kind: SectionKind
    type: str
    place: Place
    settings: tuple[Setting, ...] = ()

    def all(self, name: str) -> tuple[Setting, ...]:
        """Every setting of that name, in order."""
        return tuple(setting for setting in self.settings if setting.name == name)

    def first(self, name: str) -> str:
        """The first word of the first setting of that name, or empty."""
        found = self.all(name)
        return found[0].words[0] if found and found[0].words else ""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The naming contexts of a database."""
        return tuple(word for setting in self.all("suffix") for word in setting.words)

    @property
    def overlays(self) -> tuple[str, ...]:
        """Names of its overlays, in order."""
        return tuple(setting.words[0].lower() for setting in self.all("overlay") if setting.words)

    @property
    def stanzas(self) -> tuple[Stanza, ...]:
        """Its syncrepl stanzas, each parameter with its place."""
        return tuple(_stanza(setting) for setting in self.all("syncrepl"))


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that was read, in order."""

    form: Form
    sections: tuple[Section, ...]
    remarks: tuple[Remark, ...] = ()

    @property
    def databases(self) -> tuple[Section, ...]:
        """The databases, special ones (config, monitor, frontend) too."""
        return tuple(section for section in self.sections if section.kind is SectionKind.DATABASE)

    @property
    def stanzas(self) -> Iterator[tuple[Section, Stanza]]:
        """Every stanza of the server with the section it stands in (a wrong one is possible in slapd.conf)."""
        return ((section, stanza) for section in self.sections for stanza in section.stanzas)


def _stanza(setting: Setting) -> Stanza:
    places = setting.word_places or (setting.place,) * len(setting.words)
    return Stanza.from_words(zip(setting.words, places, strict=True), setting.place)
