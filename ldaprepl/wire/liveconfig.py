"""The cn=config of a running server behind a bound stream (`ports.LiveConfig`): read whole, changed entry by entry."""

from __future__ import annotations

from ldaprepl.domain.configdiff import ConfigChange
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
        values = [(each, tuple(map(_octets, each.values))) for each in change.modifications]
        if change.new:
            result = self._stream.add(change.dn, [(each.name, held) for each, held in values])
        else:
            result = self._stream.modify(change.dn, [Change(each.operation, each.name, held) for each, held in values])
        if result.code != results.SUCCESS:
            said = f": {result.text}" if result.text else ""
            names = ", ".join(dict.fromkeys(each.name for each in change.modifications))
            what = f"add {change.dn}" if change.new else f"change {names} of {change.dn}"
            raise GuardRefused(
                f"{self.uri} refused to {what} ({results.name_of(result.code)}{said})",
                f"{_hint(result.text)}What was changed before it stays; run again after mending the cause.",
            )


def _hint(text: str) -> str:
    """For the refusal that nearly everybody meets."""
    if "olcDbDirectory" in text:
        return "The folder must exist at the server and belong to slapd's user (mkdir -m 700, chown openldap:). "
    if "olcModuleLoad" in text:
        return 'Give the folder of its modules with --module-dir, or "" where all is built in. '
    return ""


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
