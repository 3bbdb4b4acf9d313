"""The fears: a divergence that is not found, a finding that is none, a finding with the wrong name on it.

What verify says is held against what was planted, and against a naive comparison that shares no code with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ldap
import pytest
from ldap.controls.simple import ManageDSAITControl
from verifying import ADMIN, SECRET, Run, SlapdFactory, conf, filled, verify

from ldaprepl.domain.awkward import awkward
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.planting import Planted, disguise, plant, shuffled
from ldaprepl.domain.sample import SUFFIX, directory, stamped, uuid
from ldaprepl.domain.verdict import Kind
from ldaprepl.wire.slapdproc import Slapd

Attributes = dict[str, list[bytes]]


def held(server: Slapd) -> dict[str, tuple[str, Attributes]]:
    """uuid -> DN and attributes, by python-ldap."""
    connection = ldap.initialize(server.ldap_uri)
    connection.simple_bind_s(ADMIN, SECRET)
    connection.set_option(ldap.OPT_SERVER_CONTROLS, [ManageDSAITControl()])
    found = connection.search_s(SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["*", "+"])
    connection.unbind_s()
    return {attributes["entryUUID"][0].decode(): (dn, attributes) for dn, attributes in found}


def names(finding: dict[str, Any]) -> frozenset[str]:
    return frozenset(attribute["name"].lower() for attribute in finding["attributes"]) - {"entryuuid"}


def assert_exactly(run: Run, planted: Sequence[Planted], provider: Slapd, consumer: Slapd) -> None:
    """Each planted divergence, once, in the words of the contract, and nothing else."""
    ours, theirs = held(provider), held(consumer)
    their_names = {dn.lower(): dn for dn, _ in theirs.values()}
    expected = []
    for what in planted:
        dn = theirs[what.uuid][0] if what.kind is Kind.EXTRA else ours[what.uuid][0]
        if what.kind is Kind.MISSING:
            other = None
        elif what.kind is Kind.IDENTITY:
            other = their_names[dn.lower()]
        else:
            other = theirs[what.uuid][0]
        expected.append((what.kind.value, dn, other, what.uuid, frozenset(map(str.lower, what.attributes))))
    found = [(f["kind"], f["dn"], f["consumer_dn"], f["uuid"], names(f)) for f in run.findings]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert {finding["state"] for finding in run.findings} == {"lasting"}
    entries = run.consumer["entries"]
    wrong = sum(what.kind is not Kind.EXTRA for what in planted)
    assert entries == {"provider": len(ours), "consumer": len(theirs), "equal": len(ours) - wrong}
    assert run.code == 1
    assert run.report["verdict"] == run.consumer["verdict"] == "diverged"


@pytest.fixture(scope="module")
def sample() -> list[Entry]:
    return list(stamped(awkward(5000)))


@pytest.fixture(scope="module")
def provider(slapd_module: SlapdFactory, sample: list[Entry]) -> Slapd:
    return filled(slapd_module(conf()), sample)


@pytest.mark.parametrize("order", [list, shuffled], ids=["same order", "random order"])
def test_thirty_divergences_among_five_thousand_awkward_entries(
    slapd: SlapdFactory, provider: Slapd, sample: list[Entry], order: Callable[[list[Entry]], list[Entry]]
) -> None:
    wrong, planted = plant(sample, 6)
    wrong, harmless = disguise(wrong, every=3)
    assert len(planted) == 30
    assert len(harmless) > 1000
    consumer = filled(slapd(conf()), order(wrong))
    assert_exactly(verify(provider, consumer), planted, provider, consumer)


def test_an_equal_copy_in_other_words_is_equal(slapd: SlapdFactory, provider: Slapd, sample: list[Entry]) -> None:
    consumer = filled(slapd(conf()), shuffled(disguise(sample)[0]))
    run = verify(provider, consumer)
    assert run.code == 0
    assert run.report["verdict"] == "equal"
    assert run.consumer["entries"] == {"provider": 5000, "consumer": 5000, "equal": 5000}
    assert run.findings == []
    bytewise = verify(provider, consumer, "--bytewise")
    assert bytewise.code == 1, "the words are other ones"


def test_more_suspects_than_are_held_at_once(slapd: SlapdFactory) -> None:
    """A branch that hangs elsewhere: thousands of entries are renamed, none is missing, however they are cut."""
    sample = list(stamped(directory(2600)))
    moved = [
        Entry(entry.dn.replace("ou=people,", "ou=persons,"), {**entry.attributes, **_own_name(entry)})
        for entry in sample
    ]
    provider, consumer = filled(slapd(conf()), sample), filled(slapd(conf()), moved)
    run = verify(provider, consumer)
    below = sum("ou=people," in entry.dn for entry in sample)
    assert below > 2300
    assert [finding["kind"] for finding in run.findings] == ["renamed"] * below
    assert all(f["consumer_dn"] == f["dn"].replace("ou=people,", "ou=persons,") for f in run.findings)


def _own_name(entry: Entry) -> dict[str, tuple[bytes, ...]]:
    return {"ou": (b"persons",)} if entry.dn.startswith("ou=people,") else {}


def test_suspects_are_read_anonymously_too(slapd: SlapdFactory) -> None:
    """slapd hangs up when more than 100 requests of an anonymous client wait."""
    sample = list(stamped(directory(500)))
    other = [Entry(entry.dn, {**entry.attributes, "description": (b"other",)}) for entry in sample]
    provider, consumer = filled(slapd(conf()), sample), filled(slapd(conf()), other)
    run = verify(provider, consumer, bind=None)
    assert run.code == 1
    assert [finding["kind"] for finding in run.findings] == ["differs"] * 500


def test_names_that_the_other_server_cannot_even_read(slapd: SlapdFactory, provider: Slapd) -> None:
    """A class that only one side knows: the entry is missing there, which is no reason to give up."""
    odd = Entry(
        f"oddName=x,{SUFFIX}",
        {
            "objectClass": (b"oddThing",),
            "oddName": (b"x",),
            "structuralObjectClass": (b"oddThing",),
            "entryUUID": (uuid(7, 7).encode(),),
            "entryCSN": (b"20240101000000.000000Z#000000#000#000000",),
        },
    )
    sample = list(stamped(directory(50)))
    schema = (
        "attributetype ( 1.3.6.1.4.1.4203.666.99.8.1 NAME 'oddName' SUP name )",
        "objectclass ( 1.3.6.1.4.1.4203.666.99.8.2 NAME 'oddThing' SUP top STRUCTURAL MUST oddName )",
    )
    plain = conf()
    knowing = filled(slapd(type(plain)(plain.database, lines=(*plain.lines, *schema))), [*sample, odd])
    ignorant = filled(slapd(plain), sample)
    missing = verify(knowing, ignorant)
    assert [(f["kind"], f["dn"], f["consumer_dn"]) for f in missing.findings] == [("missing", odd.dn, None)]
    extra = verify(ignorant, knowing)
    assert [(f["kind"], f["dn"], f["consumer_dn"]) for f in extra.findings] == [("extra", odd.dn, odd.dn)]


# -- against a naive comparison ----------------------------------------------------------------------------------------

CASE_IGNORED = ("sn", "title", "l")


def naive(ours: dict[str, tuple[str, Attributes]], theirs: dict[str, tuple[str, Attributes]]) -> set[tuple[str, ...]]:
    """Kinds by uuid and by DN as text, from two dicts."""
    found: set[tuple[str, ...]] = set()
    their_dns = {dn.lower() for dn, _ in theirs.values()}
    our_dns = {dn.lower(): identity for identity, (dn, _) in ours.items()}
    for identity, (dn, attributes) in ours.items():
        if identity in theirs:
            other_dn, other = theirs[identity]
            if dn.lower() != other_dn.lower():
                found.add(("renamed", identity))
            elif canonical(attributes) != canonical(other):
                found.add(("differs", identity))
        elif dn.lower() in their_dns and not any(
            held_dn.lower() == dn.lower() and other_id in ours for other_id, (held_dn, _) in theirs.items()
        ):
            found.add(("identity", identity))
        else:
            found.add(("missing", identity))
    for identity, (dn, _) in theirs.items():
        below = our_dns.get(dn.lower())
        if identity not in ours and ("identity", below) not in found:
            found.add(("extra", identity))
    return found


def canonical(attributes: Attributes) -> dict[str, list[bytes]]:
    left_out = ("entryDN", "subschemaSubentry", "hasSubordinates", "contextCSN")
    return {
        name: sorted(value.lower() if name in CASE_IGNORED else value for value in values)
        for name, values in attributes.items()
        if name not in left_out
    }


def mutated(sample: list[Entry], chance: random.Random) -> list[Entry]:
    """The sample with some damage, of which some is none."""
    result = []
    leaves = {number for number, entry in enumerate(sample) if b"inetOrgPerson" in entry.values("objectClass")}
    swapped = chance.sample(sorted(leaves), 4)
    swap = dict(zip(swapped, swapped[1:] + swapped[:1], strict=True))  # a ring: each takes the next one's name
    for number, entry in enumerate(sample):
        values = dict(entry.attributes)
        dn = entry.dn
        roll = chance.random()
        if number in swap:
            dn, values["uid"] = sample[swap[number]].dn, sample[swap[number]].values("uid")
        elif number not in leaves or roll < 0.6:
            pass
        elif roll < 0.65:
            continue
        elif roll < 0.7:
            values["entryUUID"] = (uuid(number, 99).encode(),)
        elif roll < 0.75:
            new = b"moved%d" % number
            dn, values["uid"] = f"uid={new.decode()},{dn.partition(',')[2]}", (new,)
        elif roll < 0.8:
            values["sn"] = (values["sn"][0].upper(),)
        elif roll < 0.85:
            values["mail"] = values["mail"][::-1]
        elif roll < 0.9:
            values["loginShell"] = (b"/BIN/bash",)
        elif roll < 0.95:
            values["entryCSN"] = (b"20250101000000.000000Z#000000#000#000000",)
        else:
            result.append(Entry(f"uid=more{number},{SUFFIX}", {**values, **_more(number)}))
        result.append(Entry(dn, values))
    chance.shuffle(result)
    return result


def _more(number: int) -> dict[str, tuple[bytes, ...]]:
    return {"uid": (b"more%d" % number,), "entryUUID": (uuid(number, 98).encode(),)}


@pytest.fixture(scope="module")
def ordinary(slapd_module: SlapdFactory) -> Iterator[tuple[Slapd, list[Entry]]]:
    sample = list(stamped(directory(600)))
    yield filled(slapd_module(conf()), sample), sample


@pytest.mark.parametrize("seed", range(3))
def test_the_naive_comparison_says_the_same(
    slapd: SlapdFactory, ordinary: tuple[Slapd, list[Entry]], seed: int
) -> None:
    provider, sample = ordinary
    consumer = filled(slapd(conf()), mutated(sample, random.Random(seed)))
    run = verify(provider, consumer)
    assert {(finding["kind"], finding["uuid"]) for finding in run.findings} == naive(held(provider), held(consumer))
    assert {kind for kind, _ in naive(held(provider), held(consumer))} == {kind.value for kind in Kind}
