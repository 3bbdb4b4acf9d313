"""Opening without a library: connect, secure and bind with a socket, `ssl` and a few messages of our own.

For commands that must start at once (`check` runs every minute on every host; importing ldap3 takes longer than all it
has to do). It knows what `Endpoint` knows: no bind, simple bind, SASL EXTERNAL and SCRAM, StartTLS. Errors are those of
`opening`.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from ldaprepl.errors import ProtocolViolation, Refused, ServerUnavailable, UsageError
from ldaprepl.protocol.frames import FrameReader, Op
from ldaprepl.protocol.messages import Result, decode_result
from ldaprepl.protocol.requests import bind_external, bind_sasl, bind_simple, extended
from ldaprepl.protocol.results import SUCCESS, name_of
from ldaprepl.wire.endpoint import Anonymous, Endpoint, Sasl, Simple
from ldaprepl.wire.secured import bind_refused, starttls_refused, tls_context, tls_failed, unreachable

if TYPE_CHECKING:
    from ldaprepl.domain.secret import Secret

_START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511, section 4.14
_STARTTLS_ID, _BIND_ID = 1, 2
_ANSWER = {_STARTTLS_ID: Op.EXTENDED_RESPONSE, _BIND_ID: Op.BIND_RESPONSE}
_IN_PROGRESS = 14
_CONNECT_TIMEOUT = 15.0  # seconds; longer than any network that replication should cross


def open_socket(endpoint: Endpoint) -> socket.socket:
    """A connected, secured and bound socket. Raises `ServerUnavailable` with the reason and the cure."""
    secure = endpoint.address.scheme == "ldaps" or endpoint.starttls
    context = tls_context(endpoint) if secure else None
    connected = _connected(endpoint)
    try:
        if endpoint.starttls:
            result = _ask(connected, extended(_STARTTLS_ID, _START_TLS), _STARTTLS_ID, endpoint)
            if result.code != SUCCESS:
                raise starttls_refused(endpoint.uri, name_of(result.code) + (f": {result.text}" if result.text else ""))
        if context is not None:
            try:
                connected = context.wrap_socket(connected, server_hostname=endpoint.address.host)
            except OSError as error:
                raise tls_failed(endpoint.uri, error) from error
        if not isinstance(endpoint.bind, Anonymous):
            _bind(connected, endpoint)
    except BaseException:
        connected.close()
        raise
    return connected


def _connected(endpoint: Endpoint) -> socket.socket:
    address = endpoint.address
    seconds = min(endpoint.timeout, _CONNECT_TIMEOUT)
    try:
        if address.scheme != "ldapi":
            # Bytes keep Python from importing its tables for other alphabets, which takes as long as the connection.
            host: Any = address.host.encode() if address.host.isascii() else address.host
            connected = socket.create_connection((host, address.port), seconds)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            connected = socket.socket(socket.AF_UNIX)
            try:
                connected.settimeout(seconds)
                connected.connect(address.path)
            except BaseException:
                connected.close()
                raise
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that no resolver can be asked for
        raise unreachable(endpoint.uri, error) from error
    connected.settimeout(endpoint.timeout)
    return connected


def _bind(connected: socket.socket, endpoint: Endpoint) -> None:
    match endpoint.bind:
        case Simple(dn, password):
            request = bind_simple(_BIND_ID, dn, password.reveal_bytes())
        case Sasl():
            return _bind_scram(connected, endpoint, endpoint.bind)
        case bind:
            request = bind_external(_BIND_ID, getattr(bind, "authzid", ""))
    result = _ask(connected, request, _BIND_ID, endpoint)
    if result.code != SUCCESS:
        raise bind_refused(endpoint, result.code, result.text)


def by_hand(bind: Sasl) -> Secret:
    """The password of a SASL bind that needs no libsasl. Raises `UsageError` for all others."""
    from ldaprepl.protocol.scram import HASHES

    if bind.mechanism not in HASHES or bind.password is None:
        raise UsageError(
            f"{bind.mechanism} is only for what sync and replay write: what compares does without libsasl",
            f"Use --sasl EXTERNAL, a simple bind, or one of {', '.join(sorted(HASHES))}.",
        )
    return bind.password


def _bind_scram(connected: socket.socket, endpoint: Endpoint, bind: Sasl) -> None:
    """SCRAM, the one family of SASL mechanisms that is done by hand; it leaves the connection as it is."""
    from ldaprepl.protocol.scram import Scram

    password = by_hand(bind)
    import secrets

    scram = Scram(bind.mechanism, bind.name, password.reveal_bytes(), secrets.token_urlsafe(18), bind.authzid)
    answer = _ask(connected, bind_sasl(_BIND_ID, bind.mechanism, scram.first()), _BIND_ID, endpoint)
    if answer.code == _IN_PROGRESS:
        reply = scram.final(answer.value or b"")
        answer = _ask(connected, bind_sasl(_BIND_ID, bind.mechanism, reply), _BIND_ID, endpoint)
        proven = scram.verified(answer.value or b"")
        if answer.code == _IN_PROGRESS:  # the server's proof as a step of its own
            answer = _ask(connected, bind_sasl(_BIND_ID, bind.mechanism, b""), _BIND_ID, endpoint)
        if answer.code == SUCCESS and not proven:
            raise Refused(f"{endpoint.uri} did not prove that it knows the password of {bind.name}: is it the server?")
    if answer.code != SUCCESS:
        raise bind_refused(endpoint, answer.code, answer.text)


def _ask(connected: socket.socket, request: bytes, message_id: int, endpoint: Endpoint) -> Result:
    """Send one request and wait for its one answer. Raises `ServerUnavailable` or `ProtocolViolation`."""
    uri = endpoint.uri
    reader = FrameReader(message_id)
    try:
        connected.sendall(request)
        while True:
            data = connected.recv(65536)
            if not data:
                raise ServerUnavailable(f"{uri} closed the connection", "Its log says why; does the port speak TLS?")
            batch = reader.feed(data)
            if batch.messages:
                result = decode_result(batch.messages[0])
                break
    except ProtocolViolation as error:
        raise ProtocolViolation(f"{uri} does not speak LDAP as it should: {error.message}") from error
    except OSError as error:
        if hasattr(connected, "cipher"):  # with TLS 1.3 a refused client certificate shows with the first answer
            raise tls_failed(uri, error) from error
        raise unreachable(uri, error) from error
    if len(batch.messages) > 1 or batch.entries or reader.pending:
        # What stands behind the answer to StartTLS was not protected: somebody may have put it there.
        raise ProtocolViolation(f"{uri} sent more than the answer that it was asked for")
    if batch.messages[0].id == 0:
        text = f": {result.text}" if result.text else ""
        raise ServerUnavailable(f"{uri} ended the connection ({name_of(result.code)}{text})")
    if batch.messages[0].op != _ANSWER[message_id]:
        raise ProtocolViolation(f"{uri} answered something else than it was asked")
    return result
