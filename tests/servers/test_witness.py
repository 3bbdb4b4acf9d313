"""Not there, or not shown? And: a server that fails while it is asked for causes spoils no verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from replication import with_admin
from synclab import add_person, add_unit, seed
from verifying import REPLICA, SECRET, SlapdFactory, conf, verify

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.deduction import Place
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.schemagap import Published
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.verdict import ConsumerReport, Finding, Kind, Problem, State, Trace, VerifyReport
from ldaprepl.errors import IncompleteRead
from ldaprepl.explain import SAMPLE, explain
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream
from ldaprepl.wire.witness import LdapWitness, witnesses

PEOPLE = f"ou=people,{SUFFIX}"
HIDING = (
    "access to attrs=userPassword by anonymous auth",
    f'access to dn.subtree="ou=other,{SUFFIX}" by * none',
    f'access to dn.exact="uid=p1,{PEOPLE}" attrs=entry by * none',
    f'access to dn.exact="uid=p2,{PEOPLE}" attrs=objectClass by * none',
    f'access to dn.exact="uid=p3,{PEOPLE}" attrs=entry by * disclose',
    "access to * by * read",
)


def filled(make: SlapdFactory, *lines: str) -> Slapd:
    server = make(conf(*lines)).start()
    admin = with_admin(server)
    seed(admin)
    add_person(admin, f"uid=deep,ou=other,{SUFFIX}")
    classes = [b"organizationalRole", b"simpleSecurityObject"]
    admin.add_s(REPLICA, [("objectClass", classes), ("cn", [b"replica"]), ("userPassword", [SECRET.encode()])])
    return server


def places(server: Slapd, *dns: str) -> list[Place]:
    with open_stream(Endpoint(server.ldap_uri, Simple(REPLICA, Secret(SECRET)))) as stream:
        return LdapWitness(LdapDirectory(stream)).places(dns)


def test_what_is_hidden_is_told_from_what_is_not_there(slapd: SlapdFactory) -> None:
    wanted = {
        SUFFIX: Place.THERE,
        f"uid=p0,{PEOPLE}": Place.THERE,
        f"uid=p1,{PEOPLE}": Place.HIDDEN,
        f"uid=p2,{PEOPLE}": Place.HIDDEN,
        f"uid=p3,{PEOPLE}": Place.HIDDEN,
        f"uid=p9,{PEOPLE}": Place.GONE,
        f"uid=x,ou=nowhere,{SUFFIX}": Place.GONE,
        f"ou=other,{SUFFIX}": Place.HIDDEN,
        f"uid=deep,ou=other,{SUFFIX}": Place.BELOW_HIDDEN,
        f"uid=no,ou=other,{SUFFIX}": Place.BELOW_HIDDEN,
        "ou=else,dc=elsewhere": Place.UNKNOWN,
        "no name": Place.UNKNOWN,
    }
    server = filled(slapd, *HIDING)
    found = places(server, *wanted)
    assert dict(zip(wanted, found, strict=True)) == wanted


def test_a_server_that_never_tells_leaves_it_open(slapd: SlapdFactory) -> None:
    """One that shows no entry cannot be compared with what it says of others."""
    server = filled(slapd, "access to attrs=userPassword by anonymous auth", "access to * by * none")
    assert set(places(server, SUFFIX, f"uid=p0,{PEOPLE}", f"uid=p9,{PEOPLE}")) == {Place.UNKNOWN}


def test_only_opened_servers_are_asked(server: Slapd) -> None:
    with open_stream(Endpoint(server.ldap_uri)) as stream:
        assert [bool(each) for each in witnesses([LdapDirectory(stream), object()])] == [True, False]


def test_causes_under_another_suffix(slapd: SlapdFactory) -> None:
    """The consumer is asked for its own names."""
    copy = "o=copy"
    provider = filled(slapd)
    consumer = slapd(
        conf(
            "access to attrs=userPassword by anonymous auth",
            f'access to dn.exact="uid=p1,ou=people,{copy}" by * none',
            "access to * by * read",
            suffix=copy,
        )
    ).start()
    admin = with_admin(consumer)
    admin.add_s(copy, [("objectClass", [b"organization"]), ("o", [b"copy"])])
    add_unit(admin, f"ou=people,{copy}")
    for name in ("p0", "p1", "extra"):
        add_person(admin, f"uid={name},ou=people,{copy}")
    run = verify(
        provider, consumer.ldapi_uri, "--suffixmassage", f"ou=people,{copy}", "--consumer-sasl", "EXTERNAL",
        base=PEOPLE, bind=provider.rootdn,
    )  # fmt: skip
    causes = {(each["kind"], each["dn"]): each["cause"] and each["cause"]["code"] for each in run.findings}
    assert causes["missing", f"uid=p1,{PEOPLE}"] == "hidden-by-acl"
    assert causes["missing", f"uid=p2,{PEOPLE}"] != "hidden-by-acl"


# -- without servers ---------------------------------------------------------------------------------------------------

CSNS = CsnSet.parse(["20260101000000.000000Z#000000#001#000000"])
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Stub:
    """A server that fails when it is asked why, or counts how often it is."""

    fails: bool = False
    asked: int = 0
    uri: str = "ldap://x"

    def context_csn(self, base: str) -> CsnSet:
        return CSNS

    def definitions(self) -> Published:
        return (), ()

    def places(self, dns: object) -> list[Place]:
        assert isinstance(dns, list)
        if self.fails:
            raise IncompleteRead("it hung up")
        self.asked += len(dns)
        return [Place.GONE] * len(dns)

    def fetch(self, dns: object, scope: object, attributes: object = ()) -> Iterator[None]:
        raise AssertionError("nothing is unknown to it")


def report(count: int) -> VerifyReport:
    trace = Trace("20251231000000.000000Z#000000#001#000000")
    findings = [Finding(Kind.EXTRA, f"cn={n},dc=x", f"cn={n},dc=x", consumer=trace) for n in range(count)]
    findings += [Finding(Kind.MISSING, f"cn=m{n},dc=x", provider=trace) for n in range(count)]
    return VerifyReport("dc=x", "ldap://a", CSNS, (ConsumerReport("ldap://b", CSNS, findings=tuple(findings)),))


@pytest.mark.parametrize("fails", ["provider", "consumer"])
def test_a_server_that_fails_now_leaves_the_findings(fails: str) -> None:
    sides = {side: Stub(side == fails) for side in ("provider", "consumer")}
    before = report(3)
    (after,) = explain(before, sides["provider"], [sides["consumer"]], ReplicationScope("dc=x"), NOW).consumers
    assert after.findings == tuple(
        replace(each, cause=mine.cause) for each, mine in zip(before.consumers[0].findings, after.findings, strict=True)
    )
    assert {finding.state for finding in after.findings} == {State.LASTING}
    assert after.problem is None


def test_the_questions_are_bounded_however_many_findings_there_are() -> None:
    provider, consumer = Stub(), Stub()
    (after,) = explain(report(3 * SAMPLE), provider, [consumer], ReplicationScope("dc=x"), NOW).consumers
    assert (provider.asked, consumer.asked) == (SAMPLE, SAMPLE)
    assert all(finding.cause for finding in after.findings)
    sure = [finding for finding in after.findings if finding.cause and not finding.cause.text.startswith("probably")]
    assert len([finding for finding in sure if finding.kind is Kind.EXTRA]) == SAMPLE


def test_what_could_not_be_compared_is_not_explained() -> None:
    broken = VerifyReport("dc=x", "ldap://a", CSNS, (ConsumerReport("ldap://b", problem=Problem("down")),))
    assert explain(broken, Stub(True), [None], ReplicationScope("dc=x"), NOW) == broken
