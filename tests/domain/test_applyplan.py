"""What would be written into a live cn=config: the least that does it, and nothing the second time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ldaprepl.domain.applyplan import Survey, changes, objections, same_meaning, survey
from ldaprepl.domain.configdiff import Modification
from ldaprepl.domain.consumerplan import plan
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.report.applyplan import render_changes

ACCESS = Access("ldap://p.example.com", Method.SIMPLE, "cn=replica,dc=x", Secret("geheim"), starttls=True)
PLAN = plan(ACCESS, ReplicationScope("dc=x"))
V25 = Version(2, 5)
NAME = "olcDatabase={2}mdb,cn=config"
OTHER = 'rid=004 provider=ldap://q searchbase="dc=x" binddn="cn=r,dc=x" credentials="das andere"'


def looked(suffix: str = "dc=x", **values: list[str]) -> Survey:
    held = {"olcSuffix": ["DC=X"], "olcRootDN": ["cn=a"], "olcDbMaxSize": ["9"], "olcDbIndex": ["default eq"], **values}
    entry = Entry(NAME, {name: tuple(value.encode() for value in texts) for name, texts in held.items()})
    elsewhere = Entry("olcDatabase={3}mdb,cn=config", {"olcSyncrepl": (b"{0}rid=001 provider=ldap://z",)})
    return survey([Entry("cn=config", {}), entry, elsewhere], suffix)


def kept(stanza: str, **values: list[str]) -> Survey:
    return looked(olcSyncrepl=[stanza], olcUpdateRef=["ldap://p.example.com/"], **values)


def test_an_empty_database_gets_indexes_stanza_and_updateref() -> None:
    found = changes(looked(), PLAN, V25)
    assert [[(m.operation, m.name) for m in change.modifications] for change in found] == [
        [("add", "olcDbIndex")], [("add", "olcDbIndex")], [("add", "olcSyncrepl"), ("add", "olcUpdateRef")],
    ]  # fmt: skip
    assert {change.dn for change in found} == {NAME}
    both = looked(olcDbIndex=["objectClass,entryCSN eq,pres", '"cn,entryUUID" eq'])
    assert [m.name for c in changes(both, PLAN, V25) for m in c.modifications] == ["olcSyncrepl", "olcUpdateRef"]


INDEXED = ["entryUUID,entryCSN eq"]


def test_what_is_there_in_the_spelling_of_slapd_is_left_alone() -> None:
    written = PLAN.stanza.render(Form.CN_CONFIG, V25).text
    assert not changes(kept(f"{{0}}{written}", olcDbIndex=INDEXED), PLAN, V25)
    spelled = (
        written.replace('"dc=x"', '"DC=X"').replace("cn=replica,dc=x", "CN=replica, DC=x").replace("rid=001", "rid=1")
    )
    more = ' timeout=0 filter="(objectclass=*)" scope=sub attrs="*,+" schemachecking=off tls_reqsan=allow'
    assert not changes(kept(f"{{0}}{more.strip()} {spelled}", olcDbIndex=INDEXED), PLAN, V25)


def test_one_of_several_is_changed_by_replacing_all_in_their_order() -> None:
    written = PLAN.stanza.with_value("credentials", "alt").render(Form.CN_CONFIG, V25).text
    found = looked(
        olcSyncrepl=[f"{{1}}{written}", f"{{0}}{OTHER}"], olcUpdateRef=["ldap://elsewhere"], olcDbIndex=INDEXED
    )
    wanted = PLAN.stanza.render(Form.CN_CONFIG, V25).text
    ((change,),) = [c.modifications for c in changes(found, PLAN, V25)]
    assert change == Modification("replace", "olcSyncrepl", (f"{{0}}{OTHER}", f"{{1}}{wanted}"))


def test_rids() -> None:
    assert looked().rid_for("ldap://p.example.com", "dc=x") == 2  # 1 is in another database
    assert kept(f"{{0}}{OTHER}").rid_for("ldap://q/", "dc=X") == 4
    codes = {finding.code for finding in objections(looked(), PLAN)}
    assert codes == {"rid-taken"} and not objections(looked(), plan(ACCESS, ReplicationScope("dc=x"), 9))


@pytest.mark.parametrize(
    ("values", "code"),
    [({"olcRootDN": []}, "no-rootdn"), ({"olcUpdateDN": ["cn=s"]}, "updatedn"),
     ({"olcMultiProvider": ["TRUE"]}, "multi-provider"), ({"olcSuffix": ["dc=y"]}, "no-database")],
)  # fmt: skip
def test_objections(values: dict[str, list[str]], code: str) -> None:
    chosen = plan(ACCESS, ReplicationScope("dc=x"), 9)
    assert [finding.code for finding in objections(looked(**values), chosen)] == [code]


@pytest.mark.parametrize(
    ("name", "value"),
    [("credentials", "Geheim"), ("filter", "(cn=X)"), ("type", "refreshOnly"), ("starttls", "yes"), ("attrs", "cn")],
)
def test_a_difference_that_matters_is_one(name: str, value: str) -> None:
    assert not same_meaning(PLAN.stanza, PLAN.stanza.with_value(name, value))
    assert same_meaning(PLAN.stanza, Stanza(tuple(reversed(PLAN.stanza.parameters))))


def test_no_password_is_shown_not_even_a_broken_or_a_foreign_one() -> None:
    found = changes(looked(olcSyncrepl=[f"{{0}}{OTHER} zweites wort"]), PLAN, V25)
    text = render_changes(found)
    assert "credentials=********" in text and 'retry="5 12 60 +"' in text
    for word in ("geheim", "andere", "wort"):
        assert word not in text + repr(found)
    assert replace(looked(), suffix="dc=y").stanzas == ()
