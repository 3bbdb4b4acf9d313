"""What `verify` asks a server beside its entries, so that a later run can build on this one.

When it was started: slapd dates its subschema entry so (RFC 4512, section 4.2 wants a date there; slapd's schema.c).
How many entries its database holds: olmMDBEntries in cn=Monitor, a number that costs nothing, where one may read it.
Where an entryUUID is. Whether it finds entries by entryCSN for us at all: what may be read and not searched for would
be unchanged for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ldaprepl.domain.proof import EVERY_CSN, Mark
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.ports import Directory
from ldaprepl.protocol.requests import manage_dsa_it
from ldaprepl.wire.directory import LdapDirectory

_SCHEMA = ("attributeTypes", "objectClasses", "ldapSyntaxes")


def survey(directory: Directory, base: str) -> Mark:
    """What the server says of itself now. Raises `LdapreplError`, also for one that could not be opened."""
    csns = directory.context_csn(base)
    ldap = _ldap(directory)
    shown = ldap.subschema("createTimestamp", *_SCHEMA)[1].entries
    by_csn = bool(ldap.stream.search(base, filter=EVERY_CSN, attributes=("1.1",), controls=(manage_dsa_it(),)).entries)
    if not shown:
        return Mark(csns, by_csn=by_csn)
    digest = hashlib.blake2b(digest_size=16)
    for name in _SCHEMA:
        for value in sorted(shown[0].values(name)):
            digest.update(b"%d:%b" % (len(value), value))
    started = (shown[0].first("createTimestamp") or b"").decode("ascii", "replace")
    return Mark(csns, started, digest.hexdigest(), by_csn)


def entries(directory: Directory, base: str) -> int | None:
    """How many entries the database has whose suffix is `base`; None for another base, or where it is not told."""
    ldap = _ldap(directory)
    suffix = ldap.suffix(base).lower()
    if suffix != base.lower():
        return None
    asked = ("namingContexts", "olmMDBEntries")
    answer = ldap.stream.search("cn=Databases,cn=Monitor", "one", attributes=asked)
    counts = [
        entry.first("olmMDBEntries")
        for entry in answer.entries
        if any(name.decode("utf-8", "surrogateescape").lower() == suffix for name in entry.values("namingContexts"))
    ]
    return int(counts[0]) if len(counts) == 1 and counts[0] and counts[0].isdigit() else None


def holders(directory: Directory, uuids: Sequence[str], scope: ReplicationScope, base: str) -> list[str]:
    """As `ports.Live` has it."""
    return _ldap(directory).holders(uuids, scope, base)


def _ldap(directory: Directory) -> LdapDirectory:
    if not isinstance(directory, LdapDirectory):
        raise TypeError("only servers can be asked")
    return directory
