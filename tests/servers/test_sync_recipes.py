"""The recipes by which replicas really drifted apart in silence: each ends in equal data or in a loud refusal."""

from __future__ import annotations

from pathlib import Path

import ldap
import pytest
from synclab import (
    BASE,
    SESSION_LOG,
    SYNCPROV,
    Lab,
    add_person,
    add_unit,
    consumer_conf,
    provider_conf,
    seed,
)

from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Method, Settings
from ldaprepl.errors import GuardRefused, LdapreplError
from ldaprepl.wire.slapdproc import Slapd

AUDIT = Settings(audit=0.0)
PEOPLE = f"ou=people,{BASE}"


@pytest.fixture
def start(slapd, tmp_path: Path):  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    def make(provider: tuple[str, ...] = SESSION_LOG) -> Lab:
        lab = Lab(slapd(provider_conf(provider)).start(), slapd(consumer_conf()).start(), tmp_path)
        seed(lab.admin(), people=8)
        return lab

    return make


def reload(server: Slapd, dump: str) -> None:
    server.stop()
    server.wipe()
    server.load([dump])
    server.start()


def forget(tmp_path: Path) -> None:
    for file in tmp_path.iterdir():
        file.unlink()


def test_deletes_that_a_crashed_provider_forgot_are_found_by_the_audit(start) -> None:  # type: ignore[no-untyped-def]
    """Recipe 1: the session log of a provider that was killed lacks the deletes since its last checkpoint."""
    lab = start()
    lab.provider.restart()
    add_person(lab.admin(), f"uid=late,{PEOPLE}")
    lab.sync()
    master = lab.admin()
    master.delete_s(f"uid=p1,{PEOPLE}")
    master.delete_s(f"uid=p2,{PEOPLE}")
    lab.provider.kill()
    lab.provider.start()
    master = lab.admin()
    master.modify_s(f"uid=p3,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [b"new"])])
    report = lab.sync()
    if not report.tally.deleted:
        report = lab.sync(AUDIT)
    assert report.tally.deleted == 2
    lab.assert_equal()


def test_a_crashed_provider_that_is_asked_at_once_loses_nothing_here(start) -> None:  # type: ignore[no-untyped-def]
    """Its contextCSN is old, its newest entries are hidden from a refresh: they must not count as deleted."""
    lab = start()
    lab.provider.restart()
    for number in range(4):
        add_person(lab.admin(), f"uid=late{number},{PEOPLE}")
    lab.sync()
    lab.provider.kill()
    lab.provider.start()
    report = lab.sync(Settings(max_delete=MaxDelete(100.0)))
    assert report.tally.deleted == 0
    assert any("went back" in note for note in report.notes)
    lab.assert_equal()


@pytest.mark.parametrize("lines", [SESSION_LOG, SYNCPROV])
def test_a_provider_restored_from_an_older_copy_is_refused_then_followed(start, lines) -> None:  # type: ignore[no-untyped-def]
    """Recipe 11. Entries of the lost time must not go without a word, nor stay different for ever."""
    lab = start(lines)
    lab.provider.restart()  # stores contextCSN, so that it is in the copy
    lab.sync()
    old = lab.provider.dump()
    master = lab.admin()
    master.modify_s(f"uid=p1,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [b"newer"])])
    add_person(master, f"uid=lost,{PEOPLE}")
    master.delete_s(f"uid=p2,{PEOPLE}")
    lab.sync()
    reload(lab.provider, old)
    before = lab.dump(lab.consumer)
    with pytest.raises(GuardRefused, match="gone back in time"):
        lab.sync()
    assert lab.dump(lab.consumer) == before
    lab.sync(Settings(older_provider=True))
    lab.assert_equal()


def test_an_older_copy_with_new_writes_on_top_is_found_by_the_audit(start) -> None:  # type: ignore[no-untyped-def]
    """The same, asked only after new writes: the cookie is valid again, nothing on the wire tells."""
    lab = start()
    lab.sync()
    old = lab.provider.dump()
    master = lab.admin()
    master.modify_s(f"uid=p1,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [b"newer"])])
    master.delete_s(f"uid=p2,{PEOPLE}")
    lab.sync()
    reload(lab.provider, old)
    lab.admin().modify_s(f"uid=p3,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [b"later"])])
    lab.sync(AUDIT)
    lab.assert_equal()


def test_an_entry_put_back_with_its_old_stamp(start) -> None:  # type: ignore[no-untyped-def]
    """Recipe 10: slapadd on the provider gives no new CSN, so a refresh never sends it."""
    lab = start()
    lab.sync()
    dump = lab.provider.dump()
    record = next(part for part in dump.split("\n\n") if part.startswith(f"dn: uid=p1,{PEOPLE}"))
    lab.admin().delete_s(f"uid=p1,{PEOPLE}")
    lab.sync()
    lab.provider.stop()
    lab.provider.load([record + "\n"], quick=False)
    lab.provider.start()
    lab.sync(AUDIT)
    lab.assert_equal()


def test_a_cookie_from_nowhere(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Garbage, the future, another server: the data is the same in the end."""
    import sqlite3

    lab = start()
    lab.sync()
    for cookie in (
        "xyzzy",
        "rid=001,csn=20400101000000.000000Z#000000#000#000000",
        "rid=001,csn=20400101000000.000000Z#000000#007#000000",
        "rid=001,csn=20000101000000.000000Z#000000#000#000000",
    ):
        (file,) = tmp_path.glob("*.sqlite")
        with sqlite3.connect(file) as base:
            base.execute("UPDATE fact SET value = ? WHERE name = 'cookie'", (cookie,))
        base.close()
        master = lab.admin()
        master.modify_s(f"uid=p3,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [cookie[-8:].encode()])])
        master.delete_s(f"uid=p1,{PEOPLE}")
        try:
            lab.sync()
        except GuardRefused:
            lab.sync(Settings(older_provider=True))
        lab.assert_equal()
        add_person(master, f"uid=p1,{PEOPLE}")
        lab.sync()


def test_another_scope_drops_the_cookie(start) -> None:  # type: ignore[no-untyped-def]
    """Recipe 8: a provider takes the cookie of another search and never sends what the new one adds."""
    lab = start()
    narrow = ReplicationScope(BASE, filter="(|(objectClass=domain)(objectClass=organizationalUnit)(uid=p1))")
    lab.sync(scope=narrow)
    assert len(lab.dump(lab.consumer)) == 5
    lab.sync()
    lab.assert_equal()


def test_an_entry_that_leaves_the_filter_goes(start) -> None:  # type: ignore[no-untyped-def]
    lab = start()
    people = ReplicationScope(BASE, filter="(!(description=private))")
    lab.sync(scope=people)
    lab.admin().modify_s(f"uid=p1,{PEOPLE}", [(ldap.MOD_ADD, "description", [b"private"])])
    assert lab.sync(scope=people).tally.deleted == 1


def test_an_old_master_stands_in_and_a_stopped_one_stops_us(start) -> None:  # type: ignore[no-untyped-def]
    lab = start(())
    report = lab.sync()
    assert report.method is Method.SCAN and "no sync service" in report.why
    lab.assert_equal()
    assert lab.sync().tally.unchanged == 0
    with pytest.raises(LdapreplError, match="no sync service"):
        lab.sync(Settings(method=Method.REFRESH))


def test_the_structural_class_changes(start) -> None:  # type: ignore[no-untyped-def]
    """Delete and add of one DN in one window, with another class: a Modify cannot do it (code 69)."""
    lab = start()
    lab.sync()
    master = lab.admin()
    master.delete_s(f"uid=p1,{PEOPLE}")
    classes = [b"account", b"simpleSecurityObject"]
    master.add_s(f"uid=p1,{PEOPLE}", [("objectClass", classes), ("uid", [b"p1"]), ("userPassword", [b"x"])])
    master.delete_s(f"ou=other,{BASE}")
    add_unit(master, f"ou=other,{BASE}")
    lab.sync()
    lab.assert_equal()


def test_a_large_group_changes_by_one_value(start) -> None:  # type: ignore[no-untyped-def]
    lab = start()
    master = lab.admin()
    members = [f"uid=m{number},{PEOPLE}".encode() for number in range(300)]
    group = f"cn=g,ou=groups,{BASE}"
    master.add_s(group, [("objectClass", [b"groupOfNames"]), ("cn", [b"g"]), ("member", members)])
    lab.sync()
    master.modify_s(group, [(ldap.MOD_DELETE, "member", members[:2]), (ldap.MOD_ADD, "member", [b"cn=x"])])
    changes = lab.sync(Settings(dry_run=True)).changes
    assert changes and max(len(mod.values) for mod in changes[0].mods) == 2
    lab.sync()
    lab.assert_equal()


def test_referrals_and_aliases_are_entries_like_others(start) -> None:  # type: ignore[no-untyped-def]
    lab = start()
    master = lab.admin()
    classes = [b"referral", b"extensibleObject"]
    master.add_s(f"ou=away,{BASE}", [("objectClass", classes), ("ou", [b"away"]), ("ref", [b"ldap://else/ou=away"])])
    classes = [b"alias", b"extensibleObject"]
    target = f"uid=p1,{PEOPLE}".encode()
    master.add_s(f"cn=al,{BASE}", [("objectClass", classes), ("cn", [b"al"]), ("aliasedObjectName", [target])])
    lab.sync()
    lab.assert_equal()
    master.delete_ext_s(f"ou=away,{BASE}", serverctrls=[ldap.controls.RequestControl("2.16.840.1.113730.3.4.2", True)])
    lab.sync()
    lab.assert_equal()


def test_what_somebody_did_to_the_consumer_is_found_by_the_audit(start) -> None:  # type: ignore[no-untyped-def]
    """Nothing on the provider tells, and contextCSN is as we left it."""
    lab = start()
    lab.sync()
    intruder = lab.admin(lab.consumer)
    intruder.delete_s(f"uid=p1,{PEOPLE}")
    intruder.modify_s(f"uid=p2,{PEOPLE}", [(ldap.MOD_REPLACE, "sn", [b"wrong"])])
    intruder.rename_s(f"uid=p3,{PEOPLE}", "uid=wrong")
    assert lab.sync().up_to_date
    report = lab.sync(AUDIT)
    assert (report.tally.added, report.tally.renamed) == (1, 1)
    lab.assert_equal()


@pytest.mark.parametrize("lines", [SESSION_LOG, SYNCPROV, ()], ids=["delete phase", "present phase", "scan"])
def test_subentries(start, lines) -> None:  # type: ignore[no-untyped-def]
    """Recipe 15: no search shows them, and a session log calls one that was changed deleted."""
    lab = start(lines)
    master = lab.admin()
    classes, place = [b"subentry", b"extensibleObject"], f"cn=policy,{BASE}"
    attributes = [("objectClass", classes), ("cn", [b"policy"]), ("subtreeSpecification", [b"{}"])]
    master.add_s(place, attributes)
    assert lab.sync().tally.added == 13
    assert subentry(lab, lab.consumer, place) == subentry(lab, lab.provider, place) != {}
    master.modify_s(place, [(ldap.MOD_REPLACE, "description", [b"new"])])
    report = lab.sync()
    assert (report.tally.modified, report.tally.deleted) == (1, 0)
    assert subentry(lab, lab.consumer, place)["description"] == [b"new"]
    assert subentry(lab, lab.consumer, place) == subentry(lab, lab.provider, place)
    assert not lab.sync(AUDIT).notes
    master.rename_s(place, "cn=moved", PEOPLE)
    lab.sync()
    assert subentry(lab, lab.consumer, f"cn=moved,{PEOPLE}") == subentry(lab, lab.provider, f"cn=moved,{PEOPLE}") != {}
    master.delete_s(f"cn=moved,{PEOPLE}")
    assert lab.sync().tally.deleted == 1
    assert subentry(lab, lab.consumer, f"cn=moved,{PEOPLE}") == {}


def subentry(lab: Lab, server: Slapd, dn: str) -> dict[str, list[bytes]]:
    """As the server holds it; empty where it does not."""
    try:
        ((_, entry),) = lab.admin(server).search_s(dn, ldap.SCOPE_BASE, attrlist=["*", "+"])
    except ldap.NO_SUCH_OBJECT:
        return {}
    return {name: values for name, values in entry.items() if name != "entryDN"}
