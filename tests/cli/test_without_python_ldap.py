"""python-ldap has to be compiled, so a machine may well be without it: only what writes or syncs may miss it.

Each command runs in a process of its own in which python-ldap cannot be found.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ldaprepl.cli.commands import COMMANDS

BLOCKED = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("ldap", "_ldap", "ldif", "ldapurl", "slapdtest"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from ldaprepl.cli.main import main
"""
NOBODY = "ldap://127.0.0.1:1"
PAIR = ["--provider", NOBODY, "--consumer", NOBODY.replace("1:1", "1:2"), "-b", "dc=example,dc=com"]


def ran(*arguments: str, prelude: str = BLOCKED) -> subprocess.CompletedProcess[str]:
    code = f"{prelude}\nsys.argv[1:] = {list(arguments)!r}\nmain()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = ran(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: ldaprepl" in done.stdout


@pytest.mark.parametrize("command", ["verify", "check", "status", "lint", "init-consumer"])
def test_what_only_reads_gets_as_far_as_the_servers(command: str, tmp_path: Path) -> None:
    source = tmp_path / "slapd.conf"
    source.write_text("database mdb\nsuffix dc=example,dc=com\n")
    arguments = {"lint": [str(source), "--provider", NOBODY, "-b", "dc=example,dc=com"], "init-consumer": [
        "--provider", NOBODY, "-b", "dc=example,dc=com"]}.get(command, PAIR)  # fmt: skip
    done = ran(command, *arguments)
    said = done.stdout + done.stderr
    assert "refused" in said  # by the port, where nobody listens
    assert "python-ldap" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["sync", *PAIR],
        ["sync", *PAIR, "--to-ldif", "x.ldif"],
        ["replay", "replog", "--consumer", NOBODY],
        ["demo"],
        ["verify", *PAIR, "--repair", "touch"],
        ["verify", *PAIR, "--repair", "apply", "--yes"],
    ],
    ids=["sync", "sync --to-ldif", "replay", "demo", "verify --repair touch", "verify --repair apply"],
)
def test_what_writes_says_which_package_is_lacking(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    Path("replog").write_text("replica: a.example.com\ntime: 1\ndn: dc=example,dc=com\nchangetype: delete\n\n")
    state = [] if arguments[0] == "demo" else ["--state", str(tmp_path / "state")]
    done = ran(*arguments, *state)
    assert (done.returncode, done.stdout) == (3, "")
    for word in ("python3-ldap", "ldaprepl[sync]", "libldap2-dev", "libsasl2-dev", "gcc"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_brings_it_along_before_it_is_needed(command: str) -> None:
    """What is imported for nothing also costs time, and one day breaks where it is missing."""
    module = command.replace("-", "_")
    code = f"import sys, ldaprepl.cli.main, ldaprepl.cli.{module}; print('ldap' in sys.modules, 'ldap3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
