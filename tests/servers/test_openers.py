"""Both openers against real servers: who is let in, who is not, and in which words. They must not differ."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SlapdFactory
from tls import Authority

from ldaprepl.domain.secret import Secret
from ldaprepl.errors import CertificateExpired, LdapreplError, ProtocolViolation, Refused, ServerUnavailable
from ldaprepl.wire import opening, plain
from ldaprepl.wire.endpoint import Endpoint, External, Simple, Tls
from ldaprepl.wire.session import open_session
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import Opener, open_stream

OPENERS = pytest.mark.parametrize("opener", [plain.open_socket, opening.open_socket], ids=["plain", "ldap3"])


@pytest.fixture(scope="module")
def secured(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    """A server with StartTLS and ldaps whose certificate names localhost and 127.0.0.1."""
    lines = (*authority.slapd_lines(), "TLSVerifyClient try")
    return slapd_module(SlapdConf(lines=lines), ldaps=True).start()


@pytest.fixture(scope="module")
def misnamed(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    """A server whose certificate is for another host."""
    return slapd_module(SlapdConf(lines=authority.slapd_lines("other", "DNS:other.example.com")), ldaps=True).start()


def who(endpoint: Endpoint, opener: Opener) -> str:
    """What the server calls us, by the Who am I? of a search that only shows the own entry: the bind worked."""
    with open_stream(endpoint, opener) as stream:
        answer = stream.search("", attributes=("supportedLDAPVersion",))
        assert answer.entries[0].values("supportedLDAPVersion")
        return str(endpoint.bind)


def every_way_in(secured: Slapd, authority: Authority) -> list[Endpoint]:
    admin = Simple(secured.rootdn, secured.rootpw)
    trusting = Tls(cacert=authority.certificate)
    client = authority.issue("client")
    return [
        Endpoint(secured.ldap_uri),
        Endpoint(secured.ldap_uri, admin),
        Endpoint(secured.ldap_uri, admin, trusting._replace(starttls=True)),
        Endpoint(secured.ldaps_uri, admin, trusting),
        Endpoint(secured.ldaps_uri, admin, Tls(verify=False)),
        Endpoint(secured.ldapi_uri, External()),
        Endpoint(secured.ldaps_uri, External(), trusting._replace(cert=client[0], key=client[1])),
        Endpoint(secured.ldap_uri, External(), trusting._replace(starttls=True, cert=client[0], key=client[1])),
    ]


@OPENERS
def test_every_way_in(secured: Slapd, authority: Authority, opener: Opener) -> None:
    for endpoint in every_way_in(secured, authority):
        assert who(endpoint, opener)


def test_every_way_in_through_libldap(secured: Slapd, authority: Authority) -> None:
    for endpoint in every_way_in(secured, authority):
        with open_session(endpoint) as session:
            shown = session.read("", ("supportedLDAPVersion",))
            assert shown is not None and shown.values("supportedLDAPVersion"), endpoint


def test_libldap_refuses_certificates_in_the_same_words(
    secured: Slapd, misnamed: Slapd, server: Slapd, authority: Authority
) -> None:
    trusting = Tls(cacert=authority.certificate)
    for endpoint, words in (
        (Endpoint(misnamed.ldaps_uri, tls=trusting), "IP address mismatch"),
        (Endpoint(misnamed.ldap_uri, tls=trusting._replace(starttls=True)), "IP address mismatch"),
        (Endpoint(secured.ldaps_uri), "self-signed|local issuer"),
        (Endpoint(server.ldap_uri, tls=Tls(starttls=True)), "refused StartTLS"),
    ):
        with pytest.raises(Refused, match=words):
            open_session(endpoint)


@OPENERS
def test_a_bind_really_happens(secured: Slapd, opener: Opener) -> None:
    """cn=config is shown to nobody here, and the database is empty: only a write tells who we are."""
    for bind, code in ((Simple(secured.rootdn, secured.rootpw), 32), (None, 8)):
        endpoint = Endpoint(secured.ldap_uri) if bind is None else Endpoint(secured.ldap_uri, bind)
        with open_stream(endpoint, opener) as stream:
            assert stream.replace("dc=example,dc=com", "description", [b"x"]).code == code


@OPENERS
def test_a_wrong_password_is_refused(secured: Slapd, opener: Opener) -> None:
    endpoint = Endpoint(secured.ldap_uri, Simple(secured.rootdn, Secret("not it")))
    with pytest.raises(Refused, match=r"refused to bind cn=admin,dc=example,dc=com \(49 invalidCredentials") as caught:
        open_stream(endpoint, opener)
    assert "not it" not in str(caught.value)


@OPENERS
@pytest.mark.parametrize("starttls", [False, True])
def test_a_wrong_name_is_refused(misnamed: Slapd, authority: Authority, opener: Opener, starttls: bool) -> None:
    uri = misnamed.ldap_uri if starttls else misnamed.ldaps_uri
    with pytest.raises(Refused, match=r"certificate was not accepted \(IP address mismatch"):
        open_stream(Endpoint(uri, tls=Tls(starttls=starttls or None, cacert=authority.certificate)), opener)


@OPENERS
def test_an_unknown_authority_is_refused(secured: Slapd, opener: Opener) -> None:
    with pytest.raises(Refused, match=r"certificate was not accepted \((self-signed|unable to get local issuer)"):
        open_stream(Endpoint(secured.ldaps_uri), opener)


@OPENERS
def test_an_expired_certificate_has_its_own_error(slapd: SlapdFactory, authority: Authority, opener: Opener) -> None:
    certificate, key = authority.issue("expired", days=-1)
    lines = (f'TLSCertificateFile "{certificate}"', f'TLSCertificateKeyFile "{key}"')
    server = slapd(SlapdConf(lines=lines), ldaps=True).start()
    with pytest.raises(CertificateExpired, match="certificate has expired"):
        open_stream(Endpoint(server.ldaps_uri, tls=Tls(cacert=authority.certificate)), opener)


@OPENERS
def test_starttls_where_there_is_none(server: Slapd, opener: Opener) -> None:
    with pytest.raises(Refused, match="refused StartTLS"):
        open_stream(Endpoint(server.ldap_uri, tls=Tls(starttls=True)), opener)


@OPENERS
def test_certificate_files_that_are_none(secured: Slapd, tmp_path: Path, opener: Opener) -> None:
    rubbish = tmp_path / "ca.pem"
    rubbish.write_text("no certificate")
    with pytest.raises(Refused, match="certificate files cannot be used"):
        open_stream(Endpoint(secured.ldaps_uri, tls=Tls(cacert=rubbish)), opener)


@OPENERS
def test_nobody_there(opener: Opener, short_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(ServerUnavailable, match=r"cannot be reached \(Connection refused\)") as caught:
            open_stream(Endpoint(f"ldap://127.0.0.1:{port}"), opener)
    assert not isinstance(caught.value, Refused)
    gone = str(short_path / "gone").replace("/", "%2F")
    with pytest.raises(ServerUnavailable, match=r"cannot be reached \(No such file or directory\)"):
        open_stream(Endpoint(f"ldapi://{gone}", External()), opener)


@OPENERS
def test_tls_on_a_port_without(server: Slapd, opener: Opener) -> None:
    with pytest.raises(Refused, match="TLS failed"):
        open_stream(Endpoint(server.ldap_uri.replace("ldap:", "ldaps:")), opener)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that is no LDAP server: one connection, handled by `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


BIND_OK = bytes.fromhex("300c02010261070a010004000400")
STARTTLS_OK = bytes.fromhex("300c02010178070a010004000400")
NOTICE = bytes.fromhex("3024020100781f0a013404000400") + b"\x8a\x161.3.6.1.4.1.1466.20036"


@pytest.mark.parametrize(
    ("bytes_sent", "error"),
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak LDAP"),
        (BIND_OK + BIND_OK, "more came after the end"),
        (BIND_OK[:-1], "closed the connection"),
        (NOTICE, r"ended the connection \(52 unavailable"),
    ],
)
def test_rubbish_instead_of_a_bind_answer(bytes_sent: bytes, error: str) -> None:
    with answering(lambda client: client.sendall(bytes_sent)) as uri, pytest.raises(LdapreplError, match=error):
        open_stream(Endpoint(uri, Simple("cn=x", Secret("pw"))), plain.open_socket)


def test_nothing_may_stand_behind_the_answer_to_starttls() -> None:
    """Bytes sent in the clear before TLS must not be taken for protected ones."""
    with (
        answering(lambda client: client.sendall(STARTTLS_OK + BIND_OK)) as uri,
        pytest.raises(ProtocolViolation, match=r"more than the answer|more came after|never asked"),
    ):
        open_stream(Endpoint(uri, tls=Tls(starttls=True, verify=False)), plain.open_socket)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@OPENERS
def test_a_handshake_that_nobody_answers_is_silence_and_no_refusal(silent: int, opener: Opener) -> None:
    with pytest.raises(ServerUnavailable, match=r"cannot be reached \(timed out\)") as caught:
        open_stream(Endpoint(f"ldaps://127.0.0.1:{silent}", timeout=0.5), opener)
    assert not isinstance(caught.value, Refused)


def test_libldap_says_who_is_not_there_in_the_same_words(silent: int) -> None:
    admin = Simple("cn=x", Secret("pw"))
    for uri, words in (
        ("ldap://127.0.0.1:9", r"cannot be reached \(Connection refused\)"),
        (f"ldap://127.0.0.1:{silent}", r"cannot be reached \(timed out\)"),
        ("ldap://no-such-host.invalid", r"cannot be reached \(no address for this name\)"),
    ):
        with pytest.raises(ServerUnavailable, match=words) as caught:
            open_session(Endpoint(uri, admin, Tls(starttls=False, allow_cleartext=True), timeout=0.5))
        assert caught.value.cure


def test_a_silent_server_ends_in_a_timeout(server: Slapd) -> None:
    server.pause()
    with pytest.raises(ServerUnavailable, match=r"cannot be reached \(timed out"):
        open_stream(Endpoint(server.ldap_uri, Simple("cn=x", Secret("pw")), timeout=0.2), plain.open_socket)
