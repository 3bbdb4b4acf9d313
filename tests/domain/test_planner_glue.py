"""A part of a tree, which containers enter and leave: what a listing finds of it, and plans with glue where it must
stand, and nowhere else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, cast
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from model import Model
from test_planner import BASE, NAMING, SCHEMA, Master, entry, perform, tree_of

from ldaprepl import scan
from ldaprepl.domain.change import Translation
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.glue import is_glue, key_at
from ldaprepl.domain.plan import is_made
from ldaprepl.domain.planner import plan
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Listed

TRANSLATION = Translation(ReplicationScope(BASE), SCHEMA)


class Part:
    """What a provider shows of its entries, some of which are hidden by a filter."""

    def __init__(self, master: Master) -> None:
        self.master, self.hidden, self.versions = master, set[str](), Counter[str]()

    def hide_and_show(self, choice: random.Random) -> None:
        for key in self.master.model.by_key():
            if key != "u1" and choice.random() < 0.2:
                self.hidden ^= {key}
                self.versions[key] += 1

    def changed(self) -> None:
        self.versions.update(self.master.changed)
        self.master.changed.clear()

    def csn(self, key: str) -> str:
        return f"20261122101743.{self.versions[key]:06}Z#000000#001#000000"

    def dns(self) -> dict[str, str]:
        return {key: dn for key, dn in self.master.model.by_key().items() if key not in self.hidden}

    def listing(self) -> Iterator[Listed]:
        return (Listed(dn, key, self.csn(key)) for key, dn in self.dns().items())

    def fetch(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        keys = {dn: key for key, dn in self.dns().items()}
        for dn in dns:
            stamp = self.csn(keys[dn]).encode()
            yield Entry(dn, {"entryUUID": (keys[dn].encode(),), "entryCSN": (stamp,)})

    def read_all(self) -> Iterator[Entry | None]:
        return self.fetch(list(self.dns().values()))

    def which_exist(self, keys: Sequence[str]) -> set[str]:
        return set(keys) & self.dns().keys()


def reread(consumer: Model) -> None:
    """A consumer that is read anew tells glue by its place, wherever it was made."""
    for value in consumer.held.values():
        if is_glue(value[1]):
            value[1] = key_at(NAMING.key(value[0]))


def places(dns: dict[str, str]) -> dict[str, bytes]:
    """Normal DNs by key: glue keeps the name by which it was made."""
    return {key: NAMING.key(dn) for key, dn in dns.items() if not is_glue(key)}


@settings(max_examples=300, deadline=None)
@example(487507404, [(9, None), (4, 6), (6, 5)])  # another way from the first entry above to this one
@example(324846183, [(3, None), (2, None), (9, 3), (5, None)])  # the names are right, below another entry
@example(342046632, [(6, None), (0, 8), (5, 8)])  # an entry moves onto glue that holds one that goes
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 14), st.none() | st.integers(0, 8)), max_size=8))
def test_a_part_is_copied_whole_below_glue(seed: int, windows: list[tuple[int, int | None]]) -> None:
    """With kills at any point."""
    part, consumer, choice = Part(Master(seed)), Model(BASE), random.Random(seed)
    scanner = scan.Scanner(cast(Any, part), NAMING, TRANSLATION)
    for operations, kill in [*windows, (3, None)]:
        for _ in range(operations):
            part.master.step()
        part.hide_and_show(choice)
        part.changed()
        if choice.random() < 0.7:
            reread(consumer)
        tree = tree_of(consumer)
        with patch.object(scan, "_FETCH_ALL_FROM", 2):  # nothing but what differs
            found = scanner.scan(tree)
        made_before = {key for key in consumer.by_key() if is_made(key)}
        made = plan(tree, found.received, found.gone | made_before, NAMING, glue=True)
        assert not made.refusals
        if not perform(consumer, made, kill):
            continue
        there = part.dns()
        assert places(consumer.by_key()) == places(there)
        assert places({key: tree.dn(key) for key in tree.keys()}) == places(there)  # noqa: SIM118
        assert all(consumer.below(dn) for key, dn in consumer.by_key().items() if is_glue(key))
        for value in consumer.held.values():
            value[2] = part.csn(value[1]) if value[1] in there else ""


def test_what_is_below_glue_is_there_for_what_comes_with_the_real_entry() -> None:
    """The container comes back and takes the place of its glue, while an entry moves deeper below it."""
    consumer = Model(BASE)
    glue = "glue:ou=a,dc=lab"
    for dn, key in ((BASE, "1"), ("ou=a,dc=lab", glue), ("ou=b,ou=a,dc=lab", "b"), ("cn=x,ou=a,dc=lab", "x")):
        consumer.add(dn, key)
    reread(consumer)
    received = {"a": entry("ou=a,dc=lab"), "x": entry("cn=x,ou=b,ou=a,dc=lab")}
    made = plan(tree_of(consumer), received, (), NAMING, glue=True)
    assert not made.refusals and not made.glue
    assert perform(consumer, made)
    assert consumer.by_key()["x"] == "cn=x,ou=b,ou=a,dc=lab"


def test_what_stays_below_one_that_goes_is_there_for_what_comes() -> None:
    """The container leaves the filter and becomes glue, while an entry moves deeper below it."""
    consumer = Model(BASE)
    for dn, key in ((BASE, "1"), ("ou=a,dc=lab", "a"), ("ou=b,ou=a,dc=lab", "b"), ("cn=x,dc=lab", "x")):
        consumer.add(dn, key)
    made = plan(tree_of(consumer), {"x": entry("cn=x,ou=b,ou=a,dc=lab")}, {"a"}, NAMING, glue=True)
    assert not made.refusals and len(made.glue) == 1
    assert perform(consumer, made)
    assert places(consumer.by_key()) == places({"1": BASE, "b": "ou=b,ou=a,dc=lab", "x": "cn=x,ou=b,ou=a,dc=lab"})
