"""One run at a time with one state file: a lock beside it, taken without waiting, gone with whoever holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldaprepl.errors import AlreadyRunning, UsageError


@contextmanager
def locked(path: Path, command: str = "check") -> Iterator[None]:
    """Hold the lock of this state file. Raises `AlreadyRunning`, `UsageError` when the folder is not writable."""
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


def unusable(path: Path, error: OSError) -> UsageError:
    """What to say of a state file that the system does not let us use."""
    return UsageError(f"the state file {path} cannot be used ({error.strerror})", "Give a writable place with --state.")
