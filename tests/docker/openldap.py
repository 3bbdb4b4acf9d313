"""slapd of any release in a container, with the face of `ldaprepl.wire.slapdproc.Slapd`.

The container only sleeps; slapd and its tools are started in it, so that the address, the folder and a small disk stay
while servers come and go. The folder has the same path inside and outside: configuration is written from here, files
named in it mean the same on both sides.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from docker.models.containers import Container
from engine import Engine

from ldaprepl.domain.secret import Secret
from ldaprepl.wire.slapdconf import SlapdConf, render
from ldaprepl.wire.slapdinstall import Installation
from ldaprepl.wire.slaptool import write_private

RELEASES = {"2.4": "bullseye", "2.5": "bookworm", "2.6": "trixie"}
PORT = 3389
MODULES, SCHEMAS = Path("/usr/lib/ldap"), Path("/etc/ldap/schema")
_BIND_REQUEST = bytes.fromhex("300c020101600702010304008000")  # anonymous simple bind (RFC 4511, section 4.2)


@dataclass(frozen=True, slots=True)
class InContainer(Installation):
    """Debian's slapd in an image; every module and schema is there."""

    def module(self, name: str) -> str | None:
        return name

    def schema(self, name: str) -> Path:
        return self.schema_dir / f"{name}.schema"


class OpenLdap:
    """One server. `version` is 2.4, 2.5 or 2.6; `options` go to the container (a tmpfs, a capability)."""

    def __init__(
        self, engine: Engine, version: str, folder: Path, conf: SlapdConf | None = None, **options: Any
    ) -> None:
        self.engine, self.version, self.folder = engine, version, folder
        self.installation = InContainer(
            Path("/usr/sbin/slapd"), tuple(map(int, version.split("."))), MODULES, SCHEMAS, frozenset()
        )
        self.container: Container = engine.container(RELEASES[version], folder, **options)
        self.container.reload()
        self.address: str = self.container.attrs["NetworkSettings"]["Networks"][engine.network.name]["IPAddress"]
        self.ldap_uri = f"ldap://{self.address}:{PORT}"
        self.conf = conf or SlapdConf()
        self._config: tuple[str, ...] = ()
        self.configure(self.conf)

    # -- configuration and data, while slapd is stopped

    def configure(self, conf: SlapdConf | str) -> None:
        """What the next start, load or dump uses: a value, or text as it stands."""
        if isinstance(conf, SlapdConf):
            self.conf = conf
            text = render(conf, self.installation, self.folder)
        else:
            text = conf
        write_private(self.folder / "slapd.conf", text)
        self._config = ("-f", str(self.folder / "slapd.conf"))
        self._make_folders(text.splitlines(), "directory")

    def configure_ldif(self, ldif: str) -> None:
        """The same from LDIF of cn=config."""
        target = self.folder / f"slapd.d.{time.monotonic_ns()}"
        target.mkdir()
        write_private(self.folder / "config.ldif", ldif)
        self._make_folders(ldif.splitlines(), "olcDbDirectory:")
        self._config = ("-F", str(target))
        self.tool("add", "-n", "0", "-l", str(self.folder / "config.ldif"))

    def _make_folders(self, lines: Iterable[str], keyword: str) -> None:
        for line in lines:
            first, _, rest = line.strip().partition(" ")
            path = Path(rest.strip().strip('"'))
            if first == keyword and path.is_relative_to(self.folder):
                path.mkdir(parents=True, exist_ok=True)

    def load(
        self, pieces: Iterable[str], *, suffix: str = "", write_csn: bool = False, server_id: int | None = None
    ) -> None:
        """slapadd -q, with -w and -S as asked."""
        file = self.folder / "load.ldif"
        with file.open("w", encoding="utf-8") as out:
            out.writelines(pieces)
        arguments = ["-q", "-b", suffix or self.conf.database.suffix, "-l", str(file)]
        arguments += ["-w"] if write_csn else []
        arguments += ["-S", str(server_id)] if server_id is not None else []
        self.tool("add", *arguments)

    def dump(self) -> str:
        """slapcat."""
        return self.tool("cat", "-b", self.conf.database.suffix, "-o", "ldif-wrap=no")

    def wipe(self) -> None:
        """Empty the databases."""
        for path in self.folder.glob("db*/*.mdb"):
            path.unlink()

    def slaptest(self, text: str) -> tuple[bool, str]:
        """Does this release take the slapd.conf? With its words."""
        file = self.folder / "tested.conf"
        write_private(file, text)
        self._make_folders(text.splitlines(), "directory")
        code, words = self.run("/usr/sbin/slapd", "-T", "test", "-u", "-f", str(file))
        return code == 0, words

    def tool(self, name: str, *arguments: str) -> str:
        """One of slapd's offline tools; its output. An error is an AssertionError with its words."""
        code, words = self.run("/usr/sbin/slapd", "-T", name, *self._config, *arguments)
        assert code == 0, f"slap{name} {self.version}: {words[-3000:]}"
        return words

    def run(self, *command: str, user: str = "") -> tuple[int, str]:
        """A command in the container: exit code and what it wrote."""
        done = self.container.exec_run(list(command), user=user)
        return done.exit_code, done.output.decode("utf-8", "backslashreplace")

    # -- the process

    def start(self, *, clock: str = "", debug: str = "sync", patience: float = 120.0) -> Self:
        """Start slapd and wait for its answer. `clock` moves its time, in faketime's words (`+2h`)."""
        words = ["/usr/sbin/slapd", *self._config, "-h", self.ldap_uri, "-d", debug, "-s", "0"]
        shifted = ["faketime", "-f", clock, *words] if clock else words
        script = 'log=$1; shift; exec "$@" >>"$log" 2>&1'
        (self.folder / "pid").unlink(missing_ok=True)
        self.container.exec_run(["sh", "-c", script, "sh", str(self.folder / "slapd.log"), *shifted], detach=True)
        deadline = time.monotonic() + patience
        while not self.answers():
            assert time.monotonic() < deadline, f"slapd {self.version} did not start: {self.log_tail()}"
            time.sleep(0.05)
        return self

    def answers(self) -> bool:
        """Is there a reply to an anonymous bind?"""
        try:
            with socket.create_connection((self.address, PORT), timeout=1) as client:
                client.sendall(_BIND_REQUEST)
                return client.recv(1) == b"\x30"
        except OSError:
            return False

    @property
    def running(self) -> bool:
        return self.run("pidof", "slapd")[0] == 0

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self.run("sh", "-c", "kill -TERM $(pidof slapd) 2>/dev/null; for n in $(seq 600); do"
                 " pidof slapd >/dev/null || exit 0; sleep 0.1; done; kill -KILL $(pidof slapd)")  # fmt: skip

    def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self.run("sh", "-c", "kill -KILL $(pidof slapd); while pidof slapd >/dev/null; do sleep 0.02; done")

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Everything in the container stands still; connections stay open."""
        self.container.pause()

    def resume(self) -> None:
        self.container.unpause()

    def cut(self) -> None:
        """Off the network."""
        self.engine.cut(self.container)

    def heal(self) -> None:
        """Back on it."""
        self.engine.heal(self.container, self.address)

    @property
    def rootdn(self) -> str:
        return self.conf.database.admin

    @property
    def rootpw(self) -> Secret:
        return self.conf.database.rootpw

    @property
    def log(self) -> str:
        """What slapd wrote so far."""
        file = self.folder / "slapd.log"
        return file.read_text(errors="backslashreplace") if file.exists() else ""

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.splitlines()[-lines:])

    def close(self) -> None:
        self.container.remove(force=True, v=True)
