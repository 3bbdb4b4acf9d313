"""The stanza that is chosen, without any server: short, safe by default, and never with a comment inside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain import cnconfig, slapdconf
from ldaprepl.domain.consumerplan import plan
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.version import BRANCHES, Version
from ldaprepl.domain.words import Form
from ldaprepl.errors import UsageError
from ldaprepl.report.stanza import render_plan

ACCESS = Access("ldap://p.example.com", Method.SIMPLE, "cn=replica,dc=x", Secret("geheim"), starttls=True)
SCOPE = ReplicationScope("dc=x")
V24 = Version(2, 4)


def test_the_usual_stanza() -> None:
    chosen = plan(replace(ACCESS, cacert="/etc/ssl/ca.pem"), SCOPE, 7)
    text = render_plan(chosen, Form.SLAPD_CONF, V24)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "syncrepl rid=007",
        "    provider=ldap://p.example.com",
        "    type=refreshAndPersist",
        '    retry="5 12 60 +"',
        '    searchbase="dc=x"',
        "    bindmethod=simple",
        '    binddn="cn=replica,dc=x"',
        "    credentials=geheim",
        "    starttls=critical",
        "    tls_cacert=/etc/ssl/ca.pem",
        "    tls_reqcert=demand",
        "    network-timeout=5",
        "    keepalive=240:10:30",
        "updateref ldap://p.example.com",
    ]


def test_comments_stand_above_the_stanza_and_nowhere_else() -> None:
    lines = render_plan(plan(ACCESS, SCOPE), Form.SLAPD_CONF, V24).splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert first > 5 and not any(line.lstrip().startswith("#") for line in lines[first:])
    assert any("retry: " in line for line in lines[:first]) and any("starttls: " in line for line in lines[:first])


def test_the_password_is_in_the_stanza_only() -> None:
    chosen = plan(ACCESS, SCOPE)
    assert "geheim" not in repr(chosen) and render_plan(chosen, Form.CN_CONFIG, V24).count("geheim") == 1


@given(
    st.text(alphabet=st.characters(exclude_characters='\0\n\r"', exclude_categories=["Cs"]), min_size=1, max_size=15)
)
def test_both_forms_read_back_as_the_same_stanza(password: str) -> None:
    chosen = plan(replace(ACCESS, password=Secret(password)), SCOPE)
    conf = slapdconf.read("database mdb\n" + render_plan(chosen, Form.SLAPD_CONF, V24), "c")
    text = render_plan(chosen, Form.CN_CONFIG, V24, "olcDatabase={3}mdb,cn=config")
    live = cnconfig.read(text, "l")
    for read in (conf, live):
        assert read.databases[0].stanzas == (chosen.stanza,) and not read.remarks
        assert read.databases[0].first("updateref") == "ldap://p.example.com"


def test_what_is_wanted_is_what_is_written() -> None:
    wanted = ReplicationScope("dc=x", Scope.ONE, "(o=y)", ("cn", "+"), ("sn", "@person"), False, "dc=local")
    stanza = plan(ACCESS, wanted).stanza
    assert stanza.replication_scope == wanted and stanza.get("schemachecking") == "off"
    assert plan(ACCESS, SCOPE).stanza.replication_scope == SCOPE


@pytest.mark.parametrize("version", BRANCHES[2:], ids=str)
def test_it_suits_every_slapd_since_2_4(version: Version) -> None:
    for access in (ACCESS, Access("ldapi://%2Frun%2Fldapi", Method.EXTERNAL), Access("ldaps://p")):
        assert plan(access, SCOPE).stanza.complaints(version) == ()


def test_tls() -> None:
    assert plan(replace(ACCESS, starttls=False), SCOPE).stanza.starttls == "no"
    ldaps = plan(Access("ldaps://p", cert="/c", key="/k", verify=False), SCOPE)
    assert ldaps.stanza.starttls == "no" and ldaps.stanza.get("tls_reqcert") == "never"
    assert ldaps.stanza.get("tls_key") == "/k" and "NOT SAFE" in render_plan(ldaps, Form.SLAPD_CONF, V24)


def test_identities() -> None:
    anonymous = plan(Access("ldap://p"), SCOPE).stanza
    assert anonymous.binddn == "" and anonymous.credentials is None and anonymous.bindmethod == "simple"
    external = plan(Access("ldapi:///", Method.EXTERNAL, authzid="dn:cn=x"), SCOPE)
    assert external.stanza.get("saslmech") == "EXTERNAL" and external.stanza.get("authzid") == "dn:cn=x"
    assert external.updateref == "" and "updateref" not in render_plan(external, Form.CN_CONFIG, V24)


@pytest.mark.parametrize("rid", [-1, 1000])
def test_a_bad_rid_is_refused(rid: int) -> None:
    with pytest.raises(UsageError):
        plan(ACCESS, SCOPE, rid)


def test_an_old_consumer_loses_comfort_only_and_is_told() -> None:
    text = render_plan(plan(Access("ldap://127.0.0.1", local=True), SCOPE), Form.SLAPD_CONF, Version(2, 3))
    assert "keepalive=" not in text and "# left out: keepalive" in text
    with pytest.raises(UsageError, match="tls_reqcert"):
        render_plan(plan(ACCESS, SCOPE), Form.SLAPD_CONF, Version(2, 3))
