"""Which servers, as whom, for what: taken from stanzas in every form they are kept in, and from nothing at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SlapdFactory
from replication import HOUR, SUFFIX, context, loaded, provider_conf, stamp, stanza, tree, until, with_admin

from ldaprepl.cli import stanzas
from ldaprepl.cli.main import run
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

STAMP = stamp(HOUR)
TREE = tree({"a": STAMP, "b": STAMP}, [STAMP])
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory) -> Slapd:
    return loaded(slapd_module(provider_conf()), TREE)


@pytest.fixture(scope="module")
def consumer(slapd_module: SlapdFactory, provider: Slapd) -> Slapd:
    """A native consumer with live cn=config, and two stanzas: of all, and of one subtree."""
    part = stanza(provider, rid=7).replace(f'searchbase="{SUFFIX}"', f'searchbase="ou=b,{SUFFIX}"')
    server = slapd_module(SlapdConf(Database(lines=(stanza(provider), part)), live_config=True))
    server.convert()
    loaded(server, TREE)  # two stanzas that fill one empty database get in each other's way
    until(lambda: context(server) == context(provider) != [])
    return server


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LDAPREPL_PASSWORD", "LDAPREPL_CONSUMER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def verified(capsys: Capture, *words: str, code: int = 0) -> dict[str, Any]:
    assert run(["verify", "--format", "json", "--settle", "5", *words]) == code
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def shown(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(report["name"], report["base"], report["verdict"]) for report in document["reports"]]


BOTH = [("rid 001", SUFFIX, "equal"), ("rid 007", f"ou=b,{SUFFIX}", "equal")]


def test_nothing_is_named(consumer: Slapd, provider: Slapd, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a consumer, as root: every stanza of its live cn=config gets its verdict."""
    monkeypatch.setattr(stanzas, "LOCAL", consumer.ldapi_uri)
    document = verified(capsys)
    assert (document["schema"], document["command"], document["verdict"]) == (1, "verify", "equal")
    assert shown(document) == BOTH
    report = document["reports"][0]
    assert report["provider"]["uri"] == provider.ldap_uri
    assert report["consumers"][0]["uri"] == consumer.ldapi_uri
    assert report["consumers"][0]["entries"] == {"provider": 3, "consumer": 3, "equal": 3}
    assert run(["verify"]) == 0
    assert "[rid 001]\nEQUAL" in capsys.readouterr().out


def test_check_and_status_of_every_base(
    consumer: Slapd, provider: Slapd, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stanzas, "LOCAL", consumer.ldapi_uri)
    assert run(["check", "-v"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"LDAPREPL OK - rid 001: {consumer.ldapi_uri}: in sync")
    assert "; rid 007: " in said
    assert "'rid 007_lag'=0.000s" in said
    assert run(["check", "-b", SUFFIX]) == 0
    assert "rid 007" not in capsys.readouterr().out
    assert run(["status"]) == 0
    table = capsys.readouterr().out
    assert (table.count("[rid 001]\n"), table.count("[rid 007]\n")) == (1, 1)
    assert table.count(f"provider {provider.ldap_uri}") == 2


def test_what_root_may_not_see_is_no_loss(slapd: SlapdFactory, provider: Slapd, capsys: Capture) -> None:
    """Debian's access rules hide userPassword from root over ldapi. Nobody shall take that for a loss unwarned."""
    closed = ("access to attrs=userPassword by self write by anonymous auth by * none", "access to * by * read")
    opened = ("access to * by dn.exact=gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth read by * read",)
    for rules, warned in ((closed, True), (opened, False), ((), False)):
        server = slapd(SlapdConf(Database(lines=(stanza(provider), *rules)), live_config=True))
        server.convert()
        loaded(server, TREE)
        document = verified(capsys, "--stanza", server.ldapi_uri)
        assert (
            any("root over ldapi may not be shown all" in note for note in document["consumers"][0]["notes"]) == warned
        )


def test_one_stanza_is_one_report_as_ever(consumer: Slapd, capsys: Capture) -> None:
    for words in (["--stanza", f"{consumer.ldapi_uri}#7"], ["--stanza", consumer.ldapi_uri, "-b", f"OU=b,{SUFFIX}"]):
        document = verified(capsys, *words)
        assert "reports" not in document
        assert document["base"] == f"ou=b,{SUFFIX}"


@pytest.mark.parametrize("form", ["slapd.conf", "slapd.d", "ldif"])
def test_stanzas_in_files(form: str, consumer: Slapd, capsys: Capture, tmp_path: Path) -> None:
    """A file says all but where its consumer is; who binds there is who binds at the provider, unless somebody else is
    named."""
    source = consumer.folder / "slapd.conf"
    if form == "slapd.d":
        source = next(path for path in consumer.folder.iterdir() if (path / "cn=config.ldif").exists())
    if form == "ldif":
        text = "".join(
            file.read_text() if file.name == "cn=config.ldif" else _whole(file, consumer)
            for file in sorted(next(consumer.folder.glob("*/cn=config.ldif")).parent.rglob("*.ldif"))
        )
        source = tmp_path / "config.ldif"
        source.write_text(text)
        source.chmod(0o600)
    words = ["--stanza", str(source), "--consumer", consumer.ldapi_uri]
    assert shown(verified(capsys, *words)) == BOTH


def _whole(file: Path, server: Slapd) -> str:
    """One file of slapd.d with its whole DN, as slapcat shows it."""
    root = next(server.folder.glob("*/cn=config.ldif")).parent
    above = ",".join(reversed(file.relative_to(root).parts[:-1]))
    first, _, rest = file.read_text().partition("dn: ")
    rdn, _, rest = rest.partition("\n")
    return f"\n{first}dn: {rdn},{above}\n{rest}"


def test_a_stanza_that_cannot_be_followed_leaves_the_others_their_verdict(
    provider: Slapd, consumer: Slapd, capsys: Capture, tmp_path: Path
) -> None:
    kerberos = f'syncrepl rid=2 provider=ldap://a.example.com bindmethod=sasl saslmech=GSSAPI searchbase="{SUFFIX}"'
    source = tmp_path / "slapd.conf"
    source.write_text(f'database mdb\nsuffix "{SUFFIX}"\n{stanza(provider)}\n{kerberos}\n')
    document = verified(capsys, "--stanza", str(source), "--consumer", consumer.ldapi_uri, code=3)
    assert [report["verdict"] for report in document["reports"]] == ["equal", "undecided"]
    problem = document["reports"][1]["consumers"][0]["problem"]
    assert f"{source}:4" in problem["text"]
    assert "GSSAPI" in problem["text"]
    assert "--provider ldap://a.example.com" in problem["cure"]


@pytest.fixture(scope="module")
def changed(slapd_module: SlapdFactory) -> Slapd:
    """A consumer with a description that the provider does not have."""
    server = loaded(slapd_module(), TREE)
    with_admin(server).modify_s(f"ou=a,{SUFFIX}", [(0, "description", [b"only here"])])
    return server


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (('logbase="cn=log"', 'logfilter="(reqResult=0)"', "syncdata=accesslog"), (3, 1)),
        (('filter="(ou=a)"',), (1, 1)),
        (('filter="(ou=b)"',), (1, 0)),
        (("scope=one",), (2, 1)),
        (("scope=base",), (1, 0)),
        (('attrs="ou"',), (3, 0)),
        (('exattrs="description,entryCSN,modifyTimestamp,modifiersName"',), (3, 0)),
    ],
)
def test_each_stanza_is_compared_in_its_own_scope(
    words: tuple[str, ...], expected: tuple[int, int], provider: Slapd, changed: Slapd, capsys: Capture, tmp_path: Path
) -> None:
    """Expected: entries on the provider, and the exit code."""
    entries, code = expected
    source = tmp_path / "slapd.conf"
    source.write_text(f'database mdb\nsuffix "{SUFFIX}"\n{stanza(provider, *words)}\n')
    password = tmp_path / "pw"
    password.write_text(changed.rootpw.reveal())
    password.chmod(0o600)
    who = ["--consumer-bind-dn", changed.rootdn, "--consumer-password-file", str(password)]
    found = verified(capsys, "--stanza", str(source), "--consumer", changed.ldap_uri, *who, "--settle", "0", code=code)
    assert found["consumers"][0]["entries"]["provider"] == entries
    assert provider.rootpw.reveal() not in json.dumps(found)


def test_the_command_line_wins(consumer: Slapd, provider: Slapd, capsys: Capture) -> None:
    document = verified(capsys, "--stanza", f"{consumer.ldapi_uri}#1", "--filter", "(ou=a)")
    assert document["consumers"][0]["entries"]["provider"] == 1
    assert run(["verify", "--stanza", consumer.ldapi_uri, "--provider", "ldap://elsewhere"]) == 2
    said = capsys.readouterr().err
    assert "no syncrepl stanza for ldap://elsewhere" in said
    assert f"rid 001 from {provider.ldap_uri}" in said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("no.conf", None, "cannot be read"),
        ("empty.conf", "", "holds no configuration of slapd"),
        ("plain.conf", "database mdb\n", "has no syncrepl stanza"),
        ("words.txt", "Dear sir,\n", "holds no configuration of slapd"),
        ("bad.ldif", "dn: cn=config\nolcX\n", "Is it LDIF of cn=config"),
    ],
)
def test_wrong_files(name: str, text: str | None, words: str, tmp_path: Path, capsys: Capture) -> None:
    source = tmp_path / name
    if text is not None:
        source.write_text(text)
    assert run(["verify", "--stanza", str(source), "--consumer", "ldap://127.0.0.1:9"]) == 2
    assert words in capsys.readouterr().err


def test_nothing_is_named_and_no_slapd_is_here(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stanzas, "LOCAL", f"ldapi://{str(tmp_path / 'none').replace('/', '%2F')}")
    for command in ("verify", "status"):
        assert run([command]) == 2
        said = capsys.readouterr().err
        assert "there is nothing to look at: no servers are named, and ldapi:" in said
        assert "--provider" in said
    assert run(["check"]) == 3
    assert "there is nothing to look at" in capsys.readouterr().out


def test_sync_takes_a_stanza_and_never_writes_to_the_one_who_runs_it(
    consumer: Slapd, provider: Slapd, slapd: SlapdFactory, capsys: Capture, tmp_path: Path
) -> None:
    target = slapd(SlapdConf(Database(lines=(f'updatedn "{provider.rootdn}"',)))).start()
    password = tmp_path / "pw"
    password.write_text(target.rootpw.reveal())
    password.chmod(0o600)
    there = ["--consumer-bind-dn", target.rootdn, "--consumer-password-file", str(password)]
    state = ["--state", str(tmp_path / "state")]
    conf = str(consumer.folder / "slapd.conf")
    assert run(["sync", "--stanza", f"{conf}#1", "--consumer", target.ldap_uri, *there, *state]) == 0
    assert len(with_admin(target).search_s(SUFFIX, 2)) == 3
    capsys.readouterr()
    assert run(["sync", "--stanza", conf, "--consumer", target.ldap_uri, *there, *state]) == 2
    assert "sync follows one stanza at a time" in capsys.readouterr().err
    assert run(["sync", "--stanza", f"{conf}#1"]) == 2
    assert "sync needs one --consumer" in capsys.readouterr().err
    live = f"{consumer.ldapi_uri}#1"
    assert run(["sync", "--stanza", live, "--consumer", consumer.ldapi_uri, *state]) == 1
    assert "runs native syncrepl" in capsys.readouterr().err
    assert run(["sync", "--stanza", f"{conf}#1", "--consumer", consumer.ldapi_uri, *state]) == 1
    assert "runs native syncrepl" in capsys.readouterr().err
