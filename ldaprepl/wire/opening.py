"""Opening: ldap3 connects, secures and binds; what comes back is its socket.

This is the only file that imports ldap3, and the one place where its exceptions become ours. The host name is checked
by OpenSSL itself, through the context that `secured` makes, not by ldap3's own comparison.
"""

from __future__ import annotations

import math
import socket
import ssl
from typing import Any
from urllib.parse import quote

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPStartTLSError

from ldaprepl.errors import LdapreplError, ProtocolViolation
from ldaprepl.wire import plain
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Sasl, Simple
from ldaprepl.wire.secured import bind_refused, starttls_refused, text_of, tls_context, tls_failed, unreachable

_CONNECT_TIMEOUT = 15  # seconds; longer than any network that replication should cross


class _Tls(ldap3.Tls):
    """ldap3's TLS with the standard library's whole verification: chain, dates, and host name or address."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__()
        self._context = context
        self._host = host
        self.failure: OSError | None = None  # ldap3 passes on the text only

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        try:
            connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)
        except OSError as error:
            self.failure = error
            raise


def open_socket(endpoint: Endpoint) -> socket.socket:
    """A connected, secured and bound socket.

    Raises `ServerUnavailable` with the reason and the cure, `ProtocolViolation` for an answer that is none.
    """
    if isinstance(endpoint.bind, Sasl):  # ldap3 has no SCRAM
        return plain.open_socket(endpoint)
    address = endpoint.address
    uri = endpoint.uri
    needs_tls = address.scheme == "ldaps" or endpoint.starttls
    tls = _Tls(tls_context(endpoint), address.host) if needs_tls else None
    connection = None
    try:
        connection = _connection(endpoint, tls)
        connection.open(read_server_info=False)
        if endpoint.starttls:
            connection.start_tls(read_server_info=False)
        if not isinstance(endpoint.bind, Anonymous):
            _bind(connection, endpoint)
        taken: socket.socket = connection.socket
        # ldap3 closes its socket when the Connection is collected; we keep the socket and it forgets it.
        connection.socket = None
        connection.closed = True
        return taken
    except LDAPStartTLSError as error:
        if tls is not None and tls.failure:
            raise tls_failed(uri, tls.failure) from error
        raise starttls_refused(uri, text_of(error)) from error
    except (LDAPException, OSError, ValueError) as error:
        if tls is not None and tls.failure:
            raise tls_failed(uri, tls.failure) from error
        raise unreachable(uri, error) from error
    except LdapreplError:
        raise
    except Exception as error:  # ldap3 trusts what it decodes: rubbish ends in a KeyError, a TypeError, anything
        raise ProtocolViolation(
            f"{uri} answered StartTLS or bind with something that ldap3 cannot read",
            "Check that the port speaks LDAP, and whether it wants ldaps://.",
        ) from error
    finally:
        if connection is not None and connection.socket is not None:
            connection.socket.close()


def _connection(endpoint: Endpoint, tls: _Tls | None) -> Any:
    address = endpoint.address
    seconds = max(1, math.ceil(endpoint.timeout))
    server = ldap3.Server(
        f"ldapi://{quote(address.path)}" if address.scheme == "ldapi" else address.host,
        port=address.port or 389,
        use_ssl=address.scheme == "ldaps",
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=min(seconds, _CONNECT_TIMEOUT),
    )
    return ldap3.Connection(
        server,
        receive_timeout=seconds,
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,  # or the password would go to whatever server the answer to the bind names
        check_names=False,
        **_credentials(endpoint),
    )


def _credentials(endpoint: Endpoint) -> dict[str, Any]:
    match endpoint.bind:
        case Simple(dn, password):
            # As bytes: ldap3 would change text by SASLprep, which no server does with what it holds.
            return {"user": dn, "password": password.reveal_bytes(), "authentication": ldap3.SIMPLE}
        case External(authzid):
            words = authzid.encode("utf-8", "surrogateescape")
            return {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.EXTERNAL, "sasl_credentials": words}
        case _:
            return {"authentication": ldap3.ANONYMOUS}


def _bind(connection: Any, endpoint: Endpoint) -> None:
    if connection.bind(read_server_info=False):
        return
    result = connection.result or {}
    raise bind_refused(endpoint, int(result.get("result", -1)), result.get("message") or "")
