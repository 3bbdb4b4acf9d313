"""Streams on real servers: who is let in as whom, what is read, and what a dying server leaves.

The identity behind a stream shows in what it may read: each identity has one entry of its own, and sees no other.
"""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.parse import quote
from uuid import UUID

import pytest
from conftest import SlapdFactory
from tls import Authority

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.words import quote_conf
from ldaprepl.errors import IncompleteRead, LdapreplError, Refused
from ldaprepl.protocol.frames import Op
from ldaprepl.protocol.messages import Result, decode_result
from ldaprepl.protocol.requests import Control, SearchRequest, manage_dsa_it, sync_request
from ldaprepl.wire import opening, plain
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Simple, Tls
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import Opener, Stream, entry_from_frame, open_stream

pytestmark = pytest.mark.servers

OPENERS = pytest.mark.parametrize("opener", [plain.open_socket, opening.open_socket], ids=["plain", "ldap3"])
BASE = "dc=example,dc=com"
PEOPLE = f"ou=people,{BASE}"
READER = f"cn=reader,{BASE}"
# Letters that SASLprep would change: a server compares the bytes that it was given.
ODD_PASSWORD = "ª²ﬁ\u00a0é\u00ade (x)*\\ "
ODD_NAME = f'cn=odd \\, \\"name\\+ \\C3\\A4,{BASE}'
PEERCRED = f"gidNumber={os.getegid()}+uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
OWN = {"reader": READER, "odd": ODD_NAME, "client": "cn=client", "peer": PEERCRED, "nobody": "anonymous"}
MANY, MISSING = 3000, 7  # people, of whom every seventh does not exist


def access() -> tuple[str, ...]:
    """Each identity reads the entry that bears its name; the rest of the tree is for everybody."""
    lines = ["access to attrs=userPassword by * auth"]
    for name, dn in OWN.items():
        who = "anonymous" if name == "nobody" else f"dn.exact={quote_conf(dn)}"
        lines.append(f'access to dn.base="cn=for-{name},{BASE}" by {who} read by * none')
    return (*lines, "access to * by * read")


def ldif() -> Iterator[str]:
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n\n"
    for dn, password in ((READER, "secret of the reader"), (ODD_NAME, ODD_PASSWORD)):
        yield f"dn: {dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"
        yield f"userPassword:: {base64(password)}\n\n"
    for name in OWN:
        yield f"dn: cn=for-{name},{BASE}\nobjectClass: organizationalRole\n\n"
    yield f"dn: {PEOPLE}\nobjectClass: organizationalUnit\n\n"
    for number in range(MANY):
        if number % MISSING:
            yield f"dn: cn=person {number},{PEOPLE}\nobjectClass: person\nsn: {number}\ndescription: {'x' * 8000}\n\n"
    yield f"dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\n"
    yield "ref: ldap://elsewhere.example.com/dc=other\n\n"


def base64(text: str) -> str:
    from base64 import b64encode

    return b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def server(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    """A server with data and TLS; its certificate names 127.0.0.1 and nothing else."""
    lines = (
        *authority.slapd_lines("by-address", "IP:127.0.0.1"),
        "TLSVerifyClient try",
        "authz-policy to",
        f'authz-regexp "^cn=proxy$" "{READER}"',
    )
    server = slapd_module(SlapdConf(Database(BASE, lines=access()), modules=("syncprov",), lines=lines), ldaps=True)
    server.load(ldif())
    return server.start()


@pytest.fixture
def stream(server: Slapd) -> Iterator[Stream]:
    with open_stream(Endpoint(server.ldapi_uri, timeout=20), plain.open_socket) as stream:
        yield stream


def own(stream: Stream) -> list[str]:
    """Which of the entries for one identity this stream sees."""
    answer = stream.search(BASE, "one", "(cn=for-*)", ("cn",))
    assert answer.result.code == 0
    return [entry.values("cn")[0].decode().removeprefix("for-") for entry in answer.entries]


# -- as whom ---------------------------------------------------------------------------------------------------------


@OPENERS
def test_every_way_in_as_whom_it_should_be(server: Slapd, authority: Authority, opener: Opener) -> None:
    reader = Simple(READER, Secret("secret of the reader"))
    odd = Simple(ODD_NAME, Secret(ODD_PASSWORD))
    trusting = Tls(cacert=authority.certificate)
    starting = replace(trusting, starttls=True)
    cert, key = authority.issue("client", "")
    ways: list[tuple[str, Endpoint]] = [
        ("nobody", Endpoint(server.ldap_uri)),
        ("nobody", Endpoint(server.ldap_uri, tls=starting)),
        ("nobody", Endpoint(server.ldaps_uri, tls=trusting)),
        ("nobody", Endpoint(server.ldapi_uri)),
        ("reader", Endpoint(server.ldap_uri, reader)),
        ("reader", Endpoint(server.ldap_uri, reader, starting)),
        ("reader", Endpoint(server.ldaps_uri, reader, trusting)),
        ("reader", Endpoint(server.ldaps_uri, reader, Tls(verify=False))),
        ("reader", Endpoint(server.ldapi_uri, reader)),
        ("odd", Endpoint(server.ldap_uri, odd)),
        ("odd", Endpoint(server.ldaps_uri, odd, trusting)),
        ("peer", Endpoint(server.ldapi_uri, External())),
        ("client", Endpoint(server.ldap_uri, External(), replace(starting, cert=cert, key=key))),
        ("client", Endpoint(server.ldaps_uri, External(), replace(trusting, cert=cert, key=key))),
        (
            "nobody",
            Endpoint(server.ldaps_uri, Anonymous(), replace(trusting, cert=cert, key=key)),
        ),  # a certificate is no bind
    ]
    for expected, endpoint in ways:
        with open_stream(endpoint, opener) as stream:
            assert (endpoint, own(stream)) == (endpoint, [expected])


@OPENERS
def test_an_authorization_identity(server: Slapd, authority: Authority, opener: Opener) -> None:
    """Ours by default; another one only where the server lets us, and its refusal is told."""
    cert, key = authority.issue("proxy", "")
    tls = Tls(cacert=authority.certificate, cert=cert, key=key)
    for authzid in ("", f"dn:{READER}"):
        with open_stream(Endpoint(server.ldaps_uri, External(authzid), tls), opener) as stream:
            assert own(stream) == ["reader"]
    with pytest.raises(LdapreplError, match="refused to bind SASL EXTERNAL as dn:cn=other") as caught:
        open_stream(Endpoint(server.ldaps_uri, External(f"dn:cn=other,{BASE}"), tls), opener)
    assert isinstance(caught.value, Refused)


@OPENERS
def test_an_odd_socket_path(server: Slapd, tmp_path: Path, opener: Opener) -> None:
    from urllib.parse import unquote

    link = tmp_path / "100%41 ü"
    link.symlink_to(unquote(server.ldapi_uri.removeprefix("ldapi://")))
    with open_stream(Endpoint(f"ldapi://{quote(str(link), safe='')}", External()), opener) as stream:
        assert own(stream) == ["peer"]


@OPENERS
def test_the_name_must_stand_in_the_certificate(server: Slapd, authority: Authority, opener: Opener) -> None:
    """It names 127.0.0.1 only: localhost is the same machine, and yet another name."""
    port = server.ldaps_uri.rpartition(":")[2], server.ldap_uri.rpartition(":")[2]
    for uri, tls in (
        (f"ldaps://localhost:{port[0]}", Tls(cacert=authority.certificate)),
        (f"ldap://localhost:{port[1]}", Tls(cacert=authority.certificate, starttls=True)),
    ):
        with pytest.raises(Refused, match=r"certificate was not accepted \(Hostname mismatch") as caught:
            open_stream(Endpoint(uri, Simple(READER, Secret("secret of the reader")), tls), opener)
        assert uri in caught.value.message
        with open_stream(Endpoint(uri, tls=replace(tls, verify=False)), opener) as stream:
            assert own(stream) == ["nobody"]


@OPENERS
def test_no_password_in_any_text(server: Slapd, authority: Authority, opener: Opener) -> None:
    """Neither in the error nor in what it was made from, and in no command line of the machine."""
    password = "Tr0ub4dor&3 ü (wrong)"
    bind = Simple(READER, Secret(password))
    gone = server.ldap_uri.replace("127.0.0.1", "127.0.0.2")
    for endpoint in (
        Endpoint(server.ldap_uri, bind),
        Endpoint(server.ldaps_uri, bind, Tls(cacert=authority.certificate)),
        Endpoint(server.ldaps_uri, bind),  # an authority that we do not know
        Endpoint(server.ldap_uri.replace("ldap:", "ldaps:"), bind, timeout=2),
        Endpoint(gone, bind, timeout=2),
    ):
        with pytest.raises(LdapreplError) as caught:
            open_stream(endpoint, opener)
        shown = "".join(traceback.format_exception(caught.value)) + str(caught.value) + repr(caught.value)
        assert password not in shown + repr(endpoint) + str(endpoint) + repr(endpoint.bind) + str(endpoint.bind)
        assert base64(password) not in shown
    with open_stream(Endpoint(server.ldap_uri, Simple(READER, Secret("secret of the reader"))), opener) as stream:
        assert "secret of the reader" not in repr(stream) + repr(stream.endpoint)
        for secret in ("secret of the reader", password, server.rootpw.reveal()):
            assert not [line for line in command_lines() if secret.encode() in line]


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            pass  # it has ended


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


def bulk(stream: Stream) -> Iterator[tuple[bytes, bytes]]:
    """All entries of a started read; ends with success only."""
    while True:
        batch = stream.receive()
        yield from batch.entries
        for message in batch.messages:
            if message.op == Op.SEARCH_DONE:
                assert decode_result(message).code == 0
                return


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
            assert own(stream) == ["nobody"]


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
    server.load(ldif())
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
    server.load(ldif())
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
