"""The two word splitters of slapd, and the quoting that each of them undoes.

A stanza is a list of words, `keyword=value`. slapd.conf and cn=config split their text by different rules
(`strtok_quote` and `strtok_quote_ldif` in OpenLDAP's servers/slapd/config.c, the same in 2.4 to 2.7), so the same text
can mean two things: in slapd.conf a backslash protects the next character and a double quote toggles anywhere; in
cn=config a backslash is an ordinary character and quotes can hardly be escaped. Both splitters behave here as there,
and the writer for cn=config checks itself against its splitter: what cannot be written is an error that says why,
never a value that means something else.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ldaprepl.errors import UsageError

BLANKS: Final = " \t"
SPACE: Final = " \t\n\v\f\r"  # isspace() of the C locale
COMMENT_WIDTH: Final = 78
PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/@%+*-]+")  # reads the same without quotes in both forms


class Form(StrEnum):
    """The two ways slapd keeps its configuration."""

    SLAPD_CONF = "slapd.conf"
    CN_CONFIG = "ldif"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: a file, LDIF or DN by name, and a line counted from 1 (0: as a whole)."""

    name: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


@dataclass(frozen=True, slots=True)
class Word:
    """One word as slapd understands it; `offset`: where it begins in the text, `open_quote`: no closing quote came."""

    text: str
    offset: int
    open_quote: bool = False


class Unwritable(UsageError):
    """A value that the chosen form cannot express. The message never holds the value: it may be a password."""


def split(text: str, form: Form) -> Iterator[Word]:
    """Split one logical line (slapd.conf) or one attribute value (cn=config) as slapd does."""
    return split_conf(text) if form is Form.SLAPD_CONF else split_config(text)


def quote(value: str, form: Form, key: str = "") -> str:
    """Write `value`, or the word `key=value`, so that `split` gives it back. Raises Unwritable."""
    return quote_conf(value, key) if form is Form.SLAPD_CONF else quote_config(value, key)


def split_conf(line: str) -> Iterator[Word]:
    """The words of a logical line of slapd.conf: blank and tab separate, `"` toggles, `\\` protects one character.

    A backslash that ends the line stands for itself. An unterminated quote (refused by 2.4 and later, taken by 2.3)
    runs to the end of the line and is marked.
    """
    position = 0
    while True:
        while position < len(line) and line[position] in BLANKS:
            position += 1
        if position == len(line):
            return
        start, quoted, text = position, False, []
        while position < len(line):
            char = line[position]
            if char == '"':
                quoted = not quoted
            elif char == "\\" and position + 1 < len(line):
                position += 1
                text.append(line[position])
            elif char in BLANKS and not quoted:
                break
            else:
                text.append(char)
            position += 1
        yield Word("".join(text), start, quoted)


def split_config(value: str) -> Iterator[Word]:
    """The words of a cn=config value such as olcSyncrepl (without its `{n}`).

    A quote that opens a word is dropped. From the first quote on blanks do not separate, and a quote followed by white
    space or the end closes the word and is dropped. Of the other quotes (not the opening, not the closing one) the last
    is dropped and the rest stays.
    """
    position = 0
    while position < len(value):
        while position < len(value) and value[position] in SPACE:
            position += 1
        start = position
        quoted = position < len(value) and value[position] == '"'
        position += quoted
        text: list[str] = []
        last_quote = -1
        while position < len(value):
            char = value[position]
            position += 1
            if char == '"':
                if quoted and (position == len(value) or value[position] in SPACE):
                    quoted = False
                    break
                quoted, last_quote = True, len(text)
            elif char in SPACE and not quoted:
                break
            text.append(char)
        if last_quote >= 0:
            del text[last_quote]
        yield Word("".join(text), start, quoted)
        while position < len(value) and value[position] in SPACE:
            position += 1


def quote_conf(value: str, key: str = "") -> str:
    """Quote for slapd.conf: double quotes around the value, a backslash before each `"` and each backslash."""
    for char, name in (("\0", "a NUL character"), ("\n", "a line break")):
        if char in value:
            raise Unwritable(f"{_subject(key)} holds {name}, which slapd.conf cannot express")
    prefix = f"{key}=" if key else ""
    if PLAIN.fullmatch(value):
        return prefix + value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{prefix}"{escaped}"'


def quote_config(value: str, key: str = "") -> str:
    """Quote for a cn=config value.

    Quotes inside are possible where one extra quote, which slapd drops, can stand after the last of them: the usual
    form quotes the whole word and doubles the last quote. Raises Unwritable where no place for it exists (a quote that
    stands before a blank can only be the first quote, with no blank earlier) and for what the syntax of the attribute,
    Directory String, does not allow.
    """
    if any(char in "\0\n\r" for char in value):
        raise Unwritable(f"{_subject(key)} holds a NUL character or a line break, which cn=config refuses")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise Unwritable(f"{_subject(key)} is not valid UTF-8, which cn=config refuses")
    word = f"{key}={value}" if key else value
    for written in _config_candidates(value, f"{key}=" if key else ""):
        # it must survive at the end of the whole value as well as in front of another word
        if _texts(written) == [word] and _texts(f"{written} x=y") == [word, "x=y"]:
            return written
    raise Unwritable(
        f"{_subject(key)} has a double quote before a blank, which the quoting of cn=config cannot express",
        "Choose a value without double quotes",
    )


def comment(text: str) -> str:
    """Comment lines for both forms, each with its newline.

    In slapd.conf they must stand above a directive: between its lines they would swallow the rest of it. In LDIF they
    may stand between attributes, not inside a folded value.
    """
    lines = [wrapped for line in text.splitlines() for wrapped in textwrap.wrap(line, COMMENT_WIDTH - 2) or [""]]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _config_candidates(value: str, prefix: str) -> Iterator[str]:
    """Ways to write the word, the most readable first."""
    if '"' not in value:
        if PLAIN.fullmatch(value):
            yield prefix + value
        yield f'{prefix}"{value}"'
        return
    word = prefix + value
    for place in range(word.rindex('"') + 1, len(word) + 1):
        extra = f'{word[:place]}"{word[place:]}'
        yield from (f'"{extra}"', f'{extra}"', f'"{extra}', extra)


def _texts(written: str) -> list[str]:
    return [word.text for word in split_config(written)]


def _subject(key: str) -> str:
    return f"The value of {key}" if key else "A value"
