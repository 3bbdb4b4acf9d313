"""What a private slapd holds outside of this process: a folder, ports, a guard with slapd behind it.

Kept apart from the object that people use, so that a finalizer can hold this and not the object, and so that letting
everything go is in one place. `slapdguard` is the other end of the two pipes.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from ldaprepl.errors import ServerUnavailable
from ldaprepl.wire import slapdguard
from ldaprepl.wire.slaptool import NOEXEC_CURE

# Removes the folder when we are gone in whatever way, also while no slapd, and so no guard, runs.
_JANITOR = """trap '' HUP INT TERM; read -r _; exec rm -rf -- "$1\""""
_SOCKET_PATH_MAX = 100  # sun_path holds 104 bytes on BSD, 108 on Linux


class Holdings:
    """The holdings of one server: `folder` and `ports` (numbers) from the beginning, a process now and then."""

    def __init__(self, folder: Path, ports: int) -> None:
        self.folder = folder
        self._reserved = [_reserve() for _ in range(ports)]
        self.ports = [held.getsockname()[1] for held in self._reserved]
        self._janitor = subprocess.Popen(
            ["/bin/sh", "-c", _JANITOR, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.guard: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self._owner = os.getpid()

    def spawn(self, command: list[str], log: Path) -> None:
        """Start slapd under its guard, in a session of its own: Ctrl-C must not end it before we do.

        Raises ServerUnavailable when the program cannot be run.
        """
        self.reap()
        if not sys.platform.startswith("linux"):
            for port in self._reserved:
                port.close()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.guard = subprocess.Popen(
                [sys.executable, "-I", "-S", slapdguard.__file__, str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                bufsize=0,
            )
        finally:
            os.close(output)
        word = self._hear()
        if not word.isdecimal():
            self.reap()
            raise ServerUnavailable(
                f"a private slapd could not be started: {word or 'no word from its guard'}",
                NOEXEC_CURE,
            )
        self.pid = int(word)

    def signal(self, signum: int) -> None:
        """Have the guard send slapd a signal and wait for its word. Nothing happens when slapd is gone."""
        if self.guard and self.guard.stdin:
            with suppress(BrokenPipeError):
                self.guard.stdin.write(bytes([signum]))
                self._hear()

    def _hear(self) -> str:
        return self.guard.stdout.readline().decode().strip() if self.guard and self.guard.stdout else ""

    def reap(self, timeout: float | None = None) -> None:
        """Wait for slapd's end, then close the pipes: closing them first would be the order to kill and remove.

        Raises subprocess.TimeoutExpired.
        """
        if self.guard:
            self.guard.wait(timeout)
            self._close_pipes(self.guard)
            self.guard = None

    @staticmethod
    def _close_pipes(guard: subprocess.Popen[bytes]) -> None:
        for pipe in (guard.stdin, guard.stdout):
            if pipe:
                pipe.close()

    def release(self) -> None:
        """End the process, remove the folder. Does nothing in a forked child: the server belongs to its parent."""
        if os.getpid() != self._owner:
            return
        if self.guard:
            self._close_pipes(self.guard)
            self.reap()
        self._janitor.communicate()
        for port in self._reserved:
            port.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder() -> Path:
    """A new temporary folder (mode 0700) whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="ldaprepl-")).resolve()
    if len(os.fsencode(folder)) > _SOCKET_PATH_MAX - len("/ldapi"):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="ldaprepl-", dir="/tmp")).resolve()
    return folder


def _reserve() -> socket.socket:
    """Hold a free loopback port.

    Linux lets slapd, which sets SO_REUSEADDR too, bind it while we, not listening, keep others away from it; elsewhere
    it is let go just before the start.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
