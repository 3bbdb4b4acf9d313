"""What follows from what servers show; that they show it is tested on real ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.lint import Severity
from ldaprepl.domain.lint_live import (
    ConsumerView,
    LogView,
    ProviderView,
    ServerView,
    judge_clocks,
    judge_consumer,
    judge_provider,
)
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.domain.provider import Outcome, ProviderProfile, Sync
from ldaprepl.domain.scope import ReplicationScope

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CSN = "20260101110000.000000Z#000000#001#000000"
URI = "ldap://p"
SERVER = ServerView(URI, CsnSet.parse([CSN]))
PROFILE = ProviderProfile(
    URI, naming_contexts=("dc=x",), suffix="dc=x", sync=Sync.OFFERED, entries=900, passwords=5, password_sample=5,
    passwords_read=5,
)  # fmt: skip
GOOD = ProviderView(PROFILE, SERVER, ReplicationScope("dc=x"), "cn=r")
LOG = LogView("cn=log", Outcome.SUCCESS, sync_done=True, has_csn=True)


def profile(**changes: object) -> ProviderView:
    return replace(GOOD, profile=replace(PROFILE, **changes))  # type: ignore[arg-type]


PROVIDERS = [
    ("", GOOD),
    ("", replace(GOOD, log=LOG, audit="CN=log")),
    ("LR305", profile(base=Outcome.NO_SUCH_OBJECT, suffix=None)),
    ("LR607", profile(base=Outcome.NO_SUCH_OBJECT)),
    ("LR418", profile(sync=Sync.NO_OVERLAY)),
    ("LR601", replace(profile(sync=Sync.NO_MODULE), server=ServerView(URI))),
    ("LR603", profile(entries=500, ending=Outcome.SIZE_LIMIT)),
    ("LR304", profile(entries=0, passwords=0)),
    ("LR606", profile(passwords=0, passwords_read=0)),
    ("LR425", replace(GOOD, unstamped=3)),
    ("LR704", replace(GOOD, log=LOG, audit="cn=accesslog")),
    ("LR703", replace(GOOD, log=replace(LOG, outcome=Outcome.NO_SUCH_OBJECT))),
    ("LR702", replace(GOOD, log=replace(LOG, sync_done=False))),
    ("LR709", replace(GOOD, log=replace(LOG, has_csn=False))),
]
CONSUMERS = [
    ("", ConsumerView(ServerView("ldap://c", CsnSet.parse([CSN])), 2)),
    ("LR615", ConsumerView(ServerView("ldap://c", CsnSet.parse([CSN.replace("20260101", "20260102")])))),
    ("LR309", ConsumerView(ServerView("ldap://c"), unknown=("printer",), used=True)),
    ("LR424", ConsumerView(ServerView("ldap://c"), 2, local=("cn=a,dc=x",))),
    ("LR423", ConsumerView(ServerView("ldap://c"), 2, other=("cn=a,dc=x",))),
]


@pytest.mark.parametrize(("code", "view"), PROVIDERS, ids=[code or "good" for code, _ in PROVIDERS])
def test_each_fault_of_a_provider_has_its_code(code: str, view: ProviderView) -> None:
    assert [found for found, _ in judge_provider(view)] == ([code] if code else [])
    assert not code or code in TABLE


@pytest.mark.parametrize(("code", "view"), CONSUMERS, ids=[code or "good" for code, _ in CONSUMERS])
def test_each_fault_of_a_consumer_has_its_code(code: str, view: ConsumerView) -> None:
    assert [found for found, _ in judge_consumer(view, GOOD)] == ([code] if code else [])
    assert not code or code in TABLE


def test_a_gap_in_the_schema_that_no_entry_needs_is_only_told() -> None:
    ((_, hit),) = judge_consumer(ConsumerView(ServerView("ldap://c"), unknown=("a", "b")), GOOD)
    assert hit.severity is Severity.INFO


def clocks(seconds: float, sids: str = "001") -> list[tuple[str, Severity | None]]:
    csns = CsnSet.parse([CSN, *(CSN.replace("#001#", f"#{sid}#") for sid in sids.split())])
    ours = ServerView("ldap://a", csns, NOW, NOW)
    theirs = ServerView("ldap://b", csns, NOW + timedelta(seconds=seconds), NOW)
    return [(code, hit.severity) for code, hit in judge_clocks([ours, theirs], NOW)]


def test_clocks() -> None:
    """Only where several servers write does a wrong clock lose data."""
    assert clocks(2) == [] and clocks(3600) == [("LR211", Severity.INFO)]
    assert clocks(-3600, "001 002") == [("LR211", None)]


def test_a_stamp_from_the_future_tells_a_wrong_clock_too() -> None:
    view = ServerView(URI, CsnSet.parse([CSN]))
    assert not list(judge_clocks([view], NOW))
    assert [code for code, _ in judge_clocks([view], NOW - timedelta(hours=3))] == ["LR211"]
