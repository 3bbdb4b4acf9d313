"""One server that `doctor` looks at, behind an endpoint.

Nothing is changed: the one modify request that is sent names an entry that cannot exist, because slapd tells a copy
from a master only by its answer to a write.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from ldaprepl.domain.doctor import Channel, Writes
from ldaprepl.domain.health import Vitals
from ldaprepl.domain.provider import Access
from ldaprepl.protocol import results
from ldaprepl.protocol.requests import Change
from ldaprepl.wire.certificate import not_after
from ldaprepl.wire.endpoint import Endpoint
from ldaprepl.wire.probe import Probe
from ldaprepl.wire.replica import LdapReplica
from ldaprepl.wire.stream import Stream, open_stream

_WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532
_STRONGER_AUTH_REQUIRED: Final = 8
_WRITES: Final = {
    results.NO_SUCH_OBJECT: Writes.TAKEN,
    results.REFERRAL: Writes.REFERRED,
    results.UNWILLING: Writes.READ_ONLY,
    results.INSUFFICIENT_ACCESS: Writes.DENIED,
    _STRONGER_AUTH_REQUIRED: Writes.DENIED,
}


class LdapPatient:
    """A server as the options name it. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint, access: Access, now: Callable[[], datetime]) -> None:
        self.uri = endpoint.uri
        self.access = access
        self._endpoint = endpoint
        self._stream: Stream | None = None
        self._replica = LdapReplica(endpoint, now)

    def connect(self) -> Channel:
        """Raises `ServerUnavailable` with the reason and the cure."""
        begun = time.monotonic()
        self._stream = open_stream(self._endpoint)
        seconds = time.monotonic() - begun
        certificate = self._stream.certificate
        end = not_after(certificate) if certificate else None
        return Channel(self._stream.tls_version, self._stream.certificate_names, end, seconds)

    @property
    def reader(self) -> Probe:
        """The connected server."""
        return Probe(self._connected)

    def whoami(self) -> str | None:
        """An authzId (RFC 4513, section 5.2.1.8), empty for anonymous. Raises what `Stream` raises."""
        result = self._connected.extended(_WHO_AM_I)
        return (result.value or b"").decode("utf-8", "surrogateescape") if result.code == results.SUCCESS else None

    def writes(self, base: str) -> tuple[Writes, str]:
        """Raises what `Stream` raises."""
        nobody = f"cn=ldaprepl-doctor-{secrets.token_hex(16)},{base}"
        result = self._connected.modify(nobody, [Change("replace", "description", ())])
        refers = ", ".join(uri.partition(f"/{nobody[:20]}")[0] for uri in result.referrals)
        return _WRITES.get(result.code, Writes.UNKNOWN), refers

    def vitals(self, base: str) -> Vitals:
        """Never raises: what is not told is left out."""
        self._replica.look(base)
        return self._replica.vitals()

    def close(self) -> None:
        """Let the connections go; never raises."""
        self._replica.close()
        if self._stream is not None:
            self._stream.close()

    @property
    def _connected(self) -> Stream:
        assert self._stream is not None, "connect() comes first"
        return self._stream
