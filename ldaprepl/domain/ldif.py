"""LDIF, written and read: RFC 2849.

The writer is strict, and stricter than the RFC in one thing: whatever is not printable ASCII is written in base64, so
that a file shown on a terminal cannot carry an escape sequence. The reader is tolerant (missing blank after the colon,
CRLF, raw UTF-8, a byte order mark, no final newline), but never guesses: what it cannot read is an error that names the
line. Both keep the order of attributes and values. Nothing here opens a file: `attribute:< URL` is refused.
"""

from __future__ import annotations

import binascii
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ldaprepl.domain.entry import Entry

WIDTH: Final = 76  # columns of a line before it is folded (RFC 2849, note 2)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._;-]*")  # AttributeDescription (RFC 4512), underscore tolerated


class LdifError(ValueError):
    """What cannot be read, and the line (from 1) where that begins."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it stands: `line` is where it begins (from 1), `pairs` all its lines after the DN, unfolded and
    decoded, in their order. A lone `-`, which ends one modification of a change record, is the pair `("-", b"")`."""

    line: int
    dn: str
    pairs: tuple[tuple[str, bytes], ...]


def line(name: str, value: bytes | str, width: int = WIDTH) -> str:
    """One `name: value` line with its newline, in base64 where needed, folded at `width` columns (0: never).

    Raises ValueError for a name that is not an attribute description: it could smuggle lines in.
    """
    _check(name)
    octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if not octets:
        encoded = f"{name}:"
    elif plain := _plain(octets):
        encoded = f"{name}: {plain}"
    else:
        encoded = f"{name}:: {binascii.b2a_base64(octets, newline=False).decode('ascii')}"
    if not width or len(encoded) <= width:
        return f"{encoded}\n"
    rest = range(width, len(encoded), width - 1)  # a continuation line begins with one blank
    return "\n ".join([encoded[:width], *(encoded[at : at + width - 1] for at in rest)]) + "\n"


def entry_text(entry: Entry, width: int = WIDTH) -> str:
    """One entry as a content record, with the blank line that ends it. Raises ValueError as `line` does."""
    parts = [line("dn", entry.dn, width)]
    for name, values in entry.attributes.items():
        _check(name)
        room = width - len(name) - 2 if width else sys.maxsize
        for value in values:
            # nearly all lines are short and plain: written here, a large file takes half the time
            plain = _plain(value) if 0 < len(value) <= room else None
            parts.append(f"{name}: {plain}\n" if plain else line(name, value, width))
    parts.append("\n")
    return "".join(parts)


def records(lines: Iterable[str]) -> Iterator[Record]:
    """Read records from lines of text (with or without their newlines); comments and the version line are left out.

    Undecodable bytes should come as surrogate escapes (PEP 383). Raises ValueError with the line number.
    """
    start, held = 0, list[tuple[str, bytes]]()
    for number, text in logical_lines(lines):
        if text:
            name, value = pair(number, text)
            if not held:
                if name.lower() == "version":
                    continue
                if name.lower() != "dn":
                    raise LdifError(number, f"a record must begin with dn:, not {name}:")
                start = number
            held.append((name, value))
        elif held:
            yield _record(start, held)
            held = []
    if held:
        yield _record(start, held)


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Read content records as entries; repeated names are joined under their first spelling.

    Raises ValueError with the line number, also for a change record.
    """
    for record in records(lines):
        attributes: dict[str, list[bytes]] = {}
        spelling: dict[str, str] = {}
        for name, value in record.pairs:
            if name == "-" or name.lower() == "changetype":
                raise LdifError(record.line, "a change record where an entry was expected")
            attributes.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
        yield Entry(record.dn, {name: tuple(values) for name, values in attributes.items()})


def logical_lines(lines: Iterable[str], first: int = 1) -> Iterator[tuple[int, str]]:
    """Lines unfolded, without comments (which may be folded too), with the number that they begin at, counted from
    `first`; "" ends a record."""
    parts: list[str] = []
    start = 0
    for number, raw in enumerate(lines, first):
        text = raw.rstrip("\r\n")
        if number == 1:
            text = text.removeprefix("\ufeff")
        if text.startswith(" ") and parts:
            parts.append(text[1:])
            continue
        if parts and not parts[0].startswith("#"):
            yield start, "".join(parts)
        start, parts = number, [text] if text else []
        if not text:
            yield number, ""
    if parts and not parts[0].startswith("#"):
        yield start, "".join(parts)


def pair(number: int, text: str) -> tuple[str, bytes]:
    """One unfolded line as name and decoded value. Raises `LdifError` that names the line."""
    if text.rstrip() == "-":
        return "-", b""
    name, colon, rest = text.partition(":")
    name = name.rstrip()
    if not colon or not name or name[0].isspace():
        raise LdifError(number, "no attribute name and colon")
    if rest[:1] == "<":
        raise LdifError(number, f"{name}:< names a file or URL, which is not read")
    if rest[:1] != ":":
        return name, rest.lstrip(" ").encode("utf-8", "surrogateescape")
    try:
        return name, binascii.a2b_base64(rest[1:].strip(), strict_mode=True)
    except ValueError as error:  # binascii.Error, or a character beyond ASCII
        raise LdifError(number, f"{name}: is not valid base64 ({error})") from error


def _record(start: int, held: list[tuple[str, bytes]]) -> Record:
    return Record(start, held[0][1].decode("utf-8", "surrogateescape"), tuple(held[1:]))


@lru_cache(maxsize=4096)
def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not an attribute description")


def _plain(octets: bytes) -> str | None:
    """The text of a SAFE-STRING of printable characters that does not end with a blank (note 8); None for others."""
    if not octets.isascii():
        return None
    text = octets.decode("ascii")
    return text if text.isprintable() and text[0] not in " :<" and text[-1] != " " else None
