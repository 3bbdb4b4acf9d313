"""A dump of a server, read as if it were that server (`ports.Directory`, `ports.Still`).

The bulk read is one pass through the file in constant memory. Which of its entries must be looked at again is known
after it: a second pass sets them aside, with the stamps of what stands above them, in a temporary file. slapcat writes
the contextCSN that was last stored, which on a running provider may be older than its entries; so the newest
entryCSN of each server ID counts too where a dump stands for a provider (`newest`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.dn import ancestors
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldif import LdifError
from ldaprepl.domain.ldifstream import LdifReader, record_entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.scope import STAMPS, ReplicationScope, Scope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import IncompleteRead, LdapreplError
from ldaprepl.ports import Ending, RawEntries
from ldaprepl.wire.ldiffile import LdifFile

_ENTRY_CSN: Final = b"\nentryCSN: "
_CURE: Final = "Make the dump again, and compare when it is whole."


class LdifDirectory:
    """One file. `schema` is asked once, when it is needed."""

    def __init__(self, file: LdifFile, schema: Callable[[], Schema]) -> None:
        self.file = file
        self.uri = file.name
        self.entries = 0  # that were handed on
        self._schema_of = schema
        self._schema: Schema | None = None
        self._reader = LdifReader()
        self._pieces: Iterator[bytes] = iter(())
        self._wanted: Callable[[bytes], bool] | None = None
        self._contexts: dict[bytes, tuple[bytes, ...]] = {}  # contextCSN by the entry that holds it
        self._newest: dict[bytes, bytes] = {}
        self._aside: BinaryIO | None = None
        self._places: dict[bytes, tuple[int, int]] = {}  # by DN key: where an entry that was set aside lies
        self._above: dict[bytes, Entry] = {}

    # -- what the file says of its server --------------------------------------------------------------------------

    def context_csn(self, base: str) -> CsnSet:
        """The contextCSN in the dump, once that is read; of the entry nearest to the root where several have one."""
        schema = self.schema()
        holders = [dn for dn in self._contexts if not base or schema.is_below(base, _text(dn))]
        if not holders:
            return CsnSet()
        holder = min(holders, key=len)
        try:
            return CsnSet.parse(self._contexts[holder])
        except ValueError as error:
            raise IncompleteRead(
                f"{self.uri} has a contextCSN that is none: {error}", "Mend it in the file, or dump again."
            ) from None

    def newest(self) -> CsnSet:
        """The newest entryCSN of each server ID; what is no CSN is left out."""
        found = []
        for text in self._newest.values():
            try:
                found.append(Csn.parse(text))
            except ValueError:
                continue
        return CsnSet(found)

    def schema(self) -> Schema:
        if self._schema is None:
            self._schema = self._schema_of()
        return self._schema

    # -- the bulk read ---------------------------------------------------------------------------------------------

    def start(self, scope: ReplicationScope, base: str) -> None:
        """Begin the pass."""
        self._wanted = within(scope.scope, base, self.schema()) if base or scope.scope is not Scope.SUB else None
        self._pieces = self.file.pieces()

    def step(self) -> tuple[RawEntries, Ending | None]:
        """The next piece. What is wrong with the file is in the `Ending`."""
        try:
            piece = next(self._pieces, None)
            records = self._reader.finish() if piece is None else self._reader.feed(piece)
        except LdifError as error:
            return [], Ending(Problem(f"{self.uri}:{error.line}: {error.reason}", _CURE), self._reader.references)
        except LdapreplError as error:
            return [], Ending(Problem(error.message, error.cure), self._reader.references)
        self._note_stamps(records)
        wanted = self._wanted
        if wanted is not None:
            records = [record for record in records if wanted(record[0])]
        self.entries += len(records)
        return records, None if piece is not None else Ending(references=self._reader.references)

    def _note_stamps(self, records: RawEntries) -> None:
        newest = self._newest
        for dn, record in records:
            if (at := record.rfind(_ENTRY_CSN)) > 0:  # from behind: slapd writes it there
                csn = record[at + len(_ENTRY_CSN) :].partition(b"\n")[0]
                if csn > newest.get(csn[-10:-7], b""):
                    newest[csn[-10:-7]] = csn
            if b"\ncontextCSN:" in record:
                self._contexts[dn] = record_entry(record).values("contextCSN")

    # -- what is to be looked at again -----------------------------------------------------------------------------

    def expect(self, dns: Iterable[str]) -> None:
        """Set these entries aside, as this file spells them, but for case. Raises `IncompleteRead`."""
        wanted: set[bytes] = set()
        over: set[bytes] = set()
        for dn in dns:
            wanted.add(_bytes(dn).lower())
            over.update(_bytes(name).lower() for name in ancestors(dn))
        if wanted:
            self._aside = tempfile.TemporaryFile(prefix="ldaprepl-")  # noqa: SIM115  # closed with this directory
            for dn_bytes, record in self._again():
                low = dn_bytes.lower()
                if low in wanted:
                    self._set_aside(dn_bytes, record)
                if low in over:
                    self._above[self.schema().dn_key(_text(dn_bytes))] = _stamps(record_entry(record))

    def _again(self) -> Iterator[tuple[bytes, bytes]]:
        reader = LdifReader(known=True)
        try:
            for piece in self.file.pieces():
                yield from reader.feed(piece)
            yield from reader.finish()
        except LdifError as error:
            raise IncompleteRead(f"{self.uri}:{error.line}: {error.reason}", _CURE) from error

    def _set_aside(self, dn: bytes, record: bytes) -> None:
        assert self._aside is not None
        key = self.schema().dn_key(_text(dn))
        if key in self._places:
            raise IncompleteRead(
                f"{self.uri} holds the entry {_text(dn)!r} twice, so it is no dump of one server",
                "Dump it again, into a new file.",
            )
        try:
            self._places[key] = (self._aside.tell(), len(record))
            self._aside.write(record)
        except OSError as error:
            raise LdapreplError(
                f"what differs cannot be set aside in a temporary file ({error.strerror})",
                "Make room in the folder for temporary files, or name another one in TMPDIR.",
            ) from error

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        for dn in dns:
            place = self._places.get(self.schema().dn_key(dn))
            if place is None or self._aside is None:
                yield None
                continue
            self._aside.seek(place[0])
            entry = record_entry(self._aside.read(place[1]))
            yield _stamps(entry) if attributes else entry

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        for dn in dns:
            yield self._above.get(self.schema().dn_key(dn))

    def close(self) -> None:
        """Remove what was set aside."""
        if self._aside is not None:
            self._aside.close()
        self.file.close()


def within(scope: Scope, base: str, schema: Schema) -> Callable[[bytes], bool]:
    """Whether a DN lies in the scope (RFC 4511, section 4.5.1.2)."""
    base_key = schema.dn_key(base)
    ending = b"," + _bytes(base).lower()
    whole = scope is Scope.SUB and bool(base)
    depth = base_key.count(b",") + 1 if base_key else 0  # commas inside of values are escaped otherwise in keys

    def wanted(dn: bytes) -> bool:
        if whole and dn.lower().endswith(ending) and dn[-len(ending) - 1 : -len(ending)] != b"\\":
            return True
        key = schema.dn_key(_text(dn))
        if key == base_key:
            return scope in (Scope.SUB, Scope.BASE)
        below = not base_key or key.endswith(b"," + base_key)
        if scope is Scope.ONE:
            return below and key.count(b",") == depth
        return below and scope is not Scope.BASE

    return wanted


def _stamps(entry: Entry) -> Entry:
    return Entry(entry.dn, {name: entry.values(name) for name in STAMPS if entry.values(name)})


def _bytes(dn: str) -> bytes:
    return dn.encode("utf-8", "surrogateescape")


def _text(dn: bytes) -> str:
    return dn.decode("utf-8", "surrogateescape")
