"""What the verbs need from the world: small Protocols, implemented in `wire`.

Answers come as values of `domain`; what goes wrong comes as an exception of `errors`, already translated. A verb knows
nothing else of sockets, files and clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope

TYPE_CHECKING = False
if TYPE_CHECKING:  # a verb must not load the words of all the others
    from datetime import datetime

    from ldaprepl.domain.configdiff import ConfigChange
    from ldaprepl.domain.csn import Csn, CsnSet
    from ldaprepl.domain.deduction import Place
    from ldaprepl.domain.entry import Entry
    from ldaprepl.domain.health import Lacking, Sight, Vitals
    from ldaprepl.domain.matching import Schema
    from ldaprepl.domain.provider import Access, Outcome
    from ldaprepl.domain.schemagap import Published
    from ldaprepl.domain.syncrun import Listed
    from ldaprepl.domain.verdict import Kind, Problem

RawEntries = list[tuple[bytes, bytes]]  # (DN, frame), undecoded


class Ending(NamedTuple):
    """How a bulk read ended: cleanly when `problem` is None. `references` were sent instead of entries."""

    problem: Problem | None = None
    references: int = 0


class Directory(Protocol):
    """One server, as one identity sees it."""

    @property
    def uri(self) -> str: ...

    def context_csn(self, base: str) -> CsnSet:
        """The live contextCSN of the database that holds `base`; empty when there is none to be seen."""

    def schema(self) -> Schema:
        """The published schema. Raises `IncompleteRead` when it cannot be read."""

    def start(self, scope: ReplicationScope, base: str) -> None:
        """Begin the one bulk read of `scope` at `base`."""

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        """Single entries in the order of `dns`, None where there is none; only some `attributes` where they are named.

        Raises `IncompleteRead`.
        """

    def stamps(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """`STAMPS` of single entries, whatever the scope; None also where one is not shown."""


@runtime_checkable
class Live(Directory, Protocol):
    """A `Directory` that is a running server: it changes while it is read."""

    def containers(self, base: str, since: datetime | None) -> list[Entry] | None:
        """The stamps of the entries at and below `base` that have others below them; with `since` (UTC)
        only those with an entryCSN of that time or later. None where this server does not tell this identity."""

    def holders(self, uuids: Sequence[str], scope: ReplicationScope, base: str) -> list[str]:
        """The DNs of the entries that have these entryUUIDs, within the scope. Raises `IncompleteRead`."""


class Witness(Protocol):
    """One server, asked why. Raises `LdapreplError` for transport trouble."""

    @property
    def uri(self) -> str: ...

    def context_csn(self, base: str) -> CsnSet:
        """As `Directory` has it."""

    def definitions(self) -> Published:
        """The published attribute types and object classes; nothing when they are not shown."""

    def places(self, dns: Sequence[str]) -> list[Place]:
        """What the server answers for single entries without any filter, in the order of `dns`."""

    def fetch(
        self, dns: Sequence[str], scope: ReplicationScope, attributes: Sequence[str] = ()
    ) -> Iterator[Entry | None]:
        """As `Directory` has it."""


@runtime_checkable
class Still(Protocol):
    """A `Directory` that is a still image of a server: it never catches up, and can only be read from end to end."""

    def expect(self, dns: Iterable[str]) -> None:
        """These entries, and the stamps of those above them, will be asked for; no others are there to be fetched.

        Raises `IncompleteRead`.
        """

    def newest(self) -> CsnSet:
        """The newest entryCSN of each server ID in it."""


Pump = Callable[[Sequence[Directory]], Iterator[tuple[int, RawEntries | Ending]]]
"""Reads the started bulk reads of several servers side by side: (index, entries) as they come, one Ending for each."""


class Clock(Protocol):
    """Time that passes."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Progress(Protocol):
    """Somebody who watches a long piece of work."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new piece begins; `total` where it is known."""

    def advance(self, done: int) -> None:
        """`done` units of the piece are done by now."""


class Look(NamedTuple):
    """The answer to a base search: the entry, if it was shown, and how the server ended.

    `sync_done`: a Sync Done control came with it (RFC 4533, section 2.4). `text` is what the server said.
    """

    entry: Entry | None
    outcome: Outcome
    matched: str = ""
    referral: str = ""
    text: str = ""
    sync_done: bool = False


class Count(NamedTuple):
    """What reading through gave: entries, how it ended, and the DNs of the first few."""

    entries: int
    outcome: Outcome
    sample: tuple[str, ...] = ()


class DirectoryReader(Protocol):
    """A provider that is looked at before anything is set up. Raises `LdapreplError` for transport trouble only."""

    @property
    def uri(self) -> str: ...

    def look(
        self, base: str, attributes: Sequence[str] = ("1.1",), filter: str = MATCH_ALL, *, sync: bool = False
    ) -> Look:
        """One entry. `sync` sends the sync request control, not critical, instead of ManageDsaIT."""

    def count(self, scope: ReplicationScope, filter: str, watch: Callable[[int], None], sample: int = 0) -> Count:
        """Read through the scope with another filter, without attributes; `watch` hears how many there are so far."""


class SeedSource(Protocol):
    """A provider's scope, to be copied whole. Raises `IncompleteRead` for what is not the whole answer."""

    @property
    def uri(self) -> str: ...

    def context_csn(self) -> CsnSet:
        """The live contextCSN; empty when there is none to be seen."""

    def read_all(self) -> Iterator[Entry]:
        """Every entry, subentries too, as they come: a whole directory is never held."""

    def listing(self) -> Iterator[Listed]:
        """Identity and age of every entry."""


class LiveConfig(Protocol):
    """The cn=config of a running server."""

    @property
    def uri(self) -> str: ...

    def entries(self) -> list[Entry]:
        """All of it. Raises `IncompleteRead` when this identity may not read it."""

    def change(self, change: ConfigChange) -> None:
        """One modify or add request. Raises `GuardRefused` with the server's words when it is refused."""


class Server(NamedTuple):
    """A running private server: its URI and process ID."""

    uri: str
    pid: int


class Planted(NamedTuple):
    """A divergence made on purpose: what verify must call it, where, and what was done, in words."""

    kind: Kind
    dn: str
    deed: str


class Theatre(Protocol):
    """Two private servers to tell the story with (`wire.stage`)."""

    def provide(self, count: int) -> Server:
        """Start a provider with about `count` entries."""

    def access(self) -> Access:
        """How the consumer comes to the provider."""

    def probe(self) -> DirectoryReader:
        """The provider, to be looked at as the consumer's identity."""

    def consume(self, stanza: str) -> Server:
        """Start an empty consumer with exactly this stanza."""

    def replicated(self, patience: float) -> float:
        """Wait for the consumer to fill up; the seconds it took. Raises `ServerUnavailable` after `patience`."""

    def directories(self) -> tuple[Directory, Directory]:
        """Provider and consumer, to be verified."""

    def plant(self) -> list[Planted]:
        """Harm the consumer, once in each way."""


class Replica(Protocol):
    """One server as `check` watches it."""

    @property
    def uri(self) -> str: ...

    def look(self, base: str) -> Sight:
        """Its contextCSN for the database that holds `base`, or the trouble."""

    def lacking(self, scope: ReplicationScope, after: Csn | None, upto: Csn) -> Lacking:
        """The changes of one server ID in (after, upto]. Raises `LdapreplError`."""

    def vitals(self) -> Vitals:
        """Certificate, clock, state of syncrepl: as far as it tells."""

    def value(self, dn: str, name: str) -> tuple[bytes, ...] | None:
        """The values of one attribute of one entry, None when there is no such entry. Raises `LdapreplError`."""

    def write(self, dn: str, name: str, values: tuple[bytes, ...]) -> None:
        """Replace the values of one attribute. Raises `LdapreplError`."""
