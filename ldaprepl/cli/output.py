"""Where results go: standard output, or a file that is never half written; and the progress line on a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ldaprepl.domain.plural import counted
from ldaprepl.errors import UsageError, unwritten

_REDRAW = 0.1  # seconds
_COLUMNS = 80  # of a terminal that does not tell
_NARROWEST = 40  # below it nothing can be read anyway


def emit(text: str, file: Path | None, mode: int | None = None) -> None:
    """Write the result. A file is written beside its place and renamed; `mode` is its access mode, if not the one it
    has or the usual one. What is no file (a device, a pipe) is written to, never replaced.

    A reader who has gone away (`| head`) is no error. Raises `LdapreplError` when the result cannot be written, and it
    is `UsageError` where the place is wrong.
    """
    try:
        if file is None:
            _print(text)
        else:
            with written(file, mode) as out:
                out.write(text)
    except OSError as error:
        raise unwritten(f"{file or 'standard output'} cannot be written", error) from None


def check_writable(file: Path | None) -> None:
    """Notice before a long piece of work that its result would have no place. Raises `UsageError`."""
    if file is not None and not (file.exists() or os.access(file.resolve().parent, os.W_OK)):
        raise UsageError(f"{file} cannot be written: there is no such folder, or it is not yours")


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # what is still buffered is dropped at the end


@contextlib.contextmanager
def written(file: Path, mode: int | None = None) -> Iterator[TextIO]:
    """Where to write what goes into this file, by the rules of `emit`; left by an error, the file is as it was.

    Raises `OSError`.
    """
    if file.exists() and not file.is_file():
        with file.open("w", encoding="utf-8", errors="backslashreplace") as out:
            yield out
        return
    import tempfile  # with all that it needs as long to import as a check takes

    file = file.resolve()
    if mode is None:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def columns(stream: TextIO) -> int | None:
    """The width of the terminal that the stream goes to, COLUMNS where that is set; None where it goes elsewhere."""
    if not stream.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def room(most: int, stream: TextIO | None) -> int:
    """Characters for a line of sentences: `most`, and so in files and logs; less on a terminal that is narrower."""
    width = columns(stream) if stream else None
    return max(_NARROWEST, min(most, width or most))


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


class TerminalProgress:
    """One line on standard error that is drawn over itself: done, rate, and a bar with the time left where known."""

    def __init__(self) -> None:
        self._name = ""
        self._total: int | None = None
        self._started = self._drawn = 0.0

    def phase(self, name: str, total: int | None = None) -> None:
        self._name, self._total = name, total
        self._started, self._drawn = time.monotonic(), 0.0

    def advance(self, done: int) -> None:
        now = time.monotonic()
        if now - self._drawn < _REDRAW:
            return
        self._drawn = now
        width = columns(sys.stderr) or _COLUMNS
        sys.stderr.write("\r\x1b[K" + self._line(done, now - self._started)[: width - 1])
        sys.stderr.flush()

    def _line(self, done: int, seconds: float) -> str:
        rate = done / seconds if seconds > 0 else 0.0
        text = f"{self._name}: {counted(done)}, {rate:,.0f}/s"
        if not self._total:
            return f"{text}, {seconds:.0f} s"
        part = min(1.0, done / self._total)
        left = (self._total - done) / rate if rate else 0.0
        filled = int(part * 20)
        return f"{text} [{'#' * filled}{'.' * (20 - filled)}] {part:.0%}, {left:.0f} s left"

    def close(self) -> None:
        """Wipe the line."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class NoProgress:
    """For cron, pipes, dumb terminals and --quiet."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, done: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def progress(quiet: bool) -> TerminalProgress | NoProgress:
    """A progress line where somebody can see it, on a terminal that can draw a line over itself."""
    plain = not sys.stderr.isatty() or os.environ.get("TERM") == "dumb"
    return NoProgress() if quiet or plain else TerminalProgress()
