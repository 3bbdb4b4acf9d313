"""The exit codes of `replay`, and what it refuses to begin with. No server is needed for any of this."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ldaprepl.cli.main import run

SAMPLES = Path(__file__).parents[1] / "domain" / "replogs"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is left in the state folder of whoever runs the tests."""
    monkeypatch.setattr("ldaprepl.cli.options.state_folder", lambda: tmp_path / "home")
    return tmp_path


def files(*names: str) -> list[str]:
    return [str(SAMPLES / name) for name in names]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", 0),
        ("\n\n", 0),
        ("replica: h\ntime: 1\ndn: cn=a\nchangetype: delete\n\n", 4),  # pending
        ("replica: h\ntime: 1\ndn: cn=a\nchangetype: del", 4),  # not whole yet
        ("ERROR: no\nreplica: h\ntime: 1.0\ndn: cn=a\nchangetype: delete\n\n", 1),
        ("rubbish\n\n", 1),
    ],
)
def test_explain_tells_by_its_exit_code(home: Path, content: str, code: int) -> None:
    path = home / "replog"
    path.write_text(content)
    assert run(["replay", str(path), "--explain"]) == code


def test_explain_as_json_has_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", *files("2.2.replog", "2.2.rej"), "--explain", "--format", "json"]) == 1
    books = json.loads(capsys.readouterr().out)
    assert (books["schema"], books["command"], books["action"], books["records"]) == (1, "replay", "explain", 20)
    (pending,) = books["pending"]
    assert (pending["replica"], pending["changes"]) == ("127.0.0.1:22122", 16)
    assert {group["reason"]: len(group["records"]) for group in books["rejected"]} == {
        "No such object": 3, "Already exists": 1,
    }  # fmt: skip
    assert books["checks"] is None


def test_status_beside_slurpds_copy_is_used_and_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = home / "slurpd.replog"
    log.write_text("replica: h\ntime: 1.0\ndn: cn=a\nchangetype: delete\n\n")
    (home / "slurpd.status").write_text("h:389:1:0\n")
    assert run(["replay", str(log), "--explain"]) == 0
    told = capsys.readouterr()
    assert "slurpd was through with 1" in told.out and "slurpd.status" in told.err
    assert run(["replay", str(log), "--explain", "--no-status"]) == 4


def test_a_dry_run_shows_the_records_of_one_replica(capsys: pytest.CaptureFixture[str]) -> None:
    log = files("2.2-four-replicas.replog")
    assert run(["replay", *log, "--dry-run"]) == 2
    assert "--replica" in capsys.readouterr().err
    assert run(["replay", *log, "--dry-run", "--replica", "127.0.0.1:2", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["changes"]) == 4


def test_no_password_of_the_samples_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("2.0.replog", "2.1.replog", "2.2.replog"):
        run(["replay", *files(name), "--dry-run"])
        run(["replay", *files(name), "--explain"])
    told = capsys.readouterr()
    for secret in ("plainpw", "cGxhaW5wdw", "selfset", "c2VsZnNldA", "{SSHA}", "{SMD5}", "e1NT"):
        assert secret not in told.out + told.err
    assert told.out.count("userPassword: ********") == 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing is said about what to do"),
        (["--explain", "--provider", "ldap://127.0.0.1:1"], "both servers or at none"),
        (["--explain", "--dry-run"], "only reads"),
        (["--dry-run", "--follow"], "does not go with"),
        (["--follow", "--whole", "--consumer", "ldap://127.0.0.1:1"], "--whole"),
        (["--verify-after", "--consumer", "ldap://127.0.0.1:1"], "Give --provider"),
        (["--status", "x", "--no-status", "--explain"], "contradict"),
    ],
)
def test_options_that_contradict_each_other(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", *files("2.0.replog"), *options]) == 2
    assert words in capsys.readouterr().err


def test_no_file_and_no_such_file_are_wrong_usage() -> None:
    assert run(["replay", "--explain"]) == 2
    assert run(["replay", "/nonexistent", "--explain"]) == 2


def test_rejects_are_not_written_to_the_file_that_is_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "a.rej"
    path.write_bytes((SAMPLES / "2.0.rej").read_bytes())
    before = path.read_bytes()
    assert run(["replay", str(path), "--consumer", "ldap://127.0.0.1:1", "--rejects", str(path)]) == 2
    assert path.read_bytes() == before


def test_a_consumer_that_is_not_there_is_not_a_finding(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", *files("2.0.replog"), "--consumer", "ldap://127.0.0.1:1", "--state", str(home / "s")]) == 3
    assert "0 changes applied" in capsys.readouterr().out
