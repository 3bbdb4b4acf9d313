"""A first fill: entries are added while the answer still comes.

An empty consumer has nothing to lose, so what comes need not wait for the end of a long answer. A short one is read to
its end as any other: if it breaks off, nothing was changed. The base goes first, past every guard. After it each entry
whose parent is there is added at once. All else waits for the end and the ordinary plan: a child that comes before its
parent, a name that is taken, an entry that was changed meanwhile and comes again.

Reading stays well ahead of writing. A slapd whose answer is not taken lets go of its view of the database and goes on
in a newer one, where it may miss entries below a container that was renamed meanwhile, and still ends with success.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from ldaprepl.carryout import CarryOut, stamp
from ldaprepl.domain import dn as names
from ldaprepl.domain.change import Add
from ldaprepl.domain.plan import Plan
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.tree import ROOT, Tree, holder
from ldaprepl.errors import UNCHANGED, IncompleteRead, LdapreplError

_LONG = 5000  # messages, from which on writing does not wait for the end
_EVERY = 200  # messages between two words to the progress
_AHEAD = 8  # messages that are read for each entry that is written

if TYPE_CHECKING:
    from ldaprepl.domain.entry import Entry
    from ldaprepl.ports import Progress
    from ldaprepl.syncports import Refreshing

    _Coming = tuple[str, Entry | None]


def first_fill(carry: CarryOut, tree: Tree, coming: Refreshing) -> None:
    """Add to the consumer, and to its empty `tree`, what can be added; the outcome of `coming` holds the rest.

    Raises what reading raises, when all that came before is written: it stays, and the next run goes on from there.
    """
    filling = _Filling(carry, tree, coming)
    with closing(iter(coming)) as answer:
        beginning = list(_counted(islice(answer, _LONG), carry.progress))
        entries = chain(beginning, answer)
        if len(beginning) < _LONG or not filling.begin(entries):
            deque(entries, maxlen=0)  # the outcome is complete when everything has come
            return
        carry.progress.phase("writing")
        refused = carry.parties.writer.apply(filling.adds(entries))
    carry.settle(tree, filling.made, refused)
    count = carry.tally.added
    if isinstance(filling.error, IncompleteRead) and count:
        stay = f"{counted(count)} had come before and {agreeing(count, 'stays', 'stay')}; the next run goes on."
        cure = filling.error.cure.removeprefix(UNCHANGED)
        raise IncompleteRead(filling.error.message, f"{stay} {cure}".rstrip()) from filling.error
    if filling.error is not None:
        raise filling.error


def _counted(entries: Iterable[_Coming], progress: Progress) -> Iterator[_Coming]:
    for number, pair in enumerate(entries):
        if number % _EVERY == 0:
            progress.advance(number)
        yield pair


class _Filling:
    def __init__(self, carry: CarryOut, tree: Tree, coming: Refreshing) -> None:
        self.carry, self.tree, self.coming = carry, tree, coming
        self.made = Plan()
        self.error: LdapreplError | None = None
        self._above: dict[str, tuple[str, str]] = {}  # key and DN by the parent's DN as the provider writes it

    def begin(self, entries: Iterable[_Coming]) -> bool:
        """Carry the first topmost entry out as any other change; False: there is none, or it was refused, and will be
        again with all the rest."""
        for uuid, entry in entries:
            if entry is not None and self._is_top(self.carry.translation.dn(entry.dn)):
                self.carry.out(self.tree, {uuid: entry}, frozenset())
                if uuid in self.tree:
                    self.coming.taken(uuid, entry)
                    return True
                self.carry.refusals.clear()
                return False
        return False

    def _is_top(self, dn: str) -> bool:
        try:
            return self.carry.naming.is_top(dn)
        except ValueError:
            return False

    def adds(self, entries: Iterable[_Coming]) -> Iterator[Add]:
        """What can be added at once. An error of the reading is kept, so that what is under way is not left alone."""
        ready: deque[Add] = deque()
        try:
            for number, (uuid, entry) in enumerate(entries):
                add = self._add(uuid, entry) if entry is not None and uuid not in self.tree else None
                if add is not None and entry is not None:
                    self.coming.taken(uuid, entry)
                    self.made.changes.append(replace(add, attributes={}))
                    ready.append(add)
                if ready and number % _AHEAD == 0:
                    yield ready.popleft()
        except LdapreplError as error:
            self.error = error
        while ready:
            yield ready.popleft()

    def _add(self, uuid: str, entry: Entry) -> Add | None:
        wanted = self.carry.translation.entry(entry)
        try:
            parent = self._parent(wanted.dn)
            if parent is None:
                return None
            key, above = parent
            node = self.carry.naming.place(wanted.dn, key, stamp(entry))
        except ValueError:
            return None
        if self.tree.at(key, node.slot) is not None:
            return None
        self.tree.put(uuid, node)
        return Add(uuid, key, f"{node.rdn},{above}" if above else node.rdn, wanted.attributes)

    def _parent(self, dn: str) -> tuple[str, str] | None:
        """Key and DN of the entry above, if it is there."""
        naming = self.carry.naming
        if naming.is_top(dn):
            return None if naming.holds_base else (ROOT, "")
        above = names.parent(dn)
        found = self._above.get(above)
        if found is None:
            key = holder(self.tree, naming, above)
            if key is None:
                return None
            found = self._above[above] = (key, self.tree.dn(key))
        return found
