"""What follows from facts alone; the rest of the findings is tested on real providers (tests/servers)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ldaprepl.domain.provider import Access, Method, Outcome, ProviderProfile, Severity, Sync, judge
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.version import Version
from ldaprepl.domain.versionguess import OPENLDAP, Certainty, ServerGuess

SCOPE = ReplicationScope("dc=x")
GOOD = ProviderProfile(
    "ldap://p", naming_contexts=("dc=x",), suffix="dc=x", sync=Sync.OFFERED, entries=9, passwords=5, passwords_read=5
)
REMOTE = Access("ldap://p", Method.SIMPLE, "cn=r", Secret("geheim"), starttls=True, cacert="/ca.pem")


def found(profile: ProviderProfile, access: Access = REMOTE, scope: ReplicationScope = SCOPE) -> dict[str, Severity]:
    findings = judge(profile, access, scope)
    assert all("geheim" not in repr(finding) for finding in findings)
    return {finding.code: finding.severity for finding in findings}


def test_an_empty_contextcsn_is_told_except_of_2_2_which_never_shows_one() -> None:
    assert found(GOOD) == {"no-contextcsn": Severity.WARNING}
    assert found(replace(GOOD, server=ServerGuess(OPENLDAP, Version(2, 2), Certainty.BRANCH))) == {}


@pytest.mark.parametrize(
    ("access", "code", "severity"),
    [
        (replace(REMOTE, starttls=False), "cleartext", Severity.WARNING),
        (replace(REMOTE, verify=False), "unverified", Severity.WARNING),
        (replace(REMOTE, cacert=""), "no-cacert", Severity.NOTE),
        (replace(REMOTE, uri="ldap://127.0.0.1", starttls=False, local=True), "loopback", Severity.NOTE),
        (Access("ldapi:///", Method.EXTERNAL, local=True), "ldapi-identity", Severity.WARNING),
        (Access("ldaps://p", cacert="/ca"), "anonymous", Severity.WARNING),
    ],
)
def test_the_way_to_the_provider(access: Access, code: str, severity: Severity) -> None:
    assert found(GOOD, access).get(code) is severity


def test_an_ldapi_socket_needs_no_tls() -> None:
    assert "cleartext" not in found(GOOD, Access("ldapi:///", Method.EXTERNAL, local=True))


@pytest.mark.parametrize("ending", [Outcome.TIME_LIMIT, Outcome.REFUSED])
def test_any_read_that_does_not_end_well_forbids_the_stanza(ending: Outcome) -> None:
    findings = judge(replace(GOOD, ending=ending), REMOTE, SCOPE)
    assert findings[0].severity is Severity.ERROR and findings[0].cure


def test_errors_come_first_and_make_a_provider_unusable() -> None:
    profile = replace(GOOD, sync=Sync.NO_MODULE)
    findings = judge(profile, replace(REMOTE, cacert=""), SCOPE)
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=list(Severity).index
    )
    assert not replace(profile, findings=findings).usable and GOOD.usable


def test_an_identity_that_sees_only_its_own_password_sees_none() -> None:
    assert "passwords-hidden" in found(replace(GOOD, passwords=1, passwords_read=1))


def test_a_dn_in_a_line_to_paste_is_quoted_as_slapd_conf_wants_it() -> None:
    access = replace(REMOTE, dn='cn=a \\"b\\", dc=x')
    assert access.who == 'dn.exact="cn=a \\\\\\"b\\\\\\", dc=x"'
