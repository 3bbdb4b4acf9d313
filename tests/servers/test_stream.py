"""Streams on real servers: what is read, in which order, and what a dying server leaves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from uuid import UUID

import pytest
from conftest import SlapdFactory
from crowd import BASE, MANY, MISSING, PEOPLE, bulk, crowd
from tls import Authority

from ldaprepl.domain.entry import Entry
from ldaprepl.errors import IncompleteRead, LdapreplError
from ldaprepl.protocol.messages import Result
from ldaprepl.protocol.requests import Control, SearchRequest, manage_dsa_it, sync_request
from ldaprepl.wire import plain
from ldaprepl.wire.endpoint import Endpoint, Tls
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import Stream, entry_from_frame, open_stream

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    """A server with the crowd and TLS, which the tests only read."""
    server = slapd_module(SlapdConf(Database(BASE), lines=authority.slapd_lines()), ldaps=True)
    server.load(crowd())
    return server.start()


@pytest.fixture
def stream(server: Slapd) -> Iterator[Stream]:
    with open_stream(Endpoint(server.ldapi_uri, timeout=20), plain.open_socket) as stream:
        yield stream


# -- reading ---------------------------------------------------------------------------------------------------------


def test_thousands_of_single_entries_keep_their_order(stream: Stream) -> None:
    dns = [f"cn=person {number},{PEOPLE}" for number in range(MANY)]
    dns[500:500] = [f"cn=nobody,ou=nowhere,{BASE}", dns[1], "dc=of,dc=another,dc=server", "this is no DN"]
    answers = list(stream.fetch(dns, "(objectClass=*)", ("sn",)))
    assert len(answers) == len(dns)
    assert answers[500] is None
    assert isinstance(answers[501], Entry)
    assert answers[501].dn == dns[1]
    assert answers[502] is None
    assert isinstance(answers[503], Result)
    assert answers[503].code == 34
    for number, answer in enumerate(answers[:500] + answers[504:]):
        if number % MISSING:
            assert isinstance(answer, Entry)
            assert (answer.dn, answer.values("sn")) == (f"cn=person {number},{PEOPLE}", (b"%d" % number,))
        else:
            assert answer is None


def test_a_filter_leaves_entries_out_of_a_fetch(stream: Stream) -> None:
    dns = [f"cn=person {number},{PEOPLE}" for number in (1, 2, 3)]
    answers = list(stream.fetch(dns, "(sn=2)", ("1.1",)))
    assert [answer and getattr(answer, "dn", answer) for answer in answers] == [None, dns[1], None]
    assert list(stream.fetch([], "(sn=2)", ("1.1",))) == []


def test_result_codes_are_answers(stream: Stream) -> None:
    gone = stream.search(f"cn=gone,{PEOPLE}")
    assert (gone.result.code, gone.result.matched, gone.entries) == (32, PEOPLE, [])
    assert stream.search("this is no DN").result.code == 34
    assert stream.search(BASE, controls=(Control("1.2.3.4", critical=True),)).result.code == 12
    assert stream.search(BASE, controls=(Control("1.2.3.4"),)).result.code == 0
    limited = stream.ask(SearchRequest(PEOPLE, "one", attributes=("1.1",), size_limit=5))
    assert (limited.result.code, len(limited.entries)) == (4, 5)


def test_referrals_and_references(stream: Stream) -> None:
    elsewhere = f"ou=elsewhere,{BASE}"
    asked = stream.search(f"cn=x,{elsewhere}")
    assert asked.result.code == 10
    assert asked.result.referrals == ("ldap://elsewhere.example.com/cn=x,dc=other??base",)
    answer = stream.search(BASE, "one", attributes=("1.1",))
    assert answer.references == [("ldap://elsewhere.example.com/dc=other??base",)]
    managed = stream.search(elsewhere, attributes=("ref",), controls=(manage_dsa_it(),))
    assert managed.entries[0].values("ref") == (b"ldap://elsewhere.example.com/dc=other",)


def test_response_controls_and_intermediate_messages(slapd: SlapdFactory) -> None:
    """A refresh from a time between two entries: the older one is only named, in an intermediate message."""
    server = slapd(SlapdConf(Database(BASE, lines=("overlay syncprov",)), modules=("syncprov",)))
    server.load(
        [
            f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n"
            f"entryCSN: {csn(2019)}\ncontextCSN: {csn(2021)}\n\n",
            f"dn: cn=new,{BASE}\nobjectClass: organizationalRole\nentryCSN: {csn(2021)}\n\n",
        ]
    )
    server.start()
    with open_stream(Endpoint(server.ldapi_uri)) as stream:
        refresh = sync_request(f"rid=000,csn={csn(2020)}".encode(), critical=True)
        answer = stream.search(BASE, "sub", attributes=("*", "+"), controls=(refresh,))
        named = stream.search(BASE, attributes=("entryUUID",)).entries[0].uuid
    assert answer.result.code == 0
    assert [entry.dn for entry in answer.entries] == [f"cn=new,{BASE}"]
    assert csn(2021).encode() in (answer.controls["1.3.6.1.4.1.4203.1.9.1.3"] or b"")
    assert [name for name, _ in answer.intermediates] == ["1.3.6.1.4.1.4203.1.9.1.4"]
    assert UUID(named).bytes in answer.intermediates[0][1]


def csn(year: int) -> str:
    return f"{year}0101000000.000000Z#000000#000#000000"


@pytest.mark.parametrize("way", ["ldap", "starttls", "ldaps", "ldapi"])
def test_a_bulk_read_is_whole(server: Slapd, authority: Authority, way: str) -> None:
    """And may be followed by others on the same connection."""
    uri = {"ldaps": server.ldaps_uri, "ldapi": server.ldapi_uri}.get(way, server.ldap_uri)
    endpoint = Endpoint(uri, tls=Tls(cacert=authority.certificate, starttls=True if way == "starttls" else None))
    with open_stream(endpoint) as stream:
        assert (stream.certificate is not None) == (way in ("starttls", "ldaps"))
        for _ in range(2):
            stream.start(SearchRequest(PEOPLE, "one", "(objectClass=person)", ("*", "+")))
            entries = [(dn, entry_from_frame(frame)) for dn, frame in bulk(stream)]
            numbers = {int(entry.values("sn")[0]) for dn, entry in entries if entry.dn.encode() == dn}
            assert numbers == {number for number in range(MANY) if number % MISSING}
            assert len(entries) == len(numbers)
            assert all(entry.values("description") == (b"x" * 8000,) and entry.uuid for _, entry in entries)
            assert stream.search(BASE).entries[0].dn == BASE


def test_two_servers_send_the_same_bytes(server: Slapd) -> None:
    """Whole frames are compared: two reads of one directory must not differ in a byte."""
    with open_stream(Endpoint(server.ldap_uri)) as one, open_stream(Endpoint(server.ldapi_uri)) as two:
        one.search("")  # the counters of small requests must not matter
        for stream in (one, two):
            stream.start(SearchRequest(PEOPLE, "sub", "(sn<=50)"))
        assert dict(bulk(one)) == dict(bulk(two))


# -- a dying server --------------------------------------------------------------------------------------------------


def test_a_server_killed_in_the_middle(slapd: SlapdFactory, authority: Authority) -> None:
    """Much more data than fits on the way, so none of the reads can be complete."""
    server = slapd(SlapdConf(Database(BASE), lines=authority.slapd_lines()), ldaps=True)
    server.load(crowd())
    server.start()
    trusting = Tls(cacert=authority.certificate)
    uris = (server.ldap_uri, server.ldaps_uri, server.ldapi_uri)
    streams = [open_stream(Endpoint(uri, tls=trusting, timeout=20)) for uri in uris]
    try:
        for stream in streams:
            stream.start(SearchRequest(BASE, "sub"))
            assert stream.receive().entries
        server.kill()
        for stream in streams:
            with pytest.raises(IncompleteRead) as caught:
                list(bulk(stream))
            assert stream.uri in caught.value.message
            with pytest.raises(LdapreplError) as afterwards:
                stream.search("")
            assert stream.uri in afterwards.value.message
    finally:
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("accident", ["flipped", "cut"])
def test_an_accident_under_tls(server: Slapd, authority: Authority, accident: str) -> None:
    """Bytes that change or end on the way: TLS notices, and we say it."""
    trusting = Tls(cacert=authority.certificate)
    with (
        forwarded(server.ldaps_uri, 1 << 20, accident) as uri,
        open_stream(Endpoint(uri, tls=trusting, timeout=20)) as stream,
    ):
        stream.start(SearchRequest(BASE, "sub"))
        with pytest.raises(IncompleteRead) as caught:
            list(bulk(stream))
    words = "the connection was lost (" if accident == "flipped" else "closed the connection before"
    assert f"{uri}" in caught.value.message
    assert words in caught.value.message
    assert "_ssl.c" not in str(caught.value)


@contextmanager
def forwarded(uri: str, whole: int, accident: str) -> Iterator[str]:
    """A way to the server for one connection, on which something happens after `whole` bytes of answers."""
    host, _, port = uri.rpartition("//")[2].partition(":")

    def forward() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection((host, int(port))) as there, suppress(OSError):
            Thread(target=copy, args=(client, there), daemon=True).start()
            seen = 0
            while data := bytearray(there.recv(65536)):
                if seen <= whole < seen + len(data) and accident == "cut":
                    client.shutdown(socket.SHUT_RDWR)
                elif seen <= whole < seen + len(data):
                    data[0] ^= 1
                seen += len(data)
                client.sendall(data)

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    with socket.create_server((host, 0)) as listener:
        thread = Thread(target=forward, daemon=True)
        thread.start()
        yield f"ldaps://{host}:{listener.getsockname()[1]}"
        thread.join(20)


def test_a_server_that_stops_regularly(slapd: SlapdFactory) -> None:
    """It says goodbye, or just goes: in no case is the read whole."""
    server = slapd(SlapdConf(Database(BASE)))
    server.load(crowd())
    server.start()
    with open_stream(Endpoint(server.ldap_uri, timeout=20)) as stream:
        stream.start(SearchRequest(BASE, "sub"))
        assert stream.receive().entries
        server.stop(1)
        with pytest.raises(IncompleteRead, match=server.ldap_uri):
            list(bulk(stream))


def test_a_server_that_freezes(slapd: SlapdFactory) -> None:
    server = slapd().start()
    with open_stream(Endpoint(server.ldap_uri, timeout=0.2)) as stream:
        server.pause()
        with pytest.raises(IncompleteRead, match=r"sent nothing for 0\.2 s"):
            stream.search("")
        server.resume()
