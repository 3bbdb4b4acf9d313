"""What no slapd does: rubbish, silence, and hanging up in the middle of a word.

Every such server must end in one sentence that names it, in an exception that stands for "could not tell". Reading on
as if nothing had happened would turn a broken line into missing entries.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import Script, done, entry, message, notice, number_of, request, result, scripted, tlv, until_closed

from ldaprepl.errors import IncompleteRead, LdapreplError, ProtocolViolation, ServerUnavailable
from ldaprepl.protocol.requests import SearchRequest
from ldaprepl.wire import plain
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.stream import Stream, open_stream


def size_of(asked: bytes) -> int:
    """The size of the first request in `asked`, which has a length of several bytes."""
    behind = 2 + (asked[1] & 0x7F)
    return behind + int.from_bytes(asked[2:behind], "big")


def by_search(stream: Stream) -> list[object]:
    return [each.dn for each in stream.search("dc=example,dc=com", "sub").entries]


def by_fetch(stream: Stream) -> list[object]:
    return [getattr(each, "dn", each) for each in stream.fetch(["cn=a"], "(objectClass=*)", ("*",))]


def by_bulk(stream: Stream) -> list[object]:
    stream.start(SearchRequest("dc=example,dc=com", "sub"))
    found: list[object] = []
    while True:
        batch = stream.receive()
        found += [dn.decode() for dn, _ in batch.entries]
        if any(each.op == 0x65 for each in batch.messages):
            return found


def by_replace(stream: Stream) -> list[object]:
    return [stream.replace("cn=a", "description", [b"x"]).code]


Way = Callable[[Stream], list[object]]
READING = [by_search, by_fetch, by_bulk]
WAYS = pytest.mark.parametrize("way", READING)


def replying(reply: Callable[[int], bytes], *, silent: bool) -> Script:
    """Answer the first request with `reply(its message ID)`; then silence, or the end."""

    def script(connected: socket.socket) -> None:
        connected.sendall(reply(number_of(request(connected))))
        if silent:
            until_closed(connected)

    return script


def opened(where: str, timeout: float = 10.0) -> Stream:
    return open_stream(Endpoint(f"ldap://{where}", timeout=timeout), plain.open_socket)


def one_sentence(error: LdapreplError, where: str) -> LdapreplError:
    assert where in error.message
    assert "\n" not in str(error)
    assert not error.message.endswith(".")
    return error


def outcome(where: str, way: Way, timeout: float = 10.0) -> LdapreplError:
    with opened(where, timeout) as stream, pytest.raises(LdapreplError) as caught:
        way(stream)
    return one_sentence(caught.value, where)


@WAYS
def test_the_script_itself_is_understood(way: Way) -> None:
    """Without this, every other test here might pass for a wrong reason."""
    script = replying(lambda n: message(n, entry(b"cn=a")) + done(n), silent=True)
    with scripted(script) as where, opened(where) as stream:
        assert way(stream) == ["cn=a"]


HANGING_UP = {
    "at once": lambda n: b"",
    "in a length": lambda n: b"\x30\x84\x00",
    "in an entry": lambda n: message(n, entry(b"cn=a"))[:-1],
    "before the end": lambda n: message(n, entry(b"cn=a")),
    "in the end": lambda n: done(n)[:-1],
}


@WAYS
@pytest.mark.parametrize("reply", HANGING_UP.values(), ids=HANGING_UP)
def test_hanging_up(reply: Callable[[int], bytes], way: Way) -> None:
    with scripted(replying(reply, silent=False)) as where:
        error = outcome(where, way)
    assert type(error) is IncompleteRead
    assert "closed the connection before the answer was complete" in error.message


@WAYS
@pytest.mark.parametrize("reply", HANGING_UP.values(), ids=HANGING_UP)
def test_silence(reply: Callable[[int], bytes], way: Way) -> None:
    with scripted(replying(reply, silent=True)) as where:
        error = outcome(where, way, timeout=0.1)
    assert type(error) is IncompleteRead
    assert "sent nothing for 0.1 s" in error.message
    assert "--timeout" in error.cure


@WAYS
def test_a_reset_connection(way: Way) -> None:
    def script(connected: socket.socket) -> None:
        request(connected)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with scripted(script) as where:
        error = outcome(where, way)
    assert type(error) is IncompleteRead
    assert "the connection was lost (Connection reset by peer)" in error.message


RUBBISH = {
    "HTTP": (lambda n: b"HTTP/1.1 400 Bad Request\r\n\r\n", "got byte 0x48"),
    "a TLS alert": (lambda n: bytes.fromhex("15030300020246"), "got byte 0x15"),
    "zeros": (lambda n: bytes(100), "got byte 0x00"),
    "a giant length": (lambda n: b"\x30\x84\xff\xff\xff\xff\x02\x01", "4294967295 bytes exceeds the limit"),
    "an indefinite length": (lambda n: b"\x30\x80\x02\x01\x64\x64\x00\x00", "length form 0x80"),
    "nothing in a message": (lambda n: b"\x30\x00", "only 0 bytes"),
    "an end without a code": (lambda n: message(n, tlv(0x65)), "resultCode is missing"),
    "an end without a text": (lambda n: message(n, tlv(0x65, tlv(0x0A, b"\0"), tlv(0x04))), "diagnosticMessage is mis"),
    "another operation's entry": (lambda n: message(n + 1, entry(b"cn=a")), "which was never asked"),
    "another operation's end": (lambda n: message(n, entry(b"cn=a")) + done(n + 1), "which was never asked"),
    "a message after the end": (lambda n: done(n) + message(n, entry(b"cn=late")), "after the end"),
    "a second end": (lambda n: done(n) + done(n), "after the end"),
    "the answer to a bind": (lambda n: message(n, result(0x61)), "operation 0x61"),
    "the answer to a modify": (lambda n: message(n, result(0x67)), "operation 0x67"),
    "a request": (lambda n: message(n, tlv(0x60)), "operation 0x60"),
    "an entry without an ID": (lambda n: message(0, entry(b"cn=a")), "without a message ID"),
    "a notice that is none": (lambda n: message(0, tlv(0x78)), "resultCode is missing"),
}


ENTRY_RUBBISH = {
    "an entry that is none": (lambda n: message(n, tlv(0x64, tlv(0x04, b"cn=a"))) + done(n), "attributes is missing"),
    "a value that is none": (
        lambda n: (
            message(n, tlv(0x64, tlv(0x04, b""), tlv(0x30, tlv(0x30, tlv(0x04, b"a"), tlv(0x04, b"b"))))) + done(n)
        ),
        "attribute values has tag 0x04",
    ),
    "rubbish behind an entry": (lambda n: message(n, entry(b"cn=a"), b"\x05\x00") + done(n), "controls has tag 0x05"),
}


@WAYS
@pytest.mark.parametrize(("reply", "words"), RUBBISH.values(), ids=RUBBISH)
def test_rubbish(reply: Callable[[int], bytes], words: str, way: Way) -> None:
    """The server stays on the line: nothing but the bytes themselves may tell."""
    with scripted(replying(reply, silent=True)) as where:
        error = outcome(where, way)
    assert type(error) is ProtocolViolation
    assert error.message.startswith(f"ldap://{where} does not speak LDAP as it should: ")
    assert error.message.count(where) == 1
    assert words in error.message


@pytest.mark.parametrize("way", [by_search, by_fetch])  # a bulk read hands its entries on undecoded
@pytest.mark.parametrize(("reply", "words"), ENTRY_RUBBISH.values(), ids=ENTRY_RUBBISH)
def test_rubbish_in_entries(reply: Callable[[int], bytes], words: str, way: Way) -> None:
    test_rubbish(reply, words, way)


def test_rubbish_instead_of_the_answer_to_a_modify() -> None:
    for reply, words in (
        (done, "operation 0x65 does not answer"),
        (lambda n: message(n, entry(b"cn=a")), "an entry does not answer"),
        (lambda n: message(n, tlv(0x67)), "resultCode is missing"),
        (lambda n: message(n + 1, result(0x67)), "never asked"),
    ):
        with scripted(replying(reply, silent=True)) as where:
            error = outcome(where, by_replace)
        assert type(error) is ProtocolViolation
        assert words in error.message


def test_two_entries_for_one_dn() -> None:
    with scripted(replying(lambda n: message(n, entry(b"cn=a")) * 2 + done(n), silent=True)) as where:
        assert "two entries for one DN" in outcome(where, by_fetch).message


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
@WAYS
def test_any_rubbish(way: Way, data: bytes) -> None:
    with scripted(replying(lambda n: message(n, entry(b"cn=a")) + data, silent=False)) as where:
        error = outcome(where, way)
    assert type(error) in (IncompleteRead, ProtocolViolation)


@WAYS
def test_a_notice_of_disconnection(way: Way) -> None:
    for when in (lambda n: notice(), lambda n: message(n, entry(b"cn=a")) + notice(), lambda n: done(n) + notice()):
        with scripted(replying(when, silent=True)) as where:
            error = outcome(where, way)
        assert type(error) is IncompleteRead
        assert "with a notice of disconnection (52 unavailable: going down)" in error.message
    with scripted(replying(lambda n: notice(b"1.2.3"), silent=True)) as where:
        assert "with an unsolicited notification (52 unavailable: going down)" in outcome(where, way).message


def test_a_notice_that_begins_with_the_last_bytes_of_an_answer() -> None:
    """Its rest comes with the next answer; without its beginning it would be rubbish."""

    def script(connected: socket.socket) -> None:
        connected.sendall(done(number_of(request(connected))) + notice()[:9])
        request(connected)
        connected.sendall(notice()[9:])
        until_closed(connected)

    with scripted(script) as where, opened(where) as stream:
        assert by_search(stream) == []
        with pytest.raises(IncompleteRead, match="a notice of disconnection"):
            by_search(stream)


def test_a_server_that_wants_its_answers_read_first() -> None:
    """Requests of many kilobytes each: all of them at once would fill the way while the server fills ours."""
    many = 200
    wide = "(|" + "(cn=xxxxxxxxxxxxxxxxxxxxxxxxxxxx)" * 3000 + ")"
    block = b"x" * 60_000

    def script(connected: socket.socket) -> None:
        held = b""
        for _ in range(many):
            while len(held) < 9 or len(held) < size_of(held):
                held += connected.recv(65536)
            number, held = number_of(held), held[size_of(held) :]
            big = tlv(0x64, tlv(0x04, b"cn=a"), tlv(0x30, tlv(0x30, tlv(0x04, b"a"), tlv(0x31, tlv(0x04, block)))))
            connected.sendall(message(number, big) + done(number))
        until_closed(connected)

    with scripted(script) as where, opened(where, timeout=60) as stream:
        assert len(list(stream.fetch(["cn=a"] * many, wide, ("*",)))) == many


def test_a_server_that_reads_nothing() -> None:
    told = threading.Event()

    def script(connected: socket.socket) -> None:
        told.wait(120)

    with scripted(script) as where:
        with opened(where, timeout=0.2) as stream, pytest.raises(ServerUnavailable) as caught:
            stream.search("x" * (20 << 20))
        told.set()
    assert "the connection was lost while asking (timed out)" in one_sentence(caught.value, where).message


def test_closing_twice_and_after_the_server_has_gone() -> None:
    with scripted(lambda connected: None) as where:
        stream = opened(where)
    stream.close()
    stream.close()
