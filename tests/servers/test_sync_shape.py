"""When the provider shows another tree than before, by an ACL, a reload or a new database: refused, and then followed
when somebody says so.

Between two runs the provider is stopped and configured anew, as an administrator does it; nothing is imitated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ldap
import pytest
from synclab import BASE, SESSION_LOG, SYNCPROV, Lab, add_person, add_unit, consumer_conf, provider_conf, seed

from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.ldif import records
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.syncrun import Settings
from ldaprepl.errors import ExitCode, GuardRefused
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

READER = f"cn=reader,{BASE}"
PEOPLE, BRANCH = f"ou=people,{BASE}", f"ou=branch,{BASE}"
FOLLOW = Settings(new_shape=True)
AUDIT = Settings(audit=0.0)
PHASES = {"delete phase": SESSION_LOG, "present phase": SYNCPROV, "scan": ()}
Start = Callable[..., Lab]


@pytest.fixture
def start(slapd, tmp_path: Path) -> Start:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    """A provider with 100 people, a small branch of 8 below it, and a reader of its own for sync."""

    def make(lines: tuple[str, ...] = SYNCPROV) -> Lab:
        lab = Lab(slapd(provider_conf(lines)).start(), slapd(consumer_conf()).start(), tmp_path)
        master = lab.admin()
        seed(master, people=100)
        add_unit(master, BRANCH)
        for number in range(8):
            add_person(master, f"uid=b{number},{BRANCH}")
        master.add_s(READER, [("objectClass", [b"person"]), ("sn", [b"r"]), ("userPassword", [b"secret"])])
        allow(lab, "to * by * read")
        return lab

    return make


def allow(lab: Lab, *access: str) -> None:
    """Give the provider these ACLs, and let sync read as the reader. Every entry is what it was, every stamp too."""
    conf = lab.provider.conf
    lines = tuple(line for line in conf.database.lines if not line.startswith("access"))
    database = Database(lines=(*lines, *(f"access {each}" for each in access)), rootpw=lab.provider.rootpw, nosync=True)
    lab.provider.stop()
    lab.provider.configure(SlapdConf(database, modules=conf.modules))
    lab.provider.start()
    lab.reader = (READER, Secret("secret"))


def touch(lab: Lab, dn: str = f"uid=p1,{PEOPLE}") -> None:
    lab.admin().modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"touched"])])


def assert_refused_then_followed(lab: Lab, words: str, settings: Settings = AUDIT) -> None:
    before = lab.dump(lab.consumer)
    with pytest.raises(GuardRefused, match=words) as caught:
        lab.sync(settings)
    assert "--accept-new-shape" in caught.value.cure
    assert lab.dump(lab.consumer) == before
    shown = lab.sync(Settings(audit=0.0, dry_run=True))
    assert shown.objections and shown.exit_code is ExitCode.FINDING and shown.changes
    assert lab.dump(lab.consumer) == before
    lab.sync(FOLLOW)


@pytest.mark.parametrize("phase", PHASES)
def test_a_branch_that_an_acl_hides_is_never_deleted_unasked(start: Start, phase: str) -> None:
    """9 of 114 entries: too few for the brake. Nothing but a write elsewhere tells sync to look at all."""
    lab = start(PHASES[phase])
    lab.sync()
    open_to_all = sorted(lab.dump(lab.consumer))
    allow(lab, f'to dn.subtree="{BRANCH}" by dn.exact="{READER}" none by * read', "to * by * read")
    touch(lab)
    with pytest.raises(GuardRefused, match="'ou=branch,dc=example,dc=com' would lose all of its last 9"):
        lab.sync(AUDIT)
    assert sorted(lab.dump(lab.consumer)) == open_to_all
    allow(lab, "to * by * read")
    touch(lab)
    assert lab.sync(AUDIT).tally.deleted == 0
    lab.assert_equal()


def test_what_is_inside_a_branch_is_hidden_and_its_entry_is_not(start: Start) -> None:
    lab = start()
    lab.sync()
    allow(lab, f'to dn.children="{BRANCH}" by dn.exact="{READER}" none by * read', "to * by * read")
    touch(lab)
    assert_refused_then_followed(lab, "its entry alone would be left")
    assert not [dn for dn in lab.dump(lab.consumer) if dn.endswith(f",{BRANCH}")]


def test_the_whole_tree_is_hidden(start: Start) -> None:
    lab = start()
    lab.sync()
    before = lab.dump(lab.consumer)
    allow(lab, f'to dn.children="{BASE}" by dn.exact="{READER}" auth by anonymous auth by * read', "to * by * read")
    touch(lab)
    with pytest.raises(GuardRefused, match="113 of 114"):
        lab.sync(Settings(audit=0.0, older_provider=True))
    assert lab.dump(lab.consumer) == before


def test_an_attribute_that_an_acl_hides_is_not_taken_from_everybody(start: Start, tmp_path: Path) -> None:
    """Only a changed entry comes again without it, or all of them when everything is read: neither may lose it."""
    lab = start()
    master = lab.admin()
    for number in range(20):
        master.modify_s(f"uid=p{number},{PEOPLE}", [(ldap.MOD_ADD, "mail", [b"p@example.com"])])
    lab.sync()
    before = lab.dump(lab.consumer)
    allow(lab, f'to attrs=mail by dn.exact="{READER}" none by * read', "to * by * read")
    touch(lab)
    with pytest.raises(GuardRefused, match="mail would be taken away from 1 of the 20 entries"):
        lab.sync()
    assert lab.dump(lab.consumer) == before
    for file in tmp_path.iterdir():
        file.unlink()  # a lost state: now every entry comes without mail
    with pytest.raises(GuardRefused, match="mail would be taken away from 20 of the 20 entries"):
        lab.sync()
    assert lab.dump(lab.consumer) == before
    allow(lab, "to * by * read")
    lab.sync(AUDIT)
    lab.assert_equal()


def test_an_attribute_that_somebody_removes_from_some_is_removed(start: Start) -> None:
    """From one, or from the last five that had it: that is work, and nothing to ask about. From all: accepted once."""
    lab = start()
    master = lab.admin()
    for number in range(20):
        master.modify_s(f"uid=p{number},{PEOPLE}", [(ldap.MOD_ADD, "mail", [b"p@example.com"])])
        master.modify_s(f"uid=p{number % 5},{PEOPLE}", [(ldap.MOD_REPLACE, "title", [b"chief"])])
    lab.sync()
    master = lab.admin()
    master.modify_s(f"uid=p9,{PEOPLE}", [(ldap.MOD_DELETE, "mail", None)])
    for number in range(5):
        master.modify_s(f"uid=p{number},{PEOPLE}", [(ldap.MOD_DELETE, "title", None)])
    lab.sync()
    lab.assert_equal()
    for number in (*range(9), *range(10, 20)):
        master.modify_s(f"uid=p{number},{PEOPLE}", [(ldap.MOD_DELETE, "mail", None)])
    assert_refused_then_followed(lab, "mail would be taken away from 19 of the 19")
    lab.assert_equal()


def test_a_provider_that_was_loaded_without_its_identities(start: Start) -> None:
    """Every name is there, and no entry is the one it was: nothing would be deleted, and everything replaced."""
    lab = start()
    lab.sync()
    stamps = ("entryuuid:", "entrycsn:", "contextcsn:")
    plain = [line for line in lab.provider.dump().splitlines() if not line.lower().startswith(stamps)]
    lab.provider.stop()
    lab.provider.wipe()
    lab.provider.load(["\n".join(plain) + "\n"])
    lab.provider.start()
    assert_refused_then_followed(lab, "is not the entry that it was")
    lab.assert_equal()


def test_another_consumer_of_the_same_name(start: Start, slapd) -> None:  # type: ignore[no-untyped-def]
    """Somebody else's server with the same suffix: its base is another entry, and nothing of it is touched."""
    lab = start()
    other: Slapd = slapd(provider_conf()).start()
    seed(lab.admin(other), people=3)
    lab.consumer = slapd(consumer_conf())
    lab.consumer.load([other.dump()])
    lab.consumer.start()
    before = lab.dump(lab.consumer)
    with pytest.raises(GuardRefused, match="is not the entry that it was"):
        lab.sync(Settings(older_provider=True, max_delete=MaxDelete(100.0)))
    assert lab.dump(lab.consumer) == before


@pytest.mark.parametrize("accepted", [False, True])
def test_the_base_became_a_referral(start: Start, accepted: bool) -> None:
    lab = start()
    lab.sync()
    before = lab.dump(lab.consumer)
    old = next(record for record in records(lab.provider.dump().splitlines()) if record.dn == BASE)
    uuid = next(value.decode() for name, value in old.pairs if name == "entryUUID")
    lab.provider.stop()
    lab.provider.wipe()
    classes = "objectClass: referral\nobjectClass: extensibleObject\nstructuralObjectClass: referral\n"
    referral = f"dn: {BASE}\n{classes}dc: example\nref: ldap://else.example.com/{BASE}\nentryUUID: {uuid}\n"
    lab.provider.load([referral])  # with the stamp of this moment
    lab.provider.start()
    lab.reader = None
    settings = Settings(audit=0.0, older_provider=True, max_delete=MaxDelete(100.0 if accepted else 10.0))
    with pytest.raises(GuardRefused, match="is a referral now, to 'ldap://else"):
        lab.sync(settings)
    assert lab.dump(lab.consumer) == before


def test_a_branch_that_went_into_a_database_of_its_own(start: Start) -> None:
    """Four entries only, and the reason is said."""
    lab = start()
    for number in range(5):
        lab.admin().delete_s(f"uid=b{number},{BRANCH}")
    lab.sync()
    below = [f"{part}\n\n" for part in lab.provider.dump().split("\n\n") if "ou=branch," in part.split("\n")[0]]
    rest = [f"{part}\n\n" for part in lab.provider.dump().split("\n\n") if "ou=branch," not in part.split("\n")[0]]
    conf = lab.provider.conf
    own = Database(BRANCH, nosync=True)
    lab.provider.stop()
    lab.provider.wipe()
    lab.provider.configure(SlapdConf(conf.database, (own,), modules=conf.modules))
    lab.provider.load(below, suffix=BRANCH)
    lab.provider.load(rest, suffix=BASE)
    lab.provider.start()
    touch(lab)
    assert_refused_then_followed(lab, "4 entries of 'ou=branch,dc=example,dc=com' would be deleted, which the provider")


@pytest.mark.parametrize("phase", ["present phase", "scan"])
def test_the_provider_no_longer_holds_the_base_and_names_another(start: Start, phase: str) -> None:
    lab = start(PHASES[phase])
    lab.sync()
    before = lab.dump(lab.consumer)
    other = Database("dc=else", "cn=reader,dc=else", Secret("secret"), nosync=True)
    lab.provider.stop()
    lab.provider.wipe()
    referral = "referral ldap://new.example.com"
    lab.provider.configure(SlapdConf(other, modules=lab.provider.conf.modules, lines=(referral,)))
    lab.provider.start()
    lab.reader = ("cn=reader,dc=else", Secret("secret"))
    with pytest.raises(GuardRefused, match="refers to ldap://new"):
        lab.sync(AUDIT)
    assert lab.dump(lab.consumer) == before
