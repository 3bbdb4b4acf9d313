"""SASL binds beyond EXTERNAL, against slapd's own: SCRAM by hand and through libsasl, the rest through libsasl."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ldap
import pytest
from synclab import ADMIN, BASE, UPDATEDN, Lab, consumer_conf, seed

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf

MAPPED = (
    "password-hash {CLEARTEXT}",  # what every one of these mechanisms needs
    f'authz-regexp "uid=([^,]+),(cn=[^,]+,)?cn=[^,]+,cn=auth" "uid=$1,ou=people,{BASE}"',
)
SCRAM = "SCRAM-SHA-256"
Pair = Callable[..., list[str]]


@pytest.fixture
def pair(slapd, tmp_path: Path) -> Pair:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    """A provider that uid=p1 may read by SASL; the command line of sync and verify but for the mechanism."""
    database = Database(lines=("overlay syncprov", "access to * by * read"), nosync=True)
    provider = slapd(SlapdConf(database, modules=("syncprov",), lines=MAPPED)).start()
    lab = Lab(provider, slapd(consumer_conf(UPDATEDN)).start(), tmp_path)
    master = lab.admin()
    seed(master)
    master.modify_s(f"uid=p1,ou=people,{BASE}", [(ldap.MOD_REPLACE, "userPassword", ["gehéim".encode()])])
    ((_, root),) = master.search_s("", ldap.SCOPE_BASE, attrlist=["supportedSASLMechanisms"])

    def line(mechanism: str, password: str = "gehéim") -> list[str]:
        if mechanism.encode() not in root.get("supportedSASLMechanisms", []):
            pytest.skip(f"libsasl has no {mechanism} here")
        files = []
        for name, text in (("provider", password), ("consumer", lab.consumer.rootpw.reveal())):
            file = tmp_path / f"{name}.pw"
            file.write_text(text)
            file.chmod(0o600)
            files.append(str(file))
        return [
            "--provider", provider.ldap_uri, "--consumer", lab.consumer.ldap_uri, "-b", BASE,
            "--sasl", mechanism, "-D", "p1", "-y", files[0],
            "--consumer-bind-dn", ADMIN, "--consumer-password-file", files[1], "-q",
        ]  # fmt: skip

    return line


@pytest.mark.parametrize("mechanism", [SCRAM, "SCRAM-SHA-1", "SCRAM-SHA-512", "DIGEST-MD5", "CRAM-MD5"])
def test_sync(pair: Pair, tmp_path: Path, mechanism: str) -> None:
    assert run(["sync", *pair(mechanism), "--state", str(tmp_path / "state")]) == 0


@pytest.mark.parametrize("mechanism", [SCRAM, "SCRAM-SHA-1", "SCRAM-SHA-512"])
def test_scram_without_any_library(pair: Pair, tmp_path: Path, mechanism: str) -> None:
    """verify and check do without libsasl; what one server accepted by libsasl is equal to what is read by hand."""
    common = pair(mechanism)
    assert run(["sync", *common, "--state", str(tmp_path / "state")]) == 0
    assert run(["verify", *common]) == 0
    assert run(["check", *common]) == 0


def test_a_wrong_password(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = pair(SCRAM, "wrong")
    assert run(["sync", *common, "--state", str(tmp_path / "state")]) == 3
    assert "does not let SASL SCRAM-SHA-256 as p1 in: wrong password" in capsys.readouterr().err
    assert run(["verify", *common]) == 3
    said = capsys.readouterr()
    assert "refused to bind SASL SCRAM-SHA-256 as p1" in said.out + said.err
    assert "wrong" not in (said.out + said.err).replace("wrong; servers", "")


def test_what_only_libsasl_can_do_is_said(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", *pair("DIGEST-MD5")]) == 2
    assert "DIGEST-MD5 is only for what sync and replay write" in capsys.readouterr().err


def test_replay_does_not_write_first_and_then_find_that_it_cannot_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "replog"
    log.write_text("")
    nobody = ["--provider", "ldap://127.0.0.1:1", "--consumer", "ldap://127.0.0.1:2", "-b", BASE]
    (tmp_path / "pw").write_text("x")
    who = ["--sasl", "DIGEST-MD5", "-D", "p1", "-y", str(tmp_path / "pw")]
    line = ["replay", str(log), *nobody, *who, "--state", str(tmp_path / "state"), "--verify-after"]
    assert run(line) == 2
    assert "what compares does without libsasl" in capsys.readouterr().err and not (tmp_path / "state").exists()


def test_a_mechanism_that_is_not_there(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = pair(SCRAM)
    common[common.index(SCRAM)] = "GSS-SPNEGO"
    assert run(["sync", *common, "--state", str(tmp_path / "state")]) == 3
    assert "SASL GSS-SPNEGO" in capsys.readouterr().err


def test_a_name_is_needed(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = pair(SCRAM)
    del common[common.index("-D") : common.index("-D") + 2]
    assert run(["sync", *common, "--state", str(tmp_path / "state")]) == 2
    assert "--sasl SCRAM-SHA-256 needs a name" in capsys.readouterr().err
