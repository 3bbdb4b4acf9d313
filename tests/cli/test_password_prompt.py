"""`--prompt` where there is no terminal: what is piped in is not read, and not shown."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


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
