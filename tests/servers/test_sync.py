"""`sync` between real servers: first fill, increments, what must be refused, what must be repaired."""

from __future__ import annotations

from pathlib import Path

import ldap
import pytest
from synclab import (
    BASE,
    SESSION_LOG,
    SYNCPROV,
    UPDATEDN,
    Killed,
    Lab,
    LabFactory,
    add_person,
    add_unit,
    consumer_conf,
    provider_conf,
    seed,
)  # fmt: skip

from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.syncrun import Method, Mode, Settings
from ldaprepl.errors import AlreadyRunning, GuardRefused, IncompleteRead

NO_SYNCPROV: tuple[str, ...] = ()
PHASES = {"delete phase": SESSION_LOG, "present phase": SYNCPROV, "scan": NO_SYNCPROV}
RELAXED = ("entrycsn", "modifytimestamp", "modifiersname")


@pytest.fixture
def lab(slapd, tmp_path: Path) -> LabFactory:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    def make(provider: tuple[str, ...] = SESSION_LOG, consumer: tuple[str, ...] = UPDATEDN) -> Lab:
        source, target = slapd(provider_conf(provider)).start(), slapd(consumer_conf(consumer)).start()
        made = Lab(source, target, tmp_path)
        seed(made.admin())
        return made

    return make


@pytest.mark.parametrize("phase", PHASES)
def test_fill_then_changes_of_every_kind(lab: LabFactory, phase: str) -> None:
    made = lab(PHASES[phase])
    report = made.sync()
    assert report.tally.added == 9 and report.mode is Mode.UPDATEDN
    assert report.method is (Method.SCAN if phase == "scan" else Method.REFRESH)
    made.assert_equal()
    master = made.admin()
    add_person(master, f"uid=new,ou=people,{BASE}")
    master.modify_s(f"uid=p0,ou=people,{BASE}", [(ldap.MOD_ADD, "description", [b"x"])])
    master.delete_s(f"uid=p1,ou=people,{BASE}")
    master.rename_s(f"uid=p2,ou=people,{BASE}", "uid=moved", f"ou=groups,{BASE}")
    master.rename_s(f"ou=people,{BASE}", "ou=People2", f"ou=other,{BASE}")
    report = made.sync()
    made.assert_equal()
    tally = report.tally
    assert (tally.added, tally.modified, tally.renamed, tally.deleted) == (1, 1, 2, 1)
    assert not report.refusals
    if phase != "scan":
        assert made.contextcsn(made.consumer) == made.contextcsn(made.provider)
        assert made.sync().up_to_date


@pytest.mark.parametrize("phase", PHASES)
def test_swaps_inversions_and_recreated_names(lab: LabFactory, phase: str) -> None:
    made = lab(PHASES[phase])
    made.sync()
    master = made.admin()
    one, two = f"ou=people,{BASE}", f"ou=groups,{BASE}"
    add_person(master, f"uid=g,{two}")
    made.sync()
    master.rename_s(one, "ou=tmp")
    master.rename_s(two, "ou=people")
    master.rename_s(f"ou=tmp,{BASE}", "ou=groups")
    master.delete_s(f"uid=p0,ou=groups,{BASE}")
    add_person(master, f"uid=p0,ou=groups,{BASE}")
    add_unit(master, f"ou=inner,ou=other,{BASE}")
    made.sync()
    made.assert_equal()
    master.rename_s(f"ou=inner,ou=other,{BASE}", "ou=inner", BASE)
    master.rename_s(f"ou=other,{BASE}", "ou=other", f"ou=inner,{BASE}")
    made.sync()
    made.assert_equal()


@pytest.mark.parametrize("phase", PHASES)
def test_a_run_that_is_killed_is_repaired_by_the_next(lab: LabFactory, phase: str) -> None:
    made = lab(PHASES[phase])
    with pytest.raises(Killed):
        made.sync(fuse=4)
    report = made.sync()
    made.assert_equal()
    assert "cut off" in " ".join(report.notes)
    master = made.admin()
    for number in range(3):
        master.rename_s(f"uid=p{number},ou=people,{BASE}", f"uid=q{number}", f"ou=groups,{BASE}")
    master.delete_s(f"uid=p4,ou=people,{BASE}")
    for fuse in (0, 1, 2, 3, 5):
        try:
            made.sync(fuse=fuse)
        except Killed:
            continue
    made.sync()
    made.assert_equal()


def test_a_lost_state_is_a_careful_reconciliation(lab: LabFactory, tmp_path: Path) -> None:
    made = lab()
    made.sync()
    made.admin(made.consumer).modify_s(f"uid=p3,ou=people,{BASE}", [(ldap.MOD_REPLACE, "sn", [b"wrong"])])
    add_person(made.admin(made.consumer), f"uid=extra,ou=people,{BASE}")
    for file in tmp_path.iterdir():
        file.unlink()
    # the stray entry has a stamp that the provider never gave: newer than all it has
    with pytest.raises(GuardRefused, match="newer than anything"):
        made.sync()
    report = made.sync(Settings(older_provider=True))
    made.assert_equal()
    assert report.tally.deleted == 1 and report.tally.modified == 1 and report.tally.added == 0


def test_a_damaged_state_counts_as_lost(lab: LabFactory, tmp_path: Path) -> None:
    made = lab()
    made.sync()
    (file,) = tmp_path.glob("*.sqlite")
    file.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    report = made.sync()
    assert "damaged" in report.notes[0]
    made.assert_equal()


def test_a_wiped_consumer_is_filled_again(lab: LabFactory) -> None:
    made = lab()
    made.sync()
    made.consumer.stop()
    made.consumer.wipe()
    made.consumer.start()
    assert made.sync().tally.added == 9
    made.assert_equal()


def test_relax_where_there_is_no_updatedn(lab: LabFactory) -> None:
    made = lab(consumer=())
    assert made.sync().mode is Mode.RELAX
    made.assert_equal(RELAXED)
    master = made.admin()
    master.rename_s(f"uid=p2,ou=people,{BASE}", "uid=moved", f"ou=groups,{BASE}")
    master.delete_s(f"uid=p1,ou=people,{BASE}")
    report = made.sync()
    assert (report.tally.renamed, report.tally.deleted, report.tally.added) == (1, 1, 0)
    made.assert_equal(RELAXED)


def test_plain_writes_as_the_last_resort(lab: LabFactory) -> None:
    made = lab(consumer=())
    assert made.sync(mode=Mode.PLAIN).mode is Mode.PLAIN
    stamps = (*RELAXED, "entryuuid", "createtimestamp", "creatorsname")
    made.assert_equal(stamps)
    master = made.admin()
    master.rename_s(f"uid=p2,ou=people,{BASE}", "uid=moved", f"ou=groups,{BASE}")
    master.delete_s(f"uid=p1,ou=people,{BASE}")
    master.modify_s(f"uid=p3,ou=people,{BASE}", [(ldap.MOD_REPLACE, "sn", [b"new"])])
    report = made.sync(mode=Mode.PLAIN)
    assert (report.tally.renamed, report.tally.deleted, report.tally.added) == (1, 1, 0)
    made.assert_equal(stamps)


def test_a_native_consumer_is_refused(lab: LabFactory, slapd) -> None:  # type: ignore[no-untyped-def]
    made = lab()
    stanza = (
        f'syncrepl rid=001 provider={made.provider.ldap_uri} type=refreshAndPersist retry="1 +" searchbase="{BASE}"'
        f' bindmethod=simple binddn="{made.provider.rootdn}" credentials={made.provider.rootpw.reveal()}'
    )
    made.consumer = slapd(consumer_conf((stanza,))).start()
    with pytest.raises(GuardRefused, match="from somebody else"):
        made.sync()


def test_too_many_deletes_are_refused_and_nothing_is_touched(lab: LabFactory) -> None:
    made = lab()
    made.sync()
    before = made.dump(made.consumer)
    master = made.admin()
    for number in range(5):
        master.delete_s(f"uid=p{number},ou=people,{BASE}")
    with pytest.raises(GuardRefused, match="5 of 9"):
        made.sync()
    assert made.dump(made.consumer) == before
    assert made.sync(Settings(max_delete=MaxDelete(None, 5))).tally.deleted == 5
    made.assert_equal()


@pytest.mark.parametrize("phase", PHASES)
def test_an_emptied_provider_never_empties_the_consumer(lab: LabFactory, phase: str) -> None:
    made = lab(PHASES[phase])
    made.sync()
    made.provider.stop()
    made.provider.wipe()
    made.provider.start()
    before = made.dump(made.consumer)
    with pytest.raises((GuardRefused, IncompleteRead)):
        made.sync(Settings(max_delete=MaxDelete(100.0), older_provider=True))
    assert made.dump(made.consumer) == before


def test_an_answer_that_was_cut_changes_nothing(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A size limit: entries came, no end came. The line that lifts it is in the message."""
    reader = f"cn=reader,{BASE}"
    lines = (*SESSION_LOG, f'limits dn.exact="{reader}" size=3', "access to * by * read")
    made = Lab(slapd(provider_conf(lines)).start(), slapd(consumer_conf()).start(), tmp_path)
    master = made.admin()
    seed(master)
    master.add_s(reader, [("objectClass", [b"person"]), ("sn", [b"r"]), ("userPassword", [b"secret"])])
    conf = made.provider.conf
    object.__setattr__(conf.database, "rootdn", reader)  # bind as the limited one
    object.__setattr__(conf.database, "rootpw", type(conf.database.rootpw)("secret"))
    with pytest.raises(IncompleteRead, match="cut") as caught:
        made.sync()
    assert "limits" in caught.value.cure
    with pytest.raises(ldap.NO_SUCH_OBJECT):
        made.dump(made.consumer)


def test_two_runs_at_once(lab: LabFactory, tmp_path: Path) -> None:
    from ldaprepl.wire.statefile import open_state

    made = lab()
    pair = {"provider": made.provider.ldap_uri, "consumer": made.consumer.ldap_uri}
    with open_state(tmp_path, pair, {}), pytest.raises(AlreadyRunning):
        made.sync()


def test_a_dry_run_shows_everything_and_changes_nothing(lab: LabFactory) -> None:
    made = lab()
    made.sync()
    master = made.admin()
    add_person(master, f"uid=new,ou=people,{BASE}")
    master.rename_s(f"uid=p2,ou=people,{BASE}", "uid=moved", f"ou=groups,{BASE}")
    master.delete_s(f"uid=p1,ou=people,{BASE}")
    before = made.dump(made.consumer)
    report = made.sync(Settings(dry_run=True))
    assert report.changes is not None and len(report.changes) == 4
    assert made.dump(made.consumer) == before
    assert made.sync().tally.added == 1
    made.assert_equal()


def test_a_consumer_that_shows_only_a_part_of_itself_is_not_taken_for_whole(slapd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A size limit of the writing identity: what is not shown must not be taken for missing."""
    writer = f"cn=writer,{BASE}"
    lines = (f'updatedn "{writer}"', f'limits dn.exact="{writer}" size=32', "access to * by * write")
    made = Lab(slapd(provider_conf()).start(), slapd(consumer_conf(lines)), tmp_path)
    master = made.admin()
    seed(master, people=130)
    master.add_s(writer, [("objectClass", [b"person"]), ("sn", [b"r"]), ("userPassword", [b"secret"])])
    made.consumer.load([made.provider.dump()])
    made.consumer.start()
    object.__setattr__(made.consumer.conf.database, "rootdn", writer)
    object.__setattr__(made.consumer.conf.database, "rootpw", type(made.consumer.conf.database.rootpw)("secret"))
    with pytest.raises(IncompleteRead, match="cut the listing"):
        made.sync()
