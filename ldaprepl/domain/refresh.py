"""One refreshOnly session (RFC 4533, section 3.3) as a machine: messages in, and at a proven end, what they mean.

Nothing can be had from it before `finish`, because the deletes come first on the wire, also when the search then
fails, and a cookie in the middle is ahead of the entries that follow it. Only a result of 0 *with* a Sync Done control
is an end. Whether the answer was everything is decided from what we asked, never from refreshDeletes: slapd sets it on
complete answers too, 389 DS never does, and 2.2 leaves it out when nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ldaprepl.domain.cookie import SyncCookie
from ldaprepl.domain.entry import Entry
from ldaprepl.errors import UNCHANGED, IncompleteRead, LdapreplError, ProtocolViolation

SUCCESS, SIZE_LIMIT, UNAVAILABLE_CRITICAL, NO_SUCH_OBJECT, UNWILLING = 0, 4, 12, 32, 53
REFRESH_REQUIRED = (4096, 0x4100)  # RFC 4533; 2.2's private value


class NoSync(LdapreplError):
    """There is no sync service here: the control was refused, or ignored without a word (2.0, 2.1)."""


class RefreshRequired(LdapreplError):
    """The cookie is of no use to the provider: ask again without it."""


class ProviderWentBack(RefreshRequired):
    """The provider says that our state is newer than its own: it crashed or was restored from an older copy."""


class Kind(StrEnum):
    """What the answer says about entries it does not mention."""

    UNCHANGED = "unchanged"  # they stay; nothing at all has changed
    DELTA = "delta"  # they stay; `deleted` names those that go
    PRESENT = "present"  # they go: `keep` is complete
    FULL = "full"  # they go: we asked without a cookie
    DOUBTFUL = "doubtful"  # nothing follows: a list of all must be fetched by other means


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole session. Keys are entryUUIDs. `cookie` None: keep the old one."""

    kind: Kind
    received: dict[str, Entry]
    keep: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    cookie: SyncCookie | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Refresh:
    """The machine. `sent` is the cookie that went out with the request."""

    sent: SyncCookie | None
    _received: dict[str, Entry] = field(default_factory=dict)
    _present: set[str] = field(default_factory=set)
    _deleted: set[str] = field(default_factory=set)
    _sets: int = 0

    def entry(self, uuid: str, entry: Entry) -> None:
        """An entry with state add or modify; the last one of a uuid wins, and an entry wins over a delete."""
        own = entry.uuid
        if own is not None and own != uuid:
            raise NoSync(
                f"the provider's sync service knows {entry.dn!r} by another UUID than its entryUUID (389 DS does so)"
            )
        self._received[uuid] = entry

    def taken(self, uuid: str, entry: Entry) -> None:
        """This entry is carried out already: that it is there is all that has to be remembered, unless it has come
        once more since then."""
        self._present.add(uuid)
        if self._received.get(uuid) is entry:
            del self._received[uuid]

    def present(self, uuid: str) -> None:
        """An entry with state present, or a reference that stands for one."""
        self._present.add(uuid)

    def delete(self, uuid: str) -> None:
        """An entry with state delete (2.2 with a session log)."""
        self._deleted.add(uuid)

    def id_set(self, uuids: tuple[str, ...], deletes: bool) -> None:
        """A syncIdSet. The cookie that may come with it is not asked for: storing it loses updates."""
        if deletes:
            self._deleted.update(uuids)
        else:
            self._sets += 1
            self._present.update(uuids)

    def finish(self, code: int, text: str, done: tuple[str | None, bool] | None) -> Outcome:
        """The search result; `done` is cookie and refreshDeletes of the Sync Done control, None without one.

        Raises `NoSync`, `RefreshRequired`, `ProviderWentBack`, `IncompleteRead`.
        """
        words = f" ({code}{': ' + text if text else ''})"
        if code in REFRESH_REQUIRED:
            raise RefreshRequired(f"the provider asks for a complete refresh{words}")
        if code == UNWILLING and self.sent is not None:
            raise ProviderWentBack(f"the provider is older than what it gave before{words}")
        if code == UNAVAILABLE_CRITICAL:
            raise NoSync(f"the provider has no sync service{words}")
        if code == NO_SUCH_OBJECT:
            raise IncompleteRead(
                f"the provider has no entry at the base, or hides it{words}",
                f"{UNCHANGED} Check --base and this identity's read access.",
            )
        if code != SUCCESS:
            raise IncompleteRead(f"the refresh did not come to its end{words}", UNCHANGED)
        if done is None:
            raise NoSync("the provider answered without a Sync Done control: it does not know the sync control")
        return self._outcome(done[0], done[1])

    def _outcome(self, raw: str | None, deletes: bool) -> Outcome:
        cookie = SyncCookie.parse(raw)
        keep = frozenset(self._present | self._received.keys())
        notes: tuple[str, ...] = ()
        if raw and cookie is None:
            notes = (f"the provider's cookie {raw[:60]!r} cannot be resumed from: the next run is a complete one",)
        if self.sent is None:
            return Outcome(Kind.FULL, self._received, keep, cookie=cookie, notes=notes)
        moved = cookie is not None and cookie.csns != self.sent.csns
        if not moved and not self._received and not self._sets and not self._deleted:
            # 2.2 says so with its cookie and without refreshDeletes, 2.3 and later with refreshDeletes and no cookie
            return Outcome(Kind.UNCHANGED, {}, notes=notes)
        if deletes:
            gone = frozenset(self._deleted - self._received.keys() - self._present)
            return Outcome(Kind.DELTA, self._received, deleted=gone, cookie=cookie, notes=notes)
        if not self._sets or cookie is None or not moved:
            return Outcome(Kind.DOUBTFUL, self._received, keep, cookie=cookie, notes=notes)
        return Outcome(Kind.PRESENT, self._received, keep, cookie=cookie, notes=notes)


__all__ = [
    "IncompleteRead", "Kind", "NoSync", "Outcome", "ProtocolViolation", "ProviderWentBack", "Refresh",
    "RefreshRequired",
]  # fmt: skip
