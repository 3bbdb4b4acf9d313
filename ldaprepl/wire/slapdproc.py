"""Private slapd processes on this machine: for `demo`, for tests, for benchmarks.

Each lives in its own temporary folder (mode 0700: configuration, databases, log, socket), listens on its own ldapi
socket and on a free loopback port, and ends with us, however we end: `close()`, leaving the `with` block, garbage
collection, exit, or, through `slapdguard`, our own SIGKILL. Nothing here touches an installed server, its configuration
or its data. Root passwords are generated, live in files with mode 0600, and never in a command line, a log or an error.

    with Slapd(SlapdConf(modules=("syncprov",))) as server:
        server.load("people.ldif")
        server.start()
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from ldaprepl.domain.secret import Secret
from ldaprepl.errors import LdapreplError, ServerUnavailable, UsageError
from ldaprepl.wire.slapdconf import SlapdConf, render
from ldaprepl.wire.slapdholdings import Holdings, new_folder
from ldaprepl.wire.slapdinstall import Installation, find_installation
from ldaprepl.wire.slaptool import private_copy, run_tool, write_private

_BIND_REQUEST = bytes.fromhex("300c020101600702010304008000")  # anonymous simple bind (RFC 4511, section 4.2)


class Slapd:
    """One private server. Configure it, load it, start it; the folder and the process go away with the object.

    `conf` is a SlapdConf, or slapd.conf text (see `configure`). `tcp` False leaves ldapi only; `ldaps` adds a TLS port
    (the certificates are named in `conf.lines`). `debug` is slapd's -d, and goes to the log. The URIs hold from the
    beginning and over restarts. Raises ServerUnavailable when slapd is not installed. Not for two threads at once; a
    process that forks without exec shares the guard's pipe, and the server then lives as long as the last of both.
    """

    def __init__(
        self,
        conf: SlapdConf | str | None = None,
        *,
        installation: Installation | None = None,
        tcp: bool = True,
        ldaps: bool = False,
        debug: str = "none",
    ) -> None:
        self.installation = installation or find_installation()
        self.conf = conf if isinstance(conf, SlapdConf) else SlapdConf()
        self.debug = debug
        self._held = Holdings(new_folder(), ports=tcp + ldaps)
        self.folder = self._held.folder
        self._finalizer = weakref.finalize(self, self._held.release)
        ports = self._held.ports
        self.ldap_uri = f"ldap://127.0.0.1:{ports[0]}" if tcp else ""
        self.ldaps_uri = f"ldaps://127.0.0.1:{ports[-1]}" if ldaps else ""
        self.ldapi_uri = f"ldapi://{quote(str(self._socket), safe='')}"
        self._program = private_copy(self.installation, self.folder)
        self._config: tuple[str, ...] = ()
        self.configure(self.conf if conf is None else conf)

    # -- configuration

    def configure(self, conf: SlapdConf | str) -> None:
        """Write the slapd.conf that the next start, load or dump uses.

        Text is taken as it stands; the database folders it names inside `folder` are made. UsageError while running.
        """
        self._must_be_stopped("configure")
        if isinstance(conf, SlapdConf):
            text = render(conf, self.installation, self.folder)
            self.conf = conf
        else:
            text = conf
        path = self.folder / "slapd.conf"
        write_private(path, text)
        self._make_folders(re.findall(r'^\s*directory\s+"?([^"\n]+?)"?\s*$', text, re.MULTILINE))
        self._config = ("-f", str(path))

    def configure_ldif(self, ldif: str) -> None:
        """Make the server's configuration folder from LDIF of cn=config (`slapadd -n 0`) and use it from now on.

        The database folders it names inside `folder` are made. Raises LdapreplError when slapadd refuses it.
        """
        self._must_be_stopped("configure")
        self._make_folders(re.findall(r"^olcDbDirectory:\s*(\S.*?)\s*$", ldif, re.MULTILINE | re.IGNORECASE))
        target = self._fresh_config_folder()
        path = self.folder / "config.ldif"
        write_private(path, ldif)
        self._config = ("-F", str(target))
        self._tool("add", "-n", "0", "-l", str(path))

    def convert(self) -> None:
        """Turn the slapd.conf in use into a configuration folder and use that from now on: cn=config is then live.

        Raises LdapreplError when `slaptest -f -F` refuses.
        """
        self._must_be_stopped("convert")
        target = self._fresh_config_folder()
        self._config = ("-f", str(self.folder / "slapd.conf"), "-F", str(target))
        # -n 0 opens no other database: without it slaptest writes the folder, then fails because they do not exist yet
        self._tool("test", "-n", "0")
        self._config = ("-F", str(target))

    # -- data, while the server is stopped

    def load(
        self,
        source: str | Path | Iterable[str],
        *,
        suffix: str = "",
        write_csn: bool = False,
        server_id: int | None = None,
        quick: bool = True,
    ) -> None:
        """Load LDIF by slapadd into the database of `suffix` (default: the main one).

        `source` is a file's path, or the LDIF text in pieces of any size. `write_csn` stores contextCSN (-w),
        `server_id` is the one in stamps that slapadd makes (-S), `quick` leaves checks and flushes out (-q). Raises
        LdapreplError with slapadd's words, UsageError while the server runs (slapadd -q and slapd do not agree on the
        mdb mode).
        """
        self._must_be_stopped("load")
        arguments = ["-b", suffix or self.conf.database.suffix]
        arguments += ["-q"] if quick else []
        arguments += ["-w"] if write_csn else []
        arguments += ["-S", str(server_id)] if server_id is not None else []
        if isinstance(source, (str, Path)):
            self._tool("add", *arguments, "-l", str(source))
        else:
            self._tool("add", *arguments, pieces=source)

    def modify_offline(self, ldif: str, *, suffix: str = "") -> None:
        """Apply LDIF change records by slapmodify (2.5 and newer): no overlay sees them. Raises LdapreplError."""
        self._must_be_stopped("change")
        self._tool("modify", "-b", suffix or self.conf.database.suffix, pieces=[ldif])

    def dump(self, *, suffix: str = "") -> str:
        """The whole database as LDIF without folding, by slapcat; the server may run.

        Raises LdapreplError, also for a database that has not been loaded or started yet.
        """
        return self._tool("cat", "-b", suffix or self.conf.database.suffix, "-o", "ldif-wrap=no")

    def wipe(self) -> None:
        """Empty the databases of a SlapdConf: their files are removed. UsageError while the server runs."""
        self._must_be_stopped("wipe")
        for path in self.folder.glob("db*/*.mdb"):
            path.unlink()

    # -- the process

    @property
    def running(self) -> bool:
        """The process exists; paused counts as running."""
        return self._held.guard is not None and self._held.guard.poll() is None

    @property
    def pid(self) -> int:
        """slapd's process id. UsageError when it does not run."""
        if not self.running:
            raise UsageError("this private slapd does not run")
        return self._held.pid

    @property
    def rootdn(self) -> str:
        """The administrator of the main database."""
        return self.conf.database.admin

    @property
    def rootpw(self) -> Secret:
        """The administrator's password."""
        return self.conf.database.rootpw

    def start(self, timeout: float = 60.0) -> Self:
        """Start slapd and wait until it answers, at most `timeout` seconds.

        Raises ServerUnavailable with the log's last lines when it ends or stays silent, UsageError when it runs.
        """
        self._must_be_stopped("start")
        # without a slash at the end: slapd compares them as text with the URLs of serverID and syncrepl
        listeners = " ".join(uri for uri in (self.ldap_uri, self.ldaps_uri, self.ldapi_uri) if uri)
        log = self.folder / "slapd.log"
        begin = log.stat().st_size if log.exists() else 0
        self._held.spawn([str(self._program), *self._config, "-h", listeners, "-d", self.debug, "-s", "0"], log)
        deadline = time.monotonic() + timeout
        while not _answers(self._socket):
            if not self.running:
                self._held.reap()
                raise ServerUnavailable(f"the private slapd did not start; its last words:\n{self._words(begin)}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerUnavailable(f"the private slapd is silent; its last words:\n{self._words(begin)}")
            time.sleep(0.005)
        return self

    def stop(self, timeout: float = 30.0) -> None:
        """Ask slapd to end (SIGTERM), wait, and kill it when `timeout` seconds were not enough."""
        self._held.signal(signal.SIGTERM)
        self._held.signal(signal.SIGCONT)  # a paused process takes no SIGTERM
        try:
            self._held.reap(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End slapd at once (SIGKILL), as a crash does."""
        self._held.signal(signal.SIGKILL)
        self._held.reap()

    def restart(self) -> Self:
        """Stop and start again, on the same port."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freeze slapd (SIGSTOP): connections stay open, nothing is answered. It is frozen when this returns."""
        self._held.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen slapd go on (SIGCONT)."""
        self._held.signal(signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that slapd wrote, without the root passwords should they occur."""
        return self._words(0, lines)

    def close(self) -> None:
        """Stop the server and remove its folder. May be called twice."""
        try:
            self.stop()
        finally:
            self._finalizer()

    def disown(self) -> None:
        """Forget the server without ending it: it lives on as long as a forked process holds its guard's pipes."""
        self._finalizer.detach()
        self._held.guard = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Slapd {self.ldap_uri or self.ldapi_uri} {'running' if self.running else 'stopped'}>"

    # -- inner workings

    @property
    def _socket(self) -> Path:
        return self.folder / "ldapi"

    def _must_be_stopped(self, what: str) -> None:
        if self.running:
            raise UsageError(f"cannot {what} a private slapd while it runs", "Call stop() first")

    def _make_folders(self, names: Iterable[str]) -> None:
        for path in map(Path, names):
            if path.is_relative_to(self.folder):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _fresh_config_folder(self) -> Path:
        target = self.folder / "slapd.d"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        return target

    def _words(self, begin: int, lines: int = 20) -> str:
        try:
            octets = (self.folder / "slapd.log").read_bytes()[begin:]
        except FileNotFoundError:
            return ""
        return self._masked("\n".join(octets.decode("utf-8", "backslashreplace").splitlines()[-lines:]))

    def _masked(self, text: str) -> str:
        for database in (self.conf.database, *self.conf.others):
            text = text.replace(database.rootpw.reveal(), str(database.rootpw))
        return text.strip()

    def _tool(self, tool: str, *arguments: str, pieces: Iterable[str] = ()) -> str:
        done = run_tool(self._program, tool, [*self._config, *arguments], self.folder, pieces)
        if done.returncode:
            words = self._masked("\n".join(done.stderr.splitlines()[-10:]))
            raise LdapreplError(f"slap{tool} ended with code {done.returncode}: {words}")
        return done.stdout


def _answers(path: Path) -> bool:
    """Is there an LDAP reply (any result) to an anonymous bind on this socket?"""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
            client.sendall(_BIND_REQUEST)
            return client.recv(1) == b"\x30"
        except OSError:
            return False
