"""Where this machine keeps OpenLDAP's server: the program, its modules, its schema.

Distributions disagree on all three, the program is seldom in an ordinary user's PATH, and a server built without
modules needs no module folder at all. `$LDAPREPL_SLAPD` names another program; its own prefix is then searched first.
What is missing is said with the package that holds it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ldaprepl.errors import ServerUnavailable

ENVIRONMENT_VARIABLE = "LDAPREPL_SLAPD"
_PROGRAM_DIRS = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/usr/local/libexec",
    "/usr/lib/openldap",
    "/opt/symas/lib",
    "/opt/homebrew/opt/openldap/libexec",
    "/usr/local/opt/openldap/libexec",
)
_MODULE_DIRS = ("lib/ldap", "lib64/openldap", "libexec/openldap", "lib/openldap", "lib/openldap/modules")
_SCHEMA_DIRS = ("etc/ldap/schema", "etc/openldap/schema")
_PACKAGES = (
    ("debian", "apt install slapd"),
    ("ubuntu", "apt install slapd"),
    ("fedora", "dnf install openldap-servers"),
    ("rhel", "dnf install openldap-servers (from EPEL)"),
    ("suse", "zypper install openldap2"),
    ("alpine", "apk add openldap openldap-back-mdb openldap-overlay-all"),
    ("arch", "pacman -S openldap"),
)
_APPARMOR_PROFILE = Path("/etc/apparmor.d/usr.sbin.slapd")


@dataclass(frozen=True, slots=True)
class Installation:
    """One OpenLDAP server as installed. `static` are the backends and overlays that the program holds itself."""

    program: Path
    version: tuple[int, ...]
    module_dir: Path | None
    schema_dir: Path
    static: frozenset[str]

    @property
    def confined(self) -> bool:
        """AppArmor lets this program (by its path) into its own folders only, so a private copy must run instead."""
        return _APPARMOR_PROFILE.exists() and self.program.resolve() == Path("/usr/sbin/slapd")

    def module(self, name: str) -> str | None:
        """What `moduleload` has to name for this backend or overlay; None where nothing need be loaded.

        Raises ServerUnavailable when the module is not installed.
        """
        if name in self.static or name.removeprefix("back_") in self.static:
            return None
        if self.module_dir and any(self.module_dir.glob(f"{name}.*")):
            return name
        place = f"in {self.module_dir}" if self.module_dir else "on this machine"
        raise ServerUnavailable(f"slapd's module {name} is not {place}", _cure())

    def schema(self, name: str) -> Path:
        """The schema file (slapd.conf form) of this name. Raises ServerUnavailable when it is not installed."""
        path = self.schema_dir / f"{name}.schema"
        if not path.is_file():
            raise ServerUnavailable(f"slapd's schema {name} is not in {self.schema_dir}", _cure())
        return path


def find_installation(program: str | Path | None = None) -> Installation:
    """Look for slapd: `program`, else $LDAPREPL_SLAPD, else PATH and the usual folders.

    Raises ServerUnavailable, naming the package, when the program or its parts are missing.
    """
    wanted = str(program or os.environ.get(ENVIRONMENT_VARIABLE, ""))
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), *_PROGRAM_DIRS))
    found = shutil.which(wanted or "slapd", path=places)
    if not found:
        where = f"no program at {wanted}" if wanted else "OpenLDAP's server (slapd) is not installed on this machine"
        raise ServerUnavailable(where, _cure())
    return _inspect(Path(found).absolute())


@lru_cache
def _inspect(program: Path) -> Installation:
    try:
        answer = subprocess.run([program, "-VVV"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerUnavailable(f"{program} does not run: {error}", _cure()) from error
    version = re.search(r"slapd (\d+(?:\.\d+)*)", answer)
    if not version:
        raise ServerUnavailable(f"{program} is not OpenLDAP's slapd: it does not tell its version", _cure())
    prefixes = [*program.resolve().parents[1:3], Path("/usr"), Path("/usr/local"), Path("/")]
    libraries = [prefix / name for prefix in prefixes for name in _MODULE_DIRS]
    libraries += sorted(Path("/usr/lib").glob("*/ldap")) + sorted(Path("/usr/lib").glob("*/openldap"))
    schemas = [prefix / name for prefix in prefixes for name in _SCHEMA_DIRS]
    schema_dir = next((folder for folder in schemas if (folder / "core.schema").is_file()), None)
    if schema_dir is None:
        raise ServerUnavailable(f"{program} is there, but its schema files (core.schema) are not", _cure())
    return Installation(
        program=program,
        version=tuple(int(part) for part in version[1].split(".")),
        module_dir=next((folder for folder in libraries if any(folder.glob("*syncprov*"))), None),
        schema_dir=schema_dir,
        static=frozenset(line.strip() for line in answer.splitlines() if re.fullmatch(r"\s+[a-z_\-0-9]+", line)),
    )


def _cure() -> str:
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8").lower()
    except OSError:
        release = ""
    ids = " ".join(re.findall(r'^id(?:_like)?="?([^"\n]*)', release, re.MULTILINE)).split()
    for system, command in _PACKAGES:
        if any(system in name for name in ids):
            return f"Install it: {command}"
    return f"Install OpenLDAP's server package, or name the program in ${ENVIRONMENT_VARIABLE}"
