"""The cn=config of a running server behind a bound stream (`ports.LiveConfig`): read whole, changed entry by entry."""

from __future__ import annotations

from ldaprepl.domain.applyplan import ConfigChange
from ldaprepl.domain.entry import Entry
from ldaprepl.errors import GuardRefused, IncompleteRead
from ldaprepl.protocol import results
from ldaprepl.protocol.requests import Change
from ldaprepl.wire.stream import Stream

_CONFIG = "cn=config"


class StreamConfig:
    """Asks one server. Raises what `Stream` raises, too."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    @property
    def uri(self) -> str:
        return self._stream.uri

    def entries(self) -> list[Entry]:
        answer = self._stream.search(_CONFIG, "sub")
        if answer.result.code != results.SUCCESS or not answer.entries:
            who = self._stream.endpoint.bind
            raise IncompleteRead(
                f"{self.uri} does not show {_CONFIG} to {who} ({results.name_of(answer.result.code)})",
                "Run as root with ldapi:///, or name the rootdn of cn=config with --consumer-bind-dn. "
                "A server that runs with slapd.conf has none that lasts.",
            )
        return answer.entries

    def change(self, change: ConfigChange) -> None:
        sent = [
            Change(each.operation, each.name, tuple(value.encode("utf-8", "surrogateescape") for value in each.values))
            for each in change.modifications
        ]
        result = self._stream.modify(change.dn, sent)
        if result.code != results.SUCCESS:
            said = f": {result.text}" if result.text else ""
            names = ", ".join(dict.fromkeys(each.name for each in change.modifications))
            raise GuardRefused(
                f"{self.uri} refused to change {names} of {change.dn} ({results.name_of(result.code)}{said})",
                "What was changed before it stays; run again after mending the cause.",
            )
