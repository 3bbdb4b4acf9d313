"""LR116 to LR119 and LR150 to LR152: traps of the two forms themselves, and what could not be read.

The same text means different things in slapd.conf and in cn=config (`words`); most of these come from moving a stanza
from one to the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ldaprepl.domain.config import RemarkKind
from ldaprepl.domain.keywords import KEYWORDS, find
from ldaprepl.domain.lint import Hit, Rule, Severity, per_source, per_stanza
from ldaprepl.domain.lint_mend import Slip
from ldaprepl.domain.lint_source import Source, Spot
from ldaprepl.domain.words import Form, Place

_SCHEMA: Final = re.compile(r"/schema/|\.schema\b")
_ONE_BLANK: Final = re.compile(r" ([A-Za-z_-]+)=")
_TAIL: Final = re.compile(r"[A-Za-z_-]*$")
_BACKSLASH: Final = re.compile(r'"[^"]*\\[\\"]')


def _backslash(source: Source) -> Iterator[Hit]:
    for name, record in source.records:
        for attribute, value in record.pairs:
            text = value.decode("utf-8", "surrogateescape")
            if attribute.lower() == "olcsyncrepl" and _BACKSLASH.search(_secret_part(text)):
                yield Hit(
                    source.at(Place(name, record.line)),
                    "in cn=config a backslash is an ordinary character: the one before a quote or backslash in"
                    " credentials is part of the password",
                )


def _secret_part(text: str) -> str:
    """What stands after credentials=, up to the next keyword."""
    found = re.search(r"credentials=(.*)", text, re.IGNORECASE | re.DOTALL)
    if not found:
        return ""
    return re.split(r"\s(?:" + "|".join(KEYWORDS) + r")=", found[1])[0]


def _quote_in_password(spot: Spot) -> Iterator[Hit]:
    secret = spot.stanza.credentials
    if spot.source.form is Form.SLAPD_CONF and secret and '"' in secret.reveal():
        yield Hit(spot.at("credentials"), f"the password of {spot.label} has a double quote")


def fold(source: Source) -> Iterator[Hit]:
    """Continuation lines of olcSyncrepl that unfolding glues to the line before."""
    for name, text in source.texts.items() if source.form is Form.CN_CONFIG else ():
        inside, before = False, ""
        for number, line in enumerate(text.split("\n"), 1):
            if not line.startswith(" "):
                inside = line.lower().startswith("olcsyncrepl:")
            elif inside and _glues(before, line):
                keyword = line[1:].partition("=")[0]
                yield Hit(
                    source.at(Place(name, number)),
                    f"{keyword}= is folded with one blank, which the reader removes: the words are glued together",
                    f"begin the line with two blanks:   {keyword}=...",
                )
            before = line.rstrip("\r\n")


def _glues(before: str, line: str) -> bool:
    """Whether unfolding joins a keyword to the word before it. slapd itself folds anywhere, inside a keyword too."""
    found = _ONE_BLANK.match(line)
    if found is None or before.endswith((" ", "\t")) or find(found[1]) is None:
        return False
    head = _TAIL.search(before)
    return not head or not head[0] or find(head[0] + found[1]) is None


def _directive(spot: Spot) -> Iterator[Hit]:
    for note in spot.notes:
        if note.slip is Slip.DIRECTIVE:
            where = spot.source.at(note.place)
            yield Hit(where, "the value begins with the word syncrepl", f"olcSyncrepl: {spot.label} ...")


def _not_read(source: Source) -> Iterator[Hit]:
    """Schema files are often not there where one lints; rules that need the schema are silent then."""
    for hit in _remarks(RemarkKind.INCLUDE)(source):
        lines = source.texts.get(hit.place.name, "").split("\n")
        line = lines[hit.place.line - 1] if 0 < hit.place.line <= len(lines) else ""
        if not _SCHEMA.search(line):
            yield hit


def _remarks(kind: RemarkKind) -> Callable[[Source], Iterable[Hit]]:
    return lambda source: (
        Hit(source.at(remark.place), remark.text) for remark in source.configuration.remarks if remark.kind is kind
    )


RULES: Final = (
    Rule(
        "LR116",
        Severity.ERROR,
        "slapd.conf escapes in a cn=config value",
        "cn=config has no escapes inside quotes, so the password is another one than meant and the provider answers 49"
        " (invalid credentials).",
        'write the password as it is, without backslashes added; for a double quote in it write "credentials=my"x"" for'
        ' my"x, or choose another password',
        per_source(_backslash),
    ),
    Rule(
        "LR117",
        Severity.WARNING,
        "a double quote in a password",
        "Right in slapd.conf, but slaptest -f -F writes it to cn=config unescaped: after the conversion the provider"
        " answers 49 (invalid credentials).",
        "choose a replication password without double quotes",
        per_stanza(_quote_in_password),
    ),
    Rule(
        "LR118",
        Severity.ERROR,
        "LDIF folded with one blank",
        "Unfolding removes one blank, so two words become one and slapd refuses it.",
        "begin continuation lines of olcSyncrepl with two blanks",
        per_source(fold),
    ),
    Rule(
        "LR119",
        Severity.ERROR,
        "olcSyncrepl begins with the word syncrepl",
        "In cn=config the value begins with its parameters; slapd refuses the word.",
        "begin the value with rid=",
        per_stanza(_directive),
    ),
    Rule(
        "LR150",
        Severity.ERROR,
        "a double quote that is not closed",
        "2.4 to 2.7 refuse the line; 2.3 takes everything up to its end for one value.",
        "close the quote",
        per_source(_remarks(RemarkKind.OPEN_QUOTE)),
    ),
    Rule(
        "LR151",
        Severity.WARNING,
        "an include that was not read",
        "What stands in that file was not judged, and rules that need it (schema, modules) may be silent or wrong.",
        "give the file a readable place, or lint on the server itself",
        per_source(_not_read),
    ),
    Rule(
        "LR152",
        Severity.WARNING,
        "a file that was not understood",
        "What stands in that file was not judged.",
        "look whether the file is whole",
        per_source(_remarks(RemarkKind.UNREADABLE)),
    ),
)
