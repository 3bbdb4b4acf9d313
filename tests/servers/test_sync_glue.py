"""Replicas that hold a part: a filter or an ACL leaves containers out, or the base is deep inside another's tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ldap
import pytest
from synclab import BASE, SESSION_LOG, SYNCPROV, UPDATEDN, Lab, add_person, add_unit, consumer_conf, provider_conf, seed
from test_sync_cli import options

from ldaprepl.cli.main import run
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.syncrun import Mode, Settings

PEOPLE = f"ou=people,{BASE}"
PHASES = {"delete phase": SESSION_LOG, "present phase": SYNCPROV, "scan": ()}
NO_UNITS = ReplicationScope(BASE, filter="(!(objectClass=organizationalUnit))")
AUDIT = Settings(audit=0.0)
MANAGE = ldap.controls.RequestControl("2.16.840.1.113730.3.4.2", True, None)


@pytest.fixture
def start(slapd, tmp_path: Path) -> Callable[..., Lab]:  # type: ignore[no-untyped-def]  # the fixture's type is in conftest
    def make(
        provider: tuple[str, ...] = SESSION_LOG,
        consumer: tuple[str, ...] = UPDATEDN,
        scope: ReplicationScope = NO_UNITS,
    ) -> Lab:
        target = slapd(consumer_conf(consumer)).start()
        lab = Lab(slapd(provider_conf(provider)).start(), target, tmp_path, scope)
        seed(lab.admin())
        return lab

    return make


def glue(lab: Lab) -> set[str]:
    rows = lab.admin(lab.consumer).search_ext_s(
        BASE, ldap.SCOPE_SUBTREE, "(objectClass=glue)", ["1.1"], serverctrls=[MANAGE]
    )
    return {dn for dn, _ in rows}


def shown(lab: Lab) -> set[str]:
    """What a client sees."""
    return {dn for dn, _ in lab.admin(lab.consumer).search_s(BASE, ldap.SCOPE_SUBTREE, attrlist=["1.1"])}


@pytest.mark.parametrize("phase", PHASES)
def test_a_filter_that_leaves_the_containers_out(start, phase: str) -> None:  # type: ignore[no-untyped-def]
    lab = start(PHASES[phase])
    report = lab.sync()
    assert not report.refusals and report.tally.added == 6
    assert any("glue" in note and PEOPLE in note for note in report.notes)
    assert glue(lab) == {PEOPLE}
    assert shown(lab) == {BASE, *(f"uid=p{n},{PEOPLE}" for n in range(5))}
    again = lab.sync(AUDIT)
    assert not again.notes and not again.tally.modified
    master = lab.admin()
    add_unit(master, f"ou=deep,{PEOPLE}")
    add_unit(master, f"ou=deeper,ou=deep,{PEOPLE}")
    master.rename_s(f"uid=p0,{PEOPLE}", "uid=p0", f"ou=deeper,ou=deep,{PEOPLE}")
    lab.sync()
    assert glue(lab) == {PEOPLE, f"ou=deep,{PEOPLE}", f"ou=deeper,ou=deep,{PEOPLE}"}
    master.delete_s(f"uid=p0,ou=deeper,ou=deep,{PEOPLE}")
    assert lab.sync().tally.deleted == 1
    assert glue(lab) == {PEOPLE}


@pytest.mark.parametrize("phase", PHASES)
def test_glue_becomes_the_entry_and_the_entry_becomes_glue(start, phase: str) -> None:  # type: ignore[no-untyped-def]
    """The container enters the filter, and leaves it again while its entries stay."""
    lab = start(PHASES[phase], scope=ReplicationScope(BASE, filter="(|(objectClass=domain)(uid=*)(description=shown))"))
    lab.sync()
    assert glue(lab) == {PEOPLE}
    master = lab.admin()
    master.modify_s(PEOPLE, [(ldap.MOD_ADD, "description", [b"shown"])])
    lab.sync()
    assert glue(lab) == set()
    provider, consumer = lab.dump(lab.provider), lab.dump(lab.consumer)
    assert consumer == {dn: entry for dn, entry in provider.items() if dn in consumer}
    assert PEOPLE in consumer
    master.modify_s(PEOPLE, [(ldap.MOD_DELETE, "description", None)])
    report = lab.sync()
    assert not report.refusals
    assert glue(lab) == {PEOPLE}
    assert not lab.sync(AUDIT).notes
    shown = lab.sync(Settings(dry_run=True))
    assert shown.changes == ()


def test_verify_knows_that_a_part_needs_glue(start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    lab = start()
    common = [*options(lab, tmp_path), "--filter", NO_UNITS.filter, "-q"]
    assert run(["sync", *common, "--state", str(tmp_path / "state")]) == 0
    assert run(["verify", *common]) == 0
    lab.admin(lab.consumer).delete_s(f"uid=p1,{PEOPLE}")
    assert run(["verify", *common]) == 1


@pytest.mark.parametrize("mode", [Mode.RELAX, Mode.PLAIN])
def test_glue_without_updatedn(start, mode: Mode) -> None:  # type: ignore[no-untyped-def]
    lab = start(consumer=())
    assert not lab.sync(mode=mode).refusals
    assert glue(lab) == {PEOPLE}
    lab.admin().delete_s(f"uid=p1,{PEOPLE}")
    assert lab.sync(mode=mode).tally.deleted == 1
    assert not lab.sync(AUDIT, mode=mode).refusals


@pytest.mark.parametrize("scope", [Scope.SUB, Scope.ONE, Scope.SUBORD])
def test_a_base_deep_inside_an_empty_consumer(start, scope: Scope) -> None:  # type: ignore[no-untyped-def]
    """Its parents up to the suffix are nobody's to send."""
    lab = start(scope=ReplicationScope(PEOPLE, scope))
    report = lab.sync(Settings(dry_run=True))
    assert report.changes and report.changes[0].dn == BASE
    report = lab.sync()
    assert not report.refusals
    above = {BASE} if scope is Scope.SUB else {BASE, PEOPLE}
    assert glue(lab) == above
    assert shown(lab) == {f"uid=p{n},{PEOPLE}" for n in range(5)} | ({PEOPLE} if scope is Scope.SUB else set())
    add_person(lab.admin(), f"uid=new,{PEOPLE}")
    assert lab.sync().tally.added == 1


def test_the_suffix_itself_is_left_out_and_holds_contextcsn_all_the_same(start) -> None:  # type: ignore[no-untyped-def]
    lab = start(scope=ReplicationScope(BASE, filter="(!(objectClass=domain))"))
    lab.sync()
    assert glue(lab) == {BASE}
    assert lab.sync().up_to_date
    rows = lab.admin(lab.consumer).search_ext_s(BASE, ldap.SCOPE_BASE, attrlist=["contextCSN"], serverctrls=[MANAGE])
    assert rows[0][1]["contextCSN"] == lab.contextcsn(lab.provider)


def test_only_some_attributes(start) -> None:  # type: ignore[no-untyped-def]
    """objectClass need not be named: no entry can be without."""
    lab = start(scope=ReplicationScope(BASE, attrs=("cn", "sn", "uid", "ou", "dc")))
    assert not lab.sync().refusals
    ((_, entry),) = lab.admin(lab.consumer).search_s(f"uid=p1,{PEOPLE}", ldap.SCOPE_BASE)
    assert set(entry) == {"objectClass", "cn", "sn", "uid"}
