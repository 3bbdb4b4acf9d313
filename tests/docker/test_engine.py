"""What a killed run leaves behind goes with the next one; what lives stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import docker.errors
import pytest
from engine import Engine, alive, myself, sweep

pytest_plugins = ["lab", "compatibility"]
pytestmark = pytest.mark.docker

DYING = """
import os, signal, sys
from pathlib import Path
import docker
from engine import Engine, private_network
client = docker.from_env()
made = Engine(client, private_network(client)).container("trixie", Path(sys.argv[1]))
print(made.id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_leftovers_of_a_killed_run_are_removed_and_nothing_else(docker_engine: Engine, playground: Path) -> None:
    ours = docker_engine.container("trixie", playground)
    dead = subprocess.run(
        [sys.executable, "-c", DYING, str(playground)], cwd=Path(__file__).parent, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    client = docker_engine.client
    assert client.containers.get(dead.stdout.strip()).status == "running"
    owners = sweep(client)
    assert owners and myself() not in owners
    with pytest.raises(docker.errors.NotFound):
        client.containers.get(dead.stdout.strip())
    ours.reload()
    assert ours.status == "running"
    ours.remove(force=True)


def test_another_machines_and_living_processes_are_left_alone() -> None:
    assert alive(myself())
    assert alive("another-machine:1:1")
    host, pid, _ = myself().rsplit(":", 2)
    assert not alive(f"{host}:{pid}:0")
