"""The demo is the first thing that a stranger runs: it must tell the truth, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

DEMO = [sys.executable, "-m", "ldaprepl", "demo", "--entries", "300"]
PATIENCE = 120.0  # seconds; only a test that fails waits so long


@pytest.fixture
def folder(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the servers of the demo keep everything, for this test alone."""
    monkeypatch.setenv("TMPDIR", str(short_path))
    return short_path


def wait_until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def slapds(folder: Path) -> list[str]:
    """Command lines of the slapd processes that live in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and b"slapd" in words:
            found.append(words.replace(b"\0", b" ").decode())
    return found


def test_tells_the_whole_story_and_leaves_nothing(folder: Path) -> None:
    done = subprocess.run(DEMO, capture_output=True, text=True, check=False, timeout=PATIENCE * 2)
    assert done.returncode == 0, done.stderr
    assert "EQUAL" in done.stdout
    assert "5 findings (1 missing, 1 extra, 1 renamed, 1 differs, 1 identity)" in done.stdout
    assert "syncrepl rid=001" in done.stdout
    assert re.search(r'credentials="?\*+"?\n', done.stdout), "the password is starred"
    assert list(folder.iterdir()) == []
    assert slapds(folder) == []


def test_keep_leaves_both_servers_until_they_are_stopped(folder: Path) -> None:
    done = subprocess.run([*DEMO, "--keep"], capture_output=True, text=True, check=False, timeout=PATIENCE * 2)
    assert done.returncode == 0, done.stderr
    keeper = int(re.search(r"^  kill (\d+)$", done.stdout, re.MULTILINE)[1])  # type: ignore[index]
    try:
        commands = re.findall(r"^  ldaprepl (verify .*)$", done.stdout, re.MULTILINE)
        found, mended = (
            subprocess.run(
                [sys.executable, "-m", "ldaprepl", *command.split()], capture_output=True, text=True, check=False
            )
            for command in commands
        )
        assert found.returncode == 1, found.stderr
        assert "5 findings" in found.stdout
        assert mended.returncode == 0, mended.stdout
        assert "5 of 5 done, 5 healed" in mended.stdout
    finally:
        os.kill(keeper, signal.SIGTERM)
    wait_until(lambda: not slapds(folder) and not list(folder.iterdir()), "the servers or their files remain")


def test_ctrl_c_in_the_middle_leaves_nothing(folder: Path) -> None:
    running = subprocess.Popen([*DEMO, "--keep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: slapds(folder), "no slapd came up")
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130, output + errors
    assert "Traceback" not in errors
    wait_until(lambda: not slapds(folder) and not list(folder.iterdir()), "the servers or their files remain")


def test_without_slapd_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDAPREPL_SLAPD", str(folder / "none"))
    done = subprocess.run(DEMO, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "slapd" in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr
