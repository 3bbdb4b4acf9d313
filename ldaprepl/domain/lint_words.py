"""LR101 to LR115: how a stanza is written down. Lines, comments, blanks, quotes, keywords.

Most of these make slapd refuse to start, and then it says something misleading; the others lose a part of the stanza
without a word. Slips are found by `lint_mend`; here they get their words.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Final

from ldaprepl.domain.keywords import ALIAS_VERSIONS, KEYWORDS, Standing, Syntax, find
from ldaprepl.domain.lint import Hit, Rule, Severity, per_source, per_stanza
from ldaprepl.domain.lint_forms import fold
from ldaprepl.domain.lint_mend import Note, Slip
from ldaprepl.domain.lint_source import Source, Spot
from ldaprepl.domain.secret import STARS
from ldaprepl.domain.stanza import Parameter
from ldaprepl.domain.words import Form, Place

Say = Callable[[Spot, Note], Hit]


def _each(slip: Slip, say: Say) -> Callable[[Spot], Iterator[Hit]]:
    """One hit for each note of that kind."""
    return lambda spot: (say(spot, note) for note in spot.notes if note.slip is slip)


def _lost(note: Note) -> str:
    return ", ".join(note.lost) or "nothing that is known"


def _not_indented(spot: Spot, note: Note) -> Hit:
    return Hit(
        spot.source.at(note.place),
        f"this line ({_lost(note)}) begins in the first column, so it is no part of the syncrepl directive above it",
    )


def _comment_inside(spot: Spot, note: Note) -> Hit:
    return Hit(
        spot.source.at(note.place),
        f"the comment stands inside {spot.label} and takes the indented lines after it with it: {_lost(note)}",
    )


def _comment_word(spot: Spot, note: Note) -> Hit:
    return Hit(spot.source.at(note.place), f"a # inside {spot.label} is a word of the stanza, not a comment")


def _empty_line(spot: Spot, note: Note) -> Hit:
    return Hit(
        spot.source.at(note.place),
        f"an empty line above this one has ended {spot.label}; left out are {_lost(note)}",
    )


def _head_commented(source: Source) -> Iterator[Hit]:
    for stray in source.strays:
        if stray.note.slip is Slip.HEAD_COMMENTED:
            yield Hit(source.at(stray.note.place), f"the lines after this comment belong to it: {_lost(stray.note)}")


def _glued(spot: Spot) -> Iterator[Hit]:
    for note in spot.notes:
        if note.slip is Slip.GLUED and not _folded(spot.source, note.place):
            yield Hit(
                spot.source.at(note.place),
                f"{note.keyword}= is glued to the word before it, with no blank between",
                f"write {note.keyword}= on an indented line of its own",
            )
        elif note.slip is Slip.BLANK_WORD:
            yield Hit(
                spot.source.at(note.place), "a backslash protects the blank after it, which so becomes part of a word"
            )


def _comma(spot: Spot, note: Note) -> Hit:
    return Hit(spot.source.at(note.place), f"the value of {note.keyword} ends in a comma")


def _equals(spot: Spot, note: Note) -> Hit:
    name = note.keyword or "a keyword"
    return Hit(spot.source.at(note.place), f"blanks around the = of {name}", f"{name}=VALUE")


def _unknown(spot: Spot, note: Note) -> Hit:
    if not note.keyword:
        return Hit(
            spot.source.at(note.place),
            f"a word of {spot.label} is no keyword=value (it is not shown: it may be part of a password)",
            "quote the value before it if it has blanks, else remove the word",
        )
    near = difflib.get_close_matches(note.keyword.lower(), [name.lower() for name in KEYWORDS], n=1, cutoff=0.7)
    known = find(near[0]) if near else None
    cure = f"{known.name}={STARS if known.syntax is Syntax.SECRET else 'VALUE'}" if known else ""
    hint = f"; did you mean {known.name}?" if known else ""
    return Hit(spot.source.at(note.place), f"there is no syncrepl keyword {note.keyword}{hint}", cure)


def _too_new(spot: Spot) -> Iterator[Hit]:
    for parameter in _distinct(spot):
        known = parameter.known
        if known and known.standing(spot.version) is not Standing.KNOWN and spot.version < known.since:
            yield Hit(
                spot.at(known.name), f"{known.name} came with OpenLDAP {known.since}, the target is {spot.version}"
            )


def _too_old(spot: Spot) -> Iterator[Hit]:
    for parameter in _distinct(spot):
        known = parameter.known
        last = known.until if known else None
        name = parameter.written or parameter.keyword
        if name.lower() in ALIAS_VERSIONS and known:
            last = ALIAS_VERSIONS[name.lower()][1]
        if last is not None and spot.version > last:
            better = "write authcid" if name.lower() == "bindprincipal" else "remove it"
            better = "write rid" if name.lower() == "id" else better
            yield Hit(spot.at(parameter.keyword), f"{name} was known up to OpenLDAP {last} only", better)


def _retry(spot: Spot, note: Note) -> Hit:
    return Hit(
        spot.source.at(note.place),
        "the value of retry has blanks and no quotes",
        f'retry="{" ".join(spot.text("retry").split())}"',
    )


def _unquoted(spot: Spot, note: Note) -> Hit:
    return Hit(
        spot.source.at(note.place),
        f"the value of {note.keyword} has blanks and no quotes",
        f'{note.keyword}="..."',
    )


def _typographic(spot: Spot, note: Note) -> Hit:
    name = f" at {note.keyword}" if note.keyword else ""
    return Hit(
        spot.source.at(note.place),
        f"a typographic quote or a non-breaking blank{name}: for slapd an ordinary character",
    )


def _folded(source: Source, place: Place | None) -> bool:
    """Glue in LDIF is told by LR118."""
    return source.form is Form.CN_CONFIG and any(fold(source)) and place is not None


def _distinct(spot: Spot) -> tuple[Parameter, ...]:
    """The parameters as written, each keyword once."""
    return tuple({parameter.written.lower(): parameter for parameter in spot.written.parameters}.values())


RULES: Final = (
    Rule(
        "LR101",
        Severity.ERROR,
        "parameter lines are not indented",
        "Only lines that begin with a blank or tab continue a directive. slapd takes the rest for unknown directives"
        ' and stops; the words it says are "Malformed syncrepl line ... missing provider, searchbase".',
        "indent each line of the stanza but the first",
        per_stanza(_each(Slip.NOT_INDENTED, _not_indented)),
    ),
    Rule(
        "LR102",
        Severity.ERROR,
        "a comment line inside the stanza",
        "A comment goes on over the indented lines after it, so the rest of the stanza is gone. When rid, provider and"
        " searchbase came before, every version starts and says nothing.",
        "move the comment above the word syncrepl",
        per_stanza(_each(Slip.COMMENT_INSIDE, _comment_inside)),
    ),
    Rule(
        "LR103",
        Severity.ERROR,
        "an indented or trailing # in the stanza",
        "Only a # in the first column begins a comment. 2.2 and 2.4 to 2.7 refuse the word, 2.3 ignores it.",
        "remove the comment, or move it above the word syncrepl",
        per_stanza(_each(Slip.COMMENT_WORD, _comment_word)),
    ),
    Rule(
        "LR104",
        Severity.ERROR,
        "an empty line inside the stanza",
        'An empty line ends a directive. 2.4 to 2.7 stop with "unknown directive" at the next line; 2.2 and 2.3 drop'
        " the rest without a word.",
        "remove the empty line",
        per_stanza(_each(Slip.EMPTY_LINE, _empty_line)),
    ),
    Rule(
        "LR105",
        Severity.WARNING,
        "a stanza whose first line is a comment",
        "The indented lines after a comment belong to it: no replication, and no message.",
        "comment out all lines of the stanza, or none",
        per_source(_head_commented),
    ),
    Rule(
        "LR106",
        Severity.ERROR,
        "a backslash that glues words",
        "A backslash at the end of a line joins it with the next one and nothing between; before a blank it makes the"
        " blank a part of the word. slapd refuses the word that comes out of it.",
        "remove the backslash: an indented line continues by itself",
        per_stanza(_glued),
    ),
    Rule(
        "LR107",
        Severity.ERROR,
        "commas between the parameters",
        "Blanks separate parameters; the comma becomes part of the value, which slapd then refuses.",
        "separate the parameters by blanks only",
        per_stanza(_each(Slip.COMMA, _comma)),
    ),
    Rule(
        "LR108",
        Severity.ERROR,
        "blanks around =",
        "slapd reads three words where one was meant and refuses them; 2.3 ignores them and takes the default.",
        "write keyword=value without blanks",
        per_stanza(_each(Slip.EQUALS, _equals)),
    ),
    Rule(
        "LR109",
        Severity.ERROR,
        "an unknown keyword",
        'slapd does not start ("Error: parse_syncrepl_line: unknown keyword"). 2.3 ignores the word without a message,'
        " so a misspelled retry or filter simply has no effect.",
        "correct or remove it",
        per_stanza(_each(Slip.UNKNOWN, _unknown)),
    ),
    Rule(
        "LR110",
        Severity.ERROR,
        "a keyword newer than the target version",
        "2.2 and 2.4 refuse what they do not know; 2.3 ignores it silently, tls_reqcert=demand included.",
        "remove the keyword, or upgrade",
        per_stanza(_too_new),
    ),
    Rule(
        "LR111",
        Severity.ERROR,
        "a keyword of an older version",
        "Refused as unknown from 2.4 on, ignored by 2.3. In these versions the rootdn writes what is replicated.",
        "remove it",
        per_stanza(_too_old),
    ),
    Rule(
        "LR112",
        Severity.ERROR,
        "retry without quotes",
        "The count becomes a word of its own, which 2.4 to 2.7 refuse. 2.3 and 2.4 report success to slaptest and then"
        " run without replication when only the count is missing.",
        'retry="60 +"',
        per_stanza(_each(Slip.RETRY, _retry)),
    ),
    Rule(
        "LR114",
        Severity.ERROR,
        "a value with blanks and no quotes",
        "The value ends at the first blank; slapd takes the rest for the next word and refuses it.",
        "put double quotes around the value",
        per_stanza(_each(Slip.UNQUOTED, _unquoted)),
    ),
    Rule(
        "LR115",
        Severity.ERROR,
        "typographic quotes or non-breaking blanks",
        "They come with text copied from web pages and word processors. slapd refuses the DN they stand in, or takes an"
        " indented line for a directive of its own; in a password they are simply wrong.",
        'type plain blanks and plain double quotes (")',
        per_stanza(_each(Slip.TYPOGRAPHIC, _typographic)),
    ),
)
