"""LR602 and LR608 to LR650: the provider's database by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.lint import Hit, Rule, Severity, per_database, per_source
from ldaprepl.domain.lint_database import indexed, is_log
from ldaprepl.domain.lint_source import Database, Source
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, Place

_R24, _R25 = Version(2, 4, 0), Version(2, 5, 0)
_LOG_NAMES: Final = ("cn=accesslog", "cn=log", "cn=deltalog", "cn=changelog", "cn=auditlog")
_OVERLAYS: Final = ("syncprov", "accesslog")


def _not_loaded(source: Source) -> Iterator[Hit]:
    loads = [word.lower() for setting in source.top.all("moduleload") for word in setting.words]
    if not loads:  # a static build
        return
    for name in _OVERLAYS:
        for database in source.databases:
            if name in database.section.overlays and not any(name in load for load in loads):
                setting = next(each for each in database.section.all("overlay") if each.value.lower() == name)
                yield Hit(
                    source.at(setting.place),
                    f"overlay {name} is used, and no moduleload names it",
                    source.line("moduleload", name),
                )


def _lastmod(database: Database) -> Iterator[Hit]:
    setting = database.setting("lastmod")
    if setting and database.provides and setting.value.lower() in ("off", "false", "no"):
        yield Hit(
            database.source.at(setting.place),
            "lastmod is off on a provider",
            database.source.line("lastmod", _on(database)),
        )


def _on(database: Database) -> str:
    return "on" if database.source.form is Form.SLAPD_CONF else "TRUE"


def _twice(database: Database) -> Iterator[Hit]:
    twice = [setting for setting in database.section.all("overlay") if setting.value.lower() == "syncprov"][1:]
    for setting in twice:
        refused = database.source.version >= _R25
        yield Hit(
            database.source.at(setting.place),
            "the overlay syncprov stands twice in this database",
            happens="" if refused else "2.4 accepts it, 2.3 warns; 2.5 and later refuse it.",
            severity=None if refused else Severity.WARNING,
        )


def _no_present(database: Database) -> Iterator[Hit]:
    for setting in database.overlay("syncprov"):
        log = is_log(database) or database.suffix.lower().startswith(_LOG_NAMES) or "reqstart" in indexed(database)
        if setting.name == "syncprov-nopresent" and setting.value.lower() in ("true", "on", "yes") and not log:
            yield Hit(database.source.at(setting.place), "syncprov-nopresent on a database that is not a log")


def _data(database: Database) -> bool:
    """A provider of data, not of a log."""
    return (
        database.provides
        and not database.special
        and not is_log(database)
        and not (database.suffix.lower().startswith(_LOG_NAMES))
    )


def _checkpoint(database: Database) -> Iterator[Hit]:
    if _data(database) and not database.section.all("syncprov-checkpoint"):
        yield Hit(
            _overlay_place(database),
            "syncprov writes its contextCSN only when slapd stops cleanly",
            database.source.line("syncprov-checkpoint", "100 10"),
        )


def _sessionlog(database: Database) -> Iterator[Hit]:
    names = ("syncprov-sessionlog", "syncprov-sessionlog-source")
    if _data(database) and not database.logs and not any(database.section.all(name) for name in names):
        yield Hit(
            _overlay_place(database), "there is no session log", database.source.line("syncprov-sessionlog", "1000")
        )


def _overlay_place(database: Database) -> Place:
    found = database.overlay("syncprov")
    return database.where(found[0] if found else None)


def _old_sessionlog(database: Database) -> Iterator[Hit]:
    for setting in database.section.all("sessionlog"):
        if database.source.version >= _R24:
            yield Hit(
                database.source.at(setting.place),
                "sessionlog is the word of 2.2",
                database.source.line("syncprov-sessionlog", setting.words[-1] if setting.words else "1000"),
            )


def _no_index(database: Database) -> Iterator[Hit]:
    kinds = indexed(database).get("entrycsn", set())
    if _data(database) and not database.consumes and not {"eq", "default"} & kinds:
        yield Hit(database.place, "entryCSN is not indexed", database.source.line("index", "entryCSN,entryUUID eq"))


def _bad_options(database: Database) -> Iterator[Hit]:
    source = database.source
    for setting in database.section.all("syncprov-checkpoint"):
        numbers = [word for word in setting.words if word.isdecimal() and int(word)]
        if len(setting.words) != 2 or len(numbers) != 2:
            yield Hit(
                source.at(setting.place),
                "syncprov-checkpoint needs two numbers above 0: operations and minutes",
                source.line("syncprov-checkpoint", "100 10"),
            )
    both = database.section.all("syncprov-sessionlog-source")
    if both and database.section.all("syncprov-sessionlog"):
        yield Hit(
            source.at(both[0].place),
            "syncprov-sessionlog and syncprov-sessionlog-source do the same",
            "remove syncprov-sessionlog",
            'slapd keeps both logs and says: "this results in wasteful operation".',
            Severity.WARNING,
        )
    if both and source.version < _R25:
        yield Hit(source.at(both[0].place), f"syncprov-sessionlog-source came with 2.5, the target is {source.version}")


RULES: Final = (
    Rule(
        "LR602",
        Severity.ERROR,
        "an overlay whose module is not loaded",
        'slapd does not start: overlay "syncprov" not found.',
        "moduleload syncprov",
        per_source(_not_loaded),
    ),
    Rule(
        "LR608",
        Severity.ERROR,
        "lastmod off on a provider",
        'slapd does not start: "syncprov_db_open: invalid config, lastmod must be enabled". slaptest -u does not see'
        " it.",
        "lastmod on",
        per_database(_lastmod),
    ),
    Rule(
        "LR609",
        Severity.ERROR,
        "syncprov twice in one database",
        "2.5 to 2.7 refuse it.",
        "remove one of the two",
        per_database(_twice),
    ),
    Rule(
        "LR610",
        Severity.DATA_LOSS,
        "syncprov-nopresent on a data database",
        "It leaves out the phase in which a consumer learns what is gone: deletes made while it was away never reach"
        " it.",
        "remove syncprov-nopresent; it belongs to log databases only",
        per_database(_no_present),
    ),
    Rule(
        "LR611",
        Severity.WARNING,
        "no syncprov-checkpoint",
        "After a crash contextCSN is older than the data and is found again by reading the database.",
        "syncprov-checkpoint 100 10",
        per_database(_checkpoint),
    ),
    Rule(
        "LR612",
        Severity.WARNING,
        "no session log",
        "A consumer that was away while something was deleted gets the list of all entries. This is also the moment"
        " when entries that only the consumer has are deleted there.",
        "syncprov-sessionlog 1000",
        per_database(_sessionlog),
    ),
    Rule(
        "LR613",
        Severity.ERROR,
        "sessionlog, the word of 2.2",
        "2.4 and later refuse it as unknown, 2.3 ignores it.",
        "syncprov-sessionlog 1000",
        per_database(_old_sessionlog),
    ),
    Rule(
        "LR614",
        Severity.WARNING,
        "entryCSN is not indexed",
        "Each consumer that connects makes slapd read the whole database.",
        "index entryCSN,entryUUID eq (then run slapindex)",
        per_database(_no_index),
    ),
    Rule(
        "LR650",
        Severity.ERROR,
        "a syncprov setting that slapd does not take",
        "slapd does not start.",
        "syncprov-checkpoint 100 10",
        per_database(_bad_options),
    ),
    Rule(
        "LR615",
        Severity.ERROR,
        "the consumer is newer than its provider",
        'The provider was restored from an old backup. It answers 53 "consumer state is newer than provider".',
        "load the provider from the consumer, or empty the consumer",
    ),
)
