r"""Search filters: text (RFC 4515) to bytes (RFC 4511, section 4.5.1.7).

The grammar is the one that libldap takes, so that a filter means here what it means in a syncrepl stanza and in
ldapsearch: no parentheses needed around a single item, blanks before and between the parts of `&` and `|`, `\(` beside
`\28`. What libldap refuses is refused here, because a slip would change the meaning: blanks around the whole, a bare
asterisk outside of equality and substrings, an underscore in a name. An error names the position and what was
expected there.
"""

from __future__ import annotations

import re
from typing import NoReturn

from ldaprepl.errors import UsageError
from ldaprepl.protocol.ber import SEQUENCE, boolean, octets, text_to_bytes, tlv

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _GREATER, _LESS, _PRESENT, _APPROX, _EXTENSIBLE = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
)  # fmt: skip
_SETS = {"&": _AND, "|": _OR}
_OPERATORS = {">": _GREATER, "<": _LESS, "~": _APPROX, ":": _EXTENSIBLE}
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_RULE, _TYPE, _MATCH_VALUE, _DN_ATTRIBUTES = 0x81, 0x82, 0x83, 0x84
_OID = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)"
_DESCRIPTION = re.compile(rf"{_OID}(?:;[A-Za-z0-9-]+)*")
_EXTENDED = re.compile(rf"(?P<name>{_DESCRIPTION.pattern})?(?P<dn>:[Dd][Nn])?(?::(?P<rule>{_OID}))?")
_PIECE = re.compile(r"(?:[^()*\\\0]|\\[0-9A-Fa-f]{2}|\\[()*\\])*")  # a value, or what stands between two asterisks
_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|[()*\\])")
_NOT_IN_VALUES = {
    "\\": "a backslash and two hexadecimal digits",
    "(": r"'\28' for a parenthesis in a value",
    "\0": r"'\00' for a zero byte in a value",
}
_BLANKS = " \t\n"
_MAX_DEPTH = 100  # deeper than any filter that a person writes, and no danger to the stack


def encode_filter(text: str) -> bytes:
    """Encode a filter such as `(&(objectClass=person)(!(cn=a*)))`. Raises `UsageError`."""
    if not text:
        raise UsageError("the search filter is empty", "Leave it out to mean (objectClass=*).")
    encoded, pos = _filter(text, 0, 0) if text.startswith("(") else _item(text, 0)
    if pos != len(text):
        _fail(text, pos, "the end")
    return encoded


def escape(value: bytes) -> str:
    """An assertion value as it may stand in a filter (RFC 4515, section 3): every octet that could mean something
    else escaped.
    """
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b"()*\\" else f"\\{byte:02x}" for byte in value)


def _fail(text: str, pos: int, expected: str) -> NoReturn:
    found = repr(text[pos]) if pos < len(text) else "the end"
    raise UsageError(f"search filter {text!r}: expected {expected} at position {pos + 1}, found {found}")


def _filter(text: str, pos: int, depth: int) -> tuple[bytes, int]:
    """The filter in parentheses at `pos`, encoded, and the position behind it."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"the search filter is nested more than {_MAX_DEPTH} levels deep")
    pos = _blanks(text, _expect(text, pos, "("))
    kind = text[pos : pos + 1]
    if kind in _SETS:
        parts, pos = [], _blanks(text, pos + 1)
        while text[pos : pos + 1] == "(":
            part, pos = _filter(text, pos, depth + 1)
            parts.append(part)
            pos = _blanks(text, pos)
        encoded = tlv(_SETS[kind], *parts)
    elif kind == "!":
        part, pos = _filter(text, _blanks(text, pos + 1), depth + 1)
        encoded = tlv(_NOT, part)
    else:
        encoded, pos = _item(text, pos)
    return encoded, _expect(text, pos, ")")


def _expect(text: str, pos: int, char: str) -> int:
    if text[pos : pos + 1] != char:
        _fail(text, pos, repr(char))
    return pos + 1


def _blanks(text: str, pos: int) -> int:
    while pos < len(text) and text[pos] in _BLANKS:
        pos += 1
    return pos


def _item(text: str, pos: int) -> tuple[bytes, int]:
    """Attribute, operator and value at `pos`, encoded, and the position behind the value."""
    equals = text.find("=", pos)
    if equals <= pos:
        _fail(text, pos, "attribute=value")
    tag = _OPERATORS.get(text[equals - 1], _EQUAL)
    left = text[pos : equals - (tag != _EQUAL)]
    if tag == _EXTENSIBLE:
        return _extensible(text, pos, left)
    if not _DESCRIPTION.fullmatch(left):
        _fail(text, pos, "an attribute description")
    pieces, end = _pieces(text, equals + 1, asterisks=tag == _EQUAL)
    if len(pieces) == 1:
        return tlv(tag, octets(left), octets(pieces[0])), end
    if pieces == [b"", b""]:
        return octets(left, _PRESENT), end
    return tlv(_SUBSTRINGS, octets(left), tlv(SEQUENCE, *_substrings(pieces))), end


def _extensible(text: str, pos: int, left: str) -> tuple[bytes, int]:
    found = _EXTENDED.fullmatch(left)
    if found is None or not (found["name"] or found["rule"]):
        _fail(text, pos, "attribute[:dn][:rule]:=value or [:dn]:rule:=value")
    pieces, end = _pieces(text, pos + len(left) + 2, asterisks=False)
    parts = [octets(found["rule"], _RULE)] if found["rule"] else []
    parts += [octets(found["name"], _TYPE)] if found["name"] else []
    parts += [octets(pieces[0], _MATCH_VALUE)]
    parts += [boolean(True, _DN_ATTRIBUTES)] if found["dn"] else []
    return tlv(_EXTENSIBLE, *parts), end


def _pieces(text: str, pos: int, *, asterisks: bool) -> tuple[list[bytes], int]:
    """The parts of a value between its asterisks, and the position behind the value."""
    pieces: list[bytes] = []
    while found := _PIECE.match(text, pos):
        pieces.append(_unescape(found[0]))
        pos = found.end()
        if text[pos : pos + 1] != "*":
            break
        if not asterisks:
            _fail(text, pos, r"'\2a' for an asterisk in this value")
        if len(pieces) > 1 and not pieces[-1]:
            _fail(text, pos, "a value between two asterisks")
        pos += 1
    for char, instead in _NOT_IN_VALUES.items():
        if text[pos : pos + 1] == char:
            _fail(text, pos, instead)
    return pieces, pos


def _unescape(piece: str) -> bytes:
    """Bytes, not characters, are escaped: `\\c3\\a4` is one character."""
    return _ESCAPED.sub(
        lambda found: bytes.fromhex(found[1].decode()) if len(found[1]) == 2 else found[1],
        text_to_bytes(piece),
    )


def _substrings(pieces: list[bytes]) -> list[bytes]:
    initial, *middle, final = pieces
    parts = [octets(initial, _INITIAL)] if initial else []
    parts += [octets(piece, _ANY) for piece in middle]
    parts += [octets(final, _FINAL)] if final else []
    return parts
