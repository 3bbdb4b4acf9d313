"""What a provider needs, for one replica identity: overlay, checkpoint, session log, limits, access, indexes.

With delta also the change log: a database of its own, with its own syncprov, limits and access. Sources:
slapo-syncprov(5), slapo-accesslog(5), slapd.conf(5). `syncprov-nopresent` and `syncprov-reloadhint` belong to log
databases and to no other: without them a log wipes consumers, with them a data database loses deletes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ldaprepl.domain.blueprint import Blueprint, Database, Line, Overlay, Places, Schemas
from ldaprepl.domain.provider import Access, Method
from ldaprepl.errors import UsageError

LOG_SUFFIX: Final = "cn=accesslog"
MAXSIZE: Final = "1073741824"  # bytes; mdb's own default is 10 MiB, where a consumer stops for good
INDEXES: Final = (
    Line.of(
        "index", "entryUUID", "eq",
        why="every replicated change looks its entry up by these two; where data is loaded already, run slapindex; an "
        "index that is there must not be written twice",
    ),
    Line.of("index", "entryCSN", "eq"),
)  # fmt: skip
CHECKPOINT: Final = Line.of(
    "syncprov-checkpoint", "100", "10", why="contextCSN is stored after 100 changes or 10 minutes, not only at the end"
)
SESSION_LOG: Final = Line.of(
    "syncprov-sessionlog", "1000", why="deletes are remembered: a consumer that was away need not compare all entries"
)


@dataclass(frozen=True, slots=True)
class ProviderNeeds:
    """What is asked for: the naming context, whether a change log is wanted, and where things are on that server.

    `present`: syncprov is on the database already; a second one is refused.
    """

    suffix: str
    delta: bool = False
    present: bool = False
    directory: str = "/var/lib/ldap"
    places: Places = field(default_factory=Places)


def provider_part(access: Access, needs: ProviderNeeds) -> Blueprint:
    """The part that is to be added to a provider. Raises `UsageError` for an identity that has no DN."""
    who = replica_dn(access)
    identity = (
        f"{who} must be an entry of its own, without any right to write: e.g. objectClass organizationalRole and "
        "simpleSecurityObject with its password. Better not the rootdn: its password opens everything."
    )
    heading = [f"What the provider of {needs.suffix} needs, by ldaprepl init-consumer.", identity]
    overlays = [] if needs.present else [syncprov()]
    modules = [] if needs.present else ["syncprov"]
    log: tuple[Database, ...] = ()
    if needs.present:
        heading.append("The syncprov overlay is on this database already; a second one would be refused.")
    if needs.delta:
        modules.append("accesslog")
        overlays.append(_accesslog())
        log = (_log_database(who, needs.directory),)
        heading.append("After the first start change any entry once: an empty log makes every consumer wait.")
    main = Database(needs.suffix, (*replica_lines(who), *INDEXES), overlays=tuple(overlays), new=False)
    return Blueprint(tuple(heading), (*log, main), tuple(modules), places=needs.places)


def provider_server(access: Access, needs: ProviderNeeds, schemas: Schemas | None = None) -> Blueprint:
    """A whole new provider: the same, with schema, modules and its database. The rootdn has no password yet."""
    part = provider_part(access, needs)
    main = part.databases[-1]
    lines = (
        *base_lines(main.suffix, needs.directory),
        *replica_lines(replica_dn(access)),
        *passwords_closed(),
        *INDEXES,
    )
    whole = Database(main.suffix, lines, overlays=main.overlays)
    heading = (f"A provider of {needs.suffix}, by ldaprepl init-consumer.", *part.heading[1:])
    databases = (*part.databases[:-1], whole)
    modules = ("back_mdb", *part.modules)
    return Blueprint(heading, databases, modules, schemas=schemas or Schemas(), places=needs.places)


def replica_dn(access: Access) -> str:
    """Whom limits and access are for. Raises `UsageError` where that is nobody by name."""
    if access.method is not Method.SIMPLE:
        raise UsageError(
            f"the provider's lines need the DN of the replica identity, and {access} has none here",
            "Give --bind-dn; with SASL write the DN that the identity is mapped to into the lines afterwards.",
        )
    return access.dn


def replica_lines(who: str) -> tuple[Line, ...]:
    """Limits and access of the replica identity; they belong above all others."""
    limits = Line.of(
        "limits", ("dn.exact", who), "size=unlimited", "time=unlimited",
        why="slapd's own limit is 500 entries, and a refresh that is cut starts over for ever",
    )  # fmt: skip
    read = Line.of(
        "access", "to", "*", "by", ("dn.exact", who), "read", "by", "*", "break",
        why="all of every entry, passwords and operational attributes too; `break` leaves everybody else to the rules "
        "below. Where there are none yet, nobody else may read any more: then `access to * by * read` kept it so",
    )  # fmt: skip
    return limits, read


def syncprov() -> Overlay:
    """The overlay of a data database."""
    return Overlay("syncprov", (CHECKPOINT, SESSION_LOG), why="without it a consumer gets entries it cannot use")


def base_lines(suffix: str, directory: str) -> tuple[Line, ...]:
    """What every database begins with."""
    return (
        Line.of("rootdn", admin(suffix), why="replication writes as this one; it needs no password for that"),
        Line.of("directory", directory, why="must exist, and belong to the user that slapd runs as"),
        Line.of("maxsize", MAXSIZE, why="bytes; without it mdb stops at 10 MiB, and replication with it"),
        Line.of("index", "objectClass", "eq"),
    )


def admin(suffix: str) -> str:
    """The rootdn of a new database."""
    return f"cn=admin,{suffix}"


def passwords_closed() -> tuple[Line, ...]:
    """Access for everybody else: something to begin with that shows no hash."""
    return (
        Line(
            "access",
            ("to", "attrs=userPassword", "by", "self", "write", "by", "anonymous", "auth", "by", "*", "none"),
            "access rules are not replicated: replace these two by those of your directory",
        ),
        Line("access", ("to", "*", "by", "users", "read", "by", "*", "none")),
    )


def _accesslog() -> Overlay:
    return Overlay(
        "accesslog",
        (
            Line.of("logdb", LOG_SUFFIX),
            Line.of("logops", "writes"),
            Line.of("logsuccess", "TRUE", why="what failed must not be replayed"),
            Line.of("logpurge", "07+00:00", "01+00:00", why="entries older than 7 days go, looked for once a day"),
        ),
        why="every change is also written into the log database",
    )


def _log_database(who: str, directory: str) -> Database:
    limits, _ = replica_lines(who)
    lines = (
        Line.of("rootdn", f"cn=admin,{LOG_SUFFIX}"),
        Line.of("directory", f"{directory.rstrip('/')}/accesslog", why="must exist, and belong to slapd's user"),
        Line.of("maxsize", MAXSIZE),
        Line.of("index", "entryCSN,objectClass,reqEnd,reqResult,reqStart,reqDN", "eq"),
        limits,
        Line.of("access", "to", "*", "by", ("dn.exact", who), "read", "by", "*", "none",
                why="the log holds old and new values: nobody else may see it"),
    )  # fmt: skip
    options = (
        Line.of("syncprov-nopresent", "TRUE", why="else consumers take log entries for the directory and delete all"),
        Line.of("syncprov-reloadhint", "TRUE"),
    )
    return Database(LOG_SUFFIX, lines, overlays=(Overlay("syncprov", options),))
