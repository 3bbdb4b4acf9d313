"""Live rules: each fault is built into real servers, and lint must see it by asking, with the stanza's own identity."""

from __future__ import annotations

import json
from pathlib import Path

import ldap
import pytest
from conftest import SlapdFactory
from lintlab import DATA, REPLICA, SUFFIX, stanza, until
from tls import Authority

from ldaprepl.cli.main import run
from ldaprepl.domain.version import Version
from ldaprepl.wire.configsource import ConfigReader
from ldaprepl.wire.endpoint import Endpoint, External
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

LIMITS = f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited'
READ = f'access to * by dn.exact="{REPLICA}" read by * auth'
DELTA: dict[str, str | None] = {
    "syncdata": "accesslog",
    "logbase": "cn=log",
    "logfilter": '"(&(objectClass=auditWriteObject)(reqResult=0))"',
}
LIVE = {"LR211", "LR304", "LR305", "LR309", "LR418", "LR423", "LR424", "LR425", "LR510", "LR516", "LR601", "LR603",
        "LR606", "LR607", "LR615", "LR702", "LR703", "LR704", "LR709"}  # fmt: skip


def provider(
    slapd: SlapdFactory, *lines: str, data: str = DATA, log: tuple[str, ...] | None = None, csn: bool = True
) -> Slapd:
    """A running server; with `log` also a log database with these lines, with `csn` contextCSN is stored."""
    others: tuple[Database, ...] = ()
    if log is not None:
        others = (Database("cn=log", "cn=log", lines=log),)
        lines = (*lines, "overlay accesslog", "logdb cn=log", "logops writes", "logsuccess TRUE")
    conf = SlapdConf(Database(SUFFIX, sizelimit="", lines=lines), others, modules=("syncprov", "accesslog"))
    server = slapd(conf)
    server.load([data], write_csn=csn)
    server.start()
    for each in others:
        assert until(lambda database=each: is_there(server, database))  # type: ignore[misc]  # bound at once
    return server


def is_there(server: Slapd, log: Database) -> bool:
    """Whether slapd has made the base of its log, which it does in a task of its own."""
    connection = ldap.initialize(server.ldap_uri)
    connection.simple_bind_s(log.admin, log.rootpw.reveal())
    try:
        return bool(connection.search_s(log.suffix, ldap.SCOPE_BASE))
    except ldap.NO_SUCH_OBJECT:
        return False


def asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, uri: str, *arguments: str
) -> tuple[int, set[str]]:
    """Exit code and the codes of live rules, for a slapd.conf with this stanza."""
    conf = tmp_path / "slapd.conf"
    conf.write_text(f'database mdb\nsuffix "{SUFFIX}"\nrootdn "cn=x"\nmaxsize 1\nindex entryCSN,entryUUID eq\n{text}\n')
    conf.chmod(0o600)
    code = run(["lint", str(conf), "--provider", uri, "--format", "json", "-q", *arguments])
    shown = capsys.readouterr()
    assert "secret" not in shown.out + shown.err
    findings = json.loads(shown.out)["findings"]
    return code, {each["code"] for each in findings if each["place"] != str(conf)} & LIVE


CASES: list[tuple[str, tuple[str, ...], dict[str, str | None]]] = [
    ("", (LIMITS, READ, "overlay syncprov"), {}),
    ("LR601", (LIMITS, READ), {}),
    ("LR305", (READ, "overlay syncprov"), {"searchbase": "dc=example,dc=org"}),
    ("LR607", (READ, "overlay syncprov"), {"searchbase": f'"ou=none,{SUFFIX}"'}),
    ("LR607", ("access to * by * auth", "overlay syncprov"), {}),
    ("LR603", (READ, "sizelimit 2", "overlay syncprov"), {}),
    ("LR603", (READ, "limits users size.hard=unlimited size.soft=2", "overlay syncprov"), {}),
    ("LR304", (READ, "overlay syncprov"), {"filter": '"(cn=nobody)"'}),
    ("LR606", ("access to attrs=userPassword by anonymous auth", READ, "overlay syncprov"), {}),
    ("LR516", (READ, "overlay syncprov"), {"credentials": "wrong"}),
    ("LR516", (READ, "overlay syncprov"), {"binddn": f'"cn=nobody,{SUFFIX}"'}),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{c or 'good'}-{n}" for n, (c, *_) in enumerate(CASES)])
def test_a_fault_of_the_provider(
    case: tuple[str, tuple[str, ...], dict[str, str | None]],
    slapd: SlapdFactory,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines, changes = case
    server = provider(slapd, *lines, csn=code != "LR601")  # with a stored contextCSN it looks like a consumer
    ended, found = asked(tmp_path, capsys, stanza(server.ldap_uri, changes), server.ldap_uri)
    assert found == ({code} if code else set())
    assert ended == (1 if code and code != "LR606" else 0)


LOG = ("overlay syncprov", "syncprov-nopresent TRUE", READ)
LOGS: list[tuple[str, tuple[str, ...], dict[str, str | None]]] = [
    ("", LOG, DELTA),
    ("LR709", LOG, DELTA),
    ("LR702", LOG[2:], DELTA),
    ("LR703", (*LOG[:2], "access to * by * none"), DELTA),
    ("LR704", LOG, {**DELTA, "logbase": "cn=accesslog"}),
]


@pytest.fixture(params=LOGS, ids=[code or "good" for code, *_ in LOGS])
def logging(request: pytest.FixtureRequest, slapd: SlapdFactory) -> tuple[str, str, str]:
    """A delta provider: the expected code, its URI, and the consumer's stanza."""
    code, log, changes = request.param
    # the log takes its first contextCSN from the data, where one is stored
    server = provider(slapd, READ, "overlay syncprov", log=log, csn=code != "LR709")
    return code, server.ldap_uri, stanza(server.ldap_uri, changes)


def test_a_fault_of_the_log(logging: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, uri, text = logging
    _, found = asked(tmp_path, capsys, text, uri)
    assert found == ({code} if code else set())


def test_a_consumer_taken_for_a_provider(
    slapd: SlapdFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has a contextCSN, and yet it gives nothing on."""
    first = provider(slapd, READ, "overlay syncprov")
    middle = slapd(SlapdConf(Database(SUFFIX, lines=(READ, stanza(first.ldap_uri))))).start()
    connection = ldap.initialize(middle.ldapi_uri)
    connection.simple_bind_s(middle.rootdn, middle.rootpw.reveal())

    def filled() -> bool:
        try:
            return bool(connection.search_s(SUFFIX, ldap.SCOPE_BASE, "(contextCSN=*)", ["1.1"]))
        except ldap.NO_SUCH_OBJECT:  # nothing has arrived yet
            return False

    assert until(filled)
    _, found = asked(tmp_path, capsys, stanza(middle.ldap_uri), middle.ldap_uri)
    middle.kill()
    assert found == {"LR418"}


def test_a_consumer_beside_its_provider(
    slapd: SlapdFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seeded by hand: other entryUUIDs, an entry of its own, a stamp that is newer, and less schema."""
    needy = DATA + "\ndn: uid=p,dc=example,dc=com\nobjectClass: account\nobjectClass: posixAccount\nuid: p\ncn: p\n"
    server = provider(slapd, READ, "overlay syncprov", data=needy + "uidNumber: 1\ngidNumber: 1\nhomeDirectory: /\n")
    other = slapd(
        SlapdConf(Database(SUFFIX, lines=("overlay syncprov",)), schemas=("core", "cosine"), modules=("syncprov",))
    )
    other.load([DATA, f"\ndn: cn=mine,{SUFFIX}\nobjectClass: person\ncn: mine\nsn: x\n"], write_csn=True)
    other.start()
    code, found = asked(tmp_path, capsys, stanza(server.ldap_uri), server.ldap_uri, "--consumer", other.ldap_uri)
    assert code == 1 and found == {"LR309", "LR423", "LR424", "LR615"}


def test_a_certificate_that_is_not_accepted(
    slapd: SlapdFactory, authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stanza's CA counts; without it the certificate of a private CA is refused, here as by slapd."""
    conf = SlapdConf(
        Database(SUFFIX, lines=(READ, "overlay syncprov")), modules=("syncprov",), lines=authority.slapd_lines()
    )
    server = slapd(conf)
    server.load([DATA], write_csn=True)
    server.start()
    for ca, code in ((str(authority.certificate), set()), (None, {"LR510"})):
        text = stanza(server.ldap_uri, {"starttls": "critical", "tls_cacert": ca})
        assert asked(tmp_path, capsys, text, server.ldap_uri)[1] == code


def test_a_true_copy_is_left_alone(slapd: SlapdFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = provider(slapd, READ, "overlay syncprov")
    copy = slapd(SlapdConf(Database(SUFFIX)))
    copy.load([server.dump()])
    copy.start()
    assert asked(tmp_path, capsys, stanza(server.ldap_uri), server.ldap_uri, "--consumer", copy.ldap_uri) == (0, set())


def test_another_identity_and_base_by_options(
    slapd: SlapdFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any source: the provider alone, as whoever is named."""
    server = provider(slapd, READ, "overlay syncprov", "sizelimit 2")
    password = tmp_path / "pw"
    password.write_text("secret")
    password.chmod(0o600)
    arguments = ["lint", "--provider", server.ldap_uri, "-b", SUFFIX, "-D", REPLICA, "-y", str(password), "-q"]
    assert run(arguments) == 1
    assert "LR603" in capsys.readouterr().out


def live(slapd: SlapdFactory) -> Slapd:
    """A consumer of an absent provider, with cn=config that root may read over ldapi."""
    server = slapd(SlapdConf(Database(SUFFIX, lines=(stanza(changes={"retry": '""'}),)), live_config=True))
    server.convert()
    return server.start()


def test_live_cn_config_says_the_same_as_its_files(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    server = live(slapd)
    found = []
    for source in (server.ldapi_uri, str(server.folder / "slapd.d"), str(server.folder / "slapd.conf")):
        run(["lint", source, "--format", "json", "--openldap", "2.5"])
        out = capsys.readouterr().out
        assert "secret" not in out and server.rootpw.reveal() not in out
        found.append({each["code"] for each in json.loads(out)["findings"]})
    assert found[0] == found[1] == found[2] == {"LR203", "LR404"}


def test_a_live_server_says_its_version_itself(slapd: SlapdFactory) -> None:
    source = ConfigReader(lambda uri: Endpoint(uri, External())).read(live(slapd).ldapi_uri)
    assert source.version.branch >= Version(2, 5) and not source.assumed
    (spot,) = source.spots
    assert spot.place.name.endswith("olcDatabase={1}mdb,cn=config")


def test_a_server_that_hides_its_configuration_is_3(slapd: SlapdFactory, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", slapd().start().ldapi_uri]) == 3
    assert "does not show cn=config" in capsys.readouterr().err
