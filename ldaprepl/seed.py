"""A seed: the provider's entries as slapadd takes them, streamed, by far the fastest first fill of a consumer.

The contextCSN is read before the entries and written on the base entry. So whoever goes on from the seed (`sync`,
native syncrepl) asks for all that changed since then: what was read anyway comes once more, which does no harm, and
nothing is left out. Each entry keeps entryUUID and entryCSN; without them the first present phase of a native consumer
would empty it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain.change import Translation
from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plural import counted
from ldaprepl.domain.scope import STAMPS, ReplicationScope
from ldaprepl.domain.syncrun import Listed
from ldaprepl.errors import GuardRefused, IncompleteRead
from ldaprepl.ports import Progress, SeedSource

SEEDED: Final = ("objectClass", "structuralObjectClass", *STAMPS)  # in every seed, whatever the scope's attributes
_EVERY: Final = 500  # entries between two words to the progress


@dataclass(frozen=True, slots=True)
class Seed:
    """`csns`: where to go on from; empty when the provider shows no contextCSN. `entries` can be read once, in the
    provider's order, and raise `IncompleteRead` or `GuardRefused`, at the latest at the end: only a seed that was read
    to the end is one."""

    csns: CsnSet
    entries: Iterator[Entry]


def seed(
    source: SeedSource, scope: ReplicationScope, schema: Schema, progress: Progress, *, native: bool = False
) -> Seed:
    """Begin to read. A `native` consumer has nothing but the seed to go on from: it gets what slapcat would write, and
    no seed where contextCSN, an identity or the base entry is hidden. `sync` can do without them. Raises
    `IncompleteRead`.
    """
    csns = source.context_csn()
    if native and not csns:
        raise IncompleteRead(
            f"{source.uri} shows no contextCSN for {scope.base!r}", "Give this identity read access to it."
        )
    if native:
        seeded = {name.lower() for name in SEEDED}
        scope = scope._replace(exattrs=tuple(name for name in scope.exattrs if name.lower() not in seeded))
    progress.phase("writing the seed")
    return Seed(csns, _entries(source, csns, Translation(scope, schema, native=native), progress))


def _entries(source: SeedSource, csns: CsnSet, translation: Translation, progress: Progress) -> Iterator[Entry]:
    scope, schema, native = translation.scope, translation.schema, translation.native
    base = schema.dn_key(scope.base)
    found = False
    came: set[str | None] = set()
    for number, entry in enumerate(source.read_all(), 1):
        if native and (entry.uuid is None or entry.csn is None):
            raise GuardRefused(
                f"{source.uri} shows {entry.dn!r} without entryUUID or entryCSN: the consumer would delete it later",
                "Give this identity read access to operational attributes.",
            )
        came.add(entry.uuid)
        copy = translation.entry(entry)
        if not found and schema.dn_key(entry.dn) == base:
            found = True
            if csns:
                values = tuple(text.encode() for text in csns.normal_texts())
                copy = Entry(copy.dn, {**copy.attributes, "contextCSN": values})
        yield copy
        if number % _EVERY == 0:
            progress.advance(number)
    if csns and source.context_csn() != csns:
        _refuse_gaps(source.uri, came, source.listing(), csns)
    if native and not found:
        raise IncompleteRead(f"{source.uri} did not send the base entry {scope.base!r}")


def _refuse_gaps(uri: str, came: Collection[str | None], there: Iterable[Listed], csns: CsnSet) -> None:
    """Raise `IncompleteRead` when something that `csns` covers is `there` and never came.

    slapd leaves entries out that are below a container which is renamed while the client is slow to read, and ends with
    success. A seed without them would be wrong for ever: the consumer asks for what is newer than its contextCSN only.
    """
    gaps = [each.dn for each in there if each.uuid not in came and _covers(csns, each.stamp)]
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
