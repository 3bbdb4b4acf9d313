"""One server as `check` watches it: its contextCSN, the changes after a stamp, and its vital signs.

The connection is made when it is first needed, kept between looks, and dropped after any trouble, so that the next look
begins anew. What goes wrong while looking is part of what is seen (`Trouble`), not an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Thread
from typing import TypeVar

from ldaprepl.domain.csn import Csn, CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.health import Criterion, Lacking, Sight, SyncState, Trouble, Vitals
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.errors import CertificateExpired, IncompleteRead, LdapreplError, Refused, ServerUnavailable
from ldaprepl.protocol.requests import SearchRequest, manage_dsa_it
from ldaprepl.protocol.results import ADMIN_LIMIT, NO_SUCH_OBJECT, SUCCESS, name_of
from ldaprepl.wire.certificate import not_after
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.plain import open_socket
from ldaprepl.wire.stream import Stream, open_stream

MOST_CHANGES = 10_000  # changes counted one by one; more are "at least"
# While a consumer applies a change to the suffix entry itself, the entry has no contextCSN for a moment (seen with
# 2.5.13: in half of all looks when that entry was changed all the time). Seconds to wait before the next look:
_MOMENTS = (0.005, 0.01, 0.02, 0.05, 0.1)
_CLOCK = "cn=Current,cn=Time,cn=Monitor"
_DATABASES = "cn=Databases,cn=Monitor"
_SYNCREPL = "(|(objectClass=olmSyncReplInstance)(namingContexts=*))"
_SYNCREPL_ATTRIBUTES = (
    "cn", "namingContexts", "olmSRSyncPhase", "olmSRConnection", "olmSRNextConnect", "olmSRLastContact",
)  # fmt: skip


T = TypeVar("T")
R = TypeVar("R")


class LdapReplica:
    """A server behind an endpoint. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint, now: Callable[[], datetime]) -> None:
        self.endpoint = endpoint
        self.uri = endpoint.uri
        self._now = now
        self._held: Stream | None = None
        self._suffixes: dict[str, str] = {}
        self._contexts: list[str] = []
        self._suffix_seen = ""

    def look(self, base: str) -> Sight:
        """Its contextCSN for the database that holds `base`. UNFINISHED is the trouble when there is none."""
        if self._held is not None:  # kept from an earlier look: the server may have been restarted since
            try:
                return self._look(base)
            except LdapreplError:
                self.close()
        try:
            return self._look(base)
        except LdapreplError as error:
            self.close()
            return Sight(trouble=_trouble(error, self.uri))

    def lacking(self, scope: ReplicationScope, after: Csn | None, upto: Csn) -> Lacking:
        """The entries of `scope` whose last change has the server ID of `upto` and lies in (after, upto].

        `after` None: all up to there are lacking; only the newest is asked for. That nothing is lacking is `complete`
        only where entryCSN is shown. Raises `LdapreplError`.
        """
        if after is None:
            stamps = f"(entryCSN={upto.raw})"
        else:
            stamps = f"(entryCSN>={after.raw})(entryCSN<={upto.raw})(!(entryCSN={after.raw}))"
        from ldaprepl.domain.ldapfilter import bracketed  # only where something is lacking

        request = SearchRequest(
            scope.base,
            scope.scope,
            f"(&{bracketed(scope.filter)}{stamps})",
            ("entryCSN",),
            (manage_dsa_it(),),
            MOST_CHANGES,
        )
        answer = self._stream().ask(request)
        if answer.result.code == ADMIN_LIMIT and not answer.entries:  # our limit is above what we may ask for
            answer = self._stream().search(
                scope.base, scope.scope, request.filter, request.attributes, request.controls
            )
        found = [csn for entry in answer.entries if (csn := _csn(entry)) and _between(csn, after, upto)]
        complete = after is not None and answer.result.code == SUCCESS and all(map(_csn, answer.entries))
        if complete and not answer.entries:  # none match, also where the filter may not look at entryCSN
            request = SearchRequest(scope.base, scope.scope, "(entryCSN=*)", ("entryCSN",), (manage_dsa_it(),), 1)
            complete = any(map(_csn, self._stream().ask(request).entries))
        return Lacking(len(found), min(found, default=None), complete)

    def vitals(self) -> Vitals:
        """Certificate, clock, and the state of its syncrepl stanzas, as far as it tells us. Opens no connection."""
        if self._held is None:
            return Vitals()
        certificate = self._held.certificate
        end = not_after(certificate) if certificate else None
        try:
            return Vitals(end, self._skew(self._held), _syncrepl(self._held, self._suffix_seen))
        except LdapreplError:
            self.close()
            return Vitals(end)

    def value(self, dn: str, name: str) -> tuple[bytes, ...] | None:
        """The values of one attribute of one entry, None when there is no such entry. Raises `LdapreplError`."""
        answer = self._stream().search(dn, attributes=(name,), controls=(manage_dsa_it(),))
        if answer.result.code not in (SUCCESS, NO_SUCH_OBJECT):
            raise IncompleteRead(f"{self.uri} would not show {dn!r} ({name_of(answer.result.code)})")
        return answer.entries[0].values(name) if answer.entries else None

    def write(self, dn: str, name: str, values: tuple[bytes, ...]) -> None:
        """Replace the values of one attribute. Raises `LdapreplError`."""
        result = self._stream().replace(dn, name, values)
        if result.code != SUCCESS:
            text = f": {result.text}" if result.text else ""
            raise IncompleteRead(
                f"{self.uri} would not let {self.endpoint.bind} change {name} of {dn!r} ({name_of(result.code)}{text})"
            )

    def close(self) -> None:
        """Let the connection go; never raises."""
        if self._held is not None:
            self._held.close()
            self._held = None

    # -- inner workings

    def _stream(self) -> Stream:
        if self._held is None:
            self._held = open_stream(self.endpoint, open_socket)
        return self._held

    def _look(self, base: str) -> Sight:
        suffix = self._suffixes.get(base, base)
        values, code = self._context_csn(suffix)
        if not values and base not in self._suffixes:
            self._suffixes[base] = self._suffix(base)
            if self._suffixes[base] != suffix:
                suffix = self._suffixes[base]
                values, code = self._context_csn(suffix)
        for pause in _MOMENTS:
            if values or code != SUCCESS:
                break
            time.sleep(pause)
            values, code = self._context_csn(suffix)
        if values:
            try:
                sight = Sight(CsnSet.parse(values), suffix)
            except ValueError as error:
                return Sight(trouble=Trouble(Criterion.UNREADABLE, f"has a contextCSN that is none: {error}"))
            self._suffix_seen = suffix
            return sight
        who = self.endpoint.bind
        if code == SUCCESS:
            return Sight(trouble=Trouble(Criterion.UNFINISHED, f"shows no contextCSN at {suffix!r} to {who}"))
        if code == NO_SUCH_OBJECT:
            from ldaprepl.domain.nearby import hint

            text = f"has no entry {suffix!r}, or does not show it to {who}"
            meant = hint(suffix, self._contexts).rstrip(". ")
            return Sight(trouble=Trouble(Criterion.UNFINISHED, f"{text}. {meant}" if meant else text))
        return Sight(trouble=Trouble(Criterion.REFUSED, f"would not show {suffix!r} to {who} ({name_of(code)})"))

    def _context_csn(self, dn: str) -> tuple[tuple[bytes, ...], int]:
        """Asked for by name, the live value; a partial replica keeps it on a hidden glue entry, hence ManageDsaIT."""
        answer = self._stream().search(dn, attributes=("contextCSN",), controls=(manage_dsa_it(),))
        return answer.entries[0].values("contextCSN") if answer.entries else (), answer.result.code

    def _suffix(self, base: str) -> str:
        """The naming context that holds `base`: contextCSN stands there and not at the search base."""
        from ldaprepl.domain.dn import context_of

        answer = self._stream().search("", attributes=("namingContexts",))
        values = [value for entry in answer.entries for value in entry.values("namingContexts")]
        self._contexts = [value.decode("utf-8", "surrogateescape") for value in values if value]
        return context_of(base, self._contexts) or base

    def _skew(self, stream: Stream) -> float | None:
        answer = stream.search(_CLOCK, attributes=("monitorTimestamp",))
        told = _time(answer.entries[0].first("monitorTimestamp")) if answer.entries else None
        return None if told is None else (told - self._now()).total_seconds() + 0.5  # whole seconds, cut off


def side_by_side(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The function applied to every item, each in a thread of its own: one slow server must not delay the others."""
    if len(items) < 2:
        return [function(item) for item in items]
    results: dict[int, R] = {}
    failures: list[BaseException] = []

    def run(place: int, item: T) -> None:
        try:
            results[place] = function(item)
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=run, args=pair, daemon=True) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(items))]


def _syncrepl(stream: Stream, suffix: str) -> tuple[SyncState, ...]:
    """The stanzas of the database with this suffix: their entries stand below its own."""
    answer = stream.search(_DATABASES, "sub", _SYNCREPL, _SYNCREPL_ATTRIBUTES)
    ours = [entry.dn for entry in answer.entries if entry.dn != _DATABASES and _holds(entry, suffix)]
    states = [_state(entry) for entry in answer.entries if entry.dn.partition(",")[2] in ours]
    return tuple(sorted(states, key=lambda state: state.rid))


def _holds(entry: Entry, suffix: str) -> bool:
    contexts = [value.decode("utf-8", "surrogateescape").lower() for value in entry.values("namingContexts")]
    return suffix.lower() in contexts


def _state(entry: Entry) -> SyncState:
    name = (entry.first("cn") or b"").decode("utf-8", "replace")
    return SyncState(
        rid=name.removeprefix("Consumer "),
        phase=(entry.first("olmSRSyncPhase") or b"").decode("utf-8", "replace"),
        connected=bool(entry.first("olmSRConnection")),
        next_connect=_time(entry.first("olmSRNextConnect")),
        last_contact=_time(entry.first("olmSRLastContact")),
    )


def _time(value: bytes | None) -> datetime | None:
    """GeneralizedTime as cn=monitor writes it; its zero is no time."""
    try:
        return datetime.strptime((value or b"").decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _csn(entry: Entry) -> Csn | None:
    try:
        return Csn.parse(entry.csn or "")
    except ValueError:
        return None


def _between(csn: Csn, after: Csn | None, upto: Csn) -> bool:
    return csn.sid == upto.sid and csn <= upto and (after is None or csn > after)


def _trouble(error: LdapreplError, uri: str) -> Trouble:
    criterion = Criterion.UNREADABLE
    if isinstance(error, CertificateExpired):
        criterion = Criterion.CERTIFICATE
    elif isinstance(error, Refused):
        criterion = Criterion.REFUSED
    elif isinstance(error, (ServerUnavailable, IncompleteRead)):
        criterion = Criterion.UNREACHABLE
    text = error.message.removeprefix(uri).removeprefix(":").strip()
    return Trouble(criterion, text, error.cure)
