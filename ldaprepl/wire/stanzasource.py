"""Existing syncrepl stanzas as ways to their providers: whom a consumer asks, as whom, for what.

"The stanza is the configuration of the check": a slapd.conf, a slapd.d folder, LDIF of cn=config or the live cn=config
of a running consumer is read, and each stanza gives provider, scope, identity and TLS as the consumer itself uses them.
A stanza that cannot be followed says why (`Way.problem`) and leaves the others alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ldaprepl.domain import cnconfig
from ldaprepl.domain.config import Configuration, Section, Setting
from ldaprepl.domain.mechanism import SCRAM, TICKET
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.words import Place
from ldaprepl.errors import LdapreplError, UsageError
from ldaprepl.protocol.filters import encode_filter
from ldaprepl.protocol.results import SUCCESS, name_of
from ldaprepl.wire.endpoint import Anonymous, Bind, Endpoint, External, Sasl, Simple, Tls, parse_uri
from ldaprepl.wire.plain import open_socket
from ldaprepl.wire.stream import open_stream

if TYPE_CHECKING:
    from ldaprepl.domain.lint_source import Source

_DATABASES = "(|(objectClass=olcGlobal)(olcDatabase=*))"
_PEER = "gidnumber=0+uidnumber=0,cn=peercred,cn=external,cn=auth"
_LIVE = re.compile(r"ldap[si]?://", re.IGNORECASE)
_OPTIONS = {
    "bind_dn": "binddn", "password": "credentials", "sasl": "saslmech", "authzid": "authzid", "starttls": "starttls",
    "cacert": "tls_cacert", "cacertdir": "tls_cacertdir", "cert": "tls_cert", "key": "tls_key",
    "tls_reqcert": "tls_reqcert", "scope": "scope", "filter": "filter", "attrs": "attrs", "exattrs": "exattrs",
    "suffixmassage": "suffixmassage",
}  # fmt: skip
_RID = re.compile(r"(?s)(.+)#(\d{1,3})")


@dataclass(frozen=True, slots=True)
class SourceName:
    """`SOURCE[#RID]` taken apart."""

    text: str
    rid: int | None = None

    @classmethod
    def parse(cls, text: str) -> SourceName:
        """A file whose name ends like that wins over the reading as a number."""
        found = _RID.fullmatch(text)
        if not found or (not _LIVE.match(text) and Path(text).exists()):
            return cls(text)
        return cls(found[1], int(found[2]))

    @property
    def live(self) -> bool:
        """Whether it is a running server."""
        return _LIVE.match(self.text) is not None


@dataclass(frozen=True, slots=True)
class Way:
    """Where one stanza leads.

    `provider` is None where it cannot be followed, and `problem` says why. `peer`: the database takes writes too
    (multi-provider replication). `suffix` is the database's first naming context. `open`: the consumer's own access
    rules show all of it to root over ldapi.
    """

    stanza: Stanza
    place: Place | None
    rid: int | None
    uri: str
    scope: ReplicationScope
    provider: Endpoint | None = None
    problem: LdapreplError | None = None
    peer: bool = False
    suffix: str = ""
    open: bool = False

    @property
    def origins(self) -> dict[str, str]:
        """Where each value stands, by the option that means the same."""
        found = {"uri": self.stanza.all("provider"), "base": self.stanza.all("searchbase")}
        found |= {option: self.stanza.all(keyword) for option, keyword in _OPTIONS.items()}
        return {option: str(held[-1].place or self.place) for option, held in found.items() if held}


@dataclass(frozen=True, slots=True)
class Instead:
    """What the command line says instead of the stanzas; None: nothing. `timeout` is in seconds."""

    timeout: float
    starttls: bool | None = None
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool | None = None


def read_live(server: Endpoint) -> Configuration:
    """The databases of a running server. Raises `UsageError` when this identity may not see them, `LdapreplError`."""
    with open_stream(server, open_socket) as stream:
        answer = stream.search("cn=config", "sub", _DATABASES, ("*",))
    if answer.result.code != SUCCESS or not answer.entries:
        raise UsageError(
            f"{server.uri} does not show cn=config to {server.bind} ({name_of(answer.result.code)})",
            "Ask as root over ldapi:/// (SASL EXTERNAL), or give --provider and --base. A server that runs with "
            "slapd.conf has no cn=config that is worth reading: give the file with --stanza.",
        )
    return cnconfig.from_entries(((entry.dn, entry.attributes) for entry in answer.entries), server.uri)


def read_file(name: str) -> Configuration:
    """A slapd.conf, a slapd.d folder, or LDIF of cn=config. Raises `UsageError`."""
    from ldaprepl.wire.configsource import ConfigReader

    def nobody(uri: str) -> Endpoint:
        raise UsageError(f"{uri} is no file")

    source: Source = ConfigReader(nobody).read(name)
    return source.configuration


def ways(configuration: Configuration, instead: Instead) -> Iterator[Way]:
    """Every stanza in order, whether it can be followed or not."""
    top = configuration.sections[0]
    front = next((section for section in configuration.databases if section.type == "frontend"), top)
    for section, stanza in configuration.stanzas:
        rules = section.all("access") or front.all("access") or top.all("access")
        yield replace(_way(stanza, section, top, instead), open=_is_open(section, rules))


def own_uris(configuration: Configuration, hostname: str) -> frozenset[str]:
    """The URI among those of serverID that is this machine's own, where just one is: nodes that replicate each other
    often share one configuration, and slapd leaves the stanza that names itself out (slapd.conf(5), serverID).
    """
    every = {word for setting in configuration.sections[0].all("serverid") for word in setting.words[1:]}
    ours = {uri for uri in every if _is_host(uri, hostname.lower())}
    return frozenset(ours if len(ours) == 1 else ())


def _is_host(uri: str, hostname: str) -> bool:
    try:
        host = parse_uri(uri).host.lower()
    except UsageError:
        return False
    return host == hostname or (bool(host) and "." not in hostname and host.partition(".")[0] == hostname)


def _way(stanza: Stanza, section: Section, top: Section, instead: Instead) -> Way:
    rid: int | None = None
    problem: LdapreplError | None = None
    scope = ReplicationScope(stanza.searchbase)
    provider = None
    try:
        rid = stanza.rid
        scope = stanza.replication_scope
        encode_filter(scope.filter)
        provider = endpoint(stanza, instead, top)
    except ValueError as error:
        problem = UsageError(str(error), "ldaprepl lint says more.")
    except LdapreplError as error:
        problem = error
    suffix = section.suffixes[0] if section.suffixes else ""
    return Way(stanza, stanza.place, rid, stanza.provider, scope, provider, problem, _is_peer(section), suffix)


def _is_peer(section: Section) -> bool:
    return any(section.first(name).upper() in ("TRUE", "ON") for name in ("multiprovider", "mirrormode"))


def _is_open(section: Section, rules: Sequence[Setting]) -> bool:
    """Only what is plain: root is the rootdn, there are no rules, or the first one lets root read everything."""
    if section.first("rootdn").lower() == _PEER or not rules:
        return True
    words = [word.lower().replace('"', "") for word in rules[0].words]
    who = [at for at, word in enumerate(words[:-1]) if word in (f"dn.exact={_PEER}", f"dn={_PEER}", f"dn.base={_PEER}")]
    return words[:2] == ["to", "*"] and any(words[at + 1] in ("read", "write", "manage") for at in who)


def endpoint(stanza: Stanza, instead: Instead, top: Section | None = None) -> Endpoint:
    """The provider of one stanza as the consumer reaches it. Raises `UsageError` for what cannot be followed.

    TLS settings that the stanza does not have are those of the server as a whole (slapd.conf(5), syncrepl), which stand
    in `top`. A stanza that sends its password in the clear is followed: the consumer does so all the time.
    """
    if not stanza.provider:
        raise UsageError("the stanza names no provider", "ldaprepl lint says more.")
    bind = _bind(stanza)
    found = Endpoint(stanza.provider, bind, _tls(stanza, top, instead), instead.timeout)
    if isinstance(bind, Simple) and not bind.password:
        raise UsageError(
            f"the stanza for {stanza.provider} binds as {bind.dn} without a password",
            "Servers take that as an anonymous bind. Mend the stanza, or give --provider, --base and -D.",
        )
    for name, path in (("tls_cacert", found.tls.cacert), ("tls_cert", found.tls.cert), ("tls_key", found.tls.key)):
        if path is not None and not path.is_file():
            raise UsageError(
                f"the stanza for {stanza.provider} wants {name} {path}, which is not on this machine, or not readable",
                "Run as root, or as the user that slapd runs as; or give the files with --cacert, --cert and --key.",
            )
    return found.checked()


def _bind(stanza: Stanza) -> Bind:
    if stanza.bindmethod == "sasl":
        mechanism = _text(stanza, "saslmech").upper()
        if mechanism in SCRAM and stanza.credentials:
            return Sasl(mechanism, _text(stanza, "authcid"), stanza.credentials, _text(stanza, "authzid"))
        if mechanism != "EXTERNAL":
            raise UsageError(
                f"the stanza for {stanza.provider} binds with SASL {mechanism or 'by the best mechanism'}, "
                "which cannot be followed",
                f"Give --provider {stanza.provider} --base '{stanza.searchbase}' and an identity that sees the same, "
                f"with -D and -y{f' (sync also takes --sasl {mechanism})' if mechanism in TICKET else ''}.",
            )
        return External(_text(stanza, "authzid"))
    if not stanza.binddn or stanza.bindmethod == "none":
        return Anonymous()
    return Simple(stanza.binddn, stanza.credentials or Secret(""))


def _tls(stanza: Stanza, top: Section | None, instead: Instead) -> Tls:
    def path(keyword: str, setting: str) -> Path | None:
        text = _text(stanza, keyword) or (top.first(setting) if top else "")
        return Path(text) if text else None

    wanted = stanza.starttls != "no" if instead.starttls is None else instead.starttls
    scheme = stanza.provider.partition(":")[0].lower()
    if scheme == "ldapi" or (scheme == "ldap" and not wanted):
        return Tls(starttls=False if scheme == "ldap" else None, allow_cleartext=True)  # needs none of the files
    reqcert = _text(stanza, "tls_reqcert").lower() or "demand"
    return Tls(
        starttls=True if wanted else None,
        cacert=instead.cacert or path("tls_cacert", "tlscacertificatefile"),
        cert=instead.cert or path("tls_cert", "tlscertificatefile"),
        key=instead.key or path("tls_key", "tlscertificatekeyfile"),
        verify=reqcert not in ("never", "allow") if instead.verify is None else instead.verify,
        allow_cleartext=True,
        cacertdir=None if instead.cacert else path("tls_cacertdir", "tlscacertificatepath"),
    )


def _text(stanza: Stanza, name: str) -> str:
    value = stanza.get(name)
    return value if isinstance(value, str) else ""
