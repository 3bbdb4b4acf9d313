"""Lint: judge replication configuration, from files and, where servers can be asked, from what they do.

Reading comes through `Sources` and `ports.DirectoryReader`; what is wrong is said by the rules of
`domain.lint_table`. Nothing is changed anywhere, and nothing is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.ldapfilter import escape
from ldaprepl.domain.lint import Finding, finding, ordered, run
from ldaprepl.domain.lint_live import (
    ConsumerView,
    Judged,
    LogView,
    ProviderView,
    ServerView,
    judge_clocks,
    judge_consumer,
    judge_provider,
)
from ldaprepl.domain.lint_source import Estate, Source
from ldaprepl.domain.lint_table import TABLE
from ldaprepl.domain.matching import Schema
from ldaprepl.domain.provider import ProviderProfile
from ldaprepl.domain.schema import read_attribute_types, read_description
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.ports import DirectoryReader

_SAMPLE: Final = 100  # entries of a consumer that are looked up at the provider
_OWN: Final = ("1.3.6.1.4.1.4203.1.12.2", "1.3.6.1.4.1.4203.666", "1.3.6.1.4.1.4203.1.10", "olc")  # slapd's own schema


class Sources(Protocol):
    """Where configurations come from (`wire.configsource`)."""

    def read(self, name: str) -> Source:
        """One source by its name. Raises `UsageError` or `ServerUnavailable`."""


@dataclass(frozen=True, slots=True)
class LiveLook:
    """What was looked at live: an opened server with the scope, identity and log that concern it.

    For a provider `profile` holds what `init_consumer.examine` found.
    """

    reader: DirectoryReader
    scope: ReplicationScope
    profile: ProviderProfile | None = None
    identity: str = ""
    logbase: str = ""


def read(sources: Sources, names: Iterable[str]) -> Estate:
    """Read everything that was named, each once. Raises what `sources` raises."""
    return Estate(tuple(sources.read(name) for name in dict.fromkeys(names)))


def lint(estate: Estate, disabled: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Every finding that can be decided from the configuration."""
    return run(TABLE.values(), estate, disabled)


def lint_live(
    provider: LiveLook | None,
    consumers: Sequence[LiveLook],
    clock: Callable[[], datetime],
    disabled: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """Every finding that only the running servers show. Raises `LdapreplError` for transport trouble."""
    judged: list[Judged] = []
    views: list[ServerView] = []
    provider_view = None
    if provider is not None and provider.profile is not None:
        provider_view = view_provider(provider, provider.profile, clock)
        judged += judge_provider(provider_view)
        views.append(provider_view.server)
    for consumer in consumers:
        server = view_server(consumer.reader, consumer.scope.consumer_base, clock)
        views.append(server)
        if provider is not None and provider_view is not None:
            judged += judge_consumer(view_consumer(consumer, server, provider, provider_view), provider_view)
    judged += judge_clocks(views, clock())
    off = set(disabled)
    return ordered((finding(TABLE[code], hit) for code, hit in judged if code not in off), [v.uri for v in views])


# --- asking


def view_server(reader: DirectoryReader, base: str, clock: Callable[[], datetime]) -> ServerView:
    """contextCSN, clock and schema of one server, as far as it tells."""
    root = reader.look("", ("namingContexts", "subschemaSubentry")).entry
    contexts = _texts(root, "namingContexts")
    suffix = max((name for name in contexts if name and _below(base, name)), key=len, default=base)
    entry = reader.look(suffix, ("contextCSN",)).entry
    asked = clock()
    time = _texts(reader.look("cn=Current,cn=Time,cn=Monitor", ("monitorTimestamp",)).entry, "monitorTimestamp")
    where = next(iter(_texts(root, "subschemaSubentry")), "cn=Subschema")
    subschema = reader.look(where, ("attributeTypes", "objectClasses"), "(objectClass=subschema)").entry
    return ServerView(reader.uri, _csns(entry), _time(time), asked, _schema(subschema))


def view_provider(look: LiveLook, profile: ProviderProfile, clock: Callable[[], datetime]) -> ProviderView:
    """What `examine` found, and what only the linter asks for."""
    reader, scope = look.reader, look.scope
    view = ProviderView(profile, view_server(reader, scope.base, clock), scope, look.identity)
    audit = _texts(reader.look(profile.suffix or scope.base, ("auditContext",)).entry, "auditContext")
    unstamped = 0
    for csn in view.server.context_csn.values():
        text = escape(str(csn))
        newer = f"(&(entryCSN>={text})(!(entryCSN={text})))"
        unstamped = reader.count(scope._replace(filter=MATCH_ALL), newer, _nobody).entries
        break  # with several server IDs the oldest says nothing
    unstamped = unstamped if len(view.server.context_csn) == 1 else 0
    log = None
    if look.logbase:
        plain = reader.look(look.logbase, ("contextCSN",))
        sync = reader.look(look.logbase, sync=True)
        log = LogView(look.logbase, plain.outcome, sync.sync_done, bool(_csns(plain.entry)))
    return replace(view, audit=audit[0] if audit else "", log=log, unstamped=unstamped)


def view_consumer(look: LiveLook, server: ServerView, provider: LiveLook, view: ProviderView) -> ConsumerView:
    """The consumer beside its provider: the first entries by name and entryUUID, and the schema."""
    scope = look.scope
    names: tuple[str, ...] = ()
    if view.profile.usable and scope.base == scope.consumer_base:
        names = look.reader.count(scope, scope.filter, _nobody, _SAMPLE).sample
    local, other = [], []
    for name in names:
        mine = look.reader.look(name, ("entryUUID",)).entry
        theirs = provider.reader.look(name, ("entryUUID",)).entry
        if theirs is None:
            local.append(name)
        elif mine is not None and mine.uuid and theirs.uuid and mine.uuid != theirs.uuid:
            other.append(name)
    unknown = _missing(view.server, server)
    return ConsumerView(
        server,
        len(names),
        tuple(local),
        tuple(other),
        unknown,
        bool(unknown) and _needed(provider.reader, scope, unknown),
    )


def _missing(provider: ServerView, consumer: ServerView) -> tuple[str, ...]:
    """Names of the provider's types and classes that the consumer does not know; slapd's own are left out."""
    if not consumer.schema:
        return ()
    known = {oid for oid, _ in consumer.schema} | {name.lower() for _, name in consumer.schema}
    return tuple(
        name
        for oid, name in provider.schema
        if oid not in known and name.lower() not in known and not oid.lower().startswith(_OWN) and name != oid
    )


def _needed(reader: DirectoryReader, scope: ReplicationScope, names: Sequence[str]) -> bool:
    """Whether an entry of the provider has one of these attributes or classes."""
    parts = "".join(f"({name}=*)(objectClass={name})" for name in names)
    return reader.count(scope, f"(|{parts})", _nobody).entries > 0


def _schema(entry: Entry | None) -> tuple[tuple[str, str], ...]:
    if entry is None:
        return ()
    problems: list[str] = []
    types = read_attribute_types(entry.values("attributeTypes"), problems).values()
    found = {kind.oid: kind.name for kind in types if kind.usage.lower() != "dsaoperation"}
    for description in entry.values("objectClasses"):
        parts = read_description(description, problems)
        for oid in parts.get("OID", ()):
            found[oid] = next(iter(parts.get("NAME", ())), oid)
    return tuple(found.items())


def _csns(entry: Entry | None) -> CsnSet:
    try:
        return CsnSet.parse(entry.values("contextCSN") if entry else ())
    except ValueError:
        return CsnSet()


def _time(texts: Sequence[str]) -> datetime | None:
    try:
        return datetime.strptime(texts[0], "%Y%m%d%H%M%SZ").replace(tzinfo=UTC) if texts else None
    except ValueError:
        return None


def _texts(entry: Entry | None, name: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in entry.values(name)] if entry else []


def _below(dn: str, base: str) -> bool:
    return Schema.EMPTY.is_below(dn.lower(), base.lower())


def _nobody(entries: int) -> None:
    """Nobody watches these counts."""
