"""-v and --debug-dump: the steps between us and the servers, for people on standard error, and whole in a file.

The file is JSON, one step a line, and only its owner may read it: there are no passwords in it, but entries are.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from ldaprepl import __version__
from ldaprepl.errors import unwritten
from ldaprepl.report.values import printable
from ldaprepl.wire import trace
from ldaprepl.wire.trace import Step

_MODE = 0o600


@contextlib.contextmanager
def traced(given: Mapping[str, Any], command: str) -> Iterator[None]:
    """Listen while a command runs, if its options ask for it. Raises `UsageError` when the file cannot be written."""
    file: Path | None = given.get("debug_dump")
    if not given.get("verbose") and file is None:
        yield
        return
    with contextlib.ExitStack() as opened:
        dump = opened.enter_context(_created(file)) if file else None
        if dump:
            options = {name: str(value) for name, value in given.items() if value not in _UNSET}
            about = {"ldaprepl": __version__, "python": platform.python_version(), "command": command}
            _write(dump, {**about, "options": options})
        trace.listener = _Listener(dump, bool(given.get("verbose")))
        try:
            yield
        finally:
            trace.listener = None


_UNSET: tuple[object, ...] = (None, False, (), [], "")


@contextlib.contextmanager
def _created(file: Path) -> Iterator[IO[str]]:
    """A new file that nobody else may read; one that is there is replaced, not opened to its readers."""
    with contextlib.suppress(FileNotFoundError):
        if file.is_file() and not file.is_symlink():
            file.unlink()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except OSError as error:
        raise unwritten(f"{file} cannot be written", error) from None
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
        yield out


class _Listener:
    """Writes steps down. Servers are asked side by side, so every line is written whole."""

    def __init__(self, dump: IO[str] | None, verbose: bool) -> None:
        self.entries = dump is not None
        self._dump = dump
        self._verbose = verbose
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._entries: dict[str, int] = {}

    def __call__(self, step: Step) -> None:
        with self._lock:
            if self._dump is not None:
                at = round(time.monotonic() - self._begun, 6)
                kind = {"at": at, "server": step.server, "sent": step.sent, "op": step.op}
                _write(self._dump, {**kind, **step.detail})
            if self._verbose:
                self._say(step)

    def _say(self, step: Step) -> None:
        if step.op in ("entry", "entries"):  # they are counted, and told with their end
            self._entries[step.server] = self._entries.get(step.server, 0) + step.detail.get("number", 1)
            return
        detail = dict(step.detail)
        detail.pop("message", None)
        if step.op == "search done":
            detail = {"entries": self._entries.pop(step.server, 0), **detail}
        words = [f"{name}={_shown(value)}" for name, value in detail.items() if value not in _UNSET]
        with contextlib.suppress(OSError, ValueError):
            arrow = ">" if step.sent else "<"
            print(printable(f"{step.server} {arrow} {' '.join([step.op, *words])}"), file=sys.stderr)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _write(dump: IO[str], line: Mapping[str, Any]) -> None:
    dump.write(json.dumps(line, ensure_ascii=True, default=str) + "\n")
