"""More of the ways in which replicas really drifted apart in silence; the first ten are in `test_verify_recipes`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ldap
import pytest
from driftlab import (
    EXTRA_P1,
    OTHER,
    Drift,
    add_person,
    drift,
    outlive_stamps,
    person,
    provider_conf,
    reload,
    seed,
    stanza,
    told,
)
from replication import context, until, with_admin
from synclab import Lab, enlarge
from verifying import Relay, SlapdFactory, conf

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.syncrun import Mode
from ldaprepl.wire.slapdconf import Database


def test_11_a_provider_restored_from_an_older_copy(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    pair.provider.restart()  # stores contextCSN, so that it is in the copy
    old = pair.provider.dump()
    pair.modify("p1", "newer")
    add_person(pair.admin, person("lost"))
    pair.admin.delete_s(person("p2"))
    pair.together()
    reload(pair.provider, old)
    pair.provider.start()
    run = pair.verify("--settle", "0")
    assert any("went back" in note for note in run.consumer["notes"]), "seen before anything is written"
    pair.modify("p3", "later")
    pair.together()
    found = pair.found()
    assert {
        ("differs", "uid=p1,ou=people", "stale-restore"),
        ("missing", "uid=p2,ou=people", "stale-restore"),
    } <= found
    assert found - {("extra", "uid=lost,ou=people", "stale-restore")} == {
        ("differs", "uid=p1,ou=people", "stale-restore"),
        ("missing", "uid=p2,ou=people", "stale-restore"),
    }


def test_12_a_provider_whose_clock_was_set_back(slapd: SlapdFactory) -> None:
    """For the provider it is the same whether its clock was set back or its data come from a clock that was ahead."""
    pair = drift(slapd)
    pair.provider.stop()
    held = pair.provider.dump()
    for seconds in (3, 15, 75):  # long enough for two writes meanwhile, however slow this machine is
        ahead = datetime.now(UTC) + timedelta(seconds=seconds)
        stamp = f"{ahead:%Y%m%d%H%M%S.%f}Z#000000#001#000000"
        dump = re.sub(r"(entryCSN|contextCSN): .*", rf"\1: {stamp}", held)
        dump = re.sub(r"modifyTimestamp: .*", f"modifyTimestamp: {stamp[:14]}Z", dump)
        if "contextCSN" not in dump:
            dump = dump.replace("entryCSN", f"contextCSN: {stamp}\nentryCSN", 1)
        for server in (pair.provider, pair.consumer):
            reload(server, dump)
            server.start()
        pair.together()
        pair.modify("p1", "lost")
        add_person(pair.admin, person("back"))
        if datetime.now(UTC) < ahead:
            break
    assert datetime.now(UTC) < ahead, "too slow for this test"
    until(lambda: datetime.now(UTC) > ahead + timedelta(seconds=0.1))
    pair.modify("p3", "later")
    pair.together()
    assert pair.found() == {
        ("differs", "uid=p1,ou=people", "stale-restore"),
        ("missing", "uid=back,ou=people", "stale-restore"),
    }


def test_12_stamps_of_a_clock_that_is_hours_ahead(slapd: SlapdFactory) -> None:
    pair = drift(slapd)
    for server in (pair.consumer, pair.provider):
        server.stop()
    ahead = datetime.now(UTC) + timedelta(hours=2)
    stamp = f"{ahead:%Y%m%d%H%M%S.%f}Z#000000#001#000000"
    record = f"(dn: {person('p1')}\\n(?:.+\\n)*?entryCSN: ).*"
    for server in (pair.consumer, pair.provider):
        dump = re.sub(record, rf"\g<1>{stamp}", server.dump())
        reload(server, dump)
        server.start()
    pair.modify("p1", "lost")
    run = pair.verify("--settle", "1")
    assert ("differs", "uid=p1,ou=people", "clock") in told(run)


LOG = "cn=log"


def test_13_delta_sync_on_another_base(slapd: SlapdFactory) -> None:
    log = Database(suffix=LOG, lines=("overlay syncprov", "syncprov-nopresent TRUE", "syncprov-reloadhint TRUE"))
    lines = ("overlay syncprov", "overlay accesslog", f'logdb "{LOG}"', "logops writes", "logsuccess TRUE")
    master = replace(conf(*lines, modules=("syncprov", "accesslog")), others=(log,), server_id=1)
    words = (f'logbase="{LOG}"', 'logfilter="(&(objectClass=auditWriteObject)(reqResult=0))"', "syncdata=accesslog")
    pair = drift(slapd, *words, provider=master)
    pair.modify("p1", "Before", "sn")
    pair.together()
    pair.consumer.stop()
    dump = pair.consumer.dump()
    assert "sn: Before" in dump
    reload(pair.consumer, dump.replace("sn: Before", "sn: Wrong"))
    pair.consumer.start()
    pair.modify("p1", "later")
    pair.together()
    assert pair.found() == {("differs", "uid=p1,ou=people", "same-stamp")}


def test_14_a_provider_that_never_tells_of_deletes(slapd: SlapdFactory) -> None:
    pair = drift(slapd, provider=provider_conf("overlay syncprov", "syncprov-nopresent TRUE"))
    pair.consumer.stop()
    pair.admin.delete_s(person("p1"))
    pair.consumer.start()
    pair.modify("p2", "later")
    pair.together()
    assert pair.found() == {EXTRA_P1}


def test_15_a_subentry_that_no_refresh_brings(slapd: SlapdFactory) -> None:
    policy = f"cn=policy,{SUFFIX}"

    def fill(connection: Any) -> None:
        seed(connection)
        classes = [b"subentry", b"extensibleObject"]
        connection.add_s(policy, [("objectClass", classes), ("cn", [b"policy"]), ("subtreeSpecification", [b"{}"])])

    pair = drift(slapd, fill=fill)
    pair.modify("p1", "later")
    pair.together()
    assert pair.found() == {("missing", "cn=policy", "subentry")}
    pair.admin.modify_s(policy, [(ldap.MOD_REPLACE, "description", [b"travels"])])
    pair.together()
    assert pair.verify().code == 0


def test_16_memberof_on_the_provider_only(slapd: SlapdFactory) -> None:
    lines = ("overlay memberof", "overlay syncprov", "syncprov-sessionlog 100")
    master = replace(conf(*lines, modules=("syncprov", "memberof")), server_id=1)
    pair = drift(slapd, provider=master, consumer=lambda line: conf("overlay memberof", line, modules=("memberof",)))
    member = [("member", [person("p1").encode()])]
    pair.consumer.stop()
    pair.consumer.configure(conf(stanza(pair.provider), modules=("memberof",)))
    pair.consumer.start()
    pair.admin.add_s(f"cn=g,ou=groups,{SUFFIX}", [("objectClass", [b"groupOfNames"]), ("cn", [b"g"]), *member])
    pair.together()
    assert pair.verify().code == 0, "each server computes it for itself"
    found = pair.found("--attrs", "*", "--attrs", "+", "--attrs", "memberOf")
    assert found == {("differs", "uid=p1,ou=people", "server-local")}


def test_17_failed_binds_on_the_consumer(slapd: SlapdFactory) -> None:
    policy = f"cn=policy,{SUFFIX}"
    overlay = ("overlay ppolicy", f'ppolicy_default "{policy}"')

    def fill(connection: Any) -> None:
        seed(connection)
        rules = [("objectClass", [b"device", b"pwdPolicy"]), ("cn", [b"policy"]), ("pwdAttribute", [b"userPassword"]),
                 ("pwdLockout", [b"TRUE"]), ("pwdMaxFailure", [b"2"])]  # fmt: skip
        connection.add_s(policy, rules)
        change = [(ldap.MOD_ADD, "userPassword", [b"right"])]
        connection.modify_s(person("p1"), change)

    master = replace(conf(*overlay, "overlay syncprov", modules=("syncprov", "ppolicy")), server_id=1)
    pair = drift(slapd, provider=master, consumer=lambda line: conf(*overlay, line, modules=("ppolicy",)), fill=fill)
    for _ in range(3):
        with pytest.raises(ldap.INVALID_CREDENTIALS):
            ldap.initialize(pair.consumer.ldap_uri).simple_bind_s(person("p1"), "wrong")
    assert pair.verify().code == 0, "that state is each server's own"
    found = pair.found("-a", "*", "-a", "+", "-a", "pwdFailureTime", "-a", "pwdAccountLockedTime")
    assert found == {("differs", "uid=p1,ou=people", "server-local")}


def test_18_a_consumer_that_a_tool_has_filled(slapd: SlapdFactory, tmp_path: Path) -> None:
    """The Relax control sets all stamps but entryCSN; native syncrepl then takes a delete for an older change."""
    master = slapd(provider_conf()).start()
    admin = with_admin(master)
    seed(admin)
    outlive_stamps(admin)
    lab = Lab(master, slapd(conf()).start(), tmp_path)
    lab.sync(mode=Mode.RELAX)
    pair = Drift(master, lab.consumer)
    assert told(pair.verify("--settle", "0"))
    pair.admin.delete_s(person("p1"))
    pair.consumer.stop()
    pair.consumer.configure(conf(stanza(master)))
    pair.consumer.start()
    pair.modify("p2", "comes")
    pair.together()
    found = pair.found()
    assert ("extra", "uid=p1,ou=people", "foreign-stamp") in found
    assert {(kind, cause) for kind, dn, cause in found if dn != "uid=p1,ou=people"} == {("differs", "stamps-only")}
    assert len(found) > 5
    assert pair.found("--exattrs", "entryCSN") == {("extra", "uid=p1,ou=people", "foreign-stamp")}


def test_20_a_change_and_a_renaming_that_a_client_lost(slapd: SlapdFactory) -> None:
    """The cookie is ahead of what was applied: as a client leaves it that stores cookies in mid-refresh."""
    pair = drift(slapd)
    pair.consumer.stop()
    pair.modify("p1", "lost")
    pair.admin.rename_s(person("p2"), "uid=renamed")
    pair.admin.rename_s(OTHER, "ou=else")
    add_person(pair.admin, person("below", f"ou=else,{SUFFIX}"))
    (today,) = context(pair.provider)
    dump = pair.consumer.dump()
    reload(pair.consumer, re.sub(r"contextCSN: .*", f"contextCSN: {today.decode()}", dump))
    pair.consumer.start()
    pair.modify("p3", "later")
    pair.together()
    assert pair.found() == {
        ("differs", "uid=p1,ou=people", "lost-update"),
        ("renamed", "uid=renamed,ou=people", "lost-rename"),
        ("renamed", "ou=else", "lost-rename"),
        ("missing", "uid=below,ou=else", "lost-add"),
    }


def test_21_a_container_that_is_renamed_while_a_consumer_is_filled(slapd: SlapdFactory) -> None:
    """A slapd whose client is slow leaves out what is below it, ends with success, and both contextCSNs are equal."""
    master = slapd(provider_conf()).start()
    admin = with_admin(master)
    seed(admin)
    enlarge(admin, 2000)
    move = lambda: admin.rename_s(f"ou=people,{SUFFIX}", "ou=folk", OTHER)  # noqa: E731
    with Relay(master, 2_000_000, move, goes_on=True) as slow:
        pair = Drift(master, slapd(conf(stanza(master).replace(master.ldap_uri, slow.uri))).start())
        pair.together()
        run = pair.verify("--settle", "0")
    if pair.consumer.dump().count("\nuid: large") == 2000:
        pytest.skip("this slapd has sent everything")
    assert run.code == 1
    found = told(run)
    assert len(found) > 100
    assert {(kind, cause) for kind, _, cause in found} == {("missing", "lost-add")}
    assert {dn.partition(",")[2] for _, dn, _ in found} == {"ou=folk,ou=other"}
