"""To a monitoring system 1 and 2 are alarms: whatever keeps `check` from looking is 3, and said on standard output."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldaprepl.cli import checking as command
from ldaprepl.cli.main import run
from ldaprepl.errors import AlreadyRunning

WHOLE = ["check", "--provider", "ldap://127.0.0.1:9", "--consumer", "ldap://127.0.0.1:10", "-b", "dc=x"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--no-such-option"], "No such option"),
        (["check"], "there is nothing to look at"),
        (["check", "--provider", "ldap://a", "-b", "dc=x"], "there is nothing to compare"),
        ([*WHOLE, "-w", "soon"], "'soon' is not a duration"),
        ([*WHOLE, "-w", "10m", "-c", "5m"], "--warning is above --critical"),
        ([*WHOLE, "--severity", "ahead=bad"], "is not CRITERION=STATUS"),
        ([*WHOLE, "--severity", "moon=ok"], "Criteria: lag, ahead, extra"),
        ([*WHOLE, "-D", "cn=x"], "there is no password for cn=x"),
        ([*WHOLE, "--filter", "(cn=a"], "filter"),
        (["check", "--provider", "http://a", "--consumer", "ldap://b", "-b", "dc=x"], "is not an LDAP URL"),
        (["check", "--provider", "ldap://a", "--consumer", "LDAP://A:389", "-b", "dc=x"], "a server is named twice"),
        (["check", "--provider", "ldap://a"], "it is not said what to look at"),
        (["check", "--consumer", "ldap://a"], "no provider is named"),
        (["check", "--stanza", "/no/such/file"], "/no/such/file cannot be read"),
    ],
)
def test_wrong_usage(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LDAPREPL_PASSWORD", raising=False)
    assert run(arguments) == 3
    shown = capsys.readouterr()
    assert (shown.out.count("\n"), shown.err) == (1, "")
    assert shown.out.startswith("LDAPREPL UNKNOWN - ")
    assert words in shown.out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug | with a bar"), AlreadyRunning("busy")])
def test_interruption_crash_and_lock(
    error: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.delenv("LDAPREPL_DEBUG", raising=False)
    monkeypatch.setattr(command, "check", fail)
    assert run(WHOLE) == 3
    assert capsys.readouterr().out.startswith("LDAPREPL UNKNOWN - ")


def test_an_alarm_is_told_although_it_cannot_be_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk must not turn CRITICAL into UNKNOWN, nor the answer into two lines."""
    (tmp_path / "state.new").mkdir()
    assert run([*WHOLE, "--state", str(tmp_path / "state")]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("LDAPREPL CRITICAL - ldap://127.0.0.1:9: cannot be reached")
    assert shown.out.count("\n") == 1
    assert "state cannot be used" in shown.err


def test_other_commands_keep_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--no-such-option"]) == 2
    assert run(["verify", "--no-such-option"]) == 2
    assert capsys.readouterr().out == ""


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--help"]) == 0
    assert "Exit code" in capsys.readouterr().out
