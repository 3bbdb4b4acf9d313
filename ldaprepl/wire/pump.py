"""Reading several servers at once, side by side, in one thread.

The one that has sent least is read first, and one that has run far ahead waits in its own socket: servers that answer
in the same order then meet entry by entry, and little has to be remembered. But nobody waits for long because of a
slow partner: a server that is not read gives up at some point (389 DS after its ioblocktimeout), so after a pause all
are read again.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator, Sequence

from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import LdapreplError
from ldaprepl.ports import Directory, Ending, RawEntries
from ldaprepl.protocol.frames import Op
from ldaprepl.protocol.messages import decode_result
from ldaprepl.wire.directory import LdapDirectory

LEAD = 4 * 1024 * 1024  # bytes that one server may be ahead of the slowest
PATIENCE = 2.0  # seconds after which a server that is ahead is read all the same


def pump(directories: Sequence[Directory]) -> Iterator[tuple[int, RawEntries | Ending]]:
    """Entries of the started bulk reads as they come, each batch with the index of its server, and one `Ending` each.

    Never raises for what a server does: that is in its `Ending`.
    """
    running = {index: _Reading(_ldap(directory)) for index, directory in enumerate(directories)}
    with selectors.DefaultSelector() as selector:
        while running:
            ready, silent = _ready(selector, running)
            for index in (*ready, *silent):
                reading = running[index]
                try:
                    if index in silent:
                        raise reading.stream.silence()
                    entries, ending = reading.step()
                except LdapreplError as error:
                    entries, ending = [], Ending(Problem(error.message, error.cure), reading.references)
                if entries:
                    yield index, entries
                if ending is not None:
                    del running[index]
                    yield index, ending


def _ldap(directory: Directory) -> LdapDirectory:
    if not isinstance(directory, LdapDirectory):
        raise TypeError("pump reads LdapDirectory only")
    return directory


class _Reading:
    """One bulk read in progress."""

    def __init__(self, directory: LdapDirectory) -> None:
        self.directory = directory
        self.stream = directory.stream
        self.entries = 0
        self.references = 0
        self.heard = time.monotonic()

    def step(self) -> tuple[RawEntries, Ending | None]:
        """Read once. Raises what the stream raises."""
        batch = self.stream.receive()
        self.heard = time.monotonic()
        self.entries += len(batch.entries)
        for message in batch.messages:
            if message.op == Op.SEARCH_REFERENCE:
                self.references += 1
            elif message.op == Op.SEARCH_DONE:
                problem = self.directory.explain(decode_result(message), self.entries)
                if problem is None and self.directory.more():
                    return batch.entries, None
                return batch.entries, Ending(problem, self.references)
        return batch.entries, None


def _ready(selector: selectors.BaseSelector, running: dict[int, _Reading]) -> tuple[list[int], list[int]]:
    """Which servers to read now, and which have been silent for their timeout.

    A server that nobody reads is not silent: it has only to be asked again, and has something to say.
    """
    now = time.monotonic()
    slowest = min(reading.stream.received for reading in running.values())
    wanted = {
        index: reading
        for index, reading in running.items()
        if reading.stream.received - slowest <= LEAD or now - reading.heard >= PATIENCE
    }
    patience = min(reading.heard + reading.stream.endpoint.timeout for reading in wanted.values()) - now
    ready = _select(selector, wanted, max(0.0, min(PATIENCE, patience)))
    now = time.monotonic()
    silent = [
        index
        for index, reading in wanted.items()
        if index not in ready and now - reading.heard >= reading.stream.endpoint.timeout
    ]
    return sorted(ready, key=lambda index: running[index].stream.received), silent


def _select(selector: selectors.BaseSelector, wanted: dict[int, _Reading], seconds: float) -> list[int]:
    known = {key.data: key for key in selector.get_map().values()}
    for index, key in known.items():
        if index not in wanted:
            selector.unregister(key.fileobj)
    for index, reading in wanted.items():
        if index not in known:
            selector.register(reading.stream, selectors.EVENT_READ, index)
    return [key.data for key, _ in selector.select(seconds)]
