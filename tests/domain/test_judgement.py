"""The rules of `check`: what is lag, what is an alarm, and what is neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.health import (
    Criterion,
    Lacking,
    Policy,
    Sight,
    Standing,
    Status,
    SyncState,
    Trouble,
    Vitals,
    worst,
)
from ldaprepl.domain.judgement import Debt, Evidence, Reference, judge, settle, vital_findings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
P, C = "ldap://p", "ldap://c"


def csn(ago: float, sid: int = 1) -> Csn:
    return Csn.parse(f"{NOW - timedelta(seconds=ago):%Y%m%d%H%M%S.%f}Z#000000#{sid:03x}#000000")


def sight(*csns: Csn) -> Sight:
    return Sight(CsnSet(csns), "dc=x")


def reference(*csns: Csn) -> Reference:
    return Reference.of({P: sight(*csns)}, {})


def health(held: Sight, ref: Reference, policy: Policy | None = None, **more: object):
    evidence = Evidence(C, False, held, **more)
    return judge(evidence, ref, settle(evidence, ref, NOW), policy or Policy(), NOW)


def test_equal_stamps_are_in_sync_however_old() -> None:
    found = health(sight(csn(9e6)), reference(csn(9e6)))
    assert (found.status, found.lag, found.findings) == (Status.OK, 0.0, ())


def test_lag_is_the_age_of_the_oldest_change_and_not_the_distance_of_stamps() -> None:
    found = health(sight(csn(172800)), reference(csn(1)), lacking={1: Lacking(1, csn(1))})
    assert (found.status, found.lag, found.changes) == (Status.OK, 1.0, 1)
    stuck = health(sight(csn(700)), reference(csn(600)), lacking={1: Lacking(5, csn(690))})
    assert (stuck.status, stuck.lag, stuck.notes) == (Status.CRITICAL, 690.0, ())
    assert [each.text for each in (*found.findings, *stuck.findings)] == [
        "1 change behind, the oldest 1.0 s old (server ID 001)",
        "5 changes behind, the oldest 11 min old (server ID 001)",
    ]


@pytest.mark.parametrize(("age", "status"), [(59.9, Status.OK), (60, Status.WARNING), (300, Status.CRITICAL)])
def test_thresholds_include_their_value(age: float, status: Status) -> None:
    assert health(sight(csn(9999)), reference(csn(age)), lacking={1: Lacking(1, csn(age))}).status is status


def test_a_delete_is_as_old_as_the_newest_stamp_at_least() -> None:
    found = health(sight(csn(9999)), reference(csn(120)))
    assert (found.lag, found.changes, found.sids[0].exact) == (120.0, 0, False)
    assert found.findings[0].text == "behind by deletes only, for at least 2 min (server ID 001)"


def test_what_could_not_be_asked_for_is_not_called_deletes() -> None:
    """The query failed, or the identity may not see entryCSN: only the stamps are known."""
    found = health(sight(csn(9999)), reference(csn(120)), lacking={1: Lacking(complete=False)})
    assert (found.status, found.lag, found.changes) == (Status.WARNING, 120.0, None)  # 0 would be a claim
    [said] = found.findings
    assert said.text == "behind for at least 2 min; the provider did not show what is lacking (server ID 001)"
    some = health(sight(csn(9), csn(999, 2)), reference(csn(1), csn(120, 2)),
                  lacking={1: Lacking(2, csn(5)), 2: Lacking(complete=False)})  # fmt: skip
    assert some.changes == 2
    assert some.findings[0].text.startswith("at least 2 changes behind, the oldest at least 2 min old")


def test_of_a_partial_replica_nothing_is_said_to_be_lacking_nor_not() -> None:
    unseen = {1: Lacking(complete=False)}
    found = health(sight(csn(9999)), reference(csn(600)), partial=True, lacking=unseen)
    assert (found.status, found.findings) == (Status.OK, ())
    assert found.notes == (
        "the provider is ahead, but whether in its scope cannot be told: the provider did not show what is lacking",
    )
    debts = {1: Debt(csn(700), NOW - timedelta(seconds=650))}
    again = health(sight(csn(9999)), reference(csn(600)), partial=True, lacking=unseen, debts=debts)
    assert (again.status, again.lag) == (Status.CRITICAL, 700.0), "what is owed stays owed"
    paid = health(sight(csn(9999)), reference(csn(600)), partial=True, lacking={1: Lacking()}, debts=debts)
    assert paid.status is Status.OK


def test_a_debt_lasts_until_it_is_paid() -> None:
    debts = {1: Debt(csn(1000), NOW - timedelta(seconds=990))}
    found = health(sight(csn(2000)), reference(csn(1)), lacking={1: Lacking(1, csn(1))}, debts=debts)
    assert (found.lag, found.status) == (1000.0, Status.CRITICAL)
    paid = health(sight(csn(1000)), reference(csn(1)), lacking={1: Lacking(1, csn(1))}, debts=debts)
    assert paid.lag == 1.0


def test_a_clock_behind_ours_cannot_hide_how_long_a_debt_is_known() -> None:
    """The provider's stamps are from our future; what counts then is since when we have known it."""
    debts = {1: Debt(csn(-3600), NOW - timedelta(seconds=400))}
    assert health(sight(csn(2000)), reference(csn(-3601)), debts=debts).lag == 400.0


def test_a_missing_server_id_is_lag_too() -> None:
    found = health(sight(csn(9)), reference(csn(9), csn(500, 2)))
    assert [(sid.standing, sid.lag) for sid in found.sids] == [(Standing.EQUAL, None), (Standing.MISSING, 500.0)]
    assert found.status is Status.CRITICAL


def test_ahead_and_extra() -> None:
    found = health(sight(csn(5), csn(7, 0xB)), reference(csn(65)))
    assert [(f.criterion, f.status) for f in found.findings] == [
        (Criterion.AHEAD, Status.CRITICAL),
        (Criterion.EXTRA, Status.WARNING),
    ]
    quiet = Policy(severity={Criterion.AHEAD: Status.OK, Criterion.EXTRA: Status.OK})
    assert health(sight(csn(5), csn(7, 0xB)), reference(csn(65)), quiet).status is Status.OK


def test_what_a_provider_got_after_the_consumer_was_read_does_not_count() -> None:
    ref = Reference.of({P: sight(csn(10))}, {P: sight(csn(1), csn(1, 2))})
    found = health(sight(csn(5), csn(3, 2)), ref)
    assert (found.status, found.lag) == (Status.OK, 0.0)


def test_with_a_blind_spot_nothing_is_ahead_or_extra() -> None:
    blind = Sight(trouble=Trouble(Criterion.UNREACHABLE, "gone"))
    found = health(sight(csn(5), csn(5, 3)), Reference.of({P: sight(csn(9)), "ldap://q": blind}, {}))
    assert found.findings == ()
    assert [sid.standing for sid in found.sids] == [Standing.UNKNOWN, Standing.UNKNOWN]


def test_no_provider_is_no_lag_and_a_note() -> None:
    found = health(sight(csn(5)), Reference.of({P: Sight(trouble=Trouble(Criterion.UNREACHABLE, "gone"))}, {}))
    assert (found.status, found.lag, found.changes) == (Status.OK, None, None)  # 0 would be a claim
    assert [sid.standing for sid in found.sids] == [Standing.UNKNOWN]
    assert "no provider could be read" in found.notes[0]


def test_a_partial_replica_owes_only_what_is_in_its_scope() -> None:
    outside = health(sight(csn(9999)), reference(csn(600)), partial=True)
    assert (outside.status, outside.lag, bool(outside.notes)) == (Status.OK, 0.0, True)
    inside = health(sight(csn(9999)), reference(csn(600)), partial=True, lacking={1: Lacking(1, csn(700))})
    assert (inside.status, inside.lag) == (Status.CRITICAL, 700.0)


def test_the_furthest_provider_is_the_reference() -> None:
    ref = Reference.of({P: sight(csn(50)), "ldap://q": sight(csn(40))}, {})
    assert ref.before[1] == (csn(40), "ldap://q")


def test_vital_signs() -> None:
    def found(vitals: Vitals, *csns: Csn) -> list[tuple[Criterion, Status]]:
        return [(f.criterion, f.status) for f in vital_findings(vitals, CsnSet(csns), Policy(), NOW)]

    def ends(days: float) -> Vitals:
        return Vitals(certificate_end=NOW + timedelta(days=days))

    assert found(ends(15)) == []
    assert found(ends(13)) == [(Criterion.CERTIFICATE, Status.WARNING)]
    assert found(ends(2)) == found(ends(-2)) == [(Criterion.CERTIFICATE, Status.CRITICAL)]
    assert found(Vitals(skew=29), csn(-1000)) == []  # it says what time it is: that is better than a guess
    assert found(Vitals(skew=-31)) == found(Vitals(), csn(-31)) == [(Criterion.CLOCK, Status.WARNING)]

    def said(vitals: Vitals) -> str:
        (finding,) = vital_findings(vitals, CsnSet(), Policy(), NOW)
        return finding.text

    assert (said(ends(-2)), said(ends(2))) == ("its certificate has expired", "its certificate ends in 2 days")
    assert (said(Vitals(skew=40)), said(Vitals(skew=-40))) == (
        "its clock is 40 s ahead of ours",
        "its clock is 40 s behind ours",
    )
    given_up = SyncState("001", "Refresh", False, None, NOW)
    waiting = SyncState("001", "Refresh", False, NOW, NOW)
    connected = SyncState("001", "Persist", True, None, NOW)
    assert found(Vitals(syncrepl=(waiting, connected))) == []
    assert found(Vitals(syncrepl=(given_up,))) == [(Criterion.SYNCREPL, Status.CRITICAL)]


def test_an_alarm_outweighs_what_could_not_be_told() -> None:
    assert worst([]) is Status.OK
    assert worst([Status.UNKNOWN, Status.OK]) is Status.UNKNOWN
    assert worst([Status.UNKNOWN, Status.WARNING]) is Status.WARNING
    assert worst(Status) is Status.CRITICAL


stamps = st.dictionaries(st.integers(0, 4), st.integers(-100, 10_000), max_size=5)


@given(stamps, stamps, stamps, st.booleans())
def test_any_situation(ours: dict[int, int], before: dict[int, int], after: dict[int, int], partial: bool) -> None:
    """Lag is known exactly where something is owed, is never negative, and a covered provider is never lag."""
    held = sight(*(csn(ago, sid) for sid, ago in ours.items()))
    ref = Reference.of({P: sight(*(csn(ago, sid) for sid, ago in before.items()))}, {P: sight(
        *(csn(min(ago, before.get(sid, ago)), sid) for sid, ago in {**before, **after}.items()))})  # fmt: skip
    found = health(held, ref, partial=partial)
    if not ours:
        assert found.lag is None
        return
    for sid in found.sids:
        late = sid.standing in (Standing.BEHIND, Standing.MISSING)
        assert (sid.lag is not None) == (late and not partial)
        assert sid.lag is None or sid.lag >= 0
        assert (sid.standing is Standing.EXTRA) <= (sid.sid not in before and sid.sid not in after)
    assert {sid.sid for sid in found.sids} >= set(before)
