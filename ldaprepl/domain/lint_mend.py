"""What the writer of a stanza meant: slips of the pen, and the words as they would be without them.

One slip (a blank after `=`, an unquoted list, a comment between the lines) makes slapd refuse the whole stanza or lose
half of it. A linter that stopped there would tell one thing a day. So each slip is noted, mended, and the rest is
judged as it was meant. No slip holds a word that may be part of a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from ldaprepl.domain.keywords import KEYWORDS, Keyword, Syntax, find
from ldaprepl.domain.slapdconf import Line, logical_lines
from ldaprepl.domain.stanza import Parameter, Stanza
from ldaprepl.domain.words import SPACE, Form, Place, split_conf

ODD_BLANKS: Final = "\u00a0\u1680\u2007\u202f\u3000\ufeff\u200b"
ODD_QUOTES: Final = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\uff02"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_TELLING: Final = re.compile(r"[A-Za-z][A-Za-z_-]{1,24}")
_LONG: Final = (Syntax.DN, Syntax.FILTER, Syntax.LIST, Syntax.TEXT, Syntax.FILE, Syntax.AUTHZID, Syntax.SECRET)
_GLUE: Final = re.compile(
    r"(?<=[A-Za-z0-9\"/:+*)])("
    + "|".join(sorted((name for name, word in KEYWORDS.items() if word.syntax is not Syntax.FLAG), key=len)[::-1])
    + r")="
)


class Slip(Enum):
    """Kinds of slips, in the order of the catalogue."""

    NOT_INDENTED = auto()
    COMMENT_INSIDE = auto()  # a comment line inside a stanza: what follows belongs to the comment
    COMMENT_WORD = auto()  # `#` as a word
    EMPTY_LINE = auto()
    HEAD_COMMENTED = auto()  # only the first line of a stanza is a comment
    GLUED = auto()
    BLANK_WORD = auto()  # a backslash before a blank
    COMMA = auto()
    EQUALS = auto()
    UNKNOWN = auto()
    RETRY = auto()
    UNQUOTED = auto()
    TYPOGRAPHIC = auto()
    DIRECTIVE = auto()  # the word syncrepl at the start of an olcSyncrepl value


@dataclass(frozen=True, slots=True)
class Note:
    """One slip: where, and which keyword it concerns (empty when its name might be part of a password).

    `lost` are the keywords that slapd does not see because of it.
    """

    slip: Slip
    place: Place | None
    keyword: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stray:
    """Lines of a slapd.conf that were meant for the stanza that begins at `head` (0: none), with their words."""

    note: Note
    head: int
    words: tuple[tuple[str, Place], ...] = field(repr=False)


def strays(text: str, name: str) -> Iterator[Stray]:
    """Lines that were meant as parts of a stanza but are not: unindented, after an empty line, inside a comment."""
    head = 0
    for line in logical_lines(text):
        words = [(word.text, Place(name, line.number_at(word.offset))) for word in split_conf(line.text)]
        if line.comment:
            stray = _commented(line, name, head)
            if stray:
                yield stray
            continue
        first = words[0][0].strip(ODD_BLANKS) if words else ""
        if head and _is_parameter(first):
            slip = Slip.EMPTY_LINE if line.text[0] in SPACE else Slip.NOT_INDENTED
            slip = Slip.TYPOGRAPHIC if line.text[0] in ODD_BLANKS else slip
            yield Stray(Note(slip, Place(name, line.number), lost=_keywords(words)), head, tuple(words))
        elif words:
            head = line.number if first.lower() == "syncrepl" else 0


def mend(stanza: Stanza, form: Form, extra: Iterable[tuple[str, Place]] = ()) -> tuple[Stanza, tuple[Note, ...]]:
    """The stanza as it was meant, and what was mended. `extra` are words of stray lines."""
    words = [(_word(parameter), parameter.place) for parameter in stanza.parameters]
    mender = _Mender(form, [*words, *extra])
    mender.run()
    return Stanza.from_words(((f"{name}={value}" if value is not None else name, place)
                              for name, value, place in mender.kept), stanza.place), tuple(mender.notes)  # fmt: skip


def _commented(line: Line, name: str, head: int) -> Stray | None:
    """A comment that has swallowed lines of a stanza."""
    if len(line.parts) < 2:
        return None
    start = line.parts[1][0]
    words = [(word.text, Place(name, line.number_at(start + word.offset))) for word in split_conf(line.text[start:])]
    if not words or not any(_is_parameter(text) for text, _ in words[:2]):
        return None
    own = line.text[1:start].split()
    place = Place(name, line.number)
    whole = bool(own) and own[0].lower() == "syncrepl"
    if whole or words[0][0].lower() == "syncrepl" or not head:
        return Stray(Note(Slip.HEAD_COMMENTED, place, lost=_keywords(words)), 0, ())
    return Stray(Note(Slip.COMMENT_INSIDE, place, lost=_keywords(words)), head, tuple(words))


def _is_parameter(word: str) -> bool:
    name, equals, _ = word.partition("=")
    known = find(name)
    if not equals:
        return known is not None and known.syntax is Syntax.FLAG
    return known is not None or _NAME.fullmatch(name) is not None


def _keywords(words: Iterable[tuple[str, Place]]) -> tuple[str, ...]:
    """Names of the known keywords among the words."""
    found = (find(text.strip(ODD_BLANKS).partition("=")[0]) for text, _ in words)
    return tuple(dict.fromkeys(known.name for known in found if known))


def _word(parameter: Parameter) -> str:
    text = parameter.text
    if not parameter.keyword:
        return text or ""
    name = parameter.written or parameter.keyword
    return name if text is None else f"{name}={text}"


class _Mender:
    """Walks the words once; `kept` are the parameters as meant."""

    def __init__(self, form: Form, words: Sequence[tuple[str, Place | None]]) -> None:
        self.form = form
        self.words = list(words)
        self.at = 0
        self.kept: list[tuple[str, str | None, Place | None]] = []
        self.notes: list[Note] = []

    def run(self) -> None:
        while self.at < len(self.words):
            word, place = self.words[self.at]
            self.at += 1
            if word == "#" or (word.startswith("#") and not self._previous_is(Syntax.SECRET)):
                self._comment(place)
                continue
            word = self._clean(word, place)
            if word:
                self._take(word, place)

    def _note(self, slip: Slip, place: Place | None, keyword: str = "") -> None:
        if not self.notes or (self.notes[-1].slip, self.notes[-1].keyword) != (slip, keyword) or not keyword:
            self.notes.append(Note(slip, place, keyword))

    def _comment(self, place: Place | None) -> None:
        self._note(Slip.COMMENT_WORD, place)
        if self.form is Form.SLAPD_CONF:  # the rest of the physical line was meant as a comment too
            while self.at < len(self.words) and self.words[self.at][1] == place:
                self.at += 1

    def _clean(self, word: str, place: Place | None) -> str:
        """Without blanks that a backslash protects, and with plain quotes."""
        if word[:1] in (" ", "\t"):
            self._note(Slip.BLANK_WORD, place)
            word = word.strip()
        name, equals, value = word.partition("=")
        known = find(name.strip(ODD_BLANKS))
        if known and known.syntax is Syntax.SECRET:
            quoted = value[:1] in ODD_QUOTES and value[:1] != ""
        else:
            quoted = any(char in ODD_QUOTES for char in value[:1] + value[-1:])
        odd = name.strip(ODD_BLANKS) != name or (known is not None and quoted)
        if odd and (known or not self._previous_is(Syntax.SECRET)):
            self._note(Slip.TYPOGRAPHIC, place, known.name if known else "")
            if value[:1] in ODD_QUOTES and value[-1:] not in ODD_QUOTES:
                value = self._closed(value)
            word = name.strip(ODD_BLANKS) + equals + value.strip(ODD_QUOTES)
        return word

    def _closed(self, value: str) -> str:
        """The value with the words after it, up to the one with the closing typographic quote."""
        ends = [at for at in range(self.at, len(self.words)) if self.words[at][0][-1:] in ODD_QUOTES]
        if not ends or any(_is_known(word) for word, _ in self.words[self.at : ends[0] + 1]):
            return value
        words = [word for word, _ in self.words[self.at : ends[0] + 1]]
        self.at = ends[0] + 1
        return " ".join([value, *words])

    def _take(self, word: str, place: Place | None) -> None:
        name, equals, value = word.partition("=")
        known = find(name)
        if not self.kept and word.lower() == "syncrepl":
            self._note(Slip.DIRECTIVE, place)
        elif word.startswith("=") and self.kept and self.kept[-1][1] is None:
            self._equals(value)
        elif known and equals:
            self._parameter(known, name, value, place)
        elif (known and known.syntax is Syntax.FLAG) or (known and self._next().startswith("=")):
            self.kept.append((name, None, place))
        elif equals and _NAME.fullmatch(name) and not self._continues(value):
            # after a password this may be the rest of it, and with digits a password by itself: it is not told
            telling = _TELLING.fullmatch(name) is not None and not self._previous_is(Syntax.SECRET)
            self._note(Slip.UNKNOWN, place, name if telling else "")
            self.kept.append((name, value, place))
        else:
            self._bare(word, place)

    def _parameter(self, known: Keyword, name: str, value: str, place: Place | None) -> None:
        follower = self._next()
        if not value and follower and not _is_parameter(follower) and "=" not in follower[:1]:
            self._note(Slip.EQUALS, place, known.name)
            value, self.at = follower, self.at + 1
        if value.endswith(",") and known.syntax is not Syntax.SECRET and (not follower or _is_known(follower)):
            self._note(Slip.COMMA, place, known.name)
            value = value.rstrip(",")
        glued = _GLUE.search(value) if known.syntax not in (Syntax.SECRET, Syntax.FILTER, Syntax.LIST) else None
        if glued:
            self._note(Slip.GLUED, place, glued[1])
            self.words.insert(self.at, (value[glued.start() :], place))
            value = value[: glued.start()]
        self.kept.append((name, value, place))

    def _equals(self, value: str) -> None:
        name, _, place = self.kept.pop()
        known = find(name)
        self._note(Slip.EQUALS, place, known.name if known else "")
        if not value and self.at < len(self.words):
            value, self.at = self.words[self.at][0], self.at + 1
        self.kept.append((name, value, place))

    def _bare(self, word: str, place: Place | None) -> None:
        previous = find(self.kept[-1][0]) if self.kept else None
        if previous is None or self.kept[-1][1] is None:
            self._note(Slip.UNKNOWN, place)
            return
        if previous.syntax is Syntax.RETRY and (word.isdigit() or word == "+"):
            self._note(Slip.RETRY, place, previous.name)
        elif previous.syntax in _LONG:
            self._note(Slip.UNQUOTED, place, previous.name)
        else:
            self._note(Slip.UNKNOWN, place)
            return
        name, value, where = self.kept[-1]
        # a word that does not look like the rest of a DN, list or filter may be a password without its keyword
        fits = "=" in word or (value or "").endswith(",") or word.endswith(")")
        fits = fits and not any(char in ' \t"' for char in word)
        if fits or previous.syntax in (Syntax.RETRY, Syntax.SECRET):
            self.kept[-1] = (name, f"{value} {word}", where)

    def _continues(self, value: str) -> bool:
        """Whether an unknown `x=y` is the rest of a DN or list that was not quoted."""
        if not self.kept:
            return False
        name, held, _ = self.kept[-1]
        known = find(name)
        return known is not None and known.syntax in (Syntax.DN, Syntax.LIST) and (held or "").endswith(",")

    def _previous_is(self, syntax: Syntax) -> bool:
        known = find(self.kept[-1][0]) if self.kept else None
        return known is not None and known.syntax is syntax

    def _next(self) -> str:
        return self.words[self.at][0] if self.at < len(self.words) else ""


def _is_known(word: str) -> bool:
    known = find(word.partition("=")[0])
    return known is not None and ("=" in word or known.syntax is Syntax.FLAG)
