"""The defaults of OpenLDAP's own tools, gathered as libldap does it (ldap.conf(5)).

System file, user files, the files that LDAPCONF and LDAPRC name, variables: the later wins; LDAPNOINIT turns all of it
off. One thing is stricter than there: a file that belongs to somebody else than root or us is not followed, because
`ldaprc` is looked for in the current folder too, and could name a CA.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ldaprepl.domain.ldapconf import Setting, lines, variables

SYSTEM = (Path("/etc/ldap/ldap.conf"), Path("/etc/openldap/ldap.conf"), Path("/usr/local/etc/openldap/ldap.conf"))
USER = "ldaprc"


class LdapConf(NamedTuple):
    """What counts, by option, and the files that were left out because of their owner."""

    settings: Mapping[str, Setting]
    foreign: tuple[Path, ...] = ()

    def get(self, option: str) -> Setting | None:
        """The value that counts; an empty one is none."""
        found = self.settings.get(option)
        return found if found and found.value else None


@cache
def ours() -> LdapConf:
    """That of this process."""
    return load(os.environ)


def load(environment: Mapping[str, str]) -> LdapConf:
    """Read all there is."""
    if "LDAPNOINIT" in environment:
        return LdapConf({})
    found: dict[str, Setting] = {}
    foreign: list[Path] = []
    for path, user in _files(environment):
        text = _text(path, foreign)
        found |= dict(lines(text, str(path), user=user))
    return LdapConf(found | dict(variables(environment)), tuple(foreign))


def _files(environment: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """Every place in order, with whether it is a user's."""
    yield next((path for path in SYSTEM if path.exists()), SYSTEM[0]), False
    yield from _user_files(USER, environment)
    if environment.get("LDAPCONF"):
        yield Path(environment["LDAPCONF"]), False
    if environment.get("LDAPRC"):
        yield from _user_files(environment["LDAPRC"], environment)


def _user_files(name: str, environment: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    home = environment.get("HOME")
    if home:
        yield Path(f"{home}/{name}"), True
        yield Path(f"{home}/.{name}"), True
    yield Path(name), True


def _text(path: Path, foreign: list[Path]) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                foreign.append(path)
                return ""
            return file.read().decode("utf-8", "surrogateescape")
    except OSError:  # as libldap: what cannot be read is not there
        return ""
