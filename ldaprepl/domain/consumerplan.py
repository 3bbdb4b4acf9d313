"""The consumer's stanza that follows from what is wanted: chosen here, with the reason for each choice.

Only what differs from slapd's defaults is written, and only keywords that 2.4 to 2.7 know alike. `timeout` is left out
on purpose: with it slapd keeps a thread of its pool waiting that long after each connect, and stops only then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ldaprepl.domain.provider import Access, Method
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza
from ldaprepl.errors import UsageError

RETRY: Final = "5 12 60 +"
KEEPALIVE: Final = "240:10:30"
NETWORK_TIMEOUT: Final = "5"
INTERVAL: Final = "00:00:05:00"
LOG_FILTER: Final = "(&(objectClass=auditWriteObject)(reqResult=0))"


class Mode(StrEnum):
    """How changes come to the consumer."""

    REFRESH_ONLY = "refreshOnly"
    PERSIST = "refreshAndPersist"
    DELTA = "delta"


@dataclass(frozen=True, slots=True)
class Manner:
    """The mode, and what belongs to it: the pause between polls (dd:hh:mm:ss), or the DN of the change log."""

    mode: Mode = Mode.PERSIST
    interval: str = INTERVAL
    logbase: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one line of the stanza is as it is."""

    keyword: str
    text: str


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """The consumer's part: the stanza, the reasons, and where its clients are sent to write (empty: nowhere)."""

    stanza: Stanza
    reasons: tuple[Reason, ...]
    updateref: str


def plan(access: Access, scope: ReplicationScope, rid: int = 1, manner: Manner | None = None) -> ConsumerPlan:
    """The stanza for one consumer database. Raises `UsageError` for a rid that slapd would refuse, and for delta
    without a log.
    """
    if not 0 <= rid <= 999:
        raise UsageError(f"rid {rid} is not a number from 0 to 999")
    values: dict[str, str | Secret | None] = {"rid": f"{rid:03}", "provider": access.uri}
    reasons = [Reason("rid", "must be the only one of its number in this server, whatever the database.")]
    timing, why = _timing(manner or Manner())
    values |= {**timing, "searchbase": scope.base}
    reasons += why
    values |= _content(scope)
    if "filter" in values or "attrs" in values:
        values["schemachecking"] = "off"
        reasons.append(Reason("schemachecking", "off: one incomplete entry would otherwise stop the whole refresh."))
    for part, why in (_identity(access), _transport(access)):
        values |= part
        reasons += why
    return ConsumerPlan(Stanza.of(values), tuple(reasons), "" if access.scheme == "ldapi" else access.uri)


def _timing(manner: Manner) -> tuple[dict[str, str | Secret | None], list[Reason]]:
    """When changes come, and from where."""
    retry = Reason("retry", "12 times every 5 s, then every 60 s for ever. Without it slapd waits an hour.")
    if manner.mode is Mode.REFRESH_ONLY:
        text = "refreshOnly: asks every interval (days:hours:minutes:seconds) and hears nothing in between."
        return {"type": "refreshOnly", "interval": manner.interval, "retry": RETRY}, [Reason("type", text), retry]
    values: dict[str, str | Secret | None] = {"type": "refreshAndPersist", "retry": RETRY}
    text = "refreshAndPersist: changes arrive at once, and the provider needs nothing more for it."
    if manner.mode is Mode.PERSIST:
        return values, [Reason("type", text), retry]
    if not manner.logbase:
        raise UsageError("delta needs the DN of the provider's change log", "Choose another --mode.")
    values |= {"syncdata": "accesslog", "logbase": manner.logbase, "logfilter": LOG_FILTER}
    text = "refreshAndPersist: changes arrive at once, here from the change log, as what was changed only."
    log = "without syncdata and both of these a consumer is filled once and never changes again."
    return values, [Reason("type", text), retry, Reason("logbase, logfilter", log)]


def _content(scope: ReplicationScope) -> dict[str, str | Secret | None]:
    """Only what differs from slapd's defaults: a short stanza is a readable one."""
    values: dict[str, str | Secret | None] = {}
    if scope.scope is not Scope.SUB:
        values["scope"] = scope.scope.value
    if scope.filter != MATCH_ALL:
        values["filter"] = scope.filter
    if scope.attrs != EVERY_ATTRIBUTE:
        values["attrs"] = ",".join(scope.attrs)
    if scope.exattrs:
        values["exattrs"] = ",".join(scope.exattrs)
    if scope.suffixmassage:
        values["suffixmassage"] = scope.suffixmassage
    return values


def _identity(access: Access) -> tuple[dict[str, str | Secret | None], list[Reason]]:
    match access.method:
        case Method.SIMPLE:
            values = {"bindmethod": "simple", "binddn": access.dn, "credentials": access.password}
            text = "the password in clear, as it must be here: keep this file readable for slapd only (chmod 600)."
            return values, [Reason("credentials", text)]
        case Method.EXTERNAL:
            authzid = {"authzid": access.authzid} if access.authzid else {}
            return {"bindmethod": "sasl", "saslmech": "EXTERNAL", **authzid}, []
        case Method.ANONYMOUS:
            return {"bindmethod": "simple"}, [Reason("bindmethod", "no binddn: only what anybody may read is copied.")]


def _transport(access: Access) -> tuple[dict[str, str | Secret | None], list[Reason]]:
    values: dict[str, str | Secret | None] = {}
    reasons = []
    if access.starttls:
        values["starttls"] = "critical"
        reasons.append(Reason("starttls", 'critical: "yes" would go on in clear when TLS does not come about.'))
    if access.encrypted:
        files = {"tls_cacert": access.cacert, "tls_cert": access.cert, "tls_key": access.key}
        values |= {name: path for name, path in files.items() if path}
        values["tls_reqcert"] = "demand" if access.verify else "never"
        if not access.verify:
            reasons.append(Reason("tls_reqcert", "never: NOT SAFE, anybody in between can read and change all."))
    if access.scheme != "ldapi":
        values |= {"network-timeout": NETWORK_TIMEOUT, "keepalive": KEEPALIVE}
        text = "a dead connection (firewall, power cut) is noticed after 240 s of silence and 10 probes, 30 s apart."
        reasons.append(Reason("keepalive", text))
    return values, reasons
