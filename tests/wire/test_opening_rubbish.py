"""Rubbish, silence and traps while a connection is opened: TLS and bind, by both openers."""

from __future__ import annotations

import socket

import ldap3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import Script, answering, message, notice, number_of, request, result, scripted, tlv, until_closed

from ldaprepl.domain.secret import Secret
from ldaprepl.errors import LdapreplError, ProtocolViolation, ServerUnavailable
from ldaprepl.wire import opening, plain
from ldaprepl.wire.endpoint import Endpoint, Simple, Tls
from ldaprepl.wire.session import open_session
from ldaprepl.wire.stream import Opener, open_stream

OPENERS = pytest.mark.parametrize("opener", [opening.open_socket, plain.open_socket], ids=["ldap3", "plain"])
PASSWORD = "correct horse battery"
SIMPLE = Simple("cn=reader,dc=example,dc=com", Secret(PASSWORD))


@pytest.fixture(autouse=True)
def ldap3_counts_from_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """ldap3 numbers the requests of a whole process; scripted answers know the first ones only."""
    monkeypatch.setattr(ldap3.Server, "_message_counter", 0)


def one_sentence(error: LdapreplError, where: str) -> LdapreplError:
    assert where in error.message
    assert "\n" not in str(error)
    assert not error.message.endswith(".")
    assert PASSWORD not in str(error)
    return error


def refusal(endpoint: Endpoint, opener: Opener) -> LdapreplError:
    with pytest.raises(LdapreplError) as caught:
        open_stream(endpoint, opener)
    assert isinstance(caught.value, ServerUnavailable | ProtocolViolation)
    return one_sentence(caught.value, endpoint.uri)


BIND_OK, STARTTLS_OK = result(0x61), result(0x78)
OPENING = {
    "nothing": b"",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(100),
    "half an answer": message(1, BIND_OK)[:-3],
    "a giant length": b"\x30\x84\xff\xff\xff\xff\x02\x01",
    "a notice": notice(),
    "another's answer": message(77, BIND_OK),
    "an answer without fields": message(1, tlv(0x61)),
    "lengths that lie": bytes.fromhex("300c02010161ff0a010004000400"),
}


@OPENERS
@pytest.mark.parametrize("reply", OPENING.values(), ids=OPENING)
def test_rubbish_instead_of_a_bind_answer(reply: bytes, opener: Opener) -> None:
    with scripted(answering(reply)) as where:
        refusal(Endpoint(f"ldap://{where}", SIMPLE), opener)


@OPENERS
@pytest.mark.parametrize("reply", OPENING.values(), ids=OPENING)
def test_rubbish_instead_of_a_starttls_answer(reply: bytes, opener: Opener) -> None:
    with scripted(answering(reply)) as where:
        refusal(Endpoint(f"ldap://{where}", SIMPLE, Tls(starttls=True)), opener)


@OPENERS
@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes.fromhex("15030300020228"), notice()])
def test_rubbish_instead_of_tls(reply: bytes, opener: Opener) -> None:
    with scripted(answering(reply)) as where:
        error = refusal(Endpoint(f"ldaps://{where}", SIMPLE), opener)
    assert "TLS failed" in error.message
    with scripted(answer_starttls_then(reply)) as where:
        error = refusal(Endpoint(f"ldap://{where}", SIMPLE, Tls(starttls=True)), opener)
    assert "TLS failed" in error.message


def answer_starttls_then(reply: bytes) -> Script:
    def script(connected: socket.socket) -> None:
        connected.sendall(short_answer(number_of(request(connected)), 0x78))
        request(connected)
        connected.sendall(reply)

    return script


def short_answer(number: int, op: int, code: int = 0, more: bytes = b"") -> bytes:
    """A result as servers write it."""
    fields = bytes((0x0A, 1, code, 4, 0, 4, 0)) + more
    content = bytes((2, 1, number, op, len(fields))) + fields
    return bytes((0x30, len(content))) + content


@OPENERS
@pytest.mark.parametrize("when", ["bind", "StartTLS", "handshake after StartTLS", "ldaps"])
def test_silence_while_opening(when: str, opener: Opener) -> None:
    script = answer_starttls_then_silence if when == "handshake after StartTLS" else until_closed
    with scripted(script) as where:
        uri = f"{'ldaps' if when == 'ldaps' else 'ldap'}://{where}"
        error = refusal(Endpoint(uri, SIMPLE, Tls(starttls="StartTLS" in when or None), timeout=0.2), opener)
    assert "timed out" in error.message


@pytest.mark.parametrize("when", ["bind", "StartTLS", "handshake after StartTLS", "ldaps"])
def test_silence_while_a_session_is_opened(when: str) -> None:
    """libldap spins in a handshake that nobody answers, and nothing but SIGKILL ends it."""
    script = answer_starttls_then_silence if when == "handshake after StartTLS" else until_closed
    with scripted(script) as where:
        uri = f"{'ldaps' if when == 'ldaps' else 'ldap'}://{where}"
        with pytest.raises(ServerUnavailable) as caught:
            open_session(Endpoint(uri, SIMPLE, Tls(starttls="StartTLS" in when or None), timeout=0.2))
    one_sentence(caught.value, uri)


def answer_starttls_then_silence(connected: socket.socket) -> None:
    connected.sendall(short_answer(number_of(request(connected)), 0x78))
    until_closed(connected)


@OPENERS
def test_a_password_goes_to_nobody_else(opener: Opener) -> None:
    """A bind may be answered with a referral. Whoever follows it hands the password to a server of another's choice."""
    strangers = []
    with scripted(lambda connected: strangers.append(request(connected))) as other:
        referral = b"ldap://" + other.encode()
        more = bytes((0xA3, len(referral) + 2, 4, len(referral))) + referral

        def script(connected: socket.socket) -> None:
            connected.sendall(short_answer(number_of(request(connected)), 0x61, 10, more))
            until_closed(connected)

        with scripted(script) as where:
            error = refusal(Endpoint(f"ldap://{where}", SIMPLE), opener)
    assert not strangers
    if opener is plain.open_socket:  # ldap3 cannot read such an answer
        assert "10 referral" in error.message


@OPENERS
def test_no_password_without_the_tls_that_was_asked_for(opener: Opener) -> None:
    """A refusal of StartTLS can be put there by whoever wants to read the bind that follows."""
    heard: list[bytes] = []

    def script(connected: socket.socket) -> None:
        connected.sendall(short_answer(number_of(request(connected)), 0x78, 2))
        while got := request(connected):
            heard.append(got)

    with scripted(script) as where:
        error = refusal(Endpoint(f"ldap://{where}", SIMPLE, Tls(starttls=True)), opener)
    assert "refused StartTLS" in error.message
    assert PASSWORD.encode() not in b"".join(heard)


@OPENERS
@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 20), st.sampled_from([0x61, 0x78, 0x65]))
@example(b"\x31", 9, 0x61)
@example(b"", 12, 0x61)
def test_any_rubbish_while_binding(opener: Opener, data: bytes, kept: int, op: int) -> None:
    """The beginning of a good answer, then anything."""

    def script(connected: socket.socket) -> None:
        connected.sendall(short_answer(number_of(request(connected)), op)[:kept] + data)

    with scripted(script) as where:
        try:
            open_stream(Endpoint(f"ldap://{where}", SIMPLE), opener).close()
        except LdapreplError as error:
            assert isinstance(error, ServerUnavailable | ProtocolViolation)
            one_sentence(error, where)


@pytest.mark.parametrize("op", [0x65, 0x67, 0x78])
def test_the_answer_to_another_operation(op: int) -> None:
    """Success is not a bind unless it is the answer to the bind."""
    with scripted(answering(message(2, result(op)))) as where:
        problem = refusal(Endpoint(f"ldap://{where}", SIMPLE), plain.open_socket)
    assert isinstance(problem, ProtocolViolation)
