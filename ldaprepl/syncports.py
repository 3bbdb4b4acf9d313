"""What `sync` needs from the world, as small Protocols; `ports` has those that all verbs share.

A master is only read, a replica is read and written, a state remembers. What an answer does not completely contain is
an exception (`IncompleteRead`), never a shorter answer.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ldaprepl.domain.change import Change
from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.refresh import Outcome
from ldaprepl.domain.syncrun import Listed, Mode
from ldaprepl.domain.tree import Node, Source
from ldaprepl.ports import Progress


class Service(Protocol):
    """The answer to "is there a sync service": `critical` None means no, `why` says how that was found."""

    @property
    def critical(self) -> bool | None: ...

    @property
    def why(self) -> str: ...


class Refreshing(Protocol):
    """A sync session on its way."""

    def __iter__(self) -> Generator[tuple[str, Entry | None], None, None]:
        """UUID and entry as they come; without entry for what is only listed. Raises `RefreshRequired`, `NoSync`."""

    def taken(self, uuid: str, entry: Entry) -> None:
        """This entry need not be in the outcome: it is carried out already."""

    def outcome(self) -> Outcome:
        """What it all means, once everything has come."""


class Master(Protocol):
    """The provider as `sync` reads it, within one scope."""

    @property
    def uri(self) -> str: ...

    def context_csn(self) -> CsnSet:
        """The live contextCSN; empty when there is none to be seen."""

    def service(self) -> Service:
        """Whether and how it answers sync requests."""

    def refresh(self, cookie: SyncCookie | None, progress: Progress) -> Outcome:
        """A whole session. Raises `NoSync`, `RefreshRequired`."""

    def refreshing(self, cookie: SyncCookie | None) -> Refreshing:
        """The same as it comes. Raises `NoSync`."""

    def listing(self) -> Iterator[Listed]:
        """Identity and age of every entry of the scope."""

    def read_all(self) -> Iterator[Entry]:
        """Every entry of the scope."""

    def subentries(self) -> Iterator[Entry]:
        """The subentries of the scope (RFC 3672), which no sync session shows; listings and `read_all` hold them."""

    def fetch(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """Single entries in the order of `dns`; None where there is none in the scope."""

    def which_exist(self, uuids: Sequence[str]) -> set[str]:
        """Those of the entryUUIDs that it has in the scope."""

    def contexts(self) -> tuple[str, ...]:
        """Its naming contexts below the base: a search from the base need not show what is in them."""

    def shows(self, attribute: str) -> bool:
        """Whether any entry of the scope shows this attribute."""

    def by_uuid(self, uuids: Sequence[str]) -> Iterator[Entry]:
        """The entries with these entryUUIDs, whole; those that are not there are left out."""


class Replica(Protocol):
    """The consumer as `sync` reads it."""

    @property
    def uri(self) -> str: ...

    def schema(self) -> Schema:
        """The schema by which it judges what is written."""

    def listing(self) -> Iterator[Listed]:
        """Identity and age of every entry there is in the scope's part of the tree."""

    def read_all(self) -> Iterator[Entry]:
        """The same entries, whole."""

    def fetch(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """Single entries in the order of `dns`."""

    def holders(self, attribute: str) -> int:
        """How many entries have this attribute."""

    def missing_above(self) -> tuple[str, ...]:
        """Names above the topmost entries of the scope, up to the suffix, where nothing is; the uppermost first."""

    def is_suffix(self) -> bool:
        """Whether the base is a database's suffix, where contextCSN lives."""

    def context_csn(self) -> tuple[str, ...]:
        """contextCSN as texts, sorted."""

    def set_context_csn(self, csns: CsnSet) -> None:
        """Replace contextCSN."""


class Writer(Protocol):
    """Applies changes in order; gives the entries that were refused. Raises `syncrun.Stale`."""

    @property
    def mode(self) -> Mode: ...

    def apply(self, changes: Iterable[Change]) -> list[Refusal]: ...


class State(Source, Protocol):
    """What `sync` remembers between runs."""

    @property
    def notes(self) -> list[str]: ...

    @property
    def clean(self) -> bool: ...

    def fact(self, name: str) -> str: ...

    def begin(self) -> None: ...

    def refused(self) -> list[Refusal]: ...

    def finish(
        self,
        changes: Mapping[str, Node | None],
        refused: Iterable[Refusal],
        facts: Mapping[str, str],
        base: Mapping[str, Node] | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part."""

    master: Master
    replica: Replica
    writer: Writer
    state: State
