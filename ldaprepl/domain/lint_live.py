"""What only running servers can tell: views of a provider and its consumers, and what is wrong with them.

The views hold facts as one identity saw them; judging them asks nobody. Some rules are those of the files (LR601,
LR603 ...), seen from the other side: there the configuration says it, here the server's behaviour does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.lint import Hit, Rule, Severity
from ldaprepl.domain.lint_source import dn_key
from ldaprepl.domain.plural import agreeing, counted
from ldaprepl.domain.provider import Outcome, ProviderProfile, Sync
from ldaprepl.domain.scope import ReplicationScope
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Place, quote_conf

SKEW: Final = timedelta(seconds=10)
_SHOWN: Final = 5

Judged = tuple[str, Hit]
"""A rule's code and what it hit."""


@dataclass(frozen=True, slots=True)
class LogView:
    """A log database as the replica identity sees it."""

    dn: str
    outcome: Outcome
    sync_done: bool = False
    has_csn: bool = False


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server: contextCSN, its clock (by cn=Monitor) with ours at that moment, and the OIDs of its schema by"
    " name."""

    uri: str
    context_csn: CsnSet = field(default_factory=CsnSet)
    clock: datetime | None = None
    asked: datetime | None = None
    schema: tuple[tuple[str, str], ...] = ()  # OID, name


@dataclass(frozen=True, slots=True)
class ProviderView:
    """A provider, the scope that was looked at, and the identity (empty: anonymous).

    `log` is None where no log was asked for; `audit` is what auditContext names; `unstamped` are entries newer than
    contextCSN.
    """

    profile: ProviderProfile
    server: ServerView
    scope: ReplicationScope
    identity: str = ""
    audit: str = ""
    log: LogView | None = None
    unstamped: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerView:
    """A consumer beside its provider.

    Of the first entries `sampled`, `local` are not at the provider, `other` have another entryUUID there. `unknown` are
    schema names that it lacks, `used` whether an entry of the provider needs one.
    """

    server: ServerView
    sampled: int = 0
    local: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    used: bool = False


def judge_provider(view: ProviderView) -> Iterator[Judged]:
    """Everything that is wrong at the provider, for this identity."""
    profile, identity = view.profile, view.identity or "anonymous"
    place, base = Place(profile.uri), view.scope.base
    if profile.base is not Outcome.SUCCESS:
        yield from _no_base(view, place)
        return
    if profile.sync in (Sync.NO_OVERLAY, Sync.NO_MODULE):
        if view.server.context_csn:
            yield "LR418", Hit(place, f"{base!r} has a contextCSN, as a consumer has, but no Sync Done came back")
        else:
            yield "LR601", Hit(place, f"no Sync Done came back for {base!r}: {profile.sync}")
    limits = f"limits {_who(view.identity)} size=unlimited time=unlimited"
    if profile.ending in (Outcome.SIZE_LIMIT, Outcome.TIME_LIMIT):
        said = f"{profile.uri} cut a search of {identity} after {counted(profile.entries or 0)} ({profile.ending})"
        yield "LR603", Hit(place, said, limits, severity=Severity.ERROR)
    if profile.entries == 0 and profile.ending is Outcome.SUCCESS:
        yield "LR304", Hit(place, f"the filter {view.scope.filter} matches no entry below {base!r}")
    if profile.passwords is not None and profile.passwords_read == 0 and (profile.entries or 0) > 1:
        said = f"{identity} sees no userPassword in {counted(profile.entries or 0)} (or there is none)"
        yield "LR606", Hit(place, said, f"access to attrs=userPassword by {_who(view.identity)} read by * break")
    if view.unstamped and profile.server.version in (Version(2, 2), Version(2, 3), None):
        newer = f"{counted(view.unstamped)} {agreeing(view.unstamped)}"
        yield "LR425", Hit(place, f"{newer} newer than contextCSN")
    yield from _log(view, place)


def _no_base(view: ProviderView, place: Place) -> Iterator[Judged]:
    base, identity = view.scope.base, view.identity or "anonymous"
    if view.profile.naming_contexts and view.profile.suffix is None:
        contexts = ", ".join(name or '""' for name in view.profile.naming_contexts)
        yield "LR305", Hit(place, f"{base!r} is in none of its naming contexts ({contexts})")
    else:
        line = f"access to * by {_who(view.identity)} read by * break"
        yield "LR607", Hit(place, f"{base!r} is not shown to {identity}, or is not there", line)


def _log(view: ProviderView, place: Place) -> Iterator[Judged]:
    log = view.log
    if log is None:
        return
    if view.audit and dn_key(view.audit) != dn_key(log.dn):
        yield "LR704", Hit(place, f"the provider logs to {view.audit!r}, not to {log.dn!r}", f'logbase="{view.audit}"')
    elif log.outcome is not Outcome.SUCCESS:
        line = f"access to * by {_who(view.identity)} read by * none"
        yield "LR703", Hit(place, f"{log.dn!r} is not shown to {view.identity or 'anonymous'} ({log.outcome})", line)
    elif not log.sync_done:
        yield "LR702", Hit(place, f"no Sync Done came back for the log {log.dn!r}")
    elif not log.has_csn:
        yield "LR709", Hit(place, f"the log {log.dn!r} has no contextCSN yet")


def judge_consumer(view: ConsumerView, provider: ProviderView) -> Iterator[Judged]:
    """Everything that is wrong between the two."""
    place, base = Place(view.server.uri), provider.scope.consumer_base
    newer = list(_newer(view.server.context_csn, provider.server.context_csn))
    if newer and provider.server.context_csn:
        yield "LR615", Hit(place, f"its contextCSN {', '.join(newer)} is ahead of the provider's")
    if view.unknown:
        names = ", ".join(view.unknown[:_SHOWN]) + (" ..." if len(view.unknown) > _SHOWN else "")
        said = f"its schema lacks {len(view.unknown)} names of the provider's: {names}"
        severity = None if view.used else Severity.INFO
        need = "at least one entry needs them" if view.used else "no entry that was seen needs them yet"
        yield "LR309", Hit(place, f"{said}; {need}", severity=severity)
    if view.local:
        theirs = f"{len(view.local)} {agreeing(len(view.local))}"
        said = f"of {counted(view.sampled)} below {base!r} {theirs} not at the provider: {_some(view.local)}"
        yield "LR424", Hit(place, said)
    if view.other:
        others = f"{len(view.other)} {agreeing(len(view.other), 'has', 'have')}"
        said = f"of {counted(view.sampled)} {others} another entryUUID than at the provider"
        yield "LR423", Hit(place, f"{said}: {_some(view.other)}")


def judge_clocks(views: list[ServerView], now: datetime) -> Iterator[Judged]:
    """Clocks that differ: by what the servers say themselves, or by a contextCSN from the future."""
    sids = {sid for view in views for sid in view.context_csn}
    severity = None if len(sids) > 1 else Severity.INFO
    offsets = {view.uri: view.clock - view.asked for view in views if view.clock and view.asked}
    for view in views:
        latest = max((csn.time for csn in view.context_csn.values()), default=now)
        if latest - now > SKEW and view.uri not in offsets:
            seconds = (latest - now).total_seconds()
            yield (
                "LR211",
                Hit(Place(view.uri), f"its newest contextCSN is {seconds:.0f} s in our future", severity=severity),
            )
    if len(offsets) > 1:
        low, high = min(offsets, key=lambda uri: offsets[uri]), max(offsets, key=lambda uri: offsets[uri])
        gap = offsets[high] - offsets[low]
        if gap > SKEW:
            said = f"its clock is {gap.total_seconds():.0f} s ahead of that of {low}"
            yield "LR211", Hit(Place(high), said, severity=severity)


def _newer(consumer: CsnSet, provider: CsnSet) -> Iterator[str]:
    for sid, csn in consumer.items():
        held = provider.get(sid)
        if held is None or csn > held:
            yield str(csn)


def _who(identity: str) -> str:
    return f"dn.exact={quote_conf(identity)}" if identity else "anonymous"


def _some(names: tuple[str, ...]) -> str:
    return "; ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")


RULES: Final = (
    Rule(
        "LR211",
        Severity.DATA_LOSS,
        "clocks differ",
        "The later of two writes wins, by the clocks of the servers: a change made on the slow one is ignored by the"
        " others. With one hour of difference two values stayed different for good, without an error.",
        "run NTP (chrony, systemd-timesyncd) on all servers",
    ),
    Rule(
        "LR423",
        Severity.DATA_LOSS,
        "entries with another entryUUID",
        "The consumer was filled by an LDIF without entryUUID. The first refresh leaves such entries alone; the next"
        " present phase deletes them, all of them if need be.",
        "empty the consumer's database, or load slapcat output of the provider",
    ),
    Rule(
        "LR424",
        Severity.DATA_LOSS,
        "entries that only the consumer has",
        "The next present phase (a reconnect after a delete, without session log) deletes them.",
        "keep local entries under a suffix of their own",
    ),
    Rule(
        "LR425",
        Severity.WARNING,
        "contextCSN is older than the data",
        "The provider was loaded by slapadd without -w (2.2, 2.3). A polling consumer gets a part of the data until the"
        " next write.",
        "slapadd -w, or change something harmless at the provider once",
    ),
)
