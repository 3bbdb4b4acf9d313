"""LR801 to LR805: cn=config, and changes to it.

An LDIF of changes (`changetype: modify`) may be linted before it is applied: some changes that slapd accepts online
stop the wrong consumer, or the next start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain.lint import Hit, Rule, Severity, per_database, per_source, per_stanza
from ldaprepl.domain.lint_source import MULTI, Database, Source, Spot
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form, Place

_NUMBERED: Final = re.compile(r"\{-?\d+\}$")
_SHADOW_ONLY: Final = ("olcupdateref", "olcmultiprovider", "olcmirrormode")


@dataclass(frozen=True, slots=True)
class _Step:
    """One modification of a change record."""

    place: Place
    dn: str
    operation: str  # add, delete, replace
    attribute: str  # lower case
    values: tuple[str, ...]


def _steps(source: Source) -> Iterator[list[_Step]]:
    """The modifications of each change record."""
    for name, record in source.records:
        steps: list[_Step] = []
        operation, attribute, values = "", "", list[str]()
        for key, value in (*record.pairs, ("-", b"")):
            lower, text = key.lower(), value.decode("utf-8", "replace")
            if lower in ("add", "delete", "replace") and not operation:
                operation, attribute = lower, text.strip().lower()
            elif lower == "-" and operation:
                place = source.at(Place(name, record.line))
                steps.append(_Step(place, record.dn, operation, attribute, tuple(values)))
                operation, values = "", []
            elif lower == attribute:
                values.append(text)
        if steps:
            yield steps


def _one_of_several(source: Source) -> Iterator[Hit]:
    if source.older_than(Version(2, 5, 0)):
        return
    for steps in _steps(source):
        for step in steps:
            if step.operation == "delete" and step.attribute == "olcsyncrepl" and step.values:
                yield Hit(step.place, f"deletes one value of olcSyncrepl in {step.dn}")


def _by_number(source: Source) -> Iterator[Hit]:
    for steps in _steps(source):
        for step in steps:
            numbered = step.attribute == "olcsyncrepl" and any(_NUMBERED.fullmatch(value) for value in step.values)
            if step.operation == "delete" and numbered:
                yield Hit(step.place, f"deletes a value of olcSyncrepl in {step.dn} by its number")


def _leaves_shadow(source: Source) -> Iterator[Hit]:
    for steps in _steps(source):
        gone = [step for step in steps if step.attribute == "olcsyncrepl" and not step.values]
        gone = [step for step in gone if step.operation in ("delete", "replace")]
        also = {step.attribute for step in steps if step.operation in ("delete", "replace") and not step.values}
        if gone and not also & set(_SHADOW_ONLY):
            yield Hit(
                gone[0].place,
                f"deletes all olcSyncrepl of {gone[0].dn} and leaves olcUpdateRef and olcMultiProvider",
                "in the same modify:\ndelete: olcUpdateRef\n-\ndelete: olcMultiProvider\n-",
            )


def _no_shadow(database: Database) -> Iterator[Hit]:
    if database.consumes or database.special or database.source.plan or database.section.all("updatedn"):
        return
    for setting in database.section.all("updateref"):
        yield Hit(database.source.at(setting.place), "updateref in a database that has no stanza", "remove updateref")
    setting_ = database.setting(*MULTI)
    known = not database.source.assumed and database.source.version > Version(2, 6)
    if setting_ and database.multi and not known:
        yield Hit(
            database.source.at(setting_.place),
            f"{setting_.name} in a database that has no stanza",
            f"remove {setting_.name}",
        )


def _lost(spot: Spot) -> Iterator[Hit]:
    if spot.source.form is not Form.SLAPD_CONF:
        return
    lost = [name for name in ("strictrefresh", "manageDSAit") if spot.has(name)]
    if lost:
        yield Hit(spot.at(lost[0]), f"a conversion loses {' and '.join(lost)} of {spot.label}")


RULES: Final = (
    Rule(
        "LR801",
        Severity.DATA_LOSS,
        "one of several olcSyncrepl values is deleted online",
        "2.5 to 2.7 remove the right value from cn=config and stop another consumer; the deleted one runs on, until a"
        " restart. (With a single value nothing is wrong.)",
        "replace: olcSyncrepl with all values that shall stay",
        per_source(_one_of_several),
    ),
    Rule(
        "LR802",
        Severity.ERROR,
        "updateref or multiprovider without a stanza",
        'slapd does not start: "must appear after syncrepl or updatedn", "database is not a shadow". A change that'
        " leads there is accepted online and shows at the next start.",
        "remove them together with the last stanza, in one modify",
        lambda estate: (*per_database(_no_shadow)(estate), *per_source(_leaves_shadow)(estate)),
    ),
    Rule(
        "LR803",
        Severity.INFO,
        "settings that slaptest does not convert",
        "slaptest -f -F leaves them out of cn=config without a word.",
        "add them to olcSyncrepl by hand after a conversion (manageDSAit has no effect in any version)",
        per_stanza(_lost),
    ),
    Rule(
        "LR805",
        Severity.WARNING,
        "an olcSyncrepl value deleted by its number",
        "Values that slaptest wrote have no number yet: the server answers 16 (noSuchAttribute), has changed what runs"
        " and not what is stored.",
        "replace: olcSyncrepl with all values that shall stay",
        per_source(_by_number),
    ),
)
