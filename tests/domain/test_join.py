"""The fear: an entry that gets lost between memory, fingerprints and disk, or is paired with another one.

Whatever the order of arrival and however little may be kept, the join must say what comparing two dicts says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldaprepl.domain.join import Join, Side, Suspects, fingerprint
from ldaprepl.errors import ProtocolViolation
from ldaprepl.wire.overflow import SqliteOverflow

Entries = dict[bytes, bytes]
Arrived = tuple[Entries, Entries, list[tuple[Side, list[tuple[bytes, bytes]]]]]


class Shelf:
    """An overflow in memory."""

    def __init__(self) -> None:
        self.held: tuple[Entries, Entries] = ({}, {})
        self.added = 0

    @property
    def used(self) -> bool:
        return self.added > 0

    def add(self, side: int, prints: Iterable[tuple[bytes, bytes]]) -> None:
        self.held[side].update(prints)
        self.added += 1

    def joined(self) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        for dn in self.held[0] | self.held[1]:
            yield dn, self.held[0].get(dn), self.held[1].get(dn)


def same_letters(provider: bytes, consumer: bytes) -> bool:
    """Stands for equality by schema: the case does not count."""
    return provider.lower() == consumer.lower()


def expected(provider: Entries, consumer: Entries) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """Different under one name, and without a partner, by comparing dicts."""
    both = provider.keys() & consumer.keys()
    different = {dn for dn in both if not same_letters(provider[dn], consumer[dn])}
    return different, provider.keys() - consumer.keys(), consumer.keys() - provider.keys()


NAMES = st.integers(0, 30).map(lambda number: b"cn=%d" % number)
FRAMES = st.sampled_from([b"one", b"ONE", b"two", b"a longer frame", b"A longer frame", b""])
DIRECTORIES = st.dictionaries(NAMES, FRAMES)


@st.composite
def arrivals(draw: st.DrawFn) -> Arrived:
    """Two directories, and the batches in which their entries come, in any order and any interleaving."""
    provider, consumer = draw(DIRECTORIES), draw(DIRECTORIES)
    for dn in draw(st.lists(st.sampled_from(sorted(provider)), unique=True)) if provider else []:
        consumer[dn] = provider[dn]
    stream = [(Side.PROVIDER, item) for item in provider.items()] + [(Side.CONSUMER, item) for item in consumer.items()]
    batches: list[tuple[Side, list[tuple[bytes, bytes]]]] = []
    for side, item in draw(st.permutations(stream)):
        if batches and batches[-1][0] is side and draw(st.booleans()):
            batches[-1][1].append(item)
        else:
            batches.append((side, [item]))
    return provider, consumer, batches


@given(arrivals(), st.integers(0, 60), st.integers(0, 20))
def test_it_says_what_two_dicts_say(arrived: Arrived, keep_frames: int, keep_prints: int) -> None:
    provider, consumer, batches = arrived
    join = Join(same_letters, Shelf(), keep_frames=keep_frames, keep_prints=keep_prints)
    for side, batch in batches:
        join.feed(side, batch)
    suspects = join.finish()
    different, missing, extra = expected(provider, consumer)
    assert sorted(suspects.provider_only) == sorted(missing)
    assert sorted(suspects.consumer_only) == sorted(extra)
    assert len(set(suspects.pairs)) == len(suspects.pairs)
    assert different <= set(suspects.pairs)
    # What is equal by schema only may be a suspect where fingerprints were compared; it is no finding yet.
    alike = {dn for dn in set(suspects.pairs) - different if provider[dn] != consumer[dn]}
    assert set(suspects.pairs) == different | alike
    assert join.equal == len(provider.keys() & consumer.keys()) - len(suspects.pairs)
    assert join.counts == [len(provider), len(consumer)]
    assert len(suspects) == len(suspects.pairs) + len(missing) + len(extra)


@given(arrivals())
def test_with_room_enough_nothing_equal_is_a_suspect(
    arrived: Arrived,
) -> None:
    provider, consumer, batches = arrived
    shelf = Shelf()
    join = Join(same_letters, shelf)
    for side, batch in batches:
        join.feed(side, batch)
    assert set(join.finish().pairs) == expected(provider, consumer)[0]
    assert not shelf.used


@pytest.mark.parametrize("keep_frames", [0, 1 << 20], ids=["prints", "frames"])
def test_one_name_twice_from_one_server_is_looked_at_again(keep_frames: int) -> None:
    """No server should; if one does, nothing may follow from which came first."""
    for first, second in ((b"right", b"wrong"), (b"wrong", b"right")):
        join = Join(same_letters, Shelf(), keep_frames=keep_frames)
        join.feed(Side.PROVIDER, [(b"cn=a", b"right")])
        join.feed(Side.CONSUMER, [(b"cn=a", first)])
        join.feed(Side.CONSUMER, [(b"cn=a", second)])
        suspects = join.finish()
        assert b"cn=a" in [*suspects.pairs, *suspects.consumer_only]
        assert not suspects.provider_only


def test_the_consumers_names_are_translated() -> None:
    join = Join(same_letters, Shelf(), rename=lambda dn: dn.replace(b"o=copy", b"o=original"))
    join.feed(Side.PROVIDER, [(b"cn=a,o=original", b"a"), (b"cn=b,o=original", b"b")])
    join.feed(Side.CONSUMER, [(b"cn=a,o=copy", b"A"), (b"cn=c,o=copy", b"c")])
    assert join.finish() == Suspects([], [b"cn=b,o=original"], [b"cn=c,o=original"])
    assert join.equal == 1


def test_same_is_asked_with_the_provider_first() -> None:
    asked = []

    def same(provider: bytes, consumer: bytes) -> bool:
        asked.append((provider, consumer))
        return True

    for first, second in ((Side.PROVIDER, Side.CONSUMER), (Side.CONSUMER, Side.PROVIDER)):
        frames = {Side.PROVIDER: b"p", Side.CONSUMER: b"c"}
        join = Join(same, Shelf())
        join.feed(first, [(b"dn", frames[first])])
        join.feed(second, [(b"dn", frames[second])])
    assert asked == [(b"p", b"c")] * 2


def test_what_judging_raises_comes_out() -> None:
    def broken(provider: bytes, consumer: bytes) -> bool:
        raise ProtocolViolation("no entry")

    join = Join(broken, Shelf())
    join.feed(Side.PROVIDER, [(b"dn", b"1")])
    with pytest.raises(ProtocolViolation):
        join.feed(Side.CONSUMER, [(b"dn", b"2")])


@settings(max_examples=40)
@given(arrivals())
def test_the_real_overflow_agrees_with_the_one_in_memory(arrived: Arrived) -> None:
    found = []
    with SqliteOverflow() as disk:
        for overflow in (Shelf(), disk):
            join = Join(same_letters, overflow, keep_frames=0, keep_prints=3)
            for side, batch in arrived[2]:
                join.feed(side, batch)
            suspects = join.finish()
            found.append([sorted(part) for part in (suspects.pairs, suspects.provider_only, suspects.consumer_only)])
            found[-1].append([b"%d" % join.equal])
    assert found[0] == found[1]


def test_fingerprints_tell_frames_apart() -> None:
    assert len(fingerprint(b"")) == 16
    assert len({fingerprint(b"%d" % number) for number in range(1000)}) == 1000
