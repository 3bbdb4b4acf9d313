"""Where a server is: no URL may mean another place than it says, and no password may be said at all."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.domain.secret import Secret
from ldaprepl.errors import UsageError
from ldaprepl.wire.endpoint import DEFAULT_LDAPI, Address, Endpoint, External, Simple, Tls, parse_uri

SIMPLE = Simple("cn=reader", Secret("correct horse"))


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("ldap://host", Address("ldap", "host", 389)),
        ("LDAPS://Host.example.com/", Address("ldaps", "host.example.com", 636)),
        ("ldap://[::1]:3890", Address("ldap", "::1", 3890)),
        ("ldap://192.0.2.1:10389/", Address("ldap", "192.0.2.1", 10389)),
        ("ldapi://", Address("ldapi", path=DEFAULT_LDAPI)),
        ("ldapi:///", Address("ldapi", path=DEFAULT_LDAPI)),
        ("ldapi://%2Ftmp%2Fa%20b%2525", Address("ldapi", path="/tmp/a b%25")),
        ("ldapi:///tmp/ldapi", Address("ldapi", path="/tmp/ldapi")),
    ],
)
def test_urls(uri: str, address: Address) -> None:
    assert parse_uri(uri) == address


@pytest.mark.parametrize(
    "uri",
    [
        *("", "host", "ldap:host", "ldap://", "ldap:///", "http://host", "cldap://host", "ldap://:389"),
        *("ldap://host:0", "ldap://host:65536", "ldap://host:-1", "ldap://host:x", "ldap://[::1", "ldap://ho st"),
        *("ldap://host\n", "ldap://ho\tst", "ldapi://%2Ftmp\n", "ldap://host/dc=example", "ldap://host??sub"),
        *("ldap://host#x", "ldap://a ldap://b", "ldap://a,ldap://b", "ldapi:///tmp?x", "ldapi:///tmp#x"),
    ],
)
def test_what_is_no_url_of_a_server(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        *("ldap://me:s3cret@host", "ldap://me:s3@cret@host/", "ldaps://:s3cret@[::1", "ldapi://me:s3cret@%2Ftmp"),
        *("ldap://me:s3\ncret@host", "ldap:me:s3cret@host", "me:s3cret@host"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_said(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(uri)
    assert "s3" not in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=20) | st.text(alphabet="%:/[]@?#.0aZ \n", max_size=12).map(lambda rest: "ldap://" + rest))
def test_any_text_is_a_url_or_a_usage_error(text: str) -> None:
    for uri in (text, text.replace("ldap:", "ldapi:")):
        try:
            address = parse_uri(uri)
        except UsageError:
            continue
        assert address.path if address.scheme == "ldapi" else address.host and 0 < address.port < 65536


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_every_socket_path(path: str) -> None:
    assert parse_uri(f"ldapi://{quote(path, safe='')}").path == path


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_a_password_may_stay_on_this_machine(host: str) -> None:
    endpoint = Endpoint(f"ldap://{host}", SIMPLE).checked()
    assert not endpoint.starttls


@pytest.mark.parametrize(
    "host", ["server", "192.0.2.1", "localhost.example.com", "127.0.0.1.example.com", "[2001:db8::1]"]
)
def test_a_password_never_crosses_a_network_in_the_clear(host: str) -> None:
    uri = f"ldap://{host}"
    assert Endpoint(uri, SIMPLE).checked().starttls
    assert not Endpoint(uri).checked().starttls
    with pytest.raises(UsageError, match="in the clear") as caught:
        Endpoint(uri, SIMPLE, Tls(starttls=False)).checked()
    assert "--allow-cleartext" in caught.value.cure
    assert not Endpoint(uri, SIMPLE, Tls(starttls=False, allow_cleartext=True)).checked().starttls
    assert Endpoint(uri, SIMPLE, Tls(starttls=True, allow_cleartext=True)).checked().starttls


def test_what_cannot_be(tmp_path: Path) -> None:
    for endpoint, words in (
        (Endpoint("ldaps://host", tls=Tls(starttls=True)), "cannot be used with --starttls"),
        (Endpoint("ldapi://", tls=Tls(starttls=True)), "cannot be used with --starttls"),
        (Endpoint("ldaps://host", Simple("cn=x", Secret(""))), "no password for cn=x"),
        (Endpoint("ldaps://host", External()), "no identity to offer"),
        (Endpoint("ldap://host", External(), Tls(cert=Path(__file__))), "no identity to offer"),
        (Endpoint("ldaps://host", tls=Tls(cacert=tmp_path)), "there is no such file"),
        (Endpoint("ldaps://host", tls=Tls(key=tmp_path / "gone")), "there is no such file"),
        (Endpoint("ldap://host/dc=x"), "holds more than a server"),
    ):
        with pytest.raises(UsageError, match=words):
            endpoint.checked()


def test_an_endpoint_shows_no_password() -> None:
    endpoint = Endpoint("ldaps://host", SIMPLE)
    assert "horse" not in f"{endpoint} {endpoint!r} {endpoint.bind} {endpoint.bind!r}"
    assert str(SIMPLE) == "cn=reader"
    assert str(External("dn:cn=a")) == "SASL EXTERNAL as dn:cn=a"
