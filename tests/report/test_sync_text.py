"""The fear: a dry run that reads like a promise, though a real one would be refused."""

from __future__ import annotations

import json

from ldaprepl.domain.syncrun import Method, Mode, SyncReport, Tally
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import ExitCode
from ldaprepl.report.sync import render_json, render_text

BRAKE = Problem("30 of 100 entries would be deleted; 10 are allowed", "If it is right, run once with --max-delete 30.")


def report(*objections: Problem) -> SyncReport:
    return SyncReport(
        "ldap://a", "ldap://b", "dc=x", Method.REFRESH, Mode.UPDATEDN, "", Tally(deleted=30), changes=(),
        objections=objections,
    )  # fmt: skip


def test_a_dry_run_that_the_brake_would_stop() -> None:
    braked = report(BRAKE)
    assert braked.exit_code is ExitCode.FINDING
    first, *others = render_text(braked).splitlines()
    assert first.startswith("would be refused: ldap://a -> ldap://b, ")
    assert "30 deleted" in first
    assert others == [f"  {BRAKE.text}", f"    {BRAKE.cure}"]
    assert json.loads(render_json(braked))["would_be_refused"] == [BRAKE.text]


def test_a_dry_run_that_nothing_would_stop() -> None:
    assert render_text(report()).startswith("would be done: ldap://a -> ldap://b, ")
