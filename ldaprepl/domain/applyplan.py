"""What has to change in a live cn=config so that one database becomes this consumer; nothing, when it is one already.

Pure: from the entries that were read and the plan to modifications. Two traps decide their form. Deleting one of
several olcSyncrepl values makes slapd 2.5 to 2.7 stop another one, so several are always replaced as a whole; and slapd
writes values back with its defaults and with DNs in its own spelling, so stanzas are compared by meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain import configdiff
from ldaprepl.domain import dn as names
from ldaprepl.domain.cnconfig import order, unnumbered
from ldaprepl.domain.configdiff import ConfigChange, Modification, same_name
from ldaprepl.domain.consumerplan import ConsumerPlan
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.keywords import KEYWORDS, Syntax
from ldaprepl.domain.provider import Finding, Severity
from ldaprepl.domain.providerplan import MAXSIZE
from ldaprepl.domain.secret import Secret
from ldaprepl.domain.stanza import Stanza
from ldaprepl.domain.version import Version
from ldaprepl.domain.words import Form
from ldaprepl.errors import UsageError

_INDEXED: Final = ("entryUUID", "entryCSN")
_SHADOW: Final = ("olcMultiProvider", "olcMirrorMode")
_WRITTEN_DEFAULTS: Final = {
    "timeout": "0", "network-timeout": "0", "keepalive": "0:0:0", "tcp-user-timeout": "0", "tls_reqcert": "demand",
    "tls_reqsan": "allow", "tls_crlcheck": "none", "attrs": "*,+", "retry": "undefined",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Survey:
    """The database of a suffix as cn=config has it, and every rid that the server uses. `held` is all of cn=config."""

    suffix: str
    database: Entry | None
    rids: frozenset[int] = frozenset()
    suffixes: tuple[str, ...] = ()
    held: tuple[Entry, ...] = ()

    @property
    def stanzas(self) -> tuple[str, ...]:
        """The values of olcSyncrepl in their order, without prefix."""
        values = self.database.texts("olcSyncrepl") if self.database else ()
        return tuple(map(unnumbered, sorted(values, key=order)))

    def own(self, provider: str, searchbase: str) -> int | None:
        """Which of the stanzas is for that provider and base."""
        for number, text in enumerate(self.stanzas):
            stanza = Stanza.parse(text, Form.CN_CONFIG)
            if stanza.provider.rstrip("/") == provider.rstrip("/") and same_name(stanza.searchbase, searchbase):
                return number
        return None

    def rid_for(self, provider: str, searchbase: str) -> int:
        """The rid of the stanza that is there for it, else the first that is free. Raises `UsageError`."""
        number = self.own(provider, searchbase)
        held = None if number is None else _rid(Stanza.parse(self.stanzas[number], Form.CN_CONFIG))
        if held is not None:
            return held
        free = next((rid for rid in range(1, 1000) if rid not in self.rids), None)
        if free is None:
            raise UsageError("this server uses every rid from 1 to 999")
        return free


def survey(entries: Iterable[Entry], suffix: str) -> Survey:
    """Look through all of cn=config."""
    held = list(entries)
    rids = [
        _rid(Stanza.parse(unnumbered(value), Form.CN_CONFIG)) for entry in held for value in entry.texts("olcSyncrepl")
    ]
    suffixes = [(value, entry) for entry in held for value in entry.texts("olcSuffix")]
    database = next((entry for text, entry in suffixes if same_name(text, suffix)), None)
    known = frozenset(rid for rid in rids if rid is not None)
    return Survey(suffix, database, known, tuple(text for text, _ in suffixes), tuple(held))


def objections(found: Survey, plan: ConsumerPlan) -> tuple[Finding, ...]:
    """What stands against a native consumer: errors forbid it."""
    return tuple(_objections(found, plan))


def written_objections(found: Survey, updatedn: str) -> tuple[Finding, ...]:
    """What stands against a consumer that `ldaprepl sync` writes to as `updatedn`."""
    return tuple(_written_objections(found, updatedn))


def taken(found: Survey, directory: str) -> Finding | None:
    """An error when a database that is missing would share its folder with another: slapd does not refuse that."""
    owner = configdiff.directories(found.held).get(directory.rstrip("/"))
    if found.database is not None or owner is None:
        return None
    text = f"the consumer has no database for {found.suffix}, and {directory} is in use for {owner}"
    cure = "Give another folder with --directory; it must exist there and belong to slapd's user."
    return Finding("directory-taken", Severity.ERROR, text, cure)


def changes(found: Survey, plan: ConsumerPlan, version: Version) -> tuple[ConfigChange, ...]:
    """What is to be written into the database that is there, in this order. Empty when all of it is there, or no
    database. Raises `StanzaRefused`."""
    database = found.database
    if database is None:
        return ()
    wanted = []
    if _is_mdb(database) and not database.values("olcDbMaxSize"):
        wanted.append(ConfigChange(database.dn, (Modification("add", "olcDbMaxSize", (MAXSIZE,)),)))
    for name in _missing_indexes(database):
        wanted.append(ConfigChange(database.dn, (Modification("add", "olcDbIndex", (f"{name} eq",)),)))
    consumer = (*_stanza_change(found, plan, version), *_updateref_change(database, plan))
    if consumer:
        wanted.append(ConfigChange(database.dn, consumer))
    return tuple(wanted)


def same_meaning(one: Stanza, other: Stanza) -> bool:
    """Whether slapd would do the same for both: the order of keywords, its own defaults and the spelling of DNs do not
    count.
    """
    return _meaning(one) == _meaning(other)


def _objections(found: Survey, plan: ConsumerPlan) -> Iterator[Finding]:
    database = found.database
    if database is None:
        yield _no_database(found)
        return
    if not database.values("olcRootDN"):
        text = f"{database.dn} has no olcRootDN, and slapd refuses a stanza without: replication writes as that one"
        yield Finding("no-rootdn", Severity.ERROR, text, f"Add olcRootDN: cn=admin,{found.suffix} to it.")
    if database.values("olcUpdateDN"):
        text = f"{database.dn} has olcUpdateDN: a consumer that is written to cannot be one of syncrepl too"
        yield Finding("updatedn", Severity.ERROR, text, "Delete olcUpdateDN and olcUpdateRef first.")
    rid = _rid(plan.stanza)
    own = found.own(plan.stanza.provider, plan.stanza.searchbase)
    held = None if own is None else _rid(Stanza.parse(found.stanzas[own], Form.CN_CONFIG))
    if rid in found.rids and held != rid:
        text = f"rid {rid} is in use in this server"
        yield Finding("rid-taken", Severity.ERROR, text, "Leave --rid out: a free one is found.")
    if not found.stanzas and (writable := _writable(database)):
        yield Finding("multi-provider", Severity.WARNING, f"{database.dn} has {writable}: clients may write to it")
    elsewhere = database.texts("olcUpdateRef")
    if plan.updateref and elsewhere and plan.updateref.rstrip("/") not in [each.rstrip("/") for each in elsewhere]:
        text = f"{database.dn} sends writers to {', '.join(elsewhere)}, not to this provider; that stays so"
        yield Finding("updateref", Severity.NOTE, text)


def _written_objections(found: Survey, updatedn: str) -> Iterator[Finding]:
    database = found.database
    if database is None:
        yield _no_database(found)
        return
    if found.stanzas:
        text = f"{database.dn} has a syncrepl stanza: a native consumer cannot be written by ldaprepl sync too"
        yield Finding("native", Severity.ERROR, text, "Delete olcSyncrepl first.")
    held = database.texts("olcUpdateDN")
    if held and not same_name(held[0], updatedn):
        text = f"{database.dn} has olcUpdateDN {held[0]}, and is to have {updatedn}"
        yield Finding("updatedn", Severity.ERROR, text, f"Name it with --consumer-bind-dn {held[0]!r}, or delete it.")


def _no_database(found: Survey) -> Finding:
    there = ", ".join(found.suffixes) or "none"
    text = f"the consumer has no database for {found.suffix} yet (it has: {there}): it will be made"
    return Finding("no-database", Severity.NOTE, text)


def _is_mdb(database: Entry) -> bool:
    return "mdb" in database.dn.partition(",")[0].lower()


def _stanza_change(found: Survey, plan: ConsumerPlan, version: Version) -> tuple[Modification, ...]:
    wanted = plan.stanza.render(Form.CN_CONFIG, version).text
    stanzas = list(found.stanzas)
    own = found.own(plan.stanza.provider, plan.stanza.searchbase)
    if own is not None and same_meaning(Stanza.parse(stanzas[own], Form.CN_CONFIG), plan.stanza):
        return ()
    if not stanzas:
        return (Modification("add", "olcSyncrepl", (wanted,)),)
    if own is None:
        stanzas.append(wanted)
    else:
        stanzas[own] = wanted
    numbered = tuple(f"{{{number}}}{text}" for number, text in enumerate(stanzas))
    return (Modification("replace", "olcSyncrepl", numbered),)


def _updateref_change(database: Entry, plan: ConsumerPlan) -> tuple[Modification, ...]:
    if not plan.updateref or _writable(database) or database.values("olcUpdateRef"):  # what is chosen stays
        return ()
    return (Modification("add", "olcUpdateRef", (plan.updateref,)),)


def _writable(database: Entry) -> str:
    """The attribute that lets clients write to a consumer; empty when none does."""
    return next((name for name in _SHADOW if b"TRUE" in {value.upper() for value in database.values(name)}), "")


def _missing_indexes(database: Entry) -> list[str]:
    there = configdiff.indexed(database)
    return [name for name in _INDEXED if name.lower() not in there]


def _meaning(stanza: Stanza) -> dict[str, object]:
    meaning: dict[str, object] = {}
    for name, keyword in KEYWORDS.items():
        found = stanza.all(name)
        if not found:
            continue
        value = stanza.get(name)
        if isinstance(value, Secret) or value is None:
            meaning[name] = value
            continue
        if keyword.syntax is Syntax.LIST:
            parts = {part.strip().lower() for each in found for part in (each.text or "").split(",")}
            text = ",".join(sorted(parts))
        elif keyword.syntax is Syntax.DN:
            text = names.folded(value)
        elif keyword.syntax is Syntax.RID:
            text = value.lstrip("0") or "0"
        else:
            text = " ".join(value.split())
            text = text.lower() if keyword.syntax in (Syntax.WORD, Syntax.URI) else text
        if text.lower() not in (keyword.default.lower(), _WRITTEN_DEFAULTS.get(name)):
            meaning[name] = text
    return meaning


def _rid(stanza: Stanza) -> int | None:
    try:
        return stanza.rid
    except ValueError:
        return None
