"""What commands really write must be what docs/schema/ says: on servers with findings of every kind, and without."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import SlapdFactory
from jsonforms import complaints
from replication import HOUR, SUFFIX, loaded, provider_conf, stamp, tree, with_admin

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdproc import Slapd

pytest_plugins = ["checking"]
NOBODY = "ldap://127.0.0.1:1"


@pytest.fixture
def judged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run a command with --format json; the document must be as its schema says."""
    monkeypatch.delenv("LDAPREPL_PASSWORD", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def go(command: str, *options: str) -> dict[str, object]:
        run([command, "--format", "json", *options])
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        assert complaints(command, document) == []
        return document

    return go


@pytest.fixture
def drifted(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    """Two servers that differ in each of the five ways."""
    entries = {name: stamp(HOUR) for name in ("same", "only-here", "moved", "changed", "twin")}
    provider = loaded(slapd(provider_conf()), tree(entries, [stamp(HOUR)]))
    consumer = loaded(slapd(provider_conf()), tree(entries, [stamp(HOUR)]))
    admin = with_admin(consumer)
    admin.delete_s(f"ou=only-here,{SUFFIX}")
    admin.rename_s(f"ou=moved,{SUFFIX}", "ou=gone")
    admin.modify_s(f"ou=changed,{SUFFIX}", [(2, "description", [b"x"])])
    for name in ("twin", "only-there"):
        if name == "twin":
            admin.delete_s(f"ou={name},{SUFFIX}")
        admin.add_s(f"ou={name},{SUFFIX}", [("objectClass", [b"organizationalUnit"]), ("ou", [name.encode()])])
    return provider, consumer


def pair_of(servers: Sequence[Slapd]) -> list[str]:
    return ["--provider", servers[0].ldap_uri, "--consumer", servers[1].ldap_uri, "-b", SUFFIX]


def test_verify(judged, drifted: tuple[Slapd, Slapd]) -> None:
    document = judged("verify", *pair_of(drifted), "--settle", "0")
    kinds = {finding["kind"] for finding in document["consumers"][0]["findings"]}
    assert kinds == {"missing", "extra", "renamed", "differs", "identity"}
    assert judged("verify", *pair_of(drifted), "--consumer", NOBODY, "--settle", "0")["verdict"] == "undecided"


@pytest.mark.parametrize("command", ["check", "status"])
def test_check_and_status(judged, command: str, drifted: tuple[Slapd, Slapd], live: Sequence[Slapd]) -> None:
    assert judged(command, *pair_of(live))["status"] == "OK"
    assert judged(command, *pair_of(drifted), "--consumer", NOBODY)["status"] == "CRITICAL"


def test_sync(judged, drifted: tuple[Slapd, Slapd], tmp_path: Path) -> None:
    provider, consumer = drifted
    (tmp_path / "pw").write_text(consumer.rootpw.reveal())
    who = ["--consumer-bind-dn", consumer.rootdn, "--consumer-password-file", str(tmp_path / "pw"), "-q"]
    document = judged("sync", *pair_of((provider, consumer)), *who, "--max-delete", "100%")
    assert document["written"] == "relax"
    assert judged("sync", *pair_of((provider, consumer)), *who)["added"] == 0


def test_doctor_and_lint(judged, live: Sequence[Slapd], tmp_path: Path) -> None:
    assert judged("doctor", *pair_of(live), "--consumer", NOBODY)["status"] == "unknown"
    source = tmp_path / "slapd.conf"
    source.write_text(f'database mdb\nsuffix "{SUFFIX}"\nsyncrepl rid=1 provider=ldap://a searchbase="{SUFFIX}"\n')
    assert judged("lint", str(source), "--provider", NOBODY, "-b", SUFFIX)["findings"]
