"""The tutorial and the guides, typed line by line on two real servers: those that `ldaprepl demo --keep` leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from docscommands import ROOT, commands

from ldaprepl.wire.slapdinstall import Installation

GUIDES = sorted((ROOT / "docs/howto").glob("*.md"))
# What the tutorial says that each of its commands ends with; every other one ends with 0.
ENDS = {"verify": 1}
_CONSUMER = """\
database mdb
suffix dc=example,dc=com
directory /var/lib/ldap
syncrepl rid=1 provider=ldap://a.example.com searchbase="dc=example,dc=com" bindmethod=simple
  binddn="cn=replica,dc=example,dc=com" credentials=secret type=refreshAndPersist retry="5 +"
"""


@pytest.fixture(scope="module")
def kept(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """What the tutorial calls P, C and PW, and a folder to be in."""
    folder = tmp_path_factory.mktemp("typed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    demo = [sys.executable, "-m", "ldaprepl", "demo", "--keep", "--entries", "300"]
    text = subprocess.run(demo, env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"verify --provider (\S+) --consumer (\S+) .* -y (\S+)\n.*?kill (\d+)", text, re.DOTALL)
    assert found
    bin_ = folder / "bin"
    bin_.mkdir()
    program = bin_ / "ldaprepl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ldaprepl "$@"\n')
    program.chmod(0o755)
    (folder / "replica.pw").write_bytes(Path(found[3]).read_bytes())
    (folder / "replica.pw").chmod(0o600)
    (folder / "consumer.conf").write_text(_CONSUMER)
    try:
        yield {
            **environment, "P": found[1], "C": found[2], "PW": found[3], "HOME": str(folder),
            "PATH": f"{bin_}:{os.environ['PATH']}", "XDG_STATE_HOME": str(folder / "state"), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
    finally:
        os.kill(int(found[4]), signal.SIGTERM)


def typed(line: str, kept: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The line in a shell, in the folder. It must not be wrong usage, and no crash."""
    done = subprocess.run(
        ["bash", "-c", f"ldaprepl {line}"], env=kept, cwd=kept["HOME"], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert "a bug" not in said
    assert "Traceback" not in said
    assert done.returncode != 2, f"{line}\n{said}"
    return done


def test_the_tutorial(kept: Mapping[str, str]) -> None:
    lines = [line for line in commands(ROOT / "docs/tutorial.md", console=True) if not line.startswith("demo")]
    assert len(lines) > 8
    for line in lines:
        done = typed(line, kept)
        assert done.returncode == ENDS.get(line.split()[0], 0), f"{line}\n{done.stdout}{done.stderr}"
    folder = Path(kept["HOME"])
    assert all((folder / name).stat().st_size for name in ("repair.ldif", "report.html", "report.json"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide(kept: Mapping[str, str], guide: Path) -> None:
    lines = list(commands(guide, console=True))
    assert lines
    for line in lines:
        here = line.replace("ldap://a.example.com", kept["P"]).replace("ldap://b.example.com", kept["C"])
        done = typed(here, kept)
        assert done.returncode in (0, 1), f"{line}\n{done.stdout}{done.stderr}"
