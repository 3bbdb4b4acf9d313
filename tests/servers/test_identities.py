"""Who is let in, and as whom: by every way, through both openers.

The identity behind a stream shows in what it may read: each identity has one entry of its own, and sees no other.
"""

from __future__ import annotations

import os
import traceback
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from conftest import SlapdFactory
from tls import Authority

from ldaprepl.domain.secret import Secret
from ldaprepl.domain.words import quote_conf
from ldaprepl.errors import LdapreplError, Refused
from ldaprepl.wire import opening, plain
from ldaprepl.wire.endpoint import Anonymous, Endpoint, External, Simple, Tls
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import Opener, Stream, open_stream

# ldap3 forgets to close the socket of an address that did not answer, where localhost has two (IPv6 first).
pytestmark = [pytest.mark.servers, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]

OPENERS = pytest.mark.parametrize("opener", [plain.open_socket, opening.open_socket], ids=["plain", "ldap3"])
BASE = "dc=example,dc=com"
READER = f"cn=reader,{BASE}"
# Letters that SASLprep would change: a server compares the bytes that it was given.
ODD_PASSWORD = "ª²ﬁ\u00a0é\u00ade (x)*\\ "
ODD_NAME = f'cn=odd \\, \\"name\\+ \\C3\\A4,{BASE}'
PEERCRED = f"gidNumber={os.getegid()}+uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
OWN = {"reader": READER, "odd": ODD_NAME, "client": "cn=client", "peer": PEERCRED, "nobody": "anonymous"}


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


def base64(text: str) -> str:
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


def own(stream: Stream) -> list[str]:
    """Which of the entries for one identity this stream sees."""
    answer = stream.search(BASE, "one", "(cn=for-*)", ("cn",))
    assert answer.result.code == 0
    return [entry.values("cn")[0].decode().removeprefix("for-") for entry in answer.entries]


@OPENERS
def test_every_way_in_as_whom_it_should_be(server: Slapd, authority: Authority, opener: Opener) -> None:
    reader = Simple(READER, Secret("secret of the reader"))
    odd = Simple(ODD_NAME, Secret(ODD_PASSWORD))
    trusting = Tls(cacert=authority.certificate)
    starting = trusting._replace(starttls=True)
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
        ("client", Endpoint(server.ldap_uri, External(), starting._replace(cert=cert, key=key))),
        ("client", Endpoint(server.ldaps_uri, External(), trusting._replace(cert=cert, key=key))),
        (
            "nobody",
            Endpoint(server.ldaps_uri, Anonymous(), trusting._replace(cert=cert, key=key)),
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
def test_an_odd_socket_path(server: Slapd, short_path: Path, opener: Opener) -> None:
    link = short_path / "100%41 ü"
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
        with open_stream(Endpoint(uri, tls=tls._replace(verify=False)), opener) as stream:
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
        Endpoint(server.ldap_uri.replace("ldap:", "ldaps:"), bind),
        Endpoint(gone, bind),
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
