"""Search filters: text (RFC 4515) to bytes (RFC 4511, section 4.5.1.7).

Strict where a slip would change the meaning, lenient where slapd is: the outermost parentheses may be missing, as in
a syncrepl stanza. An error names the position and what was expected there.
"""

from __future__ import annotations

from ldaprepl.errors import UsageError
from ldaprepl.protocol.ber import OCTET_STRING, SEQUENCE, octets, tlv

_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _GREATER, _LESS, _PRESENT, _APPROX, _EXTENSIBLE = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
)  # fmt: skip
_SETS = {"&": _AND, "|": _OR}
_COMPARISONS = {">": _GREATER, "<": _LESS, "~": _APPROX}
_MAX_DEPTH = 200


def encode_filter(text: str) -> bytes:
    """Encode a filter such as `(&(objectClass=person)(!(cn=a*)))`. Raises `UsageError`."""
    stripped = text.strip()
    if not stripped:
        raise UsageError("the search filter is empty", "Leave it out to mean (objectClass=*).")
    if not stripped.startswith("("):
        stripped = f"({stripped})"
    encoded, pos = _filter(stripped, 0, 0)
    if pos != len(stripped):
        raise _error(stripped, pos, "nothing more")
    return encoded


def escape(value: bytes) -> str:
    """An assertion value as it may stand in a filter (RFC 4515, section 3): every octet that could mean something
    else escaped.
    """
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b"()*\\" else f"\\{byte:02x}" for byte in value)


def _error(text: str, pos: int, expected: str) -> UsageError:
    found = repr(text[pos]) if pos < len(text) else "the end"
    return UsageError(f"search filter {text!r}: expected {expected} at position {pos + 1}, found {found}")


def _filter(text: str, pos: int, depth: int) -> tuple[bytes, int]:
    if depth > _MAX_DEPTH:
        raise UsageError(f"the search filter is nested more than {_MAX_DEPTH} levels deep")
    if text[pos : pos + 1] != "(":
        raise _error(text, pos, "'('")
    pos += 1
    kind = text[pos : pos + 1]
    if kind in _SETS:
        parts, pos = [], pos + 1
        while text[pos : pos + 1] == "(":
            part, pos = _filter(text, pos, depth + 1)
            parts.append(part)
        encoded = tlv(_SETS[kind], *parts)
    elif kind == "!":
        part, pos = _filter(text, pos + 1, depth + 1)
        encoded = tlv(_NOT, part)
    else:
        encoded, pos = _item(text, pos)
    if text[pos : pos + 1] != ")":
        raise _error(text, pos, "')'")
    return encoded, pos + 1


def _item(text: str, pos: int) -> tuple[bytes, int]:
    equals = text.find("=", pos)
    end = text.find(")", pos)
    if end < 0:
        raise _error(text, len(text), "')'")
    if not pos < equals < end:
        raise _error(text, pos, "attribute=value")
    name, value = text[pos:equals], text[equals + 1 : end]
    kind = name[-1]
    if kind in _COMPARISONS:
        return tlv(_COMPARISONS[kind], _description(text, pos, name[:-1]), _value(text, equals + 1, value)), end
    if kind == ":":
        return _extensible(text, pos, name[:-1], value), end
    if value == "*":
        return octets(_checked(text, pos, name), _PRESENT), end
    if "*" in value:
        return _substrings(text, pos, name, value), end
    return tlv(_EQUAL, _description(text, pos, name), _value(text, equals + 1, value)), end


def _checked(text: str, pos: int, name: str) -> str:
    if not name or not name.isascii() or not all(char.isalnum() or char in "-.;_" for char in name):
        raise _error(text, pos, "an attribute description")
    return name


def _description(text: str, pos: int, name: str) -> bytes:
    return octets(_checked(text, pos, name))


def _value(text: str, pos: int, value: str, tag: int = OCTET_STRING) -> bytes:
    return octets(_unescape(text, pos, value), tag)


def _unescape(text: str, pos: int, value: str) -> bytes:
    if "(" in value:
        raise _error(text, pos + value.index("("), "'\\28' for a parenthesis in a value")
    if "\\" not in value:
        return value.encode()
    first, *rest = value.split("\\")
    out = bytearray(first.encode())
    for piece in rest:
        try:
            out.append(int(piece[:2], 16) if len(piece) >= 2 and piece[:2].isalnum() else int("", 16))
        except ValueError:
            raise _error(text, text.find("\\", pos), "a backslash and two hexadecimal digits") from None
        out += piece[2:].encode()
    return bytes(out)


def _substrings(text: str, pos: int, name: str, value: str) -> bytes:
    initial, *middle, final = value.split("*")
    at = pos + len(name) + 1
    parts = [_value(text, at, initial, 0x80)] if initial else []
    parts += [_value(text, at, piece, 0x81) for piece in middle if piece]
    parts += [_value(text, at, final, 0x82)] if final else []
    if not parts:
        raise _error(text, at, "a value between the asterisks")
    return tlv(_SUBSTRINGS, _description(text, pos, name), tlv(SEQUENCE, *parts))


def _extensible(text: str, pos: int, left: str, value: str) -> bytes:
    name, *options = left.split(":")
    dn_attributes = bool(options) and options[0].lower() == "dn"
    rules = options[1:] if dn_attributes else options
    if len(rules) > 1 or (not name and not rules):
        raise _error(text, pos, "attribute[:dn][:rule]:=value")
    parts = [octets(_checked(text, pos, rules[0]), 0x81)] if rules else []
    parts += [octets(_checked(text, pos, name), 0x82)] if name else []
    parts.append(_value(text, text.index("=", pos) + 1, value, 0x83))
    parts += [tlv(0x84, b"\xff")] if dn_attributes else []
    return tlv(_EXTENSIBLE, *parts)
