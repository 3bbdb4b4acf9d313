"""ldaprepl.toml on disk, and the passwords it speaks of.

A file that may name a program to run is taken only from its owner: it must belong to root or to us and be writable by
nobody else, as ssh and sudo want theirs, so that an ldaprepl.toml in somebody else's folder cannot make root run
something. What holds a password must be closed to others. Everything refused is refused with its place.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ldaprepl.domain.profile import Profiles, Table, parse
from ldaprepl.domain.secret import Secret
from ldaprepl.errors import ServerUnavailable, UsageError

VARIABLE = "LDAPREPL_CONFIG"
NAME = "ldaprepl.toml"
SYSTEM = Path("/etc/ldaprepl/config.toml")
_PATIENCE = 60.0  # seconds for a program that prints a password


def find(named: Path | None, environment: Mapping[str, str]) -> tuple[Path, str]:
    """The file, and why it: --config, the variable, or the first that is there. Raises `UsageError`."""
    if named is not None:
        return named, "--config"
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE]), f"${VARIABLE}"
    places = list(candidates(environment))
    for path in places:
        if path.exists():
            return path, "found"
    raise UsageError(
        f"there is no configuration file: {', '.join(map(str, places))}",
        f"'ldaprepl config new' writes one; --config FILE or {VARIABLE} names another.",
    )


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where it is looked for."""
    yield Path(NAME)
    home = environment.get("XDG_CONFIG_HOME") or (f"{environment['HOME']}/.config" if environment.get("HOME") else None)
    if home:
        yield Path(home) / "ldaprepl" / "config.toml"
    yield SYSTEM


def read(path: Path) -> Profiles:
    """Read and check one. Raises `UsageError`."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            held = os.fstat(file.fileno())
            if not stat.S_ISREG(held.st_mode):
                raise UsageError(f"the configuration {path} is no file")
            _refuse_foreign(path, held)
            text = file.read().decode("utf-8")
    except OSError as error:
        raise UsageError(f"the configuration {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"the configuration {path} is not UTF-8") from None
    profiles = parse(text, str(path))
    if profiles.secrets and held.st_mode & stat.S_IRWXO:
        raise UsageError(
            f"{profiles.secrets[0]}: a password stands in a file that others may read",
            f"chmod 600 {path}, and change the password: somebody may have read it.",
        )
    return profiles


def _refuse_foreign(path: Path, held: os.stat_result) -> None:
    if held.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"the configuration {path} belongs to user {held.st_uid}, who is neither root nor you: it could name a "
            "program to run",
            f"Look at it, then make it yours (chown {os.geteuid()} {path}), or give another with --config.",
        )
    if held.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            f"the configuration {path} may be written by others (mode {stat.S_IMODE(held.st_mode):04o}): it could "
            "name a program to run",
            f"chmod go-w {path}",
        )


def beside(table: Table, key: str, source: str) -> Path | None:
    """The path of a key: `~` is our home, and what is relative is beside the configuration file."""
    text = table.get(key)
    if not text:
        return None
    path = Path(text).expanduser() if text.startswith("~") else Path(text)
    return path if path.is_absolute() else Path(source).absolute().parent / path


def password(server: Table, source: str) -> Secret | None:
    """From whichever key has it. Raises `UsageError`, `ServerUnavailable` when the program fails."""
    if server.get("password"):
        found: Secret = server.get("password")
        return found
    file = beside(server, "password_file", source)
    if file is not None:
        return _from_file(file, server.origin("password_file"))
    command = server.get("password_command")
    return _from_command(command, server.origin("password_command")) if command else None


def _from_file(file: Path, origin: str) -> Secret:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read()
    except OSError as error:
        raise UsageError(f"{origin}: the password file {file} cannot be read ({error.strerror})") from None
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise UsageError(
            f"{origin}: the password file {file} is open to others (mode {stat.S_IMODE(mode):04o})",
            f"chmod 600 {file}, and change the password: somebody may have read it.",
        )
    return _secret(content, f"{origin}: the password file {file}")


def _from_command(command: tuple[str, ...], origin: str) -> Secret:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stdin=None, timeout=_PATIENCE, check=False)
    except OSError as error:
        raise UsageError(f"{origin}: {command[0]} cannot be run ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise ServerUnavailable(f"{origin}: {command[0]} gave no password in {_PATIENCE:.0f} s") from None
    if done.returncode:
        raise ServerUnavailable(
            f"{origin}: {command[0]} gave no password (exit code {done.returncode})", "Run it by hand to see why."
        )
    return _secret(done.stdout, f"{origin}: what {command[0]} prints")


def _secret(content: bytes, what: str) -> Secret:
    """Without the newline at the end that files and programs have."""
    held = content.removesuffix(b"\n")
    if not held:
        raise UsageError(f"{what} is empty")
    return Secret(held)
