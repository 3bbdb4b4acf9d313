"""Plans against a model server that enforces LDAP's rules: the order is always legal, the end always right."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from model import Model, Refused

from ldaprepl.domain.change import BOX, Add, Delete, Rename
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plan import Plan
from ldaprepl.domain.planner import plan
from ldaprepl.domain.tree import Naming, Tree, grow

BASE = "dc=lab"
_TYPE = "NAME '{}' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )"
SCHEMA = Schema.parse(
    [f"( 2.5.4.{number} {_TYPE.format(name)}" for number, name in ((3, "cn"), (11, "ou"), (25, "dc"))]
)
NAMING = Naming(SCHEMA, BASE)


def tree_of(model: Model) -> Tree:
    memory, orphans = grow(((key, dn, csn) for dn, key, csn in model.held.values()), NAMING)
    assert not orphans
    return Tree(memory)


def entry(dn: str, csn: str = "") -> Entry:
    return Entry(dn, {"entryCSN": (csn.encode(),)} if csn else {})


class Master:
    """A provider with random operations; remembers what a sync session would say since the last one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.model = Model(BASE)
        self.changed: set[str] = set()
        self.gone: set[str] = set()
        self.number = 0
        for dn in (BASE, "ou=a,dc=lab", "ou=b,dc=lab", "ou=c,ou=a,dc=lab"):
            self._add(dn)

    def _add(self, dn: str) -> None:
        self.number += 1
        self.model.add(dn, f"u{self.number}")
        self.changed.add(f"u{self.number}")

    def step(self) -> None:
        dns = [value[0] for value in self.model.held.values()]
        dn, other = self.random.choice(dns), self.random.choice(dns)
        name = f"ou={self.random.choice('abcdeABC')}"
        try:
            match self.random.randrange(8):
                case 0 | 1 | 2:
                    self._add(f"{name},{dn}")
                case 3:
                    self._delete_branch(dn)
                case 4:
                    self._rename(dn, name, "")
                case 5 | 6:
                    self._rename(dn, dn.split(",")[0], other)
                case 7:
                    self._swap(dn, other)
        except Refused:
            pass

    def _delete_branch(self, dn: str) -> None:
        if dn.lower() == BASE:
            return
        for each in [*sorted(self.model.below(dn), key=len, reverse=True), dn.lower()]:
            self.gone.add(self.model.held[each][1])
            self.model.delete(each)

    def _rename(self, dn: str, rdn: str, superior: str) -> None:
        if dn.lower() != BASE:
            key = self.model.held[dn.lower()][1]
            self.model.rename(dn, rdn, superior)
            self.changed.add(key)

    def _swap(self, one: str, two: str) -> None:
        key_one, key_two = self.model.held[one.lower()][1], self.model.held[two.lower()][1]
        if BASE in (one.lower(), two.lower()) or one == two:
            return
        (rdn_one, _, up_one), (rdn_two, _, up_two) = one.partition(","), two.partition(",")
        saved = self.model.copy()
        try:
            self.model.rename(one, "ou=tmp", "")
            self.model.rename(self.model.by_key()[key_two], rdn_one, up_one)
            self.model.rename(self.model.by_key()[key_one], rdn_two, up_two)
        except Refused:
            self.model = saved
            raise
        self.changed |= {key_one, key_two}

    def session(self) -> tuple[dict[str, Entry], set[str]]:
        by_key = self.model.by_key()
        received = {key: entry(by_key[key]) for key in self.changed if key in by_key}
        shuffled = list(received)
        self.random.shuffle(shuffled)
        return {key: received[key] for key in shuffled}, {key for key in self.gone if key not in by_key}


def perform(consumer: Model, made: Plan, limit: int | None = None) -> bool:
    """Apply a plan, up to `limit` changes. False when it was cut."""
    steps: list[Add | Delete | Rename | tuple[str, str]] = [*made.changes]  # type: ignore[list-item]  # no Modify in a plan
    for old, new in made.taken.items():  # as the Modify of entryUUID would do, after the changes
        steps.append((old, new))
    for number, change in enumerate(steps):
        if limit is not None and number >= limit:
            return False
        if isinstance(change, tuple):
            (value,) = [value for value in consumer.held.values() if value[1] == change[0]]
            value[1] = change[1]
        else:
            consumer.apply(change)
    return True


def boxes(consumer: Model) -> set[str]:
    return {key for key in consumer.by_key() if key.startswith(BOX)}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 14), st.none() | st.integers(0, 8)), max_size=8))
def test_every_plan_is_legal_and_ends_as_the_provider_with_kills_at_any_point(
    seed: int, windows: list[tuple[int, int | None]]
) -> None:
    master, consumer = Master(seed), Model(BASE)
    for operations, kill in [*windows, (3, None)]:
        for _ in range(operations):
            master.step()
        received, gone = master.session()
        tree = tree_of(consumer)
        made = plan(tree, received, gone | boxes(consumer), NAMING)
        assert not made.refusals
        if perform(consumer, made, kill):
            master.changed.clear()
            master.gone.clear()
            assert consumer.by_key() == master.model.by_key()
            assert {key: tree.dn(key) for key in tree.keys()} == master.model.by_key()  # noqa: SIM118


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_a_complete_answer_reconciles_any_two_trees(seed: int, operations: int) -> None:
    """The state is lost: the consumer holds something else altogether."""
    master, other = Master(seed), Master(seed + 1)
    for _ in range(operations):
        master.step()
        other.step()
    consumer = other.model
    for value in consumer.held.values():
        value[1] = f"x{value[1]}" if master.random.random() < 0.5 else value[1]
    received = {key: entry(dn) for key, dn in master.model.by_key().items()}
    tree = tree_of(consumer)
    made = plan(tree, received, set(consumer.by_key()) - set(received), NAMING)
    assert not made.refusals
    assert perform(consumer, made)
    assert consumer.by_key() == master.model.by_key()


def model(*dns: tuple[str, str]) -> Model:
    made = Model(BASE)
    for dn, key in ((BASE, "base"), *dns):
        made.add(dn, key)
    return made


def test_a_swap_is_parked_once() -> None:
    consumer = model(("ou=a,dc=lab", "1"), ("ou=b,dc=lab", "2"))
    made = plan(tree_of(consumer), {"1": entry("ou=b,dc=lab"), "2": entry("ou=a,dc=lab")}, (), NAMING)
    assert made.parked == 1
    assert perform(consumer, made)
    assert consumer.by_key() == {"base": "dc=lab", "1": "ou=b,dc=lab", "2": "ou=a,dc=lab"}


def test_a_recreated_container_keeps_what_is_below_it() -> None:
    consumer = model(("ou=a,dc=lab", "old"), ("cn=x,ou=a,dc=lab", "x"))
    made = plan(tree_of(consumer), {"new": entry("ou=a,dc=lab"), "x": entry("cn=x,ou=a,dc=lab")}, {"old"}, NAMING)
    assert made.taken == {"old": "new"}
    assert not made.changes
    assert "new" in made.updates


def test_an_entry_without_its_parents_stands_below_glue() -> None:
    received = {"1": entry("cn=x,ou=b,ou=a,dc=lab"), "2": entry("cn=y,ou=b,ou=a,dc=lab")}
    made = plan(tree_of(model()), received, (), NAMING, glue=True)
    entries = ["cn=x,ou=b,ou=a,dc=lab", "cn=y,ou=b,ou=a,dc=lab"]
    assert [change.dn for change in made.changes] == ["ou=a,dc=lab", "ou=b,ou=a,dc=lab", *entries]
    assert {entry.dn for entry in made.glue.values()} == {"ou=b,ou=a,dc=lab", "ou=a,dc=lab"}
    assert not made.refusals


def test_without_glue_it_is_refused_and_said_so() -> None:
    made = plan(tree_of(model()), {"1": entry("cn=x,ou=a,dc=lab"), "2": entry("cn=y,cn=x,ou=a,dc=lab")}, (), NAMING)
    assert not made.changes
    assert [refusal.key for refusal in made.refusals] == ["1", "2"]
    assert "not there or not in scope" in made.refusals[0].reason
    consumer = model(("ou=a,dc=lab", "a"), ("cn=x,ou=a,dc=lab", "x"))
    made = plan(tree_of(consumer), {}, {"a"}, NAMING)
    assert not made.changes
    assert "below it stay" in made.refusals[0].reason


def test_an_entry_outside_of_the_base_is_refused() -> None:
    made = plan(tree_of(model()), {"1": entry("cn=x,dc=other")}, (), NAMING)
    assert not made.changes
    assert "not there or not in scope" in made.refusals[0].reason


def test_a_container_that_goes_while_a_child_stays_becomes_glue_and_goes_with_the_child() -> None:
    consumer = model(("ou=a,dc=lab", "a"), ("cn=x,ou=a,dc=lab", "x"))
    tree = tree_of(consumer)
    made = plan(tree, {}, {"a"}, NAMING, glue=True)
    (key,) = made.glue
    assert not made.changes and not made.refusals
    assert (made.updates, made.taken, made.deletes) == ([key], {"a": key}, 0)
    later = plan(tree, {}, {"x", key}, NAMING, glue=True)
    assert [change.dn for change in later.changes] == ["cn=x,ou=a,dc=lab", "ou=a,dc=lab"]
    assert later.deletes == 1


def test_the_real_entry_takes_the_place_of_glue() -> None:
    tree = tree_of(model())
    first = plan(tree, {"x": entry("cn=x,ou=a,dc=lab")}, (), NAMING, glue=True)
    (glue,) = first.glue
    made = plan(tree, {"a": entry("ou=a,dc=lab")}, (), NAMING)
    assert (made.changes, made.updates, made.taken) == ([], ["a"], {glue: "a"})
    assert tree.dn("x") == "cn=x,ou=a,dc=lab" and tree.is_inside("x", "a")


def test_a_rename_keeps_the_old_naming_value_only_where_it_is_still_a_value() -> None:
    consumer = model(("cn=a,dc=lab", "1"))
    kept = Entry("cn=b,dc=lab", {"cn": (b"b", b"a")})
    assert plan(tree_of(consumer), {"1": kept}, (), NAMING).changes == [
        Rename("1", "base", "cn=a,dc=lab", "cn=b", "", delete_old=False)
    ]
    lost = Entry("cn=b,dc=lab", {"cn": (b"b",)})
    assert plan(tree_of(consumer), {"1": lost}, (), NAMING).changes == [
        Rename("1", "base", "cn=a,dc=lab", "cn=b", "", delete_old=True)
    ]


def test_unknown_deletes_are_no_deletes() -> None:
    """The provider names UUIDs that we never had."""
    assert not plan(tree_of(model()), {}, {"never-seen"}, NAMING).changes


def test_an_entry_that_is_sent_wins_over_its_delete() -> None:
    consumer = model(("cn=a,dc=lab", "1"))
    assert not plan(tree_of(consumer), {"1": entry("cn=a,dc=lab")}, {"1"}, NAMING).changes
