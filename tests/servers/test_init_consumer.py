"""init-consumer against real providers: every trap is told beforehand, and the stanza it writes really replicates."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ldap
import pytest
from conftest import SlapdFactory
from tls import Authority

from ldaprepl.cli.init_consumer import access_of
from ldaprepl.domain.provider import Access, Method, ProviderProfile, Severity, Sync
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.version import Version
from ldaprepl.domain.versionguess import Certainty
from ldaprepl.domain.words import Form
from ldaprepl.errors import UsageError
from ldaprepl.init_consumer import examine, plan
from ldaprepl.report.stanza import render_plan, render_profile
from ldaprepl.wire.endpoint import Anonymous, Endpoint, Simple, Tls
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream

SUFFIX = "dc=example,dc=com"
REPLICA = f"cn=replica,{SUFFIX}"
PASSWORD = "replica's #1 \\secret"
PEOPLE = 40
PATIENCE = 120.0  # seconds; only a test that fails waits so long
SCOPE = ReplicationScope(SUFFIX)
V25 = Version(2, 5)
READ_ALL = f'access to * by dn.exact="{REPLICA}" read by anonymous auth by * none'
SYNCPROV = ("overlay syncprov", "syncprov-checkpoint 100 10")


class Watch:
    """A progress nobody sees."""

    def phase(self, name: str, total: int | None = None) -> None:
        assert name

    def advance(self, done: int) -> None:
        assert done >= 0


def data(people: int = PEOPLE) -> Iterator[str]:
    yield f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: x\n\n"
    yield f"dn: {REPLICA}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: replica\n"
    yield f"userPassword: {PASSWORD}\n\n"
    for number in range(people):
        yield f"dn: uid=u{number},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: u {number}\nsn: u\n"
        yield f"userPassword: p{number}\n\n"


def provider(
    slapd: SlapdFactory, *lines: str, modules: tuple[str, ...] = ("syncprov",), people: int = PEOPLE, **options: str
) -> Slapd:
    conf = SlapdConf(Database(SUFFIX, lines=lines, **options), modules=modules)  # type: ignore[arg-type]  # strings only
    server = slapd(conf)
    server.load(data(people), write_csn=True)
    started: Slapd = server.start()
    return started


def access(server: Slapd, password: str = PASSWORD) -> Access:
    return access_of(Endpoint(server.ldap_uri, Simple(REPLICA, Secret(password))))


def look(server: Slapd, scope: ReplicationScope = SCOPE, *, anonymous: bool = False) -> ProviderProfile:
    bind = Anonymous() if anonymous else Simple(REPLICA, Secret(PASSWORD))
    endpoint = Endpoint(server.ldap_uri, bind, timeout=20)
    with open_stream(endpoint) as stream:
        return examine(Probe(stream), access_of(endpoint), scope, Watch())


def codes(profile: ProviderProfile, severity: Severity) -> set[str]:
    return {finding.code for finding in profile.findings if finding.severity is severity}


def errors(profile: ProviderProfile) -> set[str]:
    return codes(profile, Severity.ERROR)


def warnings(profile: ProviderProfile) -> set[str]:
    return codes(profile, Severity.WARNING)


@pytest.fixture(scope="module")
def good(slapd_module: SlapdFactory) -> Slapd:
    return provider(slapd_module, *SYNCPROV, READ_ALL)


@pytest.fixture(scope="module")
def busy(slapd_module: SlapdFactory) -> Slapd:
    """Another one, for the tests that change it."""
    return provider(slapd_module, *SYNCPROV, READ_ALL)


# --- what is found


def test_a_good_provider(good: Slapd) -> None:
    profile = look(good)
    assert profile.usable and not warnings(profile)
    assert (profile.sync, profile.entries, profile.suffix) == (Sync.OFFERED, PEOPLE + 2, SUFFIX)
    assert (profile.passwords, profile.passwords_read) == (PEOPLE + 1, 20) and profile.context_csn
    assert profile.server.version == V25 and profile.server.certainty is Certainty.BRANCH
    text = render_profile(profile)
    assert "OpenLDAP 2.5.x" in text and "offers sync" in text and PASSWORD not in text + repr(profile)


def test_the_monitor_tells_the_release(slapd: SlapdFactory) -> None:
    conf = SlapdConf(Database(SUFFIX, lines=("database monitor", "access to * by * read")), modules=("back_monitor",))
    server = look(slapd(conf).start(), anonymous=True).server
    assert server.certainty is Certainty.EXACT and server.version is not None and server.version.branch == V25


def test_a_size_limit_shows_by_really_reading(slapd: SlapdFactory) -> None:
    server = provider(slapd, *SYNCPROV, READ_ALL, people=600, sizelimit="")
    profile = look(server)
    assert errors(profile) == {"size-limit"} and profile.entries == 500
    cure = profile.findings[0].cure
    assert f'limits dn.exact="{REPLICA}" size=unlimited time=unlimited' in cure
    server.stop()
    server.configure(SlapdConf(Database(SUFFIX, sizelimit="", lines=(*SYNCPROV, READ_ALL, limits(cure))),
                               modules=("syncprov",)))  # fmt: skip
    assert look(server.start()).usable


def limits(cure: str) -> str:
    """The line to paste, out of the cure."""
    return cure.partition("section: ")[2].partition("   (")[0]


def test_no_module_and_no_overlay_are_told_apart(slapd: SlapdFactory) -> None:
    without = look(provider(slapd, READ_ALL, modules=()))
    assert (without.sync, errors(without)) == (Sync.NO_MODULE, {"no-sync"})
    assert "moduleload syncprov" in without.findings[0].cure
    loaded = look(provider(slapd, READ_ALL))
    assert (loaded.sync, errors(loaded)) == (Sync.NO_OVERLAY, {"no-sync"})
    assert "moduleload" not in loaded.findings[0].cure and "overlay syncprov" in loaded.findings[0].cure


def test_an_identity_that_sees_nothing_below_the_base(slapd: SlapdFactory) -> None:
    rule = f'access to dn.base="{SUFFIX}" by dn.exact="{REPLICA}" read by * none'
    profile = look(provider(slapd, *SYNCPROV, rule, "access to * by anonymous auth by * none"))
    assert errors(profile) == {"blind"} and profile.entries == 1


def test_an_identity_that_does_not_even_see_the_base_gets_a_rule_that_works(slapd: SlapdFactory) -> None:
    closed = "access to * by anonymous auth by * none"
    server = provider(slapd, *SYNCPROV, closed)
    profile = look(server)
    assert errors(profile) == {"base-invisible"}
    rule = profile.findings[0].cure.partition("exists: ")[2].partition("   (")[0]
    server.stop()
    server.configure(SlapdConf(Database(SUFFIX, lines=(*SYNCPROV, rule, closed)), modules=("syncprov",)))
    assert look(server.start()).usable


def test_hidden_passwords_are_told_with_a_rule_that_works(slapd: SlapdFactory) -> None:
    usual = ("access to attrs=userPassword by self write by anonymous auth by * none", "access to * by users read")
    server = provider(slapd, *SYNCPROV, *usual)
    profile = look(server)
    assert profile.usable and warnings(profile) == {"passwords-hidden"}
    rule = profile.findings[0].cure.partition("it: ")[2].partition("   (")[0]
    server.stop()
    server.configure(SlapdConf(Database(SUFFIX, lines=(*SYNCPROV, rule, *usual)), modules=("syncprov",)))
    assert not warnings(look(server.start()))


def test_passwords_that_can_be_searched_but_not_read_are_hidden_too(slapd: SlapdFactory) -> None:
    rule = f'access to attrs=userPassword by dn.exact="{REPLICA}" search by anonymous auth by * none'
    profile = look(provider(slapd, *SYNCPROV, rule, "access to * by users read"))
    assert warnings(profile) == {"passwords-hidden"} and profile.passwords == PEOPLE + 1


def test_excluded_passwords_are_not_missed(slapd: SlapdFactory) -> None:
    server = provider(slapd, *SYNCPROV, "access to attrs=userPassword by * auth", "access to * by * read")
    assert not warnings(look(server, SCOPE._replace(exattrs=("userpassword",))))
    assert warnings(look(server, SCOPE._replace(attrs=("cn", "+")))) == set()
    assert warnings(look(server, SCOPE._replace(attrs=("*",)))) == {"no-operational", "passwords-hidden"}


def test_anonymous_is_a_warning_where_anybody_may_read_and_an_error_where_not(slapd: SlapdFactory) -> None:
    readable = look(provider(slapd, *SYNCPROV, "access to attrs=userPassword by * auth", "access to * by * read"),
                    anonymous=True)  # fmt: skip
    assert readable.usable and {"anonymous", "passwords-hidden"} == warnings(readable)
    closed = look(provider(slapd, *SYNCPROV, READ_ALL), anonymous=True)
    assert errors(closed) == {"base-invisible"} and "--bind-dn" in closed.findings[0].cure


def test_hidden_operational_attributes(slapd: SlapdFactory) -> None:
    rule = "access to attrs=entryCSN,entryUUID by * none"
    profile = look(provider(slapd, *SYNCPROV, rule, "access to * by * read"))
    assert "operational-hidden" in warnings(profile) and profile.missing == ("entryUUID", "entryCSN")


@pytest.mark.parametrize(
    ("base", "code"),
    [("dc=elsewhere,dc=com", "wrong-base"), (f"ou=nowhere,{SUFFIX}", "base-invisible"), ("dc=com", "wrong-base")],
)
def test_a_wrong_base(good: Slapd, base: str, code: str) -> None:
    profile = look(good, ReplicationScope(base))
    assert errors(profile) == {code} and not profile.usable
    finding = profile.findings[0]
    assert SUFFIX in finding.cure if code == "wrong-base" else SUFFIX in finding.text


@pytest.mark.parametrize("scope", [ReplicationScope("no dn"), ReplicationScope(""), SCOPE._replace(filter="(cn=x")])
def test_what_is_no_base_or_filter_is_wrong_usage(good: Slapd, scope: ReplicationScope) -> None:
    with pytest.raises(UsageError):
        look(good, scope)


def test_a_referral_is_followed_by_the_administrator_only(slapd: SlapdFactory) -> None:
    conf = SlapdConf(Database(SUFFIX, lines=SYNCPROV), modules=("syncprov",), lines=("referral ldap://other.example",))
    profile = look(slapd(conf).start(), ReplicationScope("dc=far"), anonymous=True)
    assert errors(profile) == {"base-elsewhere"} and "ldap://other.example" in profile.findings[0].text


def test_filters(good: Slapd) -> None:
    assert errors(look(good, SCOPE._replace(filter="(uid=nobody)"))) == {"nothing-matches"}
    some = look(good, SCOPE._replace(filter="objectClass=inetOrgPerson"))
    assert some.usable and some.entries == PEOPLE and codes(some, Severity.NOTE) >= {"base-filtered"}
    part = look(good, ReplicationScope(f"uid=u1,{SUFFIX}", Scope.BASE))
    assert part.usable and "partial" in codes(part, Severity.NOTE) and part.suffix == SUFFIX


def test_an_empty_provider_has_no_base_yet(slapd: SlapdFactory) -> None:
    server = slapd(SlapdConf(Database(SUFFIX, lines=SYNCPROV), modules=("syncprov",))).start()
    assert errors(look(server, anonymous=True)) == {"base-invisible"}


# --- the stanza works


def wait_for(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def dump(server: Slapd) -> list[str]:
    """Entries with all that replicates, in a form to compare."""
    records = server.dump(suffix=SUFFIX).strip().split("\n\n")
    return sorted(
        "\n".join(sorted(line for line in r.split("\n") if not line.startswith("contextCSN"))) for r in records
    )


def converged(source: Slapd, target: Slapd) -> None:
    wait_for(lambda: dump(target) == dump(source), lambda: target.log_tail(30))


def consumer_conf(stanza: str) -> SlapdConf:
    return SlapdConf(Database(SUFFIX, rootdn=f"cn=admin,{SUFFIX}", lines=(stanza.rstrip("\n"),)))


def change(server: Slapd) -> None:
    connection = ldap.initialize(server.ldapi_uri)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    connection.modify_s(f"uid=u1,{SUFFIX}", [(ldap.MOD_REPLACE, "sn", [str(time.time_ns()).encode()])])
    connection.delete_s(f"uid=u2,{SUFFIX}")
    connection.add_s(f"uid=u2,{SUFFIX}", [("objectClass", b"account"), ("uid", b"u2")])
    connection.unbind_s()


def can_bind(server: Slapd, name: str, password: str) -> bool:
    connection = ldap.initialize(server.ldapi_uri)
    try:
        connection.simple_bind_s(name, password)
    except ldap.INVALID_CREDENTIALS:
        return False
    finally:
        connection.unbind_s()
    return True


def test_a_consumer_started_with_the_slapd_conf_form_converges(busy: Slapd, slapd: SlapdFactory) -> None:
    text = render_plan(plan(access(busy), SCOPE), Form.SLAPD_CONF, V25)
    consumer = slapd(consumer_conf(text), debug="sync").start()
    converged(busy, consumer)
    change(busy)
    converged(busy, consumer)
    assert can_bind(consumer, f"uid=u5,{SUFFIX}", "p5")
    connection = ldap.initialize(consumer.ldapi_uri)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.simple_bind_s(consumer.rootdn, consumer.rootpw.reveal())
    with pytest.raises(ldap.REFERRAL) as caught:
        connection.delete_s(f"uid=u1,{SUFFIX}")
    assert busy.ldap_uri in str(caught.value)
    connection.unbind_s()


def test_a_running_consumer_that_gets_the_ldif_form_converges_and_still_does_after_a_restart(
    busy: Slapd, slapd: SlapdFactory
) -> None:
    consumer = slapd(SlapdConf(Database(SUFFIX), live_config=True), debug="sync")
    consumer.convert()
    consumer.start()
    text = render_plan(plan(access(busy), SCOPE, 12), Form.CN_CONFIG, V25)
    apply(consumer, text)
    converged(busy, consumer)
    change(busy)
    converged(busy, consumer)
    consumer.restart()
    change(busy)
    converged(busy, consumer)


def apply(server: Slapd, text: str) -> None:
    """As the administrator would: ldapmodify with the local identity."""
    command = ["ldapmodify", "-Q", "-Y", "EXTERNAL", "-H", server.ldapi_uri]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_over_starttls_with_a_private_ca(slapd: SlapdFactory, authority: Authority) -> None:
    lines = (*SYNCPROV, READ_ALL)
    conf = SlapdConf(Database(SUFFIX, lines=lines), modules=("syncprov",), lines=authority.slapd_lines())
    source = slapd(conf)
    source.load(data(), write_csn=True)
    source.start()
    tls = Tls(starttls=True, cacert=authority.certificate)
    endpoint = Endpoint(source.ldap_uri, Simple(REPLICA, Secret(PASSWORD)), tls)
    with open_stream(endpoint) as stream:
        profile = examine(Probe(stream), access_of(endpoint), SCOPE, Watch())
    assert profile.usable and not warnings(profile)
    chosen = plan(access_of(endpoint), SCOPE)
    assert chosen.stanza.starttls == "critical"
    consumer = slapd(consumer_conf(render_plan(chosen, Form.SLAPD_CONF, V25)), debug="sync").start()
    converged(source, consumer)


def test_a_filtered_part_under_another_suffix(good: Slapd, slapd: SlapdFactory) -> None:
    scope = ReplicationScope(
        SUFFIX, filter='(|(objectClass=organization)(&(cn=u 1*)(!(cn=a " \\28b\\29))))', suffixmassage="dc=local"
    )
    text = render_plan(plan(access(good), scope), Form.SLAPD_CONF, V25)
    conf = SlapdConf(Database("dc=local", lines=(text.rstrip("\n"),)))
    consumer = slapd(conf, debug="sync").start()
    wanted = {"dc=local", *(f"uid=u{n},dc=local" for n in range(PEOPLE) if str(n).startswith("1"))}

    def there() -> bool:
        return {line[4:] for line in consumer.dump(suffix="dc=local").split("\n") if line.startswith("dn: ")} == wanted

    wait_for(there, lambda: consumer.log_tail(30))


# --- the command


def run(*arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LDAPREPL_PASSWORD": password}
    command = [sys.executable, "-m", "ldaprepl", "init-consumer", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_command_writes_a_private_file(good: Slapd, tmp_path: Path) -> None:
    target = tmp_path / "consumer.conf"
    done = run("--provider", good.ldap_uri, "-b", SUFFIX, "-D", REPLICA, "-o", str(target))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert stat.S_IMODE(target.stat().st_mode) == 0o600 and "syncrepl rid=001" in target.read_text()
    assert "secret" not in done.stderr and "offers sync" in done.stderr
    done = run("--provider", good.ldap_uri, "-b", SUFFIX, "-D", REPLICA, "--format", "ldif", "--rid", "9")
    assert done.returncode == 0 and "olcSyncrepl: rid=009" in done.stdout


def test_a_finding_forbids_to_write_unless_forced(slapd: SlapdFactory, tmp_path: Path) -> None:
    server = provider(slapd, READ_ALL, modules=())
    target = tmp_path / "x"
    arguments = ["--provider", server.ldap_uri, "-b", SUFFIX, "-D", REPLICA, "-o", str(target)]
    done = run(*arguments)
    assert done.returncode == 1 and not target.exists() and "overlay syncprov" in done.stderr
    assert run(*arguments, "--force").returncode == 0 and target.exists()


def test_exit_codes(good: Slapd) -> None:
    common = ["--provider", good.ldap_uri, "-D", REPLICA]
    assert run("--provider", "ldap://127.0.0.1:1", "-b", SUFFIX).returncode == 3
    assert run(*common, "-b", SUFFIX, password="wrong").returncode == 3
    assert run(*common, "-b", SUFFIX, "--filter", "(x").returncode == 2
    assert run(*common, "-b", SUFFIX, "--consumer-version", "3.0").returncode == 2
    assert run(*common, "-b", "nonsense").returncode == 2
    assert run("--provider", good.ldap_uri, "-b", SUFFIX, "--format", "xml").returncode == 2


def test_access_follows_the_endpoint() -> None:
    simple = Simple("cn=x", Secret("y"))
    assert access_of(Endpoint("ldap://p.example.com", simple)).starttls
    assert not access_of(Endpoint("ldap://127.0.0.1:389", simple)).starttls
    assert not access_of(Endpoint("ldap://p.example.com", simple, Tls(allow_cleartext=True))).encrypted
    assert access_of(Endpoint("ldaps://p.example.com", simple)).encrypted
    assert access_of(Endpoint("ldapi:///", Anonymous())).method is Method.ANONYMOUS
