"""Delta-syncrepl or not: what the provider's change log allows, and what stands against it.

Delta sends what was changed instead of whole entries. It needs a log that this identity can read, sync on the log as
well, and a whole copy: changes of entries outside a filter or an attribute list cannot be applied.
"""

from __future__ import annotations

from typing import Final

from ldaprepl.domain.consumerplan import INTERVAL, Manner, Mode
from ldaprepl.domain.provider import Finding, Outcome, ProviderProfile, Severity, Sync
from ldaprepl.domain.scope import EVERY_ATTRIBUTE, MATCH_ALL, ReplicationScope, Scope

AUTO: Final = "auto"


def choose(
    profile: ProviderProfile, scope: ReplicationScope, wanted: str, interval: str = INTERVAL
) -> tuple[Manner, tuple[Finding, ...]]:
    """The manner for `wanted` (a mode, or auto: delta where it will work, else refreshAndPersist), and findings."""
    if wanted not in (AUTO, Mode.DELTA):
        return Manner(Mode(wanted), interval), ()
    against = _against(profile, scope)
    if wanted == AUTO and against is not None:
        if profile.log is None:
            return Manner(Mode.PERSIST), ()
        text = f"the provider keeps a change log, but it is not used: {against.text}"
        return Manner(Mode.PERSIST), (Finding("no-delta", Severity.NOTE, text, against.cure),)
    log = profile.log.base if profile.log else "cn=accesslog"
    findings: tuple[Finding, ...] = () if against is None else (against,)
    if profile.log and profile.log.usable and not profile.log.context_csn:
        text = f"the log {log} holds no change yet: the consumer is refused (53) until there is one, and then retries"
        findings += (Finding("log-empty", Severity.WARNING, text, "Change any entry at the provider once."),)
    text = (
        f"changes come from {log}; if syncprov on it lacks nopresent, a consumer may take the log for the directory "
        "and delete what it has; over LDAP that cannot be seen"
    )
    cure = f"Check the provider's section of {log}: syncprov-nopresent TRUE, syncprov-reloadhint TRUE"
    return Manner(Mode.DELTA, logbase=log), (*findings, Finding("delta", Severity.NOTE, text, cure))


def _against(profile: ProviderProfile, scope: ReplicationScope) -> Finding | None:
    """Why delta would not work; None when it would."""
    log = profile.log
    if log is None:
        text = f"{profile.uri} names no change log (auditContext) for this database"
        return Finding("no-log", Severity.ERROR, text, "ldaprepl init-consumer --for-provider --mode delta writes one.")
    if log.outcome is not Outcome.SUCCESS:
        text = f"the log {log.base} cannot be read by this identity ({log.outcome}): no change would ever arrive"
        cure = f"In the provider's section of {log.base}: access to * by dn.exact=<the replica> read, and limits for it"
        return Finding("log-hidden", Severity.ERROR, text, cure)
    if log.sync is not Sync.OFFERED:
        text = f"the log {log.base} does not offer sync"
        cure = (
            f"In the provider's section of {log.base}: overlay syncprov, syncprov-nopresent TRUE, "
            "syncprov-reloadhint TRUE"
        )
        return Finding("log-no-sync", Severity.ERROR, text, cure)
    if scope.filter != MATCH_ALL or scope.attrs != EVERY_ATTRIBUTE or scope.exattrs or scope.scope is not Scope.SUB:
        text = "a part only is copied, and changes to the rest cannot be applied: every one would cause a full refresh"
        return Finding("partial-delta", Severity.WARNING, text, "Use --mode refreshAndPersist for a partial replica.")
    return None
