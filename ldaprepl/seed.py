"""A seed for slapadd: everything that the provider has, as LDIF for a new consumer, by far the fastest first fill.

With entryUUID, entryCSN and, on the suffix, the contextCSN of the moment, so that `sync` or native syncrepl continues
from there. A complete answer or none. Parents stand before their children.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Translation
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plural import counted
from ldaprepl.domain.refresh import NoSync
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Listed, Method
from ldaprepl.errors import IncompleteRead
from ldaprepl.ports import Progress
from ldaprepl.syncports import Master


def seed(
    master: Master, scope: ReplicationScope, schema: Schema, method: Method, progress: Progress
) -> Iterator[Entry]:
    """The entries, ready for slapadd. Raises `IncompleteRead`."""
    entries, csns = _read(master, method, progress)
    translation = Translation(scope, schema)
    base = schema.dn_key(scope.consumer_base)
    for entry in sorted((translation.entry(each) for each in entries), key=lambda each: names.depth(each.dn)):
        if csns and schema.dn_key(entry.dn) == base:
            values = tuple(text.encode() for text in csns.normal_texts())
            yield Entry(entry.dn, {**entry.attributes, "contextCSN": values})
        else:
            yield entry


def refuse_gaps(
    uri: str, came: Collection[str | None], there: Iterable[tuple[str, str | None, str]], csns: CsnSet
) -> None:
    """Raise `IncompleteRead` when something that `csns` covers is `there` (DN, entryUUID, entryCSN) and never came.

    slapd leaves entries out that are below a container which is renamed while the client is slow to read, and ends with
    success. A seed without them would be wrong for ever: the consumer asks for what is newer than its contextCSN only.
    """
    gaps = [dn for dn, uuid, stamp in there if uuid not in came and _covers(csns, stamp)]
    if gaps:
        raise IncompleteRead(
            f"{uri} was changed while it was read, and did not send {counted(len(gaps))} ({gaps[0]!r} for one)",
            "Run it again, while no container is renamed.",
        )


def _covers(csns: CsnSet, stamp: str) -> bool:
    try:
        return csns.covers(Csn.parse(stamp))
    except ValueError:
        return False


def _identity(listed: Listed) -> tuple[str, str | None, str]:
    return listed.dn, listed.uuid, listed.stamp


def _read(master: Master, method: Method, progress: Progress) -> tuple[list[Entry], CsnSet]:
    progress.phase("reading")
    if method is not Method.SCAN:
        try:
            outcome = master.refresh(None, progress)
            entries = [*outcome.received.values(), *master.subentries()]
            csns = outcome.cookie.csns if outcome.cookie else CsnSet()
            if csns and master.context_csn() != csns:
                refuse_gaps(master.uri, {entry.uuid for entry in entries}, map(_identity, master.listing()), csns)
            return entries, csns
        except NoSync:
            if method is Method.REFRESH:
                raise
    return list(master.read_all()), CsnSet()
