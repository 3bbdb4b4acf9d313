"""Other decoders for the same bytes: libldap (python-ldap) at the other end of a socket, pyasn1 and ldap3.

Each gives an entry as `(DN, {attribute: values})`, or None where it wants none of it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import ldap
from ldap.ldapobject import SimpleLDAPObject
from ldap3.operation.search import search_result_entry_response_to_dict_fast
from ldap3.protocol import rfc4511
from ldap3.utils.asn1 import decode_message_fast
from pyasn1.codec.ber import decoder
from pyasn1.error import PyAsn1Error

Decoded = tuple[bytes, dict[bytes, list[bytes]]]


class Libldap:
    """python-ldap; we are its server."""

    def __init__(self) -> None:
        ours, self._server = socket.socketpair()
        self._server.settimeout(120)
        self._client = ldap.initialize("ldap://libldap", fileno=ours.detach())  # libldap closes it

    def __enter__(self) -> Libldap:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        with contextlib.suppress(ldap.LDAPError, AttributeError):  # AttributeError: it was unbound before
            self._client.unbind_ext()

    def sent(self, call: Callable[[SimpleLDAPObject], object]) -> bytes:
        """What libldap sends for one call; nothing is answered."""
        call(self._client)
        return self._server.recv(1 << 20)

    def request(self, text: str) -> bytes | None:
        """The search request with a filter; None when libldap refuses the filter."""
        numbers = []
        try:
            request = self.sent(lambda client: numbers.append(client.search_ext("", ldap.SCOPE_BASE, text, ["1.1"])))
        except ldap.FILTER_ERROR:
            return None
        self.sent(lambda client: client.abandon(numbers[0]))
        return request

    def entry(self, data: bytes) -> Decoded | None:
        """The first entry in the answer `data` to message 1, after which the server hangs up."""
        self.sent(lambda client: client.search_ext("", ldap.SCOPE_BASE))
        self._server.sendall(data)
        self._server.shutdown(socket.SHUT_WR)  # or libldap would wait for the rest of a message
        try:
            _, found = self._client.result(1, all=0, timeout=120)
        except (ldap.LDAPError, UnicodeDecodeError):
            return None
        if not found:
            return None
        dn, attributes = found[0]
        return dn.encode(), {name.encode(): values for name, values in attributes.items()}


def by_pyasn1(data: bytes) -> Decoded | None:
    """By the ASN.1 of RFC 4511; nothing may follow the message."""
    try:
        message, rest = decoder.decode(data, asn1Spec=rfc4511.LDAPMessage())
        if rest or message["protocolOp"].getName() != "searchResEntry":
            return None
        entry = message["protocolOp"].getComponent()
        return _entry(
            bytes(entry["object"]),
            [(bytes(each["type"]), [bytes(value) for value in each["vals"]]) for each in entry["attributes"]],
        )
    except PyAsn1Error:
        return None


def by_ldap3(data: bytes) -> tuple[bytes, dict[bytes, list[bytes] | None]]:
    """By ldap3's own decoder, which trusts every length: for whole messages only. No values are None."""
    message = decode_message_fast(data)  # type: ignore[no-untyped-call]  # the stubs have no types for it
    entry = search_result_entry_response_to_dict_fast(message["payload"], None, None, False)  # type: ignore[no-untyped-call]
    return bytes(entry["raw_dn"]), {name.encode(): values for name, values in entry["raw_attributes"].items()}


def _entry(dn: bytes, attributes: list[tuple[bytes, list[bytes]]]) -> Decoded:
    held: dict[bytes, list[bytes]] = {}
    for name, values in attributes:
        held.setdefault(name, []).extend(values)
    return dn, held
