"""Profiles on real servers: TLS and identities of each server, options that win, all replicas in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, loaded, provider_conf, stamp, stanza, tree, with_admin
from tls import Authority

from ldaprepl.cli.main import run
from ldaprepl.cli.profiles import in_force
from ldaprepl.wire import ldapconf, profilefile
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

Capture = pytest.CaptureFixture[str]
STAMP = stamp(HOUR)
CONTENT = {"a": STAMP, "b": STAMP}


@pytest.fixture(scope="module")
def one(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    """A provider with TLS; passwords are its own."""
    return loaded(slapd_module(provider_conf(top=authority.slapd_lines()), ldaps=True), tree(CONTENT, [STAMP]))


@pytest.fixture(scope="module")
def same(slapd_module: SlapdFactory, authority: Authority, one: Slapd) -> Slapd:
    """What native replication would have made of it, with another administrator's password."""
    server = slapd_module(SlapdConf(lines=authority.slapd_lines()), ldaps=True)
    server.load([one.dump()])
    return server.start()


@pytest.fixture(scope="module")
def poor(slapd_module: SlapdFactory, one: Slapd) -> Slapd:
    """One that lacks an entry."""
    server = slapd_module()
    pieces = one.dump().split("\n\n")
    server.load(f"{piece}\n\n" for piece in pieces if not piece.startswith("dn: ou=b,"))
    return server.start()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home and a folder of its own, where it may put what is to count."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ldapconf, "SYSTEM", (tmp_path / "ldap.conf",))


def secret(folder: Path, name: str, server: Slapd) -> str:
    path = folder / f"{name}.pw"
    path.write_text(server.rootpw.reveal() + "\n")
    path.chmod(0o600)
    return path.name


@pytest.fixture
def config(one: Slapd, same: Slapd, poor: Slapd, authority: Authority, tmp_path: Path) -> Path:
    """Three servers, each with a password of its own; a replica in order, one that is not, one that is wrong."""
    text = f"""
[servers.one]
uri = "{one.ldaps_uri}"
bind_dn = "{one.rootdn}"
password_file = "{secret(tmp_path, "one", one)}"
cacert = "{authority.certificate}"

[servers.same]
uri = "{same.ldap_uri}"
bind_dn = "{same.rootdn}"
password_command = ["cat", "{tmp_path / secret(tmp_path, "same", same)}"]
starttls = true
cacert = "{authority.certificate}"

[servers.poor]
uri = "{poor.ldap_uri}"

[servers.locked]
uri = "{poor.ldap_uri}"
bind_dn = "cn=x"
password_file = "none.pw"

[replicas.good]
provider = "one"
consumers = "same"
base = "{SUFFIX}"
settle = 3
certificate_warning = "1h"
certificate_critical = "1m"
state = "state"

[replicas.bad]
provider = "one"
consumers = ["poor", "same"]
base = "{SUFFIX}"
settle = 0
warning = 1
critical = "30d"
certificate_warning = "1h"
certificate_critical = "1m"
state = "state"

[replicas.wrong]
provider = "one"
consumers = "locked"
base = "{SUFFIX}"
"""
    path = tmp_path / "ldaprepl.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def verified(capsys: Capture, *words: str, code: int) -> dict[str, Any]:
    assert run(["verify", "--format", "json", *words]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.usefixtures("config")
def test_one_replica(capsys: Capture, one: Slapd, same: Slapd) -> None:
    """TLS with the private CA, another identity on each side, from ./ldaprepl.toml."""
    document = verified(capsys, "--profile", "good", code=0)
    assert (document["base"], document["provider"]["uri"]) == (SUFFIX, one.ldaps_uri)
    assert document["consumers"][0]["uri"] == same.ldap_uri
    assert document["consumers"][0]["entries"]["equal"] == 3
    assert run(["check", "--profile", "good"]) == 0
    assert one.rootpw.reveal() not in capsys.readouterr().out


def test_all_of_them_and_one_is_wrong(config: Path, capsys: Capture, poor: Slapd) -> None:
    document = verified(capsys, "--all", "--config", str(config), code=3)
    verdicts = {report["name"]: report["verdict"] for report in document["reports"]}
    assert verdicts == {"good": "equal", "bad": "diverged", "wrong": "undecided"}
    wrong = document["reports"][2]["consumers"][0]
    assert wrong["uri"] == poor.ldap_uri
    assert f"{config}:21: the password file" in wrong["problem"]["text"]
    assert run(["verify", "--all"]) == 3
    shown = capsys.readouterr().out
    assert shown.count("[good]\nEQUAL") == 1
    assert "[wrong]\nUNDECIDED" in shown


@pytest.mark.usefixtures("config")
def test_check_all(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own thresholds and memory; what cannot be looked at is UNKNOWN and hides no alarm."""
    assert run(["check", "--all"]) == 3
    line = capsys.readouterr().out
    assert line.startswith("LDAPREPL UNKNOWN - good: ")
    assert "; wrong: " in line
    assert "good_lag=0.000s;60;300;0" in line
    assert "'bad_lag_127.0.0.1:" in line
    assert ";1;2.592e+06;0" in line
    assert sorted(path.name for path in (tmp_path / "state").glob("*.json")) == ["check-bad.json", "check-good.json"]
    assert run(["check", "--all", "--format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert [report["status"] for report in document["reports"]] == ["OK", "OK", "UNKNOWN"]
    assert run(["check", "--all", "--format", "prometheus"]) == 3
    samples = capsys.readouterr().out
    assert 'ldaprepl_check_status{replica="wrong"} 3' in samples
    assert 'ldaprepl_check_status{replica="good",base="' in samples
    assert run(["check", "--all", "--format", "text", "-v"]) == 3
    assert "[good]\nOK: " in capsys.readouterr().out
    assert run(["status", "--all"]) == 3
    assert "[wrong]\nUNKNOWN: " in capsys.readouterr().out


@pytest.mark.usefixtures("config")
def test_verify_remembers_where_the_profile_says(capsys: Capture, tmp_path: Path) -> None:
    for _ in range(2):
        verified(capsys, "--profile", "bad", code=1)
    assert [path.name for path in (tmp_path / "state").glob("*.json")] == ["verify.json"]
    assert run(["verify", "--profile", "bad", "--cron"]) == 1
    assert capsys.readouterr().out == ""  # nothing new
    assert run(["verify", "--all", "--format", "html", "-o", "report.html"]) == 3
    assert "<title>UNDECIDED: 3 reports" in (tmp_path / "report.html").read_text()


def test_a_key_of_one_command_is_not_another_s(config: Path) -> None:
    """`--max-delete` of `verify --repair` is a stricter brake than that of `sync`: a profile must not loosen it."""
    with config.open("a") as file:
        file.write('max_delete = "90%"\n')
    profiles = profilefile.read(config)
    given = {"max_delete": None, "origins": {}}
    assert in_force({**given, "bytewise": False}, profiles.replica("wrong"), "f")["max_delete"] is None
    assert in_force({**given, "audit_every": "24h"}, profiles.replica("wrong"), "f")["max_delete"] == "90%"


@pytest.mark.usefixtures("config")
def test_the_command_line_wins(capsys: Capture, poor: Slapd, same: Slapd) -> None:
    document = verified(capsys, "--profile", "good", "--consumer", "poor", "--filter", "(ou=a)", code=0)
    assert document["consumers"][0]["uri"] == poor.ldap_uri
    assert document["consumers"][0]["entries"]["provider"] == 1
    assert run(["verify", "--profile", "good", "-D", "cn=nobody", "-y", "same.pw"]) == 3
    assert "refused to bind cn=nobody" in capsys.readouterr().out
    assert run(["verify", "--profile", "good", "--consumer", same.ldap_uri, "--cacert", "/dev/null"]) == 2
    assert "/dev/null" in capsys.readouterr().err


def test_sync_with_a_profile(config: Path, slapd: SlapdFactory, one: Slapd, capsys: Capture, tmp_path: Path) -> None:
    """The consumer, its own identity and TLS, and the folder for the state come from the file."""
    target = slapd(SlapdConf(Database(lines=(f'updatedn "{one.rootdn}"',)))).start()
    more = f"""
[servers.target]
uri = "{target.ldap_uri}"
bind_dn = "{target.rootdn}"
password_file = "{secret(tmp_path, "target", target)}"

[replicas.copy]
provider = "one"
consumers = "target"
base = "{SUFFIX}"
state = "state"

[replicas.two]
provider = "one"
consumers = ["target", "same"]
base = "{SUFFIX}"
"""
    with config.open("a") as file:
        file.write(more)
    assert run(["sync", "--profile", "copy"]) == 0
    assert len(with_admin(target).search_s(SUFFIX, 2)) == 3
    assert any((tmp_path / "state").iterdir())
    assert run(["sync", "--profile", "two"]) == 2
    assert "sync needs one --consumer" in capsys.readouterr().err
    assert run(["sync", "--profile", "two", "--consumer", "target", "--state", "state"]) == 0


@pytest.mark.usefixtures("config")
def test_other_commands_with_a_profile(capsys: Capture, one: Slapd, tmp_path: Path) -> None:
    assert run(["init-consumer", "--profile", "good", "-q", "-o", "stanza.conf", "--force"]) == 0
    written = (tmp_path / "stanza.conf").read_text()
    assert f"provider={one.ldaps_uri}" in written
    assert one.rootpw.reveal() in written  # as the consumer needs it, in a file for nobody else
    assert run(["init-consumer"]) == 2
    assert "it is not said what to look at" in capsys.readouterr().err
    assert run(["lint", "--profile", "good"]) in (0, 1)
    assert "nothing to judge" not in capsys.readouterr().err
    (tmp_path / "replog").write_text("")
    assert run(["replay", "replog", "--explain", "--profile", "good", "--state", "state"]) == 0
    assert run(["doctor", "--profile", "good"]) in (0, 1)
    assert one.ldaps_uri in capsys.readouterr().out


def test_a_replica_that_is_a_stanza(
    config: Path, one: Slapd, same: Slapd, authority: Authority, capsys: Capture, tmp_path: Path
) -> None:
    """Its consumer is this machine's slapd, which LDAPURI names; options win over it as over everything else."""
    line = stanza(one, f'tls_cacert="{authority.certificate}"').replace(one.ldap_uri, one.ldaps_uri)
    (tmp_path / "slapd.conf").write_text(f'database mdb\nsuffix "{SUFFIX}"\n{line}\n')
    with config.open("a") as file:
        file.write('\n[replicas.old]\nstanza = "slapd.conf#1"\nfilter = "(ou=*)"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LDAPURI", f"ldap://elsewhere {same.ldapi_uri}")
        patch.chdir("/")
        ldapconf.ours.cache_clear()
        document = verified(capsys, "--profile", "old", "--config", str(config), code=0)
    ldapconf.ours.cache_clear()
    consumer = document["consumers"][0]
    assert consumer["uri"] == same.ldapi_uri
    assert consumer["entries"]["provider"] == 2
    assert consumer["notes"][0] == f"the consumer was not named, and was taken to be {same.ldapi_uri}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--config", "ldaprepl.toml"], "--config says where replicas are described"),
        (["--profile", "god"], "has no replica 'god'"),
        (["--profile", "good", "--all"], "three ways to say the same"),
        (["--profile", "good", "--stanza", "ldapi:///"], "three ways to say the same"),
        (["--all", "-b", "dc=x"], "--all takes every replica as it is"),
        (["--profile", "good", "--consumer", "nobody"], "has no server 'nobody'"),
        (["--profile", "good", "--config", "none.toml"], "none.toml cannot be read"),
        (["--profile", "wrong"], "none.pw cannot be read"),
    ],
)
@pytest.mark.usefixtures("config")
def test_wrong_usage(words: list[str], said: str, capsys: Capture) -> None:
    assert run(["verify", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_foreign_file_is_refused(config: Path, capsys: Capture) -> None:
    config.chmod(0o666)
    assert run(["verify", "--profile", "good"]) == 2
    assert "may be written by others" in capsys.readouterr().err


# -- ldap.conf ---------------------------------------------------------------------------------------------------------


def test_ldap_conf_says_what_nobody_else_does(
    one: Slapd, same: Slapd, authority: Authority, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = ["--provider", one.ldaps_uri, "--consumer", same.ldaps_uri]
    assert run(["verify", *servers]) == 2
    assert "it is not said what to look at" in capsys.readouterr().err
    assert run(["verify", *servers, "-b", SUFFIX]) == 3
    assert "certificate was not accepted" in capsys.readouterr().out
    (tmp_path / ".ldaprc").write_text(f"BASE {SUFFIX}\nTLS_CACERT {authority.certificate}\nBINDDN {one.rootdn}\n")
    ldapconf.ours.cache_clear()
    assert run(["verify", *servers]) == 0
    assert "note" not in capsys.readouterr().err
    monkeypatch.setenv("LDAPREPL_PASSWORD", one.rootpw.reveal())
    monkeypatch.setenv("LDAPREPL_CONSUMER_PASSWORD", same.rootpw.reveal())
    assert run(["verify", *servers, "--consumer-bind-dn", same.rootdn]) == 0
    monkeypatch.setenv("LDAPREPL_PASSWORD", "wrong")
    assert run(["verify", *servers, "--consumer-bind-dn", same.rootdn]) == 3
    assert f"refused to bind {one.rootdn}" in capsys.readouterr().out


def test_what_weakens_tls_is_told(
    one: Slapd, same: Slapd, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ldaprc").write_text("TLS_REQCERT never\n")
    servers = ["--provider", one.ldaps_uri, "--consumer", same.ldaps_uri, "-b", SUFFIX, "-q"]
    assert run(["verify", *servers]) == 0
    assert f"{tmp_path}/.ldaprc:1 has TLS_REQCERT never" in capsys.readouterr().err
    assert run(["verify", *servers, "--tls-reqcert", "demand"]) == 3
    assert "certificate was not accepted" in capsys.readouterr().out
    monkeypatch.setenv("LDAPTLS_REQCERT", "demand")
    ldapconf.ours.cache_clear()
    assert run(["verify", *servers]) == 3
    (tmp_path / ".ldaprc").write_text("TLS_CACERT /no/such.pem\n")
    ldapconf.ours.cache_clear()
    assert run(["verify", *servers]) == 2
    assert ".ldaprc:1 has TLS_CACERT /no/such.pem, and there is nothing there" in capsys.readouterr().err
