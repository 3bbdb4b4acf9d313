"""The values of RFC 4533 (LDAP Content Synchronization) as bytes: one request control, three kinds of answer.

Decoded here by hand: it costs a third of a general ASN.1 decoder, and the two readers of this project must not share
one. Field numbers as in RFC 4533, section 2. Slapd 2.2 sends the same values under other outer tags, which libldap
sorts out, and marks its response controls critical.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol import ber

REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"
STATE = "1.3.6.1.4.1.4203.1.9.1.2"
DONE = "1.3.6.1.4.1.4203.1.9.1.3"
INFO = "1.3.6.1.4.1.4203.1.9.1.4"
REFRESH_ONLY = 1
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3
_UUID_BYTES = 16


class State(IntEnum):
    """syncStateValue.state."""

    PRESENT = 0
    ADD = 1
    MODIFY = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class SyncState:
    """Comes with each entry. `uuid` is lower-case text."""

    state: State
    uuid: str
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class SyncDone:
    """Comes with the search result. `cookie` None: none was sent, which is not the empty one."""

    cookie: str | None = None
    refresh_deletes: bool = False


@dataclass(frozen=True, slots=True)
class SyncInfo:
    """An intermediate message. Only an id set has `uuids` (not None)."""

    cookie: str | None = None
    refresh_deletes: bool = False
    uuids: tuple[str, ...] | None = None


def encode_request(cookie: str | None) -> bytes:
    """syncRequestValue for refreshOnly. No cookie leaves the field out: 2.3 refuses an empty one (code 2)."""
    mode = ber.integer(REFRESH_ONLY, ber.ENUMERATED)
    return ber.tlv(ber.SEQUENCE, mode, ber.octets(cookie) if cookie else b"")


def decode_state(value: bytes) -> SyncState:
    """syncStateValue. Raises `ProtocolViolation`."""
    at, end = ber.expect(ber.SEQUENCE, value, 0, len(value), "syncStateValue")
    number, at = ber.read_integer(value, at, end, "state", ber.ENUMERATED)
    octets, at = ber.read_octets(value, at, end, "entryUUID")
    cookie = ber.read_octets(value, at, end, "cookie")[0] if at < end else None
    try:
        return SyncState(State(number), _uuid(octets), _text(cookie))
    except ValueError:
        raise ProtocolViolation(f"syncStateValue has the unknown state {number}") from None


def decode_done(value: bytes | None) -> SyncDone:
    """syncDoneValue. Raises `ProtocolViolation`."""
    if not value:
        return SyncDone()
    at, end = ber.expect(ber.SEQUENCE, value, 0, len(value), "syncDoneValue")
    cookie, at = _optional_cookie(value, at, end)
    return SyncDone(cookie, _flag(value, at, end))


def decode_info(value: bytes) -> SyncInfo:
    """syncInfoValue. Raises `ProtocolViolation`."""
    tag, at, end = ber.header(value, 0, len(value), "syncInfoValue")
    if tag == _NEW_COOKIE:
        return SyncInfo(_text(value[at:end]))
    if tag not in (_REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET):
        raise ProtocolViolation(f"syncInfoValue has the unknown tag 0x{tag:02x}")
    cookie, at = _optional_cookie(value, at, end)
    if tag != _ID_SET:
        return SyncInfo(cookie)
    deletes = False
    if at < end and value[at] == ber.BOOLEAN:
        deletes = _flag(value, at, end)
        at += 3
    at, end = ber.expect(ber.SET, value, at, end, "syncUUIDs")
    uuids = []
    while at < end:
        octets, at = ber.read_octets(value, at, end, "syncUUID")
        uuids.append(_uuid(octets))
    return SyncInfo(cookie, deletes, tuple(uuids))


def _optional_cookie(value: bytes, at: int, end: int) -> tuple[str | None, int]:
    if at < end and value[at] == ber.OCTET_STRING:
        octets, at = ber.read_octets(value, at, end, "cookie")
        return _text(octets), at
    return None, at


def _flag(value: bytes, at: int, end: int) -> bool:
    """A boolean with the default FALSE."""
    if at >= end:
        return False
    start, stop = ber.expect(ber.BOOLEAN, value, at, end, "refreshDeletes")
    return any(value[start:stop])


def _uuid(octets: bytes) -> str:
    if len(octets) != _UUID_BYTES:
        raise ProtocolViolation(f"a syncUUID has {len(octets)} bytes instead of {_UUID_BYTES}")
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _text(cookie: bytes | None) -> str | None:
    return None if cookie is None else cookie.decode("utf-8", "surrogateescape")
