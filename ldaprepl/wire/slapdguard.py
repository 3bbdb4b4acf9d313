"""The process between us and a private slapd: it outlives us just long enough to end slapd.

Run as a script with the folder and slapd's command line as arguments. It starts slapd as its own child and tells the
pid on standard output. A byte on standard input is a signal number for slapd, answered by a line once it took effect.
The end of standard input means that the parent is gone, in whatever way, SIGKILL included: slapd is killed and the
folder removed. Being slapd's parent, it never signals a pid that belongs to somebody else by now. (PR_SET_PDEATHSIG
would not do: it is Linux only, and it fires when the *thread* that started the process ends.) Only light modules of the
standard library: it must start fast. Only its own SIGKILL would leave slapd behind.
"""

from __future__ import annotations

import os
import select
import signal
import sys

_DEFERRED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
)  # Ctrl-C reaches a whole terminal group; only our parent decides


def _say(text: str) -> None:
    try:
        os.write(1, f"{text}\n".encode())
    except BrokenPipeError:
        pass  # the parent is gone: the end of standard input says so too


def _spawn(command: list[str]) -> int:
    """Start slapd with our standard error as its output and default signals."""
    return os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
        setsigdef=[*_DEFERRED, signal.SIGPIPE, signal.SIGCHLD],
    )


def _pass_on(pid: int, signum: int) -> int | None:
    """Send one signal and wait until a stop is a stop. Gives the wait status when that ended slapd."""
    os.kill(pid, signum)  # safe: not reaped yet, so the pid is still slapd's
    if signum == signal.SIGSTOP:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
    _say("done")
    return None


def guard(folder: str, command: list[str]) -> int:
    """Start `command`, obey standard input until slapd or the parent ends.

    Gives slapd's exit code (128 + n for signal n), 127 when it cannot be run.
    """
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wakeup byte is written
    for signum in _DEFERRED:
        signal.signal(signum, signal.SIG_IGN)
    try:
        pid = _spawn(command)
    except OSError as error:
        _say(f"cannot run {command[0]}: {error.strerror}")
        return 127
    _say(str(pid))
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        status: int | None = None
        if wake in ready:
            os.read(wake, 512)
            done, waited = os.waitpid(pid, os.WNOHANG)
            status = waited if done else None
        if status is None and 0 in ready:
            order = os.read(0, 1)
            if order:
                status = _pass_on(pid, order[0])
            else:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                _remove(folder)
                return 128 + signal.SIGKILL
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _remove(folder: str) -> None:
    import shutil  # slow to import and seldom needed

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
