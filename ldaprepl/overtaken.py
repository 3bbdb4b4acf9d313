"""What a bulk read left out, or has under a name that is gone, because a container was renamed meanwhile.

slapd lets go of its read transaction while a client is slow and goes on in a newer one; what is below a container that
was renamed or moved in between may be left out, and the search ends with success (2.5.13; ITS#7904 has the reason for
letting go). What only one side lacks is a suspect, and single reads settle it. But both sides may lack the same entry,
because a consumer replays the rename, or both may have had it under the old name, where nobody finds it at the second
look: whatever it holds, it would pass for equal.

So after a read each side is asked which entries that have others below them are newer than its contextCSN from before.
The names below those are listed there and become suspects. A list may be overtaken, too: it counts where it is so short
that slapd made it in one transaction, or where the container stood still meanwhile; else it is made again. Who then
disappears before the second look is sought by entryUUID. Any change of a container looks like a rename: that costs
time, and nothing else. Where all contextCSNs stand still and are the same, as mostly, nothing more is asked. A side
without a contextCSN lists its containers before and after instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from ldaprepl.domain.compare import Comparer
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.join import Suspects
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.scope import Scope
from ldaprepl.domain.verdict import Problem
from ldaprepl.errors import IncompleteRead, LdapreplError
from ldaprepl.ports import Directory, Ending, Live, Progress, Pump
from ldaprepl.recheck import Outcome, covers, merged, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ldaprepl.imagecheck import ImageCheck
    from ldaprepl.recheck import Recheck

_TRIES = 20  # lists of what is below a container that is renamed all the time
_LOOKS = 20  # second looks at what has another name each time
_LISTS = 50  # containers below which names are listed; beyond that all names are
_SHORT = 16 * 1024  # bytes of an answer that no server has to wait with


class Overtaken:
    """Watches the reads of one pair, from before they begin. `failed`: a side could not even be asked how far it is."""

    def __init__(self, provider: Directory, consumer: Directory, comparer: Comparer, pump: Pump) -> None:
        self._comparer = comparer
        self._sides: list[_Side] = []
        self.failed: LdapreplError | None = None
        if comparer.scope.scope not in (Scope.SUB, Scope.SUBORD):  # nothing hangs from what could be renamed
            return
        try:
            # A dump stands still, and a server that could not be opened says so when it is read.
            if isinstance(provider, Live):
                self._sides.append(_Side(provider, comparer, pump))
            if isinstance(consumer, Live):
                self._sides.append(_Consumer(consumer, comparer, pump))
        except LdapreplError as error:
            self.failed = error

    def more(self, suspects: Suspects) -> Suspects:
        """With what the reads up to now may have missed. Raises `LdapreplError`."""
        if self.failed:
            raise self.failed
        for side in self._sides:
            side.restless = None
        for _ in range(_TRIES):
            now = [side.server.context_csn(side.base) for side in self._sides]
            newest = CsnSet(csn for csns in (*now, *(side.csns for side in self._sides)) for csn in csns.values())
            missed = [dn for side, csns in zip(self._sides, now, strict=True) for dn in side.missed(csns, newest)]
            suspects = joined(suspects, Suspects(missed))
            if not any(side.restless for side in self._sides):
                return suspects
        raise _restless()

    def judge(self, check: Recheck | ImageCheck, suspects: Suspects, progress: Progress) -> Outcome:
        """The second look, and more at what disappeared with the name of a container. Raises `LdapreplError`."""
        outcome = look = check.judge(suspects, progress)
        if look.gone:
            self.more(Suspects())
        listed = frozenset[str]().union(*(side.listed for side in self._sides))
        for _ in range(_LOOKS):
            left = sorted(listed - outcome.settled) if look.gone else []
            names = [dn for side in self._sides for dn in side.holders(left)]  # none of what was deleted
            if not names:
                notes = (note for side in self._sides for note in side.notes)
                return outcome._replace(notes=(*outcome.notes, *notes))
            look = check.judge(Suspects(names), progress)
            outcome = merged(outcome, look, self._comparer)
        raise _restless()


class _Side:
    """One server: the provider. `csns` is its contextCSN from before, `listed` the entryUUIDs of what it has
    listed and is not news itself.

    `restless` are the containers that have to be listed again; None before the first time.
    """

    def __init__(self, server: Live, comparer: Comparer, pump: Pump) -> None:
        self.server = server
        self.comparer = comparer
        self._pump = pump
        self.csns = server.context_csn(self.base)
        self.listed: set[str] = set()
        self.restless: set[str] | None = None
        self._known: dict[str, tuple[str, str | None]] = {}  # containers by entryUUID: DN and entryCSN
        self._counted: set[str] = set()
        self._mute = False
        if not self.csns:
            self._moved(self.csns, self.csns)

    @property
    def base(self) -> str:
        return self.comparer.scope.base

    def named(self, dn: str) -> str:
        """One of its DNs as the provider has it."""
        return dn

    def missed(self, now: CsnSet, newest: CsnSet) -> list[bytes]:
        """What is below the containers that were changed since this was asked last; after the first time only what is
        below those that are new, or were restless then. Raises `LdapreplError`."""
        before, seen = self.restless, set(self._known)
        moved = self._moved(now, newest)
        if before is not None:
            moved = {key: dn for key, dn in moved.items() if key in before or key not in seen}
        self._counted |= moved.keys()
        self.restless = set(moved)
        dns: dict[bytes, None] = {}
        if len(moved) > _LISTS:
            dns.update(dict.fromkeys(self._below(self.base)[0]))
            return list(dns)
        for key, container in moved.items():
            found, certain = self._below(container)
            dns.update(dict.fromkeys(found))
            if certain:
                self.restless.discard(key)
        return list(dns)

    def _moved(self, now: CsnSet, newest: CsnSet) -> dict[str, str]:
        """The containers, by entryUUID, that were changed since this was asked last.

        `now` is the contextCSN here, `newest` what any server shows. Where a server ID stands behind that, changes as
        old as where it stood before may have come, even if `now` does not say so yet: a refresh counts at its end only.
        """
        strange = any(sid not in self.csns for sid in now)
        late = [csn.time for sid, csn in self.csns.items() if newest[sid] != csn]
        if self.csns and not late and not strange:
            return {}
        containers = self.server.containers(self.base, None if strange or not late else min(late))
        self._mute = containers is None
        base = self.comparer.dn_key(self.comparer.scope.base)
        moved = {}
        for entry in containers or ():
            key = entry.uuid or entry.dn
            if self._known.get(key) == (entry.dn, entry.csn) or covers(self.csns, entry.csn or ""):
                continue
            self._known[key] = entry.dn, entry.csn
            if self.comparer.dn_key(self.named(entry.dn)) != base:  # it was read, so it has the name it had
                moved[key] = entry.dn
        return moved

    def _below(self, container: str) -> tuple[list[bytes], bool]:
        """All that is there, and whether this is certain. Raises `IncompleteRead`."""
        for last in range(_TRIES, 0, -1):
            dns, size, problem = self._listing(container)
            if problem is None:
                return dns, size <= _SHORT
            if next(iter(self.server.stamps([container]))) is None:
                break  # it has yet another name, or was deleted
            if last == 1:  # before that it may have been away and come back
                raise IncompleteRead(problem.text, problem.cure)
        return [], False

    def _listing(self, container: str) -> tuple[list[bytes], int, Problem | None]:
        """Names, bytes of the answer, and what was wrong with it."""
        scope = self.comparer.scope
        part = scope._replace(scope=scope.scope if container == self.base else Scope.SUB, attrs=("1.1",))
        dns: list[bytes] = []
        size = 0
        problem = None
        self.server.start(part, container)
        for _, item in self._pump([self.server]):
            if isinstance(item, Ending):
                problem = item.problem
                continue
            size += sum(len(frame) for _, frame in item)
            dns += [self._encoded(text(dn)) for dn, _ in item]
            self.listed.update(uuid for _, frame in item if (uuid := self._old(frame)))
        return dns, size, problem

    def _old(self, frame: bytes) -> str:
        """The entryUUID of an entry that was not changed itself since the beginning; empty: it was, and is news."""
        held = {name: self.comparer.values(values)[:1] for name, values in self.comparer.split(frame)[1]}
        csn, uuid = (text(b"".join(held.get(name, ()))) for name in (b"entryCSN", b"entryUUID"))
        return uuid.lower() if not self.csns or covers(self.csns, csn) else ""

    def holders(self, uuids: Sequence[str]) -> list[bytes]:
        """Where these entryUUIDs are now."""
        return [self._encoded(dn) for dn in self.server.holders(uuids, self.comparer.scope, self.base)]

    def _encoded(self, dn: str) -> bytes:
        """One of its DNs as it stands among suspects."""
        return self.named(dn).encode("utf-8", "surrogateescape")

    @property
    def notes(self) -> list[str]:
        """What is to be said of it."""
        if self._mute:
            return [
                f"{self.server.uri} does not show this identity which containers were changed (hasSubordinates,"
                " entryCSN): what is below one that was renamed meanwhile may have been missed"
            ]
        many = len(self._counted)
        changed = f"{counted(many, 'container')} {agreeing(many, 'was', 'were')} changed on {self.server.uri} meanwhile"
        return [f"{changed}: all that is below was looked at again, entry by entry"] if many else []


class _Consumer(_Side):
    """The other server, whose base may have another name."""

    @property
    def base(self) -> str:
        return self.comparer.scope.consumer_base

    def named(self, dn: str) -> str:
        return self.comparer.provider_dn(dn)


def _restless() -> IncompleteRead:
    return IncompleteRead(
        "containers were renamed all the time, so that entries below them may have been missed",
        "Run it again when they keep their names.",
    )


def joined(*several: Suspects) -> Suspects:
    """All of them."""
    return Suspects(
        [dn for each in several for dn in each.pairs],
        [dn for each in several for dn in each.provider_only],
        [dn for each in several for dn in each.consumer_only],
    )
