"""The fears: a value that takes over the terminal, one that looks like another, and a secret in a report."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.report.values import digest, is_secret, printable, shown

HARMFUL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain, with spaces: ok", "plain, with spaces: ok"),
        ("Zoë 王小明 עברית", "Zoë 王小明 עברית"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u200bb\u2066c\ufeff", "a\\u200bb\\u2066c\\ufeff"),
        ("a\u2028b", "a\\u2028b"),
        ("no\xa0break, ideographic\u3000blank", "no\\xa0break, ideographic\\u3000blank"),
        ("\udc80\udcff", "\\x80\\xff"),
        ("\ue000", "\\ue000"),
        ("\U000e0041", "\\U000e0041"),
        ("\0", "\\x00"),
        ("", ""),
    ],
)
def test_what_a_terminal_acts_upon_becomes_an_escape(text: str, safe: str) -> None:
    assert printable(text) == safe


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_whatever_comes_in_what_comes_out_is_one_safe_line(text: str) -> None:
    out = printable(text)
    assert not any(unicodedata.category(char) in HARMFUL for char in out)
    assert len(out.splitlines()) <= 1
    out.encode()


@given(st.binary(max_size=200), st.integers(0, 80))
def test_every_value_is_shown_safely_and_no_longer_than_asked(value: bytes, width: int) -> None:
    out = shown("description", value, width)
    assert printable(out) == out
    assert not width or len(out) <= max(width, 2) + 1 or not out.startswith('"')


def test_text_binary_and_long_values() -> None:
    assert shown("cn", b"Ada") == '"Ada"'
    assert shown("cn", b"") == '""'
    assert shown("jpegPhoto", bytes(range(128, 160)) + b"x") == "33 bytes 808182838485868788898a8b8c8d8e8f…"
    assert shown("cn", b"\xff\xfe") == "2 bytes fffe"
    assert shown("cn", b"\x00\x01\x02a") == "4 bytes 00010261", "nearly all of it would be escapes"
    assert shown("cn", b"x" * 100, 20) == '"' + "x" * 17 + '…"'


SECRET_NAMES = (
    *("userPassword", "USERPASSWORD", "userPassword;x-old", "userpassword;lang-de", "2.5.4.35", "authPassword"),
    *("pwdHistory", "sambaNTPassword", "sambaLMPassword", "olcRootPW", "olcSyncrepl", "krbPrincipalKey"),
    *("krbPwdHistory", "ipaNTHash", "userPKCS12", "clearPassword", "someVendorPassword", "myPasswd", "clientSecret"),
    *("sshPrivateKey", "nsslapd-rootpw", "unicodePwd", "passphraseHint"),
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secrets_are_digests(name: str) -> None:
    assert is_secret(name)
    for value in (b"s3cr3t", b"{SSHA}abcdefgh", b"\xff\x00", b""):
        out = shown(name, value, 60)
        assert out == digest(value)
        assert out.startswith("digest:")
        assert "s3cr3t" not in out
        assert "SSHA" not in out


def test_digests_tell_values_apart_and_are_no_plain_hash() -> None:
    assert digest(b"a") == digest(b"a") != digest(b"b")
    assert len(digest(b"a")) == len("digest:") + 16


@pytest.mark.parametrize(
    "name", ["cn", "mail", "pwdPolicySubentry", "passwordExpirationTime", "userCertificate;binary", "sshPublicKey"]
)
def test_no_secrets(name: str) -> None:
    assert not is_secret(name)
