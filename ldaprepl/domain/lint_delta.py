"""LR701 to LR712: delta-syncrepl, where a consumer reads changes from the provider's log database.

Two databases must agree, and two access rules, and two limits. What is wrong here shows late: the first refresh comes
from the data and looks right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.lint import Hit, Rule, Severity, per_database, per_source, per_stanza
from ldaprepl.domain.lint_access import UNLIMITED, may_read, size_limit
from ldaprepl.domain.lint_database import is_log
from ldaprepl.domain.lint_pair import access_line, each_pair, limits_line
from ldaprepl.domain.lint_source import Database, Estate, Source, Spot, dn_key
from ldaprepl.domain.plural import counted
from ldaprepl.domain.words import Form

_LOGFILTER: Final = 'logfilter="(&(objectClass=auditWriteObject)(reqResult=0))"'
_LOG_OPTIONS: Final = (("syncprov-nopresent", "TRUE"), ("syncprov-reloadhint", "TRUE"))


def _delta(spot: Spot) -> bool:
    return spot.text("syncdata").lower() == "accesslog"


def _nopresent(database: Database) -> Iterator[Hit]:
    if not is_log(database) or not database.provides:
        return
    values = [setting.value.lower() for setting in database.section.all("syncprov-nopresent")]
    if not values or values[-1] not in ("true", "on", "yes"):
        source = database.source
        found = database.overlay("syncprov")
        yield Hit(
            database.where(found[0] if found else None),
            f"syncprov of the log database {database.suffix!r} lacks syncprov-nopresent TRUE",
            "\n".join(source.line(name, value) for name, value in _LOG_OPTIONS),
        )


def _log_without_syncprov(estate: Estate) -> Iterator[Hit]:
    for spot in estate.spots:
        for database in estate.logs(spot) if _delta(spot) else ():
            if not database.provides:
                yield Hit(
                    database.place,
                    f"{spot.label} reads this log database, which has no syncprov overlay",
                    database.overlay_lines("syncprov", *_LOG_OPTIONS),
                )


def _log_of(spot: Spot, provider: Database) -> Database | None:
    """The log database in the provider's server, for a delta stanza."""
    base = spot.text("logbase")
    for database in provider.source.databases if _delta(spot) and base else ():
        if database.suffix and dn_key(database.suffix) == dn_key(base):
            return database
    return None


def _unreadable_log(spot: Spot, provider: Database, identity: str) -> Iterator[Hit]:
    log = _log_of(spot, provider)
    if log and may_read(log, identity, "entry") is False:
        yield Hit(
            log.where(log.setting("access")),
            f"{identity or 'anonymous'} may not read the log database, and {spot.label} reads as this identity",
            access_line(log, identity, "*"),
        )


def _wrong_logbase(estate: Estate) -> Iterator[Hit]:
    for spot in estate.spots:
        base = spot.text("logbase")
        for provider in estate.providers(spot) if _delta(spot) and base else ():
            if provider.logs and dn_key(provider.logs) != dn_key(base):
                yield Hit(spot.at("logbase"), f"the provider logs to {provider.logs!r}", f'logbase="{provider.logs}"')
            elif not provider.logs and _log_of(spot, provider) is None:
                yield Hit(
                    spot.at("logbase"),
                    f"the provider's database {provider.suffix!r} has no accesslog overlay",
                    "remove syncdata, logbase and logfilter, or give the provider a log",
                )


def _no_logbase(spot: Spot) -> Iterator[Hit]:
    missing = [name for name in ("logbase", "logfilter") if not spot.text(name)]
    if _delta(spot) and missing:
        cures = {"logbase": 'logbase="cn=accesslog"', "logfilter": _LOGFILTER}
        yield Hit(
            spot.at("syncdata"),
            f"syncdata=accesslog without {' and '.join(missing)}",
            " ".join(cures[name] for name in missing),
            severity=None if "logbase" in missing else Severity.WARNING,
        )


def _useless(spot: Spot) -> Iterator[Hit]:
    names = [name for name in ("logbase", "logfilter", "strictrefresh") if spot.has(name)]
    if names and spot.text("syncdata").lower() in ("", "default"):
        yield Hit(spot.at(names[0]), f"{', '.join(names)} without syncdata", "syncdata=accesslog")


def _log_limits(spot: Spot, provider: Database, identity: str) -> Iterator[Hit]:
    log = _log_of(spot, provider)
    size, setting = size_limit(log, identity) if log else (None, None)
    if log and size is not None and size != UNLIMITED:
        yield Hit(
            log.where(setting),
            f"{identity or 'anonymous'} gets at most {counted(size)} of the log",
            limits_line(log, identity),
        )


def _failures(estate: Estate) -> Iterator[Hit]:
    for spot in estate.spots:
        text = spot.text("logfilter").lower().replace(" ", "")
        if not _delta(spot) or not text or "reqresult=0" in text:
            continue
        providers = estate.providers(spot)
        if not any(_true(database, "logsuccess") for database in providers):
            yield Hit(spot.at("logfilter"), "logfilter lets failed operations through", _LOGFILTER)


def _true(database: Database, name: str) -> bool:
    return database.section.first(name).lower() in ("true", "on", "yes")


def _no_purge(database: Database) -> Iterator[Hit]:
    found = database.overlay("accesslog")
    if found and not database.section.all("logpurge"):
        yield Hit(
            database.source.at(found[0].place),
            "the log is never purged",
            database.source.line("logpurge", "07+00:00 01+00:00"),
        )


def _log_copied(spot: Spot) -> Iterator[Hit]:
    base = spot.text("searchbase")
    own = [database.suffix for database in spot.source.databases if is_log(database)]
    names = [name for name in (*own, spot.text("logbase"), "cn=accesslog") if name]
    if base and any(dn_key(base) == dn_key(name) for name in names):
        yield Hit(spot.at("searchbase"), f"{spot.label} copies the log database {base!r} itself")


def _order(source: Source) -> Iterator[Hit]:
    """Multi-provider delta: the stanza must come before the overlay."""
    if source.form is not Form.SLAPD_CONF:
        return
    for database in source.databases:
        names = [(setting.name, setting.value.lower()) for setting in database.section.settings]
        if database.multi and ("overlay", "accesslog") in names and "syncrepl" in [name for name, _ in names]:
            last = max(index for index, (name, _) in enumerate(names) if name == "syncrepl")
            if names.index(("overlay", "accesslog")) < last:
                where = database.section.settings[last].place
                yield Hit(source.at(where), "the stanza stands below overlay accesslog")


RULES: Final = (
    Rule(
        "LR701",
        Severity.DATA_LOSS,
        "the log's syncprov without nopresent",
        "After a reconnect the consumer compares its entries with those of the log and deletes what the log does not"
        " have: nearly everything. Not each time, which makes it worse.",
        "syncprov-nopresent TRUE and syncprov-reloadhint TRUE on the log database",
        per_database(_nopresent),
    ),
    Rule(
        "LR702",
        Severity.ERROR,
        "the log database has no syncprov",
        'The first refresh works, then the consumer logs "got search entry without Sync State control (reqStart=...)"'
        " and no change arrives.",
        "overlay syncprov on the log database too",
        _log_without_syncprov,
    ),
    Rule(
        "LR703",
        Severity.DATA_LOSS,
        "the replica may not read the log",
        'The first refresh works, and no change ever arrives: "(32) No such object" at each try.',
        'access to * by dn.exact="cn=replica,dc=example,dc=com" read by * none, in the log database',
        each_pair(_unreadable_log),
    ),
    Rule(
        "LR704",
        Severity.DATA_LOSS,
        "logbase is not the provider's log",
        'The first refresh works, and no change ever arrives: "(32) No such object" at each try.',
        "logbase= what auditContext of the provider's suffix entry says",
        _wrong_logbase,
    ),
    Rule(
        "LR705",
        Severity.DATA_LOSS,
        "syncdata=accesslog without logbase or logfilter",
        "slapd accepts it; the first refresh works, and no change ever arrives.",
        f'logbase="cn=accesslog" {_LOGFILTER}',
        per_stanza(_no_logbase),
    ),
    Rule(
        "LR706",
        Severity.INFO,
        "log settings without syncdata",
        "They are ignored: this is plain syncrepl, which sends whole entries.",
        "syncdata=accesslog",
        per_stanza(_useless),
    ),
    Rule(
        "LR707",
        Severity.WARNING,
        "a size limit on the log database",
        "A consumer that missed more changes than that falls back to a full refresh.",
        'limits dn.exact="cn=replica,dc=example,dc=com" size=unlimited time=unlimited, in the log database',
        each_pair(_log_limits),
    ),
    Rule(
        "LR708",
        Severity.WARNING,
        "failed operations in the log",
        "The consumer tries to repeat what failed at the provider, fails too, and falls back to a full refresh.",
        f"{_LOGFILTER}, or logsuccess TRUE at the provider",
        _failures,
    ),
    Rule(
        "LR710",
        Severity.WARNING,
        "a log without logpurge",
        "It grows until its maxsize; then every write to the provider fails.",
        "logpurge 07+00:00 01+00:00",
        per_database(_no_purge),
    ),
    Rule(
        "LR711",
        Severity.DATA_LOSS,
        "the log database is replicated",
        "A log belongs to the server that wrote it; a copy mixes with the consumer's own.",
        "copy the data only",
        per_stanza(_log_copied),
    ),
    Rule(
        "LR712",
        Severity.WARNING,
        "the stanza stands below overlay accesslog",
        "With several providers and a log on each, slapd wants the stanza first; otherwise what arrives is not logged"
        " as it should.",
        "move overlay accesslog below the last stanza",
        per_source(_order),
    ),
    Rule(
        "LR709",
        Severity.WARNING,
        "a log without any change yet",
        'The consumer logs 53 "consumer has state info but provider doesn\'t!" until the first write at the provider'
        " and one retry after it.",
        "change something harmless at the provider once (slapadd -w before the first start avoids it)",
    ),
)
