"""Passwords from a pipe (`-y <(program)`), and `--prompt` where there is no terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ldaprepl.cli.given import read_password


def test_a_pipe_is_read_once_for_both_sides() -> None:
    """`-y <(program)`: the second reading finds nothing, and the password was called empty."""
    reading, writing = os.pipe()
    os.write(writing, b"secret")
    os.close(writing)
    with os.fdopen(reading):
        file = Path(f"/dev/fd/{reading}")
        assert [read_password(file).reveal(), read_password(file).reveal()] == ["secret", "secret"]


@pytest.mark.parametrize(("command", "code"), [("verify", 2), ("check", 3)])
def test_nobody_to_ask(command: str, code: int) -> None:
    line = [sys.executable, "-m", "ldaprepl", command, "--provider", "ldap://127.0.0.1:9", "--consumer",
            "ldap://127.0.0.1:10", "-b", "dc=x", "-D", "cn=x", "-W"]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LDAPREPL")}
    done = subprocess.run(line, input="typed-secret\n", capture_output=True, text=True, check=False, env=environment,
                          start_new_session=True)  # fmt: skip
    assert (done.returncode, "no terminal to ask" in done.stdout + done.stderr) == (code, True)
    assert "typed-secret" not in done.stdout + done.stderr
    assert "Warning" not in done.stderr
