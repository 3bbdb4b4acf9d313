"""The Docker engine: one private network per test run, containers in it, and nothing of ours left behind.

Everything made here carries labels that name the process it belongs to. A run that was killed cannot tidy up; the next
one removes what belongs to processes that no longer exist, and nothing else. Containers are reached by their own
addresses, no port is published. Runs as the user who runs the tests, so that the shared folders stay theirs.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

OWNER = "ldaprepl.tests.owner"
SCRIPT = Path(__file__).parents[2] / ".ci" / "docker"


class NoEngine(Exception):
    """There is none, or it cannot give what these tests need; says why."""


class Engine:
    """A connection to the engine, and the network of this run."""

    def __init__(self, client: docker.DockerClient, network: Network) -> None:
        self.client = client
        self.network = network

    def container(self, release: str, folder: Path, **options: Any) -> Container:
        """A running container of a Debian release that does nothing yet; `folder` is the same inside and outside."""
        folders = {str(folder): {"bind": str(folder), "mode": "rw"}}
        return self.client.containers.run(
            f"ldaprepl-debian:{release}",
            ["sleep", "infinity"],
            **{"user": f"{os.getuid()}:{os.getgid()}", "volumes": folders, **options},
            detach=True,
            init=True,
            labels={OWNER: myself()},
            network=self.network.name,
        )

    def cut(self, container: Container) -> None:
        """Take the container off the network: packets get lost, nobody is told."""
        self.network.disconnect(container)

    def heal(self, container: Container, address: str) -> None:
        """Back on the network, at the same address: connections that were not given up go on."""
        self.network.connect(container, ipv4_address=address)


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine with the images, for one test run. Raises NoEngine."""
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise NoEngine(f"no Docker engine answers: {error}") from error
    built = subprocess.run([SCRIPT, "images"], capture_output=True, text=True, check=False)
    if built.returncode:
        raise NoEngine(f"the images are missing: {built.stderr.strip()}")
    sweep(client)
    network = private_network(client)
    try:
        yield Engine(client, network)
    finally:
        remove(client, [myself()])
        client.close()


def private_network(client: docker.DockerClient) -> Network:
    """A network with a subnet that is known, as fixed addresses want it: the engine's own choice, asked for again."""
    name = f"ldaprepl-tests-{os.getpid()}"
    first = client.networks.create(name, driver="bridge", labels={OWNER: myself()})
    first.reload()
    subnet = first.attrs["IPAM"]["Config"][0]["Subnet"]
    first.remove()
    pools = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
    return client.networks.create(name, driver="bridge", ipam=pools, labels={OWNER: myself()})


def sweep(client: docker.DockerClient) -> list[str]:
    """Remove what dead processes of this machine left; gives their names."""
    held = [*client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True),
            *client.networks.list(filters={"label": OWNER})]  # fmt: skip
    owners = {labels(each).get(OWNER, "") for each in held}
    dead = [owner for owner in owners if owner and not alive(owner)]
    remove(client, dead)
    return dead


def remove(client: docker.DockerClient, owners: Sequence[str]) -> None:
    """All containers and networks of these owners."""
    for owner in owners:
        mine = {"label": f"{OWNER}={owner}"}
        for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
            with suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        for network in client.networks.list(filters=mine):
            with suppress(docker.errors.NotFound):
                network.remove()


def labels(held: Container | Network) -> Mapping[str, str]:
    attributes = held.attrs
    found: Mapping[str, str] = attributes.get("Labels") or attributes.get("Config", {}).get("Labels") or {}
    return found


def myself() -> str:
    """This process, told apart from a later one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{begun(os.getpid())}"


def alive(owner: str) -> bool:
    """Whether the process exists. Of another machine's processes nothing is known: they count as alive."""
    host, pid, start = owner.rsplit(":", 2)
    return host != socket.gethostname() or begun(int(pid)) == start


def begun(pid: int) -> str:
    """When the process began, in ticks since boot; empty when there is none (proc(5), stat, field 22)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
