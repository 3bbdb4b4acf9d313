"""Entries of live servers and records of dumps, taken apart in one way, so that one comparison takes both.

A frame of a server begins with a SEQUENCE, a record with `dn`. Values of a record get the encoding of the protocol:
what is the same on both sides is the same bytes again.
"""

from __future__ import annotations

from ldaprepl.domain.ldifstream import decode_lines, split_record
from ldaprepl.protocol import ber
from ldaprepl.protocol.messages import decode_entry


def split_either(frame: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """DN and attributes `(description, encoded values)`. Raises `ProtocolViolation` for what a server sent."""
    if frame[0] == ber.SEQUENCE:
        return decode_entry(frame)
    dn, attributes = split_record(frame)
    return dn, [(name, b"".join([_octets(value) for value in decode_lines(lines)])) for name, lines in attributes]


def _octets(value: bytes) -> bytes:
    size = len(value)
    return bytes((ber.OCTET_STRING, size)) + value if size < 0x80 else ber.octets(value)
