"""The fears: entries called equal that are not, a difference where there is none, a finding under the wrong name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.compare import Comparer, Divergence
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import AttributeDifference, Kind
from ldaprepl.protocol.ber import OCTET_STRING, SEQUENCE, SET, integer, tlv
from ldaprepl.protocol.messages import decode_entry, decode_values

BASE = "dc=example,dc=com"
SYNTAX = "1.3.6.1.4.1.1466.115.121.1"
SCHEMA = Schema.parse(
    [
        f"( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX {SYNTAX}.15 )",
        "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
        "( 2.5.4.4 NAME ( 'sn' 'surname' ) SUP name )",
        "( 2.5.4.11 NAME 'ou' SUP name )",
        f"( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch SYNTAX {SYNTAX}.12 )",
        f"( 2.5.4.35 NAME 'userPassword' EQUALITY octetStringMatch SYNTAX {SYNTAX}.40 )",
        f"( 1.2.3 NAME 'exact' EQUALITY caseExactMatch SYNTAX {SYNTAX}.15 )",
        f"( 1.2.4 NAME 'local' EQUALITY integerMatch SYNTAX {SYNTAX}.27 USAGE dSAOperation )",
        f"( 1.2.5 NAME 'noRule' SYNTAX {SYNTAX}.15 )",
        f"( 0.9.2342.19200300.100.1.25 NAME 'dc' EQUALITY caseIgnoreIA5Match SYNTAX {SYNTAX}.26 )",
        f"( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch SYNTAX {SYNTAX}.12"
        " USAGE dSAOperation )",
    ]
)
A, B, C = (f"{letter * 8}-0000-4000-a000-000000000000" for letter in "abc")


def comparer(schema: Schema = SCHEMA, **scope: Any) -> Comparer:
    return Comparer(schema, ReplicationScope(BASE, **scope), decode_entry, decode_values)


def entry(name: str, uuid: str | None = A, base: str = BASE, **attributes: Any) -> Entry:
    held = {key: tuple(values) for key, values in attributes.items()}
    return Entry(f"{name},{base}" if name else base, held | ({"entryUUID": (uuid.encode(),)} if uuid else {}))


def frame(entry: Entry) -> bytes:
    """As it comes over the wire."""
    attributes = [
        tlv(SEQUENCE, tlv(OCTET_STRING, name.encode()), tlv(SET, *(tlv(OCTET_STRING, value) for value in values)))
        for name, values in entry.attributes.items()
    ]
    dn = entry.dn.encode("utf-8", "surrogateescape")
    return tlv(SEQUENCE, integer(100), tlv(0x64, tlv(OCTET_STRING, dn), tlv(SEQUENCE, *attributes)))


def same(ours: Entry, theirs: Entry, judge: Comparer | None = None) -> bool:
    """Both ways of asking must give one answer."""
    judge = judge or comparer()
    undecoded = judge.same_frames(frame(ours), frame(theirs))
    if ours.dn == theirs.dn:
        assert undecoded == (not judge.differences(ours, theirs))
    return undecoded


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"cn": [b"a", b"b"]}, {"cn": [b"b", b"a"]}),
        ({"cn": [b"Ada  Lovelace"]}, {"cn": [b"ada lovelace"]}),
        ({"cn": [b"a"], "sn": [b"b"]}, {"sn": [b"b"], "cn": [b"a"]}),
        ({"cn": [b"a"]}, {"commonName": [b"A"]}),
        ({"cn": [b"a"]}, {"2.5.4.3": [b"a"]}),
        ({"cn": [b"a"]}, {"CN": [b"a"]}),
        ({"cn": [b"a", b"b"]}, {"cn": [b"a"], "commonName": [b"b"]}),
        ({"member": [b"cn=A,dc=x"]}, {"member": [b"CN = a , DC=X"]}),
        ({"cn;lang-de;lang-at": [b"a"]}, {"cn;LANG-AT;lang-de": [b"a"]}),
        ({"local": [b"1"]}, {"local": [b"2"]}),
        ({}, {"local": [b"2"], "entryDN": [b"x"], "hasSubordinates": [b"TRUE"], "memberOf": [b"cn=x"]}),
        ({"contextCSN": [b"1"]}, {"contextCSN": [b"2"]}),
    ],
)
def test_the_same_in_other_words(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert same(entry("cn=a", **ours), entry("cn=a", **theirs))
    assert same(entry("cn=a", **theirs), entry("cn=a", **ours))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"cn": [b"a"]}, {"cn": [b"b"]}),
        ({"cn": [b"a"]}, {}),
        ({"cn": [b"a"]}, {"cn": [b"a", b"b"]}),
        ({"cn": [b"a"]}, {"cn": []}),
        ({"cn": [b"a"]}, {"cn": [b"a"], "commonName": [b"b"]}),
        ({"cn": [b"a"]}, {"cn;lang-de": [b"a"]}),
        ({"cn": [b"a"]}, {"sn": [b"a"]}),
        ({"exact": [b"a"]}, {"exact": [b"A"]}),
        ({"userPassword": [b"a"]}, {"userPassword": [b"A"]}),
        ({"userPassword": [b"a "]}, {"userPassword": [b"a"]}),
        ({"noRule": [b"a"]}, {"noRule": [b"A"]}),
        ({"unheardOf": [b"a"]}, {"unheardOf": [b"A"]}),
        ({"cn": [b"\xff"]}, {"cn": [b"\xfe"]}),
        ({"cn": [b""]}, {}),
        ({"modifyTimestamp": [b"20240101000000Z"]}, {"modifyTimestamp": [b"20240101000001Z"]}),
        ({"entryCSN": [b"20240101000000.000000Z#000000#000#000000"]}, {}),
    ],
)
def test_different(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert not same(entry("cn=a", **ours), entry("cn=a", **theirs))
    assert not same(entry("cn=a", **theirs), entry("cn=a", **ours))


def test_a_value_that_comes_twice_is_not_the_value_that_comes_once() -> None:
    """No server should send it; if one does, it is not hidden."""
    assert not same(entry("cn=a", cn=[b"a", b"A"]), entry("cn=a", cn=[b"a"]))


def test_dns_are_the_same_by_their_rules_only() -> None:
    judge = comparer()
    assert judge.same_frames(frame(entry("cn=A b")), frame(entry("CN = a  B")))
    assert not judge.same_frames(frame(entry("exact=A")), frame(entry("exact=a")))
    assert not judge.same_frames(frame(entry("cn=a")), frame(entry("cn=b")))


def test_bytes_only_when_asked() -> None:
    plain = comparer(Schema.EMPTY)
    assert not same(entry("cn=a", cn=[b"a"]), entry("cn=a", cn=[b"A"]), plain)
    assert same(entry("cn=a", cn=[b"a", b"b"]), entry("cn=a", cn=[b"b", b"a"]), plain)


def test_differences_name_what_each_side_lacks() -> None:
    ours = entry("cn=a", cn=[b"x", b"Same", b"y"], sn=[b"s"], member=[b"cn=a"])
    theirs = entry("cn=a", CN=[b"same", b"z"], sn=[b"S"], exact=[b"e"])
    assert comparer().differences(ours, theirs) == (
        AttributeDifference("cn", (b"x", b"y"), (b"z",)),
        AttributeDifference("exact", (), (b"e",)),
        AttributeDifference("member", (b"cn=a",), ()),
    )


# -- the scope ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "ignored", "compared"),
    [
        ({}, ["local", "memberOf", "entryDN", "contextCSN"], ["cn", "entryCSN", "entryUUID", "modifyTimestamp"]),
        ({"attrs": ("*", "+", "memberOf")}, ["local", "entryDN"], ["memberOf", "MEMBEROF", "cn", "entryCSN"]),
        ({"attrs": ("*",)}, ["entryCSN", "entryUUID", "modifyTimestamp"], ["cn"]),
        ({"attrs": ("cn",)}, ["entryCSN", "entryUUID", "modifyTimestamp"], ["cn", "cn;lang-de"]),
        ({"attrs": ("cn", "entryCSN")}, ["entryUUID"], ["entryCSN"]),
        ({"exattrs": ("cn",)}, ["cn", "commonName", "2.5.4.3", "cn;lang-de"], ["sn"]),
        ({"exattrs": ("cn;lang-de",)}, ["cn;lang-de", "CN;LANG-DE"], ["cn", "cn;lang-en"]),
        ({"attrs": ("memberOf",), "exattrs": ("memberOf",)}, ["memberOf"], []),
    ],
)
def test_which_attributes_count(scope: dict[str, Any], ignored: list[str], compared: list[str]) -> None:
    judge = comparer(**scope)
    assert [name for name in ignored if not judge.ignored(name)] == []
    assert [name for name in compared if judge.ignored(name)] == []


def test_another_suffix_in_names_and_in_values_that_are_names() -> None:
    judge = comparer(suffixmassage="o=copy")
    ours = entry("cn=a", member=[b"cn=b,dc=example,dc=com", b"cn=c,o=else"], exact=[b"dc=example,dc=com"])
    theirs = entry("cn=a", base="o=copy", member=[b"cn=b,O=Copy", b"cn=c,o=else"], exact=[b"dc=example,dc=com"])
    assert same(ours, theirs, judge)
    assert judge.differences(ours, theirs) == ()
    assert not same(ours, entry("cn=a", base="o=copy", member=[b"cn=b,dc=example,dc=com", b"cn=c,o=else"]), judge)
    assert judge.consumer_dn("cn=a,dc=example,dc=com") == "cn=a,o=copy"
    assert judge.provider_dn("cn=a,O = copy") == "cn=a,dc=example,dc=com"
    assert judge.provider_dn("cn=a,o=elsewhere") == "cn=a,o=elsewhere"
    assert judge.rename is not None
    assert judge.rename(b"cn=\xff,o=copy") == b"cn=\xff,dc=example,dc=com"
    assert comparer().rename is None


def test_the_entries_above_up_to_the_base() -> None:
    judge = comparer()
    assert judge.above(f"cn=a\\,b, ou=c,{BASE}") == [f"ou=c,{BASE}", BASE]
    assert judge.above(BASE) == []
    assert judge.above("dc=com") == []
    assert judge.above("cn=elsewhere,o=x") == []
    assert judge.above('cn="broken') == []
    assert Comparer(SCHEMA, ReplicationScope(""), decode_entry, decode_values).above("cn=a,dc=x") == []


def test_parents_sort_before_children_and_branches_stay_together() -> None:
    dns = [f"cn=b,ou=x,{BASE}", BASE, f"ou=y,{BASE}", f"ou=x,{BASE}", f"cn=a,ou=y,{BASE}", f"cn=a,OU=X,{BASE}"]
    assert sorted(dns, key=comparer().tree_order) == [
        BASE, f"ou=x,{BASE}", f"cn=a,OU=X,{BASE}", f"cn=b,ou=x,{BASE}", f"ou=y,{BASE}", f"cn=a,ou=y,{BASE}",
    ]  # fmt: skip


# -- which finding -----------------------------------------------------------------------------------------------------


def kinds(ours: list[Entry], theirs: list[Entry], judge: Comparer | None = None) -> set[tuple[Kind, str, str, str]]:
    found = (judge or comparer()).classify(ours, theirs)
    return {(d.finding.kind, d.finding.dn, d.finding.consumer_dn, d.finding.uuid[:1]) for d in found}


def test_each_kind() -> None:
    a, b = f"cn=a,{BASE}", f"cn=b,{BASE}"
    assert kinds([entry("cn=a")], []) == {(Kind.MISSING, a, "", "a")}
    assert kinds([], [entry("cn=a")]) == {(Kind.EXTRA, a, a, "a")}
    assert kinds([entry("cn=a")], [entry("cn=b")]) == {(Kind.RENAMED, a, b, "a")}
    assert kinds([entry("cn=a", sn=[b"x"])], [entry("cn=a")]) == {(Kind.DIFFERS, a, a, "a")}
    assert kinds([entry("cn=a")], [entry("cn=a", B)]) == {(Kind.IDENTITY, a, a, "a")}
    assert kinds([entry("cn=a")], [entry("cn=A")]) == set()
    assert kinds([entry("cn=a")], [entry("cn=a", A.upper())]) == set()


def test_combinations() -> None:
    a, b, c = (f"cn={name},{BASE}" for name in "abc")
    swap = kinds([entry("cn=a", A), entry("cn=b", B)], [entry("cn=a", B), entry("cn=b", A)])
    assert swap == {(Kind.RENAMED, a, b, "a"), (Kind.RENAMED, b, a, "b")}
    replaced = kinds([entry("cn=a", A)], [entry("cn=a", B), entry("cn=c", A)])
    assert replaced == {(Kind.RENAMED, a, c, "a"), (Kind.EXTRA, a, a, "b")}
    pushed = kinds([entry("cn=a", A), entry("cn=b", B)], [entry("cn=b", A), entry("cn=c", C)])
    assert pushed == {(Kind.RENAMED, a, b, "a"), (Kind.MISSING, b, "", "b"), (Kind.EXTRA, c, c, "c")}


def test_without_entryuuid_the_name_is_the_identity() -> None:
    a, b = f"cn=a,{BASE}", f"cn=b,{BASE}"
    assert kinds([entry("cn=a", None)], [entry("cn=b", None)]) == {(Kind.MISSING, a, "", ""), (Kind.EXTRA, b, b, "")}
    assert kinds([entry("cn=a", None, sn=[b"x"])], [entry("cn=a", None)]) == {(Kind.DIFFERS, a, a, "")}
    assert kinds([entry("cn=a", A)], [entry("cn=a", None)]) == {(Kind.DIFFERS, a, a, "a")}
    blind = comparer(exattrs=("entryUUID",))
    assert kinds([entry("cn=a", A)], [entry("cn=a", B)], blind) == set()
    assert kinds([entry("cn=a", A)], [entry("cn=b", A)], blind) == {(Kind.MISSING, a, "", "a"), (Kind.EXTRA, b, b, "a")}


def test_one_entry_read_under_two_names_while_it_was_moved() -> None:
    """Either side; it must not be taken for two partners."""
    a, b = f"cn=a,{BASE}", f"cn=b,{BASE}"
    both = [entry("cn=a"), entry("cn=b")]
    assert kinds(both, [entry("cn=b")]) == {(Kind.MISSING, a, "", "a")}
    assert kinds(both, [entry("cn=a")]) == {(Kind.MISSING, b, "", "a")}
    assert kinds([entry("cn=b")], both) == {(Kind.EXTRA, a, a, "a")}
    assert len(kinds(both, [entry("cn=c")])) == 2


def test_two_entries_of_one_server_that_are_one_by_schema_both_count() -> None:
    """389 DS and old masters hold what slapd would refuse; neither may hide the other."""
    ours = [entry("cn=a", A), entry("cn=A", B)]
    assert len(kinds(ours, [])) == 2
    assert len(kinds([], ours)) == 2


UUIDS = st.integers(0, 9).map(lambda number: f"00000000-0000-4000-a000-{number:012}")
SIDES = st.dictionaries(st.integers(0, 9).map(lambda n: f"cn={n}"), st.tuples(UUIDS, st.sampled_from([b"x", b"y"])))


@given(SIDES, SIDES)
def test_every_entry_is_accounted_for_once(
    ours: dict[str, tuple[str, bytes]], theirs: dict[str, tuple[str, bytes]]
) -> None:
    """Whatever two servers hold, one uuid twice included: nothing is lost, nothing is counted twice."""
    left = [entry(name, identity, sn=[value]) for name, (identity, value) in ours.items()]
    right = [entry(name, identity, sn=[value]) for name, (identity, value) in theirs.items()]
    found: list[Divergence] = comparer().classify(left, right)
    our_names = [d.finding.dn for d in found if d.finding.kind is not Kind.EXTRA]
    their_names = [d.finding.consumer_dn for d in found if d.finding.consumer_dn]
    assert len(set(our_names)) == len(our_names)
    assert len(set(their_names)) == len(their_names)
    equal = {e.dn for e in left if e in right}
    assert set(our_names) == {e.dn for e in left} - equal
    assert set(their_names) == {e.dn for e in right} - equal
