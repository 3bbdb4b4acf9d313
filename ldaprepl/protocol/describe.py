"""Requests read back from their bytes, to be told to people: what was asked for, never a value that could be secret.

The reverse of `requests` and `filters`, for the log and the capture only; nothing decides by it. An operation that is
not known here is told by its number. Values in filters go through `shown`, values to be written are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ldaprepl.errors import ProtocolViolation
from ldaprepl.protocol import ber

Shown = Callable[[str, bytes], str]
_SCOPES = ("base", "one", "sub", "subord")
_CHANGES = ("add", "delete", "replace", "increment")
_NAMES = {
    0x60: "bind", 0x63: "search", 0x66: "modify", 0x68: "add", 0x4A: "delete", 0x6C: "rename", 0x6E: "compare",
    0x50: "abandon", 0x42: "unbind", 0x77: "extended",
}  # fmt: skip
_COMPARED = {0xA3: "=", 0xA5: ">=", 0xA6: "<=", 0xA8: "~="}


class Request(NamedTuple):
    """One request: message ID, operation, and what is to be told of it."""

    message: int
    op: str
    detail: dict[str, Any]


def requests_in(data: bytes, shown: Shown) -> Iterator[Request]:
    """Every whole LDAPMessage in the bytes (RFC 4511, section 4.1.1). What cannot be read is left out."""
    pos = 0
    while pos < len(data):
        try:
            start, end = ber.expect(ber.SEQUENCE, data, pos, len(data), "LDAPMessage")
            message, at = ber.read_integer(data, start, end, "messageID")
            op, body, stop = ber.header(data, at, end, "protocolOp")
            detail = _detail(op, data[body:stop], shown)
            if stop < end:
                detail["controls"] = list(_controls(data, stop, end))
        except ProtocolViolation:
            return
        yield Request(message, _NAMES.get(op, f"0x{op:02x}"), detail)
        pos = end


def _detail(op: int, body: bytes, shown: Shown) -> dict[str, Any]:
    match _NAMES.get(op):
        case "search":
            return _search(body, shown)
        case "modify":
            dn, pos = ber.read_octets(body, 0, len(body), "object")
            return {"dn": text_of(dn), "changes": list(_changes(body, pos))}
        case "add":
            dn, pos = ber.read_octets(body, 0, len(body), "entry")
            return {"dn": text_of(dn), "attributes": [text_of(name) for name, _, _ in _attributes(body, pos)]}
        case "delete":
            return {"dn": text_of(body)}
        case "rename":
            dn, pos = ber.read_octets(body, 0, len(body), "entry")
            rdn, _ = ber.read_octets(body, pos, len(body), "newrdn")
            return {"dn": text_of(dn), "rdn": text_of(rdn)}
        case "extended":
            _, start, stop = ber.header(body, 0, len(body), "requestName")
            return {"oid": text_of(body[start:stop])}
        case "bind":
            _, pos = ber.read_integer(body, 0, len(body), "version")
            dn, _ = ber.read_octets(body, pos, len(body), "name")
            return {"dn": text_of(dn)}  # and nothing of how it is proved
    return {}


def _search(body: bytes, shown: Shown) -> dict[str, Any]:
    end = len(body)
    base, pos = ber.read_octets(body, 0, end, "baseObject")
    scope, pos = ber.read_integer(body, pos, end, "scope", ber.ENUMERATED)
    for field in ("derefAliases", "sizeLimit", "timeLimit", "typesOnly"):
        pos = ber.header(body, pos, end, field)[2]
    condition, pos = _filter(body, pos, end, shown)
    start, stop = ber.expect(ber.SEQUENCE, body, pos, end, "attributes")
    names = []
    while start < stop:
        name, start = ber.read_octets(body, start, stop, "attribute")
        names.append(text_of(name))
    return {"base": text_of(base), "scope": _SCOPES[scope] if 0 <= scope < len(_SCOPES) else str(scope),
            "filter": condition, "attributes": names}  # fmt: skip


def _filter(body: bytes, pos: int, end: int, shown: Shown) -> tuple[str, int]:
    tag, start, stop = ber.header(body, pos, end, "filter")
    if tag in (0xA0, 0xA1, 0xA2):
        parts = []
        while start < stop:
            part, start = _filter(body, start, stop, shown)
            parts.append(part)
        return f"({'&|!'[tag - 0xA0]}{''.join(parts)})", stop
    if tag == 0x87:
        return f"({text_of(body[start:stop])}=*)", stop
    if tag in _COMPARED:
        name, at = ber.read_octets(body, start, stop, "attribute")
        value, _ = ber.read_octets(body, at, stop, "value")
        return f"({text_of(name)}{_COMPARED[tag]}{shown(text_of(name), value)})", stop
    if tag == 0xA4:
        name, _ = ber.read_octets(body, start, stop, "attribute")
        return f"({text_of(name)}=*...*)", stop
    return "(...)", stop


def _changes(body: bytes, pos: int) -> Iterator[str]:
    start, end = ber.expect(ber.SEQUENCE, body, pos, len(body), "changes")
    while start < end:
        at, stop = ber.expect(ber.SEQUENCE, body, start, end, "change")
        operation, at = ber.read_integer(body, at, stop, "operation", ber.ENUMERATED)
        at, _ = ber.expect(ber.SEQUENCE, body, at, stop, "modification")
        name, _ = ber.read_octets(body, at, stop, "type")
        yield f"{_CHANGES[operation] if 0 <= operation < len(_CHANGES) else operation} {text_of(name)}"
        start = stop


def _attributes(body: bytes, pos: int) -> Iterator[tuple[bytes, int, int]]:
    start, end = ber.expect(ber.SEQUENCE, body, pos, len(body), "attributes")
    while start < end:
        at, stop = ber.expect(ber.SEQUENCE, body, start, end, "attribute")
        name, at = ber.read_octets(body, at, stop, "type")
        yield name, at, stop
        start = stop


def _controls(data: bytes, pos: int, end: int) -> Iterator[str]:
    start, stop = ber.expect(0xA0, data, pos, end, "controls")
    while start < stop:
        at, last = ber.expect(ber.SEQUENCE, data, start, stop, "control")
        oid, _ = ber.read_octets(data, at, last, "controlType")
        yield text_of(oid)
        start = last


def text_of(value: bytes) -> str:
    """Bytes as text, whatever they are."""
    return value.decode("utf-8", "backslashreplace")
