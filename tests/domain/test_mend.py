"""Repairs against a model server: whatever the two trees are, the changes are legal in their order and make them equal.

The server here thinks otherwise than the planner: it holds entries by DN and refuses as LDAP does; a rename moves the
naming values as RFC 4511, section 4.9, says, and puts the server's own stamp.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model import Model, Refused

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Add, Change, Delete, Modify, Rename, Translation
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.mend import (
    Case,
    changes_class,
    lay_out,
    records,
    remedy,
    shown_secrets,
    unrepairable,
    writable,
)
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.tree import Naming
from ldaprepl.domain.verdict import Finding, Kind

BASE = "dc=lab"
_TEXT = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
_STAMP = "EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 USAGE directoryOperation"
_TEXTS, _STAMPS = ((3, "cn"), (11, "ou"), (25, "dc"), (13, "description")), ("entryUUID", "entryCSN", "modifiersName")
SCHEMA = Schema.parse(
    [
        *(f"( 2.5.4.{number} NAME '{name}' {_TEXT} )" for number, name in _TEXTS),
        *(f"( 1.2.{number} NAME '{name}' {_STAMP} )" for number, name in enumerate(_STAMPS)),
        "( 2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )",
    ]
)
SCOPE = ReplicationScope(BASE)
NAMING = Naming(SCHEMA, BASE)
COMPARER = Comparer(SCHEMA, SCOPE, lambda frame: (frame, ()), lambda values: ())


class Server(Model):
    """Entries with attributes, by key."""

    def __init__(self) -> None:
        super().__init__(BASE)
        self.attributes: dict[str, dict[str, set[bytes]]] = {}

    def twin(self) -> Server:
        other = Server()
        other.held = self.copy().held
        other.attributes = {k: {n: set(v) for n, v in a.items()} for k, a in self.attributes.items()}
        return other

    def entries(self) -> list[Entry]:
        return [
            Entry(dn, {name: tuple(sorted(values)) for name, values in self.attributes[key].items()})
            for dn, key, _ in self.held.values()
        ]

    def _key(self, dn: str) -> str:
        if dn.lower() not in self.held:
            raise Refused(f"32 {dn}")
        return self.held[dn.lower()][1]

    def carry_out(self, change: Change) -> None:
        match change:
            case Add():
                key = f"{change.key}@{len(self.attributes)}"
                self.add(change.dn, key)
                self.attributes[key] = {name: set(values) for name, values in change.attributes.items()}
            case Delete():
                self.delete(change.dn)
            case Rename():
                key = self._key(change.dn)
                self.rename(change.dn, change.rdn, change.superior)
                self._rename_values(self.attributes[key], change)
            case Modify():
                self._modify(self.attributes[self._key(change.dn)], change)

    def _rename_values(self, held: dict[str, set[bytes]], change: Rename) -> None:
        if change.delete_old:
            for name, value in names.parse(names.split(change.dn)[0])[0]:
                held[name] = {each for each in held.get(name, set()) if each.lower() != value.lower()}
        for name, value in names.parse(change.rdn)[0]:
            held[name] = {each for each in held.get(name, set()) if each.lower() != value.lower()} | {value}
        held["entryCSN"] = {b"the server's own"}

    def _modify(self, held: dict[str, set[bytes]], change: Modify) -> None:
        for mod in change.mods:
            now = held.get(mod.name, set())
            match mod.how:
                case "replace":
                    held[mod.name] = set(mod.values)
                case "add":
                    assert not now & set(mod.values)
                    held[mod.name] = now | set(mod.values)
                case "delete":
                    assert now
                    assert now >= set(mod.values)
                    held[mod.name] = now - set(mod.values) if mod.values else set()
            if not held[mod.name]:
                del held[mod.name]


class Hand:
    """Somebody who writes at random."""

    def __init__(self, seed: int, server: Server, prefix: str) -> None:
        self.random, self.server, self.prefix, self.number = random.Random(seed), server, prefix, 0

    def add(self, dn: str) -> None:
        self.number += 1
        key = f"{self.prefix}{self.number}"
        self.server.add(dn, key)
        ((name, value),) = names.parse(names.split(dn)[0])[0]
        self.server.attributes[key] = {name: {value}, "entryUUID": {key.encode()}, "entryCSN": {key.encode()}}

    def step(self) -> None:
        dns = [value[0] for value in self.server.held.values()]
        dn, other = self.random.choice(dns), self.random.choice(dns)
        name = f"ou={self.random.choice('abcdeAB')}"
        try:
            match self.random.randrange(8):
                case 0 | 1:
                    self.add(f"{name},{dn}")
                case 2 if dn.lower() != BASE:
                    for each in [*sorted(self.server.below(dn), key=len, reverse=True), dn.lower()]:
                        self.server.delete(each)
                case 3 | 4 if dn.lower() != BASE:
                    self._rename(dn, name, "")
                case 5 if dn.lower() != BASE:
                    self._rename(dn, dn.split(",")[0], other)
                case 6:
                    held = self.server.attributes[self.server.held[dn.lower()][1]]
                    held["description"] = {self.random.choice((b"one", b"two", b"three"))}
                case 7 if dn.lower() != BASE:
                    self.server.attributes[self.server.held[dn.lower()][1]]["entryUUID"] = {
                        f"{self.prefix}{dn}".encode()
                    }
        except Refused:
            pass

    def _rename(self, dn: str, rdn: str, superior: str) -> None:
        key = self.server.held[dn.lower()][1]
        stamp = set(self.server.attributes[key]["entryCSN"])
        self.server.carry_out(Rename(key, "", dn, rdn, superior, self.random.random() < 0.7))
        if self.random.random() < 0.3:  # offline tools keep the stamp
            self.server.attributes[key]["entryCSN"] = stamp
            return
        self.number += 1
        self.server.attributes[key]["entryCSN"] = {f"{self.prefix}csn{self.number}".encode()}


def cases_of(provider: Iterable[Entry], consumer: Iterable[Entry]) -> list[Case]:
    ours, theirs = ({entry.dn: entry for entry in side} for side in (provider, consumer))
    found = [divergence.finding for divergence in COMPARER.classify(ours.values(), theirs.values())]
    return [Case(f, None if f.kind is Kind.EXTRA else ours[f.dn], theirs.get(f.consumer_dn)) for f in found]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**9), st.integers(2, 25), st.integers(1, 15), st.booleans())
def test_any_two_trees(seed: int, grow: int, harm: int, whole: bool) -> None:
    """`whole`: the repair knows all of the consumer; else only what is around the findings."""
    provider = Server()
    hand = Hand(seed, provider, "u")
    hand.add(BASE)
    for _ in range(grow):
        hand.step()
    consumer = provider.twin()
    vandal = Hand(seed + 1, consumer, "v")
    for _ in range(harm):
        vandal.step()
    cases = cases_of(provider.entries(), consumer.entries())
    sides = [entry for case in cases for entry in (case.ours, case.theirs) if entry]
    lower = {name.lower() for entry in sides for name in [entry.dn, *COMPARER.above(entry.dn)]}
    around = [entry for entry in consumer.entries() if whole or entry.dn.lower() in lower]
    translation = Translation(SCOPE, SCHEMA)
    made = remedy(cases, around, translation, NAMING, len(consumer.held))
    laid = lay_out(made, NAMING)
    changes, modifies = records(made, laid, SCHEMA, translation.writes)
    assert not made.refused
    assert not unrepairable(made, laid, modifies, NAMING)
    for change in changes:
        consumer.carry_out(change)
    assert not cases_of(provider.entries(), consumer.entries())


def test_a_secret_that_was_never_shown_is_not_taken_away() -> None:
    base = Entry(BASE, {"dc": (b"lab",), "entryUUID": (b"1",)})
    locked = Entry(BASE, {**base.attributes, "userPassword": (b"secret",), "description": (b"old",)})
    finding = Finding(Kind.DIFFERS, BASE, BASE, "1", attributes=COMPARER.differences(base, locked))
    translation = Translation(SCOPE, SCHEMA)
    for seen, left in (((), True), ((Entry("cn=x", {"USERPASSWORD;x-old": (b"y",)}),), False)):
        writes = writable(translation, shown_secrets([base, *seen]))
        made = remedy([Case(finding, base, locked)], (), translation, NAMING, 1)
        laid = lay_out(made, NAMING)
        (change,), _ = records(made, laid, SCHEMA, writes)
        assert isinstance(change, Modify)
        taken = {mod.name for mod in change.mods}
        assert taken == ({"description"} if left else {"description", "userPassword"})


@pytest.mark.parametrize("excluded", [(), ("entryUUID",)])
def test_an_identity_that_cannot_be_written_is_refused(excluded: tuple[str, ...]) -> None:
    scope = ReplicationScope(BASE, exattrs=excluded)
    translation = Translation(scope, SCHEMA, frozenset(("entryuuid", "entrycsn")))
    ours, theirs = (Entry(BASE, {"dc": (b"lab",), "entryUUID": (uuid,)}) for uuid in (b"1", b"2"))
    case = Case(Finding(Kind.IDENTITY, BASE, BASE, "1"), ours, theirs)
    made = remedy([case], (), translation, NAMING, 1)
    assert bool(made.refused) is not bool(excluded)


LAB = Entry(BASE, {"dc": (b"lab",), "entryUUID": (b"1",), "entryCSN": (b"1",)})


def refusals(ours: Entry, theirs: Entry, unwritable: str = "") -> list[str]:
    """Why one entry that differs is not repaired."""
    case = Case(Finding(Kind.DIFFERS, BASE, BASE, "1", attributes=COMPARER.differences(ours, theirs)), ours, theirs)
    translation = Translation(SCOPE, SCHEMA, frozenset((unwritable,)))
    made = remedy([case], (), translation, NAMING, 1)
    laid = lay_out(made, NAMING)
    _, modifies = records(made, laid, SCHEMA, writable(translation, shown_secrets([ours])))
    return [each.reason for each in unrepairable(made, laid, modifies, NAMING).values()]


def test_what_cannot_be_repaired_says_why() -> None:
    old, new = (Entry(BASE, {**LAB.attributes, "userPassword": (value,)}) for value in (b"old", b"new"))
    (reason,) = refusals(LAB, old)
    assert reason.startswith("the provider shows no value of userPassword to this identity")
    (reason,) = refusals(new, old, "userpassword")
    assert reason == "only userPassword differs, which cannot be written there this way"
    (reason,) = refusals(LAB, LAB)
    assert reason.startswith("it is as it shall be by now")
    assert refusals(new, old) == []


def test_what_hangs_below_an_entry_that_is_not_shown_is_left_alone() -> None:
    """To delete or to move it would be done without knowing what it belongs to."""
    dn = f"ou=x,ou=hidden,{BASE}"
    extra = Case(Finding(Kind.EXTRA, dn, dn, "2"), None, Entry(dn, {"ou": (b"x",), "entryUUID": (b"2",)}))
    made = remedy([extra], [LAB], Translation(SCOPE, SCHEMA), NAMING, 3)
    assert [each.reason for each in made.refused] == ["the consumer does not show the entry above it"]
    assert (lay_out(made, NAMING).changes, made.gone) == ([], set())


@pytest.mark.parametrize(
    ("ours", "theirs", "changes"), [("person", "account", True), ("person", "person", False), ("person", "", False)]
)
def test_another_structural_class_needs_relax(ours: str, theirs: str, changes: bool) -> None:
    def lab(kind: str, text: bytes) -> Entry:
        kinds = {"structuralObjectClass": (kind.encode(),)} if kind else {}
        return Entry(BASE, {**LAB.attributes, **kinds, "description": (text,)})

    one, two = lab(ours, b"new"), lab(theirs, b"old")
    case = Case(Finding(Kind.DIFFERS, BASE, BASE, "1", attributes=COMPARER.differences(one, two)), one, two)
    made = remedy([case], (), Translation(SCOPE, SCHEMA), NAMING, 1)
    laid = lay_out(made, NAMING)
    _, modifies = records(made, laid, SCHEMA, lambda name: True)
    assert modifies and changes_class(made, laid, modifies) is changes


def test_two_entries_with_one_identity_are_two() -> None:
    """As slapadd -n of an edited dump makes them: none of them is forgotten, none is taken for the other."""
    one, two = (Entry(f"ou={name},{BASE}", {"ou": (name.encode(),), "entryUUID": (b"7",)}) for name in "ab")
    missing = [Case(Finding(Kind.MISSING, each.dn, "", "7"), each) for each in (one, two)]
    extra = [Case(Finding(Kind.EXTRA, each.dn, each.dn, "7"), None, each) for each in (one, two)]

    def changes(cases: list[Case], *around: Entry) -> list[tuple[str, str]]:
        made = remedy(cases, [LAB, *around], Translation(SCOPE, SCHEMA), NAMING, 4)
        return [(type(each).__name__, each.dn) for each in lay_out(made, NAMING).changes]

    assert changes(missing) == [("Add", one.dn), ("Add", two.dn)]
    assert changes(missing[1:], one) == [("Add", two.dn)], "and the one that is there stays"
    assert sorted(changes(extra)) == [("Delete", one.dn), ("Delete", two.dn)]
