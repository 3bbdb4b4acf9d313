"""Changes on their way to the consumer: many under way at once where they are independent, in transactions where safe.

Slapd works on the operations of one connection in parallel and in any order, so a change waits for those it depends on
(its parent's add, its child's delete, the former holder of its name); it drops a connection with more than 1,000 unread
answers, so the window is small. It is refilled in bursts: where each answer is followed by one request, slapd wakes a
thread for every single one, which costs a fifth of the time. What a server refuses for one entry's sake (schema, size)
is set aside; what says that the consumer is not as believed is `Stale`; anything else ends the run, and the next one
repairs it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import islice

from ldaprepl.wire import libldap  # noqa: F401  # first: it says what libldap may read

# isort: split
import ldap

from ldaprepl.domain.change import Add, Change, Delete, Mod, Modify, Rename
from ldaprepl.domain.plan import Refusal
from ldaprepl.domain.syncrun import Mode, Stale
from ldaprepl.errors import GuardRefused, IncompleteRead
from ldaprepl.ports import Progress
from ldaprepl.wire import transaction
from ldaprepl.wire.consumer import RELAX
from ldaprepl.wire.movecure import move_around
from ldaprepl.wire.session import MANAGE_DSA_IT, Result, Session, control

WINDOW = 128  # changes under way at most
REFILL = 64  # as many are left when more are sent
_OPERATIONS = {"add": ldap.MOD_ADD, "delete": ldap.MOD_DELETE, "replace": ldap.MOD_REPLACE}
# The entry is to blame: schema, syntax, naming, a name too long for the backend (80).
_ENTRYS_FAULT = frozenset((11, 16, 17, 18, 19, 20, 21, 34, 64, 65, 67, 69, 71, 80))
_NOT_AS_BELIEVED = frozenset((32, 66, 68))


class Applier:
    """Applies changes in their order; `batch` is the size of a transaction, 0: none."""

    def __init__(self, session: Session, mode: Mode, progress: Progress, batch: int = 0) -> None:
        self.session, self.mode, self.progress, self.batch = session, mode, progress, batch
        self.refusals: list[Refusal] = []
        self.done = 0
        self._failed: set[str] = set()
        self._waiting: deque[tuple[int, Change]] = deque()
        self._keys: Counter[str] = Counter()
        self._parents: Counter[str] = Counter()
        self._dns: Counter[str] = Counter()
        self._controls = [control(MANAGE_DSA_IT, critical=False)]
        if mode is Mode.RELAX:
            self._controls.append(control(RELAX))
        self._in_transaction = False

    def apply(self, changes: Iterable[Change]) -> list[Refusal]:
        """Do it all; gives the entries that were refused. Raises `Stale`, `ServerUnavailable`, `GuardRefused`."""
        before = len(self.refusals)
        if not self.batch:
            self._send_all(changes)
            return self.refusals[before:]
        rest = iter(changes)
        while batch := list(islice(rest, self.batch)):
            self._transact(batch)
        return self.refusals[before:]

    # -- one batch ---------------------------------------------------------------------------------------------------

    def _transact(self, batch: Sequence[Change]) -> None:
        """All of the batch, or, when the server does not take one of it, one by one to find out who is to blame."""
        failed, refused, done = set(self._failed), len(self.refusals), self.done
        transaction.start(self.session)
        self._in_transaction = True
        try:
            self._send_all(batch)
        except Stale:
            transaction.end(self.session, commit=False)
            raise
        finally:
            self._in_transaction = False
        clean = len(self.refusals) == refused
        result = transaction.end(self.session, commit=clean)
        if clean and result.code:
            raise transaction.rolled_back(self.session, result)
        if clean:
            return
        self._failed, self.done = failed, done
        del self.refusals[refused:]
        self._send_all(batch)

    def _send_all(self, changes: Iterable[Change]) -> None:
        rest = iter(changes)
        while burst := list(islice(rest, WINDOW - len(self._waiting))):
            self._send_burst(burst)
            self._drain(REFILL)
        self._drain(0)

    def _send_burst(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if self._depends(change):
                self._drain(0)
            if change.parent in self._failed and isinstance(change, (Add, Rename)):
                self._set_aside(change, "the entry above it was refused")
                continue
            self._failed.discard(change.key)  # it may be tried again
            self._waiting.append((self._send(change), change))
            self._keys[change.key] += 1
            self._parents[change.parent] += 1
            self._dns[change.dn.lower()] += 1
            if isinstance(change, Rename):
                self._drain(0)

    def _depends(self, change: Change) -> bool:
        """Whether something under way must be finished first."""
        if not self._waiting:
            return False
        if isinstance(change, Modify):
            return self._keys[change.key] > 0
        return (
            isinstance(change, Rename)
            or self._keys[change.key] + self._keys[change.parent] + self._parents[change.key] > 0
            or self._dns[change.dn.lower()] > 0
        )

    def _drain(self, to: int) -> None:
        while len(self._waiting) > to:
            msgid, change = self._waiting.popleft()
            result = self._wait(msgid)
            self._keys[change.key] -= 1
            self._parents[change.parent] -= 1
            self._dns[change.dn.lower()] -= 1
            if result.code:
                self._settle(change, result)
            self.done += 1
            self.progress.advance(self.done)

    def _wait(self, msgid: int) -> Result:
        try:
            self.session.connection.result3(msgid, timeout=self.session.endpoint.timeout)
        except ldap.LDAPError as error:
            return self.session.result_of(error)
        return Result(0)

    # -- one change --------------------------------------------------------------------------------------------------

    def _send(self, change: Change, relax: bool = False) -> int:
        connection = self.session.connection
        controls = [*self._controls, control(RELAX)] if relax else [*self._controls]
        if self._in_transaction:
            controls.append(transaction.specification())
        msgid: int
        try:
            match change:
                case Add():
                    attributes = [(name, list(values)) for name, values in change.attributes.items()]
                    msgid = connection.add_ext(change.dn, attributes, serverctrls=controls)
                case Delete():
                    msgid = connection.delete_ext(change.dn, serverctrls=controls)
                case Rename():
                    msgid = connection.rename(
                        change.dn, change.rdn, change.superior or None, int(change.delete_old), serverctrls=controls
                    )
                case Modify():
                    msgid = connection.modify_ext(change.dn, [_wire(mod) for mod in change.mods], serverctrls=controls)
        except ldap.LDAPError as error:
            raise self.session.lost(error) from error
        return msgid

    def _now(self, change: Change, relax: bool = False) -> Result:
        return self._wait(self._send(change, relax))

    def _settle(self, change: Change, result: Result) -> None:
        """What a refusal means for this change."""
        if self._in_transaction and result.code in (_ENTRYS_FAULT | _NOT_AS_BELIEVED):
            self._set_aside(change, str(result))  # the batch is rolled back and done again one by one
            return
        match change:
            case Delete() if result.code == 32:
                return  # gone already: an earlier run did it
            case Modify() if result.code == 69:
                result = self._change_class(change, result)
            case Rename() if result.code == 80:
                result = move_around(self.session, change, self._now)
            case Rename() if result.code in (19, 64, 65):
                other = Rename(change.key, change.parent, change.dn, change.rdn, change.superior, not change.delete_old)
                result = self._now(other)
        if result.code in _NOT_AS_BELIEVED:
            raise Stale(f"{self.session.uri}: {change.dn!r} is not as it was read ({result})")
        if result.no_room:
            raise self.session.full(change.dn, result)
        if result.code in _ENTRYS_FAULT:
            self._set_aside(change, str(result))
        elif result.code == 50:
            raise GuardRefused(
                f"{self.session.uri} lets {self.session.endpoint.bind} not write {change.dn!r} ({result})",
                "Relax needs manage access, everything else write access." if self.mode is Mode.RELAX else "",
            )
        elif result.code:
            raise IncompleteRead(f"{self.session.uri} refused a change of {change.dn!r}: {result}", "Run sync again.")

    def _set_aside(self, change: Change, reason: str) -> None:
        self._failed.add(change.key)
        self.refusals.append(Refusal(change.key, change.dn, reason))

    def _change_class(self, change: Modify, refused: Result) -> Result:
        """Another structural class: Relax may do it in place; an entry without others below is made anew."""
        if self.mode is not Mode.RELAX and self._now(change, relax=True).code == 0:
            return Result(0)
        gone = self._now(Delete(change.key, change.parent, change.dn))
        if gone.code:
            return refused
        return self._now(Add(change.key, change.parent, change.dn, change.entry.attributes))


def _wire(mod: Mod) -> tuple[int, str, list[bytes] | None]:
    return _OPERATIONS[mod.how], mod.name, list(mod.values) or None
