"""Every way a command can end, and the exit code that belongs to it.

One tree of exceptions, one table of codes. Errors of libraries are translated into these once, at the edge (`wire`),
with the cause chained; only `cli.main` turns them into a process exit code. A message is one clear sentence: what is
wrong, where (server, DN, file:line); `cure` says what to do about it. Neither ever holds a secret.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command but `check`, which speaks Nagios."""

    OK = 0  # done, nothing wrong
    FINDING = 1  # a divergence, a lint error, a guard that refused
    USAGE = 2  # wrong usage
    UNDECIDED = 3  # could not tell: unreachable, incomplete read, already running, crash
    BEHIND = 4  # only lag: the consumer is behind, nothing else differs
    INTERRUPTED = 130  # Ctrl-C


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.OK: "done, nothing wrong",
    ExitCode.FINDING: "a finding: divergence, an error in a configuration, a guard that refused",
    ExitCode.USAGE: "wrong usage",
    ExitCode.UNDECIDED: "could not tell: unreachable, incomplete read, already running, crash",
    ExitCode.BEHIND: "only lag: the consumer is behind, nothing else differs",
    ExitCode.INTERRUPTED: "interrupted",
}
"""What the manuals say of each code."""


class LdapreplError(Exception):
    """Base of all errors that ldaprepl raises on purpose.

    `message` is one sentence without a final full stop, `cure` (may be empty) what the administrator can do.
    """

    exit_code = ExitCode.UNDECIDED

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message}. {self.cure}" if self.cure else self.message


class UsageError(LdapreplError):
    """The command was called wrongly: options, files, values."""

    exit_code = ExitCode.USAGE


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def unwritten(what: str, error: OSError, cure: str = "") -> LdapreplError:
    """What to say of a file that the system does not let us write. A wrong place is wrong usage (`cure`: which other);
    a full or broken disk is not: nothing is wrong with the command, and nothing is told."""
    said = f"{what} ({error.strerror})"
    return LdapreplError(said) if error.errno in _NO_ROOM else UsageError(said, cure)


class GuardRefused(LdapreplError):
    """A guard stopped the command before it did harm."""

    exit_code = ExitCode.FINDING


class ServerUnavailable(LdapreplError):
    """No connection, no TLS, or no bind: nothing could be asked."""


class Refused(ServerUnavailable):
    """The server is there, but TLS or the bind failed: it, or we, are not set up right."""


class CertificateExpired(Refused):
    """The server's certificate is past its end."""


UNCHANGED = "Nothing was changed."


class IncompleteRead(LdapreplError):
    """A server's answer did not come to a clean end, so nothing follows from what is absent in it."""


class ProtocolViolation(LdapreplError):
    """A server sent bytes that are not the LDAP answer they should be (RFC 4511)."""


class AlreadyRunning(LdapreplError):
    """Another process holds the lock."""


class MissingLibrary(LdapreplError):
    """A library that only some commands need is not installed."""
