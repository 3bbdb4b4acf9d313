"""compose/ for real: up, everything converges, `ldaprepl check` says OK, a write arrives everywhere, down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from compatibility import Pair
from engine import SCRIPT, Engine
from replication import until

pytest_plugins = ["lab", "compatibility"]
pytestmark = pytest.mark.docker

FOLDER = Path(__file__).parents[2] / "compose"
PROFILES = ("--profile", "chain", "--profile", "mirror")
Compose = Callable[..., subprocess.CompletedProcess[str]]
BUSY = 240.0  # seconds that a busy machine may need


@pytest.fixture
def compose(docker_engine: Engine) -> Iterator[Compose]:
    """Docker Compose on this folder, with a project of our own, which is gone afterwards."""
    assert docker_engine.client.ping()
    project = f"ldaprepl-tests-{os.getpid()}"
    env = {**os.environ, "BASE": "ldaprepl-debian", "PROVIDER_RELEASE": "bullseye", "CONSUMER_RELEASE": "trixie",
           "ENTRIES": "300", "COMPOSE_PROJECT_NAME": project}  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [SCRIPT, "compose", *PROFILES, *words]
        return subprocess.run(command, cwd=FOLDER, env=env, capture_output=True, text=True, check=False)

    tried = run("version")
    if tried.returncode:
        if os.environ.get("CI"):
            pytest.fail(tried.stderr)
        pytest.skip(tried.stderr)
    try:
        yield run
    finally:
        run("down", "--volumes", "--timeout", "2")


@pytest.mark.shows("compose: up with every profile (native, Python, chain, mirror pair), TLS, check says OK")
@pytest.mark.parametrize("pair", [Pair("2.4", "2.6")], ids=str)
def test_up_converges_and_says_so(compose: Compose, pair: Pair) -> None:
    up = compose("up", "--detach")
    assert up.returncode == 0, up.stderr[-3000:]

    def check(service: str, *servers: str) -> str:
        return compose("exec", "-T", service, "/scripts/check", "once", *servers).stdout

    checks = (("check", "provider", "consumer", "python"), ("check-leaf", "provider", "leaf"),
              ("check-mirror", "mirror-a", "mirror-b"))  # fmt: skip

    def log() -> str:
        return "\n".join(check(*each) for each in checks) + compose("logs", "--tail", "5").stdout

    until(lambda: all(check(*each).startswith("LDAPREPL OK") for each in checks), BUSY, log)
    for service in ("provider", "mirror-b"):
        added = compose("exec", "-T", service, "sh", "-c", ADD)
        assert added.returncode == 0, added.stderr
    for service in ("consumer", "python", "leaf", "mirror-a"):
        until(lambda service=service: compose("exec", "-T", service, "sh", "-c", LOOK).returncode == 0, BUSY, log)  # type: ignore[misc]


BIND = '-x -H "ldap://$(hostname)" -D cn=admin,dc=example,dc=com -w "$ADMIN_PASSWORD"'
ADD = f"printf 'dn: ou=new,dc=example,dc=com\\nobjectClass: organizationalUnit\\nou: new\\n' | ldapadd {BIND}"
LOOK = f"ldapsearch {BIND} -b ou=new,dc=example,dc=com -s base 1.1"
