"""The command line, and the only place where an outcome becomes an exit code.

click would answer 1 for its own errors, for an abort and for a crash, which would read as "a divergence was found";
so it runs with its standalone mode off and everything is mapped here. Commands are imported when they are called.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from ldaprepl.errors import ExitCode, LdapreplError, MissingLibrary
from ldaprepl.report.values import printable

# Commands that speak Nagios. To a monitoring system 1 and 2 are alarms about the servers, so every failure is 3,
# UNKNOWN, and its reason stands on standard output, where it looks for it.
_NAGIOS = ("check",)
_DEBUG = "LDAPREPL_DEBUG"
_PYTHON_LDAP = ("ldap", "_ldap")  # its package and its compiled part, which may find no libldap
_NO_PYTHON_LDAP = "this needs python-ldap, which cannot be loaded here"
_FULL = "ldaprepl: no space is left where something had to be written.\n  Make room for the output and for TMPDIR."
_GET_PYTHON_LDAP = (
    "Debian and Ubuntu: apt install python3-ldap; with pip or pipx: install 'ldaprepl[sync]', which needs the packages "
    "libldap2-dev, libsasl2-dev and gcc."
)


def main() -> NoReturn:
    """Run the command and leave the process with its exit code."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # closed by the caller (>&-)
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _terminate)
    code = _flushed(run(sys.argv[1:]))
    try:
        sys.stderr.flush()
    except OSError:  # or the interpreter tries again, and ends with a code of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    gc.freeze()  # or the interpreter looks for garbage in all that it is about to throw away
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; its exit code. Nothing but `SystemExit` from SIGTERM and SIGHUP escapes."""
    try:
        return _run(arguments)
    except (Exception, KeyboardInterrupt) as error:
        code, text = _failure(error)
    if arguments[:1] and arguments[0] in _NAGIOS:
        from ldaprepl.cli.output import emit
        from ldaprepl.report import nagios

        try:
            emit(nagios.failure(text), None)
        except LdapreplError:  # standard output takes nothing, and mostly that is what there is to say
            _complain(text)
        return nagios.UNKNOWN
    if text:
        _complain(text)
    return code


def _flushed(code: int) -> int:
    """The exit code when the last of the output has gone out, which is no success where it could not."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered must go somewhere
        if code == ExitCode.OK and not isinstance(error, BrokenPipeError):
            _complain(f"ldaprepl: standard output cannot be written ({error.strerror}).")
            return ExitCode.UNDECIDED
    return code


def _complain(text: str) -> None:
    """A line on standard error, if that takes one."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def _run(arguments: list[str]) -> int:
    """click reads the command line, but for a plain check: its import alone takes as long as the whole check."""
    if arguments[:1] == ["check"]:
        from ldaprepl.cli import checkline

        given = checkline.read(arguments[1:])
        if given is not None:
            from ldaprepl.cli import checking

            return checking.run(given)
    from ldaprepl.cli.commands import cli

    outcome = cli.main(arguments, prog_name="ldaprepl", standalone_mode=False)
    return int(outcome) if isinstance(outcome, int) else ExitCode.OK


def _failure(error: Exception | KeyboardInterrupt) -> tuple[ExitCode, str]:
    """The exit code of a command that did not get to its end, and what to say."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED, "ldaprepl: interrupted; nothing was decided."
        case ImportError() if (error.name or "").partition(".")[0] in _PYTHON_LDAP:
            return _failure(MissingLibrary(_NO_PYTHON_LDAP, _GET_PYTHON_LDAP))
        case LdapreplError():
            cure = f"\n  {printable(error.cure)}" if error.cure else ""
            return error.exit_code, f"ldaprepl: {printable(error.message)}.{cure}"
        case BrokenPipeError():
            return ExitCode.UNDECIDED, ""
        case OSError(errno=errno.ENOSPC):
            return ExitCode.UNDECIDED, _FULL
    if "click" in sys.modules:
        from ldaprepl.cli.commands import complaint

        said = complaint(error)
        if said is not None:
            return said
    if os.environ.get(_DEBUG):
        raise error
    name = type(error).__name__
    bug = f"ldaprepl: a bug: {name} where none should be. Run again with {_DEBUG}=1 and report it."
    return ExitCode.UNDECIDED, bug


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM, and SIGHUP of a closed terminal, unwind like Ctrl-C, so that temporary files and servers go away."""
    text = f"ldaprepl: ended by {signal.Signals(number).name} before it was done.\n"
    try:
        os.write(2, text.encode())  # print() cannot be entered twice
    except OSError:
        pass
    sys.exit(128 + number)
