"""Servers that replicate each other. The fears: a change that travels the other way called too much or missing, a loss
on one of them behind equal contextCSNs, and one server that is away taking the others' verdict with it.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable, Sequence

import ldap
import pytest
from jsonforms import complaints
from replication import context, until, with_admin
from verifying import ADMIN, REPLICA, SECRET, Relay, Run, SlapdFactory, conf, filled, replica, verify

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd

UNIT = ("objectClass", [b"organizationalUnit"])


def peer(number: int, others: Iterable[Slapd], modules: tuple[str, ...] = ("syncprov",)) -> SlapdConf:
    stanzas = [
        f'syncrepl rid={rid:03} provider={other.ldap_uri} type=refreshAndPersist retry="1 +" searchbase="{SUFFIX}"'
        f' bindmethod=simple binddn="{ADMIN}" credentials="{SECRET}"'
        for rid, other in enumerate(others, 1)
    ]
    held = conf(*stanzas, *(["multiprovider on"] if stanzas else []), "overlay syncprov", modules=modules)
    return SlapdConf(held.database, modules=held.modules, server_id=number, lines=held.lines)


def meshed(make: SlapdFactory, count: int, entries: Sequence[Entry] = ()) -> list[Slapd]:
    """So many servers, each a consumer of all others, with the same content."""
    servers = [make(peer(number, [])) for number in range(1, count + 1)]
    sample = list(entries) or list(stamped(directory(60)))
    for number, server in enumerate(servers, 1):
        server.configure(peer(number, [other for other in servers if other is not server]))
        filled(server, sample)
    for number, server in enumerate(servers):  # one write of each, so that all have a stamp of all
        with_admin(server).add_s(f"ou=first{number},{SUFFIX}", [UNIT, ("ou", [b"first%d" % number])])
    until(lambda: settled(servers, count))
    return servers


def settled(servers: Sequence[Slapd], stamps: int) -> bool:
    held = [context(server) for server in servers]
    return len(held[0]) >= stamps and all(each == held[0] for each in held)


def mesh(servers: Sequence[Slapd | str], *options: str) -> Run:
    run = verify(servers[0], servers[1:], "--mesh", *options)
    if run.out.startswith("{"):
        assert complaints("verify", json.loads(run.out)) == []
    return run


def pairs(run: Run) -> list[tuple[str, ...]]:
    return [
        (consumer["verdict"], *(f"{f['kind']} {f['state']} {f['late'] or '-'}" for f in consumer["findings"]))
        for consumer in run.report["consumers"]
    ]


def test_each_is_compared_with_each_and_what_one_lost_shows_in_its_pairs(slapd: SlapdFactory) -> None:
    servers = meshed(slapd, 3)
    run = mesh(servers)
    assert run.code == 0
    uris = [server.ldap_uri for server in servers]
    found = [(consumer["against"], consumer["uri"]) for consumer in run.report["consumers"]]
    assert found == list(itertools.combinations(uris, 2))
    last = servers[2]
    last.stop()
    last.modify_offline(f"dn: ou=people,{SUFFIX}\nchangetype: modify\nreplace: description\ndescription: mine\n\n")
    last.configure(peer(3, []))  # alone: nobody brings it anything, and it sends nothing
    last.start()
    run = mesh(servers)
    assert run.code in (1, 4)
    first, *others = pairs(run)
    assert first == ("equal",)
    assert all(kinds[0] != "equal" and len(kinds) == 2 for kinds in others)


def test_a_loss_is_lasting_on_both_sides_of_a_pair(slapd: SlapdFactory) -> None:
    """Equal contextCSN, different data: an entry that each has and the other has not, and values."""
    sample = list(stamped(directory(60)))

    def own(name: str, number: int) -> Entry:
        stamps = {
            "entryUUID": (b"00000000-0000-0000-0000-%012x" % number,),
            "entryCSN": (b"20240101000000.000000Z#000000#000#000000",),
        }
        return Entry(f"ou={name},{SUFFIX}", {"objectClass": (b"organizationalUnit",), "ou": (name.encode(),), **stamps})

    left, right = (slapd(peer(number, [])) for number in (1, 2))
    left.configure(peer(1, [right]))
    right.configure(peer(2, [left]))
    csn = {"contextCSN": (b"20260101000000.000000Z#000000#001#000000", b"20260101000000.000000Z#000000#002#000000")}
    sample[0] = Entry(sample[0].dn, {**sample[0].attributes, **csn})
    filled(left, [*sample, own("left", 1)])
    filled(right, [*sample, own("right", 2)])
    run = mesh([left, right])
    assert run.code == 1
    assert sorted(pairs(run)[0]) == ["diverged", "extra lasting -", "missing lasting -"]


def test_what_is_newer_on_either_side_is_on_its_way(slapd: SlapdFactory) -> None:
    """Both go on alone: each lacks what the other wrote, and neither is called wrong."""
    servers = meshed(slapd, 2)
    for server in servers:
        server.stop()
    for number, server in enumerate(servers, 1):
        server.configure(peer(number, []))
        server.start()
        with_admin(server).add_s(f"ou=own{number},{SUFFIX}", [UNIT, ("ou", [b"own%d" % number])])
    run = mesh(servers)
    assert run.code == 4
    late = {(f["dn"], f["kind"], f["late"]) for f in run.findings}
    assert late == {(f"ou=own1,{SUFFIX}", "missing", "consumer"), (f"ou=own2,{SUFFIX}", "extra", "provider")}


def test_only_the_second_wrote(slapd: SlapdFactory) -> None:
    servers = meshed(slapd, 2)
    servers[0].stop()
    servers[0].configure(peer(1, []))
    servers[0].start()
    writer = with_admin(servers[1])
    writer.add_s(f"ou=new,{SUFFIX}", [UNIT, ("ou", [b"new"])])
    writer.delete_s(f"ou=first0,{SUFFIX}")
    writer.modify_s(f"ou=first1,{SUFFIX}", [(ldap.MOD_REPLACE, "description", [b"newer"])])
    run = mesh(servers)
    assert run.code == 4
    assert {(f["kind"], f["late"]) for f in run.findings} == {
        ("extra", "provider"), ("missing", "provider"), ("differs", "provider"),
    }  # fmt: skip


@pytest.mark.parametrize("turn", range(2))
def test_under_writes_on_both_sides_nothing_is_called_wrong(slapd: SlapdFactory, turn: int) -> None:
    servers = meshed(slapd, 2)
    done = threading.Event()
    writers = [threading.Thread(target=_write, args=(server, number, done)) for number, server in enumerate(servers)]
    for writer in writers:
        writer.start()
    try:
        codes = [mesh(servers, "--settle", "5").code for _ in range(3)]
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert set(codes) <= {0, 4}
    until(lambda: settled(servers, 2))
    assert mesh(servers, "--settle", "5").code == 0


def _write(server: Slapd, number: int, done: threading.Event) -> None:
    """Adds, changes, renames and deletes, each under its own names: a conflict is another matter."""
    writer = with_admin(server)
    for turn in itertools.count():
        if done.is_set():
            return
        name = f"ou=w{number}-{turn}"
        writer.add_s(f"{name},{SUFFIX}", [UNIT])
        writer.modify_s(f"{name},{SUFFIX}", [(ldap.MOD_REPLACE, "description", [b"%d" % turn])])
        writer.rename_s(f"{name},{SUFFIX}", f"{name}-moved")
        if turn % 2:
            writer.delete_s(f"{name}-moved,{SUFFIX}")


def test_one_that_is_away_leaves_the_others_their_verdict(slapd: SlapdFactory) -> None:
    servers = meshed(slapd, 2)
    nobody = "ldap://127.0.0.1:9"
    for named, verdicts in (
        ([nobody, *servers], ["undecided", "undecided", "equal"]),
        ([servers[0], nobody, servers[1]], ["undecided", "equal", "undecided"]),
    ):
        run = mesh(named)
        assert run.code == 3
        assert [consumer["verdict"] for consumer in run.report["consumers"]] == verdicts


def test_one_whose_answer_is_cut_leaves_the_others_their_verdict(slapd: SlapdFactory) -> None:
    """Half of it is no other content: nothing is called missing there."""
    servers = [filled(slapd(peer(number, [])), stamped(directory(60))) for number in (1, 2, 3)]
    with Relay(servers[1], 20_000, cut=True) as relay:
        run = mesh([servers[0], relay.uri, servers[2]])
        assert relay.reached.is_set() and run.code == 3
    assert pairs(run) == [("undecided",), ("equal",), ("undecided",)]


def test_one_that_shows_nothing_is_not_called_empty(slapd: SlapdFactory) -> None:
    """Its base is there, and not one entry of the scope: an identity that may not read, mostly."""
    sample = list(stamped([*directory(20), replica()]))
    rules = ("access to attrs=userPassword by * auth", "access to * by * read")
    hiding = ("access to filter=(objectClass=inetOrgPerson) by * none", *rules)
    made = [conf(*lines, "overlay syncprov", modules=("syncprov",)) for lines in (rules, hiding)]
    servers = [filled(slapd(each), sample) for each in (made[0], made[1], made[0])]
    run = mesh(servers, "-D", REPLICA, "--filter", "(objectClass=inetOrgPerson)", "-x", "userPassword")
    assert (run.code, pairs(run)) == (3, [("undecided",), ("equal",), ("undecided",)])
    assert "showed no entry at all" in run.report["consumers"][0]["problem"]["text"]


def test_one_that_shows_only_some_leaves_the_others_their_verdict(slapd: SlapdFactory) -> None:
    """It answers every later question, so that nothing would seem to be missing; what it has too much was not read."""
    sample = list(stamped([*directory(60), replica()]))
    made = [conf("overlay syncprov", modules=("syncprov",), sizelimit=limit) for limit in ("unlimited", "20")]
    servers = [filled(slapd(each), sample) for each in (made[0], made[1], made[0])]
    run = mesh(servers, "-D", REPLICA)
    assert (run.code, pairs(run)) == (3, [("undecided",), ("equal",), ("undecided",)])
    assert "limit" in run.report["consumers"][0]["problem"]["text"]


def test_people_read_the_pairs(slapd: SlapdFactory) -> None:
    servers = meshed(slapd, 2)
    run = mesh(servers, "--format", "text")
    assert f"EQUAL: {servers[1].ldap_uri} against {servers[0].ldap_uri}, " in run.out
    assert "against <code" in mesh(servers, "--format", "html").out
    assert mesh(servers, "--state", "x").code == 2


def test_attributes_that_no_server_knows_are_not_called_equal(slapd: SlapdFactory) -> None:
    """Nothing would be compared, and all pairs be equal."""
    servers = [slapd(peer(number, [])) for number in (1, 2)]
    for server in servers:
        filled(server, list(stamped(directory(5))))
    for more in ((), ("--bytewise",)):
        run = mesh(servers, "--attrs", "descripton", *more)
        assert run.code == 2
        assert "descripton" in run.err
    run = mesh(servers, "--attrs", "descripton", "--attrs", "cn")
    assert run.code == 0
    assert all("descripton" in " ".join(consumer["notes"]) for consumer in run.report["consumers"])
