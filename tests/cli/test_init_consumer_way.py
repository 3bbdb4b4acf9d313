"""The provider is looked at the way the consumer will go, and nothing is asked before the usage is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaprepl.cli.init_consumer import _way
from ldaprepl.cli.main import run
from ldaprepl.domain.secret import Secret
from ldaprepl.wire.endpoint import Anonymous, Endpoint, Simple, Tls

SIMPLE = Simple("cn=x", Secret("y"))


@pytest.mark.parametrize(
    ("endpoint", "starttls"),
    [
        (Endpoint("ldap://p.example.com", Anonymous()), True),
        (Endpoint("ldap://p.example.com", SIMPLE), True),
        (Endpoint("ldap://p.example.com", SIMPLE, Tls(allow_cleartext=True)), False),
        (Endpoint("ldap://p.example.com", Anonymous(), Tls(starttls=False)), False),
        (Endpoint("ldap://127.0.0.1", SIMPLE), False),
        (Endpoint("ldap://127.0.0.1", SIMPLE, Tls(starttls=True)), True),
        (Endpoint("ldaps://p.example.com", SIMPLE), False),
        (Endpoint("ldapi:///", SIMPLE), False),
    ],
)
def test_starttls(endpoint: Endpoint, starttls: bool) -> None:
    assert _way(endpoint).starttls is starttls


def test_a_password_that_is_no_utf8_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "pw"
    password.write_bytes(b"geh\xffeim")
    password.chmod(0o600)
    code = run(["init-consumer", "--provider", "ldap://127.0.0.1:1", "-b", "dc=x", "-D", "cn=x", "-y", str(password)])
    error = capsys.readouterr().err
    assert code == 2 and "UTF-8" in error and "eim" not in error


def test_a_password_that_cn_config_cannot_hold_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "pw"
    password.write_bytes(b'geheim " x')
    password.chmod(0o600)
    arguments = ["init-consumer", "--provider", "ldap://127.0.0.1:1", "-b", "dc=x", "-D", "cn=x", "-y", str(password)]
    assert run([*arguments, "--format", "ldif"]) == 2
    error = capsys.readouterr().err
    assert "double quote" in error and "geheim" not in error
    assert run(arguments) == 3
