"""Init-consumer: look at a provider with the identity that the consumer will use, and write the stanza that fits.

`examine` only asks; what the answers mean is said by `domain.provider.judge`, and what stanza follows by
`domain.consumerplan.plan`. Nothing is written here: the text is made by `report.stanza`, files by the command.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ldaprepl.domain import dn, ldapfilter
from ldaprepl.domain.consumerplan import ConsumerPlan, plan
from ldaprepl.domain.csn import CsnSet
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.provider import (
    NEEDED_ATTRIBUTES,
    PASSWORD_ATTRIBUTE,
    Access,
    LogProfile,
    Outcome,
    ProviderProfile,
    Sync,
    judge,
)
from ldaprepl.domain.scope import MATCH_ALL, ReplicationScope
from ldaprepl.domain.versionguess import ServerGuess, guess
from ldaprepl.errors import UsageError
from ldaprepl.ports import DirectoryReader, Look, Progress

__all__ = ["ConsumerPlan", "examine", "plan", "server_of", "subschema", "tagging_options"]

_SAMPLE: Final = 20  # entries with a password whose value is asked for
_SYNC_REQUEST: Final = "1.3.6.1.4.1.4203.1.9.1.1"  # RFC 4533
_TRUE: Final = b"TRUE"


def examine(reader: DirectoryReader, access: Access, scope: ReplicationScope, progress: Progress) -> ProviderProfile:
    """Look at the provider. Raises `UsageError` for a base or filter that is none, `LdapreplError` for transport
    trouble; whatever else is wrong is a finding.
    """
    _check(scope)
    if not scope.filter.startswith("("):
        scope = scope._replace(filter=f"({scope.filter})")
    progress.phase("looking at the provider")
    root = reader.look("", ("*", "+")).entry
    contexts = tuple(_texts(root, "namingContexts"))
    suffix = dn.context_of(scope.base, contexts)
    base = reader.look(scope.base, ("*", "+"))
    profile = ProviderProfile(
        reader.uri,
        _server(reader, root),
        contexts,
        suffix,
        base.outcome if base.outcome is not Outcome.SUCCESS or base.entry else Outcome.NO_SUCH_OBJECT,
        base.matched,
        base.referral,
        base_has_children=base.entry is not None and _TRUE in base.entry.values("hasSubordinates"),
        missing=_missing(base),
    )
    if profile.base is Outcome.SUCCESS:
        profile = replace(
            profile,
            base_in_filter=scope.filter == MATCH_ALL or reader.look(scope.base, filter=scope.filter).entry is not None,
            sync=_sync(reader, scope.base, root),
            context_csn=_context_csn(reader, scope.base if suffix is None else suffix),
            log=_log(reader, scope.base if suffix is None else suffix, root),
        )
        profile = _read_through(reader, profile, scope, progress)
    return replace(profile, findings=judge(profile, access, scope))


# --- asking


def _check(scope: ReplicationScope) -> None:
    if not scope.base.strip():
        raise UsageError("the base is empty", "Name the naming context to be copied with --base.")
    for what, name in (("--base", scope.base), ("--suffixmassage", scope.suffixmassage)):
        try:
            dn.parse(name)
        except ValueError as error:
            raise UsageError(f"{what} {name!r} is not a DN: {error}") from None
    if problem := ldapfilter.problem(scope.filter):
        raise UsageError(f"--filter {scope.filter!r} is not a filter: {problem}")


def _server(reader: DirectoryReader, root: Entry | None) -> ServerGuess:
    monitored = next(iter(_texts(reader.look("cn=Monitor", ("monitoredInfo",)).entry, "monitoredInfo")), "")
    where = next(iter(_texts(root, "subschemaSubentry")), "cn=Subschema")
    subschema = reader.look(where, ("attributeTypes",), "(objectClass=subschema)").entry
    return guess(root, subschema.values("attributeTypes") if subschema else (), monitored)


def _missing(base: Look) -> tuple[str, ...]:
    entry = base.entry
    return () if entry is None else tuple(name for name in NEEDED_ATTRIBUTES if not entry.values(name))


def _sync(reader: DirectoryReader, base: str, root: Entry | None) -> Sync:
    """A Sync Done control in the answer is the one proof; supportedControl only says that a module is loaded."""
    look = reader.look(base, sync=True)
    if look.sync_done:
        return Sync.OFFERED
    if look.outcome is not Outcome.SUCCESS:
        return Sync.UNKNOWN
    return Sync.NO_OVERLAY if _SYNC_REQUEST in _texts(root, "supportedControl") else Sync.NO_MODULE


def _context_csn(reader: DirectoryReader, suffix: str) -> CsnSet:
    entry = reader.look(suffix, ("contextCSN",)).entry
    try:
        return CsnSet.parse(entry.values("contextCSN") if entry else ())
    except ValueError:
        return CsnSet()


def _log(reader: DirectoryReader, suffix: str, root: Entry | None) -> LogProfile | None:
    """The change log, if the database keeps one; a delta consumer needs sync on it as well."""
    name = next(iter(_texts(reader.look(suffix, ("auditContext",)).entry, "auditContext")), "")
    if not name:
        return None
    look = reader.look(name)
    if look.entry is None:
        return LogProfile(name, Outcome.NO_SUCH_OBJECT if look.outcome is Outcome.SUCCESS else look.outcome)
    return LogProfile(name, look.outcome, _sync(reader, name, root), _context_csn(reader, name))


def server_of(reader: DirectoryReader) -> ServerGuess:
    """Which server this is."""
    return _server(reader, reader.look("", ("*", "+")).entry)


def subschema(reader: DirectoryReader) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Attribute types and object classes that a server publishes (RFC 4512, section 4.4); empty when it shows none."""
    root = reader.look("", ("subschemaSubentry",)).entry
    where = next(iter(_texts(root, "subschemaSubentry")), "cn=Subschema")
    entry = reader.look(where, ("attributeTypes", "objectClasses"), "(objectClass=subschema)").entry
    return (entry.values("attributeTypes"), entry.values("objectClasses")) if entry else ((), ())


def tagging_options(reader: DirectoryReader) -> tuple[str, ...]:
    """The attribute options that a server takes (slapd.conf(5), attributeoptions), where this identity may read its
    configuration; empty where it may not, or where they are slapd's own."""
    options = " ".join(_texts(reader.look("cn=config", ("olcAttributeOptions",)).entry, "olcAttributeOptions")).split()
    return () if set(options) <= {"lang-"} else tuple(options)


def _read_through(
    reader: DirectoryReader, profile: ProviderProfile, scope: ReplicationScope, progress: Progress
) -> ProviderProfile:
    """Read as the consumer will: limits show themselves in no other way (no control and no paging reveals them)."""
    progress.phase("reading it through, as the consumer will")
    whole = reader.count(scope, scope.filter, progress.advance)
    profile = replace(profile, entries=whole.entries, ending=whole.outcome)
    wanted = {name.lower() for name in scope.attrs} & {"*", PASSWORD_ATTRIBUTE.lower()}
    if whole.outcome is not Outcome.SUCCESS or not wanted or _excluded(scope):
        return profile
    progress.phase("looking for passwords")
    with_password = f"(&{scope.filter}({PASSWORD_ATTRIBUTE}=*))"
    found = reader.count(scope, with_password, progress.advance, _SAMPLE)
    entries = [reader.look(name, (PASSWORD_ATTRIBUTE,)).entry for name in found.sample]
    read = sum(1 for entry in entries if entry and entry.values(PASSWORD_ATTRIBUTE))
    return replace(profile, passwords=found.entries, password_sample=len(entries), passwords_read=read)


def _excluded(scope: ReplicationScope) -> bool:
    return PASSWORD_ATTRIBUTE.lower() in {name.lower() for name in scope.exattrs}


def _texts(entry: Entry | None, name: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in entry.values(name)] if entry else []
