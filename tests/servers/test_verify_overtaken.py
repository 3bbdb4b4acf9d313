"""Bulk reads that are overtaken by a container that changes its name. The fear: an entry that is wrong, and that
neither side's answer has, or has under a name that is gone when it is looked at again, so that it passes for equal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ldap
import pytest
from remembering import Memory, copy, describe, dump, monitored, settled, take_stamps, twin, what
from replication import with_admin
from test_verify_native import stanza
from verifying import REPLICA, SECRET, Relay, SlapdFactory, conf, filled, replica, verify

from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import IncompleteRead
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.stream import open_stream

MANY, LARGE = 1200, 10_000  # entries, bytes of each: far more than fits into the sockets on the way
READ = 2_000_000  # bytes of the answer that the slow reader has read by then
WRONG = range(7, MANY, 99)  # on the consumer; all of them in the container that will be renamed
UNIT = (b"organizationalUnit",)


def entries() -> Iterator[Entry]:
    yield Entry(SUFFIX, {"objectClass": (b"domain",), "dc": (b"example",)})
    for name in (b"other", b"last", b"people"):
        yield Entry(f"ou={name.decode()},{SUFFIX}", {"objectClass": UNIT, "ou": (name,)})
    for number in range(MANY):
        name = b"p%d" % number
        held = {"objectClass": (b"inetOrgPerson",), "uid": (name,), "cn": (name,), "sn": (b"right",)}
        held["description"] = (name * (LARGE // len(name)),)
        yield Entry(f"uid=p{number},ou={'people' if number % 3 else 'last'},{SUFFIX}", held)


def spoiled(text: str) -> str:
    for number in WRONG:
        head, name, rest = text.partition(f"dn: uid=p{number},")
        text = head + name + rest.replace("sn: right", "sn: wrong", 1)
    return text


@pytest.fixture
def pair(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    provider = first(slapd)
    return provider, follower(slapd, provider)


def first(make: SlapdFactory) -> Slapd:
    provider = filled(make(conf("overlay syncprov", modules=("syncprov",))), stamped(entries()))
    describe(with_admin(provider), SUFFIX, b"x")
    return provider


def follower(make: SlapdFactory, provider: Slapd) -> Slapd:
    """A native consumer that has entries with other values than its provider, and all its stamps."""
    consumer = make(conf(stanza(provider)))
    consumer.load([spoiled(dump(provider))])
    consumer.start()
    settled(provider, consumer)
    return consumer


def rename(server: Slapd) -> None:
    with_admin(server).rename_s(f"ou=people,{SUFFIX}", "ou=folk", f"ou=other,{SUFFIX}")


def renamed(provider: Slapd, *consumers: Slapd) -> None:
    """All have it when this comes back."""
    rename(provider)
    for consumer in consumers:
        settled(provider, consumer)


@contextmanager
def slow(*servers: Slapd, then: Callable[[], None]) -> Iterator[list[str]]:
    """Ways to servers that stop while all of them are in the middle of a long answer, and something happens."""
    met = threading.Barrier(len(servers), then)
    with ExitStack() as opened:
        ways = [Relay(each, READ, lambda: met.wait(60) and None, goes_on=True) for each in servers]
        yield [opened.enter_context(way).uri for way in ways]


def wrong(kind: str = "differs") -> list[tuple[str, str, str]]:
    return sorted((kind, f"uid=p{number},ou=folk,ou=other,{SUFFIX}", "lasting") for number in WRONG)


def states(consumer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((each["kind"], each["dn"], each["state"]) for each in consumer["findings"])


@pytest.mark.parametrize("mode", [(), ("--mesh",)])
def test_what_neither_side_sent_is_compared(pair: tuple[Slapd, Slapd], mode: tuple[str, ...]) -> None:
    with slow(*pair, then=lambda: renamed(*pair)) as (provider, consumer):
        run = verify(provider, consumer, "--settle", "10", *mode)
    assert (run.code, run.states) == (1, wrong())
    assert "1 container was changed on " in run.consumer["notes"][0]


def test_several_consumers(slapd: SlapdFactory) -> None:
    """Where an entry was deleted before, slapd goes through the tree, and sends what was renamed twice, or under names
    that never were."""
    master = first(slapd)
    with_admin(master).delete_s(f"uid=p0,ou=last,{SUFFIX}")
    servers = (master, follower(slapd, master), follower(slapd, master))
    with slow(*servers, then=lambda: renamed(*servers)) as (provider, *consumers):
        run = verify(provider, consumers, "--settle", "10")
    assert run.code == 1
    assert [states(consumer) for consumer in run.report["consumers"]] == [wrong(), wrong()]


@pytest.mark.parametrize("kept", [True, False])
def test_servers_without_contextcsn(slapd: SlapdFactory, kept: bool) -> None:
    """Containers are known by their names. With none to be renamed nothing is said."""
    provider = filled(slapd(conf()), stamped(entries()))
    consumer = slapd(conf())
    consumer.load([spoiled(dump(provider))])
    consumer.start()

    def both() -> None:
        for server in (provider, consumer):
            rename(server)

    with slow(provider, consumer, then=(lambda: None) if kept else both) as ways:
        run = verify(*ways, "-x", "entryCSN", "-x", "modifyTimestamp")
    assert run.code == 1
    assert len(run.findings) == len(WRONG)
    assert ("container" in " ".join(run.consumer["notes"])) is not kept


def test_since_last(slapd: SlapdFactory, tmp_path: Path) -> None:
    """What is read again is what has a young stamp: all that was just loaded."""
    provider = filled(slapd(monitored(conf("overlay syncprov", modules=("syncprov",)))), entries())
    describe(with_admin(provider), SUFFIX, b"x")
    consumer = twin(slapd, provider)
    armed: list[bool] = []

    def both() -> None:
        if armed:
            for server in (provider, consumer):
                rename(server)
            copy(provider, consumer, f"ou=folk,ou=other,{SUFFIX}", "ou")
            take_stamps(provider, consumer)

    with slow(provider, consumer, then=both) as ways:
        memory = Memory(tmp_path / "state", *ways)
        assert memory.since().code == 0
        for number in WRONG:
            dn = f"uid=p{number},ou=people,{SUFFIX}"
            with_admin(consumer).modify_s(dn, [(ldap.MOD_REPLACE, "sn", [b"wrong"])])
            copy(provider, consumer, dn, "sn")
        armed.append(True)
        run = memory.since()
    assert what(run).startswith("changes")
    assert (run.code, run.states) == (1, wrong())


def test_a_part_of_the_containers_is_not_all_of_them(slapd: SlapdFactory) -> None:
    """What a limit cut off may hold the one that was renamed."""
    provider = filled(slapd(conf(sizelimit="1")), [*stamped(directory(20)), replica()])
    with open_stream(Endpoint(provider.ldap_uri, Simple(REPLICA, Secret(SECRET)))) as stream:
        for since in (None, datetime(2020, 1, 1, tzinfo=UTC)):
            with pytest.raises(IncompleteRead, match="size limit"):
                LdapDirectory(stream).containers(SUFFIX, since)


def test_who_may_not_search_for_containers_is_told(slapd: SlapdFactory) -> None:
    """An empty answer would mean that nothing was renamed."""
    rules = (f'access to attrs=hasSubordinates by dn.exact="{REPLICA}" none by * read', "access to * by * read")
    provider = filled(slapd(conf(*rules)), [*stamped(directory(20)), replica()])
    long_ago, never = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2100))
    for who in (provider.rootdn, REPLICA):
        with open_stream(Endpoint(provider.ldap_uri, Simple(who, Secret(SECRET)))) as stream:
            held = LdapDirectory(stream)
            found = [held.containers(SUFFIX, since) for since in (None, long_ago, never)]
        if who == REPLICA:
            assert found == [None, None, None]
        else:
            assert found[0] and found[0] == found[1] and found[2] == []
