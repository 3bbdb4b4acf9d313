"""Standard output that takes nothing, a dumb terminal, a hand on Ctrl-C before anything is ready.

Each command is a process of its own here, as a user runs it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ldaprepl.cli.output import NoProgress, TerminalProgress, columns, progress, room

ROOT = Path(__file__).parents[2]
NOBODY = ["--provider", "ldap://127.0.0.1:1", "--consumer", "ldap://127.0.0.1:2", "-b", "dc=x"]
# What `python -m ldaprepl` does when the signal comes while {} is being imported.
INTERRUPTED = """
import runpy, sys
class Hand:
    def find_spec(self, name, path=None, target=None):
        if name == "{}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Hand())
sys.argv = ["ldaprepl", "check"]
runpy.run_module("ldaprepl", run_name="__main__")
"""


def onto_a_full_disk(arguments: list[str], stderr: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ldaprepl", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("w") as full:
        errors = full if stderr is None else stderr
        return subprocess.run(command, stdout=full, stderr=errors, text=True, env=environment, check=False)


@pytest.mark.parametrize("form", ["nagios", "text", "json", "prometheus"])
def test_a_check_whose_report_is_lost_says_so(form: str) -> None:
    done = onto_a_full_disk(["check", *NOBODY, "--recheck", "0", "--format", form])
    assert (done.returncode, done.stderr) == (
        3,
        "ldaprepl: standard output cannot be written (No space left on device).\n",
    )


def test_a_check_whose_failure_cannot_be_said_where_monitoring_looks() -> None:
    done = onto_a_full_disk(["check", "--no-such-option"])
    assert done.returncode == 3
    assert "No such option" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nowhere_left_to_say_anything() -> None:
    assert onto_a_full_disk(["check", *NOBODY, "--recheck", "0"], stderr=None).returncode == 3
    assert onto_a_full_disk(["verify", *NOBODY], stderr=None).returncode == 3


@pytest.mark.parametrize("module", ["ldaprepl.cli", "ldaprepl.cli.main", "ldaprepl.errors", "ldaprepl.cli.checkline"])
def test_ctrl_c_before_anything_is_ready(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(module)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "interrupted; nothing was decided" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode in (3, 130)  # 3: it was a check already


def test_a_dumb_terminal_gets_no_line_that_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(progress(quiet=False), TerminalProgress)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(quiet=False), NoProgress)


@pytest.mark.parametrize(
    ("said", "wide"), [("", 57), ("nonsense", 57), ("0", 57), ("20", 40), ("72", 72), ("300", 110)]
)
def test_sentences_are_as_wide_as_the_terminal(said: str, wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 57, 0, 0))
    monkeypatch.setenv("COLUMNS", said)
    with os.fdopen(theirs, "w") as terminal:
        assert room(110, terminal) == wide
    os.close(ours)


def test_a_log_is_as_wide_as_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    with (tmp_path / "log").open("w") as log:
        assert columns(log) is None
        assert room(110, log) == room(110, None) == 110


@pytest.mark.parametrize("place", ["/dev/full", "report", "no-such-folder/report"])
def test_a_report_without_room_is_no_wrong_usage_and_a_wrong_place_is(place: str, tmp_path: Path) -> None:
    begin = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
    script = f"{begin} import sys; from ldaprepl.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "verify", *NOBODY, "-o", str(tmp_path / place)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == (2 if "folder" in place else 3)
    assert "cannot be written" in done.stderr
    assert list(tmp_path.iterdir()) == []
