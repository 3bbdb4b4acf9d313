"""The configuration of a private slapd as a value, and its slapd.conf text.

Small defaults that suit a test or a demonstration (one mdb database, the usual schema, no size limit), open ends for
the rest: any global line, any database line, any number of databases. What differs between installations (modules,
schema files) is asked of `slapdinstall`. slapd.conf(5), slapd-mdb(5).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ldaprepl.domain.secret import Secret
from ldaprepl.wire.slapdinstall import Installation

MAXSIZE = 32 << 30  # bytes of address space; the file grows only as it fills


def generated_password() -> Secret:
    """A new random password."""
    return Secret(secrets.token_urlsafe(18))


@dataclass(frozen=True, slots=True)
class Database:
    """One mdb database.

    `rootdn` is `cn=admin,SUFFIX` unless given. `sizelimit` is slapd's word; empty means that slapd's own default (500)
    holds. `nosync` gives up durability (a killed machine may lose the database) for speed. `lines` come last and may
    hold anything: ACLs, limits, overlays with their options, syncrepl stanzas (continuation lines begin with white
    space). `maxsize` is in bytes.
    """

    suffix: str = "dc=example,dc=com"
    rootdn: str = ""
    rootpw: Secret = field(default_factory=generated_password)
    indexes: tuple[str, ...] = ("objectClass,entryUUID,entryCSN eq",)
    sizelimit: str = "unlimited"
    nosync: bool = False
    maxsize: int = MAXSIZE
    lines: tuple[str, ...] = ()

    @property
    def admin(self) -> str:
        """The rootdn in effect."""
        return self.rootdn or f"cn=admin,{self.suffix}"


@dataclass(frozen=True, slots=True)
class SlapdConf:
    """A whole server.

    `others` are written before the main `database`, because a log database must exist before it is named. `schemas` are
    names of installed schema files or paths; `modules` are overlays and backends beside back_mdb, loaded where the
    server does not hold them itself; `lines` are further global lines. With `live_config` the user who started slapd
    may read and change cn=config through ldapi (changes last until the end, or, after `Slapd.convert`, for good).
    """

    database: Database = field(default_factory=Database)
    others: tuple[Database, ...] = ()
    schemas: tuple[str | Path, ...] = ("core", "cosine", "inetorgperson", "nis")
    modules: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    server_id: int | None = None
    live_config: bool = False


def render(conf: SlapdConf, installation: Installation, folder: Path) -> str:
    """The slapd.conf text, with every file of the server inside `folder`.

    Holds the root password: keep it out of logs. Raises ServerUnavailable when a module or schema is not installed.
    """
    lines = [f'include "{_schema(name, installation)}"' for name in conf.schemas]
    loads = [name for name in map(installation.module, ("back_mdb", *conf.modules)) if name]
    if loads:
        lines += [f'modulepath "{installation.module_dir}"', *(f"moduleload {name}" for name in loads)]
    lines += [f'pidfile "{folder / "pid"}"', f'argsfile "{folder / "args"}"', "loglevel 0"]
    if conf.server_id is not None:
        lines.append(f"serverID {conf.server_id}")
    lines += conf.lines
    if conf.live_config:
        lines += ["database config", f"access to * by dn.exact={_peer()} manage by * none"]
    for number, database in enumerate((*conf.others, conf.database)):
        lines += _database(database, folder / f"db{number}")
    return "\n".join(lines) + "\n"


def _schema(name: str | Path, installation: Installation) -> Path:
    return name if isinstance(name, Path) else installation.schema(name)


def _peer() -> str:
    """How ldapi with SASL EXTERNAL names the user who runs this process."""
    return f'"gidNumber={os.getegid()}+uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"'


def _database(database: Database, folder: Path) -> list[str]:
    lines = [
        "database mdb",
        f'suffix "{_quoted(database.suffix)}"',
        f'rootdn "{_quoted(database.admin)}"',
        f'rootpw "{_quoted(database.rootpw.reveal())}"',
        f'directory "{folder}"',
        f"maxsize {database.maxsize}",
    ]
    lines += [f"index {index}" for index in database.indexes]
    if database.nosync:
        lines.append("dbnosync")
    if database.sizelimit:
        lines.append(f"sizelimit {database.sizelimit}")
    return [*lines, *database.lines]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
