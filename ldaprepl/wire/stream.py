"""A bound LDAP connection that is read as frames.

An opener connects, secures and binds (ldap3, or `plain`); then its socket is taken over, because nothing in Python that
decodes every value keeps up with a server. Two ways to read: `search` for small answers, decoded; `start` and `receive`
for a bulk read, handed on undecoded. A lost connection, silence and rubbish are exceptions that name the server; a
result code is an answer. Only this file and the openers touch sockets.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, cast

from ldaprepl.domain.entry import Entry
from ldaprepl.errors import IncompleteRead, LdapreplError, ProtocolViolation, ServerUnavailable
from ldaprepl.protocol.frames import Batch, FrameReader, Op
from ldaprepl.protocol.messages import (
    NOTICE_OF_DISCONNECTION,
    Message,
    Result,
    decode_entry,
    decode_entry_body,
    decode_intermediate,
    decode_reference,
    decode_result,
    decode_values,
)
from ldaprepl.protocol.requests import Change, Control, SearchRequest, add, extended, manage_dsa_it, modify, unbind
from ldaprepl.protocol.results import NO_SUCH_OBJECT, SUCCESS, name_of
from ldaprepl.wire import trace
from ldaprepl.wire.endpoint import Endpoint

if TYPE_CHECKING:
    import ssl

BULK_ID = 100  # the message ID of every bulk read, the same on every server, so that equal entries are equal frames
_FIRST_ID, _LAST_ID = 1000, 1 << 30
_CHUNK = 256 * 1024  # bytes asked of the socket at once
_SEARCH_ANSWERS = frozenset((Op.SEARCH_ENTRY, Op.SEARCH_DONE, Op.SEARCH_REFERENCE, Op.INTERMEDIATE))
_MODIFY_ANSWERS, _ADD_ANSWERS = frozenset((Op.MODIFY_RESPONSE,)), frozenset((Op.ADD_RESPONSE,))
_EXTENDED_ANSWERS = frozenset((Op.EXTENDED_RESPONSE,))
_WINDOW = 100  # requests outstanding in `fetch`; slapd closes the connection past 1,000 (conn_max_pending_auth)
_WINDOW_BYTES = 64 * 1024  # more might not fit on the way while the server wants its answers read first
_SEE_LOG = "Run again; if it ends like this again, look into that server's log."


class SearchAnswer(NamedTuple):
    """A small answer, whole: also when `result.code` is not success."""

    entries: list[Entry]
    result: Result
    references: list[tuple[str, ...]]
    intermediates: list[tuple[str, bytes]]

    @property
    def controls(self) -> Mapping[str, bytes | None]:
        """Controls of the final result."""
        return self.result.controls


Opener = Callable[[Endpoint], socket.socket]


def open_stream(endpoint: Endpoint, opener: Opener | None = None) -> Stream:
    """Connect, secure and bind, through ldap3 unless another `opener` is given (`plain.open_socket` starts faster).

    Raises `UsageError` for what is unsafe, `ServerUnavailable` for what does not work.
    """
    if opener is None:
        from ldaprepl.wire.opening import open_socket  # ldap3 takes longer to import than a check to run

        opener = open_socket
    trace.tell(endpoint.uri, "connect", identity=str(endpoint.bind), starttls=endpoint.starttls)
    stream = Stream(endpoint, opener(endpoint.checked()))
    trace.tell(endpoint.uri, "connected", sent=False, tls=stream.tls_version)
    return stream


class Stream:
    """One bound connection. Not for several threads."""

    def __init__(self, endpoint: Endpoint, connected: socket.socket) -> None:
        self.endpoint = endpoint
        self.uri = endpoint.uri
        self._socket = connected
        self._socket.settimeout(endpoint.timeout)
        self._next_id = _FIRST_ID
        self._reader = FrameReader(0)
        self.received = 0  # bytes of the current bulk read

    # -- small answers ---------------------------------------------------------------------------------------------

    def search(
        self,
        base: str,
        scope: str = "base",
        filter: str = "(objectClass=*)",
        attributes: Sequence[str] = (),
        controls: Sequence[Control] = (),
    ) -> SearchAnswer:
        """Search and wait for the end. Raises `ServerUnavailable`, `IncompleteRead` or `ProtocolViolation`."""
        return self.ask(SearchRequest(base, scope, filter, tuple(attributes), tuple(controls)))

    def ask(self, request: SearchRequest) -> SearchAnswer:
        """The same for a request with whatever it may hold."""
        message_id = self._take_id()
        self._send(request.encoded(message_id))
        self._reader = FrameReader(message_id, begun=self._reader.rest)
        answer = SearchAnswer([], Result(-1), [], [])
        with self._named():
            while True:
                batch = self._feed()
                answer.entries.extend(entry_from_frame(frame) for _, frame in batch.entries)
                for message in batch.messages:
                    if message.op == Op.SEARCH_DONE:
                        return SearchAnswer(
                            answer.entries, decode_result(message), answer.references, answer.intermediates
                        )
                    if message.op == Op.SEARCH_REFERENCE:
                        answer.references.append(decode_reference(message))
                    else:
                        answer.intermediates.append(decode_intermediate(message))

    def replace(self, dn: str, name: str, values: Sequence[bytes]) -> Result:
        """Replace the values of one attribute and wait for the answer. Raises as `search` does."""
        return self.modify(dn, [Change("replace", name, tuple(values))])

    def modify(self, dn: str, changes: Sequence[Change]) -> Result:
        """Modify one entry and wait for the answer. Raises as `search` does."""
        message_id = self._take_id()
        return self._answer(message_id, modify(message_id, dn, changes), _MODIFY_ANSWERS)

    def add(self, dn: str, attributes: Sequence[tuple[str, Sequence[bytes]]]) -> Result:
        """Add one entry and wait for the answer. Raises as `search` does."""
        message_id = self._take_id()
        return self._answer(message_id, add(message_id, dn, attributes), _ADD_ANSWERS)

    def extended(self, oid: str) -> Result:
        """An extended operation without a value (RFC 4511, section 4.12); its answer. Raises as `search` does."""
        message_id = self._take_id()
        return self._answer(message_id, extended(message_id, oid), _EXTENDED_ANSWERS)

    def _answer(self, message_id: int, request: bytes, answers: frozenset[Op]) -> Result:
        self._send(request)
        self._reader = FrameReader(message_id, begun=self._reader.rest)
        with self._named():
            while True:
                for message in self._feed(answers).messages:
                    return decode_result(message)

    def fetch(
        self, dns: Sequence[str], filter: str, attributes: Sequence[str], controls: Sequence[Control] | None = None
    ) -> Iterator[Entry | Result | None]:
        """Read single entries by DN, many requests at a time, answers in the order of `dns`.

        None: there is no such entry (or the filter leaves it out); a `Result`: the server refused with another code.
        """
        for answer in self.answers(dns, filter, attributes, controls):
            if isinstance(answer, Result) and answer.code in (SUCCESS, NO_SUCH_OBJECT):
                yield None
            else:
                yield answer

    def answers(
        self, dns: Sequence[str], filter: str, attributes: Sequence[str], controls: Sequence[Control] | None = None
    ) -> Iterator[Entry | Result]:
        """The same with the server's own words wherever it gave no entry."""
        asked = tuple(controls) if controls is not None else (manage_dsa_it(),)
        encode = SearchRequest("", "base", filter, tuple(attributes), asked).encoder()
        size = max(1, min(_WINDOW, _WINDOW_BYTES // len(encode(_FIRST_ID, ""))))
        for first in range(0, len(dns), size):
            window = dns[first : first + size]
            requests = {}
            out = []
            for dn in window:
                message_id = self._take_id()
                requests[message_id] = dn
                out.append(encode(message_id, dn))
            self._send(b"".join(out))
            with self._named():
                answers = self._gather(set(requests))
            for message_id in requests:
                yield answers[message_id]

    def _gather(self, wanted: set[int]) -> dict[int, Entry | Result]:
        """Answers of several base searches, which may come in any order (RFC 4511, section 3.1)."""
        self._reader = FrameReader(0, any_id=True, begun=self._reader.rest)
        found: dict[int, Entry] = {}
        done: dict[int, Entry | Result] = {}
        while len(done) < len(wanted):
            for message in self._feed().messages:
                if message.id not in wanted:
                    raise ProtocolViolation(f"the server answered message {message.id}, which was never asked")
                if message.id in done:
                    raise ProtocolViolation(f"more came after the end of the answer to message {message.id}")
                if message.op == Op.SEARCH_ENTRY:
                    if message.id in found:
                        raise ProtocolViolation("the server gave two entries for one DN")
                    found[message.id] = entry_from_body(message.body)
                elif message.op == Op.SEARCH_DONE:
                    result = decode_result(message)
                    refused = result.code not in (SUCCESS, NO_SUCH_OBJECT)
                    done[message.id] = result if refused else found.get(message.id, result)
        return done

    # -- bulk ------------------------------------------------------------------------------------------------------

    def start(self, request: SearchRequest) -> None:
        """Send the one bulk read; `receive` gives its answer."""
        self._reader = FrameReader(BULK_ID, begun=self._reader.rest)
        self.received = 0
        self._send(request.encoded(BULK_ID))

    def receive(self) -> Batch:
        """What the socket holds now (waits when there is nothing). Raises as `search` does."""
        with self._named():
            batch = self._feed()
            for message in batch.messages:
                if message.op == Op.SEARCH_DONE:
                    decode_result(message)  # a broken one shall be named here, where the server is known
            return batch

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate (DER); None without TLS."""
        tls = _tls(self._socket)
        return None if tls is None else tls.getpeercert(binary_form=True)

    @property
    def tls_version(self) -> str:
        """The protocol (`TLSv1.3`); empty without TLS."""
        tls = _tls(self._socket)
        return (tls.version() or "") if tls is not None else ""

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names and addresses in the server's certificate; Python shows them of a verified one only."""
        tls = _tls(self._socket)
        shown = (tls.getpeercert() if tls is not None else None) or {}
        names = shown.get("subjectAltName", ())
        return tuple(str(name[1]) for name in names if isinstance(name, tuple) and len(name) == 2)

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    # -- the wire --------------------------------------------------------------------------------------------------

    def _take_id(self) -> int:
        self._next_id = self._next_id + 1 if self._next_id < _LAST_ID else _FIRST_ID
        return self._next_id

    def _send(self, data: bytes) -> None:
        trace.sent(self.uri, data)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ServerUnavailable(
                f"{self.uri}: the connection was lost while asking ({_reason(error)})", _SEE_LOG
            ) from error

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Put the server's name on what the decoder complains about."""
        try:
            yield
        except ProtocolViolation as error:
            raise ProtocolViolation(
                f"{self.uri} does not speak LDAP as it should: {error.message}",
                "Check that the port speaks LDAP, and whether it wants ldaps://.",
            ) from error

    def _feed(self, answers: frozenset[Op] = _SEARCH_ANSWERS) -> Batch:
        """Wait for bytes and cut them; only operations in `answers` may come."""
        try:
            data = self._socket.recv(_CHUNK)
            # Decrypted bytes wait inside the TLS object, where `select` does not see them.
            while (tls := _tls(self._socket)) and (more := tls.pending()):
                data += self._socket.recv(more)
        except TimeoutError as error:
            raise self.silence() from error
        except OSError as error:
            raise IncompleteRead(f"{self.uri}: the connection was lost ({_reason(error)})", _SEE_LOG) from error
        if not data:
            raise IncompleteRead(f"{self.uri} closed the connection before the answer was complete", _SEE_LOG)
        self.received += len(data)
        batch = self._reader.feed(data)
        if batch.entries and Op.SEARCH_ENTRY not in answers:
            raise ProtocolViolation("an entry does not answer what was asked")
        for message in batch.messages:
            if message.id == 0:
                raise self._notice(message)
            if message.op not in answers:
                raise ProtocolViolation(f"operation 0x{message.op:02x} does not answer what was asked")
        trace.received(self.uri, batch)
        return batch

    def silence(self) -> IncompleteRead:
        """The error of a server that has sent nothing for its timeout."""
        seconds = f"{self.endpoint.timeout:g}"
        return IncompleteRead(f"{self.uri} sent nothing for {seconds} s", "Raise --timeout if the server is only slow.")

    def _notice(self, message: Message) -> LdapreplError:
        """An unsolicited notification ends the connection, whatever it says (RFC 4511, section 4.4)."""
        result = decode_result(message)
        what = "a notice of disconnection" if result.name == NOTICE_OF_DISCONNECTION else "an unsolicited notification"
        text = f": {result.text}" if result.text else ""
        return IncompleteRead(f"{self.uri} ended the connection with {what} ({name_of(result.code)}{text})", _SEE_LOG)

    def close(self) -> None:
        """Unbind and close; never raises."""
        try:
            self._socket.settimeout(1.0)
            self._socket.sendall(unbind(self._take_id()))
        except OSError:
            pass
        self._socket.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def entry_from_frame(frame: bytes) -> Entry:
    """A decoded entry. Raises `ProtocolViolation`."""
    return _entry(*decode_entry(frame))


def entry_from_body(body: bytes) -> Entry:
    """A decoded entry from the content of its SearchResultEntry. Raises `ProtocolViolation`."""
    return _entry(*decode_entry_body(body, 0, len(body)))


def _entry(dn: bytes, attributes: list[tuple[bytes, bytes]]) -> Entry:
    held: dict[str, tuple[bytes, ...]] = {}
    for name, values in attributes:
        key = name.decode("utf-8", "surrogateescape")
        held[key] = held.get(key, ()) + decode_values(values)
    return Entry(dn.decode("utf-8", "surrogateescape"), held)


def _tls(connected: socket.socket) -> ssl.SSLSocket | None:
    """The TLS side of a socket, if it has one; `ssl` itself is not imported for it."""
    return cast("ssl.SSLSocket", connected) if hasattr(connected, "getpeercert") else None


def _reason(error: OSError) -> str:
    reason = getattr(error, "reason", None)  # OpenSSL's own, without the place in its source
    return str(reason or error.strerror or error or type(error).__name__)
