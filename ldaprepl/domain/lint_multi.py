"""LR410 to LR419: several servers that take writes, and their server IDs.

Server IDs tell the writers apart. Where they are missing or doubled the servers agree with each other, by their
contextCSN, while their data differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final
from urllib.parse import urlsplit

from ldaprepl.domain.lint import Hit, Rule, Severity, per_consumer, per_database, per_source
from ldaprepl.domain.lint_source import MULTI, Database, Estate, Source, Spot, dn_key
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form

_V26 = Version(2, 6)
_PORTS: Final = {"ldap": 389, "ldaps": 636}


def _too_early(database: Database) -> Iterator[Hit]:
    if database.source.form is not Form.SLAPD_CONF or not database.consumes:
        return
    order = [setting.name for setting in database.section.settings]
    for setting in database.section.settings:
        if setting.name in MULTI and order.index(setting.name) < order.index("syncrepl"):
            if database.source.assumed:
                yield Hit(
                    database.source.at(setting.place),
                    f"{setting.name} stands before syncrepl: 2.4 to 2.6 refuse that, 2.7 takes it",
                    severity=Severity.WARNING,
                )
            elif database.source.version <= _V26:
                yield Hit(database.source.at(setting.place), f"{setting.name} stands before syncrepl")


def _no_server_id(database: Database) -> Iterator[Hit]:
    source = database.source
    if not database.multi or not database.consumes or source.server_ids:
        return
    refused = not source.assumed and source.version > _V26
    yield Hit(
        database.where(database.setting(*MULTI)),
        "several providers write here, and this server has no serverID",
        f"{source.line('serverid', '1')} (and another number on each of the others)".replace("serverid", "serverID"),
        "slapd 2.7 refuses it." if refused else "",
        Severity.ERROR if refused else None,
    )


def _zero(source: Source) -> Iterator[Hit]:
    if any(database.multi for database in source.databases):
        for setting, (number, _) in zip(source.top.all("serverid"), source.server_ids, strict=False):
            if number == 0:
                yield Hit(source.at(setting.place), "serverID 0 is the same as none")


def _doubled(estate: Estate) -> Iterator[Hit]:
    for source in estate.sources:
        seen: dict[int, str] = {}
        for setting, (number, url) in zip(source.top.all("serverid"), source.server_ids, strict=False):
            if number in seen and seen[number] != url:
                yield Hit(source.at(setting.place), f"serverID {number} is given to {seen[number]} and to {url}")
            seen.setdefault(number, url)
    for one, two in combinations(estate.sources, 2):
        both = {number for number, url in one.server_ids if not url} & {n for n, url in two.server_ids if not url}
        if both and _partners(one, two):
            number = both.pop()
            where = two.top.all("serverid")[0].place
            yield Hit(two.at(where), f"serverID {number} is also that of {one.name}")


def _partners(one: Source, two: Source) -> bool:
    """Whether both take writes for one naming context."""
    suffixes = [{dn_key(db.suffix) for db in source.databases if db.multi and db.suffix} for source in (one, two)]
    return bool(suffixes[0] & suffixes[1])


def _no_listener(source: Source) -> Iterator[Hit]:
    urls = [url for _, url in source.server_ids if url]
    if not source.listeners or not urls:
        return
    matching = [url for url in urls if url in source.listeners]
    if len(matching) != 1:
        number = "none" if not matching else f"{len(matching)}"
        yield Hit(
            source.at(source.top.all("serverid")[0].place),
            f"{number} of the serverID URLs {'is' if not matching else 'are'} among slapd's listeners"
            f" ({', '.join(source.listeners)})",
        )


def _own_listener(spot: Spot) -> Iterator[Hit]:
    provider = spot.text("provider")
    if not spot.database.multi and provider in spot.source.listeners and _whole(spot):
        yield Hit(spot.at("provider"), f"{provider} is a listener of this very server")


def _whole(spot: Spot) -> bool:
    return dn_key(spot.text("searchbase")) in {dn_key(suffix) for suffix in spot.database.section.suffixes}


def _myself(spot: Spot) -> Iterator[Hit]:
    if not spot.database.multi:
        return
    provider = spot.text("provider")
    own = [*spot.source.listeners, *(url for _, url in spot.source.server_ids if url)]
    for url in own:
        if provider != url and address(provider) == address(url):
            yield Hit(
                spot.at("provider"),
                f"{provider} and {url} are the same server, but not the same text",
                f"provider={url}",
            )
            return


def address(uri: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URI; what is no URI is its own scheme."""
    try:
        parts = urlsplit(uri)
        scheme = parts.scheme.lower()
        return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        return uri, "", 0


def _no_syncprov(database: Database) -> Iterator[Hit]:
    if database.multi and database.consumes and not database.provides:
        yield Hit(
            database.where(database.setting(*MULTI)),
            "several providers write here, and this one has no syncprov overlay",
            database.overlay_lines("syncprov", ("syncprov-checkpoint", "100 10")),
        )


def _both_read_only(estate: Estate) -> Iterator[Hit]:
    candidates = [
        database
        for source in estate.sources
        for database in source.databases
        if database.consumes and database.provides and not database.multi and not database.special
    ]
    for database in candidates:
        urls = [url for _, url in database.source.server_ids if url]
        named = len(urls) > 1 and any(stanza.provider in urls for stanza in database.section.stanzas)
        partner = any(
            other.source is not database.source
            and dn_key(other.suffix) == dn_key(database.suffix)
            and _providers(other) != _providers(database)
            for other in candidates
        )
        if named or partner:
            name = "mirrormode" if database.source.older_than(Version(2, 5, 0)) else "multiprovider"
            conf = database.source.form is Form.SLAPD_CONF
            yield Hit(
                database.source.at(database.section.all("syncrepl")[-1].place),
                "the partners copy from each other, but none of them takes writes",
                database.source.line(name, "on" if conf else "TRUE"),
            )


def _providers(database: Database) -> set[str]:
    return {stanza.provider for stanza in database.section.stanzas}


def _bad_server_ids(source: Source) -> Iterator[Hit]:
    settings = source.top.all("serverid")
    plain = [setting for setting, (_, url) in zip(settings, source.server_ids, strict=False) if not url]
    for setting, (number, _) in zip(settings, source.server_ids, strict=False):
        if number > 4095:
            yield Hit(source.at(setting.place), f"serverID {number} is more than 4095")
    if plain and len(settings) > 1:
        yield Hit(source.at(plain[-1].place), "a serverID without URL can only be the only one")


RULES: Final = (
    Rule(
        "LR410",
        Severity.ERROR,
        "multiprovider before syncrepl",
        '2.4 to 2.6 refuse it: "database is not a shadow".',
        "move the line below the last stanza of the database",
        per_database(_too_early),
    ),
    Rule(
        "LR411",
        Severity.DATA_LOSS,
        "several providers, no serverID",
        "All changes carry server ID 000. When two servers were written to while apart, the older change never reaches"
        " the other side, and both believe they are in step. 2.7 refuses it.",
        "serverID 1 on one server, 2 on the next, up to 4095",
        per_database(_no_server_id),
    ),
    Rule(
        "LR412",
        Severity.DATA_LOSS,
        "the same serverID on two servers",
        "Each takes the other's changes for its own and skips them: the data differs for good while contextCSN agrees.",
        "give every server that takes writes its own serverID",
        _doubled,
    ),
    Rule(
        "LR413",
        Severity.DATA_LOSS,
        "serverID 0 among several providers",
        "0 means a single provider. The changes of this server cannot be told from others without a serverID.",
        "serverID 1 to 4095",
        per_source(_zero),
    ),
    Rule(
        "LR414",
        Severity.ERROR,
        "serverID URLs that match no listener",
        'Exactly one of the URLs must be a listener of this server, letter by letter, else slapd stops: "no serverID /'
        ' URL match found".',
        "start slapd with -h and the same URL, or correct serverID",
        per_source(_no_listener),
    ),
    Rule(
        "LR415",
        Severity.DATA_LOSS,
        "the provider is the server itself",
        "slapd takes the stanza for that of its multi-provider partner and ignores it without a word. The database"
        " stays writable and copies nothing.",
        "give provider the address of the other server",
        per_consumer(_own_listener),
    ),
    Rule(
        "LR416",
        Severity.WARNING,
        "the own address in another spelling",
        "A server leaves out the stanza that names itself only when the text is that of its listener. Otherwise it"
        " copies from itself.",
        "write the URL exactly as in -h and serverID, without a / at the end",
        per_consumer(_myself),
    ),
    Rule(
        "LR417",
        Severity.ERROR,
        "a multi-provider server without syncprov",
        'Its partners get "got search entry without Sync State control" and copy nothing.',
        "overlay syncprov",
        per_database(_no_syncprov),
    ),
    Rule(
        "LR419",
        Severity.ERROR,
        "two servers copy from each other and refuse writes",
        "A database with a stanza is read-only. Both answer 53 (or a referral to the other) to every write.",
        "multiprovider on (2.4: mirrormode on), below the last stanza",
        _both_read_only,
    ),
    Rule(
        "LR451",
        Severity.ERROR,
        "serverID is out of range or mixed",
        "slapd refuses it: numbers go from 0 to 4095, and with more than one line each needs a URL.",
        "serverID 1 ldap://one.example.com",
        per_source(_bad_server_ids),
    ),
    Rule(
        "LR418",
        Severity.ERROR,
        "a consumer in the middle without syncprov",
        "The server has a contextCSN because it is a consumer itself, but it provides nothing: the third server gets"
        ' "got search entry without Sync State control".',
        "overlay syncprov",
    ),
)
