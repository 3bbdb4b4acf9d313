"""One run at a time with one state file: a lock beside it, taken without waiting, gone with whoever holds it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldaprepl.errors import AlreadyRunning, UsageError

_BEGIN = 64  # bytes
_OURS = re.compile(rb'\{\s*("schema"|$)')


@contextmanager
def locked(path: Path, command: str = "check") -> Iterator[None]:
    """Hold the lock of this state file. Raises `AlreadyRunning`, `UsageError` when the folder is not writable, or the
    file is somebody else's: it would be replaced."""
    _refuse_strangers(path)
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


def _refuse_strangers(path: Path) -> None:
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
    if words and not _OURS.match(words):
        raise UsageError(
            f"{path} is no state file of ldaprepl, and is left as it is", "Give a file of its own with --state."
        )


def unusable(path: Path, error: OSError) -> UsageError:
    """What to say of a state file that the system does not let us use."""
    return UsageError(f"the state file {path} cannot be used ({error.strerror})", "Give a writable place with --state.")
