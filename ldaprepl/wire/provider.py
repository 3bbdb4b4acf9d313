"""The master, read with python-ldap: its sync service if it has one, plain searches if not.

Whether there is a sync service is found by asking: the root DSE lists the control where it does not work and hides it
where it does (2.2). First critical, as it should be; where that is refused (12, 53) not critical, as 2.2 wants it, and
then only a Sync Done control counts as an answer. Everything is asked with ManageDsaIT and without following aliases,
and never in pages: a paged sync search ends its first page with a cookie for everything.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ldaprepl.domain.change import STAMPS
from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.dn import context_of
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldapfilter import bracketed, escape
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.refresh import NO_SUCH_OBJECT, SUCCESS, UNAVAILABLE_CRITICAL, NoSync, Outcome, Refresh
from ldaprepl.domain.scope import ReplicationScope, Scope
from ldaprepl.domain.syncrun import Listed
from ldaprepl.errors import UNCHANGED, GuardRefused, IncompleteRead, ProtocolViolation
from ldaprepl.ports import Progress
from ldaprepl.protocol import syncrepl
from ldaprepl.protocol.requests import ONLY_SUBENTRIES, OWN_SUBENTRIES, SUBENTRIES
from ldaprepl.protocol.syncrepl import State
from ldaprepl.wire.session import MANAGE_DSA_IT, Message, Result, Session, control

LISTED = ("entryUUID", "entryCSN", "modifyTimestamp")
_REFERRAL = 10
_OUTSTANDING = 100  # searches; slapd closes a connection with more than 1,000
_UUIDS_A_FILTER = 50
_PROGRESS_EVERY = 200


@dataclass(frozen=True, slots=True)
class Service:
    """How the sync control must be sent. `critical` None: there is no service."""

    critical: bool | None
    why: str


class Provider:
    """The provider within one replication scope."""

    def __init__(self, session: Session, scope: ReplicationScope) -> None:
        self.session, self.scope = session, scope
        self._service: Service | None = None
        extra = () if "+" in scope.attrs else STAMPS
        classes = () if {"*", "objectclass"} & {name.lower() for name in scope.attrs} else ("objectClass",)
        self._attributes = (*scope.attrs, *classes, *extra)
        self._manage = control(MANAGE_DSA_IT, critical=False)

    @property
    def uri(self) -> str:
        return self.session.uri

    @property
    def identity(self) -> str:
        """Who we are there; an answer depends on it."""
        return str(self.session.endpoint.bind)

    # -- what it says of itself --------------------------------------------------------------------------------------

    def context_csn(self) -> CsnSet:
        """The live contextCSN, asked for by name (`+` gives a stale one); 2.2 keeps it in a subentry. Empty: unseen."""
        suffix = suffix_of(self.session, self.scope.base)
        for dn in (suffix, f"cn=ldapsync,{suffix}"):
            entry = self.session.read(dn, ("contextCSN",))
            values = entry.values("contextCSN") if entry else ()
            if values:
                try:
                    return CsnSet.parse(values)
                except ValueError:
                    return CsnSet()
        return CsnSet()

    def contexts(self) -> tuple[str, ...]:
        """Its naming contexts below the base: a search from the base need not show what is in them."""
        root = self.session.read("", ("namingContexts",))
        named = [value.decode("utf-8", "replace") for value in (root.values("namingContexts") if root else ())]
        base = self.scope.base.lower()
        below = (name for name in named if Schema.EMPTY.is_below(name.lower(), base))
        return tuple(name for name in below if Schema.EMPTY.dn_key(name.lower()) != Schema.EMPTY.dn_key(base))

    def shows(self, attribute: str) -> bool:
        """Whether any entry of the scope shows this attribute to this identity."""
        return count(self.session, self.scope, self.scope.base, attribute, limit=1) > 0

    def schema(self) -> Schema:
        """The published schema; empty where it is hidden."""
        return read_schema(self.session)[0]

    def service(self) -> Service:
        """Probe for the sync service, once."""
        if self._service is None:
            self._service = self._probe()
        return self._service

    def _probe(self) -> Service:
        root = self.session.read("", ("vendorName",))
        vendor = (root.first("vendorName") if root else b"") or b""
        if b"389" in vendor:
            return Service(None, "389 DS numbers its sync answers by nsUniqueId and never completes a list")
        refusals = []
        for critical in (True, False):
            asked = self._ask_sync(Scope.BASE, ("1.1",), None, critical)
            result = next(each for each in self.session.messages(asked) if isinstance(each, Result))
            if result.code == 0 and syncrepl.DONE in dict(result.controls):
                words = "the provider answers sync requests"
                return Service(critical, words if critical else f"{words} when not critical, as slapd 2.2 does")
            if result.code == _REFERRAL:
                where = " ".join(result.text.split()[1:]) or "another server"
                raise GuardRefused(
                    f"{self.uri} does not hold {self.scope.base!r} (any more) and refers to {where}",
                    f"{UNCHANGED} Give that server as --provider if the tree has moved there.",
                )
            if result.code == 32:
                raise IncompleteRead(
                    f"{self.uri} has no entry {self.scope.base!r}, or hides it from {self.identity}",
                    f"{UNCHANGED} Check --base and this identity's read access.",
                )
            refusals.append(str(result) if result.code else "ignored")
            if result.code not in (12, 53):
                break
        return Service(None, f"the provider has no sync service ({refusals[0]})")

    # -- the sync service --------------------------------------------------------------------------------------------

    def _ask_sync(self, scope: Scope, attributes: Sequence[str], cookie: SyncCookie | None, critical: bool) -> int:
        sync = control(
            syncrepl.REQUEST, syncrepl.encode_request(cookie.render() if cookie else None), critical=critical
        )
        return self.session.search(self.scope.base, scope, self.scope.filter, attributes, [sync, self._manage])

    def refresh(self, cookie: SyncCookie | None, progress: Progress) -> Outcome:
        """A whole refreshOnly session. Raises what `Refresh.finish` raises, and `ServerUnavailable`."""
        coming = self.refreshing(cookie)
        for number, _ in enumerate(coming):
            if number % _PROGRESS_EVERY == 0:
                progress.advance(number)
        return coming.outcome()

    def refreshing(self, cookie: SyncCookie | None) -> Refreshing:
        """The same as it comes. Raises `NoSync`."""
        service = self.service()
        if service.critical is None:
            raise NoSync(service.why)
        asked = self._ask_sync(self.scope.scope, self._attributes, cookie, service.critical)
        return Refreshing(self.session, asked, Refresh(cookie))

    # -- plain searches ----------------------------------------------------------------------------------------------

    def listing(self) -> Iterator[Listed]:
        """Identity and age of every entry of the scope. Raises `IncompleteRead` unless it is all of them."""
        yield from listing(self.session, self.scope, self.scope.base)
        yield from map(listed, subentries(self.session, self.scope, self.scope.base, LISTED))

    def read_all(self) -> Iterator[Entry]:
        """Every entry of the scope, whole."""
        asked = self.session.search(
            self.scope.base, self.scope.scope, self.scope.filter, self._attributes, [self._manage]
        )
        yield from self.session.bulk(asked, "the search")
        yield from self.subentries()

    def subentries(self) -> Iterator[Entry]:
        """The subentries of the scope, whole: neither a search nor a sync session shows them."""
        return subentries(self.session, self.scope, self.scope.base, self._attributes)

    def fetch(self, dns: Sequence[str]) -> Iterator[Entry | None]:
        """Single entries in the order of `dns`; None where there is none in the scope (any more)."""
        return fetch(self.session, dns, self._attributes, self.scope.filter)

    def which_exist(self, uuids: Sequence[str]) -> set[str]:
        """Those of the entryUUIDs that the provider has in the scope."""
        return {entry.uuid for entry in self._by_uuid(uuids, ("entryUUID",)) if entry.uuid}

    def by_uuid(self, uuids: Sequence[str]) -> Iterator[Entry]:
        """The entries with these entryUUIDs, whole."""
        return self._by_uuid(uuids, self._attributes)

    def _by_uuid(self, uuids: Sequence[str], attributes: Sequence[str]) -> Iterator[Entry]:
        for start in range(0, len(uuids), _UUIDS_A_FILTER):
            part = "".join(f"(entryUUID={escape(uuid)})" for uuid in uuids[start : start + _UUIDS_A_FILTER])
            where = f"(&{bracketed(self.scope.filter)}(|{part}))"
            asked = self.session.search(self.scope.base, self.scope.scope, where, attributes, [self._manage])
            yield from self.session.bulk(asked, "a search by entryUUID")


class Refreshing:
    """A refreshOnly session on its way: its entries as they come, then the `outcome`."""

    def __init__(self, session: Session, asked: int, machine: Refresh) -> None:
        self._session, self._asked, self._machine = session, asked, machine
        self._outcome: Outcome | None = None

    def __iter__(self) -> Generator[tuple[str, Entry | None], None, None]:
        """UUID and entry; without entry for what is only listed. Raises what `Refresh.finish` raises, and
        `ServerUnavailable`. Closed early, the rest of the answer is abandoned."""
        try:
            for number, message in enumerate(self._session.messages(self._asked)):
                if isinstance(message, Result):
                    self._outcome = self._end(message, number)
                    return
                yield _feed(self._machine, message)
        except GeneratorExit:
            self._session.abandon(self._asked)
            raise

    def _end(self, result: Result, number: int) -> Outcome:
        if result.code in (3, 4, 11):
            raise self._session.incomplete(result, "the refresh", number)
        controls = dict(result.controls)
        done = syncrepl.decode_done(controls[syncrepl.DONE]) if syncrepl.DONE in controls else None
        return self._machine.finish(result.code, result.text, (done.cookie, done.refresh_deletes) if done else None)

    def taken(self, uuid: str, entry: Entry) -> None:
        """This entry need not be in the outcome: it is carried out already."""
        self._machine.taken(uuid, entry)

    def outcome(self) -> Outcome:
        """What it all means, once everything has come."""
        if self._outcome is None:
            raise ProtocolViolation(f"{self._session.uri} sent no result")
        return self._outcome


def _feed(machine: Refresh, message: Message) -> tuple[str, Entry | None]:
    """Tell the machine; the UUID and the entry that the message held, if any."""
    if message.kind == "info":
        if message.name in ("", syncrepl.INFO):
            info = syncrepl.decode_info(message.value)
            if info.uuids is not None:
                machine.id_set(info.uuids, info.refresh_deletes)
        return "", None
    value = dict(message.controls).get(syncrepl.STATE)
    if value is None:
        raise NoSync("the provider sent an entry without Sync State control: it does not know the sync control")
    state = syncrepl.decode_state(value)
    if message.entry is None or state.state is State.PRESENT:
        machine.present(state.uuid)
    elif state.state is State.DELETE:
        machine.delete(state.uuid)
    else:
        machine.entry(state.uuid, message.entry)
        return state.uuid, message.entry
    return state.uuid, None


def listing(session: Session, scope: ReplicationScope, base: str) -> Iterator[Listed]:
    """Identity and age of every entry of `scope` at `base`. Raises `IncompleteRead` unless it is all of them."""
    manage: Any = control(MANAGE_DSA_IT, critical=False)
    asked = session.search(base, scope.scope, scope.filter, LISTED, [manage])
    yield from map(listed, session.bulk(asked, "the listing"))


def listed(entry: Entry) -> Listed:
    """A line of a listing."""
    stamp = entry.csn or (entry.first("modifyTimestamp") or b"").decode("ascii", "replace")
    return Listed(entry.dn, entry.uuid, stamp)


def subentries(session: Session, scope: ReplicationScope, base: str, attributes: Sequence[str]) -> Iterator[Entry]:
    """The subentries (RFC 3672) of `scope` at `base`; none where the server cannot be asked for them. 2.2's own, which
    hold its contextCSN, are left out."""
    root = session.read("", ("supportedControl",))
    if root is None or SUBENTRIES.encode() not in root.values("supportedControl"):
        return
    where = f"(&{bracketed(scope.filter)}(objectClass=subentry)(!{OWN_SUBENTRIES}))"
    controls = [control(SUBENTRIES, ONLY_SUBENTRIES), control(MANAGE_DSA_IT, critical=False)]
    held, result = session.entries(session.search(base, scope.scope, where, attributes, controls))
    if result.code not in (SUCCESS, NO_SUCH_OBJECT, UNAVAILABLE_CRITICAL):
        raise session.incomplete(result, "the search for subentries", len(held))
    yield from held


def count(session: Session, scope: ReplicationScope, base: str, attribute: str, limit: int = 0) -> int:
    """How many entries of `scope` at `base` have `attribute`; counted up to `limit`. Raises `IncompleteRead`."""
    where = f"(&{bracketed(scope.filter)}({attribute}=*))"
    manage: Any = control(MANAGE_DSA_IT, critical=False)
    asked = session.search(base, scope.scope, where, ("1.1",), [manage])
    number = 0
    for _ in session.bulk(asked, "the count"):
        number += 1
        if number == limit:
            session.abandon(asked)
            break
    return number


def fetch(session: Session, dns: Sequence[str], attributes: Sequence[str], filter_: str) -> Iterator[Entry | None]:
    """Many base searches, a window of them under way at once. Only 0 and 32 are answers."""
    manage: Any = control(MANAGE_DSA_IT, critical=False)
    waiting: list[int] = []
    for number in range(len(dns) + _OUTSTANDING):
        if number < len(dns):
            waiting.append(session.search(dns[number], Scope.BASE, filter_, attributes, [manage]))
        if number >= _OUTSTANDING and waiting:
            yield _one(session, waiting.pop(0))
    while waiting:
        yield _one(session, waiting.pop(0))


def _one(session: Session, msgid: int) -> Entry | None:
    held, result = session.entries(msgid)
    if result.code not in (0, 32):
        raise session.incomplete(result, "the read of an entry", 0)
    return held[0] if held else None


def suffix_of(session: Session, base: str) -> str:
    """The naming context that holds `base`; `base` itself when none is shown."""
    root = session.read("", ("namingContexts",))
    contexts = [value.decode("utf-8", "replace") for value in (root.values("namingContexts") if root else ())]
    return context_of(base, contexts) or base


def read_schema(session: Session) -> tuple[Schema, Entry | None]:
    """The schema and the subschema entry it comes from."""
    root = session.read("", ("subschemaSubentry",))
    value = root.first("subschemaSubentry") if root else None
    where = value.decode("utf-8", "replace") if value else "cn=Subschema"
    entry = session.read(where, ("attributeTypes", "objectClasses"), "(objectClass=*)")
    if entry is None:
        return Schema.EMPTY, None
    return Schema.parse(entry.values("attributeTypes"), entry.values("objectClasses")), entry
