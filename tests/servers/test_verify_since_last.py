"""Only what changed is compared. The fear: something that is wrong and is not looked at.

Each test is a way in which a shorter run could miss it. What it does miss is here too, at the end, so that the manual
can be held to it.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ldap
import pytest
from remembering import (
    COUNT,
    Memory,
    another_second,
    copy,
    describe,
    dump,
    follower,
    found,
    master,
    monitored,
    people,
    provider_conf,
    settled,
    take_stamps,
    twin,
    unit,
    what,
)
from replication import stamp, until, with_admin
from verifying import ADMIN, REPLICA, SECRET, SlapdFactory, command, conf, environment, replica

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdproc import Slapd

RESTARTED = "was restarted, so that its data may have been changed or restored offline"
FIRST = "everything: nothing proven is remembered of this pair"


@pytest.fixture
def pair(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    provider = master(slapd)
    return provider, twin(slapd, provider)


@pytest.fixture
def memory(pair: tuple[Slapd, Slapd], tmp_path: Path) -> Memory:
    """A pair that was proven equal."""
    held = Memory(tmp_path / "state", *pair)
    assert held.full().code == 0
    return held


# -- what happens every day ------------------------------------------------------------------------------------------


def test_only_the_changes_are_read_and_all_of_them(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd)
    consumer = follower(slapd, provider)
    memory = Memory(tmp_path / "state", provider, consumer)
    first = memory.since()
    assert (first.code, what(first)) == (0, FIRST)
    connection = with_admin(provider)
    some = people(connection, 8)
    for dn in some[:3]:
        describe(connection, dn, b"changed")
    connection.delete_s(some[3])
    connection.rename_s(some[4], "uid=renamed")
    unit(connection, "new")
    settled(provider, consumer)
    run = memory.since()
    assert (run.code, what(run)) == (0, "changes")
    # the look back reaches the first change, that of the suffix
    assert run.consumer["entries"] == {"provider": 6, "consumer": 6, "equal": 6}
    assert memory.full().consumer["entries"]["equal"] == COUNT


def test_while_somebody_writes(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd)
    consumer = follower(slapd, provider)
    memory = Memory(tmp_path / "state", provider, consumer)
    assert memory.full().code == 0
    enough = threading.Event()

    def write() -> None:
        connection = with_admin(provider)
        for number in range(100_000):
            if enough.is_set():
                return
            dn = unit(connection, f"storm {number}")
            describe(connection, dn, b"x")
            if number % 2:
                connection.delete_s(dn)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        runs = [memory.since("--settle", "2") for _ in range(3)]
    finally:
        enough.set()
        writer.join()
    assert {run.code for run in runs} <= {0, 4}, [run.out for run in runs]
    settled(provider, consumer)
    assert (memory.since().code, memory.full().code) == (0, 0)


def test_a_consumer_that_is_behind(memory: Memory) -> None:
    (consumer,) = memory.consumers
    connection = with_admin(memory.provider)
    dn, gone = people(connection, 2)
    describe(connection, dn, b"not there yet")
    connection.delete_s(gone)
    run = memory.since("--settle", "0")
    assert (run.code, what(run)) == (4, "changes and list")
    assert found(run) == [("differs", dn, "new"), ("extra", gone, "new")]
    with_admin(consumer).delete_s(gone)
    copy(memory.provider, consumer, dn)
    take_stamps(memory.provider, consumer)
    run = memory.since()
    assert (run.code, found(run)) == (0, [])
    assert {finding["dn"] for finding in run.consumer["resolved"]} == {dn, gone}


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_write_on_the_consumer(memory: Memory) -> None:
    """It leaves contextCSN alone."""
    (consumer,) = memory.consumers
    connection = with_admin(consumer)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"here only")
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("differs", dn, "new")])
    again = memory.since()
    assert (again.code, what(again), found(again)) == (1, "changes", [("differs", dn, "known")])
    assert found(memory.full()) == [("differs", dn, "known")]


def test_a_delete_on_the_consumer(memory: Memory) -> None:
    connection = with_admin(memory.consumers[0])
    one, other = people(connection, 2)
    connection.delete_s(one)
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes and list", [("missing", one, "new")])
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("missing", one, "known")])
    connection.delete_s(other)
    run = memory.since()
    assert (run.code, what(run)) == (1, "changes and list")
    assert found(run) == [("missing", one, "known"), ("missing", other, "new")]


def test_a_delete_that_never_arrived(memory: Memory) -> None:
    """The consumer took the stamp and kept the entry, as after a crash of the provider."""
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    connection.delete_s(dn)
    take_stamps(memory.provider, memory.consumers[0])
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes and list", [("extra", dn, "new")])


def test_a_change_that_never_arrived(memory: Memory) -> None:
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"lost")
    take_stamps(memory.provider, memory.consumers[0])
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("differs", dn, "new")])


def test_a_change_that_arrived_without_its_values(memory: Memory) -> None:
    """Equal stamps on both sides: what is new is compared whole."""
    (consumer,) = memory.consumers
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"lost")
    copy(memory.provider, consumer, dn, "description")
    take_stamps(memory.provider, consumer)
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("differs", dn, "new")])


def test_a_subentry_that_was_changed(slapd: SlapdFactory, tmp_path: Path) -> None:
    """No plain search shows it."""
    provider = master(slapd)
    dn = f"cn=policy,{SUFFIX}"
    words = {"objectClass": [b"subentry", b"extensibleObject"], "cn": [b"policy"], "subtreeSpecification": [b"{}"]}
    with_admin(provider).add_s(dn, list(words.items()))
    memory = Memory(tmp_path / "state", provider, twin(slapd, provider))
    assert memory.full().code == 0
    describe(with_admin(provider), dn, b"lost")
    take_stamps(provider, memory.consumers[0])
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("differs", dn, "new")])
    with_admin(provider).delete_s(dn)
    take_stamps(provider, memory.consumers[0])
    run = memory.since()
    assert (run.code, what(run), found(run)) == (1, "changes", [("extra", dn, "new")]), "it was looked at again"


def test_an_entry_that_was_deleted_and_made_anew(memory: Memory) -> None:
    connection = with_admin(memory.provider)
    dn = unit(connection, "phoenix")
    for _ in range(2):
        take_stamps(memory.provider, memory.consumers[0])
        run = memory.since()
        assert found(run)[0][:2] == ("missing", dn)
        connection.delete_s(dn)
        unit(connection, "phoenix")


def test_an_entry_that_left_the_scope_and_stays_on_the_consumer(memory: Memory) -> None:
    """It is no part of the provider's changes, and no number of entries has changed."""
    scope = ("--filter", "(!(description=out))")
    assert memory.full(*scope).code == 0
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"out")
    take_stamps(memory.provider, memory.consumers[0])
    run = memory.since(*scope)
    assert (run.code, what(run), found(run)) == (1, "changes and list", [("extra", dn, "new")])


def test_an_entry_that_moved_out_of_the_base_and_stays_on_the_consumer(memory: Memory) -> None:
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    base = ("-b", dn.partition(",")[2])
    assert memory.full(*base).code == 0
    connection.rename_s(dn, dn.partition(",")[0], SUFFIX)
    take_stamps(memory.provider, memory.consumers[0])
    run = memory.since(*base)
    assert (run.code, what(run), found(run)) == (1, "changes and list", [("extra", dn, "new")])


@pytest.mark.parametrize("side", [0, 1])
def test_a_rename_on_one_side(slapd: SlapdFactory, tmp_path: Path, side: int) -> None:
    """Nothing is new on the other, and what is below has no new stamp on either."""
    provider = master(slapd)
    connection = with_admin(provider)
    unit(connection, "below", unit(connection, "branch"))
    consumer = twin(slapd, provider)
    memory = Memory(tmp_path / "state", provider, consumer)
    assert memory.full().code == 0
    with_admin((provider, consumer)[side]).rename_s(f"ou=branch,{SUFFIX}", "ou=twig")
    take_stamps(provider, consumer)
    run = memory.since()
    assert what(run) == "everything: an entry has another name on the consumer, and with it all that is below"
    name = ("twig", "branch")[side]
    assert found(run) == [("renamed", f"ou={name},{SUFFIX}", "new"), ("renamed", f"ou=below,ou={name},{SUFFIX}", "new")]
    again = memory.since()
    assert (again.code, what(again)) == (1, "changes")
    assert [since for _, _, since in found(again)] == ["known", "known"]


# -- when the changes are not enough ---------------------------------------------------------------------------------


def test_an_old_dump_under_a_new_stamp(memory: Memory) -> None:
    """Every entry of it is older than what was proven, and contextCSN is right."""
    provider, (consumer,) = memory.provider, memory.consumers
    connection = with_admin(provider)
    dn, gone = people(connection, 2)
    old = dump(consumer)
    connection = with_admin(provider)
    describe(connection, dn, b"newer")
    connection.delete_s(gone)
    new = dump(provider)
    consumer.stop()
    consumer.wipe()
    consumer.load([new])
    consumer.start()
    assert memory.full().code == 0
    another_second()
    consumer.stop()
    consumer.wipe()
    (csn,) = [line for line in new.splitlines() if line.startswith("contextCSN")]
    consumer.load([line + "\n" if not line.startswith("contextCSN") else csn + "\n" for line in old.splitlines()])
    consumer.start()
    run = memory.since()
    assert (run.code, what(run)) == (1, f"everything: the consumer {RESTARTED}")
    assert found(run) == [("differs", dn, "new"), ("extra", gone, "new")]


def test_a_provider_that_went_back(memory: Memory) -> None:
    provider, (consumer,) = memory.provider, memory.consumers
    old = provider.dump()
    dn = people(with_admin(provider), 1)[0]
    describe(with_admin(provider), dn, b"lost again")
    copy(provider, consumer, dn)
    take_stamps(provider, consumer)
    assert memory.since().code == 0
    another_second()
    provider.stop()
    provider.wipe()
    provider.load([old])
    provider.start()
    run = memory.since()
    assert (run.code, what(run)) == (1, f"everything: the provider {RESTARTED}")
    assert found(run) == [("differs", dn, "new")]


def csn(memory: Memory, *values: str) -> None:
    """Write another contextCSN."""
    texts = [value.encode() for value in values] or None
    with_admin(memory.consumers[0]).modify_s(SUFFIX, [(ldap.MOD_REPLACE, "contextCSN", texts)])


def one_more(memory: Memory) -> None:
    take_stamps(memory.provider, memory.consumers[0], stamp(5, 7))


def proof(memory: Memory) -> dict[str, Any]:
    (pair,) = json.loads(memory.state.read_text())["pairs"].values()
    return dict(pair["proof"])


def edit(memory: Memory, **change: Any) -> None:
    """Change what was proven."""
    document = json.loads(memory.state.read_text())
    (pair,) = document["pairs"].values()
    pair["proof"].update(change)
    memory.state.write_text(json.dumps(document))


def other_schema(memory: Memory) -> None:
    edit(memory, provider={**proof(memory)["provider"], "schema": "other"})


DOUBTS: list[tuple[Callable[[Memory], object], str]] = [
    (lambda m: csn(m, stamp(90000, 0)), "the contextCSN of the consumer went back (server ID 000)"),
    (csn, "the consumer shows no contextCSN"),
    (one_more, "the contextCSN of the consumer has a new server ID 007"),
    (lambda m: edit(m, at="2100-01-01T00:00:00+00:00"), "the clock of this machine went back"),
    (lambda m: edit(m, full="2001-01-01T00:00:00+00:00"), "the last comparison of everything is"),
    (other_schema, "the schema of the provider has changed"),
    (lambda m: m.state.write_text('{"schema": '), "nothing proven is remembered of this pair"),
    (lambda m: m.state.unlink(), "nothing proven is remembered of this pair"),
]


def test_doubts(memory: Memory) -> None:
    """One pair for all: each doubt is on top of a proof that is good again."""
    for change, why in DOUBTS:
        take_stamps(memory.provider, memory.consumers[0])
        assert what(memory.full()) == "everything"
        assert what(memory.since()) == "changes"
        change(memory)
        run = memory.since("--settle", "0")
        assert what(run).startswith(f"everything: {why}")
        assert run.code == 0, "nothing was wrong with the entries"


def test_another_scope_or_identity_is_another_comparison(memory: Memory) -> None:
    assert what(memory.since("-x", "description")) == FIRST
    assert what(memory.since("--filter", "(objectClass=person)")) == FIRST
    assert what(memory.since("--filter", "(objectClass=person)")).startswith("changes")


def test_another_pair_is_not_this_one(memory: Memory, slapd: SlapdFactory) -> None:
    other = twin(slapd, memory.provider)
    consumer = memory.consumers[0]
    assert memory.full().code == 0  # the dump restarted the provider
    memory.consumers = (consumer, other)
    first, second = memory.since().report["consumers"]
    assert (first["compared"]["what"], second["compared"]["what"]) == ("changes", "everything")
    assert [each["compared"]["what"] for each in memory.since().report["consumers"]] == ["changes", "changes"]


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_an_entry_that_hides_its_stamp(slapd: SlapdFactory, tmp_path: Path, side: str) -> None:
    """Its changes could never be looked for. On the consumer that alone is no difference where stamps do not count."""
    rules = (
        f'access to dn.regex="^uid=[^,]*1," attrs=entryCSN by dn.exact="{REPLICA}" none by * read',
        "access to * by * read",
    )
    ours, theirs = (rules, ()) if side == "provider" else ((), rules)
    words = ("-D", REPLICA, *(["-x", "entryCSN"] if side == "consumer" else []))
    provider = master(slapd, provider_conf(*ours))
    held = replica()
    with_admin(provider).add_s(held.dn, [(name, list(values)) for name, values in held.attributes.items()])
    memory = Memory(tmp_path / "state", provider, twin(slapd, provider, monitored(conf(*theirs))))
    assert memory.full(*words).code in (0, 1)
    assert "showed no entryCSN" in what(memory.since(*words))


def test_without_a_number_of_entries_they_are_listed(slapd: SlapdFactory, tmp_path: Path) -> None:
    provider = master(slapd, conf("overlay syncprov", modules=("syncprov",)))
    consumer = twin(slapd, provider, conf(f'updatedn "{ADMIN}"'))
    memory = Memory(tmp_path / "state", provider, consumer)
    assert memory.full().code == 0
    run = memory.since()
    assert (run.code, what(run)) == (0, "changes and list")
    assert run.consumer["entries"] == {"provider": COUNT, "consumer": COUNT, "equal": COUNT}
    connection = with_admin(provider)
    dn = people(connection, 1)[0]
    connection.delete_s(dn)
    take_stamps(provider, consumer)
    assert found(memory.since()) == [("extra", dn, "new")]


# -- one run and another ---------------------------------------------------------------------------------------------


def test_two_runs_at_once(memory: Memory) -> None:
    memory.provider.pause()
    try:
        first = start(memory)
        until(lambda: held_open(memory))
        second = memory.since()
    finally:
        memory.provider.resume()
    assert second.code == 3
    assert "already running" in second.err
    assert first.wait() == 0


def test_killed_in_the_middle(memory: Memory) -> None:
    """What was to be looked at then is looked at next time."""
    connection = with_admin(memory.provider)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"lost")
    take_stamps(memory.provider, memory.consumers[0])
    before = memory.state.read_text()
    memory.provider.pause()
    try:
        first = start(memory)
        until(lambda: held_open(memory))
        first.kill()
        first.wait()
    finally:
        memory.provider.resume()
    assert memory.state.read_text() == before
    run = memory.since()
    assert (what(run), found(run)) == ("changes", [("differs", dn, "new")])


def start(memory: Memory) -> subprocess.Popen[bytes]:
    words = [
        *command(memory.provider.ldap_uri, memory.consumers[0].ldap_uri),
        "--state",
        str(memory.state),
        "--since-last",
    ]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())


def held_open(memory: Memory) -> bool:
    """Somebody holds the lock. Whoever tried to take it would hold it, too, just when a run wants it."""
    lock = memory.state.with_name("state.lock")
    if not lock.exists():
        return False
    held = {line.split()[-3].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines()}
    return str(lock.stat().st_ino) in held


def test_a_run_that_could_not_read_proves_nothing(memory: Memory) -> None:
    provider, (consumer,) = memory.provider, memory.consumers
    connection = with_admin(provider)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"lost")
    take_stamps(provider, consumer)
    consumer.pause()
    try:
        run = memory.since("--timeout", "1")
        assert run.code == 3
    finally:
        consumer.resume()
    run = memory.since()
    assert (what(run), found(run)) == ("changes", [("differs", dn, "new")])


def test_the_state_holds_no_value_and_is_ours(memory: Memory) -> None:
    connection = with_admin(memory.consumers[0])
    dn = people(connection, 1)[0]
    describe(connection, dn, b"sensitive words")
    assert memory.since().code == 1
    text = memory.state.read_text()
    assert "description" in text
    assert "sensitive" not in text
    assert SECRET not in text
    assert memory.state.stat().st_mode & 0o777 == 0o600


# -- what it cannot see, as docs/verify.md says ------------------------------------------------------------------------


def test_blind_to_a_change_under_an_old_stamp_until_everything_is_compared(memory: Memory) -> None:
    (consumer,) = memory.consumers
    connection = with_admin(consumer)
    dn = people(connection, 1)[0]
    describe(connection, dn, b"rotten")
    copy(memory.provider, consumer, dn, "description")  # the stamps of the provider again
    run = memory.since()
    assert (run.code, what(run)) == (0, "changes")
    run = memory.since("--full-every", "0")
    assert (run.code, found(run)) == (1, [("differs", dn, "new")])


def test_blind_to_as_many_losses_on_both_sides_until_everything_is_compared(memory: Memory) -> None:
    (consumer,) = memory.consumers
    one, other = people(with_admin(consumer), 2)
    with_admin(memory.provider).delete_s(one)
    with_admin(consumer).delete_s(other)
    take_stamps(memory.provider, consumer)
    run = memory.since()
    assert (run.code, what(run)) == (0, "changes")
    run = memory.since("--full-every", "0")
    assert (run.code, found(run)) == (1, [("extra", one, "new"), ("missing", other, "new")])
