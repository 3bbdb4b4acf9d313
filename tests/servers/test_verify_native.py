"""Beside real syncrepl. The fears: lag that is called a divergence, a divergence that is called lag, and one that hides
behind equal contextCSNs.
"""

from __future__ import annotations

import itertools
import random
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ldap
import pytest
from replication import context, until, with_admin
from verifying import ADMIN, SECRET, Run, SlapdFactory, conf, filled, verify

from ldaprepl.domain.awkward import awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdproc import Slapd

Connection = Any  # python-ldap has no types
UNIT = {"objectClass": [b"organizationalUnit"]}
PERSON = {"objectClass": [b"inetOrgPerson"], "sn": [b"x"]}


def stanza(provider: Slapd, base: str = SUFFIX, *words: str) -> str:
    more = " ".join(words)
    return (
        f'syncrepl rid=001 provider={provider.ldap_uri} type=refreshAndPersist retry="1 +" searchbase="{base}"'
        f' bindmethod=simple binddn="{ADMIN}" credentials="{SECRET}" {more}'
    )


def master(make: SlapdFactory, *entries: Iterator[Entry]) -> Slapd:
    provider = make(conf("overlay syncprov", "syncprov-sessionlog 1000", modules=("syncprov",)))
    return filled(provider, itertools.chain(*entries))


def follower(make: SlapdFactory, provider: Slapd, *words: str) -> Slapd:
    consumer = make(conf(stanza(provider, SUFFIX, *words))).start()
    until(lambda: caught_up(provider, consumer))
    return consumer


def caught_up(provider: Slapd, consumer: Slapd) -> bool:
    return bool(context(consumer)) and context(consumer) == context(provider)


def kinds(run: Run) -> list[tuple[str, str, str]]:
    return [(finding["kind"], finding["dn"], finding["state"]) for finding in run.findings]


def add_unit(connection: Connection, name: str, parent: str = SUFFIX) -> str:
    dn = f"ou={name},{parent}"
    connection.add_s(dn, [*UNIT.items(), ("ou", [name.encode()])])
    return dn


def add_person(connection: Connection, name: str, parent: str = SUFFIX) -> str:
    dn = f"cn={name},{parent}"
    connection.add_s(dn, [*PERSON.items(), ("cn", [name.encode()])])
    return dn


def describe(connection: Connection, dn: str, text: bytes) -> None:
    connection.modify_s(dn, [(ldap.MOD_REPLACE, "description", [text])])


def test_a_filled_consumer_is_equal(slapd: SlapdFactory) -> None:
    provider = master(slapd, stamped(awkward(700)))
    run = verify(provider, follower(slapd, provider))
    assert run.code == 0
    assert run.consumer["entries"] == {"provider": 700, "consumer": 700, "equal": 700}
    assert run.consumer["notes"] == []
    csns = [csn.decode() for csn in context(provider)]
    assert run.report["provider"]["contextcsn"] == run.consumer["contextcsn"] == csns


@pytest.fixture
def pair(slapd: SlapdFactory) -> tuple[Slapd, Slapd]:
    """A provider and a consumer that has followed it so far."""
    provider = master(slapd, stamped(directory(60)))
    return provider, follower(slapd, provider)


def unfollow(consumer: Slapd) -> None:
    """The consumer keeps what it has, contextCSN included, and hears no more."""
    consumer.stop()
    consumer.configure(conf())


def test_a_consumer_that_hears_no_more_is_behind(pair: tuple[Slapd, Slapd]) -> None:
    provider, consumer = pair
    admin = with_admin(provider)
    gone, kept = (add_person(admin, name) for name in ("gone", "kept"))
    until(lambda: caught_up(provider, consumer))
    unfollow(consumer)
    consumer.start()
    assert verify(provider, consumer).code == 0
    admin.delete_s(gone)
    describe(admin, kept, b"changed")
    new = add_person(admin, "new")
    moved = add_unit(admin, "moved")
    admin.rename_s("ou=Sales,ou=people," + SUFFIX, "ou=Selling")
    run = verify(provider, consumer, "--settle", "0.2")
    assert run.code == 4
    assert run.report["verdict"] == "behind"
    found = kinds(run)
    assert {state for _, _, state in found} == {"behind"}
    assert {("extra", gone, "behind"), ("differs", kept, "behind"), ("missing", new, "behind")} < set(found)
    assert ("missing", moved, "behind") in found
    assert ("renamed", f"ou=Selling,ou=people,{SUFFIX}", "behind") in found
    text = verify(provider, consumer, "--settle", "0", "--format", "text")
    assert text.out.startswith("BEHIND: ")


def test_what_time_cannot_mend_is_found_on_a_consumer_that_is_behind(pair: tuple[Slapd, Slapd]) -> None:
    """It says that it has a change which it has not: that is no lag, however far behind it is."""
    provider, consumer = pair
    admin = with_admin(provider)
    wrong = add_person(admin, "wrong")
    until(lambda: caught_up(provider, consumer))
    unfollow(consumer)
    text = consumer.dump()
    consumer.wipe()
    consumer.load([re.sub(r"(dn: cn=wrong,(?:.+\n)+?sn: )x", r"\1other", text)])
    consumer.start()
    describe(admin, add_unit(admin, "later"), b"changed")
    run = verify(provider, consumer)
    assert run.code == 1
    assert sorted(kinds(run)) == [("differs", wrong, "lasting"), ("missing", f"ou=later,{SUFFIX}", "behind")]


def test_values_alone_differ_and_every_stamp_is_equal(pair: tuple[Slapd, Slapd]) -> None:
    """A changed dump, loaded again: entryCSN and contextCSN agree, and a check by stamps sees nothing."""
    provider, consumer = pair
    consumer.stop()
    text = consumer.dump()
    changed = text.replace("loginShell: /bin/bash", "loginShell: /bin/sh", 1)
    assert changed != text
    consumer.wipe()
    consumer.load([changed])
    consumer.start()
    until(lambda: caught_up(provider, consumer))
    run = verify(provider, consumer, "--settle", "20")
    assert run.code == 1
    (finding,) = run.findings
    assert (finding["kind"], finding["state"]) == ("differs", "lasting")
    assert finding["attributes"] == [{"name": "loginShell", "provider": ["/bin/bash"], "consumer": ["/bin/sh"]}]


def test_writes_behind_the_consumers_back_stay_and_are_found(pair: tuple[Slapd, Slapd]) -> None:
    """slapadd and slapmodify on a stopped consumer: contextCSN is equal afterwards, and later writes mend nothing."""
    provider, consumer = pair
    admin = with_admin(provider)
    mended = add_person(admin, "mended")
    until(lambda: caught_up(provider, consumer))
    consumer.stop()
    consumer.load([f"dn: ou=local,{SUFFIX}\nobjectClass: organizationalUnit\nou: local\n\n"], quick=False)
    people = f"ou=people,{SUFFIX}"
    for dn in (people, mended):
        consumer.modify_offline(f"dn: {dn}\nchangetype: modify\nreplace: description\ndescription: local\n\n")
    consumer.start()
    describe(admin, f"ou=groups,{SUFFIX}", b"later")
    describe(admin, mended, b"later")
    until(lambda: caught_up(provider, consumer))
    run = verify(provider, consumer, "--settle", "20")
    assert run.code == 1
    # slapmodify of 2.5 gives an entry another entryUUID too
    assert {(dn, state) for _, dn, state in kinds(run)} == {(f"ou=local,{SUFFIX}", "lasting"), (people, "lasting")}


def test_suffixmassage(slapd: SlapdFactory) -> None:
    """The consumer holds the tree under another name, in DNs and in values that are DNs."""
    copy = "o=Copy\\2C Inc,c=de"
    provider = master(slapd, stamped(awkward(300)))
    words = stanza(provider, SUFFIX, 'suffixmassage="o=Copy\\\\2C Inc,c=de"')
    consumer = slapd(conf(words, suffix=copy)).start()

    def stamps() -> list[bytes]:
        try:
            found = ldap.initialize(consumer.ldap_uri).search_s(copy, ldap.SCOPE_BASE, attrlist=["contextCSN"])
        except ldap.NO_SUCH_OBJECT:
            return []
        return list(found[0][1].get("contextCSN", []))

    until(lambda: stamps() == context(provider) != [])
    options = ["--consumer-bind-dn", consumer.rootdn]
    secret = {"LDAPREPL_CONSUMER_PASSWORD": SECRET}
    for name in (copy, "O=copy\\, inc , C=DE"):
        run = verify(provider, consumer, *options, "--suffixmassage", name, env=secret)
        assert (run.code, run.findings) == (0, [])
        assert run.consumer["entries"]["equal"] == 300
    consumer.stop()
    consumer.configure(conf(suffix=copy))
    consumer.start()
    admin = ldap.initialize(consumer.ldap_uri)
    admin.simple_bind_s(consumer.rootdn, SECRET)
    extra = add_unit(admin, "extra", copy)
    describe(admin, f"ou=awkward,{copy}", b"changed")
    run = verify(provider, consumer, *options, "--suffixmassage", copy, env=secret)
    found = {(f["kind"], f["dn"].lower(), f["consumer_dn"].lower()) for f in run.findings}
    extra, changed, there = (dn.lower() for dn in (extra, f"ou=awkward,{SUFFIX}", f"ou=awkward,{copy}"))
    assert found == {("extra", extra, extra), ("differs", changed, there)}


# -- under writes ------------------------------------------------------------------------------------------------------

Writer = Callable[[Connection, str, random.Random], Iterator[None]]


def everything(admin: Connection, top: str, chance: random.Random) -> Iterator[None]:
    """Adds, changes, deletes and renames of single entries."""
    live: list[str] = []
    for number in itertools.count():
        roll = chance.random()
        if roll < 0.3 or len(live) < 5:
            live.append(add_person(admin, f"n{number}", top))
        elif roll < 0.6:
            describe(admin, chance.choice(live), b"%d" % number)
        elif roll < 0.8:
            admin.delete_s(live.pop(chance.randrange(len(live))))
        else:
            admin.rename_s(live.pop(chance.randrange(len(live))), f"cn=r{number}")
            live.append(f"cn=r{number},{top}")
        yield


def containers(admin: Connection, top: str, chance: random.Random) -> Iterator[None]:
    """A container that changes its name to and fro: what is below moves, and no stamp of it tells."""
    name, other = "ou=there", "ou=back"
    here = add_unit(admin, "there", top)
    for number in range(20):
        add_person(admin, f"leaf {number}", here)
    while True:
        admin.rename_s(f"{name},{top}", other)
        name, other = other, name
        yield


class Storm:
    """Writes that go on until the block ends."""

    def __init__(self, provider: Slapd, writer: Writer, number: int) -> None:
        self._admin = with_admin(provider)
        self._stop = threading.Event()
        self.writes = 0
        top = add_unit(self._admin, f"storm {number}")
        self._work = writer(self._admin, top, random.Random(number))
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for _ in self._work:
            self.writes += 1
            if self._stop.is_set():
                return

    def __enter__(self) -> Storm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.parametrize("writer", [everything, containers])
def test_a_storm_of_writes_makes_no_finding(pair: tuple[Slapd, Slapd], writer: Writer) -> None:
    provider, consumer = pair
    with Storm(provider, writer, 1) as one, Storm(provider, writer, 2) as two:
        for _ in range(3):
            before = one.writes + two.writes
            run = verify(provider, consumer, "--settle", "2")
            assert run.code in (0, 4), run.findings
            assert "lasting" not in {finding["state"] for finding in run.findings}
            assert one.writes + two.writes > before + 10, "the storm went on"
    until(lambda: caught_up(provider, consumer))
    assert verify(provider, consumer, "--settle", "20").code == 0


def test_a_storm_of_writes_hides_no_finding(pair: tuple[Slapd, Slapd]) -> None:
    """One lasting difference of each side's own among all the lag."""
    provider, consumer = pair
    consumer.stop()
    text = consumer.dump()
    lost = re.findall(r"^dn: (uid=.+)$", text, re.MULTILINE)[-1]
    changed = re.sub(rf"dn: {re.escape(lost)}\n(?:.+\n)+\n", "", text)
    extra = f"dn: ou=local,{SUFFIX}\nobjectClass: organizationalUnit\nou: local\nentryCSN: {_EARLY}\n\n"
    consumer.wipe()
    consumer.load([changed.replace("loginShell: /bin/bash", "loginShell: /bin/sh", 1), extra])
    consumer.start()
    with Storm(provider, everything, 1), Storm(provider, containers, 2):
        run = verify(provider, consumer, "--settle", "10")
    lasting = {(kind, dn) for kind, dn, state in kinds(run) if state == "lasting"}
    first = re.findall(r"^dn: (uid=.+)$", text, re.MULTILINE)[0]
    assert lasting == {("missing", lost), ("extra", f"ou=local,{SUFFIX}"), ("differs", first)}
    assert run.code == 1


_EARLY = "20240101000000.000000Z#000000#000#000000"
