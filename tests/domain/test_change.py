"""The smallest Modify, the translation, the brake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.change import MaxDelete, Mod, Translation, difference
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import ReplicationScope

SCHEMA = Schema.parse(
    [
        "( 2.5.4.31 NAME 'member' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
        "( 2.5.4.3 NAME 'cn' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
        "( 0.9.2342.19200300.100.1.60 NAME 'jpegPhoto' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28 )",
    ]
)
EVERYTHING = Translation(ReplicationScope("dc=lab"), SCHEMA)


def apply(held: Entry, mods: tuple[Mod, ...]) -> dict[str, set[bytes]]:
    values = {name.lower(): set(held.attributes[name]) for name in held.attributes}
    for mod in mods:
        name = mod.name.lower()
        match mod.how:
            case "replace":
                values[name] = set(mod.values)
            case "add":
                assert not values.get(name, set()) & set(mod.values)
                values.setdefault(name, set()).update(mod.values)
            case "delete":
                assert name in values and (not mod.values or set(mod.values) <= values[name])
                values[name] -= set(mod.values) or values[name]
    return {name: held for name, held in values.items() if held}


_VALUES = st.lists(st.sampled_from([b"%d" % n for n in range(120)]), min_size=1, max_size=110, unique=True).map(tuple)
_ENTRIES = st.dictionaries(st.sampled_from(["cn", "member", "jpegPhoto", "x"]), _VALUES).map(
    lambda values: Entry("cn=x,dc=lab", values)
)


@given(_ENTRIES, _ENTRIES)
def test_the_modify_makes_one_entry_the_other(wanted: Entry, held: Entry) -> None:
    mods = difference(wanted, held, SCHEMA, EVERYTHING.writes)
    assert apply(held, mods) == {name.lower(): set(values) for name, values in wanted.attributes.items()}
    assert bool(mods) == (
        {n: set(v) for n, v in wanted.attributes.items()} != {n: set(v) for n, v in held.attributes.items()}
    )


def test_one_new_member_of_many_is_one_value_but_a_photo_is_replaced() -> None:
    """Values can be named only where the attribute has an equality rule (code 18)."""
    many = tuple(b"cn=%d" % n for n in range(100))
    wanted = Entry("", {"member": (*many, b"cn=new"), "jpegPhoto": (*many, b"p")})
    mods = difference(wanted, Entry("", {"member": many, "jpegPhoto": many}), SCHEMA, EVERYTHING.writes)
    assert mods == (Mod("add", "member", (b"cn=new",)), Mod("replace", "jpegPhoto", (*many, b"p")))


def test_whatever_changes_carries_the_three_stamps_together() -> None:
    """A Modify with entryCSN alone gets the others made up by the server."""
    stamps = {"entryCSN": (b"1",), "modifyTimestamp": (b"2",), "modifiersName": (b"cn=x",)}
    held = Entry("", {**stamps, "cn": (b"a",)})
    mods = difference(Entry("", {**stamps, "cn": (b"b",)}), held, SCHEMA, EVERYTHING.writes)
    assert {mod.name for mod in mods} == {"cn", *stamps}
    assert not difference(held, held, SCHEMA, EVERYTHING.writes)


def test_stamps_that_the_provider_does_not_give_stay_the_consumers_own() -> None:
    held = Entry("", {"cn": (b"a",), "entryUUID": (b"u",), "entryCSN": (b"1",), "structuralObjectClass": (b"x",)})
    assert difference(Entry("", {"cn": (b"a",)}), held, SCHEMA, EVERYTHING.writes) == ()


def test_whoever_names_a_supertype_gets_its_subtypes() -> None:
    """A server sends them, and an entry cannot be without the attribute that names it."""
    schema = Schema.parse(["( 2.5.4.41 NAME 'name' )", "( 2.5.4.3 NAME 'cn' SUP name )", "( 2.5.4.13 NAME 'd' )"])
    only = Translation(ReplicationScope("dc=lab", attrs=("name",)), schema)
    assert (only.writes("cn"), only.writes("cn;lang-de"), only.writes("d")) == (True, True, False)


def test_a_native_consumer_gets_what_slapcat_writes() -> None:
    """It would never be told the memberships that the seed left out."""
    names = ("cn", "memberOf", "pwdFailureTime", "entryUUID", "contextCSN", "entryDN")
    native = Translation(ReplicationScope("dc=lab"), SCHEMA, native=True)
    assert [native.writes(name) for name in names] == [True, True, True, True, False, False]
    assert [EVERYTHING.writes(name) for name in names] == [True, False, False, True, False, False]


def test_what_is_outside_of_the_scope_is_left_alone() -> None:
    only = Translation(ReplicationScope("dc=lab", attrs=("cn",), exattrs=("description",)), SCHEMA)
    held = Entry("", {"cn": (b"a",), "description": (b"local",), "sn": (b"local",), "contextCSN": (b"1",)})
    assert difference(Entry("", {"cn": (b"a",)}), held, SCHEMA, only.writes) == ()


def test_computed_attributes_are_never_written() -> None:
    """As updatedn they would be stored and then shown twice."""
    entry = Entry("dc=lab", dict.fromkeys(("entryDN", "hasSubordinates", "contextCSN", "cn"), (b"x",)))
    assert set(EVERYTHING.entry(entry).attributes) == {"cn"}


def test_the_suffix_moves_inside_of_dn_values_too() -> None:
    moved = Translation(ReplicationScope("dc=lab", suffixmassage="o=new"), SCHEMA)
    entry = Entry("cn=g,dc=lab", {"cn": (b"cn=x,dc=lab",), "member": (b"cn=x,dc=lab", b"cn=y,dc=else")})
    assert moved.entry(entry) == Entry(
        "cn=g,o=new", {"cn": (b"cn=x,dc=lab",), "member": (b"cn=x,o=new", b"cn=y,dc=else")}
    )


@pytest.mark.parametrize(
    ("text", "held", "allowed"),
    [("10%", 1000, 100), ("10%", 1009, 100), ("10%", 8, 4), ("10%", 30, 5), ("10%", 1, 0), ("7", 1000, 7), ("0", 50, 0),
     ("0%", 50, 0), ("100%", 50, 50)],
)  # fmt: skip
def test_the_brake(text: str, held: int, allowed: int) -> None:
    assert MaxDelete.parse(text).allowed(held) == allowed


@pytest.mark.parametrize("text", ["", "-1", "ten", "101%", "5.5", "nan%"])
def test_the_brake_takes_no_nonsense(text: str) -> None:
    with pytest.raises(ValueError):
        MaxDelete.parse(text)
