"""A provider that is looked at before anything is set up (`ports.DirectoryReader`), behind a bound stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ldaprepl.domain.provider import Outcome
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.ports import Count, Look
from ldaprepl.protocol import results
from ldaprepl.protocol.frames import Op
from ldaprepl.protocol.messages import decode_result
from ldaprepl.protocol.requests import SYNC_DONE, SearchRequest, manage_dsa_it, sync_request
from ldaprepl.wire.stream import Stream

_OUTCOMES: Final = {
    results.SUCCESS: Outcome.SUCCESS,
    results.NO_SUCH_OBJECT: Outcome.NO_SUCH_OBJECT,
    results.SIZE_LIMIT: Outcome.SIZE_LIMIT,
    results.ADMIN_LIMIT: Outcome.SIZE_LIMIT,
    results.TIME_LIMIT: Outcome.TIME_LIMIT,
    results.REFERRAL: Outcome.REFERRAL,
}


class Probe:
    """Asks one server. Raises what `Stream` raises."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def uri(self) -> str:
        return self._stream.uri

    def look(
        self, base: str, attributes: Sequence[str] = ("1.1",), filter: str = MATCH_ALL, *, sync: bool = False
    ) -> Look:
        # The sync request must not be critical: a 2.2 provider works and yet refuses the critical form.
        control = sync_request(critical=False) if sync else manage_dsa_it()
        answer = self._stream.search(base, "base", filter, attributes, (control,))
        result = answer.result
        return Look(
            entry=answer.entries[0] if answer.entries else None,
            outcome=_OUTCOMES.get(result.code, Outcome.REFUSED),
            matched=result.matched,
            referral=", ".join(result.referrals),
            text=result.text,
            sync_done=SYNC_DONE in result.controls,
        )

    def count(self, scope: ReplicationScope, filter: str, watch: Callable[[int], None], sample: int = 0) -> Count:
        self._stream.start(SearchRequest(scope.base, scope.scope, filter, ("1.1",), (manage_dsa_it(),)))
        entries = 0
        names: list[str] = []
        while True:
            batch = self._stream.receive()
            entries += len(batch.entries)
            names += [dn.decode("utf-8", "surrogateescape") for dn, _ in batch.entries[: sample - len(names)]]
            watch(entries)
            for message in batch.messages:
                if message.op == Op.SEARCH_DONE:
                    outcome = _OUTCOMES.get(decode_result(message).code, Outcome.REFUSED)
                    return Count(entries, outcome, tuple(names))
