"""Masters that cannot be had any more, played back: slapd 2.2 as recorded on the wire, and 2.0 and 2.1 as described.

The bytes are whole LDAP messages of slapd 2.2.30, its wrongly tagged intermediate responses included; only the message
ID is put in. They go through libldap and python-ldap like the real ones.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.refresh import Kind, NoSync
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.protocol import ber, syncrepl
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.provider import Provider
from ldaprepl.wire.session import open_session

ENTRY = bytes.fromhex(
    "30818d020102644e042f636e3d686f7374302e6b756d6963686f2e6e65742c6f753d486f7374732c64633d6b756d6963686f2c64633d6e65743"
    "01b30190402636e31130411686f7374302e6b756d6963686f2e6e6574a03830360418312e332e362e312e342e312e343230332e312e392e312e"
    "320101ff041730150a010104106ae8ed707ab01041987c9ef234e4bc48"
)
PRESENT = bytes.fromhex(
    "307f020102797a8a18312e332e362e312e342e312e343230332e312e392e312e348b5ea35c315a04106ae8fcd47ab01041987d9ef234e4bc4804"
    "106ae90de67ab01041987e9ef234e4bc4804106ae91fca7ab01041987f9ef234e4bc4804106ae933fc7ab0104198809ef234e4bc4804106ae947"
    "527ab0104198819ef234e4bc48"
)
DELETED = bytes.fromhex(
    "307f020102797a8a18312e332e362e312e342e312e343230332e312e392e312e348b5ea35c315a04106ae8ed707ab01041987c9ef234e4bc4804"
    "106ae8fcd47ab01041987d9ef234e4bc4804106ae90de67ab01041987e9ef234e4bc4804106ae91fca7ab01041987f9ef234e4bc4804106ae933"
    "fc7ab0104198809ef234e4bc48"
)
DONE = bytes.fromhex(
    "305702010265070a010004000400a04930470418312e332e362e312e342e312e343230332e312e392e312e330101ff04283026042463736e3d32"
    "303236313132323131303535315a2330303030303123303023303030303030"
)
REFUSED = bytes.fromhex("302a02010265250a010c0400041e") + b"control unavailable in context"
REFUSED = bytes((0x30, len(REFUSED) - 2)) + REFUSED[2:]
PLAIN_DONE = bytes.fromhex("300c02010265070a010004000400")
BOUND = bytes.fromhex("300c02010261070a010004000400")
CURRENT = "csn=20261122110551Z#000001#00#000000"
OLDER = SyncCookie.parse("csn=20261122110001Z#000001#00#000000")


def numbered(message: bytes, msgid: bytes) -> bytes:
    """The message with this ID (an encoded INTEGER)."""
    _, start, end = ber.header(message, 0, len(message), "message")
    _, _, after = ber.header(message, start, end, "id")
    return ber.tlv(ber.SEQUENCE, msgid, message[after:end])


Answers = Callable[[bytes], list[bytes]]


@contextmanager
def playing(answers: Answers) -> Iterator[str]:
    """A server that answers each search request by `answers(request)`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            while head := stream.read(2):
                size = head[1]
                if size & 0x80:
                    size = int.from_bytes(stream.read(size & 0x7F), "big")
                body = stream.read(size)
                _, _, after = ber.header(body, 0, len(body), "id")
                msgid, operation = body[:after], body[after]
                if operation == 0x42:
                    return
                replies = [BOUND] if operation == 0x60 else answers(body[after:])
                connection.sendall(b"".join(numbered(reply, msgid) for reply in replies))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join(5)


def slapd_22(*refresh: bytes) -> Answers:
    """2.2: critical is refused, base scope (the probe) gives the end only."""

    def answer(request: bytes) -> list[bytes]:
        if syncrepl.REQUEST.encode() not in request:
            return [PLAIN_DONE]
        at = request.index(syncrepl.REQUEST.encode()) + len(syncrepl.REQUEST)
        if request[at : at + 3] == b"\x01\x01\xff":
            return [REFUSED]
        is_probe = b"\x04\x031.1" in request  # the attribute list
        return [DONE] if is_probe else list(refresh)

    return answer


class Quiet:
    def phase(self, name: str, total: int | None = None) -> None: ...

    def advance(self, done: int) -> None: ...


@contextmanager
def provider(answers: Answers) -> Iterator[Provider]:
    scope = ReplicationScope("dc=kumicho,dc=net", filter="(objectClass=device)")
    with playing(answers) as uri, open_session(Endpoint(uri, timeout=60)) as session:
        yield Provider(session, scope)


def test_2_2_is_found_although_it_refuses_the_critical_control() -> None:
    with provider(slapd_22()) as master:
        service = master.service()
        assert service.critical is False
        assert "2.2" in service.why


def test_2_2_sends_one_change_and_a_list_of_the_rest() -> None:
    with provider(slapd_22(ENTRY, PRESENT, DONE)) as master:
        outcome = master.refresh(OLDER, Quiet())
    assert outcome.kind is Kind.PRESENT
    (uuid,) = outcome.received
    assert uuid == "6ae8ed70-7ab0-1041-987c-9ef234e4bc48"
    assert outcome.received[uuid].dn == "cn=host0.kumicho.net,ou=Hosts,dc=kumicho,dc=net"
    assert len(outcome.keep) == 6
    assert outcome.cookie is not None and outcome.cookie.render() == f"{CURRENT},rid=001"


def test_2_2_after_a_delete() -> None:
    with provider(slapd_22(DELETED, DONE)) as master:
        outcome = master.refresh(OLDER, Quiet())
    assert outcome.kind is Kind.PRESENT
    assert "6ae94752-7ab0-1041-9881-9ef234e4bc48" not in outcome.keep and len(outcome.keep) == 5


def test_2_2_with_nothing_new_does_not_mean_that_all_is_gone() -> None:
    with provider(slapd_22(DONE)) as master:
        outcome = master.refresh(SyncCookie.parse(CURRENT), Quiet())
    assert outcome.kind is Kind.UNCHANGED


def test_2_0_and_2_1_ignore_the_control_without_a_word() -> None:
    """Critical: 12. Not critical: entries and success, as if nobody had asked for sync."""
    critical = slapd_22()

    def answer(request: bytes) -> list[bytes]:
        found = critical(request)
        return [PLAIN_DONE] if found == [DONE] else found

    with provider(answer) as master:
        assert master.service().critical is None
        with pytest.raises(NoSync):
            master.refresh(None, Quiet())
