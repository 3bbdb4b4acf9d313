"""Doctor on real servers: what is wrong must stand in the column of the server that has it, with its cure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, context, loaded, provider_conf, stamp, tree
from tls import Authority

from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

pytest_plugins = ["checking"]
READER = f"cn=reader,{SUFFIX}"
PEOPLE = {f"p{number}": stamp(HOUR) for number in range(20)}
NOBODY = "ldap://127.0.0.1:1"


class Doctor:
    """One run: exit code, servers by URI with rows by topic, and the text."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *options: str) -> int:
        code = run(["doctor", "--format", "json", "--timeout", "60", *options])
        said = self._capsys.readouterr()
        assert said.out, said.err
        self.servers = {server["uri"]: server for server in json.loads(said.out)["servers"]}
        return code

    def row(self, uri: str, topic: str) -> tuple[str, str, str]:
        [row] = [row for row in self.servers[uri]["rows"] if row["topic"] == topic]
        return row["mark"], row["text"], row["cure"]

    def text(self, *options: str) -> str:
        run(["doctor", "--timeout", "60", *options])
        return self._capsys.readouterr().out


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.delenv("LDAPREPL_PASSWORD", raising=False)
    return Doctor(capsys)


def identity(provider: Slapd, consumer: Slapd, folder: Path) -> list[str]:
    (folder / "p").write_text(provider.rootpw.reveal())
    (folder / "c").write_text(consumer.rootpw.reveal())
    return ["-q", "-D", provider.rootdn, "-y", str(folder / "p"), "--consumer-password-file", str(folder / "c")]


def both(provider: Slapd, consumer: Slapd) -> list[str]:
    return ["--provider", provider.ldap_uri, "--consumer", consumer.ldap_uri]


def marks(doctor: Doctor, server: Slapd) -> dict[str, str]:
    return {row["topic"]: row["mark"] for row in doctor.servers[server.ldap_uri]["rows"]}


def test_a_healthy_pair(doctor: Doctor, live: Sequence[Slapd], tmp_path: Path) -> None:
    provider, consumer = live
    who = identity(provider, consumer, tmp_path)
    assert doctor(*both(provider, consumer), *who, "-b", SUFFIX) == 0
    for server in live:
        assert "bad" not in marks(doctor, server).values()
        assert doctor.row(server.ldap_uri, "identity") == ("ok", provider.rootdn, "")
        assert doctor.servers[server.ldap_uri]["contextcsn"]
    assert doctor.row(provider.ldap_uri, "sync")[:2] == ("ok", "syncprov answers")
    assert doctor.row(provider.ldap_uri, "writes")[1].startswith("taken here")
    assert doctor.row(consumer.ldap_uri, "writes")[1].startswith("read-only copy")
    assert doctor.servers[provider.ldap_uri]["vendor"] == "OpenLDAP"


def test_nothing_was_changed(doctor: Doctor, live: Sequence[Slapd], tmp_path: Path) -> None:
    provider, consumer = live
    before = context(provider)
    doctor(*both(provider, consumer), *identity(provider, consumer, tmp_path), "-b", SUFFIX)
    assert context(provider) == before != []
    assert context(consumer) == before


def test_without_a_base_the_naming_context_is_taken(doctor: Doctor, live: Sequence[Slapd]) -> None:
    provider, consumer = live
    assert doctor(*both(provider, consumer)) == 0
    assert {server["base"] for server in doctor.servers.values()} == {SUFFIX}
    assert doctor.row(provider.ldap_uri, "identity")[0] == "warn"  # anonymous


def test_a_change_log_that_comes_first_is_not_what_is_replicated(doctor: Doctor, slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(Database(), others=(Database(suffix="cn=AccessLog"),))).start()
    doctor("--provider", server.ldap_uri)
    assert doctor.servers[server.ldap_uri]["base"] == SUFFIX


def test_a_server_that_is_down_is_a_column(doctor: Doctor, live: Sequence[Slapd]) -> None:
    provider, _ = live
    assert doctor("--provider", provider.ldap_uri, "--consumer", NOBODY, "-b", SUFFIX) == 3
    mark, text, cure = doctor.row(NOBODY, "connection")
    assert (mark, "refused" in text, "port" in cure) == ("bad", True, True)
    assert doctor.row(provider.ldap_uri, "sync")[0] == "ok"  # the other is told all the same


def test_a_provider_without_syncprov_and_with_a_limit(doctor: Doctor, slapd: SlapdFactory, tmp_path: Path) -> None:
    limit = f'limits dn.exact="{READER}" size=5'
    lines = (limit, "access to attrs=userPassword by anonymous auth by * none", "access to * by * read")
    server = slapd(SlapdConf(Database(lines=lines)))
    reader = (
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        "userPassword: secret\n\n"
    )
    loaded(server, [*tree(PEOPLE, [stamp(HOUR)]), reader])
    (tmp_path / "pw").write_text("secret")
    assert doctor("--provider", server.ldap_uri, "-q", "-D", READER, "-y", str(tmp_path / "pw"), "-b", SUFFIX) == 1
    mark, text, cure = doctor.row(server.ldap_uri, "limits")
    assert (mark, "5 entries" in text) == ("bad", True)
    assert f'limits dn.exact="{READER}" size=unlimited' in cure
    mark, _, cure = doctor.row(server.ldap_uri, "sync")
    assert (mark, "overlay syncprov" in cure) == ("bad", True)


def test_hidden_attributes_are_a_warning_that_names_the_identity(
    doctor: Doctor, slapd: SlapdFactory, tmp_path: Path
) -> None:
    lines = ("access to attrs=userPassword,entryCSN by anonymous auth by * none", "access to * by * read")
    server = loaded(slapd(provider_conf(*lines)), tree(PEOPLE, [stamp(HOUR)]))
    assert doctor("--provider", server.ldap_uri, "-b", SUFFIX) == 0
    mark, text, cure = doctor.row(server.ldap_uri, "rights")
    assert (mark, "entryCSN" in text) == ("warn", True)
    assert "by anonymous read" in cure


def test_tls_and_its_names(doctor: Doctor, slapd: SlapdFactory, authority: Authority, tmp_path: Path) -> None:
    server = slapd(SlapdConf(Database(lines=("overlay syncprov",)), modules=("syncprov",),
                             lines=authority.slapd_lines()), ldaps=True)  # fmt: skip
    loaded(server, tree(PEOPLE, [stamp(HOUR)]))
    uri = server.ldaps_uri
    assert uri is not None
    assert doctor("--provider", uri, "-b", SUFFIX, "--cacert", str(authority.certificate)) == 0
    mark, text, _ = doctor.row(uri, "tls")
    assert (mark, "TLSv1.3 for localhost, 127.0.0.1" in text) == ("warn", True)  # it ends in two days
    assert doctor("--provider", uri, "-b", SUFFIX) == 3
    assert "certificate was not accepted" in doctor.row(uri, "connection")[1]


def test_a_wrong_base(doctor: Doctor, live: Sequence[Slapd]) -> None:
    provider, consumer = live
    assert doctor(*both(provider, consumer), "-b", "dc=other,dc=org") == 1
    mark, text, cure = doctor.row(provider.ldap_uri, "rights")
    assert (mark, "none of its databases" in text, SUFFIX in cure) == ("bad", True, True)


def test_side_by_side_in_eighty_columns_and_stacked_when_narrow(
    doctor: Doctor, live: Sequence[Slapd], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, consumer = live
    monkeypatch.setenv("COLUMNS", "80")
    wide = doctor.text(*both(provider, consumer), "-b", SUFFIX)
    [head] = [line for line in wide.splitlines() if provider.ldap_uri in line and "identity" not in line][:1]
    assert consumer.ldap_uri in head
    table = wide.split("What to do:")[0]
    assert max(map(len, table.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "50")
    narrow = doctor.text(*both(provider, consumer), "-b", SUFFIX)
    assert not [line for line in narrow.splitlines() if provider.ldap_uri in line and consumer.ldap_uri in line]
    assert max(map(len, narrow.split("What to do:")[0].splitlines())) <= 50


def test_nobody_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 2
    assert "--provider" in capsys.readouterr().err
