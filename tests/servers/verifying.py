"""`ldaprepl verify` as users start it, and servers to start it on.

Every run is a process of its own. What must hold for each of them is checked here, once: no traceback, and the password
nowhere in what it wrote.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from ldaprepl.domain.awkward import CONF_LINES
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import entry_text
from ldaprepl.domain.sample import SUFFIX
from ldaprepl.domain.secret import Secret
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SECRET = "correct horse, battery: staple"
ADMIN = f"cn=admin,{SUFFIX}"
REPLICA = f"cn=replica,{SUFFIX}"
PATIENCE = 120.0  # seconds; only a test that fails waits so long
SlapdFactory = Callable[..., Slapd]


def conf(*lines: str, modules: tuple[str, ...] = (), sizelimit: str = "unlimited", suffix: str = SUFFIX) -> SlapdConf:
    """A server for the awkward sample, with one administrator's password for all; `lines` are the database's."""
    database = Database(suffix=suffix, rootpw=Secret(SECRET), nosync=True, sizelimit=sizelimit, lines=lines)
    return SlapdConf(database, modules=modules, lines=CONF_LINES)


def replica() -> Entry:
    """An entry that one may bind as with `SECRET`, and that no limit spares."""
    names: dict[str, tuple[bytes, ...]] = {
        "objectClass": (b"organizationalRole", b"simpleSecurityObject", b"top"),
        "cn": (b"replica",),
        "userPassword": (SECRET.encode(),),
    }
    return Entry(REPLICA, names)


def filled(server: Slapd, entries: Iterable[Entry]) -> Slapd:
    """The server, loaded and started."""
    server.load(map(entry_text, entries))
    return server.start()


@dataclass(frozen=True)
class Run:
    """One run that has ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """Its JSON."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def consumer(self) -> dict[str, Any]:
        """The only consumer in its JSON."""
        (consumer,) = self.report["consumers"]
        return dict(consumer)

    @property
    def findings(self) -> list[dict[str, Any]]:
        return list(self.consumer["findings"])

    @property
    def states(self) -> list[tuple[str, str, str]]:
        """Kind, DN and state of each finding."""
        return sorted((each["kind"], each["dn"], each["state"]) for each in self.findings)


def command(provider: str, *consumers: str, base: str = SUFFIX, bind: str | None = ADMIN) -> list[str]:
    """The command line, with JSON and without patience; options that come later win."""
    words = [sys.executable, "-m", "ldaprepl", "verify", "--provider", provider, "-b", base]
    words += [word for consumer in consumers for word in ("--consumer", consumer)]
    words += ["-D", bind] if bind else []
    return [*words, "--format", "json", "--settle", "0"]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, with the password, and with nothing that would change the output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LDAPREPL", "LC_", "NO_COLOR"))}
    return {**kept, "LDAPREPL_PASSWORD": SECRET, **(more or {})}


def verify(
    provider: Slapd | str,
    consumers: Slapd | str | Iterable[Slapd | str],
    *options: str,
    env: Mapping[str, str] | None = None,
    base: str = SUFFIX,
    bind: str | None = ADMIN,
) -> Run:
    """Run it to its end."""
    several = [consumers] if isinstance(consumers, (Slapd, str)) else list(consumers)
    words = [*command(uri(provider), *map(uri, several), base=base, bind=bind), *options]
    variables = environment(env)
    if bind is None:
        del variables["LDAPREPL_PASSWORD"]
    done = subprocess.run(words, capture_output=True, env=variables, check=False, timeout=PATIENCE)
    return checked(done.returncode, done.stdout, done.stderr)


def checked(code: int, out: bytes, err: bytes) -> Run:
    """What holds for every run."""
    run = Run(code, out.decode(), err.decode())
    for text in (run.out, run.err):
        assert "Traceback" not in text, text
        assert "a bug:" not in text, text
        assert SECRET not in text
    return run


def uri(server: Slapd | str) -> str:
    return server if isinstance(server, str) else server.ldap_uri


class HasUri(Protocol):
    """A server of any kind."""

    ldap_uri: str


@dataclass
class Relay:
    """A way to a server that lets so many bytes of its answers through; then `then` happens, and no byte comes any
    more: the connection stays open, unless `cut`. With `goes_on` it lets through what comes after that, too."""

    server: HasUri
    after: int
    then: Callable[[], None] = field(default=lambda: None)
    cut: bool = False
    goes_on: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    uri: str = ""
    passed: int = 0  # bytes of answers

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._open:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                host, _, port = self.server.ldap_uri.removeprefix("ldap://").rpartition(":")
                try:
                    server = socket.create_connection((host, int(port)))
                except OSError:  # it is away, and may come again
                    client.close()
                    continue
                self._open += [client, server]
                threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        left = self.after
        with suppress(OSError):
            while left and (data := server.recv(min(left, 65536))):
                self.passed += len(data)  # who has read them may ask for it
                client.sendall(data)
                left -= len(data)
        if left:
            return
        self.then()
        if self.cut:
            client.shutdown(socket.SHUT_RDWR)
        self.reached.set()
        with suppress(OSError):
            while self.goes_on and (data := server.recv(65536)):
                client.sendall(data)


class Gate(Relay):
    """A way to a server on which the answers wait once `shut` is true, however fast or slow this machine is, until
    `open` is called: what is on its way then stays there. `each` so many answers, `shut` is asked."""

    def __init__(self, server: HasUri, shut: Callable[[], bool], each: int = 1) -> None:
        super().__init__(server, -1)
        self._shut = shut
        self._each = each
        self._opened = threading.Event()
        self._answering: list[threading.Thread] = []

    def open(self) -> None:
        self._opened.set()

    def finish(self) -> None:
        """Let go who waits, whose process has ended meanwhile, and wait until the server has done what it was asked for
        and hangs up: it would be in the way of the next run."""
        self.open()
        for thread in self._answering:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def again(self) -> None:
        """Finish, and be ready for the next."""
        self.finish()
        self.reached.clear()
        self._opened.clear()

    def __exit__(self, *why: object) -> None:
        self.open()
        super().__exit__(*why)

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        self._answering.append(threading.current_thread())
        with suppress(OSError):
            for turn in itertools.count():
                if not (data := server.recv(65536)):
                    break
                if turn % self._each == 0 and not self._opened.is_set() and self._shut():
                    self.reached.set()
                    self._opened.wait(PATIENCE)
                with suppress(OSError):  # it has ended; the server goes on for a while
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def nobody() -> Iterator[str]:
    """A URI where nobody answers, nor will while this lasts: a port that was let go may be another's at once."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"ldap://127.0.0.1:{held.getsockname()[1]}"


def rubbish(answer: bytes) -> socket.socket:
    """A listener that gives this answer to whatever it is asked, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    client.recv(4096)
                    client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def password_file(folder: Path, text: str = SECRET) -> Path:
    path = folder / "password"
    path.write_text(text)
    path.chmod(0o600)
    return path
