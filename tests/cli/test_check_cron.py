"""`check --cron`: a day of states every five minutes, and the mails that it would send."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ldaprepl.check import Outcome
from ldaprepl.cli import checking as command
from ldaprepl.cli.main import run
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.health import Criterion, Finding, Health, ServerHealth, Status
from ldaprepl.domain.scope import ReplicationScope

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
CSNS = CsnSet.parse(["20261122000000.000000Z#000000#001#000000"])


def late(minutes: int) -> Finding:
    status = Status.CRITICAL if minutes >= 5 else Status.WARNING
    return Finding(Criterion.LAG, status, f"3 changes behind, the oldest {minutes} min old", "Look at the log.")


DOWN = Finding(Criterion.UNREACHABLE, Status.CRITICAL, "cannot be reached (Connection refused)")
FINE = Finding(Criterion.LAG, Status.OK, "1 change behind, the oldest 0.1 s old")


def states() -> list[dict[str, list[Finding]]]:
    """288 of them: what is found at the consumers b and c."""
    day: list[dict[str, list[Finding]]] = []
    for minute in range(0, 1440, 5):
        hour = minute / 60
        found: dict[str, list[Finding]] = {"b": [], "c": []}
        if minute % 35 == 0:
            found["b"].append(FINE)  # a write on its way is no news
        if 3 <= hour < 5:
            found["b"] = [late(minute - 178)]  # at 3:00 it is 2 minutes late, then more and more
        if 4 <= hour < 4.5:
            found["c"] = [DOWN]
        if 12 <= hour < 23:
            found["c"] = [DOWN]
        day.append(found)
    return day


def health(minute: int, found: dict[str, list[Finding]]) -> Health:
    servers = [ServerHealth("ldap://a", True, False, CSNS)]
    servers += [ServerHealth(f"ldap://{name}", False, True, CSNS, (), tuple(each)) for name, each in found.items()]
    return Health("dc=example,dc=com", MIDNIGHT + timedelta(minutes=minute), tuple(servers))


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command at every minute given, on simulated servers; gives (minute, exit code, output)."""

    def go(scenario: list[tuple[int, dict[str, list[Finding]]]]) -> list[tuple[int, int, str]]:
        said = []
        for minute, found in scenario:
            outcome = Outcome(health(minute, found), {})
            monkeypatch.setattr(command, "check", lambda *_, outcome=outcome: outcome)
            code = run(["check", "--cron", "--state", str(tmp_path / "state"), "--provider", "ldap://a", "-b", "dc=x"])
            shown = capsys.readouterr()
            assert shown.err == ""
            said.append((minute, code, shown.out))
        return said

    @contextmanager
    def members_of(_):
        yield [], ReplicationScope("dc=example,dc=com")

    monkeypatch.setattr(command, "members_of", members_of)
    return go


def test_one_message_for_each_change_of_state(day) -> None:
    said = day(list(zip(range(0, 1440, 5), states(), strict=True)))
    mails = [(minute, code, out) for minute, code, out in said if out]
    assert [(minute, code, out.splitlines()[0]) for minute, code, out in mails] == [
        (180, 1, "LDAP replication WARNING: ldap://b: 3 changes behind, the oldest 2 min old"),
        (185, 2, "LDAP replication CRITICAL: ldap://b: 3 changes behind, the oldest 7 min old"),
        (240, 2, "LDAP replication CRITICAL: ldap://b: 3 changes behind, the oldest 62 min old;"
                 " ldap://c: cannot be reached (Connection refused)"),
        (270, 2, "LDAP replication CRITICAL: ldap://b: 3 changes behind, the oldest 92 min old"),
        (300, 0, "LDAP replication OK: 2 servers in sync"),
        (720, 2, "LDAP replication CRITICAL: ldap://c: cannot be reached (Connection refused)"),
        (1380, 0, "LDAP replication OK: 2 servers in sync"),
    ]  # fmt: skip
    assert "Before: all well for 3 h." in mails[0][2]
    assert "Before: all well for 7 h." in mails[5][2]
    assert "Before: CRITICAL for 11 h:\n  ldap://c unreachable CRITICAL" in mails[6][2]
    assert "Look at the log." in mails[1][2]
    quiet = {minute: code for minute, code, out in said if not out}
    assert {quiet[0], quiet[60], quiet[600]} == {0}
    assert (quiet[200], quiet[1000]) == (2, 2)  # silent, but the exit code tells


def test_the_first_run_speaks_only_if_something_is_wrong(day) -> None:
    assert day([(0, {"b": []})])[0][1:] == (0, "")


def test_a_lasting_alarm_found_at_the_first_run(day) -> None:
    assert [bool(out) for _, _, out in day([(0, {"b": [DOWN]}), (5, {"b": [DOWN]}), (10, {"b": []})])] == [
        True,
        False,
        True,
    ]


def test_cron_needs_a_state_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--cron", "--provider", "ldap://a", "--consumer", "ldap://b", "-b", "dc=x"]) == 3
    assert capsys.readouterr().out.startswith("LDAPREPL UNKNOWN - --cron must remember the state. Give a file")


def test_a_state_file_in_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "none" / "state"
    arguments = ["check", "--provider", "ldap://a", "--consumer", "ldap://b", "-b", "dc=x", "--state", str(place)]
    assert run(arguments) == 3
    assert "cannot be used (No such file or directory)" in capsys.readouterr().out
