"""Repair by touching the provider, beside real syncrepl. The fears: a touch that changes the provider, one that leaves
something there, one that makes native syncrepl do harm, and "touched" that is told as "healed".
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import ldap
import pytest
from mendlab import (
    FREE,
    Native,
    all_of,
    extra,
    ldapmodify,
    renamed,
    repair,
    sample,
    stanza,
    still_wrong,
    swapped,
    with_values,
    without,
)
from replication import until, with_admin
from verifying import ADMIN, SECRET, SlapdFactory, conf, filled, verify

from ldaprepl.domain.change import Mod
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.touch import Touch
from ldaprepl.domain.verdict import Finding, Kind
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.session import open_session
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.toucher import Toucher

LOG = "cn=accesslog"
DELTA = (
    "overlay syncprov", "overlay accesslog", f"logdb {LOG}", "logops writes", "logsuccess TRUE",
)  # fmt: skip
SYNCDATA = (f'logbase="{LOG}"', 'logfilter="(&(objectClass=auditWriteObject)(reqResult=0))"', "syncdata=accesslog")
PEOPLE = f"ou=people,{SUFFIX}"
SALES, FINANCE, SUPPORT = (f"ou={name},{PEOPLE}" for name in ("Sales", "Finance", "Support"))


def person(unit: str, number: int = 0) -> str:
    return [entry.dn for entry in sample() if entry.dn.endswith(f",{unit}")][number]


def wrong() -> all_of:  # type: ignore[valid-type]
    """One of each, with whole branches."""
    return all_of(
        with_values(person(FINANCE), sn=(b"wrong",), userPassword=(b"old",), pager=(b"+1 only there",)),
        with_values(person(FINANCE, 1), createTimestamp=(b"20200101000000Z",)),
        with_values(person(FINANCE, 2), entryUUID=(b"99999999-1111-4111-a111-111111111111",)),
        without(SUPPORT),
        renamed(SALES, f"ou=Verkauf,ou=groups,{SUFFIX}"),
        extra(f"ou=stray,{SUFFIX}", 1),
        extra(f"uid=below,ou=stray,{SUFFIX}", 2),
        extra(f"uid=new one,{FINANCE}", 3, userPassword=(b"secret",)),
    )


def delta(make: SlapdFactory) -> Native:
    log = Database(suffix=LOG, nosync=True, indexes=("reqStart,reqEnd,reqResult,objectClass,entryCSN eq",),
                   lines=("overlay syncprov", "syncprov-nopresent TRUE", "syncprov-reloadhint TRUE"))  # fmt: skip
    base = conf(*DELTA)
    provider = SlapdConf(base.database, others=(log,), modules=("syncprov", "accesslog"), lines=base.lines)
    return Native(make, sample(), lambda server: stanza(server, "refreshAndPersist", *SYNCDATA), provider=provider)


def plain(make: SlapdFactory, kind: str = "refreshAndPersist") -> Native:
    return Native(make, sample(), lambda server: stanza(server, kind))


def contents(server: Slapd) -> dict[str, dict[str, list[bytes]]]:
    """All user attributes, by DN."""
    found = with_admin(server).search_s(SUFFIX, ldap.SCOPE_SUBTREE)
    return {dn: {name: sorted(values) for name, values in entry.items()} for dn, entry in found if dn}


@pytest.mark.parametrize("kind", ["refreshAndPersist", "refreshOnly interval=00:00:00:01", "delta"])
def test_native_syncrepl_heals_what_was_touched(slapd: SlapdFactory, kind: str) -> None:
    lab = delta(slapd) if kind == "delta" else plain(slapd, kind)
    before = contents(lab.provider)
    lab.harm(wrong())
    shown = repair(lab.provider, lab.consumer, "touch", *FREE)
    assert shown.code == 1
    assert shown.consumer["repair"]["dry_run"]
    assert len(still_wrong(lab.provider, lab.consumer)) == len(shown.findings) > 10
    run = repair(lab.provider, lab.consumer, "touch", "--yes", *FREE)
    made = run.consumer["repair"]
    assert (run.code, run.findings, made["refused"]) == (0, [], []), run.out
    assert made["healed"] == made["planned"] == len(shown.findings)
    assert still_wrong(lab.provider, lab.consumer) == []
    assert contents(lab.provider) == before


def test_swapped_names_are_left_alone_and_named(slapd: SlapdFactory) -> None:
    """Touched, they would have syncrepl write one entry's values into the other."""
    lab = plain(slapd)
    lab.harm(all_of(swapped(person(FINANCE), person(FINANCE, 1)), with_values(person(SALES), sn=(b"wrong",))))
    there = contents(lab.consumer)
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    made = run.consumer["repair"]
    assert run.code == 1
    assert (made["planned"], made["done"], made["healed"]) == (3, 1, 1)
    assert {each["dn"] for each in made["refused"]} == {person(FINANCE), person(FINANCE, 1)}
    assert "has its name" in made["refused"][0]["reason"]
    for dn in (person(FINANCE), person(FINANCE, 1)):
        assert contents(lab.consumer)[dn] == there[dn]


@pytest.mark.parametrize("kind", ["refreshAndPersist", "refreshOnly interval=00:00:00:01"])
def test_nothing_is_torn_from_what_is_above_it(slapd: SlapdFactory, kind: str) -> None:
    """A refresh sends an old entry below a young one first, and a deleted container leaves glue where it is not
    empty."""
    lab = plain(slapd, kind)
    young, old = f"ou=young,{SUFFIX}", person(FINANCE)
    connection = with_admin(lab.provider)
    connection.add_s(young, [("objectClass", [b"organizationalUnit"]), ("ou", [b"young"])])
    connection.rename_s(old, old.partition(",")[0], young)
    lab.in_step()
    lab.harm(
        all_of(
            renamed(young, f"ou=another,{SUFFIX}"),
            extra(f"ou=stray,{SUFFIX}", 1),
            extra(f"ou=deep,ou=stray,{SUFFIX}", 2),
            renamed(SALES, f"ou=Sales,ou=deep,ou=stray,{SUFFIX}"),
        )
    )
    run = repair(lab.provider, lab.consumer, "touch", "--yes", *FREE)
    assert (run.code, run.findings, run.consumer["repair"]["refused"]) == (0, [], []), run.out
    assert still_wrong(lab.provider, lab.consumer) == []


def test_a_container_with_something_out_of_scope_stays(slapd: SlapdFactory) -> None:
    lab = plain(slapd)
    stray = f"ou=stray,{SUFFIX}"
    lab.harm(all_of(extra(stray, 1), extra(f"uid=kept,{stray}", 2, employeeType=(b"local",))))
    run = repair(lab.provider, lab.consumer, "touch", "--yes", "--filter", "(!(employeeType=local))")
    made = run.consumer["repair"]
    assert (run.code, made["done"]) == (1, 0), run.out
    assert "below it stays" in made["refused"][0]["reason"]


def test_a_chain_of_names_takes_rounds(slapd: SlapdFactory) -> None:
    lab = plain(slapd)
    one, two, three = (person(FINANCE, number) for number in range(3))
    lab.harm(all_of(renamed(three, f"uid=free,{FINANCE}"), renamed(two, three), renamed(one, two)))
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 3), run.out
    assert still_wrong(lab.provider, lab.consumer) == []


def test_an_entry_from_the_future_is_not_called_healed(slapd: SlapdFactory) -> None:
    lab = plain(slapd)
    lab.harm(with_values(person(SALES), sn=(b"wrong",), entryCSN=(b"20990101000000.000000Z#000000#000#000000",)))
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    made = run.consumer["repair"]
    assert (run.code, made["done"], made["healed"]) == (1, 1, 0)
    assert "future" in made["refused"][0]["reason"]


def test_a_provider_that_refuses_is_told_so(slapd: SlapdFactory) -> None:
    """The reader's identity may read everything, and write nothing."""
    reader = person(SALES)
    lab = plain(slapd)
    with_admin(lab.provider).modify_s(reader, [(ldap.MOD_REPLACE, "userPassword", [b"correct horse, battery: staple"])])
    lab.in_step()
    lab.harm(all_of(with_values(person(FINANCE), sn=(b"wrong",)), extra(f"ou=stray,{SUFFIX}")))
    run = repair(lab.provider, lab.consumer, "touch", "--yes", "-D", reader)
    made = run.consumer["repair"]
    assert (run.code, made["done"], made["healed"], len(made["refused"])) == (1, 0, 0, 2), run.out
    assert all("needs write access" in each["reason"] for each in made["refused"])
    assert lab.provider.ldap_uri in made["refused"][0]["reason"]


def test_what_a_cut_run_left_on_the_provider_goes_first(slapd: SlapdFactory) -> None:
    lab = plain(slapd)
    stray = f"ou=stray,{SUFFIX}"
    with_admin(lab.provider).add_s(
        stray,
        [("objectClass", [b"organizationalRole", b"extensibleObject"]), ("cn", [b"ldaprepl-box"]), ("ou", [b"stray"])],
    )
    lab.in_step()
    run = repair(lab.provider, lab.consumer, "touch")
    assert stray in run.consumer["repair"]["notes"][0]
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    assert stray not in contents(lab.provider)
    assert verify(lab.provider, lab.consumer, "--settle", "10").code == 0


def test_a_replica_is_not_touched(slapd: SlapdFactory) -> None:
    lab = plain(slapd)
    lab.harm(with_values(person(FINANCE), sn=(b"wrong",)))
    run = repair(lab.consumer, lab.provider, "touch", "--yes")
    assert run.code == 1
    assert "does not take changes itself" in run.consumer["repair"]["halted"]["text"]


def test_the_ldif_of_a_touch_heals_too(slapd: SlapdFactory, tmp_path: Path) -> None:
    lab = plain(slapd)
    lab.harm(wrong())
    file = tmp_path / "touch.ldif"
    for _ in range(2):  # below the renamed branch nothing is touched before the branch is healed
        repair(lab.provider, lab.consumer, "touch", "--repair-file", str(file), *FREE)
        if "dn:" in file.read_text():
            ldapmodify(lab.provider, file, tmp_path, "-M", "-e", "relax")
            lab.in_step()
    assert still_wrong(lab.provider, lab.consumer) == []


def test_a_password_policy_takes_no_notice(slapd: SlapdFactory) -> None:
    """To replace a password by itself would make it young again, and put it into the history."""
    base = conf("overlay syncprov", "overlay ppolicy", modules=("syncprov", "ppolicy"))
    lab = Native(slapd, sample(), stanza, provider=base, modules=("ppolicy",))
    victim = person(FINANCE)
    with_admin(lab.provider).modify_s(victim, [(ldap.MOD_REPLACE, "userPassword", [b"a new one"])])
    lab.in_step()

    def changed() -> list[bytes]:
        ((_, entry),) = with_admin(lab.provider).search_s(victim, ldap.SCOPE_BASE, attrlist=["pwdChangedTime"])
        return list(entry["pwdChangedTime"])

    before = changed()
    lab.harm(with_values(victim, userPassword=(b"stale",)))
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    assert (run.code, run.consumer["repair"]["healed"]) == (0, 1), run.out
    assert changed() == before


def test_what_the_provider_hides_from_the_writer_stays(slapd: SlapdFactory) -> None:
    """An identity that may write an attribute and not read it, as help desks may a password: to replace it by the
    nothing that is seen would be to delete it."""
    writer, victim = (
        person(SALES),
        next(entry for entry in sample() if entry.dn.endswith(FINANCE) and entry.values("title")),
    )
    rules = (f'access to attrs=title,userPassword by dn.exact="{writer}" =wx by * auth',
             f'access to * by dn.exact="{writer}" write by * read')  # fmt: skip
    base = conf("overlay syncprov", *rules, modules=("syncprov",))
    login = with_values(writer, userPassword=(SECRET.encode(),))
    lab = Native(slapd, login(sample()), stanza, provider=base)
    before = contents(lab.provider)[victim.dn]
    lab.harm(with_values(victim.dn, sn=(b"wrong",)))
    run = repair(
        lab.provider, lab.consumer, "touch", "--yes", "-D", writer, "--consumer-bind-dn", ADMIN, *FREE,
        "--max-repair", "1000", env={"LDAPREPL_CONSUMER_PASSWORD": SECRET},
    )  # fmt: skip
    assert run.consumer["repair"]["done"] > 10, run.out
    assert contents(lab.provider)[victim.dn] == before
    assert contents(lab.consumer)[victim.dn] == before


def test_a_consumer_that_asks_seldom_is_only_behind(slapd: SlapdFactory) -> None:
    """Touched, and not looked at yet: neither healed nor refused, and the next verify sees it."""
    lab = plain(slapd, "refreshOnly interval=00:01:00:00")
    lab.harm(all_of(with_values(person(FINANCE), sn=(b"wrong",)), without(person(SALES)), extra(f"ou=x,{SUFFIX}")))
    until(lambda: len(still_wrong(lab.provider, lab.consumer)) == 3)
    run = repair(lab.provider, lab.consumer, "touch", "--yes", "--settle", "0.5")
    made = run.consumer["repair"]
    assert (run.code, made["done"], made["healed"], made["refused"]) == (4, 3, 0, []), run.out
    assert any("verify again later" in note for note in made["notes"])
    lab.consumer.restart()  # it asks when it starts
    lab.in_step()
    assert still_wrong(lab.provider, lab.consumer) == []


@pytest.mark.parametrize(("kind", "healed"), [("refreshAndPersist", 1), ("refreshOnly interval=00:00:00:01", 0)])
def test_a_subentry(slapd: SlapdFactory, kind: str, healed: int) -> None:
    """A refresh leaves subentries out, touched or not."""
    special = Entry(
        f"cn=special,{SUFFIX}",
        {"objectClass": (b"subentry", b"extensibleObject"), "cn": (b"special",), "subtreeSpecification": (b"{}",)},
    )
    lab = Native(slapd, [*sample(), special], lambda server: stanza(server, kind))
    run = repair(lab.provider, lab.consumer, "touch", "--yes")
    made = run.consumer["repair"]
    assert (run.code, made["done"], made["healed"]) == (1 - healed, 1, healed), run.out
    assert healed or "subentry" in made["refused"][0]["reason"]


def test_what_somebody_wrote_meanwhile_is_not_written_over_or_deleted(slapd: SlapdFactory) -> None:
    """A touch holds for the entry that was read, and only what carries the mark is ever deleted."""
    server = filled(slapd(conf()), sample())
    dn, now = person(FINANCE), contents(server)
    finding = Finding(Kind.DIFFERS, dn, dn)
    stale = Touch(finding, dn, "20200101000000.000000Z#000000#000#000000", (Mod("replace", "sn", (b"what it was",)),))
    with open_session(Endpoint(server.ldap_uri, Simple(ADMIN, Secret(SECRET)))) as session:
        toucher = Toucher(session)
        assert toucher.touch(stale) == "", "the other's write has touched it"
        assert toucher.touch(replace(stale, absent=("pager",))) == ""
        assert "delete it on the provider" in toucher.remove(dn)
        assert contents(server) == now
        (entry,) = (entry for entry in sample() if entry.dn == dn)
        assert toucher.touch(replace(stale, csn=entry.csn)) == ""
    assert contents(server)[dn]["sn"] == [b"what it was"]
