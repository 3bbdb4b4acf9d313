"""The fears: a cause that the evidence does not carry, and one that is there and not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.cause import Code
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.deduction import NOTHING, Evidence, Place, Setting, causes, deduce, notes
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.verdict import AttributeDifference, Finding, Kind, Late, State, Trace

BASE = "dc=x"
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def csn(minute: int, sid: int = 1) -> str:
    """A stamp of so many minutes after eleven."""
    hour, minute = divmod(11 * 60 + minute, 60)
    return f"20260101{hour:02}{minute:02}00.000000Z#000000#{sid:03x}#000000"


def setting(provider: int = 30, consumer: int = 30) -> Setting:
    return Setting(CsnSet.parse([csn(provider)]), CsnSet.parse([csn(consumer)]), ReplicationScope(BASE), NOW, 57)


def trace(minute: int, sid: int = 1) -> Trace:
    return Trace(csn(minute, sid))


def unequal(ours: Trace, theirs: Trace, *names: str, kind: Kind = Kind.DIFFERS, dn: str = "cn=a,dc=x") -> Finding:
    attributes = tuple(AttributeDifference(name, (b"1",), (b"2",)) for name in names or ("mail",))
    return Finding(kind, dn, dn, "u", State.LASTING, attributes, None, ours, theirs)


def missing(minute: int, sid: int = 1) -> Finding:
    return Finding(Kind.MISSING, "cn=a,dc=x", provider=trace(minute, sid))


def extra(minute: int, sid: int = 1) -> Finding:
    return Finding(Kind.EXTRA, "cn=a,dc=x", "cn=a,dc=x", consumer=trace(minute, sid))


def code(finding: Finding, known: Evidence = NOTHING, where: Setting | None = None) -> str | None:
    cause = deduce(finding, known, where or setting())
    return cause and cause.code


GONE = Evidence(Place.GONE)
GLUE = replace(trace(20), glue=True)


@pytest.mark.parametrize(
    ("finding", "wanted"),
    [
        (missing(20), Code.LOST_ADD),
        (missing(20, sid=7), None),  # no contextCSN speaks of server 7
        (Finding(Kind.MISSING, "cn=a,dc=x", provider=replace(trace(20), subentry=True)), Code.SUBENTRY),
        (extra(20), Code.LOST_DELETE),
        (extra(20, sid=7), Code.WRITTEN),
        (extra(40), Code.WRITTEN),  # newer than what the consumer has received
        (extra(200), Code.FUTURE),
        (Finding(Kind.EXTRA, "cn=a,dc=x", consumer=Trace()), None),  # no stamp, no story
        (Finding(Kind.EXTRA, "cn=a,dc=x", consumer=GLUE), Code.GLUE),
        (Finding(Kind.EXTRA, "cn=a,dc=x", consumer=replace(trace(20, sid=7), odd=True)), Code.FOREIGN_STAMP),
        (Finding(Kind.EXTRA, "cn=a,dc=x", consumer=replace(trace(20), odd=True)), Code.LOST_DELETE),  # failed binds
        (unequal(trace(20), trace(10)), Code.LOST_UPDATE),
        (unequal(trace(20), trace(20)), Code.SAME_STAMP),
        (unequal(trace(10), trace(20)), Code.WENT_BACK),
        (unequal(trace(10), trace(40)), Code.WRITTEN),
        (unequal(trace(10), trace(200)), Code.FUTURE),
        (unequal(trace(10), trace(20, sid=2)), Code.WRITTEN),
        (unequal(trace(20), trace(10, sid=2)), Code.WRITTEN),
        (unequal(trace(20), replace(trace(25, sid=0), odd=True)), Code.FOREIGN_STAMP),
        (unequal(trace(20), replace(trace(25, sid=0), odd=True), "entryCSN"), Code.STAMPS_ONLY),
        (unequal(trace(20), trace(10), "entryCSN", "modifyTimestamp"), Code.STAMPS_ONLY),
        (unequal(trace(20), trace(10), "memberOf", "entryCSN"), Code.SERVER_LOCAL),
        (unequal(trace(20), trace(10), "memberOf", "mail"), Code.LOST_UPDATE),
        (unequal(trace(20), GLUE), Code.GLUE),
        (unequal(GLUE, GLUE), Code.SAME_STAMP),  # a partial replica may be a provider, too
        (unequal(trace(20), trace(10), kind=Kind.RENAMED), Code.LOST_RENAME),
        (unequal(trace(20), GLUE, kind=Kind.IDENTITY), Code.GLUE),
        (unequal(trace(20), trace(10), kind=Kind.IDENTITY), None),
        (unequal(replace(trace(20), created="2"), trace(10), kind=Kind.IDENTITY), None),  # one alone tells nothing
        (unequal(replace(trace(10), created="1"), replace(trace(20), created="1"), kind=Kind.IDENTITY), None),
        (unequal(replace(trace(10), created="1"), replace(trace(40), created="2"), kind=Kind.IDENTITY), Code.WRITTEN),
        (unequal(Trace(), Trace()), None),
        (unequal(Trace("rubbish"), trace(10)), None),
        (unequal(trace(20), Trace("rubbish")), None),
    ],
)
def test_stamps_to_cause(finding: Finding, wanted: Code | None) -> None:
    assert code(finding, GONE) == wanted


def test_what_the_consumer_has_received_and_the_provider_has_not_went_back_there() -> None:
    where = setting(30, 50)
    assert code(extra(40), GONE, where) == code(unequal(trace(10), trace(40)), GONE, where) == Code.WENT_BACK
    assert code(extra(40), GONE, replace(where, consumer=CsnSet())) == Code.WENT_BACK


def test_who_was_made_first_tells_who_was_made_anew() -> None:
    old, new = replace(trace(10), created="20260101"), replace(trace(20), created="20260102")
    assert code(unequal(new, old, kind=Kind.IDENTITY)) == Code.RECREATED
    cause = deduce(unequal(old, new, kind=Kind.IDENTITY), NOTHING, setting())
    assert cause and cause.code == Code.WENT_BACK and cause.text.startswith("probably")


def test_who_wrote_on_the_consumer_is_named() -> None:
    for who, said in (("cn=boss", "cn=boss"), ("", "not shown"), ("CN=A,dc=x", "the entry itself")):
        finding = replace(extra(20, sid=7), consumer=Trace(csn(20, 7), who))
        cause = deduce(finding, GONE, setting())
        assert cause and cause.text.endswith(f"(modifiersName: {said})")


@pytest.mark.parametrize("kind", [Kind.DIFFERS, Kind.MISSING])
def test_a_change_that_the_consumer_does_not_claim_is_not_lost(kind: Kind) -> None:
    where = setting(30, 15)
    assert code(replace(unequal(trace(20), trace(10)), kind=kind), GONE, where) is None
    assert code(unequal(trace(12), trace(10)), GONE, where) == Code.LOST_UPDATE


def test_what_only_travels_is_lag_whatever_the_stamps_say() -> None:
    for finding in (missing(20), extra(20, sid=7), unequal(trace(10), trace(20))):
        assert code(replace(finding, state=State.BEHIND)) == Code.LAG
    other = deduce(replace(extra(20), state=State.BEHIND, late=Late.PROVIDER), NOTHING, setting())
    assert other and other.text == "the provider has not come to this change yet"


@pytest.mark.parametrize("place", Place)
def test_an_extra_entry_by_what_the_provider_says_of_it(place: Place) -> None:
    narrow = replace(setting(), scope=ReplicationScope(BASE, filter="(cn=b)"))
    hidden = place in (Place.HIDDEN, Place.BELOW_HIDDEN)
    scoped = Code.HIDDEN if hidden else Code.OUT_OF_SCOPE if place is Place.THERE else Code.LOST_DELETE
    assert code(extra(20), Evidence(place), narrow) == scoped
    cause = deduce(extra(20), Evidence(place), setting())
    if place is Place.THERE:
        assert cause is None, "it came back meanwhile: nothing is known"
    else:
        assert cause and cause.code == scoped
        assert cause.text.startswith("probably") == (place in (Place.UNKNOWN, Place.BELOW_HIDDEN))


def test_a_missing_entry_that_the_consumer_hides() -> None:
    assert code(missing(20), Evidence(Place.HIDDEN)) == Code.HIDDEN
    assert code(missing(20), Evidence(Place.THERE)) is None


@pytest.mark.parametrize("place", [Place.GONE, Place.UNKNOWN])
def test_a_lost_add_is_sure_where_the_consumer_says_so(place: Place) -> None:
    cause = deduce(missing(20), Evidence(place), setting())
    assert cause and cause.code == Code.LOST_ADD and cause.text.startswith("probably") is (place is Place.UNKNOWN)


def test_no_contextcsn_on_the_consumer() -> None:
    blind = replace(setting(), consumer=CsnSet())
    assert code(missing(20), GONE, blind) == Code.UNFINISHED
    for held in (0, 157):
        assert code(missing(20), GONE, replace(blind, consumer_entries=held)) == Code.UNFINISHED
    assert code(missing(20), GONE, replace(blind, consumer_entries=500)) == Code.CUT_BY_LIMIT
    assert code(unequal(trace(20), trace(10)), GONE, blind) == Code.UNFINISHED
    assert code(unequal(trace(20), trace(20)), GONE, blind) == Code.SAME_STAMP, "the stamps tell more"
    assert code(extra(20), GONE, blind) == Code.LOST_DELETE, "that it has too much is another story"
    nothing = replace(blind, provider=CsnSet())
    assert code(missing(20), GONE, nothing) is None
    assert code(extra(20), GONE, nothing) is None


def test_two_providers_may_both_be_right_about_their_own() -> None:
    both = CsnSet.parse([csn(30), csn(30, 2)])
    where = replace(setting(), provider=both, consumer=both)
    assert code(unequal(trace(20), trace(10, 2)), GONE, where) == Code.LOST_UPDATE
    assert code(unequal(trace(10), trace(20, 2)), GONE, where) is None, "the provider should have that: not ours to say"


# -- many findings -----------------------------------------------------------------------------------------------------


def codes(findings: list[Finding], evidence: list[Evidence] | None = None, where: Setting | None = None) -> list[str]:
    found = causes(findings, evidence or [GONE] * len(findings), where or setting())
    return [finding.cause.code if finding.cause else "" for finding in found]


def lacking(name: str, minute: int = 20, number: int = 0) -> Finding:
    theirs = replace(trace(minute), lacks=(name,))
    return unequal(trace(20), theirs, name, dn=f"cn={number},dc=x")


def test_an_attribute_that_never_came() -> None:
    two = [lacking("userPassword"), lacking("userPassword", number=1)]
    assert codes(two) == [Code.WITHHELD] * 2
    assert codes(two[:1]) == [Code.SAME_STAMP], "one is no pattern"
    assert codes([*two, lacking("mail")]) == [Code.WITHHELD] * 2 + [Code.SAME_STAMP]
    held = unequal(trace(20), trace(20), "userPassword", dn="cn=2,dc=x")
    assert codes([*two, held]) == [Code.SAME_STAMP] * 3, "the consumer has other values of it elsewhere"
    older = lacking("userPassword", 10, 2)
    assert codes([*two, older]) == [Code.WITHHELD] * 2 + [Code.LOST_UPDATE]
    assert codes([lacking("mail", 10), lacking("mail", 10, 1)]) == [Code.LOST_UPDATE] * 2, "older stamps tell more"


def test_what_hangs_below_a_renamed_entry() -> None:
    def renamed(ours: str, theirs: str, before: int, after: int) -> Finding:
        return Finding(Kind.RENAMED, ours, theirs, provider=trace(before), consumer=trace(after))

    findings = [
        renamed("ou=New,dc=x", "ou=old,dc=x", 20, 10),
        renamed("Cn=a,ou=new,dc=x", "cN=A,ou=old,dc=x", 5, 5),
        renamed("cn=b,cn=a,ou=new,dc=x", "cn=b,cn=a,ou=old,dc=x", 5, 5),
        renamed("cn=c,ou=new,dc=x", "cn=d,ou=old,dc=x", 20, 10),
        renamed("cn=e,ou=else,dc=x", "cn=e,ou=old,dc=x", 20, 10),
    ]
    moved, lost = Code.MOVED_ALONG, Code.LOST_RENAME
    assert codes(findings) == [lost, moved, moved, lost, lost]


def test_what_belongs_to_the_story_of_a_provider_that_went_back() -> None:
    proof = unequal(trace(10), trace(25))
    findings = [proof, missing(20), missing(28), extra(26), extra(20)]
    assert codes(findings) == [Code.WENT_BACK, Code.WENT_BACK, Code.LOST_ADD, Code.WENT_BACK, Code.LOST_DELETE]
    assert codes(findings[1:]) == [Code.LOST_ADD, Code.LOST_ADD, Code.LOST_DELETE, Code.LOST_DELETE]


def test_what_no_schema_can_hold_does_not_wait() -> None:
    behind = [replace(missing(40), state=State.BEHIND), replace(extra(20), state=State.BEHIND)]
    gap = Evidence(unknown=("shod", "shoeSize"))
    found = causes(behind, [gap, NOTHING], setting(50, 30))
    assert [finding.state for finding in found] == [State.LASTING, State.BEHIND]
    assert [finding.cause.code for finding in found if finding.cause] == [Code.SCHEMA_GAP, Code.HELD_UP]
    assert "shod, shoeSize" in found[0].cause.text if found[0].cause else False


def test_signs_in_the_contextcsns_alone() -> None:
    assert notes(setting()) == []
    assert notes(setting(30, 20)) == []
    (back,) = notes(setting(20, 30))
    assert "went back" in back
    assert notes(replace(setting(20, 30), image=True)) == [], "a delete is in no dump, and the consumer's may be newer"
    other = replace(setting(), consumer=CsnSet.parse([csn(30), csn(1, 2)]))
    (local,) = notes(other)
    assert "002" in local and "dump" not in local
    (unsure,) = notes(replace(other, image=True))
    assert "002" in unsure and "checkpoint" in unsure
    (clock,) = notes(setting(200, 30))
    assert "clock" in clock
    assert notes(replace(setting(20, 30), provider=CsnSet())) == []


STAMPS = st.one_of(
    st.just(""), st.just("rubbish"), st.builds(csn, st.integers(-300, 300), st.sampled_from([0, 1, 2, 4095]))
)
TRACES = st.builds(
    Trace, STAMPS, st.just(""), st.sampled_from(["", "20260101000000Z", "x"]), st.booleans(), st.booleans(),
    st.sampled_from([(), ("mail",), ("mail", "entryCSN")]),
)  # fmt: skip
DNS = st.sampled_from(["", "dc=x", "cn=a,dc=x", "cn=b,cn=a,dc=x", "no name", "=", "cn=\udcff,dc=x"])
FINDINGS = st.lists(
    st.builds(
        Finding, st.sampled_from(Kind), DNS, DNS, st.just(""), st.sampled_from(State),
        st.sampled_from([(), (AttributeDifference("mail", (b"1",), ()),), (AttributeDifference("entryCSN", (), ()),)]),
        st.none(), st.none() | TRACES, st.none() | TRACES,
    ),
    max_size=6,
)  # fmt: skip
SETS = st.lists(st.builds(csn, st.integers(-300, 300), st.sampled_from([0, 1, 2])), max_size=3).map(CsnSet.parse)


@given(FINDINGS, st.sampled_from(Place), SETS, SETS)
def test_no_evidence_breaks_it_and_nothing_but_cause_and_state_changes(
    findings: list[Finding], place: Place, provider: CsnSet, consumer: CsnSet
) -> None:
    where = Setting(provider, consumer, ReplicationScope(BASE), NOW, 100)
    found = causes(findings, [Evidence(place)] * len(findings), where)
    assert [replace(each, cause=None) for each in found] == findings
    for finding in found:
        if finding.state is State.BEHIND:
            assert finding.cause and finding.cause.code == Code.LAG
    notes(where)
