"""What a terminal, a pipe, a locale and a hand on Ctrl-C do to a command: nothing that it cannot stand.

Each command is a process of its own here, as a user runs it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SlapdFactory
from replication import HOUR, PATIENCE, SUFFIX, loaded, provider_conf, stamp, tree

from ldaprepl.cli.commands import COMMANDS
from ldaprepl.cli.main import run
from ldaprepl.wire.slapdproc import Slapd

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "ldaprepl"]
AWKWARD = (
    "dn:: b3U9Wm/DqyDwn5iALGRjPWV4YW1wbGUsZGM9Y29t\n"  # ou=Zoë and a smile
    "objectClass: organizationalUnit\nobjectClass: extensibleObject\nou:: Wm/DqyDwn5iA\n"
    "description:: G1szMW1yZWQbWzBtIOKAriBiYWNr\n"  # a terminal escape, a mark that turns the direction
    "jpegPhoto:: //79/P/+/fw=\n\n"  # no UTF-8
)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "LDAPREPL"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture(scope="module")
def pair(slapd_module: SlapdFactory) -> tuple[Slapd, Slapd]:
    """A provider with many entries and an awkward one, and a consumer that lacks them all."""
    names = {f"unit{number}": stamp(HOUR) for number in range(2000)}
    provider = loaded(slapd_module(provider_conf()), [*tree(names, [stamp(HOUR)]), AWKWARD])
    return provider, loaded(slapd_module(provider_conf()), tree({}, [stamp(HOUR)]))


def servers(pair: tuple[Slapd, Slapd]) -> list[str]:
    return ["--provider", pair[0].ldap_uri, "--consumer", pair[1].ldap_uri, "-b", SUFFIX]


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_reader_who_goes_away(pair: tuple[Slapd, Slapd], form: str) -> None:
    line = " ".join([*PROGRAM, "verify", *servers(pair), "--settle 0 --limit 0 --format", form])
    script = f"set -o pipefail; {line} | head -n 1"
    done = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")  # what was found, not how it was read
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help-all"], ["lint", "--explain", "all"]])
def test_help_into_a_closed_pipe(arguments: list[str]) -> None:
    script = f"{' '.join([*PROGRAM, *arguments])} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help-all"], ["--version"]])
def test_help_onto_a_full_disk(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, *arguments], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)  # fmt: skip
    assert done.returncode in (2, 3)
    assert "space" in done.stderr
    assert "a bug" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_names_that_no_locale_expects(pair: tuple[Slapd, Slapd], locale: str, form: str, tmp_path: Path) -> None:
    """PYTHONUTF8=0 is what a Python without its own mind about C locales would do."""
    command = [*PROGRAM, "verify", *servers(pair), "--settle", "0", "--limit", "0", "--format", form]
    done = subprocess.run(command, env=environment(LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
                          capture_output=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\x1b[31m" not in done.stdout
    assert "\u202e".encode() not in done.stdout
    assert b"Zo" in done.stdout
    if form == "json":
        dns = {finding["dn"] for finding in json.loads(done.stdout)["consumers"][0]["findings"]}
        assert f"ou=Zoë 😀,{SUFFIX}" in dns


@pytest.mark.parametrize("columns", ["1", "20", "39"])
def test_a_narrow_terminal(columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for name in COMMANDS:
        assert run([name, "--help"]) == 0
        assert name in capsys.readouterr().out


@pytest.mark.parametrize("command", ["verify", "status", "doctor"])
def test_reports_in_a_narrow_terminal(pair: tuple[Slapd, Slapd], command: str) -> None:
    done = subprocess.run([*PROGRAM, command, *servers(pair)], env=environment(COLUMNS="10"), capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode in (0, 1, 4)
    assert done.stderr == ""


@pytest.fixture
def silent() -> Iterator[list[str]]:
    """Two servers that take connections and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        yield [f"ldap://127.0.0.1:{listening.getsockname()[1]}" for listening in (one, two)]


@pytest.mark.parametrize("command", ["verify", "check", "status", "doctor", "sync", "init-consumer", "lint"])
def test_a_hand_on_ctrl_c(command: str, silent: list[str], tmp_path: Path) -> None:
    arguments = ["--provider", silent[0], "-b", SUFFIX]
    if command not in ("init-consumer", "lint"):
        arguments += ["--consumer", silent[1]]
    with subprocess.Popen(
        [*PROGRAM, command, *arguments, "--timeout", "60"], env=environment(XDG_STATE_HOME=str(tmp_path)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            _wait_until_it_listens(process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    said = out + err
    assert process.returncode == (3 if command == "check" else 130), said
    assert "interrupted" in said
    assert "Traceback" not in said


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    """Until it has a socket: then it waits for the server's first word."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if any("socket:" in link for link in _descriptors(process.pid)):
            time.sleep(0.2)
            return
        assert process.poll() is None
        time.sleep(0.02)
    raise AssertionError("it never connected")


def _descriptors(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # they come and go
            found.append(str(link.readlink()))
    return found


def test_a_base_that_is_nearly_right(pair: tuple[Slapd, Slapd]) -> None:
    wrong = ["--provider", pair[0].ldap_uri, "--consumer", pair[1].ldap_uri, "-b", "dc=exmaple,dc=com"]
    for command in ("verify", "check", "status", "doctor"):
        more = ["--format", "text"] if command == "check" else []
        done = subprocess.run([*PROGRAM, command, *wrong, *more], env=environment(), capture_output=True, text=True,
                              check=False)  # fmt: skip
        assert SUFFIX in done.stdout, command
    done = subprocess.run([*PROGRAM, "verify", *wrong[:-1], "example.com"], env=environment(), capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, SUFFIX in done.stderr) == (2, True)
