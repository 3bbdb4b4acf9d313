"""LR601 and LR603 to LR607: may this consumer read what it wants from that provider?

Where a stanza and its provider were both given, the stanza's identity is known, and overlay, limits and access rules
are judged for it. Without a consumer only what no consumer could live with is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ldaprepl.domain.lint import Hit, Rule, Severity, per_database
from ldaprepl.domain.lint_access import UNLIMITED, may_read, size_limit, soft_size
from ldaprepl.domain.lint_source import Database, Estate, Spot
from ldaprepl.domain.plural import counted
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, quote_conf

_R23: Final = Version(2, 3, 0)


def each_pair(
    look: Callable[[Spot, Database, str], Iterator[Hit]],
) -> Callable[[Estate], Iterator[Hit]]:
    """A rule on a stanza, its provider's database, and the DN that it binds as (empty: anonymous).

    A SASL identity is mapped at the provider and so is not known here.
    """

    def check(estate: Estate) -> Iterator[Hit]:
        for spot in estate.spots:
            if spot.text("bindmethod").lower() != "sasl":
                identity = "" if spot.text("bindmethod").lower() == "none" else spot.text("binddn")
                for database in estate.providers(spot):
                    yield from look(spot, database, identity)

    return check


def limits_line(database: Database, identity: str) -> str:
    """The line that lifts all limits for one identity."""
    who = f"dn.exact={quote_conf(identity)}" if identity else "anonymous"
    return database.source.line("limits", f"{who} size=unlimited time=unlimited")


def access_line(database: Database, identity: str, what: str) -> str:
    """The access rule that lets one identity read, to stand above the others."""
    who = f"dn.exact={quote_conf(identity)}" if identity else "anonymous"
    zero = "" if database.source.form is Form.SLAPD_CONF else "{0}"
    return database.source.line("access", f"{zero}to {what} by {who} read by * break")


def _no_overlay(estate: Estate) -> Iterator[Hit]:
    seen = set()
    for spot in estate.spots:
        for database in estate.providers(spot):
            if database.provides or database.multi or database.source.version < _R23 or database.place in seen:
                continue
            seen.add(database.place)
            yield Hit(
                database.place,
                f"{spot.label} of {spot.source.name} copies from this database, which has no syncprov overlay",
                syncprov_lines(database),
            )


def syncprov_lines(database: Database) -> str:
    """The overlay as a provider of data needs it."""
    return database.overlay_lines("syncprov", ("syncprov-checkpoint", "100 10"), ("syncprov-sessionlog", "1000"))


def _cut(spot: Spot, database: Database, identity: str) -> Iterator[Hit]:
    size, setting = size_limit(database, identity)
    lifted = [each for each in database.section.all("limits") if soft_size(each.words[1:]) == UNLIMITED]
    hard_only = any(_hard_only(each.words[1:]) for each in database.section.all("limits"))
    if size is None or size == UNLIMITED or lifted or (hard_only and setting is None):
        return
    said = f"a search of {identity or 'anonymous'} ends after {counted(size)} here"
    yield Hit(
        database.where(setting), f"{said}, and {spot.label} reads as this identity", limits_line(database, identity)
    )


def _cut_all(estate: Estate) -> Iterator[Hit]:
    """A provider without its consumers: no limit is lifted for anybody."""
    known = {database.place for spot in estate.spots for database in estate.providers(spot)}
    for source in estate.sources:
        for database in source.databases:
            if not database.provides or database.place in known or database.special:
                continue
            wide = [each for each in database.section.all("limits") if soft_size(each.words[1:]) is not None]
            wide += [each for section in (database.section, source.top) for each in section.all("sizelimit")]
            if not wide and not any(_hard_only(each.words[1:]) for each in database.section.all("limits")):
                yield Hit(
                    database.place,
                    "no identity but the rootdn may read more than 500 entries from this provider",
                    limits_line(database, "cn=replica,dc=example,dc=com"),
                    severity=Severity.WARNING,
                )


def _hard_only(words: tuple[str, ...]) -> bool:
    hard = any(word.lower().startswith("size.hard=") for word in words)
    return hard and soft_size(words) is None


def _hard(database: Database) -> Iterator[Hit]:
    for setting in database.section.all("limits"):
        if _hard_only(setting.words[1:]) and database.provides:
            yield Hit(
                database.source.at(setting.place),
                "size.hard is lifted and the soft limit is not",
                database.source.line("limits", f"{_as_written(setting.words[0])} size=unlimited time=unlimited"),
            )


def _as_written(pattern: str) -> str:
    kind, equals, name = pattern.partition("=")
    return f"{kind}={quote_conf(name)}" if equals else pattern


def _other_limits(spot: Spot, database: Database, identity: str) -> Iterator[Hit]:
    size, _ = size_limit(database, identity)
    lifted = [each for each in database.section.all("limits") if soft_size(each.words[1:]) == UNLIMITED]
    if size is not None and size != UNLIMITED and lifted:
        yield Hit(
            database.source.at(lifted[0].place),
            f"the limit is lifted for {lifted[0].words[0]}, but {spot.label} reads as {identity or 'anonymous'}",
            limits_line(database, identity),
        )


def _blind(spot: Spot, database: Database, identity: str) -> Iterator[Hit]:
    wanted = {name.lower() for name in spot.stanza.attrs}
    if not {"*", "userpassword"} & wanted or "userpassword" in {name.lower() for name in spot.stanza.exattrs}:
        return
    if may_read(database, identity, "userPassword") is False and may_read(database, identity, "entry") is not False:
        yield Hit(
            database.where(database.setting("access")),
            f"{identity or 'anonymous'} may not read userPassword, and {spot.label} reads as this identity",
            access_line(database, identity, "attrs=userPassword"),
        )


def _hidden(spot: Spot, database: Database, identity: str) -> Iterator[Hit]:
    if may_read(database, identity, "entry") is False:
        yield Hit(
            database.where(database.setting("access")),
            f"{identity or 'anonymous'} may not read entries, and {spot.label} reads as this identity",
            access_line(database, identity, "*"),
        )


RULES: Final = (
    Rule(
        "LR601",
        Severity.ERROR,
        "a provider without syncprov",
        'The consumer logs "got search entry without Sync State control" and copies nothing. (2.2 needs no overlay.)',
        "overlay syncprov",
        _no_overlay,
    ),
    Rule(
        "LR603",
        Severity.ERROR,
        "the size limit cuts the refresh",
        'slapd\'s default is 500 entries. The consumer gets that many, logs "(4) Size limit exceeded", stores no state'
        " and starts from zero at each retry.",
        'limits dn.exact="cn=replica,dc=example,dc=com" size=unlimited time=unlimited',
        lambda estate: (*each_pair(_cut)(estate), *_cut_all(estate)),
    ),
    Rule(
        "LR604",
        Severity.ERROR,
        "only the hard size limit is lifted",
        "A consumer asks for no limit and so gets the soft one, still 500: the refresh is cut as without limits.",
        'limits dn.exact="cn=replica,dc=example,dc=com" size=unlimited time=unlimited',
        per_database(_hard),
    ),
    Rule(
        "LR605",
        Severity.ERROR,
        "the limit is lifted for somebody else",
        "The refresh is cut at the size limit, stores no state and starts from zero at each retry.",
        "the DN of limits must be that of binddn, in the database that is copied",
        each_pair(_other_limits),
    ),
    Rule(
        "LR606",
        Severity.WARNING,
        "the replica may not read userPassword",
        "The entries arrive without it, nothing is logged, and nobody can bind at the consumer (49).",
        'access to attrs=userPassword by dn.exact="cn=replica,dc=example,dc=com" read by * break',
        each_pair(_blind),
    ),
    Rule(
        "LR607",
        Severity.ERROR,
        "the replica may not read entries",
        'The consumer logs "(32) No such object" at each try.',
        'access to * by dn.exact="cn=replica,dc=example,dc=com" read by * break',
        each_pair(_hidden),
    ),
)
