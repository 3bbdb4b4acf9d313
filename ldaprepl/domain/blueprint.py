"""Configuration of a server before it has a form: lines, overlays, databases, and why each of them is there.

One value, two texts: `report.blueprint` writes it for slapd.conf and for cn=config. Names are those of slapd.conf. A
word of a line is a text, or a pair for what is written `key=value` (`dn.exact="cn=x"`): the two forms quote
differently, so nothing here is quoted yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.secret import Secret

Word = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One directive: its name in slapd.conf, its words, and the reason that a reader would ask for."""

    name: str
    words: tuple[Word, ...]
    why: str = ""

    @classmethod
    def of(cls, name: str, *words: Word, why: str = "") -> Line:
        """The same without the brackets."""
        return cls(name, words, why)


@dataclass(frozen=True, slots=True)
class Overlay:
    """An overlay of a database with its own lines."""

    name: str
    lines: tuple[Line, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """One mdb database, or what is to be added to one that is there (`new` False).

    `lines` come before the stanzas, `after` behind them: slapd.conf is read from top to bottom, and updateref and
    multiprovider are refused before a stanza. `rootpw` is written as it stands.
    """

    suffix: str
    lines: tuple[Line, ...] = ()
    plans: tuple[ConsumerPlan, ...] = ()
    after: tuple[Line, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    rootpw: Secret | None = None
    new: bool = True


@dataclass(frozen=True, slots=True)
class Places:
    """Where the server keeps its files. An empty `modules`: everything is built in, nothing is loaded."""

    modules: str = "/usr/lib/ldap"
    schema: str = "/etc/ldap/schema"


@dataclass(frozen=True, slots=True)
class Schemas:
    """What the entries need: files that come with slapd, by name, definitions of the site's own (RFC 4512), and tagging
    options of attributes (slapd.conf(5), attributeoptions); none: slapd's own, which is lang-."""

    files: tuple[str, ...] = ("core", "cosine", "inetorgperson", "nis")
    attribute_types: tuple[str, ...] = ()
    object_classes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole server, or a part to be added to one. `heading` goes to the top, as comments."""

    heading: tuple[str, ...]
    databases: tuple[Database, ...]
    modules: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    schemas: Schemas = field(default_factory=Schemas)
    places: Places = field(default_factory=Places)

    @property
    def secret(self) -> bool:
        """Whether a password stands in it."""
        return any(
            database.rootpw or any(plan.stanza.credentials for plan in database.plans) for database in self.databases
        )
