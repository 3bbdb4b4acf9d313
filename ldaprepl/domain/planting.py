"""Planted faults: a consumer's copy of a directory with known divergences, or with differences that are none.

`plant` changes entries as replication gone wrong does, and tells what a verifier must find, no more and no less.
`disguise` writes the same content differently (case, spacing, order, aliases), which a verifier must not find.
`shuffled` changes the order in which a server gets the entries, and so the order in which it sends them (slapadd into
mdb takes children before their parents). What is chosen depends on seed and entries only. Written for stamped entries
of `sample` and `awkward`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ldaprepl.domain import dn as names
from ldaprepl.domain.entry import Entry
from ldaprepl.domain.sample import uuid
from ldaprepl.domain.verdict import Kind

_PERSON: Final = b"inetOrgPerson"
_OPTIONAL: Final = ("telephoneNumber", "mail", "mobile", "userPassword", "labeledURI", "userCertificate;binary")
_FOREIGN_UUIDS: Final = 1 << 40  # numbers that no entry of a sample has


@dataclass(frozen=True, slots=True)
class Planted:
    """One divergence as a verifier should report it (see `verdict.Finding`): `dn` is the provider's, the consumer's for
    `extra`; `consumer_dn` is empty for `missing`; `attributes` are the names whose values differ, entryUUID aside."""

    kind: Kind
    dn: str
    consumer_dn: str
    uuid: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disguise:
    """One harmless difference: what was done, to which entry (the provider's DN), in which attribute ("dn": itself)."""

    name: str
    dn: str
    attribute: str


def plant(entries: Sequence[Entry], each: int = 1, *, seed: int = 1) -> tuple[list[Entry], tuple[Planted, ...]]:
    """The consumer's entries with `each` divergences of every kind, and what they are.

    An entry has one divergence at most; none has children that it would take along. Raises ValueError when the entries
    are too few or without entryUUID.
    """
    parents = {names.parent(entry.dn) for entry in entries}
    result: list[Entry | None] = list(entries)
    planted: list[Planted] = []
    left = dict.fromkeys(Kind, each)
    extras: list[Entry] = []
    for place in _scattered(range(1, len(entries)), seed):
        kind = max(left, key=lambda kind: left[kind])
        if not left[kind]:
            break
        entry = entries[place]
        if entry.uuid is None:
            raise ValueError(f"{entry.dn} has no entryUUID: divergences are planted in stamped entries only")
        if entry.dn in parents:
            continue
        made = _PLANTERS[kind](entry, seed + left[kind])
        if made is None:
            continue
        changed, what = made
        if kind is Kind.EXTRA and changed:
            extras.append(changed)
        else:
            result[place] = changed
        planted.append(what)
        left[kind] -= 1
    if any(left.values()):
        raise ValueError(f"{len(entries)} entries are too few for {each} divergences of every kind")
    return [*(entry for entry in result if entry), *extras], tuple(planted)


def disguise(entries: Iterable[Entry], *, every: int = 1) -> tuple[list[Entry], tuple[Disguise, ...]]:
    """The same content in other words: every n-th entry, from the second on, disguised in one of the ways that suit it.

    DNs change only where the spelling of a leaf's own RDN does.
    """
    originals = list(entries)
    parents = {names.parent(entry.dn) for entry in originals}
    result: list[Entry] = []
    done: list[Disguise] = []
    for number, entry in enumerate(originals):
        changed = None
        if number and number % every == 0:
            turn = _look_random(number, 0)[0] % len(DISGUISES)  # not in step with the recipes of `awkward`
            ways = DISGUISES[turn:] + DISGUISES
            changed = next(filter(None, (way(entry, entry.dn not in parents) for way in ways)), None)
        result.append(changed[0] if changed else entry)
        if changed:
            done.append(changed[1])
    return result, tuple(done)


def shuffled(entries: Sequence[Entry], *, seed: int = 1) -> list[Entry]:
    """All entries in another order, parents not first."""
    return [entries[place] for place in _scattered(range(len(entries)), seed)]


def _scattered(numbers: Iterable[int], seed: int) -> list[int]:
    """The numbers in an order that looks random. (`random.shuffle` may change between versions of Python.)"""
    return sorted(numbers, key=lambda number: _look_random(number, seed))


def _look_random(number: int, seed: int) -> bytes:
    return hashlib.md5(b"%d-%d" % (seed, number), usedforsecurity=False).digest()


def _with(entry: Entry, changes: dict[str, tuple[bytes, ...]]) -> Entry:
    """A copy with attributes replaced, or removed where the new value is ()."""
    merged = {**entry.attributes, **changes}
    return Entry(entry.dn, {name: values for name, values in merged.items() if values})


# -- divergences: each gives the consumer's entry and what it is, or None where the entry does not suit

_Made = tuple[Entry | None, Planted] | None


def _missing(entry: Entry, number: int) -> _Made:
    return None, Planted(Kind.MISSING, entry.dn, "", entry.uuid or "")


def _extra(entry: Entry, number: int) -> _Made:
    """A new entry beside this one."""
    if _PERSON not in entry.values("objectClass"):
        return None
    name, identity = b"extra %d" % number, uuid(number, _FOREIGN_UUIDS)
    stamps = {held: values for held, values in entry.attributes.items() if held in _STAMPS}
    person = {"objectClass": (_PERSON, b"top"), "cn": (name,), "sn": (name,)}
    new = Entry(f"cn={name.decode()},{names.parent(entry.dn)}", {**person, **stamps, "entryUUID": (identity.encode(),)})
    return new, Planted(Kind.EXTRA, new.dn, new.dn, identity)


_STAMPS: Final = (
    "structuralObjectClass",
    "creatorsName",
    "createTimestamp",
    "entryCSN",
    "modifiersName",
    "modifyTimestamp",
)


def _renamed(entry: Entry, number: int) -> _Made:
    """Another RDN, or (even numbers) another parent: the grandparent."""
    rdns = names.parse(entry.dn)
    (attribute, value), *others = rdns[0]
    if number % 2 == 0 and len(rdns) > 3:
        dn = names.render((rdns[0], *rdns[2:]))
        return Entry(dn, entry.attributes), Planted(Kind.RENAMED, entry.dn, dn, entry.uuid or "")
    if others or attribute not in ("cn", "uid"):
        return None
    new = b"renamed %d" % number
    values = tuple(new if held == value else held for held in entry.values(attribute))
    dn = names.render((((attribute, new),), *rdns[1:]))
    changed = Entry(dn, {**entry.attributes, attribute: values})
    return changed, Planted(Kind.RENAMED, entry.dn, dn, entry.uuid or "", (attribute,))


def _differs(entry: Entry, number: int) -> _Made:
    for way in (_WAYS[number % len(_WAYS) :] + _WAYS) if _PERSON in entry.values("objectClass") else [_member_lost]:
        changes = way(entry)
        if changes:
            what = Planted(Kind.DIFFERS, entry.dn, entry.dn, entry.uuid or "", tuple(changes))
            return _with(entry, changes), what
    return None


def _identity(entry: Entry, number: int) -> _Made:
    other = uuid(number, _FOREIGN_UUIDS + 1)
    changed = _with(entry, {"entryUUID": (other.encode(),)})
    return changed, Planted(Kind.IDENTITY, entry.dn, entry.dn, entry.uuid or "")


_PLANTERS: Final[dict[Kind, Callable[[Entry, int], _Made]]] = {
    Kind.MISSING: _missing,
    Kind.EXTRA: _extra,
    Kind.RENAMED: _renamed,
    Kind.DIFFERS: _differs,
    Kind.IDENTITY: _identity,
}
_Changes = dict[str, tuple[bytes, ...]]


def _value_changed(entry: Entry) -> _Changes:
    return {"sn": (entry.values("sn")[0] + b" changed",)}


def _value_added(entry: Entry) -> _Changes:
    return {"description": (*entry.values("description"), b"only the consumer has this")}


def _attribute_lost(entry: Entry) -> _Changes:
    lost = next((name for name in _OPTIONAL if entry.values(name)), None)
    return {lost: ()} if lost else {}


def _one_bit(entry: Entry) -> _Changes:
    """The lowest bit of one byte in the middle of a binary value."""
    for name in ("jpegPhoto", "userPassword"):
        first, *rest = entry.values(name) or (b"",)
        if len(first) > 2:
            middle = len(first) // 2
            return {name: (first[:middle] + bytes((first[middle] ^ 1,)) + first[middle + 1 :], *rest)}
    return {}


def _case_that_matters(entry: Entry) -> _Changes:
    for name in ("homeDirectory", "labeledURI"):
        first, *rest = entry.values(name) or (b"",)
        if first.swapcase() not in (first, *rest):
            return {name: (first.swapcase(), *rest)}
    return {}


def _two_attributes(entry: Entry) -> _Changes:
    return {"initials": (b"X.",), **_value_changed(entry)}


def _member_lost(entry: Entry) -> _Changes:
    lists = (name for name in ("member", "memberUid") if len(entry.values(name)) > 1)
    return {name: entry.values(name)[:-1] for name in lists}


_WAYS: Final[list[Callable[[Entry], _Changes]]] = [
    _value_changed,
    _attribute_lost,
    _value_added,
    _one_bit,
    _case_that_matters,
    _two_attributes,
]

# -- disguises: each gives the entry in other words, or None where it does not suit; `leaf`: its DN may change

_Disguised = tuple[Entry, Disguise] | None
_Way = Callable[[Entry, bool], _Disguised]


def _rewriting(what: str, attributes: tuple[str, ...], rewrite: Callable[[bytes], bytes]) -> _Way:
    """A disguise that rewrites the values of the first attribute where it makes a difference, never the RDN's own."""

    def way(entry: Entry, leaf: bool) -> _Disguised:
        naming = {name.lower() for name, _ in names.parse(entry.dn)[0]}
        for name in attributes:
            values = entry.values(name)
            if name.lower() not in naming and (new := tuple(map(rewrite, values))) != values:
                return _with(entry, {name: new}), Disguise(what, entry.dn, name)
        return None

    return way


def _dn_respelled(value: bytes) -> bytes:
    """A DN with blanks, types in capitals and values in the other case."""
    rdns = names.parse(value.decode())
    return ", ".join(
        " + ".join(f"{name.upper()} = {names.escape(held.swapcase())}" for name, held in rdn) for rdn in rdns
    ).encode()


def _decomposed(value: bytes) -> bytes:
    return unicodedata.normalize("NFD", value.decode()).encode()


_ALIASES: Final = {"sn": "surname", "cn": "commonName", "mail": "rfc822Mailbox", "ou": "organizationalUnitName"}


def _values_reversed(entry: Entry, leaf: bool) -> _Disguised:
    for name in ("mail", "member", "memberUid", "sampleExact", "telephoneNumber", "objectClass"):
        if len(entry.values(name)) > 1:
            return _with(entry, {name: entry.values(name)[::-1]}), Disguise("value order", entry.dn, name)
    return None


def _names_respelled(entry: Entry, leaf: bool) -> _Disguised:
    found = next((name for name in _ALIASES if entry.values(name)), None)
    if not found:
        return None
    attributes = {_ALIASES.get(name, name.upper()): values for name, values in entry.attributes.items()}
    return Entry(entry.dn, attributes), Disguise("attribute name", entry.dn, found)


def _own_name_respelled(entry: Entry, leaf: bool) -> _Disguised:
    rdns = names.parse(entry.dn)
    (attribute, value), *others = rdns[0]
    if not leaf or others or attribute not in ("cn", "uid") or value.swapcase() == value:
        return None
    values = tuple(held.swapcase() if held == value else held for held in entry.values(attribute))
    dn = names.render((((attribute, value.swapcase()),), *rdns[1:]))
    return Entry(dn, {**entry.attributes, attribute: values}), Disguise("dn", entry.dn, "dn")


_PHONES: Final = ("telephoneNumber", "mobile", "samplePhone")
DISGUISES: Final[tuple[_Way, ...]] = (
    _rewriting("case", ("sn", "title", "l", "description", "mail"), bytes.swapcase),
    _rewriting("telephone", _PHONES, lambda value: value.replace(b" ", b"").replace(b"-", b"")),
    _rewriting("dn value", ("member", "manager", "seeAlso", "aliasedObjectName"), _dn_respelled),
    _values_reversed,
    _names_respelled,
    _own_name_respelled,
    _rewriting("digits", ("sampleDigits", "x121Address"), lambda value: value.replace(b" ", b"")),
    _rewriting("lines", ("postalAddress",), bytes.swapcase),
    _rewriting("spacing", ("title", "cn", "sn", "departmentNumber"), lambda value: value.replace(b" ", b"   ")),
    _rewriting("unicode", ("displayName", "cn", "sn"), _decomposed),
)
