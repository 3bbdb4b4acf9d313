"""Connections through python-ldap (libldap), for the commands that write or speak the sync protocol.

Only the modules of `wire` that `sync` uses may import python-ldap: `verify` has to work without it, and must not share
a decoder with what it judges. Here are opening, TLS and bind, the answer loop over `result4`, and the one table from
libldap's exceptions to ours.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap
import ldap.controls
import ldap.ldapobject
import ldap.sasl

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.plural import counted
from ldaprepl.domain.scope import Scope
from ldaprepl.errors import UNCHANGED, IncompleteRead, LdapreplError, Refused, ServerUnavailable
from ldaprepl.protocol import results, syncrepl
from ldaprepl.wire import plain, trace
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Sasl, Simple
from ldaprepl.wire.secured import unreachable

_CONNECT_TIMEOUT = 15  # seconds
_SCOPES = {Scope.BASE: 0, Scope.ONE: 1, Scope.SUB: 2, Scope.SUBORD: 3}
MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"
SCOPE_BASE = 0


# slapd's words, with code 80, when it could not store an entry. Of one whose name is too long it says nothing, or words
# about the DN index.
_NO_ROOM = ("entry store failed", "entry update failed", "txn_begin failed", "commit failed")


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended: the LDAP result code, the server's text, response controls by OID."""

    code: int
    text: str = ""
    matched: str = ""
    controls: tuple[tuple[str, bytes | None], ...] = ()

    def __str__(self) -> str:
        return results.name_of(self.code) + (f": {self.text}" if self.text else "")

    @property
    def no_room(self) -> bool:
        """Whether slapd's database has reached its maxsize, or its disk is full."""
        return self.code == results.OTHER and any(words in self.text for words in _NO_ROOM)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a search. `kind`: entry, reference or info; `value` is the info's. Controls as raw bytes."""

    kind: str
    entry: Entry | None = None
    controls: tuple[tuple[str, bytes | None], ...] = ()
    name: str = ""
    value: bytes = b""


class _Raw:
    """Makes python-ldap hand over the bytes of the controls that we decode ourselves."""

    controlType = ""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.criticality = False

    def decodeControlValue(self, value: bytes | None) -> None:
        self.value = value


class _State(_Raw):
    controlType = syncrepl.STATE


class _Done(_Raw):
    controlType = syncrepl.DONE


_RAW_CONTROLS = {syncrepl.STATE: _State, syncrepl.DONE: _Done}


def control(oid: str, value: bytes | None = None, critical: bool = True) -> Any:
    """A request control."""
    return ldap.controls.RequestControl(oid, critical, value)


class _Connection(ldap.ldapobject.SimpleLDAPObject):  # type: ignore[misc]  # python-ldap has no types
    """python-ldap's connection, which can be left in the middle: Ctrl-C strikes while its lock is held, is then raised
    before the lock is given back, and an unbind with an ordinary lock would wait for ever."""

    def _ldap_lock(self, desc: str = "") -> Any:
        return ldap.LDAPLock(threading.RLock, desc)

    def _ldap_call(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        trace.called(self._uri, func.__name__, args)
        return super()._ldap_call(func, *args, **kwargs)


class Session:
    """One bound connection. `open_session` makes it."""

    def __init__(self, endpoint: Endpoint, connection: Any) -> None:
        self.endpoint = endpoint
        self.connection = connection

    @property
    def uri(self) -> str:
        return self.endpoint.uri

    def close(self) -> None:
        """Unbind; never raises."""
        try:
            self.connection.unbind_ext_s()
        except ldap.LDAPError:
            pass

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def search(
        self, base: str, scope: Scope = Scope.BASE, filter_: str = "(objectClass=*)",
        attributes: Sequence[str] = (), controls: Sequence[Any] = (),
    ) -> int:  # fmt: skip
        """Send a search (aliases never followed: slapd refuses that together with sync, and 2.2 drops them)."""
        try:
            msgid: int = self.connection.search_ext(
                base, _SCOPES[scope], filter_, list(attributes) or None, serverctrls=list(controls)
            )
        except ldap.FILTER_ERROR as error:
            raise LdapreplError(f"the filter {filter_!r} is not a search filter") from error
        except ldap.LDAPError as error:
            raise self.lost(error) from error
        return msgid

    def abandon(self, msgid: int) -> None:
        """The rest of an answer is not wanted."""
        try:
            self.connection.abandon(msgid)
        except ldap.LDAPError as error:
            raise self.lost(error) from error

    def messages(self, msgid: int) -> Iterator[Message | Result]:
        """The messages of one search in the order of the wire; the last one is its Result, whatever its code."""
        while True:
            try:
                kind, data, _, controls, _, _ = self.connection.result4(
                    msgid, all=0, timeout=self.endpoint.timeout, add_ctrls=1, add_intermediates=1,
                    resp_ctrl_classes=_RAW_CONTROLS,
                )  # fmt: skip
            except ldap.LDAPError as error:
                yield self.result_of(error)
                return
            if kind == ldap.RES_SEARCH_RESULT:
                yield Result(0, controls=_pairs(controls))
                return
            for name, value, extra in data:
                if kind == ldap.RES_SEARCH_ENTRY:
                    held = Entry(name, {key: tuple(values) for key, values in value.items()})
                    yield Message("entry", held, _pairs(extra))
                elif kind == ldap.RES_INTERMEDIATE:
                    yield Message("info", name=name or "", value=value or b"")
                else:
                    yield Message("reference", controls=_pairs(extra))

    def entries(self, msgid: int) -> tuple[list[Entry], Result]:
        """A small answer as a whole."""
        held: list[Entry] = []
        result = Result(0)
        for message in self.messages(msgid):
            if isinstance(message, Result):
                result = message
            elif message.entry is not None:
                held.append(message.entry)
        return held, result

    def read(self, base: str, attributes: Sequence[str], filter_: str = "(objectClass=*)") -> Entry | None:
        """One entry, or None when the server does not show it."""
        manage = control(MANAGE_DSA_IT, critical=False) if base else None
        asked = self.search(base, Scope.BASE, filter_, attributes, [manage] if manage else ())
        held, _ = self.entries(asked)
        return held[0] if held else None

    def bulk(self, msgid: int, what: str) -> Iterator[Entry]:
        """Entries of a search that must come to a clean end. Raises `IncompleteRead`."""
        number = 0
        for message in self.messages(msgid):
            if isinstance(message, Result):
                if message.code != results.SUCCESS:
                    raise self.incomplete(message, what, number)
            elif message.entry is not None:
                number += 1
                yield message.entry

    def incomplete(self, result: Result, what: str, number: int) -> IncompleteRead:
        """The error for a read that was cut, with the line that lifts the limit."""
        cure = UNCHANGED
        if result.code in (results.SIZE_LIMIT, results.TIME_LIMIT, results.ADMIN_LIMIT):
            who = self.endpoint.bind
            pattern = f'dn.exact="{who.dn}"' if isinstance(who, Simple) else "anonymous"
            if isinstance(who, External | Sasl):
                pattern = 'dn.exact="<the DN that it is mapped to>"'
            cure = f"In that server's database section: limits {pattern} size=unlimited time=unlimited"
        return IncompleteRead(f"{self.uri} cut {what} for {self.endpoint.bind} after {counted(number)}: {result}", cure)

    def full(self, dn: str, result: Result) -> IncompleteRead:
        """The error for a server that has no room: the entry is not to blame, and none after it would fit either."""
        return IncompleteRead(
            f"{self.uri} has no room for {dn!r} ({result}): its database or its disk is full",
            "Raise maxsize (olcDbMaxSize) there, or free disk space. What was done so far stays, and the next run goes"
            " on from there.",
        )

    def result_of(self, error: ldap.LDAPError) -> Result:
        """A result code out of libldap's exception. Raises `ServerUnavailable` where there is none."""
        info = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code = info.get("result", -1)
        if code < 0 or isinstance(error, (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR)):
            raise self.lost(error) from error
        return Result(code, str(info.get("info", "")), str(info.get("matched", "")))

    def lost(self, error: ldap.LDAPError) -> ServerUnavailable:
        """The connection is of no use any more."""
        stays = "What was done so far stays, and the next run goes on from there."
        if isinstance(error, ldap.TIMEOUT):
            words = f"{self.uri} sent nothing for {self.endpoint.timeout:g} s"
            return ServerUnavailable(words, f"{stays} Raise --timeout if the server is only slow.")
        return ServerUnavailable(f"the connection to {self.uri} broke off ({_words(error)})", stays)


def open_session(endpoint: Endpoint) -> Session:
    """Connect, secure and bind. Raises `ServerUnavailable`, `Refused`."""
    address = endpoint.checked().address
    secure = address.scheme == "ldaps" or endpoint.starttls
    if secure:
        _try_plainly(endpoint)
    try:
        session = Session(endpoint, _Connection(endpoint.uri, bytes_mode=False))
        try:
            _let_in(session.connection, endpoint, secure)
        except BaseException:
            session.close()  # or the server would be held for as long as somebody holds the error
            raise
    except ldap.INVALID_CREDENTIALS as error:
        raise Refused(
            f"{endpoint.uri} does not let {endpoint.bind} in: wrong password, or no such identity",
            "Check --bind-dn and the password file.",
        ) from error
    except (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ValueError) as error:
        _try_plainly(endpoint)
        raise unreachable(endpoint.uri, TimeoutError(_words(error))) from error
    except ldap.LDAPError as error:
        raise Refused(f"{endpoint.uri} does not let {endpoint.bind} in ({_words(error)})") from error
    return session


def _let_in(connection: Any, endpoint: Endpoint, secure: bool) -> None:
    connection.protocol_version = 3
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.set_option(ldap.OPT_DEREF, ldap.DEREF_NEVER)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, min(endpoint.timeout, _CONNECT_TIMEOUT))
    connection.set_option(ldap.OPT_TIMEOUT, endpoint.timeout)
    if secure:
        _prepare_tls(connection, endpoint)
    if endpoint.starttls:
        connection.start_tls_s()
    _bind(connection, endpoint)
    _make_blocking(connection, endpoint.timeout)


def _try_plainly(endpoint: Endpoint) -> None:
    """Connect and secure by our own means, whose words are better. Raises what `plain` does.

    libldap with GnuTLS, as Debian builds it, knows no timeout in a handshake: a server that stays silent keeps it
    spinning for ever, and neither Ctrl-C nor SIGTERM gets through.
    """
    tls = endpoint.tls._replace(starttls=endpoint.starttls or None)
    plain.open_socket(endpoint._replace(bind=Anonymous(), tls=tls)).close()


def _make_blocking(connection: Any, seconds: float) -> None:
    """Let a send wait for room, as long as the timeout.

    With a network timeout libldap leaves the socket of a TLS connection non-blocking; when many requests are under way
    it then reports LDAP_BUSY for one that it has queued all the same, and its message ID is lost.
    """
    if (number := connection.fileno()) < 0:
        return
    os.set_blocking(number, True)
    with socket.socket(fileno=os.dup(number)) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", max(1, round(seconds)), 0))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", max(1, round(seconds)), 0))


def _prepare_tls(connection: Any, endpoint: Endpoint) -> None:
    tls = endpoint.tls
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND if tls.verify else ldap.OPT_X_TLS_NEVER)
    for option, path in (
        (ldap.OPT_X_TLS_CACERTFILE, tls.cacert),
        (ldap.OPT_X_TLS_CACERTDIR, tls.cacertdir),
        (ldap.OPT_X_TLS_CERTFILE, tls.cert),
        (ldap.OPT_X_TLS_KEYFILE, tls.key),
    ):
        if path is not None:
            connection.set_option(option, str(path))
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)


def _bind(connection: Any, endpoint: Endpoint) -> None:
    match endpoint.bind:
        case Simple(dn, password):
            connection.simple_bind_s(dn, password.reveal())
        case External(authzid):
            connection.sasl_interactive_bind_s("", ldap.sasl.external(authzid))
        case Anonymous():
            connection.simple_bind_s("", "")
        case Sasl(mechanism, name, password, authzid):
            said = {ldap.sasl.CB_USER: authzid, ldap.sasl.CB_AUTHNAME: name}
            if password is not None:
                said[ldap.sasl.CB_PASS] = password.reveal()
            connection.sasl_interactive_bind_s("", ldap.sasl.sasl(said, mechanism))


def _pairs(controls: Sequence[Any] | None) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((found.controlType, found.value) for found in controls or () if isinstance(found, _Raw))


def _words(error: BaseException) -> str:
    if isinstance(error, ldap.TIMEOUT):
        return "timed out"
    info = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = [str(info[key]) for key in ("desc", "info") if info.get(key)]
    return ": ".join(words) or str(error) or type(error).__name__
