"""What every repair shares. The fear: one entry's refusal, or its cure, is written to the account of another."""

from __future__ import annotations

from ldaprepl.bench import after, set_aside
from ldaprepl.domain.cause import Code, told
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.repair import RepairMode, RepairReport
from ldaprepl.domain.verdict import ConsumerReport, Finding, Kind
from ldaprepl.recheck import Outcome

HIDDEN = told(Code.HIDDEN, side="the provider")
MOVED = Finding(Kind.RENAMED, "cn=a,dc=x", "cn=b,dc=x", "1")
IN_ITS_PLACE = Finding(Kind.EXTRA, "cn=a,dc=x", "cn=a,dc=x", "2", cause=HIDDEN)


def test_who_is_refused_is_told_by_identity_where_two_findings_have_one_name() -> None:
    good, refused = set_aside([MOVED, IN_ITS_PLACE], RepairMode.TOUCH)
    assert good == [MOVED]
    assert [each.key for each in refused] == [IN_ITS_PLACE.key]


def test_only_what_was_acted_on_is_judged_again() -> None:
    other = Finding(Kind.MISSING, "cn=c,dc=x", uuid="3")
    report = ConsumerReport("ldap://c", provider_entries=9, equal=6, findings=(MOVED, IN_ITS_PLACE, other))
    mended = after(report, Outcome((), 1, CsnSet()), [MOVED], RepairReport(RepairMode.TOUCH))
    assert mended.findings == (IN_ITS_PLACE, other)
    assert (mended.equal, mended.repair and mended.repair.healed) == (7, 1)
