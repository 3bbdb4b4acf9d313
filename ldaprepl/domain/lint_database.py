"""LR401 to LR422: the database around the stanza, in each file by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.config import SectionKind, Setting
from ldaprepl.domain.lint import Hit, Rule, Severity, per_consumer, per_database, per_source, per_stanza
from ldaprepl.domain.lint_source import Database, Source, Spot, dn_key
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form

_V23, _V24, _V26 = Version(2, 3), Version(2, 4), Version(2, 6)
_REPLICATED: Final = ("mdb", "bdb", "hdb", "ldbm", "wt", "ldif")
_LDAP_URL: Final = re.compile(r"ldap[si]?://[^/?]*/?(?P<rest>.*)", re.IGNORECASE)
_NEEDED: Final = ("entryCSN", "entryUUID")


def _rootdn(spot: Spot) -> Iterator[Hit]:
    database = spot.database
    if database.special or spot.version < Version(2, 3, 0):
        return
    found = database.section.all("rootdn")
    cure = spot.source.line("rootdn", _admin(database))
    if not found:
        yield Hit(spot.place, f"the database of {spot.label} has no rootdn", cure)
    elif spot.source.form is Form.SLAPD_CONF and _after(database, found[0], spot):
        yield Hit(spot.source.at(found[0].place), f"rootdn stands after {spot.label}", f"move it up: {cure}")


def _admin(database: Database) -> str:
    held = database.section.first("rootdn")
    name = held or f"cn=admin,{database.suffix or 'dc=example,dc=com'}"
    return f'"{name}"' if database.source.form is Form.SLAPD_CONF else name


def _after(database: Database, setting: Setting, spot: Spot) -> bool:
    """Whether a setting comes after the stanza in its slapd.conf."""
    order = list(database.section.settings)
    stanza = next((each for each in order if each.name == "syncrepl" and each.place == spot.stanza.place), None)
    return stanza is not None and order.index(setting) > order.index(stanza)


def _no_database(spot: Spot) -> Iterator[Hit]:
    section = spot.database.section
    if section.kind is not SectionKind.DATABASE or section.type in ("frontend", "monitor"):
        where = "before any database line" if section.kind is SectionKind.GLOBAL else f"in a {section.type} section"
        yield Hit(spot.place, f"{spot.label} stands {where}")


def _updateref_first(spot: Spot) -> Iterator[Hit]:
    if spot.source.form is not Form.SLAPD_CONF:
        return
    first = spot.database.section.all("syncrepl")[0].place
    if first != spot.stanza.place:
        return
    for setting in spot.database.section.all("updateref"):
        if not _after(spot.database, setting, spot):
            yield Hit(spot.source.at(setting.place), f"updateref stands before {spot.label}")


def _no_updateref(database: Database) -> Iterator[Hit]:
    if not database.consumes or database.special or database.multi or database.section.all("updateref"):
        return
    provider = database.section.stanzas[0].provider or "ldap://provider.example.com"
    yield Hit(
        database.source.at(database.section.all("syncrepl")[-1].place),
        "there is no updateref",
        database.source.line("updateref", provider),
    )


def _bad_updateref(database: Database) -> Iterator[Hit]:
    for setting in database.section.all("updateref"):
        url = setting.value
        found = _LDAP_URL.fullmatch(url)
        if found is None:
            yield Hit(
                database.source.at(setting.place),
                f"updateref {url!r} is no LDAP URL",
                database.source.line("updateref", f"ldap://{url}"),
                "slapd takes it and clients get a referral that leads nowhere.",
                Severity.WARNING,
            )
        elif found["rest"]:
            plain = url[: found.start("rest")].rstrip("/")
            yield Hit(
                database.source.at(setting.place),
                f"updateref {url!r} has more than a server in it",
                database.source.line("updateref", plain),
            )


def _updatedn(database: Database) -> Iterator[Hit]:
    if database.consumes:
        for setting in database.section.all("updatedn"):
            yield Hit(database.source.at(setting.place), "updatedn in a database that has a syncrepl stanza")


def _slurpd(source: Source) -> Iterator[Hit]:
    if source.version <= _V23:
        return
    for section in source.configuration.sections:
        for name in ("replica", "replogfile", "replicationinterval", "replica-pidfile", "replica-argsfile"):
            for setting in section.all(name):
                yield Hit(source.at(setting.place), f"{setting.name} was for slurpd")


def _several(database: Database) -> Iterator[Hit]:
    stanzas = database.section.all("syncrepl")
    if len(stanzas) > 1 and database.source.version <= _V23:
        yield Hit(
            database.source.at(stanzas[1].place),
            f"{database.source.version.branch} takes one stanza for each database, here are {len(stanzas)}",
        )


def _no_index(database: Database) -> Iterator[Hit]:
    if not database.consumes or database.section.type not in _REPLICATED:
        return
    held = indexed(database)
    missing = [name for name in _NEEDED if not {"eq", "default"} & held.get(name.lower(), set())]
    if missing:
        yield Hit(
            database.place,
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not indexed",
            database.source.line("index", f"{','.join(missing)} eq"),
        )


def indexed(database: Database) -> dict[str, set[str]]:
    """Kinds of index by attribute, in lower case; `default` where the kinds are those of `index default`."""
    found: dict[str, set[str]] = {}
    for setting in database.section.all("index"):
        if setting.words:
            kinds = {kind.lower() for word in setting.words[1:] for kind in word.split(",") if kind} or {"default"}
            for name in setting.words[0].split(","):
                found.setdefault(name.lower(), set()).update(kinds)
    default = found.get("default", set())
    return {name: kinds | default if "default" in kinds else kinds for name, kinds in found.items()}


def _sub_index(database: Database) -> Iterator[Hit]:
    for setting in database.section.all("index"):
        names = [name for name in (setting.words[0].split(",") if setting.words else ()) if name.lower() in
                 ("entryuuid", "entrycsn")]  # fmt: skip
        kinds = [kind.lower() for word in setting.words[1:] for kind in word.split(",")]
        wrong = [kind for kind in kinds if kind.startswith(("sub", "approx"))]
        if names and wrong:
            yield Hit(
                database.source.at(setting.place),
                f"a {wrong[0]} index on {' and '.join(names)}",
                database.source.line("index", f"{','.join(names)} eq"),
            )


def _maxsize(database: Database) -> Iterator[Hit]:
    takes_part = database.consumes or database.provides or is_log(database)
    if takes_part and database.section.type == "mdb" and not database.section.all("maxsize"):
        yield Hit(
            database.place, "an mdb database without maxsize holds 10 MiB", database.source.line("maxsize", _SIZE)
        )


_SIZE: Final = "1073741824"


def is_log(database: Database) -> bool:
    """Whether an accesslog overlay of the same server writes into it."""
    return bool(database.suffix) and any(
        other.logs and dn_key(other.logs) == dn_key(database.suffix) for other in database.source.databases
    )


def _alone(spot: Spot) -> Iterator[Hit]:
    if spot.source.fragment:
        yield Hit(spot.place, "this is a stanza by itself; the database it belongs to was not given")


def _wrong_keyword(source: Source) -> Iterator[Hit]:
    for database in source.databases:
        for setting in database.section.settings:
            name = setting.name
            if source.form is Form.SLAPD_CONF and name == "multimaster":
                better = "mirrormode" if source.version <= _V24 else "multiprovider"
                yield Hit(source.at(setting.place), "no version knows multimaster", f"{better} on")
            elif name == "multiprovider" and source.version <= _V24 and _spelled(source, "multiprovider"):
                yield Hit(
                    source.at(setting.place),
                    f"multiprovider came with 2.5, the target is {source.version}",
                    source.line("mirrormode", "on" if source.form is Form.SLAPD_CONF else "TRUE"),
                )


def _spelled(source: Source, name: str) -> bool:
    """In cn=config both names are one setting; the text tells which was written."""
    if source.form is Form.SLAPD_CONF:
        return True
    return any(attribute.lower() == f"olc{name}" for _, record in source.records for attribute, _ in record.pairs)


RULES: Final = (
    Rule(
        "LR401",
        Severity.ERROR,
        "no rootdn before the stanza",
        '2.3 to 2.7 refuse it: "rootDN must be defined before syncrepl may be used". The rootdn is the identity that'
        " writes what arrives.",
        'rootdn "cn=admin,dc=example,dc=com"',
        per_consumer(_rootdn),
    ),
    Rule(
        "LR402",
        Severity.ERROR,
        "a stanza outside of a database",
        'slapd refuses it, often with words that lead astray: "rootDN must be defined before syncrepl may be used".',
        "move the stanza into the section of its database, after rootdn",
        per_consumer(_no_database),
    ),
    Rule(
        "LR403",
        Severity.ERROR,
        "updateref before syncrepl",
        'slapd refuses it: "must appear after syncrepl or updatedn".',
        "move updateref below the stanza",
        per_consumer(_updateref_first),
    ),
    Rule(
        "LR404",
        Severity.INFO,
        "no updateref",
        'Whoever writes to the consumer gets 53 "shadow context; no update referral" instead of the provider\'s'
        " address.",
        "updateref ldap://provider.example.com",
        per_database(_no_updateref),
    ),
    Rule(
        "LR405",
        Severity.ERROR,
        "updateref is not the URL of a server",
        "slapd refuses a URL with a DN in it.",
        "updateref ldap://provider.example.com",
        per_database(_bad_updateref),
    ),
    Rule(
        "LR406",
        Severity.ERROR,
        "updatedn beside syncrepl",
        'slapd refuses the second of the two: "already shadowed". updatedn is for consumers that something else fills'
        " (slurpd, or a program).",
        "remove updatedn",
        per_database(_updatedn),
    ),
    Rule(
        "LR407",
        Severity.WARNING,
        "what slurpd needed",
        "2.4 and later ignore it: nothing is pushed to that replica any more.",
        "remove it, and give the replica a syncrepl stanza (ldaprepl init-consumer writes one)",
        per_source(_slurpd),
    ),
    Rule(
        "LR408",
        Severity.ERROR,
        "several stanzas in one database",
        'slapd 2.2 and 2.3 refuse the second: "already shadowed".',
        "keep one, or upgrade",
        per_database(_several),
    ),
    Rule(
        "LR409",
        Severity.ERROR,
        "a multi-provider keyword that this version does not know",
        "slapd does not start; 2.2 and 2.3 ignore the word.",
        "multiprovider on",
        per_source(_wrong_keyword),
    ),
    Rule(
        "LR420",
        Severity.WARNING,
        "entryUUID or entryCSN is not indexed",
        "Every change that arrives is looked up by its entryUUID, which so reads the whole database.",
        "index entryUUID,entryCSN eq (then run slapindex)",
        per_database(_no_index),
    ),
    Rule(
        "LR421",
        Severity.ERROR,
        "a substring index on entryUUID or entryCSN",
        "slapd does not start: the syntax has no such index.",
        "index entryUUID,entryCSN eq",
        per_database(_sub_index),
    ),
    Rule(
        "LR422",
        Severity.ERROR,
        "an mdb database without maxsize",
        "mdb's own limit is 10 MiB. When it is full replication stops with MDB_MAP_FULL (80) and tries again for ever."
        " The space is only reserved: a large maxsize costs nothing.",
        f"maxsize {_SIZE}",
        per_database(_maxsize),
    ),
    Rule(
        "LR450",
        Severity.INFO,
        "a stanza by itself",
        "Around it slapd needs, in this order: rootdn, index entryUUID,entryCSN eq, the stanza, updateref; on mdb also"
        " maxsize; the provider's schema. At the provider: overlay syncprov (2.3 and later), limits without a size and"
        " read access, userPassword included, for the replica's DN. Without them at most 500 entries arrive, or none,"
        " or all but the passwords.",
        "lint the whole configuration, or have both sides written: ldaprepl init-consumer --full, and --for-provider",
        per_stanza(_alone),
    ),
)
