"""The small part of BER (X.690) that LDAP uses: definite lengths, tags of one byte (RFC 4511, section 5.1).

Writing goes from values to bytes by plain functions. Reading checks every length against the room that its parent
leaves: nothing is ever read past `end`, and what does not fit raises `ProtocolViolation` with the offset and the name
of the field, so that a decode error says which field is wrong.
"""

from __future__ import annotations

from ldaprepl.errors import ProtocolViolation, UsageError

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
MAX_LENGTH_BYTES = 4  # a length of 4 GiB and more is never meant seriously


def tlv(tag: int, *parts: bytes) -> bytes:
    """Encode one element: `tag`, the length, and the concatenated `parts`."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Encode a signed integer in the fewest bytes (also ENUMERATED, by `tag`)."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def boolean(value: bool, tag: int = BOOLEAN) -> bytes:
    """Encode a boolean; TRUE is 0xFF (RFC 4511, section 5.1)."""
    return tlv(tag, b"\xff" if value else b"\x00")


def octets(value: bytes | str, tag: int = OCTET_STRING) -> bytes:
    """Encode an octet string. Raises `UsageError` for text that is none (see `text_to_bytes`)."""
    return tlv(tag, text_to_bytes(value) if isinstance(value, str) else value)


def text_to_bytes(text: str) -> bytes:
    """UTF-8, with surrogate escapes for what a server or a terminal gave that is not (PEP 383).

    Raises `UsageError` for half a surrogate pair, which is no character and has no bytes.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise UsageError(f"{text!r} holds half a character at position {error.start + 1}") from None


def header(data: bytes, pos: int, end: int, field: str) -> tuple[int, int, int]:
    """Read tag and length at `pos`: (tag, start of the content, end of the content).

    Raises `ProtocolViolation` when the element does not fit before `end`, its length has an indefinite or absurd form,
    or its tag more than one byte.
    """
    if pos + 2 > end:
        raise ProtocolViolation(f"{field} is missing or cut off at byte {pos}")
    tag, size = data[pos], data[pos + 1]
    if tag & 0x1F == 0x1F:
        raise ProtocolViolation(f"{field} has a tag of several bytes at byte {pos}, which LDAP does not know")
    start = pos + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 0 < count <= MAX_LENGTH_BYTES:
            raise ProtocolViolation(f"{field} has an invalid length form 0x{size:02x} at byte {pos + 1}")
        if start + count > end:
            raise ProtocolViolation(f"{field} is cut off in its length at byte {pos + 1}")
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > end:
        raise ProtocolViolation(f"{field} claims {size} bytes at byte {pos}, but only {end - start} are left")
    return tag, start, start + size


def expect(tag: int, data: bytes, pos: int, end: int, field: str) -> tuple[int, int]:
    """Read an element that must have `tag`: (start of the content, end of the content)."""
    found, start, stop = header(data, pos, end, field)
    if found != tag:
        raise ProtocolViolation(f"{field} has tag 0x{found:02x} instead of 0x{tag:02x} at byte {pos}")
    return start, stop


def read_octets(data: bytes, pos: int, end: int, field: str, tag: int = OCTET_STRING) -> tuple[bytes, int]:
    """Read an octet string: (value, offset behind it)."""
    start, stop = expect(tag, data, pos, end, field)
    return data[start:stop], stop


def read_integer(data: bytes, pos: int, end: int, field: str, tag: int = INTEGER) -> tuple[int, int]:
    """Read an integer or enumerated value: (value, offset behind it)."""
    start, stop = expect(tag, data, pos, end, field)
    if not 1 <= stop - start <= 8:
        raise ProtocolViolation(f"{field} is an integer of {stop - start} bytes at byte {pos}")
    return int.from_bytes(data[start:stop], "big", signed=True), stop
