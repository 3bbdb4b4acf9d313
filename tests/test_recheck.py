"""The second look against a world that moves between any two questions, as the worst scheduler would have it.

The model is a provider that goes through a history of writes, and a consumer that follows it faithfully at any pace:
each answer may be given later in that history than the one before, contextCSN trails the write it stands for, and the
consumer's own contextCSN trails what it holds. A real slapd shows the same, but only now and then.

The fears: such a consumer gets a lasting finding; a consumer that is really wrong gets none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ldaprepl.domain.compare import Comparer, Divergence
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import Finding, Kind, State
from ldaprepl.protocol.messages import decode_entry, decode_values
from ldaprepl.recheck import CHUNK, Recheck, torn

BASE = "dc=x"
SETTLE = 1.0


@dataclass(frozen=True)
class Node:
    """One entry: its parent's number, its RDN, the number of its last write, its value."""

    parent: int | None
    rdn: str
    write: int
    value: int = 0


Tree = Mapping[int, Node]


def dn_of(tree: Tree, number: int) -> str:
    node = tree[number]
    return node.rdn if node.parent is None else f"{node.rdn},{dn_of(tree, node.parent)}"


def csn(write: int, sid: int = 1) -> bytes:
    return b"20260101000000.%06dZ#000000#%03x#000000" % (write, sid)


def entries(tree: Tree) -> dict[str, Entry]:
    """By DN."""
    found = {}
    for number, node in tree.items():
        values = {
            "entryUUID": (b"00000000-0000-4000-a000-%012d" % number,),
            "entryCSN": (csn(node.write),),
            "description": (b"%d" % node.value,),
        }
        dn = dn_of(tree, number)
        found[dn] = Entry(dn, values)
    return found


TOP: Tree = {
    0: Node(None, BASE, 0),
    **{number: Node(0, f"ou={number}", 0) for number in (1, 2, 3)},
    **{number: Node(number % 3 + 1, f"cn={number}", 0) for number in range(4, 10)},
}


def written(tree: Tree, write: int, chance: random.Random, moves: bool) -> Tree:
    """The tree after one more write, that a server would take. Few names, so that they come back again.

    `moves`: nothing but containers that change their names, with all that is below them.
    """
    if moves:
        number = chance.choice((1, 2, 3))
        return _if_free(tree, number, replace(tree[number], rdn=f"ou={chance.randrange(5)}", write=write))
    number = chance.choice(sorted(tree))
    node = tree[number]
    below = [other for other in tree.values() if other.parent == number]
    roll = chance.random()
    if roll < 0.2 or number == 0:
        new = Node(number, f"cn={chance.randrange(3)}", write)
        return _if_free(tree, max(tree) + write + 1, new)
    if roll < 0.4:
        return {**tree, number: replace(node, value=write, write=write)}
    if roll < 0.6 and not below:
        return {other: held for other, held in tree.items() if other != number}
    return _if_free(tree, number, replace(node, rdn=f"{node.rdn[:3]}{chance.randrange(3)}", write=write))


def _if_free(tree: Tree, number: int, node: Node) -> Tree:
    taken = any(held.parent == node.parent and held.rdn == node.rdn for other, held in tree.items() if other != number)
    return tree if taken else {**tree, number: node}


@dataclass
class World:
    """Where both servers are in the history; every question moves it on. It is the clock, too."""

    chance: random.Random
    history: list[dict[str, Entry]]
    pace: float
    wrong: Mapping[str, Entry | None] = field(default_factory=dict)  # on the consumer, whatever comes
    now: float = 0.0
    provider: int = 0
    context: int = 0  # what the provider's contextCSN tells
    consumer: int = 0
    cookie: int = 0  # what the consumer's contextCSN tells

    def move(self) -> None:
        self.provider = self._on(self.provider, len(self.history) - 1)
        self.context = self._on(self.context, self.provider)
        self.consumer = self._on(self.consumer, self.provider)
        self.cookie = self._on(self.cookie, self.consumer)

    def _on(self, at: int, end: int) -> int:
        return min(end, at + self.chance.randrange(4)) if self.chance.random() < self.pace else at

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.context = self.provider  # a contextCSN trails by less than a breath
        self.move()

    def phase(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


@dataclass
class Side:
    """One server of the world (`ports.Directory`, as far as the second look asks)."""

    world: World
    follows: bool

    @property
    def uri(self) -> str:
        return "ldap://x"

    def context_csn(self, base: str) -> CsnSet:
        self.world.move()
        return CsnSet.parse([csn(self.world.cookie if self.follows else self.world.context)])

    def schema(self) -> Schema:
        return Schema.EMPTY

    def start(self, scope: ReplicationScope, base: str) -> None:
        raise AssertionError("nobody reads everything in the second look")

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        for dn in dns:
            self.world.move()
            if self.follows and dn in self.world.wrong:
                yield self.world.wrong[dn]
            else:
                yield self.world.history[self.world.consumer if self.follows else self.world.provider].get(dn)

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        return self.fetch(dns, SCOPE)


SCOPE = ReplicationScope(BASE)


def world(seed: int, writes: int, pace: float, *, moves: bool = False) -> World:
    chance = random.Random(seed)
    trees = [TOP]
    for write in range(1, writes + 1):
        trees.append(written(trees[-1], write, chance, moves))
    return World(chance, [entries(tree) for tree in trees], pace)


def judged(moving: World, suspects: Suspects) -> tuple[Finding, ...]:
    comparer = Comparer(Schema.EMPTY, SCOPE, decode_entry, decode_values)
    recheck = Recheck(Side(moving, False), Side(moving, True), comparer, moving, SETTLE)
    return recheck.judge(suspects, moving).findings


def all_names(moving: World) -> Suspects:
    """Every name that there ever was is a suspect."""
    names = sorted({dn for state in moving.history for dn in state} | set(moving.wrong))
    moving.chance.shuffle(names)
    encoded = [name.encode() for name in names]
    return Suspects(encoded[::3], encoded[1::3], encoded[2::3])


SEEDS = st.integers(0, 1 << 32)
PACES = st.sampled_from([0.02, 0.1, 0.3, 0.7])


@settings(max_examples=300, deadline=None)
@example(6, 186, 0.1, False)  # an extra entry that came and stayed between reading it and reading what is above others
@given(SEEDS, st.integers(0, 400), PACES, st.booleans())
def test_a_faithful_consumer_gets_no_lasting_finding(seed: int, writes: int, pace: float, moves: bool) -> None:
    moving = world(seed, writes, pace, moves=moves)
    assert [finding for finding in judged(moving, all_names(moving)) if finding.state is State.LASTING] == []


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_a_faithful_consumer_that_has_caught_up_gets_none_at_all(seed: int) -> None:
    moving = world(seed, 50, 0.5)
    moving.provider = moving.context = moving.consumer = moving.cookie = 50
    assert judged(moving, all_names(moving)) == ()


def damaged(state: Mapping[str, Entry], chance: random.Random) -> tuple[dict[str, Entry | None], set[tuple[Kind, str]]]:
    """A consumer's entries that are wrong, and what is to be found; one of each kind."""
    first, second, third, fourth = chance.sample(sorted(dn for dn in state if dn.startswith("cn=")), 4)
    other = b"99999999-0000-4000-a000-000000000000"

    def changed(dn: str, name: str, value: bytes) -> Entry:
        return Entry(dn, {**state[dn].attributes, name: (value,)})

    moved = f"cn=moved,{second.partition(',')[2]}"
    extra = Entry(f"cn=extra,{BASE}", {"entryUUID": (other[:-1] + b"1",), "entryCSN": (csn(0),)})
    wrong: dict[str, Entry | None] = {
        first: None,
        second: None,
        moved: Entry(moved, state[second].attributes),
        third: changed(third, "description", b"wrong"),
        fourth: changed(fourth, "entryUUID", other),
        extra.dn: extra,
    }
    found = {(Kind.MISSING, first), (Kind.RENAMED, second), (Kind.DIFFERS, third), (Kind.IDENTITY, fourth)}
    return wrong, found | {(Kind.EXTRA, extra.dn)}


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_what_is_wrong_for_good_is_lasting(seed: int) -> None:
    moving = world(seed, 0, 0.5)
    moving.wrong, expected = damaged(moving.history[0], random.Random(seed))
    found = judged(moving, all_names(moving))
    assert {(finding.kind, finding.dn) for finding in found} == expected
    assert {finding.state for finding in found} == {State.LASTING}


@settings(max_examples=100, deadline=None)
@given(SEEDS, PACES)
def test_what_is_wrong_for_good_is_found_under_writes_too(seed: int, pace: float) -> None:
    """The writes touch other entries; the wrong ones are never lost among the lag."""
    moving = world(seed, 0, pace)
    moving.wrong, expected = damaged(moving.history[0], random.Random(seed))
    chance, state = random.Random(seed), moving.history[0]
    for write in range(1, 300):
        dn = chance.choice([f"cn=busy {n},{BASE}" for n in range(3)])
        busy = Entry(dn, {"entryUUID": (dn.encode(),), "entryCSN": (csn(write),), "description": (b"%d" % write,)})
        state = {**state, dn: busy} if chance.random() < 0.7 else {k: v for k, v in state.items() if k != dn}
        moving.history.append(state)
    found = judged(moving, all_names(moving))
    assert expected <= {(finding.kind, finding.dn) for finding in found}
    lasting = {(finding.kind, finding.dn) for finding in found if finding.state is State.LASTING}
    assert lasting <= expected


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_a_consumer_that_stands_still_is_behind(seed: int) -> None:
    """But for what it says it has and holds with other values."""
    moving = world(seed, 60, 0.0)
    moving.provider = moving.context = 60
    moving.consumer = moving.cookie = 20
    found = judged(moving, all_names(moving))
    assert {finding.state for finding in found} <= {State.BEHIND}
    ours, theirs = moving.history[60], moving.history[20]
    assert bool(found) == (ours != theirs)


def test_no_stamps_to_go_by_are_waited_out_once() -> None:
    class Mute(Side):
        def context_csn(self, base: str) -> CsnSet:
            return CsnSet()

    moving = world(1, 0, 0.5)
    moving.wrong, expected = damaged(moving.history[0], random.Random(1))
    comparer = Comparer(Schema.EMPTY, SCOPE, decode_entry, decode_values)
    outcome = Recheck(Mute(moving, False), Mute(moving, True), comparer, moving, SETTLE).judge(
        all_names(moving), moving
    )
    assert {(finding.kind, finding.dn) for finding in outcome.findings} == expected
    assert len(outcome.notes) == 1
    assert SETTLE <= moving.now < 2 * SETTLE


def test_entries_above_that_are_not_shown_leave_lasting_findings_lasting() -> None:
    """An identity may see people without seeing what they hang from."""

    class Headless(Side):
        def fetch(
            self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
        ) -> Iterator[Entry | None]:
            for dn, entry in zip(dns, super().fetch(dns, scope, attributes), strict=True):
                yield entry if dn.startswith("cn=") else None

    moving = world(2, 0, 0.5)
    moving.wrong, expected = damaged(moving.history[0], random.Random(2))
    comparer = Comparer(Schema.EMPTY, SCOPE, decode_entry, decode_values)
    for settle in (0.0, SETTLE):
        recheck = Recheck(Headless(moving, False), Headless(moving, True), comparer, moving, settle)
        found = recheck.judge(all_names(moving), moving).findings
        assert {(finding.kind, finding.dn) for finding in found} == expected
        assert {finding.state for finding in found} == {State.LASTING}


def test_both_halves_of_a_renamed_entry_are_looked_at_together() -> None:
    """Two names of one entry, far apart: a missing and an extra entry for whoever never sees both."""
    renamed = [f"{number:08x}" for number in range(CHUNK)]
    found = [Divergence(Finding(Kind.MISSING, f"cn={uuid},{BASE}", uuid=uuid), None, None) for uuid in renamed]
    found += [Divergence(Finding(Kind.EXTRA, f"ou={uuid},{BASE}", uuid=uuid), None, None) for uuid in renamed[::-1]]
    alone = [Finding(Kind.MISSING, f"cn=a,{BASE}", uuid="a"), Finding(Kind.EXTRA, f"cn=b,{BASE}", uuid="b")]
    nameless = [Finding(kind, f"cn=c,{BASE}") for kind in (Kind.MISSING, Kind.EXTRA)]
    other = Finding(Kind.DIFFERS, f"cn=d,{BASE}", uuid=renamed[0])
    found += [Divergence(each, None, None) for each in (*alone, *nameless, other)]
    both, pieces = torn(found)
    assert both == set(renamed)
    seen = []
    for piece in pieces:
        uuids = [divergence.finding.uuid for divergence in piece]
        assert len(uuids) <= CHUNK
        assert sorted(uuids) == sorted([*set(uuids), *set(uuids)])
        seen += uuids
    assert sorted(seen) == sorted([*renamed, *renamed])
