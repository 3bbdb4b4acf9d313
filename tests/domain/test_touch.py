"""What a touch writes: nothing that changes an entry, nothing of anybody in a moment's entry, and nothing too early."""

from __future__ import annotations

from ldaprepl.domain.change import Add, Delete, Modify
from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.mend import Case
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.touch import Places, Seen, as_changes, moment, next_round, touch, why_not_healed
from ldaprepl.domain.verdict import AttributeDifference, Finding, Kind

BASE = "dc=lab"
_TEXT = "EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15"
SCHEMA = Schema.parse(
    [
        f"( 2.5.4.3 NAME 'cn' {_TEXT} )",
        f"( 2.5.4.4 NAME 'sn' {_TEXT} )",
        f"( 2.5.4.0 NAME 'objectClass' {_TEXT} )",
        f"( 2.5.18.1 NAME 'createTimestamp' {_TEXT} NO-USER-MODIFICATION USAGE directoryOperation )",
        f"( 1.2.3 NAME 'entryUUID' {_TEXT} NO-USER-MODIFICATION USAGE directoryOperation )",
        f"( 1.2.4 NAME 'pwdFailureTime' {_TEXT} USAGE directoryOperation )",
    ]
)
COMPARER = Comparer(SCHEMA, ReplicationScope(BASE), lambda frame: (frame, ()), lambda values: ())
PLACES = Places(COMPARER.dn_key, COMPARER.above, COMPARER.provider_dn)
NOTHING = Seen({}, ())
CSN = "20260101000000.000000Z#000000#000#000000"


def case(kind: Kind, dn: str, uuid: str, consumer_dn: str = "", *different: str, **held: tuple[bytes, ...]) -> Case:
    attributes = {"objectClass": (b"person",), "entryCSN": (CSN.encode(),), "entryUUID": (uuid.encode(),), **held}
    differences = tuple(AttributeDifference(name, attributes.get(name, ()), (b"other",)) for name in different)
    finding = Finding(kind, dn, consumer_dn, uuid, attributes=differences)
    ours = None if kind is Kind.EXTRA else Entry(dn, attributes)
    theirs = (
        None if kind is Kind.MISSING else Entry(consumer_dn, {**attributes, **dict.fromkeys(different, (b"other",))})
    )
    return Case(finding, ours, theirs)


def test_values_are_replaced_by_themselves() -> None:
    names = (
        "sn",
        "entryCSN",
        "modifyTimestamp",
        "modifiersName",
        "structuralObjectClass",
        "pwdFailureTime",
        "memberOf",
    )
    dn = f"cn=a,{BASE}"
    made = touch(
        case(Kind.DIFFERS, dn, "1", dn, *names, "createTimestamp", sn=(b"x", b"y"), createTimestamp=(b"t",)), SCHEMA
    )
    assert [(mod.how, mod.name, mod.values) for mod in made.mods] == [
        ("replace", "objectClass", (b"person",)), ("replace", "sn", (b"x", b"y")),
    ]  # fmt: skip
    assert [(mod.how, mod.name, mod.values) for mod in made.relaxed] == [("replace", "createTimestamp", (b"t",))]
    assert made.csn == CSN


def test_a_password_that_a_policy_watches_is_left_alone() -> None:
    dn = f"cn=a,{BASE}"
    for held, named in (({}, True), ({"pwdChangedTime": (b"20260101000000Z",)}, False)):
        made = touch(case(Kind.DIFFERS, dn, "1", dn, "userPassword", userPassword=(b"x",), **held), SCHEMA)
        assert ("userPassword" in {mod.name for mod in made.mods}) is named


def test_another_identity_is_named() -> None:
    dn = f"cn=a,{BASE}"
    made = touch(case(Kind.IDENTITY, dn, "1", dn), SCHEMA)
    assert [(mod.name, mod.values) for mod in made.relaxed] == [("entryUUID", (b"1",))]


def test_a_moments_entry_holds_its_name_and_the_mark_only() -> None:
    dn = f"cn=a+sn=b\\, c,{BASE}"
    made = moment(case(Kind.EXTRA, dn, "1", dn, userPassword=(b"secret",)).finding, dn)
    assert made.attributes["cn"] == (b"ldaprepl-box", b"a")
    assert made.attributes["sn"] == (b"b, c",)
    assert set(made.attributes) == {"objectClass", "cn", "sn"}


def test_moments_come_from_the_top_and_go_from_the_bottom() -> None:
    top, below = f"cn=a,{BASE}", f"cn=b,cn=a,{BASE}"
    made = next_round([case(Kind.EXTRA, below, "2", below), case(Kind.EXTRA, top, "1", top)], NOTHING, SCHEMA, PLACES)
    changes = as_changes(made)
    assert [(type(change), change.dn) for change in changes] == [
        (Add, top),
        (Add, below),
        (Delete, below),
        (Delete, top),
    ]
    added = changes[0]
    assert isinstance(added, Add)
    assert added.attributes["entryUUID"] == (b"1",)


def waiting(*cases: Case, seen: Seen = NOTHING) -> dict[str, str]:
    return {finding.uuid: reason for finding, reason in next_round(cases, seen, SCHEMA, PLACES).waiting}


def test_what_is_below_a_renamed_entry_waits() -> None:
    top = case(Kind.RENAMED, f"cn=a,{BASE}", "1", f"cn=b,{BASE}")
    others = (
        case(Kind.RENAMED, f"cn=x,cn=a,{BASE}", "2", f"cn=x,cn=b,{BASE}"),
        case(Kind.MISSING, f"cn=y,cn=a,{BASE}", "3"),
        case(Kind.EXTRA, f"cn=z,cn=b,{BASE}", "4", f"cn=z,cn=b,{BASE}"),
    )
    assert set(waiting(top, *others)) == {"2", "3", "4"}
    assert not waiting(*others[1:])


def test_what_stands_in_the_way_goes_first() -> None:
    mine = case(Kind.RENAMED, f"cn=a,{BASE}", "1", f"cn=b,{BASE}")
    held = COMPARER.dn_key(f"CN=A,{BASE}")
    assert "name" in waiting(mine, seen=Seen({held: "2"}, ()))["1"]
    assert not waiting(mine, seen=Seen({held: "1"}, ()))  # another spelling of its own name


def test_a_container_waits_for_what_is_in_it() -> None:
    stray = case(Kind.EXTRA, f"cn=s,{BASE}", "1", f"cn=s,{BASE}")
    child = case(Kind.RENAMED, f"cn=a,{BASE}", "2", f"cn=a,cn=t,cn=s,{BASE}")
    assert set(waiting(stray, child)) == {"1"}
    assert set(waiting(stray, seen=Seen({}, (f"cn=q,cn=s,{BASE}",)))) == {"1"}
    assert not waiting(stray)


def test_changes_name_every_touch() -> None:
    dn = f"cn=a,{BASE}"
    (change,) = as_changes(next_round([case(Kind.IDENTITY, dn, "1", dn)], NOTHING, SCHEMA, PLACES))
    assert isinstance(change, Modify)
    assert [mod.name for mod in change.mods] == ["objectClass", "entryUUID"]


def test_an_entry_from_the_future_is_named_as_such() -> None:
    dn = f"cn=a,{BASE}"
    held = case(Kind.DIFFERS, dn, "1", dn, "sn")
    assert "future" not in why_not_healed(held)
    later = Entry(dn, {"entryCSN": (b"20990101000000.000000Z#000000#000#000000",)})
    assert "future" in why_not_healed(Case(held.finding, held.ours, later))


def test_what_only_the_consumer_has_is_not_sent_unasked() -> None:
    """It may be that the provider only hides it from us: never in LDIF, and a secret never at all."""
    dn = f"cn=a,{BASE}"
    held = case(Kind.DIFFERS, dn, "1", dn, "sn", "userPassword", "createTimestamp")
    made = touch(held, SCHEMA)
    assert made.absent == ("sn",)
    assert [mod.name for mod in (*made.mods, *made.relaxed)] == ["objectClass"]
    (change,) = as_changes(next_round([held], NOTHING, SCHEMA, PLACES))
    assert isinstance(change, Modify)
    assert all(mod.values for mod in change.mods)


def test_why_a_touch_did_not_heal() -> None:
    dn = f"cn=a,{BASE}"
    subentry = case(Kind.DIFFERS, dn, "1", dn, "sn", objectClass=(b"top", b"subEntry"))
    for found, words in (
        (case(Kind.EXTRA, dn, "1", dn), "the consumer has kept it"),
        (subentry, "a refresh never sends a subentry"),
        (case(Kind.DIFFERS, dn, "1", dn, "userPassword"), "or a password policy keeps it"),
        (case(Kind.DIFFERS, dn, "1", dn, "sn"), "or its stanza leaves it out"),
    ):
        assert words in why_not_healed(found)
