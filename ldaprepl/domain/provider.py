"""What a look at a provider showed, and what follows from it for a consumer.

`ProviderProfile` holds facts only, as one identity saw them; `judge` turns them into findings. A finding is one
sentence that a person understands and the cure as a line to paste. ERROR: a consumer with this stanza would never
replicate; WARNING: it would, but not what or how people expect; NOTE: good to know. Nothing here holds a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ldaprepl.domain import dn
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.ldapfilter import escape
from ldaprepl.domain.plural import counted
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.version import Version
from ldaprepl.domain.versionguess import ServerGuess
from ldaprepl.domain.words import quote_conf

NEEDED_ATTRIBUTES: Final = ("structuralObjectClass", "entryUUID", "entryCSN", "createTimestamp", "modifyTimestamp")
PASSWORD_ATTRIBUTE: Final = "userPassword"


class Severity(StrEnum):
    """What a finding means for the consumer."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the provider. `code` is stable."""

    code: str
    severity: Severity
    text: str
    cure: str = ""


class Outcome(StrEnum):
    """How a server ended an answer."""

    SUCCESS = "success"
    NO_SUCH_OBJECT = "no such object"
    SIZE_LIMIT = "size limit exceeded"
    TIME_LIMIT = "time limit exceeded"
    REFERRAL = "referral"
    REFUSED = "refused"


class Sync(StrEnum):
    """Whether the database can be a provider (RFC 4533)."""

    OFFERED = "offered"
    NO_OVERLAY = "syncprov is loaded, but this database does not have it"
    NO_MODULE = "the server does not know the control"
    UNKNOWN = "could not be asked"


class Method(StrEnum):
    """How the consumer proves who it is."""

    SIMPLE = "simple"
    EXTERNAL = "external"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Access:
    """How the consumer will come to the provider. Paths are those on the consumer's machine.

    `local`: the URI means this machine and no other. `starttls` is only for ldap://.
    """

    uri: str
    method: Method = Method.ANONYMOUS
    dn: str = ""
    password: Secret | None = None
    authzid: str = ""
    starttls: bool = False
    cacert: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True
    local: bool = False

    @property
    def scheme(self) -> str:
        """ldap, ldaps or ldapi."""
        return self.uri.partition(":")[0].lower()

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects the way."""
        return self.scheme == "ldaps" or self.starttls

    @property
    def who(self) -> str:
        """The `who` of limits and access lines, as slapd.conf writes it."""
        if self.method is Method.ANONYMOUS:
            return "anonymous"
        name = self.dn if self.method is Method.SIMPLE else "<the DN that EXTERNAL maps to>"
        return f"dn.exact={quote_conf(name)}"

    def __str__(self) -> str:
        return {Method.SIMPLE: self.dn, Method.EXTERNAL: "SASL EXTERNAL"}.get(self.method, "anonymous")


@dataclass(frozen=True, slots=True)
class LogProfile:
    """The change log that the suffix entry names (auditContext), as the consumer's identity sees it."""

    base: str
    outcome: Outcome = Outcome.SUCCESS
    sync: Sync = Sync.UNKNOWN
    context_csn: CsnSet = field(default_factory=CsnSet)

    @property
    def usable(self) -> bool:
        """A delta consumer would get its changes from it."""
        return self.outcome is Outcome.SUCCESS and self.sync is Sync.OFFERED


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """The provider as the consumer's identity sees it.

    `suffix` is the naming context that holds the base, None when none does. `entries` were read through in the scope of
    replication, to the end that `ending` names; None when that was not tried. `passwords` of those entries matched
    `(userPassword=*)`; `password_sample` of them were asked for the value and `passwords_read` gave one.
    """

    uri: str
    server: ServerGuess = field(default_factory=ServerGuess)
    naming_contexts: tuple[str, ...] = ()
    suffix: str | None = None
    base: Outcome = Outcome.SUCCESS
    matched: str = ""
    referral: str = ""
    base_has_children: bool = False
    base_in_filter: bool = True
    missing: tuple[str, ...] = ()
    sync: Sync = Sync.UNKNOWN
    context_csn: CsnSet = field(default_factory=CsnSet)
    entries: int | None = None
    ending: Outcome = Outcome.SUCCESS
    passwords: int | None = None
    password_sample: int = 0
    passwords_read: int = 0
    log: LogProfile | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def usable(self) -> bool:
        """No finding forbids to write a stanza."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def judge(profile: ProviderProfile, access: Access, scope: ReplicationScope) -> tuple[Finding, ...]:
    """All findings, errors first."""
    found = list(_base(profile, access, scope))
    if profile.base is Outcome.SUCCESS:
        found += [*_sync(profile), *_reading(profile, access, scope), *_visible(profile, access, scope)]
    found += _way(profile, access)
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _base(profile: ProviderProfile, access: Access, scope: ReplicationScope) -> Iterator[Finding]:
    contexts = ", ".join(name or '""' for name in profile.naming_contexts)
    match profile.base:
        case Outcome.REFERRAL:
            text = f"{profile.uri} does not hold {scope.base!r} and refers to {profile.referral or 'another server'}"
            yield Finding("base-elsewhere", Severity.ERROR, text, "Name that server with --provider.")
        case Outcome.SUCCESS:
            if profile.suffix is not None and dn.depth(profile.suffix) != dn.depth(scope.base):
                text = (
                    f"the base is below the naming context {profile.suffix!r}; a consumer whose suffix is "
                    f"{profile.suffix!r} holds a hidden entry above it and shows its contextCSN with ManageDsaIT only"
                )
                yield Finding("partial", Severity.NOTE, text, f'Or make the consumer\'s suffix "{scope.consumer_base}"')
        case _ if profile.naming_contexts and profile.suffix is None:
            text = f"{scope.base!r} is in none of the naming contexts of {profile.uri}"
            yield Finding("wrong-base", Severity.ERROR, text, f"Give --base below one of: {contexts}")
        case _:
            near = f"; the nearest that it shows is {profile.matched!r}" if profile.matched else ""
            text = f"{profile.uri} has no entry {scope.base!r}, or does not show it to {access}{near}"
            cure = (
                "Check --base. If the entry exists: access to * by "
                f"{access.who} read by * break   (above the other access lines; cn=config: olcAccess)"
            )
            if access.method is Method.ANONYMOUS:
                cure = "Check --base, or give the identity of the consumer with --bind-dn and --password-file."
            yield Finding("base-invisible", Severity.ERROR, text, cure)


def _sync(profile: ProviderProfile) -> Iterator[Finding]:
    load = "" if profile.sync is Sync.NO_OVERLAY else "moduleload syncprov (global), then "
    cure = (
        f"In the provider's database section: {load}overlay syncprov, syncprov-checkpoint 100 10, "
        "syncprov-sessionlog 1000   (cn=config: olcOverlay=syncprov with olcSyncProvConfig). "
        "Where the provider cannot be changed: ldaprepl sync"
    )
    if profile.sync in (Sync.NO_OVERLAY, Sync.NO_MODULE):
        text = f"{profile.uri} does not offer sync for this database ({profile.sync})"
        yield Finding("no-sync", Severity.ERROR, text, cure)
    elif profile.sync is Sync.OFFERED and not profile.context_csn and profile.server.version != Version(2, 2):
        text = f"{profile.uri} shows no contextCSN for this database: it is empty, or the identity may not read it"
        yield Finding("no-contextcsn", Severity.WARNING, text, "Give read access to contextCSN of the suffix entry.")


def _reading(profile: ProviderProfile, access: Access, scope: ReplicationScope) -> Iterator[Finding]:
    limits = f"limits {access.who} size=unlimited time=unlimited"
    cure = f"In the provider's database section: {limits}   (cn=config: olcLimits)"
    match profile.ending:
        case Outcome.SIZE_LIMIT | Outcome.TIME_LIMIT:
            text = (
                f"{profile.uri} cut the answer for {access} after {counted(profile.entries or 0)} ({profile.ending}); "
                "the first refresh would fail there, again and again"
            )
            code = "size-limit" if profile.ending is Outcome.SIZE_LIMIT else "time-limit"
            yield Finding(code, Severity.ERROR, text, cure)
        case Outcome.SUCCESS if profile.entries == 0:
            text = f"the filter {scope.filter} matches no entry; a consumer would have nothing to keep its state on"
            yield Finding("nothing-matches", Severity.ERROR, text, "Correct --filter or --scope.")
        case Outcome.SUCCESS if profile.entries == 1 and profile.base_has_children and scope.filter == MATCH_ALL:
            if scope.scope in ("sub", "one", "subord"):
                text = f"{access} sees the base entry of {profile.uri}, but nothing of what is below it"
                yield Finding("blind", Severity.ERROR, text, _access_line(access))
        case Outcome.SUCCESS:
            pass
        case _ if profile.entries is not None:
            text = f"{profile.uri} refused to be read through by {access} after {counted(profile.entries)}"
            yield Finding("refused", Severity.ERROR, text, _access_line(access))
    if profile.entries and not profile.base_in_filter:
        text = "the filter leaves out the base entry itself; a base search on the consumer will find nothing"
        yield Finding(
            "base-filtered", Severity.NOTE, text, f"(|(entryDN={escape(scope.base)}){scope.filter}) takes it in"
        )


def _visible(profile: ProviderProfile, access: Access, scope: ReplicationScope) -> Iterator[Finding]:
    if access.method is Method.ANONYMOUS:
        text = "no identity was given: the consumer would copy what anybody may read, without passwords as a rule"
        cure = "Make an entry for the consumer, give it limits and read access, and name it with --bind-dn."
        yield Finding("anonymous", Severity.WARNING, text, cure)
    if profile.missing:
        text = f"{access} does not see {', '.join(profile.missing)} of the base entry"
        yield Finding("operational-hidden", Severity.WARNING, text, _access_line(access))
    if profile.passwords is not None and profile.passwords_read <= _own_password(profile) and profile.entries:
        whose = "any password but its own" if profile.passwords_read else "any password (userPassword)"
        text = f"{access} does not see {whose}: either there are none, or nobody could bind at the consumer"
        cure = (
            f"In the provider's database section, above the other rule for it: access to attrs={PASSWORD_ATTRIBUTE} by "
            f"{access.who} read by * break   (cn=config: olcAccess)"
        )
        yield Finding("passwords-hidden", Severity.WARNING, text, cure)
    if "*" in scope.attrs and "+" not in scope.attrs:
        text = "without + in the attributes, operational ones that the provider's overlays keep do not arrive"
        yield Finding("no-operational", Severity.WARNING, text, "Leave --attrs out, or add +")


def _way(profile: ProviderProfile, access: Access) -> Iterator[Finding]:
    if not access.encrypted and not access.local:
        text = f"everything crosses the network to {access.uri} in the clear, password and hashes too"
        yield Finding("cleartext", Severity.WARNING, text, "Use ldaps:// or --starttls, or protect the way (IPsec).")
    if access.encrypted and not access.verify:
        text = "the certificate of the provider is not verified; whoever can come between can read and change all"
        yield Finding("unverified", Severity.WARNING, text, "Give its CA with --cacert, without --tls-reqcert never.")
    if access.encrypted and access.verify and not access.cacert:
        text = "no CA file is named; the consumer's slapd will use its own TLS settings or the system's"
        yield Finding("no-cacert", Severity.NOTE, text, "Name the CA file on the consumer with --cacert.")
    if access.local and access.scheme != "ldapi":
        text = f"{access.uri} means the provider only on this very machine"
        yield Finding("loopback", Severity.NOTE, text, "Use the provider's name when the consumer runs elsewhere.")
    if access.method is Method.EXTERNAL and access.scheme == "ldapi":
        text = "over ldapi the consumer is the user that its slapd runs as, not the one who probed"
        yield Finding("ldapi-identity", Severity.WARNING, text, "Run init-consumer as the user that slapd runs as.")


def _access_line(access: Access) -> str:
    return (
        f"In the provider's database section, above the others: access to * by {access.who} read by * break   "
        "(cn=config: olcAccess)"
    )


def _own_password(profile: ProviderProfile) -> int:
    """An identity that sees one password out of one very likely sees its own."""
    return 1 if profile.passwords == 1 else 0
