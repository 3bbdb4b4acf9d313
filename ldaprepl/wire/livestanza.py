"""The stanzas of a running consumer as a way to its providers: whom it asks, as whom, for what.

"The stanza is the configuration of the check": read from live cn=config, with the stanza's own identity and TLS, so
that what is looked at is what the consumer itself can see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ldaprepl.domain import cnconfig
from ldaprepl.domain.config import Section
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza
from ldaprepl.errors import UsageError
from ldaprepl.protocol.results import SUCCESS, name_of
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Simple, Tls
from ldaprepl.wire.plain import open_socket
from ldaprepl.wire.stream import open_stream

_DATABASES = "(|(objectClass=olcGlobal)(olcDatabase=*))"


@dataclass(frozen=True, slots=True)
class Way:
    """What one server's stanzas lead to. `peer`: the server is a provider too (multi-provider replication)."""

    scope: ReplicationScope
    providers: tuple[Endpoint, ...]
    peer: bool


def read(consumer: Endpoint, base: str = "") -> Way:
    """The way from the consumer's cn=config; `base` chooses where there are several databases.

    Raises `UsageError` when there is no stanza or more than one base, `LdapreplError` when it cannot be read.
    """
    with open_stream(consumer, open_socket) as stream:
        answer = stream.search("cn=config", "sub", _DATABASES, ("*",))
    if answer.result.code != SUCCESS or not answer.entries:
        raise UsageError(
            f"{consumer.uri} does not show cn=config to {consumer.bind} ({name_of(answer.result.code)})",
            "Ask as root over ldapi:/// with --sasl EXTERNAL, or give --provider and --base.",
        )
    configuration = cnconfig.from_entries(((entry.dn, entry.attributes) for entry in answer.entries), consumer.uri)
    found = [(section, stanza) for section, stanza in configuration.stanzas if _wanted(stanza, base)]
    bases = {stanza.searchbase.lower(): stanza.searchbase for _, stanza in found}
    if not found:
        raise UsageError(f"{consumer.uri} has no syncrepl stanza" + (f" for {base}" if base else ""))
    if len(bases) > 1:
        raise UsageError(f"{consumer.uri} replicates several bases", f"Choose with --base: {', '.join(bases.values())}")
    stanzas = [stanza for _, stanza in found]
    return Way(stanzas[0].replication_scope, _providers(stanzas, consumer.timeout), _is_peer(found[0][0]))


def _wanted(stanza: Stanza, base: str) -> bool:
    return not base or stanza.searchbase.lower() == base.lower()


def _is_peer(section: Section) -> bool:
    return any(section.first(name).upper() in ("TRUE", "ON") for name in ("multiprovider", "mirrormode"))


def _providers(stanzas: Sequence[Stanza], timeout: float) -> tuple[Endpoint, ...]:
    endpoints = {stanza.provider: endpoint(stanza, timeout) for stanza in stanzas}
    return tuple(endpoints.values())


def endpoint(stanza: Stanza, timeout: float) -> Endpoint:
    """The provider of one stanza as the consumer reaches it. Raises `UsageError` for what cannot be followed.

    A stanza that sends its password in the clear is followed: the consumer does so all the time.
    """
    return Endpoint(stanza.provider, _bind(stanza), _tls(stanza), timeout).checked()


def _bind(stanza: Stanza) -> Bind:
    if stanza.bindmethod == "sasl":
        mechanism = _text(stanza, "saslmech").upper()
        if mechanism != "EXTERNAL":
            raise UsageError(
                f"the stanza for {stanza.provider} binds with SASL {mechanism}, which cannot be followed",
                "Give --provider and an identity of your own.",
            )
        return External(_text(stanza, "authzid"))
    if not stanza.binddn or stanza.bindmethod == "none":
        return Anonymous()
    return Simple(stanza.binddn, stanza.credentials or Secret(""))


def _tls(stanza: Stanza) -> Tls:
    return Tls(
        starttls=True if stanza.starttls != "no" else None,
        cacert=_path(stanza, "tls_cacert"),
        cert=_path(stanza, "tls_cert"),
        key=_path(stanza, "tls_key"),
        verify=(_text(stanza, "tls_reqcert").lower() or "demand") in ("demand", "hard", "true"),
        allow_cleartext=True,
    )


def _path(stanza: Stanza, name: str) -> Path | None:
    text = _text(stanza, name)
    return Path(text) if text else None


def _text(stanza: Stanza, name: str) -> str:
    value = stanza.get(name)
    return value if isinstance(value, str) else ""
