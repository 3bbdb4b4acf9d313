"""Servers and dumps side by side: a dump is read while it is behind, the servers while nobody else is.

Who is behind is told by the number of entries, so that those in the same order meet and little has to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ldaprepl.ports import Directory, Ending, RawEntries
from ldaprepl.wire.ldifdirectory import LdifDirectory
from ldaprepl.wire.pump import pump


def mixed_pump(directories: Sequence[Directory]) -> Iterator[tuple[int, RawEntries | Ending]]:
    """As `pump`, of started servers and dumps in any mixture."""
    dumps = {index: held for index, held in enumerate(directories) if isinstance(held, LdifDirectory)}
    servers = [index for index in range(len(directories)) if index not in dumps]
    live = pump([directories[index] for index in servers])
    seen = dict.fromkeys(servers, 0)  # entries of each server that has not ended
    while dumps or seen:
        index = min(dumps, key=lambda index: dumps[index].entries, default=-1)
        if index >= 0 and dumps[index].entries <= min(seen.values(), default=dumps[index].entries):
            entries, ending = dumps[index].step()
            if ending is not None:
                del dumps[index]
            if entries:
                yield index, entries
            if ending is not None:
                yield index, ending
            continue
        number, item = next(live)
        if isinstance(item, Ending):
            del seen[servers[number]]
        else:
            seen[servers[number]] += len(item)
        yield servers[number], item
