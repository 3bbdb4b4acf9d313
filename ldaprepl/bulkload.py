"""A seed for a native consumer: the provider's entries as slapadd takes them, streamed, and where to go on from.

The contextCSN is read before the entries. So the consumer that starts from the seed asks for all that changed since
then: what was read anyway comes once more, which does no harm, and nothing is left out. Each entry keeps entryUUID and
entryCSN; without them the first present phase would empty the consumer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import STAMPS, ReplicationScope, Scope
from ldaprepl.errors import GuardRefused, IncompleteRead, UsageError
from ldaprepl.ports import DirectoryReader, Progress
from ldaprepl.seed import refuse_gaps

_COMPUTED: Final = frozenset(
    {"entrydn", "subschemasubentry", "hassubordinates", "numsubordinates", "contextcsn", "auditcontext"}
)
"""What a server makes up when it is asked: slapcat does not write it, and slapadd must not get it."""
_ALWAYS: Final = ("objectClass", "structuralObjectClass", *STAMPS)
_EVERY: Final = 500  # entries between two words to the progress


def check(scope: ReplicationScope, suffix: str | None, *, base_in_filter: bool) -> None:
    """Refuse what cannot be seeded: contextCSN belongs on the suffix entry, as it is. Raises `UsageError`."""
    cure = "Start with an empty consumer: it fills itself."
    if scope.suffixmassage:
        raise UsageError("--seed cannot rename entries (--suffixmassage)", cure)
    if not base_in_filter or scope.scope in (Scope.SUBORD, Scope.ONE):
        raise UsageError("--seed needs the base entry itself in scope: it carries the contextCSN", cure)
    if suffix is None:
        raise UsageError(f"the provider does not show the naming context of {scope.base}, which --seed needs", cure)


def seed(
    reader: DirectoryReader, scope: ReplicationScope, schema: Schema, suffix: str, progress: Progress
) -> Iterator[Entry]:
    """The entries, in the provider's order. Raises `IncompleteRead` when it does not end well, at the latest at the
    end: only a seed that was read to the end is one.
    """
    csns = _context_csn(reader, suffix)
    if not csns:
        raise IncompleteRead(f"{reader.uri} shows no contextCSN of {suffix!r}", "Give this identity read access to it.")
    base = schema.dn_key(scope.base)
    excluded = _COMPUTED | ({name.lower() for name in scope.exattrs} - {name.lower() for name in _ALWAYS})
    progress.phase("writing the seed")
    found = False
    came: set[str] = set()
    for number, entry in enumerate(reader.read(scope, _attributes(scope)), 1):
        if entry.uuid is None or entry.csn is None:
            raise GuardRefused(
                f"{reader.uri} shows {entry.dn!r} without entryUUID or entryCSN: the consumer would delete it later",
                "Give this identity read access to operational attributes.",
            )
        came.add(entry.uuid)
        kept = {name: values for name, values in entry.attributes.items()
                if values and name.lower() not in excluded and not schema.is_server_local(name)}  # fmt: skip
        if not found and schema.dn_key(entry.dn) == base:
            found = True
            kept["contextCSN"] = tuple(text.encode("ascii") for text in csns.texts())
        yield Entry(entry.dn, kept)
        if number % _EVERY == 0:
            progress.advance(number)
    if _context_csn(reader, suffix) != csns:
        there = reader.read(scope, ("entryUUID", "entryCSN"))
        refuse_gaps(reader.uri, came, ((entry.dn, entry.uuid, entry.csn or "") for entry in there), csns)
    if not found:
        raise IncompleteRead(f"{reader.uri} did not send the base entry {scope.base!r}")


def _context_csn(reader: DirectoryReader, suffix: str) -> CsnSet:
    held = reader.look(suffix, ("contextCSN",)).entry
    return CsnSet.parse(held.values("contextCSN") if held else ())


def _attributes(scope: ReplicationScope) -> tuple[str, ...]:
    named = {name.lower() for name in scope.attrs}
    return (*scope.attrs, *(name for name in _ALWAYS if name.lower() not in named))
