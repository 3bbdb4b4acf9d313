"""A provider and a consumer for the tests of `sync`, and one run of it without the command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ldap
import ldap.modlist

from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.syncrun import Mode, Settings, SyncReport
from ldaprepl.sync import World, sync
from ldaprepl.syncports import Parties
from ldaprepl.wire.applying import Applier
from ldaprepl.wire.consumer import Consumer
from ldaprepl.wire.endpoint import Endpoint, Simple
from ldaprepl.wire.provider import Provider
from ldaprepl.wire.session import open_session
from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd
from ldaprepl.wire.statefile import open_state

BASE = "dc=example,dc=com"
ADMIN = f"cn=admin,{BASE}"
UPDATEDN = (f'updatedn "{ADMIN}"',)
SYNCPROV = ("overlay syncprov",)
SESSION_LOG = ("overlay syncprov", "syncprov-sessionlog 1000")
LOCAL = ("entrydn", "hassubordinates", "subschemasubentry", "contextcsn")
PERSON = {"objectClass": [b"inetOrgPerson"], "sn": [b"x"]}


def provider_conf(lines: tuple[str, ...] = SESSION_LOG) -> SlapdConf:
    return SlapdConf(Database(lines=lines, nosync=True), modules=("syncprov",) if lines else ())


def consumer_conf(lines: tuple[str, ...] = UPDATEDN) -> SlapdConf:
    return SlapdConf(Database(lines=lines, nosync=True))


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


@dataclass
class Fuse:
    """A spectator that ends the run after so many writes."""

    left: int | None = None
    writing: bool = False

    def phase(self, name: str, total: int | None = None) -> None:
        self.writing = name == "writing"

    def advance(self, done: int) -> None:
        if self.left is not None and self.writing:
            self.left -= 1
            if self.left < 0:
                raise Killed


@dataclass
class Lab:
    """A pair of servers."""

    provider: Slapd
    consumer: Slapd
    state: Path
    scope: ReplicationScope = field(default_factory=lambda: ReplicationScope(BASE))
    now: float = 1000.0
    reader: tuple[str, Secret] | None = None  # who sync is at the provider; the rootdn unless given

    def admin(self, server: Slapd | None = None) -> Any:
        """A python-ldap connection, by default to the provider."""
        server = server or self.provider
        connection = ldap.initialize(server.ldap_uri)
        connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
        return connection

    def sync(
        self, settings: Settings | None = None, *, fuse: int | None = None, mode: Mode | None = None, batch: int = 0,
        scope: ReplicationScope | None = None,
    ) -> SyncReport:  # fmt: skip
        scope = scope or self.scope
        source = Endpoint(
            self.provider.ldap_uri, Simple(*(self.reader or (self.provider.rootdn, self.provider.rootpw)))
        )
        target = Endpoint(self.consumer.ldap_uri, Simple(self.consumer.rootdn, self.consumer.rootpw))
        pair = {"provider": source.uri, "consumer": target.uri}
        with (
            open_session(source) as reading, open_session(target) as writing,
            open_state(self.state, pair, {"scope": repr(scope)}) as state,
        ):  # fmt: skip
            replica = Consumer(writing, scope)
            spectator = Fuse(fuse)
            writer = Applier(writing, replica.mode(mode), spectator, batch)
            parties = Parties(Provider(reading, scope), replica, writer, state)
            return sync(parties, scope, settings or Settings(), World(time, spectator, self.now))

    def dump(self, server: Slapd, leave_out: tuple[str, ...] = ()) -> dict[str, dict[str, list[bytes]]]:
        """All entries, by DN in exact case; values sorted; what a server computes left out."""
        out = (*LOCAL, *leave_out)
        rows = self.admin(server).search_ext_s(
            BASE, ldap.SCOPE_SUBTREE, attrlist=["*", "+"],
            serverctrls=[ldap.controls.RequestControl("2.16.840.1.113730.3.4.2", True, None)],
        )  # fmt: skip
        return {
            dn: {name: sorted(values) for name, values in entry.items() if name.lower() not in out}
            for dn, entry in rows if dn
        }  # fmt: skip

    def assert_equal(self, leave_out: tuple[str, ...] = ()) -> None:
        assert self.dump(self.consumer, leave_out) == self.dump(self.provider, leave_out)

    def contextcsn(self, server: Slapd) -> list[bytes]:
        ((_, entry),) = self.admin(server).search_ext_s(BASE, ldap.SCOPE_BASE, attrlist=["contextCSN"])
        return sorted(entry.get("contextCSN", []))


def seed(connection: Any, people: int = 5) -> None:
    """A small tree over LDAP."""
    connection.add_s(BASE, ldap.modlist.addModlist({"objectClass": [b"domain"], "dc": [b"example"]}))
    for unit in ("people", "groups", "other"):
        add_unit(connection, f"ou={unit},{BASE}")
    for number in range(people):
        add_person(connection, f"uid=p{number},ou=people,{BASE}")


def add_unit(connection: Any, dn: str) -> None:
    name = ldap.dn.str2dn(dn)[0][0][1]
    connection.add_s(dn, ldap.modlist.addModlist({"objectClass": [b"organizationalUnit"], "ou": [name.encode()]}))


def add_person(connection: Any, dn: str) -> None:
    name = ldap.dn.str2dn(dn)[0][0][1].encode()
    connection.add_s(dn, ldap.modlist.addModlist({**PERSON, "uid": [name], "cn": [name]}))


LabFactory = Callable[..., Lab]


def enlarge(connection: Any, many: int, size: int = 10_000) -> None:
    """`many` entries of `size` bytes below ou=people: far more than fits into the sockets."""
    for number in range(many):
        name = b"large%d" % number
        person = {**PERSON, "uid": [name], "cn": [name], "description": [name * (size // len(name))]}
        connection.add_s(f"uid=large{number},ou=people,{BASE}", ldap.modlist.addModlist(person))


def make_room(server: Slapd) -> None:
    """Let a full database, of a server with `live_config`, grow to a GiB."""
    config = ldap.initialize(server.ldapi_uri)
    config.sasl_non_interactive_bind_s("EXTERNAL")
    ((name, _),) = config.search_s("cn=config", ldap.SCOPE_ONELEVEL, "(olcDbMaxSize=*)", ["1.1"])
    config.modify_s(name, [(ldap.MOD_REPLACE, "olcDbMaxSize", b"%d" % (1 << 30))])
