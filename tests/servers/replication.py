"""Pairs of servers in any state of replication, made without waiting: stamps are written into what is loaded.

`tree` gives LDIF whose entries carry the stamps one wants; a server loaded with it stands wherever one wants it to
stand. `stanza` makes a live consumer where the real thing is to be seen.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import ldap

from ldaprepl.wire.slapdconf import Database, SlapdConf
from ldaprepl.wire.slapdproc import Slapd

SUFFIX = "dc=example,dc=com"
OK, WARNING, CRITICAL, UNKNOWN = range(4)  # what `check` exits with
HOUR = 3600.0
PATIENCE = 120.0  # seconds; only a test that fails waits so long
_PEOPLE = uuid.uuid5(uuid.NAMESPACE_DNS, "people")


def stamp(ago: float, sid: int = 1) -> str:
    """The CSN of a change made `ago` seconds ago by server `sid`."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return f"{moment:%Y%m%d%H%M%S.%f}Z#000000#{sid:03x}#000000"


def tree(entries: Mapping[str, str], context: Sequence[str]) -> list[str]:
    """LDIF of the suffix and one entry below for each name, with its stamp; `context` is stored as contextCSN."""
    first = stamp(7 * 86400)
    head = f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: x\ndc: example\n"
    held = "".join(f"contextCSN: {csn}\n" for csn in context)
    pieces = [f"{head}{_operational('', entries.get('', first))}{held}\n"]
    for name, csn in entries.items():
        if name:
            body = f"dn: ou={name},{SUFFIX}\nobjectClass: organizationalUnit\nou: {name}\n"
            pieces.append(f"{body}{_operational(name, csn)}\n")
    return pieces


def _operational(name: str, csn: str) -> str:
    """What slapadd would make up by the clock is given: two servers loaded in two seconds are still the same."""
    times = f"createTimestamp: 20260101000000Z\nmodifyTimestamp: {csn[:14]}Z\n"
    return f"entryUUID: {uuid.uuid5(_PEOPLE, name)}\nentryCSN: {csn}\n{times}"


def loaded(server: Slapd, ldif: Iterable[str]) -> Slapd:
    """Filled and started."""
    server.load(ldif)
    return server.start()


def stanza(provider: Slapd, *words: str, rid: int = 1) -> str:
    """A persistent consumer of this provider."""
    password = provider.rootpw.reveal()
    return (
        f'syncrepl rid={rid:03} provider={provider.ldap_uri} type=refreshAndPersist retry="1 +" searchbase="{SUFFIX}"'
        f' bindmethod=simple binddn="{provider.rootdn}" credentials="{password}" {" ".join(words)}'
    )


def provider_conf(*lines: str, sid: int = 1, top: Sequence[str] = ()) -> SlapdConf:
    """A server with syncprov; everybody may read."""
    return SlapdConf(
        Database(lines=(*lines, "overlay syncprov")), modules=("syncprov",), server_id=sid, lines=tuple(top)
    )


def add(server: Slapd, name: str) -> None:
    """A real write."""
    with_admin(server).add_s(f"ou={name},{SUFFIX}", [("objectClass", [b"organizationalUnit"]), ("ou", [name.encode()])])


def delete(server: Slapd, name: str) -> None:
    """A real delete."""
    with_admin(server).delete_s(f"ou={name},{SUFFIX}")


def with_admin(server: Slapd) -> ldap.ldapobject.SimpleLDAPObject:
    """A connection of its administrator, who goes nowhere else: the referrals in samples name hosts that are not."""
    connection = ldap.initialize(server.ldap_uri)
    connection.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
    connection.simple_bind_s(server.rootdn, server.rootpw.reveal())
    return connection


def context(server: Slapd) -> list[bytes]:
    """Its contextCSN as everybody sees it; empty where there is none."""
    return context_of(ldap.initialize(server.ldap_uri))


def context_of(connection: ldap.ldapobject.SimpleLDAPObject) -> list[bytes]:
    """The contextCSN as the one who is bound sees it."""
    controls = [ldap.controls.simple.ManageDSAITControl(True)]
    try:
        ((_, base),) = connection.search_ext_s(SUFFIX, ldap.SCOPE_BASE, attrlist=["contextCSN"], serverctrls=controls)
    except ldap.NO_SUCH_OBJECT:
        return []
    finally:
        connection.unbind_s()
    return sorted(base.get("contextCSN", []))


def until(condition: Callable[[], bool], seconds: float = PATIENCE, words: Callable[[], str] = str) -> None:
    """Wait for it; a test that waits for ever fails instead, with these words."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"this never became true\n{words()}"
        time.sleep(0.02)
