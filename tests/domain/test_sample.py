"""The fears: two loads of the same sample that differ, and a sample that holds less trouble than it promises."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from ldaprepl.domain import dn as names
from ldaprepl.domain.awkward import GROUP_SIZE, NAMES, RECIPES, VALUES, awkward, certificate, jpeg
from ldaprepl.domain.csn import Csn
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.planting import disguise, plant, shuffled
from ldaprepl.domain.sample import Stamps, directory, stamped, suffix_entry
from ldaprepl.domain.verdict import Kind

Sample = Callable[..., Iterator[Entry]]
SAMPLES: list[Sample] = [directory, awkward]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 11, 12, 13, 62, 700])
def test_exactly_as_many_as_asked_parents_first(sample: Sample, count: int) -> None:
    entries = list(sample(count))
    assert len(entries) == count
    seen = {"dc=com"}
    for entry in entries:
        assert names.parent(entry.dn) in seen
        assert entry.dn not in seen
        seen.add(entry.dn)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_same_every_time_and_other_with_another_seed(sample: Sample) -> None:
    first, again, other = (list(stamped(sample(300, seed=seed), Stamps(seed=seed))) for seed in (7, 7, 8))
    assert first == again
    assert {entry.uuid for entry in first}.isdisjoint({entry.uuid for entry in other})


@pytest.mark.parametrize(("sample", "digest"), [(directory, "a3bded387eb1f2f2"), (awkward, "896d3959c1543aaa")])
def test_the_same_on_every_machine(sample: Sample, digest: str) -> None:
    text = "".join(map(entry_text, stamped(sample(300))))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest, "change this digest only on purpose"


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_entry_holds_the_values_of_its_own_name(sample: Sample) -> None:
    for entry in sample(700):
        for attribute, value in names.parse(entry.dn)[0]:
            assert value in entry.values(attribute)


def test_stamps_are_in_order_and_carry_the_server_id() -> None:
    entries = list(stamped(directory(20), Stamps(sid=0x1A)))
    csns = [Csn.parse(entry.csn or "") for entry in entries]
    assert csns == sorted(csns) and len(set(csns)) == 20 and {csn.sid for csn in csns} == {0x1A}
    assert len({entry.uuid for entry in entries}) == 20


@pytest.mark.parametrize("suffix", ["dc=example,dc=com", "o=Example Corp", "ou=Here,o=there", "DC=example"])
def test_any_usual_suffix(suffix: str) -> None:
    assert next(directory(5, suffix=suffix)).dn == suffix
    assert suffix_entry(suffix).values(suffix.partition("=")[0])


def test_an_unusual_suffix_is_refused() -> None:
    with pytest.raises(ValueError, match="c=de"):
        suffix_entry("c=de")


def test_awkward_holds_all_that_it_promises() -> None:
    entries = list(awkward(len(RECIPES) * len(NAMES) + 3))
    text = "".join(entry.dn for entry in entries)
    assert all(fragment in text for fragment in ("\\,", "\\+", "\\#", "\\;", "\\ ", '\\"', "\\\\", "=", "王", "\\1b"))
    held = set(chain.from_iterable(entry.values("description") for entry in entries))
    assert held.issuperset(VALUES)
    assert max(len(value) for entry in entries for value in entry.values("jpegPhoto")) > 65536
    assert max(len(entry.values("member")) for entry in entries) == GROUP_SIZE == 5000
    assert max(names.depth(entry.dn) for entry in entries) > 30
    classes = Counter(entry.values("objectClass")[0] for entry in entries)
    assert classes[b"referral"] and classes[b"alias"]
    assert any("+" in entry.dn and len(names.parse(entry.dn)[0]) == 2 for entry in entries)
    assert any(";binary" in name for entry in entries for name in entry.attributes)
    # every name of the list is used as a name of an entry
    values = {value for entry in entries for _, value in names.parse(entry.dn)[0]}
    for name in NAMES:
        head, _, tail = (name % 987654).encode().partition(b"987654")
        assert any(value.startswith(head) and value.endswith(tail) for value in values), name


def test_binary_values_have_the_size_asked_for() -> None:
    assert [len(jpeg(1, size)) for size in (100, 70_000)] == [100, 70_000]
    assert certificate(1) != certificate(2) and certificate(1)[:2] == b"\x30\x82"


def changed(before: list[Entry], after: list[Entry]) -> dict[str, tuple[Entry | None, Entry | None]]:
    """What differs between the two, by uuid."""
    old, new = ({entry.uuid or "": entry for entry in entries} for entries in (before, after))
    return {uuid: (old.get(uuid), new.get(uuid)) for uuid in old | new if old.get(uuid) != new.get(uuid)}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("each", [1, 7])
def test_what_is_planted_is_told_and_nothing_else_changes(sample: Sample, each: int) -> None:
    before = list(stamped(sample(700)))
    after, planted = plant(before, each)
    assert Counter(what.kind for what in planted) == dict.fromkeys(Kind, each)
    differences = changed(before, after)
    for what in planted:
        old, new = differences.pop(what.uuid)
        match what.kind:
            case Kind.MISSING:
                assert old and old.dn == what.dn and new is None and not what.consumer_dn
            case Kind.EXTRA:
                assert new and new.dn == what.dn == what.consumer_dn and old is None
            case Kind.IDENTITY:
                assert old and old.dn == what.dn == what.consumer_dn and new is None
                twin = next(entry for entry in after if entry.dn == what.dn)
                assert differences.pop(twin.uuid or "") == (None, twin)
                assert {**twin.attributes, "entryUUID": old.attributes["entryUUID"]} == old.attributes
            case Kind.RENAMED | Kind.DIFFERS:
                assert old and new and (old.dn, new.dn) == (what.dn, what.consumer_dn)
                assert (old.dn != new.dn) == (what.kind is Kind.RENAMED)
                names_of = old.attributes.keys() | new.attributes.keys()
                assert {name for name in names_of if old.values(name) != new.values(name)} == set(what.attributes)
    assert not differences


def test_planting_keeps_the_consumer_a_tree() -> None:
    before = list(stamped(directory(700)))
    after, _ = plant(before, 20)
    dns = {entry.dn for entry in after}
    assert len(dns) == len(after)
    assert all(names.parent(entry.dn) in dns for entry in after if entry.dn != before[0].dn)


def test_planting_needs_stamps_and_room() -> None:
    with pytest.raises(ValueError, match="no entryUUID"):
        plant(list(directory(50)))
    with pytest.raises(ValueError, match="too few"):
        plant(list(stamped(directory(13))), 5)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_disguise_changes_the_text_of_every_entry_named(sample: Sample) -> None:
    before = list(stamped(sample(700)))
    after, done = disguise(before, every=3)
    assert len(before) == len(after) and len(done) > 200
    told = {what.dn for what in done}
    for old, new in zip(before, after, strict=True):
        assert (old != new) == (old.dn in told)
        assert old.uuid == new.uuid


def test_shuffling_loses_nothing() -> None:
    before = list(directory(200))
    after = shuffled(before, seed=3)
    assert after != before and shuffled(before, seed=4) != after
    assert sorted(entry.dn for entry in after) == sorted(entry.dn for entry in before)
