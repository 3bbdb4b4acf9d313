"""What a look at one server showed (`Facts`), and what it means for replication (`diagnose`).

Ten rows for each server, each with a mark: ok; warn (it works, but not as people expect); bad (something will not
work); unknown (the server does not tell, or there was nothing to ask). A row has the cure where it is warn or bad.
Facts come from one identity: what it may not see does not exist here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ldaprepl.domain.csn import CsnSet, sid_list
from ldaprepl.domain.duration import words
from ldaprepl.domain.health import Vitals
from ldaprepl.domain.plural import counted
from ldaprepl.domain.provider import Access, Finding, Outcome, ProviderProfile, Severity, Sync
from ldaprepl.domain.verdict import Problem
from ldaprepl.domain.versionguess import Certainty
from ldaprepl.errors import ExitCode

SKEW: Final = 30.0  # seconds that clocks may differ
_CERTIFICATE: Final = timedelta(days=14)
_OLD_TLS: Final = ("SSLv3", "TLSv1", "TLSv1.1")  # RFC 8996


class Mark(StrEnum):
    """What a row is worth."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class Topic(StrEnum):
    """The rows, in the order in which they are shown."""

    CONNECTION = "connection"
    VERSION = "version"
    TLS = "tls"
    IDENTITY = "identity"
    RIGHTS = "rights"
    LIMITS = "limits"
    WRITES = "writes"
    SYNC = "sync"
    CONTEXTCSN = "contextcsn"
    CLOCK = "clock"


class Writes(StrEnum):
    """How a server answers the wish to change an entry that does not exist."""

    TAKEN = "taken"  # noSuchObject: only the entry was lacking
    REFERRED = "referred"
    READ_ONLY = "read-only"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Channel:
    """The way to the server. `protocol` is empty without TLS; `names` only where the certificate was verified."""

    protocol: str = ""
    names: tuple[str, ...] = ()
    end: datetime | None = None
    seconds: float = 0.0  # to connect, secure and bind


@dataclass(frozen=True, slots=True)
class Facts:
    """One server as one identity saw it. `trouble`: it could not be asked, and the rest is empty.

    `whoami` is what the server calls us (RFC 4532), None where it does not say; `refers` where writes are sent.
    """

    uri: str
    provider: bool
    access: Access
    base: str = ""
    channel: Channel = field(default_factory=Channel)
    whoami: str | None = None
    profile: ProviderProfile | None = None
    writes: Writes = Writes.UNKNOWN
    refers: str = ""
    vitals: Vitals = field(default_factory=Vitals)
    trouble: Problem | None = None

    @property
    def csns(self) -> CsnSet:
        """Its contextCSN."""
        return self.profile.context_csn if self.profile else CsnSet()


@dataclass(frozen=True, slots=True)
class Row:
    """One topic of one server. `text` is short, `cure` what to do where it is not ok."""

    topic: Topic
    mark: Mark
    text: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One server with its rows."""

    facts: Facts
    rows: tuple[Row, ...]

    @property
    def mark(self) -> Mark:
        """The worst of its rows; what is unknown counts only where the server could not be asked at all."""
        if self.facts.trouble:
            return Mark.UNKNOWN
        marks = {row.mark for row in self.rows}
        return next((mark for mark in (Mark.BAD, Mark.WARN) if mark in marks), Mark.OK)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All servers at one moment (UTC)."""

    at: datetime
    columns: tuple[Column, ...]

    @property
    def mark(self) -> Mark:
        marks = {column.mark for column in self.columns}
        return next((mark for mark in (Mark.UNKNOWN, Mark.BAD, Mark.WARN) if mark in marks), Mark.OK)

    @property
    def exit_code(self) -> ExitCode:
        """A server that could not be asked outweighs what is bad; warnings do not count."""
        codes = {Mark.UNKNOWN: ExitCode.UNDECIDED, Mark.BAD: ExitCode.FINDING}
        return codes.get(self.mark, ExitCode.OK)


def diagnose(servers: Sequence[Facts], now: datetime) -> Diagnosis:
    """Judge all servers, each by itself and beside the others."""
    newest = CsnSet()
    for facts in servers:
        if facts.provider:
            newest = newest.merged(facts.csns)
    return Diagnosis(now, tuple(Column(facts, tuple(_rows(facts, newest, now))) for facts in servers))


def _rows(facts: Facts, newest: CsnSet, now: datetime) -> Iterator[Row]:
    if facts.trouble:
        text = facts.trouble.text.removeprefix(facts.uri).lstrip(": ")
        yield Row(Topic.CONNECTION, Mark.BAD, text, facts.trouble.cure)
        return
    yield Row(Topic.CONNECTION, Mark.OK, f"connected and bound in {words(facts.channel.seconds)}")
    profile = facts.profile
    if profile is not None:
        yield _version(profile)
    yield _tls(facts, now)
    yield _identity(facts)
    if profile is None:
        yield Row(Topic.RIGHTS, Mark.BAD, "shows no naming context to look into", "Name the base with --base.")
        return
    yield _rights(facts, profile)
    yield _limits(facts, profile)
    yield _writes(facts)
    yield _sync(facts, profile)
    yield _context_csn(facts, newest)
    yield _clock(facts, now)


def _version(profile: ProviderProfile) -> Row:
    server = profile.server
    if server.certainty is Certainty.UNKNOWN:
        return Row(Topic.VERSION, Mark.UNKNOWN, str(server))
    sure = {Certainty.EXACT: "it says so", Certainty.BRANCH: "the branch is certain"}.get(server.certainty, "a guess")
    return Row(Topic.VERSION, Mark.OK, f"{server} ({sure}: {server.evidence})")


def _tls(facts: Facts, now: datetime) -> Row:
    channel, access = facts.channel, facts.access
    if not channel.protocol:
        if access.local:
            return Row(Topic.TLS, Mark.OK, "none; nothing leaves this machine")
        return Row(Topic.TLS, Mark.WARN, "none: everything crosses the network in the clear", "Use ldaps:// or "
                   "--starttls, unless the network itself is protected (IPsec).")  # fmt: skip
    text = channel.protocol
    if channel.names:
        text += f" for {', '.join(channel.names)}"
    if channel.end:
        text += f", ends {channel.end:%Y-%m-%d}"
    if channel.end and channel.end <= now:
        return Row(Topic.TLS, Mark.BAD, f"{text}: expired", "Renew the server's certificate.")
    if not access.verify:
        return Row(Topic.TLS, Mark.WARN, f"{text}, not verified", "Give its CA with --cacert, without "
                   "--tls-reqcert never.")  # fmt: skip
    if channel.protocol in _OLD_TLS:
        return Row(Topic.TLS, Mark.WARN, f"{text}; this protocol is too old", "Let the server offer TLS 1.2 or newer.")
    if channel.end and channel.end - now < _CERTIFICATE:
        left = words((channel.end - now).total_seconds())
        return Row(Topic.TLS, Mark.WARN, f"{text}, in {left}", "Renew the server's certificate.")
    return Row(Topic.TLS, Mark.OK, text)


def _identity(facts: Facts) -> Row:
    if facts.whoami is None:
        return Row(Topic.IDENTITY, Mark.UNKNOWN, f"{facts.access}; the server does not tell whom it takes us for")
    if facts.whoami in ("", "dn:"):
        return Row(Topic.IDENTITY, Mark.WARN, "anonymous", "Name the identity that replication uses with --bind-dn or "
                   "--sasl: what an identity may not read, it cannot compare.")  # fmt: skip
    return Row(Topic.IDENTITY, Mark.OK, facts.whoami.removeprefix("dn:"))


def _finding(profile: ProviderProfile, *codes: str) -> Finding | None:
    return next((finding for finding in profile.findings if finding.code in codes), None)


def _rights(facts: Facts, profile: ProviderProfile) -> Row:
    if profile.base is not Outcome.SUCCESS:
        found = _finding(profile, "base-elsewhere", "wrong-base", "base-invisible")
        text = {"base-elsewhere": "the base is on another server", "wrong-base": "the base is in none of its databases"}
        code = found.code if found else ""
        return Row(Topic.RIGHTS, Mark.BAD, f"{text.get(code, 'no such base, or not for this identity')}: {facts.base}",
                   found.cure if found else "Check --base.")  # fmt: skip
    if found := _finding(profile, "blind", "refused"):
        return Row(Topic.RIGHTS, Mark.BAD, "sees the base entry and nothing below it" if found.code == "blind" else
                   f"may not read through ({profile.ending})", found.cure)  # fmt: skip
    sees = _entries(profile.entries)
    if found := _finding(profile, "operational-hidden"):
        return Row(Topic.RIGHTS, Mark.WARN, f"{sees}; not {', '.join(profile.missing)}", found.cure)
    if profile.passwords is None:
        return Row(Topic.RIGHTS, Mark.OK, f"{sees}, operational attributes")
    if found := _finding(profile, "passwords-hidden"):
        return Row(Topic.RIGHTS, Mark.WARN, f"{sees}, operational attributes; userPassword: none, or hidden",
                   found.cure)  # fmt: skip
    passwords = f"userPassword ({profile.passwords_read} of {profile.password_sample} tried)"
    return Row(Topic.RIGHTS, Mark.OK, f"{sees}, operational attributes, {passwords}")


def _limits(facts: Facts, profile: ProviderProfile) -> Row:
    if found := _finding(profile, "size-limit", "time-limit"):
        text = f"cut after {_entries(profile.entries)} ({profile.ending})"
        return Row(Topic.LIMITS, Mark.BAD, text, found.cure)
    if profile.entries is None or profile.ending is not Outcome.SUCCESS:
        return Row(Topic.LIMITS, Mark.UNKNOWN, "not read through")
    return Row(Topic.LIMITS, Mark.OK, f"none met in reading {_entries(profile.entries)}")


def _entries(count: int | None) -> str:
    return counted(count or 0)


def _writes(facts: Facts) -> Row:
    match facts.writes:
        case Writes.TAKEN:
            text = "taken here (whether by this identity was not tried)"
        case Writes.REFERRED:
            text = f"read-only copy, refers to {facts.refers or 'another server'}"
        case Writes.READ_ONLY:
            text = "read-only copy"
        case Writes.DENIED:
            text = "not for this identity"
        case _:
            return Row(Topic.WRITES, Mark.UNKNOWN, "could not be asked")
    if facts.provider and facts.writes in (Writes.REFERRED, Writes.READ_ONLY):
        cure = "A provider that is a copy itself passes on what it gets (a cascade); compare with the first one too."
        return Row(Topic.WRITES, Mark.WARN, text, cure)
    return Row(Topic.WRITES, Mark.OK, text)


def _sync(facts: Facts, profile: ProviderProfile) -> Row:
    offered = "syncprov answers" if profile.sync is Sync.OFFERED else f"no sync: {profile.sync}"
    given_up = [state.rid for state in facts.vitals.syncrepl if state.quit]
    if given_up:
        cure = f"Its log says why; ldaprepl lint {facts.uri} judges the stanza."
        return Row(Topic.SYNC, Mark.BAD, f"stanza {', '.join(given_up)} has given up", cure)
    stanzas = ", ".join(
        f"rid {state.rid} {'connected' if state.connected else 'waiting'}" for state in facts.vitals.syncrepl
    )
    if facts.provider:
        found = _finding(profile, "no-sync")
        if found and found.severity is Severity.ERROR:
            return Row(Topic.SYNC, Mark.BAD, offered, found.cure)
        mark = Mark.OK if profile.sync is Sync.OFFERED else Mark.UNKNOWN
        return Row(Topic.SYNC, mark, f"{offered}{'; ' + stanzas if stanzas else ''}")
    if stanzas:
        return Row(Topic.SYNC, Mark.OK, stanzas)
    return Row(Topic.SYNC, Mark.UNKNOWN, "cn=Monitor shows no stanza; it is off, unreadable, or older than 2.5")


def _context_csn(facts: Facts, newest: CsnSet) -> Row:
    held = facts.csns
    if not held:
        cure = "Give this identity read access to contextCSN of the suffix entry, or wait for the first refresh to end."
        return Row(Topic.CONTEXTCSN, Mark.BAD, "none", cure)
    text = ", ".join(f"{sid:03x} {held[sid].time:%Y-%m-%d %H:%M:%S}" for sid in held)
    if behind := held.behind(newest):
        late = f"{text}; behind for {sid_list(behind)}"
        return Row(Topic.CONTEXTCSN, Mark.WARN, late, "ldaprepl check tells by how much.")
    return Row(Topic.CONTEXTCSN, Mark.OK, text)


def _clock(facts: Facts, now: datetime) -> Row:
    cure = "Let both machines follow NTP: stamps of a clock that is ahead win over later changes."
    skew = facts.vitals.skew
    if skew is None:
        ahead = max(((csn.time - now).total_seconds() for csn in facts.csns.values()), default=0.0)
        if ahead > SKEW:
            return Row(Topic.CLOCK, Mark.WARN, f"a stamp is {words(ahead)} in the future", cure)
        return Row(Topic.CLOCK, Mark.UNKNOWN, "not told: cn=Monitor is off or not readable")
    text = f"{words(abs(skew))} {'ahead of' if skew >= 0 else 'behind'} this machine"
    if abs(skew) < 1.0:  # cn=Monitor tells whole seconds
        return Row(Topic.CLOCK, Mark.OK, "that of this machine, to the second")
    return Row(Topic.CLOCK, Mark.OK, text) if abs(skew) <= SKEW else Row(Topic.CLOCK, Mark.WARN, text, cure)
