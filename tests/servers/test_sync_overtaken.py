"""Answers that are overtaken by changes, above all in a first fill, which writes while it reads. The fear: half an
answer that passes for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import ldap
import pytest
import synclab
from conftest import SlapdFactory
from synclab import (
    BASE,
    SESSION_LOG,
    SYNCPROV,
    Lab,
    add_person,
    add_unit,
    consumer_conf,
    enlarge,
    provider_conf,
    seed,
)

from ldaprepl import firstfill, scan
from ldaprepl import seed as seeding
from ldaprepl.domain.change import MaxDelete
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.refresh import Outcome, Refresh
from ldaprepl.domain.syncrun import Listed, Settings
from ldaprepl.errors import IncompleteRead, ServerUnavailable
from ldaprepl.wire import provider
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.provider import Provider, Refreshing
from ldaprepl.wire.seedsource import StreamedScope
from ldaprepl.wire.session import Message, Result, open_session
from ldaprepl.wire.stream import open_stream

STAMPED = "objectclass ( 1.3.6.1.4.1.55555.9.1 NAME 'labStamped' SUP top AUXILIARY MAY description )"
MANY = 3000  # entries: far more than is read ahead
TIME_LIMIT = 3


class Spectator:
    """Does something once, when so many entries are written."""

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        self.at, self.action = at, action

    def phase(self, name: str, total: int | None = None) -> None: ...

    def advance(self, done: int) -> None:
        if done >= self.at:
            self.at = MANY * 10
            self.action()


@pytest.fixture
def lab(slapd: SlapdFactory, tmp_path: Path) -> Lab:
    made = Lab(slapd(provider_conf(SESSION_LOG)).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    return made


@pytest.fixture(autouse=True)
def long_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The few entries of these tests are a long answer already."""
    monkeypatch.setattr(firstfill, "_LONG", 5)


def held(made: Lab) -> int:
    try:
        return len(made.dump(made.consumer))
    except ldap.NO_SUCH_OBJECT:
        return 0


def test_children_that_come_before_their_parents(lab: Lab) -> None:
    """slapd sends entries in the order in which they were made, wherever they have moved since."""
    master = lab.admin()
    for name in ("later", "last"):
        add_unit(master, f"ou={name},{BASE}")
    add_unit(master, f"ou=inner,ou=last,{BASE}")
    master.rename_s(f"ou=people,{BASE}", "ou=people", f"ou=inner,ou=last,{BASE}")
    master.rename_s(f"ou=groups,{BASE}", "ou=groups", f"ou=later,{BASE}")
    master.rename_s(f"uid=p1,ou=people,ou=inner,ou=last,{BASE}", "uid=people", BASE)
    report = lab.sync()
    assert report.tally.added == 12 and not report.refusals
    lab.assert_equal()


def test_the_provider_dies_in_the_middle(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had come stays, nothing says that it was all, and the next run brings the rest."""
    enlarge(lab.admin(), MANY)
    with monkeypatch.context() as patched:
        patched.setattr(synclab, "Fuse", lambda _: Spectator(20, lab.provider.kill))
        with pytest.raises(ServerUnavailable, match="broke off") as caught:
            lab.sync()
    assert "What was done so far stays" in caught.value.cure
    assert 20 <= held(lab) < MANY
    assert lab.contextcsn(lab.consumer) == []
    lab.provider.start()
    report = lab.sync()
    assert "cut off" in " ".join(report.notes)
    assert 0 < report.tally.added < MANY and report.tally.deleted == 0
    lab.assert_equal()
    assert lab.contextcsn(lab.consumer) == lab.contextcsn(lab.provider)


def test_an_answer_without_an_end_is_not_taken_for_whole(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit, say: it strikes when the list of all entries has long come."""
    end = Refreshing._end
    with monkeypatch.context() as patched:
        patched.setattr(Refreshing, "_end", lambda self, _, number: end(self, Result(TIME_LIMIT), number))
        with pytest.raises(IncompleteRead, match="3 timeLimitExceeded") as caught:
            lab.sync()
    assert caught.value.cure.startswith("9 entries had come before and stay; the next run goes on.")
    assert "limits" in caught.value.cure and "Nothing was changed" not in caught.value.cure
    assert lab.contextcsn(lab.consumer) == []
    assert "cut off" in " ".join(lab.sync().notes)
    lab.assert_equal()


def test_a_short_answer_that_breaks_off_changes_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    end = Refreshing._end
    monkeypatch.setattr(firstfill, "_LONG", 100)
    monkeypatch.setattr(Refreshing, "_end", lambda self, _, number: end(self, Result(TIME_LIMIT), number))
    with pytest.raises(IncompleteRead, match="3 timeLimitExceeded"):
        lab.sync()
    assert held(lab) == 0


def test_a_base_that_the_consumer_refuses(slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its schema lacks a class: nothing can be written below, and the answer is read to its end all the same."""
    conf = provider_conf(SESSION_LOG)
    made = Lab(slapd(replace(conf, lines=(*conf.lines, STAMPED))).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    made.admin().modify_s(BASE, [(ldap.MOD_ADD, "objectClass", b"labStamped")])
    for long in (5, 500):  # with and without writing before the end
        monkeypatch.setattr(firstfill, "_LONG", long)
        report = made.sync()
        assert [refusal.reason[:3] for refusal in report.refusals] == ["21 ", *["the"] * 8]
        assert report.tally.added == 0
    assert held(made) == 0
    made.admin().modify_s(BASE, [(ldap.MOD_DELETE, "objectClass", b"labStamped")])
    assert not made.sync().refusals
    made.assert_equal()


def test_an_entry_that_comes_twice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was changed behind the reader: its older version is in what is written first."""
    feed = provider._feed

    def twice(machine: Refresh, message: Message) -> tuple[str, Entry | None]:
        uuid, entry = feed(machine, message)
        if entry is not None and entry.dn == f"ou=people,{BASE}":
            csn = entry.values("entryCSN")[0].replace(b"20", b"19", 1)
            older = Entry(entry.dn, {**entry.attributes, "entryCSN": (csn,), "description": (b"older",)})
            machine.entry(uuid, older)
            waiting.append((uuid, entry))
            return uuid, older
        if waiting and entry is not None and entry.dn == f"uid=p0,ou=people,{BASE}":
            machine.entry(*waiting.pop())
        return uuid, entry

    waiting: list[tuple[str, Entry]] = []
    monkeypatch.setattr(provider, "_feed", twice)
    lab.sync()
    lab.assert_equal()


def test_what_changes_meanwhile(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the answer does not fit its beginning: a container has another name, entries moved and went."""
    enlarge(lab.admin(), MANY)

    def change() -> None:
        master = lab.admin()
        master.rename_s(f"ou=people,{BASE}", "ou=folk", f"ou=other,{BASE}")
        master.delete_s(f"uid=p0,ou=folk,ou=other,{BASE}")
        master.delete_s(f"uid=large{MANY - 1},ou=folk,ou=other,{BASE}")
        add_person(master, f"uid=p0,ou=folk,ou=other,{BASE}")
        master.rename_s(f"uid=large{MANY - 2},ou=folk,ou=other,{BASE}", "uid=away", f"ou=groups,{BASE}")
        master.modify_s(f"uid=p1,ou=folk,ou=other,{BASE}", [(ldap.MOD_REPLACE, "description", [b"new"])])

    with monkeypatch.context() as patched:
        patched.setattr(synclab, "Fuse", lambda _: Spectator(10, change))
        lab.sync()
    assert held(lab) >= MANY
    lab.sync()
    lab.assert_equal()


@pytest.mark.parametrize("overlay", [SESSION_LOG, SYNCPROV])
def test_an_answer_that_slapd_cuts_without_a_word_deletes_nothing(
    slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlay: tuple[str, ...]
) -> None:
    """A search whose client is slow misses what is below a container that is renamed meanwhile, and ends with 0."""
    made = Lab(slapd(provider_conf(overlay)).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    enlarge(made.admin(), MANY)
    made.sync()
    master = made.admin()
    for number in range(MANY):
        master.modify_s(f"uid=large{number},ou=people,{BASE}", [(ldap.MOD_REPLACE, "title", [b"x"])])
    with monkeypatch.context() as patched:
        rename = lambda: master.rename_s(f"ou=people,{BASE}", "ou=folk", f"ou=other,{BASE}")  # noqa: E731
        patched.setattr(synclab, "Fuse", lambda _: Spectator(200, rename))
        report = made.sync(Settings(max_delete=MaxDelete(100.0)))
    assert report.tally.deleted == 0
    if report.tally.modified == MANY:
        pytest.skip("this slapd has sent everything")
    report = made.sync(Settings(max_delete=MaxDelete(100.0), audit=None))
    assert "had not sent" in " ".join(report.notes)
    made.assert_equal()


@pytest.mark.parametrize("asked_by_uuid", [1000, 0])
def test_a_list_without_an_entry_is_not_believed_at_once(
    slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked_by_uuid: int
) -> None:
    made = Lab(slapd(provider_conf(())).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    made.sync()
    whole, calls = Provider.listing, []

    def listing(self: Provider) -> Iterator[Listed]:
        calls.append(self)
        return (each for each in whole(self) if len(calls) > 1 or not each.dn.startswith("uid=p"))

    monkeypatch.setattr(scan, "_ASK_AT_MOST", asked_by_uuid)
    monkeypatch.setattr(Provider, "listing", listing)
    assert made.sync(Settings(max_delete=MaxDelete(100.0))).tally.deleted == 0
    assert len(calls) == (1 if asked_by_uuid else 2)
    made.assert_equal()


def test_a_refresh_without_an_entry_is_not_believed_at_once(
    slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is there, and has changed: it neither goes nor stays as it was."""
    made = Lab(slapd(provider_conf(SYNCPROV)).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    made.sync()
    for number in range(2):
        made.admin().modify_s(f"uid=p{number},ou=people,{BASE}", [(ldap.MOD_REPLACE, "title", [b"x"])])
    whole = Provider.refresh

    def refresh(*given: object) -> Outcome:
        outcome = whole(*given)  # type: ignore[arg-type]  # passed on as it is
        (left_out,) = (uuid for uuid, entry in outcome.received.items() if entry.dn.startswith("uid=p0"))
        received = {uuid: entry for uuid, entry in outcome.received.items() if uuid != left_out}
        return replace(outcome, received=received, keep=outcome.keep - {left_out})

    monkeypatch.setattr(Provider, "refresh", refresh)
    report = made.sync(Settings(max_delete=MaxDelete(100.0)))
    assert (report.tally.deleted, report.tally.modified) == (0, 2)
    made.assert_equal()


def test_what_had_to_wait_for_the_audit_is_not_refused(
    slapd: SlapdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer holds a new entry, and not that the old one of this name has gone elsewhere."""
    made = Lab(slapd(provider_conf(SYNCPROV)).start(), slapd(consumer_conf()).start(), tmp_path)
    seed(made.admin())
    made.sync()
    made.admin().rename_s(f"uid=p0,ou=people,{BASE}", "uid=old")
    add_person(made.admin(), f"uid=p0,ou=people,{BASE}")
    whole = Provider.refresh

    def refresh(*given: object) -> Outcome:
        outcome = whole(*given)  # type: ignore[arg-type]  # passed on as it is
        received = {key: entry for key, entry in outcome.received.items() if not entry.dn.startswith("uid=old")}
        return replace(outcome, received=received, keep=outcome.keep | outcome.received.keys())

    monkeypatch.setattr(Provider, "refresh", refresh)
    report = made.sync(Settings(audit=0.0))
    assert not report.refusals and (report.tally.added, report.tally.renamed) == (1, 1)
    made.assert_equal()


@pytest.mark.parametrize("way", ["sync --to-ldif", "init-consumer --seed"])
def test_a_seed_with_gaps_is_none(lab: Lab, way: str) -> None:
    """Nobody would ever find them again: a consumer asks for what is newer than its contextCSN."""
    enlarge(lab.admin(), MANY)
    master = lab.admin()
    spectator = Spectator(200, lambda: master.rename_s(f"ou=people,{BASE}", "ou=folk", f"ou=other,{BASE}"))
    endpoint = Endpoint(lab.provider.ldap_uri, Simple(lab.provider.rootdn, lab.provider.rootpw))
    schema = Schema.EMPTY
    try:
        if way == "sync --to-ldif":
            with open_session(endpoint) as session:
                entries = list(seeding.seed(Provider(session, lab.scope), lab.scope, schema, spectator).entries)
        else:
            with open_stream(endpoint) as stream:
                source = StreamedScope(stream, lab.scope, seeding.SEEDED)
                entries = list(seeding.seed(source, lab.scope, schema, spectator, native=True).entries)
    except IncompleteRead as error:
        assert "was changed while it was read" in error.message
    else:
        assert len(entries) >= MANY
