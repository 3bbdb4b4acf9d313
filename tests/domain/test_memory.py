"""The fear: a mail that does not come, and one that comes every hour."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ldaprepl.domain.memory import NOTHING, Recollection, bare, compared, fresh, is_news, left
from ldaprepl.domain.verdict import AttributeDifference, Cause, ConsumerReport, Finding, Kind, Problem, Since, State

NAMES = st.sampled_from(["mail", "cn", "sn", "Mail"])
FINDINGS = st.builds(
    Finding,
    kind=st.sampled_from(Kind),
    dn=st.sampled_from(["cn=a", "cn=b", "cn=c"]),
    uuid=st.sampled_from(["", "1", "2"]),
    state=st.sampled_from(State),
    attributes=st.lists(NAMES, max_size=2, unique=True).map(
        lambda names: tuple(AttributeDifference(name, (b"secret",), (b"other",)) for name in names)
    ),
)


def report(*findings: Finding) -> ConsumerReport:
    return ConsumerReport("ldap://b", findings=findings)


def differs(*names: str, dn: str = "cn=a", uuid: str = "1") -> Finding:
    attributes = tuple(AttributeDifference(name, (b"x",), (b"y",)) for name in names)
    return Finding(Kind.DIFFERS, dn, uuid=uuid, attributes=attributes, cause=Cause("c", "t"))


def since(before: Finding, now: Finding) -> Since | None:
    return compared(report(now), Recollection((bare(before),))).findings[0].since


def test_what_makes_a_finding_known() -> None:
    before = differs("mail", "cn")
    assert since(before, before) is Since.KNOWN
    assert since(before, differs("MAIL")) is Since.KNOWN, "one attribute is right again"
    assert since(before, replace(before, dn="cn=renamed")) is Since.KNOWN, "the entry is the same"
    assert since(before, differs("mail", "cn", "sn")) is Since.NEW
    assert since(before, replace(before, kind=Kind.EXTRA)) is Since.NEW
    assert since(before, replace(before, uuid="2")) is Since.NEW
    assert since(replace(before, state=State.BEHIND), before) is Since.NEW, "it was only on its way"
    assert since(before, replace(before, state=State.BEHIND)) is Since.KNOWN
    assert since(replace(before, uuid=""), replace(before, uuid="", dn="CN=a")) is Since.KNOWN


def test_resolved_is_an_entry_without_any_finding() -> None:
    before = Recollection((bare(differs("mail")), bare(differs("cn", dn="cn=b", uuid="2"))))
    now = compared(report(replace(differs("sn"), kind=Kind.RENAMED)), before)
    assert [finding.dn for finding in now.resolved] == ["cn=b"]


@given(st.lists(FINDINGS, max_size=4))
def test_the_same_again_is_no_news(findings: list[Finding]) -> None:
    first = compared(report(*findings), NOTHING)
    assert {finding.since for finding in first.findings} <= {Since.NEW}
    assert is_news(first, NOTHING) == any(finding.state is State.LASTING for finding in findings)
    kept = left(first, NOTHING, None)
    one_each = {(f.uuid or f.dn): f for f in findings}
    again = compared(report(*one_each.values()), kept)
    assert not again.resolved
    assert not is_news(again, kept)


@given(st.lists(FINDINGS, max_size=4))
def test_no_value_is_kept(findings: list[Finding]) -> None:
    kept = left(compared(report(*findings), NOTHING), NOTHING, None)
    assert b"secret" not in repr(kept).encode()


@given(st.lists(FINDINGS, max_size=4), st.booleans())
def test_a_run_that_could_not_judge_changes_nothing(findings: list[Finding], trouble: bool) -> None:
    before = Recollection(tuple(map(bare, findings)), trouble=trouble)
    dark = replace(compared(replace(report(), problem=Problem("down")), before))
    assert dark.resolved == ()
    assert is_news(dark, before) is not trouble, "told once"
    assert left(dark, before, None) == replace(before, trouble=True)


def test_back_again_is_news_once() -> None:
    before = Recollection(trouble=True)
    light = compared(report(), before)
    assert is_news(light, before)
    assert not is_news(light, left(light, before, None))


def test_lag_is_no_news() -> None:
    behind = replace(differs("mail"), state=State.BEHIND)
    now = compared(report(behind), NOTHING)
    assert not fresh(now.findings)
    assert not is_news(now, NOTHING)
    kept = left(now, NOTHING, None)
    assert not is_news(compared(report(), kept), kept), "nor that it has arrived"
    assert is_news(compared(report(differs("mail")), kept), kept)
