"""Delta where it works, and a reason where it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ldaprepl.domain.consumerplan import Mode
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.deltalog import AUTO, choose
from ldaprepl.domain.provider import LogProfile, Outcome, ProviderProfile, Severity, Sync
from ldaprepl.domain.scope import ReplicationScope

SCOPE = ReplicationScope("dc=x")
LOG = LogProfile("cn=log", sync=Sync.OFFERED, context_csn=CsnSet.parse(["20261122100422.731468Z#000000#000#000000"]))
PROFILE = ProviderProfile("ldap://p", log=LOG)


def codes(profile: ProviderProfile, wanted: str, scope: ReplicationScope = SCOPE) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in choose(profile, scope, wanted)[1]}


def test_auto_takes_the_log_that_is_there() -> None:
    manner, findings = choose(PROFILE, SCOPE, AUTO)
    assert (manner.mode, manner.logbase) == (Mode.DELTA, "cn=log")
    assert [finding.code for finding in findings] == ["delta"] and "nopresent" in findings[0].cure


def test_no_log_is_silent_for_auto_and_an_error_for_delta() -> None:
    without = replace(PROFILE, log=None)
    assert choose(without, SCOPE, AUTO) == (choose(without, SCOPE, "refreshAndPersist"))
    assert codes(without, "delta") == {"no-log": Severity.ERROR, "delta": Severity.NOTE}


@pytest.mark.parametrize(
    ("log", "code"),
    [(replace(LOG, outcome=Outcome.NO_SUCH_OBJECT), "log-hidden"), (replace(LOG, sync=Sync.NO_OVERLAY), "log-no-sync")],
)
def test_a_log_that_does_not_serve(log: LogProfile, code: str) -> None:
    profile = replace(PROFILE, log=log)
    assert choose(profile, SCOPE, AUTO)[0].mode is Mode.PERSIST and codes(profile, AUTO) == {"no-delta": Severity.NOTE}
    assert codes(profile, "delta")[code] is Severity.ERROR


@pytest.mark.parametrize("scope", [SCOPE._replace(filter="(a=b)"), SCOPE._replace(attrs=("cn",))])
def test_a_part_is_not_copied_by_delta(scope: ReplicationScope) -> None:
    assert choose(PROFILE, scope, AUTO)[0].mode is Mode.PERSIST
    assert codes(PROFILE, "delta", scope)["partial-delta"] is Severity.WARNING


def test_an_empty_log_is_told() -> None:
    assert codes(replace(PROFILE, log=replace(LOG, context_csn=CsnSet())), AUTO)["log-empty"] is Severity.WARNING


def test_the_asked_for_mode_is_taken() -> None:
    manner, findings = choose(PROFILE, SCOPE, "refreshOnly", "00:01:00:00")
    assert (manner.mode, manner.interval, findings) == (Mode.REFRESH_ONLY, "00:01:00:00", ())
