"""slapd's offline tools (slapadd, slapcat, slapmodify, slaptest) as function calls.

They are all the one program `slapd -T NAME`, so where slapd is found they are too, and where AppArmor confines the
installed path a private copy serves for all. Configuration files written here have mode 0600: they hold passwords.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ldaprepl.errors import ServerUnavailable
from ldaprepl.wire.slapdinstall import Installation, find_installation

NOEXEC_CURE = "If the folder for temporary files forbids programs (noexec), set TMPDIR to another one"


def run_tool(
    program: Path, tool: str, arguments: Sequence[str], folder: Path, pieces: Iterable[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run one tool with the text `pieces` as its input; `folder` takes its output while it runs, so that no pipe fills.

    A tool that stops reading at its first error is no exception here: its exit code and words say why. When `pieces`
    itself raises, the tool is killed and the exception passed on. Raises ServerUnavailable when it cannot be run.
    """
    command = [str(program), "-T", tool, *arguments]
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err)
        except OSError as error:
            raise ServerUnavailable(f"cannot run {program}: {error.strerror}", NOEXEC_CURE) from error
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError), process.stdin as pipe:
                for piece in pieces:
                    pipe.write(piece.encode())
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        out.seek(0)
        err.seek(0)
        texts = [stream.read().decode("utf-8", "backslashreplace") for stream in (out, err)]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


def slaptest(conf: str, installation: Installation | None = None) -> tuple[bool, str]:
    """Does slapd take this slapd.conf text? Gives (yes, its words).

    `slapd -Ttest -u`: databases are not opened and nothing is written, so an error that only shows at start (a missing
    folder, a TLS file) is not found. Raises ServerUnavailable when slapd is not installed.
    """
    installation = installation or find_installation()
    with tempfile.TemporaryDirectory(prefix="ldaprepl-") as name:
        folder = Path(name)
        write_private(folder / "slapd.conf", conf)
        program = private_copy(installation, folder)
        done = run_tool(program, "test", ["-u", "-f", str(folder / "slapd.conf")], folder)
    return done.returncode == 0, done.stderr.replace(f"{name}/", "").strip()


def private_copy(installation: Installation, folder: Path) -> Path:
    """The program to run: a copy in `folder` where AppArmor lets the installed one into its own folders only."""
    if not installation.confined:
        return installation.program
    return Path(shutil.copy2(installation.program, folder / "slapd"))


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read; an old one of that name is replaced."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
