"""A provider's scope behind a bound stream, to be copied whole (`ports.SeedSource`).

It is read as `verify` reads it, with the subentries that no search below a base shows, and without python-ldap.
"""

from __future__ import annotations

from collections.abc import Iterator

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.syncrun import Listed
from ldaprepl.errors import IncompleteRead
from ldaprepl.ports import Ending
from ldaprepl.wire.directory import LdapDirectory
from ldaprepl.wire.pump import pump
from ldaprepl.wire.stream import Stream, entry_from_frame

_IDENTITY = ("entryUUID", "entryCSN")


class StreamedScope:
    """`always`: attributes to be asked for whatever those of the scope are. Raises what `Stream` raises."""

    def __init__(self, stream: Stream, scope: ReplicationScope, always: tuple[str, ...]) -> None:
        self._directory, self._scope = LdapDirectory(stream), scope
        named = {name.lower() for name in scope.attrs}
        self._attributes = (*scope.attrs, *(name for name in always if name.lower() not in named))

    @property
    def uri(self) -> str:
        return self._directory.uri

    def context_csn(self) -> CsnSet:
        return self._directory.context_csn(self._scope.base)

    def read_all(self) -> Iterator[Entry]:
        return self._read(self._attributes)

    def listing(self) -> Iterator[Listed]:
        for entry in self._read(_IDENTITY):
            yield Listed(entry.dn, entry.uuid, entry.csn or "")

    def _read(self, attributes: tuple[str, ...]) -> Iterator[Entry]:
        self._directory.start(self._scope._replace(attrs=attributes), self._scope.base)
        for _, part in pump([self._directory]):
            if not isinstance(part, Ending):
                yield from (entry_from_frame(frame) for _, frame in part)
            elif part.problem is not None:
                raise IncompleteRead(part.problem.text, part.problem.cure)
            elif part.references:
                raise IncompleteRead(f"{self.uri} holds a part of {self._scope.base!r} on another server")
