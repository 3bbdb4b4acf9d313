"""A seed for slapadd: everything that the provider has, as LDIF for a new consumer, by far the fastest first fill.

With entryUUID, entryCSN and, on the suffix, the contextCSN of the moment, so that `sync` or native syncrepl continues
from there. A complete answer or none. Parents stand before their children.
"""

from __future__ import annotations

from collections.abc import Iterator

from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Translation
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.refresh import NoSync
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Method
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


def _read(master: Master, method: Method, progress: Progress) -> tuple[list[Entry], CsnSet]:
    progress.phase("reading")
    if method is not Method.SCAN:
        try:
            outcome = master.refresh(None, progress)
            entries = [*outcome.received.values(), *master.subentries()]
            return entries, outcome.cookie.csns if outcome.cookie else CsnSet()
        except NoSync:
            if method is Method.REFRESH:
                raise
    return list(master.read_all()), CsnSet()
