"""The fear: a sum that is milder than its worst part."""

from __future__ import annotations

from itertools import permutations

import pytest

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.verdict import (
    ConsumerReport,
    Finding,
    Kind,
    Problem,
    State,
    Verdict,
    VerifyReport,
    worst,
)
from ldaprepl.errors import ExitCode

LASTING = Finding(Kind.MISSING, "cn=a")
BEHIND = Finding(Kind.MISSING, "cn=b", state=State.BEHIND)
PROBLEM = Problem("it was cut")


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (ConsumerReport("x"), Verdict.EQUAL),
        (ConsumerReport("x", settled=7, notes=("a note",)), Verdict.EQUAL),
        (ConsumerReport("x", findings=(BEHIND,)), Verdict.BEHIND),
        (ConsumerReport("x", findings=(BEHIND, LASTING)), Verdict.DIVERGED),
        (ConsumerReport("x", findings=(LASTING, BEHIND)), Verdict.DIVERGED),
        (ConsumerReport("x", problem=PROBLEM), Verdict.UNDECIDED),
        (ConsumerReport("x", findings=(LASTING,), problem=PROBLEM), Verdict.UNDECIDED),
    ],
)
def test_one_consumer(report: ConsumerReport, verdict: Verdict) -> None:
    assert report.verdict is verdict


def test_several_consumers_in_any_order() -> None:
    """What could not be told hides nothing, so it outweighs all; a divergence outweighs lag."""
    rising = [Verdict.EQUAL, Verdict.BEHIND, Verdict.DIVERGED, Verdict.UNDECIDED]
    assert worst([]) is Verdict.UNDECIDED, "nothing was compared"
    for number in range(1, 5):
        for verdicts in permutations(rising[:number]):
            assert worst(list(verdicts)) is rising[number - 1]
    reports = tuple(ConsumerReport("x", findings=findings) for findings in ((), (BEHIND,), (LASTING,)))
    assert VerifyReport("", "p", CsnSet(), reports).verdict is Verdict.DIVERGED


def test_exit_codes() -> None:
    assert {verdict.value: verdict.exit_code for verdict in Verdict} == {
        "equal": ExitCode.OK,
        "diverged": ExitCode.FINDING,
        "behind": ExitCode.BEHIND,
        "undecided": ExitCode.UNDECIDED,
    }
    assert [int(Verdict(name).exit_code) for name in ("equal", "diverged", "undecided", "behind")] == [0, 1, 3, 4]


def test_the_words_of_the_contract() -> None:
    assert [kind.value for kind in Kind] == ["missing", "extra", "renamed", "differs", "identity"]
    assert [state.value for state in State] == ["lasting", "behind"]
