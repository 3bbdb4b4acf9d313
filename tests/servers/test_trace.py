"""-v and --debug-dump tell what happened, in every command, and hold no secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, loaded, provider_conf, stamp, tree

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdproc import Slapd

pytest_plugins = ["checking"]
HIDDEN = "{CLEARTEXT}do-not-show-me"
Runner = Callable[..., str]


@pytest.fixture
def guarded(slapd: SlapdFactory, tmp_path: Path) -> tuple[Slapd, Slapd, list[str]]:
    """A pair with a password in an entry, and the options of an identity."""
    secret = f"dn: cn=reader,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n" \
             f"cn: reader\nuserPassword: {HIDDEN}\n\n"  # fmt: skip
    pieces = [*tree({"people": stamp(HOUR)}, [stamp(HOUR)]), secret]
    provider, consumer = (loaded(slapd(provider_conf()), pieces) for _ in range(2))
    files = []
    for name, server in (("p", provider), ("c", consumer)):
        (tmp_path / name).write_text(server.rootpw.reveal())
        files.append(str(tmp_path / name))
    identity = ["-q", "-D", provider.rootdn, "-y", files[0], "--consumer-password-file", files[1]]
    return provider, consumer, identity


COMMANDS = {
    "verify": ["--settle", "0"],
    "check": [],
    "status": [],
    "doctor": [],
    "sync": ["--dry-run", "--max-delete", "100%"],
    "init-consumer": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_its_steps_and_no_secret(
    command: str, guarded: tuple[Slapd, Slapd, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    provider, consumer, identity = guarded
    dump = tmp_path / "dump.json"
    servers = ["--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri, "-b", SUFFIX]
    if command == "init-consumer":
        servers = ["--provider", provider.ldap_uri, "-b", SUFFIX]
    run([command, "-v", "--debug-dump", str(dump), *servers, *identity, *COMMANDS[command]])
    told = capsys.readouterr().err
    lines = [json.loads(line) for line in dump.read_text().splitlines()]
    assert provider.ldap_uri in told
    assert "search" in told
    assert lines[0]["command"] == command
    assert {line["op"] for line in lines[1:]} & {"search", "search_ext"}
    assert dump.stat().st_mode & 0o777 == 0o600
    secrets = (provider.rootpw.reveal(), consumer.rootpw.reveal(), "do-not-show-me", "ZG8tbm90LXNob3ctbWU")
    for secret in secrets:
        assert secret not in dump.read_text()
        assert secret not in told


def test_entries_are_in_the_capture_with_stars_for_secrets(
    guarded: tuple[Slapd, Slapd, list[str]], tmp_path: Path
) -> None:
    provider, consumer, identity = guarded
    dump = tmp_path / "dump.json"
    servers = ["--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri, "-b", SUFFIX]
    run(["verify", "--debug-dump", str(dump), *servers, *identity, "--filter", "(|(userPassword=x)(cn=reader))"])
    lines = [json.loads(line) for line in dump.read_text().splitlines()]
    [entry] = [line for line in lines if line.get("dn") == f"cn=reader,{SUFFIX}" and
               line["server"] == provider.ldap_uri][:1]  # fmt: skip
    assert entry["attributes"]["userPassword"] == ["********"]
    assert entry["attributes"]["cn"] == ["reader"]
    assert "(|(userPassword=********)(cn=reader))" in {line.get("filter") for line in lines}


def test_a_file_that_is_there_is_not_opened_to_its_readers(live: Sequence[Slapd], tmp_path: Path) -> None:
    dump, elsewhere, link = tmp_path / "dump", tmp_path / "elsewhere", tmp_path / "link"
    dump.write_text("old")
    dump.chmod(0o644)
    elsewhere.write_text("mine")
    link.symlink_to(elsewhere)
    look = ["status", "--provider", live[0].ldap_uri, "--consumer", live[1].ldap_uri, "-b", SUFFIX, "--debug-dump"]
    assert run([*look, str(dump)]) == 0
    assert dump.stat().st_mode & 0o777 == 0o600
    assert run([*look, str(link)]) == 2
    assert elsewhere.read_text() == "mine"
    assert run([*look, str(tmp_path / "no/such/folder")]) == 2


def test_without_it_nothing_is_said(live: Sequence[Slapd], capsys: pytest.CaptureFixture[str]) -> None:
    run(["status", "-v", "--provider", live[0].ldap_uri, "--consumer", live[1].ldap_uri, "-b", SUFFIX])
    assert "search" in capsys.readouterr().err
    run(["status", "--provider", live[0].ldap_uri, "--consumer", live[1].ldap_uri, "-b", SUFFIX])
    assert "search" not in capsys.readouterr().err
