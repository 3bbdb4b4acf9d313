"""State files: one run at a time with one, and none half written.

The lock is a file beside it, taken without waiting, gone with whoever holds it. What is replaced is written beside its
place and renamed.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ldaprepl.errors import AlreadyRunning, LdapreplError, UsageError, unwritten

_BEGIN = 64  # bytes
_OURS = re.compile(rb'\{\s*(?:$|"schema"(?:: \d+,\s*"command": "(\w+)")?)')


@contextmanager
def locked(path: Path, command: str = "check") -> Iterator[None]:
    """Hold the lock of this state file. Raises `AlreadyRunning`, `UsageError` when the folder is not writable, or the
    file is somebody else's: it would be replaced."""
    _refuse_strangers(path, command)
    name = path.with_name(path.name + ".lock")
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(name, error) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"already running: another {command} holds {name}", f"Give each {command} a --state file of its own."
            ) from None
        yield
    finally:
        os.close(handle)


def replace(path: Path, text: str) -> None:
    """Write the state file anew, for its owner alone; the lock must be held. Left by an error, the file is as it was,
    and nothing lies beside it. Raises `LdapreplError`."""
    new = path.with_name(path.name + ".new")
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise
    except OSError as error:
        raise unusable(path, error) from None


@contextmanager
def claimed(folder: Path, stem: str, busy: str) -> Iterator[Path]:
    """Hold the lock of the database `stem` in a state folder, which is made where there is none: the database's path.

    `busy` says what else may be running. Raises `AlreadyRunning`, `UsageError` when the folder cannot be used.
    """
    path = folder / f"{stem}.sqlite"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / f"{stem}.lock").open("a+")
    except OSError as error:
        raise unwritten(f"the state folder {folder} cannot be used", error, "Name one by --state.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"{busy} is running (state {path})") from None
        yield path


def _refuse_strangers(path: Path, command: str) -> None:
    """Only what begins like a state file may be replaced by one; empty, or zeros after a crash, is nobody's."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"the state file {path} is no file", "Give a writable place with --state.")
        with path.open("rb") as file:
            begin = file.read(_BEGIN)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable(path, error) from None
    words = begin.strip(b" \t\r\n\0")
    if not words:
        return
    ours = _OURS.match(words)
    if not ours or ours[1] not in (None, command.encode()):
        whose = f"the state file of {ours[1].decode()}" if ours else "no state file of ldaprepl"
        raise UsageError(f"{path} is {whose}, and is left as it is", "Give a file of its own with --state.")


def unusable(path: Path, error: OSError) -> LdapreplError:
    """What to say of a state file that the system does not let us use."""
    return unwritten(f"the state file {path} cannot be used", error, "Give a writable place with --state.")
