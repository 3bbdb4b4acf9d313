"""Opening: ldap3 connects, secures and binds; what comes back is its socket.

This is the only file that imports ldap3, and the one place where its exceptions and those of `ssl` become ours. The
host name is checked by OpenSSL itself, through a context of ours, not by ldap3's own comparison.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPStartTLSError

from ldaprepl.errors import LdapreplError, ServerUnavailable
from ldaprepl.protocol.results import name_of
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Simple

_INVALID_CREDENTIALS = 49
_CONNECT_TIMEOUT = 15  # seconds; longer than any network that replication should cross
_ERRNO = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")


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
    """A connected, secured and bound socket. Raises `ServerUnavailable` with the reason and the cure."""
    address = endpoint.address
    uri = endpoint.uri
    needs_tls = address.scheme == "ldaps" or endpoint.starttls
    tls = _Tls(_context(endpoint), address.host) if needs_tls else None
    seconds = max(1, math.ceil(endpoint.timeout))
    try:
        server = ldap3.Server(
            f"ldapi://{address.path}" if address.scheme == "ldapi" else address.host,
            port=address.port or 389,
            use_ssl=address.scheme == "ldaps",
            tls=tls,
            get_info=ldap3.NONE,
            connect_timeout=min(seconds, _CONNECT_TIMEOUT),
        )
        connection = ldap3.Connection(
            server, receive_timeout=seconds, auto_bind=ldap3.AUTO_BIND_NONE, **_credentials(endpoint)
        )
        connection.open(read_server_info=False)
        if endpoint.starttls:
            connection.start_tls(read_server_info=False)
        if not isinstance(endpoint.bind, Anonymous):
            _bind(connection, endpoint)
    except LDAPStartTLSError as error:
        if tls is not None and tls.failure:
            raise _tls_failed(uri, tls.failure) from error
        raise ServerUnavailable(
            f"{uri} refused StartTLS ({_text(error)})", "Configure TLS on the server, or use ldaps://."
        ) from error
    except (LDAPException, OSError, ValueError) as error:
        if tls is not None and tls.failure:
            raise _tls_failed(uri, tls.failure) from error
        raise ServerUnavailable(f"{uri} cannot be reached ({_text(error)})") from error
    taken: socket.socket = connection.socket
    # ldap3 closes its socket when the Connection is collected; we keep the socket and it forgets it.
    connection.socket = None
    connection.closed = True
    return taken


def _credentials(endpoint: Endpoint) -> dict[str, Any]:
    match endpoint.bind:
        case Simple(dn, password):
            return {"user": dn, "password": password.reveal(), "authentication": ldap3.SIMPLE}
        case External(authzid):
            credentials = (authzid,) if authzid else ()
            return {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.EXTERNAL, "sasl_credentials": credentials}
        case _:
            return {"authentication": ldap3.ANONYMOUS}


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    tls = endpoint.tls
    try:
        context = ssl.create_default_context(cafile=str(tls.cacert) if tls.cacert else None)
        if tls.cert:
            context.load_cert_chain(str(tls.cert), str(tls.key) if tls.key else None)
    except (OSError, ssl.SSLError) as error:
        raise ServerUnavailable(
            f"{endpoint.uri}: the certificate files cannot be used ({_text(error)})",
            "Check --cacert, --cert and --key: PEM format, readable, and key and certificate of one pair.",
        ) from error
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _bind(connection: Any, endpoint: Endpoint) -> None:
    if connection.bind(read_server_info=False):
        return
    result = connection.result or {}
    code = int(result.get("result", -1))
    text = f": {result['message']}" if result.get("message") else ""
    cure = "The DN or the password is wrong; servers do not say which." if code == _INVALID_CREDENTIALS else ""
    raise ServerUnavailable(f"{endpoint.uri} refused to bind {endpoint.bind} ({name_of(code)}{text})", cure)


def _tls_failed(uri: str, error: OSError) -> LdapreplError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServerUnavailable(
            f"{uri}: its certificate was not accepted ({error.verify_message})",
            "Give the CA with --cacert, and the server by a name that stands in its certificate.",
        )
    reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else _text(error)
    return ServerUnavailable(f"{uri}: TLS failed ({reason})", "Check that the port speaks TLS.")


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    found = _ERRNO.search(text)  # ldap3 wraps the operating system's words in its own, sometimes twice
    return found[1] if found else text or type(error).__name__
