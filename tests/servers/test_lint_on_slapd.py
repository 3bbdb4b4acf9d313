"""What lint claims that slapd does, slapd does: crashes, refuses to start, or runs and never replicates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import ldap
import pytest
from conftest import SlapdFactory
from lintlab import DATA, ENTRIES, PATIENCE, REPLICA, SUFFIX, conf_of, entries, judged, logged, stanza, until
from tls import Authority

from ldaprepl.domain import cnconfig
from ldaprepl.domain.config import Configuration
from ldaprepl.domain.lint import run
from ldaprepl.domain.lint_source import Estate, Source
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.errors import LdapreplError, ServerUnavailable
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory) -> Slapd:
    server = slapd_module(SlapdConf(Database(SUFFIX, lines=("overlay syncprov",)), modules=("syncprov",)))
    server.load([DATA], write_csn=True)
    return server.start()


@pytest.fixture(scope="module")
def secure(slapd_module: SlapdFactory, authority: Authority) -> Slapd:
    conf = SlapdConf(
        Database(SUFFIX, lines=("overlay syncprov",)), modules=("syncprov",), lines=authority.slapd_lines()
    )
    server = slapd_module(conf, ldaps=True)
    server.load([DATA], write_csn=True)
    return server.start()


def consumer(slapd: SlapdFactory, text: str, *after: str, top: tuple[str, ...] = ()) -> Slapd:
    return slapd(SlapdConf(Database(SUFFIX, lines=(text, *after)), lines=top), debug="sync")


RUNNING: list[tuple[str, dict[str, str | None], str]] = [
    ("LR302", {"schemachecking": "on", "exattrs": "sn"}, "failed (65)"),
    ("LR306", {"sizelimit": "2"}, "retrying"),
    ("LR513", {"credentials": "{SSHA}abc"}, "ldap_sasl_bind_s failed (49)"),
    ("LR514", {"credentials": None}, "ldap_sasl_bind_s failed (53)"),
    ("LR515", {"binddn": None}, "ldap_sasl_bind_s failed (49)"),
    ("LR518", {"bindmethod": "sasl"}, "ldap_sasl_interactive_bind_s failed"),
    ("LR504", {"tls_reqcert": "bogus"}, "TLS context initialization failed (-1)"),
    ("LR504", {"tls_protocol_min": "TLSv1.2"}, "TLS context initialization failed (-1)"),
]


@pytest.mark.parametrize(("code", "changes", "words"), RUNNING, ids=[f"{c}-{at}" for at, (c, *_) in enumerate(RUNNING)])
def test_slapd_runs_and_never_gets_there(
    code: str, changes: dict[str, str | None], words: str, provider: Slapd, slapd: SlapdFactory
) -> None:
    server = consumer(slapd, stanza(provider.ldap_uri, changes)).start()
    assert logged(server, words), server.log_tail()
    assert entries(server) < ENTRIES and code in judged(conf_of(server))


@pytest.mark.parametrize("case", ["no CA", "StartTLS twice", "localhost"])
def test_tls_that_fails(case: str, secure: Slapd, authority: Authority, slapd: SlapdFactory) -> None:
    ca = {"tls_cacert": str(authority.certificate)}
    code, uri, changes, words = {
        "no CA": ("LR506", secure.ldap_uri, {}, "ldap_start_tls failed (-11)"),
        "StartTLS twice": ("LR507", secure.ldaps_uri, ca, "ldap_start_tls failed (1)"),
        "localhost": ("LR509", secure.ldap_uri.replace("127.0.0.1", "localhost"), ca, "does not match"),
    }[case]
    server = consumer(slapd, stanza(uri, {"starttls": "critical", **changes})).start()
    assert logged(server, words), server.log_tail()
    assert entries(server) == 0 and code in judged(conf_of(server))


@pytest.mark.parametrize(("word", "arrives"), [("yes", True), ("critical", False)])
def test_starttls_yes_goes_on_in_clear(word: str, arrives: bool, provider: Slapd, slapd: SlapdFactory) -> None:
    server = consumer(slapd, stanza(provider.ldap_uri, {"starttls": word})).start()
    assert logged(server, "ldap_start_tls failed (2)")
    assert until(lambda: entries(server) == ENTRIES, PATIENCE if arrives else 0.5) is arrives
    assert ("LR502" in judged(conf_of(server))) is arrives
    server.kill()  # a consumer that is connected takes five seconds to stop


@pytest.mark.parametrize(("word", "minimum"), [("1.2", True), ("3.3", False)])
def test_tls_protocol_min_is_not_the_number_people_say(
    word: str, minimum: bool, secure: Slapd, authority: Authority, slapd: SlapdFactory
) -> None:
    changes = {"starttls": "critical", "tls_cacert": str(authority.certificate), "tls_protocol_min": word}
    server = consumer(slapd, stanza(secure.ldap_uri, dict(changes))).start()
    assert until(lambda: entries(server) == ENTRIES), server.log_tail()
    assert ("LR505" in judged(conf_of(server))) is minimum
    server.kill()  # a consumer that is connected takes five seconds to stop


def test_attrsonly_crashes_the_consumer(provider: Slapd, slapd: SlapdFactory) -> None:
    server = consumer(slapd, stanza(provider.ldap_uri, {"attrsonly": ""}))
    with suppress(ServerUnavailable):
        server.start()
    assert until(lambda: not server.running) and "LR127" in judged(conf_of(server))


def test_an_empty_retry_gives_up(slapd: SlapdFactory) -> None:
    server = consumer(slapd, stanza("ldap://127.0.0.1:9", {"retry": '""'})).start()
    assert logged(server, "quitting") and "LR203" in judged(conf_of(server))


def test_a_retry_list_that_ends(slapd: SlapdFactory) -> None:
    server = consumer(slapd, stanza("ldap://127.0.0.1:9", {"retry": '"1 1"'})).start()
    assert logged(server, "quitting") and "LR202" in judged(conf_of(server))


def test_the_own_address_as_provider_leaves_a_writable_database(slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(Database(SUFFIX)))
    uri = server.ldap_uri  # letter by letter as the launcher names the listener
    server.configure(SlapdConf(Database(SUFFIX, lines=(stanza(uri),))))
    server.start()
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    connection.add_s(SUFFIX, [("objectClass", [b"domain"]), ("dc", [b"example"])])
    assert "LR415" in judged(conf_of(server), listeners=(uri,))


def test_a_server_id_needs_its_listener(slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(Database(SUFFIX), lines=("serverID 1 ldap://elsewhere.example.com",)))
    with pytest.raises(ServerUnavailable, match="no serverID"):
        server.start()
    assert "LR414" in judged(conf_of(server), listeners=(server.ldap_uri,))


def test_lastmod_off_shows_at_start_only(slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(Database(SUFFIX, lines=("lastmod off", "overlay syncprov")), modules=("syncprov",)))
    with pytest.raises(ServerUnavailable, match="lastmod"):
        server.start()
    assert "LR608" in judged(conf_of(server))


def test_a_provider_without_syncprov(slapd: SlapdFactory) -> None:
    source = slapd(SlapdConf(Database(SUFFIX)))
    source.load([DATA])
    source.start()
    server = consumer(slapd, stanza(source.ldap_uri)).start()
    assert logged(server, "got search entry without Sync State control") and entries(server) == 0


@pytest.mark.parametrize(
    ("code", "limits", "whole"),
    [("LR603", "", False), ("LR604", "size.hard=unlimited", False), ("", "size.soft=unlimited", True)],
)
def test_limits(code: str, limits: str, whole: bool, slapd: SlapdFactory) -> None:
    lines = (f'limits dn.exact="{REPLICA}" {limits}',) if limits else ()
    source = slapd(SlapdConf(Database(SUFFIX, sizelimit="", lines=(*lines, "overlay syncprov")), modules=("syncprov",)))
    many = "".join(f"\ndn: cn=p{n},{SUFFIX}\nobjectClass: person\ncn: p{n}\nsn: x\n" for n in range(600))
    source.load([DATA, many], write_csn=True)
    source.start()
    server = consumer(slapd, stanza(source.ldap_uri)).start()
    if whole:
        assert until(lambda: entries(server) == ENTRIES + 600)
        server.kill()  # a consumer that is connected takes five seconds to stop
    else:
        assert logged(server, "Size limit exceeded") and entries(server) <= 500
    assert not code or code in judged(conf_of(source))


def test_the_conversion_loses_a_quote_in_a_password(slapd: SlapdFactory, provider: Slapd) -> None:
    text = stanza(provider.ldap_uri, {"credentials": r'"my\"x"'})
    server = consumer(slapd, text)
    assert "LR117" in judged(conf_of(server))
    server.convert()
    assert r"my\"x" not in server_config(server) and 'my"x' in server_config(server)


def server_config(server: Slapd) -> str:
    return "".join(path.read_text() for path in (server.folder / "slapd.d").rglob("*.ldif")).replace("\n ", "")


@pytest.fixture
def two_stanzas(slapd: SlapdFactory) -> Iterator[tuple[Slapd, ldap.ldapobject.LDAPObject, str]]:
    """A consumer of two (absent) providers, with live cn=config: the server, a connection, the database's DN."""
    lines = (stanza("ldap://127.0.0.1:9"), stanza("ldap://127.0.0.1:8", {"rid": "002"}), "updateref ldap://p")
    server = slapd(SlapdConf(Database(SUFFIX, lines=lines), live_config=True), debug="sync,config")
    server.convert()
    server.start()
    connection = ldap.initialize(server.ldapi_uri)
    connection.sasl_interactive_bind_s("", ldap.sasl.external())
    ((name, _),) = connection.search_s("cn=config", ldap.SCOPE_ONELEVEL, "(olcSyncrepl=*)", ["1.1"])
    yield server, connection, name
    connection.unbind_s()


def test_updateref_left_behind_stops_the_next_start(two_stanzas: tuple[Slapd, ldap.ldapobject.LDAPObject, str]) -> None:
    """LR802: accepted online, and then slapd does not start."""
    server, connection, name = two_stanzas
    connection.modify_s(name, [(ldap.MOD_DELETE, "olcSyncrepl", None)])
    server.stop()
    with pytest.raises(LdapreplError):
        server.start()
    source = Source("slapd.d", slapd_d(server), {"x": "y"})
    assert "LR802" in {found.code for found in run(TABLE.values(), Estate((source,)))}


def test_deleting_one_of_two_stops_the_other(two_stanzas: tuple[Slapd, ldap.ldapobject.LDAPObject, str]) -> None:
    """LR801: cn=config shows the right one, the wrong one goes on."""
    server, connection, name = two_stanzas
    first = next(value for value in connection.read_s(name)["olcSyncrepl"] if b"rid=001" in value)
    log = server.folder / "slapd.log"
    assert until(lambda: set(retries(log.read_text(errors="replace"))) == {"001", "002"}), "both are at work"
    size = log.stat().st_size
    connection.modify_s(name, [(ldap.MOD_DELETE, "olcSyncrepl", [first])])
    (left,) = connection.read_s(name)["olcSyncrepl"]
    assert b"rid=002" in left
    assert until(lambda: retries(log.read_text(errors="replace")[size:])[-3:] == ["001"] * 3), "both take turns else"


def retries(log: str) -> list[str]:
    """The rids that failed and will try again, in the order in which the log says so."""
    return re.findall(r"rid=(\d+) rc -1 retrying", log)


def slapd_d(server: Slapd) -> Configuration:
    folder = server.folder / "slapd.d"
    return cnconfig.read_folder(
        {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.ldif")}
    )
