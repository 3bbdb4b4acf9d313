"""Pairs of servers for verify's memory: both tell how many entries they have, and a consumer may be written to.

`twin` is a consumer that nothing replicates to: it was loaded from the provider's dump, contextCSN and all, and takes
writes, so that it can be wrong in every way one likes. `settled` waits for a real one.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldap
from replication import context, until, with_admin
from test_verify_native import caught_up, stanza
from verifying import ADMIN, Run, SlapdFactory, conf, filled, verify

from ldaprepl.domain.sample import SUFFIX, directory, stamped
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd

COUNT = 300
LOCAL = ("entryDN", "subschemaSubentry", "hasSubordinates", "contextCSN", "structuralObjectClass", "entryUUID")
Connection = Any  # python-ldap has no types


def monitored(made: SlapdConf) -> SlapdConf:
    """The same server with cn=Monitor."""
    return replace(made, lines=(*made.lines, "database monitor"))


def provider_conf(*lines: str) -> SlapdConf:
    return monitored(conf("overlay syncprov", "syncprov-sessionlog 1000", *lines, modules=("syncprov",)))


def master(make: SlapdFactory, made: SlapdConf | None = None) -> Slapd:
    """A running provider whose contextCSN is stored."""
    provider = filled(make(made or provider_conf()), stamped(directory(COUNT)))
    connection = with_admin(provider)
    describe(connection, SUFFIX, b"in the beginning")
    connection.unbind_s()
    return provider


def follower(make: SlapdFactory, provider: Slapd, made: SlapdConf | None = None) -> Slapd:
    """A native consumer that has everything."""
    consumer = make(made or monitored(conf(stanza(provider)))).start()
    settled(provider, consumer)
    return consumer


def twin(make: SlapdFactory, provider: Slapd, made: SlapdConf | None = None) -> Slapd:
    """A copy that takes writes, of stamps too."""
    consumer = make(made or monitored(conf(f'updatedn "{ADMIN}"')))
    consumer.load([dump(provider)])
    return consumer.start()


def dump(server: Slapd) -> str:
    """Its content with the contextCSN it has now."""
    server.stop()
    text = server.dump()
    server.start()
    return text


def take_stamps(provider: Slapd, consumer: Slapd, *more: str) -> None:
    """Let a twin say that it has every change."""
    values = [*context(provider), *(csn.encode() for csn in more)]
    with_admin(consumer).modify_s(SUFFIX, [(ldap.MOD_REPLACE, "contextCSN", values)])


def copy(provider: Slapd, consumer: Slapd, dn: str, *without: str) -> None:
    """Bring one entry to a twin as it is; stamps and all, but for `without`."""
    held = with_admin(provider).search_s(dn, ldap.SCOPE_BASE, attrlist=["*", "+"])[0][1]
    left_out = {name.lower() for name in (*LOCAL, *without)}
    changes = [(ldap.MOD_REPLACE, name, values) for name, values in held.items() if name.lower() not in left_out]
    with_admin(consumer).modify_s(dn, changes)


def settled(provider: Slapd, consumer: Slapd) -> None:
    until(lambda: caught_up(provider, consumer))


def describe(connection: Connection, dn: str, text: bytes) -> None:
    connection.modify_s(dn, [(ldap.MOD_REPLACE, "description", [text])])


def unit(connection: Connection, name: str, parent: str = SUFFIX) -> str:
    dn = f"ou={name},{parent}"
    connection.add_s(dn, [("objectClass", [b"organizationalUnit"]), ("ou", [name.encode()])])
    return dn


def people(connection: Connection, count: int) -> list[str]:
    """DNs of some leaves."""
    found = connection.search_s(SUFFIX, ldap.SCOPE_SUBTREE, "(uid=*)", ["1.1"])
    return sorted(dn for dn, _ in found)[:count]


def another_second() -> None:
    """Wait for it: a start is known by the second."""
    began = int(time.time())
    until(lambda: int(time.time()) > began)


class Memory:
    """Runs that share a state file."""

    def __init__(self, state: Path, provider: Slapd, *consumers: Slapd) -> None:
        self.state = state
        self.provider = provider
        self.consumers = consumers

    def full(self, *options: str) -> Run:
        return verify(self.provider, self.consumers, "--state", str(self.state), *options)

    def since(self, *options: str) -> Run:
        return self.full("--since-last", "--settle", "10", *options)


def what(run: Run) -> str:
    """What a run compared, and why if everything."""
    compared = run.consumer["compared"]
    return f"{compared['what']}: {compared['why']}" if compared["why"] else str(compared["what"])


def found(run: Run) -> list[tuple[str, str, str | None]]:
    return [(finding["kind"], finding["dn"], finding["since"]) for finding in run.findings]
