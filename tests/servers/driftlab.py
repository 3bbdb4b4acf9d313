"""A provider and a native consumer to drive apart, in the ways in which that really happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import ldap
from replication import context, until, with_admin
from synclab import PERSON, add_person, seed
from verifying import REPLICA, SECRET, Run, SlapdFactory, conf, verify

from ldaprepl.domain.sample import SUFFIX
from ldaprepl.wire.slapdconf import SlapdConf
from ldaprepl.wire.slapdproc import Slapd

PEOPLE = f"ou=people,{SUFFIX}"
OTHER = f"ou=other,{SUFFIX}"
PERSIST = 'type=refreshAndPersist retry="1 +"'
POLL = "type=refreshOnly interval=00:00:00:01"
SESSION_LOG = ("overlay syncprov", "syncprov-sessionlog 100")
EXTRA_P1 = ("extra", "uid=p1,ou=people", "lost-delete")


def person(name: str, below: str = PEOPLE) -> str:
    return f"uid={name},{below}"


def provider_conf(*lines: str, **more: Any) -> SlapdConf:
    """Server 1 with syncprov and a session log, unless other lines are given."""
    return replace(conf(*(lines or SESSION_LOG), modules=("syncprov",)), server_id=1, **more)


def stanza(provider: Slapd, *words: str, kind: str = PERSIST, bind: str = "") -> str:
    who = bind or provider.rootdn
    return (
        f'syncrepl rid=001 provider={provider.ldap_uri} {kind} searchbase="{SUFFIX}" bindmethod=simple'
        f' binddn="{who}" credentials="{SECRET}" {" ".join(words)}'
    )


@dataclass
class Drift:
    """A pair. `admin` writes on the provider."""

    provider: Slapd
    consumer: Slapd

    @property
    def admin(self) -> Any:
        return with_admin(self.provider)

    def together(self) -> None:
        """Wait until both show the same contextCSN: the point at which most checks are content."""
        until(lambda: bool(context(self.consumer)) and context(self.consumer) == context(self.provider))

    def modify(self, name: str, text: str, attribute: str = "description") -> None:
        self.admin.modify_s(person(name), [(ldap.MOD_REPLACE, attribute, [text.encode()])])

    def found(self, *options: str, bind: str | None = None) -> set[tuple[str, str, str]]:
        """What verify finds: (kind, DN up to the suffix, cause). All of it must be lasting."""
        run = self.verify(*options, bind=bind)
        assert run.code == 1, run.out
        assert {finding["state"] for finding in run.findings} == {"lasting"}
        return told(run)

    def verify(self, *options: str, bind: str | None = None) -> Run:
        secret = {"LDAPREPL_CONSUMER_PASSWORD": SECRET}
        bind = bind or self.provider.rootdn
        return verify(self.provider, self.consumer, "--settle", "10", *options, bind=bind, env=secret)


def told(run: Run) -> set[tuple[str, str, str]]:
    return {
        (each["kind"], each["dn"].removesuffix(f",{SUFFIX}"), (each["cause"] or {}).get("code", ""))
        for each in run.findings
    }


DriftFactory = Callable[..., Drift]


def drift(
    make: SlapdFactory,
    *words: str,
    provider: SlapdConf | None = None,
    consumer: Callable[[str], SlapdConf] = conf,
    fill: Callable[[Any], None] = seed,
    wait: bool = True,
    **how: str,
) -> Drift:
    """A small provider, and a consumer with such a stanza that has followed it."""
    master = make(provider or provider_conf()).start()
    fill(with_admin(master))
    pair = Drift(master, make(consumer(stanza(master, *words, **how))).start())
    if wait:
        pair.together()
    return pair


def outlive_stamps(connection: Any) -> None:
    """Wait until the clock is in a later second than the server's last change: stamps are compared by the second."""
    ((_, base),) = connection.search_s(SUFFIX, ldap.SCOPE_BASE, attrlist=["contextCSN"])
    last = max(base["contextCSN"])[:14].decode()
    until(lambda: f"{datetime.now(UTC):%Y%m%d%H%M%S}" > last)


def reload(server: Slapd, dump: str) -> None:
    server.stop()
    server.wipe()
    server.load([dump])


def without(dump: str, attribute: str) -> str:
    return "\n".join(line for line in dump.split("\n") if not line.startswith(f"{attribute}:"))


def with_replica(connection: Any) -> None:
    """The usual tree, an identity to replicate as, passwords, and a branch below ou=other."""
    seed(connection)
    classes = [b"organizationalRole", b"simpleSecurityObject"]
    connection.add_s(REPLICA, [("objectClass", classes), ("cn", [b"replica"]), ("userPassword", [SECRET.encode()])])
    for number in range(3):
        name = b"p%d" % number
        connection.modify_s(person(name.decode()), [(ldap.MOD_ADD, "userPassword", [b"secret " + name])])
    add_person(connection, person("hidden", OTHER))


__all__ = ["PERSON", "add_person", "seed"]
