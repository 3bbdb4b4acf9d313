"""LDAP requests as bytes (RFC 4511, section 4): bind, search, modify, abandon, unbind, and the controls that go with
them.

A bulk read and its partner on the other server are sent with the same message ID, so that equal entries arrive as
equal frames.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ldaprepl.protocol.ber import ENUMERATED, INTEGER, SEQUENCE, SET, boolean, integer, octets, tlv
from ldaprepl.protocol.filters import encode_filter

MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"  # RFC 3296: referral objects are entries like others
SUBENTRIES = "1.3.6.1.4.1.4203.1.10.1"  # RFC 3672
ONLY_SUBENTRIES = b"\x01\x01\xff"  # the value of that control: visibility TRUE (RFC 3672, section 3)
# Subentries that are a server's own state: where slapd 2.2 keeps its contextCSN and its cookies. A filter.
OWN_SUBENTRIES = "(|(objectClass=syncProviderSubentry)(objectClass=syncConsumerSubentry))"
SYNC_REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"  # RFC 4533
SYNC_DONE = "1.3.6.1.4.1.4203.1.9.1.3"
_SCOPES = {"base": 0, "one": 1, "sub": 2, "subord": 3}
_SEARCH, _ABANDON, _UNBIND, _CONTROLS = 0x63, 0x50, 0x42, 0xA0
_OPERATIONS = {"add": 0, "delete": 1, "replace": 2}
_BIND, _MODIFY, _ADD, _EXTENDED = 0x60, 0x66, 0x68, 0x77


class Control(NamedTuple):
    """A request control (RFC 4511, section 4.1.11)."""

    oid: str
    critical: bool = False
    value: bytes | None = None

    def encoded(self) -> bytes:
        parts = [octets(self.oid)]
        parts += [boolean(True)] if self.critical else []
        parts += [octets(self.value)] if self.value is not None else []
        return tlv(SEQUENCE, *parts)


class SearchRequest(NamedTuple):
    """A search (RFC 4511, section 4.5.1): no limits unless asked for, aliases never dereferenced (RFC 4533 forbids
    more, and a copy wants the alias).
    """

    base: str
    scope: str = "base"
    filter: str = "(objectClass=*)"
    attributes: tuple[str, ...] = ("*", "+")
    controls: tuple[Control, ...] = ()
    size_limit: int = 0

    def encoded(self, message_id: int) -> bytes:
        """The whole LDAPMessage. Raises `UsageError` for a filter that is not RFC 4515."""
        return self.encoder()(message_id, self.base)

    def encoder(self) -> Callable[[int, str], bytes]:
        """The same for many bases: a function of message ID and base. Raises `UsageError`."""
        behind_base = b"".join(
            (
                integer(_SCOPES[self.scope], ENUMERATED),
                integer(0, ENUMERATED),
                integer(self.size_limit, INTEGER),
                integer(0, INTEGER),
                boolean(False),
                encode_filter(self.filter),
                tlv(SEQUENCE, *(octets(name) for name in self.attributes)),
            )
        )
        controls = _controls(self.controls)
        return lambda message_id, base: tlv(
            SEQUENCE, integer(message_id), tlv(_SEARCH, octets(base), behind_base), controls
        )


def manage_dsa_it() -> Control:
    """ManageDsaIT, not critical: servers without referral objects need not know it."""
    return Control(MANAGE_DSA_IT)


def sync_request(cookie: bytes | None = None, *, critical: bool) -> Control:
    """Sync Request, mode refreshOnly (RFC 4533, section 2.2)."""
    parts = [integer(1, ENUMERATED)] + ([octets(cookie)] if cookie else [])
    return Control(SYNC_REQUEST, critical, tlv(SEQUENCE, *parts))


def bind_simple(message_id: int, dn: str, password: bytes) -> bytes:
    """Simple bind (RFC 4511, section 4.2)."""
    return _message(message_id, tlv(_BIND, integer(3), octets(dn), octets(password, 0x80)))


def bind_external(message_id: int, authzid: str = "") -> bytes:
    """SASL EXTERNAL (RFC 4422, appendix A); the empty authorization identity is sent too, as libldap does."""
    return _message(message_id, tlv(_BIND, integer(3), octets(""), tlv(0xA3, octets("EXTERNAL"), octets(authzid))))


def bind_sasl(message_id: int, mechanism: str, credentials: bytes) -> bytes:
    """One step of a SASL bind (RFC 4511, section 4.2.1)."""
    return _message(message_id, tlv(_BIND, integer(3), octets(""), tlv(0xA3, octets(mechanism), octets(credentials))))


def extended(message_id: int, oid: str) -> bytes:
    """Extended request without a value (RFC 4511, section 4.12)."""
    return _message(message_id, tlv(_EXTENDED, octets(oid, 0x80)))


def replace_values(message_id: int, dn: str, name: str, values: Sequence[bytes]) -> bytes:
    """Modify: replace all values of one attribute (RFC 4511, section 4.6)."""
    return modify(message_id, dn, [Change("replace", name, tuple(values))])


class Change(NamedTuple):
    """One modification of an entry (RFC 4511, section 4.6): `operation` is add, delete or replace."""

    operation: str
    name: str
    values: tuple[bytes, ...]

    def encoded(self) -> bytes:
        attribute = tlv(SEQUENCE, octets(self.name), tlv(SET, *map(octets, self.values)))
        return tlv(SEQUENCE, integer(_OPERATIONS[self.operation], ENUMERATED), attribute)


def modify(message_id: int, dn: str, changes: Sequence[Change]) -> bytes:
    """Modify one entry: all of the changes or none (RFC 4511, section 4.6)."""
    return _message(message_id, tlv(_MODIFY, octets(dn), tlv(SEQUENCE, *(change.encoded() for change in changes))))


def add(message_id: int, dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> bytes:
    """Add one entry (RFC 4511, section 4.7)."""
    lines = (tlv(SEQUENCE, octets(name), tlv(SET, *map(octets, values))) for name, values in attributes)
    return _message(message_id, tlv(_ADD, octets(dn), tlv(SEQUENCE, *lines)))


def abandon(message_id: int, target: int) -> bytes:
    """Abandon the operation `target` (RFC 4511, section 4.11)."""
    return _message(message_id, integer(target, _ABANDON))


def unbind(message_id: int) -> bytes:
    """Say goodbye (RFC 4511, section 4.3)."""
    return _message(message_id, tlv(_UNBIND))


def _controls(controls: Sequence[Control]) -> bytes:
    return tlv(_CONTROLS, *(control.encoded() for control in controls)) if controls else b""


def _message(message_id: int, operation: bytes) -> bytes:
    return tlv(SEQUENCE, integer(message_id), operation)
